"""Readers and writers made from declarations: the quick way and the way by name agree."""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kqq.errors import LocalProtocolError
from kqq.protocol import (
    CaptchaAnswer,
    CaptchaChallenge,
    CltMsg,
    CltMsgReply,
    Failure,
    GetMsgEx,
    GetMsgExReply,
    Head,
    Line,
    List,
    Login,
    LoginReply,
    Message,
    QueryStat,
    QueryStatReply,
    Role,
    ServerConfig,
    Unreadable,
    UpdateStat,
    decode,
    encode,
)
from kqq.protocol.schema import Spec
from strategies import ANYTHING, SPECS, messages, sender_of, wrong_messages
from vectors import READABLE, Vector

each_spec = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.cls.__name__)
MD5 = "5ebe2294ecd0e0f08eab7690d2a6ee69"
LICENCE = "9326B87B234E7235"


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
@each_spec
@given(data=st.data())
@settings(max_examples=40)
def test_every_message_comes_back(spec: Spec, data: st.DataObject) -> None:
    """Reading what was written gives the same message, with the line it was read from."""
    message = data.draw(messages(spec))
    line = Line.decode(spec.write(message))
    read = spec.read(line)
    assert read == message
    assert isinstance(read, Message)
    assert read.line is line


def _doubled(spec: Spec, parts: list[str], data: st.DataObject) -> list[str]:
    position = data.draw(st.integers(1, max(1, len(parts) - 1)))
    return [*parts[:position], "", *parts[position:]]


def _preceded(spec: Spec, parts: list[str], data: st.DataObject) -> list[str]:
    return ["ZZ=1", *parts]


def _padded(spec: Spec, parts: list[str], data: st.DataObject) -> list[str]:
    return [f" {part}" for part in parts]


def _shuffled(spec: Spec, parts: list[str], data: st.DataObject) -> list[str]:
    """Return another order; words that take the rest stand last, or before a required field."""
    last = []
    if spec.fields and spec.fields[-1].rest:
        last = [parts.pop(data.draw(st.sampled_from([0, -1])))]
    return [*data.draw(st.permutations(parts)), *last]


_CHANGES: list[Callable[[Spec, list[str], st.DataObject], list[str]]] = [
    _doubled,
    _preceded,
    _padded,
    _shuffled,
]


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
@each_spec
@given(data=st.data())
@settings(max_examples=40)
def test_the_quick_way_and_the_way_by_name_agree(spec: Spec, data: st.DataObject) -> None:
    """Empty parts, unknown fields, another order and blanks around keys change nothing."""
    message = data.draw(messages(spec))
    parts = spec.write(message).decode("utf-8", "surrogateescape").split("&")
    changed = Line("&".join(data.draw(st.sampled_from(_CHANGES))(spec, parts, data)))
    assert spec.read(changed) == message
    assert decode(Line.decode(changed.encode()), sender_of(message)) == message


@pytest.mark.parametrize(
    "vector",
    [vector for vector in READABLE if vector.canonical and vector.fields.get("RES", 0) == 0],
    ids=lambda vector: vector.name,
)
def test_fields_of_a_vector_may_come_in_any_order(vector: Vector) -> None:
    """Every canonical vector says the same with its fields reversed (words without raw `&`)."""
    message = decode(vector.line, vector.sender)
    backwards = Line("&".join(reversed(vector.line.parts)))
    assert decode(backwards, vector.sender) == message


@pytest.mark.no_cover  # what it covers others cover, too, and it takes long
@each_spec
@given(data=st.data())
@settings(max_examples=40)
def test_no_value_becomes_a_field_or_a_line(spec: Spec, data: st.DataObject) -> None:
    """Whatever a message holds, it is refused, or written as one line that says the same."""
    message = data.draw(wrong_messages(spec))
    try:
        raw = encode(message)
    except LocalProtocolError:
        return
    assert not re.search(rb"[\r\n]", raw)
    read = decode(Line.decode(raw), sender_of(message))
    assert read == message
    assert isinstance(read, Message)
    assert encode(read) == raw


@given(ANYTHING)
def test_a_head_of_another_type_is_refused(head: Any) -> None:
    """A head that is no Head is refused, whatever it is."""
    with pytest.raises(LocalProtocolError):
        encode(GetMsgEx(seq="1", uin=10001, head=head))


def _refused(name: str, res: int) -> Failure:
    return Failure(seq="1", uin=1, ver="1.2", name=name, res=res)


