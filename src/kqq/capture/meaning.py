"""What a line means: its message, what is odd about it, and its fields by key.

Lines of one command have the same keys in the same order nearly always, so what follows from the
keys alone is worked out once for each such row of keys and kept.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from kqq.protocol.explain import oddities, sender_of, spec_of
from kqq.protocol.fields import unescape
from kqq.protocol.messages import Role, decode
from kqq.protocol.schema import HEADS, Failure, Field, Message, Spec, Unreadable
from kqq.protocol.wire import Line, mask, mask_broken, mask_bytes, show

__all__ = ["fields_json", "fields_of", "masked", "meaning", "sender_of"]

_MOST_SHAPES = 4096
"""Rows of keys that are kept; whoever sends ever other keys must not fill the memory."""
_LONGEST_SHAPE = 4096
"""Signs of a line whose keys are kept."""
_MOST_ODD = 20
_LONGEST_ODD = 300
_SHORTEST = 3
"""Signs of a part in which no secret can stand."""
_HIDDEN = "***"
_PLAIN_NUMBER = re.compile("0|[1-9][0-9]{0,17}").fullmatch

_encode: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False).encode
_quote: Callable[[str], str] = json.encoder.encode_basestring


class _Entry(NamedTuple):
    """How a field is read: the `place` of its part, where its value begins there, and its kind.

    `label` is its key as JSON writes it. `read` is None for what is taken as it stands.
    """

    place: int
    start: int
    key: str
    label: str
    secret: bool
    read: Callable[[str], Any] | None
    is_text: bool = False
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a row of keys says: what is odd about it, and how each field is read, in the order sent.

    `has_secrets`: there are keys whose values `mask` hides.
    """

    odd: tuple[str, ...] = ()
    entries: tuple[_Entry, ...] = ()
    has_secrets: bool = False


_shapes: dict[tuple[type[Message] | None, tuple[str, ...]], _Shape] = {}
_last: tuple[Line | None, Spec | None, _Shape, list[str]] = (None, None, _Shape(), [])
"""The line that was looked at last; who asks for its meaning asks for its fields next."""


def meaning(line: Line, sender: Role) -> tuple[Message | Unreadable, tuple[str, ...]]:
    """Return what `line` says if `sender` sent it, and what is odd about it, in words."""
    message = decode(line, sender)
    if isinstance(message, Unreadable) and _HIDDEN in line.text:
        message = _without_masks(line, message, sender)
    odd = _shape(line, _spec(line, message, sender))[0].odd
    text = line.text
    if isinstance(message, Unreadable):
        odd = (*map(str, message.problems), *odd)
    if line.junk:
        odd = (f"{len(line.junk)} bytes before VER= are skipped: {line.junk[:16].hex(' ')}", *odd)
    if not text.isascii() or "%" in text:
        odd = (*odd, *_broken_text(text))
    return message, _bounded(odd) if odd else odd


