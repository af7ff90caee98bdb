"""What an operator can do, as functions; the command line calls them, here or over a socket.

Each action takes what its arguments say and returns what JSON can hold: an object, or a list of
objects. They work on a data folder where no server runs, too, as far as they need none. Passwords
come as proofs, which the command line makes, so that no password crosses the socket.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kqq import __version__
from kqq.errors import AccountError, ConfigError
from kqq.server.accounts import check_nick, check_uin
from kqq.server.clock import Clock
from kqq.server.config import Config
from kqq.server.devices import add_device, grouped, revoke_device
from kqq.server.friends import check_friends
from kqq.server.handlers import Services
from kqq.server.inbox import InboxFull, TextTooLong
from kqq.server.invitations import invite
from kqq.server.journal import advice
from kqq.server.profiles import LONGEST_ENTRY, PROFILE
from kqq.server.store import Account, Kind, Store

SYSTEM = 10000
"""The number announcements come from (ZN SETM)."""
_CHOICES = {"who_may_add": ("anyone", "ask", "nobody"), "who_may_write": ("friends", "anyone")}
_MOST_WAITING = 1_000_000
_HIGHEST_FACE = 65535

Object = dict[str, Any]
Result = Object | list[Object]
Action = Callable[..., Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Admin:
    """What actions work with; `live` is the running server, None if none runs."""

    config: Config
    store: Store
    clock: Clock
    random: Callable[[int], bytes]
    live: Services | None = None


ACTIONS: dict[str, Action] = {}


def action(name: str) -> Callable[[Action], Action]:
    """Make the decorated function the action `name`."""

    def register(function: Action) -> Action:
        ACTIONS[name] = function
        return function

    return register


async def perform(admin: Admin, name: str, arguments: Mapping[str, Any]) -> Result:
    """Do what `name` says. Raises AccountError or ConfigError in words for the operator."""
    function = ACTIONS.get(name)
    if function is None:
        raise ConfigError(f"there is no action {name!r}; is the server older than this command?")
    try:
        inspect.signature(function).bind(admin, **arguments)
    except TypeError as error:
        raise ConfigError(f"{name}: {error}; is the server older than this command?") from error
    return await function(admin, **arguments)


# --- accounts ------------------------------------------------------------------------------------


@action("account.add")
async def add(
    admin: Admin,
    *,
    proof: str,
    nick: str,
    uin: int | None = None,
    who_may_add: str | None = None,
    who_may_write: str | None = None,
) -> Object:
    """Make an account; without a number it gets the lowest that is free."""
    check_nick(nick)
    if uin is not None:
        check_uin(uin)
    config = admin.config
    account = Account(
        uin if uin is not None else admin.store.free_number(config.lowest_number),
        nick,
        0,
        proof,
        _one_of("who_may_add", who_may_add or config.who_may_add),
        _one_of("who_may_write", who_may_write or config.who_may_write),
    )
    if not await admin.store.insert_account(account, admin.clock.date()):
        raise AccountError(f"there is an account {account.uin} already; choose another number")
    return _brief(account)


@action("account.import")
async def import_accounts(
    admin: Admin, accounts: Sequence[Mapping[str, Any]], friends: Sequence[Sequence[int]]
) -> Object:
    """Make accounts (`uin`, `nick`, `proof`) and pairs of friends, all or none.

    For a part of a file that was checked; accounts that are there already are an error.
    """
    config, date = admin.config, admin.clock.date()
    rows = []
    for one in accounts:
        check_uin(one["uin"])
        check_nick(one["nick"])
        if admin.store.account_exists(one["uin"]):
            raise AccountError(f"there is an account {one['uin']} already")
        rows.append(
            Account(one["uin"], one["nick"], 0, one["proof"], config.who_may_add,
                    config.who_may_write)
        )  # fmt: skip
    pairs = [(one, other) for one, other in friends]
    writes = [admin.store.insert_account(row, date) for row in rows]
    writes += [admin.store.insert_friends(one, other) for one, other in pairs]
    await asyncio.gather(*writes)
    if admin.live is not None:
        for first, second in pairs:
            admin.live.presence.introduce(first, second)
    return {"accounts": len(rows), "friends": len(friends)}


@action("account.passwd")
async def passwd(admin: Admin, uin: int, proof: str) -> Object:
    """Change the password; whoever is signed in must sign in again."""
    _account(admin, uin)
    await admin.store.change_account(uin, proof=proof)
    _kick(admin, uin, "the password was changed")
    return {"uin": uin}


@action("account.set")
async def set_values(admin: Admin, uin: int, values: Mapping[str, str]) -> Object:
    """Change nickname, face, who may add or write, or an entry of the profile; "" removes one."""
    _account(admin, uin)
    for name, value in values.items():
        _check_value(name, value)
    entries = {name: value for name, value in values.items() if name in PROFILE}
    columns = {
        name: int(value) if name == "face" else value
        for name, value in values.items()
        if name not in PROFILE
    }
    if columns:
        await admin.store.change_account(uin, **columns)
    if entries:
        await admin.store.change_profile(uin, entries)
    return _brief(_account(admin, uin))


def _check_value(name: str, value: str) -> None:
    if name == "nick":
        check_nick(value)
    elif name == "face":
        if not value.isascii() or not value.isdigit() or int(value) > _HIGHEST_FACE:
            raise AccountError(f"face={value} cannot be; take a number up to {_HIGHEST_FACE}")
    elif name in _CHOICES:
        _one_of(name, value)
    elif name not in PROFILE:
        raise AccountError(
            f"{name!r} cannot be set; take nick, face, {', '.join(_CHOICES)} or one of "
            f"{', '.join(PROFILE)}"
        )
    elif len(value) > LONGEST_ENTRY or not value.isprintable():
        raise AccountError(
            f"{name}={value!r} cannot be; take up to {LONGEST_ENTRY} printable characters"
        )


@action("account.friend")
async def friend(admin: Admin, uin: int, other: int) -> Object:
    """Make two accounts friends of each other."""
    check_friends(admin.store, uin, other)
    is_new = bool(await admin.store.insert_friends(uin, other))
    if is_new and admin.live is not None:
        admin.live.presence.introduce(uin, other)
    return {"uin": uin, "other": other, "new": is_new}


@action("account.unfriend")
async def unfriend(admin: Admin, uin: int, other: int) -> Object:
    """End a friendship."""
    _account(admin, uin)
    if not admin.store.are_friends(uin, other):
        raise AccountError(f"{uin} and {other} are no friends")
    await admin.store.delete_friends(uin, other)
    if admin.live is not None:
        admin.live.presence.part(uin, other)
    return {"uin": uin, "other": other}


@action("account.suspend")
async def suspend(admin: Admin, uin: int, reason: str = "") -> Object:
    """Let an account sign in no more, and end its session; nothing of it is lost."""
    _account(admin, uin)
    await admin.store.change_account(uin, suspended=reason)
    _kick(admin, uin, f"suspended{f': {reason}' if reason else ''}")
    return {"uin": uin, "reason": reason}


@action("account.resume")
async def resume(admin: Admin, uin: int) -> Object:
    """Let a suspended account sign in again."""
    if _account(admin, uin).suspended is None:
        raise AccountError(f"{uin} is not suspended")
    await admin.store.change_account(uin, suspended=None)
    return {"uin": uin}


@action("account.delete")
async def delete(admin: Admin, uin: int) -> Object:
    """Delete an account, its friendships and what waits for it; what it sent stays."""
    account = _account(admin, uin)
    if admin.live is not None:
        for other in admin.store.friends(uin):
            admin.live.presence.part(uin, other)
    _kick(admin, uin, "the account was deleted")
    await admin.store.delete_account(uin)
    return _brief(account)


@action("account.show")
async def show(admin: Admin, uin: int) -> Object:
    """Return all that is known of an account, save for passwords."""
    account, store = _account(admin, uin), admin.store
    session = admin.live.sessions.of(uin) if admin.live is not None else None
    return _brief(account) | {
        "suspended": account.suspended,
        "last_seen": account.last_seen,
        "who_may_add": account.who_may_add,
        "who_may_write": account.who_may_write,
        "friends": store.friends(uin),
        "asked_by": store.requests_to(uin, _MOST_WAITING),
        "has_asked": store.requests_from(uin),
        "waiting": store.count_messages(uin, _MOST_WAITING),
        "devices": _devices(admin, uin),
        "profile": store.profile(uin),
        "session": None if session is None else _session(admin, uin),
    }


@action("account.list")
async def list_accounts(admin: Admin, after: int = 0, most: int = -1) -> list[Object]:
    """Return accounts in order of number, at most `most` above `after`."""
    return [
        _brief(account) | {"suspended": account.suspended, "last_seen": account.last_seen}
        for account in admin.store.accounts(after, most)
    ]


@action("account.export")
async def export(admin: Admin, after: int = 0, most: int = -1) -> list[Object]:
    """Return accounts with their friends; passwords are not kept, so they are not among it."""
    return [
        {"uin": account.uin, "nick": account.nick, "friends": admin.store.friends(account.uin)}
        for account in admin.store.accounts(after, most)
    ]


@action("account.invite")
async def make_invitation(admin: Admin, uses: int = 1, days: float = 14, note: str = "") -> Object:
    """Make a code with which `uses` people can make themselves an account."""
    code = await invite(
        admin.store, admin.random, admin.clock.date(), uses=uses, days=days, note=note
    )
    await admin.store.delete_invitations(admin.clock.date())
    return {
        "code": code,
        "uses": uses,
        "days": days,
        "note": note,
        "registration": admin.config.registration,
    }


@action("account.invitations")
async def invitations(admin: Admin) -> list[Object]:
    """Return the invitations that can still be used; the codes are kept nowhere."""
    now = admin.clock.date()
    return [
        {"note": one.note, "created": one.created, "expires": one.expires, "uses": one.uses}
        for one in admin.store.invitations()
        if one.uses > 0 and one.expires > now
    ]


@action("device.add")
async def device_add(admin: Admin, uin: int, name: str) -> Object:
    """Make a password for one phone; it is shown once."""
    password = await add_device(admin.store, uin, name, admin.clock.date(), admin.random)
    return {"uin": uin, "name": name, "password": password, "grouped": grouped(password)}


@action("device.list")
async def device_list(admin: Admin, uin: int) -> list[Object]:
    """Return the devices of an account."""
    _account(admin, uin)
    return _devices(admin, uin)


@action("device.revoke")
async def device_revoke(admin: Admin, uin: int, name: str) -> Object:
    """Let a device's password sign in no more, and end the session, which may be that phone's."""
    await revoke_device(admin.store, uin, name)
    _kick(admin, uin, "the password of a device was revoked")
    return {"uin": uin, "name": name}


# --- what needs a running server -----------------------------------------------------------------


@action("sessions")
async def sessions(admin: Admin) -> list[Object]:
    """Return who is signed in."""
    live = _live(admin)
    return [_session(admin, session.uin) for session in live.sessions.all()]


@action("kick")
async def kick(admin: Admin, uin: int, reason: str = "kicked by the operator") -> Object:
    """End somebody's session; they can sign in again."""
    if not _live(admin).sessions.kick(uin, reason):
        raise AccountError(f"{uin} is not signed in")
    return {"uin": uin, "reason": reason}


