"""Browsers that are signed in: what each holds as a cookie, and for how long it is good.

A visit is bound to the password of its account: with another password all of them end, whoever has
changed it and wherever. What a browser holds is kept nowhere, only a proof of it; it is random
enough that a quick one will do.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from kqq.errors import AccountError
from kqq.server.clock import Clock
from kqq.server.database import Database

LIFETIME = 30 * 86_400.0
"""Seconds that a browser may stay away before it has to sign in again."""
MOST_VISITS = 20
"""Browsers that one account is signed in with; with one more the one longest away is signed out."""
LONGEST_AGENT = 200
"""Characters kept of what a browser calls itself."""
_SEEN_EVERY = 3600.0  # seconds between two notes of when a browser was last seen
_SECRET = 32  # bytes
_MOST_DIGITS = 18

_COLUMNS = "visit.id, visit.uin, visit.created, visit.seen, visit.host, visit.agent"


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser that is signed in as `uin`; `created` and `seen` are dates.

    `csrf` is what its pages show with each request that changes something; no other site knows it.
    """

    id: int
    uin: int
    created: float
    seen: float
    host: str
    agent: str
    csrf: str = field(default="", repr=False)


class Visits:
    """Begins, finds and ends visits."""

    def __init__(self, database: Database, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._database = database
        self._clock = clock
        self._random = random
        self._watching: dict[int, set[Callable[[], None]]] = {}

    async def begin(self, uin: int, host: str, agent: str) -> tuple[Visit, str]:
        """Sign a browser in; return the visit, and what the browser is to hold as its cookie.

        Raises AccountError if there is no such account.
        """
        secret = urlsafe_b64encode(self._random(_SECRET)).decode().rstrip("=")
        now, agent = self._clock.date(), agent[:LONGEST_AGENT]
        proof = _proof(secret, self._password_proof(uin))
        self._database.write("DELETE FROM visit WHERE seen < ?", now - LIFETIME)
        begun = await self._database.write(
            "INSERT INTO visit (proof, uin, created, seen, host, agent)"
            " SELECT ?, uin, ?, ?, ?, ? FROM account WHERE uin = ?",
            proof, now, now, host, agent, uin,
        )  # fmt: skip
        if not begun:
            raise _nobody(uin)
        ((number,),) = self._database.fetch("SELECT id FROM visit WHERE proof = ?", proof)
        for old in self.of(uin)[MOST_VISITS:]:
            await self.end(old.id)
        visit = Visit(int(number), uin, now, now, host, agent, _csrf(secret))  # type: ignore[arg-type]
        return visit, f"{visit.id}.{secret}"

    def find(self, cookie: str) -> Visit | None:
        """Return the visit of a browser that holds this cookie; None if there is none any more."""
        number, _, secret = cookie.partition(".")
        if not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS and secret):
            return None
        rows = self._database.fetch(
            f"SELECT visit.proof, account.proof, {_COLUMNS} FROM visit"  # noqa: S608
            " JOIN account ON account.uin = visit.uin WHERE visit.id = ?",
            int(number),
        )
        if not rows:
            return None
        kept, password_proof, *columns = rows[0]
        visit = replace(Visit(*columns), csrf=_csrf(secret))  # type: ignore[arg-type]
        now = self._clock.date()
        is_it = hmac.compare_digest(str(kept), _proof(secret, str(password_proof)))
        if not is_it or now - visit.seen > LIFETIME:
            return None
        if abs(now - visit.seen) >= _SEEN_EVERY:
            self._database.write_along("UPDATE visit SET seen = ? WHERE id = ?", now, visit.id)
        return visit

    def of(self, uin: int) -> list[Visit]:
        """Return the visits of an account, the one seen last first.

        One that a new password has ended may be among them until its browser comes again.
        """
        rows = self._database.fetch(
            f"SELECT {_COLUMNS} FROM visit WHERE uin = ? ORDER BY seen DESC, id DESC",  # noqa: S608
            uin,
        )
        return [Visit(*row) for row in rows]  # type: ignore[arg-type]

    async def end(self, number: int) -> bool:
        """Sign a browser out; return whether it was signed in."""
        ended = await self._database.write("DELETE FROM visit WHERE id = ?", number)
        self._tell(number)
        return bool(ended)

    async def end_all(self, uin: int, but: int | None = None) -> None:
        """Sign all browsers of an account out, save for the visit `but`."""
        for visit in self.of(uin):
            if visit.id != but:
                await self.end(visit.id)

    def watch(self, number: int, ended: Callable[[], None]) -> Callable[[], None]:
        """Have `ended` called when a visit is ended here; return what stops that."""
        self._watching.setdefault(number, set()).add(ended)

        def stop() -> None:
            calls = self._watching.get(number, set())
            calls.discard(ended)
            if not calls:
                self._watching.pop(number, None)

        return stop

    def _tell(self, number: int) -> None:
        for ended in self._watching.pop(number, set()):
            ended()

    def _password_proof(self, uin: int) -> str:
        rows: list[Any] = self._database.fetch("SELECT proof FROM account WHERE uin = ?", uin)
        if not rows:
            raise _nobody(uin)
        return str(rows[0][0])


def _nobody(uin: int) -> AccountError:
    return AccountError(f"there is no account {uin}")


def _proof(secret: str, password_proof: str) -> str:
    key = hashlib.blake2b(password_proof.encode(), digest_size=32).digest()
    return hashlib.blake2b(secret.encode(), key=key, person=b"kqq visit").hexdigest()


def _csrf(secret: str) -> str:
    return hashlib.blake2b(secret.encode(), person=b"kqq csrf", digest_size=16).hexdigest()
