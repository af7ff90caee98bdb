"""Text broken into lines by cells, with marks."""

import pytest
from click import unstyle
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kqq.cli.marking import broken, marked


def lines(text: str, first: int, others: int) -> list[str]:
    """Return the lines of a text."""
    return [marked(text, start, end, []) for start, end in broken(text, first, others)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", [""]),
        ("one two", ["one two"]),
        ("one two three", ["one two", "three"]),
        ("one two  three", ["one two", "three"]),
        ("one\n two\n\nthree", ["one", " two", "", "three"]),
        ("abcdefghijkl", ["abcdefgh", "ijkl"]),
        ("一二三四五", ["一二三四", "五"]),
        ("a一二三四五", ["a一二三", "四五"]),
        ("one 一二三四", ["one 一二", "三四"]),
        ("ab cdefgh一", ["ab", "cdefgh一"]),
        ("end\n", ["end", ""]),
    ],
)
def test_lines_are_broken_where_people_would(text: str, shown: list[str]) -> None:
    """At blanks and between wide signs; a word that is too long anywhere; a wide sign never."""
    assert lines(text, 8, 8) == shown


def test_the_first_line_may_be_shorter() -> None:
    """Since something stands before it."""
    assert lines("one two three", 4, 9) == ["one", "two three"]


@given(st.text("ab 一二\n\u0301", max_size=30), st.integers(2, 9), st.integers(2, 9))
def test_no_line_is_too_wide_and_nothing_is_lost(text: str, first: int, others: int) -> None:
    """But blanks at which a line was broken."""
    shown = lines(text, first, others)
    assert all(cell_len(line) <= max(first, others) for line in shown)
    assert "".join("".join(shown).split()) == "".join(text.split())


def test_what_was_found_is_marked() -> None:
    """Across the end of a line, too."""
    bold = "\x1b[1m\x1b[4m{}\x1b[0m".format
    assert marked("one two", 0, 7, [(4, 7)]) == f"one {bold('two')}"
    assert marked("one two", 0, 5, [(2, 7)]) == f"on{bold('e t')}"
    assert marked("one two", 5, 7, [(0, 1), (2, 6)]) == f"{bold('w')}o"
    assert unstyle(marked("one two", 0, 7, [(0, 1), (3, 4)])) == "one two"
