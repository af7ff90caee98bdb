"""Lines over HTTP, as phones without sockets had them: each in a POST, its reply in the answer."""

import asyncio
import re
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial

from kqq.client.tcp import CONNECT_TIME, Address, Tcp, Transport, make_trust
from kqq.errors import (
    ConfigError,
    ConnectionLost,
    LocalProtocolError,
    UnexpectedReply,
)
from kqq.protocol import LINE_LIMIT, HttpResponse, ResponseReader, http_request, show

POST_TIME = 20.0
"""Seconds that a post may take, from connecting to the whole answer."""
_FRESH = 5.0
"""Seconds for which a connection that has said nothing is surely still open."""
_HTTP = b"HTTP/"
_BODY_LIMIT = 1 << 20  # bytes: also of web pages, to be told from lines
_SHOWN = 60  # bytes of an answer that makes no sense
_HASH = re.compile(r"[0-9A-Fa-f]{8,}")
"""What may be a piece of a password's MD5."""
_COMMAND = re.compile(rb"(?<![A-Za-z0-9_])CMD=([A-Za-z0-9_]{1,20})", re.IGNORECASE)

_ADVICE = {
    400: "it finds nothing it understands; perhaps it wants TLS (https://), or is no KQQ server",
    401: "somebody on the way wants a password; no KQQ server does so here",
    403: "it does not let us in; ask whoever runs it",
    404: "there is no KQQ server at that address; look at its host and port",
    405: "it takes no posts, so it is no KQQ server; look at its host and port",
    407: "a proxy on the way wants a password, which no phone could give",
    408: "it took too long to get the request; is the network slow?",
    413: "the line is too long for it; send less in one message",
    421: "it is not the server for that name; look at the address",
    429: "the server asks to slow down; wait a minute",
    500: "the server has failed; try again later, and tell whoever runs it",
    502: "what stands before the server cannot reach it; try again later",
    503: "the server asks to slow down, or rests; wait a minute",
    504: "what stands before the server cannot reach it; try again later",
    511: "the network wants somebody to sign in with a browser first",
}


