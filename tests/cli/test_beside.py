"""Expected beside got: readable in so many columns, whatever stands in it."""

import pytest
from rich.cells import cell_len

from kqq.cli.beside import difference_lines
from kqq.plays.compare import Difference, Row

ROWS = (
    Row("CMD", "Login", "Login", same=True, meaning="command"),
    Row("RES", "0", "5", same=False, expected_meaning="accepted", meaning="no such number"),
    Row("HI", "60", None, same=False, expected_meaning="seconds between signs of life"),
    Row("MG", "你好" * 30, "hello " * 200, same=False),
    Row("", "\\x85", "\x1b[31m", same=False),
    Row("A_LONG_KEY_OF_SOMEBODY", "1", "2", same=False, expected_meaning="zz", meaning="zz"),
)
LONG = Difference(
    4, f"Romeo < {'CMD=Login ' * 20}", "another line came:", ROWS, ("VER=1.1&MG=" * 9,)
)


@pytest.mark.parametrize("columns", [40, 72, 80, 120])
def test_no_line_is_too_long(columns: int) -> None:
    """Wide signs count two, and nothing steers a terminal."""
    lines = difference_lines(LONG, columns)
    assert max(map(cell_len, lines)) <= columns
    assert all(line.isprintable() for line in lines)


def test_side_by_side() -> None:
    """A field that differs is marked, with what its values mean below."""
    found = difference_lines(Difference(4, "Romeo < CMD=Login", "another came:", ROWS[:3]), 60)
    assert found == [
        "line 4: Romeo < CMD=Login",
        "another came:",
        "",
        "       expected                   got",
        "  CMD  Login                      Login",
        "≠ RES  0                          5",
        "       accepted                   no such number",
        "≠ HI   60                         (nothing)",
        "       seconds between signs of",
        "       life",
    ]


def test_much_is_cut() -> None:
    """A value has six lines at most; the last says that there is more."""
    rows = (Row("MG", "a" * 1000, "b", same=False),)
    found = difference_lines(Difference(1, "x", "y", rows), 80)
    assert sum("a" in line for line in found) == 5
    assert found[-1].strip() == "…"


def test_the_same_meaning_stands_once() -> None:
    """Though the values differ."""
    found = difference_lines(Difference(1, "", "", ROWS[5:]), 80)
    assert "".join(found).count("zz") == 1


def test_what_else_had_come() -> None:
    """Other lines are listed; there may be no fields at all."""
    found = difference_lines(Difference(1, "x", "y", (), ("VER=1.1&MG=\x07",)), 80)
    assert found == ["line 1: x", "y", "", "what else had come:", "  VER=1.1&MG=\\x07"]
