"""When the machine fails a server: nothing that was acknowledged is lost, and the rest goes on.

Full disks and locks are real ones, and readers who are stuck are real connections; dates jump on a
clock that is moved by hand. docs/faults.md says in words what is shown here.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from crowd import PATIENCE, Phone
from faults import Disk, JumpingClock, Limited, Ward, another_program, small_disk
from kqq.server.admin import Admin, perform
from kqq.server.invitations import BadInvitation
from scene import BUSY, chat
from stage import JULIET, PARIS, ROMEO, Stage, Wire, request, sign_in_line

ANNA, BEN, CLARA, DORA = 10001, 10002, 10003, 10004
AWAY, ONLINE, OFFLINE = 30, 10, 20
LONG = "x" * 15000
MANY = 300
"""Messages on their way at once, more than a server takes from one phone."""
RECEIVE = 2048  # bytes that the system keeps for who does not read, or twice that
BEYOND = 250
"""LONG messages that are more than the system keeps on its way for who does not read."""
ROOM = 48  # MiB that a server may need besides what it starts with
FEW = 10
"""Lines of the level error that one trouble may have in the log, however much it concerns."""
HOUR, YEAR = 3600.0, 365 * 86400.0
PACE = 0.02  # seconds between what two say to each other
HOME, CAFE = "192.0.2.1", "192.0.2.2"
CAN = "cannot write", "can write again"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such limits")


# --- a disk without room -------------------------------------------------------------------------


@pytest.fixture(params=["limit", "small"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A disk that can be filled: by a limit, which needs no rights, or one that is really full."""
    if request.param == "limit":
        yield Limited(tmp_path / "data")
    else:
        with small_disk(tmp_path / "data") as small:
            yield small


async def passes_a_sign(sender: Phone, to: Phone) -> None:
    """Have `to` see the sender come back, after all that it was to be pushed before.

    It speaks then, so that the server learns that all of it has arrived.
    """
    for status in (AWAY, ONLINE):
        seen = len(to.statuses)
        assert (await sender.command("Change_Stat", f"ST={status}"))["RES"] == "0"
        await to.until(lambda: (sender.uin, status) in to.statuses[seen:])  # noqa: B023
    assert (await to.command("Query_Stat2", "CM=2&UN=0"))["RES"] == "0"


async def all_answered(sender: Phone, to: int, numbers: list[int]) -> None:
    """Have somebody send many messages at once, and wait for what they are answered."""
    sender.send(to, numbers)
    await sender.until(lambda: not sender.unanswered, PATIENCE)


def numbers(ward: Ward, count: int) -> list[int]:
    """Return the numbers of so many new messages."""
    return [ward.number() for _ in range(count)]


@LINUX
async def test_full_disk(disk: Disk, tmp_path: Path) -> None:
    """Messages are refused, what waits is given once, log and health say why; then all goes on."""
    async with Ward(disk.data, *BUSY, log=tmp_path / "log") as ward:
        await ward.people([ANNA, BEN, CLARA], 0)
        ward.start()
        pid = ward.server.pid
        anna = await ward.sign_in(ANNA)
        for number in numbers(ward, 20):
            assert await anna.write(BEN, number, LONG)
        await all_answered(anna, CLARA, numbers(ward, 5))
        assert len(anna.promised[CLARA]) == 5
        assert await ward.health() == (200, "ok")

        disk.fill(pid)
        await all_answered(anna, BEN, numbers(ward, MANY))
        assert not await anna.write(BEN, ward.number())
        assert (await anna.command("DelFromList", f"UN={CLARA}"))["RES"] == "1"
        status, words = await ward.health()
        assert status == 503
        assert "disk" in words

        ben = await ward.sign_in(BEN)
        await ben.hears(ANNA, anna.promised[BEN])
        await passes_a_sign(anna, ben)
        clara = await ward.post_in(CLARA, "127.0.0.2")
        for _ in range(3):
            assert await clara.poll() == "0"
        assert clara.texts[ANNA] == anna.promised[CLARA]
        answer = await clara.ask(request("CLTMSG", CLARA, f"UN={BEN}&MG=refused"))
        assert answer.values()["RES"] == "1"
        again = await ward.sign_in(BEN)
        await passes_a_sign(anna, again)
        assert not again.texts[ANNA], "what could not be deleted is not given again, either"
        assert not await anna.write(BEN, ward.number())

        said = ward.told(CAN[0])
        assert said
        assert all("disk" in line["why"] and line["todo"] for line in said)
        assert len(ward.told(level="error")) < FEW
        assert not ward.told(CAN[1])

        disk.make_room(pid)
        assert await anna.write(BEN, ward.number())
        assert await anna.write(CLARA, ward.number()), "they are still friends"
        assert await ward.health() == (200, "ok")
        await again.hears(ANNA, anna.promised[BEN][-1:])
        assert len(ward.told(CAN[1])) == 1
        if isinstance(disk, Limited):  # it takes the server some seconds, so once is enough
            await ward.becomes(lambda: not ward.waiting(BEN))
        await ward.deliver()
        ward.check()


