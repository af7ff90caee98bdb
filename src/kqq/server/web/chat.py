"""Lines over a WebSocket: a browser is one more phone, whose password was asked for elsewhere.

Each text frame is a line without its end, both ways. What handles them is what handles a phone on
TCP (kqq.server.phones); here is only the transport that it writes to.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from kqq.server.clock import Clock, Timer
from kqq.server.dispatch import Budget
from kqq.server.journal import Step
from kqq.server.limits import Concurrent, address_key
from kqq.server.phones import Phone
from kqq.server.session import ELSEWHERE
from kqq.server.transports import stream_of
from kqq.server.visits import Visit
from kqq.server.web.site import (
    Refused,
    is_by_proxy,
    peer_of,
    site_of,
    visit_held,
    visit_of,
)

PATH = "/api/chat"
LONGEST_FRAME = 65_536
"""Bytes of a frame, as of a line of a phone."""
SIGNED_OUT = 4001
"""The code by which a WebSocket is closed when the browser is signed out."""
NOT_A_LINE = 4002
"""The same when a frame is no line."""
SIGNED_IN_ELSEWHERE = 4003
"""The same when the session has ended because somebody signed in elsewhere: a page would learn of
it only with its next command, a minute later."""
ENDED = 4004
"""The same when it was ended otherwise, by an operator or on one's account page."""
_LONGEST_REASON = 120  # bytes, of 123 that a frame can have
_GRACE = 2.0  # seconds in which a browser must have read the last, once it is to go
_AT_ONCE = 64  # frames that are taken before others get their turn
_EMPTY, _EMPTY_REFILL = 100, 0.5
"""Frames that carry no line which a browser may send at once, and seconds until one more is free:
it has to be asked, and asks, whether the other is alive."""
_DATA = {WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG}
_CROWD = "too many connections from this address"

Became = Callable[[Phone, Phone | None], None]
"""Told of each phone that there is, as (phone, phone), and when it has gone, as (phone, None)."""


def routes(became: Became, inside: Concurrent) -> list[web.RouteDef]:
    """Return the route; `became` is the server's, `inside` counts connections by address."""

    async def chat(request: web.Request) -> web.StreamResponse:
        visit = visit_of(request)
        if not is_by_proxy(request):  # the door has counted who comes by itself
            return await _talk(request, visit, became)
        key = address_key(peer_of(request).host)
        if not inside.enter(key):
            raise Refused(429, "too_many", _CROWD)
        try:
            return await _talk(request, visit, became)
        finally:
            inside.leave(key)

    return [web.get(PATH, chat)]


async def _talk(request: web.Request, visit: Visit, became: Became) -> web.StreamResponse:
    site, peer = site_of(request), peer_of(request)
    services = site.services
    socket = web.WebSocketResponse(
        max_msg_size=LONGEST_FRAME,
        autoping=False,
        heartbeat=services.config.heartbeat / 2,
        writer_limit=0,
        compress=False,  # it would cost 120 KiB a browser
    )
    await socket.prepare(request)
    below = stream_of(cast(asyncio.BaseTransport, request.transport))
    transport = FrameTransport(socket, below, services.clock)
    attempt = services.journal.begin(peer.host, peer.port, peer.door, "web").is_of(visit.uin)
    services.metrics.connections["web"] += 1
    services.metrics.connections_open += 1

    def gone(phone: Phone) -> None:
        services.metrics.connections_open -= 1
        became(phone, None)

    def signed_out() -> None:
        attempt.add(Step.SIGNED_OUT)
        transport.close(SIGNED_OUT)
        phone.end_session("signed out in a browser")  # at once, whether it reads that or not

    cookie = visit.id
    phone = Phone(services, peer, attempt, gone)
    phone.vouch_for(
        lambda: visit.uin if _holds(request, cookie) else None,
        lambda reason: transport.close(
            SIGNED_IN_ELSEWHERE if reason.startswith(ELSEWHERE) else ENDED, reason
        ),
    )
    became(phone, phone)
    stop_watching = site.visits.watch(visit.id, signed_out)
    try:
        await transport.carry(cast(asyncio.Protocol, phone))
    finally:
        stop_watching()
    return socket


def _holds(request: web.Request, number: int) -> bool:
    """Return whether the browser is still signed in: much may happen while a WebSocket is open."""
    visit = visit_held(request)
    return visit is not None and visit.id == number


