"""What was said on connections: the protocol found on any port, others left out."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from kqq.capture.conversation import Conversation
from kqq.capture.events import Closed, Data, End, Lost, Note, Stream
from kqq.protocol import Role, http_request, http_response
from kqq.protocol.wire import Line
from wires import ANSWER, HELLO, LOGIN, NOTHING, POLL, SIGNED_IN, Wire

# --- captures that begin in the middle -----------------------------------------------------------


def test_a_capture_that_begins_in_the_middle_of_a_line() -> None:
    """The rest of the line is kept and marked; who is who is told by what is said."""
    wire = Wire(opener=None, ports=(14000, 40001))
    wire.client(b"q&SEQ=3&UIN=10001&RES=0\r\n")
    assert wire.heard == []
    wire.client(b"VER=1.1&CMD=Server_Msg&SEQ=9&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=hi\r\n")
    wire.server(HELLO)
    assert [one.sender for one in wire.said] == [Role.SERVER, Role.SERVER, Role.CLIENT]
    assert [one.whole for one in wire.said] == [False, True, True]
    assert wire.said[0].odd[-1] == "the capture begins in the middle of it"
    assert wire.said[2].odd == ()
    (words,) = wire.notes("opened")
    assert words.startswith("198.51.100.7:40001 talks to 192.0.2.1:14000, lines over TCP; ")
    assert words.endswith("the capture begins in the middle")


def test_a_first_line_with_fields_in_another_order_is_whole() -> None:
    """Some clients do not begin with VER."""
    wire = Wire(opener=None)
    wire.client(b"CMD=List&VER=1.1&SEQ=1&UIN=10001\r\n")
    assert wire.said[0].whole
    assert wire.said[0].odd == ("the fields are not in the usual order: VER CMD SEQ UIN",)


def test_who_is_who_is_told_by_the_result_if_no_line_can_be_read() -> None:
    """Only servers send RES."""
    wire = Wire(opener=None, ports=(40001, 14000))
    wire.server(b"VER=9&CMD=Login&SEQ=x&RES=0\r\n")
    assert wire.said[0].sender is Role.SERVER


def test_ports_tell_who_is_who_if_nothing_else_does() -> None:
    """Servers have the smaller ones."""
    wire = Wire(opener=None, ports=(14000, 40001))
    wire.server(b"VER=1.1&CMD=Dance&SEQ=x\r\n")
    wire.close("cut")
    assert wire.said[0].sender is Role.CLIENT
    wire = Wire(opener=None, ports=(40001, 14000))
    wire.client(b"VER=1.1&CMD=Dance&SEQ=x\r\n" * 500)
    assert wire.said[0].sender is Role.CLIENT


def test_http_that_begins_in_the_middle() -> None:
    """An answer is found behind the rest of something else, and its end tells who is who."""
    wire = Wire(opener=None, ports=(40001, 14000))
    wire.server(b"UN=10002,&MG=hi,\r\n" + http_response(NOTHING))
    assert [one.sender for one in wire.said] == [Role.SERVER]
    assert wire.said[0].request is None
    assert "the capture begins in the middle" in wire.notes("opened")[0]


def test_a_gap_before_anything_is_understood() -> None:
    """It is kept until it is clear that the connection matters."""
    wire = Wire()
    wire.lose(0, 9)
    assert wire.heard == []
    wire.server(SIGNED_IN)
    assert wire.notes("lost") == ["9 bytes are missing"]
    assert len(wire.said) == 1


# --- others --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x16\x03\x01\x02\x00\x01", "TLS, which cannot be read"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH, which cannot be read"),
        (b"x" * 9000, "something else, which begins 'xxxxxxxxxxxxxxxx'"),
        (
            b"HELO VER=1.4&CMD=Login\r\n" * 400,
            "something else, which begins 'HELO VER=1.4&CMD'",
        ),
    ],
)
def test_what_speaks_something_else_is_left_out(data: bytes, words: str) -> None:
    """With one note, and nothing of it is held or asked for."""
    wire = Wire()
    wire.client(data)
    wire.client(LOGIN)
    wire.close()
    assert wire.heard == [
        Note(
            "foreign",
            f"192.0.2.1:40001 and 198.51.100.7:14000 speak {words}; that is left out",
            1.0,
            1,
            1,
        )
    ]
    assert wire.ignored == [wire.stream]


def test_a_short_connection_that_says_something_else() -> None:
    """It is clear only when it ends. One that says nothing is nothing."""
    wire = Wire()
    wire.server(b"220 mail ready\r\n")
    assert wire.heard == []
    wire.close()
    assert len(wire.notes("foreign")) == 1
    silent = Wire()
    silent.close()
    assert silent.heard == []


def test_how_many_connections_are_foreign_is_told_at_the_end() -> None:
    """Where there are several."""
    conversation = Conversation()
    for number in (1, 2, 3):
        Wire(conversation=conversation, number=number).client(b"\x16\x03\x01")
    (note,) = conversation.end()
    assert isinstance(note, Note)
    assert note.words == "3 connections speak something else, and are left out"


def test_notes_of_the_network() -> None:
    """They are given for connections that matter, and for the capture as a whole."""
    wire = Wire()
    note = Note("retransmission", "segment 7 again", 1.0, 7, 1)
    wire.feed(note)
    assert wire.heard == []
    wire.client(LOGIN)
    wire.feed(replace(note, frame=8))
    assert wire.notes("retransmission") == ["segment 7 again"] * 2
    whole = Note("cut", "the capture is cut short", None, 0)
    assert wire.conversation.feed(whole) == [whole]
    assert wire.conversation.feed(replace(note, stream=5)) == []
    many = Wire()
    for _ in range(100):
        many.feed(note)
    many.client(LOGIN)
    assert len(many.notes("retransmission")) == 16
    http = Wire()
    http.client(b"GET / HTTP/1.1\r\n\r\n")
    http.feed(note)
    assert http.heard == []
    http.client(http_request("a", 1, POLL))
    http.feed(note)
    assert len(http.notes("retransmission")) == 2


def test_lines_and_posts_are_numbered_together() -> None:
    """Over all connections."""
    conversation = Conversation()
    first = Wire(conversation=conversation)
    second = Wire(conversation=conversation, number=2)
    first.client(LOGIN)
    second.client(http_request("a", 1, POLL))
    second.server(http_response(NOTHING))
    second.lose(1, 5)
    first.close()
    second.close()
    assert [one.number for one in [*first.said, *second.said]] == [1, 2, 3]


def test_events_of_connections_nobody_knows() -> None:
    """They say nothing."""
    stream = Stream(9, (End("a", 1), End("b", 2)), 0)
    conversation = Conversation()
    assert conversation.feed(Data(stream, 0, 0.0, 1, LOGIN)) == []
    assert conversation.feed(Lost(stream, 0, 0.0, 1, 5)) == []
    assert conversation.feed(Closed(stream, 0.0, 1, "closed")) == []


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold a tenth of what is usually held."""
    monkeypatch.setattr("kqq.capture.conversation._LOOK", 1 << 20)
    monkeypatch.setattr("kqq.capture.conversation._MOST_HELD", 4 << 20)


