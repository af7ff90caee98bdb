"""Signing in and out: refusals in their words, pictures and their letters, sessions over HTTP."""

import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from kqq.protocol import CaptchaChallenge, Line, Login, Role, decode
from kqq.server import phones, picture
from kqq.server.accounts import password_md5
from kqq.server.config import Listen
from kqq.server.devices import add_device
from kqq.server.handlers import sign_in
from kqq.server.handlers.sign_in import Waiting
from kqq.server.presence import Status
from kqq.server.store import Store
from stage import (
    JULIET,
    MD5,
    PARIS,
    ROMEO,
    MemoryLink,
    Stage,
    Wire,
    request,
    sign_in_line,
)

HOME, WORK = "192.0.2.1", "198.51.100.7"
WRONG = "0" * 32
OVER = pytest.mark.parametrize("over", ["tcp", "http"])
WELCOME = (
    r"VER=1\.1&CMD=Login&SEQ=(\d+)&UIN=(\d+)&RES=0&RS=0&HI=60&LI=300"
    r"&SG=([0-9a-f]{8}00000000[0-9a-f]{48})&SSG=(\d{10})"
)


class Dice:
    """What a server draws from, with a note of it, so that tests can read pictures."""

    def __init__(self) -> None:
        self.drawn: list[bytes] = []
        self._random = random.Random(1)

    def __call__(self, size: int) -> bytes:
        """Return so many bytes."""
        self.drawn.append(self._random.randbytes(size))
        return self.drawn[-1]


class Phone:
    """A client at an address that asks over TCP, always on one connection, or over HTTP."""

    def __init__(self, stage: Stage, over: str, host: str = HOME) -> None:
        self.stage = stage
        self.host = host
        self.wire: Wire | None = stage.connect((host, 50000)) if over == "tcp" else None

    async def ask(self, line: str) -> str:
        """Return the answer to a line."""
        if self.wire is None:
            answer = await self.stage.post(line, self.host)
            assert answer.endswith("\r\n")
            return answer.removesuffix("\r\n")
        answer = await self.wire.ask(line)
        await self.stage.idle()
        return answer

    async def fail(self, times: int, uin: int = ROMEO) -> None:
        """Sign in with a wrong password so many times."""
        for _ in range(times):
            answer = await self.ask(sign_in_line(uin, password=WRONG))
            assert answer.endswith("&RES=0&RS=1&RA=Password error")

    async def see(self, line: str) -> str:
        """Send a line that is answered by a picture; return the letters in it."""
        dice = self.stage.random
        assert isinstance(dice, Dice)
        dice.drawn.clear()
        answer = await self.ask(line)
        challenge = decode(Line(answer), Role.SERVER)
        assert isinstance(challenge, CaptchaChallenge), answer
        taken = iter(dice.drawn)
        letters = picture.pick_letters(lambda _: next(taken))
        assert challenge.image == picture.draw(letters, lambda _: next(taken))
        return letters


def old_line(uin: int, *, ver: str = "1.1", password: str = MD5) -> str:
    """Return the line that signs in with a version before 1.4."""
    licence = "B58D4DF7758A47E7&CKE=0" if ver == "1.3" else "9326B87B234E7235"
    return f"VER={ver}&CMD=Login&SEQ=4321&UIN={uin}&PS={password.lower()}&M5=1&LC={licence}"


def letters_line(uin: int, letters: str, *, seq: int = 246, session: str = "null") -> str:
    """Return the line that answers a picture; phones sent `null` (SOUND), others not (ZN SETM)."""
    return (
        f"VER=1.4&CON=1&CMD=VERIFYCODE&SEQ={seq}&UIN={uin}&SID={session}&XP={session}"
        f"&SC=2&VC={letters}"
    )


def refused(uin: int, reason: str, *, seq: int = 200) -> str:
    """Return the refusal of a sign-in."""
    return f"VER=1.1&CMD=Login&SEQ={seq}&UIN={uin}&RES=0&RS=1&RA={reason}"


def not_these(letters: str) -> str:
    """Return other letters."""
    return letters[:-1] + ("A" if letters[-1] != "A" else "C")


