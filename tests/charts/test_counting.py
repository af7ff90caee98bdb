"""Counting durations and moments in a room that does not grow."""

import random

import pytest

from kqq.charts.counting import STEPS, Bins, Times


def test_percentiles_are_right_to_a_bin() -> None:
    """As if all had been kept and sorted."""
    chance = random.Random(7)
    all_times = [chance.lognormvariate(-3, 1.2) for _ in range(5000)]
    times = Times()
    for seconds in all_times:
        times.add(seconds)
    ordered = sorted(all_times)
    assert times.count == 5000
    assert times.total == pytest.approx(sum(all_times))
    assert (times.least, times.most) == (ordered[0], ordered[-1])
    for share in (5, 50, 95, 99):
        assert times.percentile(share) == pytest.approx(ordered[share * 50 - 1], rel=0.06)
    assert times.percentile(100) <= times.most
    assert sum(map(times.at_least, STEPS)) == 5000
    assert times.at_least(0.02) == sum(0.02 <= one < 0.05 for one in all_times)


def test_times_may_be_odd() -> None:
    """Nothing, less than nothing, very long."""
    times = Times()
    for seconds in (0.0, -5.0, 1e9):
        times.add(seconds)
    assert (times.least, times.most) == (0.0, 1e9)
    assert times.percentile(50) <= 2e-5
    assert times.percentile(101) == 1e9
    assert (times.at_least(1e-5), times.at_least(1e9)) == (2, 1)


def test_bins_grow_wider() -> None:
    """There are never more than 120, of usual widths, and nothing is lost."""
    bins = Bins()
    widths = set()
    for place in range(3000):
        bins.add(1_400_000_000 + place * 1.7, "request", "odd")
        widths.add(bins.width)
        assert len(bins.counts) <= 120
    assert widths == {0.01, 0.02, 0.1, 0.2, 1, 2, 10, 30, 60}
    assert sum(counts["request"] for counts in bins.counts.values()) == 3000
    assert sum(counts["odd"] for counts in bins.counts.values()) == 3000


def test_bins_of_a_clock_that_jumps() -> None:
    """Back, ahead by years, or to where no calendar goes."""
    bins = Bins()
    for time in (5.0, 1e9, -1e9, 3.0, 1e15):
        bins.add(time, "request")
    assert sum(counts["request"] for counts in bins.counts.values()) == 5
    assert max(bins.counts) - min(bins.counts) < 120
