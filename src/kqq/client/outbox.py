"""One's own messages until the server has them. No I/O, no clock.

The protocol has no way to ask whether a message arrived whose answer was lost. A server that knows
repeats answers the very same line again without storing it twice, but not for ever; so a message
that was tried is tried again with the same `SEQ`, and given up as unknown when it is too late.
"""

from dataclasses import dataclass, replace

from kqq.client.events import Fate, Message

REPEAT_TIME = 600.0
"""Seconds after the first try in which a message is tried again. Our server remembers 900."""
MOST_UNANSWERED = 3
"""So often a message is said to a server that answers other things but not this."""


@dataclass(slots=True)
class Entry:
    """A message on its way: `mark` is its `SEQ`, `tried` when it was first said.

    `tried` is a date in seconds since 1970, since it outlives the process; None: not said yet.
    `unanswered` is how often the server gave no answer though there was a connection.
    """

    message: Message
    mark: str
    tried: float | None = None
    unanswered: int = 0


class Outbox:
    """Messages in the order in which they were written; the oldest goes first."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def add(self, entry: Entry) -> None:
        """Keep a message until it is settled."""
        self._entries[entry.message.key] = entry

    def next(self) -> Entry | None:
        """Return the message whose turn it is, None if there is none."""
        return next(iter(self._entries.values()), None)

    def is_too_late(self, entry: Entry, now: float) -> bool:
        """Whether saying it again could make it a second message, or will not help."""
        if entry.unanswered >= MOST_UNANSWERED:
            return True
        return entry.tried is not None and not 0 <= now - entry.tried <= REPEAT_TIME

    def settle(self, entry: Entry, fate: Fate, why: str = "") -> Message:
        """Let go of a message and return it with what became of it."""
        del self._entries[entry.message.key]
        return replace(entry.message, fate=fate, why=why)
