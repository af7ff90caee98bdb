"""Who is online, and who must be told.

Friends see each other's status; somebody hidden is offline to everybody. A change is told once, and
only if it can be seen.
"""

from collections.abc import Callable
from enum import Enum, auto
from functools import partial

from kqq.server.friends import Friends

_AT_ONCE = 500
"""Friends that are told in one go."""


class Status(Enum):
    """What somebody wants to be seen as."""

    ONLINE = auto()
    OFFLINE = auto()
    AWAY = auto()
    HIDDEN = auto()
    BUSY = auto()
    CALL_ME = auto()
    DO_NOT_DISTURB = auto()

    @property
    def seen(self) -> "Status":
        """What others see: somebody hidden is offline to them."""
        return Status.OFFLINE if self is Status.HIDDEN else self


Tell = Callable[[int, int, Status], None]


class Presence:
    """The statuses of all who are signed in.

    `tell(friend, about, status)` is called for each change that `friend` must learn. Who has
    thousands of friends has some hundreds told at once, and the others by and by: `soon(call)` says
    when.
    """

    def __init__(
        self,
        friends: Friends,
        tell: Tell,
        soon: Callable[[Callable[[], None]], None] = lambda call: call(),
    ) -> None:
        self._friends = friends
        self._tell = tell
        self._soon = soon
        self._statuses: dict[int, Status] = {}

    def seen(self, uin: int) -> Status:
        """Return what others see of `uin`."""
        return self._statuses.get(uin, Status.OFFLINE).seen

    def seen_by(self, friend: int, uin: int) -> Status:
        """Return what `friend` sees of `uin`; who is no friend sees nobody."""
        seen = self.seen(uin)
        if seen is Status.OFFLINE or self._friends.are(friend, uin):
            return seen
        return Status.OFFLINE

    def own(self, uin: int) -> Status:
        """Return the status that somebody gave themselves; for the server's operator only."""
        return self._statuses.get(uin, Status.OFFLINE)

    def set(self, uin: int, status: Status) -> None:
        """Change a status; friends are told if they see a difference."""
        told = self._friends.of(uin) if status.seen is not self.seen(uin) else []
        self._statuses[uin] = status
        self._tell_all(told, uin, status.seen)

    def leave(self, uin: int) -> None:
        """Forget somebody who signed out; friends are told if they saw them."""
        before = self._statuses.pop(uin, Status.OFFLINE)
        if before.seen is not Status.OFFLINE:
            self._tell_all(self._friends.of(uin), uin, Status.OFFLINE)

    def _tell_all(self, friends: list[int], uin: int, seen: Status) -> None:
        for friend in friends[:_AT_ONCE]:
            self._tell(friend, uin, seen)
        for start in range(_AT_ONCE, len(friends), _AT_ONCE):
            self._soon(partial(self._tell_more, friends[start : start + _AT_ONCE], uin))

    def _tell_more(self, friends: list[int], uin: int) -> None:
        for friend in friends:
            if friend in self._statuses:  # what is true by now: they may be friends no more
                self._tell(friend, uin, self.seen_by(friend, uin))

    def introduce(self, one: int, other: int) -> None:
        """Let two who have become friends see each other."""
        for uin, friend in ((one, other), (other, one)):
            if self.seen(uin) is not Status.OFFLINE:
                self._tell(friend, uin, self.seen(uin))

    def part(self, one: int, other: int) -> None:
        """Let two who are friends no more see each other leave."""
        for uin, friend in ((one, other), (other, one)):
            if self.seen(uin) is not Status.OFFLINE:
                self._tell(friend, uin, Status.OFFLINE)
