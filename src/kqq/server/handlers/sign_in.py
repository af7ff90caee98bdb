"""Signing in and out: Login, VERIFYCODE, Logout.

The gates of a sign-in, in this order: is it known that this password is right (a success not long
ago, or a password that the server made for a phone); has the address failed too often; must a
picture be read first; is the password right; is the account suspended.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from kqq.protocol import (
    CaptchaAnswer,
    CaptchaChallenge,
    Login,
    LoginRedirect,
    LoginReply,
    Logout,
    LogoutReply,
    Reply,
    failure,
)
from kqq.protocol import Status as WireStatus
from kqq.server.accounts import Claim, NoSuchAccount, Suspended, WrongPassword
from kqq.server.captcha import Asked
from kqq.server.checks import TooBusy
from kqq.server.handlers.base import (
    NO_SUCH_NUMBER,
    Context,
    Services,
    from_wire,
    handles,
    refusal,
)
from kqq.server.journal import Step
from kqq.server.limits import address_key
from kqq.server.logs import event
from kqq.server.presence import Status
from kqq.server.repeats import is_unique
from kqq.server.store import Account

PASSWORD_ERROR = "Password error"  # noqa: S105  # the words SETM looks for
SLOW_DOWN = "Too many tries; wait some minutes"
NO_PICTURE = "This client cannot show the picture"
BUSY = "Server busy; try again"
SUSPENDED = "Account suspended"
EXPIRED = "Picture expired; sign in again"
SIGNED_OUT = "signed out"
"""Why a session ends whose client says so."""
COMP = "NOKIA8F3A18D6E27"
"""What 1.1 sign-ins were answered with (JAVA), the same for everybody; nobody knows what for. That
1.0, 1.2 and 1.3 get it, too, is OURS."""
TOO_MANY = "too many sign-ins from this address failed"
"""The limit of an address, as the journal has it."""
_TOO_MANY_OF_NUMBER = "too many sign-ins with this number failed, from wherever"

logger = logging.getLogger("kqq.sign_in")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sign-in that waits for a picture to be read, on `wake`'s connection; None is over HTTP."""

    message: Login
    wake: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"Waiting(uin={self.message.uin})"


@handles(Login)
async def login(context: Context, message: Login) -> Reply:
    """Check the password and open a session; an older one of the same account ends.

    A picture comes first where one is wanted. Clients before 1.4 know no pictures; they are told
    to wait, unless pictures are asked of everybody, and then they cannot sign in.
    """
    services = context.services
    context.attempt = context.attempt.is_of(message.uin)
    if (redirect := _redirect(context, message)) is not None:
        return redirect
    if context.vouched is not None:
        return _vouched(context, message, context.vouched())
    claim = _look(context, message)
    if claim is None:
        services.captchas.failed(message.uin, _key(context))
        if not services.limits.failures.spend(_address(context)):
            context.attempt.add(Step.LIMITED, limit=TOO_MANY)
            return _refuse(context, message, message.seq, "limited", SLOW_DOWN)
        return _unknown(context, message, message.seq)
    captchas, can_show = services.captchas, message.head.ver == "1.4"
    if captchas.wanted(
        message.uin, _key(context), can_show=can_show, is_known=_is_known(context, claim)
    ):
        if can_show:
            # What waits is kept for minutes, and a client can write much into fields nobody reads.
            short = replace(message, line=None, device=None, cookie=None)
            wake = context.wake if context.place is None else None
            return _show_picture(context, Waiting(short, wake), message.seq)
        context.attempt.add(Step.NO_PICTURE)
        is_always = captchas.rules().asked is Asked.ALWAYS
        reason = NO_PICTURE if is_always else SLOW_DOWN
        return _refuse(context, message, message.seq, "limited", reason)
    return await _check(context, message, message.seq, claim)


@handles(CaptchaAnswer)
async def captcha_answer(context: Context, message: CaptchaAnswer) -> Reply:
    """Finish the sign-in that waits, with a Login line (ZN QB); or show another picture (SETM).

    OURS: the line carries the `SEQ` of the answer; which it was nobody knows. Who is signed in
    already, as when the answer is sent twice, is told so.
    """
    services, key = context.services, _key(context)
    context.attempt = context.attempt.is_of(message.uin)
    waiting = services.captchas.held(message.uin, key)
    if waiting is None or not _is_theirs(context, waiting):
        session = context.session
        if session is not None and session.is_open and session.uin == message.uin:
            return _welcome(services, message, message.seq)
        context.attempt.add(Step.CAPTCHA_EXPIRED)
        services.metrics.captchas["expired"] += 1
        return LoginReply(seq=message.seq, uin=message.uin, result=1, reason=EXPIRED)
    if services.captchas.answer(message.uin, key, message.letters) is None:
        context.attempt.add(Step.CAPTCHA_WRONG)
        services.metrics.captchas["wrong"] += 1
        return _show_picture(context, waiting, message.seq)
    context.attempt.add(Step.CAPTCHA_RIGHT)
    services.limits.failures.repay(_address(context))
    services.metrics.captchas["right"] += 1
    claim = _look(context, waiting.message)
    if claim is None:
        return _unknown(context, waiting.message, message.seq)
    return await _check(context, waiting.message, message.seq, claim)


