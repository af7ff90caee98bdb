"""The live view: who may see it, what they see, and that it holds nothing up."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browsing import WEB, Answer, Browser
from kqq.errors import StoreError
from kqq.server.operators import Role
from kqq.server.tap import LONGEST, Tap
from kqq.server.web.wire import MOST_WATCHERS, NOT_ALLOWED, PATH, QUEUE, View, Wanted
from stage import JULIET, PARIS, ROMEO, WAIT, XP, ManualClock, Stage, request

HEAD = f"VER=1.4&CON=1&CMD=CLTMSG&SEQ=201&UIN={ROMEO}&SID=&XP={XP}&UN={JULIET}"


class Eye:
    """Somebody who watches; `frames` are those that came."""

    def __init__(self, stage: Stage, socket: "aiohttp.ClientWebSocketResponse[Any]") -> None:
        self.frames: list[dict[str, Any]] = []
        self.socket = socket
        self._stage = stage
        self._hearing = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        async for frame in self.socket:
            self.frames.append(json.loads(frame.data))

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Let the server's clock go on until something is so."""
        async with asyncio.timeout(WAIT):
            while not is_so():
                self._stage.clock.advance(0.06)
                await asyncio.sleep(0.002)

    async def lines(self, count: int) -> list[str]:
        """Return the next lines, so many, when they have come."""
        await self.until(lambda: len(self.frames) >= count)
        lines = [frame["line"] for frame in self.frames]
        self.frames.clear()
        assert len(lines) == count
        return lines

    async def ends(self) -> int | None:
        """Return the code by which the server closes, once it has."""
        await self.until(self._hearing.done)
        await self._hearing
        return self.socket.close_code

    async def wish(self, **wanted: object) -> None:
        """Ask for some lines only, and return when the server knows."""
        await self.socket.send_str(json.dumps(wanted))
        await self.socket.send_str("?")
        await self.until(lambda: any("error" in frame for frame in self.frames))
        self.frames.clear()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server with a door for browsers; Romeo is its administrator, Juliet a moderator."""
    async with Stage(
        tmp_path / "data", listen=(WEB,), commands_burst=100_000, messages_burst=100_000,
        inbox_limit=10_000,
    ) as stage:  # fmt: skip
        stage.add(ROMEO, JULIET)
        stage.add(PARIS)
        await stage.server._operators.add(ROMEO, Role.ADMINISTRATOR)
        await stage.server._operators.add(JULIET, Role.MODERATOR)
        yield stage


@pytest.fixture
async def romeo(stage: Stage) -> AsyncIterator[Browser]:
    """Romeo's browser, signed in."""
    async with Browser(stage.server.web[0].url) as browser:
        assert (await browser.sign_in(ROMEO)).status == 200
        yield browser


@pytest.fixture
async def eye(stage: Stage, romeo: Browser) -> Eye:
    """Romeo's live view."""
    return await watch(stage, romeo)


async def watch(stage: Stage, browser: Browser, query: str = "", **headers: str) -> Eye:
    """Return the live view of a browser."""
    socket = await browser.session.ws_connect(
        browser.url + PATH + query, headers={**browser.headers, **headers}
    )
    return Eye(stage, socket)


