"""The last attempts to sign in: what is kept, what is pushed out, what is said of them."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.server.journal import STEPS, Attempt, Journal, Over, Step
from kqq.server.journal_words import advice, describe
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
