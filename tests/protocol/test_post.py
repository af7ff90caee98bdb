"""Lines inside HTTP: what old clients send, what breaks the framing, and what we write."""

from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from kqq.errors import LocalProtocolError, RemoteProtocolError
from kqq.protocol.post import (
    BODY_LIMIT,
    HEAD_LIMIT,
    HTTP_METHOD,
    HttpRequest,
    HttpResponse,
    PostReader,
    ResponseReader,
    http_request,
    http_response,
    looks_like_http,
)
from kqq.protocol.wire import LINE_LIMIT
from strategies import cuts
from vectors import VECTORS, Vector

LINE = b"VER=1.1&CMD=Login&SEQ=4321&UIN=10017&PS=5ebe2294ecd0e0f08eab7690d2a6ee69&M5=1"
TEXT = b"VER=1.4&CON=0&CMD=CLTMSG&SEQ=7&UIN=10001&UN=10002&MG=a\nb&kw=\xe4\xbd\xa0\r\n"

Outcome = tuple[list[HttpRequest], int, str, bool]


def single(stream: bytes) -> list[bytes]:
    """Return a stream byte by byte."""
    return [stream[at : at + 1] for at in range(len(stream))]


def read(pieces: list[bytes], reader: PostReader | None = None) -> Outcome:
    """Return all that comes of a stream: requests, status, error and whether one is pending."""
    reader = reader or PostReader()
    found = [request for piece in pieces for request in reader.feed(piece)]
    return found, reader.status, str(reader.error or ""), reader.pending


def one(stream: bytes) -> HttpRequest:
    """Return the one request in a stream that does not end; byte by byte it is the same."""
    outcome = read([stream])
    assert read(single(stream)) == outcome
    ((request,), status, _, is_pending) = outcome
    assert (status, is_pending) == (200, False)
    return request


def broken(stream: bytes, reader: PostReader | None = None) -> tuple[int, str]:
    """Return the status and the error of a stream that breaks with no request in it."""
    found, status, error, is_pending = read([stream], reader)
    assert (found, is_pending) == ([], False)
    return status, error


# --- telling HTTP from lines ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "start",
    [
        b"POST / HTTP/1.1\r\n",
        b"POST HTTP/1.1\r\n",
        b"POST ",
        b"GET /newConf/kjava/aubin2.jsp HTTP/1.1",
        b"HEAD /",
        b"PUT /",
        b"OPTIONS *",
        b"DELETE /",
        b"CONNECT tqq.tencent.com:8000",
        b"PATCH /",
        b"TRACE /",
        b"PROPFIND /",
        b"PRI * HTTP/2.0",
        b"VERSION /",
        b"\r\nPOST /",
        b"\n\n\n\n\n\n\n\nPOST /",
    ],
)
def test_requests_begin_with_a_method(start: bytes) -> None:
    """Capital letters and a blank say HTTP, and any shorter start says nothing else."""
    assert looks_like_http(start) is True
    assert HTTP_METHOD.match(start)
    verdicts = [looks_like_http(start[:end]) for end in range(len(start) + 1)]
    first = verdicts.index(True)
    assert verdicts == [None] * first + [True] * (len(verdicts) - first)


@pytest.mark.parametrize(
    "start",
    [
        b"VER=1.4&CON=1&CMD=Login",
        b"QVER=1.4&",
        b"VVER=1.4&",
        b"\x85\x01VER=1.4",
        b"\x85",
        b"\x85\nVER=1.4",
        b"UIN=10001&VER=1.1",
        b"CMD=Login&PS=5ebe &M5=1",
        b"VER =1.4",
        b"QVER =1.4",
        b"QZVER =1.4",
        b"\r\nVER=1.4",
        b"\n" * 9,
        b"\n" * 9 + b"POST / HTTP/1.1",
        b"post / HTTP/1.1",
        b"POST\t/ HTTP/1.1",
        b"POST\r\n",
        b" POST /",
        b"GO /",
        b"ABCDEFGHIJKLMNOPQ",
        b"1",
        b"\x16\x03\x01",
    ],
)
def test_lines_are_no_requests(start: bytes) -> None:
    """Lines with junk of any kind, in any order, are lines; no start of them says HTTP."""
    assert looks_like_http(start) is False
    assert True not in {looks_like_http(start[:end]) for end in range(len(start))}


@pytest.mark.parametrize("start", [b"", b"\r", b"\r\n", b"\n" * 8, b"P", b"POST", b"VER", b"QVER"])
def test_a_few_bytes_say_nothing(start: bytes) -> None:
    """Nothing, line ends and capital letters can become either."""
    assert looks_like_http(start) is None


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v.raw.strip()], ids=lambda vector: vector.name
)
def test_known_lines_are_told_from_known_requests(vector: Vector) -> None:
    """Whatever was seen to be sent is lines, but for the request lines among it."""
    assert looks_like_http(vector.raw) is vector.raw.startswith((b"GET ", b"POST "))


@given(st.binary(max_size=40), st.binary(max_size=10))
def test_a_verdict_is_final(start: bytes, more: bytes) -> None:
    """Once said, it does not change with more bytes; and it is said after 25 at the latest."""
    verdict = looks_like_http(start)
    assert verdict is None or looks_like_http(start + more) is verdict
    assert verdict is not None or len(start) <= 24


