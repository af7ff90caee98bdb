"""TCP put together again: segments to bytes in order, each byte once.

A gap is closed by what arrives late, and declared lost when the other end acknowledges bytes behind
it, when too much waits, or when nothing helps for a while. Odd things become notes. What is held is
bounded for each connection and for all; connections long silent are forgotten.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kqq.capture.events import Closed, Data, End, Lost, Note, Opened, Stream
from kqq.capture.frames import BROKEN, FRAGMENTS, Frames, Segment
from kqq.capture.packets import PacketReader

StreamEvent = Opened | Data | Lost | Closed | Note

_WRAP = 1 << 32
_HALF = 1 << 31
_WINDOW = 1 << 26  # bytes ahead or behind that still belong to the same connection
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 16
_OPENING_OR_ENDING = _FIN | _SYN | _RST
_COMPARED = 1500  # bytes kept of what was last given, to compare what is sent again with it
_STRAYS = 3  # segments out of every window, after which this must be another connection
_CLOSED = 8192  # connections remembered to be over, so that late packets open no new ones
_SWEEP = 60.0  # seconds of the capture between looks for silent connections


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is held, and how long; seconds are those of the capture."""

    streams: int = 20_000  # open at once; then the longest silent are forgotten
    idle: float = 7200.0  # seconds of silence after which a connection is forgotten
    segments: int = 1024  # that wait behind a gap, of one direction
    held: int = 262_144  # bytes that wait behind a gap, of one direction
    held_by_all: int = 32 << 20
    patience: float = 60.0  # seconds after which what has not come is lost
    late: float = 60.0  # seconds after its end during which a connection's packets are late ones


class _Half:
    """What one end of a connection sends: `next` is the sequence number expected (-1 if unknown).

    `position` counts the bytes given or lost. Places in `pending` (place, bytes, bytes missing
    after them), `acked` and `fin` are counted in the same way.
    """

    __slots__ = ("acked", "connection", "fin", "held", "is_done", "last", "next", "pending",
                 "position", "since", "strays", "way")  # fmt: skip

    def __init__(self, connection: "_Connection", way: int) -> None:
        self.connection = connection
        self.way = way
        self.next = -1
        self.position = 0
        self.pending: list[tuple[int, bytes, int]] = []
        self.held = 0
        self.acked = 0
        self.fin: int | None = None
        self.is_done = False
        self.last = b""
        self.since = 0.0  # when the gap was first seen
        self.strays = 0

    @property
    def gap(self) -> int | None:
        """Where the gap in front of what waits ends; None if nothing waits behind one."""
        if self.pending:
            return self.pending[0][0]
        return self.fin if self.fin is not None and self.fin > self.position else None

    def advance(self, count: int) -> None:
        """Take that so many bytes, or the end, were given or lost."""
        self.position += count
        self.next = (self.next + count) & 0xFFFFFFFF


class _Connection:
    __slots__ = ("halves", "is_ignored", "seen", "stream")

    def __init__(self, stream: Stream, seen: float) -> None:
        self.stream = stream
        self.halves = (_Half(self, 0), _Half(self, 1))
        self.seen = seen
        self.is_ignored = False


