"""Operators: who may do what, tokens for programs, and the log of what was done.

An account has a role or none; so has a token, which a program shows in place of a password. A token
is shown once: what is kept is a quick hash, since it is random enough. Each thing that an operator
changes, or tries to, is a *deed*.

As long as there is no administrator, a code that lives in memory only makes one: it stands in the
log of a server that starts, so who can read that log is who runs the server.
"""

import asyncio
import hashlib
import hmac
import json
import math
from base64 import b32encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from kqq.errors import AccountError
from kqq.server.clock import Clock
from kqq.server.database import Database
from kqq.server.limits import Rates
from kqq.server.transaction import Written

KEPT = 10_000
"""Deeds that are kept: the newest."""
MOST_TOKENS = 100
"""Tokens that there can be."""
MOST_DAYS = 3650
"""Days that a token can be used."""
LONGEST_NAME = 32
"""Characters of a token's name."""
MARK = "kqq_"
"""What tokens begin with, so that who finds one knows what it is."""
_DAY = 86_400.0
_TOKEN_SIZE, _CODE_SIZE = 25, 15  # bytes, which b32 makes words of without padding
_SEEN_EVERY = 60.0  # seconds between two notes of when a token was last seen
_REFUSALS, _REFUSALS_RATE = 30, 1 / 60  # at once, and a second, that are noted of one operator
_SECRETS = frozenset({"proof", "password", "code", "token"})
_LONGEST_TEXT, _LONGEST_KEY, _LONGEST_OUTCOME = 200, 64, 500
_MOST_SHOWN = 50
_DEEPEST = 4


class Role(StrEnum):
    """What an operator may do; each may do what those before it may."""

    OBSERVER = "observer"  # look at everything
    MODERATOR = "moderator"  # kick, suspend and resume, invite, announce
    ADMINISTRATOR = "administrator"  # all

    def covers(self, needed: "Role") -> bool:
        """Return whether this role may do what `needed` may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class NotAllowed(AccountError):
    """The role of whoever asks does not let them do this; nothing was done."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who may do something; `name` is what deeds say.

    That is the number of an account, `token NAME`, `command line` or `first link`.
    """

    name: str
    role: Role
    uin: int | None = None


COMMAND_LINE = Operator("command line", Role.ADMINISTRATOR)
"""Who can open the server's socket or its data folder."""
FIRST_LINK = Operator("first link", Role.ADMINISTRATOR)
"""Who has the code of `first_code`."""


@dataclass(frozen=True, slots=True)
class Appointed:
    """An account with a role, since a date."""

    uin: int
    nick: str
    role: Role
    since: float


