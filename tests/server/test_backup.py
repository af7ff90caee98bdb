"""Copies of the database, and the way back."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from kqq.errors import ConfigError, StoreError
from kqq.server.backup import (
    Contents,
    back_up,
    damage,
    form_of,
    newest_form,
    open_database,
    restore,
    strangeness,
)
from kqq.server.claim import is_claimed
from kqq.server.database import Database, database_path, migrations
from kqq.server.store import Store
from stage import JULIET, ROMEO, add_person

DATE = datetime(2014, 5, 13, 20, 15, 30).astimezone()
MANY = 3000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two people and some messages that wait."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    fill(folder, MANY)
    return folder


def fill(folder: Path, messages: int) -> None:
    """Make a database with Romeo and Juliet, and messages of some bytes for her."""
    database = Database(database_path(folder))
    store = Store(database)
    add_person(store, ROMEO)
    add_person(store, JULIET)
    add_messages(folder, messages)
    asyncio.run(database.close())


def add_messages(folder: Path, count: int) -> None:
    """Add messages, as another process does."""
    with closing(sqlite3.connect(database_path(folder))) as other, other:
        other.executemany(
            "INSERT INTO message (receiver, sender, kind, text, sent) VALUES (?, ?, ?, ?, ?)",
            ((JULIET, ROMEO, "message", "你好".encode() * 50, 1.0) for _ in range(count)),
        )


def opened(folder: Path) -> sqlite3.Connection:
    """Open the database and look at it, so that what is written stays in the file beside it."""
    connection = sqlite3.connect(database_path(folder))
    connection.execute("SELECT count(*) FROM account").fetchall()
    return connection


def count(path: Path) -> int:
    """Return how many messages are in a database."""
    with closing(sqlite3.connect(path)) as database:
        return int(database.execute("SELECT count(*) FROM message").fetchone()[0])


def spoil(path: Path) -> None:
    """Break some pages in the middle of a database, behind its first."""
    with path.open("r+b") as file:
        file.seek(40960)
        file.write(b"\xff" * 40960)


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


# --- backup --------------------------------------------------------------------------------------


def test_a_backup_is_one_file_for_its_owner(data: Path, tmp_path: Path) -> None:
    """All is in it, it can be read where nothing can be written, and nothing else is left."""
    told: list[tuple[int, int]] = []
    file = tmp_path / "copy"
    contents = back_up(data, file, progress=lambda *pages: told.append(pages))
    assert contents == Contents(newest_form(), 2, MANY, file.stat().st_size)
    assert file.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["copy", "data"]
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] == contents.size // 4096
    with closing(open_database(file, foreign=True)) as copy:
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert copy.execute("SELECT count(*) FROM message").fetchone() == (MANY,)


def test_a_backup_is_of_one_moment(data: Path, tmp_path: Path) -> None:
    """What is written between two of its steps is not in it, and does not begin it anew."""
    steps = 0

    def write(*_: int) -> None:
        nonlocal steps
        steps += 1
        add_messages(data, 10)

    assert back_up(data, tmp_path / "copy", progress=write).messages == MANY
    assert count(database_path(data)) == MANY + 10 * steps
    assert 2 < steps < 20


def test_a_backup_has_what_a_killed_server_left_in_its_journal(data: Path, tmp_path: Path) -> None:
    """What is acknowledged may be in the file beside the database only."""
    open_still = opened(data)
    add_messages(data, 5)
    for name in names(data):
        (tmp_path / "killed").mkdir(exist_ok=True)
        (tmp_path / "killed" / name).write_bytes((data / name).read_bytes())
    open_still.close()
    assert "kqq.sqlite-wal" in names(tmp_path / "killed")
    assert back_up(tmp_path / "killed", tmp_path / "copy").messages == MANY + 5


def test_an_old_backup_is_replaced_only_if_that_is_wanted(data: Path, tmp_path: Path) -> None:
    """Without `force` it stays as it is, also if it appears while the copy is made."""
    file = tmp_path / "copy"
    file.write_text("dear")
    with pytest.raises(ConfigError, match=r"there is a file .*copy already.*--force"):
        back_up(data, file)
    assert file.read_text() == "dear"
    assert back_up(data, file, force=True).messages == MANY
    file.unlink()
    with pytest.raises(ConfigError, match="already"):
        back_up(data, file, progress=lambda *_: appear(file))
    assert file.read_text() == "dear"
    assert names(tmp_path) == ["copy", "data"]


def appear(file: Path) -> None:
    """Make a file that somebody wants to keep."""
    file.write_text("dear")


def test_the_database_is_never_replaced_by_its_backup(data: Path, tmp_path: Path) -> None:
    """Not under another name either, nor what belongs to it while it is open."""
    (tmp_path / "link").symlink_to(database_path(data))
    with closing(opened(data)):
        for file in ("data/kqq.sqlite", "link", "data/kqq.sqlite-wal"):
            with pytest.raises(ConfigError, match="is the database itself"):
                back_up(data, tmp_path / file, force=True)
    assert count(database_path(data)) == MANY


def test_where_no_backup_can_be_made(data: Path, tmp_path: Path) -> None:
    """No database, a folder in the way, no folder to write in."""
    with pytest.raises(ConfigError, match=r"there is no database in .*none; is that"):
        back_up(tmp_path / "none", tmp_path / "copy")
    with pytest.raises(ConfigError, match="data is a folder; name a file in it"):
        back_up(data, data)
    with pytest.raises(StoreError, match=r"cannot write in .*none: No such file or directory"):
        back_up(data, tmp_path / "none" / "copy")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), sqlite3.OperationalError("disk is full")])
def test_a_backup_that_fails_leaves_nothing(
    data: Path, tmp_path: Path, error: BaseException
) -> None:
    """Neither a file nor a part of one; the old backup is what it was."""
    file = tmp_path / "copy"
    file.write_text("dear")

    def fail(*_: int) -> None:
        raise error

    with pytest.raises((KeyboardInterrupt, StoreError)):
        back_up(data, file, force=True, progress=fail)
    assert names(tmp_path) == ["copy", "data"]
    assert file.read_text() == "dear"


def test_a_damaged_database_gives_no_backup(data: Path, tmp_path: Path) -> None:
    """Better none than one that is worth nothing when it is needed."""
    spoil(database_path(data))
    with pytest.raises(StoreError, match=r"kqq\.sqlite cannot be used: "):
        back_up(data, tmp_path / "copy")
    assert names(tmp_path) == ["data"]


# --- restore -------------------------------------------------------------------------------------


def test_a_backup_is_restored(data: Path, tmp_path: Path) -> None:
    """The old database is kept under a name of its own, with what was written since."""
    back_up(data, tmp_path / "copy")
    add_messages(data, 7)
    told: list[int] = []
    contents, kept = restore(
        tmp_path / "copy", data, DATE, progress=lambda done, _: told.append(done)
    )
    assert contents.messages == count(database_path(data)) == MANY
    assert told
    assert kept == data / "kqq.sqlite.20140513-201530"
    assert count(kept) == MANY + 7
    assert database_path(data).stat().st_mode & 0o777 == 0o600
    assert names(data) == ["kqq.sqlite", kept.name, "lock"]
    database = Database(database_path(data))
    assert Store(database).count_accounts() == 2
    asyncio.run(database.close())


def test_a_backup_is_restored_in_a_new_place(data: Path, tmp_path: Path) -> None:
    """A folder that is not there is made; nothing was there to be kept."""
    back_up(data, tmp_path / "copy")
    assert restore(tmp_path / "copy", tmp_path / "new", DATE)[1] is None
    assert count(tmp_path / "new" / "kqq.sqlite") == MANY
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_second_restore_keeps_both(data: Path, tmp_path: Path) -> None:
    """Within a second the names are counted on."""
    back_up(data, tmp_path / "copy")
    for name in ("kqq.sqlite.20140513-201530", "kqq.sqlite.20140513-201530-2"):
        assert restore(tmp_path / "copy", data, DATE)[1] == data / name


def test_the_old_database_keeps_what_a_killed_server_left(data: Path, tmp_path: Path) -> None:
    """What is beside the old database goes into it, and never into the new one."""
    back_up(data, tmp_path / "copy")
    open_still = opened(data)
    add_messages(data, 5)
    journal = (data / "kqq.sqlite-wal").read_bytes()
    open_still.close()
    (data / "kqq.sqlite-wal").write_bytes(journal)
    kept = restore(tmp_path / "copy", data, DATE)[1]
    assert kept is not None
    assert (count(kept), count(database_path(data))) == (MANY + 5, MANY)


def test_a_damaged_database_is_kept_with_all_that_belongs_to_it(data: Path, tmp_path: Path) -> None:
    """Somebody may save something out of it; the new one must not take its journal for its own."""
    back_up(data, tmp_path / "copy")
    database_path(data).write_bytes(b"no database at all " * 500)
    (data / "kqq.sqlite-wal").write_bytes(b"journal")
    (data / "kqq.sqlite-shm").write_bytes(b"index")
    kept = restore(tmp_path / "copy", data, DATE)[1]
    assert kept is not None
    assert kept.read_bytes().startswith(b"no database")
    assert kept.with_name(f"{kept.name}-wal").read_bytes() == b"journal"
    assert names(data) == ["kqq.sqlite", kept.name, f"{kept.name}-wal", "lock"]
    assert count(database_path(data)) == MANY


def test_a_journal_without_a_database_is_put_away(data: Path, tmp_path: Path) -> None:
    """SQLite would take it for that of the new one."""
    back_up(data, tmp_path / "copy")
    database_path(data).rename(tmp_path / "moved")
    (data / "kqq.sqlite-wal").write_bytes(b"journal")
    assert restore(tmp_path / "copy", data, DATE)[1] is None
    assert names(data) == ["kqq.sqlite", "kqq.sqlite.20140513-201530-wal", "lock"]


def test_a_file_system_without_links_will_do(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old database is then renamed."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    back_up(data, tmp_path / "copy")
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    kept = restore(tmp_path / "copy", data, DATE)[1]
    assert kept is not None
    assert count(kept) == count(database_path(data)) == MANY


def test_a_live_database_can_be_brought_to_another_folder(data: Path, tmp_path: Path) -> None:
    """What is restored may be a database that is in use, with its journal beside it."""
    with closing(opened(data)):
        add_messages(data, 3)
        assert "kqq.sqlite-wal" in names(data)
        contents, _ = restore(database_path(data), tmp_path / "new", DATE)
    assert contents.messages == MANY + 3


def test_nothing_is_written_where_the_backup_is(data: Path, tmp_path: Path) -> None:
    """A copy made by hand, in WAL mode, may be on a disk that can only be read."""
    source = tmp_path / "disk"
    source.mkdir()
    (source / "copy").write_bytes(database_path(data).read_bytes())
    source.chmod(0o500)
    try:
        assert restore(source / "copy", tmp_path / "new", DATE)[0].messages == MANY
        assert names(source) == ["copy"]
    finally:
        source.chmod(0o700)


def test_an_older_form_is_restored_and_brought_up_to_date_later(data: Path, tmp_path: Path) -> None:
    """As it is; who opens it next takes the steps."""
    file = tmp_path / "old"
    with closing(sqlite3.connect(file)) as old:
        old.executescript(migrations()[0][1])
        old.execute("INSERT INTO account VALUES (10001, 'Anna', 0, 'x', 1.0)")
        old.execute("PRAGMA user_version=1")
        old.commit()
    contents, _ = restore(file, data, DATE)
    assert (contents.form, contents.accounts) == (1, 1)
    database = Database(database_path(data))
    assert Store(database).accounts()[0].nick == "Anna"
    asyncio.run(database.close())


def newer(path: Path) -> None:
    """Make a database that a newer kqq has changed."""
    asyncio.run(Database(path).close())
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version=99")


def other_program(path: Path) -> None:
    """Make a database that is not ours, though it says a form of ours."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE account (uin)")
        database.execute("PRAGMA user_version=1")


