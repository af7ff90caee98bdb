"""Between plays: everybody is signed out, has nothing waiting, and the right friends."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pytest

from answering import Answer, answering, plain
from kqq.client import Address, Client, open_transport
from kqq.conformance.company import Company, Player, parse_company, usual_company
from kqq.conformance.tidying import Tidied, Tidying
from kqq.errors import ConnectionLost, NotSignedIn
from kqq.protocol import Line
from serving import quiet_port

COMPANY = {player.name: player for player in usual_company()}
ROMEO, JULIET, NURSE = (COMPANY[name] for name in ("Romeo", "Juliet", "Nurse"))
TWO = parse_company(
    """
    [Romeo]
    uin = 10001
    password = "secret"
    friends = ["Juliet"]
    [Juliet]
    uin = 10002
    password = "secret"
    """,
    "here",
)


def tidying(address: Address, company: Company, *, wait: float = 5.0) -> Tidying:
    """Return what tidies up at an address."""
    connect = partial(open_transport, address)
    return Tidying(company, connect, itertools.count(500_000), wait=wait)


@asynccontextmanager
async def signed_in(address: Address, player: Player) -> AsyncIterator[Client]:
    """Give somebody signed in."""
    async with await Client.connect(address) as client:
        await client.sign_in(player.uin, player.account.password)
        yield client


async def friends(address: Address, player: Player) -> list[int]:
    """Return the numbers of somebody's friends."""
    async with signed_in(address, player) as client:
        return [friend.uin for friend in await client.friends()]


@pytest.mark.parametrize("scheme", ["tcp", "http"])
async def test_friends_are_made_and_left(server: Address, scheme: str) -> None:
    """Of the company just those are friends that a play needs."""
    address = Address(server.host, server.port, scheme)
    tidy = tidying(address, tuple(COMPANY.values())).tidy
    everybody = [ROMEO, JULIET, NURSE]
    assert await tidy(everybody, [(ROMEO, JULIET), (JULIET, NURSE)]) == Tidied()
    assert await friends(server, JULIET) == [ROMEO.uin, NURSE.uin]
    assert await tidy([JULIET, ROMEO], [(JULIET, ROMEO)]) == Tidied()
    assert await friends(server, JULIET) == [ROMEO.uin]
    assert await tidy(everybody) == Tidied()
    assert await friends(server, JULIET) == [ROMEO.uin]
    assert await tidy(everybody, []) == Tidied()
    assert await friends(server, JULIET) == []


async def test_who_says_no_asks(server: Address) -> None:
    """Somebody who may not be added adds the other; who takes all needs no question."""
    some = [ROMEO, COMPANY["Rosaline"], COMPANY["Open"]]
    tidy = tidying(server, tuple(COMPANY.values())).tidy
    assert await tidy(some, [some[:2], [some[2], some[0]]]) == Tidied()
    assert await friends(server, ROMEO) == [COMPANY["Open"].uin, COMPANY["Rosaline"].uin]
    assert await tidy(some, []) == Tidied()


async def test_who_is_suspended_is_left_alone(server: Address) -> None:
    """There is nothing to tidy."""
    tidied = await tidying(server, usual_company()).tidy([COMPANY["SuspendedTybalt"]], [])
    assert tidied == Tidied()


@pytest.mark.parametrize("scheme", ["tcp", "http"])
async def test_what_waits_is_fetched(server: Address, scheme: str) -> None:
    """And whoever was signed in is not any more."""
    address = Address(server.host, server.port, scheme)
    tidy = tidying(address, tuple(COMPANY.values())).tidy
    await tidy([ROMEO, JULIET], [(ROMEO, JULIET)])
    async with signed_in(server, ROMEO) as romeo:
        for text in ("one", "two", "three"):
            await romeo.send(JULIET.uin, text)
        assert await tidy([ROMEO, JULIET]) == Tidied()
        with pytest.raises(NotSignedIn):
            await romeo.send(JULIET.uin, "four")
    async with signed_in(Address(server.host, server.port, "http"), JULIET) as juliet:
        assert await juliet.poll() == 0


# --- servers that are not as they should ---------------------------------------------------------


def normal(line: Line) -> list[str]:
    """Answer as a server does where everybody is a friend of 10001 and 10002."""
    values = line.values()
    return {
        "Login": [plain(line, "&RES=0&RS=0&HI=60&LI=300", "Login")],
        "SimpleInfo2": [
            plain(line, f"&RES=0&NP=65535&SN=1&UN={20003 - int(values['UIN'])},&FC=0,&NK=x,")
        ],
    }.get(values["CMD"], [plain(line, "&RES=0")])


def but(**other: Sequence[str]) -> Answer:
    """Answer normally, but to some commands otherwise: what stands after the head."""

    def answer(line: Line) -> list[str]:
        command = line.values()["CMD"]
        if command in other:
            return [one if one == "HANG UP" else plain(line, one) for one in other[command]]
        return normal(line)

    return answer


