"""What a capture holds: bytes that went one way, lines that were said, and what is odd.

Below are packets; `streams` makes `Data`, `Lost`, `Opened` and `Closed` of them, and
`conversation` makes `Said` of those. A `Note` is for people: something about the capture or the
network that is no line.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from kqq.protocol.messages import Role
from kqq.protocol.schema import Message, Unreadable
from kqq.protocol.wire import Line, mask

_COMMAND = re.compile(r"VER=[^&]*(?:&CON=[^&]*)?&CMD=([^&]*)")


class End(NamedTuple):
    """One end of a TCP connection: `host` is an address as text, an IPv6 one without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(eq=False, slots=True)
class Stream:
    """One TCP connection in a capture; `number` counts from 1 in order of appearance.

    `opener` is the place in `ends` of who opened it, None if the capture starts in its middle.
    """

    number: int
    ends: tuple[End, End]
    opener: int | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes that `stream.ends[way]` sent, in order, each byte once.

    `time` is in seconds since 1970, and that of the packet that completed the bytes; `frame` is the
    number of this packet, counted from 1 in the file.
    """

    stream: Stream
    way: int
    time: float
    frame: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """`count` bytes that `stream.ends[way]` sent are missing; the next `Data` is what follows."""

    stream: Stream
    way: int
    time: float
    frame: int
    count: int


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection was opened, or first seen in its middle (`stream.opener` is None)."""

    stream: Stream
    time: float
    frame: int


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more will come on `stream`.

    `how` is "closed", "reset", "forgotten" (too long silent, or too many are open) or "cut" (the
    capture ends).
    """

    stream: Stream
    time: float
    frame: int
    how: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is no line, in words for people.

    `kind` is one word for machines: "retransmission", "reordered", "overlap", "lost", "opened",
    "closed", "foreign", "http", "cut", "unanswered", "unreadable", or "statement" for what a play
    says besides lines. `stream` is the number of the TCP connection, 0 for the capture itself.
    `time` is None where the source has no times.
    """

    kind: str
    words: str
    time: float | None
    frame: int
    stream: int = 0


@dataclass(slots=True, eq=False)
class Said:
    """One line: who said it to whom and when, what it means, what is odd about it.

    `number` counts lines from 1. `time` is in seconds since 1970, that of the packet that completed
    the line; None where the source has no times. `frame` is the number of the packet, or of the
    line in a log or play. `stream` is the number of the TCP connection, 0 where there is none.
    `over` is "tcp" or "http". `client` and `server` are the ends, None where the source does not
    say. `actor` is the person's name in a play, else "".

    `request` is what this reply answers, and `seconds` how long it took; a `Said` kept there has
    no `request` of its own. `odd` says in words what a strict writer would not have sent, or what
    the network did to the line. `whole` is False for a line of which the capture has only a part.
    """

    number: int
    time: float | None
    frame: int
    stream: int
    sender: Role
    line: Line
    message: Message | Unreadable
    over: str = "tcp"
    client: End | None = None
    server: End | None = None
    actor: str = ""
    request: "Said | None" = None
    odd: tuple[str, ...] = ()
    whole: bool = True

    @property
    def seconds(self) -> float | None:
        """How long the answer took; None for what is no reply, or without times."""
        if self.request is None or self.request.time is None or self.time is None:
            return None
        return self.time - self.request.time

    @property
    def uin(self) -> int | None:
        """The number of the person at the client's end, None where the line has none."""
        value = getattr(self.message, "uin", None)
        return value if isinstance(value, int) else None

    @property
    def command(self) -> str:
        """The command as spelled in the line, "" where it has none; no secret is in it."""
        found = _COMMAND.match(self.line.text)  # as nearly all lines begin
        name = self.line.values().get("CMD", "") if found is None else found[1]
        return mask(name).strip() if "=" in name else name.strip()
