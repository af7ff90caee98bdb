"""Sessions: somebody signed in is a place in an inbox, not a socket.

A session holds no queue to speak of: messages wait in the store, and of each friend only the latest
status is told. So a slow reader costs nothing, and what a lost connection had taken is still there.
Who has taken all there is, on TCP, is given the next few messages as they come, and the store need
not be read.

On TCP a session lives as long as its connection. Over HTTP there is no connection to live by: it is
found by the address it was opened from and its number (HACK), and ends after a time of silence.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from kqq.server.clock import Clock, Timer
from kqq.server.config import Config
from kqq.server.inbox import Inbox
from kqq.server.journal import Attempt, Step
from kqq.server.presence import Presence, Status
from kqq.server.store import Stored


class StatusChange(NamedTuple):
    """Something to tell: `uin` is now seen as `status`."""

    uin: int
    status: Status


Item = Stored | StatusChange


ELSEWHERE = "signed in elsewhere"
"""How the reason begins for which a session ends when another begins in another place."""
CONFIRM_TIME = 30.0
"""Seconds after which what has arrived counts as delivered, though the client that could have
confirmed it has not: somebody's own may use the time as the `SEQ` of its sign-in, and confirm
nothing, ever."""
PATIENT_TIME = 600.0
"""The same of a client that has confirmed something: it will again, unless something is wrong."""
_FRESH = 64
_LONG = 500
"""Messages that a session holds at most, and their signs; others are read from the store."""
_EARLIER = 32
"""Requests over HTTP whose numbers are known again; more are not on their way at once."""


@dataclass(slots=True)
class Fetched:
    """What the last answer over HTTP brought whose request had a number used once.

    `number` is that of the request, `items` is what it brought, `earlier` are the numbers before
    it: a request that was held up on its way must not be taken for the next. `is_theirs` is false
    once somebody has signed in since, who may be another program.
    """

    number: str = ""
    items: tuple[Item, ...] = ()
    earlier: tuple[str, ...] = ()
    is_theirs: bool = True


@dataclass(slots=True)
class Unconfirmed:
    """What has arrived at a client that says itself what it has (OURS).

    `arrived` has, oldest first, the id of the last message of what arrived together, and when it
    counts as delivered; it has no more entries than the inbox has messages. `confirmed` is the last
    id that counts as delivered already. There is a timer while anything waits. `is_used` says that
    the client has confirmed something. With `for_good` nothing counts as delivered by itself: a
    browser may be frozen for hours with its connection open, and is ended then.
    """

    arrived: deque[tuple[float, int]] = field(default_factory=deque)
    confirmed: int = 0
    timer: Timer | None = None
    is_used: bool = False
    for_good: bool = False


@dataclass(eq=False, slots=True)
class Session:
    """Somebody signed in; docs/design/sessions.md says how long each field lives.

    `wake` is called when there may be something to take, `ended` once, with the reason in words,
    when the session ends. `place` is where its requests come from over HTTP, None on TCP. `cursor`
    is the id of the last message taken; `fresh` are the messages that came since, None where the
    store must be read for them; `stale` are the friends whose status this session has not been
    told, in the order in which they changed. `peer`, `attempt` and `began` are for the operator.
    """

    uin: int
    wake: Callable[[], None]
    ended: Callable[[str], None]
    cursor: int
    place: str | None = None
    peer: str = ""
    attempt: Attempt | None = None
    began: float = 0.0
    heard: float = 0.0
    fresh: list[Stored] | None = None
    stale: dict[int, Status] = field(default_factory=dict)
    settle: Callable[[], None] | None = None
    """Have what has arrived be marked as delivered, and over HTTP the rest of the last answer given
    back. It is called before more is asked for, and before the session ends for good."""
    fetched: Fetched = field(default_factory=Fetched)
    """Over HTTP, what the last answer brought, where requests have numbers that are used once."""
    unconfirmed: Unconfirmed | None = None
    """On TCP, what arrived, where the client confirms what it is pushed; None where it does not."""
    expiry: Timer | None = None
    is_open: bool = True

    @property
    def may_have_more(self) -> bool:
        """Whether there may be something to take."""
        return bool(self.stale) or self.fresh is None or bool(self.fresh)

    def is_of(self, wake: Callable[[], None], place: str | None) -> bool:
        """Return whether it belongs to this connection, or over HTTP to this place."""
        return self.place == place and (place is not None or self.wake == wake)


class Sessions:
    """All sessions, one to an account; `open` and `close` are the only ways in and out."""

    def __init__(self, clock: Clock, config: Config) -> None:
        self._clock = clock
        self._config = config
        self._of: dict[int, Session] = {}
        self._inbox: Inbox
        self._presence: Presence

    def serve(self, inbox: Inbox, presence: Presence) -> None:
        """Say where messages and statuses come from (they in turn wake sessions)."""
        self._inbox = inbox
        self._presence = presence

    def fall_behind(self) -> None:
        """Say that there may be messages that nobody was told of; the store has them in order."""
        for session in self._of.values():
            session.fresh = None

    def __len__(self) -> int:
        return len(self._of)

    def all(self) -> list[Session]:
        """Return all sessions, in order of number."""
        return [self._of[uin] for uin in sorted(self._of)]

    def count(self) -> dict[str, int]:
        """Return how many sessions there are by connection, over HTTP, and of browsers."""
        over_http = of_browsers = 0
        for session in self._of.values():
            if session.place is not None:
                over_http += 1
            elif session.attempt is not None and session.attempt.over == "web":
                of_browsers += 1
        others = len(self._of) - over_http - of_browsers
        return {"connection": others, "http": over_http, "web": of_browsers}

    def of(self, uin: int) -> Session | None:
        """Return the session of an account."""
        return self._of.get(uin)

    def find(self, uin: int, place: str) -> Session | None:
        """Return the session that a request over HTTP from `place` belongs to."""
        session = self._of.get(uin)
        return session if session is not None and session.place == place else None

    def open(
        self,
        uin: int,
        status: Status,
        wake: Callable[[], None],
        ended: Callable[[str], None],
        *,
        place: str | None = None,
        peer: str = "",
        attempt: Attempt | None = None,
        confirms: bool = False,
        for_good: bool = False,
    ) -> Session:
        """Sign somebody in; an older session of the same account ends.

        Where it is the same connection, or over HTTP the same place, that signs in again (SET_MQQ
        does before each command), the new session goes on where the older one was. Over HTTP what
        the last answer brought can be had again from another place, too. `confirms` says that the
        client will confirm what it is pushed, `for_good` that nothing else counts.
        """
        older, now = self._of.get(uin), self._clock.now()
        goes_on = older is not None and older.is_of(wake, place)
        if older is not None and not goes_on:
            self._settle(older)
        start = self._inbox.start(uin)
        session = Session(uin, wake, ended, start, place, peer, attempt, now, now)
        self._presence.set(uin, status)  # first, since it may fail, and nothing is changed then
        self._of[uin] = session
        if confirms:
            session.unconfirmed = Unconfirmed(for_good=for_good)
        if place is not None:
            self._await_expiry(session)
            if older is not None:
                session.fetched = replace(older.fetched, is_theirs=False)
        if older is not None:
            if goes_on:
                session.cursor, session.stale = older.cursor, older.stale
                session.settle = older.settle
                self._end(older, "signed in again")
                self._take_over(session, older)
            else:
                self._end(older, f"{ELSEWHERE}: {peer}", Step.REPLACED, address=peer)
        session.wake()
        return session

    def close(self, session: Session, reason: str) -> None:
        """End a session; does nothing to one that has ended."""
        if session.is_open:
            self._settle(session)
            del self._of[session.uin]
            self._end(session, reason)
            self._presence.leave(session.uin)

    def wake(self, uin: int, message: Stored | None = None) -> None:
        """Tell the session of `uin`, if there is one, that there is something to take.

        It is `message`, stored just now after all that were told of before; None if it must look.
        """
        session = self._of.get(uin)
        if session is not None:
            fresh = session.fresh
            if message is None or len(message.text) > _LONG or len(fresh or ()) >= _FRESH:
                session.fresh = None
            elif fresh is not None and message.id > session.cursor:  # else it was read already
                fresh.append(message)
            session.wake()

    def tell(self, uin: int, about: int, status: Status) -> None:
        """Have the session of `uin`, if there is one, learn the status of `about`.

        Only the latest is told. It is told even if it is the one told last, since the client may
        have asked for statuses in between.
        """
        session = self._of.get(uin)
        if session is not None:
            session.stale.pop(about, None)
            session.stale[about] = status
            session.wake()

    def take(self, session: Session, most: int) -> list[Item]:
        """Return at most `most` things to tell, statuses first, then messages, oldest first."""
        items: list[Item] = []
        if session.stale:
            changed = list(islice(session.stale, most))
            items = [StatusChange(uin, session.stale.pop(uin)) for uin in changed]
        if session.fresh != [] and len(items) < most:
            stored = self._messages(session, most - len(items))
            if stored:
                session.cursor = stored[-1].id
                items += stored
        return items

    def _messages(self, session: Session, most: int) -> list[Stored]:
        fresh = session.fresh
        if fresh is not None:
            session.fresh = fresh[most:]
            return fresh[:most]
        after = max(session.cursor, self._inbox.start(session.uin))  # given back, and arrived
        stored = self._inbox.waiting(session.uin, after, most)
        if len(stored) < most and session.place is None:
            session.fresh = []
        return stored

    def give_back(self, session: Session, items: Sequence[Item]) -> None:
        """Say that `items`, taken by this session before, did not reach the client.

        Of a friend the status of now is told again: the one that was taken may be old.
        """
        for item in items:
            if isinstance(item, Stored):
                session.cursor = min(session.cursor, item.id - 1)
                session.fresh = None
            elif item.uin not in session.stale:
                session.stale[item.uin] = self._presence.seen_by(session.uin, item.uin)

    def fetched(self, session: Session, number: str) -> tuple[Item, ...] | None:
        """Over HTTP, return what a request with a number used once brought; None if it is new.

        A new one says that the last answer has arrived, unless somebody has signed in since it was
        given. The caller has settled it before, and says in `session.fetched` what the new brings.
        """
        fetched = session.fetched
        if number in fetched.earlier:
            return ()
        last = max((item.id for item in fetched.items if isinstance(item, Stored)), default=0)
        if number == fetched.number and fetched.items:
            session.cursor = max(session.cursor, last)
            fetched.is_theirs = True
            return fetched.items
        if number != fetched.number:
            if fetched.is_theirs and session.cursor < last:  # it was given back
                session.cursor = last
                self.delivered(session, last)
            fetched.earlier = (*fetched.earlier, fetched.number)[-_EARLIER:]
        fetched.number, fetched.items, fetched.is_theirs = number, (), True
        return None

    def arrived(self, session: Session, last: int) -> None:
        """Say that the client's system has all pushed messages up to the id `last`.

        They are delivered, unless the client is one that says itself what it has.
        """
        unconfirmed = session.unconfirmed
        if unconfirmed is None:
            self.delivered(session, last)
        elif last > unconfirmed.confirmed and not unconfirmed.for_good:
            patience = PATIENT_TIME if unconfirmed.is_used else CONFIRM_TIME
            unconfirmed.arrived.append((self._clock.now() + patience, last))
            if unconfirmed.timer is None:
                self._await_confirmation(session, unconfirmed)

    def confirm(self, session: Session, last: int) -> None:
        """Say that the client has the message with the id `last`, and all that it took before.

        Does nothing if this session did not take such a message, or it was delivered already.
        """
        unconfirmed = session.unconfirmed
        if unconfirmed is None or not unconfirmed.confirmed < last <= session.cursor:
            return
        found = self._inbox.waiting(session.uin, last - 1, 1)
        if found and found[0].id == last:
            unconfirmed.is_used = True
            arrived = unconfirmed.arrived
            while arrived and arrived[0][1] <= last:
                arrived.popleft()
            if not arrived and unconfirmed.timer is not None:
                unconfirmed.timer.cancel()
                unconfirmed.timer = None
            unconfirmed.confirmed = last
            self.delivered(session, last)

    def delivered(self, session: Session, last: int) -> None:
        """Say that all messages up to the id `last` have arrived; they are deleted."""
        self._inbox.delivered(session.uin, last)

    def kick(self, uin: int, reason: str) -> bool:
        """End somebody's session by the operator's will; return whether there was one."""
        session = self._of.get(uin)
        if session is None:
            return False
        if session.attempt is not None:
            session.attempt.add(Step.KICKED, reason=reason)
        self.close(session, reason)
        return True

    def _settle(self, session: Session) -> None:
        """See to it that what has arrived is not shown by the next session once more."""
        if session.settle is not None:
            session.settle()

    def _end(self, session: Session, reason: str, step: Step | None = None, **details: str) -> None:
        if step is not None and session.attempt is not None:
            session.attempt.add(step, **details)
        session.is_open = False
        session.fresh = None
        if session.expiry is not None:
            session.expiry.cancel()
        if session.unconfirmed is not None and session.unconfirmed.timer is not None:
            session.unconfirmed.timer.cancel()
        session.ended(reason)

    def _take_over(self, session: Session, older: Session) -> None:
        """Have what arrived in the older session of a connection be confirmed in the new one."""
        if older.unconfirmed is not None and older.unconfirmed.arrived:
            if session.unconfirmed is None:
                self.delivered(session, older.unconfirmed.arrived[-1][1])
            else:
                session.unconfirmed.arrived = older.unconfirmed.arrived
                self._await_confirmation(session, session.unconfirmed)

    def _await_confirmation(self, session: Session, unconfirmed: Unconfirmed) -> None:
        """Count as delivered what arrived long ago, and look again when that is so of the next."""
        now, last, arrived = self._clock.now(), 0, unconfirmed.arrived
        while arrived and arrived[0][0] <= now:
            last = arrived.popleft()[1]
        unconfirmed.timer = None
        if last:
            unconfirmed.confirmed = last
            self.delivered(session, last)
        if arrived:
            unconfirmed.timer = self._clock.later(
                arrived[0][0] - now, lambda: self._await_confirmation(session, unconfirmed)
            )

    def _await_expiry(self, session: Session) -> None:
        left = session.heard + self._config.lifetime - self._clock.now()
        if left <= 0:
            if session.attempt is not None:
                session.attempt.add(Step.EXPIRED)
            self.close(session, f"silent for {self._config.lifetime} s")
        else:
            session.expiry = self._clock.later(left, lambda: self._await_expiry(session))
