"""`kqq record` as it is typed."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from command import kqq
from kqq.protocol.transcript import parse_play
from kqq.words import Exit
from talking import QUIET, play


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
