"""Sessions: somebody signed in is a place in an inbox, not a socket.

A session holds no queue: messages wait in the store, and of each friend only the latest status is
told. So a slow reader costs nothing, and what a lost connection had taken is still there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from kqq.server.inbox import Inbox
from kqq.server.presence import Presence, Status
from kqq.server.store import Stored


@dataclass(frozen=True, slots=True)
class StatusChange:
    """Something to tell: `uin` is now seen as `status`."""

    uin: int
    status: Status


Item = Stored | StatusChange


@dataclass(eq=False, slots=True)
class Session:
    """Somebody signed in.

    `wake` is called when there may be something to take, `ended` once, with the reason in words,
    when the session ends. `cursor` is the id of the last message taken; `stale` are the friends
    whose status this session has not been told, in the order in which they changed.
    """

    uin: int
    wake: Callable[[], None]
    ended: Callable[[str], None]
    cursor: int
    stale: dict[int, None] = field(default_factory=dict)
    is_open: bool = True


class Sessions:
    """All sessions, one to an account; `open` and `close` are the only ways in and out."""

    def __init__(self) -> None:
        self._of: dict[int, Session] = {}
        self._inbox: Inbox
        self._presence: Presence

    def serve(self, inbox: Inbox, presence: Presence) -> None:
        """Say where messages and statuses come from (they in turn wake sessions)."""
        self._inbox = inbox
        self._presence = presence

    def __len__(self) -> int:
        return len(self._of)

    def open(
        self, uin: int, status: Status, wake: Callable[[], None], ended: Callable[[str], None]
    ) -> Session:
        """Sign somebody in; an older session of the same account ends."""
        older = self._of.get(uin)
        is_same = older is not None and older.wake == wake  # the same connection, once more
        start = older.cursor if older is not None and is_same else self._inbox.start(uin)
        session = Session(uin, wake, ended, start)
        self._presence.set(uin, status)  # first, since it may fail, and nothing is changed then
        self._of[uin] = session
        if older is not None:
            older.is_open = False
            older.ended("signed in elsewhere")
        session.wake()
        return session

    def close(self, session: Session, reason: str) -> None:
        """End a session; does nothing to one that has ended."""
        if not session.is_open:
            return
        session.is_open = False
        del self._of[session.uin]
        session.ended(reason)
        self._presence.leave(session.uin)

    def wake(self, uin: int) -> None:
        """Tell the session of `uin`, if there is one, that there may be something to take."""
        session = self._of.get(uin)
        if session is not None:
            session.wake()

    def tell(self, uin: int, about: int) -> None:
        """Have the session of `uin`, if there is one, learn the status of `about`."""
        session = self._of.get(uin)
        if session is not None:
            session.stale.pop(about, None)
            session.stale[about] = None
            session.wake()

    def take(self, session: Session, most: int) -> list[Item]:
        """Return at most `most` things to tell, statuses first, then messages, oldest first."""
        stored: list[Stored] = []
        if len(session.stale) < most:
            room = most - len(session.stale)
            stored = self._inbox.waiting(session.uin, session.cursor, room)
        items: list[Item] = []
        for uin in list(islice(session.stale, most)):
            del session.stale[uin]
            items.append(StatusChange(uin, self._presence.seen(uin)))
        if stored:
            session.cursor = stored[-1].id
        return items + stored

    def delivered(self, session: Session, last: int) -> None:
        """Say that all messages up to the id `last` have arrived; they are deleted."""
        self._inbox.delivered(session.uin, last)
