"""All that the server has of somebody, as one file of JSON; secrets are not among it.

It is made while it is sent, in pieces of a few milliseconds, so that neither a long list of friends
nor a slow browser is in anybody's way.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from aiohttp import web

from kqq import __version__
from kqq.errors import StoreError
from kqq.server.logs import event
from kqq.server.store import Account
from kqq.server.visits import Visit
from kqq.server.web.signed_in import shown_visits
from kqq.server.web.site import Site, site_of, spend, visit_of

logger = logging.getLogger("kqq.web")

_COST = 20
"""Commands that an export counts as."""
_FRIENDS = 200
_MESSAGES = 16
"""What is read at once; messages can be long."""
_MANY = 1_000_000


def routes() -> list[web.RouteDef]:
    """Return the route."""
    return [web.get("/api/me/export", _export)]


def pieces(site: Site, visit: Visit, account: Account) -> Iterator[str]:
    """Return a JSON object in pieces, of which each takes some milliseconds at most.

    What waits is exported, and goes on waiting.
    """
    uin, services = visit.uin, site.services
    store, role = services.store, site.operators.role_of(uin)
    yield "{"
    yield from _members(
        {
            "kqq": __version__,
            "at": services.clock.date(),
            "account": {
                "uin": uin,
                "nick": account.nick,
                "face": account.face,
                "role": None if role is None else role.value,
                "who_may_add": account.who_may_add,
                "who_may_write": account.who_may_write,
                "created": store.account_created(uin),
                "last_seen": account.last_seen,
            },
            "profile": store.profile(uin),
            "visits": shown_visits(site, visit),
        }
    )
    yield from _list("devices", [[
        {"name": one.name, "created": one.created, "last_seen": one.last_seen}
        for one in store.devices(uin)
    ]])  # fmt: skip
    yield from _list("friends", _friends(site, uin))
    for name, uins in {
        "asked_by": store.requests_to(uin, _MANY),
        "has_asked": store.requests_from(uin),
    }.items():
        yield from _list(name, _people(site, uins))
    yield from _list("messages", _messages(site, uin))
    yield from _list(
        "attempts", ([attempt.as_object()] for attempt in services.journal.of_uin(uin))
    )
    yield '"complete": true}\n'


async def _export(request: web.Request) -> web.StreamResponse:
    visit, site = visit_of(request), site_of(request)
    spend(request, visit.uin, _COST)
    account = site.services.store.account(visit.uin)
    assert account is not None, "or there were no visit"
    response = web.StreamResponse(
        headers={
            "Content-Type": "application/json",
            "Content-Disposition": f'attachment; filename="kqq-{visit.uin}.json"',
            "Cache-Control": "no-store",
        }
    )
    await response.prepare(request)
    try:
        for piece in pieces(site, visit, account):
            # A text may have bytes that were no UTF-8: JSON can say them, UTF-8 cannot.
            await response.write(piece.encode(errors="backslashreplace"))
            await asyncio.sleep(0)
        await response.write_eof()
    except ConnectionError as error:  # of the browser, which has enough
        event(logger, logging.DEBUG, "export broken off", uin=visit.uin, why=error)
    except StoreError as error:
        # The answer has begun, so all that can be done is not to end it.
        event(logger, logging.ERROR, "cannot export", uin=visit.uin, why=error)
        if request.transport is not None:
            request.transport.abort()
    return response


def _friends(site: Site, uin: int) -> Iterator[list[dict[str, Any]]]:
    after, more = 0, True
    while more:
        friends, more = site.services.friends.after(uin, after, _FRIENDS)
        if friends:
            after = friends[-1].uin
            yield [{"uin": one.uin, "nick": one.nick, "face": one.face} for one in friends]


def _people(site: Site, uins: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    rest = iter(uins)
    while some := list(islice(rest, _FRIENDS)):
        people = site.services.friends.named(some)
        yield [{"uin": one.uin, "nick": one.nick, "face": one.face} for one in people]


def _messages(site: Site, uin: int) -> Iterator[list[dict[str, Any]]]:
    inbox, store = site.services.inbox, site.services.store
    after = inbox.start(uin)
    while messages := inbox.waiting(uin, after, _MESSAGES):
        dates = store.dates_of_messages(uin, after, _MESSAGES)
        after = messages[-1].id
        yield [
            {"id": one.id, "at": dates[one.id], "from": one.sender, "kind": one.kind.value,
             "text": one.text}
            for one in messages
            if one.id in dates
        ]  # fmt: skip


def _members(values: dict[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{_json(name)}: {_json(value)},\n"


def _list(name: str, pages: Iterable[list[Any]]) -> Iterator[str]:
    """Return a member that is a list, a piece for each page."""
    begin = f"{_json(name)}: ["
    for page in pages:
        if page:
            yield begin + "\n" + ",\n".join(map(_json, page))
            begin = ","
    yield ("" if begin == "," else begin) + "],\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
