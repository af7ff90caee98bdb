"""Bytes to lines and lines to parts, and what is never shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.errors import RemoteProtocolError
from kqq.protocol.wire import (
    LINE_LIMIT,
    Line,
    LineBuffer,
    mask,
    mask_broken,
    mask_broken_bytes,
    mask_bytes,
    show,
)
from strategies import ENDS, LINES, cuts
from vectors import VECTORS, Vector

HASH = "5EBE2294ECD0E0F08EAB7690D2A6EE69"

# --- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text", "junk"),
    [
        (b"VER=1.1&A=1", "VER=1.1&A=1", b""),
        (b"VER=1.1\n", "VER=1.1", b""),
        (b"VER=1.1\r\n", "VER=1.1", b""),
        (b"VER=1.1\r", "VER=1.1", b""),
        (b"VER=1.1\r\r\n", "VER=1.1\r", b""),
        (b"VER=1.1\n\r\n", "VER=1.1\n", b""),
        (b"", "", b""),
        (b"\r\n", "", b""),
        (b"\x89\x01VER=1.1", "VER=1.1", b"\x89\x01"),
        (b"QVER=1.1", "VER=1.1", b"Q"),
        (b"VVER=1.1", "VER=1.1", b"V"),
        (b"&VER=1.1", "VER=1.1", b"&"),
        (b"VER=VER=1", "VER=VER=1", b""),
        (b"A=1&VER=1.1", "A=1&VER=1.1", b""),
        (b"A=VER=1.1", "VER=1.1", b"A="),
        (b"\xd0=VER=1.1", "VER=1.1", b"\xd0="),
        (b"UN=VER=1.1", "UN=VER=1.1", b""),
        (b"\xff\xfeab", "\udcff\udcfeab", b""),
        (b"VER=\xe4\xbd\xa0\xff", "VER=你\udcff", b""),
    ],
)
def test_a_line_is_its_bytes_without_end_and_junk(raw: bytes, text: str, junk: bytes) -> None:
    """One line end is cut, and what stands before the first `VER=` if no field is among it."""
    line = Line.decode(raw)
    assert (line.text, line.junk) == (text, junk)


@given(st.one_of(st.binary(max_size=80), LINES), ENDS)
def test_a_line_gives_its_bytes_back(body: bytes, end: bytes) -> None:
    """`encode` returns exactly the bytes that were read, without the line end."""
    raw = body + end
    ended = raw.removesuffix(b"\n").removesuffix(b"\r")
    assert Line.decode(raw).encode() == ended


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_every_vector_gives_its_bytes_back(vector: Vector) -> None:
    """`encode` returns the bytes of each vector, without the line end."""
    assert vector.line.encode() == vector.ended


def test_parts_are_all_there() -> None:
    """`parts` keeps empty parts; `pairs` skips them, and names no key where `=` is missing."""
    line = Line("&A=1&&b&=2&C=3=4&A=&")
    assert line.parts == ["", "A=1", "", "b", "=2", "C=3=4", "A=", ""]
    assert line.pairs == [("A", "1"), ("", "b"), ("", "2"), ("C", "3=4"), ("A", "")]


def test_the_first_of_a_repeated_field_counts() -> None:
    """`values` holds the first value of each key, as sent, without blanks around the key."""
    line = Line("A=1&A=2& B = x &b&C=3=4&&=5")
    assert line.values() == {"A": "1", "B": " x ", "C": "3=4", "": "5"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1&MG=x&y=z&&", {"A": "1", "MG": "x&y=z&&"}),
        ("A=1&MG=x&MG=y", {"A": "1", "MG": "x&MG=y"}),
        ("MG=x&A=1&B=2", {"MG": "x", "A": "1", "B": "2"}),
        ("MG=x&A=1&MG=y&B=2", {"MG": "x", "A": "1", "B": "2"}),
        ("A=1", {"A": "1"}),
    ],
)
def test_one_field_may_take_the_rest(text: str, found: dict[str, str]) -> None:
    """`rest` takes all to the end of the line once the keys in `after` stand before it."""
    assert Line(text).values("MG", ("A",)) == found


# --- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("A=1&PS=abc&M5=1", "A=1&PS=***&M5=1"),
        ("SG=abc&SSG=12", "SG=***&SSG=***"),
        ("ps = abc", "ps =***"),
        ("& PS=abc", "& PS=***"),
        ("PS\u3000=abc", "PS\u3000=***"),
        ("PS\x1f=abc", "PS\x1f=***"),
        ("PS=a%26b=c\r\nPS=d", "PS=***\r\nPS=***"),
        ("MSG=abc&PPS=abc&PS2=abc", "MSG=abc&PPS=abc&PS2=abc"),
        ("\x89\x01PS=abc\udcff\ud800&A=\ud800", "\x89\x01PS=***&A=\ud800"),
        ("P%53=abc&%73%47=abc&S%73G%3dabc", "P%53=***&%73%47=***&S%73G%3d***"),
        ("MG=hi%26PS=abc&A=1", "MG=hi%26PS=***&A=1"),
        (f"UIN=10001PS={HASH}&M5=1", "UIN=10001PS=***&M5=1"),
        (f"RES=0SG={HASH * 2}&A=1", "RES=0SG=***&A=1"),
        (f"PS=\r\n{HASH}&A=1", "PS=***&A=1"),
        ("PS=\r\nVER=1.1", "PS=***\r\nVER=1.1"),
        ("uin=10001&pwd=abc", "uin=10001&pwd=***"),
    ],
)
def test_secrets_are_masked_wherever_they_stand(text: str, masked: str) -> None:
    """The values of PS, SG and SSG are replaced, in any case and any text; others stay."""
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (HASH, "***"),
        (f"{HASH[9:]}&M5=1", "***&M5=1"),
        (f"MG=hi&{HASH[20:]}", "MG=hi&***"),
        (f"A=1\r\n{HASH[20:]}\r\n", "A=1\r\n***\r\n"),
        (f"KEY={HASH}&PS=abc", "KEY=***&PS=***"),
        (f"VC={HASH}&SEQ=1234567890&abc&D00D", f"VC={HASH}&SEQ=1234567890&abc&D00D"),
    ],
)
def test_what_may_be_a_secret_is_masked_in_broken_lines(text: str, masked: str) -> None:
    """Where a key is missing or wrong, what looks like a secret or the rest of one is replaced."""
    assert mask_broken(text) == masked
    assert mask_broken_bytes(text.encode()) == masked.encode()


def test_secrets_are_masked_in_bytes() -> None:
    """Bytes are masked as text is, whatever they hold."""
    assert mask_bytes(b"\xff&PS=\xff\xfe&A=\xff") == b"\xff&PS=***&A=\xff"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"VER=1.1", "VER=1.1"),
        (b"\r\x7f", "\\x0d\\x7f"),
        (b"\r\n\x00", "\\x0d\\x0a\\x…"),
        (b"\xff\xe4\xbd\xa0", "\\xff你"),
        (b"PS=abc&A=1", "PS=***&A=1"),
        (b"a" * 11, "aaaaaaaaaa…"),
        ("你".encode() * 14, "你你你你你你你你你你…"),
        (b"PS=" + b"a" * 50, "PS=***…"),
    ],
)
def test_what_is_shown_is_one_short_printable_line(data: bytes, shown: str) -> None:
    """`show` cuts at a length, escapes what cannot be printed and masks secrets."""
    assert show(data, 10) == shown


@given(st.binary(max_size=200), st.integers(1, 40))
def test_anything_can_be_shown(data: bytes, most: int) -> None:
    """`show` never fails, and what it gives is printable and no longer than asked."""
    shown = show(data, most)
    assert shown.isprintable()
    assert len(shown) <= most + 1


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_no_secret_of_a_vector_is_shown(vector: Vector) -> None:
    """No value of PS, SG or SSG comes through `mask` and `show`."""
    for secret in vector.secrets:
        assert secret not in mask(vector.line.text)
        assert secret not in show(vector.raw, 2000)


# --- streams -------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=12), max_size=6), st.binary(max_size=12), st.data())
def test_any_split_gives_the_same_lines(
    lines: list[bytes], tail: bytes, data: st.DataObject
) -> None:
    """However a stream is cut, its lines and what is pending are the same."""
    stream = b"".join(line + b"\n" for line in lines) + tail
    whole, pieces = LineBuffer(), LineBuffer()
    expected = whole.feed(stream)
    assert b"".join(line + b"\n" for line in expected) + whole.pending == stream
    assert [one for piece in data.draw(cuts(stream)) for one in pieces.feed(piece)] == expected
    assert pieces.pending == whole.pending


@given(st.lists(st.integers(0, 9), max_size=5), st.data())
def test_any_split_gives_the_same_error(sizes: list[int], data: st.DataObject) -> None:
    """The first line that is too long ends it, however the stream is cut."""
    stream = b"".join(b"x" * size + b"\n" for size in sizes) + b"y" * 9 + b"\nlater\n"
    whole, pieces = LineBuffer(6), LineBuffer(6)
    expected = whole.feed(stream)
    assert all(len(line) <= 6 for line in expected)
    assert [one for piece in data.draw(cuts(stream)) for one in pieces.feed(piece)] == expected
    assert isinstance(whole.error, RemoteProtocolError)
    assert isinstance(pieces.error, RemoteProtocolError)
    assert whole.pending == pieces.pending == b""
    assert whole.feed(b"more\n") == []


def test_a_line_may_be_as_long_as_the_limit() -> None:
    """A line of the limit's length is a line; one byte more is an error that shows its start."""
    buffer = LineBuffer()
    assert buffer.feed(b"a" * LINE_LIMIT + b"\n") == [b"a" * LINE_LIMIT]
    assert buffer.error is None
    assert buffer.feed(b"PS=secret&" + b"z" * LINE_LIMIT) == []
    assert str(buffer.error).startswith("a line is longer than 65536 bytes and starts 'PS=***&zzz")


