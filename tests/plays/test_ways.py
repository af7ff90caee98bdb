"""How people speak: lines and POSTs, with servers that are slow, broken, silent or endless."""

import asyncio
from collections import deque
from collections.abc import Iterable

import pytest

from kqq.errors import ConnectionLost
from kqq.plays.ways import Impossible, Lines, Nothing, Posts, read_answer
from kqq.protocol import HttpResponse, http_response


class Scripted:
    """The other end of a connection, which says pieces of bytes in order, then nothing.

    b"" ends the connection, an error breaks it. With `answers` each line gets one.
    """

    pushes = True

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = deque(pieces)
        self.sent: list[bytes] = []
        self.is_closed = False
        self.send_error: Exception | None = None
        self.is_stuck = False
        self.answers = False

    async def send(self, data: bytes) -> None:
        """Take it."""
        if self.send_error is not None:
            raise self.send_error
        if self.is_stuck:
            await asyncio.Event().wait()
        self.sent.append(data)
        if self.answers:
            seq = data.partition(b"SEQ=")[2].partition(b"&")[0]
            self.pieces.append(b"SEQ=" + seq + b"\r\n")

    async def receive(self) -> bytes:
        """Return the next piece."""
        if not self.pieces:
            await asyncio.Event().wait()
        piece = self.pieces.popleft()
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def close(self) -> None:
        """Note that it was closed."""
        self.is_closed = True


def lines(*ends: Scripted, quiet: float | None = 0.01, wait: float = 0.02) -> Lines:
    """Return a way to these ends, one after the other."""
    left = deque(ends)

    async def connect() -> Scripted:
        return left.popleft()

    return Lines(connect, wait=wait, quiet=quiet)


async def said(way: Lines) -> None:
    """Say something."""
    await way.say(b"A=1", is_exact=False)


async def test_lines() -> None:
    """A connection is made for the first line; lines come one by one, however they are cut."""
    end = Scripted(b"A=1\r\nB=", b"2\r\n")
    way = lines(end)
    assert not way.is_open
    assert await way.rest(1) == []
    assert await way.lose() == []
    await said(way)
    await way.say(b"C=3\n", is_exact=True)
    assert end.sent == [b"A=1\r\n", b"C=3\n"]
    assert [line.text for line in await way.hear()] == ["A=1"]
    assert [line.text for line in await way.rest(1)] == ["B=2"]
    await way.leave()
    assert end.is_closed


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((), "nothing came in 0.02 s"),
        ((b"A=1&PS=abc",), "a line has begun and has no end: 'A=1&PS=***'"),
        ((b"",), "the server closed the connection"),
        ((b"A=1", b""), "closed within a line: 'A=1'"),
        ((b"A=1\n",), "bare LF"),
        ((b"x" * 70_000,), "longer than 65536"),
        ((ConnectionLost("it broke"),), "it broke"),
    ],
)
async def test_nothing_is_heard(pieces: tuple[bytes | Exception, ...], words: str) -> None:
    """What must come and does not is told in words, in time."""
    way = lines(Scripted(*pieces))
    await said(way)
    with pytest.raises(Nothing) as failed:
        await way.hear()
    assert words in str(failed.value)


async def test_nothing_can_be_said() -> None:
    """A server that reads nothing, or has gone, does not hold anybody up."""
    stuck = Scripted()
    stuck.is_stuck = True
    with pytest.raises(Nothing, match="did not take a line"):
        await said(lines(stuck))
    gone = Scripted()
    gone.send_error = ConnectionLost("gone")
    with pytest.raises(Nothing, match="gone"):
        await said(lines(gone))


async def test_again_after_the_end() -> None:
    """Who says something after the end of a connection gets another one."""
    first, second = Scripted(b""), Scripted(b"A=1\r\n")
    way = lines(first, second)
    await said(way)
    with pytest.raises(Nothing):
        await way.hear()
    with pytest.raises(Nothing):
        await way.hear()
    await said(way)
    assert first.is_closed
    assert await way.hear()


async def test_asking_until_nothing_comes() -> None:
    """A server is asked until only the answer comes; what comes before it is all there is."""
    end = Scripted()
    way = lines(end, quiet=None)
    await said(way)
    end.answers = True
    end.pieces.append(b"CMD=update_stat\r\n")
    assert [line.text for line in await way.rest(10001)] == ["CMD=update_stat"]
    questions = [data for data in end.sent if b"Query_Stat2" in data]
    assert len(questions) == 2
    assert questions[0] != questions[1]
    end.pieces.append(b"")
    assert await way.rest(10001) == []


async def test_all_that_comes_before_the_end() -> None:
    """A server that goes may still say something."""
    end = Scripted(b"A=1\r\n", b"")
    way = lines(end)
    await said(way)
    assert len(await way.lose()) == 1
    assert not way.is_open
    broken = lines(Scripted(b"A=1\r\n", ConnectionLost("gone")))
    await said(broken)
    assert len(await broken.rest(1)) == 1


async def test_trouble_at_rest() -> None:
    """What is wrong with a line is told, after the lines before it."""
    way = lines(Scripted(b"A=1\r\nB=2\nC=3\r\n"))
    await said(way)
    assert len(await way.rest(1)) == 1
    with pytest.raises(Nothing, match="bare LF"):
        await way.rest(1)
    assert [line.text for line in await way.rest(1)] == ["C=3"]


