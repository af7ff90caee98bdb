"""What handlers are made of: what they work with, what they may answer, how they refuse.

A handler returns its reply; or an `After`, when something must be on disk first; or a `Taken`, when
the reply carries what waited; or, if it has to wait for something that must not hold the event
loop, it is a coroutine.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from kqq.protocol import Command, Reply, failure
from kqq.protocol import Status as WireStatus
from kqq.server.accounts import Accounts
from kqq.server.captcha import Captchas
from kqq.server.clock import Clock
from kqq.server.config import Config, Listen
from kqq.server.friends import Friends
from kqq.server.inbox import Inbox
from kqq.server.invitations import Registration
from kqq.server.journal import Attempt, Journal
from kqq.server.limits import Rates
from kqq.server.metrics import Metrics
from kqq.server.presence import Presence, Status
from kqq.server.profiles import Profiles
from kqq.server.repeats import Repeats
from kqq.server.requests import Requests
from kqq.server.rounds import Rounds
from kqq.server.session import Item, Session, Sessions
from kqq.server.store import Store
from kqq.server.tap import Tap
from kqq.server.transaction import Written

REFUSED = 1
"""OURS: the `RES` of a refusal the protocol has no number for; old clients know 0, 5 and 20 and
take the rest for an error (FWGQ says so in words)."""
NO_SUCH_NUMBER = 5
NOT_SIGNED_IN = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent, by whom; docs/configuration.md has the figures."""

    commands: Rates  # by account
    strangers: Rates  # commands before a sign-in, by address
    messages: Rates  # by account
    requests: Rates  # friend requests, by account
    failures: Rates  # sign-ins that fail, by address
    account_failures: Rates  # the same, by account


@dataclass(frozen=True, slots=True)
class Services:
    """What handlers work with."""

    config: Config
    clock: Clock
    random: Callable[[int], bytes]
    store: Store
    accounts: Accounts
    captchas: "Captchas[Any]"
    friends: Friends
    presence: Presence
    profiles: Profiles
    inbox: Inbox
    requests: Requests
    sessions: Sessions
    registration: Registration
    repeats: "Repeats[Answer | Written]"  # of a message taken the short way, only what is written
    limits: Limits
    journal: Journal
    rounds: Rounds
    metrics: Metrics
    tap: Tap
    doors: list[Listen]  # those that are open, with their real ports
    redirectors: list[Listen] = field(default_factory=list)  # the same of those that send elsewhere
    web_doors: list[Listen] = field(default_factory=list)  # and of those for browsers


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end: its address, and the door it came in by.

    `over` is `tcp`, `tls`, `http` or `web`; `place` is the address, or the network that counts as
    one, by which its sessions are found over HTTP and its captchas anywhere; `reached` the host it
    has called us by.
    """

    host: str
    port: int
    over: str
    door: str
    place: str
    reached: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(slots=True)
class Context:
    """One connection as handlers see it: who is signed in on it, and how to reach it."""

    services: Services
    peer: Peer
    attempt: Attempt
    wake: Callable[[], None]
    ended: Callable[[str], None]
    session: Session | None = None
    is_closed: bool = False
    vouched: Callable[[], int | None] | None = None
    """Asked for whom a browser has signed in as, where that stands for a password; None once it is
    signed out."""

    @property
    def place(self) -> str | None:
        """Where its sessions are found from; None where the connection itself says whose it is."""
        return self.peer.place if self.peer.over == "http" else None


@dataclass(slots=True)
class After:
    """A reply that is given once `stored` is done."""

    reply: Reply
    stored: Written


class Taken(NamedTuple):
    """A reply that carries `items`, taken by `session`; they are delivered when it has arrived.

    There is at least one.
    """

    reply: Reply
    session: Session
    items: tuple[Item, ...]


Answer = Reply | After | Taken | Coroutine[Any, Any, Reply]
Handler = Callable[[Context, Any], Answer]
HANDLERS: dict[type[Command], Handler] = {}

H = TypeVar("H", bound=Handler)


def handles(message: type[Command]) -> Callable[[H], H]:
    """Make the decorated function the handler of `message`."""

    def register(handler: H) -> H:
        HANDLERS[message] = handler
        return handler

    return register


def refusal(message: Command, res: int = REFUSED) -> Reply:
    """Return the refusal of a message that was read, so it has a head to echo."""
    reply = failure(message, res)
    assert reply is not None
    return reply


def once_stored(reply: Reply, stored: Written | None) -> Answer:
    """Return `reply`, after `stored` if anything was."""
    return reply if stored is None else After(reply, stored)


_STATUSES = {status.value: Status[status.name] for status in WireStatus}
_CODES = {status: code for code, status in _STATUSES.items()}


def on_wire(status: Status) -> int:
    """Return the code of a status."""
    return _CODES[status]


def from_wire(code: int | None) -> Status | None:
    """Return the status of a code, None for no code or one that nobody knows."""
    return _STATUSES.get(code) if code is not None else None
