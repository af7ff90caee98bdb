"""Who is whose friend, in pages as phones ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from kqq.errors import AccountError
from kqq.server.store import Store


@dataclass(frozen=True, slots=True)
class Friend:
    """An entry of a friend list."""

    uin: int
    nick: str
    face: int


def make_friends(store: Store, one: int, other: int) -> None:
    """Store at once that these two are friends. Raises AccountError if that cannot be."""
    check_friends(store, one, other)
    store.add_friends(one, other)


def check_friends(store: Store, one: int, other: int) -> None:
    """Raise AccountError if these two cannot be friends."""
    if one == other:
        raise AccountError(f"{one} cannot be a friend of itself")
    for uin in (one, other):
        if not store.account_exists(uin):
            raise AccountError(f"there is no account {uin}; add it first")


class Friends:
    """The friend lists."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, uin: int, after: int = 0) -> list[int]:
        """Return the numbers of all friends, or of those above `after`, in order."""
        return self._store.friends(uin, after)

    def are(self, one: int, other: int, now: float | None = None) -> bool:
        """Return whether these two are friends; who has just asked the clock can say `now`."""
        return self._store.are_friends(one, other, now)

    def page(self, uin: int, offset: int, most: int) -> tuple[list[Friend], bool]:
        """Return at most `most` friends in order of number, after `offset` others; and if more."""
        rows = self._store.friends_page(uin, offset, most + 1)
        return [Friend(*row) for row in rows[:most]], len(rows) > most

    def after(self, uin: int, number: int, most: int) -> tuple[list[Friend], bool]:
        """Return at most `most` friends with numbers above `number`, in order; and if more."""
        rows = self._store.friends_after(uin, number, most + 1)
        return [Friend(*row) for row in rows[:most]], len(rows) > most

    def named(self, uins: Sequence[int]) -> list[Friend]:
        """Return what a list shows of some people, in order of number."""
        return [Friend(*row) for row in self._store.people(uins)]