def test_gathered_bytes_are_not_cut() -> None:
    """`gather` keeps all there is, line ends too, until it is too long."""
    buffer = LineBuffer(6)
    assert buffer.gather(b"a\nb") is None
    assert buffer.gather(b"\nc") is None
    assert buffer.pending == b"a\nb\nc"
    error = buffer.gather(b"dd")
    assert error is not None
    assert (buffer.gather(b"e"), buffer.pending) == (error, b"")


def test_a_line_shows_no_secret() -> None:
    """The representation of a line, which ends up in logs, masks what is secret, a CR in it too."""
    line = Line.decode(b"\x89\x01VER=1.4&CMD=Login&PS=5EBE\r2294&M5=1")
    assert repr(line) == r"Line('\\x89\\x01VER=1.4&CMD=Login&PS=***&M5=1')"


@pytest.mark.parametrize(
    "data",
    [
        b"&\xffPS=5ebe2294ecd0e0f08eab7690d2a6ee69",
        b"P%53=5ebe2294ecd0e0f08eab7690d2a6ee69",
        b"login 10001 5EBE2294ECD0E0F08EAB7690D2A6EE69",
    ],
)
def test_what_is_shown_of_a_broken_line_has_no_hash(data: bytes) -> None:
    """However a line is broken, what looks like a password's MD5 is masked."""
    assert "***" in show(data)
    assert "5ebe" not in show(data).lower()


def test_passwords_of_forms_are_masked() -> None:
    """Somebody may send a form where lines are expected; what it holds is no less a secret."""
    form = b"nick=Anna&password=hunter2&again=hunter2&code=x"
    assert mask_bytes(form) == b"nick=Anna&password=***&again=***&code=x"
    assert "hunter2" not in show(form)
