"""Somebody in a play who uses our messenger: verbs are its methods, and so are some lines.

A line that the messenger has a method for is said by calling it; what then goes over the wire must
be that line, and what the server answers is compared as for everybody.
"""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from kqq.client import (
    Added,
    Event,
    Messenger,
    Odd,
    PresenceChanged,
    Received,
    RequestAnswered,
    Requested,
    RosterCame,
    Transport,
)
from kqq.errors import CommandError
from kqq.plays.performance import ACCEPTED, MESSAGE, REFUSED, REQUEST
from kqq.protocol import (
    AckAddToList,
    AddToList,
    ChangeStat,
    CltMsg,
    DelFromList,
    Finger,
    GetInfo,
    Line,
    QueryStat2,
    Request,
    Role,
    SimpleInfo2,
    Status,
    decode,
)
from kqq.protocol.transcript import Play, Statement, Template
from kqq.testing import ManualClock
from stage import PASSWORD, WAIT
from ways import Network

_POLL = 16.0  # seconds after which a client over HTTP asks for news, at the latest
_CONFIRMED = 1.0  # seconds after which a client has confirmed what it was pushed
_NOT_OURS = re.compile(r"^(?:(?P<name>\w+) not|Not) through our client: \S", re.MULTILINE)
_HEAD = {"VER", "CON", "SEQ", "SID", "XP"}
_VERBS = {
    "signs in", "signs out", "disconnects", "sends", "receives", "receives nothing", "asks",
    "is asked by", "accepts", "is accepted by", "refuses", "is refused by", "sees", ">", "<",
}  # fmt: skip


async def _answer(me: Messenger, wish: AckAddToList) -> None:
    if wish.answer == 0:
        await me.accept(wish.number)
    elif wish.answer == 1:
        await me.refuse(wish.number, wish.reason or "")
    else:
        await me.request(wish.number, wish.reason or "")


CALLS: dict[type[Request[Any]], Callable[[Messenger, Any], Awaitable[Any]]] = {
    AckAddToList: _answer,
    AddToList: lambda me, wish: me.add(wish.number),
    ChangeStat: lambda me, wish: me.change_status(Status(wish.status)),
    CltMsg: lambda me, wish: me.send(wish.to, wish.text),
    DelFromList: lambda me, wish: me.delete(wish.number),
    Finger: lambda me, wish: me.search(age=wish.age, sex=wish.sex, province=wish.province),
    GetInfo: lambda me, wish: me.profile(wish.number, wish.level),
    QueryStat2: lambda me, _: me.refresh(),
    SimpleInfo2: lambda me, _: me.refresh(),
}
"""What to do for a line that asks this."""
_FIELDS = {
    cls.spec.command.lower(): {one.key for one in cls.spec.fields} | {"CMD"} for cls in CALLS
}


def ours(play: Play) -> list[str]:
    """Return who in a play can use our messenger: their lines are those that it has methods for."""
    found = []
    left_out = {match["name"] for match in _NOT_OURS.finditer(play.doc)}
    for name in play.actors if None not in left_out else ():
        if name in left_out:
            continue
        own = [one for one in play.statements if one.actor == name]
        if any(one.verb == "signs in" for one in own) and all(map(_is_ours, own)):
            found.append(name)
    return found


def _is_ours(statement: Statement) -> bool:
    if statement.verb not in {">", "<"}:
        is_empty = statement.verb == "sends" and not statement.text  # it would send nothing
        return statement.verb in _VERBS and not is_empty
    fields = dict(statement.line.fields)
    known = _FIELDS.get(fields.get("CMD", "").lower(), set())
    return bool(known) and (statement.verb == "<" or fields.keys() <= known)


class Wire:
    """What a messenger has said and heard, line by line."""

    def __init__(self) -> None:
        self.said: list[Line] = []
        self.heard: list[Line] = []

    @property
    def asked(self) -> int:
        """How often it asked for news."""
        return sum(_command(line) == "getmsgex" for line in self.said)

    @property
    def polled(self) -> int:
        """How often it was told what is new."""
        return sum(_command(line) == "getmsgex" for line in self.heard)


