"""What goes wrong with a machine, brought about: disks without room, locks, a date that jumps."""

import asyncio
import heapq
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pytest

from crowd import PATIENCE
from kqq.server.database import database_path
from kqq.testing import ManualClock
from process import Process
from scene import Scene

_BLOCK = 4096  # bytes
_LONG = 20.0  # seconds, of which a server needs some until it tries again what failed
_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.read()
"""


class Ward(Scene):
    """A scene whose server says how it is: in its log, the file `log`, and when it is asked."""

    def __init__(self, data: Path, *settings: str, log: Path) -> None:
        super().__init__(data, *settings, "log=json", "metrics=http://127.0.0.1:0")
        self._log = log

    def start(self) -> None:
        """Start the server."""
        self.server = Process(self._data, *self._settings, under=self._under, log=self._log)
        self._is_started = True

    def told(self, event: str = "", level: str = "") -> list[dict[str, Any]]:
        """Return what the log has of one event, or of one level."""
        with self._log.open("rb") as log:
            lines = [json.loads(line) for line in log if line.endswith(b"\n")]
        return [
            line for line in lines if event in ("", line["event"]) and level in ("", line["level"])
        ]

    async def health(self) -> tuple[int, str]:
        """Return the status and the words of `/health`."""
        port = self.told("figures")[-1]["port"]
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await reader.read()
            writer.close()
        head, _, words = answer.decode().partition("\r\n\r\n")
        return int(head.split()[1]), words.strip()

    async def becomes(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that nobody tells us of. Raises TimeoutError."""
        async with asyncio.timeout(_LONG):
            while not holds():  # noqa: ASYNC110  # files and logs do not tell us
                await asyncio.sleep(0.05)


class Disk(Protocol):
    """Where a server has its data, with room or without."""

    data: Path

    def fill(self, pid: int) -> None:
        """Leave no room for the server with this process."""

    def make_room(self, pid: int) -> None:
        """Leave it room again."""


class Limited:
    """A disk that takes no longer files than the database has now; anybody can have it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        data.mkdir(mode=0o700)

    def fill(self, pid: int) -> None:
        """Limit the size of what the server writes, as `ulimit -f` does."""
        files = self.data.glob("kqq.sqlite*")
        self._limit(pid, max(file.stat().st_size for file in files))

    def make_room(self, pid: int) -> None:
        """Limit it no more."""
        self._limit(pid, resource.RLIM_INFINITY)

    def _limit(self, pid: int, size: int) -> None:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


class Small:
    """A file system of its own, of 3 MiB, which another file fills to the last byte."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._other = data / "other"

    def fill(self, pid: int) -> None:
        """Have the other file take all the room."""
        with self._other.open("ab", buffering=0) as other:
            for size in (_BLOCK, 1):
                with suppress(OSError):
                    while True:
                        other.write(bytes(size))
        room = os.statvfs(self.data)
        assert not room.f_bavail, "there is room left"

    def make_room(self, pid: int) -> None:
        """Delete the other file."""
        self._other.unlink()


@contextmanager
def small_disk(data: Path) -> Iterator[Small]:
    """Have such a file system at `data`; the test is skipped where we may not mount one."""
    data.mkdir()
    options = ["-o", "size=3m,mode=700"]
    try:
        command = ["mount", "-t", "tmpfs", *options, "none", str(data)]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("we may not mount a file system")
    try:
        yield Small(data)
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


@contextmanager
def another_program(data: Path, *sql: str) -> Iterator[Callable[[], None]]:
    """Have another program open the database, say `sql`, and do nothing more.

    What this gives has it end, and it ends with the block.
    """
    words = [sys.executable, "-c", _HOLD, str(database_path(data)), *sql]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        try:
            assert program.stdout.readline() == b"held\n"

            def let_go() -> None:
                program.communicate()

            yield let_go
        finally:
            program.kill()


class JumpingClock(ManualClock):
    """A clock whose date is set by hand, too; `now` takes no notice of that."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0
        """Seconds that the date is ahead of where it should be."""

    def date(self) -> float:
        """Return what the date is said to be."""
        return super().date() + self.ahead

    def leap(self, seconds: float) -> None:
        """Have so much time be over at once: whatever was due meanwhile comes due now."""
        self._now += seconds
        while (due := self.next_due) is not None and due <= self._now:
            _, _, timer = heapq.heappop(self._timers)
            assert timer.call is not None
            timer.call()
