"""Where messages end in a stream that may be anything, with every byte kept as it came.

    cutter = Cutter(Role.CLIENT)
    for piece in cutter.feed(read()):
        write(piece.raw if piece.line is None else piece.with_line(changed(piece.line)))

What all pieces have in `raw`, put together, is what was fed, whatever that was: junk, bare LF,
broken HTTP, another protocol. Only what is recognised can be changed on its way.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kqq.protocol.messages import Role
from kqq.protocol.post import BODY_LIMIT, HEAD_LIMIT, looks_like_http
from kqq.protocol.wire import LINE_LIMIT, Line

_NOISE = 2  # bytes without `=` that are no line: what is left of a length before the next one
_MUCH = 16  # bytes without `=` that no line of this protocol begins with
_METHODS = 64  # requests over HTTP that may wait for their answers, for us to know how they asked
_RAW_LIMIT = 2 * BODY_LIMIT + HEAD_LIMIT
"""Bytes of one message over HTTP in chunks; very small chunks have more around than in them."""

_TLS = re.compile(rb"\x16\x03[\x00-\x04]")
_EMPTY_LINES = re.compile(rb"[\r\n]*")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_METHOD = re.compile(rb"([A-Z]{1,16})(?=[ \r\n])")
_STATUS = re.compile(rb"HTTP/[0-9.]{1,8} +([0-9]{3})", re.IGNORECASE)
_BEGINS_HEAD = {Role.CLIENT: _METHOD, Role.SERVER: _STATUS}
_NO_HTTP = "what follows is no HTTP; the bytes go on untouched"
_LENGTH = re.compile(rb"^(Content-Length[ \t]*:[ \t]*)([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_CODING = re.compile(rb"^Transfer-Encoding[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_CHUNK_LINE = 64  # bytes of the line that says how long a chunk is
_CHUNK_END = re.compile(rb"\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")
_LINE_END = re.compile(rb"\r?\n\Z")


@dataclass(slots=True, eq=False)
class Piece:
    """Bytes that go on together.

    `line` is the line in them, None where there is none to change: empty lines, another protocol, a
    post without a body. `head` stands before the line and `tail` after it; `wrapping` says how what
    is between them is measured: "" not at all, "length" or "chunks". `is_late`: its beginning had
    to go on before its end came, and `raw` is what is left of it. `ends`: a message ends here, so
    that another may be put after it. `is_whole` is False for a line that the end of the stream has
    cut. `odd` says in words why something could not be read.
    """

    raw: bytes
    line: Line | None = None
    over: str = "tcp"
    head: bytes = b""
    tail: bytes = b""
    wrapping: str = ""
    is_late: bool = False
    is_whole: bool = True
    ends: bool = True
    odd: str = ""

    def with_line(self, line: Line) -> bytes:
        """Return the bytes with another line in place of its own; HTTP gets the length that fits.

        All else stays byte for byte: the head, the line end or that there is none.
        """
        body = line.encode() + self.tail
        if not self.wrapping:
            return body
        if self.wrapping == "chunks":
            return self.head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        return _LENGTH.sub(lambda found: b"%s%d" % (found[1], len(body)), self.head) + body


class Cutter:
    """Cuts what `sender` says into pieces, however the bytes are split.

    It holds at most one message, and no message is larger than HTTP and lines may have; what is
    larger goes on as it comes. `methods` joins the two directions of a connection: how an answer
    over HTTP ends depends on how it was asked for.
    """

    def __init__(self, sender: Role, methods: deque[bytes] | None = None) -> None:
        self._sender = sender
        self._methods = deque[bytes](maxlen=_METHODS) if methods is None else methods
        self._buffer = bytearray()
        self._at = 0  # where the message begins
        self._gone = 0  # up to where bytes went on before the message was whole
        self._searched = 0  # up to where no line end, or end of a head, is
        self._step: Callable[[], Piece | None] = self._decide
        self._over = "tcp"
        self._body_at = 0
        self._left = 0  # bytes of a body, or of the rest of a body that goes on as it comes
        self._is_chunked = False
        self._body = bytearray()
        self._knows_lines = False  # something like a field has come
        self._odd = ""

    @property
    def pending(self) -> bool:
        """Whether bytes are held back since their message is not whole."""
        return len(self._buffer) > max(self._at, self._gone)

    @property
    def over(self) -> str:
        """How lines come: "tcp" for bare ones, "http" for those in posts."""
        return self._over

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Give what `data` completes, in order; all of it must be taken."""
        self._buffer += data
        yield from self._pieces()
        if self._gone > self._at and self.pending:
            self._see_foreign()
            yield self._part()
        self._forget()

    def flush(self) -> Iterator[Piece]:
        """Give what is held back, though its message is not whole: it has been waited for enough.

        In a body without a length this is how a line ends. What has nothing of a line in it is of
        another protocol, and is not held back any more.
        """
        if not self.pending:
            return
        if self._step == self._read_open:
            yield self._take(len(self._buffer))
        else:
            self._see_foreign()
            if self._step != self._pass_all:
                self._odd = "the end of a message did not come in time; its beginning goes on"
            yield self._part()
        self._forget()

    def end(self) -> Iterator[Piece]:
        """Give what is left when the stream has ended."""
        if not self.pending:
            return
        if self._step in (self._read_open, self._read_line, self._decide):
            piece = self._take(len(self._buffer))
            if self._step != self._read_open and piece.line is not None:
                piece.is_whole = False
                piece.odd = "the stream ended before the line did"
        else:
            piece = self._part()
            piece.odd = "the stream ended in the middle of a message"
        yield piece
        self._forget()

    # --- what is in the buffer

    def _pieces(self) -> Iterator[Piece]:
        while (piece := self._step()) is not None:
            yield piece

    def _forget(self) -> None:
        """Let go of what is done with."""
        if self._at:
            del self._buffer[: self._at]
            self._gone = max(self._gone - self._at, 0)
            self._searched = max(self._searched - self._at, 0)
            self._body_at = max(self._body_at - self._at, 0)
            self._at = 0

    def _see_foreign(self) -> None:
        """Hold nothing back any more if what comes has nothing of this protocol."""
        begun = self._buffer[self._at :]
        is_open = self._over == "tcp" and not self._knows_lines
        if is_open and len(begun) > _MUCH and b"=" not in begun:
            self._step = self._pass_all
            self._odd = "this is another protocol; its bytes go on untouched"

    def _part(self) -> Piece:
        """Return what of an unfinished message has not gone on yet."""
        start = max(self._at, self._gone)
        self._gone = len(self._buffer)
        odd, self._odd = self._odd, ""
        piece = Piece(bytes(self._buffer[start:]), over=self._over, ends=False, odd=odd)
        if self._step == self._pass_all:
            self._at = self._gone
        return piece

    def _take(self, end: int) -> Piece:
        """Return the line up to `end`, and begin another message there."""
        raw = bytes(self._buffer[self._at : end])
        piece = Piece(raw, _line_of(raw), self._over)
        if piece.line is not None:
            self._knows_lines = self._knows_lines or "=" in piece.line.text
            piece.tail = raw[len(piece.line.encode()) :]
        return self._begun(piece, end)

    def _begun(self, piece: Piece, end: int) -> Piece:
        """Return `piece` without what of it has gone on, and begin another message at `end`."""
        if self._gone > self._at:
            piece.is_late = True
            piece.raw = bytes(self._buffer[self._gone : end])
        piece.odd, self._odd = piece.odd or self._odd, ""
        self._at = self._searched = end
        return piece

    # --- steps: each returns a piece, or None until more has come

    def _decide(self) -> Piece | None:
        """Find out what comes: HTTP, lines, or something else."""
        start = bytes(self._buffer[self._at : self._at + 64])
        if _TLS.match(start):
            return self._give_up(
                "this is TLS, which nobody can read here; the bytes go on untouched"
            )
        if self._sender is Role.CLIENT:
            is_http = looks_like_http(start)
        else:
            begun = start.lstrip(b"\r\n")[:5].upper()
            is_http = True if begun == b"HTTP/" else None if b"HTTP/".startswith(begun) else False
        if is_http is None:
            return None
        self._step = self._read_head if is_http else self._read_line
        self._over = "http" if is_http else "tcp"
        return self._step()

    def _read_line(self) -> Piece | None:
        end = self._buffer.find(b"\n", self._searched)
        if end >= 0 and end - self._at <= LINE_LIMIT:
            return self._take(end + 1)
        if end < 0 and len(self._buffer) - self._at <= LINE_LIMIT:
            self._searched = len(self._buffer)
            return None
        self._step = self._pass_line
        self._odd = f"a line is longer than {LINE_LIMIT} bytes; it goes on untouched"
        return self._pass_line()

    def _pass_line(self) -> Piece | None:
        """Pass on the rest of a line that is too long."""
        start = max(self._at, self._gone)
        end = self._buffer.find(b"\n", start) + 1
        if not end:
            if start == len(self._buffer):
                return None
            self._at = self._gone = len(self._buffer)
            return self._raw(start, is_end=False)
        self._step = self._read_line
        self._at = self._searched = end
        return self._raw(start, is_end=True)

    def _raw(self, start: int, *, is_end: bool) -> Piece:
        odd, self._odd = self._odd, ""
        raw = bytes(self._buffer[start : self._at])
        return Piece(raw, over=self._over, ends=is_end, odd=odd)

    def _give_up(self, why: str) -> Piece | None:
        """Pass on everything from here on."""
        self._step = self._pass_all
        self._odd = why
        return self._pass_all()

    def _pass_all(self) -> Piece | None:
        return self._part() if self.pending else None

    # --- HTTP

    def _read_head(self) -> Piece | None:
        skipped = _EMPTY_LINES.match(self._buffer, self._at)
        assert skipped is not None
        start = skipped.end()
        end = _END_OF_HEAD.search(self._buffer, max(start, self._searched - 2))
        if end is None:
            self._searched = len(self._buffer)
            if len(self._buffer) - self._at > HEAD_LIMIT:
                return self._give_up(
                    f"a head is longer than {HEAD_LIMIT} bytes; it goes on untouched"
                )
            begun = bytes(self._buffer[start : start + 32])
            if len(begun) == 32 and not _BEGINS_HEAD[self._sender].match(begun):
                return self._give_up(_NO_HTTP)
            return None
        self._body_at = end.end()
        return self._read_body_of(bytes(self._buffer[start : self._body_at]))

    def _read_body_of(self, head: bytes) -> Piece | None:
        """Find out how the body ends, and go on with it."""
        lengths = {found[2].strip() for found in _LENGTH.finditer(head)}
        coding = _CODING.search(head)
        self._is_chunked = coding is not None and coding[1].strip().lower() == b"chunked"
        has_body = self._has_body(head)
        if has_body is None:
            return self._give_up(_NO_HTTP)
        if not has_body:
            return self._message(self._body_at)
        if self._is_chunked:
            self._body.clear()
            self._searched = self._body_at
            self._step = self._read_chunks
        elif coding is not None or len(lengths) > 1 or not all(map(bytes.isdigit, lengths)):
            return self._give_up("the length of a body makes no sense; the bytes go on untouched")
        elif not lengths:
            return self._open()
        else:
            self._left = int(lengths.pop()[:18])
            if self._left > BODY_LIMIT:
                return self._pass_large()
            self._step = self._read_body
        return self._step()

    def _has_body(self, head: bytes) -> bool | None:
        """Return whether a body follows a head; None if what follows is not HTTP any more."""
        if self._sender is Role.CLIENT:
            found = _METHOD.match(head)
            if found is None:
                return None
            self._methods.append(found[1])
            return found[1] == b"POST" or _LENGTH.search(head) is not None or self._is_chunked
        said = _STATUS.match(head)
        if said is None or said[1] == b"101":
            return None
        if said[1].startswith(b"1"):
            return False
        method = self._methods.popleft() if self._methods else b""
        if method == b"CONNECT" and said[1].startswith(b"2"):
            return None
        return said[1] not in (b"204", b"304") and method != b"HEAD"

    def _read_body(self) -> Piece | None:
        end = self._body_at + self._left
        return self._message(end) if len(self._buffer) >= end else None

    def _message(self, end: int) -> Piece:
        """Return the message that ends here."""
        raw = bytes(self._buffer[self._at : end])
        head, body = raw[: self._body_at - self._at], raw[self._body_at - self._at :]
        piece = Piece(raw, _line_of(body), "http", head, wrapping="length")
        if piece.line is not None:
            piece.tail = body[len(piece.line.encode()) :]
        self._step = self._read_head
        return self._begun(piece, end)

    def _pass_large(self) -> Piece | None:
        """Pass on a body that is too large for a line, as it comes."""
        self._odd = f"a body is longer than {BODY_LIMIT} bytes; it goes on untouched"
        self._left += self._body_at - max(self._at, self._gone)
        self._at = max(self._at, self._gone)
        self._step = self._pass_body
        return self._pass_body()

    def _pass_body(self) -> Piece | None:
        start = self._at
        self._at = min(len(self._buffer), start + self._left)
        self._left -= self._at - start
        if not self._left:
            self._step = self._read_head
            self._searched = self._at
        elif start == self._at:
            return None
        return self._raw(start, is_end=not self._left)

    def _read_chunks(self) -> Piece | None:
        """Take chunk after chunk; `_searched` is where the next one begins."""
        while len(self._buffer) - self._at <= _RAW_LIMIT:
            size = _CHUNK_SIZE.match(self._buffer, self._searched)
            if size is None:
                begun = self._buffer[self._searched :]
                return None if len(begun) < _CHUNK_LINE and b"\n" not in begun else self._no_chunk()
            length = int(size[1], 16)
            if not length:
                return self._read_trailer(size.end())
            if len(self._body) + length > BODY_LIMIT:
                break
            end = size.end() + length
            line_end = _CHUNK_END.match(self._buffer, end)
            if line_end is None:
                return None if len(self._buffer) < end + 2 else self._no_chunk()
            self._body += self._buffer[size.end() : end]
            self._searched = line_end.end()
        return self._no_chunk()

    def _no_chunk(self) -> Piece | None:
        return self._give_up(
            "a body in chunks makes no sense, or is too long; it goes on untouched"
        )

    def _read_trailer(self, start: int) -> Piece | None:
        """Take what follows the last chunk."""
        end = _END_OF_HEAD.search(self._buffer, start - 1)
        if end is None:
            too_long = len(self._buffer) - start > HEAD_LIMIT
            return self._no_chunk() if too_long else None
        raw = bytes(self._buffer[self._at : end.end()])
        body = bytes(self._body)
        head = raw[: self._body_at - self._at]
        piece = Piece(raw, _line_of(body), "http", head, wrapping="chunks")
        if piece.line is not None:
            piece.tail = body[len(piece.line.encode()) :]
        self._step = self._read_head
        return self._begun(piece, end.end())

    def _open(self) -> Piece | None:
        """Pass on the head of a body that has no length; what follows are lines."""
        start = max(self._at, self._gone)
        self._at = self._searched = self._body_at
        self._step = self._read_open
        return self._raw(start, is_end=False)

    def _read_open(self) -> Piece | None:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0 and len(self._buffer) - self._at <= LINE_LIMIT:
            self._searched = len(self._buffer)
            return None
        if end < 0 or end - self._at > LINE_LIMIT:
            return self._give_up(f"a body is longer than {LINE_LIMIT} bytes; it goes on untouched")
        return self._take(end + 1)


def _line_of(raw: bytes) -> Line | None:
    """Return the line in `raw`, None if it is empty, noise or a page for people."""
    text = _LINE_END.sub(b"", raw)
    if not text.strip() or (len(text) <= _NOISE and b"=" not in text):
        return None
    if text.lstrip()[:1] == b"<":
        return None
    return Line.decode(raw)
