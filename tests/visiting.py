"""A server with a door for browsers, and browsers that come to it."""

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from browsing import HOST, WEB, Answer, Browser
from kqq.server import Config, Listen, Server
from kqq.server.store import Store
from kqq.server.web.site import PLAIN_COOKIE, Site
from stage import (
    JULIET,
    PARIS,
    ROMEO,
    ManualClock,
    MemoryLink,
    Wire,
    add_person,
    sign_in_line,
)

__all__ = ["HOST", "Answer", "Browser", "Web"]


class Web:
    """A server with a door for browsers and one for phones, on loopback, with a manual clock.

    Romeo and Juliet are friends, Paris is nobody's.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        doors = (Listen(HOST, 0), WEB)
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