@LINUX
async def test_killed_on_a_full_disk(disk: Disk, tmp_path: Path) -> None:
    """It starts again, though nothing can be written, and gives what was acknowledged."""
    async with Ward(disk.data, *BUSY, log=tmp_path / "log") as ward:
        await ward.people([ANNA, BEN], 0)
        known = ward.accounts()
        ward.start()
        anna = await ward.sign_in(ANNA)
        for number in numbers(ward, 20):
            assert await anna.write(BEN, number, LONG)
        disk.fill(ward.server.pid)
        anna.send(BEN, numbers(ward, MANY))
        await anna.until(lambda: bool(anna.refused[BEN]))
        ward.kill()
        await anna.read_out()
        ward.start()
        disk.fill(ward.server.pid)
        ben = await ward.sign_in(BEN)
        await ben.hears(ANNA, anna.promised[BEN])
        anna = await ward.sign_in(ANNA)
        assert not await anna.write(BEN, ward.number())
        disk.make_room(ward.server.pid)
        assert ward.accounts() == known
        await ward.deliver()
        ward.check()


# --- another program at the database -------------------------------------------------------------


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
async def test_locked_for_a_moment(tmp_path: Path, lock: str) -> None:
    """What has to be written is answered later, and nobody is told of any trouble."""
    data = tmp_path / "data"
    async with Ward(data, *BUSY, log=tmp_path / "log") as ward:
        await ward.people([ANNA, BEN, CLARA], 0)
        ward.start()
        anna, clara = await ward.sign_in(ANNA), await ward.sign_in(CLARA)
        with another_program(data, lock) as let_go:
            number = ward.number()
            writing = asyncio.create_task(anna.write(BEN, number))
            ben = await ward.sign_in(BEN)
            for _ in range(3):
                await passes_a_sign(clara, ben)
            assert not writing.done()
            let_go()
            assert await writing
        await ben.hears(ANNA, [number])
        assert not ward.told(level="error")
        ward.check()


