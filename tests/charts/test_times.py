"""Times and durations in a few signs."""

import pytest

from kqq.charts.times import clock, day, duration, iso, minute
from sayings import BEGIN


def test_times_are_local() -> None:
    """Clock, date, minute, and all of it for programs."""
    assert clock(BEGIN + 0.0426) == "11:00:00.042"
    assert clock(BEGIN, 0) == "11:00:00"
    assert day(BEGIN) == "2014-05-14"
    assert minute(BEGIN) == "11:00"
    assert iso(BEGIN) == "2014-05-14T11:00:00.000+00:00"


def test_a_time_that_no_calendar_has_is_a_number() -> None:
    """Captures may say anything."""
    assert clock(1e18) == "1000000000000000000.000"
    assert minute(1e18) == "1000000000000000000"
    assert day(1e18) == ""
    assert iso(1e18) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 µs"),
        (0.0003, "300 µs"),
        (0.042, "42 ms"),
        (1.0, "1 s"),
        (1.24, "1.2 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
        (86400 * 3 + 7200, "3 d 2 h"),
        (-0.5, "−500 ms"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    """The two largest units that matter."""
    assert duration(seconds) == words
