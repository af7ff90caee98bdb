"""The HTTP door: requests as old clients write them, one answer each, no message lost or twice."""

import asyncio
import logging
import re
import socket
import sqlite3
import ssl
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from kqq.client import Tcp
from kqq.protocol import HttpResponse, ResponseReader
from kqq.server import Config, Listen, Server
from kqq.server.config import SmsEntry
from kqq.server.journal import Step
from kqq.server.journal_words import describe
from kqq.server.posts import Post
from kqq.server.presence import Status
from pems import KEY, NEW
from stage import (
    JULIET,
    MD5,
    PARIS,
    ROMEO,
    WAIT,
    MemoryLink,
    Stage,
    Wire,
    add_person,
    request,
    sign_in_line,
)

HOME, CAFE = "192.0.2.1", "192.0.2.2"
LOGOUT = "VER=1.1&CMD=Logout&SEQ=5&UIN=10001"
LOGGED_OUT = b"VER=1.1&CMD=LOGOUT&SEQ=5&UIN=10001&RES=0\r\n"
LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells what was acknowledged, and has 127.0.0.2"
)
POLL = request("GetMsgEx", ROMEO)
OLD_POLL = f"VER=1.1&CMD=GetMsgEx&SEQ=300&UIN={ROMEO}"
SLOW = {"commands_rate": 1.0, "commands_burst": 2}
KEEP = "Connection: keep-alive"


def post(line: str, *headers: str, start: str = "POST / HTTP/1.1") -> bytes:
    """Return a request with its length."""
    body = line.encode("utf-8", "surrogateescape")
    return "\r\n".join([start, *headers, f"Content-Length: {len(body)}", "", ""]).encode() + body


def line_of(answer: HttpResponse) -> str:
    """Return the line in an answer."""
    return answer.body.decode("utf-8", "surrogateescape")


def message(text: str, *, seq: int = 1, to: int = ROMEO) -> str:
    """Return the line by which Juliet writes to somebody."""
    return request("CLTMSG", JULIET, f"UN={to}&MG={text}", seq=seq)


def texts(line: str) -> list[str]:
    """Return the messages in an answer to GetMsgEx."""
    assert "&CMD=GETMSGEX&" in line
    found = re.search(r"&MG=(.*?),?(?:\r\n)?\Z", line)
    return found[1].split(",") if found else []


class Caller:
    """One connection over HTTP in memory."""

    def __init__(self, stage: Stage, host: str = HOME) -> None:
        self.link = stage.link((host, 50000))
        self._stage = stage
        self._reader = ResponseReader()

    async def send(self, data: bytes) -> None:
        """Send bytes and let all happen that follows."""
        await self.link.send(data)
        await self._stage.idle()

    async def end(self) -> None:
        """Say no more."""
        self.link.end()
        await self._stage.idle()

    def answers(self) -> list[HttpResponse]:
        """Return the answers that have come."""
        found = []
        while self.link.writes and self.link.writes[0]:
            found += self._reader.feed(self.link.writes.popleft())
        assert self._reader.error is None
        return found

    def is_over(self) -> bool:
        """Whether the server says no more, and all it said was taken."""
        return self.link.is_over()

    def is_closed(self) -> bool:
        """Whether the server has closed the connection."""
        return self.link.server._over


def post_of(link: MemoryLink) -> Post:
    """Return the server's end of a connection."""
    found = link.server._protocol
    assert isinstance(found, Post)
    return found


@contextmanager
def disk_stands_still(stage: Stage) -> Iterator[None]:
    """Hold SQLite's lock, so that nothing can be written."""
    path = stage.config.data / "kqq.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


async def ask(stage: Stage, data: bytes, host: str = HOME) -> HttpResponse:
    """Return the answer to one request; the server has then ended the connection."""
    caller = Caller(stage, host)
    await caller.send(data)
    (answer,) = caller.answers()
    assert caller.is_over()
    await caller.link.close()
    await stage.idle()
    assert caller.is_closed()
    return answer


async def sign_in(stage: Stage, uin: int, host: str = HOME) -> None:
    """Sign somebody in over HTTP."""
    assert "&RES=0&RS=0&" in await stage.post(sign_in_line(uin), host)


# --- requests as they are written ----------------------------------------------------------------

STARTS = [
    "POST / HTTP/1.1",
    "POST / HTTP/1.0",
    "POST HTTP/1.1",
    "POST  HTTP/1.0",
    "POST /",
    "POST ",
    "POST /any/path?with=query HTTP/1.1",
    "POST http://tqq.tencent.com:14000/ HTTP/1.1",
    "POST /newConf/kjava/aubin2.jsp HTTP/1.1",
    "\r\n\r\nPOST / HTTP/1.1",
]
HEADERS = [
    [],
    ["Host: tqq.tencent.com:8000", "Content-Type: text/plain; charset=UTF-8", "Connection: close"],
    ["Content-Type: text/plain", "User-Agent: UNTRUSTED/1.1", "Host:name:14000"],
    ["Content-Type: application/x-www-form-urlencoded", "Accept: */*"],
    ["Content-Type: text/html", "Cookie: a=b"],
    [
        "Content-Type: text/plain;charset=UTF-8",
        "Accept-Encoding: gzip",
        "Transfer-Encoding: identity",
    ],
    ["Expect: 100-continue", "what is this?", " folded"],
    ["Connection: Keep-Alive, close", "Host: [::1]:14000"],
]


@pytest.mark.parametrize("start", STARTS)
async def test_any_start_of_a_request(stage: Stage, start: str) -> None:
    """Any path or none, any version or none: one line, its length, no chunks, the end."""
    caller = Caller(stage)
    await caller.send(post(LOGOUT, start=start))
    assert caller.link.writes.popleft() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: 42\r\n"
        b"Connection: close\r\nCache-Control: no-store\r\n\r\n" + LOGGED_OUT
    )
    assert caller.is_over()


@pytest.mark.parametrize("headers", HEADERS)
async def test_any_headers(stage: Stage, headers: list[str]) -> None:
    """With or without Host, content type, Expect: none of them counts but the length."""
    assert (await ask(stage, post(LOGOUT, *headers))).body == LOGGED_OUT


@pytest.mark.parametrize(
    "data",
    [
        post(LOGOUT).replace(b"\r\n", b"\n"),
        post(LOGOUT + "\r\n"),
        post(LOGOUT + "\n"),
        post("\x8e\x01" + LOGOUT),
        b"POST / HTTP/1.1\r\ncontent-length: 0034\r\n\r\n" + LOGOUT.encode(),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nVER=1.1&\r\n1A;x=y\r\n"
        + LOGOUT[8:].encode()
        + b"\r\n0\r\nTrailer: x\r\n\r\n",
    ],
)
async def test_any_form_of_a_body(stage: Stage, data: bytes) -> None:
    """LF for CRLF, a line end or a length before the line, chunks: all were sent."""
    assert (await ask(stage, data)).body == LOGGED_OUT


async def test_a_request_in_pieces(stage: Stage) -> None:
    """A request may come in pieces of any size."""
    caller = Caller(stage)
    for byte in post(LOGOUT):
        assert caller.answers() == []
        await caller.send(bytes((byte,)))
    assert [answer.body for answer in caller.answers()] == [LOGGED_OUT]