async def refused(browser: Browser, query: str = "", **headers: str) -> Answer:
    """Return why there is no live view."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    return await browser.get(PATH + query, headers={**upgrade, **headers})


def seen_by(stage: Stage) -> bool:
    """Return whether anybody watches."""
    return stage.server._services.tap.is_watched


# --- what is seen --------------------------------------------------------------------------------


async def test_lines_come_as_they_go_by(stage: Stage, eye: Eye) -> None:
    """With date, number, address, way; texts hidden, secrets masked."""
    wire = stage.connect(("192.0.2.7", 50000))
    await wire.ask(request("Query_Stat2", ROMEO, "CM=2&UN=0"))
    said, answered = await frames(eye, 2)
    assert said == {
        "at": pytest.approx(stage.clock.date(), abs=10), "uin": ROMEO, "peer": "192.0.2.7:50000",
        "over": "tcp", "way": "in",
        "line": f"VER=1.4&CON=1&CMD=Query_Stat2&SEQ=201&UIN={ROMEO}&SID=&XP={XP}&CM=2&UN=0",
    }  # fmt: skip
    assert answered["way"] == "out"
    assert answered["line"] == f"VER=1.1&CMD=QUERY_STAT2&SEQ=201&UIN={ROMEO}&RES=20"
    romeo = await stage.sign_in(ROMEO)
    login, welcome = await eye.lines(2)
    assert "&PS=***&" in login
    assert "&SG=***&SSG=***" in welcome
    await romeo.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hello"))
    assert await eye.lines(2) == [
        f"{HEAD}&MG=•••5", f"VER=1.1&CMD=CLTMSG&SEQ=201&UIN={ROMEO}&RES=0"
    ]  # fmt: skip


async def frames(eye: Eye, count: int) -> list[dict[str, Any]]:
    """Return the next frames, so many."""
    await eye.until(lambda: len(eye.frames) >= count)
    found = eye.frames[:count]
    eye.frames.clear()
    return found


async def test_lines_of_browsers_are_seen(stage: Stage, eye: Eye, romeo: Browser) -> None:
    """They are lines like all others."""
    lines = await romeo.talk()
    await lines.sign_in(ROMEO)
    found = await frames(eye, 2)
    assert [(one["over"], one["way"], one["uin"]) for one in found] == [
        ("web", "in", ROMEO), ("web", "out", ROMEO),
    ]  # fmt: skip
    assert found[0]["peer"].startswith("127.0.0.1:")
    await lines.close()


async def test_texts_are_shown_to_who_asks_and_that_is_a_deed(
    stage: Stage, romeo: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the log of what operators did; to watch without texts is not."""
    caplog.set_level(logging.INFO, "kqq.web")
    (await (await watch(stage, romeo, "?texts=hide")).socket.close())
    assert stage.server._operators.deeds() == []
    eye = await watch(stage, romeo, "?texts=show")
    (deed,) = stage.server._operators.deeds()
    assert (deed.who, deed.action, deed.arguments, deed.outcome) == (
        str(ROMEO), "wire", {"texts": "show"}, "",
    )  # fmt: skip
    assert f"watches who={ROMEO} texts=show" in caplog.text
    await stage.connect().ask(f"{HEAD}&MG=hello%2c world")
    assert (await eye.lines(2))[0] == f"{HEAD}&MG=hello%2c world"


async def test_what_is_no_line_of_a_phone_is_seen_too(stage: Stage, eye: Eye) -> None:
    """Bytes in front of a line are counted; who nobody says they are is nobody."""
    wire = stage.connect()
    await wire.transport.send(b"\x00\x41VER=1.1&CMD=Dance&SEQ=1&UIN=x\n\xff\xfe\x00\r\n")
    await stage.idle()
    first, *_ = await frames(eye, 2)
    assert (first["junk"], first["uin"]) == (2, None)
    assert first["line"] == "VER=1.1&CMD=Dance&SEQ=1&UIN=x"


async def test_only_what_is_wished_for_comes(stage: Stage, eye: Eye) -> None:
    """By number, command, way; all of them must fit, null is any, the last wish counts."""
    wire = stage.connect()

    async def say_all() -> None:
        for uin in (ROMEO, JULIET):
            for command in ("Query_Stat2", "GetMsgEx"):
                await wire.ask(request(command, uin))

    await eye.wish(uin=JULIET, command="getmsgex", way="out")
    await say_all()
    assert await eye.lines(1) == [f"VER=1.1&CMD=GETMSGEX&SEQ=201&UIN={JULIET}&RES=20"]
    await eye.wish(uin=ROMEO, command=None)
    await say_all()
    assert len(await eye.lines(4)) == 4
    await eye.wish(way="in")
    await say_all()
    assert len(await eye.lines(4)) == 4
    await eye.wish(uin=PARIS)
    await say_all()
    await eye.wish()
    await wire.say("VER=1.4&CON=1&SEQ=1")
    assert await eye.lines(1) == ["•••19"]
    await eye.wish(command="CLTMSG")
    await wire.say("VER=1.4&CON=1&SEQ=1")
    await say_all()
    await eye.wish()
    assert eye.frames == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("?", "this is no JSON; send an object with uin (a number)"),
        ("[" * 1000, "this is no JSON"),
        ("[]", "send an object with uin"),
        ('{"who": 1}', "send an object with uin"),
        ('{"uin": "1"}', "uin must be a number, or null"),
        ('{"uin": true}', "uin must be a number, or null"),
        ('{"command": ""}', "command must be a name such as CLTMSG, or null"),
        ('{"command": "é"}', "command must be a name"),
        ('{"command": 1}', "command must be a name"),
        ('{"way": "up"}', "way must be in, out or null"),
        ('{"way": []}', "way must be in, out or null"),
    ],
)
def test_wishes_that_cannot_be_read(said: str, why: str) -> None:
    """It is said what is wrong."""
    with pytest.raises(ValueError, match="^" + why.replace("(", r"\(").replace(")", r"\)")):
        Wanted.read(said)


