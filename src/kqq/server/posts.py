"""One connection over HTTP: a command to a request, and the reply in its answer.

There is one form of answer: 200, a length, no chunks, and the connection is closed unless the
client has clearly asked to keep it (rule 21). Sessions are found by address and number. What an
answer brings from an inbox is deleted once the client's system has acknowledged it, and given back
to the session if the connection breaks before.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from kqq.protocol import (
    Command,
    Connection,
    Framing,
    GetMsgExReply,
    HttpRequest,
    Message,
    PostReader,
    Reply,
    Request,
    Role,
    Unreadable,
    encode,
    failure,
    http_response,
)
from kqq.protocol.connection import LINE_END
from kqq.protocol.post import PLAIN_TEXT
from kqq.server import register_page
from kqq.server.clock import Timer
from kqq.server.dispatch import dispatch, settled, slow_down
from kqq.server.handlers import Context, Peer, Services, Taken
from kqq.server.handlers.directory import PATH, server_config
from kqq.server.handover import Handover
from kqq.server.journal import Attempt, Step
from kqq.server.logs import event
from kqq.server.session import Session
from kqq.server.store import Stored

logger = logging.getLogger("kqq.posts")

_REQUEST_TIME = 60.0
"""Seconds that a request, or the next one on a connection that is kept, may take to come."""
_OPEN_BODY_TIME = 1.0
"""Seconds of silence after which a body without a length is taken as whole."""
_LINGER = 5.0
"""Seconds that the client gets to close after its answer; closing on unread bytes would reset the
connection, and the answer with it. While messages are not acknowledged it is `slow_reader_time`."""
_HELLO = b"This is a server for Mobile QQ (KQQ): phones POST their commands here.\r\n"


class Post(asyncio.Protocol):
    """One connection. `gone(post)` is called when it is over."""

    def __init__(
        self, services: Services, peer: Peer, attempt: Attempt, gone: Callable[["Post"], None]
    ) -> None:
        self._services = services
        self._clock = services.clock
        self._peer = peer
        self._attempt = attempt
        self._gone = gone
        self._reader = PostReader()
        self._requests: deque[HttpRequest] = deque()
        self._busy: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._looking: Timer | None = None
        self._is_answered = False  # the last answer is written; only its arrival is awaited
        self._taken: Taken | None = None  # what it brought, until that has arrived
        self._context: Context | None = None
        self._is_stopping = False

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._handover = Handover(transport)
        self._await(_REQUEST_TIME, lambda: self._refuse(408))

    def data_received(self, data: bytes) -> None:
        """Take more of a request."""
        self._services.metrics.bytes_in += len(data)
        if self._is_answered:
            return
        self._requests += self._reader.feed(data)
        if self._reader.is_body_open:
            self._await(_OPEN_BODY_TIME, self._finish_body)
        self._work()

    def eof_received(self) -> bool:
        """The client says no more; it may still want its answer."""
        if self._is_answered:
            self._look()
            if self._taken is None:
                return False
        else:
            self._requests += self._reader.feed(b"")
            self._work()
            if self._busy is None and not self._requests and not self._is_answered:
                return False
        return self._transport.get_extra_info("ssl_object") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything; what did not arrive waits for the next request."""
        if self._context is not None:
            self._context.is_closed = True
        if self._busy is not None:
            self._busy.cancel()
        for timer in (self._timer, self._looking):
            if timer is not None:
                timer.cancel()
        self._give_back()
        self._attempt.add(Step.DISCONNECTED, reason=f"lost: {exc}" if exc else "closed")
        self._gone(self)

    # --- what the server calls

    def close(self, reason: str) -> None:
        """Close in good order: once the answer has arrived."""
        self._is_stopping = True
        self._attempt.add(Step.CLOSED, reason=reason)
        self._look()
        if self._taken is None and self._busy is None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # --- requests and answers

    def _work(self) -> None:
        if self._busy is not None or self._is_answered:
            return
        if self._requests:
            self._cancel_timer()
            request = self._requests.popleft()
            self._busy = asyncio.get_running_loop().create_task(self._serve(request))
        elif self._reader.error is not None:
            event(logger, logging.INFO, "unreadable", peer=self._peer, why=self._reader.error)
            self._attempt.add(Step.UNREADABLE, line="", rule=str(self._reader.error))
            self._refuse(self._reader.status)

    async def _serve(self, request: HttpRequest) -> None:
        keep = request.wants_more and not self._requests and self._reader.error is None
        policy = self._services.config.registration
        if policy != "off" and request.path == register_page.PATH:
            page = register_page.form(policy)
            if request.method == "POST":
                page = await register_page.register(
                    self._services.registration, policy, request.body, self._peer.host
                )
            self._answer(page.body, status=page.status, content_type=register_page.CONTENT_TYPE)
        elif request.method == "POST":
            await self._serve_post(request, keep=keep)
        elif request.method in {"GET", "HEAD"} and request.path == PATH:
            body = server_config(self._new_context(request)) + LINE_END
            self._answer(body, keep=keep, head_only=request.method == "HEAD")
        else:
            self._attempt.add(Step.NOT_KQQ, method=request.method, path=request.path)
            is_get = request.method in {"GET", "HEAD"}
            self._answer(_HELLO, status=404 if is_get else 405, head_only=request.method == "HEAD")

    async def _serve_post(self, request: HttpRequest, *, keep: bool) -> None:
        """Answer one command; nothing at all is answered by an empty body (HACK)."""
        connection = Connection(Role.SERVER, Framing.BODY)
        now = self._clock.now()
        came = [*connection.receive(request.body, now), *connection.receive(b"", now)]
        message = came[0]
        if not isinstance(message, Command | Unreadable):
            self._attempt.add(Step.NOT_KQQ, method="POST", path=request.path)
            self._answer(b"", keep=keep)
            return
        context = self._context = self._new_context(request)
        self._find_session(context, message)
        if (wait := slow_down(context)) > 0:
            await self._pause(wait)
        answer = dispatch(context, message).answer
        self._attempt = context.attempt
        if answer is None:
            self._attempt.add(Step.SILENCE, why="what it sent gets no answer")
            self._answer(b"", keep=keep)
            return
        taken = answer if isinstance(answer, Taken) else None
        if isinstance(message, Command):
            reply: Message = await settled(context, message, answer)
        else:
            assert isinstance(answer, Reply)
            reply = answer
        self._attempt = context.attempt
        self._answer(encode(reply) + _end(message, reply), keep=keep, taken=taken)

    def _new_context(self, request: HttpRequest) -> Context:
        called = (request.header("Host") or "").rpartition("]")
        host = f"{called[0]}]" if called[0] else called[2].partition(":")[0]
        peer = replace(self._peer, reached=host.strip("[] ") or self._peer.reached)
        return Context(self._services, peer, self._attempt, _nothing, self._ended)

    def _find_session(self, context: Context, message: Command | Unreadable) -> None:
        head = message if isinstance(message, Command) else failure(message, 1)
        if head is not None:
            context.session = self._services.sessions.find(head.uin, self._peer.place)
            if context.session is not None:
                context.session.heard = self._clock.now()

    async def _pause(self, seconds: float) -> None:
        over = asyncio.get_running_loop().create_future()

        def end() -> None:
            if not over.done():
                over.set_result(None)

        timer = self._clock.later(seconds, end)
        try:
            await over
        finally:
            timer.cancel()

    def _answer(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = PLAIN_TEXT,
        keep: bool = False,
        head_only: bool = False,
        taken: Taken | None = None,
    ) -> None:
        """Write an answer. Unless the connection is kept, nothing more is read."""
        self._busy = None
        self._taken = taken
        if self._transport.is_closing():
            self._give_back()
            return
        data = http_response(
            body, status=status, content_type=content_type, keep=keep, head_only=head_only
        )
        self._transport.write(data)
        self._services.metrics.bytes_out += len(data)
        self._handover.wrote(len(data))
        if taken is not None:
            ids = [item.id for item in taken.items if isinstance(item, Stored)]
            self._handover.handed_over(ids[-1] if ids else 0)
            taken.session.settle = self._settle
            self._look()
        if keep and not self._is_stopping:
            self._await(_REQUEST_TIME, self._transport.close)
            self._work()
            return
        self._is_answered = True
        if self._transport.can_write_eof():
            self._transport.write_eof()
        if self._taken is None:
            self._await(_LINGER, self._transport.close)
        else:
            self._await(self._services.config.slow_reader_time, self._transport.abort)

    def _refuse(self, status: int) -> None:
        self._answer(b"", status=status)

    def _finish_body(self) -> None:
        self._requests += self._reader.finish()
        self._work()

    # --- what an answer brought

    def _look(self) -> None:
        """Delete what has arrived; look again for what has not."""
        taken = self._taken
        if taken is None or self._transport.is_closing():
            return
        last = self._handover.arrived()
        if last is None:
            if self._looking is None:
                self._looking = self._clock.later(
                    self._services.config.arrival_time, self._look_again
                )
            return
        self._taken = None
        session = self._session_of(taken)
        if session is not None:
            session.settle = None
            self._services.sessions.delivered(session, last)
        if self._is_answered:
            self._await(_LINGER, self._transport.close)
        if self._is_stopping:
            self._transport.close()

    def _look_again(self) -> None:
        self._looking = None
        self._look()

    def _settle(self) -> None:
        """Another request came: what has not arrived by now is taken again."""
        self._look()
        self._give_back()

    def _give_back(self) -> None:
        taken, self._taken = self._taken, None
        if taken is None:
            return
        self._handover.forget()
        session = self._session_of(taken)
        if session is not None:
            session.settle = None
            self._services.sessions.give_back(session, taken.items)

    def _session_of(self, taken: Taken) -> Session | None:
        """Return the session that took it, or the one that goes on where that was."""
        return self._services.sessions.find(taken.session.uin, self._peer.place)

    # --- the rest

    def _ended(self, reason: str) -> None:
        event(logger, logging.INFO, "session ended", peer=self._peer, why=reason)

    def _await(self, seconds: float, call: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = self._clock.later(seconds, call)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _nothing() -> None:
    """A session over HTTP is not woken: its client asks."""


def _end(message: Command | Unreadable, reply: Message) -> bytes:
    """Return the end of the line. FWGQ needs it.

    COMPAT(QQClient): its GetMsgEx miscounts when a line end follows the last comma; it speaks 1.1.
    """
    is_old = isinstance(message, Request) and message.head.ver < "1.4"
    return b"" if is_old and isinstance(reply, GetMsgExReply) and reply.count else LINE_END
