"""Signing up with a browser: a picture is read, and a number is given, if the server gives any."""

import base64
import logging
from typing import Any

from aiohttp import web

from kqq.errors import AccountError
from kqq.server.checks import TooBusy
from kqq.server.handlers import Services
from kqq.server.invitations import BadInvitation, RegistrationClosed, TooMany
from kqq.server.limits import address_key
from kqq.server.logs import event
from kqq.server.web.challenges import (
    Challenges,
    check_new_nick,
    check_new_password,
    needs_captcha,
)
from kqq.server.web.entrance import admit
from kqq.server.web.site import Refused, answer, host_of, read, site_of

logger = logging.getLogger("kqq.web")

_PICTURE_COST = 10
"""Commands of a stranger that a picture counts as: to draw one takes as long as many of them."""


def routes() -> list[web.RouteDef]:
    """Return the routes; the pictures that wait are theirs."""
    newcomers = _Newcomers()
    return [
        web.get("/api/captcha", newcomers.captcha),
        web.post("/api/sign-up", newcomers.sign_up),
    ]


class _Newcomers:
    """The two routes, and the pictures that they share."""

    def __init__(self) -> None:
        self._challenges: Challenges | None = None  # until there is a server to draw from

    async def captcha(self, request: web.Request) -> web.Response:
        """Show a new picture."""
        return answer(self._ask(request))

    async def sign_up(self, request: web.Request) -> web.Response:
        """Make an account, and sign the browser in to it.

        A picture is used up only once all that was typed could be taken; after that each refusal
        comes with another.
        """
        services = site_of(request).services
        config, host = services.config, host_of(request)
        if config.registration == "off":
            raise _closed()
        sent = await read(request, {"nick": str, "password": str, "code?": str, "captcha?": dict})
        nick, code = sent["nick"].strip(), sent.get("code", "").strip()
        check_new_nick(nick)
        check_new_password(sent["password"])
        is_asked = needs_captcha(config)
        if is_asked:
            self._check_letters(request, sent.get("captcha", {}))
        try:
            account = await services.registration.register(
                code or None, nick, sent["password"], host
            )
        except RegistrationClosed:
            raise _closed() from None
        except BadInvitation:
            refused = Refused(403, "invitation", "this invitation cannot be used")
        except TooMany:
            refused = Refused(429, "too_many", "too many from this address today")
        except TooBusy:
            refused = Refused(503, "busy", "too many passwords are waiting; try again")
        except AccountError as error:
            event(logger, logging.ERROR, "cannot register", host=host, why=error)
            refused = Refused(503, "full", "this server has no numbers left")
        else:
            event(logger, logging.INFO, "registered", host=host, uin=account.uin)
            return await admit(request, account.uin, {"uin": account.uin}, 201)
        event(logger, logging.INFO, "registration refused", host=host, why=refused.code)
        if is_asked:
            refused.more["captcha"] = self._ask(request)
        raise refused

    def _check_letters(self, request: web.Request, captcha: dict[str, Any]) -> None:
        """Raise Refused, with another picture, if the letters are not those of the picture."""
        number, letters = captcha.get("id", ""), captcha.get("letters", "")
        if not isinstance(number, str) or not isinstance(letters, str):
            raise Refused(400, "bad_request", "captcha must have id and letters", field="captcha")
        services = site_of(request).services
        is_right = self._of(services).answer(number, letters)
        result = {True: "right", False: "wrong", None: "expired"}[is_right]
        services.metrics.captchas[result] += 1
        if not is_right:
            why = {"wrong": "these are not the letters", "expired": "this picture is used up"}
            raise Refused(403, "captcha", why[result], captcha=self._ask(request))

    def _ask(self, request: web.Request) -> dict[str, str]:
        """Return a new picture and its id. Raises Refused if the address asks for too many."""
        services, key = site_of(request).services, address_key(host_of(request))
        if not services.limits.strangers.spend(key, _PICTURE_COST):
            raise Refused(429, "slow_down", "too many pictures; wait some minutes")
        number, image = self._of(services).ask(key)
        services.metrics.captchas["shown"] += 1
        return {"id": number, "picture": base64.b64encode(image).decode()}

    def _of(self, services: Services) -> Challenges:
        if self._challenges is None:
            self._challenges = Challenges(
                services.clock, services.random, lifetime=lambda: services.config.captcha_time
            )
        return self._challenges


def _closed() -> Refused:
    return Refused(404, "closed", "nobody can sign up here; ask the operator for a number")
