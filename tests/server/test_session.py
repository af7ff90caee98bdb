"""Sessions: one to an account, woken when there is something, without queues of their own."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kqq.errors import StoreError
from kqq.server import session as session_module
from kqq.server.config import Config
from kqq.server.friends import Friends, make_friends
from kqq.server.inbox import Inbox
from kqq.server.journal import Journal
from kqq.server.presence import Presence, Status
from kqq.server.session import Item, Session, Sessions, StatusChange
from kqq.server.store import Store, Stored
from stage import JULIET, PARIS, ROMEO, ManualClock

HOME, WORK = "192.0.2.1", "198.51.100.7"
LIFETIME = 300


class House:
    """Sessions with all they need, and a note of what they were told."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.clock = ManualClock()
        self.config = Config(data=folder, lifetime=LIFETIME, inbox_limit=100)
        self.journal = Journal(self.clock, 100)
        self.sessions = Sessions(self.clock, self.config)
        friends = Friends(store)
        self.presence = Presence(friends, self.sessions.tell)
        self.inbox = Inbox(store, friends, self.clock, self.sessions.wake, self.config)
        self.sessions.serve(self.inbox, self.presence)
        self.notes: list[str] = []

    def open(
        self, uin: int, status: Status = Status.ONLINE, name: str = "", *, place: str | None = None
    ) -> Session:
        """Open a session that notes what happens to it; over HTTP if it has a place."""
        name = name or str(uin)
        attempt = self.journal.begin(place or HOME, 50000, "kqq://a:1", "http" if place else "tcp")
        return self.sessions.open(
            uin,
            status,
            _nothing if place else lambda: self.notes.append(f"{name} woken"),
            lambda reason: self.notes.append(f"{name} ended: {reason}"),
            place=place,
            peer=f"{place or HOME}:50000",
            attempt=attempt.is_of(uin),
        )

    async def send(self, *texts: str) -> None:
        """Have Juliet write to Romeo."""
        for text in texts:
            await self.inbox.send(JULIET, ROMEO, text)

    def take(self, session: Session, most: int = 10) -> list[str]:
        """Take things; return what each says."""
        return words(self.sessions.take(session, most))

    def steps(self, uin: int) -> list[str]:
        """Return what the journal says of somebody, in words."""
        return [
            taken.step.words.format_map(taken.details)
            for attempt in self.journal.of_uin(uin)
            for taken in attempt.steps[1:]
        ]


def _nothing() -> None:
    """A session over HTTP cannot be woken; all of them have the same function, as in posts."""


def words(items: Sequence[Item]) -> list[str]:
    """Return the texts of messages, and statuses by number."""
    return [
        item.text if isinstance(item, Stored) else f"{item.uin} {item.status.name}"
        for item in items
    ]


@pytest.fixture
def house(store: Store, tmp_path: Path) -> House:
    """A house of sessions."""
    return House(store, tmp_path)


# --- opening and closing -------------------------------------------------------------------------


def test_session_is_awake_from_the_start(house: House) -> None:
    """A new session is woken, since messages may wait for it."""
    session = house.open(ROMEO)
    assert session.is_open
    assert house.notes == ["10001 woken"]
    assert len(house.sessions) == 1
    assert house.presence.seen(ROMEO) is Status.ONLINE
    assert (session.began, session.heard) == (house.clock.now(), house.clock.now())


def test_later_session_ends_the_older(house: House) -> None:
    """There is one session to an account: the last; friends see no difference."""
    juliet = house.open(JULIET)
    older = house.open(ROMEO, name="older")
    house.sessions.take(juliet, 10)
    house.notes.clear()
    newer = house.open(ROMEO, name="newer")
    assert house.notes == ["older ended: signed in elsewhere: 192.0.2.1:50000", "newer woken"]
    assert (older.is_open, newer.is_open, len(house.sessions)) == (False, True, 2)
    assert house.sessions.of(ROMEO) is newer
    house.sessions.close(older, "again")
    assert newer.is_open
    assert house.presence.seen(ROMEO) is Status.ONLINE
    assert house.sessions.take(juliet, 10) == []
    assert house.steps(ROMEO) == [
        "signed out, because the same number signed in from 192.0.2.1:50000"
    ]