@given(st.sampled_from(["Q", "VV", "\x7f", "\xd0", "\x85\x01", "P", "GET", ""]), st.binary())
def test_junk_and_ver_is_a_line(junk: str, rest: bytes) -> None:
    """`VER=` after a length, or anything else without a blank, is a line."""
    assert looks_like_http(junk.encode("latin-1") + b"VER=" + rest) is False


# --- the clients ---------------------------------------------------------------------------------

CLIENTS = {
    "FWGQ": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nContent-Type: text/plain\r\nUser-Agent: UNTRUSTED/1.1\r\n"
         b"Host:tqq.tencent.com:14000\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"),
    ),
    "HACK": (
        "", "1.1",
        (b"POST HTTP/1.1\r\nHost: tqq.tencent.com:8000\r\n"
         b"Content-Type: text/plain; charset=UTF-8\r\nContent-length: %d\r\n"
         b"Connection: close\r\n\r\n"),
    ),
    "PHPQ": (
        "", "1.0",
        (b"POST  HTTP/1.0\nHost: 119.147.65.70\n"
         b"Content-type: application/x-www-form-urlencoded\nContent-length: %d\n\n"),
    ),
    "CS11": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nHost: tqq.tencent.com:8000\r\nContent-Length: %d\r\n"
         b"Expect: 100-continue\r\nConnection: Keep-Alive\r\n\r\n"),
    ),
    "DEL": (
        "/", "1.0",
        (b"POST / HTTP/1.0\r\nConnection: keep-alive\r\n"
         b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n"
         b"Host: tqq.tencent.com:8000\r\nAccept: text/html, */*\r\nAccept-Encoding: identity\r\n"
         b"User-Agent: Mozilla/3.0 (compatible; Indy Library)\r\n\r\n"),
    ),
    "SETM": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nUser-Agent: iQQol Client\r\nHost: 119.147.10.10:14000\r\n"
         b"Accept: */*\r\nContent-Length: %d\r\n"
         b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"),
    ),
    "GO": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nHost: 121.14.102.159:14000\r\nUser-Agent: Go 1.1 package http\r\n"
         b"Content-Length: %d\r\nContent-Type: text/plain;charset=UTF-8\r\n"
         b"Accept-Encoding: gzip\r\n\r\n"),
    ),
    "PY httplib": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nHost: tqq.tencent.com:8000\r\nAccept-Encoding: identity\r\n"
         b"Content-Length: %d\r\n\r\n"),
    ),
    "PY urllib2": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nAccept-Encoding: identity\r\nContent-Length: %d\r\n"
         b"Host: tqq.tencent.com:8000\r\nContent-Type: application/x-www-form-urlencoded\r\n"
         b"Connection: close\r\nUser-Agent: Python-urllib/2.7\r\n\r\n"),
    ),
    "GAE": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nHost: 119.147.10.11:14000\r\nContent-Length: %d\r\n"
         b"User-Agent: AppEngine-Google; (+http://code.google.com/appengine)\r\n"
         b"Connection: keep-alive\r\n\r\n"),
    ),
    "JAVA": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nUser-Agent: Java/1.6.0_20\r\nHost: 219.133.60.211:8000\r\n"
         b"Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\n"
         b"Connection: keep-alive\r\nContent-type: application/x-www-form-urlencoded\r\n"
         b"Content-Length: %d\r\n\r\n"),
    ),
    "CSD4": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
         b"Host: 119.147.14.253:14000\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n"),
    ),
    "C++ libcurl": (
        "/", "1.1",
        (b"POST / HTTP/1.1\r\nHost: tqq.tencent.com:8000\r\nAccept: */*\r\n"
         b"Content-Type: text/html\r\nContent-Length: %d\r\n\r\n"),
    ),
    "behind a proxy": (
        "http://tqq.tencent.com:8000/", "1.1",
        (b"POST http://tqq.tencent.com:8000/ HTTP/1.1\r\nHost: tqq.tencent.com:8000\r\n"
         b"Via: WTP/1.1 gateway\r\nContent-Length:%d\r\nProxy-Connection: keep-alive\r\n\r\n"),
    ),
}  # fmt: skip
"""Target, version and head of each client; `%d` stands for the length of the body. Those of FWGQ
and HACK are in the record; of the others it has the library, whose usual headers stand here."""
BODIES = {
    "PHPQ": b"VER=1.1&CMD=Change_stat&SEQ=4321&UIN=10001&ST=10",
    "CS11": b"VER=1.1&CMD=Login&SEQ=1234567&UIN=10001&PS=5ebe2294ecd0e0f08eab7690d2a6ee69 &M5=1",
    "DEL": b"VER=1.1&CMD=List&SEQ=12345&UIN=10001&TN=160&UN=0",
    "SETM": b"VER=1.4&CMD=Login&SEQ=4&UIN=10001&LG=0&ST=10&LC=812822641C978097&CKE=%0D%0A",
    "GO": TEXT,
    "PY urllib2": b"UN=10002&SEQ=4&VER=1.1&MG=%E4%BD%A0+hi&UIN=10001&CMD=CLTMSG",
    "JAVA": b"SEQ=17923&CMD=Login&UIN=10007&M5=1&VER=1.1&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69",
    "GAE": b"VER=1.3&CMD=Login&SEQ=100&UIN=10001",
}
"""What those clients send that is not like the rest: order, coding, line ends, blanks."""


