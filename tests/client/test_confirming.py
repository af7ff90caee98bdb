"""What was handled is confirmed: soon, seldom, in order, and to servers that like it."""

import asyncio
from pathlib import Path

import pytest

from kqq.client import Client, History, Messenger, Received
from kqq.client.confirming import Confirming, is_mark
from kqq.errors import ConnectionLost, KQQError, NotSignedIn, Refused, TimedOut
from kqq.protocol import Command, Push, ServerMsg, UpdateStat
from kqq.testing import ManualClock, Town
from script import Script

MARKS = [str(1_000_000_001 + number) for number in range(5)]


def message(mark: str = MARKS[0], *, uin: int = 10001) -> ServerMsg:
    """Return a push."""
    return ServerMsg(seq=mark, uin=uin, sender=10002, text="hi")


class Heard:
    """What a server hears of one connection's marks, until it answers with `error`."""

    def __init__(self) -> None:
        self.marks: list[str] = []
        self.error: KQQError | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.clock = ManualClock()
        self.confirming = Confirming(self.say, self.clock.sleep, is_wanted=True)

    async def say(self, mark: str) -> None:
        """Hear a mark."""
        self.marks.append(mark)
        await self.answers.wait()
        if self.error is not None:
            raise self.error

    def handle(self, *marks: str) -> None:
        """Give messages out, and have them handled."""
        for given in [self.confirming.give(message(mark)) for mark in marks]:
            assert given is not None
            self.confirming.handled(given)


async def turns() -> None:
    """Let happen what is due."""
    for _ in range(10):
        await asyncio.sleep(0)


# --- the marks of a connection -------------------------------------------------------------------


def test_a_mark_has_ten_digits() -> None:
    """Other numbers count what came."""
    assert is_mark("1000000001")
    assert not any(map(is_mark, ("", "1", "100000001", "10000000001", "100000000x")))


async def test_the_newest_mark_is_confirmed_once_a_second() -> None:
    """It is good for all before it; when nothing more comes nothing more is said."""
    heard = Heard()
    heard.handle(*MARKS[:2])
    going = asyncio.create_task(heard.confirming.go_on())
    await turns()
    heard.handle(MARKS[2])
    heard.handle(MARKS[3])
    heard.clock.advance(0.9)
    await turns()
    assert heard.marks == [MARKS[1]]
    heard.clock.advance(0.1)
    await turns()
    assert heard.marks == [MARKS[1], MARKS[3]]
    heard.clock.advance(1.0)
    await going
    assert heard.marks == [MARKS[1], MARKS[3]]
    assert not heard.confirming.is_due


def test_nothing_is_confirmed_before_what_came_earlier() -> None:
    """Two loops share the pushes, and the one with the earlier is slow."""
    heard = Heard()
    early, late = (heard.confirming.give(message(mark)) for mark in MARKS[:2])
    assert early is not None
    assert late is not None
    heard.confirming.handled(late)
    assert not heard.confirming.is_due
    heard.confirming.handled(early)
    assert heard.confirming.is_due


def test_statuses_and_counted_messages_have_no_marks() -> None:
    """Nor has anything one where nobody wants to know, as over HTTP."""
    pushes: list[Push] = [message("7"), UpdateStat(seq="8", uin=10001, number=10002, status=10)]
    assert [Heard().confirming.give(push) for push in pushes] == [None, None]
    confirming = Confirming(Heard().say, ManualClock().sleep, is_wanted=False)
    assert confirming.give(message()) is None


async def test_at_the_end_all_that_was_given_is_confirmed() -> None:
    """Unless whoever had it met an error; and what is being confirmed is waited for."""
    heard = Heard()
    await heard.confirming.finish()
    assert heard.marks == []
    heard.handle(MARKS[0])
    heard.answers.clear()
    confirming = asyncio.create_task(heard.confirming.go_on())
    await turns()
    heard.confirming.give(message(MARKS[1]))
    heard.confirming.give(message(MARKS[2]))
    heard.confirming.all_handled()
    heard.confirming.all_handled()
    finishing = asyncio.create_task(heard.confirming.finish())
    await turns()
    assert heard.marks == [MARKS[0]]
    assert not finishing.done()
    heard.answers.set()
    await finishing
    assert heard.marks == [MARKS[0], MARKS[2]]
    heard.confirming.give(message(MARKS[3]))
    heard.confirming.doubt()
    heard.confirming.all_handled()
    heard.handle(MARKS[4])
    heard.confirming.forget()
    assert not heard.confirming.is_due
    heard.clock.advance(1.0)
    await confirming


