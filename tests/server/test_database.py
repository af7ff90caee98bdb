"""Writes are on disk when they say so, share transactions, and fail alone."""

import asyncio
import math
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kqq.errors import StoreError
from kqq.server import database as module
from kqq.server import transaction
from kqq.server.database import Database, _connect, migrations, prepare_folder
from kqq.server.store import Account, Kind, Store, Stored
from kqq.server.transaction import Table, Value, Written
from stage import ManualClock

INSERT = "INSERT INTO account (uin, nick, face, proof, created) VALUES (?, ?, 0, '', 0)"


T = TypeVar("T")


def messages(database: Database) -> Table[Written]:
    """Return a table that rows are put into."""
    return database.table("message", "receiver", "sender", "kind", "text", "sent")


def put(table: Table[Written], *values: Value) -> Written:
    """Put a row there."""
    row = Written(table, values)
    table.put(row)
    return row


def uins(database: Database) -> list[Any]:
    """Return the numbers that are on disk."""
    return [row[0] for row in database.fetch("SELECT uin FROM account ORDER BY uin")]


async def test_write_is_on_disk_when_done(database: Database, tmp_path: Path) -> None:
    """Another connection sees what was written once the future is done."""
    await database.write(INSERT, 10001, "n")
    with closing(sqlite3.connect(tmp_path / "kqq.sqlite")) as other:
        assert other.execute("SELECT uin FROM account").fetchall() == [(10001,)]
    assert uins(database) == [10001]


async def test_write_counts_rows(database: Database) -> None:
    """The future gives how many rows each write of a transaction changed."""
    writes = [
        database.write(INSERT, 1, "one"),
        database.write(INSERT, 2, "two"),
        database.write(f"{INSERT} ON CONFLICT DO NOTHING", 2, "again"),
        database.write("UPDATE account SET face = 3"),
        database.write("UPDATE account SET face = 3 WHERE uin = 9"),
        database.write("DELETE FROM account WHERE uin = 1"),
    ]
    assert await asyncio.gather(*writes) == [1, 1, 0, 2, 0, 1]


async def test_rows_are_counted_when_writes_are_repeated(database: Database) -> None:
    """When one fails and each is written again by itself, what counts is the second time."""
    writes = [
        database.write(INSERT, 1, "one"),
        database.write("UPDATE account SET face = face + 1"),
        database.write(INSERT, 1, "fails"),
        database.write("UPDATE account SET face = face + 1 WHERE face = 1"),
        database.write("DELETE FROM account WHERE face = 2"),
    ]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert results[:2] == [1, 1]
    assert isinstance(results[2], StoreError)
    assert results[3:] == [1, 1]


async def test_writes_of_one_turn_share_a_transaction(database: Database) -> None:
    """Writes of one turn are done together, and later ones gather while the writer is busy."""
    together: list[bool] = []
    first = [database.write(INSERT, uin, "n") for uin in range(1, 51)]
    first[0].add_done_callback(lambda _: together.append(all(write.done() for write in first)))
    await asyncio.sleep(0)  # the first are handed over
    second = [database.write(INSERT, uin, "n") for uin in range(51, 101)]
    second[0].add_done_callback(lambda _: together.append(all(write.done() for write in second)))
    await asyncio.gather(*first, *second)
    assert together == [True, True]
    assert uins(database) == list(range(1, 101))


