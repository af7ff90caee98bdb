"""What reads bytes of strangers, as targets of `fuzzing`, and what to begin with."""

import gzip
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fuzzing import Target
from kqq.anonymise.files import anonymise
from kqq.capture.events import Data, End, Lost, Note, Said
from kqq.capture.formats import said_object
from kqq.capture.frames import Segment
from kqq.capture.packets import PacketReader
from kqq.capture.sources import read_file, read_streams
from kqq.capture.streams import Reassembly, StreamEvent
from kqq.capture.writing import Link
from kqq.charts.figures import Figures
from kqq.charts.mermaid import sequence_mermaid
from kqq.charts.page import report_page
from kqq.charts.sequence import sequence
from kqq.charts.svg import sequence_svg
from kqq.charts.text import sequence_lines
from kqq.infer.against import compare
from kqq.infer.inference import infer
from kqq.protocol import Line, PostReader, ResponseReader, Role, decode, encode, http_request
from kqq.protocol.explain import explain
from kqq.protocol.schema import Message
from kqq.protocol.transcript import parse_play
from kqq.proxy.framing import Cutter
from making import Making

ROOT = Path(__file__).parent
SUITE = ROOT.parent / "src" / "kqq" / "conformance" / "suite"
SAID = (
    b"VER=1.1&CMD=Login&SEQ=1&UIN=10001&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1&LC=00\r\n",
    b"VER=1.1&CMD=Login&SEQ=1&UIN=10001&RES=0&RS=0&HI=60&LI=300&SG=00&SSG=1\r\n",
    b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=C4CA4238A0B92382&UN=10002&MG=%2c\r\n",
    b"VER=1.1&CMD=CLTMSG&SEQ=2&UIN=10001&RES=0\r\n",
)


def _bucket(count: int) -> int:
    """Return a count so that a few more make no difference."""
    return count.bit_length()


def _kinds(items: Iterable[object]) -> list[tuple[str, int]]:
    """Return what kinds of things there are, and about how many of each."""
    counts: Counter[str] = Counter()
    for item in items:
        counts[_kind(item)] += 1
    return sorted((kind, _bucket(count)) for kind, count in counts.items())


def _kind(item: object) -> str:
    if isinstance(item, Note):
        return f"note {item.kind}"
    if isinstance(item, Said):
        json.dumps(said_object(item))
        odd = min(len(item.odd), 3)
        return f"{item.sender.value} {type(item.message).__name__} {item.over} {odd} {item.whole}"
    return type(item).__name__


# --- the targets ---------------------------------------------------------------------------------


def packets(data: bytes) -> object:
    """A capture, in pieces: the packets are the same however it comes."""
    whole = PacketReader()
    first = [*whole.feed(data), *whole.end()]
    cut = PacketReader()
    second = [*_fed(cut.feed, data), *cut.end()]
    assert first == second
    assert (whole.problem is None) == (cut.problem is None)
    return len(first).bit_length(), {one.link for one in first}, (whole.problem or "")[:20]


def _fed(feed: Callable[[bytes], Iterable[object]], data: bytes) -> Iterator[object]:
    """Feed bytes in pieces."""
    for piece in _pieces(data):
        yield from feed(piece)


def _pieces(data: bytes) -> Iterator[bytes]:
    """Cut bytes into pieces of changing length."""
    at, size = 0, 1
    while at < len(data):
        yield data[at : at + size]
        at += size
        size = size % 67 + 1


def capture(data: bytes) -> object:
    """A file, whatever it is: lines and notes come out."""
    return _kinds(read_file(io.BytesIO(data)))


def streams(data: bytes) -> object:
    """A file, as bytes of connections: what came is as long as what was sent."""
    return _kinds(read_streams(io.BytesIO(data)))


def segments(data: bytes) -> object:
    """Segments of one connection in any order: each byte comes once, and is the right one.

    Two bytes of the input are a segment: where it begins in the text, and how long it is. Each
    side sends a text of its own, so that a byte in the wrong place would be seen.
    """
    ends = (End("192.0.2.1", 40001), End("198.51.100.7", 14000))
    reassembly, events = Reassembly(), list[StreamEvent]()
    for frame, (where, size) in enumerate(zip(data[::2], data[1::2], strict=False), 1):
        way = where & 1
        start = (where >> 1) * 3
        payload = _text(way)[start : start + size % 50]
        acked = (size * 7) % 500 if size % 5 == 0 else 0
        is_last = start + len(payload) == len(_text(way))
        flags = 0x11 if is_last else 0x10
        segment = Segment(
            frame * 0.01, frame, ends[way], ends[1 - way], 1001 + start, 1001 + acked, flags,
            payload, 0,
        )  # fmt: skip
        events += reassembly.feed(segment)
    events += reassembly.end()
    for stream in {one.stream for one in events if isinstance(one, Data)}:
        for way in (0, 1):
            pieces = [
                one for one in events
                if isinstance(one, Data | Lost) and one.stream is stream and one.way == way
            ]  # fmt: skip
            sent = _text(0 if stream.ends[way] == ends[0] else 1)
            at = _first(pieces, sent)
            for piece in pieces[at[1] :]:
                if isinstance(piece, Lost):
                    at = (at[0] + piece.count, 0)
                else:
                    assert sent[at[0] : at[0] + len(piece.data)] == piece.data, piece
                    at = (at[0] + len(piece.data), 0)
    return _kinds(events)


def _text(way: int) -> bytes:
    """Return 600 bytes in which each three are of their own."""
    sign = b"cs"[way : way + 1]
    return b"".join(sign + f"{number:02x}".encode() for number in range(200))


