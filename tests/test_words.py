"""How things look on a terminal."""

import pytest
from rich.cells import cell_len

from kqq.protocol import Line
from kqq.protocol.explain import explain
from kqq.words import explanation_lines, printable, status_name


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
        ("\udc85", r"\x85"),
        ("\ud800", r"\ud800"),
        ("\x9b31m", r"\x9b31m"),
    ],
)
def test_signs_that_steer_a_terminal_are_made_visible(text: str, shown: str) -> None:
    """Escape sequences, bells, line breaks, changes of direction and broken bytes do no harm."""
    assert printable(text) == shown


def test_line_breaks_can_stay() -> None:
    """Of a text of several lines CR LF, CR and LF are each one line break."""
    assert printable("a\r\nb\rc\nd\x1b", lines=True) == "a\nb\nc\nd\\x1b"


WIDE = "VER=1.4&CMD=CLTMSG&SEQ=1&UIN=10001&UN=10002&MG=你好吗\x1b&K=1"


def test_a_line_in_words_has_its_columns_in_line() -> None:
    """Wide characters count for two columns, and signs that steer are made visible."""
    lines = explanation_lines(explain(Line(f"{WIDE}&&")), secrets=False)
    assert lines[0] == "CLTMSG, request: Send a message to a friend."
    assert {line.index("[") for line in lines if "protocol version" in line} == {42}
    assert r"  MG   你好吗\x1b&K=1&&  the words [A: SEED WEI ZN GO]" in lines


LONG = "VER=1.4&CMD=Login&PS=" + "5" * 300 + "&" + "K" * 90 + "=" + "密" * 90


@pytest.mark.parametrize("text", ["", "x", "密", "VER=4&x=1", LONG])
def test_any_line_in_words_fits_80_columns(text: str) -> None:
    """Whatever the line, its explanation stays narrow, and tells its problems."""
    lines = explanation_lines(explain(Line(text)), secrets=True)
    assert max(map(cell_len, lines)) <= 80
    assert any(line.startswith("  ! ") for line in lines)


def test_secrets_are_shown_only_when_asked_for() -> None:
    """A password is `***` in words; a long value is cut, with its length."""
    line = Line("VER=1.4&CMD=Login&SEQ=1&UIN=10001&PS=" + "5E" * 40)
    assert "5E" not in "\n".join(explanation_lines(explain(line), secrets=False))
    assert "5E… (80 characters)" in "\n".join(explanation_lines(explain(line), secrets=True))