async def test_values_coded_as_in_forms(stage: Stage) -> None:
    """Percent signs are undone as everywhere, `+` is a plus sign, raw signs after MG are text."""
    await sign_in(stage, JULIET)
    for seq, text in enumerate(("%E4%BD%A0+%26", "R&B=x\n你"), 1):
        line = f"VER=1.4&CMD=CLTMSG&SEQ={seq}&UIN={JULIET}&UN={ROMEO}&MG={text}"
        assert "&RES=0\r\n" in await stage.post(line)
    await sign_in(stage, ROMEO)
    assert texts(await stage.post(POLL)) == ["你+%26", "R%26B=x%0a你"]


@pytest.mark.parametrize("body", [b"", b"\r\n", b"hello", b"a=b&c=d", b"\x16\x03\x01\xff", b"[]"])
async def test_a_body_that_is_no_line_gets_an_empty_one(stage: Stage, body: bytes) -> None:
    """What is no command is answered 200 with nothing (HACK)."""
    answer = await ask(stage, post(body.decode("utf-8", "surrogateescape")))
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "line",
    [
        f"VER=2.7&CMD=Logout&SEQ=5&UIN={ROMEO}",
        "VER=1.1&CMD=Logout&SEQ=5&UIN=Romeo",
        f"VER=1.1&CMD=Login&SEQ=5&UIN={ROMEO}&PS=&M5=1&LC=9326B87B234E7235",
        f"VER=1.1&CMD=Login&SEQ=5&UIN={ROMEO}&PS={MD5}&M5=1&LC=1",
    ],
)
async def test_silence_is_an_empty_body(stage: Stage, line: str) -> None:
    """Where the real servers said nothing, the body is empty (HACK WEI)."""
    answer = await ask(stage, post(line))
    assert (answer.status, answer.body, answer.header("Content-Length")) == (200, b"", "0")


async def test_a_line_that_cannot_be_read(stage: Stage) -> None:
    """It is refused as over TCP: RES=20 without a sign-in, RES=1 with one, which it keeps alive."""
    line = request("Change_Stat", ROMEO, "ST=away", seq=7)
    refusal = f"VER=1.1&CMD=CHANGE_STAT&SEQ=7&UIN={ROMEO}&RES="
    assert await stage.post(line) == f"{refusal}20\r\n"
    await sign_in(stage, ROMEO)
    for _ in range(3):
        await stage.advance(200)
        assert await stage.post(line) == f"{refusal}1\r\n"


# --- requests that are no command, or cannot be read ---------------------------------------------


@pytest.mark.parametrize(
    ("start", "body", "status", "limit"),
    [
        ("GET /register", "", 200, ""),
        ("POST /register", "nick=x&password=secret&again=other", 400, ""),
        ("POST /register", "nick=x&password=secret&again=secret", 429, "accounts made"),
        ("PUT /register", "nick=x", 405, ""),
        ("GET /account", "", 200, ""),
        ("POST /account", f"uin={ROMEO}&password=secret&age=16", 200, ""),
        ("POST /account", f"uin={ROMEO}&password=other&age=16", 429, "sign-ins with this number"),
        ("PUT /account", f"uin={ROMEO}", 405, ""),
    ],
)
async def test_pages(stage: Stage, start: str, body: str, status: int, limit: str) -> None:
    """Browsers get pages at two paths, and limits are noted for the operator."""
    most = 0 if limit else 1
    stage.server.reload(replace(stage.config, registration="open", registrations_per_address=most))
    if limit:
        stage.server._services.limits.account_failures.owe(str(ROMEO), 1000)
    head = f"{start} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = await ask(stage, (head + body).encode())
    assert answer.status == status
    is_page = answer.header("Content-Type") == "text/html; charset=UTF-8"
    assert is_page == (status != 405)
    steps = [step for one in stage.server._services.journal.of_address(HOME) for step in one.steps]
    assert [step.step for step in steps][:2] == [Step.CONNECTED, Step.NOT_KQQ]
    assert all(limit in str(step.details["limit"]) for step in steps if step.step is Step.LIMITED)
    assert (Step.LIMITED in {step.step for step in steps}) == bool(limit)


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("GET / HTTP/1.1", 404),
        ("GET /favicon.ico HTTP/1.0", 404),
        ("HEAD / HTTP/1.1", 404),
        ("PUT / HTTP/1.1", 405),
        ("OPTIONS * HTTP/1.1", 405),
        ("DELETE /newConf/kjava/aubin2.jsp HTTP/1.1", 405),
        ("CONNECT example.org:443 HTTP/1.1", 405),
    ],
)
async def test_other_methods(stage: Stage, start: str, status: int) -> None:
    """Browsers and scanners are told in a line what this is."""
    caller = Caller(stage)
    await caller.send(f"{start}\r\n{KEEP}\r\n\r\n".encode())
    assert caller.link.writes[0].startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"phones POST their commands" in caller.link.writes[0]) == (start[:4] != "HEAD")
    caller.link.writes.popleft()
    assert caller.is_over()
    (attempt,) = stage.server._services.journal.of_address(HOME)
    assert [taken.step for taken in attempt.steps] == [Step.CONNECTED, Step.NOT_KQQ]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 65539\r\n\r\n", 413),
        (post("x" * 65538), 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n", 413),
        (b"POST / HTTP/1.1\r\n\r\n" + b"x" * 65539, 413),
        (b"POST / HTTP/1.1\r\nContent-Length: two\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nCookie: " + b"x" * 17000, 431),
        (b"POST / HTTP/2.0\r\n\r\n", 505),
    ],
)
async def test_requests_that_cannot_be_read(
    stage: Stage, data: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Each gets the status that fits, no body, and the end; the operator can see why."""
    caplog.set_level(logging.INFO)
    answer = await ask(stage, data)
    assert (answer.status, answer.body) == (status, b"")
    assert "unreadable" in caplog.text
    (attempt,) = stage.server._services.journal.of_address(HOME)
    assert attempt.steps[-1].step is Step.UNREADABLE
    assert str(status) in "".join(describe(attempt.as_object())) or status == 413


async def test_a_failure_of_our_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is a 500 and a line in the log; the next request is served."""
    blank = SmsEntry(name="n", address="1", text="")  # a list of one blank text cannot be written
    async with Stage(tmp_path) as stage:
        object.__setattr__(stage.server._config, "sms", (blank,))  # no check would let it through
        answer = await ask(stage, b"GET /newConf/kjava/aubin2.jsp HTTP/1.1\r\n\r\n")
        assert (answer.status, answer.body) == (500, b"")
        assert "failed" in caplog.text
        assert "blank" in caplog.text
        assert (await ask(stage, post(LOGOUT))).body == LOGGED_OUT


# --- the server-config document ------------------------------------------------------------------

CONFIG = "/newConf/kjava/aubin2.jsp"
DOCUMENT = (
    "SERERCONFIG_NUM=2&SERVERCONFIG_TYPE=KQQTCP,KQQHTTP"
    "&SERVERCONFIG_URL=socket://{0}:{1},http://{0}:{1}&UPDATAECONFIG_NUM=0"
    "&UPDATECONFIG_VERSION=&UPDATECONFIG_MUST=N&UPDATECONFIG_URL=&UPDATECONFIG_HELPTXT="
    "&SMSSERVICE_NUM=0&SMSSERVICE_NAME=&SMSSERVICE_ADDRESS=&SMSSERVICE_TEXT=&SMSSERVICE_HELPTXT=\r\n"
)


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ("", "127.0.0.1"),
        ("Host: conf.3g.qq.com\r\n", "conf.3g.qq.com"),
        ("Host:kqq.example:8000\r\n", "kqq.example"),
        ("Host: [2001:db8::1]:80\r\n", "[2001:db8::1]"),
        ("Host: [2001:db8::1]\r\n", "[2001:db8::1]"),
        ("Host: :80\r\n", "127.0.0.1"),
    ],
)
async def test_config_document(tmp_path: Path, headers: str, host: str) -> None:
    """A phone is told the host it has called, and the doors that are open."""
    async with Stage(tmp_path, listen=(Listen("127.0.0.1", 0),)) as stage:
        port = stage.server.listening[0].port
        answer = await ask(stage, f"GET {CONFIG} HTTP/1.0\r\n{headers}\r\n".encode())
        assert (answer.status, line_of(answer)) == (200, DOCUMENT.format(host, port))


