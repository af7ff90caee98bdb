"""The tables: what is stored is what comes back."""

import asyncio
from collections.abc import Callable

import pytest

from kqq.errors import StoreError
from kqq.server import database as database_module
from kqq.server import store as module
from kqq.server.database import Database
from kqq.server.store import SETTABLE, Account, Device, Invitation, Kind, Store, Stored
from stage import JULIET, PARIS, ROMEO, add_person

NOBODY = 99
TOO_LARGE = 10**19
"""A number that SQLite cannot hold; clients may name it."""
SYSTEM = 10000


def account(store: Store, uin: int) -> Account:
    """Return an account that is there."""
    found = store.account(uin)
    assert found is not None
    return found


# --- accounts ------------------------------------------------------------------------------------


def test_accounts_come_back_as_stored(store: Store) -> None:
    """An account is found by its number; without more said, it is as careful as can be."""
    found = account(store, ROMEO)
    assert (found.uin, found.nick, found.face) == (ROMEO, "Romeo", 0)
    assert (found.who_may_add, found.who_may_write) == ("ask", "friends")
    assert (found.suspended, found.last_seen) == (None, None)
    assert store.account_exists(ROMEO)
    for uin in (NOBODY, TOO_LARGE, -1):
        assert store.account(uin) is None
        assert not store.account_exists(uin)


def test_when_an_account_was_made(store: Store) -> None:
    """The date is that which was said then; nobody has none."""
    assert store.add_account(Account(PARIS + 1, "Tybalt", 0, "proof"), 12.5)
    assert store.account_created(PARIS + 1) == 12.5
    assert store.account_created(NOBODY) is None


def test_accounts_in_pages(store: Store) -> None:
    """All come in order of number, or so many after a number."""
    assert [account.uin for account in store.accounts()] == [ROMEO, JULIET, PARIS]
    assert [account.uin for account in store.accounts(most=2)] == [ROMEO, JULIET]
    assert [account.uin for account in store.accounts(after=ROMEO, most=1)] == [JULIET]
    assert store.accounts(after=PARIS) == []


async def test_whole_account_comes_back(store: Store, database: Database) -> None:
    """All that an account has is stored, with the date of its making."""
    one = Account(20000, "茂丘西奥", 7, "proof", "nobody", "anyone", "for spam")
    assert store.add_account(one, 5.0)
    assert account(store, 20000) == one
    other = Account(20001, "n", 0, "proof", "anyone", "friends")
    assert await store.insert_account(other, 6.0) == 1
    assert account(store, 20001) == other
    created = database.fetch("SELECT created FROM account WHERE uin >= 20000 ORDER BY uin")
    assert created == [(5.0,), (6.0,)]


async def test_number_is_given_once(store: Store) -> None:
    """A second account of a number is not stored, and the first stays."""
    before = account(store, ROMEO)
    assert not store.add_account(Account(ROMEO, "Impostor", 3, "x"), 1.0)
    assert await store.insert_account(Account(ROMEO, "Impostor", 3, "x"), 1.0) == 0
    assert account(store, ROMEO) == before


def test_count_of_accounts(store: Store) -> None:
    """All accounts count, and nothing else."""
    assert store.count_accounts() == 3
    add_person(store, 20000)
    assert store.count_accounts() == 4


def test_free_numbers(store: Store) -> None:
    """The lowest number that nobody has, from one on: before, between or after the others."""
    assert store.free_number(10000) == 10000
    assert store.free_number(ROMEO) == PARIS + 1
    assert store.free_number(20000) == 20000
    add_person(store, PARIS + 2)
    assert store.free_number(ROMEO) == PARIS + 1
    assert store.free_number(PARIS + 2) == PARIS + 3
    add_person(store, PARIS + 1)
    assert store.free_number(ROMEO) == PARIS + 3


