"""One small function per command: a message in, its reply out.

This is the only place where words of the wire and words of the domain meet, in both directions.
A handler returns its reply; or an `After`, when something must be on disk first; or, if it has to
wait for something that must not hold the event loop, it is a coroutine.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from kqq.protocol import (
    LAST_PAGE,
    AckAddToList,
    AddToList,
    CaptchaAnswer,
    ChangeStat,
    ChangeStat2,
    ChangeStatReply,
    CltMsg,
    CltMsgReply,
    Command,
    DelFromList,
    Finger,
    GetInfo,
    GetMsgEx,
    GroupCommand,
    List,
    Login,
    LoginReply,
    Logout,
    LogoutReply,
    Push,
    QueryStat,
    QueryStat2,
    QueryStat2Reply,
    Reply,
    Request,
    ServerMsg,
    SimpleInfo2,
    SimpleInfo2Reply,
    UpdateStat,
    failure,
)
from kqq.protocol import Status as WireStatus
from kqq.server.accounts import Accounts, NoSuchAccount, TooBusy, WrongPassword
from kqq.server.clock import Clock
from kqq.server.config import Config
from kqq.server.friends import Friends
from kqq.server.inbox import Inbox
from kqq.server.presence import Presence, Status
from kqq.server.session import Item, Session, Sessions, StatusChange

logger = logging.getLogger("kqq.handlers")

REFUSED = 1
"""OURS: the `RES` of a refusal the protocol has no number for; old clients know 0, 5 and 20 and
take the rest for an error (FWGQ says so in words)."""
NO_SUCH_NUMBER = 5
NOT_SIGNED_IN = 20
PASSWORD_ERROR = "Password error"  # noqa: S105  # the words SETM looks for
COMP = "NOKIA8F3A18D6E27"
"""What 1.1 sign-ins were answered with (JAVA), the same for everybody; nobody knows what for. That
1.0, 1.2 and 1.3 get it, too, is OURS."""


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers work with."""

    config: Config
    clock: Clock
    random: Callable[[int], bytes]
    accounts: Accounts
    friends: Friends
    presence: Presence
    inbox: Inbox
    sessions: Sessions


@dataclass(slots=True)
class Context:
    """One connection as handlers see it: who is signed in on it, and how to reach it."""

    services: Services
    peer: str
    wake: Callable[[], None]
    ended: Callable[[str], None]
    session: Session | None = None
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class After:
    """A reply that is given once `stored` is done."""

    reply: Reply
    stored: asyncio.Future[None]


Answer = Reply | After | Coroutine[Any, Any, Reply]
Handler = Callable[[Context, Any], Answer]
HANDLERS: dict[type[Command], Handler] = {}
NOT_YET: frozenset[type[Request[Any]]] = frozenset(
    {
        AckAddToList,
        AddToList,
        CaptchaAnswer,
        ChangeStat2,
        DelFromList,
        Finger,
        GetInfo,
        GetMsgEx,
        GroupCommand,
        List,
        QueryStat,
    }
)
"""Commands this server knows and refuses."""

M = TypeVar("M", bound=Command)
H = TypeVar("H", bound=Handler)


def handles(message: type[Command]) -> Callable[[H], H]:
    """Make the decorated function the handler of `message`."""

    def register(handler: H) -> H:
        HANDLERS[message] = handler
        return handler

    return register


def refusal(message: Command, res: int = REFUSED) -> Reply:
    """Return the refusal of a message that was read, so it has a head to echo."""
    reply = failure(message, res)
    assert reply is not None
    return reply


def password_refusal(seq: str, uin: int) -> LoginReply:
    """Return the answer to a wrong password."""
    return LoginReply(seq=seq, uin=uin, result=1, reason=PASSWORD_ERROR)


@handles(Login)
async def login(context: Context, message: Login) -> Reply:
    """Check the password and open a session; an older one of the same account ends."""
    services = context.services
    try:
        account = await services.accounts.authenticate(message.uin, message.password_md5)
    except NoSuchAccount:
        _log_refused_sign_in(context, message, "no such number")
        return refusal(message, NO_SUCH_NUMBER)
    except WrongPassword:
        _log_refused_sign_in(context, message, "wrong password")
        return password_refusal(message.seq, message.uin)
    except TooBusy:
        _log_refused_sign_in(context, message, "too many sign-ins at once")
        return refusal(message)
    if context.is_closed:
        return refusal(message)
    if context.session is not None and context.session.uin != account.uin:
        services.sessions.close(context.session, "somebody else signed in on the connection")
    context.session = services.sessions.open(
        account.uin, _wanted_status(message), context.wake, context.ended
    )
    logger.info("signed in peer=%s uin=%s", context.peer, account.uin)
    return _welcome(services, message)


