"""Lines of the protocol without the people in them, and what stands around lines in HTTP.

What is known to say nothing of anybody stays: commands, codes, counts. All else is replaced, also
what nobody knows; that is then said, since nobody can vouch for it.
"""

import re
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

from kqq.anonymise.values import Values
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES
from kqq.protocol.explain import sender_of, spec_of
from kqq.protocol.schema import Spec
from kqq.protocol.wire import LINE_LIMIT, Line

_CODES = {
    b"VER", b"CON", b"RES", b"HI", b"LI", b"M5", b"LG", b"ST", b"CM", b"TO", b"TN", b"FN", b"SN",
    b"MN", b"MT", b"CD", b"LV", b"NP", b"FC", b"SP", b"COMP", b"CKE",
    b"SERERCONFIG_NUM", b"UPDATAECONFIG_NUM", b"SMSSERVICE_NUM", b"UPDATECONFIG_VERSION",
}  # fmt: skip
"""Fields that stay as long as they are short numbers."""
_CODE = re.compile(rb"[\d. ]{0,6}(?:,[\d. ]{0,6})*,?")
_CODES_OF_A_PROFILE = {b"SX", b"BT", b"CO", b"SH"}
_CODE_OF_A_STATUS = re.compile(rb"\d{1,3}")
_CODE_OF_A_PROFILE = re.compile(rb"\d{0,2}")
_SEQ = re.compile(rb"\d{0,20}")
_NUMBERS = {b"UIN", b"UN"}
_CONSTANTS = {  # codes of clients' builds, and what clients put where nobody knows what belongs
    b"LC": {b"9326B87B234E7235", b"B58D4DF7758A47E7", b"812822641C978097", b"2EC70D1101DB674F"},
    b"XP": {b"", b"null", b"C4CA4238A0B92382", b"28F8088A712FE94B", b"29E41F6186ED43F8"},
    b"SID": {b"", b"null"},
    b"UPDATECONFIG_MUST": {b"Y", b"N"},
}
_HEX = {b"LC", b"XP", b"PS", b"SG"}
_WORDS = {
    b"SID", b"SSG", b"RA", b"NT", b"GD", b"MG", b"NK", b"RS", b"AD", b"AG", b"CT", b"CV", b"CY",
    b"EM", b"HP", b"ID", b"JB", b"MO", b"MV", b"PC", b"PH", b"PR", b"PV", b"RN", b"SC", b"VC",
    b"SI", b"SERVERCONFIG_TYPE", b"SERVERCONFIG_URL", b"UPDATECONFIG_URL", b"UPDATECONFIG_HELPTXT",
    b"UPDATECONFIG_MUST", b"SMSSERVICE_NAME", b"SMSSERVICE_ADDRESS", b"SMSSERVICE_TEXT",
    b"SMSSERVICE_HELPTXT",
}  # fmt: skip
_LISTS = {"GETMSGEX", "SIMPLEINFO2", "QUERY_STAT", "FINGER"}
_LOGIN, _CAPTCHA = "LOGIN", "VERIFYCODE"
_STATUS_TYPE = b"99"  # a message that says somebody's status in its text
HELD = b"\x02"
"""Stands for a byte of something that is no value, such as a name in braces in a play."""
_NO_NUMBERS = re.compile(rb"[^\d,\s\x02]")
_DIGIT_RUN = re.compile(rb"\d+")
_ALL_HEX = re.compile(rb"[0-9A-Fa-f]+")
_PLAIN_KEY = re.compile(rb"[A-Z][A-Z0-9]{0,3}|[A-Z]{5,12}_[A-Z]{3,10}")
_ADDRESS = re.compile(rb"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_SPARED = re.compile(
    rb"(?<![\w%])(?:[sS]ocket|[hH]ttps?|KQQTCP|KQQHTTP)(?![\w%])|:\d{1,5}(?!\d)|"
    + _ADDRESS.pattern
    + rb"|(?<![\d.])\d{5,20}(?![\d.])"
)
_NAMES = {name.upper() for name in (*REQUESTS, *RESPONSES)}
_PLACES_BEFORE = 2  # bytes of a length that some clients put before a line

