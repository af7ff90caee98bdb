"""Somebody who operates a server in memory, for tests of what they do."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kqq.server import Config, Listen
from kqq.server.accounts import make_proof, password_md5
from kqq.server.admin import Admin, perform
from kqq.server.database import Database
from kqq.server.operators import COMMAND_LINE, Operators
from kqq.server.operators import Operator as Who
from kqq.server.store import Store
from stage import PARIS, ManualClock, Stage, Wire, sign_in_line

FIRST = PARIS + 1
"""The first number that is free."""
OTHER = make_proof(password_md5("other"), b"salt")
"""What is stored of the password `other`."""


def admin_alone(store: Store, folder: Path, **settings: Any) -> Admin:
    """Return what actions work with where no server runs."""
    config = Config(data=folder, **{"listen": (Listen("127.0.0.1", 0),), **settings})
    clock = ManualClock()
    return Admin(config, store, clock, os.urandom, operators_of(store, clock))


def operators_of(store: Store, clock: ManualClock) -> Operators:
    """Return the operators of a store."""
    database: Database = store._database
    return Operators(database, clock, os.urandom)


class Operator:
    """Somebody who may do everything on a stage, unless it is told who else does it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        server = stage.server
        self.admin = Admin(
            stage.config,
            stage.store,
            stage.clock,
            os.urandom,
            server._operators,
            server._services,
            server._visits,
            server._trends,
        )

    async def do(self, name: str, /, **arguments: Any) -> Any:
        """Do something, and let everything happen that follows."""
        return await self.as_who(COMMAND_LINE, name, arguments)

    async def as_who(self, who: Who, name: str, arguments: Mapping[str, Any]) -> Any:
        """Do something as somebody else would."""
        result = await perform(self.admin, name, arguments, who)
        await self.stage.idle()
        return result


async def refused_sign_in(stage: Stage, uin: int, password: str) -> str:
    """Return what somebody is told who is not let in."""
    wire = stage.connect()
    reply = await wire.ask(sign_in_line(uin, password=password))
    await wire.close()
    assert "&RS=0&" not in reply
    return reply


async def told(stage: Stage, wire: Wire) -> list[str]:
    """Return the lines that have come to somebody."""
    await stage.idle()
    return wire.waiting()
