r"""Logs, JSON lines and plays without the people in them, a line of text at a time.

Escapes stay escapes: `\xe4`, `\u4f60` and `\n` in quotes are read as what they stand for, and
written in the same way again. Text around lines of the protocol is replaced unless it is a time, a
direction or another usual word of logs.
"""

import json
import re
from typing import Any

from kqq.anonymise.lines import HELD, Lines, spared
from kqq.capture.meaning import fields_of, meaning
from kqq.protocol.evidence import SOURCES
from kqq.protocol.explain import sender_of
from kqq.protocol.messages import Role, decode
from kqq.protocol.wire import Line

_START = re.compile(rb"(?<![A-Za-z0-9_%])(?:VER|CMD|SERERCONFIG_NUM)[ \t]*=[^&\r\n]{0,64}&")
_FIELDS_BEFORE = re.compile(rb"(?:[A-Z][A-Z0-9]{1,3}=[^&\s\"']{0,64}&)+\Z")
_QUOTED = re.compile(rb'(?<!\\)"(?:[^"\\]|\\.)*"')
_TAIL = b"\r\n\"'`)]}>; \t"
_BEFORE = 512  # bytes in front of `VER` in which other fields may stand
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[rnt0\"'\\/bf]"
)
_SINGLE = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"b": b"\b", b"f": b"\f"}

_USUAL = re.compile(
    rb"(?i)(?<![\w%])(?:"
    rb"\d{1,3}(?:\.\d{1,3}){3}(?:[.:]\d{1,5})?|b(?=[\"'])"
    rb"|\d{4}[-/.]\d\d?[-/.]\d\d?(?:[T ]\d\d?:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?"
    rb"|\d\d?:\d\d:\d\d(?:[.,]\d{1,9})?|\d\d?/[A-Z]{3}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?"
    rb"|\d{9,10}\.\d{1,9}|\d{1,4}"
    rb"|sent|send|sending|recv|receive|received|receiving|client|server|request|reply|response|push"
    rb"|in|out|tx|rx|to|from|at|got|c|s|http|tcp|post|get|ip|ip6|line|info|debug|warning|error|kqq"
    rb"|mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    rb"|\d{5,20}"
    rb")(?![\w%])"
)
"""What stands around lines in logs and says nothing of anybody, and numbers and addresses."""
_ADDRESS = re.compile(rb"(\d{1,3}(?:\.\d{1,3}){3})(.*)")
_NAME = re.compile(rb"(?<![\w{])[A-Z][A-Za-z0-9_]*")
_PLACE = re.compile(rb"\{\{|\}\}|\{(\w+)\}")
_SPOKEN = re.compile(rb"([ \t]*)([A-Z][A-Za-z0-9_]*)([ \t]+[<>][ \t]+)(.*)", re.DOTALL)
_FIELD = re.compile(rb'(?<!\w)([A-Za-z_0-9]+)=("(?:[^"\\]|\\.)*"(?!\S)|[^\s"]\S*|(?!\S))')
_ONLY = re.compile(rb"\s*#\s*Only (?:over (?:TCP|HTTP)|in memory):")
_VERBS = re.compile(
    rb"[A-Z]\w* (?:signs (?:in|out)|disconnects|speaks|sends|receives|asks|is|accepts|refuses"
    rb"|sees)\b"
)
_KEPT_SETTINGS = {b"sex", b"face", b"who_may_write", b"who_may_add", b"captcha"}

_EVIDENCE = re.compile(rb"(?<!\w)(?:" + "|".join(SOURCES).encode() + rb")(?!\w)")

_KNOWN_KEYS = {
    "number", "time", "stream", "frame", "over", "sender", "direction", "transport", "kind",
    "seconds", "answers", "whole", "version", "source", "file_line",
}  # fmt: skip
_KEPT_WORDS = {"document", "unreadable", *SOURCES}  # besides what is usual in logs
_PLAIN_KEY = re.compile(r"[A-Za-z_.-]*")


