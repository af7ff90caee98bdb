"""Fetching the document from all kinds of servers, and finding out who answers."""

import asyncio
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import chains
import secured
from kqq.client import Address
from kqq.client.discovery import (
    DOCUMENT_PATH,
    SmsService,
    Update,
    document_url,
    fetch,
    remembered_first,
    try_servers,
)
from kqq.client.transport import make_trust
from kqq.errors import ConfigError, ConnectionLost, DiscoveryError, TimedOut
from kqq.server import Config, Listen, Server
from kqq.server.config import SmsEntry
from serving import quiet_port
from stage import Stage
from strangers import Then, stranger

DOCUMENT = b"SERERCONFIG_NUM=1&SERVERCONFIG_TYPE=KQQTCP&SERVERCONFIG_URL=socket://192.0.2.7:14000"
FOUND = (Address("192.0.2.7", 14000),)


def answer(body: bytes, *headers: str, status: int = 200) -> bytes:
    """Return an answer over HTTP."""
    lines = [f"HTTP/1.1 {status} whatever", f"Content-Length: {len(body)}", *headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + body


@asynccontextmanager
async def door(
    serve: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Run a server on this machine that gets each request's head, and give its port."""
    working: set[asyncio.Task[Any]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        working.add(task)
        with suppress(OSError, asyncio.CancelledError):
            await serve(await reader.readuntil(b"\r\n\r\n"), writer)
        writer.transport.abort()

    server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in working:
            task.cancel()
        await asyncio.gather(*working)
        await server.wait_closed()


def here(port: int, path: str = "") -> str:
    """Return a URL on this machine."""
    return f"http://127.0.0.1:{port}{path}"


async def refused(says: bytes, then: Then = Then.CLOSE, **options: Any) -> str:
    """Return why what a server says is no document."""
    async with stranger(says, then) as port:
        with pytest.raises(DiscoveryError) as caught:
            await fetch(here(port), **options)
    return str(caught.value).replace(here(port), "URL").replace(DOCUMENT_PATH, "/PATH")


# --- fetching ------------------------------------------------------------------------------------


async def test_our_own_server(tmp_path: Path) -> None:
    """Its document has both ways to each door, and what else it is set to say."""
    config = Config(
        data=tmp_path,
        listen=(Listen("127.0.0.1", 0),),
        update_version="2.4.2",
        update_must=True,
        update_url="http://kqq.example/get?a=1&b=2",
        update_help="Newer, better",
        sms=(
            SmsEntry(name="24 h, online", address="10661700", text="HQ", help="Sent, and\npaid."),
            SmsEntry(name="关注好友", address="1066170056", text="SQKJ,||QQNO||", help="Ask."),
        ),
    )
    async with Server(config) as server:
        port = server.listening[0].port
        found = await fetch(f"127.0.0.1:{port}")
        both = (Address("127.0.0.1", port), Address("127.0.0.1", port, "http"))
        assert found.servers == both
        assert found.update == Update(
            "2.4.2", True, "http://kqq.example/get?a=1&b=2", "Newer, better"
        )
        assert found.sms == (
            SmsService("24 h, online", "10661700", "HQ", "Sent, and\npaid."),
            SmsService("关注好友", "1066170056", "SQKJ,||QQNO||", "Ask."),
        )
        assert found.oddities == ("there are raw commas in SMSSERVICE_HELPTXT",)
        for address in both:
            assert await try_servers([address]) == address
        with pytest.raises(DiscoveryError, match=r"answers with status 404 \(Not Found\) instead"):
            await fetch(here(port, "/elsewhere"))


async def test_what_is_asked_for() -> None:
    """One GET, for nothing packed; a path without one is that of the phone."""
    asked: list[bytes] = []

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(request)
        writer.write(answer(DOCUMENT, "Content-Type: text/plain"))
        await writer.drain()

    async with door(serve) as port:
        for path in ("", "/a b?c=d%26&名=<#e"):
            found = await fetch(here(port, path))
            assert (found.servers, found.oddities) == (FOUND, ())
    assert asked == [
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept-Encoding: identity\r\n"
        "Connection: close\r\n\r\n".encode()
        for path in (DOCUMENT_PATH, "/a%20b?c=d%26&%E5%90%8D=%3C")
    ]


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("kqq.example", f"http://kqq.example:80{DOCUMENT_PATH}"),
        ("kqq.example:8000", f"http://kqq.example:8000{DOCUMENT_PATH}"),
        ("HTTP://kqq.example:/", f"http://kqq.example:80{DOCUMENT_PATH}"),
        ("https://kqq.example//", f"https://kqq.example:443{DOCUMENT_PATH}"),
        ("http://[2001:db8::1]/x?y=z#w", "http://[2001:db8::1]:80/x?y=z"),
        ("https://[2001:db8::1]:1/", f"https://[2001:db8::1]:1{DOCUMENT_PATH}"),
        ("https://kqq.example?x", f"https://kqq.example:443{DOCUMENT_PATH}?x"),
    ],
)
def test_urls(url: str, whole: str) -> None:
    """What is left out is filled in; what is filled in stays."""
    assert document_url(url) == whole
    assert document_url(whole) == whole


@pytest.mark.parametrize(
    "url",
    ["", "http://", "ftp://a", "tcp://a:1", "http://a:0", "http://a:x", "http://a:99999", "a b",
     "http://[::1", "http://a\u202e", "file://a/etc/passwd", "http://:80", "//a"],
)  # fmt: skip
async def test_what_is_no_url(url: str) -> None:
    """It is told how to write one."""
    with pytest.raises(ConfigError, match=r"is no URL of a document; write one such as http://"):
        await fetch(url)


async def test_a_password_in_a_url_is_not_shown() -> None:
    """Nor used: nobody asks for one."""
    with pytest.raises(ConfigError) as caught:
        await fetch("http://me:secret@kqq.example")
    assert str(caught.value).startswith("'http://***@kqq.example' is no URL")


async def test_a_page_in_gbk() -> None:
    """Whatever its sender says of it."""
    body = DOCUMENT + "&UPDATECONFIG_HELPTXT=请升级到新版".encode("gbk")
    for said in ("text/html; charset=gb2312", 'text/plain;Charset = "UTF-8"', "text/plain"):
        async with stranger(answer(body, f"Content-Type: {said}")) as port:
            found = await fetch(here(port))
        assert found.servers == FOUND
        assert found.update is not None
        assert found.update.text == "请升级到新版"
        assert len(found.oddities) == 1


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (answer(b""), "URL/PATH: the document is empty; is the address right?"),
        (
            answer(b"", status=204),
            "URL/PATH answers with status 204 (No Content) instead of a document; is",
        ),
        (
            answer(b"no", status=999),
            "URL/PATH answers with status 999 instead of a document; is the address right?",
        ),
        (
            answer(b"<title>Hotel</title>"),
            "URL/PATH: the document is a web page (its title is 'Hotel'); is the address right,",
        ),
        (
            answer(b"\x89PNG\r\n"),
            "URL/PATH: the document is a picture (PNG), no text; is the address right?",
        ),
        (
            b"SSH-2.0-OpenSSH\r\n\r\n",
            "the answer of URL/PATH cannot be taken: the answer 'SSH-2.0-OpenSSH' cannot be read",
        ),
    ],
)
async def test_what_is_no_document(says: bytes, why: str) -> None:
    """It is told what came instead."""
    assert (await refused(says)).startswith(why)