async def test_changed_account(store: Store) -> None:
    """Columns change together or one by one; other accounts stay as they are."""
    values: tuple[str | float | None, ...] = (
        "罗密欧",
        5,
        "new proof",
        "anyone",
        "anyone",
        "why",
        7.5,
    )
    assert len(values) == len(SETTABLE)
    assert await store.change_account(ROMEO, **dict(zip(SETTABLE, values, strict=True))) == 1
    changed = account(store, ROMEO)
    assert changed == Account(ROMEO, "罗密欧", 5, "new proof", "anyone", "anyone", "why", 7.5)
    assert await store.change_account(ROMEO, suspended=None) == 1
    assert account(store, ROMEO).suspended is None
    assert account(store, ROMEO).nick == "罗密欧"
    assert account(store, JULIET).nick == "Juliet"
    assert await store.change_account(NOBODY, face=1) == 0


async def test_only_some_columns_change(store: Store) -> None:
    """What is no column that may change is never part of a statement."""
    changes: list[dict[str, float]] = [{}, {"created": 1.0}, {"face = 1 --": 1.0}]
    for values in changes:
        with pytest.raises(AssertionError):
            store.change_account(ROMEO, **values)


async def test_deleted_account(store: Store, database: Database) -> None:
    """What belongs to an account goes with it; messages it has sent stay, the rest too."""
    await asyncio.gather(
        store.insert_friends(ROMEO, PARIS),
        store.change_profile(ROMEO, {"city": "Verona"}),
        store.change_profile(JULIET, {"city": "Verona"}),
        store.add_request(ROMEO, PARIS, 1.0),
        store.add_request(PARIS, ROMEO, 1.0),
        store.add_request(PARIS, JULIET, 1.0),
        store.add_message(ROMEO, JULIET, "farewell", 1.0),
        store.add_message(JULIET, ROMEO, "not read", 1.0),
        store.add_device(Device(ROMEO, "phone", "proof", 1.0)),
        store.add_device(Device(JULIET, "phone", "proof", 1.0)),
    )
    assert await store.delete_account(ROMEO) == 1
    assert not store.account_exists(ROMEO)
    assert [message.text for message in store.messages_after(JULIET, 0, 9)] == ["farewell"]
    left = {
        table: database.fetch(f"SELECT count(*) FROM {table}")[0][0]
        for table in ("account", "friend", "message", "profile", "device", "request")
    }
    assert left == {
        "account": 2, "friend": 0, "message": 1, "profile": 1, "device": 1, "request": 1
    }  # fmt: skip
    assert await store.delete_account(ROMEO) == 0
    assert await store.insert_account(Account(ROMEO, "another", 0, ""), 2.0) == 1
    assert (store.friends(ROMEO), store.profile(ROMEO), store.devices(ROMEO)) == ([], {}, [])


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (Account(1, "n", 3, "scrypt$00$11"), "Account(uin=1, nick='n', face=3)"),
        (Device(1, "phone", "blake2b$00$11", 1.0), "Device(uin=1, name='phone')"),
        (Invitation("scrypt$00", "note", 1.0, 2.0, 3), "Invitation(note='note', uses=3)"),
    ],
)
def test_proofs_are_never_shown(row: object, shown: str) -> None:
    """The proof of a password or code does not stand in what a row looks like."""
    assert repr(row) == shown


# --- profiles ------------------------------------------------------------------------------------


async def test_profile(store: Store) -> None:
    """Entries are added, changed and, when empty, removed; each account has its own."""
    assert store.profile(ROMEO) == {}
    await store.change_profile(ROMEO, {"city": "维罗纳", "age": "17", "name": ""})
    await store.change_profile(JULIET, {"age": "13"})
    assert store.profile(ROMEO) == {"city": "维罗纳", "age": "17"}
    await store.change_profile(ROMEO, {"age": "", "city": "Mantua"})
    assert store.profile(ROMEO) == {"city": "Mantua"}
    assert store.profile(JULIET) == {"age": "13"}
    assert store.profile(NOBODY) == {}


async def test_change_of_nothing(store: Store) -> None:
    """Somebody who changes nothing has nothing to wait for, and must not ask."""
    with pytest.raises(AssertionError):
        store.change_profile(ROMEO, {})


