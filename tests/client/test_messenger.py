"""Somebody kept signed in: against a real server in memory, time moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kqq.client import (
    Added,
    Address,
    Connecting,
    Event,
    Fate,
    History,
    Lost,
    Messenger,
    Odd,
    PresenceChanged,
    Received,
    RequestAnswered,
    Requested,
    RosterCame,
    SignedIn,
    Transport,
    Written,
)
from kqq.errors import (
    CaptchaWanted,
    ConfigError,
    ConnectionLost,
    LocalProtocolError,
    NoSuchNumber,
    NotSignedIn,
    Refused,
    SignInRefused,
    StoreError,
    TimedOut,
)
from kqq.protocol import Line, Status
from kqq.testing import PASSWORD, Town
from script import Script

ANNA, BO = "Anna", "小波"


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    """Two friends."""
    async with Town(ANNA, BO) as town:
        yield town


def taken(messenger: Messenger) -> list[Event]:
    """Return the events that have come and were not taken."""
    events = list(messenger._events)
    messenger._events.clear()
    return events


def texts(messenger: Messenger) -> list[str]:
    """Return the texts of the messages that came since this was last asked."""
    return [one.message.text for one in taken(messenger) if isinstance(one, Received)]


# --- in good weather


@pytest.mark.parametrize("over", ["tcp", "http"])
async def test_two_people_talk(town: Town, over: Any) -> None:
    """Messages go both ways over both transports, and the state knows them."""
    anna = await town.messenger(ANNA, over=over)
    bo = await town.messenger(BO, over=over)
    sent = await anna.send(town[BO], "hello, 你好 & 100%")
    assert (sent.fate, sent.is_own) == (Fate.SENT, True)
    await town.advance(20)
    assert texts(bo) == ["hello, 你好 & 100%"]
    await bo.send(town[ANNA], "hi\nthere")
    await town.advance(20)
    said = anna.state.conversations[town[BO]].messages
    assert [(one.text, one.is_own, one.fate) for one in said] == [
        ("hello, 你好 & 100%", True, Fate.SENT),
        ("hi\nthere", False, Fate.RECEIVED),
    ]
    assert anna.state.unread == 1
    anna.read(town[BO])
    assert anna.state.unread == 0


async def test_events_tell_the_whole_story(town: Town) -> None:
    """Trying, signed in, roster, presence, one's own message and what became of it."""
    anna = await town.messenger(ANNA)
    bo = await town.messenger(BO)
    await anna.send(town[BO], "hi")
    kinds = [type(event) for event in taken(anna)]
    assert kinds == [Connecting, SignedIn, RosterCame, PresenceChanged, Written, Written]
    await bo.close()
    await town.settle()
    assert taken(anna) == [PresenceChanged(town[BO], Status.OFFLINE)]


async def test_events_end_when_the_messenger_is_closed(town: Town) -> None:
    """What came until then is given first."""
    anna = await town.messenger(ANNA)
    bo = await town.messenger(BO)
    await bo.send(town[ANNA], "last words")
    await town.settle()
    await anna.close()
    given = [event async for event in anna.events()]
    assert isinstance(given[-1], Received)
    assert given[-1].message.text == "last words"


async def test_events_wait_for_what_comes(town: Town) -> None:
    """A loop over events goes on while there is nothing, and gets what comes."""
    anna = await town.messenger(ANNA)
    taken(anna)
    waiting = asyncio.ensure_future(anext(anna.events()))
    await town.settle()
    assert not waiting.done()
    await town.messenger(BO)
    assert await waiting == PresenceChanged(town[BO], Status.ONLINE)


async def test_as_a_context_it_starts_and_closes(town: Town) -> None:
    """Nobody is signed in afterwards."""
    bo = await town.messenger(BO)
    async with Messenger(
        town[ANNA], PASSWORD, [town.address()], connect=town.door(ANNA), sleep=town.clock.sleep
    ) as anna:
        await town.settle()
        assert anna.state.is_online
        await anna.start()  # it has begun already
    await town.settle()
    assert bo.state.person(town[ANNA]).status == Status.OFFLINE


