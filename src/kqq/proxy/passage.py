"""A line on its way through the proxy, and what may be done with it before it goes."""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Protocol

from kqq.capture.events import End, Said
from kqq.capture.meaning import meaning
from kqq.errors import LocalProtocolError
from kqq.protocol.messages import Role
from kqq.protocol.wire import LINE_LIMIT, Line, show
from kqq.proxy.framing import Piece

LONGEST_DELAY = 86400.0
"""Seconds; who wants a line later than that holds it."""


class Connection(Protocol):
    """The connection that a line is on; `kqq.proxy.relay.Flow` is one, and says more of each."""

    state: dict[str, object]

    @property
    def number(self) -> int:
        """Which connection it is, counted from 1."""

    @property
    def client(self) -> End:
        """The client's end."""

    @property
    def server(self) -> End:
        """The server's end."""

    @property
    def over(self) -> str:
        """How the client speaks: "tcp" or "http"."""

    def inject(self, line: Line | bytes | str, to: Role) -> "Passage":
        """Say a line to one end that the other one has not said."""

    def close(self) -> None:
        """End it now."""


class Fate(Enum):
    """What becomes of a line."""

    WAITING = "waiting"
    """It goes once it is due, and what came before it has gone."""
    HELD = "held"
    """Somebody has to say what becomes of it; what comes after it waits, too."""
    PASSED = "passed"
    DROPPED = "dropped"
    LOST = "lost"
    """The connection ended before it could go."""


class Passage:
    """One line on its way.

    `said` is the line as it came, `edited` the one that goes in its place. `is_late` says that its
    beginning had to go on before its end came, so that nothing can be done with it any more.
    Whoever changes a line that has gone, or been dropped, gets a LocalProtocolError.

    Lines of one direction keep their order: what is behind a line that waits, or is held, waits.
    """

    def __init__(
        self,
        said: Said,
        piece: Piece,
        flow: Connection,
        clock: Callable[[], float],
        *,
        is_injected: bool = False,
    ) -> None:
        self.said = said
        self.flow = flow
        self.fate = Fate.WAITING
        self.edited: Line | None = None
        self.is_injected = is_injected
        self.is_late = piece.is_late
        self.due = 0.0
        """When it goes at the earliest, by the clock of the event loop."""
        self._piece = piece
        self._clock = clock
        self._tell: Callable[[Passage], None] | None = None

    def __repr__(self) -> str:
        return f"Passage({self.said.number}, {self.fate.value}, {self.line!r})"

    @property
    def line(self) -> Line:
        """The line that goes, or went."""
        return self.said.line if self.edited is None else self.edited

    @property
    def data(self) -> bytes:
        """The bytes that go: those that came, byte for byte, unless the line was edited."""
        return self._piece.raw if self.edited is None else self._piece.with_line(self.edited)

    @property
    def size(self) -> int:
        """About how many bytes it takes while it waits."""
        return len(self._piece.raw) + 500

    @property
    def is_open(self) -> bool:
        """Whether something can still be done with it."""
        return self.fate in (Fate.WAITING, Fate.HELD) and not self.is_late

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will become of it."""
        return self.fate in (Fate.PASSED, Fate.DROPPED, Fate.LOST)

    @property
    def said_as_sent(self) -> Said:
        """The line that goes, or went, and what it means."""
        if self.edited is None:
            return self.said
        message, odd = meaning(self.edited, self.said.sender)
        return replace(self.said, line=self.edited, message=message, odd=odd, whole=True)

    def edit(self, line: Line | bytes | str) -> None:
        """Have another line go in its place; it goes when this one would have."""
        changed = one_line_of(line)
        self._check()
        self.edited = None if changed == self.said.line else changed
        self._changed()

    def restore(self) -> None:
        """Take an edit back."""
        self._check()
        self.edited = None
        self._changed()

    def hold(self) -> None:
        """Keep it until somebody says what becomes of it."""
        self._become(Fate.HELD)

    def release(self) -> None:
        """Let it go now."""
        self.due = 0.0
        self._become(Fate.WAITING)

    def delay(self, seconds: float) -> None:
        """Let it go in so many seconds from now."""
        if not 0 <= seconds <= LONGEST_DELAY:
            raise LocalProtocolError(
                f"a line cannot wait {seconds} seconds; take 0 to {LONGEST_DELAY:g}, or hold it"
            )
        self._check()
        self.due = self._clock() + seconds
        self._become(Fate.WAITING)

    def drop(self) -> None:
        """Never let it go."""
        self._become(Fate.DROPPED)

    def settle(self, fate: Fate) -> None:
        """Note what became of it; only for the relay."""
        self.fate = fate
        self._changed()

    def watched(self, tell: "Callable[[Passage], None]") -> None:
        """Have `tell` called whenever something about it changes; only for the relay."""
        self._tell = tell

    def _become(self, fate: Fate) -> None:
        self._check()
        self.fate = fate
        self._changed()

    def _changed(self) -> None:
        if self._tell is not None:
            self._tell(self)

    def _check(self) -> None:
        if not self.is_open:
            is_gone = self.fate in (Fate.WAITING, Fate.PASSED)
            gone = "has gone already" if is_gone else f"is {self.fate.value}"
            raise LocalProtocolError(f"nothing can be done with a line that {gone}")


def one_line_of(line: Line | bytes | str) -> Line:
    """Return what somebody wants to have said as a line.

    Raises LocalProtocolError if it is empty, would be more than one, or too long.
    """
    if isinstance(line, str):
        line = line.encode("utf-8", "surrogateescape")
    raw = line.encode() if isinstance(line, Line) else line.removesuffix(b"\n").removesuffix(b"\r")
    if b"\n" in raw:
        raise LocalProtocolError(
            f"{show(raw)!r} is more than one line; in a text, write a line break as %0a"
        )
    if not raw:
        raise LocalProtocolError("a line cannot be empty; drop it to have nothing said")
    if len(raw) > LINE_LIMIT:
        raise LocalProtocolError(
            f"a line of {len(raw)} bytes is too long; {LINE_LIMIT} may be sent"
        )
    return Line.decode(raw)
