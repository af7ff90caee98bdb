"""Bytes over TCP, with TLS or without, and words for whatever goes wrong there."""

import asyncio
import os
import re
import socket
import ssl
from pathlib import Path
from typing import Protocol

from kqq.address import HostPort
from kqq.errors import ConfigError, ConnectionLost

CONNECT_TIME = 15.0
"""Seconds that looking up a name, connecting and shaking hands may take together."""
_CLOSE_TIME = 2.0  # seconds
_NEXT_ADDRESS_TIME = 0.25  # seconds until a host's next address is tried besides (RFC 8305)
_READ = 65536

_ERRNO = re.compile(r"\[Errno (\d+)\]")
_TLS_RECORD = re.compile(rb"[\x15\x16]\x03")
"""How what a door with TLS says begins: an alert, or a handshake."""

_TRUST = "if you know the server, name the file of that certificate as the one to trust"
_UNVERIFIED = {
    9: "its certificate is not valid yet; is the clock of this machine right?",
    10: "its certificate has expired; whoever runs the server must renew it",
    18: f"its certificate has signed itself; {_TRUST}",
    19: f"its certificate is signed by one that nobody here knows; {_TRUST}",
    20: f"its certificate is signed by one that nobody here knows; {_TRUST}",
    21: f"its certificate is signed by one that nobody here knows; {_TRUST}",
    62: "its certificate is for another name; use the name that is in it",
    64: "its certificate is not for this address; use the name that is in it",
}
"""What to say of a certificate, by the number OpenSSL gives (`X509_V_ERR_...`)."""
_NO_TLS = {
    "PACKET_LENGTH_TOO_LONG",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
    "WRONG_VERSION_NUMBER",
}
"""What OpenSSL, in one version or another, says of bytes that are not of TLS."""
_COUNTERPART = {"tcp": "kqqs", "kqqs": "tcp", "http": "https", "https": "http"}
"""The scheme that is the same with TLS, or without."""


class Address(HostPort):
    """Where a server is: `tcp://HOST:PORT`, or another scheme for how to speak with it.

    `tcp` and `kqq`, which mean the same, are lines; `kqqs` is lines with TLS; `http` and `https`
    are a POST for each line. `kqq` becomes `tcp`, so that the same server is the same address.
    """

    __slots__ = ()
    SCHEME = "tcp"
    OTHER_SCHEMES = ("kqq", "kqqs", "http", "https")

    def __post_init__(self) -> None:
        """Fill in the usual scheme."""
        super().__post_init__()
        if self.scheme == "kqq":
            object.__setattr__(self, "scheme", self.SCHEME)

    @property
    def is_tls(self) -> bool:
        """Whether what goes there is encrypted."""
        return self.scheme in ("kqqs", "https")

    @property
    def is_http(self) -> bool:
        """Whether lines go there one to a POST."""
        return self.scheme in ("http", "https")


class Transport(Protocol):
    """A stream of bytes in both directions. Anything that goes wrong is ConnectionLost."""

    pushes: bool
    """Whether the server says something unasked; over HTTP it does not, so the client polls."""

    async def send(self, data: bytes) -> None:
        """Send `data`, whole lines with CRLF; returns when more may be sent."""

    async def receive(self) -> bytes:
        """Return some bytes, b"" once the other end has closed."""

    async def close(self) -> None:
        """Close; may be called twice."""


def make_trust(ca_file: Path | None = None, *, insecure: bool = False) -> ssl.SSLContext:
    """Return whom to trust with TLS: those the system trusts, or those in `ca_file` only.

    `ca_file` is PEM: certificates of who signs servers' certificates, or of servers themselves.
    `insecure` trusts everybody, so that whoever is on the way can read passwords; for trying.
    Raises ConfigError if the file cannot be used.
    """
    if insecure:
        if ca_file is not None:
            raise ConfigError(f"everybody is to be trusted and {ca_file}, too; choose one")
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if ca_file is None:
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # of which ssl.SSLError is one
        raise ConfigError(
            f"cannot trust what is in {ca_file}: {_why(error)}; take a PEM file with the server's "
            "certificate, or that of who has signed it"
        ) from error
    # Who names a certificate trusts it as it is: signed by others, or in an old form.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


