"""The chat as it lives: signing in, staying so, and showing what happens."""

import asyncio
import re
import time
from typing import Any

import pytest
from textual import events

from kqq.client.events import (
    Event,
    Fate,
    Friend,
    Message,
    Odd,
    PresenceChanged,
    Received,
    RequestAnswered,
    Requested,
    RosterCame,
)
from kqq.client.history import History
from kqq.protocol import Status
from kqq.testing import Town
from kqq.tui.notices import Notices
from kqq.tui.sign_in import Captcha, Trouble
from kqq.words import Exit
from tui.screens import HOSTILE, LoudDriver, Scene, chatting, not_yet, seen_in

SIZES = [(40, 15), (80, 24), (120, 40)]


def written(scene: Scene) -> str:
    """Return all that a terminal was sent, but for the shapes of the mouse's pointer."""
    driver: Any = scene.app._driver
    return re.sub(r"\x1b\]22;\w+\x07", "", "".join(driver.written))


# --- signing in


@pytest.mark.parametrize("size", SIZES)
async def test_two_people_talk(size: tuple[int, int]) -> None:
    """What one writes the other reads, with times and marks, in any size."""
    async with chatting("小波", size=size) as scene:
        bo = await scene.town.messenger("小波")
        await scene.sees("Online")
        await scene.press("enter")
        await scene.types("你好，小波！\r")
        await scene.sees("✓   你好，小波！")
        await scene.until(lambda: scene.town["Anna"] in bo.state.conversations, "the message")
        bo.write(scene.town["Anna"], "今晚去看电影吗？\n好不好")
        await scene.sees("今晚去看电影吗？")
        await scene.sees("好不好")
        assert scene.app.state.unread == 0


async def test_a_conversation_opens_at_once() -> None:
    """The person named at the start is talked to before anything has come."""
    async with chatting("小波", talk_to=10002) as scene:
        await scene.sees("Write to 小波")
        assert scene.app.talk.composer.has_focus


async def test_captchas_until_the_letters_are_right() -> None:
    """A wrong answer brings another picture, and says so."""
    async with chatting("小波", online=False, town_is={"captcha": "always"}) as scene:
        first = await scene.dialog(Captcha)
        assert "Those were not" not in seen_in(first)
        await scene.types("WRONG\r")
        await scene.until(
            lambda: isinstance(scene.app.screen, Captcha) and (scene.app.screen is not first),
            "another picture",
        )
        await scene.sees("Those were not the letters")
        await scene.types(f"{scene.town.letters}\r")
        await scene.is_online()


async def test_a_captcha_that_nobody_reads() -> None:
    """Without letters there is no sign-in; one may try again, or leave."""
    async with chatting("小波", online=False, town_is={"captcha": "always"}) as scene:
        await scene.dialog(Captcha)
        await scene.press("escape")
        await scene.dialog(Trouble)
        await scene.sees("somebody must read the letters")
        await scene.press("enter")
        await scene.dialog(Captcha)
        await scene.sees_no("Those were not")
        await scene.types(f"{scene.town.letters}\r")
        await scene.is_online()


async def test_another_sign_in_begins_with_no_letters_wrong() -> None:
    """A picture that comes since the connection was lost is not a second one."""
    async with chatting("小波", online=False, town_is={"captcha": "always"}) as scene:
        await scene.dialog(Captcha)
        await scene.types("WRONG\r")
        await scene.sees("Those were not the letters")
        scene.town.cut("Anna")
        await scene.types("LATE\r")
        await scene.dialog(Trouble)
        await scene.press("enter")
        await scene.until(lambda: isinstance(scene.app.screen, Captcha), "a picture")
        await scene.sees_no("Those were not")


async def test_a_wrong_password() -> None:
    """It is told, and another one can be typed."""
    async with chatting("小波", online=False, password="wrong") as scene:
        await scene.dialog(Trouble)
        await scene.sees("Another password")
        await scene.types("wrong again\r")
        await scene.until(
            lambda: (
                scene.messenger is not None
                and len([line for line in scene.town.lines if "> " in line]) >= 2
            ),
            "another try",
        )
        await scene.dialog(Trouble)
        await scene.types("secret\r")
        await scene.is_online()
        assert scene.app._nick in ("", "Anna")


