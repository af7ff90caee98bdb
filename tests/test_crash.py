"""What is left of messages when a server crashes, and whether we would notice if it were less.

benchmarks/crash does the same for minutes, and with other servers.
"""

import shutil
from pathlib import Path

import pytest

from copying import copies
from crowd import Phone, Poster
from killing import kills
from load import GUESTS, OLD, READERS, WRITERS, Fate, Load, overdue
from scene import Scene
from tracing import order_of, traced

ANNA, CLARA, DORA = WRITERS[0], READERS[0], GUESTS[0]
LOG, FILES = "/data/kqq.sqlite-wal", Path("/data")
ANSWER = '1 sendto(7<socket:[1]>, "VER=1.1&CMD=CLTMSG&SEQ=20000001&UIN=10001&RES=0\\r\\n", 47) = 47'
WRITE = f'2 pwrite64(9<{LOG}>, "\\0\\00120000001-\\3", 4096, 32) = 4096'
HEAD = f'2 pwrite64(9<{LOG}>, "\\0\\0\\0\\2\\0\\0\\0\\23\\"q\\21\\n23456789012", 24, 8) = 24'
"""Says that the page is the last of its transaction."""
SYNC = f"2 fdatasync(9<{LOG}>) = 0"


# --- crashes -------------------------------------------------------------------------------------


async def test_kills(tmp_path: Path) -> None:
    """Of what was acknowledged nothing is lost, all is in order, and little comes again."""
    found = await kills(tmp_path, 5, seed=3)
    assert found.fate.faults == []
    assert found.is_kept
    assert found.starting == 1, "one of them is killed while it starts"
    assert found.fate.acknowledged > 300, "they said too little for this to mean something"


async def test_copies(tmp_path: Path) -> None:
    """Copies of the database have all that was acknowledged before they were taken."""
    found = await copies(tmp_path, 22, seed=1)
    assert found.faults == []
    assert [fault for fate in found.fates for fault in fate.faults] == []
    assert found.is_kept
    assert (found.copies, found.served) == (22, 3)
    assert found.awaited > 500, "they held too little for this to mean something"


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing")
async def test_synchronised_before_answered(tmp_path: Path) -> None:
    """Each answer is sent after what it promises was written and synchronised."""
    found = await traced(tmp_path, 20)
    assert found is not None
    assert len(found.answered) == 20 * 21
    assert (found.early, found.unwritten) == (set(), set())
    assert found.is_kept


# --- whether we would notice ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trace", "early", "unwritten"),
    [
        ([HEAD, WRITE, SYNC, ANSWER], 0, 0),
        ([HEAD.replace("\\23", "\\0"), WRITE, SYNC, ANSWER], 1, 0),
        ([HEAD.replace("\\23", "\\0"), WRITE, HEAD, WRITE, SYNC, ANSWER], 0, 0),
        ([WRITE.replace(LOG, "/data/log"), SYNC.replace(LOG, "/data/log"), ANSWER], 0, 0),
        ([HEAD, WRITE, ANSWER, SYNC], 1, 0),
        ([SYNC, HEAD, WRITE, ANSWER], 1, 0),
        ([ANSWER, HEAD, WRITE, SYNC], 1, 1),
        ([HEAD, WRITE, SYNC.replace(LOG, "/data/kqq.sqlite"), ANSWER], 1, 0),
        ([WRITE.replace(LOG, "/other/log"), SYNC.replace(LOG, "/other/log"), ANSWER], 1, 1),
        ([HEAD, WRITE, f"2 fdatasync(9<{LOG}> <unfinished ...>", ANSWER,
          "2 <... fdatasync resumed>) = 0"], 1, 0),
        ([HEAD, f"3 fdatasync(9<{LOG}> <unfinished ...>", WRITE, "3 <... fdatasync resumed>) = 0",
          ANSWER], 1, 0),
        ([HEAD, WRITE.replace(" = 4096", " <unfinished ...>"), SYNC.replace("2", "3", 1),
          "2 <... pwrite64 resumed>) = 4096", ANSWER], 1, 0),
        (["+++ nothing", HEAD, WRITE, "2 --- SIGURG ---", f"2 fdatasync(9<{LOG}> <unfinished ...>",
          "2 <... fdatasync resumed>) = 0", ANSWER], 0, 0),
    ],
)  # fmt: skip
def test_order_of(trace: list[str], early: int, unwritten: int) -> None:
    """It counts what is over before the answer begins, in the file that was written."""
    found = order_of(trace, FILES)
    assert found.answered == {20000001}
    assert (len(found.early), len(found.unwritten)) == (early, unwritten)
    assert found.is_kept == (not early)


