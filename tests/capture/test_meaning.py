"""What a line means, what is odd about it, and its fields by key."""

import json
from typing import Any

import pytest
from hypothesis import given

from kqq.capture import meaning as module
from kqq.capture.meaning import fields_json, fields_of, masked, meaning, sender_of
from kqq.protocol import (
    CltMsg,
    Line,
    Login,
    Message,
    Role,
    Unreadable,
    decode,
    mask,
    show,
    unescape,
)
from kqq.protocol.explain import explain
from kqq.protocol.wire import mask_broken
from strategies import LINES
from vectors import READABLE, VECTORS, Vector

HEAD = "VER=1.1&CMD=CLTMSG&SEQ=1&UIN=10001&UN=10002&MG="


def fields(line: Line, sender: Role = Role.CLIENT, *, secrets: bool = False) -> dict[str, Any]:
    """Return the fields of a line, found in two ways that must agree."""
    message, _ = meaning(line, sender)
    found = fields_of(line, message, sender, secrets=secrets)
    made = fields_json(line, message, sender, secrets=secrets)
    assert made == json.dumps(found, ensure_ascii=False)
    return found


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_what_is_odd_is_what_explain_says(vector: Vector) -> None:
    """The same problems in the same order, however often such a line came before."""
    if sender_of(vector.line) is not vector.sender:
        return
    problems = explain(vector.line).problems
    said = [show(one.encode("utf-8", "surrogateescape"), 300) for one in problems]
    for _ in range(2):
        odd = meaning(vector.line, vector.sender)[1]
        assert sorted(one for one in odd if "not UTF-8" not in one) == sorted(said)


@pytest.mark.parametrize("vector", READABLE, ids=lambda vector: vector.name)
def test_fields_are_typed_as_in_the_vectors(vector: Vector) -> None:
    """Numbers, words and lists; what the line lacks is not there, what it says besides is."""
    found = fields(vector.line, vector.sender, secrets=True)
    for key, value in found.items():
        if key in vector.fields and value != "":  # what is empty may be read as a default
            assert value == _listed(vector.fields[key]), key
    assert found.keys() == {key.strip() for key, _ in _read(vector) if key.strip()}


def _listed(value: Any) -> Any:
    return [*value] if isinstance(value, tuple) else value


def _read(vector: Vector) -> list[tuple[str, str]]:
    return [(one.key, one.value) for one in explain(vector.line).fields]


@given(LINES)
def test_any_line_has_a_meaning(raw: bytes) -> None:
    """Whatever it holds, and secrets are in none of it."""
    line = Line.decode(raw)
    for sender in Role:
        message, odd = meaning(line, sender)
        assert isinstance(message, Message | Unreadable)
        assert all(isinstance(one, str) for one in odd)
        fields(line, sender)
        assert masked(line, message, sender) in (mask(line.text), mask_broken(line.text))


def test_secrets_are_hidden() -> None:
    """In the fields where they belong, in others, and in words; unless they are asked for."""
    line = Line("VER=1.4&CMD=Login&SEQ=1&UIN=10001&PS=5EBE&M5=1&LC=x&SG=7&ps=8")
    assert fields(line)["PS"] == "***"
    assert fields(line)["ps"] == "***"
    assert fields(line, secrets=True)["PS"] == "5EBE"
    for raw in ("VER=1.1&CMD=Dance PS=5EBE&SEQ=1", f"{HEAD}PS=5EBE", "VER=1.1&CMD=x&PS=a PS=5EBE"):
        assert "5EBE" not in str(fields(Line(raw)))
        assert "5EBE" in str(fields(Line(raw), secrets=True))
    text = Line(f"{HEAD}PS=5EBE")
    message = decode(text, Role.CLIENT)
    assert masked(text, message, Role.CLIENT) == f"{HEAD}PS=***"
    assert masked(Line(f"{HEAD}hi"), message, Role.CLIENT) == f"{HEAD}hi"