async def told(answer: Answer, pairs: Sequence[tuple[Player, Player]] | None = ()) -> Tidied:
    """Return what became of tidying with such a server."""
    async with answering(answer) as address:
        return await tidying(address, TWO, wait=0.2).tidy(TWO, pairs)


async def test_a_server_that_does_as_it_should() -> None:
    """What follows differs from this."""
    assert await told(normal, [TWO]) == Tidied()  # type: ignore[list-item]
    assert await told(normal) == Tidied()


async def test_a_server_that_makes_somebody_their_own_friend() -> None:
    """Nobody can leave themselves; the list is taken as if they were not in it."""
    own = "&RES=0&NP=65535&SN=2&UN=10001,10002,&FC=0,0,&NK=x,y,"
    assert (await told(but(SimpleInfo2=[own]), [TWO])).troubles == []  # type: ignore[list-item]


async def test_a_silent_server() -> None:
    """It is said what has no answer."""
    found = await told(lambda _: [])
    assert found.troubles == ["Romeo (10001): no answer to Login in 0.2 s"]


async def test_who_cannot_sign_in() -> None:
    """The answer is shown, without what is secret."""
    found = await told(but(Login=["&RES=0&RS=1&RA=no&SG=12345678"]))
    assert found.troubles[0].startswith("Romeo (10001) could not sign in: VER=1.1&CMD=LOGIN")
    assert "12345678" not in found.troubles[0]


async def test_a_server_that_hangs_up() -> None:
    """The rest is left alone."""
    found = await told(but(SimpleInfo2=["HANG UP"]))
    assert "closed" in found.troubles[0]
    assert not found.answers_probes


async def test_a_list_that_cannot_be_read() -> None:
    """Then the file says who are friends."""
    assert await told(but(SimpleInfo2=["&RES=1"]), [TWO]) == Tidied()  # type: ignore[list-item]
    for rest in ("&RES=0&UN=x,", "&RES=0", f"&RES=0&UN={'9' * 5000},"):
        assert await told(but(SimpleInfo2=[rest]), []) == Tidied()
    endless = but(SimpleInfo2=["&RES=0&NP=5&UN=10002,"])
    assert await told(endless) == Tidied()


async def test_friends_that_cannot_be_left() -> None:
    """The play cannot begin."""
    found = await told(but(DelFromList=["&RES=1"]))
    assert found.wrong == ["Romeo (10001) and 10002 are friends, and the server does not end it"]


async def test_friends_that_cannot_be_made() -> None:
    """Neither by the one nor by the other."""
    none = ["&RES=0&NP=65535&SN=0&UN=&FC=&NK="]
    ways: list[dict[str, list[str]]] = [
        {"AddToList": ["&RES=0&CD=3"]},
        {"AddToList": ["&RES=0&CD=1"], "Ack_AddToList": ["&RES=1"]},
        {"AddToList": []},
    ]
    for answers in ways:
        found = await told(but(SimpleInfo2=none, **answers), [TWO])  # type: ignore[list-item]
        (wrong,) = found.wrong
        assert wrong == (
            "Romeo (10001) and Juliet (10002) are no friends, and the server does not make them"
        )


async def test_friends_of_whom_one_cannot_sign_in() -> None:
    """That is trouble enough."""

    def answer(line: Line) -> list[str]:
        if line.values()["UIN"] == "10002":
            return [plain(line, "&RES=5")]
        return but(SimpleInfo2=["&RES=0&NP=65535&UN="])(line)  # type: ignore[return-value]

    found = await told(answer, [TWO])  # type: ignore[list-item]
    assert found.wrong == []
    assert len(found.troubles) == 1


async def test_a_friend_that_is_nobody_here() -> None:
    """Friendships with others are not ended."""
    found = await told(but(SimpleInfo2=["&RES=0&NP=65535&UN=12345,"]))
    assert found.wrong == []
    assert "Romeo (10001) has the friend 12345" in found.troubles[0]


async def test_news_without_end() -> None:
    """It is not waited for for ever."""

    def answer(line: Line) -> list[str]:
        push = "VER=1.1&CMD=Server_Msg&SEQ=1&UIN=1&RES=0&MN=1&MT=9&UN=2&MG=hi"
        return [push, *normal(line)]

    found = await told(answer, None)
    assert not found.answers_probes
    assert found.troubles == []


async def test_a_server_that_gives_no_messages_on_a_connection() -> None:
    """Not every server does; its silence is no trouble, nor is what it does give."""
    assert await told(but(GetMsgEx=[])) == Tidied()
    given = iter([["&RES=0&MN=1&MT=9&UN=2&MG=hi"]])

    def answer(line: Line) -> list[str]:
        once = next(given, None) if line.values()["CMD"] == "GetMsgEx" else None
        return [plain(line, one) for one in once] if once else normal(line)

    assert await told(answer) == Tidied()


async def test_nobody_there() -> None:
    """Whoever tidies learns it."""
    with pytest.raises(ConnectionLost):
        await tidying(Address("127.0.0.1", quiet_port()), TWO).tidy(TWO)
