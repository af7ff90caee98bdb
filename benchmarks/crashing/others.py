"""Servers of other kinds that are killed while people write to others who are away."""

import asyncio
import itertools
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.comparing.loads import Person
from benchmarks.comparing.peers import Ejabberd, Peer, Prosody
from benchmarks.crashing.xmpp import Client

from crowd import PATIENCE, Lost
from load import Fate
from tracing import Order, is_over, order_of, strace

PEERS: tuple[type[Peer], ...] = (Ejabberd, Prosody)
PASSWORD = "secret"
PAIRS = ((10001, 10005), (10002, 10006), (10003, 10007), (10004, 10008))
"""Who writes, and who is away and comes only after the server was killed."""
PEOPLE = tuple(uin for pair in PAIRS for uin in pair)
_BATCH = 10
_REST = 0.02  # seconds between batches, at most
_LIFE = 6.0  # seconds that a server lives after those who were away have left, at most
_SILENCE = 3.0  # seconds without a message, after which the rest is taken for lost
_FIRST = 20_000_000
_PONG = re.compile(r"id=\\?['\"]p(\d{8})-(\d{8})\\?['\"]")


@dataclass(slots=True)
class Struck:
    """How often a server was killed, and what that did.

    `oldest_loss` is how long before the kill a lost message was acknowledged, at most, in seconds.
    """

    kills: int
    fate: Fate
    oldest_loss: float


class Siege:
    """A server that is killed again and again, and all who were ever signed in on it."""

    def __init__(self, peer: Peer, dice: random.Random) -> None:
        self.peer = peer
        self.clients: list[Client] = []
        self._dice = dice
        self._number = itertools.count(_FIRST).__next__
        self._lost: dict[int, float] = {}  # how long before the kill that was acknowledged
        self._killed = 0.0
        self._answered: dict[int, float] = {}

    async def strike(self, end: Callable[[], None]) -> None:
        """Start it, have those who were away read, then others write, and end it after a time."""
        self.peer.start()
        await self.read()
        async with asyncio.TaskGroup() as group:
            for sender, to in PAIRS:
                group.create_task(self._write(sender, to))
            await asyncio.sleep(self._dice.uniform(0, _LIFE))
            self._killed = time.monotonic()
            end()

    async def read(self) -> None:
        """Have those who were away read what waits, and leave."""
        async with asyncio.TaskGroup() as group:
            for sender, to in PAIRS:
                group.create_task(self._read(sender, to))

    async def _read(self, sender: int, to: int) -> None:
        client = await self._sign_in(to)
        await client.appear()
        wanted = self._promised(sender, to) - self._came(sender, to) - self._lost.keys()
        await client.gets(wanted, _SILENCE)
        await client.leave()
        for number in wanted - client.came.keys():
            self._lost[number] = self._killed - self._answered[number]

    async def _sign_in(self, uin: int) -> Client:
        client = await Client.sign_in(self.peer.port, uin, PASSWORD)
        self.clients.append(client)
        return client

    async def _write(self, sender: int, to: int) -> None:
        try:
            client = await self._sign_in(sender)
            while True:
                numbers = [self._number() for _ in range(_BATCH)]
                await client.write(to, numbers)
                self._answered |= dict.fromkeys(numbers, time.monotonic())
                await asyncio.sleep(self._dice.uniform(0, _REST))
        except Lost:
            pass

    def _promised(self, sender: int, to: int) -> set[int]:
        theirs = [client for client in self.clients if client.uin == sender]
        return {number for client in theirs for number in client.promised[to]}

    def _came(self, sender: int, to: int) -> set[int]:
        theirs = [client for client in self.clients if client.uin == to]
        return {number for client in theirs for number in client.texts[sender]}

    def struck(self, kills: int) -> Struck:
        """Return what became of all messages; whether one may come again is not judged."""
        fate = Fate()
        for sender, to in PAIRS:
            streams = [client.texts[sender] for client in self.clients if client.uin == to]
            fate.repeats += len(
                fate.judge(f"{sender} to {to}", self._promised(sender, to), streams)
            )
        unanswered = {number for client in self.clients for number in client.under_way}
        came = set().union(*(client.came for client in self.clients))
        fate.unanswered, fate.of_them = len(unanswered), len(unanswered & came)
        return Struck(kills, fate, max(self._lost.values(), default=0.0))


async def kills(
    kind: type[Peer],
    folder: Path,
    count: int,
    seed: int,
    *,
    gently: bool = False,
    tell: Callable[[int], None] = lambda _: None,
) -> Struck:
    """Kill a server so often, on the same folder, and return what became of the messages.

    With `gently` it is stopped in good order each time instead: then nothing may be lost, or it is
    we who do not look well enough.
    """
    peer = kind(folder, [Person(uin, PASSWORD) for uin in PEOPLE])
    siege = Siege(peer, random.Random(seed))
    try:
        peer.start()
        peer.stop()  # in good order: accounts that were just made may be lost as messages are
        for number in range(count):
            tell(number)
            await siege.strike(peer.stop if gently else peer.kill)
        tell(count)
        peer.start()
        await siege.read()
    finally:
        for client in siege.clients:
            client.close()
        peer.kill()
    return siege.struck(count)


def answers_of_pings(sent: str) -> set[int]:
    """Return the messages before a ping that is answered by what a server sends."""
    return {
        number for first, last in _PONG.findall(sent) for number in range(int(first), int(last) + 1)
    }


async def traced(kind: type[Peer], folder: Path, batches: int) -> Order | None:
    """Return in which order a server works while somebody writes; None if there is no strace."""
    trace = folder / "trace"
    words_before = strace(trace)
    if words_before is None:
        return None
    under: tuple[str, ...] = words_before

    class Traced(kind):  # type: ignore[misc, valid-type]
        def _run(
            self, words: Sequence[str | Path], environment: dict[str, str] | None = None
        ) -> None:
            super()._run([*under, *words], environment)

    data = folder / "data"
    peer = Traced(data, [Person(uin, PASSWORD) for uin in PEOPLE])
    sender, to = PAIRS[0]
    try:
        peer.start()
        client = await Client.sign_in(peer.port, sender, PASSWORD)
        for number in range(batches):
            first = _FIRST + number * _BATCH
            await client.write(to, range(first, first + _BATCH))
        client.close()
    finally:
        peer.stop()
    async with asyncio.timeout(PATIENCE):
        while not is_over(trace):  # noqa: ASYNC110  # strace lives a moment longer
            await asyncio.sleep(0.02)
    with trace.open(encoding="ascii", errors="replace") as lines:
        return order_of(lines, data.resolve(), answers_of_pings)
