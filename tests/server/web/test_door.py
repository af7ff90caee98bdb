"""Connections of browsers: as many as there is room for, none that says nothing, ended in order."""

import asyncio
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest

from browsing import WEB, Browser
from kqq.errors import ConfigError
from kqq.server import Listen
from secured import make
from stage import ROMEO, WAIT, Stage


async def connect(stage: Stage) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection that has said nothing."""
    door = stage.server.web[0]
    return await asyncio.open_connection(door.host, door.port)


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the server ends the connection."""
    async with asyncio.timeout(WAIT):
        try:
            return await reader.read()
        except ConnectionError:
            return b""


async def test_several_doors(tmp_path: Path) -> None:
    """Each has its port; what is done at one is seen at the other."""
    async with Stage(tmp_path / "data", listen=(WEB, WEB)) as stage:
        stage.add(ROMEO)
        one, other = stage.server.web
        assert 0 not in {one.port, other.port}
        assert one.port != other.port
        async with Browser(one.url) as here, Browser(other.url) as there:
            await here.sign_in(ROMEO)
            there.hold(here.cookies)
            assert (await there.get("/api/hello")).json["signed_in"] is True


async def test_a_door_that_is_taken(tmp_path: Path) -> None:
    """The server does not start, and says why."""
    async with Stage(tmp_path / "one", listen=(WEB,)) as stage:
        (door,) = stage.server.web
        with pytest.raises(ConfigError, match=r"web://127.0.0.1:\d+: the port is taken"):
            async with Stage(tmp_path / "two", listen=(door,)):
                pass


async def test_with_tls(tmp_path: Path) -> None:
    """A door `webs://`, whose cookies go over TLS only."""
    files = make(tmp_path)
    listen = (Listen("127.0.0.1", 0, "webs"),)
    async with Stage(
        tmp_path / "data", listen=listen, certificate=files.certificate, key=files.key
    ) as stage:
        stage.add(ROMEO)
        url = stage.server.web[0].url
        assert url.startswith("https://")
        trusting = files.trusted()
        async with aiohttp.ClientSession() as http:
            sent = {"uin": ROMEO, "password": "secret"}
            async with http.post(f"{url}/api/sign-in", json=sent, ssl=trusting) as answer:
                assert answer.status == 200
                assert answer.headers["Set-Cookie"].startswith("__Host-kqq=")
            for origin, status in ((url, 200), (url.replace("https", "http"), 403)):
                headers = {"Origin": origin}
                async with http.post(
                    f"{url}/api/sign-in", json=sent, ssl=trusting, headers=headers
                ) as answer:
                    assert answer.status == status


async def test_who_says_nothing_is_let_go(tmp_path: Path) -> None:
    """Nothing at all, or the beginning of a request; who has asked for something may stay."""
    async with Stage(tmp_path / "data", listen=(WEB,)) as stage:
        silent, writer = await connect(stage)
        slow, writer_of_slow = await connect(stage)
        writer_of_slow.write(b"GET / HTTP/1.1\r\nHost: ")
        async with Browser(stage.server.web[0].url) as browser:
            await browser.get("/api/hello")
            stage.clock.advance(31)
            assert await ended(silent) == b""
            assert await ended(slow) == b""
            assert (await browser.get("/api/hello")).status == 200
        writer.close()
        writer_of_slow.close()


async def test_one_address_has_so_many(tmp_path: Path) -> None:
    """One more is closed as it comes; when one goes there is room again."""
    async with Stage(tmp_path / "data", listen=(WEB,), connections_per_address=2) as stage:
        _, writer = await connect(stage)
        _, other = await connect(stage)
        await asyncio.sleep(0.05)
        third, extra = await connect(stage)
        assert await ended(third) == b""
        writer.close()
        other.close()
        await asyncio.sleep(0.05)
        async with Browser(stage.server.web[0].url) as browser:
            assert (await browser.get("/api/hello")).status == 200
        extra.close()


async def test_a_proxy_has_as_many_as_it_likes(tmp_path: Path) -> None:
    """Those behind it are counted by who they are, where they stay: at their lines."""
    async with Stage(
        tmp_path / "data", listen=(WEB,), connections_per_address=1,
        web_behind=(ip_network("127.0.0.0/8"),),
    ) as stage:  # fmt: skip
        stage.add(ROMEO)
        url = stage.server.web[0].url
        async with Browser(url) as one, Browser(url) as other:
            await one.sign_in(ROMEO)
            await other.sign_in(ROMEO)
            here = {"X-Forwarded-For": "192.0.2.1"}
            lines = await one.talk(**here)
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await other.talk(**here)
            assert refused.value.status == 429
            there = await other.talk(**{"X-Forwarded-For": "192.0.2.2"})
            await lines.close()
            await there.close()
            await asyncio.sleep(0.05)
            assert stage.server._inside.count("192.0.2.1") == 0


async def test_a_full_server_takes_no_more(tmp_path: Path) -> None:
    """Connections of phones and browsers are counted together."""
    async with Stage(tmp_path / "data", listen=(WEB,), connections_limit=1) as stage:
        stage.connect()
        await stage.idle()
        reader, writer = await connect(stage)
        assert await ended(reader) == b""
        writer.close()


async def test_requests_under_way_are_answered_when_it_stops(tmp_path: Path) -> None:
    """A password that is being checked is checked to the end, or the browser told that it ended."""
    stage = Stage(tmp_path / "data", listen=(WEB,))
    await stage.start()
    stage.add(ROMEO)
    await stage.slow_down(ROMEO)
    async with Browser(stage.server.web[0].url) as browser:
        asking = asyncio.ensure_future(browser.sign_in(ROMEO))
        await stage.password_is_being_checked()
        await stage.server.close()
        answers = await asyncio.gather(asking, return_exceptions=True)
        (answer,) = answers
        assert isinstance(answer, BaseException) or answer.status in {200, 503}
        with pytest.raises(aiohttp.ClientError):
            await browser.get("/api/hello")


async def test_what_is_no_http(tmp_path: Path) -> None:
    """It is told so, in our words, and let go."""
    async with Stage(tmp_path / "data", listen=(WEB,)) as stage:
        reader, writer = await connect(stage)
        writer.write(b"VER=1.4&CMD=Login\r\n\r\n")
        answer = await ended(reader)
        assert b" 400 " in answer
        assert b"Server: kqq" in answer
        writer.close()