async def test_search(store: Store) -> None:
    """People are found by all entries wanted, in order of number, so many at most."""
    for uin, city, sex in ((ROMEO, "Verona", "m"), (JULIET, "Verona", "f"), (PARIS, "Verona", "m")):
        await store.change_profile(uin, {"city": city, "sex": sex})
    romeo, juliet, paris = (ROMEO, "Romeo", 0), (JULIET, "Juliet", 0), (PARIS, "Paris", 0)
    assert store.search({"city": "Verona"}, 9) == [romeo, juliet, paris]
    assert store.search({"city": "Verona"}, 2) == [romeo, juliet]
    assert store.search({"city": "Verona", "sex": "m"}, 9) == [romeo, paris]
    assert store.search({"city": "Verona", "sex": "x"}, 9) == []
    assert store.search({"city": "' OR 1 --"}, 9) == []
    assert store.search({}, 9) == [romeo, juliet, paris]


async def test_search_leaves_some_out(store: Store) -> None:
    """Who wants to be added by nobody is not found, nor who is suspended."""
    await store.change_account(ROMEO, who_may_add="nobody")
    await store.change_account(JULIET, suspended="for spam")
    assert [uin for uin, _, _ in store.search({}, 9)] == [PARIS]


# --- friends -------------------------------------------------------------------------------------


async def test_friends_go_both_ways(store: Store) -> None:
    """Friendship is stored in both directions, once, and only of accounts."""
    assert store.are_friends(ROMEO, JULIET)
    assert store.are_friends(JULIET, ROMEO)
    assert not store.are_friends(ROMEO, PARIS)
    assert not store.are_friends(ROMEO, TOO_LARGE)
    assert not store.add_friends(JULIET, ROMEO)
    assert await store.insert_friends(JULIET, ROMEO) == 0
    assert await store.insert_friends(ROMEO, PARIS) == 2
    assert store.friends(ROMEO) == [JULIET, PARIS]
    assert store.friends(PARIS) == [ROMEO]
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.add_friends(ROMEO, NOBODY)
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await store.insert_friends(ROMEO, NOBODY)


async def test_friends_part(store: Store) -> None:
    """Who ends a friendship ends it for both, and no other."""
    await store.insert_friends(ROMEO, PARIS)
    assert await store.delete_friends(JULIET, ROMEO) == 2
    assert not store.are_friends(ROMEO, JULIET)
    assert not store.are_friends(JULIET, ROMEO)
    assert store.friends(ROMEO) == [PARIS]
    assert await store.delete_friends(JULIET, ROMEO) == 0


def test_pages_of_friends(store: Store) -> None:
    """Pages are in the order of numbers, from an offset or after a number."""
    for uin in (300, 100, 200):
        store.add_account(Account(uin, f"n{uin}", 3, ""), 0.0)
        store.add_friends(PARIS, uin)
    one, two, three = (100, "n100", 3), (200, "n200", 3), (300, "n300", 3)
    assert store.friends_page(PARIS, 0, 2) == [one, two]
    assert store.friends_page(PARIS, 2, 2) == [three]
    assert store.friends_page(PARIS, 3, 2) == []
    assert store.friends_page(PARIS, TOO_LARGE, 2) == []
    assert store.friends_after(PARIS, 0, 2) == [one, two]
    assert store.friends_after(PARIS, 200, 2) == [three]
    assert store.friends_after(PARIS, TOO_LARGE, 2) == []


# --- friend requests -----------------------------------------------------------------------------


async def test_requests(store: Store, database: Database) -> None:
    """A request waits until it is forgotten; asking again is the same request, later."""
    await store.add_request(PARIS, JULIET, 1.0)
    await store.add_request(ROMEO, JULIET, 1.0)
    assert await store.add_request(PARIS, JULIET, 2.0) == 1
    assert store.has_request(PARIS, JULIET)
    assert not store.has_request(JULIET, PARIS)
    assert not store.has_request(PARIS, TOO_LARGE)
    assert store.requests_to(JULIET, 9) == [ROMEO, PARIS]
    assert store.requests_to(JULIET, 1) == [ROMEO]
    await store.add_request(PARIS, ROMEO, 3.0)
    assert store.requests_from(PARIS) == [ROMEO, JULIET]
    assert store.requests_from(JULIET) == []
    assert database.fetch("SELECT at FROM request WHERE asked = ? ORDER BY asker", JULIET) == [
        (1.0,),
        (2.0,),
    ]
    assert await store.delete_request(PARIS, JULIET) == 1
    assert await store.delete_request(PARIS, JULIET) == 0
    assert store.requests_to(JULIET, 9) == [ROMEO]


