"""Plays with a server of which nothing is known but its address: whole outcomes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from answering import answering, plain
from kqq.client import Address
from kqq.errors import ConnectionLost
from kqq.plays import against
from kqq.plays.accounts import Account, Accounts
from kqq.plays.against import Outcome, Terms, perform_on, unable, usual_way
from kqq.plays.ways import Impossible
from kqq.protocol import Line
from kqq.protocol.transcript import parse_play

PEOPLE = Accounts.invent(["Romeo", "Juliet", "Paris"])
TALK = """
server friends Romeo, Juliet
Romeo signs in
Juliet signs in
Romeo sees Juliet online
Romeo sends Juliet "hello"
Juliet receives Romeo "hello"
"""
TERMS = Terms(quiet=0.02, wait=10.0)


async def outcome(address: Address, text: str, terms: Terms | None = TERMS) -> Outcome:
    """Return how a play goes."""
    return await perform_on(parse_play(text), address, PEOPLE, terms)


@asynccontextmanager
async def saying(data: bytes, *, closes: bool = True) -> AsyncIterator[Address]:
    """Run a server that says the same bytes to everybody once it has heard something."""
    left = asyncio.Event()
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        await reader.read(65536)
        writer.write(data)
        if not closes:
            await left.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])
        left.set()
        await asyncio.gather(*filter(None, serving))


@pytest.mark.parametrize("over", ["TCP", "HTTP"])
async def test_a_play_that_passes(address: Address, over: str) -> None:
    """It passes over both; what must be so before is noted; lines can be watched."""
    seen: list[tuple[str, str, str]] = []

    def watch(actor: str, direction: str, line: Line) -> None:
        seen.append((actor, direction, line.values()["CMD"]))

    terms = Terms(over=over, quiet=0.02, wait=10.0)
    found = await perform_on(parse_play(TALK), address, PEOPLE, terms, watch=watch, first_seq=4000)
    assert (found.verdict, found.differences, found.reason) == ("passed", (), "")
    assert found.notes == ("taken for granted: server friends Romeo, Juliet",)
    assert found.seconds > 0
    assert seen[:2] == [("Romeo", ">", "Login"), ("Romeo", "<", "Login")]


async def test_a_play_that_fails(address: Address) -> None:
    """The first difference is told, or all."""
    play = parse_play("Romeo signs in\nRomeo sees Juliet away\nRomeo sees Juliet away")
    terms = Terms(wait=1.0, quiet=0.02)
    first = await perform_on(play, address, PEOPLE, terms)
    assert [one.number for one in first.differences] == [2]
    every = await perform_on(play, address, PEOPLE, terms, goes_on=True)
    assert [one.number for one in every.differences] == [2, 3]
    assert every.verdict == "failed"


async def test_asking_instead_of_waiting(address: Address) -> None:
    """A server that answers can be asked whether there is more."""
    text = "Romeo signs in\nRomeo receives nothing"
    terms = Terms(probes=True, wait=10.0, quiet=100.0)
    assert (await outcome(address, text, terms)).verdict == "passed"


async def test_as_the_play_wants(address: Address) -> None:
    """What goes over HTTP only goes over HTTP if nobody says otherwise."""
    text = "# Only over HTTP: polls.\nRomeo signs in\nRomeo speaks TCP"
    assert usual_way(parse_play(text), address) == "HTTP"
    assert usual_way(parse_play(TALK), address) == "TCP"
    assert usual_way(parse_play(TALK), Address("a", 1, "https")) == "HTTP"
    found = await outcome(address, text, None)
    assert (found.verdict, found.reason) == ("skipped", "line 3: Romeo has spoken already")


async def test_what_the_server_does(address: Address) -> None:
    """Somebody may do what a play says of the server, or say that it cannot be done."""
    done = []

    async def serve(words: str) -> None:
        if words == "dies":
            raise Impossible("it lives on")
        done.append(words)

    terms = Terms(serve=serve, quiet=0.02, patience=1.0)
    assert (await outcome(address, "server set a=b\nclock +0.001", terms)).verdict == "passed"
    assert done == ["set a=b"]
    found = await outcome(address, "server dies", terms)
    assert found.reason == "line 1: it lives on"


async def test_a_failure_and_then_the_end(address: Address) -> None:
    """What fails before something impossible has failed."""

    async def serve(words: str) -> None:
        raise Impossible("it lives on")

    terms = Terms(serve=serve, quiet=0.02, wait=2.0)
    play = parse_play('Romeo signs in\nRomeo asks Juliet "a"\nserver dies')
    found = await perform_on(play, address, PEOPLE, terms, goes_on=True)
    assert (found.verdict, found.reason) == ("failed", "line 3: it lives on")


@pytest.mark.parametrize(
    ("text", "terms", "words"),
    [
        ("# Only over HTTP: a.\nRomeo signs in", Terms(), "it goes only over HTTP"),
        ("server dies", Terms(), "line 1: only whoever runs the server"),
        ("server friends Romeo, Tybalt", Terms(), "Tybalt has no account"),
        ("Tybalt signs in", Terms(), "line 1: Tybalt has no account"),
        ('Romeo sends Tybalt "a"', Terms(), "line 1: Tybalt has no account"),
        ("clock +5", Terms(patience=2), "5 s are to go by, and there is patience for 2 s"),
        ("Romeo speaks TCP to the redirector", Terms(), "nobody has said where"),
        ("Romeo > CMD=VERIFYCODE VC={letters}", Terms(), "nobody is there to read"),
        ("Romeo disconnects", Terms(over="HTTP"), "over HTTP nobody has a connection"),
        ("Romeo speaks HTTP\nRomeo disconnects", Terms(), "over HTTP nobody has a connection"),
        ("Romeo speaks TCP\nRomeo disconnects", Terms(over="HTTP"), None),
        ("clock +2", Terms(patience=2), None),
        ("Phone > UIN={Romeo} CMD=List\nPhone receives nothing", Terms(), None),
    ],
)
def test_what_speaks_against_a_play(text: str, terms: Terms, words: str | None) -> None:
    """It is known before anything is done."""
    why = unable(parse_play(text), PEOPLE, Address("127.0.0.1", 1), terms)
    if words is None:
        assert why is None
    else:
        assert words in str(why)


async def test_skipped(address: Address) -> None:
    """What speaks against a play is the reason why it is skipped."""
    found = await outcome(address, "server dies")
    assert (found.verdict, found.differences) == ("skipped", ())
    assert "only whoever runs the server" in found.reason
    assert "nobody is there to read" in (await outcome(address, "Romeo > VC={letters}")).reason


def test_friends_in_a_file() -> None:
    """Where a file says who are friends, others are none."""
    accounts = Accounts(
        [Account("Romeo", 1, friends=frozenset({"Juliet"})), Account("Juliet", 2)],
        knows_friends=True,
    )
    friends = Accounts([*accounts.values(), Account("Paris", 3)], knows_friends=True)
    address = Address("127.0.0.1", 1)
    assert unable(parse_play("server friends Juliet, Romeo"), friends, address, Terms()) is None
    why = unable(parse_play("server friends Romeo, Juliet, Paris"), friends, address, Terms())
    assert why == "line 1: Romeo and Paris are no friends"


def test_two_phones_of_somebody() -> None:
    """Over HTTP a server cannot tell them apart, unless they have two addresses, as here."""
    play = parse_play("Juliet signs in\nPhone > UIN={Juliet} CMD=List")
    away = Address("kqq.example", 14000)
    assert unable(play, PEOPLE, away, Terms(over="TCP")) is None
    assert "two phones" in str(unable(play, PEOPLE, away, Terms(over="HTTP")))
    other = parse_play("Phone > UIN={Juliet} CMD=List\nPhone > CMD=List UIN={Phone}")
    assert unable(other, PEOPLE, away, Terms(over="HTTP")) is None


# --- servers that are not as they should


async def test_no_server() -> None:
    """That is an error, and no difference."""
    with pytest.raises(ConnectionLost):
        await outcome(Address("127.0.0.1", 9), "Romeo signs in")


async def test_a_server_that_goes() -> None:
    """Once it was there, its end is a difference."""
    async with answering(lambda line: [plain(line, "&RES=0&RS=0"), "HANG UP"]) as address:
        server = await outcome(address, "Romeo signs in\nRomeo < CMD=X")
    assert server.differences[0].why == "the server closed the connection"
    text = "Romeo signs in\nJuliet signs in"
    stop, over = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line.decode(await reader.readline())
        writer.write(plain(line, "&RES=0&RS=0").encode() + b"\r\n")
        listening.close()
        await stop.wait()
        writer.close()
        over.set()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = Address("127.0.0.1", listening.sockets[0].getsockname()[1])
    (found,) = (await outcome(address, text)).differences
    assert "cannot connect" in found.why
    stop.set()
    await over.wait()


@pytest.mark.parametrize(
    ("said", "closes", "words"),
    [
        (b"", False, "no whole answer came in 0.1 s"),
        (b"", True, "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nVER=1.1", True, "before its answer"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", True, "status 404"),
        (b"\xff\x00nonsense\r\n\r\n", True, "begins with HTTP"),
    ],
)
async def test_answers_over_http_that_are_none(said: bytes, closes: bool, words: str) -> None:
    """Nothing hangs, and there are words for it."""
    async with saying(said, closes=closes) as address:
        terms = Terms(over="HTTP", wait=0.1 if not closes else 10.0)
        (found,) = (await outcome(address, "Romeo signs in", terms)).differences
        assert words in found.why


async def test_a_silent_server() -> None:
    """It is not waited for longer than was said."""
    async with saying(b"", closes=False) as address:
        (found,) = (await outcome(address, "Romeo signs in", Terms(wait=0.05))).differences
        assert found.why == "nothing came in 0.05 s"


# --- where people go


async def test_other_doors(address: Address) -> None:
    """HTTP may be elsewhere, and so is a door that sends phones on."""
    nowhere = Address("127.0.0.1", 9)
    terms = Terms(http=address, redirector=address, quiet=0.02, wait=10.0)
    text = "Romeo speaks HTTP\nRomeo signs in"
    assert (await outcome(nowhere, text, terms)).verdict == "passed"
    text = "Romeo speaks TCP to the redirector\nRomeo signs in"
    assert (await outcome(nowhere, text, terms)).verdict == "passed"
    assert against._spoken("HTTP", Address("a", 1, "kqqs")) == Address("a", 1, "https")
    assert against._spoken("TCP", Address("a", 1, "https")) == Address("a", 1, "kqqs")


async def test_without_addresses_of_their_own(address: Address) -> None:
    """Where people cannot have them, all come from the same one."""
    localhost = Address("localhost", address.port)
    assert (await outcome(localhost, "Romeo signs in")).verdict == "passed"


async def test_a_door_with_tls_that_has_none(address: Address) -> None:
    """The words are those of the client."""
    tls = Address(address.host, address.port, "kqqs")
    with pytest.raises(ConnectionLost, match="TLS"):
        await outcome(tls, "Romeo signs in", Terms(wait=0.5))
