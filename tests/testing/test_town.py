"""The town: people, time, and all that can happen to connections."""

import asyncio
import time
from typing import Any

import pytest

from kqq.client import Fate, Messenger, Received
from kqq.errors import (
    AccountError,
    CaptchaWanted,
    ConfigError,
    ConnectionLost,
    NotSignedIn,
    Refused,
    TimedOut,
)
from kqq.protocol import ServerMsg, Status, UpdateStat
from kqq.testing import PASSWORD, Over, Town

OVERS: list[Over] = ["tcp", "http"]
both_ways = pytest.mark.parametrize("over", OVERS)


def is_online(messenger: Messenger) -> bool:
    """Return whether somebody is connected now."""
    return messenger.state.is_online


def said(messenger: Messenger, uin: int) -> list[str]:
    """Return what somebody knows of a conversation."""
    conversation = messenger.state.conversations.get(uin)
    return [] if conversation is None else [message.text for message in conversation.messages]


# --- people --------------------------------------------------------------------------------------


async def test_people_have_numbers_in_order() -> None:
    """Friends first, strangers behind; names and numbers lead to each other."""
    async with Town("Anna", "小波", strangers=["Paris"]) as town:
        assert [town["Anna"], town["小波"], town["Paris"]] == [10001, 10002, 10003]
        assert town.name(10002) == "小波"
        assert town.store.friends(10001) == [10002]
        assert town.store.friends(10003) == []


async def test_people_who_are_not_there() -> None:
    """The error says who is."""
    async with Town("Anna") as town:
        with pytest.raises(ConfigError, match="'Bo'; there are Anna"):
            town["Bo"]
        with pytest.raises(ConfigError, match="10002; there are Anna"):
            town.name(10002)
    async with Town() as town:
        with pytest.raises(ConfigError, match="there is nobody"):
            town.cut("Anna")


@pytest.mark.parametrize(
    ("names", "settings", "error"),
    [
        (["Anna", "Anna"], {}, ConfigError),
        ([" Anna"], {}, AccountError),
        (["Anna"], {"captcha": "perhaps"}, ConfigError),
        (["Anna"], {"shoes": 41}, TypeError),
    ],
)
async def test_a_town_that_cannot_be(
    names: list[str], settings: dict[str, Any], error: type[Exception]
) -> None:
    """It says so when it is entered, and leaves nothing open."""
    with pytest.raises(error):
        async with Town(*names, **settings):
            pass


async def test_somebody_moves_in() -> None:
    """Their friends learn of it when they ask, and the number is the next one."""
    async with Town("Anna") as town:
        anna = await town.client("Anna")
        assert await town.move_in("Bo", friends=["Anna"]) == 10002
        assert [friend.nick for friend in await anna.friends()] == ["Bo"]
        assert await town.move_in("Paris") == 10003
        assert town.store.friends(10003) == []
        await (await town.client("Bo")).send(town["Anna"], "here I am")


async def test_accounts_and_profiles_can_be_changed() -> None:
    """Others see it; what cannot be is refused."""
    async with Town("Anna", "Bo") as town:
        anna = await town.client("Anna")
        await town.change("Bo", nick="小波", age="13")
        profile = await anna.profile(town["Bo"])
        assert (profile.nick, profile.age) == ("小波", "13")
        with pytest.raises(AccountError, match="shoes"):
            await town.change("Bo", shoes="41")


# --- clients and messengers ----------------------------------------------------------------------


@both_ways
async def test_clients_talk(over: Over) -> None:
    """A client is signed in, with the status that was asked for, and has its friends."""
    async with Town("Anna", "小波") as town:
        anna = await town.client("Anna", over=over)
        bo = await town.client("小波", over=over, status=Status.AWAY)
        assert (anna.uin, bo.uin) == (10001, 10002)
        assert await anna.statuses() == {10002: Status.AWAY}
        await bo.send(town["Anna"], "你好")
        await town.advance(15)
        events = anna.events()
        while isinstance(push := await anext(events), UpdateStat):
            assert push.number == town["小波"]
        assert isinstance(push, ServerMsg)
        assert push.text == "你好"


@both_ways
async def test_messengers_talk(over: Over) -> None:
    """A messenger is started, and time, dates and back-offs are those of the town."""
    async with Town("Anna", "小波") as town:
        anna = await town.messenger("Anna", over=over)
        bo = await town.messenger("小波", over=over)
        sent = await anna.send(town["小波"], "hi")
        await town.advance(15)
        assert said(bo, town["Anna"]) == ["hi"]
        assert sent.fate is Fate.SENT
        assert 0 <= town.clock.date() - sent.at <= 15


