"""What `kqq replay`, `record` and `mock` share: who is who, which server, and the play itself."""

import functools
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kqq.cli.group import NUMBER
from kqq.cli.signing_in import ca_option
from kqq.errors import ConfigError, PlayError
from kqq.words import tr

if TYPE_CHECKING:
    from kqq.client import Address
    from kqq.plays.accounts import Accounts
    from kqq.plays.against import Read, Terms
    from kqq.protocol.transcript import Play

Command = Callable[..., Any]
STDIN = "-"
FILE = click.Path(dir_okay=False, path_type=Path)
_LOGGED = re.compile(r"\bCMD=")
_MAKING = "`kqq decode --play` makes a play of a capture or a log"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who the people of a play are, as the options say."""

    file: Path | None
    given: dict[str, int]
    first: int

    def accounts(self, names: Iterable[str]) -> "Accounts":
        """Return the accounts of these people, or those in the file."""
        from kqq.plays.accounts import Accounts

        if self.file is None:
            return Accounts.invent([*names, *self.given], first=self.first, given=self.given)
        return Accounts.read(self.file).with_numbers(self.given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """With which server a play is performed, and how, as the options say."""

    address: "Address"
    over: str | None
    people: People
    wait: float
    quiet: float
    patience: float
    ca: Path | None

    def terms(self, play: "Play", letters: "Read | None") -> "Terms":
        """Return how a play is performed."""
        from kqq.client import make_trust
        from kqq.plays.against import Terms, usual_way

        return Terms(
            over=self.over or usual_way(play, self.address),
            wait=self.wait,
            quiet=self.quiet,
            patience=self.patience,
            letters=letters,
            trust=make_trust(self.ca) if self.address.is_tls else None,
        )


def _seconds(name: str, default: float, words: str) -> Callable[[Command], Command]:
    return click.option(
        name,
        type=click.FloatRange(0, 3600),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=words,
    )


_PEOPLE = (
    click.option(
        "--accounts",
        type=FILE,
        metavar="FILE",
        help="TOML with a table for each person: uin, password, friends.  [default: numbers from "
        "--first on, password secret]",
    ),
    click.option(
        "--account",
        "given",
        multiple=True,
        metavar="NAME=NUMBER",
        help="The number of somebody; may be given several times.",
    ),
    click.option(
        "--first", type=NUMBER, default=10001, show_default=True, help="The first free number."
    ),
)
_AGAINST = (
    click.option("--against", required=True, metavar="HOST:PORT", help="The server."),
    click.option("--http", "is_http", is_flag=True, help="Post each line over HTTP."),
    _seconds("--wait", 5.0, "How long a line that must come is waited for."),
    _seconds("--quiet", 0.3, "After how long a silence nothing more is taken to come."),
    _seconds("--patience", 0.0, "How long a play may let time go by; it really goes by."),
    ca_option,
)


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def people_options(command: Command) -> Command:
    """Give a command the options that say who people are; it gets them as `who`."""

    @functools.wraps(command)
    def run(*, accounts: Path | None, given: tuple[str, ...], first: int, **more: Any) -> Any:
        who = People(file=accounts, given=dict(map(_given, given)), first=first)
        return command(who=who, **more)

    return _with(_PEOPLE, run)


def against_options(command: Command) -> Command:
    """Give a command the options that say with which server; it gets them as `against`."""

    @functools.wraps(command)
    def run(
        *,
        against: str,
        is_http: bool,
        wait: float,
        quiet: float,
        patience: float,
        ca: Path | None,
        who: People,
        **more: Any,
    ) -> Any:
        from kqq.client import Address

        address = Address.parse(against, "tcp")
        found = Against(
            address=address,
            over="HTTP" if is_http or address.is_http else None,
            people=who,
            wait=wait,
            quiet=quiet,
            patience=patience,
            ca=ca,
        )
        return command(against=found, **more)

    return people_options(_with(_AGAINST, run))


def _given(text: str) -> tuple[str, int]:
    name, equals, number = text.partition("=")
    if not equals or not number.isascii() or not number.isdigit() or not 0 < int(number) < 1 << 32:
        raise click.UsageError(f"--account {text} cannot be; write NAME=NUMBER, like Romeo=10001")
    return name, int(number)


def play_text(name: str) -> str:
    """Return the text of a play, `-` is standard input. Raises ConfigError."""
    try:
        if name == STDIN:
            return sys.stdin.buffer.read().decode("utf-8")
        return Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{called(name)} is no play: it is not UTF-8; {_MAKING}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error.strerror}") from error


def parsed_play(text: str, name: str) -> "Play":
    """Return the play that a text is. Raises ConfigError with the line that cannot be read."""
    from kqq.protocol.transcript import parse_play

    try:
        play = parse_play(text)
    except PlayError as error:
        hint = f"; {_MAKING}" if _LOGGED.search(text) else ""
        raise ConfigError(f"{called(name)}, {error}{hint}") from error
    if not play.statements:
        raise ConfigError(f"{called(name)} has no statements, so there is nothing to perform")
    return play


def first_seq() -> int:
    """Return a `SEQ` that the last run did not begin with: servers know lines again for a while."""
    return 1000 + int(time.time() * 10) % 80_000 * 10


def called(name: str) -> str:
    """Return how people are told of a file, or of standard input."""
    return tr("standard input") if name == STDIN else name


def letters_for(source: str) -> "Read | None":
    """Return what asks the person at the terminal for letters, None if nobody can be asked."""
    from kqq.at_terminal import is_typed
    from kqq.cli.session import reader_of_letters

    if source == STDIN or not is_typed():
        return None

    async def read(uin: int, picture: bytes) -> str:
        return await reader_of_letters(uin)(picture)

    return read
