"""Who can sign in, and the proof that it is them.

Phones send the MD5 of the password in the clear, so that MD5 is as good as the password: what is
stored is scrypt of it. A check costs tens of milliseconds and waits its turn for a thread; a check
that succeeded lately is remembered under a keyed hash that lives in memory only. Passwords made for
one device need neither (kqq.server.devices).
"""

import hashlib
import hmac
import os
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from kqq.errors import AccountError, StoreError
from kqq.server.checks import Checks, TooBusy
from kqq.server.clock import Clock, Timer
from kqq.server.devices import find_device
from kqq.server.limits import address_key
from kqq.server.store import Account, Device, Store

__all__ = [
    "HIGHEST_UIN",
    "LONGEST_NICK",
    "LOWEST_UIN",
    "SALT_SIZE",
    "Accounts",
    "Claim",
    "NoSuchAccount",
    "Suspended",
    "TooBusy",
    "WrongPassword",
    "add_account",
    "check_nick",
    "check_password",
    "check_proof",
    "check_uin",
    "make_proof",
    "new_proof",
    "password_md5",
    "read_number",
]

LOWEST_UIN = 10001
"""10000 is the system account; lower numbers were never given out."""
HIGHEST_UIN = 4294967295
LONGEST_NICK = 64
"""Characters of a nickname: a page of 50 friends must stay a line that old clients can take."""
_COST = (14, 8, 1)  # of scrypt: log2(n), r, p; 16 MiB and tens of milliseconds
SALT_SIZE = 16
"""Bytes of the salt of a proof."""
_AT_ONCE = 3
"""Slow checks of one number at a time: failures are counted when a check ends, so what is tried at
once is tried before it counts."""
_REMEMBERED = 10_000
_REMEMBERED_FOR = 600.0  # seconds
_SEEN_EVERY = 3600.0
"""Seconds between two notes of when an account, or a device, was last seen."""
_GATHERED = 0.05
"""Seconds in which such notes gather. Nobody waits for them, and after a restart, when thousands
sign in, each would have a transaction of its own."""


class NoSuchAccount(Exception):
    """Nobody has this number."""


class WrongPassword(Exception):
    """The password is not that of the account."""


class Suspended(Exception):
    """The password is right, but the account may not be used; `reason` is what to tell of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def password_md5(password: str) -> str:
    """Return what a phone sends for `password`: the MD5 of its UTF-8 bytes, in hex."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()


def make_proof(md5: str, salt: bytes) -> str:
    """Return what to store so that `md5` can be checked later; takes tens of milliseconds."""
    log_n, r, p = _COST
    return f"scrypt${log_n}${r}${p}${salt.hex()}${_scrypt(md5, salt, log_n, r, p)}"


def check_proof(md5: str, proof: str) -> bool:
    """Return whether `proof` was made from `md5`; takes tens of milliseconds.

    Raises StoreError if it was made in a way that is not known.
    """
    match proof.split("$"):
        case "scrypt", log_n, r, p, salt, key:
            made = _scrypt(md5, bytes.fromhex(salt), int(log_n), int(r), int(p))
        case "scrypt", salt, key:  # as kqq 0.1 made them
            made = _scrypt(md5, bytes.fromhex(salt), 14, 8, 1)
        case _:
            raise StoreError("a password is stored in a form this kqq does not know; use a newer")
    return hmac.compare_digest(made, key)


def _scrypt(md5: str, salt: bytes, log_n: int, r: int, p: int) -> str:
    memory = 256 * r * (2**log_n + p)  # twice what it needs
    key = hashlib.scrypt(
        md5.lower().encode(), salt=salt, n=2**log_n, r=r, p=p, maxmem=memory, dklen=32
    )
    return key.hex()


def new_proof(password: str, random: Callable[[int], bytes]) -> str:
    """Return the proof of a new password, salted; takes tens of milliseconds.

    Raises AccountError if the password will not do.
    """
    check_password(password)
    return make_proof(password_md5(password), random(SALT_SIZE))


def read_number(text: str) -> int | None:
    """Return the number that a text is, None if it is none that anybody could have."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def check_uin(uin: int) -> None:
    """Raise AccountError if `uin` cannot be somebody's number."""
    if not LOWEST_UIN <= uin <= HIGHEST_UIN:
        raise AccountError(f"{uin} cannot be a number; take one from {LOWEST_UIN} to {HIGHEST_UIN}")


def check_nick(nick: str) -> None:
    """Raise AccountError if `nick` cannot be a nickname."""
    if not 0 < len(nick) <= LONGEST_NICK or not nick.isprintable() or nick != nick.strip():
        raise AccountError(
            f"{nick!r} cannot be a nickname; take 1 to {LONGEST_NICK} printable characters, "
            "without blanks around them"
        )


def check_password(password: str) -> None:
    """Raise AccountError if `password` cannot be somebody's."""
    if not password:
        raise AccountError("an empty password cannot be used; phones cannot send one")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise AccountError("this password is no UTF-8; phones cannot send it") from None


def add_account(
    store: Store,
    uin: int,
    nick: str,
    password: str,
    now: float,
    *,
    random: Callable[[int], bytes] = os.urandom,
    who_may_add: str = "ask",
    who_may_write: str = "friends",
) -> Account:
    """Store a new account at once. Raises AccountError if something will not do."""
    check_uin(uin)
    check_nick(nick)
    proof = new_proof(password, random)
    account = Account(uin, nick, 0, proof, who_may_add, who_may_write)
    if not store.add_account(account, now):
        raise AccountError(f"there is an account {uin} already; choose another number")
    return account


