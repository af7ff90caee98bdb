"""Axes of time and of duration: where things stand, in percent, and where marks go."""

import math
from dataclasses import dataclass
from datetime import datetime

from kqq.charts.counting import STEPS, Bins
from kqq.charts.figures import Figures
from kqq.charts.times import clock, day, duration, minute

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0,
          60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 10800.0, 21600.0, 43200.0,
          86400.0, 172800.0, 604800.0, 2592000.0)  # fmt: skip
"""Seconds between marks: parts of a second, minute, hour, day; then a week and 30 days."""
_MARKS = 7  # at most
_DAY = 86400.0
_LONGEST = 1e8  # seconds, on an axis of durations; three years
_SLACK = 2e-6  # seconds; times are floats, and some a little less than they should be


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`; `is_time` says that they are times, else they are numbers of lines."""

    low: float
    high: float
    is_time: bool

    def percent(self, at: float) -> float:
        """Return where something stands, from 0 to 100."""
        share = (at - self.low) / (self.high - self.low)
        return min(max(share * 100, 0.0), 100.0)

    def marks(self) -> list[tuple[float, str]]:
        """Return where marks stand, in percent, and what is written there: round numbers."""
        span = self.high - self.low
        step = _step(span) if self.is_time else _round_step(span)
        offset = _offset(self.low) if self.is_time else 0.0
        slack = _SLACK / step
        first = math.ceil((self.low + offset) / step - slack) * step - offset
        count = int((self.high - first) / step + slack) + 1 if first <= self.high else 0
        places = [first + place * step for place in range(min(count, _MARKS))]
        return [(self.percent(at), self._written(at, step, span)) for at in places]

    def _written(self, at: float, step: float, span: float) -> str:
        if not self.is_time:
            return f"{at:,.0f}"
        if step >= _DAY:
            return day(at)
        if step < 60:
            return clock(at + _SLACK, 3 if step < 1 else 0)
        return f"{day(at)[5:]} {minute(at)}".strip() if span > _DAY else minute(at)


def _step(span: float) -> float:
    """Return seconds between marks."""
    for step in _STEPS:
        if span / step <= _MARKS - 1:
            return step
    return _round_step(span)


def _round_step(span: float) -> float:
    """Return 1, 2 or 5 times a power of ten between marks."""
    least = max(span / (_MARKS - 1), 1.0)
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least)


def _offset(time: float) -> float:
    """Return how many seconds local time is ahead of UTC."""
    try:
        ahead = datetime.fromtimestamp(time).astimezone().utcoffset()
    except (OverflowError, ValueError, OSError):
        return 0.0
    return ahead.total_seconds() if ahead is not None else 0.0


def axis_of(figures: Figures) -> Axis:
    """Return the axis of a capture: whole bins from its first to its last line."""
    bins = figures.bins
    if not bins.counts:
        return Axis(0.0, 1.0, is_time=False)
    low = min(bins.counts) * bins.width
    high = (max(bins.counts) + 1) * bins.width
    return Axis(low, max(high, low + 0.001), is_time=figures.has_times)


def bin_places(bins: Bins, axis: Axis) -> list[tuple[float, float, dict[str, int]]]:
    """Return each bin's left edge and width in percent, and what it counts, in order of time."""
    return [
        (axis.percent(place * bins.width),
         axis.percent((place + 1) * bins.width) - axis.percent(place * bins.width),
         dict(bins.counts[place]))
        for place in sorted(bins.counts)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Decades:
    """A logarithmic axis of durations, in seconds."""

    low: float
    high: float

    @classmethod
    def around(cls, least: float, most: float) -> "Decades":
        """Return an axis of whole decades on which both are."""
        low = 10.0 ** math.floor(math.log10(min(max(least, STEPS[0]), _LONGEST)))
        high = 10.0 ** math.ceil(math.log10(min(max(most, STEPS[1]), _LONGEST)))
        return cls(low, high if high > low else low * 10)

    def percent(self, seconds: float) -> float:
        """Return where a duration stands, from 0 to 100."""
        ratio = max(seconds, self.low) / self.low
        return min(100 * math.log(ratio) / math.log(self.high / self.low), 100.0)

    def edges(self) -> list[float]:
        """Return those of `STEPS` that are on the axis, as edges of bins."""
        return [step for step in STEPS if self.low * 0.99 <= step <= self.high * 1.01]

    def marks(self) -> list[tuple[float, str]]:
        """Return where the powers of ten stand, in percent, and their names."""
        count = round(math.log10(self.high / self.low))
        places = [self.low * 10**place for place in range(count + 1)]
        return [(self.percent(at), duration(at)) for at in places]
