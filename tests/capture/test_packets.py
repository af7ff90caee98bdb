"""Captures read: both formats, whatever their order of bytes, cuts and damages."""

import gzip
import io
import struct
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.capture.packets import (
    MOST_BYTES,
    Gunzip,
    Packet,
    PacketReader,
    looks_like_capture,
    looks_like_gzip,
)
from kqq.capture.writing import PcapngWriter, PcapWriter
from kqq.errors import CaptureError
from making import START, Making


def read(data: bytes, size: int = 1 << 20) -> tuple[list[Packet], str | None]:
    """Return the packets of a capture fed in pieces of a size, and its problem."""
    reader = PacketReader()
    packets = [
        packet for at in range(0, len(data), size) for packet in reader.feed(data[at : at + size])
    ]
    return packets + reader.end(), reader.problem


def pcap(*packets: bytes, link: int = 1) -> bytes:
    """Return a pcap with these packets, a second apart."""
    file = io.BytesIO()
    writer = PcapWriter(file, link)
    for number, packet in enumerate(packets):
        writer.write(START + number, packet)
    return file.getvalue()


def pcapng(*packets: bytes) -> bytes:
    """Return a pcapng with these packets, a second apart."""
    file = io.BytesIO()
    writer = PcapngWriter(file)
    for number, packet in enumerate(packets):
        writer.write(START + number, packet)
    return file.getvalue()


def block(kind: int, body: bytes, total: int | None = None, again: int | None = None) -> bytes:
    """Return a block of a pcapng, which may lie about its length."""
    size = len(body) + 12 if total is None else total
    return (
        struct.pack("<LL", kind, size) + body + struct.pack("<L", size if again is None else again)
    )


@pytest.fixture(scope="module")
def making() -> Making:
    """Return a small conversation."""
    made = Making()
    talk = made.talk()
    talk.client(b"VER=1.4&CMD=Login\r\n")
    talk.server(b"VER=1.1&CMD=Login\r\n")
    talk.close()
    return made


def same(packets: list[Packet], made: Making) -> bool:
    """Return whether these are the packets of `made`, with their times."""
    rows = [(number, packet.data, packet.length) for number, packet in enumerate(made.packets, 1)]
    times = [packet.time for packet in made.packets]
    return (
        [(packet.number, packet.data, packet.length) for packet in packets] == rows
        and [packet.time for packet in packets] == pytest.approx(times, abs=1e-6)
        and {packet.link for packet in packets} == {1}
    )


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_pcap_of_all_kinds(making: Making, size: int) -> None:
    """Both orders of bytes, micro- and nanoseconds, gzip or not, in pieces of any size."""
    for is_big in (False, True):
        for nano in (False, True):
            data = making.pcap(is_big=is_big, nano=nano)
            for form in (data, gzip.compress(data)):
                packets, problem = read(form, size)
                assert problem is None
                assert same(packets, making)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_pcapng_of_all_kinds(making: Making, size: int) -> None:
    """Both orders of bytes, gzip or not, in pieces of any size."""
    for is_big in (False, True):
        data = making.pcapng(is_big=is_big)
        for form in (data, gzip.compress(data)):
            packets, problem = read(form, size)
            assert problem is None
            assert same(packets, making)


def test_patched_pcap_has_more_before_each_packet() -> None:
    """The magic number of a libpcap of old says so."""
    head = struct.pack("<LHHlLLL", 0xA1B2CD34, 2, 4, 0, 0, 65535, 1)
    record = struct.pack("<LLLLLHBx", 7, 500_000, 3, 3, 1, 8, 0)
    assert read(head + record + b"abc")[0] == [Packet(1, 7.5, 1, b"abc", 3)]


def test_link_type_is_without_what_is_said_about_checksums() -> None:
    """The upper bits of a pcap's link type say how long a checksum follows each packet."""
    data = bytearray(pcap(b"x"))
    data[23] = 0x24
    assert read(bytes(data))[0][0].link == 1


