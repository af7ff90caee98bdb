"""Connections to messages: bursts, votes, HTTP, gaps, foreign connections."""

from kqq.capture.events import Data, End, Lost, Opened, Stream
from kqq.infer.cutting import cut
from kqq.infer.framing import Ends
from kqq.infer.sample import CLIENT, SERVER, Piece, StreamEvent, Talk, gather
from unknown import captured, counted, noise


def talk(*pieces: Piece, number: int = 1, from_start: bool = True) -> Talk:
    """Return a connection of these pieces."""
    return Talk(number, from_start, "10.0.0.1", list(pieces), sum(len(p.data) for p in pieces))


def test_lines_of_both_ends_with_their_times() -> None:
    """Split and joined however, in the order they were completed."""
    pieces = [
        Piece(CLIENT, 1.0, b"on"), Piece(CLIENT, 1.01, b"e\ntwo\n"), Piece(SERVER, 1.2, b"1\r\n"),
        Piece(SERVER, 2.0, b"2\r\n"), Piece(CLIENT, 3.0, b"three\n"), Piece(SERVER, 3.1, b"3\r\n"),
    ]  # fmt: skip
    framed = cut([talk(*pieces)])
    said = [(raw.who, raw.time, raw.data) for raw in framed.messages]
    assert said == [
        (0, 1.01, b"one"), (0, 1.01, b"two"), (1, 1.2, b"1"), (1, 2.0, b"2"), (0, 3.0, b"three"),
        (1, 3.1, b"3"),
    ]  # fmt: skip
    assert framed.framings[CLIENT] == Ends(b"\n", agree=2, of=2, count=3)
    assert framed.framings[SERVER] == Ends(b"\r\n", agree=3, of=3, count=3)
    assert (framed.raw, framed.http, framed.broken) == (1, 0, 0)


def test_bodies_of_http_are_messages_beside_lines() -> None:
    """Both are spoken on one port; a line end after a body does not count."""
    post = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na=1\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nb=2"
    empty = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\r\n"
    http = talk(Piece(CLIENT, 0.0, post[:9]), Piece(CLIENT, 0.0, post[9:]),
                Piece(SERVER, 1.0, answer + empty))  # fmt: skip
    lines = talk(Piece(CLIENT, 0.0, b"a=1\n"), Piece(SERVER, 1.0, b"b=2\n"), number=2)
    framed = cut([http, lines])
    said = [(raw.talk, raw.who, raw.data, raw.over, raw.peer) for raw in framed.messages]
    assert said == [
        (1, 0, b"a=1", "http", "10.0.0.1"), (1, 1, b"b=2", "http", "10.0.0.1"),
        (2, 0, b"a=1", "raw", 2), (2, 1, b"b=2", "raw", 2),
    ]  # fmt: skip
    assert (framed.raw, framed.http) == (1, 1)


def test_a_talk_that_begins_in_its_middle_loses_the_first_piece() -> None:
    """It may be the rest of a message; so may what follows a gap, and what no end follows."""
    ends = End("10.0.0.1", 50000), End("10.0.0.2", 80)
    one = Stream(1, ends)
    events: list[StreamEvent] = [
        Opened(one, 0.0, 0), Data(one, 0, 0.0, 1, b"st of it\nwhole\n"),
        Data(one, 1, 1.0, 2, b"rest\nyes\nno, thi"), Lost(one, 1, 1.5, 3, 7),
        Data(one, 1, 2.0, 4, b"lf\nwhole again\n"),
    ]  # fmt: skip
    events += [Data(one, turn % 2, 3.0 + turn, 5, b"good\n") for turn in range(20)]
    events.append(Data(one, 0, 30.0, 6, b"good\nbad"))
    framed = cut(gather(events).talks)
    said = [raw.data for raw in framed.messages]
    assert said == [b"whole", b"yes", b"whole again", *[b"good"] * 21]
    assert framed.broken == 5


def test_a_capture_of_several_protocols() -> None:
    """What most speak is looked at; others are named, encrypted ones by that word."""
    lines = [[(turn % 2, float(turn), b"k=%d\n" % turn) for turn in range(20)] for _ in range(4)]
    tls = [[(0, 0.0, b"\x16\x03\x01\x02\x00hello"), (1, 0.1, b"\x16\x03\x03..")]]
    binary = [[(turn % 2, float(turn), b"\x00\x01\x02%d" % turn) for turn in range(12)]]
    framed = cut(gather(captured([*lines, *tls, *binary])).talks)
    assert framed.misfits == {5: "encrypted (TLS)", 6: "its messages do not end so"}
    assert (framed.raw, len(framed.messages)) == (4, 80)
    others = [[(0, 0.0, b"text\n"), (1, 1.0, b"more text of it\n")]]
    events = [*counted(), *captured(others)]
    for event in events[-4:]:
        event.stream.number = 99
    assert cut(gather(events).talks).misfits == {99: "its messages are not counted so"}


def test_headers_stand_before_lengths() -> None:
    """What comes before a length is kept with the message."""
    framed = cut(gather(counted()).talks)
    assert {raw.header for raw in framed.messages} == {b"\xc5\x01"}
    assert len(framed.messages) == 320


def test_messages_of_one_size_are_cut_by_it() -> None:
    """Where nothing else is found."""
    talks = [[(turn % 2, float(turn), bytes([turn, 7, turn])) for turn in range(20)]]
    framed = cut(gather(captured(talks)).talks)
    assert [raw.data[0] for raw in framed.messages] == list(range(20))


def test_without_a_framing_bursts_are_messages() -> None:
    """Nothing is made up: what lies between pauses is given as it is."""
    framed = cut(gather(noise()).talks)
    assert set(framed.framings.values()) == {None}
    assert len(framed.messages) == 240
    assert cut([]).messages == []


def test_messages_are_no_more_than_can_be_looked_at() -> None:
    """Short ones could else be millions."""
    pieces = [Piece(CLIENT, float(turn), b"a\n" * 700) for turn in range(100)]
    framed = cut([talk(*pieces)])
    assert framed.cut_short
    assert len(framed.messages) == 60_000


def test_the_end_of_a_cut_talk_is_no_burst() -> None:
    """The sample ends where it must, perhaps in the middle of a message."""
    one = talk(*[Piece(turn % 2, float(turn), b"abc\n") for turn in range(10)])
    one.pieces.append(Piece(CLIENT, 10.0, b"half of"))
    one.is_cut = True
    framed = cut([one])
    assert framed.framings[CLIENT] == Ends(b"\n", agree=5, of=5, count=5)
    assert framed.broken == 1
