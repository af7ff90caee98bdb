"""The client library against a scripted server, line by line, and against the real one."""

import asyncio
from pathlib import Path

import pytest

from kqq.client import Added, Client, Friend
from kqq.client.client import Session
from kqq.errors import (
    CaptchaWanted,
    ConfigError,
    ConnectionLost,
    KQQError,
    NoSuchNumber,
    NotSignedIn,
    Refused,
    SignInRefused,
    UnexpectedReply,
)
from kqq.protocol import (
    Line,
    Push,
    ServerMsg,
    Status,
    UpdateStat,
)
from kqq.server import Config, Listen, Server
from kqq.server.accounts import add_account
from kqq.server.friends import make_friends
from script import Script

MD5 = "5EBE2294ECD0E0F08EAB7690D2A6EE69"


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
    assert len(request.seq) == 10  # pushes will be confirmed
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


async def test_change_status_and_sign_out(script: Script, signed_in: Client) -> None:
    """Both wait for their reply; after the sign-out nobody is signed in."""
    changing = asyncio.create_task(signed_in.change_status(Status.BUSY))
    assert "&ST=50" in ((await script.answer("RES=0")).line or Line("")).text
    await changing
    leaving = asyncio.create_task(signed_in.sign_out())
    await script.answer("RES=0")
    await leaving
    assert signed_in.uin is None


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


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(0, Added.DONE), (1, Added.ASK), (2, Added.REFUSED), (3, Added.REFUSED)],
)
async def test_adding_has_three_answers(
    script: Script, signed_in: Client, code: int, outcome: Added
) -> None:
    """Both codes for a refusal are one (CS11 PHPQ)."""
    adding = asyncio.create_task(signed_in.add(10003))
    request = await script.answer(f"RES=0&CD={code}")
    assert (request.line or Line("")).text.endswith("&UN=10003")
    assert await adding is outcome


async def test_an_unknown_answer_to_adding_is_an_exception(
    script: Script, signed_in: Client
) -> None:
    """It names the codes that are known."""
    adding = asyncio.create_task(signed_in.add(10003))
    await script.answer("RES=0&CD=9")
    with pytest.raises(UnexpectedReply, match="with CD=9; known are 0"):
        await adding


@pytest.mark.parametrize(
    ("name", "words", "fields"),
    [
        ("request", ("hello, I am Anna",), "&UN=10003&CD=2&RS=hello%2c I am Anna"),
        ("accept", (), "&UN=10003&CD=0&RS="),
        ("refuse", ("no",), "&UN=10003&CD=1&RS=no"),
        ("delete", (), "&UN=10003"),
    ],
)
async def test_making_and_losing_friends(
    script: Script, signed_in: Client, name: str, words: tuple[str, ...], fields: str
) -> None:
    """Each goes out as the phones said it, with a SEQ of ten digits: it must not be done twice."""
    doing = asyncio.create_task(getattr(signed_in, name)(10003, *words))
    request = await script.answer("RES=0")
    assert (request.line or Line("")).text.endswith(fields)
    assert len(request.seq) == 10
    await doing


async def test_a_profile_is_asked_for_with_its_level(script: Script, signed_in: Client) -> None:
    """The reply has the words as people typed them."""
    asking = asyncio.create_task(signed_in.profile(10002, 1))
    request = await script.answer("RES=0&LV=1&UN=10002&NK=小波")
    assert (request.line or Line("")).text.endswith("&LV=1&UN=10002")
    assert (await asking).nick == "小波"


async def test_searching_finds_people(script: Script, signed_in: Client) -> None:
    """Only what is given is asked for; the parallel lists become people."""
    asking = asyncio.create_task(signed_in.search(age="20", sex="1"))
    request = await script.answer("RES=0&FC=270,3,&FN=1&SN=2&UN=10002,10003,&NK=Ann,小波,")
    assert (request.line or Line("")).text.endswith("&AG=20&SX=1")
    assert await asking == [Friend(10002, "Ann", 270), Friend(10003, "小波", 3)]


async def test_a_session_id_is_carried_on(script: Script, client: Client) -> None:
    """A SID in the answer to the sign-in stands in later commands (SEED)."""
    signing = asyncio.create_task(client.sign_in(10001, "secret"))
    await script.answer("RES=0&RS=0&HI=60&LI=300&SID=abc123", "Login")
    await signing
    asking = asyncio.create_task(client.statuses())
    request = await script.answer("RES=0&FN=1&SN=0&ST=&UN=")
    assert "&SID=abc123&XP=C4CA4238A0B92382&" in (request.line or Line("")).text
    await asking


class Posts(Script):
    """A script that is a server over HTTP."""

    pushes = False


