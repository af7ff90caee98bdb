"""Where messages end, whatever comes, and that every byte goes on."""

import re
from collections import deque

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kqq.protocol import LINE_LIMIT, Line, PostReader, ResponseReader, Role
from kqq.protocol.post import BODY_LIMIT, HEAD_LIMIT
from kqq.proxy.framing import Cutter, Piece
from strategies import LINES

SAY = b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=204&UIN=10001&SID=&XP=&UN=10002&MG=hi"
SAID = b"VER=1.1&CMD=CLTMSG&SEQ=204&UIN=10001&RES=0"
POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
OK = b"HTTP/1.1 200 OK\r\ncontent-length : %d\r\nConnection: close\r\n\r\n%s"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n"


def post(body: bytes) -> bytes:
    """Return a post."""
    return POST % (len(body), body)


def cut(
    *pieces: bytes | None, sender: Role = Role.CLIENT, methods: deque[bytes] | None = None
) -> list[Piece]:
    """Return what a cutter makes of bytes that come one after the other; None is some silence."""
    cutter = Cutter(sender, methods)
    found: list[Piece] = []
    for piece in pieces:
        found += cutter.flush() if piece is None else cutter.feed(piece)
    return found + list(cutter.end())


def lines(pieces: list[Piece]) -> list[bytes]:
    """Return the lines among pieces."""
    return [piece.line.encode() for piece in pieces if piece.line is not None]


def raw(pieces: list[Piece]) -> bytes:
    """Return all bytes of pieces."""
    return b"".join(piece.raw for piece in pieces)


def is_pending(cutter: Cutter) -> bool:
    """Return whether something is held back; mypy would take the property to stay as it was."""
    return cutter.pending


# --- lines ---------------------------------------------------------------------------------------


def test_lines_are_cut_where_they_end() -> None:
    """However they come, with CRLF or a bare LF, with junk before them."""
    junk = b"\x00\x45" + SAY
    data = SAY + b"\r\n" + SAY + b"\n" + junk + b"\r\n"
    for size in (1, 7, len(data)):
        pieces = cut(*(data[at : at + size] for at in range(0, len(data), size)))
        assert lines(pieces) == [SAY, SAY, junk]
        assert [piece.tail for piece in pieces] == [b"\r\n", b"\n", b"\r\n"]
        assert raw(pieces) == data
        assert all(piece.ends and piece.is_whole and piece.over == "tcp" for piece in pieces)


def test_another_line_keeps_the_line_end() -> None:
    """What is not the line stays byte for byte."""
    for end in (b"\r\n", b"\n"):
        (piece,) = cut(SAY + end)
        assert piece.with_line(Line("VER=1.4&CMD=x")) == b"VER=1.4&CMD=x" + end


def test_what_is_no_line_goes_on_as_it_is() -> None:
    """Empty lines, what is left of a length, a page for people."""
    data = b"\r\n\x00\n  \r\n<html>\r\n" + SAY + b"\r\n"
    pieces = cut(data)
    assert lines(pieces) == [SAY]
    assert raw(pieces) == data


def test_a_line_without_end_is_shown_when_the_stream_ends() -> None:
    """It is not whole, and said to be odd; what is no line is not said to be one."""
    pieces = cut(SAY + b"\r\n", SAY[:40])
    assert lines(pieces) == [SAY, SAY[:40]]
    assert not pieces[1].is_whole
    assert pieces[1].odd == "the stream ended before the line did"
    assert pieces[1].with_line(Line("VER=1")) == b"VER=1"
    assert lines(cut(b"\x00")) == []