def undone(quoted: bytes) -> tuple[bytes, list[tuple[bytes, int]]]:
    """Return what escapes stand for, and the pieces: an escape (b"" for none), and its bytes."""
    plain = bytearray()
    pieces: list[tuple[bytes, int]] = []
    at = 0
    for found in _ESCAPE.finditer(quoted):
        plain += quoted[at : found.start()]
        pieces.append((b"", found.start() - at))
        meant = _meant(found[0])
        plain += meant
        pieces.append((found[0], len(meant)))
        at = found.end()
    plain += quoted[at:]
    pieces.append((b"", len(quoted) - at))
    return bytes(plain), pieces


def redone(plain: bytes, pieces: list[tuple[bytes, int]]) -> bytes:
    """Return `plain` with escapes where they stood."""
    done = []
    at = 0
    for escape, size in pieces:
        part = plain[at : at + size]
        at += size
        if not escape or part == _meant(escape):
            done.append(escape or part)
        elif escape[1:2] == b"x":
            done.append((b"\\x%02x" if escape == escape.lower() else b"\\x%02X") % part[0])
        else:
            signs = part.decode("utf-8", "surrogateescape")
            signs = signs if len(signs) == 1 else "\ufffd"  # it was half a sign
            text = signs.encode("utf-16-be", "surrogatepass")
            units = [text[place : place + 2].hex() for place in range(0, len(text), 2)]
            is_lower = escape == escape.lower()
            done.extend(f"\\u{unit if is_lower else unit.upper()}".encode() for unit in units)
    return b"".join(done)


def _meant(escape: bytes) -> bytes:
    """Return the bytes that an escape stands for."""
    if escape[1:2] == b"x":
        return bytes.fromhex(escape[2:].decode())
    if escape[1:2] == b"u":
        units = bytes.fromhex(escape.replace(b"\\u", b"").decode())
        return _encoded(units.decode("utf-16-be", "surrogatepass"))
    return _SINGLE.get(escape[1:], escape[1:])


