"""The pane of one conversation: with whom, what was said, and the field to write in."""

from collections.abc import Sequence
from datetime import date

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from kqq.client.events import Message as Said
from kqq.client.state import Conversation, Person, State
from kqq.protocol import SYSTEM_ACCOUNT
from kqq.tui.composer import Composer
from kqq.tui.conversation import ConversationView, Shown
from kqq.tui.look import mark_in, name_in, name_of
from kqq.words import status_word, tr


class Title(Static):
    """Whom one talks to."""

    class Clicked(Message):
        """More is to be told of them."""

    def on_click(self, event: events.Click) -> None:
        """Ask for more."""
        event.stop()
        self.post_message(self.Clicked())


class TalkPane(Vertical):
    """One conversation, or a word of welcome while there is none.

    `uin` is the person talked to. What one began to write to somebody is there again when one
    comes back to them.
    """

    class EarlierWanted(Message):
        """Messages before the first one are wanted, if there are any."""

    class Sent(Message):
        """Words are to go to the person talked to."""

        def __init__(self, uin: int, text: str) -> None:
            super().__init__()
            self.uin = uin
            self.text = text

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self.uin: int | None = None
        self.sought: str | None = None
        self._first_unread: str | None = None
        self._excerpt: Sequence[Said] = ()
        self._drafts: dict[int, str] = {}

    def compose(self) -> ComposeResult:
        """Make the parts."""
        yield Title(id="title", markup=False)
        yield ConversationView(id="conversation")
        yield Static(id="welcome", markup=False)
        with Vertical(id="composer-place"), Vertical(id="composer-box"):
            yield Composer(id="composer")

    @property
    def composer(self) -> Composer:
        """The field to write in."""
        return self.query_one(Composer)

    @property
    def view(self) -> ConversationView:
        """What was said."""
        return self.query_one(ConversationView)

    @property
    def is_excerpt(self) -> bool:
        """Whether old messages are shown, found in the history, instead of the newest."""
        return bool(self._excerpt)

    def open(self, uin: int, state: State, today: date) -> None:
        """Show the conversation with somebody, from its end."""
        conversation = state.conversations.get(uin)
        if self.uin != uin:
            self._keep_draft()
            self.composer.text = self._drafts.pop(uin, "")
            self.composer.move_cursor(self.composer.document.end)
            self.composer.last_sent = _last_sent(conversation)
        self.uin, self._excerpt, self.sought = uin, (), None
        self._first_unread = _first_unread(conversation)
        self._show(state, today, to_end=True)

    def show_excerpt(
        self, messages: Sequence[Said], sought: str, state: State, today: date
    ) -> None:
        """Show old messages with this person, and bring the sought one into view."""
        self._excerpt, self.sought = messages, sought
        self._show(state, today)
        self.view.scroll_to_message(sought)

    def go_to(self, key: str, state: State, today: date) -> None:
        """Bring a message into view that is in the conversation."""
        self._excerpt, self.sought = (), key
        self._show(state, today)
        self.view.scroll_to_message(key)

    def go_to_end(self, state: State, today: date) -> None:
        """Go back to what is said now."""
        self._excerpt, self.sought = (), None
        self._show(state, today, to_end=True)

    def close(self) -> None:
        """Show no conversation any more."""
        self._keep_draft()
        self.uin = None
        self._excerpt = ()

    def has_been_seen(self) -> None:
        """Take the mark of what is new away: it was read and answered."""
        self._first_unread = None

    def show(self, state: State, today: date) -> None:
        """Show what holds now."""
        self._show(state, today)

    def note_unread(self, message: Said) -> None:
        """Let the mark of what is new stand before a message, unless it stands further up."""
        if self._first_unread is None:
            self._first_unread = message.key

    def _keep_draft(self) -> None:
        if self.uin is not None:
            self._drafts[self.uin] = self.composer.text

    def _show(self, state: State, today: date, *, to_end: bool = False) -> None:
        is_open = self.uin is not None
        self.set_class(is_open, "-open")
        if self.uin is None:
            self.query_one("#welcome", Static).update(_welcome(self.size.width))
            return
        conversation = state.conversations.get(self.uin)
        messages: Sequence[Said] = self._excerpt
        if not messages and conversation is not None:
            messages = tuple(conversation.messages)
        shown = Shown(messages, self._first_unread, self.sought)
        self.view.show(shown, today, to_end=to_end)
        person = state.person(self.uin)
        self.query_one(Title).update(self._title(person, state))
        self._show_field(person)

    def _title(self, person: Person, state: State) -> Content:
        width = max(self.size.width - 4, 10)
        uin = str(person.uin)
        name = name_in(person, max(width - len(uin) - 20, 8))
        title = Content.assemble(mark_in(state, person), " ", (name, "bold"))
        if name != uin:
            title += Content.styled(f"  {uin}", "$quiet")
        if person.uin == SYSTEM_ACCOUNT or not state.is_online:
            more = ""
        elif not person.is_friend:
            more = tr("not your friend")
        else:
            more = status_word(person.status)
        if self.is_excerpt:
            more = tr("from the history; Escape: back to now")
        gap = max(width - title.cell_length - cell_len(more), 2)
        return title + Content.styled(" " * gap + more, "$quiet")

    def _show_field(self, person: Person) -> None:
        composer = self.composer
        is_mute = person.uin == SYSTEM_ACCOUNT
        composer.read_only = is_mute
        placeholder = (
            tr("Nobody can answer the server.")
            if is_mute
            else tr("Write to {name}").format(name=name_of(person))
        )
        composer.placeholder = Content(placeholder)

    def on_resize(self) -> None:
        """Lay out the title and the welcome anew: they depend on the width."""
        if self.uin is None:
            self.query_one("#welcome", Static).update(_welcome(self.size.width))

    @on(Composer.Sent)
    def _send(self, event: Composer.Sent) -> None:
        event.stop()
        if self.uin is not None and not self.composer.read_only:
            self.composer.text = ""
            self.composer.last_sent = event.text
            self.has_been_seen()
            self.post_message(self.Sent(self.uin, event.text))

    @on(ConversationView.EarlierWanted)
    def _want_earlier(self, event: ConversationView.EarlierWanted) -> None:
        event.stop()
        self.post_message(self.EarlierWanted())

    @on(Composer.Scrolled)
    def _scroll(self, event: Composer.Scrolled) -> None:
        event.stop()
        self.view.page(event.step)


def _first_unread(conversation: Conversation | None) -> str | None:
    """Return the first message that was not read, by its key."""
    if conversation is None or not conversation.unread:
        return None
    received = [one for one in conversation.messages if not one.is_own]
    unread = received[-conversation.unread :]
    return unread[0].key if unread else None


def _last_sent(conversation: Conversation | None) -> str:
    own = [one for one in conversation.messages if one.is_own] if conversation else []
    return own[-1].text if own else ""


def _welcome(width: int) -> Content:
    del width
    pairs = [
        ("↑ ↓ Enter", tr("talk to somebody")),
        ("/", tr("find somebody in the list")),
        ("Ctrl+N", tr("add a friend")),
        ("Ctrl+P", tr("everything else")),
        ("F2", tr("what goes over the wire")),
    ]
    wide = max(cell_len(keys) for keys, _ in pairs)
    lines = [Content.styled("kqq", "$primary bold"), Content("")]
    lines += [
        Content.assemble((f"{' ' * (wide - cell_len(keys))}{keys}  ", "$primary"), (does, "$quiet"))
        for keys, does in pairs
    ]
    return Content("\n").join(lines)