_START = re.compile(rb"(?:VER|CMD)[ \t]*=")
_HEAD = re.compile(rb"\bCMD[ \t]*=.*&(?:SEQ|UIN)[ \t]*=|&CMD[ \t]*=", re.DOTALL)
_PEOPLE = re.compile(rb"(?:\A|&)[ \t]*(?:UIN|UN)[ \t]*=([^&]*)")
_FIELDS = re.compile(rb"&[A-Z]{2,3}=[^&]*&[A-Z]{2,3}=")
_HTTP = re.compile(rb"[A-Z]{3,8} \S* ?HTTP/\d|HTTP/\d(?:\.\d)? \d")
_HEADER = re.compile(rb"([!-9;-~]{1,64})([ \t]*:[ \t]*)")
_LENGTH = re.compile(rb"(?i)content-length[ \t]*:[ \t]*(\d{1,9})\s*$")
_ROWS = re.compile(rb"[^\n]*\n|[^\n]+")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,6}\r?\n")
_KEPT_HEADERS = {
    b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"cache-control",
    b"connection", b"content-encoding", b"content-length", b"content-type", b"date", b"expect",
    b"keep-alive", b"pragma", b"proxy-connection", b"transfer-encoding", b"vary", b"allow",
}  # fmt: skip
_KEPT_WORDS = re.compile(
    rb"(?i)(?<![\w%])(?:[a-z]{1,2}|\d{1,4}|text|plain|html|xml|json|css|application|www|form|urlencoded"
    rb"|octet|stream|image|png|gif|jpeg|wap|vnd|wml|wmlc|charset|utf|iso|gbk|chunked|identity|gzip"
    rb"|deflate|compress|close|keep|alive|cache|store|max|age|private|public|must|revalidate|timeout"
    rb"|continue|level|mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    rb"|gmt|get|post|head|options|put|accept|encoding|language|user|agent|origin|cookie|upgrade)"
    rb"(?![\w%])"
)
"""What stands in these headers usually; whatever else somebody put there is replaced."""
_KEPT_VERSION = re.compile(rb"HTTP/\d(?:\.\d)?")
_STATUS_LINE = re.compile(rb"(HTTP/\d(?:\.\d)? \d{3}(?!\d))(.*)", re.DOTALL)
_KEPT_REASONS = {b"", *(status.phrase.lower().encode() for status in HTTPStatus)}
_KEPT_AGENTS = {b"UNTRUSTED/1.1", b"iQQol Client"}
_KEPT_PATHS = re.compile(rb"/?(?:newConf/kjava/aubin2\.jsp)?")


class Report:
    """What was replaced, what was left out, and what nobody can vouch for, counted by its name."""

    def __init__(self) -> None:
        self.replaced: Counter[str] = Counter()
        self.left_out: Counter[str] = Counter()
        self.doubts: Counter[str] = Counter()