@pytest.mark.parametrize(
    ("password", "is_blocked", "code"),
    [("wrong", False, Exit.REFUSED), ("secret", True, Exit.NO_CONNECTION)],
)
async def test_leaving_when_one_cannot_sign_in(password: str, is_blocked: bool, code: Exit) -> None:
    """The exit code tells why."""

    async def before(town: Town) -> None:
        if is_blocked:
            town.block("Anna")

    async with chatting("小波", online=False, password=password, before=before) as scene:
        await scene.dialog(Trouble)
        await scene.press("escape")
        await scene.until(lambda: scene.app.return_value is not None, "the end")
        assert scene.app.return_value == code


async def test_no_server_and_then_one() -> None:
    """Trying again is enough."""

    async def before(town: Town) -> None:
        town.block("Anna")

    async with chatting("小波", online=False, before=before) as scene:
        await scene.dialog(Trouble)
        await scene.sees("There is no connection to the server")
        scene.town.unblock("Anna")
        await scene.press("enter")
        await scene.is_online()
        await scene.sees_no("There is no connection")


# --- staying signed in


async def test_messages_typed_while_away_wait_and_are_sent_once() -> None:
    """The line above tells how long; then the connection is there again and all is well."""
    async with chatting("小波") as scene:
        bo = await scene.town.messenger("小波")
        await scene.talk_to("小波")
        scene.town.block("Anna")
        await scene.sees("Again in")
        await scene.types("are you there?\r")
        await scene.sees("…   are you there?")
        scene.town.unblock("Anna")
        await scene.later(60)
        await scene.sees("✓   are you there?")
        await scene.sees_no("Again in")
        talk = bo.state.conversations[scene.town["Anna"]]
        assert [one.text for one in talk.messages] == ["are you there?"]


async def test_the_seconds_count_down() -> None:
    """And Ctrl+R does not wait for them."""
    async with chatting("小波") as scene:
        scene.town.block("Anna")
        await scene.sees("Again in")
        await scene.until(lambda: scene.app._again_at is not None)
        scene.app._again_at = scene.town.clock.date() + 7
        scene.app._tick()
        await scene.sees("Again in 7 seconds")
        scene.town.unblock("Anna")
        await scene.press("ctrl+r")
        await scene.is_online()
        scene.app._tick()


async def test_signing_in_anew_keeps_what_was_said() -> None:
    """Of what waited nobody knows whether it arrived, and that is said."""
    async with chatting("小波") as scene:
        bo = await scene.town.client("小波")
        await bo.send(scene.town["Anna"], "hello")
        await scene.talk_to("小波")
        await scene.sees("hello")
        scene.town.block("Anna")
        await scene.sees("Again in")
        await scene.types("lost?\r")
        await scene.sees("…   lost?")
        scene.town.unblock("Anna")
        scene.app.live("secret")
        await scene.is_online()
        await scene.sees("hello")
        await scene.sees("may not have arrived: you signed in anew")


async def test_a_history_keeps_what_waits(tmp_path: Any) -> None:
    """With a history the new messenger sends it."""
    with History.open(tmp_path / "history.sqlite") as history:
        async with chatting("小波", history=history) as scene:
            bo = await scene.town.messenger("小波")
            await scene.talk_to("小波")
            scene.town.block("Anna")
            await scene.sees("Again in")
            await scene.types("wait\r")
            await scene.sees("…   wait")
            scene.town.unblock("Anna")
            scene.app.live("secret")
            await scene.is_online()
            await scene.sees("✓   wait")
            talk = bo.state.conversations[scene.town["Anna"]]
            assert [one.text for one in talk.messages] == ["wait"]


# --- what happens


async def test_unread_messages_and_the_bell() -> None:
    """In view they are read, elsewhere they are counted and ring; so it is while nobody looks."""
    async with chatting("小波", "Bob", driver=LoudDriver) as scene:
        bo = await scene.town.client("小波")
        bob = await scene.town.client("Bob")
        await scene.talk_to("小波")
        await bo.send(scene.town["Anna"], "in view")
        await scene.sees("in view")
        assert "\x07" not in written(scene)
        await bob.send(scene.town["Anna"], "elsewhere")
        await scene.sees("1 unread")
        assert written(scene).count("\x07") == 1
        scene.app.app_focus = False
        await bo.send(scene.town["Anna"], "nobody looks")
        await scene.sees("2 unread")
        await scene.sees("─ new ─")
        assert written(scene).count("\x07") == 2
        scene.app.app_focus = True
        scene.app.on_app_focus()
        await scene.sees("1 unread")
        await scene.press("ctrl+o")
        await scene.sees("elsewhere")
        await scene.sees_no("unread")
        await scene.press("ctrl+o")
        await scene.sees("Everything is read.")


