"""What was measured, as a picture: an SVG that fetches and runs nothing, by day and by night."""

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from benchmarks.comparing.figures import FIGURES, SERVERS, Figures, Verdict
from benchmarks.comparing.table import amount, number, wish

from kqq.charts.svg import DARK_VARIABLES, FONTS, VARIABLES

_WIDTH = 960
_MARGIN = 28
_GAP = 44  # between the two columns of charts
_COLUMN = (_WIDTH - 2 * _MARGIN - _GAP) // 2
_NAME = 78  # width of a server's name
_VALUE = 104  # width of a value behind its bar
_BAR = 15
_ROW = 22
_CHARTS = {
    "w32": "Messages a second, 32 in flight each",
    "w1": "Messages a second, 1 in flight each",
    "p50": "Median latency at 2,000 a second",
    "p99": "99th percentile at 2,000 a second",
    "memory": "Memory for an idle connection",
    "told": "A status told to 200 friends",
    "store": "Stored a second for who is away",
    "replay": "Told a second to who was away",
}
_WILD = 1.3  # times the longest bar is as far as lines go
_GOAL_ROW = 24
_TRACK = (470, 790)  # where the goals' scale begins and ends
_LEAST, _MOST = 1 / 8, 8.0  # of a goal, on that scale
_STYLE = f"""
svg{{{VARIABLES};color-scheme:light dark;font:13px/1.3 {FONTS}}}
@media (prefers-color-scheme:dark){{svg{{{DARK_VARIABLES}}}}}
text{{fill:var(--ink);font-variant-numeric:tabular-nums}}
.paper{{fill:var(--paper)}}
.title{{font-size:20px;font-weight:650}}
.head{{font-size:14px;font-weight:650}}
.faint{{fill:var(--faint);font-size:12px}}
.right{{text-anchor:end}}
.middle{{text-anchor:middle}}
.ours{{font-weight:650}}
.bar{{fill:var(--edge)}}
.bar.relay{{fill:var(--head);stroke:var(--edge);stroke-dasharray:3 2}}
.bar.kqq{{fill:var(--request)}}
.range{{stroke:var(--ink);stroke-width:1.25;opacity:.7}}
.base,.goal{{stroke:var(--faint);stroke-width:1}}
.grid{{stroke:var(--line);stroke-width:1}}
.stem{{stroke-width:3}}
.holds{{fill:var(--push);stroke:var(--push)}}
.fails{{fill:var(--paper);stroke:var(--bad);stroke-width:2.5}}
.fails.stem{{stroke-width:3}}
.yes{{fill:var(--push);font-weight:650}}
.no{{fill:var(--bad);font-weight:650}}
@media print{{svg{{{VARIABLES}}}}}
"""


def draw(figures: Figures, verdicts: Sequence[Verdict]) -> str:
    """Return the picture: a chart for each figure that servers are compared by, and the goals."""
    parts: list[str] = []
    at = 82.0
    charts = [key for key in _CHARTS if _compared(figures, key)]
    for start in range(0, len(charts), 2):
        pair = charts[start : start + 2]
        for column, key in enumerate(pair):
            left = _MARGIN + column * (_COLUMN + _GAP)
            parts += _chart(figures, key, left, at)
        at += 50 + _ROW * max(len(_compared(figures, key)) for key in pair)
    measured = [one for one in verdicts if one.measured is not None]
    if measured:
        parts += _goals(measured, at)
        at += 76 + _GOAL_ROW * len(measured)
    return "\n".join([*_head(at), *parts, "</svg>", ""])


def _compared(figures: Figures, key: str) -> list[str]:
    return [server for server in figures.servers([key]) if server in SERVERS]


def _head(height: float) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'width="{_WIDTH}" height="{height:.0f}" role="img" aria-labelledby="name">'
    )
    yield f'<title id="name">kqq beside other chat servers</title><style>{_STYLE}</style>'
    yield f'<rect class="paper" width="{_WIDTH}" height="{height:.0f}"/>'
    yield _text(_MARGIN, 38, "kqq beside other chat servers", "title")
    words = "Each server on one core, the load on another. Bars are medians, thin lines the range."
    yield _text(_MARGIN, 60, words, "faint")


