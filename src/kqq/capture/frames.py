"""TCP segments from packets: link types, IPv4 and IPv6, IP fragments put together.

Checksums are not compared: systems let the network card make them, so that captures taken where the
packets were sent have wrong ones.
"""

import struct
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from kqq.capture.events import End
from kqq.capture.packets import Packet
from kqq.capture.writing import TCP, Link

NOT_IP = "no IP"
NOT_TCP = "no TCP"
BROKEN = "broken, or cut off before the TCP header ends"
FRAGMENTS = "IP fragments of which others are missing"

_IPV4, _IPV6, _PPPOE = 0x0800, 0x86DD, 0x8864
_VLANS = (0x8100, 0x88A8, 0x9100, 0x9200)
_PPP = {0x0021: _IPV4, 0x0057: _IPV6}
_MOST_TAGS = 8
_ETHERNET = int(Link.ETHERNET)
_FAMILIES = {2, 10, 23, 24, 28, 30}  # AF_INET, and AF_INET6 of Linux, Windows and the BSDs
_FRAGMENT, _AUTHENTICATION = 44, 51
_EXTENSIONS = {0, 43, 60, 135, 139, 140, _AUTHENTICATION}  # all say their length in words
_MOST_EXTENSIONS = 16
_MOST_KINDS = 32  # of packets that are told apart

_read_ipv4 = struct.Struct("!2xHHHxB").unpack_from
_read_ipv6 = struct.Struct("!4xHB").unpack_from
_read_tcp = struct.Struct("!4xLLBB").unpack_from
_read_short = struct.Struct("!H").unpack_from


class Segment(NamedTuple):
    """A TCP segment, in the packet `frame` (from 1) of the capture.

    `missing` bytes that followed `payload` on the network are not in the capture.
    """

    time: float
    frame: int
    source: End
    target: End
    seq: int
    ack: int
    flags: int
    payload: bytes
    missing: int


class Fragment(NamedTuple):
    """Part of an IP packet: `key` is the same for all parts of it, `start` its place in bytes."""

    key: bytes
    addresses: bytes
    start: int
    is_last: bool
    data: bytes


def read(packet: Packet) -> Segment | Fragment | str:
    """Return the segment or fragment that a packet holds, or in words what it is instead."""
    _, _, link, data, _ = packet
    try:
        if link == _ETHERNET and data[12:14] == b"\x08\x00":
            return _ipv4(packet, 14)
        at = _network(link, data)
        if at is None:
            return NOT_IP
        version = data[at] >> 4
        if version == 4:
            return _ipv4(packet, at)
        return _ipv6(packet, at) if version == 6 else NOT_IP
    except (struct.error, IndexError):
        return BROKEN
    except _UnknownLink:
        return f"of link type {link}, which cannot be read"


def segment(packet: Packet) -> Segment | None:
    """Return the TCP segment that a packet holds all of, None if there is none."""
    found = read(packet)
    return found if isinstance(found, Segment) else None


class Places(NamedTuple):
    """Where in the data of a packet things begin: IP, TCP, what it carries, and what follows that.

    `end` may be beyond what was captured.
    """

    network: int
    transport: int
    payload: int
    end: int


def places(packet: Packet) -> Places | None:
    """Return where in a packet the parts of its segment are; None if it holds no whole segment."""
    network = network_of(packet)
    if network is None or segment(packet) is None:
        return None
    data = packet.data
    if data[network] >> 4 == 4:
        transport = network + (data[network] & 15) * 4
        said = _read_short(data, network + 2)[0]
        end = min(network + said, packet.length) if said else len(data)
    else:
        said = _read_short(data, network + 4)[0]
        end = min(network + 40 + said, packet.length) if said else len(data)
        transport = _after_extensions(data, network)
    return Places(network, transport, transport + (data[transport + 12] >> 4) * 4, end)


def network_of(packet: Packet) -> int | None:
    """Return where in the data of a packet IP begins, None if it does not."""
    try:
        at = _network(packet.link, packet.data)
        return at if at is not None and packet.data[at] >> 4 in (4, 6) else None
    except (struct.error, IndexError, _UnknownLink):
        return None


