"""The friend list and who is online: List, Query_Stat, SimpleInfo2, Query_Stat2, Change_Stat."""

from itertools import islice

from kqq.protocol import (
    LAST_PAGE,
    ChangeStat,
    ChangeStat2,
    ChangeStat2Reply,
    ChangeStatReply,
    ListReply,
    QueryStat,
    QueryStat2,
    QueryStat2Reply,
    QueryStatReply,
    Reply,
    SimpleInfo2,
    SimpleInfo2Reply,
)
from kqq.protocol import List as ListRequest
from kqq.server.friends import Friend
from kqq.server.handlers.base import Context, from_wire, handles, on_wire, refusal
from kqq.server.presence import Status


@handles(ListRequest)
def list_friends(context: Context, message: ListRequest) -> Reply:
    """Give the first numbers, 120 at most (CS11); without `TN` only how many (HACK).

    COMPAT(SET_MQQ): it sends 1.4 without `TN`, and reads the numbers.
    """
    friends = context.services.friends.of(message.uin)
    head = {"seq": message.seq, "uin": message.uin, "count": len(friends)}
    most = context.services.config.list_limit
    if not message.wanted and message.head.ver != "1.4":
        return ListReply(**head)  # type: ignore[arg-type]
    numbers = tuple(friends[: min(message.wanted or most, most)])
    return ListReply(**head, entries=len(numbers), numbers=numbers)  # type: ignore[arg-type]


@handles(QueryStat)
def query_stat(context: Context, message: QueryStat) -> Reply:
    """Give a page of the friends who are not offline; the next begins after its last number."""
    services = context.services
    most = min(message.wanted or 50, services.config.friends_per_page)
    found, more = _online(context, message.uin, message.start, most)
    return QueryStatReply(
        seq=message.seq,
        uin=message.uin,
        faces=tuple(friend.face for friend in found),
        last=0 if more else 1,
        entries=len(found),
        statuses=tuple(on_wire(services.presence.seen(friend.uin)) for friend in found),
        numbers=tuple(friend.uin for friend in found),
        nicks=tuple(friend.nick for friend in found),
    )


def _online(context: Context, uin: int, start: int, most: int) -> tuple[list[Friend], bool]:
    """Return a page of the friends who are not offline, and whether there are more.

    Who is online is known without the disk, so names are read of those on the page only.
    """
    friends, seen = context.services.friends, context.services.presence.seen
    online = (friend for friend in friends.of(uin, start) if seen(friend) is not Status.OFFLINE)
    numbers = list(islice(online, most + 1))
    return friends.named(numbers[:most]), len(numbers) > most


@handles(SimpleInfo2)
def simple_info2(context: Context, message: SimpleInfo2) -> Reply:
    """Give a page of friends; `UN` and `NP` are offsets (VB)."""
    services = context.services
    page, more = services.friends.page(message.uin, message.start, services.config.friends_per_page)
    return SimpleInfo2Reply(
        seq=message.seq,
        uin=message.uin,
        next_page=message.start + len(page) if more else LAST_PAGE,
        entries=len(page),
        numbers=tuple(friend.uin for friend in page),
        faces=tuple(friend.face for friend in page),
        nicks=tuple(friend.nick for friend in page),
    )


@handles(QueryStat2)
def query_stat2(context: Context, message: QueryStat2) -> Reply:
    """Give a page of statuses; the next page is asked for by the last number (ZN QB)."""
    services = context.services
    page, more = services.friends.after(
        message.uin, message.start, services.config.friends_per_page
    )
    return QueryStat2Reply(
        seq=message.seq,
        uin=message.uin,
        last=0 if more else 1,
        entries=len(page),
        statuses=tuple(on_wire(services.presence.seen(friend.uin)) for friend in page),
        numbers=tuple(friend.uin for friend in page),
    )


@handles(ChangeStat)
def change_stat(context: Context, message: ChangeStat) -> Reply:
    """Change the status; one that nobody knows is refused."""
    if not _change(context, message.uin, message.status):
        return refusal(message)
    return ChangeStatReply(seq=message.seq, uin=message.uin)


@handles(ChangeStat2)
def change_stat2(context: Context, message: ChangeStat2) -> Reply:
    """Do as Change_Stat does: what else it did nobody knows (SETM)."""
    if not _change(context, message.uin, message.status):
        return refusal(message)
    return ChangeStat2Reply(seq=message.seq, uin=message.uin)


def _change(context: Context, uin: int, code: int) -> bool:
    status = from_wire(code)
    if status is not None:
        context.services.presence.set(uin, status)
    return status is not None
