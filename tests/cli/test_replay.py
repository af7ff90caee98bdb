"""`kqq replay`, `kqq record` and `kqq mock` as they are typed."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from rich.cells import cell_len

from command import kqq, objects
from kqq.address import Door
from kqq.plays.mock import Mock
from kqq.plays.mocking import MockServer
from kqq.protocol import http_request
from kqq.protocol.transcript import parse_play
from kqq.words import Exit
from serving import quiet_port

ACCOUNTS = '[Anna]\nuin = 10001\nfriends = ["Bo"]\n[Bo]\nuin = 10002\n'
TALK = """# Two people talk.
server friends Anna, Bo
Anna signs in
Bo signs in
Anna sees Bo online
Anna sends Bo "{words}"
Bo receives Anna "{words}"
"""
QUIET = ("--quiet", "0.05", "--wait", "5")


def play(folder: Path, text: str = TALK, words: str = "hello") -> str:
    """Return the name of a file with this play."""
    file = folder / "talk.kqq"
    file.write_text(text.replace("{words}", words), encoding="utf-8")
    return str(file)


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


def test_accounts_in_a_file(tmp_path: Path, address: str) -> None:
    """People have the numbers, passwords and friends that are told there."""
    file = tmp_path / "accounts.toml"
    file.write_text(ACCOUNTS + 'password = "wrong one"\n[Cai]\nuin = 3\n')
    name = play(tmp_path, "Anna signs in\nBo signs in\n")
    result = kqq("replay", name, "--against", address, *QUIET, "--accounts", str(file))
    assert "line 2: Bo signs in" in result.stdout
    assert "the sign-in is refused" in result.stdout
    assert "wrong one" not in result.output
    name = play(tmp_path, "server friends Anna, Cai\n")
    result = kqq("replay", name, "--against", address, "--accounts", str(file))
    assert "Anna and Cai are no friends" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("{play}", "--against", "127.0.0.1:9"), Exit.NO_CONNECTION, "cannot connect"),
        (("{play}", "--against", "nowhere"), Exit.USAGE, "is not an address"),
        (("{play}", "--against", "a:1", "--account", "Romeo"), Exit.USAGE, "write NAME=NUMBER"),
        (("{folder}/none.kqq", "--against", "a:1"), Exit.USAGE, "No such file"),
        (("{folder}/bytes", "--against", "a:1"), Exit.USAGE, "is not UTF-8; `kqq decode --play`"),
        (("{folder}/log", "--against", "a:1"), Exit.USAGE, "makes a play of a capture or a log"),
        (("{folder}/nothing", "--against", "a:1"), Exit.USAGE, "has no statements"),
        (("{folder}/broken", "--against", "a:1"), Exit.USAGE, "line 2: 'what?' is no statement"),
        (
            ("{play}", "--against", "kqqs://a:1", "--ca", "{folder}/broken"),
            Exit.USAGE,
            "cannot trust",
        ),
    ],
)
def test_wrong_usage(tmp_path: Path, arguments: tuple[str, ...], code: Exit, words: str) -> None:
    """It is told in words."""
    name = play(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "broken").write_text("Anna signs in\nwhat?\n")
    (tmp_path / "log").write_text("19:03 -> VER=1.4&CON=1&CMD=List&SEQ=1&UIN=10001\n")
    (tmp_path / "nothing").write_text("# Nothing happens.\n")
    given = [one.replace("{play}", name).replace("{folder}", str(tmp_path)) for one in arguments]
    result = kqq("replay", *given)
    assert result.exit_code == code
    assert words in " ".join(result.stderr.split())


def test_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person at a terminal may read a picture; nobody else is asked."""
    asked: list[int] = []

    def reader(uin: int) -> Callable[[bytes], object]:
        async def read(picture: bytes) -> str:
            asked.append(uin)
            return "abcd"

        return read

    monkeypatch.setattr("kqq.cli.session.reader_of_letters", reader)
    monkeypatch.setattr("kqq.at_terminal.is_typed", lambda: True)
    captcha = (
        "Anna > CMD=Login PS={password}\nAnna < CMD=VERIFYCODE RES=0 SC=1 NT= VC={any}\n"
        "Anna > CMD=VERIFYCODE SC=2 VC={letters}\nAnna < CMD=Login RES=0 RS=0\n"
    )
    name = play(tmp_path, captcha)
    with mocked(captcha) as server:
        assert kqq("replay", name, "--against", server, *QUIET).exit_code == Exit.DONE
    assert asked == [10001]


