"""HTTP as it was captured: what is broken is told and read all the same.

`protocol.post` ends a connection whose framing breaks, as whoever answers must. Here the bytes went
over the network long ago, so what can be made out of them is given.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from kqq.capture.marks import IN_TEXT
from kqq.protocol.post import BODY_LIMIT, HEAD_LIMIT, HTTP_METHOD
from kqq.protocol.wire import show

_END_OF_HEAD = re.compile(rb"\n\r?\n")
_ANSWER = re.compile(rb"[\r\n]{0,8}HTTP/[0-9.]{1,7} +([0-9]{3})", re.IGNORECASE)
_LENGTH = re.compile(rb"\n[ \t]*Content-Length[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\n[ \t]*Transfer-Encoding[ \t]*:[^\r\n]*chunked", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?\r?", re.DOTALL)
_NEXT = re.compile(rb"\n(?:POST |GET |HEAD |HTTP/1\.[01] )")
_EMPTY_LINES = re.compile(rb"[\r\n]*")
_CHUNK_LINE = 256
_LONGEST_MARK = 16  # bytes of what `_NEXT` finds
_BODILESS = (204, 304)


@dataclass(frozen=True, slots=True)
class Post:
    """A request or an answer as captured.

    `start` is its first line, `body` what came of the body (no more than the longest line there
    is), `size` how many bytes the body had. `problems` say what is broken, `whole` is False if
    some of the body is missing.
    """

    start: bytes
    body: bytes
    size: int
    problems: tuple[str, ...] = ()
    whole: bool = True

    @property
    def method(self) -> bytes:
        """The first word: `POST`, or `HTTP/1.1` of an answer."""
        return self.start.partition(b" ")[0]


class PostStream:
    """Cuts what one end sends into requests or answers, however the bytes are split.

    No more is held than a head and a body of the longest line. An answer to `HEAD` has no body
    whatever it says; `is_bodiless` is asked, once for each answer, whether it is one.
    """

    def __init__(self, is_bodiless: Callable[[], bool] = lambda: False) -> None:
        self._is_bodiless = is_bodiless
        self._buffer = bytearray()
        self._searched = 0
        self._post: _Unfinished | None = None

    def feed(self, data: bytes) -> list[Post]:
        """Return what `data` completes, in order."""
        self._buffer += data
        whole: list[Post] = []
        while self._step(whole):
            pass
        return whole

    def lose(self, count: int) -> list[Post]:
        """Return what was there before `count` missing bytes; a body they are in stays whole-less.

        The framing is found again where the body ends, or where the next message begins.
        """
        post = self._post
        if post is not None and post.skip(count):
            post.problems.append(f"{count} bytes of the body are missing")
            return [] if post.left or post.left is None else [self._complete()]
        return self.end(f"{count} bytes are missing after it")

    @property
    def held(self) -> int:
        """How many bytes are held."""
        return len(self._buffer) + (0 if self._post is None else len(self._post.body))

    def finish(self) -> list[Post]:
        """Return a body that has no length as whole: the other end answers it."""
        post = self._post
        return [] if post is None or post.chunked or post.left is not None else [self._complete()]

    def end(self, why: str = "") -> list[Post]:
        """Return what is unfinished when nothing more comes, or `why` it cannot be finished."""
        if self._post is not None:
            post = self._post
            post.take(self._buffer, len(self._buffer))
            self._buffer.clear()
            if post.left is not None or post.chunked or why:
                post.whole = False
                post.problems.append(why or f"it ends after {post.size} bytes of the body")
            return [self._complete()]
        rest = bytes(self._buffer).strip(b"\r\n")
        self._buffer.clear()
        self._searched = 0
        if not rest:
            return []
        words = (why or "it ends before its head does",)
        if not (HTTP_METHOD.match(rest) or _ANSWER.match(rest)):
            return [Post(b"", rest, len(rest), words, whole=False)]
        start, _, body = rest.partition(b"\n")
        body = body if IN_TEXT.search(body) else b""  # headers, as a rule
        return [Post(start.strip(), body, len(body), words, whole=False)]

    def _step(self, whole: list[Post]) -> bool:
        post = self._post
        if post is None:
            return self._begin(whole)
        if post.chunked and not post.left:
            return self._next_chunk(whole)
        wanted = len(self._buffer) if post.left is None else min(post.left, len(self._buffer))
        post.take(self._buffer, wanted)
        del self._buffer[:wanted]
        if post.left == 0 and not post.chunked:
            whole.append(self._complete())
            return bool(self._buffer)
        return bool(self._buffer)

    def _begin(self, whole: list[Post]) -> bool:
        buffer = self._buffer
        empty = _EMPTY_LINES.match(buffer)
        assert empty is not None
        del buffer[: empty.end()]
        if not buffer:
            self._searched = 0
            return False
        known = HTTP_METHOD.match(buffer) or _ANSWER.match(buffer)
        if known is None and len(buffer) >= 24:
            return self._resynchronise(whole)
        found = _END_OF_HEAD.search(buffer, max(0, self._searched - 2), HEAD_LIMIT)
        if found is None:
            self._searched = len(buffer)
            if len(buffer) >= HEAD_LIMIT:
                whole += self.end(f"its head is longer than {HEAD_LIMIT} bytes")
            return False
        head = b"\n" + bytes(buffer[: found.start()])
        del buffer[: found.end()]
        self._searched = 0
        self._post = _unfinished(head, self._is_bodiless)
        if self._post.left == 0 and not self._post.chunked:
            whole.append(self._complete())
        return bool(buffer)

    def _resynchronise(self, whole: list[Post]) -> bool:
        """Give what is between messages as something broken, up to where the next one begins."""
        found = _NEXT.search(self._buffer, max(0, self._searched - _LONGEST_MARK))
        if found is None and len(self._buffer) < BODY_LIMIT:
            self._searched = len(self._buffer)
            return False
        self._searched = 0
        end = len(self._buffer) if found is None else found.start() + 1
        rest = bytes(self._buffer[:end]).strip(b"\r\n")
        del self._buffer[:end]
        problem = "no request or answer begins so"
        whole.append(Post(b"", rest, len(rest), (problem,), whole=False))
        return found is not None

    def _next_chunk(self, whole: list[Post]) -> bool:
        post = self._post
        assert post is not None
        end = self._buffer.find(b"\n", 0, _CHUNK_LINE)
        if end < 0:
            if len(self._buffer) >= _CHUNK_LINE:
                return self._broken_chunk(whole)
            return False
        line = bytes(self._buffer[:end])
        if post.in_trailer:
            del self._buffer[: end + 1]
            if not line.strip(b"\r"):
                whole.append(self._complete())
            return bool(self._buffer)
        if not line.strip(b"\r") and post.size and not post.after_chunk:
            del self._buffer[: end + 1]
            post.after_chunk = True
            return bool(self._buffer)
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            return self._broken_chunk(whole)
        del self._buffer[: end + 1]
        post.after_chunk = False
        post.left = int(size[1], 16)
        post.in_trailer = post.left == 0
        return bool(self._buffer)

    def _broken_chunk(self, whole: list[Post]) -> bool:
        """Take the rest as it stands: the chunks are no chunks."""
        post = self._post
        assert post is not None
        post.chunked = False
        post.left = None
        post.whole = False
        post.problems.append("a chunk does not begin with its size")
        return self._step(whole)

    def _complete(self) -> Post:
        post = self._post
        assert post is not None
        self._post = None
        return Post(post.start, bytes(post.body), post.size, tuple(post.problems), post.whole)


@dataclass(slots=True)
class _Unfinished:
    """A message whose body is being read: `left` bytes more, None for as many as come."""

    start: bytes
    left: int | None
    chunked: bool
    problems: list[str]
    body: bytearray
    size: int = 0
    whole: bool = True
    after_chunk: bool = True
    in_trailer: bool = False

    def take(self, data: bytearray, count: int) -> None:
        """Move so many bytes to the body; what is beyond the longest line is only counted."""
        room = BODY_LIMIT - len(self.body)
        self.body += data[: min(count, room)]
        self.size += count
        if self.left is not None:
            self.left -= min(count, self.left)

    def skip(self, count: int) -> bool:
        """Return whether missing bytes are all in the body, which then goes on after them."""
        if self.chunked and (self.left is None or count > self.left or self.in_trailer):
            return False
        if self.left is not None and count > self.left:
            return False
        self.whole = False
        self.size += count
        if self.left is not None:
            self.left -= count
        return True


def _unfinished(head: bytes, is_bodiless: Callable[[], bool]) -> _Unfinished:
    """Return the message that a head begins. The head has a line end before it."""
    start = head[1:].partition(b"\n")[0].strip()
    answer = _ANSWER.match(start)
    problems: list[str] = []
    left: int | None
    if answer is not None:
        status = int(answer[1])
        left = 0 if status < 200 or is_bodiless() or status in _BODILESS else None
    else:
        left = None if start.startswith(b"POST") else 0
    chunked = False
    if left is None:
        chunked = _CHUNKED.search(head) is not None
        left = 0 if chunked else _stated(head, problems)
    return _Unfinished(start, left, chunked, problems, bytearray())


def _stated(head: bytes, problems: list[str]) -> int | None:
    said = [value.strip() for value in _LENGTH.findall(head)]
    numbers = [int(value) for value in said if value.isdigit() and len(value) <= 15]
    if len(numbers) < len(said):
        problems.append(f"its Content-Length is {show(b', '.join(said), 40)!r}, which is no number")
    elif len(set(numbers)) > 1:
        problems.append(f"it has several lengths: {show(b', '.join(said), 40)}")
    return numbers[-1] if numbers else None
