"""TCP put together: what both ends said, whatever the network and the capture did to it."""

import gc
import gzip
import random
import subprocess
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.capture.events import Closed, Data, End, Lost, Note, Opened, Stream
from kqq.capture.frames import Segment, segment
from kqq.capture.packets import Packet
from kqq.capture.streams import Limits, Reassembly, StreamEvent, StreamReader
from kqq.capture.writing import Flag, Link, framed, ip_packet
from kqq.errors import CaptureError
from making import CLIENT, PORT, SERVER, START, Making, Talk
from sharks import needs_tshark

PUSH = Flag.PSH | Flag.ACK


def events(making: Making, limits: Limits | None = None) -> list[StreamEvent]:
    """Return what a capture brings."""
    reader = StreamReader(limits)
    return [*reader.feed(making.pcap()), *reader.end()]


def told(found: Iterable[StreamEvent]) -> list[str]:
    """Return events in short: `o` opened, `>` from the first end, `<` from the other."""
    short = []
    for event in found:
        match event:
            case Opened(stream):
                short.append(f"o{stream.number}" if stream.opener is None else f"O{stream.number}")
            case Data(_, way, _, _, data):
                short.append("><"[way] + data.decode("latin-1"))
            case Lost(_, way, _, _, count):
                short.append("><"[way] + f"-{count}")
            case Closed(_, _, _, how):
                short.append(how)
            case Note(kind):
                short.append(f"({kind})")
    return short


def said(found: Iterable[StreamEvent], way: int, number: int = 1) -> bytes:
    """Return all bytes that one end of a connection sent."""
    return b"".join(
        event.data
        for event in found
        if isinstance(event, Data) and (event.stream.number, event.way) == (number, way)
    )


@pytest.fixture
def making() -> Making:
    """Return a capture in the making."""
    return Making()


@pytest.fixture
def talk(making: Making) -> Talk:
    """Return its first connection, opened."""
    return making.talk()


# --- the usual -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("link", [Link.ETHERNET, Link.NULL, Link.COOKED, Link.COOKED2, Link.RAW])
def test_conversation(link: Link, ipv6: bool) -> None:
    """Both ends, opening and end, in the order of the packets, with times and frames."""
    making = Making(link, ipv6=ipv6)
    talk = making.talk()
    talk.client(b"hello", split=[2])
    talk.server(b"world")
    talk.close()
    found = events(making)
    assert told(found) == ["O1", ">he", ">llo", "<world", "closed"]
    first = found[0]
    assert isinstance(first, Opened)
    assert first.stream.ends == talk.dialogue.ends
    assert first.stream.opener == 0
    stream = first.stream
    assert found[3] == Data(stream, 1, making.packets[6].time, 7, b"world")


def test_connections_are_told_apart(making: Making) -> None:
    """By both ends; each has its number in order of appearance."""
    talks = [making.talk() for _ in range(3)]
    for talk in reversed(talks):
        talk.client(b"a")
        talk.server(str(talk.dialogue.ends[0].port).encode())
    found = events(making)
    assert told(found)[:3] == ["O1", "O2", "O3"]
    assert [said(found, 1, number) for number in (1, 2, 3)] == [b"40001", b"40002", b"40003"]
    assert told(found)[-3:] == ["cut", "cut", "cut"]


def test_large_pieces_need_many_segments(making: Making, talk: Talk) -> None:
    """What one end sends is the same bytes, whatever segments it goes in."""
    text = random.Random(1).randbytes(100_000)
    talk.server(text)
    talk.close(way=1)
    found = events(making)
    assert said(found, 1) == text
    assert told(found)[-1] == "closed"


def test_half_closed_connection_goes_on_one_way(making: Making, talk: Talk) -> None:
    """The end that has nothing more to say may still listen."""
    dialogue = talk.dialogue
    making.add(dialogue.packet(0, b"last", flags=Flag.FIN | PUSH))
    dialogue.numbers[0] += 5
    talk.server(b"answer")
    making.add(dialogue.packet(1, flags=Flag.FIN | Flag.ACK))
    assert told(events(making)) == ["O1", ">last", "<answer", "closed"]


