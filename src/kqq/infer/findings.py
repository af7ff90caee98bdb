"""What was found out about a protocol: everything a report says, with the numbers behind it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kqq.infer.cutting import Framed
from kqq.infer.framing import Counted
from kqq.infer.kinds import Proposal
from kqq.infer.parts import Blank, Divided
from kqq.infer.sample import Sample


class Fact(NamedTuple):
    """Something noticed of a field: `agree` of `of` cases are so; `detail` says what.

    | name | what it says | detail |
    |---|---|---|
    | constant | there is one value only | value |
    | choices | there are few values | values, with counts |
    | counter | one more than in the message before | |
    | steady | the same throughout a connection | values, how many there are |
    | echo | what the request said | field, exact |
    | counts | as many as a list has items | lists |
    | size | as many as another value has bytes | field |
    | list | items | least, most, told_by, beside |
    | same_as | numbers that another field has, too | field |
    | only_if | there only where another field has these values | field, values |
    | with | there where another field is, and only there | fields |
    | escapes | written with signs for signs | signs, with counts |
    | mixed | one form, or else a few words | kind, others |
    | form | all have one length, and some signs only | length, signs |
    """

    name: str
    agree: int
    of: int
    detail: dict[str, Any]


@dataclass(slots=True)
class Field:
    """One field: in how many of the messages it is, where in them, and what it holds."""

    name: str
    seen: int
    of: int
    place: float
    proposal: Proposal
    values: Counter[str] = field(repr=False)
    facts: list[Fact] = field(default_factory=list)

    def fact(self, name: str) -> Fact | None:
        """Return the fact of this name, if it was noticed."""
        return next((fact for fact in self.facts if fact.name == name), None)

    @property
    def is_optional(self) -> bool:
        """Whether some messages do without it."""
        return self.seen < self.of


@dataclass(slots=True)
class MessageKind:
    """Messages of one kind that one side sends.

    `role` is "request", "reply", "push" (sent unasked) or "message" (nobody can tell). `spellings`
    has how its name was written in the field `named_by`. `in_order` of `count` messages have their
    fields in one order. `answers` counts the kinds of request that these replies answered;
    `seconds` is how long that took, in the middle.
    """

    role: str
    name: str
    count: int
    spellings: Counter[str]
    fields: list[Field] = field(default_factory=list)
    in_order: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    seconds: float | None = None
    example: str = ""
    named_by: str = ""


class Naming(NamedTuple):
    """The field that tells kinds of messages apart, by who speaks; "" where there is none.

    `tried` has the best candidates: name, how much of the shape of messages it explains (0 to 1),
    and how many values it has. `by_echo`: for an end none did, but this is a word that replies
    repeat.
    """

    fields: dict[int, str]
    tried: list[tuple[str, float, int]]
    by_echo: bool = False


class Pairing(NamedTuple):
    """How a reply shows which request it answers: `field` has the same value, or by order ("").

    `agree` of `of` requests found their reply so. `tried` has other candidates and their share.
    """

    field: str
    agree: int
    of: int
    tried: list[tuple[str, float]]


@dataclass(slots=True)
class Findings:
    """All that was found out. `shared` has the fields of nearly all messages of a role."""

    sample: Sample
    framed: Framed
    divided: Divided
    naming: Naming
    pairing: Pairing | None
    shared: dict[str, list[Field]]
    kinds: list[MessageKind]
    junk: tuple[int, int]
    """Messages with bytes before their first name, and in how many these tell its length."""

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to find anything in."""
        return not self.divided.messages

    @property
    def found_something(self) -> bool:
        """Whether messages are known to be made of something: pairs, words, or counted bytes."""
        if self.is_empty:
            return False
        notation = self.divided.notation
        return not isinstance(notation, Blank) or any(
            isinstance(framing, Counted) for framing in self.framed.framings.values()
        )


def kinds_in(findings: Findings) -> set[str]:
    """Return the kinds proposed, and those of items in lists, for a legend."""
    found = [one for fields in findings.shared.values() for one in fields]
    found += [one for kind in findings.kinds for one in kind.fields]
    names = set()
    for one in found:
        outer, _, inner = one.proposal.kind.partition("(")
        names |= {outer, inner.removesuffix(")")} - {""}
    return names
