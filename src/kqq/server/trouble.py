"""What to do when the disk takes no more, said once when it begins and once when it is over.

Each write fails then, thousands a second, and the log may be on the same disk.
"""

import logging
import sqlite3
from pathlib import Path

from kqq.server.clock import Clock
from kqq.server.logs import event

logger = logging.getLogger("kqq.store")

_ADVICE = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "look at its disk, at quotas and at limits of the size of files",
    sqlite3.SQLITE_BUSY: "end the program that holds it locked",
    sqlite3.SQLITE_READONLY: "let the server's user write it",
    sqlite3.SQLITE_CANTOPEN: "let the server's user write it and its folder",
    sqlite3.SQLITE_CORRUPT: "stop the server, and restore the newest backup",
}


def advice_for(error: Exception) -> str | None:
    """Return what to do about an error of the disk; None for one of the statement alone."""
    return _ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)


class Trouble:
    """Tells the log when writing begins to fail for all, and when it works again."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._since: float | None = None
        self._failed = 0

    def failed(self, error: Exception, doing: str = "write") -> None:
        """Say that a write has failed, or whatever was being done."""
        advice = advice_for(error)
        if advice is None or doing != "write":
            event(logger, logging.ERROR, f"{doing} failed", why=error)
            return
        self._failed += 1
        if self._since is None:
            self._since = self._clock.now()
            advice = f"{advice}; until then what needs it is refused, and nothing is lost"
            event(logger, logging.ERROR, "cannot write", path=self._path, why=error, todo=advice)

    def worked(self) -> None:
        """Say that something was written."""
        if self._since is not None:
            took = self._clock.now() - self._since
            event(logger, logging.WARNING, "can write again", after=f"{took:.1f}",
                  failed=self._failed)  # fmt: skip
            self._since, self._failed = None, 0