def test_sections_and_interfaces_have_their_own_order_and_clock() -> None:
    """Captures put one behind the other are one; each interface counts time as it says."""
    file = io.BytesIO()
    for is_big in (False, True):
        writer = PcapngWriter(file, None, is_big=is_big)
        writer.interface(113)
        writer.interface(101, resolution=9)
        writer.interface(1, resolution=0x80 | 10)
        for interface in range(3):
            writer.write(1.5, b"abc", 5, interface=interface)
    packets, problem = read(file.getvalue())
    assert problem is None
    assert [packet.number for packet in packets] == [1, 2, 3, 4, 5, 6]
    assert [packet.link for packet in packets] == [113, 101, 1] * 2
    assert {(packet.time, packet.data, packet.length) for packet in packets} == {(1.5, b"abc", 5)}


def test_interface_may_begin_its_clock_elsewhere() -> None:
    """Options are read by their codes; unknown ones are skipped, none after the end."""
    options = struct.pack("<HHH2x", 2, 2, 0) + struct.pack("<HHq", 14, 8, 1000)
    options += struct.pack("<HH", 0, 0) + struct.pack("<HHB3x", 9, 1, 0)
    body = struct.pack("<HHL", 1, 0, 0) + options
    packet = struct.pack("<LLLLL", 0, 0, 2_000_000, 1, 1) + b"x\0\0\0"
    data = block(0x0A0D0D0A, struct.pack("<LHHq", 0x1A2B3C4D, 1, 0, -1)) + block(1, body)
    assert read(data + block(6, packet))[0] == [Packet(1, 1002.0, 1, b"x", 1)]


def test_simple_and_old_packets() -> None:
    """Simple packets have the time of the one before, and are cut as their interface says."""
    file = io.BytesIO()
    writer = PcapngWriter(file, None)
    writer.interface(1, most=4)
    writer.write(8.0, b"ab")
    writer.block(3, struct.pack("<L", 6) + b"cdef")
    writer.block(2, struct.pack("<HHLLLL", 0, 0, 0, 9_000_000, 2, 2) + b"gh")
    assert read(file.getvalue()) == (
        [
            Packet(1, 8.0, 1, b"ab", 2),
            Packet(2, 8.0, 1, b"cdef", 6),
            Packet(3, 9.0, 1, b"gh", 2),
        ],
        None,
    )


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_unknown_blocks_are_skipped(size: int) -> None:
    """Names, statistics and what the future brings are passed over, however long."""
    data = pcapng(b"a")
    extra = block(4, b"secret names") + block(0xBAD, b"x" * (3 << 20))
    with_extra = data[:48] + extra + data[48:] + block(5, b"abcd")
    size = size if size > 1 else 100_000
    assert read(with_extra, size) == read(data)
    tracemalloc.start()
    reader = PacketReader()
    list(reader.feed(data + struct.pack("<LL", 0xBAD, 0xFFFFFFFC)))
    for _ in range(100):
        list(reader.feed(bytes(100_000)))
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert reader.end() == []
    assert reader.problem == "the capture is cut short in the middle of packet 2"


# --- what is wrong with a file -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "the file is empty"),
        (b"ab", "starts 'ab'"),
        (b"ab\r\n", r"starts 'ab\\x0d\\x0a'"),
        (b"VER=1.4&CMD=Login&PS=abc\r\n", "starts 'VER="),
        (b"\x28\xb5\x2f\xfdxxxx", "packed with zstd"),
        (b"\xfd7zXZ\0", "packed with xz"),
        (b"BZh9xxxx", "packed with bzip2"),
        (b"PK\x03\x04xxxx", "a zip archive"),
        (b"snoop\0\0\0", "a capture of snoop"),
        (b"GMBU\0\0\0", "a capture of Network Monitor"),
        (gzip.compress(b"", mtime=0), "the gzip file is empty"),
        (gzip.compress(b"no capture", mtime=0), "starts 'no c"),
        (gzip.compress(b"abc", mtime=0), "starts 'abc'"),
        (b"\x1f\x8b\x08", "cut short"),
        (b"\x1f\x8b\x08\x00", "cut short"),
        (b"\x1f\x8b\xff\xff\xff", "corrupt"),
    ],
)
def test_no_capture_at_all(data: bytes, words: str) -> None:
    """The error says what the file is, or how it begins."""
    for size in (1, 1 << 20):
        with pytest.raises(CaptureError, match=words):
            read(data, size)


