"""Bytes to lines, and lines to parts.

A line is what stands between two line ends, LF with or without CR before it (SEED and VB send
CRLF, ZN, QB and YIWO a bare LF; the server always CRLF). Its parts stand between `&`. Nothing here
knows a command; whatever bytes come, a `Line` holds all of them.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from kqq.errors import RemoteProtocolError

LINE_LIMIT = 65536
"""Bytes a line may have, its end not counted. Known lines stay below 2,000 (a captcha is the
longest); the limit only bounds what a hostile or broken peer can make us hold."""

_make = tuple.__new__  # quicker than to be called by name, and there is one for each line

_SECRET = re.compile(
    rb"((?:(?<![A-Za-z0-9_])|(?<=%26))"
    rb"(?:(?:P|%[57]0)(?:S|%[57]3)|(?:S|%[57]3){1,2}(?:G|%[46]7)|password|passwd|pwd|again)"
    rb"[\x00-\x20\x80-\xff]*(?:=|%3D)|(?:PS|SG)=(?=[0-9A-F]{32}))"
    rb"(?:\s+[0-9A-F]{32})?(?:[^&\r\n]|\r(?!\n))*",
    re.IGNORECASE,
)
"""Fields whose values are never shown, their keys escaped or not, or right behind another value
where a `&` was forgotten. The last are those of forms, which somebody may send where lines are
expected."""


_PREFIX = 2
"""Bytes of the longest length that clients put before a line; either may be any byte, `=` too."""
_HASH = re.compile(rb"[0-9A-Fa-f]{32,}")
"""A password's MD5 in a line so broken that nobody sees it is one."""
_PERHAPS = re.compile(
    rb"(?<![0-9A-Fa-f])(?<!VC=)[0-9A-Fa-f]{32,}|(?:^|(?<=[&\n]))[0-9A-Fa-f]{8,}(?=[&\r\n]|$)"
)
"""Such an MD5, or the rest of one whose key is missing; a picture (`VC`) is none."""


def mask(text: str) -> str:
    """Return `text` with passwords and session keys replaced by `***`: `PS`, `SG`, `SSG`.

    Works on any text that holds lines, whole or broken: logs, transcripts and errors use it.
    """
    return mask_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def mask_bytes(raw: bytes) -> bytes:
    """Return `raw` with the values of `PS`, `SG` and `SSG` replaced by `***`."""
    return _SECRET.sub(rb"\1***", raw)


def mask_broken(text: str) -> str:
    """Return a broken line with all replaced that may be a secret, or a part of one.

    Its key may be missing where a capture begins in the middle of a line or bytes are lost.
    """
    return mask_broken_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def mask_broken_bytes(raw: bytes) -> bytes:
    """Return what `mask_broken` does for bytes."""
    return _PERHAPS.sub(b"***", mask_bytes(raw))


def show(data: bytes, most: int = 120) -> str:
    """Return the start of `data` as one printable line for a log or an error, secrets masked."""
    masked = _HASH.sub(b"***", mask_bytes(data[: most * 4]))
    text = masked.decode("utf-8", "backslashreplace")
    text = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)
    return text if len(text) <= most and len(data) <= most * 4 else text[:most] + "…"


class Line(NamedTuple):
    """One line as it came: `junk` (bytes in front of it), then `text`. The line end is not kept.

    Bytes that are not UTF-8 are lone surrogates in `text` and come back from `encode()`.
    """

    text: str
    junk: bytes = b""

    def __repr__(self) -> str:
        return f"Line({show(self.encode())!r})"

    @classmethod
    def decode(cls, raw: bytes) -> "Line":
        """Return the line that `raw` is, with or without a line end. Never fails.

        COMPAT(ZNQQ, QQBot): bytes before the first `VER=` are junk, as long as no field stands
        among them (two bytes are too few for one); these clients put a binary length in front of
        some lines. Cutting happens before UTF-8 is decoded. Where fields come in another order
        (JAVA, urllib2) `VER` is not first and nothing is cut.
        """
        if raw.endswith(b"\n"):
            raw = raw[:-1]
        if raw.endswith(b"\r"):
            raw = raw[:-1]
        if raw.startswith(b"VER="):
            return _make(cls, (raw.decode("utf-8", "surrogateescape"), b""))
        start = raw.find(b"VER=")
        if start > 0 and (start <= _PREFIX or b"=" not in raw[:start]):
            return cls(raw[start:].decode("utf-8", "surrogateescape"), raw[:start])
        return cls(raw.decode("utf-8", "surrogateescape"))

    def encode(self) -> bytes:
        """Return the bytes the line was read from, without the line end."""
        return self.junk + self.text.encode("utf-8", "surrogateescape")

    @property
    def parts(self) -> list[str]:
        """What stands between the `&`s, as sent, empty parts included."""
        return self.text.split("&")

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each non-empty part as (key, value); the key is "" where a part has no `=`."""
        return _pairs(self.parts)

    def values(self, rest: str | None = None, after: Collection[str] = ()) -> dict[str, str]:
        """Return the first value of each key, as sent.

        `rest` names a field that takes everything to the end of the line, raw `&` included, once
        all keys in `after` stand before it; words that a client forgot to escape (GO) stay whole,
        and clients that send fields in any order are still read.
        """
        found: dict[str, str] = {}
        parts = self.parts
        for position, part in enumerate(parts):
            key, equals, value = part.partition("=")
            if not equals or (key := key.strip()) in found:
                continue
            if key == rest and all(other in found for other in after):
                found[key] = "&".join([value, *parts[position + 1 :]])
                break
            found[key] = value
        return found


def _pairs(parts: list[str]) -> list[tuple[str, str]]:
    pairs = []
    for part in parts:
        key, equals, value = part.partition("=")
        if equals:
            pairs.append((key, value))
        elif part:
            pairs.append(("", part))
    return pairs


class LineBuffer:
    """Cuts a stream of bytes into lines, however the bytes are split.

    `error` is set for good when a line grows past `limit` bytes; lines before it are still given.
    """

    __slots__ = (
        "_limit",
        "_pending",
        "error",
    )

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._pending = bytearray()
        self.error: RemoteProtocolError | None = None

    @property
    def pending(self) -> bytes:
        """The bytes of a line whose end has not come."""
        return bytes(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines completed by `data`, in order, without LF (a CR before it stays)."""
        if self.error is not None:
            return []
        if self._pending:
            self._pending += data
            if b"\n" not in data:
                self._check(self._pending)
                return []
            data = bytes(self._pending)
            self._pending.clear()
        lines = data.split(b"\n")
        self._pending += lines.pop()
        for position, line in enumerate(lines):
            if len(line) > self._limit:
                self._check(line)
                return lines[:position]
        self._check(self._pending)
        return lines

    def gather(self, data: bytes) -> RemoteProtocolError | None:
        """Take `data` without cutting it; `pending` has it all. Returns `error` once too long."""
        if self.error is None:
            self._pending += data
            self._check(self._pending)
        return self.error

    def _check(self, line: bytes | bytearray) -> None:
        if len(line) > self._limit:
            self.error = RemoteProtocolError(
                f"a line is longer than {self._limit} bytes and starts {show(bytes(line[:64]))!r}; "
                "nothing after it can be trusted, so the connection must be closed"
            )
            self._pending.clear()
