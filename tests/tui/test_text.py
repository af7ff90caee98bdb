"""Lines that fit, whatever is in them; times and days in words."""

import time
from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kqq.tui.text import day_in_words, local, time_of_day, wrapped
from kqq.words import use_language


@pytest.fixture(autouse=True)
def somewhere_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Live eight hours before Greenwich."""
    monkeypatch.setenv("TZ", "UTC-8")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, [""]),
        ("short", 10, ["short"]),
        ("a b\nc", 10, ["a b", "c"]),
        ("one two three", 8, ["one two", "three"]),
        ("one two  three", 8, ["one two", "three"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("今晚去看电影", 6, ["今晚去", "看电影"]),
        ("今晚去看电影", 7, ["今晚去", "看电影"]),
        ("今晚去，好", 6, ["今晚", "去，好"]),
        ("今晚（去）", 6, ["今晚", "（去）"]),
        ("今晚 Central Park 见", 8, ["今晚", "Central", "Park 见"]),
        ("去 7:30pm 好", 6, ["去", "7:30pm", "好"]),
        ("今", 1, ["今"]),
        ("今晚", 1, ["今", "晚"]),
        ("👩‍👩‍👧👩‍👩‍👧", 2, ["👩‍👩‍👧", "👩‍👩‍👧"]),
    ],
)
def test_lines_break_where_people_would(text: str, width: int, lines: list[str]) -> None:
    """At spaces and beside wide signs, but not before a full stop or after a bracket."""
    assert wrapped(text, width) == lines


@given(st.text(st.sampled_from("ab .，今（e\u0301👍\n"), max_size=60), st.integers(2, 20))
def test_every_line_fits_and_nothing_is_lost(text: str, width: int) -> None:
    """No line is wider than it may be, and only blanks are dropped."""
    lines = wrapped(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "").replace("\n", "")


def test_times_are_those_of_the_place() -> None:
    """Hours and minutes by the clock on the wall, and more where lines are timed."""
    at = 1_400_000_000.0625
    assert time_of_day(at) == "00:53"
    assert time_of_day(at, seconds=True) == "00:53:20.062"
    assert local(at).date() == date(2014, 5, 14)


def test_days_have_names() -> None:
    """Today, yesterday, and others by weekday and date; in Chinese as Chinese has it."""
    today = date(2014, 5, 14)
    assert day_in_words(today, today) == "Today"
    assert day_in_words(date(2014, 5, 13), today) == "Yesterday"
    assert day_in_words(date(2014, 3, 3), today) == "Monday, 3 March 2014"
    assert day_in_words(date(2014, 5, 15), today) == "Thursday, 15 May 2014"
    use_language("zh")
    assert "2014" in day_in_words(date(2014, 3, 3), today)
