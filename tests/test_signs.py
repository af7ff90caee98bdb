"""Text of strangers: what could do harm is made visible, what people write stays readable."""

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kqq.signs import _PLAIN, hanging, json_line, one_line, printable

ZWJ, ZWNJ, VS15, VS16 = "\u200d", "\u200c", "\ufe0e", "\ufe0f"

READABLE = {
    "English": "Hello, world! ~ 100 %",
    "German": "Grüße aus Köln",
    "Vietnamese, letters and marks apart": unicodedata.normalize("NFD", "Tiếng Việt"),
    "Chinese": "你好，吃饭了吗？《三国》　“是”",
    "Chinese, with a variant and a rare character": "葛\U000e0100城 𠮷 \U00031350",
    "Japanese": "こんにちは ﾊﾛｰ",
    "Korean": "안녕하세요 " + unicodedata.normalize("NFD", "한글"),
    "Russian": "Привет, мир",
    "Greek": "Καλημέρα",
    "Hebrew with points": "שָׁלוֹם בְּרֵאשִׁ֖ית",
    "Arabic": "السَّلامُ عَلَيكُم ۝١",
    "Persian": f"می{ZWNJ}خواهم کتاب{ZWNJ}ها",
    "Thai": "ภาษาไทยที่นี่ก็ดี",
    "Hindi": f"नमस्ते क्{ZWJ}ष क्{ZWNJ}ष",
    "Bengali": f"র{ZWJ}্যাব শ্রী",
    "Malayalam, as it was typed once": f"അവന്{ZWJ} സന്{ZWJ}",
    "Burmese": "ကြွေ့ မြန်မာ",
    "Khmer": "ខ្ញុំស្រលាញ់",
    "Tibetan": "བསྒྲུབས",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ ᠠ\u180b",
    "pictures": "😀 ☺" + VS16 + " ❤" + VS16 + " ♠ ™" + VS15 + " 👍🏽 ☝" + VS16,
    "a picture of Unicode 15": "\U0001fae8",
    "keycaps": f"1{VS16}\u20e3 #{VS16}\u20e3",
    "flags": f"🇨🇳 🏳{VS16}{ZWJ}🌈",
    "people": f"👩{ZWJ}🚀 👨{ZWJ}👩{ZWJ}👧 🧑🏻{ZWJ}❤{VS16}{ZWJ}🧑🏽 🙂{ZWJ}↔{VS16}",
    "lines and boxes": "┌─┐ █▀▄ → ← ≤ ± ½ ⠿",
    "blanks of other widths": "a\u00a0b\u2003c\u202fd",
}


@pytest.mark.parametrize("text", READABLE.values(), ids=list(READABLE))
def test_what_people_write_stays_as_it_is(text: str) -> None:
    """All scripts stay, with the joiners, marks and selectors that they need."""
    assert printable(text) == text
    assert json.loads(json_line(text)) == text


