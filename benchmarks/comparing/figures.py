"""What was measured, and whether the goals hold."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

SERVERS = ("kqq", "relay", "ejabberd", "prosody", "ngircd", "mosquitto")
PAST = "past"
"""Our server on a database with a long past, which is compared with `small`, the same without."""
SMALL = "small"


@dataclass(frozen=True, slots=True)
class Figure:
    """What one key stands for, in words of at most 60 signs."""

    what: str
    unit: str
    is_better_low: bool = False


FIGURES = {
    "w32": Figure("messages delivered a second, 32 in flight per sender", "/s"),
    "w32 cpu": Figure("processor time of the server for each of them", "us", is_better_low=True),
    "w1": Figure("messages delivered a second, 1 in flight per sender", "/s"),
    "w1 cpu": Figure("processor time of the server for each of them", "us", is_better_low=True),
    "p50": Figure("median latency at 2,000 messages a second", "ms", is_better_low=True),
    "p99": Figure("99th percentile of it", "ms", is_better_low=True),
    "memory": Figure("memory for an idle connection", "KiB", is_better_low=True),
    "tried": Figure("idle connections tried", ""),
    "held": Figure("idle connections held at once", ""),
    "alive": Figure("signs of life of these that were answered", "%"),
    "alive p99": Figure("99th percentile of the wait for it", "ms", is_better_low=True),
    "sign-ins": Figure("sign-ins a second", "/s"),
    "back": Figure("10,000 people back after a cold restart", "s", is_better_low=True),
    "calm": Figure("99th percentile of latency without a storm", "ms", is_better_low=True),
    "storm": Figure("99th percentile in a storm of slow sign-ins", "ms", is_better_low=True),
    "hashes": Figure("slow sign-ins a second meanwhile", "/s"),
    "polls": Figure("polls over HTTP a second", "/s"),
    "told": Figure("a status told to 200 friends", "ms", is_better_low=True),
    "told 5000": Figure("a status told to 5,000 friends", "ms", is_better_low=True),
    "quiet": Figure("a bystander's longest wait when nobody else speaks", "ms", is_better_low=True),
    "loop": Figure("the same while 5,000 friends are told", "ms", is_better_low=True),
    "store": Figure("messages a second stored for who is away", "/s"),
    "replay": Figure("messages a second told to who was away", "/s"),
    "pages": Figure("a bystander's longest wait while 5,000 friends are listed", "ms",
                    is_better_low=True),
}  # fmt: skip


@dataclass(slots=True)
class Figures:
    """All that was measured: for each key and server the values, in order."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)
    """What a reader must know: who is left out, and why; what disturbed."""
    machine: str = ""
    """What the figures depend on."""
    others: list[float] = field(default_factory=list)
    """Cores that other programs used while it was measured."""

    def add(self, key: str, server: str, *values: float) -> None:
        """Note what was measured."""
        if key not in FIGURES:
            raise KeyError(key)
        self.values[key, server] += values

    def middle(self, key: str, server: str) -> float | None:
        """Return the median, None if it was not measured."""
        values = self.values.get((key, server))
        return statistics.median(values) if values else None

    def worst(self, key: str, server: str) -> float | None:
        """Return the highest value, None if it was not measured."""
        return max(self.values.get((key, server)) or (), default=None)

    def span(self, key: str, server: str) -> tuple[float, float] | None:
        """Return the lowest and the highest value, None if there are not several."""
        values = self.values.get((key, server), [])
        return (min(values), max(values)) if len(values) > 1 else None

    def ratio(self, key: str, server: str, other: str) -> float | None:
        """Return by how much the median of one is that of another."""
        one, measure = self.middle(key, server), self.middle(key, other)
        return one / measure if one is not None and measure else None

    def measured(self) -> list[str]:
        """Return the keys of what was measured, in their order."""
        measured = {key for (key, _), values in self.values.items() if values}
        return [key for key in FIGURES if key in measured]

    def servers(self, keys: Iterable[str] = FIGURES) -> list[str]:
        """Return who was measured by any of the keys, in their order."""
        wanted = set(keys)
        found = {
            server for (key, server), values in self.values.items() if key in wanted and values
        }
        return [server for server in (*SERVERS, SMALL, PAST) if server in found]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One part of a goal; `measured` is None if that was not measured."""

    goal: int
    what: str
    measured: float | None
    wanted: float
    unit: str
    is_least: bool
    """Whether `wanted` is the least that will do; otherwise it is the most."""

    @property
    def holds(self) -> bool | None:
        """Whether the goal is reached; None if that was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.wanted if self.is_least else self.measured <= self.wanted

    @property
    def reached(self) -> float | None:
        """How much of the goal is reached: 1 is just that, 2 is twice as good."""
        if self.measured is None:
            return None
        low = 1e-9
        if self.is_least:
            return self.measured / self.wanted
        return self.wanted / max(self.measured, low)


