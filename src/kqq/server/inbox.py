"""Messages: who may send to whom, what waits, what was delivered.

Store first, then wake: a message is acknowledged when it is on disk, and a session is then told to
look. Delivery is at least once: a crash between handing a message over and deleting it repeats the
message, never loses it.
"""

import asyncio
from collections.abc import Callable

from kqq.server.clock import Clock
from kqq.server.friends import Friends
from kqq.server.store import Store, Stored


class NotFriends(Exception):
    """Only friends may write."""


class NoSuchReceiver(Exception):
    """Nobody has this number."""


class InboxFull(Exception):
    """Too many messages wait for the receiver."""


class TextTooLong(Exception):
    """The text has more characters than a message may have."""


class Inbox:
    """The messages that wait; `wake(uin)` is called when there is something to take."""

    def __init__(
        self,
        store: Store,
        friends: Friends,
        clock: Clock,
        wake: Callable[[int], None],
        *,
        text_limit: int,
        inbox_limit: int,
    ) -> None:
        self._store = store
        self._friends = friends
        self._clock = clock
        self._wake = wake
        self._text_limit = text_limit
        self._inbox_limit = inbox_limit
        # Until a deletion is on disk the store still shows what was delivered.
        self._delivered: dict[int, int] = {}

    def send(self, sender: int, to: int, text: str) -> asyncio.Future[None]:
        """Store a message and return a future that is done when it is on disk.

        Raises NotFriends, NoSuchReceiver, InboxFull or TextTooLong; nothing is stored then.
        """
        if not self._friends.are(sender, to):
            raise NotFriends if self._store.account_exists(to) else NoSuchReceiver
        if len(text) > self._text_limit:
            raise TextTooLong
        if self._store.count_messages(to, self._inbox_limit) >= self._inbox_limit:
            raise InboxFull
        stored = self._store.add_message(sender, to, text, self._clock.date())

        def wake(done: asyncio.Future[None]) -> None:
            if not done.cancelled() and done.exception() is None:
                self._wake(to)

        stored.add_done_callback(wake)
        return stored

    def start(self, uin: int) -> int:
        """Return the id after which a new session of `uin` begins to take."""
        return self._delivered.get(uin, 0)

    def waiting(self, uin: int, after: int, most: int) -> list[Stored]:
        """Return at most `most` messages for `uin` with ids above `after`, oldest first."""
        return self._store.messages_after(uin, after, most)

    def delivered(self, uin: int, last: int) -> None:
        """Delete what was handed over: all up to the id `last`."""
        if last <= self._delivered.get(uin, 0):
            return
        self._delivered[uin] = last

        def deleted(_: asyncio.Future[None]) -> None:
            if self._delivered.get(uin) == last:
                del self._delivered[uin]

        self._store.delete_messages(uin, last).add_done_callback(deleted)
