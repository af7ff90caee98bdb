"""Fields that go together: lists, their lengths, sizes, conditions."""

from kqq.infer.findings import Fact
from kqq.infer.kinds import ListShape, propose
from kqq.infer.table import Table
from kqq.infer.together import (
    find_lists,
    late_lists,
    note_conditions,
    note_lists,
    note_sizes,
    note_usual_counts,
)
from messages_said import conversation

COMMA = ListShape(",", trailing=True)


def table(*rows: str) -> Table:
    """Return messages of the server as a table, with kinds proposed."""
    made = Table(conversation(*[f"< {row}" for row in rows]))
    for field in made.fields.values():
        field.proposal = propose(field.values)
    return made


def fact(made: Table, name: str, what: str) -> Fact | None:
    """Return what was noticed of a field."""
    return made.fields[name].fact(what)


def test_a_number_tells_how_long_lists_are() -> None:
    """And lists beside each other are as long; a text with commas is none."""
    made = table(
        "n=2&who=1,2,&as=x y,z,&t=oh, well", "n=0&who=&as=&t=a, b, c", "n=1&who=3,&as=q,&t=no",
        "who=7,8,9,&as=a,b,c,&t=,",
    )  # fmt: skip
    lists = find_lists(made)
    assert lists == {"who": COMMA, "as": COMMA}
    note_lists(made, made.fields, lists)
    assert made.fields["who"].proposal.kind == "LIST(UINT)"
    assert made.fields["as"].proposal.kind == "LIST(TEXT)"
    assert fact(made, "n", "counts") == Fact("counts", 3, 3, {"lists": ["who", "as"]})
    found = fact(made, "who", "list")
    assert found is not None
    assert found.detail == {"least": 0, "most": 3, "told_by": ["n"], "beside": ["as"]}


def test_several_numbers_are_a_list_by_themselves() -> None:
    """If there are not always as many; the sign stands between them."""
    made = table("x=1;2", "x=3", "x=4;5;6", "x=")
    assert find_lists(made) == {"x": ListShape(";", trailing=False)}
    assert find_lists(table("x=1;2", "x=3;4")) == {}
    assert find_lists(table("x=12:30", "x=7:15")) == {}


def test_what_is_always_as_long_proves_nothing() -> None:
    """Until the sign, and the name of the number, are known from elsewhere."""
    made = table("n=2&x=a,b,&y=1&z=word,", "n=2&x=c,d,&y=1&z=also,", "n=2&x=e,f,&y=1&z=more,")
    assert find_lists(made) == {}
    late = late_lists(made.fields, {COMMA})
    assert set(late) == {"x", "z"}
    note_lists(made, made.fields, late)
    note_usual_counts(made, made.fields, {"n", "y", "x", "other"})
    assert fact(made, "n", "counts") == Fact("counts", 3, 3, {"lists": ["x"]})
    assert fact(made, "y", "counts") == Fact("counts", 3, 3, {"lists": ["z"]})
    note_usual_counts(made, made.fields, {"n"})
    assert len(made.fields["n"].facts) == 1
    other = table("n=3&x=a,b,")
    note_lists(other, other.fields, {"x": COMMA})
    note_usual_counts(other, other.fields, {"n"})
    assert fact(other, "n", "counts") is None
    assert late_lists(table("x=", "x=").fields, {COMMA}) == {}
    assert late_lists(made.fields, {COMMA}) == {}


def test_a_number_tells_how_many_bytes_a_value_has() -> None:
    """Bytes, not signs."""
    words = ["a", "bb", "你好", "dddd", "eeeee", "x" * 30]
    made = table(*[f"len={len(word.encode())}&n=1&text={word}&same=ab" for word in words])
    note_sizes(made)
    assert fact(made, "len", "size") == Fact("size", 6, 6, {"field": "text"})
    assert not made.fields["n"].facts
    assert not made.fields["text"].facts


def test_fields_that_come_together_and_only_where_another_says_so() -> None:
    """A reason belongs to what failed; what comes just once shows nothing."""
    made = table(*["ok=1&a=1&b=2"] * 4, *["ok=0&why=x"] * 3, "ok=2&why=z", "ok=1&a=1&b=2&odd=1")
    note_conditions(made)
    assert fact(made, "a", "with") == Fact("with", 9, 9, {"fields": ["b"]})
    assert fact(made, "a", "only_if") == Fact("only_if", 9, 9, {"field": "ok", "values": ["1"]})
    assert fact(made, "why", "only_if") == Fact(
        "only_if", 9, 9, {"field": "ok", "values": ["0", "2"]}
    )
    assert fact(made, "why", "with") is None
    assert not made.fields["odd"].facts
    assert not made.fields["ok"].facts


def test_a_condition_may_be_unknown() -> None:
    """Nothing is said where nothing decides."""
    made = table(*["ok=1&a=1&b=1", "ok=1", "ok=2&a=1&b=1", "ok=2"] * 3)
    note_conditions(made)
    assert fact(made, "a", "only_if") is None
    assert fact(made, "a", "with") is not None