class Dripping(Scripted):
    """The other end says something again and again, a little apart."""

    async def receive(self) -> bytes:
        """Return one more line."""
        await asyncio.sleep(0.005)
        return b"CMD=update_stat\r\n"


@pytest.mark.parametrize("quiet", [0.01, None])
async def test_a_server_that_drips(quiet: float | None) -> None:
    """What never ends is not listened to for longer than is waited for anything."""
    way = lines(Dripping(), quiet=quiet)
    await said(way)
    assert 0 < len(await way.rest(1)) < 20


async def test_a_flood() -> None:
    """A server that never stops is not listened to for ever."""
    way = lines(Scripted(*[b"A=1\r\n" * 500] * 10), wait=30.0)
    await said(way)
    assert len(await way.rest(1)) == 2000


# --- HTTP


def posts(*bodies: str | bytes | HttpResponse) -> Posts:
    """Return a way to a server that answers so; the last one is its answer to everything more."""
    left = deque(bodies)

    async def exchange(data: bytes) -> HttpResponse:
        assert data.startswith(b"POST / HTTP/1.1\r\n")
        body = left.popleft() if len(left) > 1 else left[0]
        if isinstance(body, HttpResponse):
            return body
        return HttpResponse(200, (), body.encode() if isinstance(body, str) else body)

    return Posts(exchange)


SIGNED_IN = "VER=1.1&CMD=Login&SEQ=1&UIN=10001&RES=0&RS=0\r\n"
POLL = "VER=1.1&CMD=GETMSGEX&SEQ=2&UIN=10001&RES=0&MN="
EMPTY = f"{POLL}0\r\n"


async def heard(*bodies: str | HttpResponse) -> list[str]:
    """Return what comes at rest to somebody who has signed in."""
    way = posts(SIGNED_IN, *bodies)
    await way.say(b"CMD=Login", is_exact=False)
    await way.hear()
    return [line.text for line in await way.rest(1)]


async def test_posts() -> None:
    """Answers come as they are; what was fetched comes as the pushes that it is elsewhere."""
    way = posts("VER=1.1&CMD=X", SIGNED_IN, f"{POLL}2&MT=9,99,&UN=10002,10003,&MG= ,30,", EMPTY)
    assert way.is_open
    with pytest.raises(Nothing, match="nothing came"):
        await way.hear()  # who has not signed in cannot ask
    await way.say(b"CMD=X", is_exact=False)
    await way.say(b"CMD=Login", is_exact=False)
    assert len(await way.hear()) == 2
    first, second = await way.hear()
    assert first.text == "VER=1.1&CMD=Server_Msg&SEQ=0&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG="
    assert second.text == "VER=1.1&CMD=update_stat&SEQ=0&UIN=10001&RES=0&ST=30&UN=10003"
    with pytest.raises(Nothing):
        await way.hear()
    assert await way.lose() == []
    with pytest.raises(Impossible, match="Only over TCP"):
        await way.leave()


async def test_empty_answer() -> None:
    """Nobody hears an empty answer."""
    way = posts(b"\r\n")
    await way.say(b"CMD=X", is_exact=False)
    assert await way.rest(1) == []


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (["\r\n"], "nothing at all"),
        ([HttpResponse(500)], "status 500"),
        (["VER=1.1&CMD=GETMSGEX"], "cannot be read"),
        ([f"{POLL}2&MT=9,&UN=1,&MG=a,"], "MN=2 and has 1"),
        ([f"{POLL}1&MT=99,&UN=1,&MG=soon,"], "is no number: 'soon'"),
        ([f"{POLL}1&MT=99,&UN=1,&MG={'1' * 5000},"], "is no number: '11"),
        ([f"{POLL}1&MT=9,&UN=1,&MG=a,"], "each of 100 polls"),
    ],
)
async def test_polls_that_go_wrong(answers: list[str | HttpResponse], words: str) -> None:
    """A server that answers polls otherwise, or without end, is found out."""
    with pytest.raises(Nothing) as failed:
        await heard(*answers)
    assert words in str(failed.value)


async def test_polls() -> None:
    """All that waits is fetched, until nothing does; a refusal is nothing, too."""
    assert len(await heard(f"{POLL}1&MT=9,&UN=1,&MG=a,", EMPTY)) == 1
    assert await heard("VER=1.1&CMD=GETMSGEX&SEQ=2&UIN=10001&RES=20\r\n") == []


def pieces(data: bytes) -> Iterable[bytes]:
    """Return bytes one by one."""
    return [data[place : place + 1] for place in range(len(data))]


async def test_reading_an_answer() -> None:
    """An answer is read however it is cut; one that breaks off is none."""
    whole = http_response(b"A=1\r\n")
    assert (await read_answer(Scripted(*pieces(whole)))).body == b"A=1\r\n"
    with pytest.raises(Nothing, match="before its answer was whole"):
        await read_answer(Scripted(whole[:-2], b""))
    with pytest.raises(Nothing, match="begins with HTTP"):
        await read_answer(Scripted(b"hello\r\n\r\n"))
