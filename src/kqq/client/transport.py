"""How bytes travel: the client knows no more of a network than this."""

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

from kqq.address import HostPort
from kqq.errors import ConnectionLost
from kqq.protocol import Line, LineBuffer

_CONNECT_TIME = 15.0  # seconds
_CLOSE_TIME = 2.0  # seconds
_READ = 65536


class Address(HostPort):
    """Where a server is: `tcp://HOST:PORT`."""

    __slots__ = ()
    SCHEME = "tcp"


class Transport(Protocol):
    """A stream of bytes in both directions. Anything that goes wrong is ConnectionLost."""

    async def send(self, data: bytes) -> None:
        """Send `data`; returns when more may be sent."""

    async def receive(self) -> bytes:
        """Return some bytes, b"" once the other end has closed."""

    async def close(self) -> None:
        """Close; may be called twice."""


class Tcp:
    """A transport over TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, address: Address) -> "Tcp":
        """Connect. Raises ConnectionLost with the reason if that fails."""
        try:
            async with asyncio.timeout(_CONNECT_TIME):
                reader, writer = await asyncio.open_connection(address.host, address.port)
        except TimeoutError:
            raise ConnectionLost(
                f"{address} did not answer within {_CONNECT_TIME:g} s; is the address right?"
            ) from None
        except OSError as error:
            raise ConnectionLost(
                f"cannot connect to {address}: {_why(error)}; is a server running there?"
            ) from error
        return cls(reader, writer)

    async def send(self, data: bytes) -> None:
        """Send `data`."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise ConnectionLost(f"the connection is lost: {_why(error)}") from error

    async def receive(self) -> bytes:
        """Return what came."""
        try:
            return await self._reader.read(_READ)
        except OSError as error:
            raise ConnectionLost(f"the connection is lost: {_why(error)}") from error

    async def close(self) -> None:
        """Close the socket; what was sent goes out first."""
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_TIME):
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()  # the other end does not read
        except OSError:
            return  # it is closed, one way or the other


def _why(error: OSError) -> str:
    # asyncio has words of its own for some errors; a positive number is one of the system's.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


class Watched:
    """A transport that shows each line that goes (">") or comes ("<") to `watch`."""

    def __init__(self, transport: Transport, watch: Callable[[str, Line], None]) -> None:
        self._transport = transport
        self._watch = watch
        self._buffers = {">": LineBuffer(), "<": LineBuffer()}

    async def send(self, data: bytes) -> None:
        """Show and send `data`."""
        self._show(">", data)
        await self._transport.send(data)

    async def receive(self) -> bytes:
        """Return and show what came."""
        data = await self._transport.receive()
        self._show("<", data)
        return data

    async def close(self) -> None:
        """Close what is watched."""
        await self._transport.close()

    def _show(self, direction: str, data: bytes) -> None:
        for raw in self._buffers[direction].feed(data):
            self._watch(direction, Line.decode(raw))
