"""Where what was said is kept: captures, logs, plays and JSON lines, plain or in gzip.

    for item in read_file("trace.pcapng"):
        if isinstance(item, Said):
            ...

What a file is, is told by its content. All are read once, from the start, in pieces; memory is
bounded by the connections that are open at a time.
"""

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from stat import S_ISREG
from typing import Generic, Protocol, TypeVar

from kqq.capture.conversation import Conversation, StreamEvent
from kqq.capture.events import Closed, Data, End, Note, Opened, Said, Stream
from kqq.capture.packets import Gunzip, Packet, PacketReader, looks_like_capture, looks_like_gzip
from kqq.capture.streams import StreamReader
from kqq.capture.text import Entry, Hearing, TextReader
from kqq.errors import CaptureError
from kqq.protocol.messages import Role
from kqq.protocol.wire import show


class Readable(Protocol):
    """Something that gives bytes; `read1`, if it has that, is asked rather than `read`."""

    def read(self, size: int = -1, /) -> bytes:
        """Return some bytes; none at the end."""
        ...


Source = str | os.PathLike[str] | Readable
"""A path, `-` for standard input, or what gives bytes."""
Progress = Callable[[int, int | None], None]
"""Told how many bytes of a file were read, and its size; None where that is not known."""

_PIECE = 1 << 18
_NAP = 0.2  # seconds between two looks at a file that grows
_MAGIC = 4  # bytes that tell a capture
_MOST_PEOPLE = 10_000
_ENDS = (End("client", 0), End("server", 0))

_Item = TypeVar("_Item")


def read_file(
    source: Source, *, follow: bool = False, progress: Progress | None = None
) -> Iterator[Said | Note]:
    """Give every line that a source holds, and notes on what is none, as they come.

    With `follow`, what is added to the file later is given, too, until the file is cut short or
    another takes its place; that is told in a note of the kind "cut". Raises CaptureError if
    the source cannot be opened, or has nothing that can be read; what breaks in the middle is a
    note of the kind "unreadable" or "cut" on no connection, after all that could be read.
    """
    return _read(source, _CapturedLines, _WrittenLines, follow=follow, progress=progress)


def read_streams(
    source: Source, *, follow: bool = False, progress: Progress | None = None
) -> Iterator[StreamEvent]:
    r"""Give the bytes that went each way, whatever they mean, as they come; raises as `read_file`.

    A log, a play and JSON lines have no connections, so one is made up for each person, from
    `client` to `server`; lines end in `\r\n` there.
    """
    return _read(source, _CapturedBytes, _WrittenBytes, follow=follow, progress=progress)


def read_packets(
    source: Source, *, follow: bool = False, progress: Progress | None = None
) -> Iterator[Packet | Note]:
    """Give the packets of a capture; raises CaptureError if it is none, too."""
    return _read(source, _Packets, None, follow=follow, progress=progress)


# --- what is made of the bytes -------------------------------------------------------------------


class _Reader(ABC, Generic[_Item]):
    """Makes items of bytes: of a capture, or of text (`is_play` where the name of a file tells)."""

    @abstractmethod
    def __init__(self, *, is_play: bool | None) -> None:
        """Begin."""

    @abstractmethod
    def feed(self, data: bytes) -> Iterator[_Item]:
        """Give what `data` completes."""

    @abstractmethod
    def end(self) -> Iterator[_Item]:
        """Give what is left when nothing more comes."""

    def poll(self) -> Iterator[_Item]:
        """Give what can be given though more may come later."""
        return iter(())

    @property
    def found(self) -> bool:
        """Whether there was anything that could be read."""
        return True


class _CapturedLines(_Reader[Said | Note]):
    def __init__(self, *, is_play: bool | None) -> None:
        del is_play
        self._streams = StreamReader()
        self._conversation = Conversation(self._streams.ignore)

    def feed(self, data: bytes) -> Iterator[Said | Note]:
        hear = self._conversation.feed
        for event in self._streams.feed(data):
            yield from hear(event)

    def end(self) -> Iterator[Said | Note]:
        for event in self._streams.end():
            yield from self._conversation.feed(event)
        yield from self._conversation.end()


