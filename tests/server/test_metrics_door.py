"""The door for Prometheus, over real sockets."""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kqq.errors import ConfigError
from kqq.protocol.post import HttpResponse, ResponseReader
from kqq.server.metrics import CONTENT_TYPE, Metrics
from kqq.server.metrics_door import TIME, VISITORS, MetricsDoor
from stage import ManualClock

WAIT = 10


class Patient:
    """Somebody whose health is asked for."""

    def __init__(self) -> None:
        self.wrong: str | Exception | None = None
        self.is_slow = False
        self.was_asked = asyncio.Event()

    async def health(self) -> str | None:
        """Say what is wrong."""
        self.was_asked.set()
        if self.is_slow:
            await asyncio.Event().wait()
        if isinstance(self.wrong, Exception):
            raise self.wrong
        return self.wrong


class House:
    """An open door, and what stands behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.metrics = Metrics(self.clock)
        self.patient = Patient()
        self.door = MetricsDoor(self.metrics, self.patient.health, self.clock)
        self.port = 0

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a new connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, data: bytes, *, then_stop: bool = False) -> bytes:
        """Send bytes and return all that comes until the connection is closed."""
        reader, writer = await self.connect()
        writer.write(data)
        if then_stop:
            writer.write_eof()
        async with asyncio.timeout(WAIT):
            answer = await reader.read()
        writer.close()
        return answer

    async def get(self, path: str, method: str = "GET") -> HttpResponse:
        """Return the answer to a request."""
        answer = await self.ask(f"{method} {path} HTTP/1.1\r\nHost: kqq\r\n\r\n".encode())
        reader = ResponseReader()
        responses = reader.feed(answer) + reader.feed(b"")
        assert len(responses) == 1
        assert not reader.error
        return responses[0]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something holds."""
        async with asyncio.timeout(WAIT):
            while not holds():  # noqa: ASYNC110  # what the system does sets no event
                await asyncio.sleep(0.001)

    def visitors(self) -> int:
        """Return how many are there."""
        return self.clock.due


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A door that is open on this machine."""
    house = House()
    house.port = await house.door.open("127.0.0.1", 0)
    yield house
    await house.door.close()


async def test_metrics_by_an_ordinary_client(house: House) -> None:
    """What Prometheus would get is what the server counts."""
    house.metrics.pushes = 12

    def fetch() -> tuple[str | None, bytes]:
        with urlopen(f"http://127.0.0.1:{house.port}/metrics?a=b", timeout=WAIT) as answer:
            return answer.headers["Content-Type"], answer.read()

    kind, text = await asyncio.to_thread(fetch)
    assert kind == CONTENT_TYPE
    families = {family.name: family for family in text_string_to_metric_families(text.decode())}
    assert families["kqq_pushes"].samples[0].value == 12
    assert "python_info" in families


async def test_health(house: House) -> None:
    """Nothing wrong is 200; whatever is wrong is 503 and said in words."""
    answer = await house.get("/health")
    assert (answer.status, answer.body) == (200, b"ok\n")
    house.patient.wrong = "the disk is full: 磁盘\udc80"
    answer = await house.get("/health")
    assert (answer.status, answer.body.decode()) == (503, "the disk is full: 磁盘\\udc80\n")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/metrics/"), ("GET", "/healthy"), ("PUT", "/metrics"), ("GET", "")],
)
async def test_everything_else_is_not_there(house: House, method: str, path: str) -> None:
    """Other paths and methods are 404, with a word about what there is."""
    answer = await house.get(path, method)
    assert (answer.status, answer.body) == (404, b"ask for /metrics or /health with GET\n")


@pytest.mark.parametrize(("path", "status"), [("/metrics", 200), ("/health", 200), ("/x", 404)])
async def test_head_is_told_no_body(house: House, path: str, status: int) -> None:
    """HEAD gets the head of what GET would."""
    whole = (await house.get(path)).header("Content-Length")
    answer = await house.ask(f"HEAD {path} HTTP/1.1\r\nHost: kqq\r\n\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert body == b""
    if path != "/metrics":
        assert f"Content-Length: {whole}\r\n".encode() in head


async def test_failure_is_logged_and_told(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """A check that fails itself is 500, its words are in the log only."""
    house.patient.wrong = RuntimeError("no such thing")
    answer = await house.get("/health")
    assert (answer.status, answer.body) == (500, b"this failed; the log of the server says why\n")
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "failed path=/health")
    assert record.exc_info
    assert record.exc_info[1] is house.patient.wrong


async def test_numbers_that_fail(house: House) -> None:
    """Somebody who is asked for a number and fails does not end the door."""
    house.metrics.password_checks_waiting = lambda: int("many")
    assert (await house.get("/metrics")).status == 500
    assert (await house.get("/health")).status == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/2.0\r\n\r\n", b"505"),
        (b"GET /metrics HTTP/1.1\r\nA: " + b"a" * 9000, b"431"),
        (b"GET /metrics HTTP/1.1\r\nContent-Length: 1025\r\n\r\n", b"413"),
    ],
)
async def test_what_is_no_request_is_refused(house: House, data: bytes, status: bytes) -> None:
    """Bytes that are no request, or too many, get the status that fits."""
    assert (await house.ask(data)).startswith(b"HTTP/1.1 " + status)


async def test_request_in_pieces_and_only_one(house: House) -> None:
    """A request may come byte by byte; what follows it is not answered."""
    reader, writer = await house.connect()
    for byte in b"GET /health HTTP/1.0\n\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    async with asyncio.timeout(WAIT):
        answer = await reader.read()
    writer.close()
    assert answer.endswith(b"\r\n\r\nok\n")
    answer = await house.ask(b"GET /health HTTP/1.1\r\n\r\n" * 3)
    assert answer.count(b"HTTP/1.1") == 1


async def test_who_stops_talking_is_still_answered(house: House) -> None:
    """The end of what a client sends is no reason to forget its request; half a request is."""
    answer = await house.ask(b"GET /health HTTP/1.1\r\n\r\n", then_stop=True)
    assert answer.endswith(b"ok\n")
    assert await house.ask(b"GET /hea", then_stop=True) == b""


async def test_who_says_nothing_is_cut_off(house: House) -> None:
    """After ten seconds without a request the connection ends; not before."""
    reader, writer = await house.connect()
    writer.write(b"GET /hea")
    await house.until(lambda: house.visitors() == 1)
    house.clock.advance(TIME - 0.1)
    assert house.visitors() == 1
    house.clock.advance(0.1)
    with pytest.raises(ConnectionError):
        await read_all(reader)
    writer.close()
    await house.until(lambda: house.visitors() == 0)


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the end."""
    async with asyncio.timeout(WAIT):
        data = await reader.read()
    if not data:
        raise ConnectionResetError("closed without a word")
    return data


