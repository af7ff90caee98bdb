"""Files of accounts: CSV with the columns uin, nick, password, friends."""

import csv
import io
import os
import re
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

import click

from kqq.cli.group import counted
from kqq.cli.reach import do
from kqq.errors import AccountError

T = TypeVar("T")
COLUMNS = ("uin", "nick", "password", "friends")
_SHOWN = 100
"""Mistakes that are told of; a file with more has one, made often."""
_PART, _ASKED, _PAGE = 100, 400, 1000
"""Accounts that are added at once, and numbers or pairs that are sent at once: a server must do
other things in between."""
_NUMBER = re.compile(r"[0-9]{1,10}")
_FORMULA = re.compile(r"'*[=+@\-\uff1d\uff0b\uff20\uff0d]")
"""What a spreadsheet takes for a formula, in some countries wide signs, too; quotes in front make
it a text. Nicknames come from strangers, and a formula can send the whole sheet to one of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file: its number in it, and what it says."""

    line: int
    uin: int
    nick: str
    password: str = field(repr=False)
    friends: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What is to be added: accounts, and pairs of friends."""

    new: list[Row]
    pairs: list[tuple[int, int]]


Wrong = list[tuple[int, str]]
"""Numbers of lines, and what is wrong with them."""


def write_rows(file: IO[str], accounts: Iterable[dict[str, Any]]) -> None:
    """Write accounts (`uin`, `nick`, `friends`) so that `read_rows` gives the same."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in accounts:
        nick = f"'{one['nick']}" if _FORMULA.match(one["nick"]) else one["nick"]
        writer.writerow((one["uin"], nick, "", " ".join(map(str, one["friends"]))))


def read_rows(file: Path) -> tuple[list[Row], Wrong]:
    """Return what a file says, and the lines that cannot be read.

    Raises AccountError if it is no such file at all.
    """
    rows: list[Row] = []
    wrong: Wrong = []
    reader = csv.reader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if sorted(names) != sorted(COLUMNS):
            # It is not shown: without these names it may be somebody's password.
            raise AccountError(
                f"{file}: the first line must be {','.join(COLUMNS)}, with commas between; it is "
                "something else"
            )
        for values in reader:
            if not values:
                continue  # an empty line
            try:
                rows.append(_row(reader.line_num, names, values))
            except ValueError as error:
                wrong.append((reader.line_num, str(error)))
    except csv.Error as error:
        raise AccountError(f"{file} line {reader.line_num}: {error}") from error
    return rows, wrong


def known_among(data: Path | None, rows: Iterable[Row]) -> set[int]:
    """Return those of the numbers that are named anywhere which are accounts already."""
    named = {uin for row in rows for uin in (row.uin, *row.friends)}
    known: set[int] = set()
    for uins in _parts(sorted(named), _ASKED):
        known |= {one["uin"] for one in do(data, "account.which", create=True, uins=uins)}
    return known


def check_rows(
    file: Path, rows: Sequence[Row], wrong: Wrong, known: set[int], *, skip_existing: bool
) -> Checked:
    """Return what is to be added of a file.

    `known` are the numbers of accounts that are there, `wrong` the lines that could not be read.
    Raises AccountError with these and all lines that say what cannot be.
    """
    first: dict[int, int] = {}
    for row in rows:
        first.setdefault(row.uin, row.line)
    everybody = known | first.keys()
    wrong = [*wrong, *((row.line, why) for row in rows for why in _mistakes(row, everybody))]
    for row in rows:
        if first[row.uin] != row.line:
            wrong.append((row.line, f"{row.uin} is on line {first[row.uin]} already"))
        elif row.uin in known and not skip_existing:
            wrong.append((row.line, f"there is an account {row.uin} already (--skip-existing)"))
    if wrong:
        told = "".join(f"\n  line {line}: {why}" for line, why in sorted(wrong)[:_SHOWN])
        more = f"\n  … and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise AccountError(f"nothing of {file} was added, since{told}{more}")
    pairs = {(min(row.uin, other), max(row.uin, other)) for row in rows for other in row.friends}
    return Checked([row for row in rows if row.uin not in known], sorted(pairs))


