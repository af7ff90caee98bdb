"""TCP segments from packets of each kind, whole, cut, in fragments and broken."""

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.capture.events import End
from kqq.capture.frames import (
    BROKEN,
    FRAGMENTS,
    NOT_IP,
    NOT_TCP,
    Frames,
    Segment,
    network_of,
    places,
    read,
    segment,
)
from kqq.capture.packets import Packet
from kqq.capture.writing import Flag, Link, framed, ip_packet, tcp_segment

ENDS4 = (End("192.0.2.1", 40001), End("198.51.100.7", 14000))
ENDS6 = (End("2001:db8::1", 40001), End("2001:db8::7", 14000))


def ip(ends: tuple[End, End] = ENDS4, payload: bytes = b"hello", options: bytes = b"") -> bytes:
    """Return an IP packet with a segment."""
    part = tcp_segment(*ends, payload, seq=7, ack=9, flags=Flag.PSH | Flag.ACK, options=options)
    return ip_packet(ends[0].host, ends[1].host, part)


def packet(data: bytes, link: int = Link.RAW, length: int | None = None) -> Packet:
    """Return a packet of a capture."""
    return Packet(3, 1.5, link, data, len(data) if length is None else length)


def expected(ends: tuple[End, End] = ENDS4, payload: bytes = b"hello", missing: int = 0) -> Segment:
    """Return the segment that `ip` makes."""
    return Segment(1.5, 3, *ends, 7, 9, Flag.PSH | Flag.ACK, payload, missing)


@pytest.mark.parametrize("ends", [ENDS4, ENDS6])
@pytest.mark.parametrize("link", Link)
def test_every_link_type(link: Link, ends: tuple[End, End]) -> None:
    """Each begins its packets in its own way; what is in them is the same."""
    assert read(packet(framed(link, ip(ends)), link)) == expected(ends)


def test_loopback_in_either_order_of_bytes() -> None:
    """A capture may be read on another machine than it was made on."""
    for head in (b"\2\0\0\0", b"\0\0\0\2"):
        assert segment(packet(head + ip(), Link.NULL)) == expected()
    for family in (10, 23, 24, 28, 30):
        head = struct.pack(">L", family)
        assert segment(packet(head + ip(ENDS6), Link.NULL)) == expected(ENDS6)
    assert read(packet(b"\7\0\0\0" + ip(), Link.NULL)) == NOT_IP


def test_tags_of_vlans_and_dsl() -> None:
    """802.1Q, one tag in another, and PPPoE, over which many phones of the time came."""
    for vlans in ((5,), (5, 6), (1, 2, 3, 4, 5)):
        data = framed(Link.ETHERNET, ip(), vlans=vlans)
        assert read(packet(data, Link.ETHERNET)) == expected()
    cards = bytes(12)
    outer = b"\x88\xa8\0\7\x81\0\0\x08\x08\0"
    assert read(packet(cards + outer + ip(), Link.ETHERNET)) == expected()
    for ends, protocol in ((ENDS4, b"\0\x21"), (ENDS6, b"\0\x57")):
        session = b"\x88\x64\x11\0\0\1\0\0" + protocol
        assert read(packet(cards + session + ip(ends), Link.ETHERNET)) == expected(ends)
    session = b"\x88\x64\x11\0\0\1\0\0\xc0\x21"
    assert read(packet(cards + session + ip(), Link.ETHERNET)) == NOT_IP
    assert read(packet(cards + b"\x81\0\0\1" * 9 + b"\x08\0" + ip(), Link.ETHERNET)) == NOT_IP


def test_options_and_padding_are_no_payload() -> None:
    """Ethernet fills short packets up; options of IP and TCP may be of any length."""
    assert read(packet(framed(Link.ETHERNET, ip()) + bytes(6), Link.ETHERNET)) == expected()
    assert read(packet(ip(options=b"\x01" * 11))) == expected()
    data = bytearray(ip())
    data[0] = 0x47
    data[2:4] = (len(data) + 8).to_bytes(2, "big")
    assert read(packet(bytes(data[:20] + bytes(8) + data[20:]))) == expected()


def test_packets_that_the_card_cuts_have_no_length() -> None:
    """Captures of a sending machine have such, of both versions."""
    for ends, at in ((ENDS4, 2), (ENDS6, 4)):
        data = bytearray(ip(ends))
        data[at : at + 2] = b"\0\0"
        assert read(packet(bytes(data))) == expected(ends)


