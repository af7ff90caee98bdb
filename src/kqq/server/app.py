"""The only place that builds things: settings in, a running server out."""

import asyncio
import errno
import logging
import os
import resource
import ssl
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from kqq import __version__
from kqq.compiled import is_compiled
from kqq.errors import ConfigError, StoreError
from kqq.server.accounts import Accounts
from kqq.server.admin import Admin
from kqq.server.admin_door import AdminDoor
from kqq.server.captcha import Asked, CaptchaRules, Captchas
from kqq.server.checks import Checks
from kqq.server.claim import claim
from kqq.server.clock import Clock, LoopClock
from kqq.server.config import Config, Listen
from kqq.server.database import Database, prepare_folder
from kqq.server.doors import Visitor
from kqq.server.friends import Friends
from kqq.server.handlers import Services
from kqq.server.handlers.base import Limits
from kqq.server.inbox import Inbox
from kqq.server.invitations import Registration
from kqq.server.journal import Journal
from kqq.server.limits import Concurrent, Rates
from kqq.server.logs import event
from kqq.server.metrics import Metrics, Writes
from kqq.server.metrics_door import MetricsDoor
from kqq.server.operators import Operators
from kqq.server.phones import Phone
from kqq.server.posts import Post
from kqq.server.presence import Presence
from kqq.server.profiles import Profiles
from kqq.server.repeats import Repeats
from kqq.server.requests import Requests
from kqq.server.rounds import Rounds
from kqq.server.session import Sessions
from kqq.server.store import Store
from kqq.server.tap import Tap
from kqq.server.tls import context_of
from kqq.server.transports import stream_of
from kqq.server.trends import Trends
from kqq.server.visits import Visits

if TYPE_CHECKING:
    from kqq.server.web.door import WebDoor

logger = logging.getLogger("kqq.app")

