"""Who can play: the accounts of a server that a run may use, from a TOML file.

A table is an account: `uin`, `password`, the nickname that others see (`nick`, or else the name of
the table), who are friends from the beginning, and under their own names whatever else the account
has. `suite/accounts.toml` is such a file, with all that the suite can use.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kqq.conformance.published import SUITE
from kqq.errors import ConfigError
from kqq.plays.accounts import Account

USUAL = {"who_may_add": "ask", "who_may_write": "friends", "face": "0"}
"""What an account has if nothing else is said."""
_HIGHEST_UIN = 4294967295


@dataclass(frozen=True, slots=True)
class Player:
    """An account that can play parts; `settings` is what it has that is not usual, as text."""

    account: Account
    nick: str
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its table."""
        return self.account.name

    @property
    def uin(self) -> int:
        """Its number."""
        return self.account.uin

    @property
    def may_sign_in(self) -> bool:
        """Whether it is not suspended."""
        return "suspended" not in self.settings


Company = tuple[Player, ...]
"""All accounts that a run may use, in the order of the file."""


def example() -> str:
    """Return a file with all accounts that the suite can use."""
    return (SUITE / "accounts.toml").read_text(encoding="utf-8")


def usual_company() -> Company:
    """Return the accounts of the example."""
    return parse_company(example(), "the example")


def read_company(path: Path) -> Company:
    """Return the accounts in a file. Raises ConfigError if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not in UTF-8") from error
    return parse_company(text, str(path))


def parse_company(text: str, where: str) -> Company:
    """Return the accounts in `text`; `where` it stands is for errors. Raises ConfigError."""
    try:
        tables = tomllib.loads(text)
    except ValueError as error:
        # What it says may show a piece of the text, and so a password.
        _, at, place = str(error).rpartition("(at ")
        there = f" {at}{place}" if at else ""
        raise ConfigError(
            f"{where} is not TOML{there}; `kqq conformance --accounts-example` prints such a file"
        ) from None
    players = tuple(_player(name, table, where) for name, table in tables.items())
    if not players:
        raise ConfigError(f"{where} has no accounts; write [Romeo] and below it uin and password")
    seen: dict[int, str] = {}
    for player in players:
        if player.uin in seen:
            raise ConfigError(
                f"{where}: [{player.name}] has the number of [{seen[player.uin]}]; "
                "every account needs its own"
            )
        seen[player.uin] = player.name
    names = set(seen.values())
    for player in players:
        if unknown := sorted(player.account.friends - names):
            raise ConfigError(f"{where}: [{player.name}] has a friend {unknown[0]!r} who has none")
    return players


def _player(name: str, table: Any, where: str) -> Player:
    if not isinstance(table, dict):
        raise ConfigError(
            f"{where}: {name} is not in a table; write [Romeo] above uin and password"
        )
    given = dict(table)
    uin, password = given.pop("uin", None), given.pop("password", None)
    friends, nick = given.pop("friends", []), given.pop("nick", name)
    if type(uin) is not int or not 0 < uin <= _HIGHEST_UIN:
        raise ConfigError(f"{where}: [{name}] needs its number, such as uin = 10001")
    if not isinstance(password, str) or not password:
        raise ConfigError(f'{where}: [{name}] needs its password, such as password = "secret"')
    if not isinstance(friends, list) or not all(isinstance(one, str) for one in friends):
        raise ConfigError(f'{where}: [{name}] friends are names of tables, such as ["Juliet"]')
    settings = {"nick": nick, **given}
    for key, value in settings.items():
        if type(value) not in {str, int}:
            raise ConfigError(f"{where}: [{name}] {key} is neither a text nor a whole number")
    return Player(
        Account(name, uin, password, frozenset(friends)),
        str(nick),
        {key: str(value) for key, value in given.items() if USUAL.get(key) != str(value)},
    )
