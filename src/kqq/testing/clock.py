"""A clock that is moved by hand, for servers, clients and whatever takes a clock or a `sleep`."""

import asyncio
import heapq
import itertools
from collections.abc import Callable

_BEGAN = 1000.0
_DAY_IN_2014 = 1_400_000_000.0


class _Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self._now = _BEGAN
        self._order = itertools.count()
        self._timers: list[tuple[float, int, _Timer]] = []

    def now(self) -> float:
        """Return the seconds of this clock."""
        return self._now

    def date(self) -> float:
        """Return the same as a date, in seconds since 1970: some day in 2014."""
        return _DAY_IN_2014 + self._now

    def later(self, seconds: float, call: Callable[[], None]) -> _Timer:
        """Call `call` when the clock was moved so far."""
        timer = _Timer(call)
        heapq.heappush(self._timers, (self._now + seconds, next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        """Return when the clock was moved so far; for what takes `asyncio.sleep` otherwise."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        over = asyncio.Event()
        timer = self.later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    @property
    def due(self) -> int:
        """How many timers have not been cancelled or come due."""
        return sum(timer.call is not None for _, _, timer in self._timers)

    @property
    def next_due(self) -> float | None:
        """When the next timer comes due, in seconds of this clock; None if nothing waits."""
        while self._timers and self._timers[0][2].call is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, seconds: float) -> None:
        """Move on; what comes due happens at its time, in order.

        Nothing but timers happens meanwhile: what tasks do next, they do after the last of them.
        `Town.advance` lets them do it at each timer.
        """
        until = self._now + seconds
        while (due := self.next_due) is not None and due <= until:
            self._now, _, timer = heapq.heappop(self._timers)
            assert timer.call is not None
            timer.call()
        self._now = until
