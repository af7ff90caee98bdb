"""Performs plays (`.kqq`): in memory with a clock moved by hand, and with a server in a process.

In both places people speak lines on a connection, or post each line over HTTP on one of its own,
and each comes from an address of their own. Those who say nothing that our messenger cannot say use
it in the places whose names begin with `client-`.
"""

import hashlib
import itertools
import re
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from kqq.errors import KQQError, PlayError
from kqq.protocol import (
    CaptchaChallenge,
    Line,
    Role,
    ServerMsg,
    Status,
    UpdateStat,
    decode,
    escape,
)
from kqq.protocol.transcript import Play, Statement, parse_play
from kqq.server.profiles import PROFILE
from kqq.server.store import SETTABLE, Account
from ours import ACCEPTED, MESSAGE, REFUSED, REQUEST, Ours, ours
from places import FIRST_NUMBER, PLACES, InProcess, Place, Shared, Where, a_folder
from stage import MD5, XP
from ways import Nothing, Way

PUSHES = {"server_msg", "update_stat"}
_KINDS = {
    "receives": MESSAGE,
    "is asked by": REQUEST,
    "is accepted by": ACCEPTED,
    "is refused by": REFUSED,
}
_STEP = 10.0  # seconds
_ALONE = re.compile(r"set |restarts|dies")
_SETTING = re.compile(r'(\w+)=("[^"]*"|\S+)')


@cache
def quick_proof() -> str:
    """Return a proof of everybody's password that is quick to check, since many sign in here."""
    key = hashlib.scrypt(MD5.lower().encode(), salt=b"play", n=2, r=1, p=1, dklen=32)
    return f"scrypt$1$1$1${b'play'.hex()}${key.hex()}"


def places(play: Play) -> list[str]:
    """Return the keys of PLACES where a play can be performed."""
    kinds = play.only & {"TCP", "HTTP"} or {"TCP", "HTTP"}
    needs_memory = "memory" in play.only or any(
        one.verb == "clock" or "{letters}" in one.source for one in play.statements
    )
    has_ours = bool(ours(play))
    return [
        name
        for name, where in PLACES.items()
        if where.kind in kinds
        and not (needs_memory and where.build is InProcess)
        and (has_ours or not where.is_ours)
    ]


def is_alone(play: Play) -> bool:
    """Return whether a play needs a server of its own, with numbers from the first one on."""
    return any(
        one.line.exact is not None or (one.verb == "server" and re.match(_ALONE, one.words))
        for one in play.statements
    )


def commands(play: Play) -> set[str]:
    """Return the commands in the lines of a play that go to the server, in lower case."""
    found = [re.search(r"\bCMD=(\w+)", one.source) for one in play.statements if one.verb == ">"]
    return {command[1].lower() for command in found if command is not None}


# --- the performance -----------------------------------------------------------------------------