class _CapturedBytes(_Reader[StreamEvent]):
    def __init__(self, *, is_play: bool | None) -> None:
        del is_play
        self._streams = StreamReader()

    def feed(self, data: bytes) -> Iterator[StreamEvent]:
        return self._streams.feed(data)

    def end(self) -> Iterator[StreamEvent]:
        return self._streams.end()


class _Packets(_Reader[Packet | Note]):
    def __init__(self, *, is_play: bool | None) -> None:
        del is_play
        self._packets = PacketReader()

    def feed(self, data: bytes) -> Iterator[Packet | Note]:
        return iter(self._packets.feed(data))

    def end(self) -> Iterator[Packet | Note]:
        yield from self._packets.end()
        if self._packets.problem is not None:
            yield Note("unreadable", self._packets.problem, None, 0)


class _WrittenLines(_Reader[Said | Note]):
    def __init__(self, *, is_play: bool | None) -> None:
        self._text = TextReader(is_play=is_play)
        self._hearing = Hearing()

    def feed(self, data: bytes) -> Iterator[Said | Note]:
        return self._heard(self._text.feed(data))

    def end(self) -> Iterator[Said | Note]:
        return self._heard(self._text.end())

    def poll(self) -> Iterator[Said | Note]:
        return self._heard(self._text.poll())

    @property
    def found(self) -> bool:
        return self._text.found

    def _heard(self, items: Iterator[Entry | Note]) -> Iterator[Said | Note]:
        for item in items:
            yield self._hearing.hear(item) if isinstance(item, Entry) else item


class _WrittenBytes(_Reader[StreamEvent]):
    def __init__(self, *, is_play: bool | None) -> None:
        self._text = TextReader(is_play=is_play)
        self._streams: dict[tuple[int, str], Stream] = {}
        self._count = 0
        self._last = (0.0, 0)

    def feed(self, data: bytes) -> Iterator[StreamEvent]:
        return self._events(self._text.feed(data))

    def end(self) -> Iterator[StreamEvent]:
        yield from self._events(self._text.end())
        for stream in self._streams.values():
            yield Closed(stream, *self._last, "cut")

    def poll(self) -> Iterator[StreamEvent]:
        return self._events(self._text.poll())

    @property
    def found(self) -> bool:
        return self._text.found

    def _events(self, items: Iterator[Entry | Note]) -> Iterator[StreamEvent]:
        for item in items:
            if isinstance(item, Note):
                yield item
                continue
            person = item.actor or item.line.values().get("UIN", "").strip()
            stream = self._streams.get((item.stream, person))
            self._last = (item.time or self._last[0], item.frame)
            if stream is None:
                self._count += 1
                ends = (item.client or _ENDS[0], item.server or _ENDS[1])
                stream = Stream(self._count, ends, 0)
                self._streams[item.stream, person] = stream
                yield Opened(stream, *self._last)
                if len(self._streams) > _MOST_PEOPLE:
                    oldest = self._streams.pop(next(iter(self._streams)))
                    yield Closed(oldest, *self._last, "forgotten")
            way = 0 if item.sender is Role.CLIENT else 1
            yield Data(stream, way, *self._last, item.line.encode() + b"\r\n")


# --- where the bytes come from -------------------------------------------------------------------


def _read(
    source: Source,
    of_capture: type[_Reader[_Item]],
    of_text: type[_Reader[_Item]] | None,
    *,
    follow: bool,
    progress: Progress | None,
) -> Iterator[_Item | Note]:
    """Give what the reader that fits makes of the bytes of `source`."""
    with ExitStack() as stack:
        opened = _open(source, stack)
        name = opened.name
        pieces = _pieces(opened, follow=follow, progress=progress)
        start = _start(pieces)
        gunzip = Gunzip() if looks_like_gzip(start) else None
        if gunzip is not None:
            pieces = _unpacked(gunzip, chain([start], pieces))
            start = _start(pieces)
        reader = _reader(start, name, of_capture, of_text)
        for data in chain([start], pieces):
            yield from reader.feed(data) if data else reader.poll()
        yield from reader.end()
        problem = opened.loss or (None if gunzip is None else gunzip.problem)
        if opened.loss and not reader.found:
            raise CaptureError(opened.loss)
        if not reader.found:
            raise CaptureError(_nothing(name, start, problem))
        if problem is not None:
            yield Note("cut" if opened.loss else "unreadable", problem, None, 0)


