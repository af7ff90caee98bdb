"""A server that answers from a play: lines and POSTs at one address, several people at once."""

import itertools
import os
import re
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from kqq.plays.accounts import Accounts
from kqq.plays.script import (
    LOGIN,
    OF_PASSWORD,
    Ask,
    Cue,
    differing,
    make_script,
    met,
    pairs,
    unlikeness,
)
from kqq.protocol import (
    GetMsgExReply,
    Line,
    Request,
    Role,
    ServerMsg,
    Unreadable,
    UpdateStat,
    decode,
    encode,
    failure,
    mask,
)
from kqq.protocol.transcript import Play, Template, known_places

_KEPT = 1000  # lines that wait for somebody, and numbers said at links
_NO = 1
"""`RES` of a refusal."""
_FIRST_PUSH = 1_000_000_001
_SEQ = re.compile(rb"(?<=&SEQ=)[^&\r\n]*")
_PLACE = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"[0-9]{1,20}")
_PICTURE = (
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63f80f00010101001bb6ee560000000049454e44ae426082"
)
"""A white dot as PNG, for a picture that a play does not have."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A line that a mock heard: by whom it takes it to be said ("" for nobody it knows), and how.

    `ask` is the line of the play that it took it for, 0 for none; then `why` says why. `count` is
    how many lines were said upon it.
    """

    line: Line
    actor: str
    ask: int = 0
    why: str = ""
    count: int = 0

    @property
    def is_known(self) -> bool:
        """Whether the play knows what to do; that may be to say nothing."""
        return bool(self.ask or self.count)

    def __str__(self) -> str:
        """Return it in words."""
        said = mask(self.line.encode().decode("utf-8", "surrogateescape"))
        return f"line {self.ask}: {said}" if self.is_known else f"no answer to {said}: {self.why}"


Tell = Callable[[Heard], None]


