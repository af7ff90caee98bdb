"""Connections that are cut after so many bytes: what came, what went, and who learns of it."""

import asyncio
from contextlib import suppress

import pytest

from kqq.client import Client
from kqq.errors import ConnectionLost
from kqq.protocol import Push, ServerMsg
from kqq.testing import PASSWORD, Cutting, ManualClock, MemoryLink, Town


class Echo(asyncio.Protocol):
    """A server that says what it hears."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Say it again."""
        self.heard += data
        self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.lost = exc


async def turns() -> None:
    """Let happen what is due."""
    for _ in range(5):
        await asyncio.sleep(0)


async def all_of(transport: Cutting) -> bytes:
    """Return what comes until the cut."""
    came = b""
    try:
        while True:
            came += await transport.receive()
    except ConnectionLost:
        return came


@pytest.mark.parametrize("after", range(7))
async def test_bytes_sent_up_to_the_cut_arrive(after: int) -> None:
    """Neither one less nor one more; then both ends see it."""
    echo = Echo()
    transport = Cutting(MemoryLink(echo), after_sent=after)
    assert transport.pushes
    if after:
        await transport.send(b"abc")
        await turns()
    if after > 3:
        await transport.send(b"def")
    await turns()
    assert echo.heard == b"abcdef"[:after]
    assert transport.is_cut
    assert transport.sent == after
    assert isinstance(echo.lost, ConnectionResetError)
    with pytest.raises(ConnectionLost):
        await transport.send(b"more")
    assert await all_of(transport) == (b"abc" if after > 3 else b"")
    await transport.close()


@pytest.mark.parametrize("after", range(7))
async def test_bytes_received_up_to_the_cut_come(after: int) -> None:
    """Neither one less nor one more, and what is beyond never left the server."""
    echo = Echo()
    transport = Cutting(MemoryLink(echo), after_received=after)
    if after:
        await transport.send(b"abc")
        await transport.send(b"def")
        await turns()
        assert not transport.is_cut
        assert echo.transport.get_write_buffer_size() == 6 - after
    assert await all_of(transport) == b"abcdef"[:after]
    assert transport.is_cut
    assert transport.received == after
    await turns()
    assert isinstance(echo.lost, ConnectionResetError)


async def test_without_a_number_nothing_is_cut() -> None:
    """It is a link like any other."""
    echo = Echo()
    transport = Cutting(MemoryLink(echo))
    assert transport.left == (None, None)
    await transport.send(b"abc")
    assert await transport.receive() == b"abc"
    await transport.close()
    await turns()
    assert not transport.is_cut
    assert echo.lost is None


async def test_cut_later() -> None:
    """It can be said at any time when to cut; what has come does not count."""
    transport = Cutting(MemoryLink(Echo()))
    await transport.send(b"abc")
    await turns()
    transport.cut_after(sent=2, received=5)
    assert transport.left == (2, 8)
    await transport.send(b"defg")
    await turns()
    assert transport.is_cut
    assert transport.sent == 5
    assert transport.left.count(None) == 2
    transport = Cutting(MemoryLink(Echo()), after_sent=1)
    transport.cut_after()
    await transport.send(b"abc")
    assert not transport.is_cut
    transport.cut()
    assert transport.is_cut


async def _messages(client: Client) -> list[ServerMsg]:
    """Return what comes until the end."""
    messages: list[Push] = []
    with suppress(ConnectionLost):
        async for push in client.events():
            messages += [push]
    return [push for push in messages if isinstance(push, ServerMsg)]


@pytest.mark.parametrize("after", range(7))
async def test_bytes_that_arrived_may_be_lost_to_the_client(after: int) -> None:
    """The server learns that they have arrived; the first of them is the end of the connection."""
    echo = Echo()
    link = MemoryLink(echo)
    link.swallow = 2
    transport = Cutting(link, after_received=after)
    for data in (b"abc", b"def"):
        await transport.send(data)
    await turns()
    assert echo.transport.get_write_buffer_size() == max(0, 4 - after)
    if after < 6:
        assert await all_of(transport) == b"abcdef"[:after]
        await turns()
        assert transport.is_cut
        assert isinstance(echo.lost, ConnectionResetError)
    else:
        assert await transport.receive() + await transport.receive() == b"abcdef"
        assert not transport.is_cut
    assert transport.received == after
    await transport.close()


async def test_who_closes_after_something_was_swallowed_was_cut() -> None:
    """It may happen in the same moment, as over HTTP, where the server closes, too."""
    link = MemoryLink(Echo())
    link.swallow = 9
    transport = Cutting(link, after_received=1)
    await transport.send(b"abc")
    await turns()
    assert await transport.receive() == b"a"
    await transport.close()
    assert transport.is_cut


async def test_a_message_that_was_cut_is_not_lost() -> None:
    """Wherever the push is cut, the server keeps the message unless the client has it whole."""
    async with Town("Anna", "小波") as town:
        anna = await town.client("Anna")
        kept = []
        for after in range(200):
            transport = Cutting(MemoryLink(town.server.visitor()))
            bo = Client(transport, sleep=ManualClock().sleep)
            await bo.sign_in(town["小波"], PASSWORD)
            transport.cut_after(received=after)
            await anna.send(town["小波"], "hello")
            await town.settle()
            taking = asyncio.create_task(_messages(bo))
            await town.settle()
            await bo.close()
            has_come = await taking
            kept.append(not has_come)
            is_kept = town.store.count_messages(town["小波"], 10) == 1
            assert is_kept or has_come  # once it has come it may be confirmed before the cut
            if not transport.is_cut:
                break
            # Who signs in again gets what was kept.
            again = await town.messenger("小波")
            assert town.store.count_messages(town["小波"], 10) == 0
            await again.close()
            await town.settle()
        assert kept == sorted(kept, reverse=True)
        assert not is_kept
        assert kept.count(False) > 50  # cut behind it, within the answer to the confirmation
        assert kept.count(True) > 50
