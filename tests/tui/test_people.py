"""Dialogs about people, with a real server in memory."""

import pytest

from kqq.protocol import GetInfoReply
from kqq.tui.people import AddFriend, AnswerRequest, FindPeople, Profile
from tui.screens import HARMLESS, HOSTILE, chatting

SIZES = [(40, 15), (80, 24)]


@pytest.mark.parametrize("size", SIZES)
async def test_adding_somebody_who_is_added_at_once(size: tuple[int, int]) -> None:
    """The first answer: they are a friend now."""
    async with chatting("小波", strangers=("Paris",), size=size) as scene:
        await scene.town.change("Paris", who_may_add="anyone")
        await scene.press("ctrl+n")
        await scene.dialog(AddFriend)
        await scene.types(f"{scene.town['Paris']}\r")
        await scene.no_dialog()
        await scene.sees("Paris is your friend now.")
        await scene.until(lambda: scene.app.state.person(scene.town["Paris"]).is_friend)


@pytest.mark.parametrize("size", SIZES)
async def test_adding_somebody_who_wants_to_be_asked(size: tuple[int, int]) -> None:
    """The second answer: some words go to them, and what they answer is told."""
    async with chatting("小波", strangers=("Paris",), size=size) as scene:
        paris = await scene.town.messenger("Paris")
        await scene.press("ctrl+n")
        dialog = await scene.dialog(AddFriend)
        await scene.types(f"{scene.town['Paris']}\r")
        await scene.sees("They want to be asked.")
        await scene.sees("Send the request")
        await scene.types("我是 Anna\r")
        await scene.no_dialog()
        await scene.sees("is asked; the answer may")
        await scene.until(lambda: paris.state.requests.get(scene.town["Anna"]) == "我是 Anna")
        assert dialog is not scene.app.screen
        await paris.refuse(scene.town["Anna"], HOSTILE)
        await scene.sees("does not want to be")


async def test_another_number_begins_anew() -> None:
    """Words asked for one number are not sent to another."""
    async with chatting("小波", strangers=("Paris", "Romeo")) as scene:
        await scene.press("ctrl+n")
        dialog = await scene.dialog(AddFriend)
        await scene.types(f"{scene.town['Paris']}\r")
        await scene.sees("Send the request")
        dialog.query_one("#number").focus()
        await scene.types(f"{scene.town['Romeo']}")
        await scene.sees_no("Send the request")
        await scene.press("enter")
        await scene.sees("Send the request")


async def test_adding_somebody_who_wants_nobody() -> None:
    """The third answer; the dialog stays for another number."""
    async with chatting("小波", strangers=("Paris",)) as scene:
        await scene.town.change("Paris", who_may_add="nobody")
        await scene.press("ctrl+n")
        await scene.dialog(AddFriend)
        await scene.types(f"{scene.town['Paris']}\r")
        await scene.sees("wants nobody as a friend")
        await scene.press("escape")
        await scene.no_dialog()


async def test_adding_without_a_number_or_a_connection() -> None:
    """What is missing is told in the dialog, which stays."""
    async with chatting("小波", strangers=("Paris",)) as scene:
        await scene.press("ctrl+n")
        await scene.dialog(AddFriend)
        await scene.press("enter")
        await scene.sees("Type the number of somebody.")
        await scene.types("10999\r")
        await scene.sees("The server has no such number.")
        await scene.press(*["backspace"] * 5)
        await scene.types(f"{scene.town['Paris']}\r")
        await scene.sees("Send the request")
        scene.town.block("Anna")
        await scene.press("enter")
        await scene.sees("There is no connection")


@pytest.mark.parametrize("size", SIZES)
async def test_accepting_somebody(size: tuple[int, int]) -> None:
    """Who they are and what they say is seen; Enter accepts."""
    async with chatting("小波", strangers=("Paris",), size=size) as scene:
        paris = await scene.town.messenger("Paris")
        await paris.add(scene.town["Anna"])
        await paris.request(scene.town["Anna"], f"hello {HOSTILE}")
        await scene.sees("Want to be friends")
        await scene.press("home", "enter")
        await scene.dialog(AnswerRequest)
        await scene.sees("hello [bold]x[/]")
        await scene.sees("[@click=app.quit]y[/]")
        await scene.press("enter")
        await scene.no_dialog()
        await scene.sees("is your friend now.")
        await scene.sees_no("Want to be friends")
        await scene.until(lambda: paris.state.person(scene.town["Anna"]).is_friend)


@pytest.mark.parametrize("reason", ["", "我不认识你"])
async def test_refusing_somebody(reason: str) -> None:
    """With a reason or without."""
    async with chatting("小波", strangers=("Paris",)) as scene:
        paris = await scene.town.messenger("Paris")
        await paris.add(scene.town["Anna"])
        await paris.request(scene.town["Anna"], "")
        await scene.sees("Want to be friends")
        scene.app.action_answer_request()
        await scene.dialog(AnswerRequest)
        await scene.press("right", "enter")
        await scene.sees("Why not?")
        await scene.types(f"{reason}\r")
        await scene.no_dialog()
        await scene.sees("is told that you refuse")
        await scene.sees_no("Want to be friends")
        await scene.town.settle()