@contextmanager
def mocked(text: str) -> Iterator[str]:
    """Run a mock in a thread, and give its address."""
    started: Future[str] = Future()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        server, over = MockServer(Mock(parse_play(text))), asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(over.set))
        started.set_result(str(await server.start(Door("127.0.0.1", 0))))
        await over.wait()
        await server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield started.result(10)
    finally:
        stop[0]()
        thread.join(10)


# --- record


def test_record(tmp_path: Path, address: str) -> None:
    """A sketch becomes a play that goes as written."""
    sketch = play(
        tmp_path,
        '# By hand.\n\nAnna signs in\nBo signs in\nAnna sends Bo "hi"\nBo > CMD=GetMsgEx\n',
    )
    out = tmp_path / "out.kqq"
    result = kqq("record", sketch, "--against", address, *QUIET, "-o", str(out))
    assert (result.exit_code, result.output) == (Exit.DONE, "")
    text = out.read_text(encoding="utf-8")
    assert text.startswith("# By hand.\n\nAnna signs in\nBo signs in\n")
    assert 'Anna sends Bo "hi"\nBo receives Anna "hi"\n' in text
    assert "Bo > CMD=GetMsgEx\nBo < CMD=GETMSGEX RES=0 MN=0\n" in text
    assert kqq("replay", str(out), "--against", address, *QUIET).exit_code == Exit.DONE
    again = kqq("record", sketch, "--against", address, "-o", str(out))
    assert again.exit_code == Exit.USAGE
    assert "is there already; name another file, or say --force" in again.stderr
    forced = kqq("record", sketch, "--against", address, *QUIET, "-o", str(out), "--force")
    assert forced.exit_code == Exit.DONE


@contextmanager
def unfriendly(says: bytes | None) -> Iterator[str]:
    """Run a server that says this to everything, or hangs up where it is None."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with connection:
                    while data := connection.recv(65536):
                        if data == b"over" or says is None:
                            break
                        connection.sendall(says)
                    if data == b"over":
                        return

        thread = threading.Thread(target=serve)
        thread.start()
        address = listening.getsockname()
        try:
            yield f"127.0.0.1:{address[1]}"
        finally:
            with socket.create_connection(address) as last:
                last.sendall(b"over")
            thread.join(10)


@pytest.mark.parametrize(
    ("says", "code", "why"),
    [
        (b"", Exit.REFUSED, "nothing came in 0.2 s"),
        (b"what?\r\n", Exit.REFUSED, "junk came instead, 'what?'; then nothing came in 0.2 s"),
        (None, Exit.NO_CONNECTION, "the server closed"),
    ],
    ids=["silent", "junk", "hangs up"],
)
def test_record_what_nobody_answers(
    tmp_path: Path, says: bytes | None, code: Exit, why: str
) -> None:
    """It is told, with its line and what came instead, and stands in the play as a comment."""
    sketch = play(tmp_path, "# A sketch.\n\nAnna > CMD=List PS=0123456789ABCDEF\n")
    with unfriendly(says) as server:
        result = kqq("record", sketch, "--against", server, "--quiet", "0.05", "--wait", "0.2")
    assert result.exit_code == code
    told = " ".join(result.stderr.split())
    assert told.startswith(f"kqq: line 3: Anna > CMD=List PS=***: no answer came: {why}")
    assert "\n# Anna got no answer: " in result.stdout
    assert ("\n# Anna got junk: 'what?'\n" in result.stdout) == (says == b"what?\r\n")
    assert parse_play(result.stdout).statements[0].verb == ">"


def test_record_what_is_piped(address: str) -> None:
    """Without a terminal the first statement that is wrong ends it."""
    result = kqq("record", "--against", address, *QUIET, typed="Anna signs in\nAnna sings\n")
    assert result.exit_code == Exit.USAGE
    assert result.stdout == "# Recorded with kqq record.\nAnna signs in\n"
    assert "line 2: 'Anna sings' is no statement" in result.stderr
    result = kqq("record", "--against", address, *QUIET, typed="server dies\n")
    assert "only whoever runs the server can do that" in result.stderr
    result = kqq("record", "--against", address, *QUIET, typed=b"\xff\n")
    assert result.exit_code == Exit.USAGE


def test_record_what_is_typed(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal there is a prompt, what comes is shown, and a slip does no harm."""
    monkeypatch.setattr("kqq.at_terminal.is_typed", lambda: True)
    out = tmp_path / "out.kqq"
    typed = "Anna signs in\nAnna sings\nAnna > CMD=GetInfo LV=1 UN={Anna}\n"
    result = kqq("record", "--against", address, *QUIET, "-o", str(out), typed=typed)
    assert result.exit_code == Exit.DONE
    assert result.stderr.count("> ") >= 4
    assert "is no statement" in result.stderr
    assert "Anna < CMD=GETINFO RES=0 LV=1 UN={Anna} NK=Anna" in result.stderr
    assert out.read_text().splitlines()[:2] == [
        "Anna signs in",
        "Anna > CMD=GetInfo LV=1 UN={Anna}",
    ]