@pytest.mark.parametrize("notices", Notices)
async def test_ways_of_telling(notices: Notices) -> None:
    """Bell, desktop, both or neither, with nothing of a stranger's words raw."""
    async with chatting("小波", driver=LoudDriver, notices=notices) as scene:
        bo = await scene.town.client("小波")
        await bo.send(scene.town["Anna"], HOSTILE)
        await scene.sees("1 unread")
        everything = written(scene)
        assert ("\x1b]9;kqq: 小波: [bold]x[/]" in everything) is notices.shows
        assert everything.count("\x07") == notices.rings + notices.shows
        assert "\x1b[31mred" not in everything
        assert "\x1b]0;title" not in everything
        assert "\u202e" not in everything


async def test_a_conversation_behind_a_dialog_or_in_old_days_is_not_in_view() -> None:
    """What comes then is new."""
    async with chatting("小波") as scene:
        await scene.talk_to("小波")
        uin = scene.town["小波"]
        assert scene.app.is_in_view(uin)
        await scene.press("f1")
        assert not scene.app.is_in_view(uin)
        await scene.press("escape")
        assert scene.app.is_in_view(uin)
        old = Message("old", uin, "old", 1.3e9, Fate.RECEIVED)
        scene.app.talk.show_excerpt([old], "old", scene.app.state, scene.app.today)
        assert not scene.app.is_in_view(uin)
        await scene.types("hello\r")
        await scene.sees("✓   hello")
        assert scene.app.is_in_view(uin)


async def test_what_strangers_do_is_told() -> None:
    """Requests, answers and odd things are notes, their words harmless."""
    async with chatting("小波", size=(100, 30)) as scene:
        happened: list[tuple[Event, str]] = [
            (Requested(10009, HOSTILE), "10009 wants to be your friend."),
            (RequestAnswered(10009, True, ""), "10009 is your friend now."),
            (RequestAnswered(10009, False, ""), "10009 does not want to be your friend."),
            (RequestAnswered(10009, False, " "), "10009 does not want to be your friend."),
            (RequestAnswered(10009, False, HOSTILE), "your friend: [bold]x[/]"),
        ]
        for event, told in happened:
            scene.app.state.apply(event)
            scene.app._take(event)
            await scene.sees(told)
            scene.app.clear_notifications()
            scene.app._told.clear()
            await scene.sees_no(told)
        scene.app._take(Odd(HOSTILE))
        await scene.sees("[@click=app.quit]y[/]")


async def test_a_flood_of_notes_is_counted_not_shown() -> None:
    """The first four are shown; a later one says how many there were besides."""
    async with chatting("小波") as scene:
        for number in range(500):
            scene.app.tell(f"note {number}")
        await scene.sees("note 3")
        assert len(scene.app._notifications) == 4
        scene.app.clear_notifications()
        scene.app._told.clear()
        scene.app.tell("later")
        await scene.sees("(496 more notes before.)")


async def test_presence_moves_people() -> None:
    """Who comes and goes moves in the list, with the cursor staying on the same person."""
    async with chatting("小波", "Bob") as scene:
        await scene.sees("Offline  2")
        bob = await scene.town.client("Bob")
        await scene.sees("Online  1")
        await bob.change_status(Status.AWAY)
        await scene.sees("away")
        await bob.close()
        await scene.sees_no("away")


async def test_a_server_that_says_nonsense() -> None:
    """The chat says so, stays usable, and shows the lines on the wire."""
    async with chatting("小波", size=(120, 40)) as scene:
        connection: Any = scene.town._people["Anna"].connections[-1]
        connection.link.arrive(b"VER=1.1&CMD=Nonsense\x1b[31m&SEQ=[bold]&UIN=x&RES=q\r\n")
        connection.link.arrive(b"\xff\xfe[@click=app.quit]x[/]\r\n")
        await scene.press("f2")
        await scene.sees("[@click=app.quit]x[/]")
        await scene.press("f2")
        await scene.talk_to("小波")
        await scene.types("hello\r")
        await scene.sees("✓   hello")


