"""`kqq record`: a play, made with a server."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from kqq.cli.group import main, new_text, paragraph, tell_error
from kqq.cli.playing import (
    FILE,
    STDIN,
    Against,
    against_options,
    first_seq,
    letters_for,
    parsed_play,
    play_text,
)
from kqq.errors import ConfigError, PlayError
from kqq.words import Exit, printable, tr

if TYPE_CHECKING:
    from kqq.plays.against import Terms
    from kqq.plays.recording import Recording, Unanswered
    from kqq.protocol.transcript import Play, Statement


@main.command(short_help="Make a play with a server.")
@click.argument("sketch", default=STDIN)
@against_options
@click.option("-o", "--output", type=FILE, metavar="FILE", help="Where the play goes.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def record(*, sketch: str, against: Against, output: Path | None, force: bool) -> None:
    """Perform the statements of SKETCH with a server, and write down what it answers.

    What is written is a play that `kqq replay` performs. Without SKETCH, statements are performed
    as they are typed, one on a line: `Romeo signs in`, `Romeo > CMD=GetInfo LV=2 UN={Juliet}`.
    Statements of a sketch that say what comes are replaced by what comes.

    Exit code 1 if a request got no answer, 2 if a statement cannot be read or performed, 3 if there
    is no server or the connection was lost before an answer.
    """
    from kqq.protocol.transcript import Play

    text = None if sketch == STDIN else play_text(sketch)
    play = Play("", ()) if text is None else parsed_play(text, sketch)
    if output is not None and output.exists() and not force:
        raise ConfigError(f"{output} is there already; name another file, or say --force")
    terms = against.terms(play, letters_for(sketch))
    with ExitStack() as stack:
        out = sys.stdout if output is None else stack.enter_context(new_text(output))
        code = asyncio.run(_record(against, play, text, terms, out, echoes=output is not None))
    sys.exit(code)


async def _record(
    against: Against,
    play: "Play",
    text: str | None,
    terms: "Terms",
    out: IO[str],
    *,
    echoes: bool,
) -> Exit:
    """Perform what a sketch says, or what is typed; return whether all was answered.

    Raises ConfigError for a statement that cannot be performed, save at a terminal.
    """
    from kqq.at_terminal import is_typed
    from kqq.plays.accounts import people
    from kqq.plays.against import Network
    from kqq.plays.recording import Recording

    recording = Recording(
        against.people.accounts(people(play)),
        Network(against.address, terms),
        first=against.people.first,
        first_seq=first_seq(),
        wait=terms.wait,
    )
    is_asked = text is None and is_typed()
    number = 0
    if not play.doc and not is_asked:
        out.write("# Recorded with kqq record.\n")
    try:
        async for line in _typed(prompts=is_asked) if text is None else _each(text):
            number += 1
            told = len(recording.unanswered)
            try:
                written = await _written(recording, line, number)
            except PlayError as error:
                if not is_asked:
                    raise ConfigError(str(error)) from error
                tell_error(error)
                continue
            out.writelines(f"{one}\n" for one in written)
            out.flush()
            for request in recording.unanswered[told:]:
                _tell_unanswered(request)
            if echoes and is_asked:
                for one in written[1:]:
                    click.echo(printable(one), err=True)
        out.writelines(f"{one}\n" for one in await recording.end())
    finally:
        await recording.leave()
    if any(one.is_lost for one in recording.unanswered):
        return Exit.NO_CONNECTION
    return Exit.REFUSED if recording.unanswered else Exit.DONE


def _tell_unanswered(request: "Unanswered") -> None:
    words = tr("line {number}: {statement}: no answer came: {why}")
    told = words.format(number=request.number, statement=request.source, why=request.why)
    click.echo(paragraph(told, "kqq: "), err=True)


async def _written(recording: "Recording", line: str, number: int) -> list[str]:
    """Perform what stands on a line, and return what to write down for it. Raises PlayError."""
    from kqq.plays.recording import read_statement

    statement: Statement | None = read_statement(line, number)
    return [line.strip()] if statement is None else await recording.do(statement)


async def _each(text: str) -> AsyncIterator[str]:
    for line in text.split("\n"):
        yield line


async def _typed(*, prompts: bool) -> AsyncIterator[str]:
    """Give what is typed, line by line."""
    from kqq.at_terminal import typed_lines

    lines = typed_lines()
    while True:
        if prompts:
            click.echo("> ", nl=False, err=True)
        line = await lines.get()
        if isinstance(line, ConfigError):
            raise line
        if line is None:
            return
        yield line
