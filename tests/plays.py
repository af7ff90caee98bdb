"""Performs plays (`.kqq`): in memory with a clock moved by hand, and over TCP."""

import itertools
import re
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from kqq.client import Address, Tcp
from kqq.protocol import Line, Role, ServerMsg, Status, UpdateStat, decode, escape
from kqq.protocol.transcript import Play, Statement, parse_play
from kqq.server.database import Database, database_path
from kqq.server.store import Store
from process import Process
from stage import MD5, WAIT, XP, Stage, Wire, add_person

FIRST_NUMBER = 10001
A_LITTLE = 0.01  # seconds; less than the breath that clients with old habits get


class Place(Protocol):
    """Where a play is performed."""

    @property
    def store(self) -> Store:
        """The store of the server."""

    async def start(self) -> None:
        """Start the server."""

    async def open(self) -> Wire:
        """Return a new connection."""

    async def restart(self) -> None:
        """Stop the server in good order, start it on the same data."""

    async def die(self) -> None:
        """Lose the server, start another on the same data."""

    async def advance(self, seconds: float) -> None:
        """Move the clock."""

    async def settle(self, actor: "Actor") -> None:
        """Have everything come that `actor` will get without somebody doing more."""

    async def close(self) -> None:
        """Stop the server."""


class InMemory:
    """A server in memory."""

    def __init__(self, folder: Path) -> None:
        self._stage = Stage(folder)

    async def start(self) -> None:
        """Start the server."""
        await self._stage.start()

    @property
    def store(self) -> Store:
        """The store of the server."""
        return self._stage.store

    async def open(self) -> Wire:
        """Return a new connection."""
        return self._stage.connect()

    async def restart(self) -> None:
        """Stop the server in good order, start it on the same data."""
        await self._stage.restart()

    async def die(self) -> None:
        """Lose the server, start another on the same data."""
        await self._stage.die()

    async def advance(self, seconds: float) -> None:
        """Move the clock."""
        await self._stage.advance(seconds)

    async def settle(self, actor: "Actor") -> None:
        """Let the loop become idle; then all that was written is here."""
        await self._stage.advance(A_LITTLE)
        assert actor.wire is not None
        actor.sort(*map(Line, actor.wire.waiting()))

    async def close(self) -> None:
        """Stop the server."""
        await self._stage.__aexit__(None, None, None)


