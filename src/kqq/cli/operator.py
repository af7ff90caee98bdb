"""What the operator of a running server asks and does: sessions, kick, announce, why, health."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from kqq.cli.group import (
    NUMBER,
    counted,
    data_option,
    json_option,
    main,
    moment,
    paragraph,
    print_json,
    read_text,
    show,
)
from kqq.cli.reach import do
from kqq.words import Exit, printable

_PAGE = 1000
"""Sessions that are asked for at once."""
_ALL = 500
"""Attempts that `kqq why --all` shows at most; who is guessed at may have thousands."""
_SHOWN = 3
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


@main.command(short_help="List who is signed in.")
@json_option
@data_option
def sessions(*, as_json: bool, data: Path | None) -> None:
    """List who is signed in: number, status, how, how long, from where, nickname.

    Exit code 3 if no server runs.
    """

    def row(one: dict[str, Any]) -> tuple[str, ...]:
        over, since = one["over"].upper(), _span(one["seconds"])
        return str(one["uin"]), one["status"], over, since, one["peer"], one["nick"]

    show(_sessions(data), row, none="nobody is signed in", as_json=as_json)


def _sessions(data: Path | None) -> Iterator[dict[str, Any]]:
    after = 0
    while page := do(data, "sessions", after=after, most=_PAGE):
        yield from page
        after = page[-1]["uin"]


@main.command(short_help="End somebody's session.")
@click.argument("uin", type=NUMBER)
@click.option("--reason", default="kicked by the operator", help="For the log and `kqq why`.")
@json_option
@data_option
def kick(*, uin: int, reason: str, as_json: bool, data: Path | None) -> None:
    """End the session of UIN, who can sign in again; `kqq account suspend` prevents that.

    Exit code 2 if UIN is not signed in, 3 if no server runs.
    """
    result = do(data, "kick", uin=uin, reason=reason)
    if as_json:
        print_json(result)
    else:
        click.echo(f"kicked {uin}")


@main.command(short_help="Send a message to everybody.")
@click.argument("text")
@click.option("--to", "to", type=NUMBER, multiple=True, metavar="UIN", help="Only to these.")
@json_option
@data_option
def announce(*, text: str, to: tuple[int, ...], as_json: bool, data: Path | None) -> None:
    """Send TEXT to everybody, from 10000; `-` reads it from standard input.

    It waits for those who are away. Who is suspended, or whose inbox is full, gets none. Exit code
    3 if no server runs.
    """
    words = read_text(sys.stdin.read).rstrip("\r\n") if text == "-" else text
    result = do(data, "announce", text=words, to=list(to) or None)
    if as_json:
        print_json(result)
    else:
        click.echo(f"sent to {result['sent']}")


@main.command(short_help="Say why somebody cannot sign in.")
@click.argument("who", metavar="UIN|ADDRESS")
@click.option("--all", "show_all", is_flag=True, help="Show all attempts that are kept, not three.")
@json_option
@data_option
def why(*, who: str, show_all: bool, as_json: bool, data: Path | None) -> None:
    """Say why UIN, or who comes from ADDRESS, is not signed in: the last attempts, step by step.

    ADDRESS is one of IPv4 or IPv6, without a port. Exit code 0 if they are signed in now, 1 if
    not, 3 if no server runs.
    """
    from kqq.server.journal_words import describe

    found = do(data, "why", who=who, most=_ALL if show_all else _SHOWN)
    if as_json:
        print_json(found)
    else:
        for attempt in found["attempts"]:
            for line in describe(attempt):
                click.echo(printable(line))
            click.echo()
        for one in found["signed_in"]:
            click.echo(paragraph(_signed_in(one)))
        if found["advice"] is not None:
            click.echo(paragraph(found["advice"]))
    if found["advice"] is not None:
        sys.exit(Exit.REFUSED)


def _signed_in(one: dict[str, Any]) -> str:
    over, since = one["over"].upper(), _span(one["seconds"])
    return (
        f"{one['uin']} is signed in from {one['peer']} over {over}, {one['status']}, for {since}."
    )


@main.command(short_help="Say what the running server is and does.")
@json_option
@data_option
def health(*, as_json: bool, data: Path | None) -> None:
    """Say what the running server is and does.

    Exit code 3 if none runs.
    """
    found = do(data, "status")
    if as_json:
        print_json(found)
        return
    count = found["sessions"]
    click.echo(f"kqq {found['version']}, since {moment(found['since'])}")
    click.echo(f"data {printable(found['data'])}")
    for door in (*found["doors"], *found["web"]):
        click.echo(f"door {door}")
    click.echo(
        f"{counted(found['accounts'], 'account')}, {sum(count.values())} signed in"
        f" ({count['http']} over HTTP), {counted(found['connections'], 'connection')}"
    )


def _span(seconds: float) -> str:
    """Return a time in its largest unit, such as `5 min`."""
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {name}"
    return f"{int(seconds)} s"
