"""What is written together is done together; rows get ids by few statements; what is bad fails."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kqq.errors import StoreError
from kqq.server import transaction as module
from kqq.server.transaction import Table, Transaction, Written, in_transaction, nothing_to_write
from kqq.server.trouble import Trouble
from stage import WAIT, ManualClock

INSERT = "INSERT INTO word (text) VALUES (?)"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A database of unique words with ascending ids."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE word (id INTEGER PRIMARY KEY AUTOINCREMENT, text UNIQUE, at)"
        )
        yield connection


@pytest.fixture
def table() -> Table[Written]:
    """Where words are put."""
    return Table("word", ("text", "at"), lambda: None)


def rows(table: Table[Written], *words: Any) -> list[Written]:
    """Put words there; return them as they are taken for a transaction."""
    for word in words:
        table.put(Written(table, (word, 0.0)))
    return table.take()


def finish(transaction: Transaction, connection: sqlite3.Connection) -> list[Exception]:
    """Write all of a transaction and tell of it; return what was reported."""
    reported: list[Exception] = []
    transaction.commit(connection)
    transaction.settle(Trouble(Path("x"), ManualClock()))
    transaction.tell(reported.append)
    return reported


def words(connection: sqlite3.Connection) -> list[Any]:
    """Return what is in the database."""
    return [word for (word,) in connection.execute("SELECT text FROM word ORDER BY id")]


# --- what is waited for --------------------------------------------------------------------------


async def test_what_is_waited_for(connection: sqlite3.Connection) -> None:
    """Many may wait for the same; alone, with a limit of time, and with others."""
    write = Written(INSERT, ("a",))
    waiting = [
        asyncio.ensure_future(write),
        asyncio.ensure_future(asyncio.wait_for(write, WAIT)),
        asyncio.ensure_future(asyncio.shield(write)),
    ]
    together = asyncio.gather(write, write)
    await asyncio.sleep(0)
    assert (write.done(), write.exception()) == (False, None)
    with pytest.raises(AssertionError, match="not known"):
        write.result()
    finish(Transaction([[write]]), connection)
    assert (write.done(), write.exception(), write.result()) == (True, None, 1)
    assert await asyncio.gather(*waiting) == [1, 1, 1]
    assert list(await together) == [1, 1]
    assert await write == 1
    assert not write.values


async def test_error_is_for_everybody(connection: sqlite3.Connection) -> None:
    """Whoever waits for what failed gets the error, then and later."""
    write = Written("INSERT INTO nowhere VALUES (1)", ())
    waiting = asyncio.ensure_future(write)
    await asyncio.sleep(0)
    finish(Transaction([[write]]), connection)
    for waiter in (waiting, write):
        with pytest.raises(StoreError, match="cannot write: no such table"):
            await waiter
    with pytest.raises(StoreError):
        write.result()
    assert isinstance(write.exception(), StoreError)


async def test_who_gives_up_waiting(connection: sqlite3.Connection) -> None:
    """That ends at once for them, and nothing else changes."""
    write = Written(INSERT, ("a",))
    given_up, patient = asyncio.ensure_future(write), asyncio.ensure_future(write)
    await asyncio.sleep(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    impatient = asyncio.ensure_future(write)
    await asyncio.sleep(0)
    impatient.cancel()  # and before it ends, all is done
    assert finish(Transaction([[write]]), connection) == []
    assert await patient == 1
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_nothing_to_write() -> None:
    """What is done already gives no row at once, and calls soon, not from within."""
    called: list[Written] = []
    nothing = nothing_to_write()
    nothing.add_done_callback(called.append)
    assert called == []
    assert await nothing == 0
    await asyncio.sleep(0)
    assert called == [nothing]


def test_who_is_told(connection: sqlite3.Connection, table: Table[Written]) -> None:
    """Once all is done: first those for the rows of a table, then others, each once, in order."""
    told: list[Any] = []
    first, second = taken = rows(table, "a", "b")
    statement = Written(INSERT, ("c",))
    table.on_stored(lambda stored: told.append([row.number for row in stored]))
    second.add_done_callback(lambda _: told.append("second"))
    first.add_done_callback(lambda _: told.append((first.done(), statement.done())))
    first.add_done_callback(told.append)
    statement.add_done_callback(lambda write: told.append(write.number))
    transaction = Transaction([taken, [statement]])
    finish(transaction, connection)
    expected = [[1, 2], (True, True), first, "second", 1]
    assert told == expected
    transaction.tell(lambda _: None)
    assert told == [*expected, [1, 2]]


def test_errors_of_those_who_are_told(
    connection: sqlite3.Connection, table: Table[Written]
) -> None:
    """They are reported, and others are told all the same."""
    told: list[object] = []
    taken = rows(table, "a")

    def fail(_: object) -> None:
        raise RuntimeError("no")

    for add in (table.on_stored, taken[0].add_done_callback):
        add(fail)
        add(told.append)
    assert [str(error) for error in finish(Transaction([taken]), connection)] == ["no", "no"]
    assert told == [taken, taken[0]]


# --- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 100, 256, 700])
def test_rows_get_ids_in_order(
    connection: sqlite3.Connection, table: Table[Written], count: int
) -> None:
    """Whatever their number."""
    taken = rows(table, *range(count))
    assert table.unfinished == taken
    finish(Transaction([taken]), connection)
    assert [row.number for row in taken] == list(range(1, count + 1))
    assert words(connection) == list(range(count))
    assert table.unfinished == []


@pytest.mark.parametrize(
    ("count", "statements"),
    [(1, 1), (63, 1), (64, 1), (256, 1), (65, 4), (100, 4), (300, 4), (700, 6)],
)
def test_few_statements(
    connection: sqlite3.Connection, table: Table[Written], count: int, statements: int
) -> None:
    """A statement alone is a transaction; else there are two more, to begin and to end it."""
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    finish(Transaction([rows(table, *range(count))]), connection)
    assert len(seen) == statements
    assert len(words(connection)) == count


def test_first_row_begins() -> None:
    """A table says once that there is something to be taken."""
    begun: list[None] = []
    table: Table[Written] = Table("word", ("text", "at"), lambda: begun.append(None))
    assert not table.has_gathered
    taken = rows(table, "a", "b")
    assert (len(begun), table.has_gathered) == (1, False)
    table.put(Written(table, ("c", 0.0)))
    assert (len(begun), table.has_gathered) == (2, True)
    assert [row.values[0] for row in (*taken, *table.unfinished[2:])] == ["a", "b", "c"]


def test_rows_of_others(connection: sqlite3.Connection, table: Table[Written]) -> None:
    """They show by a gap before ours, once; a transaction without rows says nothing of them."""
    gaps = []
    for word in ("a", "b", "c", "d"):
        if word == "c":
            connection.execute(INSERT, ("other",))
        transaction = Transaction([rows(table, word), [Written(INSERT, (word * 2,))]])
        transaction.commit(connection)
        gaps.append(transaction.has_gap())
    assert gaps == [False, True, True, True]  # those that are no rows of a table leave one, too
    transaction = Transaction([[Written(INSERT, ("e",))]])
    transaction.commit(connection)
    assert not transaction.has_gap()


# --- what fails ----------------------------------------------------------------------------------


def test_what_is_bad_fails_alone(
    connection: sqlite3.Connection, table: Table[Written], caplog: pytest.LogCaptureFixture
) -> None:
    """Of rows and statements; ids go up all the same, and only what is stored is told of."""
    stored: list[list[int]] = []
    table.on_stored(lambda those: stored.append([row.number for row in those]))
    taken = rows(table, "a", "a", "b")
    statements = [Written(INSERT, ("c",)), Written(INSERT, ("b",)), Written("DELETE FROM word", ())]
    transaction = Transaction([taken, statements])
    finish(transaction, connection)
    assert not transaction.has_gap()
    assert [write.error is None for write in (*taken, *statements)] == [True, False, True] * 2
    assert [write.number for write in (*taken, *statements)] == [1, 0, 2, 1, 0, 3]
    assert stored == [[1, 2]]
    assert caplog.text.count("write failed") == 2


def test_rows_of_which_none_is_stored(
    connection: sqlite3.Connection, table: Table[Written]
) -> None:
    """Nobody is told of them, and ids say nothing."""
    stored: list[object] = []
    table.on_stored(stored.append)
    connection.execute(INSERT, ("a",))
    transaction = Transaction([rows(table, "a", "a")])
    finish(transaction, connection)
    assert (stored, transaction.has_gap()) == ([], False)


@pytest.mark.parametrize("count", [1, 3])
def test_a_disk_that_fails_for_all(
    connection: sqlite3.Connection, table: Table[Written], count: int
) -> None:
    """What each alone would fail of as well is tried once, and what to do is said."""
    connection.execute("PRAGMA query_only=ON")
    taken = rows(table, *range(count))
    seen: list[str] = []
    connection.set_trace_callback(seen.append)
    finish(Transaction([taken]), connection)
    assert len(seen) == 1
    for row in taken:
        assert "let the server's user write it" in str(row.error)


def test_a_disk_that_fails_meanwhile(
    connection: sqlite3.Connection, table: Table[Written], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While each is tried alone: those before it are written, those behind it are not tried."""
    connection.execute(INSERT, ("a",))
    run, tried = module._run_all, []

    def run_until_full(connection: sqlite3.Connection, groups: list[list[Written]]) -> list[int]:
        tried.append(groups)
        if len(tried) == 4:
            connection.execute("PRAGMA query_only=ON")
        return run(connection, groups)

    monkeypatch.setattr(module, "_run_all", run_until_full)
    taken = rows(table, "a", "b", "c", "d")
    finish(Transaction([taken]), connection)
    assert ["UNIQUE" in str(taken[0].error), taken[1].error] == [True, None]
    assert ["readonly" in str(row.error) for row in taken[2:]] == [True, True]
    assert len(tried) == 4


def test_transaction_is_all_or_nothing(connection: sqlite3.Connection) -> None:
    """What some work gives is given; if it fails, nothing of it is left."""

    def work(*steps: Callable[[], object]) -> Callable[[], int]:
        return lambda: len([step() for step in steps])

    def put(word: str) -> Callable[[], object]:
        return lambda: connection.execute(INSERT, (word,))

    def undo() -> None:
        connection.execute("ROLLBACK")

    assert in_transaction(connection, work(put("a"), put("b"))) == 2
    with pytest.raises(sqlite3.IntegrityError):
        in_transaction(connection, work(put("c"), put("a")))
    with pytest.raises(sqlite3.OperationalError):  # it is undone already, as SQLite may do
        in_transaction(connection, work(put("d"), undo))
    assert words(connection) == ["a", "b"]