@action("announce")
async def announce(admin: Admin, text: str, to: Sequence[int] | None = None) -> Object:
    """Send a message from 10000 to everybody, or to these; it waits for those who are away."""
    live = _live(admin)
    if not 0 < len(text) <= admin.config.text_limit:
        raise AccountError(
            f"the text has {len(text)} characters; take 1 to {admin.config.text_limit}"
        )
    if to is None:
        most = admin.config.inbox_limit
        count = await admin.store.announce(SYSTEM, text, admin.clock.date(), most)
        for session in live.sessions.all():
            session.wake()
        return {"sent": count}
    for uin in to:
        _account(admin, uin)
    try:
        await asyncio.gather(*[live.inbox.put(SYSTEM, uin, text, Kind.MESSAGE) for uin in to])
    except (InboxFull, TextTooLong) as error:
        raise AccountError(f"an inbox is full ({type(error).__name__})") from error
    return {"sent": len(to)}


@action("why")
async def why(admin: Admin, who: str) -> Object:
    """Return the last attempts to sign in, of a number or from an address."""
    live = _live(admin)
    uin = int(who) if who.isascii() and who.isdigit() else None
    found = live.journal.of_address(who) if uin is None else live.journal.of_uin(uin)
    attempts = [attempt.as_object() for attempt in found]
    account = admin.store.account(uin) if uin is not None else None
    is_signed_in = uin is not None and live.sessions.of(uin) is not None
    return {
        "who": who,
        "is_number": uin is not None,
        "exists": account is not None,
        "suspended": account.suspended if account is not None else None,
        "attempts": attempts,
        "advice": None if is_signed_in else advice(attempts),
    }


