"""Colours and names."""

import pytest
from textual.color import Color

from kqq.client.state import Person
from kqq.protocol import SYSTEM_ACCOUNT, Status
from kqq.tui.look import DARK, LIGHT, mark, name_in, name_of, status_style
from tui.screens import HOSTILE


def test_both_themes_name_the_same_colours() -> None:
    """What the style sheet uses is there in dark and light, and can be read as a colour."""
    assert set(DARK.variables) == set(LIGHT.variables)
    assert DARK.dark
    assert not LIGHT.dark
    for theme in (DARK, LIGHT):
        for name, value in theme.variables.items():
            assert value == "none" or Color.parse(value.split()[0]), name


@pytest.mark.parametrize("theme", [DARK, LIGHT])
@pytest.mark.parametrize("name", ["bubble-own", "bubble-other", "found", "field", "cursor-here"])
def test_words_can_be_read(theme: object, name: str) -> None:
    """What stands behind words is far enough from them in brightness."""
    assert theme in (DARK, LIGHT)
    chosen = DARK if theme is DARK else LIGHT
    words, behind = Color.parse(chosen.foreground or ""), Color.parse(chosen.variables[name])
    assert abs(words.brightness - behind.brightness) > 0.35


def test_marks_tell_by_shape() -> None:
    """Each status has a sign of its own, one cell wide; so does one that nobody knows."""
    signs = [mark(status).plain for status in Status]
    assert len(set(signs)) == len(signs)
    assert mark(12345).cell_length == 1
    assert status_style(Status.AWAY) != status_style(Status.ONLINE)
    assert status_style(12345) == status_style(Status.OFFLINE)


def test_names_are_harmless() -> None:
    """A nickname is one line without escapes; without one it is the number."""
    assert "\x1b" not in name_of(Person(10002, HOSTILE))
    assert name_of(Person(10002)) == "10002"
    assert name_of(Person(SYSTEM_ACCOUNT)) == "The server"
    assert name_in(Person(10002, "今晚去看电影"), 7) == "今晚去…"
