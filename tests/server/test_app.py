"""A server starts whole or not at all, and stops in good order."""

import asyncio
import errno
import logging
import resource
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kqq.client import Address, Client, Tcp
from kqq.errors import ConfigError, StoreError
from kqq.protocol import ServerMsg
from kqq.server import Config, Listen, Server
from kqq.server.accounts import add_account
from kqq.server.app import _room_for_connections
from kqq.server.database import Database
from kqq.server.friends import make_friends
from kqq.server.store import Store
from stage import JULIET, PARIS, PASSWORD, ROMEO, Stage, Wire, add_person, request, sign_in_line

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
        assert "turned away why='too many connections'" in caplog.text
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
