"""SQLite: reads at once on the event loop, writes of a few turns in one transaction on a thread.

A write is on disk when it is done (`synchronous=FULL`). While the writer is busy, and while more
comes in each turn, the next transaction gathers: the more is written at once, the less each costs.
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
from importlib import resources
from pathlib import Path
from typing import Any

from kqq.errors import StoreError
from kqq.server.clock import Clock, LoopClock
from kqq.server.transaction import Row, Table, Transaction, Value, Written, in_transaction
from kqq.server.trouble import Trouble

_MIGRATION = re.compile(r"(\d{4})_\w+\.sql")
_BUSY_MS = 5_000
_LARGEST_LOG = 64 * 2**20
"""Bytes that SQLite's log is cut back to once it has grown beyond: it does while another program
reads for long."""
_ALONG = 0.005
"""Seconds that what nobody waits for waits for other writes."""
_MORE = 0.002
"""Seconds that a transaction waits at most for more, as long as some comes in each turn of the
loop: a commit costs as much for one row as for a hundred. Where nothing comes it waits a turn."""
_LOOK_EVERY = 0.5  # seconds
_STATEMENTS = 256
"""Prepared statements that are kept: about as many as there are."""


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
        self._tables: dict[str, Table[Any]] = {}  # where rows gather for the next transaction,
        self._statements: list[Written] = []  # which come in it before these
        self._is_writing = False
        self._seen = 0  # how much had gathered in the turn before this
        self._latest = 0.0  # when it is handed over, though more may come
        self._is_urgent = False  # of what gathers, something is; each row is
        self._loop: asyncio.AbstractEventLoop | None = None
        self._transactions: queue.SimpleQueue[Transaction | None] = queue.SimpleQueue()
        self._writer_thread: threading.Thread | None = None
        self._idle: asyncio.Future[None] | None = None
        self._on_foreign_write: list[Callable[[], None]] = []
        self.clock = clock or LoopClock()
        self._trouble = Trouble(path, self.clock)
        self._foreign_version = 0
        self._look_due = 0.0
        self.looked = -math.inf
        """When it was last seen, by `clock`, whether something else has written: with the last
        transaction. Since then somebody may have."""
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

    def write(self, sql: str, *values: Value) -> Written:
        """Write with whatever else is written about now, with all of this turn of the loop.

        Awaited, it gives how many rows changed when it is on disk, or raises StoreError; an error
        nobody awaits is logged. One bad write does not take others of its transaction with it.
        """
        self._begin()
        return self._gather(sql, values)

    def write_along(self, sql: str, *values: Value) -> Written:
        """Write with the next transaction there is, or some milliseconds later; else as `write`.

        It is for what nobody waits for: a transaction of its own would hold up what comes next.
        """
        if not self._is_urgent:
            self._started().call_later(_ALONG, self.hurry)
        return self._gather(sql, values)

    def table(self, name: str, *columns: str) -> Table[Any]:
        """Return where rows are put into a table with AUTOINCREMENT, always the same for a name.

        What is put there is written as by `write`, before all that is no row; its number is its id.
        """
        if name not in self._tables:
            self._tables[name] = Table(name, columns, self._begin)
        return self._tables[name]

    def on_foreign_write(self, call: Callable[[], None]) -> None:
        """Have `call` called when the writer sees that something else has written into the file.

        Another process may have, or `execute`. That rows were put is seen with the next that it
        puts itself, anything else with the next transaction after half a second at most.
        """
        self._on_foreign_write.append(call)

    def probe(self) -> Written:
        """Write a page that says what it said before, to see whether that can be done."""
        self.write(f"PRAGMA user_version={migrations()[-1][0]}")
        return self.write("UPDATE account SET uin = uin WHERE uin = -1")

    @property
    def is_writing(self) -> bool:
        """Whether anything is being written, or waits for it."""
        return self._is_writing or self._has_gathered()

    def hurry(self) -> None:
        """Have what waits be the next that is written, with no more waiting for others."""
        self._is_urgent = self._has_gathered()
        self._hand_over()

    async def close(self) -> None:
        """Finish what is being written, then close the file."""
        if self._loop is not None:
            while self.is_writing:
                self.hurry()
                self._idle = self._loop.create_future()
                await self._idle
        if self._writer_thread is not None:
            self._transactions.put(None)
            await asyncio.to_thread(self._writer_thread.join)
        self._reader.close()
        self._writer.close()

    def _gather(self, sql: str, values: Row) -> Written:
        write = Written(sql, values)
        self._statements.append(write)
        return write

    def _has_gathered(self) -> bool:
        return bool(self._statements) or any(table.has_gathered for table in self._tables.values())

    def _started(self) -> asyncio.AbstractEventLoop:
        """Return the loop; with the first write the thread is started."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._writer_thread = threading.Thread(target=self._run, name="kqq-writer", daemon=True)
            self._writer_thread.start()
        return self._loop

    def _begin(self) -> None:
        """Have what is gathered from now on be written soon."""
        if not self._is_urgent:
            loop = self._started()
            self._is_urgent = True
            if not self._is_writing:
                loop.call_soon(self._hand_over_once_quiet)

    def _hand_over_once_quiet(self) -> None:
        """Hand over, unless more has come in the last turn: then it may in the next, too."""
        count = len(self._statements) + sum(table.count for table in self._tables.values())
        now = self.clock.now()
        if self._seen == 0:
            self._latest = now + _MORE
        if count > self._seen and now < self._latest:
            self._seen = count
            self._started().call_soon(self._hand_over_once_quiet)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the writer what was gathered, unless it is busy."""
        if self._is_writing:
            return
        groups: list[list[Any]] = [
            table.take() for table in self._tables.values() if table.has_gathered
        ]
        if self._statements:
            groups.append(self._statements)
            self._statements = []
        if groups:
            self._is_writing, self._is_urgent = True, False
            self._seen = 0
            self.looked = self.clock.now()
            self._transactions.put(Transaction(groups))

    def _run(self) -> None:
        """Commit transactions until told to stop; runs on the writer thread."""
        loop = self._loop
        assert loop is not None
        while (transaction := self._transactions.get()) is not None:
            began = time.perf_counter()
            transaction.commit(self._writer)
            has_foreign_writes = transaction.has_gap() or self._has_foreign_writes(began)
            self.batches += 1
            self.writes += transaction.size
            self.seconds += time.perf_counter() - began
            loop.call_soon_threadsafe(self._written, transaction, has_foreign_writes)

    def _has_foreign_writes(self, now: float) -> bool:
        """Whether something else has written, as is asked now and then."""
        if now < self._look_due:
            return False
        self._look_due = now + _LOOK_EVERY
        before = self._foreign_version
        try:
            (self._foreign_version,) = self._writer.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            return True  # it may have
        return self._foreign_version != before

    def _written(self, transaction: Transaction, has_foreign_writes: bool) -> None:  # noqa: FBT001
        self._is_writing = False
        transaction.settle(self._trouble)
        if self._is_urgent:  # before others are told, who may write: it is done once
            self._started().call_soon(self._hand_over_once_quiet)
        if has_foreign_writes:
            for call in self._on_foreign_write:
                try:
                    call()
                except Exception as error:  # noqa: BLE001  # it is told, and others wait
                    self._report(error)
        transaction.tell(self._report)
        if self._idle is not None and not self._is_writing:
            self._idle.set_result(None)
            self._idle = None

    def _report(self, error: Exception) -> None:
        """Tell of an error of somebody who was called, as the loop tells of its own."""
        self._started().call_exception_handler(
            {"message": "an error of what was called after a write", "exception": error}
        )


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

        in_transaction(connection, step)
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
