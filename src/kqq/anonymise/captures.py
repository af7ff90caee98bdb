"""Captures without the people in them: the same packets, with other addresses and other words.

Two passes: the first finds out which connections are of the protocol, and meets people's numbers;
the second writes each packet where it stood. A line may be spread over packets, so what a packet
carries is filled in once its lines are whole; until then its place in the file is kept.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import BinaryIO

from kqq.anonymise.lines import Half, Lines, Report
from kqq.anonymise.values import Values
from kqq.capture.events import Closed, Data, End, Lost, Note, Opened
from kqq.capture.frames import Frames, Places, Segment, network_of, places
from kqq.capture.packets import Packet, PacketReader
from kqq.capture.streams import Reassembly, StreamEvent
from kqq.capture.writing import Link, PcapngWriter, PcapWriter, checksum, pseudo_header

_PIECE = 1 << 18
_TRIED = 1 << 18  # bytes of one end in which a line must be found
_HISTORY = 1 << 18  # bytes of one end that may be sent again
_MOST_KNOWN = 100_000  # pairs of ends whose stream is known
_BLANK = b"?"
_ETHERNET_HEAD = 14
_NEXT_HEADERS = {0, 43, 44, 51, 60, 135, 139, 140}
_KEPT_OPTIONS = {2, 3, 4, 5, 8}  # of TCP: sizes, acknowledgements, clocks
_NOP = 1


def read_packets(source: BinaryIO, report: Report | None = None) -> Iterator[Packet]:
    """Yield the packets of a capture; says in `report` what is wrong with it."""
    reader = PacketReader()
    while piece := source.read(_PIECE):
        yield from reader.feed(piece)
    yield from reader.end()
    if reader.problem is not None and report is not None:
        report.left_out[f"the rest of the file: {reader.problem}"] += 1


def survey(source: BinaryIO, values: Values) -> bytearray:
    """Meet the numbers in a capture; returns for each stream, by number, whether it is ours."""
    found = _Survey(values)
    frames, reassembly = Frames(), Reassembly()
    for packet in read_packets(source):
        segment = frames.segment(packet)
        if segment is not None:
            for event in reassembly.feed(segment):
                found.hear(event)
    for event in reassembly.end():
        found.hear(event)
    return found.ours


class _Survey:
    """Finds out which streams have lines of the protocol."""

    def __init__(self, values: Values) -> None:
        self.ours = bytearray(1)
        self._lines = Lines(values, Report(), is_meeting=True)
        self._halves: dict[int, tuple[Half, Half]] = {}
        self._tried: dict[int, int] = {}

    def hear(self, event: StreamEvent) -> None:
        """Take what happens on a stream."""
        if isinstance(event, Note):
            return
        number = event.stream.number
        if isinstance(event, Opened):
            self.ours.append(0)
            self._halves[number] = (Half(self._lines), Half(self._lines))
            self._tried[number] = 0
        halves = self._halves.get(number)
        if halves is None:
            return
        before = self._lines.found
        if isinstance(event, Data):
            halves[event.way].feed(event.data)
            self._tried[number] += len(event.data)
        elif isinstance(event, Lost):
            halves[event.way].lose()
        elif isinstance(event, Closed):
            for half in halves:
                half.end()
        if self._lines.found > before:
            self.ours[number] = 1
        is_hopeless = self._tried[number] > _TRIED and not self.ours[number]
        if isinstance(event, Closed) or is_hopeless:
            del self._halves[number], self._tried[number]


@dataclass(slots=True)
class _Carrier:
    """A packet whose payload, bytes `start` to `end` of one end's, is to be filled in."""

    data: bytearray
    places: Places
    offset: int  # in the file
    start: int
    end: int


class _Filling:
    """One end of a connection: what it says now, and the packets that wait for it."""

    def __init__(self, lines: Lines, write: "CaptureWriter") -> None:
        self._half = Half(lines)
        self._write = write
        self._waiting: list[tuple[int, int, _Carrier]] = []  # by where they end
        self._past = bytearray()  # the last that was said
        self._position = 0  # where it ends

    def carry(self, carrier: _Carrier) -> None:
        """Take a packet; it is written once all that it carries is known."""
        self._fill(carrier, self._position - len(self._past), self._past)
        heappush(self._waiting, (carrier.end, carrier.offset, carrier))
        self._settle()

    def feed(self, data: bytes) -> None:
        """Take bytes that were said next."""
        self._say(self._half.feed(data))

    def lose(self, count: int) -> None:
        """Take that so many bytes are missing."""
        self._say(self._half.lose())
        self._past.clear()
        self._position += count
        self._settle()

    def end(self) -> None:
        """Take that nothing follows; packets that still wait carry blanks."""
        self._say(self._half.end())
        for _, _, carrier in self._waiting:
            self._write.finish(carrier)
        self._waiting.clear()

    def _say(self, data: bytes) -> None:
        if data:
            for _, _, carrier in self._waiting:
                self._fill(carrier, self._position, data)
            self._past += data
            self._position += len(data)
            if len(self._past) > 2 * _HISTORY:
                del self._past[:-_HISTORY]
        self._settle()

    def _settle(self) -> None:
        """Write the packets of which all is known."""
        while self._waiting and self._waiting[0][0] <= self._position:
            self._write.finish(heappop(self._waiting)[2])

    def _fill(self, carrier: _Carrier, at: int, data: bytes | bytearray) -> None:
        start, end = max(carrier.start, at), min(carrier.end, at + len(data))
        if start < end:
            to = carrier.places.payload - carrier.start
            carrier.data[to + start : to + end] = data[start - at : end - at]


