"""The lines as they go and come, and what each field of the one under the cursor means."""

import re
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar, Protocol

from rich.cells import cell_len, set_cell_size
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from kqq.protocol.evidence import CONFIDENCE, SOURCES
from kqq.protocol.explain import ExplainedField, Explanation, explain
from kqq.protocol.wire import Line, show
from kqq.tui.help import Place
from kqq.tui.rows import Rows
from kqq.tui.text import time_of_day
from kqq.words import one_line, printable, tr

MOST_KEPT = 1000
_MOST_APART = 300  # lines between a request and its answer, when looking for it
_WIDE = 72  # columns from which a line of the list has its milliseconds
_MOST_RAW = 1000
_MOST_VALUE = 2000
_HEAD = frozenset(("VER", "CON", "CMD", "SEQ", "UIN", "SID", "XP"))
_HASH = re.compile(r"[0-9A-Fa-f]{32,}")
_SURE_STYLES = {"A": "$here bold", "B": "$here", "C": "$away", "D": "$accent", "?": "$text-error"}
_KIND_STYLES = {"request": "$primary", "reply": "$here", "push": "$accent"}


@dataclass(frozen=True, slots=True)
class WireLine:
    """A line that went (">") or came ("<") at a date; `number` counts them from 0."""

    number: int
    at: float
    direction: str
    line: Line

    @property
    def is_own(self) -> bool:
        """Whether it went to the server."""
        return self.direction == ">"


class Lines(Protocol):
    """Where lines are kept."""

    @property
    def lines(self) -> Collection[WireLine]:
        """The last of them, in order."""

    def other_half(self, one: WireLine, /) -> WireLine | None:
        """Return the answer to a request, or the request that an answer is to, if it is kept."""


class WireLog:
    """The last thousand lines."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.lines: deque[WireLine] = deque(maxlen=MOST_KEPT)
        self._now = now
        self._count = 0

    def add(self, direction: str, line: Line) -> None:
        """Keep a line; the oldest goes if there are too many."""
        self.lines.append(WireLine(self._count, self._now(), direction, line))
        self._count += 1

    def other_half(self, one: WireLine) -> WireLine | None:
        """Return the answer to a request, or the request that an answer is to, if it is kept."""
        if not self.lines:
            return None
        seq = one.line.values().get("SEQ")
        if not seq or _is_push(one):
            return None
        place = one.number - self.lines[0].number
        if one.is_own:
            others = list(islice(self.lines, place + 1, place + 1 + _MOST_APART))
        else:
            others = list(islice(self.lines, max(place - _MOST_APART, 0), max(place, 0)))[::-1]
        for other in others:
            is_same = other.line.values().get("SEQ") == seq
            if is_same and other.is_own != one.is_own and not _is_push(other):
                return other
        return None


def _is_push(one: WireLine) -> bool:
    """Whether a line is said unasked; its `SEQ` then has nothing to do with ours."""
    return explain(one.line).kind == "push"


def safe_line(line: Line) -> str:
    """Return a line as it may be shown: nothing that steers a terminal, and no secrets."""
    return show(line.encode(), _MOST_RAW)


def without_head(line: Line) -> str:
    """Return a line as it may be shown, without the fields that nearly all lines have."""
    parts = safe_line(line).split("&")
    own = [part for part in parts if part.partition("=")[0].strip() not in _HEAD]
    if len(own) > 1 and own[0] == "RES=0":
        del own[0]  # all is well, as usual
    return "&".join(own)


def _with_part_marked(line: Line, index: int, *, is_last: bool) -> Content:
    """Return a line as it may be shown, the part at `index` marked, to the end if it is the last.

    Empty parts do not count, as in `Line.pairs`.
    """
    text = safe_line(line)
    start, place = 0, -1
    for part in text.split("&"):
        place += bool(part)
        if place == index:
            end = len(text) if is_last else start + len(part)
            shown = Content.styled(text, "$quiet")
            return shown.stylize("$foreground on $found", start, end)
        start += len(part) + 1
    return Content.styled(text, "$quiet")


def safe_value(field: ExplainedField) -> str:
    """Return the value of a field as it may be shown, on one line; a secret is `***`."""
    if field.secret and field.value:
        return "***"
    value = field.value if field.name else _HASH.sub("***", field.value)
    shown = one_line(value[:_MOST_VALUE], _MOST_VALUE)
    more = len(value) - _MOST_VALUE
    return (
        shown
        if more <= 0
        else tr("{start}… ({count} signs)").format(start=shown[:100], count=len(value))
    )


class WireRows(Rows):
    """The list of lines."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._lines: Sequence[WireLine] = ()

    def show(self, lines: Sequence[WireLine]) -> None:
        """Show these lines; a cursor at the end goes along, any other stays on its line."""
        before = self.line_under_cursor
        was_last = before is None or before.number == self._lines[-1].number
        self._lines = lines
        if lines:
            place = len(lines) - 1
            if not was_last and before is not None:
                place = max(before.number - lines[0].number, 0)
            self.set_reactive(Rows.cursor, place)  # one move at the end, not one on the way
        self.changed()
        if self.cursor is not None:
            self.watch_cursor()

    @property
    def line_under_cursor(self) -> WireLine | None:
        """The line that is explained."""
        if self.cursor is None or self.cursor >= len(self._lines):
            return None
        return self._lines[self.cursor]

    def count(self) -> int:
        """Return how many lines there are."""
        return len(self._lines)

    def row(self, index: int, width: int) -> Content:
        """Return time, direction, command and the line itself."""
        one = self._lines[index]
        time = time_of_day(one.at, seconds=True)
        time = time if width >= _WIDE else time[:8]
        command = one.line.values().get("CMD", "").strip()
        command = one_line(command, 18) if command else "—"
        style = "$primary" if one.is_own else "$here"
        return Content.assemble(
            (f" {time} ", "$faint"),
            (one.direction, f"{style} bold"),
            " ",
            (set_cell_size(command, max(cell_len(command), 12)), style),
            " ",
            (without_head(one.line), "$quiet"),
        )


