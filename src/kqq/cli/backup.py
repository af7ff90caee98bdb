"""`kqq backup` and `kqq restore`: the database as one file."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kqq.cli.group import data_option, json_option, main, print_json
from kqq.cli.reach import settings_of
from kqq.words import printable

if TYPE_CHECKING:
    from kqq.server.backup import Contents, Progress


@main.command(short_help="Copy the database, also while the server runs.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@json_option
@data_option
def backup(*, file: Path, force: bool, as_json: bool, data: Path | None) -> None:
    """Copy the database to FILE; a server that runs goes on.

    FILE is there once the copy is whole and checked, and not before. Settings and keys are not in
    the database; copy those yourself.
    """
    from kqq.server.backup import back_up

    folder = settings_of(data).data
    with _progress() as progress, terminable():
        contents = back_up(folder, file, force=force, progress=progress)
    if as_json:
        print_json({"file": str(file), **asdict(contents)})
    else:
        click.echo(printable(f"{file}: {_in_words(contents)}"))


@main.command(short_help="Bring a backup back.")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@data_option
def restore(*, file: Path, as_json: bool, data: Path | None) -> None:
    """Make FILE, a backup, the database of the data folder; no server may run on it.

    The database that is there is kept beside it, under a name with the date. A backup of an older
    version is brought up to date when the server starts.
    """
    from kqq.server.backup import newest_form
    from kqq.server.backup import restore as bring_back

    folder, date = settings_of(data).data, datetime.now().astimezone()
    with _progress() as progress, terminable():
        contents, kept = bring_back(file, folder, date, progress=progress)
    if as_json:
        before = None if kept is None else str(kept)
        print_json({"file": str(file), **asdict(contents), "before": before})
        return
    click.echo(printable(f"restored {file}: {_in_words(contents)}"))
    if kept is not None:
        click.echo(printable(f"the database before is now {kept}"))
    if contents.form < newest_form():
        click.echo(f"it has form {contents.form}; `kqq serve` brings it to form {newest_form()}")


@contextmanager
def terminable() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end what is done as Ctrl-C does, so that it cleans up."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress() -> Iterator["Progress | None"]:
    """Give what shows a bar in a terminal, None where there is none to see it."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("copying")

        def show(done: int, pages: int) -> None:
            bar.update(task, completed=done, total=pages)
            if done == pages:
                bar.update(task, description="checking")

        yield show


def _in_words(contents: "Contents") -> str:
    accounts = "1 account" if contents.accounts == 1 else f"{contents.accounts:,} accounts"
    messages = (
        "1 message that waits"
        if contents.messages == 1
        else f"{contents.messages:,} messages that wait"
    )
    size = contents.size / 1024
    return f"{accounts}, {messages}, " + (
        f"{size:,.0f} KiB" if size < 10240 else f"{size / 1024:,.0f} MiB"
    )