# --- messages ------------------------------------------------------------------------------------


async def test_when_messages_were_sent(store: Store) -> None:
    """The dates are of the same messages as those of a page."""
    for date in (1.5, 2.5, 3.5):
        await store.add_message(ROMEO, JULIET, "hello", date)
    first, second, _ = store.messages_after(JULIET, 0, 9)
    assert store.dates_of_messages(JULIET, 0, 2) == {first.id: 1.5, second.id: 2.5}
    assert store.dates_of_messages(JULIET, second.id, 2) == {second.id + 1: 3.5}
    assert store.dates_of_messages(ROMEO, 0, 9) == {}


async def test_messages_wait_in_order(store: Store) -> None:
    """Messages come oldest first, from an id on, for their receiver only."""
    texts = ["one", "", "你好 😀", "a\r\nb\0c", "no utf-8: \udcff\udc80"]
    for text in texts:
        await store.add_message(ROMEO, JULIET, text, 5.0)
    await store.add_message(JULIET, ROMEO, "back", 5.0)
    waiting = store.messages_after(JULIET, 0, 10)
    assert [message.text for message in waiting] == texts
    assert {(message.sender, message.kind) for message in waiting} == {(ROMEO, Kind.MESSAGE)}
    assert store.messages_after(JULIET, waiting[1].id, 2) == waiting[2:4]
    assert store.count_messages(JULIET, 3) == 3
    assert store.count_messages(JULIET, 100) == 5
    assert store.count_messages(PARIS, 100) == 0


async def test_notices_wait_among_messages(store: Store) -> None:
    """Notices keep their kind and place; the system, which has no account, may send, too."""
    for kind in Kind:
        await store.add_message(ROMEO, JULIET, kind.value, 5.0, kind)
    await store.add_message(SYSTEM, JULIET, "maintenance", 5.0)
    found = [(one.sender, one.text, one.kind) for one in store.messages_after(JULIET, 0, 9)]
    assert found == [
        *((ROMEO, kind.value, kind) for kind in Kind),
        (SYSTEM, "maintenance", Kind.MESSAGE),
    ]
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await store.add_message(ROMEO, SYSTEM, "hello", 5.0)


async def test_announcement(store: Store) -> None:
    """Everybody gets it who is not suspended and has room for it."""
    for text in ("one", "two"):
        await store.add_message(ROMEO, JULIET, text, 5.0)
    await store.add_message(ROMEO, PARIS, "one", 5.0)
    await store.change_account(ROMEO, suspended="for spam")
    assert await store.announce(SYSTEM, "no utf-8: \udcff", 6.0, 2) == 1
    assert await store.announce(SYSTEM, "again", 7.0, 3) == 2
    assert [store.count_messages(uin, 9) for uin in (ROMEO, JULIET, PARIS)] == [0, 3, 3]
    assert [(one.sender, one.text, one.kind) for one in store.messages_after(PARIS, 0, 9)] == [
        (ROMEO, "one", Kind.MESSAGE),
        (SYSTEM, "no utf-8: \udcff", Kind.MESSAGE),
        (SYSTEM, "again", Kind.MESSAGE),
    ]


async def test_delivered_messages_are_deleted(store: Store) -> None:
    """Deletion takes the receiver's messages up to an id, and no id comes back."""
    for text in ("one", "two", "three"):
        await store.add_message(ROMEO, JULIET, text, 5.0)
    await store.add_message(JULIET, ROMEO, "back", 5.0)
    last = store.messages_after(JULIET, 0, 10)[-1].id
    assert await store.delete_messages({JULIET: last - 1}) == 2
    assert store.messages_after(JULIET, 0, 10) == [Stored(last, ROMEO, "three")]
    await store.delete_messages({JULIET: 10**6})
    await store.delete_messages({ROMEO: 10**6})
    await store.add_message(ROMEO, JULIET, "four", 5.0)
    assert store.messages_after(JULIET, 0, 10)[0].id > last + 1


