"""Lines over HTTP: what is posted, what is made of answers, and what is said when they are none."""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chains
import secured
from kqq.client.posting import Http
from kqq.client.tcp import Address, make_trust
from kqq.errors import ConfigError, ConnectionLost, UnexpectedReply
from kqq.protocol import (
    LINE_LIMIT,
    Connection,
    PostReader,
    Role,
    http_request,
)
from process import Process
from stage import JULIET, MD5, ROMEO, WAIT, MemoryLink, Stage, request, sign_in_line
from strangers import Then, stranger

HERE = Address("kqq.example", 14000, "http")
LINE = b"VER=1.4&CON=1&CMD=Query_Stat2&SEQ=7&UIN=10001&SID=&XP=&CM=2&UN=0"
SIGN_IN = sign_in_line(ROMEO).encode()
ANSWER = b"VER=1.1&CMD=LOGOUT&SEQ=7&UIN=10001&RES=0"


class Script:
    """The server's end of a connection in memory: it says its pieces and closes."""

    pushes = True

    def __init__(self, *pieces: bytes, is_silent: bool = False) -> None:
        self._pieces = deque(pieces)
        self._is_silent = is_silent
        self.sent = b""
        self.is_closed = False

    async def send(self, data: bytes) -> None:
        """Keep what is posted."""
        self.sent += data

    async def receive(self) -> bytes:
        """Say the next piece; once there is none, close, or say nothing for ever."""
        if self._pieces:
            return self._pieces.popleft()
        if self._is_silent:
            await asyncio.Event().wait()
        return b""

    async def close(self) -> None:
        """Be closed."""
        self.is_closed = True


