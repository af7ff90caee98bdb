"""Lines over a WebSocket: as those of a phone, for who is signed in with the browser."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest

from browsing import WEB, Browser, Lines
from kqq.server.phones import Phone
from kqq.server.web.chat import (
    ENDED,
    LONGEST_FRAME,
    NOT_A_LINE,
    PATH,
    SIGNED_IN_ELSEWHERE,
    SIGNED_OUT,
)
from stage import JULIET, PARIS, ROMEO, WAIT, Stage, request, sign_in_line


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server with a door for browsers; Romeo and Juliet are friends, Paris is nobody's."""
    async with Stage(tmp_path / "data", listen=(WEB,)) as stage:
        stage.add(ROMEO, JULIET)
        stage.add(PARIS)
        yield stage


@pytest.fixture
async def romeo(stage: Stage) -> AsyncIterator[Browser]:
    """Romeo's browser, signed in."""
    async with Browser(stage.server.web[0].url) as browser:
        assert (await browser.sign_in(ROMEO)).status == 200
        yield browser


async def settled(stage: Stage) -> None:
    """Let what goes over real sockets arrive, with the clock of the server going on."""
    for _ in range(20):
        await asyncio.sleep(0.002)
        stage.clock.advance(0.06)


async def closed(lines: Lines) -> int | None:
    """Return the code by which the server closes."""
    while await lines.hear():
        pass
    return lines.socket.close_code


async def test_a_browser_talks_to_a_phone(stage: Stage, romeo: Browser) -> None:
    """Both ways, with the words of phones."""
    lines = await romeo.talk()
    assert "&UIN=10001&RES=0&RS=0&HI=60" in await lines.sign_in(ROMEO)
    juliet = await stage.sign_in(JULIET)
    assert "CMD=update_stat" in await lines.hear()
    reply = await lines.message(ROMEO, JULIET, "你好 %26 hello")
    assert "CMD=CLTMSG" in reply
    assert "&RES=0" in reply
    pushed = await juliet.hear()
    assert "&UN=10001&" in pushed
    assert pushed.endswith("&MG=你好 %26 hello")
    reply = await juliet.ask(request("CLTMSG", JULIET, "UN=10001&MG=早"))
    assert "&RES=0" in reply
    push = await lines.hear()
    assert push.startswith("VER=")
    assert push.endswith("MG=早")


async def test_nobody_needs_a_password_twice_and_nobody_gets_another_number(
    stage: Stage, romeo: Browser
) -> None:
    """What the line says of a password is not looked at; of a number it is."""
    lines = await romeo.talk()
    refused = await lines.sign_in(JULIET)
    assert "&UIN=10002&RES=0&RS=1" in refused
    assert stage.server._services.sessions.of(JULIET) is None
    assert "&RES=20" in await lines.message(JULIET, ROMEO, "x")
    assert "&RES=0&RS=0&" in await lines.sign_in(ROMEO, "F" * 32)


async def test_who_is_not_signed_in_gets_no_lines(stage: Stage) -> None:
    """Without a cookie, with a page of elsewhere, without saying where the page is from."""
    async with Browser(stage.server.web[0].url) as nobody:
        for headers, status in (({}, 401), ({"Origin": "http://evil.example"}, 403)):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await nobody.talk(**headers)
            assert refused.value.status == status
        del nobody.headers["Origin"]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await nobody.talk()
        assert refused.value.status == 403


