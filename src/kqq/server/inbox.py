"""Messages: who may send to whom, what waits, what was delivered.

Store first, then wake: a message is acknowledged when it is on disk, and a session is then told,
with the message, which it need not read again if it has all before. Delivery is at least once: a
crash between handing a message over and deleting it repeats the message, never loses it. Notices
about friends wait in the same inbox, in the order of events.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Literal

from kqq.server.clock import Clock, Timer
from kqq.server.config import Config
from kqq.server.friends import Friends
from kqq.server.store import MOST_RECEIVERS, Kind, Store, Stored

_COUNTED = 10_000
"""Inboxes of which is remembered how much waits there at most."""
_TRY_AGAIN = 5.0
"""Seconds after which a deletion that could not be written is tried again."""


class NotFriends(Exception):
    """Only friends may write."""


class NoSuchReceiver(Exception):
    """Nobody has this number."""


class InboxFull(Exception):
    """Too many messages wait for the receiver."""


class TextTooLong(Exception):
    """The text has more characters than a message may have."""


_Writing = tuple[asyncio.Future[int], int, int, str, Kind]
"""A message that is being written: the future of its id, receiver, sender, text and kind."""


class Inbox:
    """The messages that wait; `wake(uin, message)` is called for each that can be taken.

    `counted("stored", n)` and `counted("delivered", n)` are called when so many more were.
    """

    def __init__(
        self,
        store: Store,
        friends: Friends,
        clock: Clock,
        wake: Callable[[int, Stored], None],
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
        self._writing: deque[_Writing] = deque()
        self._at_most: dict[int, int] = {}  # how much waits in an inbox, or did until lately
        store.on_foreign_write(self._at_most.clear)
        # Until a deletion is on disk the store still shows what was delivered.
        self._delivered: dict[int, int] = {}
        self._deleting: dict[int, int] = {}  # what of that is being written
        self._undeleted: dict[int, int] = {}  # and what is not yet
        self._again: Timer | None = None  # until what has failed is tried again
        self._is_closed = False

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
        if to in self._at_most:
            self._at_most[to] += 1
        if not self._writing:
            stored.add_done_callback(self._written)
        self._writing.append((stored, to, sender, text, kind))
        return stored

    def announce(self, sender: int, text: str) -> asyncio.Future[int]:
        """Store a message for everybody who is not suspended and has room; gives how many are.

        Nobody is woken: who is signed in is for the caller to know.
        """

        def announced(done: asyncio.Future[int]) -> None:
            self._at_most.clear()
            if done.exception() is None:
                self._counted("stored", done.result())

        most = self._config.inbox_limit
        sent = self._store.announce(sender, text, self._clock.date(), most)
        sent.add_done_callback(announced)
        return sent

    def check_room(self, to: int) -> None:
        """Raise InboxFull if the inbox of `to` cannot take one more."""
        most = self._config.inbox_limit
        if self._at_most.get(to, most) >= most:  # else there is room, and nobody need count
            # What is being written counts as well, or a sender could fill it beyond its limit.
            coming = sum(receiver == to for _, receiver, *_ in self._writing)
            count = self._store.count_messages(to, most) + coming
            self._at_most.pop(to, None)
            self._at_most[to] = count
            if len(self._at_most) > _COUNTED:
                del self._at_most[next(iter(self._at_most))]
            if count >= most:
                raise InboxFull

    def start(self, uin: int) -> int:
        """Return the id after which a new session of `uin` begins to take."""
        return self._delivered.get(uin, 0)

    def waiting(self, uin: int, after: int, most: int) -> list[Stored]:
        """Return at most `most` messages for `uin` with ids above `after`, oldest first."""
        return self._store.messages_after(uin, after, most)

    def delivered(self, uin: int, last: int) -> None:
        """Delete what was handed over: all up to the id `last`.

        While a deletion is being written, all that arrives waits for the next.
        """
        if last > self._delivered.get(uin, 0):
            self._delivered[uin] = self._undeleted[uin] = last
            if not self._deleting and self._again is None:
                self._delete()

    def close(self) -> None:
        """Have all that was delivered be deleted, since the server stops; the database waits."""
        self._is_closed = True
        if self._again is not None:
            self._again.cancel()
            self._again = None
            self._delete()

    def _written(self, _: asyncio.Future[int]) -> None:
        """Tell of all that is on disk; one transaction writes many."""
        count, writing = 0, self._writing
        while writing and writing[0][0].done():
            stored, to, sender, text, kind = writing.popleft()
            if stored.exception() is None:
                count += 1
                self._wake(to, Stored(stored.result(), sender, text, kind))
        self._counted("stored", count)
        if writing:
            writing[0][0].add_done_callback(self._written)

    def _delete(self) -> None:
        self._deleting = dict(islice(self._undeleted.items(), MOST_RECEIVERS))
        for uin in self._deleting:
            del self._undeleted[uin]
        self._store.delete_messages(self._deleting).add_done_callback(self._deleted)

    def _deleted(self, done: asyncio.Future[int]) -> None:
        if done.exception() is not None:
            # They stay delivered: who signs in meanwhile is not shown them again.
            self._undeleted, self._deleting = self._deleting | self._undeleted, {}
            if not self._is_closed:
                self._again = self._clock.later(_TRY_AGAIN, self._try_again)
            return
        self._counted("delivered", done.result())
        for uin, last in self._deleting.items():
            if self._delivered[uin] == last:
                del self._delivered[uin]
        self._deleting = {}
        if self._undeleted:
            self._delete()

    def _try_again(self) -> None:
        self._again = None
        self._delete()
