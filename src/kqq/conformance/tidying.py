"""Between plays: whoever is signed in signs out, what waits is fetched, friends are made or left.

All is done through the protocol, with commands that any server has, and nothing is believed: where
a server does not do as it should, the words that come back say so, and the plays show it better.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from kqq.client import Transport
from kqq.conformance.company import Company, Player
from kqq.errors import KQQError
from kqq.protocol import Line, LineBuffer
from kqq.protocol.wire import mask

_ROUNDS = 40  # of asking until nothing more comes
_PUSHES = {"server_msg", "update_stat"}
_LAST_PAGE = "65535"
_DIGITS = 20  # that a number may have
T = TypeVar("T")
Connect = Callable[[], Awaitable[Transport]]


class Unheard(Exception):
    """No answer came; the words say to what."""


class _Caller:
    """One account, signed in; asks one line at a time."""

    def __init__(self, player: Player, transport: Transport, seqs: Iterator[int], wait: float):
        self.player = player
        self._transport = transport
        self._seqs = seqs
        self._wait = wait
        self._buffer = LineBuffer()
        self._lines: list[Line] = []
        self._can_take = True
        self.has_news = False

    async def ask(self, command: str, fields: str = "") -> Line:
        """Say a command and return its answer. Raises Unheard, and KQQError where all is lost."""
        seq = str(next(self._seqs))
        con = "1" if self._transport.pushes else "0"
        head = f"VER=1.4&CON={con}&CMD={command}&SEQ={seq}&UIN={self.player.uin}"
        rest = fields if command == "Login" else f"&SID=&XP=C4CA4238A0B92382{fields}"
        try:
            async with asyncio.timeout(self._wait):
                await self._transport.send(f"{head}{rest}\r\n".encode())
                while (line := await self._next()).values().get("SEQ") != seq or _is_push(line):
                    self.has_news = True
        except TimeoutError:
            raise Unheard(f"no answer to {command} in {self._wait:g} s") from None
        return line

    async def _next(self) -> Line:
        while not self._lines:
            data = await self._transport.receive()
            if not data:
                raise Unheard("the server closed the connection")
            self._lines += map(Line.decode, self._buffer.feed(data))
        return self._lines.pop(0)

    async def fetch(self) -> bool:
        """Take all that waits; return whether that came to an end.

        Where messages are pushed one may still be on its way when a command is answered, so they
        are asked for as well; not every server has that on a connection.
        """
        for _ in range(_ROUNDS):
            self.has_news = False
            if self._transport.pushes:
                await self.ask("Query_Stat2", "&CM=2&UN=0")
            if not self.has_news:
                await self._take()
            if not self.has_news:
                return True
        return False

    async def _take(self) -> None:
        """Ask for messages. Raises Unheard only where there is no other way to have them."""
        if self._transport.pushes and not self._can_take:
            return
        try:
            answer = await self.ask("GetMsgEx")
        except Unheard:
            if not self._transport.pushes:
                raise
            self._can_take = False
            return
        if answer.values().get("MN", "0") not in {"0", ""}:
            self.has_news = True

    async def friends(self) -> set[int] | None:
        """Return the numbers of all friends, None where the list cannot be read."""
        found: set[int] = set()
        offset = "0"
        for _ in range(_ROUNDS):
            values = (await self.ask("SimpleInfo2", f"&UN={offset}&TO=0")).values()
            numbers = values.get("UN", "x").rstrip(",")
            if values.get("RES") != "0" or not all(map(_is_number, numbers.split(","))):
                return None
            found |= {int(one) for one in numbers.split(",") if one}
            offset = values.get("NP", _LAST_PAGE)
            if offset == _LAST_PAGE:
                return found
        return None

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    def __str__(self) -> str:
        return f"{self.player.name} ({self.player.uin})"


def _is_push(line: Line) -> bool:
    return line.values().get("CMD", "").strip().lower() in _PUSHES


def _is_number(text: str) -> bool:
    return not text or (text.isascii() and text.isdigit() and len(text) <= _DIGITS)


@dataclass(slots=True)
class Tidied:
    """What became of tidying: what did not go as it should, in words.

    `troubles` may spoil a play; with `wrong` the play cannot begin. `answers_probes` says whether
    a server can be asked something only to learn that nothing else comes.
    """

    troubles: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    answers_probes: bool = True


class Tidying:
    """Brings accounts into the state that a play begins with.

    `connect` reaches the server; `seqs` gives numbers that no other line has; an answer is waited
    for so many seconds. Only friendships within `company` are ended.
    """

    def __init__(
        self, company: Company, connect: Connect, seqs: Iterator[int], *, wait: float
    ) -> None:
        self._company = {player.uin: player for player in company}
        self._connect = connect
        self._seqs = seqs
        self._wait = wait

    async def tidy(
        self, players: Iterable[Player], friends: Iterable[Iterable[Player]] | None = None
    ) -> Tidied:
        """Leave `players` signed out, with nothing waiting, and `friends` just these pairs of them.

        With None friendships are left alone. Raises ConnectionLost where nobody is there at all.
        """
        tidied = Tidied()
        callers: dict[int, _Caller] = {}
        try:
            for player in players:
                # Where one waits in vain for an answer, so would the others.
                if player.may_sign_in and not await self._sign_in(player, callers, tidied):
                    break
            if friends is not None:
                wanted = {frozenset(one.uin for one in pair) for pair in friends}
                await self._befriend(callers, wanted, tidied)
            for caller in callers.values():
                if not await _heard(caller, tidied, caller.fetch()):
                    tidied.answers_probes = False
            for caller in callers.values():
                await _heard(caller, tidied, caller.ask("Logout"))
        finally:
            for caller in callers.values():
                with suppress(KQQError):
                    await caller.close()
        return tidied

    async def _sign_in(self, player: Player, callers: dict[int, _Caller], tidied: Tidied) -> bool:
        """Have somebody sign in, if that can be; return whether there was an answer."""
        caller = _Caller(player, await self._connect(), self._seqs, self._wait)
        rest = "&M5=1&LG=40&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE="
        login = caller.ask("Login", f"&PS={player.account.password_md5}{rest}")
        answer = await _heard(caller, tidied, login)
        if answer is not None and answer.values().get("RS") == "0":
            callers[player.uin] = caller
            return True
        if answer is not None:
            tidied.troubles.append(f"{caller} could not sign in: {mask(answer.text)}")
        await caller.close()
        return answer is not None

    async def _befriend(
        self, callers: dict[int, _Caller], wanted: set[frozenset[int]], tidied: Tidied
    ) -> None:
        """Have just the pairs in `wanted` be friends."""
        pairs: set[frozenset[int]] = set()
        for uin, caller in callers.items():
            found = await _heard(caller, tidied, caller.friends())
            if found is None:  # then the file must be right
                found = {
                    one.uin
                    for one in self._company.values()
                    if one.name in caller.player.account.friends
                }
            pairs |= {frozenset((uin, other)) for other in found if other != uin}
        for pair in sorted(pairs - wanted, key=sorted):
            one, other = sorted(pair, key=lambda uin: uin not in callers)
            caller = callers[one]
            if other not in self._company:
                tidied.troubles.append(
                    f"{caller} has the friend {other}, which no account of the file is; "
                    "lists will show it"
                )
                continue
            answer = await _heard(caller, tidied, caller.ask("DelFromList", f"&UN={other}"))
            if answer is None or answer.values().get("RES") != "0":
                tidied.wrong.append(
                    f"{caller} and {other} are friends, and the server does not end it"
                )
        for pair in sorted(wanted - pairs, key=sorted):
            if not pair <= callers.keys():
                continue  # that they could not sign in is said already
            first, second = (callers[uin] for uin in sorted(pair))
            if not (await _add(first, second, tidied) or await _add(second, first, tidied)):
                tidied.wrong.append(
                    f"{first} and {second} are no friends, and the server does not make them"
                )


async def _add(one: _Caller, other: _Caller, tidied: Tidied) -> bool:
    """Have one add the other, and be accepted if that is asked for; return whether it is done."""
    added = await _heard(one, tidied, one.ask("AddToList", f"&UN={other.player.uin}"))
    how = added.values().get("CD") if added is not None else None
    if how == "1":
        await _heard(one, tidied, one.ask("Ack_AddToList", f"&UN={other.player.uin}&CD=2&RS="))
        accept = other.ask("Ack_AddToList", f"&UN={one.player.uin}&CD=0&RS=")
        accepted = await _heard(other, tidied, accept)
        return accepted is not None and accepted.values().get("RES") == "0"
    return how == "0"


async def _heard(caller: _Caller, tidied: Tidied, asking: Awaitable[T]) -> T | None:
    """Return what comes of asking; if nothing does, that is one more trouble."""
    try:
        return await asking
    except (Unheard, KQQError) as trouble:
        tidied.troubles.append(f"{caller}: {trouble}")
        return None
