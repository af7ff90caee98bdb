"""Times and how long things take, in a few signs."""

from datetime import datetime

from kqq.words import tr

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def _local(time: float) -> datetime | None:
    """Return a time in the time zone of this machine, None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(time).astimezone()
    except (OverflowError, ValueError, OSError):  # captures may say anything
        return None


def clock(time: float, digits: int = 3) -> str:
    """Return the time of day with so many digits (0, 3) after the seconds, in local time."""
    date = _local(time)
    if date is None:
        return f"{time:.{digits}f}"
    return date.strftime("%H:%M:%S") + (f".{date.microsecond // 1000:03}" if digits else "")


def day(time: float) -> str:
    """Return the date in local time, as ISO has it; "" for one that no calendar has."""
    date = _local(time)
    return "" if date is None else date.strftime("%Y-%m-%d")


def minute(time: float) -> str:
    """Return hour and minute in local time."""
    date = _local(time)
    return f"{time:.0f}" if date is None else date.strftime("%H:%M")


def iso(time: float) -> str:
    """Return date, time and zone for programs; "" for a time that no calendar has."""
    date = _local(time)
    return "" if date is None else date.isoformat(timespec="milliseconds")


def duration(seconds: float) -> str:
    """Return how long something took, in the two largest units that matter."""
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, 1, tr("{much} min"), tr("{much} min {less} s"))
    if whole < _DAY:
        return _two(whole, _HOUR, _MINUTE, tr("{much} h"), tr("{much} h {less} min"))
    return _two(whole, _DAY, _HOUR, tr("{much} d"), tr("{much} d {less} h"))


def _two(seconds: int, large: int, small: int, one: str, both: str) -> str:
    much, rest = divmod(seconds, large)
    less = rest // small
    return both.format(much=f"{much:,}", less=less) if less else one.format(much=f"{much:,}")
