"""`kqq replay` as it is typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from command import kqq, objects
from kqq.words import Exit
from serving import quiet_port
from talking import QUIET, play


@pytest.mark.parametrize("over", [(), ("--http",)])
def test_replay(tmp_path: Path, address: str, over: tuple[str, ...]) -> None:
    """A play goes as written; what was taken for granted is told aside."""
    result = kqq("replay", play(tmp_path, words=f"hi {over}"), "--against", address, *QUIET, *over)
    assert (result.exit_code, result.stderr) == (
        Exit.DONE,
        "kqq: taken for granted: server friends Anna, Bo\n",
    )
    assert "goes as written: 6 statements in" in " ".join(result.stdout.split())


def test_replay_without_a_scheme(tmp_path: Path, address: str) -> None:
    """An address is a host and a port, and a play may come through standard input."""
    bare = address.removeprefix("tcp://")
    text = "Anna signs in\n"
    result = kqq("replay", "-", "--against", bare, *QUIET, typed=text)
    assert result.stdout.startswith("standard input goes as written: 1 statement in")


def test_the_lines_as_they_go(tmp_path: Path, address: str) -> None:
    """They are shown, without passwords."""
    name = play(tmp_path, "Anna signs in\n")
    result = kqq("replay", name, "--against", address, *QUIET, "--lines")
    said, heard, *_ = result.stdout.splitlines()
    assert said.startswith("Anna > VER=1.4&CON=1&CMD=Login&SEQ=")
    assert "&PS=***&" in said
    assert heard.startswith("Anna < VER=1.1&CMD=Login&SEQ=")
    found = objects(kqq("replay", name, "--against", address, *QUIET, "--lines", "--json"))
    assert [one.get("direction") for one in found] == [">", "<", None]


WRONG = 'Anna signs in\nAnna > CMD=GetInfo LV=1 UN={Bo}\nAnna < CMD=GETINFO RES=5 LV=1 NK="Bo 波"\n'


def test_a_difference(tmp_path: Path, address: str) -> None:
    """It is shown field by field, side by side, with what it means, in 80 columns."""
    name = play(tmp_path, f"{WRONG}Anna > CMD=Query_Stat2 CM=2 UN=0\nAnna receives nothing\n")
    arguments = ("replay", name, "--against", address, *QUIET, "--account", "Bo=10002")
    result = kqq(*arguments)
    assert result.exit_code == Exit.REFUSED
    assert all(cell_len(line) <= 80 for line in result.stdout.splitlines())
    assert "line 3: Anna < CMD=GETINFO RES=5" in result.stdout
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("≠ RES")]
    assert row.split() == ["≠", "RES", "5", "0"]
    assert "no such number" in result.stdout
    assert "line 5" not in result.stdout
    every = kqq(*arguments, "--all")
    assert "line 5: Anna receives nothing" in every.stdout
    (found,) = objects(kqq(*arguments, "--json"))
    assert found["verdict"] == "failed"
    assert found["differences"][0]["line"] == 3  # type: ignore[index]


def test_a_difference_and_then_something_impossible(tmp_path: Path, address: str) -> None:
    """Both are told."""
    name = play(tmp_path, f"{WRONG}Anna > CMD=X UN={{nobody}}\n")
    result = kqq("replay", name, "--against", address, *QUIET, "--all")
    assert result.exit_code == Exit.REFUSED
    assert "It ends there: line 4: nothing is known as {nobody}" in result.stdout


def test_what_cannot_be_performed(tmp_path: Path, address: str) -> None:
    """It is said before anything is done."""
    name = play(tmp_path, "Anna signs in\nserver dies\n")
    result = kqq("replay", name, "--against", address)
    assert result.exit_code == Exit.USAGE
    assert "cannot be performed there: line 2: only whoever runs the server" in result.stderr
    result = kqq("replay", name, "--against", address, "--json")
    assert result.exit_code == Exit.USAGE
    assert objects(result)[0]["verdict"] == "skipped"


def test_the_page_about_all_this(tmp_path: Path) -> None:
    """All `sh` blocks of docs/replay.md work in one shell, and print what the page shows."""
    page = (Path(__file__).parents[2] / "docs/replay.md").read_text(encoding="utf-8")
    script = "set -eu\n" + "".join(
        re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    )
    first = quiet_port()
    script = script.replace("14000", str(first)).replace("14001", str(first + 1))
    # On a busy machine a server may take longer than a person does.
    ready = "until (: </dev/tcp/127.0.0.1/{}) 2>/dev/null; do sleep 0.1; done\n"
    for port in (first, first + 1):
        assert "sleep 2\n" in script
        script = script.replace("sleep 2\n", ready.format(port), 1)
    begun = "server=$!\ntrap 'kill $server ${mock:-} 2>/dev/null || :' EXIT\n"
    script = script.replace("server=$!\n", begun, 1)
    kqq_here = Path(sys.executable).parent
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{kqq_here}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    (shown,) = re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown in ran.stdout
    (recorded,) = re.findall(r"^```kqq\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert recorded in ran.stdout
    assert ran.stdout.count("goes as written") == 4