async def test_who_wishes_for_nonsense_is_told(stage: Stage, eye: Eye) -> None:
    """And goes on watching what was wished for before; bytes are nonsense, too."""
    await eye.wish(command="GetMsgEx")
    await eye.socket.send_bytes(b"{}")
    found = await frames(eye, 1)
    assert found[0]["error"] == "bad_request"
    wire = stage.connect()
    await wire.ask(request("Query_Stat2", ROMEO))
    await wire.ask(request("GetMsgEx", ROMEO))
    assert len(await eye.lines(2)) == 2


# --- it holds nothing up -------------------------------------------------------------------------


async def test_more_than_can_be_read_is_left_out(stage: Stage, eye: Eye) -> None:
    """Where lines are missing it is said how many; what comes later is there."""
    wire = await stage.sign_in(ROMEO)
    await eye.lines(2)
    await wire.say(*(request("Query_Stat2", ROMEO, seq=seq) for seq in range(1000)))
    await stage.idle()
    wire.waiting()
    await eye.until(lambda: any("lost" in frame for frame in eye.frames))
    lines = [frame for frame in eye.frames if "line" in frame]
    lost = sum(frame["lost"] for frame in eye.frames if "lost" in frame)
    assert len(lines) + lost == 2000
    assert lost > 500
    eye.frames.clear()
    await wire.ask(request("Query_Stat2", ROMEO))
    assert len(await eye.lines(2)) == 2


class Nobody:
    """At the other end."""

    over = "tcp"

    def __str__(self) -> str:
        return "192.0.2.1:5"


def test_lines_and_gaps_come_in_order() -> None:
    """What waits is bounded in number and length; a gap stands where lines are missing."""
    tap = Tap()
    view = View(ManualClock(), tap, shows_texts=True)
    assert list(view.take(10)) == []
    for number in range(QUEUE + 3):
        tap.saw(Nobody(), None, "in", f"VER=1.1&CMD=Dance&SEQ={number}".encode())
    assert [frame["line"][-1] for frame in view.take(2)] == ["0", "1"]
    tap.saw(Nobody(), ROMEO, "out", b"VER=1.1&CMD=DANCE&XX=" + b"x" * 10 * LONGEST)
    tap.saw(Nobody(), ROMEO, "out", b"VER=1.1&CMD=Waltz")
    *_, last, gap, long = view.take(QUEUE)
    assert last["line"].endswith(f"SEQ={QUEUE - 1}")
    assert gap == {"lost": 3}
    assert len(long["line"]) < LONGEST + 10
    assert list(view.take(0)) == []
    assert list(view.take(1)) == [{"lost": 1}]
    assert list(view.take(1)) == []
    view.close()
    assert not tap.is_watched


async def test_who_goes_away_sees_nothing_more(stage: Stage, eye: Eye) -> None:
    """In good order or not."""
    assert seen_by(stage)
    await eye.socket.close()
    await eye.until(lambda: not seen_by(stage))


async def test_who_is_cut_off_sees_nothing_more(stage: Stage, eye: Eye) -> None:
    """A connection may break while lines are written to it."""
    wire = stage.connect()
    eye.socket._response.connection.transport.abort()  # type: ignore[union-attr]
    while seen_by(stage):
        await wire.ask(request("Query_Stat2", ROMEO))
        stage.clock.advance(0.06)
        await asyncio.sleep(0.001)
    with suppress(aiohttp.ClientError):
        await eye.ends()


