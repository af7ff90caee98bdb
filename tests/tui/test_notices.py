"""The bell and notes on the desktop."""

import pytest

from kqq.tui.notices import Notices, desktop_note
from tui.screens import HOSTILE


def test_kinds() -> None:
    """Each kind rings or shows or both or neither."""
    assert [(one.rings, one.shows) for one in Notices] == [
        (False, False),
        (True, False),
        (False, True),
        (True, True),
    ]
    assert Notices("desktop") is Notices.DESKTOP


def test_a_note_is_osc_9_unless_the_terminal_wants_777() -> None:
    """The environment tells which one; sending both would show two notes."""
    assert desktop_note("Bob", "hi", {}) == "\x1b]9;kqq: Bob: hi\x07"
    rxvt = desktop_note("B;b", "h;i", {"TERM": "rxvt-unicode-256color"})
    assert rxvt == "\x1b]777;notify;B,b;h,i\x07"
    assert desktop_note("Bob", "hi", {"VTE_VERSION": "7600"}).startswith("\x1b]777;")


@pytest.mark.parametrize("environment", [{}, {"VTE_VERSION": "7600"}])
def test_nothing_of_a_text_reaches_the_terminal_raw(environment: dict[str, str]) -> None:
    """A text can neither end the sequence nor begin another, in either form."""
    note = desktop_note(f"{HOSTILE}\x07", f"4;1;50 \x9c {HOSTILE}\nnext" * 20, environment)
    assert note.count("\x1b") == 1
    assert note.count("\x07") == 1
    assert note.endswith("\x07")
    assert "\x9c" not in note
    assert "\n" not in note
    assert len(note) < 400
    assert not note.startswith("\x1b]9;4")  # progress bars, to some terminals
