"""What the machine can tell of what is wrong."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

import pems
from kqq.server import Config, Listen, Server
from kqq.server import backup as backup_module
from kqq.server.database import Database, database_path, migrations
from kqq.server.diagnosis import (
    RELEASED,
    Finding,
    Level,
    certificate,
    clock,
    database,
    disk,
    doors,
    folder,
    limit_of,
    newest_date,
    open_files,
)
from kqq.server.store import Store
from stage import JULIET, ROMEO, add_person

ME = os.geteuid()
MEBIBYTE = 1024**2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two people and a message."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    opened = Database(database_path(data))
    store = Store(opened)
    add_person(store, ROMEO)
    add_person(store, JULIET)
    with closing(sqlite3.connect(database_path(data))) as other, other:
        other.execute(
            "INSERT INTO message (receiver, sender, kind, text, sent)"
            " VALUES (10002, 10001, 'message', x'61', 2000.5)"
        )
    asyncio.run(opened.close())
    return data


def told(findings: Iterator[Finding]) -> list[tuple[str, str]]:
    """Return the levels and words; whatever is not ok must say what to do."""
    found = list(findings)
    for one in found:
        assert bool(one.todo) == (one.level is not Level.OK)
    return [(one.level.value, one.words) for one in found]


def only(findings: Iterator[Finding]) -> tuple[str, str]:
    """Return the level and words of the only finding."""
    (one,) = told(findings)
    return one


# --- the data folder -----------------------------------------------------------------------------


def test_a_good_folder_is_ok_and_stays_as_it_is(data: Path) -> None:
    """What is written to try it is gone again."""
    before = sorted(data.iterdir())
    assert only(folder(data, ME)) == ("ok", f"{data} can be written, and only by you")
    assert sorted(data.iterdir()) == before


def test_a_folder_that_is_not_there_is_a_problem(data: Path) -> None:
    """It is not made."""
    assert only(folder(data / "none", ME)) == ("problem", f"there is no folder {data}/none")
    assert not (data / "none").exists()


def test_a_folder_that_cannot_be_written_is_a_problem(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in its place; a disk that is full, or that can only be read."""
    file = database_path(data)
    assert only(folder(file, ME)) == ("problem", f"cannot write in {file}: Not a directory")

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    assert only(folder(data, ME)) == ("problem", f"cannot write in {data}: No space left on device")


def test_a_folder_that_others_can_look_into_is_told(data: Path) -> None:
    """Or that is another user's; each with what to do."""
    data.chmod(0o750)
    assert told(folder(data, ME + 1)) == [
        ("warning", f"others on this machine can look into {data}"),
        ("warning", f"{data} belongs to another user ({ME})"),
    ]


def room(space: int, nodes: int | None = 10**6) -> SimpleNamespace:
    """Return what the system says of a disk."""
    return SimpleNamespace(
        f_frsize=4096,
        f_bavail=space // 4096,
        f_files=0 if nodes is None else 10**7,
        f_favail=nodes or 0,
    )


@pytest.mark.parametrize(
    ("left", "level", "words"),
    [
        (room(1000 * MEBIBYTE), "ok", "1,000 MiB are left, for 1,000,000 files"),
        (room(40 * 1024 * MEBIBYTE, None), "ok", "40 GiB are left"),
        (room(255 * MEBIBYTE), "warning", "255 MiB are left, for 1,000,000 files"),
        (room(1000 * MEBIBYTE, 999), "warning", "1,000 MiB are left, for 999 files"),
        (room(15 * MEBIBYTE), "problem", "15 MiB are left, for 1,000,000 files"),
        (room(500 * 1024), "problem", "500 KiB are left, for 1,000,000 files"),
        (room(1000 * MEBIBYTE, 15), "problem", "1,000 MiB are left, for 15 files"),
    ],
)
def test_room_on_the_disk(
    data: Path, monkeypatch: pytest.MonkeyPatch, left: SimpleNamespace, level: str, words: str
) -> None:
    """In bytes, and in files where the file system counts them."""
    monkeypatch.setattr(os, "statvfs", lambda _: left)
    found_level, found = only(iter([disk(data)]))
    assert (found_level, found.partition(";")[0]) == (level, words)


