"""What was expected beside what came, for people: field by field, in so many columns."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len, chop_cells, set_cell_size

from kqq.words import printable, tr

if TYPE_CHECKING:
    from kqq.plays.compare import Difference, Row

_NARROWEST = 40  # columns; in fewer nothing could be read
_KEYS = 12  # cells for keys at most
_MOST_LINES = 6  # of one value; the rest is cut
_GAP = "  "


def difference_lines(difference: "Difference", columns: int = 80) -> list[str]:
    """Return where a performance went otherwise, why, and the fields side by side.

    A field that differs has `≠` in front, and below it what its values mean where that is known.
    """
    place = tr("line {number}:").format(number=difference.number)
    lines = [*folded(f"{place} {difference.source}", columns, "    ")]
    lines += folded(difference.why, columns, "    ")
    if difference.rows:
        lines += ["", *_table(difference.rows, max(columns, _NARROWEST))]
    if difference.besides:
        lines += ["", tr("what else had come:")]
        lines += [line for one in difference.besides for line in folded(f"  {one}", columns)]
    return lines


def _table(rows: Sequence["Row"], columns: int) -> Iterator[str]:
    keys = min(max(cell_len(printable(row.key)) for row in rows), _KEYS)
    width = (columns - 2 - keys - 2 * len(_GAP)) // 2
    yield _row("  ", "", (tr("expected"), tr("got")), keys, width)
    for row in rows:
        mark = "  " if row.same else "≠ "
        values = [_cut(chop_cells(_value(one), width)) for one in (row.expected, row.got)]
        heads = (mark, printable(row.key))
        for left, right in zip_longest(*values, fillvalue=""):
            yield _row(*heads, (left, right), keys, width)
            heads = ("  ", "")
        if not row.same:
            meanings = [printable(one) for one in (row.expected_meaning, row.meaning)]
            if meanings[0] == meanings[1]:
                meanings[1] = ""
            for left, right in zip_longest(*(wrap(one, width) for one in meanings), fillvalue=""):
                yield _row("  ", "", (left, right), keys, width)


def _row(mark: str, key: str, values: Sequence[str], keys: int, width: int) -> str:
    left, right = values
    line = f"{mark}{set_cell_size(key, keys)}{_GAP}{set_cell_size(left, width)}{_GAP}{right}"
    return line.rstrip()


def _value(value: str | None) -> str:
    return tr("(nothing)") if value is None else printable(value) or " "


def _cut(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], "…"]


def folded(text: str, columns: int, indent: str = "") -> Iterator[str]:
    """Give a text, made printable, in lines of so many columns; further ones are indented."""
    text = printable(text)
    first, *rest = chop_cells(text, columns) or [""]
    yield first
    room = columns - len(indent)
    yield from (f"{indent}{line}" for line in chop_cells("".join(rest), room) if rest)
