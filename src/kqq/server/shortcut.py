"""The short way of messages: a plain CLTMSG is stored, and a plain message pushed, as values.

Nearly all that a busy server hears are messages with nothing wrong about them, and half of what
such a line cost were the objects between line and row. Here it is read by the pattern that the
catalogue made for it, and its values go to the inbox. What is not as plain as that is left alone:
`dispatch` does the same for it, and whatever else is to be done. A test sends the same lines both
ways.
"""

from kqq.protocol import (
    CltMsg,
    CltMsgReply,
    Line,
    Message,
    Role,
    ServerMsg,
    decode,
    encode,
    escape,
    unescape,
)
from kqq.protocol.connection import LINE_END
from kqq.server.dispatch import refused
from kqq.server.handlers import Context
from kqq.server.handlers.messaging import MESSAGE_TYPE, number_of
from kqq.server.repeats import is_unique
from kqq.server.session import Item
from kqq.server.store import Kind, Stored
from kqq.server.transaction import Written

_MESSAGE = Kind.MESSAGE  # to be asked for by its class takes longer than all the rest of it
_SHORT = 1000
"""Signs of a text that fits into a line whatever they are."""


def _template(message: Message, *values: str) -> str:
    """Return the line that says `message`, with `%s` in place of these values."""
    line = encode(message) + LINE_END
    text = line.decode()
    for value in values:
        assert text.count(value) == 1, f"{value} must stand for itself"
        text = text.replace(value, "%s")
    return text


_match = CltMsg.spec.pattern.fullmatch
_NAME = CltMsg.spec.command
_REPLY = _template(CltMsgReply(seq="111111", uin=222222), "111111", "222222")
_PUSH = _template(
    ServerMsg(seq="111111", uin=222222, type=MESSAGE_TYPE, sender=333333, text="text"),
    "111111",
    "222222",
    "333333",
    "text",
)


def take(context: Context, raw: bytes, now: float) -> tuple[bytes, Written | None] | None:
    """Have the message stored that a plain line brings; return the reply, true once that is done.

    Where it is refused there is nothing to wait for. `now` is what the clock says. None if the line
    must go through `dispatch`, and nothing was done.
    """
    session = context.session
    if session is None or not session.is_open or not raw.endswith(b"\r"):
        return None
    line = raw[:-1].decode("utf-8", "surrogateescape")
    found = _match(line)
    if found is None:
        return None
    _, _, seq, sender, _, _, to, text = found.groups()
    services, uin = context.services, session.uin
    unique = is_unique(seq)
    if int(sender) != uin or services.repeats.recall(uin, line, unique=unique, now=now) is not None:
        return None
    if not services.limits.messages.spend(uin, 1, now):
        return None
    services.metrics.commands[_NAME] += 1
    try:
        stored = services.inbox.send(uin, int(to), unescape(text), now)
    except Exception as error:  # noqa: BLE001  # as in dispatch
        message = decode(Line(line), Role.CLIENT)
        assert isinstance(message, CltMsg), "the pattern is that of its reader"
        return encode(refused(context, message, error)) + LINE_END, None
    services.repeats.remember(uin, line, stored, unique=unique, now=now)
    return (_REPLY % (seq, uin)).encode(), stored


def push_line(item: Item, uin: int) -> bytes | None:
    """Return the line, its end too, that pushes a plain message to `uin`; None for other items."""
    if not isinstance(item, Stored) or item.kind is not _MESSAGE or len(item.text) > _SHORT:
        return None
    line = _PUSH % (number_of(item), uin, item.sender, escape(item.text))
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that stands for no byte; nothing from a line has one
        return None