async def test_config_document_as_asked_for(tmp_path: Path) -> None:
    """A query and the host of a proxy are no matter; HEAD gets the same head; kept if asked."""
    async with Stage(tmp_path, advertise="kqq.example") as stage:
        caller = Caller(stage)
        await caller.send(f"HEAD {CONFIG} HTTP/1.1\r\n{KEEP}\r\n\r\n".encode())
        head = caller.link.writes.popleft()
        assert head.startswith(b"HTTP/1.1 200 ")
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length is not None
        target = f"http://conf.3g.qq.com{CONFIG}?a=b"
        await caller.send(f"GET {target} HTTP/1.1\r\n{KEEP}\r\n\r\n".encode())
        (answer,) = caller.answers()
        assert len(answer.body) == int(length[1]) > 100


# --- when a request is whole ---------------------------------------------------------------------


async def test_a_body_without_length_is_whole_after_a_second(stage: Stage) -> None:
    """A POST without a length has said all when nothing follows a line end for a second.

    Half a line is no line, however long nothing comes.
    """
    caller = Caller(stage)
    await caller.send(b"POST / HTTP/1.0\r\n\r\nVER=1.1&CMD=Logout")
    await stage.advance(9)
    assert caller.answers() == []
    await caller.send(b"&SEQ=5&UIN=10001\r\n")
    await stage.advance(0.9)
    assert caller.answers() == []
    await stage.advance(0.1)
    assert [answer.body for answer in caller.answers()] == [LOGGED_OUT]
    assert caller.is_over()


async def test_a_body_without_length_is_whole_at_the_end(stage: Stage) -> None:
    """A client that closes its sending side has said all."""
    caller = Caller(stage)
    await caller.send(b"POST / HTTP/1.0\r\n\r\n" + LOGOUT.encode())
    await caller.end()
    assert [answer.body for answer in caller.answers()] == [LOGGED_OUT]
    assert caller.is_closed()


async def test_a_body_that_never_ends(stage: Stage) -> None:
    """Who adds to a body without length for a minute has not said a whole line: 408."""
    caller = Caller(stage)
    await caller.send(b"POST / HTTP/1.0\r\n\r\nVER=1.1&CMD=Logout&SEQ=5&UIN=10001")
    for _ in range(66):
        await stage.advance(0.9)
        await caller.send(b"0")
    await stage.advance(0.6)
    (answer,) = caller.answers()
    assert answer.status == 408
    assert caller.is_over()


@pytest.mark.parametrize(
    "start", [b"POST / ", b"POST / HTTP/1.1\r\nHost: x\r\n", post(LOGOUT)[:-1], b"GET /x"]
)
async def test_a_slow_request(stage: Stage, start: bytes) -> None:
    """A request that is not whole after a minute is given up, however much of it trickles in."""
    caller = Caller(stage)
    await caller.send(start[:5])
    await stage.advance(30)
    await caller.send(start[5:])
    await stage.advance(29.9)
    assert caller.answers() == []
    await stage.advance(0.1)
    (answer,) = caller.answers()
    assert (answer.status, answer.body) == (408, b"")
    await stage.advance(5)
    assert caller.is_closed()
    assert stage.clock.due == 0


async def test_empty_lines_keep_no_connection(stage: Stage) -> None:
    """Line ends between requests are no beginning of one."""
    caller = Caller(stage)
    await caller.send(post(LOGOUT, KEEP))
    assert len(caller.answers()) == 1
    for _ in range(2):
        await stage.advance(20)
        assert not caller.is_closed()
        await caller.send(b"\r\n")
    await stage.advance(20)
    assert caller.is_closed()
    assert caller.answers() == []


@pytest.mark.parametrize("data", [post(LOGOUT)[:-1], b"POST / HTTP/1.1\r\n", b"POST /"])
async def test_a_client_that_leaves_within_a_request(stage: Stage, data: bytes) -> None:
    """Nobody is answered, nothing is done, nothing stays."""
    caller = Caller(stage)
    await caller.send(data)
    await caller.end()
    assert caller.is_closed()
    assert caller.answers() == []
    assert stage.clock.due == 0


async def test_a_client_that_closes_its_sending_side(stage: Stage) -> None:
    """It still gets its answer, and then the end at once."""
    caller = Caller(stage)
    await caller.link.send(post(sign_in_line(ROMEO)))
    await caller.end()
    (answer,) = caller.answers()
    assert "&RS=0&" in line_of(answer)
    assert caller.is_closed()
    assert stage.server._services.sessions.of(ROMEO) is not None


async def test_a_client_that_never_closes(stage: Stage) -> None:
    """After its answer it gets five seconds; what it sends meanwhile is passed over."""
    caller = Caller(stage)
    await caller.send(post(LOGOUT) + b"\r\nand more")
    assert len(caller.answers()) == 1
    await caller.send(post(sign_in_line(ROMEO)))
    await stage.advance(4.9)
    assert not caller.is_closed()
    await stage.advance(0.1)
    assert caller.is_closed()
    assert caller.answers() == []
    assert stage.server._services.sessions.of(ROMEO) is None


# --- connections that are kept -------------------------------------------------------------------


async def test_kept_when_clearly_asked(stage: Stage) -> None:
    """HTTP/1.1, keep-alive and a length: the next request may come on the same connection."""
    caller = Caller(stage)
    for _ in range(3):
        await caller.send(post(LOGOUT, KEEP))
        (answer,) = caller.answers()
        assert (answer.body, answer.header("Connection")) == (LOGGED_OUT, "keep-alive")
        await stage.advance(59)
    await stage.advance(1)
    assert caller.is_closed()


