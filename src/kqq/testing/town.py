"""A town: a server in memory, people who have accounts there, and a clock that is moved by hand."""

import asyncio
import hashlib
import itertools
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from kqq.client import Address, AskCaptcha, Client, Messenger, Transport, Watched
from kqq.client.transport import Http
from kqq.errors import ConfigError, ConnectionLost, TimedOut
from kqq.protocol import Line, Status, mask
from kqq.server import Config, Server
from kqq.server.accounts import LOWEST_UIN, check_nick, password_md5
from kqq.server.admin_door import ask as ask_server
from kqq.server.picture import LETTERS, pick_letters
from kqq.server.profiles import set_values
from kqq.server.store import Account, Store
from kqq.testing.clock import ManualClock
from kqq.testing.cutting import Cutting
from kqq.testing.memory import MemoryLink

PASSWORD = "secret"  # noqa: S105  # of accounts that live as long as a test
"""Everybody's password."""
Over = Literal["tcp", "http"]
"""What a connection speaks: lines and pushes, or a line in each POST and polls."""

_ENOUGH = 1_000_000
_FREE: dict[str, Any] = {
    "commands_burst": _ENOUGH,
    "messages_burst": _ENOUGH,
    "sign_ins_burst": _ENOUGH,
    "requests_per_day": _ENOUGH,
    "connections_per_address": _ENOUGH,
    "connections_limit": 500,
}
"""No limits against floods: time stands still, so what is spent would never come back."""
_QUIET_ROUNDS = 100
"""Rounds of a loop in which nothing is seen to happen, where it cannot be asked what is due."""
_RESTLESS = 10.0  # seconds
_GLANCE = 50e-6
"""Seconds between two looks whether a thread is done; to look all the time would take its core."""
_HOST = "town.example"


@dataclass(slots=True)
class _Person:
    """Somebody, and their connections; `left` is how many bytes the next one may carry."""

    name: str
    uin: int
    host: str
    connections: list["_Connection"] = field(default_factory=list)
    left: tuple[int | None, int | None] = None, None
    is_blocked: bool = False


class _Connection(Cutting):
    """One of somebody's connections; what is left of `left` passes on to the next."""

    def __init__(self, link: MemoryLink, person: _Person) -> None:
        if any(other.is_cut for other in person.connections):
            person.left = None, None
        sent, received = person.left
        super().__init__(link, after_sent=sent, after_received=received)
        self.link = link
        self._person = person
        person.connections.append(self)

    async def close(self) -> None:
        """Close the connection."""
        await super().close()
        if self in self._person.connections:
            self._person.connections.remove(self)
            self._person.left = self.left


