"""Files of all kinds: told by their content, read twice, written once."""

import gzip
import io
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.anonymise.files import anonymise, key_of
from kqq.anonymise.lines import Report
from kqq.capture.events import Said
from kqq.capture.sources import read_file
from kqq.errors import CaptureError
from making import Making

KEY = b"a key for tests!"
SENT = "VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=&UN=10002&MG=罗密欧 wherefore\r\n".encode()
LOG = b"19:03:12 -> " + SENT + b"19:03:13 somebody came\n" + b"19:03:14 -> " + SENT
PLAY = (
    b'# About Romeo.\nRomeo signs in\nRomeo sends Juliet "wherefore"\nRomeo > CMD=List UN=10001\n'
)
PERSONAL = (b"10001", b"10002", b"wherefore", "罗密欧".encode(), b"Romeo", b"\\u7f57")


def anonymised(
    data: bytes, *, is_play: bool | None = None, keep_foreign: bool = False
) -> tuple[bytes, Report]:
    """Return what becomes of a file."""
    target = io.BytesIO()
    report = anonymise(
        io.BytesIO(data), target, KEY, name="it.log", is_play=is_play, keep_foreign=keep_foreign
    )
    return target.getvalue(), report


def capture() -> bytes:
    """Return a capture of one line."""
    making = Making()
    talk = making.talk()
    talk.client(SENT)
    talk.close()
    return making.pcapng()


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    "data",
    [capture(), LOG, PLAY, json.dumps({"line": SENT.decode().strip()}).encode() + b"\n"],
    ids=["capture", "log", "play", "json"],
)
def test_file(data: bytes, is_packed: bool) -> None:
    """Nothing of anybody is left; what was in gzip is, and the same key gives the same."""
    new, report = anonymised(gzip.compress(data) if is_packed else data)
    plain = gzip.decompress(new) if is_packed else new
    assert not any(word in plain for word in PERSONAL)
    assert len(plain) == len(data) - (len(b"19:03:13 somebody came\n") if data == LOG else 0)
    assert anonymised(data)[0] == plain
    assert not report.doubts
    said = [item for item in read_file(io.BytesIO(new)) if isinstance(item, Said)]
    assert [one.command for one in said] == ([said[0].command] * (2 if data == LOG else 1))


def test_what_is_said_is_the_same_in_all_of_them() -> None:
    """Whoever is somebody in a capture is the same in a log of it."""
    found = [
        next(item for item in read_file(io.BytesIO(anonymised(data)[0])) if isinstance(item, Said))
        for data in (capture(), LOG)
    ]
    assert found[0].line == found[1].line


def test_play_is_told_by_its_name_too() -> None:
    """A file with comments only is a play if somebody says so."""
    new, report = anonymised(b"# Romeo\n", is_play=True)
    assert len(new) == 8
    assert b"Romeo" not in new
    assert not report.doubts


def test_lines_without_anything_may_be_kept() -> None:
    """Then their words are replaced, and nobody vouches for them."""
    new, report = anonymised(LOG, keep_foreign=True)
    assert len(new) == len(LOG)
    assert b"somebody" not in new
    assert sum(report.doubts.values()) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "^it.log is empty$"),
        (gzip.compress(b"", mtime=0), "^it.log is empty$"),
        (b"\x1f\x8bzzz", "^it.log cannot be read: the gzip file is corrupt"),
        (b"no", "^it.log is no capture or play, and holds no line of the protocol"),
        (b"nothing\nhere\n", "^it.log: this is no capture: it starts 'nothing"),
        ("VER=1".encode("utf-16"), "^it.log is text in UTF-16"),
        (gzip.compress(b"nothing", mtime=0), "^it.log: this is no capture: it starts 'nothing'"),
    ],
)
def test_what_cannot_be_rewritten(data: bytes, words: str) -> None:
    """The error says which file it is, and why."""
    with pytest.raises(CaptureError, match=words):
        anonymised(data)


def test_an_empty_play() -> None:
    """It is empty, whatever its name says."""
    with pytest.raises(CaptureError, match="is empty"):
        anonymised(b"", is_play=True)


def test_broken_gzip() -> None:
    """What could be unpacked is rewritten, and the rest said to be missing."""
    new, report = anonymised(gzip.compress(LOG)[:-6])
    assert len(gzip.decompress(new)) > 100
    assert report.left_out["the rest of the file: the gzip file is cut short"] == 1


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
def test_large_packed_capture() -> None:
    """It is packed again in pieces."""
    making = Making()
    talk = making.talk()
    for _ in range(3000):
        talk.client(SENT)
    new, _ = anonymised(gzip.compress(making.pcap()))
    assert len(gzip.decompress(new)) == len(making.pcap())


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
def test_line_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is taken in pieces, of which none is kept long."""
    monkeypatch.setattr("kqq.anonymise.files._LONGEST", 50_000)
    data = SENT + b"VER=1.4&CMD=CLTMSG&UIN=10001&MG=" + b"wherefore" * 50_000
    tracemalloc.start()
    new, report = anonymised(data)
    assert tracemalloc.get_traced_memory()[1] < 15_000_000
    tracemalloc.stop()
    assert not any(word in new for word in PERSONAL)
    assert report.left_out


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
@pytest.mark.parametrize(
    "piece",
    [b'"', b'\\"', b"AA=&", b" ", b"VER=&", b"{", b"1.", b"A=", b",", b"&", b"%", b"Romeo ", b"99"],
)
def test_text_made_to_take_long(piece: bytes) -> None:
    """However it repeats itself, the time grows with its length only."""
    body = piece * (200_000 // len(piece))
    for whole in (SENT + b"x " + body + b"x VER=1&CMD=2&UIN=10001" + body + b"x\n",
                  b"Romeo signs in\nRomeo > " + body + b"x\nserver " + body + b"x\n",
                  b'Romeo signs in\nRomeo sends Juliet "' + body + b"x\n# " + body):  # fmt: skip
        anonymised(whole)


def test_key() -> None:
    """Words make a key, other words another; too few keep no secret."""
    assert key_of("open sesame") == key_of("open sesame")
    assert key_of("open sesame") != key_of("open sesamf")
    assert len(key_of("open sesame")) == 32
    with pytest.raises(CaptureError, match="8 signs or more"):
        key_of("short")


@given(
    st.binary(max_size=200), st.sampled_from([b"", LOG, PLAY, capture()[:200], b"\x1f\x8b\x08\0"])
)
def test_any_file(data: bytes, start: bytes) -> None:
    """Whatever it holds, it is rewritten or refused."""
    for whole in (start + data, gzip.compress(start + data)):
        try:
            new, _ = anonymised(whole)
        except CaptureError:
            continue
        assert len(new) < len(whole) * 2 + 200
