"""A line inside an HTTP POST: read whatever old phones and clients send, write one exact form.

    reader = PostReader()
    for request in reader.feed(read()):  # b"" says that the stream ended
        write(http_response(answer(request.body)))

Nothing here knows what a body means. How the clients differ is told in section 1.3 of the
protocol; the real server read no header but the length (HACK FWGQ SETM CS11), and neither do we.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from kqq.errors import LocalProtocolError, RemoteProtocolError
from kqq.protocol.wire import LINE_LIMIT, show

Headers = tuple[tuple[str, str], ...]
"""Names and values in the order they came."""

BODY_LIMIT = LINE_LIMIT + 2
"""Bytes a body may have: the longest line and its end."""
HEAD_LIMIT = 16384
"""Bytes a head may have, its empty line counted. Known heads stay below 500."""

HTTP_METHOD = re.compile(rb"[\r\n]{0,8}(?![A-Z]{0,2}VER )[A-Z]{3,16} ")
"""How an HTTP request begins, and no raw line does: capital letters, then a blank. Empty lines may
stand before it. `VER =1.4`, with or without the length of ZNQQ before it, is a line with a blank
before its `=`."""
_MAYBE_METHOD = re.compile(rb"[\r\n]{0,8}[A-Z]{0,16}")

_METHOD = re.compile(r"[A-Z]{3,16}")
_VERSION = re.compile(r"HTTP/([0-9]{1,3})\.([0-9]{1,3})", re.IGNORECASE)
_STATUS_LINE = re.compile(r"HTTP/1\.[0-9] +([1-9][0-9]{2})(?: .*)?", re.IGNORECASE | re.DOTALL)
_ORIGIN = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")
_EMPTY_LINES = re.compile(rb"[\r\n]*")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]+)[ \t]*(?:;.*)?", re.DOTALL)
_DIGITS = re.compile(r"[0-9]+")
_BLANKS = " \t\r"

_START = 512
"""Bytes kept of a first line, to be shown should there be an error; no more would be."""
_CHUNK_LINE = 256
"""Bytes of a line that gives the size of a chunk; extensions, which nobody uses, count too."""
_HUGE = 18
"""So many digits of a length are read, zeros before them not counted: it is above any limit."""
_CHUNKED = -1
_OPEN = -2
"""Lengths of bodies that are not known before: in chunks, and to the end of the stream."""

_REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


def looks_like_http(start: bytes) -> bool | None:
    """Return what the first bytes of a connection begin: an HTTP request, or raw lines (False).

    None while there are too few bytes to say, which is so for 24 at most. Both are spoken on the
    same port (SOUND SETM GO). Raw lines may have one or two bytes before `VER=`, capital letters
    too (ZN QB), begin with any field (JAVA), or with empty lines; none of them has a blank there.
    """
    if HTTP_METHOD.match(start):
        return True
    return None if _MAYBE_METHOD.fullmatch(start) else False


def _last(headers: Headers, name: str) -> str | None:
    found = [value for other, value in headers if other.lower() == name.lower()]
    return found[-1] if found else None


def _listed(headers: Headers, name: str) -> list[str]:
    """Return the items of a header that is a list and may be repeated, in lower case."""
    values = [value for other, value in headers if other.lower() == name]
    return [item.strip(_BLANKS).lower() for value in values for item in value.split(",")]


@dataclass(frozen=True, slots=True, repr=False)
class HttpRequest:
    """One request. Text is Latin-1, as the bytes were.

    `target` is "" where the request line has none (HACK: `POST HTTP/1.1`). `version` is `1.0`,
    `1.1`, or `0.9` where none is said. `headers` have their names as sent and values without
    blanks around them. `body` is exactly what was sent, chunks put together.
    """

    method: str
    target: str
    version: str
    headers: Headers = ()
    body: bytes = field(default=b"")

    def __repr__(self) -> str:
        line = f"{self.method} {self.target} HTTP/{self.version}".encode("latin-1", "replace")
        return f"HttpRequest({show(line)!r}, {len(self.body)} bytes)"

    def header(self, name: str) -> str | None:
        """Return the last value of a header, its name in any case; None if it was not sent."""
        return _last(self.headers, name)

    @property
    def path(self) -> str:
        """The target without query, and without the `http://HOST` that proxies send; or `/`."""
        return _ORIGIN.sub("", self.target).partition("?")[0] or "/"

    @property
    def wants_more(self) -> bool:
        """Whether the client asks to keep the connection, and shows that it knows how.

        That is HTTP/1.1, the words `Connection: keep-alive`, and a body whose end is beyond
        doubt. Most clients neither ask nor can (PY FWGQ); those that do live without (CS11 GO).
        """
        asks = _listed(self.headers, "connection")
        length, coding = self.header("Content-Length"), self.header("Transfer-Encoding")
        if length is not None and coding is not None:
            return False  # somebody between us may believe the other one
        is_bounded = length is not None or (coding or "").lower() == "chunked"
        return (
            self.version == "1.1"
            and "keep-alive" in asks
            and "close" not in asks
            and (is_bounded or self.method != "POST")
        )


@dataclass(frozen=True, slots=True, repr=False)
class HttpResponse:
    """One answer: `status`, `headers` as in a request, and the `body` as sent."""

    status: int
    headers: Headers = ()
    body: bytes = field(default=b"")

    def __repr__(self) -> str:
        return f"HttpResponse({self.status}, {len(self.body)} bytes)"

    def header(self, name: str) -> str | None:
        """Return the last value of a header, its name in any case; None if it was not sent."""
        return _last(self.headers, name)


class _Broken(RemoteProtocolError):
    """The framing broke; `status` is what a server answers to it."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


