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
from kqq.server.repeats import is_unique
from kqq.server.session import Item, StatusChange
from kqq.server.store import Kind, Stored

MESSAGE_TYPE = 9
_TYPES = {Kind.MESSAGE: MESSAGE_TYPE, Kind.REQUEST: 2, Kind.ACCEPTED: 3, Kind.REFUSED: 4}
"""`MT` of what waits (HACK PHPQ CS11); a friend's status is 99."""
_STATUS = 99
_ANSWER_BYTES = 8192
"""How long an answer to GetMsgEx may become before the rest waits for the next: phones have little
memory. A single message may be longer."""
_FIRST_NUMBER = 1_000_000_000
"""The first `SEQ` of ten digits; the last that a message gets fits into 31 bits."""


@handles(CltMsg)
def clt_msg(context: Context, message: CltMsg) -> Answer:
    """Store a message for a friend; `RES=0` says that it is on disk."""
    services = context.services
    if not services.limits.messages.spend(message.uin):
        services.metrics.refused["messages_rate"] += 1
        return refusal(message)
    stored = services.inbox.send(message.uin, message.to, message.text)
    return After(CltMsgReply(seq=message.seq, uin=message.uin), stored)


@handles(GetMsgEx)
def get_msg_ex(context: Context, message: GetMsgEx) -> Answer:
    """Give what waits: statuses first, then messages, oldest first; with nothing only `MN=0`.

    Over HTTP a request with a number used once gets the same answer whenever it comes again.
    OURS: on a connection whose client confirms what it is pushed, such a number is that of a push;
    this and all before it has been read. It brings nothing then: pushes do.

    COMPAT(SET_MQQ): it skips empty texts and counts wrongly then, so an empty one is a blank.
    """
    services, session = context.services, context.session
    assert session is not None, "dispatch lets nobody in who is not signed in"
    if session.settle is not None:
        session.settle()
    counts = context.place is not None and is_unique(message.seq)
    head = {"seq": message.seq, "uin": message.uin}
    if session.unconfirmed is not None and is_unique(message.seq):
        services.sessions.confirm(session, _id_of(message.seq, session.cursor))
        return GetMsgExReply(**head, count=0)  # type: ignore[arg-type]
    items = services.sessions.fetched(session, message.seq) if counts else None
    if items is None:
        taken = services.sessions.take(session, services.config.take_limit)
        items, rest = _that_fit(taken)
        services.sessions.give_back(session, rest)
        if counts:
            session.fetched.items = items
    if not items:
        return GetMsgExReply(**head, count=0)  # type: ignore[arg-type]
    reply = GetMsgExReply(
        **head,  # type: ignore[arg-type]
        count=len(items),
        types=tuple(_type(item) for item in items),
        numbers=tuple(_sender(item) for item in items),
        texts=tuple(_text(item) or " " for item in items),
    )
    return Taken(reply, session, items)


def _that_fit(items: list[Item]) -> tuple[tuple[Item, ...], list[Item]]:
    room = _ANSWER_BYTES
    for count, item in enumerate(items):
        room -= len(escape(_text(item)).encode("utf-8", "surrogateescape")) + 1
        if room < 0 and count:
            return tuple(items[:count]), items[count:]
    return tuple(items), []


def push(item: Item, count: int, uin: int) -> Push:
    """Return the line that tells the session of `uin` an item; `count` numbers statuses."""
    if isinstance(item, StatusChange):
        return UpdateStat(seq=str(count), uin=uin, status=on_wire(item.status), number=item.uin)
    return ServerMsg(
        seq=number_of(item),
        uin=uin,
        type=_TYPES[item.kind],
        sender=item.sender,
        text=item.text,
    )


def number_of(message: Stored) -> str:
    """Return the `SEQ` with which a message is pushed.

    OURS: it has ten digits, and is the same whenever the message is pushed, so a client that was
    cut off can tell what it is given again.
    """
    return str(_FIRST_NUMBER + message.id % _FIRST_NUMBER)


def _id_of(seq: str, taken: int) -> int:
    """Return the id, up to that of the last message `taken`, which is pushed with this number.

    It is 0 or less if there was none yet.
    """
    number = int(seq) - _FIRST_NUMBER
    return taken - (taken - number) % _FIRST_NUMBER if 0 <= number < _FIRST_NUMBER else 0


def _type(item: Item) -> int:
    return _STATUS if isinstance(item, StatusChange) else _TYPES[item.kind]


def _sender(item: Item) -> int:
    return item.uin if isinstance(item, StatusChange) else item.sender


def _text(item: Item) -> str:
    return str(on_wire(item.status)) if isinstance(item, StatusChange) else item.text