async def test_a_status_is_kept_for_later_connections(town: Town) -> None:
    """Also over a break; hidden is offline to others."""
    anna = await town.messenger(ANNA, status=Status.BUSY)
    bo = await town.messenger(BO)
    assert bo.state.person(town[ANNA]).status == Status.BUSY
    await anna.change_status(Status.HIDDEN)
    await town.settle()
    assert bo.state.person(town[ANNA]).status == Status.OFFLINE
    assert anna.state.status is Status.HIDDEN
    town.cut(ANNA)
    await town.advance(5)
    assert anna.state.is_online
    assert bo.state.person(town[ANNA]).status == Status.OFFLINE


async def test_the_system_speaks(town: Town) -> None:
    """What the server itself says is a message from 10000."""
    anna = await town.messenger(ANNA)
    taken(anna)
    await town.say_system("the server stops at noon")
    (event,) = taken(anna)
    assert isinstance(event, Received)
    assert event.message.is_from_system


async def test_lines_can_be_watched(town: Town) -> None:
    """Whoever wants to learn sees each line in both directions."""
    seen: list[str] = []

    def watch(direction: str, line: Line) -> None:
        seen.append(f"{direction} {line.values()['CMD']}")

    await town.messenger(ANNA, watch=watch)
    assert seen[:4] == ["> Login", "< Login", "> SimpleInfo2", "< SIMPLEINFO2"]


# --- friends and people


async def test_friends_are_made_and_lost() -> None:
    """Asked, accepted, deleted: both rosters say so."""
    async with Town(ANNA, strangers=(BO,), who_may_add="ask") as town:
        anna, bo = await town.messenger(ANNA), await town.messenger(BO)
        assert await anna.add(town[BO]) is Added.ASK
        await anna.request(town[BO], "it is me, Anna")
        await town.settle()
        assert bo.state.requests == {town[ANNA]: "it is me, Anna"}
        assert Requested(town[ANNA], "it is me, Anna") in taken(bo)
        await bo.accept(town[ANNA])
        await town.settle()
        assert bo.state.requests == {}
        assert RequestAnswered(town[BO], True, "") in taken(anna)
        assert anna.state.person(town[BO]).is_friend
        assert bo.state.person(town[ANNA]).is_friend
        await anna.delete(town[BO])
        assert not anna.state.person(town[BO]).is_friend


async def test_a_refusal_has_a_reason() -> None:
    """Who asked is told why not."""
    async with Town(strangers=(ANNA, BO), who_may_add="ask") as town:
        anna, bo = await town.messenger(ANNA), await town.messenger(BO)
        await anna.add(town[BO])
        await anna.request(town[BO], "hello")
        await town.settle()
        await bo.refuse(town[ANNA], "do I know you?")
        await town.settle()
        assert RequestAnswered(town[BO], False, "do I know you?") in taken(anna)
        assert bo.state.requests == {}


async def test_adding_may_need_no_asking_or_be_hopeless() -> None:
    """The other two answers; who was added is in the roster."""
    async with Town(strangers=(ANNA, BO)) as town:
        anna = await town.messenger(ANNA)
        await town.change(BO, who_may_add="nobody")
        assert await anna.add(town[BO]) is Added.REFUSED
        await town.change(BO, who_may_add="anyone")
        assert await anna.add(town[BO]) is Added.DONE
        assert anna.state.person(town[BO]).nick == BO


async def test_profiles_and_searches(town: Town) -> None:
    """One's own, a friend's, and whoever fits."""
    await town.change(BO, age="21", sex="0")
    anna = await town.messenger(ANNA)
    assert (await anna.profile(town[BO])).age == "21"
    assert (await anna.profile(town[ANNA], 1)).nick == ANNA
    assert [one.uin for one in await anna.search(age="21")] == [town[BO]]


# --- what cannot be done


