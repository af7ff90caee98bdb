"""Why somebody cannot sign in: the last attempts, and what to do."""

from datetime import datetime
from ipaddress import IPv6Address, ip_address
from typing import Annotated, TypedDict, cast

from kqq.errors import AccountError
from kqq.server.accounts import read_number
from kqq.server.admin.base import Admin, Between, Date, Most, action
from kqq.server.admin.live import SignedIn, signed_in
from kqq.server.journal import Attempt
from kqq.server.journal_words import advice
from kqq.server.operators import Role
from kqq.server.store import Account

_USUAL = 100
Who = Annotated[str, Between(1, 64), "A number, or an address of IPv4 or IPv6 without a port."]


class Step(TypedDict):
    """A step that was taken `count` times in a row; `order` is higher the later it was."""

    step: str
    details: dict[str, str | int]
    first: Date
    last: Date
    order: int
    count: int


class Attempted(TypedDict):
    """An attempt to sign in: a connection, or over HTTP a run of them.

    `left_out` counts the steps that are not kept.
    """

    address: str
    port: int
    door: str
    over: str
    uin: int | None
    begun: Date
    connections: int
    signed_in: bool
    left_out: int
    steps: list[Step]


class Diagnosis(TypedDict):
    """What is known of a number or an address; `advice` is None if somebody is signed in."""

    who: str
    is_number: bool
    exists: Annotated[bool, "Whether there is an account with this number."]
    suspended: Annotated[str | None, "Why the account is, None if it is not."]
    signed_in: list[SignedIn]
    attempts: Annotated[list[Attempted], "The oldest first."]
    advice: str | None


@action("why", role=Role.OBSERVER, changes=False, live=True)
async def why(admin: Admin, who: Who, most: Most = _USUAL) -> Diagnosis:
    """Return why a number, or whoever comes from an address, is not signed in.

    `attempts` are the last `most` attempts to; `signed_in` are the sessions, and if there are any,
    `advice` is None.
    """
    live, uin = admin.services, read_number(who)
    if uin is not None:
        host, account = "", admin.store.account(uin)
        found = live.journal.of_uin(uin)
    else:
        host, account = _host(who), None
        found = live.journal.of_address(host)
    sessions = [
        signed_in(admin, session)
        for session in live.sessions.all()
        if session.uin == uin or (session.attempt is not None and session.attempt.host == host)
    ]
    return {
        "who": host or who,
        "is_number": uin is not None,
        "exists": account is not None,
        "suspended": account.suspended if account is not None else None,
        "signed_in": sessions,
        "attempts": [cast(Attempted, attempt.as_object()) for attempt in found[-most:]]
        if most
        else [],
        "advice": None if sessions else _advice(admin, uin, account, host, found),
    }


def _advice(
    admin: Admin, uin: int | None, account: Account | None, host: str, found: list[Attempt]
) -> str | None:
    if uin is not None and account is None:
        return f"There is no account {uin}; check the number, or add it with `kqq account add`."
    if account is not None and account.suspended is not None:
        reason = f": {account.suspended}" if account.suspended else ""
        return f"{uin} is suspended{reason}; `kqq account resume {uin}` ends that."
    if found:
        return advice([attempt.as_object() for attempt in found])
    since = datetime.fromtimestamp(admin.started).astimezone()
    return (
        f"Nothing is known of {host or uin}: nothing of it has reached the server since it started "
        f"({since:%Y-%m-%d %H:%M}), or so long ago that it is forgotten; look at the address and "
        "the port that the client has, and whether a firewall stands between."
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
