"""Slow work: addresses take turns, the queue is bounded, and nobody waits for ever."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.server.checks import Checks, TooBusy, _Check, _Turns
from stage import WAIT


class Workshop:
    """Work that begins when it is told to, on one thread; notes in which order it is done."""

    def __init__(self, most: int = 100, threads: int = 1) -> None:
        self.most = most
        self.checks = Checks(threads, lambda: self.most)
        self.done: list[str] = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def work(self, name: str) -> Callable[[], str]:
        """Return work that waits for `go`, notes `name` and returns it."""

        def work() -> str:
            self.begun.set()
            assert self.go.wait(WAIT)
            self.done.append(name)
            return name

        return work

    async def begin(self) -> None:
        """Return when a thread has begun with something."""
        assert await asyncio.to_thread(self.begun.wait, WAIT)

    async def ask(self, *names: str) -> list[asyncio.Task[str]]:
        """Let work wait, one after the other; a name's first sign is its key."""
        asked = []
        for name in names:
            task = asyncio.create_task(self.checks.run(name[0], self.work(name)))
            asked.append(task)
            await asyncio.sleep(0)
        return asked


@pytest.fixture
def shop() -> Iterator[Workshop]:
    """A workshop with a place for a hundred."""
    shop = Workshop()
    yield shop
    shop.go.set()
    shop.checks.close()


async def results(asked: list[asyncio.Task[str]]) -> list[Any]:
    """Return what became of each: its name, or the kind of its exception."""
    async with asyncio.timeout(WAIT):
        found = await asyncio.gather(*asked, return_exceptions=True)
    return [type(one) if isinstance(one, BaseException) else one for one in found]


