"""Why can't I sign in? The last attempts to, step by step, in memory only.

    attempt = journal.begin("127.0.0.1", 50321, "kqq://0.0.0.0:14000", "tcp")
    attempt = attempt.is_of(10001)
    attempt.add(Step.WRONG_PASSWORD)

Room is shared so that nobody's attempts are easily pushed out by others. What holds:

- One address (of IPv6 one /64, since one host has that many) has `each` attempts; a further one
  pushes out one of its own, one that reached no account if there is any.
- Of `most` attempts in all, those that reached no account (scans, silence, unknown numbers) are
  first to go while they have half of the room: no flood of them touches the other half.
  The address with the most of them loses its oldest.
- Otherwise the account with the most attempts loses one, so guessing at one account from any number
  of addresses does not touch those with fewer; and it loses the oldest of the address with the most
  attempts at it, so guessing from some addresses does not touch one with fewer.

What does not: attempts that reached no account can be pushed out from `most` / 2 addresses; and
whoever has hundreds of addresses and knows hundreds of accounts can leave one attempt of each.
"""

import itertools
import re
from dataclasses import dataclass, field
from enum import Enum
from string import Formatter
from typing import Any, Generic, Literal, TypeVar

from kqq.server.clock import Clock
from kqq.server.limits import address_key

Over = Literal["tcp", "http", "tls", "web"]

STEPS = 30
"""Steps kept of an attempt: the first few, which show how it began, and the last."""
FIRST = 5
"""Of them, those that show how it began."""
_LONGEST = 200  # characters of a detail
_HASH = re.compile(r"[0-9A-Fa-f]{32,}")
"""As of passwords; nobody should pass one, and if somebody does it stays out."""
_NO_DETAILS: dict[str, str | int] = {}
"""Of a step without; each open connection has some, and a dictionary for each would be much."""


class Step(Enum):
    """What may happen: `words` (with the `fields` of its details), and the `remedy` or ""."""

    CONNECTED = "connected", ""
    DISCONNECTED = "the connection ended: {reason}", "sign in again"
    UNREADABLE = (
        "sent a line that cannot be read: {line} ({rule})",
        "look what the line is; only clients of Mobile QQ can be served",
    )
    UNKNOWN_NUMBER = "nobody has this number", "check the number, or add an account for it"
    WRONG_PASSWORD = "the password is wrong", "type it again; an operator can set a new one"
    BUSY = "too many passwords were waiting to be checked", "try again in a minute"
    SUSPENDED = "the account is suspended: {reason}", "an operator can end this"
    CAPTCHA_SHOWN = (
        "was shown a captcha",
        "sign in again and type what the picture shows; not every client can show it",
    )
    CAPTCHA_WRONG = "the answer to the captcha is wrong", "sign in again for another picture"
    CAPTCHA_EXPIRED = "the answer to the captcha came too late", "sign in again and be quicker"
    CAPTCHA_RIGHT = "the answer to the captcha is right", ""
    SIGNED_IN = "signed in", ""
    ADMITTED = "signed in to the pages, with a browser", ""
    REPLACED = (
        "signed out, because the same number signed in from {address}",
        "a number can be signed in once; if that was somebody else, change the password",
    )
    SIGNED_OUT = "signed out", "sign in again"
    EXPIRED = (
        "the session expired, because nothing came for too long",
        "sign in again; a client must say something at intervals",
    )
    LIMITED = "was refused by a limit: {limit}", "wait some minutes, then try again"
    EARLY = (
        "sent {command} without being signed in",
        "sign in; a client may believe that it still is, as after a restart of the server",
    )
    NOT_KQQ = (
        "sent an HTTP request that is no KQQ: {method} {path}",
        "a client posts lines to this door; browsers, scanners and proxies do such things",
    )
    TLS_FAILED = (
        "the TLS handshake failed: {reason}",
        "old phones cannot do the TLS of today; let them use a door without it",
    )
    CLOSED = "the server closed the connection: {reason}", "see the steps before this"
    KICKED = "an operator ended the session: {reason}", "sign in again"
    NO_PICTURE = (
        "must read a picture first, which this client cannot show",
        "let the client be of version 1.4, or the setting be captcha=after-failures",
    )

    def __init__(self, words: str, remedy: str) -> None:
        self.words = words
        self.remedy = remedy
        self.fields = frozenset(name for _, name, _, _ in Formatter().parse(words) if name)


