"""Any line in words."""

import pytest
from hypothesis import given

from kqq.protocol import Failure, Line, Message, Push, Request, Unreadable, decode, unescape
from kqq.protocol.evidence import CONFIDENCE, SOURCES
from kqq.protocol.explain import ExplainedField, Explanation, explain
from strategies import LINES
from vectors import READABLE, VECTORS, Vector

KINDS = {"request", "reply", "push", "unreadable"}
HEAD = "VER=1.1&CMD=CLTMSG&SEQ=1&UIN=10001"


def _kind(message: Message | Unreadable) -> str:
    if isinstance(message, Unreadable):
        return "unreadable"
    if isinstance(message, Request):
        return "request"
    return "push" if isinstance(message, Push) else "reply"


def _told_by_shape(vector: Vector) -> bool:
    """Whether the sender can be told: unreadable lines may lack what tells it."""
    keys = vector.line.values()
    from_server = "RES" in keys or "SERERCONFIG_NUM" in keys
    return from_server == (vector.sender.value == "server")


@pytest.mark.parametrize(
    "vector", [one for one in VECTORS if _told_by_shape(one)], ids=lambda vector: vector.name
)
def test_kind_and_readability_are_those_of_reading(vector: Vector) -> None:
    """A line is explained as what reading gives; what cannot be read says all its problems."""
    message = decode(vector.line, vector.sender)
    explanation = explain(vector.line)
    assert explanation.kind == _kind(message)
    assert explanation.readable == isinstance(message, Message)
    assert explanation.command == vector.line.values().get("CMD", "").strip()
    if isinstance(message, Unreadable):
        told = [str(problem) for problem in message.problems]
        assert list(explanation.problems[: len(told)]) == told
    else:
        assert explanation.summary


@pytest.mark.parametrize("vector", READABLE, ids=lambda vector: vector.name)
def test_every_readable_vector_tells_who_sent_it(vector: Vector) -> None:
    """Only servers send RES or documents, so a readable line shows its sender."""
    assert _told_by_shape(vector)


@pytest.mark.parametrize("vector", READABLE, ids=lambda vector: vector.name)
def test_fields_are_in_the_order_sent_and_unescaped(vector: Vector) -> None:
    """Joined again, the fields are the line with its escapes undone, empty parts aside."""
    explanation = explain(vector.line)
    shown = "&".join(
        f"{one.key}={one.value}" if one.key else one.value for one in explanation.fields
    )
    if not any("empty field" in problem for problem in explanation.problems):
        assert shown == unescape(vector.line.text)


@pytest.mark.parametrize("vector", READABLE, ids=lambda vector: vector.name)
def test_a_canonical_line_has_no_oddities(vector: Vector) -> None:
    """What a strict writer would have sent has no problems; values that differ are not odd."""
    if vector.canonical:
        assert explain(vector.line).problems == ()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_problems_show_no_secret(vector: Vector) -> None:
    """No value of PS, SG or SSG is in the problems, and its field is marked secret."""
    explanation = explain(vector.line)
    for secret in vector.secrets:
        assert not any(secret in problem for problem in explanation.problems)
        assert all(one.secret for one in explanation.fields if one.value == secret)


@given(LINES)
def test_anything_can_be_explained(raw: bytes) -> None:
    """Explaining never fails; kinds, confidence and evidence are known ones."""
    explanation = explain(Line.decode(raw))
    assert explanation.kind in KINDS
    assert explanation.readable or explanation.problems
    for one in explanation.fields:
        assert one.confidence in CONFIDENCE
        assert set(one.evidence) <= SOURCES.keys()
        assert bool(one.name) == bool(one.meaning) == bool(one.evidence)


def _field(explanation: Explanation, key: str) -> ExplainedField:
    return next(one for one in explanation.fields if one.key == key)


def test_a_field_says_name_meaning_and_evidence() -> None:
    """Each known field has its attribute, meaning, confidence and sources."""
    explanation = explain(Line(f"{HEAD}&UN=10002&MG=a%2cb"))
    assert explanation.summary == "Send a message to a friend."
    assert _field(explanation, "MG") == ExplainedField(
        "MG", "a,b", "text", "the words", "A", ("SEED", "WEI", "ZN", "GO")
    )
    assert _field(explanation, "CMD").meaning == "command"


@pytest.mark.parametrize(
    ("text", "key", "meaning"),
    [
        ("VER=1.4&CMD=Change_Stat&SEQ=1&UIN=1&ST= 30", "ST", "status wanted: away (called busy"),
        ("VER=1.4&CMD=Change_Stat&SEQ=1&UIN=1&ST=31", "ST", "status wanted"),
        ("VER=1.4&CON=1&CMD=Logout&SEQ=1&UIN=1", "CON", "presumably the transport: persistent"),
        ("VER=1.1&CMD=QUERY_STAT2&RES=0&ST=10,31, 20,", "ST", "statuses: online, 31 (unknown), "),
        ("VER=1.1&CMD=QUERY_STAT2&RES=0&ST=", "ST", "statuses"),
        ("VER=1.1&CMD=LIST&RES=20", "RES", "result: not signed in, or signed in elsewhere"),
        ("VER=1.1&CMD=DANCE&RES=5", "RES", "result: no such number"),
        ("VER=1.1&CMD=DANCE&RES=5", "CMD", "command"),
        ("VER=1.1&CMD=Dance&UIN=5", "UIN", "own number"),
        ("SERERCONFIG_NUM=1&UPDATECONFIG_MUST=Y", "UPDATECONFIG_MUST", "must be updated: yes"),
    ],
)
def test_codes_are_said_in_words(text: str, key: str, meaning: str) -> None:
    """A code has its words after the meaning; an unknown one has none."""
    found = _field(explain(Line(text)), key).meaning
    assert found.startswith(meaning)
    assert meaning != "status wanted" or found == meaning