class Http:
    """A transport over HTTP: a connection, a POST and an answer for each line sent.

    Posts follow one another in the order of `send`, which returns when the answer is here, and
    `receive` gives its body as one line; nothing else ever comes. An answer that is not whole is
    never given. A post that fails ends the transport: `send` and `receive` raise ConnectionLost
    from then on. Only an empty answer does not, as servers give to what they find senseless
    (HACK, WEI): `send` then raises UnexpectedReply, and that line will never have an answer.

    Whoever cancels a `send` does not learn whether the server did what the line says.
    """

    pushes = False

    def __init__(
        self,
        address: Address,
        connect: Callable[[], Awaitable[Transport]],
        *,
        post_time: float = POST_TIME,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Post to `address` over connections that `connect` makes.

        `post_time` is in seconds, and so is `now`, on any clock. Raises ConfigError if the host
        of `address` cannot stand in a request.
        """
        try:
            http_request(address.host, address.port, b"")
        except LocalProtocolError as error:
            raise ConfigError(f"{address} cannot be posted to: {error}") from error
        self._address = address
        self._connect = connect
        self._post_time = post_time
        self._now = now
        self._ready: Transport | None = None  # connected already, for the first post
        self._ready_since = 0.0
        self._turn = asyncio.Lock()
        self._post: asyncio.Task[None] | None = None
        self._answers: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._lost: ConnectionLost | None = None
        self._is_closed = False

    @classmethod
    async def connect(
        cls,
        address: Address,
        *,
        trust: ssl.SSLContext | None = None,
        timeout: float = CONNECT_TIME,  # noqa: ASYNC109  # it is told in words when it is over
        post_time: float = POST_TIME,
    ) -> "Http":
        """Connect for the first post, so that an address where nobody is shows at once.

        Each connection gets `timeout` seconds. `trust` and what is raised are those of
        `Tcp.connect`.
        """
        if address.is_tls:
            trust = trust or make_trust()  # once, since it takes a while
        http = cls(
            address,
            partial(Tcp.connect, address, trust=trust, timeout=timeout),
            post_time=post_time,
        )
        await http.make_ready()
        return http

    async def make_ready(self) -> None:
        """Connect for the first post. Raises as `connect` does."""
        self._ready = await self._connect()
        self._ready_since = self._now()

    async def send(self, data: bytes) -> None:
        """Post each line of `data`; returns when all answers are here."""
        for line in data.split(b"\n"):
            if line := line.removesuffix(b"\r"):
                async with self._turn:
                    await self._send_line(line)

    async def receive(self) -> bytes:
        """Return the next answer as a line with CRLF, b"" once this transport is closed."""
        while not self._answers:
            if self._is_closed:
                return b""
            if self._lost is not None:
                raise self._lost
            self._news.clear()
            await self._news.wait()
        return self._answers.popleft()

    async def close(self) -> None:
        """Close; a post on its way is broken off."""
        self._is_closed = True
        self._news.set()
        if self._post is not None:
            self._post.cancel()
            await asyncio.wait({self._post})
        if self._ready is not None:
            ready, self._ready = self._ready, None
            await ready.close()

    # --- inside

    def _check(self) -> None:
        """Raise ConnectionLost if nothing more can be sent."""
        if self._is_closed:
            raise ConnectionLost("this connection is closed")
        if self._lost is not None:
            raise self._lost

    async def _send_line(self, line: bytes) -> None:
        self._check()
        self._post = asyncio.get_running_loop().create_task(self._exchange(line))
        try:
            await self._post
        except ConnectionLost as error:
            self._lost = error
            self._news.set()
            raise
        except asyncio.CancelledError:
            if self._is_closed and not _is_being_cancelled():
                raise ConnectionLost("this connection was closed before the answer came") from None
            raise
        finally:
            self._post = None

    async def _exchange(self, line: bytes) -> None:
        """Post `line` and give its answer."""
        connection: Transport | None = None
        try:
            async with asyncio.timeout(self._post_time):
                connection = await self._open()
                await connection.send(http_request(self._address.host, self._address.port, line))
                response = await self._read(connection)
            self._answers.append(self._line(line, response))
            self._news.set()
        except TimeoutError:
            raise ConnectionLost(
                f"{self._address} did not answer within {self._post_time:g} s; is it a KQQ server "
                "that speaks HTTP, and is the network well?"
            ) from None
        finally:
            if connection is not None:
                await connection.close()

    async def _open(self) -> Transport:
        """Return the connection that is ready, or a new one."""
        ready, self._ready = self._ready, None
        if ready is not None:
            if self._now() - self._ready_since <= _FRESH:
                return ready
            await ready.close()
        return await self._connect()

    async def _read(self, connection: Transport) -> HttpResponse:
        """Return the answer once it is whole."""
        responses = ResponseReader(body_limit=_BODY_LIMIT)
        start = last = b""
        while True:
            data = await connection.receive()
            if len(start) < _SHOWN:
                start = (start + data[:_SHOWN]).lstrip(b"\r\n")
                if not _HTTP.startswith(start[: len(_HTTP)].upper()):
                    raise ConnectionLost(
                        f"{self._address} does not speak HTTP there, it says "
                        f"{_shown(start)!r}; write tcp:// in place of http:// if it "
                        "is a KQQ server for lines"
                    )
            if not data:
                self._check_end(responses, last)
            last = data or last
            whole = responses.feed(data)
            if whole:
                return whole[0]
            if responses.error is not None:
                raise ConnectionLost(
                    f"{self._address} answers in a way that cannot be read: {responses.error}"
                ) from responses.error

    def _check_end(self, responses: ResponseReader, last: bytes) -> None:
        """Raise ConnectionLost if the stream ends within an answer."""
        if responses.is_body_open:
            if not last.endswith(b"\n"):
                raise ConnectionLost(
                    f"{self._address} gives an answer that has neither a length nor a line end, "
                    "so nobody can tell whether it is whole; servers must say Content-Length"
                )
        elif responses.pending:
            raise ConnectionLost(f"{self._address} broke off within its answer; try again")
        else:
            raise ConnectionLost(
                f"{self._address} closed without an answer; does it speak HTTP there?"
            )

    def _line(self, asked: bytes, response: HttpResponse) -> bytes:
        """Return the body of an answer as one line with CRLF. Raises if it is none."""
        if response.status != 200:
            raise ConnectionLost(self._of_status(response))
        coding = response.header("Content-Encoding") or "identity"
        if coding.lower() != "identity":
            shown = _shown(coding.encode("latin-1"))
            raise ConnectionLost(
                f"{self._address} packs its answer ({shown!r}), which nobody asked for; "
                "servers must send lines as they are"
            )
        line = response.body.strip(b"\r\n")
        if not line:
            found = _COMMAND.search(asked)
            name = found[1].decode("ascii") if found else "a line"
            raise UnexpectedReply(
                f"{self._address} answers {name} with nothing at all, as servers do that find a "
                "request senseless; is the number right, and does the server know this version?"
            )
        if line.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            raise ConnectionLost(
                f"{self._address} answers with a web page; it is no KQQ server, or the network "
                "wants somebody to sign in with a browser first"
            )
        if b"=" not in line:
            raise ConnectionLost(
                f"{self._address} answers with what is no line: {_shown(line)!r}; "
                "it is no KQQ server"
            )
        # COMPAT: raw line ends may stand inside a body, which is a frame of its own (GO).
        line = line.replace(b"\r", b"%0D").replace(b"\n", b"%0a")
        if len(line) >= LINE_LIMIT:
            raise ConnectionLost(
                f"{self._address} answers with a line longer than {LINE_LIMIT} bytes; "
                "no KQQ server does"
            )
        return line + b"\r\n"

    def _of_status(self, response: HttpResponse) -> str:
        """Return words for an answer that is not 200."""
        status = response.status
        said = f"{self._address} answers with status {status}: "
        if 300 <= status < 400 and (target := response.header("Location")) is not None:
            shown = _shown(target.encode("latin-1"))
            return said + f"it sends us to {shown!r}; if you trust that, use it as the address"
        kind = {4: "it refuses", 5: "it has failed; try again later"}.get(status // 100, "")
        return said + _ADVICE.get(status, kind or "no KQQ server does so; look at the address")


def _shown(data: bytes) -> str:
    """Return the start of what makes no sense; it may hold any part of what was posted."""
    return _HASH.sub("***", show(data.strip(), _SHOWN))


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
