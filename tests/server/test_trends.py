"""Figures over time: what they say, how far back, and what they cost."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from browsing import WEB, Browser
from kqq.server.metrics import Metrics, Writes
from kqq.server.trends import SERIES, Trends
from stage import JULIET, ROMEO, ManualClock, Stage, request


class LateClock(ManualClock):
    """A clock whose timers come late, as when something holds the loop; `shift` moves the date."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = 0.0

    def date(self) -> float:
        """Return the date as somebody has set it."""
        return super().date() + self.shift

    def hold(self, seconds: float) -> None:
        """Move on; what comes due meanwhile happens only at the end."""
        self._now += seconds
        while (due := self.next_due) is not None and due <= self._now:
            _, _, timer = heapq.heappop(self._timers)
            assert timer.call is not None
            timer.call()


@dataclass
class House:
    """A server's figures, and how they change."""

    clock: LateClock = field(default_factory=LateClock)
    sessions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.clock)
        self.trends = Trends(self.clock, self.metrics, lambda: self.sessions)

    def series(self, minutes: float = 60) -> dict[str, list[Any]]:
        """Return what is said of the last minutes."""
        told: dict[str, list[Any]] = self.trends.series(minutes)["series"]
        return told


@pytest.fixture
def house() -> Iterator[House]:
    """A server that starts now."""
    house = House()
    yield house
    house.trends.close()
    assert house.clock.due == 0


def test_there_is_nothing_at_first(house: House) -> None:
    """All series are there, and empty, until ten seconds have passed."""
    assert house.trends.series(60) == {
        "every": 10.0, "times": [], "series": {name: [] for name in SERIES},
    }  # fmt: skip
    house.clock.advance(9)
    assert house.series()["messages"] == []
    house.clock.advance(1)
    assert house.series()["messages"] == [0.0]


def test_rates_are_differences(house: House) -> None:
    """What was counted before does not count again; a rate is of one second."""
    metrics = house.metrics
    house.clock.advance(10)
    metrics.messages_stored += 50
    metrics.messages_delivered += 45
    metrics.sign_ins["accepted"] += 3
    for result in ("wrong_password", "unknown", "suspended", "busy", "limited"):
        metrics.sign_ins[result] += 2
    metrics.sign_ins["captcha"] += 7
    metrics.bytes_in += 1000
    metrics.bytes_out += 2001
    house.clock.advance(20)
    told = house.series()
    assert told["messages"] == [0, 5, 0]
    assert told["delivered"] == [0, 4.5, 0]
    assert told["sign_ins"] == [0, 0.3, 0]
    assert told["sign_ins_refused"] == [0, 1, 0]
    assert told["bytes_in"] == [0, 100, 0]
    assert told["bytes_out"] == [0, 200.1, 0]


def test_what_is_open_is_told_as_it_is_then(house: House) -> None:
    """Connections, and sessions by how they speak."""
    house.metrics.connections_open = 7
    house.sessions.update(connection=4, http=2)
    house.clock.advance(10)
    house.metrics.connections_open = 3
    house.sessions.update(connection=1, http=0, web=9)
    house.clock.advance(10)
    told = house.series()
    assert told["connections"] == [7, 3]
    assert told["sessions_tcp"] == [4, 1]
    assert told["sessions_http"] == [2, 0]
    assert told["sessions_web"] == [0, 9]


def test_how_long_the_disk_takes(house: House) -> None:
    """The mean of a transaction, in milliseconds; None while nothing is written."""
    house.clock.advance(10)
    writes = Writes(batches=100, writes=1000, seconds=5.0)
    house.metrics.writes = lambda: writes
    house.clock.advance(10)
    writes = Writes(batches=104, writes=1100, seconds=5.01)
    house.clock.advance(10)
    house.clock.advance(10)
    assert house.series()["commit_ms"] == [None, 50, 2.5, None]


def test_how_late_the_loop_is(house: House) -> None:
    """The worst of some looks; short holds between them are seen, too."""
    house.clock.advance(10)
    house.clock.advance(3)
    house.clock.hold(1.05)
    house.clock.advance(1)
    house.clock.hold(1.2)
    house.clock.advance(20)
    assert house.series()["loop_ms"] == [0, pytest.approx(200), 0]


def test_a_late_entry_is_of_a_longer_time(house: House) -> None:
    """Where something held everything up, or the machine stood still, nothing is made up for it."""
    house.clock.advance(10)
    house.metrics.messages_stored += 300
    house.clock.hold(300)
    house.clock.advance(30)
    told = house.trends.series(60)
    assert told["series"]["messages"] == [0, 1, 0, 0, 0]
    assert told["series"]["loop_ms"] == [0, 299_000, 0, 0, 0]
    first, second, *_ = told["times"]
    assert second - first == 300


def test_entries_keep_their_distance(house: House) -> None:
    """A little too late, or too early, each time adds up to nothing."""
    for _ in range(60):
        house.clock.hold(1.01)
    times = house.trends.series(60)["times"]
    assert len(times) == 6
    assert times[-1] - times[0] == pytest.approx(50, abs=1)


def test_dates_are_those_of_now(house: House) -> None:
    """They end now, ten seconds apart, whatever the machine's clock was set to meanwhile."""
    house.clock.advance(20)
    house.clock.shift = -3600.0
    house.clock.advance(15)
    told = house.trends.series(60)
    date = house.clock.date()
    assert told["times"] == pytest.approx([date - 25, date - 15, date - 5])


def test_an_hour_and_a_day(house: House) -> None:
    """The last hour is fine, the day before it coarse; what is older is forgotten."""
    clock, metrics = house.clock, house.metrics
    for _ in range(1500):
        metrics.messages_stored += 120
        clock.advance(60)
    hour, day = house.trends.series(60), house.trends.series(61)
    assert (hour["every"], day["every"]) == (10, 60)
    assert len(hour["times"]) == len(hour["series"]["messages"]) == 360
    assert len(day["times"]) == 61
    assert day["series"]["messages"] == [2.0] * 61
    assert len(house.trends.series(1440)["times"]) == 1440
    assert len(house.trends.series(100_000)["times"]) == 1440
    assert len(house.trends.series(5)["times"]) == 30
    assert house.trends.series(0)["times"] == []
    assert hour["times"][-1] == clock.date()


async def test_figures_of_a_server(tmp_path: Path) -> None:
    """What happens in a real one is in its series; nothing is looked at once it has stopped."""
    async with Stage(tmp_path / "data", listen=(WEB,)) as stage:
        stage.add(ROMEO, JULIET)
        trends = stage.server._trends
        assert trends is not None
        async with Browser(stage.server.web[0].url) as browser:
            await browser.sign_in(ROMEO)
            lines = await browser.talk()
            await lines.sign_in(ROMEO)
            juliet = await stage.sign_in(JULIET)
            await juliet.ask(request("CLTMSG", JULIET, f"UN={ROMEO}&MG=hello"))
            stage.clock.advance(10)
            told = trends.series(60)["series"]
            await lines.close()
    assert told["messages"] == [0.1]
    assert told["sign_ins"] == [0.2]
    assert (told["sessions_tcp"], told["sessions_http"], told["sessions_web"]) == ([1], [0], [1])
    assert told["connections"] == [2]
    assert told["commit_ms"][0] > 0
    assert told["bytes_in"][0] > 0
    stage.clock.advance(60)
    assert len(trends.series(60)["times"]) == 1
