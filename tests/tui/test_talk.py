"""The pane of one conversation."""

from datetime import date
from typing import Any

from kqq.client.events import (
    Fate,
    Friend,
    Lost,
    Message,
    Received,
    RosterCame,
    SignedIn,
    Written,
)
from kqq.client.state import State
from kqq.errors import ConnectionLost
from kqq.protocol import SYSTEM_ACCOUNT, Status
from kqq.tui.talk import TalkPane, Title
from tui.screens import HOSTILE, Alone, seen_in, until

BO, BOB, STRANGER = 10002, 10003, 10009
TODAY = date(2014, 5, 14)


class Heard(Alone):
    """Notes what the pane says."""

    def on_talk_pane_sent(self, event: TalkPane.Sent) -> None:
        """Note what goes to whom."""
        self.heard.append((event.uin, event.text))

    def on_talk_pane_earlier_wanted(self) -> None:
        """Note a wish."""
        self.heard.append("earlier")

    def on_title_clicked(self) -> None:
        """Note a wish."""
        self.heard.append("more")


def a_state() -> State:
    """Return the state of somebody signed in with two friends."""
    state = State()
    state.apply(SignedIn(10001, "tcp://town.example:14000", Status.ONLINE))
    friends = (Friend(BO, "小波", 0), Friend(BOB, "Bob", 0))
    state.apply(RosterCame(friends, {BO: Status.AWAY, BOB: Status.ONLINE}))
    return state


def come(state: State, uin: int, *texts: str) -> None:
    """Have messages come."""
    for number, text in enumerate(texts):
        key = f"{uin}-{number}-{text}"
        state.apply(Received(Message(key, uin, text, 1.4e9 + number, Fate.RECEIVED)))


async def test_welcome_until_somebody_is_chosen() -> None:
    """The first keys are told; then there is a conversation, and after it the welcome again."""
    pane, state = TalkPane(id="talk"), a_state()
    async with Heard(pane).run_test(size=(60, 20)) as pilot:
        pane.show(state, TODAY)
        await pilot.pause()
        assert "everything else" in seen_in(pane)
        pane.open(BO, state, TODAY)
        await pilot.pause()
        assert "everything else" not in seen_in(pane)
        assert "◐ 小波  10002" in seen_in(pane)
        assert "away" in seen_in(pane)
        assert "Write to 小波" in seen_in(pane)
        pane.close()
        pane.show(state, TODAY)
        await pilot.pause()
        assert "everything else" in seen_in(pane)


async def test_titles_tell_who_it_is() -> None:
    """Strangers and the server are told apart; nobody can answer the server."""
    pane, state = TalkPane(id="talk"), a_state()
    app = Heard(pane)
    async with app.run_test(size=(80, 20)) as pilot:
        come(state, STRANGER, "hello")
        pane.open(STRANGER, state, TODAY)
        await pilot.pause()
        assert "not your friend" in seen_in(pane)
        state.apply(Lost(ConnectionLost("gone"), 1.0))
        pane.show(state, TODAY)
        await pilot.pause()
        assert "not your friend" not in seen_in(pane)
        come(state, SYSTEM_ACCOUNT, "the server stops at ten")
        pane.open(SYSTEM_ACCOUNT, state, TODAY)
        pane.composer.focus()
        await pilot.press("a", "enter")
        assert "Nobody can answer the server." in seen_in(pane)
        assert "The server" in seen_in(pane)
        pane.composer.post_message(pane.composer.Sent("x"))
        await pilot.pause()
        assert app.heard == []
        state.apply(RosterCame((Friend(BO, HOSTILE, 0),), {}))
        pane.open(BO, state, TODAY)
        await pilot.pause()
        assert seen_in(pane).count("[bold]x[/] [@click=app.quit]y[/]") == 2


async def test_sending_and_drafts() -> None:
    """What one sends goes to whom one sees; what one began waits until one comes back."""
    pane, state = TalkPane(id="talk"), a_state()
    app = Heard(pane)
    async with app.run_test(size=(60, 20)) as pilot:
        pane.open(BO, state, TODAY)
        pane.composer.focus()
        await pilot.press(*"hello", "enter")
        await until(pilot, lambda: app.heard == [(BO, "hello")], "the message")
        await pilot.press(*"half")
        pane.open(BOB, state, TODAY)
        await pilot.press("up")
        assert pane.composer.text == ""
        await pilot.press(*"other", "enter")
        pane.open(BO, state, TODAY)
        assert pane.composer.text == "half"
        pane.open(BO, state, TODAY)  # once more changes nothing
        assert pane.composer.text == "half"
        await pilot.press("!", "enter")
        await until(pilot, lambda: (BO, "half!") in app.heard, "the message")
        assert (BOB, "other") in app.heard
        pane.close()
        pane.composer.post_message(pane.composer.Sent("x"))
        await pilot.pause()
        assert len(app.heard) == 3


