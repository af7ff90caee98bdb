"""How many messages a second go from phones to phones, and what each costs the server.

    PYTHONPATH=tests python benchmarks/messages.py [--json] [--pairs 100] [--seconds 4]

Each pair is one who writes and one who only reads. With a window of 32, a writer has up to 32
messages on their way, so it pipelines; with 1, it writes the next when the last has arrived. The
measure is a bare relay in Python, in the same run: it splits a line into a dict, answers and hands
on, and knows no accounts, friends, limits or disk. Where there are two cores, the servers have the
first and this program the second.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ClassVar

from crowd import FIRST, message
from scene import Scene, cpu_of
from stage import sign_in_line

FREE = ("commands_rate=10000000", "commands_burst=10000000", "messages_rate=10000000",
        "messages_burst=10000000", "inbox_limit=100000", "connections_per_address=5000",
        "log_level=warning")  # fmt: skip
WINDOWS = (32, 1)
WARM_UP = 1.0  # seconds
LAST = 30.0  # seconds in which the last messages must arrive
CORES = os.sched_getaffinity(0)
TEXT = "hello from the benchmark, 40 characters"
PUSH = b"&CMD=Server_Msg&"


@dataclass(frozen=True, slots=True)
class Result:
    """Messages a second that arrived, times from writing to arriving in ms, and CPU.

    `cpu` is what a message cost the server in microseconds, `busy` the share of a core that this
    program took: near 1 it is the limit itself.
    """

    server: str
    window: int
    rate: float
    median: float
    worst: float
    cpu: float
    busy: float


class Phone(asyncio.Protocol):
    """One end of a pair; `heard(count)` is called for the messages that came."""

    def __init__(self, heard: Callable[[int], None] = lambda _: None) -> None:
        self.signed_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard = heard
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Count the messages."""
        lines, end, self._rest = (self._rest + data).rpartition(b"\n")
        if not self.signed_in.done() and end:
            assert b"&RES=0&RS=0" in lines, lines
            self.signed_in.set_result(None)
        if count := lines.count(PUSH):
            self._heard(count)


class Writer:
    """Who writes to `to` with a window; `times` are those of a sample of messages, in seconds."""

    def __init__(self, uin: int, to: int) -> None:
        self.phone = Phone()
        self.arrived = 0
        self.times: list[float] = []
        self._uin, self._to = uin, to
        self._number = 0
        self._window = 0
        self._more = asyncio.Event()
        self._began: deque[tuple[int, float]] = deque()

    def start(self, window: int) -> None:
        """Write from now on."""
        self._window = window
        self._fill()

    async def finish(self) -> None:
        """Write no more, and wait until all has arrived."""
        self._window = 0
        while self.arrived < self._number:
            self._more.clear()
            await self._more.wait()

    def heard(self, count: int) -> None:
        """Go on, because messages have arrived."""
        self.arrived += count
        self._more.set()
        while self._began and self._began[0][0] <= self.arrived:
            self.times.append(time.perf_counter() - self._began.popleft()[1])
        self._fill()

    def _fill(self) -> None:
        room = self._window - (self._number - self.arrived)
        if room > 0:
            numbers = range(self._number + 1, self._number + 1 + room)
            self._number += room
            self._began.append((self._number, time.perf_counter()))
            lines = [f"{message(self._uin, self._to, number, TEXT)}\r\n" for number in numbers]
            self.phone.transport.write("".join(lines).encode())


