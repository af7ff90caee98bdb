"""Seeking words in what was said: in memory, and in the history on disk."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kqq.client.events import Fate, Message, Received, Written
from kqq.client.history import History
from kqq.client.state import State
from kqq.tui.find import FindMessages, Memory
from tui.screens import HOSTILE, chatting, seen, until
from tui.test_sign_in import Front

ANNA, BO, BOB = 10001, 10002, 10003
SERVER = "tcp://town.example:14000"


def said(uin: int, number: int, text: str, fate: Fate = Fate.RECEIVED) -> Message:
    """Return a message."""
    return Message(f"{uin}-{number}", uin, text, 1.4e9 + number, fate)


def a_state() -> State:
    """Return two conversations."""
    state = State()
    state.apply(Received(said(BO, 1, "今晚去看电影吗？")))
    state.apply(Written(said(BO, 2, "Which FILM?", Fate.SENT)))
    state.apply(Received(said(BOB, 3, f"a film {HOSTILE}")))
    return state


def texts(messages: list[Message]) -> list[str]:
    """Return the first words of messages."""
    return [message.text.split()[0] for message in messages]


async def test_memory_finds_every_word_in_any_case() -> None:
    """With one person or anybody, oldest first."""
    memory = Memory(a_state(), None, SERVER, ANNA)
    assert texts(await memory.seek(["film"], None)) == ["Which", "a"]
    assert texts(await memory.seek(["film"], BO)) == ["Which"]
    assert texts(await memory.seek(["film", "which"], None)) == ["Which"]
    assert texts(await memory.seek(["电影"], None)) == ["今晚去看电影吗？"]
    one = said(BO, 1, "今晚去看电影吗？")
    assert memory.around(one) == [one]


async def test_history_finds_what_is_no_longer_in_memory(tmp_path: Path) -> None:
    """On a thread of its own, and with what was said around it."""
    with History.open(tmp_path / "history.sqlite") as history:
        diary = history.diary(ANNA, SERVER)
        messages = [said(BO, number, f"message {number} film") for number in range(300)]
        for message in messages:
            diary.add(message)
        memory = Memory(State(), history, SERVER, ANNA)
        assert await memory.seek(["film"], BO) == messages[-200:]
        assert await memory.seek(["film"], BOB) == []
        assert memory.around(messages[150], most=10) == messages[140:161]
        assert memory.around(messages[299], most=10) == messages[289:]


async def sees(pilot: Pilot[Any], text: str) -> None:
    """Return once a text is to be seen."""
    await until(pilot, lambda: text in "\n".join(seen(pilot.app)), text)


async def open_dialog(app: Front, state: State, uin: int | None) -> FindMessages:
    """Open the dialog over nothing."""
    dialog = FindMessages(Memory(state, None, SERVER, ANNA), state, uin)
    await app.ask(dialog)
    return dialog


@pytest.mark.parametrize("size", [(40, 15), (80, 24)])
async def test_hits_are_shown_as_one_types(size: tuple[int, int]) -> None:
    """The newest first, with whose words they are; Enter and Enter goes there."""
    app = Front()
    async with app.run_test(size=size) as pilot:
        await open_dialog(app, a_state(), None)
        await pilot.press(*"film")
        await sees(pilot, "2 messages.")
        shown = "\n".join(seen(app))
        assert shown.index(str(BOB)) < shown.index("you")
        assert "\x1b" not in shown
        await pilot.press("enter", "down", "enter")
        await pilot.pause()
        assert [message.text for message in app.heard] == ["Which FILM?"]


async def test_here_or_everywhere() -> None:
    """The dialog begins with the conversation that is open."""
    app = Front()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, a_state(), BO)
        await pilot.press(*"film")
        await sees(pilot, "1 message.")
        assert f"With {BO}" in "\n".join(seen(app))
        await pilot.click("#where")
        await sees(pilot, "2 messages.")
        await sees(pilot, "In all conversations")
        await until(pilot, lambda: not app.screen.query(".-active"), "the button up again")
        await pilot.click("#where")
        await sees(pilot, "1 message.")


async def test_nothing_and_too_much() -> None:
    """Both are told; without words nothing is sought."""
    state = a_state()
    for number in range(10, 300):
        state.apply(Received(said(BOB, number, f"{'long before ' * 30}needle {number}")))
    app = Front()
    async with app.run_test(size=(80, 24)) as pilot:
        await open_dialog(app, state, None)
        await pilot.press(*"zz", "enter")
        await sees(pilot, "Nothing was found.")
        await pilot.press("backspace", "backspace")
        await pilot.pause()
        assert "Nothing was found." not in "\n".join(seen(app))
        await pilot.press(*"needle")
        await sees(pilot, "The newest 200 messages.")
        assert "needle 299" in "\n".join(seen(app))  # though it stands far into the text
        await pilot.press("escape")
        await pilot.pause()
        assert app.heard == [None]


async def test_a_broken_history_is_told(tmp_path: Path) -> None:
    """The dialog stays, and so does the chat."""
    path = tmp_path / "history.sqlite"
    with History.open(path) as history:
        diary = history.diary(ANNA, SERVER)
        diary.add(said(BO, 1, "film"))
        async with chatting("小波", history=history) as scene:
            await scene.press("f3")
            await scene.dialog(FindMessages)
            path.rename(tmp_path / "elsewhere")
            path.mkdir()
            await scene.types("film")
            await scene.sees("The database cannot be used")
            await scene.press("escape")
            await scene.no_dialog()
