"""What was written to a client and may not have reached it."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kqq.protocol import Line, ServerMsg, decode
from kqq.protocol.messages import Role
from kqq.server import Config, Listen, Server
from kqq.server.handover import Handover
from kqq.server.phones import Phone
from stage import JULIET, ROMEO, WAIT, add_person, request, sign_in_line


class _Lagging(asyncio.Transport):
    """A transport of which so many bytes have not left."""

    left = 0

    def get_write_buffer_size(self) -> int:
        """Return how many bytes have not left."""
        return self.left


def test_messages_arrive_when_their_last_byte_has() -> None:
    """A message has arrived when as many bytes have as were written up to its end."""
    transport = _Lagging()
    handover = Handover(transport)
    assert handover.arrived() is None
    for last in (7, 8, 9):
        handover.wrote(10)
        handover.handed_over(last)
    transport.left = 30
    assert handover.arrived() is None
    transport.left = 11
    assert handover.arrived() == 7
    transport.left = 10
    assert handover.arrived() == 8
    assert handover.is_waiting
    transport.left = 0
    assert handover.arrived() == 9
    assert handover.arrived() is None
    assert not handover.is_waiting


def test_what_is_forgotten_never_arrives() -> None:
    """When the session they were written for is over, messages are no longer counted."""
    handover = Handover(_Lagging())
    handover.wrote(10)
    handover.handed_over(7)
    handover.forget()
    assert handover.arrived() is None


def test_what_left_us_is_acknowledged() -> None:
    """Without a socket, or once it is closed, what has left our own buffer counts."""
    sock = socket.socket()
    sock.close()
    for transport in (_Lagging(), _Lagging({"socket": sock})):
        handover = Handover(transport)
        handover.wrote(10)
        found = []
        for transport.left in (1, 0):
            found.append(handover.is_acknowledged)
        assert found == [False, True]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
async def test_the_system_tells_what_is_acknowledged() -> None:
    """What the other system has no room for is not; when it is read, it is."""
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with socket.create_connection(theirs.getsockname()) as ours, theirs.accept()[0] as other:
            handover = Handover(_Lagging({"socket": ours}))
            left = 50_000
            ours.sendall(b"x" * left)
            handover.wrote(left)
            handover.handed_over(7)
            assert handover.is_acknowledged is False
            assert handover.arrived() is None
            while left:
                left -= len(other.recv(65536))
            async with asyncio.timeout(WAIT):
                while (last := handover.arrived()) is None:  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.01)
            assert last == 7
            assert bool(handover.is_acknowledged)


@asynccontextmanager
async def _deaf_juliet(server: Server) -> AsyncIterator[socket.socket]:
    """Juliet signed in over a socket with hardly any room, which she does not read."""
    with socket.socket() as juliet:
        juliet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        juliet.connect(("127.0.0.1", server.listening[0].port))
        juliet.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(juliet, f"{sign_in_line(JULIET)}\r\n".encode())
        assert b"RS=0" in await loop.sock_recv(juliet, 4096)
        yield juliet


async def _say(writer: asyncio.StreamWriter, *lines: str) -> None:
    writer.write("".join(f"{line}\r\n" for line in lines).encode())
    await writer.drain()


def _texts(data: bytes) -> list[str]:
    messages = [decode(Line.decode(raw), Role.SERVER) for raw in data.split(b"\n") if raw]
    return [message.text for message in messages if isinstance(message, ServerMsg)]


@pytest.mark.parametrize("also_asks", [False, True])
async def test_what_the_system_holds_is_not_lost_when_the_server_stops(
    tmp_path: Path, *, also_asks: bool
) -> None:
    """A reader lags and the server stops: each message is read, or waits for the next sign-in."""
    config = Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))
    sent = [f"{n} {'x' * 6000}" for n in range(60)]
    async with Server(config) as server:
        for uin in (ROMEO, JULIET):
            add_person(server.store, uin)
        server.store.add_friends(ROMEO, JULIET)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.listening[0].port)
        async with _deaf_juliet(server) as juliet:
            await _say(writer, sign_in_line(ROMEO))
            await reader.readline()
            for seq, text in enumerate(sent):
                await _say(writer, request("CLTMSG", ROMEO, f"UN={JULIET}&MG={text}", seq=seq))
                while f"SEQ={seq}&".encode() not in await reader.readline():
                    pass
            if also_asks:
                asked = request("Query_Stat2", JULIET, "CM=2&UN=0")
                juliet.sendall(f"{asked}\r\n".encode())
            writer.close()
            await writer.wait_closed()
            await server.close()
            seen = b""
            try:
                while data := await asyncio.get_running_loop().sock_recv(juliet, 65536):
                    seen += data
            except ConnectionResetError:
                pass
        seen = seen[: seen.rfind(b"\n") + 1]
    async with Server(config) as server:
        waiting = [one.text for one in server.store.messages_after(JULIET, 0, 1000)]
    assert set(_texts(seen)) | set(waiting) == set(sent)
    assert waiting == sent[len(sent) - len(waiting) :]


async def test_what_arrives_while_the_server_stops_is_deleted(tmp_path: Path) -> None:
    """The server waits until what it has pushed has arrived, so that it does not come again."""
    config = Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))
    async with Server(config) as server:
        add_person(server.store, JULIET)
        for n in range(60):
            await server.store.add_message(ROMEO, JULIET, f"{n} {'x' * 6000}", 0.0)
        async with _deaf_juliet(server) as juliet, asyncio.timeout(WAIT):
            (phone,) = server._guests
            assert isinstance(phone, Phone)
            while server._services.metrics.pushes < 60:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.001)
            assert phone._handover.is_waiting
            stops = asyncio.create_task(server.close())
            while phone._ending is None:  # noqa: ASYNC110
                await asyncio.sleep(0)
            seen = b""
            while data := await asyncio.get_running_loop().sock_recv(juliet, 65536):
                seen += data
            assert len(_texts(seen)) >= 59  # of the first one a part was read before
            juliet.close()
            await stops
    async with Server(config) as server:
        assert server.store.count_messages(JULIET, 60) == 0


async def test_who_says_goodbye_is_not_waited_for(tmp_path: Path) -> None:
    """A client that closes its side before all has arrived is closed; the rest is kept."""
    config = Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),), arrival_time=0.001)
    async with Server(config) as server:
        add_person(server.store, JULIET)
        for n in range(60):
            await server.store.add_message(ROMEO, JULIET, f"{n} {'x' * 6000}", 0.0)
        async with _deaf_juliet(server) as juliet, asyncio.timeout(WAIT):
            (phone,) = server._guests
            assert isinstance(phone, Phone)
            while server._services.metrics.pushes < 60:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.001)
            assert phone._handover.is_waiting
            juliet.shutdown(socket.SHUT_WR)
            while server._guests:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert server.store.count_messages(JULIET, 60) > 0


async def test_a_message_that_arrived_is_deleted(tmp_path: Path) -> None:
    """Once the client's system has acknowledged it, a message waits no longer."""
    async with Server(Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))) as server:
        for uin in (ROMEO, JULIET):
            add_person(server.store, uin)
        server.store.add_friends(ROMEO, JULIET)
        await server.store.add_message(ROMEO, JULIET, "hi", 0.0)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.listening[0].port)
        await _say(writer, sign_in_line(JULIET))
        assert b"RS=0" in await reader.readline()
        assert b"MG=hi" in await reader.readline()
        while server.store.count_messages(JULIET, 1):  # noqa: ASYNC110  # the system tells nobody
            await asyncio.sleep(0.01)
        writer.close()
        await writer.wait_closed()
