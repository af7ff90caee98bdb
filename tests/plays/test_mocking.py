"""A mock at an address: plays performed with it, and people who do what no client should."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kqq.address import Door
from kqq.client import Address, Client, open_transport
from kqq.conformance.published import entries
from kqq.errors import ConfigError
from kqq.plays import mocking
from kqq.plays.accounts import Accounts
from kqq.plays.against import Terms, perform_on
from kqq.plays.mock import Heard, Mock, Tell
from kqq.plays.mocking import MockServer
from kqq.protocol import http_request
from kqq.protocol.transcript import Play, parse_play

SUITE = {entry.name: entry.play for entry in entries()}
TALK = 'Romeo signs in\nRomeo sends Juliet "hello"\nJuliet signs in\nJuliet receives Romeo "hello"'


@asynccontextmanager
async def serving(
    play: Play, *, is_strict: bool = False, tell: Tell | None = None, idle: float = 60.0
) -> AsyncIterator[tuple[MockServer, Address]]:
    """Run a mock."""
    mock = Mock(play, Accounts.invent(play.actors), is_strict=is_strict)
    server = MockServer(mock, tell, idle=idle)
    door = await server.start(Door("127.0.0.1", 0))
    try:
        yield server, Address(door.host, door.port)
    finally:
        await server.close()


async def read_letters(uin: int, picture: bytes) -> str:
    """Read a picture."""
    return "abcd"


async def serve(words: str) -> None:
    """Take it for granted."""


def can_be_mocked(play: Play, over: str) -> bool:
    """Whether a play goes there, and lets no time go by."""
    kinds = play.only & {"TCP", "HTTP"}
    return over in (kinds or {over}) and not any(one.verb == "clock" for one in play.statements)


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
@pytest.mark.parametrize("is_strict", [False, True], ids=["any", "strict"])
@pytest.mark.parametrize(
    ("name", "over"),
    [
        (name, over)
        for name in SUITE
        for over in ("TCP", "HTTP")
        if can_be_mocked(SUITE[name], over)
    ],
)
async def test_the_suite_with_itself(name: str, over: str, is_strict: bool) -> None:
    """Every play goes as written with the mock made of it, and so it does once more."""
    play = SUITE[name]
    async with serving(play, is_strict=is_strict) as (server, address):
        terms = Terms(
            over=over, quiet=0.02, wait=5.0, letters=read_letters, redirector=address, serve=serve
        )
        for _ in range(2):
            found = await perform_on(play, address, Accounts.invent(play.actors), terms)
            assert (found.verdict, [str(one) for one in found.differences]) == ("passed", [])
        assert [heard for heard in server.unanswered if "GetMsgEx" not in heard.line.text] == []


async def test_a_client() -> None:
    """Our client talks with it; what has no answer is told."""
    told: list[Heard] = []
    async with serving(parse_play(TALK), tell=told.append) as (server, address):
        client = Client(await open_transport(address))
        await client.sign_in(4711, "secret")
        await client.send(10002, "hello")
        await client.close()
    assert [heard.ask for heard in told][:2] == [1, 2]
    assert server.count == len([heard for heard in told if not heard.is_known])


async def test_over_both() -> None:
    """What somebody posts is pushed to who has a connection."""
    async with serving(parse_play(TALK)) as (_, address):
        juliet, writer = await asyncio.open_connection(address.host, address.port)
        login = (
            b"VER=1.4&CON=1&CMD=Login&SEQ=1&UIN=10002&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&LG=0\r\n"
        )
        writer.write(b"\n" + login)
        assert b"RS=0" in await juliet.readline()
        hello = b"VER=1.1&CMD=CLTMSG&SEQ=9&UIN=10001&UN=10002&MG=hello"
        assert b"CMD=CLTMSG" in await posted(address, http_request("a", 1, hello))
        writer.close()


async def test_a_push_for_another_link() -> None:
    """A push that follows a post goes to the connection of whom it is for."""
    play = parse_play('Juliet signs in\nRomeo sends Juliet "a"\nJuliet receives Romeo "a"')
    async with serving(play) as (_, address):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"VER=1.4&CMD=Login&SEQ=1&UIN=10001&PS=1&LG=0\r\n")
        assert await reader.readline()
        line = b"VER=1.1&CMD=CLTMSG&SEQ=9&UIN=10002&UN=10001&MG=a"
        await posted(address, http_request("a", 1, line))
        assert b"MG=a" in await reader.readline()
        writer.close()
        await writer.wait_closed()


async def posted(address: Address, data: bytes) -> bytes:
    """Return all that is answered to some bytes."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"", b""),
        (b"PO", b""),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe", b""),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"HTTP/1.1 400"),
        (http_request("a", 1, b"CMD=X"), b"HTTP/1.1 200"),
        (b"nonsense\r\n", b""),
        (b"\xff" * 100_000, b""),
    ],
)
async def test_nonsense(data: bytes, answer: bytes) -> None:
    """It ends in order, and the next one is served."""
    async with serving(parse_play(TALK)) as (_, address):
        with_answer = await posted(address, data)
        assert with_answer.startswith(answer)
        assert b"CMD=Login" in await posted(
            address, b"VER=1.4&CMD=Login&SEQ=1&UIN=10001&PS=1&LG=0\r\n"
        )