@asynccontextmanager
async def server(folder: Path, **settings: Any) -> AsyncIterator[Stage]:
    """Open a server whose pictures can be read, with Romeo, Juliet and Paris."""
    stage = Stage(folder, **settings)
    stage.random = Dice()
    async with stage:
        stage.add(ROMEO, JULIET)
        stage.add(PARIS)
        yield stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server as it is unless told otherwise."""
    async with server(tmp_path) as stage:
        yield stage


async def at_once(stage: Stage, *lines: str) -> list[str]:
    """Say each line on a connection of its own, all at once, and return what they are answered."""
    wires = [stage.connect((HOME, 50000)) for _ in lines]
    for wire, line in zip(wires, lines, strict=True):
        await wire.say(line)
    return [await wire.hear() for wire in wires]


def set_live(stage: Stage, **settings: Any) -> None:
    """Change settings of a running server."""
    for name, value in settings.items():
        object.__setattr__(stage.config, name, value)


def signed_in(stage: Stage) -> list[int]:
    """Return who is signed in."""
    return [session.uin for session in stage.server._services.sessions.all()]


def steps(stage: Stage, uin: int = ROMEO) -> list[str]:
    """Return what the journal says of all attempts of somebody, without the connections."""
    return [
        taken.step.words.format_map(taken.details)
        for attempt in stage.server._services.journal.of_uin(uin)
        for taken in attempt.steps
        if taken.step.name not in {"CONNECTED", "DISCONNECTED"}
    ]


# --- what is answered ----------------------------------------------------------------------------


@OVER
async def test_sign_in_1_4(stage: Stage, over: str) -> None:
    """1.4 gets SG, 64 hex digits, zeros at 9 to 16, and SSG, a number of 32 bits; new each time."""
    phone = Phone(stage, over)
    seen = set()
    for _ in range(3):
        found = re.fullmatch(WELCOME, await phone.ask(sign_in_line(ROMEO, seq=245)))
        assert found is not None
        assert (found[1], found[2]) == ("245", "10001")
        assert int(found[4]) < 2**32
        seen.add(found[3])
    assert len(seen) == 3
    assert signed_in(stage) == [ROMEO]
    assert stage.server._services.metrics.sign_ins["accepted"] == 3


@OVER
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3"])
async def test_sign_in_before_1_4(stage: Stage, version: str, over: str) -> None:
    """Older versions get COMP."""
    assert await Phone(stage, over).ask(old_line(ROMEO, ver=version)) == (
        "VER=1.1&CMD=Login&SEQ=4321&UIN=10001&RES=0&RS=0&HI=60&LI=300&COMP=NOKIA8F3A18D6E27"
    )


async def test_times_that_are_told(tmp_path: Path) -> None:
    """HI and LI are settings."""
    async with server(tmp_path, heartbeat=30, lifetime=120) as stage:
        assert "&RS=0&HI=30&LI=120&SG=" in await stage.connect().ask(sign_in_line(ROMEO))


@OVER
async def test_sign_in_refused(stage: Stage, over: str) -> None:
    """A wrong password is RS=1 with SET_MQQ's words, nobody's number RES=5."""
    phone = Phone(stage, over)
    wrong = sign_in_line(ROMEO, seq=7, password=WRONG)
    assert await phone.ask(wrong) == refused(ROMEO, "Password error", seq=7)
    for uin in (99, 10000, 10**19):
        assert await phone.ask(sign_in_line(uin, seq=8)) == (
            f"VER=1.1&CMD=Login&SEQ=8&UIN={uin}&RES=5"
        )
    assert signed_in(stage) == []
    assert steps(stage) == ["the password is wrong"]
    assert steps(stage, 99) == ["nobody has this number"]
    counts = stage.server._services.metrics.sign_ins
    assert (counts["wrong_password"], counts["unknown"]) == (1, 3)


@OVER
async def test_password_that_is_no_md5(stage: Stage, over: str) -> None:
    """What a phone cannot have sent is a wrong password, whosever number it is."""
    answer = await Phone(stage, over).ask(sign_in_line(ROMEO, password="secret"))
    assert answer == refused(ROMEO, "Password error")


def test_reasons_are_shown_whole() -> None:
    """Some clients cut a value at its second `=`, others show escapes as they are."""
    reasons = [
        sign_in.PASSWORD_ERROR, sign_in.SLOW_DOWN, sign_in.NO_PICTURE, sign_in.BUSY,
        sign_in.SUSPENDED, sign_in.EXPIRED,
    ]  # fmt: skip
    assert reasons[0] == "Password error"
    for reason in reasons:
        assert not set("=%&,\r\n") & set(reason)
        assert reason.isascii()
    assert not any("Password error" in reason for reason in reasons[1:])


async def test_wrong_password_keeps_the_session(stage: Stage) -> None:
    """Who is signed in stays so, whatever is tried on the connection."""
    romeo = await stage.sign_in(ROMEO)
    assert "&RS=1&" in await romeo.ask(sign_in_line(ROMEO, password=WRONG))
    assert "&RES=5" in await romeo.ask(sign_in_line(99))
    assert "&RES=0&" in await romeo.ask(request("Query_Stat2", ROMEO))


@OVER
async def test_sign_in_when_too_many_wait(tmp_path: Path, over: str) -> None:
    """When too many passwords wait to be checked, a sign-in is refused; that counts as nothing."""
    async with server(tmp_path, sign_ins_burst=1) as stage:
        phone = Phone(stage, over)
        set_live(stage, hashes_waiting=0)
        for _ in range(3):
            answer = await phone.ask(sign_in_line(ROMEO))
            assert answer == refused(ROMEO, "Server busy; try again")
        assert steps(stage) == ["too many passwords were waiting to be checked"]
        set_live(stage, hashes_waiting=1)
        assert re.fullmatch(WELCOME, await phone.ask(sign_in_line(ROMEO)))


async def test_sign_in_on_a_connection_that_ended(stage: Stage) -> None:
    """Who is gone before the password was checked is not signed in, over TCP and HTTP."""
    await stage.slow_down(ROMEO)
    line = sign_in_line(ROMEO)
    post = f"POST / HTTP/1.1\r\nContent-Length: {len(line)}\r\n\r\n{line}"
    for data in (f"{line}\r\n", post):
        link = stage.link((HOME, 50000))
        await link.send(data.encode())
        await stage.password_is_being_checked()
        link.reset()
        await stage.idle()
        assert signed_in(stage) == []


async def test_connection_that_is_over_is_not_signed_in(stage: Stage) -> None:
    """Even where the end of the connection does not stop the check."""
    handler: Callable[..., Any] = sign_in.login
    wire = await stage.sign_in(JULIET)
    context = wire.link.server._protocol._context  # type: ignore[attr-defined]
    message = decode(Line(sign_in_line(ROMEO)), Role.CLIENT)
    assert isinstance(message, Login)
    context.is_closed = True
    assert (await handler(context, message)).res == 1
    assert signed_in(stage) == [JULIET]
    context.is_closed = False


@pytest.mark.parametrize(
    ("fields", "seen"),
    [("LG=0", 10), ("LG=40", 20), ("LG=0&ST=30", 30), ("LG=0&ST=40", 20), ("LG=40&ST=10", 20),
     ("LG=0&ST=20", 20), ("LG=0&ST=11", 10), ("LG=0&ST=", 10), ("LG=&ST=50", 50)],
)  # fmt: skip
@OVER
async def test_status_to_begin_with(stage: Stage, fields: str, seen: int, over: str) -> None:
    """LG=40 hides, ST names a status, anything else is online."""
    juliet = await stage.sign_in(JULIET)
    answer = await Phone(stage, over).ask(sign_in_line(ROMEO).replace("LG=0", fields))
    assert "&RS=0&" in answer
    await stage.idle()
    pushed = [] if seen == 20 else [f"ST={seen}&UN=10001"]
    assert [line.split("&", 5)[5] for line in juliet.waiting()] == pushed
    assert await juliet.ask(request("Query_Stat2", JULIET, "CM=2&UN=0")) == (
        f"VER=1.1&CMD=QUERY_STAT2&SEQ=201&UIN=10002&RES=0&FN=1&SN=1&ST={seen},&UN=10001,"
    )


async def test_last_seen_is_noted_once_an_hour(stage: Stage) -> None:
    """SET_MQQ signs in before every call; the disk is not asked each time."""
    started = stage.clock.date()
    for minutes, noted in ((0, started), (59, started), (2, started + 61 * 60 + 2)):
        await stage.advance(minutes * 60)
        await stage.sign_in(ROMEO)
        await stage.advance(1)
        account = stage.store.account(ROMEO)
        assert account is not None
        assert account.last_seen == noted


# --- who is suspended ----------------------------------------------------------------------------


@OVER
async def test_suspended(stage: Stage, over: str) -> None:
    """Only who knows the password is told; for others it is wrong, as any is."""
    await stage.store.change_account(ROMEO, suspended="has sent spam")
    phone = Phone(stage, over)
    assert await phone.ask(sign_in_line(ROMEO)) == refused(ROMEO, "Account suspended")
    await phone.fail(1)
    assert steps(stage) == ["the account is suspended: has sent spam", "the password is wrong"]
    assert stage.server._services.limits.failures.debt(HOME) == 0.0
    assert stage.server._services.metrics.sign_ins["suspended"] == 1
    assert signed_in(stage) == []
    await stage.store.change_account(ROMEO, suspended=None)
    assert "&RS=0&" in await phone.ask(sign_in_line(ROMEO))


# --- limits --------------------------------------------------------------------------------------


@OVER
async def test_failures_of_an_address(tmp_path: Path, over: str) -> None:
    """Beyond so many no password is checked, nor is it told which numbers there are."""
    async with server(tmp_path, captcha="never", sign_ins_burst=3, sign_ins_rate=0.1) as stage:
        phone, other = Phone(stage, over), Phone(stage, over, WORK)
        await phone.fail(2)
        assert "&RES=5" in await phone.ask(sign_in_line(99))
        slow_down = "Too many tries; wait some minutes"
        for uin, password in ((ROMEO, MD5), (ROMEO, WRONG), (99, MD5)):
            answer = await phone.ask(sign_in_line(uin, password=password))
            assert answer == refused(uin, slow_down)
        assert stage.server._services.metrics.sign_ins["limited"] == 3
        assert steps(stage)[-1] == (
            "was refused by a limit: too many sign-ins from this address failed"
        )
        assert "&RS=0&" in await other.ask(sign_in_line(ROMEO))
        # What is known elsewhere is not told here, or it could be guessed at any speed.
        assert await phone.ask(sign_in_line(ROMEO)) == refused(ROMEO, slow_down)
        device = await device_md5(stage.store, ROMEO)
        assert "&RS=0&" in await phone.ask(sign_in_line(ROMEO, password=device))
        assert await phone.ask(sign_in_line(JULIET)) == refused(JULIET, slow_down)
        await stage.advance(10.0)
        assert "&RS=0&" in await phone.ask(sign_in_line(JULIET))


async def test_who_succeeds_pays_nothing(tmp_path: Path) -> None:
    """All behind one address can sign in, at once too, as long as their passwords are right."""
    async with server(tmp_path, sign_ins_burst=1) as stage:
        answers = await at_once(stage, *map(sign_in_line, (ROMEO, JULIET, PARIS)))
        assert all("&RS=0&" in answer for answer in answers)
        assert "&RS=0&" in await stage.post(sign_in_line(ROMEO))


async def test_failures_at_once_are_paid_for_later(tmp_path: Path) -> None:
    """Guessing on many connections at once gets a few guesses more, and a long wait for them."""
    async with server(tmp_path, captcha="never", sign_ins_burst=2, sign_ins_rate=1.0) as stage:
        answers = await at_once(stage, *[sign_in_line(ROMEO, password=WRONG)] * 6)
        told = [answer.partition("&RA=")[2] for answer in answers]
        assert sorted(told) == ["Password error"] * 3 + ["Server busy; try again"] * 3
        for seconds in (0.0, 1.0):
            await stage.advance(seconds)
            answer = await stage.post(sign_in_line(ROMEO))
            assert answer.endswith("&RA=Too many tries; wait some minutes\r\n")
        await stage.advance(1.0)
        assert "&RS=0&" in await stage.post(sign_in_line(ROMEO))


async def test_who_leaves_before_the_answer_has_failed(tmp_path: Path) -> None:
    """Or the server could be kept busy for nothing."""
    async with server(tmp_path, sign_ins_burst=1, sign_ins_rate=0.01) as stage:
        await stage.slow_down(ROMEO)
        link = stage.link((HOME, 50000))
        await link.send(f"{sign_in_line(ROMEO)}\r\n".encode())
        await stage.password_is_being_checked()
        link.reset()
        await stage.idle()
        assert (await stage.post(sign_in_line(JULIET))).endswith("wait some minutes\r\n")


async def test_failures_of_an_ipv6_network_are_its_own(tmp_path: Path) -> None:
    """One machine has all addresses of a /64."""
    async with server(tmp_path, captcha="never", sign_ins_burst=1) as stage:
        await Phone(stage, "http", "2001:db8::1").fail(1)
        answer = await Phone(stage, "http", "2001:db8::2").ask(sign_in_line(ROMEO))
        assert answer.endswith("&RA=Too many tries; wait some minutes")
        await Phone(stage, "http", "2001:db8:0:1::1").fail(1)


async def test_failures_of_a_number(tmp_path: Path) -> None:
    """Ten addresses together keep a number from being tried; who is known comes in."""
    async with server(tmp_path, captcha="never", sign_ins_burst=1, sign_ins_rate=0.01) as stage:
        known = Phone(stage, "http", "192.0.2.99")
        assert "&RS=0&" in await known.ask(sign_in_line(ROMEO))
        for host in range(10):
            await Phone(stage, "http", f"192.0.2.{host}").fail(1)
        answer = await Phone(stage, "http", "192.0.2.50").ask(sign_in_line(ROMEO, password=WRONG))
        assert answer.endswith("&RA=Too many tries; wait some minutes")
        assert "with this number failed" in steps(stage)[-1]
        assert "&RS=0&" in await known.ask(sign_in_line(ROMEO))
        assert "&RS=0&" in await Phone(stage, "http", "192.0.2.51").ask(sign_in_line(JULIET))


@OVER
async def test_hidden_people_stay_hidden(tmp_path: Path, over: str) -> None:
    """Who signs in once more in the same place, without saying a status, is not seen by it."""
    async with server(tmp_path) as stage:
        phone = Phone(stage, over)
        presence = stage.server._services.presence
        await phone.ask(sign_in_line(ROMEO, lg=40))
        await phone.ask(sign_in_line(ROMEO))
        assert presence.own(ROMEO) is Status.HIDDEN
        await phone.ask(sign_in_line(ROMEO).replace("&LG=0", "&LG=0&ST=10"))
        assert presence.own(ROMEO) is Status.ONLINE
        await Phone(stage, over, WORK).ask(sign_in_line(ROMEO))
        assert presence.own(ROMEO) is Status.ONLINE


# --- pictures ------------------------------------------------------------------------------------


@OVER
async def test_pictures_never(tmp_path: Path, over: str) -> None:
    """With `never` no number of failures brings one."""
    async with server(tmp_path, captcha="never") as stage:
        phone = Phone(stage, over)
        await phone.fail(20)
        assert "&RS=0&" in await phone.ask(old_line(ROMEO))
        assert re.fullmatch(WELCOME, await phone.ask(sign_in_line(ROMEO)))


@OVER
async def test_pictures_after_failures(stage: Stage, over: str) -> None:
    """After three wrong passwords a picture comes; its letters finish the sign-in."""
    phone = Phone(stage, over)
    await phone.fail(3)
    letters = await phone.see(sign_in_line(ROMEO, seq=245))
    assert signed_in(stage) == []
    assert (await phone.ask(request("Query_Stat2", ROMEO))).endswith("&RES=20")
    found = re.fullmatch(WELCOME, await phone.ask(letters_line(ROMEO, letters, seq=246)))
    assert found is not None
    assert (found[1], found[2]) == ("246", "10001")  # OURS: the SEQ of the answer
    assert "&RES=0&FN=1&" in await phone.ask(request("Query_Stat2", ROMEO))
    assert signed_in(stage) == [ROMEO]
    assert steps(stage)[-5:] == [
        "the password is wrong",
        "was shown a captcha",
        "sent Query_Stat2 without being signed in",
        "the answer to the captcha is right",
        "signed in",
    ]
    # Who has read one, and who signed in, needs none for a while; others need one.
    assert "&RS=0&" in await phone.ask(sign_in_line(ROMEO))
    metrics = stage.server._services.metrics
    assert dict(metrics.captchas) == {"shown": 1, "right": 1, "wrong": 0, "expired": 0}
    assert metrics.sign_ins["captcha"] == 1


@OVER
async def test_challenge_line(stage: Stage, over: str) -> None:
    """The hex stands at 7 and last, lower case; the whole is small enough for one read."""
    phone = Phone(stage, over)
    await phone.fail(3)
    answer = await phone.ask(sign_in_line(ROMEO, seq=245))
    parts = answer.split("&")
    assert parts[:7] == [
        "VER=1.1", "CMD=VERIFYCODE", "SEQ=245", "UIN=10001", "RES=0", "SC=1", "NT=",
    ]  # fmt: skip
    assert re.fullmatch("VC=89504e470d0a1a0a[0-9a-f]+", parts[7])
    assert len(parts) == 8
    assert len(answer) < 1448  # bytes of a TCP segment


@OVER
async def test_pictures_always(tmp_path: Path, over: str) -> None:
    """With `always` everybody reads one; after a success none for a while, as SET_MQQ needs."""
    async with server(tmp_path, captcha="always", captcha_grace=600.0) as stage:
        phone = Phone(stage, over)
        letters = await phone.see(sign_in_line(ROMEO))
        assert "&RS=0&" in await phone.ask(letters_line(ROMEO, letters.lower()))
        for _ in range(3):
            await stage.advance(599.0)
            assert "&RS=0&" in await phone.ask(sign_in_line(ROMEO))
        await stage.advance(600.0)
        await phone.see(sign_in_line(ROMEO))


@OVER
@pytest.mark.parametrize("session", ["null", "", "C4CA4238A0B92382"])
async def test_wrong_letters_bring_another_picture(tmp_path: Path, over: str, session: str) -> None:
    """Each is another, only the letters of the last are right, and blanks around them are."""
    async with server(tmp_path, captcha="always") as stage:
        phone = Phone(stage, over)
        first = await phone.see(sign_in_line(ROMEO))
        second = await phone.see(letters_line(ROMEO, not_these(first), session=session))
        third = await phone.see(letters_line(ROMEO, first, seq=300))
        assert len({first, second, third}) == 3
        answer = await phone.ask(letters_line(ROMEO, f" {third} ", session=session))
        assert re.fullmatch(WELCOME, answer)
        metrics = stage.server._services.metrics
        assert dict(metrics.captchas) == {"shown": 3, "right": 1, "wrong": 2, "expired": 0}


@OVER
async def test_another_sign_in_brings_another_picture(tmp_path: Path, over: str) -> None:
    """A client that signs in again sees a new one; the letters of the older are wrong."""
    async with server(tmp_path, captcha="always") as stage:
        phone = Phone(stage, over)
        first = await phone.see(sign_in_line(ROMEO))
        second = await phone.see(sign_in_line(ROMEO))
        assert first != second
        assert "&RS=0&" in await phone.ask(letters_line(ROMEO, second))


@OVER
async def test_right_letters_and_a_wrong_password(tmp_path: Path, over: str) -> None:
    """The refusal has the SEQ of the answer, and the next try needs another picture."""
    async with server(tmp_path, captcha="always") as stage:
        phone = Phone(stage, over)
        letters = await phone.see(sign_in_line(ROMEO, password=WRONG))
        answer = await phone.ask(letters_line(ROMEO, letters))
        assert answer == refused(ROMEO, "Password error", seq=246)
        letters = await phone.see(sign_in_line(ROMEO))
        assert "&RS=0&" in await phone.ask(letters_line(ROMEO, letters))


@OVER
async def test_status_wanted_is_kept_while_a_picture_is_read(tmp_path: Path, over: str) -> None:
    """Who signs in hidden is hidden after the picture, too."""
    async with server(tmp_path, captcha="always") as stage:
        phone = Phone(stage, over)
        letters = await phone.see(sign_in_line(ROMEO, lg=40))
        assert "&RS=0&" in await phone.ask(letters_line(ROMEO, letters))
        assert stage.server._services.presence.own(ROMEO).name == "HIDDEN"


@OVER
async def test_letters_that_come_too_late(tmp_path: Path, over: str) -> None:
    """The picture is too old, or there was none: sign in again, says the answer."""
    async with server(tmp_path, captcha="always", captcha_time=100.0) as stage:
        expired = refused(ROMEO, "Picture expired; sign in again", seq=246)
        phone = Phone(stage, over)
        assert await phone.ask(letters_line(ROMEO, "DBVP")) == expired
        letters = await phone.see(sign_in_line(ROMEO))
        await stage.advance(99.0)
        second = await phone.see(letters_line(ROMEO, not_these(letters)))
        await stage.advance(100.0)
        assert await phone.ask(letters_line(ROMEO, second)) == expired
        assert stage.server._services.metrics.captchas["expired"] == 2
        assert steps(stage)[-1] == "the answer to the captcha came too late"
        assert signed_in(stage) == []


@OVER
async def test_letters_twice(tmp_path: Path, over: str) -> None:
    """An answer sent again, since the first seemed lost, is told that all is well."""
    async with server(tmp_path, captcha="always") as stage:
        phone = Phone(stage, over)
        letters = await phone.see(sign_in_line(ROMEO))
        for seq in (246, 247):
            answer = await phone.ask(letters_line(ROMEO, letters, seq=seq))
            found = re.fullmatch(WELCOME, answer)
            assert found is not None
            assert found[1] == str(seq)
        assert stage.server._services.metrics.sign_ins["accepted"] == 1
        await phone.ask(request("Logout", ROMEO))
        assert "&RS=1&" in await phone.ask(letters_line(ROMEO, letters))


async def test_letters_from_elsewhere(tmp_path: Path) -> None:
    """A picture is read where it was shown: over HTTP from any connection, but not by others."""
    async with server(tmp_path, captcha="always") as stage:
        phone = Phone(stage, "http")
        letters = await phone.see(sign_in_line(ROMEO))
        other = Phone(stage, "http", WORK)
        assert (await other.ask(letters_line(ROMEO, letters))).endswith("sign in again")
        assert (await phone.ask(letters_line(JULIET, letters))).endswith("sign in again")
        assert "&RS=0&" in await phone.ask(letters_line(ROMEO, letters))


async def test_pictures_cost_failures(tmp_path: Path) -> None:
    """Each that is shown counts until it is read, so nobody has them drawn without end."""
    async with server(tmp_path, captcha="always", sign_ins_burst=3, sign_ins_rate=0.01) as stage:
        phone = Phone(stage, "http")
        letters = await phone.see(sign_in_line(ROMEO))
        for _ in range(2):
            letters = await phone.see(letters_line(ROMEO, not_these(letters)))
        slow_down = "Too many tries; wait some minutes"
        answer = await phone.ask(letters_line(ROMEO, not_these(letters)))
        assert answer == refused(ROMEO, slow_down, seq=246)
        assert await phone.ask(sign_in_line(JULIET)) == refused(JULIET, slow_down)
    async with server(tmp_path / "2", captcha="always", sign_ins_burst=1) as stage:
        phone = Phone(stage, "http")
        for uin in (ROMEO, JULIET, PARIS):
            letters = await phone.see(sign_in_line(uin))
            assert "&RS=0&" in await phone.ask(letters_line(uin, letters))


@OVER
async def test_known_passwords_need_no_picture(stage: Stage, over: str) -> None:
    """Whatever others try: a success not long ago, and the password of a device, go on working."""
    assert "&RS=0&" in await Phone(stage, over, WORK).ask(sign_in_line(ROMEO))
    stranger = Phone(stage, over, "203.0.113.1")
    await stranger.fail(3)
    await stranger.see(sign_in_line(ROMEO, password=WRONG))
    assert "&RS=0&" in await Phone(stage, over, WORK).ask(sign_in_line(ROMEO))
    phone = Phone(stage, over)
    await phone.see(sign_in_line(ROMEO))  # it is not known here
    assert "&RS=0&" in await phone.ask(old_line(ROMEO))  # and nobody failed here
    await stage.advance(800.0)  # that success is forgotten, the failures are not
    await phone.see(sign_in_line(ROMEO))
    device = await device_md5(stage.store, ROMEO)
    assert "&RS=0&" in await phone.ask(sign_in_line(ROMEO, password=device))
    assert "&RS=0&" in await phone.ask(old_line(ROMEO, password=device))


async def device_md5(store: Store, uin: int) -> str:
    """Return what a phone sends for a new device password."""
    return password_md5(await add_device(store, uin, "phone", 0.0, random.Random(2).randbytes))


@OVER
async def test_old_versions_after_failures(stage: Stage, over: str) -> None:
    """Versions without pictures wait until the failures count no more; no password is checked."""
    phone = Phone(stage, over)
    await phone.fail(3)
    answer = "VER=1.1&CMD=Login&SEQ=4321&UIN=10001&RES=0&RS=1&RA=Too many tries; wait some minutes"
    for password in (MD5, WRONG):
        assert await phone.ask(old_line(ROMEO, password=password)) == answer
    assert steps(stage)[-1] == "must read a picture first, which this client cannot show"
    assert "&RS=0&" in await phone.ask(old_line(JULIET))
    await stage.advance(900.0)
    assert "&RS=0&" in await phone.ask(old_line(ROMEO))


@OVER
async def test_old_versions_where_all_must_read(tmp_path: Path, over: str) -> None:
    """With `always` they cannot sign in, not with a device's password either, and are told why."""
    async with server(tmp_path, captcha="always") as stage:
        phone = Phone(stage, over)
        device = await device_md5(stage.store, ROMEO)
        for password in (MD5, device):
            answer = await phone.ask(old_line(ROMEO, password=password))
            assert answer == refused(ROMEO, "This client cannot show the picture", seq=4321)
        letters = await phone.see(sign_in_line(ROMEO, password=device))
        assert "&RS=0&" in await phone.ask(letters_line(ROMEO, letters))


