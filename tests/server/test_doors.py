"""Doors: what comes in is told by its first bytes, counted by address, and closed if it is mute."""

import asyncio
import logging
import socket
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from kqq.client import Address, Tcp
from kqq.server import Config, Listen, Server
from kqq.server.doors import Visitor, place_of
from kqq.server.journal import Step
from kqq.server.phones import Phone
from kqq.server.posts import Post
from secured import Certificate, Client, make, serving, until
from stage import (
    JULIET,
    PARIS,
    ROMEO,
    WAIT,
    ManualClock,
    MemoryLink,
    MemoryTransport,
    Stage,
    Wire,
    add_person,
    request,
    sign_in_line,
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for the server."""
    return make(tmp_path_factory.mktemp("tls"))


LINE = f"{sign_in_line(ROMEO)}\r\n".encode()


def guest_of(link: MemoryLink) -> asyncio.Protocol:
    """Return the server's end of a connection."""
    return link.server._protocol


def last_step(stage: Stage, host: str = "unknown") -> tuple[Step, dict[str, Any]]:
    """Return the last step of all attempts from an address."""
    attempts = stage.server._services.journal.of_address(host)
    taken = max((attempt.steps[-1] for attempt in attempts), key=lambda step: step.order)
    return taken.step, taken.details


# --- what comes in -------------------------------------------------------------------------------


@pytest.mark.parametrize("junk", [b"", b"\x8e\x01", b"V", b"Z", b"QX", b"GE", b"PO", b"\x8a\n",
                                  b"\r\n\r\n", b"\n", b"PS\n"])  # fmt: skip
async def test_lines_byte_by_byte(stage: Stage, junk: bytes) -> None:
    """A line is one however it is cut, with the lengths that ZNQQ puts before it, too."""
    for pieces in ([junk + LINE], [bytes((byte,)) for byte in junk + LINE]):
        wire = stage.connect()
        for piece in pieces:
            await wire.transport.send(piece)
            await stage.idle()
        assert isinstance(guest_of(wire.link), Phone)
        assert "&RS=0&" in await wire.hear()


@pytest.mark.parametrize("start", [b"POST / HTTP/1.1\r\n", b"\r\n\r\nPOST HTTP/1.1\r\n", b"GET / "])
async def test_http_byte_by_byte(stage: Stage, start: bytes) -> None:
    """A request is one however it is cut."""
    for pieces in ([start], [bytes((byte,)) for byte in start]):
        link = stage.link()
        for piece in pieces:
            await link.send(piece)
            await stage.idle()
        assert isinstance(guest_of(link), Post)


async def test_until_it_is_known_nothing_is_lost_or_said(stage: Stage) -> None:
    """As long as the first bytes may begin either, they are kept."""
    for start, rest in ((b"GE", b"T / HTTP/1.0\r\n\r\n"), (b"VER", LINE[3:])):
        link = stage.link()
        await link.send(start)
        await stage.idle()
        assert isinstance(guest_of(link), Visitor)
        assert not link.writes
        await link.send(rest)
        await stage.idle()
        assert link.writes


async def test_connections_are_counted_by_what_they_speak(stage: Stage) -> None:
    """Each is counted once, also who says nothing; how many are open is known at any time."""
    metrics = stage.server._services.metrics
    links = [stage.link() for _ in range(3)]
    assert metrics.connections_open == 3
    await links[0].send(LINE)
    await links[1].send(b"GET /favicon.ico HTTP/1.1\r\n\r\n")
    await stage.idle()
    for link in links:
        link.reset()
    await stage.idle()
    assert metrics.connections == {"tcp": 2, "http": 1, "tls": 0, "web": 0}
    assert metrics.connections_open == 0


# --- who says nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "what"), [(b"", "nothing"), (b"POS", "too little to tell what it is")]
)
async def test_who_says_nothing_is_closed(stage: Stage, said: bytes, what: str) -> None:
    """Who has not shown what it speaks is closed after a while, and leaves nothing behind."""
    links = [stage.link() for _ in range(3)]
    for link in links:
        if said:
            await link.send(said)
    await stage.advance(stage.config.sign_in_time - 1)
    assert not any(link.is_over() for link in links)
    links[0].end()
    await stage.idle()
    assert last_step(stage) == (Step.DISCONNECTED, {"reason": f"it sent {what}"})
    links[1].reset()
    await stage.idle()
    reason = f"it sent {what}: reset by peer"
    assert last_step(stage) == (Step.DISCONNECTED, {"reason": reason})
    await stage.advance(1)
    reason = f"it did not say what it is for {stage.config.sign_in_time:g} s"
    assert last_step(stage) == (Step.CLOSED, {"reason": reason})
    assert all(link.is_over() for link in links)
    assert len(stage.server._guests) == 0
    assert stage.clock.due == 0


