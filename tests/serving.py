"""A real server in a thread, for tests of things that run an event loop of their own."""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kqq.server import Config, Listen, Server
from kqq.server.friends import make_friends
from kqq.server.store import Account
from kqq.testing.town import quick_proof

PROOF = quick_proof()
"""What is stored of the password `secret`."""


def people(server: Server, *names: str) -> None:
    """Add accounts from 10001 on, with the password `secret`, everybody a friend of everybody."""
    for position, name in enumerate(names):
        server.store.add_account(Account(10001 + position, name, 0, PROOF), 0.0)
        for other in range(position):
            make_friends(server.store, 10001 + other, 10001 + position)


def quiet_port() -> int:
    """Return a port nobody listens on, of those that the system gives to nobody by itself."""
    for port in range(20000 + os.getpid() % 10000, 32000):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                free.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no port is free")


class Serving(threading.Thread):
    """A server in a thread; `address` is its address as clients write it."""

    def __init__(self, data: Path, *names: str) -> None:
        super().__init__()
        self.address = ""
        self._config = Config(data=data, listen=(Listen("127.0.0.1", 0),))
        self._names = names
        self._open = threading.Event()

    def run(self) -> None:
        """Serve until told to stop."""
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop_event = asyncio.get_running_loop(), asyncio.Event()
        async with Server(self._config) as server:
            people(server, *self._names)
            self.address = str(server.listening[0]).replace("kqq://", "tcp://")
            self._open.set()
            await self._stop_event.wait()

    def stop(self) -> None:
        """Have the server stop; may be called from any thread, and twice."""
        if self.is_alive():
            self._loop.call_soon_threadsafe(self._stop_event.set)

    def wait_until_started(self) -> None:
        """Return when the door is open."""
        assert self._open.wait(10)


@contextmanager
def serving(data: Path, *names: str) -> Iterator[Serving]:
    """Run a server on `data` with these people."""
    server = Serving(data, *names)
    server.start()
    server.wait_until_started()
    try:
        yield server
    finally:
        server.stop()
        server.join(10)
