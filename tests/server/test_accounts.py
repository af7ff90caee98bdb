"""Passwords: what is stored, how they are checked, what is remembered."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from kqq.errors import AccountError, StoreError
from kqq.server import accounts as module
from kqq.server.accounts import (
    HIGHEST_UIN,
    LONGEST_NICK,
    LOWEST_UIN,
    Accounts,
    NoSuchAccount,
    Suspended,
    TooBusy,
    WrongPassword,
    add_account,
    check_nick,
    check_password,
    check_proof,
    check_uin,
    make_proof,
    new_proof,
    password_md5,
    read_number,
)
from kqq.server.checks import Checks
from kqq.server.devices import add_device, revoke_device
from kqq.server.store import Store
from kqq.server.transaction import Written
from stage import JULIET, MD5, PARIS, ROMEO, WAIT, ManualClock

WRONG = password_md5("wrong")
HERE, THERE = "192.0.2.1", "192.0.2.2"
OLD_PROOF = (
    "scrypt$73616c7420666f722074657374696e67$"
    "8f699d11860b0ac88b1af7c9aa3f1de978b5007380b06dfc8e86b154661e0f0e"
)


@pytest.fixture
def clock() -> ManualClock:
    """A clock moved by hand."""
    return ManualClock()


@pytest.fixture
def checks() -> Iterator[Checks]:
    """Checks, one password at a time."""
    checks = Checks(1, lambda: 1)
    yield checks
    checks.close()


@pytest.fixture
def accounts(store: Store, clock: ManualClock, checks: Checks) -> Accounts:
    """Accounts that check one password at a time."""
    return Accounts(store, clock, os.urandom, checks)


async def is_busy(accounts: Accounts, uin: int, md5: str) -> bool:
    """Return whether a check needs the thread: while it is taken, it is refused."""
    taken = asyncio.create_task(accounts.authenticate(PARIS, WRONG, THERE))
    await asyncio.sleep(0)
    assert accounts._waiting == 1
    try:
        await accounts.authenticate(uin, md5, HERE)
    except TooBusy:
        return True
    finally:
        with pytest.raises(WrongPassword):
            await taken
    return False


# --- proofs --------------------------------------------------------------------------------------


def test_md5_is_what_phones_send() -> None:
    """The MD5 of `secret` is that of the examples of the protocol."""
    assert password_md5("secret") == "5ebe2294ecd0e0f08eab7690d2a6ee69"
    assert len(password_md5("密码")) == 32


def test_proof_fits_its_password_only() -> None:
    """A proof is salted scrypt that fits one MD5, in either case, and says what it cost."""
    proof = make_proof(password_md5("secret"), b"salt")
    assert proof.startswith(f"scrypt$14$8$1${b'salt'.hex()}$")
    assert MD5.lower() not in proof
    assert check_proof(MD5.lower(), proof)
    assert check_proof(MD5.upper(), proof)
    assert not check_proof(WRONG, proof)
    assert make_proof(MD5, b"pepper") != proof


def test_older_and_other_proofs_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs without their cost are those of the first cost; others are checked as they say."""
    assert check_proof(MD5, OLD_PROOF)
    assert not check_proof(WRONG, OLD_PROOF)
    monkeypatch.setattr(module, "_COST", (15, 16, 2))
    dearer = make_proof(MD5, b"salt")
    assert dearer.startswith("scrypt$15$16$2$")
    monkeypatch.undo()
    assert check_proof(MD5, dearer)
    assert not check_proof(WRONG, dearer)


@pytest.mark.parametrize("proof", ["argon2$00$11", "scrypt$00", "scrypt$1$2$3$4$5$6", ""])
def test_unknown_proof_is_refused(proof: str) -> None:
    """What a newer kqq has stored is StoreError, which does not show it."""
    with pytest.raises(StoreError, match="use a newer") as caught:
        check_proof(MD5, proof)
    assert "$" not in str(caught.value)


async def test_proof_made_in_turn(accounts: Accounts, checks: Checks) -> None:
    """Made on a thread, as it is slow; it waits its turn as checks do."""
    proof = await accounts.new_proof("new", HERE)
    assert check_proof(password_md5("new"), proof)
    assert proof != await accounts.new_proof("new", HERE)
    with pytest.raises(AccountError, match="empty password"):
        await accounts.new_proof("", HERE)
    checks.close()
    with pytest.raises(TooBusy):
        await accounts.new_proof("new", HERE)


