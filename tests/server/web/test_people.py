"""What somebody sees of themselves with a browser, and changes."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from kqq.errors import StoreError
from kqq.server.devices import add_device
from kqq.server.operators import Role
from kqq.server.profiles import CHOICES, PROFILE
from kqq.server.store import Store
from stage import JULIET, PARIS, PASSWORD, ROMEO, request
from visiting import Answer, Browser, Web

UNSAFE: list[tuple[str, str, dict[str, Any]]] = [
    ("PATCH", "/api/me", {"values": {"nick": "Montague"}}),
    ("POST", "/api/me/password", {"old": PASSWORD, "new": "another"}),
    ("DELETE", "/api/me", {"password": PASSWORD}),
    ("POST", "/api/me/devices", {"name": "6600"}),
    ("DELETE", "/api/me/devices/6600", {}),
    ("DELETE", "/api/me/session", {}),
    ("DELETE", "/api/me/visits/1", {}),
]
"""Each request that changes something, with a body that would do."""
WITH_BODY = [one for one in UNSAFE if one[2]]
SAFE = [
    "/api/me", "/api/me/fields", "/api/me/devices", "/api/me/sessions", "/api/me/why",
    "/api/me/export",
]  # fmt: skip


def state(web: Web) -> list[Any]:
    """Return what must not have changed."""
    store = web.store
    visits = [visit.id for visit in web.site.visits.of(ROMEO)]
    proofs = [account.proof for account in store.accounts()]
    return [store.accounts(), store.devices(ROMEO), store.profile(ROMEO), visits, proofs]


# --- who may ask at all


@pytest.mark.parametrize("path", SAFE)
async def test_nobody_sees_anything(web: Web, path: str) -> None:
    """Who is not signed in sees nothing; nor with a cookie that is none."""
    browser = await web.browser()
    assert (await browser.get(path)).error == (401, "signed_out")
    browser.hold({"kqq": "1.x"})
    assert (await browser.get(path)).error == (401, "signed_out")


@pytest.mark.parametrize(("method", "path", "body"), UNSAFE)
async def test_nobody_changes_anything(
    web: Web, method: str, path: str, body: dict[str, Any]
) -> None:
    """Nor does who is not signed in, or lacks the word of the visit, or comes from elsewhere."""
    await web.phone(ROMEO)
    browser = await web.client(ROMEO)
    before = state(web)
    stranger = await web.browser()
    assert (await stranger.ask(method, path, body)).error == (401, "signed_out")
    for word in ("", "0" * 32, (await web.client(JULIET)).csrf):
        answer = await browser.ask(method, path, body, headers={"X-CSRF": word})
        assert answer.error == (403, "csrf")
    for origin in ("http://evil.example", "null", web.url.replace("http", "https")):
        answer = await browser.ask(method, path, body, headers={"Origin": origin})
        assert answer.error == (403, "origin")
    assert state(web) == before
    assert web.site.services.sessions.of(ROMEO) is not None


@pytest.mark.parametrize(("method", "path", "body"), WITH_BODY)
async def test_bodies(web: Web, method: str, path: str, body: dict[str, Any]) -> None:
    """What is no such object is refused, says which key is wrong, and changes nothing."""
    browser = await web.client(ROMEO)
    before, key = state(web), next(iter(body))
    for data in (b"", b"{", b"\xff", b"[]", b"1", b"null", b"[" * 4000, b'{"\\ud800": 1}'):
        assert (await browser.ask(method, path, data=data)).error == (400, "bad_request")
    for wrong in ({}, body | {"more": 1}, body | {key: None}, body | {key: 1}, body | {key: [[]]}):
        assert (await browser.ask(method, path, wrong)).error == (400, "bad_request")
    assert (await browser.ask(method, path, {})).json["field"] == key
    long = body | {key: "x" * 40_000}
    assert (await browser.ask(method, path, long)).error == (413, "bad_request")
    huge = b'{"x": "' + b"x" * 100_000 + b'"}'
    assert (await browser.ask(method, path, data=huge)).error == (413, "bad_request")
    headers = {"Content-Type": "text/plain"}
    assert (await browser.ask(method, path, body, headers=headers)).error == (415, "bad_request")
    assert state(web) == before


async def test_suspended(web: Web) -> None:
    """Who is suspended meanwhile is told so, and why."""
    browser = await web.client(ROMEO)
    await web.store.change_account(ROMEO, suspended="spam")
    answer = await browser.get("/api/me")
    assert answer.error == (403, "suspended")
    assert answer.json["reason"] == "spam"


async def test_account_that_goes_meanwhile(web: Web) -> None:
    """A browser of an account that is gone is signed out, even in the midst of a change."""
    browser = await web.client(ROMEO)
    changing = asyncio.create_task(browser.patch("/api/me", {"values": {"nick": "M"}}))
    await web.store.delete_account(ROMEO)
    answer = await changing
    assert answer.error in {(401, "signed_out"), (400, "account")}
    assert (await browser.get("/api/me")).error == (401, "signed_out")


# --- looking


async def test_me(web: Web) -> None:
    """A page learns who is signed in, what they have chosen, and the word for changes."""
    await web.store.change_profile(ROMEO, {"city": "Verona"})
    await web.store.change_account(ROMEO, last_seen=5.0, face=7)
    browser = await web.client(ROMEO)
    answer = await browser.get("/api/me")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json == {
        "uin": ROMEO, "nick": f"n{ROMEO}", "face": 7, "role": None, "csrf": browser.csrf,
        "who_may_add": "ask", "who_may_write": "friends", "profile": {"city": "Verona"},
        "created": 0.0, "last_seen": 5.0, "registration": "open",
    }  # fmt: skip
    await web.site.operators.add(ROMEO, Role.MODERATOR)
    assert (await browser.load())["role"] == "moderator"


async def test_fields(web: Web) -> None:
    """All that can be changed is named, with what a form must know of it."""
    answer = await (await web.client(ROMEO)).get("/api/me/fields")
    fields = {one["name"]: one for one in answer.json}
    assert list(fields) == ["nick", "face", *CHOICES, *PROFILE]
    assert fields["nick"] == {"name": "nick", "kind": "text", "longest": 64}
    assert fields["face"] == {"name": "face", "kind": "number"}
    assert fields["about"] == {"name": "about", "kind": "text", "longest": 256}
    assert fields["sex"] == {"name": "sex", "kind": "choice", "choices": ["0", "1"]}
    assert fields["who_may_add"]["choices"] == ["anyone", "ask", "nobody"]
    assert fields["zodiac"]["choices"] == [str(number) for number in range(13)]
    choices = {name for name, one in fields.items() if one["kind"] == "choice"}
    assert choices == {*CHOICES, "sex", "blood", "constellation", "zodiac"}


# --- changing


async def test_change(web: Web) -> None:
    """What is changed is on disk, is answered, and is what phones see; "" removes an entry."""
    browser = await web.client(ROMEO)
    values = {
        "nick": "罗密欧 & <b>", "face": "65535", "who_may_add": "nobody", "who_may_write": "anyone",
        "city": "Verona", "about": "=&%25\\ ' \" 🙂", "sex": "0",
    }  # fmt: skip
    answer = await browser.patch("/api/me", {"values": values})
    assert answer.status == 200
    shown = answer.json
    profile = {name: values[name] for name in ("city", "about", "sex")}
    assert (shown["nick"], shown["face"], shown["profile"]) == (values["nick"], 65535, profile)
    assert (shown["who_may_add"], shown["who_may_write"]) == ("nobody", "anyone")
    assert shown == await browser.load()
    phone = await web.phone(JULIET)
    reply = await phone.ask(request("GetInfo", JULIET, f"LV=3&UN={ROMEO}"))
    assert "CT=Verona&" in reply
    shown = (await browser.patch("/api/me", {"values": {"city": "", "sex": ""}})).json
    assert shown["profile"] == {"about": values["about"]}
    assert (await browser.patch("/api/me", {"values": {}})).json == shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"nick": ""}, {"nick": "a" * 65}, {"nick": " a"}, {"nick": "a\u202e"}, {"face": "65536"},
        {"face": "-1"}, {"face": "٣"}, {"face": ""}, {"who_may_add": "friends"},
        {"who_may_write": ""}, {"about": "a" * 257}, {"about": "a\nb"}, {"about": "\ud800"},
        {"uin": "10002"}, {"proof": "x"}, {"suspended": ""}, {"last_seen": "0"}, {"created": "0"},
        {"": ""}, {"nick; DROP TABLE account": "x"},
    ],
)  # fmt: skip
async def test_what_cannot_be(web: Web, wrong: dict[str, str]) -> None:
    """Of several changes none is made if one cannot be, and the answer names that one."""
    browser = await web.client(ROMEO)
    before = state(web)
    answer = await browser.patch("/api/me", {"values": {"city": "Verona", **wrong}})
    assert answer.error == (400, "account")
    assert answer.json["field"] == next(iter(wrong))
    assert state(web) == before


@pytest.mark.parametrize("value", [None, 1, [], {}, True])
async def test_what_is_no_text(web: Web, value: object) -> None:
    """Values are texts, numbers among them."""
    browser = await web.client(ROMEO)
    answer = await browser.patch("/api/me", {"values": {"face": value}})
    assert answer.error == (400, "bad_request")
    assert answer.json["field"] == "face"


async def test_too_many_changes(web: Web) -> None:
    """Browsers and phones of an account have the commands of the account together."""
    browser = await web.client(ROMEO)
    web.set(commands_burst=1)
    assert (await browser.patch("/api/me", {"values": {"city": "A"}})).status == 200
    assert (await browser.patch("/api/me", {"values": {"city": "B"}})).error == (429, "slow_down")
    web.clock.advance(1)
    assert (await browser.patch("/api/me", {"values": {"city": "B"}})).status == 200


async def test_full_disk(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is not said to be."""
    browser = await web.client(ROMEO)

    def fail(*_: object, **__: object) -> None:
        raise StoreError("no room")

    monkeypatch.setattr(Store, "change_account", fail)
    assert (await browser.patch("/api/me", {"values": {"nick": "M"}})).error == (503, "store")