def test_what_is_a_capture() -> None:
    """Four bytes tell."""
    for data in (pcap(), pcapng()):
        assert looks_like_capture(data)
        assert not looks_like_gzip(data)
    assert looks_like_gzip(gzip.compress(b""))
    assert not looks_like_capture(b"VER=")


@pytest.mark.parametrize("packed", [False, True])
def test_every_cut_gives_what_is_before_it(making: Making, packed: bool) -> None:
    """A capture cut anywhere gives all packets before the cut, and the start of the last."""
    for data in (making.pcap(), making.pcapng()):
        whole, _ = read(data)
        start = len(data) - sum(len(packet.data) for packet in whole[-2:]) - 64
        form = gzip.compress(data) if packed else data
        for cut in range(len(form) - 1 if packed else start, 4, -61 if packed else -1):
            packets, problem = read(form[:cut])
            full = [packet for packet in packets if len(packet.data) == packet.length]
            assert full == whole[: len(full)]
            for packet in packets[len(full) :]:
                model = whole[len(full)]
                assert packet[:3] == model[:3]
                assert model.data.startswith(packet.data)
                assert packet.length == model.length
            if packed:
                assert problem is not None
                assert "cut short" in problem


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (8, MOST_BYTES + 1, "262145 bytes, more than 262144"),
        (8, 0, "0 bytes and to be without any"),
    ],
)
def test_length_that_cannot_be_ends_a_pcap(field: int, value: int, words: str) -> None:
    """What was read before is given; nothing after it can be found."""
    data = bytearray(pcap(b"first", b"second", b"third"))
    at = 24 + 16 + 5
    struct.pack_into("<LL", data, at + field, value, 0)
    packets, problem = read(bytes(data))
    assert [packet.data for packet in packets] == [b"first"]
    assert problem == (
        f"packet 2, at byte {at} of the file, is said to have {words}; "
        "the capture is corrupt from there on"
    )
    assert read(gzip.compress(bytes(data)), 10)[0] == packets


def test_zeros_at_the_end_of_a_file_are_no_packets() -> None:
    """What a crash leaves of a file that had its room already, and what a gzip bomb is."""
    zeros = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = zeros.compress(pcap(b"one")) + zeros.compress(bytes(50 << 20)) + zeros.flush()
    assert len(bomb) < 100_000
    tracemalloc.start()
    packets, problem = read(bomb)
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()
    assert [packet.data for packet in packets] == [b"one"]
    assert problem is not None


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
def test_bomb_of_packets_is_given_one_by_one() -> None:
    """However many packets a few bytes unpack to, no more than a piece of them is held."""
    record = struct.pack("<LLLL", 1, 0, 1, 1) + b"x"
    bomb = gzip.compress(pcap() + record * 500_000)
    assert len(bomb) < 30_000
    reader = PacketReader()
    tracemalloc.start()
    assert sum(1 for _ in reader.feed(bomb)) == 500_000
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def section(body: bytes = b"") -> bytes:
    """Return the start of a pcapng with an interface."""
    return block(0x0A0D0D0A, struct.pack("<LHHq", 0x1A2B3C4D, 1, 0, -1)) + (
        body or block(1, struct.pack("<HHL", 1, 0, 0))
    )


