"""Figures of a capture, counted while it is read: who, what, when, how fast, what was odd.

Nothing here grows with the length of a capture: of names, commands and oddities only so many are
told apart, and times are counted in bins that grow wider.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from kqq.capture.events import Note, Said
from kqq.charts.cast import Cast, Who
from kqq.charts.counting import Bins, Times
from kqq.charts.sequence import Kind, kind_of, oddities
from kqq.charts.short import command_word
from kqq.protocol.catalogue import (
    ChangeStat,
    ChangeStat2,
    ChangeStat2Reply,
    ChangeStatReply,
    CltMsg,
    GetMsgExReply,
    Login,
    LoginReply,
    LogoutReply,
    QueryStat2Reply,
    QueryStatReply,
    ServerMsg,
    Status,
    UpdateStat,
)
from kqq.protocol.messages import Role
from kqq.protocol.schema import Request
from kqq.words import one_line

_PEOPLE = 2000
_PAIRS = 20_000
_COMMANDS = 100
_ODDITIES = 200
_NOTES = 50  # kinds; there are a dozen, but a file of JSON lines may say anything
_EXAMPLES = 5  # lines that an oddity names
_KEPT = 300  # odd lines kept from the middle of a long capture
_STREAMS = 100_000
_CHANGES = 300  # of the presence of one person
_WORDS = 300  # cells of an oddity
_FROM_A_PERSON = 9  # MT (HACK PHPQ)


@dataclass(slots=True)
class Person:
    """Somebody at a client's end: lines, messages, when and how."""

    lines: int = 0
    answers: int = 0
    sent: int = 0
    received: int = 0
    odd: int = 0
    first: float = 0.0
    last: float = 0.0
    over: set[str] = field(default_factory=set)


@dataclass(slots=True)
class CommandFigures:
    """One command, spelled as it was first: how often each kind of line, and the answers' times."""

    name: str
    meaning: str = ""
    counts: Counter[Kind] = field(default_factory=Counter)
    answered: int = 0
    times: Times = field(default_factory=Times)

    @property
    def total(self) -> int:
        """All its lines."""
        return self.counts.total()

    @property
    def unanswered(self) -> int:
        """Requests to which no answer was seen."""
        return max(self.counts[Kind.REQUEST] - self.answered, 0)


@dataclass(slots=True)
class Oddity:
    """Something odd: how often, and the numbers of the first lines."""

    count: int = 0
    numbers: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Lane:
    """The statuses of one person: when each began.

    `is_own` is true once the person was seen at a client's end; from then on it does not count what
    others are told, who take somebody hidden for offline.
    """

    changes: list[tuple[float, int]] = field(default_factory=list)
    is_own: bool = False
    stream: int = 0
    left_out: int = 0

    def change(self, at: float, status: int, *, own: bool) -> None:
        """Note a status, unless it is the one before, or others said it who do not know better."""
        if self.is_own and not own:
            return
        self.is_own |= own
        if self.changes and self.changes[-1][1] == status:
            return
        if len(self.changes) >= _CHANGES:
            self.left_out += 1
        else:
            self.changes.append((at, status))


class Kept(NamedTuple):
    """A line that is kept, and who was at its ends."""

    said: Said
    client: Who
    server: Who