# --- devices -------------------------------------------------------------------------------------


async def test_devices(store: Store) -> None:
    """Devices come by name, each account's own, with when they were last seen."""
    phone, emulator = Device(ROMEO, "phone", "p1", 1.0), Device(ROMEO, "emulator", "p2", 2.0)
    assert await store.add_device(phone) == 1
    assert await store.add_device(emulator) == 1
    assert await store.add_device(Device(ROMEO, "phone", "p3", 3.0)) == 0
    assert await store.add_device(Device(JULIET, "phone", "p4", 4.0)) == 1
    assert store.devices(ROMEO) == [emulator, phone]
    assert await store.saw_device(ROMEO, "phone", 9.0) == 1
    assert [device.last_seen for device in store.devices(ROMEO)] == [None, 9.0]
    assert await store.saw_device(ROMEO, "nothing", 9.0) == 0
    assert await store.delete_device(ROMEO, "phone") == 1
    assert await store.delete_device(ROMEO, "phone") == 0
    assert store.devices(ROMEO) == [emulator]
    assert [device.proof for device in store.devices(JULIET)] == ["p4"]
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        await store.add_device(Device(NOBODY, "phone", "p", 1.0))


# --- invitations ---------------------------------------------------------------------------------

NEW = Account(20000, "Mercutio", 0, "scrypt of his", "nobody", "anyone")


async def test_invitations_come_back(store: Store) -> None:
    """Invitations are listed in the order they were made; those of no more use can be deleted."""
    used_up = Invitation("a", "used up", 3.0, 100.0, 0)
    expired = Invitation("b", "expired", 2.0, 50.0, 1)
    good = Invitation("c", "", 1.0, 100.0, 1)
    for one in (used_up, expired, good):
        assert await store.add_invitation(one) == 1
    assert store.invitations() == [good, expired, used_up]
    assert [store.has_invitation(proof, 50.0) for proof in "abcd"] == [False, False, True, False]
    assert store.has_invitation("b", 49.9)
    assert await store.delete_invitations() == 1
    assert store.invitations() == [good, expired]
    with pytest.raises(StoreError, match="UNIQUE"):
        await store.add_invitation(good)


async def test_invited_account(store: Store, database: Database) -> None:
    """Account and invitation change together, and only the one that was named."""
    await store.add_invitation(Invitation("a", "", 1.0, 100.0, 2))
    await store.add_invitation(Invitation("b", "", 1.0, 100.0, 2))
    assert await store.register_account(NEW, 99.0, "a") == 1
    assert account(store, NEW.uin) == NEW
    assert database.fetch("SELECT created FROM account WHERE uin = ?", NEW.uin) == [(99.0,)]
    assert [one.uses for one in store.invitations()] == [1, 2]


@pytest.mark.parametrize(
    ("uin", "now", "proof"),
    [(ROMEO, 99.0, "a"), (20000, 100.0, "a"), (20000, 99.0, "used up"), (20000, 99.0, "none")],
)
async def test_neither_account_nor_use(store: Store, uin: int, now: float, proof: str) -> None:
    """A number that is taken, and an invitation that is no good, change nothing."""
    await store.add_invitation(Invitation("a", "", 1.0, 100.0, 2))
    await store.add_invitation(Invitation("used up", "", 2.0, 100.0, 0))
    before = store.accounts()
    assert await store.register_account(Account(uin, "n", 0, "new"), now, proof) == 0
    assert store.accounts() == before
    assert [one.uses for one in store.invitations()] == [2, 0]


def _fails(table: str) -> str:
    return f"CREATE TRIGGER full BEFORE {table} BEGIN SELECT RAISE(ABORT, 'no room'); END"


