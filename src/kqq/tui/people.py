"""Dialogs about people: adding, answering, finding, and what they say of themselves."""

from collections.abc import Iterable, Sequence
from enum import Enum

from rich.cells import cell_len
from textual import on, work
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Select, Static

from kqq.client.client import Added
from kqq.client.events import Friend
from kqq.client.messenger import Messenger
from kqq.errors import KQQError
from kqq.protocol import GetInfoReply
from kqq.tui.dialogs import Dialog, button, relabel, words
from kqq.tui.look import name_of
from kqq.tui.rows import Rows
from kqq.words import display_name, one_line, profile_rows, tr, tr_n

_MALE, _FEMALE = "0", "1"


class AddFriend(Dialog[str]):
    """Adding somebody by number; the answer says what became of it, for people.

    There are three: they are a friend at once, or want to be asked with some words, or want nobody.
    With `uin` it asks at once.
    """

    def __init__(self, messenger: Messenger, uin: int | None = None) -> None:
        super().__init__()
        self._messenger, self._uin = messenger, uin
        self._is_asking_words = False

    def heading(self) -> str:
        """Return what it is."""
        return tr("Add a friend")

    def body(self) -> Iterable[Widget]:
        """Return the fields; that for words is hidden until they are wanted."""
        number = "" if self._uin is None else str(self._uin)
        yield words(tr("Number:"), classes="label")
        yield Input(number, id="number", type="integer", max_length=10, compact=True)
        yield words(tr("They want to be asked. What do you say?"), classes="label wish")
        yield Input(id="wish", classes="wish", compact=True)

    def buttons(self) -> Sequence[Button]:
        """Return what can be done."""
        return [button(tr("Add"), "add", is_main=True), button(tr("Cancel"), "cancel")]

    def on_mount(self) -> None:
        """Ask at once, if it is known about whom."""
        self.query_one("#number").focus()
        if self._uin is not None:
            self._go_on()

    @on(Input.Changed, "#number")
    def _another_number(self) -> None:
        self._is_asking_words = False
        self.set_class(False, "-asking")  # noqa: FBT003  # Textual's form
        relabel(self.query_one("#add", Button), tr("Add"))

    @on(Input.Submitted)
    @on(Button.Pressed, "#add")
    def _go_on(self) -> None:
        number = self.query_one("#number", Input).value
        if not number.isdecimal():
            self.tell(tr("Type the number of somebody."), is_bad=True)
        elif self._is_asking_words:
            self._request(int(number), self.query_one("#wish", Input).value.strip())
        else:
            self._add(int(number))

    @work(exclusive=True)
    async def _add(self, uin: int) -> None:
        self.tell(tr("Asking the server…"))
        try:
            outcome = await self._messenger.add(uin)
        except KQQError as error:
            self.tell_error(error)
            return
        name = name_of(self._messenger.state.person(uin))
        if outcome is Added.DONE:
            self.dismiss(tr("{name} is your friend now.").format(name=name))
        elif outcome is Added.ASK:
            self.tell("")
            self._is_asking_words = True
            self.add_class("-asking")
            relabel(self.query_one("#add", Button), tr("Send the request"))
            self.query_one("#wish").focus()
        else:
            self.tell(tr("{name} wants nobody as a friend.").format(name=name), is_bad=True)

    @work(exclusive=True)
    async def _request(self, uin: int, text: str) -> None:
        self.tell(tr("Asking the server…"))
        try:
            await self._messenger.request(uin, text)
        except KQQError as error:
            self.tell_error(error)
            return
        name = name_of(self._messenger.state.person(uin))
        self.dismiss(tr("{name} is asked; the answer may take a while.").format(name=name))


class AnswerRequest(Dialog[str]):
    """Somebody wants to be a friend: accept, refuse with a reason, or later (None)."""

    def __init__(self, messenger: Messenger, uin: int) -> None:
        super().__init__()
        self._messenger, self._uin = messenger, uin
        self._called = name_of(messenger.state.person(uin))

    def heading(self) -> str:
        """Return what it is."""
        return tr("A request")

    def body(self) -> Iterable[Widget]:
        """Return who wants it, what they say, and a field for a reason, hidden until wanted."""
        number = f" ({self._uin})" if self._called != str(self._uin) else ""
        yield words(tr("{name} wants to be your friend.").format(name=f"{self._called}{number}"))
        said = self._messenger.state.requests.get(self._uin, "")
        if said:
            yield words(said, classes="quoted")
        yield words(tr("Why not? It may stay empty."), classes="label reason")
        yield Input(id="reason", classes="reason", compact=True)

    def buttons(self) -> Sequence[Button]:
        """Return the three answers."""
        return [
            button(tr("Accept"), "accept", is_main=True),
            button(tr("Refuse"), "refuse", is_grave=True),
            button(tr("Later"), "cancel"),
        ]

    def on_mount(self) -> None:
        """Begin at the first answer."""
        self.query_one("#accept").focus()

    @on(Button.Pressed, "#accept")
    def _accept(self) -> None:
        self._answer(is_accepted=True, reason="")

    @on(Input.Submitted)
    @on(Button.Pressed, "#refuse")
    def _refuse(self) -> None:
        if self.has_class("-refusing"):
            self._answer(is_accepted=False, reason=self.query_one(Input).value.strip())
        else:
            self.add_class("-refusing")
            self.query_one(Input).focus()

    @work(exclusive=True)
    async def _answer(self, *, is_accepted: bool, reason: str) -> None:
        self.tell(tr("Asking the server…"))
        try:
            if is_accepted:
                await self._messenger.accept(self._uin)
            else:
                await self._messenger.refuse(self._uin, reason)
        except KQQError as error:
            self.tell_error(error)
            return
        name = name_of(self._messenger.state.person(self._uin))
        told = tr("{name} is told that you refuse.")
        if is_accepted:
            told = tr("{name} is your friend now.")
        self.dismiss(told.format(name=name))


