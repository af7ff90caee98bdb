"""Lines of the protocol for people: a row for each, all fields if wanted."""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len

from kqq.cli.marking import broken
from kqq.words import explanation_lines, hanging, one_line, printable, tr

if TYPE_CHECKING:
    from kqq.capture.events import Note, Said

_MOST_TALKS = 4096
_NUMBER = 5  # columns; the numbers of longer conversations push the rest to the right
_WHO = 9
_COMMAND = 11
_WIDEST = 1 << 20
_ARROWS = {"client": "→", "server": "←"}


class Rows:
    """Makes rows of so many columns; `None` cuts nothing.

    `fields` explains each field below the row. `notes` says what is odd about a line, and what
    happened on the network.
    """

    def __init__(
        self,
        columns: int | None = 80,
        *,
        fields: bool = False,
        notes: bool = False,
        secrets: bool = False,
    ) -> None:
        from kqq.capture.filters import People

        self.odd = 0
        self.count = 0
        self._columns = columns or _WIDEST
        self._fields = fields
        self._notes = notes
        self._secrets = secrets
        self._has_times: bool | None = None
        self._day = ""
        self._places: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._people = People()

    def of(self, item: "Said | Note") -> Iterator[str]:
        """Give what is printed for an item, without line ends."""
        from kqq.capture.events import Note

        if isinstance(item, Note):
            yield from self._note(item)
            return
        self.count += 1
        is_odd = bool(item.odd) or not item.whole
        self.odd += is_odd
        if self._has_times is None:
            self._has_times = item.time is not None
        yield from self._headings(item)
        yield self._row(item, is_odd=is_odd)
        if self._fields:
            yield from self._explained(item)
            yield ""
        elif self._notes:
            for words in item.odd:
                yield from self._hung(f"{'':{_NUMBER + 2}}! ", words)

    def _headings(self, said: "Said") -> Iterator[str]:
        """Give the day where a new one begins, and who talks to whom where that is new."""
        if said.time is not None:
            yield from self._new_day(said.time)
        if said.client is None or said.server is None:
            return
        place = (said.client.host, str(said.server), said.over)
        if place in self._places:
            self._places.move_to_end(place)
            return
        self._places[place] = None
        if len(self._places) > _MOST_TALKS:
            self._places.popitem(last=False)
        texts = {
            "tcp": tr("{client} talks to {server} in lines over TCP"),
            "http": tr("{client} talks to {server} over HTTP"),
        }
        text = texts.get(said.over, texts["tcp"])
        words = text.format(client=printable(place[0]), server=printable(place[1]))
        yield click.style(f"--- {words} ---", bold=True)

    def _new_day(self, time: float) -> Iterator[str]:
        day = _local(time, "%Y-%m-%d")
        if day != self._day:
            self._day = day
            yield click.style(f"--- {day} ---", bold=True)

    def _row(self, said: "Said", *, is_odd: bool) -> str:
        from kqq.charts.short import command_word, short_words

        mark = "!" if is_odd else " "
        time = f" {_clock(said.time)}" if self._has_times else ""
        who = _right(self._who(said), _WHO)
        arrow = _ARROWS[said.sender.value]
        command = _left(command_word(said, 20), _COMMAND)
        start = f"{mark}{said.number:>{_NUMBER}}{time} {who} {arrow} {command} "
        took = "" if said.seconds is None else f"  ({_took(said.seconds)})"
        room = max(self._columns - cell_len(start) - len(took), 8)
        words = one_line(short_words(said), room)
        if is_odd:
            start = click.style(mark, fg="red", bold=True) + start[1:]
        colour = "cyan" if said.sender.value == "client" else "green"
        start = start.replace(command, click.style(command, fg=colour), 1)
        return f"{start}{words}{click.style(took, dim=True)}".rstrip()

    def _who(self, said: "Said") -> str:
        """Return whose line it is: the person on whose connection it came, if it says no number."""
        if said.actor:
            return one_line(said.actor, 20)
        uin = self._people.of(said)
        return "?" if uin is None else str(uin)

    def _explained(self, said: "Said") -> Iterator[str]:
        from kqq.protocol.explain import explain
        from kqq.protocol.wire import mask

        explanation = explain(said.line)
        left = " " * (_NUMBER + 2)
        lines = explanation_lines(
            explanation, secrets=self._secrets, columns=self._columns - len(left)
        )
        for line in lines:
            # Where a client forgot &, a secret may stand in another field than its own.
            yield left + (line if self._secrets else mask(line))
        for words in said.odd:
            if words not in explanation.problems:
                yield from self._hung(f"{'':{_NUMBER + 2}}  ! ", words)

    def _note(self, note: "Note") -> Iterator[str]:
        if note.kind == "statement":
            yield f" {'':>{_NUMBER}} {one_line(note.words, self._columns - _NUMBER - 2)}"
        elif self._notes:
            if note.time is not None:
                yield from self._new_day(note.time)
            time = f" {_clock(note.time)}" if self._has_times is not False else ""
            stream = f" #{note.stream}" if note.stream else ""
            left = f" {'-':>{_NUMBER}}{time} "
            for line in self._hung(left, f"{note.kind}{stream}: {note.words}"):
                yield click.style(line, dim=True)

    def _hung(self, left: str, words: str) -> Iterator[str]:
        """Give words after `left`, in as many lines as they need."""
        room = max(min(self._columns, 100) - len(left), 20)
        text = hanging(words)
        start = left
        for begin, end in broken(text, room, room):
            yield f"{start}{text[begin:end]}".rstrip()
            start = " " * len(left)


def _clock(time: float | None) -> str:
    return " " * 12 if time is None else _local(time, "%H:%M:%S.%f")[:12]


def _local(time: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(time).astimezone().strftime(form)
    except (ValueError, OverflowError, OSError):  # beyond what dates can be
        return "?" * 12


def _took(seconds: float) -> str:
    if 0 <= seconds < 0.0005:
        return "<1 ms"
    if abs(seconds) < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if abs(seconds) < 100 else f"{seconds:.0f} s"


def _left(text: str, cells: int) -> str:
    return text + " " * (cells - cell_len(text))


def _right(text: str, cells: int) -> str:
    return " " * (cells - cell_len(text)) + text