def torn(path: Path) -> None:
    """Make a copy that came to an end too early."""
    path.parent.joinpath("whole").mkdir()
    fill(path.parent / "whole", MANY)
    path.write_bytes(database_path(path.parent / "whole").read_bytes()[:200_000])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.write_bytes(b"no database " * 500), "file is not a database"),
        (lambda path: path.write_bytes(b""), "cannot be used: it is no database of kqq"),
        (other_program, "it is no database of kqq: account, friend, message is not in it"),
        (newer, "its form 99 is newer than this kqq knows"),
        (torn, "malformed"),
    ],
    ids=["text", "empty", "other", "newer", "torn"],
)
def test_what_is_no_good_backup_is_not_restored(
    data: Path, tmp_path: Path, make: Callable[[Path], object], told: str
) -> None:
    """All stays as it was."""
    make(tmp_path / "bad")
    with pytest.raises(StoreError, match=told):
        restore(tmp_path / "bad", data, DATE)
    assert names(data) == ["kqq.sqlite", "lock"]
    assert count(database_path(data)) == MANY


def test_where_nothing_can_be_restored(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file, the database itself, a folder that cannot be locked or written."""
    with pytest.raises(ConfigError, match=r"there is no file .*none"):
        restore(tmp_path / "none", data, DATE)
    with pytest.raises(ConfigError, match="is the database itself; name a backup"):
        restore(database_path(data), data, DATE)
    back_up(data, tmp_path / "copy")
    (tmp_path / "locked" / "lock").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"cannot write in .*locked: Is a directory"):
        restore(tmp_path / "copy", tmp_path / "locked", DATE)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(StoreError, match=r"cannot write in .*data: Operation not permitted"):
        restore(tmp_path / "copy", data, DATE)
    assert count(database_path(data)) == MANY


def test_nothing_is_restored_under_a_server(data: Path, tmp_path: Path) -> None:
    """The lock that keeps servers from each other keeps this out, too."""
    back_up(data, tmp_path / "copy")
    assert not is_claimed(data)
    with (data / "lock").open("w") as lock:
        assert not is_claimed(data)
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert is_claimed(data)
        with pytest.raises(ConfigError, match=r"a server uses .*data; stop it, then restore"):
            restore(tmp_path / "copy", data, DATE)
    assert not is_claimed(data)
    restore(tmp_path / "copy", data, DATE)


def test_no_server_starts_while_something_is_restored(data: Path, tmp_path: Path) -> None:
    """The folder is claimed until the new database is in its place."""
    back_up(data, tmp_path / "copy")
    seen: list[bool] = []
    restore(tmp_path / "copy", data, DATE, progress=lambda *_: seen.append(is_claimed(data)))
    assert set(seen) == {True}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_restores_for_the_owner_of_the_folder(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server, which is not root, could not open its own database otherwise."""
    back_up(data, tmp_path / "copy")
    os.chown(data, 12345, 12346)
    restore(tmp_path / "copy", data, DATE)
    for name in ("kqq.sqlite", "lock"):
        status = (data / name).stat()
        assert (status.st_uid, status.st_gid) == (12345, 12346)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    os.chown(data, 12347, 12348)
    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(StoreError, match=r"cannot give .*lock to the owner of .*data"):
        restore(tmp_path / "copy", data, DATE)
    assert names(data) == ["kqq.sqlite", "kqq.sqlite.20140513-201530", "lock"]


# --- what a file is ------------------------------------------------------------------------------


def test_a_database_is_looked_at_as_it_is(data: Path) -> None:
    """Its form, whether it is ours, whether it is whole."""
    with closing(open_database(database_path(data))) as database:
        assert form_of(database) == newest_form()
        assert strangeness(database) == ""
        assert damage(database) == ""
        database.execute("ALTER TABLE account RENAME COLUMN nick TO name")
        assert strangeness(database) == "it is no database of kqq: account is not in it"
    spoil(database_path(data))
    with closing(open_database(database_path(data))) as database:
        assert damage(database) != ""
    database_path(data).write_text("no database " * 500)
    with closing(open_database(database_path(data))) as database:
        assert damage(database) == "file is not a database"


def test_no_database_is_made_by_looking(tmp_path: Path) -> None:
    """A file that is not there is an error, and is not there after it."""
    with pytest.raises(sqlite3.OperationalError):
        open_database(tmp_path / "none")
    assert names(tmp_path) == []


def test_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    """Also where a URI would mean something else."""
    folder = tmp_path / "a?mode=ro#b %41 小"
    folder.mkdir()
    fill(folder, 1)
    assert back_up(folder, folder / "c?d").messages == 1
    assert restore(folder / "c?d", folder / "new", DATE)[0].accounts == 2
