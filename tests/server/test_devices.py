"""Device passwords: easy to press, hard to guess, taken back one by one."""

import os
from collections import Counter
from collections.abc import Callable

import pytest

from kqq.errors import AccountError, StoreError
from kqq.server.accounts import password_md5
from kqq.server.database import Database
from kqq.server.devices import (
    ALPHABET,
    LONGEST_NAME,
    MOST_DEVICES,
    add_device,
    check_quick_proof,
    find_device,
    grouped,
    keypad_word,
    quick_proof,
    revoke_device,
    ungrouped,
)
from kqq.server.store import Store
from stage import JULIET, MD5, ROMEO


def bytes_of(*values: int) -> Callable[[int], bytes]:
    """Return a source of just these bytes, over and over."""

    def random(size: int) -> bytes:
        return bytes(values[position % len(values)] for position in range(size))

    return random


def test_signs_are_one_press_each() -> None:
    """The signs are the first letters of the eight keys that have letters, and the ten digits."""
    keys = ["abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz"]
    assert "".join(key[0] for key in keys) + "0123456789" == ALPHABET


def test_every_sign_is_as_likely() -> None:
    """All bytes that count give each sign equally often; the others are drawn again."""
    word = keypad_word(bytes_of(*range(256)), 2 * 252)
    assert set(Counter(word[:252]).values()) == {252 // 18}
    assert word[:252] == word[252:]
    assert keypad_word(bytes_of(255, 254, 253, 252, 251), 3) == ALPHABET[251 % 18] * 3
    assert len(keypad_word(os.urandom, 16)) == 16
    assert keypad_word(os.urandom, 16) != keypad_word(os.urandom, 16)


def test_groups_are_for_people() -> None:
    """A word is shown in fours, and what is typed may have blanks, hyphens and capitals."""
    assert grouped("adgjmptw01234567") == "adgj mptw 0123 4567"
    assert grouped("adgjm") == "adgj m"
    assert grouped("") == ""
    assert ungrouped(" ADGJ mptw-0123\n4567 ") == "adgjmptw01234567"


def test_quick_proof_fits_its_password_only() -> None:
    """A proof is a salted hash that fits one MD5, in either case."""
    proof = quick_proof(MD5, b"0123456789abcdef")
    assert proof.startswith(f"blake2b${b'0123456789abcdef'.hex()}$")
    assert MD5.lower() not in proof
    assert check_quick_proof(MD5.lower(), proof)
    assert check_quick_proof(MD5.upper(), proof)
    assert not check_quick_proof(password_md5("wrong"), proof)
    assert quick_proof(MD5, b"another salt") != proof


@pytest.mark.parametrize("proof", ["blake9$00$11", "blake2b$00", ""])
def test_unknown_form_is_refused(proof: str) -> None:
    """What a newer kqq has stored is StoreError, which does not show it."""
    with pytest.raises(StoreError, match="use a newer") as caught:
        check_quick_proof(MD5, proof)
    assert "$" not in str(caught.value)


async def test_device_is_found_by_its_password(store: Store) -> None:
    """Each device has a password of its own, for its account only; it is not in the database."""
    first = await add_device(store, ROMEO, "Nokia 6230", 5.0, os.urandom)
    other = await add_device(store, ROMEO, "emulator", 6.0, os.urandom)
    assert len(first) == 16
    assert set(first) <= set(ALPHABET)
    found = find_device(store, ROMEO, password_md5(first).upper())
    assert found is not None
    assert (found.uin, found.name, found.created, found.last_seen) == (
        ROMEO,
        "Nokia 6230",
        5.0,
        None,
    )
    found = find_device(store, ROMEO, password_md5(other))
    assert found is not None
    assert found.name == "emulator"
    assert find_device(store, JULIET, password_md5(first)) is None
    assert find_device(store, ROMEO, MD5) is None
    for device in store.devices(ROMEO):
        assert first not in device.proof
        assert password_md5(first) not in device.proof


async def test_revoked_device(store: Store) -> None:
    """A password taken back is gone, the others stay; its name can be used again."""
    first = await add_device(store, ROMEO, "first", 5.0, os.urandom)
    other = await add_device(store, ROMEO, "other", 5.0, os.urandom)
    await revoke_device(store, ROMEO, "first")
    assert find_device(store, ROMEO, password_md5(first)) is None
    assert find_device(store, ROMEO, password_md5(other)) is not None
    with pytest.raises(AccountError, match="10001 has no device 'first'"):
        await revoke_device(store, ROMEO, "first")
    with pytest.raises(AccountError, match="10002 has no device 'other'"):
        await revoke_device(store, JULIET, "other")
    assert await add_device(store, ROMEO, "first", 7.0, os.urandom) != first


@pytest.mark.parametrize(
    ("uin", "name", "why"),
    [
        (ROMEO, "", "cannot be a device's name"),
        (ROMEO, "n" * (LONGEST_NAME + 1), "cannot be a device's name"),
        (ROMEO, "a\nb", "cannot be a device's name"),
        (ROMEO, " a", "cannot be a device's name"),
        (ROMEO, "taken", "10001 has a device 'taken' already"),
        (99, "n", "there is no account 99"),
    ],
)
async def test_device_that_will_not_do(store: Store, uin: int, name: str, why: str) -> None:
    """Names that cannot be used, and accounts that are not there, are refused in words."""
    await add_device(store, ROMEO, "taken", 5.0, os.urandom)
    with pytest.raises(AccountError, match=why):
        await add_device(store, uin, name, 5.0, os.urandom)
    assert [device.name for device in store.devices(ROMEO)] == ["taken"]


async def test_devices_of_an_account_are_bounded(store: Store, database: Database) -> None:
    """An account has at most twenty; others are not concerned."""
    for number in range(MOST_DEVICES):
        await add_device(store, ROMEO, f"{number} 手机".ljust(LONGEST_NAME, "."), 5.0, os.urandom)
    with pytest.raises(AccountError, match="10001 has 20 devices; revoke one"):
        await add_device(store, ROMEO, "one more", 5.0, os.urandom)
    await add_device(store, JULIET, "one more", 5.0, os.urandom)
    assert database.fetch("SELECT count(*) FROM device") == [(MOST_DEVICES + 1,)]


@pytest.mark.parametrize("name", [".", "..", "..."])
async def test_names_that_browsers_would_take_for_folders(store: Store, name: str) -> None:
    """A page names a device in an address, where such a part is taken away."""
    with pytest.raises(AccountError, match="cannot be a device's name"):
        await add_device(store, ROMEO, name, 0.0, os.urandom)
