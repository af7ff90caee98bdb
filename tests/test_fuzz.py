"""Hostile bytes: half a minute of new ones, and all that once were too much."""

import random
import time

import pytest

from fuzz_targets import SEEDS, TARGETS
from fuzzing import FINDINGS, SECONDS, Slow, changed, findings, fuzz, try_on
from kqq.errors import CaptureError

_IN_ALL = 25.0  # seconds


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", TARGETS)
def test_hostile_bytes_do_no_harm(name: str) -> None:
    """Nothing but our own errors, no long wait, no growth; the same bytes in each run."""
    chance = random.Random(name)
    tries, finding = fuzz(name, TARGETS[name], SEEDS[name](), _IN_ALL / len(TARGETS), chance=chance)
    if finding is not None:
        finding.save()
    assert finding is None, finding
    assert tries > 20


@pytest.mark.parametrize(
    ("name", "data"), [(name, data) for name in TARGETS for data in findings(name)]
)
def test_what_was_found_does_no_harm_any_more(name: str, data: bytes) -> None:
    """Each finding is kept, and tried again."""
    try_on(TARGETS[name], data)


def test_findings_belong_to_targets() -> None:
    """None is kept where nobody looks."""
    assert {path.name for path in FINDINGS.glob("*")} <= set(TARGETS)


def test_a_bad_target_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is not ours is a finding, and so are a long wait and a lot of memory."""

    def fails(data: bytes) -> object:
        return 1 // (0xFF not in data)

    def waits(data: bytes) -> object:
        while True:
            time.sleep(1)

    def refuses(data: bytes) -> object:
        raise CaptureError("no capture")

    hoard = []

    def grows(data: bytes) -> object:
        hoard.append(b"\1" * 50_000_000)
        return len(hoard)

    chance = random.Random(1)
    _, finding = fuzz("fails", fails, [b"a"], 20.0, chance=chance)
    assert finding is not None
    assert finding.what.startswith("ZeroDivisionError")
    assert 0xFF in finding.data
    monkeypatch.setattr("fuzzing.SECONDS", 0.01)
    with pytest.raises(Slow):
        try_on(waits, b"a")
    monkeypatch.setattr("fuzzing.SECONDS", SECONDS)
    assert try_on(refuses, b"a") == "CaptureError"
    monkeypatch.setattr("fuzzing.MEMORY", 20)
    _, finding = fuzz("grows", grows, [b"a"], 20.0, chance=chance)
    assert finding is not None
    assert "grew" in finding.what


def test_changes_reach_everything() -> None:
    """Changed bytes stay within bounds, and most are new."""
    chance = random.Random(2)
    made = {changed(b"VER=1.1&CMD=List", [b"x=y"], chance) for _ in range(500)}
    assert len(made) > 400
    assert all(len(one) <= 200_000 for one in made)
