"""Passwords for phones, and what is to be typed into the phone."""

import asyncio
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import segno

from kqq.client.discovery import read_config
from kqq.server import Listen
from kqq.server.accounts import password_md5
from kqq.server.devices import MOST_DEVICES
from kqq.server.web.phone_settings import qr_code
from stage import JULIET, ROMEO, WAIT, request, sign_in_line
from visiting import HOST, Browser, Web


async def make(browser: Browser, name: str = "6600", **more: Any) -> Any:
    """Make a password and return what a page is told."""
    answer = await browser.post("/api/me/devices", {"name": name}, **more)
    assert answer.status == 201, answer.body
    return answer.json


async def exchange(web: Web, head: str) -> int:
    """Return the status of the answer to a request without a body, sent as it stands."""
    reader, writer = await asyncio.open_connection(HOST, web.server.web[0].port)
    writer.write(head.encode())
    async with asyncio.timeout(WAIT):
        answer = await reader.read()
    writer.close()
    return int(answer.split()[1])


def modules(svg: str) -> list[list[bool]]:
    """Return a QR code that was drawn as SVG, as dark and light squares, without the border."""
    root = ET.fromstring(svg)
    size = int((root.get("viewBox") or "").split()[-1])
    dark = [[False] * size for _ in range(size)]
    path = root[-1].get("d") or ""
    x, y = 0.0, 0.0
    for sign, *numbers in re.findall(r"([Mmh])(-?[\d.]+)(?: ?(-?[\d.]+))?", path):
        first, second = float(numbers[0]), float(numbers[1] or 0)
        if sign == "M":
            x, y = first, second
        elif sign == "m":
            x, y = x + first, y + second
        else:
            for column in range(int(first)):
                dark[int(y)][int(x) + column] = True
            x += first
    return [row[4:-4] for row in dark[4:-4]]


async def test_a_password_for_a_phone(web: Web) -> None:
    """A phone signs in with it, at the address that is shown; the list has no secret."""
    browser = await web.client(ROMEO)
    made = await make(browser, "诺基亚 6600")
    assert set(made) == {"name", "password", "grouped", "settings", "qr"}
    password = made["password"]
    assert made["grouped"].replace(" ", "") == password
    port = web.door.port
    http = f"http://{HOST}:{port}"
    assert made["settings"] == {
        "number": ROMEO, "server": HOST, "port": port, "http": http,
        "discovery": f"{http}/newConf/kjava/aubin2.jsp",
    }  # fmt: skip
    web.clock.advance(5)
    wire = web.connect()
    md5 = password_md5(password).upper()
    assert "&RES=0&RS=0&" in await wire.ask(sign_in_line(ROMEO, password=md5))
    web.clock.advance(5)
    await web.site.services.store.saw_device(ROMEO, "诺基亚 6600", 7.0)
    answer = await browser.get("/api/me/devices")
    created = web.clock.date() - 10
    assert answer.json == [{"name": "诺基亚 6600", "created": created, "last_seen": 7.0}]
    assert (await (await web.client(JULIET)).get("/api/me/devices")).json == []


async def test_discovery_address(web: Web) -> None:
    """The document is where the settings say, and names the same door."""
    settings = (await make(await web.client(ROMEO)))["settings"]
    browser = await web.browser()
    async with browser.session.get(settings["discovery"]) as response:
        config = read_config(await response.read())
    assert str(config.servers[0]) == f"tcp://{HOST}:{settings['port']}"


async def test_qr_code(web: Web) -> None:
    """What a camera reads in it are the settings, as plain lines."""
    made = await make(await web.client(ROMEO))
    settings = made["settings"]
    lines = (
        f"server: {HOST}\nport: {settings['port']}\nnumber: {ROMEO}\npassword: {made['password']}"
    )
    expected = segno.make(lines, micro=False, error="m", boost_error=False)
    assert modules(made["qr"]) == [[bool(one) for one in row] for row in expected.matrix]


def test_how_the_qr_code_is_drawn() -> None:
    """It is an image by itself: no style, no script, nothing from elsewhere, dark on white."""
    svg = qr_code("server: 192.0.2.1")
    root = ET.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert set(root.attrib) == {"viewBox"}
    assert [one.tag.rpartition("}")[2] for one in root] == ["path", "path"]
    assert [one.get("fill") or one.get("stroke") for one in root] == ["#fff", "#000"]
    assert not re.search(r"style|class|script|href|<!|<\?", svg)


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("localhost", "localhost"), ("localhost:99", "localhost"), ("127.0.0.5:8080", "127.0.0.5"),
        ("[::1]:8080", "::1"),
    ],
)  # fmt: skip
async def test_host_that_the_browser_came_by(web: Web, host: str, server: str) -> None:
    """Where nothing is advertised it is the host that the browser has typed."""
    browser = await web.client(ROMEO)
    answer = await browser.post(
        "/api/me/devices", {"name": host}, headers={"Host": host, "Origin": f"http://{host}"}
    )
    settings = answer.json["settings"]
    assert settings["server"] == server
    shown = f"[{server}]" if ":" in server else server
    assert settings["http"] == f"http://{shown}:{web.door.port}"


