"""The tables: what is stored is what comes back."""

import pytest

from kqq.errors import StoreError
from kqq.server.store import Account, Store, Stored
from stage import JULIET, PARIS, ROMEO


def test_accounts_come_back_as_stored(store: Store) -> None:
    """An account is found by its number, and all by number."""
    found = store.account(ROMEO)
    assert found is not None
    assert (found.uin, found.nick, found.face) == (ROMEO, "Romeo", 0)
    assert [account.uin for account in store.accounts()] == [ROMEO, JULIET, PARIS]
    assert store.account_exists(ROMEO)
    assert store.account(99) is None
    assert not store.account_exists(99)


def test_number_is_given_once(store: Store) -> None:
    """A second account of a number is not stored, and the first stays."""
    assert not store.add_account(Account(ROMEO, "Impostor", 3, "x"), 1.0)
    found = store.account(ROMEO)
    assert found is not None
    assert found.nick == "Romeo"


def test_proof_is_never_shown(store: Store) -> None:
    """The proof of a password does not stand in what an account looks like."""
    account = Account(1, "n", 3, "scrypt$00$11")
    assert repr(account) == "Account(uin=1, nick='n', face=3)"


def test_friends_go_both_ways(store: Store) -> None:
    """Friendship is stored in both directions, once, and only of accounts."""
    assert store.are_friends(ROMEO, JULIET)
    assert store.are_friends(JULIET, ROMEO)
    assert not store.are_friends(ROMEO, PARIS)
    assert not store.add_friends(JULIET, ROMEO)
    assert store.friends(ROMEO) == [JULIET]
    assert store.friends(PARIS) == []
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.add_friends(ROMEO, 99)


def test_pages_of_friends(store: Store) -> None:
    """Pages are in the order of numbers, from an offset or after a number."""
    for uin in (300, 100, 200):
        store.add_account(Account(uin, f"n{uin}", 3, ""), 0.0)
        store.add_friends(PARIS, uin)
    assert store.friends_page(PARIS, 0, 2) == [(100, "n100", 3), (200, "n200", 3)]
    assert store.friends_page(PARIS, 2, 2) == [(300, "n300", 3)]
    assert store.friends_page(PARIS, 3, 2) == []
    assert store.friends_page(PARIS, 10**19, 2) == []
    assert store.friends_after(PARIS, 0, 2) == [100, 200]
    assert store.friends_after(PARIS, 200, 2) == [300]
    assert store.friends_after(PARIS, 10**19, 2) == []


async def test_messages_wait_in_order(store: Store) -> None:
    """Messages come oldest first, from an id on, for their receiver only."""
    texts = ["one", "", "你好 😀", "a\r\nb\0c", "no utf-8: \udcff\udc80"]
    for text in texts:
        await store.add_message(ROMEO, JULIET, text, 5.0)
    await store.add_message(JULIET, ROMEO, "back", 5.0)
    waiting = store.messages_after(JULIET, 0, 10)
    assert [message.text for message in waiting] == texts
    assert {message.sender for message in waiting} == {ROMEO}
    assert store.messages_after(JULIET, waiting[1].id, 2) == waiting[2:4]
    assert store.count_messages(JULIET, 3) == 3
    assert store.count_messages(JULIET, 100) == 5
    assert store.count_messages(PARIS, 100) == 0


async def test_delivered_messages_are_deleted(store: Store) -> None:
    """Deletion takes the receiver's messages up to an id, and no id comes back."""
    for text in ("one", "two", "three"):
        await store.add_message(ROMEO, JULIET, text, 5.0)
    await store.add_message(JULIET, ROMEO, "back", 5.0)
    last = store.messages_after(JULIET, 0, 10)[-1].id
    await store.delete_messages(JULIET, last - 1)
    assert store.messages_after(JULIET, 0, 10) == [Stored(last, ROMEO, "three")]
    await store.delete_messages(JULIET, 10**6)
    await store.delete_messages(ROMEO, 10**6)
    await store.add_message(ROMEO, JULIET, "four", 5.0)
    assert store.messages_after(JULIET, 0, 10)[0].id > last + 1
