"""Requests and their answers over one transport, and what the server says unasked meanwhile."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from kqq.client.transport import Transport
from kqq.errors import (
    CommandError,
    ConnectionLost,
    KQQError,
    LocalProtocolError,
    NoSuchNumber,
    NotSignedIn,
    Refused,
    RemoteProtocolError,
    TimedOut,
)
from kqq.protocol import (
    Answered,
    Closed,
    Connection,
    Event,
    Expired,
    Failure,
    Limits,
    Push,
    Reply,
    Request,
    Role,
    Unreadable,
    show,
)

R = TypeVar("R", bound=Reply)
logger = logging.getLogger("kqq.client")

_MOST_UNTAKEN = 5000
_MOST_ODDITIES = 100
_WHY_REFUSED = {
    "CLTMSG": "servers do so if you are not friends, if the text is too long, or if too many "
    "messages wait",
}


class Exchange:
    """One connection, whoever uses it.

    `error` says why it is over, None while it is not. `odd` is called with words for people when
    the server says what makes no sense; the exchange goes on.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float,
        odd: Callable[[str], None],
    ) -> None:
        """Begin to read; needs a running event loop. `timeout` is seconds for each answer."""
        self.error: KQQError | None = None
        self._odd = odd
        self._transport = transport
        self._timeout = timeout
        self._connection = Connection(Role.CLIENT, limits=Limits(answer=timeout))
        self._calls: dict[int, asyncio.Future[Reply]] = {}
        self._pushes: deque[Push] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._oddities = 0
        self._is_closed = False
        self._alarm: asyncio.TimerHandle | None = None
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def call(self, request: Request[R]) -> R:
        """Say `request` and return its reply. Raises LocalProtocolError if it is being said."""
        self.check()
        if id(request) in self._calls:
            raise LocalProtocolError(f"{request!r} waits for its answer; make another request")
        loop = asyncio.get_running_loop()
        data = self._connection.send(request, loop.time())
        answer: asyncio.Future[Reply] = loop.create_future()
        self._calls[id(request)] = answer
        self._arm()
        try:
            try:
                async with asyncio.timeout(self._timeout):
                    await self._transport.send(data)
            except TimeoutError:
                raise TimedOut(
                    f"the server did not take {request.command} within {self._timeout:g} s"
                ) from None
            reply = await answer
        finally:
            del self._calls[id(request)]
            if answer.done() and not answer.cancelled():
                answer.exception()  # taken here, or overtaken by an error in sending
        if isinstance(reply, Failure):
            raise _refusal(request, reply)
        return reply  # type: ignore[return-value]  # the connection matches by declaration

    async def next_push(self) -> Push | None:
        """Return the next that the server says unasked, None once the client is closed.

        Raises what ended the connection when it ends otherwise. Each push is given once. Not taking
        them for long stops the connection: at most 5,000 wait.
        """
        while not self._pushes:
            if self._is_closed:
                return None
            if self.error is not None:
                raise self.error
            self._news.clear()
            await self._news.wait()
        self._room.set()
        return self._pushes.popleft()

    @property
    def is_over(self) -> bool:
        """Whether nothing can be said any more, or no answer would be read."""
        return self.error is not None or self._reader.done()

    async def close(self) -> None:
        """Close the connection; calls that wait raise ConnectionLost. May be called twice."""
        self._is_closed = True
        self.end(ConnectionLost("this client is closed"))
        self._reader.cancel()
        try:
            await asyncio.wait({self._reader})  # who cancels this call is heard, too
            if not self._reader.cancelled():
                self._reader.result()
        finally:
            await self._transport.close()

    def put(self, push: Push) -> None:
        """Give out `push` as if the server had sent it by itself."""
        self._pushes.append(push)
        if len(self._pushes) >= _MOST_UNTAKEN:
            self._room.clear()
        self._news.set()

    def check(self) -> None:
        """Raise what ended the connection, if it is over."""
        if self.error is not None:
            raise self.error

    def end(self, error: KQQError) -> None:
        """Say that the connection is over; whoever waits is told why."""
        if self.error is not None:
            return
        self.error = error
        for call in self._calls.values():
            if not call.done():
                call.set_exception(error)
        self._news.set()
        self._room.set()
        self._arm()

    async def _read(self) -> None:
        try:
            while self.error is None:
                await self._room.wait()
                data = await self._transport.receive()
                loop = asyncio.get_running_loop()
                for event in self._connection.receive(data, loop.time()):
                    self._take(event)
                self._arm()
        except KQQError as error:
            self.end(error)
        except Exception as error:
            self.end(ConnectionLost(f"the connection is lost: {error!r}"))
            raise

    def _take(self, event: Event) -> None:
        if isinstance(event, Answered):
            self._answer(event.request, event.reply)
        elif isinstance(event, Expired):
            self._answer(
                event.request,
                TimedOut(
                    f"no answer to {event.request.command} (SEQ={event.request.seq}) within "
                    f"{self._timeout:g} s{self._why_silent()}"
                ),
            )
        elif isinstance(event, Push):
            self.put(event)
        elif isinstance(event, Closed):
            self.end(event.error or ConnectionLost("the server closed the connection"))
        elif isinstance(event, Unreadable):
            why = show(str(event).encode("utf-8", "surrogateescape"))
            logger.warning("unreadable line=%r why=%r", show(event.line.encode()), why)
            self._wonder(f"the server said what cannot be read: {why}")
        elif isinstance(event, Reply):
            logger.info("unexpected event=%r", event)
            name = show(event.command.encode("utf-8", "surrogateescape"))
            self._wonder(f"the server answers a question nobody asked: {name}, SEQ={event.seq}")

    def _wonder(self, why: str) -> None:
        """Tell of something that makes no sense; a server that says nothing else is left."""
        self._oddities += 1
        if self._oddities > _MOST_ODDITIES:
            self.end(RemoteProtocolError(f"the server talks nonsense; the last was: {why}"))
        else:
            self._odd(why)

    def _why_silent(self) -> str:
        if self._room.is_set():
            return ""
        return f"; {len(self._pushes)} events wait, and no more is read until they are taken"

    def _answer(self, request: Request[Any], answer: Reply | KQQError) -> None:
        call = self._calls.get(id(request))
        if call is None or call.done():
            return
        if isinstance(answer, KQQError):
            call.set_exception(answer)
        else:
            call.set_result(answer)

    def _arm(self) -> None:
        """See to it that `tick` is called when the connection wants it."""
        due = None if self.error else self._connection.deadline()
        if self._alarm is not None:
            if due is not None and self._alarm.when() <= due:
                return  # it comes early enough, and then looks again
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = None if due is None else loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._alarm = None
        for event in self._connection.tick(asyncio.get_running_loop().time()):
            self._take(event)
        self._arm()


def _refusal(request: Request[Any], reply: Failure) -> CommandError:
    """Return the exception that a refusal stands for."""
    name = request.command
    if reply.res == 20:
        return NotSignedIn(
            f"{name} is refused: not signed in, or signed in elsewhere since; sign in again",
            command=name,
            res=reply.res,
        )
    if reply.res == 5:
        return NoSuchNumber(f"{name} is refused: no such number", command=name, res=reply.res)
    why = _WHY_REFUSED.get(name, "the protocol has no words for why")
    return Refused(f"{name} is refused (RES={reply.res}); {why}", command=name, res=reply.res)
