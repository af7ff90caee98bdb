"""The proxy on a full screen: what goes by, what it means, and hands on every line."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import ClassVar

from rich.cells import cell_len
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from kqq import tui
from kqq.capture.events import Note
from kqq.errors import KQQError
from kqq.proxy.dialogs import Delay, EditLine, HoldWhich, PutInLine
from kqq.proxy.entries import Entries, EntryPane
from kqq.proxy.passage import Connection, Fate, Passage
from kqq.proxy.relay import Event, Relay
from kqq.proxy.rules import Orders, Which, all_of
from kqq.tui.bars import KeyBar
from kqq.tui.dialogs import Confirm, Keys
from kqq.tui.look import DARK, LIGHT
from kqq.tui.wire_pane import WirePane
from kqq.words import Exit, one_line, printable, tr, tr_n

_PAUSE = 0.05  # seconds between two drawings, at least; more where drawing takes long
_PATIENCE = 4  # drawing gets at most one part in so many of the time
_WIDE, _BROAD = 70, 110  # columns
_MIDDLE, _HIGH = 20, 38  # rows
_ADDRESS = 20  # columns; in fewer nothing could be read of one
_TOLD_CELLS = 200
_MOST_TOLD, _TOLD_WITHIN = 4, 6.0  # notes at once, so that nobody can flood us; the list has all


class ProxyApp(App[int]):
    """The screen of a relay that is open; the result is an exit code.

    `orders` are those that the relay's judge follows, which somebody may change here. `listening`
    is where clients connect to, `record` the file that is written. `failure` is what went wrong in
    the relay, if that ended it.
    """

    CSS_PATH: ClassVar[list[str | PurePath]] = [
        Path(tui.__file__).with_name("kqq.tcss"),
        Path(__file__).with_name("proxy.tcss"),
    ]
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [  # type: ignore[misc]
        (0, "-narrow"),
        (_WIDE, "-wide"),
        (_BROAD, "-broad"),
    ]
    VERTICAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [  # type: ignore[misc]
        (0, "-low"),
        (_MIDDLE, "-middle"),
        (_HIGH, "-high"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", show=False),
        Binding("enter,g", "let_go", show=False),
        Binding("a", "let_all_go", show=False),
        Binding("e", "edit", show=False),
        Binding("d,delete", "drop", show=False),
        Binding("l", "later", show=False),
        Binding("i", "put_in", show=False),
        Binding("h", "hold", show=False),
        Binding("x", "end_flow", show=False),
        Binding("f1,question_mark", "keys", show=False),
        Binding("f8", "other_theme", show=False),
        Binding("escape", "lines", show=False),
        Binding("ctrl+q", "quit", priority=True, show=False),
        Binding("ctrl+c", "help_quit", show=False),
    ]

    def __init__(
        self,
        relay: Relay,
        orders: Orders,
        listening: str,
        record: Path | None = None,
        *,
        now: Callable[[], float] = time.time,
        dark: bool = True,
    ) -> None:
        super().__init__()
        self.title = "kqq proxy"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name if dark else LIGHT.name
        self.failure: BaseException | None = None
        self.is_paused = False
        self.entries = Entries(now)
        self._relay = relay
        self._orders = orders
        self._listening = listening
        self._record = record
        self._by_pause: list[Passage] = []  # held since all is held
        self._told: deque[str] = deque(maxlen=_MOST_TOLD)
        self._told_at: deque[float] = deque(maxlen=_MOST_TOLD)
        self._is_drawing = False
        self._drawn_at = self._took = 0.0
        relay.judge = all_of([*([relay.judge] if relay.judge else []), self._judge])
        relay.add_watcher(self._watch)

    # --- what it is made of

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Static(id="top", markup=False)
        yield EntryPane(self.entries, id="wire")
        yield KeyBar(id="keys", markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self.pane.rows.focus()
        self._draw()
        self._guard()

    @property
    def pane(self) -> EntryPane:
        """The list, and what is said of one line."""
        return self.query_one(EntryPane)

    @work(exclusive=True, group="guard")
    async def _guard(self) -> None:
        """End when the relay fails."""
        try:
            await self._relay.run()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # whoever runs this raises it
            self.failure = error
            self.exit(int(Exit.REFUSED))

    # --- what goes by

    def _judge(self, passage: Passage) -> None:
        if self.is_paused and passage.fate is Fate.WAITING:
            passage.hold()
            self._by_pause.append(passage)

    def _watch(self, event: Event) -> None:
        self.entries.add(event)
        if isinstance(event, Note) and event.kind in ("rule", "refused", "lost"):
            self._told.append(event.words)
        self.draw_soon()

    def draw_soon(self) -> None:
        """Draw what has changed, but not for every line."""
        if not self._is_drawing and self.is_running:
            self._is_drawing = True
            self.call_later(self._wait_to_draw)  # this may be called by a task of the relay

    def _wait_to_draw(self) -> None:
        pause = max(_PAUSE, self._took * _PATIENCE)
        self.set_timer(max(self._drawn_at + pause - time.monotonic(), 0.001), self._draw)

    def _draw(self) -> None:
        self._is_drawing = False
        if not self.query(EntryPane):
            return  # the screen is being closed
        began = time.monotonic()
        self._by_pause = [one for one in self._by_pause if one.fate is Fate.HELD]
        self.pane.refresh_lines()
        self.pane.set_class(self.is_paused, "-paused")
        self._draw_bars()
        while self._told:
            self._tell_unless_many(self._told.popleft(), began)
        self._drawn_at = time.monotonic()
        self._took = self._drawn_at - began

    def on_resize(self) -> None:
        """Lay out the bars anew."""
        self.draw_soon()

    def _draw_bars(self) -> None:
        width = self.size.width
        parts = []
        if self._record is not None:
            name = one_line(self._record.name, 20) if width >= _WIDE else ""
            parts.append(Content.styled(f"● {name}".rstrip(), "$text-error"))
        if self.is_paused:
            parts.append(Content.styled(f" {tr('all is held')} ", "$badge-text on $badge bold"))
        elif self._orders.hold:
            which = " ".join(one.source for one in self._orders.hold)
            text = tr("holds {which}").format(which=one_line(which, 20))
            parts.append(Content.styled(text, "$badge bold"))
        right = Content("  ").join(parts)
        room = width - right.cell_length - 16
        where = f"{self._listening} → {self._relay.upstream}"
        count = len(self._relay.flows)
        words = tr_n("{count} connection", "{count} connections", count).format(count=count)
        if room >= cell_len(where) + len(words):
            right += Content.styled(f"  {words}", "$quiet")
        left = Content.assemble(
            (" kqq proxy ", "$badge-text on $primary bold"),
            "  ",
            one_line(where, room) if room >= _ADDRESS else "",
        )
        gap = max(width - left.cell_length - right.cell_length - 1, 1)
        self.query_one("#top", Static).update(left + Content(" " * gap) + right)
        self.query_one(KeyBar).show(self._hints())

    def _hints(self) -> list[tuple[str, str, str]]:
        pause = tr("let all go") if self.is_paused else tr("hold all")
        held = [
            ("Enter", tr("let go"), "app.let_go"),
            ("E", tr("edit"), "app.edit"),
            ("D", tr("drop"), "app.drop"),
        ]
        return [
            (tr("Space"), pause, "app.pause"),
            *(held if self._held() else []),
            ("I", tr("put in"), "app.put_in"),
            ("F1", tr("keys"), "app.keys"),
            ("H", tr("hold some"), "app.hold"),
            ("L", tr("later"), "app.later"),
            ("→", tr("fields"), "app.fields"),
            ("Ctrl+Q", tr("quit"), "app.quit"),
        ]

    # --- what somebody does

    def tell(self, text: str) -> None:
        """Say something for a moment."""
        self.notify(one_line(printable(text), _TOLD_CELLS), markup=False)

    def _tell_unless_many(self, text: str, at: float) -> None:
        if len(self._told_at) < _MOST_TOLD or at - self._told_at[0] > _TOLD_WITHIN:
            self._told_at.append(at)
            self.tell(text)

    def _held(self) -> list[Passage]:
        """Return the lines that wait for somebody, the oldest first."""
        held = [one for flow in self._relay.flows for one in flow.waiting]
        return sorted((one for one in held if one.fate is Fate.HELD), key=_number)

    def _meant(self) -> Passage | None:
        """Return the line under the cursor if it waits, else the oldest that is held."""
        chosen = self.pane.chosen
        if chosen is not None and chosen.is_open:
            return chosen
        held = self._held()
        if not held:
            self.tell(tr("Nothing is held. Space holds all lines, H some."))
            return None
        return held[0]

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except KQQError as error:  # it went while somebody thought
            self.tell(str(error))
        self.draw_soon()

    def action_pause(self) -> None:
        """Hold all lines from now on, or let those go that are held for that."""
        self.is_paused = not self.is_paused
        if not self.is_paused:
            held, self._by_pause = self._by_pause, []
            for one in held:
                if one.fate is Fate.HELD:
                    one.release()
        self.draw_soon()

    def action_let_go(self) -> None:
        """Let a line go."""
        passage = self._meant()
        if passage is not None:
            self._try(passage.release)

    def action_let_all_go(self) -> None:
        """Let all go that is held; what is held from now on is as before."""
        for passage in self._held():
            self._try(passage.release)

    def action_drop(self) -> None:
        """Have a line not go."""
        passage = self._meant()
        if passage is not None:
            self._try(passage.drop)

    @work(exclusive=True, group="dialog")
    async def action_edit(self) -> None:
        """Have another line go in the place of one."""
        passage = self._meant()
        if passage is None:
            return
        if passage.fate is Fate.WAITING:
            self._try(passage.hold)  # or it would go while somebody types
        edited = await self.push_screen_wait(EditLine(passage))
        if edited is not None:
            self._try(lambda: passage.edit(edited.line))
            if edited.goes:
                self._try(passage.release)

    @work(exclusive=True, group="dialog")
    async def action_later(self) -> None:
        """Let a line go later."""
        passage = self._meant()
        if passage is None:
            return
        seconds = await self.push_screen_wait(Delay())
        if seconds is not None:
            self._try(lambda: passage.delay(float(seconds)))

    @work(exclusive=True, group="dialog")
    async def action_put_in(self) -> None:
        """Say a line that nobody has said."""
        flow, like = self._flow(), self.pane.chosen
        if flow is None:
            return
        put_in = await self.push_screen_wait(PutInLine(flow.number, like))
        if put_in is not None:
            self._try(lambda: flow.inject(put_in.line, put_in.to))

    def _flow(self) -> Connection | None:
        """Return the connection of the line under the cursor, or else the newest.

        Over HTTP it may be over: each post may have one of its own.
        """
        flows = self._relay.flows
        chosen = self.pane.chosen
        if chosen is not None and (chosen.flow in flows or chosen.said.over == "http"):
            return chosen.flow
        if not flows:
            self.tell(tr("Nobody is connected."))
            return None
        return flows[-1]

    @work(exclusive=True, group="dialog")
    async def action_hold(self) -> None:
        """Choose which lines are held from now on."""
        before = " ".join(one.source for one in self._orders.hold)
        which = await self.push_screen_wait(HoldWhich(before))
        if which is not None:
            self._orders.hold = [Which.parse(one) for one in which.split()]
            self.draw_soon()

    @work(exclusive=True, group="dialog")
    async def action_end_flow(self) -> None:
        """End a connection, after asking."""
        flow = self._flow()
        if flow is None:
            return
        question = tr("Break off connection {number} with {client}? What waits in it is lost.")
        words = question.format(number=flow.number, client=flow.client)
        if await self.push_screen_wait(Confirm(tr("Break off"), words, tr("Break off"))):
            flow.close()

    # --- everything else

    @on(WirePane.Copied)
    def _copied(self, event: WirePane.Copied) -> None:
        self.copy_to_clipboard(event.text)
        self.tell(tr("The line is copied, without secrets."))

    def action_fields(self) -> None:
        """Move among the fields of the line."""
        self.pane.action_go_to_fields()

    def action_lines(self) -> None:
        """Move among the lines."""
        self.pane.action_go_to_lines()

    def action_other_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_help_quit(self) -> None:
        """Tell how to leave: Ctrl+C copies here."""
        self.tell(tr("Ctrl+Q quits."))

    def action_keys(self) -> None:
        """Tell what the keys do, and what the signs mean."""
        keys = [
            (tr("Space"), tr("hold all lines; let them go again")),
            ("Enter G", tr("let the line go; the oldest held one if it has gone")),
            ("E", tr("edit it")),
            ("D", tr("drop it")),
            ("L", tr("let it go later")),
            ("A", tr("let all go that is held")),
            ("H", tr("hold some lines from now on")),
            ("I", tr("put in a line")),
            ("X", tr("break off a connection")),
            ("→ ←", tr("to the fields, to all of one; back")),
            ("C", tr("copy the line, without secrets")),
            ("F8", tr("dark or light")),
            ("Ctrl+Q", tr("quit")),
        ]
        signs = [
            ("‖", tr("held")),
            ("…", tr("waits")),
            ("✎", tr("edited")),
            ("+", tr("put in here")),
            ("✗", tr("dropped")),
            ("?", tr("lost: the connection ended before")),
            ("!", tr("something is odd about it")),
        ]
        self.push_screen(Keys([(tr("Lines"), keys), (tr("Signs"), signs)]))


def _number(passage: Passage) -> int:
    return passage.said.number
