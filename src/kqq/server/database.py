"""SQLite: reads at once on the event loop, writes of one turn in one transaction on a thread.

A write is on disk when its future is done (`synchronous=FULL`). While the writer is busy the next
transaction gathers, so the more is written at once, the less each write costs; and rows for one
table are put there by few statements, since each has the thread ask for the interpreter once more.
"""

import asyncio
import math
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
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from kqq.errors import StoreError
from kqq.server.clock import Clock, LoopClock
from kqq.server.trouble import Trouble, advice_for

Value = int | float | str | bytes | None
Row = tuple[Value, ...]

_MIGRATION = re.compile(r"(\d{4})_\w+\.sql")
_BUSY_MS = 5_000
_LARGEST_LOG = 64 * 2**20
"""Bytes that SQLite's log is cut back to once it has grown beyond: it does while another program
reads for long."""
_ALONG = 0.005
"""Seconds that what nobody waits for waits for other writes."""
_LOOK_EVERY = 0.5  # seconds
_STATEMENTS = 256
"""Prepared statements that are kept: about as many as there are."""
_ROWS = 256
"""Rows of one statement, at most."""


class Table:
    """Where rows are put, with a value for each of `columns`."""

    def __init__(self, name: str, *columns: str) -> None:
        self._start = f"INSERT INTO {name} ({', '.join(columns)}) VALUES "  # noqa: S608
        self._row = f"({', '.join('?' for _ in columns)})"
        self._statements: dict[int, str] = {}

    def statement(self, count: int) -> str:
        """Return the statement that puts so many rows there."""
        if count not in self._statements:
            self._statements[count] = self._start + ", ".join([self._row] * count)
        return self._statements[count]


class Written(asyncio.Future[int]):
    """Done when something is on disk. Nobody can cancel it: it is written, whoever waits for it.

    A task that is cancelled while it awaits this ends when it is done.
    """

    __slots__ = ()

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002  # asyncio names it
        """Do nothing."""
        return False


@dataclass(slots=True)
class _Write:
    what: str | Table  # SQL, or the table for a row
    values: tuple[Value, ...]
    done: Written
    result: int = 0
    error: Exception | None = None


