"""What may come before the chat: letters in a picture, a wrong password, no server."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual import on
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from kqq.errors import ConfigError, KQQError, PictureError, SignInRefused
from kqq.pictures import half_blocks, save
from kqq.tui.dialogs import Dialog, button, words
from kqq.words import say, tr

_WIDEST = 58  # columns of a picture
_AROUND, _AROUND_LOW, _LOW = Size(6, 11), Size(4, 5), 20
"""Columns and rows that the rest of the dialog takes; there is less of it in fewer rows."""


class Captcha(Dialog[str]):
    """A picture with letters; the answer is what somebody read in it, None if nobody did.

    The picture is also in a file, since some cannot be read in blocks. `is_again` says that the
    letters for the last one were wrong.
    """

    def __init__(self, picture: bytes, uin: int, at: float, *, is_again: bool) -> None:
        super().__init__()
        self._picture, self._uin, self._at, self._is_again = picture, uin, at, is_again

    def heading(self) -> str:
        """Return what is wanted."""
        return tr("Read the letters")

    def body(self) -> Iterable[Widget]:
        """Return the picture, the field and where the file is."""
        if self._is_again:
            yield words(tr("Those were not the letters; here is another picture."), classes="bad")
        yield Static(id="picture", markup=False)
        yield Input(placeholder=tr("The letters in the picture"), id="letters", compact=True)
        yield words(self._where(), id="picture-file", classes="quiet")

    def buttons(self) -> Sequence[Button]:
        """Return what can be done."""
        return [button(tr("Sign in"), "done", is_main=True), button(tr("Cancel"), "cancel")]

    def _where(self) -> str:
        try:
            path: Path = save(self._picture, uin=self._uin, at=self._at)
        except ConfigError as error:
            return say(error)
        return tr("The picture is also in {path}").format(path=path)

    def on_mount(self) -> None:
        """Go to the field."""
        self.query_one(Input).focus()

    def on_resize(self) -> None:
        """Draw the picture as wide as it may be."""
        size = self.app.size
        around = _AROUND_LOW if size.height < _LOW else _AROUND
        columns = max(min(size.width - around.width, _WIDEST), 8)
        rows = max(size.height - around.height - self._is_again, 4)
        picture = self.query_one("#picture", Static)
        try:
            lines = half_blocks(self._picture, columns)
            if len(lines) > rows:
                lines = half_blocks(self._picture, max(columns * rows // len(lines), 8))
            picture.update(Text.from_ansi("\n".join(lines)))
        except PictureError as error:
            picture.update(Content(say(error)))

    @on(Input.Submitted)
    @on(Button.Pressed, "#done")
    def _done(self) -> None:
        letters = self.query_one(Input).value.strip()
        if letters:
            self.dismiss(letters)
        else:
            self.tell(tr("Type the letters that you see."), is_bad=True)


@dataclass(frozen=True, slots=True)
class Again:
    """Try to sign in again, with another password if there is one."""

    password: str | None = None


class Trouble(Dialog[Again]):
    """Why the sign-in failed, and what to do; None is to leave."""

    def __init__(self, error: KQQError, *, leave: str) -> None:
        super().__init__()
        self._error, self._leave = error, leave

    def heading(self) -> str:
        """Return what it is about."""
        return tr("Not signed in")

    def body(self) -> Iterable[Widget]:
        """Return why, and a field if another password may help."""
        yield words(say(self._error))
        if isinstance(self._error, SignInRefused):
            yield words(tr("Another password:"), classes="label")
            yield Input(password=True, id="password", compact=True)

    def buttons(self) -> Sequence[Button]:
        """Return what can be done."""
        return [
            button(tr("Try again"), "again", is_main=True),
            button(self._leave, "cancel"),
        ]

    @on(Input.Submitted)
    @on(Button.Pressed, "#again")
    def _again(self) -> None:
        fields = self.query(Input)
        password = fields.first().value if fields else ""
        self.dismiss(Again(password or None))
