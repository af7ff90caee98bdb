"""A client: one connection to a server, over which somebody signs in and talks.

async with await Client.connect("tcp://127.0.0.1:14000") as client:
    await client.sign_in(10001, "secret")
    await client.send(10002, "hello")
    async for push in client.events():
        ...

Who signs in is sent the messages that waited, and the server then has them no longer: whoever signs
in should read `events()`. Our own server keeps them until they were read there. A `Messenger` is
this over as many connections as it takes.
"""

import asyncio
import hashlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from enum import Enum
from random import randrange
from types import TracebackType
from typing import Any, Self, TypeVar

from kqq.client.confirming import Confirming, Given
from kqq.client.events import Friend
from kqq.client.exchange import Exchange
from kqq.client.pace import PollPace
from kqq.client.transport import Address, Transport, open_transport
from kqq.errors import (
    CaptchaWanted,
    ConnectionLost,
    KQQError,
    NotSignedIn,
    Refused,
    SignInRefused,
    UnexpectedReply,
)
from kqq.protocol import (
    LAST_PAGE,
    V1_4,
    AckAddToList,
    AddToList,
    CaptchaAnswer,
    CaptchaChallenge,
    ChangeStat,
    CltMsg,
    DelFromList,
    Finger,
    GetInfo,
    GetInfoReply,
    GetMsgEx,
    GetMsgExReply,
    Head,
    Login,
    LoginRedirect,
    LoginReply,
    Logout,
    Push,
    QueryStat2,
    Reply,
    Request,
    ServerMsg,
    SimpleInfo2,
    Status,
    UpdateStat,
)

R = TypeVar("R", bound=Reply)
AskCaptcha = Callable[[bytes], Awaitable[str]]
"""Gets the picture, usually a PNG, and returns the letters in it."""
Sleep = Callable[[float], Awaitable[None]]

logger = logging.getLogger("kqq.client")

LICENCE = "812822641C978097"
"""`LC`: the build of the phone's own client that most clients name (SOUND ZN QB YIWO)."""
DEVICE = "KQQPYTHONCLIENT0"
"""`GD`: 16 signs A-Z0-9, one per installation; no server was seen to check it."""
_SILENCE = 60.0  # seconds between signs of life if the server says nothing of it
STATUS_NOTICE = 99
"""`MT` of a friend's status, whose code is the text then."""
_STATUS_DIGITS = 20  # as many as a number of the protocol may have; thousands are no int
_MOST_NICKS = 10_000_000  # signs of all nicknames of a friend list
_LOGIN_HIDDEN = 40
_LEAST_UNIQUE, _MOST_UNIQUE = 1_000_000_000, 2_000_000_000


class Added(Enum):
    """What happens with the wish to add somebody."""

    DONE = 0
    """They are a friend now."""
    ASK = 1
    """They want to be asked: `request` with some words."""
    REFUSED = 3
    """They want nobody to add them."""


@dataclass(slots=True)
class Session:
    """Somebody signed in, as the server told; times are in seconds.

    `question` is the `SEQ` of a question for news whose answer has not come, "" if there is none.
    """

    uin: int
    sid: str
    heartbeat: float | None
    lifetime: float | None
    question: str = ""


