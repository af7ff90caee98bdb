"""The relay: every byte goes on, in both directions, and nobody makes it wait or grow."""

import asyncio
import socket
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

import secured
from kqq.address import Door
from kqq.capture.events import Said
from kqq.client.tcp import Address
from kqq.errors import ConfigError, LocalProtocolError
from kqq.protocol import LINE_LIMIT, CltMsg, CltMsgReply, Role, http_request, http_response
from kqq.proxy.passage import Fate, Passage
from kqq.proxy.relay import Limits, Relay
from process import Process
from proxy.between import PUSH, SAID, SAY, Link, Watched, between
from stage import sign_in_line


async def until(condition: Callable[[], object]) -> None:
    """Let other things go on until something holds."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("waited in vain")


GARBAGE = b"\xff\x00VER=1.4&CON=1&CMD=\r\n&UIN=10001\x80&&==\n\n\r\r\n" * 50


async def test_lines_go_both_ways_as_they_came() -> None:
    """With what they mean, beside what they answer; either end may speak at any time."""
    async with between() as place:
        client, server = await place.both()
        await client.say(SAY)
        assert await server.hear() == SAY
        await server.say(PUSH.encode() + b"\n")
        assert await client.hear() == PUSH + "\n"
        await server.say(SAID)
        assert await client.hear() == SAID
        asked, pushed, answered = place.watched.lines
        said: Said = answered.said
        assert isinstance(asked.said.message, CltMsg)
        assert isinstance(said.message, CltMsgReply)
        assert said.request is asked.said
        assert pushed.said.request is None
        assert (said.number, said.stream, said.over, said.sender) == (3, 1, "tcp", Role.SERVER)
        assert said.client == place.flow.client
        assert said.server == place.flow.server
        assert said.server is not None
        assert said.server.port == place.relay.upstream.port
        assert [one.fate for one in place.watched.lines] == [Fate.PASSED] * 3
        assert repr(asked).startswith("Passage(1, passed, Line('VER=1.4")
        await client.close()
        assert await server.hear() == ""
        await server.close()
        await place.watched.until(lambda: place.watched.flows == ["opened", "closed"])
        assert place.relay.flows == []


@pytest.mark.parametrize(
    "data",
    [
        GARBAGE,
        bytes(range(256)) * 300,
        b"VER=1.4&MG=" + b"x" * 3 * LINE_LIMIT + b"\r\n" + SAY.encode() + b"\n",
        b"\n" * 100_000,
        http_request("x", 1, SAY.encode()) * 50,
        b"POST HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\n\r\n" + SAID.encode() * 5000,
        b"\x16\x03\x01" + bytes(5000),
        b"",
    ],
    ids=["garbage", "bytes", "long", "line ends", "posts", "bad post", "answer", "TLS", "nothing"],
)
async def test_whatever_comes_goes_on_byte_for_byte(data: bytes) -> None:
    """In both directions, and the end of it, too."""
    async with between() as place:
        client, server = await place.both()
        for one, other in ((client, server), (server, client)):
            hearing = asyncio.create_task(other.hear_all())
            for at in range(0, len(data), 9999):
                await one.say(data[at : at + 9999])
            one.end()
            assert await hearing == data


async def test_each_direction_can_be_closed_for_itself() -> None:
    """A client that has said its last still hears."""
    async with between() as place:
        client, server = await place.both()
        await client.say(SAY)
        client.end()
        assert await server.hear_all() == f"{SAY}\r\n".encode()
        await server.say(SAID)
        assert await client.hear() == SAID
        assert place.watched.flows == ["opened"]
        server.end()
        assert await client.hear() == ""
        await place.watched.until(lambda: place.watched.flows == ["opened", "closed"])


@pytest.mark.parametrize("by_client", [True, False])
async def test_a_reset_is_handed_on(by_client: bool) -> None:
    """As a reset, not as an end in good order; what waited is lost."""
    async with between(lambda passage: passage.hold()) as place:
        client, server = await place.both()
        one, other = (client, server) if by_client else (server, client)
        await other.say(SAY)
        held = await place.watched.line(0, Fate.HELD)
        one.reset()
        with pytest.raises(ConnectionResetError):
            await other.hear()
        await place.watched.until(lambda: place.watched.flows == ["opened", "reset"])
        assert held.fate is Fate.LOST
        with pytest.raises(LocalProtocolError, match="a line that is lost"):
            held.release()


async def test_a_judge_edits_drops_delays_and_holds() -> None:
    """Each line is judged once; what is behind one that waits, waits."""

    def judge(passage: Passage) -> None:
        match passage.said.line.values().get("MG"):
            case "edit":
                passage.edit(f"{SAY}!")
            case "drop":
                passage.drop()
            case "delay":
                passage.delay(0.1)
            case "hold":
                passage.hold()

    async with between(judge) as place:
        client, server = await place.both()
        loop = asyncio.get_running_loop()
        for text in ("edit", "drop", "none"):
            await client.say(SAY.replace("hi", text))
        assert await server.hear() == f"{SAY}!"
        assert await server.hear() == SAY.replace("hi", "none")
        begun = loop.time()
        await client.say(SAY.replace("hi", "delay"), SAY)
        assert await server.hear() == SAY.replace("hi", "delay")
        assert loop.time() - begun >= 0.09
        assert await server.hear() == SAY
        await client.say(SAY.replace("hi", "hold"), SAY)
        held = await place.watched.line(5, Fate.HELD)
        behind = await place.watched.line(6)
        assert place.flow.waiting == [held, behind]
        await server.say(SAID)
        assert await client.hear() == SAID  # the other direction goes on
        behind.edit(SAY + "?")
        held.release()
        assert await server.hear() == SAY.replace("hi", "hold")
        assert await server.hear() == SAY + "?"
        fates = [(one.fate, one.edited is not None) for one in place.watched.lines]
        passed = (Fate.PASSED, False)
        assert fates == [
            (Fate.PASSED, True), (Fate.DROPPED, False), passed, passed, passed, passed,
            (Fate.PASSED, True), passed,
        ]  # fmt: skip


async def test_lines_can_be_put_in() -> None:
    """Towards either end, before what waits; never into the middle of another line."""
    async with between(lambda passage: passage.hold(), patience=0.05) as place:
        client, server = await place.both()
        await client.say(SAY)
        await place.watched.line(0, Fate.HELD)
        put = place.flow.inject("VER=1.4&CMD=List", Role.SERVER)
        assert put.is_injected
        assert await server.hear() == "VER=1.4&CMD=List"
        place.flow.inject(PUSH, Role.CLIENT)
        assert await client.hear() == PUSH
        await server.say(SAID[:10].encode())
        assert await client.hear_bytes(10) == SAID[:10].encode()
        late = place.flow.inject(PUSH, Role.CLIENT)
        assert late.fate is Fate.WAITING
        dropped = place.flow.inject(PUSH, Role.CLIENT)
        dropped.drop()
        await server.say(SAID[10:])
        assert await client.hear() == SAID[10:]
        assert await client.hear() == PUSH
        answered = place.watched.lines[-1]
        assert answered.is_late
        assert not answered.is_open
        with pytest.raises(LocalProtocolError, match="has gone already"):
            answered.edit("VER=1")


async def test_only_so_many_lines_are_put_in_for_who_takes_none() -> None:
    """A rule that says more than somebody hears does not fill the memory."""
    async with between() as place:
        client, _ = await place.both()
        for _ in range(256):
            place.flow.inject(PUSH, Role.CLIENT)
        with pytest.raises(LocalProtocolError, match="256 lines that were put in wait for the cli"):
            place.flow.inject(PUSH, Role.CLIENT)
        assert await client.hear() == PUSH
        place.flow.inject(PUSH, Role.CLIENT)


async def test_over_http_a_line_is_put_in_as_a_post() -> None:
    """On a connection of its own; the answer is shown and goes to nobody."""
    async with between() as place:
        client, server = await place.both()
        await client.say(http_request("x", 1, SAY.encode()))
        await place.watched.line(0, Fate.PASSED)
        flow = place.flow
        assert flow.over == "http"
        with pytest.raises(LocalProtocolError, match="nothing but answers"):
            flow.inject(PUSH, Role.CLIENT)
        await client.close()
        await server.close()
        await until(lambda: not place.relay.flows)
        for answer in (
            http_response(f"{SAID}\r\n".encode()),
            b"HTTP/1.0 200\r\n\r\n" + SAID.encode(),
        ):
            count = len(place.watched.lines)
            put = flow.inject(SAY + "!", Role.SERVER)
            ours = await place.servers.get()
            wanted = http_request("127.0.0.1", place.relay.upstream.port, f"{SAY}!".encode())
            assert await ours.hear_bytes(len(wanted)) == wanted
            await ours.say(answer)
            ours.end()
            heard = await place.watched.line(count + 1, Fate.DROPPED)
            assert (put.fate, put.is_injected) == (Fate.PASSED, True)
            assert heard.said.line.text == SAID
            assert heard.said.request is put.said
        flow.inject(SAY, Role.SERVER).drop()
        await (await place.servers.get()).hear_all()
        flow.inject(SAY, Role.SERVER)
        (await place.servers.get()).reset()
        await place.watched.until(lambda: place.watched.notes)
        place.relay.upstream = Address("127.0.0.1", 1)
        lost = flow.inject(SAY, Role.SERVER)
        for _ in range(99):
            flow.inject(SAY, Role.SERVER)
        with pytest.raises(LocalProtocolError, match="100 posts at the same time are enough"):
            flow.inject(SAY, Role.SERVER)
        await place.watched.until(lambda: lost.fate is Fate.LOST)
        assert "is a server running there?" in place.watched.notes[-1]


async def test_an_edit_over_http_has_the_length_that_fits() -> None:
    """In both directions; what is no line is told in a note."""

    def judge(passage: Passage) -> None:
        passage.edit(passage.line.text + "!!!")

    async with between(judge) as place:
        client, server = await place.both()
        await client.say(http_request("x", 1, SAY.encode()))
        wanted = http_request("x", 1, f"{SAY}!!!".encode())
        assert await server.hear_bytes(len(wanted)) == wanted
        await server.say(http_response(f"{SAID}\r\n".encode()))
        wanted = http_response(f"{SAID}!!!\r\n".encode())
        assert await client.hear_bytes(len(wanted)) == wanted
        assert place.watched.lines[1].said.request is place.watched.lines[0].said
        await client.say(b"GET /page HTTP/1.1\r\n\r\n")
        await server.hear()
        assert place.watched.notes == ["GET /page HTTP/1.1"]
        await client.say(b"nonsense " * 10)
        await place.watched.until(lambda: len(place.watched.notes) == 2)
        assert "no HTTP" in place.watched.notes[1]


async def test_a_captcha_answers_a_sign_in() -> None:
    """It is what came of it; and of many requests without a reply only the last are kept."""
    async with between() as place:
        client, server = await place.both()
        await client.say(sign_in_line(10001))
        assert await server.hear()
        await server.say("VER=1.1&CMD=VERIFYCODE&SEQ=200&UIN=10001&RES=0&SC=1&NT=&VC=89")
        await client.hear()
        first, answer = place.watched.lines
        assert answer.said.request is first.said
        for number in range(300):
            await client.say(SAY.replace("204", str(1000 + number)))
        for _ in range(300):
            await server.hear()
        for number in (1000, 1299):
            await server.say(SAID.replace("204", str(number)))
        await client.hear()
        await client.hear()
        assert [line.said.request is None for line in place.watched.lines[-2:]] == [True, False]


async def test_what_does_not_end_goes_on_after_a_while() -> None:
    """A client that sends no line ends, and another protocol, are not kept waiting for ever."""
    async with between(patience=0.02) as place:
        client, server = await place.both()
        await client.say(b"\x05HELLO THERE, I AM ANOTHER")
        assert len(await server.hear_bytes(26)) == 26
        await client.say(b"x")
        assert await server.hear_bytes(1) == b"x"
        await server.say(SAID.encode())
        assert await client.hear_bytes(len(SAID)) == SAID.encode()
        assert any("another protocol" in note for note in place.watched.notes)
        assert any("did not come in time" in note for note in place.watched.notes)


# --- those who will not play ---------------------------------------------------------------------


async def _flood(link: Link) -> None:
    while True:
        link.writer.write(GARBAGE)
        await link.writer.drain()


async def test_a_reader_that_is_slow_slows_the_other_end() -> None:
    """Nothing is gathered for who does not read; the other direction, and others, go on."""
    async with between() as place:
        client, server = await place.both()
        tracemalloc.start()
        try:
            flooding = asyncio.create_task(_flood(client))
            await asyncio.wait({flooding}, timeout=0.5)
            assert not flooding.done()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # Nearly all that was sent is in the buffers of the system.
        assert peak < 20 * 2**20
        await server.say(SAID)
        assert await client.hear() == SAID
        other, far = await place.both()
        await other.say(SAY)
        assert await far.hear() == SAY
        flooding.cancel()


@pytest.mark.parametrize(("waiting", "most"), [(1 << 20, 256), (20_000, 36)])
async def test_a_held_line_stops_who_floods(waiting: int, most: int) -> None:
    """Only so many lines are read behind it, and so many bytes."""

    def judge(passage: Passage) -> None:
        if passage.said.sender is Role.CLIENT:
            passage.hold()

    async with between(judge, waiting=waiting) as place:
        client, server = await place.both()
        flooding = asyncio.create_task(client.say(f"{SAY}\r\n".encode() * 100_000))
        await place.watched.line(most - 1, Fate.HELD)
        for _ in range(3):  # while others go on
            await server.say(PUSH)
            assert await client.hear() == PUSH
        flow = place.flow
        assert len(flow.waiting) == most
        server.reset()
        for passage in flow.waiting:
            passage.drop()
        await place.watched.until(lambda: place.watched.flows[-1] == "reset")
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)


async def test_a_client_without_a_server_is_sent_away() -> None:
    """With the reason for people, and a reset for the client."""
    watched = Watched()
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        relay = Relay(Address("127.0.0.1", nobody.getsockname()[1]), watch=watched)
        listen = await relay.open(Door("127.0.0.1", 0))
        link = Link(*await asyncio.open_connection(listen.host, listen.port))
        with pytest.raises(ConnectionResetError):
            await link.hear()
        await link.close()
        assert "is a server running there?" in watched.notes[0]
        assert watched.flows == []
        await relay.close()


async def test_there_may_be_only_so_many_connections() -> None:
    """One more is sent away, and people are told once, not for each."""
    async with between(connections=2) as place:
        pairs = [await place.both() for _ in range(2)]
        for _ in range(3):
            with pytest.raises((ConnectionError, AssertionError)):
                assert await (await place.client()).hear()
        assert place.watched.notes == ["2 connections are enough; no more"]
        await pairs[0][0].close()
        await pairs[0][1].close()
        await place.watched.until(lambda: "closed" in place.watched.flows)
        await place.both()


async def test_a_connection_can_be_ended() -> None:
    """Both halves of it, also while the server is being reached."""
    async with between() as place:
        client, server = await place.both()
        place.flow.close()
        for link in (client, server):
            with pytest.raises(ConnectionResetError):
                await link.hear()
        assert place.watched.flows == ["opened", "reset"]
        await place.client()
        await until(lambda: place.relay.flows)
        flow = place.flow
        with pytest.raises(LocalProtocolError, match="no server yet"):
            flow.inject(PUSH, Role.CLIENT)
        assert flow.over == "tcp"
        flow.close()
        await until(lambda: not place.relay.flows)


async def test_what_goes_wrong_in_a_judge_ends_the_relay() -> None:
    """It is not swallowed: `run` raises it; nothing that was said is lost by it."""

    def judge(passage: Passage) -> None:
        raise RuntimeError("no judge")

    watched = Watched()
    relay = Relay(Address("127.0.0.1", 1), judge=judge, watch=watched)
    await relay.open(Door("127.0.0.1", 0))
    passage = object.__new__(Passage)
    relay.judged(passage)
    relay.judged(passage)
    with pytest.raises(RuntimeError, match="no judge"):
        await relay.run()
    await relay.close()


async def test_a_door_that_cannot_be_opened() -> None:
    """One error with the reason."""
    relay = Relay(Address("127.0.0.1", 1))
    await relay.close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot listen on kqq://127"):
            await relay.open(Door("127.0.0.1", taken.getsockname()[1]))
    with pytest.raises(ConfigError, match="cannot listen on"):
        await relay.open(Door("a..b", 0))


# --- real servers --------------------------------------------------------------------------------


async def test_before_a_real_server(tmp_path: Path) -> None:
    """Somebody signs in through the relay as without it, over TCP and over HTTP."""
    server = Process(tmp_path)
    watched = Watched()
    try:
        relay = Relay(Address("127.0.0.1", server.port), watch=watched)
        listen = await relay.open(Door("127.0.0.1", 0))
        link = Link(*await asyncio.open_connection(listen.host, listen.port))
        answer = await link.ask(sign_in_line(10001))
        assert "CMD=Login&SEQ=200&UIN=10001&RES=5" in answer
        await link.close()
        link = Link(*await asyncio.open_connection(listen.host, listen.port))
        await link.say(http_request("127.0.0.1", server.port, sign_in_line(10001).encode()))
        assert b"CMD=Login&SEQ=200&UIN=10001&RES=5" in await link.hear_all()
        await link.close()
        assert [line.said.over for line in watched.lines] == ["tcp", "tcp", "http", "http"]
        await relay.close()
    finally:
        server.stop()


async def test_before_a_server_with_tls(tmp_path: Path) -> None:
    """Clients speak without; one that has said its last still gets the answer."""
    certificate = secured.make(tmp_path)
    async with secured.serving(tmp_path / "data", certificate) as server:
        address = Address("127.0.0.1", server.listening[0].port, "kqqs")
        relay = Relay(address, trust=certificate.trusted(), limits=Limits(patience=0.2))
        listen = await relay.open(Door("127.0.0.1", 0))
        link = Link(*await asyncio.open_connection(listen.host, listen.port))
        await link.say(sign_in_line(10001))
        link.end()
        assert b"CMD=Login&SEQ=200&UIN=10001&RES=0&RS=0" in await link.hear_all()
        await link.close()
        await until(lambda: not relay.flows)
        await relay.close()
