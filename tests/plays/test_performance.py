"""Plays, performed: what goes as written does, and what goes otherwise is found where it does."""

import asyncio

import pytest

from answering import answering, plain
from kqq.client import Address
from kqq.plays.accounts import Account, Accounts
from kqq.plays.against import Network, Terms, perform_on
from kqq.plays.performance import Performance
from kqq.plays.ways import Impossible, Silence
from kqq.protocol import Line
from kqq.protocol.transcript import parse_play

PEOPLE = ("Romeo", "Juliet", "Paris")
PNG = "89504e470d0a1a0a"
SEEN: list[tuple[str, str, str]] = []
"""All that was said and heard."""


def performance(
    address: Address,
    text: str,
    accounts: Accounts | None = None,
    *,
    goes_on: bool = False,
    wait: float = 10.0,
) -> Performance:
    """Return a performance of a play that nobody has performed."""
    terms = Terms(quiet=0.02, wait=wait, letters=read_letters)
    return Performance(
        parse_play(text),
        Accounts.invent(PEOPLE) if accounts is None else accounts,
        Network(address, terms),
        watch=lambda actor, direction, line: SEEN.append((actor, direction, line.text)),
        goes_on=goes_on,
    )


async def read_letters(uin: int, picture: bytes) -> str:
    """Read a picture as a person would."""
    return f"letters{uin}"


async def perform(
    address: Address, text: str, *, goes_on: bool = False, wait: float = 10.0
) -> list[str]:
    """Perform a play, and return what differs."""
    found = await performance(address, text, goes_on=goes_on, wait=wait).perform()
    return [str(one) for one in found]


GOOD = """
Phone speaks TCP
Romeo signs in
Juliet signs in as hidden
Juliet receives nothing
Romeo sends Juliet "a, b"
Juliet receives Romeo "a, b"
Juliet > CMD=Change_Stat ST=30
Juliet < CMD=CHANGE_STAT RES=0
Romeo sees Juliet away
Romeo > VER=1.1&CMD=GetInfo&SEQ=7&UIN={Romeo}&LV=1&UN={Juliet}
Romeo < VER=1.1&CMD=GETINFO&SEQ={any}&UIN={Romeo}&RES=0&LV=1&UN={who}&NK=Juliet
Romeo > CMD=GetInfo VER=1.1 LV=1 UN={who}
Romeo < CMD=GETINFO RES=0 ...
Paris > "VER=1.1&CMD=Login&SEQ=1&UIN={Paris}&PS={md5}&M5=1&LC=9326B87B234E7235\\r\\n"
Paris < CMD=Login RES=0 RS=0 ...
Phone > VER=1.1&CMD=Login&SEQ=1&UIN={Romeo}&PS={password}&M5=1&LC=9326B87B234E7235
Phone < CMD=Login RES=0 RS=0 ...
Phone disconnects
Juliet signs out
"""


async def test_a_play_that_goes_as_written(address: Address) -> None:
    """Verbs, lines of all three forms, places that are filled, people with no account."""
    SEEN.clear()
    assert await perform(address, GOOD) == []
    assert [actor for actor, _, _ in SEEN[:4]] == ["Romeo", "Romeo", "Juliet", "Juliet"]
    assert [direction for _, direction, _ in SEEN[:4]] == [">", "<", ">", "<"]


async def test_step_by_step(address: Address) -> None:
    """Statements can be performed one by one, with people who come later."""
    one = performance(address, "", Accounts(), wait=2.0)
    one.meet(Accounts.invent(["Romeo"]))
    sign_in, ask = parse_play("Romeo signs in\nRomeo > CMD=Query_Stat2 CM=2 UN=0").statements
    await one.do(sign_in)
    romeo = one.actor("Romeo")
    with pytest.raises(Silence, match="nothing came in 2 s"):
        await one.await_answer(romeo)
    await one.do(ask)
    await one.await_answer(romeo)
    await one.settle(romeo)
    assert [line.values()["CMD"] for line in romeo.untold] == ["QUERY_STAT2"]
    await one.leave()


