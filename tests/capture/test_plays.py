"""The lines of a play, as if they had been captured."""

import pytest

from kqq.capture.events import Note
from kqq.capture.plays import PlayReader, Spoken, looks_like_play, numbers_of_people
from kqq.protocol import Line, Role


def read(*lines: str) -> list[Spoken | Note]:
    """Return what the lines of a play say."""
    reader = PlayReader()
    return [item for number, line in enumerate(lines, 1) for item in reader.read(line, number)]


def texts(*lines: str) -> list[str]:
    """Return the lines of the protocol in a play."""
    return [item.line.text for item in read(*lines) if isinstance(item, Spoken)]


def test_people_get_numbers_and_lines_their_heads() -> None:
    """A reply has the number of its request."""
    assert texts(
        "Romeo > CMD=Login PS={password} M5=1",
        'Romeo > CMD=CLTMSG UN={Juliet} MG="soft"',
        "Romeo < CMD=CLTMSG RES=0",
        "Juliet < CMD=update_stat RES=0 ST=10 UN={Romeo}",
        "Juliet > CMD=List VER=1.1 SEQ=7",
        "Juliet < CMD=LIST RES=0 FN=0",
    ) == [
        "VER=1.4&CON=1&CMD=Login&SEQ=201&UIN=10001&PS=***&M5=1",
        "VER=1.4&CON=1&CMD=CLTMSG&SEQ=202&UIN=10001&SID=&XP=C4CA4238A0B92382&UN=10002&MG=soft",
        "VER=1.1&CMD=CLTMSG&SEQ=202&UIN=10001&RES=0",
        "VER=1.1&CMD=update_stat&SEQ=0&UIN=10002&RES=0&ST=10&UN=10001",
        "VER=1.1&CMD=List&SEQ=7&UIN=10002",
        "VER=1.1&CMD=LIST&SEQ=7&UIN=10002&RES=0&FN=0",
    ]


def test_who_speaks_how() -> None:
    """A play may be over HTTP, or one of the people."""
    (said,) = read("# Only over HTTP: it polls.", "Romeo > CMD=List")
    assert isinstance(said, Spoken)
    assert (said.over, said.actor, said.sender) == ("http", "Romeo", Role.CLIENT)
    assert "CON=0" in said.line.text
    note, said = read("Romeo speaks HTTP", "Romeo < CMD=LIST RES=0")
    assert isinstance(said, Spoken)
    assert (said.over, said.sender) == ("http", Role.SERVER)
    assert note == Note("statement", "Romeo speaks HTTP", None, 1)


def test_what_happens_besides_is_a_note() -> None:
    """And what is no statement is told."""
    assert read("# A comment", "", "Juliet signs in", "nonsense") == [
        Note("statement", "Juliet signs in", None, 3),
        Note("unreadable", read("nonsense")[0].words.replace("line 1", "line 4"), None, 4),  # type: ignore[union-attr]
    ]


def test_bytes_of_several_lines_are_cut() -> None:
    """As they went over the network."""
    assert texts(r'Romeo > "VER=1.1&CMD=List\r\nVER=1.1&CMD=Logout\r\n"') == [
        "VER=1.1&CMD=List",
        "VER=1.1&CMD=Logout",
    ]


def test_places_that_nobody_knows_stay() -> None:
    """The line is open: something else came there."""
    items = read(
        "Romeo < CMD=VERIFYCODE RES=0 VC={any}", "Romeo < CMD=List ...", "Romeo > CMD=List"
    )
    assert [item.open_ended for item in items if isinstance(item, Spoken)] == [True, True, False]
    assert isinstance(items[0], Spoken)
    assert items[0].line.text.endswith("&VC={any}")


def test_a_crowd_is_bounded() -> None:
    """Beyond a thousand people nobody new gets a number."""
    reader = PlayReader()
    for number in range(1100):
        reader.read(f"P{number} > CMD=List", number)
    (said,) = reader.read("P1099 > CMD=Logout", 2000)
    assert isinstance(said, Spoken)
    assert "UIN=11001" in said.line.text
    assert isinstance(reader.read("P1099 speaks HTTP", 2001)[0], Note)
    for number in range(1100):
        reader.read(f"P1 > CMD=C{number}", number)


@pytest.mark.parametrize(
    ("text", "is_play"),
    [
        ("# doc\n\nRomeo > CMD=List\n", True),
        ("Romeo signs in", True),
        ("server friends Romeo, Juliet", True),
        ("Server > VER=1.1&CMD=List", False),
        ("S < VER=1.1&CMD=List", False),
        ("19:03 Romeo > VER=1.1&CMD=List", False),
        ("# only a comment", False),
        ("", False),
    ],
)
def test_plays_are_told_from_logs(text: str, is_play: bool) -> None:
    """By their first statement."""
    assert looks_like_play(text) is is_play


def test_numbers_of_people() -> None:
    """Who says a line, and who is in its lists; the system is nobody, and nor are odd numbers."""
    line = Line("VER=1.1&UIN=10001&UN=10002,10000,10003,0,x,010004,&FC=10005&MG=10006")
    assert list(numbers_of_people(line)) == ["10001", "10002", "10003"]
