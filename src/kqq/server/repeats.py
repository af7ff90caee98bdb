"""The same line again: commands that must not be done twice get the answer they were given.

`SEQ` does not tell a repeat, since clients use numbers again (GO, ZN). The very same line, byte for
byte, within seconds does: DEL sends a request up to three times while the answer is late.
"""

import hashlib
from collections import OrderedDict
from typing import Generic, TypeVar

from kqq.server.clock import Clock
from kqq.server.config import Config

Answer = TypeVar("Answer")
_KEPT = 20_000
"""Answers remembered; when more come within the time, the oldest is forgotten."""


class Repeats(Generic[Answer]):
    """The answers of the last seconds."""

    def __init__(self, clock: Clock, config: Config) -> None:
        self._clock = clock
        self._config = config
        self._kept: OrderedDict[bytes, tuple[float, Answer]] = OrderedDict()

    def recall(self, uin: int, line: str) -> Answer | None:
        """Return what this line of `uin` was answered a moment ago, None if it is a new one."""
        found = self._kept.get(_key(uin, line))
        if found is None or found[0] <= self._clock.now():
            return None
        return found[1]

    def remember(self, uin: int, line: str, answer: Answer) -> None:
        """Keep an answer for `repeat_time`."""
        now, key = self._clock.now(), _key(uin, line)
        self._kept.pop(key, None)
        self._kept[key] = (now + self._config.repeat_time, answer)
        while self._kept:
            oldest = next(iter(self._kept))
            if len(self._kept) <= _KEPT and self._kept[oldest][0] > now:
                break
            del self._kept[oldest]

    def __len__(self) -> int:
        return len(self._kept)


def _key(uin: int, line: str) -> bytes:
    """Return what stands for a line: some are long, and texts need not be kept."""
    data = f"{uin} {line}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(data, digest_size=16).digest()