class FieldRows(Rows):
    """The fields of one line."""

    # A click chooses a field, too, but the keys are to stay here then.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", show=False)]

    class Opened(Message):
        """All that is known of the field under the cursor is to be read."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.fields: Sequence[ExplainedField] = ()

    def show(self, fields: Sequence[ExplainedField]) -> None:
        """Show these fields, the cursor on the first."""
        self.fields = fields
        self.set_reactive(Rows.cursor, None)
        self.changed()

    def action_open(self) -> None:
        """Go on to all that is known of the field."""
        self.post_message(self.Opened())

    def on_resize(self) -> None:
        """Keep the cursor in view: there are fewer rows beside the detail."""
        super().on_resize()
        self.watch_cursor()

    def count(self) -> int:
        """Return how many fields there are."""
        return len(self.fields)

    def row(self, index: int, width: int) -> Content:
        """Return key, value, meaning and how sure that is."""
        field = self.fields[index]
        keys = min(max((cell_len(one_line(one.key, 10)) for one in self.fields), default=0), 10)
        values = min(max(width // 3, 8), 30)
        meaning = printable(field.meaning) or tr("not a field we know")
        room = max(width - keys - values - 8, 4)
        return Content.assemble(
            " ",
            (set_cell_size(one_line(field.key, keys), keys), "$primary bold"),
            "  ",
            (set_cell_size(one_line(safe_value(field), values), values), "$foreground"),
            "  ",
            (set_cell_size(one_line(meaning, room), room), "$quiet" if field.name else "$away"),
            " ",
            (field.confidence, _SURE_STYLES.get(field.confidence, "$faint")),
        )


class WirePane(Vertical):
    """The wire beside the chat: lines, the fields of one, and all that is known of one field."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "go_on", show=False),
        Binding("left", "go_back", show=False),
        Binding("c", "copy", show=False),
    ]

    class Copied(Message):
        """A line is to go to the clipboard."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, log: Lines, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._log = log
        self._explained: Line | None = None

    def compose(self) -> ComposeResult:
        """Make the lists and what stands around them."""
        with Vertical(id="wire-lines-box"):
            yield self.make_rows()
        with Vertical(id="wire-explained"):
            yield Static(id="wire-head", markup=False)
            with VerticalScroll(id="wire-raw-box", can_focus=False):
                yield Static(id="wire-raw", markup=False)
            yield FieldRows(id="wire-fields")
            with VerticalScroll(id="wire-detail-box"):
                yield Static(id="wire-detail", markup=False)

    def make_rows(self) -> WireRows:
        """Return the list of lines; it may be another kind of one."""
        return WireRows(id="wire-lines")

    def on_mount(self) -> None:
        """Name the parts."""
        self.query_one("#wire-lines-box").border_title = Content(tr("Wire"))
        self.query_one("#wire-explained").border_title = Content(tr("What it says"))

    @property
    def rows(self) -> WireRows:
        """The list of lines."""
        return self.query_one(WireRows)

    @property
    def fields(self) -> FieldRows:
        """The list of fields."""
        return self.query_one(FieldRows)

    @property
    def detail(self) -> VerticalScroll:
        """All that is known of one field; it scrolls."""
        return self.query_one("#wire-detail-box", VerticalScroll)

    @property
    def place(self) -> Place | None:
        """Which part of the pane the keys go to, None if it is elsewhere."""
        if self.detail.has_focus:
            return Place.WIRE_DETAIL
        if self.fields.has_focus:
            return Place.WIRE_FIELDS
        return Place.WIRE if self.has_focus_within else None

    def refresh_lines(self) -> None:
        """Show the lines that are kept now, if anybody can see them."""
        if not self.display:
            return
        self.rows.show(tuple(self._log.lines))
        count = len(self._log.lines)
        self.query_one("#wire-lines-box").border_subtitle = Content(f"{count}" if count else "")
        if not count:
            self.query_one("#wire-head", Static).update(Content(tr("Nothing was said yet.")))

    def action_go_on(self) -> None:
        """From the lines to the fields, and on to all that is known of one."""
        if self.place is Place.WIRE:
            self.action_go_to_fields()
        else:
            self.action_go_to_detail()

    def action_go_back(self) -> None:
        """From a field in full to the fields, and on to the lines."""
        if self.place is Place.WIRE_DETAIL:
            self.action_go_to_fields()
        else:
            self.action_go_to_lines()

    def action_go_to_fields(self) -> None:
        """Move among the fields."""
        self.fields.focus()

    @on(FieldRows.Opened)
    def action_go_to_detail(self) -> None:
        """Read all of the field under the cursor; where there is little room it has all of it."""
        if self.fields.cursor is not None:
            self.detail.focus()

    def on_descendant_focus(self) -> None:
        """Give the room to the part that has the keys."""
        self.set_class(self.screen.focused is self.detail, "-in-full")

    def on_descendant_blur(self) -> None:
        """Share it again; the part that has the keys now may have said so before."""
        self.set_class(self.screen.focused is self.detail, "-in-full")

    def action_go_to_lines(self) -> None:
        """Move among the lines."""
        self.rows.focus()

    def action_copy(self) -> None:
        """Copy the line under the cursor, its secrets left out."""
        one = self.rows.line_under_cursor
        if one is not None:
            self.post_message(self.Copied(safe_line(one.line)))

    @on(Rows.Chosen)
    def _chosen(self, event: Rows.Chosen) -> None:
        event.stop()
        if event.rows is self.rows:
            self.action_go_to_fields()

    @on(Rows.Moved)
    def _moved(self, event: Rows.Moved) -> None:
        event.stop()
        one = self.rows.line_under_cursor
        if event.rows is self.fields:
            self._tell_of_field()
        elif one is not None:
            if one.line is not self._explained:
                self._explained = one.line
                self.explain_line(one)
            else:
                self.tell_head(one)  # its answer may have come

    def explain_line(self, one: WireLine) -> None:
        """Say what a line is, and its fields."""
        explanation = self.tell_head(one)
        self.fields.show(explanation.fields)
        self._tell_of_field()

    def tell_head(self, one: WireLine) -> Explanation:
        """Say what a line is, and what is odd about it."""
        explanation = explain(one.line)
        head = [
            Content.assemble(
                (one_line(explanation.command, 40) or tr("(no command)"), "bold"),
                ("  ", ""),
                (_kind(explanation.kind), _KIND_STYLES.get(explanation.kind, "$text-error bold")),
                (self.told_of_other_half(one, explanation.kind), "$faint"),
            )
        ]
        if explanation.summary:
            head.append(Content.styled(printable(explanation.summary), "$quiet"))
        head += [
            Content.styled(f"! {_HASH.sub('***', printable(problem))}", "$text-warning")
            for problem in explanation.problems
        ]
        self.query_one("#wire-head", Static).update(Content("\n").join(head))
        return explanation

    def told_of_other_half(self, one: WireLine, kind: str) -> str:
        """Say which line answers one, or what it answers; "" if there is none."""
        other = self._log.other_half(one)
        if other is None:
            return ""
        milliseconds = f"{abs(other.at - one.at) * 1000:.0f}"
        time = time_of_day(other.at, seconds=True)
        if kind == "request":
            told = tr("answered at {time}, {milliseconds} ms later")
        else:
            told = tr("answers what was said at {time}, {milliseconds} ms before")
        return "  · " + told.format(time=time, milliseconds=milliseconds)

    def _tell_of_field(self) -> None:
        rows = self.fields
        detail = raw = Content("")
        if rows.cursor is not None and self._explained is not None:
            is_last = rows.cursor == rows.count() - 1
            detail = _detail(rows.fields[rows.cursor])
            raw = _with_part_marked(self._explained, rows.cursor, is_last=is_last)
        self.query_one("#wire-detail", Static).update(detail)
        self.detail.scroll_home(animate=False)
        self.query_one("#wire-raw", Static).update(raw)


def _kind(kind: str) -> str:
    kinds = {
        "request": tr("request"),
        "reply": tr("reply"),
        "push": tr("push: the server says it unasked"),
        "document": tr("document"),
    }
    return kinds.get(kind, tr("cannot be read"))


def _detail(field: ExplainedField) -> Content:
    """Return all that is known of a field, its value in full."""
    name = f"  ({field.name})" if field.name else ""
    sure = CONFIDENCE.get(field.confidence, "")
    parts = [
        Content.assemble(
            (one_line(field.key, 40), "$primary bold"),
            (name, "$quiet"),
            "  ",
            printable(field.meaning) or tr("not a field we know"),
        ),
        Content.assemble(("= ", "$faint"), safe_value(field) or tr("(empty)")),
        Content.assemble(
            (field.confidence, _SURE_STYLES.get(field.confidence, "$faint")),
            (f"  {sure}", "$quiet"),
        ),
    ]
    parts += [
        Content.assemble((f"{key}  ", "$secondary"), (SOURCES.get(key, ""), "$quiet"))
        for key in field.evidence
    ]
    return Content("\n").join(parts)