async def test_a_message_that_is_refused_says_so(town: Town) -> None:
    """The exception for who waits, and the fate for who looks."""
    await town.move_in("Paris")
    anna = await town.messenger(ANNA)
    with pytest.raises(Refused):
        await anna.send(town["Paris"], "we are no friends")
    (said,) = anna.state.conversations[town["Paris"]].messages
    assert said.fate is Fate.REFUSED
    assert "not friends" in said.why
    with pytest.raises(NoSuchNumber):
        await anna.send(99, "nobody")
    with pytest.raises(LocalProtocolError, match="MG"):
        await anna.send(town[BO], "\ud800")


async def test_nothing_cannot_be_sent(town: Town) -> None:
    """It is an error of whoever tries."""
    anna = await town.messenger(ANNA)
    with pytest.raises(LocalProtocolError, match="no text"):
        anna.write(town[BO], "")


async def test_a_server_must_be_given() -> None:
    """There is no server by default, and an address must be one."""
    with pytest.raises(ConfigError, match="no server is given"):
        Messenger(10001, PASSWORD, [])
    with pytest.raises(ConfigError):
        Messenger(10001, PASSWORD, ["nonsense"])


async def test_a_wrong_password_is_told_at_the_start(town: Town) -> None:
    """The start raises, and nothing goes on afterwards."""
    anna = Messenger(
        town[ANNA], "wrong", [town.address()], connect=town.door(ANNA), sleep=town.clock.sleep
    )
    with pytest.raises(SignInRefused, match="Password error"):
        await anna.start()
    assert isinstance(anna.state.lost, SignInRefused)
    assert anna.state.again_in is None
    with pytest.raises(SignInRefused):
        await anna.profile(town[BO])
    with pytest.raises(SignInRefused):
        async with anna:
            raise AssertionError("it has begun")
    await anna.close()


async def test_without_a_server_the_start_says_so_and_may_be_repeated(town: Town) -> None:
    """The first try is the caller's; when it has worked once, later ones are ours."""
    town.block(ANNA)
    anna = Messenger(
        town[ANNA], PASSWORD, [town.address()], connect=town.door(ANNA), sleep=town.clock.sleep
    )
    with pytest.raises(ConnectionLost, match="the network is blocked"):
        await anna.start()
    with pytest.raises(ConnectionLost):
        await anna.refresh()
    town.unblock(ANNA)
    await anna.start()
    await town.settle()
    assert anna.state.is_online
    await anna.close()


async def test_before_the_start_there_is_no_connection(town: Town) -> None:
    """It is said so, and closing what never began is fine."""
    anna = Messenger(town[ANNA], PASSWORD, [town.address()])
    with pytest.raises(ConnectionLost, match="not connected yet"):
        await anna.refresh()
    await anna.close()
    assert [event async for event in anna.events()] == []


async def test_servers_are_tried_in_order_and_the_good_one_remembered(town: Town) -> None:
    """A dead one costs one try; the next time the good one is first."""
    dead, good = Address("dead.example", 14000), town.address()
    door = town.door(ANNA)

    async def connect(address: Address) -> Transport:
        if address == dead:
            raise ConnectionLost("nobody is there")
        return await door(address)

    anna = Messenger(
        town[ANNA], PASSWORD, [dead, good], connect=connect, sleep=town.clock.sleep,
        random=lambda: 0.0,
    )  # fmt: skip
    await anna.start()
    await town.settle()
    assert anna.servers == [good, dead]
    assert [one.address for one in taken(anna) if isinstance(one, Connecting)] == [
        str(dead),
        str(good),
    ]
    await anna.close()


async def test_when_no_server_can_be_used_each_is_named(town: Town) -> None:
    """The message says which was tried and what happened there."""

    async def connect(address: Address) -> Transport:
        raise ConnectionLost(f"nobody is at {address.port}")

    anna = Messenger(10001, PASSWORD, ["tcp://a.example:1", "tcp://b.example:2"], connect=connect)
    with pytest.raises(ConnectionLost, match=r"none of 2 servers.*nobody is at 1.*nobody is at 2"):
        await anna.start()


# --- captchas


