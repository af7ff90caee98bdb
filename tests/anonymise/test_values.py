"""Values replaced: by others of the same length and shape, the same each time, none by its own."""

import struct
import unicodedata
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kqq.anonymise.values import LOWEST, Values
from kqq.protocol.fields import escape, unescape

KEY = bytes(range(32))


@pytest.fixture
def values() -> Values:
    """Return replacements under some key."""
    return Values(KEY)


def shape(text: str) -> list[str]:
    """Return what sort of sign each is, and which stay as they are."""
    kinds = []
    for sign in text:
        size = len(sign.encode("utf-8", "surrogateescape"))
        is_kept = unicodedata.category(sign)[0] in "PZ" or sign < "\x20" or sign in "+<>=|~^$`"
        kind = "a" if "a" <= sign <= "z" else "A" if "A" <= sign <= "Z" else ""
        kind = "0" if sign in "0123456789" else kind
        kinds.append(f"{size}{sign if is_kept else kind}")
    return kinds


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [5, 6, 9, 10, 15, 20])
def test_number(values: Values, digits: int) -> None:
    """As many digits, no leading zero, another for each, and the same again."""
    numbers = [b"%d" % (10 ** (digits - 1) + 2 + step) for step in range(300)]
    others = [values.number(number) for number in numbers]
    assert len(set(others)) == 300
    assert {len(other) for other in others} == {digits}
    assert all(other[:1] != b"0" and int(other) >= LOWEST for other in others)
    assert others == [Values(KEY).number(number) for number in numbers]
    assert others != [Values(bytes(32)).number(number) for number in numbers]


def test_every_number_of_five_digits_has_its_own(values: Values) -> None:
    """What replaces numbers is a permutation of them."""
    others = {values.number(b"%d" % number) for number in range(LOWEST, 12_000)}
    assert len(others) == 12_000 - LOWEST


@pytest.mark.parametrize("number", [b"", b"0", b"50", b"9999", b"10000", b"0010000"])
def test_numbers_that_nobody_has_stay(values: Values, number: bytes) -> None:
    """They are places in lists, codes, and the system."""
    assert values.number(number) == number


def test_odd_numbers(values: Values) -> None:
    """Zeros in front stay, and a number that is too long for one is digits."""
    assert values.number(b"0010002") == b"00" + values.number(b"10002")
    long = b"1234567890" * 3
    assert len(values.number(long)) == 30
    assert values.number(long).isdigit()
    assert values.number(long) != long


def test_no_number_becomes_one_that_was_met() -> None:
    """So that whoever looks for the numbers of a file in what became of it finds none."""
    values = Values(KEY)
    met = [b"%d" % number for number in range(10_001, 14_000)]
    for number in met:
        values.meet(number)
    values.settle()
    others = [values.number(number) for number in met]
    assert len(set(others)) == len(others)
    assert not set(others) & set(met)
    assert values.has_met(b"10001")
    assert not values.has_met(b"99999")
    assert not values.has_met(b"1" * 30)