async def test_bytes_after_the_end_are_left_alone(stage: Stage) -> None:
    """What still comes when a connection is being closed begins nothing."""
    link = stage.link()
    link.stop_reading()
    visitor = guest_of(link)
    link.server._outgoing.append(b"x")  # something is left to write
    link.server.close()
    visitor.data_received(LINE)
    assert isinstance(guest_of(link), Visitor)


async def test_server_that_stops_closes_who_says_nothing(stage: Stage) -> None:
    """Also a connection that was accepted a moment ago, and is not made yet."""
    link = stage.link()
    late = stage.server.visitor()
    server = stage.server
    stops = asyncio.create_task(stage.restart())
    await stage.turns()
    assert link.is_over()
    assert not stops.done()
    transport = MemoryTransport(late, link, ("192.0.2.1", 5))
    stage.clock.advance(2)
    late.connection_made(transport)
    await stops
    assert transport.is_closing()
    (attempt,) = server._services.journal.of_address("192.0.2.1")
    assert attempt.steps[-1].step is Step.CLOSED


# --- addresses -----------------------------------------------------------------------------------


async def test_connections_of_one_address_are_bounded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One address holds so many connections; others are not touched, and leaving makes room."""
    async with Stage(tmp_path, connections_per_address=3) as stage:
        stage.add(ROMEO)
        crowd = [stage.link(("192.0.2.1", port)) for port in range(5)]
        await stage.idle()
        assert [link.is_over() for link in crowd] == [False, False, False, True, True]
        assert last_step(stage, "192.0.2.1")[0] is Step.LIMITED
        assert 'why="too many connections from this address"' in caplog.text
        other = stage.connect(("192.0.2.2", 1))
        assert "&RS=0&" in await other.ask(sign_in_line(ROMEO))
        await crowd[0].send(LINE)
        await crowd[1].send(b"GET / HTTP/1.1\r\n")
        await stage.idle()
        for link in crowd[:2]:
            link.reset()
        await stage.idle()
        crowd = [stage.link(("192.0.2.1", port)) for port in range(4)]
        await stage.idle()
        assert [link.is_over() for link in crowd] == [False, False, True, True]
        stage.server.reload(Config(data=tmp_path, listen=(), connections_per_address=4))
        crowd = [stage.link(("192.0.2.1", port)) for port in range(2)]
        await stage.idle()
        assert [link.is_over() for link in crowd] == [False, True]
    assert len(stage.server._inside._counts) == 0
    assert stage.server._services.metrics.connections_open == 0


async def test_addresses_of_one_network_of_ipv6_are_one(tmp_path: Path) -> None:
    """Of IPv6 a /64 is counted as one, and a mapped address as the one of IPv4 it is."""
    async with Stage(tmp_path, connections_per_address=2) as stage:
        hosts = ["2001:db8::1", "2001:db8::2:2", "2001:db8::3", "2001:db8:0:1::1",
                 "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"]  # fmt: skip
        links = [stage.link((host, 5, 0, 0)) for host in hosts]
        await stage.idle()
        assert [link.is_over() for link in links] == [
            False, False, True, False, False, False, True
        ]  # fmt: skip


async def test_address_of_ipv6(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """An address of IPv6 stands in brackets."""
    caplog.set_level(logging.DEBUG)
    stage.link(("::1", 4000, 0, 0)).reset()
    await stage.idle()
    assert "connected peer=[::1]:4000 door=memory" in caplog.text
    assert 'gone peer=[::1]:4000 why="it sent nothing: reset by peer"' in caplog.text


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("10.255.0.1", "10.0.0.0/8"),
        ("11.1.2.3", "11.1.2.3"),
        ("2001:db8::7", "2001:db8::/32"),
        ("2001:db9::7", "2001:db9::7"),
        ("fe80::1%eth0", "fe80::/10"),
        ("unknown", "unknown"),
    ],
)
def test_networks_that_count_as_one_address(host: str, place: str) -> None:
    """Phones behind a gateway are found by its network; without one by their address."""
    same = tuple(map(ip_network, ("10.0.0.0/8", "2001:db8::/32", "fe80::/10")))
    assert place_of(host, same) == place
    assert place_of(host, ()) == host


async def test_sessions_over_http_are_found_by_network(tmp_path: Path) -> None:
    """With `same_address`, a sign-in from one address counts for its neighbours."""
    async with Stage(tmp_path, same_address=(ip_network("192.0.2.0/25"),)) as stage:
        stage.add(ROMEO)
        assert "&RS=0&" in await stage.post(sign_in_line(ROMEO), "192.0.2.1")
        ask = request("Query_Stat2", ROMEO)
        assert "&RES=0" in await stage.post(ask, "192.0.2.77")
        assert "&RES=20" in await stage.post(ask, "192.0.2.200")


# --- sockets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("heartbeat", "lifetime", "asked"),
    [(60, 300, (60, 60, 4)), (1, 86400, (1, 1, 127)), (86400, 86400, (32767, 32767, 1)),
     (300, 60, (300, 300, 1))],
)  # fmt: skip
async def test_sockets_are_kept_alive(
    tmp_path: Path, heartbeat: int, lifetime: int, asked: tuple[int, ...]
) -> None:
    """On TCP the system asks at each HI whether silent clients live, until LI, as far as it can."""
    door = Listen("127.0.0.1", 0)
    config = Config(data=tmp_path, listen=(door,), heartbeat=heartbeat, lifetime=lifetime)
    async with Server(config) as server:
        add_person(server.store, ROMEO)
        wire = Wire(await Tcp.connect(Address("127.0.0.1", server.listening[0].port)))
        assert f"&HI={heartbeat}&LI={lifetime}&" in await wire.ask(sign_in_line(ROMEO))
        (phone,) = server._guests
        assert isinstance(phone, Phone)
        sock = phone._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
        for option, wanted in zip(options, (*asked, 60_000), strict=True):
            if hasattr(socket, option):
                assert sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) == wanted
        await wire.close()


async def test_system_without_these_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system has none of them, connections are made without."""
    for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT"):
        monkeypatch.delattr(socket, option, raising=False)
    async with Server(Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))) as server:
        add_person(server.store, ROMEO)
        wire = Wire(await Tcp.connect(Address("127.0.0.1", server.listening[0].port)))
        assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
        await wire.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="the system has no IPv6")
