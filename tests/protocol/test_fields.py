"""Kinds of values: what each reads, writes and refuses."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.protocol.fields import (
    DIGITS,
    HEX,
    PROSE,
    TEXT,
    UINT,
    Kind,
    escape,
    hex_text,
    list_of,
    one_of,
    unescape,
)
from strategies import SPECS, TEXTS, VALUES

KINDS = {
    declared.kind.name: declared.kind for spec in SPECS for declared in (*spec.head, *spec.fields)
}
NUMBERS = list_of(UINT)
WORDS = list_of(TEXT)
PLAIN = list_of(TEXT, trailing=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("%", "%25"),
        ("&", "%26"),
        (",", "%2c"),
        ("\n", "%0a"),
        ("\r", "%0D"),
        ("%26", "%2526"),
        ("a=b +|;你😀", "a=b +|;你😀"),
        ("", ""),
    ],
)
def test_five_signs_are_escaped_in_the_case_clients_look_for(text: str, value: str) -> None:
    """`%25 %26 %2c %0D %0a` are written in just that case; everything else stays raw."""
    assert escape(text) == value
    assert unescape(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("%2C%2c", ",,"),
        ("%0A%0a%0D%0d", "\n\n\r\r"),
        ("%2526", "%26"),
        ("%25%32%36", "%26"),
        ("%e4%BD%a0", "你"),
        ("%e4\udcbd\udca0", "你"),
        ("%ff", "\udcff"),
        ("%00", "\0"),
        ("100%", "100%"),
        ("%4", "%4"),
        ("%zz%%41", "%zz%A"),
        ("%+1% 1", "%+1% 1"),
        ("a+b", "a+b"),
    ],
)
def test_every_escape_is_undone_once(value: str, text: str) -> None:
    """Any `%XX` is undone, in either case, in one pass; a `%` that begins none stays."""
    assert unescape(value) == text


@given(TEXTS)
def test_words_survive_escaping(text: str) -> None:
    """Escaped words hold no sign that ends a value, an item or a line, and come back."""
    value = escape(text)
    assert not re.search(r"[&,\r\n]", value)
    assert unescape(value) == text


@given(TEXTS)
def test_unescaping_gives_what_can_be_written(value: str) -> None:
    """Whatever is read as words can be written as bytes again."""
    unescape(value).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("name", sorted(KINDS))
def test_the_strategies_know_every_kind(name: str) -> None:
    """There is a strategy for each kind in the catalogue."""
    assert name in VALUES


@pytest.mark.parametrize("name", sorted(KINDS))
@given(data=st.data())
def test_each_kind_reads_what_it_writes(name: str, data: st.DataObject) -> None:
    """`parse`, `pattern` and `canonical` take what `format` gives, and all read it the same."""
    kind, value = KINDS[name], data.draw(VALUES[name])
    written = kind.format(value)
    assert not re.search(r"[&\r\n]", written)
    assert kind.parse(written) == value
    assert re.fullmatch(kind.pattern, written)
    assert (kind.canonical or str)(written) == value


@pytest.mark.parametrize("name", sorted(KINDS))
def test_an_empty_value_is_no_absent_one_where_it_can_be_written(name: str) -> None:
    """`empty_is_absent` only where `pattern` takes no empty value, else two readings differ."""
    kind = KINDS[name]
    assert not (kind.empty_is_absent and re.fullmatch(kind.pattern, ""))


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_describes_itself(name: str) -> None:
    """A kind shows its name and has words."""
    assert repr(KINDS[name]) == name
    assert KINDS[name].doc


def _reading(kind: Kind, value: str) -> Any:
    try:
        return kind.parse(value)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (DIGITS, "007", "007"),
        (DIGITS, " 7\t", "7"),
        (DIGITS, "", "must be 1 to 20 decimal digits"),
        (DIGITS, "1" * 20, "1" * 20),
        (DIGITS, "1" * 21, "must be 1 to 20 decimal digits"),
        (DIGITS, "٣", "must be 1 to 20 decimal digits"),
        (DIGITS, "²", "must be 1 to 20 decimal digits"),
        (UINT, "007", 7),
        (UINT, " 7 ", 7),
        (UINT, "9" * 20, 10**20 - 1),
        (UINT, "1" * 5000, "must be 1 to 20 decimal digits"),
        (UINT, "-1", "must be 1 to 20 decimal digits"),
        (UINT, "1_0", "must be 1 to 20 decimal digits"),
        (UINT, "1 0", "must be 1 to 20 decimal digits"),
        (TEXT, " a%2Cb ", " a,b "),
        (PROSE, "a,b%0a%26", "a,b\n&"),
        (HEX, "", b""),
        (HEX, " 89504E47 ", b"\x89PNG"),
        (HEX, "895", "must be hexadecimal digits, two for each byte"),
        (HEX, "zz", "must be hexadecimal digits, two for each byte"),
        (HEX, "１１", "must be hexadecimal digits, two for each byte"),
        (hex_text(4), " aBcD ", "aBcD"),
        (hex_text(4), "abc", "must be 4 hexadecimal digits"),
        (hex_text(4), "abcg", "must be 4 hexadecimal digits"),
        (one_of("X", ("1.0", "1.1")), " 1.1 ", "1.1"),
        (one_of("X", ("1.0", "1.1")), "1.2", "must be one of 1.0, 1.1"),
        (NUMBERS, "", ()),
        (NUMBERS, " ", ()),
        (NUMBERS, "1,2,", (1, 2)),
        (NUMBERS, "1,2", (1, 2)),
        (NUMBERS, "1, 2 , ", (1, 2)),
        (NUMBERS, "1,,2", "must be 1 to 20 decimal digits"),
        (NUMBERS, ",", "must be 1 to 20 decimal digits"),
        (WORDS, ",", ("",)),
        (WORDS, ",,", ("", "")),
        (WORDS, "a%2cb,c,", ("a,b", "c")),
        (PLAIN, "", ()),
        (PLAIN, "a,b", ("a", "b")),
        (PLAIN, "a,", ("a", "")),
        (PLAIN, ",", ("", "")),
    ],
)
def test_each_kind_reads_by_its_rule(kind: Kind, value: str, read: Any) -> None:
    """Values are read as the protocol says; what breaks a rule is answered with the rule."""
    assert _reading(kind, value) == read


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (DIGITS, "007", "007"),
        (UINT, True, "1"),
        (UINT, 10**20 - 1, "9" * 20),
        (TEXT, "a, b & c", "a%2c b %26 c"),
        (PROSE, "a, b & 5%\r\n", "a, b %26 5%25%0D%0a"),
        (HEX, b"\x89PNG", "89504e47"),
        (NUMBERS, (), ""),
        (NUMBERS, (1, 2), "1,2,"),
        (WORDS, ("", "a,b"), ",a%2cb,"),
        (PLAIN, (), ""),
        (PLAIN, ("", ""), ","),
        (PLAIN, ("a,b", "c"), "a%2cb,c"),
    ],
)
def test_each_kind_writes_by_its_rule(kind: Kind, value: Any, written: str) -> None:
    """Values are written in the one spelling old clients understand."""
    assert kind.format(value) == written


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (DIGITS, ""),
        (DIGITS, " 7"),
        (DIGITS, "1" * 21),
        (DIGITS, "٣"),
        (DIGITS, 7),
        (DIGITS, b"7"),
        (UINT, -1),
        (UINT, 10**20),
        (UINT, 1.0),
        (UINT, "1"),
        (UINT, None),
        (TEXT, 7),
        (TEXT, b"a"),
        (TEXT, ("a",)),
        (PROSE, None),
        (HEX, 1.5),
        (HEX, "89"),
        (hex_text(4), "abc "),
        (hex_text(4), b"abcd"),
        (hex_text(4), 4),
        (one_of("X", ("1.0",)), "1"),
        (one_of("X", ("1.0",)), 1.0),
        (NUMBERS, 7),
        (NUMBERS, ("7",)),
        (NUMBERS, [7]),
        (WORDS, "words"),
        (WORDS, (7,)),
        (PLAIN, ("",)),
        (PLAIN, (" \u3000",)),
        (PLAIN, {"a": 1}),
    ],
)
def test_each_kind_refuses_what_it_cannot_write(kind: Kind, value: Any) -> None:
    """A value of another type, or one that would be read differently, is not written."""
    with pytest.raises((ValueError, TypeError, AttributeError)):
        kind.format(value)


def test_kinds_have_the_names_the_export_shows() -> None:
    """Kinds made from others say so in their names."""
    made = (hex_text(16), NUMBERS, PLAIN, one_of("VERSION", ("1.0",)))
    assert [kind.name for kind in made] == [
        "HEX_TEXT(16)",
        "LIST(UINT)",
        "PLAIN_LIST(TEXT)",
        "VERSION",
    ]
