"""`kqq backup` and `kqq restore`."""

import asyncio
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from command import kqq, objects
from kqq.cli.backup import _progress
from kqq.client import Client
from kqq.protocol import ServerMsg
from kqq.server.database import Database, database_path, migrations
from kqq.server.store import Store
from process import Process
from stage import JULIET, PARIS, ROMEO, add_person
from terminals import open_terminal

LARGE = 100_000  # messages: tens of megabytes


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with Romeo and Juliet, who are friends, and Paris."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    database = Database(database_path(folder))
    store = Store(database)
    add_person(store, ROMEO)
    add_person(store, JULIET)
    add_person(store, PARIS)
    store.add_friends(ROMEO, JULIET)
    asyncio.run(database.close())
    return folder


def fill(folder: Path, count: int) -> None:
    """Add messages that nobody fetches."""
    with closing(sqlite3.connect(database_path(folder))) as other, other:
        other.executemany(
            "INSERT INTO message (receiver, sender, kind, text, sent) VALUES (?, ?, ?, ?, ?)",
            ((PARIS, 10000, "message", b"x" * 200, 1.0) for _ in range(count)),
        )


def backup(data: Path, file: Path) -> list[str]:
    """Return the command that makes a backup."""
    return [sys.executable, "-m", "kqq", "backup", str(file), "--data", str(data)]


# --- while a server runs -------------------------------------------------------------------------


