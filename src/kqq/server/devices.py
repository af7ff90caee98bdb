"""Device passwords: made by the server for one phone, shown once, revoked by name.

Phones send the MD5 of their password in the clear, so whoever listens can sign in with it. A
password made for one phone is worth nothing elsewhere, and taking it back disturbs no other phone.

Such a password has 16 signs, since the password fields of the phones took 16, out of 18 that each
are one press on a keypad of 12 keys: the first letter of a key is a tap, a digit is held down.
Drawn evenly that is log2(18) * 16 = 66.7 bits. So it needs no slow hash: who has the database and
tries 10**10 a second needs two hundred years to find one, and the salts make them begin again for
the next. A quick hash is checked at once on the event loop; passwords that people choose can be
guessed and need the slow one (kqq.server.accounts).
"""

import hashlib
import hmac
from collections.abc import Callable

from kqq.errors import AccountError, StoreError
from kqq.server.store import Device, Store

ALPHABET = "adgjmptw0123456789"
"""What a keypad of 12 keys gives with one press: abc def ghi jkl mno pqrs tuv wxyz, and digits."""
SIGNS = 16
"""How long a device's password is."""
MOST_DEVICES = 20
"""Devices of one account."""
LONGEST_NAME = 32
"""Characters of a device's name."""
_EVEN = 256 - 256 % len(ALPHABET)  # bytes from here on would make the first signs more frequent
_SALT = 16  # bytes, all that blake2b takes


def keypad_word(random: Callable[[int], bytes], signs: int) -> str:
    """Return so many signs of ALPHABET, each as likely as any other; 4.17 bits a sign."""
    word = ""
    while len(word) < signs:
        drawn = random(2 * signs)
        word += "".join(ALPHABET[byte % len(ALPHABET)] for byte in drawn if byte < _EVEN)
    return word[:signs]


def grouped(word: str) -> str:
    """Return a password or code as people read it: in fours, with blanks that do not count."""
    return " ".join(word[start : start + 4] for start in range(0, len(word), 4))


def ungrouped(text: str) -> str:
    """Return the word that somebody typed, without blanks and hyphens, in lower case."""
    return "".join(text.replace("-", " ").split()).lower()


def quick_proof(md5: str, salt: bytes) -> str:
    """Return what to store so that `md5`, of a password the server made, can be checked later."""
    digest = hashlib.blake2b(md5.lower().encode(), salt=salt, digest_size=32).hexdigest()
    return f"blake2b${salt.hex()}${digest}"


def check_quick_proof(md5: str, proof: str) -> bool:
    """Return whether `proof` was made from `md5`; takes microseconds. Raises StoreError."""
    match proof.split("$"):
        case "blake2b", salt, _:
            return hmac.compare_digest(quick_proof(md5, bytes.fromhex(salt)), proof)
    raise StoreError("a device's password is stored in a form this kqq does not know; use a newer")


async def add_device(
    store: Store, uin: int, name: str, now: float, random: Callable[[int], bytes]
) -> str:
    """Make a password for a device, on disk when this returns; `now` is a date.

    It is returned once and kept nowhere; show it `grouped`. Raises AccountError if there is no such
    account, the name will not do or is taken, or the account has MOST_DEVICES.
    """
    if (
        not 0 < len(name) <= LONGEST_NAME
        or not name.isprintable()
        or name != name.strip()
        or not name.strip(".")
    ):
        raise AccountError(
            f"{name!r} cannot be a device's name; take 1 to {LONGEST_NAME} printable characters, "
            "without blanks around them"
        )
    if not store.account_exists(uin):
        raise AccountError(f"there is no account {uin}")
    if len(store.devices(uin)) >= MOST_DEVICES:
        raise AccountError(f"{uin} has {MOST_DEVICES} devices; revoke one that is not used")
    password = keypad_word(random, SIGNS)
    md5 = hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()
    device = Device(uin, name, quick_proof(md5, random(_SALT)), now)
    if not await store.add_device(device):
        raise AccountError(f"{uin} has a device {name!r} already; choose another name")
    return password


async def revoke_device(store: Store, uin: int, name: str) -> None:
    """Forget a device's password; it signs nobody in once this returns. Raises AccountError."""
    if not await store.delete_device(uin, name):
        raise AccountError(f"{uin} has no device {name!r}")


def find_device(store: Store, uin: int, md5: str) -> Device | None:
    """Return the device of an account whose password has this MD5."""
    for device in store.devices(uin):
        if check_quick_proof(md5, device.proof):
            return device
    return None
