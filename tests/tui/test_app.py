"""All that somebody can do about the chat: dialogs, commands, keys, leaving."""

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from kqq.client.events import Fate, Message
from kqq.client.history import History
from kqq.errors import ConnectionLost
from kqq.protocol import Status
from kqq.tui import ChatApp
from kqq.tui.dialogs import Confirm, Keys, Picker
from kqq.tui.find import FindMessages
from kqq.tui.look import DARK, LIGHT
from kqq.tui.notices import Notices
from kqq.tui.people import AddFriend, AnswerRequest, FindPeople, Profile
from kqq.tui.sign_in import Trouble
from kqq.words import Exit
from stage import WAIT
from terminals import open_terminal
from tui.screens import Unborn, chatting, not_yet, seen, until

SIZES = [(40, 15), (80, 24)]


@pytest.mark.parametrize("size", SIZES)
async def test_deleting_a_friend(size: tuple[int, int]) -> None:
    """After asking; No is where the keys are."""
    async with chatting("小波", "Bob", size=size) as scene:
        scene.app.friends.roster.move_to(scene.town["小波"])
        scene.app.action_delete_friend()
        await scene.dialog(Confirm)
        await scene.sees("小波")
        await scene.press("enter")
        await scene.no_dialog()
        assert scene.app.state.person(scene.town["小波"]).is_friend
        scene.app.action_delete_friend()
        await scene.dialog(Confirm)
        await scene.press("right", "enter")
        await scene.sees("is no longer your friend.")
        assert not scene.app.state.person(scene.town["小波"]).is_friend


async def test_deleting_nobody_or_in_vain() -> None:
    """Somebody has to be chosen, and the server to agree."""
    async with chatting("小波", strangers=("Paris",)) as scene:
        await scene.talk_to("Paris")
        scene.app.action_delete_friend()
        await scene.sees("Choose a friend first.")
        await scene.talk_to("小波")
        scene.app.action_delete_friend()
        await scene.dialog(Confirm)
        scene.town.block("Anna")
        await scene.press("right", "enter")
        await scene.sees("Again in")
        await scene.until(lambda: "There is no connection" in " ".join(seen(scene.app)))
        assert scene.app.state.person(scene.town["小波"]).is_friend


async def test_deleting_from_a_profile_and_talking() -> None:
    """What a profile offers is done."""
    async with chatting("小波") as scene:
        await scene.talk_to("小波")
        await scene.pilot.click("#title")
        await scene.dialog(Profile)
        await scene.pilot.click("#want-delete")
        await scene.dialog(Confirm)
        await scene.press("escape")
        await scene.no_dialog()
        await scene.press("f4")
        await scene.dialog(Profile)
        await scene.press("enter")
        await scene.no_dialog()
        assert scene.app.talk.uin == scene.town["小波"]


@pytest.mark.parametrize("size", SIZES)
async def test_changing_ones_status(size: tuple[int, int]) -> None:
    """It is chosen from a list, seen above, and seen by others."""
    async with chatting("小波", size=size) as scene:
        bo = await scene.town.messenger("小波")
        await scene.press("ctrl+t")
        await scene.dialog(Picker)
        await scene.sees("do not disturb")
        await scene.sees("now")
        await scene.types("away\r")
        await scene.no_dialog()
        await scene.sees("◐ Anna")
        await scene.until(lambda: bo.state.person(scene.town["Anna"]).status == Status.AWAY)
        scene.town.block("Anna")
        await scene.press("ctrl+t")
        await scene.dialog(Picker)
        await scene.press("down", "enter")
        await scene.until(lambda: "There is no connection" in " ".join(seen(scene.app)))
        await scene.press("ctrl+t")
        await scene.dialog(Picker)
        await scene.press("escape")
        await scene.no_dialog()


@pytest.mark.parametrize(
    ("words", "kind"),
    [("add a fr", AddFriend), ("find peop", FindPeople), ("keys", Keys), ("your pro", Profile)],
)
async def test_all_that_can_be_done_is_in_one_list(words: str, kind: type[Any]) -> None:
    """Some letters of it find it."""
    async with chatting("小波") as scene:
        await scene.press("ctrl+p")
        await scene.dialog(Picker)
        await scene.types(f"{words}\r")
        await scene.dialog(kind)
        await scene.press("escape")
        await scene.no_dialog()


