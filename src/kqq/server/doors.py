"""A door for phones: what comes in is told by its first bytes, lines or HTTP."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import cast

from kqq.protocol import looks_like_http
from kqq.server.clock import Timer
from kqq.server.config import Config, Listen
from kqq.server.handlers import Peer, Services
from kqq.server.journal import Over, Step
from kqq.server.limits import Concurrent, address_key
from kqq.server.logs import event
from kqq.server.phones import Phone
from kqq.server.posts import Post
from kqq.server.tls import secure
from kqq.server.transports import stream_of

logger = logging.getLogger("kqq.doors")

_CROWD = "too many connections from this address"
_LONGEST_KEEPALIVE = 32767  # seconds, and
_MOST_PROBES = 127  # times; Linux takes no more


class Visitor(asyncio.Protocol):
    """A connection that has not said yet what it is; a `Phone` or a `Post` takes its place.

    `became(old, new)` is called when that happens, and with None when the connection is over.
    `inside` counts the connections of each address. With `tls` it must be made secure first.
    """

    __slots__ = (
        "_address",
        "_attempt",
        "_became",
        "_door",
        "_ending",
        "_handshake",
        "_inside",
        "_is_inside",
        "_is_noted",
        "_is_over",
        "_peer",
        "_raw",
        "_services",
        "_start",
        "_timer",
        "_tls",
        "_transport",
    )

    def __init__(
        self,
        services: Services,
        inside: Concurrent,
        door: Listen | None,
        became: Callable[["Visitor | Phone | Post", "Phone | Post | None"], None],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._services = services
        self._inside = inside
        self._door = str(door) if door is not None else "memory"
        self._became = became
        self._tls = tls
        self._raw: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None  # what to speak through, once there is
        self._handshake: asyncio.Task[None] | None = None
        self._start = b""
        self._timer: Timer | None = None
        self._ending: str | None = None  # the reason, once we want no more
        self._is_noted = False  # how it ends, in the journal
        self._is_over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or turn away an address with too many connections."""
        transport = stream_of(transport)
        self._raw = transport
        services, config = self._services, self._services.config
        over: Over = "tcp" if self._tls is None else "tls"
        peer = self._peer = _peer(transport, over, self._door, config.same_address)
        self._attempt = services.journal.begin(peer.host, peer.port, self._door, over)
        services.metrics.connections_open += 1
        self._address = address_key(peer.host)
        self._is_inside = self._inside.enter(self._address)
        if not self._is_inside:
            self._note(Step.LIMITED, limit=_CROWD)
            event(logger, logging.WARNING, "turned away", peer=peer, why=_CROWD)
            self._ending = _CROWD
        if self._ending is not None:  # the server may have stopped just now, too
            transport.abort()
            return
        event(logger, logging.DEBUG, "connected", peer=peer, door=self._door)
        self._timer = services.clock.later(config.sign_in_time, self._too_late)
        if self._tls is None:
            self._transport = transport
        else:
            shaking = self._shake_hands(transport, self._tls)
            self._handshake = asyncio.get_running_loop().create_task(shaking)
        _set_tcp_options(transport, config)

    def data_received(self, data: bytes) -> None:
        """Look at the first bytes."""
        self._start += data
        self._look()

    def eof_received(self) -> bool:
        """Close: nothing was said that could be answered."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything; only called while it is not known what came in."""
        what = "too little to tell what it is" if self._start else "nothing"
        self._end(f"it sent {what}" + (f": {exc}" if exc else ""))

    def close(self, reason: str) -> None:
        """Close, since nothing was said."""
        self._ending = self._ending or reason
        if (transport := self._transport or self._raw) is not None:
            transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._ending = self._ending or "cut off"
        if self._raw is not None:
            self._raw.abort()

    def _look(self) -> None:
        """Give way to who can speak with the client, once it is known what it speaks."""
        if self._transport is None or self._transport.is_closing():
            return
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
        self._became(self, successor)
        transport, start = self._transport, self._start
        # It lives on, to be told when the other has gone, but needs nothing of this any more.
        self._transport = self._raw = self._timer = self._handshake = None
        self._start = b""
        transport.set_protocol(cast(asyncio.Protocol, successor))  # a Phone is none by name only
        successor.connection_made(transport)
        successor.data_received(start)

    async def _shake_hands(self, raw: asyncio.Transport, tls: ssl.SSLContext) -> None:
        try:
            self._transport = await secure(raw, self, tls)
        except OSError as error:
            why = error.reason if isinstance(error, ssl.SSLError) else str(error)
            reason = (why or "the client ended it").replace("_", " ").lower()
            if self._ending is None:
                event(logger, logging.INFO, "no handshake", peer=self._peer, why=reason)
                self._note(Step.TLS_FAILED, reason=reason)
            self._end(reason)
        else:
            self._look()

    def _too_late(self) -> None:
        self.close(f"it did not say what it is for {self._services.config.sign_in_time:g} s")

    def _end(self, reason: str) -> None:
        """Note the end, once: a failed handshake may tell of it twice."""
        if self._is_over:
            return
        self._is_over = True
        self._stop_timer()
        self._services.metrics.connections[self._peer.over] += 1
        event(logger, logging.DEBUG, "gone", peer=self._peer, why=self._ending or reason)
        if self._ending is None:
            self._note(Step.DISCONNECTED, reason=reason)
        else:
            self._note(Step.CLOSED, reason=self._ending)
        self._gone(self)

    def _note(self, step: Step, **details: str) -> None:
        """Note how it ends; what is noted first says it best."""
        if not self._is_noted:
            self._is_noted = True
            self._attempt.add(step, **details)

    def _gone(self, who: "Visitor | Phone | Post") -> None:
        self._services.metrics.connections_open -= 1
        if self._is_inside:
            self._inside.leave(self._address)
        self._became(who, None)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _peer(
    transport: asyncio.Transport,
    over: str,
    door: str,
    same: tuple[IPv4Network | IPv6Network, ...],
) -> Peer:
    """Return who is at the other end; in memory nobody has an address."""
    name, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
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


def _set_tcp_options(transport: asyncio.Transport, config: Config) -> None:
    """Have the system ask a silent client every `HI` seconds whether it lives, and give up at `LI`.

    Several clients keep the socket open in silence (YIWO VB SEED), so silence ends nothing by
    itself. What a phone that vanished does not acknowledge for a minute ends its connection, so
    that little is handed over in vain. Systems without one of these have others of their own.
    """
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    every = min(config.heartbeat, _LONGEST_KEEPALIVE)
    options = {
        "TCP_KEEPIDLE": every,
        "TCP_KEEPINTVL": every,
        "TCP_KEEPCNT": min(max(config.lifetime // every - 1, 1), _MOST_PROBES),
        "TCP_USER_TIMEOUT": 60_000,
    }
    for option, value in options.items():
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
