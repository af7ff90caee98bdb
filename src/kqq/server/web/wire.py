"""The live view of an administrator: lines of all clients over a WebSocket, as they go by.

Passwords and keys are left out, texts too unless they are asked for (kqq.server.tap). Watching must
not slow down what is watched: lines wait in a short queue, and are made readable a few at a time
when they are sent. How many did not fit is said where they are missing.
"""

import asyncio
import json
import logging
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from aiohttp import WSCloseCode, WSMsgType, web

from kqq.errors import StoreError
from kqq.protocol import Line
from kqq.server.clock import Clock
from kqq.server.logs import event
from kqq.server.operators import Role
from kqq.server.tap import LONGEST, End, Tap, Way, shown
from kqq.server.web.api import operator_of
from kqq.server.web.site import Refused, site_of

logger = logging.getLogger("kqq.web")

PATH = "/api/v1/wire"
MOST_WATCHERS = 8
"""Who may watch at the same time, since each costs something for each line."""
QUEUE = 500
"""Lines that wait to be sent to one who watches."""
NOT_ALLOWED = 4001
"""The code by which a WebSocket is closed once who watches may not any more."""
_WATCHING = web.AppKey("watching", set[web.WebSocketResponse])
_PAUSE = 0.05
"""Seconds between two looks at the queue, and"""
_AT_ONCE = 50
"""lines that are sent then at most; nobody reads a thousand a second, and"""
_SLICE = 0.002
"""seconds that may take: a long line takes half a millisecond."""
_LOOK_AGAIN = 10.0
"""Seconds after which to look whether somebody may still watch."""
_HEARTBEAT = 30.0
_CLOSING = 1.0  # seconds that a client gets to say that it closes, too
_MOST_KEPT = 2 * LONGEST  # bytes of a line that waits; more is not shown anyway
_LONGEST_FILTER = 1024  # bytes
_LONGEST_COMMAND = 40  # characters
_COMMAND = re.compile(rb"(?:^|&)\s*CMD=\s*([^&\s]{1,40})", re.IGNORECASE)
_UIN = re.compile(rb"(?:^|&)\s*UIN=\s*(\d{1,10})(?!\d)", re.IGNORECASE)
_UNKNOWN = "an object with uin (a number), command (a text) and way (in or out), or null for any"


def routes() -> list[web.RouteDef]:
    """Return the route."""
    return [web.get(PATH, _wire)]


def prepare(app: web.Application) -> None:
    """Have those who watch be told when the server stops."""
    app[_WATCHING] = set()
    app.on_shutdown.append(_end_all)


async def _end_all(app: web.Application) -> None:
    """Close all WebSockets, each with a second to answer."""
    closing = [
        socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops")
        for socket in app[_WATCHING]
    ]
    await asyncio.gather(*closing)


async def _wire(request: web.Request) -> web.StreamResponse:
    site, who = site_of(request), operator_of(request, Role.ADMINISTRATOR)
    texts = request.query.get("texts", "hide")
    if texts not in {"hide", "show"} or request.query.keys() - {"texts"}:
        raise Refused(400, "bad_request", "what can be asked for is texts=show")
    watching = request.config_dict[_WATCHING]
    if len(watching) >= MOST_WATCHERS:
        raise Refused(503, "busy", f"{MOST_WATCHERS} are watching already; close another page")
    socket = web.WebSocketResponse(
        heartbeat=_HEARTBEAT, max_msg_size=_LONGEST_FILTER, timeout=_CLOSING, compress=False
    )
    if not socket.can_prepare(request):
        raise Refused(400, "bad_request", "this is spoken over a WebSocket")
    watching.add(socket)
    try:
        if texts == "show":
            await site.operators.note(who.name, "wire", {"texts": texts})
        await socket.prepare(request)
        event(logger, logging.INFO, "watches", who=who.name, texts=texts)
        await _serve(request, socket, shows_texts=texts == "show")
        event(logger, logging.INFO, "watches no more", who=who.name)
    finally:
        watching.discard(socket)
    return socket


async def _serve(request: web.Request, socket: web.WebSocketResponse, *, shows_texts: bool) -> None:
    """Watch until the WebSocket closes, and send what is seen."""
    site = site_of(request)
    view = View(site.services.clock, site.tap, shows_texts)
    sending = asyncio.get_running_loop().create_task(
        _send(socket, view, lambda: operator_of(request, Role.ADMINISTRATOR))
    )
    try:
        await _hear(socket, view)
    finally:
        sending.cancel()
        view.close()


async def _hear(socket: web.WebSocketResponse, view: "View") -> None:
    """Take what filters are wished for, until the WebSocket closes."""
    async for frame in socket:
        try:
            view.wanted = Wanted.read(frame.data if frame.type is WSMsgType.TEXT else "")
        except ValueError as error:
            await socket.send_json({"error": "bad_request", "why": str(error)})


