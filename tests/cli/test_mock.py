"""`kqq mock` as it is typed."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from command import kqq
from kqq.protocol import http_request
from kqq.words import Exit
from serving import quiet_port
from talking import play


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
