"""Who is in a database of ours, and who is whose friend; a small one, and one with a long past."""

import hashlib
import itertools
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.comparing.loads import Person
from benchmarks.comparing.machine import say

from kqq.server.accounts import make_proof, password_md5
from kqq.server.database import Database, database_path, migrations, prepare_folder
from kqq.server.devices import keypad_word, quick_proof

FIRST = 10011
PAIRS = 100
"""Those with the indexes 0 to 99 write to those with 100 to 199."""
LIKED, LIKED_FRIENDS = 200, 200
"""Index of somebody whose friends are the 200 behind."""
LOVED, LOVED_FRIENDS = 401, 5000
"""Index of somebody whose friends are the 5,000 behind."""
BYSTANDER = LOVED + LOVED_FRIENDS + 1
SMALLEST = BYSTANDER + 1
"""How many people there are at least."""
CHOSEN = "secret"
"""The password of those who chose theirs."""
_SALT = b"benchmark's salt"
_DATE = 1_700_000_000.0
_ROWS = 200_000  # written at once


def make_secrets(count: int) -> list[Person]:
    """Return people with the MD5 of a password that a server makes for a phone."""
    drawn = itertools.count()

    def random(size: int) -> bytes:  # quick, and the same in each run: nothing here is a secret
        return hashlib.shake_128(b"%d" % next(drawn)).digest(size)

    return [
        Person(FIRST + at, password_md5(keypad_word(random, 16)).upper()) for at in range(count)
    ]


def friendships() -> Iterator[tuple[int, int]]:
    """Return who are friends, as indexes."""
    for at in range(PAIRS):
        yield at, PAIRS + at
    for at in range(LIKED + 1, LIKED + 1 + LIKED_FRIENDS):
        yield LIKED, at
    for at in range(LOVED + 1, LOVED + 1 + LOVED_FRIENDS):
        yield LOVED, at


def make_town(data: Path, people: list[Person], chosen: int = 0) -> list[Person]:
    """Make a database of these people, each with a phone, and of `chosen` more without one.

    Return those, who sign in with a password of their own choice.
    """
    _make(data)
    slow = [Person(FIRST + len(people) + at, password_md5(CHOSEN).upper()) for at in range(chosen)]
    proof = make_proof(password_md5(CHOSEN), _SALT)
    with _opened(data) as database:
        _add_accounts(database, (one.uin for one in (*people, *slow)), proof)
        _add_devices(database, people)
        _add_friends(database)
    return slow


def make_past(data: Path, people: list[Person], accounts: int, messages: int) -> None:
    """Make a database of these people with a long past, unless it is there already.

    There are `accounts` in all, each with a phone, and `messages` wait for those who write nothing
    here.
    """
    mark = data / "past.json"
    wanted = {"form": migrations()[-1][0], "accounts": accounts, "messages": messages,
              "people": len(people), "first": FIRST}  # fmt: skip
    if mark.exists() and json.loads(mark.read_text(encoding="utf-8")) == wanted:
        say(f"the past in {data} is there")
        return
    if data.exists():
        if any(data.iterdir()) and not database_path(data).exists():
            raise FileExistsError(f"{data} is not empty, and not a past of ours")
        shutil.rmtree(data)
    _make(data)
    proof = make_proof(password_md5(CHOSEN), _SALT)
    with _opened(data) as database:
        uins = range(FIRST, FIRST + accounts)
        _in_pieces("accounts", uins, lambda piece: _add_accounts(database, piece, proof))
        _add_devices(database, people)
        others = range(FIRST + len(people), FIRST + accounts)
        word = quick_proof(password_md5(CHOSEN), _SALT)
        _in_pieces("phones", others, lambda piece: _add_phones(database, piece, word))
        _add_friends(database)
        numbers = range(messages)
        _in_pieces("messages", numbers, lambda piece: _add_messages(database, piece, others))
    mark.write_text(json.dumps(wanted), encoding="utf-8")


def _make(data: Path) -> None:
    database = Database(prepare_folder(data))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database._reader.close()  # noqa: SLF001  # it was never written with an event loop
    database._writer.close()  # noqa: SLF001


def _opened(data: Path) -> closing[sqlite3.Connection]:
    database = sqlite3.connect(database_path(data))
    database.execute("PRAGMA synchronous=OFF")
    database.execute("PRAGMA cache_size=-1000000")
    return closing(database)


def _in_pieces(what: str, all_of: range, add: Callable[[range], None]) -> None:
    began = time.monotonic()
    for start in range(0, len(all_of), _ROWS):
        add(all_of[start : start + _ROWS])
        done = min(start + _ROWS, len(all_of))
        say(f"past: {done:,} of {len(all_of):,} {what}, {time.monotonic() - began:.0f} s")


def _add_accounts(database: sqlite3.Connection, uins: Iterable[int], proof: str) -> None:
    with database:
        database.executemany(
            "INSERT INTO account (uin, nick, face, proof, created) VALUES (?, ?, 0, ?, ?)",
            ((uin, f"n{uin}", proof, _DATE) for uin in uins),
        )


def _add_devices(database: sqlite3.Connection, people: Iterable[Person]) -> None:
    with database:
        database.executemany(
            "INSERT INTO device (uin, name, proof, created) VALUES (?, 'phone', ?, ?)",
            ((one.uin, quick_proof(one.secret, _SALT), _DATE) for one in people),
        )


def _add_phones(database: sqlite3.Connection, uins: Iterable[int], proof: str) -> None:
    with database:
        database.executemany(
            "INSERT INTO device (uin, name, proof, created) VALUES (?, 'phone', ?, ?)",
            ((uin, proof, _DATE) for uin in uins),
        )


def _add_friends(database: sqlite3.Connection) -> None:
    with database:
        database.executemany(
            "INSERT INTO friend (uin, other) VALUES (?, ?)",
            (
                (FIRST + a, FIRST + b)
                for one, other in friendships()
                for a, b in ((one, other), (other, one))
            ),
        )


def _add_messages(database: sqlite3.Connection, numbers: range, receivers: range) -> None:
    """Have them wait in the order in which they would have come: from all to all."""
    first, count = receivers.start, len(receivers)
    with database:
        database.executemany(
            "INSERT INTO message (receiver, sender, kind, text, sent)"
            " VALUES (?, ?, 'message', ?, ?)",
            (
                (
                    first + number * 7919 % count,
                    first + number * 104729 % count,
                    b"one of the messages that wait: %09d" % number,
                    _DATE + number,
                )
                for number in numbers
            ),
        )