HARMFUL = {
    "clear the screen": ("\x1b[2J\x07", r"\x1b[2J\x07"),
    "an escape sequence of one sign": ("\x9b31m", r"\x9b31m"),
    "a title for the window": ("\x1b]0;x\x07", r"\x1b]0;x\x07"),
    "line break": ("a\nb", r"a\x0ab"),
    "back over what was said": ("a\rb\x08\x7f", r"a\x0db\x08\x7f"),
    "tab": ("a\tb", r"a\x09b"),
    "other line ends": ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
    "right to left": ("\u202egnp.exe", r"\u202egnp.exe"),
    "all of direction": ("\u061c\u200e\u200f\u2066\u2069", r"\u061c\u200e\u200f\u2066\u2069"),
    "a byte that was no UTF-8": ("\udc85", r"\x85"),
    "half a pair": ("\ud800", r"\ud800"),
    "no width": ("a\u200bb\u2060c\ufeffd", r"a\u200bb\u2060c\ufeffd"),
    "soft hyphen": ("a\u00adb", r"a\xadb"),
    "unseen operators": ("a\u2061\u2062\u2063\u2064", r"a\u2061\u2062\u2063\u2064"),
    "joiners between Latin letters": (f"a{ZWJ}b{ZWNJ}c", r"a\u200db\u200cc"),
    "joiner after a picture": (f"😀{ZWJ}x 😀{ZWJ}", r"😀\u200dx 😀\u200d"),
    "two joiners": (f"😀{ZWJ}{ZWJ}😀", r"😀\u200d\u200d😀"),
    "joiner that does not join": (f"کتاب{ZWNJ} x", r"کتاب\u200c x"),
    "joiner between plain Hindi letters": (f"क{ZWJ}ख", r"क\u200dख"),
    "a no-joiner between pictures": (f"😀{ZWNJ}😀", r"😀\u200c😀"),
    "selector after a letter": (f"a{VS16}", r"a\ufe0f"),
    "selector after a digit": (f"1{VS16}2", r"1\ufe0f2"),
    "selector at the beginning": (f"{VS16}\ufe00", r"\ufe0f\ufe00"),
    "several selectors": (f"😀{VS16}{VS16}", f"😀{VS16}\\ufe0f"),
    "data in selectors": ("😀\U000e0101\ufe05", r"😀\U000e0101\ufe05"),
    "Mongolian signs": ("a\u180b\u180eb", r"a\u180b\u180eb"),
    "tags": ("🏴\U000e0067\U000e007f", r"🏴\U000e0067\U000e007f"),
    "annotations": ("\ufff9a\ufffab\ufffb", r"\ufff9a\ufffab\ufffb"),
    "Hangul fillers": ("\u115f\u1160\u3164\uffa0", r"\u115f\u1160\u3164\uffa0"),
    "an empty Braille cell": ("\u2800", r"\u2800"),
    "a joiner of graphemes": ("a\u034fb", r"a\u034fb"),
    "private use": ("\ue001\U000f0000", r"\ue001\U000f0000"),
    "no characters": ("\uffff\U0001fffe", r"\uffff\U0001fffe"),
    "not assigned": ("\u0378\U000e0fff", r"\u0378\U000e0fff"),
    "marks on marks": ("z" + "\u0301" * 6, "z" + "\u0301" * 4 + r"\u0301\u0301"),
    "vowel signs on vowel signs": ("क" + "\u093e" * 5, "क" + "\u093e" * 4 + r"\u093e"),
    "Korean vowels on vowels": ("ᄒ" + "\u1161" * 5, "ᄒ" + "\u1161" * 4 + r"\u1161"),
    "a mark at the beginning": ("\u0338x", r"\u0338x"),
    "a colour of skin alone": ("a🏽 👍🏽🏽", r"a\U0001f3fd 👍🏽\U0001f3fd"),
}


@pytest.mark.parametrize(("text", "shown"), HARMFUL.values(), ids=list(HARMFUL))
def test_what_does_harm_or_hides_is_made_visible(text: str, shown: str) -> None:
    """Nothing is left out; what cannot be shown is shown as its code."""
    assert printable(text) == shown


@pytest.mark.parametrize(("text", "shown"), HARMFUL.values(), ids=list(HARMFUL))
def test_json_hides_nothing_and_loses_nothing(text: str, shown: str) -> None:
    """In JSON the same signs are escaped as JSON has it, so programs get what was said."""
    line = json_line({"text": text})
    assert json.loads(line) == {"text": text}
    for sign in "\x1b\x7f\x9b\u202e\u200b\u2028\udc85\U000e0067":
        assert sign not in line


def test_line_breaks_can_stay() -> None:
    """Of a text of several lines CR LF, CR and LF are each one line break."""
    assert printable("a\r\nb\rc\nd\x1b", lines=True) == "a\nb\nc\nd\\x1b"
    assert printable("a\n\u0338b", lines=True) == "a\n\\u0338b"


SIGNS = st.one_of(
    st.characters(),  # of all of Unicode, halves of pairs, too
    st.sampled_from("\x1b\x9b\r\n\t ab1#" + ZWJ + ZWNJ + VS16 + "\u20e3\u0301\u094d\u093e"),
    st.sampled_from("😀❤🏽👍🏴\U000e0067\U000e0101葛कषبیᠮᠠ\u180bᄒ\u1161\u200b\u202e\u3164\ufeff"),
)
TEXTS = st.lists(SIGNS, max_size=40).map("".join)
CODES = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")
NEVER = {"Cc", "Cs", "Co", "Zl", "Zp"}
MAY_FORMAT = set(f"{ZWJ}{ZWNJ}\u06dd\u070f\u08e2\u0890\u0891\U000110bd\U000110cd") | set(
    "\u0600\u0601\u0602\u0603\u0604\u0605"
)


