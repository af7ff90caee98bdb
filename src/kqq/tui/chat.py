"""The chat as it lives: it keeps a messenger signed in, and shows what happens."""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import ClassVar, Protocol

from textual import events, on, work
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.notifications import SeverityLevel
from textual.screen import Screen

from kqq.client.client import AskCaptcha
from kqq.client.events import (
    Connecting,
    Event,
    Fate,
    Message,
    Odd,
    Received,
    RequestAnswered,
    Requested,
    SignedIn,
)
from kqq.client.history import History
from kqq.client.messenger import Messenger
from kqq.client.state import State
from kqq.errors import CaptchaWanted, CommandError, KQQError
from kqq.protocol import Line
from kqq.tui.bars import ConnectionBar, KeyBar, TopBar
from kqq.tui.help import Place, hints
from kqq.tui.look import DARK, LIGHT, name_in
from kqq.tui.notices import Notices, desktop_note
from kqq.tui.roster import RosterPane
from kqq.tui.sign_in import Captcha, Trouble
from kqq.tui.talk import TalkPane
from kqq.tui.text import local
from kqq.tui.wire_pane import WireLog, WirePane
from kqq.words import Exit, one_line, printable, say, tr, tr_n

Watch = Callable[[str, Line], None]
"""Is shown each line that goes (">") or comes ("<")."""

_PAUSE = 0.05  # seconds between two drawings, at least; more where drawing takes long
_PATIENCE = 4  # drawing gets at most one part in so many of the time
_MOST_TOLD, _TOLD_WITHIN = 4, 6.0  # notes at once, so that nobody can flood us with them
_WIDE, _BROAD = 70, 100  # columns for two panes and for more
_MIDDLE, _HIGH = 20, 32  # rows for margins, and for the wire below a conversation
_NOTE_CELLS, _NAME_CELLS = 200, 40


class Make(Protocol):
    """Makes a messenger that is not started.

    `password` is None the first time; later it is what somebody typed since the server refused the
    one before.
    """

    def __call__(self, ask: AskCaptcha, watch: Watch, password: str | None, /) -> Messenger:
        """Return the messenger."""


