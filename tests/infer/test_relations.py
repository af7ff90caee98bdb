"""Which field names messages, and which reply answers what."""

import random

import pytest

from kqq.infer.parts import Blank, Pairs, Words
from kqq.infer.relations import (
    find_naming,
    find_naming_by_echo,
    find_pairing,
    kind_of,
    seconds_between,
)
from kqq.infer.sample import CLIENT, SERVER
from messages_said import conversation, said

PAIRS = Pairs("&", "=", 1, 1, 1)
WORDS = Words(" ", 1, 1)


def lines(turns: int = 40) -> list[str]:
    """Return a conversation: commands with fields of their own, replies with the same `id`."""
    dice = random.Random(1)
    found = []
    for turn in range(turns):
        command, fields = dice.choice((("go", "x=1&y=2"), ("say", "t=hi"), ("Stop", "why=no")))
        found.append(f"> id={turn}&me=7&do={command}&{fields}")
        answer = {"go": "&at=3", "say": "", "Stop": "&z=1&zz=2"}[command]
        found.append(f"< id={turn}&me=7&do={command.upper()}{answer}")
    return found


def test_the_name_goes_with_the_other_fields() -> None:
    """Not what is always the same, nor what is always another; large letters do not count."""
    messages = conversation(*lines())
    naming = find_naming(messages, PAIRS)
    assert naming.fields == {CLIENT: "do", SERVER: "do"}
    assert [name for name, _, _ in naming.tried] == ["do"]
    assert naming.tried[0][1] > 0.9
    assert {kind_of(message, naming) for message in messages} == {"go", "say", "stop"}


def test_an_end_may_have_no_name() -> None:
    """Then all of its messages are of one kind."""
    messages = conversation(*[line if line[0] == ">" else "< ok=1" for line in lines()])
    naming = find_naming(messages, PAIRS)
    assert naming.fields == {CLIENT: "do", SERVER: ""}
    assert kind_of(messages[1], naming) == ""
    assert find_naming([], PAIRS).fields == {CLIENT: "", SERVER: ""}


def test_ends_may_be_named_by_different_fields() -> None:
    """If none does for both."""
    messages = conversation(
        *[f"> c={'ab'[n % 2]}&{'x' if n % 2 else 'y'}=1" for n in range(30)],
        *[f"< d={'ab'[n % 2]}&{'v' if n % 2 else 'w'}=1" for n in range(30)],
    )
    assert find_naming(messages, PAIRS).fields == {CLIENT: "c", SERVER: "d"}


def test_words_are_named_by_what_looks_like_a_name() -> None:
    """A room may tell as much, but `#` begins no name; what looks like none is of no kind."""
    rows = []
    for n in range(60):
        text = ("> word 1=SAY&word 2=#tea&word 3=:hi", "> word 1=GO&word 2=#tea",
                "> word 1=ASK&word 2=bob&word 3=12")[n % 3]  # fmt: skip
        rows.append(text)
    messages = conversation(*rows, "> word 1=!!&word 2=x")
    naming = find_naming(messages, WORDS)
    assert naming.fields[CLIENT] == "word 1"
    assert kind_of(messages[0], naming) == "say"
    assert kind_of(messages[-1], naming) == ""


def test_bytes_that_count_are_no_names() -> None:
    """They would tell a little, as all that changes does."""
    blank = Blank(is_text=False, agree=1, of=1)
    rows = [f"> byte 1={n % 2:02x}&byte 2={n:02x}{'&rest=00' * (n % 2)}" for n in range(30)]
    assert find_naming(conversation(*rows), blank).fields[CLIENT] == "byte 1"
    text = Blank(is_text=True, agree=1, of=1)
    assert find_naming(conversation(*["> text=a"] * 9), text).fields[CLIENT] == ""


def test_replies_have_a_value_of_their_request() -> None:
    """One that is another in each request; late replies and others between them do not matter."""
    rows = lines()
    for place in (2, 10, 20):  # a reply comes after the next request
        rows[place - 1], rows[place] = rows[place], rows[place - 1]
    rows.insert(7, "< id=900&me=7&do=NEWS")
    messages = conversation(*rows)
    pairing, pairs = find_pairing(messages)
    assert pairing is not None
    assert (pairing.field, pairing.agree, pairing.of) == ("id", 40, 40)
    assert {name for name, _ in pairing.tried} == {"do", "me"}
    for request, reply in pairs:
        assert messages[request].get("id") == messages[reply].get("id")
    assert seconds_between(messages, pairs) == 1.0


def test_order_tells_where_no_field_does() -> None:
    """If each request is followed by one message, and messages are known to be such."""
    messages = conversation(*["> a=1", "< b=2"] * 20)
    pairing, pairs = find_pairing(messages)
    assert pairing is not None
    assert (pairing.field, len(pairs)) == ("", 20)
    assert find_pairing(messages, is_framed=False) == (None, [])


@pytest.mark.parametrize(
    "rows", [["> a=1"] * 9, ["< a=1"] * 9, [], ["> a=1", "> a=1", "< a=2"] * 9]
)
def test_nothing_tells(rows: list[str]) -> None:
    """One end alone, nobody, or replies to some only."""
    assert find_pairing(conversation(*rows)) == (None, [])


def test_clients_that_say_little_are_taken_together_in_order() -> None:
    """With a request on each connection, a field that is always another shows nothing."""
    messages = [said(f"{sign} id={n}", n, n) for n in range(20) for sign in "><"]
    pairing, _ = find_pairing(messages)
    assert pairing is not None
    assert pairing.field == ""


def test_times_that_say_nothing() -> None:
    """A source without times has the same everywhere."""
    messages = [said("> a=1"), said("< a=1")]
    assert seconds_between(messages, [(0, 1)]) is None
    assert seconds_between(messages, []) is None


def test_a_word_that_replies_repeat_names_few_messages() -> None:
    """Not a number, nor what some replies do not repeat; and only if nothing else does."""
    rows = [
        f"{sign} id={n}&do={word if sign == '>' else word.upper()}&x={n}z&other={word}{sign}"
        for n, word in enumerate(("go", "say", "stop", "look", "bye"))
        for sign in "><"
    ]
    messages = conversation(*rows)
    none = find_naming(messages[:1], PAIRS)
    pairs = find_pairing(messages)[1]
    naming = find_naming_by_echo(messages, pairs, none)
    assert naming.fields == {CLIENT: "do", SERVER: "do"}
    assert naming.by_echo
    assert find_naming_by_echo(messages, [], none) == none
    assert find_naming_by_echo(messages, pairs, naming) == naming
    assert not find_naming_by_echo(messages[:4], pairs[:2], none).by_echo
