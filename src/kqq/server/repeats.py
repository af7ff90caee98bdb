"""The same line again: commands that must not be done twice get the answer they were given.

`SEQ` does not tell a repeat, since clients use numbers again (GO, ZN). The very same line, byte for
byte, within seconds does: DEL sends a request up to three times while the answer is late.

OURS: a `SEQ` of ten digits says that the client uses each number once, so the same line is a repeat
whenever it comes, on whatever connection; over another transport its `CON` may be another. Such
lines are remembered for minutes, apart from others, and of each account only so many, so that
nobody can have the answers of all others forgotten.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict, deque
from typing import Generic, NamedTuple, TypeVar

from kqq.server.clock import Clock
from kqq.server.config import Config

Answer = TypeVar("Answer")
_KEPT = 5_000
"""Answers remembered; when more come within the time, the oldest is forgotten."""
_KEPT_UNIQUE = 50_000
"""Answers to lines with numbers used once; beyond, those of who was silent longest are forgotten.
They take 25 MB."""
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


class _Awaited(NamedTuple, Generic[Answer]):
    key: bytes
    answer: Answer
    stored: asyncio.Future[int]
    final: Answer


class Repeats(Generic[Answer]):
    """The answers of the last seconds, and of the last minutes where numbers are used once.

    `unique` says that the number of the line is such a one.
    """

    def __init__(self, clock: Clock, config: Config) -> None:
        self._clock = clock
        self._config = config
        # Apart, since Python's collector looks through what holds other things, but not through
        # floats and bytes, and there may be thousands.
        self._answers: dict[bytes, Answer] = {}
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._unique: OrderedDict[int, OrderedDict[bytes, float]] = OrderedDict()  # by account
        self._awaited: deque[_Awaited[Answer]] = deque()
        self._asked: tuple[int, str, bool, bytes] = (0, "", False, b"")

    def recall(self, uin: int, line: str, *, unique: bool = False) -> Answer | None:
        """Return what this line of `uin` was answered a moment ago, None if it is a new one."""
        key = _key(uin, line, unique)
        self._asked = (uin, line, unique, key)
        kept = self._unique.get(uin) if unique else self._until
        until = kept.get(key) if kept is not None else None
        if until is None or until <= self._clock.now():
            return None
        return self._answers[key]

    def remember(
        self,
        uin: int,
        line: str,
        answer: Answer,
        *,
        unique: bool = False,
        stored: asyncio.Future[int] | None = None,
        final: Answer | None = None,
    ) -> None:
        """Keep an answer for `repeat_time`, or `repeat_time_unique` where the number is used once.

        Once `stored` is done, `final` takes its place.
        """
        asked = self._asked
        is_asked = asked[1] is line and asked[0] == uin and asked[2] == unique
        key = asked[3] if is_asked else _key(uin, line, unique)
        now = self._clock.now()
        self._answers[key] = answer
        if unique:
            kept = self._unique.setdefault(uin, OrderedDict())
            self._unique.move_to_end(uin)
            kept.pop(key, None)
            kept[key] = now + self._config.repeat_time_unique
            self._drop(kept, now, _OF_ONE)
        else:
            self._until.pop(key, None)
            self._until[key] = now + self._config.repeat_time
        if stored is not None and final is not None:
            self._awaited.append(_Awaited(key, answer, stored, final))
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Let go of what is too old or too much, and of writes that are done."""
        while self._awaited and self._awaited[0].stored.done():
            key, answer, stored, final = self._awaited.popleft()
            is_written = not stored.cancelled() and stored.exception() is None
            if is_written and self._answers.get(key) is answer:  # it may be a later one by now
                self._answers[key] = final
        self._drop(self._until, now, _KEPT)
        while self._unique:
            uin, kept = next(iter(self._unique.items()))
            if kept and next(reversed(kept.values())) > now and self._unique_count <= _KEPT_UNIQUE:
                break
            self._drop(kept, now, 0)
            del self._unique[uin]

    def _drop(self, kept: OrderedDict[bytes, float], now: float, most: int) -> None:
        """Forget what is too old, and the oldest of what is more than `most`."""
        while kept:
            oldest, until = next(iter(kept.items()))
            if len(kept) <= most and until > now:
                break
            del kept[oldest]
            del self._answers[oldest]

    @property
    def _unique_count(self) -> int:
        return len(self._answers) - len(self._until)

    def __len__(self) -> int:
        return len(self._answers)


def _key(uin: int, line: str, unique: bool) -> bytes:  # noqa: FBT001  # as its callers have it
    """Return what stands for a line: some are long, and texts need not be kept."""
    if unique:
        line = _CON.sub("", line, count=1)
    data = f"{uin} {line}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(data, digest_size=16).digest()
