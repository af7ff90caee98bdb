"""What routes are made of: who asks, and what they may send."""

import asyncio
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from browsing import WEB, Browser
from kqq.server.web import site
from kqq.server.web.site import PLAIN_COOKIE, SECURE_COOKIE, is_within
from stage import JULIET, ROMEO, WAIT, Stage


async def sign_in(browser: Browser, **headers: str) -> Any:
    """Return the answer to a sign-in with these headers."""
    return await browser.post("/api/sign-in", {"uin": ROMEO, "password": "secret"}, headers=headers)


@pytest.mark.parametrize(
    ("behind", "forwarded", "host"),
    [
        ((), "192.0.2.9", "127.0.0.1"),
        (("10.0.0.0/8",), "192.0.2.9", "127.0.0.1"),
        (("127.0.0.0/8",), "", "127.0.0.1"),
        (("127.0.0.0/8",), "192.0.2.9", "192.0.2.9"),
        (("127.0.0.0/8",), "203.0.113.1, 192.0.2.9", "192.0.2.9"),
        (("127.0.0.0/8", "10.0.0.0/8"), "203.0.113.1, 192.0.2.9, 10.1.1.1", "192.0.2.9"),
        (("127.0.0.0/8", "10.0.0.0/8"), "10.2.2.2, 10.1.1.1", "10.2.2.2"),
        (("127.0.0.0/8",), "2001:db8::7", "2001:db8::7"),
        (("127.0.0.0/8",), "nonsense", "127.0.0.1"),
        (("127.0.0.0/8",), "192.0.2.9, , nonsense", "127.0.0.1"),
    ],
)
async def test_who_asks(tmp_path: Path, behind: tuple[str, ...], forwarded: str, host: str) -> None:
    """What a proxy of ours says is believed, and nothing that somebody before it made up."""
    networks = tuple(ip_network(one) for one in behind)
    async with Stage(tmp_path / "data", listen=(WEB,), web_behind=networks) as stage:
        stage.add(ROMEO)
        async with Browser(stage.server.web[0].url) as browser:
            headers = {"X-Forwarded-For": forwarded} if forwarded else {}
            assert (await sign_in(browser, **headers)).status == 200
            (visit,) = stage.server._visits.of(ROMEO)
            assert visit.host == host


async def test_a_cookie_of_the_other_name_is_none(tmp_path: Path) -> None:
    """One for TLS only is not taken where there is none, nor a plain one where there is."""
    networks = (ip_network("127.0.0.0/8"),)
    async with Stage(tmp_path / "data", listen=(WEB,), web_behind=networks) as stage:
        stage.add(ROMEO)
        async with Browser(stage.server.web[0].url) as browser:
            await sign_in(browser)
            held = browser.cookies[PLAIN_COOKIE]
            secure = {"X-Forwarded-Proto": "https"}
            assert (await browser.get("/api/hello")).json["signed_in"] is True
            assert (await browser.get("/api/hello", headers=secure)).json["signed_in"] is False
            cookie = {**secure, "Cookie": f"{SECURE_COOKIE}={held}"}
            async with Browser(stage.server.web[0].url) as other:
                assert (await other.get("/api/hello", headers=cookie)).json["signed_in"] is True


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b"[" * 3000, 400),
        (b"\xff{}", 400),
        (b'{"uin": 10001}', 400),
        (b'{"uin": 10001, "password": "x", "more": 1}', 400),
        (b'{"uin": "10001", "password": "x"}', 400),
        (b'{"uin": true, "password": "x"}', 400),
        (b'{"uin": 10001, "password": "\\ud800"}', 400),
        (b'{"uin": 10001, "password": "x", "letters": 1}', 400),
        (b'{"uin": 1e400, "password": "x"}', 400),
        (b'{"uin": 10001, "password": "' + b"x" * 5000 + b'"}', 413),
        (b"x" * 100_000, 413),
    ],
)
async def test_bodies_that_are_not_what_is_wanted(tmp_path: Path, data: bytes, status: int) -> None:
    """Refused, in words; the same when the length is not said first."""
    async with Stage(tmp_path / "data", listen=(WEB,)) as stage:
        stage.add(ROMEO, JULIET)
        async with Browser(stage.server.web[0].url) as browser:
            sent = {"Content-Type": "application/json"}
            answer = await browser.ask("POST", "/api/sign-in", data=data, headers=sent)
            assert (answer.status, answer.code) == (status, "bad_request")
            assert answer.json["why"]
            assert "xxxx" not in answer.json["why"]


async def test_only_json_is_read(tmp_path: Path) -> None:
    """A form could be sent by any page."""
    async with (
        Stage(tmp_path / "data", listen=(WEB,)) as stage,
        Browser(stage.server.web[0].url) as browser,
    ):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await browser.ask("POST", "/api/sign-in", data=b"uin=10001", headers=form)
        assert answer.status == 415


@pytest.mark.parametrize(
    ("host", "inside"),
    [("10.1.2.3", True), ("11.1.2.3", False), ("fe80::1%eth0", True), ("unknown", False)],
)
def test_networks(host: str, inside: bool) -> None:
    """Addresses of either kind, with a zone or without; what is none is in none."""
    assert is_within(host, (ip_network("10.0.0.0/8"), ip_network("fe80::/10"))) == inside


async def test_half_a_body(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for for ever."""
    monkeypatch.setattr(site, "_PATIENCE", 0.05)
    async with Stage(tmp_path / "data", listen=(WEB,)) as stage:
        door = stage.server.web[0]
        reader, writer = await asyncio.open_connection(door.host, door.port)
        head = "POST /api/sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
        writer.write(f"{head}\r\nContent-Length: 100\r\n\r\n{{".encode())
        async with asyncio.timeout(WAIT):
            assert b" 408 " in await reader.readline()
        writer.close()


async def test_the_suspended_may_go_and_be_somebody_else(tmp_path: Path) -> None:
    """What their browser holds is not in the way."""
    async with Stage(tmp_path / "data", listen=(WEB,)) as stage:
        stage.add(ROMEO, JULIET)
        async with Browser(stage.server.web[0].url) as browser:
            await sign_in(browser)
            await stage.store.change_account(ROMEO, suspended="noise")
            assert (await browser.get("/api/me")).error == (403, "suspended")
            assert (await browser.get("/api/hello")).status == 200
            assert (await browser.sign_in(JULIET)).status == 200
            assert (await browser.post("/api/sign-out")).status == 200


async def test_who_is_signed_in_may_do_so_much(tmp_path: Path) -> None:
    """What browsers have done is counted with what phones say; nobody else may do anything."""
    settings = {"commands_burst": 2, "commands_rate": 0.01}
    async with Stage(tmp_path / "data", listen=(WEB,), **settings) as stage:
        stage.add(ROMEO)
        async with Browser(stage.server.web[0].url) as browser:
            assert (await browser.get("/api/me")).error == (401, "signed_out")
            await browser.sign_in(ROMEO)
            assert (await browser.get("/api/me/why")).status == 200
            changes = [
                await browser.patch("/api/me", {"values": {"nick": f"n{count}"}})
                for count in range(4)
            ]
            assert changes[-1].error == (429, "slow_down")
