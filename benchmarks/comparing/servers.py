"""How our server and the relay are started, and ended; what all servers have in common."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from benchmarks.comparing import machine
from benchmarks.comparing.loads import Load, Person
from benchmarks.comparing.machine import SERVER_CORE, Unready, family, say, spawn

PATIENCE = 120.0
"""Seconds that a server may take to start."""
FREE = ("commands_rate=10000000", "commands_burst=10000000", "messages_rate=10000000",
        "messages_burst=10000000", "inbox_limit=100000", "connections_limit=100000",
        "connections_per_address=100000", "hashes_waiting=100000", "log_level=warning")  # fmt: skip
"""Limits against floods, which our flood must not meet."""
ROOT = Path(__file__).resolve().parents[2]


class Server:
    """One server, in a folder of its own; `people` can sign in, with the load's `protocol`.

    A subclass says how it is started, and calls `_started`.
    """

    name: ClassVar[str]
    protocol: ClassVar[str]
    at_once: ClassVar[int] = 64
    """How many may sign in at the same time."""

    def __init__(self, folder: Path, people: Sequence[Person]) -> None:
        self.folder = folder
        self.people = people
        self.port = 0
        self.started = 0.0
        """When the process was started, by the monotonic clock."""
        self._process: subprocess.Popen[str] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def why_not(cls) -> str | None:
        """Return why it cannot be measured on this machine, None if it can."""
        return None

    def start(self) -> None:
        """Start it, and wait until it serves. Raises Unready."""
        raise NotImplementedError

    def stop(self) -> None:
        """End it in good order, with all it has started."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._end(signal.SIGKILL)

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Path:
        """What it said."""
        return self.folder / f"{self.name}.log"

    def load(self, people: Sequence[Person] | None = None, protocol: str = "") -> Load:
        """Return a load for it."""
        everybody = self.people if people is None else people
        return Load(protocol or self.protocol, self.port, self.pid, everybody, self.folder)

    def _started(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.started = time.monotonic()

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            machine.end(self._process, how)
            self._process = None

    def _failed(self, why: str) -> Unready:
        with suppress(OSError):
            why += f"; it said: {self.log.read_text(encoding='utf-8', errors='replace')[-2000:]}"
        self.kill()
        return Unready(f"{self.name}: {why}")

    def _await_port(self, port: int) -> None:
        """Wait until something listens there."""
        assert self._process is not None
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            if self._process.poll() is not None:
                raise self._failed(f"has ended with {self._process.returncode}")
            time.sleep(0.05)
        raise self._failed(f"does not listen on port {port} after {PATIENCE:g} s")


def free_port() -> int:
    """Return a port that nobody has now, for servers that cannot choose one themselves."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class _Speaking(Server):
    """A server that tells its port, and when it is ready."""

    protocol = "kqq"

    def _await_ready(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while (said := self._process.stdout.readline()) != "ready\n":
            if not said:
                raise self._failed("has ended")
            if said.startswith("listening kqq://127.0.0.1:"):
                self.port = int(said.rsplit(":", 1)[1])
        say(f"{self.name}: pid {self.pid}, port {self.port}")


class Kqq(_Speaking):
    """`kqq serve` on a database, with limits lifted; `command` takes the place of `kqq`."""

    name = "kqq"

    def __init__(
        self,
        folder: Path,
        people: Sequence[Person],
        *,
        data: Path,
        command: Sequence[str] = (),
        settings: Sequence[str] = (),
        label: str = "kqq",
    ) -> None:
        super().__init__(folder, people)
        self.label = label
        self._data = data
        self._command = list(command) or [sys.executable, "-m", "kqq"]
        self._settings = (*FREE, *settings)

    def start(self) -> None:
        """Start it."""
        words = [*self._command, "serve", "--data", str(self._data)]
        words += ["--listen", f"kqq://127.0.0.1:{self.port}"]  # the same, when it starts again
        words += [part for one in self._settings for part in ("--set", one)]
        self._started(spawn(words, SERVER_CORE, log=self.log, talks=True, folder=self.folder))
        self._await_ready()


class Relay(_Speaking):
    """The relay, which shows what Python can do at most."""

    name = "relay"

    @classmethod
    def why_not(cls) -> str | None:
        """Return whether uvloop is missing."""
        try:
            import uvloop  # noqa: F401, PLC0415
        except ImportError:
            return "uvloop is not installed (pip install uvloop)"
        return None

    def start(self) -> None:
        """Start it."""
        words = [sys.executable, "-m", "benchmarks.comparing.relay"]
        environment = {"PYTHONPATH": str(ROOT)}
        process = spawn(words, SERVER_CORE, log=self.log, talks=True, environment=environment,
                        folder=self.folder)  # fmt: skip
        self._started(process)
        self._await_ready()


__all__ = ["FREE", "PATIENCE", "ROOT", "Kqq", "Relay", "Server", "family", "free_port"]
