"""How commands of the operator reach what they change: the running server, or its data folder."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kqq.errors import ConfigError

if TYPE_CHECKING:
    from kqq.server import Config

_PATIENCE = 5.0
"""Seconds in which a server that uses the folder must have opened its socket, or have stopped."""
_PAUSE = 0.1


def settings_of(data: Path | None) -> "Config":
    """Return the settings that `kqq serve` would have, with `--data` if it is given."""
    from kqq.server.settings import file_in_data, load

    given = [f"data={data}"] if data is not None else []
    file = os.environ.get("KQQ_CONFIG")
    return load(Path(file) if file else file_in_data(os.environ, given), os.environ, given)


def do(data: Path | None, name: str, /, *, create: bool = False, **arguments: Any) -> Any:
    """Have the running server do something, or do it here if none runs.

    `create` makes the data folder if it is not there. Returns what the action returns. Raises
    NoServer if none runs and one is needed, or if the one that runs cannot be asked.
    """
    on = None if data is None else data.absolute()
    try:
        config = settings_of(data)
    except ConfigError as error:
        return asyncio.run(_do_anyway(data, on, name, arguments, error))
    return asyncio.run(_do(config, on, name, arguments, create=create))


async def _do_anyway(
    data: Path | None, on: Path | None, name: str, arguments: dict[str, Any], error: ConfigError
) -> Any:
    """Ask the server that runs where it is by default, though the settings cannot be read.

    It goes on with those it has, and who has just broken the file needs to reach it most.
    """
    from kqq.server import Config
    from kqq.server.admin_door import NoServer, ask
    from kqq.server.config import default_data

    folder = data or Path(os.environ.get("KQQ_DATA") or default_data())
    try:
        result = await ask(Config(data=folder).admin_path, name, arguments, on=on)
    except NoServer:
        raise error from None
    click.echo(f"kqq: warning: {error}", err=True)
    return result


async def _do(
    config: "Config", on: Path | None, name: str, arguments: dict[str, Any], *, create: bool
) -> Any:
    from kqq.server.admin_door import NoServer, ask
    from kqq.server.claim import is_claimed

    loop = asyncio.get_running_loop()
    since = loop.time()
    while True:
        try:
            return await ask(config.admin_path, name, arguments, on=on)
        except NoServer as error:
            if not is_claimed(config.data):
                return await _do_here(config, name, arguments, create=create)
            if loop.time() - since > _PATIENCE:
                raise NoServer(
                    f"a server uses {config.data}, but none listens at {config.admin_path}; is "
                    "`admin_socket` what the server was started with?"
                ) from error
        await asyncio.sleep(_PAUSE)


async def _do_here(config: "Config", name: str, arguments: dict[str, Any], *, create: bool) -> Any:
    """Do it where no server runs: a change is seen by the next one that starts."""
    from kqq.server.admin import Admin, check_server, perform
    from kqq.server.clock import LoopClock
    from kqq.server.database import Database, database_path, prepare_folder
    from kqq.server.operators import Operators
    from kqq.server.store import Store

    check_server(name, config)
    if not database_path(config.data).exists():
        if not create:
            raise ConfigError(f"there are no accounts in {config.data}; is that the right --data?")
        click.echo(f"making a new data folder {config.data}", err=True)
    database = Database(prepare_folder(config.data))
    try:
        clock = LoopClock()
        operators = Operators(database, clock, os.urandom)
        admin = Admin(config, Store(database), clock, os.urandom, operators)
        return await perform(admin, name, arguments)
    finally:
        await database.close()
