"""The samples of docs/library.md and docs/testing.md run, one after the other, as they stand."""

import ast
import asyncio
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kqq.client import Client
from kqq.testing import PASSWORD
from serving import Serving, serving

DOCS = Path(__file__).parent.parent / "docs"
TIME = 20.0  # seconds that a sample may take


def samples(page: str) -> list[str]:
    """Return the Python of a page, block by block."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


async def run(sample: str, names: dict[str, Any]) -> None:
    """Run a sample as `python -m asyncio` would."""
    code = compile(sample, "sample", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with asyncio.timeout(TIME):
        done = eval(code, names)
        if inspect.isawaitable(done):
            await done


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    """A server as the guide assumes it, in a folder where a sample may write."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with serving(tmp_path / "server", "Anna", "小波", "Paris") as server:
        yield server


async def test_the_guide_runs(server: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it, in order; it says what it says it says."""
    port = server.address.rpartition(":")[2]
    names: dict[str, Any] = {}
    async with await Client.connect(server.address) as paris:
        await paris.sign_in(10003, PASSWORD)
        await paris.delete(10001)
    for sample in samples("library.md"):
        await run(sample.replace("14000", port), names)
        sys.stdout.flush()
    said = capsys.readouterr().out
    for words in (
        "Fate.SENT",
        "小波: I am over here",
        "10002 小波 ",
        "['Are you there?']",
        "asked",
        "\n小波 ",
        f"['tcp://127.0.0.1:{port}'",
        "Password error",
        "no such number",
        "to be found again",
        "< VER: ",
        "[Friend(uin=10002, nick='小波', face=0)]",
        "{10002: 20}",
    ):
        assert words in said, words


async def test_what_the_guide_only_defines(
    server: Serving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The functions that no sample calls do what the text says."""
    port = server.address.rpartition(":")[2]
    names: dict[str, Any] = {}
    for sample in samples("library.md"):
        if "def ask" in sample or "def serve" in sample:
            await run(f"from kqq.client import Messenger\n{sample}".replace("14000", port), names)
    monkeypatch.setattr("builtins.input", lambda _: "letters")
    assert await names["ask"](b"a picture") == "letters"
    async with names["me"] as me:
        serving_task = asyncio.create_task(names["serve"](me))
        async with await Client.connect(server.address) as elsewhere:
            await elsewhere.sign_in(10001, PASSWORD)
            from kqq.errors import NotSignedIn  # noqa: PLC0415

            with pytest.raises(NotSignedIn):
                await me.refresh()
            with pytest.raises(NotSignedIn):
                await serving_task


async def test_tests_of_the_page_pass() -> None:
    """Those that need no pytest, each called once."""
    names: dict[str, Any] = {"asyncio": asyncio}
    *plain, with_pytest = samples("testing.md")
    for sample in plain:
        await run(sample, names)
    tests = [one for name, one in names.items() if name.startswith("test_")]
    assert len(tests) == 3
    for test in tests:
        async with asyncio.timeout(TIME):
            await test()
    assert "pytest_plugins" in with_pytest


def test_the_test_with_pytest_passes(tmp_path: Path) -> None:
    """As a file of somebody else's suite."""
    (tmp_path / "test_bot.py").write_text(samples("testing.md")[-1], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "test_bot.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout


def test_every_event_is_in_the_guide() -> None:
    """The table has each of them, with its fields."""
    import kqq.client  # noqa: PLC0415

    text = (DOCS / "library.md").read_text(encoding="utf-8")
    for event in kqq.client.Event.__args__:
        fields = ", ".join(event.__match_args__)
        assert f"| `{event.__name__}({fields})` |" in text
    for fate in kqq.client.Fate:
        assert f"| `{fate.name}` |" in text