class CaptureWriter:
    """Writes the packets of a capture again, to a file that can be read and changed, too."""

    def __init__(
        self,
        target: BinaryIO,
        values: Values,
        report: Report,
        ours: bytearray,
        *,
        is_pcapng: bool,
        keep_foreign: bool = False,
    ) -> None:
        self._target = target
        self._values = values
        self._report = report
        self._lines = Lines(values, report)
        self._ours = ours
        self._keep_foreign = keep_foreign
        self._is_pcapng = is_pcapng
        self._writer: PcapWriter | PcapngWriter | None = None
        self._links: dict[int, int] = {}
        self._frames = Frames()
        self._reassembly = Reassembly()
        self._numbers: dict[tuple[End, End], int] = {}
        self._fillings: dict[int, tuple[_Filling, _Filling]] = {}

    def rewrite(self, packets: Iterable[Packet]) -> None:
        """Write all packets, and fill in what they carry."""
        for packet in packets:
            self._packet(packet)
        for event in self._reassembly.end():
            self._hear(event)
        if self._writer is None:
            self._open(Link.ETHERNET)

    def finish(self, carrier: _Carrier) -> None:
        """Write a packet of which all is known in its place."""
        _fix_tcp(carrier.data, carrier.places)
        self._target.seek(carrier.offset)
        self._target.write(carrier.data)
        self._target.seek(0, 2)

    def _packet(self, packet: Packet) -> None:
        segment = self._frames.segment(packet)
        where = places(packet)
        if segment is None or where is None:
            if segment is not None:
                self._listen(segment)
            self._foreign(packet, "packets that are no TCP, or fragments")
            return
        ends = (segment.source, segment.target)
        place = self._reassembly.place(segment)
        events = self._reassembly.feed(segment)
        for event in events:
            if isinstance(event, Opened):
                self._begin(event)
                place = self._reassembly.place(segment)
        number = self._numbers.get(ends)
        if number is None or not self._ours[number]:
            self._foreign(packet, "packets of connections that are not of the protocol")
        else:
            self._own(packet, where, segment, place)
        for event in events:
            self._hear(event)

    def _listen(self, segment: Segment) -> None:
        for event in self._reassembly.feed(segment):
            if isinstance(event, Opened):
                self._begin(event)
            self._hear(event)

    def _begin(self, event: Opened) -> None:
        stream = event.stream
        self._ours.extend(bytes(max(stream.number + 1 - len(self._ours), 0)))
        for key in (stream.ends, (stream.ends[1], stream.ends[0])):
            self._numbers.pop(key, None)
            self._numbers[key] = stream.number
        if len(self._numbers) > _MOST_KNOWN:
            del self._numbers[next(iter(self._numbers))]
        if self._ours[stream.number]:
            fillings = (_Filling(self._lines, self), _Filling(self._lines, self))
            self._fillings[stream.number] = fillings

    def _hear(self, event: StreamEvent) -> None:
        if isinstance(event, Note):
            return
        fillings = self._fillings.get(event.stream.number)
        if fillings is None:
            return
        if isinstance(event, Data):
            fillings[event.way].feed(event.data)
        elif isinstance(event, Lost):
            fillings[event.way].lose(event.count)
        elif isinstance(event, Closed):
            for filling in self._fillings.pop(event.stream.number):
                filling.end()

    def _own(
        self,
        packet: Packet,
        where: Places,
        segment: Segment,
        place: "tuple[object, int, int] | None",
    ) -> None:
        """Write a packet of ours, its payload blank until it is known."""
        self._report.replaced["packets"] += 1
        data = self._headers(packet, where)
        size = len(segment.payload)
        data[where.payload : where.payload + size] = _BLANK * size
        fillings = self._fillings.get(self._numbers[segment.source, segment.target])
        if not size or place is None or fillings is None or place[2] < 0:
            if size:
                self._report.doubts["bytes that belong to no line; they were blanked"] += 1
            _fix_tcp(data, where)
            self._write(packet, data)
            return
        offset = self._write(packet, data)
        fillings[place[1]].carry(_Carrier(data, where, offset, place[2], place[2] + size))

    def _foreign(self, packet: Packet, what: str) -> None:
        """Leave a packet out, or write it with all that it carries blanked."""
        if not self._keep_foreign:
            self._report.left_out[what] += 1
            return
        self._report.replaced["packets, blanked"] += 1
        at = network_of(packet)
        data = bytearray(len(packet.data))
        kept = _ETHERNET_HEAD if packet.link == Link.ETHERNET else 0
        before = min(kept, len(data)) if at is None else at
        data[:before] = packet.data[:before]
        if before:
            self._cards(data, packet.link)
        if at is not None:
            size = 20 if packet.data[at] >> 4 == 4 else 40
            if len(data) >= at + size:
                data[at : at + size] = packet.data[at : at + size]
                if size == 20:
                    data[at] = 0x45
                self._addresses(data, at)
        self._write(packet, data)

    # --- packets ---------------------------------------------------------------------------------

    def _headers(self, packet: Packet, where: Places) -> bytearray:
        """Return a packet with other addresses; options that nobody needs, and padding, blanked."""
        data = bytearray(packet.data)
        self._cards(data, packet.link)
        at = where.network
        if data[at] >> 4 == 4:
            data[at + 20 : where.transport] = bytes([_NOP]) * (where.transport - at - 20)
        else:
            kind, start = data[at + 6], at + 40
            while kind in _NEXT_HEADERS and start < where.transport:
                size = 8 if kind == 44 else (data[start + 1] + 1) * 8
                size = (data[start + 1] + 2) * 4 if kind == 51 else size
                data[start + 2 : start + size] = bytes(size - 2)
                kind, start = data[start], start + size
        self._addresses(data, at)
        _blank_options(data, where)
        if where.end < len(data):
            data[where.end :] = bytes(len(data) - where.end)
        return data

    def _addresses(self, data: bytearray, at: int) -> None:
        if data[at] >> 4 == 4:
            spots, size = (at + 12, at + 16), 4
        else:
            spots, size = (at + 8, at + 24), 16
        for spot in spots:
            data[spot : spot + size] = self._values.address(bytes(data[spot : spot + size]))
        if size == 4:
            end = at + (data[at] & 15) * 4
            data[at + 10 : at + 12] = b"\0\0"
            data[at + 10 : at + 12] = checksum(bytes(data[at:end])).to_bytes(2, "big")

    def _cards(self, data: bytearray, link: int) -> None:
        """Replace the addresses of network cards."""
        if link == Link.ETHERNET:
            self._card(data, 0)
            self._card(data, 6)
        elif link in (Link.COOKED, Link.COOKED2):
            size, at = (4, 6) if link == Link.COOKED else (10, 12)
            keeps = data[size + 1 : size + 2] == b"\6"
            blanked = data[at + (6 if keeps else 0) : at + 8]
            data[at + 8 - len(blanked) : at + 8] = bytes(len(blanked))
            if keeps:
                self._card(data, at)

    def _card(self, data: bytearray, at: int) -> None:
        if len(data) >= at + 6:
            data[at : at + 6] = self._values.card(bytes(data[at : at + 6]))
        else:
            data[at:] = bytes(len(data[at:]))

    # --- the file --------------------------------------------------------------------------------

    def _open(self, link: int) -> PcapWriter | PcapngWriter:
        if self._is_pcapng:
            self._writer = PcapngWriter(self._target, None)
        else:
            self._writer = PcapWriter(self._target, link)
        return self._writer

    def _write(self, packet: Packet, data: bytearray) -> int:
        """Write a packet; returns where its data is in the file."""
        writer = self._writer or self._open(packet.link)
        if isinstance(writer, PcapngWriter):
            if packet.link not in self._links:
                self._links[packet.link] = writer.interface(packet.link)
            before = self._target.tell() + 28
            interface = self._links[packet.link]
            writer.write(packet.time, bytes(data), packet.length, interface=interface)
        else:
            before = self._target.tell() + 16
            writer.write(packet.time, bytes(data), packet.length)
        return before


def _blank_options(data: bytearray, where: Places) -> None:
    """Blank the options of TCP that may say who somebody is."""
    at = where.transport + 20
    end = min(where.payload, len(data))
    while at < end and data[at] != 0:
        if data[at] == _NOP:
            at += 1
            continue
        size = max(data[at + 1], 2) if at + 1 < end else 1
        stop = min(at + size, end)
        if data[at] not in _KEPT_OPTIONS:
            data[at:stop] = bytes([_NOP]) * (stop - at)
        at = stop
    data[at:end] = bytes(len(data[at:end]))


def _fix_tcp(data: bytearray, where: Places) -> None:
    """Make the checksum of TCP right; of a packet that was cut nobody can know it, and it is 0."""
    spot = where.transport + 16
    data[spot : spot + 2] = bytes(len(data[spot : spot + 2]))
    if where.end > len(data):
        return
    at = where.network
    first, size = (at + 12, 4) if data[at] >> 4 == 4 else (at + 8, 16)
    ends = (bytes(data[first : first + size]), bytes(data[first + size : first + 2 * size]))
    segment = bytes(data[where.transport : where.end])
    total = checksum(pseudo_header(*ends, len(segment)) + segment)
    data[spot : spot + 2] = total.to_bytes(2, "big")
