"""The last attempts to sign in: what is kept, what is pushed out, what is said of them."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kqq.server.journal import STEPS, Attempt, Journal, Over, Step, advice, describe
from stage import JULIET, PARIS, ROMEO, ManualClock

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


def guess(journal: Journal, host: str, uin: int) -> Attempt:
    """Return an attempt to sign in with a wrong password."""
    attempt = come(journal, host).is_of(uin)
    attempt.add(Step.WRONG_PASSWORD)
    return attempt


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


# --- one connection


def test_attempt_tells_its_steps(journal: Journal, clock: ManualClock) -> None:
    """A connection is listed as it comes, by address; and by number once that is known."""
    attempt = come(journal)
    assert journal.of_address("127.0.0.1") == [attempt]
    assert journal.of_uin(ROMEO) == []
    clock.advance(2)
    assert attempt.is_of(ROMEO) is attempt
    assert attempt.is_of(ROMEO) is attempt
    attempt.add(Step.WRONG_PASSWORD)
    assert journal.of_uin(ROMEO) == journal.of_address("127.0.0.1") == [attempt]
    assert (attempt.uin, attempt.over, attempt.port, attempt.door) == (ROMEO, "tcp", 50000, DOOR)
    start = attempt.begun
    assert [(taken.first - start, taken.step) for taken in attempt.steps] == [
        (0, Step.CONNECTED),
        (2, Step.WRONG_PASSWORD),
    ]
    assert len(journal) == 1


def test_equal_steps_in_a_row_are_counted(journal: Journal, clock: ManualClock) -> None:
    """The same step with the same details is one, with its first and last date."""
    attempt = come(journal)
    for command in ("LIST", "LIST", "LIST", "CLTMSG", "LIST"):
        attempt.add(Step.EARLY, command=command)
        clock.advance(1)
    assert [(taken.details.get("command"), taken.count) for taken in attempt.steps] == [
        (None, 1),
        ("LIST", 3),
        ("CLTMSG", 1),
        ("LIST", 1),
    ]
    assert attempt.steps[1].last - attempt.steps[1].first == 2


def test_details_are_those_of_the_step(journal: Journal) -> None:
    """A step takes the details its words name, no others."""
    attempt = come(journal)
    with pytest.raises(AssertionError, match=r"Step\.EARLY has \['command'\], not \{\}"):
        attempt.add(Step.EARLY)
    with pytest.raises(AssertionError):
        attempt.add(Step.WRONG_PASSWORD, reason="x")
    assert steps(attempt) == [(Step.CONNECTED, 1)]


def test_details_are_short_and_no_hashes(journal: Journal) -> None:
    """A detail is cut, and a password's MD5 that slipped in is masked before."""
    attempt = come(journal)
    attempt.add(Step.UNREADABLE, line="我" * 1000, rule=f"is {HASH}")
    attempt.add(Step.EARLY, command=f"a {HASH}")
    attempt.add(Step.LIMITED, limit=3)
    assert attempt.steps[1].details == {"line": "我" * 200 + "…", "rule": "is ***"}
    assert attempt.steps[2].details == {"command": "a ***"}
    assert attempt.steps[3].details == {"limit": 3}


def test_first_and_last_steps_are_kept(journal: Journal) -> None:
    """Of many steps those in between are counted only."""
    attempt = come(journal)
    for number in range(100):
        attempt.add(Step.EARLY, command=str(number))
        attempt.add(Step.EARLY, command=str(number))
    assert len(attempt.steps) == STEPS
    shown = [taken.details.get("command") for taken in attempt.steps]
    assert shown[:6] == [None, "0", "1", "2", "3", "75"]
    assert shown[-1] == "99"
    assert attempt.left_out == 2 * 71


def test_another_number_on_the_connection(journal: Journal) -> None:
    """Somebody else on the same connection is another attempt."""
    first = come(journal).is_of(ROMEO)
    second = first.is_of(JULIET)
    assert second is not first
    second.add(Step.SIGNED_IN)
    assert journal.of_uin(ROMEO) == [first]
    assert journal.of_uin(JULIET) == [second]
    assert steps(second) == [(Step.CONNECTED, 1), (Step.SIGNED_IN, 1)]
    assert second.port == first.port


def test_number_of_nobody_is_found_too(journal: Journal) -> None:
    """What was tried with a wrong number is found by that number."""
    attempt = come(journal).is_of(99)
    attempt.add(Step.UNKNOWN_NUMBER)
    assert journal.of_uin(99) == [attempt]