@action("status")
async def status(admin: Admin) -> Object:
    """Return what the server is and how much it has to do."""
    live = _live(admin)
    return {
        "version": __version__,
        "doors": [str(door) for door in live.doors],
        "advertise": admin.config.advertise,
        "accounts": admin.store.count_accounts(),
        "sessions": live.sessions.count(),
        "connections": live.metrics.connections_open,
    }


# --- parts ---------------------------------------------------------------------------------------


def _account(admin: Admin, uin: int) -> Account:
    account = admin.store.account(uin)
    if account is None:
        raise AccountError(f"there is no account {uin}")
    return account


def _live(admin: Admin) -> Services:
    if admin.live is None:
        raise ConfigError(
            f"no server runs on {admin.config.data}; start `kqq serve`, or name its folder with "
            "--data"
        )
    return admin.live


def _kick(admin: Admin, uin: int, reason: str) -> None:
    if admin.live is not None:
        admin.live.sessions.kick(uin, reason)


def _one_of(name: str, value: str) -> str:
    if value not in _CHOICES[name]:
        raise AccountError(f"{name}={value} cannot be; take {' or '.join(_CHOICES[name])}")
    return value


def _brief(account: Account) -> Object:
    return {"uin": account.uin, "nick": account.nick, "face": account.face}


def _devices(admin: Admin, uin: int) -> list[Object]:
    return [
        {"name": one.name, "created": one.created, "last_seen": one.last_seen}
        for one in admin.store.devices(uin)
    ]


def _session(admin: Admin, uin: int) -> Object:
    live = _live(admin)
    session = live.sessions.of(uin)
    assert session is not None
    now = live.clock.now()
    account = admin.store.account(uin)
    return {
        "uin": uin,
        "nick": account.nick if account is not None else "",
        "over": "http" if session.place is not None else "connection",
        "peer": session.peer,
        "status": live.presence.own(uin).name.lower().replace("_", "-"),
        "seconds": round(now - session.began, 1),
        "silent": round(now - session.heard, 1) if session.place is not None else None,
    }
