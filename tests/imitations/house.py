"""The server that the imitated clients sign in to: real, in a thread, on a loopback port."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from kqq.server import Config, Listen, Server
from kqq.server.store import Account
from serving import PROOF, Serving

ANNA, BEN, CLARA, DORA = 10001, 10002, 10003, 10004
"""Anna, Ben and Clara are friends of each other; Dora is nobody's."""
NAMES = {ANNA: "Anna", BEN: "小波", CLARA: "Clara", DORA: "Dora"}

T = TypeVar("T")


class House(Serving):
    """A server with the four people in it; `port` is where it listens."""

    def __init__(self, data: Path, **settings: Any) -> None:
        super().__init__(data)
        door = (Listen("127.0.0.1", 0),)
        # A busy machine wakes the threads of the clients late, so the gap is longer than usual.
        self._config = Config(data=data, **{"listen": door, "breath": 0.12, **settings})
        self.port = 0

    async def _serve(self) -> None:
        self._loop, self._stop_event = asyncio.get_running_loop(), asyncio.Event()
        async with Server(self._config) as self.server:
            for uin, nick in NAMES.items():
                self.server.store.add_account(Account(uin, nick, 270, PROOF), 0.0)
            for one, other in itertools.combinations((ANNA, BEN, CLARA), 2):
                self.server.store.add_friends(one, other)
            self.port = self.server.listening[0].port
            self._open.set()
            await self._stop_event.wait()

    def do(self, what: Callable[[Server], T]) -> T:
        """Do something with the server, on its thread, and return what came of it."""

        async def run() -> T:
            done = what(self.server)
            if isinstance(done, Awaitable):
                await done
            return done

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def crowd(self, uin: int, count: int) -> list[int]:
        """Give somebody so many more friends and return their numbers."""
        numbers = list(range(10101, 10101 + count))

        def add(server: Server) -> None:
            for number in numbers:
                server.store.add_account(Account(number, f"n{number}", 0, PROOF), 0.0)
                server.store.add_friends(uin, number)

        self.do(add)
        return numbers

    def letters(self, uin: int) -> str:
        """Return what somebody reads in the picture that waits for `uin`."""

        def read(server: Server) -> str:
            (challenge,) = (
                challenge
                for who, challenge in server._services.captchas._waiting.items()
                if who[0] == uin
            )
            assert challenge.letters is not None
            return challenge.letters

        return self.do(read)

    def texts(self, uin: int) -> list[str]:
        """Return the messages that wait for somebody."""
        return self.do(lambda server: [m.text for m in server.store.messages_after(uin, 0, 100)])

    def is_signed_in(self, uin: int) -> bool:
        """Return whether somebody has a session."""
        return self.do(lambda server: server._services.sessions.of(uin) is not None)


@contextmanager
def house(data: Path, **settings: Any) -> Iterator[House]:
    """Run a server with the four people, with these settings."""
    server = House(data, **settings)
    server.start()
    server.wait_until_started()
    try:
        yield server
    finally:
        server.stop()
        server.join(10)
