"""New accounts for people who make them themselves: with an invitation, or without where allowed.

An invitation is a code of twelve signs, each one press on a phone's keypad: 50 bits, which can be
read out over a telephone. Nobody can try so many against a server, but somebody with the database
could against a quick hash; so what is kept of a code is scrypt of it. It has to be found by its
code, so all have one salt: 2**50 times tens of milliseconds is long enough for all of them.
"""

import asyncio
import hashlib
from collections.abc import Callable

from kqq.errors import AccountError
from kqq.server.accounts import (
    HIGHEST_UIN,
    SALT_SIZE,
    check_nick,
    check_password,
    make_proof,
    password_md5,
)
from kqq.server.checks import Checks
from kqq.server.clock import Clock
from kqq.server.devices import ALPHABET, grouped, keypad_word, ungrouped
from kqq.server.limits import Rates, address_key
from kqq.server.store import Account, Invitation, Store

_SIGNS = 12
_WRONG_CODES = 20
"""Invitations that cannot be used an address may try in an hour; each costs a slow check."""
_HOUR = 3600.0
_DAY = 86_400.0  # seconds


class RegistrationClosed(Exception):
    """Nobody makes accounts for themselves here."""


class BadInvitation(Exception):
    """There is no such invitation, or not any more, and one is needed."""


class TooMany(Exception):
    """Too many accounts were made from this address today."""


async def invite(
    store: Store,
    random: Callable[[int], bytes],
    now: float,
    *,
    uses: int = 1,
    days: float = 14,
    note: str = "",
) -> str:
    """Make an invitation for `uses` people, on disk when this returns; `now` is a date.

    The code is returned once, `grouped`, and kept nowhere. Raises AccountError if nobody could use
    it.
    """
    if uses < 1 or days <= 0:
        raise AccountError(
            f"uses={uses} days={days} cannot be an invitation; take at least 1 use and some time"
        )
    code = keypad_word(random, _SIGNS)
    proof = await asyncio.to_thread(_code_proof, code)
    await store.add_invitation(Invitation(proof, note, now, now + days * _DAY, uses))
    return grouped(code)


class Registration:
    """Makes accounts for those who may have one; what is callable is asked for each time.

    `policy` is `off`, `invitation` or `open`; `per_address` how many accounts an address may make
    at once, and a day on average; `lowest` the number from which on numbers are given;
    `who_may_add` and `who_may_write` what new accounts begin with.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        random: Callable[[int], bytes],
        checks: Checks,
        *,
        policy: Callable[[], str],
        per_address: Callable[[], int],
        lowest: Callable[[], int],
        who_may_add: Callable[[], str],
        who_may_write: Callable[[], str],
    ) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._checks = checks
        self._policy = policy
        self._lowest = lowest
        self._who_may_add = who_may_add
        self._who_may_write = who_may_write
        self._rates = Rates(clock, lambda: per_address() / _DAY, per_address)
        self._wrong_codes = Rates(clock, lambda: _WRONG_CODES / _HOUR, lambda: _WRONG_CODES)

    async def register(self, code: str | None, nick: str, password: str, host: str) -> Account:
        """Make an account with the lowest free number, on disk when this returns.

        `host` is the address that asks. Raises RegistrationClosed, BadInvitation, TooMany, TooBusy
        or AccountError; then no account was made, no invitation used, and it does not count. Who is
        cancelled may have made one, and it counts.
        """
        policy = self._policy()
        if policy not in {"invitation", "open"}:
            raise RegistrationClosed
        check_nick(nick)
        check_password(password)
        key = address_key(host)
        # Taken first and given back, so that many at once from one address are no more than others.
        if not self._wrong_codes.has(key) or not self._rates.spend(key):
            raise TooMany
        try:
            # What is slow and what may be refused comes first; the invitation is used by the same
            # transaction that stores the account.
            invitation = await self._invitation(code, key) if policy == "invitation" else None
            md5, salt = password_md5(password), self._random(SALT_SIZE)
            proof = await self._checks.run(key, lambda: make_proof(md5, salt))
            return await self._add(nick, proof, invitation)
        except Exception as error:
            self._rates.repay(key)
            if isinstance(error, BadInvitation):
                self._wrong_codes.owe(key)
            raise

    async def _invitation(self, code: str | None, key: str) -> str:
        """Return what is stored of an invitation that can be used."""
        word = ungrouped(code or "")
        if len(word) != _SIGNS or not set(word) <= set(ALPHABET):
            raise BadInvitation
        proof = await self._checks.run(key, lambda: _code_proof(word))
        if not self._store.has_invitation(proof, self._clock.date()):
            raise BadInvitation
        return proof

    async def _add(self, nick: str, proof: str, invitation: str | None) -> Account:
        lowest = self._lowest()
        while (uin := self._store.free_number(lowest)) <= HIGHEST_UIN:
            account = Account(uin, nick, 0, proof, self._who_may_add(), self._who_may_write())
            date = self._clock.date()
            if invitation is None:
                added = await self._store.insert_account(account, date)
            else:
                added = await self._store.register_account(account, date, invitation)
            if added:
                return account
            if invitation is not None and not self._store.has_invitation(invitation, date):
                raise BadInvitation  # somebody else used it meanwhile
            lowest = uin + 1  # somebody else got the number meanwhile
        raise AccountError(f"all numbers from {self._lowest()} to {HIGHEST_UIN} are taken")


def _code_proof(code: str) -> str:
    key = hashlib.scrypt(code.encode(), salt=b"kqq invitation", n=2**14, r=8, p=1, dklen=32)
    return f"scrypt${key.hex()}"
