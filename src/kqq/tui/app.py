"""The chat with all that somebody can do about it: dialogs, commands, keys."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content

from kqq.client.events import Fate
from kqq.client.history import History
from kqq.errors import KQQError, SignInRefused
from kqq.protocol import Status
from kqq.tui.chat import Chat, Make
from kqq.tui.composer import know_alt_enter
from kqq.tui.dialogs import Choice, Confirm, Keys, Picker
from kqq.tui.find import FindMessages, Memory
from kqq.tui.help import every_key
from kqq.tui.look import DARK, LIGHT, mark, name_of
from kqq.tui.notices import Notices
from kqq.tui.people import AddFriend, AnswerRequest, FindPeople, Profile, Wanted
from kqq.tui.roster import RosterPane
from kqq.tui.sign_in import Trouble
from kqq.tui.talk import Title
from kqq.words import Exit, one_line, status_word, tr, tr_n

_GOODBYE = 5.0  # seconds for signing out
_COMMAND_CELLS = 60


class ChatApp(Chat):
    """The chat on a full screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1,question_mark", "keys", show=False),
        Binding("f2", "wire", show=False),
        Binding("f3,ctrl+f", "find_messages", show=False),
        Binding("f4", "profile", show=False),
        Binding("f5", "refresh_roster", show=False),
        Binding("f8", "other_theme", show=False),
        Binding("ctrl+p", "commands", show=False),
        Binding("ctrl+n", "add_friend", show=False),
        Binding("ctrl+g", "find_people", show=False),
        Binding("ctrl+t", "status", show=False),
        Binding("ctrl+r,r", "reconnect", show=False),
        Binding("ctrl+o", "next_unread", show=False),
        Binding("alt+up", "neighbour(-1)", show=False),
        Binding("alt+down", "neighbour(1)", show=False),
        Binding("escape", "go_back", show=False),
        Binding("ctrl+q", "quit", priority=True, show=False),
        Binding("ctrl+c", "help_quit", show=False),
    ]

    # --- friends and people

    @on(RosterPane.RequestChosen)
    def _choose_request(self, event: RosterPane.RequestChosen) -> None:
        self._answer_request(event.uin)

    def action_answer_request(self) -> None:
        """Answer the oldest request."""
        first = next(iter(self.state.requests), None)
        if first is None:
            self.tell(tr("Nobody waits for an answer."))
        else:
            self._answer_request(first)

    @work(exclusive=True, group="dialog")
    async def _answer_request(self, uin: int) -> None:
        if self.messenger is not None:
            told = await self.push_screen_wait(AnswerRequest(self.messenger, uin))
            self._after_dialog(told)

    def action_add_friend(self) -> None:
        """Add somebody."""
        self._add_friend(None)

    @work(exclusive=True, group="dialog")
    async def _add_friend(self, uin: int | None) -> None:
        if self.messenger is not None:
            self._after_dialog(await self.push_screen_wait(AddFriend(self.messenger, uin)))

    @work(exclusive=True, group="dialog")
    async def action_find_people(self) -> None:
        """Find people, and add one."""
        if self.messenger is not None:
            uin = await self.push_screen_wait(FindPeople(self.messenger))
            self._after_dialog()
            if uin is not None:
                self.call_later(self._add_friend, uin)

    def action_profile(self) -> None:
        """Show what the person talked to says of themselves, or the one under the cursor."""
        uin = self._meant()
        if uin is not None:
            self._show_profile(uin)

    @on(Title.Clicked)
    def _title_clicked(self) -> None:
        if self.talk.uin is not None:
            self._show_profile(self.talk.uin)

    def action_own_profile(self) -> None:
        """Show one's own profile."""
        if self.messenger is not None:
            self._show_profile(self.messenger.uin)

    @work(exclusive=True, group="dialog")
    async def _show_profile(self, uin: int) -> None:
        if self.messenger is None:
            return
        wanted = await self.push_screen_wait(Profile(self.messenger, uin))
        self._after_dialog()
        if wanted is Wanted.TALK:
            self.open_talk(uin)
        elif wanted is Wanted.ADD:
            self.call_later(self._add_friend, uin)
        elif wanted is Wanted.DELETE:
            self.call_later(self._delete_friend, uin)

    def action_delete_friend(self) -> None:
        """Delete the friend talked to, or under the cursor, after asking."""
        uin = self._meant()
        if uin is None or not self.state.person(uin).is_friend:
            self.tell(tr("Choose a friend first."))
        else:
            self._delete_friend(uin)

    @work(exclusive=True, group="dialog")
    async def _delete_friend(self, uin: int) -> None:
        name = self.called(uin)
        question = tr("Delete {name} ({uin}) from your friends? What was said stays here.")
        sure = await self.push_screen_wait(
            Confirm(tr("Delete a friend"), question.format(name=name, uin=uin), tr("Delete"))
        )
        self._after_dialog()
        if sure and self.messenger is not None:
            try:
                await self.messenger.delete(uin)
            except KQQError as error:
                self.tell_error(error)
            else:
                self.tell(tr("{name} is no longer your friend.").format(name=name))

    def _meant(self) -> int | None:
        """Return whom somebody means who names nobody."""
        person = self.friends.roster.person_under_cursor()
        if person is not None and (self.talk.uin is None or self.friends.has_focus_within):
            return person.uin
        return self.talk.uin

    def _after_dialog(self, told: str | None = None) -> None:
        """Go on after a dialog: the conversation is in view again."""
        if told:
            self.tell(told)
        self.read_what_is_in_view()

    # --- oneself

    @work(exclusive=True, group="dialog")
    async def action_status(self) -> None:
        """Choose one's own status."""
        choices = [
            Choice(
                Content.assemble(mark(status), "  ", status_word(status)),
                tr("now") if status is self.state.status else "",
                status,
            )
            for status in Status
            if status is not Status.OFFLINE
        ]
        status = await self.push_screen_wait(
            Picker(tr("Your status"), choices, placeholder=tr("Status"))
        )
        self._after_dialog()
        if status is not None and self.messenger is not None:
            try:
                await self.messenger.change_status(status)
            except KQQError as error:
                self.tell_error(error)

    @work(exclusive=True, group="dialog")
    async def action_reconnect(self) -> None:
        """Sign in again, now; with another password if the last one was refused."""
        lost = self.state.lost
        if self.messenger is None or lost is None:
            return
        if isinstance(lost, SignInRefused):
            answer = await self.push_screen_wait(Trouble(lost, leave=tr("Close")))
            if answer is None:
                return
            if answer.password is not None:
                self.live(answer.password)
                return
        self.messenger.reconnect()

    @work(exclusive=True, group="fetching")
    async def action_refresh_roster(self) -> None:
        """Ask for friends and statuses again."""
        if self.messenger is not None:
            try:
                await self.messenger.refresh()
            except KQQError as error:
                self.tell_error(error)
            else:
                self.tell(tr("The list of friends is fresh."))

    # --- what was said

    @work(exclusive=True, group="dialog")
    async def action_find_messages(self) -> None:
        """Seek words in what was said, and go there."""
        if self.messenger is None:
            return
        memory = Memory(self.state, self.history, self.server, self.messenger.uin)
        message = await self.push_screen_wait(FindMessages(memory, self.state, self.talk.uin))
        self._after_dialog()
        if message is None:
            return
        self.open_talk(message.uin)
        conversation = self.state.conversations.get(message.uin)
        if conversation and any(one.key == message.key for one in conversation.messages):
            self.talk.go_to(message.key, self.state, self.today)
            return
        try:
            around = memory.around(message)
        except KQQError as error:
            self.tell_error(error)
        else:
            self.talk.show_excerpt(around, message.key, self.state, self.today)

    # --- everything else

    def action_other_theme(self) -> None:
        """Change between dark and light."""
        self.theme = LIGHT.name if self.theme == DARK.name else DARK.name

    def action_notices(self) -> None:
        """Go on to the next way of telling of messages: off, bell, desktop, both."""
        every = list(Notices)
        self.notices = every[(every.index(self.notices) + 1) % len(every)]
        names = {
            Notices.OFF: tr("New messages make no noise."),
            Notices.BELL: tr("New messages ring the bell."),
            Notices.DESKTOP: tr("New messages are shown on the desktop."),
            Notices.BOTH: tr("New messages ring the bell and are shown on the desktop."),
        }
        self.tell(names[self.notices])

    @work(exclusive=True, group="dialog")
    async def action_commands(self) -> None:
        """Choose from all that can be done."""
        choices = [Choice(Content(does), keys, action) for does, keys, action in self._everything()]
        for one in self.state.roster():
            told = tr("Talk to {name}").format(name=name_of(one))
            label = Content(one_line(told, _COMMAND_CELLS))
            choices.append(Choice(label, str(one.uin), partial(self.open_talk, one.uin)))
        chosen = await self.push_screen_wait(
            Picker(tr("What to do"), choices, placeholder=tr("Type some of it"))
        )
        self._after_dialog()
        if chosen is not None:
            self.call_later(chosen)

    def _everything(self) -> list[tuple[str, str, Callable[[], Any]]]:
        """Return all that can be done: what it is, its key, and how."""
        return [
            (tr("Add a friend"), "Ctrl+N", self.action_add_friend),
            (tr("Answer a request"), "", self.action_answer_request),
            (tr("Find people"), "Ctrl+G", self.action_find_people),
            (tr("Profile of this person"), "F4", self.action_profile),
            (tr("Delete this friend"), "", self.action_delete_friend),
            (tr("Your profile"), "", self.action_own_profile),
            (tr("Your status"), "Ctrl+T", self.action_status),
            (tr("Next unread conversation"), "Ctrl+O", self.action_next_unread),
            (tr("Find in messages"), "F3", self.action_find_messages),
            (tr("Wire: lines and what they mean"), "F2", self.action_wire),
            (tr("Fetch the list of friends again"), "F5", self.action_refresh_roster),
            (tr("Sign in again"), "Ctrl+R", self.action_reconnect),
            (tr("Dark or light"), "F8", self.action_other_theme),
            (tr("Bell and desktop notes"), "", self.action_notices),
            (tr("Keys"), "F1", self.action_keys),
            (tr("Quit"), "Ctrl+Q", self.action_quit),
        ]

    def action_keys(self) -> None:
        """Tell what the keys do."""
        self.push_screen(Keys(every_key()))

    def action_help_quit(self) -> None:
        """Tell how to leave: Ctrl+C copies here."""
        self.tell(tr("Ctrl+Q quits."))

    async def action_quit(self) -> None:
        """Sign out and leave; ask first if something would be lost."""
        self._quit()

    @work(exclusive=True, group="quitting")
    async def _quit(self) -> None:
        waiting = sum(
            message.fate is Fate.WAITING
            for conversation in self.state.conversations.values()
            for message in conversation.messages
        )
        if waiting and self.history is None:
            question = tr_n(
                "{count} message was not sent yet and will be lost.",
                "{count} messages were not sent yet and will be lost.",
                waiting,
            )
            leave = Confirm(tr("Quit"), question.format(count=waiting), tr("Quit"))
            if not await self.push_screen_wait(leave):
                return
        if self.messenger is not None:
            try:
                async with asyncio.timeout(_GOODBYE):
                    await self.messenger.close()
            except (TimeoutError, KQQError) as error:
                self.log(f"no good-bye: {error!r}")  # we leave in any case
        self.exit(int(Exit.DONE))


def run(
    make: Make,
    *,
    talk_to: int | None = None,
    history: History | None = None,
    notices: Notices = Notices.BELL,
    dark: bool = True,
) -> int:
    """Chat on the terminal until somebody leaves; return an exit code (`kqq.words.Exit`)."""
    know_alt_enter()
    app = ChatApp(make, talk_to=talk_to, history=history, notices=notices, dark=dark)
    return app.run() or int(Exit.DONE)
