"""How much one address, or one account, may do: rates and open connections.

What is kept is bounded, so that nobody fills the memory by coming from many addresses; what is
forgotten for it is forgiven.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from itertools import islice

from kqq.server.clock import Clock

_LOOKS = 4  # buckets looked at for one that is full again
_CRUMB = 1e-6  # of a token: what is lost in sums of fractions stops nobody


@lru_cache(maxsize=4096)
def address_key(host: str) -> str:
    """Return what an address is counted by: an IPv6 address by its /64, which is one customer's.

    An IPv4 address written as IPv6 is counted as IPv4; anything else as it is.
    """
    if ":" not in host:
        return host
    try:
        address = IPv6Address(host.partition("%")[0])
    except AddressValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


class Rates:
    """Token buckets by key: `burst` tokens at once, `rate` more each second.

    Both are asked for at each use, since settings change. At most `most` buckets are kept; for a
    new one, the one longest not used is forgotten, or one of the next that is full again, with
    which nothing is lost. Who has just asked the clock can say `now`.
    """

    def __init__(
        self,
        clock: Clock,
        rate: Callable[[], float],
        burst: Callable[[], float],
        most: int = 20_000,
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._most = most
        # Tokens missing, and when they were: what is not here is full.
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def has(self, key: Hashable, count: float = 1) -> bool:
        """Return whether there are `count` tokens, and take none."""
        return self._missing(key, self._clock.now()) + count <= self._burst() + _CRUMB

    def spend(self, key: Hashable, count: float = 1, now: float | None = None) -> bool:
        """Take `count` tokens and return True; if there are not so many, take none."""
        if now is None:
            now = self._clock.now()
        missing = self._missing(key, now) + count
        if missing > self._burst() + _CRUMB:
            return False
        self._keep(key, missing, now)
        return True

    def owe(self, key: Hashable, count: float = 1, now: float | None = None) -> float:
        """Take `count` tokens, there or not; return the seconds until none is owed, mostly 0.0.

        With a rate of 0 what is owed stays owed: infinity.
        """
        if now is None:
            now = self._clock.now()
        missing = self._missing(key, now) + count
        self._keep(key, missing, now)
        return self._seconds(missing)

    def debt(self, key: Hashable) -> float:
        """Return the seconds until none is owed, and take none."""
        return self._seconds(self._missing(key, self._clock.now()))

    def repay(self, key: Hashable, count: float = 1) -> None:
        """Give back tokens that were spent in vain."""
        now = self._clock.now()
        missing = self._missing(key, now) - count
        if missing > 0.0:
            self._keep(key, missing, now)
        else:
            self._buckets.pop(key, None)

    def _missing(self, key: Hashable, now: float) -> float:
        bucket = self._buckets.get(key)
        if bucket is None:
            return 0.0
        missing = bucket[0] - (now - bucket[1]) * self._rate()
        if missing < 0.0:
            return 0.0
        return missing

    def _seconds(self, missing: float) -> float:
        owed = missing - self._burst()
        if owed <= _CRUMB:
            return 0.0
        rate = self._rate()
        return owed / rate if rate > 0.0 else math.inf

    def _keep(self, key: Hashable, missing: float, now: float) -> None:
        buckets = self._buckets
        if key in buckets:
            buckets.move_to_end(key)
        elif len(buckets) >= self._most:
            self._make_room(now)
        buckets[key] = (missing, now)

    def _make_room(self, now: float) -> None:
        rate = self._rate()
        for key, (missing, since) in islice(self._buckets.items(), _LOOKS):
            if missing <= (now - since) * rate:
                del self._buckets[key]
                return
        self._buckets.popitem(last=False)


class Concurrent:
    """How many connections of each address are open; at most `most_per_key`, asked for each time.

    What is kept is bounded by the connections that are open.
    """

    def __init__(self, most_per_key: Callable[[], int]) -> None:
        self._most = most_per_key
        self._counts: dict[str, int] = {}

    def enter(self, key: str) -> bool:
        """Count one more and return True; False if that would be too many."""
        count = self._counts.get(key, 0)
        if count >= self._most():
            return False
        self._counts[key] = count + 1
        return True

    def leave(self, key: str) -> None:
        """Count one less; only for one that has entered."""
        count = self._counts[key]
        if count == 1:
            del self._counts[key]
        else:
            self._counts[key] = count - 1

    def count(self, key: str) -> int:
        """Return how many are open."""
        return self._counts.get(key, 0)