@pytest.mark.parametrize(
    ("line", "headers"),
    [("", [KEEP]), (f"VER=2.7&CMD=List&SEQ=1&UIN={ROMEO}", [KEEP]), (LOGOUT, [KEEP, "A: b"])],
)
async def test_kept_whatever_is_said(stage: Stage, line: str, headers: list[str]) -> None:
    """An empty answer leaves the connection open, too."""
    caller = Caller(stage)
    for _ in range(2):
        await caller.send(post(line, *headers))
        (answer,) = caller.answers()
        assert answer.header("Connection") == "keep-alive"


@pytest.mark.parametrize(
    "data",
    [
        post(LOGOUT),
        post(LOGOUT, KEEP, start="POST / HTTP/1.0"),
        post(LOGOUT, KEEP, "Connection: close"),
        post(LOGOUT, KEEP) + b"x",
        post(LOGOUT, KEEP) + b"\x00\x01\r\n\r\n",
        post(LOGOUT, KEEP) + post(sign_in_line(ROMEO)),
        post(LOGOUT, KEEP, "Transfer-Encoding: identity"),
    ],
)
async def test_not_kept_in_doubt(stage: Stage, data: bytes) -> None:
    """Without all of them, or with bytes after the body, the connection ends with the answer."""
    caller = Caller(stage)
    await caller.send(data)
    answers = caller.answers()
    assert answers[0].body == LOGGED_OUT
    kept = answers[0].header("Connection") == "keep-alive"
    assert kept == data.endswith(b"x")  # it may be the start of a request
    await caller.end()
    assert caller.is_closed()
    assert stage.server._services.sessions.of(ROMEO) is None


async def test_the_next_request_waits_for_the_answer(stage: Stage) -> None:
    """Requests that come while one is served are served after it, in order."""
    await stage.slow_down(ROMEO)
    caller = Caller(stage)
    await caller.link.send(post(sign_in_line(ROMEO), KEEP))
    await stage.password_is_being_checked()
    await caller.link.send(post(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=a"), KEEP))
    await caller.send(post(LOGOUT, KEEP))
    answers = [line_of(answer) for answer in caller.answers()]
    assert [re.findall(r"CMD=(\w+)&.*&RES=0", line) for line in answers] == [
        ["Login"], ["CLTMSG"], ["LOGOUT"],
    ]  # fmt: skip
    await caller.send(post("VER=1.1&CMD=Query_Stat2&SEQ=1&UIN=10001", KEEP))
    assert line_of(caller.answers()[0]).endswith("&RES=20\r\n")


async def test_the_time_of_a_request_begins_with_the_answer_before(tmp_path: Path) -> None:
    """What comes of the next request while one waits for its turn is not given up meanwhile."""
    async with Stage(tmp_path, commands_rate=0.01, commands_burst=1) as stage:
        stage.add(ROMEO)
        await sign_in(stage, ROMEO)
        await stage.post(request("Query_Stat2", ROMEO))
        whole, part, open_one = Caller(stage), Caller(stage), Caller(stage)
        endless = b"POST / HTTP/1.0\r\n\r\nhello\n"
        for caller, more in (
            (whole, post("", KEEP)),
            (part, post("", KEEP)[:-1]),
            (open_one, endless),
        ):
            await caller.send(post(request("Query_Stat2", ROMEO), KEEP))
            await caller.send(more)
            await stage.advance(99)
            assert caller.answers() == []
            await stage.advance(1)
            answers = caller.answers()
            assert "&RES=0" in line_of(answers[0])
            assert len(answers) == (2 if caller is whole else 1)
        await stage.advance(1)
        assert [answer.body for answer in open_one.answers()] == [b""]
        await stage.advance(58)
        assert part.is_closed()
        assert [answer.status for answer in part.answers()] == [408]


async def test_a_flood_of_requests_is_read_no_further(stage: Stage) -> None:
    """Who sends on without waiting is not read until the first is answered."""
    await stage.slow_down(ROMEO)
    caller = Caller(stage)
    await caller.link.send(post(sign_in_line(ROMEO), KEEP))
    await stage.password_is_being_checked()
    flood = post(LOGOUT, KEEP) * 500
    for _ in range(20):
        await caller.link.send(flood)
    await stage.turns(3)
    assert caller.link.server.unread == 19 * len(flood)
    await stage.idle()
    answers = caller.answers()
    assert answers[-1].header("Connection") == "close"
    assert caller.link.server.unread == 0
    await caller.end()
    assert caller.is_closed()


# --- sessions ------------------------------------------------------------------------------------


async def test_the_address_and_the_number_are_the_session(stage: Stage) -> None:
    """Two numbers from one address are two sessions; another address has none of them."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    for uin in (ROMEO, JULIET):
        assert "&RES=0" in await stage.post(request("Query_Stat2", uin))
        assert (await stage.post(request("Query_Stat2", uin), CAFE)).endswith("&RES=20\r\n")
    assert (await stage.post(request("Query_Stat2", PARIS))).endswith("&RES=20\r\n")
    assert stage.server._services.sessions.count() == {"connection": 0, "http": 2, "web": 0}


async def test_a_sign_in_from_another_address_takes_over(stage: Stage) -> None:
    """The older address gets RES=20, and nothing is lost that it has not got."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    broken = Caller(stage)
    broken.link.stop_reading()
    await stage.post(message("for whom?"))
    await broken.send(post(POLL))
    await sign_in(stage, ROMEO, CAFE)
    assert (await stage.post(POLL)).endswith("&RES=20\r\n")
    assert texts(await stage.post(POLL, CAFE)) == ["for whom?"]
    broken.link.reset()
    await stage.idle()
    assert texts(await stage.post(POLL, CAFE)) == []
    attempt = stage.server._services.journal.of_uin(ROMEO)[0]
    assert any(taken.step is Step.REPLACED for taken in attempt.steps)


async def test_networks_that_count_as_one_address(tmp_path: Path) -> None:
    """Behind a gateway the address changes from request to request; knowingly that may be."""
    same = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))
    async with Stage(tmp_path, same_address=same) as stage:
        stage.add(ROMEO, JULIET)
        await sign_in(stage, ROMEO)
        assert "&RES=0" in await stage.post(request("Query_Stat2", ROMEO), CAFE)
        assert "&RES=20" in await stage.post(request("Query_Stat2", ROMEO), "198.51.100.1")
        assert "&RES=20" in await stage.post(request("Query_Stat2", ROMEO), "2001:db8::1")
        assert "&RES=20" in await stage.post(request("Query_Stat2", ROMEO), "unknown")
        await sign_in(stage, JULIET, "2001:db8::1")
        assert "&RES=0" in await stage.post(request("Query_Stat2", JULIET), "2001:db8:1::2")


async def test_a_session_ends_after_a_time_of_silence(stage: Stage) -> None:
    """Any command renews it for 300 s; then friends see the person leave."""
    await sign_in(stage, JULIET)
    await sign_in(stage, ROMEO)
    for _ in range(3):
        await stage.advance(299)
        assert "&RES=0" in await stage.post(request("Change_Stat", ROMEO, "ST=10"))
        assert "&RES=0" in await stage.post(request("Query_Stat2", JULIET))
    await stage.advance(200)
    await stage.post(request("Query_Stat2", JULIET))
    await stage.advance(100)
    assert (await stage.post(request("Query_Stat2", ROMEO))).endswith("&RES=20\r\n")
    assert "&ST=20,&" in await stage.post(request("Query_Stat2", JULIET))
    attempt = stage.server._services.journal.of_uin(ROMEO)[0]
    assert any(taken.step is Step.EXPIRED for taken in attempt.steps)


