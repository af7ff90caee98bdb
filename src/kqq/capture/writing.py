"""Captures made by us: packets, and the files that hold them.

`Dialogue` makes the TCP packets of one connection, with sequence numbers and checksums as a system
would; `PcapWriter` and `PcapngWriter` write packets as tcpdump and Wireshark read them.
"""

import struct
from collections.abc import Callable, Iterator
from enum import IntEnum, IntFlag
from functools import lru_cache
from ipaddress import ip_address
from typing import BinaryIO

from kqq.capture.events import End


class Link(IntEnum):
    """What the packets of a capture begin with: numbers of the tcpdump registry of link types."""

    NULL = 0  # loopback of BSD, family in the byte order of the machine
    ETHERNET = 1
    RAW_OLD = 12
    RAW = 101
    LOOP = 108  # loopback of OpenBSD, family in network order
    COOKED = 113
    IPV4 = 228
    IPV6 = 229
    COOKED2 = 276


class Flag(IntFlag):
    """Flags of a TCP segment."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16


TCP = 6
_PROTOCOLS = {4: 0x0800, 6: 0x86DD}
_FAMILIES = {4: 2, 6: 30}  # AF_INET and AF_INET6, as macOS has it
_VLAN = 0x8100
_WIRES = (b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x02")
"""Addresses of two network cards, for local use."""


def checksum(data: bytes) -> int:
    """Return the checksum that IP, TCP and UDP use (RFC 1071) of `data`.

    A number is the sum of its digits modulo the base less one: here the digits are words.
    """
    padded = data + b"\0" if len(data) % 2 else data
    return 0xFFFF - (int.from_bytes(padded, "big") % 0xFFFF or (0xFFFF if any(padded) else 0))


def pseudo_header(source: bytes, target: bytes, length: int, protocol: int = TCP) -> bytes:
    """Return what stands before a segment while its checksum is made; addresses as packed."""
    if len(source) == 4:
        return source + target + struct.pack("!BBH", 0, protocol, length)
    return source + target + struct.pack("!LHBB", length, 0, 0, protocol)


@lru_cache(10_000)
def packed(host: str) -> bytes:
    """Return an address as it stands in a packet: 4 bytes, or 16."""
    return ip_address(host).packed


def tcp_segment(
    source: End,
    target: End,
    payload: bytes = b"",
    *,
    seq: int = 0,
    ack: int = 0,
    flags: int = Flag.ACK,
    options: bytes = b"",
) -> bytes:
    """Return a TCP segment; `seq` and `ack` are taken modulo 2**32, options padded to words."""
    options += b"\0" * (-len(options) % 4)
    header = struct.pack(
        "!HHLLBBHHH",
        source.port,
        target.port,
        seq & 0xFFFFFFFF,
        ack & 0xFFFFFFFF,
        (20 + len(options)) << 2,
        flags,
        0xFFFF,
        0,
        0,
    )
    segment = header + options + payload
    before = pseudo_header(packed(source.host), packed(target.host), len(segment))
    total = checksum(before + segment)
    return segment[:16] + total.to_bytes(2, "big") + segment[18:]


def ip_packet(
    source: str,
    target: str,
    payload: bytes,
    *,
    protocol: int = TCP,
    ident: int = 0,
    fragment: tuple[int, bool] | None = None,
) -> bytes:
    """Return an IPv4 or IPv6 packet, as the addresses say.

    `fragment` is where in the whole this part of it stands, in bytes and a multiple of 8, and
    whether more parts follow it.
    """
    ends = packed(source) + packed(target)
    offset, more = fragment or (0, False)
    if len(ends) == 8:
        where = offset >> 3 | (0x2000 if more else 0)
        header = struct.pack(
            "!BBHHHBBH", 0x45, 0, 20 + len(payload), ident & 0xFFFF, where, 64, protocol, 0
        )
        total = checksum(header + ends)
        return header[:10] + total.to_bytes(2, "big") + ends + payload
    if fragment is not None:
        payload = struct.pack("!BBHL", protocol, 0, offset | more, ident) + payload
        protocol = 44
    header = struct.pack("!LHBB", 6 << 28, len(payload), protocol, 64)
    return header + ends + payload


def framed(link: Link, packet: bytes, *, way: int = 0, vlans: tuple[int, ...] = ()) -> bytes:
    """Return an IP packet as it stands in a capture of this link type.

    `way` says which of two network cards sends it. `vlans` are the numbers of 802.1Q tags, the
    outermost first; only Ethernet has them.
    """
    version = packet[0] >> 4
    protocol = _PROTOCOLS[version]
    cards = _WIRES if way == 0 else _WIRES[::-1]
    match link:
        case Link.ETHERNET:
            tags = b"".join(struct.pack("!HH", _VLAN, number) for number in vlans)
            return cards[1] + cards[0] + tags + protocol.to_bytes(2, "big") + packet
        case Link.NULL:
            return struct.pack("<L", _FAMILIES[version]) + packet
        case Link.LOOP:
            return struct.pack(">L", _FAMILIES[version]) + packet
        case Link.COOKED:
            return struct.pack("!HHH8sH", way * 4, 1, 6, cards[0], protocol) + packet
        case Link.COOKED2:
            return struct.pack("!HHLHBB8s", protocol, 0, 1, 1, way * 4, 6, cards[0]) + packet
        case _:
            return packet


class Dialogue:
    """The packets of one TCP connection, handed to `write(time, data)` in order.

    `ends` are the client, who opens the connection, and the server. `numbers` holds the sequence
    number each of them uses next; way 0 is from the client, 1 from the server.
    """

    def __init__(
        self,
        write: Callable[[float, bytes], object],
        client: End,
        server: End,
        *,
        link: Link = Link.ETHERNET,
        vlans: tuple[int, ...] = (),
        first: tuple[int, int] = (1000, 500_000),
        most: int = 1460,
    ) -> None:
        self.ends = (client, server)
        self.numbers = list(first)
        self._write = write
        self._link = link
        self._vlans = vlans
        self._most = most
        self._idents = [0, 0]

    def packet(
        self,
        way: int,
        payload: bytes = b"",
        *,
        flags: int = Flag.ACK,
        seq: int | None = None,
        options: bytes = b"",
    ) -> bytes:
        """Return a packet and write none; `seq` is the next of this way unless given."""
        source, target = self.ends[way], self.ends[1 - way]
        self._idents[way] += 1
        segment = tcp_segment(
            source,
            target,
            payload,
            seq=self.numbers[way] if seq is None else seq,
            ack=self.numbers[1 - way] if flags & Flag.ACK else 0,
            flags=flags,
            options=options,
        )
        packet = ip_packet(source.host, target.host, segment, ident=self._idents[way])
        return framed(self._link, packet, way=way, vlans=self._vlans)

    def open(self, time: float, *, delay: float = 0.0) -> None:
        """Write the three packets that open a connection; each takes `delay` seconds."""
        largest = struct.pack("!BBH", 2, 4, self._most)
        self._write(time, self.packet(0, flags=Flag.SYN, options=largest))
        self.numbers[0] += 1
        answer = self.packet(1, flags=Flag.SYN | Flag.ACK, options=largest)
        self._write(time + delay, answer)
        self.numbers[1] += 1
        self._write(time + 2 * delay, self.packet(0))

    def say(self, way: int, time: float, data: bytes, *, is_acknowledged: bool = True) -> None:
        """Write `data` in as many segments as it needs, and a segment that acknowledges it."""
        for part in self.parts(data):
            self._write(time, self.packet(way, part, flags=Flag.PSH | Flag.ACK))
            self.numbers[way] += len(part)
        if is_acknowledged:
            self._write(time, self.packet(1 - way))

    def parts(self, data: bytes) -> Iterator[bytes]:
        """Return `data` cut into what one segment may hold."""
        return (data[at : at + self._most] for at in range(0, len(data), self._most))

    def close(self, time: float, *, way: int = 0) -> None:
        """Write the packets that end the connection, asked for by the end `way`."""
        for one in (way, 1 - way):
            self._write(time, self.packet(one, flags=Flag.FIN | Flag.ACK))
            self.numbers[one] += 1
        self._write(time, self.packet(way))

    def reset(self, time: float, *, way: int = 1) -> None:
        """Write the packet with which the end `way` breaks the connection off."""
        self._write(time, self.packet(way, flags=Flag.RST | Flag.ACK))


class PcapWriter:
    """A pcap file; times are kept to the microsecond, or nanosecond if `nano`."""

    def __init__(
        self,
        file: BinaryIO,
        link: int = Link.ETHERNET,
        *,
        is_big: bool = False,
        nano: bool = False,
        most: int = 262_144,
    ) -> None:
        """Write the head of the file; `most` is how much of a packet the capture kept."""
        self._file = file
        self._order = ">" if is_big else "<"
        self._unit = 10**9 if nano else 10**6
        self._latest = (1 << 32) * self._unit - 1
        magic = 0xA1B23C4D if nano else 0xA1B2C3D4
        file.write(struct.pack(f"{self._order}LHHlLLL", magic, 2, 4, 0, 0, most, link))

    def write(self, time: float, data: bytes, length: int | None = None) -> None:
        """Write a packet; `length` is what it had on the network, if more than `data`.

        Times are kept up to 2106, when seconds since 1970 have more than 32 bits.
        """
        seconds, parts = divmod(min(round(time * self._unit), self._latest), self._unit)
        sizes = (len(data), len(data) if length is None else length)
        self._file.write(struct.pack(f"{self._order}LLLL", seconds, parts, *sizes) + data)


class PcapngWriter:
    """A pcapng file of one section; interfaces are numbered from 0 as they are made."""

    def __init__(self, file: BinaryIO, link: int | None = Link.ETHERNET, *, is_big: bool = False):
        """Write the head of the file, and of an interface unless `link` is None."""
        self._file = file
        self._order = ">" if is_big else "<"
        self._units: list[int] = []
        self.block(0x0A0D0D0A, struct.pack(f"{self._order}LHHq", 0x1A2B3C4D, 1, 0, -1))
        if link is not None:
            self.interface(link)

    def interface(self, link: int, *, resolution: int | None = None, most: int = 0) -> int:
        """Write the head of an interface, and return its number.

        `resolution` is a byte: that many decimal digits of seconds, or binary ones with bit 7 set;
        microseconds if None. `most` is how much of a packet was kept, 0 for all.
        """
        options = b""
        if resolution is not None:
            options = struct.pack(f"{self._order}HHB3xHH", 9, 1, resolution, 0, 0)
        self.block(1, struct.pack(f"{self._order}HHL", link, 0, most) + options)
        if resolution is None:
            self._units.append(10**6)
        else:
            self._units.append(2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution)
        return len(self._units) - 1

    def write(
        self, time: float, data: bytes, length: int | None = None, *, interface: int = 0
    ) -> None:
        """Write a packet; `length` is what it had on the network, if more than `data`."""
        stamp = round(time * self._units[interface])
        sizes = (len(data), len(data) if length is None else length)
        head = (interface, stamp >> 32, stamp & 0xFFFFFFFF, *sizes)
        self.block(6, struct.pack(f"{self._order}LLLLL", *head) + data)

    def block(self, kind: int, body: bytes) -> None:
        """Write a block of any kind; its body is padded to words."""
        body += b"\0" * (-len(body) % 4)
        total = len(body) + 12
        head = struct.pack(f"{self._order}LL", kind, total)
        self._file.write(head + body + struct.pack(f"{self._order}L", total))
