"""Who is seen as what, and who is told."""

from collections.abc import Callable

import pytest

from kqq.server.friends import Friends, make_friends
from kqq.server.presence import Presence, Status
from kqq.server.store import Account, Store
from stage import JULIET, PARIS, ROMEO, proof

Told = list[tuple[int, int, Status]]
"""Who was told about whom, and what."""
STRANGER = 10004


@pytest.fixture
def told() -> Told:
    """What was told."""
    return []


@pytest.fixture
def presence(store: Store, told: Told) -> Presence:
    """The presence of Romeo, whose friends are Juliet and Paris."""
    make_friends(store, ROMEO, PARIS)
    return Presence(Friends(store), lambda *news: told.append(news))


def both(status: Status) -> Told:
    """Return what both friends of Romeo are told when he is seen as `status`."""
    return [(JULIET, ROMEO, status), (PARIS, ROMEO, status)]


def test_only_hidden_is_seen_otherwise() -> None:
    """Somebody hidden is seen as offline, all others as they want."""
    for status in Status:
        assert status.seen is (Status.OFFLINE if status is Status.HIDDEN else status)


def test_friends_are_told_of_differences(presence: Presence, told: Told) -> None:
    """Each friend is told once of each change that can be seen, and nobody else."""
    assert presence.seen(ROMEO) is Status.OFFLINE
    presence.set(ROMEO, Status.AWAY)
    assert presence.seen(ROMEO) is Status.AWAY
    assert told == both(Status.AWAY)
    told.clear()
    presence.set(ROMEO, Status.AWAY)
    assert told == []
    presence.set(ROMEO, Status.BUSY)
    presence.leave(ROMEO)
    assert presence.seen(ROMEO) is Status.OFFLINE
    assert told == both(Status.BUSY) + both(Status.OFFLINE)


def test_hidden_people_come_and_go_unseen(presence: Presence, told: Told) -> None:
    """Nobody is told of what nobody sees; only the operator sees who is hidden."""
    presence.set(ROMEO, Status.HIDDEN)
    assert (presence.seen(ROMEO), presence.own(ROMEO)) == (Status.OFFLINE, Status.HIDDEN)
    presence.leave(ROMEO)
    presence.leave(ROMEO)
    presence.set(ROMEO, Status.OFFLINE)
    presence.leave(ROMEO)
    assert presence.own(ROMEO) is Status.OFFLINE
    assert told == []


def test_to_hide_and_to_show_oneself(presence: Presence, told: Told) -> None:
    """Hiding looks like leaving, showing oneself like coming."""
    presence.set(ROMEO, Status.ONLINE)
    presence.set(ROMEO, Status.HIDDEN)
    assert presence.seen(ROMEO) is Status.OFFLINE
    presence.set(ROMEO, Status.OFFLINE)
    presence.set(ROMEO, Status.AWAY)
    assert told == both(Status.ONLINE) + both(Status.OFFLINE) + both(Status.AWAY)


def test_seen_by_friends_only(presence: Presence) -> None:
    """Who is no friend sees nobody, nor does anybody see somebody hidden."""
    presence.set(ROMEO, Status.AWAY)
    assert presence.seen_by(JULIET, ROMEO) is Status.AWAY
    assert presence.seen_by(STRANGER, ROMEO) is Status.OFFLINE
    presence.set(ROMEO, Status.HIDDEN)
    assert presence.seen_by(JULIET, ROMEO) is Status.OFFLINE


def test_new_friends_see_each_other(presence: Presence, told: Told) -> None:
    """Both are told what they see; of who is away or hidden there is nothing to tell."""
    presence.set(JULIET, Status.BUSY)
    presence.set(PARIS, Status.HIDDEN)
    told.clear()
    presence.introduce(JULIET, PARIS)
    assert told == [(PARIS, JULIET, Status.BUSY)]
    told.clear()
    presence.set(PARIS, Status.ONLINE)
    told.clear()
    presence.introduce(JULIET, PARIS)
    assert told == [(PARIS, JULIET, Status.BUSY), (JULIET, PARIS, Status.ONLINE)]


def test_who_parts_sees_the_other_leave(presence: Presence, told: Told) -> None:
    """Both see the other go offline; of who is away or hidden there is nothing to tell."""
    presence.set(ROMEO, Status.AWAY)
    presence.set(JULIET, Status.HIDDEN)
    told.clear()
    presence.part(JULIET, ROMEO)
    assert told == [(JULIET, ROMEO, Status.OFFLINE)]
    told.clear()
    presence.set(JULIET, Status.ONLINE)
    told.clear()
    presence.part(JULIET, ROMEO)
    assert told == [(ROMEO, JULIET, Status.OFFLINE), (JULIET, ROMEO, Status.OFFLINE)]


def test_nothing_changes_when_friends_cannot_be_read(
    presence: Presence, store: Store, told: Told
) -> None:
    """A status that cannot be told is not changed."""
    store._database.execute("ALTER TABLE friend RENAME TO enemy")
    with pytest.raises(Exception, match="no such table"):
        presence.set(ROMEO, Status.ONLINE)
    assert presence.seen(ROMEO) is Status.OFFLINE
    assert told == []


async def test_thousands_of_friends_are_told_by_and_by(store: Store, told: Told) -> None:
    """Some at once, the others when there is time, and of what is true then."""
    crowd = range(20_000, 21_200)
    database = store._database
    database.execute("BEGIN")
    for uin in crowd:
        assert store.add_account(Account(uin, "n", 0, proof()), 0.0)
        assert store.add_friends(ROMEO, uin)
    database.execute("COMMIT")
    later: list[Callable[[], None]] = []
    presence = Presence(Friends(store), lambda *news: told.append(news), later.append)
    for uin in crowd[:-2]:
        presence.set(uin, Status.ONLINE)
    presence.set(crowd[-1], Status.ONLINE)
    told.clear()
    presence.set(ROMEO, Status.ONLINE)
    assert (len(told), len(later)) == (500, 2)
    presence.set(ROMEO, Status.AWAY)
    assert await store.delete_friends(ROMEO, crowd[-1]) == 2
    told.clear()
    later[0]()
    assert len(told) == 500
    assert {news[1:] for news in told} == {(ROMEO, Status.AWAY)}
    told.clear()
    later[1]()
    assert crowd[-2] not in [news[0] for news in told]
    assert told[-1] == (crowd[-1], ROMEO, Status.OFFLINE)
    assert {news[1:] for news in told[:-1]} == {(ROMEO, Status.AWAY)}
    presence.leave(ROMEO)
    assert len(later) == 6
