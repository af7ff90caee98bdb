"""The settings of a server: one dataclass, a docstring per setting."""

from dataclasses import dataclass
from pathlib import Path

import platformdirs

from kqq.address import HostPort
from kqq.errors import ConfigError

DEFAULT_PORT = 14000
_LONGEST_TEXT = 16000  # of 4 bytes each, escaped or not, and a head


class Listen(HostPort):
    """A door that phones connect to: `kqq://HOST:PORT`. Port 0 picks a free one."""

    __slots__ = ()
    SCHEME = "kqq"
    LOWEST_PORT = 0


def default_data() -> Path:
    """Return the folder for the data of whoever runs this, not made yet."""
    return platformdirs.user_data_path("kqq", appauthor=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """How a server behaves. Times are seconds."""

    data: Path
    """The folder with the database; made if it is not there."""

    listen: tuple[Listen, ...] = (Listen("127.0.0.1", DEFAULT_PORT),)
    """The doors for phones."""

    heartbeat: int = 60
    """`HI` of the sign-in reply: every real server said 60."""

    lifetime: int = 300
    """`LI` of the sign-in reply; one client looks for just 300 (DEL)."""

    friends_per_page: int = 50
    """Entries in a page of SIMPLEINFO2 and QUERY_STAT2; 50 as the real servers had it (VB)."""

    text_limit: int = 16000
    """Characters of a message; 16,000 at most, so that its line fits into 64 KiB."""

    inbox_limit: int = 1000
    """Messages that may wait for one account."""

    take_limit: int = 20
    """Messages and statuses handed to a connection before others get their turn."""

    turn_limit: int = 64
    """Lines of one connection handled before others get their turn."""

    replies_limit: int = 256
    """Replies of one connection that may wait for the disk before it is no longer read."""

    nonsense_limit: int = 50
    """Lines that cannot be read, or need a sign-in, before a connection is closed."""

    nonsense_refill: float = 10.0
    """Seconds after which one more such line is forgiven."""

    sign_in_time: float = 300.0
    """How long a connection may stay without anybody signed in."""

    slow_reader_time: float = 60.0
    """How long a client may leave unread what it was sent before it is cut off."""

    arrival_time: float = 0.05
    """How often to look whether a client's system has acknowledged the messages it was sent."""

    breath: float = 0.05
    """COMPAT(ZNQQ, QQBot, yiwoSDK): the gap before a push to a client that shows their habits
    (bare LF, junk before a line), because they take each read for one message."""

    connections_limit: int = 20000
    """Connections held at once; more are closed as they come."""

    hashes_waiting: int = 500
    """Sign-ins that may wait for their password to be checked; more are refused."""

    def __post_init__(self) -> None:
        """Raise ConfigError if a setting would break a promise."""
        if not 0 < self.text_limit <= _LONGEST_TEXT:
            raise ConfigError(
                f"text_limit={self.text_limit} cannot be; take 1 to {_LONGEST_TEXT}, so that each "
                "message fits into a line"
            )