class Lines:
    """Rewrites lines: each keeps its length, its fields and its commas.

    Of two passes over a file the first only meets the numbers in it: `is_meeting`.
    """

    def __init__(self, values: Values, report: Report, *, is_meeting: bool = False) -> None:
        self.values = values
        self.report = report
        self.is_meeting = is_meeting
        self.found = 0  # lines of the protocol

    def line(self, raw: bytes, *, has_start: bool = True, has_end: bool = True) -> bytes:
        """Return a line, without or with its end, with everything personal replaced.

        Without `has_start` or `has_end` it is a part of a line, of which the rest is not known.
        """
        body = raw.rstrip(b"\r\n")
        end = raw[len(body) :]
        if not body:
            return raw
        if self.is_meeting:
            self._meet(body)
            return raw
        start = _START.search(body)
        is_document = any(key.encode() in body for key in DOCUMENTS)
        if start is None and not is_document and (not has_start or _FIELDS.search(body)):
            return self._part(body) + end
        if start is None and not is_document:
            self._doubt("lines that are none of the protocol")
            return self._words(body) + end
        junk = b"" if start is None or b"=" in body[: start.start()] else body[: start.start()]
        rest = self._fields(body[len(junk) :], has_end=has_end)
        if len(junk) > _PLACES_BEFORE:
            self._doubt("bytes before lines")
            junk = self._words(junk)
        return junk + rest + end

    def _meet(self, body: bytes) -> None:
        is_ours = _HEAD.search(body) is not None
        self.found += is_ours or any(key.encode() in body for key in DOCUMENTS)
        for value in _PEOPLE.findall(body):
            for digits in _DIGIT_RUN.findall(value):
                self.values.meet(digits)

    def number(self, digits: bytes) -> bytes:
        """Return what replaces somebody's number."""
        if self.is_meeting:
            self.values.meet(digits)
            return digits
        return self.values.number(digits)

    def prose(self, raw: bytes) -> bytes:
        """Return words replaced in which people's numbers and machines' addresses may stand."""
        if not _SPARED.search(raw) or self.is_meeting:
            return self._words(raw)
        return spared(raw, _SPARED, self._words, self._spare)

    # --- HTTP ------------------------------------------------------------------------------------

    def head(self, raw: bytes) -> bytes:
        """Return a line of the head of an HTTP message, with everything personal replaced."""
        body = raw.rstrip(b"\r\n")
        end = raw[len(body) :]
        if not body:
            return raw
        if _HTTP.match(body):
            return self._first(body) + end
        header = _HEADER.match(body)
        if header is None:
            self._doubt("lines in heads of HTTP that are no headers")
            return self._words(body) + end
        value = body[header.end() :]
        if value in _KEPT_AGENTS or _LENGTH.match(body):
            return raw
        if header[1].lower() in _KEPT_HEADERS:
            return header[0] + spared(value, _KEPT_WORDS, self.prose, _same) + end
        return header[0] + self.prose(value) + end

    def _first(self, body: bytes) -> bytes:
        """Return the first line of an HTTP message; a path that everybody uses stays."""
        if body.startswith(b"HTTP/"):
            status = _STATUS_LINE.match(body)
            if status is None:
                version, space, rest = body.partition(b" ")
                return version + space + self._words(rest)
            reason = status[2]
            is_usual = reason.strip().lower() in _KEPT_REASONS
            return status[1] + (reason if is_usual else self._words(reason))
        method, _, rest = body.partition(b" ")
        path, space, version = rest.rpartition(b" ")
        if not _KEPT_PATHS.fullmatch(path):
            scheme, separator, place = path.rpartition(b"://")
            host, slash, inside = place.partition(b"/")
            inside = inside if _KEPT_PATHS.fullmatch(inside) else self._words(inside)
            path = scheme + separator + self.prose(host) + slash + inside
        version = version if _KEPT_VERSION.fullmatch(version) else self._words(version)
        return method + b" " + path + space + version

    # --- fields ----------------------------------------------------------------------------------

    def _fields(self, body: bytes, *, has_end: bool) -> bytes:
        line = Line(body.decode("utf-8", "surrogateescape"))
        spec = spec_of(line, sender_of(line))
        command = line.values().get("CMD", "").strip().upper()
        types = line.values().get("MT", "").encode("utf-8", "surrogateescape").split(b",")
        rest, needed = _rest_of(spec)
        parts = body.split(b"&")
        done = []
        for place, part in enumerate(parts):
            key, equals, value = part.partition(b"=")
            name = key.strip()
            needed.discard(name)
            is_last = place == len(parts) - 1
            if name == rest and not needed:
                value = b"&".join([value, *parts[place + 1 :]])
                done.append(key + equals + self.value(name, value, command, types))
                break
            if is_last and not has_end:
                done.append(self._part(part))
            elif not equals:
                done.append(self._loose(part))
            else:
                done.append(self._key(key) + equals + self.value(name, value, command, types))
        self.report.replaced[f"lines of {command}" if command in _NAMES else "other lines"] += 1
        return b"&".join(done)

    def value(self, name: bytes, value: bytes, command: str, types: list[bytes]) -> bytes:
        """Return what replaces the value of a field.

        `command` is in upper case, `types` say what each message in the line is, [b""] if nothing
        does. Where HELD stands in a value, something stands that is kept.
        """
        bare = value.strip()
        if name in _NUMBERS:
            return self._numbers(value)
        if self.is_meeting or not bare.strip(HELD) or _is_harmless(name, bare, command):
            return value
        if name == b"CMD":
            return self._command(value)
        if name in _HEX and _ALL_HEX.fullmatch(bare):
            return value.replace(bare, self.values.digits_in_hex(bare))
        if name == b"VC" and len(bare) > 16 and len(bare) % 2 == 0 and _ALL_HEX.fullmatch(bare):
            return value.replace(bare, self.values.picture(bare))
        if name in (b"MG", b"NK"):
            items = value.split(b",") if command in _LISTS else [value]
            kinds = types + [b""] * len(items)
            return b",".join(map(self._item, items, kinds))
        if name not in _WORDS and name not in _HEX:
            self._doubt("values of fields that nobody knows, or that are not what they should be")
        return self.prose(value)

    def _item(self, item: bytes, kind: bytes) -> bytes:
        if kind.strip() == _STATUS_TYPE and _CODE_OF_A_STATUS.fullmatch(item.strip()):
            return item
        return self.prose(item)

    def _numbers(self, value: bytes) -> bytes:
        if self.is_meeting or not _NO_NUMBERS.search(value):
            return _DIGIT_RUN.sub(lambda found: self.number(found[0]), value)
        self._doubt("numbers of people that are none")
        return self._words(value)

    def _command(self, value: bytes) -> bytes:
        if value.strip().decode("latin-1").upper() in _NAMES:
            return value
        self._doubt("commands that nobody knows")
        return self._words(value)

    def _key(self, key: bytes) -> bytes:
        """Return the key of a field: names are upper case; others may be parts of a text."""
        return key if _PLAIN_KEY.fullmatch(key.strip()) else self._words(key)

    def _loose(self, part: bytes) -> bytes:
        if not part.strip():
            return part
        self._doubt("parts of lines that are no fields")
        return self._words(part)

    def _part(self, raw: bytes) -> bytes:
        """Return a part of a line whose first field has no start, or whose last has no end."""
        self._doubt("lines of which a part is missing")
        parts = raw.split(b"&")
        for place, part in enumerate(parts):
            key, equals, value = part.partition(b"=")
            is_whole = 0 < place < len(parts) - 1
            if is_whole and equals:
                parts[place] = key + equals + self.value(key.strip(), value, "", [b""])
            elif equals and _PLAIN_KEY.fullmatch(key):
                parts[place] = key + equals + self._words(value)
            else:
                parts[place] = self._words(part)
        return b"&".join(parts)

    def _spare(self, found: bytes) -> bytes:
        if found.isdigit():
            is_known = self.values.has_met(found)
            return self.values.number(found) if is_known else self._words(found)
        return self.values.address_in_words(found) if _ADDRESS.fullmatch(found) else found

    def _words(self, raw: bytes) -> bytes:
        return raw if self.is_meeting else self.values.words(raw)

    def _doubt(self, what: str) -> None:
        if not self.is_meeting:
            self.report.doubts[what] += 1