def test_record_where_nothing_can_be_written(tmp_path: Path, address: str) -> None:
    """It is said before anything is done."""
    out = str(tmp_path / "none" / "out.kqq")
    result = kqq("record", "--against", address, "-o", out, typed="")
    assert result.exit_code == Exit.USAGE
    assert "cannot write" in result.stderr


# --- mock


def with_mock(
    arguments: tuple[str, ...], port: int, do: Callable[[], object]
) -> tuple[Result, object]:
    """Run a mock, do something with it from a thread, and stop it; return both results."""
    done: list[object] = []

    def work() -> None:
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.02)
        try:
            done.append(do())
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=work)
    thread.start()
    result = kqq(*arguments)
    thread.join(10)
    return result, done[0]


def said(port: int, *lines: bytes) -> Callable[[], bytes]:
    """Return what says lines on a connection, and returns what comes until there is silence."""

    def say() -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            for line in lines:
                client.sendall(line + b"\r\n")
            client.shutdown(socket.SHUT_WR)
            came = b""
            while data := client.recv(65536):
                came += data
            return came

    return say


LOGIN = b"VER=1.4&CON=1&CMD=Login&SEQ=5&UIN=4711&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&LG=0"


def test_mock(tmp_path: Path) -> None:
    """It says where it is, what it is asked, and what it has no answer for."""
    port = quiet_port()
    arguments = ("mock", play(tmp_path), "--listen", f"127.0.0.1:{port}")
    result, came = with_mock(arguments, port, said(port, LOGIN, b"CMD=Nonsense&PS=secret&UIN=4711"))
    assert isinstance(came, bytes)
    assert b"CMD=Login&SEQ=5&UIN=4711&RES=0&RS=0" in came
    shown = result.stdout
    assert shown.startswith(f"listening kqq://127.0.0.1:{port}\nready\n  Anna (line 3): VER=1.4")
    assert "! ?: CMD=Nonsense&PS=***&UIN=4711\n    nobody says Nonsense in the play\n" in shown or (
        "! Anna: CMD=Nonsense&PS=***&UIN=4711\n    nobody says Nonsense in the play\n" in shown
    )
    assert result.exit_code == Exit.REFUSED
    assert "1 line had no answer in" in " ".join(result.stderr.split())


def test_mock_as_json(tmp_path: Path) -> None:
    """Each line that comes is an object; all is well if all had an answer."""
    port = quiet_port()
    arguments = ("mock", play(tmp_path), "--listen", f"kqq://127.0.0.1:{port}", "--json")
    result, _ = with_mock(arguments, port, said(port, LOGIN))
    (heard,) = objects_after_ready(result)
    assert (heard["actor"], heard["play_line"], heard["said"]) == ("Anna", 3, 1)
    assert result.exit_code == Exit.DONE


def objects_after_ready(result: Result) -> list[dict[str, object]]:
    """Return the objects that stand after the first two lines."""
    lines = result.stdout.splitlines()
    assert lines[1] == "ready"
    return [json.loads(line) for line in lines[2:]]


def test_a_mock_that_is_polled(tmp_path: Path) -> None:
    """What is pushed elsewhere is fetched over HTTP."""
    port = quiet_port()
    name = play(tmp_path)
    arguments = ("mock", name, "--listen", f"127.0.0.1:{port}")
    poll = b"VER=1.4&CON=0&CMD=GetMsgEx&SEQ=7&UIN=4711"

    def work() -> bytes:
        post = http_request("127.0.0.1", port, LOGIN)
        return said(port, post)() + said(port, http_request("127.0.0.1", port, poll))()

    result, came = with_mock(arguments, port, work)
    assert isinstance(came, bytes)
    assert came.endswith(b"CMD=GETMSGEX&SEQ=7&UIN=4711&RES=0&MN=0\r\n")
    assert "Anna (a poll): " in result.stdout


def test_a_mock_that_cannot_listen(tmp_path: Path, address: str) -> None:
    """It says why."""
    where = address.replace("tcp://", "")
    result = kqq("mock", play(tmp_path), "--listen", where)
    assert result.exit_code == Exit.USAGE
    assert "cannot listen at" in result.stderr


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
