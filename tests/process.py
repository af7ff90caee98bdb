"""A real server in a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

from stage import WAIT


class Process:
    """`kqq serve` on a folder and a free port, with settings written `key=value`.

    `port` is the one it got, `ports` are those of all its doors.
    """

    def __init__(self, data: Path, *settings: str) -> None:
        command = [sys.executable, "-m", "kqq", "serve", "--data", str(data)]
        command += ["--listen", "kqq://127.0.0.1:0"]
        command += [part for setting in settings for part in ("--set", setting)]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.pid = self._process.pid
        self.ports = []
        while (said := self._process.stdout.readline()) != "ready\n":
            assert said.startswith("listening kqq://127.0.0.1:"), said
            self.ports.append(int(said.rsplit(":", 1)[1]))
        self.port = self.ports[0]

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        assert self._process.wait(WAIT) == -signal.SIGKILL
        self.close()

    def stop(self) -> None:
        """End it in good order."""
        self._process.terminate()
        assert self._process.wait(WAIT) == 0
        self.close()

    def close(self) -> None:
        """Let go of it; it is killed if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(WAIT)
        assert self._process.stdout is not None
        self._process.stdout.close()