async def test_door_of_ipv6(tmp_path: Path) -> None:
    """A door may have an address of IPv6."""
    with socket.socket(socket.AF_INET6) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            pytest.skip("the machine has no IPv6")
    async with Server(Config(data=tmp_path, listen=(Listen("::1", 0),))) as server:
        for uin in (ROMEO, JULIET, PARIS):
            add_person(server.store, uin)
        door = server.listening[0]
        assert str(door).startswith("kqq://[::1]:")
        wire = Wire(await Tcp.connect(Address("::1", door.port)))
        assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
        (attempt,) = server._services.journal.of_address("::1")
        assert attempt.door == str(door)
        await wire.close()


# --- TLS -----------------------------------------------------------------------------------------


async def test_two_people_chat_over_tls(tmp_path: Path, certificate: Certificate) -> None:
    """The door is named kqqs://, and all goes through it that goes through another."""
    async with serving(tmp_path, certificate) as server:
        assert str(server.listening[0]).startswith("kqqs://127.0.0.1:")
        romeo = await Client.connect(server, certificate)
        juliet = await Client.connect(server, certificate)
        for client, uin in ((romeo, ROMEO), (juliet, JULIET)):
            await client.say(sign_in_line(uin))
            assert "&RS=0&" in await client.hear()
        assert "&CMD=update_stat&" in await romeo.hear()
        for number in range(50):
            await romeo.say(request("CLTMSG", ROMEO, f"UN={JULIET}&MG={number}", seq=number))
            assert (await romeo.hear()).endswith(f"&SEQ={number}&UIN=10001&RES=0")
            assert (await juliet.hear()).endswith(f"&MG={number}")
        assert server._services.metrics.connections["tls"] == 2
        (attempt,) = server._services.journal.of_uin(ROMEO)
        assert attempt.over == "tls"
        async with asyncio.timeout(WAIT):
            while server.store.count_messages(JULIET, 1):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await juliet.close()
        assert (await romeo.hear()).endswith("&ST=20&UN=10002")
        await romeo.close()
        await until(server, 0)


