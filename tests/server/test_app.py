"""A server starts whole or not at all, and stops in good order."""

import asyncio
import errno
import logging
import resource
import socket
import sqlite3
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

import pems
from kqq.client import Address, Client, Tcp
from kqq.errors import ConfigError, StoreError
from kqq.protocol import ServerMsg
from kqq.server import Config, Listen, Server
from kqq.server.accounts import add_account
from kqq.server.app import _room_for_connections
from kqq.server.config import MetricsAddress
from kqq.server.database import Database
from kqq.server.friends import make_friends
from kqq.server.operators import Role
from kqq.server.store import Store
from secured import Client as SecuredClient
from secured import config as secured_config
from secured import make, until
from stage import (
    JULIET,
    PARIS,
    PASSWORD,
    ROMEO,
    WAIT,
    Stage,
    Wire,
    add_person,
    request,
    sign_in_line,
)

ANY_PORT = Listen("127.0.0.1", 0)


def config(data: Path, **settings: Any) -> Config:
    """Return settings for a server on a free port."""
    return Config(data=data, **{"listen": (ANY_PORT,), **settings})


async def connect(server: Server) -> Wire:
    """Return a connection over TCP."""
    door = server.listening[0]
    return Wire(await Tcp.connect(Address(door.host, door.port)))


async def test_server_listens_and_stops(tmp_path: Path) -> None:
    """The doors that are open are named with their real ports, and closed at the end."""
    async with Server(config(tmp_path, listen=(ANY_PORT, ANY_PORT))) as server:
        ports = {door.port for door in server.listening}
        assert len(ports) == 2
        assert 0 not in ports
        add_person(server.store, ROMEO)
        wires = [Wire(await Tcp.connect(Address("127.0.0.1", port))) for port in ports]
        for wire in wires:
            assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
    for wire in wires:
        assert await wire.hear() == ""
        await wire.close()
    for port in ports:
        with closing(socket.socket()) as sock:
            assert sock.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


async def test_two_people_chat_over_tcp(tmp_path: Path) -> None:
    """The whole way: two clients of the library, a message there and back."""
    async with Server(config(tmp_path)) as server:
        for uin in (ROMEO, JULIET):
            add_person(server.store, uin)
        make_friends(server.store, ROMEO, JULIET)
        address = Address("127.0.0.1", server.listening[0].port)
        async with await Client.connect(address) as romeo, await Client.connect(address) as juliet:
            for client, uin, to in ((romeo, ROMEO, JULIET), (juliet, JULIET, ROMEO)):
                await client.sign_in(uin, PASSWORD)
                await client.send(to, f"from {uin}")
            heard = [push.text async for push in take_messages(romeo, 1)]
            heard += [push.text async for push in take_messages(juliet, 1)]
            assert heard == ["from 10002", "from 10001"]


async def take_messages(client: Client, count: int) -> Any:
    """Give the next messages that come."""
    async with asyncio.timeout(10):
        async for push in client.events():
            if isinstance(push, ServerMsg):
                yield push
                count -= 1
                if not count:
                    return


async def test_client_in_memory(tmp_path: Path) -> None:
    """The client of the library talks to a server in memory as it does over TCP."""
    async with Stage(tmp_path) as stage:
        stage.add(ROMEO, JULIET)
        async with stage.client() as romeo, stage.client() as juliet:
            await romeo.sign_in(ROMEO, PASSWORD)
            await romeo.send(JULIET, "hi")
            await juliet.sign_in(JULIET, PASSWORD)
            assert [push.text async for push in take_messages(juliet, 1)] == ["hi"]
            assert await romeo.statuses() == {JULIET: 10}


