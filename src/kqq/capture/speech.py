"""What is said on one connection once it is known how: lines as they are, or in bodies of HTTP."""

import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator

from kqq.capture.events import Closed, End, Lost, Note, Opened, Said, Stream
from kqq.capture.marks import IN_STREAM
from kqq.capture.meaning import meaning
from kqq.capture.pairing import Pairing, remembered
from kqq.capture.posts import Post, PostStream
from kqq.protocol.messages import Role, decode
from kqq.protocol.schema import Reply, Unreadable
from kqq.protocol.wire import LINE_LIMIT, Line, show

__all__ = ["MOST_NOTES", "Heard", "Lines", "Posts", "Speech"]

_NEXT_LINE = re.compile(rb"\r?\n(?=[^\r\n=&]{0,2}VER=)")
MOST_NOTES = 16
"""Notes that are kept until it is clear whether a connection matters, and messages of HTTP among
which there must be a line of the protocol."""
_NOISE = 2
"""COMPAT(ZNQQ, QQBot): a length before a line may hold an LF; so many bytes of it are no line."""
_TOO_MUCH = "too much is open at once; the rest is left out"
_MOST_ASKED = 64
_MOST_UNANSWERED = 20
_ENDINGS = {
    "closed": "the connection is closed",
    "reset": "the connection is reset",
    "forgotten": "the connection was silent for too long, and is given up",
    "cut": "the capture ends; the connection may go on",
}

Heard = list[Said | Note]
"""What an event brings: lines and notes, in order."""


