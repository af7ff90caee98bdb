"""What is written in one transaction: rows and statements, and what becomes of them.

On the event loop rows and statements are gathered; on the writer thread `commit` writes them, and
nothing else of them is touched there; on the loop again `settle` and `tell` say that it is done.
All is made for rows, of which there is one for each message: of a thousand rows each step is one
loop, and the statements are few, since each has the thread ask for the interpreter once more.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from functools import partial
from itertools import chain
from typing import Any, Generic, TypeVar

from kqq.errors import StoreError
from kqq.server.trouble import Trouble, advice_for

Value = int | float | str | bytes | None
Row = tuple[Value, ...]

_MOST_ROWS = 256
"""Rows of one statement, at most: what it takes must not keep the interpreter for long."""
_ANY_NUMBER = 64
"""A statement has any number of rows below this, and above a power of two, so that not too many
statements are prepared."""
_NOTHING: Row = ()


class Written:
    """A row or statement that is written, and what became of it: awaited, it gives `number`.

    Nobody can cancel it: it is written, whoever waits for it and whoever gives up. The attributes
    are for those who look at one for each message; only the database changes them.
    """

    __slots__ = ("callbacks", "error", "is_done", "number", "values", "what")

    def __init__(self, what: "str | Table[Any]", values: Row) -> None:
        self.what = what
        """SQL, or the table of a row."""
        self.values = values
        """None are left when it is done."""
        self.is_done = False
        """Whether it is on disk, or has failed."""
        self.number = 0
        """The id of a row, and how many rows a statement changed."""
        self.error: StoreError | None = None
        """Why it has failed."""
        self.callbacks: list[Callable[[Any], object]] | None = None

    def let_go(self) -> None:
        """Forget what was written, which nobody needs any more: this may be kept for a while."""
        self.values = _NOTHING

    def done(self) -> bool:
        """Return whether it is on disk, or has failed."""
        return self.is_done

    def exception(self) -> StoreError | None:
        """Return why it has failed; None as long as it has not."""
        return self.error

    def result(self) -> int:
        """Return `number`. Raises StoreError if it has failed; it must be done."""
        if self.error is not None:
            raise self.error
        assert self.is_done, "it is not known yet"
        return self.number

    def add_done_callback(self, call: Callable[[Any], object]) -> None:
        """Have `call(this)` called in the turn of the loop that learns that it is done.

        All of the transaction is done by then. What is done already calls soon, and not from here.
        """
        if self.is_done:
            asyncio.get_running_loop().call_soon(call, self)
        elif self.callbacks is None:
            self.callbacks = [call]
        else:
            self.callbacks.append(call)

    def __await__(self) -> Generator[Any, None, int]:
        if not self.is_done:
            future = asyncio.get_running_loop().create_future()
            self.add_done_callback(partial(_release, future))
            yield from future
        return self.result()


def nothing_to_write() -> Written:
    """Return what is done already, and changed no row."""
    nothing = Written("", _NOTHING)
    nothing.is_done = True
    return nothing


def _release(future: "asyncio.Future[None]", _: Written) -> None:
    if not future.done():  # else whoever waited has given up
        future.set_result(None)


R = TypeVar("R", bound=Written)


class Table(Generic[R]):
    """Where rows are put, with a value for each of `columns`; they get ascending ids.

    The table must be one with AUTOINCREMENT. `begin` is called when the first of some rows comes.
    """

    def __init__(self, name: str, columns: tuple[str, ...], begin: Callable[[], None]) -> None:
        self._start = f"INSERT INTO {name} ({', '.join(columns)}) VALUES "  # noqa: S608
        self._row = f"({', '.join('?' for _ in columns)})"
        self._begin = begin
        self._statements: dict[int, str] = {}
        self._gathered: list[R] = []
        self._written: list[R] = []
        self._on_stored: list[Callable[[list[R]], None]] = []
        self._last_id = 0  # the writer thread's

    def put(self, row: R) -> None:
        """Have a row be written with the next transaction, after those put before."""
        if not self._gathered:
            self._begin()
        self._gathered.append(row)

    def on_stored(self, call: Callable[[list[R]], None]) -> None:
        """Have `call` called with the rows of each transaction that are on disk, in order.

        It comes before what was added to any of them by `add_done_callback`.
        """
        self._on_stored.append(call)

    @property
    def count(self) -> int:
        """How many rows wait for the next transaction."""
        return len(self._gathered)

    @property
    def has_gathered(self) -> bool:
        """Whether there are rows that wait for the next transaction."""
        return bool(self._gathered)

    @property
    def unfinished(self) -> list[R]:
        """The rows of which it is not known yet whether they are on disk."""
        return self._written + self._gathered

    def take(self) -> list[R]:
        """Return what was gathered; it is being written from now on."""
        self._written, self._gathered = self._gathered, []
        return self._written

    def tell(self, rows: list[R], report: Callable[[Exception], None]) -> None:
        """Say that these are on disk; where that raises an error, report it and go on."""
        for call in self._on_stored:
            try:
                call(rows)
            except Exception as error:  # noqa: BLE001  # it is told, and others wait
                report(error)

    def finish(self) -> None:
        """Forget what was being written."""
        self._written = []

    def insert(self, connection: sqlite3.Connection, rows: list[R]) -> list[int]:
        """Put rows there, on the writer thread; return their ids."""
        ids: list[int] = []
        while (left := len(rows) - len(ids)) > 0:
            count = _size(left)
            some = rows[len(ids) : len(ids) + count] if count < len(rows) else rows
            values = list(chain.from_iterable([row.values for row in some]))
            last = connection.execute(self._statement(count), values).lastrowid
            assert last is not None, "an INSERT has one"
            ids += range(last - count + 1, last + 1)
        return ids

    def has_gap(self, ids: list[int]) -> bool:
        """Return whether rows of others came between those put last and these; once for each."""
        if not ids:
            return False
        before, self._last_id = self._last_id, ids[-1]
        return ids[-1] != before + len(ids)

    def _statement(self, count: int) -> str:
        if count not in self._statements:
            self._statements[count] = self._start + ", ".join([self._row] * count)
        return self._statements[count]


def _size(left: int) -> int:
    """Return how many rows the next statement puts where so many are left."""
    return left if left < _ANY_NUMBER else min(1 << left.bit_length() - 1, _MOST_ROWS)


class Transaction:
    """What is written together: the rows of each table, then the statements.

    `groups` are these in lists, none of which is empty, each of one table or of statements only.
    """

    __slots__ = ("_errors", "_groups", "_numbers", "size")

    def __init__(self, groups: list[list[Any]]) -> None:
        self._groups: list[list[Written]] = groups
        self.size = sum(map(len, groups))
        # Of all in the groups, in order:
        self._numbers: list[int] = []
        self._errors: list[Exception | None] = []  # empty if nothing has failed

    # --- on the writer thread

    def commit(self, connection: sqlite3.Connection) -> None:
        """Write all at once; if that fails, each by itself, so that only what is bad fails."""
        try:
            if self._is_one_statement():  # which is a transaction
                self._numbers = _run_all(connection, self._groups)
            else:
                self._numbers = in_transaction(
                    connection, lambda: _run_all(connection, self._groups)
                )
        except Exception as error:  # noqa: BLE001  # all writes would wait for a dead thread
            self._numbers = []
            if self.size > 1 and advice_for(error) is None:
                self._commit_each(connection)
            else:  # each alone would fail as well, and might wait as long for who holds the lock
                self._fail_rest(error)

    def has_gap(self) -> bool:
        """Return whether rows that others put came before or between ours; once for each.

        Ids without a gap say that there were none, and cost nothing.
        """
        has_gap, at = False, 0
        for group in self._groups:
            table = group[0].what
            if isinstance(table, Table):
                ids = self._numbers[at : at + len(group)]
                if self._errors:
                    ids = [id for id in ids if id]  # noqa: A001
                has_gap = table.has_gap(ids) or has_gap
            at += len(group)
        return has_gap

    def _is_one_statement(self) -> bool:
        if len(self._groups) > 1:
            return False
        (group,) = self._groups
        return len(group) == (_size(len(group)) if isinstance(group[0].what, Table) else 1)

    def _commit_each(self, connection: sqlite3.Connection) -> None:
        for write in chain.from_iterable(self._groups):
            try:
                self._numbers += _run_all(connection, [[write]])
                self._errors.append(None)
            except Exception as error:  # noqa: BLE001  # as in commit
                if advice_for(error) is not None:  # as there, and those before are written
                    self._fail_rest(error)
                    return
                self._numbers.append(0)
                self._errors.append(error)

    def _fail_rest(self, error: Exception) -> None:
        left = self.size - len(self._errors)
        self._numbers += [0] * left
        self._errors += [error] * left

    # --- on the loop

    def settle(self, trouble: Trouble) -> None:
        """Let all know what became of them, before anybody is told; log what has failed."""
        for group in self._groups:
            table = group[0].what
            if isinstance(table, Table):
                table.finish()
        writes = chain.from_iterable(self._groups)
        if self._errors:
            for write, number, error in zip(writes, self._numbers, self._errors, strict=True):
                _settle(write, number, error, trouble)
            return
        for write, number in zip(writes, self._numbers, strict=True):
            write.number = number
            write.is_done = True
            write.values = _NOTHING  # as let_go; there is one for each message
        if any(self._numbers):  # not 0 rows, for which nothing need be written; a PRAGMA has -1
            trouble.worked()

    def tell(self, report: Callable[[Exception], None]) -> None:
        """Call whoever waits, those for rows first; where that raises an error, report it."""
        for group in self._groups:
            table = group[0].what
            if isinstance(table, Table):
                rows = [row for row in group if row.error is None] if self._errors else group
                if rows:
                    table.tell(rows, report)
        for group in self._groups:
            for write in group:
                if write.callbacks is not None:
                    calls, write.callbacks = write.callbacks, None
                    for call in calls:
                        try:
                            call(write)
                        except Exception as error:  # noqa: BLE001  # as above
                            report(error)


def _settle(write: Written, number: int, error: Exception | None, trouble: Trouble) -> None:
    """Let one of a transaction in which something has failed know what became of it."""
    if error is not None:
        trouble.failed(error)
        advice = advice_for(error)
        write.error = StoreError(f"cannot write: {error}" + (f"; {advice}" if advice else ""))
    elif number:
        trouble.worked()
    write.number = number
    write.is_done = True
    if error is not None:
        write.let_go()


def _run_all(connection: sqlite3.Connection, groups: list[list[Written]]) -> list[int]:
    """Return the number of each."""
    numbers: list[int] = []
    for group in groups:
        table = group[0].what
        if isinstance(table, Table):
            numbers += table.insert(connection, group)
        else:
            for write in group:
                assert isinstance(write.what, str)
                numbers.append(connection.execute(write.what, write.values).rowcount)
    return numbers


T = TypeVar("T")


def in_transaction(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    """Do some work all in one transaction, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return done
