"""Colours of the two themes, and people as they are written everywhere."""

from textual.content import Content
from textual.theme import Theme

from kqq.client.state import Person, State
from kqq.protocol import SYSTEM_ACCOUNT, Status
from kqq.words import display_name, one_line, status_mark, tr

DARK = Theme(
    name="kqq-dark",
    dark=True,
    background="#16181d",
    surface="#1b1e25",
    panel="#232730",
    foreground="#d5d9e2",
    primary="#7fa7f0",
    secondary="#9aa4bf",
    accent="#e3a869",
    success="#8fbf7f",
    warning="#dcb26a",
    error="#e57f86",
    variables={
        "quiet": "#858d9f",
        "faint": "#5a6172",
        "line": "#333947",
        "bubble-own": "#2a3f66",
        "bubble-other": "#282d38",
        "found": "#6b5518",
        "away": "#dcb26a",
        "here": "#8fbf7f",
        "cursor": "#2c3342",
        "cursor-here": "#34456b",
        "badge": "#e3a869",
        "badge-text": "#16181d",
        "bar": "#232730",
        "field": "#20242d",
        "block-cursor-background": "#34456b",
        "block-cursor-foreground": "#eef1f6",
        "block-cursor-text-style": "none",
        "border": "#7fa7f0",
        "border-blurred": "#333947",
        "scrollbar": "#333947",
        "scrollbar-hover": "#475066",
        "scrollbar-active": "#7fa7f0",
        "scrollbar-background": "#16181d",
        "scrollbar-background-hover": "#16181d",
        "scrollbar-background-active": "#16181d",
        "scrollbar-corner-color": "#16181d",
        "input-selection-background": "#7fa7f0 35%",
    },
)
LIGHT = Theme(
    name="kqq-light",
    dark=False,
    background="#fcfcfa",
    surface="#f4f5f6",
    panel="#e9ebee",
    foreground="#2b3038",
    primary="#2c5fb8",
    secondary="#5b6475",
    accent="#a85b0c",
    success="#2f7d3b",
    warning="#8f6400",
    error="#b3303f",
    variables={
        "quiet": "#666e7c",
        "faint": "#9aa1ad",
        "line": "#d5d9df",
        "bubble-own": "#d5e4fb",
        "bubble-other": "#eceef1",
        "found": "#fbe6a2",
        "away": "#8f6400",
        "here": "#2f7d3b",
        "cursor": "#e4e7ec",
        "cursor-here": "#cfdef7",
        "badge": "#a85b0c",
        "badge-text": "#ffffff",
        "bar": "#e9ebee",
        "field": "#eef0f3",
        "block-cursor-background": "#cfdef7",
        "block-cursor-foreground": "#1c2028",
        "block-cursor-text-style": "none",
        "border": "#2c5fb8",
        "border-blurred": "#cdd2da",
        "scrollbar": "#d0d5dc",
        "scrollbar-hover": "#b3bac5",
        "scrollbar-active": "#2c5fb8",
        "scrollbar-background": "#fcfcfa",
        "scrollbar-background-hover": "#fcfcfa",
        "scrollbar-background-active": "#fcfcfa",
        "scrollbar-corner-color": "#fcfcfa",
        "input-selection-background": "#2c5fb8 30%",
    },
)
_STATUS_STYLES = {
    Status.ONLINE: "$here",
    Status.CALL_ME: "$here",
    Status.AWAY: "$away",
    Status.BUSY: "$text-error",
    Status.DO_NOT_DISTURB: "$text-error",
}


def mark(status: int) -> Content:
    """Return the sign of a status; its shape tells as much as its colour."""
    return Content.styled(status_mark(status), status_style(status))


def mark_in(state: State, person: Person) -> Content:
    """Return the sign of somebody's status; while there is no connection it is not known."""
    return mark(person.status if state.is_online else Status.OFFLINE)


def status_style(status: int) -> str:
    """Return the style in which a status is written."""
    known = status in set(Status)
    return _STATUS_STYLES.get(Status(status), "$faint") if known else "$faint"


def name_of(person: Person) -> str:
    """Return how somebody is called, on one line and harmless, however long."""
    if person.uin == SYSTEM_ACCOUNT:
        return tr("The server")
    return display_name(person.nick, person.uin)


def name_in(person: Person, cells: int) -> str:
    """Return the same in at most so many columns."""
    return one_line(name_of(person), cells)
