"""Files without the people in them: what a file is, is told by its content.

A file is read twice: the first time to meet the people in it, the second to write it anew. So both
files must allow going back; whoever has a pipe keeps it in a file first.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from gzip import GzipFile
from hashlib import blake2b, scrypt
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from kqq.anonymise.captures import CaptureWriter, read_packets, survey
from kqq.anonymise.lines import Lines, Report
from kqq.anonymise.texts import Logs, Plays
from kqq.anonymise.values import Values
from kqq.capture.packets import Gunzip, PacketReader, looks_like_capture, looks_like_gzip
from kqq.capture.plays import looks_like_play
from kqq.errors import CaptureError

SHORTEST_KEY = 8
_PIECE = 1 << 18
_IN_MEMORY = 16 << 20
_LONGEST = 1 << 20  # bytes of a line of text
_HEAD = 4096
_WIDE = (b"\xff\xfe", b"\xfe\xff")


def key_of(words: str) -> bytes:
    """Return the key that some words stand for; slow, so that nobody tries many.

    Raises CaptureError if they are too short to keep a secret.
    """
    if len(words) < SHORTEST_KEY:
        raise CaptureError(f"a key needs {SHORTEST_KEY} signs or more; whoever has it can undo all")
    raw = words.encode("utf-8", "surrogateescape")
    return scrypt(raw, salt=b"kqq anonymise", n=1 << 14, r=8, p=1, dklen=32)


def anonymise(
    source: BinaryIO,
    target: BinaryIO,
    key: bytes,
    *,
    name: str = "the file",
    is_play: bool | None = None,
    keep_foreign: bool = False,
) -> Report:
    """Write to `target` what `source` holds, without the people; returns what was done.

    Both must be seekable, and `target` readable and empty; what was in gzip comes out in gzip. The
    key has 16 to 64 bytes, and the same one gives the same replacements. `name` is what errors call
    the file, `is_play` is given where its name tells. Raises CaptureError for what is empty, or no
    capture, log or play.
    """
    source.seek(0)
    is_packed = looks_like_gzip(source.read(2))
    start = _start(source, name)
    values = Values(blake2b(key, digest_size=32).digest())
    report = Report()
    with ExitStack() as stack:
        out = target
        if is_packed:
            out = cast(BinaryIO, stack.enter_context(SpooledTemporaryFile(max_size=_IN_MEMORY)))
        if looks_like_capture(start):
            _capture(source, out, values, report, start, keep_foreign=keep_foreign)
        else:
            play = _is_play(start, name) if is_play is None else is_play
            if not _text(source, out, values, report, is_play=play, keep_foreign=keep_foreign):
                raise CaptureError(_nothing(name, start))
        if is_packed:
            out.seek(0)
            with GzipFile(filename="", fileobj=target, mode="wb", mtime=0) as file:
                while piece := out.read(_PIECE):
                    file.write(piece)
    return report


def _capture(
    source: BinaryIO,
    target: BinaryIO,
    values: Values,
    report: Report,
    start: bytes,
    *,
    keep_foreign: bool,
) -> None:
    source.seek(0)
    ours = survey(source, values)
    values.settle()
    source.seek(0)
    is_pcapng = start[:4] == b"\x0a\x0d\x0d\x0a"
    writer = CaptureWriter(
        target, values, report, ours, is_pcapng=is_pcapng, keep_foreign=keep_foreign
    )
    writer.rewrite(read_packets(source, report))


def _text(
    source: BinaryIO,
    target: BinaryIO,
    values: Values,
    report: Report,
    *,
    is_play: bool,
    keep_foreign: bool,
) -> bool:
    """Write text anew; return False, and write nothing, if nothing of the protocol is in it."""
    meeting = Lines(values, Report(), is_meeting=True)
    reader: Logs | Plays = Plays(meeting) if is_play else Logs(meeting)
    for line in _lines(source):
        reader.line(line)
    if not meeting.found and not is_play:
        return False
    values.settle()
    lines = Lines(values, report)
    reader = Plays(lines) if is_play else Logs(lines, keep_foreign=keep_foreign)
    for line in _lines(source, report):
        target.write(reader.line(line))
    return True


def _nothing(name: str, start: bytes) -> str:
    """Return why a file that begins so is none that can be written anew."""
    try:
        list(PacketReader().feed(start))
    except CaptureError as error:
        return f"{name}: {error}, and there is no text with lines of the protocol (VER=…&CMD=…)"
    return f"{name} is no capture or play, and holds no line of the protocol (VER=…&CMD=…)"


def _is_play(start: bytes, name: str) -> bool:
    if start[:2] in _WIDE:
        raise CaptureError(f"{name} is text in UTF-16; save it as UTF-8 first")
    return looks_like_play(start.rpartition(b"\n")[0].decode("utf-8", "replace"))


def _start(source: BinaryIO, name: str) -> bytes:
    """Return the first bytes of a file, unpacked. Raises CaptureError if there are none."""
    start = b""
    report = Report()
    for piece in _pieces(source, report):
        start += piece
        if len(start) >= _HEAD:
            break
    if not start:
        problems = [what.partition(": ")[2] for what in report.left_out]
        raise CaptureError(
            f"{name} cannot be read: {problems[0]}" if problems else f"{name} is empty"
        )
    return start[:_HEAD]


def _pieces(source: BinaryIO, report: Report) -> Iterator[bytes]:
    """Yield a file from its start, unpacked if it is in gzip."""
    source.seek(0)
    gunzip = Gunzip() if looks_like_gzip(source.read(2)) else None
    source.seek(0)
    while piece := source.read(_PIECE):
        if gunzip is None:
            yield piece
        else:
            yield from gunzip.feed(piece)
    if gunzip is not None:
        gunzip.end()
        if gunzip.problem is not None:
            report.left_out[f"the rest of the file: {gunzip.problem}"] += 1


def _lines(source: BinaryIO, report: Report | None = None) -> Iterator[bytes]:
    """Yield lines of text with their ends; of one that never ends a piece counts as one."""
    pending = b""
    for piece in _pieces(source, report or Report()):
        *lines, pending = (pending + piece).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(pending) > _LONGEST:
            yield pending
            pending = b""
    if pending:
        yield pending
