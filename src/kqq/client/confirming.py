"""What was handled of the messages that a server pushed, and that the server learns of it (OURS).

Our server gives each pushed message a `SEQ` of ten digits, its mark, and keeps the message until
the mark is confirmed. One confirmation is good for all before it, so few are needed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from kqq.errors import CommandError, KQQError, NotSignedIn, ProtocolError, TimedOut
from kqq.protocol import Push

logger = logging.getLogger("kqq.client")

_EVERY = 1.0  # seconds between two confirmations
_LAST_WORD = 2.0  # seconds for confirming what was handled, before the end
_MARKED = 10


@dataclass(slots=True)
class Given:
    """A push with a mark, in the hands of whoever reads the events."""

    mark: str
    is_handled: bool = False


class Confirming:
    """The marks of one connection.

    `say(mark)` confirms a mark and returns when that is answered. A server that refuses, or says
    nothing, is told no more: `is_wanted` is false from then on.
    """

    def __init__(
        self,
        say: Callable[[str], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]],
        *,
        is_wanted: bool,
    ) -> None:
        self.is_wanted = is_wanted
        self._say = say
        self._sleep = sleep
        self._given: deque[Given] = deque()  # in order, from the first that is not handled
        self._newest = ""  # mark that was handled and is not confirmed
        self._turn = asyncio.Lock()

    @property
    def is_due(self) -> bool:
        """Whether something was handled that the server should be told of."""
        return self.is_wanted and bool(self._newest)

    def give(self, push: Push) -> Given | None:
        """Note that a push is given out; None if it has no mark."""
        if not (self.is_wanted and is_mark(push.seq)):
            return None
        given = Given(push.seq)
        self._given.append(given)
        return given

    def handled(self, given: Given) -> None:
        """Note that a push was handled; it is due once all before it were handled, too."""
        given.is_handled = True
        while self._given and self._given[0].is_handled:
            self._newest = self._given.popleft().mark

    def all_handled(self) -> None:
        """Note that all was handled that was given out."""
        if self._given:
            self._newest = self._given[-1].mark
            self._given.clear()

    def doubt(self) -> None:
        """Forget what is given out and not known to be handled; it is pushed again some time."""
        self._given.clear()

    def forget(self) -> None:
        """Forget all marks: another session begins."""
        self._given.clear()
        self._newest = ""

    async def confirm(self, mark: str) -> None:
        """Confirm a mark, after what is being confirmed. Raises NotSignedIn or ConnectionLost."""
        async with self._turn:
            if self.is_wanted and is_mark(mark):
                await self._confirm(mark)

    async def go_on(self) -> None:
        """Confirm what is due at once, and again now and then; returns when nothing more is due.

        Raises as `confirm` does.
        """
        while self.is_due:
            await self._confirm_newest()
            await self._sleep(_EVERY)

    async def finish(self) -> None:
        """Confirm what is due, but not for long: what was not confirmed is pushed again."""
        with suppress(KQQError, TimeoutError):
            async with asyncio.timeout(_LAST_WORD):
                while await self._confirm_newest():
                    pass

    async def _confirm_newest(self) -> bool:
        """Confirm what is due; return False if nothing was.

        What was being confirmed when this was called has been when it returns.
        """
        async with self._turn:
            if not self.is_due:
                return False
            mark, self._newest = self._newest, ""
            await self._confirm(mark)
            return True

    async def _confirm(self, mark: str) -> None:
        try:
            await self._say(mark)
        except NotSignedIn:
            raise
        except (CommandError, ProtocolError, TimedOut) as error:
            self.is_wanted = False
            self.forget()
            logger.debug("pushes are not confirmed any more: %s", error)


def is_mark(seq: str) -> bool:
    """Return whether the number of a push says which message it is, and not how many came."""
    return len(seq) == _MARKED and seq.isdecimal()
