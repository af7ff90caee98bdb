"""Making friends and ending it: AddToList, Ack_AddToList, DelFromList."""

from kqq.protocol import (
    AckAddToList,
    AckAddToListReply,
    AddToList,
    AddToListReply,
    DelFromList,
    DelFromListReply,
)
from kqq.server.handlers.base import Answer, Context, handles, once_stored, refusal
from kqq.server.requests import Wish

_OUTCOMES = {Wish.GRANTED: 0, Wish.MUST_ASK: 1, Wish.REFUSED: 3}
"""`CD` of the reply; 3 is what a client tests for (PHPQ), though another has heard of 2 (CS11)."""
_ACCEPT, _REJECT, _ASK = 0, 1, 2


@handles(AddToList)
def add_to_list(context: Context, message: AddToList) -> Answer:
    """Add somebody, or say that they must be asked, or that they do not want to be."""
    wish, stored = context.services.requests.wish(message.uin, message.number)
    reply = AddToListReply(seq=message.seq, uin=message.uin, outcome=_OUTCOMES[wish])
    return once_stored(reply, stored)


@handles(AckAddToList)
def ack_add_to_list(context: Context, message: AckAddToList) -> Answer:
    """Accept or reject a request, or send one."""
    requests = context.services.requests
    if message.answer == _ACCEPT:
        stored = requests.accept(message.uin, message.number)
    elif message.answer == _REJECT:
        stored = requests.refuse(message.uin, message.number, message.reason)
    elif message.answer == _ASK:
        stored = requests.ask(message.uin, message.number, message.reason)
    else:
        return refusal(message)
    return once_stored(AckAddToListReply(seq=message.seq, uin=message.uin), stored)


@handles(DelFromList)
def del_from_list(context: Context, message: DelFromList) -> Answer:
    """End a friendship; where there was none the answer is the same."""
    stored = context.services.requests.part(message.uin, message.number)
    return once_stored(DelFromListReply(seq=message.seq, uin=message.uin), stored)