async def test_locked_for_long(tmp_path: Path) -> None:
    """After five seconds messages are refused; what needs no writing goes on all the time."""
    data = tmp_path / "data"
    async with Ward(data, *BUSY, log=tmp_path / "log") as ward:
        await ward.people([ANNA, BEN, CLARA], 0)
        ward.start()
        anna, clara = await ward.sign_in(ANNA), await ward.sign_in(CLARA)
        await all_answered(anna, BEN, numbers(ward, 5))
        with another_program(data, "BEGIN IMMEDIATE") as let_go:
            many = asyncio.create_task(all_answered(anna, BEN, numbers(ward, 50)))
            health = asyncio.create_task(ward.health())
            ben = await ward.sign_in(BEN)
            await ben.hears(ANNA, anna.promised[BEN])
            await passes_a_sign(clara, ben)
            again = await ward.sign_in(BEN)
            await passes_a_sign(clara, again)
            assert not again.texts[ANNA], "what arrived is not given again, though it is there"
            assert not many.done()
            await anna.until(lambda: bool(anna.refused[BEN]))
            status, words = await health
            assert status == 503
            assert "database" in words
            await ward.becomes(lambda: bool(ward.told(CAN[0])))
            let_go()
        await many
        assert await anna.write(BEN, ward.number())
        assert await ward.health() == (200, "ok")
        await again.hears(ANNA, anna.promised[BEN][5:])
        (said,) = ward.told(CAN[0])
        assert "locked" in said["why"]
        assert said["todo"]
        assert len(ward.told(level="error")) < FEW
        assert len(ward.told(CAN[1])) == 1
        await ward.deliver()
        ward.check()


async def test_another_program_reads_for_long(tmp_path: Path) -> None:
    """Nothing stops; what is written stays in the log beside the database until the end of it."""
    data = tmp_path / "data"
    async with Ward(data, *BUSY, log=tmp_path / "log") as ward:
        await ward.people([ANNA, BEN], 0)
        ward.start()
        anna, ben = await ward.sign_in(ANNA), await ward.sign_in(BEN)

        async def write(count: int) -> int:
            """Have Ben hear so many long messages, and return how large the log is then."""
            some = numbers(ward, count)
            anna.send(BEN, some, LONG)
            await ben.hears(ANNA, some)
            await ward.becomes(lambda: not ward.waiting(BEN))
            return (data / "kqq.sqlite-wal").stat().st_size

        with another_program(data, "BEGIN", "SELECT * FROM account") as let_go:
            before = await write(200)
            during = await write(400)
            assert during - before > 400 * len(LONG)
            let_go()
        assert await write(400) < during + 2_000_000, "it is written from its start again"
        assert not ward.told(level="error")
        ward.check()


# --- readers who are stuck -----------------------------------------------------------------------


async def stuck(ward: Ward, uin: int, *, confirms: bool = False) -> Phone:
    """Return a phone that has signed in, and reads nothing more."""
    phone = await ward.connect(uin, receive=RECEIVE, confirms=confirms)
    await phone.sign_in(ward.passwords[uin])
    phone.transport.pause_reading()
    return phone


async def test_many_are_stuck(tmp_path: Path) -> None:
    """They cost no memory, nobody waits for them, and what was for them is still there."""
    data, crowd = tmp_path / "data", range(DORA, DORA + 6)
    async with Ward(data, *BUSY, "slow_reader_time=1", log=tmp_path / "log") as ward:
        await ward.people([ANNA, BEN, CLARA, *crowd], 0)
        ward.start()
        before = ward.memory()
        anna, ben, clara = [await ward.sign_in(uin) for uin in (ANNA, BEN, CLARA)]
        phones = [await stuck(ward, uin, confirms=uin % 2 == 0) for uin in crowd]
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(chat(ward, anna, ben, over, PACE))
            for uin in crowd:
                clara.send(uin, numbers(ward, BEYOND), LONG)
            await clara.until(lambda: not clara.unanswered, PATIENCE)
            for uin in crowd:
                await clara.until(lambda: (uin, OFFLINE) in clara.statuses)  # noqa: B023
            over.set()
        assert not any(clara.refused.values())
        assert ward.memory() < before + ROOM
        cut_off = ward.told("closed")
        assert len(cut_off) == len(phones)
        assert all(line["why"].startswith("left unread what") for line in cut_off)
        for phone in phones:
            await phone.read_out()
            assert ward.missing(CLARA, phone.uin)
            again = await ward.sign_in(phone.uin)
            await again.hears(CLARA, ward.missing(CLARA, phone.uin))
        ward.check()