def test_close_is_told_once(house: House) -> None:
    """A session that ends says why, once, and its owner is offline."""
    session = house.open(ROMEO)
    house.notes.clear()
    house.sessions.close(session, "signed out")
    house.sessions.close(session, "again")
    assert house.notes == ["10001 ended: signed out"]
    assert len(house.sessions) == 0
    assert house.sessions.of(ROMEO) is None
    assert house.presence.seen(ROMEO) is Status.OFFLINE


def test_all_and_how_many(house: House) -> None:
    """Sessions are listed by number and counted by how they are connected."""
    paris, romeo = house.open(PARIS, place=HOME), house.open(ROMEO)
    assert house.sessions.all() == [romeo, paris]
    assert house.sessions.count() == {"connection": 1, "http": 1, "web": 0}
    browser = house.journal.begin(HOME, 50000, "web://a:1", "web").is_of(JULIET)
    house.sessions.open(JULIET, Status.ONLINE, lambda: None, lambda _: None, attempt=browser)
    assert house.sessions.count() == {"connection": 1, "http": 1, "web": 1}


def test_session_without_an_attempt(house: House) -> None:
    """Nothing is noted where nobody keeps a journal."""
    ended: list[str] = []
    for place in (HOME, WORK):
        house.sessions.open(ROMEO, Status.ONLINE, _nothing, ended.append, place=place)
    assert house.sessions.kick(ROMEO, "enough")
    house.sessions.open(ROMEO, Status.ONLINE, _nothing, ended.append, place=HOME)
    house.clock.advance(LIFETIME)
    assert ended == ["signed in elsewhere: ", "enough", "silent for 300 s"]
    assert len(house.sessions) == 0


def test_nothing_happens_if_a_session_cannot_be_opened(house: House, store: Store) -> None:
    """When friends cannot be read, the older session goes on."""
    older = house.open(ROMEO)
    store._database.execute("ALTER TABLE friend RENAME TO enemy")
    house.notes.clear()
    with pytest.raises(StoreError):
        house.open(ROMEO, Status.AWAY, name="newer")
    assert house.notes == []
    assert house.sessions.of(ROMEO) is older
    assert older.is_open


def test_kick(house: House) -> None:
    """The operator can end a session; who has none cannot lose it."""
    house.open(ROMEO)
    house.notes.clear()
    assert house.sessions.kick(ROMEO, "enough")
    assert not house.sessions.kick(ROMEO, "enough")
    assert house.notes == ["10001 ended: enough"]
    assert house.steps(ROMEO) == ["an operator ended the session: enough"]
    assert house.presence.seen(ROMEO) is Status.OFFLINE


def test_nobody_is_woken_who_is_not_there(house: House) -> None:
    """Waking and telling somebody without a session does nothing."""
    house.sessions.wake(ROMEO)
    house.sessions.tell(ROMEO, JULIET, Status.ONLINE)
    assert house.notes == []


# --- statuses ------------------------------------------------------------------------------------


def test_only_the_latest_status_is_told(house: House) -> None:
    """Of each friend the latest status is told, in the order of the last changes."""
    romeo = house.open(ROMEO)
    assert house.take(romeo) == []
    juliet = house.open(JULIET)
    house.sessions.tell(ROMEO, PARIS, Status.CALL_ME)
    house.presence.set(JULIET, Status.AWAY)
    house.presence.set(JULIET, Status.BUSY)
    assert house.sessions.take(romeo, 10) == [
        StatusChange(PARIS, Status.CALL_ME),
        StatusChange(JULIET, Status.BUSY),
    ]
    assert house.take(romeo) == []
    house.sessions.close(juliet, "signed out")
    assert house.take(romeo) == ["10002 OFFLINE"]


def test_status_that_is_again_as_it_was_told_is_told(house: House) -> None:
    """Who went and came back is told as being there: the client may have asked in between."""
    romeo, juliet = house.open(ROMEO), house.open(JULIET)
    assert house.take(romeo) == ["10002 ONLINE"]
    house.sessions.close(juliet, "lost")
    house.open(JULIET)
    assert house.take(romeo) == ["10002 ONLINE"]


def test_session_starts_with_nothing_to_tell(house: House) -> None:
    """A client asks for statuses when it signs in; what was before it is not told."""
    first = house.open(ROMEO)
    house.open(JULIET)
    assert first.stale
    assert house.take(house.open(ROMEO)) == []


# --- messages ------------------------------------------------------------------------------------


