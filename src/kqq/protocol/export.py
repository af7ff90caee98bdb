"""The catalogue in other forms: Markdown for people, plain objects for other programs.

A generator that cannot finish raises; every order and number is that of the declarations.
"""

from typing import Any

import kqq.protocol.catalogue  # noqa: F401  # fills the tables of declare
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES
from kqq.protocol.evidence import CONFIDENCE, SOURCES
from kqq.protocol.schema import HEADS, Field, Spec

_SAID_BY = {
    "request": "client",
    "reply": "server, asked",
    "push": "server, unasked",
    "document": "server, over HTTP",
}
_OURS = {"OURS": "ours", "INF": "inferred"}


def specs() -> list[Spec]:
    """Return every declaration: requests with their replies after them, pushes, documents."""
    found: list[Spec] = []
    for request in REQUESTS.values():
        found.append(request)
        found += [answer.spec for answer in request.answers if answer.spec not in found]
    found += [form for forms in RESPONSES.values() for form in forms if form.role == "push"]
    found += DOCUMENTS.values()
    return found


def as_objects() -> dict[str, Any]:
    """Return the catalogue as dictionaries, lists, strings, numbers and booleans only."""
    return {
        "sources": SOURCES,
        "confidence": CONFIDENCE,
        "commands": [_spec_object(spec) for spec in specs()],
    }


def _spec_object(spec: Spec) -> dict[str, Any]:
    return {
        "command": spec.command,
        "role": spec.role,
        "class": spec.cls.__name__,
        "doc": " ".join(spec.doc.split()),
        "versions": spec.versions,
        "confidence": spec.confidence,
        "evidence": spec.evidence.split(),
        "before_sign_in": spec.before_sign_in,
        "once": spec.once,
        "when": spec.when,
        "answers": [answer.__name__ for answer in spec.answers],
        "fields": [_field_object(declared) for declared in spec.all_fields],
    }


def _field_object(declared: Field) -> dict[str, Any]:
    return {
        "key": declared.key,
        "name": declared.attribute,
        "kind": declared.kind.name,
        "meaning": declared.meaning,
        "values": dict(declared.values),
        "confidence": declared.confidence,
        "evidence": declared.evidence.split(),
        "required": declared.required,
        "rest": declared.rest,
        "secret": declared.secret,
    }


def commands_markdown() -> str:
    """Return the reference of every command as one Markdown page."""
    lines = [
        "# Every command",
        "",
        "Made from `src/kqq/protocol/catalogue.py` by `scripts/docs`; do not edit.",
        "[evidence.md](evidence.md) says what the keys and the letters of confidence stand for.",
        "",
        "Fields stand in wire order.",
        "A field in brackets may be absent; with a default it is always written all the same.",
        "",
        "| command | who says it | what it is |",
        "| --- | --- | --- |",
    ]
    for spec in specs():
        first = _sentences(spec.doc)[0]
        lines.append(f"| [`{spec.command}`](#{anchor(spec)}) | {_SAID_BY[spec.role]} | {first} |")
    lines += ["", "## Kinds", "", "| kind | what it holds |", "| --- | --- |"]
    kinds = {field.kind.name: field.kind.doc for spec in specs() for field in spec.all_fields}
    lines += [f"| {name} | {doc} |" for name, doc in sorted(kinds.items())]
    for role, fields in HEADS.items():
        if fields:
            lines += ["", f"## The head of a {role}", "", *_table(fields)]
    lines.append("")
    for spec in specs():
        lines += _spec_markdown(spec)
    return "\n".join(lines).rstrip() + "\n"


def anchor(spec: Spec) -> str:
    """Return the name a declaration has as a place in the reference."""
    return spec.cls.__name__.lower()


def _spec_markdown(spec: Spec) -> list[str]:
    notes = [f"versions {spec.versions}", f"confidence {spec.confidence}", spec.evidence]
    if spec.before_sign_in:
        notes.append("allowed before sign-in")
    if spec.once:
        notes.append("doing it twice would be wrong")
    if spec.answers:
        links = [f"[`{one.__name__}`](#{anchor(one.spec)})" for one in spec.answers]
        notes.append(f"answered by {' or '.join(links)}")
    lines = [
        f'<a id="{anchor(spec)}"></a>',
        "",
        f"## {spec.command} ({spec.role}, `{spec.cls.__name__}`)",
        "",
        *_sentences(spec.doc),
        "",
        f"{'; '.join(notes)}.",
        "",
    ]
    if spec.head:
        head = [f"[`{one.key}`]" if not one.required else f"`{one.key}`" for one in spec.head]
        lines += [f"Head: {' '.join(head)}", ""]
    if not spec.fields:
        return [*lines, "No fields of its own.", ""]
    return [*lines, *_table(spec.fields), ""]


def _table(fields: tuple[Field, ...]) -> list[str]:
    return [
        "| field | attribute | kind | meaning | evidence |",
        "| --- | --- | --- | --- | --- |",
        *map(_field_markdown, fields),
    ]


def _field_markdown(declared: Field) -> str:
    key = f"`{declared.key}`" if declared.required else f"[`{declared.key}`]"
    meaning = declared.meaning
    if declared.values:
        codes = "; ".join(f"`{code}` {word}" for code, word in declared.values.items())
        meaning += f": {codes}"
    if declared.default is not None:
        meaning += f" (default `{declared.kind.format(declared.default)}`)"
    if declared.rest:
        meaning += " (takes the rest of the line)"
    if declared.secret:
        meaning += " (never shown)"
    meaning = meaning.replace("|", "\\|")
    evidence = f"{declared.confidence}: {declared.evidence}"
    return f"| {key} | `{declared.attribute}` | {declared.kind.name} | {meaning} | {evidence} |"


def _sentences(doc: str) -> list[str]:
    """Return a docstring with a sentence per line."""
    words = " ".join(doc.split())
    return words.replace(". ", ".\n").split("\n")


def evidence_markdown() -> str:
    """Return what the evidence keys and letters of confidence stand for, and what is ours."""
    lines = [
        "# Evidence",
        "",
        "Made from `src/kqq/protocol/catalogue.py` by `scripts/docs`; do not edit.",
        "",
        "| key | source |",
        "| --- | --- |",
        *(f"| {key} | {words} |" for key, words in SOURCES.items()),
        "",
        "| confidence | meaning |",
        "| --- | --- |",
        *(f"| {letter} | {words} |" for letter, words in CONFIDENCE.items()),
        "",
        "## What nobody has ever seen",
        "",
        "These were inferred, or are our own choice.",
        "",
    ]
    for role, fields in HEADS.items():
        lines += _unattested(f"the head of a {role}", [], fields)
    for spec in specs():
        lines += _unattested(f"`{spec.command}` ({spec.role})", spec.evidence.split(), spec.fields)
    return "\n".join(lines) + "\n"


def _unattested(what: str, marks: list[str], fields: tuple[Field, ...]) -> list[str]:
    """Return the line that says which parts of `what` are inferred or ours, if any are."""
    parts = [f"the whole command ({_OURS[mark]})" for mark in marks if mark in _OURS]
    for declared in fields:
        evidence = declared.evidence.split()
        parts += [f"`{declared.key}` ({_OURS[mark]})" for mark in evidence if mark in _OURS]
        parts += [
            f"`{declared.key}={code}` (ours)"
            for code, word in declared.values.items()
            if "our own" in word
        ]
    return [f"- {what}: {', '.join(parts)}"] if parts else []
