"""Where plays are performed: on a server in memory, or on one in a process."""

import asyncio
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from kqq.client import Address, Tcp, Transport
from kqq.client.transport import Http
from kqq.plays.ways import Impossible, Lines, Nothing, Posts, Way
from kqq.protocol import HttpResponse
from kqq.server.database import Database, database_path
from kqq.server.picture import LETTERS, pick_letters
from kqq.server.settings import load
from kqq.server.store import Store
from kqq.testing import Cutting
from process import Process
from stage import WAIT, MemoryLink, Stage
from ways import A_LITTLE, BREATHS, MemoryLines, Network, checked_answer, connect

FIRST_NUMBER = 10001


class Place(Protocol):
    """Where a play is performed."""

    @property
    def store(self) -> Store:
        """The store of the server."""

    @property
    def letters(self) -> str:
        """What the picture shows that was drawn last."""

    async def start(self) -> None:
        """Start the server."""

    def way(self, kind: str, address: str, *, is_redirected: bool = False) -> Way:
        """Return how somebody at an address speaks `kind`, at the last door if redirected."""

    def network(self, kind: str, address: str) -> Network:
        """Return what our messenger reaches the server by, from an address, with `kind`."""

    async def restart(self) -> None:
        """Stop the server in good order, start it on the same data."""

    async def die(self) -> None:
        """Lose the server, start another on the same data."""

    async def advance(self, seconds: float) -> None:
        """Move the clock."""

    async def close(self) -> None:
        """Stop the server."""


class Dice:
    """Random bytes for a server; `letters` are those of the picture it drew last."""

    def __init__(self) -> None:
        self.letters = "none was drawn"

    def draw(self, count: int) -> bytes:
        """Return random bytes."""
        drawn = os.urandom(count)
        if count == LETTERS:  # nothing else draws so many
            self.letters = pick_letters(lambda _: drawn)
        return drawn


class MemoryNetwork:
    """Connections in memory."""

    def __init__(self, kind: str, address: str, stage: Stage, dice: Dice) -> None:
        self.kind = kind
        self.address = Address("kqq.example", 14000, kind.lower())
        self._peername = (address, 50000)
        self._stage = stage
        self._dice = dice

    async def connect(self) -> Transport:
        """Return a transport to the server."""

        async def link() -> Cutting:
            return Cutting(self._stage.link(self._peername))

        return await link() if self.kind == "TCP" else Http(self.address, link)

    async def drop(self, transport: Transport) -> None:
        """Cut a connection, or post no more."""
        if isinstance(transport, Cutting):
            transport.cut()
        await transport.close()
        await self._stage.idle()

    async def ask(self, picture: bytes) -> str:
        """Return the letters of the picture that was drawn last."""
        return self._dice.letters

    async def rest(self) -> None:
        """Return once nothing more can happen."""
        await self._stage.advance(A_LITTLE)

    async def until(self, happened: Callable[[], bool], news: asyncio.Event) -> None:
        """Wait for some breaths at most."""
        for seconds in (0.0, *[self._stage.config.breath] * BREATHS):
            await self._stage.advance(seconds)
            if happened():
                return
        raise Nothing("nothing came")


class InMemory:
    """A server in memory."""

    def __init__(self, folder: Path, settings: list[str]) -> None:
        self._dice = Dice()
        self._stage = Stage(folder)
        self._stage.random = self._dice.draw
        if settings:
            given = [f"data={folder}", "listen=kqq://127.0.0.1:0", *settings]
            self._stage.config = load(None, {}, given)

    async def start(self) -> None:
        """Start the server."""
        await self._stage.start()

    @property
    def store(self) -> Store:
        """The store of the server."""
        return self._stage.store

    @property
    def letters(self) -> str:
        """What the picture shows that was drawn last."""
        return self._dice.letters

    def way(self, kind: str, address: str, *, is_redirected: bool = False) -> Way:
        """Return how somebody at an address speaks `kind`."""

        def connect() -> MemoryLink:
            door = self._stage.server.listening[-1] if is_redirected else None
            link = MemoryLink(self._stage.server.visitor(door), (address, 50000))
            self._stage._links.append(link)
            return link

        async def exchange(data: bytes) -> HttpResponse:
            link = connect()
            await link.send(data)
            came = b""
            async with asyncio.timeout(WAIT):
                while piece := await link.receive():
                    came += piece
            await link.close()
            await self._stage.idle()
            return checked_answer(came)

        return MemoryLines(self._stage, connect) if kind == "TCP" else Posts(exchange)

    def network(self, kind: str, address: str) -> Network:
        """Return what our messenger reaches the server by."""
        return MemoryNetwork(kind, address, self._stage, self._dice)

    async def restart(self) -> None:
        """Stop the server in good order, start it on the same data."""
        await self._stage.restart()

    async def die(self) -> None:
        """Lose the server, start another on the same data."""
        await self._stage.die()

    async def advance(self, seconds: float) -> None:
        """Move the clock."""
        await self._stage.advance(seconds)

    async def close(self) -> None:
        """Stop the server."""
        await self._stage.__aexit__(None, None, None)


