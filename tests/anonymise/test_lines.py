"""Lines without people: what stays, what becomes another, and what nobody can vouch for."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.anonymise.lines import Half, Lines, Report
from kqq.anonymise.values import Values
from kqq.protocol.explain import explain
from kqq.protocol.post import http_request, http_response
from kqq.protocol.wire import Line
from vectors import VECTORS, Vector

KEY = bytes(range(32))
LOGIN = (
    b"VER=1.4&CON=1&CMD=Login&SEQ=200&UIN=10001&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1&LG=0"
    b"&LC=812822641C978097&GD=TW00QOJ9KUVD753S&CKE="
)
PNG = "89504e470d0a1a0a" + "00" * 80


@pytest.fixture
def report() -> Report:
    """Return what is counted."""
    return Report()


@pytest.fixture
def lines(report: Report) -> Lines:
    """Return who rewrites lines; everybody up to 10009 was met."""
    values = Values(KEY)
    for number in range(10_001, 10_010):
        values.meet(b"%d" % number)
    values.settle()
    return Lines(values, report)


def other(lines: Lines, number: int) -> bytes:
    """Return what replaces somebody's number."""
    return lines.number(b"%d" % number)


def same(pattern: str, found: bytes, lines: Lines) -> bool:
    """Return whether `found` is as in `pattern`: `<10001>` replaced, `_` any letter or digit."""
    text = re.escape(pattern).replace("_", r"\w")
    text = re.sub(r"<(\d+)>", lambda one: other(lines, int(one[1])).decode(), text)
    return re.fullmatch(text, found.decode("utf-8", "surrogateescape")) is not None


FROM_CLIENT = "VER=1.4&CON=1&CMD={}&SEQ=2&UIN={}&SID=&XP=C4CA4238A0B92382&{}\r\n"
FROM_SERVER = "VER=1.1&CMD={}&SEQ=2&UIN={}&RES=0&{}\r\n"
HEX = "_" * 16


@pytest.mark.parametrize(
    ("form", "command", "rest", "expected"),
    [
        (FROM_SERVER, "Login", "RS=0&HI=60&LI=300&COMP=1&SG=ab01&SSG=1234",
         "RS=0&HI=60&LI=300&COMP=1&SG=____&SSG=____"),
        (FROM_SERVER, "Login", "RS=1&RA=Wrong password!", "RS=1&RA=_____ ________!"),
        (FROM_SERVER, "Login", "SI=203.0.113.9&SP=14000", "SI=___._.___._&SP=14000"),
        (FROM_CLIENT, "CLTMSG", "UN=10002&MG=hi, you", "UN=<10002>&MG=__, ___"),
        (FROM_CLIENT, "CLTMSG", "UN=10002&MG=a & b=c&UN=10003", "UN=<10002>&MG=_ & _=_&__=<10003>"),
        (FROM_SERVER, "SIMPLEINFO2",
         "NP=65535&SN=2&UN=10002,10003,&FC=0,270,&NK=Romeo,a%2cb,",
         "NP=65535&SN=2&UN=<10002>,<10003>,&FC=0,270,&NK=_____,_%2c_,"),
        (FROM_CLIENT, "SimpleInfo2", "UN=50&TO=0", "UN=50&TO=0"),
        (FROM_SERVER, "GETMSGEX",
         "MN=3&MT=9,99,9,&UN=10002,10003,10000,&MG=hi,10,10003 is here,",
         "MN=3&MT=9,99,9,&UN=<10002>,<10003>,10000,&MG=__,10,<10003> __ ____,"),
        (FROM_SERVER, "Server_Msg", "MN=1&MT=99&UN=10002&MG=20", "MN=1&MT=99&UN=<10002>&MG=20"),
        (FROM_SERVER, "GETINFO", "AG=25&BT=2&SC=school 5&SX=1&UN=10002&NK=Ro",
         "AG=__&BT=2&SC=______ _&SX=1&UN=<10002>&NK=__"),
        (FROM_CLIENT, "Ack_AddToList", "UN=10002&CD=1&RS=no&no", "UN=<10002>&CD=1&RS=__&__"),
        (FROM_CLIENT, "VERIFYCODE", "SC=2&VC=aB3d", "SC=2&VC=____"),
        (FROM_SERVER, "VERIFYCODE", f"SC=1&NT=&VC={PNG}", "SC=1&NT=&VC=" + "_" * len(PNG)),
        (FROM_SERVER, "CLTMSG", "SID=x1&XP=0123456789ABCDEF&LC=0123456789abcdef",
         f"SID=__&XP={HEX}&LC={HEX}"),
    ],
)  # fmt: skip
def test_line(lines: Lines, form: str, command: str, rest: str, expected: str) -> None:
    """Commands, codes and commas stay; numbers, words, secrets and pictures become others."""
    report = lines.report
    found = lines.line(form.format(command, 10001, rest).encode())
    assert same(form.format(command, "<10001>", expected), found, lines), found
    assert not report.doubts
    assert sum(report.replaced.values()) == 1