class _Found(Rows):
    """People who were found."""

    def __init__(self) -> None:
        super().__init__(id="found")
        self.people: Sequence[Friend] = ()

    def show(self, people: Sequence[Friend]) -> None:
        self.people = people
        self.styles.height = min(len(people), 10)
        self.changed()
        self.action_first()

    def count(self) -> int:
        return len(self.people)

    def row(self, index: int, width: int) -> Content:
        one = self.people[index]
        number = str(one.uin)
        name = one_line(display_name(one.nick, one.uin), max(width - len(number) - 4, 2))
        gap = max(width - 3 - cell_len(name) - len(number), 1)
        return Content.assemble(" ", name, " " * gap, (number, "$quiet"), "  ")


class FindPeople(Dialog[int]):
    """Finding people by age, sex and province; the answer is the number of one to add."""

    def __init__(self, messenger: Messenger) -> None:
        super().__init__()
        self._messenger = messenger

    def heading(self) -> str:
        """Return what it is."""
        return tr("Find people")

    def body(self) -> Iterable[Widget]:
        """Return the three fields and the list."""
        sexes = [(tr("any"), ""), (tr("male"), _MALE), (tr("female"), _FEMALE)]
        yield Horizontal(
            words(tr("Age"), classes="field-name"),
            Input(id="age", type="integer", max_length=3, compact=True),
            classes="field",
        )
        yield Horizontal(
            words(tr("Sex"), classes="field-name"),
            Select(sexes, id="sex", allow_blank=False, compact=True),
            classes="field",
        )
        yield Horizontal(
            words(tr("Province"), classes="field-name"),
            Input(id="province", max_length=40, compact=True),
            classes="field",
        )
        yield _Found()

    def buttons(self) -> Sequence[Button]:
        """Return what can be done."""
        return [button(tr("Find"), "find", is_main=True), button(tr("Close"), "cancel")]

    def on_mount(self) -> None:
        """Begin at the first field; there is no list yet."""
        self.query_one(_Found).styles.height = 0
        self.query_one("#age").focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#find")
    def _find(self) -> None:
        self._ask()

    @work(exclusive=True)
    async def _ask(self) -> None:
        self.tell(tr("Asking the server…"))
        sex = self.query_one(Select).value
        try:
            found = await self._messenger.search(
                age=self.query_one("#age", Input).value.strip() or None,
                sex=str(sex) if sex in (_MALE, _FEMALE) else None,
                province=self.query_one("#province", Input).value.strip() or None,
            )
        except KQQError as error:
            self.tell_error(error)
            return
        rows = self.query_one(_Found)
        rows.show([one for one in found if one.uin != self._messenger.uin])
        if rows.people:
            told = tr_n("{count} person. Enter adds.", "{count} people. Enter adds.", rows.count())
            self.tell(told.format(count=rows.count()))
            rows.focus()
        else:
            self.tell(tr("Nobody was found."))

    @on(Rows.Chosen)
    def _choose(self, event: Rows.Chosen) -> None:
        self.dismiss(self.query_one(_Found).people[event.index].uin)


class Wanted(Enum):
    """What is to be done with somebody whose profile was read."""

    TALK = "talk"
    ADD = "add"
    DELETE = "delete"


class Profile(Dialog[Wanted]):
    """What somebody says of themselves; the answer is what is to be done with them."""

    def __init__(self, messenger: Messenger, uin: int) -> None:
        super().__init__()
        self._messenger, self._uin = messenger, uin
        self._person = messenger.state.person(uin)

    def heading(self) -> str:
        """Return whose it is."""
        return tr("Your profile") if self._is_own else name_of(self._person)

    @property
    def _is_own(self) -> bool:
        return self._uin == self._messenger.uin

    def body(self) -> Iterable[Widget]:
        """Return an empty place until the server has answered."""
        yield Static(id="profile", markup=False)

    def buttons(self) -> Sequence[Button]:
        """Return what can be done with this person."""
        close = button(tr("Close"), "cancel", is_main=self._is_own)
        if self._is_own:
            return [close]
        talk = button(tr("Talk"), "want-talk", is_main=True)
        if self._person.is_friend:
            return [talk, button(tr("Delete…"), "want-delete", is_grave=True), close]
        return [talk, button(tr("Add"), "want-add"), close]

    def on_mount(self) -> None:
        """Ask for it."""
        self.query(Button).first().focus()
        self._ask()

    @work
    async def _ask(self) -> None:
        self.tell(tr("Asking the server…"))
        try:
            profile = await self._messenger.profile(self._uin)
        except KQQError as error:
            self.tell_error(error)
        else:
            self.tell("")
            self.show(profile)

    def show(self, profile: GetInfoReply) -> None:
        """Show what the server says."""
        rows = profile_rows(profile)
        wide = max((cell_len(label) for label, _ in rows), default=0)
        lines = []
        for label, value in rows:
            first, *others = value.split("\n")
            blanks = " " * (wide - cell_len(label))
            lines.append(Content.assemble((f"{label}{blanks}  ", "$quiet"), first))
            lines += [Content(" " * (wide + 2) + other) for other in others]
        self.query_one("#profile", Static).update(Content("\n").join(lines))

    @on(Button.Pressed, "#want-talk, #want-add, #want-delete")
    def _want(self, event: Button.Pressed) -> None:
        self.dismiss(Wanted((event.button.id or "").removeprefix("want-")))