@pytest.mark.parametrize("name", CLIENTS)
def test_every_known_client_is_read(name: str) -> None:
    """Each client's request is read with its body as sent, whole and byte by byte."""
    target, version, head = CLIENTS[name]
    body = BODIES.get(name, LINE)
    head %= len(body)
    assert looks_like_http(head) is True
    headers = message_from_bytes(head.partition(b"\n")[2]).items()
    assert one(head + body) == HttpRequest("POST", target, version, tuple(headers), body)
    assert one(head + body).path == "/"


def test_headers_of_the_imitated_phone() -> None:
    """FWGQ imitates the J2ME client, and leaves out the blank after `Host:`."""
    request = one(CLIENTS["FWGQ"][2] % len(LINE) + LINE)
    assert request.headers == (
        ("Content-Type", "text/plain"),
        ("User-Agent", "UNTRUSTED/1.1"),
        ("Host", "tqq.tencent.com:14000"),
        ("Content-Length", "77"),
        ("Connection", "close"),
    )


@pytest.mark.parametrize("name", CLIENTS)
def test_who_asks_to_keep_the_connection(name: str) -> None:
    """Only the clients of HTTP/1.1 that say keep-alive do."""
    request = one(CLIENTS[name][2] % len(LINE) + LINE)
    assert request.wants_more is (name in {"CS11", "GAE", "JAVA"})


def test_a_client_of_the_web_class_asks_again_on_its_connection() -> None:
    """CS11 uses one object for all calls; line ends between them are nobody's."""
    _, _, head = CLIENTS["CS11"]
    stream = b"\r\n".join(head % len(body) + body for body in (LINE, TEXT, b""))
    found, status, _, is_pending = read(single(stream + b"\r\n\r\n"))
    assert [request.body for request in found] == [LINE, TEXT, b""]
    assert (status, is_pending) == (200, False)


def test_the_document_of_addresses_is_asked_for() -> None:
    """A GET has no body, however it is sent; the path is told from host and query (SEED)."""
    head = (
        b"GET http://conf.3g.qq.com/newConf/kjava/aubin2.jsp?x=1 HTTP/1.1\r\nAccept: */*\r\n"
        b"Accept-Encoding: utf8\r\nHost: conf.3g.qq.com\r\nConnection: Keep-Alive\r\n\r\n"
    )
    request = one(head)
    assert (request.method, request.body) == ("GET", b"")
    assert request.path == "/newConf/kjava/aubin2.jsp"
    assert request.wants_more


def test_a_phone_that_flushes_sends_chunks() -> None:
    """A phone's runtime sends chunks once a program flushes; sizes, extensions, trailers go."""
    stream = (
        b"POST / HTTP/1.1\r\nHost: tqq.tencent.com:14000\r\nUser-Agent: Nokia6600/1.0\r\n"
        b"Transfer-Encoding: Chunked\r\nConnection: keep-alive\r\n\r\n"
        b"8\r\nVER=1.4&\r\n00a ; name='a;b'\r\nMG=hi\r\n&x=\r\n 1\n\xff\n"
        b"000;last\r\nX-Sum: 1\r\nodd\r\n\r\n"
    )  # fmt: skip
    request = one(stream)
    assert request.body == b"VER=1.4&MG=hi\r\n&x=\xff"
    assert request.wants_more


def test_the_program_that_never_worked_stays_pending() -> None:
    """C: no empty line after its head, so it is never whole; not even when the stream ends."""
    stream = b"POST / HTTP/1.1\r\nContent-Length: 99\r\n" + LINE
    assert read([stream, b""]) == ([], 200, "", True)


# --- requests, right and nearly so ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"POST / HTTP/1.1", ("POST", "/", "1.1")),
        (b"POST / HTTP/1.0", ("POST", "/", "1.0")),
        (b"POST / http/1.7 ", ("POST", "/", "1.1")),
        (b"POST / HTTP/0.9", ("POST", "/", "0.9")),
        (b"POST HTTP/1.1", ("POST", "", "1.1")),
        (b"POST   HTTP/1.0", ("POST", "", "1.0")),
        (b"POST /", ("POST", "/", "0.9")),
        (b"POST ", ("POST", "", "0.9")),
        (b"POST", ("POST", "", "0.9")),
        (b"POST /HTTP/1.1", ("POST", "/HTTP/1.1", "0.9")),
        (b"POST  /a b?c  HTTP/1.1", ("POST", "/a b?c", "1.1")),
        (b"POST /\xe4 HTTP/1.1", ("POST", "/\xe4", "1.1")),
        (b"CONNECT tqq.tencent.com:8000 HTTP/1.1", ("CONNECT", "tqq.tencent.com:8000", "1.1")),
        (b" PROPFIND * HTTP/1.1", ("PROPFIND", "*", "1.1")),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_request_lines(line: bytes, parts: tuple[str, str, str], end: bytes) -> None:
    """Target and version may be missing, blanks may be too many."""
    request = one(line + end + b"Content-Length: 0" + end + end)
    assert (request.method, request.target, request.version) == parts


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("", "/"),
        ("/", "/"),
        ("/a/b.jsp?c=/d?e", "/a/b.jsp"),
        ("?a", "/"),
        ("http://tqq.tencent.com:8000", "/"),
        ("http://tqq.tencent.com:8000?a=/b", "/"),
        ("HTTP://tqq.tencent.com/a?http://b/c", "/a"),
        ("/a?u=http://b/c", "/a"),
        ("/http://b/c", "/http://b/c"),
        ("*", "*"),
    ],
)
def test_path_of_a_target(target: str, path: str) -> None:
    """The path is what stands between host and query, `/` if nothing."""
    assert HttpRequest("POST", target, "1.1").path == path