def _stated_length(headers: Headers) -> int | None:
    """Return what the headers say of the body's length, None if nothing. Raises _Broken.

    Lengths count by value, and equal ones may be repeated. Chunks win over a length.
    """
    said = _listed(headers, "content-length")
    if not all(_DIGITS.fullmatch(digits) for digits in said):
        raise _Broken(400, f"its Content-Length is {_shown(said)}, which is no number")
    lengths = {digits.lstrip("0") for digits in said}
    if len(lengths) > 1:
        raise _Broken(400, f"it has Content-Length {_shown(said)}; all must be the same")
    codings = [coding for coding in _listed(headers, "transfer-encoding") if coding != "identity"]
    if codings == ["chunked"]:
        return _CHUNKED
    if codings:
        raise _Broken(501, f"its Transfer-Encoding is {_shown(codings)}; use chunked or none")
    return int(lengths.pop()[:_HUGE] or "0") if lengths else None


def _shown(items: list[str]) -> str:
    return repr(show(", ".join(items).encode("latin-1"), 60))


_Item = TypeVar("_Item", HttpRequest, HttpResponse)


class _Reader(ABC, Generic[_Item]):
    """Cuts a stream of bytes into heads and bodies, however the bytes are split.

    Each byte is looked at a fixed number of times, and never more is held than one head and one
    body may have, besides what one `feed` brings.
    """

    _WHAT = ""
    _ADVICE = ""

    def __init__(self, *, body_limit: int = BODY_LIMIT, head_limit: int = HEAD_LIMIT) -> None:
        self.error: RemoteProtocolError | None = None
        self._status = 200
        self._body_limit = body_limit
        self._head_limit = head_limit
        self._buffer = bytearray()
        self._at = 0  # what is before it in the buffer is done with
        self._searched = 0  # bytes after that which hold no line end that counts
        self._step: Callable[[], bool] = self._read_head
        self._item: _Item | None = None
        self._start = b""  # the first line of what is read, or was read last
        self._body = bytearray()
        self._left = 0  # bytes that the body, its chunk or its trailer still may have
        self._whole: list[_Item] = []
        self._is_over = False

    @property
    def pending(self) -> bool:
        """Whether some of a message came and it is not whole; cut off, if the stream ended."""
        return self._item is not None or bool(self._buffer)

    @property
    def is_body_open(self) -> bool:
        """Whether a body is being read that has no length: it lasts until the stream ends."""
        return self._step == self._read_open

    @property
    def may_be_whole(self) -> bool:
        """Whether a body without a length ends in a line end so far."""
        return self.is_body_open and self._body.endswith(b"\n")

    def feed(self, data: bytes) -> list[_Item]:
        """Return what `data` completes, in order. `b""` means that the stream ended."""
        if self._is_over:
            return []
        if not data:
            whole = self.finish()
            self._is_over = True
            return whole
        self._buffer += data
        try:
            while self._step():
                pass
        except _Broken as broken:
            self._break(broken)
        del self._buffer[: self._at]
        self._at = 0
        whole, self._whole = self._whole, []
        return whole

    def finish(self) -> list[_Item]:
        """Take an open body as whole; whatever comes after it is not read. Else do nothing."""
        if not self.is_body_open:
            return []
        self._complete()
        self._is_over = True
        whole, self._whole = self._whole, []
        return whole

    def _break(self, broken: _Broken) -> None:
        self.error = RemoteProtocolError(f"{broken}; {self._ADVICE.format(broken.status)}")
        self._status = broken.status
        self._is_over = True
        self._step = self._read_head
        self._item = None
        self._buffer.clear()
        self._body.clear()

    @abstractmethod
    def _begin(self, start: str, headers: Headers) -> tuple[_Item, int]:
        """Return the message that a head begins, and the length of its body. Raises _Broken."""

    def _complete(self) -> None:
        assert self._item is not None
        self._whole.append(replace(self._item, body=bytes(self._body)))
        self._item = None
        self._body.clear()
        self._step = self._read_head

    # --- steps: each returns whether there may be more to do

    def _read_head(self) -> bool:
        skipped = _EMPTY_LINES.match(self._buffer, self._at)
        assert skipped is not None
        self._at = skipped.end()
        end = _END_OF_HEAD.search(
            self._buffer, self._at + max(0, self._searched - 2), self._at + self._head_limit
        )
        if end is None:
            self._searched = len(self._buffer) - self._at
            if self._searched >= self._head_limit:
                start = bytes(self._buffer[self._at : self._at + min(240, self._head_limit)])
                name = self._name(start)
                raise _Broken(431, f"{name} has a head longer than {self._head_limit} bytes")
            return False
        head = bytes(self._buffer[self._at : end.start()])
        self._at = end.end()
        self._searched = 0
        first, *others = head.decode("latin-1").split("\n")
        start = head[: min(len(first), _START)]
        try:
            self._item, length = self._begin(first.strip(_BLANKS), _headers(others))
        except _Broken as broken:
            name = self._name(start)
            raise _Broken(broken.status, f"{name} cannot be read: {broken}") from broken
        self._start = start
        self._expect(length)
        return True

    def _expect(self, length: int) -> None:
        if length == _OPEN:
            self._step = self._read_open
        elif length == _CHUNKED:
            self._step = self._read_chunk_size
        elif length:
            self._add(length)
            self._step = self._read_body
        else:
            self._complete()

    def _add(self, length: int) -> None:
        """Be ready for `length` more bytes of the body."""
        if len(self._body) + length > self._body_limit:
            raise self._broken(413, f"the body is longer than {self._body_limit} bytes")
        self._left = length

    def _take(self) -> bool:
        """Move what came of the body, or of its chunk, to the body; return whether that is all."""
        piece = self._buffer[self._at : self._at + self._left]
        self._body += piece
        self._at += len(piece)
        self._left -= len(piece)
        return not self._left

    def _read_body(self) -> bool:
        if not self._take():
            return False
        self._complete()
        return True

    def _read_open(self) -> bool:
        self._add(len(self._buffer) - self._at)
        self._take()
        return False

    def _read_chunk_size(self) -> bool:
        line = self._line(_CHUNK_LINE, 400)
        if line is None:
            return False
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise self._broken(400, "a chunk does not begin with its size in hexadecimal")
        length = int(size[1].lstrip(b"0")[:_HUGE] or b"0", 16)
        self._add(length)
        if length:
            self._step = self._read_chunk
        else:
            self._left = self._head_limit
            self._step = self._read_trailer
        return True

    def _read_chunk(self) -> bool:
        if not self._take():
            return False
        self._step = self._read_chunk_end
        return True

    def _read_chunk_end(self) -> bool:
        line = self._line(2, 400)
        if line is None:
            return False
        if line:
            raise self._broken(400, "a chunk is longer than it says")
        self._step = self._read_chunk_size
        return True

    def _read_trailer(self) -> bool:
        """Pass over headers after the last chunk."""
        line = self._line(self._left, 431)
        if line is None:
            return False
        self._left -= len(line) + 1
        if not line:
            self._complete()
        return True

    def _line(self, most: int, status: int) -> bytes | None:
        """Return the next line of a chunked body, None until it has come."""
        end = self._buffer.find(b"\n", self._at + self._searched, self._at + most)
        if end >= 0:
            line = bytes(self._buffer[self._at : end])
            self._at = end + 1
            self._searched = 0
            return line.removesuffix(b"\r")
        self._searched = len(self._buffer) - self._at
        if self._searched >= most:
            raise self._broken(status, "a line between chunks is too long")
        return None

    # --- words for errors

    def _broken(self, status: int, what: str) -> _Broken:
        """Return an error in a body. None of it is shown: a password may be cut in two there."""
        return _Broken(status, f"in the {self._WHAT} {show(self._start.strip())!r} {what}")

    def _name(self, start: bytes) -> str:
        """Return what is said of a head that cannot be read. It may be the rest of a body."""
        if self._start:
            before = show(self._start.strip())
            return f"what follows the {self._WHAT} {before!r}, perhaps more of its body,"
        return f"the {self._WHAT} {show(start.strip(), 60)!r}"