def test_what_does_not_end_in_time_goes_on_and_is_late() -> None:
    """The line is still shown once it is whole; but what has gone cannot be changed any more."""
    cutter = Cutter(Role.CLIENT)
    assert list(cutter.feed(SAY[:30])) == []
    assert cutter.over == "tcp"
    assert is_pending(cutter)
    (part,) = cutter.flush()
    assert part.raw == SAY[:30]
    assert part.line is None
    assert not part.ends
    assert "did not come in time" in part.odd
    assert not is_pending(cutter)
    assert list(cutter.flush()) == []
    (more,) = cutter.feed(SAY[30:50])
    assert (more.raw, more.line, more.odd) == (SAY[30:50], None, "")
    rest, following = cutter.feed(SAY[50:] + b"\n" + SAY + b"\n")
    assert (rest.raw, rest.is_late, rest.ends) == (SAY[50:] + b"\n", True, True)
    assert rest.line == Line.decode(SAY)
    assert not following.is_late
    assert list(cutter.end()) == []


def test_another_protocol_is_not_held_back() -> None:
    """TLS at once, anything else after it was waited for once; text that is only short is kept."""
    hello = b"\x16\x03\x01\x02\x00\x01"
    cutter = Cutter(Role.CLIENT)
    (piece,) = cutter.feed(hello)
    assert "TLS" in piece.odd
    assert [one.raw for one in cutter.feed(b"more")] == [b"more"]
    cutter = Cutter(Role.SERVER)
    assert list(cutter.feed(b"\x01\x02" * 20)) == []
    (piece,) = cutter.flush()
    assert "another protocol" in piece.odd
    assert [one.raw for one in cutter.feed(b"\x03")] == [b"\x03"]
    cutter = Cutter(Role.SERVER)
    list(cutter.feed(b"\x01"))
    list(cutter.flush())
    assert "another" in next(cutter.feed(b"\x01" * 20)).odd
    cutter = Cutter(Role.CLIENT)
    list(cutter.feed(b"\r\n"))
    list(cutter.flush())
    assert lines(list(cutter.feed(SAY + b"\n"))) == [SAY]


def test_a_line_that_is_too_long_goes_on_as_it_comes() -> None:
    """With what follows in it, and the next line is one again; nothing is held."""
    long = b"VER=1.4&MG=" + b"x" * LINE_LIMIT
    cutter = Cutter(Role.CLIENT)
    found = list(cutter.feed(SAY + b"\n" + long))
    assert raw(found) == SAY + b"\n" + long
    assert f"longer than {LINE_LIMIT} bytes" in found[1].odd
    assert not found[1].ends
    assert not cutter.pending
    assert [(one.raw, one.odd) for one in cutter.feed(b"more")] == [(b"more", "")]
    assert list(cutter.flush()) == []
    found = list(cutter.feed(b"end\r\n" + SAY + b"\n"))
    assert found[0].raw == b"end\r\n"
    assert found[0].ends
    assert lines(found) == [SAY]
    (whole, after) = cut(long + b"\n" + SAY + b"\n")
    assert (whole.raw, whole.line, whole.ends) == (long + b"\n", None, True)
    assert after.line == Line.decode(SAY)
    late = cut(long[:100], None, long[100:], b"\n" + SAY + b"\n")
    assert raw(late) == long + b"\n" + SAY + b"\n"
    assert lines(late) == [SAY]


# --- HTTP ----------------------------------------------------------------------------------------


def test_a_post_is_one_message() -> None:
    """Its line is the body, with a line end or without; more may follow on the connection."""
    data = post(SAY) + post(SAY + b"\r\n") + b"\r\n" + post(b"")
    for size in (1, 50, len(data)):
        pieces = cut(*(data[at : at + size] for at in range(0, len(data), size)))
        assert lines(pieces) == [SAY, SAY]
        assert [piece.tail for piece in pieces] == [b"", b"\r\n", b""]
        assert raw(pieces) == data
        assert {piece.over for piece in pieces} == {"http"}


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_another_line_in_a_post_has_the_length_that_fits(end: bytes) -> None:
    """The rest of the head stays byte for byte."""
    (asked,) = cut(post(SAY + end))
    new = Line("VER=1.4&CMD=你好")
    changed = asked.with_line(new)
    assert changed == post(new.encode() + end)
    (request,) = PostReader().feed(changed)
    assert request.body == new.encode() + end
    (answered,) = cut(OK % (len(SAID + end), SAID + end), sender=Role.SERVER)
    changed = answered.with_line(new)
    assert changed == OK % (len(new.encode() + end), new.encode() + end)
    (response,) = ResponseReader().feed(changed)
    assert response.body == new.encode() + end