@dataclass(slots=True)
class Actor:
    """Somebody in a play; what came and the play has not told yet is kept by kind."""

    name: str
    uin: int
    way: Way
    has_spoken: bool = False
    seq: int = 200
    replies: deque[Line] = field(default_factory=deque)
    messages: deque[Line] = field(default_factory=deque)
    statuses: deque[Line] = field(default_factory=deque)

    def head(self, line: str) -> dict[str, str]:
        """Return the fields that a line of fields is begun with, unless it has its own."""
        con = "1" if self.way.kind == "TCP" else "0"
        head = {"VER": "1.4", "CON": con, "SEQ": str(self.seq), "UIN": str(self.uin)}
        self.seq += 1
        if re.search(r"\bVER=1\.[0-3]\b", line):
            del head["CON"]
        elif not re.search(r"\bCMD=Login\b", line):
            head |= {"SID": "", "XP": XP}
        return head

    def sort(self, lines: list[Line]) -> None:
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

    def __init__(
        self, play: Play, path: Path, place: Place, where: Where, first: int = FIRST_NUMBER
    ) -> None:
        self._play = play
        self._path = path
        self._place = place
        self._numbers = {name: number for number, name in enumerate(play.actors, first)}
        self._ours = {
            name: Ours(
                name, self._numbers[name], place.network(where.kind, _address(self._numbers[name]))
            )
            for name in (ours(play) if where.is_ours else [])
        }
        self._actors = {
            name: Actor(name, number, place.way(where.kind, _address(number)))
            for name, number in self._numbers.items()
            if name not in self._ours
        }
        self._bound = {name: str(number) for name, number in self._numbers.items()}
        self._bound["password"] = MD5
        self._statement = play.statements[0]

    async def perform(self) -> None:
        """Perform it; raises AssertionError where it goes otherwise than written."""
        try:
            for statement in self._play.statements:
                self._statement = statement
                await self._do(statement)
            for actor in self._actors.values():
                actor.sort(await actor.way.rest(actor.uin, is_last=True))
                left = [*actor.replies, *actor.messages]
                self._expect(not left, f"{actor.name} got more than is told", *left)
            for one in self._ours.values():
                await one.rest()
                self._expect(not one.replies, f"{one.name} got more than is told", *one.replies)
                self._expect(not one.messages, f"{one.name} got more than is told: {one.messages}")
        finally:
            for one in self._ours.values():
                await one.end()
            for actor in self._actors.values():
                if actor.way.kind == "TCP":
                    await actor.way.leave()

    async def _do(self, statement: Statement) -> None:
        if statement.verb == "server":
            await self._server(statement.words)
        elif statement.verb == "clock":
            await self._clock(float(statement.words))
        elif statement.actor in self._ours:
            await self._by_client(self._ours[statement.actor], statement)
        else:
            act = {
                "signs in": self._sign_in,
                "signs out": self._sign_out,
                "disconnects": self._disconnect,
                "speaks": self._speak,
                "sends": self._send,
                "receives": self._receive,
                "receives nothing": self._receive_nothing,
                "asks": self._ask_other,
                "is asked by": self._is_asked,
                "accepts": self._accept,
                "is accepted by": self._is_accepted,
                "refuses": self._refuse,
                "is refused by": self._is_refused,
                "sees": self._see,
                ">": self._say,
                "<": self._hear,
            }[statement.verb]
            await act(self._actors[statement.actor], statement)

    # --- what people do with our messenger

    async def _by_client(self, one: Ours, statement: Statement) -> None:
        """Have our messenger do what somebody does."""
        try:
            await self._do_ours(one, statement)
        except Nothing as nothing:
            came = [*one.replies, *one.messages, *one.statuses]
            self._expect(False, f"{nothing}, besides: {came}")
        except ValueError as error:
            raise ValueError(f"{self._where()}: {error}") from error
        except (AssertionError, KQQError, TimeoutError) as error:
            self._expect(False, f"{type(error).__name__}: {error}")

    async def _do_ours(self, one: Ours, statement: Statement) -> None:
        other = self._numbers.get(statement.other, 0)
        match statement.verb:
            case "signs in":
                await one.sign_in(Status[(statement.words or "online").upper()])
            case "signs out":
                await one.sign_out()
            case "disconnects":
                self._check_connection(one)
                await one.leave()
            case "sends" | "asks" | "accepts" | "refuses" as verb:
                acts = {"sends": one.send, "asks": one.ask, "accepts": one.accept}
                await acts.get(verb, one.refuse)(other, statement.text)
            case "receives nothing":
                await one.rest()
                untold = [*one.replies, *one.messages, *one.statuses]
                self._expect(not untold, f"but this came: {untold}")
            case "sees":
                self._same((other, Status[statement.words.upper()].value), await one.status())
            case ">":
                await one.call(statement.line, self._bound)
            case "<":
                self._expect(bool(one.replies), "nothing came")
                different = statement.line.differences(one.replies.popleft(), self._bound)
                self._expect(not different, "\n  ".join(different))
            case verb:
                self._same((_KINDS[verb], other, statement.text), await one.message())

    def _same(self, expected: object, got: object) -> None:
        self._expect(got == expected, f"expected {expected!r}\n  got      {got!r}")

    def _check_connection(self, one: Ours) -> None:
        """Raise ValueError where there is none to close."""
        if not one.has_connections:
            raise ValueError("over HTTP nobody has a connection; write # Only over TCP: why")

    # --- what people do

    async def _sign_in(self, actor: Actor, statement: Statement) -> None:
        wanted = Status[(statement.words or "online").upper()]
        lg = 40 if wanted is Status.HIDDEN else 0
        st = "" if wanted in (Status.ONLINE, Status.HIDDEN) else f"&ST={wanted.value}"
        more = f"LG={lg}{st}&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE="
        reply = await self._ask(actor, f"CMD=Login&PS={MD5}&M5=1&{more}")
        if isinstance(decode(reply, Role.SERVER), CaptchaChallenge):
            reply = await self._ask(actor, f"CMD=VERIFYCODE&SC=2&VC={self._place.letters}")
        self._expect(reply.values().get("RS") == "0", "the sign-in is refused:", reply)

    async def _sign_out(self, actor: Actor, statement: Statement) -> None:
        await self._ask(actor, "CMD=Logout")

    async def _disconnect(self, actor: Actor, statement: Statement) -> None:
        await actor.way.leave()

    async def _speak(self, actor: Actor, statement: Statement) -> None:
        if actor.has_spoken:
            raise ValueError(f"{self._where()}: {actor.name} has spoken already")
        kind, _, redirected = statement.words.partition(" ")
        actor.way = self._place.way(kind, _address(actor.uin), is_redirected=bool(redirected))

    async def _send(self, actor: Actor, statement: Statement) -> None:
        to = self._numbers[statement.other]
        await self._ask(actor, f"CMD=CLTMSG&UN={to}&MG={escape(statement.text)}")

    async def _receive(self, actor: Actor, statement: Statement) -> None:
        await self._get(actor, MESSAGE, statement)

    async def _ask_other(self, actor: Actor, statement: Statement) -> None:
        to = self._numbers[statement.other]
        reply = await self._ask(actor, f"CMD=AddToList&UN={to}")
        self._expect(reply.values().get("CD") == "1", "no request is wanted:", reply)
        await self._ask(actor, f"CMD=Ack_AddToList&UN={to}&CD=2&RS={escape(statement.text)}")

    async def _is_asked(self, actor: Actor, statement: Statement) -> None:
        await self._get(actor, REQUEST, statement)

    async def _accept(self, actor: Actor, statement: Statement) -> None:
        to = self._numbers[statement.other]
        await self._ask(actor, f"CMD=Ack_AddToList&UN={to}&CD=0&RS=")

    async def _is_accepted(self, actor: Actor, statement: Statement) -> None:
        await self._get(actor, ACCEPTED, statement)

    async def _refuse(self, actor: Actor, statement: Statement) -> None:
        to = self._numbers[statement.other]
        await self._ask(actor, f"CMD=Ack_AddToList&UN={to}&CD=1&RS={escape(statement.text)}")

    async def _is_refused(self, actor: Actor, statement: Statement) -> None:
        await self._get(actor, REFUSED, statement)

    async def _get(self, actor: Actor, kind: int, statement: Statement) -> None:
        message = decode(await self._next(actor, actor.messages), Role.SERVER)
        assert isinstance(message, ServerMsg)
        expected = (kind, self._numbers[statement.other], statement.text)
        self._same(expected, (message.type, message.sender, message.text))

    async def _receive_nothing(self, actor: Actor, statement: Statement) -> None:
        actor.sort(await actor.way.rest(actor.uin))
        self._expect(not actor.untold, "but this came:", *actor.untold)

    async def _see(self, actor: Actor, statement: Statement) -> None:
        seen = decode(await self._next(actor, actor.statuses), Role.SERVER)
        assert isinstance(seen, UpdateStat)
        expected = (self._numbers[statement.other], Status[statement.words.upper()].value)
        self._same(expected, (seen.number, seen.status))

    # --- lines

    async def _say(self, actor: Actor, statement: Statement) -> None:
        if "{letters}" in statement.source:
            self._bound["letters"] = self._place.letters
        actor.has_spoken = True
        line = statement.line.fill(actor.head(statement.source), self._bound)
        await actor.way.say(line, is_exact=statement.line.exact is not None)

    async def _hear(self, actor: Actor, statement: Statement) -> None:
        found = re.search(r"\bCMD=(\w+)", statement.source)
        command = found[1] if found else ""
        if actor.way.kind == "HTTP" and command.lower() in PUSHES:
            raise ValueError(f"{self._where()}: no push comes; write # Only over TCP: why")
        line = await self._next(actor, actor.of_kind(command))
        different = statement.line.differences(line, self._bound)
        self._expect(not different, "\n  ".join(different))

    async def _ask(self, actor: Actor, fields: str) -> Line:
        """Say a command and take its answer, which must be RES=0."""
        command, _, more = fields.removeprefix("CMD=").partition("&")
        head = actor.head(f"CMD={command}")
        pairs = [("VER", "1.4"), ("CON", head["CON"]), ("CMD", command)]
        pairs += [(key, value) for key, value in head.items() if key not in {"VER", "CON"}]
        line = "&".join([f"{key}={value}" for key, value in pairs] + ([more] if more else []))
        actor.has_spoken = True
        await actor.way.say(line.encode("utf-8", "surrogateescape"), is_exact=False)
        reply = await self._next(actor, actor.replies)
        values = reply.values()
        self._expect((values.get("SEQ"), values.get("RES")) == (head["SEQ"], "0"), "got", reply)
        return reply

    async def _next(self, actor: Actor, kept: deque[Line]) -> Line:
        """Return the next line of a kind; lines of other kinds stay for their statements."""
        if not actor.way.is_open:
            raise ValueError(f"{self._where()}: {actor.name} has no connection")
        try:
            while not kept:
                actor.sort(await actor.way.hear())
        except Nothing as nothing:
            self._expect(False, f"{nothing}, besides:", *actor.untold)
        return kept.popleft()

    # --- the server

    async def _break_off(self, *, is_planned: bool) -> None:
        """End the server and start another, once our messengers have confirmed what they have."""
        for one in self._ours.values():
            await one.confirm()
        await (self._place.restart() if is_planned else self._place.die())

    async def _server(self, words: str) -> None:
        kind, _, more = words.partition(" ")
        if kind in {"restarts", "dies"}:
            await self._break_off(is_planned=kind == "restarts")
            for actor in self._actors.values():
                actor.sort(await actor.way.lose())
            for one in self._ours.values():
                await one.lose()
        elif kind in {"friends", "stranger"}:
            names = more.split(", ")
            for name in names:
                self._add(name)
            if kind == "friends":
                for one_name, other in itertools.combinations(names, 2):
                    self._place.store.add_friends(self._numbers[one_name], self._numbers[other])
        elif kind == "account":
            name, _, given = more.partition(" ")
            await self._account(name, given)
        elif kind != "set":  # that was done before the start
            raise ValueError(f"{self._where()}: the server cannot {words!r}")

    async def _clock(self, seconds: float) -> None:
        """Let time go by, for the server and for messengers, which give signs of life meanwhile."""
        if not self._ours:
            await self._place.advance(seconds)
            return
        left = seconds
        while left > 0:
            step = min(left, _STEP)
            await self._place.advance(step)
            for one in self._ours.values():
                await one.advance(step)
            left -= step

    def _add(self, name: str) -> None:
        account = Account(self._numbers[name], name, 0, quick_proof())
        self._place.store.add_account(account, 0.0)

    async def _account(self, name: str, given: str) -> None:
        """Make an account if there is none, and write into it and its profile."""
        self._add(name)
        uin = self._numbers[name]
        for key, value in _SETTING.findall(given):
            text = value.strip('"')
            if key in SETTABLE:
                await self._place.store.change_account(uin, **{key: text})
            elif key in PROFILE:
                await self._place.store.change_profile(uin, {key: text})
            else:
                raise ValueError(f"{self._where()}: an account has no {key}")

    def _expect(self, right: bool, otherwise: str, *lines: Line) -> None:
        if not right:
            shown = "".join(f"\n  {line.text}" for line in lines)
            raise AssertionError(f"{self._where()}: {self._statement.source}\n  {otherwise}{shown}")

    def _where(self) -> str:
        return f"{self._path}:{self._statement.number}"


