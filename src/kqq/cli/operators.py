"""`kqq operator` and `kqq token`: who may operate a server with a browser or a program."""

from pathlib import Path
from typing import Any

import click

from kqq.cli.group import (
    NUMBER,
    data_option,
    json_option,
    main,
    moment,
    paragraph,
    print_json,
    show,
)
from kqq.cli.reach import do
from kqq.words import printable

_ROLE = click.Choice(("observer", "moderator", "administrator"))
_MOST = 1000
"""Entries of the log that are asked for at once."""


@main.group(short_help="Say who may operate the server, and who did what.")
def operator() -> None:
    """Accounts that may operate the server, on the page /operator and by the API.

    An observer looks at everything; a moderator also kicks, suspends and resumes, invites and
    announces; an administrator does all.
    """


def _say(result: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(words)


@operator.command("add", short_help="Give an account a role.")
@click.argument("uin", type=NUMBER)
@click.option("--role", type=_ROLE, default="administrator", show_default=True, help="What it may.")
@json_option
@data_option
def operator_add(*, uin: int, role: str, as_json: bool, data: Path | None) -> None:
    """Give UIN a role, or another one."""
    result = do(data, "operator.add", uin=uin, role=role)
    _say(result, f"{uin} is {role}", as_json=as_json)


@operator.command("remove", short_help="Take the role of an account away.")
@click.argument("uin", type=NUMBER)
@json_option
@data_option
def operator_remove(*, uin: int, as_json: bool, data: Path | None) -> None:
    """Take the role of UIN away; the last administrator keeps it."""
    _say(do(data, "operator.remove", uin=uin), f"{uin} is no operator any more", as_json=as_json)


@operator.command("list", short_help="List the operators.")
@json_option
@data_option
def operator_list(*, as_json: bool, data: Path | None) -> None:
    """List the accounts that have a role: number, role, since when, nickname."""

    def row(one: dict[str, Any]) -> tuple[str, ...]:
        return str(one["uin"]), one["role"], f"since {moment(one['since'])}", one["nick"]

    show(do(data, "operator.list"), row, none="no account is an operator", as_json=as_json)


@operator.command("log", short_help="Show what operators did.")
@click.option("--who", help="Only of a number, `token NAME`, or `command line`.")
@click.option("--action", help="Only an action such as account.suspend.")
@click.option(
    "--most", type=click.IntRange(1, _MOST), default=20, show_default=True, help="How many."
)
@json_option
@data_option
def operator_log(
    *, who: str | None, action: str | None, most: int, as_json: bool, data: Path | None
) -> None:
    """Show what operators did, or tried to, wherever: the newest last.

    10,000 entries are kept.
    """
    found = do(data, "deeds", most=most, who=who, action=action)
    for one in reversed(found):
        if as_json:
            print_json(one)
            continue
        left = f"{moment(one['at'])}  "
        given = [(name, value) for name, value in one["arguments"].items() if value is not None]
        words = [one["action"], *(f"{name}={_value(value)}" for name, value in given)]
        click.echo(paragraph(f"{one['who']}: {' '.join(words)}", left))
        if one["outcome"]:
            click.echo(paragraph(f"not done: {one['outcome']}", " " * len(left)))
    if not found and not as_json:
        click.echo("nothing was done", err=True)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={_value(one)}" for name, one in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


# --- tokens --------------------------------------------------------------------------------------


@main.group(short_help="Make and revoke tokens for programs.")
def token() -> None:
    """Tokens with which programs use the HTTP API, each with a role."""


@token.command("add", short_help="Make a token.")
@click.argument("name")
@click.option("--role", type=_ROLE, default="observer", show_default=True, help="What it may.")
@click.option("--days", type=float, default=365, show_default=True, help="For how long.")
@json_option
@data_option
def token_add(*, name: str, role: str, days: float, as_json: bool, data: Path | None) -> None:
    """Make a token NAME; it is shown now and never again."""
    made = do(data, "token.add", create=True, name=name, role=role, days=days)
    if as_json:
        print_json(made)
        return
    click.echo(made["token"])
    click.echo(
        f"A program says `Authorization: Bearer` and this, until {moment(made['expires'])}.\n"
        "It is not shown again.",
        err=True,
    )


@token.command("revoke", short_help="Let a token be used no more.")
@click.argument("name")
@json_option
@data_option
def token_revoke(*, name: str, as_json: bool, data: Path | None) -> None:
    """Let the token NAME be used no more."""
    revoked = do(data, "token.revoke", name=name)
    _say(revoked, f"revoked the token {printable(name)}", as_json=as_json)


@token.command("list", short_help="List the tokens.")
@json_option
@data_option
def token_list(*, as_json: bool, data: Path | None) -> None:
    """List the tokens: role, until when, last used, name; they themselves are kept nowhere."""

    def row(one: dict[str, Any]) -> tuple[str, ...]:
        until, used = f"until {moment(one['expires'])}", f"used {moment(one['seen'])}"
        return one["role"], until, used, one["name"]

    show(do(data, "token.list"), row, none="there are no tokens", as_json=as_json)
