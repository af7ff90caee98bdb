"""Sessions: one to an account, woken when there is something, without queues of their own."""

import pytest

from kqq.server.friends import Friends
from kqq.server.inbox import Inbox
from kqq.server.presence import Presence, Status
from kqq.server.session import Session, Sessions, StatusChange
from kqq.server.store import Store, Stored
from stage import JULIET, PARIS, ROMEO, ManualClock


class House:
    """Sessions with all they need, and a note of what they were told."""

    def __init__(self, store: Store) -> None:
        self.sessions = Sessions()
        friends = Friends(store)
        self.presence = Presence(friends, self.sessions.tell)
        self.inbox = Inbox(
            store, friends, ManualClock(), self.sessions.wake, text_limit=100, inbox_limit=100
        )
        self.sessions.serve(self.inbox, self.presence)
        self.notes: list[str] = []

    def open(self, uin: int, status: Status = Status.ONLINE, name: str = "") -> Session:
        """Open a session that notes what happens to it."""
        name = name or str(uin)
        return self.sessions.open(
            uin,
            status,
            lambda: self.notes.append(f"{name} woken"),
            lambda reason: self.notes.append(f"{name} ended: {reason}"),
        )


@pytest.fixture
def house(store: Store) -> House:
    """A house of sessions."""
    return House(store)


def test_session_is_awake_from_the_start(house: House) -> None:
    """A new session is woken, since messages may wait for it."""
    session = house.open(ROMEO)
    assert session.is_open
    assert house.notes == ["10001 woken"]
    assert len(house.sessions) == 1
    assert house.presence.seen(ROMEO) is Status.ONLINE


def test_later_session_ends_the_older(house: House) -> None:
    """There is one session to an account: the last; friends see no difference."""
    juliet = house.open(JULIET)
    older = house.open(ROMEO, name="older")
    house.sessions.take(juliet, 10)
    house.notes.clear()
    newer = house.open(ROMEO, name="newer")
    assert house.notes == ["older ended: signed in elsewhere", "newer woken"]
    assert (older.is_open, newer.is_open, len(house.sessions)) == (False, True, 2)
    house.sessions.close(older, "again")
    assert newer.is_open
    assert house.presence.seen(ROMEO) is Status.ONLINE
    assert house.sessions.take(juliet, 10) == []


def test_close_is_told_once(house: House) -> None:
    """A session that ends says why, once, and its owner is offline."""
    session = house.open(ROMEO)
    house.notes.clear()
    house.sessions.close(session, "signed out")
    house.sessions.close(session, "again")
    assert house.notes == ["10001 ended: signed out"]
    assert len(house.sessions) == 0
    assert house.presence.seen(ROMEO) is Status.OFFLINE


def test_nobody_is_woken_who_is_not_there(house: House) -> None:
    """Waking and telling somebody without a session does nothing."""
    house.sessions.wake(ROMEO)
    house.sessions.tell(ROMEO, JULIET)
    assert house.notes == []


def test_only_the_latest_status_is_told(house: House) -> None:
    """Of each friend the latest status is told, in the order of the last changes."""
    romeo = house.open(ROMEO)
    assert house.sessions.take(romeo, 10) == []
    juliet = house.open(JULIET)
    house.sessions.tell(ROMEO, PARIS)
    house.presence.set(JULIET, Status.AWAY)
    house.presence.set(JULIET, Status.BUSY)
    assert house.sessions.take(romeo, 10) == [
        StatusChange(PARIS, Status.OFFLINE),
        StatusChange(JULIET, Status.BUSY),
    ]
    assert house.sessions.take(romeo, 10) == []
    house.sessions.close(juliet, "signed out")
    assert house.sessions.take(romeo, 10) == [StatusChange(JULIET, Status.OFFLINE)]


async def test_statuses_come_before_messages(house: House) -> None:
    """At most so many things are taken at once: statuses, then messages, each once."""
    romeo = house.open(ROMEO)
    house.open(JULIET)
    for number in range(3):
        await house.inbox.send(JULIET, ROMEO, str(number))
    taken = house.sessions.take(romeo, 2)
    assert taken[0] == StatusChange(JULIET, Status.ONLINE)
    assert isinstance(taken[1], Stored)
    assert taken[1].text == "0"
    rest = house.sessions.take(romeo, 10)
    assert [item.text for item in rest if isinstance(item, Stored)] == ["1", "2"]
    assert house.sessions.take(romeo, 10) == []


async def test_full_of_statuses_leaves_messages(house: House) -> None:
    """When statuses fill what may be taken, messages wait for the next time."""
    romeo = house.open(ROMEO)
    house.open(JULIET)
    await house.inbox.send(JULIET, ROMEO, "hi")
    assert house.sessions.take(romeo, 1) == [StatusChange(JULIET, Status.ONLINE)]
    assert len(house.sessions.take(romeo, 1)) == 1


async def test_message_stays_until_it_is_delivered(house: House, store: Store) -> None:
    """What a session took and did not deliver is there for the next; delivered is deleted."""
    await house.inbox.send(JULIET, ROMEO, "hi")
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
    await house.inbox.send(JULIET, ROMEO, "again")
    assert store.count_messages(ROMEO, 10) == 1
