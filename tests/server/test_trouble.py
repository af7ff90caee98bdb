"""What the log says when the disk takes no more; tests/test_faults.py has real ones."""

import sqlite3
from pathlib import Path

import pytest

from kqq.server.trouble import Trouble, advice_for
from stage import ManualClock


def error_of(code: int, words: str) -> sqlite3.Error:
    """Return the error that SQLite raises with a code."""
    error = sqlite3.OperationalError(words)
    error.sqlite_errorcode = code
    return error


FULL = error_of(sqlite3.SQLITE_FULL, "database or disk is full")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (sqlite3.SQLITE_FULL, "make room on its disk"),
        (sqlite3.SQLITE_IOERR_WRITE, "limits of the size of files"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "end the program"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, "let the server's user"),
    ],
)
def test_what_to_do(code: int, advice: str) -> None:
    """It goes by the kind of error, whatever its finer code."""
    assert advice in (advice_for(error_of(code, "words")) or "")


@pytest.mark.parametrize(
    "error", [error_of(sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, "FOREIGN KEY"), OverflowError("big")]
)
def test_an_error_of_one_statement(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """It is told each time, and says nothing of the disk."""
    assert advice_for(error) is None
    trouble = Trouble(Path("a.sqlite"), ManualClock())
    trouble.failed(error)
    trouble.failed(error)
    trouble.worked()
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert f"write failed why={error}" in caplog.text.replace('"', "")


def test_it_is_told_when_it_begins_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """However much fails in between."""
    clock = ManualClock()
    trouble = Trouble(Path("a.sqlite"), clock)
    trouble.worked()
    for _ in range(3):
        trouble.failed(FULL)
        clock.advance(4.0)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert (
        'cannot write path=a.sqlite why="database or disk is full" todo="make room' in caplog.text
    )
    caplog.clear()
    for _ in range(2):
        trouble.worked()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "can write again after=12.0 failed=3" in caplog.text
    trouble.failed(FULL)
    assert "cannot write" in caplog.text
    trouble.failed(FULL, "read")
    assert 'read failed why="database or disk is full"' in caplog.text
