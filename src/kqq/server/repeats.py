"""The same line again: commands that must not be done twice get the answer they were given.

`SEQ` does not tell a repeat, since clients use numbers again (GO, ZN). The very same line, byte for
byte, within seconds does: DEL sends a request up to three times while the answer is late.

OURS: a `SEQ` of ten digits says that the client uses each number once, so the same line is a repeat
whenever it comes, on whatever connection; over another transport its `CON` may be another. Such
lines are remembered for minutes, apart from others, and of each account only so many, so that
nobody can have the answers of all others forgotten.
"""

import hashlib
import re
from collections import OrderedDict
from typing import Generic, TypeVar

from kqq.server.clock import Clock
from kqq.server.config import Config

Answer = TypeVar("Answer")
_Key = tuple[int, str] | bytes
_SHORT = 256  # signs
_KEPT = 5_000
"""Answers remembered; when more come within the time, the older half is forgotten."""
_KEPT_UNIQUE = 50_000
"""Answers to lines with numbers used once; beyond, those of who was silent longest are forgotten.
They take some 40 MB."""
_OF_ONE = 500
"""Those of one account; beyond, its oldest is forgotten. It is what `messages_burst` and
`messages_rate` let it say in the 30 s after which a client takes an answer for lost."""
_UNIQUE_DIGITS = 10
_CON = re.compile(r"(?<=&)CON=[^&]*", re.IGNORECASE)
"""The first is that of the head. In a line without one it may be within a text, where it does not
matter either: with the same number it is the same text."""


def is_unique(seq: str) -> bool:
    """Return whether a `SEQ` says that its client uses each number once."""
    return len(seq) == _UNIQUE_DIGITS


class Repeats(Generic[Answer]):
    """The answers of the last seconds, and of the last minutes where numbers are used once.

    `unique` says that the number of the line is such a one.
    """

    def __init__(self, clock: Clock, config: Config) -> None:
        self._clock = clock
        self._config = config
        # Two halves, each forgotten as a whole, since there is one answer for each message: what
        # came since a moment, and what came before it.
        self._new: dict[_Key, tuple[float, Answer]] = {}
        self._old: dict[_Key, tuple[float, Answer]] = {}
        self._turn = 0.0
        self._unique: OrderedDict[int, OrderedDict[_Key, tuple[float, Answer]]] = OrderedDict()
        self._unique_count = 0  # in all accounts, by which they are kept

    def recall(
        self, uin: int, line: str, *, unique: bool = False, now: float | None = None
    ) -> Answer | None:
        """Return what this line of `uin` was answered a moment ago, None if it is a new one.

        Who has just asked the clock can say `now`, here and below.
        """
        key = _key(uin, line, unique)
        if unique:
            found = self._unique[uin].get(key) if uin in self._unique else None
        else:
            found = self._new.get(key) or self._old.get(key)
        if found is None or found[0] <= (self._clock.now() if now is None else now):
            return None
        return found[1]

    def remember(
        self,
        uin: int,
        line: str,
        answer: Answer,
        *,
        unique: bool = False,
        now: float | None = None,
    ) -> None:
        """Keep an answer for `repeat_time`, or `repeat_time_unique` where the number is used once.

        One that waits for the disk is kept as it is; once it is written, it need not wait.
        """
        key = _key(uin, line, unique)
        if now is None:
            now = self._clock.now()
        if unique:
            self._remember_unique(uin, key, answer, now)
            return
        if now >= self._turn or len(self._new) >= _KEPT // 2:
            self._turn = now + self._config.repeat_time
            self._old, self._new = self._new, {}
        self._new[key] = now + self._config.repeat_time, answer

    def _remember_unique(self, uin: int, key: _Key, answer: Answer, now: float) -> None:
        kept = self._unique.setdefault(uin, OrderedDict())
        self._unique.move_to_end(uin)
        self._unique_count -= kept.pop(key, None) is not None
        kept[key] = now + self._config.repeat_time_unique, answer
        self._unique_count += 1
        self._drop(kept, now, _OF_ONE)
        while self._unique:
            first, kept = next(iter(self._unique.items()))
            last = next(reversed(kept.values()))[0] if kept else now
            if last > now and self._unique_count <= _KEPT_UNIQUE:
                break
            self._unique_count -= len(kept)
            del self._unique[first]

    def _drop(self, kept: OrderedDict[_Key, tuple[float, Answer]], now: float, most: int) -> None:
        """Forget what is too old, and the oldest of what is more than `most`."""
        while kept:
            until, _ = next(iter(kept.values()))
            if len(kept) <= most and until > now:
                break
            kept.popitem(last=False)
            self._unique_count -= 1

    def __len__(self) -> int:
        return len(self._new) + len(self._old) + self._unique_count


def _key(uin: int, line: str, unique: bool) -> _Key:  # noqa: FBT001  # as its callers have it
    """Return what stands for a line: itself if it is short; long ones would fill the memory."""
    if unique:  # of those many more are kept
        line = _CON.sub("", line, count=1)
    elif len(line) <= _SHORT:
        return uin, line
    data = f"{uin} {line}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(data, digest_size=16).digest()