def test_headers_are_read_whatever_their_form() -> None:
    """Names keep their case and are found in any; folded lines and those without colon go."""
    request = one(
        b"GET / HTTP/1.1\nHost:x\r\nA:1\n\tB: folded\n b: folded\nno colon\n: no name\n"
        b"a :  2\xe4 : 3 \t\r\nEmpty:\nC:a\rb\n\r\n"
    )
    assert request.headers == (
        ("Host", "x"), ("A", "1"), ("", "no name"), ("a", "2\xe4 : 3"), ("Empty", ""),
        ("C", "a\rb"),
    )  # fmt: skip
    assert request.header("A") == request.header("a") == "2\xe4 : 3"
    assert (request.header("EMPTY"), request.header("B")) == ("", None)


@pytest.mark.parametrize(
    "said",
    [
        b"Content-Length: 5",
        b"content-length:5",
        b"CONTENT-LENGTH:  0005 ",
        b"Content-Length : 5",
        b"Content-Length: 5, 5",
        b"Content-Length: 5\nContent-length: 05",
        b"Content-Length: 5\r\nTransfer-Encoding: identity",
        b"Content-Length: %b5" % (b"0" * 5000),
    ],
)
def test_a_length_may_be_said_in_many_ways(said: bytes) -> None:
    """Blanks, zeros and repeating a length do no harm."""
    assert one(b"POST / HTTP/1.1\r\n" + said + b"\r\n\r\nA=1\r\n").body == b"A=1\r\n"


