"""The lines above and below: who one is, whether there is a connection, what the keys do."""

from collections.abc import Sequence
from math import ceil

from rich.cells import cell_len
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from kqq.client.state import State
from kqq.errors import NotSignedIn, SignInRefused
from kqq.tui.look import mark
from kqq.words import display_name, one_line, say, status_word, tr, tr_n

_ROOMY = 60  # columns from which there is room for the address


class TopBar(Static):
    """Who one is, one's status, what is unread, and where the server is."""

    def show(self, state: State, nick: str) -> None:
        """Show what holds now."""
        width = self.app.size.width
        who = display_name(nick, state.uin) if state.uin is not None else ""
        left = Content.assemble((" kqq ", "$badge-text on $primary bold"), "  ")
        if state.uin is not None:
            status = state.status if state.is_online else 0
            left += Content.assemble(
                mark(state.status) if status else Content.styled("○", "$faint"),
                " ",
                (one_line(who, max(width // 3, 10)), "bold"),
                (f" {state.uin}" if who != str(state.uin) and width >= _ROOMY else "", "$quiet"),
                (f"  {status_word(state.status)}" if width >= _ROOMY and status else "", "$quiet"),
            )
        right = self._news(state)
        if width >= _ROOMY and state.is_online:
            right += Content.styled(f"  {one_line(state.address, 40)}", "$faint")
        gap = max(width - left.cell_length - right.cell_length - 1, 1)
        self.update(left + Content(" " * gap) + right)

    def _news(self, state: State) -> Content:
        parts = []
        if state.requests:
            count = len(state.requests)
            told = tr_n("{count} request", "{count} requests", count).format(count=count)
            parts.append(Content.styled(f"+ {told}", "$accent bold"))
        if state.unread:
            told = tr("{count} unread").format(count=state.unread)
            parts.append(Content.styled(told, "$accent bold"))
        return Content("  ").join(parts)


class ConnectionBar(Static):
    """Why there is no connection, and what follows; there is no line while all is well."""

    def show(self, state: State, seconds: float | None) -> None:
        """Show what holds now; `seconds` until the next try, None if that is over or unknown."""
        text, is_final = connection_in_words(state, seconds)
        self.display = bool(text)
        self.set_class(is_final, "-final")
        self.update(Content(text))


def connection_in_words(state: State, seconds: float | None) -> tuple[str, bool]:
    """Return what is the matter with the connection, "" if nothing, and whether it is for good."""
    if state.is_online:
        return "", False
    if state.lost is None:
        if not state.address:
            return tr("Connecting…"), False
        return tr("Connecting to {address}…").format(address=one_line(state.address, 60)), False
    if state.again_in is None:
        if isinstance(state.lost, SignInRefused):
            return tr("Ctrl+R: sign in again. {why}").format(why=_reason(state)), True
        if isinstance(state.lost, NotSignedIn):
            return tr("You signed in elsewhere. Ctrl+R: sign in here again."), True
        return tr("Ctrl+R: try again. {why}").format(why=_reason(state)), True
    if seconds is None or seconds <= 0:
        return tr("Trying again… {why}").format(why=_reason(state)), False
    told = tr_n(
        "Again in {seconds} second (Ctrl+R: now). {why}",
        "Again in {seconds} seconds (Ctrl+R: now). {why}",
        ceil(seconds),
    )
    return told.format(why=_reason(state), seconds=ceil(seconds)), False


def _reason(state: State) -> str:
    assert state.lost is not None
    return one_line(say(state.lost), 300)


class KeyBar(Static):
    """What the most useful keys do now; each can be clicked."""

    def on_mount(self) -> None:
        """Leave the colours as they are; Textual would make links of what can be clicked."""
        self.auto_links = False

    def show(self, hints: Sequence[tuple[str, str, str]]) -> None:
        """Show as many as there is room for, of (key, what it does, action)."""
        width = self.app.size.width
        parts: list[Content] = []
        used = 1
        for key, does, action in hints:
            cells = cell_len(key) + cell_len(does) + 4
            if used + cells > width:
                break
            used += cells
            click = Style.from_meta({"@click": action})
            hint = Content.assemble((f" {key}", "$primary bold"), (f" {does}  ", "$quiet"))
            parts.append(hint.stylize(click, 0, len(hint) - 1))
        self.update(Content("").join(parts))
