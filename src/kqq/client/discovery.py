"""Find a server as the phone did: fetch the document that lists servers, try one after the other.

    found = await fetch("http://192.0.2.7:8000")
    address = await try_servers(remembered_first(found.servers, last))

Nothing is fetched or tried that the caller did not name: there is no default address.
"""

import asyncio
import dataclasses
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from urllib.parse import quote, urljoin, urlsplit

from kqq.client.document import FoundServers, SmsService, Update, read_config
from kqq.client.transport import Address, Tcp, Transport, open_transport
from kqq.errors import ConfigError, ConnectionLost, DiscoveryError, KQQError, TimedOut
from kqq.protocol import (
    SYSTEM_ACCOUNT,
    V1_4,
    HttpResponse,
    Line,
    LineBuffer,
    Logout,
    ResponseReader,
    encode,
    show,
)

__all__ = [
    "DOCUMENT_LIMIT",
    "DOCUMENT_PATH",
    "FoundServers",
    "SmsService",
    "Update",
    "document_url",
    "fetch",
    "read_config",
    "remembered_first",
    "try_servers",
]

DOCUMENT_PATH = "/newConf/kjava/aubin2.jsp"
"""Where the real one was, and where our server has it (SEED SETM)."""
DOCUMENT_LIMIT = 65536
"""Bytes of a document, at most; the real one had 1,100."""
FETCH_TIME = 10.0
"""Seconds until the whole document must be here."""
TRY_TIME = 5.0
"""Seconds that each server gets to answer."""

