"""Why somebody cannot sign in, as the operator is told."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kqq.errors import AccountError
from kqq.server.accounts import password_md5
from operating import FIRST, Operator
from stage import MD5, ROMEO, Stage, Wire, sign_in_line

HOST = "192.0.2.1"


class Doubts:
    """Somebody who asks why, about Romeo or where he comes from."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.stage = operator.stage

    async def ask(self, who: str = str(ROMEO), **arguments: int) -> Any:
        """Return all that is found."""
        return await self.operator.do("why", who=who, **arguments)

    async def advice(self, who: str = str(ROMEO)) -> str:
        """Return the sentence."""
        found = await self.ask(who)
        assert isinstance(found["advice"], str)
        return found["advice"]

    async def say(self, *lines: str) -> Wire:
        """Say lines on a connection from Romeo's address, and wait for an answer to each."""
        wire = self.stage.connect((HOST, 50001))
        for line in lines:
            await wire.ask(line)
        return wire


@pytest.fixture
def doubts(operator: Operator) -> Doubts:
    """Somebody who asks why."""
    return Doubts(operator)


async def test_why_signed_in(doubts: Doubts) -> None:
    """Who is signed in is told of, by number and by address."""
    await doubts.say(sign_in_line(ROMEO))
    for who in ("10001", HOST, f"::ffff:{HOST}"):
        found = await doubts.ask(who)
        assert [one["peer"] for one in found["signed_in"]] == [f"{HOST}:50001"]
        assert found["advice"] is None
        assert [step["step"] for step in found["attempts"][0]["steps"]] == [
            "connected",
            "signed_in",
        ]


async def test_why_unknown_number(doubts: Doubts) -> None:
    """Nobody has the number, whether it was tried or not."""
    for _ in range(2):
        assert await doubts.advice("10004") == (
            "There is no account 10004; check the number, or add it with `kqq account add`."
        )
        await doubts.say(sign_in_line(FIRST))
    found = await doubts.ask("10004")
    assert (found["is_number"], found["exists"], len(found["attempts"])) == (True, False, 2)
    assert "nobody has this number" in await doubts.advice(HOST)


async def test_why_nothing_was_seen(doubts: Doubts) -> None:
    """Then it is the address, the port or a firewall; since when nothing came is told."""
    started = datetime.fromtimestamp(doubts.stage.clock.date()).astimezone()
    doubts.stage.clock.advance(100_000.0)
    for who in ("10001", HOST):
        told = await doubts.advice(who)
        assert told.startswith(f"Nothing is known of {who}: nothing of it has reached the server")
        assert f"since it started ({started:%Y-%m-%d %H:%M})" in told
        assert "whether a firewall stands between" in told


async def test_why_wrong_password(doubts: Doubts) -> None:
    """The password is wrong, and an operator can set a new one."""
    await doubts.say(sign_in_line(ROMEO, password=password_md5("other")))
    told = await doubts.advice()
    assert "the password is wrong; type it again; an operator can set a new one." in told


async def test_why_captcha(doubts: Doubts) -> None:
    """A picture was shown and nobody answered it."""
    wrong = sign_in_line(ROMEO, password=password_md5("other"))
    wire = await doubts.say(wrong, wrong, wrong)
    assert "CMD=VERIFYCODE" in await wire.ask(sign_in_line(ROMEO))
    assert "was shown a captcha; sign in again and type what the picture" in await doubts.advice()


async def test_why_suspended(doubts: Doubts) -> None:
    """That counts more than any attempt, and how to end it is told."""
    await doubts.operator.do("account.suspend", uin=ROMEO, reason="a duel")
    assert (
        await doubts.advice() == "10001 is suspended: a duel; `kqq account resume 10001` ends that."
    )
    await doubts.say(sign_in_line(ROMEO))
    await doubts.operator.do("account.suspend", uin=ROMEO)
    assert await doubts.advice() == "10001 is suspended; `kqq account resume 10001` ends that."
    assert "the account is suspended: a duel" in await doubts.advice(HOST)


async def test_why_replaced(doubts: Doubts) -> None:
    """Somebody else took the number, from where is told; the number itself is signed in."""
    await doubts.say(sign_in_line(ROMEO))
    other = doubts.stage.connect(("192.0.2.9", 1234))
    await other.ask(sign_in_line(ROMEO))
    assert "the same number signed in from 192.0.2.9:1234" in await doubts.advice(HOST)
    found = await doubts.ask()
    assert found["advice"] is None
    assert [one["peer"] for one in found["signed_in"]] == ["192.0.2.9:1234"]


async def test_why_unreadable(doubts: Doubts) -> None:
    """The line is shown without secrets, and the rule that it breaks."""
    line = sign_in_line(ROMEO).replace("VER=1.4", "VER=9.9")
    wire = doubts.stage.connect((HOST, 50001))
    await wire.say(line)
    await doubts.stage.idle()
    for who in ("10001", HOST):
        told = await doubts.advice(who)
        assert "VER=9.9" in told
        assert "PS=***" in told
        assert MD5 not in str(await doubts.ask(who))


async def test_why_a_limit(tmp_path: Path) -> None:
    """Which limit it was is told."""
    async with Stage(tmp_path, sign_ins_burst=1, captcha="never") as stage:
        stage.add(ROMEO)
        doubts = Doubts(Operator(stage))
        await doubts.say(*[sign_in_line(ROMEO, password=password_md5("other"))] * 2)
        told = await doubts.advice()
        assert "was refused by a limit: too many sign-ins from this address" in told


async def test_why_kicked(doubts: Doubts) -> None:
    """What the operator did is told, too."""
    await doubts.say(sign_in_line(ROMEO))
    await doubts.operator.do("kick", uin=ROMEO)
    assert "kicked by the operator" in await doubts.advice()


@pytest.mark.parametrize("who", ["2001:db8::1", "[2001:db8::1]", "2001:0DB8:0:0:0:0:0:1"])
async def test_why_by_address_of_ipv6(doubts: Doubts, who: str) -> None:
    """An address may be written in any way."""
    wire = doubts.stage.connect(("2001:db8::1", 50001, 0, 0))
    await wire.ask(sign_in_line(ROMEO, password=password_md5("other")))
    found = await doubts.ask(who)
    assert (found["who"], found["is_number"], found["exists"]) == ("2001:db8::1", False, False)
    assert "the password is wrong" in found["advice"]


@pytest.mark.parametrize("who", ["Romeo", "192.0.2.256", "[10001]", "9" * 64, "192.0.2.1:5"])
async def test_why_about_nothing(doubts: Doubts, who: str) -> None:
    """What is neither a number nor an address is refused."""
    with pytest.raises(AccountError, match="is neither a number nor an address such as"):
        await doubts.ask(who)


async def test_why_so_many(doubts: Doubts) -> None:
    """The last few attempts, all, or none; what is told is made from all of them."""
    for _ in range(3):
        await doubts.say(sign_in_line(ROMEO, password=password_md5("other")))
        doubts.stage.clock.advance(1.0)
    everything = (await doubts.ask())["attempts"]
    assert len(everything) == 3
    assert (await doubts.ask(most=2))["attempts"] == everything[1:]
    none = await doubts.ask(most=0)
    assert none["attempts"] == []
    assert "the password is wrong" in none["advice"]
