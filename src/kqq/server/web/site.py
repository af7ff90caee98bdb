"""What routes are made of: what they work with, how they read and answer, how they refuse."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from aiohttp import web

from kqq.server.admin import ACTIONS, Admin
from kqq.server.config import Listen, Network
from kqq.server.handlers import Context, Peer, Services
from kqq.server.operators import Operators
from kqq.server.tap import Tap
from kqq.server.trends import Trends
from kqq.server.visits import Visit, Visits

LONGEST_BODY = 65_536
"""Bytes of a request's body, unless a route takes less."""
_PATIENCE = 20.0
"""Seconds in which a body must have come."""
PLAIN_COOKIE, SECURE_COOKIE = "kqq", "__Host-kqq"
"""What a browser holds; the second, which no plain page can set, where the connection is secure."""


@dataclass(frozen=True, slots=True)
class Site:
    """What every route works with."""

    services: Services
    admin: Admin
    visits: Visits
    operators: Operators
    tap: Tap
    trends: Trends


SITE = web.AppKey("site", Site)
DOOR = web.AppKey("door", Listen)


class Refused(Exception):
    """What was asked for is not done: `code` says why to a page, `why` to people, `more` what else.

    It becomes `{"error": code, "why": why, ...more}` with this status.
    """

    def __init__(self, status: int, code: str, why: str, **more: Any) -> None:
        super().__init__(why)
        self.status = status
        self.code = code
        self.why = why
        self.more = more


def site_of(request: web.Request) -> Site:
    """Return what the request is answered with."""
    return request.config_dict[SITE]


def answer(value: object, status: int = 200) -> web.Response:
    """Return a value as JSON, for nobody to keep."""
    return web.json_response(value, status=status, headers={"Cache-Control": "no-store"})


def refusal(refused: Refused) -> web.Response:
    """Return the answer that says so."""
    return answer({"error": refused.code, "why": refused.why, **refused.more}, refused.status)


def host_of(request: web.Request) -> str:
    """Return the address of the client: what a proxy of ours says, if it came through one.

    Each proxy adds at the end whom it was asked by; what stands before that anybody may have made
    up, so the last that is none of our proxies is taken.
    """
    host, behind = _peer_host(request), site_of(request).services.config.web_behind
    if not is_within(host, behind):
        return host
    named = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    for one in reversed([name.strip() for name in named if name.strip()]):
        try:
            host = str(ip_address(one.partition("%")[0]))
        except ValueError:
            return host
        if not is_within(host, behind):
            break
    return host


def is_secure(request: web.Request) -> bool:
    """Return whether nobody on the way can read along, as far as our proxies say the truth."""
    if is_by_proxy(request):
        return request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
    return request.secure


def is_by_proxy(request: web.Request) -> bool:
    """Return whether a proxy of ours asks for somebody."""
    return is_within(_peer_host(request), site_of(request).services.config.web_behind)


def visit_of(request: web.Request) -> Visit:
    """Return which browser asks. Raises Refused if none that is signed in."""
    visit = visit_or_none(request)
    if visit is None:
        raise Refused(401, "signed_out", "sign in first, at the page /")
    return visit


def visit_or_none(request: web.Request) -> Visit | None:
    """Return which browser asks, None if it is not signed in. Raises Refused for the suspended."""
    visit = visit_held(request)
    if visit is not None:
        account = site_of(request).services.store.account(visit.uin)
        if account is None:
            return None
        if account.suspended is not None:
            raise Refused(403, "suspended", "this account is suspended", reason=account.suspended)
    return visit


def visit_held(request: web.Request) -> Visit | None:
    """Return which browser asks, though its account may be suspended; None if it holds nothing."""
    cookie = request.cookies.get(SECURE_COOKIE if is_secure(request) else PLAIN_COOKIE)
    return site_of(request).visits.find(cookie) if cookie else None


async def read(
    request: web.Request, kinds: Mapping[str, type | tuple[type, ...]], *, longest: int = 4096
) -> dict[str, Any]:
    """Return the JSON object of a request: it has these keys, of these kinds, and no others.

    A key with `?` may be left out. Raises Refused if it is anything else, or over `longest` bytes.
    """
    found = await _json(request, longest)
    if not isinstance(found, dict):
        raise Refused(400, "bad_request", "the body must be a JSON object")
    expected = {name.removesuffix("?"): kind for name, kind in kinds.items()}
    if unknown := sorted(found.keys() - expected.keys()):
        raise Refused(400, "bad_request", f"unknown keys: {', '.join(unknown)[:200]}")
    for name, kind in kinds.items():
        key = name.removesuffix("?")
        if key not in found:
            if name == key:
                raise Refused(400, "bad_request", f"the key {key} is missing", field=key)
        elif not _fits(found[key], kind):
            raise Refused(400, "bad_request", f"the key {key} is of the wrong type", field=key)
    return found


def spend(request: web.Request, uin: int, count: int = 1) -> None:
    """Take `count` of the commands that somebody may give, wherever. Raises Refused."""
    if not site_of(request).services.limits.commands.spend(uin, count):
        raise Refused(429, "slow_down", "too many at once; wait some seconds")


async def act(request: web.Request, action: str, /, **arguments: Any) -> Any:
    """Do an action of the operator's for somebody themselves; it is no deed of an operator."""
    return await ACTIONS[action].function(site_of(request).admin, **arguments)


async def body_of(request: web.Request) -> bytes:
    """Return the body of a request. Raises Refused if it does not come."""
    try:
        async with asyncio.timeout(_PATIENCE):
            return await request.read()
    except TimeoutError:
        raise Refused(408, "bad_request", "the body did not come") from None


async def _json(request: web.Request, longest: int) -> Any:
    """Return the JSON of a request. Raises Refused."""
    if request.content_type != "application/json":
        raise Refused(415, "bad_request", "send JSON, with Content-Type: application/json")
    if (request.content_length or 0) > longest:
        raise Refused(413, "bad_request", f"the body is longer than {longest} bytes")
    body = await body_of(request)
    if len(body) > longest:
        raise Refused(413, "bad_request", f"the body is longer than {longest} bytes")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad_request", "the body is no JSON") from error


def peer_context(request: web.Request, uin: int | None = None) -> Context:
    """Return what handlers and gates know of who asks; what happens is noted in the journal.

    Nothing can be pushed to it.
    """
    services = site_of(request).services
    peer = peer_of(request)
    attempt = services.journal.begin(peer.host, peer.port, peer.door, "web")
    if uin is not None:
        attempt = attempt.is_of(uin)
    return Context(services, peer, attempt, _nothing, _nothing)


def peer_of(request: web.Request) -> Peer:
    """Return who is at the other end."""
    host = host_of(request)
    transport = request.transport
    name = transport.get_extra_info("peername") if transport else None
    own = transport.get_extra_info("sockname") if transport else None
    port = name[1] if isinstance(name, tuple) else 0
    door = request.config_dict[DOOR]
    reached, door_port = own[:2] if isinstance(own, tuple) else ("127.0.0.1", door.port)
    return Peer(host, port, "web", str(replace(door, port=door_port)), host, reached)


def is_within(host: str, networks: tuple[Network, ...]) -> bool:
    """Return whether an address is in one of these networks."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address.version == one.version and address in one for one in networks)


def _fits(value: object, kind: type | tuple[type, ...]) -> bool:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
    return type(value) in kinds


def _peer_host(request: web.Request) -> str:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return str(peer[0]) if isinstance(peer, tuple) else "unknown"


def _nothing(_reason: str = "") -> None:
    """Nobody is there to be told."""
