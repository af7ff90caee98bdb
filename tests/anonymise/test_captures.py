"""Captures rewritten: the same packets and conversation, and nothing of anybody in the bytes."""

import io
import random
import subprocess
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.anonymise.captures import CaptureWriter, read_packets, survey
from kqq.anonymise.lines import Report
from kqq.anonymise.values import Values
from kqq.capture.events import Data, End, Lost, Said
from kqq.capture.frames import segment
from kqq.capture.packets import Packet
from kqq.capture.sources import read_file
from kqq.capture.streams import StreamReader
from kqq.capture.writing import Flag, Link, framed, ip_packet, tcp_segment
from making import CLIENT, CLIENT6, SERVER, SERVER6, Making
from sharks import needs_tshark

KEY = bytes(range(32))
LOGIN = (
    b"VER=1.4&CON=1&CMD=Login&SEQ=200&UIN=10001&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1&LG=0"
    b"&LC=812822641C978097&GD=TW00QOJ9KUVD753S&CKE=\r\n"
)
SIGNED_IN = (
    b"VER=1.1&CMD=Login&SEQ=200&UIN=10001&RES=0&RS=0&HI=60&LI=300"
    b"&SG=00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff&SSG=987654321\r\n"
)
SAID = (
    "VER=1.4&CON=1&CMD=CLTMSG&SEQ=201&UIN=10001&SID=&XP=&UN=10002&MG=罗密欧, wherefore\r\n".encode()
)
FRIENDS = (
    "VER=1.1&CMD=SIMPLEINFO2&SEQ=202&UIN=10001&RES=0&NP=65535&SN=2&UN=10002,10003,&FC=0,270,"
    "&NK=朱丽叶,Mercutio%2cjr,\r\n"
).encode()
POLL = b"VER=1.4&CON=0&CMD=GetMsgEx&SEQ=203&UIN=10002"
CAME = (
    "VER=1.1&CMD=GETMSGEX&SEQ=203&UIN=10002&RES=0&MN=1&MT=9,&UN=10001,&MG=罗密欧%2c wherefore,\r\n"
).encode()
PERSONAL = [
    b"10001", b"10002", b"10003", b"5EBE2294", b"TW00QOJ9", b"00112233", b"987654321",
    "罗密欧".encode(), b"wherefore", "朱丽叶".encode(), b"Mercutio", b"foreign",
    CLIENT.encode(), SERVER.encode(), b"\xc0\x00\x02\x01", b"\xc6\x33\x64\x07",
    b"\x20\x01\x0d\xb8\0\0", b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02",
]  # fmt: skip
"""What may not be found: numbers, secrets, words, addresses of machines and of cards."""


def anonymised(
    data: bytes, *, keep_foreign: bool = False, key: bytes = KEY
) -> tuple[bytes, Report]:
    """Return what becomes of a capture."""
    values, report = Values(key), Report()
    ours = survey(io.BytesIO(data), values)
    values.settle()
    target = io.BytesIO()
    is_pcapng = data[:4] == b"\x0a\x0d\x0d\x0a"
    writer = CaptureWriter(
        target, values, report, ours, is_pcapng=is_pcapng, keep_foreign=keep_foreign
    )
    writer.rewrite(read_packets(io.BytesIO(data), report))
    return target.getvalue(), report


def clean(data: bytes) -> bool:
    """Return whether nothing personal is found, plain, as hex or with percent signs."""
    for needle in PERSONAL:
        every = "".join(f"%{byte:02x}" for byte in needle).encode()
        hexes = needle.hex().encode()
        for form in (needle, hexes, hexes.upper(), every, every.upper()):
            assert form not in data, form
    return True


def packets(data: bytes) -> list[Packet]:
    """Return the packets of a capture."""
    return list(read_packets(io.BytesIO(data)))


def shapes(data: bytes) -> list[tuple[object, ...]]:
    """Return what is said in a capture, without what may be another now."""
    said = (item for item in read_file(io.BytesIO(data)) if isinstance(item, Said))
    return [
        (
            one.number,
            one.time,
            one.stream,
            one.sender,
            one.over,
            one.command,
            type(one.message).__name__,
            [(key, len(value)) for key, value in one.line.pairs],
            one.odd,
            one.whole,
            one.seconds,
        )
        for one in said
    ]


