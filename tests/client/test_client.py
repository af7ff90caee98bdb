"""The client library against a scripted server, line by line, and against the real one."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kqq.client import Client, Friend
from kqq.errors import (
    CaptchaWanted,
    ConfigError,
    ConnectionLost,
    KQQError,
    LocalProtocolError,
    NoSuchNumber,
    NotSignedIn,
    Refused,
    RemoteProtocolError,
    SignInRefused,
    TimedOut,
    UnexpectedReply,
)
from kqq.protocol import (
    CltMsg,
    Command,
    Line,
    Push,
    Role,
    ServerMsg,
    Status,
    Unreadable,
    UpdateStat,
    decode,
)
from kqq.server import Config, Listen, Server
from kqq.server.accounts import add_account
from kqq.server.friends import make_friends

MD5 = "5EBE2294ECD0E0F08EAB7690D2A6EE69"


class Script:
    """A transport whose other end is the test: it reads requests and says lines."""

    def __init__(self) -> None:
        self._to_client: asyncio.Queue[bytes] = asyncio.Queue()
        self._from_client: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_closed = False
        self.receiving = 0

    async def send(self, data: bytes) -> None:
        """Take a request."""
        if self.is_closed:
            raise ConnectionLost("the script has ended")
        self._from_client.put_nowait(data)

    async def receive(self) -> bytes:
        """Give what was said."""
        self.receiving += 1
        return await self._to_client.get()

    async def close(self) -> None:
        """End."""
        self.is_closed = True

    def say(self, text: str) -> None:
        """Say one line, or end the stream with ""."""
        self._to_client.put_nowait(f"{text}\r\n".encode() if text else b"")

    async def heard(self) -> Command:
        """Return the next request."""
        raw = await self._from_client.get()
        assert raw.endswith(b"\r\n")
        message = decode(Line.decode(raw), Role.CLIENT)
        assert not isinstance(message, Unreadable)
        assert isinstance(message, Command)
        return message

    async def answer(self, rest: str, name: str | None = None) -> Command:
        """Answer the next request with its head and `rest`."""
        request = await self.heard()
        name = name or request.spec.answers[0].spec.command
        self.say(f"VER=1.1&CMD={name}&SEQ={request.seq}&UIN={request.uin}&{rest}")
        return request


@pytest.fixture
async def script() -> Script:
    """A scripted server."""
    return Script()


@pytest.fixture
async def client(script: Script) -> AsyncIterator[Client]:
    """A client connected to the script, not signed in."""
    async with Client(script, timeout=5) as connected:
        yield connected


@pytest.fixture
async def signed_in(script: Script, client: Client) -> Client:
    """A client signed in as 10001."""
    signing = asyncio.create_task(client.sign_in(10001, "secret"))
    await script.answer("RES=0&RS=0&HI=60&LI=300", "Login")
    await signing
    return client


async def _next(client: Client) -> Push:
    """Return the next push."""
    return await anext(client.events())


async def test_sign_in_says_what_the_phone_said(script: Script, client: Client) -> None:
    """The 1.4 sign-in goes out in the captured order, the password as upper-case MD5."""
    signing = asyncio.create_task(client.sign_in(10001, "secret"))
    request = await script.answer("RES=0&RS=0&HI=60&LI=300&SG=00&SSG=1", "Login")
    assert request.line is not None
    assert request.line.text == (
        f"VER=1.4&CON=1&CMD=Login&SEQ={request.seq}&UIN=10001&PS={MD5}&M5=1&LG=0"
        "&LC=812822641C978097&GD=KQQPYTHONCLIENT0&CKE="
    )
    assert 200 <= int(request.seq) < 300
    reply = await signing
    assert (reply.heartbeat, reply.lifetime) == (60, 300)
    assert client.uin == 10001


async def test_hidden_sign_in_asks_for_it(script: Script, client: Client) -> None:
    """A hidden sign-in says LG=40, so that nobody sees one come."""
    signing = asyncio.create_task(client.sign_in(10001, "secret", status=Status.HIDDEN))
    request = await script.answer("RES=0&RS=0", "Login")
    assert "&LG=40&" in (request.line.text if request.line else "")
    await signing


async def test_sign_in_with_another_status_changes_it(script: Script, client: Client) -> None:
    """Any other status is set right after the sign-in."""
    signing = asyncio.create_task(client.sign_in(10001, "secret", status=Status.AWAY))
    await script.answer("RES=0&RS=0", "Login")
    request = await script.answer("RES=0")
    assert request.command == "Change_Stat"
    await signing


@pytest.mark.parametrize(
    ("rest", "error", "words"),
    [
        ("RES=0&RS=1&RA=Password error", SignInRefused, "refuses 10001: Password error"),
        ("RES=0&RS=1", SignInRefused, "no reason given"),
        ("RES=5", NoSuchNumber, "no such number"),
        ("RES=0&SI=10.0.0.1&SP=14000", Refused, "sign in at 10.0.0.1:14000"),
        ("RES=1", Refused, "RES=1"),
    ],
)
async def test_a_refused_sign_in_is_an_exception(
    script: Script, client: Client, rest: str, error: type[KQQError], words: str
) -> None:
    """Each way to refuse has its exception, and nobody is signed in."""
    signing = asyncio.create_task(client.sign_in(10001, "secret"))
    await script.answer(rest, "Login")
    with pytest.raises(error, match=words) as caught:
        await signing
    assert MD5 not in str(caught.value)
    assert client.uin is None
    with pytest.raises(NotSignedIn, match="call sign_in first"):
        await client.friends()


async def test_a_captcha_is_asked_until_it_is_right(script: Script, client: Client) -> None:
    """`ask` gets each picture; the sign-in line answers whatever SEQ it carries."""
    pictures: list[bytes] = []

    async def ask(image: bytes) -> str:
        pictures.append(image)
        return "ABCD"

    signing = asyncio.create_task(client.sign_in(10001, "secret", ask=ask))
    first = await script.answer("RES=0&SC=1&NT=&VC=8950", "VERIFYCODE")
    await script.answer("RES=0&SC=1&NT=&VC=8951", "VERIFYCODE")
    request = await script.heard()
    assert "SID=null&XP=null&SC=2&VC=ABCD" in (request.line.text if request.line else "")
    script.say(f"VER=1.1&CMD=Login&SEQ={first.seq}&UIN=10001&RES=0&RS=0")
    await signing
    assert pictures == [b"\x89P", b"\x89Q"]


async def test_a_captcha_nobody_reads_is_an_exception(script: Script, client: Client) -> None:
    """Without `ask` the exception carries the picture."""
    signing = asyncio.create_task(client.sign_in(10001, "secret"))
    await script.answer("RES=0&SC=1&NT=&VC=8950", "VERIFYCODE")
    with pytest.raises(CaptchaWanted) as caught:
        await signing
    assert caught.value.image == b"\x89P"


async def test_friends_come_from_all_pages(script: Script, signed_in: Client) -> None:
    """Pages are asked for by NP until 65535."""
    asking = asyncio.create_task(signed_in.friends())
    first = await script.answer("RES=0&NP=2&SN=2&UN=10002,10003,&FC=3,0,&NK=Ann,Bo%2c b,")
    second = await script.answer("RES=0&NP=65535&SN=1&UN=10004,&FC=270,&NK=小波,")
    assert await asking == [
        Friend(10002, "Ann", 3),
        Friend(10003, "Bo, b", 0),
        Friend(10004, "小波", 270),
    ]
    starts = [one.line.values()["UN"] if one.line else "" for one in (first, second)]
    assert starts == ["0", "2"]


async def test_statuses_come_from_all_pages(script: Script, signed_in: Client) -> None:
    """Pages are asked for by the last number until FN=1."""
    asking = asyncio.create_task(signed_in.statuses())
    await script.answer("RES=0&FN=0&SN=2&ST=10,30,&UN=10002,10003,")
    second = await script.answer("RES=0&FN=1&SN=1&ST=20,&UN=10004,")
    assert await asking == {10002: 10, 10003: 30, 10004: 20}
    assert second.line is not None
    assert second.line.values()["UN"] == "10003"


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("friends", "RES=0&NP=0&SN=1&UN=10002,&FC=0,&NK=Ann,"),
        ("friends", "RES=0&NP=65535&SN=1&UN=10002,&FC=0,&NK=,Ann,"),
        ("statuses", "RES=0&FN=0&SN=0&ST=&UN="),
        ("statuses", "RES=0&FN=1&SN=1&ST=10,&UN="),
    ],
)
async def test_pages_that_make_no_sense_are_an_exception(
    script: Script, signed_in: Client, method: str, rest: str
) -> None:
    """A server that pages in circles, or sends lists of different lengths, cannot hang us."""
    asking = asyncio.create_task(getattr(signed_in, method)())
    await script.answer(rest)
    with pytest.raises(UnexpectedReply):
        await asking


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


async def test_change_status_and_sign_out(script: Script, signed_in: Client) -> None:
    """Both wait for their reply; after the sign-out nobody is signed in."""
    changing = asyncio.create_task(signed_in.change_status(Status.BUSY))
    assert "&ST=50" in ((await script.answer("RES=0")).line or Line("")).text
    await changing
    leaving = asyncio.create_task(signed_in.sign_out())
    await script.answer("RES=0")
    await leaving
    assert signed_in.uin is None


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


async def test_connect_wants_an_address() -> None:
    """A wrong address is ConfigError before anything is tried."""
    with pytest.raises(ConfigError):
        await Client.connect("127.0.0.1")


async def test_two_clients_chat_through_the_real_server(tmp_path: Path) -> None:
    """The whole of it over TCP: sign in, friends, statuses, messages both ways, sign out."""
    config = Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))
    async with Server(config) as server:
        for uin, nick in ((10001, "Anna"), (10002, "小波")):
            add_account(server.store, uin, nick, "secret", 0)
        make_friends(server.store, 10001, 10002)
        address = str(server.listening[0]).replace("kqq:", "tcp:")
        async with await Client.connect(address) as anna, await Client.connect(address) as bo:
            await anna.sign_in(10001, "secret")
            await anna.send(10002, "while away: & , % = + \r\n 😀")
            await bo.sign_in(10002, "secret")
            pushed = await anext(bo.events())
            assert isinstance(pushed, ServerMsg)
            assert pushed.text == "while away: & , % = + \r\n 😀"
            assert await anna.friends() == [Friend(10002, "小波", 0)]
            assert await anna.statuses() == {10002: Status.ONLINE}
            assert isinstance(await anext(anna.events()), UpdateStat)
            await bo.send(10001, "你好")
            pushed = await anext(anna.events())
            assert isinstance(pushed, ServerMsg)
            assert (pushed.sender, pushed.text) == (10002, "你好")
            await anna.sign_out()
            with pytest.raises(NotSignedIn):
                await anna.send(10002, "gone")


async def test_signs_of_life_tell_of_a_sign_in_elsewhere(script: Script) -> None:
    """Every `heartbeat` seconds the client says something; RES=20 then ends calls and events."""
    async with Client(script, heartbeat=0.01) as client:
        signing = asyncio.create_task(client.sign_in(10001, "secret"))
        await script.answer("RES=0&RS=0&HI=60&LI=300", "Login")
        await signing
        listening = asyncio.create_task(_next(client))
        first = await script.answer("RES=0&FN=1&SN=0&ST=&UN=")
        assert first.command == "Query_Stat2"
        await script.answer("RES=20")
        with pytest.raises(NotSignedIn, match="signed in elsewhere"):
            await listening
        with pytest.raises(NotSignedIn):
            await client.send(10002, "hi")


async def test_signs_of_life_end_with_the_sign_in(script: Script) -> None:
    """After the sign-out nothing more is said."""
    async with Client(script, heartbeat=0.01) as client:
        signing = asyncio.create_task(client.sign_in(10001, "secret"))
        await script.answer("RES=0&RS=0", "Login")
        await signing
        leaving = asyncio.create_task(client.sign_out())
        while (await script.answer("RES=0&FN=1&SN=0&ST=&UN=")).command != "Logout":
            pass
        await leaving
        silence = asyncio.create_task(script.heard())
        await asyncio.sleep(0.03)
        assert not silence.done()
        silence.cancel()
        signing = asyncio.create_task(client.sign_in(10001, "secret"))
        await script.answer("RES=0&RS=0", "Login")
        await signing


@pytest.mark.parametrize("method", ["friends", "statuses"])
async def test_a_friend_list_without_end_is_an_exception(
    script: Script, signed_in: Client, method: str
) -> None:
    """A server that never ends a list cannot fill our memory."""
    asking = asyncio.create_task(getattr(signed_in, method)())
    start = 1
    while True:
        numbers = "".join(f"{start + n}," for n in range(3000))
        listed = f"UN={numbers}&FC={'0,' * 3000}&NK={',' * 3000}"
        stated = f"ST={'10,' * 3000}&UN={numbers}"
        start += 3000
        head = f"RES=0&NP={start}&SN=3000&{listed}" if method == "friends" else ""
        await script.answer(head or f"RES=0&FN=0&SN=3000&{stated}")
        if start > 65535:
            break
    with pytest.raises(UnexpectedReply, match="more than 65535 friends cannot be"):
        await asking


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
