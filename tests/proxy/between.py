"""A relay between clients and a server that does what a test wants, all on sockets."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from kqq.address import Door
from kqq.capture.events import Closed, Note, Opened, Said
from kqq.capture.meaning import meaning
from kqq.client.tcp import Address
from kqq.protocol import Line, Role
from kqq.proxy.framing import Piece
from kqq.proxy.passage import Fate, Passage
from kqq.proxy.relay import Event, Flow, Limits, Relay
from stage import WAIT

Handler = Callable[["Link"], Awaitable[None]]
SAY = "VER=1.4&CON=1&CMD=CLTMSG&SEQ=204&UIN=10001&SID=&XP=&UN=10002&MG=hi"
SAID = "VER=1.1&CMD=CLTMSG&SEQ=204&UIN=10001&RES=0"
PUSH = "VER=1.1&CMD=Server_Msg&SEQ=1000000001&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=hello"


def said(text: str | bytes, sender: Role = Role.CLIENT) -> Said:
    """Return a line that was said."""
    line = Line.decode(text.encode() if isinstance(text, str) else text)
    message, odd = meaning(line, sender)
    return Said(1, 0.0, 1, 1, sender, line, message, odd=odd)


def passage(text: str | bytes, sender: Role = Role.CLIENT) -> Passage:
    """Return a line on its way."""
    one = said(text, sender)
    flow: Flow = object.__new__(Flow)
    return Passage(one, Piece(one.line.encode() + b"\r\n", one.line, tail=b"\r\n"), flow, float)


class Link:
    """One end of a connection; everything is waited for only so long."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, *data: str | bytes) -> None:
        """Send lines, or bytes as they are."""
        for one in data:
            self.writer.write(one if isinstance(one, bytes) else f"{one}\r\n".encode())
            async with asyncio.timeout(WAIT):
                await self.writer.drain()

    async def hear(self) -> str:
        """Return the next line, "" once the other end has said its last."""
        async with asyncio.timeout(WAIT):
            return (await self.reader.readline()).decode().removesuffix("\r\n")

    async def hear_bytes(self, count: int) -> bytes:
        """Return so many bytes."""
        async with asyncio.timeout(WAIT):
            return await self.reader.readexactly(count)

    async def hear_all(self) -> bytes:
        """Return everything until the other end has said its last."""
        async with asyncio.timeout(WAIT):
            return await self.reader.read()

    async def ask(self, line: str) -> str:
        """Say a line and return the next one that comes."""
        await self.say(line)
        return await self.hear()

    def end(self) -> None:
        """Say no more; what comes is still heard."""
        self.writer.write_eof()

    def reset(self) -> None:
        """Break off, so that the other end notices."""
        own = self.writer.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        """Close."""
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


class Watched:
    """What a relay told, and what can be waited for in it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._news = asyncio.Event()

    def __call__(self, event: Event) -> None:
        """Keep it."""
        self.events.append(event)
        self._news.set()

    @property
    def lines(self) -> list[Passage]:
        """All lines, in order, each once."""
        return list(dict.fromkeys(one for one in self.events if isinstance(one, Passage)))

    @property
    def notes(self) -> list[str]:
        """What people were told."""
        return [one.words for one in self.events if isinstance(one, Note)]

    @property
    def flows(self) -> list[str]:
        """How connections began and ended."""
        return [
            "opened" if isinstance(one, Opened) else one.how
            for one in self.events
            if isinstance(one, Opened | Closed)
        ]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something to hold."""
        async with asyncio.timeout(WAIT):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def line(self, number: int, fate: Fate | None = None) -> Passage:
        """Return a line, counted from 0, once it has come and has this fate."""
        await self.until(
            lambda: len(self.lines) > number and (fate is None or self.lines[number].fate is fate)
        )
        return self.lines[number]


class Between:
    """A server, a relay before it, and clients."""

    def __init__(self, relay: Relay, watched: Watched, listen: Door) -> None:
        self.relay = relay
        self.watched = watched
        self.listen = listen
        self.servers: asyncio.Queue[Link] = asyncio.Queue()
        self._links: list[Link] = []
        self._opened = 0

    async def client(self) -> Link:
        """Connect one more client, and return once the relay has joined it to the server."""
        link = Link(*await asyncio.open_connection(self.listen.host, self.listen.port))
        self._links.append(link)
        return link

    async def both(self) -> tuple[Link, Link]:
        """Return a new client and the server's end of its connection."""
        client = await self.client()
        async with asyncio.timeout(WAIT):
            server = await self.servers.get()
        self._opened += 1
        await self.watched.until(lambda: self.watched.flows.count("opened") >= self._opened)
        return client, server

    @property
    def flow(self) -> Flow:
        """The newest connection."""
        return self.relay.flows[-1]

    async def close(self) -> None:
        """Close all."""
        for link in self._links:
            await link.close()
        while not self.servers.empty():
            await self.servers.get_nowait().close()


@asynccontextmanager
async def between(
    judge: Callable[[Passage], None] | None = None, **limits: Any
) -> AsyncIterator[Between]:
    """Give a relay between clients and a server whose ends the test has in its hands."""
    watched = Watched()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(reader, writer)
        place._links.append(link)
        place.servers.put_nowait(link)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    upstream = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    relay = Relay(upstream, judge=judge, watch=watched, limits=Limits(**limits))
    place = Between(relay, watched, await relay.open(Door("127.0.0.1", 0)))
    failing = asyncio.create_task(relay.run())
    try:
        yield place
        assert not failing.done(), failing.exception()
    finally:
        failing.cancel()
        await asyncio.gather(failing, return_exceptions=True)
        await relay.close()
        await place.close()
        server.close()
        await server.wait_closed()
