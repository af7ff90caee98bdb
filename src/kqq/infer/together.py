"""How the fields of a message go with each other: lists and their lengths, sizes, conditions."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from kqq.infer.findings import Fact, Field
from kqq.infer.kinds import ListShape, are_numbers, list_shapes, propose_list
from kqq.infer.table import Column, Table

_NEARLY = 0.95
_LOOKED_AT = 1500  # messages
_COMPARED = 40  # fields that are compared with each other
_FEW_VALUES = 24
_VARIED = 5  # different sizes, for a size to be told by a number
_UINT = re.compile(r"[0-9]{1,18}")
_Counts = list[int | None]


def find_lists(table: Table) -> dict[str, ListShape]:
    """Return which fields hold lists without doubt.

    Their items are as many as a number beside them says, or as the items of another list, and not
    always as many; or they are several numbers, not always as many.
    """
    counts: dict[tuple[str, ListShape], _Counts] = {}
    for name, field in list(table.fields.items())[:_COMPARED]:
        for shape in list_shapes(field.values):
            counts[name, shape] = _counts(table.columns[name], shape)
    numbers = _numbers(table)
    found: dict[str, ListShape] = {}
    for (name, shape), column in counts.items():
        others = [own for (other, _), own in counts.items() if other != name]
        told = any(_same(column, number) for other, number in numbers.items() if other != name)
        beside = shape.trailing and any(_same(column, other) for other in others)
        if told or beside or are_numbers(table.fields[name].values, shape):
            found.setdefault(name, shape)
    return found


def late_lists(fields: Mapping[str, Field], shapes: set[ListShape]) -> dict[str, ListShape]:
    """Return which fields end with a sign that ends the items of lists elsewhere, in `shapes`."""
    found = {}
    for name, field in fields.items():
        some = [value for value in field.values if value]
        for shape in shapes:
            ended = all(value.endswith(shape.sign) for value in some)
            if some and ended and not field.proposal.sign:
                found[name] = shape
    return found


def note_lists(table: Table, fields: Mapping[str, Field], lists: Mapping[str, ListShape]) -> None:
    """Make the fields in `lists` lists, and note which numbers tell their lengths."""
    columns = {name: _counts(table.columns[name], shape) for name, shape in lists.items()}
    told_by: dict[str, list[str]] = defaultdict(list)
    for number, column in _numbers(table).items():
        told = [name for name in columns if name != number and _same(column, columns[name])]
        if told and number in fields:
            agree, of = _agreement(column, columns[told[0]])
            fields[number].facts.append(Fact("counts", agree, of, {"lists": told}))
            for name in told:
                told_by[name].append(number)
    for name, shape in lists.items():
        proposal = fields[name].proposal = propose_list(fields[name].values, shape)
        sizes = [size for size in columns[name] if size is not None]
        beside = [other for other in lists if other != name and
                  _same(columns[name], columns[other])]  # fmt: skip
        detail = {"least": min(sizes), "most": max(sizes), "told_by": told_by[name],
                  "beside": beside}  # fmt: skip
        fields[name].facts.append(Fact("list", proposal.agree, proposal.of, detail))


def note_usual_counts(table: Table, fields: Mapping[str, Field], known: set[str]) -> None:
    """Note numbers that tell how long lists are elsewhere, and do so here, if always the same.

    `known` are the names of such numbers.
    """
    lists = {name: field for name, field in fields.items() if field.fact("list") is not None}
    for number in sorted(known & set(fields)):
        field = fields[number]
        if field.fact("counts") is not None or field.proposal.kind != "UINT":
            continue
        column = [_number(value) for value in table.columns[number][:_LOOKED_AT]]
        told = [
            name for name, other in lists.items()
            if column == _counts(table.columns[name],
                                 ListShape(other.proposal.sign, other.proposal.trailing))
        ]  # fmt: skip
        if told:
            field.facts.append(Fact("counts", len(column), len(column), {"lists": told}))


def note_sizes(table: Table) -> None:
    """Note which numbers tell how many bytes another value has."""
    lengths = {
        name: [None if value is None else len(value.encode("utf-8", "surrogateescape"))
               for value in column[:_LOOKED_AT]]
        for name, column in list(table.columns.items())[:_COMPARED]
        if len({len(value) for value in table.fields[name].values}) > 1
    }  # fmt: skip
    for number, column in _numbers(table).items():
        for name, other in lengths.items():
            if name != number and len(set(other)) >= _VARIED and _same(column, other):
                agree, of = _agreement(column, other)
                table.fields[number].facts.append(Fact("size", agree, of, {"field": name}))
                break


def note_conditions(table: Table) -> None:
    """Note of fields that are not always there what goes with them."""
    there = {
        name: tuple(value is not None for value in table.columns[name][:_LOOKED_AT])
        for name, field in table.fields.items() if field.is_optional
    }  # fmt: skip
    beside: dict[tuple[bool, ...], list[str]] = defaultdict(list)
    for name, rows in there.items():
        beside[rows].append(name)
    deciding = [name for name, field in table.fields.items() if
                1 < len(field.values) <= _FEW_VALUES][:_COMPARED]  # fmt: skip
    for rows, names in beside.items():
        if not 1 < sum(rows) < len(rows) - 1:
            continue
        condition = next(
            (fact for name in deciding if name not in names
             and (fact := _condition(name, table.columns[name], rows)) is not None), None,
        )  # fmt: skip
        for name in names:
            facts = table.fields[name].facts
            if len(names) > 1:
                others = [other for other in names if other != name]
                facts.append(Fact("with", len(rows), len(rows), {"fields": others}))
            facts += [condition] if condition is not None else []


def _condition(name: str, column: Column, there: tuple[bool, ...]) -> Fact | None:
    """Return that something is there only, and always, where a field has certain values."""
    pairs = list(zip(column, there, strict=False))
    with_it = {value for value, is_there in pairs if is_there}
    if not with_it.isdisjoint({value for value, is_there in pairs if not is_there}):
        return None
    values = sorted(value for value in with_it if value is not None)
    return Fact("only_if", len(there), len(there), {"field": name, "values": values})


# --- columns of numbers --------------------------------------------------------------------------


def _number(value: str | None) -> int | None:
    return int(value) if value is not None and _UINT.fullmatch(value) else None


def _numbers(table: Table) -> dict[str, _Counts]:
    """Return the columns of the fields that are numbers."""
    names = [name for name, field in table.fields.items() if field.proposal.kind == "UINT"]
    return {
        name: [_number(value) for value in table.columns[name][:_LOOKED_AT]]
        for name in names[:_COMPARED]
    }


def _counts(column: Column, shape: ListShape) -> _Counts:
    """Return how many items a list has in each message."""
    return [None if value is None else len(shape.items(value)) for value in column[:_LOOKED_AT]]


def _same(one: _Counts, other: _Counts) -> bool:
    """Whether two columns say the same in nearly all messages, and do not always say the same."""
    both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    same = [a for a, b in both if a == b]
    return len(set(same)) > 1 and len(same) >= _NEARLY * len(both)


def _agreement(one: Sequence[int | None], other: Sequence[int | None]) -> tuple[int, int]:
    both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    return sum(a == b for a, b in both), len(both)