async def test_statuses_come_before_messages(house: House) -> None:
    """At most so many things are taken at once: statuses, then messages, each once."""
    romeo = house.open(ROMEO)
    house.open(JULIET)
    await house.send("0", "1", "2")
    assert house.take(romeo, 2) == ["10002 ONLINE", "0"]
    assert house.take(romeo) == ["1", "2"]
    assert house.take(romeo) == []


async def test_full_of_statuses_leaves_messages(house: House, store: Store) -> None:
    """When statuses fill what may be taken, messages wait for the next time."""
    romeo = house.open(ROMEO)
    make_friends(store, ROMEO, PARIS)
    house.open(JULIET)
    house.open(PARIS)
    await house.send("hi")
    assert [house.take(romeo, 1) for _ in range(4)] == [
        ["10002 ONLINE"], ["10003 ONLINE"], ["hi"], [],
    ]  # fmt: skip


async def test_message_wakes(house: House) -> None:
    """Who is signed in is woken by a message, a status, and by being told to look."""
    house.open(ROMEO)
    house.notes.clear()
    await house.send("hi")
    house.open(JULIET, name="Juliet")
    house.sessions.wake(ROMEO)
    assert house.notes == ["10001 woken", "10001 woken", "Juliet woken", "10001 woken"]


async def test_message_stays_until_it_is_delivered(house: House, store: Store) -> None:
    """What a session took and did not deliver is there for the next; delivered is deleted."""
    await house.send("hi")
    lost = house.open(ROMEO)
    assert len(house.sessions.take(lost, 10)) == 1
    house.sessions.close(lost, "lost")
    session = house.open(ROMEO)
    items = house.sessions.take(session, 10)
    assert len(items) == 1
    assert store.count_messages(ROMEO, 10) == 1
    assert isinstance(items[-1], Stored)
    house.sessions.delivered(session, items[-1].id)
    # Before the deletion is on disk, a later session does not get it either.
    assert house.sessions.take(house.open(ROMEO), 10) == []
    await house.send("again")
    assert store.count_messages(ROMEO, 10) == 1


# --- what did not arrive -------------------------------------------------------------------------


async def test_what_is_given_back_is_taken_again(house: House) -> None:
    """What did not reach the client is taken again, in order, with what came after it."""
    romeo = house.open(ROMEO, place=HOME)
    house.open(JULIET)
    await house.send("0", "1")
    items = house.sessions.take(romeo, 10)
    await house.send("2")
    house.sessions.give_back(romeo, items)
    assert house.take(romeo) == ["10002 ONLINE", "0", "1", "2"]
    assert house.take(romeo) == []


async def test_a_part_is_given_back(house: House) -> None:
    """What did not fit into an answer comes with the next one."""
    romeo = house.open(ROMEO, place=HOME)
    await house.send("0", "1", "2")
    items = house.sessions.take(romeo, 10)
    house.sessions.give_back(romeo, items[1:])
    assert house.take(romeo) == ["1", "2"]


async def test_what_has_arrived_meanwhile_is_not_taken_again(house: House) -> None:
    """A second answer brought it, too; the first is found lost before the disk has noticed."""
    romeo = house.open(ROMEO, place=HOME)
    await house.send("0", "1")
    items = house.sessions.take(romeo, 10)
    assert isinstance(items[-1], Stored)
    house.sessions.delivered(romeo, items[-1].id)
    house.sessions.give_back(romeo, items)
    assert house.take(romeo) == []
    await house.send("2")
    assert house.take(romeo) == ["2"]


def test_given_back_is_never_an_old_status(house: House) -> None:
    """Whoever changed since the answer was lost is told as they are now."""
    romeo, juliet = house.open(ROMEO, place=HOME), house.open(JULIET)
    lost = house.sessions.take(romeo, 10)
    house.sessions.close(juliet, "signed out")
    house.sessions.give_back(romeo, lost)
    assert house.take(romeo) == ["10002 OFFLINE"]  # told since, and not taken yet
    house.open(JULIET, Status.AWAY)
    assert house.take(romeo) == ["10002 AWAY"]
    house.sessions.give_back(romeo, lost)
    assert house.take(romeo) == ["10002 AWAY"]  # told since, and taken: it is said again