@OVER
async def test_unknown_numbers_bring_pictures_as_well(stage: Stage, over: str) -> None:
    """Whoever tries many numbers from one address must read, for numbers that there are."""
    phone = Phone(stage, over)
    for uin in range(90, 99):
        assert (await phone.ask(sign_in_line(uin))).endswith("&RES=5")
    await phone.see(sign_in_line(ROMEO))
    assert (await phone.ask(sign_in_line(99))).endswith("&RES=5")


async def test_account_that_is_deleted_meanwhile(tmp_path: Path) -> None:
    """While somebody reads the picture, or while the password is checked."""
    async with server(tmp_path, captcha="always") as stage:
        phone = Phone(stage, "tcp")
        letters = await phone.see(sign_in_line(ROMEO, seq=245))
        await stage.store.delete_account(ROMEO)
        assert await phone.ask(letters_line(ROMEO, letters)) == (
            "VER=1.1&CMD=Login&SEQ=246&UIN=10001&RES=5"
        )


def test_password_is_not_shown_with_what_waits() -> None:
    """Whatever prints a sign-in that waits prints no password."""
    message = decode(Line(sign_in_line(ROMEO)), Role.CLIENT)
    assert isinstance(message, Login)
    assert repr(Waiting(message)) == "Waiting(uin=10001)"


