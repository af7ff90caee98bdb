"""Servers started on copies of a database, taken while another one is at work on it.

A copy shows what a crash leaves: the server stands still between any two of its instructions, and
what it has written until then is copied.
"""

import asyncio
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from killing import is_sound
from kqq.server.database import Database, database_path
from kqq.server.store import Kind, Store
from load import Fate, Load, Pair, overdue
from scene import BUSY, GATEWAY, Scene

_EACH = 50  # copies taken from one folder; then comes a new one
_ANSWERS = 300  # until the next copy, at most
_SERVED = 10  # a server is started on one of so many copies
_TURN = 0.002  # seconds
_INDEX = "-shm"  # SQLite makes this file anew from the log


@dataclass(slots=True)
class Copies:
    """What copies lacked of what had been acknowledged when they were taken.

    A server was started on `served` of them, the others were read by the store. `awaited` messages
    had been acknowledged and had not come yet, so they had to be in the copies; `lost` were not.
    `disordered` were not in the order in which they were written. `unsound` copies have a database
    that SQLite does not find in order. `fates` is what became of the messages of each server that
    copies were taken from, which was killed in the end.
    """

    copies: int = 0
    served: int = 0
    awaited: int = 0
    lost: int = 0
    disordered: int = 0
    unsound: int = 0
    faults: list[str] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.disordered or self.unsound) and all(
            fate.is_kept for fate in self.fates
        )


async def copies(
    folder: Path, count: int, seed: int, *, tell: Callable[[int], None] = lambda _: None
) -> Copies:
    """Take so many copies and check them; `tell` is told how many it were."""
    dice, found = random.Random(seed), Copies()
    while found.copies < count:
        data = folder / f"from-{found.copies}"
        until = min(found.copies + _EACH, count)
        async with Scene(data, *BUSY, *GATEWAY) as scene:
            load = Load(scene, seed + found.copies)
            await load.settle()
            scene.start()
            async with asyncio.TaskGroup() as group:
                load.start(group)
                while found.copies < until:
                    tell(found.copies)
                    await scene.progressed(scene.progress + dice.randint(1, _ANSWERS))
                    await _try_copy(found, load, data, folder / "copy", dice)
                load.kill()
            scene.start()
            await load.drain()
            found.fates.append(load.fate())
        shutil.rmtree(data)
    tell(count)
    return found


async def _try_copy(found: Copies, load: Load, data: Path, copy: Path, dice: random.Random) -> None:
    scene = load.scene
    scene.server.halt()
    for _ in range(5):
        await asyncio.sleep(_TURN)  # what it has sent is read
    missing, seen = _expected(load)
    is_left_out = dice.random() < 0.5
    _copy_files(data, copy, but=_INDEX if is_left_out else None)
    scene.server.go_on()
    found.copies += 1
    if found.copies % _SERVED == 1:
        found.served += 1
        came = await _served(copy, scene.passwords, missing)
    else:
        came = await _stored(copy, missing)
    for (sender, to), numbers in missing.items():
        lost, disordered = overdue(came[sender, to], seen[sender, to], numbers)
        found.awaited += len(numbers)
        found.lost += len(lost)
        found.disordered += len(disordered)
        if lost or disordered:
            found.faults.append(
                f"copy {found.copies}, {sender} to {to}: lost {sorted(lost)[:5]}, out of order"
                f" {sorted(disordered)[:5]}; {is_left_out=}"
            )
    if not is_sound(database_path(copy)):
        found.unsound += 1
    shutil.rmtree(copy)


def _copy_files(data: Path, copy: Path, but: str | None) -> None:
    copy.mkdir()
    for path in data.iterdir():
        if path.is_file() and not (but is not None and path.name.endswith(but)):
            shutil.copyfile(path, copy / path.name)


def _expected(load: Load) -> tuple[dict[Pair, set[int]], dict[Pair, set[int]]]:
    """Return what must be in a copy taken now, by sender and receiver, and what has come already.

    Who waits for an answer over HTTP may have part of it in hand, so nothing is asked of that one.
    """
    pairs = [(sender, to) for sender, to in load.scene.pairs() if to not in load.polling]
    missing = {pair: load.scene.missing(*pair) for pair in pairs}
    seen: dict[Pair, set[int]] = {pair: set() for pair in pairs}
    for phone in load.scene.phones:
        for sender, numbers in phone.texts.items():
            if (sender, phone.uin) in seen:
                seen[sender, phone.uin] |= set(numbers)
    return missing, seen


async def _stored(copy: Path, missing: dict[Pair, set[int]]) -> dict[Pair, list[int]]:
    """Return which messages the store gives of a copy."""
    came: dict[Pair, list[int]] = {pair: [] for pair in missing}
    database = Database(database_path(copy))
    store = Store(database)
    for to in {to for _, to in missing}:
        for stored in store.messages_after(to, 0, 1_000_000):
            if stored.kind is Kind.MESSAGE and (stored.sender, to) in came:
                came[stored.sender, to].append(int(stored.text.partition("-")[0]))
    await database.close()
    return came


async def _served(
    copy: Path, passwords: dict[int, str], missing: dict[Pair, set[int]]
) -> dict[Pair, list[int]]:
    """Return which messages a server on a copy gives to those who sign in."""
    came: dict[Pair, list[int]] = {}
    async with Scene(copy, *BUSY, *GATEWAY) as scene:
        scene.passwords = passwords
        scene.start()
        for to in sorted({to for _, to in missing}):
            phone = await scene.sign_in(to)
            everything = set().union(*(missing[pair] for pair in missing if pair[1] == to))
            await phone.gets(everything)
            came |= {pair: phone.texts[pair[0]] for pair in missing if pair[1] == to}
    return came
