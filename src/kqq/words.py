"""How things look on a terminal: names of statuses, text that cannot do harm, exit codes."""

import unicodedata
from enum import IntEnum

from kqq.protocol import Status

_STATUS_NAMES = {status.value: status.name.lower().replace("_", "-") for status in Status}


class Exit(IntEnum):
    """What the exit codes of `kqq` mean."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NO_CONNECTION = 3


def status_name(code: int) -> str:
    """Return the name of a status code, such as `away` or `do-not-disturb`."""
    return _STATUS_NAMES.get(code, str(code))


def printable(text: str, *, lines: bool = False) -> str:
    """Return `text` with signs that could steer a terminal made visible.

    Messages come from strangers. With `lines`, line breaks stay; CR LF is one of them.
    """
    if lines:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    shown = []
    for sign in text:
        keeps = (sign == "\n" and lines) or unicodedata.category(sign) not in (
            "Cc",
            "Cs",
            "Zl",
            "Zp",
        )
        if keeps and sign not in _DIRECTION:
            shown.append(sign)
        else:
            shown.append(f"\\u{ord(sign):04x}" if ord(sign) > 255 else f"\\x{ord(sign):02x}")
    return "".join(shown)


_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Signs that make text run the other way, and so can make it look like something else."""
