"""What handlers are made of: one for every command, answers, refusals, and statuses by name."""

from typing import Any

import pytest

from kqq.protocol import ChangeStatReply, Command, GetInfo, Logout, LogoutReply, Reply, encode
from kqq.protocol import Status as WireStatus
from kqq.protocol.declare import REQUESTS
from kqq.server.handlers import HANDLERS, After, Context, Peer, refusal
from kqq.server.handlers.base import from_wire, handles, on_wire, once_stored
from kqq.server.presence import Status
from kqq.server.transaction import nothing_to_write
from stage import ROMEO, Stage

PEER = Peer("192.0.2.1", 50000, "tcp", "kqq://0.0.0.0:14000", "192.0.2.0/24")


def test_every_request_has_a_handler() -> None:
    """Whatever a client may say is answered by something."""
    assert set(HANDLERS) == {spec.cls for spec in REQUESTS.values()}


def test_handles(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decorator lists a function and leaves it as it is."""
    handlers: dict[type[Command], Any] = {}
    monkeypatch.setattr("kqq.server.handlers.base.HANDLERS", handlers)

    def handler(context: Context, message: Logout) -> Reply:
        return LogoutReply(seq=message.seq, uin=message.uin)

    assert handles(Logout)(handler) is handler
    assert handlers == {Logout: handler}


@pytest.mark.parametrize(("res", "number"), [({}, 1), ({"res": 5}, 5), ({"res": 20}, 20)])
def test_refusal(res: dict[str, int], number: int) -> None:
    """A refusal echoes the head and has nothing after RES, which old clients index."""
    line = encode(refusal(GetInfo(seq="007", uin=ROMEO, number=99), **res))
    assert line == b"VER=1.1&CMD=GETINFO&SEQ=007&UIN=10001&RES=%d" % number


def test_once_stored() -> None:
    """What must be on disk first is waited for; where nothing must, the reply is given at once."""
    reply = ChangeStatReply(seq="1", uin=ROMEO)
    stored = nothing_to_write()
    assert once_stored(reply, None) is reply
    assert once_stored(reply, stored) == After(reply, stored)


def test_statuses_have_one_name_on_both_sides() -> None:
    """Each status of the wire is one of the domain, by name, there and back."""
    assert {status.name for status in WireStatus} == {status.name for status in Status}
    for status in Status:
        assert from_wire(on_wire(status)) is status
    assert [on_wire(status) for status in (Status.ONLINE, Status.OFFLINE, Status.HIDDEN)] == [
        10, 20, 40,
    ]  # fmt: skip
    for code in (None, 0, 11, 80, 10**19):
        assert from_wire(code) is None


@pytest.mark.parametrize(
    ("host", "shown"), [("192.0.2.1", "192.0.2.1:50000"), ("2001:db8::1", "[2001:db8::1]:50000")]
)
def test_peer_is_shown_as_an_address(host: str, shown: str) -> None:
    """Logs show it as people write it."""
    assert str(Peer(host, 50000, "tcp", "memory", host)) == shown


async def test_place_counts_over_http_only(stage: Stage) -> None:
    """A connection says itself whose it is; a request over HTTP is known by its place."""
    services = stage.server._services
    attempt = services.journal.begin("192.0.2.1", 50000, PEER.door, "tcp")
    for over, place in (("tcp", None), ("tls", None), ("http", "192.0.2.0/24")):
        peer = Peer(PEER.host, PEER.port, over, PEER.door, PEER.place)
        context = Context(services, peer, attempt, lambda: None, lambda _: None)
        assert context.place == place
        assert context.session is None