def _address(number: int) -> str:
    high, low = divmod(number - FIRST_NUMBER, 250)
    return f"127.0.{high}.{low + 1}"


def read_play(path: Path) -> Play:
    """Return the play in a file. Raises PlayError."""
    try:
        return parse_play(path.read_text(encoding="utf-8"))
    except PlayError as error:
        raise PlayError(f"{path}: {error}") from error


async def perform(path: Path, where: str, shared: Shared | None = None) -> None:
    """Perform the play in a file; `where` is a key of PLACES."""
    play = read_play(path)
    found = PLACES[where]
    if found.build is InProcess and shared is not None and not is_alone(play):
        await _perform_on(shared.place(), play, path, found, shared.numbers(len(play.actors)))
        return
    words = [one.words for one in play.statements if one.verb == "server"]
    settings = [one.removeprefix("set ") for one in words if one.startswith("set ")]
    with a_folder() as folder:
        await _perform_on(found.build(Path(folder), settings), play, path, found, FIRST_NUMBER)


async def _perform_on(place: Place, play: Play, path: Path, where: Where, first: int) -> None:
    await place.start()
    try:
        await Performance(play, path, place, where, first).perform()
    finally:
        for number in range(first, first + len(play.actors)):
            await place.store.delete_account(number)
        await place.close()
