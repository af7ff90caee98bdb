"""Packets and captures of our own making: as others read them."""

import io
import struct
import subprocess
from pathlib import Path

import pytest

from kqq.capture.events import End
from kqq.capture.writing import (
    Dialogue,
    Flag,
    Link,
    PcapngWriter,
    PcapWriter,
    checksum,
    framed,
    ip_packet,
    tcp_segment,
)
from making import Making
from sharks import needs_tshark


def tshark(path: Path, *fields: str) -> list[list[str]]:
    """Return these fields of each packet, with all checksums compared."""
    options = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields"]
    options += [part for field in fields for part in ("-e", field)]
    done = subprocess.run(
        ["tshark", "-r", path, *options], capture_output=True, text=True, check=True, timeout=50
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("data", "sum_"),
    [
        (b"", 0xFFFF),
        (b"\0\0", 0xFFFF),
        (b"\xff\xff", 0),
        (b"\x01", 0xFEFF),
        (
            b"\x45\x00\x00\x73\x00\x00\x40\x00\x40\x11\x00\x00\xc0\xa8\x00\x01\xc0\xa8\x00\xc7",
            0xB861,
        ),
    ],
)
def test_checksum(data: bytes, sum_: int) -> None:
    """The last is a packet that everybody cites; odd bytes count as if a zero followed."""
    assert checksum(data) == sum_


@needs_tshark
@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("link", [link for link in Link if link not in (Link.IPV4, Link.IPV6)])
def test_others_read_it(link: Link, ipv6: bool, tmp_path: Path) -> None:
    """Wireshark reads our captures of each link type, and finds every checksum right."""
    making = Making(link, vlans=(3, 4) if link is Link.ETHERNET else (), ipv6=ipv6)
    talk = making.talk()
    talk.client(b"VER=1.4&CMD=Login\r\n", split=[3])
    talk.post(b"VER=1.4", b"VER=1.1\r\n")
    talk.close()
    fields = ("tcp.checksum.status", "ip.checksum.status", "frame.time_epoch", "tcp.len")
    packets = tshark(making.save(tmp_path / ("a.pcap" if ipv6 else "a.pcapng.gz")), *fields)
    assert len(packets) == len(making.packets)
    assert {packet[0] for packet in packets} == {"1"}
    assert {packet[1] for packet in packets} == {"" if ipv6 else "1"}
    times = [packet.time for packet in making.packets]
    assert [float(packet[2]) for packet in packets] == pytest.approx(times, abs=1e-6)
    assert [packet[3] for packet in packets[3:6]] == ["3", "16", "0"]


@needs_tshark
def test_both_orders_of_bytes_are_read_by_others(tmp_path: Path) -> None:
    """What a machine of the other kind would write is the same capture."""
    making = Making()
    making.talk().client(b"VER=1.4")
    for data in (making.pcap(is_big=True), making.pcap(nano=True), making.pcapng(is_big=True)):
        (tmp_path / "a").write_bytes(data)
        assert [packet[0] for packet in tshark(tmp_path / "a", "tcp.len")] == list("00070")


@pytest.mark.parametrize("nano", [False, True])
def test_pcap_keeps_times_and_lengths(nano: bool) -> None:
    """A packet of which only the start was kept says how long it was."""
    file = io.BytesIO()
    PcapWriter(file, Link.RAW, nano=nano, is_big=True).write(1.25, b"abc", 9)
    parts = 250_000_000 if nano else 250_000
    assert file.getvalue()[24:] == struct.pack(">LLLL", 1, parts, 3, 9) + b"abc"
    assert file.getvalue()[20:24] == b"\0\0\0\x65"


def test_pcap_ends_in_2106() -> None:
    """Later times become the latest there is."""
    file = io.BytesIO()
    PcapWriter(file).write(2.0**40, b"x")
    assert file.getvalue()[24:32] == b"\xff\xff\xff\xff" + struct.pack("<L", 999_999)


def test_pcapng_has_interfaces_with_clocks_of_their_own() -> None:
    """The same moment is written in the units of each interface."""
    file = io.BytesIO()
    writer = PcapngWriter(file, None)
    numbers = [writer.interface(1, resolution=resolution) for resolution in (None, 9, 0x83)]
    assert numbers == [0, 1, 2]
    before = len(file.getvalue())
    for interface in range(3):
        writer.write(1.5, b"x", interface=interface)
    blocks = file.getvalue()[before:]
    stamps = [struct.unpack_from("<LL", blocks, at + 12) for at in range(0, len(blocks), 36)]
    assert [high << 32 | low for high, low in stamps] == [1_500_000, 1_500_000_000, 12]


def test_dialogue_counts_as_tcp_does() -> None:
    """Opening and end take a number each, bytes one each, and numbers wrap."""
    seen: list[tuple[int, int, int]] = []

    def write(_: float, data: bytes) -> None:
        seq, ack = struct.unpack_from("!LL", data, 24)
        seen.append((seq, ack, data[33]))

    dialogue = Dialogue(
        write, End("192.0.2.1", 1), End("192.0.2.2", 2), link=Link.RAW, first=(2**32 - 1, 9), most=2
    )
    dialogue.open(0.0)
    dialogue.say(0, 0.0, b"abc")
    dialogue.say(1, 0.0, b"d", is_acknowledged=False)
    dialogue.close(0.0)
    dialogue.reset(0.0)
    push = Flag.PSH | Flag.ACK
    assert seen == [
        (2**32 - 1, 0, Flag.SYN),
        (9, 0, Flag.SYN | Flag.ACK),
        (0, 10, Flag.ACK),
        (0, 10, push),
        (2, 10, push),
        (10, 3, Flag.ACK),
        (10, 3, push),
        (3, 11, Flag.FIN | Flag.ACK),
        (11, 4, Flag.FIN | Flag.ACK),
        (4, 12, Flag.ACK),
        (12, 4, Flag.RST | Flag.ACK),
    ]


def test_acknowledgement_is_of_what_the_other_end_sent() -> None:
    """After an opening both know the other's first number plus one."""
    acks: list[int] = []
    dialogue = Dialogue(
        lambda _, data: acks.append(int.from_bytes(data[28:32], "big")),
        End("192.0.2.1", 1),
        End("192.0.2.2", 2),
        link=Link.RAW,
    )
    dialogue.open(0.0)
    assert acks == [0, 1001, 500_001]


@needs_tshark
def test_fragments_are_put_together_by_others(tmp_path: Path) -> None:
    """Parts of a packet of each version of IP make one segment."""
    making = Making()
    for ends in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")):
        segment = tcp_segment(End(ends[0], 5), End(ends[1], 6), b"x" * 100)
        making.add(
            framed(Link.ETHERNET, ip_packet(*ends, segment[:64], ident=7, fragment=(0, True)))
        )
        making.add(
            framed(Link.ETHERNET, ip_packet(*ends, segment[64:], ident=7, fragment=(64, False)))
        )
    packets = tshark(making.save(tmp_path / "a.pcap"), "tcp.len", "tcp.checksum.status")
    assert [packet for packet in packets if packet[0]] == [["100", "1"], ["100", "1"]]