# --- who may -------------------------------------------------------------------------------------


async def test_only_administrators_may(stage: Stage, romeo: Browser) -> None:
    """Nobody, moderators, and pages of elsewhere may not; nothing is watched then."""
    async with Browser(romeo.url) as nobody, Browser(romeo.url) as juliet:
        answer = await refused(nobody)
        assert (answer.status, answer.code) == (401, "signed_out")
        await juliet.sign_in(JULIET)
        answer = await refused(juliet)
        assert (answer.status, answer.code) == (403, "role")
    answer = await refused(romeo, Origin="http://evil.example")
    assert (answer.status, answer.code) == (403, "origin")
    assert not seen_by(stage)


async def test_programs_may_with_a_token(stage: Stage, romeo: Browser) -> None:
    """One of an administrator; until it is revoked."""
    _, token = await stage.server._operators.add_token("eye", Role.ADMINISTRATOR, 1)
    _, low = await stage.server._operators.add_token("low", Role.OBSERVER, 1)
    async with Browser(romeo.url) as program:
        answer = await refused(program, Authorization=f"Bearer {low}")
        assert (answer.status, answer.code) == (403, "role")
        del program.headers["Origin"]  # which programs have not
        eye = await watch(stage, program, "?texts=show", Authorization=f"Bearer {token}")
        assert stage.server._operators.deeds()[0].who == "token eye"
        await stage.server._operators.revoke_token("eye")
        assert await eye.ends() == NOT_ALLOWED


async def test_who_may_no_more_is_cut_off(stage: Stage, romeo: Browser, eye: Eye) -> None:
    """Within ten seconds after the role is taken away, or the browser signed out."""
    again = await watch(stage, romeo)
    await stage.advance(5)
    await stage.server._operators.add(PARIS, Role.ADMINISTRATOR)
    await stage.server._operators.add(ROMEO, Role.MODERATOR)
    began = stage.clock.now()
    assert await eye.ends() == NOT_ALLOWED
    assert await again.ends() == NOT_ALLOWED
    assert stage.clock.now() - began < 10.5
    assert not seen_by(stage)


async def test_who_may_watch_must_be_known(
    stage: Stage, eye: Eye, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the database cannot be read, nobody is shown anything."""

    def fail(uin: int) -> Role:
        raise StoreError("cannot read: no disk")

    monkeypatch.setattr(type(stage.server._operators), "role_of", lambda _, uin: fail(uin))
    assert await eye.ends() == aiohttp.WSCloseCode.INTERNAL_ERROR


async def test_not_too_many_watch(stage: Stage, romeo: Browser) -> None:
    """Each costs something."""
    eyes = [await watch(stage, romeo) for _ in range(MOST_WATCHERS)]
    answer = await refused(romeo)
    assert (answer.status, answer.code) == (503, "busy")
    await eyes[0].socket.close()
    await eyes[1].until(lambda: len(stage.server._services.tap._watchers) < MOST_WATCHERS)
    await watch(stage, romeo)


@pytest.mark.parametrize("query", ["?texts=all", "?texts=show&uin=10001", "?who=me"])
async def test_what_cannot_be_asked_for(romeo: Browser, query: str) -> None:
    """A slip is told."""
    answer = await refused(romeo, query)
    assert (answer.status, answer.code) == (400, "bad_request")


async def test_it_is_spoken_over_a_websocket(stage: Stage, romeo: Browser) -> None:
    """Whoever merely asks for it is told so, and it is no deed."""
    answer = await romeo.get(f"{PATH}?texts=show")
    assert (answer.status, answer.code) == (400, "bad_request")
    assert stage.server._operators.deeds() == []
    assert not seen_by(stage)


async def test_a_server_that_stops_says_so(stage: Stage, eye: Eye) -> None:
    """It waits for nobody long."""
    assert stage.server._web_door is not None
    await stage.server._web_door.close()
    assert await eye.ends() == aiohttp.WSCloseCode.GOING_AWAY
    assert not seen_by(stage)
