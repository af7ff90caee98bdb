"""Where the server's time comes from, so that tests can move it."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Something due later."""

    def cancel(self) -> None:
        """Forget it; does nothing once it happened."""


class Clock(Protocol):
    """Time for the server: `now` never goes back, `date` is what people call the time."""

    def now(self) -> float:
        """Return seconds since some moment."""

    def date(self) -> float:
        """Return seconds since 1970, for what is stored."""

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call `call` after `seconds`."""


class LoopClock:
    """The clock of the running event loop."""

    def now(self) -> float:
        """Return seconds of the clock that asyncio's loops go by."""
        return time.monotonic()  # asking the loop for it would cost ten times as much

    def date(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call `call` after `seconds`."""
        return asyncio.get_running_loop().call_later(seconds, call)