async def test_signing_the_browser_out_ends_its_lines(stage: Stage, romeo: Browser) -> None:
    """The session ends as well; the journal says why."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    assert (await romeo.post("/api/sign-out")).status == 200
    assert await closed(lines) == SIGNED_OUT
    await settled(stage)
    assert stage.server._services.sessions.of(ROMEO) is None


async def test_who_signs_in_elsewhere_ends_the_lines(stage: Stage, romeo: Browser) -> None:
    """At once, and by a code of its own; so does an operator, but not who signs out."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    phone = await stage.sign_in(ROMEO)
    assert await closed(lines) == SIGNED_IN_ELSEWHERE
    again = await romeo.talk()
    await again.sign_in(ROMEO)
    assert "&RES=20" in await phone.ask(request("Query_Stat2", ROMEO))
    stage.server._services.sessions.kick(ROMEO, f"kicked: {'小波' * 60}")
    assert await closed(again) == ENDED
    third = await romeo.talk()
    await third.sign_in(ROMEO)
    await third.sign_in(ROMEO)
    assert "CMD=LOGOUT" in await third.ask(request("Logout", ROMEO))
    assert "&RES=0&RS=0&" in await third.sign_in(ROMEO)


async def test_what_a_frozen_page_was_sent_is_kept(stage: Stage, romeo: Browser) -> None:
    """However long it says nothing: only what it confirms is delivered."""
    juliet = await stage.sign_in(JULIET)
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    await juliet.ask(request("CLTMSG", JULIET, "UN=10001&MG=one", seq=300))
    first = await lines.hear()
    number = int(first.partition("SEQ=")[2].partition("&")[0])
    for _ in range(20):
        await settled(stage)
        stage.clock.advance(900)
    assert stage.store.count_messages(ROMEO, 10) == 1
    await lines.ask(request("GetMsgEx", ROMEO, seq=number))
    await settled(stage)
    assert stage.store.count_messages(ROMEO, 10) == 0


async def test_with_another_password_the_lines_lead_nowhere(stage: Stage, romeo: Browser) -> None:
    """The visit is over, whoever has changed it: the connection that is open signs nobody in."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    await stage.store.change_account(ROMEO, proof="scrypt$14$8$1$00$00")
    stage.server._services.sessions.kick(ROMEO, "the password was changed")
    assert await closed(lines) == ENDED
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await romeo.talk()
    assert refused.value.status == 401


async def test_a_password_changed_beside_the_server(stage: Stage, romeo: Browser) -> None:
    """Nobody tells the server, and still the connection signs nobody in again."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    await stage.store.change_account(ROMEO, proof="scrypt$14$8$1$00$00")
    assert "&RES=0&RS=1" in await lines.sign_in(ROMEO)


async def test_what_a_connection_leaves_behind(stage: Stage, romeo: Browser) -> None:
    """Nothing: it is counted no more, and watches its visit no more."""
    server = stage.server
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    assert server._services.metrics.connections_open == 1
    assert server._inside.count("127.0.0.1") == 1
    await lines.close()
    await settled(stage)
    assert server._services.metrics.connections_open == 0
    assert server._inside.count("127.0.0.1") == 0
    assert server._visits._watching == {}