@pytest.mark.parametrize(
    "said",
    [
        b"Transfer-Encoding: chunked",
        b"TRANSFER-ENCODING:CHUNKED",
        b"Transfer-Encoding: identity, chunked",
        b"Transfer-Encoding: chunked\nContent-Length: 1",
        b"Content-Length: 999999\nTransfer-Encoding: chunked",
    ],
)
def test_chunks_win_over_a_length(said: bytes) -> None:
    """A body in chunks is read as such, whatever length is said."""
    assert one(b"POST / HTTP/1.1\r\n" + said + b"\r\n\r\n1\r\nA\r\n0\r\n\r\n").body == b"A"


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"PUT"])
def test_only_posts_have_bodies_without_a_length(method: bytes) -> None:
    """Others have none unless a length or chunks say so."""
    head = method + b" / HTTP/1.1\r\n"
    assert one(head + b"\r\n").body == b""
    assert one(head + b"Content-Length: 3\r\n\r\nabc").body == b"abc"
    assert one(head + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n").body == b"a"


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_body_without_a_length_lasts_until_the_stream_ends(step: int) -> None:
    """It is open, and whatever follows belongs to it."""
    head = b"POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\n\r\n"
    reader = PostReader()
    assert not reader.is_body_open
    assert reader.feed(head) == []
    assert (reader.is_body_open, reader.pending) == (True, True)
    body = TEXT + head
    for at in range(0, len(body), step):
        assert reader.feed(body[at : at + step]) == []
        assert (reader.is_body_open, reader.pending) == (True, True)
    (request,) = reader.feed(b"")
    assert (request.body, request.wants_more) == (body, False)
    assert (reader.is_body_open, reader.pending, reader.error) == (False, False, None)
    assert reader.feed(head) == reader.feed(b"") == reader.finish() == []


def test_the_caller_may_decide_that_an_open_body_is_whole() -> None:
    """A client that gives no length and waits gets its answer; nothing after that is read."""
    reader = PostReader()
    assert reader.feed(b"POST /\n\n" + LINE) == []
    (request,) = reader.finish()
    assert (request.version, request.body) == ("0.9", LINE)
    assert (reader.is_body_open, reader.pending) == (False, False)
    assert reader.feed(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n") == []
    assert reader.feed(b"") == reader.finish() == []


@pytest.mark.parametrize(
    "stream", [b"", b"POST / HT", b"POST / HTTP/1.1\nContent-Length: 5\n\nabc", b"\r\n"]
)
def test_nothing_else_can_be_finished(stream: bytes) -> None:
    """`finish` does nothing to a head, or to a body whose length is known."""
    reader = PostReader()
    found = reader.feed(stream)
    assert reader.finish() == found == []
    assert reader.pending is bool(stream.strip())
    reader.feed(b"")
    assert reader.pending is bool(stream.strip())


@pytest.mark.parametrize(
    ("version", "method", "headers", "wants"),
    [
        ("1.1", "POST", {"Connection": "keep-alive", "Content-Length": "1"}, True),
        ("1.1", "POST", {"CONNECTION": "TE, Keep-Alive", "content-length": "1"}, True),
        ("1.1", "POST", {"Connection": "keep-alive", "Transfer-Encoding": "chunked"}, True),
        ("1.1", "GET", {"Connection": "keep-alive"}, True),
        ("1.1", "POST", {"Connection": "keep-alive"}, False),
        ("1.1", "POST", {"Content-Length": "1"}, False),
        ("1.1", "GET", {}, False),
        ("1.0", "POST", {"Connection": "keep-alive", "Content-Length": "1"}, False),
        ("0.9", "GET", {"Connection": "keep-alive"}, False),
        ("1.1", "POST", {"Connection": "keep-alive, close", "Content-Length": "1"}, False),
        ("1.1", "GET", {"Connection": "keep-alive", "connection": "close"}, False),
        (
            "1.1",
            "POST",
            {"Connection": "keep-alive", "Content-Length": "1", "Transfer-Encoding": "chunked"},
            False,
        ),
        (
            "1.1",
            "GET",
            {"Connection": "keep-alive", "Content-Length": "1", "Transfer-Encoding": "identity"},
            False,
        ),
    ],
)
def test_keeping_the_connection(
    version: str, method: str, headers: dict[str, str], wants: bool
) -> None:
    """It is asked for in words, in a version that has it, and with an end that nobody doubts."""
    request = HttpRequest(method, "/", version, tuple(headers.items()))
    assert request.wants_more is wants


def test_a_request_shows_no_secret() -> None:
    """Its representation ends up in logs: no body, no headers, and nothing secret of the target."""
    request = HttpRequest("POST", "/?PS=secret&你", "1.1", (("Cookie", "secret"),), b"PS=secret")
    assert repr(request) == "HttpRequest('POST /?PS=***&? HTTP/1.1', 9 bytes)"
    assert repr(HttpResponse(200, (("a", "secret"),), b"PS=secret")) == "HttpResponse(200, 9 bytes)"


# --- broken framing ------------------------------------------------------------------------------

POST = b"POST / HTTP/1.1\r\n"
CHUNKS = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("stream", "status", "words"),
    [
        (b"VER=1.4&PS=secret\r\n\r\n", 400, "request 'VER=1.4&PS=***' cannot be read: a request "),
        (b"post / HTTP/1.1\r\n\r\n", 400, "begins with a method"),
        (b"GO / HTTP/1.1\n\n", 400, "begins with a method"),
        (b"POST\t/ HTTP/1.1\n\n", 400, "begins with a method"),
        (b"POST / HTTP/1\n\n", 400, "'HTTP/1' is no version"),
        (b"POST / HTTP/1.1x\n\n", 400, "is no version"),
        (b"PRI * HTTP/2.0\r\n\r\n", 505, "version 2.0 is not spoken here"),
        (POST + b"Content-Length: abc\r\n\r\n", 400, "Content-Length is 'abc', which is no number"),
        (POST + b"Content-Length:\r\n 5\r\n\r\n", 400, "Content-Length is ''"),
        (POST + b"Content-Length: -1\r\n\r\n", 400, "'-1'"),
        (POST + b"Content-Length: +5\r\n\r\n", 400, "'+5'"),
        (POST + b"Content-Length: \xb2\r\n\r\n", 400, "no number"),
        (POST + b"Content-Length: 5,\r\n\r\n", 400, "no number"),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, "all must be the same"),
        (POST + b"Content-Length: 5, 6\r\n\r\n", 400, "all must be the same"),
        (CHUNKS[:-2] + b"Content-Length: x\r\n\r\n", 400, "no number"),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", 501, "is 'gzip'; use chunked"),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "'gzip, chunked'"),
        (POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n", 501, "''"),
        (b"GET / HTTP/1.1\nTransfer-Encoding: xchunked\n\n", 501, "'xchunked'"),
        (POST + b"Content-Length: %d\r\n\r\n" % (BODY_LIMIT + 1), 413, "longer than 65538 bytes"),
        (POST + b"Content-Length: %b\r\n\r\n" % (b"9" * 5000), 413, "longer than 65538 bytes"),
        (POST + b"\r\n" + b"a" * (BODY_LIMIT + 1), 413, "longer than 65538 bytes"),
        (CHUNKS + b"10003\r\n", 413, "longer than 65538 bytes"),
        (CHUNKS + b"f" * 200 + b"\r\n", 413, "longer than 65538 bytes"),
        (CHUNKS + b"10002\r\n%b\r\n1\r\n" % (b"a" * BODY_LIMIT), 413, "longer than 65538 bytes"),
        (CHUNKS + b"\r\n", 400, "does not begin with its size"),
        (CHUNKS + b"0x5\r\n", 400, "does not begin with its size"),
        (CHUNKS + b"-5\r\n", 400, "does not begin with its size"),
        (CHUNKS + b"5 5\r\n", 400, "does not begin with its size"),
        (CHUNKS + LINE + b"\r\n", 400, "does not begin with its size"),
        (CHUNKS + b"5;" + b"x" * 254, 400, "a line between chunks is too long"),
        (CHUNKS + b"1\r\nab\r\n", 400, "too long"),
        (CHUNKS + b"1\r\nab\n", 400, "a chunk is longer than it says"),
        (CHUNKS + b"0\r\n" + b"A: b\r\n" * 4000, 431, "too long"),
        (b"POST /" + b"a" * HEAD_LIMIT, 431, "has a head longer than 16384 bytes"),
        (POST + b"A: b\r\n" * 4000, 431, "request 'POST / HTTP/1.1\\\\x0d\\\\x0aA: b"),
        (b"POST /?PS=%b " % (b"a" * HEAD_LIMIT), 431, "'POST /?PS=***'"),
    ],
)  # fmt: skip
def test_framing_that_cannot_be_trusted(stream: bytes, status: int, words: str) -> None:
    """Each way to break it has its status, and an error that says what to do."""
    found, error = broken(stream)
    assert found == status
    assert words in error
    assert error.endswith(
        f"; nothing after it can be trusted, so answer {status} and close the connection"
    )
    assert read(single(stream)) == ([], status, error, False)


def test_an_error_is_for_good() -> None:
    """Requests before it are given; nothing after it is read."""
    reader = PostReader()
    stream = http_request("localhost", 14000, LINE)
    (request,) = reader.feed(stream + b"hello\r\n\r\n" + stream)
    assert request.body == LINE
    assert isinstance(reader.error, RemoteProtocolError)
    error = reader.error
    assert reader.feed(stream) == reader.finish() == reader.feed(b"") == []
    assert (reader.error, reader.status) == (error, 400)
    assert (reader.pending, reader.is_body_open) == (False, False)


@pytest.mark.parametrize(
    "stream",
    [
        POST + b"Content-Length: 60\r\n\r\n" + LINE + b"\r\n\r\n",
        POST + b"Content-Length: 60\r\n\r\n" + LINE + b"a" * HEAD_LIMIT,
    ],
)
def test_a_length_that_is_too_small_shows_no_half_of_a_password(stream: bytes) -> None:
    """What follows a request may be the end of its body: it is not shown."""
    found, status, error, _ = read([stream])
    assert [request.body for request in found] == [LINE[:60]]
    assert status in (400, 431)
    assert error.startswith("what follows the request 'POST / HTTP/1.1', perhaps more of its body,")
    assert LINE[60:68].decode() not in error


def test_an_error_in_chunks_shows_none_of_them() -> None:
    """Chunks may cut a password in two."""
    _, error = broken(CHUNKS + b"3c\r\n" + LINE + b"\r\n")
    assert "'POST / HTTP/1.1'" in error
    assert "5ebe" not in error
    assert LINE[60:68].decode() not in error


def test_a_body_may_be_as_long_as_the_limit() -> None:
    """The longest line and its end fit; limits can be set."""
    assert BODY_LIMIT == LINE_LIMIT + 2
    body = b"a" * LINE_LIMIT + b"\r\n"
    assert [r.body for r in PostReader().feed(http_request("localhost", 14000, body))] == [body]
    assert broken(http_request("localhost", 14000, b"abc"), PostReader(body_limit=2))[0] == 413
    head = b"POST / HTTP/1.1\nContent-Length: 0\n\n"
    assert len(PostReader(head_limit=len(head)).feed(head)) == 1
    assert broken(head, PostReader(head_limit=len(head) - 1))[0] == 431


def test_trailers_may_be_as_long_as_a_head() -> None:
    """Headers after the last chunk are counted together, their line ends too."""
    stream = CHUNKS + b"0\r\n" + b"A: b\n" * 20 + b"\n"
    assert len(PostReader(head_limit=101).feed(stream)) == 1
    assert broken(stream, PostReader(head_limit=100))[0] == 431


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
@pytest.mark.parametrize(
    "stream",
    [
        b"POST / HTTP/1.1\r\nA: " + b"b\r" * 100_000 + b"\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A:\n" * 100_000 + b"\n",
        b"\r\n" * 100_000 + b"GET / HTTP/1.1\n\n",
        POST + b"Content-Length: 200000\r\n\r\n" + b"\n" * 200_000,
        CHUNKS + b"30000\r\n" + b"\n" * 0x30000 + b"\r\n0\r\n\r\n",
        CHUNKS + b"1\r\na\r\n" * 30_000 + b"0\r\n" + b"A:\n" * 30_000 + b"\n",
    ],
    ids=["line", "headers", "empty lines", "length", "chunk", "chunks and trailers"],
)
def test_single_bytes_take_no_longer_for_what_came_before(stream: bytes) -> None:
    """Hundreds of thousands of bytes, one at a time: were it quadratic, it would not end."""
    reader = PostReader(body_limit=1_000_000, head_limit=1_000_000)
    found, status, _, is_pending = read(single(stream), reader)
    assert (len(found), status, is_pending) == (1, 200, False)


# --- any bytes -----------------------------------------------------------------------------------

PIECES = [
    b"POST / HTTP/1.1\r\n", b"POST HTTP/1.0\n", b"GET /a HTTP/1.1\n", b"POST /\n", b"POST",
    b"Content-Length: 3\r\n", b"Content-Length: 12\n", b"Content-length:x\n", b"Host:x\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\n", b"Connection: keep-alive\r\n",
    b" folded: 1\n", b"odd\n", b"\r\n", b"\n", b"\r", b"3\r\nabc\r\n", b"1;x\na\n", b"0\r\n\r\n",
    b"0\n", b"abc", b"A=1&B=2\r\n", b"ff\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404\n",
    b"HTTP/1.1 100 Continue\r\n\r\n", b" ", b":", b"VER=1.4&",
]  # fmt: skip
STREAMS = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=5)), max_size=14).map(
    b"".join
)
"""Streams that are HTTP here and there."""