async def test_a_refused_message_says_why() -> None:
    """Who is no friend any more cannot be written to."""
    async with chatting("小波") as scene:
        await scene.talk_to("小波")
        await scene.town.do("account.unfriend", uin=10001, other=10002)
        await scene.types("hello\r")
        await scene.sees("✗   hello")
        await scene.sees("not sent: ")


# --- panes


@pytest.mark.parametrize("size", [(40, 15), (69, 24)])
async def test_one_pane_at_a_time_where_there_is_no_room(size: tuple[int, int]) -> None:
    """Friends or a conversation; Escape goes back."""
    async with chatting("小波", size=size) as scene:
        await scene.sees("Find a friend")
        await scene.press("enter")
        await scene.sees("Write to 小波")
        await scene.sees_no("Find a friend")
        await scene.press("escape")
        await scene.sees("Find a friend")
        await scene.sees_no("Write to 小波")
        await scene.press("enter")
        await scene.pilot.resize_terminal(100, 30)
        await scene.sees("Write to 小波")
        await scene.sees("Find a friend")


async def test_escape_goes_between_friends_and_conversation() -> None:
    """Where there is room for both; without a conversation it stays."""
    async with chatting("小波") as scene:
        roster, composer = scene.app.friends.roster, scene.app.talk.composer
        await scene.press("escape")
        assert roster.has_focus
        await scene.press("enter")
        assert composer.has_focus
        await scene.press("escape")
        assert roster.has_focus
        await scene.press("escape")
        assert composer.has_focus


async def test_the_conversation_above_and_below() -> None:
    """Alt and the arrows go through the list."""
    async with chatting("Bo", "Carl", "Dora") as scene:
        await scene.press("alt+down")
        await scene.sees("Write to Carl")
        await scene.press("alt+down")
        await scene.sees("Write to Dora")
        await scene.press("alt+up")
        await scene.sees("Write to Carl")


async def test_a_conversation_above_where_there_is_none() -> None:
    """Nobody to go to: nothing happens."""
    async with chatting(online=False) as scene:
        await scene.until(lambda: scene.app.state.is_online, "being online")
        await scene.press("alt+down", "enter", "f4")
        assert scene.app.talk.uin is None


async def test_the_wire_leaves_the_last_words_in_view() -> None:
    """In 24 rows the end of the conversation and the field to write in stay above it."""
    async with chatting("小波", size=(80, 24)) as scene:
        await scene.talk_to("小波")
        for number in range(12):
            await scene.types(f"hello {number}\r")
            await scene.sees(f"✓   hello {number}")
        await scene.press("f2")
        await scene.sees("→ fields")
        await scene.sees("hello 11")
        await scene.sees("Write to 小波")
        await scene.press("right")
        await scene.sees("← lines")
        await scene.sees("(ver)")
        scene.app.action_wire_detail()
        await scene.sees("← fields")
        await scene.sees("TIEBA")
        scene.app.action_wire_fields()
        await scene.sees("← lines")
        scene.app.action_wire_lines()
        await scene.sees("→ fields")
        await scene.press("escape")
        await scene.sees("hello 11")


async def test_hints_can_be_clicked() -> None:
    """Talking, finding, sending, a new line: what the line at the bottom says, it does."""
    async with chatting("Bo", size=(120, 30)) as scene:
        scene.app.action_find_friend()
        await scene.until(lambda: scene.app.focused and scene.app.focused.id == "find-friend")
        scene.app.action_talk()
        await scene.sees("Write to Bo")
        await scene.types("one")
        scene.app.action_new_line()
        await scene.types("two")
        scene.app.action_send()
        await scene.sees("✓   two")


async def test_what_is_pasted_is_made_harmless() -> None:
    """In every field: line breaks stay, tabs become blanks, and nothing steers the terminal."""
    async with chatting("小波") as scene:
        await scene.talk_to("小波")
        scene.app.post_message(events.Paste("a\tb\r\n[red]\x1b[31mc\u202e"))
        await scene.until(lambda: scene.app.talk.composer.text, "words")
        assert scene.app.talk.composer.text == "a    b\n[red]\\x1b[31mc\\u202e"
        assert scene.app.talk.composer.cursor_location[0] == 1
        scene.app.action_find_friend()
        await scene.pilot.pause()
        scene.app.post_message(events.Paste("x\x1b[31m"))
        await scene.sees("x\\x1b[31m")


