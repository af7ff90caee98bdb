"""Storms against a real process: crowds, slow readers, floods, replaced sessions, `kill -9`.

Nothing here looks at times, only at what was promised and what came; benchmarks/storm.py has times.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from crowd import FIRST, PATIENCE, Lost, Phone, Poster, address
from flood import Flood
from scene import BUSY, GATEWAY, Scene, chat

T = TypeVar("T")
ANNA, BEN, CLARA, DORA = 10001, 10002, 10003, 10004
FRIENDS = [DORA, 10005, 10006, 10007]
"""Who writes to Clara while she reads nothing."""
ONLINE, AWAY, OFFLINE = 10, 30, 20
STRICT = ("commands_burst=50", "sign_ins_burst=20", "connections_per_address=50")
PACE = 0.02  # seconds between what two say to each other
CHANGES = 100  # how often each friend goes and comes back
RECEIVE = 16384  # bytes that the system keeps for who does not read, or twice that
ROOM = 96  # MiB that a server may need besides what it starts with


async def all_of(doings: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do all at once and return the results; if one fails, none goes on."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(doing) for doing in doings]
    return [task.result() for task in tasks]


async def talk(scene: Scene, doing: Awaitable[T], pace: float = PACE) -> T:
    """Have Anna and Ben write to each other while something is done; they miss nothing."""
    anna, ben = await scene.sign_in(ANNA), await scene.sign_in(BEN)
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(chat(scene, anna, ben, over, pace))
        result = await doing
        over.set()
    assert len(anna.promised[BEN]) > 2, "they said too little for this to mean something"
    return result


# --- the storms ----------------------------------------------------------------------------------


async def sign_ins(scene: Scene, crowd: Iterable[int]) -> list[Phone]:
    """Have a crowd sign in at once, and each then ask something."""

    async def come(uin: int) -> Phone:
        phone = await scene.sign_in(uin, address(uin))
        answer = await phone.command("Query_Stat2", "CM=2&UN=0")
        assert answer["RES"] == "0", answer
        return phone

    return await all_of(come(uin) for uin in crowd)


async def posted_sign_ins(scene: Scene, crowd: Iterable[int]) -> list[Poster]:
    """Have a crowd sign in at once over HTTP, and each then look for messages."""

    async def come(uin: int) -> Poster:
        poster = await scene.post_in(uin, address(uin))
        assert await poster.poll() == "0"
        return poster

    return await all_of(come(uin) for uin in crowd)


async def slow_reader(scene: Scene, count: int) -> tuple[Phone, list[Phone]]:
    """Have Clara read nothing while each friend writes `count` messages, then goes and comes back.

    All that is answered when this returns her phone and theirs.
    """
    clara = await scene.connect(CLARA, receive=RECEIVE)
    await clara.sign_in(scene.passwords[CLARA])
    clara.transport.pause_reading()
    friends = [await scene.sign_in(uin, address(uin)) for uin in FRIENDS]

    async def write(friend: Phone) -> None:
        friend.send(CLARA, [scene.number() for _ in range(count)], "x" * 2000)
        await friend.until(lambda: not friend.unanswered, PATIENCE)

    async def come_and_go(friend: Phone) -> None:
        for status in (AWAY, ONLINE) * CHANGES:
            assert (await friend.command("Change_Stat", f"ST={status}"))["RES"] == "0"

    await all_of(write(friend) for friend in friends)
    await all_of(come_and_go(friend) for friend in friends)
    return clara, friends


async def flood(scene: Scene, posts: int) -> Flood:
    """Let floods of all kinds loose until so many POSTs are answered."""
    floods = Flood(scene.server.port)
    floods.start()
    try:
        async with asyncio.timeout(PATIENCE):
            await floods.answered("posts: RES=20", posts)
        await scene.sign_in(FIRST)  # whoever comes in the middle of it gets in
    finally:
        await floods.stop()
    return floods


async def replaced(scene: Scene, turns: int) -> None:
    """Have Clara sign in here and there by turns while Dora writes to her."""
    dora = await scene.sign_in(DORA)
    over = asyncio.Event()

    async def write() -> None:
        while not over.is_set():
            assert await dora.write(CLARA, scene.number())

    async def turn() -> None:
        phone: Phone | None = None
        for number in range(turns):
            poster = await scene.post_in(CLARA, address(number))
            for _ in range(3):
                assert await poster.poll() == "0"
            if phone is not None:
                assert (await phone.command("Query_Stat2", "CM=2&UN=0"))["RES"] == "20"
            phone = await scene.sign_in(CLARA, address(number))
            assert await poster.poll() == "20"
            await phone.hears_more_from(DORA, 5)
        over.set()

    await all_of([write(), turn()])


# --- everybody is served -------------------------------------------------------------------------


async def test_storm_of_sign_ins(tmp_path: Path) -> None:
    """2,000 sign in at once, 40 of them with passwords that take long to check."""
    async with Scene(tmp_path, *GATEWAY, *BUSY) as storm:
        await storm.people([ANNA, BEN], 2000, slow=40)
        storm.start()
        await talk(storm, sign_ins(storm, range(FIRST, FIRST + 2000)))
        storm.check()


async def test_storm_of_sign_ins_over_http(tmp_path: Path) -> None:
    """The same with 500 over HTTP, 20 of them with such passwords."""
    async with Scene(tmp_path, *GATEWAY, *BUSY) as storm:
        await storm.people([ANNA, BEN], 500, slow=20)
        storm.start()
        await talk(storm, posted_sign_ins(storm, range(FIRST, FIRST + 500)))
        storm.check()


async def test_slow_reader_reads_on(tmp_path: Path) -> None:
    """She gets everything on the same connection, once, and of statuses what is true by then."""
    async with Scene(tmp_path, *BUSY) as quiet:
        await quiet.people([ANNA, BEN, CLARA, *FRIENDS], 0)
        quiet.start()
        before = quiet.memory()
        clara, friends = await talk(quiet, slow_reader(quiet, 1000))
        assert quiet.waiting(CLARA) > 500, "what was sent fits into the system's buffers"
        print("MEM", before, quiet.memory())
        assert quiet.memory() < before + ROOM
        clara.transport.resume_reading()
        for friend in friends:
            assert len(friend.promised[CLARA]) == 1000
            await clara.hears(friend.uin, friend.promised[CLARA])
            told = [status for uin, status in clara.statuses if uin == friend.uin]
            assert told[-1] == ONLINE
            assert len(told) < CHANGES, "statuses that were true for a moment are passed over"
        quiet.check()


async def test_slow_reader_is_cut_off(tmp_path: Path) -> None:
    """She signs in again, and has everything from the one connection and the other."""
    async with Scene(tmp_path, *BUSY, "slow_reader_time=1") as quiet:
        await quiet.people([ANNA, BEN, CLARA, *FRIENDS], 0)
        quiet.start()
        clara, friends = await talk(quiet, slow_reader(quiet, 1000))
        await friends[0].until(lambda: (CLARA, OFFLINE) in friends[0].statuses)
        await clara.read_out()
        assert any(quiet.missing(uin, CLARA) for uin in FRIENDS)
        again = await quiet.sign_in(CLARA)
        for uin in FRIENDS:
            await again.hears(uin, quiet.missing(uin, CLARA))
        quiet.check()


async def test_flood(tmp_path: Path) -> None:
    """Floods are slowed, refused or closed; whoever behaves is served, and may come meanwhile."""
    async with Scene(tmp_path, *STRICT) as river:
        await river.people([ANNA, BEN], 1, slow=1)
        river.start()
        before = river.memory()
        began = asyncio.get_running_loop().time()
        floods = await talk(river, flood(river, 600), pace=0.1)
        seconds = asyncio.get_running_loop().time() - began
        print("MEM", before, river.memory(), floods.sent)
        assert floods.sent > 2 * ROOM
        assert river.memory() < before + ROOM
        river.check()
    answers, closed = floods.answers, floods.closed
    assert {kind for kind, count in closed.items() if count} == {
        "garbage", "nonsense", "long", "head", "many posts", "half heads", "half bodies",
        "passwords",
    }  # fmt: skip
    assert floods.most["nonsense"] <= 50, "nonsense_limit"
    assert answers["posts: RES=20"] < 500 + 200 * (seconds + 1), "what strangers may say"
    checked = answers["passwords: RA=Password error"] + answers["passwords: picture"]
    assert 3 <= checked < 20 + 1 * (seconds + 1), "failures of one address"
    assert answers["passwords: picture"]
    assert answers["passwords: RA=Too many tries; wait some minutes"]


async def test_replaced_session(tmp_path: Path) -> None:
    """Somebody signs in here and there by turns, and misses nothing that is written meanwhile."""
    async with Scene(tmp_path, *BUSY) as house:
        await house.people([ANNA, BEN, CLARA, DORA], 0)
        house.start()
        await talk(house, replaced(house, 20))
        await house.deliver()
        house.check()


# --- kill -9 in the middle -----------------------------------------------------------------------


async def both_sign_ins(scene: Scene) -> None:
    """Have a crowd sign in, half of it over HTTP."""
    await all_of([
        sign_ins(scene, range(FIRST, FIRST + 150)),
        posted_sign_ins(scene, range(FIRST + 150, FIRST + 300)),
    ])  # fmt: skip


MIDDLES: dict[str, tuple[Callable[[Scene], Awaitable[object]], tuple[str, ...], int, int]] = {
    "sign_ins": (both_sign_ins, (*GATEWAY, *BUSY), 50, 450),
    "slow_reader": (lambda scene: slow_reader(scene, 1000), BUSY, 100, 4000),
    "flood": (lambda scene: flood(scene, 100_000), (*STRICT, *GATEWAY), 5, 40),
    "replaced": (lambda scene: replaced(scene, 1000), BUSY, 10, 1000),
}
"""What is cut short, with which settings, and after how many answers, at least and at most."""


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("what", MIDDLES)
async def test_kill_in_the_middle(tmp_path: Path, what: str, seed: int) -> None:
    """The server starts again, knows everybody, and keeps the word of the one that was killed."""
    doing, settings, least, most = MIDDLES[what]
    async with Scene(tmp_path, *settings) as struck:
        await struck.people([ANNA, BEN, CLARA, *FRIENDS], 300, slow=10)
        known = struck.accounts()
        struck.start()
        middle = asyncio.create_task(talk(struck, doing(struck)))
        reached = asyncio.create_task(struck.progressed(random.Random(seed).randint(least, most)))
        await asyncio.wait({middle, reached}, return_when=asyncio.FIRST_COMPLETED)
        if middle.done():
            reached.cancel()
            raise AssertionError(f"it was over too soon: {middle.exception()}")
        struck.kill()
        try:
            await middle
        except* Lost:
            pass
        for phone in struck.phones:
            if isinstance(phone, Phone):
                await phone.read_out()
        struck.start()
        assert struck.accounts() == known
        await struck.deliver()
        struck.check()
        await both_sign_ins(struck)
