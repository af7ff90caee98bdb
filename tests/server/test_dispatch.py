"""The gates: who may say what, what errors become on the wire, what silence is for."""

import asyncio
import logging
import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kqq.protocol import GetMsgEx, GetMsgExReply, List, ListReply, Reply
from kqq.server.dispatch import Budget, forgive, slow_down
from kqq.server.handlers import HANDLERS, Context, Peer
from kqq.server.journal import Attempt, Step
from kqq.server.presence import Status
from stage import JULIET, MD5, PARIS, ROMEO, Stage, Wire, request, sign_in_line

LOGIN_1_1 = "M5=1&LC=9326B87B234E7235"


async def answers(stage: Stage, wire: Wire, line: str) -> list[str]:
    """Return all that comes after a line."""
    await wire.say(line)
    await stage.idle()
    return wire.waiting()


def test_budget_is_spent_and_refilled() -> None:
    """So many at once, and one more with each refill, never more than at first."""
    budget = Budget(3, 10.0, 100.0)
    assert [budget.spend(100.0) for _ in range(5)] == [True, True, True, False, False]
    assert not budget.spend(110.0)  # two were owed
    budget = Budget(3, 10.0, 0.0)
    assert all(budget.spend(1000.0) for _ in range(3))
    assert not budget.spend(1000.0)
    budget = Budget(1, 10.0, 0.0)
    assert all(budget.spend(now) for now in (0.0, 10.0, 20.0))


@pytest.mark.parametrize(
    "command", ["Query_Stat2", "simpleinfo2", "GetMsgEx", "GROUP_CMD", "Dance"]
)
async def test_not_signed_in(stage: Stage, command: str) -> None:
    """Without a sign-in, known and unknown commands are answered RES=20 and nothing after it."""
    line = request(command, ROMEO, "UN=0")
    assert await stage.connect().ask(line) == (
        f"VER=1.1&CMD={command.upper()}&SEQ=201&UIN=10001&RES=20"
    )


async def test_unreadable_fields_do_not_tell_who_is_signed_in(stage: Stage) -> None:
    """A command that cannot be read is RES=20 without a sign-in of that number, RES=1 with one."""
    wire = stage.connect()
    for uin, res in ((ROMEO, 20), (ROMEO, 1), (PARIS, 20)):
        line = request("CLTMSG", uin, "UN=Juliet&MG=hi")
        assert await wire.ask(line) == f"VER=1.1&CMD=CLTMSG&SEQ=201&UIN={uin}&RES={res}"
        if len(stage.server._services.sessions) == 0:
            assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))