def test_lists_and_pictures() -> None:
    """Lists are lists, a picture stays hexadecimal, what cannot be read stays words."""
    line = Line(
        "VER=1.1&CMD=GETMSGEX&SEQ=1&UIN=10001&RES=0&MN=2&MT=9,x,&UN=10002,10003,&MG=a%2cb,c,"
    )
    found = fields(line, Role.SERVER)
    assert found["UN"] == [10002, 10003]
    assert found["MG"] == ["a,b", "c"]
    assert found["MT"] == "9,x,"
    picture = Line("VER=1.1&CMD=VERIFYCODE&SEQ=1&UIN=10001&RES=0&SC=1&NT=&VC=89504e47")
    assert fields(picture, Role.SERVER)["VC"] == "89504e47"
    assert fields(Line("VER=1.1&CMD=List&SEQ=007&UIN=007&TN= 5&UN=x"))["UIN"] == 7


def test_words_with_a_raw_ampersand_are_whole() -> None:
    """Clients that forget to escape are read; so are keys with blanks around them."""
    assert fields(Line(f"{HEAD}a&b=c&"))["MG"] == "a&b=c&"
    assert fields(Line(HEAD.replace("MG=", "MG =") + "a&b"))["MG"] == "a&b"
    assert fields(Line(HEAD.replace("MG=", "MG =") + "a"))["MG"] == "a"
    assert fields(Line("VER=1.1&CMD=CLTMSG&MG=a&SEQ=1&UIN=1&UN=2"))["MG"] == "a"
    assert "MG" not in fields(Line(HEAD.removesuffix("&MG=")))


def test_a_masked_password_is_a_password() -> None:
    """Logs hide them, and the line says what it said before."""
    text = "VER=1.1&CMD=Login&SEQ=1&UIN=10001&PS=***&M5=1&LC={}"
    line = Line(text.format("812822641C978097"))
    message, odd = meaning(line, Role.CLIENT)
    assert isinstance(message, Login)
    assert message.line is line
    assert odd == ()
    message, odd = meaning(Line(text.format("short")), Role.CLIENT)
    assert isinstance(message, Unreadable)
    assert odd == ("LC=short must be 16 hexadecimal digits",)


def test_bytes_that_are_not_utf_8_are_odd() -> None:
    """Raw ones and escaped ones."""
    raw = Line.decode(HEAD.encode() + b"\xc4\xe3")
    assert meaning(raw, Role.CLIENT)[1] == ("some bytes are not UTF-8: c4 e3",)
    escaped = Line(f"{HEAD}%c4%e3")
    assert meaning(escaped, Role.CLIENT)[1] == ("some bytes are not UTF-8: c4 e3",)
    assert meaning(Line(f"{HEAD}你%25"), Role.CLIENT)[1] == ()


def test_what_is_odd_is_bounded_and_has_no_secrets() -> None:
    """A hostile line may have thousands of fields."""
    line = Line("VER=1.1&CMD=List&SEQ=1&UIN=1" + "".join(f"&K{one}={one}" for one in range(1000)))
    odd = meaning(line, Role.CLIENT)[1]
    assert len(odd) == 21
    assert odd[-1] == "and 980 more such things"
    long = Line("VER=1.1&CMD=List&SEQ=1&UIN=" + "9" * 5000)
    assert len(meaning(long, Role.CLIENT)[1][0]) < 400
    secret = Line("VER=1.1&CMD=Dance PS=5EBE&SEQ=1")
    assert "5EBE" not in str(meaning(secret, Role.CLIENT)[1])


def test_what_is_kept_of_keys_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may send other keys in every line."""
    monkeypatch.setattr(module, "_MOST_SHAPES", 10)
    for number in range(50):
        meaning(Line(f"VER=1.1&CMD=List&SEQ=1&UIN=1&K{number}=1"), Role.CLIENT)
        assert len(module._shapes) <= max(10, number + 1)
    before = dict(module._shapes)
    meaning(Line("VER=1.1&CMD=List&SEQ=1&UIN=1&Other=" + "x" * 5000), Role.CLIENT)
    meaning(Line("VER=1.1&CMD=List&SEQ=1&UIN=1&&"), Role.CLIENT)
    assert module._shapes == before


def test_a_message_of_the_usual_kind() -> None:
    """It is read, and nothing is odd."""
    message, odd = meaning(Line(f"{HEAD}hi %26"), Role.CLIENT)
    assert isinstance(message, CltMsg)
    assert message.text == unescape("hi %26")
    assert odd == ()