# --- sessions ------------------------------------------------------------------------------------


async def test_somebody_else_on_the_connection(stage: Stage) -> None:
    """Who signs in on another's connection takes it over; the other is signed out."""
    juliet = await stage.sign_in(JULIET)
    wire = await stage.sign_in(ROMEO)
    juliet.waiting()
    assert "&RS=0&" in await wire.ask(sign_in_line(PARIS))
    assert await juliet.hear() == "VER=1.1&CMD=update_stat&SEQ=2&UIN=10002&RES=0&ST=20&UN=10001"
    assert await wire.ask(request("Query_Stat2", ROMEO)) == (
        "VER=1.1&CMD=QUERY_STAT2&SEQ=201&UIN=10001&RES=20"
    )


async def test_several_at_one_address(stage: Stage) -> None:
    """Over HTTP several numbers can be signed in from one address (HACK), each by itself."""
    phone = Phone(stage, "http")
    for uin in (ROMEO, JULIET):
        assert "&RS=0&" in await phone.ask(sign_in_line(uin))
    for uin in (ROMEO, JULIET):
        assert "&RES=0&" in await phone.ask(request("Query_Stat2", uin))
    assert (await phone.ask(request("Query_Stat2", PARIS))).endswith("&RES=20")
    other = Phone(stage, "http", WORK)
    assert (await other.ask(request("Query_Stat2", ROMEO))).endswith("&RES=20")


