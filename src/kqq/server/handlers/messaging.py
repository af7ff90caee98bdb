"""Messages: CLTMSG, GetMsgEx, and the pushes that bring what waits."""

from kqq.protocol import (
    CltMsg,
    CltMsgReply,
    GetMsgEx,
    GetMsgExReply,
    Push,
    ServerMsg,
    UpdateStat,
    escape,
)
from kqq.server.handlers.base import (
    After,
    Answer,
    Context,
    Taken,
    handles,
    on_wire,
    refusal,
)
from kqq.server.session import Item, StatusChange
from kqq.server.store import Kind

_TYPES = {Kind.MESSAGE: 9, Kind.REQUEST: 2, Kind.ACCEPTED: 3, Kind.REFUSED: 4}
"""`MT` of what waits (HACK PHPQ CS11); a friend's status is 99."""
_STATUS = 99
_ANSWER_BYTES = 8192
"""How long an answer to GetMsgEx may become before the rest waits for the next: phones have little
memory. A single message may be longer."""


@handles(CltMsg)
def clt_msg(context: Context, message: CltMsg) -> Answer:
    """Store a message for a friend; `RES=0` says that it is on disk."""
    services = context.services
    if not services.limits.messages.spend(str(message.uin)):
        services.metrics.refused["messages_rate"] += 1
        return refusal(message)
    stored = services.inbox.send(message.uin, message.to, message.text)
    return After(CltMsgReply(seq=message.seq, uin=message.uin), stored)


@handles(GetMsgEx)
def get_msg_ex(context: Context, message: GetMsgEx) -> Answer:
    """Give what waits: statuses first, then messages, oldest first; with nothing only `MN=0`.

    COMPAT(SET_MQQ): it skips empty texts and counts wrongly then, so an empty one is a blank.
    """
    services, session = context.services, context.session
    assert session is not None, "dispatch lets nobody in who is not signed in"
    if session.settle is not None:
        session.settle()
    taken = services.sessions.take(session, services.config.take_limit)
    items, rest = _that_fit(taken)
    services.sessions.give_back(session, rest)
    head = {"seq": message.seq, "uin": message.uin}
    if not items:
        return GetMsgExReply(**head, count=0)  # type: ignore[arg-type]
    reply = GetMsgExReply(
        **head,  # type: ignore[arg-type]
        count=len(items),
        types=tuple(_type(item) for item in items),
        numbers=tuple(_sender(item) for item in items),
        texts=tuple(_text(item) or " " for item in items),
    )
    return Taken(reply, session, tuple(items))


def _that_fit(items: list[Item]) -> tuple[list[Item], list[Item]]:
    room = _ANSWER_BYTES
    for count, item in enumerate(items):
        room -= len(escape(_text(item)).encode("utf-8", "surrogateescape")) + 1
        if room < 0 and count:
            return items[:count], items[count:]
    return items, []


def push(item: Item, seq: int, uin: int) -> Push:
    """Return the line that tells the session of `uin` an item."""
    if isinstance(item, StatusChange):
        return UpdateStat(seq=str(seq), uin=uin, status=on_wire(item.status), number=item.uin)
    return ServerMsg(seq=str(seq), uin=uin, type=_type(item), sender=item.sender, text=item.text)


def _type(item: Item) -> int:
    return _STATUS if isinstance(item, StatusChange) else _TYPES[item.kind]


def _sender(item: Item) -> int:
    return item.uin if isinstance(item, StatusChange) else item.sender


def _text(item: Item) -> str:
    return str(on_wire(item.status)) if isinstance(item, StatusChange) else item.text
