"""Accounts that people make themselves: with an invitation, one for each use of it."""

import asyncio
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from kqq.errors import AccountError, StoreError
from kqq.server import invitations as module
from kqq.server.accounts import HIGHEST_UIN, TooBusy, check_proof, make_proof
from kqq.server.checks import Checks
from kqq.server.database import Database
from kqq.server.devices import ALPHABET
from kqq.server.invitations import (
    BadInvitation,
    Registration,
    RegistrationClosed,
    TooMany,
    invite,
)
from kqq.server.store import Account, Store
from stage import MD5, PARIS, ROMEO, ManualClock

HERE, THERE = "192.0.2.1", "192.0.2.2"
DAY = 86_400.0
FIRST = PARIS + 1
"""The first number that is free."""


@dataclass
class Settings:
    """What an operator may change while the server runs."""

    policy: str = "invitation"
    per_address: int = 3
    lowest: int = ROMEO
    who_may_add: str = "ask"
    who_may_write: str = "friends"


@dataclass
class Desk:
    """Where people register, and what is behind it."""

    store: Store
    clock: ManualClock
    settings: Settings = field(default_factory=Settings)
    checks: Checks = field(default_factory=lambda: Checks(2, lambda: 100))

    def __post_init__(self) -> None:
        """Open the desk."""
        self.registration = Registration(
            self.store,
            self.clock,
            os.urandom,
            self.checks,
            policy=lambda: self.settings.policy,
            per_address=lambda: self.settings.per_address,
            lowest=lambda: self.settings.lowest,
            who_may_add=lambda: self.settings.who_may_add,
            who_may_write=lambda: self.settings.who_may_write,
        )

    async def invite(self, **settings: Any) -> str:
        """Return the code of a new invitation."""
        return await invite(self.store, os.urandom, self.clock.date(), **settings)

    async def register(
        self, code: str | None = None, *, nick: str = "Mercutio", host: str = HERE
    ) -> Account:
        """Make an account with the password of all tests."""
        return await self.registration.register(code, nick, "secret", host)

    async def outcomes(self, *asked: Any) -> list[Any]:
        """Return the numbers that were given, or the kind of exception, in some order."""
        found = await asyncio.gather(*asked, return_exceptions=True)
        kinds = [one.uin if isinstance(one, Account) else type(one) for one in found]
        return sorted(kinds, key=str)

    @property
    def uses(self) -> list[int]:
        """How often each invitation can be used."""
        return [one.uses for one in self.store.invitations()]

    @property
    def numbers(self) -> list[int]:
        """The numbers of all that have registered."""
        return [account.uin for account in self.store.accounts(after=PARIS)]


@pytest.fixture
def desk(store: Store) -> Iterator[Desk]:
    """A desk for those who are invited."""
    desk = Desk(store, ManualClock())
    yield desk
    desk.checks.close()


# --- inviting ------------------------------------------------------------------------------------


async def test_code_is_for_people(desk: Desk) -> None:
    """A code is twelve signs of a keypad, grouped, and another each time."""
    codes = {await desk.invite() for _ in range(3)}
    assert len(codes) == 3
    for code in codes:
        assert re.fullmatch(f"[{ALPHABET}]{{4}} [{ALPHABET}]{{4}} [{ALPHABET}]{{4}}", code)


async def test_stored_invitation(desk: Desk) -> None:
    """What is stored is a slow hash, not the code; it expires in two weeks or as is said."""
    code = await desk.invite()
    (stored,) = desk.store.invitations()
    assert code.replace(" ", "") not in stored.proof
    assert stored.proof.startswith("scrypt$")
    assert (stored.uses, stored.note) == (1, "")
    assert stored.expires - stored.created == 14 * DAY
    desk.clock.advance(1.0)
    await desk.invite(uses=30, days=0.5, note="for the class of 2006")
    stored = desk.store.invitations()[1]
    assert (stored.uses, stored.note) == (30, "for the class of 2006")
    assert stored.expires - stored.created == DAY / 2


@pytest.mark.parametrize("settings", [{"uses": 0}, {"days": 0}, {"days": -1}])
async def test_invitation_that_nobody_could_use(desk: Desk, settings: dict[str, int]) -> None:
    """An invitation for nobody, or for no time, is refused."""
    with pytest.raises(AccountError, match="cannot be an invitation"):
        await desk.invite(**settings)
    assert desk.uses == []