async def test_posts_on_one_connection() -> None:
    """A client that asks for it keeps its connection."""
    line = b"VER=1.1&CMD=CLTMSG&SEQ=9&UIN=10001&UN=10002&MG=hello"
    kept = http_request("a", 1, line).replace(b"close", b"keep-alive")
    async with serving(parse_play(TALK)) as (_, address):
        assert (await posted(address, kept + kept)).count(b"CMD=CLTMSG") == 2


async def is_cut_off(address: Address, data: bytes) -> bool:
    """Whether a connection is closed, or broken off, though it stays open here."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(data)
    try:
        async with asyncio.timeout(10):
            while await reader.read(65536):
                pass
    except ConnectionError:
        pass
    writer.close()
    return True


async def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many connections are closed, and so is one that is silent."""
    async with serving(parse_play(TALK), idle=0.05) as (_, address):
        assert await is_cut_off(address, b"")
        assert await is_cut_off(address, b"nonsense\r\n")
    monkeypatch.setattr(mocking, "_MOST", 0)
    async with serving(parse_play(TALK)) as (_, address):
        assert await is_cut_off(address, b"")


async def test_who_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not read what is said is cut off after a while."""
    monkeypatch.setattr(mocking, "_SEND_TIME", 0.05)
    big = parse_play(f"Romeo > CMD=X\nRomeo < CMD=X MG={'x' * 60_000}")
    told = asyncio.Event()
    async with serving(big, tell=lambda _: told.set()) as (server, address):
        _, writer = await asyncio.open_connection(address.host, address.port)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"CMD=X&SEQ=1&UIN=10001\r\n" * 500)
        await told.wait()
        async with asyncio.timeout(10):
            while server._tasks:
                await asyncio.wait(set(server._tasks))
        writer.transport.abort()


@pytest.mark.parametrize("over", ["TCP", "HTTP"])
async def test_nobody_waits_for_who_does_not_read(
    over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pushes do not hold up whoever caused them; who leaves too many unread is closed."""
    monkeypatch.setattr(mocking, "_SEND_TIME", 3600.0)
    push = f"Juliet < CMD=Server_Msg RES=0 MN=1 MT=9 UN=10002 MG={'x' * 60_000}"
    play = parse_play(f"Juliet signs in\nRomeo > CMD=CLTMSG UN=10001 MG=a\nRomeo < RES=0\n{push}")
    said = b"VER=1.1&CMD=CLTMSG&SEQ=%d&UIN=10002&UN=10001&MG=a"
    async with serving(play) as (server, address), asyncio.timeout(20):
        juliet, deaf = await asyncio.open_connection(address.host, address.port)
        deaf.write(b"VER=1.4&CMD=Login&SEQ=1&UIN=10001&PS=1&LG=0\r\n")
        assert b"CMD=LOGIN" in (await juliet.readline()).upper()
        deaf.transport.pause_reading()  # type: ignore[attr-defined]
        romeo, writer = await asyncio.open_connection(address.host, address.port)
        number = 1
        while server._writers if over == "HTTP" else len(server._writers) != 1 or number < 3:
            number += 1
            if over == "HTTP":
                assert b"RES=0" in await posted(address, http_request("a", 1, said % number))
            else:
                writer.write(said % number + b"\r\n")
                assert b"RES=0" in await romeo.readline()
        assert number > 10
        for one in (deaf, writer):
            one.transport.abort()


@pytest.mark.parametrize("over", ["TCP", "HTTP"])
async def test_who_breaks_off_leaves_no_trace(over: str, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody asks very much and resets the connection; nothing is logged, nothing raised."""
    troubles: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: troubles.append(what))
    line = b"VER=1.1&CMD=Login&SEQ=1&UIN=10001&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69"
    post = http_request("kqq.example", 80, line).replace(b"close", b"keep-alive")
    said = (line + b"\r\n") if over == "TCP" else post
    told = asyncio.Event()
    async with serving(parse_play(TALK), tell=lambda _: told.set()) as (server, address):
        for _ in range(3):
            told.clear()
            _, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(said * 2000)
            await told.wait()
            writer.transport.abort()
        async with asyncio.timeout(10):
            while server._tasks:
                await asyncio.wait(set(server._tasks))
    gc.collect()
    assert not caplog.records
    assert not troubles


async def test_open_connections_at_the_end() -> None:
    """They are closed, and nobody waits for them."""
    async with serving(parse_play(TALK)) as (_, address):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"VER=1.4&CMD=Login&SEQ=1&UIN=10001&PS=1&LG=0\r\n")
        await reader.readline()
    assert await reader.read() == b""
    writer.close()


async def test_a_place_that_is_taken(tmp_path: Path) -> None:
    """It is told which."""
    async with serving(parse_play(TALK)) as (_, address):
        other = MockServer(Mock(parse_play(TALK)))
        with pytest.raises(ConfigError, match=f"cannot listen at kqq://127.0.0.1:{address.port}"):
            await other.start(Door("127.0.0.1", address.port))
        await other.close()
