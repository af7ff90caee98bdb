"""`kqq mock`: a server that answers from a play."""

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import click

from kqq.cli.group import json_option, main, paragraph, print_json
from kqq.cli.playing import (
    People,
    called,
    parsed_play,
    people_options,
    play_text,
)
from kqq.words import Exit, printable, tr, tr_n

if TYPE_CHECKING:
    from kqq.address import Door
    from kqq.plays.mock import Heard
    from kqq.plays.mocking import MockServer


@main.command(short_help="Be a server that answers from a play.")
@click.argument("play")
@click.option(
    "--listen",
    default="127.0.0.1:14000",
    show_default=True,
    metavar="HOST:PORT",
    help="Where; port 0 takes a free one.",
)
@people_options
@click.option("--strict", "is_strict", is_flag=True, help="Answer in the order of the play only.")
@click.option("--refuse", "refuses", is_flag=True, help="Answer RES=1 to what is not in the play.")
@json_option
def mock(
    *, play: str, listen: str, who: People, is_strict: bool, refuses: bool, as_json: bool
) -> None:
    """Be a server that says what the server in PLAY says, over TCP and HTTP, until Ctrl-C.

    A line is answered if one in the play asks the same. People may have other numbers than there:
    whoever signs in with a number that nobody has is the next one who signs in there. What is
    asked and has no answer is told.

    Exit code 1 if there was something without an answer.
    """
    from kqq.address import Door
    from kqq.plays.accounts import people
    from kqq.plays.mock import Mock
    from kqq.plays.mocking import MockServer

    parsed = parsed_play(play_text(play), play)
    door = Door.parse(listen, "kqq")
    made = Mock(parsed, who.accounts(people(parsed)), is_strict=is_strict, refuses=refuses)
    server = MockServer(made, _show_heard_json if as_json else _show_heard)
    asyncio.run(_serve(server, door))
    if server.count and not as_json:
        words = tr_n(
            "{count} line had no answer in {name}.",
            "{count} lines had no answer in {name}.",
            server.count,
        )
        click.echo(paragraph(words.format(count=server.count, name=called(play))), err=True)
    sys.exit(Exit.REFUSED if server.count else Exit.DONE)


async def _serve(server: "MockServer", door: "Door") -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        click.echo(f"listening {await server.start(door)}")
        click.echo("ready")
        sys.stdout.flush()
        await told.wait()
    finally:
        await server.close()


def _show_heard(heard: "Heard") -> None:
    from kqq.protocol import mask

    line = printable(mask(heard.line.text))
    if heard.is_known:
        place = tr("line {number}").format(number=heard.ask) if heard.ask else tr("a poll")
        click.echo(f"  {heard.actor} ({place}): {line}")
    else:
        click.echo(f"! {heard.actor or '?'}: {line}")
        click.echo(paragraph(heard.why, "    "))
    sys.stdout.flush()


def _show_heard_json(heard: "Heard") -> None:
    from kqq.protocol import mask

    print_json(
        {
            "actor": heard.actor,
            "line": mask(heard.line.text),
            "play_line": heard.ask or None,
            "said": heard.count,
            "why": heard.why,
        }
    )
    sys.stdout.flush()