@pytest.mark.usefixtures("little_room")
def test_what_is_held_is_bounded_for_all_connections() -> None:
    """Lines, bodies and beginnings that go on and on are given up where there are too many."""
    conversation = Conversation()
    wires = []
    for number in range(1, 240):
        wire = Wire(conversation=conversation, number=number)
        if number % 3 == 0:
            wire.client(LOGIN)
            wire.client(b"VER=1.1&CMD=CLTMSG&MG=" + b"x" * 60_000)
        elif number % 3 == 1:
            wire.client(http_request("a", 1, POLL))
            wire.server(ANSWER + b"60000\r\n\r\nVER=1.1&CMD=GETMSGEX&" + b"x" * 59_000)
        else:
            wire.client(b"x" * 8000)
        wires.append(wire)
    assert sum(talk.held for talk in conversation._talks.values()) < 6 << 20
    given_up = [one for wire in wires for one in wire.said if not one.whole]
    assert {one.over for one in given_up} == {"tcp", "http"}
    assert "too much is open at once; the rest is left out" in given_up[0].odd
    wires[2].client(b"x" * 9 + b"\r\n" + HELLO)
    assert wires[2].said[-1].line.text.endswith("MG=hello")  # what was given up is over


@pytest.mark.usefixtures("little_room")
def test_beginnings_are_given_up_too() -> None:
    """A connection of which nothing is clear yet may turn out to be one, or to be none."""
    conversation = Conversation()
    talks = []
    for number in range(1, 800):
        wire = Wire(conversation=conversation, number=number, opener=None)
        wire.client(
            (b"VER=1.1&CMD=x&SEQ=1&" if number % 2 else b"") + b"y" * (7000 + 30 * (number % 5))
        )
        talks.append(wire)
    assert sum(talk.held for talk in conversation._talks.values()) < 6 << 20
    assert any(wire.said for wire in talks)
    assert any(wire.notes("foreign") for wire in talks)


def test_a_beginning_in_small_pieces_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells nothing is not read again with each byte that follows it."""
    read: list[bytes] = []

    def decode(raw: bytes) -> Line:
        read.append(raw)
        return Line.decode(raw)

    monkeypatch.setattr("kqq.capture.conversation.Line", SimpleNamespace(decode=decode))
    wire = Wire(opener=None)
    for place in range(0, 8000, 16):
        wire.client(b"VER=1&CMD=x&AB=\n" if place == 0 else b"x\n" * 8)
    assert wire.heard == []
    assert len(read) < 8000
