"""How long to wait before the next poll, and before the next try to connect. No clock."""

from collections.abc import Callable


class PollPace:
    """How long to wait before asking an HTTP server again what is new.

    Soon after something happened, since people answer each other; then ever later. All in seconds.
    """

    def __init__(self, *, soonest: float = 1.0, latest: float = 15.0, growth: float = 1.3) -> None:
        self._soonest = soonest
        self._latest = latest
        self._growth = growth
        self._wait = soonest

    def happened(self) -> None:
        """Note that something came, or was sent: the next poll comes soon."""
        self._wait = self._soonest

    def next(self) -> float:
        """Return how long to wait now; the next time it will be longer."""
        wait = self._wait
        self._wait = min(self._wait * self._growth, self._latest)
        return wait


class BackOff:
    """How long to wait before connecting again: twice as long each time, and never exactly so.

    Without the jitter all clients of a server that was away would come back in the same moment.
    """

    def __init__(
        self, random: Callable[[], float], *, first: float = 1.0, most: float = 60.0
    ) -> None:
        """Begin; `random` gives numbers from 0 to 1. All times are in seconds."""
        self._random = random
        self._first = first
        self._most = most
        self._failures = 0

    def succeeded(self) -> None:
        """Note that a connection held; the next wait is a short one."""
        self._failures = 0

    def next(self) -> float:
        """Return how long to wait after one more failure."""
        longest = min(self._first * 2.0 ** min(self._failures, 30), self._most)
        self._failures += 1
        return longest * (0.5 + self._random() / 2)
