"""Who can sign in, and the proof that it is them.

Phones send the MD5 of the password in the clear, so that MD5 is as good as the password: what is
stored is scrypt of it. A check costs tens of milliseconds and runs on a thread; a check that
succeeded lately is remembered under a keyed hash that lives in memory only.
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from kqq.errors import AccountError
from kqq.server.clock import Clock
from kqq.server.store import Account, Store

LOWEST_UIN = 10001
"""10000 is the system account; lower numbers were never given out."""
HIGHEST_UIN = 4294967295
LONGEST_NICK = 64
"""Characters of a nickname: a page of 50 friends must stay a line that old clients can take."""
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}
_REMEMBERED = 10_000
_REMEMBERED_FOR = 600.0  # seconds
_THREADS = 2


class NoSuchAccount(Exception):
    """Nobody has this number."""


class WrongPassword(Exception):
    """The password is not that of the account."""


class TooBusy(Exception):
    """Too many passwords wait to be checked."""


def password_md5(password: str) -> str:
    """Return what a phone sends for `password`: the MD5 of its UTF-8 bytes, in hex."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()


def make_proof(md5: str, salt: bytes) -> str:
    """Return what to store so that `md5` can be checked later; takes tens of milliseconds."""
    key = hashlib.scrypt(md5.lower().encode(), salt=salt, **_SCRYPT, dklen=32)
    return f"scrypt${salt.hex()}${key.hex()}"


def check_proof(md5: str, proof: str) -> bool:
    """Return whether `proof` was made from `md5`; takes tens of milliseconds."""
    salt = bytes.fromhex(proof.split("$")[1])
    return hmac.compare_digest(make_proof(md5, salt), proof)


def add_account(store: Store, uin: int, nick: str, password: str, now: float) -> Account:
    """Store a new account at once. Raises AccountError if number or nick will not do."""
    if not LOWEST_UIN <= uin <= HIGHEST_UIN:
        raise AccountError(f"{uin} cannot be a number; take one from {LOWEST_UIN} to {HIGHEST_UIN}")
    if not 0 < len(nick) <= LONGEST_NICK or not nick.isprintable() or nick != nick.strip():
        raise AccountError(
            f"{nick!r} cannot be a nickname; take 1 to {LONGEST_NICK} printable characters, "
            "without blanks around them"
        )
    if not password:
        raise AccountError("an empty password cannot be used; phones cannot send one")
    account = Account(uin, nick, 0, make_proof(password_md5(password), os.urandom(16)))
    if not store.add_account(account, now):
        raise AccountError(f"there is an account {uin} already; choose another number")
    return account


class Accounts:
    """Finds accounts and checks passwords."""

    def __init__(
        self, store: Store, clock: Clock, random: Callable[[int], bytes], waiting: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._key = random(32)
        self._most_waiting = waiting
        self._waiting = 0
        self._remembered: dict[bytes, tuple[str, float]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="kqq-password")

    async def authenticate(self, uin: int, md5: str) -> Account:
        """Return the account if `md5` is its password's.

        Raises NoSuchAccount, WrongPassword, or TooBusy.
        """
        account = self._store.account(uin)
        if account is None:
            raise NoSuchAccount
        mark = hashlib.blake2b(f"{uin} {md5.lower()}".encode(), key=self._key).digest()
        proof, until = self._remembered.get(mark, ("", 0.0))
        if proof == account.proof and until > self._clock.now():
            return account
        if self._waiting >= self._most_waiting:
            raise TooBusy
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            right = await loop.run_in_executor(self._threads, check_proof, md5, account.proof)
        finally:
            self._waiting -= 1
        if not right:
            raise WrongPassword
        self._remember(mark, account.proof)
        return account

    def close(self) -> None:
        """Let the threads go; checks that wait are dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _remember(self, mark: bytes, proof: str) -> None:
        self._remembered.pop(mark, None)
        while len(self._remembered) >= _REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[mark] = (proof, self._clock.now() + _REMEMBERED_FOR)
