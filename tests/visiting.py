"""Browsers without pages: what they hold and what they send, to a real server on loopback."""

import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from kqq.server import Config, Listen, Server
from kqq.server.store import Store
from kqq.server.visits import Visit
from kqq.server.web.site import PLAIN_COOKIE, Site
from stage import (
    JULIET,
    PARIS,
    PASSWORD,
    ROMEO,
    WAIT,
    ManualClock,
    MemoryLink,
    Wire,
    add_person,
    sign_in_line,
)

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """The status of a refusal, and its code."""
        assert set(self.json) >= {"error", "why"}, self.body
        return self.status, self.json["error"]


class Browser:
    """Somebody's browser: it keeps cookies, and says from which page a request comes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.csrf = ""
        self.visit: Visit | None = None
        self.headers = {"Origin": url}
        jar = aiohttp.CookieJar(unsafe=True)  # keep those of addresses, too
        self.session = aiohttp.ClientSession(
            url, cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=WAIT)
        )

    async def ask(
        self, method: str, path: str, body: object = None, *, data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Return the answer to a request, with `body` as JSON, or the bytes of `data` as they are.

        A header that is "" is left out.
        """
        all_headers = {"X-CSRF": self.csrf, **self.headers}
        if data is None and body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            all_headers["Content-Type"] = "application/json"
        all_headers |= headers or {}
        sent = {name: value for name, value in all_headers.items() if value}
        async with self.session.request(method, path, data=data, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **more: Any) -> Answer:
        """Ask for something."""
        return await self.ask("GET", path, **more)

    async def post(self, path: str, body: object = None, **more: Any) -> Answer:
        """Post something."""
        return await self.ask("POST", path, {} if body is None else body, **more)

    async def patch(self, path: str, body: object, **more: Any) -> Answer:
        """Change something."""
        return await self.ask("PATCH", path, body, **more)

    async def delete(self, path: str, body: object = None, **more: Any) -> Answer:
        """Delete something."""
        return await self.ask("DELETE", path, body, **more)

    @property
    def cookies(self) -> dict[str, str]:
        """What it holds."""
        return {one.key: one.value for one in self.session.cookie_jar}

    def hold(self, cookies: Mapping[str, str]) -> None:
        """Have it hold cookies, however it came by them."""
        self.session.cookie_jar.update_cookies(cookies, URL(self.url))

    async def load(self) -> dict[str, Any]:
        """Do what each page does first: ask who is signed in, and keep the word of the visit."""
        answer = await self.get("/api/me")
        assert answer.status == 200, answer.body
        self.csrf = answer.json["csrf"]
        found: dict[str, Any] = answer.json
        return found

    async def sign_in(self, uin: int, password: str = PASSWORD) -> Answer:
        """Sign in with a password, and load a page if that was right."""
        answer = await self.post("/api/sign-in", {"uin": uin, "password": password})
        if answer.status == 200:
            await self.load()
        return answer


class Web:
    """A server with a door for browsers and one for phones, on loopback, with a manual clock.

    Romeo and Juliet are friends, Paris is nobody's.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        doors = (Listen(HOST, 0), Listen(HOST, 0, "web"))
        self.config = Config(data=folder, **{"listen": doors, **settings})
        self.clock = ManualClock()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.server = await self._stack.enter_async_context(Server(self.config, clock=self.clock))
        for uin in (ROMEO, JULIET, PARIS):
            add_person(self.store, uin)
        self.store.add_friends(ROMEO, JULIET)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def site(self) -> Site:
        """What routes work with."""
        door = self.server._web_door
        assert door is not None
        return door.site

    @property
    def store(self) -> Store:
        """The server's own store."""
        return self.server.store

    @property
    def url(self) -> str:
        """Where browsers come in."""
        return self.server.web[0].url

    @property
    def door(self) -> Listen:
        """Where phones come in."""
        return self.server.listening[0]

    def set(self, **settings: Any) -> None:
        """Have the server take other settings while it runs."""
        self.server.reload(replace(self.config, **settings))

    def connect(self, host: str = "192.0.2.7") -> Wire:
        """Return the connection of a phone, from `host`."""
        return Wire(MemoryLink(self.server.visitor(), (host, 50000)))

    async def phone(self, uin: int, host: str = "192.0.2.7") -> Wire:
        """Return the connection of a phone that has signed in, from `host`."""
        wire = self.connect(host)
        reply = await wire.ask(sign_in_line(uin))
        assert "&RES=0&RS=0&" in reply, reply
        return wire

    async def browser(self) -> Browser:
        """Return a browser that nobody has signed in with."""
        browser = Browser(self.url)
        self._stack.push_async_callback(browser.session.close)
        return browser

    async def client(self, uin: int) -> Browser:
        """Return a browser that is signed in as `uin`; no password was checked."""
        browser = await self.browser()
        visit, cookie = await self.site.visits.begin(uin, HOST, "tests")
        browser.hold({PLAIN_COOKIE: cookie})
        browser.csrf, browser.visit = visit.csrf, visit
        return browser
