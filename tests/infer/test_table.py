"""Messages as a table: columns, and the order of fields."""

from kqq.infer.table import Table, count_in_order
from messages_said import conversation


def test_columns_have_the_first_value_of_each_message() -> None:
    """None where a message lacks the field; what is seen is counted."""
    table = Table(conversation("> a=1&b=2", "> a=3", "> a=4&a=5&b="))
    assert table.columns == {"a": ["1", "3", "4"], "b": ["2", None, ""]}
    a, b = table.fields["a"], table.fields["b"]
    assert (a.seen, a.of, a.is_optional, a.place) == (3, 3, False, 0.0)
    assert (b.seen, b.of, b.is_optional) == (2, 3, True)
    assert b.values == {"2": 1, "": 1}
    assert list(Table(conversation("> a=1&b=2"), ["b"]).fields) == ["b"]
    assert Table([]).in_order() == []


def test_fields_are_no_more_than_can_be_told() -> None:
    """Hostile messages may have a name each."""
    table = Table(conversation(*[f"> a=1&k{n}=2" for n in range(300)]))
    assert len(table.fields) == 120


def test_order_is_put_together_from_messages_with_some_of_the_fields() -> None:
    """Even if no message has all; frequent ones count where two disagree."""
    rows = ["> a=1&b=1&e=1", "> a=1&c=1&e=1", "> b=1&c=1&d=1&e=1"] * 3 + ["> e=1&a=1"]
    table = Table(conversation(*rows))
    assert [field.name for field in table.in_order()] == ["a", "b", "c", "d", "e"]


def test_how_many_keep_the_order() -> None:
    """Those that lack fields do, those that have two the other way round do not."""
    rows = ["> a=1&b=1&c=1"] * 5 + ["> a=1&c=1"] * 2 + ["> c=1&a=1"]
    assert count_in_order(conversation(*rows)) == 7
    assert count_in_order([]) == 0