async def test_people_are_in_the_list_too() -> None:
    """Their names are words, whatever stands in them."""
    async with chatting("小波", "[bold]x[", size=(80, 24)) as scene:
        await scene.press("ctrl+p")
        await scene.dialog(Picker)
        await scene.types("bold")
        await scene.sees("Talk to [bold]x[")
        await scene.press("enter")
        await scene.no_dialog()
        await scene.sees("Write to [bold]x[")
        await scene.press("ctrl+p", "escape")
        await scene.no_dialog()


def test_every_command_has_its_key() -> None:
    """What the list says of keys is what is bound."""
    bound = {
        key: binding.action  # type: ignore[union-attr]
        for binding in ChatApp.BINDINGS
        for key in binding.key.split(",")  # type: ignore[union-attr]
    }
    app = Unborn(lambda *_: None)  # type: ignore[arg-type]
    for does, keys, action in app._everything():
        assert does
        if keys:
            assert bound[keys.lower()] == action.__name__.removeprefix("action_"), does


async def test_fetching_the_friends_again() -> None:
    """It is said that it was done, or why not."""
    async with chatting("小波") as scene:
        await scene.town.move_in("Paris", friends=("Anna",))
        await scene.press("f5")
        await scene.sees("The list of friends is fresh.")
        await scene.sees("Paris")
        scene.town.block("Anna")
        await scene.sees("Again in")
        await scene.press("f5")
        await scene.until(lambda: "There is no connection" in " ".join(seen(scene.app)))


async def test_dark_and_light() -> None:
    """One key changes between them; either may be there from the start."""
    async with chatting("小波", dark=False) as scene:
        assert scene.app.theme == LIGHT.name
        await scene.press("f8")
        assert scene.app.theme == DARK.name
        await scene.press("f8")
        assert scene.app.theme == LIGHT.name
        await scene.sees("Offline")


async def test_ways_of_telling_can_be_changed() -> None:
    """Off, bell, desktop, both, and round again; each is told."""
    async with chatting("小波", notices=Notices.OFF) as scene:
        for notices, told in [
            (Notices.BELL, "New messages ring the bell."),
            (Notices.DESKTOP, "New messages are shown on the desktop."),
            (Notices.BOTH, "New messages ring the bell and are shown"),
            (Notices.OFF, "New messages make no noise."),
        ]:
            scene.app.action_notices()
            await scene.sees(told)
            assert scene.app.notices is notices


async def test_keys_are_told_and_so_is_how_to_leave() -> None:
    """F1 opens the page; Ctrl+C, which copies, tells which key quits."""
    async with chatting("小波") as scene:
        await scene.press("f1")
        await scene.dialog(Keys)
        await scene.press("escape")
        await scene.no_dialog()
        await scene.press("question_mark")
        await scene.dialog(Keys)
        await scene.press("escape")
        await scene.press("ctrl+c")
        await scene.sees("Ctrl+Q quits.")


async def test_no_request_to_answer() -> None:
    """That is told; with one, the oldest is answered first."""
    async with chatting("小波", strangers=("Paris",)) as scene:
        scene.app.action_answer_request()
        await scene.sees("Nobody waits for an answer.")
        paris = await scene.town.messenger("Paris")
        await paris.add(scene.town["Anna"])
        await paris.request(scene.town["Anna"], "please")
        await scene.until(lambda: scene.app.state.requests)
        scene.app.action_answer_request()
        await scene.dialog(AnswerRequest)
        await scene.press("escape")
        await scene.no_dialog()
        scene.app.friends.roster.focus()
        await scene.press("home", "enter")
        await scene.dialog(AnswerRequest)
        await scene.press("escape")
        await scene.no_dialog()


async def test_adding_whom_one_found_or_read_about() -> None:
    """A search and a profile both lead to adding."""
    async with chatting("小波", strangers=("Paris",)) as scene:
        await scene.press("ctrl+g")
        await scene.dialog(FindPeople)
        await scene.press("enter")
        await scene.sees("Enter adds.")
        await scene.press("down", "enter")
        await scene.dialog(AddFriend)
        await scene.sees(str(scene.town["Paris"]))
        await scene.press("escape")
        await scene.no_dialog()
        await scene.talk_to("Paris")
        await scene.press("f4")
        await scene.dialog(Profile)
        await scene.pilot.click("#want-add")
        await scene.dialog(AddFriend)
        await scene.press("escape")
        await scene.no_dialog()


