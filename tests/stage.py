"""Where servers are tried without a network: a clock moved by hand, connections in memory.

Clock and connections are those of `kqq.testing`; what is here looks deeper into a server, and
speaks lines.
"""

import asyncio
import itertools
import os
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kqq.client import Client, Transport
from kqq.protocol import Line, LineBuffer
from kqq.server import Config, Server
from kqq.server.accounts import make_proof, password_md5
from kqq.server.store import Account, Store
from kqq.testing import PASSWORD, ManualClock, MemoryLink, MemoryTransport
from kqq.testing.town import quick_proof

__all__ = [
    "JULIET",
    "MD5",
    "PARIS",
    "PASSWORD",
    "ROMEO",
    "WAIT",
    "XP",
    "ManualClock",
    "MemoryLink",
    "MemoryTransport",
    "Stage",
    "Wire",
    "add_person",
    "proof",
    "request",
    "sign_in_line",
]

WAIT = 10.0
"""Seconds after which something that was waited for is taken for lost; nothing waits so long."""
MD5 = password_md5(PASSWORD).upper()
XP = "C4CA4238A0B92382"
ROMEO, JULIET, PARIS = 10001, 10002, 10003


@cache
def proof() -> str:
    """Return the proof of PASSWORD, made once since it is slow on purpose."""
    return make_proof(MD5, b"salt for testing")


def add_person(store: Store, uin: int, nick: str = "", face: int = 0) -> None:
    """Store an account with PASSWORD, which is quick to check: `Stage.slow_down` has it be slow."""
    assert store.add_account(Account(uin, nick or f"n{uin}", face, quick_proof()), 0.0)


def sign_in_line(uin: int, *, seq: int = 200, lg: int = 0, password: str = MD5) -> str:
    """Return the line that signs `uin` in, as phones of 1.4 wrote it."""
    return (
        f"VER=1.4&CON=1&CMD=Login&SEQ={seq}&UIN={uin}&PS={password}&M5=1&LG={lg}"
        "&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE="
    )


def request(command: str, uin: int, fields: str = "", *, seq: int = 201) -> str:
    """Return a line of 1.4 as phones wrote it after the sign-in."""
    more = f"&{fields}" if fields else ""
    return f"VER=1.4&CON=1&CMD={command}&SEQ={seq}&UIN={uin}&SID=&XP={XP}{more}"