def _log_refused_sign_in(context: Context, message: Login, why: str) -> None:
    logger.info("sign-in refused peer=%s uin=%s why=%r", context.peer, message.uin, why)


def _wanted_status(message: Login) -> Status:
    """Return the status to begin with: hidden by LG (YIWO), any by ST (SETM), else online."""
    if message.login_status == WireStatus.HIDDEN:
        return Status.HIDDEN
    return _from_wire(message.status) or Status.ONLINE


def _welcome(services: Services, message: Login) -> LoginReply:
    """Return the reply of the version asked in: 1.4 got SG and SSG, older ones COMP."""
    head = {"seq": message.seq, "uin": message.uin}
    times = {"heartbeat": services.config.heartbeat, "lifetime": services.config.lifetime}
    if message.head.ver != "1.4":
        return LoginReply(**head, result=0, **times, comp=COMP)  # type: ignore[arg-type]
    random = services.random(32)
    sg = random[:4].hex() + "00000000" + random[4:28].hex()  # zeros as in the one full capture
    ssg = str(1_000_000_000 + int.from_bytes(random[28:]) % 3_000_000_000)
    return LoginReply(**head, result=0, **times, sg=sg, ssg=ssg)  # type: ignore[arg-type]


@handles(Logout)
def logout(context: Context, message: Logout) -> Reply:
    """End the session; somebody not signed in is answered the same (HACK)."""
    if context.session is not None and context.session.uin == message.uin:
        context.services.sessions.close(context.session, "signed out")
        context.session = None
    return LogoutReply(seq=message.seq, uin=message.uin)


@handles(SimpleInfo2)
def simple_info2(context: Context, message: SimpleInfo2) -> Reply:
    """Give a page of friends; `UN` and `NP` are offsets (VB)."""
    services = context.services
    page, more = services.friends.page(message.uin, message.start, services.config.friends_per_page)
    return SimpleInfo2Reply(
        seq=message.seq,
        uin=message.uin,
        next_page=message.start + len(page) if more else LAST_PAGE,
        entries=len(page),
        numbers=tuple(friend.uin for friend in page),
        faces=tuple(friend.face for friend in page),
        nicks=tuple(friend.nick for friend in page),
    )


@handles(QueryStat2)
def query_stat2(context: Context, message: QueryStat2) -> Reply:
    """Give a page of statuses; the next page is asked for by the last number (ZN QB)."""
    services = context.services
    numbers, more = services.friends.numbers_after(
        message.uin, message.start, services.config.friends_per_page
    )
    return QueryStat2Reply(
        seq=message.seq,
        uin=message.uin,
        last=0 if more else 1,
        entries=len(numbers),
        statuses=tuple(_on_wire(services.presence.seen(number)) for number in numbers),
        numbers=tuple(numbers),
    )


@handles(ChangeStat)
def change_stat(context: Context, message: ChangeStat) -> Reply:
    """Change the status; one that nobody knows is refused."""
    status = _from_wire(message.status)
    if status is None:
        return refusal(message)
    context.services.presence.set(message.uin, status)
    return ChangeStatReply(seq=message.seq, uin=message.uin)


@handles(CltMsg)
def clt_msg(context: Context, message: CltMsg) -> Answer:
    """Store a message for a friend; `RES=0` says that it is on disk."""
    stored = context.services.inbox.send(message.uin, message.to, message.text)
    return After(CltMsgReply(seq=message.seq, uin=message.uin), stored)


def push(item: Item, seq: int, uin: int) -> Push:
    """Return the line that tells the session of `uin` an item."""
    if isinstance(item, StatusChange):
        return UpdateStat(seq=str(seq), uin=uin, status=_on_wire(item.status), number=item.uin)
    return ServerMsg(seq=str(seq), uin=uin, sender=item.sender, text=item.text)


_STATUSES = {status.value: Status[status.name] for status in WireStatus}


def _on_wire(status: Status) -> int:
    return WireStatus[status.name].value


def _from_wire(code: int | None) -> Status | None:
    """Return the status of a code, None for no code or one that nobody knows."""
    return _STATUSES.get(code) if code is not None else None
