"""Telling somebody who looks elsewhere that a message came: the bell, or a note on the desktop."""

import os
from collections.abc import Mapping
from enum import Enum

from kqq.words import one_line

_MOST_CELLS = 120


class Notices(Enum):
    """How messages in conversations that are not in view are told of."""

    OFF = "off"
    BELL = "bell"
    DESKTOP = "desktop"
    BOTH = "both"

    @property
    def rings(self) -> bool:
        """Whether the bell rings."""
        return self in (Notices.BELL, Notices.BOTH)

    @property
    def shows(self) -> bool:
        """Whether a note is shown on the desktop."""
        return self in (Notices.DESKTOP, Notices.BOTH)


def desktop_note(title: str, text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return what to write to the terminal for a note: OSC 777 for rxvt and VTE, else OSC 9.

    Both texts may come from strangers: nothing of them can end the sequence or be another one.
    OSC 9 has one text only, and some terminals take digits at its start for other things.
    """
    title = one_line(title, _MOST_CELLS).replace(";", ",")
    text = one_line(text, _MOST_CELLS)
    if "VTE_VERSION" in environment or environment.get("TERM", "").startswith("rxvt"):
        return f"\x1b]777;notify;{title};{text.replace(';', ',')}\x07"
    return f"\x1b]9;kqq: {title}: {text}\x07"
