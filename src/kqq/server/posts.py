"""One connection over HTTP: a command to a request, and the reply in its answer.

There is one form of answer: 200, a length, no chunks, and the connection is closed unless the
client has clearly asked to keep it (rule 21). Sessions are found by address and number. What an
answer brings from an inbox is deleted once the client's system has acknowledged it, and given back
to the session if the connection breaks before.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from kqq.protocol import (
    Closed,
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
    show,
)
from kqq.protocol.connection import LINE_END
from kqq.protocol.post import PLAIN_TEXT
from kqq.server import account_page, pages, register_page
from kqq.server.clock import Timer
from kqq.server.dispatch import dispatch, forgive, settled, slow_down
from kqq.server.handlers import Context, Peer, Services, Taken
from kqq.server.handlers.directory import PATH, server_config
from kqq.server.handover import Handover
from kqq.server.journal import Attempt, Step
from kqq.server.logs import event
from kqq.server.session import Session
from kqq.server.store import Stored
from kqq.server.tap import Way
from kqq.server.transports import stream_of

logger = logging.getLogger("kqq.posts")

_REQUEST_TIME = 60.0
"""Seconds that a request may take to come; on a connection that is kept, also until it begins."""
_PIECE = 2048
"""Bytes read at once."""
_TURN = 16
"""Pieces read before others get their turn."""
_OPEN_BODY_TIME = 1.0
"""Seconds of silence after which a body without a length is taken as whole."""
_OF_BROWSERS = ("Origin", "Sec-Fetch-Site")
_LINGER = 5.0
"""Seconds that the client gets to close after its answer; closing on unread bytes would reset the
connection, and the answer with it. While messages are not acknowledged it is `slow_reader_time`."""
_HELLO = b"This is a server for Mobile QQ (KQQ): phones POST their commands here.\r\n"


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes = b""
    status: int = 200
    head_only: bool = False
    content_type: str = PLAIN_TEXT


class Post(asyncio.Protocol):
    """One connection. `gone(post)` is called when it is over.

    One request at a time: the next is looked at when the last has been answered, and the messages
    in that answer have arrived.
    """

    def __init__(
        self, services: Services, peer: Peer, attempt: Attempt, gone: Callable[["Post"], None]
    ) -> None:
        self._services = services
        self._clock = services.clock
        self._peer = peer
        self._called = peer  # the same, as the last request has called us
        self._attempt = attempt
        self._gone = gone
        self._reader = PostReader()
        self._came: list[bytes] = []  # not read yet; b"" is the end
        self._requests: list[HttpRequest] = []
        self._working = False  # a turn of work is due
        self._busy: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._due = 0.0  # when the request that is coming must be whole
        self._looking: Timer | None = None
        self._is_reading = True
        self._has_ended = False  # the client says no more
        self._is_answered = False  # the last answer is written; only its arrival is awaited
        self._taken: Taken | None = None  # what an answer brought, until that has arrived
        self._context: Context | None = None
        self._is_stopping = False

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = stream_of(transport)
        self._handover = Handover(self._transport)
        self._due = self._clock.now() + _REQUEST_TIME
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take more of a request."""
        self._services.metrics.bytes_in += len(data)
        if self._is_answered:
            return
        self._look()  # what a client sends acknowledges what it got before
        self._came += (data[at : at + _PIECE] for at in range(0, len(data), _PIECE))
        self._work()
        self._watch()

    def eof_received(self) -> bool:
        """The client says no more; it may still want its answer."""
        self._has_ended = True
        self._look()
        if not self._is_answered:
            self._came.append(b"")
            self._work()
        # TLS has no half-open streams.
        return self._is_held and self._transport.get_extra_info("ssl_object") is None

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
        if not self._is_held:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # --- requests and answers

    @property
    def _is_held(self) -> bool:
        """Whether what came must wait: for an answer, or for messages in one to arrive."""
        return self._busy is not None or self._taken is not None

    def _work(self) -> None:
        """Serve the next request, unless it must wait; nothing is read before that.

        Others get their turn after some pieces: a read can hold thousands of small requests.
        """
        for _ in range(_TURN):
            if self._is_held or self._is_answered or not self._go_on():
                break
        else:
            self._work_soon()
        wanted = self._is_answered or not (self._came or (self._is_held and self._requests))
        if wanted != self._is_reading:
            self._is_reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _go_on(self) -> bool:
        """Take one step: begin to serve, refuse, close or read; return whether there is more."""
        if self._requests:
            self._cancel_timer()
            request = self._requests.pop(0)
            self._busy = asyncio.get_running_loop().create_task(self._serve(request))
        elif self._reader.error is not None:
            self._refuse(self._reader.status, str(self._reader.error))
        elif self._came:
            had_begun = self._reader.pending
            self._requests += self._reader.feed(self._came.pop(0))
            if self._reader.pending and not had_begun:
                self._due = self._clock.now() + _REQUEST_TIME
            return True
        elif self._has_ended:
            self._transport.close()
        return False

    def _work_soon(self) -> None:
        if not self._working:
            self._working = True
            asyncio.get_running_loop().call_soon(self._work_again)

    def _work_again(self) -> None:
        self._working = False
        if not self._transport.is_closing():
            self._work()
            self._watch()

    async def _serve(self, request: HttpRequest) -> None:
        has_more = bool(self._requests or self._came)
        keep = request.wants_more and not has_more and self._reader.error is None
        try:
            answer = await self._find_answer(request)
        except Exception as error:  # noqa: BLE001  # one bad request must get an answer, too
            event(logger, logging.ERROR, "failed", error=error, id=self._services.random(4).hex(),
                  peer=self._peer, request=request)  # fmt: skip
            self._give_back()
            answer = _Answer(status=500)
        self._answer(answer, keep=keep)

    async def _find_answer(self, request: HttpRequest) -> _Answer:
        if (page := await self._find_page(request)) is not None:
            return page
        if request.method == "POST":
            return await self._do(request)
        is_head = request.method == "HEAD"
        if (is_head or request.method == "GET") and request.path == PATH:
            body = server_config(self._new_context(request)) + LINE_END
            return _Answer(body, head_only=is_head)
        self._attempt.add(Step.NOT_KQQ, method=request.method, path=_shown(request))
        status = 404 if is_head or request.method == "GET" else 405
        return _Answer(_HELLO, status=status, head_only=is_head)

    async def _find_page(self, request: HttpRequest) -> _Answer | None:
        """Return a page: for those who want a number, or to change what goes with theirs."""
        policy, is_post = self._services.config.registration, request.method == "POST"
        path = request.path
        if path == account_page.PATH:
            if is_post and account_page.is_form(request.body):
                self._attempt.add(Step.NOT_KQQ, method=request.method, path=_shown(request))
                context = self._new_context(request)
                page = await account_page.change(context, request.body)
                self._attempt = context.attempt
                return _page(page)
            if request.method not in {"GET", "HEAD"}:
                return None
            page = account_page.form()
        elif path != register_page.PATH:
            return None
        elif is_post and register_page.is_form(request.body):
            registration, host = self._services.registration, self._peer.host
            page = await register_page.register(registration, policy, request.body, host)
        elif request.method in {"GET", "HEAD"} and policy != "off":
            page = register_page.form(policy)
        else:
            return None
        self._attempt.add(Step.NOT_KQQ, method=request.method, path=_shown(request))
        if page.limit:
            self._attempt.add(Step.LIMITED, limit=page.limit)
        return _page(page, head_only=request.method == "HEAD")

    async def _do(self, request: HttpRequest) -> _Answer:
        """Do what a POST says; nothing at all is answered by an empty body (HACK).

        What a browser sends for a page that somebody looks at says where it is from, as no phone
        does; such a page must not act for whoever is signed in from the same address.
        """
        if any(request.header(name) is not None for name in _OF_BROWSERS):
            self._attempt.add(Step.NOT_KQQ, method="POST", path=_shown(request))
            return _Answer(status=403)
        connection = Connection(Role.SERVER, Framing.BODY)
        now = self._clock.now()
        came = [*connection.receive(request.body, now), *connection.receive(b"", now)]
        message = came[0]
        if isinstance(message, Closed) and message.error is not None:
            return self._unreadable(413, str(message.error))
        if not isinstance(message, Command | Unreadable):
            self._attempt.add(Step.NOT_KQQ, method="POST", path=_shown(request))
            return _Answer()
        context = self._context = self._new_context(request)
        self._find_session(context, message)
        if self._services.tap.is_watched:
            self._show(context, "in", request.body)
        if (wait := slow_down(context)) > 0:
            await self._pause(context, wait)
            self._find_session(context, message)  # it may have signed in again meanwhile
        answer, _ = dispatch(context, message)
        self._attempt = context.attempt
        if answer is None:
            return _Answer()  # the line is in the journal, with what is wrong
        if isinstance(answer, Taken):
            self._taken = answer
            answer.session.settle = self._settle
        if isinstance(message, Command):
            reply: Message = await settled(context, message, answer)
        else:
            assert isinstance(answer, Reply)
            reply = answer
        self._attempt = context.attempt
        body = encode(reply) + _end(message, reply)
        if self._services.tap.is_watched:
            self._show(context, "out", body)
        return _Answer(body)

    def _show(self, context: Context, way: Way, line: bytes) -> None:
        session = context.session
        uin = session.uin if session is not None and session.is_open else None
        self._services.tap.saw(context.peer, uin, way, line)

    def _new_context(self, request: HttpRequest) -> Context:
        called = (request.header("Host") or "").rpartition("]")
        host = f"{called[0]}]" if called[0] else called[2].partition(":")[0]
        reached = host.strip("[] ") or self._peer.reached
        if self._called.reached != reached:
            self._called = replace(self._peer, reached=reached)
        ended = partial(_ended, self._called)
        return Context(self._services, self._called, self._attempt, _nothing, ended)

    def _find_session(self, context: Context, message: Command | Unreadable) -> None:
        head = message if isinstance(message, Command) else failure(message, 1)
        if head is not None:
            context.session = self._services.sessions.find(head.uin, self._peer.place)
            if context.session is not None:
                context.session.heard = self._clock.now()
                context.attempt = self._attempt = context.attempt.is_of(head.uin)

    async def _pause(self, context: Context, seconds: float) -> None:
        """Wait; who does not wait for the answer has not spent a command."""
        over = asyncio.Event()
        timer = self._clock.later(seconds, over.set)
        try:
            await over.wait()
        except asyncio.CancelledError:
            forgive(context)
            raise
        finally:
            timer.cancel()

    def _answer(self, answer: _Answer, *, keep: bool = False) -> None:
        """Write an answer. Unless the connection is kept, nothing more is read."""
        self._busy = None
        if self._transport.is_closing():
            self._give_back()
            return
        keep = keep and answer.status == 200 and not self._is_stopping
        data = http_response(
            answer.body,
            status=answer.status,
            content_type=answer.content_type,
            keep=keep,
            head_only=answer.head_only,
        )
        self._transport.write(data)
        self._services.metrics.bytes_out += len(data)
        self._handover.wrote(len(data))
        if self._taken is not None:
            ids = [item.id for item in self._taken.items if isinstance(item, Stored)]
            self._handover.handed_over(ids[-1] if ids else 0)
            self._look()
        if not keep:
            self._say_no_more()
        self._due = self._clock.now() + _REQUEST_TIME
        self._work()
        self._watch()

    def _say_no_more(self) -> None:
        self._is_answered = True
        self._came.clear()
        self._requests.clear()
        try:
            if self._transport.can_write_eof():
                self._transport.write_eof()
        except OSError:  # the client has reset the connection, and asyncio does not know yet
            self._transport.abort()
        if self._taken is None:
            self._part()
        else:
            self._await(self._services.config.slow_reader_time, self._transport.abort)

    def _refuse(self, status: int, why: str) -> None:
        """Answer a request that is not whole."""
        self._answer(self._unreadable(status, why))

    def _unreadable(self, status: int, why: str) -> _Answer:
        event(logger, logging.INFO, "unreadable", peer=self._peer, why=why)
        self._attempt.add(Step.UNREADABLE, line="", rule=why)
        return _Answer(status=status)

    def _part(self) -> None:
        """Let the client close: all that must arrive has arrived."""
        if self._has_ended or self._is_stopping or not self._transport.can_write_eof():
            self._transport.close()
        else:
            self._await(_LINGER, self._transport.close)

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
        self._services.sessions.delivered(self._let_go(taken), last)
        if self._is_answered:
            self._part()

    def _look_again(self) -> None:
        self._looking = None
        self._look()
        if not self._is_held:
            self._work()
            if self._is_stopping and self._busy is None:
                self._transport.close()

    def _settle(self) -> None:
        """Its messages are wanted again, or it ends: what has not arrived by now is given back."""
        self._look()
        self._give_back()

    def _give_back(self) -> None:
        if self._taken is not None:
            taken = self._taken
            self._handover.forget()
            self._services.sessions.give_back(self._let_go(taken), taken.items)

    def _let_go(self, taken: Taken) -> Session:
        """Return the session that took it, or the one that goes on where that was."""
        self._taken = None
        session = self._services.sessions.of(taken.session.uin)
        assert session is not None, "a session settles what it has taken before it ends"
        session.settle = None
        return session

    # --- time

    def _watch(self) -> None:
        """Wait for the rest of a request, or for the next one, but not for ever."""
        if self._busy is not None or self._is_answered:
            return
        left = self._due - self._clock.now()
        if self._reader.may_be_whole and left > _OPEN_BODY_TIME:
            self._await(_OPEN_BODY_TIME, self._finish_body)
        else:
            self._await(max(left, 0.0), self._give_up)

    def _give_up(self) -> None:
        """No request came in time, or only a part of one."""
        if self._taken is not None:
            self._transport.abort()
        elif self._reader.pending:
            self._refuse(408, f"a request took more than {_REQUEST_TIME:g} s to come")
        else:
            self._transport.close()

    def _finish_body(self) -> None:
        self._requests += self._reader.finish()
        self._work()

    def _await(self, seconds: float, call: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = self._clock.later(seconds, call)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _page(page: pages.Page, *, head_only: bool = False) -> _Answer:
    return _Answer(page.body, page.status, head_only, pages.CONTENT_TYPE)


def _shown(request: HttpRequest) -> str:
    """Return the path of a request as a journal may have it."""
    return show(request.path.encode("utf-8", "surrogateescape"))


def _nothing() -> None:
    """A session over HTTP is not woken: its client asks."""


def _ended(peer: Peer, reason: str) -> None:
    event(logger, logging.INFO, "session ended", peer=peer, why=reason)


def _end(message: Command | Unreadable, reply: Message) -> bytes:
    """Return the end of the line. FWGQ needs it.

    COMPAT(QQClient): its GetMsgEx miscounts when a line end follows the last comma; it speaks 1.1.
    """
    is_old = isinstance(message, Request) and message.head.ver < "1.4"
    return b"" if is_old and isinstance(reply, GetMsgExReply) and reply.count else LINE_END
