"""What nothing but the protocol has: in streams, and in text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.capture.marks import IN_STREAM, IN_TEXT

_PARTS = (
    b"VER=1.4", b"VER = 1.1 ", b"VER=x", b"CON=1", b"CMD=Login", b"CMD =", b"SEQ=7", b"UIN=10001",
    b"SERERCONFIG_NUM=1", b"MG=a", b"\r\n", b"&", b"&", b"&",
)  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"VER=1.4&CON=1&CMD=Login&SEQ=1&UIN=10001",
        b"VER = 1.1 &CMD =List&SEQ =2",
        b"\xff\x00VER=1.1&CMD=List&UIN=1",
        b"CMD=Login&VER=1.0&SEQ=2",
        b"CMD=Login&UIN=10001",
        b"UIN=10001&CMD=GetMsgEx",
        b"SEQ=1&CMD=List",
        b"SERERCONFIG_NUM=2&SERVER0=192.0.2.7:14000",
    ],
)
def test_both_find_lines(data: bytes) -> None:
    """In the orders that clients write them, with blanks or without."""
    assert IN_STREAM.search(data)
    assert IN_TEXT.search(data)


@pytest.mark.parametrize("data", [b"VER=1.4&", b"VER=1.1&MG=hi", b"VER=1.4&CMD=Lo", b"VER=x&CMD=y"])
def test_text_may_hold_the_start_of_a_line(data: bytes) -> None:
    """Which in a stream might be anybody's."""
    assert IN_TEXT.search(data)
    assert not IN_STREAM.search(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /?version=1.4&cmd=list HTTP/1.1\r\n",
        b"CMD=dir",
        b"VER=1.4",
        b"CMD=a\r\n&SEQ=1",
        b"ver=1.1&cmd=List&seq=1",
        b"UIN=" + b"1" * 33 + b"&CMD=List",
    ],
)
def test_others_are_left_alone(data: bytes) -> None:
    """What only looks like it is not taken."""
    assert not IN_STREAM.search(data)
    assert not IN_TEXT.search(data)


@given(st.lists(st.sampled_from(_PARTS) | st.binary(max_size=3), max_size=8))
def test_what_is_found_in_a_stream_is_found_in_text(parts: list[bytes]) -> None:
    """A line of a capture is never lost in a log of the same."""
    data = b"".join(parts)
    found = IN_STREAM.search(data)
    assert found is None or IN_TEXT.search(data)
    assert found is None or len(found[0]) <= 200


def test_the_longest_is_short() -> None:
    """So that pieces of a stream need to overlap by no more than that."""
    blanks = b" " * 8
    version = b"VER%b=%b123456789%b&" % (blanks, blanks, blanks)
    longest = version + b"CON=%b&CMD%b=%b&ABCD%b=" % (b"1" * 16, blanks, b"c" * 64, blanks)
    found = IN_STREAM.fullmatch(longest)
    assert isinstance(found, re.Match)
    assert len(longest) <= 200
