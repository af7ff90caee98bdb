"""The gates, once for all commands: is it readable, is somebody signed in, what became of it.

Every command gets an answer, since some clients wait for one for ever (YIWO); except where the
real servers were seen to say nothing (HACK, WEI).
"""

import logging
from collections.abc import Coroutine
from typing import Any
from uuid import uuid4

from kqq.errors import StoreError
from kqq.protocol import Command, Login, Reply, Unreadable, failure, show
from kqq.server.handlers import (
    HANDLERS,
    NO_SUCH_NUMBER,
    NOT_SIGNED_IN,
    REFUSED,
    Answer,
    Context,
    password_refusal,
    refusal,
)
from kqq.server.inbox import InboxFull, NoSuchReceiver, NotFriends, TextTooLong

logger = logging.getLogger("kqq.dispatch")

_REFUSALS: dict[type[Exception], int] = {
    NoSuchReceiver: NO_SUCH_NUMBER,
    NotFriends: REFUSED,
    InboxFull: REFUSED,
    TextTooLong: REFUSED,
    StoreError: REFUSED,
}
"""What an exception of the domain is on the wire, whatever the command."""


class Budget:
    """How much nonsense a connection may say: `most` at once, one more every `refill` seconds."""

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
    if isinstance(message, Unreadable):
        logger.info(
            "unreadable peer=%s why=%r line=%r",
            context.peer,
            show(str(message).encode("utf-8", "surrogateescape")),
            show(message.line.encode()),
        )
        return _answer_unreadable(context, message), True
    is_early = not is_signed_in(context, message.uin)
    if is_early and not message.spec.before_sign_in:
        return refusal(message, NOT_SIGNED_IN), True
    handler = HANDLERS.get(type(message))
    if handler is None:
        logger.info("not supported peer=%s command=%s", context.peer, message.command)
        return refusal(message), is_early
    try:
        answer = handler(context, message)
    except Exception as error:  # noqa: BLE001  # one bad command must not end the connection
        return refused(context, message, error), is_early
    if isinstance(answer, Coroutine):
        return _guarded(context, message, answer), False
    return answer, is_early


def is_signed_in(context: Context, uin: int) -> bool:
    """Return whether the connection has a session that still lives, of this number."""
    session = context.session
    return session is not None and session.is_open and session.uin == uin


def refused(context: Context, message: Command, error: Exception) -> Reply:
    """Return the refusal that stands for `error`; one nobody foresaw is logged with the line."""
    res = _REFUSALS.get(type(error))
    if res is not None:
        logger.info(
            "refused peer=%s command=%s why=%s", context.peer, message.command, type(error).__name__
        )
        return refusal(message, res)
    line = show(message.line.encode()) if message.line is not None else repr(message)
    logger.error("failed id=%s peer=%s line=%r", uuid4().hex[:8], context.peer, line,
                 exc_info=error)  # fmt: skip
    return refusal(message)


async def _guarded(context: Context, message: Command, answer: Coroutine[Any, Any, Reply]) -> Reply:
    try:
        return await answer
    except Exception as error:  # noqa: BLE001  # as in dispatch
        return refused(context, message, error)


def _answer_unreadable(context: Context, message: Unreadable) -> Reply | None:
    """Return the least surprising answer (protocol section 1.6).

    The real servers said nothing to an unknown `VER`, a number that is none, an empty `PS` and a
    wrong `LC`; `RES=20` to any command but Login and Logout without a sign-in; and what they said
    to an unknown command nobody reported. OURS: that is refused, because silence hangs a client.
    """
    answer = failure(message, REFUSED)
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