class Speech(ABC):
    """What lines and posts have in common: who is who, and how a line becomes `Said`.

    `caller` is the place of the client among the ends of `stream`; `numbers` gives the numbers of
    lines.
    """

    over = "tcp"

    def __init__(self, stream: Stream, caller: int, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._stream = stream
        self._caller = caller
        self._client: End = stream.ends[caller]
        self._server: End = stream.ends[1 - caller]

    def begin(self, opened: Opened, notes: list[Note]) -> Heard:
        """Return what is to say before the first line."""
        how = "HTTP" if self.over == "http" else "lines over TCP"
        if self._stream.opener is None:
            words = (
                f"{self._client} talks to {self._server}, {how}; the capture begins in the middle"
            )
        else:
            words = f"{self._client} connects to {self._server}, {how}"
        first = Note("opened", words, opened.time, opened.frame, self._stream.number)
        return self.noted([first, *notes])

    @property
    @abstractmethod
    def held(self) -> int:
        """How many bytes are held."""

    @abstractmethod
    def take(self, way: int, data: bytes, time: float, frame: int) -> Heard:
        """Return the lines that bytes complete."""

    @abstractmethod
    def lose(self, lost: Lost) -> Heard:
        """Return what was there of what a gap cuts."""

    @abstractmethod
    def shed(self, time: float, frame: int) -> Heard:
        """Say what there is of what is unfinished, and hold nothing."""

    @abstractmethod
    def close(self, closed: Closed) -> Heard:
        """Return what is unfinished, requests without answer, and how it ended."""

    def noted(self, notes: list[Note]) -> Heard:
        """Return notes on a connection that matters."""
        return list(notes)

    def _note(self, kind: str, words: str, time: float, frame: int) -> Note:
        return Note(kind, words, time, frame, self._stream.number)

    def _said(
        self,
        line: Line,
        sender: Role,
        time: float,
        frame: int,
        odd: tuple[str, ...],
        *,
        whole: bool,
    ) -> Said:
        message, found = meaning(line, sender)
        return Said(
            next(self._numbers),
            time,
            frame,
            self._stream.number,
            sender,
            line,
            message,
            self.over,
            self._client,
            self._server,
            odd=(*found, *odd) if odd else found,
            whole=whole,
        )


class _Way:
    """What one end says in lines: what is pending, and what is to say of the next line."""

    __slots__ = ("is_first", "noise", "pending", "role", "skipping", "torn")

    def __init__(self, role: Role, *, is_first: bool) -> None:
        self.role = role
        self.pending = bytearray()
        self.is_first = is_first  # of a capture that begins in the middle
        self.noise = b""
        self.torn = ""  # why the next line has lost its start
        self.skipping = False


class Lines(Speech):
    """Lines on a connection."""

    def __init__(self, stream: Stream, caller: int, numbers: Iterator[int]) -> None:
        super().__init__(stream, caller, numbers)
        in_middle = stream.opener is None
        ways = [_Way(Role.CLIENT, is_first=in_middle), _Way(Role.SERVER, is_first=in_middle)]
        self._ways = ways if caller == 0 else ways[::-1]
        self._pairing = Pairing()
        self._has_all = not in_middle

    def take(self, way: int, data: bytes, time: float, frame: int) -> Heard:
        """Return the lines that bytes complete."""
        one = self._ways[way]
        if data.find(b"\n") == len(data) - 1 and not one.pending and not one.skipping:
            heard: Heard = []  # a line to a segment, as nearly always
            self._line(one, data[:-1], time, frame, heard)
            return heard
        if one.pending:
            one.pending += data
            if b"\n" not in data:
                return self._too_long(one, time, frame) if len(one.pending) > LINE_LIMIT else []
            data = bytes(one.pending)
            one.pending.clear()
        lines = data.split(b"\n")
        rest = lines.pop()
        heard = []
        for raw in lines:
            if one.skipping:
                one.skipping = False
            else:
                self._line(one, raw, time, frame, heard)
        if rest and not one.skipping:
            one.pending += rest
            if len(rest) > LINE_LIMIT:
                heard += self._too_long(one, time, frame)
        return heard

    def lose(self, lost: Lost) -> Heard:
        """Return what was there of a line that a gap cuts; the next one has lost its start."""
        one = self._ways[lost.way]
        words = f"{lost.count} bytes are missing"
        heard: Heard = [self._note("lost", words, lost.time, lost.frame)]
        self._has_all = False
        self._cut(one, f"{words} after it", lost.time, lost.frame, heard)
        one.torn = f"{words} before it"
        return heard

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return sum(len(one.pending) for one in self._ways)

    def shed(self, time: float, frame: int) -> Heard:
        """Say what there is of lines without end; what is left of them is passed over."""
        heard: Heard = []
        for one in self._ways:
            if one.pending:
                self._cut(one, _TOO_MUCH, time, frame, heard)
                one.skipping = True
        return heard

    def close(self, closed: Closed) -> Heard:
        """Return lines without end, requests without answer, and how it ended."""
        heard: Heard = []
        for one in self._ways:
            self._cut(one, "its end did not come", closed.time, closed.frame, heard)
        waiting = self._pairing.waiting
        for request in waiting[:_MOST_UNANSWERED]:
            words = f"line {request.number}, {request.command}, got no answer"
            heard.append(
                self._note(
                    "unanswered",
                    show(words.encode("utf-8", "surrogateescape")),
                    closed.time,
                    closed.frame,
                )
            )
        if len(waiting) > _MOST_UNANSWERED:
            words = f"{len(waiting) - _MOST_UNANSWERED} more lines got no answer"
            heard.append(self._note("unanswered", words, closed.time, closed.frame))
        heard.append(self._note("closed", _ENDINGS[closed.how], closed.time, closed.frame))
        return heard

    def _line(self, one: _Way, raw: bytes, time: float, frame: int, heard: Heard) -> None:
        if raw.endswith(b"\r"):
            raw = raw[:-1]
            odd: tuple[str, ...] = ()
        else:
            odd = ("the line ends in LF without CR",)
        if len(raw) <= _NOISE and b"=" not in raw:
            if raw:
                one.noise = (one.noise + raw)[-_NOISE:]
            return
        if len(raw) > LINE_LIMIT:
            odd = (f"the line has {len(raw)} bytes, more than the {LINE_LIMIT} there can be", *odd)
            raw = raw[:LINE_LIMIT]
        heard.append(self._say(one, raw, time, frame, odd=odd))

    def _cut(self, one: _Way, why: str, time: float, frame: int, heard: Heard) -> None:
        """Say what is there of a line whose end is missing."""
        raw = bytes(one.pending)
        one.pending.clear()
        one.skipping = False
        if len(raw) > _NOISE or b"=" in raw:
            raw = raw.removesuffix(b"\r")
            heard.append(self._say(one, raw, time, frame, odd=(why,), whole=False))

    def _too_long(self, one: _Way, time: float, frame: int) -> Heard:
        why = f"the line is longer than {LINE_LIMIT} bytes; the rest is left out"
        raw = bytes(one.pending[:LINE_LIMIT])
        one.pending.clear()
        one.skipping = True
        return [self._say(one, raw, time, frame, odd=(why,), whole=False)]

    def _say(
        self,
        one: _Way,
        raw: bytes,
        time: float,
        frame: int,
        *,
        odd: tuple[str, ...] = (),
        whole: bool = True,
    ) -> Said:
        line = Line.decode(raw)
        if one.is_first or one.torn or one.noise:
            odd, whole = self._after_something(one, line, odd, whole=whole)
        said = self._said(line, one.role, time, frame, odd, whole=whole)
        if not whole and b"&" not in raw.partition(b"SEQ=")[2]:
            return said  # its number may have gone on, and be another
        if one.role is Role.CLIENT:
            before = self._pairing.ask(said)
            if before is not None:
                said.odd = (*said.odd, f"the same as line {before.number}, sent again")
            return said
        said.request = self._pairing.answer(said)
        if said.request is None and self._has_all and isinstance(said.message, Reply):
            said.odd = (*said.odd, "no request waits for this answer")
        return said

    def _after_something(
        self, one: _Way, line: Line, odd: tuple[str, ...], *, whole: bool
    ) -> tuple[tuple[str, ...], bool]:
        """Return what is odd about a line, and whether it is whole, after a gap or noise."""
        if one.noise:
            odd = (f"bytes before the line are skipped: {one.noise.hex(' ')}", *odd)
        if one.torn or one.is_first:
            is_start = line.text.startswith("VER=") or not isinstance(
                decode(line, one.role), Unreadable
            )
            if one.torn or not is_start:
                why = one.torn or "the capture begins in the middle of it"
                odd = (why, *odd)
                whole = whole and is_start
        one.noise, one.torn, one.is_first = b"", "", False
        return odd, whole


class Posts(Speech):
    """Lines in the bodies of HTTP, one to a body."""

    over = "http"

    def __init__(
        self,
        stream: Stream,
        caller: int,
        numbers: Iterator[int],
        leave_out: Callable[[Stream], object],
    ) -> None:
        super().__init__(stream, caller, numbers)
        self._leave_out = leave_out
        self._asked: deque[Said | None] = deque(maxlen=_MOST_ASKED)
        self._methods: deque[bytes] = deque(maxlen=_MOST_ASKED)
        client, server = PostStream(), PostStream(self._is_bodiless)
        self._posts = (client, server) if caller == 0 else (server, client)
        self._seen = 0
        self._has_lines = False
        self._has_all = stream.opener is not None
        self._held: list[Note] = []

    def noted(self, notes: list[Note]) -> Heard:
        """Return notes if a line was found on the connection; else keep them until one is."""
        if self._has_lines:
            return list(notes)
        self._held = [*self._held, *notes][:MOST_NOTES]
        return []

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return sum(posts.held for posts in self._posts)

    def shed(self, time: float, frame: int) -> Heard:
        """Say what there is of messages that are unfinished."""
        heard: Heard = []
        for way in (self._caller, 1 - self._caller):
            heard += self._read(way, self._posts[way].end(_TOO_MUCH), time, frame)
        return heard

    def take(self, way: int, data: bytes, time: float, frame: int) -> Heard:
        """Return the lines in the bodies that bytes complete."""
        if way == self._caller:
            return self._read(way, self._posts[way].feed(data), time, frame)
        # A request without a length is whole when it is answered.
        asked = self._read(self._caller, self._posts[self._caller].finish(), time, frame)
        return asked + self._read(way, self._posts[way].feed(data), time, frame)

    def lose(self, lost: Lost) -> Heard:
        """Return what was there of a message that a gap cuts."""
        self._has_all = False
        words = f"{lost.count} bytes are missing"
        heard = self.noted([self._note("lost", words, lost.time, lost.frame)])
        posts = self._posts[lost.way].lose(lost.count)
        return heard + self._read(lost.way, posts, lost.time, lost.frame)

    def close(self, closed: Closed) -> Heard:
        """Return messages that are unfinished, requests without answer, and how it ended."""
        heard: Heard = []
        for way in (self._caller, 1 - self._caller):
            heard += self._read(way, self._posts[way].end(), closed.time, closed.frame)
        if not self._has_lines:
            return [*heard, *self._foreign(closed.time, closed.frame)]
        for request in self._asked:
            if request is not None:
                words = show(
                    f"line {request.number}, {request.command}, got no answer".encode(
                        "utf-8", "surrogateescape"
                    )
                )
                heard.append(self._note("unanswered", words, closed.time, closed.frame))
        heard.append(self._note("closed", _ENDINGS[closed.how], closed.time, closed.frame))
        return heard

    def _read(self, way: int, posts: list[Post], time: float, frame: int) -> Heard:
        heard: Heard = []
        for post in posts:
            if way == self._caller:
                self._ask(post, time, frame, heard)
            else:
                self._answer(post, time, frame, heard)
            self._seen += 1
        if not self._has_lines and self._seen >= MOST_NOTES:
            self._seen = -(1 << 60)  # said once
            heard += self._foreign(time, frame)
        return heard

    def _ask(self, post: Post, time: float, frame: int, heard: Heard) -> None:
        said = self._lines_of(post, Role.CLIENT, time, frame, heard, is_ours=False)
        if post.start:
            self._asked.append(remembered(said[0]) if said else None)
            self._methods.append(post.method)

    def _answer(self, post: Post, time: float, frame: int, heard: Heard) -> None:
        status = post.start.split(maxsplit=2)[1:2]
        if status and status[0].startswith(b"1"):
            return
        request = self._asked.popleft() if self._asked and post.start else None
        odd = () if not status or status == [b"200"] else (f"HTTP status {show(status[0])}",)
        said = self._lines_of(
            post, Role.SERVER, time, frame, heard, is_ours=request is not None, odd=odd
        )
        for one in said[:1]:
            one.request = request
            if request is None:
                continue
            seq, asked = getattr(one.message, "seq", None), getattr(request.message, "seq", None)
            if seq is not None and asked is not None and seq != asked:
                one.odd = (*one.odd, f"its SEQ is not that of the request, {asked}")

    def _lines_of(
        self,
        post: Post,
        sender: Role,
        time: float,
        frame: int,
        heard: Heard,
        *,
        is_ours: bool,
        odd: tuple[str, ...] = (),
    ) -> list[Said]:
        """Return the lines in a body, having said them; what has none is a note.

        `is_ours`: the body answers a line, so it is taken for one whatever it holds.
        """
        odd = (*odd, *post.problems)
        found: list[Said] = []
        body = post.body.removesuffix(b"\n").removesuffix(b"\r")
        if body and (is_ours or IN_STREAM.search(body)):
            if not self._has_lines:
                self._has_lines = True
                heard += self._held
                self._held = []
            pieces = _NEXT_LINE.split(body) if b"\n" in body else [body]
            for place, raw in enumerate(pieces):
                others = (*odd, f"there are {len(pieces)} lines in one body") if pieces[1:] else odd
                said = self._said(
                    Line.decode(raw[:LINE_LIMIT]),
                    sender,
                    time,
                    frame,
                    others,
                    whole=post.whole or place < len(pieces) - 1,
                )
                found.append(said)
                heard.append(said)
        else:
            start = show(post.start or post.body[:60], 60)
            words = f"{start}: {'; '.join(odd)}" if odd else start
            size = f", a body of {post.size} bytes" if post.size else ", no body"
            heard += self.noted([self._note("http", f"{words}{size}", time, frame)])
        return found

    def _foreign(self, time: float, frame: int) -> Heard:
        self._leave_out(self._stream)
        words = f"{self._client} and {self._server} speak HTTP without the protocol; left out"
        return [self._note("foreign", words, time, frame)]

    def _is_bodiless(self) -> bool:
        """Return whether the next answer has no body because `HEAD` was asked."""
        return bool(self._methods) and self._methods.popleft() == b"HEAD"