async def test_options_are_those_of_what_is_made() -> None:
    """They win over those that the town would give."""
    async with Town("Anna", "小波", captcha="always") as town:
        asked: list[bytes] = []

        async def ask(picture: bytes) -> str:
            asked.append(picture)
            return town.letters

        messenger = await town.messenger("Anna", ask=ask, status=Status.BUSY, now=lambda: 5.0)
        assert messenger.write(town["小波"], "hi").at == 5.0
        assert asked[0].startswith(b"\x89PNG")
        assert messenger.state.status is Status.BUSY
        client = await town.client("小波", ask=town.read_picture, heartbeat=7.0)
        assert await client.statuses() == {10001: Status.BUSY}


async def test_a_sign_in_that_fails() -> None:
    """It is an error like any other, and the town goes on."""
    async with Town("Anna", "小波", captcha="always") as town:
        with pytest.raises(CaptchaWanted):
            await town.client("Anna")
        with pytest.raises(CaptchaWanted):
            await town.messenger("小波")
        assert (await town.client("Anna", ask=town.read_picture)).uin == 10001


async def test_everything_is_closed_at_the_end() -> None:
    """What the town made, and what somebody connected by themselves."""
    async with Town("Anna", "小波") as town:
        client = await town.client("Anna")
        messenger = await town.messenger("小波")
        transport = await town.door("Anna")(town.address())
    assert [event async for event in client.events()]  # it ends, with what had come
    assert [event async for event in messenger.events()]
    with pytest.raises(ConnectionLost):
        await client.send(10002, "hi")
    assert await transport.receive() == b""
    with pytest.raises(AssertionError, match="stopped"):
        assert town.server


async def test_lines_are_kept_without_passwords() -> None:
    """All that was said, and by whom; for looking at when a test fails."""
    async with Town("Anna") as town:
        await town.client("Anna")
        first, second = town.lines[:2]
        assert first.startswith("Anna > VER=1.4&CON=1&CMD=Login&")
        assert second.startswith("Anna < VER=1.1&CMD=Login&")
        assert "5EBE2294" not in first


# --- time ----------------------------------------------------------------------------------------


async def test_time_stands_still() -> None:
    """A town of two takes milliseconds, and hours go by at once."""
    async with Town("Anna", "小波"):
        pass
    began = time.perf_counter()
    async with Town("Anna", "小波") as town:
        await town.client("Anna")
        await town.client("小波")
        took = time.perf_counter() - began
        start = town.clock.now()
        await town.advance(3600)
        assert town.clock.now() == start + 3600
    assert took < 0.5  # 0.01 is usual; a busy machine is no error


async def test_what_is_due_happens_at_its_time() -> None:
    """Each heartbeat comes when it should, not all at the end."""
    async with Town("Anna") as town:
        await town.client("Anna")
        start = len(town.lines)
        times = []
        for _ in range(10):
            await town.advance(20)
            if len(town.lines) > start:
                times.append(round(town.clock.now()) % 60)
                start = len(town.lines)
        assert len(times) == 3
        assert len(set(times)) == 1


async def test_clients_stay_signed_in() -> None:
    """Over HTTP, too, where a session ends after 300 seconds of silence."""
    async with Town("Anna", "小波") as town:
        anna = await town.client("Anna", over="http")
        await town.advance(1000)
        assert await anna.statuses() == {10002: Status.OFFLINE}


async def test_what_never_rests_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that goes round and round is an error with words, no test that hangs."""
    monkeypatch.setattr("kqq.testing.town._RESTLESS", 0.05)

    async def go_round() -> None:
        while True:  # noqa: ASYNC110  # just what one should not do
            await asyncio.sleep(0)

    async with Town() as town:
        restless = asyncio.create_task(go_round())
        with pytest.raises(TimedOut, match="round and round"):
            await town.settle()
        restless.cancel()


async def test_loops_that_do_not_tell_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can ask, enough quiet rounds will do."""
    from kqq.testing import town as module  # noqa: PLC0415

    class Mute:
        """A loop that tells nothing."""

    class Mutism:
        """asyncio, save for the loop."""

        def __getattr__(self, name: str) -> Any:
            return Mute if name == "get_running_loop" else getattr(asyncio, name)

    async with Town("Anna", "小波") as town:
        monkeypatch.setattr(module, "asyncio", Mutism())
        anna, bo = await town.messenger("Anna"), await town.messenger("小波")
        anna.write(town["小波"], "hi")
        await town.settle()
        assert said(bo, town["Anna"]) == ["hi"]
        monkeypatch.undo()


# --- what happens to connections -----------------------------------------------------------------


@both_ways
async def test_a_cut_connection_is_made_again(over: Over) -> None:
    """What was written meanwhile arrives, once."""
    async with Town("Anna", "小波") as town:
        anna, bo = await town.messenger("Anna", over=over), await town.messenger("小波", over=over)
        town.cut("小波")
        await anna.send(town["小波"], "while you were away")
        town.cut()
        anna.write(town["小波"], "and I")
        await town.advance(60)
        assert said(bo, town["Anna"]) == ["while you were away", "and I"]


