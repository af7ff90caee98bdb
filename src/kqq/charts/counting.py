"""Counting what can go on for ever in a room that does not grow: durations and moments."""

import math
from bisect import bisect_right
from collections import Counter

_BINS = 120
STEPS = tuple(float(f"{step}e{power}") for power in range(-5, 10) for step in (1, 2, 5))
"""Seconds: 1, 2 and 5 times the powers of ten. What is less than the first counts with it."""


class Times:
    """How long things took: a histogram whose bins are a tenth wider each than the one before."""

    SHORTEST = 1e-5
    GROWTH = 1.1

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.least = math.inf
        self.most = 0.0
        self._bins: Counter[int] = Counter()
        self._steps: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one; less than nothing (clocks are set) counts as nothing."""
        seconds = max(seconds, 0.0)
        self.count += 1
        self.total += seconds
        self.least = min(self.least, seconds)
        self.most = max(self.most, seconds)
        ratio = max(seconds / self.SHORTEST, 1.0)
        self._steps[max(bisect_right(STEPS, seconds) - 1, 0)] += 1
        self._bins[int(math.log(ratio) / math.log(self.GROWTH))] += 1

    def percentile(self, share: float) -> float:
        """Return within what time so many percent were done, to 5 %. Needs one at least."""
        wanted = self.count * share / 100
        seen = 0
        for place in sorted(self._bins):
            seen += self._bins[place]
            if seen >= wanted:
                middle = float(self.SHORTEST * self.GROWTH ** (place + 0.5))
                return min(max(middle, self.least), self.most)
        return self.most

    def at_least(self, step: float) -> int:
        """Return how many took at least one of `STEPS`, and less than the next; exactly."""
        return self._steps[STEPS.index(step)]


class Bins:
    """How much happened when: at most 120 bins of time, each counting some kinds of things.

    All are as wide, from a hundredth of a second; when there are too many, each few become one, so
    that the width is a usual one: seconds, minutes, hours, days.
    """

    def __init__(self) -> None:
        self.width = 0.01  # seconds
        self.counts: dict[int, Counter[str]] = {}
        self._factors = [2, 5, 2, 5, 2, 5, 3, 2, 2, 5, 3, 2, 2, 3, 2, 2]

    def add(self, time: float, *kinds: str) -> None:
        """Count these kinds at this time."""
        place = math.floor(time / self.width)
        counts = self.counts.get(place)
        if counts is None:
            while self.counts and self._reach(place) >= _BINS:
                self._widen()
                place = math.floor(time / self.width)
            counts = self.counts.setdefault(place, Counter())
        for kind in kinds:
            counts[kind] += 1

    def _reach(self, place: int) -> int:
        return max(place, *self.counts) - min(place, *self.counts)

    def _widen(self) -> None:
        factor = self._factors.pop(0) if self._factors else 2
        self.width = round(self.width * factor, 2)
        wider: dict[int, Counter[str]] = {}
        for place, counts in self.counts.items():
            wider.setdefault(place // factor, Counter()).update(counts)
        self.counts = wider
