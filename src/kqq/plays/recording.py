"""A play made with a server: what somebody does is performed, and what comes is written down."""

import asyncio
import re
from dataclasses import dataclass, replace

from kqq.errors import PlayError
from kqq.plays.accounts import FIRST, Accounts
from kqq.plays.compare import Differs
from kqq.plays.performance import (
    FIRST_SEQ,
    KINDS,
    PUSHES,
    Actor,
    Performance,
    Scene,
    is_junk,
)
from kqq.plays.ways import WAIT, Nothing, Silence
from kqq.protocol import Line, Role, ServerMsg, Status, UpdateStat, decode, mask, show
from kqq.protocol.transcript import Play, Recorder, Statement, parse_play

_TOLD = {"<", "receives nothing", "sees", *KINDS}
"""What says what comes; the recording says that itself."""
_HEAD = {"VER", "SEQ", "UIN"}
"""Fields that are left out where a line is written as fields."""
_KEY = re.compile(r"[A-Za-z_0-9]+")
_VERB_OF = {kind: verb for verb, kind in KINDS.items()}
_SIGN = re.compile(r'[\x00-\x1f\x7f"\\\ud800-\udfff]')
_MOST_JUNK = 5
"""Lines of junk at once that are written down; there may be thousands."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request to which no answer came.

    `number` is the line of the sketch and `source` what stands there, secrets masked; `why` says
    what came instead. `is_lost` says that the connection has ended, or cannot be made.
    """

    number: int
    source: str
    why: str
    is_lost: bool


