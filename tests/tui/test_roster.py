"""The friend list."""

from typing import Any

from kqq.client.events import (
    Fate,
    Friend,
    Lost,
    Message,
    PresenceChanged,
    Received,
    Requested,
    RosterCame,
    SignedIn,
)
from kqq.client.state import State
from kqq.errors import ConnectionLost
from kqq.protocol import SYSTEM_ACCOUNT, Status
from kqq.tui.roster import RosterPane
from tui.screens import HARMLESS, HOSTILE, Alone, seen_in, until

ANNA, BO, PARIS = 10001, 10002, 10003


class Heard(Alone):
    """Notes whom somebody chose."""

    def on_roster_pane_person_chosen(self, event: RosterPane.PersonChosen) -> None:
        """Note a person."""
        self.heard.append(event.uin)

    def on_roster_pane_request_chosen(self, event: RosterPane.RequestChosen) -> None:
        """Note a request."""
        self.heard.append(-event.uin)


def a_state(*nicks: str, statuses: tuple[int, ...] = ()) -> State:
    """Return a state with friends from 10001 on, all online if nothing else is said."""
    state = State()
    state.apply(SignedIn(10999, "tcp://town.example:14000", Status.ONLINE))
    friends = tuple(Friend(ANNA + place, nick, 0) for place, nick in enumerate(nicks))
    known = dict(zip((one.uin for one in friends), statuses, strict=False))
    state.apply(RosterCame(friends, {one.uin: known.get(one.uin, 10) for one in friends}))
    return state


def say(state: State, uin: int, count: int = 1) -> None:
    """Have somebody say something."""
    for number in range(count):
        key = f"{uin}-{number}"
        state.apply(Received(Message(key, uin, "hello", 1.4e9 + number, Fate.RECEIVED)))


async def test_who_is_there_and_what_is_unread() -> None:
    """Each has a mark and, if it is not plain, a word; unread messages are counted."""
    state = a_state("Anna", "小波", "Paris", statuses=(Status.AWAY, Status.ONLINE, Status.OFFLINE))
    say(state, BO, 3)
    say(state, PARIS, 150)
    pane = RosterPane()
    async with Heard(pane).run_test(size=(30, 20)) as pilot:
        pane.show(state)
        await pilot.pause()
        lines = [" ".join(line.split()) for line in seen_in(pane).split("\n")]
        assert lines[3:9] == [
            "Online 2",
            "◐ Anna away",
            "● 小波 3",
            "",
            "Offline 1",
            "○ Paris 99+",
        ]
        state.apply(PresenceChanged(PARIS, Status.DO_NOT_DISTURB))
        pane.show(state)
        await pilot.pause()
        assert "Offline" not in seen_in(pane)


async def test_strangers_and_the_server_are_there_too() -> None:
    """Who wrote and is no friend is shown by number, the server by its name."""
    state = a_state("Anna")
    say(state, 10009)
    say(state, SYSTEM_ACCOUNT)
    pane = RosterPane()
    async with Heard(pane).run_test(size=(30, 20)) as pilot:
        pane.show(state)
        await pilot.pause()
        assert "10009" in seen_in(pane)
        assert "The server" in seen_in(pane)


async def test_choosing() -> None:
    """Enter and clicks choose people and requests; the cursor stays on somebody as lists change."""
    state = a_state("Anna", "Bo", "Carl")
    state.apply(Requested(10007, "please"))
    pane = RosterPane()
    app = Heard(pane)
    async with app.run_test(size=(30, 20)) as pilot:
        pane.show(state)
        pane.roster.focus()
        await pilot.pause()
        assert "Want to be friends" in seen_in(pane)
        assert pane.roster.person_under_cursor() is None
        await pilot.press("enter", "down", "down", "enter")
        assert app.heard == [-10007, BO]
        pane.show(a_state("Anna", "Bo", "Carl", statuses=(10, 20, 10)))
        person = pane.roster.person_under_cursor()
        assert person is not None
        assert person.uin == BO
        pane.roster.move_to(ANNA)
        pane.roster.move_to(12345)
        await pilot.press("enter")
        assert app.heard[-1] == ANNA
        pane.show(State())
        assert pane.roster.person_under_cursor() is None
        pane.show(state)
        assert pane.roster.cursor is not None


async def test_finding_somebody() -> None:
    """The field narrows the list by name or number; arrows move and Enter opens from there."""
    state = a_state("Anna", "小波", "Bob", "Carl")
    state.apply(Requested(10007, "please"))
    pane = RosterPane()
    app = Heard(pane)
    async with app.run_test(size=(30, 20)) as pilot:
        pane.show(state)
        pane.roster.focus()
        await pilot.press("slash", "b")
        assert "Anna" not in seen_in(pane)
        assert "Want" not in seen_in(pane)
        await pilot.press("escape")
        assert "Anna" in seen_in(pane)
        await pilot.press("1", "0", "0", "0")
        assert "Carl" in seen_in(pane)
        await pilot.press("down", "down", "up", "enter")
        await until(pilot, lambda: app.heard, "a choice")
        assert app.heard == [10003]  # the second of all four by name
        assert "Find a friend" in seen_in(pane)
        await pilot.press("z", "z", "enter")
        assert app.heard == [10003]
        await pilot.press("escape", "escape")
        assert pane.roster.has_focus
        await pilot.press("down")  # now it is the list that has the keys
        assert pane.roster.person_under_cursor() is not None


async def test_nicknames_are_harmless_and_fit() -> None:
    """Markup is shown as it is, escapes as codes, and long names are cut."""
    state = a_state(HOSTILE, "今晚去看电影今晚去看电影今晚去看电影", statuses=(10, 30))
    state.apply(Requested(ANNA + 7, HOSTILE))
    pane = RosterPane()
    app: Any = Heard(pane)
    async with app.run_test(size=(80, 20)) as pilot:
        pane.styles.width = 78
        pane.show(state)
        await pilot.pause()
        assert HARMLESS in seen_in(pane)
        await pilot.resize_terminal(24, 20)
        pane.styles.width = 24
        await pilot.pause()
        assert "今晚去看电影今… away" in seen_in(pane)


async def test_the_open_conversation_is_marked() -> None:
    """A bar stands before the person talked to."""
    state = a_state("Anna", "Bo")
    pane = RosterPane()
    async with Heard(pane).run_test(size=(30, 20)) as pilot:
        pane.roster.talking_to = BO
        pane.show(state)
        await pilot.pause()
        assert "▌● Bo" in seen_in(pane)
        assert "▌● Anna" not in seen_in(pane)


async def test_without_a_connection_nobody_is_said_to_be_there() -> None:
    """Marks are hollow and there is no word of a status, until there is a connection again."""
    state = a_state("Anna", "Bo", statuses=(Status.ONLINE, Status.AWAY))
    pane = RosterPane()
    async with Heard(pane).run_test(size=(30, 20)) as pilot:
        state.apply(Lost(ConnectionLost("gone"), 5.0))
        pane.show(state)
        await pilot.pause()
        lines = [" ".join(line.split()) for line in seen_in(pane).split("\n")]
        assert lines[3:6] == ["Friends 2", "○ Anna", "○ Bo"]
        state.apply(SignedIn(10999, "tcp://town.example:14000", Status.ONLINE))
        pane.show(state)
        await pilot.pause()
        assert "◐ Bo" in seen_in(pane)
        assert "Online  2" in seen_in(pane)