@pytest.mark.parametrize(
    "error", [Refused("no", command="GetMsgEx", res=1), TimedOut("nothing")], ids=repr
)
async def test_a_server_that_does_not_like_it_is_left_in_peace(error: KQQError) -> None:
    """It is a server of somebody else's."""
    heard = Heard()
    heard.error = error
    await heard.confirming.confirm(MARKS[0])
    await heard.confirming.confirm(MARKS[1])
    assert heard.marks == [MARKS[0]]
    assert heard.confirming.give(message()) is None


async def test_the_end_of_the_session_is_told() -> None:
    """Except at the end, when it does not matter any more."""
    heard = Heard()
    heard.error = NotSignedIn("elsewhere", command="", res=20)
    with pytest.raises(NotSignedIn):
        await heard.confirming.confirm(MARKS[0])
    heard.handle(MARKS[1])
    with pytest.raises(NotSignedIn):
        await heard.confirming.go_on()
    heard.handle(MARKS[2])
    await heard.confirming.finish()
    assert heard.marks == MARKS[:3]


# --- the lines of a client -----------------------------------------------------------------------


def push(script: Script, *marks: str) -> None:
    """Have the server push messages."""
    for mark in marks:
        script.say(f"VER=1.1&CMD=Server_Msg&SEQ={mark}&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=hi")


async def confirmed(script: Script, rest: str = "RES=0&MN=0") -> str:
    """Answer a confirmation; return its mark."""
    request: Command = await script.answer(rest)
    assert request.command == "GetMsgEx"
    assert request.line is not None
    assert request.line.text.startswith("VER=1.4&CON=1&CMD=GetMsgEx&SEQ=1000")
    return request.seq


async def test_what_the_next_is_asked_after_is_confirmed(script: Script, signed_in: Client) -> None:
    """Not what is still being handled; leaving the loop ends that, too."""
    push(script, *MARKS[:2])
    events = signed_in.events()
    await anext(events)
    await turns()
    assert script._from_client.empty()
    async for _ in events:
        break
    assert await confirmed(script) == MARKS[0]
    leaving = asyncio.create_task(signed_in.sign_out())
    assert await confirmed(script) == MARKS[1]
    assert (await script.answer("RES=0")).command == "Logout"
    await leaving


async def test_closing_confirms_what_was_taken(script: Script) -> None:
    """Whoever closes has what was given; with an error nobody knows."""
    client = Client(script)
    signing = asyncio.create_task(client.sign_in(10001, "secret"))
    await script.answer("RES=0&RS=0", "Login")
    await signing
    push(script, MARKS[0])
    events = client.events()
    await anext(events)
    closing = asyncio.create_task(client.close())
    assert await confirmed(script) == MARKS[0]
    await closing
    await client.close()


async def test_an_error_leaves_what_was_being_handled(script: Script) -> None:
    """It is pushed again after the next sign-in."""

    async def fail() -> None:
        async with Client(script) as client:
            signing = asyncio.create_task(client.sign_in(10001, "secret"))
            await script.answer("RES=0&RS=0", "Login")
            await signing
            push(script, MARKS[0])
            async for _ in client.events():
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert script._from_client.empty()


async def test_what_another_server_answers_is_given_out(script: Script, signed_in: Client) -> None:
    """Some take a confirmation for a question, and bring what waits."""
    confirming = asyncio.create_task(signed_in.confirm(MARKS[0]))
    assert await confirmed(script, "RES=0&MN=1&MT=9,&UN=10003,&MG=old,") == MARKS[0]
    await confirming
    given = await anext(signed_in.events())
    assert isinstance(given, ServerMsg)
    assert given.text == "old"