@pytest.mark.parametrize("head", ["Content-Length: 10000000", "X: y", "Transfer-Encoding: chunked"])
async def test_ten_megabytes(head: str) -> None:
    """No more is read than a document may have."""
    sent = 0

    async def serve(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        while sent < 10_000_000:
            writer.write(b"fa0\r\n" + b"x" * 4000 + b"\r\n")
            await writer.drain()
            sent += 4000

    async with door(serve) as port:
        with pytest.raises(
            DiscoveryError, match=r"/servers cannot be taken: .* longer than 65536 bytes$"
        ):
            await fetch(here(port, "/servers"))
    assert sent < 10_000_000


async def test_how_much_is_taken_is_the_callers() -> None:
    """So many bytes and no more."""
    async with stranger(answer(DOCUMENT)) as port:
        assert (await fetch(here(port), most=len(DOCUMENT))).servers == FOUND
    assert "longer than 83 bytes" in await refused(answer(DOCUMENT), most=len(DOCUMENT) - 1)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", answer(DOCUMENT)[:-80]])
async def test_a_slow_drip(start: bytes) -> None:
    """The time is for all of it, however often something comes."""

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        for _ in range(1000):
            await asyncio.sleep(0.02)
            writer.write(b"x" if start else b"\r\n")
            await writer.drain()

    loop = asyncio.get_running_loop()
    async with door(serve) as port:
        began = loop.time()
        with pytest.raises(TimedOut, match=r"has not given its document within 0\.2 s; is the"):
            await fetch(here(port), timeout=0.2)
        assert loop.time() - began < 5


async def test_a_server_that_says_nothing() -> None:
    """It takes the request, and no more."""
    async with stranger(b"", Then.WAIT) as port:
        with pytest.raises(TimedOut, match=r"within 0\.1 s"):
            await fetch(here(port), timeout=0.1)


@pytest.mark.parametrize(
    ("says", "then", "why"),
    [
        (b"", Then.CLOSE, "the server closed without a word"),
        (b"", Then.RESET, "the connection is lost: Connection reset by peer"),
        (answer(DOCUMENT)[:-1], Then.CLOSE, "broke off before its answer was whole; try again"),
        (b"\x15\x03\x01\x00\x02\x02\x46", Then.CLOSE, "the server speaks TLS there; write https"),
    ],
)
async def test_a_server_that_does_not_answer(says: bytes, then: Then, why: str) -> None:
    """Closing at once, or in the middle, is told apart from documents that are none."""
    async with stranger(says, then) as port:
        with pytest.raises(ConnectionLost, match=why):
            await fetch(here(port))


async def test_nobody_there() -> None:
    """A port where nobody listens, and a name that nobody has."""
    with pytest.raises(ConnectionLost, match="Connection refused"):
        await fetch(here(quiet_port()))
    with pytest.raises(ConnectionLost, match=r"cannot connect to http://999\.1\.1\.1:80"):
        await fetch("http://999.1.1.1")


def _shown(folder: Path, pem: str) -> ssl.SSLContext:
    made = secured.make(folder, pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    return context


async def test_tls(tmp_path: Path) -> None:
    """Whom to trust is the caller's to say; nobody else is."""
    trusted = tmp_path / "authority.pem"
    trusted.write_text(chains.AUTHORITY)
    async with stranger(answer(DOCUMENT), tls=_shown(tmp_path, chains.HERE)) as port:
        url = here(port).replace("http", "https")
        assert (await fetch(url, trust=make_trust(trusted))).servers == FOUND
        with pytest.raises(ConnectionLost, match="its certificate is signed by one that nobody"):
            await fetch(url)
    async with stranger(answer(DOCUMENT)) as port:
        with pytest.raises(ConnectionLost, match="it does not speak TLS there"):
            await fetch(here(port).replace("http", "https"))


async def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says of proxies counts for nothing."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, here(quiet_port()))
    async with stranger(answer(DOCUMENT)) as port:
        assert (await fetch(here(port))).servers == FOUND


async def test_redirects() -> None:
    """Five are followed, to other servers, too; where the document came from is told."""

    async def serve(request: bytes, writer: asyncio.StreamWriter) -> None:
        step = int(request.split(b" ")[1].removeprefix(b"/"))
        target = f"{step + 1}" if step < 5 else here(other, "/服务器")
        said = f"Location: {target}".encode().decode("latin-1")
        writer.write(answer(b"", said, status=[301, 302, 303, 307, 308][step % 5]))
        await writer.drain()

    async with stranger(answer(DOCUMENT)) as other, door(serve) as port:
        found = await fetch(here(port, "/1"))
        assert found.servers == FOUND
        assert found.oddities == (
            f"{here(port, '/1')} has sent us to {here(other, '/%E6%9C%8D%E5%8A%A1%E5%99%A8')}",
        )
        with pytest.raises(DiscoveryError, match=r"/0 sends us on more than 5 times, the last"):
            await fetch(here(port, "/0"))


async def test_a_redirect_from_tls_to_none(tmp_path: Path) -> None:
    """Somebody on the way could name servers of their own, which would be shown the password."""
    trusted = tmp_path / "authority.pem"
    trusted.write_text(chains.AUTHORITY)
    tls = _shown(tmp_path, chains.HERE)
    async with stranger(answer(DOCUMENT)) as plain:
        elsewhere = answer(b"", f"Location: {here(plain)}", status=302)
        async with stranger(elsewhere, tls=tls) as port:
            url = here(port).replace("http", "https")
            with pytest.raises(DiscoveryError, match="where anybody on the way could change"):
                await fetch(url, trust=make_trust(trusted))


async def test_endless_redirects() -> None:
    """Going round in a circle ends, too."""
    why = await refused(answer(b"", "Location: /again", status=302))
    assert why == (
        "URL/PATH sends us on more than 5 times, the last time to URL/again; is the address right?"
    )


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("ftp://a/b", "ftp://a/b"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("file://a/etc/passwd", "file://a/etc/passwd"),
        ("http://me:secret@a", "http://***@a"),
        ("http://[::1", "http://[::1"),
        ("tcp://127.0.0.1:1", "tcp://127.0.0.1:1"),
    ],
)
async def test_redirects_elsewhere(target: str, shown: str) -> None:
    """Only http and https are followed."""
    why = await refused(answer(b"", f"Location: {target}", status=301))
    assert why == f"URL/PATH sends us to {shown!r}; only http:// and https:// are followed"


async def test_a_redirect_to_nowhere() -> None:
    """Without a target it leads to where it is."""
    assert "sends us on more than 5 times" in await refused(answer(b"", status=302))


# --- trying --------------------------------------------------------------------------------------


def test_the_remembered_one_comes_first() -> None:
    """If it is still listed; the others stay in order."""
    one, two, three = (Address("a", port) for port in (1, 2, 3))
    assert remembered_first([one, two, three], three) == (three, one, two)
    assert remembered_first([one, two], three) == (one, two)
    assert remembered_first([one, two], None) == (one, two)
    assert remembered_first([], one) == ()
    assert remembered_first([one], Address("a", 1, "http")) == (one,)


async def test_dead_servers_and_then_a_live_one(tmp_path: Path) -> None:
    """Each is tried in order, and it is told what came of it; those after it are left alone."""
    told: list[tuple[str, str]] = []
    config = Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))
    async with AsyncExitStack() as stack:
        silent, closing, ssh, web, empty = [
            await stack.enter_async_context(one)
            for one in (
                stranger(b"", Then.WAIT),
                stranger(),
                stranger(b"SSH-2.0-OpenSSH\r\n"),
                stranger(answer(b"<html>It works!</html>")),
                stranger(answer(b"")),
            )
        ]
        server = await stack.enter_async_context(Server(config))
        port = server.listening[0].port
        addresses = [
            Address("127.0.0.1", quiet_port()),
            Address("127.0.0.1", silent),
            Address("127.0.0.1", closing),
            Address("127.0.0.1", ssh),
            Address("127.0.0.1", web),
            Address("127.0.0.1", web, "http"),
            Address("127.0.0.1", empty, "http"),
            Address("127.0.0.1", silent, "http"),
            Address("127.0.0.1", port, "http"),
            Address("127.0.0.1", port),
        ]
        answered = await try_servers(
            addresses, timeout=0.3, on_try=lambda where, words: told.append((str(where), words))
        )
        assert answered == addresses[8]
        with pytest.raises(ConnectionLost) as caught:
            await try_servers(addresses[:8], timeout=0.3)
    assert [where for where, _ in told] == [str(one) for one in addresses[:9] for _ in range(2)]
    assert {words for _, words in told[::2]} == {""}
    whys = [words for _, words in told[1::2]]
    for why, start in zip(
        whys,
        [
            "Connection refused; is a server running there?",
            "no answer in 0.3 s",
            "the server closed without a word",
            "it is no KQQ server, it says 'SSH-2.0-OpenSSH'",
            "the server speaks HTTP only there",
            "answers with a web page",
            "answers LOGOUT with nothing at all",
            "no answer in 0.3 s",
            "it answers",
        ],
        strict=True,
    ):
        assert why.lower().startswith(start.lower()), why
    listed = [f"  {where}: {why}" for where, why in zip(addresses[:8], whys, strict=False)]
    assert str(caught.value) == "\n".join(["no server answers:", *listed])


