"""A run: which plays are performed, how, and what becomes of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from answering import answering, plain
from kqq.client import Address
from kqq.conformance.company import parse_company, usual_company
from kqq.conformance.published import Entry, entries, entry
from kqq.conformance.report import Result, Verdict
from kqq.conformance.running import REPEAT_TIME, Plan, Run
from kqq.errors import ConnectionLost
from kqq.protocol import Line
from serving import quiet_port

NAMED = {one.name: one for one in entries()}
NOWHERE = Address("127.0.0.1", 1)


def made(*statements: str) -> Entry:
    """Return a play."""
    return entry("mine", "\n".join(["# It holds. (ZN)", *statements]))


async def results(plan: Plan, *plays: Entry) -> list[Result]:
    """Return what becomes of plays."""
    run = Run(plan)
    return [one async for one in run.perform(plan.performances(plays))]


async def result(plan: Plan, play: Entry) -> Result:
    """Return what becomes of a play over TCP."""
    (found,) = await results(replace(plan, over=("TCP",)), play)
    return found


@pytest.fixture
def plan(server: Address) -> Plan:
    """A run on a server of ours."""
    return Plan(address=server, company=usual_company(), wait=2.0)


def test_plays_go_over_one_transport_and_then_over_the_next() -> None:
    """A play goes only where it makes sense."""
    plan = Plan(address=NOWHERE, company=usual_company())
    chosen = [NAMED[name] for name in ("polls", "pushes", "sign_in_1_1", "breath")]
    found = [(one.name, over) for one, over in plan.performances(chosen)]
    assert found == [
        ("pushes", "TCP"), ("sign_in_1_1", "TCP"), ("breath", "TCP"),
        ("polls", "HTTP"), ("sign_in_1_1", "HTTP"),
    ]  # fmt: skip
    only = replace(plan, over=("HTTP",)).performances(chosen)
    assert [one.name for one, _ in only] == ["polls", "sign_in_1_1"]


async def test_a_play_that_passes(plan: Plan) -> None:
    """The accounts are brought into the state it begins with."""
    found = await result(plan, NAMED["unfriend"])
    assert (found.verdict, found.reason, found.notes) == (Verdict.PASSED, "", ())
    assert found.numbers == {"Romeo": 10001, "Juliet": 10002, "Mercutio": 10010}
    assert found.seconds > 0


async def test_http_alone(plan: Plan) -> None:
    """A server may have no sockets at all."""
    http = Address(plan.address.host, plan.address.port, "http")
    for one, name in ((replace(plan, http=http), "ask_and_accept"), (plan, "polls")):
        (found,) = await results(replace(one, over=("HTTP",)), NAMED[name])
        assert found.verdict is Verdict.PASSED


async def test_somebody_with_two_phones(plan: Plan) -> None:
    """Who has no account has the number of whom they sign in as."""
    found = await result(plan, NAMED["replaced"])
    assert found.verdict is Verdict.PASSED
    assert found.numbers["Laptop"] == found.numbers["Juliet"]


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (["server set captcha=always", "Romeo signs in"], "a server set to captcha=always"),
        (["server friends Romeo, Juliet", "Romeo signs in", "server dies"], "meanwhile: dies"),
        (["server account Romeo age=99", "Romeo signs in"], "an account for Romeo with age=99"),
        (["server stranger Romeo", "clock +7"], "7 s are to go by"),
    ],
)
async def test_what_is_skipped(play: list[str], reason: str) -> None:
    """It is said why, and nobody is asked."""
    plan = Plan(address=NOWHERE, company=usual_company())
    found = await result(plan, made(*play))
    assert found.verdict is Verdict.SKIPPED
    assert reason in found.reason


async def test_settings_that_the_server_has(plan: Plan) -> None:
    """Plays that need them are performed then, and no others are left out."""
    play = made("server set turn_limit=64", "server stranger Romeo", "Romeo signs in")
    has = frozenset({"turn_limit=64"})
    assert (await result(plan, play)).verdict is Verdict.SKIPPED
    assert (await result(replace(plan, settings=has), play)).verdict is Verdict.PASSED
    door = Address(plan.address.host, plan.address.port, "http")
    play = made("server set redirector=x", "server stranger Romeo", "Romeo signs in")
    assert (await result(replace(plan, redirector=door), play)).verdict is Verdict.PASSED


async def test_a_play_that_fails(plan: Plan) -> None:
    """There are the first difference and the last lines, without secrets."""
    play = made(
        "server friends Romeo, Juliet",
        "Romeo signs in",
        "Romeo > CMD=Query_Stat2 CM=2 UN=0",
        "Romeo < CMD=QUERY_STAT2 RES=7 ...",
    )
    found = await result(plan, play)
    assert found.verdict is Verdict.FAILED
    assert found.difference is not None
    assert found.difference.number == 5
    assert next(row.key for row in found.difference.rows if not row.same) == "RES"
    said = [str(line) for line in found.lines]
    assert said[0].startswith("Romeo > VER=1.4&CON=1&CMD=Login")
    assert "PS=***" in said[0]
    assert said[-1].startswith("Romeo < VER=1.1&CMD=QUERY_STAT2")


async def test_the_same_play_again_waits(plan: Plan) -> None:
    """Else a server may take its lines for repeats of those before."""
    now, slept = 100.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    run = Run(plan, now=lambda: now, sleep=sleep)
    plays = plan.performances([NAMED["wrong_password"], NAMED["unknown_number"]])
    assert [one.verdict async for one in run.perform(plays)] == [Verdict.PASSED] * 4
    assert slept == [REPEAT_TIME]


async def test_nobody_there() -> None:
    """Then there is nothing to report."""
    plan = Plan(address=Address("127.0.0.1", quiet_port()), company=usual_company())
    with pytest.raises(ConnectionLost):
        await result(plan, NAMED["sign_in_1_1"])


# --- servers that are not as they should ---------------------------------------------------------

TWO = parse_company(
    "[Romeo]\nuin=10001\npassword='secret'\n[Juliet]\nuin=10002\npassword='secret'", "here"
)


def friendly(line: Line) -> list[str]:
    """Answer everything as it should be, between two who are friends."""
    values = line.values()
    if values["CMD"] == "Login":
        return [plain(line, "&RES=0&RS=0&HI=60&LI=300&COMP=X", "Login")]
    if values["CMD"] == "SimpleInfo2":
        other = 20003 - int(values["UIN"])
        return [plain(line, f"&RES=0&NP=65535&SN=1&UN={other},&FC=0,&NK=x,")]
    return [plain(line, "&RES=0")]


@asynccontextmanager
async def wrong(**other: str) -> AsyncIterator[Plan]:
    """Run a server that answers some commands otherwise."""

    def answer(line: Line) -> list[str]:
        rest = other.get(line.values()["CMD"])
        if rest is None:
            return friendly(line)
        return [rest] if rest == "HANG UP" else [plain(line, rest)]

    async with answering(answer) as address:
        yield Plan(address=address, company=TWO, wait=0.3)


PLAY = made("server friends Romeo, Juliet", "Romeo signs in",
            "Romeo > CMD=Change_Stat ST=30", "Romeo < CMD=CHANGE_STAT RES=0 ...")  # fmt: skip


async def test_lines_that_break_a_rule() -> None:
    """A play whose lines are all as told fails if the server says what the catalogue forbids."""
    async with wrong() as plan:
        assert (await result(plan, PLAY)).verdict is Verdict.PASSED
    async with wrong(Login="&RES=0&RS=0&HI=x&LI=300&SG=12345678") as plan:
        found = await result(plan, PLAY)
    assert found.verdict is Verdict.FAILED
    assert found.reason.startswith("a line breaks a rule of the catalogue: HI=x must be")
    (line,) = found.unreadable
    assert line.startswith("HI=x must be")
    assert "12345678" not in line
    assert found.lines == ()


async def test_friends_that_the_server_does_not_make() -> None:
    """Then the play is skipped, with the reason."""
    none = "&RES=0&NP=65535&SN=0&UN=&FC=&NK="
    async with wrong(SimpleInfo2=none, AddToList="&RES=1") as plan:
        found = await result(plan, PLAY)
    assert found.verdict is Verdict.SKIPPED
    assert "are no friends, and the server does not make them" in found.reason


async def test_what_went_wrong_before_is_noted() -> None:
    """A server that does nothing well is told so play by play."""
    async with wrong(Login="&RES=5") as plan:
        found = await result(plan, PLAY)
    assert found.verdict is Verdict.FAILED
    assert found.difference is not None
    assert found.notes[0].startswith("Romeo (10001) could not sign in")


async def test_a_server_that_is_lost_meanwhile() -> None:
    """The plays that are left fail, and each says why."""
    async with wrong() as plan:
        lines = replace(plan, over=("TCP",))
        found = Run(lines).perform(lines.performances([PLAY, NAMED["message_online"]]))
        assert (await anext(found)).verdict is Verdict.PASSED
    later = [one async for one in found]
    assert [one.verdict for one in later] == [Verdict.FAILED]
    assert "cannot connect" in later[0].reason
