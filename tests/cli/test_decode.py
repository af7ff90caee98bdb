"""`kqq decode` and `kqq capture`, as they are typed."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click import unstyle
from click.testing import _NamedTextIOWrapper

from command import kqq, objects
from kqq.protocol.transcript import parse_play
from making import Making

LOGIN = (
    b"VER=1.4&CON=1&CMD=Login&SEQ=200&UIN=10001&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1&LG=0"
    b"&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE=\r\n"
)
SIGNED_IN = b"VER=1.1&CMD=Login&SEQ=200&UIN=10001&RES=0&RS=0&HI=60&LI=300&SG=ab&SSG=12\r\n"
HELLO = "VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&UN=10002&MG=你好\n".encode()
TAKEN = b"VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES=0\r\n"
ROWS = """\
--- 2014-05-13 ---
--- 192.0.2.1 talks to 198.51.100.7:14000 in lines over TCP ---
     1 16:53:20.003     10001 → Login       signs in
     2 16:53:20.005     10001 ← Login       signed in  (2 ms)
!    3 16:53:20.007     10001 → CLTMSG      to 10002: “你好”
     4 16:53:20.009     10001 ← CLTMSG      accepted  (2 ms)
--- 192.0.2.1 talks to 198.51.100.7:14000 over HTTP ---
     5 16:53:20.017     10003 → GetMsgEx    any messages?
     6 16:53:20.019     10003 ← GETMSGEX    nothing waits  (2 ms)
"""


@pytest.fixture(autouse=True)
def universal_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have times shown as of Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def making() -> Making:
    """Return a capture of two people, one over TCP and one over HTTP."""
    made = Making()
    talk = made.talk()
    talk.client(LOGIN)
    talk.server(SIGNED_IN)
    talk.client(HELLO)
    talk.server(TAKEN)
    talk.close()
    made.talk().post(
        b"VER=1.1&CMD=GetMsgEx&SEQ=3&UIN=10003",
        b"VER=1.1&CMD=GETMSGEX&SEQ=3&UIN=10003&RES=0&MN=0",
    )
    return made


def on_a_terminal(*arguments: str, streams: tuple[str, ...] = ("<stdout>", "<stderr>")) -> str:
    """Return what `kqq` shows, with these of its streams on a terminal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            _NamedTextIOWrapper, "isatty", lambda self: self.name in streams, raising=False
        )
        return unstyle(kqq(*arguments).output)


@pytest.fixture
def capture(tmp_path: Path) -> str:
    """The path of a capture."""
    return str(making().save(tmp_path / "trace.pcap"))


def test_a_conversation_in_rows(capture: str) -> None:
    """A row for each line, in 80 columns."""
    shown = kqq("decode", capture)
    assert shown.exit_code == 0
    assert shown.stdout == ROWS
    assert shown.stderr == ""


def test_standard_input(capture: str) -> None:
    """A capture may come through a pipe."""
    assert kqq("decode", "-", typed=Path(capture).read_bytes()).stdout == ROWS


def test_notes_and_fields(capture: str) -> None:
    """What is odd, what the network did, and what each field means; no secret."""
    noted = kqq("decode", capture, "--notes").stdout
    assert "       ! the line ends in LF without CR\n" in noted
    assert "     - 16:53:20.000 opened #1: 192.0.2.1:40001 connects to" in noted
    explained = kqq("decode", capture, "--fields").stdout
    assert "         MG   你好" in explained
    assert "         ! the line ends in LF without CR" in explained
    assert "5EBE" not in explained
    assert "5EBE" in kqq("decode", capture, "--fields", "--secrets").stdout


def test_objects(capture: str) -> None:
    """One a line, and read again they give the same rows; notes only if asked for."""
    made = kqq("decode", capture, "--json")
    rows = objects(made)
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert "你好" in made.stdout
    assert "5EBE" not in made.stdout
    assert kqq("decode", "-", typed=made.stdout).stdout == ROWS
    kinds = {row.get("note") for row in objects(kqq("decode", capture, "--json", "--notes"))}
    assert kinds == {None, "opened", "closed"}
    assert "5EBE" in kqq("decode", capture, "--json", "--secrets").stdout


def test_objects_steer_no_terminal() -> None:
    """Whatever strangers send; and nothing is lost of it."""
    raw = "VER=1.1&CMD=CLTMSG&SEQ=1&UIN=1&UN=2&MG=\x1b[2J\u202e你"
    shown = kqq("decode", "-", "--json", typed=raw)
    assert "\x1b" not in shown.stdout
    assert "\u202e" not in shown.stdout
    assert objects(shown)[0]["line"] == raw
    assert "\x1b" not in kqq("decode", "-", "--fields", "--notes", typed=raw).stdout


