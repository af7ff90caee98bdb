"""A server that is written down line by line: the other end of a client's transport."""

import asyncio

from kqq.errors import (
    ConnectionLost,
)
from kqq.protocol import (
    Command,
    Line,
    Role,
    Unreadable,
    decode,
)


class Script:
    """A transport whose other end is the test: it reads requests and says lines."""

    pushes = True

    def __init__(self) -> None:
        self._to_client: asyncio.Queue[bytes] = asyncio.Queue()
        self._from_client: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_closed = False
        self.receiving = 0

    async def send(self, data: bytes) -> None:
        """Take a request."""
        if self.is_closed:
            raise ConnectionLost("the script has ended")
        self._from_client.put_nowait(data)

    async def receive(self) -> bytes:
        """Give what was said."""
        self.receiving += 1
        return await self._to_client.get()

    async def close(self) -> None:
        """End."""
        self.is_closed = True

    def say(self, text: str) -> None:
        """Say one line, or end the stream with ""."""
        self._to_client.put_nowait(f"{text}\r\n".encode() if text else b"")

    async def heard(self) -> Command:
        """Return the next request."""
        raw = await self._from_client.get()
        assert raw.endswith(b"\r\n")
        message = decode(Line.decode(raw), Role.CLIENT)
        assert not isinstance(message, Unreadable)
        assert isinstance(message, Command)
        return message

    async def answer(self, rest: str, name: str | None = None) -> Command:
        """Answer the next request with its head and `rest`."""
        request = await self.heard()
        name = name or request.spec.answers[0].spec.command
        self.say(f"VER=1.1&CMD={name}&SEQ={request.seq}&UIN={request.uin}&{rest}")
        return request