def _reader(
    start: bytes,
    name: str,
    of_capture: type[_Reader[_Item]],
    of_text: type[_Reader[_Item]] | None,
) -> _Reader[_Item]:
    if looks_like_capture(start):
        return of_capture(is_play=None)
    if of_text is None:
        raise CaptureError(_nothing(name, start, None))
    return of_text(is_play=True if name.endswith((".kqq", ".kqq.gz")) else None)


def _nothing(name: str, start: bytes, problem: str | None) -> str:
    """Return why nothing could be read."""
    if not start:
        return f"{name} cannot be read: {problem}" if problem else f"{name} is empty"
    try:
        list(PacketReader().feed(start))
    except CaptureError as error:
        return f"{name}: {error}, and there is no text with lines of the protocol (VER=…&CMD=…)"
    return f"{name} holds no line of the protocol (VER=…&CMD=…)"


def _start(pieces: Iterator[bytes]) -> bytes:
    """Return the first bytes, enough to tell what they are; less only if there is no more."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) >= _MAGIC:
            break
    return start


def _unpacked(gunzip: Gunzip, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Give what is in gzip; nothing after the first problem."""
    for piece in pieces:
        if not piece:
            yield piece
        else:
            yield from gunzip.feed(piece)
        if gunzip.problem is not None:
            return
    gunzip.end()


class _Opened:
    """A source: its name for people, its bytes, and how many there are if that is known.

    `kept` are the path and the descriptor of what is a file, not a pipe or a device. `loss` says
    why no more can come to one that is followed.
    """

    def __init__(
        self,
        name: str,
        stream: Readable,
        size: int | None = None,
        kept: tuple[Path, int] | None = None,
    ) -> None:
        self.name = name
        self.stream = stream
        self.size = size
        self.loss = ""
        self._kept = kept

    def look(self, count: int) -> None:
        """Notice that a file of which `count` bytes were read is not what it was."""
        if self._kept is None:
            return
        path, number = self._kept
        about = os.fstat(number)
        if about.st_size < count:
            self.loss = (
                f"{self.name} was cut short to {about.st_size} bytes after {count} were read; "
                "what was there before is shown; follow it again to see what is there now"
            )
            return
        try:
            there = path.stat()
        except OSError:
            return  # nothing is called so now; who has it open may still write to it
        if not os.path.samestat(about, there):
            self.loss = (
                f"another file is called {self.name} now; "
                "what was in the one before is shown; follow it again to see the new one"
            )


def _open(source: Source, stack: ExitStack) -> _Opened:
    if source == "-":
        return _Opened("standard input", sys.stdin.buffer)
    if not isinstance(source, str | os.PathLike):
        return _Opened(str(getattr(source, "name", "the source")), source)
    path = Path(source)
    try:
        stream = stack.enter_context(path.open("rb"))
        about = os.fstat(stream.fileno())
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise CaptureError(f"{show(os.fsencode(path))} cannot be opened: {reason}") from error
    name = show(os.fsencode(path))
    if not S_ISREG(about.st_mode):
        return _Opened(name, stream)
    return _Opened(name, stream, about.st_size, (path, stream.fileno()))


def _pieces(opened: _Opened, *, follow: bool, progress: Progress | None) -> Iterator[bytes]:
    """Give the bytes as they come; with `follow` an empty piece wherever there are no more now."""
    read = getattr(opened.stream, "read1", opened.stream.read)
    count = 0
    while True:
        try:
            piece = read(_PIECE)
        except OSError as error:
            raise CaptureError(f"reading failed: {error.strerror or error}") from error
        if piece:
            count += len(piece)
            if progress is not None:
                progress(count, opened.size)
            yield piece
        elif opened.loss or not follow:
            return
        else:
            opened.look(count)
            if not opened.loss:  # else it may have grown before it was moved away
                yield b""
                time.sleep(_NAP)