@pytest.mark.parametrize("first", ["tcp", "http"])
@pytest.mark.parametrize("second", ["tcp", "http"])
async def test_later_sign_in_replaces(stage: Stage, first: str, second: str) -> None:
    """From elsewhere, or in another way from the same address; the older is told by RES=20."""
    juliet = await stage.sign_in(JULIET)
    older = Phone(stage, first)
    assert "&RS=0&" in await older.ask(sign_in_line(ROMEO))
    assert "&ST=10&" in await juliet.hear()
    newer = Phone(stage, second, WORK if first == second == "http" else HOME)
    assert "&RS=0&" in await newer.ask(sign_in_line(ROMEO))
    assert (await older.ask(request("Query_Stat2", ROMEO))).endswith("&RES=20")
    assert "&RES=0&" in await newer.ask(request("Query_Stat2", ROMEO))
    assert juliet.waiting() == []
    assert steps(stage).count(
        f"signed out, because the same number signed in from {newer.host}:50000"
    ) == 1  # fmt: skip
    # ... and it can come back at once (ZNQQ does so whenever it sees RES=20)
    assert "&RS=0&" in await older.ask(sign_in_line(ROMEO))
    assert (await newer.ask(request("Query_Stat2", ROMEO))).endswith("&RES=20")


async def test_silence_ends_a_session_over_http(stage: Stage) -> None:
    """After LI seconds; any command that can be read renews it, of whichever version."""
    juliet = await stage.sign_in(JULIET)
    phone = Phone(stage, "http")
    assert "&RS=0&" in await phone.ask(sign_in_line(ROMEO))
    for line in (
        request("Query_Stat2", ROMEO),
        f"VER=1.1&CMD=GetMsgEx&SEQ=1&UIN={ROMEO}",
        request("Dance", ROMEO),
    ):
        await stage.advance(299.0)
        assert not (await phone.ask(line)).endswith("&RES=20")
    juliet.waiting()
    await stage.advance(300.0)
    assert [line.split("&", 5)[5] for line in juliet.waiting()] == ["ST=20&UN=10001"]
    assert (await phone.ask(request("Query_Stat2", ROMEO))).endswith("&RES=20")
    assert steps(stage)[-2:] == [
        "the session expired, because nothing came for too long",
        "sent Query_Stat2 without being signed in",
    ]


