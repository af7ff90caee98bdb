"""The same line again: commands that must not be done twice get the answer they were given.

`SEQ` does not tell a repeat, since clients use numbers again (GO, ZN). The very same line, byte for
byte, within seconds does: DEL sends a request up to three times while the answer is late.
"""

import asyncio
import hashlib
from collections import OrderedDict, deque
from typing import Generic, NamedTuple, TypeVar

from kqq.server.clock import Clock
from kqq.server.config import Config

Answer = TypeVar("Answer")
_KEPT = 5_000
"""Answers remembered; when more come within the time, the oldest is forgotten."""


class _Awaited(NamedTuple, Generic[Answer]):
    key: bytes
    answer: Answer
    stored: asyncio.Future[int]
    final: Answer


class Repeats(Generic[Answer]):
    """The answers of the last seconds."""

    def __init__(self, clock: Clock, config: Config) -> None:
        self._clock = clock
        self._config = config
        # Apart, since Python's collector looks through what holds other things, but not through
        # floats and bytes, and there may be thousands.
        self._answers: dict[bytes, Answer] = {}
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._awaited: deque[_Awaited[Answer]] = deque()
        self._asked: tuple[int, str, bytes] = (0, "", b"")

    def recall(self, uin: int, line: str) -> Answer | None:
        """Return what this line of `uin` was answered a moment ago, None if it is a new one."""
        key = _key(uin, line)
        self._asked = (uin, line, key)
        until = self._until.get(key)
        if until is None or until <= self._clock.now():
            return None
        return self._answers[key]

    def remember(
        self,
        uin: int,
        line: str,
        answer: Answer,
        *,
        stored: asyncio.Future[int] | None = None,
        final: Answer | None = None,
    ) -> None:
        """Keep an answer for `repeat_time`; once `stored` is done, `final` takes its place."""
        asked = self._asked
        key = asked[2] if asked[1] is line and asked[0] == uin else _key(uin, line)
        now = self._clock.now()
        self._answers[key] = answer
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
        while self._until:
            oldest, until = next(iter(self._until.items()))
            if len(self._until) <= _KEPT and until > now:
                break
            del self._until[oldest]
            del self._answers[oldest]

    def __len__(self) -> int:
        return len(self._until)


def _key(uin: int, line: str) -> bytes:
    """Return what stands for a line: some are long, and texts need not be kept."""
    data = f"{uin} {line}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(data, digest_size=16).digest()
