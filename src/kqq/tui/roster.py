"""The friend list: who wants to be a friend, who is there, who is not, and what is unread."""

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from kqq.client.state import Person, State
from kqq.protocol import Status
from kqq.tui.look import mark_in, name_in, name_of
from kqq.tui.rows import Rows
from kqq.words import status_word, tr

_AWAY_FROM_HERE = (Status.OFFLINE, Status.HIDDEN)
_PLAIN = (Status.ONLINE, Status.OFFLINE, Status.HIDDEN)  # the heading tells these
_MOST_SHOWN = 99


@dataclass(frozen=True, slots=True)
class _Heading:
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class _Wish:
    """Somebody who wants to be a friend."""

    uin: int


class _Gap:
    """A line with nothing on it."""


_Row = _Heading | _Wish | _Gap | Person
_Named = _Wish | Person


class Roster(Rows):
    """The rows of the friend list.

    `talking_to` is the person whose conversation is open.
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        super().__init__(id=id)
        self._rows: list[_Row] = []
        self._state = State()
        self.talking_to: int | None = None

    def show(self, state: State, sought: str = "") -> None:
        """Show the people of `state`, those whose name or number has `sought` in it."""
        self._state = state
        under = self._under_cursor()
        self._rows = self._make_rows(state, sought.strip().casefold())
        if under is not None:
            self._stay_on(under)
        self.changed()

    def count(self) -> int:
        """Return how many rows there are, headings included."""
        return len(self._rows)

    def is_open_to_cursor(self, index: int) -> bool:
        """Headings are passed over."""
        return isinstance(self._rows[index], _Named)

    def chosen(self, index: int) -> Person | int:
        """Return the person of a row, or the number of somebody who wants to be a friend."""
        row = self._rows[index]
        assert isinstance(row, _Named)
        return row.uin if isinstance(row, _Wish) else row

    def person_under_cursor(self) -> Person | None:
        """Return whose row the cursor is on."""
        row = self._rows[self.cursor] if self.cursor is not None else None
        return row if isinstance(row, Person) else None

    def move_to(self, uin: int) -> None:
        """Put the cursor on somebody, if they are there."""
        self._stay_on((Person, uin))

    def row(self, index: int, width: int) -> Content:
        """Return a heading, or somebody's mark, name and what is unread of them."""
        row = self._rows[index]
        if isinstance(row, _Gap):
            return Content("")
        if isinstance(row, _Heading):
            return Content.assemble((f" {row.text}", "$quiet bold"), (f"  {row.count}", "$faint"))
        if isinstance(row, _Wish):
            name = name_in(self._state.person(row.uin), max(width - 4, 2))
            return Content.assemble((" + ", "$accent bold"), (name, "bold"))
        return self._person(row, width)

    def _person(self, person: Person, width: int) -> Content:
        conversation = self._state.conversations.get(person.uin)
        unread = conversation.unread if conversation is not None else 0
        badge = Content("")
        if unread:
            count = str(unread) if unread <= _MOST_SHOWN else f"{_MOST_SHOWN}+"
            badge = Content.styled(f" {count} ", "$badge-text on $badge bold")
        elif self._state.is_online and person.status not in _PLAIN:
            badge = Content.styled(status_word(person.status), "$quiet")
        is_open = person.uin == self.talking_to
        name = name_in(person, max(width - 5 - badge.cell_length, 2))
        gap = max(width - 4 - cell_len(name) - badge.cell_length, 1)
        is_here = self._state.is_online and person.status not in _AWAY_FROM_HERE
        style = "" if is_here else "$faint"
        style = "bold" if unread or is_open else style
        return Content.assemble(
            ("▌" if is_open else " ", "$primary"),
            mark_in(self._state, person),
            " ",
            (name, style) if style else name,
            " " * gap,
            badge,
        )

    def _make_rows(self, state: State, sought: str) -> list[_Row]:
        everybody = state.roster()
        if sought:
            everybody = [
                one for one in everybody if sought in name_of(one).casefold() + f" {one.uin}"
            ]
        here = [one for one in everybody if one.status not in _AWAY_FROM_HERE]
        away = [one for one in everybody if one.status in _AWAY_FROM_HERE]
        if not state.is_online:  # who is there now, nobody knows
            here, away = [], [*here, *away]
        rows: list[_Row] = []
        if state.requests and not sought:
            rows.append(_Heading(tr("Want to be friends"), len(state.requests)))
            rows += map(_Wish, state.requests)
        not_here = tr("Offline") if state.is_online else tr("Friends")
        for heading, people in ((tr("Online"), here), (not_here, away)):
            if people:
                rows += [*([_Gap()] if rows else []), _Heading(heading, len(people)), *people]
        return rows

    def _under_cursor(self) -> tuple[type, int] | None:
        if self.cursor is None or self.cursor >= len(self._rows):
            return None
        row = self._rows[self.cursor]
        return (type(row), row.uin) if isinstance(row, _Named) else None

    def _stay_on(self, who: tuple[type, int]) -> None:
        for index, row in enumerate(self._rows):
            if isinstance(row, _Named) and (type(row), row.uin) == who:
                self.cursor = index
                return


class RosterPane(Vertical):
    """The friend list with a field to find somebody in it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "find", show=False)]

    class PersonChosen(Message):
        """Somebody's conversation is wanted."""

        def __init__(self, uin: int) -> None:
            super().__init__()
            self.uin = uin

    class RequestChosen(Message):
        """The request of somebody who wants to be a friend is to be answered."""

        def __init__(self, uin: int) -> None:
            super().__init__()
            self.uin = uin

    def compose(self) -> ComposeResult:
        """Make the field and the list."""
        with Vertical(id="find-place"):
            yield Input(placeholder=tr("Find a friend  /"), id="find-friend", compact=True)
        yield Roster(id="roster")

    def on_mount(self) -> None:
        """Begin empty."""
        self._state = State()
        self._sought = ""

    @property
    def roster(self) -> Roster:
        """The list."""
        return self.query_one(Roster)

    def show(self, state: State) -> None:
        """Show who is there now."""
        self._state = state
        self.roster.show(state, self._sought)

    def action_find(self) -> None:
        """Go to the field."""
        self.query_one(Input).focus()

    @on(Input.Changed)
    def _seek(self, event: Input.Changed) -> None:
        event.stop()
        self._sought = event.value
        self.roster.show(self._state, self._sought)
        self.roster.action_first()

    @on(Input.Submitted)
    def _open_found(self, event: Input.Submitted) -> None:
        event.stop()
        self.roster.action_choose()

    def on_key(self, event: events.Key) -> None:
        """Move in the list while the field has the keys; Escape empties it."""
        field = self.query_one(Input)
        if not field.has_focus:
            return
        if event.key in ("up", "down"):
            event.stop()
            self.roster.action_move(-1 if event.key == "up" else 1)
        elif event.key == "escape" and field.value:
            event.stop()
            field.value = ""
        elif event.key == "escape":
            event.stop()
            self.roster.focus()

    @on(Rows.Chosen)
    def _choose(self, event: Rows.Chosen) -> None:
        event.stop()
        chosen = self.roster.chosen(event.index)
        if isinstance(chosen, Person):
            self.query_one(Input).value = ""
            self.post_message(self.PersonChosen(chosen.uin))
        else:
            self.post_message(self.RequestChosen(chosen))
