"""What is due in the next turn of the event loop: all of it in one call, but never for long.

A change of status may wake thousands of connections at once. Each is cheap; together they would
hold everybody else up, so after a few milliseconds the rest waits for another turn.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from kqq.server.clock import Clock

_SLICE = 0.004
"""Seconds of work in one turn."""
_GRAIN = 0.005
"""Seconds between what is later."""


class Rounds:
    """Calls what is due, in order; each `soon` and each `later` is one call.

    `pause()` is how many seconds `later` takes.
    """

    def __init__(self, clock: Clock, pause: Callable[[], float] = lambda: 0.05) -> None:
        self._clock = clock
        self._pause = pause
        self._later: dict[int, list[Callable[[], None]]] = {}  # by the time, in grains
        self._due: deque[Callable[[], None]] = deque()
        self._is_called = False

    def soon(self, call: Callable[[], None]) -> None:
        """Have `call` called in the next turn of the loop, or in one of those after it."""
        self._due.append(call)
        if not self._is_called:
            self._call()

    def later(self, call: Callable[[], None]) -> None:
        """Have `call` called after the pause, or some milliseconds later, with others.

        So a few hundred timers a second serve thousands, who do not all come at once.
        """
        now = self._clock.now()
        grain = int((now + self._pause()) / _GRAIN) + 1
        if grain not in self._later:
            self._later[grain] = []
            self._clock.later(grain * _GRAIN - now, lambda: self._come(grain))
        self._later[grain].append(call)

    def _come(self, grain: int) -> None:
        self._due += self._later.pop(grain)
        if not self._is_called:  # else these wait for that turn; each turn has one slice
            self._go_round()

    def _call(self) -> None:
        self._is_called = True
        asyncio.get_running_loop().call_soon(self._go_round)

    def _go_round(self) -> None:
        self._is_called = False
        due, until = self._due, self._clock.now() + _SLICE
        try:
            for _ in range(len(due)):  # what becomes due meanwhile is of the next turn
                due.popleft()()
                if self._clock.now() > until:
                    break
        finally:  # also if one of them failed, which the loop tells
            if due and not self._is_called:
                self._call()