async def test_captchas_are_asked_for_at_each_sign_in() -> None:
    """Also when the connection is made again."""
    async with Town(ANNA, captcha="always") as town:
        asked: list[bytes] = []

        async def ask(picture: bytes) -> str:
            asked.append(picture)
            return town.letters

        anna = await town.messenger(ANNA, ask=ask)
        assert asked[0].startswith(b"\x89PNG")
        await town.restart()  # what it knew of her sign-in is forgotten
        await town.advance(5)
        assert len(asked) == 2
        assert anna.state.is_online


async def test_who_cannot_read_a_captcha_is_told() -> None:
    """At the start as an exception, later as the end of trying."""
    async with Town(ANNA, captcha="always") as town:
        with pytest.raises(CaptchaWanted):
            await town.messenger(ANNA)
        tries = 0

        async def ask(picture: bytes) -> str:
            nonlocal tries
            tries += 1
            if tries == 2:
                raise ZeroDivisionError
            return town.letters

        anna = await town.messenger(ANNA, ask=ask)
        await town.restart()  # what it knew of her sign-in is forgotten
        await town.advance(5)
        assert not anna.state.is_online
        assert "ZeroDivisionError" in str(anna.state.lost)
        assert anna.state.again_in is None
        anna.reconnect()
        await town.settle()
        assert anna.state.is_online


async def test_an_exception_of_the_callers_own_comes_out_of_the_start() -> None:
    """Such as a person who gave up reading the picture."""

    class GaveUp(Exception):
        pass

    async def ask(picture: bytes) -> str:
        raise GaveUp

    async with Town(ANNA, captcha="always") as town:
        with pytest.raises(GaveUp):
            await town.messenger(ANNA, ask=ask)


# --- in bad weather


async def test_a_lost_connection_is_made_again(town: Town) -> None:
    """It says for how long it waits, each time longer, and then goes on as before."""
    anna = await town.messenger(ANNA)
    taken(anna)
    town.block(ANNA)
    await town.advance(30)
    waits = [one.again_in for one in taken(anna) if isinstance(one, Lost)]
    assert len(waits) >= 4
    assert all(wait is not None for wait in waits)
    assert waits[-1] > waits[0]  # type: ignore[operator]
    town.unblock(ANNA)
    await town.advance(60)
    assert anna.state.is_online
    assert anna.state.lost is None


async def test_trying_now_does_not_wait(town: Town) -> None:
    """Somebody who knows that the network is back need not wait."""
    anna = await town.messenger(ANNA)
    town.block(ANNA)
    await town.advance(60)
    town.unblock(ANNA)
    assert not anna.state.is_online
    anna.reconnect()
    await town.settle()
    assert anna.state.is_online


@pytest.mark.parametrize("over", ["tcp", "http"])
async def test_what_is_written_while_away_is_sent_once_and_in_order(town: Town, over: Any) -> None:
    """Messages wait for the connection; so does who waits for them."""
    anna, bo = await town.messenger(ANNA, over=over), await town.messenger(BO)
    town.block(ANNA)
    await town.advance(20)
    for number in range(5):
        assert anna.write(town[BO], f"m{number}").fate is Fate.WAITING
    sending = asyncio.ensure_future(anna.send(town[BO], "last"))
    await town.advance(20)
    assert not sending.done()
    town.unblock(ANNA)
    await town.advance(60)
    assert (await sending).fate is Fate.SENT
    assert texts(bo) == ["m0", "m1", "m2", "m3", "m4", "last"]
    fates = {one.fate for one in anna.state.conversations[town[BO]].messages}
    assert fates == {Fate.SENT}


async def test_a_restarted_server_is_found_again(town: Town) -> None:
    """Over TCP the connection breaks; over HTTP the session is gone, and one signs in again."""
    anna, bo = await town.messenger(ANNA), await town.messenger(BO)
    await town.restart()
    await town.advance(10)
    await anna.send(town[BO], "back?")
    await town.settle()
    assert texts(bo) == ["back?"]