async def test_up_brings_back_what_was_sent_to_this_person() -> None:
    """Also what was sent before the program began."""
    pane, state = TalkPane(id="talk"), a_state()
    state.apply(Written(Message("k", BO, "long ago", 1.4e9, Fate.SENT)))
    async with Heard(pane).run_test(size=(60, 20)) as pilot:
        pane.open(BO, state, TODAY)
        pane.composer.focus()
        await pilot.press("up")
        assert pane.composer.text == "long ago"


async def test_the_mark_of_what_is_new() -> None:
    """It stands before the first unread message, and goes when one answers or comes anew."""
    pane, state = TalkPane(id="talk"), a_state()
    come(state, BO, "old")
    state.read(BO)
    come(state, BO, "new", "newer")
    async with Heard(pane).run_test(size=(60, 20)) as pilot:
        pane.open(BO, state, TODAY)
        state.read(BO)
        pane.show(state, TODAY)
        await pilot.pause()
        lines = [line.strip() for line in seen_in(pane).split("\n")]
        place = next(place for place, line in enumerate(lines) if " new " in line and "─" in line)
        assert lines[place + 2].startswith("new")
        assert lines[place - 2].startswith("old")
        come(state, BO, "newest")
        pane.note_unread(state.conversations[BO].messages[-1])
        pane.show(state, TODAY)
        await pilot.pause()
        assert seen_in(pane).count("─ new ─") == 1
        pane.composer.focus()
        await pilot.press("a", "enter")
        pane.show(state, TODAY)
        await pilot.pause()
        assert "─ new ─" not in seen_in(pane)
        pane.note_unread(state.conversations[BO].messages[-1])
        pane.show(state, TODAY)
        await pilot.pause()
        assert "─ new ─" in seen_in(pane)


async def test_more_unread_than_there_is_here() -> None:
    """The history counts what is not in memory; the mark then stands before the first."""
    pane, state = TalkPane(id="talk"), a_state()
    come(state, BO, "first")
    state.conversations[BO].unread = 7
    state.conversations[BOB] = type(state.conversations[BO])(BOB, unread=3)
    async with Heard(pane).run_test(size=(60, 20)) as pilot:
        pane.open(BO, state, TODAY)
        await pilot.pause()
        assert "─ new ─" in seen_in(pane)
        pane.open(BOB, state, TODAY)
        await pilot.pause()
        assert "─ new ─" not in seen_in(pane)


async def test_going_to_a_message_and_to_old_ones() -> None:
    """One in the conversation is lit; old ones take its place until one goes back."""
    pane, state = TalkPane(id="talk"), a_state()
    come(state, BO, *(f"text {number}" for number in range(40)))
    state.read(BO)
    app: Any = Heard(pane)
    async with app.run_test(size=(60, 20)) as pilot:
        pane.open(BO, state, TODAY)
        await pilot.pause()
        assert "text 39" in seen_in(pane)
        pane.go_to(state.conversations[BO].messages[3].key, state, TODAY)
        await pilot.pause()
        assert "text 3 " in seen_in(pane)
        assert pane.sought is not None
        old = [Message(f"o{n}", BO, f"old {n}", 1.3e9 + n, Fate.RECEIVED) for n in range(30)]
        pane.show_excerpt(old, "o5", state, TODAY)
        await pilot.pause()
        assert pane.is_excerpt
        assert "old 5 " in seen_in(pane)
        assert "from the history" in seen_in(pane)
        pane.go_to_end(state, TODAY)
        await pilot.pause()
        assert "text 39" in seen_in(pane)
        assert not pane.is_excerpt


async def test_scrolling_from_the_field_and_clicking_the_title() -> None:
    """Page keys scroll the conversation; before its beginning earlier messages are wanted."""
    pane, state = TalkPane(id="talk"), a_state()
    come(state, BO, *(f"text {number}" for number in range(40)))
    app = Heard(pane)
    async with app.run_test(size=(60, 20)) as pilot:
        pane.open(BO, state, TODAY)
        pane.composer.focus()
        await pilot.pause()
        await pilot.press(*["pageup"] * 8)
        await until(pilot, lambda: "earlier" in app.heard, "a wish")
        assert "text 0" in seen_in(pane)
        await pilot.press(*["pagedown"] * 8)
        assert "text 39" in seen_in(pane)
        await pilot.click(Title)
        await until(pilot, lambda: "more" in app.heard, "a wish")


async def test_other_widths() -> None:
    """The welcome and the conversation are laid out anew."""
    pane, state = TalkPane(id="talk"), a_state()
    async with Heard(pane).run_test(size=(60, 20)) as pilot:
        pane.show(state, TODAY)
        await pilot.resize_terminal(40, 15)
        await pilot.pause()
        assert "Ctrl+P" in seen_in(pane)
        pane.open(BO, state, TODAY)
        await pilot.resize_terminal(60, 30)
        await pilot.pause()
        assert "小波" in seen_in(pane)
