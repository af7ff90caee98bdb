"""How somebody in a play speaks to a server in memory, and what a test wants of each answer."""

import asyncio
import sys
from collections.abc import Callable
from typing import Protocol

from kqq.client import Address, Transport
from kqq.plays.ways import Nothing
from kqq.protocol import HttpResponse, Line, ResponseReader
from stage import MemoryLink, Stage, Wire

A_LITTLE = 0.01  # seconds; less than the breath that clients with old habits get
BREATHS = 3  # to wait for a line that must come


class Network(Protocol):
    """What lies between the server and somebody who uses our messenger."""

    kind: str
    address: Address

    async def connect(self) -> Transport:
        """Return a transport to the server."""

    async def drop(self, transport: Transport) -> None:
        """Break a connection off, so that nothing more is said."""

    async def ask(self, picture: bytes) -> str:
        """Return what a picture shows."""

    async def rest(self) -> None:
        """Let happen what happens at once."""

    async def until(self, happened: Callable[[], bool], news: asyncio.Event) -> None:
        """Wait until something has happened, of which `news` tells. Raises Nothing."""


class MemoryLines:
    """Lines on a connection in memory."""

    kind = "TCP"

    def __init__(self, stage: Stage, connect: Callable[[], MemoryLink]) -> None:
        self._stage = stage
        self._connect = connect
        self._wire: Wire | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._wire is not None

    async def say(self, line: bytes, *, is_exact: bool) -> None:
        """Say a line."""
        if self._wire is None:
            self._wire = Wire(self._connect())
        await self._wire.transport.send(line if is_exact else line + b"\r\n")

    async def hear(self) -> list[Line]:
        """Return what comes; to a client with old habits that is a line for each breath."""
        for seconds in (0.0, *[self._stage.config.breath] * BREATHS):
            await self._stage.advance(seconds)
            if lines := await self._came():
                return lines
        assert self._wire is not None
        is_over = self._wire.link.is_over()
        raise Nothing("the server closed the connection" if is_over else "nothing came")

    async def rest(self, uin: int, *, is_last: bool = False) -> list[Line]:
        """Let the loop become idle; then all that was written is here."""
        await self._stage.advance(A_LITTLE)
        lines = await self._came()
        came = lines
        while is_last and came:
            await self._stage.advance(self._stage.config.breath)
            came = await self._came()
            lines += came
        return lines

    async def lose(self) -> list[Line]:
        """Return what was written before the end."""
        lines = await self._came()
        assert self._wire is None or self._wire.link.is_over()
        await self.leave()
        return lines

    async def leave(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            await self._wire.close()
            self._wire = None

    async def _came(self) -> list[Line]:
        lines = []
        while self._wire is not None and self._wire.link.writes and self._wire.link.writes[0]:
            line = await self._wire.hear_line()
            assert line is not None
            lines.append(line)
            lines += self._wire._heard
            self._wire._heard.clear()
        return lines


def checked_answer(data: bytes) -> HttpResponse:
    """Return the one answer that `data` is; it must be as our server makes them."""
    reader = ResponseReader()
    (answer,) = [*reader.feed(data), *reader.feed(b"")]
    assert answer.header("Connection") == "close"
    assert int(answer.header("Content-Length") or "-1") == len(answer.body)
    if answer.body:
        is_ended = answer.body.endswith(b"\r\n")
        assert answer.body.count(b"\n") == is_ended
        assert is_ended or Line.decode(answer.body).values()["CMD"] == "GETMSGEX"
    return answer


async def connect(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection from an address of this machine; all of 127.0.0.0/8 is, on Linux."""
    own = address if sys.platform == "linux" else "127.0.0.1"
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(own, 0))
