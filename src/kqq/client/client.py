"""A client: one connection to a server, over which somebody signs in and talks.

async with await Client.connect("tcp://127.0.0.1:14000") as client:
    await client.sign_in(10001, "secret")
    await client.send(10002, "hello")
    async for push in client.events():
        ...

Who signs in is sent the messages that waited, and the server then has them no longer: whoever signs
in should read `events()`.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import randrange
from types import TracebackType
from typing import Any, Self, TypeVar

from kqq.client.transport import Address, Tcp, Transport
from kqq.errors import (
    CaptchaWanted,
    CommandError,
    ConnectionLost,
    KQQError,
    LocalProtocolError,
    NoSuchNumber,
    NotSignedIn,
    Refused,
    SignInRefused,
    TimedOut,
    UnexpectedReply,
)
from kqq.protocol import (
    LAST_PAGE,
    Answered,
    CaptchaAnswer,
    CaptchaChallenge,
    ChangeStat,
    Closed,
    CltMsg,
    Connection,
    Event,
    Expired,
    Failure,
    Limits,
    Login,
    LoginRedirect,
    LoginReply,
    Logout,
    Push,
    QueryStat2,
    Reply,
    Request,
    Role,
    SimpleInfo2,
    Status,
    Unreadable,
    show,
)

R = TypeVar("R", bound=Reply)
AskCaptcha = Callable[[bytes], Awaitable[str]]

logger = logging.getLogger("kqq.client")

LICENCE = "812822641C978097"
"""`LC`: the build of the phone's own client that most clients name (SOUND ZN QB YIWO)."""
DEVICE = "KQQPYTHONCLIENT0"
"""`GD`: 16 signs A-Z0-9, one per installation; no server was seen to check it."""
_MOST_UNTAKEN = 5000
_WHY_REFUSED = {
    "CLTMSG": "servers do so if you are not friends, if the text is too long, or if too many "
    "messages wait",
}


@dataclass(frozen=True, slots=True)
class Friend:
    """An entry of the friend list."""

    uin: int
    nick: str
    face: int


