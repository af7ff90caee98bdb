"""Signing up with a browser."""

import asyncio
import base64
import logging
from pathlib import Path
from typing import Any

import pytest

from kqq.server import picture
from kqq.server.invitations import invite
from kqq.server.web import sign_up
from stage import PARIS, PASSWORD
from visiting import Answer, Browser, Web

NEWCOMER = PARIS + 1
LETTERS = "ACEH"


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture shows the same letters, so that a test can read it."""
    monkeypatch.setattr(picture, "pick_letters", lambda _: LETTERS)


async def picture_for(browser: Browser) -> str:
    """Return the id of a new picture."""
    answer = await browser.get("/api/captcha")
    assert answer.status == 200
    assert base64.b64decode(answer.json["picture"]).startswith(b"\x89PNG")
    number: str = answer.json["id"]
    return number


async def join(browser: Browser, letters: str = LETTERS, **more: Any) -> Answer:
    """Fill the form in, with a new picture unless one is named."""
    number = more.pop("id", None) or await picture_for(browser)
    captcha = {"id": number, "letters": letters}
    values = {"nick": "Mercutio", "password": PASSWORD, "captcha": captcha}
    return await browser.post("/api/sign-up", values | more)


async def test_a_new_number(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    """Who read the picture gets a number, is signed in, and can sign in with the password."""
    caplog.set_level(logging.INFO)
    browser = await web.browser()
    answer = await join(browser, letters=" aceh ", nick=" Mercutio ")
    assert (answer.status, answer.json) == (201, {"uin": NEWCOMER})
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    me = await browser.load()
    assert (me["uin"], me["nick"], me["created"]) == (NEWCOMER, "Mercutio", web.clock.date())
    other = await web.browser()
    assert (await other.sign_in(NEWCOMER)).status == 200
    assert PASSWORD not in caplog.text
    assert f"registered host=127.0.0.1 uin={NEWCOMER}" in caplog.text


async def test_settings_of_the_server(tmp_path: Path) -> None:
    """What newcomers begin with is what the server says; a picture only where it has some."""
    async with Web(tmp_path, registration="open", captcha="never", who_may_add="nobody") as web:
        browser = await web.browser()
        assert (await browser.get("/api/hello")).json["needs_captcha"] is False
        answer = await browser.post("/api/sign-up", {"nick": "M", "password": PASSWORD})
        assert answer.status == 201
        assert (await browser.load())["who_may_add"] == "nobody"
        web.set(registrations_per_address=1)
        refused = await browser.post("/api/sign-up", {"nick": "M", "password": PASSWORD})
        assert refused.error == (429, "too_many")
        assert "captcha" not in refused.json


async def test_closed(tmp_path: Path) -> None:
    """Where nobody makes accounts for themselves there is no such page."""
    async with Web(tmp_path) as web:
        browser = await web.browser()
        assert (await browser.get("/api/hello")).json["registration"] == "off"
        assert (await join(browser)).error == (404, "closed")


async def test_closed_meanwhile(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same if it is closed while the form is read."""
    monkeypatch.setattr(web.site.services.registration, "_policy", lambda: "off")
    assert (await join(await web.browser())).error == (404, "closed")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"nick": ""}, (400, "nick")),
        ({"nick": "a" * 65}, (400, "nick")),
        ({"nick": "a\u202eb"}, (400, "nick")),
        ({"password": ""}, (400, "password")),
        ({"password": "a" * 257}, (400, "password")),
        ({"password": "\ud800"}, (400, "bad_request")),
        ({"nick": 1}, (400, "bad_request")),
        ({"captcha": []}, (400, "bad_request")),
        ({"captcha": {"id": 1, "letters": "x"}}, (400, "bad_request")),
        ({"captcha": {"id": "x", "letters": None}}, (400, "bad_request")),
        ({"more": ""}, (400, "bad_request")),
    ],
)
async def test_what_cannot_be(web: Web, more: dict[str, Any], error: tuple[int, str]) -> None:
    """What cannot be taken costs no picture, and makes no account."""
    browser = await web.browser()
    number = await picture_for(browser)
    assert (await join(browser, id=number, **more)).error == error
    assert web.store.count_accounts() == 3
    assert (await join(browser, id=number)).status == 201