def test_reset(making: Making, talk: Talk) -> None:
    """Whoever breaks off ends it for both; what waited is given."""
    talk.client(b"a")
    dialogue = talk.dialogue
    making.add(dialogue.packet(1, b"later", seq=dialogue.numbers[1] + 3, flags=PUSH))
    talk.reset()
    talk.client(b"too late")
    assert told(events(making)) == ["O1", ">a", "<-3", "<later", "reset"]


def test_data_in_the_opening(making: Making) -> None:
    """TCP Fast Open sends bytes with the SYN."""
    talk = making.talk(opened=False)
    dialogue = talk.dialogue
    making.add(dialogue.packet(0, b"fast", flags=Flag.SYN))
    dialogue.numbers[0] += 5
    making.add(dialogue.packet(1, flags=Flag.SYN | Flag.ACK))
    dialogue.numbers[1] += 1
    talk.client(b"er")
    assert told(events(making)) == ["O1", ">fast", ">er", "cut"]


def test_refused_connection(making: Making) -> None:
    """A closed port answers the SYN with a reset."""
    dialogue = making.talk(opened=False).dialogue
    making.add(dialogue.packet(0, flags=Flag.SYN))
    making.add(dialogue.packet(1, flags=Flag.RST | Flag.ACK))
    assert told(events(making)) == ["O1", "reset"]


# --- the unusual ---------------------------------------------------------------------------------


def test_retransmission(making: Making, talk: Talk) -> None:
    """What is sent again counts once, and is noted."""
    talk.client(b"hello", again=True)
    talk.client(b"again", split=[2], again=True)
    found = events(making)
    assert said(found, 0) == b"helloagain"
    notes = [event for event in found if isinstance(event, Note)]
    assert [note.words for note in notes] == [
        "5 bytes were sent again",
        "2 bytes were sent again",
        "3 bytes were sent again",
    ]
    assert {(note.kind, note.stream) for note in notes} == {("retransmission", 1)}
    assert notes[0].frame == 5


def test_retransmission_with_more(making: Making, talk: Talk) -> None:
    """A system may send old bytes again along with new ones; only these are given."""
    dialogue = talk.dialogue
    talk.client(b"hello")
    making.add(dialogue.packet(0, b"llo you", seq=dialogue.numbers[0] - 3, flags=PUSH))
    assert told(events(making)) == ["O1", ">hello", "(retransmission)", "> you", "cut"]


def test_other_bytes_in_the_same_place(making: Making, talk: Talk) -> None:
    """The first to come are kept, as most systems do; that there were others is noted."""
    dialogue = talk.dialogue
    talk.client(b"hello")
    making.add(dialogue.packet(0, b"hexxo!", seq=dialogue.numbers[0] - 5, flags=PUSH))
    assert told(events(making)) == ["O1", ">hello", "(overlap)", ">!", "cut"]


@pytest.mark.parametrize("acknowledged", [False, True])
def test_reordering(making: Making, talk: Talk, acknowledged: bool) -> None:
    """What comes early waits for what precedes it; the packet that fills the gap has the time."""
    talk.client(b"abcdef", split=[2, 4], backwards=True, acknowledged=acknowledged)
    found = events(making)
    assert told(found) == ["O1", ">ab", ">cd", ">ef", "(reordered)", "cut"]
    assert {event.frame for event in found if isinstance(event, Data)} == {6}


def test_early_bytes_that_come_twice_or_overlap(making: Making, talk: Talk) -> None:
    """Of what waits, too, each byte is given once."""
    dialogue = talk.dialogue
    for start, text in ((2, b"cd"), (2, b"cd"), (2, b"cdef"), (3, b"d"), (5, b"fgh"), (20, b"z")):
        making.add(dialogue.packet(0, text, seq=dialogue.numbers[0] + start, flags=PUSH))
    talk.client(b"ab")
    assert told(events(making)) == [
        "O1",
        "(retransmission)",
        ">ab",
        ">cd",
        ">ef",
        ">gh",
        "(reordered)",
        ">-12",
        ">z",
        "cut",
    ]