class Host:
    """What an `Http` connects to: a script for each connection. `opened` are those it has made."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = deque(scripts)
        self.opened: list[Script] = []

    async def connect(self) -> Script:
        """Return the next connection; the one before must be closed."""
        assert all(script.is_closed for script in self.opened)
        self.opened.append(self._scripts.popleft())
        return self.opened[-1]


def http(*scripts: Script, post_time: float = WAIT) -> Http:
    """Return an `Http` whose connections are these."""
    return Http(HERE, Host(*scripts).connect, post_time=post_time)


def ok(body: bytes, *headers: str) -> bytes:
    """Return an answer with a length."""
    more = "".join(f"{header}\r\n" for header in headers)
    head = f"HTTP/1.1 200 OK\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


async def outcome(*pieces: bytes) -> bytes:
    """Return what comes of a post that is answered so; its errors are raised."""
    transport = http(Script(*pieces))
    try:
        await transport.send(LINE + b"\r\n")
        return await transport.receive()
    finally:
        await transport.close()


# --- with our own server


async def test_two_people_talk(tmp_path: Path) -> None:
    """Each line has its reply, and a message waits until it is asked for."""
    async with Stage(tmp_path) as stage:
        stage.add(ROMEO, JULIET)

        def phone(host: str) -> Http:
            async def connect() -> MemoryLink:
                return stage.link((host, 50000))

            return Http(HERE, connect)

        async def ask(of: Http, line: str) -> str:
            await of.send(f"{line}\r\n".encode())
            return (await of.receive()).decode()

        romeo, juliet = phone("192.0.2.1"), phone("192.0.2.2")
        for who, uin in ((romeo, ROMEO), (juliet, JULIET)):
            assert not who.pushes
            assert "&RES=0&RS=0&" in await ask(who, sign_in_line(uin))
        wrote = await ask(romeo, request("CLTMSG", ROMEO, f"UN={JULIET}&MG=it is the east"))
        assert wrote == f"VER=1.1&CMD=CLTMSG&SEQ=201&UIN={ROMEO}&RES=0\r\n"
        read = await ask(juliet, request("GetMsgEx", JULIET, seq=202))
        assert read.endswith(f"MN=1&MT=9,&UN={ROMEO},&MG=it is the east,\r\n")
        assert "MN=0" in await ask(juliet, request("GetMsgEx", JULIET, seq=203))
        for phones in (romeo, juliet):
            await phones.close()
            assert await phones.receive() == b""


async def test_a_server_in_a_process_of_its_own_is_posted_to(tmp_path: Path) -> None:
    """On a real network, one connection after the other."""
    server = Process(tmp_path)
    try:
        transport = await Http.connect(Address("localhost", server.port, "http"))
        for seq in range(200, 205):
            line = request("Logout", ROMEO, seq=seq)
            await transport.send(f"{line}\r\n".encode())
            said = await transport.receive()
            assert said == f"VER=1.1&CMD=LOGOUT&SEQ={seq}&UIN={ROMEO}&RES=0\r\n".encode()
        await transport.close()
        server.stop()
    finally:
        server.close()


# --- what is posted


async def test_each_line_is_posted_on_a_connection_of_its_own() -> None:
    """A body is a line without its end; each connection is closed before the next is made."""
    host = Host(*(Script(ok(ANSWER)) for _ in range(3)))
    transport = Http(HERE, host.connect)
    await transport.send(LINE + b"\r\n" + SIGN_IN + b"\n")
    await transport.send(b"VER=1.4")
    lines = [LINE, SIGN_IN, b"VER=1.4"]
    assert [script.sent for script in host.opened] == [
        http_request("kqq.example", 14000, line) for line in lines
    ]
    assert all(script.is_closed for script in host.opened)
    (read,) = PostReader().feed(host.opened[0].sent)
    assert (read.method, read.target, read.body) == ("POST", "/", LINE)
    assert read.header("Host") == "kqq.example:14000"
    assert read.header("Connection") == "close"
    assert [await transport.receive() for _ in lines] == [ANSWER + b"\r\n"] * 3
    await transport.close()


async def test_posts_follow_one_another() -> None:
    """Lines sent at the same time are posted in their order, never two at once."""
    host = Host(*(Script(ok(b"SEQ=%d" % seq)) for seq in range(20)))
    transport = Http(HERE, host.connect)
    await asyncio.gather(*(transport.send(b"SEQ=%d\r\n" % seq) for seq in range(20)))
    assert [await transport.receive() for _ in range(20)] == [b"SEQ=%d\r\n" % s for s in range(20)]
    assert [script.sent.rpartition(b"\n")[2] for script in host.opened] == [
        b"SEQ=%d" % seq for seq in range(20)
    ]
    await transport.close()


async def test_an_empty_line_is_not_posted() -> None:
    """There is nothing in it to answer."""
    transport = http()
    await transport.send(b"\r\n\n")
    await transport.close()


@pytest.mark.parametrize("host", ["a b", "a..b", "a\r\nEvil: yes"])
def test_a_host_that_cannot_stand_in_a_head_is_an_error_in_the_settings(host: str) -> None:
    """It is told before the network is touched."""
    with pytest.raises(ConfigError, match=r"cannot be posted to: .* is no host"):
        Http(Address(host, 80, "http"), Host().connect)


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("::1", b"Host: [::1]:80"),
        ("fe80::1%eth0", b"Host: [fe80::1]:80"),
        ("小波.example", b"Host: xn--yet840b.example:80"),
    ],
)
async def test_the_host_is_named_as_heads_have_it(host: str, named: bytes) -> None:
    """In brackets, without a zone, in IDNA."""
    made = Host(Script(ok(ANSWER)))
    transport = Http(Address(host, 80, "http"), made.connect)
    await transport.send(LINE)
    assert named in made.opened[0].sent.split(b"\r\n")
    await transport.close()


# --- what is made of an answer

WHOLE = {
    "with a length": ok(ANSWER),
    "with its line end": ok(ANSWER + b"\r\n"),
    "with a line feed": ok(ANSWER + b"\n"),
    "with more line ends": ok(b"\r\n" + ANSWER + b"\r\n\r\n"),
    "kept open": ok(ANSWER, "Connection: keep-alive", "Keep-Alive: timeout=5"),
    "followed by more": ok(ANSWER) + b"HTTP/1.1 500 Oh No\r\n\r\n",
    "after an announcement": b"HTTP/1.1 100 Continue\r\n\r\n" + ok(ANSWER),
    "after empty lines": b"\r\n\r\n" + ok(ANSWER),
    "of any type": ok(ANSWER, "Content-Type: text/html", "Content-Encoding: identity"),
    "of 1.0": b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\n" + ANSWER + b"\r\n",
    "in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"a;why=not\r\n%b\r\n%x\r\n%b\r\n0\r\nTrailer: x\r\n\r\n"
    % (ANSWER[:10], len(ANSWER) - 10, ANSWER[10:]),
}


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE.keys())
async def test_a_whole_answer_is_a_line(answer: bytes) -> None:
    """However servers frame their answers, and however the bytes come, it is one line."""
    assert await outcome(answer) == ANSWER + b"\r\n"
    assert await outcome(*(answer[at : at + 1] for at in range(len(answer)))) == ANSWER + b"\r\n"


@pytest.mark.parametrize("name", WHOLE)
async def test_a_part_of_an_answer_is_never_given(name: str) -> None:
    """Wherever a connection breaks, the answer is given whole, or an error says that it is not.

    An answer without a length is whole when it ends in a line end; one that breaks off right after
    its head cannot be told from an empty one, and is no answer either.
    """
    answer = WHOLE[name]
    for at in range(len(answer)):
        try:
            said = await outcome(answer[:at])
        except ConnectionLost:
            continue
        except UnexpectedReply:
            assert name == "of 1.0"
            assert answer[:at].endswith(b"\r\n\r\n")
        else:
            assert said == ANSWER + b"\r\n"


async def test_raw_line_ends_in_an_answer_stay_in_their_line() -> None:
    """A body is a frame of its own, so a text in it may hold them; a line may not."""
    said = await outcome(ok(b"VER=1.1&MG=one\r\ntwo\nthree\rfour\r\n"))
    assert said == b"VER=1.1&MG=one%0D%0atwo%0athree%0Dfour\r\n"


EMPTY = {
    "of length 0": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "that just ends": b"HTTP/1.0 200 OK\r\n\r\n",
    "of no chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "of line ends": ok(b"\r\n\r\n"),
}


@pytest.mark.parametrize("answer", EMPTY.values(), ids=EMPTY.keys())
@pytest.mark.parametrize(
    ("line", "name"), [(LINE, "Query_Stat2"), (b"ver=1&cmd=x", "x"), (b"XCMD=no", "a line")]
)
async def test_an_empty_answer_is_told_at_once_and_ends_nothing(
    answer: bytes, line: bytes, name: str
) -> None:
    """Servers answer so what they find senseless; the next line may be better."""
    transport = http(Script(answer), Script(ok(ANSWER)))
    with pytest.raises(UnexpectedReply, match=f"14000 answers {name} with nothing at all"):
        await transport.send(line)
    await transport.send(LINE)
    assert await transport.receive() == ANSWER + b"\r\n"
    await transport.close()


async def test_our_own_server_answers_nonsense_with_nothing(tmp_path: Path) -> None:
    """So that is how a bad request ends here, too."""
    async with Stage(tmp_path) as stage:

        async def connect() -> MemoryLink:
            return stage.link(("192.0.2.1", 50000))

        transport = Http(HERE, connect)
        with pytest.raises(UnexpectedReply, match="answers Login with nothing at all"):
            await transport.send(b"VER=9.9&CMD=Login&SEQ=1&UIN=10001\r\n")
        await transport.close()


# --- what is no answer

SENSELESS = {
    "of another protocol": (b"SSH-2.0-OpenSSH_9.6\r\n", "speak HTTP there, it says 'SSH-2.0-Open"),
    "of lines": (ANSWER + b"\r\n", "speak HTTP there, it says 'VER=1.1.*write tcp://"),
    "of no bytes": (b"", "closed without an answer; does it speak HTTP there"),
    "cut in its head": (b"HTTP/1.1 200 OK\r\nConte", "broke off within its answer"),
    "cut in its body": (ok(ANSWER)[:-1], "broke off within its answer"),
    "without an end": (b"HTTP/1.1 200 OK\r\n\r\n" + ANSWER, "neither a length nor a line end"),
    "of a version to come": (b"HTTP/2 200\r\n\r\n", "cannot be read: the answer 'HTTP/2 200'"),
    "of two lengths": (ok(ANSWER, "Content-Length: 1"), "cannot be read.*Content-Length"),
    "that is too long": (ok(b"x" * 2_000_000), "the body is longer than 1048576 bytes"),
    "of an endless head": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 9999, "a head longer than"),
    "of an endless line": (ok(b"MG=" + b"x" * LINE_LIMIT), "a line longer than 65536 bytes"),
    "that grows too long": (ok(b"MG=" + b"\r" * 30000 + b"."), "a line longer than 65536 bytes"),
    "of a web page": (ok(b"\xef\xbb\xbf \n<!DOCTYPE html>"), "with a web page"),
    "of a large web page": (ok(b"<html>" + b" " * 500_000), "with a web page"),
    "of prose": (ok(b"Not Found, sorry\x1b[0m"), r"what is no line: 'Not Found, sorry\\\\x1b"),
    "packed": (ok(b"\x1f\x8b=", "Content-Encoding: GZIP"), "packs its answer .'GZIP'"),
}


@pytest.mark.parametrize(("answer", "why"), SENSELESS.values(), ids=SENSELESS.keys())
async def test_a_senseless_answer_is_an_error_in_words(answer: bytes, why: str) -> None:
    """Whatever comes, the error names the address and says what it may be."""
    for pieces in ([answer], [answer[:20], answer[20:]]):
        with pytest.raises(ConnectionLost, match=why) as caught:
            await outcome(*filter(None, pieces))
        assert str(caught.value).startswith("http://kqq.example:14000 ")
        assert len(str(caught.value)) < 400


STATUSES = [
    ("204 No Content", "no KQQ server does so; look at the address"),
    ("302 Found\r\nLocation: https://a.example/\x1b[2J", r"it sends us to 'https://a.example/\\"),
    ("304 Not Modified", "no KQQ server does so"),
    ("400 Bad Request", "perhaps it wants TLS"),
    ("403 Forbidden", "it does not let us in; ask whoever runs it"),
    ("404 Not Found", "there is no KQQ server at that address; look at its host and port"),
    ("405 Method Not Allowed", "it takes no posts, so it is no KQQ server"),
    ("407 Proxy Authentication Required", "a proxy on the way wants a password"),
    ("413 Content Too Large", "send less in one message"),
    ("418 I am a teapot", "it refuses"),
    ("429 Too Many Requests", "the server asks to slow down; wait a minute"),
    ("500 Internal Server Error", "the server has failed; try again later"),
    ("502 Bad Gateway", "what stands before the server cannot reach it"),
    ("503 Service Unavailable", "the server asks to slow down, or rests; wait a minute"),
    ("511 Network Authentication Required", "sign in with a browser"),
    ("599 Whatever", "it has failed; try again later"),
    ("999 Request denied", "no KQQ server does so"),
]


@pytest.mark.parametrize(("status", "why"), STATUSES)
async def test_a_status_is_told_with_what_to_do(status: str, why: str) -> None:
    """A proxy's error, a wrong port, a server that has enough: each in words."""
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 15\r\n\r\n<html>No</html>".encode("latin-1")
    with pytest.raises(ConnectionLost, match=why) as caught:
        await outcome(answer)
    assert f"14000 answers with status {status[:3]}: " in str(caught.value)
    assert str(caught.value).isprintable()


