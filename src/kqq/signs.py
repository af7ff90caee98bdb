r"""Text of strangers on a terminal: what could do harm, or cannot be seen, is made visible.

What stays as it is, and what becomes a code such as `\x1b`, `\u202e` or `\U000e0001`:

- Letters, digits, blanks and pictures of all scripts stay. So do signs that Python's Unicode does
  not know yet, where Unicode has set places aside for pictures and Chinese characters: phones get
  new ones before Python does.
- Controls, escape sequences, broken bytes, line ends, signs that change the direction and all
  format signs become codes, with the exceptions below. So does what has no meaning (private use,
  not assigned), and what looks like nothing: the Hangul fillers, the empty Braille cell and such.
- Joiners (ZWJ, ZWNJ) stay where people need them to write: between two pictures, between two
  letters of Arabic and the scripts that join as it does, and beside a virama in Indic scripts.
  Nowhere else. The blank without width (ZWSP) is never needed to read.
- A variation selector stays after a picture, in a keycap, after a Chinese character and after a
  Mongolian letter; one, not several. A colour of skin stays after a picture.
- Marks above and below letters (Zalgo) stay up to four in a row, enough for Hebrew with all its
  points and for Tibetan; so do vowel signs that have room of their own, and the vowels and ends of
  old Korean syllables. A mark at the beginning would sit on what stands before the text.
- Tags become codes, in the flags of England, Scotland and Wales, too: they carry hidden text.

What is visible stays visible if it is made so again: `printable(printable(x)) == printable(x)`.
"""

import json
import re
import unicodedata
from collections.abc import Callable

from rich.cells import cell_len, set_cell_size

_MOST_MARKS = 4
_SIGNS_A_CELL = 40
"""Signs that one cell is taken to have at most. Pictures joined in a row take two cells, however
many they are."""
_PLAIN = re.compile(
    "[ -~\u00a1-\u00ac\u00ae-\u02ff\u0391-\u03a1\u03a3-\u03ff\u0400-\u0482\u048a-\u052f"
    "\u2010-\u2027\u2030-\u205e\u2190-\u23ff\u2500-\u27ff\u3000-\u3029\u3041-\u3096\u30a0-\u30ff"
    "\u4e00-\u9fef\uac00-\ud7a3\uff01-\uff9f\U0001f300-\U0001f3fa\U0001f400-\U0001f64f]*"
).fullmatch
"""Whether a text has only signs that stay wherever they stand; most texts do."""
_OPEN_LINE = re.compile(r"\n(?! )")
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U00016fe4\U0001d159")
"""Letters, marks and symbols that look like nothing."""
_SEEN = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Format signs that can be seen: they stand around or above the digits that follow."""
_ZWJ, _ZWNJ = "\u200d", "\u200c"
_TEXT_STYLE, _PICTURE_STYLE = "\ufe0e", "\ufe0f"
_KEYCAP = "\u20e3"
_VIRAMA = 9  # its combining class
_PICTURE = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
"""Pictures, and some signs around them in Unicode's tables."""
_TONE = re.compile("[\U0001f3fb-\U0001f3ff]")
"""Colours of skin; after no picture, some terminals give them room and some do not."""
_IDEOGRAPH = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd]")
_JOINING = re.compile("[\u0620-\u07f5\u0840-\u08e1\u1807\u1820-\u18aa]")
"""Arabic, Syriac, N'Ko, Mandaic, Mongolian."""
_INDIC = re.compile("[\u0900-\u0dff\u1000-\u109f\u1780-\u17dd]")
_JAMO = re.compile("[\u1161-\u11ff\ud7b0-\ud7c6\ud7cb-\ud7fb]")
"""Vowels and ends of old Korean syllables, drawn into the letter before them as marks are."""
_MONGOLIAN = re.compile("[\u1820-\u18aa]")
_SET_ASIDE = re.compile(
    "[\U0001f000-\U0001faff\U0001fc00-\U0001fffd\U00020000-\U0002fffd\U00030000-\U0003fffd]"
)
"""Where Unicode promises that only pictures and Chinese characters will be."""


def printable(text: str, *, lines: bool = False) -> str:
    """Return `text` with signs that could steer a terminal, or cannot be seen, made visible.

    Messages come from strangers. With `lines`, line breaks stay; CR LF is one of them.
    """
    if lines:
        parts = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return "\n".join(_made_visible(part, _code) for part in parts)
    return _made_visible(text, _code)