async def test_given_back_shows_no_stranger(house: House, store: Store) -> None:
    """Who is a friend no more is offline, whatever the lost answer said."""
    romeo = house.open(ROMEO, place=HOME)
    house.open(JULIET)
    lost = house.sessions.take(romeo, 10)
    await store.delete_friends(ROMEO, JULIET)
    house.sessions.give_back(romeo, lost)
    assert house.take(romeo) == ["10002 OFFLINE"]


# --- over HTTP -----------------------------------------------------------------------------------


def test_found_by_place_and_number(house: House) -> None:
    """A request over HTTP belongs to the session of its number from its own place only."""
    session = house.open(ROMEO, place=HOME)
    house.open(JULIET)
    assert house.sessions.find(ROMEO, HOME) is session
    assert house.sessions.find(ROMEO, WORK) is None
    assert house.sessions.find(PARIS, HOME) is None
    assert house.sessions.find(JULIET, HOME) is None  # a connection is found by itself
    house.sessions.close(session, "signed out")
    assert house.sessions.find(ROMEO, HOME) is None


def test_silence_ends_a_session_over_http(house: House) -> None:
    """It ends a lifetime after something was heard, and not before; a connection does not."""
    session = house.open(ROMEO, place=HOME)
    juliet = house.open(JULIET)
    house.clock.advance(LIFETIME - 1)
    session.heard = house.clock.now()
    house.clock.advance(LIFETIME - 1)
    assert house.sessions.of(ROMEO) is session
    house.sessions.take(juliet, 10)
    house.clock.advance(1)
    assert house.sessions.of(ROMEO) is None
    assert house.notes[-2:] == ["10001 ended: silent for 300 s", "10002 woken"]
    assert house.take(juliet) == ["10001 OFFLINE"]
    assert house.steps(ROMEO) == ["the session expired, because nothing came for too long"]
    house.clock.advance(10 * LIFETIME)
    assert juliet.is_open
    assert house.clock.due == 0


def test_no_timer_is_left_behind(house: House) -> None:
    """Whatever ends a session over HTTP, it is not waited for any more."""
    house.sessions.close(house.open(ROMEO, place=HOME), "signed out")
    assert house.clock.due == 0
    for place in (HOME, HOME, WORK):
        house.open(ROMEO, place=place)
        assert house.clock.due == 1
    house.open(ROMEO)
    assert house.clock.due == 0


async def test_who_signs_in_again_from_the_same_place_goes_on(house: House) -> None:
    """COMPAT(SET_MQQ): a sign-in before every command loses nothing and repeats nothing."""
    older = house.open(ROMEO, place=HOME)
    await house.send("0")
    items = house.sessions.take(older, 10)
    await house.send("1")
    house.open(JULIET)
    settled: list[str] = []
    older.settle = lambda: settled.append("settled")
    newer = house.open(ROMEO, place=HOME)
    assert (older.is_open, newer.is_open) == (False, True)
    assert house.notes[-1] == "10001 ended: signed in again"
    assert house.steps(ROMEO) == []
    assert newer.settle is not None
    newer.settle()
    assert settled == ["settled"]
    assert house.take(newer) == ["10002 ONLINE", "1"]
    house.sessions.give_back(newer, items)
    assert house.take(newer) == ["0", "1"]


async def test_who_signs_in_again_on_the_same_connection_goes_on(house: House) -> None:
    """ZNQQ and QQBot sign in again on their socket; nothing is pushed to them twice."""
    woken: list[str] = []

    def wake() -> None:
        woken.append("woken")

    older = house.sessions.open(ROMEO, Status.ONLINE, wake, woken.append)
    await house.send("0")
    assert house.take(older) == ["0"]
    house.open(JULIET)
    newer = house.sessions.open(ROMEO, Status.ONLINE, wake, woken.append)
    assert "signed in again" in woken
    assert house.take(newer) == ["10002 ONLINE"]


@pytest.mark.parametrize(("first", "second"), [(HOME, WORK), (HOME, None), (None, HOME)])
async def test_who_signs_in_elsewhere_starts_anew(
    house: House, first: str | None, second: str | None
) -> None:
    """Over HTTP or not, another place gets all that is not known to have arrived."""
    older = house.open(ROMEO, place=first)
    await house.send("0")
    assert house.take(older) == ["0"]
    house.open(JULIET)
    newer = house.open(ROMEO, place=second)
    assert not older.is_open
    assert (newer.settle, newer.stale) == (None, {})
    assert f"10001 ended: signed in elsewhere: {second or HOME}:50000" in house.notes
    assert house.take(newer) == ["0"]