async def open_streams(
    address: Address,
    *,
    trust: ssl.SSLContext | None = None,
    timeout: float = CONNECT_TIME,  # noqa: ASYNC109  # it is told in words when it is over
    limit: int = _READ,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, and shake hands if the scheme says TLS; the reader holds twice `limit` bytes.

    `trust` says whom to trust then (see `make_trust`), None those that the system trusts. Raises
    ConnectionLost with the reason if that fails within `timeout` seconds, ConfigError if the
    address can be none.
    """
    tls = (trust or make_trust()) if address.is_tls else None
    try:
        async with asyncio.timeout(timeout):
            return await asyncio.open_connection(
                address.host,
                address.port,
                limit=limit,
                happy_eyeballs_delay=_NEXT_ADDRESS_TIME,
                ssl=tls,
                # as certificates have it: without a zone
                server_hostname=address.host.partition("%")[0].rstrip(".") if tls else None,
                ssl_shutdown_timeout=_CLOSE_TIME if tls else None,
            )
    except TimeoutError:
        also = ", and does it speak TLS" if tls else ""
        raise ConnectionLost(
            f"{address} did not answer within {timeout:g} s; is the address right{also}?"
        ) from None
    except OSError as error:
        why = _why_not_connected(error, address.scheme, is_tls=bool(tls))
        raise ConnectionLost(f"cannot connect to {address}: {why}") from error
    except ValueError as error:
        raise ConfigError(
            f"cannot connect to {str(address)!r}: {address.host!r} is no host name"
        ) from error


class Tcp:
    """A transport over TCP, with TLS or without.

    A server that speaks something else, as far as its first bytes show, is ConnectionLost, and so
    is one that closes without a word after it was sent something.
    """

    pushes = True

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, scheme: str = "tcp"
    ) -> None:
        """Speak over an open connection; `scheme` says what is spoken, for errors."""
        self._reader = reader
        self._writer = writer
        self._scheme = scheme
        self._has_heard = False
        self._has_said = False

    @classmethod
    async def connect(
        cls,
        address: Address,
        *,
        trust: ssl.SSLContext | None = None,
        timeout: float = CONNECT_TIME,  # noqa: ASYNC109  # it is told in words when it is over
    ) -> "Tcp":
        """Return a transport over a new connection; arguments and errors as in `open_streams`."""
        return cls(*await open_streams(address, trust=trust, timeout=timeout), address.scheme)

    async def send(self, data: bytes) -> None:
        """Send `data`."""
        self._has_said = True
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise ConnectionLost(f"the connection is lost: {_why(error)}") from error

    async def receive(self) -> bytes:
        """Return what came."""
        try:
            data = await self._reader.read(_READ)
        except OSError as error:
            raise ConnectionLost(f"the connection is lost: {_why(error)}") from error
        if not self._has_heard:
            self._check_start(data)
            self._has_heard = True
        return data

    def _check_start(self, data: bytes) -> None:
        """Raise ConnectionLost if the first bytes show that the other end speaks another way."""
        other = _COUNTERPART[self._scheme]
        if _TLS_RECORD.match(data):
            raise ConnectionLost(
                f"the server speaks TLS there; write {other}:// in place of {self._scheme}://"
            )
        if self._scheme in ("tcp", "kqqs") and data.startswith(b"HTTP/"):
            raise ConnectionLost(
                "the server speaks HTTP only there; if it is a KQQ server, write "
                f"{'http' if self._scheme == 'tcp' else 'https'}:// in place of {self._scheme}://"
            )
        if not data and self._has_said and not self._writer.is_closing():
            may_want = f", and may it want TLS ({other}://)" if other in ("kqqs", "https") else ""
            raise ConnectionLost(f"the server closed without a word; is it a KQQ server{may_want}?")

    async def close(self) -> None:
        """Close the socket; what was sent goes out first."""
        self._writer.close()
        closed = asyncio.ensure_future(self._writer.wait_closed())
        done, _ = await asyncio.wait({closed}, timeout=_CLOSE_TIME)
        if not done:
            self._writer.transport.abort()  # the other end does not read
            await asyncio.wait({closed})
        closed.exception()  # it is closed, one way or the other


def _why_not_connected(error: OSError, scheme: str, *, is_tls: bool) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message.lower()
        return _UNVERIFIED.get(error.verify_code, f"its certificate is not trusted: {said}")
    if isinstance(error, ssl.SSLError):
        if error.reason in _NO_TLS:
            return (
                f"it does not speak TLS there; only if you need none, write "
                f"{_COUNTERPART[scheme]}:// in place of {scheme}://"
            )
        return f"no TLS could be agreed on: {_why(error)}"
    if is_tls and isinstance(error, ConnectionResetError | ConnectionAbortedError):
        return "it hung up while shaking hands; does it speak TLS there?"
    if isinstance(error, socket.gaierror):
        return f"{_why(error)}; is the name right, and is there a network?"
    return f"{_why(error)}; is a server running there?"


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or error.strerror or "TLS broke").replace("_", " ").lower()
    if isinstance(error, socket.gaierror):  # its numbers are not the system's
        return error.strerror or str(error)
    # asyncio has words of its own for some errors; a positive number is one of the system's.
    number = error.errno or 0
    if number > 0:
        return os.strerror(number)
    # A host with many addresses fails for many reasons, which asyncio puts into one text.
    if numbers := dict.fromkeys(_ERRNO.findall(str(error))):
        return ", ".join(os.strerror(int(number)) for number in numbers)
    return error.strerror or str(error) or type(error).__name__