def test_order_is_that_of_their_beginnings(journal: Journal, clock: ManualClock) -> None:
    """An older attempt stays before a newer one, whatever happens in it later."""
    first = come(journal).is_of(ROMEO)
    clock.advance(1)
    second = come(journal).is_of(ROMEO)
    second.add(Step.SIGNED_IN)
    first.add(Step.WRONG_PASSWORD)
    assert journal.of_uin(ROMEO) == journal.of_address("127.0.0.1") == [first, second]


def test_addresses_are_told_apart(journal: Journal) -> None:
    """Two hosts of one IPv6 network share room, and are still two."""
    one, other = come(journal, "2001:db8::1"), come(journal, "2001:db8::2")
    assert journal.of_address("2001:db8::1") == [one]
    assert journal.of_address("2001:db8::2") == [other]
    assert journal.of_address("2001:db8::3") == []


# --- HTTP


def test_posts_of_a_number_are_one_attempt(journal: Journal, clock: ManualClock) -> None:
    """Each POST is a connection; those of one address and number are a run."""
    first = come(journal, over="http").is_of(ROMEO)
    first.add(Step.SIGNED_IN)
    first.add(Step.DISCONNECTED, reason="closed")
    for port in range(10):
        clock.advance(299)
        attempt = journal.begin("127.0.0.1", port, DOOR, "http").is_of(ROMEO)
        assert attempt is first
        attempt.add(Step.DISCONNECTED, reason="closed")
    assert (first.connections, first.port) == (11, 9)
    assert steps(first) == [(Step.CONNECTED, 1), (Step.SIGNED_IN, 1)]
    assert first.is_signed_in
    assert len(journal) == 1


def test_run_ends_after_a_while(journal: Journal, clock: ManualClock) -> None:
    """After the window a POST begins another attempt."""
    first = come(journal, over="http").is_of(ROMEO)
    clock.advance(300)
    assert come(journal, over="http").is_of(ROMEO) is first
    clock.advance(300.1)
    second = come(journal, over="http").is_of(ROMEO)
    assert second is not first
    assert journal.of_uin(ROMEO) == [first, second]


def test_people_behind_one_address_are_told_apart(journal: Journal) -> None:
    """A carrier's gateway has one address for many; other addresses and TCP are others, too."""
    romeo = come(journal, over="http").is_of(ROMEO)
    juliet = come(journal, over="http").is_of(JULIET)
    assert juliet is not romeo
    assert come(journal, over="http").is_of(ROMEO) is romeo
    assert come(journal, over="http").is_of(JULIET) is juliet
    assert come(journal, over="tcp").is_of(ROMEO) is not romeo
    assert come(journal, "127.0.0.2", over="http").is_of(ROMEO) is not romeo


def test_requests_without_a_number_are_one_attempt(journal: Journal) -> None:
    """What scans by HTTP takes one place; who says a number then, goes on in it."""
    scan = come(journal, over="http")
    scan.add(Step.NOT_KQQ, method="GET", path="/")
    again = come(journal, over="http")
    assert again is scan
    again.add(Step.NOT_KQQ, method="GET", path="/")
    assert steps(scan) == [(Step.CONNECTED, 1), (Step.NOT_KQQ, 2)]
    assert come(journal, over="http").is_of(ROMEO) is scan
    assert (scan.uin, scan.connections) == (ROMEO, 3)


def test_steps_before_the_number_come_along(journal: Journal) -> None:
    """What stood in a request before its number was known is noted with the earlier ones."""
    romeo = take(come(journal, over="http").is_of(ROMEO), Step.SIGNED_IN)
    nobody = take(come(journal, over="http"), Step.UNREADABLE)
    assert nobody.is_of(ROMEO) is romeo
    assert steps(romeo) == [(Step.CONNECTED, 1), (Step.SIGNED_IN, 1), (Step.UNREADABLE, 1)]
    assert journal.of_address("127.0.0.1") == [romeo]
    nobody.add(Step.SIGNED_OUT)  # by somebody who still has it
    assert steps(romeo)[-1] == (Step.SIGNED_OUT, 1)
    assert nobody.is_of(JULIET) is not romeo
    assert nobody.is_of(ROMEO) is romeo


