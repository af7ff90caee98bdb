"""Packets from the bytes of a capture: pcap and pcapng, either of them in gzip.

Nothing here trusts what a file says of itself: no length is believed before it was compared, and
no more is kept than the largest packet there can be. What is wrong with a file ends the reading
where it must, never what was read before.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kqq.errors import CaptureError
from kqq.protocol.wire import show

MOST_BYTES = 262_144
"""Bytes a packet may have: as much as tcpdump and Wireshark take."""
_MOST_BLOCK = 1 << 20  # a packet of a pcapng, with what is said about it
_MOST_INTERFACES = 10_000
_PIECE = 65_536  # bytes unpacked at once, so that a small gzip file cannot fill memory
_MOST_TIME = 253_402_300_799.0  # the end of the year 9999, after which no date can be shown

_GZIP = b"\x1f\x8b"
_SECTION = 0x0A0D0D0A
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6
_PCAP = {  # order, parts of a second, bytes before each packet
    b"\xa1\xb2\xc3\xd4": (">", 10**6, 16),
    b"\xd4\xc3\xb2\xa1": ("<", 10**6, 16),
    b"\xa1\xb2\x3c\x4d": (">", 10**9, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 10**9, 16),
    b"\xa1\xb2\xcd\x34": (">", 10**6, 24),  # of a patched libpcap of the nineties
    b"\x34\xcd\xb2\xa1": ("<", 10**6, 24),
}
_OTHERS = {
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it first",
    b"\xfd7zX": "packed with xz; unpack it first",
    b"BZh": "packed with bzip2; unpack it first",
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"snoo": "a capture of snoop; make a pcap of it with `editcap -F pcap`",
    b"GMBU": "a capture of Network Monitor; make a pcap of it with `editcap -F pcap`",
}


class Packet(NamedTuple):
    """A packet as it was captured.

    `number` counts from 1. `time` is in seconds since 1970; where the file has none (simple packets
    of a pcapng) it is that of the packet before. `link` is the link type. `length` is how many
    bytes were on the network, of which `data` is all or the start.
    """

    number: int
    time: float
    link: int
    data: bytes
    length: int


def looks_like_capture(start: bytes) -> bool:
    """Return whether a file that starts so (4 bytes at least) is a pcap or a pcapng."""
    return start[:4] in _PCAP or start[:4] == _SECTION.to_bytes(4, "big")


def looks_like_gzip(start: bytes) -> bool:
    """Return whether a file that starts so (2 bytes at least) is packed with gzip."""
    return start[:2] == _GZIP


class Gunzip:
    """Unpacks gzip, of one member or more, a piece at a time.

    `problem` says what is wrong with the file, if anything is; what was unpacked before is good.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._member: zlib._Decompress | None = zlib.decompressobj(31)
        self._between = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` unpacks to; must be exhausted before the next call."""
        while self.problem is None:
            if self._member is None:
                self._between += data
                if len(self._between) < 2 or not self._begin():
                    return
                data, self._between = self._between, b""
            assert self._member is not None
            try:
                piece = self._member.decompress(data, _PIECE)
            except zlib.error as error:
                self.problem = f"the gzip file is corrupt, and unreadable from there on ({error})"
                return
            if piece:
                yield piece
            if self._member.eof:
                data, self._member = self._member.unused_data, None
            else:
                data = self._member.unconsumed_tail
                if not data and len(piece) < _PIECE:
                    return

    def end(self) -> None:
        """Say that nothing follows; sets `problem` if more should."""
        if self._member is not None and self.problem is None:
            self.problem = "the gzip file is cut short"

    def _begin(self) -> bool:
        """Begin the next member if one follows; padding may follow too."""
        if self._between.startswith(_GZIP):
            self._member = zlib.decompressobj(31)
            return True
        self._between = self._between.strip(b"\0")[:2]
        if self._between and not _GZIP.startswith(self._between):
            self.problem = "bytes follow the end of the gzip file; they were left out"
        return False


@dataclass(slots=True)
class _Interface:
    link: int
    unit: int = 10**6  # parts of a second
    offset: int = 0  # seconds
    most: int = 0


class PacketReader:
    """Reads the packets of a capture from its bytes, however they are cut.

    `problem` is the first thing that is wrong with the file, None as long as nothing is; packets
    may follow it. `feed` and `end` raise CaptureError if this is no capture at all.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self._gunzip: Gunzip | None = None
        self._format: str | None = None  # "pcap" or "pcapng"
        self._start = b""
        self._pending = bytearray()
        self._needed = 0  # bytes of `_pending` before which it is no use to look at it
        self._skip = 0
        self._at = 0  # place of `_pending` in the (unpacked) file
        self._is_broken = False
        self._number = 0
        self._time = 0.0
        self._order = "<"
        self._unit = 10**6
        self._before = 16
        self._link = 0
        self._interfaces: list[_Interface] = []

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Yield the packets that `data` completes; must be exhausted before the next call."""
        if self._gunzip is None and self._format is None:
            data = self._start + data
            if len(data) < 4:
                self._start = data
                return
            self._start = b""
            if looks_like_gzip(data):
                self._gunzip = Gunzip()
        if self._gunzip is None:
            yield from self._read(data)
            return
        for piece in self._gunzip.feed(data):
            yield from self._read(piece)
            if self._is_broken:
                break

    def end(self) -> list[Packet]:
        """Return what there is of a packet that was cut short; nothing may be fed after this."""
        if self._gunzip is not None:
            self._gunzip.end()
            self._problem(self._gunzip.problem)
        if self._format is None:
            if looks_like_gzip(self._start):
                raise CaptureError("the gzip file is cut short")
            self._recognise(self._start or bytes(self._pending), is_all=True)
        if self._is_broken or not (self._pending or self._skip):
            return []
        self._problem(f"the capture is cut short in the middle of packet {self._number + 1}")
        rest = self._rest()
        return [] if rest is None else [rest]

    def _problem(self, words: str | None) -> None:
        self.problem = self.problem or words

    def _break(self, words: str) -> None:
        self._problem(f"{words}; the capture is corrupt from there on")
        self._is_broken = True
        self._pending.clear()

    def _recognise(self, start: bytes, *, is_all: bool = False) -> bool:
        """Find out from its start what the file is. False if more of it is needed to tell."""
        if len(start) < 4 and not is_all:
            return False
        if start[:4] in _PCAP:
            self._format = "pcap"
            self._order, self._unit, self._before = _PCAP[start[:4]]
            self._needed = 24
        elif looks_like_capture(start):
            self._format = "pcapng"
            self._needed = 12
        elif not start:
            raise CaptureError("the file is empty" if self._gunzip is None else self._inside())
        else:
            for magic, words in _OTHERS.items():
                if start.startswith(magic):
                    raise CaptureError(f"this is {words}")
            raise CaptureError(
                f"this is no capture: it starts '{show(start, 16)}'; pcap and pcapng can be read, "
                "with and without gzip"
            )
        return True

    def _inside(self) -> str:
        assert self._gunzip is not None
        return self._gunzip.problem or "the gzip file is empty"

    def _read(self, data: bytes) -> Iterator[Packet]:
        if self._is_broken:
            return
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            self._at += skipped
            data = data[skipped:]
        self._pending += data
        if self._format is None and not self._recognise(bytes(self._pending[:16])):
            return
        if len(self._pending) < self._needed:
            return
        whole = bytes(self._pending)
        # Taken out first: what reads `whole` puts back where it stopped, or breaks.
        self._pending.clear()
        if self._format == "pcapng":
            yield from self._read_blocks(whole)
        else:
            yield from self._read_records(whole)

    def _keep(self, whole: bytes, at: int, needed: int) -> None:
        """Keep what is left of `whole` from `at` on, until there are so many bytes of it."""
        self._at += at
        self._pending += whole[at:]
        self._needed = needed

    # --- pcap ------------------------------------------------------------------------------------

    def _read_records(self, whole: bytes) -> Iterator[Packet]:
        at = 0
        if self._at == 0:
            (network,) = struct.unpack_from(f"{self._order}L", whole, 20)
            self._link = network & 0xFFFF  # above are how many bytes of checksum follow packets
            at = 24
        before, unit, link = self._before, self._unit, self._link
        unpack = struct.Struct(f"{self._order}LLLL").unpack_from
        end = len(whole) - before
        number = self._number
        while at <= end:
            seconds, parts, kept, length = unpack(whole, at)
            stop = at + before + kept
            if kept > MOST_BYTES or not (kept or length):
                self._break(self._implausible(kept, at))
                return
            if stop > len(whole):
                self._keep(whole, at, stop - at)
                return
            self._number = number = number + 1
            if parts >= unit:
                self._problem(f"packet {number} has a time that no clock has")
                parts = 0
            self._time = seconds + parts / unit
            data = whole[at + before : stop]
            yield Packet(number, self._time, link, data, max(kept, length))
            at = stop
        self._keep(whole, at, before)

    def _implausible(self, kept: int, at: int) -> str:
        what = f", more than {MOST_BYTES}" if kept > MOST_BYTES else " and to be without any"
        where = f"packet {self._number + 1}, at byte {self._at + at} of the file,"
        return f"{where} is said to have {kept} bytes{what}"

    # --- pcapng ----------------------------------------------------------------------------------

    def _read_blocks(self, whole: bytes) -> Iterator[Packet]:
        at = 0
        while len(whole) - at >= 12:
            if whole[at : at + 4] == b"\x0a\x0d\x0d\x0a" and not self._begin_section(whole, at):
                return
            kind, total = struct.unpack_from(f"{self._order}LL", whole, at)
            stop = at + total
            is_read = kind in (_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET)
            if total < 12 or total % 4 or (is_read and total > _MOST_BLOCK):
                self._break(f"{self._block(at)} says it has {total} bytes, as none has")
                return
            if not is_read:
                self._skip = max(stop - len(whole), 0)
                at = min(stop, len(whole))
                continue
            if stop > len(whole):
                self._keep(whole, at, total)
                return
            (again,) = struct.unpack_from(f"{self._order}L", whole, stop - 4)
            if again != total:
                self._break(f"{self._block(at)} says it has {total} bytes, and {again} at its end")
                return
            if kind == _INTERFACE:
                self._add_interface(whole[at + 8 : stop - 4])
            elif (packet := self._packet(kind, whole[at + 8 : stop - 4])) is not None:
                yield packet
            at = stop
        self._keep(whole, at, 12)

    def _block(self, at: int) -> str:
        return f"the block at byte {self._at + at} of the file"

    def _begin_section(self, whole: bytes, at: int) -> bool:
        """Begin a section, of interfaces and a byte order of its own."""
        magic = whole[at + 8 : at + 12]
        if magic not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
            self._break(f"{self._block(at)} begins a section, but names no order of bytes")
            return False
        self._order = ">" if magic[0] == 0x1A else "<"
        self._interfaces = []
        return True

    def _add_interface(self, body: bytes) -> None:
        if len(self._interfaces) >= _MOST_INTERFACES or len(body) < 8:
            self._problem("an interface of the capture cannot be read; its packets are left out")
            return
        link, _, most = struct.unpack_from(f"{self._order}HHL", body)
        interface = _Interface(link, most=most)
        at = 8
        while len(body) - at >= 4:
            code, length = struct.unpack_from(f"{self._order}HH", body, at)
            value = body[at + 4 : at + 4 + length]
            if code == 9 and len(value) == 1:
                digits = value[0] & 0x7F
                interface.unit = 2**digits if value[0] & 0x80 else 10**digits
            elif code == 14 and len(value) == 8:
                (interface.offset,) = struct.unpack(f"{self._order}q", value)
            elif code == 0:
                break
            at += 4 + length + -length % 4
        self._interfaces.append(interface)

    def _packet(self, kind: int, body: bytes) -> Packet | None:
        """Return the packet of a block, None if the block makes no sense."""
        self._number += 1
        before = 4 if kind == _SIMPLE_PACKET else 20
        if len(body) < before:
            self._problem(f"packet {self._number} is shorter than what stands before its data")
            return None
        if kind == _SIMPLE_PACKET:
            (length,) = struct.unpack_from(f"{self._order}L", body)
            number, stamp, kept = 0, None, length
        else:
            shape = "LLLLL" if kind == _PACKET else "HxxLLLL"
            number, high, low, kept, length = struct.unpack_from(f"{self._order}{shape}", body)
            stamp = high << 32 | low
        if number >= len(self._interfaces):
            self._problem(f"packet {self._number} is of interface {number}, which is not described")
            return None
        interface = self._interfaces[number]
        if kind == _SIMPLE_PACKET:
            kept = min(kept, interface.most or kept)
        if kept > MOST_BYTES or kept > len(body) - before:
            self._problem(f"packet {self._number} is said to have {kept} bytes, more than it has")
            return None
        if stamp is not None:
            self._set_time(stamp, interface)
        data = body[before : before + kept]
        return Packet(self._number, self._time, interface.link, data, max(length, kept))

    def _set_time(self, stamp: int, interface: _Interface) -> None:
        time = stamp / interface.unit + interface.offset
        if 0 <= time <= _MOST_TIME:
            self._time = time
        else:
            self._problem(f"packet {self._number} has a time that no calendar has")

    # --- what is left ----------------------------------------------------------------------------

    def _rest(self) -> Packet | None:
        """Return the packet of which the file has only the start, if it has some of its data."""
        rest = bytes(self._pending)
        if self._format == "pcap":
            if self._at == 0 or len(rest) <= self._before:
                return None
            seconds, parts, _, length = struct.unpack_from(f"{self._order}LLLL", rest)
            data = rest[self._before :]
            time = seconds + parts / self._unit
            return Packet(self._number + 1, time, self._link, data, max(length, len(data)))
        if len(rest) <= 28 or struct.unpack_from(f"{self._order}L", rest)[0] != _PACKET:
            return None
        # Say of the block that it has what there is of it.
        kept, length = struct.unpack_from(f"{self._order}LL", rest, 20)
        kept = min(kept, len(rest) - 28)
        sizes = struct.pack(f"{self._order}LL", kept, max(length, kept))
        return self._packet(_PACKET, rest[8:20] + sizes + rest[28 : 28 + kept])