def _same(found: bytes) -> bytes:
    return found


def _is_harmless(name: bytes, bare: bytes, command: str) -> bool:
    """Return whether a value says nothing of anybody."""
    if name in _CODES:
        return _CODE.fullmatch(bare) is not None
    if name in _CODES_OF_A_PROFILE:
        return _CODE_OF_A_PROFILE.fullmatch(bare) is not None
    if name == b"SEQ":
        return _SEQ.fullmatch(bare) is not None
    if (command, name) in ((_LOGIN, b"RS"), (_CAPTCHA, b"SC")):
        return bare in (b"0", b"1", b"2")
    return bare in _CONSTANTS.get(name, ())


def _rest_of(spec: Spec | None) -> tuple[bytes | None, set[bytes]]:
    """Return which field takes all to the end of the line, and which must stand before it."""
    fields = () if spec is None else spec.fields
    rest = next((one.key.encode() for one in fields if one.rest), None)
    if spec is None or rest is None:
        return None, set()
    needed = {one.key.encode() for one in spec.all_fields if one.required and not one.rest}
    return rest, needed


def spared(
    raw: bytes,
    pattern: re.Pattern[bytes],
    replace: Callable[[bytes], bytes],
    spare: Callable[[bytes], bytes],
) -> bytes:
    """Return `raw` with what `pattern` finds put through `spare`, what is between replaced."""
    done = []
    at = 0
    for found in pattern.finditer(raw):
        done.append(replace(raw[at : found.start()]))
        done.append(spare(found[0]))
        at = found.end()
    done.append(replace(raw[at:]))
    return b"".join(done)