class Ours:
    """Somebody who uses our messenger, on a clock of their own; a new one for each sign-in."""

    def __init__(self, name: str, uin: int, network: Network) -> None:
        self.name = name
        self.uin = uin
        self.replies: deque[Line] = deque()
        self.messages: deque[tuple[int, int, str]] = deque()
        self.statuses: deque[tuple[int, int]] = deque()
        self._network = network
        self._clock = ManualClock()
        self._messenger: Messenger | None = None
        self._transports: list[Transport] = []
        self._collecting: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()
        self._wire = Wire()
        self._has_roster = False

    async def confirm(self) -> None:
        """Let the messenger confirm what it was pushed: a later one remembers nothing of it."""
        messenger = self._messenger
        if messenger is not None and messenger.state.is_online and self._network.kind == "TCP":
            await self.advance(_CONFIRMED)
            await self.rest()

    # --- what people do

    async def sign_in(self, status: Status) -> None:
        """Start a messenger; one that was there before is given up without a word."""
        older, transports = self._messenger, self._transports
        await self.confirm()
        self._transports, self._wire, self._has_roster = [], Wire(), False
        self._messenger = messenger = Messenger(
            self.uin,
            PASSWORD,
            [self._network.address],
            status=status,
            ask=self._network.ask,
            watch=partial(self._watch, self._wire),
            connect=self._connect,
            sleep=self._clock.sleep,
            random=lambda: 0.5,
        )
        self._collecting.append(asyncio.create_task(self._collect(messenger)))
        async with asyncio.timeout(WAIT):
            await messenger.start()
        if older is not None:
            await self._give_up(older, transports)
        # What the messenger does by itself then is over, and does not come in between.
        await self._until(lambda: self._has_roster)
        if self._network.kind == "HTTP":
            await self._until(lambda: self._wire.polled > 0)

    async def sign_out(self) -> None:
        """Close the messenger, which signs out."""
        messenger = self._signed_in()
        assert messenger.state.is_online
        self._messenger = None
        await messenger.close()

    async def leave(self) -> None:
        """Close the connection without a word."""
        if self._messenger is not None:
            await self._give_up(self._messenger, self._transports)
            self._messenger, self._transports = None, []

    async def end(self) -> None:
        """Leave nothing behind."""
        await self.leave()
        await asyncio.gather(*self._collecting)

    async def send(self, to: int, text: str) -> None:
        """Send a message."""
        await self._do(self._signed_in().send(to, text))

    async def ask(self, to: int, text: str) -> None:
        """Wish to add somebody, who wants to be asked, and ask."""
        assert await self._do(self._signed_in().add(to)) is Added.ASK, "no request is wanted"
        await self._do(self._signed_in().request(to, text))

    async def accept(self, to: int, _: str) -> None:
        """Accept a request, without words."""
        await self._do(self._signed_in().accept(to))

    async def refuse(self, to: int, reason: str) -> None:
        """Refuse a request."""
        await self._do(self._signed_in().refuse(to, reason))

    async def message(self) -> tuple[int, int, str]:
        """Return the kind, the sender and the words of what comes next. Raises Nothing."""
        await self._wait_for(self.messages)
        return self.messages.popleft()

    async def status(self) -> tuple[int, int]:
        """Return whose status changes next, and to what. Raises Nothing."""
        await self._wait_for(self.statuses)
        return self.statuses.popleft()

    async def call(self, template: Template, bound: Mapping[str, str]) -> None:
        """Do what a line says; the messenger must say just that, with a head of its own."""
        head = {"VER": "1.4", "SEQ": "0", "UIN": str(self.uin)}
        line = Line.decode(template.fill(head, bound))
        wanted = decode(line, Role.CLIENT)
        assert isinstance(wanted, Request)
        before = len(self._wire.said)
        with suppress(CommandError):  # the answer says so, too
            await self._do(CALLS[type(wanted)](self._signed_in(), wanted))
        said = [one for one in self._wire.said[before:] if _command(one) == _command(line)]
        same = [one for one in said if _fields(one) == _fields(line)]
        assert same, f"{line.text} was to be said, not {[one.text for one in said]}"
        seq = same[0].values()["SEQ"]
        answers = [one for one in self._wire.heard if one.values().get("SEQ") == seq]
        self.replies += [one for one in answers if _command(one) == _command(line)]

    async def rest(self) -> None:
        """Let all come that comes by itself."""
        messenger = self._messenger
        if messenger is None or not messenger.state.is_online:
            await self._network.rest()
        elif self._network.kind == "HTTP":
            news = -1
            while news != self._news_count:
                news = self._news_count
                await self._poll()
        else:
            await self._network.rest()
            news = -1
            while news != self._news_count and messenger.state.is_online:
                news = self._news_count
                # What was pushed before an answer has come before it.
                with suppress(CommandError):
                    await self._do(messenger.refresh())
                await self._network.rest()

    async def lose(self) -> None:
        """See that the server has gone; over HTTP nobody sees it."""
        messenger = self._messenger
        if messenger is not None and self._network.kind == "TCP":
            await self._until(lambda: not messenger.state.is_online)

    async def advance(self, seconds: float) -> None:
        """Let time go by for the messenger: heartbeats, polls, another try to connect."""
        until = self._clock.now() + seconds
        while (due := self._clock.next_due) is not None and due <= until:
            self._clock.advance(due - self._clock.now())
            await self._network.rest()
        self._clock.advance(until - self._clock.now())

    @property
    def has_connections(self) -> bool:
        """Whether there is one that could be closed; over HTTP there is not."""
        return self._network.kind == "TCP"

    # --- inside

    def _signed_in(self) -> Messenger:
        if self._messenger is None:
            raise ValueError(f"{self.name} has no connection")
        return self._messenger

    async def _do(self, work: Awaitable[Any]) -> Any:
        async with asyncio.timeout(WAIT):
            return await work

    async def _connect(self, _: object) -> Transport:
        transport = await self._network.connect()
        self._transports.append(transport)
        return transport

    async def _give_up(self, messenger: Messenger, transports: list[Transport]) -> None:
        """End a messenger whose goodbye nobody hears."""
        for transport in transports:
            await self._network.drop(transport)
        await messenger.close()

    def _watch(self, wire: "Wire", direction: str, line: Line) -> None:
        (wire.said if direction == ">" else wire.heard).append(line)
        self._news.set()

    async def _collect(self, messenger: Messenger) -> None:
        async for event in messenger.events():
            self._take(event)
            self._news.set()

    def _take(self, event: Event) -> None:
        match event:
            case Received(message):
                self._keep(MESSAGE, message.uin, message.text)
            case Requested(uin, text):
                self._keep(REQUEST, uin, text)
            case RequestAnswered(uin, is_accepted, text):
                self._keep(ACCEPTED if is_accepted else REFUSED, uin, text)
            case PresenceChanged(uin, status) if uin != self.uin:
                self.statuses.append((uin, status))
            case RosterCame():
                self._has_roster = True
            case Odd(why):
                raise AssertionError(f"{self.name} finds it odd: {why}")

    def _keep(self, kind: int, uin: int, text: str) -> None:
        # Over HTTP an empty text comes as a blank, for SET_MQQ.
        is_empty = self._network.kind == "HTTP" and text == " "
        self.messages.append((kind, uin, "" if is_empty else text))

    @property
    def _news_count(self) -> int:
        return len(self.messages) + len(self.statuses)

    async def _poll(self) -> None:
        """Have the messenger ask for news, and wait for the answer."""
        messenger, wire = self._signed_in(), self._wire
        asked = wire.asked
        while wire.asked == asked and messenger.state.is_online:
            self._clock.advance(_POLL)
            await self._network.rest()
        await self._until(lambda: wire.polled == wire.asked or not messenger.state.is_online)
        await self._network.rest()

    async def _wait_for(self, kept: deque[Any]) -> None:
        if not kept and self._network.kind == "HTTP" and self._signed_in().state.is_online:
            await self._poll()
        await self._until(lambda: bool(kept))

    async def _until(self, happened: Callable[[], bool]) -> None:
        await self._network.until(happened, self._news)


def _command(line: Line) -> str:
    return line.values().get("CMD", "").lower()


def _fields(line: Line) -> Mapping[str, str]:
    """Return what a line says, besides its head and what is empty."""
    return {key: value for key, value in line.values().items() if value and key not in _HEAD}
