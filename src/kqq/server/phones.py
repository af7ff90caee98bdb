"""One phone on TCP: its lines in, replies out in order, pushes when woken.

Nothing here blocks, and everything is bounded: a client that sends more than is handled, or does
not read what it is sent, is no longer read until that changes, and is cut off if it does not.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from kqq.errors import LocalProtocolError
from kqq.protocol import (
    Closed,
    Command,
    Connection,
    Event,
    Reply,
    Role,
    Unreadable,
)
from kqq.protocol import LoginReply as SignInReply
from kqq.server import shortcut
from kqq.server.clock import Timer
from kqq.server.dispatch import Budget, dispatch, refused, slow_down
from kqq.server.handlers import SIGNED_OUT, After, Context, Peer, Services, Taken, push
from kqq.server.journal import Attempt, Step
from kqq.server.logs import event
from kqq.server.outgoing import Outgoing
from kqq.server.session import Item, Session
from kqq.server.store import Stored
from kqq.server.tap import Way
from kqq.server.transaction import Written
from kqq.server.transports import stream_of

logger = logging.getLogger("kqq.phones")

_PIECE = 2048
"""Bytes read at once: a quarter of a megabyte of nothing but line ends would hold up others."""
_NOISE = 2
"""Fragments without a line that a piece may hold for nothing: the prefixes of ZNQQ and QQBot."""


_Pending = tuple[
    Command | Unreadable | bytes, Reply | bytes, Written | None, Session | None, tuple[Item, ...]
]
"""What was said and the reply to it, in its turn, both as lines where a message was taken the short
way; what must be on disk first; the session that may be pushed to after it; and what it carries: no
push may be said before that."""


class Phone:
    """One connection, as an `asyncio.Protocol` is. `gone(phone)` is called when it is over.

    It does not inherit from that: compiled, a class of its own is twice as quick (kqq.compiled).
    """

    __slots__ = (
        "_awaited",
        "_busy",
        "_came",
        "_carrying",
        "_clock",
        "_config",
        "_connection",
        "_context",
        "_ending",
        "_gone",
        "_greeted",
        "_handover",
        "_is_framed",
        "_is_full",
        "_is_reading",
        "_lines",
        "_lingers",
        "_looking",
        "_metrics",
        "_nonsense",
        "_outgoing",
        "_over",
        "_pumping",
        "_replies",
        "_rounds",
        "_services",
        "_sign_in",
        "_slowed",
        "_statuses",
        "_tap",
        "_transport",
        "_unread",
        "_working",
    )

    def __init__(
        self, services: Services, peer: Peer, attempt: Attempt, gone: Callable[["Phone"], None]
    ) -> None:
        self._services = services
        self._config = services.config
        self._clock = services.clock
        self._gone = gone
        self._context = Context(services, peer, attempt, self.wake, self._ended)
        self._rounds = services.rounds
        self._metrics = services.metrics
        self._tap = services.tap
        self._came: list[bytes] = []  # not read yet; b"" is the end
        self._lines: list[bytes] = []  # not handled yet, the next is the last
        self._replies: list[_Pending] = []
        self._awaited: Written | None = None  # what the first of them waits for
        self._ending: str | None = None  # the reason, once nothing more will be read
        self._lingers = False  # it ends only once what was pushed has arrived
        self._busy: asyncio.Task[None] | None = None
        self._working = False  # a turn of work is due
        self._pumping = False  # a look for pushes is due
        self._carrying = 0  # replies that wait and carry what pushes must come after
        self._is_framed = peer.over == "web"  # each line comes apart, however they are written
        self._is_full = False  # the client leaves bytes unread
        self._is_reading = True
        self._unread: Timer | None = None
        self._sign_in: Timer | None = None
        self._slowed: Timer | None = None  # it has said more than it may for now
        self._greeted: Session | None = None  # pushes begin after its sign-in was answered
        self._statuses = 0  # pushed so far
        self._looking = False  # whether messages have arrived, later
        self._over: Callable[[str], None] | None = None

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        transport = stream_of(transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # so that an empty buffer is told at once
        self._connection = Connection(Role.SERVER)
        self._outgoing = Outgoing(
            transport,
            self._clock,
            self._config,
            emptied=self._emptied,
            handed_over=self._mark_later,
        )
        self._handover = self._outgoing.handover
        self._nonsense = Budget(
            self._config.nonsense_limit, self._config.nonsense_refill, self._clock.now()
        )
        self._await_sign_in()

    def data_received(self, data: bytes) -> None:
        """Take what came and work on it."""
        self._mark_delivered()  # what a client sends acknowledges what it got before
        if self._ending is None:
            self._metrics.bytes_in += len(data)
            self._outgoing.heard()
            if len(data) <= _PIECE:
                self._came.append(data)
            else:
                self._came += (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
            self._work()

    def eof_received(self) -> bool:
        """Answer what was said before the client stopped talking, then close."""
        self._mark_delivered()
        if self._ending is None:
            self._came.append(b"")
            self._work()
        return self._transport.get_extra_info("ssl_object") is None  # TLS has no half-open streams

    def pause_writing(self) -> None:
        """The client leaves bytes unread."""
        self._is_full = True
        self._outgoing.pause()
        self._unread = self._clock.later(self._config.slow_reader_time, self._cut_off)
        self._choose_reading()

    def resume_writing(self) -> None:
        """Everything written so far is with the system."""
        self._is_full = False
        if self._unread is not None:
            self._unread.cancel()
        self._outgoing.resume()
        self._mark_delivered()
        self._flush()
        self._work()
        self.wake()
        self._choose_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._context.is_closed = True
        by_us = self._ending
        reason = by_us or (f"lost: {exc}" if exc else "closed by the client")
        self._ending = reason
        session, attempt = self._context.session, self._context.attempt
        event(logger, logging.INFO, "gone", peer=self._context.peer,
              uin=session.uin if session else None, why=reason)  # fmt: skip
        attempt.add(Step.CLOSED if by_us not in {None, _BY_CLIENT} else Step.DISCONNECTED,
                    reason=reason)  # fmt: skip
        if self._busy is not None:
            self._busy.cancel()  # nobody waits for the password check any more
        for timer in (self._unread, self._sign_in, self._slowed):
            if timer is not None:
                timer.cancel()
        self._outgoing.forget()
        self._connection.forget()
        self._came.clear()
        self._lines.clear()
        self._replies.clear()
        self._gone(self)
        if session is not None:
            self._services.sessions.close(session, reason)

    # --- what the session and the server call

    def vouch_for(self, whom: Callable[[], int | None], over: Callable[[str], None]) -> None:
        """Ask for no password here: `whom` says who it is, None once nobody is any more.

        `over` is called, with the reason, when a session ends that the client did not end itself.
        """
        self._context.vouched = whom
        self._over = over

    def end_session(self, reason: str) -> None:
        """Sign out who is signed in here; the connection stays."""
        session = self._context.session
        if session is not None:
            self._services.sessions.close(session, reason)

    def wake(self) -> None:
        """Look for pushes soon."""
        if not self._pumping and self._ending is None:
            self._pumping = True
            self._rounds.soon(self._pump)

    def close(self, reason: str) -> None:
        """Close in good order: once what was accepted is answered, and what was pushed arrived."""
        self._lingers = True  # not for long: the server cuts off who takes its time
        self._finish(self._ending or reason)

    def abort(self) -> None:
        """Close at once; what the client has not read is lost to it."""
        self._transport.abort()

    def _ended(self, reason: str) -> None:
        """The session ended; the connection stays, and its next command is answered RES=20."""
        if self._ending is None:
            event(logger, logging.INFO, "session ended", peer=self._context.peer, why=reason)
            self._await_sign_in()
            session = self._context.session
            current = self._services.sessions.of(session.uin) if session is not None else None
            if current is None or current.wake != self.wake:  # else they signed in again right here
                self._outgoing.disown()
                if not self._outgoing:
                    self._emptied()
                if self._over is not None and reason != SIGNED_OUT:
                    self._rounds.soon(partial(self._over, reason))

    # --- reading and answering

    def _work(self) -> None:
        """Handle some of what came; others get their turn before the rest."""
        if self._working:
            return
        is_first, now = self._outgoing.gather(), self._clock.now()
        try:
            for _ in range(self._config.turn_limit):
                if not (self._lines or self._came) or self._is_stopped():
                    break
                if not (self._lines or self._read_piece(now)):
                    break
                self._handle(self._lines.pop(), now)
        finally:
            if is_first:
                self._outgoing.write()
        if not self._is_stopped():
            ending = self._connection.ending
            if self._lines or (self._came and ending is None):
                self._work_soon()
            elif ending is not None:
                self._end_of_lines(ending)
        self._choose_reading()

    def _work_soon(self) -> None:
        if not self._working:
            self._working = True
            self._rounds.soon(self._work_again)

    def _work_again(self) -> None:
        self._working = False
        self._work()

    def _read_piece(self, now: float) -> bool:
        """Read one piece of what came; return whether there is something to handle."""
        connection = self._connection
        lines = connection.split(self._came.pop(0), now)
        self._lines = lines[::-1]
        self._outgoing.pipelines = connection.pipelines or self._is_framed
        self._outgoing.old_habits = connection.old_habits
        if connection.noise > len(lines) + _NOISE and not self._nonsense.spend(now):
            self._refuse_more("too many empty lines")
        return bool(self._lines)

    def _is_stopped(self) -> bool:
        """Whether what came must wait: for a sign-in, for the disk, for the client to read."""
        waiting = len(self._replies) + len(self._outgoing) >= self._config.replies_limit
        is_held = self._busy is not None or self._is_full or self._slowed is not None
        return is_held or waiting or self._ending is not None

    def _handle(self, line: bytes, now: float) -> None:
        if self._tap.is_watched:
            self._show("in", line)
        taken = shortcut.take(self._context, line, now)
        if taken is not None:
            reply, stored = taken
            self._replies.append((line, reply, stored, None, ()))
            if len(self._replies) == 1 and stored is not None:
                self._await_stored(stored)
            elif len(self._replies) == 1:
                self._flush()
        else:
            self._dispatch(self._connection.read(line))
        if (wait := slow_down(self._context, now)) > 0:
            self._slowed = self._clock.later(wait, self._go_on)

    def _dispatch(self, occurred: Event) -> None:
        assert isinstance(occurred, (Command, Unreadable)), "a client says nothing else"
        answer, is_nonsense = dispatch(self._context, occurred)
        if is_nonsense and not self._nonsense.spend(self._clock.now()):
            self._refuse_more("too many lines that cannot be read or need a sign-in")
        elif isinstance(answer, After):
            self._replies.append((occurred, answer.reply, answer.stored, None, ()))
            if len(self._replies) == 1:
                self._flush()
        elif isinstance(answer, Taken):
            self._replies.append((occurred, answer.reply, None, None, answer.items))
            self._carrying += 1
            self._flush()
        elif isinstance(answer, Reply):
            if self._replies:  # it waits behind those, in order
                self._replies.append((occurred, answer, None, None, ()))
            else:
                self._reply(occurred, answer)
        elif answer is not None:
            assert isinstance(occurred, Command)
            self._busy = asyncio.get_running_loop().create_task(self._wait(occurred, answer))

    def _show(self, way: Way, line: bytes) -> None:
        session = self._context.session
        uin = session.uin if session is not None and session.is_open else None
        self._tap.saw(self._context.peer, uin, way, line)

    def _end_of_lines(self, closed: Closed) -> None:
        if closed.error is not None:
            self._refuse_more(str(closed.error))
        else:
            self._finish(_BY_CLIENT)

    def _go_on(self) -> None:
        self._slowed = None
        self._work()

    async def _wait(self, message: Command, answer: Coroutine[Any, Any, Reply]) -> None:
        reply = await answer
        self._busy = None
        greets = isinstance(reply, SignInReply) and reply.result == 0
        if greets and self._context.session is not None:
            self._context.session.settle = self._mark_delivered
            if self._sign_in is not None:  # a thousand timers would take a quarter of a megabyte
                self._sign_in.cancel()
                self._sign_in = None
        if not greets and not self._nonsense.spend(self._clock.now()):
            self._refuse_more("too many sign-ins that failed")
            return
        self._replies.append((message, reply, None, self._context.session if greets else None, ()))
        self._flush()
        self._work()

    def _flush(self) -> None:
        """Say the replies whose turn has come."""
        is_first = self._outgoing.gather()
        try:
            self._say_replies()
        finally:
            if is_first:
                self._outgoing.write()
        if not self._is_reading:  # so many may have waited that no more were taken
            self._work_soon()
        if self._ending is not None and not self._replies:
            self._close()

    def _say_replies(self) -> None:
        while self._replies and not self._is_full:
            message, reply, stored, greets, items = self._replies[0]
            if stored is not None:
                if not stored.done():
                    self._await_stored(stored)
                    break
                error = stored.exception()
                if error is not None:
                    message = self._read_again(message)
                    reply = refused(self._context, message, error)
            del self._replies[0]
            self._reply(message, reply, items)
            if items:
                self._carrying -= 1
                self.wake()
            if greets is not None:
                if self._greeted is not None and self._greeted.uin != greets.uin:
                    self._outgoing.disown()
                self._greeted = greets
                self.wake()

    def _await_stored(self, stored: Written) -> None:
        """Go on when the first is on disk; one transaction writes many, so that is enough."""
        if stored is not self._awaited:
            self._awaited = stored
            stored.add_done_callback(self._stored)

    def _stored(self, stored: Written) -> None:
        if stored is self._awaited:
            self._awaited = None
        self._flush()

    def _read_again(self, said: Command | Unreadable | bytes) -> Command:
        """Return the command that has a reply which waits."""
        message = self._connection.read(said) if isinstance(said, bytes) else said
        assert isinstance(message, Command), "only those are answered later"
        return message

    def _reply(
        self,
        said: Command | Unreadable | bytes,
        reply: Reply | bytes,
        items: tuple[Item, ...] = (),
    ) -> None:
        if isinstance(reply, bytes):
            data = reply
        else:
            now = self._clock.now()
            try:
                data = self._connection.send(reply, now)
            except LocalProtocolError as error:  # nothing that was accepted should come to this
                refusal = refused(self._context, self._read_again(said), error)
                data, items = self._connection.send(refusal, now), ()
        self._metrics.bytes_out += len(data)
        if self._tap.is_watched:
            self._show("out", data)
        ids = [item.id for item in items if isinstance(item, Stored)] if items else None
        self._outgoing.say(data, ids[-1] if ids else None)

    def _emptied(self) -> None:
        """All that was to say is written: go on with what waited for it."""
        if self._greeted is not None and self._greeted.may_have_more:
            self.wake()
        if not self._is_reading:
            self._work_soon()

    # --- pushing

    def _pump(self) -> None:
        """Write what the session has to tell, if the client takes it."""
        self._pumping = False
        session = self._greeted
        if session is None or not session.is_open or self._is_full or self._ending is not None:
            return
        if self._carrying:
            return  # it is woken again when those are said
        if self._outgoing and not self._outgoing.pipelines:
            return  # it is woken again when that is written
        # Who needs a breath between lines gets the statuses that are true by then.
        most = 1 if self._connection.old_habits else self._config.take_limit
        items = self._services.sessions.take(session, most)
        is_first = self._outgoing.gather()
        try:
            for item in items:
                self._push(item, session.uin)
        finally:
            if is_first:
                self._outgoing.write()
        self._metrics.pushes += len(items)
        if len(items) == most:
            self.wake()

    def _push(self, item: Item, uin: int) -> None:
        last = item.id if isinstance(item, Stored) else None
        data = shortcut.push_line(item, uin)
        if data is None:
            self._statuses += last is None
            line = push(item, self._statuses, uin)
            try:
                data = self._connection.send(line, self._clock.now())
            except LocalProtocolError as error:
                # Nothing that was accepted should come to this; if it does, the rest goes out.
                event(logger, logging.ERROR, "cannot be pushed", error=error,
                      peer=self._context.peer)  # fmt: skip
                return
        self._metrics.bytes_out += len(data)
        if self._tap.is_watched:
            self._show("out", data)
        self._outgoing.say(data, last, is_push=True)

    def _mark_later(self) -> None:
        """Look once for all that is pushed within a moment; nothing waits for it."""
        if not self._looking:
            self._looking = True
            self._rounds.later(self._look_again)

    def _mark_delivered(self) -> None:
        """Say what has arrived, unless the session has ended; look again for what has not."""
        if not self._handover.is_waiting or self._context.is_closed or self._transport.is_closing():
            return  # what was written to a connection that broke is still to be delivered
        last = self._handover.arrived()
        session, greeted = self._context.session, self._greeted
        # Who has just signed in again is not greeted yet, and is still the same.
        is_theirs = session is not None and greeted is not None and session.uin == greeted.uin
        if last is not None and session is not None and is_theirs and session.is_open:
            self._services.sessions.arrived(session, last)
        if self._handover.is_waiting:
            self._mark_later()

    def _look_again(self) -> None:
        self._looking = False
        if self._context.is_closed:
            return
        self._mark_delivered()
        if self._lingers and not self._replies:
            self._close()

    # --- ending

    def _finish(self, reason: str) -> None:
        """Close once the replies that wait for the disk are said."""
        self._ending = reason
        if not self._replies:
            self._close()

    def _close(self) -> None:
        """Write what waits, and close; or else look again later."""
        if self._context.is_closed or self._transport.is_closing():
            return
        self._outgoing.flush()
        self._mark_delivered()
        if not (self._lingers and self._handover.is_waiting):
            self._transport.close()

    def _refuse_more(self, reason: str) -> None:
        event(logger, logging.WARNING, "closed", peer=self._context.peer, why=reason)
        self._came.clear()
        self._lines.clear()
        self._finish(reason)
        self._choose_reading()

    def _cut_off(self) -> None:
        self._unread = None
        reason = f"left unread what it was sent for {self._config.slow_reader_time:g} s"
        event(logger, logging.WARNING, "closed", peer=self._context.peer, why=reason)
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
        wanted = not (self._came or self._lines or self._is_stopped())
        if self._ending is not None or wanted == self._is_reading:
            return
        self._is_reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()


_BY_CLIENT = "closed by the client"
