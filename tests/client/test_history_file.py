"""The file of a history: made for its owner, shared by programs, and what can be wrong with it."""

import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.client import history_file as module
from kqq.client.history_file import HistoryFile, default_path, storable
from kqq.errors import StoreError

ACCOUNTS = "SELECT uin, server FROM account ORDER BY id"
ADD = "INSERT INTO account (uin, server) VALUES (:uin, CAST(:server AS TEXT))"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "own" / "history.db"


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_for_its_owner(path: Path) -> None:
    """So are its folder and the files beside it; a folder that is there is left as it is."""
    with closing(HistoryFile.open(path)) as file:
        file.write(ADD, uin="10001", server=b"a")
        assert mode(path.parent) == 0o700
        assert {mode(one) for one in path.parent.iterdir()} == {0o600}
        assert len(list(path.parent.iterdir())) == 3
    path.parent.chmod(0o755)
    HistoryFile.open(path).close()
    assert mode(path.parent) == 0o755
    assert [one.name for one in path.parent.iterdir()] == ["history.db"]


def test_the_default_is_among_the_users_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder that the system has for that."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "kqq" / "history.db"


def _write(file: HistoryFile, server: bytes, divisor: int = 1) -> None:
    """Write two accounts in one transaction, the second with this server."""
    with file.transaction():
        file.write(ADD, uin="10002", server=b"a")
        file.write(ADD, uin=str(10003 // divisor), server=server)


def test_a_transaction_is_done_whole_or_not_at_all(path: Path) -> None:
    """What is raised inside comes out, and nothing was written."""
    with closing(HistoryFile.open(path)) as file:
        with file.transaction():
            assert file.write(ADD, uin="10001", server=b"a") == 1
        with pytest.raises(ZeroDivisionError):
            _write(file, b"a", divisor=0)
        assert file.fetch(ACCOUNTS) == [("10001", "a")]


def test_it_has_the_form_that_is_promised(path: Path) -> None:
    """Programs that come later see by two numbers what it is and which form it has."""
    HistoryFile.open(path).close()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA application_id").fetchone() == (0x6B717168,)
        assert other.execute("PRAGMA user_version").fetchone() == (1,)
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "surrogateescape")))
def test_texts_come_back_as_they_were(text: str) -> None:
    """Also with zero bytes, and with bytes that were no UTF-8 on the wire."""
    with closing(sqlite3.connect(":memory:")) as connection:
        module._prepare(connection, Path("memory"))
        connection.execute(ADD, {"uin": "1", "server": storable(text)})
        assert connection.execute(ACCOUNTS).fetchall() == [("1", text)]


def test_what_stands_for_no_byte_is_stored_as_a_code() -> None:
    """Half a surrogate pair comes from nowhere on the wire, but must not end the chat."""
    assert storable("a\ud800") == b"a\\ud800"


# --- what can be wrong ---------------------------------------------------------------------------


def refused(path: Path) -> str:
    """Return why a file is not opened, without its name."""
    with pytest.raises(StoreError) as raised:
        HistoryFile.open(path)
    return str(raised.value).replace(str(path), "FILE")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """It is left as it is."""
    path = tmp_path / "text"
    path.write_text("My diary. " * 100)
    assert refused(path) == (
        "cannot use the history FILE: file is not a database; move it away, and a new one is begun"
    )
    assert path.read_text() == "My diary. " * 100


