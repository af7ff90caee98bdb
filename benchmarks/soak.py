"""Whether every message is shown exactly once while connections are cut at random.

    PYTHONPATH=tests python benchmarks/soak.py [--json] [--clients 200] [--seconds 600]

A real server in a process of its own, and clients of the library in this one, half of them over
TCP and half over HTTP. All the time they write to each other; each connection is cut after a random
time (over HTTP, a tenth or so of the posts) in the middle of what it carries: what the system had
received is thrown away, as if a gateway between had died. Then the cutting ends, and everything
must arrive. The exit code is 1 if anything was lost, shown twice or out of order.
"""

import argparse
import asyncio
import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from kqq.client import Address, Messenger, Tcp, Transport
from kqq.client.transport import Http
from kqq.errors import ConnectionLost
from kqq.server.database import Database, prepare_folder
from kqq.server.store import Account, Store
from kqq.testing.town import PASSWORD, quick_proof
from ledger import Ledger
from process import Process

FIRST = 10001
FRIENDS = 10  # of each client
SETTINGS = ("connections_per_address=5000", "messages_rate=1000", "messages_burst=100000",
            "commands_rate=1000", "commands_burst=100000", "sign_ins_rate=1000",
            "sign_ins_burst=100000", "log_level=warning")  # fmt: skip
POST_MEAN = 0.1  # seconds that a connection for one POST lives, which takes a few milliseconds
PATIENCE = 180.0  # seconds until everything must have arrived after the last cut


class Fragile:
    """A connection that lives for a random time, and swallows what it carries when it dies."""

    pushes = True

    def __init__(self, inner: Tcp, weather: "Weather", *, is_http: bool) -> None:
        self._inner = inner
        self._weather = weather
        self._dead = False
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(weather.lifetime(is_http=is_http), self._die)

    def _die(self) -> None:
        if self._weather.is_bad and not self._dead:
            self._dead = True
            self._weather.cuts += 1
            self._inner._writer.transport.abort()  # noqa: SLF001  # as a network does

    async def send(self, data: bytes) -> None:
        """Send, unless it is dead."""
        self._check()
        await self._inner.send(data)

    async def receive(self) -> bytes:
        """Receive; what came while it died is lost, or a part of it."""
        data = await self._inner.receive()
        if self._dead:
            data = data[: self._weather.dice.randrange(len(data) + 1)]
            if not data:
                self._check()
        return data

    async def close(self) -> None:
        """Close it."""
        self._end.cancel()
        await self._inner.close()

    def _check(self) -> None:
        if self._dead:
            raise ConnectionLost("cut by the weather")


class Weather:
    """When connections die: after a time that is random, with a given mean in seconds."""

    def __init__(self, mean: float, dice: random.Random) -> None:
        self.mean = mean
        self.dice = dice
        self.is_bad = True
        self.cuts = 0

    def lifetime(self, *, is_http: bool) -> float:
        """Return how long a connection shall live, in seconds."""
        return self.dice.expovariate(1 / (POST_MEAN if is_http else self.mean))

    async def over_tcp(self, address: Address) -> Transport:
        """Return a connection that will die."""
        return Fragile(await Tcp.connect(address), self, is_http=address.is_http)

    async def over_http(self, address: Address) -> Transport:
        """Return a transport each of whose connections may die."""
        return Http(address, lambda: self.over_tcp(address))


class Soak:
    """So many clients of a server that listens on a port here."""

    def __init__(self, port: int, count: int, mean: float, seed: int) -> None:
        self.dice = random.Random(seed)
        self.weather = Weather(mean, self.dice)
        self.ledger = Ledger()
        self.messengers = [self._messenger(port, number) for number in range(count)]

    def _messenger(self, port: int, number: int) -> Messenger:
        scheme, connect = (
            ("http", self.weather.over_http) if number % 2 else ("tcp", self.weather.over_tcp)
        )
        address = Address("127.0.0.1", port, scheme)
        return Messenger(FIRST + number, PASSWORD, [address], connect=connect)

    async def run(self, seconds: float) -> dict[str, object]:
        """Do it all, and return how it went."""
        began = time.monotonic()
        watching = [asyncio.create_task(self.ledger.watch(one)) for one in self.messengers]
        crowd = asyncio.Semaphore(20)
        await asyncio.gather(*(self._begin(one, crowd) for one in self.messengers))
        signed_in = time.monotonic() - began
        await self._write_for(seconds)
        self.weather.is_bad = False
        for messenger in self.messengers:
            messenger.reconnect()
        calm = time.monotonic()
        for _ in range(int(PATIENCE * 5)):
            if self.ledger.left <= 0 and not self.ledger.faults():
                break
            await asyncio.sleep(0.2)
        arrived = time.monotonic() - calm
        await asyncio.sleep(2)  # what comes twice may come late
        faults = self.ledger.faults()
        await asyncio.gather(*(messenger.close() for messenger in self.messengers))
        await asyncio.gather(*watching)
        return {
            "clients": len(self.messengers),
            "seconds": seconds,
            "signed_in_after": round(signed_in, 1),
            "messages": self.ledger.count,
            "cuts": self.weather.cuts,
            "all_arrived_after": round(arrived, 1),
            "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "fault_count": len(faults),
            "faults": faults[:20],
        }

    async def _begin(self, messenger: Messenger, crowd: asyncio.Semaphore) -> None:
        """Sign in; what fails the very first time is for the caller to try again."""
        async with crowd:
            while True:
                try:
                    await messenger.start()
                except ConnectionLost:
                    await asyncio.sleep(self.dice.random())
                else:
                    return

    async def _write_for(self, seconds: float) -> None:
        """Have some of them write, again and again."""
        count = len(self.messengers)
        now = said = time.monotonic()
        end = now + seconds
        while (now := time.monotonic()) < end:
            await asyncio.sleep(0.02)
            for messenger in self.dice.sample(self.messengers, max(1, count // 100)):
                step = self.dice.randrange(1, FRIENDS // 2 + 1) * self.dice.choice((-1, 1))
                self.ledger.write(messenger, FIRST + (messenger.uin - FIRST + step) % count)
            if now - said > 10:
                said = now
                print(
                    f"{end - now:4.0f} s left: {self.ledger.count} messages, {self.ledger.left} "
                    f"on their way, {self.weather.cuts} cuts",
                    file=sys.stderr,
                )


def settle(folder: Path, count: int) -> None:
    """Store so many accounts, each a friend of the next few."""
    database = Database(prepare_folder(folder))
    store = Store(database)
    proof = quick_proof()
    database.execute("BEGIN")
    for number in range(count):
        assert store.add_account(Account(FIRST + number, f"n{number}", 0, proof), 0.0)
    for number in range(count):
        for step in range(1, FRIENDS // 2 + 1):
            store.add_friends(FIRST + number, FIRST + (number + step) % count)
    database.execute("COMMIT")
    asyncio.run(database.close())


async def soak(port: int, chosen: argparse.Namespace) -> dict[str, object]:
    return await Soak(port, chosen.clients, chosen.mean, chosen.seed).run(chosen.seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--mean", type=float, default=20, help="seconds a connection lives")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        settle(Path(name), chosen.clients)
        server = Process(Path(name), *SETTINGS)
        try:
            found = asyncio.run(soak(server.port, chosen))
        finally:
            server.stop()
    if chosen.json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key.replace('_', ' '):<18} {value}")
    return 1 if found["fault_count"] else 0


if __name__ == "__main__":
    sys.exit(main())
