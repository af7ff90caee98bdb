"""Passwords made for one phone each."""

from typing import Annotated, TypedDict

from kqq.server.admin.base import Admin, Between, Date, Uin, action
from kqq.server.devices import LONGEST_NAME, add_device, grouped, revoke_device
from kqq.server.operators import Role

Name = Annotated[str, Between(1, LONGEST_NAME), "The name of a phone."]


class Device(TypedDict):
    """A phone with a password of its own."""

    name: str
    created: Date
    last_seen: Date | None


class MadeDevice(TypedDict):
    """The password of a phone, which is shown once; `grouped` is as people read it."""

    uin: Uin
    name: str
    password: str
    grouped: str


class NamedDevice(TypedDict):
    """A phone of an account."""

    uin: Uin
    name: str


@action("device.add", role=Role.ADMINISTRATOR, changes=True)
async def device_add(admin: Admin, uin: Uin, name: Name) -> MadeDevice:
    """Make a password for one phone; it is shown once."""
    password = await add_device(admin.store, uin, name, admin.clock.date(), admin.random)
    return {"uin": uin, "name": name, "password": password, "grouped": grouped(password)}


@action("device.list", role=Role.OBSERVER, changes=False)
async def device_list(admin: Admin, uin: Uin) -> list[Device]:
    """Return the phones of an account that have a password of their own."""
    admin.account(uin)
    return devices_of(admin, uin)


@action("device.revoke", role=Role.ADMINISTRATOR, changes=True)
async def device_revoke(admin: Admin, uin: Uin, name: Name) -> NamedDevice:
    """Let a phone's password sign in no more, and end the session, which may be that phone's."""
    await revoke_device(admin.store, uin, name)
    admin.kick(uin, "the password of a device was revoked")
    return {"uin": uin, "name": name}


def devices_of(admin: Admin, uin: int) -> list[Device]:
    """Return the phones of an account that have a password."""
    return [
        {"name": one.name, "created": one.created, "last_seen": one.last_seen}
        for one in admin.store.devices(uin)
    ]