class OverTcp:
    """A server in a process of its own, on a loopback port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def start(self) -> None:
        """Start the server, and open its data beside it as `kqq account` does."""
        self._process = Process(self._folder)
        self._database = Database(database_path(self._folder))
        self.store = Store(self._database)

    async def open(self) -> Wire:
        """Return a new connection."""
        return Wire(await Tcp.connect(Address("127.0.0.1", self._process.port)))

    async def restart(self) -> None:
        """Stop the server in good order, start it on the same data."""
        await self._leave_data()
        self._process.stop()
        await self.start()

    async def die(self) -> None:
        """Lose the server to `kill -9`, start another on the same data."""
        await self._leave_data()
        self._process.kill()
        await self.start()

    async def advance(self, seconds: float) -> None:
        """Only say that this cannot be: time goes by itself."""
        pytest.skip(f"time over TCP is real, and the play moves the clock by {seconds:g} s")

    async def settle(self, actor: "Actor") -> None:
        """Ask something: replies come in the order of commands, and what others did was answered.

        The server wakes a session before it answers whoever woke it, and a session that was woken
        is told before the server reads again; so what is due comes before this answer.
        """
        assert actor.wire is not None
        seq = "999999"
        head = f"VER=1.4&CON=1&CMD=Query_Stat2&SEQ={seq}&UIN={actor.uin}&SID=&XP={XP}"
        await actor.wire.say(f"{head}&CM=2&UN=0")
        while (line := await actor.wire.hear_line()) is not None:
            if line.values().get("SEQ") == seq:
                return
            actor.sort(line)

    async def close(self) -> None:
        """Let go of the server."""
        await self._leave_data()
        self._process.close()

    async def _leave_data(self) -> None:
        await self._database.close()


PLACES: dict[str, Callable[[Path], Place]] = {"memory": InMemory, "tcp": OverTcp}


@dataclass(slots=True)
class Actor:
    """Somebody in a play; what came and the play has not told yet is kept by kind."""

    name: str
    uin: int
    wire: Wire | None = None
    seq: int = 200
    replies: deque[Line] = field(default_factory=deque)
    messages: deque[Line] = field(default_factory=deque)
    statuses: deque[Line] = field(default_factory=deque)

    def head(self, line: str) -> dict[str, str]:
        """Return the fields that a line of fields is begun with, unless it has its own."""
        head = {"VER": "1.4", "CON": "1", "SEQ": str(self.seq), "UIN": str(self.uin)}
        self.seq += 1
        if re.search(r"\bVER=1\.[0-3]\b", line):
            del head["CON"]
        elif not re.search(r"\bCMD=Login\b", line):
            head |= {"SID": "", "XP": XP}
        return head

    def sort(self, *lines: Line) -> None:
        """Put lines that came where they belong."""
        for line in lines:
            self.of_kind(line.values().get("CMD", "")).append(line)

    def of_kind(self, command: str) -> deque[Line]:
        """Return where lines with this command are kept."""
        kinds = {"server_msg": self.messages, "update_stat": self.statuses}
        return kinds.get(command.strip().lower(), self.replies)

    @property
    def untold(self) -> list[Line]:
        """All that came and was not told."""
        return [*self.replies, *self.messages, *self.statuses]


class Performance:
    """One play, performed once."""

    def __init__(self, play: Play, path: Path, place: Place) -> None:
        self._play = play
        self._path = path
        self._place = place
        self._actors = {
            name: Actor(name, number) for number, name in enumerate(play.actors, FIRST_NUMBER)
        }
        self._bound = {name: str(actor.uin) for name, actor in self._actors.items()}
        self._bound["password"] = MD5
        self._statement = play.statements[0]

    async def perform(self) -> None:
        """Perform it; raises AssertionError where it goes otherwise than written."""
        try:
            for statement in self._play.statements:
                self._statement = statement
                await self._do(statement)
            for actor in self._actors.values():
                if actor.wire is not None:
                    await self._place.settle(actor)
                    left = [*actor.replies, *actor.messages]
                    self._expect(not left, f"{actor.name} got more than is told", *left)
        finally:
            for actor in self._actors.values():
                if actor.wire is not None:
                    await actor.wire.close()

    async def _do(self, statement: Statement) -> None:
        if statement.verb == "server":
            await self._server(statement.words)
        elif statement.verb == "clock":
            await self._place.advance(float(statement.words))
        else:
            act = {
                "signs in": self._sign_in,
                "signs out": self._sign_out,
                "disconnects": self._disconnect,
                "sends": self._send,
                "receives": self._receive,
                "receives nothing": self._receive_nothing,
                "sees": self._see,
                ">": self._say,
                "<": self._hear,
            }[statement.verb]
            await act(self._actors[statement.actor], statement)

    async def _sign_in(self, actor: Actor, statement: Statement) -> None:
        wanted = Status[(statement.words or "online").upper()]
        lg = 40 if wanted is Status.HIDDEN else 0
        st = "" if wanted in (Status.ONLINE, Status.HIDDEN) else f"&ST={wanted.value}"
        more = f"LG={lg}{st}&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE="
        reply = await self._ask(actor, f"CMD=Login&PS={MD5}&M5=1&{more}")
        self._expect(reply.values().get("RS") == "0", "the sign-in is refused:", reply)

    async def _sign_out(self, actor: Actor, statement: Statement) -> None:
        await self._ask(actor, "CMD=Logout")

    async def _disconnect(self, actor: Actor, statement: Statement) -> None:
        assert actor.wire is not None
        await actor.wire.close()
        actor.wire = None

    async def _send(self, actor: Actor, statement: Statement) -> None:
        to = self._actors[statement.other].uin
        await self._ask(actor, f"CMD=CLTMSG&UN={to}&MG={escape(statement.text)}")

    async def _receive(self, actor: Actor, statement: Statement) -> None:
        message = decode(await self._next(actor, actor.messages), Role.SERVER)
        assert isinstance(message, ServerMsg)
        expected = (self._actors[statement.other].uin, statement.text)
        got = (message.sender, message.text)
        self._expect(got == expected, f"expected {expected!r}\n  got      {got!r}")

    async def _receive_nothing(self, actor: Actor, statement: Statement) -> None:
        if actor.wire is not None:
            await self._place.settle(actor)
        self._expect(not actor.untold, "but this came:", *actor.untold)

    async def _see(self, actor: Actor, statement: Statement) -> None:
        seen = decode(await self._next(actor, actor.statuses), Role.SERVER)
        assert isinstance(seen, UpdateStat)
        expected = (self._actors[statement.other].uin, Status[statement.words.upper()].value)
        got = (seen.number, seen.status)
        self._expect(got == expected, f"expected {expected!r}\n  got      {got!r}")

    async def _say(self, actor: Actor, statement: Statement) -> None:
        line = statement.line.fill(actor.head(statement.source), self._bound)
        await self._write(actor, line + b"\r\n" * (statement.line.exact is None))

    async def _hear(self, actor: Actor, statement: Statement) -> None:
        command = re.search(r"\bCMD=(\w+)", statement.source)
        line = await self._next(actor, actor.of_kind(command[1] if command else ""))
        different = statement.line.differences(line, self._bound)
        self._expect(not different, "\n  ".join(different))

    async def _server(self, words: str) -> None:
        kind, _, names = words.partition(" ")
        if kind in {"restarts", "dies"}:
            await (self._place.restart() if kind == "restarts" else self._place.die())
            for actor in self._actors.values():
                await self._lose(actor)
            return
        if kind not in {"friends", "stranger"}:
            raise ValueError(f"{self._where()}: the server cannot {words!r}")
        actors = [self._actors[name] for name in names.split(", ")]
        for actor in actors:
            add_person(self._place.store, actor.uin, actor.name)
        if kind == "friends":
            for one, other in itertools.combinations(actors, 2):
                self._place.store.add_friends(one.uin, other.uin)

    async def _lose(self, actor: Actor) -> None:
        """The server has gone: the connection must end."""
        if actor.wire is not None:
            while (line := await actor.wire.hear_line()) is not None:
                actor.sort(line)
            await actor.wire.close()
            actor.wire = None

    async def _write(self, actor: Actor, data: bytes) -> None:
        if actor.wire is None:
            actor.wire = await self._place.open()
        await actor.wire.transport.send(data)

    async def _ask(self, actor: Actor, fields: str) -> Line:
        """Say a command and take its answer, which must be RES=0."""
        command, _, more = fields.removeprefix("CMD=").partition("&")
        head = actor.head(f"CMD={command}")
        pairs = [("VER", "1.4"), ("CON", "1"), ("CMD", command)]
        pairs += [(key, value) for key, value in head.items() if key not in {"VER", "CON"}]
        line = "&".join([f"{key}={value}" for key, value in pairs] + ([more] if more else []))
        await self._write(actor, line.encode("utf-8", "surrogateescape") + b"\r\n")
        reply = await self._next(actor, actor.replies)
        values = reply.values()
        self._expect((values.get("SEQ"), values.get("RES")) == (head["SEQ"], "0"), "got", reply)
        return reply

    async def _next(self, actor: Actor, kept: deque[Line]) -> Line:
        """Return the next line of a kind; lines of other kinds stay for their statements."""
        if actor.wire is None:
            raise ValueError(f"{self._where()}: {actor.name} has no connection")
        try:
            while not kept:
                line = await actor.wire.hear_line()
                self._expect(line is not None, "the server closed the connection", *actor.untold)
                assert line is not None
                actor.sort(line)
        except TimeoutError:
            self._expect(False, f"nothing came in {WAIT:g} s, besides:", *actor.untold)
        return kept.popleft()

    def _expect(self, right: bool, otherwise: str, *lines: Line) -> None:
        if not right:
            shown = "".join(f"\n  {line.text}" for line in lines)
            raise AssertionError(f"{self._where()}: {self._statement.source}\n  {otherwise}{shown}")

    def _where(self) -> str:
        return f"{self._path}:{self._statement.number}"


def read_play(path: Path) -> Play:
    """Return the play in a file."""
    return parse_play(path.read_text(encoding="utf-8"))


async def perform(path: Path, where: str) -> None:
    """Perform the play in a file; `where` is a key of PLACES."""
    play = read_play(path)
    with tempfile.TemporaryDirectory(prefix="kqq-play-") as folder:
        place = PLACES[where](Path(folder))
        await place.start()
        try:
            await Performance(play, path, place).perform()
        finally:
            await place.close()