@both_ways
async def test_a_blocked_network(over: Over) -> None:
    """Nobody who is blocked can connect, until that is over."""
    async with Town("Anna", "小波") as town:
        anna = await town.messenger("Anna", over=over)
        town.block("Anna")
        message = anna.write(town["小波"], "can you hear me?")
        await town.advance(300)
        assert not is_online(anna)
        assert "blocked" in str(anna.state.lost)
        with pytest.raises(ConnectionLost, match="blocked"):
            await town.client("Anna", over=over)
        assert (await town.client("小波", over=over)).uin == 10002
        town.unblock("Anna")
        await town.advance(60)
        assert is_online(anna)
        (known,) = anna.state.conversations[town["小波"]].messages
        assert (known.key, known.fate) == (message.key, Fate.SENT)


@both_ways
@pytest.mark.parametrize("direction", ["sent", "received"])
async def test_a_cut_after_some_bytes(over: Over, direction: str) -> None:
    """Wherever it comes, within which post ever, what was written arrives once."""
    for after in (0, 1, 50, 100, 150, 400):
        async with Town("Anna", "小波") as town:
            anna, bo = await town.messenger("Anna", over=over), await town.messenger("小波")
            town.cut_after("Anna", **{direction: after})
            anna.write(town["小波"], "x" * 300)
            await town.settle()
            anna.write(town["小波"], "y" * 300)
            await town.advance(120)
            texts = said(bo, town["Anna"])
            assert [text[0] for text in texts] == ["x", "y"]
            assert is_online(anna)


async def test_only_one_connection_is_cut() -> None:
    """Another that is opened before the first is closed holds."""
    async with Town("Anna", "小波") as town:
        first = await town.client("Anna")
        town.cut_after("Anna", received=0)
        with pytest.raises(ConnectionLost):
            await first.send(town["小波"], "hi")
        second = await town.client("Anna")
        await second.send(town["小波"], "hi")


async def test_a_server_that_stops_and_starts() -> None:
    """Connections end, new ones fail until it is back; the data is the same."""
    async with Town("Anna", "小波") as town:
        anna, bo = await town.messenger("Anna"), await town.messenger("小波")
        await town.stop_server()
        await town.stop_server()
        await town.settle()
        assert not is_online(anna)
        await town.advance(10)
        assert "no server runs" in str(anna.state.lost)
        anna.write(town["小波"], "are you back?")
        await town.start_server()
        await town.start_server()
        await town.advance(120)
        assert said(bo, town["Anna"]) == ["are you back?"]
        await town.restart()
        await town.advance(120)
        assert is_online(anna)


async def test_a_restart_waits_for_nobody_who_does_not_read() -> None:
    """What they did not take is still there afterwards."""
    async with Town("Anna", "小波") as town:
        anna = await town.client("Anna")
        bo = await town.messenger("小波")
        town.cut_after("小波", received=10)
        await anna.send(town["小波"], "hello")
        await town.restart()
        await town.advance(60)
        assert said(bo, town["Anna"]) == ["hello"]


# --- what the operator does ----------------------------------------------------------------------


async def test_messages_of_the_system() -> None:
    """To some, or to everybody."""
    async with Town("Anna", "小波") as town:
        anna, bo = await town.messenger("Anna"), await town.messenger("小波")
        await town.say_system("for all")
        await town.say_system("for Anna", "Anna")
        assert said(anna, 10000) == ["for all", "for Anna"]
        assert said(bo, 10000) == ["for all"]


async def test_whatever_an_operator_can_do() -> None:
    """Sessions end, accounts are suspended; what cannot be is an error."""
    async with Town("Anna", "小波") as town:
        anna = await town.client("Anna")
        await town.do("kick", uin=town["Anna"])
        with pytest.raises(NotSignedIn):
            await anna.statuses()
        with pytest.raises(AccountError, match="not signed in"):
            await town.do("kick", uin=town["Anna"])
        assert await town.do("sessions") == []


async def test_limits_are_off_unless_they_are_set() -> None:
    """Time stands still, so nobody would ever get back what they spent."""
    async with Town("Anna", "小波") as town:
        anna, bo = await town.client("Anna"), await town.messenger("小波")
        for number in range(300):
            await anna.send(town["小波"], str(number))
        await town.settle()
        assert said(bo, town["Anna"]) == [str(number) for number in range(300)]
    async with Town("Anna", "小波", messages_burst=3) as town:
        anna = await town.client("Anna")
        for _ in range(3):
            await anna.send(town["小波"], "hi")
        with pytest.raises(Refused):
            await anna.send(town["小波"], "hi")


async def test_the_password_of_everybody() -> None:
    """It is no secret."""
    assert PASSWORD == "secret"
    async with Town("Anna", "小波") as town:
        bot = await town.messenger("小波")
        await (await town.client("Anna")).send(town["小波"], "ping")
        await town.settle()
        await bot.close()
        heard = [event.message.text async for event in bot.events() if isinstance(event, Received)]
        assert heard == ["ping"]