def test_cut_packets_say_how_much_is_missing() -> None:
    """Of a packet cut inside what it carries the rest is counted; before that nothing is known."""
    for ends in (ENDS4, ENDS6):
        whole = ip(ends, b"hello", options=bytes(4))
        start = len(whole) - 5
        for kept in range(len(whole)):
            found = read(packet(whole[:kept], length=len(whole)))
            if kept >= start:
                rest = b"hello"[: kept - start]
                assert found == expected(ends, rest, 5 - len(rest))
            elif kept >= start - 4 - 6:
                assert found == expected(ends, b"", 5)
            else:
                assert found == BROKEN
    # Here the packet was short on the network already, whatever it says of itself.
    assert read(packet(ip()[:-2])) == expected(payload=b"hel")


def test_ipv6_headers_in_between() -> None:
    """Options, routing, authentication and a fragment that is all there is are passed over."""
    part = tcp_segment(*ENDS6, b"hello", seq=7, ack=9, flags=Flag.PSH | Flag.ACK)
    headers = b"\x2b\0" + bytes(6) + b"\x3c\1" + bytes(14) + b"\x33\0" + bytes(6)
    headers += b"\x2c\4" + bytes(22) + b"\x06\0\0\0\0\0\0\1"
    data = ip_packet(ENDS6[0].host, ENDS6[1].host, headers + part, protocol=0)
    assert read(packet(data)) == expected(ENDS6)
    endless = ip_packet(ENDS6[0].host, ENDS6[1].host, bytes(8 * 40), protocol=0)
    assert read(packet(endless)) == BROKEN


@pytest.mark.parametrize(
    ("data", "link", "words"),
    [
        (b"", Link.ETHERNET, BROKEN),
        (b"", Link.RAW, BROKEN),
        (bytes(12) + b"\x08\x06" + bytes(28), Link.ETHERNET, NOT_IP),  # ARP
        (bytes(12) + b"\x00\x20" + bytes(28), Link.ETHERNET, NOT_IP),  # a length, of 802.3
        (b"\x90" + bytes(40), Link.RAW, NOT_IP),
        (bytes(12) + b"\x08\0" + b"\x65" + ip()[1:], Link.ETHERNET, NOT_IP),
        (ip_packet("192.0.2.1", "192.0.2.2", bytes(8), protocol=17), Link.RAW, NOT_TCP),
        (ip_packet("2001:db8::1", "2001:db8::2", bytes(8), protocol=17), Link.RAW, NOT_TCP),
        (ip_packet("192.0.2.1", "192.0.2.2", bytes(4)), Link.RAW, BROKEN),
        (ip_packet("192.0.2.1", "192.0.2.2", bytes(30)), Link.RAW, BROKEN),
        (b"\x44" + ip()[1:], Link.RAW, BROKEN),
        (ip()[:2] + b"\0\x10" + ip()[4:], Link.RAW, BROKEN),
        (ip(), 105, "of link type 105, which cannot be read"),
    ],
)
def test_what_is_no_segment(data: bytes, link: int, words: str) -> None:
    """It says what it is instead, and is counted."""
    frames = Frames()
    assert read(packet(data, link)) == words
    assert segment(packet(data, link)) is None
    for _ in range(2):
        assert frames.segment(packet(data, link)) is None
    assert frames.others == {words: 2}


@pytest.mark.parametrize("ends", [ENDS4, ENDS6])
@pytest.mark.parametrize("link", Link)
def test_places(link: Link, ends: tuple[End, End]) -> None:
    """Whoever changes packets must know where things begin in them."""
    data = framed(link, ip(ends, options=bytes(8)))
    before = len(data) - len(ip(ends, options=bytes(8)))
    after = before + (20 if ends is ENDS4 else 40)
    expected = (before, after, after + 28, len(data))
    assert places(packet(data + b"padding", link)) == expected
    assert network_of(packet(data, link)) == before
    assert places(packet(data[:30], link)) is None


def test_places_after_other_headers() -> None:
    """Headers of IPv6 stand before TCP, and some packets do not say their length."""
    part = tcp_segment(*ENDS6, b"hello")
    headers = b"\x2b\0" + bytes(6) + b"\x33\0" + bytes(6) + b"\x06\1" + bytes(10)
    data = ip_packet(ENDS6[0].host, ENDS6[1].host, headers + part, protocol=0)
    assert places(packet(data)) == (0, 68, 88, len(data))
    for ends, at in ((ENDS4, 2), (ENDS6, 4)):
        short = bytearray(ip(ends))
        short[at : at + 2] = b"\0\0"
        found = places(packet(bytes(short)))
        assert found is not None
        assert found.end == len(short)
    assert network_of(packet(b"", Link.ETHERNET)) is None
    assert network_of(packet(ip(), 105)) is None
    assert network_of(packet(b"\x90" + bytes(20))) is None


def test_kinds_of_others_are_bounded() -> None:
    """Ten thousand unknown link types are not ten thousand notes."""
    frames = Frames()
    for link in range(1000, 2000):
        frames.segment(packet(ip(), link))
    assert len(frames.others) == 33
    assert sum(frames.others.values()) == 1000