def _headers(lines: list[str]) -> Headers:
    """Return the headers among `lines`. Lines without a colon, and folded ones, are passed over."""
    found = []
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and not line.startswith((" ", "\t")):
            found.append((name.strip(_BLANKS), value.strip(_BLANKS)))
    return tuple(found)


class PostReader(_Reader[HttpRequest]):
    """Cuts what a client sends into requests, however the bytes are split.

    `error` is set for good when the framing cannot be trusted; requests before it are still given.
    A request that does not ask for more may still be followed by others; who closes the
    connection need not look at them.

    Old clients are read as they are: LF for CRLF, no path, no `Host`, `Host:x` without a blank
    (FWGQ), lines that are no headers, any version or none, a body in chunks as phones send that
    flush their stream, and a POST without any length, whose body is open. `Expect` (CS11, curl)
    is passed over: these clients send the body anyway after a while.
    """

    _WHAT = "request"
    _ADVICE = "nothing after it can be trusted, so answer {} and close the connection"

    @property
    def status(self) -> int:
        """The HTTP status to answer with: 200 until `error` is set, then the one that fits."""
        return self._status

    def _begin(self, start: str, headers: Headers) -> tuple[HttpRequest, int]:
        method, _, rest = start.partition(" ")
        if not _METHOD.fullmatch(method):
            raise _Broken(400, "a request begins with a method such as POST")
        target, _, last = rest.rpartition(" ")
        version = "0.9"
        if last[:5].upper() == "HTTP/":  # COMPAT(HACK): a target may be missing before it
            version = _version(last)
        else:
            target = rest
        length = _stated_length(headers)
        if length is None:
            length = _OPEN if method == "POST" else 0
        return HttpRequest(method, target.strip(_BLANKS), version, headers), length