def _first(pieces: list[Data | Lost], sent: bytes) -> tuple[int, int]:
    """Return where in `sent` the pieces begin, and which of them is first known."""
    for position, piece in enumerate(pieces):
        if isinstance(piece, Data):
            if len(piece.data) < 5:
                continue
            return sent.index(piece.data), position
    return 0, len(pieces)


def lines(data: bytes) -> object:
    """A line: it is read, or the reason is told; what is read can be written and read again."""
    line = Line.decode(data)
    said = explain(line)
    for role in Role:
        message = decode(line, role)
        if isinstance(message, Message):
            again = decode(Line.decode(encode(message)), role)
            assert again == message
    return said.command[:12], said.kind, len(said.problems)


def posts(data: bytes) -> object:
    """Requests and responses of HTTP: they are read, or the reason is told."""
    return [_posted(PostReader(), data), _posted(ResponseReader(), data)]


def _posted(reader: PostReader | ResponseReader, data: bytes) -> tuple[int, str]:
    found = [*_fed(reader.feed, data), *reader.feed(b"")]
    return len(found).bit_length(), str(reader.error)[:24]


def plays(data: bytes) -> object:
    """A play: it is read, or the statement is named that cannot be."""
    return sorted({one.verb for one in parse_play(data.decode("utf-8", "replace")).statements})


def pictures(data: bytes) -> object:
    """A file, drawn: a chart in each form, and a page."""
    items = list(read_file(io.BytesIO(data)))
    chart = sequence(items, most=20)
    for drawn in (sequence_svg(chart), sequence_mermaid(chart), *sequence_lines(chart)):
        drawn.encode()
    page = "".join(report_page(Figures(most=50).take_all(items), title="a page"))
    page.encode()
    return _kinds(items)


def guesses(data: bytes) -> object:
    """A file, as if nobody knew the protocol."""
    findings = infer(read_streams(io.BytesIO(data)), budget=50_000)
    compare(findings)
    return len(findings.kinds)


def anonymised(data: bytes) -> object:
    """A file without the people in it; what is left can be read as well as before."""
    out = io.BytesIO()
    anonymise(io.BytesIO(data), out, bytes(16))
    return _kinds(read_file(io.BytesIO(out.getvalue())))


def passing(data: bytes) -> object:
    """What goes through the proxy: byte for byte the same, however it comes."""
    seen = []
    for role in Role:
        cutter = Cutter(role)
        pieces = [piece for one in _pieces(data) for piece in cutter.feed(one)]
        if len(data) % 3 == 0:
            pieces += cutter.flush()
        pieces += cutter.end()
        assert b"".join(piece.raw for piece in pieces) == data
        whole = [piece for piece in pieces if piece.line is not None and not piece.is_late]
        for piece in whole:
            assert piece.line is not None
            piece.with_line(piece.line)
        seen.append((cutter.over, len(whole).bit_length()))
    return seen


# --- what to begin with --------------------------------------------------------------------------


def _talk(making: Making) -> Making:
    talk = making.talk()
    talk.client(SAID[0], split=[4, 40], again=True)
    talk.server(SAID[1] + SAID[3])
    talk.client(SAID[2], backwards=True, split=[9])
    talk.server(SAID[3], lost=True)
    talk.close()
    other = making.talk(opened=False)
    other.post(SAID[2].strip(), SAID[3])
    return making


def captures() -> list[bytes]:
    """Return small captures of every form."""
    made = [_talk(Making(link)) for link in (Link.ETHERNET, Link.RAW, Link.COOKED, Link.NULL)]
    made += [_talk(Making(vlans=(7,), ipv6=True))]
    seeds = [one.pcap() for one in made] + [made[0].pcap(is_big=True, nano=True)]
    seeds += [one.pcapng() for one in made[:2]]
    return [*seeds, gzip.compress(seeds[0])]


def files() -> list[bytes]:
    """Return captures, logs, plays and JSON lines."""
    log = b"".join(b"2014-05-13 16:53:20.%03d -> %s" % (n, said) for n, said in enumerate(SAID))
    vectors = (SUITE / "vectors" / "lines.jsonl").read_bytes()[:3000]
    told = [one for one in read_file(io.BytesIO(captures()[0])) if isinstance(one, Said)]
    written = "".join(json.dumps(said_object(one)) + "\n" for one in told).encode()
    return [*captures(), log, vectors, written, *_plays()[:3]]


def _plays() -> list[bytes]:
    return [path.read_bytes() for path in sorted((SUITE / "plays").glob("*.kqq"))]


def _posts() -> list[bytes]:
    request = http_request("kqq.example", 14000, SAID[2])
    chunks = b"Transfer-Encoding: chunked\r\n\r\n3\r\nVER\r\n0\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nVER=1"
    return [request, b"POST / HTTP/1.1\r\n" + chunks, answer, b"HTTP/1.0 200 OK\r\n" + chunks]


TARGETS: dict[str, Target] = {
    "anonymised": anonymised,
    "capture": capture,
    "guesses": guesses,
    "lines": lines,
    "packets": packets,
    "passing": passing,
    "pictures": pictures,
    "plays": plays,
    "posts": posts,
    "segments": segments,
    "streams": streams,
}
SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "anonymised": files,
    "capture": files,
    "guesses": files,
    "lines": lambda: list(SAID),
    "packets": captures,
    "passing": lambda: [b"".join(SAID), *_posts()],
    "pictures": files,
    "plays": _plays,
    "posts": _posts,
    "segments": lambda: [bytes(range(64)), bytes([0, 49, 1, 30] * 20)],
    "streams": files,
}