async def test_check_that_takes_too_long(house: House) -> None:
    """A server that cannot say within ten seconds whether it is well is not well."""
    house.patient.is_slow = True
    reader, writer = await house.connect()
    writer.write(b"GET /health HTTP/1.1\r\n\r\n")
    await house.patient.was_asked.wait()
    house.clock.advance(TIME)
    answer = await read_all(reader)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.endswith(b"there was no answer within 10 s\n")


async def test_who_goes_away_is_not_worked_for(house: House) -> None:
    """A check nobody waits for any more is given up."""
    house.patient.is_slow = True
    _, writer = await house.connect()
    writer.write(b"GET /health HTTP/1.1\r\n\r\n")
    await house.patient.was_asked.wait()
    no_linger = struct.pack("ii", 1, 0)  # the connection is reset
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
    writer.transport.abort()
    await house.until(lambda: house.visitors() == 0)


async def test_who_goes_on_talking_is_cut_off(house: House) -> None:
    """While an answer is made, some bytes are passed over, not any number."""
    house.patient.is_slow = True
    _, writer = await house.connect()
    writer.write(b"GET /health HTTP/1.1\r\n\r\n")
    await house.patient.was_asked.wait()
    writer.write(b"a" * 100_000)
    await house.until(lambda: house.visitors() == 0)
    writer.close()


async def test_too_many_visitors(house: House) -> None:
    """One more than there is room for is closed; when somebody goes, there is room again."""
    there = [await house.connect() for _ in range(VISITORS)]
    await house.until(lambda: house.visitors() == VISITORS)
    reader, writer = await house.connect()
    with pytest.raises(ConnectionError):
        await read_all(reader)
    writer.close()
    for _, other in there:
        other.close()
    await house.until(lambda: house.visitors() == 0)
    assert (await house.get("/health")).status == 200


async def test_close_cuts_off_who_is_there(house: House) -> None:
    """A door closes at once, may be closed twice, and opened again."""
    reader, writer = await house.connect()
    await house.until(lambda: house.visitors() == 1)
    await house.door.close()
    await house.door.close()
    with pytest.raises(ConnectionError):
        await read_all(reader)
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await house.connect()
    house.port = await house.door.open("127.0.0.1", 0)
    assert (await house.get("/health")).status == 200


async def test_port_that_is_taken() -> None:
    """Nobody listens then, and the error says what to do."""
    house = House()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: the port is taken; choose"):
            await house.door.open("127.0.0.1", port)
    with pytest.raises(ConfigError, match=r"cannot listen for metrics on 192\.0\.2\.1:0"):
        await house.door.open("192.0.2.1", 0)
    await house.door.close()
