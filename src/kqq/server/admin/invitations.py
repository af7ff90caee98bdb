"""Codes with which people make themselves accounts."""

from typing import Annotated, TypedDict

from kqq.server import register_page
from kqq.server.admin.base import Admin, Between, Date, Note, action, check_note
from kqq.server.invitations import invite
from kqq.server.operators import Role

MOST_USES = 100_000
"""People that one invitation can be for."""
MOST_DAYS = 3650
"""Days that an invitation can be used."""

Uses = Annotated[int, Between(1, MOST_USES), "For how many people."]
Days = Annotated[float, Between(0.01, MOST_DAYS), "For how many days."]


class Invited(TypedDict):
    """A code, which is shown once, and where it is typed.

    It is of use while `registration` is `invitation`.
    """

    code: str
    uses: Uses
    days: Days
    note: str
    registration: str
    page: str


class Invitation(TypedDict):
    """An invitation that `uses` more people can use."""

    note: str
    created: Date
    expires: Date
    uses: int


@action("account.invite", role=Role.MODERATOR, changes=True)
async def make_invitation(
    admin: Admin, uses: Uses = 1, days: Days = 14, note: Note = ""
) -> Invited:
    """Make a code with which `uses` people can make themselves an account, at `page`."""
    check_note("note", note)
    code = await invite(
        admin.store, admin.random, admin.clock.date(), uses=uses, days=days, note=note
    )
    await admin.store.delete_invitations()
    return {
        "code": code,
        "uses": uses,
        "days": days,
        "note": note,
        "registration": admin.config.registration,
        "page": _page(admin),
    }


@action("account.invitations", role=Role.OBSERVER, changes=False)
async def invitations(admin: Admin) -> list[Invitation]:
    """Return the invitations that can still be used; the codes are kept nowhere."""
    now = admin.clock.date()
    return [
        {"note": one.note, "created": one.created, "expires": one.expires, "uses": one.uses}
        for one in admin.store.invitations()
        if one.uses > 0 and one.expires > now
    ]


def _page(admin: Admin) -> str:
    """Return where people register, as far as it is known from here."""
    doors = admin.live.doors if admin.live is not None else admin.config.listen
    door = next(iter(doors), None)
    if door is None:
        return f"http://HOST:PORT{register_page.PATH}"
    is_any = door.host in {"", "0.0.0.0", "::"}  # noqa: S104  # compared only
    host = admin.config.advertise or ("HOST" if is_any else door.host)
    host = f"[{host}]" if ":" in host else host
    return f"http{'s' if door.is_tls else ''}://{host}:{door.port or 'PORT'}{register_page.PATH}"