def test_a_table(capture: str) -> None:
    """For spreadsheets."""
    rows = list(csv.DictReader(io.StringIO(kqq("decode", capture, "--csv").stdout)))
    assert [row["command"] for row in rows] == [
        "Login", "Login", "CLTMSG", "CLTMSG", "GetMsgEx", "GETMSGEX",
    ]  # fmt: skip
    assert rows[2]["odd"] == "the line ends in LF without CR"


def test_a_play(capture: str) -> None:
    """With people named."""
    made = kqq("decode", capture, "--play", "--name", "10002=Nurse").stdout
    play = parse_play(made)
    assert play.actors == ("Romeo", "Juliet")
    assert "UN={Nurse}&MG=你好" in made
    assert "Juliet speaks HTTP\nJuliet > VER=1.1&CMD=GetMsgEx" in made
    assert "     1     Romeo → Login       signs in\n" in kqq("decode", "-", typed=made).stdout


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--uin", "10003"], [5, 6]),
        (["--uin", "10002", "--uin", "10003"], [3, 5, 6]),
        (["--command", "cltmsg"], [3, 4]),
        (["--text", "你好"], [3]),
        (["--stream", "2"], [5, 6]),
        (["--odd"], [3]),
        (["--since", "2014-05-13T16:53:20.010"], [5, 6]),
        (["--from", "16:53", "--until", "1400000000.004"], [1]),
    ],
)
def test_choosing(capture: str, options: list[str], numbers: list[int]) -> None:
    """By person, command, words, connection, oddity, time."""
    rows = objects(kqq("decode", capture, "--json", *options))
    assert [row["number"] for row in rows] == numbers


def test_nothing_found_is_told(capture: str, tmp_path: Path) -> None:
    """In words, not as a line."""
    shown = kqq("decode", capture, "--uin", "5", "--json")
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", "no line is like that\n")
    empty = str(Making().save(tmp_path / "empty.pcap"))
    shown = kqq("decode", empty)
    words = "no line of the protocol was found"
    assert (shown.exit_code, shown.stderr) == (0, f"{words}; --notes tells what else there is\n")
    assert kqq("decode", empty, "--notes").stderr == f"{words}\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--json", "--csv"], "--json and --csv cannot be had at once"),
        (["--play", "--secrets"], "a play never has secrets in it"),
        (["--name", "x=Romeo"], "must be like 10001=Romeo"),
        (["--name", "1=romeo"], "must be like 10001=Romeo"),
        (["--name", "1=Romeo", "--name", "2=Romeo"], "cannot have the same name"),
        (["--since", "soon"], "'soon' is no time"),
        (["--until", "later"], "--until: 'later' is no time"),
    ],
)
def test_wrong_options(capture: str, options: list[str], words: str) -> None:
    """Are told with what is right."""
    shown = kqq("decode", capture, *options)
    assert shown.exit_code == 2
    assert words in shown.stderr.replace("\n", " ")


def test_what_cannot_be_read_is_told_last(capture: str) -> None:
    """All that could be read is shown, and the exit code is 1."""
    data = Path(capture).read_bytes()
    shown = kqq("decode", "-", typed=data[:-200])
    assert shown.exit_code == 1
    assert shown.stdout == "".join(ROWS.splitlines(keepends=True)[:-1])
    assert "kqq: the capture is cut short in the middle of packet" in shown.stderr
    shown = kqq("decode", "-", typed="Romeo > CMD=List\n" + "nonsense\n" * 9)
    assert shown.exit_code == 1
    assert shown.stderr.count("'nonsense' is no statement") == 5
    assert shown.stderr.endswith("kqq: 4 more problems\n")
    shown = kqq("decode", "no/such/file")
    assert shown.exit_code == 1
    assert shown.stderr == "kqq: no/such/file cannot be opened: No such file or directory\n"


def test_rows_are_cut_to_the_terminal_unless_they_may_be_wide() -> None:
    """Nothing is lost in JSON."""
    raw = "VER=1.1&CMD=CLTMSG&SEQ=1&UIN=1&UN=2&MG=" + "很长" * 100
    row = kqq("decode", "-", typed=raw).stdout.rstrip("\n")
    assert row.endswith("…")
    assert len(row) < 80
    wide = kqq("decode", "-", "--wide", typed=raw).stdout
    assert len(wide) > 150


