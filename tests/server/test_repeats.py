"""The same line again, soon: the answer that was given, not the deed once more."""

from pathlib import Path

import pytest

from kqq.server import repeats
from kqq.server.config import Config
from kqq.server.repeats import Repeats, is_unique
from stage import JULIET, PARIS, ROMEO, ManualClock

LINE = "VER=1.1&CMD=CLTMSG&SEQ=12345&UIN=10001&UN=10002&MG=hello"
OURS = LINE.replace("12345", "1234567890")


class Memory:
    """Answers (words here) of ten seconds, and of 900 where the number of a line is used once."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.config = Config(data=folder, repeat_time=10.0, repeat_time_unique=900.0)
        self.repeats: Repeats[str] = Repeats(self.clock, self.config)

    def keep(self, uin: int, *lines: str) -> None:
        """Remember an answer to each of some lines whose number is used once."""
        for line in lines:
            self.repeats.remember(uin, line, "sent", unique=True)

    def known(self, uin: int, *lines: str) -> str:
        """Return those that are recalled, joined."""
        return "".join(
            line for line in lines if self.repeats.recall(uin, line, unique=True) is not None
        )


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
    """What is too old to be recalled is not kept for long when something new comes."""
    for number in range(50):
        memory.repeats.remember(ROMEO, f"{LINE}{number}", "sent")
        memory.clock.advance(4.0)
    assert len(memory.repeats) <= 6  # of a time of 10 s and the one before


def test_no_time_at_all(memory: Memory) -> None:
    """With a time of 0, which can be set while the server runs, nothing is recalled or kept."""
    object.__setattr__(memory.config, "repeat_time", 0.0)
    memory.repeats.remember(ROMEO, LINE, "sent")
    assert memory.repeats.recall(ROMEO, LINE) is None
    for number in range(5):
        memory.repeats.remember(ROMEO, str(number), "sent")
    assert len(memory.repeats) <= 2


def test_memory_is_bounded(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many lines come, the older half is forgotten first."""
    monkeypatch.setattr(repeats, "_KEPT", 4)
    for number in range(5):
        memory.repeats.remember(ROMEO, str(number), "sent")
    assert len(memory.repeats) == 3
    recalled = [memory.repeats.recall(ROMEO, str(number)) for number in range(5)]
    assert recalled == [None, None, "sent", "sent", "sent"]


# --- numbers used once ---------------------------------------------------------------------------


def test_ten_digits_say_that_a_number_is_used_once() -> None:
    """No more and no less: no client of old that said more than Login sent so many."""
    unique = [seq for seq in map("1".zfill, range(1, 31)) if is_unique(seq)]
    assert unique == ["0000000001"]


def test_a_line_with_a_number_used_once_is_recalled_for_long(memory: Memory) -> None:
    """For minutes after its answer, however many others come; a recall does not prolong it."""
    memory.keep(ROMEO, OURS)
    memory.clock.advance(899.0)
    for number in range(10):
        memory.repeats.remember(ROMEO, f"{LINE}{number}", "sent")
    assert memory.repeats.recall(ROMEO, OURS, unique=True) == "sent"
    assert memory.repeats.recall(JULIET, OURS, unique=True) is None
    assert memory.repeats.recall(ROMEO, OURS + " ", unique=True) is None
    memory.clock.advance(1.0)
    assert memory.repeats.recall(ROMEO, OURS, unique=True) is None


def test_the_same_line_over_another_transport(memory: Memory) -> None:
    """There `CON` is another; where numbers may be used again, that is another line."""
    socket = OURS.replace("VER=1.1&", "VER=1.4&CON=1&")
    posted = socket.replace("CON=1", "CON=0")
    memory.keep(ROMEO, socket)
    assert memory.known(ROMEO, posted) == posted
    assert memory.known(ROMEO, posted.replace("hello", "hello&CON=1")) == ""
    assert memory.known(ROMEO, posted.replace("CON=0", "BACON=0")) == ""
    memory.repeats.remember(ROMEO, socket, "sent")
    assert memory.repeats.recall(ROMEO, socket) == "sent"
    assert memory.repeats.recall(ROMEO, posted) is None
    memory.repeats.remember(ROMEO, posted, "asked otherwise before", unique=True)
    assert memory.repeats.recall(ROMEO, socket, unique=True) == "asked otherwise before"


def test_other_lines_push_out_none_with_numbers_used_once(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor the other way round: each kind has room of its own."""
    monkeypatch.setattr(repeats, "_KEPT", 4)
    monkeypatch.setattr(repeats, "_OF_ONE", 3)
    for number in range(10):
        memory.repeats.remember(ROMEO, f"{LINE}{number}", "sent")
        memory.keep(ROMEO, f"{OURS}{number}")
    assert len(memory.repeats) == 7
    ours = [f"{OURS}{number}" for number in range(10)]
    assert memory.known(ROMEO, *ours) == "".join(ours[7:])
    assert memory.repeats.recall(ROMEO, f"{LINE}7") == "sent"


def test_one_account_pushes_out_nobody(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each only so many are kept, the newest, so that a flood costs only who makes it."""
    monkeypatch.setattr(repeats, "_OF_ONE", 3)
    monkeypatch.setattr(repeats, "_KEPT_UNIQUE", 6)
    memory.keep(JULIET, *"ab")
    memory.keep(ROMEO, *"abcdefghij")
    assert memory.known(ROMEO, *"abcdefghij") == "hij"
    assert memory.known(JULIET, *"ab") == "ab"
    assert len(memory.repeats) == 5


def test_who_was_silent_longest_is_forgotten_first(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When all together are too many; those who go on keep theirs."""
    monkeypatch.setattr(repeats, "_KEPT_UNIQUE", 4)
    memory.keep(ROMEO, *"ab")
    memory.keep(JULIET, *"ab")
    memory.keep(ROMEO, "c")
    memory.keep(PARIS, "a")
    assert (memory.known(ROMEO, *"abc"), memory.known(JULIET, *"ab")) == ("abc", "")
    assert memory.known(PARIS, "a") == "a"
    assert len(memory.repeats) == 4


def test_what_is_too_old_is_let_go(memory: Memory) -> None:
    """That of an account which says more, and all of one that says nothing, when another does."""
    memory.keep(ROMEO, "a")
    memory.keep(JULIET, "a")
    memory.clock.advance(500.0)
    memory.keep(ROMEO, "b")
    memory.clock.advance(400.0)
    memory.keep(ROMEO, "c")
    assert memory.known(ROMEO, *"abc") == "bc"
    assert len(memory.repeats) == 2
    memory.clock.advance(900.0)
    memory.keep(PARIS, "a")
    assert len(memory.repeats) == 1


def test_no_time_at_all_for_numbers_used_once(memory: Memory) -> None:
    """With a time of 0 nothing is recalled or kept."""
    object.__setattr__(memory.config, "repeat_time_unique", 0.0)
    memory.keep(ROMEO, OURS)
    assert memory.known(ROMEO, OURS) == ""
    assert len(memory.repeats) == 0


def test_a_line_remembered_again_counts_from_then_on(memory: Memory) -> None:
    """What could not be stored is done again when it comes again, and that is what counts."""
    memory.keep(ROMEO, OURS, "b")
    memory.clock.advance(600.0)
    memory.repeats.remember(ROMEO, OURS, "at last", unique=True)
    memory.clock.advance(600.0)
    assert memory.repeats.recall(ROMEO, OURS, unique=True) == "at last"
    assert memory.known(ROMEO, "b") == ""
    memory.keep(ROMEO, "c")
    assert len(memory.repeats) == 2
