"""What sort of value a field holds, by the narrowest spelling that takes in all that was seen.

A kind is proposed if it fits all values, save for one in a hundred that come but once, as damaged
lines do; an exception that comes again is a rule nobody has understood, and then only text fits.
The names of kinds are those of `kqq.protocol.fields`, for comparison, and some that it lacks.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

_DAMAGED = 0.01
_SHORT_HEX = 8  # digits; what is shorter may be a word, or a number
_LONGEST_CODE = 128  # hex digits of the longest checksum in use; more are bytes of something
_VERSIONS = 12  # different ones at most
_LIST_SIGNS = ",;|:/\t \x1f\x1e\x00"
_PICTURES = {"89504e47": "PNG", "ffd8ff": "JPEG", "47494638": "GIF", "424d": "BMP"}

_UINT = re.compile(r"[0-9]{1,20}")
_DIGITS = re.compile(r"[0-9]+")
_INT = re.compile(r"-?[0-9]{1,20}")
_VERSION = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,3})?")
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
_HEX = re.compile(r"([0-9a-f]{2})+|([0-9A-F]{2})+")
_MIXED_CODE = re.compile(r"[0-9a-fA-F]+")


class Proposal(NamedTuple):
    """A kind, and how many of the values it fits. `holds` says what hex is, where its start tells.

    For lists, `sign` stands between items, and after the last one too if `trailing`.
    """

    kind: str
    agree: int
    of: int
    sign: str = ""
    trailing: bool = False
    holds: str = ""

    @property
    def share(self) -> float:
        """The part of values that agree, 0 to 1."""
        return self.agree / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class ListShape:
    """How items of a list are told apart; `trailing`: the sign stands after the last one, too."""

    sign: str
    trailing: bool

    def items(self, value: str) -> list[str]:
        """Return the items in a value; there are none in an empty one."""
        if not value:
            return []
        items = value.split(self.sign)
        if self.trailing and not items[-1]:
            items.pop()
        return items


def propose(values: Counter[str], *, is_token: bool = False) -> Proposal:
    """Return the kind of single values. A number that `is_token` is handed back, never counted."""
    total = values.total()
    if not any(values):
        return Proposal("TEXT", total, total)
    if (agree := _fits(values, _UINT)) is not None:
        is_kept = is_token or _has_zeros(values)
        return Proposal("DIGITS" if is_kept else "UINT", agree, total)
    for kind, pattern in (("DIGITS", _DIGITS), ("INT", _INT)):
        if (agree := _fits(values, pattern)) is not None:
            return Proposal(kind, agree, total)
    if (agree := _fits(values, _VERSION)) is not None and len(values) <= _VERSIONS:
        return Proposal("VERSION", agree, total)
    if (agree := _fits(values, _DECIMAL)) is not None:
        return Proposal("DECIMAL", agree, total)
    return _hex(values) or Proposal("TEXT", total, total)


def propose_list(values: Counter[str], shape: ListShape) -> Proposal:
    """Return the kind of values that are lists; it fits where the items fit."""
    items: Counter[str] = Counter()
    for value, count in values.items():
        for item in shape.items(value):
            items[item] += count
    of_item = propose(items) if items else Proposal("TEXT", 0, 0)
    name = "LIST" if shape.trailing else "PLAIN_LIST"
    agree = values.total() - (of_item.of - of_item.agree)
    return Proposal(f"{name}({of_item.kind})", agree, values.total(), shape.sign, shape.trailing)


def list_shapes(values: Counter[str]) -> list[ListShape]:
    """Return how the values may be lists, if they are: first with a sign after each item."""
    some = [value for value in values if value]
    ended = Counter(value[-1] for value in some if value[-1] in _LIST_SIGNS)
    shapes = [ListShape(sign, trailing=True) for sign, count in ended.items() if count == len(some)]
    if not shapes:
        within = Counter(sign for value in some for sign in _LIST_SIGNS if sign in value)
        shapes = [ListShape(sign, trailing=False) for sign, _ in within.most_common()]
    return shapes


def are_numbers(values: Counter[str], shape: ListShape) -> bool:
    """Whether all items are numbers, and there are not always as many."""
    rows = [shape.items(value) for value in values]
    return len(set(map(len, rows))) > 2 and all(  # one, two, many
        _UINT.fullmatch(item) for row in rows for item in row
    )


def _fits(values: Counter[str], pattern: re.Pattern[str]) -> int | None:
    """Return how many values fit, None if those that do not are more than damage."""
    agree = total = 0
    for value, count in values.items():
        total += count
        if pattern.fullmatch(value.strip()):
            agree += count
        elif count > 1:
            return None
    return agree if total - agree <= _DAMAGED * total else None


def _has_zeros(values: Counter[str]) -> bool:
    return any(len(value) > 1 and value[0] == "0" for value in values)


def _hex(values: Counter[str]) -> Proposal | None:
    """Return hex of one length (a code), or of several (bytes); numbers and words are none."""
    total = values.total()
    sizes = {len(value.strip()) for value in values}
    text = "".join(list(values)[:200])
    if min(sizes) < _SHORT_HEX or not (set(text) & set("0123456789")):
        return None
    if len(sizes) == 1 and (size := sizes.pop()) <= _LONGEST_CODE:
        agree = _fits(values, _MIXED_CODE)
        return None if agree is None else Proposal(f"HEX_TEXT({size})", agree, total)
    if (agree := _fits(values, _HEX)) is None:
        return None
    start = next(iter(values))[:8].lower()
    holds = next((name for magic, name in _PICTURES.items() if start.startswith(magic)), "")
    return Proposal("HEX", agree, total, holds=holds)
