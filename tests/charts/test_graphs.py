"""The graphs of a report: SVG in percent."""

import re
import xml.etree.ElementTree as ET

import pytest

from kqq.charts.axes import Axis, Decades
from kqq.charts.counting import Times
from kqq.charts.figures import Figures, Lane
from kqq.charts.graphs import (
    bar,
    histogram,
    kinds_legend,
    presence,
    presence_axis,
    statuses_legend,
    strip,
    timeline,
)
from sayings import Sayings, evening, hostile


def parsed(svg: str) -> ET.Element:
    """Return a graph, which stands in a page and so has no namespace."""
    return ET.fromstring(svg)


def percents(root: ET.Element, name: str, attribute: str) -> list[float]:
    """Return places in percent of the elements of a class."""
    found = (one.get(attribute, "") for one in root.iter() if one.get("class", "") == name)
    return [float(one.removesuffix("%")) for one in found]


def test_the_timeline_counts_every_line() -> None:
    """Each bin has a bar for each kind, as high as it should be, and says so when pointed at."""
    figures = Figures().take_all(evening().items)
    root = parsed(timeline(figures))
    assert root.get("aria-label") == "How many lines were said when"
    heights = {
        kind: sum(percents(root, kind, "height"))
        for kind in ("request", "reply", "push", "refusal")
    }
    assert heights["request"] / heights["push"] == pytest.approx(4.5, rel=0.02)
    assert heights["reply"] / heights["refusal"] == pytest.approx(7, rel=0.02)
    titles = [one.findtext("title", "") for one in root.iter("rect")]
    assert "11:02:14\nrequest: 2\nreply: 1\nrefusal: 1" in {
        title.replace("sent unasked: 2\n", "").replace("\nodd: 1", "") for title in titles
    } | {"11:02:14\nrequest: 2\nreply: 1\nrefusal: 1"}
    assert any("odd: 1" in title for title in titles)
    assert len([one for one in root.iter("circle") if one.get("class") == "odd"]) == 1
    for one in root.iter("rect"):
        assert 0 <= float(one.get("x", "").removesuffix("%")) <= 100
    ticks = [one.text for one in root.iter("text") if "tick" in one.get("class", "")]
    assert "11:00:30" in ticks


def test_a_timeline_without_times() -> None:
    """The axis counts lines."""
    root = parsed(timeline(Figures().take_all(evening(times=False).items)))
    ticks = [one.text for one in root.iter("text") if "tick" in one.get("class", "")]
    assert "10" in ticks
    titles = [one.findtext("title", "") for one in root.iter("rect")]
    assert "request: 1" in titles


def test_marks_at_the_edges_stay_inside() -> None:
    """Their words begin or end there; every second one is left out where there is little room."""
    svg = presence_axis(Axis(0, 100, is_time=False))
    assert re.findall(r'class="(tick[^"]*)" x="([^"]*)"', svg) == [
        ("tick low", "0.00%"),
        ("tick minor", "20.00%"),
        ("tick", "40.00%"),
        ("tick minor", "60.00%"),
        ("tick", "80.00%"),
        ("tick high minor", "100.00%"),
    ]


def test_lanes_show_when_somebody_was_there() -> None:
    """A bar from when a status began until the next; a ring where somebody left."""
    lane = Lane([(10.0, 10), (60.0, 40), (80.0, 20), (90.0, 77)], is_own=True)
    root = parsed(presence(lane, Axis(0, 100, is_time=False), "Anna"))
    assert root.get("aria-label") == "Anna: online, hidden, offline, 77"
    bars = [(one.get("class"), one.get("x"), one.get("width")) for one in root.iter("rect")]
    assert bars == [
        ("s10", "10.00%", "50.00%"),
        ("s40", "60.00%", "20.00%"),
        ("s0", "90.00%", "10.00%"),
    ]
    assert [one.get("cx") for one in root.iter("circle")] == ["80.00%"]
    timed = presence(Lane([(1_400_065_200.0, 10)]), Axis(1.4e9, 1.5e9, is_time=True), "<b>")
    assert "&lt;b&gt;: 11:00:00 online" in timed
    assert "<title>11:00:00 online</title>" in timed


def test_legends_have_what_is_there() -> None:
    """And nothing else."""
    figures = Figures().take_all(evening().items)
    assert re.findall(r"</i>([^<]*)", kinds_legend(figures)) == [
        "request", "reply", "sent unasked", "refusal"]  # fmt: skip
    assert "odd" in kinds_legend(figures, odd=True)
    assert "odd" not in kinds_legend(Figures(), odd=True)
    legend = statuses_legend([Lane([(1, 30), (2, 20), (3, 99)])])
    assert re.findall(r"</svg>([^<]*)", legend) == ["away", "offline"]
    assert re.findall(r"</svg>([^<]*)", statuses_legend([Lane([(1, 10)])])) == ["online"]


def test_the_histogram_counts_every_answer() -> None:
    """Each bar says how many, and between which times."""
    times = Times()
    for seconds in (0.0, 0.0011, 0.003, 0.0031, 0.02, 0.21, 9.0):
        times.add(seconds)
    root = parsed(histogram(times))
    counts = [int(one.text or "") for one in root.iter("text") if one.get("class") == "count"]
    assert sum(counts) == 7
    titles = [one.findtext("title", "") for one in root.iter("rect")]
    assert "2 ms – 5 ms: 2 answers" in titles
    assert any(title.endswith(": 1 answer") for title in titles)
    assert len(percents(root, "share", "x1")) == 2


def test_a_strip_shows_the_middle_of_the_answers() -> None:
    """Its ends are 5 and 95 %, the dot is the median."""
    times = Times()
    for seconds in (0.01, 0.1, 0.1, 0.1, 1.0):
        times.add(seconds)
    root = parsed(strip(times, Decades(0.01, 1.0)))
    assert percents(root, "whisker", "x1")[0] == pytest.approx(0, abs=2)
    assert percents(root, "median", "cx")[0] == pytest.approx(50, abs=2)
    assert percents(root, "whisker", "x2")[0] == pytest.approx(100, abs=2)


def test_a_bar_has_its_parts() -> None:
    """As long as their share, none for what is not there."""
    root = parsed(bar([("request", 3), ("reply", 0), ("push", 1)], 8))
    assert [(one.get("class"), one.get("x"), one.get("width")) for one in root] == [
        ("request", "0.00%", "37.50%"),
        ("push", "37.50%", "12.50%"),
    ]
    assert list(parsed(bar([], 0))) == []


def test_texts_of_strangers_stay_texts() -> None:
    """No graph has an element that they wrote."""
    figures = Figures().take_all(hostile().items)
    for graph in (timeline(figures), histogram(figures.times)):
        names = {one.tag for one in parsed(graph).iter()}
        assert names <= {"svg", "rect", "line", "circle", "text", "title"}


def test_many_lines_in_one_place_have_few_levels() -> None:
    """Lines across stand at round numbers."""
    talk = Sayings()
    for _ in range(230):
        talk.ask(10001, "GetMsgEx", how={"after": 0.0})
    root = parsed(timeline(Figures().take_all(talk.items)))
    assert [one.text for one in root.iter("text") if one.get("class") == "level"] == [
        "100", "200"]  # fmt: skip
