"""HTTP is unpacked: bodies, chunked ones, queries; broken ones as far as they go."""

import pytest

from kqq.infer.envelope import is_http, unpack


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        (b"POST / HTTP/1.1\r\n", True),
        (b"\r\nGET /a?b=1 HTTP/1.0\nHost: x\n", True),
        (b"POST HTTP/1.1\r\n", True),
        (b"HTTP/1.1 200 OK\r\n", True),
        (b"VER=1.4&CMD=Login\r\n", False),
        (b"GET this\r\n", False),
        (b"", False),
    ],
)
def test_what_begins_as_http(start: bytes, wanted: bool) -> None:
    """Requests and answers, also without a path; lines of other protocols do not."""
    assert is_http(start) == wanted


def test_bodies_by_their_length() -> None:
    """Several on one connection, each with where it ends; an empty one is nothing."""
    one = b"POST / HTTP/1.1\r\ncontent-LENGTH: 3\r\n\r\nabc"
    empty = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
    data = one + empty + one
    assert unpack(data) == [(b"abc", len(one)), (b"abc", len(data))]


def test_chunks_are_put_together() -> None:
    """With and without something after the size; what follows is read, too."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = head + b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nrest"
    assert [body for body, _ in unpack(data)] == [b"abcde", b"rest"]
    assert [body for body, _ in unpack(head + b"ff\r\ncut")] == [b"cut"]
    assert [body for body, _ in unpack(head + b"1\na\n0\n\n")] == [b"a"]


def test_the_end_of_the_stream_ends_an_answer() -> None:
    """An answer without a length goes on to the end; a request without one has no body."""
    assert unpack(b"HTTP/1.0 200 OK\n\nall of it") == [(b"all of it", 26)]
    assert unpack(b"POST / HTTP/1.1\r\n\r\n") == []
    assert unpack(b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\nshort") == [(b"short", 44)]


def test_queries_count_where_there_is_no_body() -> None:
    """That is how forms with GET travel."""
    assert unpack(b"GET /x?a=1&b=2 HTTP/1.1\r\n\r\n")[0][0] == b"a=1&b=2"
    assert unpack(b"GET /x HTTP/1.1\r\n\r\n") == []


def test_half_a_head_is_nothing() -> None:
    """What never ends is not read; that takes no time, however long it is."""
    assert unpack(b"POST / HTTP/1.1\r\ncontent-length" + b" \t" * 500_000) == []