async def test_result_and_error_come_back(shop: Workshop) -> None:
    """What the work returns or raises is what `run` does; it runs on another thread."""
    assert await shop.checks.run("a", lambda: 6 * 7) == 42
    assert await shop.checks.run("a", threading.current_thread) != threading.current_thread()
    with pytest.raises(ZeroDivisionError):
        await shop.checks.run("a", lambda: 1 // 0)
    assert shop.checks.waiting == 0


async def test_threads_work_at_the_same_time() -> None:
    """As much runs at once as there are threads, and no more."""
    checks = Checks(threads=2, most=lambda: 10)
    meeting = threading.Barrier(2, timeout=WAIT)
    running, most_running = 0, 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most_running
        with lock:
            running += 1
            most_running = max(running, most_running)
        meeting.wait()
        with lock:
            running -= 1

    await asyncio.gather(*(checks.run("a", work) for _ in range(6)))
    assert most_running == 2
    checks.close()


async def test_addresses_take_turns(shop: Workshop) -> None:
    """A flood from one address delays another by one check; each has its own in order."""
    asked = await shop.ask("a0", *(f"a{number}" for number in range(1, 6)), "b1", "b2", "c1")
    assert shop.checks.waiting == 9
    shop.go.set()
    await results(asked)
    assert shop.done == ["a0", "a1", "b1", "c1", "a2", "b2", "a3", "a4", "a5"]
    assert shop.checks.waiting == 0


async def test_whoever_comes_back_waits_for_the_others(shop: Workshop) -> None:
    """An address with one check at a time gets no more turns than one with many."""
    asked = await shop.ask("a0", "b1", "c1", "c2")
    shop.go.set()
    await asked[1]
    asked += await shop.ask("b2")
    await results(asked)
    assert shop.done[:2] == ["a0", "b1"]
    assert shop.done.index("c1") < shop.done.index("b2")


async def test_too_much_of_one_address(shop: Workshop) -> None:
    """When all places are taken, the address that has most of them gets no more."""
    shop.most = 4
    asked = await shop.ask("a0", "a1", "a2", "a3", "a4", "a5")
    assert shop.checks.waiting == 4
    shop.go.set()
    assert await results(asked) == ["a0", "a1", "a2", "a3", TooBusy, TooBusy]
    assert await shop.checks.run("a", lambda: 1) == 1


async def test_newcomer_pushes_out_the_newest_of_the_largest(shop: Workshop) -> None:
    """An address with less waiting takes the place of the newest of the one with most."""
    shop.most = 6
    asked = await shop.ask("a0", "a1", "b1", "c1", "c2", "c3")
    asked += await shop.ask("b2", "d1", "e1", "b3")
    # c3 makes room for b2. Then a: 1, b: 2, c: 2, and b became so large later: d1 takes the place
    # of b2, e1 that of c2. Then all have one, and b gets no second.
    assert shop.checks.waiting == 6
    shop.go.set()
    outcome = await results(asked)
    assert outcome[:6] == ["a0", "a1", "b1", "c1", TooBusy, TooBusy]
    assert outcome[6:] == [TooBusy, "d1", "e1", TooBusy]
    assert shop.done == ["a0", "a1", "b1", "c1", "d1", "e1"]


async def test_flood_cannot_keep_others_out(shop: Workshop) -> None:
    """Whatever one address asks for, the first of another is done next."""
    shop.most = 10
    flood = await shop.ask(*["a"] * 50)
    one = await shop.ask("b")
    flood += await shop.ask(*["a"] * 50)
    shop.go.set()
    assert await results(one) == ["b"]
    assert shop.done.index("b") <= 2
    outcome = await results(flood)
    assert outcome.count("a") == 9
    assert outcome.count(TooBusy) == 91


async def test_no_place_at_all(shop: Workshop) -> None:
    """What runs is not pushed out; with no place, all is refused."""
    shop.most = 1
    asked = await shop.ask("a0", "b1")
    assert asked[1].done()
    shop.go.set()
    assert await results(asked) == ["a0", TooBusy]
    shop.most = 0
    with pytest.raises(TooBusy):
        await shop.checks.run("a", lambda: 1)


async def test_cancelled_work_is_not_done(shop: Workshop) -> None:
    """Whoever no longer waits gives up the place."""
    asked = await shop.ask("a0", "a1", "a2", "b1")
    asked[2].cancel()
    asked[3].cancel()
    await asyncio.sleep(0)
    assert shop.checks.waiting == 2
    shop.go.set()
    assert await results(asked) == ["a0", "a1", asyncio.CancelledError, asyncio.CancelledError]
    assert shop.done == ["a0", "a1"]
    assert shop.checks.waiting == 0


async def test_cancelled_and_not_noticed() -> None:
    """What was cancelled in just this turn of the loop is neither begun nor refused."""
    shop = Workshop()
    asked = await shop.ask("a0", "b1", "c1")
    await shop.begin()
    asked[1].cancel()
    shop.checks._most_running = 2  # as if another thread had become free
    shop.checks._start()
    asked[2].cancel()
    assert shop.checks.waiting == 2
    shop.go.set()
    shop.checks.close()
    cancelled = asyncio.CancelledError
    assert await results(asked) == ["a0", cancelled, cancelled]
    assert shop.done == ["a0"]


async def test_cancelled_while_it_runs(shop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    """What runs cannot be stopped and keeps its thread; what comes of it goes nowhere."""

    def fail() -> None:
        shop.work("failed")()
        raise ValueError

    failing = asyncio.create_task(shop.checks.run("a", fail))
    asked = await shop.ask("b1")
    failing.cancel()
    await asyncio.sleep(0)
    assert shop.checks.waiting == 2
    shop.go.set()
    assert await results(asked) == ["b1"]
    asked = await shop.ask("b2")
    asked[0].cancel()
    assert await shop.checks.run("c", lambda: 1) == 1
    assert failing.cancelled()
    assert asked[0].cancelled()
    assert shop.done[:2] == ["failed", "b1"]
    assert caplog.record_tuples == []


async def test_close() -> None:
    """What runs is finished, what waits is refused, and no thread is left."""
    shop = Workshop()
    before = set(threading.enumerate())
    asked = await shop.ask("a0", "a1", "b1")
    threads = set(threading.enumerate()) - before
    assert len(threads) == 1
    await shop.begin()
    shop.go.set()
    shop.checks.close()
    assert not any(thread.is_alive() for thread in threads)
    assert await results(asked) == ["a0", TooBusy, TooBusy]
    assert shop.checks.waiting == 0
    with pytest.raises(TooBusy):
        await shop.checks.run("a", lambda: 1)
    shop.checks.close()


@pytest.mark.parametrize(("platform", "niceness"), [("linux", 19), ("darwin", 0)])
async def test_threads_come_last(
    monkeypatch: pytest.MonkeyPatch, platform: str, niceness: int
) -> None:
    """Who is signed in comes first: the threads are nice, where threads have a niceness each."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    monkeypatch.setattr(sys, "platform", platform)
    checks = Checks()
    here = await checks.run("a", lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    checks.close()
    assert here == (niceness or own)
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


async def test_what_may_not_be_nice_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A sandbox that forbids it is told of, and passwords are checked all the same."""

    def forbid(*_: int) -> None:
        raise PermissionError("forbidden here")

    monkeypatch.setattr(os, "setpriority", forbid)
    checks = Checks()
    assert await checks.run("a", lambda: 1) == 1
    checks.close()
    assert "password checks are not made nice" in caplog.text
    assert "forbidden here" in caplog.text


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (64, 2)])
def test_a_thread_for_each_core(monkeypatch: pytest.MonkeyPatch, cores: int, threads: int) -> None:
    """Where there is one core, two threads would only take longer; more than two are never used."""
    monkeypatch.setattr("kqq.server.checks._cores", lambda: cores)
    checks = Checks()
    assert checks._threads._max_workers == threads
    checks.close()


