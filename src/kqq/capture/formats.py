"""Lines as data: JSON objects, rows of CSV, and plays."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

from kqq.capture.events import End, Note, Said
from kqq.capture.meaning import fields_json, fields_of, masked
from kqq.capture.plays import NAMES, numbers_of_people
from kqq.errors import CaptureError
from kqq.protocol.messages import Role
from kqq.protocol.schema import Failure, Unreadable
from kqq.protocol.transcript import Recorder
from kqq.protocol.wire import mask_broken_bytes

COLUMNS = (
    "number", "time", "stream", "frame", "over", "sender", "client", "server", "actor", "uin",
    "command", "kind", "answers", "seconds", "whole", "odd", "line",
)  # fmt: skip
"""The columns of `csv_rows`."""
MOST_IN_A_PLAY = 100_000
"""Lines that a play may have; nobody reads more, and all must be known before the first."""

_SENDERS = {role: role.value for role in Role}
_encode: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False).encode
_quote: Callable[[str], str] = json.encoder.encode_basestring
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def kind_of(said: Said) -> str:
    """Return "request", "reply", "push", "document" or "unreadable"."""
    message = said.message
    if isinstance(message, Unreadable):
        return "unreadable"
    return "reply" if isinstance(message, Failure) else message.spec.role


def said_object(said: Said, *, secrets: bool = False) -> dict[str, Any]:
    """Return a line as an object, as docs/decode.md describes it.

    Secrets are `***` unless asked for. Bytes that are not UTF-8 are lone surrogates in its texts,
    and `hex` then has all of the line.
    """
    line = said.line
    text = line.text if secrets else masked(line, said.message, said.sender)
    time, seconds, request = said.time, said.seconds, said.request
    found: dict[str, Any] = {
        "number": said.number,
        "time": None if time is None else round(time, 6),
        "stream": said.stream,
        "frame": said.frame,
        "over": said.over,
        "sender": said.sender.value,
        "client": None if said.client is None else str(said.client),
        "server": None if said.server is None else str(said.server),
        "actor": said.actor,
        "uin": said.uin,
        "command": said.command,
        "kind": kind_of(said),
        "fields": fields_of(line, said.message, said.sender, secrets=secrets),
        "line": text,
        "odd": said.odd,
        "whole": said.whole,
        "answers": None if request is None else request.number,
        "seconds": None if seconds is None else round(seconds, 6),
    }
    if line.junk or not (text.isascii() or _is_text(text)):
        raw = line.encode()
        found["hex"] = (raw if secrets else mask_broken_bytes(raw)).hex()
    return found


def said_json(said: Said, *, secrets: bool = False) -> str:
    """Return what `said_object` does as JSON on one line, sooner.

    What could steer a terminal is not escaped beyond what JSON asks for.
    """
    line, message, sender = said.line, said.message, said.sender
    text = line.text if secrets else masked(line, message, sender)
    if line.junk or not (text.isascii() or _is_text(text)):
        return _encode(said_object(said, secrets=secrets))
    time, request, uin = said.time, said.request, said.uin
    answers = seconds = "null"
    if request is not None:
        answers = str(request.number)
        if time is not None and request.time is not None:
            seconds = repr(round(time - request.time, 6))
    return (
        f'{{"number": {said.number}, "time": {"null" if time is None else repr(round(time, 6))}, '
        f'"stream": {said.stream}, "frame": {said.frame}, "over": {_quote(said.over)}, '
        f'"sender": "{_SENDERS[sender]}", "client": {_end(said.client)}, '
        f'"server": {_end(said.server)}, "actor": {_quote(said.actor)}, '
        f'"uin": {"null" if uin is None else uin}, "command": {_quote(said.command)}, '
        f'"kind": "{kind_of(said)}", '
        f'"fields": {fields_json(line, message, sender, secrets=secrets)}, '
        f'"line": {_quote(text)}, "odd": {_encode(said.odd) if said.odd else "[]"}, '
        f'"whole": {"true" if said.whole else "false"}, '
        f'"answers": {answers}, "seconds": {seconds}}}'
    )


@lru_cache(4096)
def _end(end: End | None) -> str:
    return "null" if end is None else _quote(str(end))


def note_object(note: Note) -> dict[str, Any]:
    """Return a note as an object: `note` is its kind, `words` what it says."""
    time = None if note.time is None else round(note.time, 6)
    return {
        "note": note.kind,
        "time": time,
        "stream": note.stream,
        "frame": note.frame,
        "words": note.words,
    }


def csv_rows(
    items: Iterable[Said], printable: Callable[[str], str], *, secrets: bool = False
) -> Iterator[str]:
    """Give a table with a head, a row to a line, as RFC 4180 has it, but for LF at the ends.

    `printable` makes visible what could steer a terminal. A value that a spreadsheet would take for
    a formula has an apostrophe before it.
    """
    yield ",".join(COLUMNS) + "\n"
    sheet = io.StringIO()
    writer = csv.writer(sheet, lineterminator="\n")
    for said in items:
        row = said_object(said, secrets=secrets)
        row["odd"] = "; ".join(row["odd"])
        writer.writerow([_cell(row[column], printable) for column in COLUMNS])
        yield sheet.getvalue()
        sheet.seek(0)
        sheet.truncate()


def _cell(value: object, printable: Callable[[str], str]) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- plays ---------------------------------------------------------------------------------------


def play_lines(items: Iterable[Said], given: dict[int, str] | None = None) -> Iterator[str]:
    """Give the lines of a play (without line ends) in which all that was said is said again.

    People are named in order of appearance, with `given` names where there are such; passwords and
    session keys are replaced. What cannot be said in a play is in comments. All lines are read
    before the first is given; raises CaptureError if there are more than MOST_IN_A_PLAY.
    """
    said = []
    for one in items:
        said.append(one)
        if len(said) > MOST_IN_A_PLAY:
            raise CaptureError(
                f"a play of more than {MOST_IN_A_PLAY} lines is of no use; choose some of them, "
                "such as with --uin or --since"
            )
    cast = _Cast(said, given or {})
    actors = _Actors(said)
    recorder = Recorder(cast.names)
    yield f"# {len(said)} lines of what was captured, by `kqq decode --play`."
    for place, one in enumerate(said):
        name = cast.name(one)
        if name is None or not one.whole:
            why = "nobody's" if name is None else "only part of a"
            yield f"# Line {one.number} is left out, being {why} line."
            continue
        actor, is_new = actors.of(one, name)
        if is_new:
            yield f"{actor} speaks {one.over.upper()}"
        yield recorder.statement(actor, ">" if one.sender is Role.CLIENT else "<", one.line)
        if actors.ends(one, place):
            yield f"{actor} disconnects"


class _Actors:
    """Who says a line in a play: one actor for each connection that somebody has at a time.

    Somebody's second connection, or the posts of somebody who has a connection, are another actor's
    with the same number, such as Romeo_2.
    """

    def __init__(self, said: list[Said]) -> None:
        self._last = {one.stream: place for place, one in enumerate(said) if one.stream}
        self._over: dict[str, str] = {}
        self._of_stream: dict[int, str] = {}

    def of(self, said: Said, name: str) -> tuple[str, bool]:
        """Return the actor who says or gets a line, and whether to tell how they speak."""
        actor = self._of_stream.get(said.stream) or said.actor or self._free(name, said.over)
        is_told = self._over.get(actor, "tcp") != said.over
        self._over[actor] = said.over
        if said.stream and said.over == "tcp":
            self._of_stream[said.stream] = actor
        return actor, is_told

    def _free(self, name: str, over: str) -> str:
        """Return an actor of somebody who speaks so, and has no connection now."""
        busy = set(self._of_stream.values())
        actor, count = name, 1
        while self._over.get(actor, over) != over or actor in busy:
            count += 1
            actor = f"{name}_{count}"
        return actor

    def ends(self, said: Said, place: int) -> bool:
        """Return whether a line is the last one of a connection, as far as is known."""
        if self._last.get(said.stream) != place:
            return False
        return self._of_stream.pop(said.stream, None) is not None


class _Cast:
    """Who is who: names by number, and whose a line without a number is."""

    def __init__(self, said: list[Said], given: dict[int, str]) -> None:
        self.names: dict[int, str] = dict(given)
        self._of_stream: dict[int, str] = {}
        free = (name for name in self._all_names() if name not in given.values())
        for one in said:
            if one.actor and one.uin is not None:
                self.names.setdefault(one.uin, one.actor)
        taken = set(self.names.values())
        for one in said:
            for number in (one.uin, *map(int, numbers_of_people(one.line))):
                if number is not None and number not in self.names:
                    self.names[number] = next(name for name in free if name not in taken)
            if one.stream and one.uin is not None:
                self._of_stream.setdefault(one.stream, self.names[one.uin])

    def name(self, said: Said) -> str | None:
        """Return who says or gets a line; None if nobody knows."""
        if said.actor:
            return said.actor
        if said.uin is not None:
            return self.names[said.uin]
        return self._of_stream.get(said.stream)

    @staticmethod
    def _all_names() -> Iterator[str]:
        yield from NAMES
        number = len(NAMES)
        while True:
            number += 1
            yield f"Person{number}"
