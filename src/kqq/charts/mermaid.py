"""A diagram as text for Mermaid, which many pages and editors draw."""

import re

from kqq.charts.fitting import wrapped
from kqq.charts.sequence import Arrow, Chart, Kind, Remark
from kqq.charts.times import clock, day, duration
from kqq.words import tr, tr_n

_ROOM, _SIZE = 350.0, 14.0  # pixels for a label, and of the font
_ARROWS = {
    Kind.REQUEST: "->>",
    Kind.REPLY: "-->>",
    Kind.REFUSAL: "--x",
    Kind.PUSH: "-)",
    Kind.UNREADABLE: "-x",
}
_SPECIAL = re.compile(r"[^\w \-.,:=?!/'()+]|_(?=_)|\b[eE](?=nd\b)", re.ASCII)
"""What is written as a code, besides what is not ASCII and can be seen; `end` ends a block."""


def sequence_mermaid(chart: Chart) -> str:
    """Return the diagram as a `sequenceDiagram`: to be pasted between ```` ```mermaid ```` fences.

    No text in it can become a statement, or markup: what is more than letters, digits and usual
    punctuation is written as the code of a character.
    """
    lines = ["sequenceDiagram"]
    if chart.title:
        lines[:0] = ["---", f'title: "{_title(chart.title)}"', "---"]
    for place, one in enumerate(chart.lifelines):
        detail = f"<br/>{_safe(one.detail)}" if one.detail else ""
        lines.append(f"    participant P{place} as {_safe(one.name)}{detail}")
    if chart.lifelines and chart.start is not None:
        begin = f"{day(chart.start)} {clock(chart.start)}".strip()
        lines.append(f"    Note over {_span(0, len(chart.lifelines) - 1)}: {_safe(begin)}")
    for row in chart.rows if chart.lifelines else ():
        lines += _arrow(row, chart) if isinstance(row, Arrow) else [_remark(row)]
    if chart.more:
        text = tr_n("… {count} more line", "… {count} more lines", chart.more)
        words = _safe(text.format(count=f"{chart.more:,}"))
        lines.append(f"    Note over {_span(0, len(chart.lifelines) - 1)}: {words}")
    return "\n".join(lines) + "\n"


def _title(text: str) -> str:
    """Return a title for the head, which is YAML."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("#", "＃").replace("<", "‹")


def _safe(text: str) -> str:
    """Return a text in which nothing means anything to Mermaid, HTML or Markdown."""
    return _SPECIAL.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    sign = found[0]
    return sign if ord(sign) > 0x7F and sign.isprintable() else f"#{ord(sign)};"


def _broken(text: str) -> str:
    """Return a text in at most three lines; Mermaid would draw it on one, however long."""
    return "<br/>".join(map(_safe, wrapped(text, _ROOM, _SIZE, 3)))


def _span(first: int, last: int) -> str:
    return f"P{first}" if first == last else f"P{first},P{last}"


def _remark(remark: Remark) -> str:
    return f"    Note over {_span(remark.first, remark.last)}: {_safe(remark.words)}"


def _arrow(arrow: Arrow, chart: Chart) -> list[str]:
    words = f"{arrow.command} {arrow.words}".strip()
    if arrow.over == "http":
        words = f"HTTP {words}"
    if arrow.seconds is not None:
        words += f" · {duration(arrow.seconds)}"
    ends = f"P{arrow.source}{_ARROWS[arrow.kind]}P{arrow.target}"
    lines = [f"    {ends}: {_broken(words)}"]
    for mark in arrow.marks:
        odd = tr("odd: {words}").format(words=chart.footnotes[mark - 1])
        both = sorted((arrow.source, arrow.target))
        lines.append(f"    Note over {_span(*both)}: {_broken(odd)}")
    return lines