@pytest.mark.parametrize("bad", [(1, "twice"), (10**30, "too large"), (2, "\udcff")])
async def test_bad_write_fails_alone(
    database: Database, bad: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """A write that cannot be done fails with StoreError; the others of its turn are done."""
    await database.write(INSERT, 1, "n")
    before = database.write(INSERT, 10, "n")
    wrong = database.write(INSERT, *bad)
    after = database.write(INSERT, 11, "n")
    await asyncio.gather(before, after)
    with pytest.raises(StoreError, match="cannot write"):
        await wrong
    assert uins(database) == [1, 10, 11]
    assert "write failed" in caplog.text
    await database.write(INSERT, 12, "n")


async def test_failed_write_that_nobody_awaits_is_logged(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that nobody awaits is in the log, and nowhere else."""
    database.write("INSERT INTO nowhere VALUES (1)")
    await database.write(INSERT, 1, "n")
    assert "no such table" in caplog.text


async def test_cancelled_write_is_written(database: Database) -> None:
    """Whoever gives up waiting does not stop the write, nor the others."""
    given_up = asyncio.ensure_future(database.write(INSERT, 1, "n"))
    other = database.write(INSERT, 2, "n")
    await asyncio.sleep(0)
    given_up.cancel()
    await other
    assert given_up.cancelled()
    assert uins(database) == [1, 2]


async def test_locked_database_fails_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes that wait too long for a lock fail together; later ones succeed."""
    monkeypatch.setattr(module, "_BUSY_MS", 100)
    database = Database(tmp_path / "kqq.sqlite")
    with closing(sqlite3.connect(tmp_path / "kqq.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        writes = [database.write(INSERT, uin, "n") for uin in range(50)]
        for result in await asyncio.gather(*writes, return_exceptions=True):
            assert isinstance(result, StoreError)
            assert "locked" in str(result)
        assert time.monotonic() - began < 50 * 0.1 / 2
    await database.write(INSERT, 1, "n")
    assert uins(database) == [1]
    await database.close()


async def test_close_finishes_writes(tmp_path: Path) -> None:
    """What waits when the database is closed is on disk then."""
    database = Database(tmp_path / "kqq.sqlite")
    for uin in range(1, 11):
        database.write(INSERT, uin, "n")
    await asyncio.sleep(0)
    for uin in range(11, 21):
        database.write(INSERT, uin, "n")
    await database.close()
    again = Database(tmp_path / "kqq.sqlite")
    assert uins(again) == list(range(1, 21))
    await again.close()


def test_commands_need_no_loop(tmp_path: Path) -> None:
    """`execute` writes at once and counts rows; `fetch` reads."""
    database = Database(tmp_path / "kqq.sqlite")
    assert database.execute(INSERT, 1, "n") == 1
    assert database.execute("UPDATE account SET face = 3 WHERE uin = 2") == 0
    assert uins(database) == [1]
    asyncio.run(database.close())


async def test_wrong_statements_raise_store_error(database: Database) -> None:
    """Reading or writing what is not there is StoreError, with the file named."""
    with pytest.raises(StoreError, match=r"cannot read .*kqq\.sqlite.*nowhere"):
        database.fetch("SELECT * FROM nowhere")
    with pytest.raises(StoreError, match=r"cannot write .*kqq\.sqlite.*nowhere"):
        database.execute("DELETE FROM nowhere")


async def test_number_too_large_is_not_found(database: Database) -> None:
    """A number that SQLite cannot hold finds nothing."""
    await database.write(INSERT, 1, "n")
    assert database.fetch("SELECT uin FROM account WHERE uin = ?", 10**19) == []
    assert database.fetch("SELECT uin FROM account LIMIT 1 OFFSET ?", 10**19) == []


# --- opening -------------------------------------------------------------------------------------


def close(database: Database) -> None:
    """Close a database that wrote nothing in a loop."""
    asyncio.run(database.close())


def form(path: Path) -> int:
    """Return the number of the last step taken."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def tables(path: Path) -> dict[str, Any]:
    """Return the columns of each table, and how each index is made."""
    with closing(sqlite3.connect(path)) as connection:
        entries = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        return {
            name: sql
            if kind == "index"
            else (
                connection.execute(f"PRAGMA table_info({name})").fetchall(),
                connection.execute(f"PRAGMA foreign_key_list({name})").fetchall(),
            )
            for kind, name, sql in entries
        }


def test_steps_are_taken_once(tmp_path: Path) -> None:
    """A new file gets every step; one that has them is opened as it is."""
    path = tmp_path / "kqq.sqlite"
    close(Database(path))
    assert form(path) == migrations()[-1][0]
    assert path.stat().st_mode & 0o777 == 0o600
    first = Database(path)
    first.execute(INSERT, 1, "n")
    close(first)
    again = Database(path)
    assert uins(again) == [1]
    close(again)


def test_steps_are_numbered_without_gap() -> None:
    """Steps are numbered 1, 2, 3, ... in the order they are taken."""
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.parametrize(("number", "sql"), migrations())
def test_every_statement_is_found(number: int, sql: str) -> None:
    """No statement of a step is forgotten for want of a semicolon."""
    assert "".join(module._statements(sql)) == sql


# --- from an older form --------------------------------------------------------------------------


@pytest.fixture
def first_form(tmp_path: Path) -> Path:
    """A database as the first version left it: friends, and messages of which some were read."""
    path = tmp_path / "kqq.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(migrations()[0][1])
        old.executemany(
            "INSERT INTO account (uin, nick, face, proof, created) VALUES (?, ?, ?, ?, ?)",
            [(10001, "Romeo", 3, "scrypt$00$11", 1.5), (10002, "朱丽叶", 0, "scrypt$22$33", 2.5)],
        )
        old.executemany("INSERT INTO friend VALUES (?, ?)", [(10001, 10002), (10002, 10001)])
        old.executemany(
            "INSERT INTO message (receiver, sender, text, sent) VALUES (?, ?, ?, ?)",
            [
                (10002, 10001, text, 3.5)
                for text in (b"one", "二".encode(), b"\xff\0", b"", b"last")
            ],
        )
        old.execute("DELETE FROM message WHERE text IN (?, ?)", (b"one", b"last"))
        old.execute("PRAGMA user_version=1")
        old.commit()
    return path


def test_first_form_keeps_its_rows(first_form: Path) -> None:
    """Accounts, friends and messages are what they were, with the values new columns begin with."""
    database = Database(first_form)
    store = Store(database)
    assert store.accounts() == [
        Account(10001, "Romeo", 3, "scrypt$00$11", "ask", "friends", None, None),
        Account(10002, "朱丽叶", 0, "scrypt$22$33", "ask", "friends", None, None),
    ]
    assert database.fetch("SELECT created FROM account ORDER BY uin") == [(1.5,), (2.5,)]
    assert (store.friends(10001), store.friends(10002)) == ([10002], [10001])
    assert store.messages_after(10002, 0, 9) == [
        Stored(2, 10001, "二", Kind.MESSAGE),
        Stored(3, 10001, "\udcff\0", Kind.MESSAGE),
        Stored(4, 10001, "", Kind.MESSAGE),
    ]
    assert database.fetch("SELECT DISTINCT sent FROM message") == [(3.5,)]
    assert database.fetch("PRAGMA foreign_key_check") == []
    assert database.fetch("PRAGMA integrity_check") == [("ok",)]
    close(database)


async def test_first_form_goes_on(first_form: Path) -> None:
    """No id of a message comes back, even if none waited; and all that is new works."""
    with closing(sqlite3.connect(first_form)) as old:
        old.execute("DELETE FROM message")
        old.commit()
    database = Database(first_form)
    store = Store(database)
    assert await store.add_message(10000, 10001, "hello", 4.5) == 6
    assert [message.id for message in store.messages_after(10001, 0, 9)] == [6]
    await store.change_profile(10001, {"city": "Verona"})
    assert await store.delete_account(10001) == 1
    assert store.friends(10002) == []
    await database.close()


def test_first_form_is_the_same_as_a_new_one(first_form: Path, tmp_path: Path) -> None:
    """A database that was migrated has the tables of one that was made today."""
    close(Database(first_form))
    close(Database(tmp_path / "new.sqlite"))
    assert tables(first_form) == tables(tmp_path / "new.sqlite")
    assert form(first_form) == form(tmp_path / "new.sqlite")


def test_migration_that_fails_leaves_the_old_form(first_form: Path) -> None:
    """When a step cannot be taken the older version can go on with the database."""
    before = tables(first_form)
    with closing(sqlite3.connect(first_form)) as old:
        old.execute("CREATE TABLE profile (in_the_way)")
    with pytest.raises(StoreError, match="profile already exists"):
        Database(first_form)
    assert form(first_form) == 1
    with closing(sqlite3.connect(first_form)) as old:
        assert old.execute("SELECT count(*) FROM friend").fetchone() == (2,)
        old.execute("DROP TABLE profile")
    assert tables(first_form) == before
    close(Database(first_form))
    assert form(first_form) == migrations()[-1][0]


# --- what cannot be opened -----------------------------------------------------------------------


def test_newer_form_is_refused(tmp_path: Path) -> None:
    """A file that a newer kqq made is not touched."""
    path = tmp_path / "kqq.sqlite"
    close(Database(path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="form 99 is newer than this kqq knows"):
        Database(path)
    assert form(path) == 99


def test_step_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is taken whole or not at all."""
    last = migrations()[-1][0]
    bad = (last + 1, "CREATE TABLE half (a);\nCREATE TABLE half (a);\n")
    steps = [*migrations(), bad]
    monkeypatch.setattr(module, "migrations", lambda: steps)
    path = tmp_path / "kqq.sqlite"
    with pytest.raises(StoreError, match="half already exists"):
        Database(path)
    assert form(path) == last
    with closing(sqlite3.connect(path)) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name='half'").fetchall()


def test_step_that_another_process_took_meanwhile(tmp_path: Path) -> None:
    """Whoever comes second does not take the step again."""
    path = tmp_path / "kqq.sqlite"

    class Second(sqlite3.Connection):
        def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> sqlite3.Cursor:  # type: ignore[override]
            if sql == "BEGIN IMMEDIATE":
                close(Database(path))
            return super().execute(sql, parameters)

    with closing(sqlite3.connect(path, isolation_level=None, factory=Second)) as connection:
        module._migrate(connection)
    assert form(path) == migrations()[-1][0]


def test_processes_open_a_new_file_at_the_same_time(tmp_path: Path) -> None:
    """Several processes may make the same database at once."""
    code = "import sys; from pathlib import Path; from kqq.server.database import Database\n"
    code += "sys.stdin.read(); Database(Path(sys.argv[1])).fetch('SELECT * FROM account')"
    path = tmp_path / "kqq.sqlite"
    command = [sys.executable, "-c", code, str(path)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(20) for process in processes] == [0, 0, 0, 0]
    assert form(path) == migrations()[-1][0]


@pytest.mark.parametrize(
    "content", [b"this is no database " * 100, b"SQLite format 3\0" + bytes(2000)]
)
def test_corrupted_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is no database is StoreError, and stays as it is."""
    path = tmp_path / "kqq.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"cannot use the database .*kqq\.sqlite"):
        Database(path)
    assert path.read_bytes() == content


def test_folder_is_made(tmp_path: Path) -> None:
    """The folder is made with its parents, for its owner only."""
    path = prepare_folder(tmp_path / "a" / "b")
    assert path == tmp_path / "a" / "b" / "kqq.sqlite"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert prepare_folder(tmp_path / "a" / "b") == path


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A file in the folder's place is StoreError."""
    (tmp_path / "file").write_text("")
    for data in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match="cannot make the data folder"):
            prepare_folder(data)


def test_folder_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that may not be written is StoreError; asked of the system, as root may anything."""
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(StoreError, match="no permission"):
        prepare_folder(tmp_path)


async def test_writes_are_synchronous(tmp_path: Path) -> None:
    """A write is on disk when it is acknowledged: both connections use WAL and sync fully."""
    database = Database(tmp_path / "kqq.sqlite")
    for connection in (database._reader, database._writer):
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    await database.close()


async def test_another_database_in_the_process_harms_nothing(tmp_path: Path) -> None:
    """Opening the file again drops no lock: another process then does not take it for unused."""
    path = tmp_path / "kqq.sqlite"
    database = Database(path)
    await database.write(INSERT, 1, "n")
    again = Database(path)
    code = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1]); "
        "database.execute('SELECT count(*) FROM account').fetchall(); database.close()"
    )
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(path))
    assert await other.wait() == 0
    await database.write(INSERT, 2, "n")
    fresh = Database(path)
    assert uins(fresh) == [1, 2]
    for one in (fresh, again, database):
        await one.close()


async def test_rows_get_ascending_ids(database: Database) -> None:
    """Those of one turn by few statements, in order, and before what else is written in it."""
    for uin in (1, 2):
        await database.write(INSERT, uin, "n")
    table = messages(database)
    other = database.write("UPDATE account SET nick = (SELECT count(*) FROM message)")
    rows = [put(table, 1, 2, "message", b"%d" % number, 0.0) for number in range(700)]
    ids = await asyncio.gather(*rows)
    assert await other == 2
    assert ids == list(range(1, 701))
    assert database.fetch("SELECT id, CAST(text AS TEXT) FROM message ORDER BY id") == [
        (number, str(number - 1)) for number in ids
    ]
    assert database.fetch("SELECT nick FROM account") == [("700",), ("700",)]
    assert database.batches == 3


async def test_a_bad_row_fails_alone(database: Database) -> None:
    """The others get ids that go up all the same."""
    await database.write(INSERT, 1, "n")
    table = messages(database)
    rows = [put(table, to, 2, "message", b"", 0.0) for to in (1, 3, 1)]
    one, bad, other = await asyncio.gather(*rows, return_exceptions=True)
    assert isinstance(bad, StoreError)
    assert isinstance(one, int)
    assert isinstance(other, int)
    assert database.fetch("SELECT id FROM message ORDER BY id") == [(one,), (other,)]


async def test_while_more_comes_it_is_one_transaction(tmp_path: Path) -> None:
    """What comes in each turn of the loop is written together, but none waits for long."""
    clock = ManualClock()
    database = Database(tmp_path / "slow.sqlite", clock)
    some = []
    for number in range(5):
        some.append(database.write(INSERT, number, "n"))
        await asyncio.sleep(0)
    await asyncio.gather(*some)
    assert database.batches == 1
    first = database.write(INSERT, 5, "n")
    await asyncio.sleep(0)
    clock.advance(0.002)
    second = database.write(INSERT, 6, "n")
    await asyncio.sleep(0)  # the first has waited long enough, and takes the second along
    third = database.write(INSERT, 7, "n")
    await asyncio.gather(first, second, third)
    assert database.batches == 3
    await database.close()


async def test_what_nobody_waits_for_comes_along(database: Database) -> None:
    """With the next transaction; alone after a moment; and before the end."""
    along = database.write_along(INSERT, 1, "n")
    await database.write(INSERT, 2, "n")
    assert (along.done(), database.batches) == (True, 1)
    assert await database.write_along(INSERT, 3, "n") == 1
    first = database.write(INSERT, 4, "n")
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # nothing else has come, so it is with the writer
    late = database.write_along(INSERT, 5, "n")
    await asyncio.gather(first, late)
    assert database.batches == 4
    last = database.write_along(INSERT, 6, "n")
    await database.close()
    assert last.done()


async def test_what_others_write_is_noticed(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a transaction soon after; what it writes itself is none of that."""
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.0)
    noticed: list[str] = []
    await database.write(INSERT, 1, "n")
    database.on_foreign_write(lambda: noticed.append("somebody"))
    await database.write(INSERT, 2, "n")
    assert noticed == []
    with closing(sqlite3.connect(tmp_path / "kqq.sqlite")) as other, other:
        other.execute(INSERT, (3, "n"))
    await database.write(INSERT, 4, "n")
    assert noticed == ["somebody"]
    await database.write(INSERT, 5, "n")
    assert noticed == ["somebody"]


async def with_a_row(database: Database) -> tuple[Table[Written], list[str]]:
    """Put a row; return its table, and a list to which is added when others are noticed."""
    noticed: list[str] = []
    await database.write(INSERT, 1, "n")
    table = messages(database)
    await put(table, 1, 2, "message", b"a", 0.0)
    database.on_foreign_write(lambda: noticed.append("somebody"))
    return table, noticed


async def test_rows_of_others_are_noticed_at_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the gap between the ids of our own."""
    monkeypatch.setattr(module, "_LOOK_EVERY", 3600.0)
    table, noticed = await with_a_row(database)
    await asyncio.gather(*(put(table, 1, 2, "message", b"b", 0.0) for _ in range(3)))
    assert noticed == []
    with closing(sqlite3.connect(tmp_path / "kqq.sqlite")) as other, other:
        other.execute("INSERT INTO message (receiver, sender, kind, text, sent)"
                      " VALUES (1, 2, 'message', x'63', 0)")  # fmt: skip
    await put(table, 1, 2, "message", b"d", 0.0)
    assert noticed == ["somebody"]
    await put(table, 1, 2, "message", b"e", 0.0)
    assert noticed == ["somebody"]


async def test_rows_of_others_between_writes_that_are_tried_alone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those are no transaction together, so something else may come between them."""
    monkeypatch.setattr(module, "_LOOK_EVERY", 3600.0)
    table, noticed = await with_a_row(database)
    with closing(_connect(tmp_path / "kqq.sqlite")) as other:
        sql = "INSERT INTO message (receiver, sender, kind, text, sent) VALUES (1, 2, '', x'63', 0)"
        monkeypatch.setattr(
            transaction, "_run_all", _once(transaction._run_all, lambda: other.execute(sql))
        )
        rows = [put(table, to, 2, "message", b"", 0.0) for to in (1, 3, 1)]
        first, _, last = await asyncio.gather(*rows, return_exceptions=True)
    assert (first, last) == (2, 4)
    assert noticed == ["somebody"]


async def test_a_look_that_fails_ends_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may have written then; and the writer goes on."""
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.0)
    noticed: list[str] = []
    await database.write(INSERT, 1, "n")
    database.on_foreign_write(lambda: noticed.append("perhaps"))

    def deny(action: int, *_: str | None) -> int:
        return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_PRAGMA else sqlite3.SQLITE_OK

    database._writer.set_authorizer(deny)
    await database.write(INSERT, 2, "n")
    assert noticed == ["perhaps"]
    await database.write(INSERT, 3, "n")
    assert uins(database) == [1, 2, 3]


async def test_errors_of_those_who_are_told(database: Database, tmp_path: Path) -> None:
    """They are the loop's to tell of; others are told all the same, and the writer goes on."""
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: told.append(str(context["exception"]))
    )

    def fail(*_: object) -> None:
        raise RuntimeError("no")

    await database.write(INSERT, 1, "n")
    for call in (fail, lambda *_: told.append("called")):
        database.on_foreign_write(call)
        messages(database).on_stored(call)
    with closing(sqlite3.connect(tmp_path / "kqq.sqlite")) as other, other:
        other.execute("INSERT INTO message (receiver, sender, kind, text, sent)"
                      " VALUES (1, 2, 'message', x'63', 0)")  # fmt: skip
    row = put(messages(database), 1, 2, "message", b"a", 0.0)
    for call in (fail, lambda *_: told.append("called")):
        row.add_done_callback(call)
    assert await row == 2
    assert told == ["no", "called"] * 3
    assert await database.write(INSERT, 2, "n") == 1


async def test_how_long_nobody_has_looked(tmp_path: Path) -> None:
    """Since the last transaction, for ever if there was none."""
    clock = ManualClock()
    database = Database(prepare_folder(tmp_path), clock)
    assert database.looked == -math.inf
    now = clock.now()
    await database.write(INSERT, 1, "n")
    clock.advance(3.0)
    assert database.looked == now
    await database.close()


async def test_a_disk_that_fails_while_each_write_is_tried_alone(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before it are written; those behind it fail at once, since each would wait as long."""
    await database.write(INSERT, 1, "n")
    with closing(_connect(tmp_path / "kqq.sqlite")) as other:
        database._writer.execute("PRAGMA busy_timeout=1")
        locking = _once(transaction._run_all, lambda: other.execute("BEGIN IMMEDIATE"))
        monkeypatch.setattr(transaction, "_run_all", locking)
        writes = [database.write(INSERT, number, "n") for number in (1, 4, 5, 6)]
        found = await asyncio.gather(*writes, return_exceptions=True)
        assert ["UNIQUE" in str(found[0]), found[1]] == [True, 1]
        assert ["locked" in str(one) for one in found[2:]] == [True, True]
    assert uins(database) == [1, 4]


def _once(run: Callable[..., T], then: Callable[[], object]) -> Callable[..., T]:
    """Return `run` that has something happen after the first time it succeeds."""
    left = [then]

    def run_and_more(connection: sqlite3.Connection, batch: object) -> T:
        done = run(connection, batch)
        if left:
            left.pop()()
        return done

    return run_and_more
