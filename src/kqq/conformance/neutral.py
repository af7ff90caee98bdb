"""The plays of the suite as JSON objects, for programs that have no reader for plays.

`suite/plays.jsonl` is made of this by `scripts/docs`; README.md beside it says what the keys mean.
"""

import json
from collections.abc import Iterable
from typing import Any

from kqq.conformance.casting import SETTING, needs
from kqq.conformance.published import Entry, entries, groups
from kqq.protocol.transcript import Statement, Template

_TOWARDS = {"sends", "asks", "accepts", "refuses"}


def plays_json(plays: Iterable[Entry] | None = None) -> str:
    """Return plays, by default all of the suite, one JSON object on a line each."""
    lines = (json.dumps(as_object(one)) for one in (entries() if plays is None else plays))
    return "".join(f"{line}\n" for line in lines)


def as_object(entry: Entry) -> dict[str, Any]:
    """Return a play as an object of texts, numbers and lists."""
    wanted = needs(entry.play)
    return {
        "name": entry.name,
        "about": entry.about,
        "evidence": list(entry.evidence),
        "group": next((about for about, names in groups().items() if entry.name in names), ""),
        "only": sorted(entry.play.only),
        "accounts": {part.name: dict(part.settings) for part in wanted.parts},
        "friends": sorted(sorted(pair) for pair in wanted.friends),
        "guests": dict(wanted.others),
        "statements": [_statement(one) for one in entry.play.statements],
    }


def _statement(one: Statement) -> dict[str, Any]:
    head: dict[str, Any] = {"line": one.number, "does": one.verb}
    if one.actor:
        head["actor"] = one.actor
    if one.verb == "server":
        return head | _server(one.words)
    if one.verb == "clock":
        return head | {"seconds": float(one.words)}
    if one.verb in {">", "<"}:
        return head | _line(one.line)
    if one.verb == "speaks":
        transport, _, redirected = one.words.partition(" ")
        return head | {"transport": transport, "redirector": bool(redirected)}
    if one.verb == "sees":
        return head | {"whom": one.other, "status": one.words}
    if one.verb == "signs in":
        return head | {"status": one.words or "online"}
    if one.other:
        return head | {"to" if one.verb in _TOWARDS else "from": one.other, "text": one.text}
    return head


def _server(words: str) -> dict[str, Any]:
    kind, _, more = words.partition(" ")
    if kind in {"friends", "stranger"}:
        return {"what": kind, "names": more.split(", ")}
    if kind == "account":
        name, _, given = more.partition(" ")
        settings = {key: value.strip('"') for key, value in SETTING.findall(given)}
        return {"what": kind, "names": [name], "settings": settings}
    return {"what": kind, "setting": more} if more else {"what": kind}


def _line(line: Template) -> dict[str, Any]:
    if line.exact is not None:
        return {"form": "bytes", "text": line.exact.decode("utf-8", "surrogateescape")}
    if line.raw is not None:
        return {"form": "line", "text": line.raw}
    return {"form": "fields", "fields": [list(pair) for pair in line.fields], "more": line.more}