async def test_profile_of_whom_one_means() -> None:
    """The one under the cursor among the friends, else the one talked to."""
    async with chatting("Bo", "Carl") as scene:
        assert scene.app._meant() == scene.town["Bo"]
        await scene.press("down")
        assert scene.app._meant() == scene.town["Carl"]
        await scene.talk_to("Bo")
        assert scene.app._meant() == scene.town["Bo"]
        await scene.press("escape", "down")
        assert scene.app._meant() == scene.town["Carl"]


async def test_reconnecting_while_all_is_well_does_nothing() -> None:
    """The key is there all the time."""
    async with chatting("小波") as scene:
        await scene.press("ctrl+r")
        await scene.pilot.pause()
        assert scene.app.state.is_online


async def test_signed_in_elsewhere() -> None:
    """That is told, and nothing is done until somebody wants it."""
    async with chatting("小波") as scene:
        other = await scene.town.client("Anna")
        await scene.later(400)
        await scene.sees("You signed in elsewhere. Ctrl+R: sign in here again.")
        await other.close()
        scene.app.friends.roster.focus()
        await scene.press("r")
        await scene.is_online()


async def test_a_password_that_was_changed_meanwhile() -> None:
    """The old one is refused; another can be typed, and what was said stays in view."""
    async with chatting("小波") as scene:
        bo = await scene.town.client("小波")
        await bo.send(scene.town["Anna"], "hello")
        await scene.talk_to("小波")
        await scene.sees("hello")
        before = scene.messenger
        before._password = "wrong"  # as if the server had another one now
        scene.town.block("Anna")
        await scene.sees("Again in")
        await scene.types("lost?\r")
        scene.town.unblock("Anna")
        await scene.later(60)
        await scene.sees("Ctrl+R: sign in again.")
        await scene.press("ctrl+r")
        await scene.dialog(Trouble)
        await scene.press("escape")
        await scene.no_dialog()
        await scene.press("ctrl+r")
        await scene.dialog(Trouble)
        await scene.types("secret\r")
        await scene.until(lambda: scene.app.messenger is not before, "a new messenger")
        await scene.is_online()
        await scene.sees("hello")
        await scene.sees("may not have arrived: you signed in anew")


async def test_going_to_a_message_in_memory() -> None:
    """The conversation opens where it is, and Escape goes back to now."""
    async with chatting("小波", "Bob") as scene:
        bo = await scene.town.client("小波")
        for number in range(60):
            await bo.send(scene.town["Anna"], f"message {number}")
        await scene.sees("60")
        await scene.press("f3")
        await scene.dialog(FindMessages)
        await scene.types("7\r")
        await scene.sees("message 57")
        await scene.until(lambda: scene.app.focused and scene.app.focused.id == "hits", "the list")
        await scene.press("end", "enter")
        await scene.no_dialog()
        await scene.sees("message 7 ")
        await scene.sees_no("message 59")
        await scene.press("escape")
        await scene.sees("message 59")


async def test_going_to_a_message_in_the_history(tmp_path: Path) -> None:
    """What is not in memory is shown with what was said around it, until one goes back."""
    with History.open(tmp_path / "history.sqlite") as history:
        diary = history.diary(10001, "tcp://town.example:14000")
        for number in range(1500):
            text = f"message {number}"
            diary.add(Message(f"k{number}", 10002, text, 1.4e9 + number, Fate.RECEIVED))
        async with chatting("小波", "Bob", history=history) as scene:
            await scene.talk_to("小波")
            await scene.sees("message 1499")
            await scene.press("ctrl+f")
            await scene.dialog(FindMessages)
            await scene.types("77\r")
            await scene.sees("message 1477")
            await scene.until(lambda: scene.app.focused and scene.app.focused.id == "hits", "it")
            await scene.press("end", "enter")
            await scene.no_dialog()
            await scene.sees("message 77 ")
            await scene.sees("from the history")
            await scene.press("escape")
            await scene.sees("message 1499")
            await scene.press("ctrl+f")
            await scene.dialog(FindMessages)
            await scene.press("escape")
            await scene.no_dialog()
            await scene.press("ctrl+f")
            await scene.dialog(FindMessages)
            await scene.types("77\r")
            await scene.sees("message 1477")
            await scene.until(lambda: scene.app.focused and scene.app.focused.id == "hits", "it")
            history.close()
            await scene.press("end", "enter")
            await scene.until(lambda: "The database cannot be used" in " ".join(seen(scene.app)))


