"""The clock that is moved by hand, as those meet it who give it to a client or a bot."""

import asyncio

import pytest

from kqq.server.clock import Clock
from kqq.testing import ManualClock


def test_it_stands_still_until_it_is_moved() -> None:
    """It goes by what it is told, and its dates with it."""
    clock = ManualClock()
    of_servers: Clock = clock
    now, date = clock.now(), clock.date()
    assert (of_servers.now(), of_servers.date()) == (now, date)
    clock.advance(2.5)
    assert (clock.now(), clock.date()) == (now + 2.5, date + 2.5)


def test_timers_come_due_in_order() -> None:
    """Each at its own time, also one that another sets; what was cancelled does not."""
    clock, calls = ManualClock(), []
    start = clock.now()

    def early() -> None:
        calls.append(("early", clock.now() - start))
        clock.later(1.0, lambda: calls.append(("from early", clock.now() - start)))

    clock.later(3.0, lambda: calls.append(("late", clock.now() - start)))
    cancelled = clock.later(2.5, lambda: calls.append(("cancelled", 0.0)))
    clock.later(2.0, early)
    assert clock.due == 3
    cancelled.cancel()
    assert clock.due == 2
    assert clock.next_due == start + 2.0
    clock.advance(3.0)
    assert calls == [("early", 2.0), ("late", 3.0), ("from early", 3.0)]
    assert clock.due == 0


def test_a_cancelled_timer_is_not_next() -> None:
    """What comes due next is what will really happen."""
    clock = ManualClock()
    clock.later(1.0, lambda: None).cancel()
    assert clock.next_due is None


async def test_sleep_lasts_until_the_clock_was_moved() -> None:
    """Whoever sleeps wakes when the clock is there, and not before."""
    clock = ManualClock()
    sleeping = asyncio.create_task(clock.sleep(10.0))
    await asyncio.sleep(0)
    clock.advance(9.9)
    await asyncio.sleep(0)
    assert not sleeping.done()
    clock.advance(0.1)
    await sleeping


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_no_sleep_is_a_turn_of_the_loop(seconds: float) -> None:
    """Others get their turn, and the clock need not be moved."""
    clock, others = ManualClock(), asyncio.Event()
    asyncio.get_running_loop().call_soon(others.set)
    await clock.sleep(seconds)
    assert others.is_set()
    assert clock.due == 0


async def test_a_sleep_that_is_cancelled_leaves_no_timer() -> None:
    """Nothing comes due for who does not wait any more."""
    clock = ManualClock()
    sleeping = asyncio.create_task(clock.sleep(10.0))
    await asyncio.sleep(0)
    assert clock.due == 1
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    assert clock.due == 0