class Town:
    """A server in memory and the people in it, as long as `async with` lasts.

    `people` are nicknames: they get the numbers 10001, 10002 and so on, the password PASSWORD, and
    are friends of each other; `strangers`, with the numbers after them, are friends of nobody. All
    other keywords are settings of the server; limits against floods are off unless they are set.

    Time stands still. What is due at once happens whenever the test awaits something, and `settle`
    returns when all of it has; what is due later happens in `advance`, at its time.

    What the town makes, clients and all, it closes at its end.
    """

    def __init__(self, *people: str, strangers: Sequence[str] = (), **settings: Any) -> None:
        """Say who lives there. Entering raises ConfigError or AccountError if that cannot be."""
        self.clock = ManualClock()
        self.letters = ""
        """What the picture shows that was drawn last."""
        self.lag = 0
        """Bytes that had arrived when a connection is cut, of which the server does not learn."""
        self.swallow = 0
        """Bytes beyond a cut that are acknowledged to the server, and never reach the client."""
        self.lines: list[str] = []
        """What people said and were told, `Anna > VER=1.4&…`, without passwords."""
        self._names = people, tuple(strangers)
        self._settings = {**_FREE, "listen": (), **settings}
        self._people: dict[str, _Person] = {}
        self._made: list[Client | Messenger] = []
        self._server: Server | None = None
        self._dice = random.Random(0)  # noqa: S311  # back-offs are the same in each run

    async def __aenter__(self) -> Self:
        self._folder = _folder()
        try:
            self._config = Config(data=Path(self._folder.name), **self._settings)
            await self.start_server()
            friends, strangers = self._names
            for name in (*friends, *strangers):
                self._settle_in(name)
            await self._register(friends, strangers)
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._leave()

    # --- people

    def __getitem__(self, name: str) -> int:
        """Return somebody's number."""
        return self._person(name).uin

    def name(self, uin: int) -> str:
        """Return whose number this is. Raises ConfigError if it is nobody's."""
        for person in self._people.values():
            if person.uin == uin:
                return person.name
        raise ConfigError(f"nobody in town has the number {uin}; {self._who()}")

    async def move_in(self, name: str, *, friends: Sequence[str] = ()) -> int:
        """Make one more account, a friend of these, and return its number."""
        others = [self._person(friend) for friend in friends]
        newcomer = self._settle_in(name)
        await self._register((), (name,))
        for other in others:
            await self.do("account.friend", uin=newcomer.uin, other=other.uin)
        return newcomer.uin

    async def change(self, name: str, **values: str) -> None:
        """Change somebody's nickname, `who_may_add`, `who_may_write`, or profile, such as `age`.

        Raises AccountError if a value will not do.
        """
        await set_values(self.store, self[name], values)

    # --- what people use

    async def client(
        self,
        name: str,
        *,
        over: Over = "tcp",
        status: Status = Status.ONLINE,
        ask: AskCaptcha | None = None,
        **options: Any,
    ) -> Client:
        """Return a client that somebody is signed in with; `options` are those of Client."""
        person = self._person(name)
        transport = await self.door(name, over)(self.address(over))
        client = Client(transport, **{"sleep": self.clock.sleep, **options})
        self._made.append(client)
        await client.sign_in(person.uin, PASSWORD, status=status, ask=ask)
        await self.settle()
        return client

    async def messenger(self, name: str, *, over: Over = "tcp", **options: Any) -> Messenger:
        """Return a messenger that somebody is signed in with; `options` are those of Messenger."""
        given = {
            "connect": self.door(name, over),
            "now": self.clock.date,
            "sleep": self.clock.sleep,
            "random": self._dice.random,
            **options,
        }
        messenger = Messenger(self[name], PASSWORD, [self.address(over)], **given)
        self._made.append(messenger)
        await messenger.start()
        await self.settle()
        return messenger

    def address(self, over: Over = "tcp") -> Address:
        """Return where the server is; only `door` leads there."""
        return Address(_HOST, 14000, over)

    def door(self, name: str, over: Over = "tcp") -> Callable[[Address], Awaitable[Transport]]:
        """Return what opens a connection of somebody's, for `connect` of a Messenger.

        It raises ConnectionLost while the server is stopped, or the person blocked.
        """
        person = self._person(name)

        def watch(direction: str, line: Line) -> None:
            self.lines.append(f"{name} {direction} {mask(line.text)}")

        async def connect() -> Transport:
            return self._connect(person)

        async def open_transport(address: Address) -> Transport:
            self._check_network(person)
            transport: Transport = Http(address, connect) if over == "http" else await connect()
            return Watched(transport, watch)

        return open_transport

    async def read_picture(self, _: bytes) -> str:
        """Return the letters of the picture drawn last: an `ask` that is always right."""
        return self.letters

    # --- time

    async def settle(self) -> None:
        """Return once nothing more happens by itself: no callback is due, no thread at work.

        Raises TimedOut if that takes longer than anything should.
        """
        due = getattr(asyncio.get_running_loop(), "_ready", None)
        quiet, wanted = 0, _QUIET_ROUNDS if due is None else 1
        try:
            async with asyncio.timeout(_RESTLESS):
                while quiet < wanted:
                    await asyncio.sleep(0)
                    if due:
                        quiet = 0
                    elif self._is_at_work():
                        quiet = 0
                        time.sleep(_GLANCE)  # noqa: ASYNC251  # only threads have work, let them
                    else:
                        quiet += 1
        except TimeoutError:
            raise TimedOut(
                f"something has not come to rest for {_RESTLESS:g} s; is there a task that goes "
                "round and round with sleep(0)?"
            ) from None

    async def advance(self, seconds: float) -> None:
        """Move the clock; at each time that something is due, all that follows happens."""
        await self.settle()
        until = self.clock.now() + seconds
        while (due := self.clock.next_due) is not None and due <= until:
            self.clock.advance(due - self.clock.now())
            await self.settle()
        self.clock.advance(until - self.clock.now())

    # --- what happens to people

    def cut(self, *names: str) -> None:
        """Break the connections of these people, or of all; both ends see it. New ones hold."""
        for person in self._those(names):
            for connection in person.connections:
                connection.cut()

    def cut_after(self, name: str, *, sent: int | None = None, received: int | None = None) -> None:
        """Break somebody's connection once so many more bytes went or came; then new ones hold.

        Bytes of several connections, as over HTTP, are counted together.
        """
        person = self._person(name)
        person.left = sent, received
        for connection in person.connections:
            connection.cut_after(sent=sent, received=received)

    def block(self, *names: str) -> None:
        """Break the connections of these people, or of all, and let them make no new ones."""
        self.cut(*names)
        for person in self._those(names):
            person.is_blocked = True

    def unblock(self, *names: str) -> None:
        """Let these people, or all, connect again."""
        for person in self._those(names):
            person.is_blocked = False

    async def say_system(self, text: str, *names: str) -> None:
        """Send a message from 10000 to these people, or to everybody."""
        await self.do("announce", text=text, to=[self[name] for name in names] or None)

    async def do(self, action: str, **arguments: Any) -> Any:
        """Do what an operator can do; see the actions in `kqq.server.admin`.

        Raises what the action raises: AccountError or ConfigError.
        """
        done = await ask_server(self._config.admin_path, action, arguments)
        await self.settle()
        return done

    async def restart(self) -> None:
        """Stop the server in good order, and start it on the same data; connections end."""
        await self.stop_server()
        await self.start_server()
        await self.settle()

    # --- the server

    @property
    def server(self) -> Server:
        """The server, while it runs."""
        assert self._server is not None, "the server is stopped"
        return self._server

    @property
    def store(self) -> Store:
        """What the server has stored."""
        return self.server.store

    async def start_server(self) -> None:
        """Start the server, if it was stopped."""
        if self._server is None:
            server = Server(self._config, clock=self.clock, random=self._draw)
            await server.start()
            self._server = server

    async def stop_server(self) -> None:
        """Stop the server in good order; connections end, and new ones cannot be made."""
        if self._server is not None:
            server, self._server = self._server, None
            for person in self._people.values():
                for connection in person.connections:
                    if not connection.link.is_taking:
                        connection.cut()  # the server would wait for it, and time stands still
            await server.close()

    # --- inside

    def _person(self, name: str) -> _Person:
        if name not in self._people:
            raise ConfigError(f"nobody in town is called {name!r}; {self._who()}")
        return self._people[name]

    def _those(self, names: Iterable[str]) -> list[_Person]:
        return [self._person(name) for name in names] or list(self._people.values())

    def _who(self) -> str:
        return f"there are {', '.join(self._people)}" if self._people else "there is nobody"

    def _settle_in(self, name: str) -> _Person:
        """Give somebody a number and an address. Raises ConfigError or AccountError."""
        check_nick(name)
        if name in self._people:
            raise ConfigError(f"somebody in town is called {name!r} already")
        high, low = divmod(len(self._people), 250)
        person = _Person(name, LOWEST_UIN + len(self._people), f"10.0.{high}.{low + 1}")
        self._people[name] = person
        return person

    async def _register(self, friends: Sequence[str], strangers: Sequence[str]) -> None:
        """Store accounts; what is written in one turn is one transaction."""
        store, date = self.store, self.clock.date()
        writes = [
            store.insert_account(Account(self[name], name, 0, quick_proof()), date)
            for name in (*friends, *strangers)
        ]
        for one, other in itertools.combinations(friends, 2):
            writes.append(store.insert_friends(self[one], self[other]))
        await asyncio.gather(*writes)

    def _check_network(self, person: _Person) -> None:
        """Raise ConnectionLost if somebody cannot connect now."""
        if self._server is None or person.is_blocked:
            why = "no server runs in town" if self._server is None else "the network is blocked"
            raise ConnectionLost(f"{person.name} cannot connect: {why}")

    def _connect(self, person: _Person) -> Transport:
        self._check_network(person)
        link = MemoryLink(self.server.visitor(), (person.host, 50000))
        link.lag, link.swallow = self.lag, self.swallow
        return _Connection(link, person)

    def _draw(self, count: int) -> bytes:
        """Return random bytes; note what a picture will show."""
        drawn = os.urandom(count)
        if count == LETTERS:  # nothing else draws so many
            self.letters = pick_letters(lambda _: drawn)
        return drawn

    def _is_at_work(self) -> bool:
        """Whether a thread of the server writes, or checks a password; nobody else asks this.

        What would wait some milliseconds, to be written along with other things, does not.
        """
        if self._server is None:
            return False
        database, checks = self._server._database, self._server._checks  # noqa: SLF001
        if database.is_writing:
            database.hurry()
            return True
        return bool(checks.waiting)

    async def _leave(self) -> None:
        try:
            for one in reversed(self._made):
                await one.close()
            await self.stop_server()
        finally:
            self._folder.cleanup()


@cache
def quick_proof() -> str:
    """Return the proof of PASSWORD, made so as to be quick to check; it is good for tests only."""
    md5, salt = password_md5(PASSWORD), b"town"
    key = hashlib.scrypt(md5.encode(), salt=salt, n=2, r=1, p=1, dklen=32)
    return f"scrypt$1$1$1${salt.hex()}${key.hex()}"


def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for data, in memory where the system has such."""
    memory = Path("/dev/shm")  # noqa: S108  # if it is there, it is for just this
    return tempfile.TemporaryDirectory(
        prefix="kqq-town-", dir=memory if os.access(memory, os.W_OK | os.X_OK) else None
    )
