r"""Captures of our own making, in a few lines.

    making = Making()
    talk = making.talk()                 # a client and a server; opens the connection
    talk.client(b"VER=1.4&CMD=Login&SEQ=1&UIN=10001\r\n")
    talk.server(b"VER=1.1&CMD=Login&SEQ=1&UIN=10001&RES=0&RS=0\r\n", split=[4, 20])
    talk.close()
    making.pcap()                        # the bytes of a capture; also pcapng(), save(path)

Each packet takes a millisecond. Of `client` and `server`: `split` says where the bytes are cut into
segments; `again=True` sends them twice; `lost=True` leaves them out of the capture, although the
other end has them; `backwards=True` writes the segments in reverse.
"""

import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypedDict, Unpack

from kqq.capture.events import End
from kqq.capture.writing import Dialogue, Flag, Link, PcapngWriter, PcapWriter
from kqq.protocol.post import http_request, http_response

START = 1_400_000_000.0  # 2014-05-13 16:53:20 UTC
STEP = 0.001
CLIENT = "192.0.2.1"
SERVER = "198.51.100.7"
CLIENT6 = "2001:db8::1"
SERVER6 = "2001:db8::7"
PORT = 14000


@dataclass(frozen=True)
class Made:
    """A packet of a capture in the making."""

    time: float
    data: bytes
    length: int


class Making:
    """A capture in the making: `packets` may be changed at will before it is written.

    `time` is that of the next packet; add to it to let time pass.
    """

    def __init__(
        self, link: Link = Link.ETHERNET, *, vlans: tuple[int, ...] = (), ipv6: bool = False
    ) -> None:
        self.link = link
        self.vlans = vlans
        self.ipv6 = ipv6
        self.time = START
        self.packets: list[Made] = []
        self._talks = 0

    def talk(
        self,
        client: End | None = None,
        server: End | None = None,
        *,
        opened: bool = True,
        first: tuple[int, int] = (1000, 500_000),
        most: int = 1460,
    ) -> "Talk":
        """Begin a connection; without `opened` the capture has its middle only.

        Each talk has a client port of its own, from 40001; `first` are the sequence numbers.
        """
        self._talks += 1
        ends = (
            client or End(CLIENT6 if self.ipv6 else CLIENT, 40000 + self._talks),
            server or End(SERVER6 if self.ipv6 else SERVER, PORT),
        )
        talk = Talk(self, ends, first, most)
        if opened:
            talk.open()
        return talk

    def add(self, data: bytes, *, kept: int | None = None) -> None:
        """Add any packet; `kept` is how many bytes of it the capture has."""
        self.packets.append(Made(self.time, data[:kept], len(data)))
        self.time = round(self.time + STEP, 6)

    def pcap(self, *, is_big: bool = False, nano: bool = False) -> bytes:
        """Return the capture as a pcap file."""
        file = io.BytesIO()
        writer = PcapWriter(file, self.link, is_big=is_big, nano=nano)
        for packet in self.packets:
            writer.write(packet.time, packet.data, packet.length)
        return file.getvalue()

    def pcapng(self, *, is_big: bool = False) -> bytes:
        """Return the capture as a pcapng file."""
        file = io.BytesIO()
        writer = PcapngWriter(file, self.link, is_big=is_big)
        for packet in self.packets:
            writer.write(packet.time, packet.data, packet.length)
        return file.getvalue()

    def save(self, path: Path) -> Path:
        """Write the capture as the name of the file says: .pcap, .pcapng, either with .gz."""
        data = self.pcapng() if ".pcapng" in path.suffixes else self.pcap()
        path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
        return path


class How(TypedDict, total=False):
    """How bytes are said: see the top."""

    split: Sequence[int]
    again: bool
    lost: bool
    backwards: bool
    acknowledged: bool
    kept: int | None


class Talk:
    """One connection in a capture; each way of speaking may be told to go wrong."""

    def __init__(
        self, making: Making, ends: tuple[End, End], first: tuple[int, int], most: int
    ) -> None:
        self._making = making
        self.dialogue = Dialogue(
            lambda _, data: making.add(data),
            *ends,
            link=making.link,
            vlans=making.vlans,
            first=first,
            most=most,
        )

    def open(self) -> None:
        """Write the three packets that open a connection."""
        self.dialogue.open(self._making.time)

    def client(self, data: bytes, **how: Unpack[How]) -> None:
        """Let the client say `data`; see `say`."""
        self.say(0, data, **how)

    def server(self, data: bytes, **how: Unpack[How]) -> None:
        """Let the server say `data`; see `say`."""
        self.say(1, data, **how)

    def say(
        self,
        way: int,
        data: bytes,
        *,
        split: Sequence[int] = (),
        again: bool = False,
        lost: bool = False,
        backwards: bool = False,
        acknowledged: bool = True,
        kept: int | None = None,
    ) -> None:
        """Let one end say `data`, and the other acknowledge it.

        `kept` is how many bytes of each packet the capture has; for the rest see the top.
        """
        dialogue = self.dialogue
        cuts = [0, *split, len(data)]
        pieces = [data[start:end] for start, end in pairwise(cuts)]
        packets = []
        for part in (part for piece in pieces for part in dialogue.parts(piece)):
            packets.append(dialogue.packet(way, part, flags=Flag.PSH | Flag.ACK))
            dialogue.numbers[way] += len(part)
        if backwards:
            packets.reverse()
        for packet in packets * (not lost) * (2 if again else 1):
            self._making.add(packet, kept=kept)
        if acknowledged:
            self._making.add(dialogue.packet(1 - way))

    def post(self, line: bytes, answer: bytes | None = None, **how: Unpack[How]) -> None:
        """Let the client post a line over HTTP, and the server answer if `answer` is given."""
        end = self.dialogue.ends[1]
        self.client(http_request(end.host, end.port, line), **how)
        if answer is not None:
            self.server(http_response(answer))

    def close(self, way: int = 0) -> None:
        """Let one end close the connection, and the other agree."""
        self.dialogue.close(self._making.time, way=way)

    def reset(self, way: int = 1) -> None:
        """Let one end break the connection off."""
        self.dialogue.reset(self._making.time, way=way)