class Frames:
    """Segments from packets; keeps IP fragments until the others are there, within limits.

    `others` counts packets that gave no segment, by what they are in words.
    """

    def __init__(self) -> None:
        self.others: dict[str, int] = {}
        self._fragments = _Fragments()

    def segment(self, packet: Packet) -> Segment | None:
        """Return the segment that `packet` holds or completes, None if there is none."""
        found: Segment | Fragment | str | None = read(packet)
        if isinstance(found, Segment):
            return found
        if isinstance(found, Fragment):
            found = self._fragments.add(packet, found)
        if isinstance(found, str):
            kind = found if found in self.others or len(self.others) < _MOST_KINDS else NOT_IP
            self.others[kind] = self.others.get(kind, 0) + 1
            return None
        return found

    def end(self) -> None:
        """Say that no packet follows: fragments that wait now count among `others`."""
        if count := self._fragments.forget():
            self.others[FRAGMENTS] = self.others.get(FRAGMENTS, 0) + count


# --- link types ----------------------------------------------------------------------------------


class _UnknownLink(Exception):
    """Packets of this link type cannot be read."""


def _network(link: int, data: bytes) -> int | None:
    """Return where IP begins, None for what is no IP."""
    match link:
        case Link.ETHERNET:
            return _after(_read_short(data, 12)[0], data, 14)
        case Link.COOKED:
            return _after(_read_short(data, 14)[0], data, 16)
        case Link.COOKED2:
            return _after(_read_short(data, 0)[0], data, 20)
        case Link.NULL | Link.LOOP:
            family = int.from_bytes(data[:4], "little")
            swapped = int.from_bytes(data[:4], "big")
            return 4 if family in _FAMILIES or swapped in _FAMILIES else None
        case Link.RAW | Link.RAW_OLD | Link.IPV4 | Link.IPV6:
            return 0
        case _:
            raise _UnknownLink


def _after(kind: int, data: bytes, at: int) -> int | None:
    """Return where IP begins after tags of VLANs and the like; `kind` is the type of Ethernet."""
    for _ in range(_MOST_TAGS):
        if kind in (_IPV4, _IPV6):
            return at
        if kind in _VLANS:
            (kind,) = _read_short(data, at + 2)
            at += 4
        elif kind == _PPPOE:
            kind = _PPP.get(_read_short(data, at + 6)[0], 0)
            at += 8
        else:
            return None
    return None


# --- IP ------------------------------------------------------------------------------------------


def _ipv4(packet: Packet, at: int) -> Segment | Fragment | str:
    data = packet[3]
    total, ident, where, protocol = _read_ipv4(data, at)
    if protocol != TCP:
        return NOT_TCP
    first = data[at]
    if first >> 4 != 4:
        return NOT_IP
    words = first & 15
    start = at + words * 4
    # Packets that the network card is to cut have no length; then what is there counts.
    end = min(at + total, packet[4]) if total else len(data)
    if words < 5 or end < start:
        return BROKEN
    addresses = data[at + 12 : at + 20]
    if where & 0x3FFF:
        if end > len(data):
            return BROKEN
        key = addresses + ident.to_bytes(2, "big")
        place = (where & 0x1FFF) << 3
        return Fragment(key, addresses, place, not where & 0x2000, data[start:end])
    return _tcp(packet, data, addresses, start, end)


def _ipv6(packet: Packet, at: int) -> Segment | Fragment | str:
    data = packet[3]
    length, kind = _read_ipv6(data, at)
    addresses = data[at + 8 : at + 40]
    start = at + 40
    end = min(start + length, packet[4]) if length else len(data)
    if kind == TCP:
        return _tcp(packet, data, addresses, start, end)
    for _ in range(_MOST_EXTENSIONS):
        if kind == TCP:
            return _tcp(packet, data, addresses, start, end)
        if kind == _FRAGMENT:
            place = _read_short(data, start + 2)[0]
            if place & 0xFFF9:  # else the whole is in one
                if data[start] != TCP or end > len(data):
                    return NOT_TCP if data[start] != TCP else BROKEN
                key = addresses + data[start + 4 : start + 8]
                is_last = not place & 1
                return Fragment(key, addresses, place & 0xFFF8, is_last, data[start + 8 : end])
        elif kind not in _EXTENSIONS:
            return NOT_TCP
        kind, start = data[start], start + _size(kind, data[start + 1])
    return BROKEN