async def test_the_journal_says_that_the_browser_was_signed_out(
    stage: Stage, romeo: Browser
) -> None:
    """It is why the connection ended."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    await romeo.post("/api/sign-out")
    await closed(lines)
    (attempt,) = [
        attempt
        for attempt in stage.server._services.journal.of_uin(ROMEO)
        if attempt.is_signed_in or "signed_out" in str(attempt.as_object())
    ]
    assert "signed_out" in str(attempt.as_object())


async def test_frames_are_not_packed_and_a_silent_browser_is_asked(
    tmp_path: Path,
) -> None:
    """Packing costs more memory than a browser; one that is gone is found out by pings."""
    async with Stage(tmp_path / "data", listen=(WEB,), heartbeat=1) as stage:
        stage.add(ROMEO)
        async with Browser(stage.server.web[0].url) as browser:
            await browser.sign_in(ROMEO)
            socket = await browser.session.ws_connect(
                browser.url + PATH, headers=browser.headers, compress=15, autoping=False
            )
            assert socket.compress == 0
            async with asyncio.timeout(WAIT):
                assert (await socket.receive()).type is aiohttp.WSMsgType.PING
            await socket.close()


async def test_the_suspended_are_told_so(stage: Stage, romeo: Browser) -> None:
    """As a phone is."""
    lines = await romeo.talk()
    await stage.store.change_account(ROMEO, suspended="noise")
    assert "RA=Account suspended" in await lines.sign_in(ROMEO)


async def test_deleted_meanwhile(stage: Stage, romeo: Browser) -> None:
    """Nobody is signed in any more."""
    lines = await romeo.talk()
    await stage.store.delete_account(ROMEO)
    assert "&RES=0&RS=1" in await lines.sign_in(ROMEO)


async def test_messages_are_confirmed_and_come_again(stage: Stage, romeo: Browser) -> None:
    """A page that was closed before it confirmed is given again what it was given."""
    juliet = await stage.sign_in(JULIET)
    await juliet.ask(request("CLTMSG", JULIET, "UN=10001&MG=one", seq=300))
    await juliet.ask(request("CLTMSG", JULIET, "UN=10001&MG=two", seq=301))
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    first, second = await lines.hear(), await lines.hear()
    assert first.endswith("MG=one")
    number = first.partition("SEQ=")[2].partition("&")[0]
    assert len(number) == 10
    await lines.ask(request("GetMsgEx", ROMEO, seq=int(number)))
    await lines.close()
    await settled(stage)
    again = await romeo.talk()
    await again.sign_in(ROMEO)
    assert await again.hear() == second


async def test_a_frame_is_one_line(stage: Stage, romeo: Browser) -> None:
    """Anything else ends the connection."""
    assert stage.server.web
    for frame in ("two\nlines", "two\rlines", b"bytes"):
        lines = await romeo.talk()
        if isinstance(frame, bytes):
            await lines.socket.send_bytes(frame)
        else:
            await lines.say(frame)
        assert await closed(lines) == NOT_A_LINE
    lines = await romeo.talk()
    await lines.say("x" * (LONGEST_FRAME + 1))
    assert await closed(lines) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_nonsense_ends_it_as_with_a_phone(stage: Stage, romeo: Browser) -> None:
    """What was answered before is heard first."""
    assert stage.server.web
    lines = await romeo.talk()
    for _ in range(stage.config.nonsense_limit + 1):
        await lines.say("nonsense")
    assert await closed(lines) == aiohttp.WSCloseCode.GOING_AWAY


async def test_bytes_that_are_no_utf8_reach_a_browser(stage: Stage, romeo: Browser) -> None:
    """Old phones write such; a frame cannot hold them, so they are marked."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    juliet = await stage.sign_in(JULIET)
    assert "CMD=update_stat" in await lines.hear()
    await juliet.say(request("CLTMSG", JULIET, "UN=10001&MG=a\udcffb"))
    assert (await lines.hear()).endswith("MG=a\N{REPLACEMENT CHARACTER}b")


async def test_a_browser_that_does_not_read_is_cut_off(stage: Stage, romeo: Browser) -> None:
    """What it left unread is still there for the next."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    juliet = await stage.sign_in(JULIET)
    below = lines.socket._conn.transport  # type: ignore[union-attr]
    assert below is not None
    below.pause_reading()
    text = "x" * 15_000
    (phone,) = [
        guest
        for guest in stage.server._guests
        if isinstance(guest, Phone) and guest._context.peer.over == "web"
    ]
    for count in range(900):
        await juliet.ask(request("CLTMSG", JULIET, f"UN=10001&MG={text}", seq=400 + count))
        stage.clock.advance(0.2)
        await asyncio.sleep(0)
        if phone._is_full:
            break
    assert phone._is_full
    assert phone._transport.get_write_buffer_size() > len(text)
    waiting = stage.store.count_messages(ROMEO, 1000)
    assert waiting > 0
    stage.clock.advance(stage.config.slow_reader_time + 1)
    await settled(stage)
    assert stage.server._services.sessions.of(ROMEO) is None
    assert stage.store.count_messages(ROMEO, 1000) > 0


async def unread(stage: Stage, lines: Lines) -> Phone:
    """Have a browser read nothing until its messages do not leave the server any more."""
    below = lines.socket._conn.transport  # type: ignore[union-attr]
    assert below is not None
    below.pause_reading()
    juliet = await stage.sign_in(JULIET)
    (phone,) = [
        guest
        for guest in stage.server._guests
        if isinstance(guest, Phone) and guest._context.peer.over == "web"
    ]
    for count in range(900):
        text = request("CLTMSG", JULIET, f"UN=10001&MG={'x' * 15_000}", seq=400 + count)
        await juliet.ask(text)
        stage.clock.advance(0.2)
        await asyncio.sleep(0)
        if phone._is_full:
            break
    assert phone._is_full
    return phone


async def test_who_is_signed_out_need_not_read_that(stage: Stage, romeo: Browser) -> None:
    """The session ends at once, the connection two seconds later; nobody is obeyed meanwhile."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    phone = await unread(stage, lines)
    await stage.server._visits.end_all(ROMEO)
    assert stage.server._services.sessions.of(ROMEO) is None
    await lines.say(request("Query_Stat2", ROMEO))
    await settled(stage)
    stage.clock.advance(3)
    await settled(stage)
    assert phone not in stage.server._guests


