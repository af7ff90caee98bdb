"""Making friends as phones see it: by push and by poll, in both directions, at once and later."""

from pathlib import Path

import pytest

from kqq.server.store import Kind
from stage import JULIET, PARIS, ROMEO, Stage, Wire, add_person, request, sign_in_line

HOME = {ROMEO: "192.0.2.1", PARIS: "192.0.2.3"}
WORDS = "It is me%2c Romeo"


def add(uin: int, other: int, *, seq: int = 201) -> str:
    """Return the line that asks to add somebody."""
    return request("AddToList", uin, f"UN={other}", seq=seq)


def ack(uin: int, other: int, code: int, words: str = "", *, seq: int = 202) -> str:
    """Return the line that accepts (0), rejects (1) or asks (2), as PHPQ wrote it."""
    return f"VER=1.2&CMD=Ack_AddToList&SEQ={seq}&UIN={uin}&UN={other}&CD={code}&RS={words}"


def added(uin: int, code: int, *, seq: int = 201) -> str:
    """Return the answer to `add`."""
    return f"VER=1.1&CMD=ADDTOLIST&SEQ={seq}&UIN={uin}&RES=0&CD={code}"


def acked(uin: int, res: int = 0, *, seq: int = 202) -> str:
    """Return the answer to `ack`."""
    return f"VER=1.1&CMD=ACK_ADDTOLIST&SEQ={seq}&UIN={uin}&RES={res}"


async def heard(stage: Stage, wire: Wire) -> list[str]:
    """Return what was pushed to somebody, after the number of the push and the own one."""
    await stage.idle()
    return [line.split("&", 4)[4] for line in wire.waiting()]


async def fetch(stage: Stage, uin: int) -> str:
    """Fetch what waits over HTTP; return what it is, from whom, and the words."""
    answer = await stage.post(request("GetMsgEx", uin), HOME[uin])
    assert "&RES=0&MN=" in answer
    return answer.partition("&MT=")[2].removesuffix("\r\n")


async def allow(stage: Stage, uin: int, who_may_add: str) -> None:
    """Have somebody choose who may add them."""
    await stage.store.change_account(uin, who_may_add=who_may_add)


# --- the whole flow ------------------------------------------------------------------------------


async def test_asked_and_accepted_by_push(stage: Stage) -> None:
    """CD=1, a request with words, MT=2; accepted, MT=3; both see each other from then on."""
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    assert await romeo.ask(add(ROMEO, PARIS)) == added(ROMEO, 1)
    assert await romeo.ask(ack(ROMEO, PARIS, 2, WORDS)) == acked(ROMEO)
    assert await heard(stage, paris) == [f"RES=0&MN=1&MT=2&UN=10001&MG={WORDS}"]
    assert await paris.ask(ack(PARIS, ROMEO, 0)) == acked(PARIS)
    assert await heard(stage, romeo) == ["RES=0&ST=10&UN=10003", "RES=0&MN=1&MT=3&UN=10003&MG="]
    assert await heard(stage, paris) == ["RES=0&ST=10&UN=10001"]
    assert (await romeo.ask(request("CLTMSG", ROMEO, "UN=10003&MG=hi"))).endswith("&RES=0")
    await paris.ask(request("Change_Stat", PARIS, "ST=30"))
    assert await heard(stage, romeo) == ["RES=0&ST=30&UN=10003"]


async def test_asked_and_rejected_by_push(stage: Stage) -> None:
    """MT=4 with the reason; they are no friends, and nobody sees anybody."""
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    await romeo.ask(ack(ROMEO, PARIS, 2))
    assert await heard(stage, paris) == ["RES=0&MN=1&MT=2&UN=10001&MG="]
    assert await paris.ask(ack(PARIS, ROMEO, 1, "no, & never")) == acked(PARIS)
    assert await heard(stage, romeo) == ["RES=0&MN=1&MT=4&UN=10003&MG=no%2c %26 never"]
    assert (await romeo.ask(request("CLTMSG", ROMEO, "UN=10003&MG=hi"))).endswith("&RES=1")
    for code in (0, 1):
        assert await paris.ask(ack(PARIS, ROMEO, code, seq=3)) == acked(PARIS, 1, seq=3)


