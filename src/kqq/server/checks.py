"""Work that takes tens of milliseconds of a processor, on threads, in a bounded and fair queue.

Passwords are slow to check on purpose, so whoever may ask for checks could keep a server busy.
Addresses take turns: a flood from one delays the others by one check per thread. And those who are
signed in come first: on Linux the threads only get the time that the event loop leaves.
"""

import asyncio
import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from kqq.server.logs import event

T = TypeVar("T")

logger = logging.getLogger("kqq.checks")

_MOST_THREADS = 2
"""Of one server; each check takes 16 MiB, and another core may have other work."""
_LAST = 19
"""The niceness of the threads. At 0 a check would have half of the only core whenever the event
loop needs it. SCHED_IDLE would yield even more, but a thread that holds the interpreter's lock must
get its turn some time on a machine that other programs keep busy."""


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


class TooBusy(Exception):
    """Too much waits to be done; nothing was done."""


@dataclass(slots=True, eq=False)
class _Check:
    key: str
    work: Callable[[], Any]
    done: asyncio.Future[Any]


class Checks:
    """Runs work on `threads` threads; at most `most` (asked for each time) wait or are run.

    Without a number there is a thread for each core, and two at most: more threads than cores only
    have each check take longer, and memory for one more.
    """

    def __init__(self, threads: int | None = None, most: Callable[[], int] = lambda: 500) -> None:
        threads = threads or min(_cores(), _MOST_THREADS)
        self._most = most
        self._most_running = threads
        self._running = 0
        self._turns = _Turns()
        self._is_closed = False
        self._threads = ThreadPoolExecutor(
            threads, thread_name_prefix="kqq-check", initializer=_come_last
        )

    @property
    def waiting(self) -> int:
        """How much waits or is being done."""
        return len(self._turns) + self._running

    async def run(self, key: str, work: Callable[[], T]) -> T:
        """Return what `work` returns; it runs on a thread when it is the turn of `key`.

        Keys (addresses) that wait take turns, each in its own order. If all places are taken, a key
        with less waiting than the one with most pushes the newest of that one out. Raises TooBusy,
        also for what is pushed out and when this is closed, or whatever `work` raises. Whoever is
        cancelled gives up the place.
        """
        if self._is_closed:
            raise TooBusy
        if self.waiting >= self._most():
            self._make_room(key)
        check = _Check(key, work, asyncio.get_running_loop().create_future())
        self._turns.put(check)
        self._start()
        try:
            result: T = await check.done
        finally:
            self._turns.discard(check)
        return result

    def close(self) -> None:
        """Let the threads go, once they are done with what they run; what waits is TooBusy."""
        self._is_closed = True
        while self._turns:
            _refuse(self._turns.take())
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _make_room(self, key: str) -> None:
        if self._turns.count(key) >= self._turns.largest:
            raise TooBusy
        _refuse(self._turns.newest_of_largest())

    def _start(self) -> None:
        while self._running < self._most_running and self._turns:
            check = self._turns.take()
            if check.done.done():
                continue  # cancelled; whoever waited has not noticed yet
            self._running += 1
            ran = asyncio.get_running_loop().run_in_executor(self._threads, check.work)
            ran.add_done_callback(lambda ran, check=check: self._ran(check, ran))  # type: ignore[misc]

    def _ran(self, check: _Check, ran: asyncio.Future[Any]) -> None:
        self._running -= 1
        if ran.cancelled():  # closed before a thread took it
            _refuse(check)
        elif (error := ran.exception()) is not None:
            if not check.done.done():
                check.done.set_exception(error)
        elif not check.done.done():
            check.done.set_result(ran.result())
        if not self._is_closed:
            self._start()


def _come_last() -> None:
    """Have this thread run when nobody else in the process wants the core.

    Linux gives threads a niceness of their own; elsewhere it would be that of the whole process.
    """
    if sys.platform == "linux":
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LAST)
        except OSError as error:  # a sandbox may forbid it
            event(logger, logging.WARNING, "password checks are not made nice", why=error)


def _refuse(check: _Check) -> None:
    if not check.done.done():
        check.done.set_exception(TooBusy())


class _Turns:
    """What waits, by key; every operation takes the same time however much waits."""

    def __init__(self) -> None:
        self._queues: OrderedDict[str, OrderedDict[_Check, None]] = OrderedDict()
        self._by_size: list[dict[str, None]] = [{}]  # keys, by how much waits for them
        self._count = 0
        self.largest = 0
        """How much waits for the key with most."""

    def __len__(self) -> int:
        return self._count

    def count(self, key: str) -> int:
        """Return how much waits for `key`."""
        return len(self._queues.get(key, ()))

    def put(self, check: _Check) -> None:
        """Let one more wait; a new key gets its turn after all others."""
        queue = self._queues.setdefault(check.key, OrderedDict())
        queue[check] = None
        self._count += 1
        self._resized(check.key, len(queue) - 1, len(queue))

    def take(self) -> _Check:
        """Remove and return the oldest of the key whose turn it is."""
        key = next(iter(self._queues))
        check = next(iter(self._queues[key]))
        self._queues.move_to_end(key)
        self.discard(check)
        return check

    def newest_of_largest(self) -> _Check:
        """Remove and return the newest of the key with most, of several the latest to be so."""
        key = next(reversed(self._by_size[self.largest]))
        check = next(reversed(self._queues[key]))
        self.discard(check)
        return check

    def discard(self, check: _Check) -> None:
        """Remove what waits, if it does."""
        queue = self._queues.get(check.key)
        if queue is None or check not in queue:
            return
        del queue[check]
        self._count -= 1
        self._resized(check.key, len(queue) + 1, len(queue))
        if not queue:
            del self._queues[check.key]

    def _resized(self, key: str, old: int, new: int) -> None:
        self._by_size[old].pop(key, None)
        if new == len(self._by_size):
            self._by_size.append({})
        if new:
            self._by_size[new][key] = None
        if new > self.largest or (old == self.largest and not self._by_size[old]):
            self.largest = new