def _like(**values: object) -> Any:
    return type("Like", (), values)()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            CltMsg(seq="x", uin=10001, to=10002, text="hi"),
            "CltMsg(seq='x') cannot be sent as SEQ: must be a string of 1 to 20 decimal digits",
        ),
        (
            CltMsg(seq="1", uin=-1, to=10002, text="hi"),
            (
                "CltMsg(uin=-1) cannot be sent as UIN: must be a whole number of at most 20 "
                "digits, not negative"
            ),
        ),
        (
            CltMsg(seq="1", uin=10001, to=10002, text="\ud800"),
            (
                "CltMsg(text='\\ud800') cannot be sent as MG: 'utf-8' codec can't encode character "
                "'\\ud800' in position 0: surrogates not allowed"
            ),
        ),
        (
            GetMsgEx(seq="1", uin=10001, head=Head("9")),
            "GetMsgEx(ver='9') cannot be sent as VER: must be one of 1.0, 1.1, 1.2, 1.3, 1.4",
        ),
        (
            GetMsgEx(seq="1", uin=10001, head=_like(ver="1.4")),
            "GetMsgEx cannot be sent: its head is not a Head",
        ),
        (
            CaptchaAnswer(seq="1", uin=10001, letters="A", step=None),  # type: ignore[arg-type]
            (
                "CaptchaAnswer(step=None) cannot be sent as SC: must be a whole number of at most "
                "20 digits, not negative"
            ),
        ),
        (
            Login(seq="1", uin=10001, password_md5="secret", licence=LICENCE),
            "Login(password_md5=***) cannot be sent as PS: must be 32 hexadecimal digits",
        ),
        (
            CltMsg(seq="1", uin=10001, to="&PS=abc", text="x"),  # type: ignore[arg-type]
            (
                "CltMsg(to='&PS=***) cannot be sent as UN: must be a whole number of at most 20 "
                "digits, not negative"
            ),
        ),
        (
            ServerConfig(count=1, types=("",), addresses=()),
            (
                "ServerConfig(types=('',)) cannot be sent as SERVERCONFIG_TYPE: a list of one "
                "blank item cannot be told from an empty list"
            ),
        ),
    ],
)
def test_a_refusal_says_which_value_and_why(message: Message, words: str) -> None:
    """The error names class, attribute, value, field and rule; secrets are masked."""
    with pytest.raises(LocalProtocolError, match=re.escape(words)):
        encode(message)


@pytest.mark.parametrize(
    ("message", "raw"),
    [
        (
            CltMsg(seq="2", uin=10001, to=10002, text="a, b & c"),
            (
                b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=C4CA4238A0B92382&UN=10002"
                b"&MG=a%2c b %26 c"
            ),
        ),
        (
            GetMsgEx(seq="02", uin=10001, head=Head("1.1")),
            b"VER=1.1&CMD=GetMsgEx&SEQ=02&UIN=10001",
        ),
        (
            Login(seq="1", uin=10001, password_md5=MD5, licence=LICENCE, cookie=""),
            (
                b"VER=1.4&CON=1&CMD=Login&SEQ=1&UIN=10001&PS=5ebe2294ecd0e0f08eab7690d2a6ee69&M5=1"
                b"&LC=9326B87B234E7235&CKE="
            ),
        ),
        (CltMsgReply(seq="2", uin=10001), b"VER=1.1&CMD=CLTMSG&SEQ=2&UIN=10001&RES=0"),
        (
            LoginReply(seq="2", uin=10001, result=1, reason="no"),
            b"VER=1.1&CMD=Login&SEQ=2&UIN=10001&RES=0&RS=1&RA=no",
        ),
        (
            GetMsgExReply(seq="2", uin=10001, count=0, types=(), numbers=None, texts=("a,b",)),
            b"VER=1.1&CMD=GETMSGEX&SEQ=2&UIN=10001&RES=0&MN=0&MT=&MG=a%2cb,",
        ),
        (
            CaptchaChallenge(seq="2", uin=10001, image=b"\x89"),
            b"VER=1.1&CMD=VERIFYCODE&SEQ=2&UIN=10001&RES=0&SC=1&NT=&VC=89",
        ),
        (
            UpdateStat(seq="3", uin=10001, status=10, number=10002),
            b"VER=1.1&CMD=update_stat&SEQ=3&UIN=10001&RES=0&ST=10&UN=10002",
        ),
        (
            ServerConfig(count=1, types=("KQQTCP",), addresses=("a:1", "b"), update_must="N"),
            (
                b"SERERCONFIG_NUM=1&SERVERCONFIG_TYPE=KQQTCP&SERVERCONFIG_URL=a:1,b"
                b"&UPDATECONFIG_MUST=N"
            ),
        ),
    ],
)
def test_messages_are_written_in_wire_order(message: Message, raw: bytes) -> None:
    """The head, then each field in its place; None is absent, "" and () are there and empty."""
    assert encode(message) == raw
    assert decode(Line.decode(raw), sender_of(message)) == message