async def test_changes_are_no_deeds(web: Web) -> None:
    """The log of what operators did has nothing of what people do for themselves."""
    browser = await web.client(ROMEO)
    await browser.patch("/api/me", {"values": {"nick": "M"}})
    await browser.post("/api/me/devices", {"name": "6600"})
    assert web.site.operators.deeds() == []


# --- the password


async def change_password(browser: Browser, old: str = PASSWORD, **more: Any) -> Answer:
    """Ask for another password."""
    return await browser.post("/api/me/password", {"old": old, "new": "another", **more})


async def test_password(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    """With a new password the session and all other browsers are signed out, this one is not."""
    caplog.set_level(logging.DEBUG)
    browser, other, phone = (
        await web.client(ROMEO), await web.client(ROMEO), await web.phone(ROMEO),
    )  # fmt: skip
    juliet = await web.client(JULIET)
    old_cookies = browser.cookies
    async with other.session.ws_connect(
        "/api/chat", headers={"Origin": web.url}, autoclose=True
    ) as socket:
        answer = await change_password(browser)
        assert (answer.status, answer.json) == (200, {})
        closed = await socket.receive()
        assert closed.type is aiohttp.WSMsgType.CLOSE
        assert closed.data == 4001
    assert (await other.get("/api/me")).error == (401, "signed_out")
    assert "RES=20" in await phone.ask(request("QUERY_STAT2", ROMEO, "FN=1&SN=0&UN=0"))
    old_word = browser.csrf
    assert (await browser.load())["uin"] == ROMEO
    assert browser.csrf != old_word
    assert (await browser.patch("/api/me", {"values": {"nick": "M"}})).status == 200
    assert [visit.uin for visit in web.site.visits.of(ROMEO)] == [ROMEO]
    thief = await web.browser()
    thief.hold(old_cookies)
    assert (await thief.get("/api/me")).error == (401, "signed_out")
    stranger = await web.browser()
    assert (await stranger.sign_in(ROMEO)).error == (403, "wrong")
    assert (await stranger.sign_in(ROMEO, "another")).status == 200
    assert (await juliet.get("/api/me")).status == 200
    assert "another" not in caplog.text
    assert PASSWORD not in caplog.text.replace("kqq.", "")


@pytest.mark.parametrize("new", ["", "a" * 257])
async def test_password_that_cannot_be(web: Web, new: str) -> None:
    """What cannot be a password is refused before the old one is looked at."""
    browser = await web.client(ROMEO)
    assert (await change_password(browser, "wrong", new=new)).error == (400, "password")
    assert web.site.services.journal.of_uin(ROMEO) == []


async def test_wrong_password(web: Web) -> None:
    """A wrong old password changes nothing, and counts as a sign-in that failed does."""
    browser = await web.client(ROMEO)
    before = state(web)
    for _ in range(3):
        assert (await change_password(browser, "wrong")).error == (403, "wrong")
    answer = await change_password(browser)
    assert answer.error == (403, "captcha")
    assert answer.json["picture"].startswith("iVBOR")
    assert state(web) == before
    steps = [one.step.name for one in web.site.services.journal.of_uin(ROMEO)[-1].steps]
    assert steps == ["CONNECTED", "CAPTCHA_SHOWN"]
    # Signing in asks for a picture, too, and what is read here counts there.
    assert (await (await web.browser()).sign_in(ROMEO)).error == (403, "captcha")
    place = "web 127.0.0.1"
    web.site.services.captchas._waiting[ROMEO, place].letters = "ACEH"
    assert (await change_password(browser, letters=" aceh ")).status == 200


async def test_wrong_passwords_of_all_kinds_are_one_count(web: Web) -> None:
    """Who tries passwords at several places has no more tries than at one."""
    browser = await web.client(ROMEO)
    web.set(captcha="never", sign_ins_burst=3)
    assert (await change_password(browser, "wrong")).error == (403, "wrong")
    assert (await browser.delete("/api/me", {"password": "wrong"})).error == (403, "wrong")
    assert (await (await web.browser()).sign_in(JULIET, "wrong")).error == (403, "wrong")
    for _ in range(2):
        assert (await change_password(browser)).error == (429, "slow_down")
        assert (await browser.delete("/api/me", {"password": PASSWORD})).error == (429, "slow_down")
    web.clock.advance(2)
    assert (await change_password(browser)).status == 200


async def test_password_of_a_phone(web: Web) -> None:
    """The password of a phone changes no password, and deletes nothing: others may have it."""
    browser = await web.client(ROMEO)
    before = web.store.account(ROMEO)
    password = await add_device(web.store, ROMEO, "6600", 0.0, web.site.services.random)
    assert (await change_password(browser, password)).error == (403, "device")
    assert (await browser.delete("/api/me", {"password": password})).error == (403, "device")
    assert web.store.account(ROMEO) == before


async def test_operator_is_quicker(web: Web) -> None:
    """What an operator does while the old password is checked is not undone."""
    browser, store = await web.client(ROMEO), web.store
    operators = "scrypt$14$8$1$00$00"
    services = web.site.services

    async def slow(password: str, host: str) -> str:
        await store.change_account(ROMEO, proof=operators)
        return await type(services.accounts).new_proof(services.accounts, password, host)

    object.__setattr__(services.accounts, "new_proof", slow)
    assert (await change_password(browser)).error == (403, "wrong")
    account = store.account(ROMEO)
    assert account is not None
    assert account.proof == operators


async def test_busy(web: Web) -> None:
    """If too many passwords wait to be checked, it says so."""
    browser, other = await web.client(ROMEO), await web.client(JULIET)
    web.set(hashes_waiting=1)
    answers = await asyncio.gather(change_password(browser), change_password(other))
    assert sorted(answer.status for answer in answers) == [200, 503]
    refused = next(answer for answer in answers if answer.status == 503)
    assert refused.error == (503, "busy")


# --- going


async def test_delete(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    """An account goes with all that belongs to it; friends and phones learn it at once."""
    caplog.set_level(logging.INFO)
    browser, other, paris = (
        await web.client(ROMEO), await web.client(ROMEO), await web.client(PARIS),
    )  # fmt: skip
    juliet, phone = await web.phone(JULIET), await web.phone(ROMEO)
    assert f"UN={ROMEO}" in await juliet.hear()  # has come
    await add_device(web.store, ROMEO, "6600", 0.0, web.site.services.random)
    async with other.session.ws_connect("/api/chat", headers={"Origin": web.url}) as socket:
        answer = await browser.delete("/api/me", {"password": PASSWORD})
        assert (answer.status, answer.json) == (200, {})
        assert (await socket.receive()).data == 4001
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    told = await juliet.hear()
    assert f"ST=20&UN={ROMEO}" in told
    assert "RES=20" in await phone.ask(request("QUERY_STAT2", ROMEO, "FN=1&SN=0&UN=0"))
    assert web.store.account(ROMEO) is None
    assert web.store.friends(JULIET) == []
    assert web.store.devices(ROMEO) == []
    assert (await browser.get("/api/me")).error == (401, "signed_out")
    assert (await other.get("/api/me")).error == (401, "signed_out")
    assert (await paris.get("/api/me")).status == 200
    assert PASSWORD not in caplog.text.replace("kqq.", "")


async def test_delete_needs_the_password(web: Web) -> None:
    """Who finds a browser open cannot delete the account."""
    browser = await web.client(ROMEO)
    assert (await browser.delete("/api/me", {"password": "wrong"})).error == (403, "wrong")
    assert (await browser.delete("/api/me", {"password": ""})).error == (403, "wrong")
    assert web.store.account(ROMEO) is not None


async def test_last_administrator(web: Web) -> None:
    """The last administrator cannot go: nobody could make another."""
    browser = await web.client(ROMEO)
    await web.site.operators.add(ROMEO, Role.ADMINISTRATOR)
    answer = await browser.delete("/api/me", {"password": PASSWORD})
    assert answer.error == (400, "account")
    assert "last administrator" in answer.json["why"]
    assert web.store.account(ROMEO) is not None
    assert (await browser.get("/api/me")).status == 200


async def test_captcha_always(tmp_path: Path) -> None:
    """Where everybody reads pictures, who has just read one need not read another."""
    async with Web(tmp_path, captcha="always") as web:
        browser = await web.client(ROMEO)
        assert (await change_password(browser)).error == (403, "captcha")
        web.site.services.captchas.succeeded(ROMEO, "web 127.0.0.1")
        assert (await change_password(browser)).status == 200
