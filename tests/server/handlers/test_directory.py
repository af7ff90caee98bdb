"""The server-config document, byte for byte, odd spelling included."""

from pathlib import Path
from typing import Any

import pytest

from kqq.protocol import Line, Role, ServerConfig, decode
from kqq.server.config import Listen, SmsEntry
from kqq.server.handlers import Context, Peer
from kqq.server.handlers.directory import PATH, server_config
from stage import Stage

DOORS = (Listen("0.0.0.0", 14000), Listen("0.0.0.0", 8000))
SMS = (
    SmsEntry(name="24 h, online", address="10661700", text="HQ", help="Sent, and paid\nby you."),
    SmsEntry(name="关注好友", address="1066170056", text="SQKJ,||QQNO||"),
)


async def document(
    folder: Path,
    doors: tuple[Listen, ...] = DOORS,
    reached: str = "198.51.100.1",
    **settings: Any,
) -> bytes:
    """Return the document of a server with these doors, called by this name."""
    async with Stage(folder, **settings) as stage:
        services = stage.server._services
        services.doors[:] = doors
        attempt = services.journal.begin("192.0.2.1", 50000, str(DOORS[0]), "http")
        peer = Peer("192.0.2.1", 50000, "http", str(DOORS[0]), "192.0.2.1", reached)
        return server_config(Context(services, peer, attempt, lambda: None, lambda _: None))


async def test_document(tmp_path: Path) -> None:
    """All keys in the order of the real one, two of them misspelt; lines before HTTP."""
    found = await document(
        tmp_path,
        advertise="kqq.example",
        update_version="2.4.2",
        update_must=True,
        update_url="http://kqq.example/get?a=1&b=2",
        update_help="Newer, better",
        sms=SMS,
    )
    assert found.decode() == (
        "SERERCONFIG_NUM=4"
        "&SERVERCONFIG_TYPE=KQQTCP,KQQTCP,KQQHTTP,KQQHTTP"
        "&SERVERCONFIG_URL=socket://kqq.example:14000,socket://kqq.example:8000"
        ",http://kqq.example:14000,http://kqq.example:8000"
        "&UPDATAECONFIG_NUM=1&UPDATECONFIG_VERSION=2.4.2&UPDATECONFIG_MUST=Y"
        "&UPDATECONFIG_URL=http://kqq.example/get?a=1%26b=2&UPDATECONFIG_HELPTXT=Newer, better"
        "&SMSSERVICE_NUM=2&SMSSERVICE_NAME=24 h%2c online,关注好友"
        "&SMSSERVICE_ADDRESS=10661700,1066170056&SMSSERVICE_TEXT=HQ,SQKJ%2c||QQNO||"
        "&SMSSERVICE_HELPTXT=Sent, and paid%0aby you.,"
    )


async def test_document_is_read_as_it_was_meant(tmp_path: Path) -> None:
    """There and back: what a client of ours reads is what the settings say."""
    found = decode(Line.decode(await document(tmp_path, sms=SMS)), Role.SERVER)
    assert isinstance(found, ServerConfig)
    assert found.count == len(found.types) == len(found.addresses) == 4
    assert found.addresses[0] == "socket://198.51.100.1:14000"
    assert found.sms_texts == ("HQ", "SQKJ,||QQNO||")
    assert found.sms_names == ("24 h, online", "关注好友")
    assert found.sms_help == "Sent, and paid\nby you.,"
    assert (found.update_count, found.update_version, found.update_must) == (0, "", "N")


@pytest.mark.parametrize(
    ("advertise", "reached", "shown"),
    [
        ("", "192.0.2.9", "192.0.2.9"),  # as the client has called us
        ("", "conf.example", "conf.example"),
        ("kqq.example", "conf.example", "kqq.example"),
        ("", "2001:db8::1", "[2001:db8::1]"),
        ("2001:db8::2", "192.0.2.9", "[2001:db8::2]"),
        ("", "a,b&c=d\r\n", "a%2cb%26c=d%0D%0a"),  # a header is the client's own; nothing breaks
    ],
)
async def test_host(tmp_path: Path, advertise: str, reached: str, shown: str) -> None:
    """The host that is advertised, or else the one that this client reaches us at."""
    found = await document(tmp_path, DOORS[:1], reached, advertise=advertise)
    assert f"&SERVERCONFIG_URL=socket://{shown}:14000,http://{shown}:14000&".encode() in found


async def test_doors_that_old_phones_cannot_use(tmp_path: Path) -> None:
    """Doors with TLS are left out, and a port that is open at two addresses comes once."""
    doors = (Listen("a", 14000), Listen("b", 14000), Listen("a", 14443, "kqqs"))
    found = await document(tmp_path / "1", doors, "x")
    assert found.startswith(
        b"SERERCONFIG_NUM=2&SERVERCONFIG_TYPE=KQQTCP,KQQHTTP"
        b"&SERVERCONFIG_URL=socket://x:14000,http://x:14000&"
    )
    found = await document(tmp_path / "2", doors[2:], "x")
    assert found.startswith(b"SERERCONFIG_NUM=0&SERVERCONFIG_TYPE=&SERVERCONFIG_URL=&UPDATAE")
    assert isinstance(decode(Line.decode(found), Role.SERVER), ServerConfig)


async def test_document_over_http(tmp_path: Path) -> None:
    """It is where the real one was, and ends in a line end as every answer."""
    assert PATH == "/newConf/kjava/aubin2.jsp"
    async with Stage(tmp_path, sms=SMS) as stage:
        stage.server._services.doors[:] = DOORS
        link = stage.link(("192.0.2.1", 50000))
        await link.send(f"GET {PATH} HTTP/1.1\r\nHost: conf.example:8000\r\n\r\n".encode())
        await stage.idle()
        head, _, body = b"".join(link.writes).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert f"Content-Length: {len(body)}".encode() in head
        assert b"socket://conf.example:14000,socket://conf.example:8000," in body
        assert body.endswith(b"\r\n")
        found = decode(Line.decode(body), Role.SERVER)
        assert isinstance(found, ServerConfig)


async def test_ports_that_phones_may_not_open(tmp_path: Path) -> None:
    """They are left out, unless there is no other; the document itself comes from such a one."""
    doors = (Listen("0.0.0.0", 80), Listen("0.0.0.0", 8000), Listen("0.0.0.0", 8080))
    found = await document(tmp_path, doors, advertise="kqq.example")
    assert b"NUM=2&" in found
    assert b"URL=socket://kqq.example:8000,http://kqq.example:8000&" in found
    only = await document(tmp_path / "2", doors[:1], advertise="kqq.example")
    assert b"URL=socket://kqq.example:80,http://kqq.example:80&" in only
