"""The operator's API: each action of `kqq.server.admin` as a request, for pages and programs.

`/api/v1/ACTION` is GET with a query where the action only looks, POST with a JSON object where it
changes something. What it takes and returns is what the action does; `kqq.server.web.openapi`
describes it. A password comes as such, and its proof is made here.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from aiohttp import web

from kqq.server.admin import ACTIONS, Action, Parameter, WrongArguments, perform
from kqq.server.admin.base import Between, bare
from kqq.server.operators import NotAllowed, Operator, Role
from kqq.server.web.site import Refused, answer, body_of, host_of, refusal, site_of, visit_of

PATH = "/api/v1/"
"""What is before the name of an action."""
Password = Annotated[str, Between(1, 1000), "A password; what is kept of it cannot be used."]

_ALL_WHOLE = 2.0**53  # from here on, all numbers are that have a point
_DEEPEST = 16  # of lists and objects in one another
_NUMBERS: dict[type, tuple[re.Pattern[str], Callable[[str], object]]] = {
    int: (re.compile(r"-?[0-9]{1,20}"), int),
    float: (re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?"), float),
}


def routes() -> list[web.RouteDef]:
    """Return the route of all actions."""
    return [web.route("*", f"{PATH}{{action}}", _act)]


def operator_of(request: web.Request, needed: Role = Role.OBSERVER) -> Operator:
    """Return who asks: the bearer of a token, or else a browser that is signed in.

    Raises Refused if it is no operator, or may not do what a role may.
    """
    site = site_of(request)
    if "Authorization" in request.headers:
        scheme, _, secret = request.headers["Authorization"].partition(" ")
        token = site.operators.find_token(secret.strip()) if scheme.lower() == "bearer" else None
        if token is None:
            raise Refused(401, "token", "no token, or one that was revoked or has expired")
        who = Operator(f"token {token.name}", token.role)
    else:
        visit = visit_of(request)
        role = site.operators.role_of(visit.uin)
        if role is None:
            raise Refused(403, "role", f"{visit.uin} is no operator")
        who = Operator(str(visit.uin), role, visit.uin)
    if not who.role.covers(needed):
        raise Refused(403, "role", f"this is for the role {needed}; {who.name} is {who.role}")
    return who


def parameters_of(action: Action) -> dict[str, Parameter]:
    """Return what an action takes here: a password in place of its proof."""
    named = [_unproved(one) for one in action.parameters.values()]
    return {one.name: one for one in named}


def is_offered(action: Action) -> bool:
    """Return whether an action can be done here."""
    return not action.local


def _unproved(one: Parameter) -> Parameter:
    return Parameter("password", Password, one.default) if one.name == "proof" else one


async def _act(request: web.Request) -> web.Response:
    name = request.match_info["action"]
    found = ACTIONS.get(name)
    if found is None or not is_offered(found):
        raise Refused(404, "no_action", f"there is no action {name[:50]!r}; see openapi.json")
    methods = {"POST"} if found.changes else {"GET", "HEAD"}
    if request.method not in methods:
        raise web.HTTPMethodNotAllowed(request.method, methods)
    try:
        who = operator_of(request)
    except Refused as refused:
        if refused.status != 401:
            raise
        response = refusal(refused)
        response.headers["WWW-Authenticate"] = "Bearer"
        return response
    wanted = parameters_of(found)
    given = await _of_body(request) if found.changes else _of_query(request, wanted)
    _check_names(given, wanted)
    if "password" in wanted:
        given["proof"] = given.pop("password")
    try:
        result = await perform(site_of(request).admin, name, given, who, new_proof=_maker(request))
    except NotAllowed as error:
        raise Refused(403, "role", str(error)) from error
    except WrongArguments as error:
        raise Refused(400, "bad_request", str(error)) from error
    return answer(result)


def _maker(request: web.Request) -> Callable[[str], Awaitable[str]]:
    accounts, host = site_of(request).services.accounts, host_of(request)
    return lambda password: accounts.new_proof(password, host)


def _check_names(given: Mapping[str, Any], wanted: Mapping[str, Parameter]) -> None:
    for key in given:
        if key not in wanted:
            raise Refused(400, "bad_request", f"unknown: {key[:50]!r}", field=key[:50])
    for one in wanted.values():
        if one.is_required and one.name not in given:
            raise Refused(400, "bad_request", f"{one.name} is missing", field=one.name)


def _of_query(request: web.Request, wanted: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return the arguments in the query; those of a list are repeated."""
    given: dict[str, Any] = {}
    for key in request.query:
        values = request.query.getall(key)
        kind = bare(wanted[key].kind) if key in wanted else str
        if get_origin(kind) is Sequence:
            inner = bare(get_args(kind)[0])
            given[key] = [_value(key, text, inner) for text in values]
        elif len(values) == 1:
            given[key] = _value(key, values[0], kind)
        else:
            raise Refused(400, "bad_request", f"{key[:50]!r} is there twice", field=key[:50])
    return given


def _value(key: str, text: str, kind: Any) -> object:
    """Return a value of a query. Raises Refused if it is no number where there must be one."""
    _check_json(text)
    if kind not in _NUMBERS:
        return text
    pattern, read = _NUMBERS[kind]
    if not pattern.fullmatch(text):
        raise Refused(400, "bad_request", f"{key}={text[:50]!r} is no number", field=key)
    return read(text)


async def _of_body(request: web.Request) -> dict[str, Any]:
    """Return the arguments in the body, a JSON object."""
    if request.content_type != "application/json":
        raise Refused(415, "bad_request", "send JSON, with Content-Type: application/json")
    try:
        body = await body_of(request)
        found = json.loads(body, parse_float=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad_request", "the body is no JSON") from error
    if not isinstance(found, dict):
        raise Refused(400, "bad_request", "the body must be a JSON object")
    _check_json(found)
    return found


def _number(text: str) -> float:
    """Return a number; in JSON, 5.0 is as whole as 5."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < _ALL_WHOLE else value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _check_json(value: object, depth: int = 0) -> None:
    """Raise Refused for texts that are no UTF-8, and for what is nested too deep to look at."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Refused(400, "bad_request", "a text is no UTF-8") from error
    elif depth > _DEEPEST:
        raise Refused(400, "bad_request", "it is nested too deep")
    elif isinstance(value, dict):
        for key, one in value.items():
            _check_json(key)
            _check_json(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            _check_json(one, depth + 1)