def _mistakes(row: Row, everybody: set[int]) -> Iterator[str]:
    """Give what cannot be in a line, whatever else is in the file."""
    from kqq.server.accounts import check_nick, check_uin

    try:
        check_uin(row.uin)
        check_nick(row.nick)
    except AccountError as error:
        yield str(error)
    for other in row.friends:
        if other == row.uin:
            yield f"{other} cannot be a friend of itself"
        elif other not in everybody:
            yield f"there is no account {other} to be a friend"


def proofs(rows: Sequence[Row]) -> Generator[dict[str, Any], None, None]:
    """Give each row as an account to add, with its proof; on all processors, as that is slow.

    An empty password becomes one that nobody knows. Close it to begin no more of them.
    """
    from kqq.server.accounts import new_proof

    def make(row: Row) -> dict[str, Any]:
        proof = new_proof(row.password or os.urandom(32).hex(), os.urandom)
        return {"uin": row.uin, "nick": row.nick, "proof": proof}

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        try:
            yield from threads.map(make, rows)
        finally:
            threads.shutdown(cancel_futures=True)


def add_rows(data: Path | None, checked: Checked) -> tuple[int, int]:
    """Add accounts and friendships; return how many. If it ends early, say how far it came."""
    new, pairs = checked.new, checked.pairs
    added = befriended = 0
    try:
        with closing(proofs(new)) as made, _progress(made, len(new), "adding accounts") as bar:
            for accounts in _parts(bar, _PART):
                do(data, "account.import", accounts=accounts, friends=[])
                added += len(accounts)
        parts = list(_parts(pairs, _PAGE))
        with _progress(iter(parts), len(parts), "making friends") as bar_of_parts:
            for part in bar_of_parts:
                befriended += do(data, "account.import", accounts=[], friends=part)["friends"]
    except BaseException:
        click.echo(
            f"kqq: {added} of {counted(len(new), 'account')} and "
            f"{counted(befriended, 'friendship')} were added before it ended; run the same with "
            "--skip-existing to go on",
            err=True,
        )
        raise
    return added, befriended


def _progress(items: Iterator[T], length: int, label: str) -> AbstractContextManager[Iterator[T]]:
    """Return `items` with a bar that shows how many were taken, if somebody sees it."""
    if sys.stderr is None or not sys.stderr.isatty():
        return nullcontext(items)
    bar: Any = click.progressbar(items, length=length, label=label, file=sys.stderr)
    return bar  # type: ignore[no-any-return]


def _parts(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """Give items in lists of `most`; the last may have less."""
    rest = iter(items)
    while part := list(islice(rest, most)):
        yield part


def _text(file: Path) -> str:
    """Return the text of a file. Raises AccountError with the line that is none."""
    try:
        raw = file.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise AccountError(f"cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise AccountError(
            f"{file} line {line}: {raw[error.start]:#04x} is not UTF-8; save it as CSV UTF-8"
        ) from error


def _row(line: int, names: list[str], values: list[str]) -> Row:
    """Return a line. Raises ValueError with what is wrong with it."""
    if len(values) != len(names):
        raise ValueError(f"it has {len(values)} values, not {len(names)}: {','.join(names)}")
    found = dict(zip(names, values, strict=True))
    uin, friends, nick = found["uin"].strip(), found["friends"].split(), found["nick"]
    if not _NUMBER.fullmatch(uin):
        raise ValueError(f"uin {uin!r} is no number")
    if not all(map(_NUMBER.fullmatch, friends)):
        raise ValueError("friends must be numbers with blanks between")
    nick = nick[1:] if nick.startswith("'") and _FORMULA.match(nick) else nick
    return Row(line, int(uin), nick, found["password"], tuple(map(int, friends)))