@handles(Logout)
def logout(context: Context, message: Logout) -> Reply:
    """End the session; somebody not signed in is answered the same (HACK)."""
    session = context.session
    if session is not None and session.uin == message.uin:
        if session.is_open and session.attempt is not None:
            session.attempt.add(Step.SIGNED_OUT)
        context.services.sessions.close(session, SIGNED_OUT)
        context.session = None
    return LogoutReply(seq=message.seq, uin=message.uin)


def _vouched(context: Context, message: Login, uin: int | None) -> Reply:
    """Sign in who was asked for a password elsewhere; what the line says of one is not looked at.

    OURS: lines over a WebSocket, from a page that is signed in.
    """
    account = context.services.store.account(uin) if uin is not None else None
    if account is None or message.uin != uin:
        context.attempt.add(Step.WRONG_PASSWORD)
        return _refuse(context, message, message.seq, "wrong_password", PASSWORD_ERROR)
    if account.suspended is not None:
        context.attempt.add(Step.SUSPENDED, reason=account.suspended)
        return _refuse(context, message, message.seq, "suspended", SUSPENDED)
    _open(context, message, account)
    return _welcome(context.services, message, message.seq)


def password_refusal(seq: str, uin: int) -> LoginReply:
    """Return the answer to a wrong password."""
    return LoginReply(seq=seq, uin=uin, result=1, reason=PASSWORD_ERROR)


async def _check(context: Context, message: Login, seq: str, claim: Claim) -> Reply:
    """Check the password; the reply carries `seq`.

    A failure is taken once it is one: after a restart all who share an address sign in at once. It
    is one to leave before the answer, too, or checks would cost nothing.
    """
    services, attempt = context.services, context.attempt
    if not _is_known(context, claim) and (limit := limit_of(context, message.uin)) is not None:
        attempt.add(Step.LIMITED, limit=limit)
        return _refuse(context, message, seq, "limited", SLOW_DOWN)
    try:
        account = await services.accounts.check(claim)
    except NoSuchAccount:
        return _unknown(context, message, seq)
    except asyncio.CancelledError:
        has_failed(context, message.uin)
        raise
    except WrongPassword:
        has_failed(context, message.uin)
        services.captchas.failed(message.uin, _key(context))
        attempt.add(Step.WRONG_PASSWORD)
        return _refuse(context, message, seq, "wrong_password", PASSWORD_ERROR)
    except TooBusy:
        attempt.add(Step.BUSY)
        return _refuse(context, message, seq, "busy", BUSY)
    except Suspended as error:
        attempt.add(Step.SUSPENDED, reason=error.reason)
        return _refuse(context, message, seq, "suspended", SUSPENDED)
    if context.is_closed:
        return refusal(message)
    services.captchas.succeeded(message.uin, _key(context))
    _open(context, message, account)
    return _welcome(services, message, seq)


def _open(context: Context, message: Login, account: Account) -> None:
    """Open the session.

    OURS: whose Login has a number of ten digits on a connection confirms what it is pushed.

    Who is hidden and signs in again in the same place stays hidden, unless the sign-in says
    otherwise: they must not be seen because the client signs in once more.
    """
    services, sessions = context.services, context.services.sessions
    older, status = sessions.of(account.uin), _wanted_status(message)
    if older is not None and older.is_of(context.wake, context.place) and message.status is None:
        was_hidden = services.presence.own(account.uin) is Status.HIDDEN
        status = Status.HIDDEN if was_hidden else status
    if context.session is not None and context.session.uin != account.uin:
        sessions.close(context.session, "somebody else signed in on the connection")
    context.session = sessions.open(
        account.uin,
        status,
        context.wake,
        context.ended,
        place=context.place,
        peer=str(context.peer),
        attempt=context.attempt,
        confirms=context.place is None and is_unique(message.seq),
        for_good=context.vouched is not None,
    )
    context.attempt.add(Step.SIGNED_IN)
    services.metrics.sign_ins["accepted"] += 1
    event(logger, logging.INFO, "signed in", peer=context.peer, uin=account.uin)
    services.accounts.saw(account)


