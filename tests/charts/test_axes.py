"""Axes: where things stand, and where marks go."""

import pytest

from kqq.charts.axes import Axis, Decades, axis_of, bin_places
from kqq.charts.figures import Figures
from sayings import BEGIN, Sayings, evening


def test_places_in_percent() -> None:
    """From 0 to 100, and never beyond."""
    axis = Axis(100, 200, is_time=False)
    assert [axis.percent(at) for at in (50, 100, 150, 200, 1e9)] == [0, 0, 50, 100, 100]


@pytest.mark.parametrize(
    ("span", "marks"),
    [
        (0.01, ["11:00:00.000", "11:00:00.002", "11:00:00.004", "11:00:00.006", "11:00:00.008",
                "11:00:00.010"]),
        (3, ["11:00:00.000", "11:00:00.500", "11:00:01.000", "11:00:01.500", "11:00:02.000",
             "11:00:02.500", "11:00:03.000"]),
        (50, ["11:00:00", "11:00:10", "11:00:20", "11:00:30", "11:00:40", "11:00:50"]),
        (3000, ["11:00", "11:10", "11:20", "11:30", "11:40", "11:50"]),
        (5 * 3600, ["11:00", "12:00", "13:00", "14:00", "15:00", "16:00"]),
        (30 * 3600, ["05-14 12:00", "05-14 18:00", "05-15 00:00", "05-15 06:00", "05-15 12:00"]),
        (5 * 86400, ["2014-05-15", "2014-05-16", "2014-05-17", "2014-05-18", "2014-05-19"]),
        (20 * 365 * 86400, ["2020-09-13", "2027-01-15", "2033-05-18"]),
    ],
)  # fmt: skip
def test_marks_of_time_are_round(span: float, marks: list[str]) -> None:
    """Parts of a second, seconds, minutes, hours, days."""
    axis = Axis(BEGIN, BEGIN + span, is_time=True)
    assert [words for _, words in axis.marks()] == marks
    assert all(0 <= place <= 100 for place, _ in axis.marks())


def test_marks_of_lines_are_round() -> None:
    """1, 2 and 5 times a power of ten."""
    assert [words for _, words in Axis(1, 19, is_time=False).marks()] == ["5", "10", "15"]
    assert [words for _, words in Axis(1, 3000, is_time=False).marks()][-1] == "3,000"
    assert Axis(0.2, 0.4, is_time=False).marks() == []


def test_an_axis_of_odd_times() -> None:
    """No calendar has them."""
    marks = Axis(1e18, 2e18, is_time=True).marks()
    assert marks
    assert all(0 <= place <= 100 for place, _ in marks)


def test_the_axis_of_a_capture() -> None:
    """Whole bins, and of nothing something."""
    figures = Figures().take_all(evening().items)
    axis = axis_of(figures)
    assert axis.low <= figures.begin < figures.end <= axis.high
    places = bin_places(figures.bins, axis)
    assert places[0][0] == 0
    assert places[-1][0] + places[-1][1] == pytest.approx(100)
    assert sum(counts.get("push", 0) for *_, counts in places) == 2
    assert axis_of(Figures()) == Axis(0, 1, is_time=False)
    one = Sayings()
    one.ask(10001, "GetMsgEx")
    alone = axis_of(Figures().take_all(one.items))
    assert alone.high > alone.low


def test_decades_of_durations() -> None:
    """Whole ones around what is there."""
    axis = Decades.around(0.003, 0.4)
    assert axis.low == pytest.approx(0.001)
    assert axis.high == pytest.approx(1)
    assert [words for _, words in axis.marks()] == ["1 ms", "10 ms", "100 ms", "1 s"]
    assert [round(place, 6) for place, _ in axis.marks()] == [0, 33.333333, 66.666667, 100]
    assert [round(edge, 6) for edge in axis.edges()] == [
        0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]  # fmt: skip
    assert (axis.percent(0), axis.percent(99)) == (0, 100)
    same = Decades.around(0.01, 0.01)
    assert same.high == pytest.approx(same.low * 10)
    assert Decades.around(0, 1e300).high == pytest.approx(1e8)
    assert Decades.around(0, 0).low == pytest.approx(1e-5)