def test_loss_is_declared_when_the_other_end_has_the_bytes(making: Making, talk: Talk) -> None:
    """What the capture missed and the other end acknowledges will not be sent again."""
    talk.client(b"one")
    talk.client(b"two!", lost=True)
    talk.client(b"three")
    talk.server(b"yes")
    found = events(making)
    assert told(found) == ["O1", ">one", ">-4", ">three", "<yes", "cut"]
    lost = next(event for event in found if isinstance(event, Lost))
    assert (lost.way, lost.frame, lost.count) == (0, 7, 4)


def test_loss_is_declared_when_later_bytes_are_acknowledged(making: Making, talk: Talk) -> None:
    """Until then the bytes may still come."""
    talk.client(b"two!", lost=True, acknowledged=False)
    talk.client(b"three", acknowledged=False)
    making.add(talk.dialogue.packet(1))
    found = events(making)
    assert told(found) == ["O1", ">-4", ">three", "cut"]
    assert found[1].frame == 5


def test_loss_at_the_end(making: Making, talk: Talk) -> None:
    """Bytes acknowledged and never seen are lost at the latest when the connection ends."""
    talk.client(b"two!", lost=True)
    assert told(events(making)) == ["O1", ">-4", "cut"]
    talk.close()
    assert told(events(making)) == ["O1", ">-4", "closed"]


def test_acknowledgement_captured_before_its_bytes(making: Making, talk: Talk) -> None:
    """Captures of several queues have packets in a wrong order; nothing is lost by that."""
    talk.client(b"hello")
    making.packets[-2:] = making.packets[:-3:-1]
    talk.client(b" you")
    assert told(events(making)) == ["O1", ">hello", "> you", "cut"]


def test_gap_is_given_up_when_too_much_waits(making: Making, talk: Talk) -> None:
    """By bytes, by segments, by all together, and by time."""
    talk.client(b"?", lost=True, acknowledged=False)
    for _ in range(6):
        talk.client(b"four", acknowledged=False)
    talk.client(b"?", lost=True, acknowledged=False)
    talk.client(b"more", acknowledged=False)
    given = ["O1", ">-1", *[">four"] * 6, ">-1", ">more", "cut"]
    for limits in (Limits(segments=3), Limits(held=15), Limits(held_by_all=15)):
        found = events(making, limits)
        assert told(found) == given
        assert found[1].frame == 7


def test_patience(making: Making, talk: Talk) -> None:
    """What nobody sends again within a minute does not come."""
    talk.client(b"?", lost=True, acknowledged=False)
    talk.client(b"one", acknowledged=False)
    making.time += 61
    talk.client(b"two", acknowledged=False)
    talk.client(b"three", acknowledged=False)
    found = events(making)
    assert told(found) == ["O1", ">-1", ">one", ">two", ">three", "cut"]
    assert [event.frame for event in found if isinstance(event, Data)] == [5, 5, 6]


def test_keep_alive_probes(making: Making, talk: Talk) -> None:
    """They repeat the last byte, or none, only to be answered; nobody needs to know."""
    dialogue = talk.dialogue
    talk.client(b"hello")
    for payload in (b"", b"\0"):
        making.add(dialogue.packet(0, payload, seq=dialogue.numbers[0] - 1))
        making.add(dialogue.packet(1))
    talk.client(b"you")
    assert told(events(making)) == ["O1", ">hello", ">you", "cut"]


def test_numbers_wrap(making: Making) -> None:
    """After 2**32 comes 0, in the middle of what somebody says and of a gap."""
    talk = making.talk(first=(2**32 - 4, 2**32 - 1))
    talk.client(b"abcdefgh", split=[2, 4, 6], backwards=True)
    talk.server(b"xyz", again=True)
    talk.close()
    found = events(making)
    assert said(found, 0) == b"abcdefgh"
    assert said(found, 1) == b"xyz"
    assert told(found)[-1] == "closed"