def conversation(making: Making) -> Making:
    """Fill a capture with people and their words, in all ways that packets come."""
    talk = making.talk()
    talk.client(LOGIN, split=[10, 42, 90], again=True)
    talk.server(SIGNED_IN, split=[30, 41], backwards=True)
    talk.client(SAID, split=[60, 70], backwards=True, again=True)
    talk.server(FRIENDS[:-20], split=[81])
    talk.server(FRIENDS[-20:])
    post = making.talk()
    post.post(POLL, CAME)
    post.close()
    talk.close()
    return making


# --- whole conversations -------------------------------------------------------------------------


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("link", [Link.ETHERNET, Link.NULL, Link.RAW, Link.COOKED, Link.COOKED2])
def test_conversation(link: Link, ipv6: bool) -> None:
    """Lines spread over segments, sent again and in a wrong order, and posts."""
    making = conversation(Making(link, vlans=(5,) if link == Link.ETHERNET else (), ipv6=ipv6))
    for old in (making.pcap(), making.pcapng()):
        new, report = anonymised(old)
        assert clean(new)
        assert shapes(new) == shapes(old)
        assert len(new) == len(old)
        rows = [(one.number, one.time, one.link, one.length) for one in packets(old)]
        assert [(one.number, one.time, one.link, one.length) for one in packets(new)] == rows
        assert not report.doubts
        assert not report.left_out
        assert report.replaced["packets"] == len(making.packets)


def test_same_key_same_replacements() -> None:
    """With another key all is other; with the same nothing is."""
    old = conversation(Making()).pcap()
    assert anonymised(old)[0] == anonymised(old)[0]
    assert anonymised(old)[0] != anonymised(old, key=bytes(32))[0]


