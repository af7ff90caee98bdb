"""The door for browsers: connections in, requests to routes, and an end to it all in good order."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from aiohttp import web

from kqq.server.clock import Timer
from kqq.server.config import Listen
from kqq.server.limits import Concurrent, address_key
from kqq.server.logs import event
from kqq.server.web import api, chat, entrance, files, openapi, people, sign_up, wire
from kqq.server.web.safety import HEADERS, add_headers, safely
from kqq.server.web.site import (
    DOOR,
    LONGEST_BODY,
    SITE,
    Refused,
    Site,
    is_within,
    refusal,
)

logger = logging.getLogger("kqq.web")

_BACKLOG = 1024
_KEPT_OPEN = 75.0
"""Seconds that a connection may stay without a request, once it has made one."""
_GRACE = 1.0  # seconds that requests under way get when the door is closed
_HANDSHAKE = 10.0  # seconds
_GREETING = 30.0
"""Seconds in which a connection must have asked for something."""


class WebDoor:
    """Serves browsers, at one address or several.

    `became` is told of each phone that a browser is (kqq.server.web.chat), `has_room` asked for
    each connection; `inside` counts connections by address.
    """

    def __init__(
        self,
        site: Site,
        inside: Concurrent,
        became: chat.Became,
        has_room: Callable[[], bool],
    ) -> None:
        self.site = site
        self.inside = inside
        self.has_room = has_room
        self._doors: list[asyncio.Server] = []
        self._runners: list[web.AppRunner] = []
        self._routes = [
            *files.routes(),
            *entrance.routes(),
            *sign_up.routes(),
            *people.routes(),
            *openapi.routes(),
            *wire.routes(),
            *api.routes(),
            *chat.routes(became, inside),
        ]

    async def open(self, listen: Listen, context: ssl.SSLContext | None) -> Listen:
        """Open a door and return it with its real port. Raises OSError if that cannot be."""
        app = web.Application(
            middlewares=[_greeted, safely],
            client_max_size=LONGEST_BODY,
        )
        app[SITE], app[DOOR] = self.site, listen
        app.on_response_prepare.append(add_headers)
        app.add_routes(self._routes)
        wire.prepare(app)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=_GRACE)
        await runner.setup()
        self._runners.append(runner)
        server, loop = runner.server, asyncio.get_running_loop()
        assert server is not None
        door = await loop.create_server(
            lambda: _Browser(self, server, loop=loop),
            listen.host,
            listen.port,
            ssl=context,
            ssl_handshake_timeout=None if context is None else _HANDSHAKE,
            backlog=_BACKLOG,
        )
        self._doors.append(door)
        return Listen(listen.host, door.sockets[0].getsockname()[1], listen.scheme)

    async def close(self) -> None:
        """Close the doors, and what is still open once it is answered, if that is soon."""
        for door in self._doors:
            door.close()
        for runner in self._runners:
            await runner.cleanup()
        self._doors.clear()
        self._runners.clear()


class _Browser(web.RequestHandler):
    """One connection of a browser, counted and kept waiting for nobody who says nothing."""

    __slots__ = ("_door", "_inside", "_timer")

    def __init__(self, door: WebDoor, server: Any, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # nothing is what its AppRunner gives, too
            keepalive_timeout=_KEPT_OPEN,
            auto_decompress=False,
        )
        self._door = door
        self._inside: str | None = None
        self._timer: Timer | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or turn away who has too many."""
        super().connection_made(transport)
        door, name = self._door, transport.get_extra_info("peername")
        host = name[0] if isinstance(name, tuple) else "unknown"
        if not door.has_room():
            self._turn_away(host, "too many connections")
        elif not is_within(host, door.site.services.config.web_behind):
            key = address_key(host)  # who comes by a proxy is counted by who it is (web.chat)
            if door.inside.enter(key):
                self._inside = key
            else:
                self._turn_away(host, "too many connections from this address")
        self._timer = door.site.services.clock.later(_GREETING, self._too_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Let go of everything."""
        self.greeted()
        if self._inside is not None:
            self._door.inside.leave(self._inside)
            self._inside = None
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it may hold what was sent
    ) -> web.StreamResponse:
        """Answer what is no HTTP; whoever sends it must not be able to fill the log."""
        peer = request.remote
        event(logger, logging.DEBUG, "no request", peer=peer, why=type(exc).__name__)
        answer = refusal(Refused(status, "bad_request", "this is no HTTP request"))
        answer.headers.update({**HEADERS, "Server": "kqq"})
        answer.force_close()
        return answer

    def greeted(self) -> None:
        """It has asked for something."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        self.force_close()

    def _turn_away(self, host: str, why: str) -> None:
        event(logger, logging.WARNING, "turned away", host=host, why=why)
        assert self.transport is not None
        self.transport.abort()


@web.middleware
async def _greeted(request: web.Request, handler: Any) -> web.StreamResponse:
    if isinstance(request.protocol, _Browser):
        request.protocol.greeted()
    response: web.StreamResponse = await handler(request)
    return response
