"""Servers that are killed at random moments, and started again on what they have left."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kqq.server.database import database_path
from load import Fate, Load
from scene import BUSY, GATEWAY, Scene

_LIFE = 0.5  # seconds that a server lives once it is ready, at most
_START = 0.8  # seconds after which a server that starts is killed, at most
_STUMBLES = 0.1  # how many of the servers are killed while they start


@dataclass(slots=True)
class Kills:
    """How often servers were killed, how often of these while they started, and what that did.

    `is_sound` is whether SQLite finds the database in order in the end.
    """

    kills: int
    starting: int
    fate: Fate
    is_sound: bool

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return self.fate.is_kept and self.is_sound


async def kills(
    folder: Path, count: int, seed: int, *, tell: Callable[[int], None] = lambda _: None
) -> Kills:
    """Kill so many servers on a folder, one after another; `tell` is told how many it were."""
    dice = random.Random(seed)
    starting = 0
    async with Scene(folder, *BUSY, *GATEWAY) as scene:
        load = Load(scene, seed)
        await load.settle()
        known = scene.accounts()
        for number in range(count):
            tell(number)
            if dice.random() < _STUMBLES:
                starting += 1
                scene.stumble(dice.uniform(0, _START))
                continue
            scene.start()
            async with asyncio.TaskGroup() as group:
                load.start(group)
                await asyncio.sleep(dice.uniform(0, _LIFE))
                load.kill()
        tell(count)
        scene.start()
        await load.drain()
        assert scene.accounts() == known
        return Kills(count, starting, load.fate(), is_sound(database_path(folder)))


def is_sound(database: Path) -> bool:
    """Return whether SQLite finds a database file in order."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
