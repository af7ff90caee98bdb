"""The reader and the writer of a command, made once, when the catalogue is imported.

`prepare` makes two functions from a declaration: one reads a `Line` into a message or `Unreadable`,
one writes a message into bytes. A line in the declared order is read by one regular expression; any
other line is read by name, by `_read_by_name`, with the same kinds. Writing is one formatted
string. The source text of what was made is kept in `spec.source`, for whoever wants to see it.
"""

import dataclasses
import re
from typing import Any

from kqq.errors import LocalProtocolError
from kqq.protocol.fields import DIGITS, UINT, UINT_LIMIT, escape
from kqq.protocol.schema import (
    HEADS,
    Failure,
    Field,
    Head,
    Message,
    Problem,
    Read,
    Request,
    Spec,
    Unreadable,
    Write,
)
from kqq.protocol.wire import Line, mask

_HEAD_PATTERN = {
    "request": r"VER=(1\.[0-4])(?:&CON=([^&%]*))?&CMD={command}&SEQ=([0-9]{{1,20}})"
    r"&UIN=([0-9]{{1,20}})(?:&SID=([^&%]*))?(?:&XP=([^&%]*))?",
    "reply": r"VER=(1\.[0-4])&CMD={command}&SEQ=([0-9]{{1,20}})&UIN=([0-9]{{1,20}})&RES=0",
    "document": "",
}
_HEAD_PATTERN["push"] = _HEAD_PATTERN["reply"]
_HEAD_GROUPS = {
    "request": ("ver", "con", "seq", "uin", "sid", "xp"),
    "reply": ("ver", "seq", "uin"),
    "push": ("ver", "seq", "uin"),
    "document": (),
}
_HEAD_READ = {
    "request": '"head": make(Head, (ver, con, sid, xp)), "seq": seq, "uin": int(uin), ',
    "reply": '"ver": ver, "seq": seq, "uin": int(uin), ',
    "push": '"ver": ver, "seq": seq, "uin": int(uin), ',
    "document": "",
}


def _reader_source(fields: tuple[Field, ...], role: str) -> str:
    groups = [*_HEAD_GROUPS[role], *(f"v{position}" for position in range(len(fields)))]
    items = []
    for position, declared in enumerate(fields):
        value = f"v{position}"
        taken = value if declared.kind.canonical is None else f"read{position}({value})"
        if not declared.required:
            taken = f"default{position} if {value} is None else {taken}"
        items.append(f'"{declared.attribute}": {taken}')
    unpack = f"        {', '.join(groups)}, = found.groups()\n" if groups else ""
    return (
        "def read(line):\n"
        "    found = match(line.text)\n"
        "    if found is None:\n"
        "        return read_by_name(line)\n"
        "    try:\n"
        f"{unpack}"
        "        message = new(cls)\n"
        f'        fill(message, "__dict__", {{"line": line, {_HEAD_READ[role]}'
        f"{', '.join(items)}}})\n"
        "        return message\n"
        "    except ValueError:\n"
        "        return read_by_name(line)\n"
    )


def _init_source(members: tuple[dataclasses.Field[Any], ...]) -> str:
    """Return `__init__`: the frozen dataclass's own would pay a call for each attribute."""
    arguments = []
    for member in members:
        required = member.default is dataclasses.MISSING
        arguments.append(member.name if required else f"{member.name}=initial_{member.name}")
    items = ", ".join(f'"{member.name}": {member.name}' for member in members)
    return (
        f'def __init__(self, *, {", ".join(arguments)}):\n    fill(self, "__dict__", {{{items}}})\n'
    )


def _writer_source(command: str, fields: tuple[Field, ...], role: str) -> str:
    body = []
    if role == "request":
        body += [
            "        head = message.head",
            '        text = f"VER={ver(head.ver)}"',
            "        if head.con is not None:",
            '            text += f"&CON={escape(head.con)}"',
            f'        text += f"&CMD={command}&SEQ={{digits(message.seq)}}"',
            '        text += f"&UIN={uint(message.uin)}"',
            "        if head.sid is not None:",
            '            text += f"&SID={escape(head.sid)}"',
            "        if head.xp is not None:",
            '            text += f"&XP={escape(head.xp)}"',
        ]
    elif role in ("reply", "push"):
        body.append(
            f'        text = f"VER={{ver(message.ver)}}&CMD={command}&SEQ={{digits(message.seq)}}'
            f'&UIN={_uint("message.uin", "uint")}&RES=0"'
        )
    else:
        body.append('        text = ""')
    run = ""  # required fields that follow one another go into one formatted string
    for position, declared in enumerate(fields):
        value = f"message.{declared.attribute}"
        if declared.kind is UINT:
            piece = f"&{declared.key}={_uint(value, f'write{position}')}"
        else:
            piece = f"&{declared.key}={{write{position}({value})}}"
        if declared.required or declared.default is not None:
            run += piece
            continue
        if run:
            body.append(f'        text += f"{run}"')
            run = ""
        body.append(f"        if message.{declared.attribute} is not None:")
        body.append(f'            text += f"{piece}"')
    if run:
        body.append(f'        text += f"{run}"')
    start = "[1:]" if role == "document" else ""
    return (
        "def write(message):\n    try:\n"
        + "\n".join(body)
        + f'\n        return text{start}.encode("utf-8", "surrogateescape")\n'
        "    except (ValueError, TypeError, AttributeError) as error:\n"
        "        raise refusal(message) from error\n"
    )