def test_snaplen(making: Making, talk: Talk) -> None:
    """Of packets that the capture cut, the start is given and the rest is lost."""
    talk.client(b"hello world", kept=14 + 40 + 5)
    talk.client(b"again", kept=14 + 40)
    talk.client(b"abcdefgh", split=[4], backwards=True, kept=14 + 40 + 3)
    talk.close()
    assert told(events(making)) == [
        "O1",
        ">hello",
        ">-6",
        ">-5",
        ">abc",
        ">-1",
        ">efg",
        ">-1",
        "(reordered)",
        "closed",
    ]


def test_cut_packet_sent_again_whole(making: Making, talk: Talk) -> None:
    """Old bytes stay lost, as they were said to be; what is new is given."""
    talk.client(b"hello world", kept=14 + 40 + 5)
    dialogue = talk.dialogue
    making.add(dialogue.packet(0, b"hello world and", seq=dialogue.numbers[0] - 11, flags=PUSH))
    making.add(dialogue.packet(0, b" AND all", seq=dialogue.numbers[0], flags=PUSH))
    assert told(events(making)) == [
        "O1",
        ">hello",
        ">-6",
        "(retransmission)",
        "> and",
        "(overlap)",
        "> all",
        "cut",
    ]


# --- beginnings and ends of the capture ----------------------------------------------------------


def test_capture_that_starts_in_the_middle(making: Making) -> None:
    """Whoever is heard first is the first end; nobody knows who opened it."""
    talk = making.talk(opened=False)
    making.add(talk.dialogue.packet(0))
    talk.server(b"push")
    talk.client(b"hello")
    talk.close()
    found = events(making)
    assert told(found) == ["o1", ">push", "<hello", "closed"]
    first = found[0]
    assert isinstance(first, Opened)
    assert first.stream.ends == (End(SERVER, PORT), End(CLIENT, 40001))


def test_bytes_from_before_the_start(making: Making) -> None:
    """What is older than the first bytes seen cannot be given after them."""
    talk = making.talk(opened=False)
    talk.client(b"abcdef", split=[3], backwards=True)
    assert told(events(making)) == ["o1", ">def", "(reordered)", "cut"]


def test_answer_to_an_opening_that_is_missing(making: Making, talk: Talk) -> None:
    """The answer says who opened; with only the question, the acknowledgement says the number."""
    talk.client(b"hi")
    talk.server(b"ho")
    packets = making.packets[:]
    del making.packets[0]
    found = events(making)
    assert told(found) == ["O1", ">hi", "<ho", "cut"]
    assert found[0].stream.ends == talk.dialogue.ends  # type: ignore[union-attr]
    making.packets = packets
    del making.packets[1]
    talk.server(b"one", lost=True)
    talk.server(b"two")
    assert told(events(making)) == ["O1", ">hi", "<ho", "<-3", "<two", "cut"]


def test_opening_sent_again(making: Making, talk: Talk) -> None:
    """Both of its packets may be, before and after others."""
    opening, answer, last = making.packets
    making.packets = [opening, opening, answer, last, answer]
    talk.client(b"hi")
    talk.server(b"ho")
    making.packets.append(answer)
    note = "(retransmission)"
    assert told(events(making)) == ["O1", note, note, ">hi", "<ho", note, "cut"]


def test_both_open_at_once(making: Making) -> None:
    """Two SYNs that cross make one connection."""
    talk = making.talk(opened=False)
    dialogue = talk.dialogue
    for way in (0, 1):
        making.add(dialogue.packet(way, flags=Flag.SYN))
    for way in (0, 1):
        dialogue.numbers[way] += 1
    talk.client(b"hi")
    assert told(events(making)) == ["O1", ">hi", "cut"]


