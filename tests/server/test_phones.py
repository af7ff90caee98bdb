"""Connections: answers in order, pushes in their turn, everything bounded whatever clients do."""

import asyncio
import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from kqq.protocol import CltMsgReply
from kqq.server.phones import Phone
from stage import (
    JULIET,
    MD5,
    PARIS,
    ROMEO,
    MemoryLink,
    Stage,
    add_person,
    request,
    sign_in_line,
)
from vectors import VECTORS

FIRST = 1_000_000_001
"""The `SEQ` of the first message of a server, when it is pushed."""


def message(number: int, *, sender: int = ROMEO, to: int = JULIET) -> str:
    """Return the line that sends a number."""
    return request("CLTMSG", sender, f"UN={to}&MG={number}", seq=number)


def texts(lines: list[str]) -> list[str]:
    """Return what the messages among some lines say."""
    return [line.partition("&MG=")[2] for line in lines if "&CMD=Server_Msg&" in line]


def seqs(lines: list[str]) -> list[int]:
    """Return the SEQ of each line."""
    return [int(line.split("&")[2].removeprefix("SEQ=")) for line in lines]


def phone_of(link: MemoryLink) -> Phone:
    """Return the server's end of a connection."""
    phone = link.server._protocol
    assert isinstance(phone, Phone)
    return phone


@contextmanager
def disk_stands_still(stage: Stage) -> Iterator[None]:
    """Hold SQLite's lock, so that nothing can be written."""
    path = stage.config.data / "kqq.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server with Romeo and Juliet, who are friends, and Paris, where nobody is slowed down."""
    roomy = {"commands_burst": 100_000, "messages_burst": 100_000, "inbox_limit": 10_000}
    async with Stage(tmp_path / "data", **roomy) as stage:
        stage.add(ROMEO, JULIET)
        stage.add(PARIS)
        yield stage


# --- answers -------------------------------------------------------------------------------------


async def test_pipelined_lines_are_answered_in_order(stage: Stage) -> None:
    """Each line has its answer, in order, many in a write, and nothing is mixed up."""
    wire = stage.connect()
    lines = [sign_in_line(ROMEO, seq=1)]
    for seq in range(2, 130, 3):
        lines += [
            message(seq),
            request("Change_Stat", ROMEO, "ST=30", seq=seq + 1),
            request("Dance", ROMEO, seq=seq + 2),
        ]
    await wire.say(*lines[:120])
    await stage.idle()
    assert len(wire.link.writes) < 20
    answers = wire.waiting()
    assert seqs(answers) == list(range(1, 121))
    assert [answer[-6:] for answer in answers[1:7]] == ["&RES=0", "&RES=0", "&RES=1"] * 2
    juliet = await stage.sign_in(JULIET)
    assert texts(juliet.waiting()) == [str(seq) for seq in range(2, 121, 3)]


async def test_any_split_gives_the_same_answers(stage: Stage) -> None:
    """Lines may come in pieces of any size."""
    wire = stage.connect()
    data = "".join(f"{line}\r\n" for line in (sign_in_line(ROMEO, seq=1), message(2), message(3)))
    for sign in data.encode():
        await wire.transport.send(bytes((sign,)))
    await stage.idle()
    assert seqs(wire.waiting()) == [1, 2, 3]


async def test_reply_waits_for_the_disk(stage: Stage) -> None:
    """RES=0 is not said before the message is on disk; what came later waits behind it."""
    wire = await stage.sign_in(ROMEO)
    with disk_stands_still(stage):
        await wire.say(message(1), request("Query_Stat2", ROMEO, seq=2), message(3))
        await stage.turns()
        assert wire.waiting() == []
        assert stage.store.count_messages(JULIET, 9) == 0
    await stage.idle()
    assert stage.store.count_messages(JULIET, 9) == 2
    assert seqs(wire.waiting()) == [1, 2, 3]


