"""Any line in words: each field with its name, its meaning, how sure we are and who says so."""

from dataclasses import dataclass

import kqq.protocol.catalogue  # noqa: F401  # fills the tables
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES
from kqq.protocol.fields import unescape
from kqq.protocol.messages import Role, decode
from kqq.protocol.schema import HEADS, Failure, Field, Push, Reply, Request, Spec, Unreadable
from kqq.protocol.wire import Line, mask

_RES_PLACE = len(HEADS["reply"]) - 1


@dataclass(frozen=True, slots=True)
class ExplainedField:
    """One field as sent: `value` unescaped, `name` and `meaning` "" where nothing is known."""

    key: str
    value: str
    name: str
    meaning: str
    confidence: str
    evidence: tuple[str, ...]
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """A line in words.

    `command` is spelled as in the line; `kind` is "request", "reply", "push" or "unreadable";
    `problems` say why it cannot be read, or what is odd about it though it can.
    """

    command: str
    kind: str
    summary: str
    fields: tuple[ExplainedField, ...]
    problems: tuple[str, ...]

    @property
    def readable(self) -> bool:
        """Whether the line is a message."""
        return self.kind != "unreadable"


def explain(line: Line) -> Explanation:
    """Return `line` in words. Who sent it is told by its shape: only servers send `RES`."""
    values = line.values()
    name = values.get("CMD", "").strip()
    sender = sender_of(line)
    from_server = sender is Role.SERVER
    message = decode(line, sender)
    spec = spec_of(line, sender)
    problems = oddities(line, spec)
    if isinstance(message, Unreadable):
        kind = "unreadable"
        problems = [*map(str, message.problems), *problems]
        summary = spec.doc if spec is not None else ""
    elif isinstance(message, Failure):
        kind, summary = "reply", "A refusal: the head, and nothing after it."
    else:
        kind = "request" if isinstance(message, Request) else "reply"
        kind = "push" if isinstance(message, Push) else kind
        summary = message.spec.doc
    fields = _fields(line, spec, is_reply=isinstance(message, Reply) or from_server)
    return Explanation(name, kind, " ".join(summary.split()), fields, tuple(problems))


def sender_of(line: Line) -> Role:
    """Return who sent a line, by its shape: `RES` is a server's, unless in words of a request."""
    keys = [key.strip() for key, _ in line.pairs]
    if "RES" in keys:
        request = decode(line, Role.CLIENT)
        if keys.index("RES") <= _RES_PLACE or isinstance(request, Unreadable):
            return Role.SERVER
        return Role.SERVER if "RES" in request.spec.values(line) else Role.CLIENT
    values = line.values()
    return Role.SERVER if any(key in values for key in DOCUMENTS) else Role.CLIENT


def spec_of(line: Line, sender: Role) -> Spec | None:
    """Return what the catalogue declares of a line, readable or not; None if it has no such."""
    values = line.values()
    name = values.get("CMD", "").strip().lower()
    if sender is Role.CLIENT:
        return REQUESTS.get(name)
    if not name:
        return next((spec for key, spec in DOCUMENTS.items() if key in values), None)
    forms = RESPONSES.get(name, [])
    return next((spec for spec in forms if spec.when is None or spec.when in values), None)


def _declared(spec: Spec | None, *, is_reply: bool) -> dict[str, Field]:
    fields = HEADS["reply" if is_reply else "request"] if spec is None else spec.all_fields
    return {declared.key: declared for declared in fields}


def _fields(line: Line, spec: Spec | None, *, is_reply: bool) -> tuple[ExplainedField, ...]:
    known = _declared(spec, is_reply=is_reply)
    explained = []
    for key, value in _pairs(line, spec):
        declared = known.get(key.strip())
        text = unescape(value)
        if declared is None:
            secret = mask(f"{key}=") != f"{key}="
            explained.append(ExplainedField(key, text, "", "", "?", (), secret))
            continue
        explained.append(
            ExplainedField(
                key,
                text,
                declared.attribute,
                _meaning(declared, value),
                declared.confidence,
                tuple(declared.evidence.split()),
                declared.secret,
            )
        )
    return tuple(explained)


def _pairs(line: Line, spec: Spec | None) -> list[tuple[str, str]]:
    """Return the fields as read: a field that takes the rest of the line is one pair."""
    pairs = line.pairs
    rest = next((one.key for one in spec.fields if one.rest), None) if spec is not None else None
    for position, (key, value) in enumerate(pairs):
        if spec is not None and key.strip() == rest:
            whole = spec.values(line)[rest]
            return [*pairs[:position], (key, whole)] if len(whole) > len(value) else pairs
    return pairs


def _meaning(declared: Field, value: str) -> str:
    codes = declared.values
    if not codes:
        return declared.meaning
    if "LIST(" in declared.kind.name:
        items = [item.strip() for item in value.split(",") if item.strip()]
        words = ", ".join(codes.get(item, f"{item} (unknown)") for item in items)
    else:
        words = codes.get(value.strip(), "")
        if not words or words == value.strip():
            return declared.meaning
    return f"{declared.meaning}: {words}" if words else declared.meaning


def oddities(line: Line, spec: Spec | None) -> list[str]:
    """Return what a strict writer would not have sent, though it can be read.

    `spec` is what `spec_of` says of the line.
    """
    odd = []
    if line.junk:
        odd.append(f"{len(line.junk)} bytes before VER= are skipped: {line.junk.hex(' ')}")
    if spec is None:
        return odd
    known = _declared(spec, is_reply=spec.role == "reply")
    pairs = _pairs(line, spec)
    keys = [key.strip() for key, _ in pairs]
    sent = line.text.removesuffix(pairs[-1][1]) if pairs and keys[-1] else line.text
    if "" in sent.split("&"):
        odd.append("an empty field (&& or & at an end) is skipped")
    for key in dict.fromkeys(keys):
        if not key:
            odd.append("a part without = is skipped")
        elif key not in known:
            odd.append(f"{key} is not a field of this command")
        elif keys.count(key) > 1:
            odd.append(f"{key} is there {keys.count(key)} times; the first counts")
    order = [key for key in known if key in keys]
    if order != [key for key in dict.fromkeys(keys) if key in known]:
        odd.append(f"the fields are not in the usual order: {' '.join(order)}")
    return odd