async def test_what_our_own_server_forbids_is_told(tmp_path: Path) -> None:
    """A line that is too long is an answer with status 413."""
    async with Stage(tmp_path) as stage:

        async def connect() -> MemoryLink:
            return stage.link(("192.0.2.1", 50000))

        transport = Http(HERE, connect)
        with pytest.raises(ConnectionLost, match="status 413: the line is too long for it"):
            await transport.send(LINE + b"x" * LINE_LIMIT)
        await transport.close()


# --- when it goes wrong


async def test_a_post_that_fails_ends_the_transport() -> None:
    """What came before is still given; then all raise the same, and nobody connects again."""
    transport = http(Script(ok(ANSWER)), Script(b"HTTP/1.1 503 Busy\r\n\r\n"))
    sending = [asyncio.create_task(transport.send(LINE)) for _ in range(3)]
    await asyncio.wait(sending)
    errors = [task.exception() for task in sending]
    assert errors[0] is None
    assert isinstance(errors[1], ConnectionLost)
    assert errors[2] is errors[1]
    assert await transport.receive() == ANSWER + b"\r\n"
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="status 503"):
            await transport.receive()
    with pytest.raises(ConnectionLost, match="status 503"):
        await transport.send(LINE)
    await transport.close()


async def test_who_waits_for_answers_learns_of_a_failure() -> None:
    """The end of a transport is told to who receives, too."""
    transport = http(Script())
    receiving = asyncio.create_task(transport.receive())
    await asyncio.sleep(0)
    with pytest.raises(ConnectionLost, match="closed without an answer"):
        await transport.send(LINE)
    with pytest.raises(ConnectionLost, match="closed without an answer"):
        await receiving
    await transport.close()