def _version(text: str) -> str:
    """Return the version to speak with a client that says `HTTP/…`. Raises _Broken."""
    said = _VERSION.fullmatch(text)
    if said is None:
        raise _Broken(400, f"{_shown([text])} is no version; write HTTP/1.1")
    major, minor = int(said[1]), int(said[2])
    if major > 1:
        raise _Broken(505, f"version {major}.{minor} is not spoken here; write HTTP/1.1")
    if major < 1:
        return "0.9"
    return "1.1" if minor else "1.0"


class ResponseReader(_Reader[HttpResponse]):
    """Cuts what a server sends into answers, however the bytes are split.

    `error` is set for good when the framing cannot be trusted. Answers that only announce others
    (100 to 199) are passed over. An answer without a length lasts until the stream ends.
    """

    _WHAT = "answer"
    _ADVICE = "nothing after it can be trusted, so close the connection and ask again"

    def _begin(self, start: str, headers: Headers) -> tuple[HttpResponse, int]:
        said = _STATUS_LINE.fullmatch(start)
        if said is None:
            raise _Broken(400, "an answer begins with HTTP/1.1 and a status such as 200")
        status = int(said[1])
        if status < 200 or status in (204, 304):
            return HttpResponse(status, headers), 0
        length = _stated_length(headers)
        return HttpResponse(status, headers), _OPEN if length is None else length

    def _complete(self) -> None:
        super()._complete()
        if self._whole[-1].status < 200:
            self._whole.pop()


# --- writing

PLAIN_TEXT = "text/plain; charset=UTF-8"
_VISIBLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_PRINTABLE = re.compile(r"[ -~]+")


def http_response(
    body: bytes,
    *,
    status: int = 200,
    content_type: str = PLAIN_TEXT,
    keep: bool = False,
    head_only: bool = False,
) -> bytes:
    """Return an answer: length given, no chunks, no coding (FWGQ needs all three).

    `keep` says that the connection stays open; `head_only` leaves the body out, for HEAD.
    Raises LocalProtocolError if `status` has no name here or `content_type` is not printable.
    """
    if status not in _REASONS:
        raise LocalProtocolError(
            f"{status} is no status we answer with; use one of {', '.join(map(str, _REASONS))}"
        )
    if not _PRINTABLE.fullmatch(content_type):
        raise LocalProtocolError(f"{content_type!r} is no content type; write like {PLAIN_TEXT!r}")
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Connection: {'keep-alive' if keep else 'close'}\r\n"
        "Cache-Control: no-store\r\n"
        "\r\n"
    )
    return head.encode("ascii") + (b"" if head_only else body)


def http_request(host: str, port: int, body: bytes, *, path: str = "/") -> bytes:
    """Return a POST with the four headers that were documented in 2005 (HACK).

    `host` is a name or an address without brackets. Raises LocalProtocolError if `host` or `path`
    cannot stand in a head.
    """
    try:
        name = host.partition("%")[0].encode("idna").decode("ascii")  # without a zone
    except UnicodeError:
        name = ""
    if not _HOST.fullmatch(name):
        raise LocalProtocolError(f"{host!r} is no host; write a name such as localhost")
    if not path.startswith("/") or not _VISIBLE.fullmatch(path):
        raise LocalProtocolError(f"{path!r} is no path; begin with / and escape blanks and others")
    head = (
        f"POST {path} HTTP/1.1\r\n"
        f"Host: {f'[{name}]' if ':' in name else name}:{port}\r\n"
        f"Content-Type: {PLAIN_TEXT}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n"
        "\r\n"
    )
    return head.encode("ascii") + body
