"""How bytes travel: addresses, real TCP, and a transport that shows its lines."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kqq.client.transport import Address, Tcp, Watched
from kqq.errors import ConfigError, ConnectionLost
from kqq.protocol import Line


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tcp://127.0.0.1:14000", "127.0.0.1", 14000),
        ("tcp://chat.example:1/", "chat.example", 1),
        ("tcp://[::1]:65535", "::1", 65535),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int) -> None:
    """Host and port come out, with brackets around IPv6."""
    assert Address.parse(text) == Address(host, port)
    assert str(Address.parse(text)) == text.rstrip("/")


def test_a_wrong_address_says_how_to_write_one() -> None:
    """An address that is none is ConfigError, with the way to write one."""
    with pytest.raises(ConfigError, match=r"tcp://HOST:PORT"):
        Address.parse("127.0.0.1:14000")


@asynccontextmanager
async def _peer() -> AsyncIterator[tuple[Tcp, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give a connected transport and the other end's streams."""
    met: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Future()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.set_result((reader, writer))

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    transport = await Tcp.connect(address)
    reader, writer = await met
    try:
        yield transport, reader, writer
    finally:
        await transport.close()
        writer.close()
        server.close()
        await server.wait_closed()


async def test_bytes_travel_both_ways() -> None:
    """What one end sends the other gets, and the end of the stream is empty bytes."""
    async with _peer() as (transport, reader, writer):
        await transport.send(b"VER=1.4\r\n")
        assert await reader.readline() == b"VER=1.4\r\n"
        writer.write(b"VER=1.1\r\n")
        assert await transport.receive() == b"VER=1.1\r\n"
        writer.close()
        assert await transport.receive() == b""
        await transport.close()
        await transport.close()


async def test_a_reset_connection_is_an_exception() -> None:
    """A connection that the other end resets raises ConnectionLost, reading, writing, closing."""
    async with _peer() as (transport, _, writer):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()
        with pytest.raises(
            ConnectionLost, match="the connection is lost: Connection reset by peer"
        ):
            await transport.receive()
        with pytest.raises(ConnectionLost, match="the connection is lost"):
            await transport.send(b"x" * 65536)


async def test_nobody_there_says_so() -> None:
    """A port where nobody listens is ConnectionLost with the system's reason and what to do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(ConnectionLost, match="Connection refused; is a server running there"):
            await Tcp.connect(Address("127.0.0.1", port))


async def test_a_name_that_is_none_says_so() -> None:
    """A host that cannot be looked up is ConnectionLost, too."""
    with pytest.raises(ConnectionLost, match=r"cannot connect to tcp://999\.1\.1\.1:1"):
        await Tcp.connect(Address("999.1.1.1", 1))


async def test_a_server_that_never_answers_is_given_up() -> None:
    """Connecting takes a bounded time."""
    with pytest.raises(ConnectionLost, match="did not answer within 0 s"):
        await Tcp.connect(Address("127.0.0.1", 1), timeout=0.0)


async def test_a_watched_transport_shows_whole_lines() -> None:
    """Lines are shown once they are whole, with their direction, and bytes pass unchanged."""
    seen: list[tuple[str, Line]] = []
    async with _peer() as (transport, reader, writer):
        watched = Watched(transport, lambda direction, line: seen.append((direction, line)))
        await watched.send(b"VER=1.4&CMD=Log")
        await watched.send(b"out\r\nVER=1.4\r\n")
        assert await reader.readexactly(29) == b"VER=1.4&CMD=Logout\r\nVER=1.4\r\n"
        writer.write(b"VER=1.1&RES=0\r\n")
        assert await watched.receive() == b"VER=1.1&RES=0\r\n"
        await watched.close()
    assert [(direction, line.text) for direction, line in seen] == [
        (">", "VER=1.4&CMD=Logout"),
        (">", "VER=1.4"),
        ("<", "VER=1.1&RES=0"),
    ]