def test_order_of_nothing() -> None:
    """If nothing was answered, nothing is shown."""
    assert not order_of([WRITE, SYNC], FILES).is_kept


def test_fate() -> None:
    """It counts what is lost, late, or there again."""
    fate = Fate()
    repeats = fate.judge("one to other", {1, 2, 3, 7, 8}, [[1, 3, 2], [], [2, 5, 8, 8]])
    assert repeats == [(2, 0, 2), (8, 2, 2)]
    assert (fate.acknowledged, fate.lost, fate.disordered) == (5, 1, 1)
    assert fate.faults == ["lost: one to other: 7", "disordered: one to other: 2"]
    assert not fate.is_kept
    fate.blame("wrong", "many", set(range(1, 7)))
    assert fate.faults[-1] == "wrong: many: 1, 2, 3, 4, 5, ..."


def test_overdue() -> None:
    """It compares what comes of a copy with what was seen and what is missing."""
    assert overdue([3, 4, 5], {1, 2, 3}, {4, 5}) == (set(), set())
    assert overdue([4], {1}, {4, 5}) == ({5}, set())
    assert overdue([2, 4], {1, 3}, {4}) == (set(), {2})
    assert overdue([5, 4], {1}, {4, 5}) == (set(), {4, 5})
    assert overdue([4, 4], {1}, {4}) == (set(), {4})


def phones(scene: Scene, *streams: tuple[int, str, list[int]]) -> None:
    """Add phones that have heard something from Anna: whose, which kind, and what."""
    for uin, kind, numbers in streams:
        phone: Phone | Poster = Phone(uin, confirms=kind == "confirms")
        if kind == "polls":
            phone = Poster(uin, 1, "", lambda: None)
        for number in numbers:
            phone.note_text(ANNA, f"{number}-")
        scene.phones.append(phone)


async def test_repeats(tmp_path: Path) -> None:
    """What comes again is allowed after a kill, and before it was confirmed."""
    scene = Scene(tmp_path)
    writer = Phone(ANNA)
    writer.promised[CLARA] += [1, 2, 3, 4]
    writer.promised[DORA] += [5, 6, 7]
    writer.refused[DORA] += [8]
    scene.phones.append(writer)
    load = Load(scene, 1)
    phones(scene, (CLARA, "reads", [1, 2]))
    phones(scene, (DORA, "confirms", [5]), (DORA, "polls", [5, 6]), (DORA, "polls", [7, 8]))
    now = scene.phones[1].came[2]
    load.kills.append((len(scene.phones), now + 0.5))
    phones(scene, (CLARA, "reads", [2, 3]), (CLARA, "reads", [4]))
    fate = load.fate()
    assert fate.faults == ["wrong: 10001 to 10009, refused: 8"]
    assert (fate.acknowledged, fate.lost, fate.repeats) == (7, 0, 2)
    assert fate.oldest_repeat == pytest.approx(0.5)


async def test_forbidden_repeats(tmp_path: Path) -> None:
    """What comes again on one connection is forbidden, and what had long arrived."""
    scene = Scene(tmp_path)
    writer = Phone(ANNA)
    writer.promised[CLARA] += [1, 2, 3]
    scene.phones.append(writer)
    load = Load(scene, 1)
    phones(scene, (CLARA, "reads", [1, 1]), (CLARA, "reads", [1, 2]))
    load.kills.append((len(scene.phones), scene.phones[2].came[2] + OLD))
    phones(scene, (CLARA, "reads", [2, 3, 9]))
    fate = load.fate()
    assert fate.faults == [
        "forbidden: 10001 to 10007, on one connection: 1",
        "forbidden: 10001 to 10007, after it had arrived: 1",
        "forbidden: 10001 to 10007, after it had arrived: 2",
        "wrong: nobody wrote: 9",
    ]
    assert not fate.is_kept
