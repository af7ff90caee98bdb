"""Who said what to whom, as rows between lifelines: what every diagram is drawn from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from kqq.capture.events import Note, Said
from kqq.charts.cast import Cast, Who
from kqq.charts.short import command_word, short_words
from kqq.charts.statements import done
from kqq.charts.times import day, duration
from kqq.protocol.catalogue import LoginReply
from kqq.protocol.messages import Role
from kqq.protocol.schema import Failure, Push, Unreadable
from kqq.words import one_line, tr

_SHOWN = {"opened", "closed", "lost", "cut", "unreadable"}
"""Kinds of notes that have a row; the others are about packets."""
_QUIET = 60.0  # seconds of silence that get a row
_FOOTNOTES = 20
_MARKS = 5  # of one arrow
_WORDS = 200  # cells of a footnote or remark


class Kind(Enum):
    """What an arrow is."""

    REQUEST = "request"
    REPLY = "reply"
    REFUSAL = "refusal"
    PUSH = "push"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Lifeline:
    """One end: what to call it, and its number or address ("" for none)."""

    name: str
    detail: str
    is_server: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line that was said; `source` and `target` are places among the lifelines.

    `number` is 0 and `command` is "" for what a play says in words of its own. `seconds` is how
    long an answer took. `marks` are numbers of footnotes, from 1.
    """

    number: int
    time: float | None
    source: int
    target: int
    kind: Kind
    command: str
    words: str
    over: str
    seconds: float | None = None
    marks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """Words about the lifelines `first` to `last`: a connection, a silence, a new day."""

    first: int
    last: int
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A diagram before it is drawn; all its texts are printable and on one line each.

    `more` lines are left out after the last row. `footnotes` say what is odd; the marks of arrows
    count them from 1. `start` is the time of the first line, None where the source has no times.
    """

    title: str
    lifelines: tuple[Lifeline, ...]
    rows: tuple[Arrow | Remark, ...]
    footnotes: tuple[str, ...]
    more: int
    start: float | None

    @property
    def arrows(self) -> list[Arrow]:
        """The rows that are lines."""
        return [row for row in self.rows if isinstance(row, Arrow)]


@dataclass(slots=True)
class _Row:
    """A row whose ends have no places yet; `ends` is empty for one about everybody."""

    ends: tuple[Who, ...]
    row: Arrow | Remark
    stream: int = 0


def kind_of(said: Said) -> Kind:
    """Return what an arrow for this is."""
    message = said.message
    if isinstance(message, Unreadable):
        return Kind.UNREADABLE
    if said.sender is Role.CLIENT:
        return Kind.REQUEST
    if isinstance(message, Push):
        return Kind.PUSH
    is_refused = isinstance(message, LoginReply) and message.result != 0
    return Kind.REFUSAL if is_refused or isinstance(message, Failure) else Kind.REPLY


def oddities(said: Said) -> list[str]:
    """Return what is odd, besides why an unreadable line is unreadable."""
    message = said.message
    known = set(map(str, message.problems)) if isinstance(message, Unreadable) else set()
    return [odd for odd in said.odd if odd not in known]


def _said_of_capture(note: Note) -> str:
    if note.kind == "opened":
        return tr("connects")
    if note.kind == "closed":
        return tr("connection reset") if "reset" in note.words else tr("connection closed")
    return note.words


def sequence(
    items: Iterable[Said | Note],
    *,
    most: int = 100,
    most_people: int = 10,
    title: str = "",
    names: Mapping[int, str] = MappingProxyType({}),
) -> Chart:
    """Return a diagram of the first `most` lines.

    Of more than `most_people` those who said least share one lifeline. Servers stand in the middle
    of the people, who are in order of appearance. `names` are what to call people, by number.
    """
    drawing = _Drawing(most, Cast(names))
    for item in items:
        drawing.take(item)
    return drawing.chart(one_line(title, _WORDS), most_people)


class _Drawing:
    """A diagram in the making."""

    def __init__(self, most: int, cast: Cast) -> None:
        self._most = most
        self._cast = cast
        self._rows: list[_Row] = []
        self._footnotes: dict[str, int] = {}
        self._lines = 0
        self._start: float | None = None
        self._last: float | None = None
        self._over: dict[int, str] = {}
        self._notes = 0

    def take(self, item: Said | Note) -> None:
        if isinstance(item, Note) and item.kind == "statement":
            self._take_statement(item.words)
            return
        if isinstance(item, Note):
            if item.kind in _SHOWN and self._lines < self._most > self._notes:
                self._notes += 1
                words = one_line(_said_of_capture(item), _WORDS)
                self._rows.append(_Row((), Remark(0, 0, words), item.stream))
            return
        self._lines += 1
        if self._lines > self._most:
            return
        if item.time is not None:
            self._pass_time(item.time)
        self._over[item.stream] = item.over
        client, server = self._cast.meet(item)
        ends = (client, server) if item.sender is Role.CLIENT else (server, client)
        arrow = Arrow(
            item.number,
            item.time,
            0,
            0,
            kind_of(item),
            command_word(item),
            short_words(item, self._cast.called),
            item.over,
            item.seconds,
            tuple(dict.fromkeys(map(self._mark, oddities(item))))[:_MARKS],
        )
        self._rows.append(_Row(ends, arrow))

    def _take_statement(self, source: str) -> None:
        """Draw what somebody does in a play, though it is no line."""
        did = done(source, self._cast)
        self._lines += 1
        if self._lines > self._most:
            return
        words = one_line(did.words, _WORDS)
        ends: tuple[Who, ...] = (("actor", did.actor), ("server", "")) if did.actor else ()
        if not did.way:
            self._rows.append(_Row(ends[:1], Remark(0, 0, words)))
            return
        kind = Kind.REQUEST if did.way == ">" else Kind.PUSH
        arrow = Arrow(0, None, 0, 0, kind, "", words, "tcp")
        self._rows.append(_Row(ends if did.way == ">" else ends[::-1], arrow))

    def _pass_time(self, time: float) -> None:
        """Say what time passed since the last line, if it was long."""
        if self._last is None:
            self._start = time
        else:
            quiet = time - self._last
            date = day(time)
            if date != day(self._last):
                self._rows.append(_Row((), Remark(0, 0, date)))
            elif quiet >= _QUIET:
                words = tr("{duration} later").format(duration=duration(quiet))
                self._rows.append(_Row((), Remark(0, 0, words)))
        self._last = time

    def _mark(self, odd: str) -> int:
        words = one_line(odd, _WORDS)
        if words not in self._footnotes and len(self._footnotes) >= _FOOTNOTES - 1:
            words = tr("something else is odd")
        return self._footnotes.setdefault(words, len(self._footnotes) + 1)

    def chart(self, title: str, most_people: int) -> Chart:
        same = self._merged()
        counts: Counter[Who] = Counter()
        for row in self._rows:
            row.ends = tuple(same.get(end, end) for end in row.ends)
            counts.update(row.ends)
        people = [who for who in counts if who[0] != "server"]
        servers = [who for who in counts if who[0] == "server"]
        others: list[Who] = []
        if len(people) > most_people:
            kept = set(sorted(people, key=lambda who: -counts[who])[: most_people - 1])
            others = [who for who in people if who not in kept]
            people = [who for who in people if who in kept]
        half = (len(people) + 1) // 2
        left, right = people[:half], people[half:]
        order = [*left, *servers, *right]
        places = {who: place for place, who in enumerate(order)}
        lifelines = [
            Lifeline(self._cast.name(who), self._cast.detail(who), who[0] == "server")
            for who in order
        ]
        if others:
            places |= dict.fromkeys(others, len(lifelines))
            words = tr("{count} others").format(count=len(others))
            lifelines.append(Lifeline(words, "", is_server=False))
        rows = tuple(
            placed for row in self._rows if (placed := self._placed(row, places, same)) is not None
        )
        more = max(self._lines - self._most, 0)
        return Chart(title, tuple(lifelines), rows, tuple(self._footnotes), more, self._start)

    def _merged(self) -> dict[Who, Who]:
        """Return whose the lines without a number are: of the only person at that address."""
        at: dict[str, set[Who]] = {}
        for row in self._rows:
            for who in row.ends:
                if who[0] == "uin":
                    at.setdefault(self._cast.address(who), set()).add(who)
        return {("end", host): next(iter(who)) for host, who in at.items() if len(who) == 1}

    def _placed(
        self, row: _Row, places: Mapping[Who, int], same: Mapping[Who, Who]
    ) -> Arrow | Remark | None:
        """Return a row with its places; None for a note about a single post over HTTP."""
        found = row.row
        if isinstance(found, Arrow):
            source, target = (places[end] for end in row.ends)
            return replace(found, source=source, target=target)
        if row.stream and self._over.get(row.stream) == "http":
            return None
        who = self._cast.on_stream(row.stream) if row.stream else next(iter(row.ends), None)
        place = places.get(same.get(who, who)) if who else None
        if place is None:
            return Remark(0, max(places.values(), default=0), found.words)
        return Remark(place, place, found.words)
