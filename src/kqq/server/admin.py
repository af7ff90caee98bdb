"""What an operator can do, as functions; the command line calls them, here or over a socket.

Each action takes what its arguments say and returns what JSON can hold: an object, or a list of
objects. They work on a data folder where no server runs, too, as far as they need none. Passwords
come as proofs, which the command line makes, so that no password crosses the socket; but what the
server makes up itself, the password of a device and the code of an invitation, is returned once.

What is changed is on disk before a session is ended for it, so nobody slips in between.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv6Address, ip_address
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from kqq import __version__
from kqq.errors import AccountError, ConfigError, ConnectionLost
from kqq.server import register_page
from kqq.server.accounts import HIGHEST_UIN, check_nick, check_uin, read_number
from kqq.server.clock import Clock
from kqq.server.config import Config
from kqq.server.devices import add_device, grouped, revoke_device
from kqq.server.friends import check_friends
from kqq.server.handlers import Services
from kqq.server.inbox import InboxFull
from kqq.server.invitations import invite
from kqq.server.journal_words import advice
from kqq.server.profiles import check_choice, set_values
from kqq.server.session import Session
from kqq.server.store import Account, Kind, Store
from kqq.server.transaction import Written

SYSTEM = 10000
"""The number announcements come from (ZN SETM)."""
MOST_USES = 100_000
"""People that one invitation can be for."""
MOST_DAYS = 3650
"""Days that an invitation can be used."""
LONGEST_NOTE = 200
"""Characters of a reason, or of a note."""
_MOST_WAITING = 1_000_000

Object = dict[str, Any]
Result = Object | list[Object]
Function = Callable[..., Awaitable[Result]]
F = TypeVar("F", bound=Function)


class NoServer(ConnectionLost):
    """No server runs there, and only a running one can do what was asked for."""


@dataclass(frozen=True, slots=True)
class Admin:
    """What actions work with; `live` is the running server, None if none runs."""

    config: Config
    store: Store
    clock: Clock
    random: Callable[[int], bytes]
    live: Services | None = None
    started: float = field(init=False)
    """The date since when it has been so."""

    def __post_init__(self) -> None:
        """Note the time."""
        object.__setattr__(self, "started", self.clock.date())


@dataclass(frozen=True, slots=True)
class Action:
    """`changes` says whether it changes anything, `live` whether it needs a running server."""

    function: Function
    changes: bool
    live: bool


ACTIONS: dict[str, Action] = {}


def action(name: str, *, changes: bool, live: bool = False) -> Callable[[F], F]:
    """Make the decorated function the action `name`."""

    def register(function: F) -> F:
        ACTIONS[name] = Action(function, changes, live)
        return function

    return register


async def perform(admin: Admin, name: str, arguments: Mapping[str, Any]) -> Result:
    """Do what `name` says. Raises AccountError, ConfigError or NoServer, in words for people."""
    found = ACTIONS.get(name)
    if found is None:
        raise ConfigError(f"there is no action {name!r}; is the server older than this command?")
    try:
        inspect.signature(found.function).bind(admin, **arguments)
    except TypeError as error:
        raise ConfigError(f"{name}: {error}; is the server older than this command?") from error
    kinds = get_type_hints(found.function)
    for key, value in arguments.items():
        if not _fits(value, kinds[key]):
            raise ConfigError(f"{name}: {key} is of the wrong type")
    if admin.live is None:
        check_server(name, admin.config)
    return await found.function(admin, **arguments)


def check_server(name: str, config: Config) -> None:
    """Raise NoServer if an action needs a running server; for where there is none."""
    if name in ACTIONS and ACTIONS[name].live:
        raise NoServer(
            f"no server runs on {config.data}; start `kqq serve`, or name its folder with --data"
        )


# --- accounts ------------------------------------------------------------------------------------


@action("account.add", changes=True)
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
    store, lowest = admin.store, admin.config.lowest_number
    if uin is not None:
        check_uin(uin)
    while (number := uin or store.free_number(lowest)) <= HIGHEST_UIN:
        account = _new_account(
            admin, number, nick, proof, may_add=who_may_add, may_write=who_may_write
        )
        if await store.insert_account(account, admin.clock.date()):
            return _brief(account)
        if uin is not None:
            raise AccountError(f"there is an account {uin} already; choose another number")
        lowest = number + 1  # somebody else got it meanwhile
    raise AccountError(f"all numbers from {admin.config.lowest_number} to {HIGHEST_UIN} are taken")


@action("account.which", changes=False)
async def which(admin: Admin, uins: Sequence[int]) -> list[Object]:
    """Return those of these numbers that are accounts."""
    return [{"uin": uin} for uin in uins if admin.store.account_exists(uin)]


@action("account.import", changes=True)
async def import_accounts(
    admin: Admin, accounts: Sequence[Mapping[str, Any]], friends: Sequence[Sequence[int]]
) -> Object:
    """Make accounts (`uin`, `nick`, `proof`), and pairs of friends.

    For a part of a file that was checked: if anything cannot be, nothing is done.
    """
    new = [_new_account(admin, one["uin"], one["nick"], one["proof"]) for one in accounts]
    times = Counter(account.uin for account in new)
    for account in new:
        check_uin(account.uin)
        if times[account.uin] > 1 or admin.store.account_exists(account.uin):
            raise AccountError(f"there is an account {account.uin} already")
    pairs = [(one, other) for one, other in friends]
    for one, other in pairs:
        if one == other:
            raise AccountError(f"{one} cannot be a friend of itself")
        for uin in {one, other} - times.keys():
            _account(admin, uin)
    date = admin.clock.date()
    added, befriended = await asyncio.gather(
        asyncio.gather(*[admin.store.insert_account(account, date) for account in new]),
        asyncio.gather(*[_befriend(admin, one, other) for one, other in pairs]),
    )
    if lost := [str(one.uin) for one, done in zip(new, added, strict=True) if not done]:
        raise AccountError(f"somebody else took {', '.join(lost)} meanwhile; the rest was added")
    if admin.live is not None:
        for (one, other), done in zip(pairs, befriended, strict=True):
            if done:
                admin.live.presence.introduce(one, other)
    return {"accounts": len(new), "friends": sum(map(bool, befriended))}


@action("account.passwd", changes=True)
async def passwd(admin: Admin, uin: int, proof: str) -> Object:
    """Change the password; whoever is signed in must sign in again. Devices keep theirs."""
    _account(admin, uin)
    await admin.store.change_account(uin, proof=proof)
    _kick(admin, uin, "the password was changed")
    return {"uin": uin}


@action("account.set", changes=True)
async def change(admin: Admin, uin: int, values: Mapping[str, str]) -> Object:
    """Change nickname, face, who may add or write, or an entry of the profile; "" removes one."""
    _account(admin, uin)
    await set_values(admin.store, uin, values)
    return _brief(_account(admin, uin))


@action("account.friend", changes=True)
async def friend(admin: Admin, uin: int, other: int) -> Object:
    """Make two accounts friends of each other; `new` says whether they were none before."""
    check_friends(admin.store, uin, other)
    is_new = bool(await _befriend(admin, uin, other))
    if is_new and admin.live is not None:
        admin.live.presence.introduce(uin, other)
    return {"uin": uin, "other": other, "new": is_new}


@action("account.unfriend", changes=True)
async def unfriend(admin: Admin, uin: int, other: int) -> Object:
    """End a friendship."""
    _account(admin, uin)
    if not await admin.store.delete_friends(uin, other):
        raise AccountError(f"{uin} and {other} are not friends")
    if admin.live is not None:
        admin.live.presence.part(uin, other)
    return {"uin": uin, "other": other}


@action("account.suspend", changes=True)
async def suspend(admin: Admin, uin: int, reason: str = "") -> Object:
    """Let an account sign in no more, and end its session; nothing of it is lost."""
    _account(admin, uin)
    _check_note("reason", reason)
    await admin.store.change_account(uin, suspended=reason)
    _kick(admin, uin, f"suspended{f': {reason}' if reason else ''}")
    return {"uin": uin, "reason": reason}


@action("account.resume", changes=True)
async def resume(admin: Admin, uin: int) -> Object:
    """Let a suspended account sign in again."""
    if _account(admin, uin).suspended is None:
        raise AccountError(f"{uin} is not suspended")
    await admin.store.change_account(uin, suspended=None)
    return {"uin": uin}


@action("account.delete", changes=True)
async def delete(admin: Admin, uin: int) -> Object:
    """Delete an account, its friendships and what waits for it; what it sent stays."""
    account, friends = _account(admin, uin), admin.store.friends(uin)
    await admin.store.delete_account(uin)
    if admin.live is not None:
        for other in friends:  # the end of the session finds none any more
            admin.live.presence.part(uin, other)
    _kick(admin, uin, "the account was deleted")
    return _brief(account)


@action("account.show", changes=False)
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
        "session": None if session is None else _session(admin, session),
    }


@action("account.list", changes=False)
async def list_accounts(admin: Admin, after: int = 0, most: int = -1) -> list[Object]:
    """Return accounts in order of number, at most `most` (all if negative) above `after`."""
    return [
        _brief(account) | {"suspended": account.suspended, "last_seen": account.last_seen}
        for account in admin.store.accounts(after, most)
    ]


@action("account.export", changes=False)
async def export(admin: Admin, after: int = 0, most: int = -1) -> list[Object]:
    """Return accounts with their friends; passwords are not kept, so they are not among it."""
    return [
        {"uin": account.uin, "nick": account.nick, "friends": admin.store.friends(account.uin)}
        for account in admin.store.accounts(after, most)
    ]


@action("account.invite", changes=True)
async def make_invitation(admin: Admin, uses: int = 1, days: float = 14, note: str = "") -> Object:
    """Make a code with which `uses` people can make themselves an account, at `page`."""
    if not 0 < uses <= MOST_USES or not 0 < days <= MOST_DAYS:
        raise AccountError(
            f"uses={uses} days={days} cannot be an invitation; take up to {MOST_USES} uses and "
            f"{MOST_DAYS} days"
        )
    _check_note("note", note)
    code = await invite(
        admin.store, admin.random, admin.clock.date(), uses=uses, days=days, note=note
    )
    await admin.store.delete_invitations()
    return {
        "code": code,
        "uses": uses,
        "days": days,
        "note": note,
        "registration": admin.config.registration,
        "page": _registration_page(admin),
    }


@action("account.invitations", changes=False)
async def invitations(admin: Admin) -> list[Object]:
    """Return the invitations that can still be used; the codes are kept nowhere."""
    now = admin.clock.date()
    return [
        {"note": one.note, "created": one.created, "expires": one.expires, "uses": one.uses}
        for one in admin.store.invitations()
        if one.uses > 0 and one.expires > now
    ]


@action("device.add", changes=True)
async def device_add(admin: Admin, uin: int, name: str) -> Object:
    """Make a password for one phone; it is shown once."""
    password = await add_device(admin.store, uin, name, admin.clock.date(), admin.random)
    return {"uin": uin, "name": name, "password": password, "grouped": grouped(password)}


@action("device.list", changes=False)
async def device_list(admin: Admin, uin: int) -> list[Object]:
    """Return the devices of an account."""
    _account(admin, uin)
    return _devices(admin, uin)


@action("device.revoke", changes=True)
async def device_revoke(admin: Admin, uin: int, name: str) -> Object:
    """Let a device's password sign in no more, and end the session, which may be that phone's."""
    await revoke_device(admin.store, uin, name)
    _kick(admin, uin, "the password of a device was revoked")
    return {"uin": uin, "name": name}


# --- what needs a running server -----------------------------------------------------------------


@action("sessions", changes=False, live=True)
async def sessions(admin: Admin, after: int = 0, most: int = -1) -> list[Object]:
    """Return who is signed in, at most `most` (all if negative) with numbers above `after`."""
    found = [session for session in _live(admin).sessions.all() if session.uin > after]
    return [_session(admin, session) for session in (found if most < 0 else found[:most])]


@action("kick", changes=True, live=True)
async def kick(admin: Admin, uin: int, reason: str = "kicked by the operator") -> Object:
    """End somebody's session; they can sign in again."""
    _account(admin, uin)
    _check_note("reason", reason)
    if not _live(admin).sessions.kick(uin, reason):
        raise AccountError(f"{uin} is not signed in")
    return {"uin": uin, "reason": reason}


