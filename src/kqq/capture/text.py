"""Text with lines of the protocol in it: a log, a play, or JSON objects, told by what is there.

Bytes in, entries out; nothing here opens files.
"""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite
from typing import Any

from kqq.capture.events import End, Note, Said
from kqq.capture.logs import LogReader
from kqq.capture.meaning import meaning, sender_of
from kqq.capture.pairing import Pairing
from kqq.capture.plays import PlayReader, looks_like_play
from kqq.protocol.messages import Role
from kqq.protocol.schema import Unreadable
from kqq.protocol.wire import LINE_LIMIT, Line

LONGEST = 8 * LINE_LIMIT
"""Bytes of a line of text that are looked at; a line of the protocol in JSON may be all escapes."""
_ENOUGH = 4096
"""Bytes after which it is clear whether this is a play."""
_MOST_WAITING = 1024
_PLACE = re.compile(r"\{\w+\}")
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig", "surrogateescape"),  # bytes that are no UTF-8 stay
    (b"\xff\xfe", "utf-16", "replace"),
    (b"\xfe\xff", "utf-16", "replace"),
)
_SENDERS = {
    "client": Role.CLIENT,
    "c2s": Role.CLIENT,
    "server": Role.SERVER,
    "s2c": Role.SERVER,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the protocol found in text; `frame` is the number of the line of text, from 1."""

    frame: int
    line: Line
    sender: Role
    time: float | None = None
    stream: int = 0
    over: str = "tcp"
    client: End | None = None
    server: End | None = None
    actor: str = ""
    odd: tuple[str, ...] = ()
    whole: bool = True
    open_ended: bool = False


class TextReader:
    """Reads text however its bytes are split; `found` says whether there was anything in it.

    `is_play` is given where it is known, by the name of the file.
    """

    def __init__(self, *, is_play: bool | None = None) -> None:
        self.found = False
        self._is_play = is_play
        self._decoder: codecs.IncrementalDecoder | None = None
        self._started = False
        self._pending = bytearray()
        self._skipping = False
        self._number = 0
        self._log = LogReader()
        self._play = PlayReader()

    def feed(self, data: bytes) -> Iterator[Entry | Note]:
        """Give what the lines completed by `data` say."""
        if self._started:
            self._pending += self._decoded(data)
        else:
            self._pending += data
            if len(self._pending) < _ENOUGH:
                return
            self._start()
        yield from self._lines()

    def end(self) -> Iterator[Entry | Note]:
        """Give what is left: a last line without end, and what is to say of the whole."""
        if not self._started:
            self._start()
        yield from self._lines()
        if self._pending and not self._skipping:
            rest = bytes(self._pending)
            self._pending.clear()
            yield from self._read(rest)
        if self.found and self._log.passed_over:
            count = self._log.passed_over
            words = "line of text holds" if count == 1 else "lines of text hold"
            words = f"{count} {words} nothing of the protocol, and are left out"
            yield Note("foreign", words, None, self._number)

    def poll(self) -> Iterator[Entry | Note]:
        """Give what is there though more may come: the kind of text is then decided."""
        if not self._started and b"\n" in self._pending:
            self._start()
            yield from self._lines()

    def _start(self) -> None:
        self._started = True
        start = bytes(self._pending)
        for mark, name, errors in _BOMS:
            if start.startswith(mark):
                self._decoder = codecs.getincrementaldecoder(name)(errors)
        start = self._decoded(start)
        self._pending = bytearray(start)
        if self._is_play is None:
            head = start[:_ENOUGH]
            cut = head.rfind(b"\n")
            text = head[: cut if cut > 0 else None].decode("utf-8", "surrogateescape")
            self._is_play = looks_like_play(text)

    def _decoded(self, data: bytes) -> bytes:
        if self._decoder is None:
            return data
        return self._decoder.decode(data).encode("utf-8", "surrogateescape")

    def _lines(self) -> Iterator[Entry | Note]:
        *lines, rest = bytes(self._pending).split(b"\n")
        self._pending = bytearray(rest)
        for line in lines:
            if self._skipping:
                self._skipping = False
            else:
                yield from self._read(line)
        if len(self._pending) > LONGEST:
            if not self._skipping:
                yield from self._read(bytes(self._pending))
            self._skipping = True
            self._pending.clear()

    def _read(self, text: bytes) -> Iterator[Entry | Note]:
        self._number += 1
        number = self._number
        if len(text) > LONGEST:
            words = f"line {number} of the text is longer than {LONGEST} bytes; only those are read"
            yield Note("cut", words, None, number)
            text = text[:LONGEST]
        item: Entry | Note | None
        if self._is_play:
            for item in self._of_play(text, number):
                self.found = True
                yield item
            return
        if text.lstrip().startswith(b"{"):
            item = _of_object(text, number) or self._of_log(text, number)
        else:
            item = self._of_log(text, number)
        if item is not None:
            self.found = True
            yield item

    def _of_log(self, text: bytes, number: int) -> Entry | None:
        found = self._log.read(text)
        if found is None:
            return None
        return Entry(
            number, found.line, found.sender, found.time, client=found.client, server=found.server
        )

    def _of_play(self, text: bytes, number: int) -> Iterator[Entry | Note]:
        for said in self._play.read(text.decode("utf-8", "surrogateescape"), number):
            if isinstance(said, Note):
                yield said
            else:
                yield Entry(
                    number,
                    said.line,
                    said.sender,
                    over=said.over,
                    actor=said.actor,
                    open_ended=said.open_ended,
                )


class Hearing:
    """Makes `Said` of entries: gives them numbers, and pairs replies with requests."""

    def __init__(self) -> None:
        self._number = 0
        self._pairing = Pairing(by_person=True, most=_MOST_WAITING)

    def hear(self, entry: Entry) -> Said:
        """Return what an entry says."""
        self._number += 1
        message, odd = meaning(entry.line, entry.sender)
        if entry.open_ended:
            odd = ()  # nobody knows what stands where the play allows anything
            if isinstance(message, Unreadable):
                filled = meaning(Line(_PLACE.sub("00", entry.line.text)), entry.sender)[0]
                if not isinstance(filled, Unreadable):
                    message = replace(filled, line=entry.line)
        odd = (*odd, *(one for one in entry.odd if one not in odd))
        said = Said(
            self._number,
            entry.time,
            entry.frame,
            entry.stream,
            entry.sender,
            entry.line,
            message,
            entry.over,
            entry.client,
            entry.server,
            entry.actor,
            odd=odd,
            whole=entry.whole,
        )
        if entry.sender is Role.CLIENT:
            self._pairing.ask(said)
        else:
            said.request = self._pairing.answer(said)
        return said


# --- objects -------------------------------------------------------------------------------------


def _of_object(text: bytes, number: int) -> Entry | Note | None:
    """Return what a JSON object on a line says, None if it says nothing of the protocol."""
    try:
        found = json.loads(text.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if "note" in found and isinstance(found.get("words"), str):
        return Note(
            str(found["note"]), found["words"], _time(found), number, _whole_number(found, "stream")
        )
    raw = _raw(found)
    if raw is None:
        return None
    line = Line.decode(raw)
    said_by = found.get("sender", found.get("direction"))
    sender = _SENDERS.get(said_by) if isinstance(said_by, str) else None
    over = found.get("over", found.get("transport"))
    odd = found.get("odd")
    actor = found.get("actor")
    return Entry(
        number,
        line,
        sender or sender_of(line),
        _time(found),
        _whole_number(found, "stream"),
        "http" if over == "http" else "tcp",
        _end(found.get("client")),
        _end(found.get("server")),
        actor if isinstance(actor, str) else "",
        tuple(str(one) for one in odd) if isinstance(odd, list) else (),
        found.get("whole") is not False,
    )


def _raw(found: dict[str, Any]) -> bytes | None:
    digits, line = found.get("hex"), found.get("line")
    if isinstance(digits, str):
        try:
            return bytes.fromhex(digits)
        except ValueError:
            return None
    if not isinstance(line, str):
        return None
    try:
        return line.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a sign, which stands for no byte
        return line.encode("utf-8", "surrogatepass")


def _time(found: dict[str, Any]) -> float | None:
    said = found.get("time")
    if isinstance(said, int | float) and not isinstance(said, bool):
        return float(said) if abs(said) < 1e12 and isfinite(said) else None
    if isinstance(said, str):
        try:
            return datetime.fromisoformat(said).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
    return None


def _whole_number(found: dict[str, Any], key: str) -> int:
    value = found.get(key)
    return value if type(value) is int and 0 <= value < 1 << 53 else 0


def _end(said: object) -> End | None:
    if not isinstance(said, str):
        return None
    host, colon, port = said.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5:
        return None
    return End(host.removeprefix("[").removesuffix("]"), int(port))