@dataclass(slots=True)
class Claim:
    """That `md5` is of a password of `account`, and what is known of it without a slow check.

    `device` is the one whose password it is; such a password cannot be guessed. `mark` is what a
    success is remembered by, from `host` only: elsewhere it would let anybody try passwords as
    quickly as they can be sent. A claim is of the moment at which it was looked at.
    """

    account: Account
    md5: str = field(repr=False)
    host: str
    device: Device | None
    mark: bytes = field(repr=False)
    is_remembered: bool


class Accounts:
    """Finds accounts and checks passwords."""

    def __init__(
        self, store: Store, clock: Clock, random: Callable[[int], bytes], checks: Checks
    ) -> None:
        self._store = store
        self._clock = clock
        self._random = random
        self._key = random(32)
        self._checks = checks
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._checking: Counter[int] = Counter()
        # When an account was seen, and each of its devices by its name.
        self._seen: dict[tuple[int, str | None], float] = {}
        self._noting: Timer | None = None

    def close(self) -> None:
        """Write what is still to be noted."""
        if self._noting is not None:
            self._noting.cancel()
            self._note()

    async def authenticate(self, uin: int, md5: str, host: str) -> Account:
        """Return the account if `md5` is its password's; as `look` and `check`, one by one.

        Raises what `check` does, and NoSuchAccount.
        """
        claim = self.look(uin, md5, host)
        if claim is None:
            raise NoSuchAccount
        return await self.check(claim)

    def look(self, uin: int, md5: str, host: str) -> Claim | None:
        """Return what is known of a password at once, None if nobody has this number."""
        account = self._store.account(uin)
        if account is None:
            return None
        device = find_device(self._store, uin, md5)
        if device is not None:
            return Claim(account, md5, host, device, b"", is_remembered=False)
        mark = self._mark(account, md5, host)
        return Claim(account, md5, host, None, mark, self._is_remembered(mark))

    async def check(self, claim: Claim) -> Account:
        """Return the account if the password is its own, or that of one of its devices.

        Nothing may have been awaited since the claim was looked at. Slow checks take turns by the
        address that asks. Raises NoSuchAccount, WrongPassword, TooBusy, or Suspended, which only
        those learn who know a password.
        """
        account = claim.account
        if claim.device is None and not claim.is_remembered:
            account = await self._check(claim)
        elif claim.device is not None and account.suspended is None:
            self._see(account.uin, claim.device.name, claim.device.last_seen)
        if account.suspended is not None:
            raise Suspended(account.suspended)
        return account

    def saw(self, account: Account) -> None:
        """Note soon that somebody has signed in, unless that was noted not long ago."""
        self._see(account.uin, None, account.last_seen)

    async def new_proof(self, password: str, host: str) -> str:
        """Return the proof of a new password; `host`, the address that asks, waits its turn.

        Raises AccountError if the password will not do, or TooBusy.
        """
        check_password(password)
        md5, salt = password_md5(password), self._random(SALT_SIZE)
        return await self._checks.run(address_key(host), lambda: make_proof(md5, salt))

    @property
    def _waiting(self) -> int:
        return self._checks.waiting

    async def _check(self, claim: Claim) -> Account:
        """Return the account as it is after the slow check."""
        uin, md5, proof = claim.account.uin, claim.md5, claim.account.proof
        if self._checking[uin] >= _AT_ONCE:
            raise TooBusy
        self._checking[uin] += 1
        try:
            is_right = await self._checks.run(
                address_key(claim.host), lambda: check_proof(md5, proof)
            )
        finally:
            self._checking[uin] -= 1
            if not self._checking[uin]:
                del self._checking[uin]
        if not is_right:
            raise WrongPassword
        now = self._store.account(uin)  # much may have happened meanwhile
        if now is None:
            raise NoSuchAccount
        if now.proof != proof:
            raise WrongPassword
        self._remember(claim.mark)
        return now

    def _see(self, uin: int, device: str | None, before: float | None) -> None:
        date = self._clock.date()
        if before is None or abs(date - before) >= _SEEN_EVERY:
            self._seen[uin, device] = date
            if self._noting is None:
                self._noting = self._clock.later(_GATHERED, self._note)

    def _note(self) -> None:
        self._noting = None
        seen, self._seen = self._seen, {}
        for (uin, device), date in seen.items():
            if device is None:
                self._store.change_account(uin, last_seen=date)
            else:
                self._store.saw_device(uin, device, date)

    def _mark(self, account: Account, md5: str, host: str) -> bytes:
        """Return what a success is remembered by; with another proof it is another."""
        words = f"{account.uin} {account.proof} {md5.lower()} {address_key(host)}"
        return hashlib.blake2b(words.encode(), key=self._key, digest_size=32).digest()

    def _is_remembered(self, mark: bytes) -> bool:
        if self._remembered.get(mark, 0.0) <= self._clock.now():
            return False
        self._remembered.move_to_end(mark)
        return True

    def _remember(self, mark: bytes) -> None:
        self._remembered[mark] = self._clock.now() + _REMEMBERED_FOR
        self._remembered.move_to_end(mark)
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
