"""How somebody in a play speaks to a server: lines on a connection, or each line in a POST."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from kqq.capture.plays import XP
from kqq.client import Transport
from kqq.errors import ConnectionLost, PlayError, RemoteProtocolError
from kqq.protocol import (
    GetMsgExReply,
    HttpResponse,
    Line,
    LineBuffer,
    ResponseReader,
    Role,
    ServerMsg,
    Unreadable,
    UpdateStat,
    decode,
    encode,
    http_request,
    show,
)

WAIT = 10.0
"""Seconds after which what must come is taken for lost."""
QUIET = 0.3
"""Seconds without a line after which nothing more is taken to come."""
STATUS = 99
"""`MT` of a friend's status."""
ASKING = 999999
"""`SEQ` of what is asked only to learn that nothing more comes; further ones count down."""
_XP_HTTP = "29E41F6186ED43F8"
_MOST = 2000
"""Lines that may come in one go."""
_POLLS = 100
"""Polls in a row that may bring something: servers give all at once."""
_BODY_LIMIT = 1 << 20  # bytes


class Nothing(Exception):
    """What must come does not, or cannot be read; the words say how that showed.

    `is_lost` says that the connection has ended, or cannot be made.
    """

    def __init__(self, words: str, *, is_lost: bool = False) -> None:
        super().__init__(words)
        self.is_lost = is_lost


class Silence(Nothing):
    """Nothing comes any more, and nothing is wrong with what came: time is over, or the end."""


class Impossible(PlayError):
    """Something in a play cannot be done where it is performed; the words say why."""


class Way(Protocol):
    """How one actor speaks to the server."""

    kind: str
    """TCP or HTTP."""

    @property
    def is_open(self) -> bool:
        """Whether something was said to a server that is still there."""

    async def say(self, line: bytes, *, is_exact: bool) -> None:
        """Say a line; a line end is added where there must be one, unless it is exact.

        Raises Nothing if it cannot be said.
        """

    async def hear(self) -> list[Line]:
        """Return the next lines that come, at least one. Raises Nothing."""

    async def rest(self, uin: int, *, is_last: bool = False) -> list[Line]:
        """Return all that comes without somebody doing more; a server is asked as `uin`.

        In memory, what waits for a breath comes only if it `is_last`.
        """

    async def lose(self) -> list[Line]:
        """Return what still comes from a server that has gone."""

    async def leave(self) -> None:
        """Close without a word. Raises Impossible where there is nothing to close."""