def _uint(value: str, write: str) -> str:
    """Return the place of a number in a formatted string; `write` says why it cannot be written."""
    return f"{{{value} if 0 <= {value} < limit else {write}({value}):d}}"


def _pattern(command: str, fields: tuple[Field, ...], role: str) -> re.Pattern[str]:
    pattern = _HEAD_PATTERN[role].format(command=re.escape(command))
    for declared in fields:
        value = ".*" if declared.rest else declared.kind.pattern
        part = f"&{re.escape(declared.key)}=({value})"
        pattern += part if declared.required else f"(?:{part})?"
    return re.compile(pattern.removeprefix("&"), re.DOTALL)


def prepare(
    cls: type[Message], command: str, fields: tuple[Field, ...], role: str
) -> tuple[Read, Write, str, re.Pattern[str]]:
    """Return reader, writer, their source text and the reader's pattern for one declaration."""

    def read_by_name(line: Line) -> Message | Unreadable:
        return _read_by_name(cls.spec, line)

    pattern = _pattern(command, fields, role)
    space: dict[str, Any] = {
        "cls": cls,
        "Head": Head,
        "make": tuple.__new__,
        "match": pattern.fullmatch,
        "new": object.__new__,
        "fill": object.__setattr__,
        "read_by_name": read_by_name,
        "ver": HEADS["reply"][0].kind.format,
        "digits": DIGITS.format,
        "uint": UINT.format,
        "limit": UINT_LIMIT,
        "escape": escape,
        "refusal": _refusal,
    }
    for position, declared in enumerate(fields):
        space[f"read{position}"] = declared.kind.canonical
        space[f"write{position}"] = declared.kind.format
        space[f"default{position}"] = declared.default
    members = dataclasses.fields(cls)
    space.update({f"initial_{member.name}": member.default for member in members})
    source = "\n\n".join(
        (
            _init_source(members),
            _reader_source(fields, role),
            _writer_source(command, fields, role),
        )
    )
    exec(compile(source, f"<prepared for {cls.__name__}>", "exec"), space)
    space["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = space["__init__"]  # type: ignore[method-assign]
    return space["read"], space["write"], source, pattern


def _read_by_name(spec: Spec, line: Line) -> Message | Unreadable:
    """Read a line whose fields are not in the declared order, or tell what is wrong with it."""
    found = spec.values(line)
    taken: dict[str, Any] = {}
    attempts = [_take(taken, found, declared) for declared in spec.all_fields]
    problems = [problem for problem in attempts if problem is not None]
    taken.pop("command", None)
    res = taken.pop("res", 0)
    # The RES of a push was only inferred, so a push that is whole is read whatever it says.
    refused = bool(res) and (spec.role == "reply" or bool(problems))
    if refused:
        # A refusal has no fields of its own, so only its head can be wrong.
        problems = [problem for problem in problems if problem.key in ("VER", "SEQ", "UIN")]
        taken = {key: taken[key] for key in ("ver", "seq", "uin") if key in taken}
        taken |= {"name": found["CMD"].strip(), "res": res}
    if problems:
        return Unreadable(line, tuple(problems))
    if spec.role == "request":
        taken["head"] = Head(*(taken.pop(name) for name in Head._fields))
    message = object.__new__(Failure if refused else spec.cls)
    object.__setattr__(message, "__dict__", {"line": line, **taken})
    return message


def _take(taken: dict[str, Any], found: dict[str, str], declared: Field) -> Problem | None:
    """Read one field into `taken`; return a problem if that cannot be done."""
    value = found.get(declared.key)
    if value is not None and not declared.required and declared.kind.empty_is_absent:
        value = value if value.strip() else None
    if value is None:
        if declared.required:
            return Problem(declared.key, None, "is missing")
        taken[declared.attribute] = declared.default
        return None
    try:
        taken[declared.attribute] = declared.kind.parse(value)
    except ValueError as error:
        return Problem(declared.key, None if declared.secret else value, str(error))
    return None


def _refusal(message: Message) -> LocalProtocolError:
    """Return the error that says which attribute of `message` cannot be written, and why."""
    name = type(message).__name__
    for declared in message.spec.all_fields:
        if declared.attribute in ("command", "res"):
            continue
        owner: object = message
        if isinstance(message, Request) and declared.attribute in Head._fields:
            owner = message.head
        value = getattr(owner, declared.attribute, None)
        if value is None and not declared.required and declared.default is None:
            continue
        try:
            declared.kind.format(value).encode("utf-8", "surrogateescape")
        except (ValueError, TypeError, AttributeError) as error:
            shown = "***" if declared.secret else mask(repr(value))
            return LocalProtocolError(
                f"{name}({declared.attribute}={shown}) cannot be sent as {declared.key}: {error}"
            )
    return LocalProtocolError(f"{name} cannot be sent: its head is not a Head")
