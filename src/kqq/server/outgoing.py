"""Lines on their way to one client, in order, each as the client can take it.

COMPAT(ZNQQ, QQBot, yiwoSDK): they take each read for one message, so each line is a write of its
own. Who has shown such habits (a bare LF, junk before a line) gets a breath between any two lines.
Others get a reply and a push apart: the second once they have spoken, their system has acknowledged
the first, or a breath has passed. Who pipelines reads streams, and gets the replies that are due at
once in one write, and the pushes in another.
"""

import asyncio
from collections.abc import Callable

from kqq.server.clock import Clock, Timer
from kqq.server.config import Config
from kqq.server.handover import Handover

_LOOK = 0.005
"""Seconds after which to look whether a line was acknowledged; each further look waits twice as
long, since thousands of clients far away may be waited for at once."""


_Said = tuple[bytes, int | None, bool]
"""A line, the id of the message that ends with it, and whether it is a push."""


class Outgoing:
    """What is written to one connection.

    `emptied` is called when nothing waits any more, `handed_over` when messages were written.

    `pipelines` and `old_habits` say what the client has shown, never both; the caller keeps them up
    to date, and calls `pause` and `resume` when the transport does: what that still holds would
    come to the client in one piece with what is written behind it.
    """

    __slots__ = (
        "_clock",
        "_config",
        "_emptied",
        "_gathers",
        "_handed_over",
        "_is_paused",
        "_last",
        "_look",
        "_quiet_until",
        "_timer",
        "_transport",
        "_waiting",
        "handover",
        "old_habits",
        "pipelines",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        clock: Clock,
        config: Config,
        *,
        emptied: Callable[[], None],
        handed_over: Callable[[], None],
    ) -> None:
        self.pipelines = False
        self.old_habits = False
        self.handover = Handover(transport)
        self._transport = transport
        self._clock = clock
        self._config = config
        self._emptied = emptied
        self._handed_over = handed_over
        self._waiting: list[_Said] = []
        self._last: bool | None = None  # whether a push was said last, None since the client spoke
        self._quiet_until = 0.0
        self._look = _LOOK
        self._is_paused = False
        self._gathers = False  # what is said is written together, soon
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def say(self, data: bytes, last: int | None = None, *, is_push: bool = False) -> None:
        """Write a line in its turn; `last` is the id of the message that ends with it.

        COMPAT(yiwoSDK): it takes whatever comes after a command for the answer, so a reply does not
        wait behind pushes; but one that brings messages does, since these arrive in order.
        """
        if self._transport.is_closing():
            return
        if not (self._waiting or self.pipelines) and self._may_write(is_push=is_push):
            self._last = is_push
            self._write(data, last)
            return
        said = data, last, is_push
        if self.old_habits and not is_push and last is None:
            replies = (at for at, (_, _, pushes) in enumerate(self._waiting, 1) if not pushes)
            self._waiting.insert(max(replies, default=0), said)
        else:
            self._waiting.append(said)
        if not self.pipelines:
            self._await()
        elif not self._gathers:
            self._release()

    def gather(self) -> bool:
        """Have who reads streams be written nothing until `write` is called.

        Return False if that is so already, and somebody else will call it.
        """
        if self._gathers:
            return False
        self._gathers = True
        return True

    def write(self) -> None:
        """Write what was gathered."""
        self._gathers = False
        if self._waiting and self.pipelines:
            self._release()
        elif self._waiting:  # it has shown old habits meanwhile, and lines wait for their time
            self._await()

    def heard(self) -> None:
        """The client has spoken, so it has read what came before."""
        if not self.old_habits:
            self._last = None
            if self._waiting and not self._gathers:
                self._release()

    def pause(self) -> None:
        """Write no more: the client leaves unread what it was sent."""
        self._is_paused = True
        self._stop_timer()

    def resume(self) -> None:
        """Go on: all that was written is with the system, since just now."""
        self._is_paused = False
        self._quiet_until = self._clock.now() + self._config.breath
        self._release()

    def flush(self) -> None:
        """Write the replies that wait, because nothing can be awaited any more.

        Pushes are written only to who reads streams: others might read two lines as one, and what
        they were not sent is still in the store.
        """
        if self.pipelines:
            self._write_all()
        is_whole = True
        for data, last, is_push in self._waiting:
            if is_push:
                is_whole = False  # what comes after it has not arrived before it has
            else:
                self._write(data, last if is_whole else None)
        self.forget()

    def forget(self) -> None:
        """Let go of what waits."""
        self._waiting.clear()
        self._stop_timer()

    def disown(self) -> None:
        """Their session is over: drop the pushes, and note no more which messages arrive."""
        self._waiting = [(data, None, False) for data, _, is_push in self._waiting if not is_push]
        self.handover.forget()

    def _release(self) -> None:
        """Write what may be written now, and see to the rest later."""
        had = bool(self._waiting)
        if self.pipelines and not self._is_paused:
            self._write_all()
        while self._waiting and self._may_write(is_push=self._waiting[0][2]):
            data, last, self._last = self._waiting.pop(0)
            self._write(data, last)
        if self._waiting:
            self._await()
        elif had:
            self._stop_timer()
            self._emptied()

    def _may_write(self, *, is_push: bool) -> bool:
        if self._is_paused:
            return False
        if self._clock.now() >= self._quiet_until:
            return True
        if self.old_habits:
            return False
        is_alike = self._last is None or self._last == is_push
        return is_alike or self.handover.is_acknowledged

    def _await(self) -> None:
        """Look again later, unless `resume` will."""
        if self._timer is None and not self._is_paused:
            wait = self._quiet_until - self._clock.now()
            if not self.old_habits:
                wait = min(wait, self._look)
                self._look *= 2
            self._timer = self._clock.later(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        self._release()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _write_all(self) -> None:
        if self._waiting:
            data, last, self._last = self._waiting[-1]
            if len(self._waiting) > 1:
                data = b"".join([line for line, _, _ in self._waiting])
                ids = [last for _, last, _ in self._waiting if last is not None]
                last = ids[-1] if ids else None
            self._waiting.clear()
            self._write(data, last)

    def _write(self, data: bytes, last: int | None) -> None:
        if self._transport.is_closing():
            return
        self._quiet_until = self._clock.now() + self._config.breath
        self._look = _LOOK
        self._transport.write(data)
        self.handover.wrote(len(data))
        if last is not None:
            self.handover.handed_over(last)
            self._handed_over()