def test_chunks_become_one() -> None:
    """A body in chunks is one line; another line has one chunk."""
    chunks = b"5 \r\n%s\r\n1f;x=y\n%s\n%x\r\n%s\r\n0\r\nTrailer: x\r\n\r\n"
    data = b"POST / HTTP/1.1\r\n" + CHUNKS
    data += chunks % (SAY[:5], SAY[5:36], len(SAY) - 36, SAY[36:])
    for size in (1, 3, len(data)):
        pieces = cut(*(data[at : at + size] for at in range(0, len(data), size)), post(SAID))
        assert lines(pieces) == [SAY, SAID]
        assert raw(pieces) == data + post(SAID)
        changed = pieces[0].with_line(Line("VER=1.4"))
        assert changed == b"POST / HTTP/1.1\r\n" + CHUNKS + b"7\r\nVER=1.4\r\n0\r\n\r\n"
    (empty,) = cut(b"POST / HTTP/1.1\r\n" + CHUNKS + b"0\r\n\r\n")
    assert empty.line is None


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nVER=1\r\n",
        b"5\r\nVER=1.4\r\n0\r\n\r\n",
        b"20000\r\n" + b"x" * 200,
        b"5" * 70,
        b"1\r\nx\r\n" * (BODY_LIMIT // 2),
        b"0\r\n" + b"x" * (HEAD_LIMIT + 1),
    ],
)
def test_chunks_that_make_no_sense_go_on_untouched(body: bytes) -> None:
    """And all that follows, since nobody knows where a message begins."""
    data = b"POST / HTTP/1.1\r\n" + CHUNKS + body
    pieces = cut(data, post(SAY))
    assert raw(pieces) == data + post(SAY)
    assert lines(pieces) == []
    assert any("untouched" in piece.odd for piece in pieces)


def test_a_body_without_a_length_is_lines() -> None:
    """The head goes on, then each line; the last one ends with the stream, or with silence."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\n\r\n"
    pieces = cut(head + SAY + b"\r\n" + SAY)
    assert lines(pieces) == [SAY, SAY]
    assert pieces[0].raw == head
    assert all(piece.is_whole for piece in pieces)
    assert pieces[1].with_line(Line("VER=1")) == b"VER=1\r\n"
    cutter = Cutter(Role.SERVER)
    assert lines(list(cutter.feed(b"HTTP/1.0 200 OK\r\n\r\n" + SAID))) == []
    assert lines(list(cutter.flush())) == [SAID]
    long = b"x" * (LINE_LIMIT + 1)
    for data in (head + long, head + long + b"\n"):
        assert "longer than" in cut(data)[1].odd
        assert raw(cut(data)) == data


def test_answers_without_a_body() -> None:
    """It depends on the status and on how they were asked for."""
    methods: deque[bytes] = deque()
    asked = cut(b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n", methods=methods)
    assert lines(asked) == []
    assert list(methods) == [b"HEAD", b"GET"]
    answers = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    answers += OK % (len(SAID), SAID) + b"HTTP/1.1 304 Not Modified\r\n\r\n" + OK % (3, b"<p>")
    pieces = cut(answers, sender=Role.SERVER, methods=methods)
    assert lines(pieces) == [SAID]
    assert raw(pieces) == answers
    assert len(pieces) == 5


@pytest.mark.parametrize(
    ("data", "sender"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\nVER=1\r\n", Role.SERVER),
        (b"HTTP/x nonsense, but long enough to be seen as one", Role.SERVER),
        (b"HTTP/1.1 x\r\n\r\n", Role.SERVER),
        (post(SAY) + SAY + b"\r\n" + SAY, Role.CLIENT),
        (post(SAY) + SAY[:10] + b"\r\n\r\n", Role.CLIENT),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\nVER=1", Role.CLIENT),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nVER=1",
            Role.CLIENT,
        ),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nVER=1", Role.CLIENT),
        (b"POST / HTTP/1.1\r\nX: " + b"x" * HEAD_LIMIT, Role.CLIENT),
    ],
)
def test_http_that_makes_no_sense_goes_on_untouched(data: bytes, sender: Role) -> None:
    """And so does all that follows."""
    cutter = Cutter(sender)
    pieces = list(cutter.feed(data))
    assert raw(pieces) == data
    assert any(piece.odd for piece in pieces)
    assert [piece.raw for piece in cutter.feed(b"VER=1\r\n")] == [b"VER=1\r\n"]


def test_after_connect_nothing_is_http() -> None:
    """What follows a tunnel's answer is not looked at."""
    pieces = cut(
        b"HTTP/1.1 200 OK\r\n\r\nVER=1\r\n", sender=Role.SERVER, methods=deque([b"CONNECT"])
    )
    assert lines(pieces) == []


