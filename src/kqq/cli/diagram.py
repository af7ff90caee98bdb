"""`kqq diagram` and `kqq report`: what was said, as pictures."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from kqq.cli.choosing import filter_options
from kqq.cli.group import json_option, main, print_json, written_to
from kqq.words import Exit, printable, tr, use_language

if TYPE_CHECKING:
    from kqq.capture.events import Note, Said
    from kqq.capture.filters import Filter

_FORMATS = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".txt": "terminal"}
_COLUMNS = 80
_WIDEST = 160  # columns; in more a picture falls apart
_SLOW = 20_000_000  # bytes; reading more takes so long that people want to see how far it is
_EVERYBODY = 10  # lifelines of people in a picture

_source = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
_output = click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it.  [default: standard output]",
)
_title = click.option("--title", metavar="WORDS", help="What it is called.  [default: the file]")
_language = click.option(
    "--language",
    type=click.Choice(("en", "zh")),
    help="In English or in Chinese.  [default: your language]",
)


@main.command(short_help="Draw a capture, log or play as a sequence diagram.")
@_source
@_output
@click.option(
    "--format",
    "form",
    type=click.Choice(("svg", "mermaid", "terminal")),
    help="How to draw it.  [default: as the name of --output ends, .svg or .mmd; else terminal]",
)
@click.option(
    "--most",
    type=click.IntRange(min=1, max=10_000),
    default=100,
    show_default=True,
    metavar="N",
    help="Draw the first so many lines, and say how many more there are.",
)
@_title
@_language
@filter_options
@json_option
def diagram(
    file: Path,
    *,
    output: Path | None,
    form: str | None,
    most: int,
    title: str | None,
    language: Any,
    wanted: "Filter",
    as_json: bool,
) -> None:
    """Draw what is said in FILE: a capture, log or play, or `-` for standard input.

    Everybody has a line from top to bottom, the server in the middle; each arrow is a line that was
    sent, in short words. Replies are dashed, what is odd is marked and told below.
    """
    if language:
        use_language(language)
    form = form or _FORMATS.get("" if output is None else output.suffix.lower())
    if form is None and output is not None and not as_json:
        raise click.UsageError("say with --format how --output is to be written")
    form = form or "terminal"
    from kqq.charts.objects import chart_objects
    from kqq.charts.sequence import sequence
    from kqq.charts.text import most_people

    columns = _columns(output)
    with _lines(file, wanted) as items:
        chart = sequence(
            items,
            most=most,
            most_people=_EVERYBODY if as_json or form != "terminal" else most_people(columns),
            title=_called(file) if title is None else title,
        )
    if not chart.lifelines:
        for row in chart.rows:  # notes, such as that the capture is damaged
            click.echo(f"kqq: {row.words}", err=True)
        _say_nothing(file, wanted)
        return
    with written_to(output) as target:
        if as_json:
            for one in chart_objects(chart):
                print_json(one, target)
        else:
            target.write(_drawing(form, columns)(chart))


def _drawing(form: str, columns: int) -> "Callable[[Any], str]":
    if form == "svg":
        from kqq.charts.svg import sequence_svg

        return sequence_svg
    if form == "mermaid":
        from kqq.charts.mermaid import sequence_mermaid

        return sequence_mermaid
    from kqq.charts.text import sequence_lines

    return lambda chart: "\n".join(sequence_lines(chart, columns)) + "\n"


def _columns(output: Path | None) -> int:
    """Return how wide a picture for a terminal is."""
    if output is not None or not sys.stdout.isatty():
        return _COLUMNS
    return min(get_terminal_size((_COLUMNS, 24)).columns, _WIDEST)


@main.command(short_help="Make one HTML page about a capture, log or play.")
@_source
@_output
@click.option(
    "--most",
    type=click.IntRange(min=2, max=20_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="Tell so many lines one by one: the first, the last, and odd ones in between.",
)
@_title
@_language
@filter_options
@json_option
def report(
    file: Path,
    *,
    output: Path | None,
    most: int,
    title: str | None,
    language: Any,
    wanted: "Filter",
    as_json: bool,
) -> None:
    """Make a report on FILE: a capture, log or play, or `-` for standard input.

    It is one HTML page that needs nothing else: who talked, when, and with whom; commands and how
    long the answers took; who was there; what is odd; and the conversation, line by line, each
    field explained. It shows no passwords and no session keys.

    --json gives the figures without the conversation.
    """
    if language:
        use_language(language)
    if output is None and not as_json and sys.stdout.isatty():
        raise click.UsageError("a page is not for a terminal; add --output FILE")
    from kqq.charts.figures import Figures
    from kqq.charts.objects import figure_objects
    from kqq.charts.page import report_page

    with _lines(file, wanted) as items:
        figures = Figures(most).take_all(items)
    if not figures.lines:
        _say_nothing(file, wanted)
    with written_to(output) as target:
        if as_json:
            for one in figure_objects(figures):
                print_json(one, target)
        else:
            name = _called(file) if title is None else title
            target.writelines(report_page(figures, title=name))


def _called(file: Path) -> str:
    return tr("standard input") if str(file) == "-" else file.name


def _say_nothing(file: Path, wanted: "Filter") -> None:
    """Say that there is nothing to draw, and end so that scripts notice when the output is made."""
    words = tr("no line of the protocol was found")
    words = words if wanted.takes_all else tr("no line is like that")
    click.echo(f"kqq: {printable(str(file))}: {words}", err=True)
    click.get_current_context().call_on_close(partial(sys.exit, Exit.REFUSED))


@contextmanager
def _lines(file: Path, wanted: "Filter") -> "Iterator[Iterator[Said | Note]]":
    """Give what is said in a file and is wanted; who waits sees how far it is read."""
    from kqq.capture.filters import chosen
    from kqq.capture.sources import read_file

    size = file.stat().st_size if file.is_file() else 0
    if size < _SLOW or not sys.stderr.isatty():
        yield chosen(read_file(str(file)), wanted)
        return
    with click.progressbar(length=size, label=tr("Reading"), file=sys.stderr) as bar:
        items = read_file(str(file), progress=lambda done, _: bar.update(done - bar.pos))
        yield chosen(items, wanted)