def test_requests_at_the_same_time(journal: Journal) -> None:
    """Two people behind one address may begin before either said who they are."""
    romeo = come(journal, over="http")
    juliet = come(journal, over="http")
    romeo = romeo.is_of(ROMEO)
    juliet = juliet.is_of(JULIET)
    assert (romeo.uin, juliet.uin) == (ROMEO, JULIET)
    third = come(journal, over="http")
    fourth = come(journal, over="http")
    assert third.is_of(JULIET) is juliet
    assert fourth.is_of(ROMEO) is romeo


def test_connection_turns_out_to_be_http(journal: Journal) -> None:
    """Which of both it is shows with the first bytes; it joins the earlier ones then."""
    first = come(journal).is_http()
    assert first.over == "http"
    first.add(Step.NOT_KQQ, method="GET", path="/")
    second = come(journal)
    assert len(journal) == 2
    assert second.is_http() is first
    assert second.is_http() is first
    assert len(journal) == 1
    first = first.is_of(ROMEO)
    assert first.is_http() is first
    assert come(journal).is_http().is_of(ROMEO) is first


def test_polling_pushes_nothing_out(journal: Journal) -> None:
    """A full journal stays as it is while phones poll."""
    for number in range(99):
        guess(journal, address(number), number)
    romeo = come(journal, "127.0.0.1", "http").is_of(ROMEO)
    take(romeo, Step.SIGNED_IN)
    before = {attempt for number in range(99) for attempt in journal.of_uin(number)}
    assert (len(before), len(journal)) == (99, 100)
    for _ in range(50):
        assert come(journal).is_http().is_of(ROMEO) is romeo
    after = {attempt for number in range(99) for attempt in journal.of_uin(number)}
    assert len(before - after) <= 1


# --- room


def test_one_address_pushes_out_its_own(journal: Journal) -> None:
    """Somebody who hammers the server from one address costs others the room of ten."""
    others = [guess(journal, address(number), number) for number in range(95)]
    for number in range(1000):
        guess(journal, "127.0.0.1", number % 95)
        come(journal, "127.0.0.1")
    assert len(journal.of_address("127.0.0.1")) == 10
    left = [attempt for attempt in others if attempt in journal.of_address(attempt.host)]
    assert len(left) >= 90
    assert len(journal) <= 100


def test_of_one_address_those_that_reached_an_account_stay(journal: Journal) -> None:
    """Who shares an address with a scan keeps what they need."""
    romeo = guess(journal, "127.0.0.1", ROMEO)
    for _ in range(100):
        come(journal, "127.0.0.1")
    assert romeo in journal.of_address("127.0.0.1")
    for _ in range(10):
        guess(journal, "127.0.0.1", JULIET)
    assert romeo not in journal.of_address("127.0.0.1")
    assert journal.of_uin(ROMEO) == []


@pytest.mark.parametrize("known", [False, True])
def test_scans_from_everywhere_do_not_push_out_sign_ins(journal: Journal, known: bool) -> None:
    """Whoever reached an account keeps half of the room, however many reach none."""
    people = [guess(journal, address(number), ROMEO + number % 10) for number in range(50)]
    for number in range(1000, 3000):
        attempt = come(journal, address(number))
        if known:
            attempt.is_of(number).add(Step.UNKNOWN_NUMBER)
    assert all(attempt in journal.of_uin(attempt.uin or 0) for attempt in people)
    assert len(journal) == 100


def test_of_scans_the_busiest_address_loses(journal: Journal) -> None:
    """An address that came once is not pushed out by those that come more often."""
    once = [take(come(journal, address(number)), Step.TLS_FAILED) for number in range(20)]
    for number in range(1000):
        come(journal, f"127.0.0.{number % 20}")
    assert all(journal.of_address(attempt.host) == [attempt] for attempt in once)
    assert len(journal) == 100


def test_guessing_at_one_account_does_not_touch_others(journal: Journal) -> None:
    """However many addresses guess at an account, the attempts at others stay."""
    others = [guess(journal, address(number), JULIET + number % 5) for number in range(50)]
    for number in range(1000, 3000):
        guess(journal, address(number), ROMEO)
    assert all(attempt in journal.of_uin(attempt.uin or 0) for attempt in others)
    assert len(journal.of_uin(ROMEO)) == 50


def test_guessing_from_some_addresses_does_not_touch_who_has_fewer(journal: Journal) -> None:
    """Who tried twice keeps both, however long thirty others guess at the same account."""
    romeo = [guess(journal, "127.0.0.1", ROMEO) for _ in range(2)]
    for number in range(3000):
        guess(journal, address(number % 30), ROMEO)
    assert [a for a in journal.of_uin(ROMEO) if a.host == "127.0.0.1"] == romeo
    assert len(journal) == 100