class Logs:
    """Rewrites a log, or JSON lines; what holds no line of the protocol is left out or replaced."""

    def __init__(self, lines: Lines, *, keep_foreign: bool = False) -> None:
        self._lines = lines
        self._keep_foreign = keep_foreign

    def line(self, raw: bytes) -> bytes:
        """Return a line of text, b"" if it is left out."""
        if raw.lstrip().startswith(b"{"):
            found = _object(raw)
            if found is not None and _holds_line(found):
                return self._json(raw, found)
        start = _START.search(raw)
        if start is None:
            return self._other(raw)
        at = start.start()
        before = _FIELDS_BEFORE.search(raw[max(at - _BEFORE, 0) : at])
        at -= len(before[0]) if before is not None else 0
        quote = raw[at - 1 : at] if at and raw[at - 1 : at] in (b'"', b"'", b"`") else b""
        end = _end_of(raw, at, quote)
        end = at + len(raw[at:end].rstrip(_TAIL))
        plain, pieces = undone(raw[at:end])
        junk = len(plain) - len(plain.lstrip(b"\r\n"))
        body = plain[:junk] + self._lines.line(plain[junk:])
        return self.around(raw[:at]) + redone(body, pieces) + self.around(raw[end:])

    def around(self, raw: bytes) -> bytes:
        """Return what stands around lines, with all but the usual words replaced."""
        if self._lines.is_meeting:
            return raw
        return spared(raw, _USUAL, self._lines.values.words, self._usual)

    def _usual(self, found: bytes) -> bytes:
        values = self._lines.values
        address = _ADDRESS.fullmatch(found)
        if address is not None:
            return values.address_in_words(address[1]) + address[2]
        if found.isdigit() and len(found) > 4:
            return values.number(found) if values.has_met(found) else values.words(found)
        return found

    def _other(self, raw: bytes) -> bytes:
        if not raw.strip() or self._lines.is_meeting:
            return raw
        if not self._keep_foreign:
            self._lines.report.left_out["lines of text without a line of the protocol"] += 1
            return b""
        self._lines.report.doubts["lines of text without a line of the protocol"] += 1
        return self.around(raw)

    # --- JSON ------------------------------------------------------------------------------------

    def _json(self, raw: bytes, found: dict[str, Any]) -> bytes:
        """Return an object of which one value is a line; the others are made to fit it."""
        old = _line_of(found)
        new = self._lines.line(old)
        if self._lines.is_meeting:
            return raw
        done = {self._key(key): self._member(key, value, old, new) for key, value in found.items()}
        end = raw[len(raw.rstrip()) :]
        separators = (", ", ": ") if b'": ' in raw else (",", ":")
        text = json.dumps(done, ensure_ascii=raw.isascii(), separators=separators)
        return text.encode("utf-8", "surrogateescape") + end

    def _member(self, key: str, value: Any, old: bytes, new: bytes) -> Any:
        line, sender = Line.decode(new), sender_of(Line.decode(old))
        if key == "line":
            return new.decode("utf-8", "surrogateescape")
        if key == "hex":
            return new.hex()
        if key == "fields" and isinstance(value, dict):
            return fields_of(line, decode(line, sender), sender)
        if key == "odd" and isinstance(value, list):
            return self._odd(value, old, new, sender)
        if key in ("uin", "command"):
            return self._word(value) if isinstance(value, int) else line.values().get("CMD", value)
        is_kept = value in _KEPT_WORDS if isinstance(value, str) else not _has_parts(value)
        if key in _KNOWN_KEYS and is_kept:
            return value
        return self._word(value)

    def _odd(self, odd: list[Any], old: bytes, new: bytes, sender: Role) -> list[Any]:
        """Return what is odd about a line; of it what says how the line is made is said anew."""
        before = meaning(Line.decode(old), sender)[1]
        after = meaning(Line.decode(new), sender)[1]
        made = dict(zip(before, after, strict=False))
        return [made.get(one) or self._word(one) for one in map(str, odd)]

    def _key(self, key: str) -> str:
        """Return the name of a member; one that is no plain word may be somebody's number."""
        return key if _PLAIN_KEY.fullmatch(key) else str(self._word(key))

    def _word(self, value: Any) -> Any:
        """Return what replaces a value of any kind."""
        if isinstance(value, str):
            return self.around(_encoded(value)).decode("utf-8", "surrogateescape")
        if isinstance(value, list):
            return [self._word(one) for one in value]
        if isinstance(value, dict):
            return {self._key(key): self._word(one) for key, one in value.items()}
        if isinstance(value, float):
            return self._fraction(value)
        if isinstance(value, int) and not isinstance(value, bool):
            other = int(self._usual(str(abs(value)).encode()))
            return other if value >= 0 else -other
        return value

    def _fraction(self, value: float) -> float:
        """Return what replaces a number with a point in it, 0 if nothing like it can."""
        try:
            return float(self._lines.values.words(repr(value).encode()))
        except ValueError:  # it has letters in it: of an exponent, or none at all
            return 0.0


def _end_of(raw: bytes, at: int, quote: bytes) -> int:
    """Return where a line of the protocol in text ends: at its quote, or at the end."""
    if quote:
        end = raw.find(quote, at)
        while end > 0 and raw[end - 1 : end] == b"\\":
            end = raw.find(quote, end + 1)
        if end > 0:
            return end
    return len(raw)


