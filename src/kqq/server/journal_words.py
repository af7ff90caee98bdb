"""The journal in words: what was attempted, and why somebody is most likely not signed in.

All of it is made from what `Attempt.as_object` gives, since the command line has it from a server
that may be another version.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any
from unicodedata import east_asian_width

from kqq.server.journal import ENDS, FIRST, Step

_COLUMNS = 79  # and one more where a line ends in the midst of a wide sign
_MINOR = frozenset({Step.EARLY, Step.CAPTCHA_RIGHT, Step.CLOSED})
"""Steps that tell why somebody is not signed in only if nothing else does."""


def describe(attempt: Mapping[str, Any]) -> list[str]:
    """Return an attempt (from `Attempt.as_object`) in lines of 80 columns, in local time."""
    address = attempt["address"]
    address = f"[{address}]" if ":" in address else address
    runs = attempt["connections"]
    number = "no number" if attempt["uin"] is None else attempt["uin"]
    lines = _hang(
        "",
        f"{_day(attempt['begun'])} {_time(attempt['begun'])}  {number} from {address}:"
        f"{attempt['port']} over {attempt['over'].upper()}, door {attempt['door']}"
        + (f", {runs} connections" if runs > 1 else ""),
    )
    day = _day(attempt["begun"])
    for position, taken in enumerate(attempt["steps"]):
        if position == FIRST and attempt["left_out"]:
            lines.append(f"            … {attempt['left_out']} more steps, not kept")
        if _day(taken["last"]) != day:
            day = _day(taken["last"])
            lines.append(f"  {day}")
        lines += _hang(f"  {_time(taken['last'])}  ", _words(taken) + _times(taken))
    telling = _telling([attempt])
    if telling is not None and (remedy := _remedy(telling)):
        lines += _hang("  What to do: ", f"{remedy}.")
    return lines


def advice(attempts: Sequence[Mapping[str, Any]]) -> str | None:
    """Return in a sentence why somebody is most likely not signed in now, None if they are.

    `attempts` are all that are known of them, from `Attempt.as_object`, begun last is last.
    """
    if not attempts:
        return (
            "Nothing has reached the server lately; look at the address and the port that the "
            "client has, and whether a firewall stands between."
        )
    telling = _telling(attempts)
    if telling is None:
        return None
    when = f"{_day(telling['last'])} {_time(telling['last'])}"
    remedy = _remedy(telling)
    return f"At {when} {_words(telling)}{_times(telling)}{f'; {remedy}' if remedy else ''}."


def _telling(attempts: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the step that tells why nobody is signed in, None if somebody is."""
    if any(attempt["signed_in"] for attempt in attempts):
        return None
    order = [
        ((taken.get("order", 0), taken["last"]), position, taken)  # an older server has no order
        for position, attempt in enumerate(attempts)
        for taken in attempt["steps"]
    ]
    order.sort(key=lambda item: item[0])
    was_in: set[int] = set()
    major = minor = None
    for _, position, taken in order:
        step = _step(taken)
        if step is Step.SIGNED_IN:
            was_in.add(position)
            major = minor = taken
        elif step in ENDS and position in was_in:
            was_in.remove(position)
            major = minor = taken
        elif step in _MINOR:
            minor = taken
        elif step in (Step.CONNECTED, Step.DISCONNECTED):
            minor = minor or taken
        elif step not in ENDS:
            major = taken
    return major or minor


def _step(taken: Mapping[str, Any]) -> Step | None:
    """Return the step that was taken, None for one of a newer server."""
    return Step.__members__.get(taken["step"].upper())


class _Gaps(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return "?"


def _words(taken: Mapping[str, Any]) -> str:
    step, details = _step(taken), taken["details"]
    if step is not None:
        return step.words.format_map(_Gaps(details))
    return " ".join([taken["step"], *(f"{name}={value}" for name, value in details.items())])


def _remedy(taken: Mapping[str, Any]) -> str:
    step = _step(taken)
    if step is Step.CONNECTED:
        return "nothing followed; look whether the client's port is meant for what it speaks"
    return "" if step is None else step.remedy


def _times(taken: Mapping[str, Any]) -> str:
    if taken["count"] == 1:
        return ""
    first, last = taken["first"], taken["last"]
    since = _time(first) if _day(first) == _day(last) else f"{_day(first)} {_time(first)}"
    return f" ({taken['count']} times since {since})"


def _local(date: float) -> datetime:
    return datetime.fromtimestamp(date, tz=UTC).astimezone()


def _day(date: float) -> str:
    return f"{_local(date):%Y-%m-%d}"


def _time(date: float) -> str:
    return f"{_local(date):%H:%M:%S}"


def _hang(left: str, text: str) -> list[str]:
    """Return `text` after `left`, its further lines below it; wide signs take two columns.

    Much of it is what strangers sent, so nothing in it may steer a terminal.
    """
    signs = [sign if sign.isprintable() else _escape(sign) for sign in text]
    padded = "".join(sign + "\0" if east_asian_width(sign[0]) in "WF" else sign for sign in signs)
    lines = wrap(
        padded,
        _COLUMNS,
        initial_indent=left,
        subsequent_indent=" " * (len(left) or 4),
        break_on_hyphens=False,
    )
    return [line.replace("\0", "") for line in lines]


def _escape(sign: str) -> str:
    return f"\\x{ord(sign):02x}" if ord(sign) < 256 else f"\\u{ord(sign):04x}"
