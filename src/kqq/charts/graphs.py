"""The graphs of a report: SVG whose places are in percent, so that they fit any width of a page.

They are parts of a page, which has the colours: none has a style of its own.
"""

from html import escape
from itertools import pairwise

from kqq.charts.axes import Axis, Decades, axis_of, bin_places
from kqq.charts.counting import STEPS, Times
from kqq.charts.figures import Figures, Lane
from kqq.charts.times import clock, duration
from kqq.words import status_word, tr, tr_n

_HEIGHT = 150.0  # pixels of the plots
_BELOW = 22.0  # for what is written below them
_LANE = 24.0
_KINDS = ("request", "reply", "push", "refusal", "unreadable")
_HEIGHTS = {10: 14.0, 30: 7.0, 40: 12.0, 50: 9.0, 60: 9.0, 70: 14.0}
"""How high the bar of a status is, so that they can be told apart without colours, too."""
_MINOR = 2  # every second mark is left out where there is little room


def _svg(height: float, words: str, content: str, name: str) -> str:
    return (
        f'<svg class="{name}" width="100%" height="{height:g}" role="img" '
        f'aria-label="{escape(words)}">{content}</svg>'
    )


def _marks(marks: list[tuple[float, str]], top: float, bottom: float, *, named: bool) -> str:
    """Return the marks of an axis as thin lines, with what is written below them if `named`."""
    parts = []
    for number, (x, words) in enumerate(marks):
        parts.append(
            f'<line class="grid" x1="{x:.2f}%" x2="{x:.2f}%" y1="{top:g}" y2="{bottom:g}"/>'
        )
        if named:
            end = " low" if x < 4 else " high" if x > 96 else ""
            minor = " minor" if number % _MINOR else ""
            parts.append(
                f'<text class="tick{end}{minor}" x="{x:.2f}%" y="{bottom + 15:g}">'
                f"{escape(words)}</text>"
            )
    return "".join(parts)


def _levels(most: int) -> list[int]:
    """Return the round numbers at which there is a line across, below `most`."""
    for step in (step * 10**power for power in range(12) for step in (1, 2, 5)):
        if most / step <= 4:
            return list(range(step, most + 1, step))
    return [most]


def timeline(figures: Figures) -> str:
    """Return how many lines of each kind were said when."""
    axis = axis_of(figures)
    bins = bin_places(figures.bins, axis)
    most = max((sum(counts.get(kind, 0) for kind in _KINDS) for *_, counts in bins), default=1)
    parts = [_marks(axis.marks(), 0, _HEIGHT, named=True)]
    for level in _levels(most):
        y = _HEIGHT - (_HEIGHT - 14) * level / most
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
    for x, wide, counts in bins:
        y, told = _HEIGHT, []
        for kind in _KINDS:
            if not counts.get(kind):
                continue
            high = max((_HEIGHT - 14) * counts[kind] / most, 0.75)
            y -= high
            parts.append(
                f'<rect class="{kind}" x="{x:.3f}%" y="{y:.2f}" width="{wide * 0.88:.3f}%" '
                f'height="{high:.2f}"/>'
            )
            told.append(f"{_kind_word(kind)}: {counts[kind]:,}")
        if counts.get("odd"):
            middle = x + wide * 0.44
            parts.append(f'<circle class="odd" cx="{middle:.3f}%" cy="{y - 6:.1f}" r="2.5"/>')
            told.append(f"{tr('odd')}: {counts['odd']:,}")
        start = clock(axis.low + x / 100 * (axis.high - axis.low), 0) if axis.is_time else ""
        words = "\n".join([start, *told] if start else told)
        parts.append(
            f'<rect class="over" x="{x:.3f}%" y="0" width="{wide:.3f}%" height="{_HEIGHT:g}">'
            f"<title>{escape(words)}</title></rect>"
        )
    parts.append(f'<line class="base" x1="0" x2="100%" y1="{_HEIGHT:g}" y2="{_HEIGHT:g}"/>')
    for level in _levels(most):
        y = _HEIGHT - (_HEIGHT - 14) * level / most
        parts.append(f'<text class="level" x="-8" y="{y + 4:.1f}">{level:,}</text>')
    return _svg(_HEIGHT + _BELOW, tr("How many lines were said when"), "".join(parts), "levels")


def _kind_word(kind: str) -> str:
    words = {
        "request": tr("request"),
        "reply": tr("reply"),
        "push": tr("sent unasked"),
        "refusal": tr("refusal"),
        "unreadable": tr("unreadable"),
    }
    return words[kind]


def kinds_legend(figures: Figures, *, odd: bool = False) -> str:
    """Return what the colours of kinds mean, and the dot for what is odd, if they are there."""
    there = [kind for kind in _KINDS if any(one.value == kind for one in figures.kinds)]
    parts = [f'<li><i class="key {kind}"></i>{escape(_kind_word(kind))}</li>' for kind in there]
    if odd and figures.odd_lines:
        parts.append(f'<li><i class="key odd"></i>{escape(tr("odd"))}</li>')
    return f'<ul class="legend">{"".join(parts)}</ul>'


