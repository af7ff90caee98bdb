"""How lines travel: the client knows no more of a network than this."""

import ssl
from collections.abc import Callable

from kqq.client.posting import Http
from kqq.client.tcp import CONNECT_TIME, Address, Tcp, Transport, make_trust
from kqq.protocol import Line, LineBuffer

__all__ = [
    "Address",
    "Http",
    "Tcp",
    "Transport",
    "Watch",
    "Watched",
    "make_trust",
    "open_transport",
]

Watch = Callable[[str, Line], None]
"""Whom to show lines: called with ">" or "<", for those that go and that come, and the line."""


async def open_transport(
    address: Address,
    *,
    trust: ssl.SSLContext | None = None,
    timeout: float = CONNECT_TIME,  # noqa: ASYNC109  # it is told in words when it is over
) -> Transport:
    """Return a transport to `address`, whatever its scheme, connected.

    `trust` says whom to trust with TLS (see `make_trust`), None those that the system trusts.
    Raises ConnectionLost with the reason if connecting takes more than `timeout` seconds or
    fails, ConfigError if the address can be none.
    """
    if address.is_http:
        return await Http.connect(address, trust=trust, timeout=timeout)
    return await Tcp.connect(address, trust=trust, timeout=timeout)


class Watched:
    """A transport that shows each line that goes (">") or comes ("<") to `watch`."""

    def __init__(self, transport: Transport, watch: Watch) -> None:
        self.pushes = transport.pushes
        self._transport = transport
        self._watch = watch
        self._buffers = {">": LineBuffer(), "<": LineBuffer()}

    async def send(self, data: bytes) -> None:
        """Show and send `data`."""
        self._show(">", data)
        await self._transport.send(data)

    async def receive(self) -> bytes:
        """Return and show what came."""
        data = await self._transport.receive()
        self._show("<", data)
        return data

    async def close(self) -> None:
        """Close what is watched."""
        await self._transport.close()

    def _show(self, direction: str, data: bytes) -> None:
        for raw in self._buffers[direction].feed(data):
            self._watch(direction, Line.decode(raw))
