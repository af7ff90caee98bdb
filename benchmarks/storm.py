"""How long it takes until a crowd that comes at once is signed in, and how long others wait for it.

    PYTHONPATH=tests python benchmarks/storm.py [--json] [--count 2000]

Four crowds, each with a server of its own: over TCP and over HTTP, with passwords that the server
made for phones (quick to check) and with the usual ones (slow on purpose). Two bystanders, in a
process of their own, write to each other all the time; a silence is how long a message takes until
it is acknowledged and has arrived. What is theirs before the storm is the measure for what is in
it, and scrypt alone, on as many threads, is the measure for the usual passwords.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from crowd import FIRST, Phone, address
from kqq.server.accounts import make_proof
from scene import Scene
from stage import MD5

ANNA, BEN = 10001, 10002
GATEWAY = ("connections_per_address=5000", "messages_rate=1000",
           "messages_burst=100000", "commands_rate=1000", "commands_burst=100000",
           "log_level=warning")  # fmt: skip
"""As behind a gateway, where many phones have one address; for the bystanders, who say much."""
BEFORE = 2.0  # seconds in which only the bystanders speak
SAMPLE = 40  # times that scrypt alone is measured
PATIENCE = 600.0
PAUSE = 0.002  # seconds between two messages of the bystanders


@dataclass(frozen=True, slots=True)
class Storm:
    """How it went.

    `seconds` until all were in, `cpu` seconds of the server for it, the longest silences in
    seconds, and the most MiB the server had in memory.
    """

    over: str
    passwords: str
    count: int
    seconds: float
    cpu: float
    silence: float
    silence_before: float
    memory: int


def watch(port: int, passwords: dict[int, str], parent: Connection) -> None:
    """Have the bystanders write until told to stop; send when each message began, and its time."""
    asyncio.run(_watch(port, passwords, parent))


async def _watch(port: int, passwords: dict[int, str], parent: Connection) -> None:
    loop = asyncio.get_running_loop()
    phones = Phone(ANNA), Phone(BEN)
    for phone in phones:
        await loop.create_connection(lambda phone=phone: phone, "127.0.0.1", port)  # type: ignore[misc]
        await phone.sign_in(passwords[phone.uin])
    anna, ben = phones
    parent.send("ready")
    times: list[tuple[float, float]] = []
    while not parent.poll():
        began, number = time.monotonic(), len(times) + 1
        heard = asyncio.create_task(ben.hears_more_from(ANNA, 1))
        await asyncio.sleep(0)
        assert await anna.write(BEN, number)
        await heard
        times.append((began, time.monotonic() - began))
        await asyncio.sleep(PAUSE)
    parent.send(times)
    for phone in phones:
        phone.close()
    await asyncio.sleep(0)


async def storm(count: int, over: str, *, is_slow: bool) -> Storm:
    """Return how it went for one crowd."""
    with tempfile.TemporaryDirectory() as folder:
        async with Scene(Path(folder), *GATEWAY, patience=PATIENCE) as one:
            await one.people([ANNA, BEN], count, slow=count if is_slow else 0)
            one.start()
            ours, theirs = multiprocessing.Pipe()
            context = multiprocessing.get_context("spawn")
            watcher = context.Process(target=watch, args=(one.server.port, one.passwords, theirs))
            watcher.start()
            await asyncio.to_thread(ours.recv)
            await asyncio.sleep(BEFORE)
            come = _come if over == "TCP" else _post
            began, cpu = time.monotonic(), one.cpu()
            await asyncio.gather(*(come(one, FIRST + number) for number in range(count)))
            ended, cpu = time.monotonic(), one.cpu() - cpu
            ours.send("stop")
            times: list[tuple[float, float]] = await asyncio.to_thread(ours.recv)
            watcher.join()
            return Storm(
                over=over,
                passwords="usual" if is_slow else "made for phones",
                count=count,
                seconds=ended - began,
                cpu=cpu,
                silence=max(took for at, took in times if began - took < at < ended),
                silence_before=max(took for at, took in times if at + took < began),
                memory=one.memory(),
            )


async def _come(one: Scene, uin: int) -> None:
    await one.sign_in(uin, address(uin))


async def _post(one: Scene, uin: int) -> None:
    await one.post_in(uin, address(uin))


def scrypt_alone() -> float:
    """Return the seconds of processor time that one check of a usual password takes."""
    began = time.process_time()
    for number in range(SAMPLE):
        make_proof(MD5, number.to_bytes(16))
    return (time.process_time() - began) / SAMPLE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--count", type=int, default=2000, help="how many come")
    options = parser.parse_args()
    check = scrypt_alone()
    storms = [
        asyncio.run(storm(options.count, over, is_slow=is_slow))
        for is_slow in (False, True)
        for over in ("TCP", "HTTP")
    ]
    if options.json:
        print(json.dumps({"scrypt": check, "storms": [asdict(one) for one in storms]}))
        return 0
    print(f"scrypt alone: {check * 1000:.1f} ms of processor time")
    print("over  passwords        count  all in s   CPU s  of scrypt  silence ms  (before)  MiB")
    for one in storms:
        print(
            f"{one.over:5} {one.passwords:15} {one.count:6} {one.seconds:9.2f} {one.cpu:7.2f}"
            f" {one.cpu / one.count / check:10.3f} {one.silence * 1000:11.0f}"
            f" {one.silence_before * 1000:9.0f} {one.memory:4}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