def _show_picture(context: Context, waiting: Waiting, seq: str) -> Reply:
    """Show a picture; until it is read it costs the address one failure."""
    uin = waiting.message.uin
    if not context.services.limits.failures.spend(_address(context)):
        context.attempt.add(Step.LIMITED, limit=TOO_MANY)
        return _refuse(context, waiting.message, seq, "limited", SLOW_DOWN)
    image = context.services.captchas.ask(uin, _key(context), waiting)
    context.attempt.add(Step.CAPTCHA_SHOWN)
    context.services.metrics.captchas["shown"] += 1
    context.services.metrics.sign_ins["captcha"] += 1
    return CaptchaChallenge(seq=seq, uin=uin, image=image)


def _unknown(context: Context, message: Login, seq: str) -> Reply:
    context.attempt.add(Step.UNKNOWN_NUMBER)
    note_refusal(context, message.uin, "unknown")
    reply = failure(message, NO_SUCH_NUMBER)
    assert reply is not None
    return replace(reply, seq=seq)


def _refuse(context: Context, message: Login, seq: str, result: str, reason: str) -> Reply:
    note_refusal(context, message.uin, result)
    return LoginReply(seq=seq, uin=message.uin, result=1, reason=reason)


def _address(context: Context) -> str:
    """Return what its failures are counted by."""
    return address_key(context.peer.host)


def is_known(context: Context, uin: int, md5: str) -> bool:
    """Return whether it is known without a check that this is the password of `uin`.

    Where too much has failed only a phone's own password, which nobody can guess, is looked at.
    """
    claim = context.services.accounts.look(uin, md5, context.peer.host)
    return claim is not None and _is_known(context, claim)


def _is_known(context: Context, claim: Claim) -> bool:
    if claim.device is not None:
        return True
    return claim.is_remembered and context.services.limits.failures.has(_address(context))


def _look(context: Context, message: Login) -> Claim | None:
    return context.services.accounts.look(message.uin, message.password_md5, context.peer.host)


def limit_of(context: Context, uin: int) -> str | None:
    """Return what forbids a sign-in that may fail, None if address and account have one left."""
    limits = context.services.limits
    if not limits.failures.has(_address(context)):
        return TOO_MANY
    return None if limits.account_failures.has(str(uin)) else _TOO_MANY_OF_NUMBER


def has_failed(context: Context, uin: int) -> None:
    """Take a failure from the address and from the account."""
    limits = context.services.limits
    limits.failures.owe(_address(context))
    limits.account_failures.owe(str(uin))


def _key(context: Context) -> str:
    """Return where its captchas are found, over HTTP from another connection, too (SETM)."""
    return address_key(context.peer.place)


def note_refusal(context: Context, uin: int, result: str) -> None:
    """Count a sign-in that was refused, and log it; `result` is a label of `metrics.sign_ins`."""
    context.services.metrics.sign_ins[result] += 1
    event(logger, logging.INFO, "sign-in refused", peer=context.peer, uin=uin, why=result)


def _is_theirs(context: Context, waiting: Waiting) -> bool:
    """Return whether an answer may come from here: others at the same address must not give it.

    Over HTTP each request has a connection of its own, so there the address has to do (SETM).
    """
    if context.vouched is not None:
        return False
    return waiting.wake == (context.wake if context.place is None else None)


def _redirect(context: Context, message: Login) -> Reply | None:
    """Return where to sign in, if this is the door that only says so (GAE)."""
    services = context.services
    if message.head.ver != "1.3" or context.peer.door not in map(str, services.redirectors):
        return None
    plain = [door for door in services.doors if not door.is_tls]
    if not plain:
        return None
    host = services.config.advertise or context.peer.reached
    return LoginRedirect(seq=message.seq, uin=message.uin, server=host, port=plain[0].port)


def _wanted_status(message: Login) -> Status:
    """Return the status to begin with: hidden by LG (YIWO), any by ST (SETM), else online."""
    if message.login_status == WireStatus.HIDDEN:
        return Status.HIDDEN
    return from_wire(message.status) or Status.ONLINE


def _welcome(services: Services, message: Login | CaptchaAnswer, seq: str) -> LoginReply:
    """Return the reply of the version asked in: 1.4 got SG and SSG, older ones COMP."""
    config = services.config
    reply = LoginReply(
        seq=seq, uin=message.uin, result=0, heartbeat=config.heartbeat, lifetime=config.lifetime
    )
    if message.head.ver != "1.4":
        return replace(reply, comp=COMP)
    random = services.random(32)
    sg = random[:4].hex() + "00000000" + random[4:28].hex()  # zeros as in the one full capture
    ssg = str(1_000_000_000 + int.from_bytes(random[28:]) % 3_000_000_000)
    return replace(reply, sg=sg, ssg=ssg)
