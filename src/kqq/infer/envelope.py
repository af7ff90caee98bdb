"""HTTP, if the unknown protocol travels in it: what stands in the bodies, and in queries.

HTTP is no part of what is looked for; it is unpacked so that what is inside can be. Reading is
generous, as what comes may be cut or broken: a body without a length goes on to the end.
"""

import re

_REQUEST = re.compile(rb"[\r\n]{0,4}[A-Z]{3,12} [^\r\n]*?HTTP/1\.[01]\r?\n|[A-Z]{3,12} /\S* HTTP/1")
_ANSWER = re.compile(rb"[\r\n]{0,4}HTTP/1\.[01] [0-9]{3}")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(
    rb"^content-length[ \t]*:[ \t]*([0-9]{1,12})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)
_CHUNKED = re.compile(
    rb"^transfer-encoding[ \t]*:[ \t]*chunked[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]{0,256}\r?\n")
_QUERY = re.compile(rb"\S+ [^ ?\r\n]*\?([^ \r\n]*)")


def is_http(start: bytes) -> bool:
    """Whether bytes begin as an HTTP request or answer does."""
    return bool(_REQUEST.match(start) or _ANSWER.match(start))


def unpack(data: bytes) -> list[tuple[bytes, int]]:
    """Return what HTTP messages carry, each with the offset in `data` at which it is complete.

    That is the body, or, where a request has none, the query in its path. Empty ones are not given.
    """
    found = []
    place = 0
    while (head := _END_OF_HEAD.search(data, place)) is not None:
        text = data[place : head.end()]
        body, place = _body(data, head.end(), text)
        if not body and (query := _QUERY.match(text.lstrip(b"\r\n"))) is not None:
            body = query[1]
        if body:
            found.append((body, place))
    return found


def _body(data: bytes, start: int, head: bytes) -> tuple[bytes, int]:
    """Return the body that begins at `start`, and where it ends."""
    if _CHUNKED.search(head):
        parts = []
        while (size := _CHUNK.match(data, start)) is not None:
            start = size.end() + int(size[1], 16)
            parts.append(data[size.end() : start])
            start += len(b"\r\n") if data[start : start + 2] == b"\r\n" else 1
            if not int(size[1], 16):
                break
        return b"".join(parts), min(start, len(data))
    length = _LENGTH.search(head)
    if length is not None:
        end = min(start + int(length[1]), len(data))
    elif _ANSWER.match(head):
        end = len(data)
    else:
        end = start
    return data[start:end], end