def test_sign_in(lines: Lines, report: Report) -> None:
    """The build of a client says nothing of anybody, an installation does."""
    start, _, rest = LOGIN.decode().partition("&PS=")
    expected = start.replace("10001", "<10001>") + "&PS=" + "_" * 32 + rest[32:]
    expected = expected.replace("TW00QOJ9KUVD753S", HEX)
    assert same(expected, lines.line(LOGIN), lines)
    assert not report.doubts


def test_list_of_servers(lines: Lines, report: Report) -> None:
    """It has addresses of machines, which become those that packets have, too."""
    raw = "SERERCONFIG_NUM=2&SERVERCONFIG_TYPE=KQQTCP,KQQHTTP&UPDATECONFIG_MUST=N"
    url = "&SERVERCONFIG_URL=socket://203.0.113.9:14000,http://kqq.example:80"
    found = lines.line((raw + url).encode())
    address = lines.values.address_in_words(b"203.0.113.9").decode()
    changed = f"&SERVERCONFIG_URL=socket://{address}:14000,http://___._______:80"
    assert same(raw + changed, found, lines), found
    assert not report.doubts


@pytest.mark.parametrize(
    ("raw", "expected", "doubts"),
    [
        ("garbage 10001\r\n", "_______ _____\r\n", ["lines that are none of the protocol"]),
        (
            "VER=1.4&CMD=Foo&UIN=10001",
            "VER=1.4&CMD=___&UIN=<10001>",
            ["commands that nobody knows"],
        ),
        (
            "VER=1.4&CMD=List&UIN=10001&ZZ=abc&&bare&romeo=x",
            "VER=1.4&CMD=List&UIN=<10001>&ZZ=___&&____&_____=_",
            [
                "values of fields that nobody knows, or that are not what they should be",
                "parts of lines that are no fields",
            ],
        ),
        (
            "VER=1.4&CMD=List&UIN=abc1&TN=1234567",
            "VER=1.4&CMD=List&UIN=____&TN=_______",
            [
                "numbers of people that are none",
                "values of fields that nobody knows, or that are not what they should be",
            ],
        ),
        (
            "junkVER=1.4&CMD=List&UIN=10001",
            "____VER=1.4&CMD=List&UIN=<10001>",
            ["bytes before lines"],
        ),
    ],
)
def test_what_nobody_can_vouch_for(
    lines: Lines, report: Report, raw: str, expected: str, doubts: list[str]
) -> None:
    """It is replaced all the same, by its shape, and said."""
    found = lines.line(raw.encode())
    assert same(expected, found, lines), found
    assert list(report.doubts) == doubts


def test_length_before_a_line_stays(lines: Lines) -> None:
    """Some clients put the binary length of a text before it, which says nothing."""
    assert lines.line(b"\x85\x01" + LOGIN + b"\n").startswith(b"\x85\x01VER=1.4&CON=1&CMD=Login")


def test_parts_of_lines(lines: Lines, report: Report) -> None:
    """A number of which digits are missing is nobody's; fields that are whole are as usual."""
    start = lines.line(b"VER=1.1&CMD=CLTMSG&SEQ=1&UIN=100", has_end=False)
    assert same("VER=1.1&CMD=CLTMSG&SEQ=1&UIN=___", start, lines)
    assert b"UIN=100" not in start
    rest = lines.line(b"01&UN=10002&MG=hello\r\n", has_start=False)
    assert same("__&UN=<10002>&MG=_____\r\n", rest, lines)
    assert lines.line(b"bare&\r\n", has_start=False).endswith(b"&\r\n")
    assert report.doubts["lines of which a part is missing"] == 3


