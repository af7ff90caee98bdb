"""`kqq login`, `logins` and `logout`: the accounts that this machine knows."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kqq.cli.completing import complete_accounts
from kqq.cli.group import (
    NUMBER,
    ask_password,
    json_option,
    main,
    print_json,
    show,
    tell_error,
)
from kqq.cli.session import Session, run
from kqq.cli.signing_in import (
    SignIn,
    ca_option,
    password_option,
    server_option,
    sign_in_as,
    uin_option,
)
from kqq.errors import ConfigError
from kqq.words import tr

if TYPE_CHECKING:
    from kqq.client import Address
    from kqq.client.settings import AccountSettings, Settings


@main.command(short_help="Note an account of yours, and try it.")
@click.argument("name", required=False, shell_complete=complete_accounts)
@uin_option
@server_option
@click.option(
    "--discover",
    metavar="URL",
    help="Where servers are listed, such as http://HOST:8000, besides --server or instead.",
)
@password_option
@ca_option
@click.option("--history/--no-history", default=None, help="Whether messages are kept here.")
@click.option("--default", "is_default", is_flag=True, help="Use this account if none is named.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long an answer may take.",
)
@json_option
def login(
    *,
    name: str | None,
    uin: int | None,
    servers: tuple[str, ...],
    discover: str | None,
    password_stdin: bool,
    ca: Path | None,
    history: bool | None,
    is_default: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Note an account under NAME (its number, if left out), after signing in with it once.

    What is noted: number, servers, whose certificates to trust. The password goes into the keyring
    of the system, if there is one, and else nowhere: it is asked for each time. What is left out is
    as it was if there is an account NAME, and is asked for at a terminal. The first account is the
    one that commands use if none is named.
    """
    from kqq.client import Address
    from kqq.client.discovery import document_url
    from kqq.client.settings import load, save

    settings = load()
    account = _account(settings, name, uin)
    name = name or settings.name_of(account.uin) or str(account.uin)
    if discover is not None:
        account = replace(account, discover=document_url(discover), servers=())
    if servers:
        account = replace(account, servers=tuple(map(Address.parse, servers)))
    elif not account.servers and not account.discover:
        account = replace(account, servers=(_asked_server(),))
    if ca is not None:
        account = replace(account, ca=ca.absolute())
    if history is not None:
        account = replace(account, history=history)
    signing = sign_in_as(account, timeout=timeout, from_stdin=password_stdin)
    password = ask_password(from_stdin=password_stdin)
    answered: list[Address] = []

    async def work(session: Session) -> None:
        answered.append(session.me.servers[0])
        await session.knows_friends()  # so that who has written has a name

    run(signing, work, password=password)
    account = replace(account, last=None)
    if account.in_order()[:1] != tuple(answered):
        account = replace(account, last=answered[0])
    accounts = {**settings.accounts, name: account}
    default = name if is_default or not settings.accounts else settings.default
    save(replace(settings, accounts=accounts, default=default))
    is_kept = _keep(signing, password)
    if as_json:
        shown = _object(name, account, is_default=default == name)
        print_json({**shown, "answered": str(answered[0]), "password_kept": is_kept})
    else:
        words = tr("{name} is {uin} at {server}.")
        click.echo(words.format(name=name, uin=account.uin, server=answered[0]))


def _account(settings: "Settings", name: str | None, uin: int | None) -> "AccountSettings":
    """Return the account as it is noted, or a new one."""
    from kqq.client.settings import AccountSettings

    known = name or (settings.name_of(uin) if uin else None)
    if known in settings.accounts:
        account = settings.accounts[known]
        return account if uin is None else replace(account, uin=uin)
    return AccountSettings(uin=uin or _asked_number())


def _asked_number() -> int:
    if not sys.stdin.isatty():
        raise ConfigError("whose account is it? say --uin NUMBER, or set KQQ_UIN")
    asked: int = click.prompt(tr("Your number"), type=NUMBER, err=True)
    return asked


def _asked_server() -> "Address":
    from kqq.client import Address
    from kqq.client.settings import DEFAULT_SERVER

    if not sys.stdin.isatty():
        return DEFAULT_SERVER
    return Address.parse(click.prompt(tr("Server"), default=str(DEFAULT_SERVER), err=True))


def _keep(signing: SignIn, password: str) -> bool:
    """Put the password into the keyring; where that cannot be, say that it is asked for."""
    from kqq.client.passwords import store

    try:
        store(signing.uin, signing.home, password)
    except ConfigError as error:
        tell_error(error)
        words = tr(
            "The password is not kept: it is asked for each time, or taken from KQQ_PASSWORD."
        )
        click.echo(words, err=True)
        return False
    return True


@main.command(short_help="List your accounts.")
@json_option
def logins(*, as_json: bool) -> None:
    """List the accounts that `kqq login` has noted; a * marks the one used if none is named."""
    from kqq.client.settings import load

    settings = load()
    chosen = settings.chosen()
    default = chosen[0] if chosen else None

    def row(one: dict[str, Any]) -> tuple[str, ...]:
        mark = "*" if one["default"] else " "
        places = [*one["servers"], *filter(None, [one["discover"]])]
        return f"{mark} {one['name']}", str(one["uin"]), ", ".join(places)

    show(
        (
            _object(name, account, is_default=name == default)
            for name, account in settings.accounts.items()
        ),
        row,
        none=tr("no accounts yet; kqq login notes one"),
        as_json=as_json,
    )


def _object(name: str, account: "AccountSettings", *, is_default: bool) -> dict[str, Any]:
    return {
        "name": name,
        "uin": account.uin,
        "servers": [str(server) for server in account.servers],
        "discover": account.discover or None,
        "last": None if account.last is None else str(account.last),
        "ca": None if account.ca is None else str(account.ca),
        "history": account.history,
        "default": is_default,
    }


@main.command(short_help="Forget an account of yours.")
@click.argument("name", shell_complete=complete_accounts)
@json_option
def logout(*, name: str, as_json: bool) -> None:
    """Forget the account NAME on this machine, and its password in the keyring.

    Its messages stay in the history, see `kqq history`; the account stays on the server.
    """
    from kqq.client.passwords import NoKeyring, forget
    from kqq.client.settings import load, save

    settings = load()
    account = settings.account(name)
    accounts = {key: one for key, one in settings.accounts.items() if key != name}
    default = settings.default if settings.default in accounts else ""
    is_forgotten = False
    try:
        for place in sign_in_as(account).places:
            is_forgotten |= forget(account.uin, place)
    except NoKeyring:
        pass  # so nothing was ever kept
    except ConfigError as error:
        tell_error(error)
        click.echo(tr("If the keyring has its password, delete it there."), err=True)
    save(replace(settings, accounts=accounts, default=default))
    if as_json:
        print_json({"name": name, "uin": account.uin, "password_forgotten": is_forgotten})
    else:
        click.echo(tr("{name} is forgotten.").format(name=name))