class Figures:
    """What `kqq report` tells of a capture.

    `most` is how many lines are kept for the conversation, half of them from the beginning and half
    from the end; besides, the first lines with each oddity are kept. `names` are what to call
    people, by number.
    """

    def __init__(self, most: int = 1000, names: Mapping[int, str] = MappingProxyType({})) -> None:
        self.cast = Cast(names)
        self.lines = 0
        self.bytes = 0
        self.odd_lines = 0
        self.first: float | None = None
        self.last: float | None = None
        self.over: Counter[str] = Counter()
        self.kinds: Counter[Kind] = Counter()
        self.people: dict[Who, Person] = {}
        self.people_left_out = 0
        self.servers: set[Who] = set()
        self.pairs: Counter[tuple[Who, Who]] = Counter()
        self.commands: dict[str, CommandFigures] = {}
        self.times = Times()
        self.bins = Bins()
        self.lanes: dict[Who, Lane] = {}
        self.oddities: dict[str, Oddity] = {}
        self.oddities_left_out = 0
        self.notes: dict[str, list[Note]] = {}
        self.note_counts: Counter[str] = Counter()
        self._streams: set[int] = set()
        self._begin: list[Kept] = []
        self._end: deque[Kept] = deque(maxlen=max(most // 2, 1))
        self._odd: list[Kept] = []
        self._half = max(most - most // 2, 1)

    @property
    def has_times(self) -> bool:
        """Whether the source says when things were said; else `at` counts lines."""
        return self.first is not None

    @property
    def streams(self) -> int:
        """The number of connections, up to 100,000."""
        return len(self._streams)

    @property
    def messages(self) -> int:
        """Texts that people sent."""
        return self.pairs.total()

    @property
    def begin(self) -> float:
        """Where axes of time begin: a time, or the number of a line."""
        return 1.0 if self.first is None else self.first

    @property
    def end(self) -> float:
        """Where axes of time end, after `begin`."""
        if self.first is None or self.last is None:
            return max(float(self.lines), 2.0)
        return max(self.last, self.first + 0.001)

    def take_all(self, items: Iterable[Said | Note]) -> "Figures":
        """Take everything, and return these figures."""
        for item in items:
            self.take(item)
        return self

    def take(self, item: Said | Note) -> None:
        """Count a line or a note."""
        if isinstance(item, Note):
            self._take_note(item)
            return
        self.lines += 1
        at = self._time(item)
        kind = kind_of(item)
        size = len(item.line.text)
        self.bytes += size
        self.over[item.over] += 1
        self.kinds[kind] += 1
        if item.stream and len(self._streams) < _STREAMS:
            self._streams.add(item.stream)
        client, server = self.cast.meet(item)
        if len(self.servers) < _PEOPLE:
            self.servers.add(server)
        kept = Kept(item, client, server)
        odd = oddities(item)
        self._take_person(client, item, at, is_odd=bool(odd))
        self._take_command(item, kind)
        self.bins.add(at, kind.value, *(("odd",) if odd or kind is Kind.UNREADABLE else ()))
        self._take_presence(client, item, at)
        if odd or kind is Kind.UNREADABLE:
            self._take_odd(kept, odd)
        if len(self._begin) < self._half:
            self._begin.append(kept)
        else:
            self._end.append(kept)

    def _time(self, said: Said) -> float:
        """Return where on the axis of time a line stands."""
        if said.time is not None:
            if self.first is None:
                self.first = said.time
            self.first = min(self.first, said.time)
            self.last = said.time if self.last is None else max(self.last, said.time)
            return said.time
        return float(self.lines) if self.last is None else self.last

    def kept(self) -> list[Kept]:
        """Return the lines kept, in order of their numbers, each once."""
        by_number = {one.said.number: one for one in (*self._begin, *self._odd, *self._end)}
        return [by_number[number] for number in sorted(by_number)]

    # --- people ---

    def _take_person(self, who: Who, said: Said, at: float, *, is_odd: bool) -> None:
        person = self.people.get(who)
        if person is None:
            if len(self.people) >= _PEOPLE:
                self.people_left_out += 1
                return
            person = self.people[who] = Person(first=at)
        person.first, person.last = min(person.first, at), max(person.last, at)
        person.over.add(said.over)
        person.odd += is_odd
        message = said.message
        if said.sender is Role.CLIENT:
            person.lines += 1
            if isinstance(message, CltMsg):
                person.sent += 1
                pair = (who, self.cast.who(message.to))
                if pair in self.pairs or len(self.pairs) < _PAIRS:
                    self.pairs[pair] += 1
            return
        person.answers += 1
        if isinstance(message, ServerMsg):
            person.received += message.type == _FROM_A_PERSON
        elif isinstance(message, GetMsgExReply):
            texts = message.texts or ()
            kinds = message.types or (_FROM_A_PERSON,) * len(texts)
            person.received += sum(one == _FROM_A_PERSON for one in kinds[: len(texts)])

    # --- commands ---

    def _take_command(self, said: Said, kind: Kind) -> None:
        name = command_word(said, 40)
        key = name.lower()
        found = self.commands.get(key)
        if found is None:
            if len(self.commands) >= _COMMANDS:
                key, name = "", "…"
            found = self.commands.setdefault(key, CommandFigures(name))
        found.counts[kind] += 1
        spec = getattr(said.message, "spec", None)
        if isinstance(said.message, Request) or not found.meaning:
            found.meaning = _first_sentence(spec.doc) if spec is not None else found.meaning
        if isinstance(said.message, Request):
            found.name = said.message.command
        if said.request is not None:
            asked = self.commands.get(command_word(said.request, 40).lower(), found)
            asked.answered += 1
            if said.seconds is not None:
                self.times.add(said.seconds)
                asked.times.add(said.seconds)

    # --- presence ---

    def _take_presence(self, client: Who, said: Said, at: float) -> None:
        message = said.message
        asked = said.request.message if said.request is not None else None
        if isinstance(message, LoginReply):
            if message.result == 0:
                lane = self._lane(client)
                lane.stream = said.stream if said.over == "tcp" else 0
                lane.change(at, _wanted(asked), own=True)
        elif isinstance(message, LogoutReply):
            self._lane(client).change(at, Status.OFFLINE, own=True)
        elif isinstance(message, ChangeStatReply | ChangeStat2Reply):
            if isinstance(asked, ChangeStat | ChangeStat2):
                self._lane(client).change(at, asked.status, own=True)
        elif isinstance(message, UpdateStat):
            self._lane(self.cast.who(message.number)).change(at, message.status, own=False)
        elif isinstance(message, QueryStatReply | QueryStat2Reply):
            for number, status in zip(message.numbers, message.statuses, strict=False):
                self._lane(self.cast.who(number)).change(at, status, own=False)

    def _lane(self, who: Who) -> Lane:
        if who not in self.lanes and len(self.lanes) >= _PEOPLE:
            return Lane()  # of nobody
        return self.lanes.setdefault(who, Lane())

    # --- what is odd ---

    def _take_odd(self, kept: Kept, odd: list[str]) -> None:
        self.odd_lines += 1
        is_first = False
        for words in [one_line(one, _WORDS) for one in odd or [str(kept.said.message)]]:
            if words not in self.oddities and len(self.oddities) >= _ODDITIES:
                self.oddities_left_out += 1
                continue
            found = self.oddities.setdefault(words, Oddity())
            found.count += 1
            if len(found.numbers) < _EXAMPLES:
                found.numbers.append(kept.said.number)
                is_first = True
        if is_first and len(self._odd) < _KEPT:
            self._odd.append(kept)

    def _take_note(self, note: Note) -> None:
        kind = note.kind
        if kind not in self.notes and len(self.notes) >= _NOTES:
            kind = "…"
        self.note_counts[kind] += 1
        examples = self.notes.setdefault(kind, [])
        if len(examples) < _EXAMPLES:
            examples.append(note)
        if note.kind == "closed" and note.stream and note.time is not None:
            who = self.cast.on_stream(note.stream)
            lane = self.lanes.get(who) if who is not None else None
            if lane is not None and lane.stream == note.stream:
                lane.change(note.time, Status.OFFLINE, own=True)


def _first_sentence(doc: str) -> str:
    return " ".join(doc.split()).partition(". ")[0].rstrip(".") + "."


def _wanted(asked: object) -> int:
    """Return the status that a sign-in asks for."""
    if isinstance(asked, Login):
        if asked.status is not None:
            return asked.status
        if asked.login_status == Status.HIDDEN:
            return Status.HIDDEN
    return Status.ONLINE
