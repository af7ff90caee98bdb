r"""What somebody at the screen of the proxy types: lines, seconds, which lines to hold.

A line is typed as it is on the wire; `\xHH` is a byte that cannot be seen, `\\` a backslash. Its
secrets are `***`, and stay what they are as long as nothing else is typed there.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, TextArea

from kqq.errors import ConfigError, KQQError
from kqq.protocol.messages import Role
from kqq.protocol.wire import Line, mask_bytes
from kqq.proxy.passage import LONGEST_DELAY, Passage, one_line_of
from kqq.proxy.rules import Which
from kqq.tui.dialogs import Dialog, button, words
from kqq.words import printable, tr

_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|\\)?")
_HIDDEN = b"***"


def typed(line: Line) -> str:
    """Return a line as somebody may type it, its secrets hidden."""
    text = mask_bytes(line.encode()).decode("utf-8", "surrogateescape")
    return "".join(_sign(sign) for sign in text)


def _sign(sign: str) -> str:
    if sign == "\\":
        return r"\\"
    if printable(sign) == sign:
        return sign
    return "".join(f"\\x{byte:02x}" for byte in sign.encode("utf-8", "surrogateescape"))


def read_typed(text: str, before: Line | None) -> Line:
    """Return the line that somebody typed; `before` has the secrets that are hidden in it.

    Raises KQQError if it is no line.
    """
    raw = bytearray()
    place = 0
    for found in _ESCAPE.finditer(text):
        raw += text[place : found.start()].encode("utf-8", "surrogateescape")
        place = found.end()
        if found[1] is None:
            raise ConfigError(tr(r"A backslash is typed \\, a byte \xHH."))
        raw += b"\\" if found[1] == "\\" else bytes.fromhex(found[1][1:])
    raw += text[place:].encode("utf-8", "surrogateescape")
    return one_line_of(_with_secrets(bytes(raw), b"" if before is None else before.encode()))


def _with_secrets(raw: bytes, before: bytes) -> bytes:
    """Return a line with the secrets it has hidden."""
    hidden: dict[bytes, list[bytes]] = {}
    for part in before.split(b"&"):
        masked = mask_bytes(part)
        if masked != part:
            hidden.setdefault(masked, []).append(part)
    parts = raw.split(b"&")
    for place, part in enumerate(parts):
        if part.endswith(_HIDDEN) and hidden.get(part):
            parts[place] = hidden[part].pop(0)
    return b"&".join(parts)


class LineField(TextArea):
    """A field for one line, which may be long; Enter is the end of it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "done", show=False, priority=True)]

    class Done(Message):
        """Somebody pressed Enter."""

    def __init__(self, text: str) -> None:
        super().__init__(text, soft_wrap=True, compact=True, id="line-field")
        self.cursor_blink = False

    def action_done(self) -> None:
        """End it."""
        self.post_message(self.Done())


@dataclass(frozen=True, slots=True)
class Edited:
    """A line that somebody has typed in the place of another; `goes` says to let it go now."""

    line: Line
    goes: bool


class EditLine(Dialog[Edited]):
    """Another line in the place of one that waits."""

    def __init__(self, passage: Passage) -> None:
        super().__init__()
        self._passage = passage

    def heading(self) -> str:
        """Return what it is about."""
        said = self._passage.said
        texts = {
            Role.CLIENT: tr("Line {number}, from the client"),
            Role.SERVER: tr("Line {number}, from the server"),
        }
        return texts[said.sender].format(number=said.number)

    def body(self) -> Iterable[Widget]:
        """Return the field."""
        yield LineField(typed(self._passage.line))
        yield words(
            tr(r"As on the wire: & is %26, a comma %2c, a line break %0a; \xHH is a byte."),
            classes="quiet",
        )

    def buttons(self) -> Sequence[Button]:
        """Return what can be done with it."""
        return [
            button(tr("Cancel"), "cancel"),
            button(tr("Keep it held"), "keep"),
            button(tr("Let it go"), "go", is_main=True),
        ]

    def on_mount(self) -> None:
        """Begin at the end of the line."""
        field = self.query_one(LineField)
        field.move_cursor(field.document.end)
        field.focus()

    @on(Button.Pressed, "#keep")
    def _keep(self) -> None:
        self._end(goes=False)

    @on(Button.Pressed, "#go")
    @on(LineField.Done)
    def _go(self) -> None:
        self._end(goes=True)

    def _end(self, *, goes: bool) -> None:
        try:
            line = read_typed(self.query_one(LineField).text, self._passage.said.line)
        except KQQError as error:
            self.tell(str(error), is_bad=True)
        else:
            self.dismiss(Edited(line, goes))


