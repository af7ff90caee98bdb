"""Bytes over TCP: addresses, connecting, TLS, and what is said when it goes wrong."""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import chains
import pems
import secured
from kqq.client.tcp import Address, Tcp, make_trust
from kqq.errors import ConfigError, ConnectionLost
from secured import Certificate
from strangers import Then, stranger

LOGOUT = b"VER=1.4&CON=1&CMD=Logout&SEQ=1&UIN=10001&SID=&XP=\r\n"
ANSWER = b"VER=1.1&CMD=LOGOUT&SEQ=1&UIN=10001&RES=0\r\n"

# --- addresses


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tcp://127.0.0.1:14000", "127.0.0.1", 14000),
        ("tcp://chat.example:1/", "chat.example", 1),
        ("tcp://[::1]:65535", "::1", 65535),
        ("tcp://[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        ("tcp://小波.example:1", "小波.example", 1),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int) -> None:
    """Host and port come out, with brackets around IPv6."""
    assert Address.parse(text) == Address(host, port)
    assert str(Address.parse(text)) == text.rstrip("/")


@pytest.mark.parametrize(
    ("scheme", "is_tls", "is_http"),
    [
        ("tcp", False, False),
        ("kqq", False, False),
        ("kqqs", True, False),
        ("http", False, True),
        ("https", True, True),
    ],
)
def test_the_scheme_says_how_to_speak(scheme: str, *, is_tls: bool, is_http: bool) -> None:
    """It says whether there is TLS, and whether there is HTTP."""
    address = Address.parse(f"{scheme}://chat.example:1")
    assert (address.is_tls, address.is_http) == (is_tls, is_http)


def test_two_schemes_mean_the_same() -> None:
    """What a server says of its door can be given to a client as it is."""
    assert Address.parse("kqq://a:1") == Address.parse("tcp://a:1") == Address("a", 1, "kqq")
    assert str(Address.parse("kqq://a:1")) == "tcp://a:1"
    assert Address.parse("kqqs://a:1") != Address.parse("tcp://a:1")


def test_a_wrong_address_says_how_to_write_one() -> None:
    """An address that is none is ConfigError, with the ways to write one."""
    with pytest.raises(
        ConfigError,
        match="write tcp://HOST:PORT, kqq://HOST:PORT, kqqs://HOST:PORT, http://HOST:PORT or "
        "https://HOST:PORT, for example tcp://127",
    ):
        Address.parse("127.0.0.1:14000")


# --- without TLS


@asynccontextmanager
async def _peer() -> AsyncIterator[tuple[Tcp, asyncio.StreamReader, asyncio.StreamWriter]]:
    """Give a connected transport and the other end's streams."""
    met: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Future()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.set_result((reader, writer))

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    transport = await Tcp.connect(address)
    reader, writer = await met
    try:
        yield transport, reader, writer
    finally:
        await transport.close()
        writer.close()
        server.close()
        await server.wait_closed()


async def test_bytes_travel_both_ways() -> None:
    """What one end sends the other gets, and the end of the stream is empty bytes."""
    async with _peer() as (transport, reader, writer):
        assert transport.pushes
        await transport.send(b"VER=1.4\r\n")
        assert await reader.readline() == b"VER=1.4\r\n"
        writer.write(b"VER=1.1\r\n")
        assert await transport.receive() == b"VER=1.1\r\n"
        writer.close()
        assert await transport.receive() == b""
        await transport.close()
        await transport.close()


async def test_a_reset_connection_is_an_exception() -> None:
    """A connection that the other end resets raises ConnectionLost, reading, writing, closing."""
    async with _peer() as (transport, _, writer):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()
        with pytest.raises(
            ConnectionLost, match="the connection is lost: Connection reset by peer"
        ):
            await transport.receive()
        with pytest.raises(ConnectionLost, match="the connection is lost"):
            await transport.send(b"x" * 65536)


async def test_who_does_not_read_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing takes a bounded time, though the other end never takes what was sent."""
    monkeypatch.setattr("kqq.client.tcp._CLOSE_TIME", 0.05)
    async with _peer() as (transport, _, writer):
        assert isinstance(writer.transport, asyncio.Transport)
        writer.transport.pause_reading()
        sending = asyncio.create_task(transport.send(b"x" * 20_000_000))
        await asyncio.sleep(0)
        await transport.close()
        await sending


async def test_nobody_there_says_so() -> None:
    """A port where nobody listens is ConnectionLost with the system's reason and what to do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(ConnectionLost, match="Connection refused; is a server running there"):
            await Tcp.connect(Address("127.0.0.1", port))


async def test_a_host_with_two_addresses_is_refused_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is told in words however many addresses were tried."""

    async def two(host: str, port: int, **more: Any) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, ("127.0.0.1", port)), (*kind, ("127.0.0.2", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two)
    with pytest.raises(ConnectionLost) as caught:
        await Tcp.connect(Address("two.example", 1))
    assert str(caught.value) == (
        "cannot connect to tcp://two.example:1: Connection refused; is a server running there?"
    )


async def test_a_name_that_is_none_says_so() -> None:
    """A host that cannot be looked up is ConnectionLost, too."""
    with pytest.raises(
        ConnectionLost, match=r"cannot connect to tcp://999\.1\.1\.1:1: .*; is the name right"
    ):
        await Tcp.connect(Address("999.1.1.1", 1))


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "a\0b"])
async def test_a_host_that_can_be_none_is_an_error_in_the_settings(host: str) -> None:
    """What cannot even be looked up is ConfigError, and the network is not touched."""
    with pytest.raises(ConfigError, match="is no host name"):
        await Tcp.connect(Address(host, 1))


async def test_a_server_that_never_answers_is_given_up() -> None:
    """Connecting takes a bounded time."""
    with pytest.raises(ConnectionLost, match=r"did not answer within 0 s; is the address right\?"):
        await Tcp.connect(Address("127.0.0.1", 1), timeout=0.0)


# --- what is no KQQ server


@pytest.mark.parametrize("scheme", ["tcp", "http"])
@pytest.mark.parametrize("says", [b"\x15\x03\x01\x00\x02\x02\x46", b"\x16\x03\x03"])
async def test_a_door_with_tls_says_so(scheme: str, says: bytes) -> None:
    """Who speaks in the clear to a door with TLS is told which scheme to write."""
    async with stranger(says) as port:
        transport = await Tcp.connect(Address("127.0.0.1", port, scheme))
        await transport.send(LOGOUT)
        with pytest.raises(ConnectionLost) as caught:
            await transport.receive()
        await transport.close()
    better = {"tcp": "kqqs", "http": "https"}[scheme]
    assert str(caught.value) == (
        f"the server speaks TLS there; write {better}:// in place of {scheme}://"
    )


async def test_our_own_door_with_tls_says_nothing_to_the_clear(tmp_path: Path) -> None:
    """It closes without a word, and the client says what may be the reason."""
    certificate = secured.make(tmp_path, chains.HERE)
    async with secured.serving(tmp_path, certificate) as server:
        transport = await Tcp.connect(Address("127.0.0.1", server.listening[0].port))
        await transport.send(LOGOUT)
        with pytest.raises(
            ConnectionLost, match=r"closed without a word; .* may it want TLS \(kqqs://\)\?"
        ):
            await transport.receive()
        await transport.close()


async def test_a_web_server_says_so() -> None:
    """Lines that a web server answers are told from those of a KQQ server."""
    async with stranger(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        transport = await Tcp.connect(Address("127.0.0.1", port))
        await transport.send(LOGOUT)
        with pytest.raises(ConnectionLost, match=r"speaks HTTP only there; .* write http://"):
            await transport.receive()
        await transport.close()


async def test_a_close_that_nobody_provoked_is_an_end() -> None:
    """A server that closes before anything was said to it has just closed; so has one's own end."""
    async with _peer() as (transport, _, writer):
        writer.close()
        assert await transport.receive() == b""
    async with _peer() as (transport, _, _):
        await transport.send(LOGOUT)
        receiving = asyncio.create_task(transport.receive())
        await asyncio.sleep(0)
        await transport.close()
        assert await receiving == b""


# --- with TLS


@pytest.fixture
def authority(tmp_path: Path) -> ssl.SSLContext:
    """Trust whatever the authority for testing has signed."""
    file = tmp_path / "authority.pem"
    file.write_text(chains.AUTHORITY)
    return make_trust(file)


def _shown(folder: Path, certificate: str) -> ssl.SSLContext:
    """Return what a server needs to show a certificate."""
    made = secured.make(folder, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    return context


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_lines_travel_encrypted(tmp_path: Path, authority: ssl.SSLContext, host: str) -> None:
    """A door with TLS is reached by a name, or the address, that is in its certificate."""
    certificate = secured.make(tmp_path, chains.HERE)
    async with secured.serving(tmp_path, certificate) as server:
        port = server.listening[0].port
        transport = await Tcp.connect(Address(host, port, "kqqs"), trust=authority)
        await transport.send(LOGOUT)
        assert await transport.receive() == ANSWER
        await transport.close()
        await transport.close()
        await secured.until(server, 0)


@pytest.mark.parametrize("host", ["chat.example.", "::1%1"])
async def test_names_are_compared_without_what_only_looking_up_needs(
    tmp_path: Path, authority: ssl.SSLContext, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dot at the end, and the zone of an address, stand in no certificate."""
    pem = chains.HERE if ":" in host else chains.ELSEWHERE
    async with stranger(ANSWER, tls=_shown(tmp_path, pem)) as port:

        async def here(host: str, port: int, **more: Any) -> list[Any]:
            kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
            return [(*kind, ("127.0.0.1", port))]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", here)
        transport = await Tcp.connect(Address(host, port, "kqqs"), trust=authority)
        await transport.close()


@pytest.mark.parametrize("certificate", ["HERE", "ALONE"])
async def test_a_certificate_itself_can_be_trusted(tmp_path: Path, certificate: str) -> None:
    """A server's own certificate is trusted once it is named, whoever has signed it."""
    pem = getattr(chains, certificate)
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(pem)
    async with stranger(ANSWER, tls=_shown(tmp_path, pem)) as port:
        address = Address("127.0.0.1", port, "kqqs")
        transport = await Tcp.connect(address, trust=make_trust(trusted))
        await transport.send(LOGOUT)
        assert await transport.receive() == ANSWER
        await transport.close()


@pytest.mark.parametrize("certificate", [pems.OLD, chains.ELSEWHERE, chains.EXPIRED])
async def test_everybody_can_be_trusted(tmp_path: Path, certificate: str) -> None:
    """For trying, no certificate is too bad."""
    async with stranger(ANSWER, tls=_shown(tmp_path, certificate)) as port:
        address = Address("127.0.0.1", port, "kqqs")
        transport = await Tcp.connect(address, trust=make_trust(insecure=True))
        await transport.send(LOGOUT)
        assert await transport.receive() == ANSWER
        await transport.close()


@pytest.mark.parametrize(
    ("certificate", "host", "why"),
    [
        ("ALONE", "localhost", "its certificate has signed itself; if you know the server, name"),
        ("ELSEWHERE", "localhost", "its certificate is for another name; use the name that is in"),
        ("ELSEWHERE", "127.0.0.1", "its certificate is not for this address; use the name that"),
        ("EXPIRED", "localhost", "its certificate has expired; whoever runs the server must renew"),
        ("TOO_EARLY", "localhost", "its certificate is not valid yet; is the clock of this machin"),
    ],
)
async def test_a_bad_certificate_is_told_in_words(
    tmp_path: Path, authority: ssl.SSLContext, certificate: str, host: str, why: str
) -> None:
    """Nothing is sent, and whoever reads the error knows what to do."""
    async with stranger(tls=_shown(tmp_path, getattr(chains, certificate))) as port:
        with pytest.raises(ConnectionLost) as caught:
            await Tcp.connect(Address(host, port, "kqqs"), trust=authority)
    assert str(caught.value).startswith(f"cannot connect to kqqs://{host}:{port}: {why}")


async def test_the_system_trusts_not_just_anybody(tmp_path: Path) -> None:
    """Unless told otherwise, those are trusted that the system trusts."""
    async with stranger(tls=_shown(tmp_path, chains.HERE)) as port:
        with pytest.raises(ConnectionLost, match="signed by one that nobody here knows; if you"):
            await Tcp.connect(Address("localhost", port, "kqqs"))


async def test_a_fault_of_a_certificate_without_words_of_ours_has_those_of_the_library(
    tmp_path: Path, authority: ssl.SSLContext
) -> None:
    """A purpose that does not fit, and whatever else there may be, is told as OpenSSL tells it."""
    authority.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF  # and there is no list of revoked ones
    async with stranger(tls=_shown(tmp_path, chains.HERE)) as port:
        with pytest.raises(
            ConnectionLost, match="its certificate is not trusted: unable to get certificate crl"
        ):
            await Tcp.connect(Address("localhost", port, "kqqs"), trust=authority)


@pytest.mark.parametrize(
    ("says", "then", "why"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            Then.WAIT,
            "it does not speak TLS there; only if you need none, write tcp:// in place of kqqs://",
        ),
        (b"VER=1.1\r\n", Then.CLOSE, "it does not speak TLS there"),
        (b"", Then.CLOSE, "it hung up while shaking hands; does it speak TLS there?"),
        (b"", Then.RESET, "it hung up while shaking hands; does it speak TLS there?"),
        (b"\x15\x03\x03\x00\x02\x02\x28", Then.CLOSE, "no TLS could be agreed on: sslv3 alert han"),
    ],
)
async def test_who_speaks_no_tls_is_told(
    authority: ssl.SSLContext, says: bytes, then: Then, why: str
) -> None:
    """The other end may speak in the clear, hang up, or want no version of ours."""
    async with stranger(says, then) as port:
        with pytest.raises(ConnectionLost, match=re.escape(why)):
            await Tcp.connect(Address("127.0.0.1", port, "kqqs"), trust=authority)


async def test_who_never_ends_a_handshake_is_given_up(authority: ssl.SSLContext) -> None:
    """The time for connecting counts the handshake."""
    async with stranger(b"", Then.WAIT) as port:
        with pytest.raises(ConnectionLost, match=r"within 0.1 s; .*, and does it speak TLS\?"):
            await Tcp.connect(Address("127.0.0.1", port, "kqqs"), trust=authority, timeout=0.1)


async def test_tls_that_breaks_later_is_told_in_words(
    tmp_path: Path, authority: ssl.SSLContext
) -> None:
    """What is no TLS, in the middle of it, ends the connection."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        os.write(writer.get_extra_info("socket").fileno(), b"VER=1.1 in the clear\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=_shown(tmp_path, chains.HERE))
    address = Address("127.0.0.1", server.sockets[0].getsockname()[1], "kqqs")
    transport = await Tcp.connect(address, trust=authority)
    with pytest.raises(ConnectionLost, match="the connection is lost: wrong version number"):
        await transport.receive()
    await transport.close()
    server.close()
    await server.wait_closed()


# --- whom to trust


def test_a_file_that_cannot_be_trusted_says_why(tmp_path: Path) -> None:
    """Nothing there, no certificate in it, or a folder: ConfigError, with what to take."""
    with pytest.raises(ConfigError, match="No such file or directory; take a PEM file"):
        make_trust(tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"cannot trust what is in .*; take a PEM file"):
        make_trust(tmp_path)
    certificate: Certificate = secured.make(tmp_path, certificate="")
    for file in (certificate.certificate, certificate.key):
        with pytest.raises(ConfigError, match="no certificate or crl found; take a PEM file"):
            make_trust(file)


def test_everybody_and_somebody_is_a_contradiction(tmp_path: Path) -> None:
    """Who names a file does not mean everybody."""
    with pytest.raises(ConfigError, match="choose one"):
        make_trust(tmp_path / "ca.pem", insecure=True)


def test_a_file_replaces_what_the_system_trusts(tmp_path: Path) -> None:
    """Only what is in it is trusted then."""
    file = tmp_path / "authority.pem"
    file.write_text(chains.AUTHORITY)
    assert make_trust(file).cert_store_stats()["x509"] == 1