def test_same_person_and_words_everywhere(lines: Lines) -> None:
    """Whoever writes is whoever is heard, and what is said is what arrives, escaped or not."""
    said = lines.line(b"VER=1.4&CMD=CLTMSG&SEQ=2&UIN=10001&UN=10002&MG=hi, you")
    heard = lines.line(b"VER=1.1&CMD=GETMSGEX&UIN=10002&RES=0&MN=1&MT=9,&UN=10001,&MG=hi%2c you,")
    words = said.rpartition(b"=")[2]
    assert heard.rpartition(b"=")[2] == words.replace(b",", b"%2c") + b","
    assert re.findall(rb"UI?N=(\d+)", said) == re.findall(rb"UI?N=(\d+)", heard)[::-1]


def test_first_pass_changes_nothing(report: Report) -> None:
    """It only meets the numbers of people, and counts the lines."""
    values = Values(KEY)
    lines = Lines(values, report, is_meeting=True)
    for raw in (LOGIN, b"VER=1.1&CMD=LIST&UIN=10001&RES=0&UN=10002,50,&XX=10003&loose", b"junk\n"):
        assert lines.line(raw) == raw
    assert lines.line(b"05&UN=10005&MG=a", has_start=False) == b"05&UN=10005&MG=a"
    assert lines.prose(b"words") == b"words"
    assert [values.has_met(b"%d" % number) for number in range(10_001, 10_006)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert lines.found == 2
    assert not report.doubts


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_every_line_we_know(lines: Lines, vector: Vector) -> None:
    """All lines ever seen keep their length, their fields and what is odd about them."""
    raw = vector.raw
    found = lines.line(raw)
    assert len(found) == len(raw)
    before, after = explain(Line.decode(raw)), explain(Line.decode(found))
    if after.readable and before.readable and "CMD" in Line.decode(raw).values():
        known = [field.key for field in before.fields if field.name]
        assert [field.key for field in after.fields if field.name] == known


@given(st.binary(max_size=80), st.booleans(), st.booleans())
def test_any_bytes(raw: bytes, has_start: bool, has_end: bool) -> None:
    """Whatever comes, its length stays."""
    for prefix in (b"", b"VER=1.4&CMD=CLTMSG&UIN=10001&", b"CMD=Login&"):
        lines = Lines(Values(KEY), Report())
        whole = prefix + raw
        assert len(lines.line(whole, has_start=has_start, has_end=has_end)) == len(whole)
        assert len(lines.head(whole)) == len(whole)


# --- HTTP ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("POST / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n"),
        ("POST HTTP/1.1\r\n", "POST HTTP/1.1\r\n"),
        (
            "GET /newConf/kjava/aubin2.jsp HTTP/1.0\r\n",
            "GET /newConf/kjava/aubin2.jsp HTTP/1.0\r\n",
        ),
        ("GET /romeo?x=1 HTTP/1.0\r\n", "GET /_____?_=_ HTTP/1.0\r\n"),
        ("POST http://kqq.example:80/ HTTP/1.1\r\n", "POST http://___._______:80/ HTTP/1.1\r\n"),
        ("HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n"),
        ("HTTP/1.0 404 Not found\r\n", "HTTP/1.0 404 Not found\r\n"),
        ("HTTP/1.1 200\r\n", "HTTP/1.1 200\r\n"),
        ("HTTP/1.1 200 Romeo\r\n", "HTTP/1.1 200 _____\r\n"),
        ("HTTP/1.1 1234567890\r\n", "HTTP/1.1 __________\r\n"),
        ("POST / HTTP/1.1romeo\r\n", "POST / ____/_.______\r\n"),
        ("Content-Type: text/plain; name=romeo\r\n", "Content-Type: text/plain; ____=_____\r\n"),
        ("Pragma: romeo no-cache\r\n", "Pragma: _____ no-cache\r\n"),
        ("Content-Length: 12345\r\n", "Content-Length: 12345\r\n"),
        ("Content-Length: 12345 romeo\r\n", "Content-Length: _____ _____\r\n"),
        ("Content-Length: 42\r\n", "Content-Length: 42\r\n"),
        ("Host:203.0.113.9:14000\r\n", "Host:___._.___._:14000\r\n"),
        ("X-Up-Calling-Line-ID: 13800138000\r\n", "X-Up-Calling-Line-ID: ___________\r\n"),
        ("User-Agent: UNTRUSTED/1.1\r\n", "User-Agent: UNTRUSTED/1.1\r\n"),
        ("User-Agent: Romeo's phone\r\n", "User-Agent: _____'_ _____\r\n"),
        ("Cookie: id=abc\r\n", "Cookie: __=___\r\n"),
        ("\r\n", "\r\n"),
    ],
)
def test_head(lines: Lines, report: Report, raw: str, expected: str) -> None:
    """Of headers only what says nothing of anybody stays; gateways added phone numbers."""
    assert same(expected, lines.head(raw.encode()), lines)
    assert not report.doubts


