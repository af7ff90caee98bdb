"""The words of `kqq`: errors and lines of the protocol, for people."""

from collections.abc import Iterator

import pytest
from rich.cells import cell_len

from kqq import words
from kqq.errors import (
    CaptchaWanted,
    CommandError,
    ConnectionLost,
    KQQError,
    NoSuchNumber,
    NotSignedIn,
    ProtocolError,
    Refused,
    SignInRefused,
)
from kqq.language import tr
from kqq.names import status_name
from kqq.protocol import Line
from kqq.protocol.explain import explain
from kqq.signs import printable
from kqq.words import explanation_lines, say, use_language


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    """Texts are compared in English unless a test says otherwise."""
    use_language("en")
    yield
    use_language(None)


def test_everything_that_interfaces_need_is_here() -> None:
    """Languages, names and safe text are to be had from one place."""
    assert all(hasattr(words, name) for name in words.__all__)
    assert (words.tr, words.printable, words.status_name) == (tr, printable, status_name)


def leaves(kind: type[KQQError] = KQQError) -> Iterator[type[KQQError]]:
    """Give every kind of error."""
    yield kind
    for one in kind.__subclasses__():
        if one.__module__ == "kqq.errors":
            yield from leaves(one)


def example(kind: type[KQQError]) -> KQQError:
    """Return an error of a kind."""
    if kind is SignInRefused:
        return SignInRefused("the server refuses 10001", reason="Password error!")
    if kind is CaptchaWanted:
        return CaptchaWanted("the server shows a captcha", image=b"")
    if issubclass(kind, CommandError):
        return kind("AddToList is refused (RES=1)", command="AddToList", res=1)
    return kind("this is what happened.")


GENERAL = (KQQError, ProtocolError, CommandError)
"""Kinds of which there are only more special ones."""


@pytest.mark.parametrize("kind", [one for one in leaves() if one not in GENERAL])
def test_every_error_has_words_of_its_own(kind: type[KQQError]) -> None:
    """In both languages, other ones than those for anything, and ending as sentences do."""
    english = say(example(kind))
    assert english[0].isupper()
    assert english.endswith((".", "!"))
    assert not english.endswith("..")
    assert "Something went wrong" not in english
    use_language("zh")
    chinese = say(example(kind))
    assert chinese != english
    assert chinese.endswith(("。", "!"))
    assert "出错了" not in chinese


@pytest.mark.parametrize(
    ("error", "english", "chinese"),
    [
        (
            SignInRefused("no", reason="Password error!\x1b[2J"),
            r"The server refuses the sign-in. It says: Password error!\x1b[2J",
            r"登录被服务器拒绝，理由是：Password error!\x1b[2J",
        ),
        (
            NotSignedIn("signed in elsewhere since", command="QUERY_STAT2", res=20),
            "You are no longer signed in. Perhaps your number was used elsewhere.",
            "你已经下线了，可能是你的号码在别处登录。",
        ),
        (
            NoSuchNumber("no such number (RES=5)", command="CLTMSG", res=5),
            "The server has no such number.",
            "服务器上没有这个号码。",
        ),
        (
            Refused("CLTMSG is refused (RES=1)", command="CltMsg", res=1),
            (
                "The server did not take the message. Perhaps you are not friends, the text is "
                "too long, or too many messages wait."
            ),
            "服务器没有收下这条消息。也许你们不是好友，也许消息太长，也许等着送达的消息太多。",
        ),
        (
            Refused("sign in at 192.0.2.1:80", command="Login", res=0),
            "The server says no: sign in at 192.0.2.1:80.",
            "服务器拒绝了：sign in at 192.0.2.1:80。",
        ),
        (
            ConnectionLost("the server said \u202e and\nclosed."),
            "There is no connection to the server: the server said \\u202e and\n    closed.",
            "与服务器的连接断开了，或者连不上：the server said \\u202e and\n    closed。",
        ),
        (KQQError("{odd}"), "Something went wrong: {odd}.", "出错了：{odd}。"),
    ],
)
def test_errors_are_told_in_words(error: KQQError, english: str, chinese: str) -> None:
    """What a server says is printable, and what an error says is told where it helps."""
    assert say(error) == english
    use_language("zh")
    assert say(error) == chinese


def test_an_error_of_others_is_told_like_ours() -> None:
    """A class derived from ours is told like the nearest of ours."""

    class Elsewhere(ConnectionLost):
        """An error of somebody who uses the library."""

    assert say(Elsewhere("gone")) == "There is no connection to the server: gone."


WIDE = "VER=1.4&CMD=CLTMSG&SEQ=1&UIN=10001&UN=10002&MG=你好吗\x1b&K=1"


def test_a_line_in_words_has_its_columns_in_line() -> None:
    """Wide characters count for two columns, and signs that steer are made visible."""
    lines = explanation_lines(explain(Line(f"{WIDE}&&")), secrets=False)
    assert lines[0] == "CLTMSG, request: Send a message to a friend."
    assert {line.index("[") for line in lines if "protocol version" in line} == {42}
    assert r"  MG   你好吗\x1b&K=1&&  the words [A: SEED WEI ZN GO]" in lines


LONG = "VER=1.4&CMD=Login&PS=" + "5" * 300 + "&" + "K" * 90 + "=" + "密" * 90


@pytest.mark.parametrize("text", ["", "x", "密", "VER=4&x=1", LONG])
def test_any_line_in_words_fits_80_columns(text: str) -> None:
    """Whatever the line, its explanation stays narrow, and tells its problems."""
    lines = explanation_lines(explain(Line(text)), secrets=True)
    assert max(map(cell_len, lines)) <= 80
    assert any(line.startswith("  ! ") for line in lines)


def test_a_password_is_not_shown_where_a_server_says_it_back() -> None:
    """In a field that nobody knows, where it would not be told from other words."""
    line = Line("VER=1.1&CMD=Login&SEQ=1&UIN=10001&RES=0&RS=0&XX=a" + "5E" * 16)
    assert "***" in "\n".join(explanation_lines(explain(line), secrets=False))
    assert "5E5E" not in "\n".join(explanation_lines(explain(line), secrets=False))
    assert "5E5E" in "\n".join(explanation_lines(explain(line), secrets=True))


def test_secrets_are_shown_only_when_asked_for() -> None:
    """A password is `***` in words; a long value is cut, with its length."""
    line = Line("VER=1.4&CMD=Login&SEQ=1&UIN=10001&PS=" + "5E" * 40)
    assert "5E" not in "\n".join(explanation_lines(explain(line), secrets=False))
    assert "5E… (80 characters)" in "\n".join(explanation_lines(explain(line), secrets=True))