@pytest.mark.parametrize("pieces", [[], [b"HTTP/1.1 100 Continue\r\n\r\n"], [ok(ANSWER)[:-1]]])
async def test_a_server_that_does_not_finish_is_given_up(pieces: list[bytes]) -> None:
    """A post takes a bounded time, whatever the server has said by then."""
    script = Script(*pieces, is_silent=True)
    transport = http(script, post_time=0.02)
    with pytest.raises(ConnectionLost, match=r"did not answer within 0\.02 s; is it a KQQ server"):
        await transport.send(LINE)
    assert script.is_closed
    await transport.close()


async def test_who_cannot_be_connected_to_ends_the_transport() -> None:
    """An error in connecting is told as it is."""

    async def connect() -> Script:
        raise ConnectionLost("no network")

    transport = Http(HERE, connect)
    with pytest.raises(ConnectionLost, match="no network"):
        await transport.send(LINE)
    with pytest.raises(ConnectionLost, match="no network"):
        await transport.receive()
    await transport.close()


async def test_a_send_can_be_cancelled() -> None:
    """Its post is broken off, its connection closed, and the next one goes on."""
    script = Script(is_silent=True)
    transport = http(script, Script(ok(ANSWER)))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await transport.send(LINE)
    assert script.is_closed
    await transport.send(LINE)
    assert await transport.receive() == ANSWER + b"\r\n"
    await transport.close()