@dataclass(frozen=True, slots=True)
class PutIn:
    """A line that somebody wants to have said to one end."""

    line: Line
    to: Role


class PutInLine(Dialog[PutIn]):
    """A line that nobody has said; `like` is one to begin with."""

    def __init__(self, number: int, like: Passage | None) -> None:
        super().__init__()
        self._number = number
        self._like = like

    def heading(self) -> str:
        """Return what it is about."""
        return tr("A line to put in, on connection {number}").format(number=self._number)

    def body(self) -> Iterable[Widget]:
        """Return the field."""
        yield LineField("" if self._like is None else typed(self._like.line))
        yield words(
            tr(r"As on the wire: & is %26, a comma %2c, a line break %0a; \xHH is a byte."),
            classes="quiet",
        )

    def buttons(self) -> Sequence[Button]:
        """Return to whom it may be said; whoever heard the line that it is like stands last."""
        both = [button(tr("To the client"), "client"), button(tr("To the server"), "server")]
        if self._to is Role.CLIENT:
            both.reverse()
        both[-1].variant = "primary"
        return [button(tr("Cancel"), "cancel"), *both]

    @property
    def _to(self) -> Role:
        return Role.SERVER if self._like is None else self._like.said.sender.other

    def on_mount(self) -> None:
        """Begin at the end of the line."""
        field = self.query_one(LineField)
        field.move_cursor(field.document.end)
        field.focus()

    @on(Button.Pressed, "#client")
    def _to_client(self) -> None:
        self._end(Role.CLIENT)

    @on(Button.Pressed, "#server")
    def _to_server(self) -> None:
        self._end(Role.SERVER)

    @on(LineField.Done)
    def _done(self) -> None:
        self._end(self._to)

    def _end(self, to: Role) -> None:
        before = None if self._like is None else self._like.said.line
        try:
            line = read_typed(self.query_one(LineField).text, before)
        except KQQError as error:
            self.tell(str(error), is_bad=True)
        else:
            self.dismiss(PutIn(line, to))


class _OneField(Dialog[str]):
    """Something short to type."""

    def __init__(self, value: str) -> None:
        super().__init__()
        self._value = value

    def hint(self) -> str:
        """Return what may be typed."""
        raise NotImplementedError

    def check(self, value: str) -> None:
        """Raise KQQError if it cannot be."""
        raise NotImplementedError

    def body(self) -> Iterable[Widget]:
        """Return the field."""
        yield Input(self._value, compact=True)
        yield words(self.hint(), classes="quiet")

    def buttons(self) -> Sequence[Button]:
        """Return the buttons."""
        return [button(tr("Cancel"), "cancel"), button(tr("OK"), "ok", is_main=True)]

    @on(Button.Pressed, "#ok")
    @on(Input.Submitted)
    def _end(self, event: events.Event) -> None:
        event.stop()
        value = self.query_one(Input).value.strip()
        try:
            self.check(value)
        except KQQError as error:
            self.tell(str(error), is_bad=True)
        else:
            self.dismiss(value)


class Delay(_OneField):
    """How many seconds a line is to wait."""

    def __init__(self) -> None:
        super().__init__("5")

    def heading(self) -> str:
        """Return what it is about."""
        return tr("Let it go later")

    def hint(self) -> str:
        """Return what may be typed."""
        return tr("Seconds from now; what is behind it waits, too.")

    def check(self, value: str) -> None:
        """Raise ConfigError unless these are seconds."""
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= LONGEST_DELAY:
            raise ConfigError(tr("Seconds are a number such as 2.5."))


class HoldWhich(_OneField):
    """Which lines are held from now on."""

    def heading(self) -> str:
        """Return what it is about."""
        return tr("Hold lines")

    def hint(self) -> str:
        """Return what may be typed."""
        return tr(
            "Several with blanks between: CLTMSG, client:CLTMSG, server:, 10001, /words, * for "
            "all; none holds nothing."
        )

    def check(self, value: str) -> None:
        """Raise ConfigError unless each says some lines."""
        for one in value.split():
            Which.parse(one)