async def test_a_sign_in_elsewhere_is_told_and_not_fought(town: Town) -> None:
    """The connection is not made again until somebody says so."""
    anna = await town.messenger(ANNA)
    other = await town.client(ANNA)
    taken(anna)
    await town.advance(120)
    (lost,) = taken(anna)
    assert isinstance(lost, Lost)
    assert isinstance(lost.why, NotSignedIn)
    assert lost.again_in is None
    with pytest.raises(NotSignedIn):
        await anna.send(town[BO], "can I still?")
    assert other.uin == town[ANNA]
    anna.reconnect()
    await town.settle()
    assert anna.state.is_online


async def test_a_call_finds_out_about_a_sign_in_elsewhere(town: Town) -> None:
    """Without waiting for the next sign of life."""
    anna = await town.messenger(ANNA)
    await town.client(ANNA)
    with pytest.raises(NotSignedIn):
        await anna.profile(town[BO])
    await town.settle()
    assert isinstance(anna.state.lost, NotSignedIn)
    with pytest.raises(NotSignedIn):
        await anna.refresh()


async def test_who_waits_for_a_message_is_told_of_a_sign_in_elsewhere(town: Town) -> None:
    """It may wait for ever then; the message itself stays, and goes out later."""
    anna, bo = await town.messenger(ANNA), await town.messenger(BO)
    other = await town.client(ANNA)
    with pytest.raises(NotSignedIn):
        await anna.send(town[BO], "later")
    await other.sign_out()
    anna.reconnect()
    await town.settle()
    assert texts(bo) == ["later"]


async def test_if_asked_for_one_signs_in_again(town: Town) -> None:
    """After a sign-in elsewhere, as ZNQQ does."""
    anna = await town.messenger(ANNA, again_if_elsewhere=True)
    await town.client(ANNA)
    await town.advance(120)
    assert anna.state.is_online


async def test_over_http_a_session_that_ran_out_is_no_sign_in_elsewhere(town: Town) -> None:
    """Whoever was silent for longer than LI seconds just signs in again."""
    naps: list[float] = []

    async def oversleep(seconds: float) -> None:
        naps.append(seconds)
        await town.clock.sleep(400.0 if len(naps) == 3 else seconds)

    anna = await town.messenger(ANNA, over="http", sleep=oversleep)
    await town.advance(30)
    assert anna._client is not None
    anna._client._heard -= 400  # the loop's own clock is not moved
    await town.advance(600)
    assert anna.state.is_online
    lost = [one for one in taken(anna) if isinstance(one, Lost)]
    assert [str(one.why) for one in lost] == ["the session ran out after 400 s"]


async def test_closing_while_away_says_so_to_who_waits(town: Town) -> None:
    """Nobody hangs."""
    anna = await town.messenger(ANNA)
    town.block(ANNA)
    await town.advance(5)
    sending = asyncio.ensure_future(anna.send(town[BO], "never"))
    await town.settle()
    await anna.close()
    with pytest.raises(ConnectionLost, match="closed"):
        await sending