def _size(kind: int, words: int) -> int:
    """Return how long a header of IPv6 is that says it has so many words."""
    if kind == _FRAGMENT:
        return 8
    return (words + 2) * 4 if kind == _AUTHENTICATION else (words + 1) * 8


def _after_extensions(data: bytes, at: int) -> int:
    """Return where TCP begins in a packet of IPv6 known to have it."""
    kind, start = data[at + 6], at + 40
    while kind != TCP:
        kind, start = data[start], start + _size(kind, data[start + 1])
    return start


# --- TCP -----------------------------------------------------------------------------------------


@lru_cache(16_384)
def _ends(key: bytes) -> tuple[End, End]:
    """Return source and target; `key` is both addresses and both ports as in a packet."""
    size = len(key) // 2 - 2
    ports = (int.from_bytes(key[-4:-2], "big"), int.from_bytes(key[-2:], "big"))
    hosts = (str(ip_address(key[:size])), str(ip_address(key[size:-4])))
    return End(hosts[0], ports[0]), End(hosts[1], ports[1])


def _tcp(packet: Packet, data: bytes, addresses: bytes, at: int, end: int) -> Segment | str:
    """Return the segment from `at` to `end`, which may be beyond what was captured."""
    seq, ack, offset, flags = _read_tcp(data, at)
    start = at + (offset >> 4) * 4
    if offset < 0x50 or start > end:
        return BROKEN
    source, target = _ends(addresses + data[at : at + 4])
    payload = data[start:end]
    missing = end - start - len(payload)
    return Segment(packet[1], packet[0], source, target, seq, ack, flags, payload, missing)


# --- fragments -----------------------------------------------------------------------------------

_MOST_PARTS = 16_384  # in all; a packet in the smallest fragments has 8,192
_MOST_HELD = 4 << 20
_LONGEST = 65_535
_MOST_TRIES = 8  # to put together what overlaps and has gaps, as no system makes it


class _Fragments:
    """Fragments of IP packets that wait for others; the oldest packet is forgotten first."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, _Parts] = {}
        self._count = 0
        self._bytes = 0
        self._forgotten = 0

    def add(self, packet: Packet, fragment: Fragment) -> Segment | str | None:
        """Return the segment that `fragment` completes, or what is wrong; None if it must wait."""
        if fragment.start + len(fragment.data) > _LONGEST:
            return BROKEN
        parts = self._waiting.setdefault(fragment.key, _Parts())
        if fragment.start not in parts.data:
            parts.data[fragment.start] = fragment.data
            parts.end = fragment.start + len(fragment.data) if fragment.is_last else parts.end
            parts.bytes += len(fragment.data)
            self._count += 1
            self._bytes += len(fragment.data)
        if parts.end is not None and parts.bytes >= parts.end:
            whole = parts.whole()
            parts.tries += 1
            if whole is not None or parts.tries > _MOST_TRIES:
                self._remove(fragment.key)
                return BROKEN if whole is None else self._segment(packet, fragment, whole)
        while self._count > _MOST_PARTS or self._bytes > _MOST_HELD:
            self._remove(next(iter(self._waiting)))
            self._forgotten += 1
        return None

    def forget(self) -> int:
        """Forget all; returns how many packets never were complete."""
        count = len(self._waiting) + self._forgotten
        self._waiting.clear()
        return count

    @staticmethod
    def _segment(packet: Packet, fragment: Fragment, whole: bytes) -> Segment | str:
        try:
            return _tcp(packet, whole, fragment.addresses, 0, len(whole))
        except struct.error:
            return BROKEN

    def _remove(self, key: bytes) -> None:
        parts = self._waiting.pop(key)
        self._count -= len(parts.data)
        self._bytes -= parts.bytes


class _Parts:
    """The fragments of one packet, by where they begin."""

    def __init__(self) -> None:
        self.data: dict[int, bytes] = {}
        self.end: int | None = None
        self.bytes = 0
        self.tries = 0

    def whole(self) -> bytes | None:
        """Return the packet, None if part of it is missing. Of bytes sent twice the first count."""
        whole = bytearray()
        for start in sorted(self.data):
            if start > len(whole):
                return None
            whole += self.data[start][len(whole) - start :]
        return bytes(whole) if len(whole) == self.end else None