@dataclass(frozen=True, slots=True)
class Token:
    """What a program shows in place of a password; dates in seconds."""

    name: str
    role: Role
    created: float
    expires: float
    seen: float | None


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that an operator did at a date, or tried to: `outcome` is "" or says why not.

    `arguments` are without secrets, and cut where they are long.
    """

    id: int
    at: float
    who: str
    action: str
    arguments: dict[str, Any] = field(hash=False)
    outcome: str


class Operators:
    """Finds and changes operators and tokens; notes deeds."""

    def __init__(self, database: Database, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._database = database
        self._clock = clock
        self._random = random
        self._code: str | None = None
        self._changing = asyncio.Lock()  # of who is administrator, since the last one must stay
        self._refusals = Rates(clock, lambda: _REFUSALS_RATE, lambda: _REFUSALS)

    # --- roles

    def role_of(self, uin: int) -> Role | None:
        """Return the role of an account, None if it has none; it may be suspended."""
        rows = self._database.fetch("SELECT role FROM operator WHERE uin = ?", uin)
        return Role(str(rows[0][0])) if rows else None

    def all(self) -> list[Appointed]:
        """Return all operators, in order of number."""
        rows: list[Any] = self._database.fetch(
            "SELECT uin, nick, role, since FROM operator JOIN account USING (uin) ORDER BY uin"
        )
        return [Appointed(uin, nick, Role(role), since) for uin, nick, role, since in rows]

    async def add(self, uin: int, role: Role) -> None:
        """Give an account a role, or another one; on disk when this returns.

        Raises AccountError if there is no such account, or no administrator would be left.
        """
        async with self._changing:
            if role is not Role.ADMINISTRATOR:
                self._check_not_last(uin)
            if not await self._add(uin, role):
                raise AccountError(f"there is no account {uin}")

    async def add_first(self, uin: int) -> bool:
        """Make an account the administrator; return False if there is one, or no such account."""
        async with self._changing:
            if self.has_administrator() or not await self._add(uin, Role.ADMINISTRATOR):
                return False
        self._code = None
        await self.note(
            FIRST_LINK.name, "operator.add", {"uin": uin, "role": Role.ADMINISTRATOR.value}
        )
        return True

    async def remove(self, uin: int) -> None:
        """Take the role of an account away. Raises AccountError if that cannot be."""
        async with self.parting(uin):
            if not await self._database.write("DELETE FROM operator WHERE uin = ?", uin):
                raise AccountError(f"{uin} is no operator")

    @asynccontextmanager
    async def parting(self, uin: int) -> AsyncIterator[None]:
        """Let an account be suspended or deleted within; who else would be must wait.

        Raises AccountError if it is the last administrator.
        """
        async with self._changing:
            self._check_not_last(uin)
            yield

    def has_administrator(self) -> bool:
        """Return whether there is an administrator who is not suspended."""
        return bool(self._administrators())

    def first_code(self) -> str | None:
        """Return the code that makes the first administrator, None if there is one."""
        if self.has_administrator():
            self._code = None
        elif self._code is None:
            self._code = _word(self._random(_CODE_SIZE))
        return self._code

    def use_first_code(self, code: str) -> bool:
        """Return whether a code makes the first administrator: let `add_first` do it then."""
        right = self.first_code()
        given = code.encode("utf-8", "surrogatepass")
        return right is not None and hmac.compare_digest(given, right.encode())

    def _administrators(self) -> list[int]:
        """Return at most two, none of them suspended."""
        rows: list[Any] = self._database.fetch(
            "SELECT uin FROM operator JOIN account USING (uin)"
            " WHERE role = ? AND suspended IS NULL LIMIT 2",
            Role.ADMINISTRATOR.value,
        )
        return [uin for (uin,) in rows]

    def _check_not_last(self, uin: int) -> None:
        if self._administrators() == [uin]:
            raise AccountError(
                f"{uin} is the last administrator; make somebody else one first, with "
                "`kqq operator add`"
            )

    def _add(self, uin: int, role: Role) -> Written:
        return self._database.write(
            "INSERT INTO operator (uin, role, since) SELECT uin, ?, ? FROM account WHERE uin = ?"
            " ON CONFLICT DO UPDATE SET role = excluded.role,"
            " since = iif(role = excluded.role, since, excluded.since)",
            role.value,
            self._clock.date(),
            uin,
        )

    # --- tokens

    def tokens(self) -> list[Token]:
        """Return all tokens by name, also those that have expired."""
        return self._tokens("ORDER BY name")

    async def add_token(self, name: str, role: Role, days: float) -> tuple[Token, str]:
        """Make a token, on disk when this returns; it is returned once and kept nowhere.

        Raises AccountError if the name will not do or is taken, or there are MOST_TOKENS.
        """
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
            raise AccountError(
                f"{name!r} cannot be a token's name; take 1 to {LONGEST_NAME} printable "
                "characters, without blanks around them"
            )
        if not 0 < days <= MOST_DAYS:
            raise AccountError(f"days={days} cannot be; take up to {MOST_DAYS}")
        if len(self.tokens()) >= MOST_TOKENS:
            raise AccountError(f"there are {MOST_TOKENS} tokens; revoke one that is not used")
        secret, now = MARK + _word(self._random(_TOKEN_SIZE)), self._clock.date()
        token = Token(name, role, now, now + days * _DAY, None)
        done = self._database.write(
            "INSERT INTO token (name, proof, role, created, expires) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            name,
            _proof(secret),
            role.value,
            token.created,
            token.expires,
        )
        if not await done:
            raise AccountError(f"there is a token {name!r} already; choose another name")
        return token, secret

    async def revoke_token(self, name: str) -> None:
        """Let a token be used no more. Raises AccountError if there is none."""
        if not await self._database.write("DELETE FROM token WHERE name = ?", name):
            raise AccountError(f"there is no token {name!r}")

    def find_token(self, secret: str) -> Token | None:
        """Return the token that a program shows, None if it is none or has expired."""
        if not secret.startswith(MARK) or not secret.isascii():
            return None
        found = self._tokens("WHERE proof = ?", _proof(secret))
        now = self._clock.date()
        if not found or found[0].expires <= now:
            return None
        (token,) = found
        if token.seen is None or abs(now - token.seen) >= _SEEN_EVERY:
            self._database.write_along("UPDATE token SET seen = ? WHERE name = ?", now, token.name)
        return token

    def _tokens(self, rest: str, *values: str) -> list[Token]:
        rows: list[Any] = self._database.fetch(
            f"SELECT name, role, created, expires, seen FROM token {rest}",  # noqa: S608
            *values,
        )
        return [Token(name, Role(role), *dates) for name, role, *dates in rows]

    # --- deeds

    def note(
        self, who: str, action: str, arguments: Mapping[str, Any], outcome: str = ""
    ) -> Written:
        """Note what an operator did, or why it could not be done; the oldest deeds are forgotten.

        Values that are secrets are left out.
        """
        done = self._database.write(
            "INSERT INTO deed (at, who, action, arguments, outcome) VALUES (?, ?, ?, ?, ?)",
            self._clock.date(),
            who,
            action,
            json.dumps(_shown(arguments)),
            _cut(outcome, _LONGEST_OUTCOME).encode("utf-8", "backslashreplace").decode(),
        )
        self._database.write("DELETE FROM deed WHERE id <= (SELECT max(id) FROM deed) - ?", KEPT)
        return done

    def notes_refusal(self, who: str) -> bool:
        """Return whether to note that something could not be done.

        Not always: who tries very often would push out what was done.
        """
        return self._refusals.spend(who)

    def deeds(
        self,
        *,
        before: int | None = None,
        most: int = 100,
        who: str | None = None,
        action: str | None = None,
    ) -> list[Deed]:
        """Return at most `most` deeds, newest first, those with ids below `before`.

        `who` and `action` leave out those of others.
        """
        wanted = {"id < ?": before, "who = ?": who, "action = ?": action}
        given = {sql: value for sql, value in wanted.items() if value is not None}
        rows: list[Any] = self._database.fetch(
            "SELECT id, at, who, action, arguments, outcome FROM deed"  # noqa: S608
            f" WHERE {' AND '.join(['TRUE', *given])} ORDER BY id DESC LIMIT ?",
            *given.values(),
            most,
        )
        return [
            Deed(number, at, by, name, json.loads(arguments), outcome)
            for number, at, by, name, arguments, outcome in rows
        ]


def _word(drawn: bytes) -> str:
    return b32encode(drawn).decode().lower()


def _proof(secret: str) -> str:
    return hashlib.blake2b(secret.encode(), digest_size=32, person=b"kqq token").hexdigest()


def _shown(value: Any, depth: int = 0) -> Any:
    """Return what a deed says of its arguments: no secrets, nothing long."""
    if isinstance(value, Mapping) and depth < _DEEPEST:
        shown = [(key, one) for key, one in value.items() if key not in _SECRETS][:_MOST_SHOWN]
        return {_cut(str(key), _LONGEST_KEY): _shown(one, depth + 1) for key, one in shown}
    if isinstance(value, str):
        return _cut(value, _LONGEST_TEXT)
    if isinstance(value, Mapping | Sequence):
        is_short = len(value) <= _MOST_SHOWN and depth < _DEEPEST
        is_plain = not any(isinstance(one, Mapping | list | tuple) for one in value)
        if is_short and is_plain and not isinstance(value, Mapping):
            return [_shown(one, depth + 1) for one in value]
        return f"{len(value)} of them"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such numbers
    return value


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"