_REACHED = frozenset({Step.WRONG_PASSWORD, Step.SUSPENDED, Step.SIGNED_IN, Step.ADMITTED})
"""Steps that nobody comes to without the number of an account."""
ENDS = frozenset(
    {
        Step.DISCONNECTED,
        Step.REPLACED,
        Step.SIGNED_OUT,
        Step.EXPIRED,
        Step.CLOSED,
        Step.KICKED,
    }
)
"""Steps after which nobody is signed in."""


@dataclass(slots=True)
class Taken:
    """A step taken, `count` times in a row, first and last at these dates.

    `order` is higher than that of all steps before the last of them: dates may go back.
    """

    step: Step
    details: dict[str, str | int]
    first: float
    last: float
    order: int
    count: int = 1


@dataclass(eq=False, slots=True)
class Attempt:
    """One connection, or over HTTP a run of them: same address, and same number once known.

    `left_out` counts the steps that are not kept, and stood after the first ones in `steps`.
    `reached` says whether it came to an account, `last` when its last connection or step was.
    """

    host: str
    port: int
    door: str
    over: Over
    begun: float
    index: "_Index" = field(repr=False)
    uin: int | None = None
    steps: list[Taken] = field(default_factory=list)
    left_out: int = 0
    connections: int = 1
    last: float = 0.0
    is_signed_in: bool = False
    reached: bool = False
    into: "Attempt | None" = None  # the one that this became part of
    number: int = field(init=False)

    def __post_init__(self) -> None:
        """Have a number that is higher than those of all before."""
        self.number = next(self.index.numbers)

    def add(self, step: Step, **details: str | int) -> None:
        """Note a step; `details` are its fields, with no secrets in them.

        Over HTTP, connections end all the time and that is not noted. An attempt that the journal
        has dropped is listed again.
        """
        assert step.fields == details.keys(), f"{step} has {sorted(step.fields)}, not {details}"
        if self.into is not None:
            self.into.add(step, **details)
            return
        if self.over == "http" and step is Step.DISCONNECTED:
            return
        self._note(
            step,
            {name: _short(value) for name, value in details.items()} if details else _NO_DETAILS,
        )
        if step in _REACHED and self.uin is not None and not self.reached:
            self.index.drop(self)  # it counts as another kind from now on
            self.reached = True
        if step is Step.SIGNED_IN:
            self.is_signed_in = True
        elif step in ENDS:
            self.is_signed_in = False
        self.index.put(self)

    def is_of(self, uin: int) -> "Attempt":
        """Say whose attempt this is; return the one to go on with.

        Over HTTP that is an earlier one of the number, if there was one lately. On a connection
        that was somebody else's before, it is a new one.
        """
        if self.into is not None:
            return self.into.is_of(uin)
        if self.uin == uin:
            return self
        run = self.index.run(self, uin) if self.over == "http" else None
        if run is not None:
            return run if self.uin is not None else self._join(run)
        attempt = self
        if self.uin is not None:
            attempt = Attempt(self.host, self.port, self.door, self.over, self.last, self.index)
            attempt.add(Step.CONNECTED)
        self.index.drop(attempt)
        attempt.uin = uin
        self.index.put(attempt)
        return attempt

    def is_http(self) -> "Attempt":
        """Say that the connection turned out to be HTTP; return the attempt to go on with."""
        if self.into is not None:
            return self.into
        self.over = "http"
        run = self.index.run(self, None) if self.uin is None else None
        if run is not None:
            return self._join(run)
        self.index.put(self)
        return self

    def as_object(self) -> dict[str, Any]:
        """Return all of it in what JSON has; dates are seconds since 1970."""
        return {
            "address": self.host,
            "port": self.port,
            "door": self.door,
            "over": self.over,
            "uin": self.uin,
            "begun": self.begun,
            "connections": self.connections,
            "signed_in": self.is_signed_in,
            "left_out": self.left_out,
            "steps": [
                {
                    "step": taken.step.name.lower(),
                    "details": dict(taken.details),
                    "first": taken.first,
                    "last": taken.last,
                    "order": taken.order,
                    "count": taken.count,
                }
                for taken in self.steps
            ],
        }

    def _note(self, step: Step, details: dict[str, str | int]) -> None:
        now, order = self.index.date(), next(self.index.numbers)
        self.last = now
        if self.steps and self.steps[-1].step is step and self.steps[-1].details == details:
            self.steps[-1].last, self.steps[-1].order = now, order
            self.steps[-1].count += 1
        else:
            self._append(Taken(step, details, now, now, order))

    def _append(self, taken: Taken) -> None:
        if len(self.steps) == STEPS:
            self.left_out += self.steps.pop(FIRST).count
        self.steps.append(taken)

    def _join(self, run: "Attempt") -> "Attempt":
        """Become part of an earlier attempt, and return that."""
        self.index.drop(self)
        self.into = run
        for taken in self.steps[1:]:  # all but the first CONNECTED
            run._append(taken)  # noqa: SLF001
        run.left_out += self.left_out
        run.connections += self.connections
        run.port = self.port
        run.last = self.last
        self.index.put(run)
        return run


