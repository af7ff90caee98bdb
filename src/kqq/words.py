"""How things look on a terminal: names of statuses, text that cannot do harm, exit codes."""

import unicodedata
from enum import IntEnum
from textwrap import wrap

from rich.cells import cell_len, set_cell_size

from kqq.protocol import Status
from kqq.protocol.explain import ExplainedField, Explanation

_NARROWEST, _WIDEST = 60, 100  # columns; in fewer nothing could be read
_KEYS = 24  # columns for keys, at most; the longest known has 20
_VALUES = 18  # columns for values; wider ones have a line of their own
_STATUS_NAMES = {status.value: status.name.lower().replace("_", "-") for status in Status}


class Exit(IntEnum):
    """What the exit codes of `kqq` mean."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NO_CONNECTION = 3
    INTERRUPTED = 130  # as shells have it


def status_name(code: int) -> str:
    """Return the name of a status code, such as `away` or `do-not-disturb`."""
    return _STATUS_NAMES.get(code, str(code))


def printable(text: str, *, lines: bool = False) -> str:
    """Return `text` with signs that could steer a terminal made visible.

    Messages come from strangers. With `lines`, line breaks stay; CR LF is one of them.
    """
    if lines:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    shown = []
    for sign in text:
        keeps = (sign == "\n" and lines) or unicodedata.category(sign) not in (
            "Cc",
            "Cs",
            "Zl",
            "Zp",
        )
        if keeps and sign not in _DIRECTION:
            shown.append(sign)
        else:
            code = ord(sign)
            code -= 0xDC00 if 0xDC80 <= code <= 0xDCFF else 0  # a byte that was no UTF-8
            shown.append(f"\\u{code:04x}" if code > 255 else f"\\x{code:02x}")
    return "".join(shown)


_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that make text run the other way, and so can make it look like something else."""


def explanation_lines(explanation: Explanation, *, secrets: bool, columns: int = 80) -> list[str]:
    """Return a line in words, in so many columns; secrets are shown only if asked for."""
    columns = min(max(columns, _NARROWEST), _WIDEST)
    command = printable(explanation.command) or "(no command)"
    summary = f": {explanation.summary}" if explanation.summary else ""
    lines = _wrapped(columns, "", f"{command}, {explanation.kind}{summary}")
    fields = explanation.fields
    keys = min(max((cell_len(printable(field.key)) for field in fields), default=0), _KEYS)
    shown = [_value(field, columns - keys - 4, secrets=secrets) for field in fields]
    values = min(max(map(cell_len, shown), default=0), _VALUES)
    for value, field in zip(shown, fields, strict=True):
        left = f"  {set_cell_size(printable(field.key), keys)}  "
        if cell_len(value) > values:
            lines.append(f"{left}{value}")
            left = " " * (keys + 4 + values)
        else:
            left += set_cell_size(value, values)
        evidence = f" [{field.confidence}: {' '.join(field.evidence)}]" if field.evidence else ""
        lines += _wrapped(
            columns, f"{left}  ", printable(field.meaning or "not a field we know") + evidence
        )
    for problem in explanation.problems:
        lines += _wrapped(columns, "  ! ", printable(problem))
    return lines


def _value(field: ExplainedField, room: int, *, secrets: bool) -> str:
    if field.secret and field.value and not secrets:
        return "***"
    value = printable(field.value)
    if cell_len(value) <= room:
        return value
    count = f"… ({len(value)} characters)"
    return set_cell_size(value, room - cell_len(count)).rstrip() + count


def _wrapped(columns: int, left: str, text: str) -> list[str]:
    """Return `text` after `left`, its further lines below it."""
    indent = cell_len(left)
    first, *others = wrap(text, columns - indent) or [""]
    return [f"{left}{first}".rstrip(), *(f"{' ' * indent}{line}" for line in others)]
