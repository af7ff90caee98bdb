"""`kqq serve`."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kqq.cli.group import config_option, data_option, main, set_option
from kqq.errors import ConfigError

if TYPE_CHECKING:
    from kqq.server import Config

logger = logging.getLogger("kqq.cli")


@main.command(short_help="Run a server.")
@config_option
@data_option
@click.option(
    "--listen",
    "listen",
    multiple=True,
    metavar="kqq://HOST:PORT",
    help="A door for phones, or web://HOST:PORT for browsers; may be given several times."
    "  [default: kqq://127.0.0.1:14000 and web://127.0.0.1:8080]",
)
@set_option
@click.option("--verbose", "-v", is_flag=True, help="Log every connection.")
def serve(
    file: Path | None,
    data: Path | None,
    listen: tuple[str, ...],
    overrides: tuple[str, ...],
    *,
    verbose: bool,
) -> None:
    """Run a server until it is told to stop (Ctrl-C, SIGTERM).

    SIGHUP has it read its settings again.
    """
    from kqq.server import Listen
    from kqq.server.settings import file_in_data, load

    given = [f"data={data}"] if data is not None else []
    given += [f"listen={' '.join(str(Listen.parse(door)) for door in listen)}"] if listen else []
    given += overrides

    def read() -> "Config":
        return load(file or file_in_data(os.environ, given), os.environ, given)

    config = read()
    _log(config, verbose=verbose)
    with asyncio.Runner(loop_factory=_quick_loop(config)) as runner:
        runner.run(_serve(config, read, verbose=verbose))


async def _serve(config: "Config", read: Callable[[], "Config"], *, verbose: bool) -> None:
    from kqq.server import Server
    from kqq.server.logs import event

    told: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, told.put_nowait, number)
    has_terminal = _is_terminal()
    async with Server(config) as server:
        # What is there now stays, and need not be looked through again; a message makes no circles.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        for door in (*server.listening, *server.web):
            click.echo(f"listening {door}")
        if server.first_link is not None:
            click.echo(f"administrator {server.first_link}")
        click.echo("ready")
        sys.stdout.flush()
        while await told.get() == signal.SIGHUP:
            if has_terminal and not _is_terminal():
                event(logger, logging.INFO, "stopping", why="the terminal was closed")
                break
            try:
                server.reload(read())
            except ConfigError as error:
                event(logger, logging.ERROR, "settings stay as they were", why=error)
            _log(config, verbose=verbose)


def _quick_loop(config: "Config") -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the quicker event loop, None where Python's own has to do.

    It reads a new connection before anybody can say that TLS shall, so it is not for such doors
    for phones; those for browsers have TLS from the first byte.
    """
    if any(door.is_tls for door in (*config.phone_doors, *config.redirector)):
        return None
    try:
        from uvloop import new_event_loop
    except ImportError:  # it is not made for every system
        return None
    return new_event_loop


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _log(config: "Config", *, verbose: bool) -> None:
    from kqq.server.logs import configure

    configure(config.log, "debug" if verbose else config.log_level, sys.stderr)
