"""A list of rows of which only those in view are drawn, so that it may have thousands."""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual


class Rows(ScrollView, can_focus=True):
    """Rows of one line each, with a cursor.

    A subclass says how many there are (`count`), how one looks (`row`) and which the cursor passes
    over (`is_open_to_cursor`), and calls `changed` when any of that changes.
    """

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("enter", "choose", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--row", "rows--cursor", "rows--hover"}

    cursor: reactive[int | None] = reactive(None)
    """The row under the cursor, None if there is none to choose."""
    hovered: reactive[int | None] = reactive(None)

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, rows: "Rows") -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> "Rows":
            """The list."""
            return self.rows

    class Chosen(Message):
        """Somebody pressed Enter on a row, or clicked it."""

        def __init__(self, rows: "Rows", index: int) -> None:
            super().__init__()
            self.rows = rows
            self.index = index

        @property
        def control(self) -> "Rows":
            """The list."""
            return self.rows

    # --- what a subclass says

    def count(self) -> int:
        """Return how many rows there are."""
        raise NotImplementedError

    def row(self, index: int, width: int) -> Content:
        """Return how a row looks in so many columns; what is wider is cut."""
        raise NotImplementedError

    def is_open_to_cursor(self, index: int) -> bool:  # noqa: ARG002  # for subclasses
        """Whether the cursor may stand on a row."""
        return True

    # --- what it calls

    def changed(self) -> None:
        """Draw the rows anew and keep the cursor on one that is there."""
        count = self.count()
        size = Size(self.scrollable_content_region.width, count)
        if self.virtual_size != size:
            self.virtual_size = size
            self._scroll_update(size)
        if self.cursor is None or not 0 <= self.cursor < count:
            self.cursor = self._nearest(min(self.cursor or 0, count - 1), -1 if self.cursor else 1)
        elif not self.is_open_to_cursor(self.cursor):
            self.cursor = self._nearest(self.cursor, 1)
        self.refresh()

    # --- moving

    def _nearest(self, index: int, step: int) -> int | None:
        """Return the next row for the cursor from `index` on, backwards if there is none."""
        count = self.count()
        for way in (step, -step):
            place = index
            while 0 <= place < count:
                if self.is_open_to_cursor(place):
                    return place
                place += way
        return None

    def action_move(self, step: int) -> None:
        """Move the cursor to the next row, or the one before."""
        place = self._nearest(0, 1) if self.cursor is None else self.cursor + step
        if place is not None and 0 <= place < self.count():
            self.cursor = self._nearest(place, step)
        if step < 0 and self.cursor is not None and self._nearest(0, 1) == self.cursor:
            self.scroll_to(y=0, animate=False)  # headings above the first row, too

    def action_page(self, step: int) -> None:
        """Move the cursor by as much as is in view."""
        if self.cursor is not None:
            place = self.cursor + step * max(self.scrollable_content_region.height - 1, 1)
            self.cursor = self._nearest(min(max(place, 0), self.count() - 1), step)

    def action_first(self) -> None:
        """Move the cursor to the first row."""
        self.cursor = self._nearest(0, 1)
        self.scroll_to(y=0, animate=False)

    def action_last(self) -> None:
        """Move the cursor to the last row."""
        self.cursor = self._nearest(self.count() - 1, -1)

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self.cursor is not None:
            self.post_message(self.Chosen(self, self.cursor))

    def watch_cursor(self) -> None:
        """Bring the cursor into view."""
        if self.cursor is not None:
            self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved(self))

    # --- mouse

    def _row_at(self, event: events.MouseEvent) -> int | None:
        offset = event.get_content_offset(self)
        if offset is None:
            return None
        index = offset.y + self.scroll_offset.y
        return index if index < self.count() and self.is_open_to_cursor(index) else None

    def on_click(self, event: events.Click) -> None:
        """Choose what is clicked."""
        index = self._row_at(event)
        if index is not None:
            self.cursor = index
            self.action_choose()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Show what would be clicked."""
        self.hovered = self._row_at(event)

    def on_leave(self) -> None:
        """Forget where the mouse was."""
        self.hovered = None

    # --- drawing

    def on_resize(self) -> None:
        """Lay out anew."""
        self.changed()

    def notify_style_update(self) -> None:
        """Draw anew in other colours."""
        self.refresh()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """Return how a line looks."""
        width = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        style = self.get_visual_style("rows--row")
        if not 0 <= index < self.count():
            return Strip.blank(width, style.rich_style)
        if index == self.cursor:
            style = self.get_visual_style("rows--row", "rows--cursor")
        elif index == self.hovered:
            style = self.get_visual_style("rows--row", "rows--hover")
        content = self.row(index, width).truncate(width, ellipsis=True)
        strips = Visual.to_strips(self, content, width, 1, style, pad=True)
        return strips[0] if strips else Strip.blank(width, style.rich_style)