async def test_stuck_over_http(tmp_path: Path) -> None:
    """What is in an answer that nobody reads is given back, and is in the next one."""
    data = tmp_path / "data"
    async with Ward(data, *BUSY, "slow_reader_time=1", log=tmp_path / "log") as ward:
        await ward.people([ANNA, BEN], 0)
        ward.start()
        anna = await ward.sign_in(ANNA)
        ben = await ward.post_in(BEN, "127.0.0.1")
        number = ward.number()
        assert await anna.write(BEN, number, LONG)
        body = request("GetMsgEx", BEN).encode()
        with socket.socket() as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE)
            link.connect(("127.0.0.1", ward.server.port))
            link.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n")
            link.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await asyncio.to_thread(link.recv, 1, socket.MSG_PEEK)
            async with asyncio.timeout(PATIENCE):
                while not ben.texts[ANNA]:
                    assert await ben.poll() == "0"
        assert ben.texts[ANNA] == [number]
        await ward.becomes(lambda: not ward.waiting(BEN))
        assert await ben.poll() == "0"
        ward.check()


# --- a clock that jumps --------------------------------------------------------------------------

DATES = {"a year back": -YEAR, "a year ahead": YEAR, "to 1970": -1_400_000_000.0}


@pytest.fixture(params=DATES.values(), ids=list(DATES))
def jump(request: pytest.FixtureRequest) -> float:
    """By how many seconds the date jumps."""
    seconds: float = request.param
    return seconds


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server in memory whose date jumps, with Romeo and Juliet, who are friends, and Paris."""
    stage = Stage(tmp_path / "data", registration="invitation")
    stage.clock = JumpingClock()
    async with stage:
        stage.add(ROMEO, JULIET)
        stage.add(PARIS)
        yield stage


def clock_of(stage: Stage) -> JumpingClock:
    """Return its clock."""
    assert isinstance(stage.clock, JumpingClock)
    return stage.clock


async def do(stage: Stage, name: str, /, **arguments: Any) -> Any:
    """Do what an operator can."""
    services = stage.server._services
    operators = stage.server._operators
    admin = Admin(stage.config, stage.store, stage.clock, os.urandom, operators, services)
    return await perform(admin, name, arguments)


async def write(stage: Stage, romeo: Wire, number: int) -> None:
    """Have Romeo write to Juliet, and be told that it is on disk."""
    await romeo.say(request("CLTMSG", ROMEO, f"UN={JULIET}&MG={number}", seq=300 + number))
    while "&CMD=CLTMSG&" not in (line := await romeo.hear()):
        assert "&CMD=update_stat&" in line
    assert "&RES=0" in line


def texts(lines: list[str]) -> list[str]:
    """Return what was written in the messages among lines."""
    pushed = [line for line in lines if "&CMD=Server_Msg&" in line]
    return [line.partition("&MG=")[2].partition("&")[0] for line in pushed]


async def test_messages_when_the_date_jumps(stage: Stage, jump: float) -> None:
    """They stay in the order in which they were written, over a restart, too, and none is lost."""
    clock, romeo = clock_of(stage), await stage.sign_in(ROMEO)
    await write(stage, romeo, 1)
    clock.ahead = jump
    await write(stage, romeo, 2)
    await stage.restart()
    romeo = await stage.sign_in(ROMEO)
    await write(stage, romeo, 3)
    clock.ahead = 0.0
    await stage.restart()
    romeo = await stage.sign_in(ROMEO)
    await write(stage, romeo, 4)
    juliet = await stage.sign_in(JULIET)
    await stage.advance(1)
    assert texts(juliet.waiting()) == ["1", "2", "3", "4"]


async def test_sessions_when_the_date_jumps(stage: Stage, jump: float) -> None:
    """They last as long as they would have, and what they have to wait for comes in time."""
    clock, romeo = clock_of(stage), await stage.sign_in(ROMEO)
    assert "&RES=0&RS=0&" in await stage.post(sign_in_line(JULIET))
    poll = request("GetMsgEx", JULIET)
    clock.ahead = jump
    await stage.advance(stage.config.lifetime - 1)
    assert "&RES=0&" in await stage.post(poll)
    await write(stage, romeo, 1)
    assert "&MG=1" in await stage.post(poll)
    await stage.advance(stage.config.lifetime - 1)
    assert "&RES=0&" in await stage.post(poll)
    clock.ahead = 0.0
    await stage.advance(stage.config.lifetime)
    assert "&RES=20" in await stage.post(poll)


async def test_requests_when_the_date_jumps(stage: Stage, jump: float) -> None:
    """Who was asked whether to be a friend can still say yes."""
    clock, paris = clock_of(stage), await stage.sign_in(PARIS)
    asked = await paris.ask(request("Ack_AddToList", PARIS, f"UN={ROMEO}&CD=2&RS=hello"))
    assert "&RES=0" in asked
    clock.ahead = jump
    romeo = await stage.sign_in(ROMEO)
    await romeo.ask(request("Ack_AddToList", ROMEO, f"UN={PARIS}&CD=0&RS="))
    await stage.idle()
    assert stage.store.are_friends(ROMEO, PARIS)


async def test_invitations_when_the_date_jumps(stage: Stage, jump: float) -> None:
    """They go by the date; but once it is right again all are as they were."""
    clock, register = clock_of(stage), stage.server._services.registration.register
    code = (await do(stage, "account.invite", uses=2, days=7))["code"]
    clock.ahead = jump
    if jump > 0:
        with pytest.raises(BadInvitation):
            await register(code, "Tybalt", "secret", HOME)
    later = (await do(stage, "account.invite", uses=1, days=7))["code"]
    assert (await register(later, "Benvolio", "secret", HOME)).uin
    clock.ahead = 0.0
    assert (await register(code, "Tybalt", "secret", HOME)).uin
    assert (await register(code, "Mercutio", "secret", HOME)).uin
    with pytest.raises(BadInvitation):
        await register(code, "Rosaline", "secret", HOME)


async def test_operator_when_the_date_jumps(stage: Stage, jump: float) -> None:
    """Who was seen when is right again at the next sign-in, and the last attempt is the last."""
    clock = clock_of(stage)
    old = await stage.sign_in(ROMEO)
    await old.ask(request("Logout", ROMEO))
    await old.close()
    clock.ahead = jump
    wrong = stage.connect((CAFE, 50000))
    await wrong.ask(sign_in_line(ROMEO, password="0" * 32))
    await wrong.close()
    await stage.idle()
    why = await do(stage, "why", who=str(ROMEO))
    assert "password" in why["advice"]
    assert why["attempts"][-1]["address"] == CAFE
    await stage.sign_in(ROMEO)
    (one,) = await do(stage, "sessions")
    assert one["seconds"] == 0.0
    seen = clock.date()
    await stage.advance(1.0)
    assert (await do(stage, "account.show", uin=ROMEO))["last_seen"] == seen
    assert (await do(stage, "status"))["accounts"] == 3


async def test_machine_that_slept(stage: Stage) -> None:
    """Over TCP a session goes on, over HTTP one signs in again; all is there for both."""
    clock, romeo = clock_of(stage), await stage.sign_in(ROMEO)
    assert "&RES=0&RS=0&" in await stage.post(sign_in_line(JULIET))
    await write(stage, romeo, 1)
    clock.leap(8 * HOUR)
    await write(stage, romeo, 2)
    poll = request("GetMsgEx", JULIET)
    assert "&RES=20" in await stage.post(poll)
    assert "&RES=0&RS=0&" in await stage.post(sign_in_line(JULIET))
    assert "&MN=2&" in (answer := await stage.post(poll))
    assert "&MG=1,2" in answer
    await stage.idle()
    assert "&MN=0" in await stage.post(poll)
