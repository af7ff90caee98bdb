"""Transports of each event loop there is."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from kqq.server.transports import stream_of


class Echo(asyncio.Protocol):
    """Gives back what it gets, once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = stream_of(transport)
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self._transport.write(data)
        assert self._transport.get_write_buffer_size() == 0
        self._transport.close()


@pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_whatever_loop_it_is_of(make: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """It takes bytes, and writes them at once where nothing shall be held."""

    async def ask() -> bytes:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hello")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer

    with asyncio.Runner(loop_factory=make) as runner:
        assert runner.run(ask()) == b"hello"