async def test_sessions_do_not_keep_connections(stage: Stage) -> None:
    """A session over HTTP outlives its connection, but holds nothing of it."""
    await sign_in(stage, ROMEO)
    session = stage.server._services.sessions.of(ROMEO)
    assert session is not None
    assert session.settle is None
    assert not isinstance(getattr(session.ended, "__self__", None), Post)
    assert stage.server._guests == set()


async def test_a_session_moves_between_lines_and_http(stage: Stage, caplog: Any) -> None:
    """A later sign-in takes over, whichever way it comes."""
    caplog.set_level(logging.INFO)
    wire = await stage.sign_in(ROMEO)
    await sign_in(stage, ROMEO)
    assert (await wire.ask(request("Query_Stat2", ROMEO))).endswith("&RES=20")
    assert "&RES=0" in await stage.post(request("Query_Stat2", ROMEO))
    assert "&RES=0&RS=0&" in await wire.ask(sign_in_line(ROMEO))
    assert (await stage.post(request("Query_Stat2", ROMEO))).endswith("&RES=20\r\n")
    assert "session ended" in caplog.text


async def test_wrong_password(stage: Stage) -> None:
    """It is told in the usual words, and the session that there is goes on."""
    await sign_in(stage, ROMEO)
    wrong = sign_in_line(ROMEO, seq=7, password="0" * 32)
    assert await stage.post(wrong) == (
        f"VER=1.1&CMD=Login&SEQ=7&UIN={ROMEO}&RES=0&RS=1&RA=Password error\r\n"
    )
    assert await stage.post(sign_in_line(99, seq=8)) == ("VER=1.1&CMD=Login&SEQ=8&UIN=99&RES=5\r\n")
    assert "&RES=0" in await stage.post(request("Query_Stat2", ROMEO))


async def test_captcha_between_two_connections(tmp_path: Path) -> None:
    """The picture comes on one connection and the letters on another, from the same address."""
    async with Stage(tmp_path, captcha="always") as stage:
        stage.random = bytes  # all that is drawn is 0, so all letters are the first
        await stage.restart()
        stage.add(ROMEO)
        shown = await stage.post(sign_in_line(ROMEO, seq=7))
        assert re.fullmatch(
            rf"VER=1\.1&CMD=VERIFYCODE&SEQ=7&UIN={ROMEO}&RES=0&SC=1&NT=&VC=89504e47[0-9a-f]+\r\n",
            shown,
        )
        letters = "VER=1.4&CON=0&CMD=VERIFYCODE&SEQ=8&UIN=10001&SID=null&XP=null&SC=2&VC="
        assert "&RA=Picture expired" in await stage.post(f"{letters}AAAA", CAFE)
        assert "&CMD=VERIFYCODE&" in await stage.post(f"{letters}AAAB")
        assert "&CMD=Login&SEQ=8&UIN=10001&RES=0&RS=0&" in await stage.post(f"{letters}AAAA")
        assert "&RES=0" in await stage.post(request("Query_Stat2", ROMEO))


# --- messages ------------------------------------------------------------------------------------


async def test_what_waits_is_fetched_once(stage: Stage) -> None:
    """Statuses and messages come in order, with MN; then there is nothing."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    await stage.post(message("a", seq=1))
    await stage.post(message("b%2cc", seq=2))
    assert await stage.post(POLL) == (
        f"VER=1.1&CMD=GETMSGEX&SEQ=201&UIN={ROMEO}&RES=0&MN=3&MT=99,9,9,"
        f"&UN={JULIET},{JULIET},{JULIET},&MG=10,a,b%2cc,\r\n"
    )
    assert stage.store.count_messages(ROMEO, 9) == 0
    assert await stage.post(POLL) == f"VER=1.1&CMD=GETMSGEX&SEQ=201&UIN={ROMEO}&RES=0&MN=0\r\n"


async def test_the_one_answer_without_line_end(stage: Stage) -> None:
    """GetMsgEx of 1.1 with messages ends at the comma (PHPQ); no other answer does."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    old = [
        OLD_POLL.replace("VER=1.1", f"VER={version}") for version in ("1.0", "1.1", "1.2", "1.3")
    ]
    for line in old:
        await stage.post(message("a", seq=len(line)))
        await stage.advance(11)
        assert (await stage.post(line)).endswith("&MG=10,a," if line is old[0] else "&MG=a,")
    assert (await stage.post(OLD_POLL)).endswith("&MN=0\r\n")
    await stage.post(message("a", seq=9))
    assert (await stage.post(POLL)).endswith("&MG=a,\r\n")
    assert (await stage.post(OLD_POLL, CAFE)).endswith("&RES=20\r\n")


async def test_no_more_than_a_phone_can_hold(stage: Stage) -> None:
    """Long messages come one by one, and none is left behind."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    sent = [str(number) * 5000 for number in range(4)]
    for seq, text in enumerate(sent):
        await stage.post(message(text, seq=seq))
    await stage.post(request("GetInfo", ROMEO, f"LV=1&UN={JULIET}"))
    got = [texts(await stage.post(POLL)) for _ in range(5)]
    assert got[0][1:] == [sent[0]]
    assert got[1:] == [[text] for text in sent[1:]] + [[]]


async def test_sign_in_before_every_call(stage: Stage) -> None:
    """A new session at the same place goes on where the older was (SETM)."""
    await sign_in(stage, JULIET)
    got = []
    for seq in range(4):
        await sign_in(stage, ROMEO)
        await stage.post(message(str(seq), seq=seq))
        await sign_in(stage, ROMEO)
        got += texts(await stage.post(POLL))
    assert got == ["0", "1", "2", "3"]


async def test_what_did_not_arrive_comes_again(stage: Stage) -> None:
    """A connection that breaks gives back what it has not handed over, and the next poll has it."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    await stage.post(message("a"))
    broken = Caller(stage)
    broken.link.stop_reading()
    await broken.send(post(POLL))
    assert stage.store.count_messages(ROMEO, 9) == 1
    await stage.advance(1)
    broken.link.reset()
    await stage.idle()
    assert texts(await stage.post(POLL)) == ["10", "a"]
    assert texts(await stage.post(POLL)) == []