@pytest.mark.parametrize("ends", ["signed out", "signed in elsewhere", "silent"])
async def test_what_has_arrived_is_settled_before_the_end(house: House, ends: str) -> None:
    """An answer that the client has, but nobody has looked, is not shown by the next session."""
    session = house.open(ROMEO, place=HOME)
    await house.send("0", "1")
    item = house.sessions.take(session, 1)[-1]
    assert isinstance(item, Stored)

    def settle() -> None:
        assert house.sessions.of(ROMEO) is session
        assert session.is_open
        session.settle = None
        house.sessions.delivered(session, item.id)

    session.settle = settle
    if ends == "signed out":
        house.sessions.close(session, ends)
        house.sessions.close(session, ends)
    elif ends == "silent":
        house.clock.advance(LIFETIME)
    newer = house.open(ROMEO, place=WORK)
    assert house.sessions.all() == [newer]
    assert house.take(newer) == ["1"]


# --- clients that confirm what they are pushed ---------------------------------------------------


def confirming(house: House, wake: Callable[[], None] | None = None) -> Session:
    """Open a session of Romeo's whose client confirms, on a new connection if it is not given."""
    wake = wake or (lambda: None)
    return house.sessions.open(ROMEO, Status.ONLINE, wake, house.notes.append, confirms=True)


async def pushed(house: House, session: Session, *texts: str) -> list[int]:
    """Have Juliet write, and her words arrive at Romeo's; return their ids."""
    await house.send(*texts)
    items = house.sessions.take(session, 10)
    ids = [item.id for item in items if isinstance(item, Stored)]
    house.sessions.arrived(session, ids[-1])
    return ids


async def test_what_arrived_waits_for_the_client_to_confirm_it(house: House) -> None:
    """A confirmation is good for all before it; the next session gets the rest."""
    session = confirming(house)
    ids = await pushed(house, session, "0", "1", "2")
    assert house.take(session) == []
    house.sessions.confirm(session, ids[1])
    assert house.take(confirming(house)) == ["2"]


async def test_what_arrived_is_delivered_where_nobody_confirms(house: House) -> None:
    """There is no timer then, and confirmations say nothing."""
    session = house.open(ROMEO)
    ids = await pushed(house, session, "0")
    await house.send("1")
    house.take(session)
    house.sessions.confirm(session, ids[0] + 1)
    assert house.clock.due == 0
    assert house.take(house.open(ROMEO)) == ["1"]


@pytest.mark.parametrize("number", [-1, 0, 1, 3, 4, 5, 10**9])
async def test_what_was_not_taken_cannot_be_confirmed(house: House, number: int) -> None:
    """Nor what is somebody else's."""
    await house.inbox.send(ROMEO, JULIET, "1")
    session = confirming(house)
    assert await pushed(house, session, "2") == [2]
    await house.inbox.send(ROMEO, JULIET, "3")
    await house.send("4")
    house.sessions.confirm(session, number)
    assert house.take(confirming(house)) == ["2", "4"]


async def test_a_client_that_confirms_nothing_is_believed_in_the_end(house: House) -> None:
    """Each message 30 s after it arrived; one timer at most runs, and none for nothing."""
    session = confirming(house)
    assert house.clock.due == 0
    await pushed(house, session, "0")
    house.clock.advance(20)
    ids = await pushed(house, session, "1")
    assert house.clock.due == 1
    house.clock.advance(9.9)
    house.sessions.close(session, "lost")
    assert house.clock.due == 0
    session = confirming(house)
    assert house.take(session) == ["0", "1"]
    house.sessions.arrived(session, ids[0] - 1)
    house.clock.advance(20)
    house.sessions.arrived(session, ids[0])
    house.clock.advance(10)
    assert house.take(house.open(ROMEO, place=HOME)) == ["1"]


async def test_a_client_that_has_confirmed_is_waited_for_longer(house: House) -> None:
    """It may hang for a while; nothing is lost if it is cut off then."""
    session = confirming(house)
    (first,) = await pushed(house, session, "0")
    house.sessions.confirm(session, first)
    await pushed(house, session, "1")
    house.clock.advance(599)
    assert house.clock.due == 1
    session = confirming(house)
    assert house.take(session) == ["1"]
    house.sessions.arrived(session, first + 1)
    house.clock.advance(30)
    assert house.take(confirming(house)) == []


