"""`kqq diagram` and `kqq report`."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from rich.cells import cell_len

from command import kqq, objects
from kqq.capture.events import Said
from kqq.capture.filters import Filter
from kqq.cli import diagram as module
from making import Making
from sayings import LOGIN
from terminals import open_terminal

PLAY = """\
# Romeo writes while Juliet is away.
server friends Romeo, Juliet
Romeo signs in
Romeo > CMD=CLTMSG UN={Juliet} MG="But soft"
Romeo < CMD=CLTMSG RES=0
Juliet signs in
"""


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are local; here that is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def play(tmp_path: Path) -> Path:
    """A play."""
    path = tmp_path / "night.kqq"
    path.write_text(PLAY, encoding="utf-8")
    return path


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A capture of somebody who signs in, and writes."""
    making = Making()
    talk = making.talk()
    fields = "".join(f"&{key}={value}" for key, value in LOGIN.items())
    talk.client(f"VER=1.4&CON=1&CMD=Login&SEQ=1&UIN=10001{fields}\r\n".encode())
    talk.server(b"VER=1.1&CMD=Login&SEQ=1&UIN=10001&RES=0&RS=0&HI=60&LI=300&SG=AB&SSG=1\r\n")
    text = "你好".encode()
    talk.client(b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=&UN=10002&MG=" + text + b"\r\n")
    talk.server(b"VER=1.1&CMD=CLTMSG&SEQ=2&UIN=10001&RES=0\r\n")
    talk.close()
    return making.save(tmp_path / "evening.pcap")


def english(*arguments: str, typed: bytes | None = None) -> Result:
    """Run `kqq` in English."""
    return kqq(*arguments, typed=typed, KQQ_LANG="en")


def test_a_play_on_a_terminal(play: Path) -> None:
    """At 80 columns, with what people do as arrows."""
    result = english("diagram", str(play))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "night.kqq"
    assert lines[2].split() == ["Romeo", "server", "Juliet"]
    assert "CLTMSG to Juliet: “But" in result.stdout
    assert max(map(cell_len, lines)) <= 80


def test_a_capture_as_svg(capture: Path, tmp_path: Path) -> None:
    """The name of the output says how it is drawn."""
    output = tmp_path / "evening.svg"
    result = english("diagram", str(capture), "-o", str(output), "--title", "An <evening>")
    assert (result.exit_code, result.stdout) == (0, "")
    root = ET.fromstring(output.read_text(encoding="utf-8"))
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "An <evening>"
    assert "你好" in output.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["evening.mmd", "evening.mermaid"])
def test_a_capture_for_mermaid(capture: Path, tmp_path: Path, name: str) -> None:
    """By the name of the output, or because it is asked for."""
    output = tmp_path / name
    assert english("diagram", str(capture), "-o", str(output)).exit_code == 0
    asked = english("diagram", str(capture), "--format", "mermaid")
    assert output.read_text(encoding="utf-8") == asked.stdout
    assert asked.stdout.startswith('---\ntitle: "evening.pcap"\n---\nsequenceDiagram\n')


def test_how_it_is_drawn_must_be_known(capture: Path, tmp_path: Path) -> None:
    """An ending that says nothing needs --format."""
    output = tmp_path / "evening.xyz"
    result = english("diagram", str(capture), "-o", str(output))
    assert result.exit_code == 2
    assert "--format" in result.stderr
    assert not output.exists()
    assert english("diagram", str(capture), "-o", str(output), "--format", "svg").exit_code == 0
    assert output.read_text(encoding="utf-8").startswith("<svg")


def test_a_diagram_for_programs(capture: Path, tmp_path: Path) -> None:
    """One object for each thing, also in a file."""
    found = objects(english("diagram", str(capture), "--json", "--most", "2"))
    assert found[0]["name"] == "10001"
    assert [one["command"] for one in found if "line" in one] == ["Login", "Login"]
    assert found[-1] == {"more": 2}
    output = tmp_path / "evening.jsonl"
    assert english("diagram", str(capture), "--json", "-o", str(output)).exit_code == 0
    lines = output.read_text(encoding="utf-8").splitlines()
    assert len([one for one in map(json.loads, lines) if "line" in one]) == 4


def test_what_is_drawn_can_be_chosen(capture: Path) -> None:
    """By the same filters as elsewhere."""
    result = english("diagram", str(capture), "--command", "cltmsg")
    assert "CLTMSG" in result.stdout
    assert "Login" not in result.stdout