def test_ports_used_again(making: Making) -> None:
    """A new opening is a new connection, whether or not the end of the last was seen."""
    ends = (End(CLIENT, 40001), End(SERVER, PORT))
    first = making.talk(*ends)
    first.client(b"one")
    first.close()
    second = making.talk(*ends, first=(7, 8))
    second.client(b"two")
    third = making.talk(*ends, first=(900_000, 9))
    third.client(b"three")
    assert told(events(making)) == [
        "O1",
        ">one",
        "closed",
        "O2",
        ">two",
        "(closed)",
        "forgotten",
        "O3",
        ">three",
        "cut",
    ]


def test_ports_used_again_without_opening(making: Making, talk: Talk) -> None:
    """Numbers far from all others are left out twice; then they are another connection."""
    talk.client(b"one")
    other = Talk(making, talk.dialogue.ends, (3_000_000_000, 2_000_000_000), 1460)
    for _ in range(4):
        other.client(b"two", acknowledged=False)
    stray = "(unreadable)"
    expected = ["O1", ">one", stray, stray, "(closed)", "forgotten", "o2", ">two", ">two", "cut"]
    assert told(events(making)) == expected


def test_late_packets_open_nothing(making: Making, talk: Talk) -> None:
    """After the end come acknowledgements and bytes sent again; much later, a new connection."""
    talk.client(b"one")
    talk.close()
    talk.client(b"late")
    making.time += 61
    talk.client(b"new")
    assert told(events(making)) == ["O1", ">one", "closed", "o2", ">new", "cut"]


def test_end_that_comes_before_the_last_bytes(making: Making, talk: Talk) -> None:
    """It counts when the bytes are there, or are acknowledged; sent again it changes nothing."""
    talk.client(b"hello", acknowledged=False)
    talk.close()
    data, end = making.packets[3:5]
    making.packets[3:5] = [end, data, end]
    assert told(events(making)) == ["O1", ">hello", "closed"]
    del making.packets[4:6]
    assert told(events(making)) == ["O1", ">-5", "closed"]


def test_end_sent_again_with_the_bytes_before_it(making: Making, talk: Talk) -> None:
    """The end of one side may come with bytes known already."""
    talk.client(b"hello")
    dialogue = talk.dialogue
    making.add(dialogue.packet(0, b"llo", seq=dialogue.numbers[0] - 3, flags=Flag.FIN | PUSH))
    dialogue.numbers[0] += 1
    making.add(dialogue.packet(1, flags=Flag.FIN | Flag.ACK))
    assert told(events(making)) == ["O1", ">hello", "(retransmission)", "closed"]


def test_opening_of_a_stream_that_is_ignored(making: Making, talk: Talk) -> None:
    """A new one between the same ports is another stream, and not ignored."""
    talk.client(b"foreign")
    making.talk(*talk.dialogue.ends, first=(7, 8)).client(b"ours")
    reader = StreamReader()
    found = []
    for event in reader.feed(making.pcap()):
        found.append(event)
        if isinstance(event, Data) and event.data == b"foreign":
            reader.ignore(event.stream)
    assert told(found) == ["O1", ">foreign", "forgotten", "O2", ">ours"]


def test_speaking_to_oneself(making: Making) -> None:
    """A packet from an end to itself (an attack of the nineties) breaks nothing."""
    end = End(SERVER, PORT)
    talk = making.talk(end, end)
    talk.client(b"hi")
    talk.close()
    found = told(events(making))
    assert found[0] == "O1"
    assert found[-1] in ("closed", "cut")


# --- bounds --------------------------------------------------------------------------------------


def test_silent_connections_are_forgotten(making: Making, talk: Talk) -> None:
    """After two hours; what they say after that is a new connection."""
    talk.client(b"one")
    making.time += 3600
    busy = making.talk()
    making.time += 3601
    busy.client(b"two")
    talk.client(b"three")
    found = told(events(making))
    assert found == ["O1", ">one", "O2", "forgotten", ">two", "o3", ">three", "cut", "cut"]


