"""The settings of a client: whose number, which servers. A TOML file that people may edit.

```toml
default = "anna"

[accounts.anna]
uin = 10001
servers = ["tcp://192.0.2.7:14000", "http://192.0.2.7:14000"]  # tried in this order
discover = "http://192.0.2.7:8000"  # where servers are listed, besides or instead
last = "tcp://192.0.2.7:14000"      # which answered last: it is tried first
ca = "my-ca.pem"                    # who is trusted for kqqs:// and https://
history = true                      # whether messages are kept on this machine
```

Only `uin` must be there. Passwords are never in it: see `kqq.client.passwords`.
"""

import difflib
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import platformdirs

from kqq.client.transport import Address
from kqq.errors import ConfigError

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

DEFAULT_SERVER = Address("127.0.0.1", 14000)
"""Where `kqq serve` listens if nothing else is said."""
_HIGHEST_UIN = 4294967295
_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"\w[\w.-]{0,39}")
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_NEW = "# The accounts of kqq: `kqq login` writes this file, and keeps what you add to it.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """How somebody signs in."""

    uin: int
    servers: tuple[Address, ...] = ()
    """Tried in this order."""
    discover: str = ""
    """The URL of a document that lists servers, tried after `servers`; "" for none."""
    last: Address | None = None
    """The server that answered last."""
    ca: Path | None = None
    """Who is trusted to sign certificates of servers, as PEM; None for whom the system trusts."""
    history: bool = True
    """Whether messages are kept on this machine."""

    @property
    def home(self) -> Address:
        """The server that the history and the password are kept for, whichever answers."""
        if self.servers or not self.discover:
            return next(iter(self.servers), DEFAULT_SERVER)
        url = urlsplit(self.discover)
        return Address(url.hostname or "", url.port or _PORTS[url.scheme], url.scheme)

    def places(self, named: Sequence[Address] = ()) -> tuple[Address, ...]:
        """Return for which servers a password may be kept, where only those `named` are asked.

        The history is kept for the first of them. Servers that are not the account's are another
        place, which must not get its password.
        """
        is_elsewhere = bool(named) and not set(named) <= set(self.servers)
        return tuple(dict.fromkeys(named if is_elsewhere else (self.home, *self.servers)))

    def in_order(self) -> tuple[Address, ...]:
        """Return the servers to try: first which answered last, if it still is one of them.

        One that is not in `servers` can have come from the document, if there is one.
        """
        if self.last is None or not (self.last in self.servers or self.discover):
            return self.servers
        return (self.last, *(server for server in self.servers if server != self.last))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All accounts of somebody, by name; `default` is the name of one, or "".

    `file` is where they were read.
    """

    default: str = ""
    accounts: dict[str, AccountSettings] = field(default_factory=dict)
    file: Path | None = field(default=None, compare=False)

    def account(self, name: str) -> AccountSettings:
        """Return an account. Raises ConfigError, which tells the names that there are."""
        if name in self.accounts:
            return self.accounts[name]
        there = ", ".join(self.accounts) or "no account yet"
        where = f" in {self.file}" if self.file else ""
        raise ConfigError(
            f"there is no account {name!r}{where}, which has {there}; `kqq login NAME` makes one"
        )

    def chosen(self, name: str | None = None) -> tuple[str, AccountSettings] | None:
        """Return the account `name`, or else the default one, or else the only one, or None."""
        name = name or self.default or (next(iter(self.accounts)) if self._is_single else "")
        return (name, self.account(name)) if name else None

    def name_of(self, uin: int) -> str | None:
        """Return the name of an account with this number, the default one first; None for none."""
        names = sorted(self.accounts, key=lambda name: name != self.default)
        return next((name for name in names if self.accounts[name].uin == uin), None)

    @property
    def _is_single(self) -> bool:
        return len(self.accounts) == 1


def settings_file(environment: Mapping[str, str] | None = None) -> Path:
    """Return where the settings are: KQQ_CLIENT_CONFIG, or `client.toml` in the user's folder."""
    named = (os.environ if environment is None else environment).get("KQQ_CLIENT_CONFIG")
    return Path(named or platformdirs.user_config_path("kqq", appauthor=False) / "client.toml")


