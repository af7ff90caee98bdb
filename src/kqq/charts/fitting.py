"""How wide a text will be in a picture, told without fonts, and how it is broken into lines.

Widths are those of wide fonts (DejaVu Sans, Noto Sans CJK): elsewhere a text needs less room than
it was given, never much more.
"""

import re
import unicodedata
from functools import lru_cache

from rich.cells import cell_len

_NARROW = frozenset("iIjlt.,:;'|!()[]fr·’‘`-/\\ ")
_WIDE = frozenset("mwMW@%—…–")
_MONO = 0.61  # em of a sign in a monospace font
_PICTURES = 0x1F000  # from here on pictures, wider than Chinese characters
_JOINERS = "\u200d\u200c"
_TONES = ("\U0001f3fb", "\U0001f3ff")
_WORD = re.compile(r"\s+|[^\s]+")


@lru_cache(maxsize=4096)
def _em(sign: str) -> float:
    """Return the width of one sign, as a share of the size of the font."""
    if sign in _NARROW:
        return 0.4
    if sign in _WIDE:
        return 0.98
    if sign.isascii():
        return 0.72 if sign.isupper() else 0.64
    cells = cell_len(sign)
    if cells == 2:
        return 1.32 if ord(sign) >= _PICTURES else 1.02
    return 0.72 if cells else 0.0


def width(text: str, size: float, *, mono: bool = False) -> float:
    """Return how wide a text is in a font of `size`, in the same unit."""
    if mono:
        return size * _MONO * cell_len(text)
    return size * sum(map(_em, text))


def _clusters(text: str) -> list[str]:
    """Return a text in pieces that must not be parted: a sign, and what is drawn on it."""
    pieces: list[str] = []
    for sign in text:
        joins = (
            unicodedata.category(sign).startswith("M")
            or sign in _JOINERS
            or _TONES[0] <= sign <= _TONES[1]
            or (pieces and pieces[-1][-1] in _JOINERS)
        )
        if joins and pieces:
            pieces[-1] += sign
        else:
            pieces.append(sign)
    return pieces


def fitted(text: str, room: float, size: float, *, mono: bool = False) -> str:
    """Return as much of a text as there is room for; what is cut ends with `…`."""
    if width(text, size, mono=mono) <= room:
        return text
    return _start(text, room - width("…", size, mono=mono), size, mono=mono).rstrip() + "…"


def _start(text: str, room: float, size: float, *, mono: bool = False) -> str:
    kept, used = "", 0.0
    for piece in _clusters(text):
        used += width(piece, size, mono=mono)
        if used > room:
            break
        kept += piece
    return kept


def _pieces(text: str) -> list[str]:
    """Return a text in pieces between which a line may end: words, and single wide signs."""
    pieces: list[str] = []
    for word in _WORD.findall(text):
        run = ""
        for cluster in _clusters(word):
            if cell_len(cluster) == 2:
                if run:
                    pieces.append(run)
                    run = ""
                pieces.append(cluster)
            else:
                run += cluster
        if run:
            pieces.append(run)
    return pieces


_NEVER_FIRST = frozenset("，。！？；：、”’）】》…,.!?;:)]")
_TURNED = 6  # signs at most that begin the next line for the sake of what follows
_NEVER_LAST = frozenset("“‘（【《([")


def wrapped(text: str, room: float, size: float, most: int, *, less: float = 0.0) -> list[str]:
    """Return a text in at most `most` lines, the last of them cut if there is more.

    `less` is room that the first line does not have. Lines end between words, or between wide
    signs, and not before a sign that cannot begin a line.
    """
    lines: list[str] = []
    line, space = "", room - less
    pieces = _pieces(text)
    while pieces:
        piece = pieces.pop(0)
        if width(line + piece, size) <= space:
            line += piece
            continue
        if len(lines) == most - 1:
            lines.append(fitted(line + piece + "".join(pieces), space, size))
            return lines
        if not line.strip() and width(piece, size) > room:  # a word longer than a line
            head = _start(piece, space, size) or _clusters(piece)[0]
            lines.append(head)
            pieces.insert(0, piece[len(head) :])
            if not pieces[0]:
                pieces.pop(0)
        else:
            line, taken = _turned(line, piece)
            lines.append(line.rstrip())
            pieces.insert(0, taken.lstrip())
        line, space = "", room
    if line.strip():
        lines.append(line.rstrip())
    return [one if width(one, size) <= room else fitted(one, room, size) for one in lines]


def _turned(line: str, piece: str) -> tuple[str, str]:
    """Return a line and what begins the next one, with no bracket or comma on the wrong side."""
    clusters = _clusters(line)
    cut = len(clusters)
    if piece[0] in _NEVER_FIRST:
        while cut and clusters[cut - 1] in _NEVER_FIRST:
            cut -= 1
        cut -= 1
    if cut > 0 and clusters[cut - 1] in _NEVER_LAST:
        cut -= 1
    if cut <= len(clusters) - _TURNED or cut <= 0:  # a line of nothing else
        return line, piece
    return "".join(clusters[:cut]), "".join(clusters[cut:]) + piece
