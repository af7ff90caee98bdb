"""Requests, answers and pushes over one transport, against a scripted server."""

import asyncio
import logging

import pytest

from kqq.client import Client
from kqq.client.exchange import Exchange
from kqq.errors import (
    ConnectionLost,
    LocalProtocolError,
    NoSuchNumber,
    NotSignedIn,
    Refused,
    RemoteProtocolError,
    TimedOut,
)
from kqq.protocol import (
    CltMsg,
    Push,
    ServerMsg,
    UpdateStat,
)
from script import Script


async def _next(client: Client) -> Push:
    """Return the next push."""
    return await anext(client.events())


@pytest.mark.parametrize(
    ("res", "error"), [(20, NotSignedIn), (5, NoSuchNumber), (1, Refused), (99, Refused)]
)
async def test_refusals_are_exceptions(
    script: Script, signed_in: Client, res: int, error: type[Refused]
) -> None:
    """RES says which exception; it carries command and RES."""
    sending = asyncio.create_task(signed_in.send(10002, "hi"))
    await script.answer(f"RES={res}")
    with pytest.raises(error) as caught:
        await sending
    assert (caught.value.command, caught.value.res) == ("CLTMSG", res)


async def test_answers_are_matched_by_command_and_seq(script: Script, signed_in: Client) -> None:
    """Answers in another order, and pushes with the same SEQ, find their place."""
    sending = [asyncio.create_task(signed_in.send(10002, text)) for text in ("a", "b")]
    first, second = await script.heard(), await script.heard()
    script.say(f"VER=1.1&CMD=Server_Msg&SEQ={first.seq}&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=x")
    script.say(f"VER=1.1&CMD=CLTMSG&SEQ={second.seq}&UIN=10001&RES=1")
    script.say(f"VER=1.1&CMD=CLTMSG&SEQ={first.seq}&UIN=10001&RES=0")
    await sending[0]
    with pytest.raises(Refused):
        await sending[1]


async def test_events_come_in_order(script: Script, signed_in: Client) -> None:
    """Messages and status changes come as typed pushes, also from before anyone asked."""
    script.say("VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=10&UN=10002")
    script.say("VER=1.1&CMD=Server_Msg&SEQ=2&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=hi%2c%0a%26")
    events = signed_in.events()
    assert await anext(events) == UpdateStat(seq="1", uin=10001, status=10, number=10002)
    assert await anext(events) == ServerMsg(seq="2", uin=10001, sender=10002, text="hi,\n&")
    waiting = asyncio.create_task(_next(signed_in))
    script.say("VER=1.1&CMD=Server_Msg&SEQ=3&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=again")
    pushed = await waiting
    assert isinstance(pushed, ServerMsg)
    assert pushed.text == "again"


