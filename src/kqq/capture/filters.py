"""Which lines are wanted: by person, command, time, words, connection, and what is odd."""

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kqq.capture.events import Note, Said
from kqq.errors import CaptureError
from kqq.protocol.fields import unescape
from kqq.protocol.wire import mask, show

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,9}))?)?")
_SECONDS = re.compile(r"\d{1,12}(?:\.\d{1,9})?")
_MENTIONS = re.compile(r"&UN=([0-9, ]+)")
_MOST_TALKS = 4096
"""Connections of which it is kept whose they are."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: seconds since 1970, or seconds of any day if `is_clock`."""

    seconds: float
    is_clock: bool = False

    @classmethod
    def parse(cls, text: str) -> "Moment":
        """Return the moment that `text` is: a date, a date with a time, a time, or seconds.

        Without a zone it is local time. Raises CaptureError if it is none.
        """
        words = text.strip()
        clock = _CLOCK.fullmatch(words)
        if clock is not None:
            hour, minute, second = (int(part or 0) for part in clock.group(1, 2, 3))
            fraction = float(f"0.{clock[4] or 0}")
            return cls(hour * 3600 + minute * 60 + second + fraction, is_clock=True)
        if _SECONDS.fullmatch(words) and len(words) > 8:  # eight digits are a date
            return cls(float(words))
        try:
            return cls(datetime.fromisoformat(words).timestamp())
        except (ValueError, OverflowError, OSError):
            raise CaptureError(
                f"{show(text.encode('utf-8', 'replace'), 40)!r} is no time; write "
                "2014-05-13, 2014-05-13T19:03:12, 19:03 (of any day) or seconds since 1970"
            ) from None

    def is_before(self, time: float) -> bool:
        """Return whether this is before `time`, or the same."""
        return self._of(time) >= self.seconds

    def _of(self, time: float) -> float:
        if not self.is_clock:
            return time
        try:
            local = datetime.fromtimestamp(time, UTC).astimezone()
        except (ValueError, OverflowError, OSError):
            return time % 86400
        return local.hour * 3600 + local.minute * 60 + local.second + local.microsecond / 1e6

    def is_after(self, time: float) -> bool:
        """Return whether this is after `time`, or the same."""
        return self._of(time) <= self.seconds


@dataclass(frozen=True, slots=True)
class Filter:
    """What is wanted; what is empty or None takes everything.

    `uins` takes lines of these people's connections, and lines that name them in `UN`. `commands`
    are in lower case; a reply is taken with its request. `text` is looked for in all fields, in any
    case. A line without a time is taken whatever `since` and `until` say.
    """

    uins: frozenset[int] = frozenset()
    commands: frozenset[str] = frozenset()
    since: Moment | None = None
    until: Moment | None = None
    text: str = ""
    streams: frozenset[int] = frozenset()
    odd: bool = False

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Filter()

    def takes(self, said: Said) -> bool:
        """Return whether a line is wanted."""
        return (
            self._in_time(said.time)
            and (not self.streams or said.stream in self.streams)
            and (not self.odd or bool(said.odd) or not said.whole)
            and (not self.commands or self._has_command(said))
            and (not self.uins or self._has_person(said))
            and (not self.text or self.text.casefold() in _searched(said))
        )

    def takes_note(self, note: Note) -> bool:
        """Return whether a note is wanted: one on the whole always is, and where times allow."""
        if not note.stream and note.time is None:
            return True
        return (
            self._in_time(note.time)
            and (not self.streams or note.stream in self.streams)
            and not (self.commands or self.text or self.uins)
        )

    def _in_time(self, time: float | None) -> bool:
        if time is None:
            return True
        if self.since is not None and not self.since.is_before(time):
            return False
        return self.until is None or self.until.is_after(time)

    def _has_command(self, said: Said) -> bool:
        if said.command.lower() in self.commands:
            return True
        return said.request is not None and said.request.command.lower() in self.commands

    def _has_person(self, said: Said) -> bool:
        if said.uin in self.uins:
            return True
        found = _MENTIONS.search(said.line.text)
        if found is None:
            return False
        return any(item.strip() in map(str, self.uins) for item in found[1].split(","))


@dataclass(slots=True)
class People:
    """Whose a connection is, by the last lines on it that said so."""

    uins: OrderedDict[int, int] = field(default_factory=OrderedDict)

    def of(self, said: Said) -> int | None:
        """Return the number of the person at the client's end of a line."""
        uin = said.uin
        if not said.stream:
            return uin
        if uin is None:
            return self.uins.get(said.stream)
        self.uins[said.stream] = uin
        self.uins.move_to_end(said.stream)
        if len(self.uins) > _MOST_TALKS:
            self.uins.popitem(last=False)
        return uin


def chosen(items: Iterable[Said | Note], wanted: Filter) -> Iterator[Said | Note]:
    """Give what is wanted. Lines that say no number go with the person whose connection it is."""
    if wanted.takes_all:
        yield from items
        return
    people = People()
    for item in items:
        if isinstance(item, Note):
            if wanted.takes_note(item):
                yield item
            continue
        person = people.of(item)
        if wanted.takes(item):
            yield item
        elif item.uin is None and person in wanted.uins:
            others = Filter(
                frozenset(), wanted.commands, wanted.since, wanted.until, wanted.text,
                wanted.streams, wanted.odd,
            )  # fmt: skip
            if others.takes(item):
                yield item


def _searched(said: Said) -> str:
    return unescape(mask(said.line.text)).casefold()
