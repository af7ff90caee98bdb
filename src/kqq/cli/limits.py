"""`kqq limits`: settings that may change while the server runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kqq.cli.group import data_option, json_option, main, paragraph, print_json, show
from kqq.cli.reach import do

_TRUTH = {"true": True, "false": False}
_READERS: dict[str, Callable[[str], Any]] = {
    "whole": int,
    "number": float,
    "truth": lambda text: _TRUTH[text],
}


@main.group(short_help="Look at limits of the running server, and change them.")
def limits() -> None:
    """Settings about people, captchas, messages and floods, of a server that runs.

    Exit code 3 if none runs; `kqq config` looks at the settings of the file.
    """


@limits.command("show", short_help="Show the limits.")
@click.argument("name", required=False)
@json_option
@data_option
def limits_show(*, name: str | None, as_json: bool, data: Path | None) -> None:
    """Show what can be changed, and how it is now; of NAME also what it is for."""

    def row(one: dict[str, Any]) -> tuple[str, ...]:
        usual = "" if one["value"] == one["default"] else f"by default {one['default']}"
        return one["name"], str(one["value"]), usual

    found = [one for one in do(data, "limits.show") if name in {None, one["name"]}]
    if not found:
        raise click.UsageError(f"there is no limit {name!r}; `kqq limits show` lists all")
    show(found, row, none="", as_json=as_json)
    if name is not None and not as_json:
        click.echo(paragraph(found[0]["help"]))
        click.echo(paragraph(f"Take {found[0]['allowed']}."))


@limits.command("set", short_help="Change limits while the server runs.")
@click.argument("values", nargs=-1, required=True, metavar="NAME=VALUE...")
@json_option
@data_option
def limits_set(*, values: tuple[str, ...], as_json: bool, data: Path | None) -> None:
    """Change limits until the server starts again, or reads its settings again.

    What is printed are the lines to write into its file, if they shall stay.
    """
    kinds = {one["name"]: one["kind"] for one in do(data, "limits.show")}
    wanted = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise click.UsageError(f"{value!r} is not NAME=VALUE")
        wanted[name] = _read(kinds.get(name, "text"), text)
    result = do(data, "limits.set", values=wanted)
    if as_json:
        print_json(result)
        return
    click.echo(result["toml"])
    click.echo(
        "until the server starts again; write this into its file to keep it"
        if result["changed"]
        else "it was so before",
        err=True,
    )


def _read(kind: str, text: str) -> Any:
    """Return a value as JSON has it; what cannot be stays a text, and is refused in words."""
    try:
        return _READERS[kind](text)
    except (ValueError, KeyError):
        return text
