"""`kqq doctor`."""

import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import kqq, objects
from kqq.cli.doctor import _showing
from kqq.server.diagnosis import Finding, ok, problem, warning
from process import Process
from terminals import open_terminal

CHECKS = ["settings", "data folder", "disk", "database", "clock", "server", "open files"]


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a server that runs as a process of its own."""
    folder = tmp_path / "data"
    server = Process(folder)
    yield folder
    server.stop()


def test_a_server_that_runs_is_looked_at(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is short enough to be read; nothing is left of what was done."""
    monkeypatch.chdir(data.parent)
    result = kqq("doctor", "--data", "data")
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "ok       settings     there is no file; not as by default: data\n" in result.stdout
    assert "ok       server       kqq " in result.stdout
    assert "\nwarning  doors        kqq://127.0.0.1:" in result.stdout
    assert "\n                      > Make it kqq://0.0.0.0:" in result.stdout
    assert "ok       message      a message in Chinese went from one account to" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("no problems, ")
    assert kqq("account", "list", "--data", str(data)).stdout == ""


def test_the_findings_are_told_as_json(data: Path) -> None:
    """An object a line, as they are found."""
    result = kqq("doctor", "--json", "--data", str(data))
    assert (result.exit_code, result.stderr) == (0, "")
    found = objects(result)
    checks = [one["check"] for one in found]
    assert checks == [*CHECKS, "doors", "doors", "message"]
    for one in found:
        assert set(one) == {"level", "check", "words", "todo"}
        assert bool(one["todo"]) == (one["level"] != "ok")


def test_a_problem_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, and so nothing in it; the rest is done all the same."""
    monkeypatch.chdir(tmp_path)
    result = kqq("doctor", "--data", "none")
    assert result.exit_code == 1
    assert "problem  data folder  there is no folder none" in result.stdout
    assert "warning  server       no server runs on" in result.stdout
    assert "ok       message      a message in Chinese went through a server made" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("1 problem, ")
    assert not (tmp_path / "none").exists()


def test_settings_that_cannot_be_used_are_all_told(tmp_path: Path) -> None:
    """Nothing else is done: where the server is was in them."""
    file = tmp_path / "kqq.toml"
    file.write_text("text_limit = 0\nnonsense = 1\n")
    result = kqq("doctor", "--config", str(file), "--set", "turn_limit=no")
    assert result.exit_code == 1
    assert result.stdout.count("problem  settings     ") == 3
    assert result.stdout.splitlines()[-1] == "3 problems, no warnings"


def test_settings_come_from_where_a_server_has_them(tmp_path: Path) -> None:
    """A file that is named, or in the data folder; --set; what is other than usual is told."""
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "kqq.toml"
    file.write_text('advertise = "qq.example"\nlisten = []\n')
    for options in (
        ("--config", str(file), "--set", f"data={tmp_path}/data"),
        ("--data", str(tmp_path / "data")),
    ):
        result = kqq("doctor", *options, "--set", "text_limit=500", "--json")
        first = objects(result)[0]
        assert first["words"] == (
            f"{file} can be read; not as by default: data, listen, advertise, text_limit"
        )
    usual = kqq("doctor", XDG_DATA_HOME=str(tmp_path / "home"))
    assert "there is no file; not as by default: none" in usual.stdout


def test_it_can_be_ended_in_good_order(tmp_path: Path) -> None:
    """A service manager that ends it leaves nothing behind, as Ctrl-C does."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "admin.sock"))
        silent.listen()
        silent.settimeout(30)
        command = [sys.executable, "-m", "kqq", "doctor", "--data", str(tmp_path)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as looking:
            assert looking.stdout is not None
            while not looking.stdout.readline().startswith("ok       clock"):
                assert looking.poll() is None
            # It has asked: its event loop runs.  Were that still being made, Python would have
            # words of its own about it on standard error.
            asked, _ = silent.accept()
            with asked:
                looking.send_signal(signal.SIGTERM)
                _, told = looking.communicate()
    assert (looking.returncode, told) == (130, "\nkqq: interrupted\n")


def test_a_terminal_shows_what_is_looked_at(tmp_path: Path) -> None:
    """On standard error; a finding takes the line away before it is printed."""
    controller, terminal = open_terminal()
    command = [sys.executable, "-m", "kqq", "doctor", "--data", str(tmp_path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, check=False)
    os.close(terminal)
    shown = os.read(controller, 65536)
    os.close(controller)
    assert b"looking at" in shown
    assert b"looking at" not in done.stdout


class Terminal(io.StringIO):
    """A terminal that somebody looks at."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def test_findings_stand_alone_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is looked at comes back after each."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    found: list[Finding] = []
    with _showing(found, as_json=False) as (report, say):
        say("one\x9bthing")
        report(ok("disk", "much is left"))
        say("another")
        report(problem("doors", "kqq://" + "x" * 90 + " is long", "Do this, then that. " * 5))
    assert "looking at one\\x9bthing" in terminal.getvalue()
    assert "looking at another" in terminal.getvalue()
    out = capsys.readouterr().out
    assert "much is left\n" in out
    assert "x" * 90 in out
    assert out.count("> ") == 1
    assert [one.check for one in found] == ["disk", "doors"]


def test_what_is_shown_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """What another program answered is in the words."""
    with _showing([], as_json=False) as (report, _):
        report(warning("doors", "answers \x9b2J", "Do \u202esomething."))
    out = capsys.readouterr().out
    assert "answers \\x9b2J" in out
    assert "\u202e" not in out
