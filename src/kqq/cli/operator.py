"""What the operator of a running server asks and does: sessions, kick, announce, why, status."""

import sys
from pathlib import Path

import click

from kqq.cli.group import NUMBER, data_option, json_option, main, print_json
from kqq.cli.reach import do
from kqq.words import Exit, printable


@main.command()
@json_option
@data_option
def sessions(*, as_json: bool, data: Path | None) -> None:
    """List who is signed in."""
    for one in do(data, "sessions"):
        if as_json:
            print_json(one)
            continue
        over = "HTTP" if one["over"] == "http" else "TCP"
        left = f"{one['uin']:<10} {one['status']:<14} {over:<4} {_span(one['seconds']):>7}"
        click.echo(f"{left}  {one['peer']:<22} {printable(one['nick'])}")


@main.command()
@click.argument("uin", type=NUMBER)
@click.option("--reason", default="kicked by the operator", help="For the log and `kqq why`.")
@json_option
@data_option
def kick(*, uin: int, reason: str, as_json: bool, data: Path | None) -> None:
    """End the session of UIN, who can sign in again; `kqq account suspend` prevents that."""
    result = do(data, "kick", uin=uin, reason=reason)
    if as_json:
        print_json(result)
    else:
        click.echo(f"kicked {uin}")


@main.command()
@click.argument("text")
@click.option("--to", "to", type=NUMBER, multiple=True, metavar="UIN", help="Only to these.")
@json_option
@data_option
def announce(*, text: str, to: tuple[int, ...], as_json: bool, data: Path | None) -> None:
    """Send TEXT to everybody, from 10000; it waits for those who are away. `-` reads it."""
    words = sys.stdin.read().rstrip("\n") if text == "-" else text
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

    The exit code is 0 if they are signed in now, 1 if not.
    """
    from kqq.server.journal import describe

    found = do(data, "why", who=who)
    if as_json:
        print_json(found)
    else:
        attempts = found["attempts"]
        if found["is_number"] and not found["exists"]:
            click.echo(f"There is no account {who}; `kqq account add {who} --nick NAME` makes one.")
        if found["suspended"] is not None:
            reason = f": {printable(found['suspended'])}" if found["suspended"] else ""
            click.echo(f"{who} is suspended{reason}; `kqq account resume {who}` ends that.")
        for attempt in attempts if show_all else attempts[-_SHOWN:]:
            for line in describe(attempt):
                click.echo(printable(line))
            click.echo()
        click.echo(printable(found["advice"] or f"{who} is signed in."))
    if found["advice"] is not None:
        sys.exit(Exit.REFUSED)


@main.command()
@json_option
@data_option
def status(*, as_json: bool, data: Path | None) -> None:
    """Say what the running server is and does."""
    found = do(data, "status")
    if as_json:
        print_json(found)
        return
    count = found["sessions"]
    click.echo(f"kqq {found['version']} at {' '.join(found['doors'])}")
    click.echo(
        f"{found['accounts']} accounts, {count['connection'] + count['http']} signed in "
        f"({count['http']} over HTTP), {found['connections']} connections"
    )


_SHOWN = 3
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def _span(seconds: float) -> str:
    """Return a time in its largest unit, such as `5 min`."""
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {name}"
    return f"{seconds:.0f} s"
