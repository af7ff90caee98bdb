"""How long the client waits."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kqq.client.pace import BackOff, PollPace


def test_polls_come_soon_and_then_ever_later() -> None:
    """Nobody talks: the next poll is later each time, up to a limit."""
    pace = PollPace(soonest=1.0, latest=10.0, growth=2.0)
    assert [pace.next() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_what_happens_makes_polls_come_soon_again() -> None:
    """People answer each other."""
    pace = PollPace()
    for _ in range(50):
        pace.next()
    pace.happened()
    assert pace.next() == 1.0


def test_a_quiet_hour_costs_few_polls() -> None:
    """The pace is polite: at most 250 polls in an hour in which nothing happens."""
    pace = PollPace()
    seconds = polls = 0.0
    while seconds < 3600:
        seconds += pace.next()
        polls += 1
    assert polls <= 250


def test_waits_double_until_the_limit() -> None:
    """With the least jitter the waits are halves of 1, 2, 4 …, and of 60 at most."""
    pause = BackOff(lambda: 0.0)
    assert [pause.next() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_success_begins_anew() -> None:
    """After a connection that held the first wait is short again."""
    pause = BackOff(lambda: 1.0)
    for _ in range(20):
        pause.next()
    pause.succeeded()
    assert pause.next() == 1.0


@given(st.lists(st.floats(0, 1), min_size=2, max_size=200))
def test_waits_stay_within_bounds(draws: list[float]) -> None:
    """Whatever is drawn, a wait is neither nothing nor more than a minute."""
    drawn = iter(draws)
    pause = BackOff(lambda: next(drawn))
    waits = [pause.next() for _ in draws]
    assert all(0.5 <= wait <= 60 for wait in waits)
    assert all(later >= earlier / 2 for earlier, later in pairwise(waits))