@given(STREAMS, st.booleans(), st.data())
def test_any_split_gives_the_same_requests(stream: bytes, ends: bool, data: st.DataObject) -> None:
    """However any bytes are cut, all that comes of them is the same, errors too."""
    end = [b""] if ends else []

    def outcome(pieces: list[bytes]) -> Outcome:
        """Return what comes of a reader that takes little."""
        return read([*pieces, *end], PostReader(body_limit=20, head_limit=90))

    whole = outcome([stream] if stream else [])
    assert outcome(data.draw(cuts(stream)) if stream else []) == whole
    assert outcome(single(stream)) == whole


@given(st.one_of(STREAMS, st.binary(max_size=200)), st.data())
def test_any_bytes_give_requests_or_an_error_or_wait(stream: bytes, data: st.DataObject) -> None:
    """Nothing fails, no more is held than the limits say, and the views agree."""
    reader = PostReader(body_limit=20, head_limit=90)
    for piece in data.draw(cuts(stream)) if stream else []:
        for request in reader.feed(piece):
            assert len(request.body) <= 20
            assert sum(len(name) + len(value) for name, value in request.headers) < 90
            assert isinstance(request.wants_more, bool)
            assert request.path
            assert repr(request).isprintable()
        assert len(reader._buffer) + len(reader._body) < 256
        assert (reader.error is None) == (reader.status == 200)
        assert not (reader.error and reader.pending)
        assert reader.pending or not reader.is_body_open
    was_open = reader.is_body_open
    assert len(reader.feed(b"")) == was_open
    assert not reader.is_body_open