# --- fragments -----------------------------------------------------------------------------------


def parts(ends: tuple[End, End], size: int, payload: bytes = b"hello" * 50) -> list[bytes]:
    """Return an IP packet in fragments of a size."""
    whole = tcp_segment(*ends, payload, seq=7, ack=9, flags=Flag.PSH | Flag.ACK)
    hosts = (ends[0].host, ends[1].host)
    return [
        ip_packet(*hosts, whole[at : at + size], ident=5, fragment=(at, at + size < len(whole)))
        for at in range(0, len(whole), size)
    ]


@pytest.mark.parametrize("ends", [ENDS4, ENDS6])
@given(st.data())
def test_fragments_in_any_order(ends: tuple[End, End], data: st.DataObject) -> None:
    """Whichever comes last completes the segment; what comes twice counts once."""
    made = parts(ends, data.draw(st.sampled_from([8, 16, 64, 200])))
    order = data.draw(st.permutations(made))
    twice = data.draw(st.lists(st.sampled_from(order[:-1]), max_size=3))
    frames = Frames()
    for one in twice + order[:-1]:
        assert frames.segment(packet(one)) is None
    assert frames.segment(packet(order[-1])) == expected(ends, b"hello" * 50)
    frames.end()
    assert frames.others == {}


def test_fragments_that_never_complete() -> None:
    """They are counted at the end; a single one is no segment."""
    frames = Frames()
    for ends in (ENDS4, ENDS6):
        first, *_ = parts(ends, 64)
        assert segment(packet(first)) is None
        assert frames.segment(packet(first)) is None
    frames.end()
    assert frames.others == {FRAGMENTS: 2}


def test_fragments_of_other_protocols_and_cut_ones() -> None:
    """A cut fragment cannot be used, and those of UDP are not kept."""
    udp = ip_packet("2001:db8::1", "2001:db8::2", bytes(16), protocol=17, fragment=(0, True))
    assert read(packet(udp)) == NOT_TCP
    for ends in (ENDS4, ENDS6):
        whole = parts(ends, 64)[0]
        assert read(packet(whole[:-1], length=len(whole))) == BROKEN
    far = ip_packet("192.0.2.1", "192.0.2.2", bytes(64), fragment=(65528, True))
    frames = Frames()
    frames.segment(packet(far))
    assert frames.others == {BROKEN: 1}


def test_fragments_that_make_no_segment() -> None:
    """Put together they are too short for a TCP header, or say they are."""
    frames = Frames()
    for size in (12, 24):
        for at in range(0, size, 8):
            part = bytes(min(8, size - at))
            fragment = (at, at + 8 < size)
            data = ip_packet("192.0.2.1", "192.0.2.2", part, ident=size, fragment=fragment)
            frames.segment(packet(data))
    frames.end()
    assert frames.others == {BROKEN: 2}


def test_overlapping_fragments_with_gaps_are_given_up() -> None:
    """Nobody makes such; they must cost no time."""
    frames = Frames()
    hosts = ("192.0.2.1", "192.0.2.2")
    frames.segment(packet(ip_packet(*hosts, bytes(8), fragment=(4096, False))))
    for at in range(64, 4000, 8):
        frames.segment(packet(ip_packet(*hosts, bytes(512), fragment=(at, True))))
    assert frames.others[BROKEN] >= 1


def test_fragments_are_not_kept_without_end() -> None:
    """The oldest are forgotten, whether many small or large ones wait."""
    frames = Frames()
    tracemalloc.start()
    for number in range(20_000):
        size = 8 if number < 18_000 else 60_000
        data = ip_packet("192.0.2.1", "192.0.2.2", bytes(size), ident=number, fragment=(0, True))
        frames.segment(packet(data))
    assert tracemalloc.get_traced_memory()[0] < 12_000_000
    tracemalloc.stop()
    frames.end()
    assert frames.others == {FRAGMENTS: 20_000}


@given(st.sampled_from(list(Link)), st.sampled_from([ENDS4, ENDS6]), st.booleans(),
       st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=6),
       st.integers(0, 200))  # fmt: skip
def test_any_bytes_are_survived(
    link: Link, ends: tuple[End, End], is_part: bool, changes: list[tuple[int, int]], cut: int
) -> None:
    """A segment, a fragment or words come of any bytes, and payloads are in the packet."""
    data = bytearray(framed(link, parts(ends, 64)[1] if is_part else ip(ends)))
    for at, value in changes:
        if at < len(data):
            data[at] = value
    frames = Frames()
    found = frames.segment(packet(bytes(data[:cut]), link, len(data)))
    assert found is None or found.payload in bytes(data)
