"""What people say of themselves, and who is found by it."""

import pytest

from kqq.protocol import GetInfoReply
from kqq.server.friends import Friend
from kqq.server.profiles import PROFILE, Profile, Profiles
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
