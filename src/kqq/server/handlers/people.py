"""Profiles and search: GetInfo, Finger; and GROUP_CMD, which nobody can do."""

from kqq.protocol import (
    Finger,
    FingerReply,
    GetInfo,
    GetInfoReply,
    GroupCommand,
    Reply,
)
from kqq.server.handlers.base import NO_SUCH_NUMBER, Context, handles, refusal
from kqq.server.profiles import PROFILE

_BRIEF, _WHOLE = 1, 3
_USUAL = (
    "address", "age", "email", "home_page", "job", "postcode", "phone", "about", "province",
    "real_name", "school", "sex",
)  # fmt: skip
"""What level 2 has, besides face, level, number and nickname; CS11 counts its fields."""


@handles(GetInfo)
def get_info(context: Context, message: GetInfo) -> Reply:
    """Give a profile; a level that nobody knows is answered as the usual one (OURS)."""
    profile = context.services.profiles.of(message.number)
    if profile is None:
        return refusal(message, NO_SUCH_NUMBER)
    names = {_BRIEF: (), _WHOLE: PROFILE}.get(message.level, _USUAL)
    face = {} if message.level == _BRIEF else {"face": str(profile.face)}
    return GetInfoReply(
        seq=message.seq,
        uin=message.uin,
        level=message.level,
        number=profile.uin,
        nick=profile.nick,
        **face,  # type: ignore[arg-type]
        **{name: profile.entries.get(name, "") for name in names},  # type: ignore[arg-type]
    )


@handles(Finger)
def finger(context: Context, message: Finger) -> Reply:
    """Give the people with these entries in their profiles; an empty field means any."""
    wanted = {"age": message.age, "sex": message.sex, "province": message.province}
    services = context.services
    found, more = services.profiles.search(
        {name: value.strip() for name, value in wanted.items() if value and value.strip()},
        message.uin,
        services.config.friends_per_page,
    )
    return FingerReply(
        seq=message.seq,
        uin=message.uin,
        faces=tuple(friend.face for friend in found),
        last=0 if more else 1,
        entries=len(found),
        numbers=tuple(friend.uin for friend in found),
        nicks=tuple(friend.nick for friend in found),
    )


@handles(GroupCommand)
def group_command(context: Context, message: GroupCommand) -> Reply:
    """Refuse: nothing shows that the real servers knew groups, and ours does not."""
    context.services.metrics.refused["not_supported"] += 1
    return refusal(message)