class Database:
    """One database file; made and brought to the newest form when opened.

    `fetch` and `execute` may be used without an event loop (the command line does); `write` needs
    one, and gives to its caller what `fetch` sees only once the write is on disk.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
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
        self._rows: list[_Write] = []  # they gather for the next transaction,
        self._others: list[_Write] = []  # and come in it before these
        self._writing = False
        self._is_urgent = False  # of what gathers, something is
        self._loop: asyncio.AbstractEventLoop | None = None
        self._batches: queue.SimpleQueue[list[_Write] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._idle: asyncio.Future[None] | None = None
        self._on_foreign_write: list[Callable[[], None]] = []
        self._clock = clock or LoopClock()
        self._trouble = Trouble(path, self._clock)
        self._foreign_version = 0
        self._look_due = 0.0
        self._last_id = 0
        self._looked = -math.inf
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
            self._trouble.failed(error, "read")
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
        return self._gather(self._others, sql, values)

    def write_along(self, sql: str, *values: Value) -> asyncio.Future[int]:
        """Write with the next transaction there is, or some milliseconds later; else as `write`.

        It is for what nobody waits for: a transaction of its own would hold up what comes next.
        """
        return self._gather(self._others, sql, values, is_urgent=False)

    def insert(self, table: Table, *values: Value) -> asyncio.Future[int]:
        """Put a row into a table whose rows get ascending ids (AUTOINCREMENT); gives its id.

        As `write`; but in its transaction rows are put before anything else is written.
        """
        return self._gather(self._rows, table, values)

    def on_foreign_write(self, call: Callable[[], None]) -> None:
        """Have `call` called when the writer sees that something else has written into the file.

        Another process may have, or `execute`. That rows were put is seen with the next that it
        puts itself, anything else with the next transaction after half a second at most.
        """
        self._on_foreign_write.append(call)

    @property
    def unobserved(self) -> float:
        """The seconds in which something else may have written without being seen."""
        return self._clock.now() - self._looked

    def probe(self) -> asyncio.Future[int]:
        """Write a page that says what it said before, to see whether that can be done."""
        self.write(f"PRAGMA user_version={migrations()[-1][0]}")
        return self.write("UPDATE account SET uin = uin WHERE uin = -1")

    @property
    def is_writing(self) -> bool:
        """Whether anything is being written, or waits for it."""
        return self._writing or bool(self._rows or self._others)

    async def close(self) -> None:
        """Finish what is being written, then close the file."""
        if self._loop is not None:
            while self.is_writing:
                self._hand_over_now()
                self._idle = self._loop.create_future()
                await self._idle
        if self._thread is not None:
            self._batches.put(None)
            await asyncio.to_thread(self._thread.join)
        self._reader.close()
        self._writer.close()

    def _gather(
        self,
        those: list[_Write],
        what: str | Table,
        values: tuple[Value, ...],
        *,
        is_urgent: bool = True,
    ) -> asyncio.Future[int]:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._run, name="kqq-writer", daemon=True)
            self._thread.start()
        done = Written(loop=self._loop)
        those.append(_Write(what, values, done))
        if not is_urgent:
            self._loop.call_later(_ALONG, self._hand_over_now)
        elif not self._is_urgent:
            self._is_urgent = True
            if not self._writing:
                self._loop.call_soon(self._hand_over)
        return done

    def _hand_over_now(self) -> None:
        """Have what waits be the next, with no more waiting for others."""
        self._is_urgent = bool(self._rows or self._others)
        self._hand_over()

    def _hand_over(self) -> None:
        if (self._rows or self._others) and not self._writing:
            self._writing, self._is_urgent = True, False
            self._looked = self._clock.now()
            batch = self._rows + self._others
            self._rows.clear()
            self._others.clear()
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
            has_foreign_writes = self._has_foreign_writes(batch, began)
            self.batches += 1
            self.writes += len(batch)
            self.seconds += time.perf_counter() - began
            loop.call_soon_threadsafe(self._written, batch, has_foreign_writes)

    def _has_foreign_writes(self, batch: list[_Write], now: float) -> bool:
        """Whether something else has written, as far as is known.

        Ids without a gap say that no rows were put between ours, and cost nothing.
        """
        ids = [write.result for write in batch if write.result and isinstance(write.what, Table)]
        if ids:
            before, self._last_id = self._last_id, ids[-1]
            if ids[-1] != before + len(ids):
                return True
        if now < self._look_due:
            return False
        self._look_due = now + _LOOK_EVERY
        before = self._foreign_version
        try:
            (self._foreign_version,) = self._writer.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return True  # it may have
        return self._foreign_version != before

    def _written(self, batch: list[_Write], has_foreign_writes: bool) -> None:  # noqa: FBT001
        self._writing = False
        try:
            if has_foreign_writes:
                for call in self._on_foreign_write:
                    call()
        finally:  # whatever becomes of that, answers wait for these
            self._tell(batch)

    def _tell(self, batch: list[_Write]) -> None:
        for write in batch:
            if write.error is None:
                write.done.set_result(write.result)
                if write.result:  # not 0 rows, for which nothing need be written; a PRAGMA has -1
                    self._trouble.worked()
            else:
                self._trouble.failed(write.error)
                advice = advice_for(write.error)
                why = f"cannot write: {write.error}" + (f"; {advice}" if advice else "")
                write.done.set_exception(StoreError(why))
                write.done.exception()  # logged above; whoever awaits it still gets it
        if self._is_urgent:
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
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS
    )
    try:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"journal_size_limit={_LARGEST_LOG}",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _commit(connection: sqlite3.Connection, batch: list[_Write]) -> None:
    """Write all in one transaction; if one fails, each in its own, so that only it fails."""
    try:
        if len(batch) == 1:
            _run_all(connection, batch)  # a statement alone is a transaction
        else:
            _transaction(connection, lambda: _run_all(connection, batch))
    except Exception as error:
        if len(batch) == 1:
            batch[0].error = error
            return
        if advice_for(error) is not None:
            raise  # each alone would fail as well, and might wait as long for who holds the lock
        for position, write in enumerate(batch):
            _commit(connection, [write])
            if write.error is not None and advice_for(write.error) is not None:
                for other in batch[position + 1 :]:  # as above, and those before are written
                    other.error = write.error
                return


def _run_all(connection: sqlite3.Connection, batch: list[_Write]) -> None:
    for what, alike in groupby(batch, key=attrgetter("what")):
        if isinstance(what, Table):
            _insert(connection, what, list(alike))
        else:
            for write in alike:
                write.result = connection.execute(what, write.values).rowcount


def _insert(connection: sqlite3.Connection, table: Table, rows: list[_Write]) -> None:
    """Put rows into a table, by statements of 256, 128, 64 ... rows, so that few are prepared."""
    done = 0
    while done < len(rows):
        count = min(1 << (len(rows) - done).bit_length() - 1, _ROWS)
        some = rows[done : done + count]
        values = [value for row in some for value in row.values]
        last = connection.execute(table.statement(count), values).lastrowid
        assert last is not None, "an INSERT has one"
        for id, row in enumerate(some, last - count + 1):  # noqa: A001
            row.result = id
        done += count


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