def _short(value: str | int) -> str | int:
    if isinstance(value, int):
        return value
    value = _HASH.sub("***", value[: 2 * _LONGEST])
    return value if len(value) <= _LONGEST else value[:_LONGEST] + "…"


K = TypeVar("K")


class _Shares(Generic[K]):
    """How many attempts each key has. All it does takes the same time, however many there are."""

    def __init__(self) -> None:
        self.total = 0
        self._counts: dict[K, int] = {}
        self._keys: dict[int, dict[K, None]] = {}  # by count
        self._most = 0

    def change(self, key: K, by: Literal[1, -1]) -> None:
        before = self._counts.get(key, 0)
        after = before + by
        self.total += by
        if before:
            del self._keys[before][key]
            if not self._keys[before]:
                del self._keys[before]
        if after:
            self._counts[key] = after
            self._keys.setdefault(after, {})[key] = None
        else:
            del self._counts[key]
        if after > self._most or self._most not in self._keys:
            self._most = after

    def largest(self) -> K:
        """Return the key with the most; of several, the one that has had so many the longest."""
        return next(iter(self._keys[self._most]))


@dataclass(slots=True)
class _Mates:
    """The attempts of one network, by whether they reached an account.

    Of each kind the one that did something last is last.
    """

    strangers: "dict[Attempt, None]" = field(default_factory=dict)
    reached: "dict[Attempt, None]" = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.strangers) + len(self.reached)

    def of(self, attempt: Attempt) -> "dict[Attempt, None]":
        """Return those of the same kind."""
        return self.reached if attempt.reached else self.strangers