def test_no_more_connections_than_allowed(making: Making) -> None:
    """The longest silent tenth is forgotten."""
    talks = [making.talk() for _ in range(20)]
    talks[0].client(b"a")
    making.talk()
    found = events(making, Limits(streams=20))
    closed = [event for event in found if isinstance(event, Closed) and event.how == "forgotten"]
    assert [event.stream.number for event in closed] == [2, 3]
    assert told(found).count("cut") == 19


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
def test_flood_of_openings_is_held_in_bounds() -> None:
    """A million of them cost no more memory than the limits say."""
    reassembly = Reassembly(Limits(streams=1000))
    tracemalloc.start()
    for number in range(30_000):
        source = End(f"192.0.{number >> 8 & 255}.{number & 255}", number % 65536)
        reassembly.feed(Segment(1.0, number, source, End(SERVER, 1), number, 0, Flag.SYN, b"", 0))
    gc.collect()
    assert tracemalloc.get_traced_memory()[0] < 6_000_000
    tracemalloc.stop()
    assert 900 <= len(reassembly.end()) <= 1000


def test_ended_connections_are_not_remembered_without_end() -> None:
    """Of those that are over, the last are known for their late packets."""
    reassembly = Reassembly()
    server = End(SERVER, 1)
    for number in range(6000):
        source = End(CLIENT, number)
        reassembly.feed(Segment(1.0, number, source, server, 1, 0, Flag.SYN, b"", 0))
        reassembly.feed(Segment(1.0, number, source, server, 2, 0, Flag.RST, b"", 0))
    for number, opened in ((5999, []), (0, ["o6001"])):
        late = Segment(1.0, 1, End(CLIENT, number), server, 2, 0, Flag.ACK, b"late", 0)
        assert told(reassembly.feed(late))[:1] == opened


def test_gaps_are_held_in_bounds() -> None:
    """However many connections have one, and however large the pieces behind it."""
    reassembly = Reassembly(Limits(held_by_all=1_000_000))
    tracemalloc.start()
    for number in range(200):
        source = End(CLIENT, number)
        for at in (0, 100_000, 200_000):
            data = number.to_bytes(2, "big") * 25_000
            reassembly.feed(Segment(1.0, 1, source, End(SERVER, 1), at, 0, Flag.ACK, data, 0))
    gc.collect()
    assert tracemalloc.get_traced_memory()[0] < 2_500_000
    tracemalloc.stop()


def test_ignored_streams_give_only_their_end(making: Making, talk: Talk) -> None:
    """What is no conversation of ours costs little more."""
    other = making.talk()
    talk.client(b"foreign", split=[2], backwards=True, acknowledged=False)
    reassembly = Reassembly()
    found: list[StreamEvent] = []

    def feed(start: int) -> None:
        for number, packet in enumerate(making.packets[start:], start + 1):
            one = segment(Packet(number, packet.time, making.link, packet.data, packet.length))
            assert one is not None
            found.extend(reassembly.feed(one))

    feed(0)
    stream = found[0].stream
    assert isinstance(stream, Stream)
    reassembly.ignore(stream)
    reassembly.ignore(Stream(99, stream.ends))
    count = len(making.packets)
    talk.client(b"more", again=True)
    talk.client(b"lost", lost=True)
    talk.server(b"more")
    other.client(b"ours")
    talk.close()
    other.reset()
    found.clear()
    feed(count)
    assert told(found) == [">ours", "closed", "reset"]


def test_place_of_a_segment(making: Making, talk: Talk) -> None:
    """Each way is counted from its first byte; what is far from all others has no place."""
    talk.client(b"abc")
    dialogue = talk.dialogue
    making.add(dialogue.packet(0, b"late", seq=1002))
    making.add(dialogue.packet(0, b"ahead", seq=1014))
    making.add(dialogue.packet(1, b"server"))
    making.add(dialogue.packet(0, b"stray", seq=2_000_000_000))
    reassembly = Reassembly()
    found: list[int | None] = []
    for number, packet in enumerate(making.packets, 1):
        one = segment(Packet(number, packet.time, making.link, packet.data, packet.length))
        assert one is not None
        place = reassembly.place(one)
        assert (place is None) == (number in (1, 2, 9))
        reassembly.feed(one)
        if place is not None:
            assert place[0].number == 1
            assert place[1] == int(one.payload == b"server" or number == 5)
            found.append(place[2])
    assert found == [0, 0, 0, 1, 13, 0]