async def test_signing_in_before_every_call(stage: Stage) -> None:
    """COMPAT(SET_MQQ): friends are told once, and the session of five minutes begins anew."""
    juliet = await stage.sign_in(JULIET)
    phone = Phone(stage, "http")
    for _ in range(10):
        await stage.advance(100.0)
        assert "&RS=0&" in await phone.ask(sign_in_line(ROMEO))
        assert "&RES=0&" in await phone.ask(request("Query_Stat2", ROMEO))
    assert len([line for line in juliet.waiting() if "update_stat" in line]) == 1
    assert stage.server._services.metrics.refused == {}


async def test_addresses_that_count_as_one(tmp_path: Path) -> None:
    """Behind a gateway whose address changes, a session and a picture are found all the same."""
    network = ip_network("198.51.100.0/24")
    async with server(tmp_path, captcha="always", same_address=(network,)) as stage:
        letters = await Phone(stage, "http", "198.51.100.7").see(sign_in_line(ROMEO))
        answer = await Phone(stage, "http", "198.51.100.8").ask(letters_line(ROMEO, letters))
        assert "&RS=0&" in answer
        line = request("Query_Stat2", ROMEO)
        assert "&FN=1&" in await Phone(stage, "http", "198.51.100.9").ask(line)
        assert (await Phone(stage, "http", HOME).ask(line)).endswith("&RES=20")