@needs_tshark
@pytest.mark.parametrize("ipv6", [False, True])
def test_checksums_are_right(ipv6: bool, tmp_path: Path) -> None:
    """Wireshark finds no fault in what was rewritten."""
    path = tmp_path / "a.pcapng"
    path.write_bytes(anonymised(conversation(Making(ipv6=ipv6)).pcapng())[0])
    options = ["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]
    command = ["tshark", "-r", str(path), *options, "-T", "fields", "-e", "tcp.checksum.status"]
    done = subprocess.run(
        [*command, "-e", "ip.checksum.status"], capture_output=True, text=True, check=True,
        timeout=50,
    )  # fmt: skip
    assert set(done.stdout.split("\n")[:-1]) == {"1\t" if ipv6 else "1\t1"}


def test_people_are_the_same_in_all_connections() -> None:
    """Whoever says something in one is whoever is heard in the other."""
    new, _ = anonymised(conversation(Making()).pcap())
    said = [item for item in read_file(io.BytesIO(new)) if isinstance(item, Said)]
    lines = {one.command: one.line.values() for one in said}
    assert lines["CLTMSG"]["UIN"] == lines["Login"]["UIN"]
    assert lines["CLTMSG"]["UIN"] + "," == lines["GETMSGEX"]["UN"]
    assert lines["SIMPLEINFO2"]["UN"].startswith(lines["CLTMSG"]["UN"] + ",")
    assert lines["CLTMSG"]["MG"].replace(",", "%2c") + "," == lines["GETMSGEX"]["MG"]


# --- what is missing or cut ----------------------------------------------------------------------


def test_lost_segments() -> None:
    """The parts of a line around a gap are replaced by their shape, and that is said."""
    making = Making()
    talk = making.talk()
    talk.client(LOGIN)
    talk.client(SAID[:62])
    talk.client(SAID[62:70], lost=True)
    talk.client(SAID[70:] + LOGIN)
    talk.close()
    old = making.pcap()
    new, report = anonymised(old)
    assert clean(new)
    assert [row[:4] for row in shapes(new)] == [row[:4] for row in shapes(old)]
    assert report.doubts["lines of which a part is missing"] == 2


def test_cut_packets() -> None:
    """Packets of which the capture has only the start stay so; their checksum nobody knows."""
    making = Making()
    talk = making.talk()
    talk.client(LOGIN)
    talk.client(SAID, kept=100)
    for kept in range(48, 56):
        talk.client(SAID, kept=kept)
    making.add(talk.dialogue.packet(0, b"", options=bytes(8)), kept=50)
    talk.close()
    old = making.pcap()
    new, _ = anonymised(old)
    assert clean(new)
    rows = [(one.time, len(one.data), one.length) for one in packets(old)]
    assert [(one.time, len(one.data), one.length) for one in packets(new)] == rows
    assert packets(new)[5].data[50:52] == b"\0\0"


def test_cut_file() -> None:
    """What could be read is rewritten, and what is missing said."""
    old = conversation(Making()).pcap()
    new, report = anonymised(old[:-30])
    assert clean(new)
    assert any("the capture is cut short" in what for what in report.left_out)


def test_capture_that_starts_in_the_middle() -> None:
    """The first line is half of one; without a name its numbers are nobody's."""
    making = Making()
    talk = making.talk(opened=False)
    talk.client(SAID[44:] + LOGIN)
    talk.server(SIGNED_IN)
    new, report = anonymised(making.pcap())
    assert clean(new)
    assert report.doubts


def test_bytes_sent_again_late_and_after_the_end() -> None:
    """What was said is remembered for a while; what belongs nowhere is blanked."""
    making = Making()
    talk = making.talk()
    talk.client(LOGIN)
    talk.client(SAID)
    making.add(talk.dialogue.packet(0, LOGIN + SAID, seq=1001, flags=Flag.PSH | Flag.ACK))
    making.add(talk.dialogue.packet(0, SAID, seq=2_000_000_000, flags=Flag.PSH | Flag.ACK))
    talk.close()
    making.add(talk.dialogue.packet(0, LOGIN, seq=1001, flags=Flag.PSH | Flag.ACK))
    new, report = anonymised(making.pcap())
    assert clean(new)
    again = packets(new)
    assert again[7].data[54:] == again[3].data[54:] + again[5].data[54:]
    assert again[8].data[54:] == b"?" * len(SAID)
    assert again[-1].data[54:] == b"?" * len(LOGIN)
    assert report.doubts == {"bytes that belong to no line; they were blanked": 2}


def test_history_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes sent again long after are blanked."""
    monkeypatch.setattr("kqq.anonymise.captures._HISTORY", 100)
    making = Making()
    talk = making.talk()
    for _ in range(5):
        talk.client(LOGIN)
    making.add(talk.dialogue.packet(0, LOGIN, seq=1001, flags=Flag.PSH | Flag.ACK))
    new, _ = anonymised(making.pcap())
    assert packets(new)[-1].data[54:] == b"?" * len(LOGIN)


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
def test_many_small_packets_of_a_long_line() -> None:
    """They all wait for its end, and cost no more time than others."""
    making = Making(Link.RAW)
    talk = making.talk()
    for _ in range(20_000):
        talk.client(b"x", acknowledged=False)
    talk.client(SAID)
    talk.client(LOGIN)
    new, _ = anonymised(making.pcap())
    assert len(packets(new)) == len(making.packets)


def test_line_without_end() -> None:
    """What is not finished when the capture ends is rewritten all the same."""
    making = Making()
    talk = making.talk()
    talk.client(LOGIN)
    talk.client(SAID[:-9])
    new, _ = anonymised(making.pcap())
    assert clean(new)
    assert b"CMD=CLTMSG&SEQ=201" in new


# --- what is not ours ----------------------------------------------------------------------------


def foreign(making: Making) -> None:
    """Add what else a network has: other talk, other protocols, broken packets."""
    other = making.talk()
    for _ in range(5):
        other.client(b"\x16\x03\x01 foreign 10001 foreign\r\n" * 3)
    making.add(framed(Link.ETHERNET, ip_packet(CLIENT, SERVER, b"foreign 10001", protocol=17)))
    making.add(framed(Link.ETHERNET, ip_packet(CLIENT6, SERVER6, b"foreign 10001", protocol=17)))
    making.add(
        bytes.fromhex("ffffffffffff020000000001") + b"\x08\x06" + b"\xc0\x00\x02\x01 foreign"
    )
    making.add(framed(Link.ETHERNET, ip_packet(CLIENT, SERVER, b"foreign"))[:30])
    making.add(b"foreign")


def test_what_is_foreign_is_left_out() -> None:
    """Nobody can say what it is about; how much it was is said."""
    making = conversation(Making())
    count = len(making.packets)
    old = making.pcap()
    foreign(making)
    new, report = anonymised(making.pcap())
    assert clean(new)
    assert len(packets(new)) == count
    assert shapes(new) == shapes(old)
    assert report.left_out == {
        "packets of connections that are not of the protocol": 13,
        "packets that are no TCP, or fragments": 5,
    }
    assert not report.doubts


def test_what_is_foreign_may_be_kept_blank() -> None:
    """Then its packets are there, with other addresses and nothing in them."""
    for link in (Link.ETHERNET, Link.COOKED, Link.COOKED2, Link.NULL, Link.RAW):
        making = conversation(Making(link))
        foreign(making)
        making.add(b"foreign" * 5)
        old = making.pcap()
        new, report = anonymised(old, keep_foreign=True)
        assert clean(new)
        rows = [(one.time, len(one.data), one.length) for one in packets(old)]
        assert [(one.time, len(one.data), one.length) for one in packets(new)] == rows
        assert not report.left_out
    making = Making()
    foreign(making)
    new, _ = anonymised(making.pcap(), keep_foreign=True)
    talks = [found for one in packets(new) if (found := segment(one)) is not None]
    assert not talks
    assert {one.data[23] for one in packets(new)[:13]} == {6}


def test_other_talk_that_never_ends_is_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while without a line of the protocol a connection is given up."""
    monkeypatch.setattr("kqq.anonymise.captures._TRIED", 100)
    making = Making()
    talk = making.talk()
    talk.client(b"foreign\n" * 20)
    talk.client(LOGIN)
    new, report = anonymised(making.pcap())
    assert packets(new) == []
    assert report.left_out == {"packets of connections that are not of the protocol": 7}


def test_capture_without_anything_of_ours() -> None:
    """It becomes an empty capture, which can be read."""
    making = Making()
    foreign(making)
    for old in (making.pcap(), making.pcapng()):
        new, _ = anonymised(old)
        assert packets(new) == []


def test_fragments_are_left_out() -> None:
    """What is in them cannot be put back; numbers in them are met all the same."""
    making = Making()
    talk = making.talk()
    talk.client(LOGIN)
    source, target = talk.dialogue.ends
    number = talk.dialogue.numbers[0]
    whole = tcp_segment(source, target, SAID, seq=number, flags=Flag.PSH | Flag.ACK)
    for at in (0, 64):
        fragment = (at, at == 0)
        part = whole[at:64] if at == 0 else whole[at:]
        making.add(framed(Link.ETHERNET, ip_packet(CLIENT, SERVER, part, fragment=fragment)))
    talk.dialogue.numbers[0] += len(SAID)
    talk.client(LOGIN)
    opened = tcp_segment(End(CLIENT, 9), End(SERVER, 9), LOGIN * 2, flags=Flag.ACK)
    for at in (0, 64):
        part = opened[at : at + 64] if at == 0 else opened[at:]
        piece = ip_packet(CLIENT, SERVER, part, ident=3, fragment=(at, at == 0))
        making.add(framed(Link.ETHERNET, piece))
    new, report = anonymised(making.pcap())
    assert clean(new)
    assert report.left_out == {"packets that are no TCP, or fragments": 4}
    said = [item for item in read_file(io.BytesIO(new)) if isinstance(item, Said)]
    assert [one.command for one in said] == ["Login", "Login"]


def test_several_link_types_in_one_capture() -> None:
    """A pcapng has an interface for each."""
    first, second = conversation(Making()), conversation(Making(Link.COOKED))
    second.time += 10
    old = first.pcapng() + second.pcapng()
    new, _ = anonymised(old)
    assert clean(new)
    assert [one.link for one in packets(new)] == [one.link for one in packets(old)]


# --- headers -------------------------------------------------------------------------------------


def test_options_that_tell_of_somebody_are_blanked() -> None:
    """Of IP all, with addresses in routes; of TCP those that are not needed; and padding."""
    making = Making()
    talk = making.talk()
    timestamps = b"\x01\x01\x08\x0a\0\0\0\1\0\0\0\2"
    cookie = b"\x22\x0asecretly"
    options = timestamps + cookie
    making.add(talk.dialogue.packet(0, LOGIN, flags=Flag.PSH | Flag.ACK, options=options))
    plain = bytearray(making.packets[-1].data)
    route = b"\x07\x07\x04\xc0\x00\x02\x01\x00"
    plain[14] = 0x47
    plain[16:18] = (len(plain) - 14 + 8).to_bytes(2, "big")
    making.packets.pop()
    making.add(bytes(plain[:34]) + route + bytes(plain[34:]) + b"foreign padding")
    making.add(talk.dialogue.packet(0, b"", seq=9, options=b"\x22\x40ab\x22"))
    new, _ = anonymised(making.pcap())
    assert clean(new)
    data = packets(new)[3].data
    assert timestamps in data
    assert b"secretly" not in data
    assert data[34:42] == b"\1" * 8
    assert data.endswith(bytes(15))


def test_headers_of_ipv6_in_between() -> None:
    """Their insides, with addresses in routes, are blanked."""
    source, target = End(CLIENT6, 40001), End(SERVER6, 14000)
    part = tcp_segment(source, target, LOGIN, seq=1001, flags=Flag.PSH | Flag.ACK)
    making = Making(ipv6=True)
    headers = b"\x2b\2foreign" + bytes(15) + b"\x2c\2foreign" + bytes(15) + b"\x06\0" + bytes(6)
    making.add(framed(Link.ETHERNET, ip_packet(CLIENT6, SERVER6, headers + part, protocol=0)))
    authenticated = b"\x06\4foreign" + bytes(15)
    making.add(
        framed(Link.ETHERNET, ip_packet(CLIENT6, SERVER6, authenticated + part, protocol=51))
    )
    new, report = anonymised(making.pcap())
    assert clean(new)
    assert report.replaced["packets"] == 2
    assert [len(found.payload) for one in packets(new) if (found := segment(one))] == [
        len(LOGIN)
    ] * 2


# --- anything ------------------------------------------------------------------------------------


def streams(data: bytes) -> list[tuple[int, int, int]]:
    """Return how many bytes went each way in each stream, and how many were lost."""
    reader = StreamReader()
    events: Iterable[object] = [*reader.feed(data), *reader.end()]
    return [
        (
            event.stream.number,
            event.way,
            len(event.data) if isinstance(event, Data) else -event.count,
        )
        for event in events
        if isinstance(event, Data | Lost)
    ]


@given(st.randoms(use_true_random=False), st.booleans())
def test_any_network(rng: random.Random, is_pcapng: bool) -> None:
    """However packets come, nothing personal is found, and streams keep their shape."""
    making = Making()
    talks = [making.talk(opened=rng.random() < 0.7) for _ in range(3)]
    for _ in range(8):
        talk = rng.choice(talks)
        text = rng.choice([LOGIN, SAID, FRIENDS, SIGNED_IN, b"\r\n"])
        talk.say(
            rng.randrange(2),
            text,
            split=sorted(rng.sample(range(len(text)), 2)),
            again=rng.random() < 0.3,
            lost=rng.random() < 0.2,
            backwards=rng.random() < 0.3,
            acknowledged=rng.random() < 0.8,
            kept=rng.choice([None, None, None, 70]),
        )
    for _ in range(rng.randrange(3)):
        one, two = rng.randrange(len(making.packets)), rng.randrange(len(making.packets))
        making.packets[one], making.packets[two] = making.packets[two], making.packets[one]
    old = making.pcapng() if is_pcapng else making.pcap()
    new, report = anonymised(old, keep_foreign=True)
    assert clean(new)
    assert len(packets(new)) == len(packets(old))
    if "packets, blanked" not in report.replaced:
        assert streams(new) == streams(old)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=30))
def test_damaged_captures(changes: list[tuple[int, int]]) -> None:
    """Whatever stands in a file, it is rewritten or left out."""
    damaged = bytearray(conversation(Making()).pcap())
    for at, value in changes:
        damaged[24 + at] = value
    new, _ = anonymised(bytes(damaged))
    packets(new)
    anonymised(bytes(damaged), keep_foreign=True)


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
def test_memory_is_bounded_by_what_is_open() -> None:
    """Of a long capture no more is kept than what may be sent again."""
    making = Making()
    talk = making.talk()
    for _ in range(800):
        talk.client(SAID, acknowledged=False)
    source, values = io.BytesIO(making.pcap()), Values(KEY)
    ours = survey(source, values)
    source.seek(0)
    target = io.BytesIO(bytes(1 << 20))
    writer = CaptureWriter(target, values, Report(), ours, is_pcapng=False)
    tracemalloc.start()
    writer.rewrite(read_packets(source))
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
