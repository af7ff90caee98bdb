"""The journal in words, for the operator."""

import json
import time
from collections.abc import Iterator
from typing import Any
from unicodedata import category

import pytest
from rich.cells import cell_len

from kqq.server.journal import ENDS, Attempt, Journal, Over, Step
from kqq.server.journal_words import advice, describe
from stage import ROMEO, ManualClock

DOOR = "kqq://0.0.0.0:14000"
HASH = "5EBE2294ECD0E0F08EAB7690D2A6EE69"


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands at 2014-05-14 01:10:00 in China."""
    return ManualClock()


@pytest.fixture
def journal(clock: ManualClock) -> Journal:
    """A journal of 100 attempts, 10 of each address."""
    return Journal(clock, most=100, each=10)


@pytest.fixture(autouse=True)
def china(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is that of China."""
    monkeypatch.setenv("TZ", "CST-8")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def come(journal: Journal, host: str = "127.0.0.1", over: Over = "tcp") -> Attempt:
    """Return the attempt of a new connection."""
    return journal.begin(host, 50000, DOOR, over)


def steps(attempt: Attempt) -> list[tuple[Step, int]]:
    """Return the steps of an attempt, and how often in a row."""
    return [(taken.step, taken.count) for taken in attempt.steps]


def address(number: int) -> str:
    """Return one of many addresses."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


DETAILS: dict[str, str | int] = {
    "reason": "lost",
    "line": "VER=1.4&CMD=Nonsense",
    "rule": "CMD is none that we know",
    "why": "VER is 9.9",
    "address": "127.0.0.9",
    "limit": "sign-ins of an address",
    "command": "QUERY_STAT2",
    "method": "GET",
    "path": "/",
}


def take(attempt: Attempt, *steps: Step) -> Attempt:
    """Take steps, with some details."""
    for step in steps:
        attempt.add(step, **{name: DETAILS[name] for name in step.fields})
    return attempt


# --- in words


def told(*attempts: Attempt) -> list[dict[str, Any]]:
    """Return attempts as they come out of JSON."""
    return [json.loads(json.dumps(attempt.as_object())) for attempt in attempts]


def test_an_attempt_in_words(journal: Journal, clock: ManualClock) -> None:
    """Time, number, address and door, then a line a step, then what to do."""
    attempt = come(journal).is_of(ROMEO)
    clock.advance(1)
    take(attempt, Step.WRONG_PASSWORD, Step.WRONG_PASSWORD)
    clock.advance(5)
    take(attempt, Step.WRONG_PASSWORD)
    attempt.add(Step.CLOSED, reason="too many sign-ins that failed")
    assert describe(*told(attempt)) == [
        "2014-05-14 01:10:00  10001 from 127.0.0.1:50000 over TCP, door",
        "    kqq://0.0.0.0:14000",
        "  01:10:00  connected",
        "  01:10:06  the password is wrong (3 times since 01:10:01)",
        "  01:10:06  the server closed the connection: too many sign-ins that failed",
        "  What to do: type it again; an operator can set a new one.",
    ]


def test_a_run_over_days_in_words(journal: Journal, clock: ManualClock) -> None:
    """Over HTTP the connections are counted; another day and what was not kept are told."""
    come(journal, "2001:db8::1", "http")
    attempt = come(journal, "2001:db8::1", "http")
    for number in range(40):
        attempt.add(Step.EARLY, command=str(number))
    clock.advance(86400)
    attempt.add(Step.EARLY, command="39")
    lines = describe(*told(attempt))
    assert lines[0] == "2014-05-14 01:10:00  no number from [2001:db8::1]:50000 over HTTP, door"
    assert lines[1] == "    kqq://0.0.0.0:14000, 2 connections"
    assert lines[7] == "            … 11 more steps, not kept"
    assert lines[-4:] == [
        "  2014-05-15",
        "  01:10:00  sent 39 without being signed in (2 times since 2014-05-14 01:10:00)",
        "  What to do: sign in; a client may believe that it still is, as after a",
        "              restart of the server.",
    ]


def test_what_strangers_sent_does_no_harm_and_stays_in_80_columns(journal: Journal) -> None:
    """Wide signs take two columns, long lines are cut, and no sign steers the terminal."""
    attempt = come(journal)
    attempt.add(Step.UNREADABLE, line="我" * 120, rule="a-b " * 40)
    attempt.add(Step.UNREADABLE, line="x" * 200, rule="\x1b[2J\x9b \u202e\udcff\U000e0001")
    attempt.add(Step.NOT_KQQ, method="GET", path="/{0}{line}%s{" + "/" * 100)
    attempt.is_of(10**40)
    lines = describe(*told(attempt))
    text = "\n".join(lines)
    assert max(map(cell_len, lines)) <= 80
    assert text.count("我") == 120
    assert text.count("x") == 200 + 3
    assert "\\x1b[2J\\x9b" in text
    assert all(sign == "\n" or category(sign)[0] != "C" for sign in text)
    assert "/{0}{line}%s{" in text


@pytest.mark.parametrize("step", Step)
def test_each_step_has_words_and_most_a_remedy(journal: Journal, step: Step) -> None:
    """Each step says what happened, with all its details, and fits in a sentence."""
    attempt = come(journal)
    if step is not Step.CONNECTED:
        take(attempt, step)
    text = " ".join(line.strip() for line in describe(*told(attempt)))
    for name in step.fields:
        assert str(DETAILS[name]) in text
    assert not step.words.endswith(".")
    assert not step.remedy.endswith(".")
    assert step.remedy or step in {
        Step.CONNECTED, Step.CAPTCHA_RIGHT, Step.SIGNED_IN, Step.ADMITTED,
    }  # fmt: skip
    assert len({other.words for other in Step}) == len(Step)


def test_words_of_a_newer_server() -> None:
    """A step nobody here knows is told by its name; a detail that is missing is a question."""
    attempt = {
        "address": "127.0.0.1", "port": 1, "door": DOOR, "over": "tcp", "uin": None,
        "begun": 0.0, "connections": 1, "signed_in": False, "left_out": 0,
        "steps": [
            {"step": "closed", "details": {}, "first": 0.0, "last": 0.0, "count": 1},
            {"step": "tickled", "details": {"by": 1}, "first": 0.0, "last": 0.0, "count": 1},
        ],
    }  # fmt: skip
    assert describe(attempt)[-2:] == [
        "  08:00:00  the server closed the connection: ?",
        "  08:00:00  tickled by=1",
    ]
    assert advice([attempt]) == "At 1970-01-01 08:00:00 tickled by=1."


# --- advice


def test_nothing_came() -> None:
    """Who never reached the server has to look at the address."""
    assert (advice([]) or "").startswith("Nothing has reached the server lately; look at the addr")


PASSWORD = "the password is wrong; type it again"


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        ([], "connected; nothing followed; look whether the client's port"),
        ([Step.DISCONNECTED], "connected; nothing followed"),
        ([Step.WRONG_PASSWORD], PASSWORD),
        ([Step.WRONG_PASSWORD, Step.EARLY, Step.DISCONNECTED], PASSWORD),
        ([Step.WRONG_PASSWORD, Step.CLOSED], PASSWORD),
        ([Step.EARLY, Step.DISCONNECTED], "sent QUERY_STAT2 without being signed in; sign in"),
        ([Step.CLOSED, Step.DISCONNECTED], "the server closed the connection: lost"),
        ([Step.WRONG_PASSWORD, Step.CAPTCHA_SHOWN], "was shown a captcha; sign in again"),
        ([Step.CAPTCHA_SHOWN, Step.CAPTCHA_RIGHT, Step.WRONG_PASSWORD], PASSWORD),
        ([Step.CAPTCHA_RIGHT], "the answer to the captcha is right."),
        ([Step.SIGNED_IN], None),
        ([Step.WRONG_PASSWORD, Step.SIGNED_IN, Step.LIMITED], None),
        ([Step.WRONG_PASSWORD, Step.SIGNED_IN, Step.SIGNED_OUT], "signed out; sign in again."),
        ([Step.SIGNED_IN, Step.DISCONNECTED], "the connection ended: lost; sign in again."),
        ([Step.SIGNED_IN, Step.REPLACED, Step.DISCONNECTED], "signed out, because the same"),
        ([Step.SIGNED_IN, Step.EXPIRED, Step.EARLY, Step.CLOSED], "the session expired, because"),
        ([Step.SIGNED_IN, Step.EXPIRED, Step.WRONG_PASSWORD], PASSWORD),
        ([Step.SUSPENDED], "the account is suspended: lost; an operator can end this."),
    ],
)
def test_advice(
    journal: Journal, clock: ManualClock, taken: list[Step], reason: str | None
) -> None:
    """The last thing that stood in the way is told; what merely followed from it is not."""
    attempt = come(journal).is_of(ROMEO)
    for step in taken:
        clock.advance(0.01)
        take(attempt, step)
    told_reason = advice(told(attempt))
    if reason is None:
        assert told_reason is None
    else:
        assert told_reason is not None
        assert told_reason.startswith(f"At 2014-05-14 01:10:00 {reason}")


def test_advice_of_several_attempts(journal: Journal, clock: ManualClock) -> None:
    """What happened last in any of them counts; who is signed in on one of them is."""
    first = take(come(journal).is_of(ROMEO), Step.SIGNED_IN)
    clock.advance(1)
    second = come(journal, "127.0.0.2").is_of(ROMEO)
    take(second, Step.WRONG_PASSWORD)
    assert advice(told(first, second)) is None
    clock.advance(1)
    take(second, Step.SIGNED_IN)
    take(first, Step.REPLACED, Step.DISCONNECTED)
    assert advice(told(first, second)) is None
    clock.advance(1)
    take(second, Step.EXPIRED)
    assert "the session expired" in (advice(told(first, second)) or "")
    clock.advance(1)
    take(first, Step.SIGNED_IN)
    assert advice(told(first, second)) is None


# --- in Chinese


@pytest.mark.parametrize("step", Step)
def test_each_step_in_chinese(journal: Journal, clock: ManualClock, step: Step) -> None:
    """Each step says what happened with all its details, and what to do where English does."""
    attempt = come(journal)
    if step is Step.SIGNED_IN:
        take(attempt, step)
        assert advice(told(attempt), "zh") is None
        return
    if step in ENDS:
        take(attempt, Step.SIGNED_IN)
    if step is not Step.CONNECTED:
        take(attempt, step)
    words = advice(told(attempt), "zh") or ""
    assert words.startswith("2014-05-14 01:10:00：")
    assert words.endswith("。")
    assert any("\u4e00" <= sign <= "\u9fff" for sign in words)
    for name in step.fields:
        assert str(DETAILS[name]) in words
    assert ("；" in words) == bool(step.remedy or step is Step.CONNECTED)


def test_how_often_and_why_in_chinese(journal: Journal, clock: ManualClock) -> None:
    """What the server itself says as a detail is Chinese, too; so is how often it was."""
    attempt = come(journal).is_of(ROMEO)
    attempt.add(Step.LIMITED, limit="too many sign-ins from this address failed")
    clock.advance(1)
    attempt.add(Step.LIMITED, limit="too many sign-ins from this address failed")
    assert advice(told(attempt), "zh") == (
        "2014-05-14 01:10:01：超出了限制：来自这个地址的登录失败太多（自 01:10:00 起共 2 次）"
        "；请过几分钟再试。"
    )


def test_nothing_came_and_a_newer_server_in_chinese() -> None:
    """Who never reached the server has to look at the address; strange steps are told by name."""
    assert (advice([], "zh") or "").startswith("服务器最近没有收到任何连接")
    steps = [{"step": "tickled", "details": {"by": 1}, "first": 0.0, "last": 0.0, "count": 1}]
    attempt = {"over": "tcp", "signed_in": False, "steps": steps}
    assert advice([attempt], "zh") == "1970-01-01 08:00:00：tickled by=1。"


def test_browsers_tell_nothing_of_phones(journal: Journal) -> None:
    """Who signs in to the pages has still a phone with a wrong password."""
    phone = come(journal).is_of(ROMEO)
    phone.add(Step.WRONG_PASSWORD)
    page = journal.begin("192.0.2.1", 1, "web://127.0.0.1:8080", "web").is_of(ROMEO)
    page.add(Step.ADMITTED)
    both = [phone.as_object(), page.as_object()]
    told_now = advice(both)
    assert told_now is not None
    assert "the password is wrong" in told_now
    alone = advice(both[1:])
    assert alone is not None
    assert "with a browser" in alone
