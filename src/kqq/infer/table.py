"""The messages of one kind as a table: a field a column, and the order that fields stand in."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from kqq.infer.findings import Field
from kqq.infer.kinds import Proposal
from kqq.infer.parts import Message

Column = list[str | None]
"""The value of a field in each message, None where it is missing."""
_MOST_FIELDS = 120  # of one kind of message
_SHAPES = 12  # that are asked for the order of fields
_CHECKED = 100  # shapes of which it is said whether they have that order
_LONGEST = 30  # names of a shape that are compared


class Table:
    """Messages, and their fields in columns. A field that comes twice counts where it is first."""

    def __init__(self, messages: Sequence[Message], only: Iterable[str] | None = None) -> None:
        """Take `messages`, and of their fields those in `only`, if it is given."""
        self.peers = [message.peer for message in messages]
        self.shapes = Counter(message.names for message in messages)
        self.columns: dict[str, Column] = {}
        wanted = None if only is None else set(only)
        places: Counter[str] = Counter()
        for row, message in enumerate(messages):
            for place, (name, value) in enumerate(zip(message.names, message.values, strict=True)):
                column = self.columns.get(name)
                if column is None:
                    is_wanted = wanted is None or name in wanted
                    if not is_wanted or len(self.columns) >= _MOST_FIELDS:
                        continue
                    column = self.columns[name] = [None] * len(messages)
                if column[row] is None:
                    column[row] = value
                    places[name] += place
        self.fields = {
            name: _field(name, column, places[name]) for name, column in self.columns.items()
        }

    def in_order(self) -> list[Field]:
        """Return the fields as they stand in messages, of which each may have only some."""
        before: dict[str, set[str]] = defaultdict(set)
        for shape, _ in self.shapes.most_common(_SHAPES):
            names = [name for name in dict.fromkeys(shape) if name in self.fields]
            for one, other in pairwise(names):
                if not _must_precede(before, other, one):
                    before[other].add(one)
        left = sorted(self.fields, key=lambda name: self.fields[name].place)
        ordered: list[Field] = []
        done: set[str] = set()
        while left:
            name = next(name for name in left if before[name] <= done)
            left.remove(name)
            done.add(name)
            ordered.append(self.fields[name])
        return ordered


def _field(name: str, column: Column, places: int) -> Field:
    values = Counter(value for value in column if value is not None)
    seen = values.total()
    return Field(name, seen, len(column), places / seen, Proposal("TEXT", seen, seen), values)


def _must_precede(before: Mapping[str, set[str]], one: str, other: str) -> bool:
    """Whether `one` is among those that stand before `other`, directly or not."""
    open_names, seen = [other], set()
    while open_names:
        name = open_names.pop()
        if name == one:
            return True
        if name not in seen:
            seen.add(name)
            open_names += before.get(name, ())
    return False


def count_in_order(messages: Sequence[Message]) -> int:
    """Return how many messages have their fields in the order that most have them in.

    That is the order of frequent shapes; others agree if no two fields stand the other way round.
    """
    after: set[tuple[str, str]] = set()
    agree = 0
    for shape, count in Counter(message.names for message in messages).most_common(_CHECKED):
        names = shape[:_LONGEST]
        pairs = {(a, b) for place, a in enumerate(names) for b in names[place + 1 :] if a != b}
        if not any((b, a) in after for a, b in pairs):
            agree += count
            after |= pairs
    return agree