class Relay(asyncio.Protocol):
    """One connection of the bare relay."""

    phones: ClassVar[dict[bytes, "Relay"]] = {}
    pushes: ClassVar[int] = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer each line, and hand messages on."""
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            fields = dict([part.split(b"=", 1) for part in line.split(b"&")])
            uin, seq = fields[b"UIN"], fields[b"SEQ"]
            if fields[b"CMD"] == b"Login":
                Relay.phones[uin] = self
                answer = b"VER=1.1&CMD=Login&SEQ=%b&UIN=%b&RES=0&RS=0\r\n" % (seq, uin)
                self.transport.write(answer)
                continue
            self.transport.write(b"VER=1.1&CMD=CLTMSG&SEQ=%b&UIN=%b&RES=0\r\n" % (seq, uin))
            Relay.pushes += 1
            to = fields[b"UN"]
            Relay.phones[to].transport.write(
                b"VER=1.1&CMD=Server_Msg&SEQ=%d&UIN=%b&RES=0&MT=9&SN=1&UN=%b&MG=%b\r\n"
                % (Relay.pushes, to, uin, fields[b"MG"])
            )


def serve_relay(parent: Connection) -> None:
    """Run the relay until this process is ended; send the port."""
    asyncio.run(_serve_relay(parent))


async def _serve_relay(parent: Connection) -> None:
    server = await asyncio.get_running_loop().create_server(Relay, "127.0.0.1", 0, backlog=1024)
    parent.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def load(
    server: str, port: int, pid: int, passwords: dict[int, str], seconds: float
) -> list[Result]:
    """Return what a server does with each window; `passwords` has all people, writers first."""
    loop = asyncio.get_running_loop()
    people = list(passwords)
    half = len(people) // 2
    writers = [Writer(uin, to) for uin, to in zip(people[:half], people[half:], strict=True)]
    phones = [writer.phone for writer in writers] + [Phone(writer.heard) for writer in writers]
    for uin, phone in zip(people, phones, strict=True):
        await loop.create_connection(lambda phone=phone: phone, "127.0.0.1", port)  # type: ignore[misc]
        phone.transport.write(f"{sign_in_line(uin, password=passwords[uin])}\r\n".encode())
        await phone.signed_in
    results = [await measure(server, pid, writers, window, seconds) for window in WINDOWS]
    for phone in phones:
        phone.transport.abort()
    await asyncio.sleep(0)
    return results


async def measure(
    server: str, pid: int, writers: list[Writer], window: int, seconds: float
) -> Result:
    """Return what a server does while all write with this window."""
    for writer in writers:
        writer.start(window)
    await asyncio.sleep(WARM_UP)
    before = sum(writer.arrived for writer in writers)
    for writer in writers:
        writer.times.clear()
    began, cpu, own = time.perf_counter(), cpu_of(pid), time.process_time()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    cpu, own = cpu_of(pid) - cpu, time.process_time() - own
    count = sum(writer.arrived for writer in writers) - before
    times = sorted(one * 1000 for writer in writers for one in writer.times)
    async with asyncio.timeout(LAST):
        await asyncio.gather(*(writer.finish() for writer in writers))
    return Result(
        server=server,
        window=window,
        rate=count / took,
        median=statistics.median(times),
        worst=times[len(times) * 99 // 100],
        cpu=cpu / count * 1e6,
        busy=own / took,
    )


def stay_on(core: int) -> None:
    """Keep to one core, and what is started from now on, where there are two."""
    cores = sorted(os.sched_getaffinity(0) | CORES)
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[core]})


async def relay(people: dict[int, str], seconds: float) -> list[Result]:
    """Return what the bare relay does."""
    ours, theirs = multiprocessing.Pipe()
    stay_on(0)
    server = multiprocessing.get_context("spawn").Process(target=serve_relay, args=(theirs,))
    server.start()
    stay_on(1)
    try:
        port = await asyncio.to_thread(ours.recv)
        assert server.pid is not None
        return await load("bare relay", port, server.pid, people, seconds)
    finally:
        server.terminate()
        server.join()


async def kqq(pairs: int, seconds: float) -> tuple[list[Result], dict[int, str]]:
    """Return what `kqq serve` does, and with whom."""
    with tempfile.TemporaryDirectory() as folder:
        async with Scene(Path(folder), *FREE) as one:
            await one.people([], 2 * pairs)
            people = range(FIRST, FIRST + 2 * pairs)
            one.befriend(zip(people[:pairs], people[pairs:], strict=True))
            stay_on(0)
            one.start()
            stay_on(1)
            results = await load("kqq", one.server.port, one.server.pid, one.passwords, seconds)
            return results, one.passwords


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each window")
    options = parser.parse_args()
    ours, people = asyncio.run(kqq(options.pairs, options.seconds))
    bare = asyncio.run(relay(people, options.seconds))
    if options.json:
        print(json.dumps([asdict(one) for one in (*ours, *bare)]))
        return 0
    print("server      window  arrived/s  median ms  99 % ms  CPU us each  of the relay  our core")
    for one, other in zip((*ours, *bare), (*bare, *bare), strict=True):
        print(
            f"{one.server:11} {one.window:6} {one.rate:10.0f} {one.median:10.1f} {one.worst:8.1f}"
            f" {one.cpu:12.1f} {one.cpu / other.cpu:13.1f} {one.busy:9.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
