"""The steps of an inference in words."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from kqq.capture.events import Opened
from kqq.cli.infer import objects
from kqq.cli.inferred import tell, tell_comparison
from kqq.cli.noticed import Veil
from kqq.infer import infer
from kqq.infer.against import compare
from kqq.words import json_line
from traffic import town_traffic
from unknown import StreamEvent, captured, chat_lines, counted, forms, noise, prose

VEIL = Veil(secrets=False)


def report(events: list[StreamEvent], **options: int) -> str:
    """Return the report on what passed, as one line, so that words can be looked for."""
    lines = list(tell(infer(events, **options), VEIL))
    assert max(map(cell_len, "\n".join(lines).splitlines())) <= 80
    return " ".join(" ".join(lines).split())


def turns(*rows: bytes, talks: int = 3) -> list[StreamEvent]:
    """Return connections on which the ends take turns to say these."""
    return list(captured([[(n % 2, float(n), row) for n, row in enumerate(rows)]] * talks))


def test_lengths_in_words() -> None:
    """Wherever and however they are written."""
    assert "a number after 2 bytes (2 bytes, the highest first) plus 4" in report(counted())
    little = [bytes((n, 0)) + b"\x07" * n for n in range(5, 45)]
    assert "(2 bytes, the lowest first)" in report(turns(*little))
    decimal = [b"%d:" % n + b"x" * n for n in range(40)]
    assert "(decimal digits) plus 0" in report(turns(*decimal))
    sizes = range(20, 420, 10)
    heads = [bytes((n,)) if n < 128 else bytes((n & 127 | 128, n >> 7)) for n in sizes]
    seven = [head + b"\x07" * n for head, n in zip(heads, sizes, strict=True)]
    assert "(bytes of which the highest bit" in report(turns(*seven))


def test_sizes_and_nothing_in_words() -> None:
    """Where all messages are as long, and where nobody can tell."""
    sized = report(turns(*[bytes([1, 2, 3, n, n]) for n in range(40)]))
    assert "For both ends, 120 of 120 bursts have 5 bytes" in sized
    nothing = report(noise())
    assert "nothing was found: no sign ends the bursts" in nothing
    assert "they look encrypted or compressed" in nothing
    assert "they are not, it seems, encrypted" in report(prose())
    assert "They are text, and no signs divide it" in report(prose())
    assert "nothing here that could be taken apart" in report([])


def test_one_end_may_frame_and_the_other_not() -> None:
    """Each is told for itself."""
    rows = [b"ask=%d&x=1\r\n" % n if n % 2 == 0 else bytes((n * 37 % 256, n)) * (n % 7 + 1)
            for n in range(60)]  # fmt: skip
    text = report(turns(*rows))
    assert "For the client, 0d 0a (CR LF) stands before" in text
    assert "For the server nothing was found" in text


def test_pairs_and_words_in_words() -> None:
    """With a message cut up; how text is written; and what does not fit."""
    text = report(forms())
    assert "40 connections carry HTTP" in text
    assert "All bytes are ASCII." in text
    assert "=> It is action." in text
    assert "the order tells" in text
    words = report(chat_lines())
    assert "With 20 (SP) between words, 380 of 380" in words
    assert "Messages are words in a row" in words
    assert "Nothing shows that" in words
    rows = [f"a={n}&b=你好{n}\n".encode("gb18030") for n in range(40)]
    assert "no UTF-8, but they are GB 18030" in report(turns(*rows))
    assert "4 messages are none of these, such as: what?" in report(
        turns(*rows, b"what?\n", talks=4)
    )
    assert "1 message is none of these: what?" in report(turns(*rows, b"what?\n", talks=1))


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
def test_what_was_left_out_in_words() -> None:
    """Foreign connections by number, ten of them shortly; broken pieces; too many messages."""
    lines = [[(n % 2, float(n), b"k=%d&x=1\n" % n) for n in range(40)]] * 6
    tls = [[(0, 0.0, b"\x16\x03\x01..")]] * 10
    text = report(list(captured([*lines, *tls])))
    assert "Left out: 10 connections (7, 8, 9, 10, 11, 12, 13, 14, …): encrypted (TLS)" in text
    events = captured(lines)
    for event in events:
        if isinstance(event, Opened):
            event.stream.opener = None
    assert "12 pieces are no whole messages" in report(list(events))
    many = [[(n % 2, float(n), b"a\n" * 900) for n in range(80)]] * 2
    assert "more messages than are looked at" in report(list(captured(many)), budget=1 << 24)
    assert "That is a sample" in report(list(captured(lines)), budget=3000)


def test_bytes_before_names_in_words() -> None:
    """And whether they count what follows."""
    rows = [b"first=%d&second=one\n" % n for n in range(80)]
    rows[40] = bytes((len(rows[40]),)) + rows[40]
    text = report(turns(*rows, talks=1))
    assert "1 message has bytes before its first name. In 1 of 1 these are the length" in text


@pytest.fixture(scope="module")
def events() -> list[StreamEvent]:
    """The traffic of a town."""
    return list(asyncio.run(town_traffic(rounds=1)))


def test_our_own_protocol_in_words(events: list[StreamEvent]) -> None:
    """Replies stand after what they answer; what nobody asked for comes last."""
    text = report(events)
    assert "writers have two habits" in text
    assert "some bursts have several messages" in text
    assert "messages came that nobody had asked for" in text
    heads = ["CLTMSG [request]", "CLTMSG [reply]", "update_stat [unasked]", "KINDS"]
    places = [text.index(head) for head in heads]
    assert places == sorted(places)


def test_the_comparison_in_words(events: list[StreamEvent]) -> None:
    """What differs, what is unknown, what is missing; and when there is nothing to say."""
    odd = captured([[(0, float(n), b"VER=1.4&CMD=Dance&SEQ=%d&UIN=1\n" % n) for n in range(9)]])
    more = captured([[(0, float(n), b"VER=1.4&CMD=Change_Stat&SEQ=%d&UIN=1&ST=3x&M=1\n" % n)
                      for n in range(9)]])  # fmt: skip
    odd[0].stream.number, more[0].stream.number = 5000, 5001
    comparison = compare(infer([*events, *odd, *more]))
    text = " ".join(" ".join(tell_comparison(comparison, VEIL)).split())
    assert "Dance [request], 9 times: there is no such message in it" in text
    assert "request Change_Stat: the field M is not in it: 1" in text
    assert "request Change_Stat: these values of ST cannot be read: 3x" in text
    assert "reply Login SG: the catalogue says TEXT, these lines say HEX_TEXT(64): ***" in text
    alone = [[(0, float(n), b"VER=1.4&CMD=Logout&SEQ=%d&UIN=10001\r\n" % n) for n in range(9)]]
    comparison = compare(infer(captured(alone)))
    text = " ".join(" ".join(tell_comparison(comparison, VEIL)).split())
    assert "Nothing: every message, field and value has its place there" in text
    assert "Not in these lines: ACK_ADDTOLIST" in text


def test_a_small_capture_in_words() -> None:
    """It is said that there was too little to count."""
    rows = [b"id=%d&do=%b\n" % (n // 2, (b"Go", b"See", b"Ask", b"Bye")[n // 2]) for n in range(8)]
    assert "Where that does not tell, there is do: a word in all messages" in report(
        turns(*rows, talks=1)
    )


PIECES = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([b"a=1", b"b=2,3,", b"c=%0a", b"PS=x", b"\xe4\xbd", b"word", b""]))
    .map(b"&".join)
    .map(lambda line: line + b"\r\n"),
    st.sampled_from([
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"HTTP/1.1 200 OK\r\n\r\n", b"\n",
        b"\x16\x03\x01",
        b"3:abc", b"\x00\x03abc", b"GO 1 2\r\n", "你=好\n".encode("gb18030"),
    ]),
)  # fmt: skip
TALKS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 1), st.floats(0, 100), PIECES).map(
            lambda one: (one[0], one[1], one[2] or b"x")
        ),
        max_size=40,
    ),
    max_size=6,
)


@given(TALKS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_whatever_was_said_can_be_told(
    talks: list[list[tuple[int, float, bytes]]], opened: bool
) -> None:
    """Nothing fails, whatever the bytes are, and nothing can steer a terminal."""
    findings = infer(captured(talks, opened=opened), budget=20_000)
    lines = [*tell(findings, VEIL), *tell_comparison(compare(findings), VEIL)]
    shown = "\n".join(lines)
    assert all(sign.isprintable() or sign == "\n" for sign in shown)
    for one in objects(findings, VEIL, compare(findings)):
        assert json_line(one)