# --- leaving


async def test_leaving() -> None:
    """One signs out, and others see it."""
    async with chatting("小波") as scene:
        bo = await scene.town.messenger("小波")
        await scene.until(lambda: bo.state.person(scene.town["Anna"]).status == Status.ONLINE)
        await scene.press("ctrl+q")
        await scene.until(lambda: scene.app.return_value is not None, "the end")
        assert scene.app.return_value == Exit.DONE
        await scene.town.settle()
        assert bo.state.person(scene.town["Anna"]).status == Status.OFFLINE


async def test_leaving_with_something_unsent() -> None:
    """Without a history it would be lost, so one is asked."""
    async with chatting("小波") as scene:
        await scene.talk_to("小波")
        scene.town.block("Anna")
        await scene.sees("Again in")
        await scene.types("wait\r")
        await scene.sees("…   wait")
        await scene.press("ctrl+q")
        await scene.dialog(Confirm)
        await scene.sees("1 message was not sent yet and will be lost.")
        await scene.press("enter")
        await scene.no_dialog()
        await scene.press("ctrl+q")
        await scene.dialog(Confirm)
        await scene.press("right", "enter")
        await scene.until(lambda: scene.app.return_value is not None, "the end")


async def test_leaving_with_a_history_keeps_it(tmp_path: Path) -> None:
    """It is sent the next time, so nobody is asked."""
    with History.open(tmp_path / "history.sqlite") as history:
        async with chatting("小波", history=history) as scene:
            await scene.talk_to("小波")
            scene.town.block("Anna")
            await scene.sees("Again in")
            await scene.types("wait\r")
            await scene.sees("…   wait")
            await scene.press("ctrl+q")
            await scene.until(lambda: scene.app.return_value is not None, "the end")


async def test_leaving_when_nobody_says_good_bye() -> None:
    """A server that is gone does not keep one."""
    async with chatting("小波") as scene:

        async def close() -> None:
            raise ConnectionLost("gone")

        kept = scene.messenger.close
        scene.messenger.close = close  # type: ignore[method-assign]
        await scene.press("ctrl+q")
        await scene.until(lambda: scene.app.return_value is not None, "the end")
        scene.messenger.close = kept  # type: ignore[method-assign]


IN_A_TERMINAL = """
import sys
from kqq.client.messenger import Messenger
from kqq.tui import run

def make(ask, watch, password):
    return Messenger(10001, "secret", ["tcp://127.0.0.1:1"], ask=ask, watch=watch)

sys.exit(run(make, dark=False))
"""


def test_on_a_real_terminal() -> None:
    """It takes the screen, tells that nobody answers, and gives the screen back at the end."""
    ours, theirs = open_terminal()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "KQQ_LANG": "en", "COLORTERM": ""}
    with subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        shown = _read_until(ours, b"Quit")
        assert b"\x1b[?1049h" in shown
        os.write(ours, b"\x1b[27u")  # Escape, as terminals say it that can tell it from others
        shown = _read_until(ours, b"\x1b[?1049l")
        assert b"\x1b[?25h" in shown + _read_until(ours, b"")
        assert process.wait(WAIT) == Exit.NO_CONNECTION
    os.close(ours)


def _read_until(terminal: int, wanted: bytes) -> bytes:
    """Return what a terminal was sent, up to something, or until it is let go."""
    shown = b""
    while not wanted or wanted not in shown:
        ready, _, _ = select.select([terminal], [], [], WAIT)
        assert ready, shown
        try:
            some = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other end is gone
            some = b""
        if not some:
            assert not wanted, shown
            return shown
        shown += some
    return shown


async def test_keys_before_there_is_a_messenger() -> None:
    """Nothing breaks in the first moments."""
    async with not_yet(size=(80, 24)) as pilot:
        app = pilot.app
        app._answer_request(1)
        app._show_profile(1)
        app.action_own_profile()
        await pilot.press("ctrl+n", "ctrl+g", "f3", "f4", "f5", "ctrl+r")
        assert len(app.screen_stack) == 1
        await pilot.press("ctrl+t")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        await pilot.press("ctrl+q")
        await until(pilot, lambda: app.return_value == Exit.DONE, "the end")