def test_numbers_are_not_met_without_end(values: Values, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are not met are replaced all the same."""
    monkeypatch.setattr("kqq.anonymise.values._MOST_NUMBERS", 2)
    for number in (b"9", b"10001", b"10002", b"10003"):
        values.meet(number)
    values.settle()
    assert values.has_met(b"10002")
    assert not values.has_met(b"10003")
    assert values.number(b"10003") != b"10003"


# --- words ---------------------------------------------------------------------------------------


@given(st.text(max_size=40))
def test_words_keep_their_shape(text: str) -> None:
    """Each sign stays of its sort and length; letters and digits become others."""
    values = Values(KEY)
    raw = text.encode("utf-8", "surrogatepass")
    other = values.words(raw)
    text = raw.decode("utf-8", "surrogateescape")
    found = other.decode("utf-8", "surrogateescape")
    assert len(other) == len(raw)
    if "%" not in text:
        assert shape(found) == shape(text)
        for sign, new in zip(text, found, strict=True):
            if sign.isascii() and sign.isalnum():
                assert new != sign
            elif "一" <= sign <= "鿿":
                assert "一" <= new <= "鿿"


@given(st.binary(max_size=40))
def test_any_bytes_keep_their_length(raw: bytes) -> None:
    """What is no UTF-8 stays none."""
    other = Values(KEY).words(raw)
    assert len(other) == len(raw)


@given(st.text("ab你é,&%\r\n😀 ", max_size=20))
def test_same_words_become_the_same_however_escaped(text: str) -> None:
    """Raw, escaped as servers do, and with all bytes escaped as forms have it."""
    values = Values(KEY)
    plain = unescape(values.words(escape(text).encode()).decode("utf-8", "surrogateescape"))
    every = "".join(f"%{byte:02X}" for byte in text.encode())
    form = values.words(every.encode())
    assert unescape(form.decode()) == plain
    assert form == form.upper()
    if "%" not in text:
        assert values.words(text.encode()).decode() == plain


def test_words_of_all_kinds(values: Values) -> None:
    """Chinese stays Chinese, kana kana, Hangul Hangul, faces faces, wide digits wide digits."""
    text = "Romeo 你好，ひらがな 한국 😀 １２ 12 ж ☀ \ue000 \u200d ²"
    found = values.words(text.encode()).decode()
    assert len(found) == len(text)
    assert found[:5].isascii()
    assert found[5] == " "
    assert found[8] == "，"
    assert all("ぁ" <= sign <= "ヿ" for sign in found[9:13])
    assert all("가" <= sign <= "힣" for sign in found[14:16])
    assert found[text.index("１")] in "０１２３４５６７８９"
    stays = [new for old, new in zip(text, found, strict=True) if new == old]
    assert set(stays) == set(" ，\u200d")


def test_long_words(values: Values) -> None:
    """They do not repeat themselves, and signs that stay do not count."""
    found = values.words(b"a" * 500)
    assert len(found) == 500
    assert len({found[at : at + 8] for at in range(0, 480, 32)}) == 15
    assert values.words(b"." * 500 + b"a") != b"." * 500 + b"a"


def test_escapes_keep_their_case(values: Values) -> None:
    """Servers write lower case, and CR in upper case."""
    found = values.words(b"%e4%bd%a0%2c%E4%BD%A0%0D%zz%4")
    assert found[:6] != b"%e4%bd"
    assert found[:9] == found[:9].lower()
    assert found[9:12] == b"%2c"
    assert found[12:21] == found[12:21].upper()
    assert found[21:24] == b"%0D"
    assert found[24:25] == b"%"


def test_names_are_told_apart(values: Values) -> None:
    """However short they are, nobody gets the name of another, as long as there are enough."""
    names = [b"%c" % letter for letter in range(ord("A"), ord("U"))]
    others = [values.name(name) for name in names]
    assert len(set(others)) == len(others)
    assert others == [values.name(name) for name in names]
    assert all(b"A" <= other <= b"Z" for other in others)


def test_names_are_not_kept_without_end(values: Values, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then two may get the same one, and no memory is used."""
    monkeypatch.setattr("kqq.anonymise.values._MOST_NAMES", 1)
    assert len({values.name(b"Romeo"), values.name(b"Julie"), values.name(b"Julie")}) == 2
    crowded = Values(KEY)
    for letter in range(ord("A"), ord("[")):
        crowded.name(b"%c" % letter)


# --- codes and pictures --------------------------------------------------------------------------


@pytest.mark.parametrize("change", [bytes.upper, bytes.lower])
def test_hexadecimal_digits(values: Values, change: Callable[[bytes], bytes]) -> None:
    """Both spellings of a password's MD5 are replaced alike, and every digit is another."""
    digits = b"5ebe2294ecd0e0f08eab7690d2a6ee69"
    other = values.digits_in_hex(change(digits))
    assert other == change(values.digits_in_hex(digits))
    assert all(new != old for new, old in zip(other, change(digits), strict=True))
    assert bytes.fromhex(other.decode())
    assert len(values.digits_in_hex(digits * 20)) == 640
    assert values.digits_in_hex(b"12-34")[2:3] == b"-"


def picture(width: int, height: int, kind: str = "PNG") -> bytes:
    """Return a picture with stripes."""
    image = Image.new("RGB", (width, height))
    for x in range(width):
        for y in range(height):
            image.putpixel((x, y), (x * 7 % 256, y * 5 % 256, x * y % 256))
    out = BytesIO()
    image.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("change", [bytes.upper, bytes.lower])
def test_picture(values: Values, change: Callable[[bytes], bytes]) -> None:
    """A PNG becomes a white one that is as wide, high and long."""
    old = picture(60, 24)
    digits = change(old.hex().encode())
    other = values.picture(digits)
    assert len(other) == len(digits)
    assert other == change(other)
    image = Image.open(BytesIO(bytes.fromhex(other.decode())))
    assert image.size == (60, 24)
    assert set(image.convert("L").tobytes()) == {255}


def test_what_cannot_be_a_white_picture(values: Values) -> None:
    """Too small, too large, broken or of another kind: other digits."""
    huge = bytearray(picture(60, 24))
    struct.pack_into("!L", huge, 16, 1_000_000)
    tiny = b"\x89PNG\r\n\x1a\n" + bytes(4) + b"IHDR" + struct.pack("!LL", 60, 24) + bytes(20)
    for data in (picture(60, 24, "GIF"), bytes(huge), tiny, b"\x89PNG", zlib.compress(b"")):
        digits = data.hex().encode()
        other = values.picture(digits)
        assert len(other) == len(digits)
        assert other != digits
    assert len(values.picture(b"abc")) == 3


# --- addresses -----------------------------------------------------------------------------------


def test_address(values: Values) -> None:
    """Each part has as many digits, none stays, and addresses that begin alike still do."""
    first, second = (values.address_in_words(one) for one in (b"192.0.2.1", b"192.0.2.77"))
    assert first.rpartition(b".")[0] == second.rpartition(b".")[0]
    assert first != second
    assert [len(part) for part in first.split(b".")] == [3, 1, 1, 1]
    assert all(
        new != old for new, old in zip(first.split(b"."), b"192.0.2.1".split(b"."), strict=True)
    )
    assert values.address(bytes([192, 0, 2, 1])) == bytes(map(int, first.split(b".")))


def test_every_address_has_its_own(values: Values) -> None:
    """So that whoever was two machines stays two."""
    parts = [(10, 1, part, last) for part in range(100) for last in range(0, 256, 9)]
    assert len({values.address(bytes(part)) for part in parts}) == len(parts)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"])
def test_addresses_of_nobody_stay(values: Values, address: str) -> None:
    """Loopback, multicast, broadcast."""
    assert values.address_in_words(address.encode()) == address.encode()


def test_what_only_looks_like_an_address(values: Values) -> None:
    """Numbers with dots are words."""
    for text in (b"300.1.1.1", b"1.02.3.4"):
        other = values.address_in_words(text)
        assert [len(part) for part in other.split(b".")] == [len(part) for part in text.split(b".")]
        assert other != text


def test_address_of_ipv6(values: Values) -> None:
    """The first byte stays, which says what sort of address it is; loopback and groups do, too."""
    old = bytes.fromhex("20010db8000000000000000000000001")
    assert values.address(old)[0] == 0x20
    assert values.address(old) != old
    others = {values.address(old[:15] + bytes([last])) for last in range(256)}
    assert len(others) == 256
    for kept in (bytes(15) + b"\1", b"\xff\2" + bytes(14)):
        assert values.address(kept) == kept


def test_card(values: Values) -> None:
    """Another card of the same sort; groups stay."""
    old = bytes.fromhex("0200c0ffee01")
    others = {values.card(old[:5] + bytes([last])) for last in range(256)}
    assert len(others) == 256
    assert {other[0] & 3 for other in others} == {2}
    assert values.card(bytes.fromhex("0011223344aa"))[0] & 3 == 0
    for kept in (b"\xff" * 6, bytes.fromhex("333300000001"), bytes(6)):
        assert values.card(kept) == kept
