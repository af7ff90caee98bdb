"""Signing in and out with a browser; the first administrator; what a page asks before all that.

The gates are those of a phone's sign-in (kqq.server.handlers.sign_in), in the same order; but the
password of a phone opens nothing here, since whoever listens to the phone has it.
"""

import base64
import logging
from typing import Any

from aiohttp import web

from kqq import __version__
from kqq.errors import AccountError
from kqq.server.accounts import (
    Claim,
    NoSuchAccount,
    Suspended,
    WrongPassword,
    password_md5,
)
from kqq.server.admin import perform
from kqq.server.checks import TooBusy
from kqq.server.handlers import Context
from kqq.server.handlers.sign_in import TOO_MANY, has_failed, limit_of, note_refusal
from kqq.server.journal import Step
from kqq.server.limits import address_key
from kqq.server.logs import event
from kqq.server.operators import FIRST_LINK
from kqq.server.store import Account
from kqq.server.visits import LIFETIME
from kqq.server.web.challenges import check_new_nick, check_new_password, needs_captcha
from kqq.server.web.site import (
    PLAIN_COOKIE,
    SECURE_COOKIE,
    Refused,
    Site,
    answer,
    is_secure,
    peer_context,
    peer_of,
    read,
    site_of,
    visit_held,
)

logger = logging.getLogger("kqq.web")

_WRONG = "the number or the password is wrong"
_SLOW_DOWN = "too many tries; wait some minutes"


def routes() -> list[web.RouteDef]:
    """Return the routes."""
    return [
        web.get("/api/hello", _hello),
        web.post("/api/sign-in", _sign_in),
        web.post("/api/sign-out", _sign_out),
        web.post("/api/first", _first),
    ]


async def admit(request: web.Request, uin: int, value: object, status: int = 200) -> web.Response:
    """Sign the browser in as `uin`, and answer `value` with the cookie."""
    site, peer = site_of(request), peer_of(request)
    agent = request.headers.get("User-Agent", "")
    printable = "".join(sign for sign in agent if sign.isprintable())
    old = visit_held(request)
    if old is not None:
        await site.visits.end(old.id)
    try:
        _, cookie = await site.visits.begin(uin, peer.host, printable)
    except AccountError:
        raise Refused(403, "wrong", _WRONG) from None  # it was deleted just now
    response = answer(value, status)
    secure = is_secure(request)
    response.set_cookie(
        SECURE_COOKIE if secure else PLAIN_COOKIE,
        cookie,
        max_age=int(LIFETIME),
        httponly=True,
        samesite="Strict",
        secure=secure,
    )
    event(logger, logging.INFO, "browser signed in", peer=peer, uin=uin)
    return response


def dismiss(request: web.Request, response: web.Response) -> web.Response:
    """Have the browser forget its cookie."""
    secure = is_secure(request)
    response.del_cookie(
        SECURE_COOKIE if secure else PLAIN_COOKIE, httponly=True, samesite="Strict", secure=secure
    )
    return response


async def authenticate(context: Context, uin: int, password: str, letters: str = "") -> Account:
    """Return the account whose own password this is, if all gates let it through.

    Raises Refused otherwise: `wrong`, `device`, `captcha` with a picture, `slow_down`, `busy`,
    `suspended`. `letters` are what was read in the picture shown last.
    """
    services, host = context.services, context.peer.host
    try:
        md5 = password_md5(password)
    except UnicodeEncodeError:
        raise Refused(403, "wrong", _WRONG) from None
    claim = services.accounts.look(uin, md5, host)
    if claim is None:
        raise _nobody(context, uin)
    is_known = claim.is_remembered and services.limits.failures.has(address_key(host))
    if letters:
        _read_picture(context, uin, letters)
    elif services.captchas.wanted(uin, _key(context), is_known=is_known):
        raise _picture(context, uin)
    if not is_known and (limit := limit_of(context, uin)) is not None:
        raise _limited(context, uin, limit)
    account = await _check(context, claim)
    if claim.device is not None:
        raise Refused(403, "device", "the password of a phone opens no page; use your own")
    services.captchas.succeeded(uin, _key(context))
    return account


async def _check(context: Context, claim: Claim) -> Account:
    """Return the account if the password is right; a failure is taken once it is one."""
    services, attempt, uin = context.services, context.attempt, claim.account.uin
    try:
        return await services.accounts.check(claim)
    except (NoSuchAccount, WrongPassword):
        has_failed(context, uin)
        services.captchas.failed(uin, _key(context))
        attempt.add(Step.WRONG_PASSWORD)
        note_refusal(context, uin, "wrong_password")
        raise Refused(403, "wrong", _WRONG) from None
    except TooBusy:
        attempt.add(Step.BUSY)
        note_refusal(context, uin, "busy")
        raise
    except Suspended as error:
        attempt.add(Step.SUSPENDED, reason=error.reason)
        note_refusal(context, uin, "suspended")
        why = "this account is suspended"
        raise Refused(403, "suspended", why, reason=error.reason) from None


