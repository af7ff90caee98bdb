"""The clock of the loop, and the one that tests move by hand."""

import asyncio
import time

from kqq.server.clock import Clock, LoopClock
from stage import ManualClock


async def test_loop_clock_tells_both_times() -> None:
    """`now` is the loop's time and `date` that of the world."""
    clock: Clock = LoopClock()
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert before <= clock.now() <= loop.time()
    assert abs(clock.date() - time.time()) < 5


async def test_loop_clock_calls_later() -> None:
    """What is due is called; what was cancelled is not."""
    called: list[str] = []
    done = asyncio.Event()
    clock = LoopClock()
    clock.later(0.0, lambda: called.append("cancelled")).cancel()
    clock.later(0.0, lambda: called.append("first"))
    clock.later(0.001, done.set)
    await asyncio.wait_for(done.wait(), 10)
    assert called == ["first"]


def test_manual_clock_moves_by_hand() -> None:
    """Timers come due in order, at their own time, those they set as well."""
    clock = ManualClock()
    start = clock.now()
    calls: list[tuple[str, float]] = []

    def note(name: str) -> None:
        calls.append((name, clock.now() - start))

    def early() -> None:
        note("early")
        clock.later(1, lambda: note("again"))

    clock.later(3, lambda: note("late"))
    clock.later(1, early)
    clock.later(2, lambda: note("never")).cancel()
    assert clock.due == 2
    clock.advance(2.5)
    assert calls == [("early", 1), ("again", 2)]
    clock.advance(1)
    assert calls[2:] == [("late", 3)]
    assert clock.now() - start == 3.5
    assert clock.due == 0
