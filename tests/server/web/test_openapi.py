"""The OpenAPI document: it says what the API does, and the API does what it says."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import jsonschema_rs
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.generation import GenerationMode

from kqq.server.admin import ACTIONS
from kqq.server.admin.base import Between
from kqq.server.operators import Role
from kqq.server.web.api import PATH, is_offered
from kqq.server.web.openapi import document, schema_of
from stage import JULIET, PARIS, ROMEO
from visiting import Web

OFFERED = sorted(name for name, action in ACTIONS.items() if is_offered(action))


def schema_of_answer(name: str) -> dict[str, Any]:
    """Return the schema of what an action returns, with all that it refers to."""
    ((_, operation),) = document()["paths"][f"/{name}"].items()
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return {"components": document()["components"], **schema}


# --- the document --------------------------------------------------------------------------------


async def test_document_is_for_everybody(web: Web) -> None:
    """Who has no token yet can read what there is."""
    browser = await web.browser()
    answer = await browser.get(f"{PATH}openapi.json")
    assert answer.status == 200
    assert answer.json == json.loads(json.dumps(document()))
    assert answer.json["openapi"] == "3.1.0"


def test_every_action_is_in_it() -> None:
    """What only looks is GET, what changes something is POST with a body and a word of the page."""
    paths = document()["paths"]
    assert sorted(paths) == [f"/{name}" for name in OFFERED]
    for name in OFFERED:
        ((method, operation),) = paths[f"/{name}"].items()
        action = ACTIONS[name]
        assert method == ("post" if action.changes else "get")
        assert operation["operationId"] == name
        assert operation["summary"].endswith(".")
        assert operation["description"].endswith(f"For the role {action.role}.")
        assert ("requestBody" in operation) == action.changes
        assert {"200", "400", "401", "403", "503"} <= operation["responses"].keys()


def test_what_an_operation_takes() -> None:
    """Types, bounds, words and defaults are those of the function; a password is no proof."""
    listed = {one["name"]: one for one in document()["paths"]["/account.list"]["get"]["parameters"]}
    assert listed["most"] == {
        "name": "most",
        "in": "query",
        "required": False,
        "description": "How many entries to return at most.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 1000},
    }
    shown = document()["paths"]["/account.show"]["get"]["parameters"]
    assert shown[0]["required"] is True
    deeds = {one["name"]: one for one in document()["paths"]["/deeds"]["get"]["parameters"]}
    assert deeds["before"]["schema"]["type"] == "integer"
    added = document()["paths"]["/account.add"]["post"]["requestBody"]["content"]
    body = added["application/json"]["schema"]
    assert body["required"] == ["password", "nick"]
    assert body["additionalProperties"] is False
    assert "proof" not in body["properties"]
    assert body["properties"]["who_may_write"]["anyOf"] == [
        {"type": "string", "enum": ["friends", "anyone"]},
        {"type": "null"},
    ]
    announced = document()["paths"]["/announce"]["post"]["requestBody"]["content"]
    to = announced["application/json"]["schema"]["properties"]["to"]["anyOf"][0]
    assert (to["type"], to["minItems"], to["maxItems"]) == ("array", 1, 1000)


class Part(TypedDict):
    """A part.

    Of something.
    """

    name: str


class Thing(Part):
    """A thing."""

    parts: list[Part]
    size: NotRequired[Annotated[float, Between(0, 1), "In metres."]]


def test_schemas() -> None:
    """Each type that actions use has one; a TypedDict has one that has a name."""
    schemas: dict[str, Any] = {}
    assert schema_of(list[Thing], schemas) == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Thing"},
    }
    assert schemas == {
        "Part": {
            "type": "object",
            "description": "A part. Of something.",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
            "additionalProperties": False,
        },
        "Thing": {
            "type": "object",
            "description": "A thing.",
            "properties": {
                "name": {"type": "string"},
                "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
                "size": {
                    "type": "number",
                    "minimum": 0,
                    "maximum": 1,
                    "description": "In metres.",
                },
            },
            "required": ["name", "parts"],
            "additionalProperties": False,
        },
    }


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (Any, {}),
        (bool, {"type": "boolean"}),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Role, {"type": "string", "enum": ["observer", "moderator", "administrator"]}),
        (Mapping[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Annotated[Sequence[int], Between(1, 2)],
         {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}),
        (Annotated[str | None, "words"],
         {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "words"}),
    ],
)  # fmt: skip
def test_schema_of_a_type(kind: Any, schema: dict[str, Any]) -> None:
    """As JSON schema has it."""
    assert schema_of(kind, {}) == schema


def test_names_of_schemas_are_their_own() -> None:
    """No two TypedDicts have the same name, since the second would be taken for the first."""
    kinds: dict[str, object] = {}
    for name in OFFERED:
        for kind in _typed_dicts(ACTIONS[name].result):
            assert kinds.setdefault(kind.__name__, kind) is kind


def _typed_dicts(kind: Any) -> Iterator[Any]:
    if hasattr(kind, "__required_keys__"):
        yield kind
        for part in kind.__annotations__.values():
            yield from _typed_dicts(part)
    for part in getattr(kind, "__args__", ()):
        yield from _typed_dicts(part)


# --- what really comes ---------------------------------------------------------------------------


async def test_answers_are_as_described(web: Web) -> None:
    """Of each action one real answer, with something in it, fits its schema."""
    _, secret = await web.site.operators.add_token("tests", Role.ADMINISTRATOR, 1.0)
    await web.site.operators.add(JULIET, Role.MODERATOR)
    browser = await web.browser()
    headers = {"Authorization": f"Bearer {secret}"}
    seen = []

    async def ask(action: str, query: str = "", /, **arguments: Any) -> Any:
        changes = ACTIONS[action].changes
        method, path = "POST" if changes else "GET", f"{PATH}{action}{query}"
        answer = await browser.ask(method, path, arguments if changes else None, headers=headers)
        assert answer.status == 200, (action, answer.body)
        jsonschema_rs.validate(schema_of_answer(action), answer.json)
        seen.append(action)
        return answer.json

    await web.phone(ROMEO)
    await web.browser()
    web.clock.advance(60.0)
    added = await ask("account.add", nick="Rosaline", password="secret", who_may_add=None)
    new = added["uin"]
    await ask("account.set", uin=new, values={"age": "16", "nick": "罗莎琳"})
    await ask("account.friend", uin=new, other=PARIS)
    await ask("device.add", uin=new, name="6230")
    assert await ask("device.list", f"?uin={new}")
    assert (await ask("account.show", f"?uin={new}"))["devices"]
    assert (await ask("account.show", f"?uin={ROMEO}"))["session"]
    assert (await ask("account.show", f"?uin={JULIET}"))["role"] == "moderator"
    assert await ask("account.list", "?search=juli") == []
    assert len(await ask("account.list")) == 4
    assert await ask("account.export")
    assert await ask("account.which", f"?uins={new}&uins={PARIS}")
    assert await ask("sessions")
    assert (await ask("why", f"?who={ROMEO}"))["attempts"]
    assert (await ask("why", "?who=192.0.2.7"))["signed_in"]
    await ask("why", "?who=192.0.2.8")
    await ask("announce", text="hello")
    await ask("announce", text="hello", to=[ROMEO])
    assert (await ask("trends", "?minutes=5"))["times"]
    await ask("status")
    await ask("kick", uin=ROMEO)
    await ask("account.suspend", uin=new, reason="a duel")
    await ask("account.resume", uin=new)
    await ask("account.passwd", uin=new, password="another")
    await ask("account.unfriend", uin=new, other=PARIS)
    await ask("device.revoke", uin=new, name="6230")
    await ask("account.delete", uin=new)
    await ask("account.invite", note="friends")
    assert await ask("account.invitations")
    assert await ask("limits.show")
    await ask("limits.set", values={"text_limit": 100})
    await ask("operator.add", uin=ROMEO, role="observer")
    assert await ask("operator.list")
    await ask("operator.remove", uin=ROMEO)
    await ask("token.add", name="watch", role="observer")
    assert await ask("token.list")
    await ask("token.revoke", name="watch")
    assert len(await ask("deeds")) > 10
    assert sorted(set(seen)) == OFFERED


async def test_refusals_are_as_described(web: Web) -> None:
    """Each has a code for programs and words for people."""
    schema = {"components": document()["components"], "$ref": "#/components/schemas/Refusal"}
    await web.site.operators.add(ROMEO, Role.OBSERVER)
    nobody, observer = await web.browser(), await web.client(ROMEO)
    for answer in (
        await nobody.get(f"{PATH}status"),
        await observer.get(f"{PATH}account.show?uin=x"),
        await observer.get(f"{PATH}account.show?uin=20000"),
        await observer.post(f"{PATH}kick", {"uin": PARIS}),
        await observer.get(f"{PATH}dance"),
    ):
        assert answer.status >= 400
        jsonschema_rs.validate(schema, answer.json)


# --- schemathesis --------------------------------------------------------------------------------


def tried(url: str, secret: str) -> tuple[Counter[str], set[str]]:
    """Try all operations with what is right and what is wrong by the document.

    Return how often each was tried, and what was not as described.
    """
    config = SchemathesisConfig.from_dict({
        "seed": 2005,
        "headers": {"Authorization": f"Bearer {secret}"},
        "workers": 1,
        "continue-on-failure": True,
        "generation": {
            "max-examples": 4, "deterministic": True, "no-shrink": True, "database": "none",
        },
        "phases": {"stateful": {"enabled": False}},
        "checks": {
            # What is right by the document may name an account that is not there.
            "positive_data_acceptance": {"enabled": False},
            "negative_data_rejection": {"expected-statuses": ["400", "401", "405", "413", "415"]},
        },
        "warnings": False,
    })  # fmt: skip
    schema = schemathesis.openapi.from_url(f"{url}{PATH}openapi.json", config=config)
    counts: Counter[str] = Counter()
    problems: set[str] = set()
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError):
            problems.add(f"{event.label}: {event.value}")
        elif isinstance(event, events.FatalError):
            problems.add(str(event.exception))
        elif isinstance(event, events.ScenarioFinished):
            counts[str(event.label)] += len(event.recorder.interactions)
            problems |= set(_problems(event))
    return counts, problems


def _problems(event: events.ScenarioFinished) -> Iterator[str]:
    if event.status not in {Status.SUCCESS, Status.SKIP, Status.FAILURE}:
        yield f"{event.label}: {event.status}"
    for checks in event.recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info
                yield f"{event.label}: {check.name}: {failure.failure}\n{failure.code_sample}"
    for number, node in event.recorder.cases.items():
        interaction = event.recorder.interactions.get(number)
        response = interaction.response if interaction is not None else None
        meta = node.value.meta
        is_right = meta is not None and meta.generation.mode is GenerationMode.POSITIVE
        if is_right and response is not None and response.status_code == 400:
            told = response.json()
            if told["error"] not in {"account", "config"}:
                yield f"{event.label}: {told} to what is right by the document: {node.value.body!r}"


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
async def test_nothing_surprises_schemathesis(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is sent, the server does not fail, and answers as the document says."""
    monkeypatch.setattr("kqq.server.accounts._COST", (4, 8, 1))  # else it takes most of the time
    _, secret = await web.site.operators.add_token("tests", Role.ADMINISTRATOR, 1.0)
    counts, problems = await asyncio.to_thread(tried, web.url, secret)
    assert problems == set()
    methods = {name: "POST" if ACTIONS[name].changes else "GET" for name in OFFERED}
    assert {f"{methods[name]} /{name}" for name in OFFERED} == set(counts)
    assert min(counts.values()) >= 10
