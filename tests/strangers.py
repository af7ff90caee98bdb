"""Servers that know nothing of KQQ, on this machine: each says one thing to whoever comes."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum


class Then(Enum):
    """What a stranger does when it has said its thing."""

    CLOSE = "close"
    RESET = "reset"
    WAIT = "wait"


class Stranger(asyncio.Protocol):
    """The stranger's end of a connection: it speaks when spoken to."""

    def __init__(self, says: bytes, then: Then, transports: list[asyncio.Transport]) -> None:
        self._says = says
        self._then = then
        self._transports = transports
        self._has_spoken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._transports.append(transport)

    def data_received(self, data: bytes) -> None:
        """Say it once."""
        if not self._has_spoken:
            self._has_spoken = True
            self._transport.write(self._says)
            if self._then is Then.RESET:
                sock = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self._transport.abort()
            elif self._then is Then.CLOSE:
                self._transport.close()


@asynccontextmanager
async def stranger(
    says: bytes = b"", then: Then = Then.CLOSE, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Run one and give its port."""
    transports: list[asyncio.Transport] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: Stranger(says, then, transports), "127.0.0.1", 0, ssl=tls
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for transport in transports:
            transport.abort()
        server.close()
        await server.wait_closed()
