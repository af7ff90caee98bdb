"""Messages: who may send to whom, what waits, what was delivered.

Store first, then wake: a message is acknowledged when it is on disk, and a session is then told to
look. Delivery is at least once: a crash between handing a message over and deleting it repeats the
message, never loses it. Notices about friends wait in the same inbox, in the order of events.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Literal

from kqq.server.clock import Clock
from kqq.server.config import Config
from kqq.server.friends import Friends
from kqq.server.store import Kind, Store, Stored


class NotFriends(Exception):
    """Only friends may write."""


class NoSuchReceiver(Exception):
    """Nobody has this number."""


class InboxFull(Exception):
    """Too many messages wait for the receiver."""


class TextTooLong(Exception):
    """The text has more characters than a message may have."""


class Inbox:
    """The messages that wait; `wake(uin)` is called when there is something to take.

    `counted("stored", n)` and `counted("delivered", n)` are called when so many more were.
    """

    def __init__(
        self,
        store: Store,
        friends: Friends,
        clock: Clock,
        wake: Callable[[int], None],
        config: Config,
        *,
        counted: Callable[[Literal["stored", "delivered"], int], None] = lambda _, __: None,
    ) -> None:
        self._store = store
        self._friends = friends
        self._clock = clock
        self._wake = wake
        self._config = config
        self._counted = counted
        # Until a deletion is on disk the store still shows what was delivered.
        self._delivered: dict[int, int] = {}
        # What is being written counts as well, or a sender could fill an inbox beyond its limit.
        self._writing: Counter[int] = Counter()

    def send(self, sender: int, to: int, text: str) -> asyncio.Future[int]:
        """Store a message and return a future that is done when it is on disk.

        Raises NotFriends, NoSuchReceiver, InboxFull or TextTooLong; nothing is stored then.
        """
        if not self._friends.are(sender, to):
            receiver = self._store.account(to)
            if receiver is None:
                raise NoSuchReceiver
            if receiver.who_may_write != "anyone":
                raise NotFriends
        return self.put(sender, to, text, Kind.MESSAGE)

    def put(
        self, sender: int, to: int, text: str, kind: Kind, *, is_owed: bool = False
    ) -> asyncio.Future[int]:
        """Store a message or notice, whoever it is from; as `send`, without asking if it may be.

        What is owed, since the receiver has asked for it, goes into a full inbox, too.
        Raises InboxFull or TextTooLong.
        """
        if len(text) > self._config.text_limit:
            raise TextTooLong
        if not is_owed:
            self.check_room(to)
        stored = self._store.add_message(sender, to, text, self._clock.date(), kind)
        self._writing[to] += 1

        def written(done: asyncio.Future[int]) -> None:
            self._writing[to] -= 1
            if not self._writing[to]:
                del self._writing[to]
            if not done.cancelled() and done.exception() is None:
                self._counted("stored", 1)
                self._wake(to)

        stored.add_done_callback(written)
        return stored

    def check_room(self, to: int) -> None:
        """Raise InboxFull if the inbox of `to` cannot take one more."""
        most = self._config.inbox_limit
        if self._store.count_messages(to, most) + self._writing[to] >= most:
            raise InboxFull

    def start(self, uin: int) -> int:
        """Return the id after which a new session of `uin` begins to take."""
        return self._delivered.get(uin, 0)

    def waiting(self, uin: int, after: int, most: int) -> list[Stored]:
        """Return at most `most` messages for `uin` with ids above `after`, oldest first."""
        return self._store.messages_after(uin, after, most)

    def delivered(self, uin: int, last: int) -> None:
        """Delete what was handed over: all up to the id `last`.

        While a deletion is being written, all that arrives waits for one more.
        """
        before = self._delivered.get(uin, 0)
        if last > before:
            self._delivered[uin] = last
            if not before:
                self._delete(uin, last)

    def _delete(self, uin: int, last: int) -> None:
        def deleted(done: asyncio.Future[int]) -> None:
            is_done = not done.cancelled() and done.exception() is None
            if is_done:
                self._counted("delivered", done.result())
            if is_done and self._delivered[uin] > last:
                self._delete(uin, self._delivered[uin])
            else:
                del self._delivered[uin]

        self._store.delete_messages(uin, last).add_done_callback(deleted)
