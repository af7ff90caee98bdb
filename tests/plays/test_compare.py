"""Lines beside lines: what was expected of each field, what came, and what it means."""

import pytest

from kqq.plays.compare import Difference, Row, compare, compare_words, difference, shown_lines
from kqq.protocol import Line
from kqq.protocol.transcript import parse_play

BOUND = {"Romeo": "10001", "Juliet": "10002"}


def differing(expected: str, came: str) -> list[tuple[str, str | None, str | None]]:
    """Return the fields in which a line differs from what a play expects."""
    (statement,) = parse_play(f"Romeo < {expected}").statements
    rows = compare(statement.line, Line.decode(came.encode("utf-8", "surrogateescape")), BOUND)
    is_same = not statement.line.differences(
        Line.decode(came.encode("utf-8", "surrogateescape")), dict(BOUND)
    )
    assert is_same == all(row.same for row in rows)
    return [(row.key, row.expected, row.got) for row in rows if not row.same]


HEAD = "VER=1.1&CMD=CLTMSG&SEQ=200&UIN=10001"


@pytest.mark.parametrize(
    ("expected", "came", "found"),
    [
        ("CMD=CLTMSG RES=0", f"{HEAD}&RES=0", []),
        ("CMD=CLTMSG RES=0", f"{HEAD}&RES=5", [("RES", "0", "5")]),
        ("CMD=CLTMSG RES=0", f"{HEAD}&RES=0&XX=1", [("XX", None, "1")]),
        ("CMD=CLTMSG RES=0 ...", f"{HEAD}&RES=0&XX=1", []),
        ("CMD=CLTMSG RES=0 AA=1", f"{HEAD}&RES=0", [("AA", "1", None)]),
        ("CMD=CLTMSG A=1 B=2 C=3", f"{HEAD}&A=1&C=3", [("B", "2", None)]),
        ("CMD=CLTMSG SEQ=201 RES=0", f"{HEAD}&RES=0", [("SEQ", "201", "200")]),
        ("CMD=CLTMSG UN={Juliet}", f"{HEAD}&UN=10003", [("UN", "10002", "10003")]),
        ("CMD=CLTMSG UN={who}", f"{HEAD}&UN=10003", []),
        ("VER=1.1&CMD=CLTMSG&SEQ={any}&UIN={Romeo}", HEAD, []),
        ("VER=1.1&CMD=CLTMSG&SEQ={any}&UIN={Juliet}", HEAD, [("UIN", "10002", "10001")]),
        (f'"{HEAD}&SG=***\\r\\n"', f"{HEAD}&SG=12", []),
        (f'"{HEAD}&SG=***&A=1\\r\\n"', f"{HEAD}&SG=12&A=2", [("A", "1", "2")]),
        (f'"\\x01{HEAD}"', HEAD, [("", "\\x01", "")]),
        ("VER=1.1&SG=AB", "VER=1.1&SG=CD", [("SG", "***", "***")]),
        ("CMD=CLTMSG MG=你好", f"{HEAD}&MG=再见", [("MG", "你好", "再见")]),
    ],
)
def test_fields_beside_fields(
    expected: str, came: str, found: list[tuple[str, str | None, str | None]]
) -> None:
    """Fields stand beside those with the same key, and secrets are never shown."""
    assert differing(expected, came) == found


def test_what_fields_mean() -> None:
    """Codes are told in words, those that were expected and those that came."""
    (statement,) = parse_play("Romeo < CMD=CLTMSG RES=0").statements
    row = compare(statement.line, Line(f"{HEAD}&RES=5"), BOUND)[-1]
    assert (row.expected_meaning, row.meaning) == ("result: accepted", "result: no such number")


def test_a_difference_in_words() -> None:
    """It is told with its statement, its fields, and what came besides; and as an object."""
    (statement,) = parse_play("Romeo > VER=1.1&PS=abc").statements
    found = difference(
        statement, "so:", rows=compare_words([("MT", 9, 2), ("UN", 1, 1)]), besides=[Line("SG=1")]
    )
    assert str(found) == (
        "line 1: Romeo > VER=1.1&PS=***\n  so:\n  MT: expected '9', got '2'\n  SG=***"
    )
    assert found.as_object()["fields"][0]["got"] == "2"
    assert found.as_object()["besides"] == ["SG=***"]
    assert str(Difference(1, "a", "b", (Row("K", None, "x", same=False),))).endswith(
        "K: expected nothing, got 'x'"
    )


def test_very_many_lines() -> None:
    """Of very many lines only some are kept."""
    assert shown_lines([Line("A=1")] * 25)[-1] == "… and 5 more"