BODY = st.one_of(st.binary(max_size=40), st.sampled_from([LINE, TEXT]))


@st.composite
def sent(draw: DrawFn) -> tuple[bytes, bytes]:
    """Return a request in one of many forms, and its body."""
    body, end = draw(BODY), draw(st.sampled_from([b"\n", b"\r\n"]))
    lines = [draw(st.sampled_from([b"POST / HTTP/1.1", b"POST HTTP/1.0", b"PUT /a", b"POST "]))]
    lines += draw(st.lists(st.sampled_from([b"Host:x", b"odd", b" folded: 1", b"A: b"])))
    if draw(st.booleans()):
        lines.insert(draw(st.integers(1, len(lines))), b"content-length:%d" % len(body))
        return end.join([*lines, b"", body]), body
    lines.append(b"Transfer-Encoding: chunked")
    chunks = [b"%x%b%b%b" % (len(chunk), end, chunk, end) for chunk in draw(cuts(body)) if chunk]
    return end.join([*lines, b"", b"".join(chunks) + b"0", b"", b""]), body


@given(st.lists(sent(), min_size=1, max_size=4), st.data())
def test_requests_may_follow_each_other(
    requests: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    """Several requests on one connection, sent without waiting, are read in order."""
    stream = b"".join(raw for raw, _ in requests)
    found, status, _, is_pending = read(data.draw(cuts(stream)))
    assert [request.body for request in found] == [body for _, body in requests]
    assert (status, is_pending) == (200, False)


# --- what we write -------------------------------------------------------------------------------


def test_our_request_has_one_form() -> None:
    """The four headers documented in 2005."""
    assert http_request("tqq.tencent.com", 14000, b"VER=1.4") == (
        b"POST / HTTP/1.1\r\nHost: tqq.tencent.com:14000\r\n"
        b"Content-Type: text/plain; charset=UTF-8\r\nContent-Length: 7\r\n"
        b"Connection: close\r\n\r\nVER=1.4"
    )


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("::1", "[::1]:80"),
        ("fe80::1%eth0", "[fe80::1]:80"),
        ("127.0.0.1", "127.0.0.1:80"),
        ("bücher.example", "xn--bcher-kva.example:80"),
    ],
)
def test_hosts_are_written_as_http_wants(host: str, shown: str) -> None:
    """Addresses of IPv6 stand in brackets without a zone, names in ASCII."""
    request = one(http_request(host, 80, b"", path="/a?b=%20"))
    assert request.header("host") == shown
    assert (request.target, request.path) == ("/a?b=%20", "/a")


@pytest.mark.parametrize("host", ["", "a b", "a\r\nX: y", "a/b", "a@b", "a..b", "%eth0", "[::1]"])
def test_a_host_that_is_none_is_refused(host: str) -> None:
    """Nothing can be written into the head by way of the host."""
    with pytest.raises(LocalProtocolError, match="is no host"):
        http_request(host, 80, b"")


@pytest.mark.parametrize("path", ["", "a", "/a b", "/a\r\nX: y", "/你"])
def test_a_path_that_is_none_is_refused(path: str) -> None:
    """Nothing can be written into the head by way of the path."""
    with pytest.raises(LocalProtocolError, match="is no path"):
        http_request("localhost", 80, b"", path=path)


@given(BODY, st.from_regex(r"/[!-~]{0,20}", fullmatch=True), st.data())
def test_what_our_client_sends_can_be_read(body: bytes, path: str, data: st.DataObject) -> None:
    """A request comes back as it was, however it is cut."""
    stream = http_request("localhost", 14000, body, path=path)
    (request,), status, _, is_pending = read(data.draw(cuts(stream)))
    assert (request.method, request.target, request.version) == ("POST", path, "1.1")
    assert request.body == body
    assert (status, is_pending, request.wants_more) == (200, False, False)


def test_our_answer_has_one_form() -> None:
    """Length given, no chunks, no coding; and FWGQ finds the line before the last line end."""
    answer = http_response(b"VER=1.1&CMD=Login&RES=5\r\n")
    assert answer == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 25\r\n"
        b"Connection: close\r\nCache-Control: no-store\r\n\r\nVER=1.1&CMD=Login&RES=5\r\n"
    )
    assert answer.split(b"\r\n")[-2] == b"VER=1.1&CMD=Login&RES=5"


def test_other_answers() -> None:
    """Status, type and keeping the connection can be chosen; HEAD gets the length, no body."""
    answer = http_response(
        b"<p>", status=404, content_type="text/html", keep=True, head_only=True
    )  # fmt: skip
    assert answer == (
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 3\r\n"
        b"Connection: keep-alive\r\nCache-Control: no-store\r\n\r\n"
    )


@pytest.mark.parametrize("status", [400, 413, 431, 501, 505])
def test_every_status_of_the_reader_can_be_answered(status: int) -> None:
    """What `PostReader.status` says can be written."""
    (answer,) = ResponseReader().feed(http_response(b"", status=status))
    assert (answer.status, answer.body) == (status, b"")


