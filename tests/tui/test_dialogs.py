"""What all dialogs have, and those that only ask, choose or tell."""

from collections.abc import Iterable
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from kqq.errors import ConnectionLost
from kqq.tui.dialogs import Choice, Confirm, Dialog, Keys, Picker, words
from kqq.tui.help import every_key
from tui.screens import HARMLESS, HOSTILE, Alone, seen, until


class Behind(Alone):
    """What is behind a dialog; notes its answer."""

    def __init__(self) -> None:
        super().__init__(Static("behind"))

    def compose(self) -> ComposeResult:
        """Show something."""
        yield self._widget

    async def ask(self, dialog: Screen[Any]) -> None:
        """Open a dialog."""
        await self.push_screen(dialog, self.heard.append)


class Plain(Dialog[str]):
    """A dialog that says what a stranger says."""

    def heading(self) -> str:
        """Return what a stranger says."""
        return HOSTILE

    def body(self) -> Iterable[Widget]:
        """Return the same."""
        yield words(HOSTILE)


async def answer_of(pilot: Pilot[Any], app: App[Any], dialog: Dialog[Any], *keys: str) -> Any:
    """Return the answer of a dialog after some keys."""
    assert isinstance(app, Behind)
    await app.ask(dialog)
    await pilot.pause()
    await pilot.press(*keys)
    await until(pilot, lambda: app.heard, "an answer")
    return app.heard.pop()


async def test_a_dialog_is_closed_by_escape_a_click_beside_it_and_its_button() -> None:
    """The answer is then None; a click in it does not close it."""
    app = Behind()
    async with app.run_test(size=(80, 24)) as pilot:
        assert await answer_of(pilot, app, Plain(), "escape") is None
        assert await answer_of(pilot, app, Plain(), "enter") is None
        await app.ask(Plain())
        await pilot.click(".dialog-body")
        await pilot.pause()
        assert app.heard == []
        await pilot.click(offset=(1, 1))
        await until(pilot, lambda: app.heard == [None], "an answer")


async def test_words_in_a_dialog_are_words() -> None:
    """Headings, what is in it, and errors read no markup and steer no terminal."""
    app = Behind()
    async with app.run_test(size=(80, 24)) as pilot:
        dialog = Plain()
        await app.ask(dialog)
        dialog.tell_error(ConnectionLost(HOSTILE))
        await pilot.pause()
        shown = " ".join(" ".join(seen(app)).replace("│", " ").split())
        assert shown.count("[@click=app.quit]y[/]") == 3
        assert HARMLESS in shown
        assert dialog.query_one(".dialog-told").has_class("-bad")
        dialog.tell("")
        assert not dialog.query_one(".dialog-told").has_class("-told")


async def test_confirming() -> None:
    """No is where the keys are; yes needs a move."""
    app = Behind()
    async with app.run_test(size=(80, 24)) as pilot:
        assert await answer_of(pilot, app, Confirm("Sure?", "Really?", "Yes"), "enter") is None
        assert await answer_of(pilot, app, Confirm("Sure?", "Really?", "Yes"), "right", "enter")
        ask = Confirm("Sure?", "Really?", "Yes")
        assert await answer_of(pilot, app, ask, "right", "left", "enter") is None


CHOICES = [Choice(Content(one), hint, one) for one, hint in [
    ("Add a friend", "Ctrl+N"), ("Find people", ""), ("Quit", "Ctrl+Q"), ("[bold]x[/]", HOSTILE),
    *((f"more {number}", "") for number in range(30)),
]]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        ("enter", "Add a friend"),
        ("down down enter", "Quit"),
        ("down up enter", "Add a friend"),
        ("f i n d enter", "Find people"),
        ("q t enter", "Quit"),
        ("tab down enter", "Find people"),
        ("pagedown enter", "more 9"),
        ("pagedown pageup enter", "Add a friend"),
        ("b o l d enter", "[bold]x[/]"),
        ("z z z enter escape", None),
    ],
)
async def test_picking(keys: str, answer: str | None) -> None:
    """Arrows move, letters narrow, Enter chooses."""
    app = Behind()
    async with app.run_test(size=(80, 24)) as pilot:
        picker = Picker("What to do", CHOICES, placeholder="Type")
        assert await answer_of(pilot, app, picker, *keys.split()) == answer


async def test_a_picker_shows_what_fits() -> None:
    """Those that do not fit go, and come back; hostile words stay words."""
    app = Behind()
    async with app.run_test(size=(80, 24)) as pilot:
        await app.ask(Picker("What to do", CHOICES, placeholder="Type"))
        await pilot.pause()
        assert "[bold]x[/]" in "\n".join(seen(app))
        await pilot.press("q", "u")
        await pilot.pause()
        shown = "\n".join(seen(app))
        assert "Quit" in shown
        assert "Add" not in shown
        await pilot.press("backspace", "backspace")
        assert "Add" in "\n".join(seen(app))


@pytest.mark.parametrize("size", [(40, 15), (80, 24), (120, 40)])
async def test_the_page_of_keys_fits_and_scrolls(size: tuple[int, int]) -> None:
    """The arrow keys scroll it."""
    app = Behind()
    async with app.run_test(size=size) as pilot:
        await app.ask(Keys(every_key()))
        await pilot.pause()
        assert "Everywhere" in "\n".join(seen(app))
        await pilot.press("end")
        await until(pilot, lambda: "broke" in " ".join(seen(app)), "the end of the page")
        assert all(len(line) <= size[0] for line in seen(app))


async def test_a_dialog_says_what_is_in_it() -> None:
    """The base class has nothing in it, and is closed by its only button."""
    dialog: Dialog[str] = Dialog()
    with pytest.raises(NotImplementedError):
        dialog.heading()
    with pytest.raises(NotImplementedError):
        dialog.body()
    assert [one.id for one in dialog.buttons()] == ["cancel"]
