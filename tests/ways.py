"""How somebody in a play speaks to a server: lines on a connection, or each line in a POST."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Protocol

from kqq.client import Address, Tcp, Transport
from kqq.protocol import (
    GetMsgExReply,
    Line,
    ResponseReader,
    Role,
    ServerMsg,
    UpdateStat,
    decode,
    encode,
    http_request,
)
from stage import WAIT, XP, MemoryLink, Stage, Wire

STATUS = 99
"""`MT` of a friend's status."""
A_LITTLE = 0.01  # seconds; less than the breath that clients with old habits get
BREATHS = 3  # to wait for a line that must come


class Nothing(Exception):
    """What must come does not; the words say how that showed."""


class Way(Protocol):
    """How one actor speaks to the server."""

    kind: str

    @property
    def is_open(self) -> bool:
        """Whether something was said to a server that is still there."""

    async def say(self, line: bytes, *, is_exact: bool) -> None:
        """Say a line; a line end is added where there must be one, unless it is exact."""

    async def hear(self) -> list[Line]:
        """Return the next lines that come, at least one. Raises Nothing."""

    async def rest(self, uin: int, *, is_last: bool = False) -> list[Line]:
        """Return all that comes without somebody doing more; a server is asked as `uin`.

        In memory, what waits for a breath comes only if it `is_last`.
        """

    async def lose(self) -> list[Line]:
        """Return what still comes from a server that has gone."""

    async def leave(self) -> None:
        """Close without a word."""


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


class SocketLines:
    """Lines on a socket."""

    kind = "TCP"

    def __init__(self, address: str, port: Callable[[], int]) -> None:
        self._address = address
        self._port = port
        self._wire: Wire | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._wire is not None

    async def say(self, line: bytes, *, is_exact: bool) -> None:
        """Say a line."""
        if self._wire is None:
            reader, writer = await connect(self._address, self._port())
            self._wire = Wire(Tcp(reader, writer))
        await self._wire.transport.send(line if is_exact else line + b"\r\n")

    async def hear(self) -> list[Line]:
        """Return the next line."""
        assert self._wire is not None
        try:
            line = await self._wire.hear_line()
        except TimeoutError:
            raise Nothing(f"nothing came in {WAIT:g} s") from None
        if line is None:
            raise Nothing("the server closed the connection")
        return [line]

    async def rest(self, uin: int, *, is_last: bool = False) -> list[Line]:
        """Ask something until nothing but the answer comes.

        Replies come in the order of commands, and the server wakes a session before it answers
        whoever woke it. A client that has spoken is told one thing at least before its answer.
        """
        lines: list[Line] = []
        is_new = self._wire is not None
        while is_new:
            is_new = False
            assert self._wire is not None
            seq = "999999"
            head = f"VER=1.4&CON=1&CMD=Query_Stat2&SEQ={seq}&UIN={uin}&SID=&XP={XP}"
            await self._wire.say(f"{head}&CM=2&UN=0")
            while (line := await self._wire.hear_line()) is not None:
                if line.values().get("SEQ") == seq:
                    break
                lines.append(line)
                is_new = True
        return lines

    async def lose(self) -> list[Line]:
        """Return what comes until the end."""
        lines = []
        while self._wire is not None and (line := await self._wire.hear_line()) is not None:
            lines.append(line)
        await self.leave()
        return lines

    async def leave(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            await self._wire.close()
            self._wire = None


class Posts:
    """Each line in a POST; what others do is asked for with GetMsgEx.

    `exchange` returns all that comes for some bytes on a connection of its own.
    """

    kind = "HTTP"

    def __init__(self, exchange: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._exchange = exchange
        self._answers: list[Line] = []
        self._uin: str | None = None  # who is signed in here

    @property
    def is_open(self) -> bool:
        """Return that a line can be posted at any time."""
        return True

    async def say(self, line: bytes, *, is_exact: bool) -> None:
        """Post a line, and keep the answer. Phones put no line end into a body."""
        answer = await self._post(line)
        if answer is not None:
            self._answers.append(answer)
            values = answer.values()
            if (values.get("CMD"), values.get("RS")) == ("Login", "0"):
                self._uin = values["UIN"]

    async def hear(self) -> list[Line]:
        """Return the answers there are, or else what has happened."""
        lines = self._take_answers() or await self._poll()
        if not lines:
            raise Nothing("nothing came")
        return lines

    async def rest(self, uin: int, *, is_last: bool = False) -> list[Line]:
        """Ask until nothing waits."""
        lines = self._take_answers()
        while came := await self._poll():
            lines += came
        return lines

    async def lose(self) -> list[Line]:
        """Return the answers there are."""
        return self._take_answers()

    async def leave(self) -> None:
        """Fail: there is no connection to close."""
        raise ValueError("over HTTP nobody has a connection; write # Only over TCP: why")

    def _take_answers(self) -> list[Line]:
        answers, self._answers = self._answers, []
        return answers

    async def _poll(self) -> list[Line]:
        """Return what waited, each as the push that it is on TCP."""
        if self._uin is None:
            return []
        head = f"VER=1.4&CON=0&CMD=GetMsgEx&SEQ=999999&UIN={self._uin}"
        answer = await self._post(f"{head}&SID=&XP=29E41F6186ED43F8".encode())
        assert answer is not None
        reply = decode(answer, Role.SERVER)
        if not isinstance(reply, GetMsgExReply) or not reply.count:
            return []
        assert reply.types is not None
        assert reply.numbers is not None
        assert reply.texts is not None
        entries = zip(reply.types, reply.numbers, reply.texts, strict=True)
        return [_as_push(reply.uin, *entry) for entry in entries]

    async def _post(self, line: bytes) -> Line | None:
        """Return the answer to a line, None for an empty one."""
        reader = ResponseReader()
        data = await self._exchange(http_request("kqq.example", 14000, line))
        (answer,) = [*reader.feed(data), *reader.feed(b"")]
        assert (answer.status, answer.header("Connection")) == (200, "close")
        assert int(answer.header("Content-Length") or "-1") == len(answer.body)
        if not answer.body:
            return None
        found = Line.decode(answer.body)
        assert answer.body.count(b"\n") == (1 if answer.body.endswith(b"\r\n") else 0)
        assert answer.body.endswith(b"\r\n") or found.values()["CMD"] == "GETMSGEX"
        return found


def _as_push(uin: int, kind: int, number: int, text: str) -> Line:
    text = "" if text == " " else text  # for SET_MQQ an empty text is a blank
    if kind == STATUS:
        return Line.decode(encode(UpdateStat(seq="0", uin=uin, status=int(text), number=number)))
    return Line.decode(encode(ServerMsg(seq="0", uin=uin, type=kind, sender=number, text=text)))


async def connect(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection from an address of this machine; all of 127.0.0.0/8 is, on Linux."""
    own = address if sys.platform == "linux" else "127.0.0.1"
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(own, 0))
