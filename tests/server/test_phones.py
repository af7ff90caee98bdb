"""Connections: answers in order, pushes in their turn, everything bounded whatever clients do."""

import asyncio
import logging
import re
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from kqq.client import Address, Tcp
from kqq.server import Config, Listen, Server
from kqq.server.phones import Phone
from stage import (
    JULIET,
    MD5,
    PARIS,
    ROMEO,
    MemoryLink,
    Stage,
    Wire,
    add_person,
    request,
    sign_in_line,
)
from vectors import VECTORS


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


# --- answers -------------------------------------------------------------------------------------


async def test_pipelined_lines_are_answered_in_order(stage: Stage) -> None:
    """Each line has its answer, in order, each in a write of its own, and nothing is mixed up."""
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
    assert all(write.count(b"\r\n") == 1 for write in wire.link.writes)
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
    assert "write failed error=no room" in caplog.text
    assert "refused peer=unknown command=CLTMSG why=StoreError" in caplog.text
    assert texts((await stage.sign_in(JULIET)).waiting()) == ["1", "3"]


async def test_others_get_their_turn(stage: Stage) -> None:
    """Who sends much at once does not keep others waiting."""
    greedy, modest = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    await greedy.say(*(request("Change_Stat", ROMEO, "ST=10", seq=n) for n in range(1, 601)))
    await modest.say(request("Query_Stat2", PARIS))
    assert "&CMD=QUERY_STAT2&" in await modest.hear()
    assert len(greedy.link.writes) < 300
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
    assert len(stage.server._phones) == 0
    assert stage.clock.due == 0


async def test_connection_that_breaks_while_a_password_is_checked(stage: Stage) -> None:
    """Who is gone before the password was checked gets no answer and no session."""
    wire = stage.connect()
    await wire.say(sign_in_line(ROMEO), message(2))
    await stage.password_is_being_checked()
    wire.link.reset()
    await stage.idle()
    assert wire.waiting() == []
    assert len(stage.server._services.sessions) == 0
    assert stage.store.count_messages(JULIET, 9) == 0