class Mock:
    """Answers from a play, with no network; a link is whatever tells connections apart.

    Of the lines of the play that fit, those of who is at the link come first, then those that fit
    best, then the one that was used least; who signs in again begins again. What is not in the play
    gets no answer, or a refusal if it `refuses`. If `is_strict`, lines must come in the order of
    the play. Somebody whose number is not in the play is the first one there who signs in and is
    not here.
    """

    def __init__(
        self,
        play: Play,
        accounts: Accounts | None = None,
        *,
        is_strict: bool = False,
        refuses: bool = False,
        random: Callable[[int], bytes] = os.urandom,
        host: str = "127.0.0.1",
        port: int = 14000,
    ) -> None:
        self.host = host
        self.port = port
        self._script = make_script(play)
        self._by_command: dict[str, list[Ask]] = {}
        for ask in self._script:
            self._by_command.setdefault(ask.command, []).append(ask)
        self._accounts = Accounts.invent(play.actors) if accounts is None else accounts
        self._bound = {name: str(account.uin) for name, account in self._accounts.items()}
        self._is_strict = is_strict
        self._refuses = refuses
        self._random = random
        self._at = 0  # in the script, if it is strict
        self._links: dict[str, Hashable] = {}  # where somebody can be told something
        self._places: dict[str, Hashable] = {}  # where somebody was last, over HTTP, too
        self._spoke: dict[tuple[Hashable, str], str] = {}  # who said a number at a link
        self._waiting: dict[str, deque[bytes]] = {}
        self._numbers = itertools.count(_FIRST_PUSH)

    def hear(
        self, line: Line, link: Hashable, *, pushes: bool = True
    ) -> tuple[Heard, list[tuple[Hashable, bytes]]]:
        """Return what a line is taken for, and what is said upon it: to which links, and what.

        Over HTTP nobody `pushes`: whatever is not the answer waits for GetMsgEx.
        """
        is_poll = not pushes and line.values().get("CMD", "").strip().lower() == "getmsgex"
        ask, why = self._find(line, link, is_poll=is_poll)
        if ask is not None:
            said = self._follow(ask, line, link, pushes=pushes)
            return Heard(line, ask.actor, ask.number, count=len(said)), said
        actor = self._actor(line, link)
        uin = _NUMBER.fullmatch(line.values().get("UIN", "").strip())
        if actor and is_poll and uin is not None:
            return Heard(line, actor, count=1), [(link, self._fetched(line, int(uin[0]), actor))]
        return Heard(line, actor, why=why), self._refused(line, link)

    def _follow(
        self, ask: Ask, line: Line, link: Hashable, *, pushes: bool
    ) -> list[tuple[Hashable, bytes]]:
        """Say what the play says upon a line."""
        said: list[tuple[Hashable, bytes]] = []
        self._begin(ask)
        self._come(ask, line, link, pushes=pushes)
        is_answered = False
        for cue in ask.cues:
            data = self._filled(cue, line)
            if cue.is_push and not pushes and cue.actor == ask.actor:
                self._keep(cue.actor, data)
            elif cue.is_push:
                self._push(cue.actor, data, said)
            elif pushes or not is_answered:
                said.append((link, data))
                is_answered = True
        if pushes and ask.command == LOGIN:
            said += [(link, data) for data in self._waiting.pop(ask.actor, ())]
        if ask.command == "logout":
            self._links.pop(ask.actor, None)
            self._places.pop(ask.actor, None)
        return said

    def _come(self, ask: Ask, line: Line, link: Hashable, *, pushes: bool) -> None:
        """Know from now on where somebody is, and the numbers of people."""
        for name, number in met(ask.template, line, self._absent).items():
            if number not in self._bound.values():
                self._bound[name] = number
        self._places[ask.actor] = link
        self._spoke[link, line.values().get("UIN", "").strip()] = ask.actor
        if len(self._spoke) > _KEPT:
            del self._spoke[next(iter(self._spoke))]
        if pushes:
            self._links[ask.actor] = link
        else:
            self._links.pop(ask.actor, None)

    def lose(self, link: Hashable) -> None:
        """Forget a link: nothing more can be said there."""
        for name in [name for name, other in self._links.items() if other == link]:
            del self._links[name]
            self._places.pop(name, None)
        for key in [key for key in self._spoke if key[0] == link]:
            del self._spoke[key]

    # --- what a line is

    def _find(self, line: Line, link: Hashable, *, is_poll: bool) -> tuple[Ask | None, str]:
        """Return the line of the play that this is, or why it is none.

        Polls are endless, and so a poll that was answered is not answered again.
        """
        if self._is_strict and self._script:
            ask = self._script[self._at % len(self._script)]
            is_over = self._at and ask is self._script[0]
            if is_poll and is_over and not _is_again(ask, line):
                return None, "the play is over"
            if self._fits(ask, line) is None and not self._adopt(line, [ask]):
                return None, f"line {ask.number} comes first: {mask(ask.source)}"
            self._at += 1
            return ask, ""
        fits = self._fitting(line)
        if not fits and self._adopt(line, self._script):
            fits = self._fitting(line)
        if is_poll:
            fits = {ask: fits[ask] for ask in fits if not ask.uses or _is_again(ask, line)}
        if not fits:
            return None, self._why_not(line)

        def order(ask: Ask) -> tuple[bool, int, int, int, int]:
            is_wrong = fits[ask] >= OF_PASSWORD
            return is_wrong, self._distance(ask.actor, link), fits[ask], ask.uses, ask.number

        best = min(fits, key=order)
        return best, ""

    def _fitting(self, line: Line) -> dict[Ask, int]:
        command = line.values().get("CMD", "").strip().lower()
        found = ((ask, self._fits(ask, line)) for ask in self._by_command.get(command, ()))
        return {ask: unlikeness for ask, unlikeness in found if unlikeness is not None}

    def _fits(self, ask: Ask, line: Line) -> int | None:
        """Return how well a line fits, None if it does not."""
        uin = line.values().get("UIN", "").strip()
        if ask.command and self._uin(ask) not in {None, uin}:
            return None
        return unlikeness(ask.template, line, self._known(ask), absent=self._absent)

    def _known(self, ask: Ask) -> dict[str, str]:
        account = self._accounts.get(ask.actor)
        md5 = "" if account is None else account.password_md5
        return self._bound | {"password": md5, "md5": md5.lower()}

    @property
    def _absent(self) -> set[str]:
        """People who are not here, and may come with any number."""
        return self._accounts.keys() - self._places.keys()

    def _uin(self, ask: Ask) -> str | None:
        """Return the number that a line of the play is said with, None for any."""
        written = dict(pairs(ask.template)).get("UIN")
        if written is None:
            return self._bound.get(ask.actor)
        filled = known_places(written, self._bound).strip()
        return None if _PLACE.search(filled) else filled

    def _adopt(self, line: Line, asks: list[Ask]) -> bool:
        """Take a number that nobody has for the first who signs in so, and is not here.

        Who has never come goes before who has gone.
        """
        values = line.values()
        uin = values.get("UIN", "").strip()
        if values.get("CMD", "").strip().lower() != LOGIN or uin in self._bound.values():
            return False
        come = {ask.actor for ask in self._script if ask.uses}
        free = [
            ask
            for ask in asks
            if ask.command == LOGIN and ask.actor in self._bound.keys() - self._links
        ]
        for ask in sorted(free, key=lambda ask: ask.actor in come):
            before = self._bound[ask.actor]
            self._bound[ask.actor] = uin
            if self._fits(ask, line) is not None:
                for own in self._script:
                    own.uses = 0 if own.actor == ask.actor else own.uses
                return True
            self._bound[ask.actor] = before
        return False

    def _distance(self, actor: str, link: Hashable) -> int:
        """Return how far somebody is: here, nowhere yet, or at another link."""
        if actor not in self._places:
            return 1
        return 0 if self._places[actor] == link else 2

    def _actor(self, line: Line, link: Hashable) -> str:
        """Return who it is that says a line that is not in the play."""
        uin = line.values().get("UIN", "").strip()
        if (link, uin) in self._spoke:
            return self._spoke[link, uin]
        return next((name for name, number in self._bound.items() if number == uin), "")

    def _why_not(self, line: Line) -> str:
        values = line.values()
        command, uin = values.get("CMD", "").strip(), values.get("UIN", "").strip()
        same = self._by_command.get(command.lower(), [])
        if not same:
            return f"nobody says {command} in the play" if command else "it has no CMD"
        own = [ask for ask in same if self._uin(ask) in {None, uin}]
        if not own:
            return f"nobody with the number {uin} says {command} in the play"
        nearest = own[0]
        other = mask(differing(nearest.template, line, self._known(nearest))) or "another password"
        return f"line {nearest.number} is nearest, which has {other}"

    # --- what is said

    def _begin(self, ask: Ask) -> None:
        """Count a line; who says the first one again begins again."""
        own = [one for one in self._script if one.actor == ask.actor]
        if ask is own[0] and ask.uses:
            for one in own:
                one.uses = 0
        ask.uses += 1

    def _filled(self, cue: Cue, line: Line) -> bytes:
        values = line.values()
        seq, uin = values.get("SEQ", "0"), values.get("UIN", "0")
        if cue.is_push:
            seq, uin = str(next(self._numbers)), self._bound.get(cue.actor, "0")
        head = {"VER": "1.1", "CMD": "", "SEQ": seq, "UIN": uin}
        text = self._text(cue.template, head)
        data = text.encode("utf-8", "surrogateescape")
        if not cue.is_push:
            data = _SEQ.sub(lambda _: seq.encode("utf-8", "surrogateescape"), data, count=1)
        return data.rstrip(b"\r\n") + b"\r\n"

    def _text(self, template: Template, head: dict[str, str]) -> str:
        if template.exact is not None:
            text = template.exact.decode("utf-8", "surrogateescape")
        elif template.raw is not None:
            text = template.raw
        else:
            written = dict(template.fields)
            fields = [(key, written.pop(key, value)) for key, value in head.items()]
            fields += [(key, value) for key, value in template.fields if key not in head]
            text = "&".join(f"{key}={value}" for key, value in fields)
        return "&".join(self._part(part, head["SEQ"]) for part in text.split("&"))

    def _part(self, part: str, seq: str) -> str:
        """Return a field with its places filled; what the play does not know is made up."""
        key = part.partition("=")[0].strip().upper()
        bound = dict(self._bound)
        for name in _PLACE.findall(part):
            if name not in bound:
                bound[name] = self._invented(key, seq)
                if name != "any":
                    self._bound[name] = bound[name]
        return known_places(part, bound)

    def _invented(self, key: str, seq: str) -> str:
        match key:
            case "SEQ":
                return seq
            case "SG":
                return self._random(32).hex().upper()
            case "SSG":
                return str(int.from_bytes(self._random(3)))
            case "VC":
                return _PICTURE
            case "SI":
                return self.host
            case "SP":
                return str(self.port)
            case _:
                return "0"

    def _push(self, actor: str, data: bytes, said: list[tuple[Hashable, bytes]]) -> None:
        if actor in self._links:
            said.append((self._links[actor], data))
        else:
            self._keep(actor, data)

    def _keep(self, actor: str, data: bytes) -> None:
        self._waiting.setdefault(actor, deque(maxlen=_KEPT)).append(data)

    def _refused(self, line: Line, link: Hashable) -> list[tuple[Hashable, bytes]]:
        """Return a refusal of what is not in the play, if such are wanted and it can be read."""
        request = decode(line, Role.CLIENT)
        refusal = failure(request, _NO) if isinstance(request, Request | Unreadable) else None
        if refusal is None or not self._refuses:
            return []
        return [(link, encode(refusal) + b"\r\n")]

    def _fetched(self, line: Line, uin: int, actor: str) -> bytes:
        """Return the answer to GetMsgEx, where a play pushes what came."""
        entries: list[tuple[int, int, str]] = []
        for data in self._waiting.pop(actor, ()):
            message = decode(Line.decode(data), Role.SERVER)
            if isinstance(message, ServerMsg):
                entries.append((message.type, message.sender, message.text or " "))
            elif isinstance(message, UpdateStat):
                entries.append((99, message.number, str(message.status)))
        lists = tuple(zip(*entries, strict=True)) or (None, None, None)
        types, numbers, texts = lists
        reply = GetMsgExReply(
            seq=line.values().get("SEQ", "0").strip(),
            uin=uin,
            count=len(entries),
            types=types,
            numbers=numbers,
            texts=texts,
        )
        return encode(reply) + b"\r\n"


def _is_again(ask: Ask, line: Line) -> bool:
    """Whether a line has the `SEQ` that is written in the play."""
    return ("SEQ", line.values().get("SEQ", "")) in pairs(ask.template)
