"""What the screen of the proxy lists: lines on their way, and what happened besides."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from kqq.capture.events import Closed, Note, Opened, Said
from kqq.charts.short import command_word, short_words
from kqq.protocol.explain import Explanation
from kqq.protocol.messages import Role
from kqq.protocol.wire import Line
from kqq.proxy.passage import Fate, Passage
from kqq.proxy.relay import Event
from kqq.tui.text import time_of_day
from kqq.tui.wire_pane import WireLine, WirePane, WireRows
from kqq.words import one_line, printable, tr, tr_n

MOST_KEPT = 1000
MOST_BYTES = 8 * 2**20
"""What is kept of the last lines, so that nobody fills the memory with long ones."""
_WIDE = 72  # columns from which a line of the list has its milliseconds
_WHO = 8
_NOTHING = Line("")
_MARKS = {
    Fate.HELD: ("‖", "$badge bold"),
    Fate.WAITING: ("…", "$away"),
    Fate.DROPPED: ("✗", "$text-error bold"),
    Fate.LOST: ("?", "$text-error"),
}


@dataclass(frozen=True, slots=True)
class Entry(WireLine):
    """A row: a line on its way (`passage`), or something that happened (`words`)."""

    passage: Passage | None = None
    words: str = ""

    @property
    def is_held(self) -> bool:
        """Whether it waits for somebody."""
        return self.passage is not None and self.passage.fate is Fate.HELD

    def now(self) -> "Entry":
        """Return it with the line as it is now; somebody may have edited it."""
        passage = self.passage
        if passage is None or passage.line == self.line:
            return self
        return Entry(self.number, self.at, self.direction, passage.line, passage)


class Entries:
    """The last of them, at most so many and of so many bytes; `number` counts from 0."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.lines: deque[Entry] = deque()
        self._now = now
        self._count = 0
        self._bytes = 0
        self._last = 0  # the number of the last line

    def add(self, event: Event) -> None:
        """Keep what happened, unless it is a line that is here already."""
        if isinstance(event, Passage):
            said = event.said
            if said.number > self._last:
                self._last = said.number
                direction = ">" if said.sender is Role.CLIENT else "<"
                self._keep(said.time, direction, event.line, event)
        elif isinstance(event, Note):
            at = f"#{event.stream} " if event.stream else ""
            self._keep(event.time, " ", _NOTHING, words=f"{at}{event.words}")
        elif isinstance(event, Opened):
            words = tr("#{number} {client} is connected")
            client, number = event.stream.ends[0], event.stream.number
            text = words.format(number=number, client=client)
            self._keep(event.time, " ", _NOTHING, words=text)
        else:
            self._keep(event.time, " ", _NOTHING, words=_ended(event))

    def other_half(self, one: WireLine) -> WireLine | None:
        """Return the answer to a request, or the request that an answer is to, if it is kept."""
        if not isinstance(one, Entry) or one.passage is None:
            return None
        said = one.passage.said
        for other in self.lines:
            if other.passage is not None:
                heard = other.passage.said
                if _is(heard.request, said) or _is(said.request, heard):
                    return other
        return None

    def _keep(
        self,
        at: float | None,
        direction: str,
        line: Line,
        passage: Passage | None = None,
        words: str = "",
    ) -> None:
        at = self._now() if at is None else at
        self.lines.append(Entry(self._count, at, direction, line, passage, words))
        self._count += 1
        self._bytes += len(line.text) + len(words)
        while len(self.lines) > MOST_KEPT or self._bytes > MOST_BYTES:
            gone = self.lines.popleft()
            self._bytes -= len(gone.line.text) + len(gone.words)


def _is(remembered: Said | None, said: Said) -> bool:
    """Return whether a request, which may be cut short where it is remembered, is this one."""
    return remembered is not None and remembered.number == said.number


def _ended(event: Closed) -> str:
    words = tr("#{number} is over")
    if event.how == "reset":
        words = tr("#{number} was broken off")
    return words.format(number=event.stream.number)


