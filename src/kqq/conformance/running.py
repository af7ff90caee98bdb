"""A run: the plays of the suite, one after the other, over one transport after the other."""

import asyncio
import itertools
import os
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from kqq.client import Address, Transport, open_transport
from kqq.conformance.casting import Needs, Uncast, cast, needs
from kqq.conformance.company import Company, Player
from kqq.conformance.published import Entry
from kqq.conformance.report import Heard, Result, Verdict
from kqq.conformance.tidying import Tidied, Tidying
from kqq.errors import ConnectionLost
from kqq.plays.accounts import Account, Accounts
from kqq.plays.against import Terms, perform_on, unable
from kqq.protocol import Line, Role, Unreadable, decode, mask

TRANSPORTS = ("TCP", "HTTP")
REPEAT_TIME = 11.0
"""Seconds for which a server may take the very same line for a repeat; ours does so for 10.
Lines that are written out in a play are the same in each performance of it."""
_LINES = 12  # that a report shows
_OF_A_PLAY = 1000  # numbers of lines
_TIDYING = 500_000
"""Numbers of lines said between plays are above this; all stay below ten digits, which would say
that each is used once (OURS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run performs, and where.

    `http` and `redirector` are other doors of the same server; `settings` are those that it has, as
    plays name them; a line that must come is waited for `wait` seconds, and `clock` in a play for
    `patience` seconds at most.
    """

    address: Address
    company: Company
    over: tuple[str, ...] = TRANSPORTS
    http: Address | None = None
    redirector: Address | None = None
    settings: frozenset[str] = frozenset()
    wait: float = 5.0
    patience: float = 0.0
    trust: ssl.SSLContext | None = None

    def performances(self, entries: Iterable[Entry]) -> list[tuple[Entry, str]]:
        """Return what is to be performed: all plays over one transport, then over the next."""
        chosen = list(entries)
        return [
            (one, over)
            for over in self.over
            for one in chosen
            if not (one.play.only & {*TRANSPORTS}) - {over}
        ]


class Run:
    """Performs plays on a server.

    `now`, `sleep` and `random` are injected; `random` gives so many bytes.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._plan = plan
        self._now = now
        self._sleep = sleep
        first = int.from_bytes(random(2), "big")
        self._seqs = itertools.count(10_000 + first, _OF_A_PLAY)
        self._tidying = Tidying(
            plan.company, self._connect, itertools.count(_TIDYING + first), wait=plan.wait
        )
        self._dirty: list[Player] = []
        self._ended: dict[str, float] = {}
        self._has_met = False

    async def perform(self, performances: Iterable[tuple[Entry, str]]) -> AsyncIterator[Result]:
        """Give the result of each; at the end all accounts are signed out.

        Raises ConnectionLost where nobody is there from the beginning, ConfigError where the
        address can be none.
        """
        for entry, over in performances:
            yield await self._result(entry, over)
        with suppress(ConnectionLost):
            await self._tidying.tidy(self._dirty)

    async def _result(self, entry: Entry, over: str) -> Result:
        wanted = needs(entry.play)
        plan = self._plan
        reason, players = self._unable(wanted), {}
        if not reason:
            try:
                players = cast(wanted, plan.company)
            except Uncast as missing:
                reason = str(missing)
        if not reason:
            terms = self._terms(over)
            reason = unable(entry.play, _accounts(wanted, players), plan.address, terms) or ""
        if reason:
            return Result(entry=entry, over=over, verdict=Verdict.SKIPPED, reason=reason)
        numbers = {name: player.uin for name, player in players.items()}
        notes: tuple[str, ...] = ()
        try:
            tidied = await self._prepare(entry, wanted, players)
            self._has_met = True
            if not tidied.wrong:
                return await self._perform(entry, over, _accounts(wanted, players), tidied)
        except ConnectionLost as error:
            if not self._has_met:
                raise
            verdict, reason = Verdict.FAILED, str(error)
        else:
            verdict, reason, notes = Verdict.SKIPPED, tidied.wrong[0], tuple(tidied.troubles)
        return Result(
            entry=entry, over=over, verdict=verdict, reason=reason, notes=notes, numbers=numbers
        )

    def _unable(self, wanted: Needs) -> str:
        """Return why a play cannot be performed there whoever plays, "" if it can."""
        plan = self._plan
        given = plan.settings | {"redirector"} if plan.redirector is not None else plan.settings
        for setting in wanted.settings:
            if not {setting, setting.partition("=")[0]} & given:
                return f"needs a server set to {setting}"
        if wanted.server:
            return f"needs the server to change meanwhile: {wanted.server[0]}"
        return ""

    async def _prepare(self, entry: Entry, wanted: Needs, players: dict[str, Player]) -> Tidied:
        """Wait until the lines of a play are no repeats, and tidy up for it."""
        since = self._now() - self._ended.get(entry.name, -REPEAT_TIME)
        if since < REPEAT_TIME:
            await self._sleep(REPEAT_TIME - since)
        cast_now = list(players.values())
        others = [one for one in self._dirty if one not in cast_now]
        friends = [[players[name] for name in pair] for pair in wanted.friends]
        before = await self._tidying.tidy(others)
        tidied = await self._tidying.tidy(cast_now, friends)
        tidied.troubles[:0] = before.troubles
        self._dirty = cast_now
        return tidied

    async def _perform(self, entry: Entry, over: str, accounts: Accounts, tidied: Tidied) -> Result:
        lines: deque[Heard] = deque(maxlen=_LINES)
        unreadable: dict[str, str] = {}  # the first line of each kind

        def watch(actor: str, direction: str, line: Line) -> None:
            lines.append(Heard(actor, direction, mask(line.text)))
            said = decode(line, Role.SERVER) if direction == "<" else None
            if isinstance(said, Unreadable):
                unreadable.setdefault(str(said), f"{said}: {mask(line.text)}")

        outcome = await perform_on(
            entry.play,
            self._plan.address,
            accounts,
            replace(self._terms(over), probes=tidied.answers_probes),
            watch=watch,
            first_seq=next(self._seqs),
        )
        self._ended[entry.name] = self._now()
        verdict, reason = Verdict(outcome.verdict), outcome.reason
        difference = outcome.differences[0] if outcome.differences else None
        if difference is not None:
            reason = difference.why
        if verdict is Verdict.PASSED and unreadable:
            verdict = Verdict.FAILED
            reason = f"a line breaks a rule of the catalogue: {next(iter(unreadable))}"
        return Result(
            entry=entry,
            over=over,
            verdict=verdict,
            reason=reason,
            difference=difference,
            unreadable=tuple(unreadable.values()),
            notes=tuple(tidied.troubles),
            lines=tuple(lines) if difference is not None else (),
            numbers={name: account.uin for name, account in accounts.items()},
            seconds=outcome.seconds,
        )

    def _terms(self, over: str) -> Terms:
        plan = self._plan
        return Terms(
            over=over,
            http=plan.http,
            redirector=plan.redirector,
            wait=plan.wait,
            patience=plan.patience,
            trust=plan.trust,
        )

    async def _connect(self) -> Transport:
        plan = self._plan
        address = plan.address
        if "TCP" not in plan.over:
            address = plan.http or Address(address.host, address.port, "http")
        return await open_transport(address, trust=plan.trust)


def _accounts(wanted: Needs, players: Mapping[str, Player]) -> Accounts:
    """Return who is who; who has no account has that of the person as whom they sign in."""
    who = dict(players) | {
        name: players[other] for name, other in wanted.others.items() if other in players
    }
    return Accounts(Account(name, one.uin, one.account.password) for name, one in who.items())
