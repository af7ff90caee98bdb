"""Seeking words in what was said, in memory or in the history on disk."""

import asyncio
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual import on, work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input

from kqq.client.events import Message
from kqq.client.finding import spans
from kqq.client.history import History
from kqq.client.state import State
from kqq.errors import StoreError
from kqq.tui.dialogs import Dialog, button, relabel
from kqq.tui.look import name_in
from kqq.tui.rows import Rows
from kqq.tui.text import local
from kqq.words import one_line, tr, tr_n

_MOST = 200
_ROOM = 400  # signs of a message that are looked at for showing


class Memory:
    """What can be sought: the conversations in memory, or the history of an account on disk."""

    def __init__(self, state: State, history: History | None, server: str, uin: int) -> None:
        self._state, self._history, self._server, self._uin = state, history, server, uin

    async def seek(self, words: Sequence[str], uin: int | None) -> list[Message]:
        """Return the newest messages, with `uin` or anybody, that have every word; oldest first.

        Raises StoreError if the history cannot be read.
        """
        if self._history is not None:
            return await asyncio.to_thread(self._seek_on_disk, words, uin)
        found = [
            message
            for conversation in self._state.conversations.values()
            if uin in (None, conversation.uin)
            for message in conversation.messages
            if all(spans(message.text, [word]) for word in words)
        ]
        return sorted(found, key=lambda one: one.at)[-_MOST:]

    def _seek_on_disk(self, words: Sequence[str], uin: int | None) -> list[Message]:
        assert self._history is not None
        # A connection of its own: this runs on another thread, for it may take a second.
        with History.open(self._history.path) as history:
            diary = history.diary(self._uin, self._server)
            return list(diary.search(*words, uin=uin, most=_MOST))

    def around(self, message: Message, most: int = 100) -> list[Message]:
        """Return a message of the history with those before and after it, oldest first."""
        if self._history is None:
            return [message]
        diary = self._history.diary(self._uin, self._server)
        before = diary.recent(message.uin, most=most, before=message.key)
        after = []
        for one in diary.search(uin=message.uin, since=message.at):
            if one.key != message.key and one not in before:
                after.append(one)
            if len(after) == most:
                break
        return [*before, message, *after]


class _Hits(Rows):
    """Messages that were found, the newest first."""

    def __init__(self, state: State) -> None:
        super().__init__(id="hits")
        self._state = state
        self.hits: Sequence[Message] = ()
        self._words: Sequence[str] = ()

    def show(self, hits: Sequence[Message], words: Sequence[str]) -> None:
        self.hits, self._words = hits, words
        self.changed()
        self.action_first()

    def count(self) -> int:
        return len(self.hits)

    def row(self, index: int, width: int) -> Content:
        one = self.hits[index]
        name = tr("you") if one.is_own else name_in(self._state.person(one.uin), 12)
        left = f" {local(one.at):%Y-%m-%d}  "
        room = max(width - cell_len(left) - cell_len(name) - 3, 4)
        text = one.text[:_ROOM]
        places = spans(text, self._words)
        start = max(places[0][0] - room // 4, 0) if places and places[0][1] > room else 0
        shown = Content(one_line(text[start:], room))
        for begin, end in spans(shown.plain, self._words):
            shown = shown.stylize("$accent bold", begin, end)
        style = "$primary" if one.is_own else "$here"
        return Content.assemble((left, "$faint"), (name, style), "  ", shown)


class FindMessages(Dialog[Message]):
    """Seeking words in one conversation or in all; the answer is the message to go to."""

    def __init__(self, memory: Memory, state: State, uin: int | None) -> None:
        super().__init__()
        self._memory, self._state, self._uin = memory, state, uin
        self._is_everywhere = uin is None
        self._wants_list = False  # once the hits are there

    def heading(self) -> str:
        """Return what it is."""
        return tr("Find in messages")

    def body(self) -> Iterable[Widget]:
        """Return the field and the list."""
        yield Input(placeholder=tr("Words"), id="sought", compact=True)
        yield _Hits(self._state)

    def buttons(self) -> Sequence[Button]:
        """Return where to seek."""
        where = [] if self._uin is None else [button(self._where(), "where")]
        return [*where, button(tr("Close"), "cancel")]

    def _where(self) -> str:
        if self._is_everywhere or self._uin is None:
            return tr("In all conversations")
        return tr("With {name}").format(name=name_in(self._state.person(self._uin), 16))

    def on_mount(self) -> None:
        """Begin in the field."""
        self.query_one(Input).focus()

    @on(Button.Pressed, "#where")
    def _elsewhere(self, event: Button.Pressed) -> None:
        self._is_everywhere = not self._is_everywhere
        relabel(event.button, self._where())
        self._seek()

    @on(Input.Changed)
    def _changed(self) -> None:
        self._wants_list = False
        self._seek()

    @on(Input.Submitted)
    def _to_list(self) -> None:
        self._wants_list = True
        self._seek()

    @work(exclusive=True)
    async def _seek(self) -> None:
        sought = self.query_one(Input).value.split()
        rows = self.query_one(_Hits)
        if not sought:
            rows.show([], [])
            self.tell("")
            return
        try:
            hits = await self._memory.seek(sought, None if self._is_everywhere else self._uin)
        except StoreError as error:
            self.tell_error(error)
            return
        rows.show(hits[::-1], sought)
        if self._wants_list and hits:
            rows.focus()
        if not hits:
            self.tell(tr("Nothing was found."))
        elif len(hits) == _MOST:
            self.tell(tr("The newest {count} messages.").format(count=_MOST))
        else:
            told = tr_n("{count} message.", "{count} messages.", len(hits))
            self.tell(told.format(count=len(hits)))

    @on(Rows.Chosen)
    def _choose(self, event: Rows.Chosen) -> None:
        self.dismiss(self.query_one(_Hits).hits[event.index])