class _Index:
    """Which attempts there are, and which has to go when there is no room."""

    def __init__(self, clock: Clock, most: int, window: float, each: int) -> None:
        self.of_network: dict[str, _Mates] = {}
        self.of_uin: dict[int, dict[Attempt, None]] = {}
        self.date = clock.date
        self.numbers = itertools.count(1)
        self._most = max(most, 1)
        self._window = window
        self._each = max(each, 1)
        self._runs: dict[tuple[str, int | None], Attempt] = {}  # the last over HTTP of both
        self._strangers = _Shares[str]()  # networks of attempts that reached no account
        self._accounts = _Shares[int]()
        self._networks: dict[int, _Shares[str]] = {}  # of attempts that reached the account

    def __len__(self) -> int:
        return self._strangers.total + self._accounts.total

    def run(self, attempt: Attempt, uin: int | None) -> Attempt | None:
        """Return what else came over HTTP from the same address, with this number, lately."""
        run = self._runs.get((attempt.host, uin))
        is_late = run is None or run.last < self.date() - self._window
        return None if is_late or run is attempt else run

    def put(self, attempt: Attempt) -> None:
        """List an attempt, or have it be the last of its address."""
        network = address_key(attempt.host)
        mates = self.of_network.get(network)
        if mates is None or attempt not in (kind := mates.of(attempt)):
            self._list(attempt, network)
        else:
            del kind[attempt]
            kind[attempt] = None
        if attempt.over == "http":
            self._runs[attempt.host, attempt.uin] = attempt

    def drop(self, attempt: Attempt) -> None:
        """Forget an attempt, if it is listed."""
        network = address_key(attempt.host)
        mates = self.of_network.get(network)
        if mates is None or attempt not in (kind := mates.of(attempt)):
            return
        del kind[attempt]
        if not mates:
            del self.of_network[network]
        if attempt.uin is not None:
            _remove(self.of_uin, attempt.uin, attempt)
        if self._runs.get((attempt.host, attempt.uin)) is attempt:
            del self._runs[attempt.host, attempt.uin]
        self._count(attempt, network, -1)

    def _list(self, attempt: Attempt, network: str) -> None:
        mates = self.of_network.get(network)
        if mates is not None and len(mates) >= self._each:
            self.drop(next(iter(mates.strangers or mates.reached)))
        if len(self) >= self._most:
            self.drop(self._excess())
        self.of_network.setdefault(network, _Mates()).of(attempt)[attempt] = None
        if attempt.uin is not None:
            self.of_uin.setdefault(attempt.uin, {})[attempt] = None
        self._count(attempt, network, 1)

    def _count(self, attempt: Attempt, network: str, by: Literal[1, -1]) -> None:
        if not attempt.reached:
            self._strangers.change(network, by)
            return
        assert attempt.uin is not None
        self._accounts.change(attempt.uin, by)
        networks = self._networks.setdefault(attempt.uin, _Shares())
        networks.change(network, by)
        if not networks.total:
            del self._networks[attempt.uin]

    def _excess(self) -> Attempt:
        """Return the attempt that has to go."""
        if self._strangers.total >= max(self._most // 2, 1):
            return next(iter(self.of_network[self._strangers.largest()].strangers))
        uin = self._accounts.largest()
        mates = self.of_network[self._networks[uin].largest()]
        return next(mate for mate in mates.reached if mate.uin == uin)


class Journal:
    """The last attempts: `most` in all, `each` of one address.

    Over HTTP, connections of one address and number are one attempt until there were none for
    `window` seconds. Behind a proxy all phones have one address; raise `each` then.
    """

    def __init__(
        self, clock: Clock, most: int = 2000, window: float = 300.0, each: int = 20
    ) -> None:
        self._index = _Index(clock, most, window, each)

    def __len__(self) -> int:
        return len(self._index)

    def begin(self, host: str, port: int, door: str, over: Over) -> Attempt:
        """Return the attempt of a connection; over HTTP it may be one that was begun before.

        `host` is an address, IPv6 without brackets.
        """
        is_http = over == "http"
        first: Over = "tcp" if is_http else over  # it is no run of its own until others were sought
        attempt = Attempt(host, port, door, first, self._index.date(), self._index)
        attempt.add(Step.CONNECTED)
        return attempt.is_http() if is_http else attempt

    def of_uin(self, uin: int) -> list[Attempt]:
        """Return the attempts of a number, whether anybody has it or not; begun last is last."""
        return sorted(self._index.of_uin.get(uin, ()), key=_begun)

    def of_address(self, host: str) -> list[Attempt]:
        """Return the attempts from an address; begun last is last."""
        mates = self._index.of_network.get(address_key(host), _Mates())
        attempts = [
            attempt for attempt in (*mates.strangers, *mates.reached) if attempt.host == host
        ]
        return sorted(attempts, key=_begun)


def _remove(lists: dict[K, dict[Attempt, None]], key: K, attempt: Attempt) -> None:
    del lists[key][attempt]
    if not lists[key]:
        del lists[key]


def _begun(attempt: Attempt) -> int:
    return attempt.number
