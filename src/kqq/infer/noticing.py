"""What is noticed of one field: constants, counters, echoes, how values are written.

Each function looks for one thing, and says in how many cases it is so. What would be so by chance,
or because there is one value only, is not said.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import isqrt

from kqq.infer.findings import Fact, Field
from kqq.infer.kinds import ListShape, propose

_NEARLY = 0.95
_MOSTLY = 0.8
_MANY = 9  # cases, for what a few cases could show by chance
_FEW_VALUES = 24
_EACH = 4  # times that each of few values must come, on average
_CHOICE = 40  # signs that a choice has at most
_LOOKED_AT = 4000  # different values
_OTHERS = 16  # fields of a request in which a reply's value is looked for
_SOME = 400  # pairs in which it is
_SHOWN = 12
_LONG_ENOUGH = 4  # digits; small numbers are the same by chance
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}|\\[nrt\\\"0]|&(?:amp|lt|gt|quot);")
_FORMS = [
    ("A-Z", re.compile("[A-Z]+")),
    ("a-z", re.compile("[a-z]+")),
    ("A-Z 0-9", re.compile("[A-Z0-9]+")),
    ("a-z 0-9", re.compile("[a-z0-9]+")),
    ("A-Z a-z 0-9", re.compile("[A-Za-z0-9]+")),
    ("A-Z a-z 0-9 + / =", re.compile("[A-Za-z0-9+/=]+")),
]
_UINT = re.compile(r"[0-9]{1,18}")
_WORD = re.compile(r"[A-Za-z_-]{1,16}")


def constant_or_choices(field: Field) -> Fact | None:
    """Return that there is one value, or that there are few of many."""
    total = field.values.total()
    if len(field.values) == 1:
        value = next(iter(field.values))
        return Fact("constant", total, total, {"value": value}) if total > 1 else None
    some = [value for value in field.values if value]
    often = sum(field.values[value] for value in some)
    few = min(_FEW_VALUES, often // _EACH, isqrt(often))
    if some and len(some) <= few and all(len(value) <= _CHOICE for value in some):
        shown = dict(field.values.most_common(_SHOWN))
        return Fact("choices", total, total, {"values": shown, "different": len(field.values)})
    return None


def counter(
    peers: Sequence[int | str], column: Sequence[str | None], base: int = 10
) -> Fact | None:
    """Return that a number is one more than in the message before, of the same client."""
    agree = of = 0
    before: dict[int | str, int] = {}
    for peer, value in zip(peers, column, strict=True):
        if value is None or (base == 10 and not _UINT.fullmatch(value)):
            continue
        number = int(value, base)
        if peer in before:
            of += 1
            agree += number == before[peer] + 1
        before[peer] = number
    is_enough = agree >= _MOSTLY * of or (agree > _MANY * 2 and agree * 2 >= of)
    return Fact("counter", agree, of, {}) if of > _MANY and is_enough else None


def steady(peers: Sequence[int | str], column: Sequence[str | None]) -> Fact | None:
    """Return that a value stays as it is all the time with a client, and others have others."""
    values: dict[int | str, set[str]] = defaultdict(set)
    counts: Counter[int | str] = Counter()
    for peer, value in zip(peers, column, strict=True):
        if value:
            values[peer].add(value)
            counts[peer] += 1
    told = [peer for peer, count in counts.items() if count > 2]  # it was said more than once
    agree = [peer for peer in told if len(values[peer]) == 1]
    different = {value for peer in agree for value in values[peer]}
    if len(agree) < _MOSTLY * len(told) or len(different) < 2:
        return None
    return Fact("steady", len(agree), len(told), {"values": len(different)})


def echo(asked: Sequence[dict[str, str]], column: Sequence[str | None], name: str) -> Fact | None:
    """Return that replies repeat a field of their request, exactly or but for large letters.

    `asked` has the fields of the requests, `column` the field `name` of the replies to them.
    """
    names = list(dict.fromkeys(other for fields in asked[:_MANY] for other in fields if other))
    others = [other for other in names if other != name][:_OTHERS]
    own = [_echo(asked, column, name)] if name in names else []
    own += [_echo(asked[:_SOME], column[:_SOME], other) for other in others]
    found = [fact for fact, different in own if different > 1]
    if found and found[0].detail["field"] == name:
        return found[0]
    return next((fact for fact, different in own if different > 2), None)


def _echo(
    asked: Sequence[dict[str, str]], column: Sequence[str | None], other: str
) -> tuple[Fact, int]:
    """Return how often replies repeat a field, and how many values they repeat, 0 if too seldom."""
    exact = agree = of = 0
    different = set()
    for fields, answer in zip(asked, column, strict=True):
        value = fields.get(other)
        if value is None or answer is None:
            continue
        of += 1
        exact += value == answer
        if value.casefold() == answer.casefold():
            agree += 1
            different.add(value.casefold())
    fact = Fact("echo", agree, of, {"field": other, "exact": exact})
    return fact, len(different) if of and agree >= _NEARLY * of else 0


def spelling(field: Field) -> list[Fact]:
    """Return what is noticed of how values are written."""
    facts = []
    escapes: Counter[str] = Counter()
    escaped = 0
    for value, count in field.values.items():
        if signs := _ESCAPED.findall(value):
            escaped += count
            escapes.update(signs)
    total = field.values.total()
    if escapes and not field.proposal.kind.startswith("HEX"):
        detail = {"signs": dict(escapes.most_common(_SHOWN))}
        facts.append(Fact("escapes", escaped, total, detail))
    if field.proposal.kind == "TEXT":
        facts += [fact for fact in (_mixed(field.values), _form(field.values)) if fact is not None]
    return facts


def _form(values: Counter[str]) -> Fact | None:
    """Return that different texts have one length, and only some of the signs there are."""
    if len(values) < 3 or len({len(value) for value in values}) > 1:
        return None
    length = len(next(iter(values)))
    signs = "".join(values)
    form = next((name for name, form in _FORMS if form.fullmatch(signs)), "")
    if length < 3 or not form:
        return None
    total = values.total()
    return Fact("form", total, total, {"length": length, "signs": form})


def _mixed(values: Counter[str]) -> Fact | None:
    """Return that values have a narrow form, or are one of a few words or empty."""
    others = {
        value: count for value, count in values.items() if not value or _WORD.fullmatch(value)
    }
    rest = Counter({value: count for value, count in values.items() if value not in others})
    if not others or not rest or len(others) > 3:  # more words are text
        return None
    kind = propose(rest).kind
    if kind == "TEXT":
        return None
    return Fact("mixed", rest.total(), values.total(), {"kind": kind, "others": others})


def same_numbers(field: Field, numbers: Mapping[str, set[str]]) -> Fact | None:
    """Return that most values of a field, or items of a list, are values of a known one, too."""
    shape = ListShape(field.proposal.sign, field.proposal.trailing)
    own = {
        item
        for value in list(field.values)[:_LOOKED_AT]
        for item in (shape.items(value) if shape.sign else [value])
    }
    own = {item for item in own if len(item) >= _LONG_ENOUGH}
    for name, known in numbers.items():
        common = own & known
        if name != field.name and len(common) > 1 and len(common) >= _MOSTLY * len(own):
            return Fact("same_as", len(common), len(own), {"field": name})
    return None
