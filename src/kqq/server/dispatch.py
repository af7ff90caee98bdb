"""The gates, once for all commands and both transports.

Is it readable, is somebody signed in, was it said a moment ago; and what an exception of the domain
is on the wire. Every command gets an answer, since some clients wait for one for ever (YIWO);
except where the real servers were seen to say nothing (HACK, WEI).
"""

import logging
from collections.abc import Coroutine
from typing import Any

from kqq.errors import StoreError
from kqq.protocol import CltMsgReply, Command, Failure, Login, Reply, Unreadable, failure, show
from kqq.protocol.declare import REQUESTS
from kqq.server.handlers import HANDLERS, After, Answer, Context, Taken, password_refusal, refusal
from kqq.server.handlers.base import NO_SUCH_NUMBER, NOT_SIGNED_IN, REFUSED
from kqq.server.inbox import InboxFull, NoSuchReceiver, NotFriends, TextTooLong
from kqq.server.journal import Step
from kqq.server.limits import address_key
from kqq.server.logs import event
from kqq.server.repeats import is_unique
from kqq.server.requests import NotAsked, RequestRefused
from kqq.server.transaction import Written

logger = logging.getLogger("kqq.dispatch")

_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    NoSuchReceiver: (NO_SUCH_NUMBER, "no_such_number"),
    NotFriends: (REFUSED, "not_friends"),
    InboxFull: (REFUSED, "inbox_full"),
    TextTooLong: (REFUSED, "text_too_long"),
    RequestRefused: (REFUSED, "request_refused"),
    NotAsked: (REFUSED, "not_asked"),
    StoreError: (REFUSED, "store"),
}
"""What an exception of the domain is on the wire, and in the metrics, whatever the command."""


class Budget:
    """How much nonsense a connection may say: `most` at once, one more every `refill` seconds."""

    __slots__ = (
        "_at",
        "_left",
        "_most",
        "_refill",
    )

    def __init__(self, most: int, refill: float, now: float) -> None:
        self._most = most
        self._refill = refill
        self._left = float(most)
        self._at = now

    def spend(self, now: float) -> bool:
        """Take one; return False when there was none left."""
        self._left = min(self._most, self._left + (now - self._at) / self._refill)
        self._at = now
        self._left -= 1
        return self._left >= 0


def dispatch(context: Context, message: Command | Unreadable) -> tuple[Answer | None, bool]:
    """Return the answer to what a client said, None for silence; and whether it was nonsense.

    Nonsense is what no working client says for long: a line that cannot be read, an unknown
    command, and without a sign-in any command but a sign-in that succeeds (the caller sees that).
    """
    services, session = context.services, context.session
    metrics = services.metrics
    if isinstance(message, Unreadable):
        metrics.unreadable_lines += 1
        if message.command:
            known = REQUESTS.get(message.command.lower())
            metrics.commands[known.command if known is not None else "unknown"] += 1
        return _answer_unreadable(context, message), True
    spec, line = message.spec, message.line
    metrics.commands[spec.command] += 1
    is_early = session is None or not session.is_open or session.uin != message.uin
    if is_early and not spec.before_sign_in:
        _note(context, message.uin, Step.EARLY, command=message.command)
        metrics.refused["not_signed_in"] += 1
        return refusal(message, NOT_SIGNED_IN), True
    words = line.text if spec.once and line is not None else None
    if words is not None:
        unique = is_unique(message.seq)
        remembered = services.repeats.recall(message.uin, words, unique=unique)
        if isinstance(remembered, Written):  # it was taken the short way, as only messages are
            remembered = After(CltMsgReply(seq=message.seq, uin=message.uin), remembered)
        if remembered is not None and not _has_failed(remembered):
            return remembered, False
    try:
        answer = HANDLERS[type(message)](context, message)
    except Exception as error:  # noqa: BLE001  # one bad command must not end the connection
        return refused(context, message, error), is_early
    if not isinstance(answer, (After, Reply, Taken)):
        return _guarded(context, message, answer), False
    if words is not None and not isinstance(answer, Failure):
        services.repeats.remember(message.uin, words, answer, unique=unique)
    return answer, is_early


