"""Who is seen as what, and who is told."""

import pytest

from kqq.server.friends import Friends, make_friends
from kqq.server.presence import Presence, Status
from kqq.server.store import Store
from stage import JULIET, PARIS, ROMEO


@pytest.fixture
def told() -> list[tuple[int, int]]:
    """Who was told about whom."""
    return []


@pytest.fixture
def presence(store: Store, told: list[tuple[int, int]]) -> Presence:
    """The presence of Romeo, whose friends are Juliet and Paris."""
    make_friends(store, ROMEO, PARIS)
    return Presence(Friends(store), lambda friend, about: told.append((friend, about)))


def test_only_hidden_is_seen_otherwise() -> None:
    """Somebody hidden is seen as offline, all others as they want."""
    for status in Status:
        assert status.seen is (Status.OFFLINE if status is Status.HIDDEN else status)


def test_friends_are_told_of_differences(presence: Presence, told: list[tuple[int, int]]) -> None:
    """Each friend is told once of each change that can be seen."""
    assert presence.seen(ROMEO) is Status.OFFLINE
    presence.set(ROMEO, Status.AWAY)
    assert presence.seen(ROMEO) is Status.AWAY
    assert sorted(told) == [(JULIET, ROMEO), (PARIS, ROMEO)]
    told.clear()
    presence.set(ROMEO, Status.AWAY)
    assert told == []
    presence.leave(ROMEO)
    assert presence.seen(ROMEO) is Status.OFFLINE
    assert sorted(told) == [(JULIET, ROMEO), (PARIS, ROMEO)]


def test_hidden_people_come_and_go_unseen(presence: Presence, told: list[tuple[int, int]]) -> None:
    """Nobody is told of what nobody sees."""
    presence.set(ROMEO, Status.HIDDEN)
    presence.leave(ROMEO)
    presence.leave(ROMEO)
    presence.set(ROMEO, Status.OFFLINE)
    assert told == []
    presence.set(ROMEO, Status.ONLINE)
    presence.set(ROMEO, Status.HIDDEN)
    assert len(told) == 4
    assert presence.seen(ROMEO) is Status.OFFLINE