async def test_close_before_a_thread_took_it() -> None:
    """What was handed over and is not begun is refused, too."""
    shop = Workshop()
    shop.checks._threads.submit(shop.go.wait, WAIT)
    asked = await shop.ask("a0")
    threading.Timer(0.05, shop.go.set).start()
    shop.checks.close()
    assert await results(asked) == [TooBusy]
    assert shop.done == []


class Model:
    """What `_Turns` does, slowly."""

    def __init__(self) -> None:
        self.queues: dict[str, list[_Check]] = {}

    def put(self, check: _Check) -> None:
        """Let one more wait."""
        self.queues.setdefault(check.key, []).append(check)

    def take(self) -> _Check:
        """Return the oldest of the first key, which then is the last."""
        key = next(iter(self.queues))
        queue = self.queues.pop(key)
        if queue[1:]:
            self.queues[key] = queue[1:]
        return queue[0]

    def discard(self, check: _Check) -> None:
        """Remove one."""
        queue = self.queues.get(check.key, [])
        if check in queue:
            queue.remove(check)
            if not queue:
                del self.queues[check.key]

    @property
    def largest(self) -> int:
        """How much waits for the key with most."""
        return max(map(len, self.queues.values()), default=0)


moves = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc")),
        st.tuples(st.sampled_from(["take", "push out"]), st.none()),
        st.tuples(st.just("discard"), st.integers(0, 30)),
    ),
    max_size=60,
)


@given(moves)
def test_turns_do_what_they_would_do_slowly(moves: list[tuple[str, Any]]) -> None:
    """All that is counted beside the queues stays true."""
    loop = asyncio.new_event_loop()
    turns, model, made = _Turns(), Model(), list[_Check]()
    for move, value in moves:
        if move == "put":
            made.append(_Check(value, lambda: None, loop.create_future()))
            turns.put(made[-1])
            model.put(made[-1])
        elif move == "discard" and value < len(made):
            turns.discard(made[value])
            model.discard(made[value])
        elif move == "take" and turns:
            assert turns.take() is model.take()
        elif move == "push out" and turns:
            pushed = turns.newest_of_largest()
            queue = model.queues[pushed.key]
            assert queue[-1] is pushed
            assert len(queue) == model.largest
            model.discard(pushed)
        assert len(turns) == sum(map(len, model.queues.values()))
        assert turns.largest == model.largest
        assert [turns.count(key) for key in "abc"] == [
            len(model.queues.get(key, [])) for key in "abc"
        ]
    loop.close()
