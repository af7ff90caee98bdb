"""`kqq config`: the settings of a server, as a file."""

import os
import sys
from pathlib import Path

import click

from kqq.cli.group import main, print_json
from kqq.words import Exit, printable


@main.group()
def config() -> None:
    """The settings of a server."""


@config.command("default")
def config_default() -> None:
    """Print a file with every setting as it is by default, with comments."""
    from kqq.server.settings import sample

    click.echo(sample(), nl=False)


@config.command("check", short_help="Tell what is wrong with settings.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def config_check(file: Path | None, *, as_json: bool) -> None:
    """Tell what is wrong with the settings in FILE and in the variables.

    If nothing is, tell which settings are not as by default. Without FILE, it is the file that
    `kqq serve` would read. Exit code 2 if something is wrong.
    """
    from kqq.server.config import toml
    from kqq.server.settings import changes, examine, file_in_data

    named = os.environ.get("KQQ_CONFIG")
    file = file or (Path(named) if named else file_in_data(os.environ))
    chosen, problems = examine(file, os.environ)
    if as_json:
        settings = changes(chosen) if chosen is not None else {}
        print_json(
            {
                "ok": chosen is not None,
                "file": None if file is None else str(file),
                "settings": settings,
                "problems": problems,
            }
        )
    elif chosen is not None:
        click.echo("ok")
        for key, value in changes(chosen).items():
            click.echo(printable(f"{key} = {toml(value)}"))
    else:
        for problem in problems:
            click.echo(f"kqq: {printable(problem)}", err=True)
    sys.exit(Exit.DONE if chosen is not None else Exit.USAGE)