class Lines:
    """Lines on a connection, which is made when the first is said, and again after its end.

    What must come is waited for `wait` seconds. Nothing more comes where a server has been silent
    for `quiet` seconds; with None it is asked something, and what comes before the answer is all.
    """

    kind = "TCP"

    def __init__(
        self,
        connect: Callable[[], Awaitable[Transport]],
        *,
        wait: float = WAIT,
        quiet: float | None = QUIET,
    ) -> None:
        self._connect = connect
        self._wait = wait
        self._quiet = quiet
        self._transport: Transport | None = None
        self._is_over = False
        self._receiving: asyncio.Future[bytes] | None = None
        self._trouble: Nothing | None = None
        self._start()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._transport is not None

    async def say(self, line: bytes, *, is_exact: bool) -> None:
        """Say a line."""
        if self._transport is None or self._is_over:
            await self.leave()
            self._transport = await self._connect()
        try:
            async with asyncio.timeout(self._wait):
                await self._transport.send(line if is_exact else line + b"\r\n")
        except TimeoutError:
            raise Nothing(f"the server did not take a line in {self._wait:g} s") from None
        except ConnectionLost as error:
            self._is_over = True
            raise Nothing(str(error), is_lost=True) from error

    async def hear(self) -> list[Line]:
        """Return the next line."""
        line = await self._next(self._wait)
        if line is None:
            raise Silence("the server closed the connection", is_lost=True)
        return [line]

    async def rest(self, uin: int, *, is_last: bool = False) -> list[Line]:  # noqa: ARG002
        """Return what comes until the server is silent, or until it has answered a question.

        Replies come in the order of commands, and servers wake a session before they answer
        whoever woke it. A client that has spoken is told one thing at least before its answer, so
        it is asked until nothing but the answer comes.
        """
        if self._transport is None:
            return []
        if self._quiet is None:
            return await self._ask_until_silent(uin)
        return await self._drain(self._quiet)

    async def lose(self) -> list[Line]:
        """Return what comes until the end."""
        lines = await self._drain(self._wait)
        await self.leave()
        return lines

    async def leave(self) -> None:
        """Close the connection."""
        transport, self._transport = self._transport, None
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.gather(self._receiving, return_exceptions=True)
        self._start()
        if transport is not None:
            await transport.close()

    # --- inside

    def _start(self) -> None:
        self._buffer = LineBuffer()
        self._heard: deque[bytes] = deque()
        self._is_over = False
        self._receiving = None
        self._trouble = None
        self._asking = ASKING

    async def _drain(self, quiet: float) -> list[Line]:
        lines: list[Line] = []
        now = asyncio.get_running_loop().time
        until = now() + max(self._wait, quiet)
        while len(lines) < _MOST and now() < until:
            try:
                line = await self._next(quiet)
            except Silence:
                break
            except Nothing as nothing:
                if not lines:
                    raise
                self._trouble = nothing  # first what came before it
                break
            if line is None:
                break
            lines.append(line)
        return lines

    async def _ask_until_silent(self, uin: int) -> list[Line]:
        lines: list[Line] = []
        came = -1
        now = asyncio.get_running_loop().time
        until = now() + self._wait
        while came < len(lines) < _MOST and not self._is_over and now() < until:
            came = len(lines)
            seq, self._asking = str(self._asking), self._asking - 1
            head = f"VER=1.4&CON=1&CMD=Query_Stat2&SEQ={seq}&UIN={uin}&SID=&XP={XP}"
            await self.say(f"{head}&CM=2&UN=0".encode(), is_exact=False)
            while len(lines) < _MOST and now() < until:
                line = await self._next(self._wait)
                if line is None:
                    break
                if line.values().get("SEQ") == seq:
                    break
                lines.append(line)
        return lines

    async def _next(self, seconds: float) -> Line | None:
        """Return the next line, None once the server has closed. Raises Nothing."""
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            raise trouble
        if self._transport is None:
            return None
        until = asyncio.get_running_loop().time() + seconds
        while not self._heard:
            if self._is_over:
                return None
            if not await self._receive(self._transport, until):
                begun = self._buffer.pending
                half = f"; a line has begun and has no end: {show(begun)!r}" if begun else ""
                raise Silence(f"nothing came in {seconds:g} s{half}")
        raw = self._heard.popleft()
        if not raw.endswith(b"\r"):
            raise Nothing(f"a line ends in a bare LF, not in CR LF: {show(raw)!r}")
        return Line.decode(raw)

    async def _receive(self, transport: Transport, until: float) -> bool:
        """Take what comes until then; return whether something did. Raises Nothing."""
        # What is being received is not given up when its time is over: it may be half done.
        if self._receiving is None:
            self._receiving = asyncio.ensure_future(transport.receive())
        left = until - asyncio.get_running_loop().time()
        await asyncio.wait({self._receiving}, timeout=max(left, 0))
        if not self._receiving.done():
            return False
        receiving, self._receiving = self._receiving, None
        try:
            data = receiving.result()
        except ConnectionLost as error:
            self._is_over = True
            raise Silence(str(error), is_lost=True) from error
        self._heard += self._buffer.feed(data)
        if self._buffer.error is not None:
            self._is_over = True
            raise Nothing(str(self._buffer.error))
        if not data:
            self._is_over = True
            if self._buffer.pending:
                half = show(self._buffer.pending)
                raise Nothing(f"the server closed within a line: {half!r}", is_lost=True)
        return True