def load(file: Path | None = None) -> Settings:
    """Return the settings in a file, `settings_file()` if not given; none if it is not there.

    Raises ConfigError with line and key, the rule, and what to do.
    """
    path = file or settings_file()
    text = _read(path)
    return Settings(file=path) if text is None else _parse(text, path)


def save(settings: Settings, file: Path | None = None) -> None:
    """Write settings to a file, by default the one they were read from.

    What somebody else wrote there stays as it is, comments too, as far as it says the same. The
    file is replaced in one step, and only its owner may read it. Raises ConfigError.
    """
    path = file or settings.file or settings_file()
    _check(settings, path)
    settings = _with_whole_paths(settings)
    document = _edited(settings, path)
    text = document.as_string()
    if _parse(text, path) != settings:
        raise ConfigError(f"{path} cannot be changed in this form; change it by hand")
    _write(path, text)


def remember_server(name: str, address: Address | str, file: Path | None = None) -> None:
    """Note that this server answered for the account `name`, so that it is tried first.

    The file is written only if another would be. Raises ConfigError.
    """
    settings = load(file)
    account = settings.account(name)
    last = address if isinstance(address, Address) else Address.parse(address)
    if account.in_order()[:1] != (last,):
        changed = replace(account, last=last)
        accounts = {**settings.accounts, name: changed}
        save(replace(settings, accounts=accounts))


# --- reading -------------------------------------------------------------------------------------


def _read(path: Path) -> str | None:
    """Return what is in a file, None if it is not there."""
    raw = b""
    try:
        raw = path.read_bytes()
        return raw.decode()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path} line {line}: {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from error


def _parse(text: str, path: Path) -> Settings:
    try:
        written = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path}{_syntax(str(error), text)}; write it as TOML wants") from error
    wrong = partial(_wrong, path, text)
    _check_keys(written, ("default", "accounts"), wrong, ())
    accounts = written.get("accounts", {})
    if not isinstance(accounts, dict):
        wrong(("accounts",), "must be tables such as [accounts.anna]")
    default = written.get("default", "")
    if not isinstance(default, str):
        wrong(("default",), f"{_shown(default)} is not the name of an account")
    settings = Settings(
        default=default,
        accounts={
            name: _account(name, table, path.parent.absolute(), wrong)
            for name, table in accounts.items()
        },
        file=path,
    )
    if settings.default and settings.default not in settings.accounts:
        wrong(("default",), f"must be one of: {', '.join(accounts) or 'there is no account yet'}")
    return settings


_Wrong = Callable[[tuple[str, ...], str], NoReturn]
"""Raises ConfigError about the key at this place, with what the rule is."""


def _account(name: str, table: object, folder: Path, wrong: _Wrong) -> AccountSettings:
    at = ("accounts", name)
    if not _NAME.fullmatch(name):
        wrong(at, _NAME_RULE)
    if not isinstance(table, dict):
        wrong(at, f"must be a table: write [accounts.{name}] and the keys below it")
    _check_keys(table, _KEYS, wrong, at)
    if "uin" not in table:
        wrong(at, "has no uin; write uin = 10001, with your number")
    values: dict[str, Any] = {}
    for key, value in table.items():
        try:
            values[key] = _KEYS[key](value)
        except ConfigError as error:
            wrong((*at, key), str(error))
    if "ca" in values:
        values["ca"] = folder / values["ca"]
    return AccountSettings(**values)


def _check_keys(
    table: Mapping[str, object], known: Collection[str], wrong: _Wrong, at: tuple[str, ...]
) -> None:
    """Raise ConfigError at a key that is not known; its value may be a secret, and is not shown."""
    for key in table:
        if key in known:
            continue
        if "pass" in key.lower():
            wrong(
                (*at, key),
                "is not kept in a file; remove it, and let `kqq login` put the password into "
                "the keyring, or set KQQ_PASSWORD",
            )
        near = difflib.get_close_matches(key, known, 1)
        told = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        wrong((*at, key), f"is no setting; {told}")


def _uin(value: object) -> int:
    if type(value) is not int or not 0 < value <= _HIGHEST_UIN:
        raise ConfigError(f"{_shown(value)} is not a number from 1 to {_HIGHEST_UIN}")
    return value


def _address(value: object) -> Address:
    if not isinstance(value, str):
        raise ConfigError(f'{_shown(value)} is not an address such as "tcp://192.0.2.7:14000"')
    return Address.parse(value)


