"""How things look on a terminal."""

import pytest

from kqq.words import printable, status_name


@pytest.mark.parametrize(
    ("code", "name"),
    [(10, "online"), (30, "away"), (60, "call-me"), (70, "do-not-disturb"), (99, "99")],
)
def test_statuses_have_names(code: int, name: str) -> None:
    """A known code has the name people type, an unknown one is a number."""
    assert status_name(code) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("你好 😀 a=b", "你好 😀 a=b"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\nb", r"a\x0ab"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\udc85", r"\udc85"),
        ("\x9b31m", r"\x9b31m"),
    ],
)
def test_signs_that_steer_a_terminal_are_made_visible(text: str, shown: str) -> None:
    """Escape sequences, bells, line breaks, changes of direction and broken bytes do no harm."""
    assert printable(text) == shown


def test_line_breaks_can_stay() -> None:
    """Of a text of several lines CR LF, CR and LF are each one line break."""
    assert printable("a\r\nb\rc\nd\x1b", lines=True) == "a\nb\nc\nd\\x1b"
