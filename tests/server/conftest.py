"""What most tests of the server begin with: an open database, a server in memory."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kqq.server.database import Database
from kqq.server.store import Store
from stage import JULIET, PARIS, ROMEO, Stage, add_person


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An open database."""
    database = Database(tmp_path / "kqq.sqlite")
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> Store:
    """A store with Romeo and Juliet, who are friends, and Paris, who is nobody's."""
    store = Store(database)
    for uin, nick in ((ROMEO, "Romeo"), (JULIET, "Juliet"), (PARIS, "Paris")):
        add_person(store, uin, nick)
    store.add_friends(ROMEO, JULIET)
    return store


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server in memory with Romeo and Juliet, who are friends, and Paris, who is nobody's."""
    async with Stage(tmp_path / "data") as stage:
        stage.add(ROMEO, JULIET)
        stage.add(PARIS)
        yield stage
