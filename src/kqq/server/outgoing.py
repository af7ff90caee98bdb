"""Lines on their way to one client, in order, each as the client can take it.

COMPAT(ZNQQ, QQBot, yiwoSDK): they take each read for one message, so each line is a write of its
own, and lines stand apart. Who has shown such habits (a bare LF, junk before a line) gets a breath
between any two lines. Others get the next line once they have spoken, their system has acknowledged
the last one, or a breath has passed. Who pipelines reads streams, and gets all that is due at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from kqq.server.clock import Clock, Timer
from kqq.server.config import Config
from kqq.server.handover import Handover

_LOOK = 0.005
"""Seconds after which to look again whether a line was acknowledged."""


class Outgoing:
    """What is written to one connection.

    `emptied` is called when nothing waits any more, `handed_over` when messages were written.

    `pipelines` and `old_habits` say what the client has shown; the caller keeps them up to date.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        clock: Clock,
        config: Config,
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
        self._waiting: deque[tuple[bytes, int | None]] = deque()
        self._is_apart = True  # nothing was said since the client spoke
        self._quiet_until = 0.0
        self._joining = False  # a write of what waits is due
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def say(self, data: bytes, last: int | None = None) -> None:
        """Write a line in its turn; `last` is the id of the message that ends with it."""
        if self._transport.is_closing():
            return
        self._waiting.append((data, last))
        if self.pipelines:
            if not self._joining:
                self._joining = True
                asyncio.get_running_loop().call_soon(self._join)
        elif len(self._waiting) == 1:
            self._release()

    def heard(self) -> None:
        """The client has spoken, so it has read what came before."""
        if self.pipelines or not self.old_habits:
            self._is_apart = True
            if self._waiting:
                self._release()

    def flush(self) -> None:
        """Write all that waits, because nothing can be awaited any more."""
        self._write_all()
        self.forget()

    def forget(self) -> None:
        """Let go of what waits."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _join(self) -> None:
        self._joining = False
        self._release()

    def _release(self) -> None:
        """Write what may be written now, and see to the rest later."""
        had = bool(self._waiting)
        if self.pipelines:
            self._write_all()
        while self._waiting and self._may_write():
            self._write(*self._waiting.popleft())
            self._is_apart = False
            self._quiet_until = self._clock.now() + self._config.breath
        if self._waiting and self._timer is None:
            wait = max(self._quiet_until - self._clock.now(), 0.0)
            wait = wait if self.old_habits else min(wait, _LOOK)
            self._timer = self._clock.later(wait, self._due)
        if had and not self._waiting:
            self._emptied()

    def _may_write(self) -> bool:
        if self._clock.now() >= self._quiet_until:
            return True
        return not self.old_habits and (self._is_apart or self.handover.is_acknowledged)

    def _due(self) -> None:
        self._timer = None
        self._release()

    def _write_all(self) -> None:
        if self._waiting:
            ids = [last for _, last in self._waiting if last is not None]
            joined = b"".join(data for data, _ in self._waiting)
            self._waiting.clear()
            self._write(joined, ids[-1] if ids else None)

    def _write(self, data: bytes, last: int | None) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(data)
        self.handover.wrote(len(data))
        if last is not None:
            self.handover.handed_over(last)
            self._handed_over()