async def test_who_goes_without_having_read_leaves_nothing(stage: Stage, romeo: Browser) -> None:
    """Neither a session nor a connection, though more was said before it went."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    phone = await unread(stage, lines)
    for _ in range(3):
        await lines.say(request("Query_Stat2", ROMEO, seq=lines.number()))
    await settled(stage)
    lines.socket._conn.transport.abort()  # type: ignore[union-attr]
    await settled(stage)
    stage.clock.advance(stage.config.slow_reader_time + 1)
    await settled(stage)
    assert stage.server._services.sessions.of(ROMEO) is None
    assert phone not in stage.server._guests


async def test_frames_with_nothing_in_them(stage: Stage, romeo: Browser) -> None:
    """Some are for seeing whether the other is alive; a flood of them ends the connection."""
    assert stage.server.web
    lines = await romeo.talk()
    await lines.socket.ping(b"alive?")
    assert "&RES=0&RS=0&" in await lines.sign_in(ROMEO)
    for _ in range(120):
        await lines.say("")
    assert await closed(lines) == NOT_A_LINE
    again = await romeo.talk()
    for _ in range(120):
        await again.socket.ping()
    assert await closed(again) == NOT_A_LINE


async def test_pictures_of_others_are_not_answered_here(stage: Stage, romeo: Browser) -> None:
    """Nor shown: who reads one would be signed in with somebody else's password."""
    juliet = stage.connect(("127.0.0.1", 50000))
    for _ in range(3):
        await juliet.ask(sign_in_line(JULIET, password="0" * 32))
    assert "CMD=VERIFYCODE" in await juliet.ask(sign_in_line(JULIET))
    waiting = stage.server._services.captchas._waiting
    letters = waiting[JULIET, "127.0.0.1"].letters
    answer = f"VER=1.4&CON=1&CMD=VERIFYCODE&SEQ=1&UIN={JULIET}&SC=1&VC={{}}"
    lines = await romeo.talk()
    for word in ("XXXX", letters):
        told = await lines.ask(answer.format(word))
        assert "RS=1" in told
        assert "CMD=VERIFYCODE" not in told
    assert stage.server._services.sessions.of(JULIET) is None
    assert "&RES=0&RS=0&" in await juliet.ask(answer.format(letters))


async def test_a_slow_browser_gets_all_in_the_end(stage: Stage, romeo: Browser) -> None:
    """It is written to again once it reads."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    juliet = await stage.sign_in(JULIET)
    below = lines.socket._conn.transport  # type: ignore[union-attr]
    assert below is not None
    below.pause_reading()
    for count in range(300):
        await juliet.ask(request("CLTMSG", JULIET, f"UN=10001&MG={count:05}{'x' * 15_000}",
                                 seq=400 + count))  # fmt: skip
        stage.clock.advance(0.2)
    below.resume_reading()
    assert "CMD=update_stat" in await lines.hear()
    for count in range(300):
        heard = await lines.hear()
        assert f"MG={count:05}x" in heard


async def test_who_says_too_much_is_read_later(stage: Stage, romeo: Browser) -> None:
    """As with a phone; nothing is lost."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    count = stage.config.commands_burst + 20
    for _ in range(count):
        await lines.say(request("Query_Stat2", ROMEO, seq=lines.number()))
    heard = 0
    async with asyncio.timeout(WAIT):
        while heard < count:
            stage.clock.advance(0.1)
            try:
                async with asyncio.timeout(0.01):
                    frame = await lines.socket.receive()
            except TimeoutError:
                continue
            assert "CMD=QUERY_STAT2" in frame.data
            heard += 1


