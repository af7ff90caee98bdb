"""The machine: cores, who runs where, what processors and memory are used."""

import ctypes
import os
import platform
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

SERVER_CORE, LOAD_CORE = 0, 1
WAIT = 20.0
"""Seconds that a process may take to end."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CORES = sorted(os.sched_getaffinity(0))
_LOOK, _QUIET = 0.5, 0.1  # seconds, and the cores that others may use for the machine to be quiet
_LIBC = ctypes.CDLL(None)
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


class Unready(Exception):
    """Something that was started does not do what it should; the message says what."""


def say(words: str) -> None:
    """Tell about progress."""
    print(f"compare: {words}", file=sys.stderr, flush=True)


def is_pinned() -> bool:
    """Return whether there are two cores, so that servers and load have one each."""
    return len(_CORES) > 1


def files_limit() -> int:
    """Return how many files a process started from here may have open."""
    return _raise_limit()


def _raise_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        most = int(Path("/proc/sys/fs/nr_open").read_text())
        if hard != resource.RLIM_INFINITY and hard < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # root may
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _prepare(core: int | None) -> None:
    """Have the process that is being started keep to its core, ahead of other work if it may.

    It ends when we do, however that comes.
    """
    _LIBC.prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
    if core is not None and is_pinned():
        os.sched_setaffinity(0, {_CORES[core]})
    _raise_limit()
    with suppress(OSError):  # only root may, and only where the kernel groups processes
        Path("/proc/self/autogroup").write_text("-20", encoding="ascii")


def spawn(
    command: Sequence[str | Path],
    core: int | None,
    *,
    log: Path,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    talks: bool = False,
    reads: bool = False,
) -> subprocess.Popen[str]:
    """Start a process on a core, in a session of its own; what it says goes to a log file.

    It `talks` if we read its output, and `reads` if we write to it.
    """
    with log.open("a", encoding="utf-8") as out:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else out,
            stderr=out,
            text=True,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=lambda: _prepare(core),  # noqa: PLW1509  # we have no threads then
        )


def end(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> None:
    """End a process and what it has started, by their numbers."""
    pids = family(process.pid)
    for pid in reversed(pids):
        with suppress(ProcessLookupError):
            os.kill(pid, how)
    try:
        process.wait(WAIT)
    except subprocess.TimeoutExpired:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(WAIT)
    pipes: Iterable[IO[Any] | None] = (process.stdin, process.stdout)
    for pipe in pipes:
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _stat(pid: int | str) -> list[str]:
    """Return the fields of /proc/PID/stat behind the name: state, parent, ...; or nothing."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def family(root: int) -> list[int]:
    """Return a process and what it has started, and these, parents first."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(entry.name)):
            parents[int(entry.name)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_of(pids: Iterable[int]) -> float:
    """Return the seconds of processor time that processes have taken."""
    ticks = 0
    for pid in pids:
        if fields := _stat(pid):
            ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def memory_of(pids: Iterable[int]) -> int:
    """Return how many bytes of memory processes have."""
    pages = 0
    for pid in pids:
        with suppress(OSError):
            pages += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * _PAGE


@dataclass(frozen=True, slots=True)
class Busy:
    """Seconds of processor time that the whole machine has taken, of which some were `stolen`."""

    used: float
    stolen: float

    @classmethod
    def now(cls) -> "Busy":
        """Return what has been taken since the machine was started."""
        with Path("/proc/stat").open(encoding="ascii") as stat:
            words = stat.readline().split()[1:]
        user, nice, system, _, _, irq, soft, stolen = (int(word) / _TICKS for word in words[:8])
        return cls(user + nice + system + irq + soft, stolen)


def await_quiet(patience: float) -> None:
    """Wait until nobody uses the machine, but no longer than so many seconds."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        before = Busy.now()
        time.sleep(_LOOK)
        now = Busy.now()
        if now.used + now.stolen - before.used - before.stolen < _QUIET * _LOOK:
            return


def describe(folder: Path) -> str:
    """Return what the figures depend on: the machine, its programs, where databases are."""
    cpu = "unknown processor"
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        cpu = next((one.partition(": ")[2] for one in lines if one.startswith("model name")), cpu)
    return (
        f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()},"
        f" Python {platform.python_version()}, SQLite {sqlite3.sqlite_version},"
        f" databases on {file_system(folder)}"
    )


def file_system(folder: Path) -> str:
    """Return the kind of file system that a folder is on, such as ext4."""
    kinds = {}
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
            _, point, kind, *_ = line.split()
            kinds[Path(point)] = kind
    found = [one for one in (folder.resolve(), *folder.resolve().parents) if one in kinds]
    return kinds[found[0]] if found else "an unknown file system"


def version_of(package: str) -> str:
    """Return the version of a package of Debian, "" if it is not known."""
    words = ["dpkg-query", "--show", "--showformat", "${Version}", package]
    with suppress(OSError):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""
    return ""