async def test_what_is_confirmed_is_not_waited_for(house: House) -> None:
    """Neither before it is seen to arrive, nor after that."""
    session = confirming(house)
    ids = await pushed(house, session, "0", "1")
    house.sessions.confirm(session, ids[0])
    assert house.clock.due == 1  # for the second
    house.sessions.confirm(session, ids[1])
    assert house.clock.due == 0
    await house.send("2")
    (third,) = house.sessions.take(session, 10)
    assert isinstance(third, Stored)
    house.sessions.confirm(session, third.id)
    house.sessions.arrived(session, third.id)
    assert house.clock.due == 0
    house.sessions.confirm(session, third.id)
    assert house.take(confirming(house)) == []


@pytest.mark.parametrize("confirms", [True, False])
async def test_who_signs_in_again_on_a_connection_may_confirm_what_came_before(
    house: House, confirms: bool
) -> None:
    """Who then does not say so any more has what has arrived."""
    older = confirming(house, wake := lambda: None)
    ids = await pushed(house, older, "0", "1")
    newer = house.sessions.open(ROMEO, Status.ONLINE, wake, house.notes.append, confirms=confirms)
    assert house.take(newer) == []
    if not confirms:
        assert house.clock.due == 0
        assert house.take(house.open(ROMEO)) == []
        return
    house.sessions.confirm(newer, ids[0])
    house.clock.advance(29)
    assert house.take(confirming(house)) == ["1"]
    assert house.clock.due == 0


# --- requests over HTTP with numbers used once ---------------------------------------------------


def fetch(house: House, session: Session, number: str) -> list[str]:
    """Do as the handler of GetMsgEx does; return what each thing says."""
    items = house.sessions.fetched(session, number)
    if items is None:
        session.fetched.items = items = tuple(house.sessions.take(session, 10))
    return words(items)


def lose(house: House, session: Session) -> None:
    """Give back what the last answer brought, as when its connection breaks."""
    house.sessions.give_back(session, session.fetched.items)


async def test_the_same_number_brings_the_same(house: House, store: Store) -> None:
    """Whether it was lost, delivered or neither; and what it brought is not taken again."""
    session = house.open(ROMEO, place=HOME)
    await house.send("0", "1")
    house.open(JULIET)
    assert fetch(house, session, "a") == ["10002 ONLINE", "0", "1"]
    await house.send("2")
    assert fetch(house, session, "a") == ["10002 ONLINE", "0", "1"]
    lose(house, session)
    assert fetch(house, session, "a") == ["10002 ONLINE", "0", "1"]
    house.sessions.delivered(session, 2)
    await store.delete_messages({ROMEO: 2})  # after that of `delivered`
    assert fetch(house, session, "a") == ["10002 ONLINE", "0", "1"]
    assert fetch(house, session, "b") == ["10002 ONLINE", "2"]
    assert fetch(house, session, "c") == []


async def test_another_number_says_that_the_last_has_arrived(house: House, store: Store) -> None:
    """It is delivered then if it was not before; what was delivered costs no second deletion."""
    session = house.open(ROMEO, place=HOME)
    for number, text in enumerate("xyz"):
        await house.send(text)
        assert fetch(house, session, f"{number}") == [text]
        lose(house, session)
    assert [one.text for one in store.messages_after(ROMEO, 2, 9)] == ["z"]
    assert house.inbox.start(ROMEO) == 2
    assert fetch(house, session, "last") == []
    assert house.inbox.start(ROMEO) == 3