# --- a history


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history in a file."""
    return History.open(tmp_path / "history.db")


async def test_messages_are_remembered(town: Town, history: History) -> None:
    """The next run knows what was said, what was not read, and who people are."""
    anna = await town.messenger(ANNA, history=history)
    bo = await town.messenger(BO)
    await anna.send(town[BO], "one")
    await bo.send(town[ANNA], "two")
    await town.settle()
    await anna.close()
    again = await town.messenger(ANNA, history=history)
    conversation = again.state.conversations[town[BO]]
    assert [one.text for one in conversation.messages] == ["one", "two"]
    assert conversation.unread == 1
    again.read(town[BO])
    await again.close()
    third = await town.messenger(ANNA, history=history)
    assert third.state.unread == 0


async def test_what_waits_survives_the_end_of_the_program(town: Town, history: History) -> None:
    """What was written while away goes out with the next run, once."""
    anna = await town.messenger(ANNA, history=history)
    bo = await town.messenger(BO)
    town.block(ANNA)
    await town.settle()
    anna.write(town[BO], "do not forget me")
    await anna.close()
    town.unblock(ANNA)
    again = await town.messenger(ANNA, history=history)
    await town.settle()
    assert texts(bo) == ["do not forget me"]
    assert again.state.conversations[town[BO]].messages[-1].fate is Fate.SENT
    await again.close()
    await town.messenger(ANNA, history=history)
    assert texts(bo) == []


async def test_what_another_program_sent_is_not_sent_again(town: Town, history: History) -> None:
    """Two programs share a history; each message is the business of one."""
    anna = await town.messenger(ANNA, history=history)
    bo = await town.messenger(BO)
    town.block(ANNA)
    await town.settle()
    message = anna.write(town[BO], "once")
    assert anna._diary is not None
    anna._diary.change(type(message)(**{**_fields(message), "fate": Fate.SENT}))
    town.unblock(ANNA)
    await town.advance(30)
    assert texts(bo) == []
    assert anna.state.conversations[town[BO]].messages[-1].fate is Fate.SENT


def _fields(message: Any) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__slots__}


async def test_earlier_messages_come_when_asked_for(town: Town, history: History) -> None:
    """What does not fit into memory at first is in the file."""
    anna = await town.messenger(ANNA, history=history)
    for number in range(250):
        anna.write(town[BO], str(number))
    await town.settle()
    await anna.close()
    again = await town.messenger(ANNA, history=history)
    assert len(again.state.conversations[town[BO]].messages) == 200
    assert again.earlier(town[BO]) == 50
    assert again.state.conversations[town[BO]].messages[0].text == "0"
    assert again.earlier(town[BO]) == 0
    assert again.earlier(99) == 0


async def test_a_history_that_fails_is_done_without(town: Town, history: History) -> None:
    """It is told once, and the conversation goes on."""
    anna = await town.messenger(ANNA, history=history)
    taken(anna)

    def fail(*args: Any, **options: Any) -> bool:
        raise StoreError("the disk is full")

    assert anna._diary is not None
    anna._diary.add = fail  # type: ignore[method-assign]  # a disk cannot be filled here
    await anna.send(town[BO], "hi")
    await anna.send(town[BO], "ho")
    odd = [one.why for one in taken(anna) if isinstance(one, Odd)]
    assert odd == ["no history is kept from now on: the disk is full"]


# --- odd servers


class Play:
    """A scripted server, a new script for each connection."""

    def __init__(self) -> None:
        self.scripts: asyncio.Queue[Script] = asyncio.Queue()

    async def connect(self, address: Address) -> Transport:
        """Return a connection to a new script."""
        script = Script()
        self.scripts.put_nowait(script)
        return script

    async def signed_in(self) -> Script:
        """Answer what every sign-in begins with, an empty friend list."""
        script = await self.scripts.get()
        await script.answer("RES=0&RS=0&HI=60&LI=300", "Login")
        return script

    async def with_roster(self) -> Script:
        """The same, and an empty friend list."""
        script = await self.signed_in()
        await script.answer("RES=0&NP=65535&SN=0&UN=&FC=&NK=")
        await script.answer("RES=0&FN=1&SN=0&ST=&UN=")
        return script


@pytest.fixture
async def play() -> AsyncIterator[tuple[Play, Messenger]]:
    """A messenger and the scripted server it knows; it does not wait between tries."""
    play = Play()
    messenger = Messenger(
        10001, PASSWORD, ["tcp://s.example:1"], connect=play.connect, sleep=_at_once(), timeout=5
    )
    yield play, messenger
    await messenger._stop()


def _at_once() -> Callable[[float], Any]:
    """Return a sleep that is over at once, but for the signs of life."""

    async def sleep(seconds: float) -> None:
        await (asyncio.Event().wait() if seconds == 60 else asyncio.sleep(0))

    return sleep


async def until(condition: Callable[[], bool]) -> None:
    """Let things happen until something holds."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not come")


