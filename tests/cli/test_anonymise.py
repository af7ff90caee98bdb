"""`kqq anonymise`, as it is typed."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from command import kqq
from making import Making

SENT = b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=&UN=10002&MG=wherefore\r\n"


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Return a capture with one line, and something else."""
    making = Making()
    talk = making.talk()
    talk.client(SENT)
    other = making.talk()
    other.client(b"something else\n")
    return making.save(tmp_path / "trace.pcap")


def test_capture(trace: Path) -> None:
    """The new file is beside the old one, and what was done is said."""
    result = kqq("anonymise", str(trace))
    assert result.exit_code == 0, result.output
    new = trace.with_name("trace.anonymous.pcap")
    data = new.read_bytes()
    assert b"CMD=CLTMSG" in data
    assert not any(word in data for word in (b"10001", b"10002", b"wherefore", b"something"))
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"written to {new}",
        "replaced:",
        "  packets: 5",
        "  lines of CLTMSG: 1",
        "left out:",
        "  packets of connections that are not of the protocol: 5",
    ]
    assert sorted(one.name for one in trace.parent.iterdir()) == [new.name, trace.name]


def test_name_of_a_packed_file(trace: Path) -> None:
    """Both of its suffixes stay at the end."""
    packed = trace.with_name("trace.pcap.gz")
    packed.write_bytes(gzip.compress(trace.read_bytes()))
    assert kqq("anonymise", str(packed)).exit_code == 0
    assert gzip.decompress(trace.with_name("trace.anonymous.pcap.gz").read_bytes())


def test_key(trace: Path) -> None:
    """The same words give the same file; without them every run gives another."""
    outs = []
    for number, options in enumerate((["--key", "open sesame"], [], [])):
        out = trace.with_name(f"{number}")
        assert kqq("anonymise", str(trace), "-o", str(out), *options).exit_code == 0
        outs.append(out.read_bytes())
    again = kqq("anonymise", str(trace), "-o", "-", KQQ_ANONYMISE_KEY="open sesame")
    assert again.stdout_bytes == outs[0]
    assert len(set(outs)) == 3
    short = kqq("anonymise", str(trace), "-o", "-", "--key", "short")
    assert short.exit_code == 1
    assert "8 signs" in short.stderr


def test_standard_input_and_output() -> None:
    """Both may be pipes; what was done is then said on standard error, also as JSON."""
    result = kqq("anonymise", "-", "--json", typed=b"send: " + SENT + b"other\n")
    assert result.exit_code == 0
    assert result.stdout_bytes.startswith(b"send: VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=")
    assert json.loads(result.stderr) == {
        "file": "-",
        "output": "-",
        "replaced": {"lines of CLTMSG": 1},
        "left_out": {"lines of text without a line of the protocol": 1},
        "doubts": {},
    }


def test_json(trace: Path) -> None:
    """Where the file goes elsewhere, the object is on standard output."""
    out = trace.with_name("out")
    result = kqq("anonymise", str(trace), "-o", str(out), "--json", "--keep-foreign")
    assert json.loads(result.stdout)["replaced"] == {
        "packets": 5,
        "lines of CLTMSG": 1,
        "packets, blanked": 5,
    }


def test_commands_of_the_page_work(trace: Path) -> None:
    """All of docs/anonymise.md, typed one after the other."""
    page = (Path(__file__).parent.parent.parent / "docs/anonymise.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    done = subprocess.run(
        ["bash", "-c", "set -eu\nset -o pipefail\n" + "\n".join(blocks)],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        cwd=trace.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    assert (trace.parent / "lines.jsonl").read_text().count("\n") == 1


def test_doubts(tmp_path: Path) -> None:
    """What nobody can vouch for is said, with an exit code of its own."""
    log = tmp_path / "log.txt"
    log.write_bytes(SENT + b"VER=1.4&CMD=Dance&UIN=10001\n")
    result = kqq("anonymise", str(log))
    assert result.exit_code == 1
    assert (
        "cannot be vouched for, though replaced:\n  commands that nobody knows: 1" in result.stderr
    )
    assert b"Dance" not in (tmp_path / "log.anonymous.txt").read_bytes()


def test_play(tmp_path: Path) -> None:
    """What ends in .kqq is a play, also with nothing but a comment in it."""
    play = tmp_path / "a.kqq"
    play.write_bytes(b"# Romeo\n")
    assert kqq("anonymise", str(play)).exit_code == 0
    assert b"Romeo" not in (tmp_path / "a.anonymous.kqq").read_bytes()


def test_file_that_is_there_already(trace: Path) -> None:
    """It is not replaced unless asked for."""
    out = trace.with_name("out")
    out.write_bytes(b"mine")
    result = kqq("anonymise", str(trace), "-o", str(out))
    assert result.exit_code == 2
    assert "--force" in result.stderr
    assert out.read_bytes() == b"mine"
    assert kqq("anonymise", str(trace), "-o", str(out), "--force").exit_code == 0
    assert out.read_bytes() != b"mine"


def test_what_cannot_be_read_or_written(trace: Path, tmp_path: Path) -> None:
    """The error says which file and why, and nothing is left behind."""
    missing = kqq("anonymise", str(tmp_path / "missing"))
    assert missing.exit_code == 2
    assert "missing cannot be opened: No such file" in missing.stderr
    nowhere = kqq("anonymise", str(trace), "-o", str(tmp_path / "no" / "out"))
    assert nowhere.exit_code == 2
    assert "out cannot be written: No such file" in nowhere.stderr
    text = tmp_path / "text"
    text.write_bytes(b"nothing")
    refused = kqq("anonymise", str(text))
    assert refused.exit_code == 1
    assert f"{text}: this is no capture: it starts 'nothing'" in refused.stderr
    text.write_bytes(b"")
    empty = kqq("anonymise", str(text))
    assert (empty.exit_code, empty.stderr) == (1, f"kqq: {text} is empty\n")
    piped = kqq("anonymise", "-", typed=b"")
    assert (piped.exit_code, piped.stderr) == (1, "kqq: standard input is empty\n")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["text", "trace.pcap"]