_BACKLOG = 1024
_DAY = 86400.0
_HEALTH_TIME = 5.0  # seconds
_ADDRESSES = 10
"""With one number as many sign-ins may fail as from so many addresses, so that one address alone
cannot keep anybody out."""
_SHARE = 10
"""The part of all attempts that are kept which one address may fill: many people can share one, and
one of them must not be able to push out the rest."""
_STRANGERS = 10
"""An address may say as much before a sign-in as so many accounts after it; many may share one."""
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
        self._tls: ssl.SSLContext | None = None
        self._guests: set[Visitor | Phone | Post] = set()
        self._lock: IO[str] | None = None
        self._is_closing = False
        self._has_begun = False
        self._last_gone: asyncio.Future[None] | None = None
        self._admin_door: AdminDoor | None = None
        self._metrics_door: MetricsDoor | None = None
        self._web_door: WebDoor | None = None
        self._trends: Trends | None = None  # for who looks with a browser
        self.metrics_port: int | None = None
        """The port where figures are served, if they are."""
        self.listening: tuple[Listen, ...] = ()
        """The doors for phones that are open, redirectors last, with their real ports."""
        self.web: tuple[Listen, ...] = ()
        """The same of those for browsers."""
        self.first_link: str | None = None
        """Where the first administrator is made; None if there is one, or nothing for browsers."""

    async def start(self) -> None:
        """Open database and doors. Raises ConfigError or StoreError; nothing is left open then."""
        self._room = _room_for_connections(self._config.connections_limit)
        path = prepare_folder(self._config.data)
        self._lock = claim(
            self._config.data,
            f"another kqq serve uses {self._config.data}; stop it, or choose a folder with --data",
        )
        try:
            self._database = Database(path, self._clock)
        except StoreError:
            self._lock.close()
            raise
        self.store = Store(self._database)
        self._build()
        try:
            for listen in self._config.phone_doors:
                self._services.doors.append(await self._open(listen))
            for listen in self._config.redirector:
                self._services.redirectors.append(await self._open(listen))
            admin = await self._open_for_operator()
            await self._open_for_browsers(admin)
        except BaseException:
            await self.close()
            raise
        # Not before: who cannot start says why, in one line, and nothing else.
        self._has_begun = True
        for door in (*self.listening, *self.web):
            room, compiled = self._room, is_compiled()
            event(logger, logging.INFO, "listening", door=door, room=room, compiled=compiled)
        self._warn()

    async def close(self) -> None:
        """Close doors and connections, write what waits, close the database."""
        self._is_closing = True
        if self._has_begun:
            event(logger, logging.INFO, "stopping", connections=len(self._guests))
        for door in self._doors:
            door.close()
        for guest in list(self._guests):
            guest.close("the server stops")
        self._checks.close()
        for own in (self._admin_door, self._metrics_door):
            if own is not None:
                await own.close()
        await self._wait_for_guests()
        await self._close_for_browsers()
        self._services.inbox.close()
        self._accounts.close()
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

    def _warn(self) -> None:
        """Say what a setting means that is a danger."""
        for network in self._config.same_address:
            why = "over HTTP anybody in it can act for anybody signed in from it"
            event(logger, logging.WARNING, "one address", network=network, danger=why)

    def reload(self, config: Config) -> None:
        """Take from `config` what can change while the server runs; say what cannot.

        Certificate and key are read again from where they were, since they are made anew at times.
        """
        taken, waiting = self._config.take_over(config)
        if self._tls is not None:
            try:
                self._tls = context_of(self._config)
            except ConfigError as error:
                event(logger, logging.ERROR, "the certificate stays as it was", why=error)
        event(logger, logging.INFO, "settings read again", changed=" ".join(taken) or "none")
        if waiting:
            event(logger, logging.WARNING, "these settings need a restart", keys=" ".join(waiting))
        if "same_address" in taken:
            self._warn()

    def visitor(self, door: Listen | None = None) -> asyncio.Protocol:
        """Return what handles one more connection; for a transport of one's own, too."""
        tls = self._tls if door is not None and door.is_tls else None
        visitor = Visitor(self._services, self._inside, door, self._became, tls)
        self._guests.add(visitor)
        return visitor

    async def _wait_for_guests(self) -> None:
        """Let clients read what was written; those that do not are cut off."""
        if self._guests:
            self._last_gone = asyncio.get_running_loop().create_future()
            timer = self._clock.later(_GRACE, self._cut_off)
            await self._last_gone
            timer.cancel()

    def _cut_off(self) -> None:
        for guest in list(self._guests):
            guest.abort()

    def _became(self, guest: Visitor | Phone | Post, new: Phone | Post | None) -> None:
        """Somebody has shown what they are, or gone."""
        self._guests.discard(guest)
        if new is not None:
            self._guests.add(new)
        elif not self._guests and self._last_gone is not None and not self._last_gone.done():
            self._last_gone.set_result(None)

    async def _close_for_browsers(self) -> None:
        """Close what was opened for them; nobody new has been let in since the server stops."""
        if self._web_door is not None:
            await self._web_door.close()
        if self._trends is not None:
            self._trends.close()

    async def _open_for_browsers(self, admin: Admin) -> None:
        """Open the doors for browsers, if there shall be any."""
        if not self._config.web_doors:
            return
        from kqq.server.web.door import WebDoor  # noqa: PLC0415  # a tenth of a second
        from kqq.server.web.site import Site  # noqa: PLC0415

        services = self._services
        assert self._trends is not None
        site = Site(services, admin, self._visits, self._operators, services.tap, self._trends)
        self._web_door = WebDoor(site, self._inside, self._became, self._has_room)
        for listen in self._config.web_doors:
            tls = self._tls_for(listen)
            try:
                opened = await self._web_door.open(listen, tls)
            except OSError as error:
                raise ConfigError(f"cannot listen on {listen}: {_why(error)}") from error
            self.web += (opened,)
            self._services.web_doors.append(opened)
        if not self._operators.has_administrator():
            code = self._operators.first_code()
            self.first_link = f"{self.web[0].url}/operator#first={code}"

    async def _open_for_operator(self) -> Admin:
        """Open the socket for commands, and the door for figures if there shall be one."""
        config = self._config
        services = self._services
        if config.web_doors:
            self._trends = Trends(self._clock, services.metrics, services.sessions.count)
        admin = Admin(
            config,
            self.store,
            self._clock,
            self._random,
            self._operators,
            services,
            self._visits,
            self._trends,
        )
        self._admin_door = AdminDoor(admin, config.admin_path)
        await self._admin_door.open()
        if config.metrics is not None:
            self._metrics_door = MetricsDoor(self._services.metrics, self._health, self._clock)
            self.metrics_port = await self._metrics_door.open(
                config.metrics.host, config.metrics.port
            )
            event(logger, logging.INFO, "figures", port=self.metrics_port)
        return admin

    async def _health(self) -> str | None:
        """Return what is wrong with this server, None if nothing is."""
        try:
            async with asyncio.timeout(_HEALTH_TIME):
                await asyncio.shield(self._database.probe())
        except TimeoutError:
            return f"the database took longer than {_HEALTH_TIME:g} s to write"
        except StoreError as error:
            return str(error)
        return None

    def _build(self) -> None:
        config, store, clock, random = self._config, self.store, self._clock, self._random
        limits = self._limits()
        sessions = Sessions(clock, config)
        friends = Friends(store)
        rounds = Rounds(clock, lambda: config.arrival_time)
        presence = Presence(friends, sessions.tell, rounds.soon)
        metrics = Metrics(clock, __version__)
        inbox = Inbox(store, friends, clock, sessions.wake, config, counted=metrics.count_messages)
        sessions.serve(inbox, presence)
        store.on_foreign_write(sessions.fall_behind)
        self._checks = Checks(most=lambda: config.hashes_waiting)
        self._accounts = Accounts(store, clock, random, self._checks)
        self._inside = Concurrent(lambda: config.connections_per_address)
        metrics.password_checks_waiting = lambda: self._checks.waiting
        metrics.sessions_open = sessions.count
        database = self._database
        self._visits = Visits(database, clock, random)
        self._operators = Operators(database, clock, random)
        metrics.writes = lambda: Writes(database.batches, database.writes, database.seconds)
        self._services = Services(
            config=config,
            clock=clock,
            random=random,
            store=store,
            accounts=self._accounts,
            captchas=Captchas(clock, random, rules=self._captcha_rules),
            friends=friends,
            presence=presence,
            profiles=Profiles(store),
            inbox=inbox,
            requests=Requests(store, friends, presence, inbox, clock,
                              may_ask=lambda uin: limits.requests.spend(str(uin))),
            sessions=sessions,
            registration=Registration(
                store,
                clock,
                random,
                self._checks,
                policy=lambda: config.registration,
                per_address=lambda: config.registrations_per_address,
                lowest=lambda: config.lowest_number,
                who_may_add=lambda: config.who_may_add,
                who_may_write=lambda: config.who_may_write,
            ),
            repeats=Repeats(clock, config),
            limits=limits,
            journal=Journal(
                clock, config.attempts_kept, each=max(config.attempts_kept // _SHARE, 20)
            ),
            rounds=rounds,
            metrics=metrics,
            tap=Tap(),
            doors=[],
        )  # fmt: skip

    def _limits(self) -> Limits:
        config, clock = self._config, self._clock
        return Limits(
            commands=Rates(clock, lambda: config.commands_rate, lambda: config.commands_burst),
            strangers=Rates(
                clock,
                lambda: config.commands_rate * _STRANGERS,
                lambda: config.commands_burst * _STRANGERS,
            ),
            messages=Rates(clock, lambda: config.messages_rate, lambda: config.messages_burst),
            requests=Rates(
                clock, lambda: config.requests_per_day / _DAY, lambda: config.requests_per_day
            ),
            account_failures=Rates(
                clock,
                lambda: config.sign_ins_rate * _ADDRESSES,
                lambda: config.sign_ins_burst * _ADDRESSES,
            ),
            failures=Rates(clock, lambda: config.sign_ins_rate, lambda: config.sign_ins_burst),
        )

    def _captcha_rules(self) -> CaptchaRules:
        config = self._config
        return CaptchaRules(
            asked=Asked(config.captcha),
            failures=config.captcha_failures,
            lifetime=config.captcha_time,
            grace=config.captcha_grace,
        )

    def _accept(self, door: Listen) -> asyncio.Protocol:
        if self._is_closing:
            return _TurnedAway()
        if not self._has_room():
            event(logger, logging.WARNING, "turned away", why="too many connections", door=door)
            return _TurnedAway()
        return self.visitor(door)

    def _has_room(self) -> bool:
        return not self._is_closing and len(self._guests) < self._room

    def _tls_for(self, listen: Listen) -> ssl.SSLContext | None:
        """Return what a door needs for TLS, None if it has none. Raises ConfigError."""
        if listen.is_tls and self._tls is None:
            self._tls = context_of(self._config)
        return self._tls if listen.is_tls else None

    async def _open(self, listen: Listen) -> Listen:
        """Open a door and return it with its real port. Raises ConfigError."""
        self._tls_for(listen)
        loop = asyncio.get_running_loop()
        opened = listen
        try:
            door = await loop.create_server(
                lambda: self._accept(opened), listen.host, listen.port, backlog=_BACKLOG
            )
        except OSError as error:
            raise ConfigError(f"cannot listen on {listen}: {_why(error)}") from error
        self._doors.append(door)
        opened = replace(listen, port=door.sockets[0].getsockname()[1])
        self.listening += (opened,)
        return opened


class _TurnedAway(asyncio.Protocol):
    """One connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport = stream_of(transport)
        transport.abort()


def _room_for_connections(wanted: int) -> int:
    """Return how many connections the limit of open files allows, raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + _FILES_KEPT
    if soft != resource.RLIM_INFINITY and soft < most:
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - _FILES_KEPT)


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is taken; choose another with --listen, or port 0 for any free one"
    if error.errno == errno.EACCES:
        return "no permission for this port; choose one above 1023 with --listen"
    return f"{error.strerror or error}; choose another address with --listen"
