"""`kqq dissector`: the protocol for Wireshark."""

import sys
from pathlib import Path

import click

from kqq.cli.group import main
from kqq.words import Exit, printable, tr


@main.command(short_help="Print a dissector for Wireshark, in Lua.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to FILE; its folder is made if it is missing.",
)
def dissector(output: Path | None) -> None:
    """Print a dissector for Wireshark 4.0 and newer: one Lua file, made from the catalogue.

    It reads lines over TCP and in HTTP, on any port, names every field, and links replies with
    their requests.
    """
    from kqq.dissector.lua import dissector as made

    text = made()
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        words = tr("{file} cannot be written: {reason}")
        click.echo(f"kqq: {words.format(file=printable(str(output)), reason=reason)}", err=True)
        sys.exit(Exit.USAGE)
