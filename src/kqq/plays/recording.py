"""A play made with a server: what somebody does is performed, and what comes is written down."""

import asyncio
import re

from kqq.errors import PlayError
from kqq.plays.accounts import FIRST, Accounts
from kqq.plays.compare import Differs
from kqq.plays.performance import FIRST_SEQ, KINDS, Actor, Performance, Scene
from kqq.plays.ways import Nothing
from kqq.protocol import Line, Role, ServerMsg, Status, UpdateStat, decode
from kqq.protocol.transcript import Play, Recorder, Statement, parse_play

_TOLD = {"<", "receives nothing", "sees", *KINDS}
"""What says what comes; the recording says that itself."""
_HEAD = {"VER", "SEQ", "UIN"}
"""Fields that are left out where a line is written as fields."""
_KEY = re.compile(r"[A-Za-z_0-9]+")
_VERB_OF = {kind: verb for verb, kind in KINDS.items()}
_SIGN = re.compile(r'[\x00-\x1f\x7f"\\\ud800-\udfff]')


class Recording:
    """Performs statements one by one; each gives the lines to write down.

    People who have no account get one with the next free number from `first` on, unless the
    accounts come from a file. What is written is a play that, performed again with the same
    accounts, goes as written, as far as the server does the same again.
    """

    def __init__(
        self,
        accounts: Accounts,
        scene: Scene,
        *,
        first: int = FIRST,
        first_seq: int = FIRST_SEQ,
    ) -> None:
        self._accounts = accounts
        self._first = first
        self._performance = Performance(
            Play("", ()), accounts, scene, watch=self._watch, first_seq=first_seq
        )
        self._recorder = Recorder({account.uin: name for name, account in accounts.items()})
        self._lines: list[tuple[str, str, Line]] = []  # said or heard during one statement

    async def do(self, statement: Statement) -> list[str]:
        """Perform a statement, and return what to write down: it, and all that came.

        A statement that says what comes does nothing. What goes otherwise than a verb says is
        written as lines, and a line that nobody answers with a statement that says so. Raises
        Impossible.
        """
        if statement.verb in _TOLD:
            return []
        self._invite(statement)
        self._lines.clear()
        try:
            await self._performance.do(statement)
            written = [self._source(statement)]
        except Differs as differs:
            written = self._as_lines()
            if not written:
                written = [f"# {self._source(statement)}: {_comment(differs.difference.why)}"]
        is_answered = True
        if statement.verb == ">" and _is_whole(statement):
            actor = self._performance.actor(statement.actor)
            try:
                is_answered = await self._performance.is_answered(actor)
            except Nothing as nothing:
                written.append(f"# {actor.name}: {_comment(str(nothing))}")
        came = await self._rest(fields=_is_fields(statement))
        if not is_answered and not any(one.startswith(f"{statement.actor} ") for one in came):
            came.insert(0, f"{statement.actor} receives nothing")
        return [*written, *came]

    async def end(self) -> list[str]:
        """Return what still came, and has not been written down."""
        return await self._rest(fields=True)

    async def leave(self) -> None:
        """Close all connections."""
        await self._performance.leave()

    # --- inside

    def _watch(self, actor: str, direction: str, line: Line) -> None:
        self._lines.append((actor, direction, line))

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
        return [self._recorder.statement(*said) for said in self._lines if id(said[2]) not in later]

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
            written += [self._statement(actor, line, fields=fields) for line in actor.untold]
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


def _comment(words: str) -> str:
    return " ".join(words.split())


def read_statement(text: str, number: int = 1) -> Statement | None:
    """Return the statement that a line is, None for an empty one or a comment. Raises PlayError."""
    try:
        statements = parse_play(text).statements
    except PlayError as error:
        raise PlayError(str(error).replace("line 1:", f"line {number}:", 1)) from error
    return statements[0] if statements else None
