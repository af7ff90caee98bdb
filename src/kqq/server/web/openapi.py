"""The OpenAPI document of the operator's API, made from the actions themselves.

What an action takes is its signature, what it returns the TypedDict it says it does; descriptions
are the docstrings.
"""

import inspect
from collections.abc import Mapping, Sequence
from enum import EnumType
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from aiohttp import web

from kqq import __version__
from kqq.server.admin import ACTIONS, Action, Parameter
from kqq.server.admin.base import bare, bounds_of
from kqq.server.web.api import PATH, is_offered, parameters_of
from kqq.server.web.site import PLAIN_COOKIE, answer

Schema = dict[str, Any]

_ABOUT = """\
What an operator can do, for programs: the same as `kqq account`, `kqq operator` and the page
`/operator` do. A program shows a token, which `kqq token add` makes; a page of this server is known
by its cookie, and says `X-CSRF` with what changes something. Each operation is for a role and those
above it: observer, moderator, administrator. What changes something is noted, see `deeds`.
Dates are seconds since 1970 in UTC. Lines of the protocol as they go by are at the WebSocket
`/api/v1/wire`."""
_PLAIN: dict[Any, Schema] = {
    Any: {},
    NoneType: {"type": "null"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    int: {"type": "integer"},
    str: {"type": "string"},
}
_BOUNDS = {
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
}
_REFUSALS = {
    "400": "The arguments, or the account or setting that they name, cannot be so.",
    "401": "No token and no cookie, or one that is of no use any more.",
    "403": "The role is too low, or the page is not one of this server.",
    "413": "The body is too long.",
    "415": "The body is no JSON.",
    "421": "The server does not go by this name.",
    "503": "The server has too much to do, or cannot write.",
}
_OF_BODIES = {"413", "415"}


def routes() -> list[web.RouteDef]:
    """Return the route of the document."""
    return [web.get(f"{PATH}openapi.json", _show)]


async def _show(_: web.Request) -> web.Response:
    return answer(document())


@cache
def document() -> Schema:
    """Return the document; it must not be changed."""
    schemas: dict[str, Schema] = {"Refusal": _REFUSAL}
    offered = {name: action for name, action in sorted(ACTIONS.items()) if is_offered(action)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The operator's API of kqq",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": PATH.rstrip("/")}],
        "security": [{"token": []}, {"cookie": []}],
        "paths": {
            f"/{name}": {"post" if action.changes else "get": _operation(name, action, schemas)}
            for name, action in offered.items()
        },
        "components": {
            "schemas": schemas,
            "responses": {status: _refusal(words) for status, words in _REFUSALS.items()},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "What `kqq token add` prints.",
                },
                "cookie": {"type": "apiKey", "in": "cookie", "name": PLAIN_COOKIE},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF"},
            },
        },
    }


_REFUSAL: Schema = {
    "type": "object",
    "description": "Why it was not done: in a word for programs, and in words for people.",
    "properties": {
        "error": {"type": "string"},
        "why": {"type": "string"},
        "field": {"type": "string", "description": "The argument that is wrong."},
        "reason": {"type": "string", "description": "Why the account is suspended."},
    },
    "required": ["error", "why"],
    "additionalProperties": False,
}


def _refusal(words: str) -> Schema:
    schema = {"$ref": "#/components/schemas/Refusal"}
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _operation(name: str, action: Action, schemas: dict[str, Schema]) -> Schema:
    summary, _, more = inspect.cleandoc(action.function.__doc__ or "").partition("\n\n")
    parameters = parameters_of(action)
    statuses = [one for one in _REFUSALS if action.changes or one not in _OF_BODIES]
    found: Schema = {
        "operationId": name,
        "tags": [name.partition(".")[0]],
        "summary": " ".join(summary.split()),
        "description": f"{more}\n\nFor the role {action.role}.".strip(),
        "x-role": action.role.value,
        "responses": {
            "200": {
                "description": "It is done." if action.changes else "What there is.",
                "content": {"application/json": {"schema": schema_of(action.result, schemas)}},
            },
            **{one: {"$ref": f"#/components/responses/{one}"} for one in statuses},
        },
    }
    if not action.changes:
        found["parameters"] = [_in_query(one, schemas) for one in parameters.values()]
        return found
    found["security"] = [{"token": []}, {"cookie": [], "csrf": []}]
    found["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": _body(parameters, schemas)}},
    }
    return found


def _in_query(one: Parameter, schemas: dict[str, Schema]) -> Schema:
    schema = schema_of(_not_none(one.kind), schemas)
    words = schema.pop("description", "")
    found = {"name": one.name, "in": "query", "required": one.is_required}
    return (
        found | ({"description": words} if words else {}) | {"schema": _with_default(schema, one)}
    )


def _not_none(kind: Any) -> Any:
    """Return a type without None: in a query, what is not there is None."""
    if get_origin(kind) in {Union, UnionType}:
        (kind,) = [part for part in get_args(kind) if part is not NoneType]
    return kind


def _body(parameters: Mapping[str, Parameter], schemas: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": {
            one.name: _with_default(schema_of(one.kind, schemas), one)
            for one in parameters.values()
        },
        "required": [one.name for one in parameters.values() if one.is_required],
        "additionalProperties": False,
    }


def _with_default(schema: Schema, one: Parameter) -> Schema:
    return schema if one.is_required or one.default is None else schema | {"default": one.default}


def schema_of(kind: Any, schemas: dict[str, Schema]) -> Schema:
    """Return the JSON schema of a type; those of TypedDicts are added to `schemas`."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return schema_of(parts[0], schemas) | _notes(kind)
    if origin is NotRequired:
        return schema_of(parts[0], schemas)
    if origin in {Union, UnionType}:
        return {"anyOf": [schema_of(part, schemas) for part in parts]}
    if origin is Literal or isinstance(kind, EnumType):
        return {"type": "string", "enum": [str(one) for one in parts or kind]}
    if origin in {list, Sequence}:
        return {"type": "array", "items": schema_of(parts[0], schemas)}
    if origin in {dict, Mapping}:
        return {"type": "object", "additionalProperties": schema_of(parts[1], schemas)}
    if is_typeddict(kind):
        return _named(kind, schemas)
    return dict(_PLAIN[kind])


def _notes(kind: Any) -> Schema:
    """Return what Annotated says: bounds, and words."""
    notes: Schema = {}
    bounds = bounds_of(kind)
    if bounds is not None:
        low, high = _BOUNDS[_type(bare(kind))]
        notes |= {low: bounds.low, high: bounds.high}
    words = [note for note in get_args(kind)[1:] if isinstance(note, str)]
    return notes | ({"description": words[0]} if words else {})


def _type(kind: Any) -> str:
    return "array" if get_origin(kind) is Sequence else str(_PLAIN[kind]["type"])


def _named(kind: Any, schemas: dict[str, Schema]) -> Schema:
    """Return a reference to the schema of a TypedDict, which is among `schemas` from now on."""
    name = kind.__name__
    if name not in schemas:
        hints = get_type_hints(kind, include_extras=True)
        schemas[name] = {
            "type": "object",
            "description": " ".join((kind.__doc__ or "").split()),
            "properties": {key: schema_of(hint, schemas) for key, hint in hints.items()},
            "required": sorted(kind.__required_keys__),
            "additionalProperties": False,
        }
    return {"$ref": f"#/components/schemas/{name}"}
