"""Messages: who may send to whom, what waits, what was delivered.

Store first, then wake: a message is acknowledged when it is on disk, and a session is then told,
with the message, which it need not read again if it has all before. Delivery is at least once: a
crash between handing a message over and deleting it repeats the message, never loses it. Notices
about friends wait in the same inbox, in the order of events.
"""

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Literal

from kqq.server.clock import Clock, Timer
from kqq.server.config import Config
from kqq.server.friends import Friends
from kqq.server.store import MOST_RECEIVERS, Kind, NewMessage, Store, Stored
from kqq.server.transaction import Written

_COUNTED = 10_000
"""Inboxes of which is remembered how much waits there at most."""
_MESSAGE = Kind.MESSAGE  # looking it up in the class takes as long as ten other names
_as_stored: Callable[[tuple[int, int, str, Kind]], Stored] = partial(tuple.__new__, Stored)
"""A named tuple made as a tuple is, in half the time."""
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
        store.on_stored(self._stored)
        self._at_most: dict[int, int] = {}  # how much waits in an inbox, or did until lately
        store.on_foreign_write(self._at_most.clear)
        # Up to which id messages were delivered: until deletions are on disk the store shows them.
        self._deleting: dict[int, int] = {}  # where that is being written
        self._undeleted: dict[int, int] = {}  # where it is not yet; higher ids, where both are
        self._again: Timer | None = None  # until what has failed is tried again
        self._is_closed = False

    def send(self, sender: int, to: int, text: str, now: float | None = None) -> Written:
        """Store a message; what is returned is done when it is on disk.

        Who has just asked the clock can say `now`.
        Raises NotFriends, NoSuchReceiver, InboxFull or TextTooLong; nothing is stored then.
        """
        if not self._friends.are(sender, to, now):
            receiver = self._store.account(to)
            if receiver is None:
                raise NoSuchReceiver
            if receiver.who_may_write != "anyone":
                raise NotFriends
        return self.put(sender, to, text, _MESSAGE)

    def put(self, sender: int, to: int, text: str, kind: Kind, *, is_owed: bool = False) -> Written:
        """Store a message or notice, whoever it is from; as `send`, without asking if it may be.

        What is owed, since the receiver has asked for it, goes into a full inbox, too.
        Raises InboxFull or TextTooLong.
        """
        if len(text) > self._config.text_limit:
            raise TextTooLong
        # As `check_room` would begin, once for each message.
        most = self._config.inbox_limit
        waiting = self._at_most.get(to, most)
        if waiting >= most and not is_owed:
            waiting = self._count(to)
        stored = self._store.add_message(sender, to, text, self._clock.date(), kind)
        if waiting < most or to in self._at_most:
            self._at_most[to] = waiting + 1
        return stored

    def announce(self, sender: int, text: str) -> Written:
        """Store a message for everybody who is not suspended and has room; gives how many are.

        Nobody is woken: who is signed in is for the caller to know.
        """

        def announced(done: Written) -> None:
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
            self._count(to)

    def start(self, uin: int) -> int:
        """Return the id after which a new session of `uin` begins to take."""
        return self._undeleted.get(uin) or self._deleting.get(uin, 0)

    def waiting(self, uin: int, after: int, most: int) -> list[Stored]:
        """Return at most `most` messages for `uin` with ids above `after`, oldest first."""
        return self._store.messages_after(uin, after, most)

    def delivered(self, uin: int, last: int) -> None:
        """Delete what was handed over: all up to the id `last`.

        While a deletion is being written, all that arrives waits for the next.
        """
        if last > self.start(uin):
            self._undeleted[uin] = last
            if not self._deleting and self._again is None:
                self._delete()

    def close(self) -> None:
        """Have all that was delivered be deleted, since the server stops; the database waits."""
        self._is_closed = True
        if self._again is not None:
            self._again.cancel()
            self._again = None
            self._delete()

    def _count(self, to: int) -> int:
        """Count what waits in an inbox, and return that. Raises InboxFull if it is full."""
        most = self._config.inbox_limit
        # What is being written counts as well, or a sender could fill it beyond its limit.
        count = self._store.count_messages(to, most) + self._store.unfinished(to)
        self._at_most.pop(to, None)
        self._at_most[to] = count
        if len(self._at_most) > _COUNTED:
            del self._at_most[next(iter(self._at_most))]
        if count >= most:
            raise InboxFull
        return count

    def _stored(self, messages: list[NewMessage]) -> None:
        """Tell of what is on disk; one transaction writes many."""
        wake = self._wake
        for new in messages:
            wake(new.receiver, _as_stored((new.number, new.sender, new.text, new.kind)))
            new.let_go()
        self._counted("stored", len(messages))

    def _delete(self) -> None:
        if len(self._undeleted) <= MOST_RECEIVERS:
            self._deleting, self._undeleted = self._undeleted, {}
        else:
            self._deleting = dict(islice(self._undeleted.items(), MOST_RECEIVERS))
            for uin in self._deleting:
                del self._undeleted[uin]
        self._store.delete_messages(self._deleting).add_done_callback(self._deleted)

    def _deleted(self, done: Written) -> None:
        if done.exception() is not None:
            # They stay delivered: who signs in meanwhile is not shown them again.
            self._undeleted, self._deleting = self._deleting | self._undeleted, {}
            if not self._is_closed:
                self._again = self._clock.later(_TRY_AGAIN, self._try_again)
            return
        self._counted("delivered", done.result())
        self._deleting = {}
        if self._undeleted:
            self._delete()

    def _try_again(self) -> None:
        self._again = None
        self._delete()