async def test_unknown_command_is_refused(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """An unknown command is answered RES=1, logged with the reason, and the connection goes on."""
    caplog.set_level(logging.INFO)
    romeo = await stage.sign_in(ROMEO)
    assert await romeo.ask(request("Dance", ROMEO)) == ("VER=1.1&CMD=DANCE&SEQ=201&UIN=10001&RES=1")
    assert "is no request in the catalogue" in caplog.text
    assert "&RES=0" in await romeo.ask(request("Query_Stat2", ROMEO))


@pytest.mark.parametrize(
    "line",
    [
        f"VER=9.9&CMD=Login&SEQ=1&UIN=10001&PS={MD5}&{LOGIN_1_1}",
        f"CMD=Login&SEQ=1&UIN=10001&PS={MD5}&{LOGIN_1_1}",
        f"VER=1.1&CMD=Login&SEQ=1&UIN=1e4&PS={MD5}&{LOGIN_1_1}",
        f"VER=1.1&CMD=Login&SEQ=1&UIN=&PS={MD5}&{LOGIN_1_1}",
        f"VER=1.1&CMD=Login&SEQ=1&UIN=10001&PS=&{LOGIN_1_1}",
        f"VER=1.1&CMD=Login&SEQ=1&UIN=10001&PS= &{LOGIN_1_1}",
        f"VER=1.1&CMD=Login&SEQ=1&UIN=10001&{LOGIN_1_1}",
        f"VER=1.1&CMD=Login&SEQ=1&UIN=10001&PS={MD5}&M5=1&LC=0",
        f"VER=1.1&CMD=Login&SEQ=x&UIN=10001&PS={MD5}&{LOGIN_1_1}",
        "VER=9.9&CMD=Query_Stat2&SEQ=1&UIN=10001",
        "VER=1.1&SEQ=1&UIN=10001",
        "VER=1.1&CMD=a b&SEQ=1&UIN=10001",
        f"VER=1.1&CMD={'A' * 33}&SEQ=1&UIN=10001",
        "hello",
        "\udcff\udcfe&=&",
    ],
)  # fmt: skip
async def test_silence(stage: Stage, line: str, caplog: pytest.LogCaptureFixture) -> None:
    """What the real servers met with silence, and what has no head to echo, gets no answer."""
    caplog.set_level(logging.INFO)
    wire = stage.connect()
    assert await answers(stage, wire, line) == []
    assert "unreadable peer=unknown:0 why=" in caplog.text
    assert await wire.ask(request("Logout", ROMEO)) != ""


@pytest.mark.parametrize("password", ["secret", MD5[:-1], MD5 + "0", "g" * 32, "密码"])
async def test_password_that_is_no_md5(stage: Stage, password: str) -> None:
    """What cannot be an MD5 is a wrong password."""
    line = f"VER=1.1&CMD=LOGIN&SEQ=1&UIN=10001&PS={password}&{LOGIN_1_1}"
    assert await stage.connect().ask(line) == (
        "VER=1.1&CMD=Login&SEQ=1&UIN=10001&RES=0&RS=1&RA=Password error"
    )


async def test_empty_lines_are_not_answered(stage: Stage) -> None:
    """Empty lines, as some clients send, are passed over."""
    wire = stage.connect()
    await wire.transport.send(b"\n\r\n\r\r\n\x85\n")
    await stage.idle()
    assert wire.waiting() == []


@pytest.mark.parametrize(
    ("line", "res", "why"),
    [
        (request("CLTMSG", ROMEO, f"UN={JULIET}&MG=abcdef"), 1, "text_too_long"),
        (request("CLTMSG", ROMEO, f"UN={JULIET}&MG=two"), 1, "inbox_full"),
        (request("CLTMSG", ROMEO, f"UN={PARIS}&MG=hi"), 1, "not_friends"),
        (request("CLTMSG", ROMEO, "UN=99&MG=hi"), 5, "no_such_number"),
        (request("Ack_AddToList", ROMEO, f"UN={PARIS}&CD=0&RS="), 1, "not_asked"),
        (request("Ack_AddToList", ROMEO, f"UN={PARIS}&CD=2&RS="), 1, "request_refused"),
        (request("GROUP_CMD", ROMEO, "UN=5"), 1, "not_supported"),
    ],
)
async def test_refusals_of_the_domain(
    tmp_path: Path, line: str, res: int, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What the domain refuses is counted, and logged without the text of anybody."""
    caplog.set_level(logging.INFO)
    async with Stage(tmp_path, text_limit=5, inbox_limit=1, requests_per_day=0) as stage:
        stage.add(ROMEO, JULIET)
        stage.add(PARIS)
        romeo = await stage.sign_in(ROMEO)
        assert "&RES=0" in await romeo.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=one"))
        assert (await romeo.ask(line)).endswith(f"&SEQ=201&UIN=10001&RES={res}")
        assert stage.server._services.metrics.refused == {why: 1}
        if why != "not_supported":
            assert re.search(
                rf"refused peer=unknown:0 uin=10001 command=\w+ why={why}", caplog.text
            )
        assert "abcdef" not in caplog.text


async def test_database_that_cannot_be_read(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """StoreError while a command is handled is RES=1, and an error in the log; it ends nothing."""
    romeo = await stage.sign_in(ROMEO)
    stage.store._database.execute("ALTER TABLE friend RENAME TO enemy")
    assert (await romeo.ask(request("SimpleInfo2", ROMEO))).endswith("&RES=1")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "no such table" in record.getMessage()
    assert stage.server._services.metrics.refused == {"store": 1}
    stage.store._database.execute("ALTER TABLE enemy RENAME TO friend")
    assert "&NP=65535&SN=1&" in await romeo.ask(request("SimpleInfo2", ROMEO))


async def test_unforeseen_errors(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error nobody foresaw refuses its command, is logged with an id, and ends nothing."""

    def wrong(context: Context, message: GetMsgEx) -> Reply:
        raise ZeroDivisionError

    async def wrong_later(context: Context, message: List) -> Reply:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    monkeypatch.setitem(HANDLERS, GetMsgEx, wrong)
    monkeypatch.setitem(HANDLERS, List, wrong_later)
    romeo = await stage.sign_in(ROMEO)
    for command in ("GetMsgEx", "List"):
        caplog.clear()
        assert (await romeo.ask(request(command, ROMEO))).endswith("&RES=1")
        assert re.search(
            rf'failed id=[0-9a-f]{{8}} peer=unknown:0 line="VER=1.4&CON=1&CMD={command}&',
            caplog.text,
        )
        assert "ZeroDivisionError" in caplog.text


async def test_new_handlers_answer_in_any_way(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler may answer at once or later; either reply is said in its turn."""

    def at_once(context: Context, message: GetMsgEx) -> Reply:
        return GetMsgExReply(seq=message.seq, uin=message.uin, count=0)

    async def later(context: Context, message: List) -> Reply:
        await asyncio.sleep(0)
        return ListReply(seq=message.seq, uin=message.uin, count=1)

    monkeypatch.setitem(HANDLERS, GetMsgEx, at_once)
    monkeypatch.setitem(HANDLERS, List, later)
    romeo = await stage.sign_in(ROMEO)
    await romeo.say(request("List", ROMEO, seq=1), request("GetMsgEx", ROMEO, seq=2))
    assert await romeo.hear() == "VER=1.1&CMD=LIST&SEQ=1&UIN=10001&RES=0&FN=1"
    assert await romeo.hear() == "VER=1.1&CMD=GETMSGEX&SEQ=2&UIN=10001&RES=0&MN=0"


# --- repeats -------------------------------------------------------------------------------------


def message(text: str, seq: int = 201) -> str:
    """Return the line with which Romeo writes to Juliet."""
    return request("CLTMSG", ROMEO, f"UN={JULIET}&MG={text}", seq=seq)


async def test_the_very_same_line_is_done_once(stage: Stage) -> None:
    """Said again within seconds, a message is answered again and stored once."""
    romeo = await stage.sign_in(ROMEO)
    answer = "VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES=0"
    assert await romeo.ask(message("hi")) == answer
    await stage.advance(stage.config.repeat_time - 0.1)
    for line in (message("hi"), message("hi"), message("Hi"), message("hi", 202)):
        assert "&RES=0" in await romeo.ask(line)
    assert stage.store.count_messages(JULIET, 9) == 3
    await stage.advance(0.1)
    assert await romeo.ask(message("hi")) == answer
    assert stage.store.count_messages(JULIET, 9) == 4


async def test_a_line_again_while_the_first_is_being_written(stage: Stage) -> None:
    """Neither is answered before it is on disk, and then both are."""
    romeo = await stage.sign_in(ROMEO)
    await romeo.say(message("hi"), message("hi"), message("hi"))
    await stage.idle()
    assert romeo.waiting() == ["VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES=0"] * 3
    assert stage.store.count_messages(JULIET, 9) == 1


@pytest.mark.parametrize("over_http", [False, True])
async def test_what_could_not_be_stored_is_not_remembered(stage: Stage, over_http: bool) -> None:
    """A client that tries again after a failure of the disk succeeds once that works again."""
    execute = stage.store._database.execute
    execute(
        "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    say: Callable[[str], Awaitable[str]] = stage.post
    if over_http:
        assert "&RS=0&" in await stage.post(sign_in_line(ROMEO))
    else:
        say = (await stage.sign_in(ROMEO)).ask
    assert (await say(message("hi"))).strip().endswith("&RES=1")
    execute("DROP TRIGGER full")
    assert (await say(message("hi"))).strip().endswith("&RES=0")
    assert stage.store.count_messages(JULIET, 9) == 1


async def test_what_was_refused_is_not_remembered(stage: Stage) -> None:
    """Who is refused may say the same again when it may be."""
    romeo = await stage.sign_in(ROMEO)
    line = request("CLTMSG", ROMEO, f"UN={PARIS}&MG=hi")
    assert (await romeo.ask(line)).endswith("&RES=1")
    stage.store.add_friends(ROMEO, PARIS)
    assert (await romeo.ask(line)).endswith("&RES=0")


async def test_questions_are_answered_anew(stage: Stage) -> None:
    """What changes nothing is not remembered: the same question has the answer of now."""
    romeo = await stage.sign_in(ROMEO)
    ask = request("Query_Stat2", ROMEO, "CM=2&UN=0")
    assert "&ST=20,&" in await romeo.ask(ask)
    await stage.sign_in(JULIET)
    romeo.waiting()
    assert "&ST=10,&" in await romeo.ask(ask)


OURS = 1_000_000_017
"""A number of ten digits."""


async def test_a_line_with_a_number_used_once(stage: Stage) -> None:
    """For a quarter of an hour it is done once, on whatever connection it comes again."""
    first = await stage.sign_in(ROMEO)
    assert "&RES=0" in await first.ask(message("hi", OURS))
    first.link.reset()
    await stage.advance(600.0)
    answer = f"VER=1.1&CMD=CLTMSG&SEQ={OURS}&UIN=10001&RES=0"
    assert await (await stage.sign_in(ROMEO)).ask(message("hi", OURS)) == answer
    assert "&RS=0&" in await stage.post(sign_in_line(ROMEO))
    await stage.advance(299.9)
    assert await stage.post(message("hi", OURS)) == f"{answer}\r\n"
    assert stage.store.count_messages(JULIET, 9) == 1
    assert "&RES=0" in await stage.post(message("hi", OURS + 1))
    assert stage.store.count_messages(JULIET, 9) == 2
    await stage.advance(0.1)
    assert await stage.post(message("hi", OURS)) == f"{answer}\r\n"
    assert stage.store.count_messages(JULIET, 9) == 3


@pytest.mark.parametrize("seq", [999_999_999, 10_000_000_000])
async def test_numbers_of_nine_or_eleven_digits(stage: Stage, seq: int) -> None:
    """They say nothing: people say the same thing twice."""
    romeo = await stage.sign_in(ROMEO)
    for _ in range(2):
        assert "&RES=0" in await romeo.ask(message("ok", seq))
        await stage.advance(10.0)
    assert stage.store.count_messages(JULIET, 9) == 2


async def test_making_friends_with_numbers_used_once(stage: Stage) -> None:
    """What makes or ends a friendship is done once, whatever became of it meanwhile."""
    await stage.store.change_account(ROMEO, who_may_add="ask")
    lines = [
        (PARIS, request("AddToList", PARIS, f"UN={ROMEO}", seq=OURS), "&RES=0&CD=1"),
        (PARIS, request("Ack_AddToList", PARIS, f"UN={ROMEO}&CD=2&RS=Hi", seq=OURS), "&RES=0"),
        (ROMEO, request("Ack_AddToList", ROMEO, f"UN={PARIS}&CD=0&RS=", seq=OURS), "&RES=0"),
        (ROMEO, request("DelFromList", ROMEO, f"UN={PARIS}", seq=OURS + 1), "&RES=0"),
    ]
    for again in (False, True):
        wires = {uin: await stage.sign_in(uin) for uin in (ROMEO, PARIS)}
        for uin, line, answer in lines:
            await stage.idle()
            wires[uin].waiting()
            await stage.advance(20.0)
            assert (await wires[uin].ask(line)).endswith(answer)
        if not again:
            stage.store.add_friends(ROMEO, PARIS)  # by another phone
        await stage.idle()
        kinds = {uin: [line for line in wire.waiting() if "&CMD=Server_Msg&" in line]
                 for uin, wire in wires.items()}  # fmt: skip
        assert not again or kinds == {ROMEO: [], PARIS: []}
    assert stage.server._services.friends.are(ROMEO, PARIS)


async def test_a_line_again_on_another_connection_while_the_first_is_written(
    stage: Stage, tmp_path: Path
) -> None:
    """It is answered when what the first has stored is on disk, and stored once."""
    lost, romeo = await stage.sign_in(ROMEO), stage.connect()
    path = stage.config.data / "kqq.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await lost.say(message("hi", OURS))
        await stage.turns()
        lost.link.reset()
        await stage.turns()
        await romeo.say(sign_in_line(ROMEO), message("hi", OURS), message("ho", OURS + 1))
        while stage.server._services.sessions.of(ROMEO) is None:
            await stage.turns()
        await stage.turns()
        assert [line for line in romeo.waiting() if "CLTMSG" in line] == []
        assert stage.store.count_messages(JULIET, 9) == 0
    await stage.idle()
    assert [line[-5:] for line in romeo.waiting()] == ["RES=0", "RES=0"]
    assert [one.text for one in stage.store.messages_after(JULIET, 0, 9)] == ["hi", "ho"]


async def test_a_line_again_after_its_write_has_failed(stage: Stage) -> None:
    """A failure is answered to all who wait for it, and remembered for nobody."""
    execute = stage.store._database.execute
    execute(
        "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    romeo = await stage.sign_in(ROMEO)
    await romeo.say(message("hi", OURS), message("hi", OURS))
    await stage.idle()
    assert [line[-5:] for line in romeo.waiting()] == ["RES=1", "RES=1"]
    execute("DROP TRIGGER full")
    for _ in range(2):
        assert (await romeo.ask(message("hi", OURS))).endswith("&RES=0")
    assert stage.store.count_messages(JULIET, 9) == 1


async def test_a_line_again_needs_a_sign_in(stage: Stage) -> None:
    """The answer that is remembered is for who is signed in only."""
    romeo = await stage.sign_in(ROMEO)
    assert "&RES=0" in await romeo.ask(message("hi"))
    assert (await stage.connect().ask(message("hi"))).endswith("&RES=20")
    assert "&RES=0" in await romeo.ask(request("Logout", ROMEO))
    assert (await romeo.ask(message("hi"))).endswith("&RES=20")


# --- what is counted and noted -------------------------------------------------------------------


async def test_commands_are_counted_by_their_names(stage: Stage) -> None:
    """Whatever a client makes up is `unknown`, so that it does not fill the memory."""
    romeo = await stage.sign_in(ROMEO)
    for line in (
        request("query_stat2", ROMEO),
        request("CLTMSG", ROMEO, "UN=Juliet&MG=hi"),
        request("Dance", ROMEO),
        request("Sing", ROMEO),
        "hello",
        "VER=1.4&CON=1",
    ):
        await answers(stage, romeo, line)
    metrics = stage.server._services.metrics
    assert metrics.commands == {"Login": 1, "Query_Stat2": 1, "CLTMSG": 1, "unknown": 2}
    assert metrics.unreadable_lines == 5
    assert (await stage.connect().ask(request("GetMsgEx", ROMEO))).endswith("&RES=20")
    assert metrics.refused == {"not_signed_in": 1}


def steps(attempt: Attempt) -> list[Step]:
    """Return what happened, without the connection itself."""
    return [taken.step for taken in attempt.steps[1:]]


async def test_why_somebody_is_not_signed_in_is_noted(stage: Stage) -> None:
    """The journal of a number has what came under it: lines that cannot be read, early commands."""
    wire = stage.connect()
    for line in (
        sign_in_line(ROMEO).replace("LC=8", "LC=x"),
        request("Query_Stat2", ROMEO),
        "hello",
    ):
        await answers(stage, wire, line)
    journal = stage.server._services.journal
    (attempt,) = journal.of_uin(ROMEO)
    assert steps(attempt) == [Step.UNREADABLE, Step.EARLY, Step.UNREADABLE]
    details = attempt.steps[1].details
    assert "LC=x" in str(details["rule"])
    assert MD5 not in str(details)
    assert attempt.steps[2].details == {"command": "Query_Stat2"}


async def test_what_comes_under_another_number_is_noted_where_it_came(stage: Stage) -> None:
    """Who is signed in may say what belongs to others; the attempt stays that of who is."""
    wire = await stage.sign_in(ROMEO)
    for line in (request("Query_Stat2", PARIS), request("CLTMSG", JULIET, "UN=x&MG=")):
        assert (await wire.ask(line)).endswith("&RES=20")
    assert "&RES=1" in await wire.ask(request("CLTMSG", ROMEO, "UN=x&MG="))  # not noted
    wire.link.reset()
    await stage.idle()
    journal = stage.server._services.journal
    assert journal.of_uin(PARIS) == journal.of_uin(JULIET) == []
    (attempt,) = journal.of_uin(ROMEO)
    assert steps(attempt) == [Step.SIGNED_IN, Step.EARLY, Step.UNREADABLE, Step.DISCONNECTED]


# --- over HTTP -----------------------------------------------------------------------------------


async def test_all_kinds_of_answers_over_http(stage: Stage) -> None:
    """What waits for a thread, for the disk, or brings messages, is waited for."""
    assert "&RS=0&" in await stage.post(sign_in_line(ROMEO))
    assert (await stage.post(message("hi"))).endswith("&RES=0\r\n")
    assert "&RS=0&" in await stage.post(sign_in_line(JULIET), "192.0.2.2")
    line = await stage.post(request("GetMsgEx", JULIET), "192.0.2.2")
    assert line == ("VER=1.1&CMD=GETMSGEX&SEQ=201&UIN=10002&RES=0&MN=1&MT=9,&UN=10001,&MG=hi,\r\n")
    assert "&RES=0" in await stage.post(request("Change_Stat", ROMEO, "ST=30"))


# --- how fast ------------------------------------------------------------------------------------


async def test_commands_cost_the_account_or_the_address(tmp_path: Path) -> None:
    """Whose session lives pays for it; others pay by address, and what was not done is repaid."""
    limits: dict[str, Any] = {"commands_burst": 2, "commands_rate": 0.5}
    async with Stage(tmp_path, **limits) as stage:
        stage.add(ROMEO)
        services = stage.server._services
        peer = Peer("192.0.2.1", 1, "tcp", "memory", "192.0.2.1")
        attempt = services.journal.begin(peer.host, peer.port, peer.door, "tcp")
        context = Context(services, peer, attempt, lambda: None, lambda _: None)
        assert [slow_down(context) for _ in range(21)] == [0.0] * 20 + [pytest.approx(0.2)]
        context.session = services.sessions.open(ROMEO, Status.ONLINE, lambda: None, lambda _: None)
        assert [slow_down(context) for _ in range(3)] == [0.0, 0.0, 2.0]
        forgive(context)
        assert slow_down(context) == 2.0
        services.sessions.close(context.session, "over")
        assert slow_down(context) == pytest.approx(0.4)