async def test_odd_lines_are_logged_and_passed_over(
    script: Script, signed_in: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A line nobody can read, or an answer nobody asked for, does not end the conversation."""
    caplog.set_level(logging.INFO, "kqq.client")
    script.say("nonsense PS=5EBE2294")
    script.say("VER=1.1&CMD=CLTMSG&SEQ=1&UIN=10001&RES=0")
    script.say("VER=1.1&CMD=Server_Msg&SEQ=3&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=on")
    pushed = await anext(signed_in.events())
    assert isinstance(pushed, ServerMsg)
    assert "unreadable line='nonsense PS=***'" in caplog.text
    assert "unexpected event=CltMsgReply" in caplog.text


async def test_a_lost_connection_is_an_exception_everywhere(
    script: Script, signed_in: Client
) -> None:
    """Whoever waits is told, and whoever comes later, too; nothing hangs."""
    sending = asyncio.create_task(signed_in.send(10002, "hi"))
    listening = asyncio.create_task(_next(signed_in))
    await script.heard()
    script.say("")
    for task in (sending, listening):
        with pytest.raises(ConnectionLost, match="the server closed the connection"):
            await task
    with pytest.raises(ConnectionLost):
        await signed_in.send(10002, "hi")


async def test_events_before_the_end_are_still_given(script: Script, signed_in: Client) -> None:
    """What came before the connection was lost is not lost with it."""
    script.say("VER=1.1&CMD=Server_Msg&SEQ=3&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=last")
    script.say("")
    events = signed_in.events()
    pushed = await anext(events)
    assert isinstance(pushed, ServerMsg)
    with pytest.raises(ConnectionLost):
        await anext(events)


async def test_broken_framing_ends_the_connection(script: Script, signed_in: Client) -> None:
    """A line without end is an error with the rule, for whoever waits."""
    sending = asyncio.create_task(signed_in.send(10002, "hi"))
    await script.heard()
    script.say("x" * 70000)
    with pytest.raises(RemoteProtocolError, match="longer than 65536 bytes"):
        await sending


async def test_a_transport_that_fails_is_an_exception(script: Script) -> None:
    """An error of the transport reaches whoever waits, whatever it is."""

    class Failing(Script):
        async def receive(self) -> bytes:
            await self.heard()
            raise ConnectionLost("the cable is cut")

    async with Client(Failing()) as client:
        with pytest.raises(ConnectionLost, match="the cable is cut"):
            await client.sign_in(10001, "secret")


async def test_a_bug_in_a_transport_does_not_hang_anybody() -> None:
    """An exception that is none of ours is ConnectionLost to those who wait, and comes out."""

    class Broken(Script):
        async def receive(self) -> bytes:
            await self.heard()
            raise ZeroDivisionError

    client = Client(Broken())
    with pytest.raises(ConnectionLost, match="ZeroDivisionError"):
        await client.sign_in(10001, "secret")
    with pytest.raises(ZeroDivisionError):
        await client.close()


async def test_no_answer_in_time_is_an_exception(script: Script) -> None:
    """A server that keeps silent is TimedOut, naming the command; the late answer harms nobody."""
    async with Client(script, timeout=0.02) as client:
        signing = asyncio.create_task(client.sign_in(10001, "secret"))
        request = await script.heard()
        with pytest.raises(TimedOut, match=rf"no answer to Login \(SEQ={request.seq}\)"):
            await signing
        script.say(f"VER=1.1&CMD=Login&SEQ={request.seq}&UIN=10001&RES=0&RS=0")
        script.say("VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=10&UN=10002")
        assert await anext(client.events()) is not None
        assert client.uin is None


async def test_a_cancelled_call_is_forgotten(script: Script, signed_in: Client) -> None:
    """Giving up a call leaves no trace; its late answer harms nobody."""
    sending = asyncio.create_task(signed_in.send(10002, "hi"))
    request = await script.heard()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    script.say(f"VER=1.1&CMD=CLTMSG&SEQ={request.seq}&UIN=10001&RES=0")
    again = asyncio.create_task(signed_in.send(10002, "hi"))
    await script.answer("RES=0")
    await again


async def test_events_nobody_takes_stop_the_reading(script: Script, signed_in: Client) -> None:
    """At most five thousand pushes are held; taking one goes on reading."""
    push = "VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=10&UN=10002"
    script.say("\r\n".join([push] * 5000))
    events = signed_in.events()
    await anext(events)  # also lets the reader come round
    script.say("\r\n".join([push] * 4999))
    for _ in range(4998):
        await anext(events)
    before = script.receiving
    for _ in range(5000):
        await anext(events)
    assert script.receiving > before


async def test_reading_pauses_while_too_many_events_wait(script: Script, signed_in: Client) -> None:
    """While five thousand pushes wait nothing more is read, and a call that times out says why."""
    push = "VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=10&UN=10002"
    script.say("\r\n".join([push] * 5000))
    for _ in range(5):
        await asyncio.sleep(0)
    before = script.receiving
    script.say(push)
    for _ in range(5):
        await asyncio.sleep(0)
    assert script.receiving == before


async def test_closing_ends_calls_and_events(script: Script, signed_in: Client) -> None:
    """Calls that wait raise, a loop over events just ends, closing twice is fine."""
    sending = asyncio.create_task(signed_in.send(10002, "hi"))
    await script.heard()
    await signed_in.close()
    with pytest.raises(ConnectionLost, match="this client is closed"):
        await sending
    assert [push async for push in signed_in.events()] == []
    await signed_in.close()
    assert script.is_closed


async def test_a_failing_send_is_an_exception(script: Script, signed_in: Client) -> None:
    """A transport that cannot send raises at once, and the call is not waited for."""
    script.is_closed = True
    with pytest.raises(ConnectionLost, match="the script has ended"):
        await signed_in.send(10002, "hi")


async def test_what_cannot_be_written_is_refused_before_it_is_sent(signed_in: Client) -> None:
    """A text that is no Unicode is our error, not the server's."""
    with pytest.raises(LocalProtocolError, match="cannot be sent as MG"):
        await signed_in.send(10002, "\ud800")


async def test_a_server_that_takes_nothing_is_not_waited_for() -> None:
    """A request that cannot even be sent in time is TimedOut; nothing hangs."""

    class Full(Script):
        async def send(self, data: bytes) -> None:
            await asyncio.Event().wait()

    async with Client(Full(), timeout=0.01) as client:
        with pytest.raises(TimedOut, match="did not take Login within"):
            await client.sign_in(10001, "secret")


async def test_a_request_is_said_once_at_a_time(script: Script, signed_in: Client) -> None:
    """The same request object cannot wait for two answers; afterwards it may be said again."""
    request = CltMsg(seq="7", uin=10001, to=10002, text="hi")
    first = asyncio.create_task(signed_in.call(request))
    await script.answer("RES=0")
    await first
    again = asyncio.create_task(signed_in.call(request))
    said = await script.heard()
    with pytest.raises(LocalProtocolError, match="make another request"):
        await signed_in.call(request)
    script.say(f"VER=1.1&CMD=CLTMSG&SEQ={said.seq}&UIN=10001&RES=0")
    await again


async def test_oddities_are_told_in_words(script: Script) -> None:
    """Whoever shows the client to a person is told what was odd, with nothing raw in it."""
    told: list[str] = []
    async with Client(script, odd=told.append) as client:
        script.say("nonsense\x1b[31m PS=5EBE2294")
        script.say("VER=1.1&CMD=CLTMSG&SEQ=7&UIN=10001&RES=0")
        script.say("VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=10&UN=10002")
        await anext(client.events())
    assert len(told) == 2
    assert told[0].startswith("the server said what cannot be read: ")
    assert "\x1b" not in told[0]
    assert "5EBE2294" not in told[0]
    assert told[1] == "the server answers a question nobody asked: CLTMSG, SEQ=7"


async def test_a_server_that_talks_nonsense_only_is_left(script: Script, client: Client) -> None:
    """A hundred lines of nonsense are borne, then the connection ends with the reason."""
    for number in range(101):
        script.say(f"nonsense {number}")
    with pytest.raises(RemoteProtocolError, match=r"talks nonsense; the last was: .*nonsense 100"):
        await anext(client.events())


async def test_closing_can_be_given_up(script: Script) -> None:
    """Who cancels it, as a deadline does, is heard; the connection is closed all the same."""
    exchange = Exchange(script, timeout=5.0, odd=print)
    await asyncio.sleep(0)
    closing = asyncio.create_task(exchange.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert script.is_closed