class Posts:
    """Each line in a POST; what others do is asked for with GetMsgEx.

    `exchange` returns the answer to the bytes of a POST, on a connection of its own; it raises
    Nothing if none comes. `host` and `port` are those that a POST names.
    """

    kind = "HTTP"

    def __init__(
        self,
        exchange: Callable[[bytes], Awaitable[HttpResponse]],
        host: str = "kqq.example",
        port: int = 14000,
    ) -> None:
        self._exchange = exchange
        self._host = host
        self._port = port
        self._answers: list[Line] = []
        self._uin: str | None = None  # who is signed in here
        self._asking = ASKING

    @property
    def is_open(self) -> bool:
        """Return that a line can be posted at any time."""
        return True

    async def say(self, line: bytes, *, is_exact: bool) -> None:  # noqa: ARG002
        """Post a line, and keep the answer. Phones put no line end into a body."""
        answer = await self._post(line)
        if answer is not None:
            self._answers.append(answer)
            values = answer.values()
            if (values.get("CMD", "").lower(), values.get("RS")) == ("login", "0"):
                self._uin = values.get("UIN")

    async def hear(self) -> list[Line]:
        """Return the answers there are, or else what has happened."""
        lines = self._take_answers() or await self._poll()
        if not lines:
            raise Silence("nothing came")
        return lines

    async def rest(self, uin: int, *, is_last: bool = False) -> list[Line]:  # noqa: ARG002
        """Ask until nothing waits."""
        lines = self._take_answers()
        now = asyncio.get_running_loop().time
        until = now() + WAIT
        count = 0
        while count < _POLLS and now() < until:
            came = await self._poll()
            if not came:
                return lines
            lines += came
            count += 1
        raise Nothing(f"there was something new at each of {count} polls")

    async def lose(self) -> list[Line]:
        """Return the answers there are."""
        return self._take_answers()

    async def leave(self) -> None:
        """Fail: there is no connection to close."""
        raise Impossible("over HTTP nobody has a connection; write # Only over TCP: why")

    def _take_answers(self) -> list[Line]:
        answers, self._answers = self._answers, []
        return answers

    async def _poll(self) -> list[Line]:
        """Return what waited, each as the push that it is on TCP."""
        if self._uin is None:
            return []
        seq, self._asking = self._asking, self._asking - 1
        head = f"VER=1.4&CON=0&CMD=GetMsgEx&SEQ={seq}&UIN={self._uin}"
        answer = await self._post(f"{head}&SID=&XP={_XP_HTTP}".encode())
        if answer is None:
            raise Nothing("the server answers GetMsgEx with nothing at all")
        reply = decode(answer, Role.SERVER)
        if isinstance(reply, Unreadable):
            raise Nothing(f"the answer to GetMsgEx cannot be read: {reply}")
        if not isinstance(reply, GetMsgExReply) or not reply.count:
            return []
        entries = zip(reply.types or (), reply.numbers or (), reply.texts or (), strict=False)
        found = [_as_push(reply.uin, *entry) for entry in entries]
        if len(found) != reply.count:
            raise Nothing(
                f"the answer to GetMsgEx says MN={reply.count} and has {len(found)} entries: "
                f"{show(answer.encode())!r}"
            )
        return found

    async def _post(self, line: bytes) -> Line | None:
        """Return the answer to a line, None for an empty one. Raises Nothing."""
        answer = await self._exchange(http_request(self._host, self._port, line))
        if answer.status != 200:
            raise Nothing(f"the server answers with status {answer.status}")
        if not answer.body.strip(b"\r\n"):
            return None
        # COMPAT: raw line ends may stand inside a body, which is a frame of its own (GO).
        return Line.decode(answer.body)


async def read_answer(transport: Transport) -> HttpResponse:
    """Return the first whole answer that comes. Raises Nothing, and what `transport` raises."""
    reader = ResponseReader(body_limit=_BODY_LIMIT)
    while True:
        data = await transport.receive()
        if whole := reader.feed(data):
            return whole[0]
        if isinstance(reader.error, RemoteProtocolError):
            raise Nothing(str(reader.error))
        if not data:
            raise Nothing("the server closed before its answer was whole", is_lost=True)


def _as_push(uin: int, kind: int, number: int, text: str) -> Line:
    text = "" if text == " " else text  # for SET_MQQ an empty text is a blank
    if kind == STATUS:
        status = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
        if status < 0:
            raise Nothing(f"a status in an answer to GetMsgEx is no number: {text!r}")
        return Line.decode(encode(UpdateStat(seq="0", uin=uin, status=status, number=number)))
    return Line.decode(encode(ServerMsg(seq="0", uin=uin, type=kind, sender=number, text=text)))