@action("announce", changes=True, live=True)
async def announce(admin: Admin, text: str, to: Sequence[int] | None = None) -> Object:
    """Send a message from 10000 to everybody, or to these; it waits for those who are away.

    Everybody is who is not suspended and whose inbox is not full; `sent` counts them.
    """
    live, limit = _live(admin), admin.config.text_limit
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
    everybody = dict.fromkeys(to)
    for uin in everybody:
        _account(admin, uin)
        try:
            live.inbox.check_room(uin)
        except InboxFull:
            raise AccountError(f"the inbox of {uin} is full; nothing was sent to anybody") from None
    await asyncio.gather(*[live.inbox.put(SYSTEM, uin, text, Kind.MESSAGE) for uin in everybody])
    return {"sent": len(everybody)}


@action("why", changes=False, live=True)
async def why(admin: Admin, who: str, most: int = -1) -> Object:
    """Return why a number, or whoever comes from an address, is not signed in.

    `attempts` are the last `most` (all if negative) attempts to; `signed_in` are the sessions,
    and if there are any, `advice` is None.
    """
    live, uin = _live(admin), read_number(who)
    if uin is not None:
        host, account = "", admin.store.account(uin)
        found = live.journal.of_uin(uin)
    else:
        host, account = _host(who), None
        found = live.journal.of_address(host)
    attempts = [attempt.as_object() for attempt in found]
    signed_in = [
        _session(admin, session)
        for session in live.sessions.all()
        if session.uin == uin or (session.attempt is not None and session.attempt.host == host)
    ]
    if signed_in:
        told = None
    elif uin is not None and account is None:
        told = f"There is no account {uin}; check the number, or add it with `kqq account add`."
    elif account is not None and account.suspended is not None:
        reason = f": {account.suspended}" if account.suspended else ""
        told = f"{uin} is suspended{reason}; `kqq account resume {uin}` ends that."
    else:
        told = advice(attempts) if attempts else _nothing_known(admin, host or str(uin))
    return {
        "who": host or who,
        "is_number": uin is not None,
        "exists": account is not None,
        "suspended": account.suspended if account is not None else None,
        "signed_in": signed_in,
        "attempts": attempts[-most:] if most > 0 else attempts if most < 0 else [],
        "advice": told,
    }