async def test_pushes_of_all_kinds(play: tuple[Play, Messenger]) -> None:
    """Statuses as messages, unknown kinds, strangers: all are taken in, none ends anything."""
    stage, messenger = play
    starting = asyncio.ensure_future(messenger.start())
    script = await stage.with_roster()
    await starting
    for fields in (
        "MT=99&UN=10002&MG=30",
        "MT=99&UN=10002&MG=words",
        "MT=77&UN=10003&MG=what am I",
        "MT=4&UN=10004&MG=no",
        "MT=3&UN=10005&MG=",
    ):
        script.say(f"VER=1.1&CMD=Server_Msg&SEQ=1&UIN=10001&RES=0&MN=1&{fields}")
    script.say("VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=12345&UN=10009")
    await script.answer("RES=20")  # the roster after somebody accepted
    await until(lambda: messenger.state.person(10009).status == 12345)
    assert messenger.state.person(10002).status == 30
    assert messenger.state.conversations[10002].messages[0].text == "words"
    assert messenger.state.conversations[10003].messages[0].text == "what am I"
    events = taken(messenger)
    assert RequestAnswered(10004, False, "no") in events
    assert RequestAnswered(10005, True, "") in events


async def test_a_message_given_again_is_shown_once(play: tuple[Play, Messenger]) -> None:
    """A number of ten digits says that it is the same; short ones begin anew each time."""
    stage, messenger = play
    starting = asyncio.ensure_future(messenger.start())
    push = "VER=1.1&CMD=Server_Msg&SEQ={}&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=hi"
    script = await stage.with_roster()
    await starting
    script.say(push.format(1000000007))
    script.say(push.format(1))
    script.say("")
    script = await stage.with_roster()
    script.say(push.format(1000000007))
    script.say(push.format(1))
    script.say(push.format(1000000008))
    await until(lambda: len(texts_in(messenger, 10002)) == 4)
    await asyncio.sleep(0)
    assert texts_in(messenger, 10002) == ["hi"] * 4


def texts_in(messenger: Messenger, uin: int) -> list[str]:
    """Return the texts of a conversation."""
    conversation = messenger.state.conversations.get(uin)
    return [one.text for one in conversation.messages] if conversation else []


async def test_a_friend_list_that_makes_no_sense_is_told(play: tuple[Play, Messenger]) -> None:
    """Messages go all the same."""
    stage, messenger = play
    starting = asyncio.ensure_future(messenger.start())
    script = await stage.signed_in()
    await starting
    await script.answer("RES=0&NP=65535&SN=1&UN=10002,10003,&FC=&NK=")
    sending = asyncio.ensure_future(messenger.send(10002, "hi"))
    await script.answer("RES=0")
    assert (await sending).fate is Fate.SENT
    (odd,) = [one.why for one in taken(messenger) if isinstance(one, Odd)]
    assert odd.startswith("the friend list could not be read: a page of people has 2 numbers")


async def test_a_server_that_never_answers_a_message_is_not_asked_for_ever() -> None:
    """After three connections the message is unknown, and the next one has its turn."""
    stage = Play()
    messenger = Messenger(
        10001, PASSWORD, ["tcp://s.example:1"], connect=stage.connect, sleep=_at_once(),
        timeout=0.05,
    )  # fmt: skip
    starting = asyncio.ensure_future(messenger.start())
    script = await stage.with_roster()
    await starting
    sending = asyncio.ensure_future(messenger.send(10002, "hello?"))
    marks = {(await script.heard()).seq}
    for _ in range(2):
        script = await stage.with_roster()
        marks.add((await script.heard()).seq)
    await stage.with_roster()
    with pytest.raises(TimedOut, match="unknown"):
        await sending
    assert len(marks) == 1
    assert messenger.state.conversations[10002].messages[0].fate is Fate.UNKNOWN
    await messenger._stop()


async def test_a_busy_server_is_tried_again(play: tuple[Play, Messenger]) -> None:
    """It refuses a sign-in, but not for the password."""
    stage, messenger = play
    starting = asyncio.ensure_future(messenger.start())
    script = await stage.with_roster()
    await starting
    script.say("")
    script = await stage.scripts.get()
    await script.answer("RES=0&RS=1&RA=Server busy; try again", "Login")
    script = await stage.with_roster()
    await until(lambda: messenger.state.is_online)
    script.say("")
    script = await stage.scripts.get()
    await script.answer("RES=0&RS=1&RA=Password error", "Login")
    await until(lambda: isinstance(messenger.state.lost, SignInRefused))
    assert messenger.state.again_in is None