async def test_post_over_tls(tmp_path: Path, certificate: Certificate) -> None:
    """HTTP is told by its first bytes behind TLS, too."""
    async with serving(tmp_path, certificate) as server:
        client = await Client.connect(server, certificate)
        body = sign_in_line(ROMEO)
        head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        await client.say(head + body)
        answer = await client.hear_all()
        assert answer.startswith("HTTP/1.1 200 OK\r\n")
        assert "&RS=0&" in answer
        await client.close()
        await until(server, 0)
        assert server._services.metrics.connections["http"] == 1


@pytest.mark.parametrize(
    ("said", "reason"),
    [(b"VER=1.4&CON=1&CMD=Login\r\n", "wrong version number"), (b"", "the client ended it"),
     (b"POST / HTTP/1.1\r\n\r\n", "http request")],
)  # fmt: skip
async def test_no_handshake(
    tmp_path: Path, certificate: Certificate, said: bytes, reason: str
) -> None:
    """A client without TLS is closed, the journal says why, and nothing is left of it."""
    async with serving(tmp_path, certificate) as server:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.listening[0].port)
            writer.write(said)
            writer.write_eof()
            async with asyncio.timeout(WAIT):
                await reader.read()
            writer.close()
            await writer.wait_closed()
        await until(server, 0)
        assert server._services.metrics.connections_open == 0
        assert len(server._inside._counts) == 0
        steps = [
            taken for one in server._services.journal.of_address("127.0.0.1") for taken in one.steps
        ]
        failed = [taken for taken in steps if taken.step.name == "TLS_FAILED"]
        assert len(failed) == 3
        assert {taken.details["reason"] for taken in failed} == {reason}


async def test_connection_that_breaks_in_the_handshake(
    tmp_path: Path, certificate: Certificate
) -> None:
    """Nothing is left of a client that resets the connection instead of a handshake."""
    async with serving(tmp_path, certificate) as server:
        with socket.create_connection(("127.0.0.1", server.listening[0].port)) as sock:
            await until(server, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await until(server, 0)
        assert server._services.metrics.connections_open == 0


async def test_handshake_that_takes_too_long(
    tmp_path: Path, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who connects and is silent holds a connection for a while only."""
    monkeypatch.setattr("kqq.server.tls._HANDSHAKE_TIME", 0.05)
    async with serving(tmp_path, certificate) as server:
        with socket.create_connection(("127.0.0.1", server.listening[0].port)):
            await until(server, 1)
            await until(server, 0)
        (attempt,) = server._services.journal.of_address("127.0.0.1")
        assert "taking longer" in str(attempt.steps[-1].details["reason"])


async def test_server_that_stops_in_the_middle_of_a_handshake(
    tmp_path: Path, certificate: Certificate
) -> None:
    """Who is in the middle of it is closed, and the server need not wait."""
    async with serving(tmp_path, certificate, ManualClock()) as server:
        with socket.create_connection(("127.0.0.1", server.listening[0].port)) as sock:
            await until(server, 1)
            async with asyncio.timeout(WAIT):
                await server.close()
            assert sock.recv(1) == b""
        (attempt,) = server._services.journal.of_address("127.0.0.1")
        assert attempt.steps[-1].details == {"reason": "the server stops"}