def _bounded(odd: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is odd so that it can be shown: not too much of it, and no secrets in it."""
    shown = tuple(
        show(words.encode("utf-8", "surrogateescape"), _LONGEST_ODD) for words in odd[:_MOST_ODD]
    )
    if len(odd) <= _MOST_ODD:
        return shown
    return (*shown, f"and {len(odd) - _MOST_ODD} more such things")


def _without_masks(line: Line, unreadable: Unreadable, sender: Role) -> Message | Unreadable:
    """Return what a line says whose secrets somebody hid: a password that is `***` is none."""
    message = decode(Line(line.text.replace("PS=***", f"PS={'0' * 32}", 1)), sender)
    if not isinstance(message, Unreadable):
        return replace(message, line=line)
    problems = [one for one in unreadable.problems if one in message.problems]
    return Unreadable(line, tuple(problems))


def fields_of(
    line: Line, message: Message | Unreadable, sender: Role, *, secrets: bool = False
) -> dict[str, Any]:
    """Return the fields of a line by key, in the order sent; of a key that is repeated the first.

    Numbers, words (unescaped), lists of both; pictures stay hexadecimal digits. What cannot be
    read as its kind, or is not in the catalogue, is words. Secrets are `***` unless asked for.
    """
    shape, parts = _shape(line, _spec(line, message, sender))
    parts = parts if secrets else _hidden(line, message, shape, parts)
    found: dict[str, Any] = {}
    for entry in shape.entries:
        value = parts[entry.place][entry.start :]
        found[entry.key] = (
            _HIDDEN if entry.secret and value and not secrets else _read(entry, value)
        )
    return found


def fields_json(
    line: Line, message: Message | Unreadable, sender: Role, *, secrets: bool = False
) -> str:
    """Return what `fields_of` does as JSON has it, sooner."""
    shape, parts = _shape(line, _spec(line, message, sender))
    parts = parts if secrets else _hidden(line, message, shape, parts)
    pieces = []
    for place, start, _, label, secret, read, is_text, is_number in shape.entries:
        value = parts[place][start:]
        if secret and value and not secrets:
            pieces.append(f'{label}"***"')
        elif is_text:
            pieces.append(label + _quote(unescape(value) if "%" in value else value))
        elif is_number and _PLAIN_NUMBER(value):
            pieces.append(label + value)
        else:
            pieces.append(label + _encode(_taken(read, value)))
    return f"{{{', '.join(pieces)}}}"


def masked(line: Line, message: Message | Unreadable, sender: Role) -> str:
    """Return the text of `line`, junk aside, with secrets hidden."""
    shape, parts = _shape(line, _spec(line, message, sender))
    text = line.text
    if shape.odd or isinstance(message, Unreadable):
        return mask_broken(text)
    if not shape.has_secrets and text.count("=") == len(parts):
        return text  # no value has a = in it, so nothing in it can be a secret with its key
    return mask(text)


def _hidden(
    line: Line, message: Message | Unreadable, shape: _Shape, parts: list[str]
) -> list[str]:
    """Return the parts without secrets that stand in other values, as where a client forgot `&`."""
    if shape.odd or isinstance(message, Unreadable):
        return [_without_secrets(part) if len(part) > _SHORTEST else part for part in parts]
    if line.text.count("=") == len(parts):
        return parts
    return [mask(part) for part in parts]


def _without_secrets(part: str) -> str:
    """Return a part of a broken line without what may be a secret; its key stays."""
    shown = mask_broken(part)
    return shown if shown.startswith(part[: part.find("=") + 1]) else mask(part)


def _read(entry: _Entry, value: str) -> Any:
    return unescape(value) if entry.is_text else _taken(entry.read, value)


def _taken(read: Callable[[str], Any] | None, value: str) -> Any:
    if read is None:
        return value
    try:
        return read(value)
    except ValueError:
        return unescape(value)


def _spec(line: Line, message: Message | Unreadable, sender: Role) -> Spec | None:
    if isinstance(message, (Unreadable, Failure)):
        return spec_of(line, sender)
    return message.spec


def _shape(line: Line, spec: Spec | None) -> tuple[_Shape, list[str]]:
    """Return what the keys of `line` say, and the parts that its entries are places in."""
    global _last  # noqa: PLW0603  # a memory of one line costs nothing, and saves much
    if _last[0] is line and _last[1] is spec:
        return _last[2], _last[3]
    parts = line.text.split("&")
    if spec is not None and spec.fields and spec.fields[-1].rest:
        parts = _with_rest(line, spec, parts)
    keys = tuple([part[: part.find("=") + 1] for part in parts])
    cls = None if spec is None else spec.cls
    known = _shapes.get((cls, keys))
    if known is None:
        known = _worked_out(line, spec, keys)
        if "" not in keys and len(line.text) < _LONGEST_SHAPE:  # else it says too little
            if len(_shapes) >= _MOST_SHAPES:
                _shapes.clear()
            _shapes[cls, keys] = known
    _last = (line, spec, known, parts)
    return known, parts


def _with_rest(line: Line, spec: Spec, parts: list[str]) -> list[str]:
    """Return the parts with those put together that are words with a raw `&` in them."""
    key = spec.fields[-1].key
    if parts[-1].startswith(f"{key}=") and line.text.count(f"&{key}=") == 1:
        return parts
    for place, part in enumerate(parts[:-1]):
        if part.startswith(key) and "=" in part and part.partition("=")[0].strip() == key:
            value = spec.values(line)[key]
            written, _, first = part.partition("=")
            return [*parts[:place], f"{written}={value}"] if len(value) > len(first) else parts
    return parts


def _worked_out(line: Line, spec: Spec | None, keys: tuple[str, ...]) -> _Shape:
    known = (*HEADS["request"], *HEADS["reply"]) if spec is None else spec.all_fields
    declared = {one.key: one for one in known}
    entries: dict[str, _Entry] = {}
    for place, written in enumerate(keys):
        key = written[:-1].strip()
        if written and key not in entries:
            entries[key] = _entry(place, written, key, declared.get(key))
    has_secrets = any(mask(f"{key}x") != f"{key}x" for key in set(keys))
    return _Shape(tuple(oddities(Line(line.text), spec)), tuple(entries.values()), has_secrets)


def _entry(place: int, written: str, key: str, field: Field | None) -> _Entry:
    label = f"{_quote(key)}: "
    start = len(written)
    if field is None:
        is_secret = mask(f"{written}x") != f"{written}x"
        return _Entry(place, start, key, label, is_secret, None, is_text=True)
    name = field.kind.name
    read: Callable[[str], Any] | None = field.kind.parse
    if name == "HEX":
        read = _picture
    elif "LIST" in name:
        parse = field.kind.parse
        read = lambda value: list(parse(value))  # noqa: E731  # what it does is in one expression
    is_text = name in ("TEXT", "PROSE")
    return _Entry(place, start, key, label, field.secret, read, is_text, name == "UINT")


def _picture(value: str) -> str:
    return bytes.fromhex(value).hex()


def _broken_text(text: str) -> tuple[str, ...]:
    """Return whether there are bytes that are not UTF-8, raw or escaped."""
    try:
        unescape(text).encode()
    except UnicodeEncodeError as error:
        found = error.object[error.start : error.start + 8].encode("utf-8", "surrogateescape")
        return (f"some bytes are not UTF-8: {mask_bytes(found)[:4].hex(' ')}",)
    return ()