def test_a_quick_match_may_still_fail() -> None:
    """A line in the usual order with a broken list is read by name, which says what is wrong."""
    text = "VER=1.1&CMD=QUERY_STAT&SEQ=1&UIN=1&RES=0&FC=x,&FN=1&SN=1&ST=,&UN=1,&NK=a,"
    read = QueryStatReply.spec.read(Line(text))
    assert str(read) == (
        "FC=x, must be 1 to 20 decimal digits; ST=, must be 1 to 20 decimal digits"
    )


def test_secret_values_are_not_in_problems() -> None:
    """A problem with a secret field does not show its value."""
    text = f"VER=1.1&CMD=Login&SEQ=1&UIN=1&PS=secret&M5=1&LC={LICENCE}"
    assert str(decode(Line(text), Role.CLIENT)) == "PS must be 32 hexadecimal digits"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("VER=1.1&CMD=LOGIN&SEQ=01&UIN=1&RES=20", Failure(seq="01", uin=1, name="LOGIN", res=20)),
        ("RES=5&UIN=1&SEQ=1&VER=1.2&CMD= list &FN=x", _refused("list", 5)),
        ("VER=1.2&CMD=Server_Msg&SEQ=1&UIN=1&RES=1", _refused("Server_Msg", 1)),
    ],
)
def test_a_refusal_has_a_head_only(text: str, read: Failure) -> None:
    """With another RES than 0 nothing but the head is read, and the command kept as echoed."""
    found = decode(Line(text), Role.SERVER)
    assert found == read
    assert isinstance(found, Failure)
    assert found.line == Line(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("VER=9&CMD=LIST&SEQ=1&RES=5", "VER=9 must be one of 1.0, 1.1, 1.2, 1.3, 1.4; UIN is"),
        ("VER=1.1&CMD=LIST&SEQ=1&UIN=1&RES=x&FN=1", "RES=x must be 1 to 20 decimal digits"),
        ("VER=1.1&CMD=LIST&SEQ=1&UIN=1", "RES is missing; FN is missing"),
    ],
)
def test_a_refusal_needs_its_head(text: str, words: str) -> None:
    """A refusal with a broken head, or a reply without RES, is unreadable."""
    read = decode(Line(text), Role.SERVER)
    assert isinstance(read, Unreadable)
    assert str(read).startswith(words)


def test_a_whole_push_is_read_whatever_its_result() -> None:
    """The RES of a push was only inferred, so another one does not lose a message."""
    text = "VER=1.1&CMD=update_stat&SEQ=1&UIN=1&RES=7&ST=20&UN=2"
    assert decode(Line(text), Role.SERVER) == UpdateStat(seq="1", uin=1, status=20, number=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "VER=1.1&CMD=List&SEQ=1&UIN=1&TN=&UN= ",
            List(seq="1", uin=1, head=Head("1.1")),
        ),
        (
            "VER=1.1&CMD=Query_Stat&SEQ=1&UIN=1&TN=&UN=7",
            QueryStat(seq="1", uin=1, start=7, head=Head("1.1")),
        ),
        (
            "CON=&VER=1.4&CMD=GetMsgEx&SEQ=1&UIN=1&SID=%41",
            GetMsgEx(seq="1", uin=1, head=Head("1.4", "", "A")),
        ),
    ],
)
def test_an_empty_number_that_may_be_absent_is_absent(text: str, message: Message) -> None:
    """An empty optional number is read as its default, empty words as empty words."""
    assert decode(Line(text), Role.CLIENT) == message


def test_messages_are_made_with_defaults() -> None:
    """The prepared constructor takes keywords only, with the defaults declared."""
    query = QueryStat(seq="1", uin=10001)
    assert (query.wanted, query.start, query.head.con) == (50, 0, "1")
    assert dataclasses.replace(query, start=50).start == 50
    assert QueryStat.__init__.__qualname__ == "QueryStat.__init__"
    with pytest.raises(TypeError):
        QueryStat(uin=10001)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        QueryStat(None, "1", 10001)  # type: ignore[call-arg]


@each_spec
def test_the_source_of_what_was_made_is_kept(spec: Spec) -> None:
    """`spec.source` is the Python text of the constructor, the reader and the writer."""
    compile(spec.source, "source", "exec")
    assert re.findall(r"^def (\w+)", spec.source, re.MULTILINE) == ["__init__", "read", "write"]