class FrameTransport(asyncio.Transport):
    """A WebSocket as a phone's connection: lines written become frames, frames are lines read."""

    def __init__(
        self, socket: web.WebSocketResponse, below: asyncio.Transport, clock: Clock
    ) -> None:
        super().__init__()
        self._clock = clock
        self._empty = Budget(_EMPTY, _EMPTY_REFILL, clock.now())
        self._timer: Timer | None = None
        self._socket = socket
        self._below = below
        self._protocol: asyncio.Protocol | None = None
        self._lines: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._is_sending = False  # the client leaves unread what it was sent
        self._is_full = False
        self._is_closing = False
        self._code: int = WSCloseCode.GOING_AWAY
        self._why = b""

    # --- what the door calls

    async def carry(self, protocol: asyncio.Protocol) -> None:
        """Bring frames to `protocol`, and its lines to the browser, until the connection ends."""
        self._protocol = protocol
        writing = asyncio.get_running_loop().create_task(self._write_lines())
        error: Exception | None = None
        protocol.connection_made(self)
        try:
            await self._read_frames(protocol)
        except OSError as lost:
            error = lost
        finally:
            self._is_closing = True
            if self._timer is not None:
                self._timer.cancel()
            writing.cancel()
            self._lines.clear()
            protocol.connection_lost(error)
            if not self._socket.closed:
                await self._socket.close(code=self._code, message=self._why)

    # --- what the phone calls

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send whole lines, in order."""
        if self._is_closing:
            return
        self._lines += bytes(data).split(b"\r\n")[:-1]
        self._news.set()
        if self._is_sending and not self._is_full and self._protocol is not None:
            self._is_full = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes have not left for the browser."""
        waiting = sum(map(len, self._lines))
        return waiting + self._below.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Have the connection below tell at once what it could not write."""
        self._below.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the connection below knows; its socket tells what has arrived."""
        return self._below.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Leave what the browser sends where it is."""
        if not self._is_closing:  # the end is among it
            self._may_read.clear()

    def resume_reading(self) -> None:
        """Go on reading."""
        self._may_read.set()

    def is_reading(self) -> bool:
        """Return whether frames reach the phone."""
        return self._may_read.is_set() and not self._is_closing

    def is_closing(self) -> bool:
        """Return whether nothing more can be written."""
        return self._is_closing

    def close(self, code: int = WSCloseCode.GOING_AWAY, why: str = "") -> None:
        """Close once all that was written has left; the browser is told the code, and why."""
        if not self._is_closing:
            self._is_closing, self._code = True, code
            self._why = why.encode()[:_LONGEST_REASON].decode(errors="ignore").encode()
            self._news.set()
            self._may_read.set()
            self._timer = self._clock.later(_GRACE, self.abort)

    def abort(self) -> None:
        """Close at once."""
        self._is_closing = True
        self._lines.clear()
        self._may_read.set()
        self._below.abort()

    # --- both directions

    async def _read_frames(self, protocol: asyncio.Protocol) -> None:
        """Bring frames until the connection ends; what comes while it is closed is let go."""
        count = 0
        while True:
            await self._may_read.wait()
            frame = await self._socket.receive()
            count += 1
            if count % _AT_ONCE == 0:
                await asyncio.sleep(0)  # those that have come already would be taken without
            if frame.type not in _DATA:
                return
            if self._is_closing:
                continue
            if why := await self._take(frame, protocol):
                await self._socket.close(code=NOT_A_LINE, message=why)
                return

    async def _take(self, frame: WSMessage, protocol: asyncio.Protocol) -> bytes:
        """Take a frame; return why it cannot be one of a phone's, b"" if it can."""
        if frame.type is WSMsgType.BINARY:
            return b"a frame must be text"
        if not frame.data or frame.type is not WSMsgType.TEXT:
            if not self._empty.spend(self._clock.now()):
                return b"too many frames with nothing in them"
            if frame.type is WSMsgType.PING:
                await self._socket.pong(frame.data)
            return b""
        line: str = frame.data
        if "\r" in line or "\n" in line:
            return b"a frame must be one line"
        protocol.data_received(line.encode() + b"\r\n")
        return b""

    async def _write_lines(self) -> None:
        """Send what was written as it comes; runs as a task until the connection ends."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._lines:
                    # A phone may have written what is no UTF-8; frames must be.
                    text = self._lines.popleft().decode(errors="replace")
                    self._is_sending = True
                    await self._socket.send_str(text)
                    self._is_sending = False
                if self._is_full and self._protocol is not None:
                    self._is_full = False
                    self._protocol.resume_writing()
                if self._is_closing and not self._lines:
                    await self._socket.close(code=self._code, message=self._why)
                    return
        except (OSError, RuntimeError):
            self._below.abort()  # it broke; who reads is told of it
