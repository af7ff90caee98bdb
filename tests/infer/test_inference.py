"""The whole way: protocols that are not ours, what is noticed in ours, what hostile input costs.

That most of our own catalogue is rediscovered is shown in test_against.
"""

import ast
import asyncio
import random
import time
import tracemalloc
from pathlib import Path

import pytest

import kqq.infer
from kqq.infer import Field, Findings, MessageKind, infer
from kqq.infer.framing import Counted, Ends
from kqq.infer.parts import Pairs, Words
from kqq.protocol import catalogue
from kqq.protocol.declare import DOCUMENTS, REQUESTS, RESPONSES
from traffic import town_traffic
from unknown import StreamEvent, captured, chat_lines, counted, forms, noise, prose

SOURCE = Path(kqq.infer.__file__).parent


@pytest.fixture(scope="module")
def town() -> Findings:
    """What is found in the traffic of a town."""
    return infer(asyncio.run(town_traffic()))


def kind(findings: Findings, role: str, name: str) -> MessageKind:
    """Return a kind of messages."""
    return next(one for one in findings.kinds if (one.role, one.name) == (role, name))


def facts(field: Field) -> dict[str, dict[str, object]]:
    """Return what was noticed of a field."""
    return {fact.name: fact.detail for fact in field.facts}


def by_name(fields: list[Field]) -> dict[str, Field]:
    """Return fields by their names."""
    return {field.name: field for field in fields}


