"""What a capture holds."""

import pytest

from kqq.capture.events import End, Said
from kqq.protocol import Line, Role, decode


def said(text: str, time: float | None = None) -> Said:
    """Return a line of a server."""
    line = Line(text)
    return Said(1, time, 1, 1, Role.SERVER, line, decode(line, Role.SERVER))


def test_ends_are_written_as_usual() -> None:
    """An IPv6 address stands in brackets."""
    assert str(End("192.0.2.1", 14000)) == "192.0.2.1:14000"
    assert str(End("2001:db8::1", 80)) == "[2001:db8::1]:80"


@pytest.mark.parametrize(
    ("text", "command", "uin"),
    [
        ("VER=1.1&CMD=LIST&SEQ=1&UIN=10001&RES=0&FN=0", "LIST", 10001),
        ("VER=1.4&CON=1&CMD= List &SEQ=1", "List", None),
        ("SEQ=1&CMD=list&VER=1.1", "list", None),
        ("VER=1.1&SEQ=1", "", None),
        ("hello", "", None),
        ("VER=1.1&CMD=Login PS=5EBE&SEQ=1", "Login PS=***", None),
    ],
)
def test_command_and_number_of_a_line(text: str, command: str, uin: int | None) -> None:
    """As the line spells the command; no number where it cannot be read."""
    assert said(text).command == command
    assert said(text).uin == uin


def test_how_long_an_answer_took() -> None:
    """Nothing is known without a request, or without times."""
    for asked, answered, seconds in [(3.5, 5.0, 1.5), (None, 5.0, None), (3.5, None, None)]:
        answer = said("VER=1.1&CMD=LIST&SEQ=1&UIN=10001&RES=0&FN=0", answered)
        assert answer.seconds is None
        answer.request = said("VER=1.1", asked)
        assert answer.seconds == seconds