async def settled(context: Context, message: Command, answer: Answer) -> Reply:
    """Wait for whatever `answer` waits for, and return the reply that is then true."""
    if isinstance(answer, After):
        try:
            await answer.stored  # it is written, whoever waits for it and goes away
        except Exception as error:  # noqa: BLE001  # as in dispatch
            return refused(context, message, error)
        return answer.reply
    if isinstance(answer, Taken):
        return answer.reply
    return await answer if isinstance(answer, Coroutine) else answer


def is_signed_in(context: Context, uin: int) -> bool:
    """Return whether the connection has a session that still lives, of this number."""
    session = context.session
    return session is not None and session.is_open and session.uin == uin


def slow_down(context: Context, now: float | None = None) -> float:
    """Spend one command; return the seconds to wait before it may be handled, 0.0 for none.

    Who has just asked the clock can say `now`.
    """
    session, limits = context.session, context.services.limits
    if session is not None and session.is_open:
        return limits.commands.owe(session.uin, 1, now)
    return limits.strangers.owe(address_key(context.peer.host), 1, now)


def forgive(context: Context) -> None:
    """Take back what `slow_down` has spent for a command that was not handled after all."""
    session, limits = context.session, context.services.limits
    if session is not None and session.is_open:
        limits.commands.repay(session.uin)
    else:
        limits.strangers.repay(address_key(context.peer.host))


def refused(context: Context, message: Command, error: Exception) -> Reply:
    """Return the refusal that stands for `error`; one nobody foresaw is logged with the line."""
    metrics = context.services.metrics
    found = _REFUSALS.get(type(error))
    if found is not None:
        res, why = found
        metrics.refused[why] += 1
        shown = error if isinstance(error, StoreError) else why  # of that the store has told
        event(logger, logging.INFO, "refused", peer=context.peer,
              uin=message.uin, command=message.command, why=shown)  # fmt: skip
        return refusal(message, res)
    metrics.refused["failed"] += 1
    line = show(message.line.encode()) if message.line is not None else repr(message)
    number = context.services.random(4).hex()
    event(logger, logging.ERROR, "failed", error=error, id=number, peer=context.peer, line=line)
    return refusal(message)


def _has_failed(answer: Answer) -> bool:
    """Return whether what was to be stored could not be; that is not remembered."""
    if not isinstance(answer, After) or not answer.stored.done():
        return False
    return answer.stored.exception() is not None


def _note(context: Context, uin: int | None, step: Step, **details: str) -> None:
    """Note what somebody did who is not signed in; where somebody else is, it is theirs to know."""
    session = context.session
    if uin is not None and (session is None or not session.is_open):
        context.attempt = context.attempt.is_of(uin)
    context.attempt.add(step, **details)


async def _guarded(context: Context, message: Command, answer: Coroutine[Any, Any, Reply]) -> Reply:
    try:
        return await answer
    except Exception as error:  # noqa: BLE001  # as in dispatch
        return refused(context, message, error)


def _answer_unreadable(context: Context, message: Unreadable) -> Reply | None:
    """Return the least surprising answer (protocol section 1.6), and note what was wrong.

    The real servers said nothing to an unknown `VER`, a number that is none, an empty `PS` and a
    wrong `LC`; `RES=20` to any command but Login and Logout without a sign-in; and what they said
    to an unknown command nobody reported. OURS: that is refused, because silence hangs a client.
    """
    why = show(str(message).encode("utf-8", "surrogateescape"))
    line = show(message.line.encode())
    event(logger, logging.INFO, "unreadable", peer=context.peer, why=why, line=line)
    answer = failure(message, REFUSED)
    if answer is None or not is_signed_in(context, answer.uin):
        uin = None if answer is None else answer.uin
        _note(context, uin, Step.UNREADABLE, line=line, rule=why)
    if answer is None:
        return None
    wrong = {problem.key for problem in message.problems}
    if "VER" in wrong or "UIN" in wrong:
        return None
    if message.command.lower() == Login.spec.command.lower():
        if "LC" in wrong or not message.line.values().get("PS", "").strip():
            return None
        return password_refusal(answer.seq, answer.uin)
    if not is_signed_in(context, answer.uin):
        return failure(message, NOT_SIGNED_IN)
    return answer
