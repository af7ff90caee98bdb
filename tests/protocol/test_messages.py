"""Lines to messages and back: vectors, refusals, and what is never raised."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.errors import LocalProtocolError
from kqq.protocol import (
    CltMsg,
    Command,
    Failure,
    GetInfo,
    Line,
    Login,
    Message,
    Request,
    Role,
    SimpleInfo2,
    Unreadable,
    decode,
    encode,
    failure,
)
from strategies import ANYTHING, DIGITS, ENDS, FAILURES, LINES, MESSAGES, NUMBERS, ROLES, sender_of
from vectors import READABLE, UNREADABLE, VECTORS, Vector

MD5 = "5ebe2294ecd0e0f08eab7690d2a6ee69"


def _jsonable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return list(value) if isinstance(value, tuple) else value


def _shown(message: Message) -> tuple[str, str, dict[str, Any]]:
    """Return command, role and fields of a message, as a vector has them."""
    if isinstance(message, Failure):
        fields = {"VER": message.ver, "SEQ": message.seq, "UIN": message.uin, "RES": message.res}
        return message.command, "reply", fields
    spec = message.spec
    values = dict(vars(message))
    if isinstance(message, Request):
        values |= message.head._asdict()
    if isinstance(message, Command):
        assert message.line is not None
        values |= {"res": int(message.line.values().get("RES", "0"))}
    found = {one.key: _jsonable(values.get(one.attribute)) for one in (*spec.head, *spec.fields)}
    return spec.command, spec.role, {k: value for k, value in found.items() if value is not None}


@pytest.mark.parametrize("vector", READABLE, ids=lambda vector: vector.name)
def test_a_readable_vector_says_what_it_should(vector: Vector) -> None:
    """The message has the command, the role and the fields that the vector says."""
    message = decode(vector.line, vector.sender)
    assert isinstance(message, Message)
    assert _shown(message) == (vector.command, vector.role, vector.fields)
    assert message.line == vector.line


@pytest.mark.parametrize("vector", READABLE, ids=lambda vector: vector.name)
def test_a_canonical_vector_is_written_as_it_was(vector: Vector) -> None:
    """Writing gives the same bytes if and only if the vector says so; written twice, always."""
    message = decode(vector.line, vector.sender)
    assert isinstance(message, Message)
    written = encode(message)
    assert (written == vector.ended) == vector.canonical
    again = decode(Line.decode(written), vector.sender)
    assert again == message
    assert isinstance(again, Message)
    assert encode(again) == written


@pytest.mark.parametrize("vector", UNREADABLE, ids=lambda vector: vector.name)
def test_an_unreadable_vector_has_its_problems(vector: Vector) -> None:
    """All problems are told, in wire order, and the line is kept."""
    read = decode(vector.line, vector.sender)
    assert isinstance(read, Unreadable)
    assert [(problem.key, problem.rule) for problem in read.problems] == vector.problems
    assert read.line == vector.line
    assert not vector.canonical


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_no_secret_of_a_vector_is_shown(vector: Vector) -> None:
    """No value of PS, SG or SSG is in what a message or an unreadable line shows of itself."""
    for sender in Role:
        read = decode(vector.line, sender)
        assert not any(secret in repr(read) + str(read) for secret in vector.secrets)


@given(st.one_of(st.binary(max_size=80), LINES), ENDS, ROLES)
def test_reading_never_fails(body: bytes, end: bytes, sender: Role) -> None:
    """Any bytes are a message or unreadable with a problem; what is read can be written."""
    read = decode(Line.decode(body + end), sender)
    if isinstance(read, Unreadable):
        assert str(read)
        assert read.problems
        return
    written = encode(read)
    again = decode(Line.decode(written), sender)
    assert again == read
    assert isinstance(again, Message)
    assert encode(again) == written


@given(MESSAGES, ENDS)
def test_every_message_comes_back(message: Message, end: bytes) -> None:
    """Reading what was written gives the same message, whatever the line end."""
    assert decode(Line.decode(encode(message) + end.lstrip(b"\r")), sender_of(message)) == message


@given(FAILURES, st.sampled_from(["name", "seq", "uin", "ver", "res"]), ANYTHING)
def test_no_value_of_a_refusal_becomes_a_field(refusal: Failure, name: str, value: Any) -> None:
    """A refusal with any value is refused itself, or written as one line that says the same."""
    message = Failure(**{**vars(refusal), name: value})
    try:
        raw = encode(message)
    except LocalProtocolError:
        return
    assert not re.search(rb"[\r\n]", raw)
    assert raw.count(b"&") == 4
    assert decode(Line.decode(raw), Role.SERVER) == message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "A&B"}, "CMD must be letters, digits and _"),
        ({"name": None}, "CMD must be letters, digits and _"),
        ({"name": ""}, "CMD must be letters, digits and _"),
        ({"res": 0}, "RES=0 is no refusal"),
        ({"res": "5"}, "must be a whole number of at most 20 digits, not negative"),
        ({"seq": 5}, "has no attribute 'isascii'"),
        ({"uin": -1}, "must be a whole number of at most 20 digits, not negative"),
        ({"ver": "1.5"}, "must be one of 1.0, 1.1, 1.2, 1.3, 1.4"),
    ],
)
def test_a_broken_refusal_is_not_written(change: dict[str, Any], words: str) -> None:
    """The error shows the refusal and the rule."""
    values: dict[str, Any] = {"seq": "1", "uin": 10001, "name": "CLTMSG", "res": 5}
    with pytest.raises(LocalProtocolError, match=re.escape(words)) as caught:
        encode(Failure(**(values | change)))
    assert str(caught.value).startswith("Failure(")


@pytest.mark.parametrize(
    ("request_", "written"),
    [
        (
            CltMsg(seq="02", uin=10001, to=10002, text="hi"),
            b"VER=1.1&CMD=CLTMSG&SEQ=02&UIN=10001&RES=20",
        ),
        (SimpleInfo2(seq="3", uin=10001), b"VER=1.1&CMD=SIMPLEINFO2&SEQ=3&UIN=10001&RES=20"),
        (
            Login(seq="4", uin=10001, password_md5=MD5, licence="0" * 16),
            b"VER=1.1&CMD=Login&SEQ=4&UIN=10001&RES=20",
        ),
        (
            Unreadable(Line("CMD=getinfo&SEQ= 5&UIN=10001 "), ()),
            b"VER=1.1&CMD=GETINFO&SEQ=5&UIN=10001&RES=20",
        ),
        (
            Unreadable(Line("CMD=Dance_2&SEQ=6&UIN=10001"), ()),
            b"VER=1.1&CMD=DANCE_2&SEQ=6&UIN=10001&RES=20",
        ),
        (
            Unreadable(Line("CMD=Server_msg&SEQ=6&UIN=10001"), ()),
            b"VER=1.1&CMD=Server_Msg&SEQ=6&UIN=10001&RES=20",
        ),
    ],
)
def test_a_request_is_refused_with_a_head(request_: Command | Unreadable, written: bytes) -> None:
    """The command is echoed as its reply spells it, an unknown one in upper case."""
    refusal = failure(request_, 20)
    assert refusal is not None
    assert encode(refusal) == written
    assert decode(Line.decode(written), Role.SERVER) == refusal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CMD=List&UIN=10001",
        "CMD=List&SEQ=1",
        "CMD=List&SEQ=x&UIN=10001",
        "SEQ=1&UIN=10001",
        "CMD=A-B&SEQ=1&UIN=10001",
        "CMD=" + "A" * 33 + "&SEQ=1&UIN=10001",
    ],
)
def test_without_a_head_there_is_no_refusal(text: str) -> None:
    """A line that lacks what a head needs cannot be refused."""
    assert failure(Unreadable(Line(text), ()), 1) is None


@given(LINES, st.integers(1, 99))
def test_any_refusal_of_a_line_can_be_written(raw: bytes, res: int) -> None:
    """Whatever a client sent, its refusal is one that can be sent, and read."""
    request = decode(Line.decode(raw), Role.CLIENT)
    assert isinstance(request, Command | Unreadable)
    refusal = failure(request, res)
    if refusal is not None:
        assert decode(Line.decode(encode(refusal)), Role.SERVER) == refusal


@given(DIGITS, NUMBERS)
def test_a_request_is_refused_by_seq_and_uin(seq: str, uin: int) -> None:
    """SEQ and UIN are echoed unchanged."""
    refusal = failure(GetInfo(seq=seq, uin=uin, number=10002), 5)
    assert refusal == Failure(seq=seq, uin=uin, name="GETINFO", res=5)


def test_each_role_has_another() -> None:
    """The other end of a client is a server, and the other way round."""
    assert (Role.CLIENT.other, Role.SERVER.other) == (Role.SERVER, Role.CLIENT)


def test_a_kelvin_sign_is_no_letter_of_a_command() -> None:
    """Commands are matched without case in ASCII only, so that what is read can be written."""
    text = "VER=1.1&CMD=AC\u212a_ADDTOLIST&SEQ=1&UIN=10001&RES=5"
    assert isinstance(decode(Line(text), Role.SERVER), Unreadable)
