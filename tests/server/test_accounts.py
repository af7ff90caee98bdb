"""Passwords: what is stored, how they are checked, what is remembered."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from kqq.errors import AccountError
from kqq.server import accounts as module
from kqq.server.accounts import (
    HIGHEST_UIN,
    LONGEST_NICK,
    LOWEST_UIN,
    Accounts,
    NoSuchAccount,
    TooBusy,
    WrongPassword,
    add_account,
    check_proof,
    make_proof,
    password_md5,
)
from kqq.server.database import Database
from kqq.server.store import Store
from stage import JULIET, MD5, ROMEO, ManualClock

WRONG = password_md5("wrong")


@pytest.fixture
def clock() -> ManualClock:
    """A clock moved by hand."""
    return ManualClock()


@pytest.fixture
def accounts(store: Store, clock: ManualClock) -> Iterator[Accounts]:
    """Accounts that check one password at a time."""
    accounts = Accounts(store, clock, os.urandom, 1)
    yield accounts
    accounts.close()


async def is_busy(accounts: Accounts, uin: int, md5: str) -> bool:
    """Return whether a check needs the thread: while it is taken, it is refused."""
    taken = asyncio.create_task(accounts.authenticate(JULIET, WRONG))
    await asyncio.sleep(0)
    try:
        await accounts.authenticate(uin, md5)
    except TooBusy:
        return True
    finally:
        with pytest.raises(WrongPassword):
            await taken
    return False


def test_md5_is_what_phones_send() -> None:
    """The MD5 of `secret` is that of the examples of the protocol."""
    assert password_md5("secret") == "5ebe2294ecd0e0f08eab7690d2a6ee69"
    assert len(password_md5("密码")) == 32


def test_proof_fits_its_password_only() -> None:
    """A proof is salted scrypt that fits one MD5, in either case."""
    proof = make_proof(password_md5("secret"), b"salt")
    assert proof.startswith(f"scrypt${b'salt'.hex()}$")
    assert MD5.lower() not in proof
    assert check_proof(MD5.lower(), proof)
    assert check_proof(MD5.upper(), proof)
    assert not check_proof(WRONG, proof)
    assert make_proof(MD5, b"pepper") != proof


def test_added_account_has_a_salt_of_its_own(store: Store) -> None:
    """Two accounts with one password have different proofs, and both fit."""
    one = add_account(store, LOWEST_UIN + 100, "罗密欧", "secret", 1.0)
    other = add_account(store, HIGHEST_UIN, "n" * LONGEST_NICK, "secret", 2.0)
    assert one.proof != other.proof
    assert check_proof(MD5, one.proof)
    assert check_proof(MD5, other.proof)
    assert store.account(one.uin) == one


@pytest.mark.parametrize(
    ("uin", "nick", "password", "why"),
    [
        (LOWEST_UIN - 1, "n", "p", "cannot be a number"),
        (HIGHEST_UIN + 1, "n", "p", "cannot be a number"),
        (20000, "", "p", "cannot be a nickname"),
        (20000, "n" * (LONGEST_NICK + 1), "p", "cannot be a nickname"),
        (20000, "a\nb", "p", "cannot be a nickname"),
        (20000, "n", "", "empty password"),
        (ROMEO, "n", "p", "there is an account 10001 already"),
    ],
)
def test_account_that_will_not_do(
    store: Store, uin: int, nick: str, password: str, why: str
) -> None:
    """Numbers, nicknames and passwords that cannot be used are refused in words."""
    with pytest.raises(AccountError, match=why):
        add_account(store, uin, nick, password, 1.0)
    assert len(store.accounts()) == 3


async def test_right_password(accounts: Accounts) -> None:
    """The right password, in either case, gives the account."""
    assert (await accounts.authenticate(ROMEO, MD5.upper())).nick == "Romeo"
    assert (await accounts.authenticate(ROMEO, MD5.lower())).nick == "Romeo"


async def test_wrong_password_and_nobody(accounts: Accounts) -> None:
    """A wrong password and a number that nobody has are told apart."""
    with pytest.raises(WrongPassword):
        await accounts.authenticate(ROMEO, WRONG)
    with pytest.raises(NoSuchAccount):
        await accounts.authenticate(99, MD5)


async def test_success_is_remembered(accounts: Accounts, clock: ManualClock) -> None:
    """A password that was right lately is not checked again; each account's by itself."""
    assert await is_busy(accounts, ROMEO, MD5)
    await accounts.authenticate(ROMEO, MD5)
    assert not await is_busy(accounts, ROMEO, MD5.lower())
    assert await is_busy(accounts, ROMEO, WRONG)
    assert await is_busy(accounts, JULIET, MD5)
    clock.advance(599)
    assert not await is_busy(accounts, ROMEO, MD5)
    clock.advance(2)
    assert await is_busy(accounts, ROMEO, MD5)


async def test_changed_password_is_noticed(accounts: Accounts, database: Database) -> None:
    """What is remembered counts for the proof it was checked against."""
    await accounts.authenticate(ROMEO, MD5)
    changed = make_proof(password_md5("new"), b"salt")
    database.execute("UPDATE account SET proof = ? WHERE uin = ?", changed, ROMEO)
    with pytest.raises(WrongPassword):
        await accounts.authenticate(ROMEO, MD5)
    assert (await accounts.authenticate(ROMEO, password_md5("new"))).uin == ROMEO


async def test_memory_is_bounded(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many successes are remembered; the oldest is forgotten first."""
    monkeypatch.setattr(module, "_REMEMBERED", 1)
    await accounts.authenticate(ROMEO, MD5)
    await accounts.authenticate(JULIET, MD5)
    assert await is_busy(accounts, ROMEO, MD5)
    assert not await is_busy(accounts, JULIET, MD5)
    assert len(accounts._remembered) == 1


async def test_too_many_checks_are_refused(accounts: Accounts) -> None:
    """Once too many wait, more are refused; and taken again when those are done."""
    results = await asyncio.gather(
        *(accounts.authenticate(ROMEO, MD5) for _ in range(5)), return_exceptions=True
    )
    assert [type(result) for result in results[1:]] == [TooBusy] * 4
    assert (await accounts.authenticate(ROMEO, MD5)).uin == ROMEO


async def test_close_drops_what_waits(store: Store, clock: ManualClock) -> None:
    """Checks that have not begun when the accounts are closed are cancelled."""
    accounts = Accounts(store, clock, os.urandom, 10)
    checks = [asyncio.create_task(accounts.authenticate(ROMEO, WRONG)) for _ in range(6)]
    await asyncio.sleep(0)
    accounts.close()
    kinds = {type(r) for r in await asyncio.gather(*checks, return_exceptions=True)}
    assert kinds == {WrongPassword, asyncio.CancelledError}
