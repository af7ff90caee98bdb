"""The plain chat, typed through standard input against the real server."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kqq.chat import plain_chat
from kqq.client import Client
from kqq.errors import ConnectionLost, NotSignedIn
from kqq.protocol import ServerMsg, Status, UpdateStat
from kqq.server import Config, Listen, Server
from serving import people


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """A server where Anna (10001), 小波 (10002) and Cy (10003) are friends."""
    async with Server(Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))) as server:
        people(server, "Anna", "小波", "Cy")
        yield str(server.listening[0]).replace("kqq:", "tcp:")


async def _chat(address: str, typed: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Chat as Anna; `typed` is what she types, until its end."""
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    async with await Client.connect(address) as anna:
        await anna.sign_in(10001, "secret")
        return await plain_chat(anna)


async def test_what_is_typed_is_said(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Texts go to the person chosen; // begins a text with a slash; statuses change."""
    async with await Client.connect(address) as bo:
        await bo.sign_in(10002, "secret")
        typed = "/to 小波\n你好\n\n//me waves\n/status away\n/friends\n/quit\nnever said\n"
        assert await _chat(address, typed, monkeypatch)
        events = bo.events()
        pushes = [await anext(events) for _ in range(5)]
    texts = [push.text for push in pushes if isinstance(push, ServerMsg)]
    statuses = [push.status for push in pushes if isinstance(push, UpdateStat)]
    assert texts == ["你好", "/me waves"]
    assert statuses == [Status.ONLINE, Status.AWAY, Status.OFFLINE]
    out = capsys.readouterr().out
    assert "小波 (10002): online" in out
    assert "* You talk to 小波 (10002)." in out
    assert "* You are away." in out


async def test_the_end_of_input_leaves(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Input that ends (Ctrl-D, a pipe) signs out in good order."""
    await _chat(address, "/help", monkeypatch)
    assert "/status STATUS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("/dance\n", "! /dance is not known"),
        ("/to nobody\n", "! nobody is no friend of yours"),
        ("/status sleepy\n", "! /status wants one of online, away, hidden"),
        ("hello\n", "! To whom?"),
        ("/to 10999\n", "! 10999 is no friend of yours"),
        ("/to 小波\n" + "x" * 16001 + "\n", "! CLTMSG is refused (RES=1); servers do so if"),
    ],
)
async def test_what_cannot_be_done_is_told(
    address: str,
    typed: str,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mistake is told in one line, and the chat goes on."""
    assert not await _chat(address, f"{typed}/help\n", monkeypatch)
    out = capsys.readouterr().out
    assert told in out
    assert "/quit" in out.split(told)[1]


class _Typing:
    """A person at standard input who types only once `may_type` is set."""

    def __init__(self, *lines: str) -> None:
        self.may_type = threading.Event()
        self._lines = iter(lines)

    def __iter__(self) -> Iterator[str]:
        self.may_type.wait(10)
        return self._lines


async def test_what_comes_is_shown(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages (steering signs made visible) and statuses are printed as they come."""
    person = _Typing("/quit\n")
    monkeypatch.setattr("sys.stdin", person)
    async with await Client.connect(address) as bo, await Client.connect(address) as anna:
        await bo.sign_in(10002, "secret")
        await anna.sign_in(10001, "secret")
        chatting = asyncio.create_task(plain_chat(anna))
        await bo.send(10001, "one\ntwo \x1b[2J")
        await bo.change_status(Status.BUSY)
        shown = ""
        while "is busy" not in shown:
            await asyncio.sleep(0)
            shown += capsys.readouterr().out
        person.may_type.set()
        await chatting
    assert "小波 (10002): one\n      two \\x1b[2J\n* You talk to 小波 (10002).\n" in shown
    assert "* 小波 (10002) is busy.\n" in shown


async def test_a_lost_connection_ends_the_chat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the server goes the chat ends with the reason, though the person types nothing."""
    person = _Typing()
    monkeypatch.setattr("sys.stdin", person)
    server = Server(Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),)))
    await server.start()
    people(server, "Anna", "小波")
    address = str(server.listening[0]).replace("kqq:", "tcp:")
    async with await Client.connect(address) as anna:
        await anna.sign_in(10001, "secret")
        chatting = asyncio.create_task(plain_chat(anna))
        shown = ""
        while "You talk to" not in shown:
            await asyncio.sleep(0)
            shown += capsys.readouterr().out
        await server.close()
        with pytest.raises(ConnectionLost, match="the server closed the connection"):
            await chatting
    person.may_type.set()


async def test_a_name_of_two_people_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where friends share a name the chat asks for the number."""
    async with Server(Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))) as server:
        people(server, "Anna", "Bo", "Bo")
        address = str(server.listening[0]).replace("kqq:", "tcp:")
        assert not await _chat(address, "/to Bo\n/to 10003\n", monkeypatch)
    out = capsys.readouterr().out
    assert "! Bo is the name of 10002, 10003; say which" in out
    assert "* You talk to Bo (10003)." in out


async def test_a_sign_in_elsewhere_ends_the_chat(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody who signed in elsewhere is told so, instead of once for each thing typed."""
    person = _Typing("/to 10002\n", "hello\n", "hello?\n")
    monkeypatch.setattr("sys.stdin", person)
    async with await Client.connect(address) as anna, await Client.connect(address) as again:
        await anna.sign_in(10001, "secret")
        chatting = asyncio.create_task(plain_chat(anna))
        shown = ""
        while "choose whom" not in shown:
            await asyncio.sleep(0)
            shown += capsys.readouterr().out
        await again.sign_in(10001, "secret")
        person.may_type.set()
        with pytest.raises(NotSignedIn, match="signed in elsewhere"):
            await chatting
