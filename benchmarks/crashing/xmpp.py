"""As much of XMPP as it takes to sign in, write, ask whether that has arrived, and read."""

import asyncio
import base64
import itertools
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self
from xml.etree import ElementTree as ET

from crowd import PATIENCE, Lost, Notes

_STREAM = (
    "<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:client'"
    " xmlns:stream='http://etherx.jabber.org/streams'>"
)
_CLIENT = "{jabber:client}"
_SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
_BIND = "urn:ietf:params:xml:ns:xmpp-bind"
_PING = "urn:xmpp:ping"


class Client(Notes):
    """Somebody who is signed in; `promised`, `refused`, `texts` and `came` are as with Notes.

    A message is promised when a ping behind it was answered, and it was not sent back before.
    """

    def __init__(
        self, uin: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(uin)
        self.under_way: dict[int, int] = {}
        """To whom the messages go that are not acknowledged yet, by their numbers."""
        self._reader, self._writer = reader, writer
        self._ids = itertools.count(1)
        self._asked: dict[str, asyncio.Future[ET.Element]] = {}
        self._news = asyncio.Event()
        self._parser: ET.XMLPullParser[Any] = ET.XMLPullParser(("start", "end"))
        self._root: ET.Element | None = None
        self._depth = 0
        self._stanzas: list[ET.Element] = []
        self._task: asyncio.Task[None] | None = None
        self._is_lost = False

    @classmethod
    async def sign_in(cls, port: int, uin: int, password: str) -> Self:
        """Return somebody who is signed in under a name `u` and the number, but not yet present.

        Raises Lost.
        """
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            raise Lost from None
        client = cls(uin, reader, writer)
        secret = base64.b64encode(f"\0u{uin}\0{password}".encode()).decode()
        try:
            async with asyncio.timeout(PATIENCE):
                await client._open()
                client._say(f"<auth xmlns='{_SASL}' mechanism='PLAIN'>{secret}</auth>")
                answer = await client._next()
                assert answer.tag == f"{{{_SASL}}}success", ET.tostring(answer)
                client._parser = ET.XMLPullParser(("start", "end"))
                client._root, client._depth = None, 0
                await client._open()
                client._task = asyncio.create_task(client._listen())
                await client._ask("set", f"<bind xmlns='{_BIND}'/>")
        except BaseException:
            client.close()
            raise
        return client

    async def appear(self) -> None:
        """Become present, so that what waits is sent. Raises Lost."""
        self._say("<presence/>")
        await self._ask("get", f"<ping xmlns='{_PING}'/>")

    async def write(self, to: int, numbers: Iterable[int]) -> None:
        """Send messages, and wait until a ping behind them is answered. Raises Lost."""
        numbers = list(numbers)
        self.under_way |= dict.fromkeys(numbers, to)
        self._say(
            "".join(
                f"<message to='u{to}@localhost' type='chat' id='{number}'>"
                f"<body>{number}-hello from the benchmark, forty letters</body></message>"
                for number in numbers
            )
        )
        own = f"p{numbers[0]}-{numbers[-1]}"
        await self._ask("get", f"<ping xmlns='{_PING}'/>", own)
        for number in numbers:
            if self.under_way.pop(number, None) is not None:
                self.note_answer(to, number, "0")

    async def until(self, holds: Callable[[], bool], patience: float) -> None:
        """Wait until something holds that depends on what came. Raises Lost, TimeoutError."""
        async with asyncio.timeout(patience):
            while not holds():
                if self._is_lost:
                    raise Lost
                self._news.clear()
                await self._news.wait()

    async def gets(self, numbers: Iterable[int], silence: float) -> None:
        """Wait until these messages have come, or none has for some seconds. Raises Lost."""
        wanted = set(numbers)
        while not wanted <= self.came.keys():
            before = time.monotonic()
            try:
                await self.until(lambda before=before: self._heard > before, silence)  # type: ignore[misc]
            except TimeoutError:
                return

    async def leave(self) -> None:
        """Sign out, and wait until the server closes."""
        self._say("<presence type='unavailable'/></stream:stream>")
        with suppress(Lost, TimeoutError):
            await self.until(lambda: False, 5.0)
        self.close()

    def close(self) -> None:
        """Close at once."""
        if self._task is not None:
            self._task.cancel()
        self._writer.transport.abort()

    @property
    def _heard(self) -> float:
        return max(self.came.values(), default=0.0)

    def _say(self, text: str) -> None:
        self._writer.write(text.encode())

    async def _open(self) -> None:
        """Open a stream, and wait for the server's features."""
        self._say(_STREAM)
        await self._next()

    async def _ask(self, kind: str, inner: str, own: str = "") -> ET.Element:
        own = own or f"q{next(self._ids)}"
        if self._is_lost:
            raise Lost
        self._asked[own] = asyncio.get_running_loop().create_future()
        self._say(f"<iq type='{kind}' id='{own}'>{inner}</iq>")
        async with asyncio.timeout(PATIENCE):
            return await self._asked[own]

    async def _next(self) -> ET.Element:
        """Return the next stanza. Raises Lost."""
        while not self._stanzas:
            try:
                data = await self._reader.read(1 << 16)
            except ConnectionError:
                data = b""
            if not data:
                raise Lost
            self._take(data)
        return self._stanzas.pop(0)

    def _take(self, data: bytes) -> None:
        self._parser.feed(data)
        events: Iterable[Any] = self._parser.read_events()
        for event, element in events:
            if event == "start":
                self._depth += 1
                self._root = self._root if self._root is not None else element
            else:
                self._depth -= 1
                if self._depth == 1 and self._root is not None:
                    self._stanzas.append(element)
                    self._root.remove(element)

    async def _listen(self) -> None:
        """Take what comes until the connection is lost."""
        try:
            while True:
                self._hear(await self._next())
                self._news.set()
        except Lost:
            self._is_lost = True
            self._news.set()
            for asked in self._asked.values():
                if not asked.done():
                    asked.set_exception(Lost())
                    asked.exception()

    def _hear(self, stanza: ET.Element) -> None:
        kind, own = stanza.get("type", ""), stanza.get("id", "")
        if stanza.tag == f"{_CLIENT}iq" and kind in {"result", "error"} and own in self._asked:
            self._asked.pop(own).set_result(stanza)
        elif stanza.tag == f"{_CLIENT}message":
            body = stanza.findtext(f"{_CLIENT}body")
            if kind == "error":
                to = self.under_way.pop(int(own), None)
                if to is not None:
                    self.note_answer(to, int(own), "error")
            elif body is not None:
                sender = stanza.get("from", "").partition("@")[0]
                self.note_text(int(sender.lstrip("u")), body)
