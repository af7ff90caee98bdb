"""Passwords for phones: made here, shown once with all that is to be typed into the phone."""

import asyncio
import io
from typing import Any
from urllib.parse import urlsplit

import segno
from aiohttp import web

from kqq.server.handlers.directory import PATH, plain_ports
from kqq.server.web.site import Refused, act, answer, read, site_of, spend, visit_of

_COST = 5
"""Commands that a new password counts as."""


def routes() -> list[web.RouteDef]:
    """Return the routes."""
    return [
        web.get("/api/me/devices", _list),
        web.post("/api/me/devices", _add),
        web.delete("/api/me/devices/{name}", _revoke),
    ]


def settings(request: web.Request) -> dict[str, Any]:
    """Return where phones find this server, as far as it is known from here.

    The host is the one that is advertised, or else by which the browser came. Without a door that
    old phones can use, `port`, `discovery` and `http` are None.
    """
    services = site_of(request).services
    ports = plain_ports(services)
    host = services.config.advertise or urlsplit(f"//{request.host}").hostname or ""
    found: dict[str, Any] = {"server": host, "port": None, "discovery": None, "http": None}
    if ports:
        http = f"http://{f'[{host}]' if ':' in host else host}:{ports[0]}"
        found |= {"port": ports[0], "discovery": f"{http}{PATH}", "http": http}
    return found


def qr_code(text: str) -> str:
    """Return a QR code as SVG, dark on white, whatever the page's colours; takes some ms."""
    image = io.BytesIO()
    segno.make(text, micro=False, error="m", boost_error=False).save(
        image, kind="svg", xmldecl=False, svgclass=None, lineclass=None, omitsize=True, nl=False,
        dark="#000", light="#fff",
    )  # fmt: skip
    return image.getvalue().decode()


async def _list(request: web.Request) -> web.Response:
    visit = visit_of(request)
    return answer(await act(request, "device.list", uin=visit.uin))


async def _add(request: web.Request) -> web.Response:
    visit = visit_of(request)
    sent = await read(request, {"name": str})
    spend(request, visit.uin, _COST)
    made = await act(request, "device.add", uin=visit.uin, name=sent["name"])
    shown = {"number": visit.uin, **settings(request)}
    lines = {
        "server": shown["server"], "port": shown["port"], "number": visit.uin,
        "password": made["password"],
    }  # fmt: skip
    text = "\n".join(f"{name}: {value}" for name, value in lines.items() if value is not None)
    # On a thread, for the others' sake.
    qr = await asyncio.to_thread(qr_code, text)
    return answer(
        {
            "name": made["name"],
            "password": made["password"],
            "grouped": made["grouped"],
            "settings": shown,
            "qr": qr,
        },
        201,
    )


async def _revoke(request: web.Request) -> web.Response:
    visit, name = visit_of(request), request.match_info["name"]
    site = site_of(request)
    if all(device.name != name for device in site.services.store.devices(visit.uin)):
        raise Refused(404, "no_device", f"there is no device {name[:50]!r}")
    await act(request, "device.revoke", uin=visit.uin, name=name)
    return answer({})
