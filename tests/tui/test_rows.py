"""A list of rows, of which only those in view are drawn."""

from typing import Any

import pytest
from textual.content import Content

from kqq.tui.rows import Rows
from tui.screens import Alone, seen, seen_in, until


class Numbers(Rows):
    """Rows that are numbers; every tenth is a heading. Notes which were drawn."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.many = count
        self.drawn: set[int] = set()

    def count(self) -> int:
        """Return how many there are."""
        return self.many

    def is_open_to_cursor(self, index: int) -> bool:
        """Headings are passed over."""
        return index % 10 != 0

    def row(self, index: int, width: int) -> Content:
        """Return a number and something long."""
        self.drawn.add(index)
        return Content(f"row {index} " + "今" * width)


class Heard(Alone):
    """Notes what the list says."""

    def on_rows_chosen(self, event: Rows.Chosen) -> None:
        """Note a choice."""
        self.heard.append(event.index)
        assert event.control is event.rows

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Note a move."""
        assert event.control is event.rows


async def test_only_what_is_in_view_is_drawn() -> None:
    """Of ten thousand rows a screenful is made; each is one line, cut where it is too wide."""
    rows = Numbers(10_000)
    async with Heard(rows).run_test(size=(20, 10)) as pilot:
        await pilot.pause()
        shown = seen_in(rows).split("\n")
        assert shown[0] == "row 0 今今今今今今…"
        assert len(shown) == 10
        assert len(rows.drawn) < 30


async def test_the_cursor_passes_over_headings() -> None:
    """It goes up and down, by pages, to both ends, and stops there."""
    rows = Numbers(30)
    async with Heard(rows).run_test(size=(20, 8)) as pilot:
        rows.focus()
        await pilot.pause()
        assert rows.cursor == 1
        await pilot.press("up")
        assert rows.cursor == 1
        await pilot.press("down", "down")
        assert rows.cursor == 3
        await pilot.press("pagedown")
        assert rows.cursor == 11  # 10 is a heading
        await pilot.press("end")
        assert rows.cursor == 29
        await pilot.press("down")
        assert rows.cursor == 29
        assert "row 29" in seen_in(rows)
        await pilot.press("pageup")
        assert rows.cursor == 22
        await pilot.press("home")
        assert rows.cursor == 1
        assert "row 0 " in seen_in(rows)
        await pilot.press("down", "up")
        assert rows.scroll_offset.y == 0
        await pilot.press("enter")
        assert pilot.app.heard == [1]  # type: ignore[attr-defined]


async def test_the_mouse_chooses_and_hovers() -> None:
    """A click chooses the row, if it is one to choose; beside the rows it does nothing."""
    rows = Numbers(5)
    app = Heard(rows)
    async with app.run_test(size=(20, 10)) as pilot:
        await pilot.click(rows, offset=(3, 2))
        await until(pilot, lambda: app.heard == [2], "a choice")
        await pilot.click(rows, offset=(3, 0))
        await pilot.click(rows, offset=(3, 8))
        await pilot.pause()
        assert app.heard == [2]
        await pilot.hover(rows, offset=(3, 3))
        await until(pilot, lambda: rows.hovered == 3, "hovering")
        rows.on_leave()
        assert rows.hovered is None


async def test_a_click_on_the_border_chooses_nothing() -> None:
    """Only rows can be clicked."""
    rows = Numbers(5)
    app = Heard(rows)
    async with app.run_test(size=(20, 10)) as pilot:
        rows.styles.border = ("round", "red")
        await pilot.pause()
        await pilot.click(rows, offset=(0, 0))
        await pilot.pause()
        assert app.heard == []


@pytest.mark.parametrize(("before", "after", "cursor"), [(30, 15, 14), (30, 0, None), (0, 5, 1)])
async def test_the_cursor_stays_on_a_row_that_is_there(
    before: int, after: int, cursor: int | None
) -> None:
    """When rows go, the cursor goes to the last that is left; when there are none, nowhere."""
    rows = Numbers(before)
    async with Heard(rows).run_test(size=(20, 8)) as pilot:
        rows.focus()
        await pilot.press("end")
        rows.many = after
        rows.changed()
        await pilot.pause()
        assert rows.cursor == cursor
        if cursor is None:
            await pilot.press("up", "down", "pagedown", "enter", "home", "end")
            assert rows.cursor is None


async def test_a_row_that_becomes_a_heading_loses_the_cursor() -> None:
    """The cursor goes on to the next."""
    rows = Numbers(30)
    async with Heard(rows).run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        rows.cursor = 10
        rows.changed()
        assert rows.cursor == 11


async def test_colours_follow_the_theme() -> None:
    """A change of theme draws the rows anew."""
    rows = Numbers(3)
    app: Any = Heard(rows)
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        before = rows.render_line(1)
        app.theme = "kqq-light"
        await pilot.pause()
        assert rows.render_line(1) != before
        assert "row 1" in "\n".join(seen(app))


def test_a_list_says_what_is_in_it() -> None:
    """The base class has no rows of its own; all of a subclass's may have the cursor."""
    rows = Rows()
    with pytest.raises(NotImplementedError):
        rows.count()
    with pytest.raises(NotImplementedError):
        rows.row(0, 10)
    assert rows.is_open_to_cursor(0)