GOOD = block(6, struct.pack("<LLLLL", 0, 0, 5, 4, 4) + b"good")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (block(6, b"", 8), "says it has 8 bytes, as none has"),
        (block(6, b"", 14), "says it has 14 bytes, as none has"),
        (block(6, b"", 1 << 24), "says it has 16777216 bytes, as none has"),
        (block(6, bytes(24), None, 99), "says it has 36 bytes, and 99 at its end"),
        (block(0x0A0D0D0A, b"nonsense"), "begins a section, but names no order of bytes"),
    ],
)
def test_broken_block_ends_a_pcapng(bad: bytes, words: str) -> None:
    """What was read before is given."""
    packets, problem = read(section() + GOOD + bad + GOOD)
    assert [packet.data for packet in packets] == [b"good"]
    assert problem == (
        f"the block at byte {len(section() + GOOD)} of the file {words}; "
        "the capture is corrupt from there on"
    )


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (block(6, struct.pack("<LLLLL", 7, 0, 5, 0, 0)), "of interface 7, which is not described"),
        (block(6, struct.pack("<LLLLL", 0, 0, 5, 5, 5) + b"good"), "said to have 5 bytes, more"),
        (block(6, b"shor"), "shorter than what stands before its data"),
        (block(3, b""), "shorter than what stands before its data"),
        (block(3, struct.pack("<L", 9) + b"x\0\0\0"), "said to have 9 bytes, more"),
        (block(1, b""), "an interface of the capture cannot be read"),
    ],
)
def test_broken_packet_of_a_pcapng_is_left_out(bad: bytes, words: str) -> None:
    """Where a block ends is known, so that what follows it is read."""
    packets, problem = read(section() + GOOD + bad + GOOD)
    assert [packet.data for packet in packets if packet.data] == [b"good", b"good"]
    assert words in str(problem)


def test_time_that_no_calendar_has() -> None:
    """Such a packet has the time of the one before; whoever shows times need not fear them."""
    far = block(6, struct.pack("<LLLLL", 0, 0xFFFFFFFF, 5, 4, 4) + b"goof")
    packets, problem = read(section() + GOOD + far)
    assert [packet.time for packet in packets] == [0.000005] * 2
    assert problem == "packet 2 has a time that no calendar has"


def test_time_that_no_clock_has() -> None:
    """A million microseconds are a second, which is counted elsewhere."""
    data = bytearray(pcap(b"one", b"two"))
    struct.pack_into("<L", data, 28, 1_000_000)
    packets, problem = read(bytes(data))
    assert [packet.time for packet in packets] == [START, START + 1]
    assert problem == "packet 1 has a time that no clock has"


def test_interfaces_are_not_kept_without_end() -> None:
    """A capture may have ten thousand of them; packets of others are left out."""
    data = section() + block(1, struct.pack("<HHL", 1, 0, 0)) * 10_000 + GOOD
    packets, problem = read(data, 65_536)
    assert len(packets) == 1
    assert problem == "an interface of the capture cannot be read; its packets are left out"


# --- gzip ----------------------------------------------------------------------------------------


def unpacked(data: bytes, size: int) -> tuple[bytes, str | None]:
    """Return what gzip unpacks to, fed in pieces, and the problem."""
    gunzip = Gunzip()

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(data), size):
            yield from gunzip.feed(data[at : at + size])

    found = b"".join(pieces())
    gunzip.end()
    return found, gunzip.problem


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
@pytest.mark.parametrize(
    ("after", "problem"),
    [
        (b"", None),
        (bytes(600), None),
        (b"\x1f", None),
        (b"rubbish", "bytes follow the end of the gzip file; they were left out"),
        (gzip.compress(b"more", mtime=0)[:-3], "the gzip file is cut short"),
        (b"\x1f\x8brubbish", "the gzip file is corrupt, and unreadable from there on"),
    ],
)
def test_gzip_of_several_members(size: int, after: bytes, problem: str | None) -> None:
    """Members make one file; zeros after them are padding, other bytes are said to be there."""
    data = gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two" * 70_000)
    found, said = unpacked(data + after, size)
    assert found.removesuffix(b"more") == b"one " + b"two" * 70_000
    assert said == problem if problem is None else str(said).startswith(problem)


# --- anything ------------------------------------------------------------------------------------


@given(st.sampled_from([pcap(b"abc", b"defg"), pcapng(b"abc", b"defg"), section() + GOOD]),
       st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=4)), max_size=4),
       st.integers(1, 300))  # fmt: skip
def test_any_damage_is_survived(data: bytes, changes: list[tuple[int, bytes]], size: int) -> None:
    """Packets, a problem or an error come of any bytes, and the same however they are cut."""
    damaged = bytearray(data)
    for at, change in changes:
        damaged[at : at + len(change)] = change
    outcomes = []
    for one in (size, 1 << 20):
        try:
            outcomes.append(read(bytes(damaged), one))
        except CaptureError:
            outcomes.append(([], "none"))
    assert outcomes[0] == outcomes[1]
