"""A diagram as SVG: by day and by night, on a screen and on paper, with nothing to fetch or run."""

from html import escape
from itertools import pairwise

from kqq.charts.fitting import fitted, width, wrapped
from kqq.charts.sequence import Arrow, Chart, Kind, Lifeline, Remark
from kqq.charts.times import clock, day, duration
from kqq.words import tr, tr_n

_SIZE = 13.0  # pixels of a label's font
_SMALL = 11.0
_TITLE = 17.0
_MARGIN = 16.0
_HEAD = 46.0  # height of a head
_HEAD_ROOM = (84.0, 190.0)  # width of a head, at least and at most
_LABEL = 290.0  # width of a label between neighbours, at most
_LINE = 17.0  # between lines of a label
_LINES = 3  # of a label, at most
_AGAIN = 20  # rows after which the heads are drawn once more, at the end
_OFTEN = 40  # rows after which they are drawn in between
_MARKS = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"

VARIABLES = """--paper:#fff;--ink:#1b2230;--faint:#5f6b7c;--line:#c6cdd8;--head:#eef2f8;
--edge:#b4bfd0;--server:#21436f;--on-server:#fff;--request:#1a5cc0;--reply:#4a5870;
--push:#07745a;--bad:#b3261e;--odd:#945600"""
"""The colours by day; all texts have a contrast of 4.5 or more with the paper."""
DARK_VARIABLES = """--paper:#14171c;--ink:#e7eaf0;--faint:#9aa5b5;--line:#3b4450;--head:#21272f;
--edge:#4a5565;--server:#a9c8f7;--on-server:#10233f;--request:#84b5ff;--reply:#b0bccd;
--push:#62d3b0;--bad:#ff9d92;--odd:#f3bb62"""
"""The colours by night."""
FONTS = (
    "system-ui,-apple-system,'Segoe UI',Roboto,'PingFang SC','Microsoft YaHei',"
    "'Noto Sans CJK SC','Noto Sans',sans-serif"
)
MONO = "ui-monospace,'Cascadia Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace"
_STYLE = f"""
svg{{{VARIABLES};color-scheme:light dark;font:{_SIZE}px/1.3 {FONTS}}}
@media (prefers-color-scheme:dark){{svg{{{DARK_VARIABLES}}}}}
text{{fill:var(--ink)}}
tspan{{unicode-bidi:isolate}}
.paper{{fill:var(--paper)}}
.title{{font-size:{_TITLE}px;font-weight:650}}
.faint{{fill:var(--faint);font-size:{_SMALL}px}}
.time{{fill:var(--faint);font:{_SMALL - 0.5}px {MONO}}}
.life{{stroke:var(--line);stroke-width:1.25}}
.head{{fill:var(--head);stroke:var(--edge)}}
.name{{font-weight:650;text-anchor:middle}}
.detail{{fill:var(--faint);font-size:{_SMALL}px;text-anchor:middle}}
.server .head{{fill:var(--server);stroke:var(--server)}}
.server text{{fill:var(--on-server)}}
.label,.remark{{text-anchor:middle;paint-order:stroke;stroke:var(--paper);stroke-width:5px;
stroke-linejoin:round}}
.remark{{fill:var(--faint);font-size:{_SMALL + 0.5}px;font-style:italic}}
.start{{text-anchor:start}}
.end{{text-anchor:end}}
.rule{{stroke:var(--line);stroke-dasharray:1 4;stroke-linecap:round}}
.dot{{fill:var(--faint)}}
.command{{font:600 {_SIZE - 1}px {MONO}}}
.http{{fill:var(--faint);font-size:{_SMALL - 1}px;font-weight:600;letter-spacing:.04em}}
.mark{{fill:var(--odd);font-weight:700}}
.arrow path{{fill:none;stroke-width:1.6}}
.request path{{stroke:var(--request)}}.request .command{{fill:var(--request)}}
.reply path{{stroke:var(--reply)}}.reply .command{{fill:var(--reply)}}
.push path{{stroke:var(--push)}}.push .command{{fill:var(--push)}}
.refusal path,.unreadable path{{stroke:var(--bad)}}
.refusal .command,.unreadable .command{{fill:var(--bad)}}
.arrow.reply .shaft,.arrow.refusal .shaft{{stroke-dasharray:6 4}}
.arrow.unreadable .shaft{{stroke-dasharray:2 3}}
.request .tip{{fill:var(--request)}}.unreadable .tip{{fill:var(--bad)}}
@media print{{svg{{{VARIABLES}}}}}
"""