_MOST_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_TOLD = 20  # servers of which an error says why they did not answer
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([^\s;\"']+)", re.IGNORECASE)
_USER = re.compile(r"//[^/@]*@")
_USUAL_PORTS = {"http": 80, "https": 443}
_VISIBLE = "!#$%&'()*+,-./:;=?@[]_~"


# --- fetching ------------------------------------------------------------------------------------


async def fetch(
    url: str,
    *,
    timeout: float = FETCH_TIME,  # noqa: ASYNC109  # it is told in words when it is over
    most: int = DOCUMENT_LIMIT,
    trust: ssl.SSLContext | None = None,
) -> FoundServers:
    """Fetch the document at `url` and return what it says.

    `url` is of http or https; a host alone will do, and without a path it is DOCUMENT_PATH. All of
    it takes `timeout` seconds and `most` bytes at most. No proxy is used. `trust` says whom to
    trust with TLS, None those that the system trusts. At most 5 redirects are followed, and none
    from https to http, where somebody on the way could name servers of their own.

    Raises ConfigError if `url` is none, ConnectionLost if no server answers there, TimedOut, and
    DiscoveryError if what it answers is no document that lists servers.
    """
    first = where = _Url.parse(url)
    try:
        async with asyncio.timeout(timeout):
            for _ in range(_MOST_REDIRECTS + 1):
                answer = await _get(where, timeout, most, trust)
                if answer.status not in _REDIRECTS:
                    break
                where = _next(where, answer)
            else:
                raise DiscoveryError(
                    f"{first} sends us on more than {_MOST_REDIRECTS} times, the last time to "
                    f"{where}; is the address right?"
                )
    except TimeoutError:
        raise TimedOut(
            f"{first} has not given its document within {timeout:g} s; is the address right?"
        ) from None
    found = _read(where, answer)
    if where == first:
        return found
    told = f"{first} has sent us to {where}"
    return dataclasses.replace(found, oddities=(told, *found.oddities))


def document_url(url: str) -> str:
    """Return `url` as `fetch` takes it, with scheme, port and path. Raises ConfigError."""
    return str(_Url.parse(url))


@dataclass(frozen=True, slots=True)
class _Url:
    """Where a document is: an address, and what to ask for there."""

    address: Address
    target: str

    def __str__(self) -> str:
        return f"{self.address}{self.target}"

    @classmethod
    def parse(cls, text: str) -> "_Url":
        """Return the URL that `text` is. Raises ConfigError, with an example, if it is none."""
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            usual = _USUAL_PORTS[parts.scheme]
            port = "" if parts.port is not None else f":{usual}"
            address = Address.parse(f"{parts.scheme}://{parts.netloc.removesuffix(':')}{port}")
        except (KeyError, ValueError, ConfigError):
            raise ConfigError(
                f"{_shown(text)} is no URL of a document; write one such as "
                "http://192.0.2.7:8000 or https://kqq.example/servers"
            ) from None
        path = parts.path if parts.path.strip("/") else DOCUMENT_PATH
        query = f"?{parts.query}" if parts.query else ""
        return cls(address, quote(path + query, safe=_VISIBLE, errors="replace"))

    def request(self) -> bytes:
        """Return what asks for the document."""
        host = self.address.host.partition("%")[0]  # without a zone
        name = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
        return (
            f"GET {self.target} HTTP/1.1\r\n"
            f"Host: {name}:{self.address.port}\r\n"
            "Accept-Encoding: identity\r\n"
            "Connection: close\r\n"
            "\r\n"
        ).encode("ascii")


async def _get(
    where: _Url, seconds: float, most: int, trust: ssl.SSLContext | None
) -> HttpResponse:
    """Return the answer to one GET. Raises ConnectionLost or DiscoveryError."""
    connection = await Tcp.connect(where.address, trust=trust, timeout=seconds)
    try:
        await connection.send(where.request())
        answers = ResponseReader(body_limit=most)
        while True:
            data = await connection.receive()
            if whole := answers.feed(data):
                return whole[0]
            if answers.error is not None:
                why = str(answers.error).partition("; nothing after")[0]
                raise DiscoveryError(f"the answer of {where} cannot be taken: {why}")
            if not data:
                raise ConnectionLost(f"{where} broke off before its answer was whole; try again")
    finally:
        await connection.close()


def _next(where: _Url, answer: HttpResponse) -> _Url:
    """Return where an answer sends us."""
    said = (answer.header("Location") or "").encode("latin-1").decode("utf-8", "replace")
    try:
        target = _Url.parse(urljoin(str(where), said))
    except (ValueError, ConfigError):  # ValueError: urljoin finds a bracket without the other
        raise DiscoveryError(
            f"{where} sends us to {_shown(said)}; only http:// and https:// are followed"
        ) from None
    if where.address.is_tls and not target.address.is_tls:
        raise DiscoveryError(
            f"{where} sends us to {_shown(said)}, where anybody on the way could change what is "
            "said; if you trust the network, use that as the address"
        )
    return target


def _read(where: _Url, answer: HttpResponse) -> FoundServers:
    if answer.status != 200:
        name = {status.value: f" ({status.phrase})" for status in HTTPStatus}
        raise DiscoveryError(
            f"{where} answers with status {answer.status}{name.get(answer.status, '')} instead of "
            "a document; is the address right?"
        )
    charset = _CHARSET.search(answer.header("Content-Type") or "")
    try:
        return read_config(answer.body, charset[1] if charset else None)
    except DiscoveryError as error:
        raise DiscoveryError(f"{where}: {error}") from error


def _shown(url: str) -> str:
    """Return a URL for an error, without the password that somebody may have put into it."""
    return repr(show(_USER.sub("//***@", url).encode("utf-8", "backslashreplace")))


# --- trying --------------------------------------------------------------------------------------


def remembered_first(servers: Sequence[Address], last: Address | None) -> tuple[Address, ...]:
    """Return `servers` with `last`, which answered the last time, first if it is among them."""
    return tuple(sorted(servers, key=lambda one: one != last))


async def try_servers(
    addresses: Sequence[Address],
    *,
    timeout: float = TRY_TIME,  # noqa: ASYNC109  # of each server, not of this call
    on_try: Callable[[Address, str], None] | None = None,
    trust: ssl.SSLContext | None = None,
    connect: Callable[[Address], Awaitable[Transport]] | None = None,
) -> Address:
    """Return the first server that answers, in this order.

    A server answers if it answers a sign-out of somebody who is not signed in, which any does
    (HACK) and which changes nothing. Each gets `timeout` seconds. `on_try` is called with the
    address and "" when its turn comes, then with words about what came of it.

    Raises ConnectionLost if none answers, which tells of each why.
    """
    connect = connect or partial(open_transport, trust=trust, timeout=timeout)
    failures = []
    for address in addresses:
        if on_try is not None:
            on_try(address, "")
        why = await _failure(address, timeout, connect)
        if on_try is not None:
            on_try(address, why or "it answers")
        if not why:
            return address
        failures.append(f"{address}: {why}")
    if not failures:
        raise ConnectionLost("there is no server to try")
    more = len(failures) - _MOST_TOLD
    told = [*failures[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])]
    raise ConnectionLost("no server answers:\n" + "\n".join(f"  {one}" for one in told))


async def _failure(
    address: Address, seconds: float, connect: Callable[[Address], Awaitable[Transport]]
) -> str:
    """Return why a server does not answer, "" if it does."""
    try:
        async with asyncio.timeout(seconds):
            transport = await connect(address)
            try:
                await _ask(address, transport)
            finally:
                await transport.close()
    except TimeoutError:
        return f"no answer in {seconds:g} s"
    except KQQError as error:
        said = str(error).removeprefix(f"cannot connect to {address}: ")
        return said.removeprefix(f"{address} ")
    return ""


async def _ask(address: Address, transport: Transport) -> None:
    """Return once something came that only a server of KQQ says. Raises ConnectionLost."""
    head = V1_4._replace(con="0") if address.is_http else V1_4
    await transport.send(encode(Logout(seq="200", uin=SYSTEM_ACCOUNT, head=head)) + b"\r\n")
    lines = LineBuffer()
    while data := await transport.receive():
        came = lines.feed(data)
        for raw in (*came, lines.pending):  # a line may lack its end
            if "RES" in Line.decode(raw).values():
                return
        if said := next((raw for raw in came if raw.strip()), b""):
            raise ConnectionLost(f"it is no KQQ server, it says {show(said.strip(), 60)!r}")
        if lines.error is not None:
            raise ConnectionLost(f"it is no KQQ server: {lines.error}")
    raise ConnectionLost("it closed without an answer")
