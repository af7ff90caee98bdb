"""Diagrams and figures as objects for programs: plain values, one object for each thing."""

from collections.abc import Iterator
from typing import Any

from kqq.charts.counting import Times
from kqq.charts.figures import Figures
from kqq.charts.sequence import Arrow, Chart, Kind
from kqq.charts.times import iso
from kqq.words import status_name


def chart_objects(chart: Chart) -> Iterator[dict[str, Any]]:
    """Give the lifelines of a diagram, then its rows, then how many lines were left out, if any."""
    for place, one in enumerate(chart.lifelines):
        yield {
            "lifeline": place,
            "name": one.name,
            "detail": one.detail,
            "is_server": one.is_server,
        }
    for row in chart.rows:
        if not isinstance(row, Arrow):
            yield {"remark": row.words, "from": row.first, "to": row.last}
            continue
        yield {
            "line": row.number,
            "time": row.time,
            "from": row.source,
            "to": row.target,
            "kind": row.kind.value,
            "over": row.over,
            "command": row.command,
            "words": row.words,
            "seconds": row.seconds,
            "odd": [chart.footnotes[mark - 1] for mark in row.marks],
        }
    if chart.more:
        yield {"more": chart.more}


def figure_objects(figures: Figures) -> Iterator[dict[str, Any]]:
    """Give what a report counts: the whole first, then people, commands, statuses, oddities."""
    yield {
        "figure": "capture",
        "lines": figures.lines,
        "first": figures.first,
        "last": figures.last,
        "people": len(figures.people),
        "messages": figures.messages,
        "connections": figures.streams,
        "odd_lines": figures.odd_lines,
        "over": dict(figures.over),
        "kinds": {kind.value: figures.kinds[kind] for kind in Kind},
        "answers": _times(figures.times),
    }
    name = figures.cast.name
    for who, person in figures.people.items():
        yield {
            "figure": "person",
            "name": name(who),
            "detail": figures.cast.detail(who),
            "lines": person.lines,
            "answers": person.answers,
            "messages_sent": person.sent,
            "messages_received": person.received,
            "odd_lines": person.odd,
            "over": sorted(person.over),
        }
    for (sender, to), count in figures.pairs.items():
        yield {"figure": "wrote", "from": name(sender), "to": name(to), "messages": count}
    for command in figures.commands.values():
        counts = {kind.value: command.counts[kind] for kind in Kind if command.counts[kind]}
        yield {
            "figure": "command",
            "command": command.name,
            "kinds": counts,
            "unanswered": command.unanswered,
            "answers": _times(command.times),
        }
    for who, lane in figures.lanes.items():
        for at, status in lane.changes:
            yield {
                "figure": "status",
                "name": name(who),
                "status": status_name(status),
                "at": iso(at) if figures.has_times else at,
            }
    for words, oddity in figures.oddities.items():
        yield {"figure": "odd", "words": words, "count": oddity.count, "lines": oddity.numbers}


def _times(times: Times) -> dict[str, Any] | None:
    """Return durations in seconds, None if there are none."""
    if not times.count:
        return None
    shares = {f"p{share}": round(times.percentile(share), 6) for share in (50, 95, 99)}
    return {"count": times.count, "least": times.least, **shares, "most": times.most}