def test_an_ipv6_network_counts_as_one_address(journal: Journal) -> None:
    """One host has as many addresses as it likes in its /64; zones and old addresses are read."""
    for number in range(100):
        come(journal, f"2001:db8::{number:x}:1")
    assert len(journal) == 10
    come(journal, "2001:db8:0:1::1")
    assert len(journal) == 11
    for _ in range(20):
        come(journal, "fe80::1%eth0")
        come(journal, "fe80::2%eth1")
    assert len(journal) == 21
    for _ in range(20):
        come(journal, "::ffff:192.0.2.1")
        come(journal, "192.0.2.1")
    assert len(journal) == 31
    for _ in range(20):
        come(journal, "no::address::at all")
    assert len(journal) == 41


def test_what_goes_on_is_listed_again(journal: Journal) -> None:
    """Somebody signed in for days whose attempt was dropped: how it ends is told."""
    romeo = take(come(journal).is_of(ROMEO), Step.SIGNED_IN)
    for _ in range(10):
        take(come(journal).is_of(JULIET), Step.SIGNED_IN)
    assert journal.of_uin(ROMEO) == []
    take(romeo, Step.REPLACED)
    assert journal.of_uin(ROMEO) == [romeo]
    assert len(journal.of_address("127.0.0.1")) == 10
    nobody = come(journal, "127.0.0.9")
    for _ in range(10):
        come(journal, "127.0.0.9")
    assert nobody.is_of(ROMEO) is nobody
    assert journal.of_uin(ROMEO) == [romeo, nobody]


HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"]
ACTIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("begin"), st.sampled_from(HOSTS), st.sampled_from(["tcp", "http", "tls"])
        ),
        st.tuples(st.just("is_of"), st.integers(0, 40), st.sampled_from([ROMEO, JULIET, PARIS])),
        st.tuples(st.just("is_http"), st.integers(0, 40), st.none()),
        st.tuples(st.just("add"), st.integers(0, 40), st.sampled_from(Step)),
        st.tuples(st.just("wait"), st.sampled_from([1, 200, 400]), st.none()),
    ),
    max_size=120,
)


@given(ACTIONS, st.integers(0, 12), st.integers(0, 5))
def test_whatever_happens_it_stays_in_bounds(
    actions: list[tuple[str, Any, Any]], most: int, each: int
) -> None:
    """Never too many, never listed twice, by number and address the same; all can be told."""
    clock = ManualClock()
    journal = Journal(clock, most=most, each=each)
    held: list[Attempt] = []
    for action, which, what in actions:
        if action == "begin":
            held.append(come(journal, which, what))
        elif action == "wait":
            clock.advance(which)
        elif held:
            attempt = held[which % len(held)]
            if action == "is_of":
                held[which % len(held)] = attempt.is_of(what)
                assert held[which % len(held)].uin == what
            elif action == "is_http":
                held[which % len(held)] = attempt.is_http()
            else:
                take(attempt, what)
        listed = [attempt for host in HOSTS for attempt in journal.of_address(host)]
        assert len(journal) == len(listed) == len(set(listed)) <= max(most, 1)
        networks = Counter(attempt.host.rpartition(":")[0] or attempt.host for attempt in listed)
        assert max(networks.values(), default=0) <= max(each, 1)
        for uin in (ROMEO, JULIET, PARIS):
            assert set(journal.of_uin(uin)) == {a for a in listed if a.uin == uin}
    for attempt in set(listed if actions else ()):
        assert len(attempt.steps) <= STEPS
        told = json.loads(json.dumps(attempt.as_object()))
        assert describe(told)
        assert (advice([told]) is None) == attempt.is_signed_in


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
    assert step.remedy or step in {Step.CONNECTED, Step.CAPTCHA_RIGHT, Step.SIGNED_IN}
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


# --- cost


def test_it_costs_next_to_nothing() -> None:
    """With a full journal a sign-in is noted in far less than a millisecond, as scans are."""
    journal = Journal(ManualClock())
    began = time.process_time()
    for number in range(5000):
        guess(journal, address(number), number % 700)
        come(journal, address(number % 3000))
    assert len(journal) == 2000
    assert time.process_time() - began < 5