def test_an_unknown_field_has_no_name() -> None:
    """Nothing is said of what nobody knows."""
    explanation = explain(Line(f"{HEAD}&UN=10002&ZZ=%41&MG=a"))
    assert _field(explanation, "ZZ") == ExplainedField("ZZ", "A", "", "", "?", ())


@pytest.mark.parametrize(
    "text", ["CMD=Dance&PS=abc", "CMD=Login&ps=abc", "PS =abc", "RES=1&SG=abc"]
)
def test_a_secret_is_one_in_any_line(text: str) -> None:
    """PS, SG and SSG are secret even where the command is not known."""
    explanation = explain(Line(text))
    assert [one.secret for one in explanation.fields if one.value == "abc"] == [True]


@pytest.mark.parametrize(
    ("raw", "problems"),
    [
        (f"{HEAD}&UN=10002&MG=hi", ()),
        (f"{HEAD}&UN=10002&MG=a&b&&c=1&", ()),
        (f"\x05{HEAD}&UN=10002&MG=hi", ("1 bytes before VER= are skipped: 05",)),
        (f"{HEAD}&&UN=10002&MG=hi", ("an empty field (&& or & at an end) is skipped",)),
        (
            "VER=1.1&CMD=Logout&SEQ=1&UIN=10001&",
            ("an empty field (&& or & at an end) is skipped",),
        ),
        (f"{HEAD}&what&UN=10002&MG=hi", ("a part without = is skipped",)),
        ("VER=1.1&CMD=Logout&SEQ=1&UIN=10001&what", ("a part without = is skipped",)),
        (f"{HEAD}&ZZ=1&UN=10002&MG=hi", ("ZZ is not a field of this command",)),
        (f"{HEAD}&UN=10002&UN=1&UN=2&MG=hi", ("UN is there 3 times; the first counts",)),
        (
            "SEQ=1&VER=1.1&CMD=CLTMSG&UIN=10001&MG=hi&UN=10002",
            ("the fields are not in the usual order: VER CMD SEQ UIN UN MG",),
        ),
        (f"{HEAD}&UN=10002", ("MG is missing",)),
        (f"{HEAD}&UN=x&MG=hi&what", ("UN=x must be 1 to 20 decimal digits",)),
        ("", ("the line is empty",)),
        ("VER=1.1&CMD=DANCE&SEQ=1&UIN=10001&RES=5", ()),
        ("VER=1.1&CMD=DANCE&RES=0", ("CMD=DANCE is no reply or push in the catalogue",)),
        ("VER=1.1&CMD=LIST&SEQ=1&UIN=10001&RES=20", ()),
        (
            "SERVERCONFIG_TYPE=&SERERCONFIG_NUM=0&SERVERCONFIG_URL=",
            (
                (
                    "the fields are not in the usual order: "
                    "SERERCONFIG_NUM SERVERCONFIG_TYPE SERVERCONFIG_URL"
                ),
            ),
        ),
    ],
)
def test_oddities_are_named(raw: str, problems: tuple[str, ...]) -> None:
    """What a strict writer would not have sent is named, after what makes it unreadable."""
    assert explain(Line.decode(raw.encode())).problems == problems


def test_a_refusal_is_a_reply() -> None:
    """A refusal says what it is, whatever its command."""
    line = Line("VER=1.1&CMD=DANCE&SEQ=1&UIN=10001&RES=5")
    explanation = explain(line)
    assert (explanation.kind, explanation.command) == ("reply", "DANCE")
    assert explanation.summary == "A refusal: the head, and nothing after it."
    assert explanation.readable
    assert isinstance(decode(line, READABLE[1].sender), Failure)


def test_an_unreadable_line_of_a_known_command_says_what_it_should_be() -> None:
    """The summary is that of the command, if it is known."""
    assert explain(Line("CMD=Login")).summary.startswith("Sign in. 1.4 sends LG")
    assert explain(Line("CMD=Dance")).summary == ""


def test_a_text_with_a_raw_res_in_it_is_still_a_request() -> None:
    """What people type may look like a field; only where servers put it `RES` tells a reply."""
    line = "VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=&UN=10002&MG=look: &RES=1"
    explanation = explain(Line(line))
    assert explanation.kind == "request"
    assert explanation.fields[-1].value == "look: &RES=1"
    shuffled = explain(Line("VER=1.1&SEQ=1&FN=1&CMD=QUERY_STAT2&SN=0&ST=&UN=&UIN=10001&RES=0"))
    assert shuffled.kind == "reply"
