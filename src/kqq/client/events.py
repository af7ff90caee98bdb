"""What happens to somebody who is signed in, in the words of people rather than of the wire."""

from dataclasses import dataclass
from enum import Enum

from kqq.errors import KQQError
from kqq.protocol import SYSTEM_ACCOUNT, Status


class Fate(Enum):
    """What became of a message."""

    RECEIVED = "received"
    """Somebody else's; the server let us have it."""
    WAITING = "waiting"
    """One's own, on its way to the server or waiting for a connection."""
    SENT = "sent"
    """One's own; the server has it."""
    REFUSED = "refused"
    """One's own; the server said no."""
    UNKNOWN = "unknown"
    """One's own; the connection ended before the answer, and it is too late to ask again."""


@dataclass(frozen=True, slots=True)
class Message:
    """Words between two people.

    `key` is unique among all messages of an account, also across restarts. `uin` is the other
    person, whoever wrote it. `at` is when it was written or came, in seconds since 1970. `why` says
    why a message was refused or is unknown.
    """

    key: str
    uin: int
    text: str
    at: float
    fate: Fate
    why: str = ""

    @property
    def is_own(self) -> bool:
        """Whether one wrote it oneself."""
        return self.fate is not Fate.RECEIVED

    @property
    def is_from_system(self) -> bool:
        """Whether the server itself wrote it; nobody can answer."""
        return self.uin == SYSTEM_ACCOUNT


@dataclass(frozen=True, slots=True)
class Friend:
    """An entry of the friend list."""

    uin: int
    nick: str
    face: int


@dataclass(frozen=True, slots=True)
class Connecting:
    """A server is being tried; `address` is as people write it."""

    address: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody is signed in, for the first time or again."""

    uin: int
    address: str
    status: Status


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is over, or could not be made, and will be tried again in `again_in` seconds.

    None says that it will not: the person signed out, or in elsewhere, or the server says no.
    """

    why: KQQError
    again_in: float | None


@dataclass(frozen=True, slots=True)
class RosterCame:
    """The whole friend list, and the status of each by number (see `Status`)."""

    friends: tuple[Friend, ...]
    statuses: dict[int, int]


@dataclass(frozen=True, slots=True)
class FriendLeft:
    """One has deleted a friend."""

    uin: int


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """A friend's status, or one's own."""

    uin: int
    status: int


@dataclass(frozen=True, slots=True)
class Received:
    """A message came."""

    message: Message


@dataclass(frozen=True, slots=True)
class Written:
    """One's own message: written, or its fate has changed. The same `key` tells which."""

    message: Message


@dataclass(frozen=True, slots=True)
class Requested:
    """Somebody wants to be a friend and says `text`."""

    uin: int
    text: str


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """One's own wish to be a friend was accepted or not; `text` may say why."""

    uin: int
    is_accepted: bool
    text: str


@dataclass(frozen=True, slots=True)
class RequestSettled:
    """One has answered somebody's request; it waits no longer."""

    uin: int


@dataclass(frozen=True, slots=True)
class Odd:
    """The server said something that makes no sense; `why` says what, for people."""

    why: str


Event = (
    Connecting
    | SignedIn
    | Lost
    | RosterCame
    | FriendLeft
    | PresenceChanged
    | Received
    | Written
    | Requested
    | RequestAnswered
    | RequestSettled
    | Odd
)
