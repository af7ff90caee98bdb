"""`kqq decode` and `kqq capture`: what was said, read from files and from the network."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kqq.cli.choosing import filter_options
from kqq.cli.group import main, new_file
from kqq.errors import CaptureError
from kqq.words import Exit, hanging, json_line, printable, tr, tr_n

if TYPE_CHECKING:
    from kqq.capture.events import Note, Said
    from kqq.capture.filters import Filter

F = TypeVar("F", bound=Callable[..., Any])

_MOST_PROBLEMS = 5  # of a file that are told; one is the usual
_PROBLEMS = ("unreadable", "cut")
_LARGE = 4 << 20  # bytes of a file that takes long enough to want a bar


@dataclass(frozen=True, slots=True)
class View:
    """How lines are shown."""

    form: str = "rows"
    fields: bool = False
    notes: bool = False
    secrets: bool = False
    wide: bool = False
    names: dict[int, str] = field(default_factory=dict)


def view_options(command: F) -> F:
    """Give a command the options that say how lines are shown; it gets them as `view`, a `View`."""

    @wraps(command)
    def with_view(*args: Any, **options: Any) -> Any:
        forms = {name: options.pop(f"as_{name}") for name in ("json", "csv", "play")}
        wanted = [name for name, is_wanted in forms.items() if is_wanted]
        if len(wanted) > 1:
            raise click.UsageError(f"--{wanted[0]} and --{wanted[1]} cannot be had at once")
        parts = {name: options.pop(name) for name in ("fields", "notes", "secrets", "wide")}
        names = _names(options.pop("name"))
        if parts["secrets"] and wanted == ["play"]:
            raise click.UsageError("a play never has secrets in it; leave --secrets out")
        view = View(wanted[0] if wanted else "rows", names=names, **parts)
        return command(*args, view=view, **options)

    decorated: Any = with_view
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


_OPTIONS = (
    click.option("--fields", is_flag=True, help="Explain every field of every line."),
    click.option("--notes", is_flag=True, help="Say what is odd, and what the network did."),
    click.option("--wide", is_flag=True, help="Cut no row, however long it is."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line."),
    click.option("--csv", "as_csv", is_flag=True, help="A table for spreadsheets."),
    click.option("--play", "as_play", is_flag=True, help="A play that `kqq replay` performs."),
    click.option(
        "--name",
        multiple=True,
        metavar="NUMBER=NAME",
        help="What somebody is called in the play, such as 10001=Romeo.",
    ),
    click.option("--secrets", is_flag=True, help="Show passwords and session keys, too."),
)


def _names(pairs: Iterable[str]) -> dict[int, str]:
    names = {}
    for pair in pairs:
        number, _, name = pair.partition("=")
        is_name = name.isascii() and name.replace("_", "").isalnum() and name[:1].isupper()
        if not (number.isascii() and number.isdigit() and len(number) <= 20 and is_name):
            words = f"{pair!r} must be like 10001=Romeo, the name beginning with a capital letter"
            raise click.BadParameter(words, param_hint="--name")
        names[int(number)] = name
    if len(set(names.values())) < len(names):
        raise click.BadParameter("two people cannot have the same name", param_hint="--name")
    return names


@main.command(short_help="Show what was said in a capture, log or play.")
@click.argument("file")
@view_options
@filter_options
@click.option("--follow", is_flag=True, help="Wait for more at the end, until Ctrl-C.")
def decode(file: str, *, view: View, wanted: "Filter", follow: bool) -> None:
    """Show what was said in FILE, line by line; `-` reads standard input.

    FILE is a capture (pcap, pcapng), a log or any text with lines of the protocol in it, a play
    (.kqq) or the output of `--json`; any of them may be packed with gzip. What it is, is told by
    what is in it. The protocol is recognised on any port, in lines over TCP and in HTTP.

    In the rows, → is a line from the person with this number, ← one that the server sent; ! marks
    what is odd. Exit code 1 if some of the file cannot be read.
    """
    from kqq.capture.sources import read_file

    with ExitStack() as stack:
        progress = None if follow else stack.enter_context(_bar())
        items = read_file(file, follow=follow, progress=progress)
        try:
            is_read = _show(items, wanted, view, is_live=follow)
        except KeyboardInterrupt:
            if not follow:
                raise
            return  # it is how following ends
    sys.exit(Exit.DONE if is_read else Exit.REFUSED)


@main.command(short_help="Show what is said on the network, as it is said.")
@click.argument("interface", required=False)
@view_options
@filter_options
@click.option(
    "--port",
    "ports",
    type=click.IntRange(1, 65535),
    multiple=True,
    help="TCP port to listen on; may be given several times.  [default: 14000, 8000, 80]",
)
@click.option("--filter", "rule", metavar="RULE", help="What to capture, as tcpdump has it.")
@click.option(
    "-w",
    "--write",
    "copy",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep the packets in a file, too.",
)
@click.option("--list", "lists", is_flag=True, help="List the interfaces.")
def capture(
    interface: str | None,
    *,
    view: View,
    wanted: "Filter",
    ports: tuple[int, ...],
    rule: str | None,
    copy: Path | None,
    lists: bool,
) -> None:
    """Show what is said on INTERFACE (such as eth0, lo or any) until Ctrl-C.

    The packets come from tcpdump, dumpcap or tshark, whichever is there; they need the right to
    capture. On a port the protocol is recognised by what is said, as in `kqq decode`.
    """
    from kqq.capture.sources import read_file
    from kqq.cli import live

    if lists:
        click.echo(printable(live.interfaces().rstrip(), lines=True))
        return
    if interface is None:
        raise click.UsageError("say which interface, such as lo or any; --list tells what there is")
    if interface.startswith("-"):
        raise click.BadParameter("an interface does not begin with -", param_hint="INTERFACE")
    if rule is not None and ports:
        raise click.UsageError(
            "--filter and --port cannot be had at once; put the port in the rule"
        )
    rule = live.rule_for(ports or live.PORTS) if rule is None else rule
    command = live.capture_command(interface, rule)
    with ExitStack() as stack:
        kept = None if copy is None else stack.enter_context(new_file(copy))
        tool = live.Tool(command, kept)
        stack.callback(tool.close)
        stack.enter_context(tool.stopped_by_signals())
        if sys.stderr.isatty():
            text = tr("{tool} listens on {interface} for {rule}; Ctrl-C ends it")
            words = text.format(tool=tool.name, interface=interface, rule=rule)
            click.echo(click.style(printable(words), dim=True), err=True)
        try:
            _show(read_file(tool), wanted, view, is_live=True)
        except CaptureError:
            tool.check()  # what the tool says tells more than that it gave nothing
            if not tool.is_stopped:
                raise
            click.echo(tr("no packet came"), err=True)
        tool.check()


# --- what is printed -----------------------------------------------------------------------------


def _show(items: "Iterable[Said | Note]", wanted: "Filter", view: View, *, is_live: bool) -> bool:
    """Print what is wanted of `items`. Return whether all of it could be read."""
    from kqq.capture.events import Note, Said
    from kqq.capture.filters import chosen

    problems: list[Note] = []
    more = 0

    def readable() -> Iterator[Said | Note]:
        nonlocal more
        for item in items:
            if isinstance(item, Note) and item.kind in _PROBLEMS and not item.stream:
                if len(problems) < _MOST_PROBLEMS:
                    problems.append(item)
                else:
                    more += 1
            yield item

    all_chosen = chosen(readable(), wanted)
    if view.form == "rows":
        count = _rows(all_chosen, view, is_live=is_live)
    else:
        counted = _Counted(all_chosen)
        _print(_FORMS[view.form](counted, view), is_live=is_live)
        count = counted.count
    for note in problems:
        click.echo(f"kqq: {hanging(note.words)}", err=True)
    if more:
        text = tr_n("{count} more problem", "{count} more problems", more)
        click.echo("kqq: " + text.format(count=more), err=True)
    if not count:
        words = tr("no line of the protocol was found")
        if view.form == "rows" and not view.notes:
            words = tr("no line of the protocol was found; --notes tells what else there is")
        click.echo(words if wanted.takes_all else tr("no line is like that"), err=True)
    return not problems


class _Counted:
    """Counts lines as they go by."""

    def __init__(self, items: "Iterable[Said | Note]") -> None:
        self.count = 0
        self._items = items

    def __iter__(self) -> "Iterator[Said | Note]":
        from kqq.capture.events import Note

        for item in self._items:
            self.count += not isinstance(item, Note)
            yield item

    def lines(self) -> "Iterator[Said]":
        """Give the lines alone."""
        from kqq.capture.events import Note

        for item in self:
            if not isinstance(item, Note):
                yield item


def _rows(items: "Iterable[Said | Note]", view: View, *, is_live: bool) -> int:
    from kqq.cli.rows import Rows

    columns = None if view.wide else get_terminal_size().columns
    rows = Rows(columns, fields=view.fields, notes=view.notes, secrets=view.secrets)
    for item in items:
        for row in rows.of(item):
            click.echo(row)
    if rows.count and sys.stdout.isatty() and not is_live:
        click.echo(click.style(_summary(rows.count, rows.odd, view), dim=True), err=True)
    return rows.count


def _summary(count: int, odd: int, view: View) -> str:
    words = tr_n("{count} line", "{count} lines", count).format(count=count)
    if not odd:
        return words
    text = tr_n("{lines}, {odd} of them odd", "{lines}, {odd} of them odd", odd)
    words = text.format(lines=words, odd=odd)
    if view.notes or view.fields:
        return words
    return tr("{lines} (marked !); --notes tells why").format(lines=words)


def _json(items: _Counted, view: View) -> Iterator[str]:
    from kqq.capture.events import Note
    from kqq.capture.formats import note_object, said_json, said_object

    secrets, notes = view.secrets, view.notes
    for item in items:
        if not isinstance(item, Note):
            text = said_json(item, secrets=secrets)
            if not (text.isascii() and text.isprintable()) and printable(text) != text:
                text = json_line(said_object(item, secrets=secrets))
            yield text + "\n"
        elif notes:
            yield json_line(note_object(item)) + "\n"


def _csv(items: _Counted, view: View) -> Iterator[str]:
    from kqq.capture.formats import csv_rows

    return csv_rows(items.lines(), printable, secrets=view.secrets)


def _play(items: _Counted, view: View) -> Iterator[str]:
    from kqq.capture.formats import play_lines

    for line in play_lines(items.lines(), view.names):
        yield line + "\n"


_FORMS: dict[str, Callable[[_Counted, View], Iterator[str]]] = {
    "json": _json,
    "csv": _csv,
    "play": _play,
}


def _print(lines: Iterable[str], *, is_live: bool) -> None:
    """Write many lines at little cost; at once if they are made as somebody waits."""
    write, flush = sys.stdout.write, sys.stdout.flush
    for line in lines:
        write(line)
        if is_live:
            flush()
    flush()


@contextmanager
def _bar() -> "Iterator[Callable[[int, int | None], None] | None]":
    """Show on a terminal how much of a large file was read, where rows do not go there, too."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield None
        return
    bar: Any = None

    def progress(count: int, size: int | None) -> None:
        nonlocal bar
        if size is None or size < _LARGE:
            return
        if bar is None:
            bar = click.progressbar(length=size, file=sys.stderr, show_pos=False)
            bar.__enter__()
        bar.update(min(count, size) - bar.pos)

    try:
        yield progress
    finally:
        if bar is not None:
            bar.__exit__(None, None, None)