# --- registering ---------------------------------------------------------------------------------


async def test_invited(desk: Desk) -> None:
    """Who is invited gets the lowest free number; the invitation is used up then."""
    code = await desk.invite()
    made = await desk.register(code, nick="茂丘西奥")
    assert (made.uin, made.nick) == (FIRST, "茂丘西奥")
    assert check_proof(MD5, made.proof)
    assert desk.store.account(FIRST) == made
    assert desk.uses == [0]
    with pytest.raises(BadInvitation):
        await desk.register(code)
    assert desk.numbers == [FIRST]


async def test_code_as_people_type_it(desk: Desk) -> None:
    """Blanks, hyphens and capitals do not count."""
    code = await desk.invite(uses=3)
    word = code.replace(" ", "")
    for number, typed in enumerate((word, word.upper(), f" {code.replace(' ', '-')}\n")):
        assert (await desk.register(typed)).uin == FIRST + number


@pytest.mark.parametrize("code", [None, "", "adgj", "adgj mptw 0123", "zzzz zzzz zzzz", "密码" * 6])
async def test_not_invited(desk: Desk, code: str | None) -> None:
    """Without a code, or with one that nobody was given, there is no account."""
    await desk.invite()
    with pytest.raises(BadInvitation):
        await desk.register(code)
    assert desk.numbers == []
    assert desk.uses == [1]


async def test_codes_that_are_guessed(desk: Desk) -> None:
    """After twenty wrong codes in an hour an address may try no more, right ones neither."""
    code = await desk.invite()
    for _ in range(20):
        with pytest.raises(BadInvitation):
            await desk.register("short")
    with pytest.raises(TooMany):
        await desk.register(code)
    assert (await desk.register(code, host="203.0.113.9")).uin == FIRST
    desk.clock.advance(180)
    with pytest.raises(BadInvitation):
        await desk.register("short")


async def test_expired_invitation(desk: Desk) -> None:
    """An invitation can be used until its date."""
    code = await desk.invite(uses=2, days=1)
    desk.clock.advance(DAY - 1)
    await desk.register(code)
    desk.clock.advance(1)
    with pytest.raises(BadInvitation):
        await desk.register(code)
    assert desk.numbers == [FIRST]


async def test_policy(desk: Desk) -> None:
    """Closed is closed with a code, too; open needs none and uses none."""
    code = await desk.invite()
    for policy in ("off", "something else"):
        desk.settings.policy = policy
        with pytest.raises(RegistrationClosed):
            await desk.register(code)
    assert desk.numbers == []
    desk.settings.policy = "open"
    assert (await desk.register()).uin == FIRST
    assert (await desk.register(code)).uin == FIRST + 1
    assert desk.uses == [1]


async def test_new_accounts_begin_as_is_set(desk: Desk) -> None:
    """Number and permissions are what the settings say at the time."""
    desk.settings = Settings("open", lowest=20000, who_may_add="anyone", who_may_write="anyone")
    made = await desk.register()
    assert (made.uin, made.who_may_add, made.who_may_write) == (20000, "anyone", "anyone")
    assert desk.store.account(20000) == made


@pytest.mark.parametrize(
    ("nick", "password", "why"),
    [("", "secret", "nickname"), ("n", "", "empty password"), ("n", "\udcff", "no UTF-8")],
)
async def test_what_will_not_do(desk: Desk, nick: str, password: str, why: str) -> None:
    """A nickname or password that cannot be used uses up nothing."""
    code = await desk.invite()
    for _ in range(10):
        with pytest.raises(AccountError, match=why):
            await desk.registration.register(code, nick, password, HERE)
    assert desk.uses == [1]
    assert (await desk.register(code)).uin == FIRST


# --- at the same time ----------------------------------------------------------------------------


async def test_one_use_for_many(desk: Desk) -> None:
    """Of those who use an invitation at once as many get an account as it has uses."""
    code = await desk.invite(uses=2)
    asked = [desk.register(code, host=f"192.0.2.{number}") for number in range(6)]
    assert await desk.outcomes(*asked) == [FIRST, FIRST + 1, *[BadInvitation] * 4]
    assert desk.numbers == [FIRST, FIRST + 1]
    assert desk.uses == [0]