class Reassembly:
    """Puts the connections of a capture together.

    Events come in the order in which packets complete them. A loss is a `Lost`; notes are about
    retransmissions, reordering and overlaps, and ports that are used again.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._halves: dict[tuple[End, End], _Half] = {}  # by source and target
        self._open: dict[int, _Connection] = {}
        self._over: dict[tuple[End, End], float] = {}
        self._count = 0
        self._held = 0
        self._clock = 0.0
        self._swept = 0.0
        # Of the segment at hand:
        self._time = 0.0
        self._frame = 0
        self._events: list[StreamEvent] = []

    def feed(self, segment: Segment) -> Sequence[StreamEvent]:
        """Return what a segment brings."""
        time, frame, source, target, seq, ack, flags, payload, missing = segment
        self._frame = frame
        if time > self._clock:
            self._clock = time
            if time - self._swept > _SWEEP:
                return [*self._sweep(segment), *self._feed(segment)]
        half = self._halves.get((source, target))
        if half is None or flags & _OPENING_OR_ENDING or missing:
            return self._feed(segment)
        connection = half.connection
        if connection.is_ignored:
            connection.seen = time
            return ()
        news = (ack - connection.halves[1 - half.way].next) & 0xFFFFFFFF
        if seq != half.next or half.pending or 0 < news < _HALF:
            return self._feed(segment)
        # From here on the segment is in order and acknowledges nothing unseen: nearly all are.
        connection.seen = time
        if not payload:
            return ()
        size = len(payload)
        half.next = (seq + size) & 0xFFFFFFFF
        half.position += size
        half.last = payload if size <= _COMPARED else payload[-_COMPARED:]
        return (Data(connection.stream, half.way, time, frame, payload),)

    def ignore(self, stream: Stream) -> None:
        """Give nothing more of `stream` but its end, and hold nothing of it."""
        connection = self._open.get(stream.number)
        if connection is not None and connection.stream is stream:
            connection.is_ignored = True
            for half in connection.halves:
                self._held -= half.held
                half.held = half.acked = 0
                half.pending.clear()
                half.fin, half.next, half.last = None, -1, b""

    def place(self, segment: Segment) -> tuple[Stream, int, int] | None:
        """Return to which stream a segment belongs, its way, and where in it the bytes stand.

        The place counts all bytes of this way, given and lost. A segment that opens a stream has
        one only after it was fed, one that ends it only before. None where it belongs to none, or
        nowhere near the others.
        """
        half = self._halves.get((segment.source, segment.target))
        if half is None or half.next == -1:
            return None
        ahead = (segment.seq + bool(segment.flags & _SYN) - half.next) & 0xFFFFFFFF
        if _WINDOW < ahead < _WRAP - _WINDOW:
            return None
        place = half.position + (ahead if ahead < _HALF else ahead - _WRAP)
        return half.connection.stream, half.way, place

    def end(self) -> Sequence[StreamEvent]:
        """Return what is left when no segment follows: what waited, what was lost, the ends."""
        self._events = []
        self._time = self._clock
        for connection in list(self._open.values()):
            self._close(connection, "cut")
        return self._events

    # --- one segment that is not simply the next -------------------------------------------------

    def _feed(self, segment: Segment) -> list[StreamEvent]:
        self._events = []
        self._time = segment.time
        self._take(segment)
        return self._events

    def _take(self, segment: Segment) -> None:
        flags = segment.flags
        half = self._halves.get((segment.source, segment.target))
        if flags & _SYN and not flags & _RST:
            half = self._synchronise(segment, half)
        elif half is None:
            half = self._join(segment)
        if half is None:
            return
        connection = half.connection
        connection.seen = segment.time
        if flags & _RST:
            self._close(connection, "reset")
            return
        if connection.is_ignored:
            half.is_done = half.is_done or bool(flags & _FIN)
        else:
            if half.next == -1:
                half.next = (segment.seq + bool(flags & _SYN)) & 0xFFFFFFFF
            if flags & _ACK:
                self._acknowledge(connection.halves[1 - half.way], segment.ack)
            if segment.payload or segment.missing or flags & _FIN:
                self._place(half, segment)
        is_over = connection.halves[0].is_done and connection.halves[1].is_done
        if is_over and connection.stream.number in self._open:
            self._close(connection, "closed")

    def _synchronise(self, segment: Segment, half: _Half | None) -> _Half | None:
        """Return the half that a SYN opens, or belongs to; None if it was sent again."""
        is_answer = bool(segment.flags & _ACK)
        if half is not None:
            if half.next == -1 and not half.connection.is_ignored:
                return half
            if (half.next - segment.seq - 1) & 0xFFFFFFFF == half.position & 0xFFFFFFFF:
                self._note(half, "retransmission", "the opening was sent again")
                return None
            self._replace(half)
        ends = (segment.source, segment.target)
        if is_answer:
            return self._begin((ends[1], ends[0]), 0).halves[1]
        return self._begin(ends, 0).halves[0]

    def _join(self, segment: Segment) -> _Half | None:
        """Return half of a connection first seen in its middle; None for what says nothing."""
        if segment.flags & _RST or not (segment.payload or segment.missing):
            return None
        ends = (segment.source, segment.target)
        over = self._over.get(ends)
        if over is not None and segment.time - over <= self._limits.late:
            return None
        return self._begin(ends, None).halves[0]

    def _begin(self, ends: tuple[End, End], opener: int | None) -> _Connection:
        if len(self._open) >= self._limits.streams:
            self._make_room()
        self._count += 1
        connection = _Connection(Stream(self._count, ends, opener), self._time)
        self._open[self._count] = connection
        for key, half in zip((ends, (ends[1], ends[0])), connection.halves, strict=True):
            self._halves[key] = half
            self._over.pop(key, None)
        self._events.append(Opened(connection.stream, self._time, self._frame))
        return connection

    def _acknowledge(self, half: _Half, ack: int) -> None:
        """Take that the other end has all that was sent before `ack`."""
        if half.next == -1:
            if half.connection.stream.opener is not None:
                half.next = ack
            return
        news = (ack - half.next) & 0xFFFFFFFF
        if 0 < news <= _WINDOW:
            half.acked = max(half.acked, half.position + news)
            while (end := half.gap) is not None and half.acked >= end:
                self._lose(half, end)

    def _place(self, half: _Half, segment: Segment) -> None:
        """Take what a segment carries, and the end, where they belong."""
        ahead = (segment.seq + bool(segment.flags & _SYN) - half.next) & 0xFFFFFFFF
        payload, missing = segment.payload, segment.missing
        if _WINDOW < ahead < _WRAP - _WINDOW:
            self._stray(half, segment)
            return
        half.strays = 0
        place = half.position + (ahead if ahead < _HALF else ahead - _WRAP)
        end = place + len(payload) + missing
        if segment.flags & _FIN and half.fin is None and end >= half.position:
            half.fin = end
        if place < half.position:
            payload, missing = self._again(half, half.position - place, payload, missing)
            place = half.position
        if payload or missing:
            if place > half.position and half.acked >= place and not half.pending:
                self._lose(half, place)
            if place > half.position:
                self._hold(half, place, payload, missing)
            else:
                self._give(half, payload, missing)
                if count := self._drain(half):
                    self._note(half, "reordered", f"{count} bytes came before what precedes them")
        self._finish(half)

    def _stray(self, half: _Half, segment: Segment) -> None:
        """Leave out what belongs nowhere; if that goes on, this is another connection."""
        half.strays += 1
        if half.strays < _STRAYS:
            words = f"{len(segment.payload)} bytes belong nowhere near the others; left out"
            self._note(half, "unreadable", words)
            return
        self._replace(half)
        self._take(segment)

    def _replace(self, half: _Half) -> None:
        words = "the ports are used for another connection; the end of this one is missing"
        self._note(half, "closed", words)
        self._close(half.connection, "forgotten")

    def _again(self, half: _Half, behind: int, payload: bytes, missing: int) -> tuple[bytes, int]:
        """Return what is new in bytes that begin so many before what is next."""
        size = len(payload) + missing
        if size <= 1 and behind == 1:
            return b"", 0  # asks whether the other end is alive
        old = payload[:behind]
        start = len(half.last) - behind
        words = f"{min(size, behind)} bytes were sent again"
        if behind > half.position:
            words = f"{min(size, behind)} bytes are from before the first that was seen; left out"
            self._note(half, "reordered", words)
        elif start >= 0 and half.last[start : start + len(old)] != old:
            self._note(half, "overlap", f"{words}, as others; the first are kept")
        elif size:
            self._note(half, "retransmission", words)
        return payload[behind:], max(min(missing, size - behind), 0)

    def _hold(self, half: _Half, place: int, payload: bytes, missing: int) -> None:
        """Keep what is ahead of a gap; give the gap up once too much waits, or too long."""
        limits, pending = self._limits, half.pending
        if not pending:
            half.since = self._time
        at = bisect_left(pending, (place,))
        if at < len(pending) and pending[at][0] == place:
            if len(pending[at][1]) >= len(payload):
                self._note(half, "retransmission", f"{len(payload)} bytes were sent again")
                return
            at += 1
        pending.insert(at, (place, payload, missing))
        half.held += len(payload)
        self._held += len(payload)
        while pending and (
            len(pending) > limits.segments
            or half.held > limits.held
            or self._held > limits.held_by_all
            or self._time - half.since > limits.patience
        ):
            self._lose(half, pending[0][0])
            half.since = self._time

    # --- what is given ---------------------------------------------------------------------------

    def _give(self, half: _Half, data: bytes, missing: int) -> None:
        """Give bytes that are next, and say how many after them are missing."""
        stream = half.connection.stream
        if data:
            self._events.append(Data(stream, half.way, self._time, self._frame, data))
            half.last = data[-_COMPARED:]
        if missing:
            self._events.append(Lost(stream, half.way, self._time, self._frame, missing))
            half.last = b""
        half.advance(len(data) + missing)

    def _lose(self, half: _Half, end: int) -> None:
        """Declare lost what should stand before `end`, and give what waited behind it."""
        self._give(half, b"", end - half.position)
        self._drain(half)
        self._finish(half)

    def _drain(self, half: _Half) -> int:
        """Give what waited and is next now; returns how many bytes that were."""
        given = 0
        while half.pending and half.pending[0][0] <= half.position:
            place, data, missing = half.pending.pop(0)
            half.held -= len(data)
            self._held -= len(data)
            old = half.position - place
            size = len(data) + missing
            if old < size:
                given += len(data[old:])
                self._give(half, data[old:], min(missing, size - old))
        return given

    def _finish(self, half: _Half) -> None:
        """Take the end of what one side sends, once all before it is there; it has a number."""
        if half.fin == half.position and not half.is_done:
            half.is_done = True
            half.advance(1)

    def _note(self, half: _Half, kind: str, words: str) -> None:
        connection = half.connection
        if not connection.is_ignored:
            number = connection.stream.number
            self._events.append(Note(kind, words, self._time, self._frame, number))

    # --- ends ------------------------------------------------------------------------------------

    def _close(self, connection: _Connection, how: str) -> None:
        """Give what is left of a connection, and forget it."""
        stream = connection.stream
        for half in connection.halves:
            while (end := half.gap) is not None:
                self._lose(half, end)
            if half.acked > half.position and not half.is_done:
                self._give(half, b"", half.acked - half.position)
        del self._open[stream.number]
        for key in (stream.ends, (stream.ends[1], stream.ends[0])):
            self._halves.pop(key, None)  # both are one where somebody speaks to himself
            if how != "forgotten":
                self._over[key] = self._time
        while len(self._over) > _CLOSED:
            del self._over[next(iter(self._over))]
        self._events.append(Closed(stream, self._time, self._frame, how))

    def _sweep(self, segment: Segment) -> list[StreamEvent]:
        """Forget the connections that have been silent for too long."""
        self._events = []
        self._swept = self._time = segment.time
        for connection in list(self._open.values()):
            if self._time - connection.seen > self._limits.idle:
                self._close(connection, "forgotten")
        return self._events

    def _make_room(self) -> None:
        """Forget a tenth of the connections, those silent for longest."""
        by_silence = sorted(self._open.values(), key=lambda connection: connection.seen)
        for connection in by_silence[: max(len(by_silence) // 10, 1)]:
            self._close(connection, "forgotten")


class StreamReader:
    """Streams from the bytes of a capture: packets, segments and connections in one.

    `feed` raises CaptureError if this is no capture at all. Whatever else is wrong is said in notes
    at the end, after all that could be read.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.packets = PacketReader()
        self._frames = Frames()
        self._reassembly = Reassembly(limits)

    def feed(self, data: bytes) -> Iterator[StreamEvent]:
        """Yield what `data` brings; must be exhausted before the next call."""
        segment, feed = self._frames.segment, self._reassembly.feed
        for packet in self.packets.feed(data):
            found = segment(packet)
            if found is not None:
                yield from feed(found)

    def ignore(self, stream: Stream) -> None:
        """Give nothing more of `stream` but its end."""
        self._reassembly.ignore(stream)

    def end(self) -> Iterator[StreamEvent]:
        """Yield what is left when the capture is over; must be exhausted."""
        for packet in self.packets.end():
            found = self._frames.segment(packet)
            if found is not None:
                yield from self._reassembly.feed(found)
        yield from self._reassembly.end()
        self._frames.end()
        for kind, count in self._frames.others.items():
            is_odd = kind in (BROKEN, FRAGMENTS)
            words = f"packets left out, {kind}: {count}"
            yield Note("unreadable" if is_odd else "foreign", words, None, 0)
        if self.packets.problem is not None:
            yield Note("cut", self.packets.problem, None, 0)
