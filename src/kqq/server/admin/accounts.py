"""Accounts: made, changed, suspended, deleted, looked at; and who is whose friend."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypedDict

from kqq.errors import AccountError
from kqq.server.accounts import (
    HIGHEST_UIN,
    LONGEST_NICK,
    LOWEST_UIN,
    check_nick,
    check_uin,
)
from kqq.server.admin.base import (
    LARGEST_PAGE,
    Admin,
    After,
    Between,
    Date,
    Most,
    Note,
    Proof,
    Uin,
    action,
    check_note,
)
from kqq.server.admin.devices import Device, devices_of
from kqq.server.admin.live import SignedIn, signed_in
from kqq.server.friends import check_friends
from kqq.server.operators import Role
from kqq.server.profiles import set_values
from kqq.server.store import Account
from kqq.server.transaction import Written

_MOST_WAITING = 1_000_000
MOST_ASKED = 400
"""Numbers that are asked for at once: as many as there is room for in the line of a request."""

NewUin = Annotated[int, Between(LOWEST_UIN, HIGHEST_UIN), "A number that is free."]
Nick = Annotated[str, Between(1, LONGEST_NICK), "Printable characters, no blanks around them."]
SomeUins = Annotated[Sequence[Uin], Between(1, MOST_ASKED), "Numbers of accounts."]
Search = Annotated[str, Between(0, LONGEST_NICK), "What numbers begin with, or is in nicknames."]
WhoMayAdd = Literal["anyone", "ask", "nobody"]
WhoMayWrite = Literal["friends", "anyone"]
Suspended = Annotated[str | None, "Why it is, which may be empty; None if it is not."]


class Number(TypedDict):
    """The number of an account."""

    uin: Uin


class Brief(TypedDict):
    """An account."""

    uin: Uin
    nick: str
    face: int


class Listed(Brief):
    """An account, whether it is suspended, and when it last signed in."""

    suspended: Suspended
    last_seen: Date | None


class Shown(Listed):
    """All that is known of an account; `waiting` counts messages, `asked_by` friend requests."""

    who_may_add: str
    who_may_write: str
    friends: list[Uin]
    asked_by: list[Uin]
    has_asked: list[Uin]
    waiting: int
    devices: list[Device]
    profile: dict[str, str]
    session: SignedIn | None
    role: Annotated[Role | None, "What it may do as an operator."]


class Exported(TypedDict):
    """An account and its friends."""

    uin: Uin
    nick: str
    friends: list[Uin]


class Imported(TypedDict):
    """How many accounts and friendships were made."""

    accounts: int
    friends: int


class Pair(TypedDict):
    """Two accounts."""

    uin: Uin
    other: Uin


class Befriended(Pair):
    """Two accounts; `new` says whether they were no friends before."""

    new: bool


class SuspendedNow(TypedDict):
    """Which account, and why."""

    uin: Uin
    reason: str


# --- making --------------------------------------------------------------------------------------


@action("account.add", role=Role.ADMINISTRATOR, changes=True)
async def add(
    admin: Admin,
    *,
    proof: Proof,
    nick: Nick,
    uin: NewUin | None = None,
    who_may_add: WhoMayAdd | None = None,
    who_may_write: WhoMayWrite | None = None,
) -> Brief:
    """Make an account; without a number it gets the lowest that is free."""
    store, lowest = admin.store, admin.config.lowest_number
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


@action("account.which", role=Role.OBSERVER, changes=False)
async def which(admin: Admin, uins: SomeUins) -> list[Number]:
    """Return those of these numbers that are accounts."""
    return [{"uin": uin} for uin in uins if admin.store.account_exists(uin)]


@action("account.import", role=Role.ADMINISTRATOR, changes=True, local=True)
async def import_accounts(
    admin: Admin, accounts: Sequence[Mapping[str, Any]], friends: Sequence[Sequence[int]]
) -> Imported:
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
            admin.account(uin)
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


# --- changing ------------------------------------------------------------------------------------


@action("account.passwd", role=Role.ADMINISTRATOR, changes=True)
async def passwd(admin: Admin, uin: Uin, proof: Proof) -> Number:
    """Change the password; whoever is signed in must sign in again. Devices keep theirs."""
    admin.account(uin)
    await admin.store.change_account(uin, proof=proof)
    await admin.sign_out(uin, "the password was changed")
    return {"uin": uin}


@action("account.set", role=Role.ADMINISTRATOR, changes=True)
async def change(admin: Admin, uin: Uin, values: Mapping[str, str]) -> Brief:
    """Change nickname, face, who may add or write, or an entry of the profile; "" removes one."""
    admin.account(uin)
    await set_values(admin.store, uin, values)
    return _brief(admin.account(uin))


@action("account.friend", role=Role.ADMINISTRATOR, changes=True)
async def friend(admin: Admin, uin: Uin, other: Uin) -> Befriended:
    """Make two accounts friends of each other; `new` says whether they were none before."""
    check_friends(admin.store, uin, other)
    is_new = bool(await _befriend(admin, uin, other))
    if is_new and admin.live is not None:
        admin.live.presence.introduce(uin, other)
    return {"uin": uin, "other": other, "new": is_new}


@action("account.unfriend", role=Role.ADMINISTRATOR, changes=True)
async def unfriend(admin: Admin, uin: Uin, other: Uin) -> Pair:
    """End a friendship."""
    admin.account(uin)
    if not await admin.store.delete_friends(uin, other):
        raise AccountError(f"{uin} and {other} are not friends")
    if admin.live is not None:
        admin.live.presence.part(uin, other)
    return {"uin": uin, "other": other}


@action("account.suspend", role=Role.MODERATOR, changes=True)
async def suspend(admin: Admin, uin: Uin, reason: Note = "") -> SuspendedNow:
    """Let an account sign in no more, and end its session; nothing of it is lost."""
    admin.account(uin)
    check_note("reason", reason)
    async with admin.operators.parting(uin):
        await admin.store.change_account(uin, suspended=reason)
    await admin.sign_out(uin, f"suspended{f': {reason}' if reason else ''}")
    return {"uin": uin, "reason": reason}


@action("account.resume", role=Role.MODERATOR, changes=True)
async def resume(admin: Admin, uin: Uin) -> Number:
    """Let a suspended account sign in again."""
    if admin.account(uin).suspended is None:
        raise AccountError(f"{uin} is not suspended")
    await admin.store.change_account(uin, suspended=None)
    return {"uin": uin}


@action("account.delete", role=Role.ADMINISTRATOR, changes=True)
async def delete(admin: Admin, uin: Uin) -> Brief:
    """Delete an account, its friendships and what waits for it; what it sent stays."""
    account, friends = admin.account(uin), admin.store.friends(uin)
    visits = admin.visits.of(uin) if admin.visits is not None else []
    async with admin.operators.parting(uin):
        await admin.store.delete_account(uin)
    if admin.live is not None:
        for other in friends:  # the end of the session finds none any more
            admin.live.presence.part(uin, other)
    admin.kick(uin, "the account was deleted")
    if admin.visits is not None:
        for visit in visits:  # they went with the account, and their browsers must be told
            await admin.visits.end(visit.id)
    return _brief(account)


# --- looking -------------------------------------------------------------------------------------


@action("account.show", role=Role.OBSERVER, changes=False)
async def show(admin: Admin, uin: Uin) -> Shown:
    """Return all that is known of an account, save for passwords."""
    account, store = admin.account(uin), admin.store
    session = admin.live.sessions.of(uin) if admin.live is not None else None
    return {
        **_listed(account),
        "who_may_add": account.who_may_add,
        "who_may_write": account.who_may_write,
        "friends": store.friends(uin),
        "asked_by": store.requests_to(uin, _MOST_WAITING),
        "has_asked": store.requests_from(uin),
        "waiting": store.count_messages(uin, _MOST_WAITING),
        "devices": devices_of(admin, uin),
        "profile": store.profile(uin),
        "session": None if session is None else signed_in(admin, session),
        "role": admin.operators.role_of(uin),
    }


@action("account.list", role=Role.OBSERVER, changes=False)
async def list_accounts(
    admin: Admin, after: After = 0, most: Most = LARGEST_PAGE, search: Search = ""
) -> list[Listed]:
    """Return accounts in order of number: at most `most` above `after`.

    With `search`, only those whose number begins with it, or whose nickname has it.
    """
    if not search:
        return [_listed(account) for account in admin.store.accounts(after, most)]
    found: list[Listed] = []
    while len(found) < most and (page := admin.store.accounts(after, LARGEST_PAGE)):
        found += [_listed(account) for account in page if _is_like(account, search)]
        after = page[-1].uin
        await asyncio.sleep(0)  # a server with many has other things to do
    return found[:most]


@action("account.export", role=Role.OBSERVER, changes=False)
async def export(admin: Admin, after: After = 0, most: Most = LARGEST_PAGE) -> list[Exported]:
    """Return accounts with their friends; passwords are not kept, so they are not among it."""
    return [
        {"uin": account.uin, "nick": account.nick, "friends": admin.store.friends(account.uin)}
        for account in admin.store.accounts(after, most)
    ]


# --- parts ---------------------------------------------------------------------------------------


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
    return Account(uin, nick, 0, proof, add, write)


def _befriend(admin: Admin, one: int, other: int) -> Written:
    """Store a friendship, which answers the requests between the two."""
    for asker, asked in ((one, other), (other, one)):
        if admin.store.has_request(asker, asked):
            admin.store.delete_request(asker, asked)
    return admin.store.insert_friends(one, other)


def _brief(account: Account) -> Brief:
    return {"uin": account.uin, "nick": account.nick, "face": account.face}


def _listed(account: Account) -> Listed:
    return {
        **_brief(account),
        "suspended": account.suspended,
        "last_seen": account.last_seen,
    }


def _is_like(account: Account, search: str) -> bool:
    return str(account.uin).startswith(search) or search.casefold() in account.nick.casefold()