@pytest.mark.parametrize(
    ("text", "number"),
    [("10001", 10001), ("0", 0), ("", None), ("-1", None), ("²", None), ("1" * 11, None)],
)
def test_numbers_as_text(text: str, number: int | None) -> None:
    """Digits, not more than a number has."""
    assert read_number(text) == number


def test_new_proof_has_a_salt_of_its_own() -> None:
    """Two proofs of one password differ, and both fit."""
    one, other = new_proof("secret", os.urandom), new_proof("secret", os.urandom)
    assert one != other
    assert check_proof(MD5, one)
    assert check_proof(MD5, other)
    with pytest.raises(AccountError, match="empty password"):
        new_proof("", os.urandom)


# --- what will do --------------------------------------------------------------------------------


@pytest.mark.parametrize("uin", [LOWEST_UIN, HIGHEST_UIN])
def test_numbers_that_will_do(uin: int) -> None:
    """The first and the last number can be used, those beyond cannot."""
    check_uin(uin)
    for beyond in (LOWEST_UIN - 1, HIGHEST_UIN + 1, 0, -1):
        with pytest.raises(AccountError, match=f"{beyond} cannot be a number"):
            check_uin(beyond)


def test_nicks_that_will_do() -> None:
    """Printable signs of any script, without blanks around them."""
    for nick in ("n", "n" * LONGEST_NICK, "罗密欧", "a b", "😀"):
        check_nick(nick)
    for nick in ("", "n" * (LONGEST_NICK + 1), "a\nb", " a", "a ", "\udcff"):
        with pytest.raises(AccountError, match="cannot be a nickname"):
            check_nick(nick)


def test_passwords_that_will_do() -> None:
    """Anything that can be sent; and what cannot is not shown."""
    for password in ("p", "密码", " ", "p" * 1000):
        check_password(password)
    with pytest.raises(AccountError, match="empty password"):
        check_password("")
    with pytest.raises(AccountError, match="no UTF-8") as caught:
        check_password("secret\udcff")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# --- adding --------------------------------------------------------------------------------------


def test_added_account(store: Store) -> None:
    """An account comes back as it was added."""
    added = add_account(store, HIGHEST_UIN, "罗密欧", "secret", 1.0)
    assert check_proof(MD5, added.proof)
    assert (added.who_may_add, added.who_may_write) == ("ask", "friends")
    assert store.account(added.uin) == added
    added = add_account(
        store, 20000, "n", "secret", 1.0, who_may_add="nobody", who_may_write="anyone"
    )
    assert (added.who_may_add, added.who_may_write) == ("nobody", "anyone")
    assert store.account(20000) == added


