"""How clients use HTTP: what is common to their libraries. Heads are each client's own."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote, quote_plus

from imitations.reading import WAIT

Fields = list[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    """An answer: header names in lower case, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def raw(fields: Fields) -> bytes:
    """Return a body in which nothing is coded."""
    return "&".join(f"{name}={value}" for name, value in fields).encode()


def form(fields: Fields, *, plus: bool) -> bytes:
    """Return a body as forms are coded, a blank as `+` or as `%20`."""
    code = quote_plus if plus else quote
    return "&".join(f"{code(name)}={code(value)}" for name, value in fields).encode()


def request(start: str, headers: Fields | list[str], body: bytes) -> bytes:
    """Return a request. A header that is a text stands as it is; `#` becomes the length."""
    lines = [start]
    lines += [header if isinstance(header, str) else ": ".join(header) for header in headers]
    head = "\r\n".join(lines).replace("#", str(len(body)))
    return f"{head}\r\n\r\n".encode() + body


def connect(port: int, host: str = "127.0.0.1") -> socket.socket:
    """Return a new connection from `host`, another address of this machine."""
    return socket.create_connection(("127.0.0.1", port), WAIT, (host, 0))


def post(port: int, data: bytes, host: str = "127.0.0.1") -> Answer:
    """Send a request on a connection of its own and return the answer."""
    with connect(port, host) as link:
        link.sendall(data)
        return read_answer(link)


def read_all(port: int, data: bytes) -> bytes:
    """Send a request and return everything until the server closes."""
    with connect(port) as link:
        link.sendall(data)
        came = b""
        while piece := link.recv(65536):
            came += piece
        return came


def read_answer(link: socket.socket) -> Answer:
    """Read one answer by its length."""
    came = b""
    while b"\r\n\r\n" not in came:
        came += _more(link)
    head, _, body = came.partition(b"\r\n\r\n")
    start, *lines = head.decode().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    length = int(headers["content-length"])
    while len(body) < length:
        body += _more(link)
    return Answer(int(start.split(" ")[1]), headers, body)


def _more(link: socket.socket) -> bytes:
    piece = link.recv(65536)
    if not piece:
        raise ConnectionError("the server closed before the end of an answer")
    return piece


class KeepAlive:
    """A library that keeps its connection as long as the server lets it (.NET, Java).

    `connections` counts how often it had to connect.
    """

    def __init__(self, port: int) -> None:
        self.connections = 0
        self._port = port
        self._link: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._link is not None:
            self._link.close()

    def exchange(self, send: Callable[[socket.socket], None]) -> Answer:
        """Have a request sent on the connection, or on a new one, and return the answer."""
        if self._link is None:
            self._link = connect(self._port)
            self.connections += 1
        send(self._link)
        answer = read_answer(self._link)
        if answer.headers.get("connection", "").lower() == "close":
            self._link.close()
            self._link = None
        return answer
