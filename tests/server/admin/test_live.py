"""What an operator can do with a server that runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kqq.errors import AccountError, ConfigError
from kqq.server import Listen
from operating import FIRST, Operator, told
from stage import JULIET, PARIS, ROMEO, Stage, request, sign_in_line

# --- a server that runs --------------------------------------------------------------------------


@pytest.fixture
async def open_stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server with a door."""
    async with Stage(tmp_path / "data", listen=(Listen("127.0.0.1", 0),)) as stage:
        stage.add(ROMEO, JULIET)
        yield stage


async def test_status(open_stage: Stage) -> None:
    """What the server is and how much it has to do."""
    await open_stage.sign_in(ROMEO)
    await open_stage.post(sign_in_line(JULIET))
    found = await Operator(open_stage).do("status")
    port = open_stage.server.listening[0].port
    assert found.pop("version")
    assert found.pop("since") == open_stage.clock.date()
    assert found == {
        "data": str(open_stage.config.data),
        "doors": [f"kqq://127.0.0.1:{port}"],
        "web": [],
        "advertise": "",
        "registration": "off",
        "accounts": 2,
        "sessions": {"connection": 1, "http": 1, "web": 0},
        "connections": 1,
    }
    made = await Operator(open_stage).do("account.invite")
    assert made["page"] == f"http://127.0.0.1:{port}/register"


async def test_trends(tmp_path: Path) -> None:
    """Figures over time, where there is a door for browsers; else that is told."""
    async with Stage(tmp_path / "data", listen=(Listen("127.0.0.1", 0, "web"),)) as stage:
        stage.clock.advance(60.0)
        found = await Operator(stage).do("trends", minutes=5)
        assert found["every"] == 10.0
        assert len(found["times"]) == len(found["series"]["messages"]) > 0
        with pytest.raises(ConfigError, match="minutes=1441 cannot be; take 1 to 1440"):
            await Operator(stage).do("trends", minutes=1441)


async def test_no_trends(operator: Operator) -> None:
    """Where nobody could look at them, none are kept."""
    with pytest.raises(ConfigError, match="this server keeps no figures over time"):
        await operator.do("trends")


async def test_sessions(operator: Operator) -> None:
    """Who is signed in, how, since when; in order of number, all or in pages."""
    stage = operator.stage
    assert await operator.do("sessions") == []
    await stage.post(sign_in_line(JULIET), "2001:db8::1")
    stage.clock.advance(10.0)
    await stage.sign_in(ROMEO)
    stage.clock.advance(5.0)
    await stage.post(request("Change_Stat", JULIET, "ST=30"), "2001:db8::1")
    found = await operator.do("sessions")
    assert [one["uin"] for one in found] == [ROMEO, JULIET]
    assert found[1] == {
        "uin": JULIET,
        "nick": "n10002",
        "over": "http",
        "peer": "[2001:db8::1]:50000",
        "status": "away",
        "seconds": 15.0,
        "silent": 0.0,
    }
    assert await operator.do("sessions", most=1) == found[:1]
    assert await operator.do("sessions", after=ROMEO, most=1) == found[1:]
    assert await operator.do("sessions", after=JULIET, most=1) == []


async def test_kick(operator: Operator) -> None:
    """The session ends; they can sign in again."""
    stage = operator.stage
    wire = await stage.sign_in(ROMEO)
    kicked = await operator.do("kick", uin=ROMEO, reason="a break")
    assert kicked == {"uin": ROMEO, "reason": "a break"}
    assert "&RES=20" in await wire.ask(request("List", ROMEO))
    with pytest.raises(AccountError, match="10001 is not signed in"):
        await operator.do("kick", uin=ROMEO)
    with pytest.raises(AccountError, match="there is no account 10004"):
        await operator.do("kick", uin=FIRST)
    assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))


async def test_announcement_for_everybody(operator: Operator) -> None:
    """It is pushed to who is there and waits for who is not; the suspended get none."""
    stage = operator.stage
    romeo = await stage.sign_in(ROMEO)
    await operator.do("account.suspend", uin=PARIS)
    assert await operator.do("announce", text="维护：今晚\n十点") == {"sent": 2}
    (line,) = await told(stage, romeo)
    assert "&UN=10000&MG=维护：今晚" in line
    assert (await operator.do("account.show", uin=JULIET))["waiting"] == 1
    assert (await operator.do("account.show", uin=PARIS))["waiting"] == 0


async def test_announcement_for_some(operator: Operator) -> None:
    """Only those who are named get it, each once."""
    stage = operator.stage
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    sent = await operator.do("announce", text="hello", to=[PARIS, JULIET, PARIS])
    assert sent == {"sent": 2}
    assert len(await told(stage, paris)) == 1
    assert await told(stage, romeo) == []
    assert (await operator.do("account.show", uin=JULIET))["waiting"] == 1


async def test_announcement_that_will_not_do(tmp_path: Path) -> None:
    """No text, too long a text, nobody, a full inbox: nothing is sent to anybody."""
    async with Stage(tmp_path / "data", inbox_limit=1, text_limit=10) as stage:
        stage.add(ROMEO, JULIET)
        operator = Operator(stage)
        await operator.do("announce", text="x" * 10, to=[JULIET])
        for arguments, words in (
            ({"text": ""}, "text='' cannot be; take 1 to 16000 characters"),
            ({"text": "x" * 11}, "the text has 11 characters; take 1 to 10"),
            ({"text": "\udcff"}, "the text is no UTF-8"),
            ({"text": "x", "to": [ROMEO, FIRST]}, "there is no account 10004"),
            ({"text": "x", "to": [ROMEO, JULIET]}, "the inbox of 10002 is full; nothing was sent"),
        ):
            with pytest.raises((AccountError, ConfigError), match=words):
                await operator.do("announce", **arguments)
        assert (await operator.do("account.show", uin=ROMEO))["waiting"] == 0
        assert await operator.do("announce", text="x") == {"sent": 1}
