"""Where servers are tried without a network: a clock moved by hand, connections in memory."""

import asyncio
import heapq
import itertools
import os
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

WAIT = 10.0
"""Seconds after which something that was waited for is taken for lost; nothing waits so long."""
PASSWORD = "secret"
MD5 = password_md5(PASSWORD).upper()
XP = "C4CA4238A0B92382"
ROMEO, JULIET, PARIS = 10001, 10002, 10003


@cache
def proof() -> str:
    """Return the proof of PASSWORD, made once since it is slow on purpose."""
    return make_proof(MD5, b"salt for testing")


def add_person(store: Store, uin: int, nick: str = "", face: int = 0) -> None:
    """Store an account with PASSWORD."""
    assert store.add_account(Account(uin, nick or f"n{uin}", face, proof()), 0.0)


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


class _Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _Timer]] = []

    def now(self) -> float:
        """Return the seconds of this clock."""
        return self._now

    def date(self) -> float:
        """Return the same as a date, some day in 2014."""
        return 1_400_000_000.0 + self._now

    def later(self, seconds: float, call: Callable[[], None]) -> _Timer:
        """Call `call` when the clock was moved so far."""
        timer = _Timer(call)
        heapq.heappush(self._timers, (self._now + seconds, next(self._order), timer))
        return timer

    @property
    def due(self) -> int:
        """How many timers have not been cancelled or come due."""
        return sum(timer.call is not None for _, _, timer in self._timers)

    def advance(self, seconds: float) -> None:
        """Move on; what comes due happens at its time, in order."""
        until = self._now + seconds
        while self._timers and self._timers[0][0] <= until:
            self._now, _, timer = heapq.heappop(self._timers)
            if timer.call is not None:
                timer.call()
        self._now = until


class MemoryTransport(asyncio.Transport):
    """The server's end of a connection in memory; it behaves as a socket's transport does."""

    def __init__(self, protocol: asyncio.Protocol, link: "MemoryLink", peername: object) -> None:
        super().__init__({"peername": peername})
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._link = link
        self._incoming: deque[bytes] = deque()
        self._eof = False
        self._outgoing: deque[bytes] = deque()
        self._high, self._low = 65536, 16384
        self._is_full = False
        self._is_reading = True
        self._closing = False
        self._said_all = False
        self._over = False

    # --- what a protocol calls

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol go on."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def can_write_eof(self) -> bool:
        """Return that one side can be closed before the other."""
        return True

    def write_eof(self) -> None:
        """Say no more once the client has taken what was written, but go on listening."""
        self._said_all = True
        self.flush()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hand `data` to the client, or keep it while the client does not read."""
        if self._over or self._closing:
            return
        if self._link.is_broken:
            self.break_off(ConnectionResetError("reset by peer"))
            return
        self._outgoing.append(bytes(data))
        self.flush()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when `pause_writing` and `resume_writing` are called."""
        self._high = 65536 if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the client has not taken."""
        return sum(map(len, self._outgoing))

    def pause_reading(self) -> None:
        """Leave what the client sends where it is."""
        assert self._is_reading, "paused twice"
        self._is_reading = False

    def resume_reading(self) -> None:
        """Give the protocol what the client sends again."""
        assert not self._is_reading, "resumed twice"
        self._is_reading = True
        self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        """Return whether the client's bytes reach the protocol."""
        return self._is_reading and not self._closing

    def is_closing(self) -> bool:
        """Return whether `close` or `abort` was called."""
        return self._closing

    def close(self) -> None:
        """Close once the client has taken what was written."""
        if not self._closing:
            self._closing = True
            self.flush()

    def abort(self) -> None:
        """Close at once."""
        self.break_off(None)

    # --- what the client's end calls

    def arrive(self, data: bytes) -> None:
        """Bring bytes from the client; b"" says that no more will come."""
        if data:
            self._incoming.append(data)
        else:
            self._eof = True
        self._loop.call_soon(self._deliver)

    def flush(self) -> None:
        """Hand over what the client takes, and tell the protocol what became of the rest."""
        while self._outgoing and self._link.is_taking:
            self._link.arrive(self._outgoing.popleft())
        left = self.get_write_buffer_size()
        if left > self._high and not self._is_full:
            self._is_full = True
            self._protocol.pause_writing()
        elif left <= self._low and self._is_full and not self._over:
            self._is_full = False
            self._protocol.resume_writing()
        if self._said_all and not self._outgoing and not self._over:
            self._said_all = False
            self._link.arrive(b"")
        if self._closing and not self._outgoing:
            self.break_off(None)

    def break_off(self, error: Exception | None) -> None:
        """End the connection; what is under way is lost."""
        if not self._over:
            self._over = self._closing = True
            self._outgoing.clear()
            self._link.arrive(b"")
            self._loop.call_soon(self._protocol.connection_lost, error)

    def sever(self) -> None:
        """The server's process is gone: its protocol is never called again."""
        self._over = self._closing = True
        self._outgoing.clear()
        self._link.arrive(b"")

    @property
    def unread(self) -> int:
        """Bytes of the client that the protocol has not been given."""
        return sum(map(len, self._incoming))

    def _deliver(self) -> None:
        while self._incoming and self.is_reading():
            data = self._incoming.popleft()
            if len(data) > 65536:
                self._incoming.appendleft(data[65536:])
            self._protocol.data_received(data[:65536])
        if self._eof and not self._incoming and self.is_reading():
            self._eof = False
            if not self._protocol.eof_received():
                self.close()


class MemoryLink:
    """The client's end of a connection in memory; a `kqq.client.Transport`.

    `writes` holds what came, one item for each write of the server that was not received yet.
    `is_broken` makes the server's next write fail, since only that tells it of the break.
    """

    def __init__(self, protocol: asyncio.Protocol, peername: object = None) -> None:
        self.is_taking = True
        self.is_broken = False
        self.writes: deque[bytes] = deque()
        self._news = asyncio.Event()
        self.server = MemoryTransport(protocol, self, peername)
        protocol.connection_made(self.server)

    async def send(self, data: bytes) -> None:
        """Send `data`."""
        self.server.arrive(data)

    async def receive(self) -> bytes:
        """Return what one write of the server brought."""
        while not self.writes:
            self._news.clear()
            await self._news.wait()
        if not self.writes[0]:
            return b""
        return self.writes.popleft()

    async def close(self) -> None:
        """Stop talking and listening."""
        self.is_taking = True  # what still comes is lost, but no longer in the server's way
        self.end()
        self.server.flush()

    def end(self) -> None:
        """Say no more, but go on listening."""
        self.server.arrive(b"")

    def stop_reading(self) -> None:
        """Leave what the server writes in its buffer."""
        self.is_taking = False

    def start_reading(self) -> None:
        """Take what the server wrote."""
        self.is_taking = True
        self.server.flush()

    def reset(self) -> None:
        """Break the connection, as a phone does that loses its network."""
        self.server.break_off(ConnectionResetError("reset by peer"))

    def arrive(self, data: bytes) -> None:
        """Take what the server wrote; b"" is its end."""
        self.writes.append(data)
        self._news.set()

    def is_over(self) -> bool:
        """Whether the server has ended the connection, and all it said before was received."""
        return bool(self.writes) and not self.writes[0]


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
        if (writer := server._database._thread) is not None:
            server._database._batches.put(None)
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
            database, accounts = self.server._database, self.server._accounts
            is_writing = database._writing or database._gathering
            if not (loop._ready or is_writing or accounts._waiting):
                return

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
