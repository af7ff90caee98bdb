"""The dissector for Wireshark: one Lua file, made from the catalogue.

The catalogue comes as tables; what reads and shows lines by them stands in `runtime/*.lua`. It
needs Wireshark 4.0 or newer.
"""

import re
from importlib import resources
from typing import NamedTuple

import kqq
from kqq.errors import LocalProtocolError
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES
from kqq.protocol.export import specs
from kqq.protocol.fields import HEX, Kind
from kqq.protocol.schema import HEADS, VERSIONS, Field, Spec
from kqq.protocol.wire import LINE_LIMIT

PORT = "14000"
"""Where the real servers spoke lines; a preference of the dissector, `kqq.port`."""
PARTS = (
    *("reading", "hiding", "judging", "linking", "recognising"),
    *("showing", "dissecting", "counting"),
)
"""The files of the runtime, in the order they need."""
RESERVED = frozenset(
    {"kind", "sender", "list", "unknown", "malformed", "noise", "port", "time"}
    | {"response_in", "response_to", "sent_again_in", "sent_before", "show_secrets"}
)
"""Names of filters that are no field of a line."""

_TYPES = {
    "UINT": "number",
    "DIGITS": "text",
    "TEXT": "text",
    "PROSE": "text",
    "VERSION": "text",
    "HEX_TEXT": "text",
    "HEX": "bytes",
}
_WORDS = frozenset(
    {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if"}
    | {"in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"}
)
"""What no name in Lua may be."""
_ORDER = ("number", "text", "bytes")

_INTRODUCTION = """\
-- The text protocol of Mobile QQ (KQQ) for Wireshark 4.0 and newer.
-- Made by `kqq dissector` (kqq {version}) from its catalogue; do not edit.
--
--   tshark -X lua_script:kqq.lua -r FILE -Y 'kqq.cmd == "CLTMSG"'
--   tshark -X lua_script:kqq.lua -r FILE -q -z kqq,tree
--
-- or copy it to the personal Lua plugins folder (Help, About Wireshark, Folders).

if rawget(_G, "kqq_dissector") then
    return -- it was loaded from another folder before
end
rawset(_G, "kqq_dissector", "{version}")
"""


class Filter(NamedTuple):
    """A field that Wireshark can filter by: `kqq.NAME`, of type number, text or bytes."""

    name: str
    key: str
    type: str
    about: str


class KindParts(NamedTuple):
    """What the runtime knows of a kind: its name, how it is a list, its number of digits."""

    name: str
    list: str | None
    digits: int | None


def dissector() -> str:
    """Return the whole Lua file.

    Raises LocalProtocolError if the catalogue has a kind that the runtime cannot read.
    """
    pieces = [_INTRODUCTION.format(version=kqq.__version__), f"local catalogue = {_catalogue()}\n"]
    runtime = resources.files("kqq.dissector").joinpath("runtime")
    pieces += [runtime.joinpath(f"{part}.lua").read_text(encoding="utf-8") for part in PARTS]
    return "\n".join(pieces)


def filters() -> list[Filter]:
    """Return every field of the catalogue that Wireshark can filter by, in order of appearance.

    The name is the key in lower case. A key that holds a number in one command and words in
    another has two: the words then have `.text` behind the name, bytes `.bytes`.
    """
    meanings: dict[tuple[str, str], dict[str, None]] = {}
    for declared in _declared():
        place = (declared.key, _type(declared.kind))
        meanings.setdefault(place, {})[declared.meaning] = None
    return [
        Filter(_filter_name(key, type_, meanings), key, type_, "; ".join(words))
        for (key, type_), words in meanings.items()
    ]


def _filter_name(key: str, type_: str, all_: dict[tuple[str, str], dict[str, None]]) -> str:
    name = key.lower()
    if name in RESERVED:
        raise LocalProtocolError(
            f"the dissector cannot have a filter kqq.{name} for {key}, as it means another thing; "
            "give the other one another name in RESERVED and in runtime/showing.lua"
        )
    first = next(other for other in _ORDER if (key, other) in all_)
    return name if type_ == first else f"{name}.{type_}"


def _declared() -> list[Field]:
    heads = [declared for fields in HEADS.values() for declared in fields]
    return [*heads, *(declared for spec in specs() for declared in spec.fields)]


def kind_parts(kind: Kind) -> KindParts:
    """Return what the runtime must know to read values of `kind`.

    Raises LocalProtocolError if the runtime has no reader for it.
    """
    name, list_, digits = kind.name, None, None
    for prefix, word in (("LIST(", "trailing"), ("PLAIN_LIST(", "plain")):
        if name.startswith(prefix) and name.endswith(")"):
            name, list_ = name.removeprefix(prefix).removesuffix(")"), word
    if name.startswith("HEX_TEXT("):
        name, _, count = name.removesuffix(")").partition("(")
        digits = int(count)
    if name not in _TYPES or (list_ and name == HEX.name):
        raise LocalProtocolError(
            f"the dissector cannot read values of the kind {kind.name}; teach it to KINDS in "
            "runtime/reading.lua and to _TYPES here"
        )
    return KindParts(name, list_, digits)


def _type(kind: Kind) -> str:
    return _TYPES[kind_parts(kind).name]


def _catalogue() -> str:
    names = {(one.key, one.type): one.name for one in filters()}
    secrets = sorted({declared.key for declared in _declared() if declared.secret})
    return as_lua(
        {
            "title": "Mobile QQ text protocol",
            "port": PORT,
            "line_limit": LINE_LIMIT,
            "versions": list(VERSIONS),
            "secrets": dict.fromkeys(secrets, True),
            "head_keys": {one.key: True for fields in HEADS.values() for one in fields},
            "filters": [one._asdict() for one in filters()],
            "heads": {
                role: [_field(one, names) for one in fields] for role, fields in HEADS.items()
            },
            "requests": {name: _spec(spec, names) for name, spec in REQUESTS.items()},
            "responses": {
                name: [_spec(form, names) for form in forms] for name, forms in RESPONSES.items()
            },
            "documents": {key: _spec(spec, names) for key, spec in DOCUMENTS.items()},
        }
    )


def _spec(spec: Spec, names: dict[tuple[str, str], str]) -> dict[str, object]:
    """Return a command as the runtime takes it; `answers` are commands in lower case."""
    answers = {answer.spec.command.lower(): True for answer in spec.answers}
    return {
        "role": spec.role if spec.role in ("reply", "push") else None,
        "when": spec.when,
        "rest": next((one.key for one in spec.fields if one.rest), None),
        "answers": answers | {spec.command.lower(): True} if spec.role == "request" else None,
        "fields": [_field(one, names) for one in spec.fields] or None,
    }


def _field(declared: Field, names: dict[tuple[str, str], str]) -> dict[str, object]:
    parts = kind_parts(declared.kind)
    return {
        "key": declared.key,
        "filter": names[declared.key, _TYPES[parts.name]],
        "kind": parts.name,
        "list": parts.list,
        "digits": parts.digits,
        "words": declared.meaning,
        "required": declared.required or None,
        "blank": declared.kind.empty_is_absent or None,
        "secret": declared.secret or None,
        "values": dict(declared.values) or None,
    }


def as_lua(value: object, indent: int = 0) -> str:
    """Return a value as Lua writes it; what is None is left out of a table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    inner = "  " * (indent + 1)
    if isinstance(value, dict):
        items = [
            f"{_key(key)} = {as_lua(item, indent + 1)}"
            for key, item in value.items()
            if item is not None
        ]
    elif isinstance(value, list):
        items = [as_lua(item, indent + 1) for item in value]
    else:
        raise TypeError(f"{value!r} has no form in Lua")
    flat = f"{{ {', '.join(items)} }}" if items else "{}"
    if len(flat) + len(inner) <= 100 and "\n" not in flat:
        return flat
    return "{\n" + "".join(f"{inner}{item},\n" for item in items) + "  " * indent + "}"


def _key(text: str) -> str:
    """Return what stands before the `=` in a table."""
    is_name = re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", text) and text not in _WORDS
    return text if is_name else f"[{_quoted(text)}]"


def _quoted(text: str) -> str:
    """Return a string of Lua; only printable ASCII stands for itself."""
    signs = []
    for byte in text.encode():
        sign = chr(byte)
        if sign in '"\\':
            signs.append(f"\\{sign}")
        elif sign.isprintable() and byte < 0x7F:
            signs.append(sign)
        else:
            signs.append(f"\\{byte:03d}")
    return f'"{"".join(signs)}"'