# --- signing out ---------------------------------------------------------------------------------


@OVER
async def test_sign_out(stage: Stage, over: str) -> None:
    """It is answered alike with and without a session, and for another's number."""
    phone = Phone(stage, over)
    await phone.ask(sign_in_line(ROMEO))
    assert await phone.ask(request("Logout", PARIS)) == "VER=1.1&CMD=LOGOUT&SEQ=201&UIN=10003&RES=0"
    assert signed_in(stage) == [ROMEO]
    for _ in range(2):
        assert await phone.ask(request("Logout", ROMEO)) == (
            "VER=1.1&CMD=LOGOUT&SEQ=201&UIN=10001&RES=0"
        )
        assert signed_in(stage) == []
        assert steps(stage) == ["signed in", "signed out"]
    assert (await phone.ask(request("Query_Stat2", ROMEO))).endswith("&RES=20")


async def test_sign_out_of_who_was_replaced(stage: Stage) -> None:
    """It ends nothing, and is no sign-out for the journal."""
    older = await stage.sign_in(ROMEO)
    await stage.sign_in(ROMEO)
    assert (await older.ask(request("Logout", ROMEO))).endswith("&RES=0")
    assert signed_in(stage) == [ROMEO]
    assert "signed out" not in steps(stage)


async def test_sign_out_from_elsewhere(stage: Stage) -> None:
    """Over HTTP nobody can sign somebody else out."""
    await Phone(stage, "http").ask(sign_in_line(ROMEO))
    assert "&RES=0" in await Phone(stage, "http", WORK).ask(request("Logout", ROMEO))
    assert signed_in(stage) == [ROMEO]


