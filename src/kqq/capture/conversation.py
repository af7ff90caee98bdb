"""What was said on connections: the protocol found on any port, in lines or in HTTP.

Bytes of connections in, lines and notes out; no I/O. Whatever is broken is kept and said to be so.
A connection that speaks something else is left out as soon as that is clear.
"""

import re
from collections.abc import Callable
from itertools import count

from kqq.capture.events import Closed, Data, Lost, Note, Opened, Stream
from kqq.capture.marks import IN_STREAM
from kqq.capture.meaning import sender_of
from kqq.capture.speech import MOST_NOTES, Heard, Lines, Posts, Speech
from kqq.capture.streams import StreamEvent
from kqq.protocol.messages import Role, decode
from kqq.protocol.schema import Unreadable
from kqq.protocol.wire import Line, show

__all__ = ["Conversation", "StreamEvent"]

_HTTP = re.compile(
    rb"(?:\A[\r\n]{0,8}|\n)(?:(?:POST|GET|HEAD|PUT|OPTIONS|CONNECT) [^\r\n]{0,2000}HTTP/|"
    rb"HTTP/[0-9.]{1,7} +[0-9]{3})"
)
_LONGEST_MARK = 2100
"""Bytes of what `_HTTP` and `IN_STREAM` find, so that nothing is searched twice but these."""
_OTHERS = ((b"\x16\x03", "TLS"), (b"SSH-", "SSH"))
_ENOUGH = 8192
"""Bytes that one end may send before it must be clear what it speaks."""
_LOOK = 16 << 20
_MOST_HELD = 48 << 20
"""Bytes of lines without end that are held on all connections, and after how many it is looked."""


class Conversation:
    """Finds the lines in what connections carry, and pairs replies with requests.

    `ignore` is told of connections that speak something else, whose bytes need not come any more.
    """

    def __init__(self, ignore: Callable[[Stream], object] | None = None) -> None:
        self._ignore = ignore
        self._talks: dict[int, _Talk] = {}
        self._numbers = count(1)
        self._foreign = 0
        self._since = 0  # bytes since it was last looked how much is held

    def feed(self, event: StreamEvent) -> Heard:
        """Return what an event brings, in order."""
        if type(event) is not Data:
            return self._feed(event)
        talk = self._talks.get(event.stream.number)
        if talk is None:
            return []
        self._since += len(event.data)
        hear = talk.take if talk.speech is None else talk.speech.take
        heard = hear(event.way, event.data, event.time, event.frame)
        return heard if self._since < _LOOK else heard + self._shed(event)

    def _shed(self, event: Data) -> Heard:
        """Give up what is unfinished where most is held, if that is too much for all together."""
        self._since = 0
        held = sum(talk.held for talk in self._talks.values())
        heard: Heard = []
        if held > _MOST_HELD:
            for talk in sorted(self._talks.values(), key=lambda talk: talk.held, reverse=True):
                if held < _MOST_HELD // 2:
                    break
                held -= talk.held
                heard += talk.shed(event.time, event.frame)
        return heard

    def _feed(self, event: StreamEvent) -> Heard:
        if isinstance(event, Note):
            talk = self._talks.get(event.stream)
            if talk is not None:
                return talk.note(event)
            return [] if event.stream else [event]
        if isinstance(event, Opened):
            self._talks[event.stream.number] = _Talk(self, event)
            return []
        talk = self._talks.get(event.stream.number)
        if talk is None:
            return []
        if isinstance(event, Lost):
            return talk.lose(event)
        assert isinstance(event, Closed)
        self._talks.pop(event.stream.number, None)
        return talk.close(event)

    def end(self) -> Heard:
        """Return what is to say of the whole when nothing more comes."""
        if self._foreign < 2:
            return []
        words = f"{self._foreign} connections speak something else, and are left out"
        return [Note("foreign", words, None, 0)]

    def lines(self, stream: Stream, caller: int) -> Lines:
        """Return what hears lines on a connection."""
        return Lines(stream, caller, self._numbers)

    def posts(self, stream: Stream, caller: int) -> Posts:
        """Return what hears HTTP on a connection."""
        return Posts(stream, caller, self._numbers, self.leave_out)

    def leave_out(self, stream: Stream) -> None:
        """Forget a connection that speaks something else."""
        self._foreign += 1
        self._talks.pop(stream.number, None)
        if self._ignore is not None:
            self._ignore(stream)