class EntryRows(WireRows):
    """The list. Enter is left to the screen: it lets lines go."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "app.let_go", show=False)]

    def action_choose(self) -> None:
        """Do nothing but move there; a click chooses."""

    def row(self, index: int, width: int) -> Content:
        """Return the sign of what becomes of it, time, connection, who, command and words."""
        one = self._lines[index]
        time = time_of_day(one.at, seconds=True)
        time = time if width >= _WIDE else time[:8]
        if not isinstance(one, Entry) or one.passage is None:
            words = printable(getattr(one, "words", ""))
            return Content.assemble("   ", (time, "$faint"), " ", (words, "$faint italic"))
        passage = one.passage
        said = passage.said_as_sent
        mark, style = _mark(passage)
        who = "?" if said.uin is None else str(said.uin)
        arrow = "→" if said.sender is Role.CLIENT else "←"
        colour = "$primary" if said.sender is Role.CLIENT else "$here"
        command = command_word(said, 18)
        is_gone = passage.fate in (Fate.DROPPED, Fate.LOST)
        return Content.assemble(
            " ",
            (mark, style),
            " ",
            (time, "$faint"),
            (f" #{passage.flow.number:<2}" if width >= _WIDE else "", "$faint"),
            (f" {who:>{_WHO}} {arrow} ", colour),
            (set_cell_size(command, max(cell_len(command), 10)), f"{colour} bold"),
            " ",
            (one_line(short_words(said), max(width, 8)), "$faint strike" if is_gone else "$quiet"),
        )


def _mark(passage: Passage) -> tuple[str, str]:
    """Return one sign for what becomes of a line, and its style."""
    if passage.fate in _MARKS and not passage.is_late:
        return _MARKS[passage.fate]
    if passage.is_injected:
        return "+", "$accent bold"
    if passage.edited is not None:
        return "✎", "$accent bold"
    return ("!", "$away bold") if passage.said.odd else (" ", "")


class EntryPane(WirePane):
    """The list, the fields of one line, and all that is known of one field."""

    def __init__(self, entries: Entries, *, id: str | None = None) -> None:  # noqa: A002  # Textual's
        super().__init__(entries, id=id)
        self._entries = entries

    def make_rows(self) -> WireRows:
        """Return our kind of list."""
        return EntryRows(id="wire-lines")

    def refresh_lines(self) -> None:
        """Show the list as it is now."""
        self.rows.show(tuple(one.now() for one in self._entries.lines))
        held = sum(one.is_held for one in self._entries.lines)
        box = self.query_one("#wire-lines-box")
        told = tr_n("{count} held", "{count} held", held).format(count=held) if held else ""
        box.border_subtitle = Content(told)
        if not self._entries.lines:
            self.query_one("#wire-head", Static).update(Content(tr("Nothing was said yet.")))

    def explain_line(self, one: WireLine) -> None:
        """Say what a line is and its fields, or what happened."""
        super().explain_line(one)
        self.tell_head(one)

    def tell_head(self, one: WireLine) -> Explanation:
        """Say what a line is, or what happened."""
        explanation = super().tell_head(one)
        passage = getattr(one, "passage", None)
        box = self.query_one("#wire-explained")
        box.border_subtitle = Content("" if passage is None else _fate_in_words(passage))
        if passage is None:
            words = printable(getattr(one, "words", ""))
            self.query_one("#wire-head", Static).update(Content(words))
        return explanation

    @property
    def chosen(self) -> Passage | None:
        """The line under the cursor; None if there is something else."""
        one = self.rows.line_under_cursor
        return one.passage if isinstance(one, Entry) else None


def _fate_in_words(passage: Passage) -> str:
    words = {
        Fate.HELD: tr("held"),
        Fate.WAITING: tr("waits"),
        Fate.PASSED: tr("went on"),
        Fate.DROPPED: tr("dropped"),
        Fate.LOST: tr("lost: the connection ended before"),
    }[passage.fate]
    more = [tr("edited")] if passage.edited is not None else []
    more += [tr("put in here")] if passage.is_injected else []
    more += [tr("too late to change it")] if passage.is_late else []
    return ", ".join([words, *more])