async def test_closing_breaks_off_what_is_on_its_way() -> None:
    """Who waits for an answer, and who waits for a turn, learns that none will come."""
    script = Script(is_silent=True)
    transport = http(script)
    sending = [asyncio.create_task(transport.send(LINE)) for _ in range(2)]
    receiving = asyncio.create_task(transport.receive())
    for _ in range(10):
        await asyncio.sleep(0)
    assert script.sent
    await transport.close()
    assert script.is_closed
    with pytest.raises(ConnectionLost, match="closed before the answer came"):
        await sending[0]
    with pytest.raises(ConnectionLost, match="this connection is closed"):
        await sending[1]
    assert await receiving == b""
    await transport.close()


# --- the connection made before there is something to post


class Watch:
    """A clock that stands where it is set."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.time


async def ready(host: Host, clock: Callable[[], float]) -> Http:
    """Return an `Http` that is connected already."""
    transport = Http(HERE, host.connect, now=clock)
    await transport.make_ready()
    return transport


async def test_the_first_post_uses_the_connection_that_is_there() -> None:
    """So that connecting, which shows that somebody is there, costs nothing."""
    host = Host(Script(ok(ANSWER)), Script(ok(ANSWER)))
    transport = await ready(host, Watch())
    assert len(host.opened) == 1
    await transport.send(LINE)
    assert len(host.opened) == 1
    await transport.send(LINE)
    assert len(host.opened) == 2
    await transport.close()


async def test_a_connection_that_has_waited_long_is_not_used() -> None:
    """The server may have closed it meanwhile; nobody would know whether it got the post."""
    host, clock = Host(Script(), Script(ok(ANSWER))), Watch()
    transport = await ready(host, clock)
    clock.time += 5.1
    await transport.send(LINE)
    assert [script.is_closed for script in host.opened] == [True, True]
    assert host.opened[0].sent == b""
    await transport.close()


async def test_a_connection_that_is_not_used_is_closed() -> None:
    """Closing leaves nothing open."""
    host = Host(Script())
    transport = await ready(host, Watch())
    await transport.close()
    assert host.opened[0].is_closed


# --- on a network


@pytest.mark.parametrize(
    ("says", "then", "why"),
    [
        (b"", Then.CLOSE, "the server closed without a word; .* want TLS .https://"),
        (b"", Then.RESET, "the connection is lost: Connection reset by peer"),
        (b"\x15\x03\x01\x00\x02\x02\x46", Then.WAIT, "speaks TLS there; write https://"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nVER", Then.CLOSE, "broke off within its"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nVER", Then.WAIT, "did not answer within"),
        (b"x" * 5_000_000, Then.WAIT, "does not speak HTTP there, it says 'xxx"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000, Then.WAIT, "body is longer than 1048576"),
    ],
)
async def test_strangers_are_told_in_words(says: bytes, then: Then, why: str) -> None:
    """Servers that close at once, send half answers or megabytes, or say nothing more."""
    async with stranger(says, then) as port:
        address = Address("127.0.0.1", port, "http")
        transport = await Http.connect(address, post_time=0.5)
        with pytest.raises(ConnectionLost, match=why):
            await transport.send(LINE)
        await transport.close()


async def test_posts_go_over_tls(tmp_path: Path) -> None:
    """Each connection shakes hands, and only with who is trusted."""
    shown, trusted = secured.make(tmp_path, chains.HERE), tmp_path / "authority.pem"
    trusted.write_text(chains.AUTHORITY)
    async with secured.serving(tmp_path, shown) as server:
        address = Address("127.0.0.1", server.listening[0].port, "https")
        with pytest.raises(ConnectionLost, match="its certificate is signed by one that nobody"):
            await Http.connect(address)
        transport = await Http.connect(address, trust=make_trust(trusted))
        for seq in range(200, 203):
            await transport.send(f"{request('Logout', ROMEO, seq=seq)}\r\n".encode())
            assert f"&SEQ={seq}&UIN={ROMEO}&RES=0\r\n".encode() in await transport.receive()
        await transport.close()
        await secured.until(server, 0)


# --- whatever comes

PIECES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 503 No\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"Content-Length: 40\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n",
        b"28\r\n",
        b"0\r\n\r\n",
        b"<html>",
        ANSWER,
        SIGN_IN,
        SIGN_IN[52:120],
        http_request("kqq.example", 14000, SIGN_IN),
    ]
)


@given(st.lists(st.one_of(PIECES, PIECES, st.binary(max_size=40)), max_size=12))
async def test_whatever_a_server_answers_is_a_line_or_an_error(pieces: Sequence[bytes]) -> None:
    """It is one line that a client can read, or an error that says so and tells no secret."""
    transport = http(Script(*filter(None, pieces)))
    [error] = await asyncio.gather(transport.send(SIGN_IN + b"\r\n"), return_exceptions=True)
    if error is None:
        line = await transport.receive()
        assert re.fullmatch(rb"[^\r\n]+\r\n", line)
        connection = Connection(Role.CLIENT)
        assert len(connection.receive(line, 0.0)) == 1
        assert not connection.closed
    else:
        assert isinstance(error, ConnectionLost | UnexpectedReply)
        assert MD5[8:20] not in str(error)
        assert str(error).isprintable()
    await transport.close()
