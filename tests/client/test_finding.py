"""Words in texts."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.client.finding import folded, has_all, spans

TEXTS = st.text("aAbßßẞéÉe\u0301ﬁİıΣςσ你好ＱＱqK\u212a 。.\n", max_size=12) | st.text(max_size=8)


@pytest.mark.parametrize(
    ("text", "word", "found"),
    [
        ("Hello, hello", "hello", ["Hello", "hello"]),
        ("明天一起吃饺子", "饺子", ["饺子"]),
        ("你", "你", ["你"]),
        ("ＱＱ号", "qq", ["ＱＱ"]),
        ("qq", "ＱＱ", ["qq"]),
        ("Straße", "STRASSE", ["Straße"]),
        ("cafe\u0301!", "CAFÉ", ["cafe\u0301"]),
        ("ΣΊΣΥΦΟΣ", "σίσυφος", ["ΣΊΣΥΦΟΣ"]),
        ("100%_sure", "%_", ["%_"]),
        ("aaa", "aa", ["aaa"]),
        ("a\udce4b", "\udce4", ["\udce4"]),
        ("hello", "", []),
        ("hello", "bye", []),
    ],
)
def test_words_are_found(text: str, word: str, found: list[str]) -> None:
    """In any case, script and width, as parts of others, and no sign has a meaning of its own."""
    assert [text[start:end] for start, end in spans(text, [word])] == found
    assert has_all(text, [folded(word)]) == (bool(found) or not word)


def test_places_that_touch_are_one() -> None:
    """Marks are set from the first to the last sign; what is between two stays unmarked."""
    assert spans("abcdef", ["bc", "cd", "f"]) == [(1, 4), (5, 6)]
    assert spans("abab", ["ab"]) == [(0, 4)]
    assert spans("abcdef", ["bcd", "c"]) == [(1, 4)]


def test_all_words_must_be_there() -> None:
    """In any order."""
    assert has_all("one two", [folded("two"), folded("ONE")])
    assert not has_all("one two", ["two", "three"])


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_places_are_in_order_and_apart(text: str, words: list[str]) -> None:
    """They are within the text, and only where there is such a word."""
    found = spans(text, words)
    places = [place for span in found for place in span]
    assert places == sorted(set(places))
    assert all(0 <= place <= len(text) for place in places)
    assert bool(found) <= any(word and has_all(text, [folded(word)]) for word in words)


@given(TEXTS, st.data())
def test_what_is_part_of_a_text_is_found(text: str, data: st.DataObject) -> None:
    """Any piece, whatever its case, unless it begins or ends inside a sign with its accents."""
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    piece = text[start:end]
    is_whole = folded(text[:start]) + folded(piece) + folded(text[end:]) == folded(text)
    if piece and is_whole and not unicodedata.combining(piece[0]):
        assert has_all(text, [folded(piece)])
        assert has_all(text, [folded(piece.swapcase())]) or folded(piece) != folded(
            piece.swapcase()
        )