async def test_when_the_server_stops_it_says_so(stage: Stage, romeo: Browser) -> None:
    """And the cookie is still good after a restart."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    (door,) = stage.server.web
    stopping = asyncio.ensure_future(stage.server.close())
    assert await closed(lines) == aiohttp.WSCloseCode.GOING_AWAY
    stage.clock.advance(5)
    await stopping
    object.__setattr__(stage.config, "listen", (door,))
    await stage.start()
    again = await romeo.talk()
    assert "&RES=0&RS=0&" in await again.sign_in(ROMEO)


async def test_so_many_connections_from_an_address(tmp_path: Path) -> None:
    """Those of WebSockets count among all, and leave room when they end."""
    async with Stage(tmp_path / "data", listen=(WEB,), connections_per_address=6) as stage:
        stage.add(ROMEO, JULIET)
        async with Browser(stage.server.web[0].url) as browser:
            await browser.sign_in(ROMEO)
            kept = [await browser.talk() for _ in range(2)]
            more = await asyncio.gather(*(browser.talk() for _ in range(6)), return_exceptions=True)
            assert any(isinstance(one, aiohttp.ClientError) for one in more)
            kept += [one for one in more if isinstance(one, Lines)]
            for lines in kept:
                await lines.close()
            await settled(stage)
            again = await browser.talk()
            assert "&RES=0&RS=0&" in await again.sign_in(ROMEO)
        await settled(stage)


async def test_a_broken_connection_ends_the_session(stage: Stage, romeo: Browser) -> None:
    """However it broke."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    below = lines.socket._conn.transport  # type: ignore[union-attr]
    assert below is not None
    below.abort()
    await settled(stage)
    assert stage.server._services.sessions.of(ROMEO) is None
    assert stage.server._services.metrics.connections["web"] == 1


async def test_the_connection_as_a_phone_has_it(stage: Stage, romeo: Browser) -> None:
    """It is read until it is paused or closed; what is written then goes nowhere."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    (phone,) = [guest for guest in stage.server._guests if isinstance(guest, Phone)]
    transport = phone._transport
    assert transport.is_reading()
    transport.pause_reading()
    assert not transport.is_reading()
    await lines.say(request("Query_Stat2", ROMEO))
    transport.resume_reading()
    assert "CMD=QUERY_STAT2" in await lines.hear()
    transport.close()
    transport.close()
    transport.pause_reading()
    transport.write(b"VER=1.1&CMD=never\r\n")
    assert transport.is_closing()
    assert await closed(lines) == aiohttp.WSCloseCode.GOING_AWAY


async def test_those_behind_a_proxy_are_counted_by_who_they_are(tmp_path: Path) -> None:
    """The proxy itself may have as many connections as it likes."""
    async with Stage(
        tmp_path / "data", listen=(WEB,), connections_per_address=1,
        web_behind=(ip_network("127.0.0.0/8"),),
    ) as stage:  # fmt: skip
        stage.add(ROMEO)
        async with Browser(stage.server.web[0].url) as browser:
            await browser.sign_in(ROMEO)
            here = {"X-Forwarded-For": "192.0.2.1"}
            lines = await browser.talk(**here)
            await lines.close()
            await settled(stage)
            again = await browser.talk(**here)
            assert "&RES=0&RS=0&" in await again.sign_in(ROMEO)
            assert stage.server._inside.count("192.0.2.1") == 1
            await again.close()