async def test_people_become_friends(address: Address) -> None:
    """Requests are asked, accepted and refused."""
    before = "Romeo signs in\nParis signs in\n"
    unfriend = "Romeo > CMD=DelFromList UN={Paris}\nRomeo < CMD=DELFROMLIST RES=0 ...\n"
    asked = 'Romeo asks Paris "May I?"\nParis is asked by Romeo "May I?"\n'
    refused = 'Paris refuses Romeo "No"\nRomeo is refused by Paris "No"\n'
    accepted = "Paris accepts Romeo\nRomeo is accepted by Paris\n"
    assert await perform(address, before + unfriend + asked + refused + asked + accepted) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('Romeo sends Juliet "a"\nJuliet receives Romeo "b"', "expected 'b', got 'a'"),
        ("Romeo sees Juliet away", "expected '30', got '10'"),
        ("Romeo > CMD=Logout\nRomeo < CMD=LOGOUT RES=1", "RES: expected '1', got '0'"),
        ("Romeo > CMD=Logout\nRomeo receives nothing", "but this came:"),
        ("Romeo < CMD=LOGOUT RES=1", "nothing came in 2 s"),
        ("Romeo > CMD=Logout", "at the end\n  Romeo got more"),
        ('Romeo asks Juliet "a"', "no request is wanted:"),
        ('Romeo sends Paris "a"\nJuliet disconnects', "Paris got more"),
    ],
)
async def test_a_play_that_goes_otherwise(address: Address, text: str, words: str) -> None:
    """The first difference is told, with its statement."""
    people = "Romeo signs in\nJuliet signs in\nParis signs in as away\n"
    if "Paris" not in text:
        people = people.partition("Paris")[0]
    (found,) = await perform(address, people + text, wait=2.0)
    assert words in found


async def test_all_that_goes_otherwise(address: Address) -> None:
    """All differences are told if they are wanted; what was told is not told again."""
    text = (
        "Romeo signs in\nJuliet signs in\nRomeo > CMD=Logout\nRomeo receives nothing\n"
        "Romeo < CMD=LOGOUT\nJuliet receives Romeo "
    )
    found = await perform(address, f'{text}"a"', goes_on=True, wait=1.0)
    assert ["line 4" in found[0], "line 5" in found[1], "line 6" in found[2]] == [True] * 3
    assert len(found) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Romeo signs in\nRomeo speaks TCP", "line 2: Romeo has spoken already"),
        ("Romeo < CMD=LOGOUT", "line 1: Romeo has no connection"),
        ("Romeo signs in as king", "line 1: king is no status; known are"),
        ("Tybalt signs in", "line 1: Tybalt has no account; these have one: Romeo"),
        ("Tybalt > CMD=List", "line 1: Tybalt has no account; write UIN="),
        ("Romeo > CMD=X UN={word}", "line 1: nothing is known as {word}"),
        ("Romeo > CMD=VERIFYCODE VC={letters}", "line 1: no picture came"),
        ("Romeo speaks HTTP\nRomeo < CMD=Server_Msg", "line 2: no push comes"),
        ("Romeo speaks HTTP\nRomeo disconnects", "line 2: over HTTP nobody has"),
        ("server dies", "line 1: only whoever runs the server"),
        ("clock +5", "line 1: 5 s are to go by"),
    ],
)
async def test_what_cannot_be_done(address: Address, text: str, words: str) -> None:
    """It ends there, in words."""
    with pytest.raises(Impossible) as failed:
        await perform(address, text)
    assert words in str(failed.value)


async def test_nobody_has_an_account(address: Address) -> None:
    """Whoever signs in by a line says its password, if anybody has one."""
    line = "Phone > VER=1.1&CMD=Login&SEQ=1&UIN=10001&PS={password}&M5=1&LC=9326B87B234E7235"
    with pytest.raises(Impossible, match=r"nothing is known as \{password\}"):
        await performance(address, line, Accounts()).perform()
    with pytest.raises(Impossible, match="these have one: nobody"):
        await performance(address, "Romeo signs in", Accounts()).perform()
    some = Accounts([Account("Nurse", 10001)])
    found = await performance(address, f"{line}\nPhone < CMD=Login RES=0 RS=0 ...", some).perform()
    assert found == []