class Recording:
    """Performs statements one by one; each gives the lines to write down.

    People who have no account get one with the next free number from `first` on, unless the
    accounts come from a file. What is written is a play that, performed again with the same
    accounts, goes as written, as far as the server does the same again: junk is written in
    comments. `unanswered` are the requests to which no answer came in `wait` seconds.
    """

    def __init__(
        self,
        accounts: Accounts,
        scene: Scene,
        *,
        first: int = FIRST,
        first_seq: int = FIRST_SEQ,
        wait: float = WAIT,
    ) -> None:
        self.unanswered: list[Unanswered] = []
        self._accounts = accounts
        self._first = first
        self._performance = Performance(
            Play("", ()), accounts, scene, watch=self._watch, first_seq=first_seq, wait=wait
        )
        self._recorder = Recorder({account.uin: name for name, account in accounts.items()})
        self._lines: list[tuple[str, str, Line]] = []  # said or heard during one statement

    async def do(self, statement: Statement) -> list[str]:
        """Perform a statement, and return what to write down: it, and all that came.

        A statement that says what comes does nothing. What goes otherwise than a verb says is
        written as lines, and a line that nobody answers with a comment that says why, and with a
        statement if nothing came. Raises Impossible.
        """
        if statement.verb in _TOLD:
            return []
        self._invite(statement)
        self._lines.clear()
        trouble: Nothing | None = None
        try:
            await self._performance.do(statement)
            written = [self._source(statement)]
        except Differs as differs:
            if isinstance(differs.__cause__, Nothing):
                trouble = differs.__cause__
            written = [] if statement.verb == ">" else self._as_lines()
            written = written or [self._source(statement)]
        if trouble is None and self._is_waited_for(statement):
            try:
                await self._performance.await_answer(self._performance.actor(statement.actor))
            except Nothing as nothing:
                trouble = nothing
        came = await self._rest(fields=_is_fields(statement))
        written += self._junk()
        if trouble is not None:
            about = f"# {statement.actor}: {_comment(str(trouble))}"
            came = [one for one in came if one != about]
            is_troubled = any(one.startswith(f"# {statement.actor}: ") for one in came)
            written += self._about(statement, trouble, is_troubled=is_troubled)
        return [*written, *came]

    async def end(self) -> list[str]:
        """Return what still came, and has not been written down."""
        self._lines.clear()
        came = await self._rest(fields=True)
        return [*self._junk(), *came]

    async def leave(self) -> None:
        """Close all connections."""
        await self._performance.leave()

    # --- inside

    def _watch(self, actor: str, direction: str, line: Line) -> None:
        self._lines.append((actor, direction, line))

    def _is_waited_for(self, statement: Statement) -> bool:
        """Whether there must be an answer, and has been none yet."""
        if statement.verb == ">":
            return _is_whole(statement)
        return any(said[1] == ">" for said in self._lines) and not self._is_answered(statement)

    def _is_answered(self, statement: Statement) -> bool:
        """Whether a reply has come to the last line that somebody said."""
        is_answered = False
        for actor, direction, line in self._lines:
            if actor == statement.actor:
                is_answered = direction == "<" and (is_answered or _is_reply(line))
        return is_answered

    def _about(self, statement: Statement, trouble: Nothing, *, is_troubled: bool) -> list[str]:
        """Return what to write down where trouble came before an answer, or instead of one."""
        why = _comment(str(trouble))
        name = statement.actor
        if self._is_answered(statement):
            return [] if isinstance(trouble, Silence) else [f"# {name}: {why}"]
        written = []
        if any(said[1] == ">" and not is_junk(said[2]) for said in self._lines):
            written.append(f"# {name} got no answer: {why}")
            self.unanswered.append(
                Unanswered(
                    statement.number,
                    mask(statement.source),
                    f"{self._instead(name)}{why}",
                    trouble.is_lost,
                )
            )
        elif not isinstance(trouble, Silence):
            written.append(f"# {name}: {why}")
        heard = any(said[:2] == (name, "<") for said in self._lines)
        if isinstance(trouble, Silence) and not heard and not is_troubled:
            written.append(f"{name} receives nothing")
        return written

    def _instead(self, name: str) -> str:
        """Return words for the junk that came to somebody during a statement, "" if none did."""
        junk = self._junk_of(name)
        if not junk:
            return ""
        more = f" and {len(junk) - 1} more" if len(junk) > 1 else ""
        return f"junk came instead, {_shown(junk[0])}{more}; then "

    def _junk(self) -> list[str]:
        """Return comments for the junk that came during a statement, to everybody."""
        written = []
        for name in self._performance.actors:
            junk = self._junk_of(name)
            written += [f"# {name} got junk: {_shown(line)}" for line in junk[:_MOST_JUNK]]
            if len(junk) > _MOST_JUNK:
                written.append(f"# {name} got more lines of junk: {len(junk) - _MOST_JUNK}")
        return written

    def _junk_of(self, name: str) -> list[Line]:
        heard = [line for actor, way, line in self._lines if (actor, way) == (name, "<")]
        return [line for line in heard if is_junk(line)]

    def _invite(self, statement: Statement) -> None:
        """Give everybody in a statement an account."""
        if self._accounts.knows_friends:
            return
        new = [name for name in Play("", (statement,)).actors if name not in self._accounts]
        for name in new:
            taken = {account.uin for account in self._accounts.values()}
            number = next(uin for uin in range(self._first, 1 << 32) if uin not in taken)
            self._accounts = self._accounts.with_numbers({name: number})
            self._recorder.call(number, name)
        self._performance.meet(self._accounts)

    def _as_lines(self) -> list[str]:
        """Return what was said and heard during a verb as lines, save for what is written later."""
        later = {id(line) for actor in self._performance.actors.values() for line in actor.untold}
        return [
            self._recorder.statement(*said)
            for said in self._lines
            if id(said[2]) not in later and not (said[1] == "<" and is_junk(said[2]))
        ]

    def _source(self, statement: Statement) -> str:
        """Return a statement as it was written, without the passwords that are known."""
        source = statement.source
        for account in self._accounts.values():
            source = source.replace(account.password_md5, "{password}")
            source = source.replace(account.password_md5.lower(), "{md5}")
        return source

    async def _rest(self, *, fields: bool) -> list[str]:
        """Return all that has come to anybody and is not written down."""
        actors = list(self._performance.actors.values())
        settled = await asyncio.gather(
            *(self._performance.settle(actor) for actor in actors), return_exceptions=True
        )
        written = []
        for actor, problem in zip(actors, settled, strict=True):
            said = [line for line in actor.untold if not is_junk(line)]
            written += [self._statement(actor, line, fields=fields) for line in said]
            for kept in (actor.replies, actor.messages, actor.statuses):
                kept.clear()
            if isinstance(problem, Nothing):
                written.append(f"# {actor.name}: {_comment(str(problem))}")
            elif isinstance(problem, BaseException):
                raise problem
        return written

    def _statement(self, actor: Actor, line: Line, *, fields: bool) -> str:
        """Return a line that came as a statement: with a verb, as fields, or as it is."""
        told = self._told(actor.name, line)
        if told is not None:
            return told
        whole = self._recorder.statement(actor.name, "<", line)
        if fields:
            short = _as_fields(whole)
            if short is not None:
                return short
        return whole

    def _told(self, actor: str, line: Line) -> str | None:
        """Return what came with the verb for it, None if there is none that says all of it."""
        message = decode(line, Role.SERVER)
        if isinstance(message, UpdateStat):
            other = self._accounts.of_number(message.number)
            known = {status.value for status in Status}
            if other is None or message.status not in known:
                return None
            return f"{actor} sees {other.name} {Status(message.status).name.lower()}"
        if isinstance(message, ServerMsg) and message.type in _VERB_OF:
            other = self._accounts.of_number(message.sender)
            verb = _VERB_OF[message.type]
            if other is None or (verb == "is accepted by" and message.text):
                return None
            text = "" if verb == "is accepted by" else f" {quoted(message.text)}"
            return f"{actor} {verb} {other.name}{text}"
        return None