def test_broken_head(lines: Lines, report: Report) -> None:
    """It is replaced by its shape, and said; so are long reasons."""
    assert same("__ ______\r\n", lines.head(b"no header\r\n"), lines)
    assert list(report.doubts) == ["lines in heads of HTTP that are no headers"]
    long = lines.head(b"HTTP/1.1 400 " + b"romeo " * 9)
    assert long.startswith(b"HTTP/1.1 400")
    assert b"romeo" not in long


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_half_of_a_conversation(lines: Lines, size: int) -> None:
    """Lines, then posts with bodies without line ends, however the bytes are cut."""
    line = LOGIN + b"\r\n"
    post = http_request("kqq.example", 14000, LOGIN)
    answer = http_response(b"VER=1.1&CMD=Login&SEQ=2&UIN=10001&RES=0&RS=0\r\n")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n68\r\n" + line + b"0\r\n\r\n"
    raw = line + post + post + answer + chunked + LOGIN
    half = Half(lines)
    done = b"".join(half.feed(raw[at : at + size]) for at in range(0, len(raw), size)) + half.end()
    assert len(done) == len(raw)
    assert done.count(lines.line(LOGIN)) == 5
    assert b"10001" not in done
    assert b"kqq.example" not in done
    assert b"\r\n68\r\n" in done


def test_gap_in_a_conversation(lines: Lines, report: Report) -> None:
    """The parts of a line around missing bytes are parts, also in a body; then lines go on."""
    half = Half(lines)
    done = half.feed(b"VER=1.4&CMD=CLTMSG&UIN=100") + half.lose()
    done += half.feed(b"02&MG=hello\r\n" + LOGIN + b"\r\n")
    assert done.endswith(lines.line(LOGIN + b"\r\n"))
    assert b"hello" not in done
    assert report.doubts["lines of which a part is missing"] == 2
    half = Half(lines)
    post = http_request("kqq.example", 14000, LOGIN)
    done = half.feed(post[:-5]) + half.lose() + half.feed(LOGIN + b"\n") + half.end()
    assert len(done) == len(post) - 5 + len(LOGIN) + 1
    half = Half(lines)
    assert half.feed(b"POST / HTTP/1.1\r\nHost: ro") + half.end() != b""
    assert half.end() == b""


def test_body_of_several_lines(lines: Lines) -> None:
    """Each of them is a line; words with a raw line feed in them are still one."""
    two = http_request("h", 1, LOGIN + b"\r\n" + LOGIN)
    words = http_request("h", 1, b"VER=1.4&CMD=CLTMSG&SEQ=1&UIN=10001&UN=10002&MG=hi\nyou&a=b")
    half = Half(lines)
    assert half.feed(two).count(lines.line(LOGIN)) == 2
    assert same("__\n___&_=_", half.feed(words).rpartition(b"MG=")[2], lines)


def test_endless_line_is_not_kept(lines: Lines) -> None:
    """It comes out in pieces; a body that is longer than any line does, too."""
    half = Half(lines)
    done = b"".join(half.feed(b"x" * 10_000) for _ in range(20))
    assert len(done) > 100_000
    assert len(done + half.end()) == 200_000
    half = Half(lines)
    head = b"POST / HTTP/1.1\r\nContent-Length: 150000\r\n\r\n"
    done = half.feed(head + b"y" * 140_000)
    assert len(done) > 130_000
    assert len(done + half.end()) == len(head) + 140_000


@given(st.lists(st.one_of(
    st.sampled_from([b"\r\n", b"VER=1.4&CMD=Login&UIN=10001", b"POST / HTTP/1.1\r\n", b"\r\n\r\n",
                     b"Content-Length: 5\r\n", b"HTTP/1.1 200 OK\r\n", b"5\r\n"]),
    st.binary(max_size=9), st.none()), max_size=12))  # fmt: skip
def test_any_conversation_keeps_its_length(pieces: list[bytes | None]) -> None:
    """Whatever is said, and wherever something is missing."""
    half = Half(Lines(Values(KEY), Report()))
    done = b"".join(half.lose() if piece is None else half.feed(piece) for piece in pieces)
    assert len(done + half.end()) == sum(len(piece or b"") for piece in pieces)
