"""What is said on one connection: lines as they are, and bodies of HTTP, whole or broken."""

from itertools import count

import pytest

from kqq.capture.events import End, Said, Stream
from kqq.capture.speech import Lines, Posts
from kqq.protocol import CltMsg, LoginReply, Role, Unreadable, http_request, http_response
from wires import HELLO, LOGIN, NOTHING, POLL, SIGNED_IN, TAKEN, Wire, odd_of

# --- lines on a connection -----------------------------------------------------------------------


def test_a_conversation() -> None:
    """Lines have numbers, times, ends and meaning; replies know what they answer."""
    wire = Wire()
    wire.client(LOGIN)
    wire.server(SIGNED_IN)
    wire.client(HELLO)
    wire.server(TAKEN)
    wire.close()
    login, signed_in, hello, taken = wire.said
    assert [one.number for one in wire.said] == [1, 2, 3, 4]
    assert [one.sender for one in wire.said] == [Role.CLIENT, Role.SERVER] * 2
    assert (signed_in.time, signed_in.frame, signed_in.stream) == (2.0, 2, 1)
    assert (login.client, login.server) == (End("192.0.2.1", 40001), End("198.51.100.7", 14000))
    assert signed_in.request is login
    assert (signed_in.seconds, login.seconds) == (1.0, None)
    assert taken.request is hello
    assert isinstance(signed_in.message, LoginReply)
    assert isinstance(hello.message, CltMsg)
    assert (hello.command, hello.uin, hello.over) == ("CLTMSG", 10001, "tcp")
    assert odd_of(wire) == [()] * 4
    assert wire.notes("opened") == [
        "192.0.2.1:40001 connects to 198.51.100.7:14000, lines over TCP"
    ]
    assert wire.notes("closed") == ["the connection is closed"]
    assert wire.conversation.end() == []


def test_lines_do_not_care_how_bytes_are_cut() -> None:
    """Every byte may come alone, or several lines at once."""
    whole, cut = Wire(), Wire()
    whole.client(LOGIN + HELLO)
    for byte in LOGIN + HELLO:
        cut.client(bytes([byte]))
    assert [one.line for one in cut.said] == [one.line for one in whole.said]
    assert len(cut.said) == 2


def test_the_protocol_is_found_on_any_port() -> None:
    """Ports mean nothing where the connection was seen to open."""
    wire = Wire(ports=(23, 50000), opener=0)
    wire.client(LOGIN)
    assert wire.said[0].sender is Role.CLIENT


@pytest.mark.parametrize("way", [0, 1])
def test_who_opened_is_the_client(way: int) -> None:
    """Whichever end of the two it is."""
    wire = Wire(opener=way)
    wire.say(way, LOGIN)
    wire.say(1 - way, SIGNED_IN)
    assert [one.sender for one in wire.said] == [Role.CLIENT, Role.SERVER]
    assert wire.said[0].client == wire.stream.ends[way]


def test_odd_lines_are_marked() -> None:
    """Junk before a line, a bare LF, a field nobody knows, bytes that are not UTF-8."""
    wire = Wire()
    wire.client(LOGIN)
    wire.client(b"\x00\x55" + HELLO)
    wire.client(HELLO.replace(b"201", b"202").replace(b"\r\n", b"\n"))
    wire.client(b"VER=1.1&CMD=GetInfo&SEQ=4&UIN=10001&LV=2&UN=10002&ZZ=1\r\n")
    wire.client(b"VER=1.1&CMD=CLTMSG&SEQ=5&UIN=10001&UN=10002&MG=\xc4\xe3%ba\r\n")
    wire.client(b"hello\r\n")
    assert odd_of(wire)[1:] == [
        ("2 bytes before VER= are skipped: 00 55",),
        ("the line ends in LF without CR",),
        ("ZZ is not a field of this command",),
        ("some bytes are not UTF-8: c4 e3 ba",),
        ("'hello' is not NAME=VALUE fields joined by &, so it is not a line of KQQ",),
    ]
    assert isinstance(wire.said[-1].message, Unreadable)


def test_fragments_of_a_length_go_with_the_next_line() -> None:
    """A length before a line may hold an LF; empty lines are nothing at all."""
    wire = Wire()
    wire.client(LOGIN)
    wire.client(b"\r\n\x01\n" + HELLO)
    assert len(wire.said) == 2
    assert odd_of(wire)[1] == ("bytes before the line are skipped: 01",)


def test_a_request_sent_again_and_an_answer_to_nothing() -> None:
    """Both are odd; a push is no answer."""
    wire = Wire()
    wire.client(LOGIN)
    wire.client(LOGIN)
    wire.server(SIGNED_IN + SIGNED_IN)
    wire.server(b"VER=1.1&CMD=Server_Msg&SEQ=9&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=hi\r\n")
    assert odd_of(wire) == [
        (),
        ("the same as line 1, sent again",),
        (),
        ("no request waits for this answer",),
        (),
    ]