async def test_answering_later_or_in_vain() -> None:
    """The request stays, and is there when one comes back; errors are told in the dialog."""
    async with chatting("小波", strangers=("Paris",)) as scene:
        paris = await scene.town.messenger("Paris")
        await paris.add(scene.town["Anna"])
        await paris.request(scene.town["Anna"], "please")
        await scene.sees("Want to be friends")
        scene.app.action_answer_request()
        await scene.dialog(AnswerRequest)
        await scene.press("right", "right", "enter")
        await scene.no_dialog()
        await scene.sees("Want to be friends")
        scene.app.action_answer_request()
        await scene.dialog(AnswerRequest)
        scene.town.block("Anna")
        await scene.press("enter")
        await scene.sees("There is no connection")


@pytest.mark.parametrize("size", SIZES)
async def test_finding_people(size: tuple[int, int]) -> None:
    """By age, sex and province; Enter on one of them adds. Oneself is not found."""
    async with chatting("小波", strangers=("Paris", "Romeo"), size=size) as scene:
        await scene.town.change("Paris", age="23", sex="1")
        await scene.town.change("Romeo", age="23", sex="0")
        await scene.town.change("Anna", age="23")
        await scene.press("ctrl+g")
        dialog = await scene.dialog(FindPeople)
        await scene.types("23\r")
        await scene.sees("2 people. Enter adds.")
        await scene.sees("Romeo")
        dialog.query_one("#sex").value = "1"
        await scene.pilot.click("#find")
        await scene.sees("1 person. Enter adds.")
        await scene.sees_no("Romeo")
        await scene.sees("Paris")
        await scene.press("enter")
        await scene.dialog(AddFriend)
        await scene.sees(str(scene.town["Paris"]))
        await scene.sees("They want to be asked.")


async def test_finding_nobody() -> None:
    """That is told, and so is an error."""
    async with chatting("小波") as scene:
        await scene.press("ctrl+g")
        dialog = await scene.dialog(FindPeople)
        dialog.query_one("#province").value = "月球"
        await scene.pilot.click("#find")
        await scene.sees("Nobody was found.")
        scene.town.block("Anna")
        await scene.pilot.click("#find")
        await scene.sees("There is no connection")
        await scene.press("escape")
        await scene.no_dialog()


@pytest.mark.parametrize("size", SIZES)
async def test_the_profile_of_a_friend(size: tuple[int, int]) -> None:
    """What they say of themselves, harmless; talking is where the keys are."""
    async with chatting("小波", size=size) as scene:
        await scene.town.change("小波", about="[bold]x[/]", age="23")
        await scene.press("f4")
        await scene.dialog(Profile)
        await scene.sees("Age")
        await scene.sees("[bold]x[/]")
        await scene.press("enter")
        await scene.no_dialog()
        await scene.sees("Write to 小波")


async def test_a_profile_is_harmless_whatever_the_server_says() -> None:
    """Values of several lines stand below each other; none of them steers the terminal."""
    async with chatting("小波", size=(100, 40)) as scene:
        reply = GetInfoReply(seq="1", uin=1, nick=HOSTILE, about=f"one\r\ntwo {HOSTILE}")
        scene.app._show_profile(scene.town["小波"])
        dialog = await scene.dialog(Profile)
        await scene.sees("Number")
        dialog.show(reply)
        await scene.sees("About     one")
        await scene.sees(f"          two {HARMLESS[:20]}")
        await scene.sees(f"Nickname  {HARMLESS[:20]}")


async def test_ones_own_profile() -> None:
    """There is nothing to do with oneself but to close it."""
    async with chatting("小波") as scene:
        scene.app.action_own_profile()
        dialog = await scene.dialog(Profile)
        await scene.sees("Your profile")
        await scene.sees("Anna")
        assert len(dialog.query("Button")) == 1
        await scene.press("enter")
        await scene.no_dialog()


async def test_a_stranger_can_be_added_from_their_profile() -> None:
    """And what cannot be fetched is told."""
    async with chatting("小波", strangers=("Paris",)) as scene:
        scene.app._show_profile(scene.town["Paris"])
        dialog = await scene.dialog(Profile)
        await scene.sees("Paris")
        await scene.pilot.click("#want-add")
        await scene.dialog(AddFriend)
        await scene.press("escape")
        assert dialog is not scene.app.screen
        await scene.no_dialog()
        scene.town.block("Anna")
        scene.app._show_profile(scene.town["Paris"])
        await scene.dialog(Profile)
        await scene.sees("There is no connection")
