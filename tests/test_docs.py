"""What the documents say holds: commands, samples, links, generated pages."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kqq.cli.reference import reference as every_command
from kqq.protocol.export import commands_markdown, evidence_markdown
from kqq.protocol.transcript import parse_play
from kqq.server import settings
from serving import quiet_port, serving

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
ANCHOR = re.compile(r'<a id="([^"]+)">')
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
READMES = ["README.md", "README.zh.md"]
KQQ = Path(sys.executable).parent


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Return the places of a page that links can name."""
    text = page.read_text()
    headings = {
        re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in HEADING.findall(text)
    }
    return headings | set(ANCHOR.findall(text))


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("commands.md", every_command()),
        ("configuration.md", settings.reference()),
        ("kqq.toml", settings.sample()),
        ("protocol/commands.md", commands_markdown()),
        ("protocol/evidence.md", evidence_markdown()),
    ],
    ids=["every-command", "configuration", "sample", "commands", "evidence"],
)
def test_the_generated_pages_are_those_of_the_code(name: str, made: str) -> None:
    """`scripts/docs` would change nothing."""
    page = ROOT / "docs" / name
    assert page.read_text() == made, "run scripts/docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Each link within the project names a file that is there, and a place in it."""
    for target in LINK.findall(page.read_text()):
        if "://" in target:
            continue
        name, _, place = target.partition("#")
        other = page.parent / name if name else page
        assert other.exists(), target
        if place:
            assert place in anchors(other), target


@pytest.mark.parametrize("name", READMES)
def test_the_commands_of_the_readme_work(name: str, tmp_path: Path) -> None:
    """All `sh` blocks, one after the other in one shell, as a newcomer would type them."""
    port = str(quiet_port())
    script = "set -eu\n" + "\n".join(blocks(ROOT / name, "sh"))
    assert "kqq serve" in script
    # Nothing in the README waits for the server, which on a busy machine a test must.
    ready = "until (: </dev/tcp/127.0.0.1/14000) 2>/dev/null; do kill -0 $server; done\n"
    begun = 'server=$!\ntrap "kill $server 2>/dev/null || :" EXIT\n'
    script = script.replace("server=$!\n", begun + ready).replace("14000", port)
    path = f"{KQQ}{os.pathsep}{os.environ['PATH']}"
    home, tries = tmp_path / "home", tmp_path / "tries"
    tries.mkdir()
    folders = {f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "DATA", "CACHE")}
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={**os.environ, **folders, "PATH": path, "TMPDIR": str(tries)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    logs = "".join(log.read_text() for log in tries.glob("*/log"))
    assert done.returncode == 0, f"{done.stderr}\n{logs}"
    assert not home.exists(), "a newcomer's own settings and messages are left alone"
    for sample in blocks(ROOT / name, "text"):
        for line in sample.replace("14000", port).splitlines():
            assert line in done.stdout


@pytest.mark.parametrize("name", READMES)
def test_the_python_of_the_readme_sends_a_message(name: str, tmp_path: Path) -> None:
    """The sample runs as it stands, and its message arrives."""
    (sample,) = blocks(ROOT / name, "python")
    with serving(tmp_path, "Anna", "小波") as server:
        sample = sample.replace("tcp://127.0.0.1:14000", server.address)
        subprocess.run([sys.executable, "-W", "error", "-c", sample], check=True, timeout=30)
        sqlite = "SELECT CAST(text AS TEXT) FROM message"
        database = sqlite3.connect(tmp_path / "kqq.sqlite")
        texts = [row[0] for row in database.execute(sqlite)]
        database.close()
    assert len(texts) == 1
    assert f'"{texts[0]}"' in sample


def test_both_readmes_have_the_same_samples() -> None:
    """What works in one language works in the other."""
    for language in ("sh", "python", "text", "console"):
        first, second = (blocks(ROOT / name, language) for name in READMES)
        assert first == second


def test_the_plays_of_the_documents_can_be_read() -> None:
    """Each play shown in a page parses."""
    shown = [block for page in PAGES for block in blocks(page, "kqq")]
    assert shown
    for block in shown:
        assert parse_play(block).statements


def test_the_benchmark_prints_its_ratio() -> None:
    """`benchmarks/codec.py` is one command; how fast is not for a test to say."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "codec.py"), "--json", "--rounds", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    figures = json.loads(done.stdout)
    assert figures["ratio"] > 0
    assert done.returncode == (0 if figures["ratio"] <= 6 else 1)


def test_the_pages_have_a_sentence_a_line() -> None:
    """No line of prose ends one sentence and begins another."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for line in text.splitlines():
            prose = re.sub(r"`[^`]*`|\[[^\]]*\]\([^)]*\)", "x", line)
            if prose.startswith("|"):
                continue
            assert not re.search(r"[a-z)]{2}\. [A-Z]", prose), (page.name, line)
