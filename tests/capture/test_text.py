"""Text with lines of the protocol in it: logs, plays, JSON objects."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.capture.events import End, Note, Said
from kqq.capture.text import LONGEST, Entry, Hearing, TextReader
from kqq.protocol import CaptchaChallenge, Line, Role, Unreadable

ASKED = "VER=1.1&CMD=List&SEQ=2&UIN=10001"
ANSWERED = "VER=1.1&CMD=LIST&SEQ=2&UIN=10001&RES=0&FN=0"


def read(*pieces: bytes | str, is_play: bool | None = None) -> list[Entry | Note]:
    """Return what text in these pieces says."""
    reader = TextReader(is_play=is_play)
    found: list[Entry | Note] = []
    for piece in pieces:
        found += reader.feed(piece.encode() if isinstance(piece, str) else piece)
    found += reader.end()
    assert reader.found == bool(found)
    return found


def entries(*pieces: bytes | str, is_play: bool | None = None) -> list[Entry]:
    """Return the lines of the protocol in text."""
    return [one for one in read(*pieces, is_play=is_play) if isinstance(one, Entry)]


def heard(*found: Entry) -> list[Said]:
    """Return what is said in some entries."""
    hearing = Hearing()
    return [hearing.hear(one) for one in found]


def test_a_log() -> None:
    """Frames are lines of text; what is left out is counted."""
    text = f"# log\n19:03:12 -> {ASKED}\r\n\n19:03:13 <- {ANSWERED}\nbye"
    asked, answered, note = read(text)
    assert isinstance(asked, Entry)
    assert isinstance(answered, Entry)
    assert (asked.frame, asked.sender, asked.line.text) == (2, Role.CLIENT, ASKED)
    assert (answered.frame, answered.sender) == (4, Role.SERVER)
    words = "2 lines of text hold nothing of the protocol, and are left out"
    assert note == Note("foreign", words, None, 5)
    assert read(f"{ASKED}\nbye")[-1] == Note(
        "foreign", "1 line of text holds nothing of the protocol, and are left out", None, 2
    )


def test_text_does_not_care_how_it_is_cut() -> None:
    """Into bytes or not at all."""
    text = f"{ASKED}\n{ANSWERED}\n".encode() * 100
    assert read(*[bytes([byte]) for byte in text]) == read(text)


def test_requests_and_answers_are_paired() -> None:
    """By number, command and person."""
    asked, answered = heard(*entries(f"{ASKED}\n{ANSWERED}"))
    assert (asked.number, answered.number) == (1, 2)
    assert answered.request is asked


def test_a_play() -> None:
    """It is told by its first statement, or by the name of its file."""
    text = "# doc\nRomeo signs in\nRomeo > CMD=List\nRomeo < CMD=VERIFYCODE RES=0 SC=1 VC={any}\n"
    note, asked, picture = read(text)
    assert isinstance(note, Note)
    assert isinstance(asked, Entry)
    assert isinstance(picture, Entry)
    assert (asked.actor, asked.frame) == ("Romeo", 3)
    said = heard(picture)[0]
    assert isinstance(said.message, CaptchaChallenge)
    assert said.message.line is picture.line
    assert said.odd == ()
    (open_ended,) = heard(*entries("Romeo < CMD=LIST ..."))
    assert isinstance(open_ended.message, Unreadable)
    assert open_ended.odd == ()
    assert [one.kind for one in read("19:03\n", is_play=True) if isinstance(one, Note)] == [
        "unreadable"
    ]


def test_objects_of_ours() -> None:
    """All that `kqq decode --json` writes is read again."""
    row = {
        "line": ANSWERED, "sender": "server", "time": 5.5, "stream": 3, "over": "http",
        "client": "[2001:db8::1]:4001", "server": "192.0.2.1:80", "actor": "Romeo",
        "odd": ["it stumbled"], "whole": False,
    }  # fmt: skip
    (entry,) = entries(json.dumps(row))
    assert entry == Entry(
        1,
        Line(ANSWERED),
        Role.SERVER,
        5.5,
        3,
        "http",
        End("2001:db8::1", 4001),
        End("192.0.2.1", 80),
        "Romeo",
        ("it stumbled",),
        whole=False,
    )
    assert heard(entry)[0].odd == ("it stumbled",)
    note = {"note": "lost", "words": "5 bytes are missing", "time": 1.5, "stream": 2, "frame": 9}
    assert read(json.dumps(note)) == [Note("lost", "5 bytes are missing", 1.5, 1, 2)]


def test_objects_of_others() -> None:
    """The published lines and the vectors; whatever makes no sense in them is as if not there."""
    vector = {"hex": b"\x01VER=1.1&CMD=List".hex(), "sender": "client", "transport": "http"}
    corpus = {"line": ASKED, "direction": "c2s", "transport": "tcp"}
    found = entries(json.dumps(vector) + "\n" + json.dumps(corpus))
    assert found[0].line == Line("VER=1.1&CMD=List", b"\x01")
    assert [one.over for one in found] == ["http", "tcp"]
    strange = {
        "line": ANSWERED, "sender": 5, "time": "soon", "stream": -1, "client": "x", "server": 7,
        "actor": 8, "odd": 9, "whole": 10, "over": [],
    }  # fmt: skip
    assert entries(json.dumps(strange)) == [Entry(1, Line(ANSWERED), Role.SERVER)]


@pytest.mark.parametrize(
    ("time", "read_as"),
    [
        (1e300, None),
        (True, None),
        (10**400, None),
        ("2014-05-13T19:03:12Z", 1400007792.0),
        ("9999-99-99", None),
        (None, None),
        (7, 7.0),
    ],
)
def test_times_in_objects(time: object, read_as: float | None) -> None:
    """Seconds, or a date; else none."""
    assert entries(json.dumps({"line": ASKED, "time": time}))[0].time == read_as


@pytest.mark.parametrize(
    "text",
    ['{"hex": "zz"}', '{"line": 5}', "{}", "{", "{" * 5000, "[1]", '{"note": 5}', "{\udcff"],
)
def test_other_objects_are_no_lines(text: str) -> None:
    """However deep they are."""
    assert read(text.encode("utf-8", "surrogateescape")) == []


def test_objects_of_other_logs_are_text() -> None:
    """The line may stand in any of their values."""
    (entry,) = entries('{"event": "got", "what": "VER=1.1&CMD=List&SEQ=1&UIN=1"}')
    assert entry.line.text == "VER=1.1&CMD=List&SEQ=1&UIN=1"


def test_bytes_in_objects_stay_what_they_are() -> None:
    """A byte that was not UTF-8 is a lone surrogate; half a sign of another kind is kept too."""
    (entry,) = entries('{"line": "VER=1.1&CMD=List&X=\\udcff"}')
    assert entry.line.encode().endswith(b"&X=\xff")
    (entry,) = entries('{"line": "VER=1.1&CMD=List&X=\\ud800"}')
    assert entry.line.encode().endswith(b"&X=\xed\xa0\x80")


@pytest.mark.parametrize("name", ["utf-16", "utf-8-sig"])
def test_text_of_other_systems(name: str) -> None:
    """Begins with a mark."""
    text = f"{ASKED}&X=你\r\n{ANSWERED}\r\n".encode(name)
    assert [one.line.text for one in entries(text)] == [f"{ASKED}&X=你", ANSWERED]
    assert len(entries(*[bytes([byte]) for byte in text])) == 2


def test_long_lines_are_cut() -> None:
    """Only so much of them is read, and that is told; the next line is read again."""
    long = ASKED.encode() + b"x" * LONGEST
    note, entry, last = read(long, long, b"\n" + ANSWERED.encode() + b"\n")
    assert isinstance(note, Note)
    assert (note.kind, note.frame) == ("cut", 1)
    assert isinstance(entry, Entry)
    assert isinstance(last, Entry)
    assert last.frame == 2
    assert len(read(long, b"x")) == 2


def test_what_is_there_can_be_had_before_the_end() -> None:
    """Where a file grows, it cannot be waited until the kind of text is clear from much of it."""
    reader = TextReader()
    assert list(reader.feed(ASKED.encode())) == []
    assert list(reader.poll()) == []
    assert list(reader.feed(b"\n")) == []
    assert len(list(reader.poll())) == 1
    assert len(list(reader.feed(ANSWERED.encode() + b"\n"))) == 1
    assert list(reader.poll()) == []


@given(st.binary(max_size=300))
def test_any_bytes_are_text(data: bytes) -> None:
    """Whatever they are."""
    heard(*entries(data), *entries(b"{" + data), *entries(data, is_play=True))
