"""Kinds: the narrowest that takes in what was seen, and lists."""

from collections import Counter

import pytest

from kqq.infer.kinds import ListShape, Proposal, are_numbers, list_shapes, propose, propose_list


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["0", "17", "4294967295"], "UINT"),
        (["007", "8"], "DIGITS"),
        (["1" * 25], "DIGITS"),
        (["-3", "4"], "INT"),
        (["1.4", "1.1", "1.4"], "VERSION"),
        (["1.4.22", "1.5"], "VERSION"),
        ([f"{n}.25" for n in range(20)], "DECIMAL"),
        (["-0.5", "2.75"], "DECIMAL"),
        (["5ebe2294ecd0e0f0", "8eab7690d2a6ee69"], "HEX_TEXT(16)"),
        (["89504e470d0a1a0a00", "ffd8ffe0" * 20], "HEX"),
        (["ab12" * 100], "HEX"),
        (["QU7YM68W72T5EJZF"], "TEXT"),
        (["deadbeef", "facecafe"], "TEXT"),
        (["beef", "2a"], "TEXT"),
        (["", ""], "TEXT"),
        (["", "7"], "TEXT"),
        (["7", "null", "null"], "TEXT"),
        (["C4CA4238A0B92382"] * 30 + ["null"] * 2, "TEXT"),
        (["5ebe2294ecd0e0f0"] * 2 + ["5ebe2294ecd0e0fx"] * 2, "TEXT"),
        (["192.168.0.1"], "TEXT"),
        (["Abcd12" + "34" * n for n in range(1, 9)], "TEXT"),
    ],
)
def test_kinds_of_values(values: list[str], kind: str) -> None:
    """What does not come in a narrower form is text."""
    assert propose(Counter(values)).kind == kind


def test_damage_is_borne_and_told() -> None:
    """One odd value in many, that comes once; twice the same is a rule."""
    proposal = propose(Counter([str(n) for n in range(299)] + ["4x"]))
    assert proposal == Proposal("UINT", 299, 300)
    assert 0.99 < proposal.share < 1
    assert propose(Counter([str(n) for n in range(298)] + ["x", "x"])).kind == "TEXT"
    assert propose(Counter(["1", "x"])).kind == "TEXT"
    assert Proposal("TEXT", 0, 0).share == 0.0


def test_what_is_handed_back_is_kept_as_it_came() -> None:
    """A number that pairs messages is digits."""
    assert propose(Counter(["7", "8"]), is_token=True).kind == "DIGITS"
    assert propose(Counter(["a7", "b8"]), is_token=True).kind == "TEXT"


def test_hex_says_what_it_begins_with() -> None:
    """As pictures do."""
    values = Counter(["89504e470d0a1a0a", "89504E470D0A1A0AFFFF"])
    assert propose(values) == Proposal("HEX", 2, 2, holds="PNG")


def test_lists_with_a_sign_after_each_item() -> None:
    """An empty one has no items; the kind is that of all items together."""
    values = Counter(["1,2,", "", "3,"])
    (shape,) = list_shapes(values)
    assert shape == ListShape(",", trailing=True)
    assert [shape.items(value) for value in values] == [["1", "2"], [], ["3"]]
    assert propose_list(values, shape) == Proposal("LIST(UINT)", 3, 3, ",", trailing=True)
    names = Counter(["Ann,Bob,", "3,"])
    assert propose_list(names, shape).kind == "LIST(TEXT)"
    assert propose_list(Counter([""]), shape) == Proposal("LIST(TEXT)", 1, 1, ",", trailing=True)


def test_lists_with_a_sign_between_items() -> None:
    """The signs that occur are tried."""
    values = Counter(["a;b", "c", "d;e;f"])
    (shape,) = list_shapes(values)
    assert shape == ListShape(";", trailing=False)
    assert propose_list(values, shape).kind == "PLAIN_LIST(TEXT)"
    assert list_shapes(Counter(["abc"])) == []
    assert not are_numbers(values, shape)
    assert are_numbers(Counter(["1;2", "3", "4;5;6"]), shape)
    assert not are_numbers(Counter(["1;2", "3;4"]), shape)
