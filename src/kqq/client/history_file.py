"""The SQLite file of a history: how it is made, opened and shared, and what goes wrong with it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import platformdirs

from kqq.errors import StoreError

_OURS = 0x6B717168  # "kqqh", so that no other database is taken for a history
_VERSION = 1
_BUSY = 2.0  # seconds to wait for another program that writes
_TABLES = """
CREATE TABLE account (
    id INTEGER PRIMARY KEY, uin TEXT NOT NULL, server TEXT NOT NULL, UNIQUE (uin, server)
);
CREATE TABLE person (
    account INTEGER NOT NULL REFERENCES account, uin TEXT NOT NULL, nick TEXT NOT NULL,
    PRIMARY KEY (account, uin)
) WITHOUT ROWID;
CREATE TABLE message (
    id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES account,
    key TEXT NOT NULL, uin TEXT NOT NULL, text TEXT NOT NULL, at REAL NOT NULL,
    fate TEXT NOT NULL, why TEXT NOT NULL, mark TEXT NOT NULL, tried REAL,
    is_unread INTEGER NOT NULL, UNIQUE (account, key)
);
CREATE INDEX message_account ON message (account);
CREATE INDEX message_uin ON message (account, uin);
CREATE INDEX message_mark ON message (account, uin, mark) WHERE mark <> '' AND fate = 'received';
CREATE INDEX message_waiting ON message (account) WHERE fate = 'waiting';
CREATE INDEX message_unread ON message (account, uin) WHERE is_unread
"""
"""Numbers of people are texts: a server may name one that no integer of SQLite can hold."""


def default_path() -> Path:
    """Return where the history is if nothing else is said: `history.db` among the user's data."""
    return platformdirs.user_data_path("kqq", appauthor=False) / "history.db"


class HistoryFile:
    """A connection to the file. Methods raise StoreError, and nothing else, if that fails."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use `open` instead."""
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, which is made if it is not there; so is its folder."""
        with _in_words(path):
            _create(path)
            connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY)
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def fetch(self, sql: str, **values: object) -> list[Any]:
        """Do one statement and return its rows; it is a transaction of its own."""
        with _in_words(self.path):
            return self._connection.execute(sql, values).fetchall()

    def write(self, sql: str, **values: object) -> int:
        """Do one statement and return how many rows it changed; it is a transaction of its own."""
        with _in_words(self.path):
            return self._connection.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that is done meanwhile, or nothing of it."""
        with _in_words(self.path), _transaction(self._connection):
            yield

    def number(self, text: str) -> int:
        """Return the number of a person, which is stored as a text."""
        try:
            return int(text)
        except ValueError:
            raise self.damaged(f"the number {text!r}") from None

    def damaged(self, what: str) -> StoreError:
        """Return the error that says that something in the file cannot be."""
        return StoreError(
            f"cannot use the history {self.path}: {what} cannot be: it is damaged; {_MOVE}"
        )


def storable(text: str) -> bytes:
    """Return what SQLite takes; bytes that were no UTF-8 on the wire become those bytes again.

    To be stored as text it must be `CAST(... AS TEXT)`.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode("utf-8", "backslashreplace")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _create(path: Path) -> None:
    """Make the file and its folder, for their owner only.

    A file that is there must not be opened here: closing it again would drop the locks that SQLite
    holds on it in this process.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to our form, unless it is somebody else's, which is left as it is."""
    connection.text_factory = _text
    is_ours = _is_ours(connection, path)
    for pragma in (
        "auto_vacuum=FULL",  # what is forgotten makes the file smaller at once
        "secure_delete=ON",  # and is overwritten
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    if not is_ours:
        with _transaction(connection):
            if not _is_ours(connection, path):  # another program may have been quicker
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id={_OURS}")
                connection.execute(f"PRAGMA user_version={_VERSION}")


def _is_ours(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file has our tables; False if it is empty. Else raises StoreError."""
    whose, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT COUNT(*) FROM sqlite_master)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if whose == _OURS and version > _VERSION:
        raise StoreError(
            f"cannot use the history {path}: its form {version} is newer than this kqq knows "
            f"({_VERSION}); use a newer kqq"
        )
    if whose != _OURS and tables:
        raise StoreError(
            f"cannot use {path} as a history: it is a database of something else; name another file"
        )
    return bool(whose == _OURS)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


_MOVE = "move it away, and a new one is begun"
_ADVICE = {
    sqlite3.SQLITE_NOTADB: _MOVE,
    sqlite3.SQLITE_CORRUPT: _MOVE,
    sqlite3.SQLITE_BUSY: "another program holds it; try again",
}


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the file into StoreError, which says what to do if we know it."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot use the history {path}: {error.strerror}") from error
    except (sqlite3.Error, OverflowError, UnicodeEncodeError) as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # what is above tells more of the same
        advice = f"; {_ADVICE[code]}" if code in _ADVICE else ""
        raise StoreError(f"cannot use the history {path}: {error}{advice}") from error