def hanging(text: str) -> str:
    """Return `text` made printable, its further lines indented: none can be taken for one of ours.

    Lines that begin with a blank stay as they are.
    """
    return _OPEN_LINE.sub("\n    ", printable(text, lines=True))


def one_line(text: str, cells: int) -> str:
    """Return `text` made printable, with blanks for line ends and tabs, in at most so many cells.

    What is cut ends with `…`, unless there is no cell for it. It takes no longer for a long text.
    """
    start = text[: _SIGNS_A_CELL * (max(cells, 0) + 2)]
    shown = printable(" ".join(re.split(r"\r\n|[\r\n\t\v\f\u0085\u2028\u2029]", start)))
    if cell_len(shown) <= cells and start == text:
        return shown
    if cells < 1:
        return ""
    # What joins with what was cut off must not join with the sign that says so.
    return set_cell_size(shown, cells - 1).rstrip(f" {_ZWJ}{_ZWNJ}") + "…"


def json_line(value: object) -> str:
    """Return `value` as JSON on one line, in which the same signs as in `printable` are escaped."""
    return _made_visible(json.dumps(value, ensure_ascii=False), _json_code)


def _code(sign: str) -> str:
    code = ord(sign)
    code -= 0xDC00 if 0xDC80 <= code <= 0xDCFF else 0  # a byte that was no UTF-8
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\u{code:04x}" if code > 255 else f"\\x{code:02x}"


def _json_code(sign: str) -> str:
    return json.dumps(sign)[1:-1] if ord(sign) != 0x7F else "\\u007f"


def _made_visible(text: str, code: Callable[[str], str]) -> str:
    if _PLAIN(text):
        return text
    shown: list[str] = []
    before = ""  # the two signs before, if they stayed; what depends on them depends on no other
    marks = {True: 0, False: 0}  # in a row: those with room of their own, and those without
    for place, sign in enumerate(text):
        category = unicodedata.category(sign)
        after = text[place + 1 : place + 2]
        if category in ("Mn", "Me", "Mc") or _JAMO.match(sign):
            has_room = category == "Mc"
            stays = _mark_stays(sign, before, after, marks[has_room])
            marks[has_room] += 1
        else:
            stays = _stays(sign, category, before, after)
            if stays:
                marks = {True: 0, False: 0}
        shown.append(sign if stays else code(sign))
        before = (before + sign)[-2:] if stays else ""
    return "".join(shown)


def _stays(sign: str, category: str, before: str, after: str) -> bool:
    """Return whether a sign that is no mark can stay."""
    if category in ("Cc", "Cs", "Co", "Zl", "Zp"):
        return False
    if category == "Cf":
        return sign in _SEEN or (sign in (_ZWJ, _ZWNJ) and _joins(sign, before, after))
    if category == "Cn":
        return bool(_SET_ASIDE.match(sign))
    if _TONE.match(sign):
        return bool(_PICTURE.match(_styled(before))) and not _TONE.match(before[-1:])
    return sign not in _UNSEEN


def _joins(sign: str, before: str, after: str) -> bool:
    """Return whether a joiner between these is one that people need to write."""
    left = before[-1:]
    if _INDIC.match(left) and unicodedata.combining(left) == _VIRAMA:
        return True
    if _INDIC.match(left) and _INDIC.match(after) and unicodedata.combining(after) == _VIRAMA:
        return unicodedata.category(left) == "Lo"
    if _JOINING.match(left) and _JOINING.match(after):
        return unicodedata.category(after) in ("Lo", "Lm")
    return sign == _ZWJ and bool(_PICTURE.match(_styled(before)) and _PICTURE.match(after))


def _styled(before: str) -> str:
    """Return the last sign, or what it makes a picture of."""
    return before[:1] if before[-1:] == _PICTURE_STYLE else before[-1:]


def _mark_stays(sign: str, before: str, after: str, marks: int) -> bool:
    """Return whether a mark, or a variation selector, can stay; `marks` are right before it."""
    left = before[-1:]
    if sign in (_TEXT_STYLE, _PICTURE_STYLE):
        if left and left in "#*0123456789":
            return after == _KEYCAP
        return bool(_PICTURE.match(left))
    if sign in "\ufe00\ufe01\ufe02" or "\U000e0100" <= sign <= "\U000e01ef":
        return bool(_IDEOGRAPH.match(left))
    if sign in "\u180b\u180c\u180d\u180f":
        return bool(_MONGOLIAN.match(left))
    if "\ufe03" <= sign <= "\ufe0d" or sign in _UNSEEN:
        return False
    return bool(left) and marks < _MOST_MARKS