class Half:
    """What one end of a connection says: lines, or HTTP with lines in the bodies.

    What comes out of `feed`, `lose` and `end` is as long as what went in, the missing bytes aside.
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._pending = bytearray()
        self._searched = 0
        self._has_start = True
        self._in_head = False
        self._body = 0  # bytes of a body that are still to come
        self._said = 0  # length of the body that the head announces

    def feed(self, data: bytes) -> bytes:
        """Return what `data` completes, replaced."""
        self._pending += data
        done = bytearray()
        while piece := self._next():
            done += self._replaced(piece)
        return bytes(done)

    def lose(self) -> bytes:
        """Return what stands before missing bytes; what follows them begins anywhere."""
        done = self._rest(has_end=False)
        self._has_start = False
        self._in_head, self._body = False, 0
        return done

    def end(self) -> bytes:
        """Return what is left when nothing follows."""
        return self._rest(has_end=True)

    def _next(self) -> bytes:
        """Return the next piece that is all there: a line, or a body; b"" if there is none."""
        pending = self._pending
        if self._body:
            size = min(self._body, LINE_LIMIT)
            size = size if len(pending) >= size else 0
        else:
            size = pending.find(b"\n", self._searched) + 1
            self._searched = len(pending)
            if not size and len(pending) > LINE_LIMIT:
                size = len(pending)
        if not size:
            return b""
        piece = bytes(pending[:size])
        del pending[:size]
        self._searched = 0
        return piece

    def _replaced(self, piece: bytes) -> bytes:
        lines = self._lines
        if self._body:
            self._body -= len(piece)
            rows = _ROWS.findall(piece) if piece.count(b"VER=") > 1 else [piece]
            return b"".join(map(lines.line, rows))
        if not self._in_head and _HTTP.match(piece):
            self._in_head, self._said = True, 0
        if self._in_head:
            return self._header(piece)
        has_start, self._has_start = self._has_start, True
        if not piece.endswith(b"\n"):
            self._has_start = False
        elif _CHUNK_SIZE.fullmatch(piece):
            return piece
        return lines.line(piece, has_start=has_start, has_end=piece.endswith(b"\n"))

    def _header(self, piece: bytes) -> bytes:
        length = _LENGTH.match(piece)
        if length is not None:
            self._said = int(length[1])
        if not piece.strip():
            self._in_head, self._body = False, self._said
        return self._lines.head(piece)

    def _rest(self, *, has_end: bool) -> bytes:
        rest = bytes(self._pending)
        self._pending.clear()
        self._searched = 0
        if not rest:
            return b""
        if self._in_head:
            return self._lines.head(rest)
        has_start, self._has_start = self._has_start, True
        return self._lines.line(rest, has_start=has_start, has_end=has_end and self._body == 0)