async def test_what_is_under_way_comes_again_when_asked_for(stage: Stage) -> None:
    """Who polls again while an answer is under way gets all of it; the first counts no more."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    await stage.post(message("a", seq=1))
    slow = Caller(stage)
    slow.link.stop_reading()
    await slow.send(post(POLL))
    await stage.post(message("b", seq=2))
    assert texts(await stage.post(POLL)) == ["10", "a", "b"]
    slow.link.start_reading()
    await stage.advance(1)
    await slow.link.close()
    assert texts(await stage.post(POLL)) == []
    assert stage.store.count_messages(ROMEO, 9) == 0


async def test_signing_in_again_while_an_answer_is_under_way(stage: Stage) -> None:
    """It is not lost, whether it arrives or not, and does not come twice if it does."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    for seq, arrives in enumerate((True, False)):
        await stage.post(message(str(seq), seq=seq))
        slow = Caller(stage)
        slow.link.stop_reading()
        await slow.send(post(POLL))
        await sign_in(stage, ROMEO)
        if arrives:
            slow.link.start_reading()
            await stage.advance(0.05)
            assert stage.store.count_messages(ROMEO, 9) == 0
        else:
            slow.link.reset()
        await stage.idle()
        assert texts(await stage.post(POLL)) == ([] if arrives else [str(seq)])


async def test_signing_out_while_an_answer_is_under_way(stage: Stage) -> None:
    """Who signs out before the messages have arrived gets them at the next sign-in."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    await stage.post(message("a"))
    slow = Caller(stage)
    slow.link.stop_reading()
    await slow.send(post(POLL))
    await stage.post(LOGOUT)
    slow.link.start_reading()
    await stage.advance(0.05)
    await sign_in(stage, ROMEO)
    assert texts(await stage.post(POLL)) == ["a"]
    assert texts(await stage.post(POLL)) == []


async def test_an_answer_that_is_not_taken(stage: Stage) -> None:
    """A client that leaves its messages unread is cut off after a minute; they wait for it."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    await stage.post(message("a"))
    stuck = Caller(stage)
    stuck.link.stop_reading()
    await stuck.send(post(POLL))
    await stage.advance(59.9)
    assert not stuck.is_closed()
    await stage.advance(0.1)
    assert stuck.is_closed()
    assert texts(await stage.post(POLL)) == ["10", "a"]


async def test_a_client_that_says_no_more_and_takes_late(stage: Stage) -> None:
    """Its connection is closed as soon as its messages have arrived."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    await stage.post(message("a"))
    late = Caller(stage)
    late.link.stop_reading()
    await late.send(post(POLL))
    await late.end()
    await stage.advance(10)
    assert not late.is_closed()
    late.link.start_reading()
    await stage.advance(0.05)
    assert late.is_closed()
    assert texts(line_of(late.answers()[0])) == ["10", "a"]
    assert texts(await stage.post(POLL)) == []


async def test_messages_on_a_connection_that_is_kept(stage: Stage) -> None:
    """The next request waits until the messages of the last have arrived; none comes twice."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    caller = Caller(stage)
    got = []
    for seq in range(3):
        await stage.post(message(str(seq), seq=seq))
        caller.link.stop_reading()
        await caller.send(post(POLL, KEEP))
        await caller.send(post(POLL, KEEP))
        caller.link.start_reading()
        await stage.advance(0.05)
        got += [texts(line_of(answer)) for answer in caller.answers()]
        assert not caller.is_over()
    assert got == [["10", "0"], [], ["1"], [], ["2"], []]
    assert stage.store.count_messages(ROMEO, 9) == 0


async def test_a_kept_connection_that_takes_nothing(stage: Stage) -> None:
    """What it was given and has not taken after a minute is given to the next."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    await stage.post(message("a"))
    stuck = Caller(stage)
    stuck.link.stop_reading()
    await stuck.send(post(POLL, KEEP))
    await stage.advance(60)
    assert stuck.is_closed()
    assert texts(await stage.post(POLL)) == ["10", "a"]


async def test_a_kept_connection_that_the_client_ends(stage: Stage) -> None:
    """What it has taken does not come again, nor does what it takes after saying no more."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    for seq, is_late in enumerate((False, True)):
        await stage.post(message(str(seq), seq=seq))
        caller = Caller(stage)
        if is_late:
            caller.link.stop_reading()
        await caller.send(post(POLL, KEEP))
        await caller.end()
        assert caller.is_closed() == (not is_late)
        caller.link.start_reading()
        await stage.advance(0.05)
        assert caller.is_closed()
        assert texts(line_of(caller.answers()[0]))[-1] == str(seq)
        assert texts(await stage.post(POLL)) == []


async def test_an_answer_on_a_connection_that_is_gone(stage: Stage) -> None:
    """Messages for a client that left before they were written are given back at once."""
    async with Stage(stage.config.data / "slow", **SLOW) as slow:
        slow.add(ROMEO, JULIET)
        await sign_in(slow, ROMEO)
        await slow.sign_in(JULIET)
        gone = Caller(slow)
        gone.link.is_broken = True  # only the write tells
        await gone.send(post(POLL))
        assert gone.is_closed()
        assert texts(await slow.post(POLL)) == ["10"]


async def test_a_message_is_stored_whoever_waits_for_the_answer(stage: Stage) -> None:
    """Who breaks off has sent all the same, and the receiver is told at once."""
    juliet = await stage.sign_in(JULIET)
    await sign_in(stage, ROMEO)
    juliet.waiting()
    line = request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hi")
    with disk_stands_still(stage):
        caller = Caller(stage)
        await caller.link.send(post(line))
        await stage.turns()
        caller.link.reset()
        await stage.turns()
    await stage.idle()
    assert [text.partition("&MG=")[2] for text in juliet.waiting()] == ["hi"]


@pytest.mark.parametrize("poll", [POLL, OLD_POLL])
async def test_the_same_poll_gets_the_same_bytes(stage: Stage, poll: str) -> None:
    """With a number used once: on a kept connection, on another, after more messages came."""
    await sign_in(stage, ROMEO)
    await sign_in(stage, JULIET)
    await stage.post(message("a%2cb", seq=1))
    line = re.sub("SEQ=[0-9]+", "SEQ=1000000000", poll)
    caller, got = Caller(stage), []
    for seq in (2, 3):
        await caller.send(post(line, KEEP))
        await stage.post(message("c", seq=seq))
        got += [answer.body for answer in caller.answers()]
        got.append((await ask(stage, post(line))).body)
    assert got == [got[0]] * 4
    assert texts(got[0].decode()) == ["10", "a%2cb"]
    line = line.replace("1000000000", "1000000001")
    assert texts(line_of(await ask(stage, post(line)))) == ["c", "c"]
    assert stage.store.count_messages(ROMEO, 9) == 0


async def test_the_same_line_again_is_done_once(stage: Stage) -> None:
    """Three posts while the answer is late are one message and one answer (DEL)."""
    await sign_in(stage, JULIET)
    line = f"VER=1.1&CMD=CLTMSG&SEQ=12345&UIN={JULIET}&UN={ROMEO}&MG=once"
    tries = [Caller(stage) for _ in range(3)]
    with disk_stands_still(stage):
        for caller in tries:
            await caller.link.send(post(line))
            await stage.turns()
        tries[0].link.reset()
        await stage.turns()
    await stage.idle()
    answers = [[line_of(answer) for answer in caller.answers()] for caller in tries]
    assert answers == [[], *([[f"VER=1.1&CMD=CLTMSG&SEQ=12345&UIN={JULIET}&RES=0\r\n"]] * 2)]
    assert (await stage.post(line)).endswith("&RES=0\r\n")
    assert stage.store.count_messages(ROMEO, 9) == 1
    await stage.advance(10)
    await stage.post(line)
    assert stage.store.count_messages(ROMEO, 9) == 2