def test_an_answer_that_cannot_be_written_is_refused() -> None:
    """A status needs a name, a type no line ends."""
    with pytest.raises(LocalProtocolError, match="299 is no status we answer with; use one of 200"):
        http_response(b"", status=299)
    with pytest.raises(LocalProtocolError, match="is no content type; write like 'text/plain"):
        http_response(b"", content_type="a\r\nX: y")


# --- what our client reads -----------------------------------------------------------------------


@given(st.lists(BODY, min_size=1, max_size=3), st.sampled_from([200, 400, 503]), st.data())
def test_what_our_server_answers_can_be_read(
    bodies: list[bytes], status: int, data: st.DataObject
) -> None:
    """Answers come back as they were, however they are cut."""
    reader = ResponseReader()
    stream = b"".join(http_response(body, status=status, keep=True) for body in bodies)
    found = [answer for piece in data.draw(cuts(stream)) for answer in reader.feed(piece)]
    assert [(answer.status, answer.body) for answer in found] == [(status, b) for b in bodies]
    assert all(answer.header("Connection") == "keep-alive" for answer in found)
    assert (reader.pending, reader.error, reader.feed(b"")) == (False, None, [])


@pytest.mark.parametrize(
    ("stream", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, b"abc"),
        (b"http/1.0 200\ncontent-length:3\n\nabc", 200, b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 1\n\na", 200, b"a"),
        (b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n1\r\na\r\n0\r\n\r\n", 200, b"a"),
        (b"HTTP/1.1  404  \xe4\xb8\x8d\r\n\r\nabc", 404, b"abc"),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bytewise", [True, False])
def test_answers_of_other_servers(stream: bytes, status: int, body: bytes, bytewise: bool) -> None:
    """A length, chunks, or nothing but the end of the stream; announcements are passed over."""
    reader = ResponseReader()
    pieces = [*(single(stream) if bytewise else [stream]), b""]
    (answer,) = [answer for piece in pieces for answer in reader.feed(piece)]
    assert (answer.status, answer.body) == (status, body)
    assert (reader.pending, reader.error) == (False, None)


def test_an_answer_without_a_length_is_open() -> None:
    """It lasts until the stream ends, or until the caller has enough."""
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.0 200 OK\r\nA: 1\r\na: 2\r\n\r\nabc") == []
    assert (reader.is_body_open, reader.pending) == (True, True)
    (answer,) = reader.finish()
    assert (answer.body, answer.header("A"), answer.header("b")) == (b"abc", "2", None)


@pytest.mark.parametrize(
    "stream", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"]
)
def test_an_answer_that_is_cut_off_is_none(stream: bytes) -> None:
    """It is still pending when the stream has ended."""
    reader = ResponseReader()
    assert reader.feed(stream) == reader.feed(b"") == []
    assert (reader.pending, reader.error) == (True, None)


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"VER=1.1&CMD=Login\r\n\r\n", "the answer 'VER=1.1&CMD=Login' cannot be read: an answer"),
        (b"HTTP/2.0 200 OK\r\n\r\n", "begins with HTTP/1.1 and a status such as 200"),
        (b"HTTP/1.1 20 OK\r\n\r\n", "begins with HTTP/1.1"),
        (b"HTTP/1.1 200x\r\n\r\n", "begins with HTTP/1.1"),
        (b"HTTP/1.1 200 OK\nContent-Length: x\n\n", "which is no number"),
        (b"HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\n", "Transfer-Encoding is 'gzip'"),
        (b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nx\n", "in the answer 'HTTP/1.1 200 OK'"),
        (b"HTTP/1.1 200 OK\nContent-Length: 70000\n\n", "longer than 65538 bytes"),
        (b"x" * HEAD_LIMIT, "longer than 16384 bytes"),
    ],
)
def test_answers_that_cannot_be_trusted(stream: bytes, words: str) -> None:
    """The error says what is wrong and what to do."""
    reader = ResponseReader()
    assert reader.feed(stream) == reader.feed(b"") == []
    assert isinstance(reader.error, RemoteProtocolError)
    assert words in str(reader.error)
    assert str(reader.error).endswith("so close the connection and ask again")
    assert not reader.pending


@given(STREAMS.filter(bool), st.data())
def test_any_split_gives_the_same_answers(stream: bytes, data: st.DataObject) -> None:
    """However any bytes are cut, all that comes of them is the same, errors too."""
    outcomes = []
    for pieces in ([stream], data.draw(cuts(stream)), single(stream)):
        reader = ResponseReader(body_limit=20, head_limit=90)
        found = [answer for piece in pieces for answer in reader.feed(piece)]
        is_open = reader.is_body_open
        found += reader.feed(b"")
        outcomes.append((found, str(reader.error), is_open, reader.pending))
    assert outcomes[0] == outcomes[1] == outcomes[2]


@pytest.mark.parametrize(
    ("body", "may_be"), [(b"", False), (b"VER=1.1", False), (b"A\r\n", True), (b"A\n&", False)]
)
def test_a_body_without_length_that_may_be_whole(body: bytes, may_be: bool) -> None:
    """It may be where a line end came last; nobody knows of a half line."""
    reader = PostReader()
    assert not reader.may_be_whole
    reader.feed(b"POST / HTTP/1.0\r\n\r\n" + body)
    assert reader.may_be_whole == may_be