async def _send(socket: web.WebSocketResponse, view: "View", check: Callable[[], object]) -> None:
    """Send what is seen, a little at a time, while `check` does not raise Refused."""
    clock = view.clock
    look_again = clock.now() + _LOOK_AGAIN
    try:
        while True:
            await _pause(clock, _PAUSE)
            if clock.now() >= look_again:
                check()
                look_again = clock.now() + _LOOK_AGAIN
            until = clock.now() + _SLICE
            for frame in view.take(_AT_ONCE):
                await socket.send_str(json.dumps(frame, ensure_ascii=False))
                if clock.now() > until:
                    break
    except Refused as refused:
        await socket.close(code=NOT_ALLOWED, message=refused.why.encode()[:100])
    except StoreError:  # the log says why
        await socket.close(code=WSCloseCode.INTERNAL_ERROR)
    except ConnectionError:  # whoever hears is told of it, too
        return


async def _pause(clock: Clock, seconds: float) -> None:
    over = asyncio.Event()
    timer = clock.later(seconds, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines are wanted; None is any. `command` is in upper case."""

    uin: int | None = None
    command: bytes | None = None
    way: Way | None = None

    @classmethod
    def read(cls, text: str) -> "Wanted":
        """Return what a client says. Raises ValueError if it says something else."""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"this is no JSON; send {_UNKNOWN}") from None
        if not isinstance(said, Mapping) or said.keys() - {"uin", "command", "way"}:
            raise ValueError(f"send {_UNKNOWN}")
        uin, command, way = said.get("uin"), said.get("command"), said.get("way")
        if uin is not None and type(uin) is not int:
            raise ValueError("uin must be a number, or null")
        if command is not None and not (
            isinstance(command, str) and 0 < len(command) <= _LONGEST_COMMAND and command.isascii()
        ):
            raise ValueError("command must be a name such as CLTMSG, or null")
        if way is not None and way not in get_args(Way):
            raise ValueError("way must be in, out or null")
        return cls(uin, None if command is None else command.upper().encode(), way)

    def fits(self, uin: int | None, way: Way, data: bytes) -> bool:
        """Return whether a line is wanted."""
        if self.way is not None and way != self.way:
            return False
        if self.uin is not None and uin != self.uin:
            return False
        if self.command is None:
            return True
        found = _COMMAND.search(data)
        return found is not None and found[1].upper() == self.command


@dataclass
class View:
    """What one who watches sees: lines that wait to be sent, and how many were left out."""

    clock: Clock
    tap: Tap
    shows_texts: bool = False
    wanted: Wanted = field(default_factory=Wanted)
    _waiting: deque["_Seen | int"] = field(default_factory=deque)
    _lost: int = 0  # since the last that waits

    def __post_init__(self) -> None:
        """Begin to watch."""
        self.close = self.tap.watch(self._see)
        """Watch no more."""

    def take(self, most: int) -> Iterator[dict[str, Any]]:
        """Give the next frames, at most so many: lines as the API says, or `{"lost": number}`.

        What is not asked for any more waits on.
        """
        for _ in range(most):
            if self._waiting:
                seen = self._waiting.popleft()
                yield {"lost": seen} if isinstance(seen, int) else self._frame(seen)
            elif self._lost:
                lost, self._lost = self._lost, 0
                yield {"lost": lost}
            else:
                break

    def _see(self, peer: End, uin: int | None, way: Way, data: bytes) -> None:
        if uin is None and (found := _UIN.search(data)) is not None:
            uin = int(found[1])  # nobody is signed in there, or not yet; this is who they say
        if not self.wanted.fits(uin, way, data):
            return
        if len(self._waiting) >= QUEUE:
            self._lost += 1
            return
        if self._lost:
            self._waiting.append(self._lost)
            self._lost = 0
        self._waiting.append(_Seen(self.clock.date(), peer, uin, way, data[:_MOST_KEPT]))

    def _frame(self, seen: "_Seen") -> dict[str, Any]:
        frame: dict[str, Any] = {
            "at": round(seen.at, 3),
            "uin": seen.uin,
            "peer": str(seen.peer),
            "over": seen.peer.over,
            "way": seen.way,
            "line": shown(seen.data, seen.way, texts=self.shows_texts),
        }
        if junk := len(Line.decode(seen.data).junk):
            frame["junk"] = junk  # bytes that old clients put in front
        return frame


@dataclass(frozen=True, slots=True)
class _Seen:
    """A line that waits to be sent, as it is."""

    at: float
    peer: End
    uin: int | None
    way: Way
    data: bytes = field(repr=False)