@pytest.mark.parametrize(
    ("code", "answer"), [(0, "3,&UN=10003,&MG= ,"), (1, "4,&UN=10003,&MG=no,")]
)
async def test_asked_and_answered_by_poll(stage: Stage, code: int, answer: str) -> None:
    """Over HTTP, too, while the other is away each time and the server starts again between."""
    assert "&RS=0&" in await stage.post(sign_in_line(ROMEO), HOME[ROMEO])
    assert await stage.post(add(ROMEO, PARIS), HOME[ROMEO]) == f"{added(ROMEO, 1)}\r\n"
    line = ack(ROMEO, PARIS, 2, WORDS)
    for _ in range(2):  # the same line again is the same request
        assert await stage.post(line, HOME[ROMEO]) == f"{acked(ROMEO)}\r\n"
    await stage.restart()
    assert "&RS=0&" in await stage.post(sign_in_line(PARIS), HOME[PARIS])
    assert await fetch(stage, PARIS) == f"2,&UN=10001,&MG={WORDS},"
    line = ack(PARIS, ROMEO, code, "no" if code else "")
    assert await stage.post(line, HOME[PARIS]) == f"{acked(PARIS)}\r\n"
    await stage.restart()
    assert "&RS=0&" in await stage.post(sign_in_line(ROMEO), HOME[ROMEO])
    assert await fetch(stage, ROMEO) == answer
    listed = await stage.post("VER=1.1&CMD=List&SEQ=1&UIN=10001&TN=160&UN=0", HOME[ROMEO])
    assert listed.endswith("&UN=10002,10003,\r\n" if code == 0 else "&UN=10002,\r\n")


async def test_between_push_and_poll(stage: Stage) -> None:
    """One has a connection, the other polls, and learns of the status by MT=99."""
    romeo = await stage.sign_in(ROMEO)
    assert "&RS=0&" in await stage.post(sign_in_line(PARIS), HOME[PARIS])
    await romeo.ask(ack(ROMEO, PARIS, 2, WORDS))
    assert await fetch(stage, PARIS) == f"2,&UN=10001,&MG={WORDS},"
    await stage.post(ack(PARIS, ROMEO, 0), HOME[PARIS])
    assert await heard(stage, romeo) == ["RES=0&ST=10&UN=10003", "RES=0&MN=1&MT=3&UN=10003&MG="]
    assert await fetch(stage, PARIS) == "99,&UN=10001,&MG=10,"


# --- who may add ---------------------------------------------------------------------------------


async def test_whom_anyone_may_add(stage: Stage) -> None:
    """CD=0: both are friends at once, and the other learns of it."""
    await allow(stage, PARIS, "anyone")
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    assert await romeo.ask(add(ROMEO, PARIS)) == added(ROMEO, 0)
    assert await heard(stage, paris) == ["RES=0&ST=10&UN=10001", "RES=0&MN=1&MT=3&UN=10001&MG="]
    assert await heard(stage, romeo) == ["RES=0&ST=10&UN=10003"]
    # COMPAT(yiwoSDK): its "accept and add" afterwards is no error
    assert await romeo.ask(ack(ROMEO, PARIS, 2)) == acked(ROMEO)
    assert await heard(stage, paris) == []


async def test_whom_nobody_may_add(stage: Stage) -> None:
    """CD=3, as PHPQ tests for it; a request all the same is refused and reaches nobody."""
    await allow(stage, PARIS, "nobody")
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    assert await romeo.ask(add(ROMEO, PARIS)) == added(ROMEO, 3)
    assert await romeo.ask(ack(ROMEO, PARIS, 2, WORDS)) == acked(ROMEO, 1)
    assert await heard(stage, paris) == []


