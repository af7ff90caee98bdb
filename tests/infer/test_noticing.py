"""What is noticed of one field."""

from collections import Counter

import pytest

from kqq.infer.findings import Fact, Field
from kqq.infer.kinds import Proposal, propose
from kqq.infer.noticing import (
    constant_or_choices,
    counter,
    echo,
    same_numbers,
    spelling,
    steady,
)


def field(*values: str, proposal: Proposal | None = None) -> Field:
    """Return a field that had these values."""
    counts = Counter(values)
    return Field("f", len(values), len(values), 0.0, proposal or propose(counts), counts)


def test_one_value_and_few_values() -> None:
    """What came once may be anything; few values are few of many; free text is none."""
    assert constant_or_choices(field("7", "7")) == Fact("constant", 2, 2, {"value": "7"})
    assert constant_or_choices(field("7")) is None
    found = constant_or_choices(field(*["a", "b", ""] * 9))
    assert found is not None
    assert (found.name, found.detail["different"]) == ("choices", 3)
    assert constant_or_choices(field(*map(str, range(30)))) is None
    assert constant_or_choices(field(*["x" * 99, "y" * 99] * 20)) is None
    assert constant_or_choices(field("", "", "", "a")) is None


def test_counters_of_each_client() -> None:
    """One more each time, on each connection for itself; bytes count in hex."""
    peers = [1, 2] * 20
    column: list[str | None] = [str(n // 2 + 100 * (n % 2)) for n in range(40)]
    assert counter(peers, column) == Fact("counter", 38, 38, {})
    column[10] = None
    column[12] = "no number"
    found = counter(peers, column)
    assert found is not None
    assert found.of == 36
    assert counter([1] * 40, [f"{n:02x}" for n in range(40)], 16) == Fact("counter", 39, 39, {})
    assert counter([1] * 9, [str(n) for n in range(9)]) is None
    assert counter([1] * 40, [str(n * 2) for n in range(40)]) is None
    half: list[str | None] = [str(n - n // 4) for n in range(60)]
    found = counter([1] * 60, half)
    assert found is not None
    assert (found.agree, found.of) == (45, 59)


def test_what_stays_the_same_with_a_client() -> None:
    """And is another with others; most clients are enough."""
    peers = [1] * 5 + [2] * 5 + [3] * 5
    column = [*"aaaaabbbbbccccc"]
    assert steady(peers, column) == Fact("steady", 3, 3, {"values": 3})
    assert steady(peers, ["a"] * 15) is None
    assert steady(peers, [str(n) for n in range(15)]) is None
    assert steady([1, 2, 3], ["a", "b", "c"]) is None


def test_echoes() -> None:
    """The same field first, another one if its values tell; large letters do not count."""
    asked = [{"f": f"Ab{n}", "g": str(n), "": "x", "same": "1"} for n in range(10)]
    own = echo(asked, [f"AB{n}" for n in range(10)], "f")
    assert own == Fact("echo", 10, 10, {"field": "f", "exact": 0})
    other = echo(asked, [str(n) for n in range(10)], "f")
    assert other == Fact("echo", 10, 10, {"field": "g", "exact": 10})
    assert echo(asked, ["1"] * 10, "same") is None
    assert echo(asked, ["no", None] * 5, "f") is None
    assert echo([], [], "f") is None


@pytest.mark.parametrize(
    ("values", "facts"),
    [
        (["a%2cb", "c", "%2C%0a"], {"escapes": {"signs": {"%2c": 1, "%2C": 1, "%0a": 1}}}),
        (["a\\n", "b"], {"escapes": {"signs": {"\\n": 1}}}),
        (["QU7Y", "M68W", "T5EJ"], {"form": {"length": 4, "signs": "A-Z 0-9"}}),
        (["QU7Y", "M68"], {}),
        (["a b", "c d", "e f"], {}),
        (["5ebe2294ecd0e0f0", "null", "null"],
         {"mixed": {"kind": "HEX_TEXT(16)", "others": {"null": 2}}}),
        (["7", ""], {"mixed": {"kind": "UINT", "others": {"": 1}}}),
        (["some text", ""], {}),
        (["7", "a", "b", "c", "d"], {}),
        (["7", "8"], {}),
    ],
)  # fmt: skip
def test_spelling(values: list[str], facts: dict[str, object]) -> None:
    """Escapes, forms, and words in place of a number."""
    assert {one.name: one.detail for one in spelling(field(*values))} == facts


def test_numbers_that_another_field_has() -> None:
    """Single ones and those in lists; small ones are the same by chance."""
    known = {"id": {"10001", "10002", "10003"}, "f": {"10001"}}
    assert same_numbers(field("10001", "10002", "0"), known) == Fact(
        "same_as", 2, 2, {"field": "id"}
    )
    listed = field("10001,10002,", "10003,", proposal=Proposal("LIST(UINT)", 2, 2, ",", True))
    assert same_numbers(listed, known) == Fact("same_as", 3, 3, {"field": "id"})
    assert same_numbers(field("1", "2"), {"id": {"1", "2"}}) is None
    assert same_numbers(field("10001", "55555", "66666"), known) is None