@pytest.mark.parametrize(
    ("uin", "nick", "password", "why"),
    [
        (LOWEST_UIN - 1, "n", "p", "cannot be a number"),
        (20000, "", "p", "cannot be a nickname"),
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


# --- signing in ----------------------------------------------------------------------------------


async def test_right_password(accounts: Accounts) -> None:
    """The right password, in either case, gives the account."""
    assert (await accounts.authenticate(ROMEO, MD5.upper(), HERE)).nick == "Romeo"
    assert (await accounts.authenticate(ROMEO, MD5.lower(), HERE)).nick == "Romeo"
    assert (await accounts.authenticate(JULIET, MD5.lower(), HERE)).nick == "Juliet"


async def test_wrong_password_and_nobody(accounts: Accounts) -> None:
    """A wrong password and a number that nobody has are told apart."""
    with pytest.raises(WrongPassword):
        await accounts.authenticate(ROMEO, WRONG, HERE)
    with pytest.raises(NoSuchAccount):
        await accounts.authenticate(99, MD5, HERE)


async def test_suspended(accounts: Accounts, store: Store) -> None:
    """That an account is suspended, and why, learns who knows a password of it."""
    device = password_md5(await add_device(store, ROMEO, "phone", 5.0, os.urandom))
    await accounts.authenticate(ROMEO, MD5, HERE)
    await store.change_account(ROMEO, suspended="for spam")
    for md5 in (MD5, device):
        with pytest.raises(Suspended) as caught:
            await accounts.authenticate(ROMEO, md5, HERE)
        assert caught.value.reason == "for spam"
    with pytest.raises(WrongPassword):
        await accounts.authenticate(ROMEO, WRONG, HERE)
    assert store.devices(ROMEO)[0].last_seen is None
    await store.change_account(JULIET, suspended="")
    with pytest.raises(Suspended):
        await accounts.authenticate(JULIET, MD5, HERE)
    await store.change_account(ROMEO, suspended=None)
    assert (await accounts.authenticate(ROMEO, MD5, HERE)).suspended is None


async def test_addresses_take_turns(store: Store, clock: ManualClock) -> None:
    """Slow checks wait by address, IPv6 ones by network; a flood keeps nobody out."""
    checks = Checks(1, lambda: 4)
    accounts = Accounts(store, clock, os.urandom, checks)
    flood = [
        asyncio.create_task(accounts.authenticate(ROMEO, WRONG, f"2001:db8::{number}"))
        for number in range(8)
    ]
    await asyncio.sleep(0)
    assert (await accounts.authenticate(JULIET, MD5, HERE)).uin == JULIET
    outcome = [type(one) for one in await asyncio.gather(*flood, return_exceptions=True)]
    assert outcome == [WrongPassword] * 3 + [TooBusy] * 5
    checks.close()


# --- what changes while a check waits ------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda store: store.delete_account(ROMEO), NoSuchAccount),
        (lambda store: store.change_account(ROMEO, proof="new"), WrongPassword),
        (lambda store: store.change_account(ROMEO, suspended="why"), Suspended),
    ],
)
async def test_change_while_the_password_is_checked(
    store: Store,
    clock: ManualClock,
    change: Callable[[Store], Written],
    why: type[Exception],
) -> None:
    """What counts is the account as it is when the check is done."""
    checks = Checks(1, lambda: 2)
    accounts = Accounts(store, clock, os.urandom, checks)
    go = threading.Event()
    before = asyncio.create_task(checks.run(THERE, lambda: go.wait(WAIT)))
    signing_in = asyncio.create_task(accounts.authenticate(ROMEO, MD5, HERE))
    await asyncio.sleep(0)
    assert accounts._waiting == 2
    await change(store)
    go.set()
    assert await before
    with pytest.raises(why):
        await signing_in
    checks.close()


# --- what is remembered --------------------------------------------------------------------------


async def test_success_is_remembered(accounts: Accounts, clock: ManualClock) -> None:
    """A password that was right lately is not checked again; each account's by itself."""
    assert await is_busy(accounts, ROMEO, MD5)
    await accounts.authenticate(ROMEO, MD5, HERE)
    assert not await is_busy(accounts, ROMEO, MD5.lower())
    assert await is_busy(accounts, ROMEO, WRONG)
    assert await is_busy(accounts, JULIET, MD5)
    clock.advance(599)
    assert not await is_busy(accounts, ROMEO, MD5)
    clock.advance(2)
    assert await is_busy(accounts, ROMEO, MD5)


async def test_changed_password_is_noticed(accounts: Accounts, store: Store) -> None:
    """What is remembered counts for the proof it was checked against."""
    await accounts.authenticate(ROMEO, MD5, HERE)
    await store.change_account(ROMEO, proof=new_proof("new", os.urandom))
    with pytest.raises(WrongPassword):
        await accounts.authenticate(ROMEO, MD5, HERE)
    assert (await accounts.authenticate(ROMEO, password_md5("new"), HERE)).uin == ROMEO


async def test_deleted_account_is_noticed(accounts: Accounts, store: Store) -> None:
    """What is remembered of a number does not count for whoever has it next."""
    await accounts.authenticate(ROMEO, MD5, HERE)
    await store.delete_account(ROMEO)
    with pytest.raises(NoSuchAccount):
        await accounts.authenticate(ROMEO, MD5, HERE)
    add_account(store, ROMEO, "another", "another", 2.0)
    with pytest.raises(WrongPassword):
        await accounts.authenticate(ROMEO, MD5, HERE)


