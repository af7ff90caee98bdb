"""Packets from the network, by the capture tools of the system: tcpdump, dumpcap or tshark."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import BinaryIO

from kqq.errors import CaptureError
from kqq.words import printable

PORTS = (14000, 8000, 80)
"""Where KQQ is usually spoken: our server's two doors, and the HTTP of old."""
FOLDERS = "/usr/sbin:/sbin:/usr/local/sbin"
"""Where tools are that a user without rights does not find."""
_ENDED_BY_US = {
    -signal.SIGINT, -signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGTERM
}  # fmt: skip
"""Exit codes of a tool that a signal ended: ours, or Ctrl-C, which the terminal gives to both."""
_PATIENCE = 5.0  # seconds that a tool may take to end
_MOST_SAID = 2000  # bytes of what a tool says that are shown
_PIECE = 1 << 16
_NO_DEVICE = ("no such device", "no such interface", "there is no device named")
_NO_RIGHTS = ("permission", "not permitted", "are you root", "privilege")

_TOOLS = {
    "tcpdump": ("-i", "{interface}", "-n", "-s", "0", "-U", "-w", "-"),
    "dumpcap": ("-i", "{interface}", "-q", "-P", "-w", "-"),
    "tshark": ("-i", "{interface}", "-n", "-q", "-l", "-F", "pcap", "-w", "-"),
}


class Tool:
    """A tool that captures, which runs until `stop`; `read1` gives the bytes of a pcap.

    `copy` gets all of them, too.
    """

    def __init__(self, command: Sequence[str], copy: BinaryIO | None = None) -> None:
        self.name = os.path.basename(command[0])  # noqa: PTH119  # a name, no path
        self._copy = copy
        self._words = tempfile.TemporaryFile()  # noqa: SIM115  # closed in close()
        self._stopped = False
        try:
            self._process = subprocess.Popen(  # noqa: S603  # no shell, and what was asked for
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._words,
                start_new_session=True,  # Ctrl-C comes to us, who tell the tool to end
            )
        except OSError as error:
            self._words.close()
            raise CaptureError(f"{self.name} cannot be run: {error.strerror or error}") from error

    def read1(self, size: int = -1) -> bytes:
        """Return some bytes; none when the tool has ended."""
        assert self._process.stdout is not None
        piece = os.read(self._process.stdout.fileno(), _PIECE if size < 0 else size)
        if piece and self._copy is not None:
            self._copy.write(piece)
            self._copy.flush()
        return piece

    read = read1

    def stop(self) -> None:
        """Tell the tool to write what it has, and to end.

        Not by SIGINT: what a script runs in the background has inherited that it is ignored.
        """
        self._stopped = True
        if self._process.poll() is None:
            self._process.terminate()

    def close(self) -> None:
        """Wait for the tool, which must not outlive us, and forget it."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._words.close()

    @property
    def is_stopped(self) -> bool:
        """Whether the tool was told to end."""
        return self._stopped

    def check(self) -> None:
        """Raise CaptureError if the tool failed, with what it says and what to do."""
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return
        if code == 0 or (self._stopped and code in _ENDED_BY_US):
            return
        self._words.seek(0)
        said = self._words.read(_MOST_SAID).decode("utf-8", "replace")
        raise CaptureError(refusal(self.name, said))

    @contextmanager
    def stopped_by_signals(self) -> Iterator[None]:
        """Have Ctrl-C and SIGTERM end the tool, not us: what it has is then still shown."""

        def stop(number: int, frame: FrameType | None) -> None:
            del frame
            if self._stopped and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.stop()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def capture_command(interface: str, rule: str) -> list[str]:
    """Return the command that captures what `rule` takes. Raises CaptureError without a tool."""
    name, path = _tool()
    command = [path, *(word.format(interface=interface) for word in _TOOLS[name])]
    if rule:
        command += ["-f", rule] if name != "tcpdump" else ["--", rule]
    return command


def interfaces() -> str:
    """Return what the tool says of the interfaces there are. Raises CaptureError if it fails."""
    name, path = _tool()
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and what was asked for
            [path, "-D"], capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CaptureError(f"{name} cannot be run: {error}") from error
    if done.returncode:
        raise CaptureError(refusal(name, done.stderr.decode("utf-8", "replace")))
    return done.stdout.decode("utf-8", "replace")


def rule_for(ports: Sequence[int]) -> str:
    """Return the filter, as pcap has it, that takes TCP on these ports."""
    return " or ".join(f"tcp port {port}" for port in ports)


def refusal(name: str, said: str) -> str:
    """Return why a tool failed, from what it said, and what to do."""
    lines = [printable(line.strip()) for line in said.splitlines() if line.strip()]
    words = "; ".join(lines[:4]) or "it does not say why"
    if any(mark in said.lower() for mark in _NO_RIGHTS):
        return (
            f"{name} may not capture: {words}\n"
            'Run this with sudo, as in `sudo "$(command -v kqq)" capture lo`; or let your own\n'
            "account capture: on Debian and Ubuntu\n"
            "`sudo dpkg-reconfigure wireshark-common`, then `sudo usermod -aG wireshark $USER`\n"
            "and sign in again; elsewhere\n"
            f"`sudo setcap cap_net_raw,cap_net_admin=eip $(command -v {name})`"
        )
    if any(mark in said.lower() for mark in _NO_DEVICE):
        return f"{name} failed: {words}\n`kqq capture --list` shows what can be captured"
    return f"{name} failed: {words}"


def _tool() -> tuple[str, str]:
    """Return the name and the path of the first tool there is; one that may capture is best."""
    # Who is not root may capture with dumpcap alone, as a rule: it has the rights in itself.
    names = list(_TOOLS) if os.geteuid() == 0 else ["dumpcap", "tcpdump", "tshark"]
    for name in names:
        path = shutil.which(name) or shutil.which(name, path=FOLDERS)
        if path is not None:
            return name, path
    raise CaptureError(
        "there is no tool that captures: tcpdump, dumpcap and tshark are all missing\n"
        "Install one, such as with `sudo apt install tcpdump` or `brew install wireshark`"
    )