async def test_no_server_at_all() -> None:
    """There is nothing to try."""
    with pytest.raises(ConnectionLost, match="there is no server to try"):
        await try_servers([])


async def test_very_many_dead_servers() -> None:
    """Not all of them are told."""
    port = quiet_port()
    with pytest.raises(ConnectionLost) as caught:
        await try_servers([Address("127.0.0.1", port)] * 30)
    lines = str(caught.value).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 10 more"


class Scripted:
    """A transport that gives pieces, whatever is sent."""

    pushes = True

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = deque(pieces)
        self.sent = b""
        self.is_closed = False

    async def send(self, data: bytes) -> None:
        """Keep it."""
        self.sent += data

    async def receive(self) -> bytes:
        """Give the next piece, then the end."""
        return self._pieces.popleft() if self._pieces else b""

    async def close(self) -> None:
        """Close."""
        self.is_closed = True


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([b"VER=1.1&CMD=LOGOUT&SEQ=200&UIN=10000&RES=0\r\n"], ""),
        ([b"VER=1.1&CMD=LOG", b"OUT&SEQ=200&UIN=10000&RES=20"], ""),
        ([b"\r\n", b"VER=1.1&CMD=Server_Msg&SEQ=1&UIN=10000&RES=0&MG=x\n"], ""),
        ([b"220 smtp.example\r\n"], "it is no KQQ server, it says '220 smtp.example'"),
        ([b"hello"], "it closed without an answer"),
        ([b"x" * 70000], "it is no KQQ server: a line is longer than 65536 bytes"),
    ],
)
async def test_what_counts_as_an_answer(pieces: list[bytes], why: str) -> None:
    """Anything with a result in it, as only servers of KQQ give."""
    scripted = Scripted(*pieces)

    async def connect(_: Address) -> Scripted:
        return scripted

    if why:
        with pytest.raises(ConnectionLost, match=re.escape(f"  tcp://a:1: {why}")):
            await try_servers([Address("a", 1)], connect=connect)
    else:
        assert await try_servers([Address("a", 1)], connect=connect) == Address("a", 1)
    assert scripted.sent == (
        b"VER=1.4&CON=1&CMD=Logout&SEQ=200&UIN=10000&SID=&XP=C4CA4238A0B92382\r\n"
    )
    assert scripted.is_closed


async def test_being_tried_does_no_harm(tmp_path: Path) -> None:
    """Nobody who is signed in is signed out."""
    async with Stage(tmp_path) as stage:
        stage.add(10001)
        wire = await stage.sign_in(10001)

        async def connect(_: Address) -> Any:
            return stage.link()

        assert await try_servers([Address("a", 1)], connect=connect) == Address("a", 1)
        reply = await wire.ask("VER=1.4&CON=1&CMD=Change_Stat&SEQ=202&UIN=10001&SID=&XP=&ST=30")
        assert "&RES=0" in reply