def _text(x: float, y: float, words: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{named}>{escape(words)}</text>'


def _line(x: float, y: float, to_x: float, to_y: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'


def _chart(figures: Figures, key: str, left: float, top: float) -> Iterator[str]:
    figure, servers = FIGURES[key], _compared(figures, key)
    yield _text(left, top + 12, _CHARTS[key], "head")
    better = "less is better" if figure.is_better_low else "more is better"
    yield _text(left + _COLUMN, top + 12, better, "faint right")
    highest = max(figures.worst(key, server) or 0 for server in servers)
    # A single wild value must not make all bars short; its line is cut off.
    longest = min(highest, _WILD * max(figures.middle(key, one) or 0 for one in servers)) or 1.0
    start, room = left + _NAME, _COLUMN - _NAME - _VALUE
    for row, server in enumerate(servers):
        value, span = figures.middle(key, server), figures.span(key, server)
        assert value is not None
        y = top + 28 + row * _ROW
        ours = " ours" if server == "kqq" else ""
        yield _text(start - 8, y + 12, server, f"right{ours}")
        width = max(1.0, room * value / longest)
        yield (
            f'<rect class="bar {server}" x="{start:.1f}" y="{y}" width="{width:.1f}" '
            f'height="{_BAR}" rx="2"/>'
        )
        end = width
        if span is not None:
            low, high = (room * min(1.0, one / longest) for one in span)
            end = max(end, high)
            yield _line(start + low, y + _BAR / 2, start + high, y + _BAR / 2, "range")
        said = amount(value, figure.unit) if figure.unit != "/s" else number(value)
        yield _text(start + end + 7, y + 12, said, ours.strip())
    bottom = top + 28 + len(servers) * _ROW - (_ROW - _BAR) + 3
    yield _line(start, top + 25, start, bottom, "base")


def _goals(verdicts: Iterable[Verdict], top: float) -> Iterator[str]:
    verdicts = list(verdicts)
    yield _text(_MARGIN, top + 14, "Goals", "head")
    first, bottom = top + 50, top + 50 + _GOAL_ROW * len(verdicts)
    for value in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8):
        x = _along(value)
        yield _line(x, first - 10, x, bottom - 6, "goal" if value == 1 else "grid")
        said = "the goal" if value == 1 else f"{value:g} x" if value > 1 else f"1/{1 / value:g}"
        yield _text(x, first - 18, said, "middle" if value == 1 else "faint middle")
    yield _text(_WIDTH - _MARGIN, first - 18, "measured", "faint right")
    before = 0
    for row, one in enumerate(verdicts):
        assert one.measured is not None
        assert one.reached is not None
        y = first + row * _GOAL_ROW + 6
        if one.goal != before:
            yield _text(_MARGIN, y + 4, str(one.goal), "head")
            before = one.goal
        sign = "at least" if one.is_least else "at most"
        yield _text(_MARGIN + 22, y + 4, one.what)
        wanted = f"{sign} {wish(one.wanted, one.unit)}"
        yield _text(_TRACK[0] - 18, y + 4, wanted, "faint right")
        kind = "holds" if one.holds else "fails"
        x = _along(one.reached)
        yield _line(_along(1), y, x, y, f"{kind} stem")
        yield f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
        said = f"{amount(one.measured, one.unit)} {'✓' if one.holds else '✗'}"
        yield _text(_WIDTH - _MARGIN, y + 4, said, f"right {'yes' if one.holds else 'no'}")


def _along(reached: float) -> float:
    """Return where a share of a goal is on the scale, which is logarithmic and has ends."""
    share = math.log(min(max(reached, _LEAST), _MOST) / _LEAST) / math.log(_MOST / _LEAST)
    return _TRACK[0] + share * (_TRACK[1] - _TRACK[0])