# --- honesty -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    sorted(path for path in SOURCE.glob("*.py") if path.stem != "against"),
    ids=lambda path: path.stem,
)
def test_no_hints(path: Path) -> None:
    """Nothing but the comparison knows the catalogue; no code spells a key or a command of it."""
    assert catalogue
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in imported if name and name.startswith("kqq.protocol")]
    specs = [*REQUESTS.values(), *DOCUMENTS.values(), *(s for forms in RESPONSES.values()
                                                        for s in forms)]  # fmt: skip
    known = {spec.command.lower() for spec in specs}
    known |= {field.key.lower() for spec in specs for field in spec.all_fields}
    said = {
        node.value.lower()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert not said & (known - {"list"})  # which is what a kind is called, too


# --- our own protocol ----------------------------------------------------------------------------


def test_the_frame_of_our_protocol(town: Findings) -> None:
    """Lines and HTTP, `&` and `=`, which field names commands, and which pairs messages."""
    assert town.framed.framings[0] == Ends(b"\n", b"\r", 374, 374, 377, 303)
    assert isinstance(town.divided.notation, Pairs)
    assert town.divided.notation[:2] == ("&", "=")
    assert town.divided.encoding == "utf-8"
    assert set(town.naming.fields.values()) == {"CMD"}
    assert town.pairing is not None
    assert (town.pairing.field, town.pairing.agree) == ("SEQ", town.pairing.of)
    assert town.junk == (3, 3)
    assert town.found_something


def test_what_all_requests_share_in_our_protocol(town: Findings) -> None:
    """Counters, echoes, who is there."""
    asked = by_name(town.shared["request"])
    assert list(asked) == ["VER", "CON", "CMD", "SEQ", "UIN", "SID", "XP"]
    assert "counter" in facts(asked["SEQ"])
    assert facts(asked["UIN"]) == {"steady": {"values": 13}}
    assert facts(asked["CON"])["only_if"] == {"field": "VER", "values": ["1.4"]}
    answered = by_name(town.shared["reply"])
    assert facts(answered["VER"]) == {"constant": {"value": "1.1"}}
    assert facts(answered["SEQ"])["echo"] == {"field": "SEQ", "exact": 828}
    assert answered["CMD"].fact("echo") is not None
    assert [kind.name for kind in town.kinds if kind.role == "push"] == [
        "update_stat", "server_msg"
    ]  # fmt: skip


def test_lists_and_their_lengths_in_our_protocol(town: Findings) -> None:
    """Also where they are always as long, as elsewhere they are not."""
    page = by_name(kind(town, "reply", "simpleinfo2").fields)
    assert facts(page["SN"])["counts"] == {"lists": ["UN", "FC", "NK"]}
    assert facts(page["NK"])["list"]["told_by"] == ["SN"]
    friends = by_name(kind(town, "reply", "list").fields)
    assert facts(friends["SN"])["counts"] == {"lists": ["UN"]}
    assert friends["UN"].proposal.kind == "LIST(UINT)"
    assert facts(friends["UN"])["same_as"] == {"field": "UIN"}


def test_conditions_in_our_protocol(town: Findings) -> None:
    """A reason where it failed, more of a profile the more was asked for."""
    login = by_name(kind(town, "reply", "login").fields)
    assert facts(login["RA"])["only_if"] == {"field": "RS", "values": ["1"]}
    profile = by_name(kind(town, "reply", "getinfo").fields)
    assert facts(profile["SH"])["only_if"] == {"field": "LV", "values": ["3"]}
    assert facts(profile["LV"])["echo"]["field"] == "LV"
    picture = kind(town, "reply", "verifycode")
    assert by_name(picture.fields)["VC"].proposal.holds == "PNG"
    assert set(picture.answers) == {"login", "verifycode"}
    assert [field.name for field in kind(town, "reply", "getinfo").fields][:4] == [
        "AD", "AG", "BT", "CO"
    ]  # fmt: skip


# --- protocols that are not ours -----------------------------------------------------------------


def test_words_in_a_row() -> None:
    """The first word names what clients say, the second what the server says; the rest is text."""
    findings = infer(chat_lines())
    assert findings.framed.framings[0] == Ends(b"\r\n", agree=195, of=195, count=195)
    assert isinstance(findings.divided.notation, Words)
    assert findings.naming.fields == {0: "word 1", 1: "word 2"}
    message = kind(findings, "request", "privmsg")
    assert [field.name for field in message.fields] == ["word 1", "word 2", "word 3 and on"]
    assert findings.pairing is None
    assert kind(findings, "message", "001").count == 5
    assert findings.shared == {}


def test_counted_bytes() -> None:
    """The length, the byte that is the type, the one that counts, and that it comes back."""
    findings = infer(counted())
    assert findings.framed.framings[0] == Counted(2, "big", 2, 4, 320, 320)
    assert findings.naming.fields[0] == "byte 1"
    assert findings.pairing is not None
    assert findings.pairing.field == "byte 2"
    asked = by_name(findings.shared["request"])
    assert facts(asked["header byte 1"]) == {"constant": {"value": "c5"}}
    assert "counter" in facts(asked["byte 2"])
    (answer,) = [one for one in findings.kinds if one.role == "reply"]
    assert facts(by_name(answer.fields)["byte 2"])["echo"]["field"] == "byte 2"
    assert findings.found_something


def test_forms_over_http() -> None:
    """Queries and bodies, chunked answers, and that order pairs them."""
    findings = infer(forms())
    assert findings.framed.http == 40
    assert findings.naming.fields == {0: "action", 1: "action"}
    assert findings.naming.by_echo
    assert findings.pairing is not None
    assert findings.pairing.field == ""
    fields = by_name(kind(findings, "request", "buy").fields)
    assert {name: one.proposal.kind for name, one in fields.items()} == {
        "item": "UINT", "price": "DECIMAL"
    }  # fmt: skip
    answered = by_name(findings.shared["reply"])
    assert answered["ticket"].proposal.kind == "HEX_TEXT(20)"
    assert facts(answered["action"])["echo"]["field"] == "action"
    assert kind(findings, "reply", "buy").seconds == 0.5


@pytest.mark.parametrize("events", [noise(), noise(seed=9), prose(), []])
def test_where_nothing_is_nothing_is_found(events: list[StreamEvent]) -> None:
    """No names, no pairs, no lengths; and it is said."""
    findings = infer(events)
    assert not findings.found_something
    assert set(findings.naming.fields.values()) == {""}
    assert not findings.shared
    noticed = [fact.name for one in findings.kinds for field in one.fields for fact in field.facts]
    assert not set(noticed) - {"constant"}


def test_a_size_told_by_another_field() -> None:
    """And a text that counts for nothing else."""
    dice = random.Random(1)
    talks = []
    for _ in range(3):
        texts = ["x" * dice.randrange(1, 90) for _ in range(40)]
        talks.append(
            [(turn % 2, float(turn), f"len={len(text)}&text={text}&ok=1\n".encode())
             for turn, text in enumerate(texts)]
        )  # fmt: skip
    findings = infer(captured(talks))
    fields = by_name(findings.kinds[0].fields)
    assert facts(fields["len"])["size"] == {"field": "text"}
    assert not findings.naming.fields[0]


# --- hostile input -------------------------------------------------------------------------------


def hostile(name: str) -> list[StreamEvent]:
    """Return some megabytes that were made to cost much."""
    dice = random.Random(1)
    if name == "names":
        rows = [b"&".join(b"k%d=%d" % (dice.randrange(9999), n) for n in range(30)) + b"\n"
                for _ in range(4000)]  # fmt: skip
    elif name == "optional":
        rows = [b"&".join(b"f%d=%d" % (n, dice.randrange(20)) for n in range(120)
                          if dice.random() < 0.5) + b"\n" for _ in range(2000)]  # fmt: skip
    elif name == "lists":
        rows = [b"n=2&" + b"&".join(b"l%d=1,2,3," % n for n in range(100)) + b"\n"] * 2000
    elif name == "one line":
        rows = [b"a=&" * 300_000 + b"\n"] * 4
    elif name == "line ends":
        rows = [b"\n" * 1_000_000] * 4
    elif name == "signs":
        rows = [bytes(dice.choices(b"&=,;:| /#!?.+*-~<>", k=80)) + b"\n" for _ in range(20_000)]
    else:
        rows = [b"9" * dice.randrange(1, 3000) for _ in range(2000)]
    return captured([[(n % 2, float(n), row) for n, row in enumerate(rows)]] * 3)


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
@pytest.mark.parametrize(
    "name", ["names", "optional", "lists", "one line", "line ends", "signs", "digits"]
)
def test_hostile_input_costs_little(name: str) -> None:
    """Seconds, and a hundred times the sample at most, whatever it is."""
    events = hostile(name)
    began = time.process_time()
    infer(events, budget=1 << 20)
    assert time.process_time() - began < 15
    budget = 100_000
    tracemalloc.start()
    try:
        infer(events, budget=budget)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < budget * 100


def test_what_never_ends_is_sampled() -> None:
    """A capture of any size costs what the budget does; nothing but the sample is kept."""

    def endless() -> list[StreamEvent]:
        return captured(
            [(0, 0.0, b"go=%d&x=1\n" % number), (1, 0.1, b"ok=%d&y=2\n" % number)]
            for number in range(20_000)
        )

    findings = infer(endless(), budget=200_000)
    assert findings.sample.size < 60_000
    assert findings.sample.connections == 20_000
    assert isinstance(findings.divided.notation, Pairs)


def test_a_small_capture_is_understood_by_echoes_and_together() -> None:
    """With a few messages of each kind: the word that replies repeat, lists of other kinds."""
    rows = [
        "do=Friends&me=7", "do=FRIENDS&n=2&who=8,9,&as=Ann,Bob,", "do=Online&me=7",
        "do=ONLINE&n=1&who=8,", "do=Read&me=7", "do=READ&of=8,&text=hi%2c you,", "do=Bye&me=7",
        "do=BYE",
    ]  # fmt: skip
    talks = [
        [(n % 2, float(n), f"id={first + n // 2}&{row}\r\n".encode()) for n, row in enumerate(rows)]
        for first in (20, 70)
    ]
    findings = infer(captured(talks))
    assert findings.naming.fields == {0: "do", 1: "do"}
    assert findings.naming.by_echo
    read = by_name(kind(findings, "reply", "read").fields)
    assert read["of"].proposal.kind == "LIST(UINT)"
    assert read["text"].proposal.kind == "LIST(TEXT)"