_Kind = Literal["x", "/s", "ms", "s", "KiB", "", "%"]


def verdicts(figures: Figures, goals: Iterable[int] = range(1, 9)) -> list[Verdict]:
    """Return what is so of each goal, in their order."""
    wanted = set(goals)
    return [one for one in _verdicts(figures) if one.goal in wanted]


def _verdicts(figures: Figures) -> Iterator[Verdict]:
    def times(goal: int, key: str, other: str, wanted: float, what: str, *, least: bool) -> Verdict:
        return Verdict(goal, what, figures.ratio(key, "kqq", other), wanted, "x", least)

    def least(goal: int, key: str, wanted: float, unit: _Kind, what: str) -> Verdict:
        return Verdict(goal, what, figures.middle(key, "kqq"), wanted, unit, is_least=True)

    def most(goal: int, key: str, wanted: float, unit: _Kind, what: str) -> Verdict:
        return Verdict(goal, what, figures.middle(key, "kqq"), wanted, unit, is_least=False)

    yield times(1, "w32", "ejabberd", 5, "32 in flight, against ejabberd", least=True)
    yield times(1, "w32", "prosody", 7, "32 in flight, against Prosody", least=True)
    yield times(1, "w32", "relay", 0.3, "32 in flight, against the relay", least=True)
    yield times(2, "w1", "ejabberd", 3.5, "1 in flight, against ejabberd", least=True)
    yield times(2, "w1", "prosody", 8, "1 in flight, against Prosody", least=True)
    yield times(2, "w1", "relay", 0.5, "1 in flight, against the relay", least=True)
    yield times(3, "p50", "relay", 3, "2,000/s: median, against the relay", least=False)
    yield times(3, "p99", "ejabberd", 1, "2,000/s: 99 %, against ejabberd", least=False)
    yield most(4, "memory", 8, "KiB", "memory for an idle connection")
    many, tried = 50_000, figures.middle("tried", "kqq") or 0
    held = figures.middle("held", "kqq") if tried >= many else None
    yield Verdict(4, "idle connections held", held, many, "", is_least=True)
    yield least(4, "alive", 100, "%", "their signs of life answered")
    yield least(5, "sign-ins", 2000, "/s", "sign-ins with passwords of phones")
    yield most(5, "back", 20, "s", "10,000 back after a cold restart")
    storm, calm = figures.middle("storm", "kqq"), figures.middle("calm", "kqq")
    grown = storm / calm if storm is not None and calm else None
    yield Verdict(5, "storm of slow sign-ins: 99 %, against calm", grown, 2, "x", is_least=False)
    yield least(5, "polls", 3000, "/s", "polls over HTTP")
    yield times(6, "told", "relay", 2, "200 friends told, against the relay", least=False)
    held = figures.worst("loop", "kqq")
    yield Verdict(6, "5,000 friends told: longest hold", held, 10, "ms", is_least=False)
    yield least(7, "store", 15_000, "/s", "stored for who is away")
    yield least(7, "replay", 30_000, "/s", "told to who was away")
    for key, what, wanted in (("w32", "32 in flight", 0.9), ("w1", "1 in flight", 0.9),
                              ("p50", "2,000/s: median", 1.1),
                              ("p99", "2,000/s: 99 %", 1.1)):  # fmt: skip
        ratio, is_least = figures.ratio(key, PAST, SMALL), wanted < 1
        words = f"long past against none, {what}"
        yield Verdict(8, words, ratio, wanted, "x", is_least)
    held = figures.worst("pages", "kqq")
    yield Verdict(8, "5,000 friends listed: longest hold", held, 10, "ms", is_least=False)