# --- files ---------------------------------------------------------------------------------------


def test_notes_about_the_file_come_last(making: Making, talk: Talk) -> None:
    """After all that could be read: what was left out, and what is wrong with the file."""
    talk.client(b"hello")
    for size in (10, 30):
        making.add(framed(Link.ETHERNET, ip_packet(CLIENT, SERVER, bytes(size), protocol=17)))
    making.add(bytes(12) + b"\x08\x06" + bytes(28))
    making.add(framed(Link.ETHERNET, ip_packet(CLIENT, SERVER, bytes(3))))
    talk.server(b"world")
    data = making.pcap()[: -(16 + 54 + 2)]
    reader = StreamReader()
    found = [*reader.feed(gzip.compress(data)), *reader.end()]
    assert told(found)[:5] == ["O1", ">hello", "<wor", "<-2", "cut"]
    notes = [event for event in found if isinstance(event, Note)]
    assert [(note.kind, note.words) for note in notes] == [
        ("foreign", "packets left out, no TCP: 2"),
        ("foreign", "packets left out, no IP: 1"),
        ("unreadable", "packets left out, broken, or cut off before the TCP header ends: 1"),
        ("cut", "the capture is cut short in the middle of packet 10"),
    ]
    assert {(note.time, note.frame, note.stream) for note in notes} == {(None, 0, 0)}


def test_last_packet_of_a_cut_file(making: Making, talk: Talk) -> None:
    """What there is of it is given."""
    talk.client(b"hello", acknowledged=False)
    reader = StreamReader()
    found = [*reader.feed(making.pcap()[:-2]), *reader.end()]
    assert told(found) == ["O1", ">hel", ">-2", "cut", "(cut)"]


def test_what_is_no_capture() -> None:
    """That is an error, not a note."""
    with pytest.raises(CaptureError, match="no capture"):
        list(StreamReader().feed(b"VER=1.4&CMD=Login\r\n"))


def test_streams_may_be_ignored_while_reading(making: Making, talk: Talk) -> None:
    """Whoever reads says at any event that the rest of a stream is of no use."""
    talk.client(b"foreign")
    talk.client(b"more")
    reader = StreamReader()
    found = []
    for event in reader.feed(making.pcap()):
        found.append(event)
        if isinstance(event, Data):
            reader.ignore(event.stream)
    assert told([*found, *reader.end()]) == ["O1", ">foreign", "cut"]


# --- anything ------------------------------------------------------------------------------------

TEXTS = st.lists(st.tuples(st.integers(0, 1), st.binary(min_size=1, max_size=30)), max_size=6)


@given(TEXTS, st.randoms(use_true_random=False), st.integers(0, 2**32 - 1), st.booleans())
def test_any_order_with_all_packets_there(
    texts: list[tuple[int, bytes]], rng: random.Random, first: int, is_mixed: bool
) -> None:
    """Segments cut anywhere, sent again in other cuts, in any order: what was said is what is read.

    Where order is lost between the ends nothing may be declared lost: acknowledgements stay last.
    """
    making = Making()
    talk = making.talk(first=(first, 5))
    opening = making.packets[:]
    making.packets = []
    spoken = [b"", b""]
    for way, text in texts:
        spoken[way] += text
    for way in (0, 1):
        for _ in range(2 if is_mixed else 1):
            cuts = sorted(rng.randrange(len(spoken[way]) + 1) for _ in range(5))
            starts = [0, *cuts]
            for start, end in zip(starts, [*cuts, len(spoken[way])], strict=True):
                seq = talk.dialogue.numbers[way] + start
                making.add(talk.dialogue.packet(way, spoken[way][start:end], seq=seq, flags=PUSH))
    rng.shuffle(making.packets)
    making.packets = opening + making.packets
    for way in (0, 1):
        talk.dialogue.numbers[way] += len(spoken[way])
    talk.close()
    found = events(making)
    assert [said(found, way) for way in (0, 1)] == spoken
    assert not [event for event in found if isinstance(event, Lost)]
    assert isinstance(found[-1], Closed)
    assert found[-1].how == "closed"


