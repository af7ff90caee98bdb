"""SQLite: reads at once on the event loop, writes of one turn in one transaction on a thread.

A write is on disk when its future is done (`synchronous=FULL`). While the writer is busy the next
transaction gathers, so the more is written at once, the less each write costs.
"""

import asyncio
import logging
import os
import queue
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from kqq.errors import StoreError

Value = int | float | str | bytes | None
Row = tuple[Value, ...]

logger = logging.getLogger("kqq.store")

_MIGRATION = re.compile(r"(\d{4})_\w+\.sql")
_BUSY_MS = 5_000


@dataclass(slots=True)
class _Write:
    sql: str
    values: tuple[Value, ...]
    done: asyncio.Future[int]
    changed: int = 0
    error: Exception | None = None


class Database:
    """One database file; made and brought to the newest form when opened.

    `fetch` and `execute` may be used without an event loop (the command line does); `write` needs
    one, and gives to its caller what `fetch` sees only once the write is on disk.
    """

    def __init__(self, path: Path) -> None:
        """Open the file. Raises StoreError if it cannot be opened, migrated or written."""
        self._path = path
        try:
            _create(path)
            self._reader = _connect(path)
            try:
                _migrate(self._reader)
                self._writer = _connect(path)
            except BaseException:
                self._reader.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot use the database {path}: {error}") from error
        self._gathering: list[_Write] = []
        self._writing = False
        self._due = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batches: queue.SimpleQueue[list[_Write] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._idle: asyncio.Future[None] | None = None
        self.batches = 0
        """Transactions of the writer so far."""
        self.writes = 0
        """Writes in them."""
        self.seconds = 0.0
        """Time they took."""

    def fetch(self, sql: str, *values: Value) -> list[Row]:
        """Return the rows that are on disk. On the loop, only with a row limit or a key."""
        try:
            return self._reader.execute(sql, values).fetchall()
        except (OverflowError, UnicodeEncodeError):
            return []  # clients may name a number, or words, that SQLite cannot hold
        except sqlite3.Error as error:
            raise StoreError(f"cannot read {self._path}: {error}") from error

    def execute(self, sql: str, *values: Value) -> int:
        """Write at once, without the thread; return how many rows changed. For commands."""
        try:
            return self._reader.execute(sql, values).rowcount
        except sqlite3.Error as error:
            raise StoreError(f"cannot write {self._path}: {error}") from error

    def write(self, sql: str, *values: Value) -> asyncio.Future[int]:
        """Write with whatever else is written in this turn of the loop.

        The future gives how many rows changed when it is on disk, or holds StoreError; an error
        nobody awaits is logged. One bad write does not take others of its transaction with it.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._run, name="kqq-writer", daemon=True)
            self._thread.start()
        done = self._loop.create_future()
        self._gathering.append(_Write(sql, values, done))
        if not self._writing and not self._due:
            self._due = True
            self._loop.call_soon(self._hand_over)
        return done

    async def close(self) -> None:
        """Finish what is being written, then close the file."""
        if self._loop is not None:
            while self._gathering or self._writing:
                self._idle = self._loop.create_future()
                await self._idle
        if self._thread is not None:
            self._batches.put(None)
            await asyncio.to_thread(self._thread.join)
        self._reader.close()
        self._writer.close()

    def _hand_over(self) -> None:
        self._due = False
        if self._gathering and not self._writing:
            self._writing = True
            batch, self._gathering = self._gathering, []
            self._batches.put(batch)

    def _run(self) -> None:
        """Write batches until told to stop; runs on the writer thread."""
        loop = self._loop
        assert loop is not None
        while (batch := self._batches.get()) is not None:
            began = time.perf_counter()
            try:
                _commit(self._writer, batch)
            except Exception as error:  # noqa: BLE001  # all writes would wait for a dead thread
                for write in batch:
                    write.error = error
            self.batches += 1
            self.writes += len(batch)
            self.seconds += time.perf_counter() - began
            loop.call_soon_threadsafe(self._written, batch)

    def _written(self, batch: list[_Write]) -> None:
        self._writing = False
        for write in batch:
            if write.done.cancelled():
                continue
            if write.error is None:
                write.done.set_result(write.changed)
            else:
                logger.error("write failed error=%s", write.error)
                write.done.set_exception(StoreError(f"cannot write: {write.error}"))
                write.done.exception()  # logged above; whoever awaits it still gets it
        self._hand_over()
        if self._idle is not None and not self._writing:
            self._idle.set_result(None)
            self._idle = None


def _create(path: Path) -> None:
    """Make the file, for its owner only: it holds password hashes and messages.

    SQLite's other files get the same rights. A file that is there must not be opened here, because
    closing it again would drop the locks that SQLite holds on it in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _commit(connection: sqlite3.Connection, batch: list[_Write]) -> None:
    """Write all in one transaction; if one fails, each in its own, so that only it fails."""
    try:
        _transaction(connection, lambda: _run_all(connection, batch))
    except Exception as error:
        if len(batch) == 1:
            batch[0].error = error
            return
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise  # each alone would wait as long for whoever holds the lock
        for write in batch:
            _commit(connection, [write])


def _run_all(connection: sqlite3.Connection, batch: list[_Write]) -> None:
    for write in batch:
        write.changed = connection.execute(write.sql, write.values).rowcount


def _transaction(connection: sqlite3.Connection, work: Callable[[], object]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def migrations() -> list[tuple[int, str]]:
    """Return the steps of the database's form: (number, SQL), oldest first."""
    found = []
    for entry in resources.files("kqq.server").joinpath("migrations").iterdir():
        name = _MIGRATION.fullmatch(entry.name)
        if name is not None:
            found.append((int(name[1]), entry.read_text(encoding="utf-8")))
    return sorted(found)


def _migrate(connection: sqlite3.Connection) -> None:
    """Take the steps not taken yet, each in a transaction of its own."""
    steps = migrations()
    for number, sql in steps:
        if _version(connection) >= number:
            continue

        def step(number: int = number, sql: str = sql) -> None:
            if _version(connection) < number:  # another process may have been quicker
                for statement in _statements(sql):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={number}")

        _transaction(connection, step)
    if _version(connection) > steps[-1][0]:
        raise sqlite3.DatabaseError(
            f"its form {_version(connection)} is newer than this kqq knows ({steps[-1][0]}); "
            "use a newer kqq"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(sql: str) -> list[str]:
    """Return the statements of a script, one by one, since a script would end the transaction."""
    statements, current = [], ""
    for line in sql.splitlines():
        current += line + "\n"
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements


def database_path(data: Path) -> Path:
    """Return where the database of a data folder is."""
    return data / "kqq.sqlite"


def prepare_folder(data: Path) -> Path:
    """Make the data folder if need be and return the path of its database.

    Raises StoreError if the folder cannot be made or written.
    """
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"cannot make the data folder {data}: {error.strerror}") from error
    if not os.access(data, os.W_OK | os.X_OK):
        raise StoreError(f"cannot write in the data folder {data}: no permission")
    return database_path(data)
