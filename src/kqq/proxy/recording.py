"""What went by, kept: as a play with people named and secrets replaced, or as a capture.

Kept is what the server heard and said: lines as they went to it, edited or said by us, too, but not
dropped ones, and lines as they came from it, whatever the client got of them.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from kqq.capture.events import Closed, End, Opened
from kqq.capture.plays import NAMES, numbers_of_people
from kqq.capture.writing import Dialogue, Link, PcapngWriter, PcapWriter
from kqq.errors import ConfigError
from kqq.protocol.catalogue import (
    AckAddToList,
    AddToList,
    DelFromList,
    ListReply,
    QueryStat2Reply,
    SimpleInfo2Reply,
)
from kqq.protocol.messages import Role
from kqq.protocol.schema import Message, Unreadable
from kqq.protocol.transcript import Recorder
from kqq.protocol.wire import Line
from kqq.proxy.passage import Connection, Fate, Passage
from kqq.proxy.relay import Event, Flow, Relay

_ON_THE_WAY = "server stranger "
_NOBODY = "Somebody"  # who has said no number
_MOST_NAMED = 10_000  # people; the numbers of others stay as they are
_MOST_FRIENDS = 20_000  # pairs
_PLAIN = re.compile(r"[^\"\\\s](?:[^\"\\\r\n\t]{0,99}[^\"\\\s])?")
"""A nickname that can be written in a play."""


class PlayRecording:
    """Writes a play, statement by statement, so that it is whole at any time.

    Everybody gets a name, in order of appearance. When it is closed, what was learned of who is
    whose friend is put at its beginning. `about` is its first line.
    """

    def __init__(self, path: Path, about: str) -> None:
        """Begin the play. Raises ConfigError if there is such a file, or it cannot be written."""
        self.path = path
        self._about = f"# {about}\n"
        self._file = _new(path, "w")
        self._recorder = Recorder({})
        self._names: dict[str, str] = {}  # by number
        self._places: dict[str, int] = {}  # in the order of appearance
        self._actors: dict[int, str] = {}  # by connection
        self._kinds: dict[str, str] = {}  # how each actor speaks
        self._present: set[str] = set()  # actors who have a connection
        self._heard = 0  # the number of the last line that the server said
        self._friends: dict[tuple[str, str], None] = {}
        self._changed: set[frozenset[str]] = set()  # friendships that begin or end in the play
        self._nicks: dict[str, str] = {}
        self._write(self._about)

    def watch(self, event: Event) -> None:
        """Write down what happened. Raises ConfigError if it cannot be written."""
        if isinstance(event, Closed):
            self._leave(event.stream.number)
        elif isinstance(event, Passage):
            said = event.said
            if said.sender is Role.CLIENT:
                if event.fate is Fate.PASSED:
                    self._add(event, ">", event.line)
            elif said.number > self._heard and not event.is_injected:
                self._heard = said.number
                self._add(event, "<", said.line)

    def close(self) -> None:
        """End the play. Raises ConfigError if it cannot be written."""
        try:
            self._file.close()
            first = self._first_statements()
            if first and self.path.is_file():
                self._begin_with(first)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    # --- lines and who says them

    def _add(self, passage: Passage, direction: str, line: Line) -> None:
        said = passage.said
        self._introduce(line)
        actor = self._actor(passage.flow, said.over, direction, line)
        self._learn(said.message)
        if said.whole:
            self._write(f"{self._recorder.statement(actor, direction, line)}\n")
        else:
            who = actor if direction == ">" else "the server"
            self._write(f"# Here {who} broke off in the middle of a line.\n")

    def _introduce(self, line: Line) -> None:
        """Name everybody whose number is in a line for the first time."""
        new = []
        for number in numbers_of_people(line):
            if number not in self._names and len(self._names) < _MOST_NAMED:
                place = len(self._names)
                name = NAMES[place] if place < len(NAMES) else f"Person{place + 1}"
                self._names[number] = name
                self._places[name] = place
                self._recorder.call(int(number), name)
                new.append(name)
        if new:
            self._write(f"{_ON_THE_WAY}{', '.join(new)}\n")

    def _actor(self, flow: Connection, over: str, direction: str, line: Line) -> str:
        """Return who says a line, or hears it: over TCP whoever spoke first on the connection."""
        known = self._actors.get(flow.number)
        if known is not None and (over == "tcp" or direction == "<"):
            return known
        name = self._names.get(line.values().get("UIN", "").strip(), _NOBODY)
        actor, count = name, 1
        kind = over.upper()
        while self._kinds.get(actor, kind) != kind or actor in self._present:
            count += 1
            actor = f"{name}_{count}"
        if actor not in self._kinds:
            self._kinds[actor] = kind
            self._write(f"{actor} speaks {kind}\n")
        if kind == "TCP":
            self._present.add(actor)
        self._actors[flow.number] = actor
        return actor

    def _leave(self, number: int) -> None:
        actor = self._actors.pop(number, None)
        if actor in self._present:
            self._present.discard(actor)
            self._write(f"{actor} disconnects\n")

    # --- what is learned of people

    def _learn(self, message: Message | Unreadable) -> None:
        """Note who is whose friend, and what people call themselves."""
        if isinstance(message, AddToList | AckAddToList | DelFromList):
            if len(self._changed) < _MOST_FRIENDS:
                self._changed.add(frozenset(self._called(message.uin, message.number)))
        elif isinstance(message, ListReply | SimpleInfo2Reply | QueryStat2Reply):
            for number in message.numbers or ():
                self._befriend(self._called(message.uin, number))
            if isinstance(message, SimpleInfo2Reply):
                for number, nick in zip(message.numbers, message.nicks, strict=False):
                    for name in self._called(number):
                        if _PLAIN.fullmatch(nick) and nick.isprintable():
                            self._nicks.setdefault(name, nick)

    def _befriend(self, pair: list[str]) -> None:
        if len(pair) == 2 and len(self._friends) < _MOST_FRIENDS:
            one, other = sorted(pair, key=self._places.__getitem__)
            if frozenset(pair) not in self._changed:
                self._friends[one, other] = None

    def _called(self, *numbers: int) -> list[str]:
        """Return the names of those who have one."""
        names = (self._names.get(str(number)) for number in numbers)
        return [name for name in names if name is not None]

    def _first_statements(self) -> list[str]:
        """Return who there is, and who is whose friend, as far as that was seen."""
        found = []
        for name in self._names.values():
            nick = self._nicks.get(name)
            what = f"stranger {name}" if nick is None else f'account {name} nick="{nick}"'
            found.append(f"server {what}\n")
        return found + [f"server friends {one}, {other}\n" for one, other in self._friends]

    # --- the file

    def _begin_with(self, statements: list[str]) -> None:
        """Put statements at the beginning, below the first line, in place of those on the way."""
        other = self.path.with_name(f".{self.path.name}.new")
        with _new(other, "w") as new, self.path.open(encoding="utf-8") as old:
            new.write(next(old))
            new.writelines(statements)
            new.writelines(line for line in old if not line.startswith(_ON_THE_WAY))
        other.replace(self.path)

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            raise _cannot_write(self.path, error) from error


class PacketRecording:
    """Writes the bytes at the server's end as a capture: pcapng where the name says so, or pcap.

    Packets are made for it; passwords are in it as they were sent.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        """Begin the file. Raises ConfigError if there is such a file, or it cannot be written."""
        self.path = path
        self._now = now
        self._file = _new(path, "wb")
        is_pcapng = path.suffix == ".pcapng"
        writer = PcapngWriter if is_pcapng else PcapWriter
        self._writer = writer(cast(BinaryIO, self._file), Link.RAW)
        self._open: dict[int, Dialogue] = {}

    def watch(self, event: Event) -> None:
        """Write how connections begin and end. Raises ConfigError if it cannot be written."""
        if isinstance(event, Opened):
            client, server = _alike(*event.stream.ends)
            one = Dialogue(self._writer.write, client, server, link=Link.RAW)
            self._open[event.stream.number] = one
            self._write(one.open, event.time)
        elif isinstance(event, Closed):
            one = self._open.pop(event.stream.number)
            self._write(one.close if event.how == "closed" else one.reset, event.time)

    def tap(self, flow: Flow, sender: Role, data: bytes) -> None:
        """Write bytes that went to the server, or came from it."""
        way = 0 if sender is Role.CLIENT else 1
        self._write(self._open[flow.number].say, way, self._now(), data)

    def close(self) -> None:
        """End the file."""
        self._write(self._file.close)

    def _write(self, act: Callable[..., None], *arguments: Any) -> None:
        try:
            act(*arguments)
            if not self._file.closed:
                self._file.flush()
        except OSError as error:
            raise _cannot_write(self.path, error) from error


