"""What people say of themselves, and who is found by it."""

import pytest

from kqq.errors import AccountError
from kqq.protocol import GetInfoReply
from kqq.server.friends import Friend
from kqq.server.profiles import PROFILE, Profile, Profiles, set_values
from kqq.server.store import Store
from stage import JULIET, PARIS, ROMEO, add_person


@pytest.fixture
async def profiles(store: Store) -> Profiles:
    """Three people; Romeo and Juliet have said how old they are."""
    store.change_profile(ROMEO, {"age": "16", "sex": "0", "about": "in love"})
    store.change_profile(PARIS, {"sex": "0"})
    await store.change_profile(JULIET, {"age": "13", "sex": "1"})
    return Profiles(store)


def found(profiles: Profiles, besides: int = 0, most: int = 9, **wanted: str) -> list[int]:
    """Return the numbers of those who are found, none being left out."""
    people, more = profiles.search(wanted, besides, most)
    assert not more
    return [friend.uin for friend in people]


def test_entries_are_fields_of_the_reply() -> None:
    """Every entry is one of those of GetInfo, and none is missing."""
    fields = {declared.attribute for declared in GetInfoReply.spec.fields}
    assert fields - {"face", "level", "number", "nick"} == set(PROFILE)


async def test_profile(profiles: Profiles, store: Store) -> None:
    """A profile has the account's nickname and face, and the entries that are set."""
    await store.change_account(ROMEO, face=270)
    assert profiles.of(ROMEO) == Profile(
        ROMEO, "Romeo", 270, {"age": "16", "sex": "0", "about": "in love"}
    )
    assert profiles.of(99) is None
    assert profiles.of(10**19) is None


async def test_search(profiles: Profiles) -> None:
    """All entries wanted must be as wanted; who searches is not found."""
    assert found(profiles) == [ROMEO, JULIET, PARIS]
    assert found(profiles, sex="0") == [ROMEO, PARIS]
    assert found(profiles, sex="0", age="16") == [ROMEO]
    assert found(profiles, ROMEO, sex="0") == [PARIS]
    assert found(profiles, age="1") == []


async def test_who_is_not_found(profiles: Profiles, store: Store) -> None:
    """Who lets nobody add them, and who is suspended, is not found."""
    await store.change_account(PARIS, who_may_add="nobody")
    await store.change_account(JULIET, suspended="")
    assert found(profiles) == [ROMEO]


@pytest.mark.parametrize("besides", [0, 20001, 20003])
async def test_so_many_are_found(store: Store, besides: int) -> None:
    """At most so many, in order of number, and whether there are more; oneself does not count."""
    for uin in (20001, 20002, 20003):
        add_person(store, uin)
        await store.change_profile(uin, {"city": "Verona"})
    all_but = [uin for uin in (20001, 20002, 20003) if uin != besides]
    for most in (1, 2, 3):
        people, more = Profiles(store).search({"city": "Verona"}, besides, most)
        assert people == [Friend(uin, f"n{uin}", 0) for uin in all_but[:most]]
        assert more == (len(all_but) > most)


async def test_set_values(profiles: Profiles, store: Store) -> None:
    """Columns of the account and entries of the profile; an empty entry is removed."""
    values = {"nick": "罗密欧", "face": "24", "who_may_add": "nobody", "who_may_write": "anyone"}
    await set_values(store, ROMEO, {**values, "age": "", "city": "Verona"}, proof="new")
    entries = {"sex": "0", "about": "in love", "city": "Verona"}
    assert profiles.of(ROMEO) == Profile(ROMEO, "罗密欧", 24, entries)
    account = store.account(ROMEO)
    assert account is not None
    assert (account.who_may_add, account.who_may_write, account.proof) == (
        "nobody", "anyone", "new",
    )  # fmt: skip
    await set_values(store, ROMEO, {})
    assert store.account(ROMEO) == account


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("nick", "", "cannot be a nickname"),
        ("face", "65536", "face=65536 cannot be; take a number up to 65535"),
        ("face", "x", "face=x cannot be"),
        ("who_may_add", "friends", "take anyone or ask or nobody"),
        ("who_may_write", "ask", "take friends or anyone"),
        ("proof", "x", "'proof' cannot be set"),
        ("about", "a" * 257, "take up to 256 printable"),
        ("about", "a\nb", "take up to 256 printable"),
    ],
)
async def test_what_cannot_be_set(store: Store, name: str, value: str, words: str) -> None:
    """If one value will not do, none is taken."""
    with pytest.raises(AccountError, match=words):
        await set_values(store, ROMEO, {"age": "17", name: value}, proof="new")
    assert store.profile(ROMEO) == {}
    account = store.account(ROMEO)
    assert account is not None
    assert account.proof != "new"