async def test_a_backup_of_a_server_that_takes_messages(data: Path, tmp_path: Path) -> None:
    """All that was acknowledged before it began is in it, in order and without a gap."""
    fill(data, LARGE // 10)
    (data / "kqq.toml").write_text("messages_rate = 1e9\ncommands_rate = 1e9\ninbox_limit = 100000")
    server = Process(data)
    try:
        async with await Client.connect(f"tcp://127.0.0.1:{server.port}") as romeo:
            await romeo.sign_in(ROMEO, "secret")
            for number in range(20):
                await romeo.send(JULIET, f"朋友 {number}")
            making = await asyncio.create_subprocess_exec(*backup(data, tmp_path / "copy"))
            said = 20
            while making.returncode is None:
                await romeo.send(JULIET, f"朋友 {said}")
                said += 1
            assert making.returncode == 0
    finally:
        server.stop()
    assert said > 21
    restored = kqq("restore", str(tmp_path / "copy"), "--data", str(tmp_path / "new"))
    assert restored.exit_code == 0
    heard = await heard_by_juliet(tmp_path / "new")
    assert 20 <= len(heard) <= said
    assert heard == [f"朋友 {number}" for number in range(len(heard))]


async def heard_by_juliet(data: Path) -> list[str]:
    """Return what waits for her at a server on a folder, as her client gets it."""
    with closing(sqlite3.connect(database_path(data))) as database:
        (waiting,) = database.execute("SELECT count(*) FROM message WHERE receiver = 10002")
    server = Process(data)
    heard: list[str] = []
    try:
        async with await Client.connect(f"tcp://127.0.0.1:{server.port}") as juliet:
            await juliet.sign_in(JULIET, "secret")
            async for push in juliet.events():
                if isinstance(push, ServerMsg):
                    heard.append(push.text)
                if len(heard) == waiting[0]:
                    break
    finally:
        server.stop()
    return heard


def test_a_server_that_runs_is_not_restored_under(data: Path, tmp_path: Path) -> None:
    """It must be stopped first."""
    assert kqq("backup", str(tmp_path / "copy"), "--data", str(data)).exit_code == 0
    server = Process(data)
    try:
        result = kqq("restore", str(tmp_path / "copy"), "--data", str(data))
    finally:
        server.stop()
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"kqq: a server uses {data}; stop it, then restore\n"


# --- when it is ended in the middle --------------------------------------------------------------


@contextmanager
def begun(data: Path, file: Path) -> Iterator[subprocess.Popen[str]]:
    """Begin a large backup and wait until some of it is written."""
    fill(data, LARGE)
    with subprocess.Popen(backup(data, file), stderr=subprocess.PIPE, text=True) as making:
        while not any(part.stat().st_size for part in file.parent.glob(".copy.*.part")):
            assert making.poll() is None
        yield making


def test_a_backup_that_is_killed_leaves_no_half_file(data: Path, tmp_path: Path) -> None:
    """The part it has written has another name; the next backup is made all the same."""
    with begun(data, tmp_path / "copy") as making:
        making.kill()
    assert not (tmp_path / "copy").exists()
    assert kqq("backup", str(tmp_path / "copy"), "--data", str(data)).exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_backup_that_is_ended_leaves_nothing(
    data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """By Ctrl-C, by a service manager, by a terminal that is closed."""
    with begun(data, tmp_path / "copy") as making:
        making.send_signal(number)
        _, told = making.communicate()
    assert (making.returncode, told) == (130, "\nkqq: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


# --- what is said --------------------------------------------------------------------------------


def test_what_is_in_a_backup_is_told(data: Path, tmp_path: Path) -> None:
    """In words and as JSON; the old database is named when it is restored."""
    file = str(tmp_path / "copy")
    result = kqq("backup", file, "--data", str(data))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{file}: 3 accounts, 0 messages that wait, ")
    assert result.stdout.endswith(" KiB\n")
    fill(data, 1)
    again = kqq("backup", file, "--data", str(data))
    assert (again.exit_code, again.stdout) == (2, "")
    assert "--force" in again.stderr
    newest = migrations()[-1][0]
    (told,) = objects(kqq("backup", file, "--force", "--json", "--data", str(data)))
    size = (tmp_path / "copy").stat().st_size
    assert told == {"file": file, "form": newest, "accounts": 3, "messages": 1, "size": size}
    restored = kqq("restore", file, "--data", str(data))
    first, second = restored.stdout.splitlines()
    assert first.startswith(f"restored {file}: 3 accounts, 1 message that waits, ")
    assert second.startswith(f"the database before is now {data}/kqq.sqlite.2")
    (told,) = objects(kqq("restore", file, "--json", "--data", str(data)))
    assert str(told["before"]).startswith(f"{data}/kqq.sqlite.2")
    assert told["accounts"] == 3
    (told,) = objects(kqq("restore", file, "--json", "--data", str(tmp_path / "new")))
    assert told["before"] is None


def test_a_large_backup_is_told_in_larger_units(data: Path, tmp_path: Path) -> None:
    """A number of bytes says nothing to people."""
    fill(data, LARGE)
    result = kqq("backup", str(tmp_path / "copy"), "--data", str(data))
    assert "100,000 messages that wait" in result.stdout
    assert result.stdout.endswith(" MiB\n")


def test_an_older_backup_is_brought_up_to_date_later(tmp_path: Path) -> None:
    """What will be done at the next start is told."""
    with closing(sqlite3.connect(tmp_path / "old")) as old:
        old.executescript(migrations()[0][1])
        old.execute("INSERT INTO account VALUES (10001, 'Anna', 0, 'x', 1.0)")
        old.execute("PRAGMA user_version=1")
        old.commit()
    result = kqq("restore", str(tmp_path / "old"), "--data", str(tmp_path / "new"))
    first, second = result.stdout.splitlines()
    assert "1 account, 0 messages" in first
    assert second == f"it has form 1; `kqq serve` brings it to form {migrations()[-1][0]}"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("backup", "copy", "--data", "none"), "there is no database in none; is that"),
        (("restore", "none"), "there is no file none"),
        (("restore", "text"), "file is not a database"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    """On standard error, with exit code 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("no database " * 500)
    result = kqq(*arguments, KQQ_DATA=str(data))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("kqq: ")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


class Terminal(io.StringIO):
    """A terminal that somebody looks at."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def test_a_terminal_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error, so that the result can go elsewhere."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with _progress() as show:
        assert show is not None
        show(1, 4)
        while "copying" not in terminal.getvalue() or "25%" not in terminal.getvalue():
            continue  # it is drawn now and then
        show(4, 4)
        while "checking" not in terminal.getvalue() or "100%" not in terminal.getvalue():
            continue


def test_a_backup_shows_its_bar_in_a_real_terminal(data: Path, tmp_path: Path) -> None:
    """The result on standard output is as it is without one."""
    fill(data, LARGE // 10)
    controller, terminal = open_terminal()
    making = subprocess.run(
        [*backup(data, tmp_path / "copy"), "--json"],
        stdout=subprocess.PIPE,
        stderr=terminal,
        check=True,
    )
    os.close(terminal)
    shown = os.read(controller, 65536)
    os.close(controller)
    assert json.loads(making.stdout)["accounts"] == 3
    assert b"copying" in shown or b"checking" in shown


def test_nothing_is_shown_where_there_is_no_standard_error(data: Path, tmp_path: Path) -> None:
    """A caller may close it."""
    shell = '"$@" 2>&-'
    command = ["bash", "-c", shell, "bash", *backup(data, tmp_path / "copy")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
