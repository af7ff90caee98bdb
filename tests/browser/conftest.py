"""Chromium, a server with doors for browsers and phones, and pages of people who are signed in.

All tests of this folder, and the server they talk to, run in one event loop for the whole session,
since a browser belongs to the loop in which it was started.
"""

import inspect
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kqq.client import Address, Client, open_transport
from kqq.server import Config, Listen, Server
from stage import PASSWORD, Wire, add_person, sign_in_line

try:
    from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright
except ImportError:  # pragma: no cover  # then nothing here can run
    collect_ignore_glob = ["test_*.py"]

CHROMIUM = Path("/usr/bin/chromium")
IS_THERE = CHROMIUM.exists()
HERE = Path(__file__).parent
PEOPLE = {10001: "Anna", 10002: "小波", 10003: "Carl", 10004: "Dora"}
"""Who is there, all with the password PASSWORD. The first three are friends of each other."""
BLANK = "/api/hello"
"""A page of the server's, under its policy, on which nothing runs: for trying a library."""

NewPage = Callable[..., Awaitable["Page"]]
Library = Callable[..., Awaitable[Any]]
_CALL = """async ([path, value]) => {{
  const work = {work};
  const answer = await work(await import(path), JSON.parse(value));
  return JSON.stringify(answer === undefined ? null : answer);
}}"""


def pytest_configure(config: pytest.Config) -> None:
    """Make known how a test says with which settings its server runs."""
    config.addinivalue_line("markers", "settings(**values): settings of the fixture `server`")


def pytest_report_header() -> str:
    """Say why nothing of this folder is run, where that is so."""
    if "async_playwright" not in globals():
        return "browser: no tests, since Playwright is not installed (pip install playwright)"
    return f"browser: {'' if IS_THERE else 'no '}{CHROMIUM}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run all tests of this folder in the loop of the session."""
    for item in items:
        if HERE in item.path.parents and inspect.iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator["Browser"]:
    """Headless Chromium, one for all tests."""
    if not IS_THERE:
        pytest.skip(f"there is no {CHROMIUM}; install Chromium to try the pages")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        await chromium.close()


@dataclass
class Site:
    """A server that browsers and phones reach; after a restart at the same ports.

    `url` is where browsers find it, `tcp` where phones do.
    """

    folder: Path
    settings: dict[str, Any]
    listen: tuple[Listen, ...] = (Listen("127.0.0.1", 0), Listen("127.0.0.1", 0, "web"))
    phones: list[Client | Wire] = field(default_factory=list)

    async def start(self) -> None:
        """Open the server on its folder."""
        config = Config(**{"data": self.folder, "listen": self.listen, **self.settings})
        self.server = Server(config)
        await self.server.start()
        (phones,), (browsers,) = self.server.listening, self.server.web
        self.listen = (phones, browsers)
        self.tcp, self.url = f"tcp://127.0.0.1:{phones.port}", browsers.url

    async def stop(self) -> None:
        """Stop the server in good order."""
        await self.server.close()

    async def restart(self) -> None:
        """Stop the server in good order and open it again."""
        await self.stop()
        await self.start()

    def cut(self) -> None:
        """Break all connections of browsers and phones that are signed in or about to."""
        for guest in list(self.server._guests):
            guest.abort()

    async def admit(self, context: "BrowserContext", uin: int) -> None:
        """Sign a browser in, without a page."""
        response = await context.request.post(
            f"{self.url}/api/sign-in",
            data={"uin": uin, "password": PASSWORD},
            headers={"Origin": self.url},
        )
        assert response.status == 200, await response.text()

    async def client(self, uin: int) -> Client:
        """Return a client of the library that is signed in over TCP."""
        client = await Client.connect(self.tcp)
        self.phones.append(client)
        await client.sign_in(uin, PASSWORD)
        return client

    async def wire(self, uin: int) -> Wire:
        """Return a raw connection over TCP on which somebody is signed in as a phone does it."""
        wire = Wire(await open_transport(Address.parse(self.tcp)))
        self.phones.append(wire)
        reply = await wire.ask(sign_in_line(uin))
        assert "&RES=0&RS=0&" in reply, reply
        return wire


