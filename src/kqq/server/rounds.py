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


class Rounds:
    """Calls what is due, in order; each `soon` is one call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: deque[Callable[[], None]] = deque()
        self._is_called = False

    def soon(self, call: Callable[[], None]) -> None:
        """Have `call` called in the next turn of the loop, or in one of those after it."""
        self._due.append(call)
        if not self._is_called:
            self._call()

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
