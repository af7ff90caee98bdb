"""A mock at an address: connections for lines and for POSTs, at one port as servers have it."""

import asyncio
from collections import deque
from collections.abc import Hashable

from kqq.address import Door
from kqq.errors import ConfigError
from kqq.plays.mock import Heard, Mock, Tell
from kqq.protocol import Line, LineBuffer, PostReader, http_response, looks_like_http

IDLE = 600.0
"""Seconds without a byte after which a connection is closed."""
_SEND_TIME = 10.0
"""Seconds that somebody may take to read what was said upon their own lines; then the connection is
closed. Nobody else waits meanwhile."""
_MOST_UNREAD = 1 << 20
"""Bytes that wait for somebody who does not read; with one line more the connection is closed."""
_MOST = 200  # connections
_KEPT = 1000  # questions without an answer
_READ = 65536


class MockServer:
    """Serves a mock. `unanswered` are the last lines it had no answer for, `count` all of them."""

    def __init__(self, mock: Mock, tell: Tell | None = None, *, idle: float = IDLE) -> None:
        self.unanswered: deque[Heard] = deque(maxlen=_KEPT)
        self.count = 0
        self._mock = mock
        self._tell = tell
        self._idle = idle
        self._writers: dict[Hashable, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, door: Door) -> Door:
        """Listen, and return where. Raises ConfigError."""
        try:
            self._server = await asyncio.start_server(self._serve, door.host, door.port)
        except OSError as error:
            why = error.strerror or str(error)
            raise ConfigError(f"cannot listen at {door}: {why}") from error
        self._mock.host = door.host
        self._mock.port = self._server.sockets[0].getsockname()[1]
        return Door(door.host, self._mock.port, door.scheme)

    async def close(self) -> None:
        """Close all connections and stop."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # --- one connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = object()
        try:
            if len(self._tasks) <= _MOST:
                await self._talk(link, reader, writer)
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # whoever was there has gone, or we go
        finally:
            self._tasks.discard(task)
            self._writers.pop(link, None)
            self._mock.lose(link)
            writer.close()
            closing = asyncio.ensure_future(writer.wait_closed())
            await asyncio.wait({closing}, timeout=1)
            if closing.done() and not closing.cancelled():
                closing.exception()  # who was reset need not be told of

    async def _talk(
        self, link: Hashable, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        start = b""
        while (is_http := looks_like_http(start)) is None:
            data = await self._read(reader)
            if not data:
                return
            start += data
        if is_http:
            await self._answer_posts(start, reader, writer)
            return
        self._writers[link] = writer
        buffer = LineBuffer()
        data = start
        while data and buffer.error is None:
            for raw in buffer.feed(data):
                if len(raw) > 2 or b"=" in raw:  # a length before a line may hold an LF (ZN QB)
                    await self._answer(Line.decode(raw), link)
            data = await self._read(reader)

    async def _answer(self, line: Line, link: Hashable) -> None:
        heard, said = self._mock.hear(line, link)
        self._note(heard)
        self._tell_others(said, link)
        writer = self._writers[link]
        for to, data in said:
            if to == link:
                await self._send(writer, data)

    async def _answer_posts(
        self, start: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        posts = PostReader()
        host = (writer.get_extra_info("peername") or ("",))[0]
        data = start
        while True:
            requests = posts.feed(data)
            for request in requests:
                if writer.is_closing():
                    return
                line = Line.decode(request.body.rstrip(b"\r\n"))
                heard, said = self._mock.hear(line, ("http", host), pushes=False)
                self._note(heard)
                self._tell_others(said, ("http", host))
                body = b""
                for to, answer in said:
                    if to == ("http", host):
                        body = answer
                keep = request.wants_more
                await self._send(writer, http_response(body, keep=keep))
                if not keep:
                    return
            if posts.error is not None:
                await self._send(writer, http_response(b"", status=posts.status))
                return
            if not data:
                return
            data = await self._read(reader)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(self._idle):
            return await reader.read(_READ)

    def _tell_others(self, said: list[tuple[Hashable, bytes]], link: Hashable) -> None:
        """Say what is not for `link`, without waiting; who leaves too much unread is cut off."""
        for to, data in said:
            writer = self._writers.get(to) if to != link else None
            if writer is None or writer.is_closing():
                continue
            # What the system does not take yet is kept by the transport, for each its own.
            if writer.transport.get_write_buffer_size() > _MOST_UNREAD:
                writer.transport.abort()
            else:
                writer.write(data)

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Answer; who does not read it in time is cut off, and told nothing more."""
        if writer.is_closing():
            return
        try:
            writer.write(data)
            async with asyncio.timeout(_SEND_TIME):
                await writer.drain()
        except (OSError, TimeoutError):
            writer.transport.abort()

    def _note(self, heard: Heard) -> None:
        if not heard.is_known:
            self.count += 1
            self.unanswered.append(heard)
        if self._tell is not None:
            self._tell(heard)