async def test_oneself_a_friend_and_nobody(stage: Stage) -> None:
    """Oneself is refused, a friend is added already, a number nobody has is RES=5."""
    romeo = await stage.sign_in(ROMEO)
    assert await romeo.ask(add(ROMEO, ROMEO)) == added(ROMEO, 3)
    assert await romeo.ask(add(ROMEO, JULIET)) == added(ROMEO, 0)
    assert await romeo.ask(ack(ROMEO, JULIET, 0)) == acked(ROMEO)
    for code, res in ((0, 1), (1, 1), (2, 1)):
        assert await romeo.ask(ack(ROMEO, ROMEO, code)) == acked(ROMEO, res)
    for uin in (99, 10000, 10**19):
        assert await romeo.ask(add(ROMEO, uin)) == "VER=1.1&CMD=ADDTOLIST&SEQ=201&UIN=10001&RES=5"
        for code in (0, 1, 2):
            assert await romeo.ask(ack(ROMEO, uin, code)) == acked(ROMEO, 5)


@pytest.mark.parametrize("code", [3, 9, 10**19])
async def test_answer_that_nobody_knows(stage: Stage, code: int) -> None:
    """A `CD` without a meaning is refused, and the request still waits."""
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    await romeo.ask(ack(ROMEO, PARIS, 2))
    assert await paris.hear()
    assert await paris.ask(ack(PARIS, ROMEO, code)) == acked(PARIS, 1)
    assert await paris.ask(ack(PARIS, ROMEO, 0)) == acked(PARIS)


async def test_requests_of_a_day(tmp_path: Path) -> None:
    """Beyond so many they are refused, and so is adding whom anyone may; a day later all is new."""
    async with Stage(tmp_path, requests_per_day=2) as stage:
        stage.add(ROMEO)
        for uin in (20001, 20002, 20003, 20004):
            add_person(stage.store, uin)
        await allow(stage, 20004, "anyone")
        romeo = await stage.sign_in(ROMEO)
        answers = [await romeo.ask(ack(ROMEO, uin, 2)) for uin in (20001, 20002, 20003)]
        assert answers == [acked(ROMEO), acked(ROMEO), acked(ROMEO, 1)]
        assert await romeo.ask(add(ROMEO, 20003)) == added(ROMEO, 1)
        assert await romeo.ask(add(ROMEO, 20004)) == added(ROMEO, 3)
        await stage.advance(86400.0)
        assert await romeo.ask(ack(ROMEO, 20003, 2)) == acked(ROMEO)
        assert await romeo.ask(add(ROMEO, 20004)) == added(ROMEO, 0)


async def test_full_inbox(tmp_path: Path) -> None:
    """A request does not go into a full inbox; an answer that was asked for does."""
    async with Stage(tmp_path, inbox_limit=1) as stage:
        stage.add(ROMEO)
        stage.add(PARIS)
        romeo = await stage.sign_in(ROMEO)
        assert await romeo.ask(ack(ROMEO, PARIS, 2, "one")) == acked(ROMEO)
        assert await romeo.ask(ack(ROMEO, PARIS, 2, "two")) == acked(ROMEO, 1)
        await romeo.close()
        await stage.idle()
        await stage.server._services.inbox.put(10000, ROMEO, "full", Kind.MESSAGE)
        paris = await stage.sign_in(PARIS)
        assert await heard(stage, paris) == ["RES=0&MN=1&MT=2&UN=10001&MG=one"]
        assert await paris.ask(ack(PARIS, ROMEO, 1, "no")) == acked(PARIS)
        romeo = await stage.sign_in(ROMEO)
        assert [line.partition("&MG=")[2] for line in await heard(stage, romeo)] == ["full", "no"]


# --- crossing, twice, and the end ----------------------------------------------------------------