async def test_an_earlier_number_takes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was held up on its way; so many of them are known."""
    monkeypatch.setattr(session_module, "_EARLIER", 2)
    session = house.open(ROMEO, place=HOME)
    for number in "abc":
        assert fetch(house, session, number) == []
    await house.send("0")
    assert fetch(house, session, "a") == fetch(house, session, "b") == []
    assert fetch(house, session, "c") == ["0"]
    assert fetch(house, session, "d") == []
    assert fetch(house, session, "a") == []  # nobody knows it any more, and it is the last now
    await house.send("1")
    assert fetch(house, session, "a") == ["1"]


@pytest.mark.parametrize("place", [HOME, WORK])
@pytest.mark.parametrize("is_same", [True, False])
async def test_a_number_after_one_more_sign_in(house: House, place: str, is_same: bool) -> None:
    """The same brings the same; another may be that of another program, and says nothing."""
    session = house.open(ROMEO, place=HOME)
    await house.send("0")
    assert fetch(house, session, "a") == ["0"]
    lose(house, session)
    session = house.open(ROMEO, place=place)
    await house.send("1")
    assert fetch(house, session, "a" if is_same else "b") == (["0"] if is_same else ["0", "1"])
    lose(house, session)
    assert fetch(house, session, "c") == (["1"] if is_same else [])
    assert house.inbox.start(ROMEO) == (1 if is_same else 2)


async def test_a_session_on_a_connection_forgets_what_was_fetched(house: House) -> None:
    """Then, or when the session over HTTP has ended, the same number asks anew."""
    for ends in (True, False):
        session = house.open(ROMEO, place=HOME)
        await house.send("0")
        assert fetch(house, session, "a") == ["0"]
        house.sessions.delivered(session, session.cursor)
        if ends:
            house.sessions.close(session, "signed out")
        else:
            house.open(ROMEO)
        session = house.open(ROMEO, place=HOME)
        assert fetch(house, session, "a") == []


async def test_who_has_all_is_given_what_comes(house: House, store: Store) -> None:
    """The store is read once; then messages come with the call that wakes."""
    session = house.open(ROMEO)
    assert house.take(session) == []
    await house.send("a", "b")
    store._database.execute("ALTER TABLE message RENAME TO away")  # nobody may read it
    assert [session.may_have_more] == [True]
    assert house.take(session, 1) == ["a"]
    assert house.take(session) == ["b"]
    assert [session.may_have_more] == [False]
    assert house.take(session) == []


async def test_what_was_read_is_not_given_again(house: House) -> None:
    """A message may be on disk, and read, before the session is told of it."""
    session = house.open(ROMEO)
    written = house.inbox.send(JULIET, ROMEO, "a")
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # nothing else has come, so it is with the writer
    while not house.inbox.waiting(ROMEO, 0, 9):
        threading.Event().wait(0.001)  # not a turn of the loop: nobody is told
    assert house.take(session) == ["a"]
    await written
    assert house.take(session) == []
    await house.send("b")
    assert house.take(session) == ["b"]


async def test_who_does_not_take_holds_little(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond some messages the store has to be read again, and nothing is lost or given twice."""
    monkeypatch.setattr(session_module, "_FRESH", 3)
    session = house.open(ROMEO)
    assert house.take(session) == []
    await house.send(*"abc")
    assert [len(session.fresh or ())] == [3]
    await house.send(*"de")
    assert [session.fresh] == [None]
    assert house.take(session, 2) == ["a", "b"]
    await house.send("f")
    assert house.take(session) == ["c", "d", "e", "f"]
    await house.send("g")
    assert house.take(session) == ["g"]


async def test_what_is_given_back_comes_before_what_is_new(house: House) -> None:
    """In order, whatever came meanwhile."""
    session = house.open(ROMEO)
    assert house.take(session) == []
    await house.send("a", "b")
    items = house.sessions.take(session, 9)
    house.sessions.give_back(session, items[1:])
    await house.send("c")
    assert house.take(session) == ["b", "c"]


async def test_over_http_nothing_is_held(house: House) -> None:
    """It may be minutes until somebody asks again."""
    session = house.open(ROMEO, place=HOME)
    assert house.take(session) == []
    await house.send("a")
    assert session.fresh is None
    assert house.take(session) == ["a"]


async def test_long_messages_are_not_held(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers that stop could fill the memory with them."""
    monkeypatch.setattr(session_module, "_LONG", 3)
    session = house.open(ROMEO)
    assert house.take(session) == []
    await house.send("a", "long", "b")
    assert session.fresh is None
    assert house.take(session) == ["a", "long", "b"]


async def test_what_somebody_else_stores_is_not_passed_over(house: House, store: Store) -> None:
    """Once it is known that they did, all sessions read the store."""
    session = house.open(ROMEO)
    assert house.take(session) == []
    store._database.execute(
        "INSERT INTO message (receiver, sender, kind, text, sent) VALUES (?, ?, 'message', ?, 0)",
        ROMEO, JULIET, b"x",
    )  # fmt: skip
    house.sessions.fall_behind()
    await house.send("a")
    assert house.take(session) == ["x", "a"]