class Pause:
    """A sleep that lasts until the test says so."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        """Wait for the test."""
        self.asked.put_nowait(seconds)
        self.over.clear()
        await self.over.wait()


async def over_http() -> tuple[Posts, Pause, Client]:
    """Return a client signed in over HTTP, whose first poll is under way."""
    script, pause = Posts(), Pause()
    client = Client(script, sleep=pause)
    signing = asyncio.create_task(client.sign_in(10001, "secret"))
    request = await script.answer("RES=0&RS=0&HI=60&LI=300", "Login")
    assert (request.line or Line("")).text.startswith("VER=1.4&CON=0&CMD=Login&")
    await signing
    return script, pause, client


async def test_over_http_news_are_asked_for() -> None:
    """What an answer brings are the pushes that a connection would have brought."""
    script, _pause, client = await over_http()
    request = await script.answer("RES=0&MN=3&MT=9,99,2,&UN=10002,10003,10004,&MG=a%2c b,30,hi,")
    assert request.command == "GetMsgEx"
    events = client.events()
    assert await anext(events) == ServerMsg(seq="0", uin=10001, sender=10002, text="a, b")
    assert await anext(events) == UpdateStat(seq="0", uin=10001, status=30, number=10003)
    wish = await anext(events)
    assert isinstance(wish, ServerMsg)
    assert (wish.type, wish.sender) == (2, 10004)
    await client.close()


async def test_over_http_the_pace_slows_down_and_quickens_again() -> None:
    """Nothing new: ever later; a message sent: at once, since somebody may answer."""
    script, pause, client = await over_http()
    waits = []
    for _ in range(12):
        await script.answer("RES=0&MN=0")
        waits.append(await pause.asked.get())
        pause.over.set()
    assert waits == sorted(waits)
    assert waits[-1] == 15.0
    await script.answer("RES=0&MN=0")
    await pause.asked.get()
    sending = asyncio.create_task(client.send(10002, "hi"))
    await script.answer("RES=0")
    await sending
    assert (await script.answer("RES=0&MN=0")).command == "GetMsgEx"
    assert await pause.asked.get() == 1.0
    await client.close()


async def test_over_http_lists_that_are_not_parallel_end_the_connection() -> None:
    """Which text is whose cannot be known then."""
    script, _pause, client = await over_http()
    await script.answer("RES=0&MN=2&MT=9,9,&UN=10002,&MG=a,b,")
    with pytest.raises(UnexpectedReply, match="2 types, 1 numbers and 2 texts"):
        await _next(client)
    await client.close()


async def test_over_http_a_session_goes_on_over_another_connection() -> None:
    """The question whose answer was lost is asked again in the very same words."""
    script, _pause, client = await over_http()
    lost = await script.heard()
    script.say("")
    with pytest.raises(ConnectionLost):
        await _next(client)
    assert client.session is not None
    again = Posts()
    async with Client(again, sleep=Pause()) as other:
        going = asyncio.create_task(other.go_on(client.session))
        request = await again.answer("RES=0&MN=1&MT=9,&UN=10002,&MG=x,")
        assert await going
        assert (request.command, request.seq) == ("GetMsgEx", lost.seq)
        assert other.uin == 10001
    await client.close()


async def test_over_http_a_session_that_has_ended_does_not_go_on() -> None:
    """Then somebody must sign in again."""
    script, _pause, client = await over_http()
    await script.answer("RES=0&MN=0")
    session = client.session
    assert session is not None
    again = Posts()
    async with Client(again, sleep=Pause()) as other:
        going = asyncio.create_task(other.go_on(session))
        await again.answer("RES=20")
        assert not await going
        assert other.uin is None
    await client.close()


async def test_on_a_connection_no_session_goes_on(script: Script, client: Client) -> None:
    """A session on a connection ends with it."""
    assert not await client.go_on(Session(10001, "", 60, 300))


async def test_who_gives_up_a_connection_says_why(script: Script, signed_in: Client) -> None:
    """Calls and events raise it."""
    signed_in.end(NotSignedIn("signed in elsewhere", command="", res=20))
    with pytest.raises(NotSignedIn, match="elsewhere"):
        await signed_in.send(10002, "hi")
    with pytest.raises(NotSignedIn, match="elsewhere"):
        await _next(signed_in)


@pytest.mark.parametrize("text", ["9" * 5000, "²", "٣", "", "-1"])
async def test_a_status_that_is_none_is_words(text: str) -> None:
    """Whatever a server calls a status, nothing ends by it."""
    script, _, client = await over_http()
    await script.answer(f"RES=0&MN=1&MT=99,&UN=10002,&MG={text},")
    pushed = await _next(client)
    assert isinstance(pushed, ServerMsg)
    assert pushed.text == text
    await client.close()


@pytest.mark.parametrize(
    ("rest", "why"),
    [
        ("RES=0&NP=50&SN=0&UN=&FC=&NK=", "is empty, but not the last"),
        (f"RES=0&NP=1&SN=1&UN=10002,&FC=0,&NK={'x' * 60000},", "more than 10000000 signs"),
    ],
)
async def test_a_friend_list_that_grows_for_ever_is_an_exception(
    script: Script, signed_in: Client, rest: str, why: str
) -> None:
    """Neither empty pages nor endless names keep us asking."""
    asking = asyncio.create_task(signed_in.friends())
    for page in range(1, 300):
        await script.answer(rest.replace("NP=1&", f"NP={page}&"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if asking.done():
            break
    with pytest.raises(UnexpectedReply, match=why):
        await asking