async def test_sign_out_without_a_journal(stage: Stage) -> None:
    """A session need not have been noted."""
    wire = await stage.sign_in(ROMEO)
    session = stage.server._services.sessions.of(ROMEO)
    assert session is not None
    session.attempt = None
    assert (await wire.ask(request("Logout", ROMEO))).endswith("&RES=0")
    assert signed_in(stage) == []


# --- the door that sends elsewhere ---------------------------------------------------------------

FRONT = Listen("0.0.0.0", 21001)


async def at_front(stage: Stage, line: str) -> str:
    """Ask at the door that sends elsewhere."""
    wire = Wire(MemoryLink(stage.server.visitor(FRONT), (HOME, 50000)))
    answer = await wire.ask(line)
    await wire.close()
    await stage.idle()
    return answer


async def test_sent_elsewhere(stage: Stage) -> None:
    """COMPAT(GAE): 1.3 is told where to sign in, by the first door without TLS; others may stay."""
    services = stage.server._services
    services.redirectors.append(FRONT)
    services.doors[:] = [Listen("0.0.0.0", 14443, "kqqs"), Listen("0.0.0.0", 14000)]
    redirect = "VER=1.1&CMD=Login&SEQ=4321&UIN=10001&RES=0&SI={}&SP=14000"
    line = old_line(ROMEO, ver="1.3")
    assert await at_front(stage, line) == redirect.format("127.0.0.1")
    set_live(stage, advertise="kqq.example")
    assert await at_front(stage, line) == redirect.format("kqq.example")
    assert signed_in(stage) == []
    assert "&RS=0&" in await stage.connect().ask(line)  # that is another door
    assert "&RS=0&" in await at_front(stage, old_line(ROMEO, ver="1.1"))
    assert "&RS=0&" in await at_front(stage, sign_in_line(ROMEO))


async def test_nowhere_to_send_to(stage: Stage) -> None:
    """Where all other doors are ones that no phone of the time can use, it signs in here."""
    services = stage.server._services
    services.redirectors.append(FRONT)
    services.doors[:] = [Listen("0.0.0.0", 14443, "kqqs")]
    assert "&RS=0&" in await at_front(stage, old_line(ROMEO, ver="1.3"))


# --- who a browser vouches for -------------------------------------------------------------------


async def vouched(stage: Stage, whom: int | None, uin: int = ROMEO) -> str:
    """Return what a sign-in is answered where a browser has signed in as `whom`."""
    wire = stage.connect((HOME, 50000))
    await wire.ask(request("Logout", uin))  # it is a phone from then on
    (phone,) = [guest for guest in stage.server._guests if isinstance(guest, phones.Phone)]
    phone.vouch_for(lambda: whom, lambda _: None)
    answer = await wire.ask(sign_in_line(uin, password=WRONG))
    await wire.close()
    await stage.idle()
    return answer


async def test_no_password_is_asked_for_twice(stage: Stage) -> None:
    """Whom the browser is signed in as gets in, whatever the line says of a password."""
    assert "&RES=0&RS=0&" in await vouched(stage, ROMEO)


@pytest.mark.parametrize("whom", [JULIET, None, 10999])
async def test_vouched_for_is_nobody_else(stage: Stage, whom: int | None) -> None:
    """Not who signed out meanwhile, nor somebody else, nor who is deleted."""
    assert "&RS=1&RA=Password error" in await vouched(stage, whom)
    if whom == 10999:
        assert "&RS=1&RA=Password error" in await vouched(stage, whom, uin=10999)


async def test_the_suspended_are_not_vouched_for(stage: Stage) -> None:
    """They are told so."""
    await stage.store.change_account(ROMEO, suspended="noise")
    assert "&RS=1&RA=Account suspended" in await vouched(stage, ROMEO)
