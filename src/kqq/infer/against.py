"""What was inferred beside what the catalogue says; no other module here knows the protocol."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from kqq.infer.findings import Field, Findings, MessageKind
from kqq.protocol import catalogue  # noqa: F401  # it fills the tables
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES
from kqq.protocol.schema import Field as Declared
from kqq.protocol.schema import Spec

_EXAMPLES = 4


class Compared(NamedTuple):
    """One field of the catalogue that occurs, and what was inferred of it.

    `command` is "" for the fields that a role's messages share: they are declared but once.
    """

    role: str
    command: str
    key: str
    declared: str
    inferred: str
    values: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether the kind is the catalogue's."""
        return self.declared == self.inferred


@dataclass(slots=True)
class Comparison:
    """All fields of the catalogue that occur, and what it does not explain.

    `unknown_kinds` are messages it has no command for, `unknown_fields` are (message, field,
    examples), `unreadable` are (message, field, values that break the kind declared), `other_codes`
    are (message, field, values) beyond those that it names. `absent` are commands that did not
    occur, as (role, command).
    """

    compared: list[Compared] = field(default_factory=list)
    unknown_kinds: list[MessageKind] = field(default_factory=list)
    unknown_fields: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    unreadable: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    other_codes: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    absent: list[tuple[str, str]] = field(default_factory=list)

    @property
    def misses(self) -> list[Compared]:
        """The fields whose kind was inferred otherwise."""
        return [one for one in self.compared if not one.agrees]

    @property
    def share(self) -> float:
        """The part of fields whose kind was rediscovered, 0 to 1."""
        return 1 - len(self.misses) / len(self.compared) if self.compared else 0.0


def compare(findings: Findings) -> Comparison:
    """Return what the catalogue and the findings say of the same fields.

    Kinds are compared as they are named. A kind of messages is looked up by its name, whichever
    field that was found in.
    """
    comparison = Comparison()
    shared: dict[tuple[str, str], Compared] = {}
    met: set[tuple[str, str]] = set()
    for kind in findings.kinds:
        specs = list(_specs(kind))
        if not specs:
            comparison.unknown_kinds.append(kind)
            continue
        met |= {(spec.role, spec.command.lower()) for spec in specs}
        own = {one.key: one for spec in specs for one in spec.fields}
        head = {one.key: one for spec in specs for one in spec.head}
        role = specs[0].role
        for seen in [*findings.shared.get(kind.role, []), *kind.fields]:
            declared = own.get(seen.name) or head.get(seen.name)
            if declared is None:
                if seen in kind.fields and seen.name:
                    comparison.unknown_fields.append((_name(kind), seen.name, _some(seen.values)))
                continue
            one = _compared(role, specs[0].command, declared, seen)
            if seen.name in own:
                comparison.compared.append(one)
                if seen in kind.fields:
                    _check(comparison, _name(kind), declared, seen.values)
                continue
            place, one = (role, seen.name), one._replace(command="")
            if place not in shared:
                _check(comparison, role, declared, seen.values)
            # What is not shared by all is right only if it is right wherever it stands.
            if place not in shared or not one.agrees:
                shared[place] = one
    comparison.compared = [*shared.values(), *comparison.compared]
    declared_all = [*REQUESTS.values(), *(spec for forms in RESPONSES.values() for spec in forms)]
    comparison.absent = sorted(
        {(spec.role, spec.command) for spec in declared_all
         if (spec.role, spec.command.lower()) not in met}
    )  # fmt: skip
    return comparison


def _specs(kind: MessageKind) -> Iterator[Spec]:
    """Yield what the catalogue has for a kind of message."""
    name = kind.name or _only_command(kind)
    if kind.role in ("request", "message") and name in REQUESTS:
        yield REQUESTS[name]
    if kind.role != "request":
        yield from RESPONSES.get(name, ())
    if not name:
        keys = {field.name for field in kind.fields}
        yield from (spec for key, spec in DOCUMENTS.items() if key in keys)


def _only_command(kind: MessageKind) -> str:
    """Return the command of all messages, where there is but one and so nothing told kinds apart.

    Its key is known here, if nowhere else.
    """
    found = [field for field in kind.fields if field.name == "CMD" and len(field.values) == 1]
    return next(iter(found[0].values)).lower() if found else ""


def _compared(role: str, command: str, declared: Declared, seen: Field) -> Compared:
    kind = seen.proposal.kind
    return Compared(role, command, declared.key, declared.kind.name, kind, _some(seen.values))


def _check(comparison: Comparison, where: str, declared: Declared, values: Iterable[str]) -> None:
    """Note values that the declared kind cannot read, and codes that it does not name."""
    broken, others = [], []
    for value in values:
        try:
            read = declared.kind.parse(value)
        except ValueError:
            broken.append(value)
            continue
        codes = read if isinstance(read, tuple) else (read,)
        if declared.values and any(str(code) not in declared.values for code in codes if code):
            others.append(value)
    if broken:
        comparison.unreadable.append((where, declared.key, _some(broken)))
    if others:
        comparison.other_codes.append((where, declared.key, _some(others)))


def _name(kind: MessageKind) -> str:
    return f"{kind.role} {kind.spellings.most_common(1)[0][0] or kind.name}"


def _some(values: Iterable[str]) -> tuple[str, ...]:
    found = []
    for value in values:
        found.append(value)
        if len(found) == _EXAMPLES:
            break
    return tuple(found)
