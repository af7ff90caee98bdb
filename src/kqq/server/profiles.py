"""What people say of themselves, and the search for people."""

from dataclasses import dataclass

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
