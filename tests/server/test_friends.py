"""Friend lists."""

import pytest

from kqq.errors import AccountError
from kqq.server.friends import Friend, Friends, make_friends
from kqq.server.store import Account, Store
from stage import JULIET, PARIS, ROMEO

TOO_LARGE = 10**19
"""A number that SQLite cannot hold; clients may name it."""


def test_make_friends(store: Store) -> None:
    """Two accounts become friends; doing it again changes nothing."""
    friends = Friends(store)
    assert not friends.are(ROMEO, PARIS)
    for _ in range(2):
        make_friends(store, ROMEO, PARIS)
        assert friends.are(ROMEO, PARIS)
        assert friends.are(PARIS, ROMEO)
    assert sorted(friends.of(ROMEO)) == [JULIET, PARIS]


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [(ROMEO, ROMEO, "of itself"), (ROMEO, 99, "no account 99"), (98, ROMEO, "no account 98")],
)
def test_make_friends_refuses(store: Store, one: int, other: int, why: str) -> None:
    """Nobody is a friend of themselves or of nobody."""
    with pytest.raises(AccountError, match=why):
        make_friends(store, one, other)
    assert Friends(store).of(ROMEO) == [JULIET]


def test_pages_say_whether_there_is_more(store: Store) -> None:
    """A page has what was asked for, and whether more follows."""
    for uin in (100, 200, 300):
        store.add_account(Account(uin, f"n{uin}", uin // 100, ""), 0.0)
        make_friends(store, PARIS, uin)
    friends = Friends(store)
    assert friends.page(PARIS, 0, 2) == ([Friend(100, "n100", 1), Friend(200, "n200", 2)], True)
    assert friends.page(PARIS, 2, 2) == ([Friend(300, "n300", 3)], False)
    assert friends.page(PARIS, 1, 2)[1] is False
    assert friends.page(PARIS, 3, 2) == friends.page(PARIS, TOO_LARGE, 2) == ([], False)
    assert friends.page(99, 0, 2) == ([], False)


def test_pages_after_a_number(store: Store) -> None:
    """A page goes on after a number, whether that is a friend's or not."""
    for uin in (100, 200, 300):
        store.add_account(Account(uin, f"n{uin}", uin // 100, ""), 0.0)
        make_friends(store, PARIS, uin)
    friends = Friends(store)
    first, second, third = (Friend(n * 100, f"n{n * 100}", n) for n in (1, 2, 3))
    assert friends.after(PARIS, 0, 2) == ([first, second], True)
    assert friends.after(PARIS, 200, 2) == ([third], False)
    assert friends.after(PARIS, 100, 2) == ([second, third], False)
    assert friends.after(PARIS, 150, 1) == ([second], True)
    assert friends.after(PARIS, 300, 2) == friends.after(PARIS, TOO_LARGE, 2) == ([], False)


def test_numbers_and_names(store: Store) -> None:
    """Numbers go on after one; names are of whoever is asked for and is there."""
    for uin in (100, 200, 300):
        store.add_account(Account(uin, f"n{uin}", uin // 100, ""), 0.0)
        make_friends(store, PARIS, uin)
    friends = Friends(store)
    assert friends.of(PARIS) == [100, 200, 300]
    assert friends.of(PARIS, 100) == [200, 300]
    assert friends.of(PARIS, 300) == friends.of(PARIS, TOO_LARGE) == []
    assert friends.named([300, 99, 100]) == [Friend(100, "n100", 1), Friend(300, "n300", 3)]
    assert friends.named([]) == []
