"""A door for phones: what comes in is told by its first bytes, lines or HTTP."""

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address

from kqq.protocol import looks_like_http
from kqq.server.clock import Timer
from kqq.server.config import Listen
from kqq.server.handlers import Peer, Services
from kqq.server.journal import Over, Step
from kqq.server.limits import Concurrent, address_key
from kqq.server.logs import event
from kqq.server.phones import Phone
from kqq.server.posts import Post

logger = logging.getLogger("kqq.doors")


class Visitor(asyncio.Protocol):
    """A connection that has not said yet what it is; a `Phone` or a `Post` takes its place.

    `became(old, new)` is called when that happens, and with None when the connection is over.
    `inside` counts the connections of each address.
    """

    def __init__(
        self,
        services: Services,
        inside: Concurrent,
        door: Listen | None,
        became: Callable[["Visitor | Phone | Post", "Phone | Post | None"], None],
    ) -> None:
        self._services = services
        self._inside = inside
        self._door = str(door) if door is not None else "memory"
        self._became = became
        self._start = b""
        self._timer: Timer | None = None
        self._successor: Phone | Post | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or turn away an address with too many connections."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        _set_tcp_options(transport, self._services.config.heartbeat, self._services.config.lifetime)
        config, metrics = self._services.config, self._services.metrics
        self._peer = _peer(transport, self._door, config.same_address)
        over: Over = "tls" if self._peer.over == "tls" else "tcp"
        peer = self._peer
        self._attempt = self._services.journal.begin(peer.host, peer.port, self._door, over)
        metrics.connections_open += 1
        self._address = address_key(self._peer.host)
        self._is_inside = self._inside.enter(self._address)
        if not self._is_inside:
            self._attempt.add(Step.LIMITED, limit="too many connections from this address")
            event(logger, logging.WARNING, "turned away", peer=self._peer,
                  why="too many connections from this address")  # fmt: skip
            transport.abort()
            return
        event(logger, logging.DEBUG, "connected", peer=self._peer, door=self._door)
        self._timer = self._services.clock.later(config.sign_in_time, transport.close)

    def data_received(self, data: bytes) -> None:
        """Look at the first bytes."""
        if self._transport.is_closing():
            return
        self._start += data
        is_http = looks_like_http(self._start)
        if is_http is None:
            return
        self._stop_timer()
        successor: Phone | Post
        self._services.metrics.connections["http" if is_http else self._peer.over] += 1
        if is_http:
            peer = replace(self._peer, over="http")
            successor = Post(self._services, peer, self._attempt.is_http(), self._gone)
        else:
            successor = Phone(self._services, self._peer, self._attempt, self._gone)
        self._successor = successor
        self._became(self, successor)
        self._transport.set_protocol(successor)
        successor.connection_made(self._transport)
        successor.data_received(self._start)

    def eof_received(self) -> bool:
        """Close: nothing was said that could be answered."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything; only called while it is not known what came in."""
        self._stop_timer()
        self._services.metrics.connections[self._peer.over] += 1
        what = "too little to tell what it is" if self._start else "nothing"
        self._attempt.add(Step.DISCONNECTED, reason=f"it sent {what}" + (f": {exc}" if exc else ""))
        self._gone(self)

    def close(self, reason: str) -> None:
        """Close, since nothing was said."""
        self._attempt.add(Step.CLOSED, reason=reason)
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _gone(self, who: "Visitor | Phone | Post") -> None:
        self._services.metrics.connections_open -= 1
        if self._is_inside:
            self._inside.leave(self._address)
        self._became(who, None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _peer(
    transport: asyncio.Transport, door: str, same: tuple[IPv4Network | IPv6Network, ...]
) -> Peer:
    """Return who is at the other end; in memory nobody has an address."""
    name, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    over = "tcp" if transport.get_extra_info("ssl_object") is None else "tls"
    host, port = (name[0], name[1]) if isinstance(name, tuple) else ("unknown", 0)
    reached = own[0] if isinstance(own, tuple) else "127.0.0.1"
    return Peer(host, port, over, door, place_of(host, same), reached)


def place_of(host: str, same: tuple[IPv4Network | IPv6Network, ...]) -> str:
    """Return the address, or the network that counts as one, by which sessions are found."""
    if same:
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return host
        for network in same:
            if address.version == network.version and address in network:
                return str(network)
    return host


def _set_tcp_options(transport: asyncio.Transport, heartbeat: int, lifetime: int) -> None:
    """Have the system ask a silent client every `HI` seconds whether it lives, and give up at `LI`.

    Several clients keep the socket open in silence (YIWO VB SEED), so silence ends nothing by
    itself. What a phone that vanished does not acknowledge for a minute ends its connection, so
    that little is handed over in vain. Systems without one of these have others of their own.
    """
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {
        "TCP_KEEPIDLE": heartbeat,
        "TCP_KEEPINTVL": heartbeat,
        "TCP_KEEPCNT": max(lifetime // heartbeat - 1, 1),
        "TCP_USER_TIMEOUT": 60_000,
    }
    for option, value in options.items():
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
