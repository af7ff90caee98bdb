"""What browsers cost: what the benchmark says of figures, and one short run of it."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.browsers import GOAL, Result, Talk, Times, as_text
from benchmarks.comparing.machine import Unready

from benchmarks import browsers

ROOT = Path(__file__).resolve().parents[2]
LARGE = Times(1234.5, 12345.67, 123456.78)
RESULT = Result(
    idle=500, talking=50, seconds=60.0, messages=1234567, wrong=0, delivered=Times(1.5, 9.0, 42.0),
    accepted=LARGE, cpu=0.0312, load_cpu=1.0, before=56.1, memory=1234.5, machine="a machine",
)  # fmt: skip


def run(*options: str) -> "subprocess.CompletedProcess[str]":
    """Run it as people do, with the Python of these tests."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks.browsers", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def test_times_are_milliseconds() -> None:
    """The median, what one in a hundred is above, and the most."""
    times = Times.of([number / 1000 for number in range(1000, 0, -1)])
    assert times.median == pytest.approx(500.5)
    assert times.p99 == pytest.approx(991)
    assert times.most == pytest.approx(1000)
    assert Times.of([0.002]) == Times(2, 2, 2)
    with pytest.raises(Unready, match="nobody has written"):
        Times.of([])


async def test_messages_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that came once are right; lost and doubled ones are told."""
    monkeypatch.setattr(browsers, "PATIENCE", 0.1)
    talk = Talk()
    first, second = talk.begin(), talk.begin()
    assert first != second
    talk.came(first)
    assert len(talk.delivered) == 1
    await talk.ends()
    assert talk.wrong == 1
    talk.came(first)
    assert talk.wrong == 2
    talk.came(second)
    async with asyncio.timeout(0.05):
        await talk.ends()
    assert (talk.count, talk.wrong, len(talk.delivered)) == (2, 1, 2)


def test_the_goal_is_the_median() -> None:
    """And that each message comes once."""
    assert RESULT.holds
    assert not replace(RESULT, wrong=1).holds
    assert not replace(RESULT, delivered=Times(GOAL, GOAL, GOAL)).holds


def test_the_text_fits_a_terminal() -> None:
    """80 columns, also with large figures."""
    text = as_text(replace(RESULT, delivered=LARGE))
    assert max(map(len, text.splitlines())) <= 80
    assert "NO" in text
    assert "3.1% of a core" in as_text(RESULT)
    assert "yes" in as_text(RESULT)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--talking", "3"), "--talking must be even"),
        (("--idle", "900"), "at most 900"),
        (("--server-command", "true"), "the server has ended"),
    ],
)
def test_what_cannot_be_measured_is_told(options: tuple[str, ...], said: str) -> None:
    """A slip is told at once, and a server that does not start."""
    done = run("--idle", "2", "--talking", "2", *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_browsers_are_measured() -> None:
    """A few browsers for a moment: all messages come once, and all figures are there."""
    done = run("--idle", "6", "--talking", "4", "--seconds", "2", "--thinking", "0.3", "--json")
    read = json.loads(done.stdout)
    assert (read["idle"], read["talking"], read["wrong"]) == (6, 4, 0)
    assert read["messages"] > 4
    assert 0 < read["delivered"]["median"] <= read["delivered"]["p99"] <= read["delivered"]["most"]
    assert read["memory"] > 0
    assert read["before"] > 10
    assert done.returncode == (0 if read["holds"] else 1)