async def test_server_that_stops(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Who reads gets what was written before the end; who does not is cut off soon."""
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
        assert romeo.link.is_over()
        assert paris.link.is_over()
        assert not deaf.link.is_over()
        stage.clock.advance(2)
    await stops
    assert deaf.link.is_over()
    assert "gone peer=unknown uin=10002 why='the server stops'" in caplog.text
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
    assert "gone peer=unknown uin=10001 why='lost: reset by peer'" in caplog.text
    juliet.link.end()
    await stage.idle()
    assert "gone peer=unknown uin=10002 why='closed by the client'" in caplog.text
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
    await juliet.say(sign_in_line(JULIET), request("Query_Stat2", JULIET))
    await stage.idle()
    assert all(write.count(b"\r\n") == 1 for write in juliet.link.writes)
    lines = juliet.waiting()
    assert "&RS=0&" in lines[0]
    pushes = [line for line in lines if "&CMD=Server_Msg&" in line]
    assert texts(pushes) == [str(n) for n in range(1, 51)]
    assert seqs(pushes) == list(range(1, 51))


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
    assert stage.store.count_messages(JULIET, 99) == 0


async def test_message_written_to_a_broken_connection_is_kept(stage: Stage) -> None:
    """A connection whose break is found by writing to it has got nothing."""
    romeo, lost = await stage.sign_in(ROMEO), await stage.sign_in(JULIET)
    lost.link.is_broken = True
    await romeo.say(*(message(n) for n in range(1, 4)))
    await stage.idle()
    assert len(stage.server._phones) == 1
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
    # Who leaves while a push is held back loses nothing.
    await romeo.say(message(5))
    await stage.idle()
    juliet.link.reset()
    await stage.advance(1)
    assert texts((await stage.sign_in(JULIET)).waiting()) == ["5"]


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
        assert re.search("closed peer=unknown why=.a line is longer than 65536 bytes", caplog.text)
        assert len(stage.server._phones) == 2


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
        for begin in ("", f"{sign_in_line(PARIS)}\r\n"):
            wire = stage.connect()
            await wire.transport.send(begin.encode() + vector.raw + b"\r\n")
            await wire.say(request("Logout", PARIS, seq=9))
            await stage.idle()
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
        assert "why='too many lines that cannot be read or need a sign-in'" in caplog.text


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
        assert deaf.link.server.get_write_buffer_size() < 200
        assert len(phone._events) < 1000
        assert len(phone._replies) == 0
        assert deaf.link.server.unread > 3_000_000
        await stage.advance(stage.config.slow_reader_time - 1)
        assert len(stage.server._phones) == 3
        await stage.advance(1)
        assert len(stage.server._phones) == 2
        assert "closed peer=unknown why='left unread what it was sent for 60 s'" in caplog.text


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
    assert len(stage.server._phones) == 2


async def test_flood_while_the_disk_stands_still(stage: Stage) -> None:
    """Who sends more than the disk takes is not read meanwhile; what it sent is then done."""
    stage.server._services.inbox._inbox_limit = 10_000
    wire = await stage.sign_in(ROMEO)
    with disk_stands_still(stage):
        await wire.say(*(message(n) for n in range(1, 5001)))
        await stage.turns(200)
        phone = phone_of(wire.link)
        assert not wire.link.server.is_reading()
        assert len(phone._replies) == stage.config.replies_limit
        assert len(phone._events) < 1000
        assert wire.link.server.unread > 300_000
    await stage.idle()
    assert seqs(wire.waiting()) == list(range(1, 5001))
    assert stage.store.count_messages(JULIET, 9999) == 5000


async def test_flood_while_a_password_is_checked(stage: Stage) -> None:
    """What follows a sign-in waits for it, and is bounded, too."""
    wire = stage.connect()
    await wire.say(sign_in_line(ROMEO, seq=1), *(message(n) for n in range(2, 5001)))
    await stage.password_is_being_checked()
    assert len(phone_of(wire.link)._events) < 1000
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
    phone = phone_of(wire.link)
    phone.data_received(f"{sign_in_line(ROMEO)}\r\n".encode() + b"abc\n" * 60_000)
    await stage.turns()
    assert len(phone._events) <= 2048 / 4
    await stage.idle()
    assert wire.link.writes.popleft().startswith(b"VER=1.1&CMD=Login&")
    assert wire.link.is_over()
    assert caplog.text.count("unreadable") == stage.config.nonsense_limit + 1


async def test_nobody_signs_in(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A connection without a sign-in ends after a while; after a sign-out it begins anew."""
    idle, romeo = stage.connect(), await stage.sign_in(ROMEO)
    await stage.advance(stage.config.sign_in_time - 1)
    assert len(stage.server._phones) == 2
    await stage.advance(1)
    assert idle.link.is_over()
    assert "closed peer=unknown why='nobody signed in for 300 s'" in caplog.text
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


# --- sockets -------------------------------------------------------------------------------------


async def test_sockets_are_kept_alive(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """On TCP the system is asked whether silent clients live; the log names who it is."""
    caplog.set_level(logging.DEBUG)
    async with Server(Config(data=tmp_path, listen=(Listen("127.0.0.1", 0),))) as server:
        add_person(server.store, ROMEO)
        door = server.listening[0]
        wire = Wire(await Tcp.connect(Address(door.host, door.port)))
        assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
        (phone,) = server._phones
        sock = phone._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 120
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
        await wire.close()
    assert "connected peer=127.0.0.1:" in caplog.text


async def test_address_of_ipv6(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """An address of IPv6 stands in brackets."""
    caplog.set_level(logging.DEBUG)
    stage.link(("::1", 4000, 0, 0))
    assert "connected peer=[::1]:4000" in caplog.text


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
        await wire.transport.send(b"\n\x0a")
        await stage.idle()
    assert "RES=0" in await wire.ask(request("Query_Stat2", ROMEO, "CM=2&UN=0"))
    await wire.transport.send(b"\n" * 1_000_000)
    assert await wire.hear() == ""


async def test_a_password_nobody_waits_for_is_not_checked(stage: Stage) -> None:
    """When a client goes, its password check does not hold up those of others."""
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
    await stage.advance(stage.config.arrival_time)
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
