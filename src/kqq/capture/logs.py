r"""Lines of the protocol in text that somebody kept: logs, notes, what tools print.

Wherever `VER=…` stands in a line of text it is taken, with the time and the direction written in
front of it, in any of the usual spellings:

    2014-05-13 19:03:12,345 send: VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=&UN=10002&MG=hi
    19:03:12 <- VER=1.1&CMD=CLTMSG&SEQ=2&UIN=10001&RES=0
    b'VER=1.4&CON=1&CMD=GetMsgEx&SEQ=3&UIN=10001&SID=&XP=\r\n'
    {"line": "VER=1.1&CMD=CLTMSG&SEQ=2&UIN=10001&RES=0", "time": 1400000000.5}

A line of text without the protocol may give the time and the ends for the next one, as `tcpdump -A`
prints them. A time without a date is one on the first day of 1970. Nothing here opens files.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from kqq.capture.events import End
from kqq.capture.marks import IN_TEXT
from kqq.protocol.explain import sender_of
from kqq.protocol.messages import Role, decode
from kqq.protocol.schema import Unreadable
from kqq.protocol.wire import LINE_LIMIT, Line

HEAD = 512
"""Bytes in front of the protocol in which time and direction are looked for."""

_START = re.compile(rb"(?<![A-Za-z0-9_%])(?:VER|CMD|SERERCONFIG_NUM)[ \t]{0,8}=")
_FIELD_BEFORE = re.compile(rb"(?:(?<=[\s\"'>:\]])|\A)(?:[A-Z][A-Za-z0-9_]{0,19}=[^&\s\"']*&)+\Z")
_DATE_TIME = re.compile(
    r"(?P<year>(?:19|20)\d\d)[-/.](?P<month>\d\d?)[-/.](?P<day>\d\d?)[T _]"
    r"(?P<time>\d\d?:\d\d:\d\d(?:[.,]\d{1,9})?) ?(?P<zone>Z|[+-]\d\d:?\d\d)?(?!\d)"
)
_APACHE = re.compile(
    r"(?P<day>\d\d?)/(?P<month>[A-Z][a-z]{2})/(?P<year>\d{4}):(?P<time>\d\d:\d\d:\d\d)"
    r" ?(?P<zone>[+-]\d{4})?"
)
_TIME = re.compile(r"(?<![\d:.])(?P<time>\d\d?:\d\d:\d\d(?:[.,]\d{1,9})?)(?![\d:])")
_EPOCH = re.compile(r"(?<![\w.:])(?P<seconds>[1-9]\d{8,9}(?:\.\d{1,9})?)(?![\w.:])")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ENDS = re.compile(
    r"(?P<a>\d{1,3}(?:\.\d{1,3}){3})[.:](?P<ap>\d{1,5}) *(?:->|>|→) *"
    r"(?P<b>\d{1,3}(?:\.\d{1,3}){3})[.:](?P<bp>\d{1,5})"
)
_FROM_CLIENT = re.compile(
    r"(?i)\bC(?:LIENT)? ?(?:->|>|=>|→|to) ?S|\bclient ?[:>]|(?<![A-Za-z])C ?:|\brequest\b"
)
_FROM_SERVER = re.compile(
    r"(?i)\bS(?:ERVER)? ?(?:->|>|=>|→|to) ?C|\bserver ?[:>]|(?<![A-Za-z])S ?:"
    r"|\b(?:reply|response|push)\b"
)
_OUT = re.compile(r"(?i)>>+|->|=>|→|(?:^|\s)>(?:\s|$)|\b(?:sen[dt]|sending|tx|out)\b")
_IN = re.compile(r"(?i)<<+|<-|<=|←|(?:^|\s)<(?:\s|$)|\b(?:recv|received?|receiving|rx|in|got)\b")
_QUOTES = b"\"'`"
_ESCAPE = re.compile(rb"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Found:
    """A line of the protocol found in text, who sent it, and when and where if that is said."""

    line: Line
    sender: Role
    time: float | None
    client: End | None = None
    server: End | None = None


class LogReader:
    """Finds lines of the protocol in lines of text.

    `zone` is where times without a zone are from; None is the zone of this machine. `passed_over`
    counts lines of text that hold none and are not empty.
    """

    def __init__(self, zone: tzinfo | None = None) -> None:
        self.passed_over = 0
        self._zone = zone
        self._last: float | None = None
        self._days = 0.0  # past midnight, where the log tells no dates
        self._waiting: tuple[float | None, str] = (None, "")
        self._outgoing: Role | None = None  # whose log it is: who sends what goes out

    def read(self, text: bytes) -> Found | None:
        """Return the line of the protocol in a line of text, None if it has none."""
        if b"=" not in text:
            self._pass_over(text)
            return None
        raw, head = _cut(text)
        if raw is None:
            self._pass_over(text)
            return None
        time = self._time(head)
        before, self._waiting = self._waiting, (None, "")
        if time is None:
            time = before[0]
            head = f"{before[1]} {head}"
        line = Line.decode(raw)
        sender = self._sender(line, head)
        client, server = _ends(head, sender)
        return Found(line, sender, time, client, server)

    def _pass_over(self, text: bytes) -> None:
        if text.strip():
            self.passed_over += 1
            head = text[:HEAD].decode("utf-8", "replace")
            time = self._time(head)
            if time is not None:
                self._waiting = (time, head)

    def _sender(self, line: Line, head: str) -> Role:
        """Return who sent a line: its shape tells, and the words before it where that does not."""
        shape = sender_of(line)
        goes_out, comes_in = _OUT.search(head), _IN.search(head)
        if not isinstance(decode(line, shape), Unreadable) or shape is Role.SERVER:
            if bool(goes_out) != bool(comes_in):
                self._outgoing = shape if goes_out else shape.other
            return shape
        if bool(_FROM_CLIENT.search(head)) != bool(_FROM_SERVER.search(head)):
            return Role.CLIENT if _FROM_CLIENT.search(head) else Role.SERVER
        if self._outgoing is not None and bool(goes_out) != bool(comes_in):
            return self._outgoing if goes_out else self._outgoing.other
        return shape

    def _time(self, head: str) -> float | None:
        found = _DATE_TIME.search(head)
        if found is not None:
            return self._dated(found, int(found["month"]))
        found = _APACHE.search(head)
        if found is not None:
            month = found["month"]
            return self._dated(found, _MONTHS.index(month) + 1 if month in _MONTHS else 0)
        found = _TIME.search(head)
        if found is not None:
            return self._undated(found["time"])
        found = _EPOCH.search(head)
        return float(found["seconds"]) if found is not None else None

    def _dated(self, found: re.Match[str], month: int) -> float | None:
        date = _date(found["time"], (int(found["year"]), month, int(found["day"])))
        if date is None:
            return None
        moment, fraction = date
        zone = _zone(found["zone"]) or self._zone
        zoned = moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
        return zoned.timestamp() + fraction

    def _undated(self, time: str) -> float | None:
        date = _date(time, (1970, 1, 2))
        if date is None:
            return None
        moment, fraction = date
        zoned = moment.replace(tzinfo=self._zone) if self._zone else moment.astimezone()
        seconds = zoned.timestamp() - _DAY + fraction + self._days
        if self._last is not None and seconds < self._last - _DAY / 2:
            self._days += _DAY
            seconds += _DAY
        self._last = seconds
        return seconds


def _date(time: str, day: tuple[int, int, int]) -> tuple[datetime, float] | None:
    """Return a moment without a zone, and the fraction of its second; None if there is no such."""
    clock, _, fraction = time.replace(",", ".").partition(".")
    hour, minute, second = map(int, clock.split(":"))
    try:
        moment = datetime(*day, hour, minute, min(second, 59))  # noqa: DTZ001  # the log tells none
    except ValueError:
        return None
    return moment + timedelta(seconds=max(second - 59, 0)), float(f"0.{fraction or 0}")


def _zone(text: str | None) -> tzinfo | None:
    if not text:
        return None
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return timezone(timedelta(minutes=min(minutes, 1439) * (-1 if text[0] == "-" else 1)))


def _cut(text: bytes) -> tuple[bytes | None, str]:
    """Return the bytes of the protocol's line in a line of text, and the words before it."""
    start = _START.search(text)
    if start is None or IN_TEXT.search(text, start.start()) is None:
        return None, ""
    at = start.start()
    before = _FIELD_BEFORE.search(text, max(0, at - HEAD), at)
    if before is not None:  # COMPAT(JAVA, urllib2): VER is not first
        at = before.start()
    head = text[max(0, at - HEAD) : at]
    raw = text[at:].rstrip(b"\r\n")
    quote = head[-1:]
    if quote and quote in _QUOTES:
        raw = _unquoted(raw, quote)
    return raw[:LINE_LIMIT], head.decode("utf-8", "replace")


def _unquoted(raw: bytes, quote: bytes) -> bytes:
    r"""Return what stands before the quote that ends it; `\r\n` and such become what they mean."""
    end = re.search(rb"(?<!\\)(?:\\\\)*" + re.escape(quote), raw)
    if end is None:
        return raw
    inside = raw[: end.end() - 1]
    if b"\\" not in inside:
        return inside

    def undo(found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code[:1] == b"x" and len(code) == 3:
            return bytes((int(code[1:], 16),))
        if code[:1] == b"u" and len(code) == 5:
            return chr(int(code[1:], 16)).encode("utf-8", "surrogatepass")
        return _ESCAPES.get(code, code)

    return _ESCAPE.sub(undo, inside).rstrip(b"\r\n")


def _ends(head: str, sender: Role) -> tuple[End | None, End | None]:
    """Return client and server, if the words before a line tell who sent it to whom."""
    found = _ENDS.search(head)
    if found is None or int(found["ap"]) > 65535 or int(found["bp"]) > 65535:
        return None, None
    source, target = End(found["a"], int(found["ap"])), End(found["b"], int(found["bp"]))
    return (source, target) if sender is Role.CLIENT else (target, source)