# --- limits --------------------------------------------------------------------------------------


async def test_who_says_too_much_is_answered_later(tmp_path: Path) -> None:
    """Commands above the rate wait for their turn; what a client gives up on is not spent."""
    async with Stage(tmp_path, **SLOW) as stage:
        stage.add(ROMEO, JULIET)
        await sign_in(stage, ROMEO)
        for _ in range(2):
            await stage.post(request("Query_Stat2", ROMEO))
        late = [Caller(stage) for _ in range(3)]
        for caller in late:
            await caller.send(post(request("Query_Stat2", ROMEO)))
        late[0].link.reset()
        await stage.advance(1.9)
        assert [len(caller.answers()) for caller in late] == [0, 0, 0]
        await stage.advance(0.1)
        assert [len(caller.answers()) for caller in late] == [0, 1, 0]
        await stage.advance(1)
        assert [len(caller.answers()) for caller in late] == [0, 0, 1]
        assert len(await stage.post(request("Query_Stat2", ROMEO))) > 0


async def test_a_session_that_is_another_after_the_wait(tmp_path: Path) -> None:
    """Who signs in again while a command waits is still signed in when its turn comes."""
    async with Stage(tmp_path, **SLOW) as stage:
        stage.add(ROMEO, JULIET)
        await sign_in(stage, ROMEO)
        for _ in range(2):
            await stage.post(request("Query_Stat2", ROMEO))
        late = Caller(stage)
        await late.send(post(request("Query_Stat2", ROMEO)))
        again = Caller(stage)
        stage.server._services.sessions.kick(ROMEO, "for a test")
        await again.send(post(sign_in_line(ROMEO)))
        await stage.advance(1)
        (answer,) = late.answers()
        assert "&RES=0&" in line_of(answer)


async def test_a_flood_from_one_address_is_bounded(tmp_path: Path) -> None:
    """Only so many connections of an address are open; of each little is held."""
    async with Stage(tmp_path, connections_per_address=20, **SLOW) as stage:
        callers = []
        for _ in range(60):
            caller = Caller(stage)
            await caller.link.send(post(LOGOUT, KEEP) * 50)
            callers.append(caller)
        await stage.idle()
        assert len(stage.server._guests) == 20
        assert sum(caller.is_closed() for caller in callers) == 40
        assert len(await stage.post(LOGOUT, CAFE)) > 0
        for caller in callers:
            caller.link.reset()
        await stage.idle()
        assert stage.server._guests == set()


# --- stopping ------------------------------------------------------------------------------------


async def test_stopping_while_a_request_is_served(stage: Stage) -> None:
    """What was accepted is answered before the server goes; nothing is kept open for more."""
    await sign_in(stage, JULIET)
    caller = Caller(stage)
    with disk_stands_still(stage):
        await caller.link.send(post(message("last words"), KEEP))
        await stage.turns()
        stopping = asyncio.create_task(stage.restart())
        await stage.turns()
        assert caller.answers() == []
    async with asyncio.timeout(WAIT):
        await stopping
    (answer,) = caller.answers()
    assert line_of(answer).endswith("&RES=0\r\n")
    assert answer.header("Connection") == "close"
    assert caller.is_closed()
    assert stage.store.count_messages(ROMEO, 9) == 1


async def test_stopping_while_messages_are_under_way(stage: Stage) -> None:
    """They get a moment to arrive, and are not kept if they do."""
    for headers in ([], [KEEP]):
        await sign_in(stage, ROMEO)
        await sign_in(stage, JULIET)
        await stage.post(message("a"))
        caller, idle = Caller(stage), Caller(stage)
        caller.link.stop_reading()
        await caller.send(post(POLL, *headers))
        await idle.send(post("", KEEP))
        stopping = asyncio.create_task(stage.restart())
        await stage.turns()
        assert idle.is_closed()
        caller.link.start_reading()
        stage.clock.advance(0.05)
        async with asyncio.timeout(WAIT):
            await stopping
        assert caller.is_closed()
        assert stage.store.count_messages(ROMEO, 9) == 0


async def test_stopping_with_a_request_that_waits(tmp_path: Path) -> None:
    """Who waits for a turn that is far is cut off."""
    async with Stage(tmp_path, **SLOW) as stage:
        stage.add(ROMEO)
        await sign_in(stage, ROMEO)
        callers = [Caller(stage) for _ in range(9)]
        for caller in callers:
            await caller.send(post(request("Query_Stat2", ROMEO)))
        stopping = asyncio.create_task(stage.restart())
        await stage.turns()
        for _ in range(2):
            stage.clock.advance(1)
            await stage.turns()
        async with asyncio.timeout(WAIT):
            await stopping
        assert [len(caller.answers()) for caller in callers] == [1] * 3 + [0] * 6


# --- real sockets --------------------------------------------------------------------------------


class House:
    """A real server on a loopback port."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.door = server.listening[0]

    def socket(self, host: str = "127.0.0.1", *, buffer: int = 0) -> socket.socket:
        """Return a new connection, with a small buffer if wanted."""
        sock = socket.socket()
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.bind((host, 0))
        sock.connect(("127.0.0.1", self.door.port))
        return sock

    async def exchange(self, data: bytes, *, more: bytes = b"", secure: Any = None) -> bytes:
        """Send a request and return all that comes until the server ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.door.port, ssl=secure)
        async with asyncio.timeout(WAIT):
            writer.write(data)
            await writer.drain()
            if more:
                await asyncio.sleep(0)
                writer.write(more)
            came = await reader.read()
            writer.close()
            await writer.wait_closed()
        return came

    async def post(self, line: str) -> str:
        """Return what a line is answered."""
        came = await self.exchange(post(line))
        return came.partition(b"\r\n\r\n")[2].decode()

    async def is_stored(self, uin: int, count: int) -> None:
        """Wait until so many messages wait for somebody."""
        async with asyncio.timeout(WAIT):
            while self.server.store.count_messages(uin, 99) != count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@asynccontextmanager
async def a_house(data: Path, **settings: Any) -> AsyncIterator[House]:
    """Open a real server with Romeo and Juliet, who are friends."""
    door = Listen("127.0.0.1", 0)
    async with Server(Config(data=data, **{"listen": (door,), **settings})) as server:
        for uin in (ROMEO, JULIET):
            add_person(server.store, uin)
        server.store.add_friends(ROMEO, JULIET)
        yield House(server)


async def test_the_answer_arrives_in_spite_of_extra_bytes(tmp_path: Path) -> None:
    """Bytes after the body would reset the connection if it were closed on them."""
    async with a_house(tmp_path) as house:
        for extra in (b"\r\n", b"x" * 100_000, post(LOGOUT) * 100):
            came = await house.exchange(post(LOGOUT), more=extra)
            assert came.endswith(LOGGED_OUT)
            assert came.count(b"HTTP/1.1") == 1


