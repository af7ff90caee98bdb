"""One phone on TCP: its lines in, replies out in order, pushes when woken.

Nothing here blocks, and everything is bounded: a client that sends more than is handled, or does
not read what it is sent, is no longer read until that changes, and is cut off if it does not.
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from kqq.errors import LocalProtocolError
from kqq.protocol import (
    Closed,
    Command,
    Connection,
    Event,
    LoginReply,
    Message,
    Reply,
    Role,
    Unreadable,
)
from kqq.server.clock import Timer
from kqq.server.dispatch import Budget, dispatch, refused
from kqq.server.handlers import After, Context, Services, push
from kqq.server.handover import Handover
from kqq.server.session import Session
from kqq.server.store import Stored

logger = logging.getLogger("kqq.phones")

_PIECE = 2048
"""Bytes read at once: a quarter of a megabyte of nothing but line ends would hold up others."""
_NOISE = 2
"""Fragments without a line that a piece may hold for nothing: the prefixes of ZNQQ and QQBot."""
_TCP_OPTIONS = {
    "TCP_KEEPIDLE": 120,  # seconds
    "TCP_KEEPINTVL": 30,  # seconds
    "TCP_KEEPCNT": 4,
    "TCP_USER_TIMEOUT": 60_000,  # milliseconds
}
"""Old clients keep the socket open in silence (YIWO VB SEED), so the system asks if they live; and
what a phone that vanished does not acknowledge for a minute ends its connection, so that little is
handed over in vain. Systems without one of these have others of their own."""


@dataclass(slots=True)
class _Pending:
    """A reply in its turn.

    `stored` is what must be on disk first, `greets` the session that may be pushed to after it.
    """

    message: Command | Unreadable
    reply: Reply
    stored: asyncio.Future[None] | None = None
    greets: Session | None = None


class Phone(asyncio.Protocol):
    """One connection. `gone(phone)` is called when it is over."""

    def __init__(self, services: Services, gone: Callable[["Phone"], None]) -> None:
        self._services = services
        self._config = services.config
        self._clock = services.clock
        self._gone = gone
        self._came: deque[bytes] = deque()  # not read yet; b"" is the end
        self._events: deque[Event] = deque()
        self._replies: deque[_Pending] = deque()
        self._ending: str | None = None  # the reason, once nothing more will be read
        self._busy: asyncio.Task[None] | None = None
        self._working = False  # a turn of work is due
        self._pumping = False  # a look for pushes is due
        self._is_full = False  # the client leaves bytes unread
        self._is_reading = True
        self._unread: Timer | None = None
        self._sign_in: Timer | None = None
        self._greeted: Session | None = None  # pushes begin after its sign-in was answered
        self._pushes = 0
        self._quiet_until = 0.0
        self._breathing: Timer | None = None
        self._looking: Timer | None = None  # whether messages have arrived

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # so that an empty buffer is told at once
        if (sock := transport.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _TCP_OPTIONS.items():
                if hasattr(socket, option):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        now = self._clock.now()
        self._handover = Handover(transport)
        self._connection = Connection(Role.SERVER)
        self._nonsense = Budget(self._config.nonsense_limit, self._config.nonsense_refill, now)
        self._context = Context(self._services, _peer(transport), self.wake, self._ended)
        self._await_sign_in()
        logger.debug("connected peer=%s", self._context.peer)

    def data_received(self, data: bytes) -> None:
        """Take what came and work on it."""
        self._mark_delivered()  # what a client sends acknowledges what it got before
        if self._ending is None:
            self._came += (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
            self._work()

    def eof_received(self) -> bool:
        """Answer what was said before the client stopped talking, then close."""
        self._mark_delivered()
        if self._ending is None:
            self._came.append(b"")
            self._work()
        return True

    def pause_writing(self) -> None:
        """The client leaves bytes unread."""
        self._is_full = True
        self._unread = self._clock.later(self._config.slow_reader_time, self._cut_off)
        self._choose_reading()

    def resume_writing(self) -> None:
        """Everything written so far is with the system."""
        self._is_full = False
        if self._unread is not None:
            self._unread.cancel()
        self._mark_delivered()
        self._flush()
        self._work()
        self.wake()
        self._choose_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._context.is_closed = True
        reason = self._ending or (f"lost: {exc}" if exc else "closed by the client")
        self._ending = reason
        session = self._context.session
        logger.info("gone peer=%s uin=%s why=%r", self._context.peer,
                    session.uin if session else "-", reason)  # fmt: skip
        if self._busy is not None:
            self._busy.cancel()  # nobody waits for the password check any more
        for timer in (self._unread, self._sign_in, self._breathing, self._looking):
            if timer is not None:
                timer.cancel()
        self._came.clear()
        self._events.clear()
        self._replies.clear()
        self._gone(self)
        if session is not None:
            self._services.sessions.close(session, reason)

    # --- what the session and the server call

    def wake(self) -> None:
        """Look for pushes soon."""
        if not self._pumping and self._ending is None:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def close(self, reason: str) -> None:
        """Close in good order: once what was written has arrived."""
        self._ending = self._ending or reason
        self._mark_delivered()
        if not self._handover.is_waiting:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; what the client has not read is lost to it."""
        self._transport.abort()

    def _ended(self, reason: str) -> None:
        """The session ended; the connection stays, and its next command is answered RES=20."""
        if self._ending is None:
            logger.info("session ended peer=%s why=%r", self._context.peer, reason)
            self._await_sign_in()

    # --- reading and answering

    def _work(self) -> None:
        """Handle some of what came; others get their turn before the rest."""
        if self._working:
            return
        for _ in range(self._config.turn_limit):
            if self._is_stopped() or not (self._events or self._read_piece()):
                break
            self._handle(self._events.popleft())
        if (self._events or self._came) and not self._is_stopped():
            self._working = True
            asyncio.get_running_loop().call_soon(self._work_again)
        self._choose_reading()

    def _work_again(self) -> None:
        self._working = False
        self._work()

    def _read_piece(self) -> bool:
        """Read one piece of what came; return whether there is something to handle."""
        if self._came:
            now = self._clock.now()
            events = self._connection.receive(self._came.popleft(), now)
            self._events += events
            if self._connection.noise > len(events) + _NOISE and not self._nonsense.spend(now):
                self._refuse_more("too many empty lines")
        return bool(self._events)

    def _is_stopped(self) -> bool:
        """Whether what came must wait: for a sign-in, for the disk, for the client to read."""
        waiting = len(self._replies) >= self._config.replies_limit
        return self._busy is not None or self._is_full or waiting or self._ending is not None

    def _handle(self, event: Event) -> None:
        if isinstance(event, Closed):
            if event.error is not None:
                self._refuse_more(str(event.error))
            else:
                self._finish("closed by the client")
            return
        assert isinstance(event, Command | Unreadable)
        answer, is_nonsense = dispatch(self._context, event)
        if is_nonsense and not self._nonsense.spend(self._clock.now()):
            self._refuse_more("too many lines that cannot be read or need a sign-in")
            return
        if answer is None:
            return
        if isinstance(answer, Coroutine):
            assert isinstance(event, Command)
            self._busy = asyncio.get_running_loop().create_task(self._wait(event, answer))
            return
        if isinstance(answer, After):
            assert isinstance(event, Command)
            self._replies.append(_Pending(event, answer.reply, answer.stored))
            answer.stored.add_done_callback(lambda _: self._flush())
            return
        if self._replies:  # it waits behind those, in the order of their commands
            self._replies.append(_Pending(event, answer))
        else:
            self._say(answer)

    async def _wait(self, message: Command, answer: Coroutine[Any, Any, Reply]) -> None:
        reply = await answer
        self._busy = None
        greets = isinstance(reply, LoginReply) and reply.result == 0
        if not greets and not self._nonsense.spend(self._clock.now()):
            self._refuse_more("too many sign-ins that failed")
            return
        self._replies.append(
            _Pending(message, reply, greets=self._context.session if greets else None)
        )
        self._flush()
        self._work()

    def _flush(self) -> None:
        """Say the replies whose turn has come, each in a write of its own."""
        was_waiting = len(self._replies) >= self._config.replies_limit
        while self._replies and not self._is_full:
            first = self._replies[0]
            reply = first.reply
            if first.stored is not None:
                if not first.stored.done():
                    break
                error = first.stored.exception()
                if isinstance(error, Exception) and isinstance(first.message, Command):
                    reply = refused(self._context, first.message, error)
            self._replies.popleft()
            self._say(reply)
            if first.greets is not None:
                if self._greeted is not None and self._greeted.uin != first.greets.uin:
                    self._handover.forget()
                self._greeted = first.greets
                self.wake()
        if was_waiting:
            self._work()
        if self._ending is not None and not self._replies and not self._context.is_closed:
            self._transport.close()

    def _say(self, message: Message) -> None:
        if self._transport.is_closing():
            return
        now = self._clock.now()
        data = self._connection.send(message, now)
        self._transport.write(data)
        self._handover.wrote(len(data))
        if self._connection.old_habits:
            self._quiet_until = now + self._config.breath

    # --- pushing

    def _pump(self) -> None:
        """Write what the session has to tell, if the client takes it."""
        self._pumping = False
        session = self._greeted
        if session is None or not session.is_open or self._is_full or self._ending is not None:
            return
        most = self._config.take_limit
        if self._connection.old_habits:
            wait = self._quiet_until - self._clock.now()
            if wait > 0:
                if self._breathing is None:
                    self._breathing = self._clock.later(wait, self._breathed)
                return
            most = 1
        items = self._services.sessions.take(session, most)
        for item in items:
            self._pushes += 1
            try:
                self._say(push(item, self._pushes, session.uin))
            except LocalProtocolError:
                # Nothing that was accepted should come to this; if it does, the rest goes out.
                logger.exception("cannot be pushed peer=%s item=%r", self._context.peer, item)
        ids = [item.id for item in items if isinstance(item, Stored)]
        if ids:
            self._handover.handed_over(ids[-1])
            self._mark_delivered()
        if len(items) == most:
            self.wake()

    def _breathed(self) -> None:
        self._breathing = None
        self.wake()

    def _mark_delivered(self) -> None:
        """Delete what has arrived, unless the session has ended; look again for what has not."""
        if not self._handover.is_waiting or self._transport.is_closing():
            return  # what was written to a connection that broke is still to be delivered
        last = self._handover.arrived()
        session = self._greeted
        if last is not None and session is not None and session.is_open:
            self._services.sessions.delivered(session, last)
        if self._handover.is_waiting and self._looking is None:
            self._looking = self._clock.later(self._config.arrival_time, self._look_again)

    def _look_again(self) -> None:
        self._looking = None
        self._mark_delivered()
        if self._ending is not None and not self._handover.is_waiting:
            self._transport.close()

    # --- ending

    def _finish(self, reason: str) -> None:
        """Close once the replies that wait for the disk are said."""
        self._ending = reason
        if not self._replies:
            self._transport.close()

    def _refuse_more(self, reason: str) -> None:
        logger.warning("closed peer=%s why=%r", self._context.peer, reason)
        self._came.clear()
        self._events.clear()
        self._finish(reason)
        self._choose_reading()

    def _cut_off(self) -> None:
        self._unread = None
        reason = f"left unread what it was sent for {self._config.slow_reader_time:g} s"
        logger.warning("closed peer=%s why=%r", self._context.peer, reason)
        self._ending = reason
        self._transport.abort()

    def _await_sign_in(self) -> None:
        if self._sign_in is not None:
            self._sign_in.cancel()
        self._sign_in = self._clock.later(self._config.sign_in_time, self._sign_in_due)

    def _sign_in_due(self) -> None:
        self._sign_in = None
        session = self._context.session
        if session is None or not session.is_open:
            self._refuse_more(f"nobody signed in for {self._config.sign_in_time:g} s")

    def _choose_reading(self) -> None:
        """Read the client only while what it sent before is being handled."""
        wanted = not (self._is_stopped() or self._came or self._events)
        if self._ending is not None or wanted == self._is_reading:
            return
        self._is_reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


def _peer(transport: asyncio.Transport) -> str:
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        host = f"[{name[0]}]" if ":" in name[0] else name[0]
        return f"{host}:{name[1]}"
    return "unknown"