def _addresses(value: object) -> tuple[Address, ...]:
    if not isinstance(value, list):
        raise ConfigError(f'{_shown(value)} is not a list such as ["tcp://192.0.2.7:14000"]')
    return tuple(map(_address, value))


def _url(value: object) -> str:
    with suppress(ValueError):  # of urlsplit, such as a port that is none
        if isinstance(value, str) and (not value or _is_url(value)):
            return value
    raise ConfigError(f'{_shown(value)} is not a URL such as "http://192.0.2.7:8000"')


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise ConfigError(f'{_shown(value)} is not the path of a file such as "my-ca.pem"')
    return Path(value).expanduser() if value.startswith("~/") else Path(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{_shown(value)} is neither true nor false")
    return value


_KEYS: dict[str, Callable[[object], object]] = {
    "uin": _uin,
    "servers": _addresses,
    "discover": _url,
    "last": _address,
    "ca": _path,
    "history": _truth,
}
_NAME_RULE = "is no name; write up to 40 letters, digits and any of _ . -, such as anna"


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _wrong(path: Path, text: str, at: tuple[str, ...], rule: str) -> NoReturn:
    raise ConfigError(f"{path} line {_line(text, at)}: {'.'.join(at)}: {rule}")


def _line(text: str, at: tuple[str, ...]) -> int:
    """Return the number of the line where a key is, or else of the table that it is in."""
    *table, key = at
    inside: list[str] = []
    found = 1
    for number, line in enumerate(text.splitlines(), 1):
        heading = re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line)
        if heading:
            inside = [part.strip(" \"'") for part in heading[1].split(".")]
            if inside == list(at):
                return number
            found = number if inside == table else found
        written = line.partition("=")[0]
        keys = [*inside, *(part.strip(" \t\"'") for part in written.split("."))]
        if "=" in line and keys == [*table, key]:
            return number
    return found


def _syntax(message: str, text: str) -> str:
    """Return what tomllib says, with the place first."""
    place = _PLACE.search(message)
    if place is None:
        return f": {message}"
    line = place[1] or len(text.splitlines())
    return f" line {line}: {message[: place.start()]}"


# --- writing -------------------------------------------------------------------------------------


def _check(settings: Settings, path: Path) -> None:
    """Raise ConfigError about what could be written but not read again."""
    for name in settings.accounts:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} {_NAME_RULE}")
    if settings.default:
        replace(settings, file=path).account(settings.default)


def _with_whole_paths(settings: Settings) -> Settings:
    accounts = {
        name: replace(account, ca=account.ca and account.ca.absolute())
        for name, account in settings.accounts.items()
    }
    return replace(settings, accounts=accounts)


def _edited(settings: Settings, path: Path) -> "TOMLDocument":
    """Return what is in the file, with what is not as in `settings` changed."""
    import tomlkit  # noqa: PLC0415  # takes its time, and is seldom needed

    text = _read(path)
    before = Settings() if text is None else _parse(text, path)
    document = tomlkit.parse(_NEW if text is None else text)
    if settings.default != before.default:
        _put(document, "default", settings.default or None)
    tables: Any = document.setdefault("accounts", tomlkit.table(is_super_table=True))
    for name in before.accounts.keys() - settings.accounts.keys():
        tables.remove(name)
    for name, account in settings.accounts.items():
        if name not in tables:
            tables.add(name, tomlkit.table())
        old = before.accounts.get(name)
        for one in fields(AccountSettings):
            value = getattr(account, one.name)
            if old is None or value != getattr(old, one.name):
                _put(tables[name], one.name, None if value == one.default else _plain(value))
    return document


def _put(table: Any, key: str, value: object) -> None:
    if value is not None:
        table[key] = value
    elif key in table:
        table.remove(key)


def _plain(value: object) -> object:
    """Return a value as TOML has it."""
    if isinstance(value, tuple):
        return [str(one) for one in value]
    if isinstance(value, Path):
        return str(value)
    return value if isinstance(value, bool | int | str) else str(value)


def _write(path: Path, text: str) -> None:
    """Replace a file in one step; where it is a link, the file that it leads to."""
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as new:
                new.write(text.encode())
                new.flush()
                os.fsync(new.fileno())
            Path(name).replace(target)
        except OSError:
            Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error