async def test_reply_of_a_write_that_fails(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A message that cannot be written is RES=1; those beside it are not harmed."""
    caplog.set_level(logging.INFO)
    stage.store._database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON message WHEN CAST(NEW.text AS TEXT) = '2'"
        " BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    wire = await stage.sign_in(ROMEO)
    await wire.say(message(1), message(2), message(3))
    await stage.idle()
    assert [line[-6:] for line in wire.waiting()] == ["&RES=0", "&RES=1", "&RES=0"]
    assert 'write failed why="no room"' in caplog.text
    assert (
        'refused peer=unknown:0 uin=10001 command=CLTMSG why="cannot write: no room"' in caplog.text
    )
    assert texts((await stage.sign_in(JULIET)).waiting()) == ["1", "3"]


async def test_others_get_their_turn(stage: Stage) -> None:
    """Who sends much at once does not keep others waiting."""
    greedy, modest = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    await greedy.say(*(request("Change_Stat", ROMEO, "ST=10", seq=n) for n in range(1, 601)))
    await modest.say(request("Query_Stat2", PARIS))
    assert "&CMD=QUERY_STAT2&" in await modest.hear()
    assert sum(write.count(b"\r\n") for write in greedy.link.writes) < 300
    await stage.idle()
    assert seqs(greedy.waiting()) == list(range(1, 601))


async def test_answers_after_the_client_stopped_talking(stage: Stage) -> None:
    """Who says the last command and closes its side still gets all answers, then the end."""
    wire = stage.connect()
    await wire.say(sign_in_line(ROMEO, seq=1), message(2), request("Query_Stat2", ROMEO, seq=3))
    wire.link.end()
    heard = [await wire.hear() for _ in range(4)]
    assert seqs(heard[:3]) == [1, 2, 3]
    assert heard[3] == ""
    await stage.idle()
    assert len(stage.server._guests) == 0
    await stage.advance(1)  # until it is noted when they were last seen
    assert stage.clock.due == 0


async def test_connection_that_breaks_while_a_password_is_checked(stage: Stage) -> None:
    """Who is gone before the password was checked gets no answer and no session."""
    await stage.slow_down(ROMEO)
    wire = stage.connect()
    await wire.say(sign_in_line(ROMEO), message(2))
    await stage.password_is_being_checked()
    wire.link.reset()
    await stage.idle()
    assert wire.waiting() == []
    assert len(stage.server._services.sessions) == 0
    assert stage.store.count_messages(JULIET, 9) == 0


async def test_server_that_stops(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """What was accepted is answered before the end; who does not read is cut off soon."""
    caplog.set_level(logging.INFO)
    romeo, deaf, paris = (
        await stage.sign_in(ROMEO),
        await stage.sign_in(JULIET),
        await stage.sign_in(PARIS),
    )
    romeo.waiting()
    deaf.link.stop_reading()
    await romeo.say(message(1), request("Query_Stat2", ROMEO, seq=2))
    await stage.idle()
    with disk_stands_still(stage):
        await romeo.say(message(3), request("Query_Stat2", ROMEO, seq=4))
        await stage.turns()
        stops = asyncio.create_task(stage.restart())
        await stage.turns()
        assert seqs(romeo.waiting()) == [1, 2]
        assert not romeo.link.is_over()
        assert paris.link.is_over()
    heard = [await romeo.hear() for _ in range(3)]
    assert seqs(heard[:2]) == [3, 4]
    assert heard[2] == ""
    assert not deaf.link.is_over()
    stage.clock.advance(2)
    await stops
    assert deaf.link.is_over()
    assert 'gone peer=unknown:0 uin=10002 why="the server stops"' in caplog.text
    assert texts((await stage.sign_in(JULIET)).waiting()) == ["1", "3"]


async def test_half_a_line_is_not_taken(stage: Stage) -> None:
    """A line whose end never came is not acted on."""
    wire = await stage.sign_in(ROMEO)
    await wire.transport.send(message(1).encode())
    wire.link.end()
    assert await wire.hear() == ""
    assert stage.store.count_messages(JULIET, 9) == 0


async def test_connection_that_breaks(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A broken connection ends its session, lets go of all its timers, and is logged."""
    caplog.set_level(logging.INFO)
    juliet = await stage.sign_in(JULIET)
    romeo = await stage.sign_in(ROMEO)
    await romeo.say(message(1))
    romeo.link.reset()
    await stage.idle()
    assert juliet.waiting()[-1].endswith("&ST=20&UN=10001")
    assert 'gone peer=unknown:0 uin=10001 why="lost: reset by peer"' in caplog.text
    juliet.link.end()
    await stage.idle()
    assert 'gone peer=unknown:0 uin=10002 why="closed by the client"' in caplog.text
    await stage.advance(1)  # until it is noted when they were last seen
    assert stage.clock.due == 0


async def test_connection_that_breaks_while_the_disk_works(stage: Stage) -> None:
    """What waits for the disk when its connection breaks is stored, and answered to nobody."""
    romeo = await stage.sign_in(ROMEO)
    with disk_stands_still(stage):
        await romeo.say(message(1))
        await stage.turns()
        romeo.link.reset()
        await stage.turns()
    await stage.idle()
    assert romeo.waiting() == []
    assert texts((await stage.sign_in(JULIET)).waiting()) == ["1"]


# --- pushes --------------------------------------------------------------------------------------


async def test_pushes_come_after_the_reply_to_the_sign_in(stage: Stage) -> None:
    """What waits comes after the sign-in was answered, each in a write of its own."""
    romeo = await stage.sign_in(ROMEO)
    await romeo.say(*(message(n) for n in range(1, 51)))
    await stage.idle()
    juliet = stage.connect()
    for line in (sign_in_line(JULIET), request("Query_Stat2", JULIET)):
        await juliet.say(line)
    await stage.idle()
    assert all(write.count(b"\r\n") == 1 for write in juliet.link.writes)
    lines = juliet.waiting()
    assert "&RS=0&" in lines[0]
    pushes = [line for line in lines if "&CMD=Server_Msg&" in line]
    assert texts(pushes) == [str(n) for n in range(1, 51)]
    assert seqs(pushes) == list(range(FIRST, FIRST + 50))


async def test_message_is_delivered_once_and_deleted(stage: Stage) -> None:
    """A client that stays gets each message once; what it got is deleted."""
    juliet = await stage.sign_in(JULIET)
    romeo = await stage.sign_in(ROMEO)
    for number in range(1, 31):
        await romeo.say(message(number))
        if number % 7 == 0:
            await stage.idle()
            await juliet.say(sign_in_line(JULIET))  # on the same connection, any time
    await stage.idle()
    assert texts(juliet.waiting()) == [str(n) for n in range(1, 31)]
    await stage.advance(2 * stage.config.arrival_time)
    assert stage.store.count_messages(JULIET, 9) == 0
    await stage.restart()
    assert texts((await stage.sign_in(JULIET)).waiting()) == []


async def test_unread_message_is_delivered_again(stage: Stage) -> None:
    """What was handed to a connection that breaks unread waits for the next sign-in."""
    romeo = await stage.sign_in(ROMEO)
    lost = await stage.sign_in(JULIET)
    lost.link.stop_reading()
    await romeo.say(*(message(n) for n in range(1, 31)))
    await stage.idle()
    assert phone_of(lost.link)._is_full
    assert stage.store.count_messages(JULIET, 99) == 30
    lost.link.reset()
    await stage.idle()
    again = await stage.sign_in(JULIET)
    assert texts(again.waiting()) == [str(n) for n in range(1, 31)]
    await stage.idle()
    await stage.advance(2 * stage.config.arrival_time)
    assert stage.store.count_messages(JULIET, 99) == 0


async def test_a_message_has_the_same_number_whenever_it_is_pushed(stage: Stage) -> None:
    """So that a client that was cut off can tell; statuses are counted by connection."""
    romeo, lost = await stage.sign_in(ROMEO), await stage.sign_in(JULIET)
    await romeo.say(request("Change_Stat", ROMEO, "ST=30"))
    await stage.idle()
    assert seqs(lost.waiting()) == [1]
    lost.link.stop_reading()
    await romeo.say(message(1))
    await stage.idle()
    (written,) = lost.link.server._outgoing  # whether it was read before the cut, who knows
    lost.link.reset()
    await stage.restart()
    again = await stage.sign_in(JULIET)
    assert again.waiting() == [written.decode().removesuffix("\r\n")]
    romeo = await stage.sign_in(ROMEO)
    await romeo.say(message(2), request("Change_Stat", ROMEO, "ST=30"))
    await stage.idle()
    assert sorted(seqs(again.waiting())) == [1, 2, FIRST + 1]


async def test_message_written_to_a_broken_connection_is_kept(stage: Stage) -> None:
    """A connection whose break is found by writing to it has got nothing."""
    romeo, lost = await stage.sign_in(ROMEO), await stage.sign_in(JULIET)
    lost.link.is_broken = True
    await romeo.say(*(message(n) for n in range(1, 4)))
    await stage.idle()
    assert len(stage.server._guests) == 1
    assert stage.store.count_messages(JULIET, 9) == 3
    assert texts((await stage.sign_in(JULIET)).waiting()) == ["1", "2", "3"]


async def test_unread_message_goes_to_the_later_session(stage: Stage) -> None:
    """A session that takes over gets what the older left unread; reading late deletes nothing."""
    romeo = await stage.sign_in(ROMEO)
    older = await stage.sign_in(JULIET)
    older.link.stop_reading()
    await romeo.say(message(1), message(2))
    await stage.idle()
    newer = stage.connect()
    newer.link.stop_reading()
    await newer.say(sign_in_line(JULIET))
    await stage.idle()
    older.link.start_reading()
    await stage.idle()
    assert stage.store.count_messages(JULIET, 9) == 2
    newer.link.start_reading()
    await stage.idle()
    assert texts(newer.waiting()) == ["1", "2"]
    await stage.advance(2 * stage.config.arrival_time)
    assert stage.store.count_messages(JULIET, 9) == 0


async def test_no_pushes_after_signing_out(stage: Stage) -> None:
    """What comes after the sign-out waits for the next sign-in, on the same connection, too."""
    romeo, juliet = await stage.sign_in(ROMEO), await stage.sign_in(JULIET)
    assert "&RES=0" in await juliet.ask(request("Logout", JULIET))
    romeo.waiting()
    assert (await romeo.ask(message(1))).endswith("&RES=0")
    await stage.idle()
    assert juliet.waiting() == []
    await juliet.say(sign_in_line(JULIET))
    await stage.idle()
    assert texts(juliet.waiting()) == ["1"]


@pytest.mark.parametrize("line", ["{}\n", "\x7f{}\r\n"])
async def test_breath(stage: Stage, line: str) -> None:
    """Clients with old habits get one push at a time, with a gap after each write."""
    romeo = await stage.sign_in(ROMEO)
    juliet = stage.connect()
    await juliet.transport.send(line.format(sign_in_line(JULIET)).encode())
    await stage.idle()
    assert len(juliet.waiting()) == 1
    await romeo.say(*(message(n) for n in range(1, 4)))
    await stage.idle()
    for number in range(1, 4):
        assert juliet.waiting() == []
        await stage.advance(0.04)
        assert juliet.waiting() == []
        await stage.advance(0.01)
        assert texts(juliet.waiting()) == [str(number)]
    await stage.advance(10)
    await romeo.say(message(4))
    await stage.idle()
    assert texts(juliet.waiting()) == ["4"]
    await stage.advance(2 * stage.config.arrival_time)
    # Who leaves while a push is held back loses nothing.
    await romeo.say(message(5))
    await stage.idle()
    juliet.link.reset()
    await stage.advance(1)
    assert texts((await stage.sign_in(JULIET)).waiting()) == ["5"]


async def test_old_habits_and_many_lines_at_once(stage: Stage) -> None:
    """Who sends a thousand lines but reads one at a time gets all answers, in order, apart."""
    wire = stage.connect()
    asked = [request("Query_Stat2", ROMEO, "CM=2&UN=0", seq=n) for n in range(2, 1001)]
    await wire.transport.send("\n".join([sign_in_line(ROMEO, seq=1), *asked, ""]).encode())
    heard = []
    for _ in range(1000):
        await stage.idle()
        assert len(phone_of(wire.link)._outgoing) <= stage.config.replies_limit
        (line,) = wire.waiting()
        heard.append(line)
        stage.clock.advance(stage.config.breath)
    assert seqs(heard) == list(range(1, 1001))


async def test_slow_reader_costs_nothing(stage: Stage) -> None:
    """For who does not read, pushes wait on disk; a handful at most is in memory."""
    romeo, juliet = await stage.sign_in(ROMEO), await stage.sign_in(JULIET)
    juliet.waiting()
    juliet.link.stop_reading()
    for first in range(0, 1000, 100):
        await romeo.say(*(message(n) for n in range(first, first + 100)))
        await stage.idle()
        outgoing = phone_of(juliet.link)._outgoing
        held = juliet.link.server.get_write_buffer_size() + sum(
            len(data) for data, _, _ in outgoing._waiting
        )
        assert held < 5000
    juliet.link.start_reading()
    await stage.idle()
    assert texts(juliet.waiting()) == [str(n) for n in range(1000)]


def put(stage: Stage, to: int, *said: str) -> None:
    """Have messages wait for somebody whose connection does not look yet."""
    for text in said:
        stage.store._database.execute(
            "INSERT INTO message (receiver, sender, kind, text, sent) VALUES (?, ?, ?, ?, 0)",
            to, ROMEO, "message", text.encode(),
        )  # fmt: skip
    if (session := stage.server._services.sessions.of(to)) is not None:
        session.fresh = None


async def test_asking_for_messages_on_a_connection(stage: Stage) -> None:
    """What a client asks for is not pushed, what was pushed is not in the answer; all is once."""
    romeo, juliet = await stage.sign_in(ROMEO), stage.connect()
    await juliet.transport.send(f"{sign_in_line(JULIET)}\n".encode())
    await stage.advance(1)
    juliet.waiting()
    await romeo.say(*(message(n) for n in range(1, 7)))
    await stage.idle()
    assert texts(juliet.waiting()) == ["1"]
    await juliet.transport.send(f"{request('GetMsgEx', JULIET)}\n".encode())  # "2" is on its way
    await romeo.say(message(7))
    await stage.idle()
    lines = []
    for _ in range(10):
        await stage.advance(stage.config.breath)
        lines += juliet.waiting()
    assert texts(lines) == ["2", "7"]
    assert lines[1] == (
        "VER=1.1&CMD=GETMSGEX&SEQ=201&UIN=10002&RES=0&MN=4&MT=9,9,9,9,"
        "&UN=10001,10001,10001,10001,&MG=3,4,5,6,"
    )
    assert stage.store.count_messages(JULIET, 9) == 0
    answer = "VER=1.1&CMD=GETMSGEX&SEQ=201&UIN=10002&RES=0&MN=0"
    await juliet.transport.send(f"{request('GetMsgEx', JULIET)}\n".encode())
    await stage.idle()
    assert juliet.waiting() == [answer]


@pytest.mark.parametrize("breaks", [False, True])
async def test_pushes_wait_for_an_answer_with_messages(tmp_path: Path, breaks: bool) -> None:
    """While an answer that carries messages waits for the disk, later ones are not pushed.

    Else a push that arrives would have the messages deleted that are still to be said.
    """
    async with Stage(tmp_path, take_limit=1) as stage:
        stage.add(ROMEO, JULIET)
        juliet = await stage.sign_in(JULIET)
        put(stage, JULIET, "one", "two")
        with disk_stands_still(stage):
            said = message(2, sender=JULIET, to=ROMEO)
            await juliet.say(said, request("GetMsgEx", JULIET, seq=3))
            await stage.turns()
            stage.server._services.sessions.wake(JULIET)
            await stage.turns()
            assert juliet.waiting() == []
            if breaks:
                juliet.link.reset()
        await stage.idle()
        if breaks:
            juliet = await stage.sign_in(JULIET)
            assert texts(juliet.waiting()) == ["one", "two"]
        else:
            lines = juliet.waiting()
            assert seqs(lines) == [2, 3, FIRST + 1]
            assert lines[1].endswith("&MG=one,")
            assert texts(lines) == ["two"]
        await stage.advance(2 * stage.config.arrival_time)
        assert stage.store.count_messages(JULIET, 9) == 0


@pytest.mark.parametrize("line", [request("Logout", JULIET), sign_in_line(PARIS)])
async def test_pushes_that_wait_end_with_their_session(stage: Stage, line: str) -> None:
    """Who signs out, or makes room for somebody else, gets no push after that; it is not lost."""
    put(stage, PARIS, "for Paris")
    romeo, wire = await stage.sign_in(ROMEO), stage.connect()
    await wire.transport.send(f"{sign_in_line(JULIET)}\n".encode())
    await stage.advance(1)
    await romeo.say(message(1), message(2))  # the second waits for a breath
    await stage.idle()
    assert texts(wire.waiting()) == ["1"]
    await wire.transport.send(f"{line}\n".encode())
    for _ in range(2):
        await stage.advance(stage.config.breath)
    assert texts(wire.waiting()) in ([], ["for Paris"])
    wire.link.reset()
    await stage.idle()
    assert texts((await stage.sign_in(JULIET)).waiting()) == ["2"]
    await stage.idle()
    await stage.advance(2 * stage.config.arrival_time)
    assert stage.store.count_messages(JULIET, 9) == 0


async def test_answers_of_one_delete_nothing_of_another(stage: Stage) -> None:
    """An answer with messages that waits for the disk while somebody else signs in is nobody's."""
    put(stage, PARIS, "for Paris")
    juliet = await stage.sign_in(JULIET)
    put(stage, JULIET, "for Juliet")
    with disk_stands_still(stage):
        await juliet.say(message(2, sender=JULIET, to=ROMEO))
        await juliet.say(request("GetMsgEx", JULIET, seq=3))
        await juliet.say(sign_in_line(PARIS, seq=4))
        while stage.server._services.sessions.of(PARIS) is None:
            await stage.turns()
        assert juliet.waiting() == []
    await stage.idle()
    lines = juliet.waiting()
    assert seqs(lines) == [2, 3, 4, FIRST]
    assert lines[1].endswith("&MG=for Juliet,")
    assert texts(lines) == ["for Paris"]


async def test_pushes_that_are_dropped_make_room(tmp_path: Path) -> None:
    """Who is kicked while so much waits that no more is read is read again."""
    async with Stage(tmp_path, replies_limit=1) as stage:
        stage.add(ROMEO, JULIET)
        put(stage, JULIET, "one")
        juliet = stage.connect()
        await juliet.transport.send(f"{sign_in_line(JULIET)}\n".encode())
        await stage.idle()
        assert len(juliet.waiting()) == 1  # the push waits for a breath
        await juliet.transport.send(f"{request('Query_Stat2', JULIET, seq=3)}\n".encode())
        await stage.idle()
        assert not juliet.link.server.is_reading()
        stage.server._services.sessions.kick(JULIET, "for a test")
        await stage.advance(stage.config.breath)
        assert juliet.waiting() == ["VER=1.1&CMD=QUERY_STAT2&SEQ=3&UIN=10002&RES=20"]
        assert stage.store.count_messages(JULIET, 9) == 1


async def test_what_arrives_of_one_deletes_nothing_of_another(stage: Stage) -> None:
    """An answer with messages that waits when somebody else signs in counts for nobody."""
    put(stage, PARIS, "for Paris")
    wire = stage.connect()
    await wire.transport.send(f"{sign_in_line(JULIET)}\n".encode())
    await stage.idle()
    put(stage, JULIET, "one")
    lines = (request("GetMsgEx", JULIET), sign_in_line(PARIS))
    await wire.transport.send("".join(f"{line}\n" for line in lines).encode())
    await stage.idle()
    phone = phone_of(wire.link)
    assert [last for _, last, _ in phone._outgoing._waiting] == [None, None]
    wire.waiting()
    await stage.advance(stage.config.breath)
    assert wire.waiting()[0].endswith("&MG=one,")
    wire.link.reset()
    await stage.idle()
    assert texts((await stage.sign_in(PARIS)).waiting()) == ["for Paris"]


async def test_signing_in_again_drops_no_push(stage: Stage) -> None:
    """What waits for a breath is still said after the same person signs in on the connection."""
    romeo, wire = await stage.sign_in(ROMEO), stage.connect()
    await wire.transport.send(f"{sign_in_line(JULIET)}\n".encode())
    await stage.advance(1)
    await romeo.say(message(1), message(2))
    await stage.idle()
    wire.waiting()
    await wire.transport.send(f"{sign_in_line(JULIET)}\n".encode())
    for _ in range(4):
        await stage.advance(stage.config.breath)
    assert texts(wire.waiting()) == ["2"]
    assert stage.store.count_messages(JULIET, 9) == 0


# --- floods --------------------------------------------------------------------------------------


async def test_flood_of_commands_is_slowed_down(tmp_path: Path) -> None:
    """Who says more than an account may is answered more and more slowly; others notice nothing."""
    async with Stage(tmp_path, commands_burst=50, commands_rate=20.0) as stage:
        stage.add(ROMEO, JULIET)
        romeo, juliet = await stage.sign_in(ROMEO), await stage.sign_in(JULIET)
        romeo.waiting()
        await romeo.say(*(request("Query_Stat2", ROMEO, seq=n) for n in range(10_000)))
        await stage.idle()
        phone = phone_of(romeo.link)
        heard = len(romeo.waiting())
        assert 50 <= heard <= 51
        for _ in range(4):
            for _ in range(100):
                await stage.advance(0.05)
            more = len(romeo.waiting())
            assert 99 <= more <= 101
            heard += more
            assert "&RES=0" in await juliet.ask(request("Query_Stat2", JULIET))
        assert not romeo.link.server.is_reading()
        assert len(phone._lines) < 100
        assert romeo.link.server.unread > 100_000
        romeo.link.reset()
        await stage.idle()
        juliet.link.reset()
        await stage.idle()
        assert stage.clock.due == 0


async def test_flood_is_that_of_the_account_not_of_the_connection(tmp_path: Path) -> None:
    """Who connects anew is slowed down as before; what a stranger says is counted by address."""
    async with Stage(tmp_path, commands_burst=20, commands_rate=1.0, nonsense_limit=1000) as stage:
        stage.add(ROMEO, JULIET)
        for answered in (20, 1):
            wire = stage.connect(("192.0.2.7", 1))
            await wire.say(sign_in_line(ROMEO, seq=0))
            await stage.idle()
            await wire.say(*(request("Query_Stat2", ROMEO, seq=n) for n in range(1, 100)))
            await stage.idle()
            assert answered <= len(wire.waiting()) - 1 <= answered + 1
            wire.link.reset()
        strangers = [stage.connect(("192.0.2.8", port)) for port in range(2)]
        for stranger in strangers:
            await stranger.say(*(request("Query_Stat2", JULIET) for _ in range(150)))
        await stage.idle()
        assert 200 <= sum(len(stranger.waiting()) for stranger in strangers) <= 202
        other = stage.connect(("192.0.2.9", 1))
        assert "&RS=0&" in await other.ask(sign_in_line(JULIET))


# --- bad input -----------------------------------------------------------------------------------


@asynccontextmanager
async def others_notice_nothing(stage: Stage) -> AsyncIterator[None]:
    """Have two people talk before and after."""
    romeo, juliet = await stage.sign_in(ROMEO), await stage.sign_in(JULIET)
    await romeo.hear()
    for number in (1, 2):
        assert (await romeo.ask(message(number))).endswith("&RES=0")
        assert texts([await juliet.hear()]) == [str(number)]
        if number == 1:
            yield


@pytest.mark.parametrize(
    "data", [b"VER=1.4&MG=" + b"a" * 65536 + b"\r\n", b"x" * 1_000_000], ids=["line", "megabyte"]
)
async def test_line_without_end(
    stage: Stage, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A line over 64 KiB, ended or not, closes its connection, with the reason in the log."""
    async with others_notice_nothing(stage):
        wire = stage.connect()
        await wire.say(request("Logout", PARIS, seq=1))
        await wire.transport.send(data + request("Logout", PARIS, seq=2).encode() + b"\r\n")
        await stage.idle()
        assert seqs(wire.waiting()) == [1]
        assert wire.link.is_over()
        assert re.search("closed peer=unknown:0 why=.a line is longer than 65536", caplog.text)
        assert len(stage.server._guests) == 2


async def test_longest_line_is_taken(stage: Stage) -> None:
    """A message of the longest text arrives, though every sign has four bytes."""
    romeo, juliet = await stage.sign_in(ROMEO), await stage.sign_in(JULIET)
    await romeo.hear()
    text = "😀" * stage.config.text_limit
    assert (await romeo.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG={text}"))).endswith("RES=0")
    assert texts([await juliet.hear()]) == [text]


async def test_every_vector_is_survived(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever line comes, from somebody signed in or not, no part of the server fails."""
    for vector in VECTORS:  # some of them are sign-ins of Romeo and Juliet that succeed
        for begin in (request("Logout", PARIS, seq=8), sign_in_line(PARIS)):
            wire = stage.connect()
            await wire.transport.send(begin.encode() + b"\r\n" + vector.raw + b"\r\n")
            await wire.say(request("Logout", PARIS, seq=9))
            await stage.advance(1)
            assert seqs(wire.waiting())[-1] == 9, vector.name
            wire.link.end()
            await stage.idle()
            assert wire.link.is_over()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_ten_thousand_commands_before_sign_in(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Who goes on without a sign-in is answered fifty times, then closed; others notice nothing."""
    async with others_notice_nothing(stage):
        wire = stage.connect()
        await wire.say(*(request("Query_Stat2", PARIS, seq=n) for n in range(1, 10_001)))
        await stage.idle()
        lines = wire.waiting()
        assert seqs(lines) == list(range(1, stage.config.nonsense_limit + 1))
        assert {line[-7:] for line in lines} == {"&RES=20"}
        assert wire.link.is_over()
        assert 'why="too many lines that cannot be read or need a sign-in"' in caplog.text


async def test_nonsense_is_forgiven_with_time(stage: Stage) -> None:
    """A line of nonsense now and then, as ZNQQ says before it signs in, ends nothing."""
    wire = stage.connect()
    for _ in range(stage.config.nonsense_limit):
        assert (await wire.ask(request("Query_Stat2", ROMEO))).endswith("&RES=20")
    for _ in range(20):
        await stage.advance(stage.config.nonsense_refill)
        assert (await wire.ask(request("Query_Stat2", ROMEO))).endswith("&RES=20")
    await wire.say("nonsense")
    assert await wire.hear() == ""


async def test_nonsense_of_who_is_signed_in(stage: Stage) -> None:
    """Unreadable lines are counted after the sign-in, too, with or without answers."""
    wire = await stage.sign_in(ROMEO)
    half = stage.config.nonsense_limit // 2
    await wire.say(*["hello"] * half, *[request("CLTMSG", ROMEO, "UN=x&MG=")] * half, message(7))
    await stage.idle()
    assert seqs(wire.waiting()) == [201] * half + [7]
    await wire.say("hello", message(8))
    assert await wire.hear() == ""
    assert stage.store.count_messages(JULIET, 9) == 1


async def test_client_that_does_not_read(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Who does not read is not read, and cut off after a while; others notice nothing."""
    async with others_notice_nothing(stage):
        add_person(stage.store, 20001)
        deaf = await stage.sign_in(20001)
        deaf.link.stop_reading()
        lines = "\r\n".join(request("Query_Stat2", 20001, seq=n) for n in range(1, 50_001))
        await deaf.transport.send(lines.encode())
        await stage.idle()
        phone = phone_of(deaf.link)
        assert not deaf.link.server.is_reading()
        assert deaf.link.server.get_write_buffer_size() < 20_000
        assert len(phone._lines) < 1000
        assert len(phone._replies) == 0
        assert deaf.link.server.unread > 3_000_000
        await stage.advance(stage.config.slow_reader_time - 1)
        assert len(stage.server._guests) == 3
        await stage.advance(1)
        assert len(stage.server._guests) == 2
        assert 'closed peer=unknown:0 why="left unread what it was sent for 60 s"' in caplog.text


async def test_client_that_reads_late(stage: Stage) -> None:
    """Who reads again in time gets everything, answers and pushes, in order."""
    wire = await stage.sign_in(ROMEO)
    juliet = await stage.sign_in(JULIET)
    await stage.idle()
    wire.waiting()
    wire.link.stop_reading()
    await wire.say(*(request("Query_Stat2", ROMEO, seq=n) for n in range(1, 1001)))
    await juliet.say(*(message(n, sender=JULIET, to=ROMEO) for n in range(1, 101)))
    await stage.idle()
    await stage.advance(stage.config.slow_reader_time - 1)
    wire.link.start_reading()
    await stage.idle()
    lines = wire.waiting()
    assert seqs([line for line in lines if "&CMD=QUERY_STAT2&" in line]) == list(range(1, 1001))
    assert texts(lines) == [str(n) for n in range(1, 101)]
    await stage.advance(1000)
    assert len(stage.server._guests) == 2


async def test_flood_while_the_disk_stands_still(stage: Stage) -> None:
    """Who sends more than the disk takes is not read meanwhile; what it sent is then done."""
    wire = await stage.sign_in(ROMEO)
    with disk_stands_still(stage):
        await wire.say(*(message(n) for n in range(1, 5001)))
        await stage.turns(200)
        phone = phone_of(wire.link)
        assert not wire.link.server.is_reading()
        assert len(phone._replies) == stage.config.replies_limit
        assert len(phone._lines) < 1000
        assert wire.link.server.unread > 300_000
    await stage.idle()
    assert seqs(wire.waiting()) == list(range(1, 5001))
    assert stage.store.count_messages(JULIET, 9999) == 5000


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("limit", [1, 2])
async def test_the_smallest_limits_hold_up_nobody(
    tmp_path: Path, end: str, at_once: bool, limit: int
) -> None:
    """Whatever the client is like, it is read again once its answers are out."""
    async with Stage(tmp_path, replies_limit=limit, turn_limit=1, take_limit=1) as stage:
        stage.add(ROMEO, JULIET)
        romeo, juliet = stage.connect(), await stage.sign_in(JULIET)
        lines = [sign_in_line(ROMEO, seq=1)]
        lines += [message(n) if n % 2 else request("GetMsgEx", ROMEO, seq=n) for n in range(2, 12)]
        pieces = ["".join(f"{line}{end}" for line in lines)] if at_once else []
        for piece in pieces or (f"{line}{end}" for line in lines):
            await romeo.transport.send(piece.encode())
        await juliet.say(*(message(n, sender=JULIET, to=ROMEO) for n in range(1, 4)))
        heard = []
        for _ in range(40):
            await stage.advance(stage.config.breath)
            heard += romeo.waiting()
        replies = [line for line in heard if "&CMD=Server_Msg&" not in line and "&ST=" not in line]
        assert seqs(replies) == list(range(1, 12))
        brought = [line for line in heard if "&MG=" in line]
        said = [text for line in brought for text in line.rpartition("&MG=")[2].split(",") if text]
        assert said == ["1", "2", "3"]
        assert texts(juliet.waiting()) == ["3", "5", "7", "9", "11"]


async def test_flood_while_a_password_is_checked(stage: Stage) -> None:
    """What follows a sign-in waits for it, and is bounded, too."""
    await stage.slow_down(ROMEO)
    wire = stage.connect()
    await wire.say(sign_in_line(ROMEO, seq=1), *(message(n) for n in range(2, 5001)))
    await stage.password_is_being_checked()
    assert len(phone_of(wire.link)._lines) < 1000
    await stage.idle()
    assert seqs(wire.waiting()) == list(range(1, 5001))


async def test_half_a_line_after_a_full_turn(tmp_path: Path) -> None:
    """A turn's worth of lines, a piece full, and half a line: the other half is still read."""
    turn, piece = 16, 2048
    async with Stage(tmp_path, turn_limit=turn) as stage:
        add_person(stage.store, ROMEO)
        wire = await stage.sign_in(ROMEO)
        asked = [request("Query_Stat2", ROMEO, "CM=2&UN=0&X=", seq=n) for n in range(turn)]
        data = "".join(f"{line.ljust(piece // turn - 2, 'x')}\r\n" for line in asked).encode()
        assert len(data) == piece
        last = f"{request('Logout', ROMEO, seq=77)}\r\n".encode()
        await wire.transport.send(data + last[:20])
        await stage.idle()
        await wire.transport.send(last[20:])
        await stage.idle()
        assert seqs(wire.waiting()) == [*range(turn), 77]


async def test_flood_of_short_lines(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Of many short lines no more are read at once than a small piece holds."""
    caplog.set_level(logging.INFO)
    wire = stage.connect()
    visitor = wire.link.server._protocol
    visitor.data_received(f"{sign_in_line(ROMEO)}\r\n".encode() + b"abc\n" * 60_000)
    phone = phone_of(wire.link)
    await stage.turns()
    assert len(phone._lines) <= 2048 / 4
    await stage.idle()
    assert wire.link.writes.popleft().startswith(b"VER=1.1&CMD=Login&")
    assert wire.link.is_over()
    assert caplog.text.count("unreadable") == stage.config.nonsense_limit + 1


async def test_nobody_signs_in(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A connection without a sign-in ends after a while; after a sign-out it begins anew."""
    idle, romeo = stage.connect(), await stage.sign_in(ROMEO)
    await idle.ask(request("Query_Stat2", PARIS))
    await stage.advance(stage.config.sign_in_time - 1)
    assert len(stage.server._guests) == 2
    await stage.advance(1)
    assert idle.link.is_over()
    assert 'closed peer=unknown:0 why="nobody signed in for 300 s"' in caplog.text
    await stage.advance(10 * stage.config.sign_in_time)
    await romeo.ask(request("Logout", ROMEO))
    await stage.advance(stage.config.sign_in_time - 1)
    assert not romeo.link.is_over()
    await romeo.ask(sign_in_line(ROMEO))
    await stage.advance(stage.config.sign_in_time)
    assert not romeo.link.is_over()
    newer = await stage.sign_in(ROMEO)
    await stage.advance(stage.config.sign_in_time)
    assert romeo.link.is_over()  # it was replaced, and did not sign in again
    assert not newer.link.is_over()


async def test_closed_while_answers_wait_for_the_disk(stage: Stage) -> None:
    """Who is closed for nonsense still gets the answers to what was accepted before."""
    wire = await stage.sign_in(ROMEO)
    with disk_stands_still(stage):
        await wire.say(message(1), *["hello"] * 51, message(2))
        await stage.turns()
        assert not wire.link.is_over()
        await wire.say(message(3))
        wire.link.end()
        await stage.turns()
        assert not wire.link.is_over()
    assert seqs([await wire.hear()]) == [1]
    assert await wire.hear() == ""
    await stage.idle()
    assert stage.store.count_messages(JULIET, 9) == 1


# --- the log -------------------------------------------------------------------------------------


async def test_no_secret_in_the_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Neither passwords, nor what is sent of them, nor SG and SSG are in any record."""
    caplog.set_level(logging.DEBUG)
    wrong = "0123456789ABCDEF0123456789ABCDEF"
    replies = []
    async with asyncio.timeout(30):
        for line in (
            sign_in_line(ROMEO),
            sign_in_line(ROMEO, password=wrong),
            sign_in_line(99),
            sign_in_line(ROMEO).replace("LC=8", "LC=x"),
            sign_in_line(ROMEO).replace("VER=1.4", "VER=2.7"),
            sign_in_line(ROMEO).replace("UIN=10001", "UIN=me"),
            sign_in_line(ROMEO).replace("CMD=Login", "CMD=Logon"),
            sign_in_line(ROMEO).replace("CMD=Login&", ""),
            sign_in_line(ROMEO).replace("&PS=", "&&ps ="),
            sign_in_line(ROMEO, password=f"{MD5}&PS={MD5}"),
            sign_in_line(ROMEO, password=f"{MD5}!"),
            f"PS={MD5}",
            f"VER=1.4&CMD=VERIFYCODE&PS={MD5}&SG={wrong}&SSG={wrong}",
            f"\udcff\x00VER=1.4&PS={MD5}&UIN=\udcff",
            f"VER=1.1&CMD=Login&SEQ=1&UIN=1&PS={MD5}&MG={'x' * 70_000}",
        ):
            wire = stage.connect()
            await wire.say(line)
            await stage.idle()
            replies += wire.waiting()
            wire.link.reset()
            await stage.idle()
    sg, ssg = (part.partition("=")[2] for part in replies[0].split("&")[-2:])
    assert len(caplog.records) > 30
    for record in caplog.records:
        shown = f"{record.getMessage()} {record.exc_text} {record.args}"
        for secret in ("secret", MD5, MD5.lower(), wrong, sg, ssg):
            assert secret not in shown


@pytest.mark.parametrize(
    "line",
    [
        sign_in_line(10999),
        request("Logout", ROMEO),
        request("VERIFYCODE", ROMEO, "SC=2&VC=ABCD"),
        sign_in_line(ROMEO, password="0" * 32),
    ],
    ids=["unknown number", "sign-out", "captcha", "wrong password"],
)
async def test_whatever_is_said_without_a_sign_in_is_counted(stage: Stage, line: str) -> None:
    """Ten thousand commands before a sign-in end the connection, whichever they are."""
    wire = stage.connect()
    for _ in range(stage.config.nonsense_limit):
        assert await wire.ask(line) != ""
    assert await wire.ask(line) == ""


async def test_signing_in_again_and_again_is_no_nonsense(stage: Stage) -> None:
    """A client may sign in before every command (SET_MQQ)."""
    wire = stage.connect()
    for _ in range(3 * stage.config.nonsense_limit):
        assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))


async def test_empty_lines_are_counted_by_the_piece(stage: Stage) -> None:
    """A stray line end costs nothing, a flood of them ends the connection."""
    wire = await stage.sign_in(ROMEO)
    for _ in range(3 * stage.config.nonsense_limit):
        await wire.transport.send(b"\r\n\r\n")
        await stage.idle()
    assert "RES=0" in await wire.ask(request("Query_Stat2", ROMEO, "CM=2&UN=0"))
    await wire.transport.send(b"\n" * 1_000_000)
    assert await wire.hear() == ""


async def test_a_password_nobody_waits_for_is_not_checked(stage: Stage) -> None:
    """When a client goes, its password check does not hold up those of others."""
    await stage.slow_down(ROMEO)
    wires = [stage.connect() for _ in range(20)]
    for wire in wires:
        await wire.say(sign_in_line(ROMEO, password="0" * 32))
        await stage.password_is_being_checked()
    for wire in wires:
        wire.link.reset()
    await stage.idle()
    assert stage.server._accounts._waiting == 0


async def test_signing_in_again_on_the_same_connection_repeats_nothing(stage: Stage) -> None:
    """Messages on their way to a connection are not sent to it again after its next sign-in."""
    juliet = await stage.sign_in(JULIET)
    romeo = await stage.sign_in(ROMEO)
    await stage.idle()
    juliet.waiting()
    juliet.link.stop_reading()
    for seq in range(5):
        assert "RES=0" in await romeo.ask(message(seq))
    await juliet.say(sign_in_line(JULIET))
    await stage.idle()
    juliet.link.start_reading()
    await stage.idle()
    lines = juliet.waiting()
    assert sum("CMD=Server_Msg" in line for line in lines) == 5
    assert sum("CMD=Login" in line for line in lines) == 1
    await stage.advance(2 * stage.config.arrival_time)
    await stage.idle()
    assert stage.store.count_messages(JULIET, 9) == 0


async def test_commands_before_a_broken_line_are_answered(stage: Stage) -> None:
    """What came before a line that is too long is done and answered; then the connection ends."""
    wire = stage.connect()
    too_long = "x" * 70_000
    await wire.say(sign_in_line(ROMEO), message(1), request("Query_Stat2", ROMEO), too_long)
    heard = [await wire.hear() for _ in range(4)]
    assert ["Login" in heard[0], "CLTMSG" in heard[1], "QUERY_STAT2" in heard[2]] == [True] * 3
    assert heard[3] == ""
    assert stage.store.count_messages(JULIET, 9) == 1


async def test_what_cannot_be_pushed_holds_up_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """A message no line can carry, which no client could send, is logged; the rest goes out."""
    await stage.store.add_message(ROMEO, JULIET, "one", 0.0)
    await stage.store.add_message(ROMEO, JULIET, "&" * 30_000, 0.0)
    await stage.store.add_message(ROMEO, JULIET, "two", 0.0)
    juliet = await stage.sign_in(JULIET)
    await stage.idle()
    assert [line[-6:] for line in juliet.waiting()] == ["MG=one", "MG=two"]
    assert "cannot be pushed" in caplog.text


async def test_answer_that_no_line_can_carry(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that would be too long is a refusal, logged, and the connection goes on."""
    juliet = await stage.sign_in(JULIET)
    put(stage, JULIET, "&" * 30_000)
    assert (await juliet.ask(request("GetMsgEx", JULIET))).endswith("&RES=1")
    assert "would be a line of" in caplog.text
    assert "&RES=0" in await juliet.ask(request("Query_Stat2", JULIET))


# --- messages ------------------------------------------------------------------------------------


async def test_plain_messages_go_the_short_way(stage: Stage) -> None:
    """What waits for the disk is a line already; said otherwise, it is a reply."""
    wire = await stage.sign_in(ROMEO)
    other = message(2).replace("VER=1.4&CON=1", "CON=1&VER=1.4")
    with disk_stands_still(stage):
        await wire.say(message(1), other)
        await stage.turns()
        first, second = (pending[1] for pending in phone_of(wire.link)._replies)
        assert first == b"VER=1.1&CMD=CLTMSG&SEQ=1&UIN=10001&RES=0\r\n"
        assert isinstance(second, CltMsgReply)
    await stage.idle()
    assert seqs(wire.waiting()) == [1, 2]


async def test_who_pipelines_gets_one_write_for_what_is_due(stage: Stage) -> None:
    """For the replies to lines that came together, and for messages stored together."""
    wires = [await stage.sign_in(uin) for uin in (ROMEO, JULIET)]
    for wire, uin in zip(wires, (ROMEO, JULIET), strict=True):
        lines = [request("Query_Stat2", uin, "UN=0", seq=seq) for seq in range(10)]
        wire.waiting()
        await wire.say(*lines)
        await stage.idle()
        assert [write.count(b"\r\n") for write in wire.link.writes] == [10]
        wire.waiting()
    metrics = stage.server._services.metrics
    before = metrics.bytes_out
    await wires[0].say(*(message(number) for number in range(10)))
    await stage.idle()
    writes = [list(wire.link.writes) for wire in wires]
    assert [[write.count(b"\r\n") for write in some] for some in writes] == [[10], [10]]
    assert metrics.bytes_out - before == sum(len(write) for some in writes for write in some)
