"""What a play needs of a server, and which accounts can play its parts."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from kqq.conformance.company import USUAL, Company, Player
from kqq.protocol.transcript import Play

SETTING = re.compile(r'(\w+)=("[^"]*"|\S+)')
"""Finds what a `server account` statement says that an account has."""
_NAMES_SHOWN = re.compile(r'\bNK=("[^"]*"|[^&\s]*)')
_NUMBER = re.compile(r"\bUIN=\{(\w+)\}")
_TWO_IN_A_LIST = re.compile(r"\{\w+\},\{\w+\}")


class Uncast(Exception):
    """Nobody in the company can play a part; the words say what is missing."""


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody in a play who has an account; `settings` is what it must have, as text.

    `is_named` says that the nickname is seen in the play.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    is_named: bool = False

    @property
    def nick(self) -> str:
        """The nickname that the account must have, if it is seen."""
        return self.settings.get("nick", self.name)

    def can_be(self, player: Player) -> bool:
        """Return whether an account is as this part needs it."""
        if (self.is_named or "nick" in self.settings) and player.nick != self.nick:
            return False
        wanted = {key: value for key, value in self.settings.items() if key != "nick"}
        return wanted == dict(player.settings)

    def __str__(self) -> str:
        said = [f"nick={self.nick}"] if self.is_named and "nick" not in self.settings else []
        said += [f"{key}={value}" for key, value in self.settings.items()]
        return f"{self.name} with {', '.join(said)}" if said else self.name


@dataclass(frozen=True, slots=True)
class Needs:
    """What a play needs of a server before it begins.

    `friends` are pairs of names; `others` are actors without accounts, and whose they use;
    `server` is what must be done to the server meanwhile, `settings` how it must be set.
    """

    parts: tuple[Part, ...]
    friends: frozenset[frozenset[str]]
    others: Mapping[str, str]
    settings: tuple[str, ...]
    server: tuple[str, ...]
    shows_order: bool


def needs(play: Play) -> Needs:
    """Return what a play needs."""
    accounts: dict[str, dict[str, str]] = {}
    friends: set[frozenset[str]] = set()
    settings: list[str] = []
    meanwhile: list[str] = []
    has_begun = False
    for one in play.statements:
        kind, _, more = one.words.partition(" ")
        if one.verb != "server":
            has_begun = True
        elif kind == "set":
            settings.append(more)
        elif has_begun or kind not in {"friends", "stranger", "account"}:
            meanwhile.append(one.words)
        elif kind == "account":
            name, _, given = more.partition(" ")
            found = {key: value.strip('"') for key, value in SETTING.findall(given)}
            accounts.setdefault(name, {}).update(
                {key: value for key, value in found.items() if USUAL.get(key) != value}
            )
        else:
            names = more.split(", ")
            for name in names:
                accounts.setdefault(name, {})
            if kind == "friends":
                friends |= {frozenset(pair) for pair in itertools.combinations(names, 2)}
    heard = [one.source for one in play.statements if one.verb == "<"]
    seen = _names_seen(heard)
    parts = tuple(
        Part(name, accounts[name], name in seen) for name in play.actors if name in accounts
    )
    return Needs(
        parts=parts,
        friends=frozenset(friends),
        others=_guests(play, accounts),
        settings=tuple(settings),
        server=tuple(meanwhile),
        shows_order=any(_TWO_IN_A_LIST.search(source) for source in heard),
    )


def _guests(play: Play, accounts: Iterable[str]) -> dict[str, str]:
    """Return who in a play has no account, and the number of whom they sign in with."""
    found: dict[str, str] = {}
    for one in play.statements:
        number = _NUMBER.search(one.source) if one.verb == ">" else None
        if number is not None and one.actor not in accounts:
            found.setdefault(one.actor, number[1])
    return found


def _names_seen(heard: Iterable[str]) -> set[str]:
    return {
        name
        for source in heard
        for value in _NAMES_SHOWN.findall(source)
        for name in re.findall(r"\w+", value)
    }


def cast(wanted: Needs, company: Company) -> dict[str, Player]:
    """Return who plays whom, by the names in the play; whoever has the name comes first.

    Where lists are seen in the play, the numbers ascend as in the play. Raises Uncast.
    """
    for part in wanted.parts:
        if not any(part.can_be(player) for player in company):
            raise Uncast(f"needs an account for {part}")
    found = next(_castings(wanted.parts, company, ascending=wanted.shows_order), None)
    if found is None:
        names = ", ".join(map(str, wanted.parts))
        ordered = ", with numbers in this order" if wanted.shows_order else ""
        raise Uncast(f"needs {len(wanted.parts)} accounts{ordered}: {names}")
    return {part.name: player for part, player in zip(wanted.parts, found, strict=True)}


def _castings(
    parts: tuple[Part, ...], company: Company, *, ascending: bool, above: int = 0
) -> Iterator[tuple[Player, ...]]:
    """Give all ways to play these parts with numbers above one, the best first."""
    if not parts:
        yield ()
        return
    part, *rest = parts
    able = [player for player in company if player.uin > above and part.can_be(player)]
    for player in sorted(able, key=lambda one: (one.name != part.name, one.nick != part.name)):
        left = tuple(one for one in company if one is not player)
        least = player.uin if ascending else 0
        for others in _castings(tuple(rest), left, ascending=ascending, above=least):
            yield (player, *others)
