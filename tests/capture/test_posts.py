"""HTTP as it was captured, whole or broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.capture.posts import Post, PostStream
from kqq.protocol import HttpRequest, PostReader, http_request, http_response

POST = http_request("a", 1, b"one")
ANSWER = http_response(b"two")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def fed(*pieces: bytes) -> list[Post]:
    """Return what a stream of these pieces has, up to its end."""
    stream = PostStream()
    return [post for piece in pieces for post in stream.feed(piece)] + stream.end()


@pytest.mark.parametrize(
    ("data", "start", "body"),
    [
        (POST, b"POST / HTTP/1.1", b"one"),
        (ANSWER, b"HTTP/1.1 200 OK", b"two"),
        (b"\r\n\r\nGET /x HTTP/1.0\r\nA: b\r\n\r\n", b"GET /x HTTP/1.0", b""),
        (b"POST HTTP/1.1\ncontent-length:3\n\none", b"POST HTTP/1.1", b"one"),
        (b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", b"HTTP/1.1 204 No", b""),
        (CHUNKED + b"2\r\non\r\n1;x\r\ne\r\n0\r\nA: b\r\n\r\n", b"HTTP/1.1 200 OK", b"one"),
        (CHUNKED + b"0\r\n\r\n", b"HTTP/1.1 200 OK", b""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"HTTP/1.0 200 OK", b"until the end"),
    ],
)
def test_messages_are_read_however_they_are_cut(data: bytes, start: bytes, body: bytes) -> None:
    """In one piece, or byte by byte; nothing is wrong with them."""
    for pieces in ([data], [bytes([byte]) for byte in data]):
        assert fed(*pieces) == [Post(start, body, len(body))]
    assert fed(data)[0].method == start.split()[0]


def test_several_messages_follow_one_another() -> None:
    """On a connection that is kept."""
    assert [post.body for post in fed(POST + POST + b"\r\n" + POST)] == [b"one"] * 3
    chunked = CHUNKED + b"3\r\none\r\n0\r\n\r\n"
    assert [post.body for post in fed(chunked + chunked)] == [b"one"] * 2


@pytest.mark.parametrize(
    ("data", "body", "problem"),
    [
        (POST[:-1], b"on", "it ends after 2 bytes of the body"),
        (b"POST / HTTP/1.1\r\nHost: a", b"", "it ends before its head does"),
        (b"POST / HTTP/1.1\r\nVER=1.1&CMD=x", b"VER=1.1&CMD=x", "it ends before its head does"),
        (b"VER=1.1&CMD=List", b"VER=1.1&CMD=List", "it ends before its head does"),
        (CHUNKED + b"3\r\non", b"on", "it ends after 2 bytes of the body"),
        (CHUNKED + b"zz\r\none", b"zz\r\none", "a chunk does not begin with its size"),
        (CHUNKED + b"1" * 300, b"1" * 300, "a chunk does not begin with its size"),
        (b"x" * 70_000, b"x" * 70_000, "no request or answer begins so"),
    ],
)
def test_what_is_broken_is_kept_and_told(data: bytes, body: bytes, problem: str) -> None:
    """As much of it as came."""
    (post,) = fed(data)[:1]
    assert (post.body, post.whole) == (body, False)
    assert problem in post.problems


def test_what_stands_between_messages_is_told() -> None:
    """More body than the length says, up to the next message."""
    first, between, second = fed(POST + b"more of the body than was said\r\n" + POST)
    assert (first.body, second.body) == (b"one", b"one")
    assert between == Post(
        b"", b"more of the body than was said", 30, ("no request or answer begins so",), whole=False
    )
    slowly = PostStream()
    found = [post for byte in b"x" * 40 + b"\n" + ANSWER for post in slowly.feed(bytes([byte]))]
    assert [post.body for post in found] == [b"x" * 40, b"two"]


def test_lengths_that_are_wrong_are_told() -> None:
    """The last number counts; without any the body lasts until the end."""
    head = b"POST / HTTP/1.1\r\nContent-Length: x\r\n"
    (post,) = fed(head + b"Content-Length: 3\r\n\r\none")
    assert (post.body, post.problems) == (
        b"one",
        ("its Content-Length is 'x, 3', which is no number",),
    )
    (post,) = fed(head + b"\r\none")
    assert (post.body, post.whole) == (b"one", True)
    (post,) = fed(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 3\r\n\r\none")
    assert post.problems == ("it has several lengths: 5, 3",)


def test_long_things_are_cut() -> None:
    """No more is held than a head and the longest line."""
    (post,) = fed(b"POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n", *[b"x" * 10_000] * 20)
    assert (post.size, len(post.body), post.whole) == (200_000, 65_538, True)
    stream = PostStream()
    (post,) = stream.feed(b"POST / HTTP/1.1\r\nA: " + b"x" * 17_000)
    assert post.problems == ("its head is longer than 16384 bytes",)
    assert stream.held == 0


def test_missing_bytes_of_a_body() -> None:
    """The body goes on behind them."""
    stream = PostStream()
    stream.feed(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
    assert stream.held == 3
    assert stream.lose(4) == []
    (post,) = stream.feed(b"xyz")
    assert post == Post(
        b"POST / HTTP/1.1", b"abcxyz", 10, ("4 bytes of the body are missing",), whole=False
    )
    stream.feed(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc")
    assert [post.body for post in stream.lose(2)] == [b"abc"]
    stream.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert stream.lose(2) == []
    (post,) = stream.finish()
    assert (post.size, post.whole) == (5, False)


def test_missing_bytes_that_reach_beyond_a_body() -> None:
    """What came is given, and the next message is found."""
    stream = PostStream()
    stream.feed(POST[:-1])
    (post,) = stream.lose(50)
    assert (post.body, post.problems) == (b"on", ("50 bytes are missing after it",))
    assert [post.body for post in stream.feed(b"of something old\r\n\r\n" + POST)][-1] == b"one"
    assert stream.lose(5) == []
    stream.feed(CHUNKED + b"5\r\nab")
    assert stream.lose(2) == []
    assert stream.feed(b"e\r\n0\r\n\r\n")[0].body == b"abe"
    stream.feed(CHUNKED + b"5\r\nab")
    assert stream.lose(9)[0].body == b"ab"


def test_a_body_without_a_length_is_finished_by_who_knows() -> None:
    """Other messages are not."""
    stream = PostStream()
    stream.feed(b"POST / HTTP/1.1\r\n\r\none")
    assert [post.body for post in stream.finish()] == [b"one"]
    stream.feed(POST[:-1])
    assert stream.finish() == []


def test_answers_without_a_body_although_they_state_a_length() -> None:
    """Those to HEAD; it is asked once for each answer, and not for interim ones."""
    asked = [False, True]
    stream = PostStream(asked.pop)
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
    found = stream.feed(data + ANSWER)
    assert [post.body for post in found] == [b"", b"", b"two"]
    assert asked == []


@given(st.binary(max_size=300), st.integers(1, 40))
def test_anything_ends(data: bytes, size: int) -> None:
    """Whatever comes, in whatever pieces, nothing hangs and nothing is held at the end."""
    stream = PostStream()
    for at in range(0, len(data), size):
        stream.feed(data[at : at + size])
    stream.end()
    assert stream.held == 0


@given(st.binary(max_size=50), st.integers(1, 40))
def test_good_requests_are_read_as_the_server_reads_them(body: bytes, size: int) -> None:
    """The strict reader and this one agree on what is not broken."""
    data = http_request("a", 1, body) * 2
    strict: list[HttpRequest] = PostReader().feed(data)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert [post.body for post in fed(*pieces)] == [one.body for one in strict]