def test_a_database_of_something_else(tmp_path: Path) -> None:
    """It is left as it is, too; an empty file is made a history."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE message (id)")
    before = path.read_bytes()
    assert refused(path) == (
        "cannot use FILE as a history: it is a database of something else; name another file"
    )
    assert path.read_bytes() == before
    empty = tmp_path / "empty.db"
    empty.touch()
    HistoryFile.open(empty).close()


def test_a_file_of_a_newer_version(path: Path) -> None:
    """It says which form it has, and what to do."""
    HistoryFile.open(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version=7")
    assert refused(path) == (
        "cannot use the history FILE: its form 7 is newer than this kqq knows (1); use a newer kqq"
    )


@pytest.mark.parametrize("name", ["text/history.db", "text/deeper/history.db", "."])
def test_a_place_that_cannot_be(tmp_path: Path, name: str) -> None:
    """A file where a folder should be, a folder where the file should be."""
    (tmp_path / "text").touch()
    assert refused(tmp_path / name).startswith("cannot use the history FILE: ")


def test_a_folder_that_cannot_be_written() -> None:
    """Nobody, not even the administrator, makes a file there."""
    assert refused(Path("/proc/kqq/history.db")).startswith("cannot use the history FILE: ")


def test_a_damaged_file_is_told_when_it_is_met(path: Path) -> None:
    """Not at once, perhaps; then in words."""
    with closing(HistoryFile.open(path)) as file, file.transaction():
        for number in range(2000):
            file.write(ADD, uin=str(number), server=b"a" * 50)
    with path.open("r+b") as raw:
        raw.seek(8 * 4096)
        raw.write(b"\xff" * 20 * 4096)
    with closing(HistoryFile.open(path)) as file:
        with pytest.raises(StoreError, match="malformed; move it away, and a new one is begun"):
            file.fetch(ACCOUNTS)
        with pytest.raises(StoreError, match="malformed"):
            file.write("UPDATE account SET server = 'b'")


def test_a_full_disk(path: Path) -> None:
    """What does not fit is not there at all; what was there stays and can be read."""
    with closing(HistoryFile.open(path)) as file:
        file.write(ADD, uin="10001", server=b"a")
        file.fetch("PRAGMA max_page_count=20")
        with pytest.raises(StoreError, match="database or disk is full"):
            _write(file, b"b" * 200_000)
        assert file.fetch(ACCOUNTS) == [("10001", "a")]
        file.write(ADD, uin="10002", server=b"b")


def test_somebody_else_holds_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One waits for a while, then says so, and can try again."""
    monkeypatch.setattr(module, "_BUSY", 0.05)
    with closing(HistoryFile.open(path)) as one, closing(HistoryFile.open(path)) as two:
        with one.transaction():
            with pytest.raises(StoreError, match="locked; another program holds it; try again"):
                two.write(ADD, uin="10001", server=b"a")
            assert two.fetch(ACCOUNTS) == []
        two.write(ADD, uin="10001", server=b"a")


def test_a_closed_file(path: Path) -> None:
    """It is told as everything else is."""
    file = HistoryFile.open(path)
    file.close()
    with pytest.raises(StoreError, match="closed"):
        file.fetch(ACCOUNTS)


def test_a_value_that_cannot_be_stored(path: Path) -> None:
    """Neither Python's own errors nor SQLite's come out."""
    with closing(HistoryFile.open(path)) as file:
        for uin in (10**30, "\ud800"):
            with pytest.raises(StoreError, match="cannot use the history"):
                file.write(ADD, uin=uin, server=b"a")


def test_a_number_that_is_none(path: Path) -> None:
    """Only a damaged file has such."""
    with closing(HistoryFile.open(path)) as file:
        assert file.number("10001") == 10001
        with pytest.raises(StoreError, match="the number '1x' cannot be: it is damaged; move"):
            file.number("1x")


def test_programs_open_and_write_at_once(path: Path) -> None:
    """Each makes the file if it is first, waits for the others, and loses nothing."""
    work = """
import sys
from pathlib import Path
from kqq.client.history_file import HistoryFile
for turn in range(40):
    file = HistoryFile.open(Path(sys.argv[1]))
    with file.transaction():
        file.write("INSERT INTO account (uin, server) VALUES (:uin, :me)", uin=turn, me=sys.argv[2])
    file.close()
"""
    command = [sys.executable, "-c", work, str(path)]
    running = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    assert [one.wait(30) for one in running] == [0] * 4
    with closing(HistoryFile.open(path)) as file:
        assert file.fetch("SELECT COUNT(*) FROM account") == [(160,)]
        assert file.fetch("PRAGMA integrity_check") == [("ok",)]
