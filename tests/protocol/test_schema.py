"""The words the catalogue is written in."""

import dataclasses
from typing import Any

import pytest

from kqq.protocol import (
    CltMsg,
    CltMsgReply,
    Command,
    Failure,
    Head,
    Line,
    Login,
    LoginReply,
    Message,
    Problem,
    QueryStat2,
    Role,
    Unreadable,
    decode,
)
from kqq.protocol.fields import TEXT, UINT
from kqq.protocol.schema import HEADS, VERSIONS, Field, described, field
from strategies import SPECS

MESSAGE = CltMsg(seq="2", uin=10001, to=10002, text="hi")


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (Problem("UN", None, "is missing"), "UN is missing"),
        (Problem("UN", "x", "must be digits"), "UN=x must be digits"),
        (Problem("", None, "the line is empty"), "the line is empty"),
    ],
)
def test_a_problem_says_key_value_and_rule(problem: Problem, words: str) -> None:
    """A problem in words: the field and its value as far as there are any, then the rule."""
    assert str(problem) == words


def test_an_unreadable_line_says_all_its_problems() -> None:
    """All problems are said, the command is spelled as in the line, the line is kept whole."""
    line = Line("CMD= Dance &PS=abc")
    unreadable = Unreadable(line, (Problem("VER", None, "is missing"), Problem("", None, "no")))
    assert str(unreadable) == "VER is missing; no"
    assert unreadable.command == "Dance"
    assert unreadable.line is line
    assert Unreadable(Line("VER=1.1"), ()).command == ""


def test_an_unreadable_line_does_not_show_its_secrets() -> None:
    """The line is not in `repr`: it may end in a log."""
    assert "abc" not in repr(Unreadable(Line("PS=abc"), ()))


def test_messages_compare_by_what_they_say() -> None:
    """The line that a message was read from makes no difference, and is not shown."""
    read = decode(Line("VER=1.4&CMD=CLTMSG&SEQ=2&UIN=10001&UN=10002&MG=hi"), Role.CLIENT)
    assert isinstance(read, CltMsg)
    assert read.line is not None
    assert dataclasses.replace(MESSAGE, head=Head("1.4")) == read
    assert "VER=1.4&" not in repr(read)
    assert hash(read) == hash(dataclasses.replace(read, line=None))


def test_messages_do_not_change() -> None:
    """A message is frozen."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        MESSAGE.text = "ho"  # type: ignore[misc]


def test_secrets_are_not_shown() -> None:
    """Fields declared secret are not in `repr`."""
    login = Login(seq="1", uin=10001, password_md5="5ebe2294" * 4, licence="812822641C978097")
    reply = LoginReply(seq="1", uin=10001, result=0, sg="0f1e2d3c", ssg="2618000001")
    shown = repr(login) + repr(reply)
    assert not any(secret in shown for secret in ("5ebe2294", "0f1e2d3c", "2618000001"))


def test_a_message_knows_its_command() -> None:
    """The command is as we spell it; that of a refusal is as echoed."""
    failure = Failure(seq="1", uin=10001, name="LOGIN", res=20)
    messages: list[Command] = [MESSAGE, CltMsgReply(seq="2", uin=10001), failure]
    assert [message.command for message in messages] == ["CLTMSG", "CLTMSG", "LOGIN"]


def test_a_field_is_described_in_words() -> None:
    """Codes are kept by their text, and nothing is said that was not given."""
    declared = described("ST", UINT, "status", "A", "SEED", values={10: "online", "x": "y"})
    assert declared == Field("ST", UINT, "status", declared.values, "A", "SEED")
    assert dict(declared.values) == {"10": "online", "x": "y"}
    assert (declared.secret, declared.rest, declared.required) == (False, False, True)


def test_a_declared_field_carries_its_description() -> None:
    """`field` makes a dataclass field with the default given, hidden if secret."""
    made: dataclasses.Field[Any] = field("PS", TEXT, "x", "A", "SEED", default="", secret=True)
    assert (made.default, made.repr) == ("", False)
    assert made.metadata["declared"].key == "PS"
    assert field("MG", TEXT, "x", "A", "SEED", rest=True).metadata["declared"].rest


def test_heads_are_in_wire_order() -> None:
    """What stands before a command's own fields, by role."""
    keys = {role: " ".join(one.key for one in fields) for role, fields in HEADS.items()}
    assert keys == {
        "request": "VER CON CMD SEQ UIN SID XP",
        "reply": "VER CMD SEQ UIN RES",
        "push": "VER CMD SEQ UIN RES",
        "document": "",
    }
    optional = [one.key for one in HEADS["request"] if not one.required]
    assert optional == ["CON", "SID", "XP"]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.cls.__name__)
def test_a_declaration_knows_its_head(spec: Any) -> None:
    """The head goes by the role, and every message class has its declaration."""
    assert spec.head is HEADS[spec.role]
    assert spec.cls.spec is spec
    assert issubclass(spec.cls, Message)


def test_versions_are_those_ever_seen() -> None:
    """1.0 to 1.4 are all there are."""
    assert VERSIONS == ("1.0", "1.1", "1.2", "1.3", "1.4")


def test_a_declaration_says_what_the_fields_of_a_line_are() -> None:
    """Head and own fields in wire order; words that take the rest of the line have all of it."""
    keys = [one.key for one in CltMsg.spec.all_fields]
    assert keys == ["VER", "CON", "CMD", "SEQ", "UIN", "SID", "XP", "UN", "MG"]
    whole = Line("VER=1.4&CMD=CLTMSG&SEQ=1&UIN=10001&UN=10002&MG=a&UN=5")
    assert CltMsg.spec.values(whole)["MG"] == "a&UN=5"
    shuffled = Line("MG=a&VER=1.4&CMD=CLTMSG&SEQ=1&UIN=10001&UN=10002")
    assert CltMsg.spec.values(shuffled)["MG"] == "a"
    assert QueryStat2.spec.values(Line("CM=2&UN=0&UN=1")) == {"CM": "2", "UN": "0"}