def sequence_svg(chart: Chart) -> str:
    """Return the diagram as an SVG file: UTF-8, self-contained, with a title and a description."""
    return _Page(chart).drawn()


class _Page:
    """A diagram being drawn from above; `y` is how far it is."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.parts: list[str] = []
        self.y = 0.0
        self.has_times = chart.start is not None
        self.gutter = 92.0 if self.has_times else 44.0
        self.heads = [_head_width(one) for one in chart.lifelines]
        self.x = self._places()
        right = self.x[-1] + self.heads[-1] / 2 if self.x else self.gutter + 300
        self.width = max(right + _MARGIN, 420.0)
        self.tops: list[float] = []

    # --- where lifelines stand ---

    def _places(self) -> list[float]:
        """Return the x of each lifeline; neighbours are as far apart as their labels need."""
        if not self.heads:
            return []
        gaps = [(one + other) / 2 + 18 for one, other in pairwise(self.heads)]
        arrows = sorted(self.chart.arrows, key=lambda one: abs(one.source - one.target))
        for arrow in arrows:
            first, last = sorted((arrow.source, arrow.target))
            spanned = last - first
            if not spanned:
                continue
            missing = self._wanted(arrow) - sum(gaps[first:last])
            if missing > 0:
                for place in range(first, last):
                    gaps[place] += missing / spanned
        x = [self.gutter + _MARGIN + self.heads[0] / 2]
        for gap in gaps:
            x.append(x[-1] + gap)
        return x

    def _wanted(self, arrow: Arrow) -> float:
        whole = _before(arrow) + width(arrow.words, _SIZE) + _after(arrow)
        return min(whole if whole <= _LABEL * 0.8 else max(whole * 0.56, _LABEL * 0.7), _LABEL) + 30

    # --- drawing ---

    def drawn(self) -> str:
        chart = self.chart
        self._top()
        self._heads()
        first = self.y
        self.y += 10
        for place, row in enumerate(chart.rows):
            if place % _OFTEN == 0 < place <= len(chart.rows) - _AGAIN:
                self.y += 22
                self._heads()
                self.y += 10
            if isinstance(row, Arrow):
                self._arrow(row)
            else:
                self._remark(row)
        if chart.more:
            text = tr_n("… {count} more line", "… {count} more lines", chart.more)
            last = len(chart.lifelines) - 1
            self._remark(Remark(0, last, text.format(count=f"{chart.more:,}")))
        self.y += 18
        lines = "".join(
            f'<path class="life" d="M{x:.1f} {first:.1f}V{self.y:.1f}"/>' for x in self.x
        )
        if len(chart.rows) > _AGAIN:
            self._heads()
        self._legend()
        self._footnotes()
        height = self.y + _MARGIN
        title = chart.title or tr("Who said what to whom")
        size = f"{self.width:.0f} {height:.0f}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
            f'width="{self.width:.0f}" height="{height:.0f}" role="img">\n'
            f"<title>{escape(title)}</title>\n<desc>{escape(self._told())}</desc>\n"
            f"<style>{_STYLE}</style>\n"
            f'<rect class="paper" width="100%" height="100%"/>\n{lines}\n'
            + "\n".join(self.parts)
            + "\n</svg>\n"
        )

    def _told(self) -> str:
        """Return the diagram in a sentence, for who cannot see it."""
        names = ", ".join(one.name for one in self.chart.lifelines)
        count = len(self.chart.arrows)
        text = tr_n(
            "A sequence diagram with {count} line between {names}.",
            "A sequence diagram with {count} lines between {names}.",
            count,
        )
        return text.format(count=count, names=names)

    def _text(self, words: str, x: float, y: float, name: str) -> None:
        self.parts.append(f'<text class="{name}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>')

    def _top(self) -> None:
        self.y = _MARGIN
        if self.chart.title:
            self.y += _TITLE
            room = self.width - 2 * _MARGIN
            self._text(fitted(self.chart.title, room, _TITLE * 1.05), _MARGIN, self.y, "title")
            self.y += 6
        if self.chart.start is not None and day(self.chart.start):
            self.y += _SMALL + 4
            self._text(day(self.chart.start), _MARGIN, self.y, "faint")
        self.y += 12

    def _heads(self) -> None:
        for one, x, wide in zip(self.chart.lifelines, self.x, self.heads, strict=True):
            name = fitted(one.name, wide - 16, _SIZE * 1.06)
            detail = fitted(one.detail, wide - 12, _SMALL)
            middle = self.y + _HEAD / 2
            below = (
                f'<text class="detail" x="{x:.1f}" y="{middle + 15:.1f}">{escape(detail)}</text>'
            )
            group = ' class="server"' if one.is_server else ""
            self.parts.append(
                f"<g{group}><title>{escape(f'{one.name} {one.detail}'.strip())}</title>"
                f'<rect class="head" x="{x - wide / 2:.1f}" y="{self.y:.1f}" width="{wide:.1f}" '
                f'height="{_HEAD}" rx="7"/><text class="name" x="{x:.1f}" '
                f'y="{middle + (-2 if detail else 5):.1f}">{escape(name)}</text>'
                f"{below if detail else ''}</g>"
            )
        self.y += _HEAD

    def _arrow(self, arrow: Arrow) -> None:
        start, end = self.x[arrow.source], self.x[arrow.target]
        labels = _label(arrow, max(abs(end - start) - 24, 60.0))
        self.y += 12 + _LINE * len(labels)
        y = self.y
        left = clock(arrow.time) if arrow.time is not None else str(arrow.number or "")
        middle = (start + end) / 2
        lines = "".join(
            f'<text class="label" x="{middle:.1f}" '
            f'y="{y - 7 - _LINE * (len(labels) - 1 - place):.1f}">{label}</text>'
            for place, label in enumerate(labels)
        )
        step = 1 if end > start else -1
        tip = end - 1 * step
        is_open = arrow.kind not in (Kind.REQUEST, Kind.UNREADABLE)
        shaft = tip - (0 if is_open else 5 * step)
        back = f"{tip - 9 * step:.1f}"
        head = f"M{back} {y - 4.5:.1f}L{tip:.1f} {y:.1f}L{back} {y + 4.5:.1f}"
        whole = f"{arrow.command} {arrow.words}".strip()
        ends = f"{self.chart.lifelines[arrow.source].name} → "
        ends += self.chart.lifelines[arrow.target].name
        self.parts.append(
            f'<g class="arrow {arrow.kind.value}"><title>{escape(f"{ends}: {whole}")}</title>'
            f'<text class="time" x="{_MARGIN}" y="{y + 4:.1f}">{escape(left)}</text>'
            f'<path class="shaft" d="M{start:.1f} {y:.1f}H{shaft:.1f}"/>'
            f'<path class="tip" d="{head}{"" if is_open else "Z"}"/>{lines}</g>'
        )
        self.y += 8

    def _remark(self, remark: Remark) -> None:
        self.y += 26
        if not self.x:
            return
        left, right = self.x[remark.first], self.x[remark.last]
        if remark.first == remark.last and len(self.x) > 1:
            is_left = remark.first < len(self.x) / 2
            step, name = (10, "remark start") if is_left else (-10, "remark end")
            room = self.width - left - _MARGIN if is_left else left - self.gutter
            words = fitted(remark.words, min(room, 320.0) - 14, _SMALL + 0.5)
            self.parts.append(
                f'<circle class="dot" cx="{left:.1f}" cy="{self.y - 4:.1f}" r="3.5"/>'
            )
            self._text(words, left + step, self.y, name)
        else:
            words = fitted(remark.words, max(right - left, 200.0), _SMALL + 0.5)
            self.parts.append(f'<path class="rule" d="M{left:.1f} {self.y - 4:.1f}H{right:.1f}"/>')
            self._text(words, (left + right) / 2, self.y, "remark")
        self.y += 6

    def _legend(self) -> None:
        words = {
            Kind.REQUEST: tr("request"),
            Kind.REPLY: tr("reply"),
            Kind.PUSH: tr("sent unasked"),
            Kind.REFUSAL: tr("refusal"),
            Kind.UNREADABLE: tr("unreadable"),
        }
        used = {arrow.kind for arrow in self.chart.arrows}
        self.y += 30
        x = _MARGIN
        for kind, word in words.items():
            if kind not in used:
                continue
            wide = 40 + width(word, _SMALL) + 18
            if x + wide > self.width and x > _MARGIN:
                x = _MARGIN
                self.y += 18
            y = self.y - 4
            is_open = kind not in (Kind.REQUEST, Kind.UNREADABLE)
            tip = f"M{x + 24:.1f} {y - 4:.1f}L{x + 32:.1f} {y:.1f}L{x + 24:.1f} {y + 4:.1f}"
            self.parts.append(
                f'<g class="arrow {kind.value}"><path class="shaft" d="M{x:.1f} {y:.1f}'
                f'H{x + (32 if is_open else 27):.1f}"/><path class="tip" d="{tip}'
                f'{"" if is_open else "Z"}"/><text class="faint" x="{x + 38:.1f}" '
                f'y="{self.y:.1f}">{escape(word)}</text></g>'
            )
            x += wide

    def _footnotes(self) -> None:
        room = self.width - 2 * _MARGIN - 20
        for mark, words in zip(_MARKS, self.chart.footnotes, strict=False):
            self.y += 20
            self.parts.append(f'<text x="{_MARGIN}" y="{self.y:.1f}" class="mark">{mark}</text>')
            for place, line in enumerate(wrapped(words, room, _SMALL + 1, 3)):
                self.y += 15 * bool(place)
                self._text(line, _MARGIN + 20, self.y, "faint")


def _head_width(one: Lifeline) -> float:
    wanted = max(width(one.name, _SIZE * 1.06), width(one.detail, _SMALL)) + 22
    return min(max(wanted, _HEAD_ROOM[0]), _HEAD_ROOM[1])


def _before(arrow: Arrow) -> float:
    http = width("HTTP  ", _SMALL) if arrow.over == "http" else 0.0
    command = f"{arrow.command} " if arrow.command else ""
    return http + width(command, _SIZE - 1, mono=True)


def _took(arrow: Arrow) -> str:
    return "" if arrow.seconds is None else f"· {duration(arrow.seconds)}"


def _after(arrow: Arrow) -> float:
    took = _took(arrow)
    return (width(f" {took}", _SMALL) if took else 0.0) + 1.2 * _SIZE * len(arrow.marks)


def _label(arrow: Arrow, room: float) -> list[str]:
    """Return the lines of a label, as content of text elements."""
    before, after = _before(arrow), _after(arrow)
    first = '<tspan class="http">HTTP</tspan>  ' if arrow.over == "http" else ""
    command = fitted(arrow.command, room - (before - width(arrow.command, _SIZE - 1, mono=True)),
                     _SIZE - 1, mono=True)  # fmt: skip
    if command:
        first += f'<tspan class="command">{escape(command)}</tspan> '
    last = ""
    if took := _took(arrow):
        last += f' <tspan class="faint">{escape(took)}</tspan>'
    if arrow.marks:
        signs = "".join(_MARKS[mark - 1] for mark in arrow.marks)
        last += f' <tspan class="mark">{signs}</tspan>'
    if not arrow.words:
        return [f"{first.rstrip()}{last}"]
    whole = before + width(arrow.words, _SIZE) + after
    if whole <= room:
        return [f"{first}<tspan>{escape(arrow.words)}</tspan>{last}"]
    even = min(room, max(whole * 0.53, room * 0.5))
    lines = wrapped(arrow.words, even, _SIZE, 2, less=before)
    if lines[-1].endswith("…") or width(lines[-1], _SIZE) + after > room:
        lines = wrapped(arrow.words, room, _SIZE, _LINES, less=before)
    lines[-1] = fitted(lines[-1], room - after, _SIZE)
    inside = [f"<tspan>{escape(line)}</tspan>" for line in lines]
    inside[-1] += last
    return [f"{first}{inside[0]}", *inside[1:]]
