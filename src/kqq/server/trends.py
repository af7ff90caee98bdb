"""Figures over time: how much was said, who came, how long the disk and the loop took.

For an hour every ten seconds are remembered, for a day every minute, in memory only.
"""

import math
from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kqq.server.clock import Clock, Timer
from kqq.server.metrics import Metrics, Writes

EVERY = 10.0
"""Seconds between two entries of the last hour."""
SLOWLY = 60.0
"""Seconds between two entries of the last day."""
_HOUR = 60
_DAY = 1440
"""Minutes that are remembered."""
_LOOK = 1.0
"""Seconds between two looks at how late the loop is: of ten, the worst is kept."""
_REFUSED = ("wrong_password", "unknown", "suspended", "busy", "limited")
"""What becomes of a sign-in that fails; one that is shown a captcha goes on."""
_SESSIONS = {"sessions_tcp": "connection", "sessions_http": "http", "sessions_web": "web"}
_RATES = ("messages", "delivered", "sign_ins", "sign_ins_refused", "bytes_in", "bytes_out")
_GAUGES = ("connections", *_SESSIONS)
SERIES = (*_RATES, *_GAUGES, "commit_ms", "loop_ms")
"""What there is: rates a second, how many there are, and milliseconds, of which `commit_ms` is the
mean of the transactions of that time, and `loop_ms` the most by which something came too late."""
_MS = 1000.0


class Trends:
    """Looks at the figures of a server from now on, until `close()`.

    `sessions()` returns how many sessions there are by kind. Dates are counted back from now, so
    that setting the machine's clock makes no gap and no heap.
    """

    def __init__(
        self, clock: Clock, metrics: Metrics, sessions: Callable[[], Mapping[str, int]]
    ) -> None:
        self._clock = clock
        self._metrics = metrics
        self._sessions = sessions
        self._hour = _Ring(EVERY, round(_HOUR * 60 / EVERY))
        self._day = _Ring(SLOWLY, round(_DAY * 60 / SLOWLY))
        now, counts = clock.now(), self._counts()
        for ring in self._rings:
            ring.begin(now, counts)
        self._due = 0.0
        self._timer: Timer
        self._wait(now)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def series(self, minutes: float) -> dict[str, Any]:
        """Return the entries of the last minutes, oldest first; of at most an hour the finer ones.

        `{"every": seconds, "times": [dates], "series": {name: [values]}}`; a date is when the time
        ended that an entry is of, and a value is None where there was nothing to measure.
        """
        ring = self._hour if minutes <= _HOUR else self._day
        now, date = self._clock.now(), self._clock.date()
        since = now - minutes * 60
        entries = [entry for entry in ring.entries if entry[0] > since]
        return {
            "every": ring.every,
            "times": [round(date - (now - entry[0]), 3) for entry in entries],
            "series": {
                name: [_plain(entry[at]) for entry in entries] for at, name in enumerate(SERIES, 1)
            },
        }

    @property
    def _rings(self) -> tuple["_Ring", "_Ring"]:
        return self._hour, self._day

    def _wait(self, now: float) -> None:
        self._due = now + _LOOK
        self._timer = self._clock.later(_LOOK, self._look)

    def _look(self) -> None:
        now = self._clock.now()
        late = max(now - self._due, 0.0) * _MS
        for ring in self._rings:
            ring.late = max(ring.late, late)
            if ring.is_due(now):
                ring.add(now, self._counts(), self._gauges())
        self._wait(now)

    def _counts(self) -> "_Counts":
        metrics = self._metrics
        sign_ins = metrics.sign_ins
        return (
            (
                metrics.messages_stored,
                metrics.messages_delivered,
                sign_ins["accepted"],
                sum(sign_ins[result] for result in _REFUSED),
                metrics.bytes_in,
                metrics.bytes_out,
            ),
            Writes(0, 0, 0.0) if metrics.writes is None else metrics.writes(),
        )

    def _gauges(self) -> list[float]:
        sessions = self._sessions()
        return [
            self._metrics.connections_open,
            *(sessions.get(kind, 0) for kind in _SESSIONS.values()),
        ]


_Counts = tuple[Sequence[int], Writes]
"""What is counted since the start: as in _RATES, and what was written."""


class _Ring:
    """The last entries, `every` so many seconds: each the time, then the values as in SERIES."""

    def __init__(self, every: float, most: int) -> None:
        self.every = every
        self.entries: deque[array[float]] = deque(maxlen=most)
        self.late = 0.0
        """Milliseconds by which something came too late since the last entry."""

    def begin(self, now: float, counts: _Counts) -> None:
        """Count from here on."""
        self._began, self._before = now, counts
        self._next = now + self.every

    def is_due(self, now: float) -> bool:
        """Return whether it is time for an entry; some loops call a little early."""
        return now >= self._next - _LOOK / 2

    def add(self, now: float, counts: _Counts, gauges: Sequence[float]) -> None:
        """Add an entry; one that comes late is of a longer time."""
        (numbers, writes), (numbers_before, writes_before) = counts, self._before
        seconds = now - self._began
        rates = [(new - old) / seconds for new, old in zip(numbers, numbers_before, strict=True)]
        batches = writes.batches - writes_before.batches
        took = writes.seconds - writes_before.seconds
        commit = took / batches * _MS if batches else math.nan
        self.entries.append(array("d", [now, *rates, *gauges, commit, self.late]))
        self.late = 0.0
        following = self._next + self.every
        self.begin(now, counts)
        if following > now + _LOOK / 2:  # else it came so late that others were left out
            self._next = following


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3)