def test_on_a_terminal(capture: str) -> None:
    """Somebody who looks is told how many lines there were, and how to learn more."""
    shown = on_a_terminal("decode", capture)
    assert "6 lines, 1 of them odd (marked !); --notes tells why" in shown
    assert "--notes" not in on_a_terminal("decode", capture, "--notes")
    assert "2 lines" in on_a_terminal("decode", capture, "--uin", "10003")


def test_a_bar_for_large_files(capture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where it does not come between the rows."""
    monkeypatch.setattr("kqq.cli.decode._LARGE", 10)
    assert "100%" in on_a_terminal("decode", capture, streams=("<stderr>",))
    assert "100%" not in on_a_terminal("decode", capture)
    monkeypatch.setattr("kqq.cli.decode._LARGE", 1 << 30)
    assert "100%" not in on_a_terminal("decode", capture, streams=("<stderr>",))


def test_following_in_one_process(capture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends it; elsewhere that is an interruption."""

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kqq.capture.sources.time.sleep", interrupt)
    shown = kqq("decode", capture, "--follow")
    assert (shown.exit_code, shown.stdout) == (0, ROWS)

    def stop(source: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kqq.capture.sources.read_file", stop)
    assert kqq("decode", capture).exit_code == 130


def test_a_followed_file_that_is_cut_short(capture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said in one line, after all that was there."""

    def cut(seconds: float) -> None:
        Path(capture).write_bytes(b"")

    monkeypatch.setattr("kqq.capture.sources.time.sleep", cut)
    shown = kqq("decode", capture, "--follow")
    assert (shown.exit_code, shown.stdout) == (1, ROWS)
    assert re.fullmatch(rf"kqq: {re.escape(capture)} was cut short to 0 bytes .*\n", shown.stderr)


def test_a_file_is_followed_until_somebody_stops_it(tmp_path: Path) -> None:
    """Which is no error."""
    path = tmp_path / "log"
    path.write_bytes(HELLO)
    with subprocess.Popen(
        [sys.executable, "-m", "kqq", "decode", str(path), "--follow", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["command"] == "CLTMSG"
        with path.open("ab") as file:
            file.write(TAKEN)
        assert json.loads(process.stdout.readline())["answers"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


# --- capturing -----------------------------------------------------------------------------------


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all the programs that can be found."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("kqq.cli.live.FOLDERS", "")
    return folder


def tool(folder: Path, script: str, name: str = "tcpdump") -> None:
    """Make a program that plays a tool."""
    path = folder / name
    path.write_text(f"#!/bin/sh\nexport PATH=/usr/bin:/bin\n{script}\n")
    path.chmod(0o755)


def test_packets_of_the_network(tools: Path, capture: str, tmp_path: Path) -> None:
    """As the tool gives them; a file keeps them, too."""
    tool(tools, f'echo "$@" > {tools}/said; cat {capture}')
    kept = tmp_path / "kept.pcap"
    shown = kqq("capture", "lo", "--write", str(kept))
    assert shown.stdout == ROWS
    assert shown.exit_code == 0
    assert kept.read_bytes() == Path(capture).read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600  # passwords are in it
    words = (tools / "said").read_text()
    assert words.startswith("-i lo ")
    assert "tcp port 14000 or tcp port 8000 or tcp port 80" in words
    kqq("capture", "lo", "--port", "5000", "--json")
    assert (tools / "said").read_text().endswith("-- tcp port 5000\n")
    kqq("capture", "lo", "--filter", "host 192.0.2.1")
    assert (tools / "said").read_text().endswith("-- host 192.0.2.1\n")


def test_interfaces_are_listed(tools: Path) -> None:
    """As the tool names them."""
    tool(tools, "printf '1.eth0\\n2.lo\\033[2J\\n'")
    assert kqq("capture", "--list").stdout == "1.eth0\n2.lo\\x1b[2J\n"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ([], 2, "say which interface, such as lo or any"),
        (["--", "-w"], 2, "an interface does not begin with -"),
        (["lo", "--port", "1", "--filter", "x"], 2, "cannot be had at once"),
        (["lo", "--write", "/no/such/folder/x"], 2, "cannot write /no/such/folder/x: No such file"),
        (["lo", "--since", "x"], 2, "is no time"),
    ],
)
def test_wrong_words_for_capturing(tools: Path, options: list[str], code: int, words: str) -> None:
    """Are told with what is right."""
    tool(tools, "exit 0")
    shown = kqq("capture", *options)
    assert shown.exit_code == code
    assert words in shown.stderr


def test_a_tool_that_fails_is_told(tools: Path, capture: str) -> None:
    """No tool, no rights, no such interface, nothing at all."""
    assert "there is no tool that captures" in kqq("capture", "lo").stderr
    tool(tools, 'echo "tcpdump: lo: You have no permission to capture" >&2; exit 1')
    shown = kqq("capture", "lo")
    assert shown.exit_code == 1
    assert "tcpdump may not capture" in shown.stderr
    assert "setcap cap_net_raw" in shown.stderr
    tool(tools, 'echo "tcpdump: xyz: No such device" >&2; exit 1')
    assert kqq("capture", "xyz").stderr == (
        "kqq: tcpdump failed: tcpdump: xyz: No such device\n"
        "    `kqq capture --list` shows what can be captured\n"
    )
    tool(tools, f"cat {capture}; echo gone >&2; exit 1")
    shown = kqq("capture", "lo")
    assert (shown.stdout, shown.stderr) == (ROWS, "kqq: tcpdump failed: gone\n")
    tool(tools, "exit 0")
    assert "is empty" in kqq("capture", "lo").stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_capturing_ends_when_somebody_stops_it(
    tools: Path, capture: str, number: signal.Signals
) -> None:
    """What the tool still has is shown, and the tool does not live on."""
    tool(
        tools,
        f"trap 'tail -c +1001 {capture}; exit 0' INT TERM\necho $$ > {tools}/pid\n"
        f"head -c 1000 {capture}\nwhile :; do sleep 0.1; done",
    )
    with subprocess.Popen(
        [sys.executable, "-m", "kqq", "capture", "lo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(3)]
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(20) == 0
    assert "".join(first) + rest == ROWS
    with pytest.raises(ProcessLookupError):
        os.kill(int((tools / "pid").read_text()), 0)


def test_on_a_terminal_it_is_said_who_listens(tools: Path, capture: str) -> None:
    """Since nothing may come for long."""
    tool(tools, f"cat {capture}")
    assert "tcpdump listens on lo for tcp port 5; Ctrl-C ends it" in on_a_terminal(
        "capture", "lo", "--port", "5"
    )


def test_the_page_about_it_works(tmp_path: Path) -> None:
    """All `sh` blocks, one after the other in one shell, show what the page shows."""
    page = (Path(__file__).parents[2] / "docs/decode.md").read_text(encoding="utf-8")

    def blocks(language: str) -> list[str]:
        return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

    script = "set -eu\n" + "\n".join(blocks("sh"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for sample in blocks("text"):
        assert sample in done.stdout
    assert "Anna > VER=1.4" in (tmp_path / "talk.kqq").read_text()


PASSWORD = "5EBE2294ECD0E0F08EAB7690D2A6EE69"
SESSION = "feedface" * 8


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("&PS=", "PS="),
        ("&PS=", "%26PS="),
        ("PS=", "P%53="),
        ("PS=", "PS%3d"),
        ("PS=", "PS:"),
        ("PS=", "PS\n="),
        ("&PS=", "&PS=1&"),
        ("CMD=Login&", "CMD=CLTMSG&UN=10002&MG=hi&"),
        ("CMD=Login", f"CMD=PS={PASSWORD}"),
        (f"&PS={PASSWORD[:12]}", f"&PS={PASSWORD[:12]}\n"),
    ],
)
@pytest.mark.parametrize("over", ["tcp", "http"])
def test_no_view_shows_a_secret_of_a_broken_line(
    old: str, new: str, over: str, tmp_path: Path
) -> None:
    """Wherever a client put it, and if its key is lost, a password is in no output."""
    line = LOGIN.decode().strip().replace(old, new).encode()
    answer = SIGNED_IN.strip().replace(b"&SG=ab", f"SG={SESSION}".encode())
    made = Making()
    talk = made.talk()
    if over == "tcp":
        talk.client(line + b"\r\n")
        talk.server(answer + b"\r\n")
    else:
        talk.post(line, answer)
    talk.close()
    torn = made.talk(opened=False)
    torn.client(LOGIN[LOGIN.index(b"PS=") + 9 :] + LOGIN)
    assert_no_secret_is_shown(made.save(tmp_path / "broken.pcap"))


def assert_no_secret_is_shown(path: Path) -> None:
    """Look at a capture in every way there is."""
    ways = [("decode", *how) for how in ([], ["--fields", "--notes"], ["--json"], ["--csv"])]
    ways += [("decode", "--play"), ("report",), ("report", "--json")]
    ways += [("diagram", "--format", form) for form in ("svg", "mermaid", "terminal")]
    for way in ways:
        shown = kqq(*way, str(path)).stdout
        assert shown, way
        for secret in (PASSWORD, SESSION):
            places = range(len(secret) - 12)
            assert not any(secret[place : place + 12] in shown for place in places), (way, shown)