def _has_parts(value: Any) -> bool:
    return isinstance(value, dict | list)


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(raw.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _holds_line(found: dict[str, Any]) -> bool:
    return bool(_line_of(found))


def _line_of(found: dict[str, Any]) -> bytes:
    """Return the line that an object holds, b"" if it holds none."""
    digits, line = found.get("hex"), found.get("line")
    if isinstance(digits, str):
        try:
            return bytes.fromhex(digits)
        except ValueError:
            return b""
    return _encoded(line) if isinstance(line, str) else b""


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a sign, which stands for no byte
        return text.encode("utf-8", "surrogatepass")


class Plays:
    """Rewrites a play, a statement at a time; people get other names, comments other words."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def line(self, raw: bytes) -> bytes:
        """Return a line of a play's file."""
        if self._lines.is_meeting:
            spoken = _SPOKEN.fullmatch(raw)
            if spoken is not None:
                self._said(spoken[4])
            return raw
        stripped = raw.strip()
        if stripped.startswith(b"#"):
            only = _ONLY.match(raw)
            at = only.end() if only is not None else 0
            words = self._lines.values.words
            return raw[:at] + spared(raw[at:], _EVIDENCE, words, lambda found: found)
        spoken = _SPOKEN.fullmatch(raw)
        if spoken is not None:
            body = spoken[4].rstrip()
            end = spoken[4][len(body) :]
            name = self._lines.values.name(spoken[2])
            return spoken[1] + name + spoken[3] + self._said(body) + end
        if stripped.startswith(b"server "):
            return self._server(raw)
        if not stripped or stripped.startswith(b"clock ") or _VERBS.match(stripped):
            return spared(raw, _QUOTED, self._names, self._quoted)
        self._lines.report.doubts["lines of a play that are no statements"] += 1
        return self._lines.values.words(raw)

    def _names(self, raw: bytes) -> bytes:
        if re.search(rb" speaks (?:TCP|HTTP)", raw):
            name, space, rest = raw.partition(b" ")
            return self._names(name) + space + rest
        return _NAME.sub(lambda found: self._lines.values.name(found[0]), raw)

    def _server(self, raw: bytes) -> bytes:
        """Return a statement about the server: names, and what an account is to be."""
        if raw.strip().startswith(b"server set "):
            return raw
        return spared(raw, _FIELD, self._names, self._setting)

    def _setting(self, found: bytes) -> bytes:
        key, equals, value = found.partition(b"=")
        if key in _KEPT_SETTINGS:
            return found
        other = self._quoted(value) if value.startswith(b'"') else self._lines.values.words(value)
        return key + equals + other

    def _quoted(self, quoted: bytes) -> bytes:
        plain, pieces = undone(quoted[1:-1])
        return b'"' + redone(self._lines.prose(plain), pieces) + b'"'

    # --- lines of the protocol -------------------------------------------------------------------

    def _said(self, body: bytes) -> bytes:
        """Return what somebody says or gets: a line, a string, or fields."""
        held, places = self._hold(body)
        if held.startswith(b"VER="):
            done = self._lines.line(held)
        elif _QUOTED.fullmatch(held):
            plain, pieces = undone(held[1:-1])
            rows = re.findall(rb"[^\n]*\n|[^\n]+", plain)
            done = b'"' + redone(b"".join(map(self._lines.line, rows)), pieces) + held[-1:]
        else:
            done = self._fields(held)
        return self._release(done, places)

    def _fields(self, held: bytes) -> bytes:
        written = {found[1]: found[2].strip(b'"') for found in _FIELD.finditer(held)}
        command = written.get(b"CMD", b"").decode("latin-1").upper()
        types = written.get(b"MT", b"").split(b",")
        self._lines.found += 1

        def replace(found: bytes) -> bytes:
            key, _, value = found.partition(b"=")
            if not value.startswith(b'"'):
                return key + b"=" + self._lines.value(key, value, command, types)
            plain, pieces = undone(value[1:-1])
            other = self._lines.value(key, plain, command, types)
            return key + b'="' + redone(other, pieces) + b'"'

        return spared(held, _FIELD, self._between, replace)

    def _between(self, raw: bytes) -> bytes:
        """Return what stands between fields: dots, or what does not belong there."""
        if not raw.strip(b" \t." + HELD) or self._lines.is_meeting:
            return raw
        self._lines.report.doubts["parts of lines that are no fields"] += 1
        return self._lines.values.words(raw)

    def _hold(self, body: bytes) -> tuple[bytes, list[bytes]]:
        """Return `body` with names in braces held, and those, with people's names replaced."""
        places: list[bytes] = []

        def hold(found: re.Match[bytes]) -> bytes:
            name = found[1]
            is_person = name is not None and _NAME.fullmatch(name) is not None
            if is_person and not self._lines.is_meeting:
                places.append(b"{" + self._lines.values.name(name) + b"}")
            else:
                places.append(found[0])
            return HELD * len(found[0])

        return _PLACE.sub(hold, body), places

    def _release(self, held: bytes, places: list[bytes]) -> bytes:
        done = bytearray(held)
        at = 0
        for place in places:
            at = done.index(HELD, at)
            done[at : at + len(place)] = place
            at += len(place)
        return bytes(done)