async def test_wrong_letters(web: Web) -> None:
    """Each picture can be tried once, and the refusal comes with the next."""
    browser, counts = await web.browser(), web.site.services.metrics.captchas
    number = await picture_for(browser)
    refused = await join(browser, "XXXX", id=number)
    assert refused.error == (403, "captcha")
    again = await join(browser, id=number)
    assert again.error == (403, "captcha")
    assert (await browser.post("/api/sign-up", {"nick": "M", "password": "x"})).error == (
        403, "captcha",
    )  # fmt: skip
    assert web.store.count_accounts() == 3
    assert (await join(browser, id=refused.json["captcha"]["id"])).status == 201
    assert counts == {"shown": 4, "right": 1, "wrong": 1, "expired": 2}


async def test_too_late(web: Web) -> None:
    """A picture can be answered as long as the settings say."""
    browser = await web.browser()
    number = await picture_for(browser)
    web.clock.advance(web.config.captcha_time)
    assert (await join(browser, id=number)).error == (403, "captcha")


async def test_too_many_pictures(web: Web) -> None:
    """An address is shown so many pictures a second, and no more."""
    browser = await web.browser()
    web.set(commands_burst=2)
    answers = [await browser.get("/api/captcha") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[2].error == (429, "slow_down")
    web.clock.advance(1)
    assert (await browser.get("/api/captcha")).status == 200


async def test_invitation(tmp_path: Path) -> None:
    """A code lets in as many as it is for; a wrong one costs the picture, and another comes."""
    async with Web(tmp_path, registration="invitation") as web:
        browser, services = await web.browser(), web.site.services
        code = await invite(web.store, services.random, web.clock.date())
        for wrong in ({}, {"code": "aaaa aaaa aaaa"}, {"code": "�"}):
            refused = await join(browser, **wrong)
            assert refused.error == (403, "invitation")
        number = refused.json["captcha"]["id"]
        assert (await join(browser, id=number, code=f" {code.upper()} ")).status == 201
        assert (await join(await web.browser(), code=code)).error == (403, "invitation")


async def test_limits(web: Web) -> None:
    """An address makes so many accounts a day; who is refused has another picture at once."""
    web.set(registrations_per_address=1)
    assert (await join(await web.browser())).status == 201
    refused = await join(await web.browser())
    assert refused.error == (429, "too_many")
    assert set(refused.json["captcha"]) == {"id", "picture"}
    web.clock.advance(86_400)
    assert (await join(await web.browser())).status == 201


async def test_busy(web: Web) -> None:
    """If too many passwords wait, it says so."""
    web.set(hashes_waiting=1)
    browser = await web.browser()
    pictures = [await picture_for(browser) for _ in range(3)]
    answers = await asyncio.gather(*[join(browser, id=number) for number in pictures])
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [201, 503, 503]
    refused = next(answer for answer in answers if answer.status == 503)
    assert refused.error == (503, "busy")
    assert (await join(browser, id=refused.json["captcha"]["id"])).status == 201


async def test_no_numbers_left(web: Web) -> None:
    """If all numbers are taken, it says so, and the log says that loudly."""
    web.set(lowest_number=4294967295)
    assert (await join(await web.browser())).status == 201
    assert (await join(await web.browser())).error == (503, "full")


async def test_who_was_signed_in_as_somebody_else(web: Web) -> None:
    """A browser is signed in once: as the newcomer from now on."""
    browser = await web.client(PARIS)
    assert (await join(browser)).status == 201
    assert (await browser.load())["uin"] == NEWCOMER
    assert web.site.visits.of(PARIS) == []


async def test_other_sites(web: Web) -> None:
    """A page of another site signs nobody up."""
    browser = await web.browser()
    number = await picture_for(browser)
    browser.headers["Origin"] = "http://evil.example"
    assert (await join(browser, id=number)).error == (403, "origin")


async def test_each_door_has_its_own_pictures(web: Web) -> None:
    """Nothing is shared by servers of one process."""
    assert sign_up.routes()[0].handler != sign_up.routes()[0].handler
