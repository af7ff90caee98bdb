"""How lines travel: one way in for all schemes, and a transport that shows its lines."""

from collections import deque
from pathlib import Path

import pytest

import chains
import secured
from kqq.client.transport import (
    Address,
    Http,
    Tcp,
    Transport,
    Watched,
    make_trust,
    open_transport,
)
from kqq.errors import ConnectionLost
from kqq.protocol import Line
from kqq.server import Config, Listen, Server
from serving import quiet_port
from strangers import Then, stranger

LOGOUT = b"VER=1.4&CON=1&CMD=Logout&SEQ=1&UIN=10001&SID=&XP=\r\n"
ANSWER = b"VER=1.1&CMD=LOGOUT&SEQ=1&UIN=10001&RES=0\r\n"


@pytest.mark.parametrize(
    ("scheme", "kind", "pushes"),
    [
        ("tcp", Tcp, True),
        ("kqq", Tcp, True),
        ("kqqs", Tcp, True),
        ("http", Http, False),
        ("https", Http, False),
    ],
)
async def test_every_scheme_opens_a_transport(
    tmp_path: Path, scheme: str, kind: type, *, pushes: bool
) -> None:
    """Whatever the scheme, a line goes to the server and its reply comes back."""
    shown = secured.make(tmp_path, chains.HERE)
    trusted = tmp_path / "authority.pem"
    trusted.write_text(chains.AUTHORITY)
    doors = (Listen("127.0.0.1", 0), Listen("127.0.0.1", 0, "kqqs"))
    config = Config(data=tmp_path, listen=doors, certificate=shown.certificate, key=shown.key)
    async with Server(config) as server:
        port = server.listening[scheme in ("kqqs", "https")].port
        address = Address.parse(f"{scheme}://127.0.0.1:{port}")
        transport = await open_transport(address, trust=make_trust(trusted))
        assert isinstance(transport, kind)
        assert transport.pushes is pushes
        for _ in range(2):
            await transport.send(LOGOUT)
            assert await transport.receive() == ANSWER
        await transport.close()
        await transport.close()
        await secured.until(server, 0)


@pytest.mark.parametrize("scheme", ["tcp", "kqqs", "http", "https"])
async def test_an_address_where_nobody_is_shows_at_once(scheme: str) -> None:
    """All schemes connect when they are opened, so that the next address can be tried."""
    with pytest.raises(ConnectionLost, match="Connection refused"):
        await open_transport(Address("127.0.0.1", quiet_port(), scheme))


@pytest.mark.parametrize("scheme", ["kqqs", "https"])
async def test_the_time_to_connect_is_the_callers(scheme: str) -> None:
    """Who has more addresses to try waits less for each."""
    async with stranger(b"", Then.WAIT) as port:
        with pytest.raises(ConnectionLost, match=r"did not answer within 0\.05 s"):
            await open_transport(Address("127.0.0.1", port, scheme), timeout=0.05)


class Script:
    """A transport that gives pieces, and keeps what is sent."""

    def __init__(self, *pieces: bytes, pushes: bool = True) -> None:
        self.pushes = pushes
        self.pieces = deque(pieces)
        self.sent = b""
        self.is_closed = False

    async def send(self, data: bytes) -> None:
        """Keep it."""
        self.sent += data

    async def receive(self) -> bytes:
        """Give the next piece."""
        return self.pieces.popleft() if self.pieces else b""

    async def close(self) -> None:
        """Be closed."""
        self.is_closed = True


async def test_a_watched_transport_shows_whole_lines() -> None:
    """Lines are shown once they are whole, with their direction, and bytes pass unchanged."""
    seen: list[tuple[str, Line]] = []
    script = Script(b"VER=1.1&R", b"ES=0\r\nVER")
    watched: Transport = Watched(script, lambda way, line: seen.append((way, line)))
    await watched.send(b"VER=1.4&CMD=Log")
    await watched.send(b"out\r\nVER=1.4\r\n")
    assert script.sent == b"VER=1.4&CMD=Logout\r\nVER=1.4\r\n"
    assert [await watched.receive() for _ in range(3)] == [b"VER=1.1&R", b"ES=0\r\nVER", b""]
    await watched.close()
    assert script.is_closed
    assert [(way, line.text) for way, line in seen] == [
        (">", "VER=1.4&CMD=Logout"),
        (">", "VER=1.4"),
        ("<", "VER=1.1&RES=0"),
    ]


@pytest.mark.parametrize("pushes", [False, True])
def test_a_watched_transport_pushes_if_the_other_does(*, pushes: bool) -> None:
    """Who looks at a transport cannot tell that it is watched."""
    assert Watched(Script(pushes=pushes), lambda way, line: None).pushes is pushes
