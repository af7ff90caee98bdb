"""What was measured, as a table of 80 columns or as JSON."""

import json
import statistics
import textwrap
from collections.abc import Iterable, Sequence

from benchmarks.comparing.figures import FIGURES, Figures, Verdict
from benchmarks.comparing.machine import Unready

WIDTH = 80
_LEFT = 8
_COLUMN = 12
_HOLDS = {True: "yes", False: "NO", None: "-"}


def number(value: float) -> str:
    """Return a number with three digits that count, or all before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 or not value else f"{value:.3f}"


def short(value: float) -> str:
    """Return a number as short as can be, for ranges."""
    if abs(value) >= 1_000_000:
        return f"{value / 1_000_000:.1f}M"
    if abs(value) >= 10_000:
        return f"{value / 1000:.0f}k"
    if abs(value) >= 1000:
        return f"{value / 1000:.1f}k"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def as_text(figures: Figures, verdicts: Sequence[Verdict]) -> str:
    """Return all figures with their ranges, the goals, and what a reader must know."""
    parts = [*_figures(figures), *_goals(verdicts), *_notes(figures)]
    return "\n".join(parts)


def _figures(figures: Figures) -> Iterable[str]:
    for key in figures.measured():
        figure = FIGURES[key]
        better = ", less is better" if figure.is_better_low else ""
        yield f"{figure.what}{f', {figure.unit}' if figure.unit else ''}{better}"
        servers = figures.servers([key])
        for start in range(0, len(servers), 6):
            row = servers[start : start + 6]
            values = [figures.middle(key, server) for server in row]
            spans = [figures.span(key, server) for server in row]
            yield _line("", row)
            yield _line("", [number(value) if value is not None else "" for value in values])
            if any(ranges := [_span(span) for span in spans]):
                yield _line("", ranges)
        yield ""


def _span(span: tuple[float, float] | None) -> str:
    ends = ["", ""] if span is None else [short(one) for one in span]
    return f"[{ends[0]}-{ends[1]}]" if ends[0] != ends[1] else ""


def _line(left: str, cells: Iterable[str]) -> str:
    return (left.ljust(_LEFT) + "".join(cell.rjust(_COLUMN) for cell in cells)).rstrip()


def _goals(verdicts: Sequence[Verdict]) -> Iterable[str]:
    yield "goal" + "measured".rjust(54) + "wanted".rjust(15) + "holds".rjust(7)
    for one in verdicts:
        sign = ">=" if one.is_least else "<="
        wanted = f"{sign} {wish(one.wanted, one.unit)}"
        measured = "-" if one.measured is None else amount(one.measured, one.unit)
        yield f"{one.goal}  {one.what:42}{measured:>13}{wanted:>15}{_HOLDS[one.holds]:>7}"


def amount(value: float, unit: str) -> str:
    """Return a number that was measured, with its unit."""
    return _with_unit(number(value), unit)


def wish(value: float, unit: str) -> str:
    """Return a number as it was chosen, with its unit."""
    return _with_unit(f"{value:,g}" if value < 1000 else f"{value:,.0f}", unit)


def _with_unit(text: str, unit: str) -> str:
    return f"{text}{'' if unit in {'', '/s'} else ' '}{unit}"


def _notes(figures: Figures) -> Iterable[str]:
    yield ""
    if figures.others:
        usual, most = statistics.median(figures.others), max(figures.others)
        words = f"used {usual:.2f} of a core meanwhile, {most:.2f} at most."
        yield f"Other programs, or the host, {words}"
    for text in (figures.machine, *figures.notes):
        yield from textwrap.wrap(text, WIDTH, initial_indent="- ", subsequent_indent="  ")


def as_json(figures: Figures, verdicts: Sequence[Verdict]) -> str:
    """Return all values that were measured, and the goals, as one JSON object."""
    return json.dumps(
        {
            "figures": [
                {"key": key, "server": server, "what": FIGURES[key].what, "unit": FIGURES[key].unit,
                 "median": figures.middle(key, server), "values": values}
                for (key, server), values in figures.values.items()
            ],
            "goals": [
                {"goal": one.goal, "what": one.what, "measured": one.measured, "unit": one.unit,
                 "at least" if one.is_least else "at most": one.wanted, "holds": one.holds}
                for one in verdicts
            ],
            "machine": figures.machine,
            "others": figures.others,
            "notes": figures.notes,
        },
        indent=1,
    )  # fmt: skip


def read_json(text: str) -> Figures:
    """Return the figures of a run whose `as_json` this is. Raises Unready."""
    try:
        read = json.loads(text)
        figures = Figures(notes=read["notes"], machine=read["machine"], others=read["others"])
        for one in read["figures"]:
            figures.add(one["key"], one["server"], *one["values"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unready(f"this is not what --json has written: {error}") from error
    return figures