class SocketNetwork:
    """Sockets of this machine."""

    def __init__(self, kind: str, address: str, port: Callable[[], int]) -> None:
        self.kind = kind
        self.address = Address("127.0.0.1", 14000, kind.lower())
        self._own = address
        self._port = port

    async def connect(self) -> Transport:
        """Return a transport to the server."""

        async def socket() -> Tcp:
            return Tcp(*await connect(self._own, self._port()), self.address.scheme)

        return await socket() if self.kind == "TCP" else Http(self.address, socket)

    async def drop(self, transport: Transport) -> None:
        """Close a connection."""
        await transport.close()

    async def ask(self, picture: bytes) -> str:
        """Fail: only people can read what the server of a real process draws."""
        raise Impossible("{letters} are known in memory only")

    async def rest(self) -> None:
        """Let all tasks have their turns."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def until(self, happened: Callable[[], bool], news: asyncio.Event) -> None:
        """Wait for news."""
        try:
            async with asyncio.timeout(WAIT):
                while not happened():
                    news.clear()
                    await news.wait()
        except TimeoutError:
            raise Nothing(f"nothing came in {WAIT:g} s") from None


class InProcess:
    """A server in a process, on a loopback port; its data is open here as for `kqq account`.

    It is one of its own, unless it is one that was started before.
    """

    def __init__(self, folder: Path, settings: list[str], process: Process | None = None) -> None:
        self._folder = folder
        self._settings = settings
        self._given = process

    async def start(self) -> None:
        """Start the server."""
        self._process = self._given or Process(self._folder, *self._settings)
        self._database = Database(database_path(self._folder))
        self.store = Store(self._database)

    @property
    def letters(self) -> str:
        """Fail: only people can read what the server of a real process draws."""
        raise Impossible("{letters} are known in memory only")

    def way(self, kind: str, address: str, *, is_redirected: bool = False) -> Way:
        """Return how somebody at an address speaks `kind`."""

        def port() -> int:
            return self._process.ports[-1 if is_redirected else 0]

        async def socket() -> Tcp:
            return Tcp(*await connect(address, port()))

        async def exchange(data: bytes) -> HttpResponse:
            reader, writer = await connect(address, port())
            writer.write(data)
            async with asyncio.timeout(WAIT):
                came = await reader.read()
            writer.close()
            await writer.wait_closed()
            return checked_answer(came)

        return Lines(socket, wait=WAIT, quiet=None) if kind == "TCP" else Posts(exchange)

    def network(self, kind: str, address: str) -> Network:
        """Return what our messenger reaches the server by."""
        return SocketNetwork(kind, address, lambda: self._process.ports[0])

    async def restart(self) -> None:
        """Stop the server in good order, start it on the same data."""
        await self._database.close()
        self._process.stop()
        await self.start()

    async def die(self) -> None:
        """Lose the server to `kill -9`, start another on the same data."""
        await self._database.close()
        self._process.kill()
        await self.start()

    async def advance(self, seconds: float) -> None:
        """Fail: time goes by itself."""
        raise Impossible(f"time is moved in memory only, and here by {seconds:g} s")

    async def close(self) -> None:
        """Let go of the server."""
        await self._database.close()
        if self._given is None:
            self._process.close()


class Shared:
    """A server process for many plays; in each, people have other numbers and addresses.

    What the server knows of a number or an address is then no other play's, and the accounts are
    deleted at the end of a play.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: Process | None = None
        self._next = FIRST_NUMBER

    def place(self) -> InProcess:
        """Return the server, started if need be."""
        if self._folder is None:
            self._folder = a_folder()
            self._process = Process(Path(self._folder.name))
        return InProcess(Path(self._folder.name), [], self._process)

    def numbers(self, count: int) -> int:
        """Return the first of so many numbers that nobody had."""
        self._next += count
        return self._next - count

    def close(self) -> None:
        """End the process."""
        if self._folder is not None:
            assert self._process is not None
            self._process.close()
            self._folder.cleanup()


def a_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for data, in memory where the system has such: nobody pulls the plug here."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(
        prefix="kqq-play-", dir=memory if os.access(memory, os.W_OK | os.X_OK) else None
    )


class Where(NamedTuple):
    """A place, what people speak there, and whether those who can use our messenger do."""

    build: type[InMemory] | type[InProcess]
    kind: str
    is_ours: bool = False

    def is_ours_over(self, kind: str) -> bool:
        """Return whether our messenger is used there, and speaks `kind`."""
        return self.is_ours and self.kind == kind


PLACES = {
    "memory": Where(InMemory, "TCP"),
    "http-memory": Where(InMemory, "HTTP"),
    "tcp": Where(InProcess, "TCP"),
    "http": Where(InProcess, "HTTP"),
    "client-memory": Where(InMemory, "TCP", is_ours=True),
    "client-http-memory": Where(InMemory, "HTTP", is_ours=True),
    "client-tcp": Where(InProcess, "TCP", is_ours=True),
    "client-http": Where(InProcess, "HTTP", is_ours=True),
}
"""Where plays are performed."""
