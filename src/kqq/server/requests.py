"""Making friends: wishes, requests with words, answers; each account says who may add it.

The flow is inferred from what clients send (protocol section 4.10): a wish is granted, refused, or
must be asked for in words; the request waits in the other's inbox, and so does the answer. Who
wishes for somebody that has asked is the answer, so requests that cross make friends.
"""

from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto

from kqq.server.clock import Clock
from kqq.server.friends import Friends
from kqq.server.inbox import Inbox, InboxFull, NoSuchReceiver, TextTooLong
from kqq.server.presence import Presence
from kqq.server.store import Kind, Store
from kqq.server.transaction import Written, nothing_to_write

LONGEST_WORDS = 256
"""Characters of a request or a refusal."""
_FORGOTTEN = 60 * 86400.0
"""Seconds after which a request that was not answered is in nobody's way."""
_WAITING = 100
"""Requests that may wait for the answer of one account; more would bury somebody well known."""

_Pair = tuple[int, int]


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
    """Friend requests. `may_ask(uin)` takes one of the requests that somebody may send a day.

    What is stored is returned, and done when it is on disk; None where it is there already.
    """

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
        # The store shows what is on disk; two who act at the same moment must see more.
        self._friends_soon = _Soon()
        self._asked_soon = _Soon()

    def wish(self, uin: int, other: int) -> tuple[Wish, Written | None]:
        """Say what becomes of the wish of `uin` to add `other`; the second is what is stored.

        To add somebody who lets anyone do so takes one of the requests of a day, too.
        Raises NoSuchReceiver.
        """
        account = self._store.account(other)
        if account is None:
            raise NoSuchReceiver
        if uin == other:
            return Wish.REFUSED, None
        if self._are_friends(uin, other):
            return Wish.GRANTED, self._friends_soon.stored(_pair(uin, other))
        if self._has_asked(other, uin):
            return Wish.GRANTED, self._befriend(uin, other)
        if account.who_may_add == "anyone" and self._may_ask(uin):
            return Wish.GRANTED, self._befriend(uin, other)
        return (Wish.MUST_ASK if account.who_may_add == "ask" else Wish.REFUSED), None

    def ask(self, uin: int, other: int, words: str) -> Written | None:
        """Send a request; where none is needed the two become friends at once.

        COMPAT(yiwoSDK): it takes this for "accept and add", so who was asked becomes a friend.
        Raises NoSuchReceiver, RequestRefused, TextTooLong or InboxFull.
        """
        wish, stored = self.wish(uin, other)
        if wish is Wish.GRANTED:
            return stored
        if len(words) > LONGEST_WORDS:
            raise TextTooLong
        is_new = not self._has_asked(uin, other)
        if wish is Wish.REFUSED or (is_new and self._is_full(other)):
            raise RequestRefused
        self._inbox.check_room(other)  # before it costs one of the requests of the day
        if not self._may_ask(uin):
            raise RequestRefused
        stored = self._inbox.put(uin, other, words, Kind.REQUEST)
        request = self._store.add_request(uin, other, self._clock.date())
        self._asked_soon.will_be((uin, other), request, is_so=True)
        return stored

    def accept(self, uin: int, asker: int) -> Written | None:
        """Say yes to a request; to that of a friend it was said before.

        Raises NoSuchReceiver or NotAsked.
        """
        if self._are_friends(uin, asker):
            return self._friends_soon.stored(_pair(uin, asker))
        self._check_asked(asker, uin)
        return self._befriend(uin, asker)

    def refuse(self, uin: int, asker: int, reason: str) -> Written:
        """Say no to a request. Raises NoSuchReceiver, NotAsked or TextTooLong."""
        self._check_asked(asker, uin)
        if len(reason) > LONGEST_WORDS:
            raise TextTooLong
        stored = self._inbox.put(uin, asker, reason, Kind.REFUSED, is_owed=True)
        self._forget(asker, uin)
        return stored

    def part(self, uin: int, other: int) -> Written:
        """End a friendship, for both; the other is not told, but sees `uin` no more.

        Gives 0 if there was none.
        """
        if not self._are_friends(uin, other):
            return nothing_to_write()
        stored = self._store.delete_friends(uin, other)
        self._friends_soon.will_be(_pair(uin, other), stored, is_so=False)
        stored.add_done_callback(_once_stored(lambda: self._presence.part(uin, other)))
        return stored

    def _befriend(self, uin: int, other: int) -> Written:
        """Make two friends, by the doing of `uin`, and let the other know.

        OURS: who is added without being asked gets the notice that an accepted request gives,
        since a client has no other way to learn of it; into a full inbox it does not go, and the
        friend list tells.
        """
        is_owed = self._has_asked(other, uin)
        with suppress(InboxFull):
            self._inbox.put(uin, other, "", Kind.ACCEPTED, is_owed=is_owed)
        self._forget(other, uin)
        self._forget(uin, other)
        made = self._store.insert_friends(uin, other)
        self._friends_soon.will_be(_pair(uin, other), made, is_so=True)
        made.add_done_callback(_once_stored(lambda: self._presence.introduce(uin, other)))
        return made

    def _forget(self, asker: int, asked: int) -> None:
        if self._has_asked(asker, asked):
            deleted = self._store.delete_request(asker, asked)
            self._asked_soon.will_be((asker, asked), deleted, is_so=False)

    def _are_friends(self, one: int, other: int) -> bool:
        soon = self._friends_soon.what(_pair(one, other))
        return self._friends.are(one, other) if soon is None else soon

    def _has_asked(self, asker: int, asked: int) -> bool:
        soon = self._asked_soon.what((asker, asked))
        return self._store.has_request(asker, asked) if soon is None else soon

    def _check_asked(self, asker: int, asked: int) -> None:
        if not self._has_asked(asker, asked):
            raise NotAsked if self._store.account_exists(asker) else NoSuchReceiver

    def _is_full(self, other: int) -> bool:
        since = self._clock.date() - _FORGOTTEN
        return len(self._store.requests_to(other, _WAITING, since)) >= _WAITING


class _Soon:
    """What will be so of two people once it is on disk; the last word counts."""

    def __init__(self) -> None:
        self._words: dict[_Pair, tuple[Written, bool]] = {}

    def what(self, pair: _Pair) -> bool | None:
        """Return what will be so, None if nothing is being written."""
        found = self._words.get(pair)
        return None if found is None else found[1]

    def stored(self, pair: _Pair) -> Written | None:
        """Return what is done when it is so, None if nothing is being written."""
        found = self._words.get(pair)
        return None if found is None else found[0]

    def will_be(self, pair: _Pair, stored: Written, *, is_so: bool) -> None:
        """Note what will be so when `stored` is done."""
        self._words[pair] = stored, is_so
        stored.add_done_callback(lambda done: self._written(pair, done))

    def _written(self, pair: _Pair, done: Written) -> None:
        if pair in self._words and self._words[pair][0] is done:
            del self._words[pair]


def _pair(one: int, other: int) -> _Pair:
    return (one, other) if one < other else (other, one)


def _once_stored(then: Callable[[], None]) -> Callable[[Written], None]:
    def done(stored: Written) -> None:
        if stored.exception() is None:
            then()

    return done
