"""What somebody who is signed in with a browser sees of themselves, and changes.

What changes something is an action of the operator's as well (kqq.server.admin), and is done there;
here is only whose account it is, and that it is theirs.
"""

import logging
from dataclasses import fields
from typing import Any

from aiohttp import web

from kqq.errors import AccountError
from kqq.protocol import GetInfoReply
from kqq.server.accounts import LONGEST_NICK
from kqq.server.logs import event
from kqq.server.profiles import CHOICES, LONGEST_ENTRY, PROFILE, check_value
from kqq.server.visits import Visit
from kqq.server.web import export, phone_settings, signed_in
from kqq.server.web.challenges import check_new_password
from kqq.server.web.entrance import admit, authenticate, dismiss
from kqq.server.web.site import (
    Refused,
    Site,
    act,
    answer,
    peer_context,
    read,
    site_of,
    spend,
    visit_of,
)

logger = logging.getLogger("kqq.web")

_LONGEST_CHANGE = 32_768
"""Bytes of what is changed at once; all entries of a profile fit."""
_NUMBERS = {"face", "age"}


def routes() -> list[web.RouteDef]:
    """Return the routes of all that is of oneself."""
    return [
        web.get("/api/me", _me),
        web.patch("/api/me", _change),
        web.delete("/api/me", _delete),
        web.get("/api/me/fields", _fields),
        web.post("/api/me/password", _password),
        *phone_settings.routes(),
        *signed_in.routes(),
        *export.routes(),
    ]


async def _me(request: web.Request) -> web.Response:
    return answer(_shown(site_of(request), visit_of(request)))


async def _change(request: web.Request) -> web.Response:
    """Change nickname, face, choices, entries of the profile: all of them or none."""
    visit, site = visit_of(request), site_of(request)
    values = (await read(request, {"values": dict}, longest=_LONGEST_CHANGE))["values"]
    spend(request, visit.uin)
    for name, value in values.items():
        if not isinstance(value, str):
            raise Refused(400, "bad_request", f"the value of {name[:50]!r} is no text", field=name)
        try:
            check_value(name, value)
        except AccountError as error:
            raise Refused(400, "account", str(error), field=name) from None
    await act(request, "account.set", uin=visit.uin, values=values)
    return answer(_shown(site, visit))


async def _fields(request: web.Request) -> web.Response:
    visit_of(request)
    return answer([_field(name) for name in ("nick", "face", *CHOICES, *PROFILE)])


async def _password(request: web.Request) -> web.Response:
    """Change the password: this browser stays signed in, with a new cookie, and nobody else.

    The page has to ask for its new word (`csrf`), too.
    """
    visit, site = visit_of(request), site_of(request)
    sent = await read(request, {"old": str, "new": str, "letters?": str})
    check_new_password(sent["new"])
    spend(request, visit.uin)
    context = peer_context(request, visit.uin)
    account = await authenticate(context, visit.uin, sent["old"], sent.get("letters", "").strip())
    proof = await site.services.accounts.new_proof(sent["new"], context.peer.host)
    now = site.services.store.account(visit.uin)  # somebody may have been quicker
    if now is None or now.proof != account.proof:
        raise Refused(403, "wrong", "the password was changed meanwhile")
    await act(request, "account.passwd", uin=visit.uin, proof=proof)
    event(logger, logging.INFO, "password changed", peer=context.peer, uin=visit.uin)
    return await admit(request, visit.uin, {})


async def _delete(request: web.Request) -> web.Response:
    """Delete the account, and with it all that belongs to it."""
    visit = visit_of(request)
    sent = await read(request, {"password": str, "letters?": str})
    spend(request, visit.uin)
    context = peer_context(request, visit.uin)
    await authenticate(context, visit.uin, sent["password"], sent.get("letters", "").strip())
    await act(request, "account.delete", uin=visit.uin)
    event(logger, logging.INFO, "account deleted", peer=context.peer, uin=visit.uin)
    return dismiss(request, answer({}))


def _shown(site: Site, visit: Visit) -> dict[str, Any]:
    """Return what somebody sees of themselves; the account was seen just now."""
    store, role = site.services.store, site.operators.role_of(visit.uin)
    account = store.account(visit.uin)
    assert account is not None
    return {
        "uin": account.uin,
        "nick": account.nick,
        "face": account.face,
        "role": None if role is None else role.value,
        "csrf": visit.csrf,
        "who_may_add": account.who_may_add,
        "who_may_write": account.who_may_write,
        "profile": store.profile(account.uin),
        "created": store.account_created(account.uin),
        "last_seen": account.last_seen,
        "registration": site.services.config.registration,
    }


def _field(name: str) -> dict[str, Any]:
    """Return what a form must know of something that can be changed.

    What phones show by a code has choices; a phone may nevertheless have sent anything.
    """
    if choices := CHOICES.get(name) or _CODES.get(name):
        return {"name": name, "kind": "choice", "choices": list(choices)}
    if name in _NUMBERS:
        return {"name": name, "kind": "number"}
    longest = LONGEST_NICK if name == "nick" else LONGEST_ENTRY
    return {"name": name, "kind": "text", "longest": longest}


_CODES = {
    one.name: tuple(map(str, one.metadata["declared"].values))
    for one in fields(GetInfoReply)
    if one.name in PROFILE and one.metadata["declared"].values
}
"""Entries of a profile for which the catalogue has codes: blood, constellation, zodiac, sex."""