async def test_host_that_is_advertised(web: Web) -> None:
    """What phones are told elsewhere is what people are told here."""
    web.set(advertise="chat.example.org")
    settings = (await make(await web.client(ROMEO)))["settings"]
    assert settings["server"] == "chat.example.org"
    assert settings["http"] == f"http://chat.example.org:{web.door.port}"


async def test_no_door_for_old_phones(tmp_path: Path) -> None:
    """Without a door that they can use there is no port to type."""
    async with Web(tmp_path, listen=(Listen(HOST, 0, "web"),)) as web:
        made = await make(await web.client(ROMEO))
        assert made["settings"] == {
            "number": ROMEO, "server": HOST, "port": None, "http": None, "discovery": None,
        }  # fmt: skip
        assert "<svg" in made["qr"]


async def test_revoked(web: Web) -> None:
    """A password that is revoked signs nobody in, and the session is over."""
    browser = await web.client(ROMEO)
    md5 = password_md5((await make(browser))["password"]).upper()
    phone = web.connect()
    await phone.ask(sign_in_line(ROMEO, password=md5))
    answer = await browser.delete("/api/me/devices/6600")
    assert (answer.status, answer.json) == (200, {})
    assert "RES=20" in await phone.ask(request("QUERY_STAT2", ROMEO, "FN=1&SN=0&UN=0"))
    assert "RS=1" in await web.connect().ask(sign_in_line(ROMEO, password=md5))
    assert (await browser.delete("/api/me/devices/6600")).error == (404, "no_device")


@pytest.mark.parametrize("name", ["a/b", "%41", "a%2Fb", "?x#y", "+ ;&=", "手机 🙂", "'\"<b>"])
async def test_names(web: Web, name: str) -> None:
    """Any printable name can be made, is listed, and can be revoked."""
    browser = await web.client(ROMEO)
    await make(browser, name)
    assert [one["name"] for one in (await browser.get("/api/me/devices")).json] == [name]
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    head = (
        f"DELETE /api/me/devices/{quoted} HTTP/1.1\r\nHost: {HOST}:{web.server.web[0].port}\r\n"
        f"Origin: {web.url}\r\nX-CSRF: {browser.csrf}\r\nConnection: close\r\n"
        f"Cookie: {'; '.join(map('='.join, browser.cookies.items()))}\r\n\r\n"
    )
    status = await exchange(web, head)
    assert status == 200
    assert (await browser.get("/api/me/devices")).json == []


@pytest.mark.parametrize("name", ["", " ", "a" * 33, "a\n", " a", "a\u202e"])
async def test_names_that_cannot_be(web: Web, name: str) -> None:
    """What cannot be a name makes no password."""
    browser = await web.client(ROMEO)
    answer = await browser.post("/api/me/devices", {"name": name})
    assert answer.error == (400, "account")
    assert web.store.devices(ROMEO) == []


async def test_how_many(web: Web) -> None:
    """A name is taken once, and an account has so many."""
    browser = await web.client(ROMEO)
    web.set(commands_burst=10_000)
    await make(browser, "0")
    assert (await browser.post("/api/me/devices", {"name": "0"})).error == (400, "account")
    for number in range(1, MOST_DEVICES):
        await make(browser, str(number))
    answer = await browser.post("/api/me/devices", {"name": "one more"})
    assert answer.error == (400, "account")


async def test_too_many_at_once(web: Web) -> None:
    """To make a password costs some commands of the account."""
    browser = await web.client(ROMEO)
    web.set(commands_burst=9)
    await make(browser)
    assert (await browser.post("/api/me/devices", {"name": "b"})).error == (429, "slow_down")


async def test_devices_of_others(web: Web) -> None:
    """Nobody revokes the password of somebody else's phone."""
    browser, other = await web.client(ROMEO), await web.client(JULIET)
    await make(browser)
    assert (await other.delete("/api/me/devices/6600")).error == (404, "no_device")
    assert len(web.store.devices(ROMEO)) == 1