def test_requests_without_an_answer_are_told_at_the_end() -> None:
    """Only some, where there are many."""
    wire = Wire()
    for number in range(25):
        wire.client(f"VER=1.1&CMD=List&SEQ={number}&UIN=10001\r\n".encode())
    wire.close("reset")
    told = wire.notes("unanswered")
    assert told[0] == "line 1, List, got no answer"
    assert len(told) == 21
    assert told[-1] == "5 more lines got no answer"
    assert wire.notes("closed") == ["the connection is reset"]


def test_a_line_cut_off_is_kept() -> None:
    """The end of the connection may come in the middle of a line."""
    wire = Wire()
    wire.client(LOGIN)
    wire.client(HELLO[:30])
    wire.server(b"VE")
    wire.close("cut")
    assert wire.said[1].whole is False
    assert "its end did not come" in wire.said[1].odd
    assert len(wire.said) == 2  # two bytes are no line


def test_a_number_that_is_cut_off_answers_nothing() -> None:
    """It may be the beginning of another one; where a field follows it is whole."""
    wire = Wire()
    wire.client(HELLO.replace(b"201", b"20"))
    wire.client(HELLO)
    wire.server(b"VER=1.1&CMD=CLTMSG&SEQ=20")
    wire.close()
    assert wire.said[-1].request is None
    assert len(wire.notes("unanswered")) == 2
    wire = Wire()
    wire.client(HELLO)
    wire.server(b"VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10")
    wire.close()
    assert wire.said[-1].request is wire.said[0]


def test_a_gap_cuts_two_lines() -> None:
    """What is left of the lines on both sides of it is kept, and marked."""
    wire = Wire()
    wire.client(LOGIN)
    wire.client(HELLO[:20])
    wire.lose(0, 100)
    wire.client(b"10001&RES\r\n" + HELLO)
    wire.server(SIGNED_IN.replace(b"200", b"999"))
    assert wire.notes("lost") == ["100 bytes are missing"]
    _, before, after, whole, stray = wire.said
    assert (before.whole, after.whole, whole.whole) == (False, False, True)
    assert before.odd[-1] == "100 bytes are missing after it"
    assert after.odd[-1] == "100 bytes are missing before it"
    assert whole.odd == ()
    assert stray.odd == ()  # its request may have been among the missing bytes


def test_a_line_right_after_a_gap_is_whole() -> None:
    """It begins as lines do; what is missing is told all the same."""
    wire = Wire()
    wire.client(LOGIN)
    wire.lose(0, 9)
    wire.client(HELLO)
    assert wire.said[1].whole
    assert wire.said[1].odd == ("9 bytes are missing before it",)


def test_a_line_without_end_is_cut() -> None:
    """No more is held than the longest line there can be; the next line is read again."""
    wire = Wire()
    wire.client(LOGIN)
    wire.client(b"VER=1.1&CMD=CLTMSG&MG=" + b"x" * 70_000)
    assert wire.said[1].whole is False
    assert wire.said[1].odd[-1] == "the line is longer than 65536 bytes; the rest is left out"
    wire.client(b"x" * 70_000)
    wire.client(b"\r\n" + HELLO + HELLO[:10])
    wire.client(b"y" * 70_000)
    assert len(wire.said) == 4
    assert wire.said[2].line.text.endswith("MG=hello")
    wire.client(b"\r\nVER=1.1&CMD=CLTMSG&MG=" + b"x" * 70_000 + b"\r\n")
    assert "more than the 65536 there can be" in wire.said[4].odd[-1]
    assert len(wire.said[4].line.text) == 65536


# --- HTTP ----------------------------------------------------------------------------------------


def posted(*, opener: int | None = 0) -> Wire:
    """Return a connection on which a line was posted."""
    wire = Wire(opener=opener)
    wire.client(http_request("198.51.100.7", 14000, POLL))
    return wire


def test_a_post_and_its_answer() -> None:
    """Bodies are lines; answers are paired by their order."""
    wire = posted()
    wire.server(http_response(NOTHING))
    wire.close()
    asked, answer = wire.said
    assert (asked.over, answer.over) == ("http", "http")
    assert (asked.command, answer.command) == ("GetMsgEx", "GETMSGEX")
    assert answer.request is asked
    assert odd_of(wire) == [(), ()]
    assert wire.notes("opened") == ["192.0.2.1:40001 connects to 198.51.100.7:14000, HTTP"]


def test_posts_on_one_connection_are_paired_in_order() -> None:
    """Even if the requests are sent before any answer."""
    wire = Wire()
    second = POLL.replace(b"SEQ=7", b"SEQ=8")
    wire.client(http_request("a", 1, POLL) + http_request("a", 1, second))
    wire.server(http_response(NOTHING) + http_response(NOTHING))
    assert [one.request and one.request.number for one in wire.said] == [None, None, 1, 2]
    assert wire.said[3].odd == ("its SEQ is not that of the request, 8",)


