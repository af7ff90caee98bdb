"""The same line again within seconds: the answer that was given, not the deed once more."""

import asyncio
from pathlib import Path

import pytest

from kqq.server import repeats
from kqq.server.config import Config
from kqq.server.repeats import Repeats
from stage import JULIET, ROMEO, ManualClock

LINE = "VER=1.1&CMD=CLTMSG&SEQ=12345&UIN=10001&UN=10002&MG=hello"


class Memory:
    """Answers (words here) of ten seconds."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.config = Config(data=folder, repeat_time=10.0)
        self.repeats: Repeats[str] = Repeats(self.clock, self.config)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """An empty memory."""
    return Memory(tmp_path)


def test_the_same_line_is_recalled(memory: Memory) -> None:
    """Any number of times within the time, which begins with the answer."""
    assert memory.repeats.recall(ROMEO, LINE) is None
    memory.repeats.remember(ROMEO, LINE, "sent")
    for _ in range(3):
        assert memory.repeats.recall(ROMEO, LINE) == "sent"
        memory.clock.advance(3.0)
    memory.clock.advance(0.999)
    assert memory.repeats.recall(ROMEO, LINE) == "sent"
    memory.clock.advance(0.001)
    assert memory.repeats.recall(ROMEO, LINE) is None


@pytest.mark.parametrize(
    ("uin", "line"),
    [
        (JULIET, LINE),
        (ROMEO, LINE + " "),
        (ROMEO, LINE.replace("12345", "12346")),  # the same words said again
        (ROMEO, LINE.lower()),
        (ROMEO, LINE + "\udcff"),
    ],
)
def test_any_other_line_is_not(memory: Memory, uin: int, line: str) -> None:
    """Another person, another SEQ, another byte: something else."""
    memory.repeats.remember(ROMEO, LINE, "sent")
    assert memory.repeats.recall(uin, line) is None
    memory.repeats.remember(uin, line, "also sent")
    assert memory.repeats.recall(uin, line) == "also sent"
    assert memory.repeats.recall(ROMEO, LINE) == "sent"


def test_the_last_answer_counts(memory: Memory) -> None:
    """What is remembered once more counts from then on."""
    memory.repeats.remember(ROMEO, LINE, "old")
    memory.clock.advance(9.0)
    memory.repeats.remember(ROMEO, LINE, "new")
    assert len(memory.repeats) == 1
    memory.clock.advance(9.0)
    assert memory.repeats.recall(ROMEO, LINE) == "new"


def test_the_old_is_let_go(memory: Memory) -> None:
    """What is too old to be recalled is not kept when something new comes."""
    for number in range(5):
        memory.repeats.remember(ROMEO, f"{LINE}{number}", "sent")
        memory.clock.advance(4.0)
    assert len(memory.repeats) == 3


def test_no_time_at_all(memory: Memory) -> None:
    """With a time of 0, which can be set while the server runs, nothing is recalled or kept."""
    object.__setattr__(memory.config, "repeat_time", 0.0)
    memory.repeats.remember(ROMEO, LINE, "sent")
    assert memory.repeats.recall(ROMEO, LINE) is None
    assert len(memory.repeats) == 0


def test_memory_is_bounded(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many lines come, the oldest is forgotten first."""
    monkeypatch.setattr(repeats, "_KEPT", 3)
    for number in range(5):
        memory.repeats.remember(ROMEO, str(number), "sent")
    assert len(memory.repeats) == 3
    recalled = [memory.repeats.recall(ROMEO, str(number)) for number in range(5)]
    assert recalled == [None, None, "sent", "sent", "sent"]


async def test_what_is_written_takes_the_place_of_what_waits(memory: Memory) -> None:
    """Of an answer that waits for the disk only the reply is kept, once it is there."""
    repeats, loop = memory.repeats, asyncio.get_running_loop()
    written, failed, late = loop.create_future(), loop.create_future(), loop.create_future()
    repeats.remember(ROMEO, LINE, "waits", stored=written, final="reply")
    repeats.remember(ROMEO, "2", "waits", stored=failed, final="reply")
    repeats.remember(ROMEO, "3", "waits", stored=late, final="reply")
    written.set_result(1)
    failed.set_exception(ValueError())
    assert repeats.recall(ROMEO, LINE) == "waits"
    repeats.remember(ROMEO, "4", "other")
    assert [repeats.recall(ROMEO, line) for line in (LINE, "2", "3")] == ["reply", "waits", "waits"]
    # Said again after its time, it waits anew, whatever became of the first.
    memory.clock.advance(10)
    again = loop.create_future()
    repeats.remember(ROMEO, "3", "waits again", stored=again, final="reply again")
    late.set_result(1)
    repeats.remember(ROMEO, "4", "other")
    assert repeats.recall(ROMEO, "3") == "waits again"
    again.set_result(1)
    repeats.remember(ROMEO, "4", "other")
    assert repeats.recall(ROMEO, "3") == "reply again"