class Wire:
    """A client that knows lines only."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._buffer = LineBuffer()
        self._heard: deque[Line] = deque()

    @property
    def link(self) -> MemoryLink:
        """The connection in memory."""
        assert isinstance(self.transport, MemoryLink)
        return self.transport

    async def say(self, *lines: str) -> None:
        """Send lines, all in one go."""
        data = "".join(f"{line}\r\n" for line in lines)
        await self.transport.send(data.encode("utf-8", "surrogateescape"))

    async def hear_line(self) -> Line | None:
        """Return the next line, None once the server has closed. Each must end in CRLF."""
        while not self._heard:
            async with asyncio.timeout(WAIT):
                data = await self.transport.receive()
            if not data:
                assert not self._buffer.pending, "the server closed within a line"
                return None
            for raw in self._buffer.feed(data):
                assert raw.endswith(b"\r"), f"{raw!r} does not end in CRLF"
                self._heard.append(Line.decode(raw))
        return self._heard.popleft()

    async def hear(self) -> str:
        """Return the text of the next line, "" once the server has closed."""
        line = await self.hear_line()
        return "" if line is None else line.text

    async def ask(self, line: str) -> str:
        """Send a line and return the next one that comes."""
        await self.say(line)
        return await self.hear()

    def waiting(self) -> list[str]:
        """Return at once the lines that have come and were not heard, in memory."""
        while self.link.writes and self.link.writes[0]:
            self._heard += map(Line.decode, self._buffer.feed(self.link.writes.popleft()))
        lines = [line.text for line in self._heard]
        self._heard.clear()
        return lines

    async def close(self) -> None:
        """Close the connection."""
        await self.transport.close()


class Stage:
    """A server in memory with a manual clock; its data lives in `folder`.

    `random` is what the server draws from; it may be set before the start.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.config = Config(data=folder, **{"listen": (), **settings})
        self.clock = ManualClock()
        self.random: Callable[[int], bytes] = os.urandom
        self._links: list[MemoryLink] = []
        self._dead: list[Server] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for link in self._links:
            link.start_reading()
        await self.server.close()
        for server in self._dead:
            server._database._reader.close()
            server._database._writer.close()

    async def start(self) -> None:
        """Open the server on the folder."""
        self.server = Server(self.config, clock=self.clock, random=self.random)
        await self.server.start()

    async def restart(self) -> None:
        """Stop the server in good order and open it again."""
        await self.server.close()
        await self.start()

    async def die(self) -> None:
        """Leave the server as `kill -9` does, and open another on what is on disk.

        Its sockets and its lock are gone with it; what its writer has begun is finished or not, as
        with a real one, what it has not begun is lost; whatever it still calls reaches nobody.
        """
        server = self.server
        for link in self._links:
            link.server.sever()
        for own in (server._admin_door, server._metrics_door):
            if own is not None:
                await own.close()
        assert server._lock is not None
        server._lock.close()
        if (writer := server._database._writer_thread) is not None:
            server._database._transactions.put(None)
            await asyncio.to_thread(writer.join)
        server._checks.close()
        self._dead.append(server)
        await self.start()

    @property
    def store(self) -> Store:
        """The server's own store."""
        return self.server.store

    def add(self, *uins: int) -> None:
        """Store accounts that are friends of each other."""
        for uin in uins:
            add_person(self.store, uin)
        for one, other in itertools.combinations(uins, 2):
            self.store.add_friends(one, other)

    async def slow_down(self, uin: int) -> None:
        """Have somebody's password be as slow to check as outside of tests: tens of milliseconds.

        It is for who does something meanwhile; see `password_is_being_checked`.
        """
        await self.store.change_account(uin, proof=proof())

    def connect(self, peername: object = None) -> Wire:
        """Return a new connection."""
        return Wire(self.link(peername))

    async def post(self, line: str, host: str = "192.0.2.1") -> str:
        """Return what a line is answered over HTTP, on a connection of its own from `host`."""
        link = self.link((host, 50000))
        body = line.encode("utf-8", "surrogateescape")
        head = f"POST / HTTP/1.1\r\nHost: kqq.example\r\nContent-Length: {len(body)}\r\n\r\n"
        await link.send(head.encode() + body)
        answer = b""
        async with asyncio.timeout(WAIT):
            while piece := await link.receive():
                answer += piece
        await link.close()
        await self.idle()
        return answer.partition(b"\r\n\r\n")[2].decode("utf-8", "surrogateescape")

    def link(self, peername: object = None) -> MemoryLink:
        """Return the client's end of a new connection."""
        link = MemoryLink(self.server.visitor(), peername)
        self._links.append(link)
        return link

    def client(self) -> Client:
        """Return a client of the library on a new connection."""
        return Client(self.link())

    async def sign_in(self, uin: int, *, lg: int = 0) -> Wire:
        """Return a new connection with `uin` signed in on it."""
        wire = self.connect()
        reply = await wire.ask(sign_in_line(uin, lg=lg))
        assert "&RES=0&RS=0&" in reply, reply
        await self.idle()
        return wire

    async def idle(self) -> None:
        """Return once nothing more can happen by itself: no callback is due, no thread works."""
        loop: Any = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if loop._ready:
                continue
            database, accounts = self.server._database, self.server._accounts
            if database.is_writing:
                database.hurry()
            elif not accounts._waiting:
                return
            time.sleep(50e-6)  # noqa: ASYNC251  # only threads have work, let them

    async def password_is_being_checked(self) -> None:
        """Return as soon as a password is with the threads."""
        for _ in range(10_000):
            if self.server._accounts._waiting:
                return
            await asyncio.sleep(0)
        raise AssertionError("no password is checked")

    async def turns(self, count: int = 50) -> None:
        """Let the loop go round; for when it does not become idle, since a thread is at work."""
        for _ in range(count):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Move the clock and let everything happen that follows."""
        await self.idle()
        self.clock.advance(seconds)
        await self.idle()
