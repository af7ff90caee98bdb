"""A play performed once, wherever that is: what is said is said, what comes is compared."""

import asyncio
import itertools
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from kqq.capture.plays import XP
from kqq.client.client import unique_seq
from kqq.errors import PlayError
from kqq.plays.accounts import Accounts
from kqq.plays.compare import (
    Difference,
    Differs,
    Row,
    compare,
    compare_words,
    difference,
    shown_lines,
)
from kqq.plays.ways import WAIT, Impossible, Nothing, Silence, Way
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
from kqq.protocol.transcript import Play, Statement, Template

MESSAGE, REQUEST, ACCEPTED, REFUSED = 9, 2, 3, 4
"""`MT` of what comes."""
KINDS = {
    "receives": MESSAGE,
    "is asked by": REQUEST,
    "is accepted by": ACCEPTED,
    "is refused by": REFUSED,
}
"""`MT` of what comes, by the verb that tells it."""
PUSHES = {"server_msg", "update_stat"}
"""What servers say unasked, in lower case."""
FIRST_SEQ = 200
"""`SEQ` of the first line somebody says, where none is written (SOUND)."""
_LETTERS = "{letters}"
_ONCE = re.compile(r"\{(once\d+)\}")
_MOST_UNTOLD = 10_000
"""Lines of one kind that are kept for an actor; no play tells so many."""

Watch = Callable[[str, str, Line], None]
"""Called with the actor, ">" or "<", and the line, for each line said or heard."""


class Scene(Protocol):
    """Where a play is performed: how people speak, what the server can be made to do, and time."""

    def way(self, name: str, kind: str = "", *, is_redirected: bool = False) -> Way:
        """Return how an actor speaks: `kind` is TCP, HTTP, or "" for what is usual here.

        Raises Impossible if it cannot be done here.
        """

    async def serve(self, words: str) -> None:
        """Do what the statement `server WORDS` says, besides what ways do. Raises Impossible."""

    async def pass_time(self, seconds: float) -> None:
        """Let time go by. Raises Impossible."""

    async def letters(self, uin: int, picture: bytes) -> str:
        """Return what a picture shows that somebody must read. Raises Impossible."""