class Client:
    """Somebody's connection to a server.

    While somebody is signed in the client gives a sign of life whenever `HI` seconds (as the server
    said; `heartbeat` if given) have passed, and so learns of a sign-in elsewhere, of which servers
    say nothing by themselves: calls and events then raise NotSignedIn.

    Every method that talks to the server raises ConnectionLost if the connection ends before the
    answer comes, TimedOut if none comes in `timeout` seconds, and a CommandError if the server says
    no. `uin` is the number signed in, None before that.
    """

    def __init__(
        self, transport: Transport, *, timeout: float = 30.0, heartbeat: float | None = None
    ) -> None:
        """Begin to read; needs a running event loop."""
        self.uin: int | None = None
        self._heartbeat = heartbeat
        self._beating: asyncio.Task[None] | None = None
        self._transport = transport
        self._timeout = timeout
        self._connection = Connection(Role.CLIENT, limits=Limits(answer=timeout))
        # The phone began with 200 and two random digits, then counted (TIEBA).
        self._seq = randrange(200, 300)  # noqa: S311
        self._calls: dict[int, asyncio.Future[Reply]] = {}
        self._pushes: deque[Push] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._lost: KQQError | None = None
        self._is_closed = False
        self._alarm: asyncio.TimerHandle | None = None
        self._reader = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def connect(
        cls,
        address: Address | str,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109  # of each answer, not of this call
        heartbeat: float | None = None,
    ) -> Self:
        """Connect to `tcp://HOST:PORT`. Raises ConfigError or ConnectionLost."""
        where = address if isinstance(address, Address) else Address.parse(address)
        return cls(await Tcp.connect(where), timeout=timeout, heartbeat=heartbeat)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def sign_in(
        self,
        uin: int,
        password: str,
        *,
        status: Status = Status.ONLINE,
        ask: AskCaptcha | None = None,
    ) -> LoginReply:
        """Sign in; `ask` gets the picture if there is a captcha and returns the letters.

        Raises SignInRefused (wrong password), NoSuchNumber, CaptchaWanted (a picture and no `ask`).
        """
        md5 = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()
        reply: Reply = await self.call(
            Login(
                seq=self._next_seq(),
                uin=uin,
                password_md5=md5,
                login_status=40 if status is Status.HIDDEN else 0,
                licence=LICENCE,
                device=DEVICE,
                cookie="",
            )
        )
        while isinstance(reply, CaptchaChallenge):
            if ask is None:
                raise CaptchaWanted(
                    "the server shows a captcha; pass ask= to read it", image=reply.image
                )
            letters = await ask(reply.image)
            reply = await self.call(CaptchaAnswer(seq=self._next_seq(), uin=uin, letters=letters))
        if isinstance(reply, LoginRedirect):
            where = f"{reply.server}:{reply.port}"
            raise Refused(f"the server says: sign in at {where}", command="Login", res=0)
        assert isinstance(reply, LoginReply)
        if reply.result != 0:
            reason = reply.reason or "no reason given"
            raise SignInRefused(f"the server refuses {uin}: {reason}", reason=reason)
        self.uin = uin
        self._beat_every(self._heartbeat or reply.heartbeat)
        if status not in (Status.ONLINE, Status.HIDDEN):
            await self.change_status(status)
        return reply

    async def friends(self) -> list[Friend]:
        """Return the whole friend list, all pages of it, as the server orders it."""
        friends: list[Friend] = []
        start = 0
        while True:
            page = await self.call(SimpleInfo2(**self._head(), start=start))
            if not len(page.numbers) == len(page.faces) == len(page.nicks):
                raise UnexpectedReply(
                    f"a page of friends has {len(page.numbers)} numbers, {len(page.faces)} faces "
                    f"and {len(page.nicks)} nicknames; they must be equally many"
                )
            friends += map(Friend, page.numbers, page.nicks, page.faces)
            _check_count(len(friends))
            if page.next_page == LAST_PAGE:
                return friends
            if page.next_page <= start:
                raise UnexpectedReply(
                    f"the page after {start} is said to start at {page.next_page}; pages must "
                    f"go on, or end with {LAST_PAGE}"
                )
            start = page.next_page

    async def statuses(self) -> dict[int, int]:
        """Return the status of each friend by number, all pages; see `Status` for the codes."""
        statuses: dict[int, int] = {}
        start = 0
        while True:
            page = await self.call(QueryStat2(**self._head(), start=start))
            if len(page.numbers) != len(page.statuses):
                raise UnexpectedReply(
                    f"a page has {len(page.numbers)} numbers and {len(page.statuses)} statuses; "
                    "they must be equally many"
                )
            statuses.update(zip(page.numbers, page.statuses, strict=True))
            _check_count(len(statuses))
            if page.last == 1:
                return statuses
            if not page.numbers or page.numbers[-1] <= start:
                raise UnexpectedReply(
                    f"the page of statuses after {start} is not the last and leads nowhere"
                )
            start = page.numbers[-1]

    async def send(self, to: int, text: str) -> None:
        """Send a message; when this returns, the server has it.

        Raises NoSuchNumber, or Refused (not a friend, too long, too many waiting).
        """
        await self.call(CltMsg(**self._head(), to=to, text=text))

    async def change_status(self, status: Status) -> None:
        """Change one's own status."""
        await self.call(ChangeStat(**self._head(), status=status))

    async def sign_out(self) -> None:
        """Sign out; the connection stays open."""
        await self.call(Logout(**self._head()))
        self.uin = None
        self._beat_every(None)

    async def call(self, request: Request[R]) -> R:
        """Say `request` and return its reply. Raises LocalProtocolError if it is being said."""
        self._check()
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

    async def events(self) -> AsyncIterator[Push]:
        """Give what the server sends unasked, as it comes; ends when the client is closed.

        Raises ConnectionLost when the connection ends otherwise. Each push is given once, so two
        loops share them. Not reading the events for long stops the connection: at most 5,000 wait.
        """
        while True:
            while self._pushes:
                push = self._pushes.popleft()
                self._room.set()
                yield push
            if self._is_closed:
                return
            if self._lost is not None:
                raise self._lost
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        """Close the connection; calls that wait raise ConnectionLost. May be called twice."""
        self._is_closed = True
        self._beat_every(None)
        self._end(ConnectionLost("this client is closed"))
        self._reader.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await self._reader
        finally:
            await self._transport.close()

    # --- inside

    def _next_seq(self) -> str:
        self._seq += 1
        return str(self._seq - 1)

    def _head(self) -> dict[str, Any]:
        self._check()
        if self.uin is None:
            raise NotSignedIn("nobody is signed in; call sign_in first", command="", res=20)
        return {"seq": self._next_seq(), "uin": self.uin}

    def _beat_every(self, seconds: float | None) -> None:
        """Give signs of life from now on, or no more."""
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None
        if seconds:
            self._beating = asyncio.get_running_loop().create_task(self._beat(seconds))

    async def _beat(self, seconds: float) -> None:
        """Ask for statuses now and then, as ZNQQ did: there is no command just for this."""
        try:
            while True:
                await asyncio.sleep(seconds)
                await self.call(QueryStat2(**self._head()))
        except NotSignedIn:
            self._end(NotSignedIn("signed in elsewhere since; sign in again", command="", res=20))
        except KQQError as error:
            self._end(error)

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    async def _read(self) -> None:
        try:
            while self._lost is None:
                await self._room.wait()
                data = await self._transport.receive()
                loop = asyncio.get_running_loop()
                for event in self._connection.receive(data, loop.time()):
                    self._take(event)
                self._arm()
        except KQQError as error:
            self._end(error)
        except Exception as error:
            self._end(ConnectionLost(f"the connection is lost: {error!r}"))
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
            self._pushes.append(event)
            if len(self._pushes) >= _MOST_UNTAKEN:
                self._room.clear()
            self._news.set()
        elif isinstance(event, Closed):
            self._end(event.error or ConnectionLost("the server closed the connection"))
        elif isinstance(event, Unreadable):
            why = show(str(event).encode("utf-8", "surrogateescape"))
            logger.warning("unreadable line=%r why=%r", show(event.line.encode()), why)
        else:
            logger.info("unexpected event=%r", event)

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
        due = None if self._lost else self._connection.deadline()
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

    def _end(self, error: KQQError) -> None:
        """The connection is over; whoever waits is told why."""
        if self._lost is not None:
            return
        self._lost = error
        for call in self._calls.values():
            if not call.done():
                call.set_exception(error)
        self._news.set()
        self._room.set()
        self._arm()


def _check_count(friends: int) -> None:
    """Raise UnexpectedReply if a friend list has no end."""
    if friends > LAST_PAGE:
        raise UnexpectedReply(f"more than {LAST_PAGE} friends cannot be: {LAST_PAGE} ends a list")


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
