"""Files of accounts: CSV with the columns uin, nick, password, friends."""

import csv
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kqq.errors import AccountError

COLUMNS = ("uin", "nick", "password", "friends")
_SHOWN = 10
"""Wrong lines that are told of; a file with more has one mistake, made often."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file: its number in it, and what it says."""

    line: int
    uin: int
    nick: str
    password: str = field(repr=False)
    friends: tuple[int, ...]


def read_rows(file: Path) -> list[Row]:
    """Return what a file says. Raises AccountError with all lines that cannot be read."""
    rows, wrong = [], []
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            names = [name.strip() for name in reader.fieldnames or ()]
            if sorted(names) != sorted(COLUMNS):
                raise AccountError(
                    f"{file}: the first line must be {','.join(COLUMNS)}, not {','.join(names)!r}"
                )
            reader.fieldnames = names
            for values in reader:
                try:
                    rows.append(_row(reader.line_num, values))
                except ValueError as error:
                    wrong.append(f"line {reader.line_num}: {error}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AccountError(f"cannot read {file}: {error}") from error
    _refuse(file, wrong)
    return rows


def check_rows(
    file: Path, rows: Sequence[Row], known: set[int], *, skip_existing: bool
) -> tuple[list[Row], list[tuple[int, int]]]:
    """Return the accounts to add, and who are to be friends.

    `known` are the numbers of accounts that are there. Raises AccountError with all lines that say
    what cannot be.
    """
    from kqq.server.accounts import check_nick, check_uin

    wrong = []
    lines: dict[int, int] = {}
    everybody = known | {row.uin for row in rows}
    new = []
    pairs: dict[tuple[int, int], None] = {}
    for row in rows:
        try:
            check_uin(row.uin)
            check_nick(row.nick)
        except AccountError as error:
            wrong.append(f"line {row.line}: {error}")
        if row.uin in lines:
            wrong.append(f"line {row.line}: {row.uin} is on line {lines[row.uin]} already")
        elif row.uin not in known:
            new.append(row)
        elif not skip_existing:
            wrong.append(
                f"line {row.line}: there is an account {row.uin} already (--skip-existing)"
            )
        lines.setdefault(row.uin, row.line)
        for other in row.friends:
            if other not in everybody:
                wrong.append(f"line {row.line}: there is no account {other} to be a friend")
            elif other == row.uin:
                wrong.append(f"line {row.line}: {other} cannot be a friend of itself")
            else:
                pairs[min(row.uin, other), max(row.uin, other)] = None
    _refuse(file, wrong)
    return new, list(pairs)


def proofs(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Give each row as an account to add, with its proof; on all processors, as that is slow.

    An empty password becomes one that nobody knows.
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


def _row(line: int, values: dict[str, Any]) -> Row:
    if None in values or None in values.values():
        raise ValueError(f"it must have {len(COLUMNS)} values: {','.join(COLUMNS)}")
    uin = values["uin"].strip()
    if not (uin.isascii() and uin.isdigit()):
        raise ValueError(f"uin {uin!r} is no number")
    friends = values["friends"].split()
    for friend in friends:
        if not (friend.isascii() and friend.isdigit()):
            raise ValueError(f"friend {friend!r} is no number")
    return Row(line, int(uin), values["nick"], values["password"], tuple(map(int, friends)))


def _refuse(file: Path, wrong: list[str]) -> None:
    if wrong:
        more = f"\n  … and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        told = "".join(f"\n  {one}" for one in wrong[:_SHOWN])
        raise AccountError(f"nothing of {file} was added, since{told}{more}")
