"""A play performed with a server somewhere, of which nothing is known but its address."""

import asyncio
import re
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from kqq.client import Address, Tcp, Transport
from kqq.errors import ConnectionLost
from kqq.plays.accounts import Accounts
from kqq.plays.compare import Difference
from kqq.plays.performance import FIRST_SEQ, Performance, Watch
from kqq.plays.ways import QUIET, Impossible, Lines, Nothing, Posts, Way, read_answer
from kqq.protocol import HttpResponse
from kqq.protocol.transcript import Play, Statement

WAIT = 5.0
"""Seconds after which a line that must come is taken for lost."""
_HOSTS = 250  # addresses of this machine that end in another number
_LOOPBACK = re.compile(r"127(\.\d{1,3}){3}")
_OTHER = re.compile(r"\bUIN=\{(\w+)\}")
_DONE_BEFORE = {"friends", "stranger", "account", "set"}
"""What `server` statements say that must be so before a play begins."""

Serve = Callable[[str], Awaitable[None]]
"""Does what `server WORDS` says; raises Impossible if it cannot."""
Read = Callable[[int, bytes], Awaitable[str]]
"""Returns what the picture shows that somebody with this number must read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a performance went.

    `verdict` is "passed", "failed" or "skipped"; `differences` are there if it failed, and `reason`
    says in words why it was skipped. `notes` say what was taken for granted. `seconds` is how long
    it took.
    """

    verdict: str
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How plays are performed with a server.

    `over` is how somebody speaks who does not say otherwise: TCP or HTTP. `http` is where HTTP is
    spoken if not at the usual address, `redirector` the address of a door that sends phones on.
    `wait`, `quiet` and `patience` are seconds: for a line that must come, until nothing more
    comes, and that a `clock` statement may last. With `probes` a server is asked something to
    learn that nothing more comes, and `quiet` does not count. `serve` does what `server`
    statements say, `letters` reads pictures, `trust` says whom to trust with TLS.
    """

    over: str = "TCP"
    http: Address | None = None
    redirector: Address | None = None
    wait: float = WAIT
    quiet: float = QUIET
    probes: bool = False
    patience: float = 0.0
    serve: Serve | None = None
    letters: Read | None = None
    trust: ssl.SSLContext | None = field(default=None, repr=False)


def usual_way(play: Play, address: Address) -> str:
    """Return how a play goes if nobody says: as it says itself, or as the address does."""
    if play.only & {"TCP", "HTTP"} == {"HTTP"}:
        return "HTTP"
    return "HTTP" if address.is_http else "TCP"


class Network:
    """The scene of a play: a server at an address. On one machine actors have own addresses."""

    def __init__(self, address: Address, terms: Terms) -> None:
        self.notes: list[str] = []
        self._address = address
        self._terms = terms
        self._names: list[str] = []
        self._was_there = False

    def way(self, name: str, kind: str = "", *, is_redirected: bool = False) -> Way:
        """Return how an actor speaks."""
        if name not in self._names:
            self._names.append(name)
        kind = kind or self._terms.over
        address = self._of(kind)
        if is_redirected:
            if self._terms.redirector is None:
                raise Impossible("nobody has said where the redirector is")
            address = _spoken(kind, self._terms.redirector)
        own = self._own_address(name, address)

        async def connect() -> Transport:
            return await self._connect(address, own)

        async def exchange(data: bytes) -> HttpResponse:
            return await self._exchange(address, own, data)

        if kind == "HTTP":
            return Posts(exchange, address.host, address.port)
        quiet = None if self._terms.probes else self._terms.quiet
        return Lines(connect, wait=self._terms.wait, quiet=quiet)

    async def serve(self, words: str) -> None:
        """Do what somebody knows to do, or take for granted that it is so."""
        if self._terms.serve is not None:
            await self._terms.serve(words)
        elif words.partition(" ")[0] in _DONE_BEFORE:
            self.notes.append(f"taken for granted: server {words}")
        else:
            raise Impossible(f"only whoever runs the server can do that: server {words}")

    async def pass_time(self, seconds: float) -> None:
        """Wait, if it is not for too long."""
        if seconds > self._terms.patience:
            raise Impossible(
                f"{seconds:g} s are to go by, and there is patience for {self._terms.patience:g} s"
            )
        await asyncio.sleep(seconds)

    async def letters(self, uin: int, picture: bytes) -> str:
        """Ask whoever can read."""
        if self._terms.letters is None:
            raise Impossible("nobody is there to read the letters in a picture")
        return await self._terms.letters(uin, picture)

    # --- inside

    def _of(self, kind: str) -> Address:
        """Return the address where this is spoken."""
        return _spoken(kind, self._terms.http or self._address if kind == "HTTP" else self._address)

    def _own_address(self, name: str, address: Address) -> str | None:
        """Return where somebody comes from, None for anywhere: on Linux, all of 127/8 is here.

        An address and a number are one session over HTTP, so two phones of somebody need two.
        """
        if sys.platform != "linux" or not _LOOPBACK.fullmatch(address.host):
            return None
        high, low = divmod(self._names.index(name), _HOSTS)
        return f"127.0.{high % _HOSTS}.{low + 1}"

    async def _connect(self, address: Address, own: str | None) -> Transport:
        """Return a connection. Raises ConnectionLost for the first one, Nothing for later ones."""
        try:
            if own is None or address.is_tls:
                made = await Tcp.connect(address, trust=self._terms.trust, timeout=self._terms.wait)
            else:
                made = await self._connect_from(own, address)
        except ConnectionLost as error:
            if self._was_there:
                raise Nothing(str(error), is_lost=True) from error
            raise
        self._was_there = True
        return made

    async def _connect_from(self, own: str, address: Address) -> Tcp:
        try:
            async with asyncio.timeout(self._terms.wait):
                streams = await asyncio.open_connection(
                    address.host, address.port, local_addr=(own, 0)
                )
        except TimeoutError:
            raise ConnectionLost(
                f"{address} did not answer within {self._terms.wait:g} s"
            ) from None
        except OSError:  # whatever it is, there are words for it there
            return await Tcp.connect(address, timeout=self._terms.wait)
        return Tcp(*streams, address.scheme)

    async def _exchange(self, address: Address, own: str | None, data: bytes) -> HttpResponse:
        connection = await self._connect(address, own)
        try:
            async with asyncio.timeout(self._terms.wait):
                await connection.send(data)
                return await read_answer(connection)
        except TimeoutError:
            raise Nothing(f"no whole answer came in {self._terms.wait:g} s") from None
        except ConnectionLost as error:
            raise Nothing(str(error), is_lost=True) from error
        finally:
            await connection.close()


def _spoken(kind: str, address: Address) -> Address:
    """Return an address with the scheme for TCP or HTTP, with TLS if it has that."""
    schemes = ("http", "https") if kind == "HTTP" else ("tcp", "kqqs")
    return Address(address.host, address.port, schemes[address.is_tls])


async def perform_on(
    play: Play,
    address: Address,
    accounts: Accounts,
    terms: Terms | None = None,
    *,
    watch: Watch | None = None,
    first_seq: int = FIRST_SEQ,
    goes_on: bool = False,
) -> Outcome:
    """Perform a play with the server at an address, and return how it went.

    `watch` sees each line, `first_seq` is the `SEQ` of each actor's first line that has none
    written: within ten seconds a server may take a line that it knows for a repeat. With `goes_on`
    all differences are found, not only the first. Raises ConnectionLost if there is no server.
    """
    terms = terms or Terms(over=usual_way(play, address))
    if (why := unable(play, accounts, address, terms)) is not None:
        return Outcome("skipped", reason=why)
    network = Network(address, terms)
    performance = Performance(
        play,
        accounts,
        network,
        watch=watch,
        first_seq=first_seq,
        goes_on=goes_on,
        wait=terms.wait,
    )
    start = time.monotonic()
    try:
        differences = await performance.perform()
    except Impossible as error:
        verdict = "failed" if performance.differences else "skipped"
        differences, reason = performance.differences, str(error)
    else:
        verdict, reason = "failed" if differences else "passed", ""
    return Outcome(
        verdict, tuple(differences), reason, tuple(network.notes), time.monotonic() - start
    )


def unable(play: Play, accounts: Accounts, address: Address, terms: Terms) -> str | None:
    """Return why a play cannot be performed so, None if nothing speaks against it."""
    kinds = play.only & {"TCP", "HTTP"}
    if kinds and terms.over not in kinds:
        return f"it goes only over {' and '.join(sorted(kinds))}"
    kind_of = {one.actor: one.words.split()[0] for one in play.statements if one.verb == "speaks"}
    for statement in play.statements:
        over = kind_of.get(statement.actor, terms.over)
        why = next(_reasons(statement, over, accounts, terms), None)
        if why is not None:
            return f"line {statement.number}: {why}"
    has_addresses = sys.platform == "linux" and _LOOPBACK.fullmatch(address.host)
    return _two_phones(play) if terms.over == "HTTP" and not has_addresses else None


def _reasons(statement: Statement, over: str, accounts: Accounts, terms: Terms) -> Iterator[str]:
    if statement.verb == "server":
        yield from _server_reasons(statement.words, accounts, terms)
    elif statement.verb == "clock":
        if float(statement.words) > terms.patience:
            yield (
                f"{float(statement.words):g} s are to go by, and there is patience for "
                f"{terms.patience:g} s"
            )
    elif statement.words.endswith("redirector") and terms.redirector is None:
        yield "nobody has said where the redirector is"
    elif over == "HTTP" and statement.verb == "disconnects":
        yield "over HTTP nobody has a connection to close"
    elif "{letters}" in statement.source and terms.letters is None:
        yield "nobody is there to read the letters in a picture"
    elif statement.verb not in {">", "<", "speaks", "disconnects", "receives nothing"}:
        for name in filter(None, (statement.actor, statement.other)):
            if name not in accounts and (statement.other or statement.verb.startswith("signs")):
                yield f"{name} has no account"


def _server_reasons(words: str, accounts: Accounts, terms: Terms) -> Iterator[str]:
    kind, _, more = words.partition(" ")
    if terms.serve is not None:
        return
    if kind not in _DONE_BEFORE:
        yield f"only whoever runs the server can do that: server {words}"
    if kind in {"friends", "stranger"}:
        names = more.split(", ")
        for name in names:
            if name not in accounts:
                yield f"{name} has no account"
        if accounts.knows_friends and kind == "friends":
            for place, name in enumerate(names):
                for other in names[place + 1 :]:
                    if not accounts.are_friends(name, other):
                        yield f"{name} and {other} are no friends"


def _two_phones(play: Play) -> str | None:
    """Return who has two phones, which a server cannot tell apart over HTTP from one address."""
    speakers = {one.actor for one in play.statements if one.actor}
    for one in play.statements:
        named = _OTHER.search(one.source)
        if one.verb == ">" and named and named[1] != one.actor and named[1] in speakers:
            return f"line {one.number}: {named[1]} has two phones, which need two addresses"
    return None
