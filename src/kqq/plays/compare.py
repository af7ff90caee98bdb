"""A line that was expected beside one that came, field by field, with what the fields mean."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any

from kqq.protocol import Line, mask, show
from kqq.protocol.explain import explain
from kqq.protocol.schema import HEADS
from kqq.protocol.transcript import Statement, Template, known_places, match_places
from kqq.protocol.wire import mask_bytes

_HEAD = tuple(one.key for one in HEADS["reply"])
_FILLED_ON_READING = ("VER", "SEQ", "UIN")
"""Fields that count only if they are written, in a line written as fields."""
_MOST_SHOWN = 20  # lines that came besides
_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """One field: what was expected of it and what came, as on the wire, secrets masked.

    None means that the field is not there. `expected_meaning` and `meaning` say what the two values
    mean, as far as the catalogue knows. A key of "" is for what is no field, such as bytes in front
    of the line.
    """

    key: str
    expected: str | None
    got: str | None
    same: bool
    expected_meaning: str = ""
    meaning: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.key}: expected {_shown(self.expected)}, got {_shown(self.got)}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a performance went otherwise than a play says.

    `number` is the line of the play and `source` the statement there; or the last line, and "at the
    end". `why` says what happened, in words. `rows` compare a line that was expected with the one
    that came, all fields of both. `besides` are other lines that had come and were not told yet.
    """

    number: int
    source: str
    why: str
    rows: tuple[Row, ...] = ()
    besides: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it in words, a line for each thing."""
        rows = [f"  {row}" for row in self.rows if not row.same]
        return "\n".join(
            [
                f"line {self.number}: {self.source}",
                f"  {self.why}",
                *rows,
                *(f"  {line}" for line in self.besides),
            ]
        )

    def as_object(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "line": self.number,
            "statement": self.source,
            "why": self.why,
            "fields": [asdict(row) for row in self.rows],
            "besides": list(self.besides),
        }


class Differs(Exception):
    """A performance goes otherwise than the play says: `difference`."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(str(difference))
        self.difference = difference


def difference(
    statement: Statement, why: str, *, rows: Sequence[Row] = (), besides: Sequence[Line] = ()
) -> Difference:
    """Return a difference at a statement, with its secrets masked."""
    return Difference(
        statement.number, mask(statement.source), why, tuple(rows), shown_lines(besides)
    )


def shown_lines(lines: Sequence[Line]) -> tuple[str, ...]:
    """Return lines as text, secrets masked; of very many, the first."""
    shown = [mask(line.text) for line in lines[:_MOST_SHOWN]]
    more = len(lines) - len(shown)
    return (*shown, f"… and {more} more") if more else tuple(shown)


def compare(template: Template, line: Line, bound: Mapping[str, str]) -> tuple[Row, ...]:
    """Return the fields of a line that was expected beside those of one that came.

    Fields are put side by side by their keys, so that one that is missing moves no other.
    """
    expected, got, junk = _expected(template), _got(template, line), _junk(template)
    bound = dict(bound)  # what is seen here is kept by whoever decides
    filled = [(key, known_places(value, bound)) for key, value in expected]
    meanings = _meanings(filled, line), _meanings(line.pairs, line)

    def is_same(wanted: _Pair, came: _Pair | None) -> bool:
        if came is None:
            return False
        if template.exact is not None and _masked(wanted[0], "-") != "-":
            return True  # a recording has no secrets, so they are not compared
        found = match_places(wanted[1], came[1], bound)
        bound.update(found or {})
        return found is not None

    def row(wanted: _Pair | None, filled: _Pair | None, came: _Pair | None) -> Row:
        key = (wanted or came or ("", ""))[0]
        return Row(
            key,
            None if filled is None else _masked(*filled),
            None if came is None else _masked(*came),
            is_same(wanted, came) if wanted else bool(template.more),
            "" if filled is None else meanings[0].get(filled, ""),
            "" if came is None else meanings[1].get(came, ""),
        )

    rows = []
    if junk != line.junk:
        rows.append(Row("", show(junk), show(line.junk), same=False))
    matcher = SequenceMatcher(
        None, [key for key, _ in expected], [key for key, _ in got], autojunk=False
    )
    for kind, start, stop, got_start, got_stop in matcher.get_opcodes():
        if kind == "equal":
            for place, got_place in zip(
                range(start, stop), range(got_start, got_stop), strict=True
            ):
                rows.append(row(expected[place], filled[place], got[got_place]))
            continue
        rows += [row(expected[place], filled[place], None) for place in range(start, stop)]
        rows += [row(None, None, got[place]) for place in range(got_start, got_stop)]
    return tuple(rows)


def compare_words(pairs: Sequence[tuple[str, object, object]]) -> tuple[Row, ...]:
    """Return what was expected beside what came, where a statement says words and no fields."""
    return tuple(Row(key, str(one), str(other), one == other) for key, one, other in pairs)


def _expected(template: Template) -> list[_Pair]:
    if template.exact is not None:
        return Line.decode(template.exact).pairs
    if template.raw is not None:
        return Line(template.raw).pairs
    return list(template.fields)


def _got(template: Template, line: Line) -> list[_Pair]:
    if template.exact is not None or template.raw is not None:
        return line.pairs
    written = [key for key, _ in template.fields]
    return [pair for pair in line.pairs if pair[0] in written or pair[0] not in _FILLED_ON_READING]


def _junk(template: Template) -> bytes:
    return b"" if template.exact is None else Line.decode(template.exact).junk


def _masked(key: str, value: str) -> str:
    shown = f"{key}={value}".encode("utf-8", "surrogateescape")
    hidden = mask_bytes(shown)
    return value if hidden == shown else "***"


def _meanings(pairs: Sequence[_Pair], line: Line) -> dict[_Pair, str]:
    """Return what fields mean, in a line that has the head of `line` where they have none."""
    keys = {key for key, _ in pairs}
    head = [pair for pair in line.pairs if pair[0] in _HEAD and pair[0] not in keys]
    text = "&".join(f"{key}={value}" for key, value in [*head, *pairs])
    fields = explain(Line(text)).fields[len(head) :]
    return {pair: field.meaning for pair, field in zip(pairs, fields, strict=False)}


def _shown(value: str | None) -> str:
    return "nothing" if value is None else repr(value)