@pytest.mark.parametrize("others", [lambda _: None, lambda store: store.saw_device(1, "\udcff", 0)])
async def test_no_use_without_account(
    store: Store, database: Database, others: Callable[[Store], object]
) -> None:
    """When the account cannot be stored the invitation stays, also next to writes that fail."""
    await store.add_invitation(Invitation("a", "", 1.0, 100.0, 1))
    database.execute(_fails("INSERT ON account"))
    others(store)
    with pytest.raises(StoreError, match="no room"):
        await store.register_account(NEW, 1.0, "a")
    assert [one.uses for one in store.invitations()] == [1]
    database.execute("DROP TRIGGER full")
    others(store)
    assert await store.register_account(NEW, 1.0, "a") == 1
    await store.delete_messages({ROMEO: 0})  # what was written before is on disk, too
    assert [one.uses for one in store.invitations()] == [0]


async def test_one_use_for_two(store: Store) -> None:
    """Of two in one transaction one gets the last use; another number does not help."""
    await store.add_invitation(Invitation("a", "", 1.0, 100.0, 1))
    asked = [
        store.register_account(Account(uin, "n", 0, f"proof {uin}"), 1.0, "a")
        for uin in (20000, 20001)
    ]
    assert await asyncio.gather(*asked) == [1, 0]
    assert [one.uses for one in store.invitations()] == [0]
    assert not store.account_exists(20001)


async def test_friends_are_remembered_until_they_part(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever it is that parts them: the store, an account's end, or somebody else's program."""
    monkeypatch.setattr(database_module, "_LOOK_EVERY", 0.0)
    assert store.are_friends(ROMEO, JULIET)
    database.execute("DELETE FROM friend")
    assert not store.are_friends(ROMEO, JULIET)  # it may be long since anything was written
    assert store.add_friends(ROMEO, JULIET)
    await database.write("SELECT 1")
    assert store.are_friends(ROMEO, JULIET)
    database.execute("ALTER TABLE friend RENAME TO away")
    assert store.are_friends(ROMEO, JULIET)  # without a look
    database.execute("ALTER TABLE away RENAME TO friend")
    database.execute("DELETE FROM friend")
    await database.write("SELECT 1")
    assert not store.are_friends(ROMEO, JULIET)
    assert store.add_friends(ROMEO, JULIET)
    assert store.are_friends(ROMEO, JULIET)
    assert await store.delete_friends(ROMEO, JULIET) == 2
    assert not store.are_friends(ROMEO, JULIET)
    assert store.add_friends(ROMEO, JULIET)
    assert store.are_friends(ROMEO, JULIET)
    assert await store.delete_account(JULIET) == 1
    assert not store.are_friends(ROMEO, JULIET)


async def test_friends_that_are_remembered_are_bounded(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond that all are looked up again."""
    monkeypatch.setattr(module, "_PAIRS", 1)
    assert store.are_friends(ROMEO, JULIET)
    assert store.are_friends(JULIET, ROMEO)
    assert len(store._friends) == 1


async def test_messages_that_are_being_stored(store: Store) -> None:
    """They are what will be told of, with what they are; until then they count as unfinished."""
    told: list[tuple[int, int, int, str, Kind]] = []
    store.on_stored(
        lambda messages: told.extend(
            (one.number, one.receiver, one.sender, one.text, one.kind) for one in messages
        )
    )
    new = [
        store.add_message(ROMEO, JULIET, "\udcff二", 1.0),
        store.add_message(JULIET, ROMEO, "", 1.0, Kind.ACCEPTED),
    ]
    assert (store.unfinished(JULIET), store.unfinished(PARIS), told) == (1, 0, [])
    assert await asyncio.gather(*new) == [1, 2]
    assert store.unfinished(JULIET) == 0
    assert told == [
        (1, JULIET, ROMEO, "\udcff二", Kind.MESSAGE),
        (2, ROMEO, JULIET, "", Kind.ACCEPTED),
    ]


async def test_friends_by_the_time_of_the_caller(store: Store, database: Database) -> None:
    """What is remembered is believed for a second after the last look at what others wrote."""
    await store.change_account(PARIS, face=1)
    assert store.are_friends(ROMEO, JULIET)
    database.execute("DELETE FROM friend")
    assert store.are_friends(ROMEO, JULIET, database.looked + 0.9)
    assert not store.are_friends(ROMEO, JULIET, database.looked + 1.1)
