"""What needs a running server: who is signed in, announcements, figures."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, TypedDict

from kqq import __version__
from kqq.errors import AccountError, ConfigError
from kqq.server.admin.base import (
    LARGEST_PAGE,
    Admin,
    After,
    Between,
    Date,
    Most,
    Note,
    Seconds,
    Uin,
    Uins,
    action,
    check_note,
)
from kqq.server.inbox import InboxFull
from kqq.server.operators import Role
from kqq.server.session import Session
from kqq.server.store import Kind

SYSTEM = 10000
"""The number announcements come from (ZN SETM)."""
_LONGEST_TEXT = 16_000
_DAY = 1440  # minutes

Minutes = Annotated[float, Between(1, _DAY), "How many of the last minutes."]


class SignedIn(TypedDict):
    """A session: over `tcp`, `tls`, `http` or `web`, and for how many seconds.

    `silent` is since when nothing came, None where the connection itself shows that it lives.
    """

    uin: Uin
    nick: str
    over: str
    peer: Annotated[str, "Address and port."]
    status: str
    seconds: Seconds
    silent: Seconds | None


class Kicked(TypedDict):
    """Whose session was ended, and why."""

    uin: Uin
    reason: str


class Announced(TypedDict):
    """How many people it was sent to."""

    sent: int


class Status(TypedDict):
    """What the server is and how much it has to do; `sessions` are by what they go over."""

    version: str
    since: Date
    data: Annotated[str, "The folder with the database."]
    doors: Annotated[list[str], "Those for phones."]
    web: Annotated[list[str], "Those for browsers."]
    advertise: str
    registration: str
    accounts: int
    sessions: dict[str, int]
    connections: int


class Series(TypedDict):
    """Figures over time, a value for each of `times`, None where there was nothing to measure."""

    every: Seconds
    times: list[Date]
    series: dict[str, list[float | None]]


@action("sessions", role=Role.OBSERVER, changes=False, live=True)
async def sessions(admin: Admin, after: After = 0, most: Most = LARGEST_PAGE) -> list[SignedIn]:
    """Return who is signed in, in order of number: at most `most` above `after`."""
    found = [session for session in admin.services.sessions.all() if session.uin > after]
    return [signed_in(admin, session) for session in found[:most]]


@action("kick", role=Role.MODERATOR, changes=True, live=True)
async def kick(admin: Admin, uin: Uin, reason: Note = "kicked by the operator") -> Kicked:
    """End somebody's session; they can sign in again."""
    admin.account(uin)
    check_note("reason", reason)
    if not admin.services.sessions.kick(uin, reason):
        raise AccountError(f"{uin} is not signed in")
    return {"uin": uin, "reason": reason}


@action("announce", role=Role.MODERATOR, changes=True, live=True)
async def announce(
    admin: Admin, text: Annotated[str, Between(1, _LONGEST_TEXT)], to: Uins | None = None
) -> Announced:
    """Send a message from 10000 to everybody, or to these; it waits for those who are away.

    Everybody is who is not suspended and whose inbox is not full; `sent` counts them.
    """
    live, limit = admin.services, admin.config.text_limit
    if not 0 < len(text) <= limit:
        raise AccountError(f"the text has {len(text)} characters; take 1 to {limit}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AccountError("the text is no UTF-8; phones could not show it") from None
    if to is None:
        count = await live.inbox.announce(SYSTEM, text)
        live.sessions.fall_behind()
        for session in live.sessions.all():
            session.wake()
        return {"sent": count}
    return {"sent": await _announce_to(admin, text, to)}


async def _announce_to(admin: Admin, text: str, to: Sequence[int]) -> int:
    inbox, everybody = admin.services.inbox, dict.fromkeys(to)
    for uin in everybody:
        admin.account(uin)
        try:
            inbox.check_room(uin)
        except InboxFull:
            raise AccountError(f"the inbox of {uin} is full; nothing was sent to anybody") from None
    await asyncio.gather(*[inbox.put(SYSTEM, uin, text, Kind.MESSAGE) for uin in everybody])
    return len(everybody)


@action("status", role=Role.OBSERVER, changes=False, live=True)
async def status(admin: Admin) -> Status:
    """Return what the server is and how much it has to do."""
    live = admin.services
    return {
        "version": __version__,
        "since": admin.started,
        "data": str(admin.config.data.absolute()),
        "doors": [str(door) for door in live.doors],
        "web": [str(door) for door in live.web_doors],
        "advertise": admin.config.advertise,
        "registration": admin.config.registration,
        "accounts": admin.store.count_accounts(),
        "sessions": live.sessions.count(),
        "connections": live.metrics.connections_open,
    }


@action("trends", role=Role.OBSERVER, changes=False, live=True)
async def trends(admin: Admin, minutes: Minutes = 60) -> Series:
    """Return figures over time: of an hour every ten seconds, of a day every minute.

    There are rates a second (`messages` stored and `delivered`, `sign_ins`, `sign_ins_refused`,
    `bytes_in`, `bytes_out`), what there was at the time (`connections`, `sessions_tcp`,
    `sessions_http`, `sessions_web`), and milliseconds: `commit_ms` that a transaction took on
    average, `loop_ms` that something came too late at most.
    """
    if admin.trends is None:
        raise ConfigError("this server keeps no figures over time")
    found = admin.trends.series(minutes)
    return {"every": found["every"], "times": found["times"], "series": found["series"]}


def signed_in(admin: Admin, session: Session) -> SignedIn:
    """Return what is told of a session."""
    live, account = admin.services, admin.store.account(session.uin)
    now, is_http = live.clock.now(), session.place is not None
    over = session.attempt.over if session.attempt is not None else "http" if is_http else "tcp"
    return {
        "uin": session.uin,
        "nick": account.nick if account is not None else "",
        "over": over,
        "peer": session.peer,
        "status": live.presence.own(session.uin).name.lower().replace("_", "-"),
        "seconds": round(now - session.began, 1),
        "silent": round(now - session.heard, 1) if is_http else None,
    }
