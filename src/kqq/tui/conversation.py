"""What two people said: days, times, whose words they are and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rich.cells import cell_len
from textual.cache import LRUCache
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message as TextualMessage
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from kqq.client.events import Fate, Message
from kqq.tui.text import day_in_words, local, time_of_day, wrapped
from kqq.words import printable, tr, tr_n

_WIDEST = 72  # columns of words in a line; longer ones are tiring to read
_MARGIN = 2
_MOST_SIGNS, _MOST_LINES = 8_000, 200  # of a message; all of it is in the history
_SIGNS = {
    Fate.WAITING: ("…", "$accent bold"),
    Fate.SENT: ("✓", "$quiet"),
    Fate.REFUSED: ("✗", "$text-error bold"),
    Fate.UNKNOWN: ("?", "$text-warning bold"),
}
_TAIL = len("  00:00 ✓")


@dataclass(frozen=True, slots=True)
class Shown:
    """What is in view: messages, the first unread one (its key) and the one that was sought."""

    messages: Sequence[Message] = ()
    first_unread: str | None = None
    sought: str | None = None


class ConversationView(ScrollView, can_focus=False):
    """The messages of one conversation; only the lines in view are drawn.

    While its end is in view it follows what comes; somebody who has scrolled up stays there.
    """

    ALLOW_SELECT = False

    class EarlierWanted(TextualMessage):
        """Somebody scrolled to the first message and on."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._shown = Shown()
        self._today = date.min
        self._lines: list[Content] = []
        self._places: dict[str, tuple[int, int]] = {}  # first line and height of each message
        self._width = self._height = 0
        self._cache: LRUCache[tuple[Message, int, bool], list[Content]] = LRUCache(4096)

    @property
    def is_at_end(self) -> bool:
        """Whether the newest message is in view."""
        return self.scroll_offset.y >= self.max_scroll_y

    def show(self, shown: Shown, today: date, *, to_end: bool = False) -> None:
        """Show a conversation; with `to_end` its end, wherever one was."""
        follows = to_end or self.is_at_end
        above = self._place_in_view()
        self._shown, self._today = shown, today
        self._lay_out()
        if follows:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        elif above is not None and above[0] in self._places:
            key, offset = above
            self.scroll_to(y=self._places[key][0] + offset, animate=False, force=True)

    def scroll_to_message(self, key: str | None) -> None:
        """Bring a message into view, if it is there."""
        if key is not None and key in self._places:
            line, height = self._places[key]
            region = Region(0, max(line - 1, 0), 1, height + 2)
            self.scroll_to_region(region, animate=False, force=True, immediate=True)

    def page(self, step: int) -> None:
        """Scroll by what is in view; before the first message earlier ones are asked for."""
        if step < 0 and self.scroll_offset.y == 0:
            self.post_message(self.EarlierWanted())
        height = max(self.scrollable_content_region.height - 1, 1)
        self.scroll_to(y=self.scroll_offset.y + step * height, animate=False, force=True)

    def on_mouse_scroll_up(self) -> None:
        """Ask for earlier messages at the beginning."""
        if self.scroll_offset.y == 0:
            self.post_message(self.EarlierWanted())

    # --- layout

    def on_resize(self) -> None:
        """Lay out in another width, and stay at the end if one was there."""
        width = self.scrollable_content_region.width
        height = self.scrollable_content_region.height
        was_at_end = self.scroll_offset.y + self._height >= self.virtual_size.height
        follows = self.is_at_end or was_at_end or width != self._width
        self._height = height
        if width != self._width:
            self._lay_out()
        if follows and self._shown.sought in self._places:
            self.scroll_to_message(self._shown.sought)
        elif follows:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def notify_style_update(self) -> None:
        """Draw anew in other colours."""
        self.refresh()
        super().notify_style_update()

    def _place_in_view(self) -> tuple[str, int] | None:
        """Return the message at the top of the view, and how far below its start that is."""
        top = self.scroll_offset.y
        before = [(key, top - line) for key, (line, _) in self._places.items() if line <= top]
        return before[-1] if before else None

    def _lay_out(self) -> None:
        width = self._width = self.scrollable_content_region.width
        if not width:
            return
        lines: list[Content] = []
        places: dict[str, tuple[int, int]] = {}
        day: date | None = None
        last: Message | None = None
        for message in self._shown.messages:
            when = local(message.at).date()
            is_first_unread = message.key == self._shown.first_unread
            if when != day:
                day = when
                rule = _rule(day_in_words(when, self._today), width, "$quiet", "$line")
                lines += [Content(""), rule, Content("")] if lines else [rule, Content("")]
            elif is_first_unread or (last is not None and last.is_own != message.is_own):
                lines.append(Content(""))
            if is_first_unread:
                lines += [_rule(tr("new"), width, "$accent bold", "$accent"), Content("")]
            drawn = self._drawn(message, width)
            places[message.key] = (len(lines), len(drawn))
            lines += drawn
            last = message
        self._lines, self._places = lines, places
        size = Size(width, len(lines))
        if size != self.virtual_size:
            self.virtual_size = size
            self._scroll_update(size)
        self.refresh()

    def _drawn(self, message: Message, width: int) -> list[Content]:
        is_sought = message.key == self._shown.sought
        found = self._cache.get((message, width, is_sought))
        if found is None:
            found = (
                _own(message, width, is_sought)
                if message.is_own
                else (_others(message, width, is_sought))
            )
            self._cache[(message, width, is_sought)] = found
        return found

    def render_line(self, y: int) -> Strip:
        """Return how a line looks."""
        region = self.scrollable_content_region
        width = region.width
        # A short conversation stands at the bottom, beside the field.
        index = y + self.scroll_offset.y - max(region.height - len(self._lines), 0)
        style = self.visual_style
        if not 0 <= index < len(self._lines):
            return Strip.blank(width, style.rich_style)
        strips = Visual.to_strips(self, self._lines[index], width, 1, style, pad=True)
        return strips[0] if strips else Strip.blank(width, style.rich_style)


