"""Lines of the protocol in text that somebody kept."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.capture.events import End
from kqq.capture.logs import Found, LogReader
from kqq.protocol import Role

ASKED = "VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=&UN=10002&MG=hi"
ANSWERED = "VER=1.1&CMD=CLTMSG&SEQ=2&UIN=10001&RES=0"
SPRING = datetime(2014, 5, 13, 19, 3, 12, tzinfo=UTC).timestamp()


def read(text: str | bytes, reader: LogReader | None = None) -> Found:
    """Return what is found in a line of text."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    found = (reader or LogReader(UTC)).read(raw)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("before", "time"),
    [
        ("", None),
        ("2014-05-13 19:03:12 ", SPRING),
        ("2014-05-13 19:03:12,345 INFO kqq: ", SPRING + 0.345),
        ("[2014-05-13T19:03:12.5Z] ", SPRING + 0.5),
        ("2014-05-13T19:03:12+08:00 ", SPRING - 8 * 3600),
        ("2014/5/13 19:03:12 -0130 ", SPRING + 5400),
        ('1.2.3.4 - - [13/May/2014:19:03:12 +0000] "', SPRING),
        ("[13/May/2014:19:03:12] ", SPRING),
        ("19:03:12.25 ", 19 * 3600 + 3 * 60 + 12.25),
        ("1400007792.5 ", 1400007792.5),
        ("2014-05-13 19:03:60 ", SPRING + 48),
        ("2014-15-13 19:03:12 ", None),
        ("2014-05-13 29:03:12 ", None),
        ("13/Foo/2014:19:03:12 ", None),
        ("99:03:12 ", None),
        ("2014-05-13T19:03:12+99:00 ", SPRING - 1439 * 60),
    ],
)
def test_times_are_read_in_the_usual_spellings(before: str, time: float | None) -> None:
    """Without a date they are on the first day of 1970; what is none is no time."""
    assert read(f"{before}{ASKED}").time == pytest.approx(time)


def test_times_without_a_zone_are_local() -> None:
    """They are of this machine, as the words of its logs are."""
    local = datetime(2014, 5, 13, 19, 3, 12).astimezone().timestamp()
    assert read(f"2014-05-13 19:03:12 {ASKED}", LogReader()).time == local
    assert read(f"19:03:12 {ASKED}", LogReader()).time is not None
    east = LogReader(timezone(timedelta(hours=8)))
    assert read(f"2014-05-13 19:03:12 {ASKED}", east).time == SPRING - 8 * 3600
    assert read(f"1901-01-01 00:00:00 {ASKED}", LogReader()).time is not None


def test_midnight_passes() -> None:
    """A log that tells no dates goes on with the next day."""
    reader = LogReader(UTC)
    times = [
        read(f"{clock} {ASKED}", reader).time for clock in ("23:59:59", "00:00:01", "01:00:00")
    ]
    assert times == [86399, 86401, 90000]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"send {ASKED}\r\n", ASKED),
        (f"b'{ASKED}\\r\\n'", ASKED),
        (f'{{"event": "line", "text": "{ASKED}\\u4f60\\t\\"x", "more": 1}}', f'{ASKED}你\t"x'),
        (f'"{ASKED}" is what came', ASKED),
        (f"'{ASKED} and no end", f"{ASKED} and no end"),
        (r"b'VER=1.1&CMD=CLTMSG&MG=\xe4\xbd\xa0\q'", "VER=1.1&CMD=CLTMSG&MG=你q"),
        ("> CMD=List&VER=1.1&SEQ=1&UIN=10001", "CMD=List&VER=1.1&SEQ=1&UIN=10001"),
        ("> SEQ=1&UIN=10001&CMD=List&VER=1.1", "SEQ=1&UIN=10001&CMD=List&VER=1.1"),
        ("SERERCONFIG_NUM=1&SERVERCONFIG_URL=a", "SERERCONFIG_NUM=1&SERVERCONFIG_URL=a"),
        ("E..<....@.@.VER=1.1&CMD=List&SEQ=1", "VER=1.1&CMD=List&SEQ=1"),
        ("VER =1.1&CMD=List", "VER =1.1&CMD=List"),
    ],
)
def test_lines_are_found_in_text(text: str, line: str) -> None:
    """Whatever stands before them, and in quotes without what stands behind them."""
    assert read(text).line.text == line