@pytest.mark.parametrize("size", SIZES)
async def test_the_wire(size: tuple[int, int]) -> None:
    """F2 shows and hides it; the lines of this very session are there, the password is not."""
    async with chatting("小波", size=size) as scene:
        await scene.press("f2")
        await scene.sees("Wire")
        await scene.sees("Query_Stat2" if size[0] > 70 else "QUERY_STAT2")
        assert scene.app.wire_pane.rows.has_focus
        scene.app.action_wire_fields()
        scene.app.action_wire_copy()
        await scene.sees("The line is in the clipboard.")
        assert "VER=1." in scene.app.clipboard
        await scene.press("home")
        await scene.press("escape")
        await scene.sees_no("What it says")
        assert scene.app.friends.roster.has_focus
        await scene.talk_to("小波")
        await scene.press("f2", "f2")
        assert scene.app.talk.composer.has_focus
        said = "".join(line.line.text for line in scene.app.wire.lines)
        assert "CMD=Login" in said


async def test_earlier_messages_come_from_the_history(tmp_path: Any) -> None:
    """Scrolling up before the first brings more."""
    with History.open(tmp_path / "history.sqlite") as history:
        diary = history.diary(10001, "tcp://town.example:14000")
        for number in range(600):
            text = f"message {number}"
            diary.add(Message(f"k{number}", 10002, text, 1.3e9 + number, Fate.RECEIVED))
        async with chatting("小波", history=history) as scene:
            await scene.talk_to("小波")
            await scene.sees("message 599")
            count = len(scene.app.state.conversations[10002].messages)
            await scene.pilot.pause()
            for _ in range(60):
                if len(scene.app.state.conversations[10002].messages) > count:
                    break
                await scene.press("pageup")
            assert len(scene.app.state.conversations[10002].messages) > count
            scene.app.talk.show_excerpt(
                [Message("x", 10002, "excerpt", 1.2e9, Fate.RECEIVED)],
                "x",
                scene.app.state,
                scene.app.today,
            )
            await scene.press("pageup")
            await scene.sees("excerpt")


# --- much at once


async def test_five_thousand_friends_and_five_hundred_events_a_second() -> None:
    """All of it is drawn in far less time than it takes to happen, and typing goes on."""
    async with chatting("小波", size=(120, 40)) as scene:
        state = scene.app.state
        friends = tuple(Friend(20000 + number, f"朋友{number}", 0) for number in range(5000))
        state.apply(RosterCame(friends, {one.uin: 10 + one.uin % 2 * 10 for one in friends}))
        for number in range(1000):
            text = f"{number} 今晚去看电影吗？ Shall we go to the pictures?"
            state.apply(Received(Message(f"k{number}", 20001, text, 1.4e9, Fate.RECEIVED)))
        scene.app.open_talk(20001)
        await scene.sees("999 今晚")
        draws = 0
        draw = scene.app._draw

        def counted() -> None:
            nonlocal draws
            draws += 1
            draw()

        scene.app._draw = counted  # type: ignore[method-assign]
        began, spent = time.monotonic(), time.process_time()
        for number in range(500):
            event = Received(Message(f"f{number}", 20001, f"{number}", 1.4e9, Fate.RECEIVED))
            for one in (event, PresenceChanged(20000 + number, 10)):
                state.apply(one)
                scene.app._take(one)
            if number % 25 == 0:
                await asyncio.sleep(0.01)
        await scene.types("still here")
        await scene.until(lambda: scene.app.talk.composer.text == "still here", "the words")
        lasted = time.monotonic() - began
        assert draws <= lasted / 0.05 + 2
        assert time.process_time() - spent < 5.0
        await scene.sees("499")


async def test_nothing_can_be_done_before_there_is_a_messenger() -> None:
    """The first moments pass without one; nothing breaks."""
    async with not_yet(size=(80, 24)) as pilot:
        app = pilot.app
        app.open_talk(10002)
        await pilot.press("h", "i", "enter", "pageup")
        app._learn_own_nick()
        await pilot.pause()
        assert app.state.uin is None
