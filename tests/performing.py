"""Performs plays (`.kqq`): in memory with a clock moved by hand, and with a server in a process.

In both places people speak lines on a connection, or post each line over HTTP on one of its own,
and each comes from an address of their own. Those who say nothing that our messenger cannot say use
it in the places whose names begin with `client-`.
"""

import hashlib
import itertools
import re
from functools import cache
from pathlib import Path

from kqq.errors import KQQError, PlayError
from kqq.plays import performance
from kqq.plays.accounts import Accounts
from kqq.plays.compare import compare
from kqq.plays.performance import KINDS
from kqq.plays.ways import Impossible, Nothing, Way
from kqq.protocol import Status
from kqq.protocol.transcript import Play, Statement, parse_play
from kqq.server.profiles import PROFILE
from kqq.server.store import SETTABLE, Account
from ours import Ours, ours
from places import FIRST_NUMBER, PLACES, InProcess, Place, Shared, Where, a_folder
from stage import MD5

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


class Scene:
    """A server here, that does all that `server` statements say."""

    def __init__(self, place: Place, kind: str, accounts: Accounts) -> None:
        self._place = place
        self._kind = kind
        self._accounts = accounts

    def way(self, name: str, kind: str = "", *, is_redirected: bool = False) -> Way:
        """Return how somebody speaks, from an address of their own."""
        address = own_address(self._accounts[name].uin)
        return self._place.way(kind or self._kind, address, is_redirected=is_redirected)

    async def pass_time(self, seconds: float) -> None:
        """Move the clock."""
        await self._place.advance(seconds)

    async def letters(self, uin: int, picture: bytes) -> str:
        """Return the letters that were drawn last; no test can read the picture."""
        return self._place.letters

    async def serve(self, words: str) -> None:
        """Make accounts as they are wanted, or end the server and start another."""
        kind, _, more = words.partition(" ")
        if kind in {"restarts", "dies"}:
            await (self._place.restart() if kind == "restarts" else self._place.die())
        elif kind in {"friends", "stranger"}:
            names = more.split(", ")
            for name in names:
                self._add(name)
            for one, other in itertools.combinations(names, 2) if kind == "friends" else ():
                numbers = self._accounts[one].uin, self._accounts[other].uin
                self._place.store.add_friends(*numbers)
        elif kind == "account":
            name, _, given = more.partition(" ")
            await self._account(name, given)
        elif kind != "set":  # that was done before the start
            raise Impossible(f"the server cannot {words!r}")

    def _add(self, name: str) -> None:
        account = Account(self._accounts[name].uin, name, 0, quick_proof())
        self._place.store.add_account(account, 0.0)

    async def _account(self, name: str, given: str) -> None:
        """Make an account if there is none, and write into it and its profile."""
        self._add(name)
        uin = self._accounts[name].uin
        for key, value in _SETTING.findall(given):
            text = value.strip('"')
            if key in SETTABLE:
                await self._place.store.change_account(uin, **{key: text})
            elif key in PROFILE:
                await self._place.store.change_profile(uin, {key: text})
            else:
                raise Impossible(f"an account has no {key}")


class Performance(performance.Performance):
    """One play, performed once, in which some may use our messenger."""

    def __init__(self, play: Play, place: Place, where: Where, first: int = FIRST_NUMBER) -> None:
        accounts = Accounts.invent(play.actors, first=first)
        super().__init__(play, accounts, Scene(place, where.kind, accounts))
        self._place = place
        self._ours = {
            name: Ours(
                name,
                accounts[name].uin,
                place.network(where.kind, own_address(accounts[name].uin)),
            )
            for name in (ours(play) if where.is_ours else [])
        }

    async def do(self, statement: Statement) -> None:
        """Perform one statement, by our messenger where it is used."""
        self.statement = statement
        if statement.actor in self._ours:
            await self._by_client(self._ours[statement.actor], statement)
        elif statement.verb == "clock" and self._ours:
            await self._pass_time(float(statement.words))
        else:
            is_end = statement.verb == "server" and statement.words in {"restarts", "dies"}
            for one in self._ours.values() if is_end else ():
                await one.confirm()
            await super().do(statement)
            for one in self._ours.values() if is_end else ():
                await one.lose()

    async def end(self) -> None:
        """See that all replies and messages were told, by our messengers, too."""
        await super().end()
        for one in self._ours.values():
            await one.rest()
            if one.replies or one.messages:
                came = one.messages or ""
                raise self._differs(
                    f"{one.name} got more than is told {came}", besides=list(one.replies)
                )

    async def leave(self) -> None:
        """Leave nothing behind."""
        for one in self._ours.values():
            await one.end()
        await super().leave()

    async def _by_client(self, one: Ours, statement: Statement) -> None:
        """Have our messenger do what somebody does."""
        try:
            await self._do_ours(one, statement)
        except Nothing as nothing:
            came = [*one.replies, *one.messages, *one.statuses]
            raise self._differs(f"{nothing}, besides: {came}") from nothing
        except Impossible:
            raise
        except ValueError as error:
            raise Impossible(str(error)) from error
        except (AssertionError, KQQError, TimeoutError) as error:
            raise self._differs(f"{type(error).__name__}: {error}") from error

    async def _do_ours(self, one: Ours, statement: Statement) -> None:
        other = int(self._bound.get(statement.other, 0))
        match statement.verb:
            case "signs in":
                await one.sign_in(Status[(statement.words or "online").upper()])
            case "signs out":
                await one.sign_out()
            case "disconnects":
                if not one.has_connections:
                    raise Impossible("over HTTP nobody has a connection; write # Only over TCP: …")
                await one.leave()
            case "sends" | "asks" | "accepts" | "refuses" as verb:
                acts = {"sends": one.send, "asks": one.ask, "accepts": one.accept}
                await acts.get(verb, one.refuse)(other, statement.text)
            case "receives nothing":
                await one.rest()
                untold = [*one.replies, *one.messages, *one.statuses]
                if untold:
                    raise self._differs(f"but this came: {untold}")
            case _:
                await self._tell_ours(one, statement, other)

    async def _tell_ours(self, one: Ours, statement: Statement, other: int) -> None:
        """Compare what came to our messenger, or have it say a line."""
        match statement.verb:
            case "sees":
                wanted = other, Status[statement.words.upper()].value
                self._same(("UN", "ST"), wanted, await one.status())
            case ">":
                await one.call(statement.line, self._bound)
            case "<":
                if not one.replies:
                    raise Nothing("nothing came")
                line = one.replies.popleft()
                rows = compare(statement.line, line, self._bound)
                if statement.line.differences(line, self._bound):
                    raise self._differs("another line came:", rows=rows)
            case verb:
                wanted_message = KINDS[verb], other, statement.text
                self._same(("MT", "UN", "MG"), wanted_message, await one.message())

    async def _pass_time(self, seconds: float) -> None:
        """Let time go by, for the server and for messengers, which give signs of life meanwhile."""
        left = seconds
        while left > 0:
            step = min(left, _STEP)
            await self._place.advance(step)
            for one in self._ours.values():
                await one.advance(step)
            left -= step


def own_address(number: int) -> str:
    """Return the address that somebody comes from."""
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
    performance = Performance(play, place, where, first)
    try:
        found = await performance.perform()
        assert not found, f"{path}:{found[0].number}: {found[0]}"
    except Impossible as error:
        assert performance.statement is not None
        raise ValueError(f"{path}:{performance.statement.number}: {error}") from error
    finally:
        for number in range(first, first + len(play.actors)):
            await place.store.delete_account(number)
        await place.close()