@given(TEXTS, st.randoms(use_true_random=False))
def test_whatever_is_missing_is_counted(texts: list[tuple[int, bytes]], rng: random.Random) -> None:
    """Bytes given and bytes lost are together what was said, each in its place."""
    making = Making()
    talk = making.talk()
    spoken = [b"", b""]
    for way, text in texts:
        talk.say(way, text, lost=rng.random() < 0.4, again=rng.random() < 0.2)
        spoken[way] += text
    talk.close()
    found = events(making)
    for way in (0, 1):
        at = 0
        for event in found:
            if isinstance(event, Data) and event.way == way:
                assert spoken[way][at : at + len(event.data)] == event.data
                at += len(event.data)
            elif isinstance(event, Lost) and event.way == way:
                at += event.count
        assert at == len(spoken[way])


@given(st.lists(st.tuples(
    st.integers(0, 1), st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1)),
    st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1)), st.integers(0, 31),
    st.binary(max_size=12), st.sampled_from([0, 0, 0, 5]), st.sampled_from([0.0, 1.0, 50.0])),
    max_size=30), st.booleans())  # fmt: skip
def test_any_segments_are_survived(
    made: list[tuple[int, int, int, int, bytes, int, float]], is_tight: bool
) -> None:
    """Whatever comes: every stream opens and closes once, nothing is given outside, it ends."""
    limits = Limits(streams=1, segments=2, held=8, held_by_all=8, idle=60.0) if is_tight else None
    reassembly = Reassembly(limits)
    ends = (End(CLIENT, 1), End(SERVER, 2))
    time = START
    found: list[StreamEvent] = []
    for number, (way, seq, ack, flags, payload, missing, seconds) in enumerate(made, 1):
        time += seconds
        one = Segment(time, number, ends[way], ends[1 - way], seq, ack, flags, payload, missing)
        found += reassembly.feed(one)
    found += reassembly.end()
    live: set[int] = set()
    for event in found:
        if isinstance(event, Opened):
            live.add(event.stream.number)
        elif isinstance(event, Closed):
            live.remove(event.stream.number)
        else:
            number = event.stream if isinstance(event, Note) else event.stream.number
            assert number in live
    assert not live


# --- a second opinion ----------------------------------------------------------------------------


@needs_tshark
@pytest.mark.parametrize("seed", range(3))
def test_wireshark_agrees(seed: int, tmp_path: Path) -> None:
    """It puts together the same bytes from segments cut, sent again and in a wrong order."""
    rng = random.Random(seed)
    making = Making(ipv6=seed == 1)
    talk = making.talk(first=(2**32 - 40, 77))
    for number in range(40):
        text = f"[{number} {'x' * rng.randrange(40)}]".encode()
        cuts = sorted(rng.sample(range(1, len(text)), 2))
        how = rng.choice(["plain", "again", "backwards"])
        talk.say(
            rng.randrange(2), text, split=cuts, again=how == "again", backwards=how == "backwards"
        )
    talk.close()
    path = making.save(tmp_path / "a.pcapng")
    command = ["tshark", "-r", str(path), "-q", "-z", "follow,tcp,raw,0"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    lines = done.stdout.partition("Node 1: ")[2].splitlines()[1:-1]
    sides = [b"", b""]
    for line in lines:
        sides[line.startswith("\t")] += bytes.fromhex(line.strip())
    found = events(making)
    assert [said(found, way) for way in (0, 1)] == sides
