"""A real server in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from stage import WAIT


def command(data: Path, *settings: str) -> list[str]:
    """Return the words that start a server."""
    words = [sys.executable, "-m", "kqq", "serve", "--data", str(data)]
    words += ["--listen", "kqq://127.0.0.1:0"]
    return words + [part for setting in settings for part in ("--set", setting)]


def stumble(data: Path, seconds: float, *settings: str) -> None:
    """Start a server and end it as `kill -9` does after a time, whether it is ready or not."""
    out = subprocess.DEVNULL
    with subprocess.Popen(command(data, *settings), stdout=out, stderr=out) as process:
        time.sleep(seconds)
        process.kill()


class Process:
    """`kqq serve` on a folder and a free port, with settings written `key=value`.

    `port` is the one it got, `ports` are those of all its doors. `under` are the words of a program
    that runs it as its own process, as `strace -D` does. Its log goes to the end of the file `log`.
    """

    def __init__(
        self, data: Path, *settings: str, under: Sequence[str] = (), log: Path | None = None
    ) -> None:
        with (log or Path(os.devnull)).open("ab") as file:
            self._process = subprocess.Popen(
                [*under, *command(data, *settings)],
                stdout=subprocess.PIPE,
                stderr=file,
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

    def halt(self) -> None:
        """Have it do nothing until `go_on`; returns when all its threads stand still."""
        os.kill(self.pid, signal.SIGSTOP)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"it has ended: {status}"

    def go_on(self) -> None:
        """Have it go on after `halt`."""
        os.kill(self.pid, signal.SIGCONT)

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