def _nothing_known(admin: Admin, who: str) -> str:
    since = datetime.fromtimestamp(admin.started).astimezone()
    return (
        f"Nothing is known of {who}: nothing of it has reached the server since it started "
        f"({since:%Y-%m-%d %H:%M}), or so long ago that it is forgotten; look at the address and "
        "the port that the client has, and whether a firewall stands between."
    )


@action("status", changes=False, live=True)
async def status(admin: Admin) -> Object:
    """Return what the server is and how much it has to do."""
    live = _live(admin)
    return {
        "version": __version__,
        "since": admin.started,
        "data": str(admin.config.data.absolute()),
        "doors": [str(door) for door in live.doors],
        "advertise": admin.config.advertise,
        "registration": admin.config.registration,
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


def _new_account(
    admin: Admin,
    uin: int,
    nick: str,
    proof: str,
    *,
    may_add: str | None = None,
    may_write: str | None = None,
) -> Account:
    check_nick(nick)
    add = may_add or admin.config.who_may_add
    write = may_write or admin.config.who_may_write
    check_choice("who_may_add", add)
    check_choice("who_may_write", write)
    return Account(uin, nick, 0, proof, add, write)


def _befriend(admin: Admin, one: int, other: int) -> Written:
    """Store a friendship, which answers the requests between the two."""
    for asker, asked in ((one, other), (other, one)):
        if admin.store.has_request(asker, asked):
            admin.store.delete_request(asker, asked)
    return admin.store.insert_friends(one, other)


def _live(admin: Admin) -> Services:
    assert admin.live is not None, "perform sees to it"
    return admin.live


def _kick(admin: Admin, uin: int, reason: str) -> None:
    if admin.live is not None:
        admin.live.sessions.kick(uin, reason)


def _check_note(name: str, text: str) -> None:
    if len(text) > LONGEST_NOTE or not text.isprintable():
        raise AccountError(
            f"{name}={text!r} cannot be; take up to {LONGEST_NOTE} printable characters"
        )


def _host(text: str) -> str:
    """Return an address as connections have it. Raises AccountError."""
    start, end = (1, -1) if text.startswith("[") and text.endswith("]") else (None, None)
    try:
        address = ip_address(text[start:end])
    except ValueError:
        raise AccountError(
            f"{text!r} is neither a number nor an address such as 192.0.2.1 or 2001:db8::1"
        ) from None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _registration_page(admin: Admin) -> str:
    """Return where people register, as far as it is known from here."""
    doors = admin.live.doors if admin.live is not None else admin.config.listen
    door = next(iter(doors), None)
    if door is None:
        return f"http://HOST:PORT{register_page.PATH}"
    is_any = door.host in {"", "0.0.0.0", "::"}  # noqa: S104  # compared only
    host = admin.config.advertise or ("HOST" if is_any else door.host)
    host = f"[{host}]" if ":" in host else host
    return f"http{'s' if door.is_tls else ''}://{host}:{door.port or 'PORT'}{register_page.PATH}"


def _brief(account: Account) -> Object:
    return {"uin": account.uin, "nick": account.nick, "face": account.face}


def _devices(admin: Admin, uin: int) -> list[Object]:
    return [
        {"name": one.name, "created": one.created, "last_seen": one.last_seen}
        for one in admin.store.devices(uin)
    ]


def _session(admin: Admin, session: Session) -> Object:
    live, account = _live(admin), admin.store.account(session.uin)
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


def _fits(value: object, kind: Any) -> bool:
    """Return whether an argument is of the type that the action says."""
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is UnionType:
        return any(_fits(value, part) for part in parts)
    if origin is Sequence:
        return isinstance(value, list | tuple) and all(_fits(one, parts[0]) for one in value)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(_fits(one, parts[1]) for one in value.values())
    return type(value) is kind or (kind is float and type(value) is int)