@dataclass(slots=True)
class Actor:
    """Somebody in a play; what came and the play has not told yet is kept by kind.

    `uin` is None for who has no account and must write a number into each line.
    """

    name: str
    uin: int | None
    way: Way
    seq: int = FIRST_SEQ
    has_spoken: bool = False
    as_uin: int = 0
    replies: deque[Line] = field(default_factory=deque)
    messages: deque[Line] = field(default_factory=deque)
    statuses: deque[Line] = field(default_factory=deque)

    def head(self, line: str) -> dict[str, str]:
        """Return the fields that a line of fields is begun with, unless it has its own."""
        con = "1" if self.way.kind == "TCP" else "0"
        head = {"VER": "1.4", "CON": con, "SEQ": str(self.seq)}
        if self.uin is not None:
            head["UIN"] = str(self.uin)
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
    """One play, performed once with the accounts of its people.

    `differences` are those found so far. With `goes_on` all are looked for, not only the first.
    `wait` is how many seconds a line is waited for while lines of other kinds come; how long it is
    waited for in silence is up to the way.
    """

    def __init__(
        self,
        play: Play,
        accounts: Accounts,
        scene: Scene,
        *,
        watch: Watch | None = None,
        first_seq: int = FIRST_SEQ,
        goes_on: bool = False,
        wait: float = WAIT,
    ) -> None:
        self.differences: list[Difference] = []
        self.actors: dict[str, Actor] = {}
        self.statement: Statement | None = None
        self._play = play
        self._accounts = accounts
        self._scene = scene
        self._watch = watch
        self._first_seq = first_seq
        self._goes_on = goes_on
        self._wait = wait
        self._bound = {name: str(account.uin) for name, account in accounts.items()}
        self._picture: tuple[int, bytes] | None = None
        self._read: dict[bytes, str] = {}

    async def perform(self) -> list[Difference]:
        """Perform all of it, and return where it goes otherwise than written.

        Raises Impossible, with the line, where something cannot be done here.
        """
        try:
            for statement in self._play.statements:
                if not await self._goes_well(self.do(statement)):
                    return self.differences
            await self._goes_well(self.end())
            return self.differences
        finally:
            await self.leave()

    async def do(self, statement: Statement) -> None:
        """Perform one statement. Raises Differs if it goes otherwise, Impossible."""
        self.statement = statement
        try:
            if statement.verb == "server":
                await self._scene.serve(statement.words)
                if statement.words in {"restarts", "dies"}:
                    await self._lose()
            elif statement.verb == "clock":
                await self._scene.pass_time(float(statement.words))
            else:
                await self._act(self.actor(statement.actor), statement)
        except Nothing as nothing:
            actor = self.actors.get(statement.actor)
            raise self._differs(str(nothing), besides=actor.untold if actor else ()) from nothing
        except PlayError as error:
            if str(error).startswith("line "):
                raise
            raise Impossible(f"line {statement.number}: {error}") from error

    async def end(self) -> None:
        """See that all replies and messages were told. Raises Differs, for the first who has more.

        Changes of statuses may be left untold.
        """
        self.statement = None
        for actor in self.actors.values():
            try:
                self._take(actor, await actor.way.rest(self._asks_as(actor), is_last=True))
            except Nothing as nothing:
                raise self._differs(str(nothing), besides=actor.untold) from nothing
            left = [*actor.replies, *actor.messages]
            if left:
                raise self._differs(f"{actor.name} got more than is told", besides=left)

    async def leave(self) -> None:
        """Close all connections."""
        for actor in self.actors.values():
            if actor.way.kind == "TCP":
                await actor.way.leave()

    def meet(self, accounts: Accounts) -> None:
        """Know these people from now on; for a play that is made while it is performed."""
        self._accounts = accounts
        self._bound |= {name: str(account.uin) for name, account in accounts.items()}

    async def settle(self, actor: Actor) -> None:
        """Take all that comes to somebody without anybody doing more. Raises Nothing."""
        self._take(actor, await actor.way.rest(self._asks_as(actor)))

    async def await_answer(self, actor: Actor) -> None:
        """Wait until there is an answer to somebody; it stays untold, as does junk before it.

        Raises Silence if none comes in time, Nothing if something comes that cannot be read.
        """
        now = asyncio.get_running_loop().time
        until = now() + self._wait
        seen = 0
        while all(is_junk(line) for line in itertools.islice(actor.replies, seen, None)):
            seen = len(actor.replies)
            if now() > until:
                raise Silence(f"nothing else came in {self._wait:g} s")
            self._take(actor, await actor.way.hear())

    def actor(self, name: str) -> Actor:
        """Return somebody in the play, who comes when first needed."""
        if name not in self.actors:
            account = self._accounts.get(name)
            uin = None if account is None else account.uin
            self.actors[name] = Actor(name, uin, self._scene.way(name), self._first_seq)
        return self.actors[name]

    # --- what people do

    async def _act(self, actor: Actor, statement: Statement) -> None:
        match statement.verb:
            case "signs in":
                await self._sign_in(actor, _status(statement.words or "online"))
            case "signs out":
                await self._ask(actor, "CMD=Logout")
            case "disconnects":
                await actor.way.leave()
            case "speaks":
                self._speak(actor, statement.words)
            case "sends" | "asks" | "accepts" | "refuses":
                await self._write(actor, statement)
            case _:
                await self._act_by_line(actor, statement)

    async def _act_by_line(self, actor: Actor, statement: Statement) -> None:
        """Say a line, or compare what comes."""
        match statement.verb:
            case ">":
                await self._say(actor, statement)
            case "<":
                await self._hear(actor, statement)
            case "sees":
                await self._see(actor, statement)
            case "receives nothing":
                await self._receive_nothing(actor)
            case _:
                await self._get(actor, statement)

    async def _write(self, actor: Actor, statement: Statement) -> None:
        to, text = self._number(statement.other), escape(statement.text)
        match statement.verb:
            case "sends":
                await self._ask(actor, f"CMD=CLTMSG&UN={to}&MG={text}")
            case "asks":
                reply = await self._ask(actor, f"CMD=AddToList&UN={to}")
                if reply.values().get("CD") != "1":
                    raise self._differs("no request is wanted:", besides=[reply])
                await self._ask(actor, f"CMD=Ack_AddToList&UN={to}&CD=2&RS={text}")
            case verb:
                answer = 0 if verb == "accepts" else 1
                await self._ask(actor, f"CMD=Ack_AddToList&UN={to}&CD={answer}&RS={text}")

    async def _sign_in(self, actor: Actor, wanted: Status) -> None:
        lg = 40 if wanted is Status.HIDDEN else 0
        st = "" if wanted in (Status.ONLINE, Status.HIDDEN) else f"&ST={wanted.value}"
        self._number(actor.name)
        password = self._accounts[actor.name].password_md5
        more = f"LG={lg}{st}&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE="
        reply = await self._ask(actor, f"CMD=Login&PS={password}&M5=1&{more}")
        if isinstance(decode(reply, Role.SERVER), CaptchaChallenge):
            reply = await self._ask(actor, f"CMD=VERIFYCODE&SC=2&VC={await self._letters()}")
        if reply.values().get("RS") != "0":
            raise self._differs("the sign-in is refused:", besides=[reply])

    def _speak(self, actor: Actor, words: str) -> None:
        if actor.has_spoken:
            raise Impossible(f"{actor.name} has spoken already")
        kind, _, redirected = words.partition(" ")
        actor.way = self._scene.way(actor.name, kind, is_redirected=bool(redirected))

    async def _get(self, actor: Actor, statement: Statement) -> None:
        line = await self._next(actor, actor.messages)
        message = decode(line, Role.SERVER)
        if not isinstance(message, ServerMsg):
            raise self._differs("a message came that cannot be read:", besides=[line])
        wanted = KINDS[statement.verb], self._number(statement.other), statement.text
        self._same(("MT", "UN", "MG"), wanted, (message.type, message.sender, message.text))

    async def _receive_nothing(self, actor: Actor) -> None:
        await self.settle(actor)
        if actor.untold:
            untold = actor.untold
            if self._goes_on:  # it is told now
                for kept in (actor.replies, actor.messages, actor.statuses):
                    kept.clear()
            raise self._differs("but this came:", besides=untold)

    async def _see(self, actor: Actor, statement: Statement) -> None:
        line = await self._next(actor, actor.statuses)
        seen = decode(line, Role.SERVER)
        if not isinstance(seen, UpdateStat):
            raise self._differs("a status came that cannot be read:", besides=[line])
        wanted = self._number(statement.other), _status(statement.words).value
        self._same(("UN", "ST"), wanted, (seen.number, seen.status))

    # --- lines

    async def _say(self, actor: Actor, statement: Statement) -> None:
        for name in _ONCE.findall(statement.source):
            self._bound.setdefault(name, unique_seq())
        bound = {**self._bound, **self._secrets(actor, statement.line)}
        if _LETTERS in statement.source:
            bound["letters"] = await self._letters()
        head = actor.head(statement.source)
        if statement.line.fields and "UIN" not in head | dict(statement.line.fields):
            raise Impossible(f"{actor.name} has no account; write UIN= or give {actor.name} one")
        await self._speak_line(
            actor,
            statement.line.fill(head, bound),
            is_exact=statement.line.exact is not None,
        )

    async def _hear(self, actor: Actor, statement: Statement) -> None:
        found = re.search(r"\bCMD=(\w+)", statement.source)
        command = found[1] if found else ""
        if actor.way.kind == "HTTP" and command.lower() in PUSHES:
            raise Impossible("no push comes; write # Only over TCP: why")
        line = await self._next(actor, actor.of_kind(command))
        rows = compare(statement.line, line, self._bound)
        if statement.line.differences(line, self._bound):
            raise self._differs("another line came:", rows=rows)

    async def _ask(self, actor: Actor, fields: str) -> Line:
        """Say a command and take its answer, which must be RES=0."""
        command, _, more = fields.removeprefix("CMD=").partition("&")
        self._number(actor.name)
        head = actor.head(f"CMD={command}")
        pairs = [("VER", "1.4"), ("CON", head["CON"]), ("CMD", command)]
        pairs += [(key, value) for key, value in head.items() if key not in {"VER", "CON"}]
        line = "&".join([f"{key}={value}" for key, value in pairs] + ([more] if more else []))
        await self._speak_line(actor, line.encode("utf-8", "surrogateescape"), is_exact=False)
        reply = await self._next(actor, actor.replies)
        template = Template(
            fields=(("CMD", "{any}"), ("SEQ", head["SEQ"]), ("RES", "0")), more=True
        )
        if template.differences(reply, {}):
            raise self._differs(
                f"{command} is answered otherwise:", rows=compare(template, reply, {})
            )
        return reply

    async def _speak_line(self, actor: Actor, line: bytes, *, is_exact: bool) -> None:
        actor.has_spoken = True
        if self._watch is not None:
            for raw in line.split(b"\n"):
                if raw.strip(b"\r"):
                    self._watch(actor.name, ">", Line.decode(raw))
        uin = Line.decode(line).values().get("UIN", "").strip()
        if uin.isascii() and uin.isdigit():
            actor.as_uin = int(uin)
        await actor.way.say(line, is_exact=is_exact)

    async def _next(self, actor: Actor, kept: deque[Line]) -> Line:
        """Return the next line of a kind; lines of other kinds stay for their statements."""
        if not actor.way.is_open:
            raise Impossible(f"{actor.name} has no connection")
        await self._wait_for(actor, kept)
        return kept.popleft()

    async def _wait_for(self, actor: Actor, kept: deque[Line]) -> None:
        """Wait until there is a line of a kind, not for ever if others come. Raises Nothing."""
        now = asyncio.get_running_loop().time
        until = now() + self._wait
        while not kept:
            if now() > until:
                raise Silence(f"only other lines came in {self._wait:g} s")
            self._take(actor, await actor.way.hear())

    def _take(self, actor: Actor, lines: list[Line]) -> None:
        actor.sort(lines)
        for line in lines:
            if self._watch is not None:
                self._watch(actor.name, "<", line)
            message = decode(line, Role.SERVER)
            if isinstance(message, CaptchaChallenge):
                self._picture = message.uin, message.image
        for kept in (actor.replies, actor.messages, actor.statuses):
            if len(kept) > _MOST_UNTOLD:
                raise Nothing(f"more than {_MOST_UNTOLD} lines came that no statement tells")

    # --- inside

    async def _goes_well(self, work: Awaitable[None]) -> bool:
        """Keep a difference; return whether to go on."""
        try:
            await work
        except Differs as differs:
            self.differences.append(differs.difference)
            return self._goes_on
        return True

    async def _lose(self) -> None:
        """Take what still comes from a server that has gone."""
        for actor in self.actors.values():
            self._take(actor, await actor.way.lose())

    async def _letters(self) -> str:
        """Return what the picture shows that came last."""
        if self._picture is None:
            raise Impossible("no picture came whose {letters} could be read")
        uin, picture = self._picture
        if picture not in self._read:
            self._read[picture] = await self._scene.letters(uin, picture)
        return self._read[picture]

    def _secrets(self, actor: Actor, template: Template) -> Mapping[str, str]:
        """Return the password of whoever signs in with a line: by its number, or who says it."""
        written = "&".join(f"{key}={value}" for key, value in template.fields)
        text = template.raw or written
        if template.exact is not None:
            text = template.exact.decode("utf-8", "surrogateescape")
        names = re.findall(r"\bUIN=\{(\w+)\}", text)
        numbers = [int(number) for number in re.findall(r"\bUIN=([0-9]+)", text)]
        found = itertools.chain(
            (self._accounts.get(name) for name in names),
            (self._accounts.of_number(number) for number in numbers),
            [self._accounts.get(actor.name)],
            self._accounts.values(),
        )
        account = next((one for one in found if one is not None), None)
        if account is None:
            return {}
        return {"password": account.password_md5, "md5": account.password_md5.lower()}

    def _asks_as(self, actor: Actor) -> int:
        return actor.uin or actor.as_uin or 1

    def _number(self, name: str) -> int:
        account = self._accounts.get(name)
        if account is None:
            known = ", ".join(self._accounts) or "nobody"
            raise Impossible(f"{name} has no account; these have one: {known}")
        return account.uin

    def _same(
        self, keys: tuple[str, ...], wanted: tuple[object, ...], got: tuple[object, ...]
    ) -> None:
        if wanted != got:
            rows = compare_words(list(zip(keys, wanted, got, strict=True)))
            raise self._differs("something else came:", rows=rows)

    def _differs(
        self, why: str, *, rows: tuple[Row, ...] = (), besides: "list[Line] | tuple[()]" = ()
    ) -> Differs:
        if self.statement is not None:
            return Differs(difference(self.statement, why, rows=rows, besides=besides))
        shown = shown_lines(besides)
        last = self._play.statements[-1].number if self._play.statements else 0
        return Differs(Difference(last, "at the end", why, rows, shown))


def is_junk(line: Line) -> bool:
    """Whether what came is no line of the protocol: it has no `CMD`."""
    return "CMD" not in line.values()


def _status(word: str) -> Status:
    try:
        return Status[word.upper()]
    except KeyError:
        known = ", ".join(status.name.lower() for status in Status)
        raise Impossible(f"{word} is no status; known are {known}") from None
