"""Signing in with a browser: the gates of a phone's sign-in, and the first administrator."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from browsing import WEB, Browser
from kqq.server.accounts import password_md5
from kqq.server.devices import add_device
from stage import JULIET, PASSWORD, ROMEO, Stage, sign_in_line

Made = AsyncIterator[Stage]


@pytest.fixture
async def stage(tmp_path: Path) -> Made:
    """A server with a door for browsers; Romeo and Juliet are friends."""
    async with Stage(tmp_path / "data", listen=(WEB,), sign_ins_burst=12) as stage:
        stage.add(ROMEO, JULIET)
        yield stage


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[Browser]:
    """A browser that nobody is signed in with."""
    async with Browser(stage.server.web[0].url) as browser:
        yield browser


def letters_of(stage: Stage, uin: int) -> str:
    """Return what the picture shows that waits for somebody."""
    waiting = stage.server._services.captchas._waiting
    letters = waiting[uin, "web 127.0.0.1"].letters
    assert letters is not None
    return letters


async def test_hello(stage: Stage, browser: Browser) -> None:
    """What a page asks first."""
    hello = (await browser.get("/api/hello")).json
    assert hello["registration"] == "off"
    assert hello["needs_captcha"] is True
    assert hello["has_administrator"] is False
    assert hello["signed_in"] is False
    await browser.sign_in(ROMEO)
    assert (await browser.get("/api/hello")).json["signed_in"] is True
    assert stage.server.first_link is not None


async def test_signing_in_and_out(stage: Stage, browser: Browser) -> None:
    """A strict cookie that no script can read; gone again with the sign-out."""
    answer = await browser.sign_in(ROMEO)
    assert (answer.status, answer.json) == (200, {"uin": ROMEO})
    cookie = answer.headers["Set-Cookie"]
    for part in ("kqq=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"):
        assert part in cookie
    assert "Secure" not in cookie
    assert answer.headers["Cache-Control"] == "no-store"
    (visit,) = stage.server._visits.of(ROMEO)
    assert (visit.host, visit.agent) == ("127.0.0.1", "Tests/1.0")
    held = browser.cookies
    out = await browser.post("/api/sign-out")
    assert out.json == {}
    assert browser.cookies == {}
    browser.hold(held)
    assert (await browser.get("/api/hello")).json["signed_in"] is False
    assert (await browser.post("/api/sign-out")).json == {}


async def test_signing_in_again_ends_the_visit_before(stage: Stage, browser: Browser) -> None:
    """One browser is one visit."""
    await browser.sign_in(ROMEO)
    await browser.sign_in(JULIET)
    assert stage.server._visits.of(ROMEO) == []
    assert len(stage.server._visits.of(JULIET)) == 1


@pytest.mark.parametrize(
    ("uin", "password"), [(ROMEO, "wrong"), (10999, PASSWORD), (2**70, PASSWORD), (ROMEO, "")]
)
async def test_wrong(browser: Browser, uin: int, password: str) -> None:
    """The same words, whether it is the number or the password."""
    answer = await browser.sign_in(uin, password)
    assert (answer.status, answer.code) == (403, "wrong")
    assert browser.cookies == {}


async def test_the_password_of_a_phone_opens_no_page(stage: Stage, browser: Browser) -> None:
    """Whoever listens to the phone has it."""
    password = await add_device(stage.store, ROMEO, "Nokia", 0.0, stage.random)
    answer = await browser.sign_in(ROMEO, password)
    assert (answer.status, answer.code) == (403, "device")


async def test_the_suspended(stage: Stage, browser: Browser) -> None:
    """Who knows the password is told why; who is in already is out."""
    await browser.sign_in(ROMEO)
    await stage.store.change_account(ROMEO, suspended="noise")
    assert (await browser.get("/api/me")).code == "suspended"
    answer = await browser.sign_in(ROMEO)
    assert (answer.status, answer.code) == (403, "suspended")


async def test_a_picture_after_failures(stage: Stage, browser: Browser) -> None:
    """It comes with the refusal; wrong letters bring another, right ones go on."""
    for _ in range(3):
        assert (await browser.sign_in(ROMEO, "wrong")).code == "wrong"
    shown = await browser.sign_in(ROMEO)
    assert (shown.status, shown.code) == (403, "captcha")
    assert base64.b64decode(shown.json["picture"]).startswith(b"\x89PNG")
    again = await browser.sign_in(ROMEO, letters="nope")
    assert again.code == "captcha"
    assert again.json["picture"] != shown.json["picture"]
    letters = letters_of(stage, ROMEO)
    assert (await browser.sign_in(ROMEO, letters=letters.lower())).status == 200
    assert (await browser.sign_in(ROMEO, letters=letters)).code == "captcha"


async def test_a_picture_of_the_browser_is_none_of_a_phone(stage: Stage, browser: Browser) -> None:
    """What waits for the browser is not answered by a phone at the same address."""
    for _ in range(4):
        await browser.sign_in(ROMEO, "wrong")
    letters = letters_of(stage, ROMEO)
    wire = stage.connect(("127.0.0.1", 50000))
    answer = await wire.ask(f"VER=1.4&CON=1&CMD=VERIFYCODE&SEQ=200&UIN={ROMEO}&SC=1&VC={letters}")
    assert "RES=0&RS=0" not in answer


async def test_who_knows_the_password_is_forgiven(stage: Stage, browser: Browser) -> None:
    """Failures before do not count any more, and a picture that was read costs nothing."""
    for _ in range(2):
        for _ in range(2):
            assert (await browser.sign_in(ROMEO, "wrong")).code == "wrong"
        assert (await browser.sign_in(ROMEO)).status == 200
        stage.clock.advance(601)  # of which those who signed in need no picture
    for _ in range(3):
        await browser.sign_in(ROMEO, "wrong")
    stage.clock.advance(60)
    missing = stage.server._services.limits.failures._missing
    assert missing("127.0.0.1", stage.clock.now()) == 0
    assert (await browser.sign_in(ROMEO)).code == "captcha"
    assert missing("127.0.0.1", stage.clock.now()) == 1
    assert (await browser.sign_in(ROMEO, letters=letters_of(stage, ROMEO))).status == 200
    assert missing("127.0.0.1", stage.clock.now()) == 0


async def test_too_many_failures(stage: Stage, browser: Browser) -> None:
    """Numbers of nobody, right ones and pictures cost the address the same."""
    for number in range(13):
        answer = await browser.sign_in(10900 + number, "wrong")
    assert (answer.status, answer.code) == (429, "slow_down")
    for _ in range(5):
        answer = await browser.sign_in(ROMEO, "wrong")
    assert answer.code == "slow_down"
    assert stage.server._services.metrics.sign_ins["limited"] > 0


async def test_a_number_is_not_guessed_from_many_addresses(tmp_path: Path) -> None:
    """A right password is refused as well, once too much was wrong for the number."""
    async with Stage(tmp_path / "data", listen=(WEB,), sign_ins_burst=2, captcha="never") as stage:
        stage.add(ROMEO)
        async with Browser(stage.server.web[0].url) as browser:
            codes = [(await browser.sign_in(ROMEO, "wrong")).code for _ in range(3)]
    assert codes == ["wrong", "wrong", "slow_down"]


async def test_what_became_of_it_is_told(stage: Stage, browser: Browser) -> None:
    """`kqq why` has the attempts of browsers, too."""
    await browser.sign_in(ROMEO, "wrong")
    await browser.sign_in(ROMEO)
    steps = [attempt.as_object() for attempt in stage.server._services.journal.of_uin(ROMEO)]
    text = str(steps)
    assert "wrong_password" in text
    assert "admitted" in text
    assert "'over': 'web'" in text
    assert PASSWORD not in text


async def test_who_goes_away_while_the_password_is_checked_has_failed(
    stage: Stage, browser: Browser
) -> None:
    """Or checks would cost nothing: a request is answered, whoever waits for it."""
    await stage.slow_down(ROMEO)
    asking = asyncio.ensure_future(browser.sign_in(ROMEO, "wrong"))
    await stage.password_is_being_checked()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    limits = stage.server._services.limits
    for _ in range(200):
        await asyncio.sleep(0.005)
        if limits.failures._missing("127.0.0.1", stage.clock.now()):
            break
    assert limits.failures._missing("127.0.0.1", stage.clock.now()) >= 1


async def test_refusals_are_counted_and_logged(
    stage: Stage, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """As those of phones are, so that nothing has to be watched twice."""
    caplog.set_level("INFO")
    sign_ins = stage.server._services.metrics.sign_ins
    await browser.sign_in(10999)
    await browser.sign_in(ROMEO, "wrong")
    await stage.store.change_account(JULIET, suspended="noise")
    await browser.sign_in(JULIET)
    for _ in range(3):
        await browser.sign_in(ROMEO, "wrong")
    found = {name: count for name, count in sign_ins.items() if count}
    assert found == {"unknown": 1, "wrong_password": 3, "suspended": 1, "captcha": 1}
    for why in ("unknown", "wrong_password", "suspended"):
        assert f"why={why}" in caplog.text
    assert PASSWORD not in caplog.text


async def test_busy(stage: Stage, browser: Browser) -> None:
    """When too many passwords wait, it is said so."""
    object.__setattr__(stage.config, "hashes_waiting", 0)
    answer = await browser.sign_in(ROMEO)
    assert (answer.status, answer.code) == (503, "busy")


async def test_deleted_while_the_password_is_checked(stage: Stage, browser: Browser) -> None:
    """Then nobody is signed in."""
    await stage.slow_down(ROMEO)
    asking = asyncio.ensure_future(browser.sign_in(ROMEO))
    await stage.password_is_being_checked()
    await stage.store.delete_account(ROMEO)
    assert (await asking).code == "wrong"


async def test_the_first_administrator_with_a_new_number(stage: Stage, browser: Browser) -> None:
    """The link of the start makes one, once."""
    assert stage.server.first_link is not None
    code = stage.server.first_link.partition("#first=")[2]
    bad = await browser.post("/api/first", {"code": "x", "nick": "Anna", "password": PASSWORD})
    assert (bad.status, bad.code) == (403, "code")
    for nick, password, code_of in ((" ", PASSWORD, "nick"), ("Anna", "", "password")):
        sent = {"code": code, "nick": nick, "password": password}
        assert (await browser.post("/api/first", sent)).code == code_of
    made = await browser.post("/api/first", {"code": code, "nick": "Anna", "password": PASSWORD})
    assert made.status == 201
    uin = made.json["uin"]
    account = stage.store.account(uin)
    assert account is not None
    assert account.nick == "Anna"
    hello = (await browser.get("/api/hello")).json
    assert hello["has_administrator"] is True
    assert hello["signed_in"] is True
    again = await browser.post("/api/first", {"code": code, "nick": "Eve", "password": PASSWORD})
    assert again.code == "code"
    await stage.restart()
    assert stage.server.first_link is None


async def test_the_first_administrator_with_a_number_of_before(
    stage: Stage, browser: Browser
) -> None:
    """With its password; two at once make one administrator."""
    assert stage.server.first_link is not None
    code = stage.server.first_link.partition("#first=")[2]
    sent = {"code": code, "uin": ROMEO, "password": "wrong"}
    assert (await browser.post("/api/first", sent)).code == "wrong"
    both = await asyncio.gather(
        browser.post("/api/first", {"code": code, "uin": ROMEO, "password": PASSWORD}),
        browser.post("/api/first", {"code": code, "uin": JULIET, "password": PASSWORD}),
    )
    assert sorted(answer.status for answer in both) == [200, 403]
    assert len(stage.server._operators.all()) == 1


async def test_guessing_the_link(stage: Stage, browser: Browser) -> None:
    """Costs the address what a wrong password costs."""
    assert stage.server.first_link is not None
    for _ in range(14):
        answer = await browser.post("/api/first", {"code": "x", "password": "x", "nick": "x"})
    assert answer.code == "slow_down"


async def test_a_phone_signs_in_beside_it(stage: Stage, browser: Browser) -> None:
    """Failures of a browser keep no phone of the same person out that knows its password."""
    for _ in range(3):
        await browser.sign_in(ROMEO, "wrong")
    password = await add_device(stage.store, ROMEO, "Nokia", 0.0, stage.random)
    wire = stage.connect(("192.0.2.9", 50000))
    assert "&RES=0&RS=0&" in await wire.ask(sign_in_line(ROMEO, password=password_md5(password)))
