"""Text on a terminal that was found: broken into lines by cells, with marks on what was sought."""

from collections.abc import Iterator

import click
from rich.cells import cell_len


def broken(text: str, first: int, others: int) -> Iterator[tuple[int, int]]:
    """Give the places of the lines of a text: (start, end), each of so many cells at most.

    Lines are broken at blanks and between wide signs where there are such, else anywhere.
    """
    room, start = first, 0
    while start <= len(text):
        line_end = text.find("\n", start)
        line_end = len(text) if line_end < 0 else line_end
        end = start
        cells = 0
        while end < line_end and cells + (width := cell_len(text[end])) <= room:
            cells += width
            end += 1
        if end == line_end:
            yield start, end
            start = end + 1
        else:
            better = next((at for at in range(end, start, -1) if _may_break(text, at)), end)
            yield start, better
            start = better
            while start < line_end and text[start] == " ":
                start += 1
        room = others


def _may_break(text: str, at: int) -> bool:
    left, right = text[at - 1], text[at]
    return right == " " or left == " " or cell_len(left) == 2 or cell_len(right) == 2


def marked(text: str, start: int, end: int, found: list[tuple[int, int]]) -> str:
    """Return a piece of a text with what was found in bold; pipes get it without that."""
    pieces, at = [], start
    for begin, stop in found:
        begin, stop = max(begin, at), min(stop, end)  # noqa: PLW2901
        if begin < stop:
            pieces += [text[at:begin], click.style(text[begin:stop], bold=True, underline=True)]
            at = stop
    return "".join([*pieces, text[at:end]]).rstrip(" ")
