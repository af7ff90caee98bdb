"""Operators themselves: their roles, tokens for programs, and what was done by whom."""

from dataclasses import asdict
from typing import Annotated, Any, TypedDict, cast

from kqq.server.admin.base import Admin, Between, Date, Most, Uin, action
from kqq.server.operators import LONGEST_NAME, MOST_DAYS, Deed, Role, Token

_USUAL = 100
_LONGEST_WHO = 64

Name = Annotated[str, Between(1, LONGEST_NAME), "The name of a token."]
Days = Annotated[float, Between(0.01, MOST_DAYS), "For how many days."]
Before = Annotated[int, Between(0, 2**63 - 1), "The id of the last deed of the page before."]
Who = Annotated[str, Between(1, _LONGEST_WHO), "Whose: a number, `token NAME` or `command line`."]
ActionName = Annotated[str, Between(1, _LONGEST_WHO), "The name of an action."]
TheirRole = Annotated[Role, "What they may do: each role may do what those before it may."]


class Appointed(TypedDict):
    """An operator."""

    uin: Uin
    role: Role


class ListedOperator(Appointed):
    """An operator, and since when it has this role."""

    nick: str
    since: Date


class Dismissed(TypedDict):
    """Who is no operator any more."""

    uin: Uin


class ListedToken(TypedDict):
    """A token; `seen` is when it was last used."""

    name: str
    role: Role
    created: Date
    expires: Date
    seen: Date | None


class MadeToken(ListedToken):
    """A token, which is shown once."""

    token: str


class Revoked(TypedDict):
    """Which token can be used no more."""

    name: str


class ListedDeed(TypedDict):
    """What somebody did, or tried to; `outcome` is "" or says why it was not done."""

    id: int
    at: Date
    who: str
    action: str
    arguments: Annotated[dict[str, Any], "Without secrets, and cut where they are long."]
    outcome: str


@action("operator.add", role=Role.ADMINISTRATOR, changes=True)
async def operator_add(admin: Admin, uin: Uin, role: TheirRole) -> Appointed:
    """Give an account a role, or another one."""
    await admin.operators.add(uin, Role(role))
    return {"uin": uin, "role": Role(role)}


@action("operator.remove", role=Role.ADMINISTRATOR, changes=True)
async def operator_remove(admin: Admin, uin: Uin) -> Dismissed:
    """Take the role of an account away; the last administrator keeps it."""
    await admin.operators.remove(uin)
    return {"uin": uin}


@action("operator.list", role=Role.OBSERVER, changes=False)
async def operator_list(admin: Admin) -> list[ListedOperator]:
    """Return all operators, in order of number."""
    return [cast(ListedOperator, asdict(one)) for one in admin.operators.all()]


@action("token.add", role=Role.ADMINISTRATOR, changes=True)
async def token_add(admin: Admin, name: Name, role: TheirRole, days: Days = 365) -> MadeToken:
    """Make a token, with which a program does what a role may; it is shown once."""
    made, secret = await admin.operators.add_token(name, Role(role), days)
    return {**_token(made), "token": secret}


@action("token.revoke", role=Role.ADMINISTRATOR, changes=True)
async def token_revoke(admin: Admin, name: Name) -> Revoked:
    """Let a token be used no more."""
    await admin.operators.revoke_token(name)
    return {"name": name}


@action("token.list", role=Role.OBSERVER, changes=False)
async def token_list(admin: Admin) -> list[ListedToken]:
    """Return the tokens by name, also those that have expired; they themselves are kept nowhere."""
    return [_token(one) for one in admin.operators.tokens()]


@action("deeds", role=Role.OBSERVER, changes=False)
async def deeds(
    admin: Admin,
    before: Before | None = None,
    most: Most = _USUAL,
    who: Who | None = None,
    action: ActionName | None = None,
) -> list[ListedDeed]:
    """Return what operators changed, or tried to, the newest first; 10,000 of it are kept."""
    found = admin.operators.deeds(before=before, most=most, who=who, action=action)
    return [_deed(one) for one in found]


def _token(one: Token) -> ListedToken:
    return {
        "name": one.name,
        "role": one.role,
        "created": one.created,
        "expires": one.expires,
        "seen": one.seen,
    }


def _deed(one: Deed) -> ListedDeed:
    return cast(ListedDeed, asdict(one))