def test_room_for_a_copy_is_wanted(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that has less than twice the database is nearly full, however large it is."""
    monkeypatch.setattr(os, "statvfs", lambda _: room(300 * MEBIBYTE))
    assert disk(data).level is Level.OK
    with (data / "kqq.sqlite-wal").open("wb") as large:
        large.truncate(200 * MEBIBYTE)
    assert only(iter([disk(data)])) == (
        "warning",
        "300 MiB are left, for 1,000,000 files; the database has 200 MiB",
    )


# --- the database --------------------------------------------------------------------------------


def test_a_good_database_is_ok_and_stays_as_it_is(data: Path) -> None:
    """Nothing is written that anybody could see."""
    path = database_path(data)
    with closing(sqlite3.connect(path)) as before:
        entries = before.execute("SELECT * FROM sqlite_master").fetchall()
    newest = migrations()[-1][0]
    assert only(database(path)) == (
        "ok",
        f"it is whole, has the newest form ({newest}) and can be written",
    )
    with closing(sqlite3.connect(path)) as after:
        assert after.execute("SELECT * FROM sqlite_master").fetchall() == entries


def test_no_database_is_a_warning(tmp_path: Path) -> None:
    """A server that was never started has none; none is made."""
    path = database_path(tmp_path)
    assert only(database(path)) == ("warning", f"there is no kqq.sqlite in {tmp_path} yet")
    assert not path.exists()


def test_a_database_that_others_can_read_is_told(data: Path) -> None:
    """It holds messages."""
    path = database_path(data)
    path.chmod(0o644)
    assert told(database(path))[0] == ("warning", "others on this machine can read kqq.sqlite")


def test_a_database_that_cannot_be_looked_at_is_a_problem(data: Path) -> None:
    """A folder that is none, a file that is none."""
    path = database_path(data)
    assert only(database(path / "kqq.sqlite")) == (
        "problem",
        f"cannot look at {path}/kqq.sqlite: Not a directory",
    )
    path.write_text("no database " * 500)
    assert only(database(path)) == ("problem", f"cannot open {path}: file is not a database")


def test_a_strange_database_is_a_problem(data: Path) -> None:
    """One of a newer version; one of another program."""
    path = database_path(data)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version=99")
    level, words = only(database(path))
    assert level == "problem"
    assert "its form 99 is newer than this kqq knows" in words
    path.write_bytes(b"")
    assert only(database(path)) == ("problem", f"{path}: it is no database of kqq")


def test_a_damaged_database_is_a_problem(data: Path) -> None:
    """What SQLite finds is told."""
    path = database_path(data)
    with path.open("r+b") as file:
        file.seek(-4096 * 2, os.SEEK_END)
        file.write(b"\xff" * 8192)
    level, words = only(database(path))
    assert level == "problem"
    assert words.startswith("it is damaged: ")


def test_a_database_that_cannot_be_written_is_a_problem(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program holds it."""
    path = database_path(data)
    monkeypatch.setattr(backup_module, "_BUSY_MS", 10)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert only(database(path)) == ("problem", "it cannot be written: database is locked")


def first_form(path: Path) -> None:
    """Make a database as the first version left it."""
    with closing(sqlite3.connect(path)) as old:
        old.executescript(migrations()[0][1])
        old.execute("INSERT INTO account VALUES (10001, 'Anna', 0, 'x', 1234.5)")
        old.execute("PRAGMA user_version=1")
        old.commit()
    path.chmod(0o600)


def test_an_older_form_is_told_and_not_migrated(tmp_path: Path) -> None:
    """The next start does that."""
    path = database_path(tmp_path)
    first_form(path)
    for _ in range(2):
        newest = migrations()[-1][0]
        assert only(database(path)) == (
            "warning",
            f"it has form 1; the next `kqq serve` brings it to form {newest}",
        )


def test_the_newest_date_is_of_an_account_or_a_message(data: Path, tmp_path: Path) -> None:
    """Whichever is newer, in any form; none where there is no database, or an empty one."""
    assert newest_date(database_path(data)) == 2000.5
    first_form(tmp_path / "old")
    assert newest_date(tmp_path / "old") == 1234.5
    assert newest_date(tmp_path / "none") is None
    asyncio.run(Database(tmp_path / "new").close())
    assert newest_date(tmp_path / "new") is None


# --- limits and clock ----------------------------------------------------------------------------


FEWER = (
    "the server may have 4,096 files open, so 4,032 connections, not the 20,000 of "
    "`connections_limit`"
)


@pytest.mark.parametrize(
    ("limit", "level", "words"),
    [
        ((1024, 20064), "ok", "the server may hold 20,000 connections (`connections_limit`)"),
        ((1024, -1), "ok", "the server may hold 20,000 connections (`connections_limit`)"),
        ((1024, 4096), "warning", FEWER),
        ((64, 64), "problem", "the server may have 64 files open; no connection fits"),
    ],
)
def test_open_files(limit: tuple[int, int], level: str, words: str) -> None:
    """The server raises its limit as far as it may, so the higher of both counts."""
    assert only(iter([open_files(limit, 20000, "the server")])) == (level, words)


async def test_the_limit_of_a_running_server_is_found(tmp_path: Path) -> None:
    """By its socket; not where nobody listens, nor where the system does not tell."""
    async with Server(Config(data=tmp_path, listen=())):
        limit = limit_of(tmp_path / "admin.sock")
    assert limit is not None
    assert limit[1] == -1 or limit[1] >= limit[0] > 0
    assert limit_of(tmp_path / "admin.sock") is None


async def test_a_system_that_does_not_tell_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words may be others."""
    async with Server(Config(data=tmp_path, listen=())):
        monkeypatch.setattr(Path, "read_text", lambda *_, **__: "Max locked memory 1 2 bytes\n")
        assert limit_of(tmp_path / "admin.sock") is None


def test_the_clock() -> None:
    """It cannot be before this version, nor should it be before what is in the database."""
    level, words = only(iter([clock(RELEASED + 5, RELEASED + 60)]))
    assert level == "ok"
    assert words.startswith("it says 202")
    assert clock(RELEASED + 5, None).level is Level.OK
    level, words = only(iter([clock(RELEASED - 1e8, None)]))
    assert level == "problem"
    assert words.endswith("which is before this kqq was made")
    level, words = only(iter([clock(RELEASED, RELEASED + 61)]))
    assert level == "warning"
    assert "something in the database is of 202" in words


# --- doors ---------------------------------------------------------------------------------------


def test_doors_that_phones_can_use_are_not_spoken_of() -> None:
    """Whether they can be reached is for somebody else to try."""
    good = (Listen("0.0.0.0", 14000), Listen("::", 8000), Listen("203.0.113.5", 14001, "kqqs"))
    assert told(doors(good, (Listen("qq.example", 14001),))) == []


def test_doors_that_phones_cannot_use_are_told() -> None:
    """None at all, for this machine only, at a port that phones may not open, for TLS only."""
    assert only(doors((), ())) == ("problem", "there is no door for phones")
    only_here = (Listen("127.0.0.1", 14000), Listen("::1", 14000), Listen("localhost", 14000))
    assert told(doors(only_here, ())) == [
        ("warning", f"{door} is for this machine only; no phone can reach it") for door in only_here
    ]
    signed = Listen("0.0.0.0", 8080)
    assert told(doors((Listen("0.0.0.0", 14000),), (signed,))) == [
        ("warning", "many old phones may not open port 8080 of kqq://0.0.0.0:8080")
    ]
    assert told(doors((Listen("0.0.0.0", 14001, "kqqs"),), ())) == [
        ("warning", "all doors are for TLS; no client of the time knows that")
    ]


def day(*date: int) -> float:
    """Return the first moment of a day."""
    return datetime(*date, tzinfo=UTC).timestamp()  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("now", "level", "words"),
    [
        (day(2030, 1, 1), "ok", "it is valid until 20"),
        (day(2048, 12, 20), "warning", "it expires soon: 20"),
        (day(2049, 1, 1), "problem", "it has expired: 20"),
        (day(2019, 12, 31), "problem", "it is valid only from 20"),
    ],
)
def test_a_certificate_has_its_time(tmp_path: Path, now: float, level: str, words: str) -> None:
    """Three weeks before it ends there is a warning."""
    found, said = only(certificate(with_tls(tmp_path, pems.OLD, pems.KEY), now))
    assert (found, said[: len(words)]) == (level, words)


def with_tls(tmp_path: Path, first: str, second: str) -> Config:
    """Return settings with a certificate and a key."""
    (tmp_path / "c.pem").write_text(first)
    (tmp_path / "k.pem").write_text(second)
    return Config(data=tmp_path, certificate=tmp_path / "c.pem", key=tmp_path / "k.pem")


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (pems.OLD, pems.OTHER_KEY, "key values mismatch"),
        (pems.OLD, pems.LOCKED_KEY, "the key has a password"),
        ("nothing", pems.KEY, "cannot use certificate="),
    ],
)
def test_a_certificate_that_cannot_be_used_is_a_problem(
    tmp_path: Path, first: str, second: str, words: str
) -> None:
    """It must belong to the key, which has no password."""
    level, said = only(certificate(with_tls(tmp_path, first, second), day(2030, 1, 1)))
    assert level == "problem"
    assert words in said


def test_without_a_certificate_none_is_spoken_of(tmp_path: Path) -> None:
    """Most servers have none."""
    assert told(certificate(Config(data=tmp_path), 0.0)) == []
