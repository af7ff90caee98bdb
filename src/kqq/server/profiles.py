"""What people say of themselves and choose for themselves, and the search for people."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from kqq.errors import AccountError
from kqq.server.accounts import check_nick, read_number
from kqq.server.friends import Friend
from kqq.server.store import Store

PROFILE = (
    "address", "age", "blood", "constellation", "city", "cv", "country", "email", "home_page", "id",
    "job", "mobile", "mt", "mv", "postcode", "phone", "about", "province", "real_name", "school",
    "zodiac", "sex",
)  # fmt: skip
"""The entries a profile may have; nickname and face belong to the account."""
LONGEST_ENTRY = 256
"""Characters of an entry."""
CHOICES = {"who_may_add": ("anyone", "ask", "nobody"), "who_may_write": ("friends", "anyone")}
"""What an account can choose."""
_HIGHEST_FACE = 65535


@dataclass(frozen=True, slots=True)
class Profile:
    """Somebody's number, nickname, face, and what they say of themselves."""

    uin: int
    nick: str
    face: int
    entries: dict[str, str]


class Profiles:
    """Profiles, as others see them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, uin: int) -> Profile | None:
        """Return somebody's profile, None if nobody has the number."""
        account = self._store.account(uin)
        if account is None:
            return None
        return Profile(uin, account.nick, account.face, self._store.profile(uin))

    def search(self, wanted: dict[str, str], besides: int, most: int) -> tuple[list[Friend], bool]:
        """Return at most `most` people with these entries, without `besides`; and if more."""
        rows = self._store.search(wanted, most + 2)
        found = [Friend(*row) for row in rows if row[0] != besides]
        return found[:most], len(found) > most


async def set_values(
    store: Store, uin: int, values: Mapping[str, str], *, proof: str | None = None
) -> None:
    """Change what `values` name: nickname, face, choices, entries of the profile ("" removes one).

    `proof` is that of a new password. All is on disk when this returns. Raises AccountError if a
    value will not do; then none is taken.
    """
    for name, value in values.items():
        check_value(name, value)
    columns: dict[str, str | float | None] = {
        name: int(value) if name == "face" else value
        for name, value in values.items()
        if name not in PROFILE
    }
    if proof is not None:
        columns["proof"] = proof
    entries = {name: value for name, value in values.items() if name in PROFILE}
    stored = []
    if columns:
        stored.append(store.change_account(uin, **columns))
    if entries:
        stored.append(store.change_profile(uin, entries))
    await asyncio.gather(*stored)


def check_value(name: str, value: str) -> None:
    """Raise AccountError if `name` cannot be set, or not to `value`."""
    if name == "nick":
        check_nick(value)
    elif name == "face":
        number = read_number(value)
        if number is None or number > _HIGHEST_FACE:
            raise AccountError(f"face={value} cannot be; take a number up to {_HIGHEST_FACE}")
    elif name in CHOICES:
        check_choice(name, value)
    elif name not in PROFILE:
        raise AccountError(
            f"{name!r} cannot be set; take nick, face, {', '.join(CHOICES)} or one of "
            f"{', '.join(PROFILE)}"
        )
    elif len(value) > LONGEST_ENTRY or not value.isprintable():
        raise AccountError(
            f"{name}={value!r} cannot be; take up to {LONGEST_ENTRY} printable characters"
        )


def check_choice(name: str, value: str) -> None:
    """Raise AccountError if `value` is none of the choices of `name`, a key of CHOICES."""
    if value not in CHOICES[name]:
        raise AccountError(f"{name}={value} cannot be; take {' or '.join(CHOICES[name])}")