class Client:
    """Somebody's connection to a server.

    While somebody is signed in the client gives a sign of life whenever `HI` seconds (as the server
    said; `heartbeat` if given) have passed, and so learns of a sign-in elsewhere, of which servers
    say nothing by themselves: calls and events then raise NotSignedIn. Over HTTP it asks what is
    new, often while people talk and seldom while they do not, which is a sign of life, too.

    A message from our own server has a mark, a `SEQ` of ten digits, and on a connection the server
    keeps it until the client has confirmed the mark, which it does by itself: a push is handled
    when the loop over `events` asks for the next one or is left, and at `sign_out`, `close` and the
    end of `async with` without an error. What was not handled is pushed again after the next
    sign-in, with the same mark.

    Every method that talks to the server raises ConnectionLost if the connection ends before the
    answer comes, TimedOut if none comes in `timeout` seconds, and a CommandError if the server says
    no. `uin` is the number signed in, None before that.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        timeout: float = 30.0,
        heartbeat: float | None = None,
        pace: PollPace | None = None,
        odd: Callable[[str], None] = logger.warning,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """Begin to read; needs a running event loop.

        `odd` is called with words when the server says what makes no sense. `pace` is how often an
        HTTP server is asked what is new.
        """
        self.session: Session | None = None
        self._exchange = Exchange(transport, timeout=timeout, odd=odd)
        self._has_pushes = transport.pushes
        self._heartbeat = heartbeat
        self._sleep = sleep
        self._pace = pace or PollPace()
        self._hurry = asyncio.Event()
        self._beating: asyncio.Task[None] | None = None
        self._marks = Confirming(self._say_handled, sleep, is_wanted=transport.pushes)
        self._confirming: asyncio.Task[None] | None = None
        self._heard = 0.0
        # The phone began with 200 and two random digits, then counted (TIEBA).
        self._seq = randrange(200, 300)  # noqa: S311

    @classmethod
    async def connect(
        cls,
        address: Address | str,
        *,
        timeout: float = 30.0,  # noqa: ASYNC109  # of each answer, not of this call
        heartbeat: float | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> Self:
        """Connect to `tcp://HOST:PORT`, `kqqs://…` (TLS), `http://…` or `https://…`.

        `trust` says whose certificates are believed, those of the system if it is not given. Raises
        ConfigError or ConnectionLost.
        """
        where = address if isinstance(address, Address) else Address.parse(address)
        transport = await open_transport(where, trust=trust)
        return cls(transport, timeout=timeout, heartbeat=heartbeat)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._marks.doubt()
        await self.close()

    @property
    def uin(self) -> int | None:
        """The number signed in, None before that and after signing out."""
        return None if self.session is None else self.session.uin

    # --- signing in

    async def sign_in(
        self,
        uin: int,
        password: str,
        *,
        status: Status = Status.ONLINE,
        ask: AskCaptcha | None = None,
        question: str = "",
    ) -> LoginReply:
        """Sign in; `ask` gets the picture if there is a captcha and returns the letters.

        Wrong letters bring a new picture, for which `ask` is called again; what it raises comes out
        here. `question` is the one of an earlier `session` over HTTP whose answer was lost: it is
        asked again first. Raises SignInRefused (wrong password), NoSuchNumber, CaptchaWanted (a
        picture and no `ask`).
        """
        md5 = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest().upper()
        login = Login(
            seq=unique_seq(),  # on a connection it says that pushes will be confirmed
            uin=uin,
            password_md5=md5,
            login_status=_LOGIN_HIDDEN if status is Status.HIDDEN else 0,
            # So that friends do not see them online for a moment (SETM); servers may pass it over.
            status=None if status in (Status.ONLINE, Status.HIDDEN) else status,
            licence=LICENCE,
            device=DEVICE,
            cookie="",
        )
        reply: Reply = await self.call(replace(login, head=self._over(login.head)))
        while isinstance(reply, CaptchaChallenge):
            if ask is None:
                raise CaptchaWanted(
                    "the server shows a captcha; pass ask= to read it", image=reply.image
                )
            letters = await ask(reply.image)
            answer = CaptchaAnswer(seq=self._next_seq(), uin=uin, letters=letters)
            reply = await self.call(replace(answer, head=self._over(answer.head)))
        if isinstance(reply, LoginRedirect):
            where = f"{reply.server}:{reply.port}"
            raise Refused(f"the server says: sign in at {where}", command="Login", res=0)
        assert isinstance(reply, LoginReply)
        if reply.result != 0:
            reason = reply.reason or "no reason given"
            raise SignInRefused(f"the server refuses {uin}: {reason}", reason=reason)
        if self.uin != uin:
            self._marks.forget()
        # Later commands carry it if the server gave one (SEED); none was seen to.
        sid = "" if reply.line is None else reply.line.values().get("SID", "")
        heartbeat = self._heartbeat or reply.heartbeat
        self.session = Session(uin, sid, heartbeat, reply.lifetime, question)
        self._live()
        if status not in (Status.ONLINE, Status.HIDDEN):
            await self.change_status(status)
        return reply

    async def go_on(self, session: Session) -> bool:
        """Go on with a session whose connection broke; False if that cannot be.

        Over HTTP a session is no connection and outlives it. News whose answer was lost is asked
        for again in the same words, so that a server may give the same answer.
        """
        if self._has_pushes:
            return False
        self.session = session
        try:
            await self.poll()
        except NotSignedIn:
            self.session = None  # the question can be asked again by who signs in next
            return False
        self._live()
        return True

    async def sign_out(self) -> None:
        """Sign out; the connection stays open. What `events` gave counts as handled."""
        await self._confirm_the_rest()
        await self.call(Logout(**self._head()))
        self.session = None
        self._marks.forget()
        self._rest()

    # --- friends

    async def friends(self) -> list[Friend]:
        """Return the whole friend list, all pages of it, as the server orders it."""
        friends: list[Friend] = []
        start = signs = 0
        while True:
            page = await self.call(SimpleInfo2(**self._head(), start=start))
            people = _people(page.numbers, page.nicks, page.faces)
            friends += people
            _check_count(len(friends))
            signs += sum(map(len, page.nicks))
            if signs > _MOST_NICKS:
                raise UnexpectedReply(
                    f"the nicknames of {len(friends)} friends have more than {_MOST_NICKS} signs"
                )
            if not people and page.next_page != LAST_PAGE:
                raise UnexpectedReply(
                    f"the page of friends from {start} on is empty, but not the last"
                )
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

    async def change_status(self, status: Status) -> None:
        """Change one's own status."""
        await self.call(ChangeStat(**self._head(), status=status))

    async def add(self, uin: int) -> Added:
        """Ask to add somebody, and return what becomes of it. Raises NoSuchNumber or Refused."""
        reply = await self.call(AddToList(**self._once(), number=uin))
        if reply.outcome == 2:
            return Added.REFUSED  # as CS11 had it
        if reply.outcome not in {one.value for one in Added}:
            raise UnexpectedReply(
                f"the server answers the wish to add {uin} with CD={reply.outcome}; known are 0 "
                "(added), 1 (ask first), 2 and 3 (refused)"
            )
        return Added(reply.outcome)

    async def request(self, uin: int, text: str) -> None:
        """Send somebody one's wish to be friends, after `add` said ASK."""
        await self.call(AckAddToList(**self._once(), number=uin, answer=2, reason=text))

    async def accept(self, uin: int) -> None:
        """Accept somebody's wish to be friends."""
        await self.call(AckAddToList(**self._once(), number=uin, answer=0))

    async def refuse(self, uin: int, reason: str = "") -> None:
        """Refuse somebody's wish to be friends."""
        await self.call(AckAddToList(**self._once(), number=uin, answer=1, reason=reason))

    async def delete(self, uin: int) -> None:
        """Delete somebody from the friend list."""
        await self.call(DelFromList(**self._once(), number=uin))

    # --- people

    async def profile(self, uin: int, level: int = 2) -> GetInfoReply:
        """Return somebody's profile: level 1 is brief, 2 usual, 3 everything.

        Numbers whose meaning is known are words in `kqq.protocol.explain`.
        """
        return await self.call(GetInfo(**self._head(), level=level, number=uin))

    async def search(
        self, *, age: str | None = None, sex: str | None = None, province: str | None = None
    ) -> list[Friend]:
        """Return people found by age, sex ("0" male, "1" female) and province.

        Nobody has seen what the real servers answered; this is what ours does.
        """
        found = await self.call(Finger(**self._head(), age=age, sex=sex, province=province))
        return _people(found.numbers, found.nicks, found.faces)

    # --- messages

    async def send(self, to: int, text: str, *, mark: str | None = None) -> None:
        """Send a message; when this returns, the server has it.

        `mark` is the `SEQ` of the line, ten digits. After a broken connection the same message with
        the same mark is stored once by a server that knows repeats. Raises NoSuchNumber, or Refused
        (not a friend, too long, too many waiting).
        """
        self._pace.happened()
        head = {**self._head(), "seq": mark or unique_seq()}
        await self.call(CltMsg(**head, to=to, text=text))
        self._hurry.set()

    async def poll(self) -> int:
        """Ask what is new, which `events` then gives; return how much it was.

        Over HTTP this is done by itself.
        """
        head = self._head()
        if self._has_pushes:  # ten digits would be a mark there
            return self._put(await self.call(GetMsgEx(**head)))
        session = self.session
        assert session is not None
        session.question = session.question or unique_seq()
        reply = await self.call(GetMsgEx(**{**head, "seq": session.question}))
        session.question = ""
        return self._put(reply)

    async def confirm(self, mark: str) -> None:
        """Say that the message whose push had the `SEQ` `mark`, and all before it, was handled.

        This is done by itself for what `events` gives. Only marks of ten digits on a connection are
        confirmed. A server that refuses, or says nothing, is asked no more on this connection.
        Raises NotSignedIn or ConnectionLost.
        """
        await self._marks.confirm(mark)

    async def call(self, request: Request[R]) -> R:
        """Say `request` and return its reply. Raises LocalProtocolError if it is being said."""
        reply = await self._exchange.call(request)
        self._heard = asyncio.get_running_loop().time()
        return reply

    async def events(self) -> AsyncIterator[Push]:
        """Give what the server sends unasked, as it comes; ends when the client is closed.

        Raises ConnectionLost when the connection ends otherwise. Each push is given once, so two
        loops share them. Not reading the events for long stops the connection: at most 5,000 wait.

        What was given counts as handled when the next one is asked for, or the loop is left.
        """
        while (push := await self._exchange.next_push()) is not None:
            given = self._marks.give(push) if push.uin == self.uin else None
            try:
                yield push
            finally:
                if given is not None:
                    self._handled(given)

    def end(self, error: KQQError) -> None:
        """Give the connection up; whoever waits, and whoever calls later, is told `error`."""
        self._rest()
        self._exchange.end(error)

    async def close(self) -> None:
        """Close the connection; calls that wait raise ConnectionLost. May be called twice.

        What `events` gave counts as handled, and the server is told so if it still can be.
        """
        await self._confirm_the_rest()
        self._rest()
        await self._exchange.close()

    # --- inside

    def _next_seq(self) -> str:
        self._seq += 1
        return str(self._seq - 1)

    def _head(self) -> dict[str, Any]:
        self._exchange.check()
        if self.session is None:
            raise NotSignedIn("nobody is signed in; call sign_in first", command="", res=20)
        head = self._over(V1_4)._replace(sid=self.session.sid)
        return {"seq": self._next_seq(), "uin": self.session.uin, "head": head}

    def _once(self) -> dict[str, Any]:
        """Return the head of a command that must not be done twice."""
        return {**self._head(), "seq": unique_seq()}

    def _over(self, head: Head) -> Head:
        """Return `head` as it is over this transport: `CON` is 1 on a connection, 0 over HTTP."""
        return head if self._has_pushes else head._replace(con="0")

    # --- what was handled

    def _handled(self, given: Given) -> None:
        """Have it confirmed in the background."""
        self._marks.handled(given)
        if self._marks.is_due and self._confirming is None and not self._exchange.is_over:
            assert self.session is not None, "else nothing was noted as given"
            work = self._confirm(self.session)
            self._confirming = asyncio.get_running_loop().create_task(work)

    async def _confirm(self, session: Session) -> None:
        try:
            await self._marks.go_on()
        except KQQError as error:
            self._is_over(session, error)
        finally:
            if self._confirming is asyncio.current_task():
                self._confirming = None

    async def _confirm_the_rest(self) -> None:
        """Count as handled what was given out, and confirm it, but not for long."""
        self._marks.all_handled()
        if self.session is not None and not self._exchange.is_over:
            await self._marks.finish()

    async def _say_handled(self, mark: str) -> None:
        self._put(await self.call(GetMsgEx(**{**self._head(), "seq": mark})))

    def _put(self, reply: GetMsgExReply) -> int:
        """Have `events` give what an answer brings; return how much that is."""
        pushes = _as_pushes(reply)
        for push in pushes:
            self._exchange.put(push)
        return len(pushes)

    # --- signs of life

    def _live(self) -> None:
        """Give signs of life from now on."""
        self._rest()
        session = self.session
        assert session is not None
        if self._has_pushes and not session.heartbeat:
            return
        over = self._until_over(session)
        self._beating = asyncio.get_running_loop().create_task(over)

    def _rest(self) -> None:
        """Say nothing more by oneself."""
        for task in (self._beating, self._confirming):
            if task is not None:
                task.cancel()
        self._beating = self._confirming = None

    async def _until_over(self, session: Session) -> None:
        """Do what keeps the session alive; the end of it is the end of the connection."""
        try:
            if not self._has_pushes:
                await self._ask_again_and_again(session.heartbeat)
            elif session.heartbeat:
                await self._beat(session.heartbeat)
        except KQQError as error:
            self._is_over(session, error)
        except Exception as error:  # ours; without this nobody would learn that nothing comes
            self._exchange.end(ConnectionLost(f"the connection is lost: {error!r}"))
            raise

    def _is_over(self, session: Session, error: KQQError) -> None:
        """End the connection, since what was said in the background met an error."""
        if isinstance(error, NotSignedIn):
            silence = asyncio.get_running_loop().time() - self._heard
            if session.lifetime and silence > session.lifetime:
                error = ConnectionLost(f"the session ran out after {silence:.0f} s")
            else:
                error = NotSignedIn("signed in elsewhere since; sign in again", command="", res=20)
        self._exchange.end(error)

    async def _beat(self, seconds: float) -> None:
        """Ask for statuses now and then, as ZNQQ did: there is no command just for this."""
        while True:
            await self._sleep(seconds)
            await self.call(QueryStat2(**self._head()))

    async def _ask_again_and_again(self, seconds: float | None) -> None:
        """Ask for news at the pace of what happens, but at least every `seconds`."""
        while True:
            if await self.poll():
                self._pace.happened()
            self._hurry.clear()
            wait = asyncio.ensure_future(self._sleep(min(self._pace.next(), seconds or _SILENCE)))
            hurry = asyncio.ensure_future(self._hurry.wait())
            try:
                await asyncio.wait({wait, hurry}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                wait.cancel()
                hurry.cancel()


def unique_seq() -> str:
    """Return a `SEQ` of ten digits, which no other request of this account has.

    Such a number says that a repeat of the very same line is the same request, and not the same
    words again (ours; phones counted with three).
    """
    return str(randrange(_LEAST_UNIQUE, _MOST_UNIQUE))  # noqa: S311  # unique, not secret


def _people(
    numbers: tuple[int, ...], nicks: tuple[str, ...], faces: tuple[int, ...]
) -> list[Friend]:
    """Return entries of parallel lists. Raises UnexpectedReply if they are not parallel."""
    if not len(numbers) == len(faces) == len(nicks):
        raise UnexpectedReply(
            f"a page of people has {len(numbers)} numbers, {len(faces)} faces and {len(nicks)} "
            "nicknames; they must be equally many"
        )
    return list(map(Friend, numbers, nicks, faces))


def _as_pushes(reply: GetMsgExReply) -> list[Push]:
    """Return what an answer brings, each as the push that it would be on a connection."""
    if not reply.count:
        return []
    types, numbers, texts = reply.types or (), reply.numbers or (), reply.texts or ()
    if not len(types) == len(numbers) == len(texts):
        raise UnexpectedReply(
            f"an answer brings {len(types)} types, {len(numbers)} numbers and {len(texts)} texts; "
            "they must be equally many"
        )
    pushes: list[Push] = []
    for kind, number, text in zip(types, numbers, texts, strict=True):
        if kind == STATUS_NOTICE and (status := status_said(text)) is not None:
            pushes.append(UpdateStat(seq="0", uin=reply.uin, status=status, number=number))
        else:
            pushes.append(ServerMsg(seq="0", uin=reply.uin, type=kind, sender=number, text=text))
    return pushes


def status_said(text: str) -> int | None:
    """Return the status that the text of a notice is, None if it is none."""
    code = text.strip()
    is_code = code.isascii() and code.isdecimal() and len(code) <= _STATUS_DIGITS
    return int(code) if is_code else None


def _check_count(friends: int) -> None:
    """Raise UnexpectedReply if a friend list has no end."""
    if friends > LAST_PAGE:
        raise UnexpectedReply(f"more than {LAST_PAGE} friends cannot be: {LAST_PAGE} ends a list")
