"""The tables of a report: people, commands, answers, and what is odd."""

import re
from collections.abc import Iterable
from html import escape

from kqq.charts.axes import Decades
from kqq.charts.cast import Who
from kqq.charts.figures import CommandFigures, Figures
from kqq.charts.graphs import bar, histogram, kinds_legend, strip
from kqq.charts.sequence import Kind
from kqq.charts.times import clock, day, duration
from kqq.words import printable, tr, tr_n

Cell = tuple[str, str]
"""The class of a cell ("n" for numbers) and its content, as HTML."""
_CODE = re.compile("`([^`]*)`")
_PEOPLE = 30  # rows of people
_MATRIX = 12
_USUAL = {"opened", "closed", "statement"}  # kinds of notes that are not odd


def html(text: str) -> str:
    """Return a text as HTML, with all that could do harm made visible."""
    return escape(printable(text))


def marked_up(text: str) -> str:
    """Return words of the catalogue as HTML; what stands in backquotes is code."""
    return _CODE.sub(r"<code>\1</code>", html(text))


def name_of(figures: Figures, who: Who) -> str:
    """Return what somebody is called, as HTML."""
    return f"<bdi>{html(figures.cast.name(who))}</bdi>"


def _table(head: list[Cell], rows: Iterable[list[Cell]], name: str = "") -> str:
    """Return a table whose first column names its rows, in a frame that scrolls if it must."""
    top = "".join(f'<th scope="col" class="{kind}">{words}</th>' for kind, words in head)
    body = "".join(
        f'<tr><th scope="row">{row[0][1]}</th>'
        + "".join(f'<td class="{kind}">{words}</td>' for kind, words in row[1:])
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="wide"><table class="{name}">\n<thead><tr>{top}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n</table></div>\n"
    )


def _busiest(figures: Figures) -> list[Who]:
    people = figures.people
    return sorted(people, key=lambda who: -people[who].lines - people[who].answers)


def people(figures: Figures) -> list[str] | None:
    """Return who talked, and who wrote to whom; None if nobody did."""
    if not figures.people:
        return None
    head = [
        ("", escape(tr("Who"))),
        ("", escape(tr("Number or address"))),
        ("", escape(tr("Over"))),
        ("n", escape(tr("Lines sent"))),
        ("n", escape(tr("Lines got"))),
        ("n", escape(tr("Messages sent"))),
        ("n", escape(tr("Messages got"))),
        ("n", escape(tr("Odd lines"))),
        ("n", escape(tr("First"))),
        ("n", escape(tr("Last"))),
    ]
    busiest = _busiest(figures)
    rows = []
    for who in busiest[:_PEOPLE]:
        one = figures.people[who]
        first, last = (_at(figures, at) for at in (one.first, one.last))
        rows.append(
            [
                ("", name_of(figures, who)),
                ("", f"<bdi>{html(figures.cast.detail(who))}</bdi>"),
                ("", escape(", ".join(sorted(over.upper() for over in one.over)))),
                ("n", f"{one.lines:,}"),
                ("n", f"{one.answers:,}"),
                ("n", f"{one.sent:,}"),
                ("n", f"{one.received:,}"),
                ("n", f"{one.odd:,}"),
                ("n", escape(first)),
                ("n", escape(last)),
            ]
        )
    parts = [_table(head, rows)]
    parts += left_out(max(len(busiest) - _PEOPLE, 0))
    if figures.people_left_out:
        text = tr("Only the first {count} people are told apart.").format(count=len(busiest))
        parts.append(f'<p class="about">{escape(text)}</p>\n')
    if figures.pairs:
        parts += [f"<h3>{escape(tr('Who wrote to whom'))}</h3>\n", _matrix(figures)]
    return parts


def left_out(count: int) -> list[str]:
    """Return the words that so many more are not shown, if there are any."""
    if not count:
        return []
    text = tr_n("{count} more is not shown.", "{count} more are not shown.", count)
    return [f'<p class="about">{escape(text.format(count=f"{count:,}"))}</p>\n']


def _at(figures: Figures, at: float) -> str:
    """Return when something was, with the date if there are several."""
    if figures.first is None or figures.last is None:
        return f"{at:.0f}"
    date = "" if day(figures.first) == day(figures.last) else day(at)[5:]
    return f"{date} {clock(at, 0)}".strip()


