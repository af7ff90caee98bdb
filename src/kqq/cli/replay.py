"""`kqq replay`: a play, performed with a server and compared."""

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from kqq.cli.group import json_option, main, paragraph, print_json
from kqq.cli.playing import (
    Against,
    against_options,
    called,
    first_seq,
    letters_for,
    parsed_play,
    play_text,
)
from kqq.errors import ConfigError
from kqq.words import Exit, printable, tr, tr_n

if TYPE_CHECKING:
    from kqq.plays.against import Outcome
    from kqq.protocol import Line
    from kqq.protocol.transcript import Play


@main.command(short_help="Perform a play with a server, and compare.")
@click.argument("play")
@against_options
@click.option("--all", "goes_on", is_flag=True, help="Show all differences, not only the first.")
@click.option("--lines", "shows_lines", is_flag=True, help="Show each line as it goes and comes.")
@json_option
def replay(*, play: str, against: Against, goes_on: bool, shows_lines: bool, as_json: bool) -> None:
    """Perform PLAY, a file such as `kqq record` makes, with a server; `-` is standard input.

    The first difference is shown field by field. The server must have the accounts, and must be as
    the `server` statements at the beginning say.

    Exit code 1 if something goes otherwise, 2 if the play cannot be performed there, 3 if there is
    no server.
    """
    from kqq.plays.accounts import people
    from kqq.plays.against import perform_on

    text = play_text(play)
    parsed = parsed_play(text, play)
    accounts = against.people.accounts(people(parsed))
    terms = against.terms(parsed, letters_for(play))
    watch = _show_line if shows_lines else None
    if watch is not None and as_json:
        watch = _show_json_line
    outcome = asyncio.run(
        perform_on(
            parsed,
            against.address,
            accounts,
            terms,
            watch=watch,
            first_seq=first_seq(),
            goes_on=goes_on,
        )
    )
    if as_json:
        print_json({"play": play, "against": str(against.address), **_outcome_object(outcome)})
    else:
        _tell(play, parsed, outcome)
    if outcome.verdict == "skipped":
        if as_json:
            sys.exit(Exit.USAGE)
        raise ConfigError(f"{called(play)} cannot be performed there: {outcome.reason}")
    sys.exit(Exit.DONE if outcome.verdict == "passed" else Exit.REFUSED)


def _tell(name: str, play: "Play", outcome: "Outcome") -> None:
    from kqq.cli.beside import difference_lines

    for note in outcome.notes:
        click.echo(paragraph(note, "kqq: "), err=True)
    for position, difference in enumerate(outcome.differences):
        if position:
            click.echo()
        click.echo("\n".join(difference_lines(difference)))
    if outcome.verdict == "failed" and outcome.reason:
        click.echo(paragraph(tr("It ends there: {reason}").format(reason=outcome.reason)))
    if outcome.verdict == "passed":
        words = tr_n(
            "{name} goes as written: {count} statement in {seconds} s",
            "{name} goes as written: {count} statements in {seconds} s",
            len(play.statements),
        )
        seconds = f"{outcome.seconds:.1f}"
        count = len(play.statements)
        click.echo(paragraph(words.format(name=called(name), count=count, seconds=seconds)))


def _outcome_object(outcome: "Outcome") -> dict[str, Any]:
    return {
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "seconds": round(outcome.seconds, 3),
        "differences": [difference.as_object() for difference in outcome.differences],
        "notes": list(outcome.notes),
    }


def _show_line(actor: str, direction: str, line: "Line") -> None:
    from kqq.protocol import mask

    click.echo(f"{actor} {direction} {printable(mask(line.text))}")


def _show_json_line(actor: str, direction: str, line: "Line") -> None:
    from kqq.protocol import mask

    print_json({"actor": actor, "direction": direction, "line": mask(line.text)})
