"""What holds for every request: hosts, origins, the word of a visit, and how failures are told."""

import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import web

from browsing import WEB, Browser
from kqq.errors import AccountError, ConfigError, StoreError
from kqq.server.admin import NoServer
from kqq.server.checks import TooBusy
from kqq.server.web import safety
from kqq.server.web.safety import HEADERS, POLICY
from stage import ROMEO, Stage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server with a door for browsers, and Romeo."""
    async with Stage(tmp_path / "data", listen=(WEB,)) as stage:
        stage.add(ROMEO)
        yield stage


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[Browser]:
    """A browser that nobody is signed in with."""
    async with Browser(stage.server.web[0].url) as browser:
        yield browser


async def test_every_answer_says_what_pages_may_do(browser: Browser) -> None:
    """Pages, files, JSON and refusals alike."""
    for path in ("/", "/static/account.html", "/static/icons/kqq.svg", "/sw.js", "/api/hello",
                 "/api/me", "/nowhere"):  # fmt: skip
        answer = await browser.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, path
        assert "Strict-Transport-Security" not in answer.headers
        assert answer.headers["Server"] == "kqq"
    part = await browser.get("/static/js/common/dom.js")
    assert part.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" not in part.headers


def test_the_policy_lets_no_script_in_but_ours() -> None:
    """Nothing inline, nothing of elsewhere, no markup made of texts."""
    assert "default-src 'none'" in POLICY
    assert "script-src 'self';" in POLICY
    assert "require-trusted-types-for 'script'" in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1"]
)
async def test_what_another_page_asks_for_is_refused(browser: Browser, origin: str) -> None:
    """Whatever it is, and however the request looks otherwise."""
    answer = await browser.post(
        "/api/sign-in", {"uin": ROMEO, "password": "x"}, headers={"Origin": origin}
    )
    assert (answer.status, answer.code) == (403, "origin")
    answer = await browser.get("/api/hello", headers={"Origin": origin})
    assert answer.status == 200
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_browser_that_hides_its_origin(browser: Browser) -> None:
    """What it says of the site instead counts; a program says neither."""
    sent = {"uin": ROMEO, "password": "x"}
    for site, code in (("cross-site", "origin"), ("same-site", "origin"), ("same-origin", "wrong")):
        answer = await browser.ask(
            "POST", "/api/sign-in", sent, headers={"Origin": "", "Sec-Fetch-Site": site}
        )
        assert answer.code == code
    answer = await browser.ask("POST", "/api/sign-in", sent, headers={"Origin": ""})
    assert answer.code == "wrong"


async def test_changes_need_the_word_of_the_visit(browser: Browser) -> None:
    """A cookie alone is not enough."""
    await browser.sign_in(ROMEO)
    word, browser.csrf = browser.csrf, ""
    refused = await browser.post("/api/sign-out")
    assert (refused.status, refused.code) == (403, "csrf")
    browser.csrf = "0" * 32
    assert (await browser.post("/api/sign-out")).code == "csrf"
    program = {"Authorization": "Bearer x"}  # which counts for the operator's API only
    assert (await browser.post("/api/sign-out", headers=program)).code == "csrf"
    browser.csrf = word
    assert (await browser.post("/api/sign-out")).status == 200


async def test_names_that_lead_to_this_machine(stage: Stage, browser: Browser) -> None:
    """Any site can have a name lead to 127.0.0.1; its pages would be ours then."""
    port = stage.server.web[0].port
    for name, status in (
        ("evil.example", 421),
        ("localhost", 200),
        ("kqq.localhost", 200),
        ("[::1]", 200),
        ("10.1.2.3", 200),
        ("[::1", 400),
    ):
        answer = await browser.get("/api/hello", headers={"Host": f"{name}:{port}"})
        assert answer.status == status, name
    object.__setattr__(stage.config, "web_origins", ("https://chat.example",))
    object.__setattr__(stage.config, "advertise", "kqq.example")
    for name in ("chat.example", "kqq.example"):
        assert (await browser.get("/api/hello", headers={"Host": name})).status == 200


async def test_origins_of_a_proxy(stage: Stage, browser: Browser) -> None:
    """Behind one that takes TLS, the page has another address than the door."""
    sent = {"uin": ROMEO, "password": "x"}
    origin = "https://chat.example"
    assert (await browser.post("/api/sign-in", sent, headers={"Origin": origin})).code == "origin"
    object.__setattr__(stage.config, "web_origins", (origin,))
    assert (await browser.post("/api/sign-in", sent, headers={"Origin": origin})).code == "wrong"


async def test_behind_a_proxy_with_tls(stage: Stage, browser: Browser) -> None:
    """The cookie is one for TLS only; browsers are told to come by no other way."""
    object.__setattr__(stage.config, "web_behind", (ip_network("127.0.0.0/8"),))
    object.__setattr__(stage.config, "web_origins", ("https://chat.example",))
    answer = await browser.post(
        "/api/sign-in",
        {"uin": ROMEO, "password": "secret"},
        headers={
            "Host": "chat.example",
            "Origin": "https://chat.example",
            "X-Forwarded-For": "198.51.100.7, 192.0.2.9",
            "X-Forwarded-Proto": "https",
        },
    )
    assert answer.status == 200
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-kqq=")
    assert "Secure" in cookie
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    (visit,) = stage.server._visits.of(ROMEO)
    assert visit.host == "192.0.2.9"


async def test_what_the_library_refuses(browser: Browser) -> None:
    """In the same form as all else."""
    missing = await browser.get("/nowhere")
    assert (missing.status, missing.code) == (404, "not_found")
    wrong = await browser.get("/api/sign-in")
    assert (wrong.status, wrong.code) == (405, "method")
    assert "POST" in wrong.headers["Allow"]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AccountError("no"), 400, "account"),
        (ConfigError("no"), 400, "config"),
        (NoServer("no"), 503, "no_server"),
        (StoreError("disk full at /secret/place"), 503, "store"),
        (TooBusy(), 503, "busy"),
        (RuntimeError("PS=0123456789abcdef0123456789abcdef"), 500, "failed"),
    ],
)
async def test_failures(
    stage: Stage, browser: Browser, error: Exception, status: int, code: str
) -> None:
    """Those of the domain in their words; what nobody foresaw is in the log, with a number."""

    async def fail(request: web.Request, _handler: object) -> web.Response:
        raise error

    async def handler(request: web.Request) -> web.StreamResponse:
        return await fail(request, None)

    door = stage.server._web_door
    assert door is not None
    for runner in door._runners:
        router = runner.app.router
        (route,) = [one for one in router.routes() if one.resource is not None
                    and one.resource.canonical == "/api/hello" and one.method == "GET"]  # fmt: skip
        route._handler = handler
    answer = await browser.get("/api/hello")
    assert (answer.status, answer.code) == (status, code)
    assert "/secret/place" not in answer.json["why"]
    assert "0123456789abcdef" not in answer.json["why"]


async def test_answers_that_are_raised_stay_what_they_are() -> None:
    """Such as a redirection."""
    with pytest.raises(web.HTTPFound):
        safety._http_refusal(web.HTTPFound("/"))


async def test_a_request_that_is_no_http(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """It is answered with 400, and nothing of it reaches the log."""
    caplog.set_level("INFO")
    door = stage.server.web[0]
    with socket.create_connection((door.host, door.port)) as raw:
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(raw, b"VER=1.4&CMD=Login&PS=secret\r\n\r\n")
        answer = await loop.sock_recv(raw, 4096)
    assert b" 400 " in answer
    assert b'"bad_request"' in answer
    assert caplog.text == ""
