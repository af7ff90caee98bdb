"""Where what was said is kept: told by its content, read in pieces, followed as it grows."""

import gzip
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.capture import sources
from kqq.capture.events import Closed, Data, End, Note, Opened, Said
from kqq.capture.packets import Packet
from kqq.capture.sources import read_file, read_packets, read_streams
from kqq.errors import CaptureError
from making import Making

ASKED = b"VER=1.1&CMD=List&SEQ=2&UIN=10001\r\n"
ANSWERED = b"VER=1.1&CMD=LIST&SEQ=2&UIN=10001&RES=0&FN=0\r\n"


def making() -> Making:
    """Return a capture of a request and its answer."""
    made = Making()
    talk = made.talk()
    talk.client(ASKED)
    talk.server(ANSWERED)
    talk.close()
    return made


@pytest.fixture
def capture() -> bytes:
    """The bytes of a capture of a request and its answer."""
    return making().pcap()


def said(source: str | Path | io.BytesIO) -> list[str]:
    """Return the commands of the lines in a source."""
    return [one.command for one in read_file(source) if isinstance(one, Said)]


def unreadable(source: io.BytesIO) -> list[str]:
    """Return what cannot be read of a source, in words."""
    return [
        one.words
        for one in read_file(source)
        if isinstance(one, Note) and one.kind in ("unreadable", "cut")
    ]


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng", "a.pcap.gz", "a.pcapng.gz", "a.txt"])
def test_captures_are_told_by_their_content(name: str, tmp_path: Path) -> None:
    """Whatever the file is called."""
    path = making().save(tmp_path / name)
    assert said(path) == ["List", "LIST"]
    assert said(str(path)) == ["List", "LIST"]
    assert len(list(read_packets(path))) > 5


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_text_is_told_by_its_content(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """A log, a play, JSON lines; plain and in gzip."""
    assert said(io.BytesIO(pack(ASKED + ANSWERED))) == ["List", "LIST"]
    assert said(io.BytesIO(pack(b"Romeo > CMD=List\nRomeo signs out\n"))) == ["List"]
    assert said(io.BytesIO(pack(b'{"line": "VER=1.1&CMD=List&SEQ=1&UIN=1"}'))) == ["List"]
    play = tmp_path / ("a.kqq" if pack is bytes else "a.kqq.gz")
    play.write_bytes(pack(b"nonsense\nRomeo > CMD=List\n"))
    assert said(play) == ["List"]


def test_a_source_may_give_a_byte_at_a_time(capture: bytes) -> None:
    """As pipes do."""

    class Slow(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return self.read(1)

    for data in (capture, gzip.compress(capture), ASKED + ANSWERED, gzip.compress(ASKED)):
        assert said(Slow(data)) == said(io.BytesIO(data))


def test_standard_input(capture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is called -."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(capture)))
    assert said("-") == ["List", "LIST"]


def test_what_breaks_in_the_middle_is_told_after_what_could_be_read(capture: bytes) -> None:
    """A capture that is cut short, a packed file that is cut or corrupt."""
    assert said(io.BytesIO(capture[:-10])) == ["List", "LIST"]
    assert any("cut short" in words for words in unreadable(io.BytesIO(capture[:-10])))
    packed = gzip.compress(capture)
    assert unreadable(io.BytesIO(packed[:-4]))[-1] == "the gzip file is cut short"
    assert said(io.BytesIO(packed[:-4])) == ["List", "LIST"]
    text = gzip.compress(ASKED * 5000)
    spoilt = text[: len(text) // 2] + b"\xff" * 20 + text[len(text) // 2 :]
    assert "corrupt" in unreadable(io.BytesIO(spoilt))[-1]
    notes = [one for one in read_packets(io.BytesIO(capture[:-10])) if isinstance(one, Note)]
    assert notes[0].kind == "unreadable"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"\x1f\x8b\x08", "cannot be read: the gzip file is cut short"),
        (b"hello", "no capture: it starts"),
        (b"\x7fELF\x00\x00", "there is no text with lines of the protocol"),
        (b"\x28\xb5\x2f\xfdzstd", "packed with zstd"),
        (b"ab", "holds no line of the protocol"),
    ],
)
def test_a_source_with_nothing_in_it_is_told(data: bytes, words: str) -> None:
    """With what it is, if that is known."""
    with pytest.raises(CaptureError, match=words):
        list(read_file(io.BytesIO(data)))


def test_files_that_cannot_be_opened_are_told(tmp_path: Path) -> None:
    """With the reason; and what is no capture has no packets."""
    with pytest.raises(CaptureError, match="cannot be opened: No such file"):
        list(read_file(tmp_path / "none"))
    with pytest.raises(CaptureError, match="Is a directory"):
        list(read_file(tmp_path))
    with pytest.raises(CaptureError, match="cannot be opened: embedded null"):
        list(read_file("a\0b"))
    with pytest.raises(CaptureError, match="no capture"):
        list(read_packets(io.BytesIO(ASKED)))

    class Broken(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(CaptureError, match="reading failed: Input/output error"):
        list(read_file(Broken()))


def test_progress(tmp_path: Path, capture: bytes) -> None:
    """So many bytes of so many; a pipe does not say how many."""
    path = tmp_path / "a.pcap"
    path.write_bytes(capture)
    told: list[tuple[int, int | None]] = []
    gzipped = io.BytesIO(gzip.compress(b"") + b"\0\0")
    with pytest.raises(CaptureError):
        list(read_file(gzipped))
    list(read_file(path, progress=lambda *numbers: told.append(numbers)))
    list(read_file(io.BytesIO(capture), progress=lambda *numbers: told.append(numbers)))
    assert told == [(len(capture), len(capture)), (len(capture), None)]


class Growing:
    """A file that grows: each nap writes the next piece; the last nap ends the test."""

    def __init__(self, path: Path, pieces: list[bytes]) -> None:
        self._path = path
        self._pieces = pieces

    def nap(self, seconds: float) -> None:
        """Write the next piece."""
        assert seconds > 0
        if not self._pieces:
            raise KeyboardInterrupt
        with self._path.open("ab") as file:
            file.write(self._pieces.pop(0))


def followed(path: Path, pieces: list[bytes], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the commands in a file that grows by these pieces."""
    path.write_bytes(b"")
    monkeypatch.setattr("kqq.capture.sources.time.sleep", Growing(path, pieces).nap)
    found: list[str] = []
    items = read_file(path, follow=True)
    with pytest.raises(KeyboardInterrupt):
        found.extend(
            f"{item.command} with {len(pieces)} to come" for item in items if isinstance(item, Said)
        )
    return found


def test_a_file_is_followed(
    tmp_path: Path, capture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are given as soon as they are there, of captures, logs and gzip."""
    path = tmp_path / "a"
    cut = len(capture) // 2
    assert followed(path, [b"", capture[:20], capture[20:cut], capture[cut:]], monkeypatch) == [
        "List with 1 to come",
        "LIST with 0 to come",
    ]
    text = [b"\n", b"x\n", ASKED[:9], ASKED[9:], ANSWERED, b"bye"]
    assert followed(path, text, monkeypatch) == ["List with 2 to come", "LIST with 1 to come"]
    packed = gzip.compress(capture)
    found = followed(path, [packed[:30], packed[30:]], monkeypatch)
    assert found == ["List with 0 to come", "LIST with 0 to come"]


def lost(path: Path, data: bytes, happens: Callable[[], object]) -> list[Said | Note]:
    """Return what is given of a file that is followed, to which something happens after a while."""
    path.write_bytes(data)
    acts = [lambda: None, happens]

    def nap(seconds: float) -> None:
        acts.pop(0)()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kqq.capture.sources.time.sleep", nap)
        return list(read_file(path, follow=True))


@pytest.mark.parametrize("kind", ["log", "capture", "gzip"])
def test_a_followed_file_that_is_cut_short(tmp_path: Path, capture: bytes, kind: str) -> None:
    """What was there is given, then one note; nobody waits for ever."""
    data = {"log": ASKED + ANSWERED + b"VER=1", "capture": capture, "gzip": gzip.compress(capture)}
    path = tmp_path / "a"
    items = lost(path, data[kind], lambda: path.write_bytes(b"new\n"))
    assert [one.command for one in items if isinstance(one, Said)] == ["List", "LIST"]
    last = items[-1]
    assert isinstance(last, Note)
    assert last.kind == "cut"
    assert last.words.startswith(f"{path} was cut short to 4 bytes after {len(data[kind])} were")


def test_a_followed_file_whose_place_is_taken(tmp_path: Path) -> None:
    """What came to it at last is given; one that is only moved away is followed on."""
    path, old = tmp_path / "a", tmp_path / "a.1"

    def rotate() -> None:
        path.rename(old)
        with old.open("ab") as file:
            file.write(ANSWERED)
        path.write_bytes(ASKED)

    items = lost(path, ASKED, rotate)
    assert [one.command for one in items if isinstance(one, Said)] == ["List", "LIST"]
    last = items[-1]
    assert isinstance(last, Note)
    assert last.kind == "cut"
    assert last.words.startswith(f"another file is called {path} now; ")
    path.write_bytes(ASKED)
    with pytest.raises(IndexError):  # it naps on
        lost(path, ASKED, path.unlink)


def test_a_followed_file_with_nothing_in_it_that_is_cut_short(tmp_path: Path) -> None:
    """That it was cut short tells more than that there was nothing."""
    path = tmp_path / "a"
    with pytest.raises(CaptureError, match="was cut short to 0 bytes after 6 were read"):
        lost(path, b"hello\n", lambda: path.write_bytes(b""))


def test_a_pipe_is_followed_as_it_comes() -> None:
    """Nothing waits for a whole piece."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", 0) as sink:
        sink.write(b"# a log\n" * 600 + ASKED)
        items: Iterator[Said | Note] = read_file(source)
        first = next(items)
        assert isinstance(first, Said)
        assert first.command == "List"
        sink.write(ANSWERED)
        sink.close()
        assert [one.command for one in items if isinstance(one, Said)] == ["LIST"]


# --- bytes ---------------------------------------------------------------------------------------


def test_the_bytes_of_a_capture(capture: bytes) -> None:
    """As they went each way, whatever they mean."""
    events = list(read_streams(io.BytesIO(capture)))
    assert [one.data for one in events if isinstance(one, Data)] == [ASKED, ANSWERED]
    assert isinstance(events[0], Opened)
    assert isinstance(events[-1], Closed)


def test_the_bytes_of_text() -> None:
    """A connection is made up for each person, with the ends that are told."""
    row = b'{"line": "VER=1.1&CMD=List&SEQ=1&UIN=7", "client": "a:1", "server": "b:2", "time": 5}\n'
    note = b'{"note": "lost", "words": "x"}\n'
    events = list(read_streams(io.BytesIO(ASKED + row + note + ANSWERED)))
    data = [one for one in events if isinstance(one, Data)]
    assert [(one.stream.number, one.way, one.frame, one.time) for one in data] == [
        (1, 0, 1, 0.0),
        (2, 0, 2, 5.0),
        (1, 1, 4, 5.0),
    ]
    assert data[0].data == ASKED
    assert data[0].stream.ends == (End("client", 0), End("server", 0))
    assert data[1].stream.ends == (End("a", 1), End("b", 2))
    assert [type(one).__name__ for one in events] == [
        "Opened", "Data", "Opened", "Data", "Note", "Data", "Closed", "Closed",
    ]  # fmt: skip
    assert list(read_streams(io.BytesIO(b"Romeo signs in\n")))
    with pytest.raises(CaptureError):
        list(read_streams(io.BytesIO(b"hello")))


def test_only_so_many_people_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who came first are forgotten."""
    monkeypatch.setattr(sources, "_MOST_PEOPLE", 2)
    text = b"".join(ASKED.replace(b"10001", str(number).encode()) for number in range(5))
    closed = [one for one in read_streams(io.BytesIO(text)) if isinstance(one, Closed)]
    assert [one.how for one in closed] == ["forgotten"] * 3 + ["cut"] * 2


def test_the_bytes_of_text_that_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are given as they come, too."""
    path = tmp_path / "a"
    path.write_bytes(ASKED)
    monkeypatch.setattr("kqq.capture.sources.time.sleep", Growing(path, []).nap)
    events = read_streams(path, follow=True)
    assert isinstance(next(events), Opened)
    packets = read_packets(io.BytesIO(making().pcap()), follow=True)
    assert isinstance(next(packets), Packet)


@given(st.binary(max_size=400), st.booleans(), st.integers(0, 30))
def test_anything_ends_in_lines_or_words(data: bytes, is_spoilt: bool, at: int) -> None:
    """Whatever a file holds, and wherever a good one is spoilt."""
    if is_spoilt:
        good = making().pcapng() if at % 2 else making().pcap()
        place = (at * 53) % len(good)
        data = good[:place] + data + good[place + at :]
    for read in (read_file, read_streams, read_packets):
        with suppress(CaptureError):
            list(read(io.BytesIO(data)))
