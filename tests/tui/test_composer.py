"""The field to write in: keys, growth, and where the terminal's cursor stands."""

import re
from typing import Any

import pytest
from textual._xterm_parser import XTermParser
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from kqq.tui.composer import Composer, know_alt_enter
from tui.screens import Alone, LoudDriver, seen_in, typing, until


class Desk(Alone):
    """A field at the bottom, as in the chat."""

    def __init__(self, field: Composer) -> None:
        super().__init__(field)
        self.driver_class = LoudDriver

    def compose(self) -> ComposeResult:
        """Something above, and the field in its box."""
        with Vertical(id="talk", classes="-open"):
            above = Static("above")
            above.styles.height = "1fr"
            yield above
            with Vertical(id="composer-place"), Vertical(id="composer-box"):
                yield self._widget

    def on_composer_sent(self, event: Composer.Sent) -> None:
        """Note what was sent."""
        self.heard.append(event.text)

    def on_composer_scrolled(self, event: Composer.Scrolled) -> None:
        """Note what is to scroll."""
        self.heard.append(event.step)


def terminals_cursor(app: Desk) -> tuple[int, int]:
    """Return column and row where the terminal was last told to put its cursor."""
    written = "".join(app._driver.written)  # type: ignore[union-attr]
    row, column = re.findall(r"\x1b\[(\d+);(\d+)H", written)[-1]
    return int(column) - 1, int(row) - 1


async def test_enter_sends_and_other_keys_begin_a_line() -> None:
    """Blanks at the end do not go, and blanks alone send nothing; every line break key works."""
    field = Composer()
    app = Desk(field)
    async with app.run_test(size=(40, 15), headless=False) as pilot:
        field.focus()
        await pilot.press("enter", "space", "enter")
        assert app.heard == []
        field.text = ""
        await pilot.press(*"one", "ctrl+j", *"two", "alt+enter", *"three", "shift+enter", "enter")
        assert app.heard == ["one\ntwo\nthree"]


async def test_the_terminals_cursor_follows_wide_signs_and_growth() -> None:
    """An input method opens its window where the caret is, also as the field grows upwards."""
    field = Composer()
    app = Desk(field)
    async with app.run_test(size=(40, 15), headless=False) as pilot:
        field.focus()
        await typing(pilot, "a你好，b")
        left, top = field.content_region.offset
        await until(pilot, lambda: terminals_cursor(app) == (left + 8, top), "the cursor")
        await pilot.press("left", "left")
        await until(pilot, lambda: terminals_cursor(app) == (left + 5, top), "the cursor")
        await pilot.press("end", "ctrl+j", "好")
        await until(pilot, lambda: field.region.height == 2, "growth")
        await until(pilot, lambda: terminals_cursor(app) == (left + 2, top), "the cursor")
        assert field.content_region.y == top - 1
        for _ in range(40):  # it grows by wrapping on the way
            await typing(pilot, "好")
            await until(
                pilot, lambda: terminals_cursor(app) == field.cursor_screen_offset, "the cursor"
            )
        assert field.region.height == 4
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: field.region.height == 3, "other wrapping")
        await until(
            pilot, lambda: terminals_cursor(app) == field.cursor_screen_offset, "the cursor"
        )
        assert seen_in(field).split("\n")[1].startswith("好" * 16)


async def test_the_field_grows_only_so_far() -> None:
    """Of many lines six are in view, and the caret among them."""
    field = Composer()
    app = Desk(field)
    async with app.run_test(size=(40, 24), headless=False) as pilot:
        field.focus()
        for number in range(9):
            await pilot.press(str(number), "ctrl+j")
        await until(pilot, lambda: field.region.height == 6, "growth")
        assert field.cursor_screen_offset.y == field.region.bottom - 1


async def test_up_brings_back_what_was_sent() -> None:
    """In an empty field only; elsewhere the caret goes up."""
    field = Composer()
    app = Desk(field)
    async with app.run_test(size=(40, 15), headless=False) as pilot:
        field.focus()
        await pilot.press("up")
        assert field.text == ""
        field.last_sent = "hello\nthere"
        await pilot.press("up")
        assert field.text == "hello\nthere"
        assert field.cursor_location == (1, 5)
        await pilot.press("up")
        assert field.cursor_location == (0, 5)


async def test_page_keys_scroll_what_is_above() -> None:
    """The field has too few lines for them."""
    app = Desk(field := Composer())
    async with app.run_test(size=(40, 15), headless=False) as pilot:
        field.focus()
        await pilot.press("pageup", "pagedown")
        assert app.heard == [-1, 1]


async def test_a_field_without_keys_leaves_the_cursor_alone() -> None:
    """Only who has the keys has the cursor."""
    app = Desk(field := Composer())
    async with app.run_test(size=(40, 15), headless=False) as pilot:
        await pilot.pause()
        app.set_focus(None)
        await pilot.pause()
        before = app.cursor_position
        field.place_cursor()
        assert app.cursor_position == before


@pytest.mark.parametrize(
    ("raw", "key"),
    [("\x1b\r", "alt+enter"), ("\x1b[13;3u", "alt+enter"), ("\r", "enter"), ("\n", "ctrl+j")],
)
def test_terminals_say_alt_enter_in_two_ways(raw: str, key: str) -> None:
    """As ESC CR, or in the protocol of kitty; neither is Enter."""
    know_alt_enter()
    know_alt_enter()
    parser = XTermParser()
    found: list[Any] = [*parser.feed(raw), *parser.tick()]
    assert [event.key for event in found] == [key]