async def test_one_number_for_many(desk: Desk) -> None:
    """Who register at once get a number each, with and without invitation."""
    code = await desk.invite(uses=5)
    asked = [desk.register(code, host=f"192.0.2.{number}") for number in range(5)]
    assert await desk.outcomes(*asked) == list(range(FIRST, FIRST + 5))
    assert desk.uses == [0]
    desk.settings.policy = "open"
    asked = [desk.register(host=f"192.0.3.{number}") for number in range(5)]
    assert await desk.outcomes(*asked) == list(range(FIRST + 5, FIRST + 10))


async def test_no_number_is_left(desk: Desk) -> None:
    """When all numbers are taken nobody gets one, and no invitation is used."""
    desk.settings.lowest = HIGHEST_UIN
    code = await desk.invite(uses=2)
    asked = [desk.register(code, host=f"192.0.2.{number}") for number in range(2)]
    assert await desk.outcomes(*asked) == [HIGHEST_UIN, AccountError]
    with pytest.raises(AccountError, match="all numbers from 4294967295 to 4294967295 are taken"):
        await desk.register(code)
    assert desk.uses == [1]


async def test_account_that_cannot_be_stored(desk: Desk, database: Database) -> None:
    """When the disk is full, the invitation can be used again later, and nothing counts."""
    code = await desk.invite()
    database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON account BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    for _ in range(5):
        with pytest.raises(StoreError, match="no room"):
            await desk.register(code)
    database.execute("DROP TRIGGER full")
    assert desk.uses == [1]
    assert (await desk.register(code)).uin == FIRST


# --- limits --------------------------------------------------------------------------------------


async def test_accounts_of_an_address(desk: Desk) -> None:
    """An address makes so many accounts a day; a network of IPv6 is one address."""
    desk.settings.policy = "open"
    for number in range(3):
        assert (await desk.register(host=f"2001:db8::{number}")).uin == FIRST + number
    with pytest.raises(TooMany):
        await desk.register(host="2001:db8::9")
    assert (await desk.register(host=THERE)).uin == FIRST + 3
    desk.clock.advance(DAY / 3)
    assert (await desk.register(host="2001:db8::9")).uin == FIRST + 4
    with pytest.raises(TooMany):
        await desk.register(host="2001:db8::9")
    desk.settings.per_address = 0
    with pytest.raises(TooMany):
        await desk.register(host="192.0.2.99")


async def test_many_at_once_from_an_address(desk: Desk) -> None:
    """Who asks many times at once gets no more."""
    desk.settings.policy = "open"
    asked = [desk.register() for _ in range(6)]
    assert await desk.outcomes(*asked) == [FIRST, FIRST + 1, FIRST + 2, *[TooMany] * 3]


async def test_refusals_do_not_count(desk: Desk) -> None:
    """Who types a code wrong may go on trying, and whoever finds the server busy."""
    code = await desk.invite(uses=3)
    for _ in range(5):
        with pytest.raises(BadInvitation):
            await desk.register("0000 0000 0000")
    busy = Desk(desk.store, desk.clock, Settings("open", 1), Checks(1, lambda: 0))
    for _ in range(3):
        with pytest.raises(TooBusy):
            await busy.register()
    busy.checks.close()
    for number in range(3):
        assert (await desk.register(code)).uin == FIRST + number


async def test_who_hangs_up_counts(desk: Desk) -> None:
    """Who is gone before the account is stored may have it, and must not get more that way."""
    desk.settings = Settings("open", per_address=1)
    task = asyncio.create_task(desk.register())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(TooMany):
        await desk.register()


async def test_invitation_used_up_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """An invitation that is used up while the password is hashed gives nothing."""
    code = await desk.invite()

    def meanwhile(md5: str, salt: bytes) -> str:
        with_another = Database(desk.store._database._path)
        with_another.execute("UPDATE invitation SET uses = 0")
        asyncio.run(with_another.close())
        return make_proof(md5, salt)

    monkeypatch.setattr(module, "make_proof", meanwhile)
    with pytest.raises(BadInvitation):
        await desk.register(code)
    assert desk.numbers == []
