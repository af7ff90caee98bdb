"""Connections in memory: what goes in at one end comes out at the other, without a network."""

import asyncio
from collections import deque
from typing import cast

from kqq.errors import ConnectionLost

_PIECE = 65536  # bytes that the server is given at once


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
        # As asyncio does, it takes whatever can do what a Protocol can.
        self._protocol = cast(asyncio.Protocol, protocol)

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
        return sum(map(len, self._outgoing)) + self._link.unacknowledged

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
            if rest := self._link.take(self._outgoing.popleft()):
                self._outgoing.appendleft(rest)
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
            if len(data) > _PIECE:
                self._incoming.appendleft(data[_PIECE:])
            self._protocol.data_received(data[:_PIECE])
        if self._eof and not self._incoming and self.is_reading():
            self._eof = False
            if not self._protocol.eof_received():
                self.close()


class MemoryLink:
    """The client's end of a connection in memory; a `kqq.client.Transport`.

    `writes` holds what came, one item for each write of the server that was not received yet.
    `is_broken` makes the server's next write fail, since only that tells it of the break. `room` is
    how many more bytes are taken from the server, None for all; the rest stays in its buffer.
    `lag` is how many of the last bytes that were taken the server does not learn about when the
    connection is cut, as if the network had lost the acknowledgement of them. `swallow` is for
    `Cutting`: it takes so many bytes more from the server than the client will ever receive.
    """

    pushes = True

    def __init__(self, protocol: asyncio.Protocol, peername: object = None) -> None:
        """Connect; `protocol` is the server's, `peername` what it takes for our address."""
        self.is_taking = True
        self.is_broken = False
        self.room: int | None = None
        self.lag = 0
        self.swallow = 0
        self.unacknowledged = 0
        self.writes: deque[bytes] = deque()
        self._is_cut = False
        self._news = asyncio.Event()
        self.server = MemoryTransport(protocol, self, peername)
        protocol.connection_made(self.server)

    # --- what a client calls

    async def send(self, data: bytes) -> None:
        """Send `data`. Raises ConnectionLost if the connection was cut."""
        if self._is_cut:
            raise _cut()
        self.server.arrive(data)

    async def receive(self) -> bytes:
        """Return what one write of the server brought, b"" at its end.

        Raises ConnectionLost if the connection was cut, after what had come before.
        """
        while not self.writes:
            self._news.clear()
            await self._news.wait()
        if self.writes[0]:
            return self.writes.popleft()
        if self._is_cut:
            raise _cut()
        return b""

    async def close(self) -> None:
        """Stop talking and listening."""
        if self.room is not None:
            self.cut()  # what there was no room for must not be taken for arrived
        if not self._is_cut:
            self.is_taking = True  # what still comes is lost, but no longer in the server's way
            self.end()
            self.server.flush()

    def end(self) -> None:
        """Say no more, but go on listening."""
        self.server.arrive(b"")

    # --- what happens to connections

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

    def cut(self) -> None:
        """Break the connection for both ends, once what was sent is with the server.

        Of what the server says from now on nothing leaves its buffer.
        """
        if not self._is_cut:
            self._is_cut = True
            self.is_taking = False
            self.unacknowledged = self.lag
            asyncio.get_running_loop().call_soon(self.reset)

    def is_over(self) -> bool:
        """Whether the server has ended the connection, and all it said before was received."""
        return bool(self.writes) and not self.writes[0]

    @property
    def waiting(self) -> int:
        """Bytes that came and were not received yet."""
        return sum(map(len, self.writes))

    # --- what the server's end calls

    def take(self, data: bytes) -> bytes:
        """Take of what the server wrote what there is room for, and return the rest."""
        rest = b""
        if self.room is not None:
            data, rest = data[: self.room], data[self.room :]
            self.room -= len(data)
            self.is_taking = self.room > 0
        if data:
            self.arrive(data)
        return rest

    def arrive(self, data: bytes) -> None:
        """Take what came, all of it; b"" is the end."""
        self.writes.append(data)
        self._news.set()


def _cut() -> ConnectionLost:
    return ConnectionLost("the connection is lost: it was cut for a test")