def test_a_large_body_goes_on_as_it_comes() -> None:
    """Nothing of it is held, and what follows is a message again."""
    large = b"x" * (BODY_LIMIT + 5)
    data = post(large)
    for start in (10, 70, 90):
        for silence in (b"", None):
            pieces = cut(data[:start], silence, data[start:200], data[200:], post(SAY))
            assert raw(pieces) == data + post(SAY)
            assert lines(pieces) == [SAY]
            assert sum(f"longer than {BODY_LIMIT}" in piece.odd for piece in pieces) == 1


def test_a_post_that_does_not_end_in_time_goes_on() -> None:
    """It is late: shown, but not to be changed."""
    data = post(SAY)
    for at in (3, 30, len(data) - 10):
        pieces = cut(data[:at], None, data[at:], post(SAID))
        assert raw(pieces) == data + post(SAID)
        assert lines(pieces) == [SAY, SAID]
        assert [piece.is_late for piece in pieces] == [False, True, False]
    pieces = cut(data[:-5])
    assert raw(pieces) == data[:-5]
    assert "ended in the middle" in pieces[0].odd


# --- anything ------------------------------------------------------------------------------------

BODIES = st.one_of(LINES, st.binary(max_size=60))
MESSAGES = st.one_of(
    LINES.map(lambda line: line + b"\r\n"),
    BODIES.map(post),
    BODIES.map(lambda body: OK % (len(body), body)),
    BODIES.map(lambda body: b"POST / HTTP/1.1\r\n" + CHUNKS + b"%x\r\n%s\r\n" % (len(body), body)),
    st.sampled_from([b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\n"]),
    st.binary(max_size=40),
)


@given(
    st.lists(MESSAGES, max_size=5).map(b"".join),
    st.lists(st.integers(1, 60), max_size=20),
    st.sets(st.integers(0, 20)),
    st.sampled_from(Role),
)
@example(b"HTTP/1.1 200 OK\r\n\r\n", [], set(), Role.SERVER)
def test_every_byte_goes_on(
    data: bytes, sizes: list[int], silences: set[int], sender: Role
) -> None:
    """In order, whatever comes, however it is split and whenever nothing comes for a while."""
    parts: list[bytes | None] = []
    rest = data
    for place, size in enumerate([*sizes, len(data)]):
        parts += [rest[:size], None] if place in silences else [rest[:size]]
        rest = rest[size:]
    pieces = cut(*(part for part in parts if part != b""), sender=sender)
    assert raw(pieces) == data
    for piece in pieces:
        if piece.line is not None and not piece.is_late and piece.wrapping != "chunks":
            assert piece.with_line(piece.line) == _usual(piece)


def _usual(piece: Piece) -> bytes:
    """Return a piece whose length is written as we write it."""
    body = piece.raw[len(piece.head) :]
    length = re.compile(rb"^(Content-Length[ \t]*:[ \t]*)([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
    return length.sub(lambda found: b"%s%d" % (found[1], len(body)), piece.head) + body
