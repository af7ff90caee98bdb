"""A bounded sample of what was said: whole connections, chosen evenly, each from its beginning.

What comes may be larger than memory. Each connection has a rank that depends on its number only;
once the sample is full, those of the highest rank are given up, and no connection above them is
taken again. So which ones stay says nothing about when they came.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from kqq.capture.events import Closed, Data, Lost, Note, Opened, Stream

StreamEvent = Opened | Data | Lost | Closed | Note
CLIENT, SERVER = 0, 1
"""Who speaks, as all of `kqq.infer` counts them: the client is whose end opened the connection."""
BUDGET = 4 << 20
"""Bytes that are looked at, if nobody says otherwise."""
_OF_ONE = 4
"""One connection may have this part of the sample: a long one is not all there is."""
_OF_PIECE = 128
"""Bytes that a piece is counted for besides its own; many tiny ones must not fill memory."""
_MIX = 0x9E3779B97F4A7C15  # an odd number without a pattern; its products are spread evenly


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that one end sent in one go; `after_gap` if bytes before it are missing."""

    who: int
    time: float
    data: bytes = field(repr=False)
    after_gap: bool = False


@dataclass(slots=True)
class Talk:
    """One connection of the sample; `is_cut` if only its beginning is here.

    `from_start` is False where the capture begins in its middle: the first bytes of each end may
    then be the rest of something. `client` is the address of the client, without its port.
    """

    number: int
    from_start: bool
    client: str = ""
    pieces: list[Piece] = field(default_factory=list)
    size: int = 0
    is_cut: bool = False


@dataclass(slots=True)
class Sample:
    """The connections looked at, and how many connections and bytes there were in all."""

    talks: list[Talk]
    connections: int
    size: int
    whole: int

    @property
    def is_all(self) -> bool:
        """Whether all bytes there were are in the sample."""
        return self.size == self.whole


def gather(events: Iterable[StreamEvent], *, budget: int = BUDGET) -> Sample:
    """Return a sample of at most `budget` bytes; it takes only a little more memory than that."""
    return _Gathering(budget).gather(events)


class _Gathering:
    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._talks: dict[int, Talk] = {}
        self._clients: dict[int, int] = {}
        self._gaps: set[tuple[int, int]] = set()
        self._ranks: list[tuple[int, int]] = []  # a heap, the highest rank first
        self._ceiling = 1 << 64
        self._cost = 0

    def gather(self, events: Iterable[StreamEvent]) -> Sample:
        """Return the sample of these events."""
        connections = whole = 0
        for event in events:
            if isinstance(event, Data):
                whole += len(event.data)
                self._take(event)
            elif isinstance(event, Opened):
                connections += 1
            elif isinstance(event, Lost) and event.stream.number in self._talks:
                self._gaps.add((event.stream.number, event.way))
        talks = [self._talks[number] for number in sorted(self._talks)]
        size = sum(talk.size for talk in talks)
        return Sample(talks, max(connections, len(talks)), size, whole)

    def _take(self, event: Data) -> None:
        stream = event.stream
        talk = self._talks.get(stream.number)
        if talk is None:
            if _rank(stream.number) >= self._ceiling:
                return
            client = self._clients[stream.number] = _client(stream, event.way)
            talk = Talk(stream.number, stream.opener is not None, stream.ends[client].host)
            self._talks[stream.number] = talk
            heapq.heappush(self._ranks, (-_rank(stream.number), stream.number))
        room = max(0, self._budget // _OF_ONE - _cost(talk))
        data = event.data[:room]
        if talk.is_cut or len(data) < len(event.data):
            talk.is_cut = True
            if not data:
                return
        gap = (stream.number, event.way)
        who = CLIENT if event.way == self._clients[stream.number] else SERVER
        talk.pieces.append(Piece(who, event.time, data, gap in self._gaps))
        self._gaps.discard(gap)
        talk.size += len(data)
        self._cost += len(data) + _OF_PIECE
        while self._cost > self._budget and len(self._talks) > 1:
            self._give_up()

    def _give_up(self) -> None:
        """Forget the connection of the highest rank."""
        rank, number = heapq.heappop(self._ranks)
        self._ceiling = -rank
        talk = self._talks.pop(number)
        del self._clients[number]
        self._gaps -= {(number, 0), (number, 1)}
        self._cost -= _cost(talk)


def _cost(talk: Talk) -> int:
    return talk.size + _OF_PIECE * len(talk.pieces)


def _rank(number: int) -> int:
    mixed = (number * _MIX) & ((1 << 64) - 1)
    return mixed ^ (mixed >> 29)


def _client(stream: Stream, speaker: int) -> int:
    """Return which end is the client: who opened, else the higher port, else who speaks first."""
    if stream.opener is not None:
        return stream.opener
    ports = [end.port for end in stream.ends]
    return speaker if ports[0] == ports[1] else ports.index(max(ports))
