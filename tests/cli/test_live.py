"""Packets from the network, by the tools of the system."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kqq.cli import live
from kqq.cli.live import Tool, capture_command, interfaces, refusal, rule_for
from kqq.errors import CaptureError


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all the programs that can be found."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(live, "FOLDERS", "")
    return folder


def program(folder: Path, name: str, script: str = "exit 0") -> str:
    """Make a program, and return its path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\nexport PATH=/usr/bin:/bin\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_rule_for_ports() -> None:
    """As pcap has it."""
    assert rule_for([14000, 80]) == "tcp port 14000 or tcp port 80"


def test_the_tool_that_is_there_is_taken(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not root rather captures with dumpcap; some are where users do not look."""
    with pytest.raises(CaptureError, match="tcpdump, dumpcap and tshark are all missing"):
        capture_command("lo", "")
    tshark = program(tools, "tshark")
    assert capture_command("lo", "port 1") == [
        tshark, "-i", "lo", "-n", "-q", "-l", "-F", "pcap", "-w", "-", "-f", "port 1",
    ]  # fmt: skip
    dumpcap, tcpdump = program(tools, "dumpcap"), program(tools, "tcpdump")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert capture_command("lo", "port 1")[0] == tcpdump
    assert capture_command("lo", "port 1")[-2:] == ["--", "port 1"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert capture_command("lo", "") == [dumpcap, "-i", "lo", "-q", "-P", "-w", "-"]
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(live, "FOLDERS", str(tools))
    assert capture_command("lo", "")[0] == dumpcap


def test_interfaces_are_what_the_tool_says(tools: Path) -> None:
    """Or why it does not."""
    path = Path(program(tools, "tcpdump", "echo 1.lo"))
    assert interfaces() == "1.lo\n"
    program(tools, "tcpdump", "echo no permission >&2; exit 1")
    with pytest.raises(CaptureError, match="tcpdump may not capture: no permission"):
        interfaces()
    path.write_text("#!/no/such/program\n")
    with pytest.raises(CaptureError, match="tcpdump cannot be run"):
        interfaces()


def test_refusals_say_what_to_do() -> None:
    """And show what the tool said, made visible."""
    assert "usermod -aG wireshark" in refusal("dumpcap", "You are not permitted\n")
    assert refusal("tcpdump", "a\x1b\n\nb\nc\nd\ne\n") == "tcpdump failed: a\\x1b; b; c; d"
    assert refusal("tcpdump", "") == "tcpdump failed: it does not say why"
    assert "kqq capture --list" in refusal("tcpdump", "tcpdump: x: No such device exists\n")
    assert "kqq capture --list" in refusal("dumpcap", 'There is no device named "x".\n')


def test_a_tool_gives_bytes(tmp_path: Path, tools: Path) -> None:
    """As they come; a copy of them is kept."""
    with (tmp_path / "copy").open("wb") as copy:
        tool = Tool([program(tools, "tcpdump", "printf abc; printf def")], copy)
        found = b""
        while piece := tool.read1(2):
            assert len(piece) <= 2
            found += piece
        tool.check()
        tool.close()
    assert found == b"abcdef"
    assert (tmp_path / "copy").read_bytes() == found
    whole = Tool([program(tools, "tcpdump", "printf abcdef")])
    assert whole.read() == b"abcdef"
    whole.close()


def test_a_tool_that_fails(tools: Path) -> None:
    """Says why at the end; one that is none says so at once."""
    tool = Tool([program(tools, "tcpdump", "echo broken >&2; exit 3")])
    assert tool.read() == b""
    with pytest.raises(CaptureError, match="tcpdump failed: broken"):
        tool.check()
    tool.close()
    with pytest.raises(CaptureError, match="none cannot be run: No such file"):
        Tool([str(tools / "none")])


@pytest.mark.parametrize("ending", ["exit 0", "trap - TERM; kill -TERM $$"])
def test_a_tool_is_stopped(tools: Path, ending: str) -> None:
    """It writes what it has; however it ends then is right."""
    script = f"trap 'printf rest; {ending}' TERM\nprintf go\nwhile :; do sleep 0.05; done"
    tool = Tool([program(tools, "tcpdump", script)])
    assert tool.read(2) == b"go"
    tool.stop()
    assert tool.is_stopped
    assert tool.read() == b"rest"
    tool.check()
    tool.stop()  # nothing is left to be told
    tool.close()


def test_a_tool_does_not_live_on(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if it will not end."""
    monkeypatch.setattr(live, "_PATIENCE", 0.2)
    script = "trap '' INT TERM\nprintf go\nwhile :; do sleep 0.05; done"
    tool = Tool([program(tools, "tcpdump", script)])
    assert tool.read(2) == b"go"
    tool.check()  # it goes on, so nothing is wrong
    tool.close()
    assert tool._process.returncode == -signal.SIGKILL
    gentle = Tool([program(tools, "tcpdump", "printf go\nexec sleep 60")])
    assert gentle.read(2) == b"go"
    gentle.close()
    assert gentle._process.returncode == -signal.SIGTERM


def test_signals_end_the_tool_and_not_us(tools: Path) -> None:
    """The first; who presses Ctrl-C again is in a hurry."""
    script = "trap 'printf rest; exit 0' TERM\nprintf go\nwhile :; do sleep 0.05; done"
    before = signal.getsignal(signal.SIGINT)
    tool = Tool([program(tools, "tcpdump", script)])
    with tool.stopped_by_signals():
        assert tool.read(2) == b"go"
        signal.raise_signal(signal.SIGINT)
        assert tool.read() == b"rest"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    tool.check()
    tool.close()


def can_capture() -> bool:
    """Whether this machine lets us capture on its loopback."""
    if sys.platform != "linux":
        return False
    try:
        command = capture_command("lo", "tcp port 14000")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            start = process.stdout.read(4)
            process.terminate()
    except (CaptureError, OSError):
        return False
    return len(start) == 4


@pytest.mark.skipif(not can_capture(), reason="this machine does not let us capture")
def test_a_real_tool_listens() -> None:
    """It gives the head of a capture at once."""
    tool = Tool(capture_command("lo", rule_for(live.PORTS)))
    try:
        assert tool.read1(4) in (b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a")
        tool.stop()
        while tool.read1():
            pass
        tool.check()
    finally:
        tool.close()
