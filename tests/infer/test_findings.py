"""What findings can be asked."""

from kqq.infer import infer
from kqq.infer.findings import kinds_in
from unknown import captured, counted, forms, noise


def test_whether_something_was_found() -> None:
    """Pairs are something, lengths are; text and noise are nothing."""
    assert infer(forms()).found_something
    assert infer(counted()).found_something
    assert not infer(noise()).found_something
    empty = infer([])
    assert empty.is_empty
    assert not empty.found_something


def test_facts_by_name() -> None:
    """And whether a field is in all messages."""
    status = infer(forms()).shared["reply"][0]
    assert status.fact("constant") is not None
    assert status.fact("counter") is None
    assert not status.is_optional


def test_kinds_that_occur_and_those_of_items() -> None:
    """For a legend."""
    assert kinds_in(infer(forms())) == {"TEXT", "DIGITS", "UINT", "DECIMAL", "HEX_TEXT", "20"}
    lists = [(n % 2, float(n), b"n=%d&l=%s\n" % (n % 5, b"1," * (n % 5))) for n in range(40)]
    assert kinds_in(infer(captured([lists]))) == {"UINT", "LIST"}
