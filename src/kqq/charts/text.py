"""A diagram for a terminal, in lines of a fixed width; wide signs take two cells."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

from kqq.charts.sequence import Arrow, Chart, Kind, Remark
from kqq.charts.times import clock, day, duration
from kqq.words import one_line, tr_n

_NARROWEST = 40
_TIME, _NUMBER = 10, 7  # cells for what stands left
_ROOM = 16  # cells a label between neighbours needs; with less it runs over other lifelines
_LABEL = 3  # lines of a label
_SHAFTS = {
    Kind.REQUEST: ("─", "▶", "◀"),
    Kind.REPLY: ("╌", "▷", "◁"),
    Kind.REFUSAL: ("╌", "▷", "◁"),
    Kind.PUSH: ("─", "▷", "◁"),
    Kind.UNREADABLE: ("·", "▶", "◀"),
}
_AGAIN = 30  # rows after which the heads are shown again
_MARKS = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"


def most_people(columns: int) -> int:
    """Return for how many people there is room beside a server."""
    return max(2, (columns - _TIME) // 13 - 1)


def sequence_lines(chart: Chart, columns: int = 80) -> list[str]:
    """Return the diagram as lines of at most `columns` cells, 40 or more."""
    return _Sheet(chart, max(columns, _NARROWEST)).drawn()


def _line(parts: list[tuple[int, str]], bars: Sequence[int]) -> str:
    """Return texts at their places, and lifelines at `bars` where no text stands."""
    taken = [(start, start + cell_len(text)) for start, text in parts]
    free = [x for x in bars if not any(start <= x < end for start, end in taken)]
    shown, used = "", 0
    for start, text in sorted([*parts, *((x, "│") for x in free)]):
        shown += " " * (start - used) + text
        used = start + cell_len(text)
    return shown.rstrip()


class _Sheet:
    """A diagram being written."""

    def __init__(self, chart: Chart, columns: int) -> None:
        self.chart = chart
        self.columns = columns
        self.lines: list[str] = []
        self.gutter = _NUMBER if chart.start is None else _TIME
        count = len(chart.lifelines)
        room = columns - self.gutter
        self.share = room // max(count, 1)
        half = min(self.share // 2, 9)
        step = (room - 2 * half) / max(count - 1, 1)
        self.x = [self.gutter + half + round(step * place) for place in range(count)]

    def drawn(self) -> list[str]:
        chart = self.chart
        if chart.title:
            self.lines += [one_line(chart.title, self.columns), ""]
        if chart.start is not None and day(chart.start):
            self.lines += [day(chart.start), ""]
        self._heads()
        for place, row in enumerate(chart.rows):
            if place % _AGAIN == 0 < place:
                self._put()
                self._heads()
            if isinstance(row, Arrow):
                self._arrow(row)
            else:
                self._remark(row)
        if chart.more:
            self._put()
            text = tr_n("… {count} more line", "… {count} more lines", chart.more)
            self._put((self.gutter, text.format(count=f"{chart.more:,}")))
        if chart.footnotes:
            self.lines.append("")
        for mark, words in zip(_MARKS, chart.footnotes, strict=False):
            for place, line in enumerate(_wrapped(words, self.columns - 3, 3)):
                self.lines.append(f"{'   ' if place else f'{mark}  '[:3]}{line}")
        return self.lines

    def _put(self, *parts: tuple[int, str]) -> None:
        """Write a line: texts, and lifelines where no text stands."""
        self.lines.append(_line(list(parts), self.x))

    def _heads(self) -> None:
        for names in (
            [one.name for one in self.chart.lifelines],
            [one.detail for one in self.chart.lifelines],
        ):
            shown = [one_line(name, max(self.share - 1, 1)) for name in names]
            places = [
                min(x - cell_len(name) // 2, self.columns - cell_len(name))
                for name, x in zip(shown, self.x, strict=True)
            ]
            if any(names):
                self.lines.append(_line(list(zip(places, shown, strict=True)), ()))

    def _arrow(self, arrow: Arrow) -> None:
        left, right = sorted((self.x[arrow.source], self.x[arrow.target]))
        took = "" if arrow.seconds is None else f" ({duration(arrow.seconds)})"
        marks = "".join(f" {_MARKS[mark - 1]}" for mark in arrow.marks)
        http = "HTTP " if arrow.over == "http" else ""
        label = f"{http}{arrow.command} {arrow.words}".strip()
        start, room = left + 2, right - left - 3
        lines = _label(label, took + marks, room)
        if room < _ROOM or lines[-1].endswith("…"):  # it runs over other lifelines, if there are
            start = max(self.gutter, min(start, self.columns - _ROOM))
            lines = _label(label, took + marks, self.columns - start - 1)
        self._put()
        for line in lines:
            self._put((start, f"{line} "))
        shaft, to_right, to_left = _SHAFTS[arrow.kind]
        is_right = arrow.target > arrow.source
        length = max(right - left - 2, 0)
        drawn = shaft * length + to_right if is_right else to_left + shaft * length
        when = clock(arrow.time, 0) if arrow.time is not None else f"{arrow.number or '':>4}"
        self._put((0, when), (left + 1, drawn))

    def _remark(self, remark: Remark) -> None:
        if not self.x:
            self.lines.append(one_line(remark.words, self.columns))
            return
        self._put()
        first, last = self.x[remark.first], self.x[remark.last]
        if remark.first == remark.last and len(self.x) > 1:
            is_left = remark.first < len(self.x) / 2
            room = self.columns - first - 4 if is_left else first - self.gutter - 3
            words = one_line(remark.words, room)
            place = first + 1 if is_left else first - 2 - cell_len(words)
            self._put((first, "●"), (place, f" {words} "))
        else:
            words = one_line(remark.words, self.columns - self.gutter - 4)
            middle = (first + last) // 2 - cell_len(words) // 2 - 1
            self._put((max(self.gutter, middle), f" {words} "))


def _label(words: str, last: str, room: int) -> list[str]:
    """Return the lines of a label; `last` stands at its end, on a line of its own if it must."""
    after = cell_len(last)
    if after > room // 2:
        return [*_wrapped(words, room, _LABEL), one_line(last.strip(), room)]
    lines = _wrapped(words, room, _LABEL, after)
    lines[-1] += last
    return lines


def _wrapped(text: str, room: int, most: int, after: int = 0) -> list[str]:
    """Return a text in at most `most` lines; the last has room for `after` more cells."""
    lines: list[str] = []
    rest = text
    while cell_len(rest) > room - after and len(lines) < most - 1:
        start = set_cell_size(rest, room).rstrip()
        if cell_len(rest) <= room:  # only what comes after has no room
            start = set_cell_size(rest, max(room - after, 1)).rstrip()
        cut = start.rfind(" ")
        if cut > len(start) // 2 and not rest[len(start) : len(start) + 1].isspace():
            start = start[:cut]
        lines.append(start.rstrip())
        rest = rest[len(start) :].lstrip()
    if rest or not lines:
        lines.append(one_line(rest, max(room - after, 1)))
    return lines