async def test_accounts_may_be_added_while_the_server_runs(tmp_path: Path) -> None:
    """What another process writes into the database counts at once."""
    async with Stage(tmp_path) as stage:
        wire = stage.connect()
        assert (await wire.ask(sign_in_line(ROMEO))).endswith("&RES=5")
        database = Database(tmp_path / "kqq.sqlite")
        store = Store(database)
        for uin in (ROMEO, JULIET):
            add_account(store, uin, "n", PASSWORD, 0.0)
        assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
        assert (await wire.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hi")))[-6:] == "&RES=1"
        make_friends(store, ROMEO, JULIET)
        assert (await wire.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hi")))[-6:] == "&RES=0"
        await database.close()


async def test_one_server_to_a_folder(tmp_path: Path) -> None:
    """A second server on a folder is refused and does the first no harm."""
    async with Server(config(tmp_path)) as first:
        add_person(first.store, ROMEO)
        with pytest.raises(ConfigError, match="another kqq serve uses"):
            await Server(config(tmp_path)).start()
        wire = await connect(first)
        assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
        await wire.close()
    async with Server(config(tmp_path)) as second:
        assert second.store.account_exists(ROMEO)


async def test_taken_port(tmp_path: Path) -> None:
    """A taken port is told in words; doors opened before it and the folder are let go."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        taken = Listen("127.0.0.1", sock.getsockname()[1])
        server = Server(config(tmp_path, listen=(ANY_PORT, taken)))
        with pytest.raises(ConfigError, match=f"cannot listen on {taken}: the port is taken"):
            await server.start()
        with closing(socket.socket()) as other:
            port = server.listening[0].port
            assert other.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    async with Server(config(tmp_path)):
        pass


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EACCES, "choose one above 1023"), (errno.EADDRNOTAVAIL, "choose another address")],
)
async def test_doors_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    """What the system says of a door is told in words, with what to do."""

    async def refuse(*_: object, **__: object) -> None:
        raise OSError(code, "the system's words")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_server", refuse)
    with pytest.raises(ConfigError, match=words):
        await Server(config(tmp_path)).start()


async def test_host_that_is_none(tmp_path: Path) -> None:
    """An address that is not this machine's is refused."""
    server = Server(config(tmp_path, listen=(Listen("192.0.2.1", 0),)))
    with pytest.raises(ConfigError, match=r"cannot listen on kqq://192.0.2.1:0: .*--listen"):
        await server.start()


async def test_database_that_cannot_be_used(tmp_path: Path) -> None:
    """A database that cannot be opened is StoreError; the folder is let go."""
    path = tmp_path / "kqq.sqlite"
    path.write_bytes(b"this is no database " * 100)
    with pytest.raises(StoreError, match="cannot use the database"):
        await Server(config(tmp_path)).start()
    path.unlink()
    async with Server(config(tmp_path)):
        pass


async def test_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A folder that cannot be made, or has no room for the lock, is StoreError."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the data folder"):
        await Server(config(tmp_path / "file")).start()
    (tmp_path / "lock").mkdir()
    with pytest.raises(StoreError, match="cannot write in"):
        await Server(config(tmp_path)).start()


async def test_too_many_connections(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Connections over the limit are closed as they come; there is room when others leave."""
    async with Server(config(tmp_path, connections_limit=2)) as server:
        for uin in (ROMEO, JULIET, PARIS):
            add_person(server.store, uin)
        kept = [await connect(server) for _ in range(2)]
        for wire, uin in zip(kept, (ROMEO, JULIET), strict=True):
            assert "&RS=0&" in await wire.ask(sign_in_line(uin))
        turned_away = await connect(server)
        assert await turned_away.hear() == ""
        await turned_away.close()
        assert 'turned away why="too many connections" door=kqq://127.0.0.1:' in caplog.text
        assert "&RES=0" in await kept[0].ask(request("Query_Stat2", ROMEO))
        gone = kept.pop()
        assert "&RES=0" in await gone.ask(request("Logout", JULIET))
        await gone.close()
        assert "&RES=0" in await kept[0].ask(request("Query_Stat2", ROMEO))
        kept.append(await connect(server))
        assert "&RS=0&" in await kept[1].ask(sign_in_line(PARIS))
        for wire in kept:
            await wire.close()


async def test_stop_finishes_what_was_accepted(tmp_path: Path) -> None:
    """What is being written when the server stops is on disk, and connections end."""
    async with Stage(tmp_path) as stage:
        stage.add(ROMEO, JULIET)
        wire = await stage.sign_in(ROMEO)
        lines = [request("CLTMSG", ROMEO, f"UN={JULIET}&MG={n}", seq=n) for n in range(20)]
        await wire.say(*lines)
        await asyncio.sleep(0)
        await stage.restart()
        wire.waiting()
        assert wire.link.is_over()
        assert stage.store.count_messages(JULIET, 99) == 20


async def test_stop_cuts_off_who_does_not_read(tmp_path: Path) -> None:
    """Who leaves the last lines unread delays the end by two seconds at most."""
    async with Stage(tmp_path) as stage:
        stage.add(ROMEO, JULIET)
        deaf, romeo = await stage.sign_in(JULIET), await stage.sign_in(ROMEO)
        deaf.link.stop_reading()
        assert "&RES=0" in await romeo.ask(request("Change_Stat", ROMEO, "ST=30"))
        await stage.idle()
        stops = asyncio.create_task(stage.restart())
        await asyncio.sleep(0)
        stage.clock.advance(1.9)
        await stage.turns()
        assert not stops.done()
        deaf.waiting()
        stage.clock.advance(0.2)
        await stops
        assert deaf.link.is_over()


async def test_doors_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each door that opens is in the log."""
    caplog.set_level(logging.INFO)
    async with Server(config(tmp_path)) as server:
        assert f"listening door={server.listening[0]}" in caplog.text


def test_connections_fit_into_the_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is raised as far as may be; where it stays too low, fewer connections are held."""
    limits = [1024, 4096]
    monkeypatch.setattr("resource.getrlimit", lambda _: tuple(limits))

    def set_limit(_: int, wanted: tuple[int, int]) -> None:
        limits[:] = wanted

    monkeypatch.setattr("resource.setrlimit", set_limit)
    assert _room_for_connections(1000) == 1000
    assert limits == [1064, 4096]
    assert _room_for_connections(20000) == 4096 - 64
    assert limits == [4096, 4096]
    limits[:] = [1024, resource.RLIM_INFINITY]
    assert _room_for_connections(20000) == 20000
    limits[:] = [resource.RLIM_INFINITY, resource.RLIM_INFINITY]
    assert _room_for_connections(20000) == 20000


# --- more doors ----------------------------------------------------------------------------------


SIGN_IN_1_3 = sign_in_line(ROMEO).replace("VER=1.4&CON=1", "VER=1.3")


async def test_doors_for_browsers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are no doors for phones; without an administrator there is a link that makes one."""
    caplog.set_level(logging.INFO)
    web = Listen("127.0.0.1", 0, "web")
    async with Server(config(tmp_path, listen=(ANY_PORT, web))) as server:
        (phones,), (browsers,) = server.listening, server.web
        assert server._services.doors == [phones]
        assert browsers.port not in {0, phones.port}
        assert f"listening door={browsers}" in caplog.text
        assert server.first_link is not None
        assert server.first_link.startswith(f"{browsers.url}/operator#first=")
        assert server.first_link.partition("=")[2] not in caplog.text
        add_person(server.store, ROMEO)
        await server._operators.add(ROMEO, Role.ADMINISTRATOR)
        taken = config(tmp_path / "other", listen=(browsers,))
        with pytest.raises(ConfigError, match="the port is taken"):
            await Server(taken).start()
    async with Server(config(tmp_path, listen=(ANY_PORT, web))) as server:
        assert server.first_link is None
    async with Server(config(tmp_path, listen=(ANY_PORT,))) as server:
        assert server.web == ()
        assert server._web_door is None


async def test_redirector(tmp_path: Path) -> None:
    """A door of its own tells phones of 1.3 where the first door is, and serves all others."""
    settings = config(tmp_path, listen=(ANY_PORT, ANY_PORT), redirector=(ANY_PORT,))
    async with Server(settings) as server:
        add_person(server.store, ROMEO)
        first, second, redirector = server.listening
        assert len({first.port, second.port, redirector.port}) == 3
        assert server._services.doors == [first, second]
        for door in (first, redirector):
            wire = Wire(await Tcp.connect(Address(door.host, door.port)))
            answer = await wire.ask(SIGN_IN_1_3)
            if door is redirector:
                assert f"SI=127.0.0.1&SP={first.port}" in answer
                assert "&RS=" not in answer
            else:
                assert "&RS=0&" in answer
            assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
            await wire.close()


async def ask(port: int, path: str) -> str:
    """Return the answer to a request over HTTP."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    async with asyncio.timeout(WAIT):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def test_figures_and_health(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Figures are served where it is wished; health is that of the database, in words."""
    monkeypatch.setattr("kqq.server.app._HEALTH_TIME", 0.1)
    caplog.set_level(logging.INFO)
    settings = config(tmp_path, metrics=MetricsAddress("127.0.0.1", 0))
    async with Server(settings) as server:
        port = server.metrics_port
        assert port is not None
        assert f"figures port={port}" in caplog.text
        add_person(server.store, ROMEO)
        wire = await connect(server)
        assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
        figures = await ask(port, "/metrics")
        for figure in (
            'kqq_sign_ins_total{result="accepted"} 1.0',
            'kqq_sessions_open{kind="connection"} 1.0',
            "kqq_password_checks_waiting 0.0",
            "kqq_write_batch_size_count",
        ):
            assert figure in figures
        assert (await ask(port, "/health")).endswith("\r\n\r\nok\n")
        with closing(sqlite3.connect(tmp_path / "kqq.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = await ask(port, "/health")
            assert answer.startswith("HTTP/1.1 503 ")
            assert "took longer than 0.1 s to write" in answer
        server.store._database.execute("ALTER TABLE account RENAME TO people")
        assert "no such table" in await ask(port, "/health")
        server.store._database.execute("ALTER TABLE people RENAME TO account")
        await wire.close()
    with closing(socket.socket()) as sock:
        assert sock.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


async def test_door_for_figures_that_cannot_be_opened(tmp_path: Path) -> None:
    """Whatever cannot be opened, nothing stays open: no door, no lock."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        metrics = MetricsAddress("127.0.0.1", taken.getsockname()[1])
        server = Server(config(tmp_path, metrics=metrics))
        with pytest.raises(ConfigError, match="the port is taken"):
            await server.start()
    with closing(socket.socket()) as sock:
        assert sock.connect_ex(("127.0.0.1", server.listening[0].port)) == errno.ECONNREFUSED
    async with Server(config(tmp_path)):
        pass


# --- settings read again -------------------------------------------------------------------------


async def test_settings_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What can change while a server runs counts at once; what cannot is named."""
    caplog.set_level(logging.INFO)
    async with Stage(tmp_path, text_limit=3) as stage:
        stage.add(ROMEO, JULIET)
        romeo = await stage.sign_in(ROMEO)
        line = request("CLTMSG", ROMEO, f"UN={JULIET}&MG=four")
        assert (await romeo.ask(line)).endswith("&RES=1")
        new = replace(stage.config, text_limit=4, captcha="always", connections_limit=7)
        stage.server.reload(new)
        assert (await romeo.ask(line)).endswith("&RES=0")
        assert "&CMD=VERIFYCODE&" in await stage.connect().ask(sign_in_line(JULIET))
        assert 'settings read again changed="captcha text_limit"' in caplog.text
        assert "these settings need a restart keys=connections_limit" in caplog.text
        caplog.clear()
        stage.server.reload(replace(stage.config))
        assert [record.getMessage() for record in caplog.records] == [
            "settings read again changed=none"
        ]


async def test_certificate_read_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A certificate made anew in its place counts for who connects next; a broken one does not."""
    files = make(tmp_path, pems.OLD)
    settings = secured_config(tmp_path / "data", files)
    async with Server(settings) as server:
        add_person(server.store, ROMEO)
        clients = []
        for written, used in ((None, pems.OLD), (pems.NEW, pems.NEW), ("garbage", pems.NEW)):
            if written is not None:
                files.certificate.write_text(written)
                server.reload(settings)
            trusted = make(tmp_path / "data", used)
            clients.append(await SecuredClient.connect(server, trusted))
            assert clients[-1].certificate == used
        assert "the certificate stays as it was why=" in caplog.text
        for client in clients:
            await client.say(sign_in_line(ROMEO))
            assert "&RS=0&" in await client.hear()
            await client.close()
        await until(server, 0)


async def test_danger_is_said_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has networks count as one address is told what that means."""
    async with Server(config(tmp_path, same_address=(ip_network("10.0.0.0/8"),))):
        assert "one address network=10.0.0.0/8 danger=" in caplog.text


async def test_nobody_comes_in_while_the_server_stops(tmp_path: Path) -> None:
    """A connection that was accepted just before the doors were closed is closed at once."""
    async with Server(config(tmp_path)) as server:
        server._is_closing = True
        wire = await connect(server)
        assert await wire.hear() == ""
        assert not server._guests
        await wire.close()
