"""Making friends: wishes, requests with words, answers; each account says who may add it.

The flow is inferred from what clients send (protocol section 4.10): a wish is granted, refused, or
must be asked for in words; the request waits in the other's inbox, and so does the answer.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto

from kqq.server.clock import Clock
from kqq.server.friends import Friends
from kqq.server.inbox import Inbox, NoSuchReceiver, TextTooLong
from kqq.server.presence import Presence
from kqq.server.store import Kind, Store

LONGEST_WORDS = 256
"""Characters of a request or a refusal."""
_WAITING = 100
"""Requests that may wait for the answer of one account; more would bury somebody well known."""


class Wish(Enum):
    """What becomes of the wish to be somebody's friend."""

    GRANTED = auto()
    MUST_ASK = auto()
    REFUSED = auto()


class RequestRefused(Exception):
    """The other does not want to be asked, or by so many."""


class NotAsked(Exception):
    """There is no request to answer."""


class Requests:
    """Friend requests. `may_ask(uin)` takes one of the requests that somebody may send a day."""

    def __init__(
        self,
        store: Store,
        friends: Friends,
        presence: Presence,
        inbox: Inbox,
        clock: Clock,
        *,
        may_ask: Callable[[int], bool],
    ) -> None:
        self._store = store
        self._friends = friends
        self._presence = presence
        self._inbox = inbox
        self._clock = clock
        self._may_ask = may_ask

    def wish(self, uin: int, other: int) -> tuple[Wish, asyncio.Future[int] | None]:
        """Say what becomes of the wish of `uin` to add `other`; the future is what is stored.

        Raises NoSuchReceiver.
        """
        account = self._store.account(other)
        if account is None:
            raise NoSuchReceiver
        if uin == other:
            return Wish.REFUSED, None
        if self._friends.are(uin, other):
            return Wish.GRANTED, None
        if account.who_may_add == "anyone" or self._store.has_request(other, uin):
            return Wish.GRANTED, self._befriend(uin, other)
        return (Wish.MUST_ASK if account.who_may_add == "ask" else Wish.REFUSED), None

    def ask(self, uin: int, other: int, words: str) -> asyncio.Future[int] | None:
        """Send a request; where none is needed the two become friends at once.

        COMPAT(yiwoSDK): it takes this for "accept and add", so who was asked becomes a friend.
        Raises NoSuchReceiver, RequestRefused, TextTooLong or InboxFull.
        """
        wish, stored = self.wish(uin, other)
        if wish is Wish.GRANTED:
            return stored
        if len(words) > LONGEST_WORDS:
            raise TextTooLong
        is_new = not self._store.has_request(uin, other)
        if wish is Wish.REFUSED or (is_new and self._is_full(other)) or not self._may_ask(uin):
            raise RequestRefused
        stored = self._inbox.put(uin, other, words, Kind.REQUEST)
        self._store.add_request(uin, other, self._clock.date())
        return stored

    def accept(self, uin: int, asker: int) -> asyncio.Future[int] | None:
        """Say yes to a request; to that of a friend it was said before. Raises NotAsked."""
        if self._friends.are(uin, asker):
            return None
        if not self._store.has_request(asker, uin):
            raise NotAsked
        return self._befriend(uin, asker)

    def refuse(self, uin: int, asker: int, reason: str) -> asyncio.Future[int]:
        """Say no to a request. Raises NotAsked, TextTooLong or InboxFull."""
        if not self._store.has_request(asker, uin):
            raise NotAsked
        if len(reason) > LONGEST_WORDS:
            raise TextTooLong
        stored = self._inbox.put(uin, asker, reason, Kind.REFUSED)
        self._store.delete_request(asker, uin)
        return stored

    def part(self, uin: int, other: int) -> asyncio.Future[int] | None:
        """End a friendship, for both; the other is not told, but sees `uin` no more."""
        if not self._friends.are(uin, other):
            return None
        stored = self._store.delete_friends(uin, other)
        stored.add_done_callback(_once_stored(lambda: self._presence.part(uin, other)))
        return stored

    def _befriend(self, uin: int, other: int) -> asyncio.Future[int]:
        """Make two friends, by the doing of `uin`, and let the other know.

        OURS: who is added without being asked gets the notice that an accepted request gives,
        since a client has no other way to learn of it.
        """
        stored = self._inbox.put(uin, other, "", Kind.ACCEPTED)
        self._store.delete_request(other, uin)
        self._store.delete_request(uin, other)
        made = self._store.insert_friends(uin, other)
        made.add_done_callback(_once_stored(lambda: self._presence.introduce(uin, other)))
        return stored

    def _is_full(self, other: int) -> bool:
        return len(self._store.requests_to(other, _WAITING)) >= _WAITING


def _once_stored(then: Callable[[], None]) -> Callable[[asyncio.Future[int]], None]:
    def done(stored: asyncio.Future[int]) -> None:
        if not stored.cancelled() and stored.exception() is None:
            then()

    return done
