"""Connections in memory behave as sockets do, for both ends."""

import asyncio

import pytest

from kqq.errors import ConnectionLost
from kqq.testing import MemoryLink


class Server(asyncio.Protocol):
    """A server that notes what happens to it."""

    def __init__(self, *, goes_on: bool = False) -> None:
        self.heard: list[bytes] = []
        self.happened: list[str] = []
        self.lost: Exception | None = None
        self.goes_on = goes_on

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self.heard.append(data)

    def eof_received(self) -> bool:
        """Go on talking, or not."""
        self.happened.append("eof")
        return self.goes_on

    def pause_writing(self) -> None:
        """The client does not read."""
        self.happened.append("pause")

    def resume_writing(self) -> None:
        """It reads again."""
        self.happened.append("resume")

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.happened.append("lost")
        self.lost = exc


def connected(*, goes_on: bool = False) -> tuple[Server, MemoryLink]:
    """Return both ends of a connection."""
    server = Server(goes_on=goes_on)
    return server, MemoryLink(server, ("192.0.2.1", 50000))


async def turns() -> None:
    """Let happen what is due."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_bytes_go_both_ways() -> None:
    """What is sent is heard, and what is written comes, each write for itself."""
    server, link = connected()
    assert link.pushes
    assert server.transport.get_extra_info("peername") == ("192.0.2.1", 50000)
    await link.send(b"abc")
    await turns()
    assert server.heard == [b"abc"]
    server.transport.write(b"one")
    server.transport.write(bytearray(b"two"))
    assert link.waiting == 6
    assert [await link.receive(), await link.receive()] == [b"one", b"two"]
    assert link.waiting == 0


async def test_receive_waits() -> None:
    """Who receives before something comes gets what comes."""
    server, link = connected()
    receiving = asyncio.create_task(link.receive())
    await turns()
    server.transport.write(b"late")
    assert await receiving == b"late"


async def test_a_large_write_comes_in_pieces() -> None:
    """The server is given 64 KiB at most, as a socket gives them."""
    server, link = connected()
    await link.send(b"x" * 70_000)
    await turns()
    assert list(map(len, server.heard)) == [65536, 4464]


async def test_a_server_that_does_not_read() -> None:
    """What is sent waits until it reads again; another protocol may take over then."""
    server, link = connected()
    server.transport.pause_reading()
    assert not server.transport.is_reading()
    await link.send(b"waits")
    await turns()
    assert link.server.unread == 5
    other = Server()
    server.transport.set_protocol(other)
    server.transport.resume_reading()
    assert server.transport.is_reading()
    await turns()
    assert (server.heard, other.heard, link.server.unread) == ([], [b"waits"], 0)


async def test_a_client_that_does_not_read() -> None:
    """The server is told when too much waits, and when that is over."""
    server, link = connected()
    server.transport.set_write_buffer_limits(high=4)
    link.stop_reading()
    server.transport.write(b"abc")
    assert server.happened == []
    server.transport.write(b"def")
    assert server.happened == ["pause"]
    assert server.transport.get_write_buffer_size() == 6
    link.start_reading()
    assert server.happened == ["pause", "resume"]
    assert [await link.receive(), await link.receive()] == [b"abc", b"def"]


async def test_limits_of_the_buffer_are_those_of_asyncio() -> None:
    """Without a number they are 64 KiB and a quarter of it."""
    server, link = connected()
    server.transport.set_write_buffer_limits()
    link.stop_reading()
    server.transport.write(b"x" * 65536)
    assert server.happened == []
    server.transport.write(b"x")
    assert server.happened == ["pause"]


async def test_room_for_some_bytes() -> None:
    """What there is no room for stays with the server, within a write, too."""
    server, link = connected()
    link.room = 4
    server.transport.write(b"abc")
    server.transport.write(b"def")
    server.transport.write(b"ghi")
    assert server.transport.get_write_buffer_size() == 5
    assert list(link.writes) == [b"abc", b"d"]
    link.start_reading()
    assert server.transport.get_write_buffer_size() == 5
    link.room = None
    link.start_reading()
    assert list(link.writes) == [b"abc", b"d", b"ef", b"ghi"]


async def test_the_client_says_no_more() -> None:
    """The server may go on talking; then it says no more itself."""
    server, link = connected(goes_on=True)
    assert server.transport.can_write_eof()
    link.end()
    await turns()
    assert server.happened == ["eof"]
    server.transport.write(b"still here")
    server.transport.write_eof()
    assert await link.receive() == b"still here"
    assert link.is_over()
    assert await link.receive() == b""
    assert await link.receive() == b""


async def test_the_client_closes() -> None:
    """The server sees the end, and closes; what it did not get rid of is lost."""
    server, link = connected()
    link.stop_reading()
    server.transport.write(b"unread")
    await link.close()
    await turns()
    assert server.happened == ["eof", "lost"]
    assert server.lost is None
    assert server.transport.get_write_buffer_size() == 0


async def test_the_server_closes() -> None:
    """What it wrote before comes first; what it writes later goes nowhere."""
    server, link = connected()
    link.stop_reading()
    server.transport.write(b"last words")
    server.transport.close()
    server.transport.close()
    assert server.transport.is_closing()
    server.transport.write(b"too late")
    await turns()
    assert server.happened == []
    link.start_reading()
    await turns()
    assert server.happened == ["lost"]
    assert [await link.receive(), await link.receive()] == [b"last words", b""]


async def test_the_server_aborts() -> None:
    """Nothing more comes, and what is sent is not heard."""
    server, link = connected()
    link.stop_reading()
    server.transport.write(b"never read")
    await link.send(b"never heard")
    server.transport.abort()
    await turns()
    assert (server.happened, server.lost, server.heard) == (["lost"], None, [])
    assert await link.receive() == b""


async def test_the_server_is_gone_with_its_process() -> None:
    """It is called no more, and the client sees the end."""
    server, link = connected()
    link.server.sever()
    await link.send(b"anybody?")
    await turns()
    assert (server.heard, server.happened) == ([], [])
    assert await link.receive() == b""


async def test_a_reset() -> None:
    """The server learns of it at once."""
    server, link = connected()
    link.reset()
    await turns()
    assert isinstance(server.lost, ConnectionResetError)


async def test_a_break_that_only_a_write_shows() -> None:
    """The server learns of it when it writes."""
    server, link = connected()
    link.is_broken = True
    await turns()
    assert server.happened == []
    server.transport.write(b"hello?")
    await turns()
    assert isinstance(server.lost, ConnectionResetError)


async def test_a_cut() -> None:
    """What was sent is heard and what came can be received; then it is over for both ends."""
    server, link = connected()
    server.transport.write(b"came")
    await link.send(b"went")
    link.cut()
    link.cut()
    server.transport.write(b"too late")
    await turns()
    assert server.heard == [b"went"]
    assert isinstance(server.lost, ConnectionResetError)
    assert server.happened == ["lost"]
    assert await link.receive() == b"came"
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="cut"):
            await link.receive()
    with pytest.raises(ConnectionLost, match="cut"):
        await link.send(b"more")
    await link.close()


async def test_a_client_that_waits_learns_of_a_cut() -> None:
    """It need not send anything to see it."""
    _, link = connected()
    receiving = asyncio.create_task(link.receive())
    await turns()
    link.cut()
    with pytest.raises(ConnectionLost, match="cut"):
        await receiving


async def test_closing_takes_nothing_that_there_was_no_room_for() -> None:
    """The server must not believe that it arrived."""
    server, link = connected()
    link.room = 2
    server.transport.write(b"abcd")
    await link.send(b"bye")
    await link.close()
    assert server.transport.get_write_buffer_size() == 2
    await turns()
    assert server.heard == [b"bye"]
    assert isinstance(server.lost, ConnectionResetError)


async def test_an_acknowledgement_that_was_lost() -> None:
    """What had come just before a cut is not known to have arrived."""
    server, link = connected()
    link.lag = 3
    server.transport.write(b"came")
    assert server.transport.get_write_buffer_size() == 0
    link.cut()
    assert server.transport.get_write_buffer_size() == 3
    assert await link.receive() == b"came"
