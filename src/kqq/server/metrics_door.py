"""The door for Prometheus and for whoever watches: `GET /metrics` and `GET /health`.

It has no password, so it belongs on an address that only this machine, or its operator's network,
can reach. Nothing that it tells names anybody.
"""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable

from kqq.errors import ConfigError
from kqq.protocol.post import HttpRequest, PostReader, http_response
from kqq.server.clock import Clock
from kqq.server.logs import event
from kqq.server.metrics import CONTENT_TYPE, Metrics
from kqq.server.transports import stream_of

logger = logging.getLogger("kqq.metrics")

Health = Callable[[], Awaitable[str | None]]
"""Returns what is wrong, None if nothing is."""

TIME = 10.0
"""Seconds that a request and its answer may take."""
VISITORS = 32
"""Connections at once; more are closed as they come."""
_HEAD_LIMIT = 8192
_BODY_LIMIT = 1024  # nobody should send any
_MOST_READ = 65536  # bytes of what still comes once there is an answer


class MetricsDoor:
    """A door of its own, so that it answers whatever happens at the doors for phones."""

    def __init__(self, metrics: Metrics, health: Health, clock: Clock) -> None:
        self.clock = clock
        self._metrics = metrics
        self._health = health
        self._server: asyncio.Server | None = None
        self._visitors: set[_Visitor] = set()

    async def open(self, host: str, port: int) -> int:
        """Listen; return the port, which the system chooses if it is 0. Raises ConfigError."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Visitor(self), host, port)
        except OSError as error:
            is_taken = error.errno == errno.EADDRINUSE
            why = "the port is taken" if is_taken else error.strerror or error
            raise ConfigError(
                f"cannot listen for metrics on {host}:{port}: {why}; choose another"
            ) from error
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and cut off who is there; may be called twice."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            for visitor in list(self._visitors):
                visitor.abort()
            await server.wait_closed()

    def came(self, visitor: "_Visitor") -> bool:
        """Return whether there is room for one more."""
        self._visitors.add(visitor)
        return len(self._visitors) <= VISITORS

    def went(self, visitor: "_Visitor") -> None:
        """Forget somebody."""
        self._visitors.discard(visitor)

    async def answer(self, request: HttpRequest) -> bytes:
        """Return the answer to a request; whatever fails is logged, and in it as status 500."""
        head_only = request.method == "HEAD"
        path = request.path if head_only or request.method == "GET" else ""
        try:
            if path == "/metrics":
                figures = self._metrics.render_ours()
                figures += await asyncio.to_thread(self._metrics.render_process)
                return http_response(figures, content_type=CONTENT_TYPE, head_only=head_only)
            if path == "/health":
                wrong = await self._health()
                status, words = (200, "ok") if wrong is None else (503, wrong)
            else:
                status, words = 404, "ask for /metrics or /health with GET"
        except Exception as error:  # noqa: BLE001  # it must not end the server
            event(logger, logging.ERROR, "failed", error=error, path=path)
            status, words = 500, "this failed; the log of the server says why"
        return _words(status, words, head_only=head_only)


class _Visitor(asyncio.Protocol):
    """One connection: one request, one answer."""

    def __init__(self, door: MetricsDoor) -> None:
        self._door = door
        self._reader = PostReader(head_limit=_HEAD_LIMIT, body_limit=_BODY_LIMIT)
        self._task: asyncio.Task[None] | None = None
        self._ignored = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = stream_of(transport)
        self._transport = transport
        self._timer = self._door.clock.later(TIME, self._too_late)
        if not self._door.came(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._task is not None or self._transport.is_closing():
            self._ignored += len(data)
            if self._ignored > _MOST_READ:
                self.abort()
            return
        requests = self._reader.feed(data)
        if requests:
            self._task = asyncio.get_running_loop().create_task(self._answer(requests[0]))
        elif self._reader.error is not None:
            self._say(_words(self._reader.status, str(self._reader.error)))

    def eof_received(self) -> bool:
        return self._task is not None  # who has said all still wants the answer

    def connection_lost(self, _: Exception | None) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._door.went(self)

    def abort(self) -> None:
        self._transport.abort()

    async def _answer(self, request: HttpRequest) -> None:
        self._say(await self._door.answer(request))

    def _say(self, answer: bytes) -> None:
        self._transport.write(answer)
        self._transport.close()

    def _too_late(self) -> None:
        """End it: in words, if it is us who are slow."""
        if self._task is not None and not self._task.done():
            self._say(_words(503, f"there was no answer within {TIME:g} s"))
            self._task.cancel()
        else:
            self.abort()


def _words(status: int, words: str, *, head_only: bool = False) -> bytes:
    body = f"{words}\n".encode("utf-8", "backslashreplace")
    return http_response(body, status=status, head_only=head_only)
