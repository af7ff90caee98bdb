"""What is due in the next turn of the loop."""

import asyncio
import logging

import pytest

from kqq.server.rounds import Rounds
from stage import ManualClock


async def test_all_is_called_in_order_in_the_next_turn() -> None:
    """Not at once; and what becomes due meanwhile is of the turn after."""
    rounds, called = Rounds(ManualClock()), list[str]()

    def first() -> None:
        called.append("a")
        rounds.soon(lambda: called.append("c"))

    rounds.soon(first)
    rounds.soon(lambda: called.append("b"))
    assert called == []
    await asyncio.sleep(0)
    assert called == ["a", "b"]
    await asyncio.sleep(0)
    assert called == ["a", "b", "c"]


async def test_nobody_is_held_up_for_long() -> None:
    """After a few milliseconds the rest waits for the next turn, and others come first."""
    clock, called = ManualClock(), list[int]()
    rounds = Rounds(clock)

    def work(number: int) -> None:
        called.append(number)
        clock.advance(0.0015)

    for number in range(7):
        rounds.soon(lambda number=number: work(number))  # type: ignore[misc]
    turns = []
    while len(called) < 7:
        await asyncio.sleep(0)
        turns.append(len(called))
    assert turns == [3, 6, 7]


async def test_one_that_fails_takes_nobody_with_it(caplog: pytest.LogCaptureFixture) -> None:
    """The loop tells of it, and the rest is called."""
    rounds, called = Rounds(ManualClock()), list[str]()

    def fail() -> None:
        raise ValueError("for a test")

    rounds.soon(lambda: called.append("a"))
    rounds.soon(fail)
    rounds.soon(lambda: called.append("b"))
    with caplog.at_level(logging.CRITICAL, "asyncio"):
        asyncio.get_running_loop().set_exception_handler(lambda _, context: called.append("told"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert called == ["a", "told", "b"]


async def test_what_is_later_comes_together() -> None:
    """After the pause, within five milliseconds; one timer serves what comes at about one time."""
    clock, called = ManualClock(), list[str]()
    rounds = Rounds(clock, lambda: 0.05)
    rounds.later(lambda: called.append("a"))
    rounds.later(lambda: called.append("b"))
    assert clock.due == 1
    clock.advance(0.03)
    rounds.later(lambda: called.append("c"))
    assert clock.due == 2
    clock.advance(0.0195)
    assert called == []
    clock.advance(0.006)
    assert called == ["a", "b"]
    clock.advance(0.03)
    assert called == ["a", "b", "c"]
    assert clock.due == 0


async def test_thousands_that_come_later_hold_up_nobody() -> None:
    """Those that are too many for one turn come in the next."""
    clock, called = ManualClock(), list[int]()
    rounds = Rounds(clock, lambda: 0.0)

    def work(number: int) -> None:
        called.append(number)
        clock.advance(0.0015)

    for number in range(5):
        rounds.later(lambda number=number: work(number))  # type: ignore[misc]
    clock.advance(0.01)
    assert len(called) == 3
    await asyncio.sleep(0)
    assert called == [0, 1, 2, 3, 4]


async def test_a_turn_has_one_slice() -> None:
    """Also if what is later comes while much is due already."""
    clock, called = ManualClock(), list[str]()
    rounds = Rounds(clock, lambda: 0.0)

    def work(what: str) -> None:
        called.append(what)
        clock._now += 0.0021  # no timer comes due within a call

    for _ in range(20):
        rounds.later(lambda: work("later"))
        rounds.soon(lambda: work("soon"))
    turns = []
    while len(called) < 40:
        before = len(called)
        clock.advance(0.0)
        await asyncio.sleep(0)
        turns.append(len(called) - before)
    assert max(turns) <= 2, turns