def test_standard_input(capture: Path) -> None:
    """Is `-`."""
    result = english("diagram", "-", typed=capture.read_bytes())
    assert result.stdout.splitlines()[0] == "standard input"
    assert "你好" in result.stdout


@pytest.mark.parametrize("command", ["diagram", "report"])
def test_nothing_that_is_wanted(command: str, capture: Path) -> None:
    """It is said, and scripts notice."""
    result = english(command, str(capture), "--uin", "10999")
    assert result.exit_code == 1
    assert result.stderr.endswith(f"{capture}: no line is like that\n")


@pytest.mark.parametrize("command", ["diagram", "report"])
def test_what_cannot_be_read(command: str, tmp_path: Path) -> None:
    """A message, and an exit code."""
    result = english(command, str(tmp_path / "nowhere.pcap"))
    assert result.exit_code == 1
    assert "nowhere.pcap" in result.stderr
    assert result.stdout == ""


def test_notes_about_a_damaged_capture(capture: Path) -> None:
    """They are told even where nothing could be drawn."""
    result = english("diagram", "-", typed=capture.read_bytes()[:150])
    assert result.exit_code == 1
    assert result.stderr.count("kqq: ") >= 2


def test_where_it_cannot_be_written(capture: Path, tmp_path: Path) -> None:
    """A message that says where and why."""
    for command, name in (("diagram", "a.svg"), ("report", "a.html")):
        output = tmp_path / "nowhere" / name
        result = english(command, str(capture), "-o", str(output))
        assert result.exit_code == 2
        assert f"cannot write {output}" in result.stderr


def test_a_report(capture: Path, tmp_path: Path) -> None:
    """One page, without secrets, in the language that was asked for."""
    output = tmp_path / "evening.html"
    result = english("report", str(capture), "-o", str(output))
    assert (result.exit_code, result.stdout) == (0, "")
    page = output.read_text(encoding="utf-8")
    assert "<title>evening.pcap</title>" in page
    assert '<html lang="en">' in page
    assert "你好" in page
    assert str(LOGIN["PS"]) not in page
    chinese = english("report", str(capture), "--language", "zh", "--title", "晚上", "--most", "2")
    assert '<html lang="zh">' in chinese.stdout
    assert "<title>晚上</title>" in chinese.stdout
    assert chinese.stdout.count("<details ") == 2


def test_a_diagram_in_chinese(play: Path) -> None:
    """Words of people are translated, those of the protocol are not."""
    assert "CLTMSG" in english("diagram", str(play), "--language", "zh").stdout


def test_figures_for_programs(capture: Path, tmp_path: Path) -> None:
    """What a report counts, as objects."""
    found = objects(english("report", str(capture), "--json"))
    assert found[0]["figure"] == "capture"
    assert found[0]["lines"] == 4
    output = tmp_path / "figures.jsonl"
    assert english("report", str(capture), "--json", "-o", str(output)).exit_code == 0
    assert len(output.read_text(encoding="utf-8").splitlines()) == len(found)


def test_a_page_is_not_for_a_terminal(capture: Path) -> None:
    """It must be written somewhere."""
    ours, theirs = open_terminal()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "kqq", "report", str(capture)],
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert b"add --output FILE" in done.stderr


def test_a_diagram_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within reason; in a file or a pipe it has 80 columns."""
    assert module._columns(None) == 80
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for columns, expected in (("100", 100), ("500", 160), ("0", 80)):
        monkeypatch.setenv("COLUMNS", columns)
        assert module._columns(None) == expected
    assert module._columns(Path("a.txt")) == 80


def test_reading_much_shows_how_far_it_is(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody sees it."""
    monkeypatch.setattr(module, "_SLOW", 1)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with module._lines(capture, Filter()) as items:
        assert len([item for item in items if isinstance(item, Said)]) == 4


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """All of docs/charts.md, in a folder with its capture and its play."""
    docs = Path(__file__).parent.parent.parent / "docs"
    page = (docs / "charts.md").read_text(encoding="utf-8")
    (play,) = re.findall(r"^```kqq\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "night.kqq").write_text(play, encoding="utf-8")
    shutil.copy(docs / "pictures/evening.pcap", tmp_path)
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    assert script.count("kqq ") > 10
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"set -eu\n{script}"],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "TZ": "UTC", "KQQ_LANG": "en"},
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    shown = done.stdout.decode()
    assert "CLTMSG to Juliet" in shown
    assert (tmp_path / "report-zh.html").read_text(encoding="utf-8").count("<details ") == 25
