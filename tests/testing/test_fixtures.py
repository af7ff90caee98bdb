"""The fixture for pytest: it works with any plugin for asynchronous tests, and shows the lines."""

import subprocess
import sys
from pathlib import Path

import pytest

from kqq.testing import Town

pytest_plugins = ["kqq.testing.fixtures"]

USING = """
import pytest

pytest_plugins = ["kqq.testing.fixtures"]

@pytest.mark.asyncio
async def test_that_passes(kqq_town):
    async with kqq_town("Anna", "小波") as town:
        anna = await town.client("Anna")
        await anna.send(town["小波"], "hello")

@pytest.mark.asyncio
async def test_that_fails(kqq_town):
    async with kqq_town("Anna", "小波") as town:
        anna = await town.client("Anna")
        await anna.send(town["小波"], "what was said")
        assert False

@pytest.mark.asyncio
async def test_that_fails_in_silence(kqq_town):
    async with kqq_town("Anna", "小波"):
        assert False
"""


async def test_it_is_a_town(kqq_town: type[Town]) -> None:
    """Made with names and settings, as often as one likes."""
    async with kqq_town("Anna") as town, kqq_town("Bo", captcha="always") as other:
        assert (town["Anna"], other["Bo"]) == (10001, 10001)
        assert (await town.client("Anna")).uin == 10001


async def test_lines_are_shown_of_a_test_that_fails(
    kqq_town: type[Town], request: pytest.FixtureRequest
) -> None:
    """They go into the report of the test, without passwords."""

    async def fail(*, with_lines: bool) -> None:
        async with kqq_town("Anna") as town:
            if with_lines:
                await town.client("Anna")
            raise LookupError

    sections = request.node._report_sections
    before = list(sections)
    with pytest.raises(LookupError):
        await fail(with_lines=False)
    assert sections == before
    with pytest.raises(LookupError):
        await fail(with_lines=True)
    (added,) = [section for section in sections if section not in before]
    assert added[:2] == ("call", "kqq")
    assert "Anna > VER=1.4&CON=1&CMD=Login&" in added[2]
    assert "5EBE2294" not in added[2]
    sections.remove(added)


def test_in_a_suite_of_somebody_else(tmp_path: Path) -> None:
    """One line in a test file is enough; the report of what failed has the lines."""
    (tmp_path / "test_bot.py").write_text(USING, encoding="utf-8")
    options = ["-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", *options, "test_bot.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert "2 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("Captured kqq call") == 1
    assert "Anna < VER=1.1&CMD=CLTMSG&" in done.stdout
    assert "5EBE2294" not in done.stdout


def test_nothing_else_needs_pytest() -> None:
    """`kqq.testing` can be used with unittest, or with nothing."""
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "import asyncio\n"
        "from kqq.testing import Town\n"
        "async def main():\n"
        "    async with Town('Anna', 'Bo') as town:\n"
        "        await (await town.client('Anna')).send(town['Bo'], 'hello')\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=50)
