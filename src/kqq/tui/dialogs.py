"""Dialogs: what all of them have, and those that only ask, choose or tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.fuzzy import FuzzySearch
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from kqq.errors import KQQError
from kqq.tui.rows import Rows
from kqq.words import one_line, printable, say, tr

T = TypeVar("T")


def words(text: str | Content, *, id: str | None = None, classes: str | None = None) -> Static:  # noqa: A002
    """Return a widget with words in it, which are never taken for markup."""
    content = text if isinstance(text, Content) else Content(printable(text, lines=True))
    return Static(content, id=id, classes=classes, markup=False)


def button(label: str, id: str, *, is_main: bool = False, is_grave: bool = False) -> Button:  # noqa: A002
    """Return a button; the main one is what most people want, a grave one cannot be undone."""
    variant = "primary" if is_main else "error" if is_grave else "default"
    return Button(Content(label), id=id, variant=variant, compact=True)  # type: ignore[arg-type]


def relabel(one: Button, label: str) -> None:
    """Give a button another label, and the room for it."""
    one.label = Content(label)
    one.refresh(layout=True)


class Dialog(ModalScreen[T | None], Generic[T]):
    """A box over the chat. Escape, and a click beside it, close it with None.

    A subclass says what is in it (`body`), which buttons stand below (`buttons`), and its `title`.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def heading(self) -> str:
        """Return what stands in the border."""
        raise NotImplementedError

    def body(self) -> Iterable[Widget]:
        """Return what is in the box."""
        raise NotImplementedError

    def buttons(self) -> Sequence[Button]:
        """Return the buttons, from left to right."""
        return [button(tr("Close"), "cancel")]

    def compose(self) -> ComposeResult:
        """Put it together."""
        with Vertical(classes="dialog") as box:
            box.border_title = Content(one_line(self.heading(), 60))
            with VerticalScroll(classes="dialog-body", can_focus=False):
                yield from self.body()
                yield Static(classes="dialog-told", markup=False)
            with Horizontal(classes="dialog-buttons"):
                yield from self.buttons()

    def tell(self, text: str, *, is_bad: bool = False) -> None:
        """Say something below what is in the box; "" says nothing."""
        told = self.query_one(".dialog-told", Static)
        told.update(Content(printable(text, lines=True)))
        told.set_class(bool(text), "-told")
        told.set_class(is_bad, "-bad")
        if text:
            told.scroll_visible(animate=False)

    def tell_error(self, error: KQQError) -> None:
        """Say what went wrong."""
        self.tell(say(error), is_bad=True)

    def action_cancel(self) -> None:
        """Close it."""
        self.dismiss(None)

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.action_cancel()

    def on_click(self, event: events.Click) -> None:
        """Close it when somebody clicks beside it."""
        if event.widget is self:
            self.action_cancel()


class Confirm(Dialog[bool]):
    """A question; the answer is True, or None."""

    def __init__(self, heading: str, question: str, yes: str) -> None:
        super().__init__()
        self._heading, self._question, self._yes = heading, question, yes

    def heading(self) -> str:
        """Return what it is about."""
        return self._heading

    def body(self) -> Iterable[Widget]:
        """Return the question."""
        yield words(self._question)

    def buttons(self) -> Sequence[Button]:
        """Return yes and no; no is where the keys are."""
        return [button(tr("No"), "cancel"), button(self._yes, "yes", is_grave=True)]

    @on(Button.Pressed, "#yes")
    def _agree(self) -> None:
        self.dismiss(True)  # noqa: FBT003  # the answer


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose: how it is called, what stands at its right, and what it is."""

    label: Content
    hint: str
    value: Any


class _Choices(Rows):
    """Those choices that fit what was typed, the best first."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._all = choices
        self.shown: list[tuple[Choice, Sequence[int]]] = [(one, ()) for one in choices]

    def seek(self, text: str) -> None:
        """Show what fits."""
        text = text.strip()
        if text:
            found = [
                (*FuzzySearch().match(text, one.label.plain), place, one)
                for place, one in enumerate(self._all)
            ]
            found = [one for one in found if one[0] > 0]
            found.sort(key=lambda one: (-one[0], one[2]))
            self.shown = [(one, places) for _, places, _, one in found]
        else:
            self.shown = [(one, ()) for one in self._all]
        self.changed()
        self.action_first()

    def count(self) -> int:
        return len(self.shown)

    def row(self, index: int, width: int) -> Content:
        choice, places = self.shown[index]
        label = choice.label
        for place in places:
            label = label.stylize("$accent bold", place, place + 1)
        hint = one_line(choice.hint, max(width - label.cell_length - 4, 0))
        gap = max(width - 2 - label.cell_length - cell_len(hint), 1)
        return Content.assemble(" ", label, " " * gap, (hint, "$quiet"), " ")


class Picker(Dialog[Any]):
    """A list to choose from, with a field that narrows it; the answer is the value of a choice."""

    def __init__(self, heading: str, choices: Sequence[Choice], *, placeholder: str) -> None:
        super().__init__()
        self._heading, self._choices, self._placeholder = heading, choices, placeholder

    def heading(self) -> str:
        """Return what is to be chosen."""
        return self._heading

    def compose(self) -> ComposeResult:
        """Put it together; it has no buttons."""
        with Vertical(classes="dialog picker") as box:
            box.border_title = Content(one_line(self._heading, 60))
            yield Input(placeholder=self._placeholder, compact=True)
            rows = _Choices(self._choices)
            rows.styles.height = max(min(len(self._choices), 14), 1)
            yield rows

    def on_key(self, event: events.Key) -> None:
        """Move in the list while the field has the keys."""
        rows = self.query_one(_Choices)
        moves = {"up": -1, "down": 1}
        if event.key in moves and not rows.has_focus:
            event.stop()
            rows.action_move(moves[event.key])
        elif event.key in ("pageup", "pagedown") and not rows.has_focus:
            event.stop()
            rows.action_page(-1 if event.key == "pageup" else 1)

    @on(Input.Changed)
    def _seek(self, event: Input.Changed) -> None:
        self.query_one(_Choices).seek(event.value)

    @on(Input.Submitted)
    def _enter(self) -> None:
        self.query_one(_Choices).action_choose()

    @on(Rows.Chosen)
    def _choose(self, event: Rows.Chosen) -> None:
        self.dismiss(self.query_one(_Choices).shown[event.index][0].value)


class Keys(Dialog[None]):
    """What the keys do; `sections` are a heading and pairs of keys and what they do."""

    def __init__(self, sections: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> None:
        super().__init__()
        self._sections = sections

    def heading(self) -> str:
        """Return what it is."""
        return tr("Keys")

    def body(self) -> Iterable[Widget]:
        """Return the table."""
        wide = max(cell_len(keys) for _, pairs in self._sections for keys, _ in pairs)
        for heading, pairs in self._sections:
            yield words(Content.styled(heading, "$accent bold"), classes="keys-heading")
            for keys, does in pairs:
                with_blanks = keys + " " * (wide - cell_len(keys))
                yield Horizontal(
                    words(Content.styled(with_blanks, "$primary bold"), classes="keys-keys"),
                    words(does, classes="keys-does"),
                    classes="keys-row",
                )

    def on_mount(self) -> None:
        """Let the arrow keys scroll."""
        body = self.query_one(".dialog-body", VerticalScroll)
        body.can_focus = True
        body.focus()
