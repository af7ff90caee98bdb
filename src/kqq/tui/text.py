"""Text as it is laid out in columns: lines that fit, times and days in words."""

from datetime import date, datetime

from rich.cells import cell_len, split_graphemes

from kqq.words import tr

_NOT_FIRST = frozenset("，。！？、；：）」』》】〉…,.!?;:)]}”’%·—")
"""Signs that never begin a line if that can be helped."""
_NOT_LAST = frozenset("（「『《【〈([{“‘")
"""Signs that never end one."""


def wrapped(text: str, width: int) -> list[str]:
    """Return `text` as lines of at most `width` columns; its own line breaks stay.

    Lines break at spaces, which are dropped there, and beside wide signs, as Chinese does; a word
    without either is cut. A sign wider than `width` has a line of its own.
    """
    return [line for part in text.split("\n") for line in _wrap(part, width)]


def _wrap(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    lines = []
    signs = [(text[start:end], cells) for start, end, cells in split_graphemes(text)[0]]
    start = taken = cells = 0
    may_break = 0  # the place of the last sign before which the line may end
    while taken < len(signs):
        sign, wide = signs[taken]
        if taken > start and _may_break(signs[taken - 1], signs[taken]):
            may_break = taken
        if cells + wide <= width or taken == start or sign == " ":
            cells += wide
            taken += 1
            continue
        end = may_break if may_break > start else taken
        lines.append("".join(sign for sign, _ in signs[start:end]).rstrip(" "))
        start = taken = may_break = end
        cells = 0
    return [*lines, "".join(sign for sign, _ in signs[start:]).rstrip(" ")]


def _may_break(left: tuple[str, int], right: tuple[str, int]) -> bool:
    """Whether a line may end between two signs."""
    if left[0] == " " or right[0] == " ":
        return left[0] == " " and right[0] != " "
    if right[0] in _NOT_FIRST or left[0] in _NOT_LAST:
        return False
    return left[1] > 1 or right[1] > 1


def local(at: float) -> datetime:
    """Return a date in seconds since 1970 as the clock on the wall has it."""
    return datetime.fromtimestamp(at).astimezone()


def time_of_day(at: float, *, seconds: bool = False) -> str:
    """Return hours and minutes, such as `09:05`; with `seconds` to the thousandth."""
    when = local(at)
    return (
        when.strftime("%H:%M:%S.") + f"{when.microsecond // 1000:03}"
        if seconds
        else (when.strftime("%H:%M"))
    )


def day_in_words(day: date, today: date) -> str:
    """Return how people name a day: `today`, `yesterday`, or the day of the week and the date."""
    if day == today:
        return tr("Today")
    if (today - day).days == 1:
        return tr("Yesterday")
    return tr("{weekday}, {day} {month} {year}").format(
        weekday=_weekday(day), day=day.day, month=_month(day), year=day.year
    )


def _weekday(day: date) -> str:
    return (
        tr("Monday"),
        tr("Tuesday"),
        tr("Wednesday"),
        tr("Thursday"),
        tr("Friday"),
        tr("Saturday"),
        tr("Sunday"),
    )[day.weekday()]


def _month(day: date) -> str:
    return (
        tr("January"),
        tr("February"),
        tr("March"),
        tr("April"),
        tr("May"),
        tr("June"),
        tr("July"),
        tr("August"),
        tr("September"),
        tr("October"),
        tr("November"),
        tr("December"),
    )[day.month - 1]
