"""`kqq doctor`."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from kqq.cli.backup import terminable
from kqq.cli.group import config_option, data_option, json_option, main, print_json, set_option
from kqq.words import Exit, printable

if TYPE_CHECKING:
    from kqq.server.diagnosis import Finding

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
_LEVEL, _CHECK = 9, 13  # columns
_NARROWEST, _WIDEST = 60, 100


@main.command(short_help="Look for all that can keep people out.")
@config_option
@set_option
@json_option
@data_option
def doctor(
    *, file: Path | None, overrides: tuple[str, ...], as_json: bool, data: Path | None
) -> None:
    """Look for all that can keep people out: settings, files, limits, doors, a message.

    Each line is ok, a warning or a problem, with what to do about it. It is best run while the
    server runs, as the same user and with the same settings. Two accounts are made for a moment,
    to send a message in Chinese from one to the other. Exit code 1 if there is a problem.
    """
    from kqq.doctor import examine
    from kqq.server.diagnosis import Level, ok, problem
    from kqq.server.settings import changes, file_in_data
    from kqq.server.settings import examine as examine_settings

    given = [f"data={data}"] if data is not None else []
    given += overrides
    file = file or file_in_data(os.environ, given)
    config, problems = examine_settings(file, os.environ, given)
    found: list[Finding] = []
    with _showing(found, as_json=as_json) as (report, say), terminable():
        for one in problems:
            report(problem("settings", one, "`kqq config default` prints all of them."))
        if config is not None:
            where = "there is no file" if file is None else f"{file} can be read"
            others = ", ".join(changes(config)) or "none"
            report(ok("settings", f"{where}; not as by default: {others}"))
            examine(config, time.time(), report, say)
    levels = [finding.level for finding in found]
    grave, lesser = levels.count(Level.PROBLEM), levels.count(Level.WARNING)
    if not as_json:
        click.echo(f"\n{_count(grave, 'problem')}, {_count(lesser, 'warning')}")
    sys.exit(Exit.REFUSED if grave else Exit.DONE)


@contextmanager
def _showing(
    found: "list[Finding]", *, as_json: bool
) -> Iterator[tuple[Callable[["Finding"], None], Callable[[str], None]]]:
    """Give what shows a finding, and what shows in a terminal what is looked at meanwhile."""
    from rich.console import Console

    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    columns = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
    with Console(stderr=True, quiet=not is_terminal).status("") as status:

        def report(finding: "Finding") -> None:
            found.append(finding)
            status.stop()  # both may be on the same screen
            if as_json:
                print_json(
                    {
                        "level": finding.level.value,
                        "check": finding.check,
                        "words": finding.words,
                        "todo": finding.todo,
                    }
                )
            else:
                for line in _lines(finding, columns):
                    click.echo(line)
            sys.stdout.flush()
            if is_terminal:
                status.start()

        def say(what: str) -> None:
            status.update(f"looking at {printable(what)} …")

        yield report, say


def _lines(finding: "Finding", columns: int) -> Iterator[str]:
    """Give a finding in words: the level, the check, what was found, what to do."""
    level = finding.level.value
    indent = _LEVEL + _CHECK
    left = click.style(f"{level:<{_LEVEL}}", fg=_COLOURS[level]) + f"{finding.check:<{_CHECK}}"
    for line in _wrapped(finding.words, columns - indent):
        yield left + line
        left = " " * indent
    left = " " * indent + "> "
    for line in _wrapped(finding.todo, columns - indent - 2):
        yield left + line
        left = " " * (indent + 2)


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(printable(text), width, break_long_words=False, break_on_hyphens=False)


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