async def test_one_port_speaks_both(tmp_path: Path) -> None:
    """Lines and HTTP come by the same door, and people on both meet."""
    async with a_house(tmp_path) as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)
        wire = Wire(Tcp(reader, writer))
        assert "&RS=0&" in await wire.ask(sign_in_line(JULIET))
        assert "&RS=0&" in await house.post(sign_in_line(ROMEO))
        assert f"&ST=10&UN={ROMEO}" in await wire.hear()
        assert (await wire.ask(message("hi"))).endswith("&RES=0")
        assert texts(await house.post(POLL)) == ["hi"]
        assert texts(await house.post(POLL)) == []
        await wire.close()


@LINUX
async def test_a_client_that_breaks_off_loses_nothing(tmp_path: Path) -> None:
    """Messages that its system has not acknowledged come with the next poll, and no other does."""
    long = "x" * 15000
    async with a_house(tmp_path) as house:
        assert "&RS=0&" in await house.post(sign_in_line(JULIET))
        for seq, how in enumerate(("reset", "close"), 1):
            assert "&RS=0&" in await house.post(sign_in_line(ROMEO, seq=seq))
            await house.post(message(long, seq=seq))
            assert texts(await house.post(POLL))[-1] == long
            await house.post(message(long + "%20again", seq=seq))
            sock = house.socket(buffer=2304)
            sock.sendall(post(POLL))
            await asyncio.to_thread(sock.recv, 100)  # the answer has begun
            if how == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            assert texts(await house.post(POLL)) == [long + " again"]
            assert texts(await house.post(POLL)) == []
            await house.is_stored(ROMEO, 0)


@LINUX
async def test_a_client_that_is_gone_before_the_answer(tmp_path: Path) -> None:
    """An answer to nobody does not count as delivered, though the client's end came first."""
    async with a_house(tmp_path) as house:
        for uin in (ROMEO, JULIET):
            assert "&RS=0&" in await house.post(sign_in_line(uin))
        for seq in range(5):
            await house.post(message(str(seq), seq=seq))
            sock = house.socket()
            sock.sendall(post(POLL))
            sock.close()
        await house.is_stored(ROMEO, 5)
        got = texts(await house.post(POLL))
        assert got[-5:] == ["0", "1", "2", "3", "4"]
        assert texts(await house.post(POLL)) == []


async def test_messages_on_one_kept_connection(tmp_path: Path) -> None:
    """Each message comes once, however fast a client polls on a connection that it keeps."""
    async with a_house(tmp_path) as house:
        assert "&RS=0&" in await house.post(sign_in_line(JULIET))
        reader, writer = await asyncio.open_connection("127.0.0.1", house.door.port)

        async def say(line: str) -> str:
            writer.write(post(line, KEEP))
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"Content-Length: (\d+)", head)
            assert length is not None
            return (await reader.readexactly(int(length[1]))).decode()

        async with asyncio.timeout(WAIT):
            assert "&RS=0&" in await say(sign_in_line(ROMEO))
            got = []
            for number in range(30):
                await house.post(message(str(number), seq=number))
                got += texts(await say(POLL))
            assert got == [str(number) for number in range(30)]
        writer.close()
        await writer.wait_closed()
        await house.is_stored(ROMEO, 0)


@LINUX
async def test_another_address_has_no_part_in_a_session(tmp_path: Path) -> None:
    """Who signs in at one address is not signed in at another one of the same machine."""
    async with a_house(tmp_path) as house:
        assert "&RS=0&" in await house.post(sign_in_line(ROMEO))
        assert "&RES=0" in await house.post(request("Query_Stat2", ROMEO))
        sock = house.socket("127.0.0.2")
        sock.sendall(post(request("Query_Stat2", ROMEO)))
        came = b""
        while piece := await asyncio.to_thread(sock.recv, 65536):
            came += piece
        sock.close()
        assert came.endswith(b"&RES=20\r\n")


async def test_over_tls(tmp_path: Path) -> None:
    """A door with TLS speaks HTTP, too; it has no half-open streams, so it ends at once."""
    (tmp_path / "key.pem").write_text(KEY)
    (tmp_path / "certificate.pem").write_text(NEW)
    door = Listen("127.0.0.1", 0, "kqqs")
    files = {"key": tmp_path / "key.pem", "certificate": tmp_path / "certificate.pem"}
    secure = ssl.create_default_context()
    secure.check_hostname, secure.verify_mode = False, ssl.CERT_NONE
    async with a_house(tmp_path / "data", listen=(door,), **files) as house:

        async def say(line: str) -> str:
            came = await house.exchange(post(line), secure=secure)
            return came.partition(b"\r\n\r\n")[2].decode()

        began = asyncio.get_running_loop().time()
        for uin in (ROMEO, JULIET):
            assert "&RS=0&" in await say(sign_in_line(uin))
        await say(message("hi"))
        assert texts(await say(POLL)) == ["10", "hi"]
        assert texts(await say(POLL)) == []
        assert asyncio.get_running_loop().time() - began < 4


# --- what nobody may do --------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Origin: http://example.org", "Sec-Fetch-Site: cross-site"])
async def test_pages_of_others_cannot_act(stage: Stage, header: str) -> None:
    """A page that a browser shows behind the same address must not speak for who is signed in."""
    await sign_in(stage, ROMEO)
    line = request("Change_Stat", ROMEO, "ST=30")
    answer = await ask(stage, post(line, header))
    assert (answer.status, answer.body) == (403, b"")
    assert stage.server._services.presence.own(ROMEO) is Status.ONLINE
    attempts = stage.server._services.journal.of_address(HOME)
    assert Step.NOT_KQQ in {step.step for one in attempts for step in one.steps}


async def test_a_read_full_of_requests(stage: Stage) -> None:
    """Thousands of requests at once are not even read: the first is answered, the rest let go."""
    caller = Caller(stage)
    await caller.link.send(b"GET /\n\n" * 37_000)
    for _ in range(3):
        await stage.turns(1)
        assert len(post_of(caller.link)._requests) <= 300
    await stage.idle()
    assert [answer.status for answer in caller.answers()] == [404]
    left = post_of(caller.link)
    assert not left._requests
    assert not left._came


async def test_a_body_in_the_smallest_chunks(stage: Stage) -> None:
    """It is read in turns, and is whole in the end."""
    body = b"".join(b"1\r\n%c\r\n" % sign for sign in LOGOUT.encode()) + b"0\r\n\r\n"
    padding = b"1;" + b"x" * 100 + b"\r\n&\r\n"
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await ask(stage, head + body[:-5] + padding * 900 + b"0\r\n\r\n")
    assert answer.body == LOGGED_OUT


async def test_secrets_in_a_path_are_not_kept(stage: Stage) -> None:
    """Whoever takes a GET for a POST has a password in the path."""
    await ask(stage, b"GET /VER=1.1&CMD=Login&PS=hunter2&SSG=12345678 HTTP/1.1\r\n\r\n")
    attempts = stage.server._services.journal.of_address(HOME)
    told = "".join(line for one in attempts for line in describe(one.as_object()))
    assert "CMD=Login" in told
    assert "hunter2" not in told
    assert "12345678" not in told
