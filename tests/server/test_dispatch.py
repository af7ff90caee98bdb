"""The gates: who may say what, what errors become on the wire, what silence is for."""

import asyncio
import logging
import re

import pytest

from kqq.protocol import GetMsgEx, GetMsgExReply, List, ListReply, Reply
from kqq.server.dispatch import Budget
from kqq.server.handlers import HANDLERS, Context
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


async def test_command_to_come_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """A known command without a handler is refused and logged."""
    caplog.set_level(logging.INFO)
    romeo = await stage.sign_in(ROMEO)
    assert (await romeo.ask(request("GROUP_CMD", ROMEO, "UN=5"))).endswith("&RES=1")
    assert "not supported peer=unknown command=GROUP_CMD" in caplog.text


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
    assert "unreadable peer=unknown why=" in caplog.text
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
    ("settings", "text"), [({"text_limit": 5}, "abcdef"), ({"inbox_limit": 0}, "hi")]
)
async def test_refusals_of_the_domain(
    stage: Stage, settings: dict[str, int], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What the domain refuses is RES=1, with the reason in the log."""
    caplog.set_level(logging.INFO)
    inbox = stage.server._services.inbox
    for name, value in settings.items():
        setattr(inbox, f"_{name}", value)
    romeo = await stage.sign_in(ROMEO)
    line = request("CLTMSG", ROMEO, f"UN={JULIET}&MG={text}")
    assert await romeo.ask(line) == "VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES=1"
    assert re.search("refused peer=unknown command=CLTMSG why=(TextTooLong|InboxFull)", caplog.text)


async def test_database_that_cannot_be_read(stage: Stage) -> None:
    """StoreError while a command is handled is RES=1; the connection goes on."""
    romeo = await stage.sign_in(ROMEO)
    stage.store._database.execute("ALTER TABLE friend RENAME TO enemy")
    assert (await romeo.ask(request("SimpleInfo2", ROMEO))).endswith("&RES=1")
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
            rf"failed id=[0-9a-f]{{8}} peer=unknown line='VER=1.4&CON=1&CMD={command}&", caplog.text
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
