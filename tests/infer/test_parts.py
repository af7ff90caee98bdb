"""Messages to fields: pairs, words, bytes, encodings; junk in front, and what does not fit."""

import pytest

from kqq.infer.cutting import Raw
from kqq.infer.parts import Blank, Pairs, Words, divide, find_pairs, find_words


def raws(*texts: str | bytes, encoding: str = "utf-8") -> list[Raw]:
    """Return messages of these texts."""
    found = [text.encode(encoding) if isinstance(text, str) else text for text in texts]
    return [Raw(1, 0, place, 0.0, data) for place, data in enumerate(found)]


def test_pairs_are_found_whatever_the_signs() -> None:
    """The signs that explain most parts win, not those that also occur in values."""
    texts = [f"user=a{n}&time=1{n % 6}:3{n % 7}&path=/x/y&n={n}" for n in range(20)]
    assert find_pairs(texts) == Pairs("&", "=", agree=80, of=80, names=4)
    lines = [f"Kind: {n % 3}\r\nWeight: {n}\r\nName: x=y" for n in range(20)]
    found = find_pairs(lines)
    assert found is not None
    assert (found.divider, found.assign) == ("\r\n", ": ")
    odd = [f"a~{n}|b~{n % 4}|c~x y z" for n in range(20)]
    assert find_pairs(odd) == Pairs("|", "~", agree=60, of=60, names=3)


def test_text_is_no_pairs() -> None:
    """Neither is one part alone, nor names that never come again."""
    assert find_pairs(["just some words, and more: of them"] * 9) is None
    assert find_pairs([f"a{n}=1&b{n}=2" for n in range(30)]) is None
    assert find_pairs(["a=1"] * 9) is None
    assert find_pairs([]) is None


def test_fields_in_order_with_all_that_is_odd() -> None:
    """Empty values, a part without a name, a sign in a value, empty parts, blanks in names."""
    texts = [f"k={n}&v=x" for n in range(30)]
    found = divide(raws(*texts, "k=1&&v=a=b&loose", " k =2&v="))
    assert isinstance(found.notation, Pairs)
    assert found.messages[-2].names == ("k", "v", "")
    assert found.messages[-2].values == ("1", "a=b", "loose")
    assert found.messages[-1].names == ("k", "v")
    assert found.messages[-1].get("v") == ""
    assert found.messages[-1].get("w") is None
    assert found.encoding == "ascii"


def test_bytes_before_the_first_name_are_cut_off() -> None:
    """Programs put lengths there; a name that many messages begin with shows what is too much."""
    texts = [f"VER=1&N={n}" for n in range(60)]
    found = divide(raws(*texts, b"\x85\x01VER=1&N=7", "QVER=1&N=8", "N=9&VER=1"))
    assert [message.junk for message in found.messages[-3:]] == [b"\x85\x01", b"Q", b""]
    assert {message.names for message in found.messages[-3:-1]} == {("VER", "N")}


def test_what_has_no_known_name_is_left_out() -> None:
    """It is counted, and one is shown."""
    found = divide(raws(*[f"a={n}&b={n}" for n in range(40)], "hello?", "hello!"))
    assert (len(found.messages), found.unfit, found.unfit_example) == (40, 2, "hello?")


def test_words_are_found() -> None:
    """By the first ones, which come again; the others may be anything."""
    texts = [f"{'SAY' if n % 3 else 'GO'} room{n % 4} word{n} more {n}" for n in range(40)]
    assert find_words(texts) == Words(" ", 40, 40)
    found = divide(raws(*texts))
    assert found.messages[0].names == ("word 1", "word 2", "word 3", "word 4", "word 5")
    assert found.messages[0].get("word 1") == "GO"
    long = divide(raws(*texts, "SAY it " + "on and " * 20))
    assert len(long.messages[-1].names) == 8
    assert find_words([f"w{n} x{n}" for n in range(40)]) is None
    assert find_words([]) is None


def test_text_that_nothing_divides() -> None:
    """It is one field."""
    found = divide(raws(*[f"{n}abc" * (n % 4 + 1) for n in range(20)]))
    assert found.notation == Blank(is_text=True, agree=20, of=20)
    assert found.messages[3].names == ("text",)


def test_bytes_are_taken_by_place() -> None:
    """With the header before them; the rest is one field."""
    made = raws(*[bytes([1, n, 255, 0]) * 5 for n in range(20)], b"\x00\x01")
    made[0].header = b"\xaa"
    found = divide(made)
    assert found.notation == Blank(is_text=False, agree=21, of=21)
    first, last = found.messages[0], found.messages[-1]
    assert first.names[:2] == ("header byte 1", "byte 1")
    assert (first.names[-1], first.values[-1]) == ("rest", "0100ff000100ff00")
    assert (last.names, last.values) == (("byte 1", "byte 2"), ("00", "01"))


@pytest.mark.parametrize(("text", "encoding"), [("你好", "utf-8"), ("你好", "gb18030")])
def test_encodings(text: str, encoding: str) -> None:
    """UTF-8 if it is, else the Chinese one if it can be; values are read so."""
    lines = [f"n={n}&t={text}{n}" for n in range(30)]
    found = divide(raws(*lines, encoding=encoding))
    assert found.encoding == encoding
    assert found.messages[7].get("t") == f"{text}7"
    broken = divide(raws(*lines, b"n=1&t=\xff\xfe", encoding=encoding))
    assert broken.encoding == encoding
    assert len(broken.messages) == 31


def test_how_much_a_byte_holds() -> None:
    """Text holds less than bytes by chance; nothing holds nothing."""
    assert divide([]).bits == 0.0
    assert divide(raws("aaaa")).bits == 0.0
    assert divide(raws(bytes(range(256)))).bits == 8.0
    assert divide(raws(b"\xc3\x28" * 20, b"\xa0\xa1", b"\xff")).encoding == "binary"


def test_fields_are_no_more_than_can_be_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message has so many parts at most, and all together, and so many names are counted."""
    many = divide(raws(*["&".join(f"k{n}={n}" for n in range(450))] * 8))
    assert len(many.messages[0].names) == 401
    monkeypatch.setattr("kqq.infer.parts._MOST_FIELDS", 50)
    monkeypatch.setattr("kqq.infer.parts._MOST_NAMES", 1)
    assert len(divide(raws(*[f"a={n}&b=1" for n in range(60)])).messages) == 25