def _nobody(context: Context, uin: int) -> Refused:
    """Return the refusal of a number that nobody has; it costs the address what a guess costs."""
    services = context.services
    services.captchas.failed(uin, _key(context))
    if not services.limits.failures.spend(address_key(context.peer.host)):
        return _limited(context, uin, TOO_MANY)
    context.attempt.add(Step.UNKNOWN_NUMBER)
    note_refusal(context, uin, "unknown")
    return Refused(403, "wrong", _WRONG)


def _read_picture(context: Context, uin: int, letters: str) -> None:
    """Take what somebody has read in the picture. Raises Refused, with another, if it is wrong."""
    services = context.services
    if services.captchas.answer(uin, _key(context), letters) is None:
        context.attempt.add(Step.CAPTCHA_WRONG)
        services.metrics.captchas["wrong"] += 1
        raise _picture(context, uin)
    context.attempt.add(Step.CAPTCHA_RIGHT)
    services.metrics.captchas["right"] += 1
    services.limits.failures.repay(address_key(context.peer.host))


async def _hello(request: web.Request) -> web.Response:
    site = site_of(request)
    config = site.services.config
    return answer(
        {
            "version": __version__,
            "registration": config.registration,
            "needs_captcha": needs_captcha(config),
            "has_administrator": site.operators.has_administrator(),
            "signed_in": visit_held(request) is not None,
        }
    )


async def _sign_in(request: web.Request) -> web.Response:
    sent = await read(request, {"uin": int, "password": str, "letters?": str})
    context = peer_context(request, sent["uin"])
    account = await authenticate(
        context, sent["uin"], sent["password"], sent.get("letters", "").strip()
    )
    context.attempt.add(Step.ADMITTED)
    return await admit(request, account.uin, {"uin": account.uin})


async def _sign_out(request: web.Request) -> web.Response:
    visit = visit_held(request)
    if visit is not None:
        await site_of(request).visits.end(visit.id)
    return dismiss(request, answer({}))


async def _first(request: web.Request) -> web.Response:
    """Make the first administrator, with the link that was printed when the server started."""
    sent = await read(
        request, {"code": str, "password": str, "nick?": str, "uin?": int, "letters?": str}
    )
    site = site_of(request)
    context = peer_context(request)
    key = address_key(context.peer.host)
    if not site.services.limits.failures.has(key):
        raise _limited(context, sent.get("uin", 0), TOO_MANY)
    if not site.operators.use_first_code(sent["code"]):
        site.services.limits.failures.owe(key)
        raise _used()
    uin = sent.get("uin")
    if uin is not None:
        await authenticate(context, uin, sent["password"], sent.get("letters", "").strip())
    else:
        uin = await _new_account(site, sent, context.peer.host)
    if not await site.operators.add_first(uin):
        raise _used()  # somebody else was quicker
    event(logger, logging.WARNING, "first administrator", peer=context.peer, uin=uin)
    return await admit(request, uin, {"uin": uin}, 200 if "uin" in sent else 201)


async def _new_account(site: Site, sent: dict[str, Any], host: str) -> int:
    """Make an account as the operator would, whoever may register."""
    check_new_nick(sent.get("nick", ""))
    check_new_password(sent["password"])
    proof = await site.services.accounts.new_proof(sent["password"], host)
    new = {"proof": proof, "nick": sent["nick"]}
    made = await perform(site.admin, "account.add", new, FIRST_LINK)
    assert isinstance(made, dict)
    return int(made["uin"])


def _used() -> Refused:
    return Refused(403, "code", "this link was used, or is of an earlier start of the server")


def _key(context: Context) -> str:
    """Return where its captchas are found; a phone at the same address has others."""
    return f"web {address_key(context.peer.host)}"


def _picture(context: Context, uin: int) -> Refused:
    """Return the refusal that shows a picture; until it is read it costs the address a failure."""
    services = context.services
    if not services.limits.failures.spend(address_key(context.peer.host)):
        return _limited(context, uin, TOO_MANY)
    image = services.captchas.ask(uin, _key(context), uin)
    context.attempt.add(Step.CAPTCHA_SHOWN)
    services.metrics.captchas["shown"] += 1
    services.metrics.sign_ins["captcha"] += 1
    picture = base64.b64encode(image).decode()
    return Refused(403, "captcha", "type what the picture shows", picture=picture)


def _limited(context: Context, uin: int, limit: str) -> Refused:
    context.attempt.add(Step.LIMITED, limit=limit)
    note_refusal(context, uin, "limited")
    return Refused(429, "slow_down", _SLOW_DOWN)
