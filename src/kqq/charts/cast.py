"""Who is at each end of what was said, and what to call them."""

from collections.abc import Mapping
from types import MappingProxyType

from kqq.capture.events import Said
from kqq.capture.plays import FIRST_NUMBER
from kqq.protocol.catalogue import (
    SYSTEM_ACCOUNT,
    FingerReply,
    GetInfoReply,
    QueryStatReply,
    SimpleInfo2Reply,
)
from kqq.words import display_name, one_line, printable, tr

Who = tuple[str, str]
"""One end: "actor", "uin", "end" or "server", and which."""
_MOST = 10_000
_NAME = 24  # cells
_DIGITS = 20  # of a number in a line that cannot be read otherwise
_PORTS = 3


class Cast:
    """The people and servers in a capture.

    They are told apart by their numbers; in a play by their names. A line without a number belongs
    to who spoke last on its connection, else to the address it came from. Nicknames are those that
    lists and profiles tell; `known` are names that count more, by number. Of each at most 10,000
    are remembered. People in plays have numbers in order of appearance, as where plays are read.
    """

    def __init__(self, known: Mapping[int, str] = MappingProxyType({})) -> None:
        self._known = dict(known)
        self._actors: dict[int, str] = {}
        self._order: dict[str, None] = {}
        self._has_gaps = False
        self._nicks: dict[int, str] = {}
        self._streams: dict[int, Who] = {}
        self._details: dict[Who, str] = {}
        self._ports: dict[str, list[int]] = {}

    def meet(self, said: Said) -> tuple[Who, Who]:
        """Return who was at the client's end and at the server's; learn what they are called."""
        self._learn_names(said)
        client = self._client(said)
        server: Who = ("server", said.server.host if said.server else "")
        if said.server is not None and (
            said.server.host in self._ports or len(self._ports) < _MOST
        ):
            ports = self._ports.setdefault(said.server.host, [])
            if said.server.port not in ports and len(ports) < _PORTS:
                ports.append(said.server.port)
        if client not in self._details and len(self._details) < _MOST:
            self._details[client] = said.client.host if said.client else ""
        return client, server

    def _client(self, said: Said) -> Who:
        if said.actor:
            return ("actor", said.actor)
        known = self._streams.get(said.stream) if said.stream else None
        if known is not None and not said.whole:
            return known  # what is left of its number may be another one
        uin = said.uin
        if uin is None:
            value = said.line.values().get("UIN", "").strip()
            if value.isascii() and value.isdigit() and len(value) <= _DIGITS:
                uin = int(value)
        if uin is not None:
            client: Who = ("uin", str(uin))
            if said.stream:
                self._streams.pop(said.stream, None)
                self._streams[said.stream] = client
                if len(self._streams) > _MOST:
                    del self._streams[next(iter(self._streams))]
            return client
        return known or ("end", said.client.host if said.client else "")

    def appear(self, actor: str, uin: int | None = None) -> None:
        """Meet somebody of a play, who has this number, or the next one there.

        If somebody has another than the next, parts of the play are missing: then nobody has a
        number but those whose lines tell it.
        """
        if actor in self._order or len(self._order) >= _MOST:
            return
        self._order[actor] = None
        number = FIRST_NUMBER + len(self._order) - 1
        if uin is not None:
            self._has_gaps |= uin != number
            self._actors.setdefault(uin, actor)
        elif not self._has_gaps:
            self._actors.setdefault(number, actor)

    def names(self) -> dict[int, str]:
        """Return what people are called, by number, as far as it is known."""
        return {**self._nicks, **self._known}

    def who(self, uin: int) -> Who:
        """Return who has a number."""
        actor = self._actors.get(uin)
        return ("actor", actor) if actor else ("uin", str(uin))

    def address(self, who: Who) -> str:
        """Return the address somebody was first seen at, "" where the source does not say."""
        return self._details.get(who, "")

    def on_stream(self, stream: int) -> Who | None:
        """Return who spoke last on a connection, None if nobody known did."""
        return self._streams.get(stream)

    def _learn_names(self, said: Said) -> None:
        message = said.message
        if said.actor:
            self.appear(said.actor, said.uin)
        if isinstance(message, SimpleInfo2Reply | QueryStatReply | FingerReply):
            for number, nick in zip(message.numbers, message.nicks, strict=False):
                self._hear(number, nick)
        elif isinstance(message, GetInfoReply) and message.number is not None:
            self._hear(message.number, message.nick)

    def _hear(self, number: int, nick: str) -> None:
        if len(self._nicks) < _MOST or number in self._nicks:
            self._nicks[number] = nick[: 4 * _NAME]

    def called(self, uin: int) -> str:
        """Return what to call somebody, in 24 cells at most; the number of somebody unknown."""
        if uin == SYSTEM_ACCOUNT:
            return tr("the system")
        nick = self._known.get(uin) or self._actors.get(uin) or self._nicks.get(uin, "")
        return one_line(display_name(nick, uin), _NAME)

    def name(self, who: Who) -> str:
        """Return what to call one end, printable, in 24 cells at most."""
        kind, which = who
        if kind == "uin":
            return self.called(int(which))
        if kind == "server":
            return tr("server")
        return one_line(which, _NAME) or tr("somebody")

    def detail(self, who: Who) -> str:
        """Return what else there is to say of one end: a number, an address, "" for nothing."""
        kind, which = who
        if kind == "server":
            ports = ", ".join(map(str, self._ports.get(which, [])))
            host = f"[{which}]" if ":" in which else which
            return printable(f"{host}:{ports}" if ports else host)
        if kind == "uin" and self.called(int(which)) != which:
            return which
        if kind == "actor":
            numbers = (uin for uin, name in self._actors.items() if name == which)
            return str(next(numbers, ""))
        return printable(self._details.get(who, "")) if kind == "uin" else ""
