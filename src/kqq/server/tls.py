"""TLS over a connection, as our protocols expect a transport to behave.

asyncio's own way, a server with `ssl=`, tells nothing of a handshake that fails, and counts nobody
who never ends one; so a door takes the connection first, and makes it secure then.
"""

import asyncio
import ssl
from typing import Any

from kqq.errors import ConfigError
from kqq.server.config import Config

_HANDSHAKE_TIME = 30.0
"""Seconds; old phones need some."""
_SHUTDOWN_TIME = 5.0
"""Seconds that a client gets to say that it closes, too."""


def context_of(config: Config) -> ssl.SSLContext:
    """Return what doors with TLS need. Raises ConfigError if the files cannot be used."""
    assert config.certificate is not None
    assert config.key is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(config.certificate, config.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot use certificate={config.certificate} with key={config.key}: {error}; take "
            "PEM files, the key without a password"
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")


async def secure(
    raw: asyncio.Transport, protocol: asyncio.Protocol, context: ssl.SSLContext
) -> asyncio.Transport:
    """Shake hands and return the transport to write to; `raw` is only to be aborted from then on.

    What came with the handshake, or right after, may be given to `protocol` before this returns.
    Raises OSError (of which ssl.SSLError is one) if there is no handshake; the connection is
    closed then.
    """
    raw.set_write_buffer_limits(high=0)
    secured = await asyncio.get_running_loop().start_tls(
        raw,
        protocol,
        context,
        server_side=True,
        ssl_handshake_timeout=_HANDSHAKE_TIME,
        ssl_shutdown_timeout=_SHUTDOWN_TIME,
    )
    if secured is None:  # so it is when the connection was closed meanwhile
        raise ConnectionAbortedError("the connection was closed")
    return _Secured(secured, raw)


class _Secured(asyncio.Transport):
    """asyncio's transport for TLS, mended where it is not like one for a socket."""

    def __init__(self, tls: asyncio.Transport, raw: asyncio.Transport) -> None:
        super().__init__()
        self._tls = tls
        self._raw = raw

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._tls.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._tls.set_protocol(protocol)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._tls.write(data)

    def can_write_eof(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when `pause_writing` and `resume_writing` are called.

        At 0 asyncio would call the first even when nothing is held, and the second not at all.
        """
        self._tls.set_write_buffer_limits(max(high, 1) if high is not None else None, low)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes are held, those that are encrypted already, too."""
        return self._tls.get_write_buffer_size() + self._raw.get_write_buffer_size()

    def is_closing(self) -> bool:
        return self._tls.is_closing()

    def close(self) -> None:
        """Close once all is written; a second time does nothing (asyncio's would break)."""
        if not self._tls.is_closing():
            self._tls.close()

    def abort(self) -> None:
        """Close at once, also what is closing."""
        self._raw.abort()

    def pause_reading(self) -> None:
        self._tls.pause_reading()

    def resume_reading(self) -> None:
        self._tls.resume_reading()
