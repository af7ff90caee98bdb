"""Framing: ends, lengths and sizes are found, and nothing where there is nothing."""

import random
import struct

import pytest

from kqq.infer.framing import (
    Counted,
    Ends,
    Fixed,
    find_end,
    find_length,
    find_size,
    leads_to_end,
    own_end,
)


def sizes(count: int = 30, seed: int = 1) -> list[int]:
    """Return different lengths of messages."""
    dice = random.Random(seed)
    return [dice.randrange(1, 400) for _ in range(count)]


def test_a_sign_before_the_pauses_ends_messages() -> None:
    """The longest one that nearly all bursts share; how often it stands there is told."""
    bursts = [b"one\r\n", b"two\r\nthree\r\n", b"four=\r\n", b"five\r\n", b""]
    found = find_end(bursts[:4])
    assert found == Ends(b"\r\n", agree=4, of=4, count=5)
    assert [bursts[1][a:b] for a, b, _ in found.cut(bursts[1])] == [b"two", b"three"]


def test_a_sign_that_some_put_before_the_end() -> None:
    """Some clients write CR LF and some LF: LF ends, CR may stand before it."""
    bursts = [b"a\r\n", b"bb\n", b"c\r\n", b"d\n", b"\n", b"e\r\nf\n"]
    found = find_end(bursts)
    assert found is not None
    assert (found.sign, found.maybe, found.count, found.with_maybe) == (b"\n", b"\r", 7, 3)
    assert [bursts[5][a:b] for a, b, _ in found.cut(bursts[5])] == [b"e", b"f"]


def test_one_burst_may_break_off() -> None:
    """Nine of ten are enough, and letters are never an end."""
    assert find_end([b"a;"] * 19 + [b"broken"]) == Ends(b";", agree=19, of=20, count=19)
    assert find_end([b"aX", b"bX", b"cX", b"dX"]) is None
    assert find_end([b"a;", b"b.", b"c!", b"d?"]) is None
    assert (own_end([]), find_end([])) == (b"", None)


def test_of_few_bursts_only_usual_ends_are_believed() -> None:
    """Two lines may end with `;` by chance, but hardly with LF."""
    assert find_end([b"a;", b"b;"]) is None
    found = find_end([b"a;\n", b"b;\n"])
    assert found is not None
    assert found.sign == b"\n"


@pytest.mark.parametrize(
    ("write", "form", "offset", "extra"),
    [
        (lambda body: struct.pack(">H", len(body)) + body, "big", 0, 2),
        (lambda body: struct.pack("<I", len(body) + 4) + body, "little", 0, 0),
        (lambda body: b"\xaa\x55" + struct.pack("<H", len(body)) + body, "little", 2, 4),
        (lambda body: b"%d:%b," % (len(body), body), "decimal", 0, 1),
        (
            lambda body: (
                bytes((len(body) & 127 | 128, len(body) >> 7)) + body
                if len(body) > 127
                else bytes((len(body),)) + body
            ),
            "7-bit",
            0,
            0,
        ),
    ],
)
def test_lengths_are_found(write: object, form: str, offset: int, extra: int) -> None:
    """Of any width and order, what it leaves out is found, and bursts of several are cut."""
    assert callable(write)
    dice = random.Random(3)
    bodies = [dice.randbytes(size) for size in sizes()]
    bursts = [write(body) for body in bodies]
    bursts += [bursts[0] + bursts[1], bursts[2] + bursts[3] + bursts[4]]
    found = find_length(bursts)
    assert found is not None
    assert (found.form, found.offset, found.extra) == (form, offset, extra)
    assert (found.agree, found.of) == (32, 32)
    cut = [bursts[-1][a:b] for a, b, _ in found.cut(bursts[-1])]
    assert cut == [body + b"," * (form == "decimal") for body in bodies[2:5]]
    assert not leads_to_end(found, bursts[0][:-1])


def test_nothing_is_found_where_nothing_is() -> None:
    """Random bytes, text, messages of one length, too few."""
    dice = random.Random(4)
    noise = [dice.randbytes(size) for size in sizes()]
    assert find_length(noise) is None
    assert find_length([b"line %d\n" % size * 3 for size in sizes()]) is None
    assert find_length([b"\x00\x02ab"] * 20) is None
    assert find_length(noise[:3]) is None
    assert find_end(noise) is None
    assert find_size(noise) is None


def test_a_length_of_nonsense_does_not_hang() -> None:
    """A length that says nothing follows, or less than that, ends the cutting."""
    assert list(Counted(0, "big", 2).cut(bytes(10))) == []
    assert list(Counted(0, "7-bit").cut(b"\xff" * 10)) == []
    assert list(Counted(0, "decimal").cut(b"12")) == []
    assert list(Counted(0, "7-bit").cut(b"\x00" * 3)) == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]


def test_messages_of_one_size() -> None:
    """Most have it, others a multiple."""
    found = find_size([bytes(12)] * 8 + [bytes(36)] * 2)
    assert found == Fixed(12, 10, 10)
    assert [(a, b) for a, b, _ in found.cut(bytes(30))] == [(0, 12), (12, 24)]
    assert find_size([bytes(12)] * 8 + [bytes(13)] * 2) is None
    assert find_size([bytes(12)] * 3) is None
    assert find_size([bytes(1)] * 9) is None