async def test_memory_is_bounded(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many successes are remembered; the one longest not used is forgotten first."""
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    await accounts.authenticate(ROMEO, MD5, HERE)
    await accounts.authenticate(JULIET, MD5, HERE)
    await accounts.authenticate(ROMEO, MD5, HERE)
    await accounts.authenticate(PARIS, MD5, HERE)
    assert await is_busy(accounts, JULIET, MD5)
    assert not await is_busy(accounts, ROMEO, MD5)
    assert not await is_busy(accounts, PARIS, MD5)
    assert len(accounts._remembered) == 2


async def test_memory_holds_no_password(accounts: Accounts) -> None:
    """What is remembered is keyed, so it is worth nothing without the key."""
    await accounts.authenticate(ROMEO, MD5, HERE)
    (mark,) = accounts._remembered
    assert MD5.lower() not in mark.hex()
    assert accounts._mark(await accounts.authenticate(ROMEO, MD5, HERE), MD5, HERE) == mark
    accounts._key = bytes(32)
    assert await is_busy(accounts, ROMEO, MD5)


async def test_known_without_a_check(accounts: Accounts, store: Store) -> None:
    """What was right lately, or is a device's, is known; the rest is not, right or wrong."""
    device = password_md5(await add_device(store, ROMEO, "phone", 5.0, os.urandom))

    def known(uin: int, md5: str, host: str = HERE) -> tuple[bool, bool]:
        """Return whether it is known as a device's, and as one that was right lately."""
        claim = accounts.look(uin, md5, host)
        assert claim is not None
        assert claim.account.uin == uin
        assert md5 not in repr(claim)
        return claim.device is not None, claim.is_remembered

    assert known(ROMEO, device) == (True, False)
    assert known(JULIET, device) == (False, False)
    assert known(ROMEO, MD5) == (False, False)
    await accounts.authenticate(ROMEO, MD5, HERE)
    assert known(ROMEO, MD5.upper()) == (False, True)
    assert known(ROMEO, MD5.lower()) == (False, True)
    assert known(ROMEO, MD5, "203.0.113.1") == (False, False)  # or anybody could guess there
    assert known(ROMEO, WRONG) == (False, False)
    assert accounts.look(99, MD5, HERE) is None
    await revoke_device(store, ROMEO, "phone")
    assert known(ROMEO, device) == (False, False)


# --- devices -------------------------------------------------------------------------------------


async def test_device_signs_in_at_once(
    accounts: Accounts, store: Store, clock: ManualClock
) -> None:
    """A device's password needs no thread; when it was used is noted, once an hour."""
    device = password_md5(await add_device(store, ROMEO, "phone", clock.date(), os.urandom))
    seen = []
    for seconds in (0.0, 1.0, 3598.0, 1.0, 3599.0, -7200.0):
        clock.advance(seconds)
        assert not await is_busy(accounts, ROMEO, device.upper())
        accounts.close()
        await store.change_account(PARIS, face=1)  # what was written before is on disk, too
        seen.append(store.devices(ROMEO)[0].last_seen)
    began = clock.date() - sum((1.0, 3598.0, 1.0, 3599.0, -7200.0))
    hour = began + 3600.0
    assert seen == [began, began, began, hour, hour, began + 7199.0 - 7200.0]
    assert accounts._remembered == {}


async def test_who_was_seen_is_noted_together(
    accounts: Accounts, store: Store, clock: ManualClock
) -> None:
    """After a restart thousands sign in: what nobody waits for is written by a few transactions."""

    async def noted() -> list[float | None]:
        """Return when both accounts and the device were seen, as it is on disk."""
        await store.change_account(PARIS, face=1)
        people = store.account(ROMEO), store.account(JULIET)
        return [person.last_seen for person in people if person] + [
            store.devices(ROMEO)[0].last_seen
        ]

    device = password_md5(await add_device(store, ROMEO, "phone", 5.0, os.urandom))
    accounts.saw(await accounts.authenticate(ROMEO, device, HERE))
    began = clock.date()
    clock.advance(0.02)
    accounts.saw(await accounts.authenticate(JULIET, MD5, HERE))
    assert await noted() == [None, None, None]
    clock.advance(0.04)
    assert await noted() == [began, began + 0.02, began]
    accounts.close()  # nothing is left to note
    assert await noted() == [began, began + 0.02, began]


async def test_revoked_device_signs_nobody_in(accounts: Accounts, store: Store) -> None:
    """A device's password is not remembered, so it ends when it is taken back."""
    device = password_md5(await add_device(store, ROMEO, "phone", 5.0, os.urandom))
    assert (await accounts.authenticate(ROMEO, device, HERE)).uin == ROMEO
    with pytest.raises(WrongPassword):
        await accounts.authenticate(JULIET, device, HERE)
    await revoke_device(store, ROMEO, "phone")
    with pytest.raises(WrongPassword):
        await accounts.authenticate(ROMEO, device, HERE)
    assert (await accounts.authenticate(ROMEO, MD5, HERE)).uin == ROMEO
