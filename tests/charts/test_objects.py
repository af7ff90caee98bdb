"""Diagrams and figures as objects for programs."""

import json
from typing import Any

from kqq.charts.figures import Figures
from kqq.charts.objects import chart_objects, figure_objects
from kqq.charts.sequence import sequence
from sayings import Sayings, evening, hostile


def test_a_diagram() -> None:
    """Lifelines, then rows, then what is left out."""
    objects = list(chart_objects(sequence(evening().items, most=13)))
    assert objects[0] == {
        "lifeline": 0,
        "name": "10001",
        "detail": "192.0.2.1",
        "is_server": False,
    }
    assert objects[3] == {"remark": "connects", "from": 0, "to": 0}
    posted = objects[-2]
    assert (posted["line"], posted["from"], posted["to"]) == (13, 2, 1)
    assert (posted["kind"], posted["over"], posted["command"]) == ("request", "http", "CltMsg")
    assert posted["words"] == "to 10001: “OK!”"
    assert posted["odd"] == ["2 bytes before VER= are skipped: 00 4f"]
    assert objects[-1] == {"more": 6}
    assert list(chart_objects(sequence([]))) == []


def by_figure(figures: Figures) -> dict[str, list[dict[str, Any]]]:
    """Return the objects, by what they are about."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in figure_objects(figures):
        found.setdefault(one["figure"], []).append(one)
    return found


def test_figures() -> None:
    """The whole, people, who wrote to whom, commands, statuses, oddities."""
    found = by_figure(Figures().take_all(evening().items))
    (capture,) = found["capture"]
    assert (capture["lines"], capture["messages"], capture["odd_lines"]) == (19, 2, 1)
    assert capture["kinds"]["push"] == 2
    assert capture["answers"]["count"] == 8
    assert [one["name"] for one in found["person"]] == ["10001", "小波"]
    assert {"figure": "wrote", "from": "小波", "to": "10001", "messages": 1} in found["wrote"]
    names = [one["command"] for one in found["command"]]
    assert names[:2] == ["Login", "VERIFYCODE"]
    assert found["status"][-1]["status"] == "offline"
    assert found["status"][0]["at"] == "2014-05-14T11:00:09.120+00:00"
    (odd,) = found["odd"]
    assert (odd["count"], odd["lines"]) == (1, [13])


def test_figures_without_times() -> None:
    """Numbers of lines stand in their place."""
    found = by_figure(Figures().take_all(evening(times=False).items))
    assert found["capture"][0]["answers"] is None
    assert found["status"][0]["at"] == 4.0


def test_all_of_it_is_plain() -> None:
    """Whatever was said."""
    for talk in (hostile(), Sayings()):
        figures = Figures().take_all(talk.items)
        for one in (*figure_objects(figures), *chart_objects(sequence(talk.items))):
            json.dumps(one)
