"""Words in texts, in any case, any script and any width."""

import unicodedata
from collections.abc import Iterable, Iterator


def spans(text: str, words: Iterable[str]) -> list[tuple[int, int]]:
    """Return where in a text words are, as `Diary.search` finds them: (start, end), in order.

    Places that touch or overlap are one.
    """
    known, places = "", []
    for start, end in _clusters(text):
        part = folded(text[start:end])
        known += part
        places += [(start, end)] * len(part)
    found = []
    for word in filter(None, map(folded, words)):
        at = known.find(word)
        while at >= 0:
            found.append((places[at][0], places[at + len(word) - 1][1]))
            at = known.find(word, at + 1)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _clusters(text: str) -> Iterator[tuple[int, int]]:
    """Give the places of signs, each with the accents that follow it, which fold into one."""
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or not unicodedata.combining(text[place]):
            yield start, place
            start = place


def folded(text: str) -> str:
    """Return a text as it is compared: upper and lower case, full and half width are one."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def has_all(text: str, wanted: Iterable[str]) -> bool:
    """Return whether each of the words, which are folded, is somewhere in a text."""
    known = folded(text)
    return all(word in known for word in wanted)