class Chat(App[int]):
    """The chat without its dialogs; the result is an exit code.

    `make` gives the messenger. `talk_to` opens a conversation at once. `history` is where what was
    said is sought, besides memory. `now` gives dates in seconds since 1970.
    """

    CSS_PATH = Path(__file__).with_name("kqq.tcss")  # also for subclasses elsewhere
    ENABLE_COMMAND_PALETTE = False
    # To mypy Textual's own are no class variables, since they may be None, too.
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

    def __init__(
        self,
        make: Make,
        *,
        talk_to: int | None = None,
        history: History | None = None,
        notices: Notices = Notices.BELL,
        dark: bool = True,
        now: Callable[[], float] = time.time,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        super().__init__()
        self.title = "kqq"
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = DARK.name if dark else LIGHT.name
        self.notices = notices
        self.history = history
        self.messenger: Messenger | None = None
        self.server = ""
        """The first of the servers, after which the history names the account."""
        self.wire = WireLog(now)
        self._make = make
        self._talk_to = talk_to
        self._now = now
        self._environment = environment
        self._nothing = State()
        self._nick = ""
        self._captchas = 0  # shown in this sign-in
        self._again_at: float | None = None
        self._is_drawing = False
        self._drawn_at = 0.0
        self._drawing_took = 0.0
        self._told: deque[float] = deque(maxlen=_MOST_TOLD)
        self._untold = 0

    # --- what it is made of

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield TopBar(id="top", markup=False)
        yield ConnectionBar(id="connection", markup=False)
        with Horizontal(id="main"):
            yield RosterPane(id="friends")
            yield TalkPane(id="talk")
        yield WirePane(self.wire, id="wire")
        yield KeyBar(id="keys", markup=False)

    def on_mount(self) -> None:
        """Begin."""
        self.wire_pane.display = False
        self.friends.roster.focus()
        self.set_interval(1.0, self._tick)
        if self._talk_to is not None:
            self.open_talk(self._talk_to)
        self._draw()
        self.live()

    async def on_event(self, event: events.Event) -> None:
        """Make what is pasted harmless before any field has it: it may come from strangers."""
        if isinstance(event, events.Paste):
            text = event.text.replace("\t", "    ")
            event.text = printable(text, lines=True)
        await super().on_event(event)

    @property
    def state(self) -> State:
        """What is known now."""
        return self._nothing if self.messenger is None else self.messenger.state

    @property
    def base(self) -> Screen[object]:
        """The screen below all dialogs."""
        return self.screen_stack[0]

    @property
    def _is_there(self) -> bool:
        """Whether there is anything to draw on; not before the beginning, nor at the very end."""
        return bool(self.screen_stack) and bool(self.base.query(KeyBar))

    @property
    def friends(self) -> RosterPane:
        """The friend list."""
        return self.base.query_one(RosterPane)

    @property
    def talk(self) -> TalkPane:
        """The conversation."""
        return self.base.query_one(TalkPane)

    @property
    def wire_pane(self) -> WirePane:
        """The wire."""
        return self.base.query_one(WirePane)

    @property
    def today(self) -> date:
        """The day it is."""
        return local(self._now()).date()

    # --- being signed in

    @work(exclusive=True, group="life")
    async def live(self, password: str | None = None) -> None:
        """Make a messenger, sign in, and tell what happens until it is closed.

        What was said before is kept. What was not sent by then cannot be sent again, since nobody
        knows whether the server has it, unless there is a history, which does.
        """
        before = self.messenger
        messenger = self._make(self._ask_captcha, self._see_line, password)
        if before is not None:
            await before.close()
            if self.history is None:
                messenger.state.remember(_settled(before.state))
        self.server = str(messenger.servers[0])
        self.messenger = messenger
        self.draw_soon()
        listening = asyncio.create_task(self._listen(messenger))
        try:
            await self._start(messenger)
            await listening
        finally:
            listening.cancel()

    async def _start(self, messenger: Messenger) -> None:
        """Sign in for the first time; ask somebody what to do as long as that fails."""
        while True:
            try:
                await messenger.start()
            except KQQError as error:
                answer = await self.push_screen_wait(Trouble(error, leave=tr("Quit")))
                if answer is None:
                    is_refusal = isinstance(error, CommandError)
                    self.exit(int(Exit.REFUSED if is_refusal else Exit.NO_CONNECTION))
                    return
                if answer.password is not None:
                    self.live(answer.password)
                    return
            else:
                return

    async def _listen(self, messenger: Messenger) -> None:
        async for event in messenger.events():
            if self._is_there:
                self._take(event)

    async def _ask_captcha(self, picture: bytes) -> str:
        """Show a picture and return the letters. Raises CaptchaWanted if nobody reads it."""
        assert self.messenger is not None
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._captchas += 1
        dialog = Captcha(picture, self.messenger.uin, self._now(), is_again=self._captchas > 1)

        def done(letters: str | None) -> None:
            if not answer.done():
                answer.set_result(letters)

        self.call_later(self.push_screen, dialog, done)
        try:
            letters = await answer
        except asyncio.CancelledError:
            if dialog.is_attached:
                dialog.dismiss(None)
            raise
        if letters is None:
            raise CaptchaWanted("nobody read the letters in the picture", image=picture)
        return letters

    def _see_line(self, direction: str, line: Line) -> None:
        self.wire.add(direction, line)
        self.draw_soon()

    # --- what happens

    def _take(self, event: Event) -> None:
        """Tell of what happened; the state knows it already."""
        match event:
            case Received(message):
                self._take_message(message)
            case Requested(uin, text):
                name = self.called(uin)
                self.tell(tr("{name} wants to be your friend.").format(name=name))
                self._call(name, text)
            case RequestAnswered(uin, is_accepted, text):
                self._tell_answer(uin, text, is_accepted=is_accepted)
            case Odd(why):
                told = tr("The server said something odd: {why}").format(why=why)
                self.tell(told, severity="warning")
            case Connecting():
                self._captchas = 0  # letters of another sign-in were not wrong
            case SignedIn():
                self._learn_own_nick()
            case _:
                pass
        again_in = None if self.state.is_online else self.state.again_in
        if again_in is None:
            self._again_at = None
        elif self._again_at is None:
            self._again_at = self._now() + again_in
        self.draw_soon()

    def _take_message(self, message: Message) -> None:
        if self.is_in_view(message.uin):
            self.read(message.uin)
            return
        if message.uin == self.talk.uin:
            self.talk.note_unread(message)
        self._call(self.called(message.uin), message.text)

    def _tell_answer(self, uin: int, text: str, *, is_accepted: bool) -> None:
        if is_accepted:
            told = tr("{name} is your friend now.")
        elif text.strip():
            told = tr("{name} does not want to be your friend: {reason}")
        else:
            told = tr("{name} does not want to be your friend.")
        self.tell(told.format(name=self.called(uin), reason=text))

    def is_in_view(self, uin: int) -> bool:
        """Whether somebody looks at this conversation just now."""
        return (
            self.talk.uin == uin
            and self.app_focus
            and self.talk.region.height > 0
            and len(self.screen_stack) == 1
            and not self.talk.is_excerpt
        )

    def called(self, uin: int) -> str:
        """Return how somebody is called, on one line."""
        return name_in(self.state.person(uin), _NAME_CELLS)

    def _call(self, title: str, text: str) -> None:
        """Ring, or show a note on the desktop, as somebody wants it."""
        if self.notices.rings:
            self.bell()
        if self.notices.shows and self._driver is not None:
            self._driver.write(desktop_note(title, text, self._environment))

    def tell(self, text: str, *, severity: SeverityLevel = "information") -> None:
        """Show a note for some seconds; of a flood of them only the first few."""
        now = asyncio.get_running_loop().time()
        if len(self._told) == _MOST_TOLD and now - self._told[0] < _TOLD_WITHIN:
            self._untold += 1
            return
        self._told.append(now)
        shown = one_line(text, _NOTE_CELLS)
        if self._untold:
            more = tr_n("({count} more note before.)", "({count} more notes before.)", self._untold)
            shown += "\n" + more.format(count=self._untold)
            self._untold = 0
        self.notify(shown, severity=severity, timeout=_TOLD_WITHIN, markup=False)

    def tell_error(self, error: KQQError) -> None:
        """Show a note of what went wrong."""
        self.tell(say(error), severity="error")

    @work(exclusive=True, group="own nick")
    async def _learn_own_nick(self) -> None:
        """Ask for one's own nickname, which no other answer tells."""
        messenger = self.messenger
        if messenger is None or self._nick:
            return
        try:
            self._nick = (await messenger.profile(messenger.uin, 1)).nick
        except KQQError as error:
            self.log(f"own nickname not known: {error}")  # the number does as well
        self.draw_soon()

    # --- drawing

    def draw_soon(self) -> None:
        """Draw what holds now, soon; however much happens meanwhile, it is drawn once."""
        if self._is_drawing or not self.is_running:
            return
        self._is_drawing = True
        pause = max(_PAUSE, self._drawing_took * _PATIENCE)
        wait = self._drawn_at + pause - time.monotonic()
        if wait <= 0:
            self.call_later(self._draw)
        else:
            self.set_timer(wait, self._draw)

    def _draw(self) -> None:
        self._is_drawing = False
        if not self._is_there:
            return
        began = time.monotonic()
        state = self.state
        self.base.query_one(TopBar).show(state, self._nick)
        self._draw_connection()
        self.friends.roster.talking_to = self.talk.uin
        self.friends.show(state)
        self.talk.show(state, self.today)
        self.wire_pane.refresh_lines()
        self.base.query_one(KeyBar).show(hints(self._place()))
        self._drawn_at = time.monotonic()
        self._drawing_took = self._drawn_at - began

    def _place(self) -> Place:
        """Return where the keys go."""
        if self.talk.composer.has_focus:
            return Place.FIELD
        return self.wire_pane.place or Place.FRIENDS

    def _draw_connection(self) -> None:
        seconds = None if self._again_at is None else self._again_at - self._now()
        self.base.query_one(ConnectionBar).show(self.state, seconds)

    def _tick(self) -> None:
        """Count down to the next try."""
        if self._again_at is not None and self._is_there:
            self._draw_connection()

    def on_resize(self) -> None:
        """Lay out anew in another width."""
        self.draw_soon()

    def on_descendant_focus(self) -> None:
        """Tell what the keys do now."""
        self.draw_soon()

    def on_app_focus(self) -> None:
        """Somebody looks again: what is in view is read."""
        self.read_what_is_in_view()

    # --- conversations

    def open_talk(self, uin: int) -> None:
        """Show somebody's conversation and go to the field."""
        self.talk.open(uin, self.state, self.today)
        self.base.add_class("-talking")
        self.friends.roster.move_to(uin)
        self.talk.composer.focus()
        self.read(uin)
        self.draw_soon()

    def read(self, uin: int) -> None:
        """Note that what somebody wrote is read."""
        if self.messenger is not None:
            self.messenger.read(uin)

    def read_what_is_in_view(self) -> None:
        """Note that the conversation is read, if somebody looks at it."""
        if self.talk.uin is not None and self.is_in_view(self.talk.uin):
            self.read(self.talk.uin)
            self.draw_soon()

    @on(RosterPane.PersonChosen)
    def _choose_person(self, event: RosterPane.PersonChosen) -> None:
        self.open_talk(event.uin)

    @on(TalkPane.Sent)
    def _send(self, event: TalkPane.Sent) -> None:
        if self.messenger is None:
            return
        self.talk.go_to_end(self.state, self.today)
        try:
            self.messenger.write(event.uin, event.text)
        except KQQError as error:
            self.tell_error(error)

    @on(TalkPane.EarlierWanted)
    def _earlier(self) -> None:
        uin = self.talk.uin
        if self.messenger is None or uin is None or self.talk.is_excerpt:
            return
        if self.messenger.earlier(uin):
            self.draw_soon()

    def action_go_back(self) -> None:
        """Go back: from old messages to now, from the wire and the conversation to the friends."""
        if self.wire_pane.has_focus_within:
            self.action_wire()
        elif self.talk.is_excerpt or self.talk.sought is not None:
            self.talk.go_to_end(self.state, self.today)
        elif self.base.has_class("-narrow") and self.base.has_class("-talking"):
            self.base.remove_class("-talking")
            self.talk.close()
            self.friends.roster.focus()
        elif self.talk.composer.has_focus:
            self.friends.roster.focus()
        elif self.talk.uin is not None:
            self.talk.composer.focus()
        self.draw_soon()

    def action_talk(self) -> None:
        """Open the conversation under the cursor."""
        self.friends.roster.action_choose()

    def action_find_friend(self) -> None:
        """Go to the field that finds friends."""
        self.friends.action_find()

    def action_send(self) -> None:
        """Send what was typed."""
        self.talk.composer.action_send()

    def action_new_line(self) -> None:
        """Begin another line."""
        self.talk.composer.action_new_line()

    def action_next_unread(self) -> None:
        """Open the next conversation with something unread."""
        for conversation in self.state.conversations.values():
            if conversation.unread and conversation.uin != self.talk.uin:
                self.open_talk(conversation.uin)
                return
        self.tell(tr("Everything is read."))

    def action_neighbour(self, step: int) -> None:
        """Open the conversation above or below in the list."""
        roster = self.friends.roster
        roster.action_move(step)
        person = roster.person_under_cursor()
        if person is not None:
            self.open_talk(person.uin)

    # --- the wire

    def action_wire(self) -> None:
        """Show the wire, or hide it."""
        pane = self.wire_pane
        pane.display = not pane.display
        self.base.set_class(pane.display, "-wired")
        if pane.display:
            pane.rows.focus()
        elif self.talk.uin is not None:
            self.talk.composer.focus()
        else:
            self.friends.roster.focus()
        self.draw_soon()

    def action_wire_lines(self) -> None:
        """Go to the lines."""
        self.wire_pane.action_go_to_lines()

    def action_wire_detail(self) -> None:
        """Go to all that is known of a field."""
        self.wire_pane.action_go_to_detail()

    def action_wire_fields(self) -> None:
        """Go to the fields of the line."""
        self.wire_pane.action_go_to_fields()

    def action_wire_copy(self) -> None:
        """Copy the line."""
        self.wire_pane.action_copy()

    @on(WirePane.Copied)
    def _copied(self, event: WirePane.Copied) -> None:
        self.copy_to_clipboard(event.text)
        self.tell(tr("The line is in the clipboard."))


def _settled(state: State) -> list[Message]:
    """Return all messages of a state, oldest first; of none that waited one knows its fate."""
    messages = [one for talk in state.conversations.values() for one in talk.messages]
    why = "you signed in anew before the answer came"
    return [
        replace(one, fate=Fate.UNKNOWN, why=why) if one.fate is Fate.WAITING else one
        for one in sorted(messages, key=lambda one: one.at)
    ]
