"""What a shell offers when somebody presses Tab: accounts, and people from the history."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from kqq.cli.group import main
from kqq.errors import KQQError
from kqq.words import printable

if TYPE_CHECKING:
    from kqq.client.settings import AccountSettings

_SAFE_WORD = re.compile(r"\w[\w.@+-]*")
"""Nicknames that a shell takes for one word and nothing else. Bash puts what is offered into the
line as it is, so that `Bo;reboot`, or `Bo$(reboot)`, would be done at Enter."""


@main.command(short_help="Print what makes Tab complete commands.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what makes Tab complete commands, options, accounts, people and statuses in SHELL.

    For bash, put `eval "$(kqq completion bash)"` into ~/.bashrc; for zsh, the same with zsh into
    ~/.zshrc; for fish, `kqq completion fish | source` into ~/.config/fish/config.fish.
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(main, {}, "kqq", "_KQQ_COMPLETE").source())


def complete_accounts(
    _context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return the accounts whose names begin so."""
    from kqq.client.settings import load

    try:
        accounts = load().accounts
    except KQQError:
        return []  # the command itself will tell
    return [
        CompletionItem(name, help=str(account.uin))
        for name, account in accounts.items()
        if name.startswith(begun)
    ]


def complete_people(
    context: click.Context, _parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return people whose numbers or nicknames begin so, as the history knows them.

    Nicknames that a shell could take for more than a word are not offered, their numbers are.
    """
    try:
        names = _known_people(context)
    except KQQError:
        return []
    begun = begun.casefold()
    numbers = [
        CompletionItem(str(uin), help=printable(nick))
        for uin, nick in names.items()
        if str(uin).startswith(begun)
    ]
    nicks = [
        CompletionItem(nick, help=str(uin))
        for uin, nick in names.items()
        if begun and nick.casefold().startswith(begun) and _is_safe(nick)
    ]
    return numbers + nicks


def _is_safe(nick: str) -> bool:
    return _SAFE_WORD.fullmatch(nick) is not None and nick == printable(nick)


def _known_people(context: click.Context) -> dict[int, str]:
    """Return the nicknames of the people of the account that the options so far choose."""
    from kqq.client.history import History
    from kqq.client.history_file import default_path
    from kqq.client.transport import Address

    account = _account(context)
    path = history_file() or default_path()
    if account is None or not path.exists():
        return {}
    named = tuple(map(Address.parse, context.params.get("servers") or ()))
    home = account.places(named)[0]
    with History.open(path) as history:
        return history.diary(account.uin, str(home)).names()


def _account(context: click.Context) -> "AccountSettings | None":
    from kqq.client.settings import AccountSettings, load

    settings = load()
    uin, name = context.params.get("uin"), context.params.get("account")
    if uin and not name:
        name = settings.name_of(uin)
        if name is None:
            return AccountSettings(uin=uin)
    chosen = settings.chosen(name)
    return None if chosen is None else chosen[1]


def history_file() -> Path | None:
    """Return the file of the history that KQQ_HISTORY names, None for the default."""
    named = os.environ.get("KQQ_HISTORY")
    return Path(named) if named else None
