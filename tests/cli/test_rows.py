"""Lines of the protocol for people, in rows."""

import time
from typing import Any

import pytest
from click import unstyle
from rich.cells import cell_len

from kqq.capture.events import End, Note, Said
from kqq.capture.meaning import meaning
from kqq.cli.rows import Rows
from kqq.protocol import Line, Role

NOON = 1400000000.0
HELLO = "VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&UN=10002&MG="
TAKEN = "VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES=0"
CLIENT, SERVER = End("192.0.2.1", 4001), End("198.51.100.7", 14000)


@pytest.fixture(autouse=True)
def universal_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have times shown as of Greenwich."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def said(text: str, **more: Any) -> Said:
    """Return a line, of a server if it has RES."""
    line = Line(text)
    sender = Role.SERVER if "RES=" in text else Role.CLIENT
    message, odd = meaning(line, sender)
    known: dict[str, Any] = {"number": 1, "time": NOON, "frame": 1, "stream": 1, "odd": odd}
    return Said(**known | more, sender=sender, line=line, message=message)


def rows(*items: Said | Note, columns: int | None = 80, **how: bool) -> list[str]:
    """Return the rows of some items, without colours and the day."""
    made = Rows(columns, **how)
    shown = [unstyle(row) for item in items for row in made.of(item)]
    assert all(cell_len(row) <= (columns or 1 << 20) for row in shown)
    return [row for row in shown if row != "--- 2014-05-13 ---"]


def test_a_row() -> None:
    """Number, time, person, direction, command, a few words, how long it took."""
    asked = said(HELLO + "hi")
    took = [0.0001, 0.25, 1.25, 500.0, -0.01]
    answers = [said(TAKEN, number=2, time=NOON + seconds, request=asked) for seconds in took]
    shown = rows(asked, *answers)
    assert shown[0] == "     1 16:53:20.000     10001 → CLTMSG      to 10002: “hi”"
    assert shown[1] == "     2 16:53:20.000     10001 ← CLTMSG      accepted  (<1 ms)"
    assert [row.rpartition("  ")[2] for row in shown[2:]] == [
        "(250 ms)", "(1.2 s)", "(500 s)", "(-10 ms)",
    ]  # fmt: skip


def test_odd_rows_are_marked() -> None:
    """Why is told if it is wanted; so is what is missing."""
    part = said(HELLO + "hi", whole=False, odd=("its end did not come",))
    assert rows(part)[0].startswith("!    1 ")
    assert rows(part, notes=True)[1] == "       ! its end did not come"
    long = said("hello " * 50)
    assert len(rows(long, notes=True)) > 1


def test_a_new_day_and_new_ends_have_headings() -> None:
    """Each once, as long as not too many others come between."""
    line = said(HELLO, client=CLIENT, server=SERVER)
    posted = said(HELLO, client=CLIENT, server=SERVER, over="http", time=NOON + 86400)
    made = Rows()
    shown = [unstyle(row) for item in (line, line, posted, line) for row in made.of(item)]
    assert [row for row in shown if row.startswith("---")] == [
        "--- 2014-05-13 ---",
        "--- 192.0.2.1 talks to 198.51.100.7:14000 in lines over TCP ---",
        "--- 2014-05-14 ---",
        "--- 192.0.2.1 talks to 198.51.100.7:14000 over HTTP ---",
        "--- 2014-05-13 ---",
    ]
    assert (made.count, made.odd) == (4, 0)
    crowd = [said(HELLO, client=End(f"h{one}", 1), server=SERVER) for one in range(5000)]
    assert len(rows(*crowd, *crowd[:1], columns=None)) == 10_002


def test_who_says_no_number_is_known_by_the_connection() -> None:
    """If somebody said one on it before; actors are known by name."""
    shown = rows(said("junk", stream=2), said(HELLO, stream=2), said("junk", stream=2))
    assert [row[19:29].strip() for row in shown] == ["?", "10001", "10001"]
    assert " Romeo → CLTMSG" in rows(said(HELLO, actor="Romeo"))[0]
    crowd = [said(HELLO, stream=one) for one in range(1, 5000)]
    assert "? → junk" in rows(*crowd, said("junk"))[-1]
    assert "10001 → CLTMSG" in rows(said(HELLO, stream=0))[0]


def test_a_source_without_times() -> None:
    """Has no column for them; a time that comes late, or none after others, keeps the column."""
    assert rows(said(HELLO, time=None))[0].startswith("     1     10001 → CLTMSG")
    shown = rows(said(HELLO), said(HELLO, time=None))
    assert shown[1].startswith("     1 " + " " * 12 + "     10001 →")
    assert "????????????" in rows(said(HELLO, time=1e300))[-1]


def test_all_fields() -> None:
    """Explained below the row, with what is odd besides."""
    shown = rows(said(HELLO + "hi", odd=("the line ends in LF without CR",)), fields=True)
    assert shown[1] == "       CLTMSG, request: Send a message to a friend."
    assert "         ! the line ends in LF without CR" in shown
    assert shown[-1] == ""
    junk = rows(said("junk"), fields=True)
    assert sum("is not NAME=VALUE" in row for row in junk) == 1


def test_secrets_are_hidden() -> None:
    """Wherever they stand; unless they are asked for."""
    line = said("VER=1.1&CMD=Dance PS=5EBE2294&SEQ=1")
    assert "5EBE" not in str(rows(line, fields=True, notes=True))
    assert "5EBE" in str(rows(line, fields=True, secrets=True))


def test_notes() -> None:
    """Only if wanted; statements of a play always."""
    lost = Note("lost", "5 bytes are missing " * 8, NOON, 1, 2)
    statement = Note("statement", "Romeo signs in", None, 1)
    assert rows(lost) == []
    first, *others = rows(lost, notes=True)
    assert first.startswith("     - 16:53:20.000 lost #2: 5 bytes are missing 5 bytes")
    assert all(row.startswith(" " * 20) for row in others)
    assert rows(Note("cut", "x", None, 0), notes=True) == ["     -              cut: x"]
    assert rows(said(HELLO, time=None), Note("cut", "x", None, 0), notes=True)[1] == "     - cut: x"
    assert rows(statement) == ["       Romeo signs in"]


def test_rows_fit() -> None:
    """Wide signs count for two; nothing steers the terminal; without a limit nothing is cut."""
    strange = said(HELLO + "很长\x1b[2J\n" * 90, number=1234567, actor="A" * 90)
    for columns in (80, 100):
        rows(strange, columns=columns, notes=True)
    assert "\x1b" not in str(rows(strange))
    assert rows(strange)[0].endswith("…")
    assert len(rows(strange, columns=None)[0]) > 200
