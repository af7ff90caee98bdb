"""Who the people of a play are on a server: their numbers, their passwords, their friends."""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kqq.capture.plays import FIRST_NUMBER
from kqq.errors import ConfigError
from kqq.protocol.transcript import Play

FIRST = FIRST_NUMBER
"""The number of the first actor where nobody says another."""
PASSWORD = "secret"  # noqa: S105  # everybody's in plays
"""The password of everybody where nobody says another."""
_HIGHEST = 4294967295
_PERSON = re.compile(r"\{([A-Z]\w*)\}")
_KEYS = ("uin", "password", "friends")
_EXAMPLE = 'write [Romeo], then uin = 10001, password = "secret" and friends = ["Juliet"]'


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody's account; `friends` are names."""

    name: str
    uin: int
    password: str = field(default=PASSWORD, repr=False)
    friends: frozenset[str] = frozenset()

    @property
    def password_md5(self) -> str:
        """What `{password}` stands for: the MD5 in capital letters, as phones say it (TIEBA)."""
        said = self.password.encode("utf-8", "surrogateescape")
        return hashlib.md5(said).hexdigest().upper()  # noqa: S324  # the protocol has it so


class Accounts(Mapping[str, Account]):
    """Accounts by name. `knows_friends` says whether the friends told are all there are."""

    def __init__(self, accounts: Iterable[Account] = (), *, knows_friends: bool = False) -> None:
        self._by_name = {account.name: account for account in accounts}
        self.knows_friends = knows_friends

    def __getitem__(self, name: str) -> Account:
        """Return the account of a name."""
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over names in order."""
        return iter(self._by_name)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._by_name)

    def of_number(self, uin: int) -> Account | None:
        """Return the account with a number."""
        return next((one for one in self._by_name.values() if one.uin == uin), None)

    def are_friends(self, one: str, other: str) -> bool:
        """Whether the file says so, in either of the two."""
        return other in self[one].friends or one in self[other].friends

    def with_numbers(self, given: Mapping[str, int]) -> "Accounts":
        """Return these with other numbers for some; who is new has the usual password."""
        changed = {name: self._by_name.get(name, Account(name, 0)) for name in given}
        renumbered = [
            Account(name, given[name], one.password, one.friends) for name, one in changed.items()
        ]
        kept = [one for name, one in self._by_name.items() if name not in given]
        _check_numbers([*kept, *renumbered], "the accounts")
        return Accounts([*kept, *renumbered], knows_friends=self.knows_friends)

    @classmethod
    def invent(
        cls,
        names: Iterable[str],
        *,
        first: int = FIRST,
        password: str = PASSWORD,
        given: Mapping[str, int] | None = None,
    ) -> "Accounts":
        """Return accounts with numbers from `first` on, in the order of names.

        `given` are numbers of some; nobody else gets one of these. Raises ConfigError if a number
        is given twice.
        """
        given = given or {}
        taken = set(given.values())
        free = (number for number in range(first, _HIGHEST) if number not in taken)
        accounts = [Account(name, given.get(name) or next(free), password) for name in names]
        _check_numbers(accounts, "the accounts")
        return cls(accounts)

    @classmethod
    def read(cls, path: Path) -> "Accounts":
        """Return the accounts in a TOML file: a table for each name.

        Raises ConfigError with the file, the name and the rule if it cannot be used.
        """
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            # What the error says may show a piece of the file, and so a password.
            place = _place(str(error))
            raise ConfigError(f"{path} is not TOML{place}; {_EXAMPLE}") from None
        accounts = [_account(path, name, table) for name, table in tables.items()]
        if not accounts:
            raise ConfigError(f"{path} has no accounts; {_EXAMPLE}")
        _check_numbers(accounts, str(path))
        found = cls(accounts, knows_friends=True)
        for account in accounts:
            for friend in account.friends - found.keys():
                raise ConfigError(f"{path}: {account.name} has a friend {friend}, who is not there")
        return found


def people(play: Play) -> tuple[str, ...]:
    """Return everybody in a play: who does something or is named, then who is only in a line."""
    named = (name for one in play.statements for name in _PERSON.findall(one.source))
    return tuple(dict.fromkeys([*play.actors, *named]))


def _account(path: Path, name: str, table: Any) -> Account:
    where = f"{path}: {name}"
    if not isinstance(table, dict):
        raise ConfigError(f"{where} is no table; {_EXAMPLE}")
    for key in table:
        if key not in _KEYS:
            raise ConfigError(f"{where} has {key!r}; known are {', '.join(_KEYS)}")
    uin, password, friends = (
        table.get("uin"),
        table.get("password", PASSWORD),
        table.get("friends", []),
    )
    if not isinstance(uin, int) or isinstance(uin, bool) or not 0 < uin <= _HIGHEST:
        raise ConfigError(f"{where} must have a uin, a number from 1 to {_HIGHEST}")
    if not isinstance(password, str) or not password:
        raise ConfigError(f"{where} must have a password in quotes, or none of its own")
    if not isinstance(friends, list) or not all(isinstance(one, str) for one in friends):
        raise ConfigError(f"{where} must have friends as a list of names")
    return Account(name, uin, password, frozenset(friends))


def _check_numbers(accounts: list[Account], where: str) -> None:
    names: dict[int, str] = {}
    for account in accounts:
        other = names.setdefault(account.uin, account.name)
        if other != account.name:
            raise ConfigError(
                f"{where}: {other} and {account.name} have the same number {account.uin}; give "
                "everybody another one"
            )


def _place(words: str) -> str:
    at = words.rfind("(at ")
    return f" {words[at:]}" if at >= 0 else ""