def test_the_document_of_servers() -> None:
    """What has no line in it is a note; the answer is a line."""
    wire = Wire()
    wire.client(b"GET /newConf/kjava/aubin2.jsp HTTP/1.1\r\nHost: x\r\n\r\n")
    wire.server(http_response(b"SERERCONFIG_NUM=1&SERVERCONFIG_TYPE=KQQTCP&SERVERCONFIG_URL=a:1"))
    wire.close()
    assert wire.notes("http") == ["GET /newConf/kjava/aubin2.jsp HTTP/1.1, no body"]
    assert [one.sender for one in wire.said] == [Role.SERVER]
    assert wire.said[0].uin is None


def test_an_answer_that_is_no_line_is_kept() -> None:
    """As long as a line asked for it; its status is odd."""
    wire = posted()
    wire.server(http_response(b"<html>broken</html>", status=500))
    assert wire.said[1].line.text == "<html>broken</html>"
    assert wire.said[1].odd[-1] == "HTTP status 500"
    wire = posted()
    wire.server(http_response(b"", status=503))
    assert len(wire.said) == 1
    assert wire.notes("http") == ["HTTP/1.1 503 Service Unavailable: HTTP status 503, no body"]


def test_interim_answers_answer_nothing() -> None:
    """100 Continue is not what was asked for."""
    wire = posted()
    wire.server(b"HTTP/1.1 100 Continue\r\n\r\n" + http_response(NOTHING))
    assert wire.said[1].request is wire.said[0]


def test_an_answer_to_head_has_no_body() -> None:
    """Whatever length it states."""
    wire = Wire()
    wire.client(b"HEAD / HTTP/1.1\r\n\r\n" + http_request("a", 1, POLL))
    wire.server(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + http_response(NOTHING))
    assert [one.command for one in wire.said] == ["GetMsgEx", "GETMSGEX"]


def test_a_post_without_a_length_is_whole_when_it_is_answered() -> None:
    """Phones that flush their stream send no length."""
    wire = Wire()
    wire.client(b"POST / HTTP/1.1\r\n\r\n" + POLL)
    assert wire.said == []
    wire.server(http_response(NOTHING))
    assert [one.command for one in wire.said] == ["GetMsgEx", "GETMSGEX"]
    assert wire.said[1].request is wire.said[0]


def test_a_body_that_is_cut_off_is_kept() -> None:
    """What came of it is shown; the request got no answer."""
    wire = Wire()
    wire.client(http_request("a", 1, POLL)[:-5])
    wire.close()
    assert wire.said[0].whole is False
    assert wire.said[0].odd[-1] == "it ends after 31 bytes of the body"
    assert wire.notes("unanswered") == ["line 1, GetMsgEx, got no answer"]


def test_a_gap_in_a_body() -> None:
    """The body is kept without what is missing; what follows is read again."""
    wire = posted()
    answer = http_response(NOTHING)
    wire.server(answer[:-30])
    wire.lose(1, 10)
    wire.server(answer[-20:] + http_response(NOTHING))
    assert wire.notes("lost") == ["10 bytes are missing"]
    assert [one.whole for one in wire.said] == [True, False, True]
    assert wire.said[1].odd[-1] == "10 bytes of the body are missing"


def test_several_lines_in_a_body() -> None:
    """Nobody should; they are told apart all the same."""
    wire = Wire()
    wire.client(http_request("a", 1, POLL + b"\r\n" + POLL + b"\r\n"))
    assert len(wire.said) == 2
    assert odd_of(wire) == [("there are 2 lines in one body",)] * 2


def test_http_without_the_protocol_is_left_out() -> None:
    """At the end, or as soon as it went on for long enough; its bytes are not asked for again."""
    wire = Wire()
    wire.client(b"GET / HTTP/1.1\r\n\r\n")
    wire.server(http_response(b"<html>"))
    wire.close()
    assert wire.said == []
    assert wire.notes("foreign") == [
        "192.0.2.1:40001 and 198.51.100.7:14000 speak HTTP without the protocol; left out"
    ]
    wire = Wire()
    for _ in range(20):
        wire.client(b"GET / HTTP/1.1\r\n\r\n")
        wire.server(http_response(b"<html>"))
    wire.close()
    assert len(wire.heard) == 1
    assert wire.ignored == [wire.stream]


def test_what_is_held_can_be_given_up() -> None:
    """What came of it is told, and what follows is read again."""
    stream = Stream(1, (End("a", 1), End("b", 2)), 0)
    lines = Lines(stream, 0, count(1))
    lines.take(0, HELLO[:30] + b"x", 1.0, 1)
    lines.take(1, b"V", 1.0, 1)
    assert lines.held == 32
    (cut,) = lines.shed(2.0, 2)
    assert isinstance(cut, Said)
    assert (cut.whole, cut.odd[-1]) == (False, "too much is open at once; the rest is left out")
    assert lines.held == 0
    (whole,) = lines.take(0, b"the rest\r\n" + HELLO, 3.0, 3)
    assert isinstance(whole, Said)
    assert whole.whole
    posts = Posts(stream, 0, count(1), lambda stream: None)
    posts.take(0, http_request("a", 1, POLL)[:-5], 1.0, 1)
    assert posts.held == 31
    heard = [one for one in posts.shed(2.0, 2) if isinstance(one, Said)]
    assert [one.whole for one in heard] == [False]
    assert posts.held == 0
