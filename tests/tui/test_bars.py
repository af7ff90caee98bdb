"""The lines above and below."""

from typing import Any

import pytest
from textual.widget import Widget

from kqq.client.events import (
    Connecting,
    Fate,
    Lost,
    Message,
    Received,
    Requested,
    SignedIn,
)
from kqq.client.state import State
from kqq.errors import ConnectionLost, KQQError, NotSignedIn, SignInRefused
from kqq.protocol import Status
from kqq.tui.bars import ConnectionBar, KeyBar, TopBar, connection_in_words
from kqq.tui.help import Place, hints
from tui.screens import HOSTILE, Alone, seen, seen_in, until

ADDRESS = "tcp://town.example:14000"


def online(status: Status = Status.ONLINE) -> State:
    """Return the state of somebody signed in."""
    state = State()
    state.apply(SignedIn(10001, ADDRESS, status))
    return state


async def top(state: State, nick: str, width: int) -> str:
    """Return how the top line looks."""
    bar = TopBar(id="top", markup=False)
    async with Alone(bar).run_test(size=(width, 5)) as pilot:
        bar.show(state, nick)
        await pilot.pause()
        return seen_in(bar)


async def test_top_line_tells_who_one_is() -> None:
    """Nickname, number, status and server; in few columns the first matters most."""
    state = online(Status.AWAY)
    line = await top(state, "Anna", 80)
    assert line.split() == ["kqq", "◐", "Anna", "10001", "away", ADDRESS]
    assert (await top(state, "", 80)).split() == ["kqq", "◐", "10001", "away", ADDRESS]
    assert (await top(state, "Anna", 40)).split() == ["kqq", "◐", "Anna"]
    assert (await top(State(), "", 40)).split() == ["kqq"]
    assert r"[bold]x[/] [@cl" in await top(state, HOSTILE, 80)


async def test_top_line_tells_what_is_new() -> None:
    """Requests and unread messages are counted; away from the server there is no address."""
    state = online()
    state.apply(Requested(10007, "please"))
    state.apply(Received(Message("k", 10002, "hello", 0.0, Fate.RECEIVED)))
    state.apply(Lost(ConnectionLost("gone"), 5.0))
    line = await top(state, "Anna", 80)
    assert "+ 1 request  1 unread" in line
    assert "○ Anna" in line
    assert ADDRESS not in line


@pytest.mark.parametrize(
    ("error", "again_in", "seconds", "told", "is_final"),
    [
        (
            ConnectionLost("the wire is cut"),
            12.0,
            11.2,
            "Again in 12 seconds (Ctrl+R: now).",
            False,
        ),
        (ConnectionLost("the wire is cut"), 12.0, 0.5, "Again in 1 second (Ctrl+R: now).", False),
        (ConnectionLost("the wire is cut"), 12.0, 0.0, "Trying again… There is no", False),
        (ConnectionLost("the wire is cut"), 12.0, None, "Trying again… There is no", False),
        (ConnectionLost("no server"), None, None, "Ctrl+R: try again. There is no", True),
        (SignInRefused("no", reason=HOSTILE), None, None, "Ctrl+R: sign in again. The", True),
        (
            NotSignedIn("elsewhere", command="", res=20),
            None,
            None,
            "You signed in elsewhere. Ctrl+R: sign in here again.",
            True,
        ),
    ],
)
def test_connection_in_words(
    error: KQQError, again_in: float | None, seconds: float | None, told: str, is_final: bool
) -> None:
    """Why there is none, when it is tried again, and what somebody can do."""
    state = online()
    state.apply(Lost(error, again_in))
    text, final = connection_in_words(state, seconds)
    assert text.startswith(told)
    assert final is is_final
    assert "\x1b" not in text
    assert "\n" not in text


async def test_connection_line_is_there_only_when_something_is_wrong() -> None:
    """Before the first connection it says where one is sought; while all is well it is gone."""
    bar = ConnectionBar(id="connection", markup=False)
    async with Alone(bar).run_test(size=(60, 5)) as pilot:
        state = State()
        bar.show(state, None)
        await pilot.pause()
        assert seen_in(bar).strip() == "Connecting…"
        state.apply(Connecting(ADDRESS))
        bar.show(state, None)
        await pilot.pause()
        assert seen_in(bar).strip() == f"Connecting to {ADDRESS}…"
        state.apply(Lost(SignInRefused("no", reason=HOSTILE), None))
        bar.show(state, None)
        await pilot.pause()
        assert bar.has_class("-final")
        assert "[bold]x[/]" in seen_in(bar)
        bar.show(online(), None)
        await pilot.pause()
        assert not bar.display


class Clicked(Alone):
    """Notes actions."""

    def action_keys(self) -> None:
        """Note it."""
        self.heard.append("keys")


async def test_keys_fit_and_can_be_clicked() -> None:
    """There are as many as there is room for; a click does what the key does."""
    bar: Any = KeyBar(id="keys", markup=False)
    app = Clicked(bar)
    async with app.run_test(size=(40, 5)) as pilot:
        for place in Place:
            bar.show(hints(place))
            await pilot.pause()
            line = seen_in(bar)
            assert line == line[:40]
            assert "F1 keys" in line
        place_of_f1 = seen(app)[bar.region.y].index("F1")
        await pilot.click(bar, offset=(place_of_f1 + 4, 0))
        await until(pilot, lambda: app.heard == ["keys"], "the action")
        await pilot.click(bar, offset=(39, 0))
        assert app.heard == ["keys"]
    assert isinstance(bar, Widget)