def _matrix(figures: Figures) -> str:
    totals: dict[Who, int] = {}
    for (sender, to), count in figures.pairs.items():
        totals[sender] = totals.get(sender, 0) + count
        totals[to] = totals.get(to, 0) + count
    order = sorted(totals, key=lambda who: -totals[who])[:_MATRIX]
    most = max(figures.pairs.values())
    head = [("", escape(tr("from ↓ to →")))]
    head += [("", name_of(figures, who)) for who in order]
    rows = []
    for sender in order:
        row = [("", name_of(figures, sender))]
        for to in order:
            count = figures.pairs.get((sender, to), 0)
            heat = f"h{min(1 + 4 * count // (most + 1), 4)}" if count else ""
            row.append((heat, f"{count:,}" if count else ""))
        rows.append(row)
    return _table(head, rows, "matrix") + "".join(left_out(len(totals) - len(order)))


def _by_count(figures: Figures) -> list[CommandFigures]:
    return sorted(figures.commands.values(), key=lambda one: -one.total)


def commands(figures: Figures) -> list[str] | None:
    """Return how often each command was said; None if none was."""
    found = _by_count(figures)
    if not found:
        return None
    most = found[0].total
    head = [
        ("", escape(tr("Command"))),
        ("hide about", escape(tr("What it is"))),
        ("n", escape(tr("Requests"))),
        ("n", escape(tr("Replies"))),
        ("n", escape(tr("Refusals"))),
        ("n", escape(tr("Unasked"))),
        ("n", escape(tr("Unanswered"))),
        ("short", escape(tr("Lines"))),
    ]
    rows = []
    for one in found:
        counts = one.counts
        drawn = bar([(kind.value, counts[kind]) for kind in Kind], most)
        rows.append(
            [
                ("", f'<span class="command">{html(one.name)}</span>'),
                ("hide about", marked_up(one.meaning)),
                ("n", _count(counts[Kind.REQUEST])),
                ("n", _count(counts[Kind.REPLY])),
                ("n", _count(counts[Kind.REFUSAL])),
                ("n", _count(counts[Kind.PUSH])),
                ("n", _count(one.unanswered)),
                ("short", drawn),
            ]
        )
    return [kinds_legend(figures), "\n", _table(head, rows)]


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def answers(figures: Figures) -> list[str] | None:
    """Return how long answers took, in all and for each command; None if there are no times."""
    times = figures.times
    if not times.count:
        return None
    about = tr(
        "From request to answer, as seen where it was captured. The axis is logarithmic; the "
        "dashed lines are the median and 95 %."
    )
    head = [
        ("", escape(tr("Command"))),
        ("n", escape(tr("Answers"))),
        ("n", escape(tr("Shortest"))),
        ("n", escape(tr("Median"))),
        ("n", "95 %"),
        ("n", "99 %"),
        ("n", escape(tr("Longest"))),
        ("draw", escape(tr("5 to 95 %, and the median"))),
    ]
    axis = Decades.around(times.least, times.most)
    named = [(tr("all"), times)]
    named += [(one.name, one.times) for one in _by_count(figures) if one.times.count]
    rows = [
        [
            ("", f'<span class="command">{html(name)}</span>' if place else escape(name)),
            ("n", f"{one.count:,}"),
            ("n", escape(duration(one.least))),
            *(("n", escape(duration(one.percentile(share)))) for share in (50, 95, 99)),
            ("n", escape(duration(one.most))),
            ("draw", strip(one, axis)),
        ]
        for place, (name, one) in enumerate(named)
    ]
    return [f'<p class="about">{escape(about)}</p>\n{histogram(times)}\n', _table(head, rows)]


def odd(figures: Figures) -> list[str] | None:
    """Return what is odd about lines and about the capture; None if nothing is."""
    notes = {kind: ones for kind, ones in figures.notes.items() if kind not in _USUAL}
    if not figures.oddities and not notes:
        return None
    there = {one.said.number for one in figures.kept()}
    parts = []
    if figures.oddities:
        head = [("", escape(tr("What"))), ("n", escape(tr("Lines"))), ("", escape(tr("Such as")))]
        ordered = sorted(figures.oddities.items(), key=lambda one: -one[1].count)
        rows = [
            [
                ("", f"<bdi>{html(words)}</bdi>"),
                ("n", f"{one.count:,}"),
                ("", ", ".join(_link(number, there) for number in one.numbers)),
            ]
            for words, one in ordered
        ]
        parts += [_table(head, rows, "odd"), *left_out(figures.oddities_left_out)]
    if notes:
        head = [
            ("", escape(tr("About the capture"))),
            ("n", escape(tr("Times"))),
            ("", escape(tr("Such as"))),
        ]
        rows = [
            [
                ("", html(kind)),
                ("n", f"{figures.note_counts[kind]:,}"),
                ("", "<br>".join(html(note.words) for note in ones[:3])),
            ]
            for kind, ones in notes.items()
        ]
        parts.append(_table(head, rows, "odd"))
    return parts


def _link(number: int, there: set[int]) -> str:
    return f'<a href="#l{number}">{number}</a>' if number in there else str(number)
