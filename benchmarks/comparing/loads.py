"""The load generator: built when it is first needed, one process for each server."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.comparing.machine import (
    LOAD_CORE,
    Busy,
    Unready,
    cpu_of,
    end,
    family,
    memory_of,
    spawn,
)

SOURCES = Path(__file__).resolve().parent / "load"
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in with a secret: over KQQ the MD5 of a password."""

    uin: int
    secret: str


def compiler() -> str | None:
    """Return the C compiler of this machine, None if there is none."""
    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def build() -> Path:
    """Return the load generator, compiled unless that is done. Raises Unready."""
    sources = sorted(SOURCES.glob("*.[ch]"))
    state = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kqq"
    program = cache / f"load-{state}"
    if program.exists():
        return program
    cc = compiler()
    if cc is None:
        raise Unready("the load generator is in C, and there is no compiler; install gcc")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        made = Path(folder) / "load"
        words = [cc, *_FLAGS, "-o", str(made), *(str(one) for one in sources if one.suffix == ".c")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unready(f"the load generator cannot be compiled:\n{done.stderr}")
        made.replace(program)
    return program


class Load:
    """One load generator, for one server on a port; `people` are all who may be in.

    `ask` gives it a command (main.c lists them). What is asked of several at once is asked with
    `say` and `hear`.
    """

    def __init__(
        self, protocol: str, port: int, server: int, people: Sequence[Person], folder: Path
    ) -> None:
        self.protocol = protocol
        self._server = server
        self._log = folder / "load.log"
        listed = folder / f"people-{protocol}-{port}-{time.monotonic_ns()}"
        listed.write_text("".join(f"{one.uin} {one.secret}\n" for one in people), encoding="ascii")
        pids = ",".join(map(str, family(server)))
        command: list[str | Path] = [build(), protocol, str(port), pids, listed]
        self._process = spawn(command, LOAD_CORE, log=self._log, talks=True, reads=True)
        self._began = 0.0, Busy.now(), 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        end(self._process)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def say(self, command: str) -> None:
        """Give a command."""
        self._began = time.monotonic(), Busy.now(), self._cpu()
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Return the answer to the command given last.

        Added to it are `others`, the cores that neither this nor its server used meanwhile, and
        `stolen`, those that the machine was not given. Raises Unready.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            said = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise Unready(f"the load generator has ended: {said}")
        at, busy, cpu = self._began
        took, now = max(time.monotonic() - at, 1e-6), Busy.now()
        others = (now.used - busy.used) - (self._cpu() - cpu)
        answer: dict[str, Any] = json.loads(line)
        answer["others"] = max(0.0, others / took)
        answer["stolen"] = (now.stolen - busy.stolen) / took
        return answer

    def ask(self, command: str) -> dict[str, Any]:
        """Give a command and return the answer. Raises Unready."""
        self.say(command)
        return self.hear()

    def sign_in(self, end: int, *, first: int = 0, at_once: int = 64) -> dict[str, Any]:
        """Sign people in, from the index `first` to `end`. Raises Unready if one is not let in."""
        answer = self.ask(f"in {first} {end} {at_once} 600")
        if answer["failed"] or answer["lost"]:
            said = self._log.read_text(encoding="utf-8", errors="replace")[-600:]
            raise Unready(f"{answer['failed']} of {end - first} people were not let in: {said}")
        return answer

    def memory(self) -> int:
        """Return how many bytes of memory the server has."""
        return memory_of(family(self._server))

    def _cpu(self) -> float:
        return cpu_of((os.getpid(), self.pid, *family(self._server)))


def checked(answer: dict[str, Any], wanted: Iterable[str] = ("refused", "missing", "lost")) -> None:
    """Raise Unready if a server did not do what it must, whatever its speed."""
    for name in wanted:
        if answer.get(name):
            raise Unready(f"{answer[name]} of {answer.get('written', '?')} messages: {name}")