@pytest_asyncio.fixture(loop_scope="session")
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    """A server with PEOPLE; `@pytest.mark.settings(registration="open")` and the like change it."""
    marker = request.node.get_closest_marker("settings")
    site = Site(tmp_path / "data", dict(marker.kwargs) if marker else {})
    await site.start()
    for uin, nick in PEOPLE.items():
        add_person(site.server.store, uin, nick, face=uin % 10 * 3)
    for one, other in ((10001, 10002), (10001, 10003), (10002, 10003)):
        site.server.store.add_friends(one, other)
    yield site
    for phone in site.phones:
        await phone.close()
    await site.stop()


@dataclass
class Complaints:
    """What browsers had to say against our pages.

    `allowed` has regular expressions of what a test brings about itself, such as `WebSocket` where
    it stops the server. That a request to the API was refused is always allowed, and that there is
    no `/favicon.ico`, which browsers ask for by themselves.
    """

    allowed: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def watch(self, context: "BrowserContext") -> None:
        """Listen to all pages of a context."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.heard.append(f"error: {error.error}"))

    def _console(self, message: "ConsoleMessage") -> None:
        if message.type not in ("error", "warning"):
            return
        url = message.location.get("url", "")
        is_missing = "Failed to load resource" in message.text
        if not (is_missing and ("/api/" in url or url.endswith("/favicon.ico"))):
            self.heard.append(f"{message.type}: {message.text} ({url})")

    def remaining(self) -> list[str]:
        """Return what was heard and is not allowed."""
        return [
            one for one in self.heard if not any(re.search(known, one) for known in self.allowed)
        ]


@pytest.fixture
def complaints() -> Complaints:
    """What is said against the pages of this test: errors, warnings, breaches of the policy."""
    return Complaints()


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(
    browser: "Browser", server: Site, complaints: Complaints
) -> AsyncIterator[NewPage]:
    """Makes pages, each in a browser with its own cookies.

    In `await new_page(path, **context)`, `context` is what Playwright's `new_context` takes, such
    as `locale="zh-CN"` or `viewport`. With `uin` somebody is signed in, with `path=None` nothing is
    loaded. The test fails if a page says errors or warnings, or breaks the policy.
    """
    contexts: list[BrowserContext] = []

    async def make(path: str | None = "/", *, uin: int | None = None, **context: Any) -> "Page":
        made = await browser.new_context(
            **{
                "base_url": server.url,
                "locale": "en-GB",
                "reduced_motion": "reduce",
                **context,
            }
        )
        contexts.append(made)
        complaints.watch(made)
        made.set_default_timeout(10_000)
        if uin is not None:
            await server.admit(made, uin)
        page = await made.new_page()
        if path is not None:
            await page.goto(path)
        return page

    yield make
    for context in contexts:
        await context.close()
    assert not complaints.remaining()


@pytest_asyncio.fixture(loop_scope="session")
async def page(new_page: NewPage) -> "Page":
    """A page of a browser in which nobody is signed in; nothing is loaded yet."""
    return await new_page(None)


@pytest.fixture
def signed_in_page(new_page: NewPage) -> NewPage:
    """Makes pages of people, each in a browser of its own: of a number, and perhaps a path."""

    async def make(uin: int, path: str | None = "/", **context: Any) -> "Page":
        return await new_page(path, uin=uin, **context)

    return make


@pytest_asyncio.fixture(loop_scope="session")
async def library(new_page: NewPage) -> Library:
    """Calls a function with a module below `static/js` and a value, on a page with nothing else.

    `await library("kqq/codec.js", "(codec, value) => codec.parse(value).pairs", value)` gives what
    the function does, by way of JSON: so lone surrogates come whole, too.
    """
    blank = await new_page(BLANK)

    async def call(module: str, work: str, value: object = None) -> Any:
        given = [f"/static/js/{module}", json.dumps(value)]
        return json.loads(await blank.evaluate(_CALL.format(work=work), given))

    return call
