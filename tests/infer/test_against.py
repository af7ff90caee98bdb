"""What is rediscovered of the catalogue from captures alone, and what the catalogue lacks."""

import asyncio

import pytest

from kqq.capture.events import Data
from kqq.infer import Findings, infer
from kqq.infer.against import Comparison, compare
from traffic import StreamEvent, town_traffic
from unknown import captured, counted

KNOWN_MISSES = {
    ("request", "", "CON"),  # looks like a number; the catalogue says text since nobody knows
    ("reply", "Login", "SG"),  # looks like a code of 64 digits; seen too seldom to say so
    ("reply", "Login", "SSG"),  # looks like a number; no client reads it
    ("reply", "GETINFO", "FC"),  # looks like a number; profiles are words for the clients
}
"""What nobody could know from the lines alone: (role, command, key)."""


@pytest.fixture(scope="module")
def events() -> list[StreamEvent]:
    """The traffic of a town."""
    return list(asyncio.run(town_traffic()))


@pytest.fixture(scope="module")
def town(events: list[StreamEvent]) -> Findings:
    """What is found in it."""
    return infer(events)


@pytest.fixture(scope="module")
def comparison(town: Findings) -> Comparison:
    """What the catalogue says of that."""
    return compare(town)


def test_nine_of_ten_kinds_are_rediscovered(comparison: Comparison) -> None:
    """Of the fields that occur, each as often as the catalogue declares it; prints the others."""
    for miss in comparison.misses:
        print(
            f"missed: {miss.role} {miss.command or '(all)'} {miss.key}: the catalogue says "
            f"{miss.declared}, the lines say {miss.inferred}, such as {miss.values[:2]}"
        )
    right = len(comparison.compared) - len(comparison.misses)
    print(f"rediscovered: {right} of {len(comparison.compared)}, {comparison.share:.1%}")
    assert len(comparison.compared) > 110
    assert comparison.share >= 0.9
    missed = {(miss.role, miss.command, miss.key) for miss in comparison.misses}
    assert missed <= KNOWN_MISSES, "an inference has become worse"


def test_every_command_occurs(comparison: Comparison) -> None:
    """So that nothing hard is left out; heads count once for requests, replies and pushes."""
    assert comparison.absent == []
    heads = [one for one in comparison.compared if not one.command]
    assert [one.key for one in heads if one.role == "request"] == [
        "VER", "CON", "CMD", "SEQ", "UIN", "SID", "XP"
    ]  # fmt: skip
    assert len(heads) == 7 + 5 + 5


def test_what_our_own_server_says_is_explained(comparison: Comparison) -> None:
    """All but the codes of `XP`, whose making nobody knows."""
    assert comparison.unknown_kinds == []
    assert comparison.unknown_fields == []
    assert comparison.unreadable == []
    assert [(where, key) for where, key, _ in comparison.other_codes] == [("request", "XP")]


def test_what_the_catalogue_does_not_explain(events: list[StreamEvent]) -> None:
    """Unknown commands, fields, values that cannot be read, and codes without a name."""
    odd = [
        b"VER=1.4&CMD=Dance&SEQ=%d&UIN=10001&STEP=%d\n",
        b"VER=1.4&CMD=Change_Stat&SEQ=%d&UIN=10001&ST=33&MOOD=%d\n",
        b"VER=1.4&CMD=GetInfo&SEQ=%d&UIN=10001&LV=high&UN=%d\n",
        b"VER=1.4&CMD=Server_Shout&SEQ=%d&UIN=10001&X=%d\n",
    ]
    talk = [(0, float(turn), odd[turn % 4] % (turn, turn)) for turn in range(80)]
    more = captured([talk])
    for event in more:
        event.stream.number = 5000
    found = compare(infer([*events, *more]))
    assert [kind.name for kind in found.unknown_kinds] == ["dance", "server_shout"]
    assert ("request Change_Stat", "MOOD", ("1", "5", "9", "13")) in found.unknown_fields
    assert ("request GetInfo", "LV", ("high",)) in found.unreadable
    assert ("request Change_Stat", "ST", ("33",)) in found.other_codes
    assert found.share < 1


def test_another_protocol_has_nothing_in_common() -> None:
    """And that is no division by zero."""
    found = compare(infer(counted()))
    assert (found.compared, found.share) == ([], 0.0)
    assert len(found.unknown_kinds) == 5
    assert len(found.absent) > 30


def test_a_reply_that_nobody_asked_for_is_looked_up_too() -> None:
    """A capture of the server's end alone: messages are replies or pushes, whichever is known."""
    rows = [b"VER=1.1&CMD=CLTMSG&SEQ=%d&UIN=10001&RES=0\r\n",
            b"VER=1.1&CMD=update_stat&SEQ=%d&UIN=10001&RES=0&ST=10&UN=10002\r\n"]  # fmt: skip
    talk = [(1, float(turn), rows[turn % 2] % turn) for turn in range(40)]
    found = compare(infer(captured([talk])))
    assert {(one.role, one.command, one.key) for one in found.compared if one.command} == {
        ("push", "update_stat", "ST"), ("push", "update_stat", "UN")
    }  # fmt: skip


def test_documents_are_told_by_their_first_key() -> None:
    """The one with the servers has no command."""
    body = b"SERERCONFIG_NUM=%d&SERVERCONFIG_TYPE=%s&SERVERCONFIG_URL=%s"
    talks = []
    for number in range(12):
        count = number % 3 + 1
        types = b",".join([b"KQQTCP"] * count)
        urls = b",".join(b"socket://127.0.0.%d:14000" % one for one in range(count))
        answer = body % (count, types, urls)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer)
        talks.append([(0, 0.0, b"GET /x HTTP/1.1\r\n\r\n"), (1, 0.1, head + answer)])
    found = compare(infer(captured(talks)))
    assert [(one.key, one.inferred) for one in found.compared] == [
        ("SERERCONFIG_NUM", "UINT"),
        ("SERVERCONFIG_TYPE", "PLAIN_LIST(TEXT)"),
        ("SERVERCONFIG_URL", "PLAIN_LIST(TEXT)"),
    ]
    assert found.share == 1


def test_it_holds_in_part_of_the_traffic(events: list[StreamEvent]) -> None:
    """Not only in all of it: of every second connection as much is rediscovered."""
    some = [event for event in events if event.stream.number % 2]
    assert any(isinstance(event, Data) for event in some)
    assert compare(infer(some)).share >= 0.9


def test_one_command_alone_is_looked_up() -> None:
    """Where nothing tells kinds apart, since there is one only."""
    talk = [(0, float(n), b"VER=1.4&CMD=Logout&SEQ=%d&UIN=10001\r\n" % n) for n in range(9)]
    found = compare(infer(captured([talk])))
    assert [(one.key, one.inferred) for one in found.compared] == [
        ("VER", "VERSION"), ("CMD", "TEXT"), ("SEQ", "UINT"), ("UIN", "UINT")
    ]  # fmt: skip
    assert found.unknown_kinds == []
