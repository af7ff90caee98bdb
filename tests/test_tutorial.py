"""Every command of the tutorial works, in both languages, and prints what the page shows."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kqq.capture.events import Said
from kqq.capture.sources import read_file
from serving import quiet_port

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ["tutorial.md", "tutorial.zh.md"]
KQQ = Path(sys.executable).parent
BLOCK = re.compile(r"^```(sh|text|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CAPTURE = re.compile(r"^kqq capture .*?^capture=\$!$", re.MULTILINE | re.DOTALL)
FILES = {"import hashlib": "client.py", "def on_line": "polite.py"}
"""What the page says to save, by how it begins."""


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [body for kind, body in BLOCK.findall(text) if kind == language]


def can_capture() -> bool:
    """Return whether this machine lets us look at its network, and has something to do it."""
    if not any(map(shutil.which, ("tcpdump", "dumpcap", "tshark"))):
        return False
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except (OSError, AttributeError):  # without the right, or not on Linux
        return False
    return True


def told(text: str) -> list[str]:
    """Return lines without blanks around them, and without numbers and times that change."""
    text = re.sub(r"[ !]+\d+ \d\d:\d\d:\d\d\.\d{3}", "", text)
    return [re.sub(r"\s+\(<?\d+ ms\)$", "", line).strip() for line in text.splitlines()]


def test_both_languages_have_the_same_samples() -> None:
    """What works in one works in the other."""
    for language in ("sh", "text", "python"):
        assert blocks(PAGES[0], language) == blocks(PAGES[1], language)


def test_the_tutorial_works(tmp_path: Path) -> None:
    """All `sh` blocks in one shell, one after the other, with the files that the page shows.

    Who may not capture goes on with the capture that is beside the page, as it says.
    """
    tries, home, temporary = tmp_path / "here", tmp_path / "home", tmp_path / "tmp"
    tries.mkdir()
    temporary.mkdir()
    for sample in blocks("tutorial.md", "python"):
        (name,) = [name for start, name in FILES.items() if sample.startswith(start)]
        port, other = str(quiet_port()), str(quiet_port() + 1)
        (tries / name).write_text(sample.replace("14000", port))
    script = "\n".join(blocks("tutorial.md", "sh"))
    own = can_capture()
    if not own:
        script = CAPTURE.sub("sleep 60 & capture=$!", script)
        script = script.replace("sleep 1\nkill", f"cp {DOCS}/tutorial/talk.pcap .\nkill")
    if shutil.which("tshark") is None:
        script = re.sub("^tshark .*$", "", script, flags=re.MULTILINE)
    begun = "server=$!\ntrap 'kill $server $capture $proxy 2>/dev/null || :' EXIT\n"
    script = script.replace("server=$!\n", begun).replace("14001", other).replace("14000", port)
    script = script.replace("kqq capture lo", f"kqq capture lo --port {port}")
    folders = {f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "DATA", "CACHE")}
    done = subprocess.run(
        ["bash", "-c", f"set -eu\ncapture= proxy=\n{script}"],
        cwd=tries,
        env={
            **os.environ,
            **folders,
            "HOME": str(home),
            "PATH": f"{KQQ}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(temporary),
            "KQQ_LANG": "en",
        },
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    logs = "".join(log.read_text() for log in temporary.glob("*/log"))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs}"
    printed = told(done.stdout)
    for sample in blocks("tutorial.md", "text"):
        for line in told(sample.replace("14000", port)):
            assert line in printed, f"{line}\n{done.stdout}\n{done.stderr}"
    assert (tries / "talk.svg").read_text().startswith("<svg")
    assert "<html" in (tries / "talk.html").read_text()
    assert "secret" not in (tries / "talk.kqq").read_text()
    if own:
        assert (tries / "live.txt").read_text().count("CLTMSG") >= 4


@pytest.mark.parametrize("word", ["kqq discover", "kqq capture", "kqq decode", "kqq explain"])
def test_the_path_is_whole(word: str) -> None:
    """The steps of whoever first did this are there."""
    assert any(word in block for block in blocks("tutorial.md", "sh"))


def test_the_capture_beside_the_page_is_what_it_says() -> None:
    """Both messages are in it, over TCP and over HTTP."""
    said = [one for one in read_file(DOCS / "tutorial" / "talk.pcap") if isinstance(one, Said)]
    texts = {(one.over, getattr(one.message, "text", None)) for one in said}
    assert ("tcp", "Hello, 你好 & 100%") in texts
    assert "GETMSGEX" in {one.command for one in said if one.over == "http"}