async def test_whose_password(address: Address) -> None:
    """It is that of the number in a line, not that of who says it."""
    accounts = Accounts([Account("Romeo", 10001), Account("Laptop", 10009, "of another")])
    line = "VER=1.1&CMD=Login&SEQ=1&UIN={Romeo}&PS={password}&M5=1&LC=9326B87B234E7235"
    text = f"Laptop > {line}\nLaptop < CMD=Login RES=0 RS=0 ..."
    assert await performance(address, text, accounts).perform() == []


# --- servers that are not as they should


def captcha(line: Line) -> list[str]:
    """Show a picture to whoever signs in, and let in who reads it."""
    values = line.values()
    if values["CMD"] == "Login":
        return [plain(line, f"&RES=0&SC=1&NT=&VC={PNG}", "VERIFYCODE")]
    return [plain(line, f"&RES=0&RS={int(values.get('VC') != 'letters10001')}", "Login")]


async def test_letters() -> None:
    """A picture is read once, by whoever can read, for a verb and for a line."""
    async with answering(captcha) as address:
        assert await perform(address, "Romeo signs in") == []
        (found,) = await perform(address, "Juliet signs in")
        assert "the sign-in is refused" in found
        line = "Romeo > CMD=Login PS={password}\nRomeo < CMD=VERIFYCODE ...\n"
        answer = "Romeo > CMD=VERIFYCODE SC=2 VC={letters}\nRomeo < CMD=Login RES=0 RS=0\n"
        assert await perform(address, line + answer + answer) == []


@pytest.mark.parametrize(
    ("answer", "text", "words"),
    [
        ("VER=1.1&CMD=Server_Msg&SEQ=1", 'Juliet receives Romeo "a"', "a message came that cannot"),
        ("VER=1.1&CMD=update_stat&SEQ=1", "Juliet sees Romeo away", "a status came that cannot"),
        ("HANG UP", "Juliet < CMD=X", "closed without a word"),
        ("VER=1.1&CMD=LOGOUT&SEQ=1&UIN=1&RES=0", "Juliet signs out", "Logout is answered other"),
    ],
)
async def test_answers_that_make_no_sense(answer: str, text: str, words: str) -> None:
    """They are differences, and nothing breaks."""
    async with answering(lambda _: [answer]) as address:
        begin = "" if "signs out" in text else "Juliet > VER=1.1&CMD=X&SEQ=1&UIN=1\n"
        (found,) = await perform(address, begin + text)
        assert words in found


async def test_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says too much is found out before memory is full."""
    monkeypatch.setattr("kqq.plays.performance._MOST_UNTOLD", 100)
    async with answering(lambda _: ["VER=1.1&CMD=X"] * 150) as address:
        text = "Romeo > CMD=X\nRomeo receives nothing"
        (found,) = await perform(address, text)
        assert "more than 100 lines came" in found
        (found,) = await perform(address, "Romeo > CMD=X")
        assert "more than 100 lines came" in found


async def test_a_server_that_says_other_things() -> None:
    """A line that must come is not waited for without end because others come."""
    stop, over = asyncio.Event(), asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not stop.is_set():
            writer.write(b"VER=1.1&CMD=update_stat&SEQ=1\r\n")
            await asyncio.sleep(0.005)
        writer.close()
        over.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        play = parse_play("Romeo > CMD=X\nRomeo < CMD=X")
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        found = await perform_on(play, address, Accounts.invent(PEOPLE), Terms(wait=0.1))
        stop.set()
        await over.wait()
    assert found.differences[0].why == "only other lines came in 0.1 s"


class Mortal(Network):
    """A server that may die."""

    async def serve(self, words: str) -> None:
        """Let it."""


async def test_a_server_that_dies(address: Address) -> None:
    """Connections end, and what still comes is kept for its statement."""
    async with answering(lambda line: [plain(line, "&RES=0"), "HANG UP"]) as dying:
        play = parse_play("Romeo > CMD=Logout\nserver dies\nRomeo < CMD=LOGOUT RES=0")
        found = Performance(play, Accounts.invent(PEOPLE), Mortal(dying, Terms(wait=0.2)))
        with pytest.raises(Impossible, match="line 3: Romeo has no connection"):
            await found.perform()
        assert [line.values()["CMD"] for line in found.actors["Romeo"].untold] == ["LOGOUT"]