def presence(lane: Lane, axis: Axis, name: str) -> str:
    """Return one lane: the statuses of a person, each a bar from when it began."""
    middle = _LANE / 2
    parts = [_marks(axis.marks(), 0, _LANE, named=False)]
    parts.append(f'<line class="base" x1="0" x2="100%" y1="{middle:g}" y2="{middle:g}"/>')
    ends = [at for at, _ in lane.changes[1:]] + [axis.high]
    told = []
    for (at, status), end in zip(lane.changes, ends, strict=True):
        start, stop = axis.percent(at), axis.percent(end)
        word = status_word(status)
        when = f"{clock(at, 0)} " if axis.is_time else ""
        told.append(f"{when}{word}")
        if status == 20:
            parts.append(f'<circle class="left" cx="{start:.2f}%" cy="{middle:g}" r="3"/>')
            continue
        high = _HEIGHTS.get(status, 6.0)
        parts.append(
            f'<rect class="s{status if status in _HEIGHTS else 0}" x="{start:.2f}%" '
            f'y="{middle - high / 2:g}" width="{max(stop - start, 0.25):.2f}%" height="{high:g}" '
            f'rx="2"><title>{escape(f"{when}{word}")}</title></rect>'
        )
    return _svg(_LANE, f"{name}: {', '.join(told[:20])}", "".join(parts), "lane")


def presence_axis(axis: Axis) -> str:
    """Return what stands below the lanes."""
    content = _marks(axis.marks(), 0, 4, named=True)
    return (
        f'<svg class="lane" width="100%" height="{4 + _BELOW:g}" aria-hidden="true">{content}</svg>'
    )


def statuses_legend(lanes: list[Lane]) -> str:
    """Return what the bars of the lanes mean, for the statuses that are there."""
    there = {status for lane in lanes for _, status in lane.changes}
    known = [status for status in _HEIGHTS if status in there]
    parts = [
        f'<li><svg width="22" height="16" aria-hidden="true"><rect class="s{status}" x="1" '
        f'y="{8 - _HEIGHTS[status] / 2:g}" width="20" height="{_HEIGHTS[status]:g}" rx="2"/></svg>'
        f"{escape(status_word(status))}</li>"
        for status in known
    ]
    if 20 in there:
        parts.append(
            '<li><svg width="22" height="16" aria-hidden="true"><line class="base" x1="0" x2="22" '
            'y1="8" y2="8"/><circle class="left" cx="5" cy="8" r="3"/></svg>'
            f"{escape(status_word(20))}</li>"
        )
    return f'<ul class="legend">{"".join(parts)}</ul>'


def histogram(times: Times) -> str:
    """Return how many answers took how long, on a logarithmic axis."""
    axis = Decades.around(times.least, times.most)
    edges = axis.edges()
    counts = [times.at_least(low) for low in edges[:-1]]
    counts[-1] += sum(times.at_least(step) for step in STEPS if step >= edges[-1])
    most = max(counts)
    parts = [_marks(axis.marks(), 0, _HEIGHT, named=True)]
    for (low, high), count in zip(pairwise(edges), counts, strict=True):
        if not count:
            continue
        x, tall = axis.percent(low), max((_HEIGHT - 18) * count / most, 1.0)
        wide = axis.percent(high) - x
        text = tr_n("{count} answer", "{count} answers", count).format(count=f"{count:,}")
        span = f"{duration(low)} – {duration(high)}: {text}"
        parts.append(
            f'<rect class="reply" x="{x + wide * 0.04:.2f}%" y="{_HEIGHT - tall:.1f}" '
            f'width="{wide * 0.92:.2f}%" height="{tall:.1f}"><title>{escape(span)}</title></rect>'
            f'<text class="count" x="{x + wide / 2:.2f}%" y="{_HEIGHT - tall - 4:.1f}">'
            f"{count:,}</text>"
        )
    for share in (50, 95):
        x = axis.percent(times.percentile(share))
        parts.append(f'<line class="share" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="{_HEIGHT:g}"/>')
    parts.append(f'<line class="base" x1="0" x2="100%" y1="{_HEIGHT:g}" y2="{_HEIGHT:g}"/>')
    return _svg(_HEIGHT + _BELOW, tr("How long answers took"), "".join(parts), "plot")


def strip(times: Times, axis: Decades) -> str:
    """Return how long the answers to one command took: from 5 to 95 %, and the median."""
    low, middle, high = (axis.percent(times.percentile(share)) for share in (5, 50, 95))
    content = (
        f'<line class="base" x1="0" x2="100%" y1="8" y2="8"/>'
        f'<line class="whisker" x1="{low:.2f}%" x2="{max(high, low + 0.5):.2f}%" y1="8" y2="8"/>'
        f'<circle class="median" cx="{middle:.2f}%" cy="8" r="4"/>'
    )
    return f'<svg class="strip" width="100%" height="16" aria-hidden="true">{content}</svg>'


def bar(parts: list[tuple[str, int]], most: int) -> str:
    """Return counts of kinds as one bar, as long as their share of `most`."""
    content, x = [], 0.0
    for kind, count in parts:
        wide = 100 * count / max(most, 1)
        if count:
            content.append(f'<rect class="{kind}" x="{x:.2f}%" width="{wide:.2f}%" height="12"/>')
        x += wide
    return (
        '<svg class="bar" width="100%" height="12" aria-hidden="true">'
        + "".join(content)
        + "</svg>"
    )