def _alike(*ends: End) -> list[End]:
    """Return ends as packets can have them: without zones, and both IPv6 if one of them is."""
    hosts = [end.host.partition("%")[0] for end in ends]
    if any(":" in host for host in hosts):
        hosts = [host if ":" in host else f"::ffff:{host}" for host in hosts]
    return [End(host, end.port) for host, end in zip(hosts, ends, strict=True)]


def record(path: Path, relay: Relay, about: str) -> PlayRecording | PacketRecording:
    """Begin to record what goes by: a capture if the name ends in .pcap or .pcapng, else a play.

    Raises ConfigError if there is such a file, or it cannot be written.
    """
    if path.suffix in (".pcap", ".pcapng"):
        packets = PacketRecording(path, relay.now)
        relay.tap = packets.tap
        relay.add_watcher(packets.watch)
        return packets
    play = PlayRecording(path, about)
    relay.add_watcher(play.watch)
    return play


def _new(path: Path, mode: str) -> IO[Any]:
    """Return a file that only we can read; one that is there already is not written over."""
    is_file = path.is_file()
    try:
        if is_file and path.stat().st_size:
            raise ConfigError(f"{path} is there already; choose another name, or delete it")
        flags = os.O_WRONLY | (0 if path.exists() and not is_file else os.O_CREAT)
        encoding = None if "b" in mode else "utf-8"
        newline = None if "b" in mode else "\n"
        return open(  # noqa: PTH123  # a file descriptor
            os.open(path, flags, 0o600), mode, encoding=encoding, newline=newline
        )
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot write {path}: {error.strerror}")