def _rule(text: str, width: int, style: str, line: str) -> Content:
    """Return a line across with words in its middle."""
    left = max((width - cell_len(text) - 2) // 2 - _MARGIN, 1)
    right = max(width - cell_len(text) - 2 - left - 2 * _MARGIN, 1)
    return Content.assemble(
        " " * _MARGIN, ("─" * left, line), (f" {text} ", style), ("─" * right, line)
    )


def _words(message: Message, width: int) -> tuple[list[str], int]:
    """Return the words as lines, and the columns of the longest."""
    room = min(max(width - 2 * _MARGIN - _TAIL - 2, 8), _WIDEST)
    text = message.text
    if len(text) > _MOST_SIGNS or text.count("\n") > _MOST_LINES:
        text = "\n".join(text[:_MOST_SIGNS].split("\n")[:_MOST_LINES])
        left = len(message.text) - len(text)
        text += "\n" + tr_n("… {count} more character", "… {count} more characters", left).format(
            count=left
        )
    lines = wrapped(printable(text, lines=True), room)
    return lines, max(map(cell_len, lines))


def _filled(line: str, cells: int) -> str:
    return f" {line}{' ' * (cells - cell_len(line))} "


def _others(message: Message, width: int, is_sought: bool) -> list[Content]:  # noqa: FBT001
    lines, cells = _words(message, width)
    bubble = f"$foreground on ${'found' if is_sought else 'bubble-other'}"
    drawn = [Content.assemble(" " * _MARGIN, (_filled(line, cells), bubble)) for line in lines]
    drawn[-1] += Content.styled(f"  {time_of_day(message.at)}", "$faint")
    return drawn


def _own(message: Message, width: int, is_sought: bool) -> list[Content]:  # noqa: FBT001
    lines, cells = _words(message, width)
    bubble = f"$foreground on ${'found' if is_sought else 'bubble-own'}"
    left = max(width - _MARGIN - cells - 2, 0)
    drawn = [Content.assemble(" " * left, (_filled(line, cells), bubble)) for line in lines]
    sign, style = _SIGNS[message.fate]
    tail = Content.assemble((f"{time_of_day(message.at)} ", "$faint"), (sign, style), "  ")
    last = Content.styled(_filled(lines[-1], cells), bubble)
    drawn[-1] = Content(" " * max(left - tail.cell_length, 0)) + tail + last
    if message.fate in (Fate.REFUSED, Fate.UNKNOWN):
        drawn += _why(message, width, style)
    return drawn


def _why(message: Message, width: int, style: str) -> list[Content]:
    """Return why it was refused, or may not have arrived, at the right as the words are."""
    told = tr("not sent") if message.fate is Fate.REFUSED else tr("may not have arrived")
    why = f"{told}: {printable(message.why)}" if message.why else told
    lines = wrapped(why, min(max(width - 2 * _MARGIN, 8), _WIDEST))
    return [
        Content.assemble(
            " " * max(width - _MARGIN - cell_len(line), 0), (line, style.removesuffix(" bold"))
        )
        for line in lines
    ]