@pytest.mark.parametrize("by_request", [True, False])
async def test_requests_that_cross(stage: Stage, by_request: bool) -> None:
    """Who is asked and asks, or adds, the other becomes a friend; both know."""
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    await romeo.ask(ack(ROMEO, PARIS, 2, WORDS))
    await stage.idle()
    paris.waiting()
    if by_request:
        assert await paris.ask(ack(PARIS, ROMEO, 2, "me, too")) == acked(PARIS)
    else:
        assert await paris.ask(add(PARIS, ROMEO)) == added(PARIS, 0)
    assert await heard(stage, paris) == ["RES=0&ST=10&UN=10001"]
    assert await heard(stage, romeo) == ["RES=0&ST=10&UN=10003", "RES=0&MN=1&MT=3&UN=10003&MG="]


async def test_requests_that_cross_on_the_way(stage: Stage) -> None:
    """Sent before either has come to the disk: one of them is the answer to the other."""
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    await romeo.say(ack(ROMEO, PARIS, 2))
    await paris.say(ack(PARIS, ROMEO, 2))
    await stage.idle()
    assert stage.store.are_friends(ROMEO, PARIS)
    assert stage.store.requests_to(ROMEO, 9) == stage.store.requests_to(PARIS, 9) == []
    assert sum("&MT=3&" in line for line in romeo.waiting() + paris.waiting()) == 1


async def test_accepted_twice(stage: Stage) -> None:
    """Once more is answered the same, on the way and later, and tells nobody anything."""
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    await romeo.ask(ack(ROMEO, PARIS, 2))
    await stage.idle()
    paris.waiting()
    await paris.say(ack(PARIS, ROMEO, 0, seq=1), ack(PARIS, ROMEO, 0, seq=2))
    await stage.idle()
    lines = [line for line in paris.waiting() if "ACK" in line]
    assert lines == [acked(PARIS, seq=1), acked(PARIS, seq=2)]
    assert await paris.ask(ack(PARIS, ROMEO, 0, seq=3)) == acked(PARIS, seq=3)
    assert sum("&MT=3&" in line for line in await heard(stage, romeo)) == 1


async def test_end_of_a_friendship(stage: Stage) -> None:
    """Both see the other leave, lose the other from the list, and are told nothing any more."""
    romeo, juliet = await stage.sign_in(ROMEO), await stage.sign_in(JULIET)
    await heard(stage, romeo)
    for seq in (1, 2):  # once more changes nothing
        assert await romeo.ask(request("DelFromList", ROMEO, "UN=10002", seq=seq)) == (
            f"VER=1.1&CMD=DELFROMLIST&SEQ={seq}&UIN=10001&RES=0"
        )
        expected = ["RES=0&ST=20&UN=10002"] if seq == 1 else []
        assert await heard(stage, romeo) == expected
        assert await heard(stage, juliet) == [line.replace("10002", "10001") for line in expected]
    await juliet.ask(request("Change_Stat", JULIET, "ST=30"))
    assert await heard(stage, romeo) == []
    assert "&SN=0&" in await juliet.ask(request("SimpleInfo2", JULIET))
    assert (await juliet.ask(request("CLTMSG", JULIET, "UN=10001&MG=hi"))).endswith("&RES=1")


async def test_end_of_a_friendship_unseen(stage: Stage) -> None:
    """Who is hidden does not show it by leaving, and who polls sees it as well."""
    await stage.sign_in(JULIET, lg=40)
    assert "&RS=0&" in await stage.post(sign_in_line(ROMEO), HOME[ROMEO])
    assert await stage.post(request("DelFromList", ROMEO, "UN=10002"), HOME[ROMEO]) == (
        "VER=1.1&CMD=DELFROMLIST&SEQ=201&UIN=10001&RES=0\r\n"
    )
    assert await fetch(stage, ROMEO) == ""


async def test_nothing_to_end(stage: Stage) -> None:
    """Where there was no friendship the answer is the same, whatever the number."""
    romeo = await stage.sign_in(ROMEO)
    for uin in (PARIS, ROMEO, 99, 10**19):
        assert await romeo.ask(request("DelFromList", ROMEO, f"UN={uin}")) == (
            "VER=1.1&CMD=DELFROMLIST&SEQ=201&UIN=10001&RES=0"
        )