class _Talk:
    """One connection; `speech` is how it speaks, None until that is clear."""

    def __init__(self, conversation: Conversation, opened: Opened) -> None:
        self._conversation = conversation
        self.stream = opened.stream
        self._opened = opened
        self._starts = (bytearray(), bytearray())
        self._searched = [0, 0]  # of the starts, with neither HTTP nor the protocol in it
        self._looked = [0, 0]  # of the starts, in lines that do not tell who is who
        self._is_ours = False
        self._waiting: list[tuple[int, bytes, float, int] | Lost] = []
        self._notes: list[Note] = []
        self.speech: Speech | None = None

    def take(self, way: int, data: bytes, time: float, frame: int) -> Heard:
        """Return what bytes bring as long as it is not clear what is spoken."""
        self._waiting.append((way, data, time, frame))
        start = self._starts[way]
        start += data[: _ENOUGH + 1 - len(start)]
        return self._decide(time, frame)

    def note(self, note: Note) -> Heard:
        """Return a note if the connection is known to matter, else keep it until it is."""
        if self.speech is None:
            if len(self._notes) < MOST_NOTES:
                self._notes.append(note)
            return []
        return self.speech.noted([note])

    def lose(self, lost: Lost) -> Heard:
        """Return what a gap cuts."""
        if self.speech is None:
            self._waiting.append(lost)
            self._starts[lost.way].extend(b"\n")  # what follows is the start of nothing
            return self._decide(lost.time, lost.frame)
        return self.speech.lose(lost)

    def close(self, closed: Closed) -> Heard:
        """Return what is unfinished."""
        heard: Heard = []
        if self.speech is None:
            if not any(self._starts):
                return []  # nobody ever said anything
            heard = self._decide(closed.time, closed.frame, is_all=True)
            if self.speech is None:
                return heard
        return heard + self.speech.close(closed)

    @property
    def held(self) -> int:
        """How many bytes are held."""
        if self.speech is not None:
            return self.speech.held
        return sum(len(one[1]) for one in self._waiting if not isinstance(one, Lost))

    def shed(self, time: float, frame: int) -> Heard:
        """Say what is unfinished, and hold nothing."""
        if self.speech is not None:
            return self.speech.shed(time, frame)
        heard = self._decide(time, frame, is_all=True)
        return heard if self.speech is None else heard + self.speech.shed(time, frame)

    def _decide(self, time: float, frame: int, *, is_all: bool = False) -> Heard:
        """Find out what is spoken, if that is clear by now."""
        starts = [bytes(start) for start in self._starts]
        poster = None
        for way, start in enumerate(starts):
            since = max(self._searched[way] - _LONGEST_MARK, 0)
            self._searched[way] = len(start)
            poster = _poster(way, start, since) if poster is None else poster
            self._is_ours = self._is_ours or IN_STREAM.search(start, since) is not None
        if poster is not None:
            self.speech = self._conversation.posts(self.stream, poster)
        elif self._is_ours:
            is_all = is_all or max(map(len, starts)) >= _ENOUGH
            caller = self._caller(starts, is_all=is_all)
            if caller is None and not is_all:
                return []
            caller = _by_port(self.stream) if caller is None else caller
            self.speech = self._conversation.lines(self.stream, caller)
        else:
            other = _other(starts, is_all=is_all)
            if other is not None:
                self._conversation.leave_out(self.stream)
                first, second = self.stream.ends
                words = f"{first} and {second} speak {other}; that is left out"
                return [Note("foreign", words, time, frame, self.stream.number)]
            return []
        heard = self.speech.begin(self._opened, self._notes)
        for event in self._waiting:
            heard += (
                self.speech.lose(event) if isinstance(event, Lost) else self.speech.take(*event)
            )
        self._waiting.clear()
        for begun in self._starts:
            begun.clear()
        return heard

    def _caller(self, starts: list[bytes], *, is_all: bool) -> int | None:
        """Return which end is the client: who opened the connection, else by what is said.

        Each line is looked at once, when it is complete, or with `is_all` as it is.
        """
        if self.stream.opener is not None:
            return self.stream.opener
        for way, start in enumerate(starts):
            since = self._looked[way]
            end = len(start) if is_all else start.rfind(b"\n", since) + 1
            for raw in start[since:end].split(b"\n"):
                line = Line.decode(raw)
                sender = sender_of(line)
                if not isinstance(decode(line, sender), Unreadable):
                    return way if sender is Role.CLIENT else 1 - way
            self._looked[way] = max(since, end)
        for way, start in enumerate(starts):
            if b"&RES=" in start:
                return 1 - way
        return None


def _other(starts: list[bytes], *, is_all: bool) -> str | None:
    """Return what else is spoken, None as long as it may still be the protocol."""
    for start in starts:
        for mark, name in _OTHERS:
            if start.startswith(mark):
                return f"{name}, which cannot be read"
    if is_all or max(map(len, starts)) > _ENOUGH:
        return f"something else, which begins {show(max(starts, key=len)[:16])!r}"
    return None


def _poster(way: int, start: bytes, since: int) -> int | None:
    """Return which end posts: the one that sends requests, or gets answers. None if it is not HTTP.

    What is said tells more than who opened the connection.
    """
    found = _HTTP.search(start, since)
    if found is None:
        return None
    return 1 - way if found[0].lstrip().startswith(b"HTTP/") else way


def _by_port(stream: Stream) -> int:
    """Return which end has the port that looks less like a server's."""
    return 0 if stream.ends[0].port >= stream.ends[1].port else 1
