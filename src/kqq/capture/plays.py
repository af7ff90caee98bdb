"""The lines of a play, as if they had been captured.

Only what stands in the play is there: `Romeo > …` and `Romeo < …` are lines, what else happens
(`Romeo signs in`) is a note. People get numbers from 10001 in order of appearance; `SEQ` is counted
where it is not written; places such as `{any}` stay as they are, since nobody knows what came.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kqq.capture.events import Note
from kqq.errors import PlayError
from kqq.protocol.messages import Role
from kqq.protocol.transcript import Statement, parse_play
from kqq.protocol.wire import Line

__all__ = ["PlayReader", "Spoken", "looks_like_play"]

FIRST_NUMBER = 10001
"""The number of the first person in a play."""
NAMES = (
    "Romeo", "Juliet", "Mercutio", "Tybalt", "Benvolio", "Paris", "Rosaline", "Escalus", "Laurence",
    "Balthasar", "Abraham", "Sampson", "Gregory", "Peter", "Montague", "Capulet", "Angelica",
    "Petruchio", "Valentio", "Lucio", "Helena", "Livia", "Placentio", "Vitruvio",
)  # fmt: skip
"""What people are called in a play, in order of appearance; then Person25 and so on."""
_MASKED = "***"  # stands where a play has {password} or {md5}
XP = "C4CA4238A0B92382"
"""`XP` of who speaks in a play and says none."""
_MOST_ACTORS = 1000
_OVER = re.compile(r"\s*#\s*Only over (TCP|HTTP)\b")
_NAMED = re.compile(r"\{([A-Z]\w*)\}")
_OTHERS = re.compile(
    r"(?:server|client|[scab]|send|sent|recv|received?|request|reply|response|[tr]x|in|out|from|to)$",
    re.IGNORECASE,
)
"""Who stands before `>` and `<` in a log, and is nobody in a play."""
_USED_ONCE = re.compile(r"(once|push)([0-9]{1,8})")
_FIRST_USED_ONCE = {"once": 1_000_000_000, "push": 1_500_000_000}


_NUMBER = re.compile(r"[1-9][0-9]{4,9}")


def numbers_of_people(line: Line) -> Iterator[str]:
    """Give the numbers of people in a line, in order; those below FIRST_NUMBER are the system's."""
    for key, value in line.pairs:
        if key.strip().upper() in ("UIN", "UN"):
            for item in value.split(","):
                if _NUMBER.fullmatch(item) and int(item) >= FIRST_NUMBER:
                    yield item


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line of a play: who (`actor`) said or got it; `open_ended` if the play allows more."""

    line: Line
    sender: Role
    actor: str
    over: str
    open_ended: bool


class _Bound(dict[str, str]):
    """What names in braces stand for; those that nobody knows stay as they are.

    Numbers used once and numbers of pushes, which recordings have no more, are made up. `missed`
    says whether there were others since it was set to False.
    """

    missed = False

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> str:
        used_once = _USED_ONCE.fullmatch(key)
        if used_once is not None:
            return str(_FIRST_USED_ONCE[used_once[1]] + int(used_once[2]))
        self.missed = True
        return f"{{{key}}}"


@dataclass(slots=True)
class _Actor:
    number: int
    over: str
    seq: int = 200
    asked: dict[str, str] = field(default_factory=dict)

    def head(self, statement: Statement, command: str) -> dict[str, str]:
        """Return the head of what is said next, as far as it is not written."""
        written = dict(statement.line.fields)
        self.seq += 1
        con = "1" if self.over == "tcp" else "0"
        head = {"VER": "1.4", "CON": con, "SEQ": str(self.seq), "UIN": str(self.number)}
        if written.get("VER", "1.4") != "1.4":
            del head["CON"]
        elif command != "login":
            head |= {"SID": "", "XP": XP}
        if command and len(self.asked) < _MOST_ACTORS:
            self.asked[command] = written.get("SEQ", head["SEQ"])
        return head


class PlayReader:
    """Reads the lines of a play's file, one at a time."""

    def __init__(self) -> None:
        self._actors: dict[str, _Actor] = {}
        self._bound = _Bound(password=_MASKED, md5=_MASKED)
        self._over = "tcp"

    def read(self, text: str, number: int) -> list[Spoken | Note]:
        """Return what a line of the file says; nothing for comments and empty lines.

        What is no statement is a note of the kind "unreadable".
        """
        only = _OVER.match(text)
        if only is not None:
            self._over = only[1].lower()
        try:
            play = parse_play(text)
        except PlayError as error:
            words = str(error).removeprefix("line 1: ")
            return [Note("unreadable", f"line {number}: {words}", None, number)]
        if not play.statements:
            return []
        statement = play.statements[0]
        for name in [*play.actors, *_NAMED.findall(text)]:
            self._meet(name)
        if statement.verb in (">", "<"):
            return [*self._spoken(statement)]
        if statement.verb == "speaks" and statement.actor in self._actors:
            self._actors[statement.actor].over = statement.words[:4].strip().lower()
        return [Note("statement", statement.source, None, number)]

    def _meet(self, name: str) -> _Actor:
        if name not in self._actors and len(self._actors) < _MOST_ACTORS:
            number = FIRST_NUMBER + len(self._actors)
            self._actors[name] = _Actor(number, self._over)
            self._bound[name] = str(number)
        return self._actors.get(name) or _Actor(FIRST_NUMBER + _MOST_ACTORS, self._over)

    def _spoken(self, statement: Statement) -> Iterator[Spoken]:
        actor = self._meet(statement.actor)
        command = dict(statement.line.fields).get("CMD", "").lower()
        if statement.verb == "<":
            sender = Role.SERVER
            head = {"VER": "1.1", "SEQ": actor.asked.get(command, "0"), "UIN": str(actor.number)}
        else:
            sender = Role.CLIENT
            head = actor.head(statement, command)
        self._bound.missed = False
        raw = statement.line.fill(head, self._bound)
        is_open = statement.line.more or self._bound.missed
        pieces = [raw] if statement.line.exact is None else raw.removesuffix(b"\n").split(b"\n")
        for piece in pieces:
            yield Spoken(Line.decode(piece), sender, statement.actor, actor.over, is_open)


def looks_like_play(text: str) -> bool:
    """Return whether the first statement in some lines of text is one of a play."""
    for line in _lines(text):
        try:
            play = parse_play(line)
        except PlayError:
            return False
        if play.statements:
            return not _OTHERS.match(play.statements[0].actor)
    return False


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.strip() and not line.strip().startswith("#"):
            yield line
