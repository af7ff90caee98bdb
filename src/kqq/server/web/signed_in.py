"""Where somebody is signed in: the session, the browsers; and why their phone is not."""

from typing import Any

from aiohttp import web

from kqq.server.admin import live
from kqq.server.journal import Step
from kqq.server.journal_words import advice
from kqq.server.visits import Visit
from kqq.server.web.entrance import dismiss
from kqq.server.web.site import Refused, Site, act, answer, site_of, visit_of

_ATTEMPTS = 50
"""Attempts that are shown of those that the journal has."""


def routes() -> list[web.RouteDef]:
    """Return the routes."""
    return [
        web.get("/api/me/sessions", _sessions),
        web.delete("/api/me/session", _end_session),
        web.delete(r"/api/me/visits/{id:\d{1,18}}", _end_visit),
        web.get("/api/me/why", _why),
    ]


def shown_visits(site: Site, visit: Visit) -> list[dict[str, Any]]:
    """Return the browsers that are signed in as the same account, the one seen last first."""
    return [
        {
            "id": one.id,
            "created": one.created,
            "seen": one.seen,
            "host": one.host,
            "agent": one.agent,
            "is_this": one.id == visit.id,
        }
        for one in site.visits.of(visit.uin)
    ]


async def _sessions(request: web.Request) -> web.Response:
    visit, site = visit_of(request), site_of(request)
    session = site.services.sessions.of(visit.uin)
    shown = None
    if session is not None:
        told = live.signed_in(site.admin, session)
        shown = {name: told[name] for name in ("over", "peer", "status", "seconds")}
    return answer({"session": shown, "visits": shown_visits(site, visit)})


async def _end_session(request: web.Request) -> web.Response:
    """End the session, wherever it is; if there is none any more, all is well."""
    visit, sessions = visit_of(request), site_of(request).services.sessions
    session = sessions.of(visit.uin)
    if session is not None:
        if session.attempt is not None:
            session.attempt.add(Step.SIGNED_OUT)
        sessions.close(session, "signed out in a browser")
    return answer({})


async def _end_visit(request: web.Request) -> web.Response:
    visit, site, number = visit_of(request), site_of(request), int(request.match_info["id"])
    if all(one.id != number for one in site.visits.of(visit.uin)):
        raise Refused(404, "no_visit", "this browser is not signed in any more")
    await site.visits.end(number)
    response = answer({})
    return dismiss(request, response) if number == visit.id else response


async def _why(request: web.Request) -> web.Response:
    """Say why no phone is signed in: browsers are another matter, though they are shown as well."""
    visit = visit_of(request)
    found = await act(request, "why", who=str(visit.uin), most=_ATTEMPTS)
    phones = [attempt for attempt in found["attempts"] if attempt["over"] != "web"]
    is_in = any(session["over"] != "web" for session in found["signed_in"])
    told = {"en": advice(phones), "zh": advice(phones, "zh")}
    return answer(
        {
            "attempts": found["attempts"],
            "advice": None if is_in or told["en"] is None else told,
            "signed_in": is_in,
        }
    )