@pytest.mark.parametrize(
    "text",
    ["", "hello", "a = b", "app VER=1.2 started", "CMD=start", "SERVER=1&CMD=x", "driver=5&x"],
)
def test_other_text_is_passed_over(text: str) -> None:
    """And counted, where it is not empty."""
    reader = LogReader()
    assert reader.read(text.encode()) is None
    assert reader.passed_over == bool(text)


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        (ASKED, Role.CLIENT),
        (ANSWERED, Role.SERVER),
        (f"-> {ANSWERED}", Role.SERVER),
        ("C: VER=1.1&CMD=Dance", Role.CLIENT),
        ("S: VER=1.1&CMD=Dance", Role.SERVER),
        ("server > VER=1.1&CMD=Dance", Role.SERVER),
        ("C -> S VER=1.1&CMD=Dance", Role.CLIENT),
        ("response VER=1.1&CMD=Dance", Role.SERVER),
        ("VER=1.1&CMD=Dance", Role.CLIENT),
    ],
)
def test_who_sent_a_line_is_told_by_its_shape_then_by_the_words(text: str, sender: Role) -> None:
    """Nobody but servers sends RES."""
    assert read(text).sender is sender


def test_whose_log_it_is_is_learnt() -> None:
    """In a server's log, what goes out comes from the server."""
    server = LogReader()
    assert read(f"sent {ANSWERED}", server).sender is Role.SERVER
    assert read("sent VER=1.1&CMD=Dance", server).sender is Role.SERVER
    assert read("recv VER=1.1&CMD=Dance", server).sender is Role.CLIENT
    client = LogReader()
    assert read(f"<- {ANSWERED}", client).sender is Role.SERVER
    assert read("<- VER=1.1&CMD=Dance", client).sender is Role.SERVER
    assert read("-> VER=1.1&CMD=Dance", client).sender is Role.CLIENT
    assert read("VER=1.1&CMD=Dance", client).sender is Role.CLIENT


def test_what_tcpdump_prints() -> None:
    """The time and the ends stand on the line before."""
    reader = LogReader(UTC)
    head = "19:03:12.500000 IP 192.0.2.1.40001 > 198.51.100.7.14000: Flags [P.], length 50"
    assert reader.read(head.encode()) is None
    found = read(f"E..d..@.@..{ASKED}", reader)
    assert found.time == 19 * 3600 + 3 * 60 + 12.5
    assert found.client == End("192.0.2.1", 40001)
    assert found.server == End("198.51.100.7", 14000)
    assert read(ASKED, reader).time is None
    answer = read(f"198.51.100.7:14000 -> 192.0.2.1:40001 {ANSWERED}")
    assert (answer.client, answer.server) == (End("192.0.2.1", 40001), End("198.51.100.7", 14000))
    assert read(f"1.2.3.4:99999 > 1.2.3.4:5 {ASKED}").client is None


def test_bytes_stay_what_they_are() -> None:
    """Also where they are no UTF-8."""
    found = read(b"\xff\xfe -> VER=1.1&CMD=CLTMSG&MG=\xc4\xe3")
    assert found.line.encode() == b"VER=1.1&CMD=CLTMSG&MG=\xc4\xe3"


@given(st.binary(max_size=200))
def test_any_text_can_be_read(data: bytes) -> None:
    """Whatever it holds."""
    reader = LogReader()
    reader.read(data)
    reader.read(b"19:03:12 " + data + ASKED.encode() + data)


@pytest.mark.parametrize(
    "piece", [b"CMD=", b"VER=", b"A=1&", b"\\\\", b"'VER=1.1&CMD=", b"19:", b"\xff", b" <-"]
)
def test_long_text_takes_no_time(piece: bytes) -> None:
    """Half a million bytes of something that almost fits."""
    data = piece * (500_000 // len(piece))
    LogReader().read(data + b"=")
    LogReader().read(b"'" + ASKED.encode() + data)
