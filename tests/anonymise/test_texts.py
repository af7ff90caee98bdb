"""Logs, JSON lines and plays rewritten: what stands in quotes, around lines, in statements."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.anonymise.lines import Lines, Report
from kqq.anonymise.texts import Logs, Plays, redone, undone
from kqq.anonymise.values import Values
from kqq.conformance.published import SUITE, Entry, entries
from kqq.protocol.transcript import parse_play

KEY = bytes(range(32))
SENT = b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=&UN=10002&MG=hi Romeo"
CAME = "VER=1.1&CMD=GETMSGEX&SEQ=3&UIN=10001&RES=0&MN=1&MT=9,&UN=10002,&MG=罗密欧 hi,".encode()


@pytest.fixture
def lines() -> Lines:
    """Return who rewrites lines; everybody up to 10009 was met."""
    values = Values(KEY)
    for number in range(10_001, 10_010):
        values.meet(b"%d" % number)
    values.settle()
    return Lines(values, Report())


@pytest.fixture
def logs(lines: Lines) -> Logs:
    """Return who rewrites logs."""
    return Logs(lines)


@pytest.fixture
def plays(lines: Lines) -> Plays:
    """Return who rewrites plays."""
    return Plays(lines)


# --- escapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quoted", "plain"),
    [
        (rb"a\x41\xe4\xBD\xA0b", "aA你b".encode()),
        (rb"\u4f60\u597D", "你好".encode()),
        (rb"\ud83d\ude00!", "😀!".encode()),
        (rb"\r\n\t\0\"\'\\\/", b"\r\n\t\0\"'\\/"),
        (rb"\-\+", rb"\-\+"),
        (b"", b""),
    ],
)
def test_escapes(quoted: bytes, plain: bytes) -> None:
    """They are undone, and done again as they were, or for other signs of the same length."""
    found, pieces = undone(quoted)
    assert found == plain
    assert redone(found, pieces) == quoted
    other = Values(KEY).words(plain)
    again = redone(other, pieces)
    assert len(again) == len(quoted)
    assert undone(again)[0] == other


@given(st.lists(st.one_of(
    st.sampled_from([rb"\x41", rb"\xFF", rb"\u4f60", rb"\uD83D\uDE00", rb"\n", rb"\\", rb"\ud800"]),
    st.binary(max_size=3)), max_size=9))  # fmt: skip
def test_any_escapes(pieces: list[bytes]) -> None:
    """What is not changed comes back as it was."""
    quoted = b"".join(pieces)
    assert redone(*undone(quoted)) == quoted


# --- logs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (b"", b"", b""),
        (b"2014-05-13 19:03:12,345 send: ", b"", b"2014-05-13 19:03:12,345 send: "),
        (b"[13/May/2014:19:03:12 +0800] <- ", b"", b"[13/May/2014:19:03:12 +0800] <- "),
        (b"1400000000.5 C->S ", b"", b"1400000000.5 C->S "),
        (b"b'", b"\\r\\n'", b"b'"),
        (b'recv "', b'\\r\\n" from ', b'recv "'),
    ],
)
def test_usual_text_around_a_line(
    logs: Logs, lines: Lines, before: bytes, after: bytes, expected: bytes
) -> None:
    """Times, directions and quotes stay."""
    found = logs.line(before + SENT + after + b"\n")
    assert found == expected + lines.line(SENT) + after + b"\n"


def test_other_text_around_a_line(logs: Logs, lines: Lines) -> None:
    """Names are replaced, numbers that were met by the same as in lines, addresses by addresses."""
    found = logs.line(
        b"Romeo [10001] 192.0.2.1:40001 > 192.0.2.2.14000 #7654321: '" + SENT + b"' ok"
    )
    rest, _, quoted = found.partition(b"'")
    assert b"Romeo" not in found
    assert found.count(lines.number(b"10001")) == 2
    address = lines.values.address_in_words
    assert address(b"192.0.2.1") + b":40001 > " + address(b"192.0.2.2") + b".14000" in rest
    assert b"7654321" not in rest
    assert quoted.startswith(lines.line(SENT) + b"' ")
    assert not quoted.endswith(b"ok")
    assert not lines.report.doubts


def test_escapes_in_a_log(logs: Logs, lines: Lines) -> None:
    """What Python prints of bytes is bytes; words are the same with and without them."""
    printed = repr(CAME + b"\r\n").encode()
    found = logs.line(printed)
    assert len(found) == len(printed)
    value = eval(found)
    assert value == lines.line(CAME + b"\r\n")
    assert logs.line(b'x \\"' + SENT + b'\\"').endswith(b'"')


@pytest.mark.parametrize(
    "raw",
    [
        b"UIN=10001&CMD=CLTMSG&VER=1.4&SEQ=1&UN=10002&MG=hi",
        b"SERERCONFIG_NUM=1&SERVERCONFIG_TYPE=KQQTCP&SERVERCONFIG_URL=socket://203.0.113.9:1",
        b'"' + SENT,
        b'"' + SENT + b'\\"',
    ],
)
def test_lines_in_other_forms(logs: Logs, raw: bytes) -> None:
    """Fields in another order, the list of servers, and quotes that do not end."""
    found = logs.line(raw)
    assert len(found) == len(raw)
    assert b"10001" not in found
    assert b"203.0.113.9" not in found
    assert found[:4] == raw[:4]


def test_text_without_a_line(lines: Lines, logs: Logs) -> None:
    """It is left out, or its words are replaced; empty lines stay."""
    text = b"2014-05-13 19:03:12 Romeo (10001) came from 192.0.2.1\n"
    assert logs.line(text) == b""
    assert logs.line(b"SERVER=1 no protocol\n") == b""
    assert logs.line(b" \n") == b" \n"
    assert lines.report.left_out == {"lines of text without a line of the protocol": 2}
    kept = Logs(lines, keep_foreign=True).line(text)
    assert len(kept) == len(text)
    assert kept.startswith(b"2014-05-13 19:03:12 ")
    assert not any(word in kept for word in (b"Romeo", b"10001", b"192.0.2.1"))
    assert sum(lines.report.doubts.values()) == 1


def test_first_pass_over_a_log_changes_nothing() -> None:
    """It meets the numbers in lines, in JSON and in plays."""
    values = Values(KEY)
    lines = Lines(values, Report(), is_meeting=True)
    logs, plays = Logs(lines), Plays(lines)
    for raw in (b"Romeo: " + SENT, b"no line", b'{"line": "VER=1.4&CMD=List&UIN=10003"}'):
        assert logs.line(raw) == raw
    for raw in (b"# Romeo", b"Romeo > CMD=CLTMSG UN=10004", b'Romeo < "VER=1&CMD=X&UIN=10005"'):
        assert plays.line(raw) == raw
    assert [values.has_met(b"%d" % number) for number in range(10_001, 10_007)] == [True] * 5 + [
        False
    ]


# --- JSON ----------------------------------------------------------------------------------------


def test_object(logs: Logs, lines: Lines) -> None:
    """All that repeats the line is made anew from it; what nobody knows becomes other words."""
    old = {
        "number": 7, "time": 1400000000.5, "stream": 2, "over": "tcp", "sender": "client",
        "client": "192.0.2.1:40001", "server": "192.0.2.2:14000", "command": "CLTMSG",
        "uin": 10001, "line": SENT.decode(), "fields": {"UN": 10002, "MG": "hi Romeo"},
        "odd": ["XP is empty", "Romeo is odd"], "whole": True, "answers": None, "seconds": 0.25,
        "who": "Romeo", "names": ["Romeo", {"a": 10001}], "count": 5, "big": 1234567, "minus": -3,
    }  # fmt: skip
    raw = json.dumps(old).encode() + b"\n"
    found = logs.line(raw)
    new = json.loads(found)
    assert found.endswith(b"}\n")
    assert list(new) == list(old)
    for key in ("number", "time", "stream", "over", "sender", "command", "whole", "answers",
                "seconds", "count", "minus"):  # fmt: skip
        assert new[key] == old[key]
    line = lines.line(SENT).decode()
    assert new["line"] == line
    assert new["uin"] == int(lines.number(b"10001"))
    assert new["fields"]["UN"] == int(lines.number(b"10002"))
    assert new["fields"]["MG"] == line.rpartition("=")[2]
    assert new["client"] == lines.values.address_in_words(b"192.0.2.1").decode() + ":40001"
    assert not any(word in found for word in (b"Romeo", b"10001", b"10002", b"192.0.2", b"1234567"))
    assert len(found) == len(raw) - len(json.dumps(old["fields"])) + len(json.dumps(new["fields"]))


def test_nothing_hides_in_a_member_of_an_object(logs: Logs) -> None:
    """Not words in members that everybody knows, nor numbers below 0 or with a point."""
    told = {
        "line": SENT.decode(), "note": "romeo 13800138000", "over": "romeo", "kind": "document",
        "sender": "romeo", "source": "HACK", "number": "13800138000", "time": "16:53:20.001",
        "a": -13800138000, "b": 13800138000.5, "c": 1e300, "d": float("nan"),
    }  # fmt: skip
    found = logs.line(json.dumps(told).encode())
    assert not re.search(rb"romeo|13800138000", found)
    new = json.loads(found)
    assert (new["kind"], new["source"], new["time"]) == ("document", "HACK", "16:53:20.001")
    assert new["a"] < -9999
    assert len(str(new["b"])) == len("13800138000.5")
    assert (new["c"], new["d"]) == (0, 0)


def test_other_objects(logs: Logs, lines: Lines) -> None:
    """Bytes as hex, what is odd about a line, escapes or none, and objects without a line."""
    junk = b"\x99\x98\x97" + SENT
    odd = "3 bytes before VER= are skipped: 99 98 97"
    raw = json.dumps({"hex": junk.hex(), "odd": [odd], "kind": "Romeo's own"}).encode()
    new = json.loads(logs.line(raw))
    assert bytes.fromhex(new["hex"])[3:] == lines.line(SENT)
    assert new["odd"][0].startswith("3 bytes before VER= are skipped: ")
    assert "99 98 97" not in new["odd"][0]
    assert "Romeo" not in new["kind"]
    wide = json.dumps({"line": CAME.decode(), "a": 1}, ensure_ascii=False, separators=(",", ":"))
    found = logs.line(wide.encode())
    assert found == json.dumps({"line": lines.line(CAME).decode(), "a": 1}, ensure_ascii=False,
                               separators=(",", ":")).encode()  # fmt: skip
    people = json.dumps({"line": SENT.decode(), "10001": {"Romeo 3": 1, "10002": 2}, "who": 10001})
    new = json.loads(logs.line(people.encode()))
    other, third = (lines.number(number).decode() for number in (b"10001", b"10002"))
    assert list(new) == ["line", other, "who"]  # a number is one wherever it stands
    assert third in new[other]
    assert not any("Romeo" in key for key in new[other])
    for empty in (b'{"hex": "zz"}', b'{"line": 5}', b"{broken"):
        assert logs.line(empty) == b""


# --- plays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old",
    [
        "server friends Romeo, Juliet\n",
        "Romeo signs in as hidden\n",
        '  Romeo sends Juliet "But soft!"',
        "Romeo speaks HTTP to the redirector",
        "Romeo is asked by Juliet",
        "clock +180",
        "server set captcha=always",
        'server account Juliet face=270 nick="But soft!"',
        'Romeo > CMD=CLTMSG UN={Juliet} MG="But soft!"',
        "Romeo < CMD=LIST RES=0 FN={any} SN={n} ...",
        "Romeo > VER=1.4&CMD=CLTMSG&SEQ=1&UIN={Romeo}&UN={Juliet}&MG=But soft!",
        "Romeo > CMD=Login PS={password} {{",
        "\n",
    ],
)
def test_play(plays: Plays, lines: Lines, old: str) -> None:
    """People get other names, in braces, too; texts get other words; the rest stays."""
    expected = old.encode().replace(b"But soft!", lines.values.words(b"But soft!"))
    for name in (b"Romeo", b"Juliet"):
        expected = expected.replace(name, lines.values.name(name))
    assert plays.line(old.encode()) == expected
    assert not lines.report.doubts


def test_string_of_a_play(plays: Plays, lines: Lines) -> None:
    """Escapes in it stay escapes, of what they stand for now; it may hold several lines."""
    line = 'Romeo > "\\x85VER=1.4&CMD=CLTMSG&SEQ=1&UIN={Romeo}&UN=1&MG=\\x42ut\\r\\nVER=1&CMD=X"'
    found = plays.line(line.encode())
    words = lines.values.words(b"But")
    romeo = lines.values.name(b"Romeo")
    start = b'%b > "\\x85VER=1.4&CMD=CLTMSG&SEQ=1&UIN={%b}&UN=1&MG=' % (romeo, romeo)
    assert found.startswith(start + b"\\x%02x%b\\r\\nVER=1&CMD=" % (words[0], words[1:]))


def test_comments_of_a_play(plays: Plays) -> None:
    """Words become others; evidence, and where a play makes sense, stay."""
    found = plays.line(b"# Only over TCP: Romeo's way (ZN SETM)\n")
    assert found.startswith(b"# Only over TCP: ")
    assert found.endswith(b" (ZN SETM)\n")
    assert b"Romeo" not in found


@pytest.mark.parametrize(
    "raw",
    [b"Romeo dances\n", b"Romeo > hello Juliet", b'Romeo > "Juliet', b'Romeo < CMD=LIST "Romeo"'],
)
def test_lines_of_a_play_that_are_no_statements(plays: Plays, lines: Lines, raw: bytes) -> None:
    """They become other words, and that is said."""
    found = plays.line(raw)
    assert len(found) == len(raw)
    assert not re.search(rb"Romeo|Juliet|hello|dances", found)
    assert sum(lines.report.doubts.values()) == 1


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_published_plays_stay_plays(plays: Plays, entry: Entry) -> None:
    """Each has the same statements, said by the same number of people."""
    text = (SUITE / entry.file).read_text(encoding="utf-8")
    new = b"".join(plays.line(line) for line in text.encode().splitlines(keepends=True))
    assert len(new) == len(text.encode())
    before, after = parse_play(text), parse_play(new.decode())
    assert [one.verb for one in after.statements] == [one.verb for one in before.statements]
    assert len(after.actors) == len(before.actors)
    assert after.only == before.only


@given(st.binary(max_size=60))
def test_any_text(raw: bytes) -> None:
    """Whatever stands in a file, it is rewritten or left out."""
    for prefix in (
        b"",
        b"Romeo > ",
        b'Romeo < "',
        b"server ",
        b"# ",
        b'{"line": "',
        b"x VER=1&CMD=2&",
    ):
        lines = Lines(Values(KEY), Report())
        whole = prefix + raw
        assert len(Plays(lines).line(whole)) == len(whole)
        assert len(Logs(lines).line(whole)) in (0, len(whole))
