"""Lines to messages and back, by the catalogue alone."""

import re
from enum import Enum

import kqq.protocol.catalogue  # noqa: F401  # fills the tables of schema
from kqq.errors import LocalProtocolError
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES
from kqq.protocol.fields import DIGITS, UINT
from kqq.protocol.schema import (
    HEADS,
    VERSIONS,
    Command,
    Failure,
    Message,
    Problem,
    Unreadable,
)
from kqq.protocol.wire import Line, show

_COMMAND = re.compile(r"VER=[^&]*(?:&CON=[^&]*)?&CMD=([^&]*)")
_AS_WRITTEN = {spec.command: spec for spec in REQUESTS.values()}
"""Requests by the spelling that phones use, so that most lines need no other."""
_NAME = re.compile(r"[A-Za-z0-9_]{1,32}")


class Role(Enum):
    """The two ends of a conversation."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def other(self) -> "Role":
        """The other end."""
        return Role.SERVER if self is Role.CLIENT else Role.CLIENT


def decode(line: Line, sender: Role) -> Message | Unreadable:
    """Return what `line` says if `sender` sent it. Never raises, whatever the line holds.

    A reply with another `RES` than 0 is a `Failure`, whatever its command.
    """
    found = _COMMAND.match(line.text)
    name = found[1] if found else line.values().get("CMD")
    if sender is Role.CLIENT and name in _AS_WRITTEN:
        return _AS_WRITTEN[name].read(line)
    if name is None:
        return _no_command(line, sender)
    name = name.strip()
    known = name.lower() if name.isascii() else ""  # lower() makes the Kelvin sign a k
    if sender is Role.CLIENT:
        spec = REQUESTS.get(known)
        if spec is not None:
            return spec.read(line)
        return Unreadable(line, (Problem("CMD", name, "is no request in the catalogue"),))
    for spec in RESPONSES.get(known, ()):
        if spec.when is None or spec.when in line.values():
            return spec.read(line)
    return _unknown_reply(line, name)


def encode(message: Message) -> bytes:
    """Return the line that says `message`, without a line end.

    Raises LocalProtocolError when a value cannot be written in its field's kind; no value can
    become another field or line.
    """
    if isinstance(message, Failure):
        return _encode_failure(message)
    return message.spec.write(message)


def failure(request: Command | Unreadable, res: int) -> Failure | None:
    """Return the refusal of `request`: the head with `RES=res` and nothing after it.

    The command is echoed as its reply spells it, an unknown one in upper case, as the query
    commands are. None where the request lacks what a head needs.
    """
    if isinstance(request, Command):
        name, seq, uin = request.command, request.seq, request.uin
    else:
        numbers = _numbers(request.line.values())
        name = request.command
        if numbers is None or not _NAME.fullmatch(name):
            return None
        seq, uin = numbers
    forms = RESPONSES.get(name.lower())
    return Failure(seq=seq, uin=uin, name=forms[0].command if forms else name.upper(), res=res)


def _no_command(line: Line, sender: Role) -> Message | Unreadable:
    if sender is Role.SERVER:
        values = line.values()
        for key, spec in DOCUMENTS.items():
            if key in values:
                return spec.read(line)
    if not line.text:
        return Unreadable(line, (Problem("", None, "the line is empty"),))
    if "=" not in line.text:
        shown = show(line.encode(), 60)
        rule = f"{shown!r} is not NAME=VALUE fields joined by &, so it is not a line of KQQ"
        return Unreadable(line, (Problem("", None, rule),))
    return Unreadable(line, (Problem("CMD", None, "is missing, so the command is not known"),))


def _unknown_reply(line: Line, name: str) -> Message | Unreadable:
    """Return the refusal of a command we do not know, or why the line cannot be read."""
    found = line.values()
    numbers = _numbers(found)
    ver = found.get("VER", "").strip()
    try:
        res = UINT.parse(found.get("RES", ""))
    except ValueError:
        res = 0
    if numbers is None or not res or ver not in VERSIONS or not _NAME.fullmatch(name):
        return Unreadable(line, (Problem("CMD", name, "is no reply or push in the catalogue"),))
    seq, uin = numbers
    return Failure(line=line, ver=ver, seq=seq, uin=uin, name=name, res=res)


def _numbers(found: dict[str, str]) -> tuple[str, int] | None:
    """Return `SEQ` and `UIN` of a line that cannot be read otherwise, None without both."""
    try:
        return DIGITS.parse(found.get("SEQ", "")), UINT.parse(found.get("UIN", ""))
    except ValueError:
        return None


def _encode_failure(message: Failure) -> bytes:
    ver, _, seq, uin, res = HEADS["reply"]
    if not isinstance(message.name, str) or not _NAME.fullmatch(message.name):
        raise LocalProtocolError(f"{message!r} cannot be sent: CMD must be letters, digits and _")
    if message.res == 0:
        raise LocalProtocolError(f"{message!r} cannot be sent: RES=0 is no refusal")
    try:
        head = f"VER={ver.kind.format(message.ver)}&CMD={message.name}"
        numbers = f"&SEQ={seq.kind.format(message.seq)}&UIN={uin.kind.format(message.uin)}"
        return f"{head}{numbers}&RES={res.kind.format(message.res)}".encode()
    except (ValueError, TypeError, AttributeError) as error:
        raise LocalProtocolError(f"{message!r} cannot be sent: {error}") from error