@given(TEXTS)
def test_nothing_that_does_harm_gets_through(text: str) -> None:
    """No control, no lone ESC, no direction, nothing private or unknown, no flood of marks."""
    shown = printable(text)
    for sign in shown:
        category = unicodedata.category(sign)
        assert category not in NEVER
        assert category != "Cf" or sign in MAY_FORMAT
        assert category != "Cn" or 0x1F000 <= ord(sign) <= 0x3FFFD
        assert sign not in "\u115f\u1160\u3164\uffa0\u2800\u034f"
    assert not re.search(f"{ZWJ}{ZWJ}|{ZWNJ}{ZWNJ}|[a-z]{ZWJ}|[a-z]{VS16}|^{ZWJ}", shown)
    in_a_row = "".join("m" if unicodedata.category(sign) == "Mn" else "." for sign in shown)
    assert "mmmmm" not in in_a_row


@given(TEXTS)
def test_what_is_visible_stays_so(text: str) -> None:
    """To make it visible twice changes nothing, and codes are all that it adds."""
    shown = printable(text)
    assert printable(shown) == shown
    if text.isascii() and text.isprintable():
        assert shown == text


@given(TEXTS)
def test_what_is_shown_tells_what_was_there(text: str) -> None:
    """Putting the signs back in place of their codes gives the text again."""

    def sign(match: re.Match[str]) -> str:
        code = int("".join(filter(None, match.groups())), 16)
        return chr(code if chr(code) in text else code + 0xDC00)  # else a byte that was no UTF-8

    if "\\" not in text:
        assert CODES.sub(sign, printable(text)) == text


@given(TEXTS)
def test_json_is_the_value(text: str) -> None:
    """A JSON line is one line, and is the value again when it is read."""
    line = json_line([text, 1, None])
    assert json.loads(line) == [text, 1, None]
    assert not {unicodedata.category(sign) for sign in line} & NEVER


@given(TEXTS, st.integers(-1, 30))
def test_one_line_is_one_line_of_so_many_cells(text: str, cells: int) -> None:
    """It never takes more room than it has, and is whole if there is room for all."""
    line = one_line(text, cells)
    assert cell_len(line) <= max(cells, 0)
    assert not {unicodedata.category(sign) for sign in line} & NEVER
    assert line == one_line(text, 10_000) or line.endswith("…") or cells < 1


@pytest.mark.parametrize(
    ("text", "cells", "line"),
    [
        ("hello", 5, "hello"),
        ("hello", 4, "hel…"),
        ("hello", 1, "…"),
        ("hello", 0, ""),
        ("a\r\nb\tc\nd", 9, "a b c d"),
        ("你好吗", 6, "你好吗"),
        ("你好吗", 5, "你好…"),
        ("你好吗", 4, "你…"),
        ("hi there", 4, "hi…"),
        (f"ab👩{ZWJ}🚀", 4, f"ab👩{ZWJ}🚀"),
        (f"ab👩{ZWJ}🚀", 3, "ab…"),
        ("\x1b[2J", 5, r"\x1b…"),
    ],
)
def test_one_line_ends_with_an_ellipsis_if_cut(text: str, cells: int, line: str) -> None:
    """Wide signs count for two cells and are not cut apart; blanks stand for line ends."""
    assert one_line(text, cells) == line


def test_further_lines_hang() -> None:
    """No line of somebody else looks like one of ours; those that are indented stay."""
    text = "no\r\nkqq: \x1b[2J\n  listed\n\nend"
    assert hanging(text) == "no\n    kqq: \\x1b[2J\n  listed\n    \n    end"
    assert hanging("one line") == "one line"


@pytest.mark.parametrize("text", ["a" + "\u0301" * 60_000, f"👩{ZWJ}" * 30_000, "\x1b" * 60_000])
def test_one_line_does_not_go_through_a_long_text(text: str) -> None:
    """A name of 60 KB would hold up each drawing of a list, or be on one line as a whole."""
    line = one_line(text, 20)
    assert line.endswith("…")
    assert cell_len(line) <= 20
    assert len(line) < 1000
    assert line == one_line(text[:2000], 20)


def test_plain_signs_are_plain() -> None:
    """What the short way lets through is of no kind that the long way would look at."""
    for code in range(0x110000):
        sign = chr(code)
        if _PLAIN(sign):
            category = unicodedata.category(sign)
            assert category[0] not in "MC", hex(code)
            assert category[0] != "Z" or sign in " \u3000", hex(code)
            assert printable(f"a{sign}") == f"a{sign}", hex(code)