async def test_events_that_nobody_takes_stop_the_reading(play: tuple[Play, Messenger]) -> None:
    """Nothing grows without bound; taking one goes on."""
    stage, messenger = play
    starting = asyncio.ensure_future(messenger.start())
    script = await stage.with_roster()
    await starting
    push = "VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=10&UN=10002"
    events = messenger.events()
    await anext(events)
    for _ in range(3):
        script.say("\r\n".join([push] * 3000))
    await until(lambda: not messenger._room.is_set())
    count = len(messenger._events)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(messenger._events) == count <= 5001
    for _ in range(8000):
        await anext(events)


async def test_while_nobody_reads_events_the_latest_are_kept(play: tuple[Play, Messenger]) -> None:
    """A program that only sends is not stopped by what it does not want to know."""
    stage, messenger = play
    starting = asyncio.ensure_future(messenger.start())
    script = await stage.with_roster()
    await starting
    push = "VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST={}&UN=10002"
    for status in (10, 30, 50):
        script.say("\r\n".join([push.format(status)] * 3000))
    await until(lambda: messenger.state.person(10002).status == 50)
    await until(lambda: messenger._events[-1] == PresenceChanged(10002, 50))
    assert len(messenger._events) < 5000
    sending = asyncio.ensure_future(messenger.send(10002, "hi"))
    await script.answer("RES=0")
    assert (await sending).fate is Fate.SENT


async def test_a_background_question_that_fails_is_told(play: tuple[Play, Messenger]) -> None:
    """Nobody waits for the roster after somebody accepted."""
    stage, messenger = play
    starting = asyncio.ensure_future(messenger.start())
    script = await stage.with_roster()
    await starting
    taken(messenger)
    script.say("VER=1.1&CMD=Server_Msg&SEQ=1&UIN=10001&RES=0&MN=1&MT=3&UN=10005&MG=")
    await script.answer("RES=1")
    await until(lambda: any(isinstance(one, Odd) for one in messenger._events))


async def test_closing_ends_a_start() -> None:
    """Whoever waits for the first sign-in is told, and waits no longer."""
    never = asyncio.Event()

    async def connect(_: Address) -> Transport:
        await never.wait()
        raise AssertionError

    me = Messenger(10001, "secret", ["tcp://192.0.2.7:1"], connect=connect)
    starts = [asyncio.create_task(me.start()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(start.done() for start in starts)  # the second one is not told that all is well
    await me.close()
    for start in starts:
        with pytest.raises(ConnectionLost, match="closed"):
            await asyncio.wait_for(start, 1)


async def test_a_closed_messenger_says_so() -> None:
    """It is not online, and who sends does not wait for ever."""
    async with Town("Anna", "Bo") as town:
        me = await town.messenger("Anna")
        await me.close()
        assert not me.state.is_online
        with pytest.raises(ConnectionLost, match="closed"):
            await asyncio.wait_for(me.send(10002, "too late"), 1)


async def test_many_who_accept_cost_few_questions(play: tuple[Play, Messenger]) -> None:
    """The friend list is fetched once for those who came before, and once for those meanwhile."""
    stage, messenger = play
    starting = asyncio.ensure_future(messenger.start())
    script = await stage.with_roster()
    await starting
    push = "VER=1.1&CMD=Server_Msg&SEQ=1&UIN=10001&RES=0&MN=1&MT=3&UN=10005&MG="
    script.say("\r\n".join([push] * 100))
    await script.answer("RES=0&NP=65535&SN=0&UN=&FC=&NK=")
    script.say("\r\n".join([push] * 100))
    await script.answer("RES=0&FN=1&SN=0&ST=&UN=")
    await script.answer("RES=0&NP=65535&SN=0&UN=&FC=&NK=")
    await script.answer("RES=0&FN=1&SN=0&ST=&UN=")
    await until(lambda: not messenger._tasks)
    rosters = [one for one in messenger._events if isinstance(one, RosterCame)]
    assert len(rosters) == 3
