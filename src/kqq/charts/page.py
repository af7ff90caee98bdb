"""A report on a capture: one HTML page that needs nothing else, fetches nothing and runs nothing.

    figures = Figures().take_all(read_file("evening.pcap"))
    with open("report.html", "w", encoding="utf-8") as file:
        file.writelines(report_page(figures, title="evening.pcap"))

Texts are of strangers: none can become markup, and secrets are not shown.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from html import escape

from kqq.charts.axes import axis_of
from kqq.charts.conversation import conversation
from kqq.charts.figures import Figures
from kqq.charts.graphs import (
    kinds_legend,
    presence,
    presence_axis,
    statuses_legend,
    timeline,
)
from kqq.charts.sequence import sequence
from kqq.charts.style import STYLE
from kqq.charts.svg import sequence_svg
from kqq.charts.tables import answers, commands, html, left_out, name_of, odd, people
from kqq.charts.times import clock, day, duration
from kqq.words import language, tr, tr_n

_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
    "style-src 'sha256-{digest}'"
)
_LANES = 30
_DRAWN = 30  # lines in the diagram
_HEAD = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
"""


def report_page(figures: Figures, *, title: str) -> Iterator[str]:
    """Give the page in pieces; it must be stored as UTF-8. Its language is the person's."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    yield _HEAD.format(
        language=language(),
        policy=_POLICY.format(digest=digest),
        title=html(title),
        style=STYLE,
    )
    sections = [
        ("who", tr("Who talked"), people),
        ("when", tr("When"), _when),
        ("presence", tr("Who was there"), _presence),
        ("commands", tr("Commands"), commands),
        ("times", tr("How long answers took"), answers),
        ("odd", tr("What is odd"), odd),
        ("diagram", tr("The beginning as a diagram"), _diagram),
        ("lines", tr("What was said"), conversation),
    ]
    made = [(name, words, make(figures)) for name, words, make in sections]
    links = "".join(
        f'<li><a href="#{name}">{escape(words)}</a></li>'
        for name, words, content in made
        if content is not None
    )
    yield f"<header>\n<h1>{html(title)}</h1>\n{_summary(figures)}\n"
    yield f'<nav aria-label="{escape(tr("Contents"))}"><ol>{links}</ol></nav>\n</header>\n<main>\n'
    for name, words, content in made:
        if content is not None:
            yield f'<section id="{name}">\n<h2>{escape(words)}</h2>\n'
            yield from content
            yield "</section>\n"
    made_by = tr("Made by kqq report. Passwords and session keys are not in this page.")
    yield f"</main>\n<footer>{escape(made_by)}</footer>\n</body>\n</html>\n"


def _summary(figures: Figures) -> str:
    words = _when_words(figures)
    tiles = [
        (tr("Lines"), f"{figures.lines:,}"),
        (tr("People"), f"{len([who for who in figures.people if who[0] != 'end']):,}"),
        (tr("Messages sent"), f"{figures.messages:,}"),
    ]
    if figures.streams:
        tiles.append((tr("Connections"), f"{figures.streams:,}"))
    if figures.first is not None and figures.last is not None:
        tiles.append((tr("Time"), duration(figures.last - figures.first)))
    if figures.times.count:
        tiles.append((tr("Median answer"), duration(figures.times.percentile(50))))
    tiles.append((tr("Odd lines"), f"{figures.odd_lines:,}"))
    shown = "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in tiles)
    return f'<p class="faint">{words}</p>\n<dl class="tiles">{shown}</dl>'


def _when_words(figures: Figures) -> str:
    if not figures.lines:
        return escape(tr("Nothing of the protocol is in it."))
    parts = []
    if figures.first is not None and figures.last is not None:
        first, last = day(figures.first), day(figures.last)
        begin = f"{first} {clock(figures.first, 0)}".strip()
        end = f"{last if last != first else ''} {clock(figures.last, 0)}".strip()
        parts.append(f"{begin} – {end}")
    names = {"tcp": "TCP", "http": "HTTP"}
    for over, count in sorted(figures.over.items(), reverse=True):
        text = tr_n("{count} line over {over}", "{count} lines over {over}", count)
        parts.append(text.format(count=f"{count:,}", over=names.get(over, over)))
    return " · ".join(map(html, parts))


# --- when ---


def _when(figures: Figures) -> list[str] | None:
    if not figures.lines:
        return None
    if figures.has_times:
        text = tr("Lines in every {duration}. Times are local.")
        words = text.format(duration=duration(figures.bins.width))
    else:
        words = tr("The source has no times, so the axis counts lines.")
    return [
        f'<p class="about">{escape(words)}</p>\n{kinds_legend(figures, odd=True)}\n',
        f"{timeline(figures)}\n",
    ]


def _presence(figures: Figures) -> list[str] | None:
    lanes = {who: lane for who, lane in figures.lanes.items() if lane.changes}
    if not lanes:
        return None
    order = sorted(lanes, key=lambda who: (not lanes[who].is_own, -len(lanes[who].changes)))
    axis = axis_of(figures)
    shown = order[:_LANES]
    rows = "".join(
        f'<span title="{html(figures.cast.detail(who))}">{name_of(figures, who)}</span>'
        f"{presence(lanes[who], axis, figures.cast.name(who))}\n"
        for who in shown
    )
    about = tr(
        "Of people who sign in here, what they do counts; of others, what the server says of them."
    )
    return [
        f'<p class="about">{escape(about)}</p>\n{statuses_legend([lanes[who] for who in shown])}\n',
        f'<div class="lanes">\n{rows}<span></span>{presence_axis(axis)}\n</div>\n',
        *left_out(len(order) - len(shown)),
    ]


# --- the diagram ---

_SIZE = re.compile(r'width="(\d+)" height="(\d+)" role')


def _diagram(figures: Figures) -> list[str] | None:
    lines = [one.said for one in figures.kept()[:_DRAWN]]
    if not lines:
        return None
    chart = sequence(lines, most=_DRAWN, most_people=8, names=figures.cast.names())
    svg = sequence_svg(chart)
    size = _SIZE.search(svg)
    assert size is not None, "sequence_svg says how large the picture is"
    data = base64.b64encode(svg.encode()).decode()
    words = tr("A diagram of the first lines, which are told in words below")
    text = tr_n("The first line.", "The first {count} lines.", len(lines))
    about = f'<p class="about">{escape(text.format(count=len(lines)))}</p>\n'
    image = (
        f'<img width="{size[1]}" height="{size[2]}" alt="{escape(words)}" '
        f'src="data:image/svg+xml;base64,{data}">'
    )
    return [about, f'<div class="chart">{image}</div>\n']
