"""The only place that builds things: settings in, a running server out."""

import asyncio
import errno
import fcntl
import logging
import os
import resource
from collections.abc import Callable
from types import TracebackType
from typing import IO, Self

from kqq.errors import ConfigError, StoreError
from kqq.server.accounts import Accounts
from kqq.server.clock import Clock, LoopClock
from kqq.server.config import Config, Listen
from kqq.server.database import Database, prepare_folder
from kqq.server.friends import Friends
from kqq.server.handlers import Services
from kqq.server.inbox import Inbox
from kqq.server.phones import Phone
from kqq.server.presence import Presence
from kqq.server.session import Sessions
from kqq.server.store import Store

logger = logging.getLogger("kqq.app")

_BACKLOG = 128
_FILES_KEPT = 64  # descriptors for the database, the log, the doors
_GRACE = 2.0  # seconds that clients get to read the last lines when the server stops


class Server:
    """A server: `async with Server(config) as server: ...`, or `start` and `close`.

    `clock` and `random` (bytes wanted to bytes) are for tests.
    """

    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._config = config
        self._clock = clock or LoopClock()
        self._random = random
        self._doors: list[asyncio.Server] = []
        self._phones: set[Phone] = set()
        self._lock: IO[str] | None = None
        self._last_gone: asyncio.Future[None] | None = None
        self.listening: tuple[Listen, ...] = ()
        """The doors that are open, with their real ports."""

    async def start(self) -> None:
        """Open database and doors. Raises ConfigError or StoreError; nothing is left open then."""
        self._room = _room_for_connections(self._config.connections_limit)
        path = prepare_folder(self._config.data)
        self._lock = _lock(self._config)
        try:
            self._database = Database(path)
        except StoreError:
            self._lock.close()
            raise
        self.store = Store(self._database)
        self._build()
        try:
            for listen in self._config.listen:
                await self._open(listen)
        except ConfigError:
            await self.close()
            raise
        # Not before: who cannot start says why, in one line, and nothing else.
        for door in self.listening:
            logger.info("listening door=%s room=%s", door, self._room)

    async def close(self) -> None:
        """Close doors and connections, write what waits, close the database."""
        for door in self._doors:
            door.close()
        for phone in list(self._phones):
            phone.close("the server stops")
        self._accounts.close()
        await self._wait_for_phones()
        await self._database.close()
        for door in self._doors:
            await door.wait_closed()
        self._doors.clear()
        if self._lock is not None:
            self._lock.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def phone(self) -> asyncio.Protocol:
        """Return what handles one more connection; for a transport of one's own, too."""
        phone = Phone(self._services, self._forget)
        self._phones.add(phone)
        return phone

    async def _wait_for_phones(self) -> None:
        """Let clients read what was written; those that do not are cut off."""
        if self._phones:
            self._last_gone = asyncio.get_running_loop().create_future()
            timer = self._clock.later(_GRACE, self._cut_off_phones)
            await self._last_gone
            timer.cancel()

    def _cut_off_phones(self) -> None:
        for phone in list(self._phones):
            phone.abort()

    def _forget(self, phone: Phone) -> None:
        self._phones.discard(phone)
        if not self._phones and self._last_gone is not None and not self._last_gone.done():
            self._last_gone.set_result(None)

    def _build(self) -> None:
        config, store, clock = self._config, self.store, self._clock
        sessions = Sessions()
        friends = Friends(store)
        presence = Presence(friends, sessions.tell)
        inbox = Inbox(
            store,
            friends,
            clock,
            sessions.wake,
            text_limit=config.text_limit,
            inbox_limit=config.inbox_limit,
        )
        sessions.serve(inbox, presence)
        self._accounts = Accounts(store, clock, self._random, config.hashes_waiting)
        self._services = Services(
            config, clock, self._random, self._accounts, friends, presence, inbox, sessions
        )

    def _accept(self) -> asyncio.Protocol:
        if len(self._phones) >= self._room:
            logger.warning("turned away why=%r", "too many connections")
            return _TurnedAway()
        return self.phone()

    async def _open(self, listen: Listen) -> None:
        loop = asyncio.get_running_loop()
        try:
            door = await loop.create_server(
                self._accept, listen.host, listen.port, backlog=_BACKLOG
            )
        except OSError as error:
            raise ConfigError(f"cannot listen on {listen}: {_why(error)}") from error
        self._doors.append(door)
        port = door.sockets[0].getsockname()[1]
        self.listening += (Listen(listen.host, port),)


class _TurnedAway(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


def _room_for_connections(wanted: int) -> int:
    """Return how many connections the limit of open files allows, raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + _FILES_KEPT
    if soft != resource.RLIM_INFINITY and soft < most:
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - _FILES_KEPT)


def _lock(config: Config) -> IO[str]:
    """Claim the data folder. Two servers on it would each tell their own clients only."""
    path = config.data / "lock"
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write in {config.data}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConfigError(
            f"another kqq serve uses {config.data}; stop it, or choose a folder with --data"
        ) from None
    return file


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken; choose another with --listen, or port 0 for any free one"
    if error.errno == errno.EACCES:
        return "no permission for this port; choose one above 1023 with --listen"
    return f"{error.strerror or error}; choose another address with --listen"