def quoted(text: str) -> str:
    """Return words as a string in a play; signs that cannot stand there are escaped."""

    def sign(found: re.Match[str]) -> str:
        one = found[0]
        if one in '"\\':
            return f"\\{one}"
        short = {"\r": "\\r", "\n": "\\n", "\t": "\\t"}.get(one)
        return short or f"\\x{ord(one) & 0xFF:02x}"

    return f'"{_SIGN.sub(sign, text)}"'


def _as_fields(whole: str) -> str | None:
    """Return a statement with a whole line as one with fields, None if it cannot be."""
    start, _, text = whole.partition(" < ")
    if not text.startswith("VER="):
        return None
    fields = []
    for part in text.split("&"):
        key, equals, value = part.partition("=")
        if not equals or not _KEY.fullmatch(key):
            return None
        if key not in _HEAD:
            is_plain = not value.startswith('"') and not any(sign.isspace() for sign in value)
            fields.append(f"{key}={value if is_plain else quoted(value)}")
    return f"{start} < {' '.join(fields)}"


def _is_fields(statement: Statement) -> bool:
    """Whether answers are written as fields: unless somebody has written a whole line."""
    return statement.line.raw is None and statement.line.exact is None


def _is_whole(statement: Statement) -> bool:
    """Whether a line that somebody says has an end, so that it may be answered."""
    exact = statement.line.exact
    return exact is None or exact.endswith(b"\n")


def _is_reply(line: Line) -> bool:
    """Whether a line is neither junk nor said unasked."""
    return not is_junk(line) and line.values()["CMD"].strip().lower() not in PUSHES


def _shown(line: Line) -> str:
    return f"'{show(line.encode())}'"


def _comment(words: str) -> str:
    return " ".join(words.split())


def read_statement(text: str, number: int = 1) -> Statement | None:
    """Return the statement that a line is, None for an empty one or a comment. Raises PlayError."""
    try:
        statements = parse_play(text).statements
    except PlayError as error:
        raise PlayError(str(error).replace("line 1:", f"line {number}:", 1)) from error
    return replace(statements[0], number=number) if statements else None