async def test_a_confirmation_is_no_poll(script: Script, signed_in: Client) -> None:
    """Each has its own answer, whichever comes first; numbers that are no marks are not sent."""
    await signed_in.confirm("300")
    confirming = asyncio.create_task(signed_in.confirm(MARKS[0]))
    polling = asyncio.create_task(signed_in.poll())
    first, second = await script.heard(), await script.heard()
    assert (first.seq, len(second.seq)) == (MARKS[0], 3)
    script.say(f"VER=1.1&CMD=GETMSGEX&SEQ={second.seq}&UIN=10001&RES=0&MN=1&MT=9,&UN=10002,&MG=x,")
    assert await polling == 1
    assert not confirming.done()
    script.say(f"VER=1.1&CMD=GETMSGEX&SEQ={MARKS[0]}&UIN=10001&RES=0&MN=0")
    await confirming


async def test_a_sign_in_elsewhere_is_learnt_from_a_confirmation(
    script: Script, signed_in: Client
) -> None:
    """As from a sign of life."""
    push(script, MARKS[0])
    events = signed_in.events()
    await anext(events)
    asking = asyncio.ensure_future(anext(events))
    assert await confirmed(script, "RES=20") == MARKS[0]
    with pytest.raises(NotSignedIn, match="signed in elsewhere"):
        await asking


async def test_what_was_for_somebody_else_is_not_confirmed(script: Script) -> None:
    """Who signs in as another on the connection has other messages."""
    client = Client(script)
    for uin in (10001, 10002):
        signing = asyncio.create_task(client.sign_in(uin, "secret"))
        await script.answer("RES=0&RS=0", "Login")
        await signing
        push(script, MARKS[0])
        await anext(client.events())
        if uin == 10001:
            assert await confirmed(script) == MARKS[0]
    await client.close()
    assert script._from_client.empty()


# --- with our server -----------------------------------------------------------------------------


async def test_what_was_never_read_comes_again() -> None:
    """A client that dies after its system took a message; after a captcha, too."""
    async with Town("Anna", "Bo", captcha="always") as town:
        anna = await town.client("Anna", ask=town.read_picture)
        bo = await town.client("Bo", ask=town.read_picture)
        await anna.send(town["Bo"], "hello")
        await town.advance(29)
        assert town.store.count_messages(town["Bo"], 9) == 1
        town.cut("Bo")
        await town.settle()
        bo = await town.client("Bo", ask=town.read_picture)
        async for given in bo.events():
            assert isinstance(given, ServerMsg)
            assert given.text == "hello"
            break
        await town.settle()
        assert town.store.count_messages(town["Bo"], 9) == 0


async def test_a_messenger_confirms_once_the_history_has_it(tmp_path: Path) -> None:
    """A program that ends within that moment is given the message again, and shows it once."""
    with History.open(tmp_path / "history.db") as history:
        async with Town("Anna", "Bo") as town:
            anna = await town.client("Anna")
            bo = await town.messenger("Bo", history=history)
            for text in "abc":
                await anna.send(town["Bo"], text)
                await town.settle()
            assert town.store.count_messages(town["Bo"], 9) == 2  # the first was told at once
            await town.advance(1)
            assert town.store.count_messages(town["Bo"], 9) == 0
            await anna.send(town["Bo"], "d")
            await town.settle()
            town.cut("Bo")
            await bo._stop()
            assert town.store.count_messages(town["Bo"], 9) == 1
            again = await town.messenger("Bo", history=history)
            assert town.store.count_messages(town["Bo"], 9) == 0
            said = [one.text for one in again.state.conversations[town["Anna"]].messages]
            assert said == list("abcd")
            assert not [event for event in again._events if isinstance(event, Received)]


async def test_a_messenger_that_is_closed_confirms_before(tmp_path: Path) -> None:
    """So that the next one, which remembers nothing, does not show it again."""
    async with Town("Anna", "Bo") as town:
        anna = await town.client("Anna")
        bo: Messenger = await town.messenger("Bo")
        for text in "ab":
            await anna.send(town["Bo"], text)
            await town.settle()
        await bo.close()
        await town.settle()
        assert town.store.count_messages(town["Bo"], 9) == 0
        with pytest.raises(ConnectionLost):
            await bo.refresh()
