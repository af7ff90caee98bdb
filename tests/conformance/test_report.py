"""What a run found, counted and written down as JSON and as JUnit XML."""

import json
from xml.etree import ElementTree as ET

import pytest

from kqq.conformance.report import Report, Result, Verdict, in_words, junit, skipped_by_reason
from results import AT_END, FAILED, LOST, PASSED, SKIPPED, report

ALL = report(PASSED, FAILED, *SKIPPED, LOST)


def test_counts() -> None:
    """By verdict, and by transport."""
    assert [ALL.count(verdict) for verdict in Verdict] == [1, 2, 2]
    assert [ALL.count(verdict, "HTTP") for verdict in Verdict] == [0, 1, 1]
    assert ALL.overs == ["TCP", "HTTP"]
    assert ALL.with_verdict(Verdict.FAILED) == [FAILED, LOST]


@pytest.mark.parametrize(
    ("found", "has_failed"),
    [
        ([PASSED], False),
        ([PASSED, *SKIPPED], False),
        ([PASSED, FAILED], True),
        (SKIPPED, True),
        ([], True),
    ],
)
def test_what_is_a_failure(found: list[Result], has_failed: bool) -> None:
    """One that failed, and also that nothing could be performed."""
    assert report(*found).has_failed is has_failed


def test_groups() -> None:
    """Plays stand below what they are about, with a result for each transport."""
    assert ALL.by_group() == {
        "signing in": [[FAILED]],
        "messages": [[LOST], [PASSED]],
        "lists": [SKIPPED],
    }


def test_sources() -> None:
    """Each has how much of what cites it passed; what was skipped says nothing."""
    found = ALL.by_source()
    assert found["ZN"] == (1, 2)
    assert found["HACK"] == (0, 1)
    assert "VB" not in found


def test_reasons() -> None:
    """Those skipped stand together if the reason is the same, the most frequent first."""
    other = Result(entry=PASSED.entry, over="TCP", verdict=Verdict.SKIPPED, reason="why not")
    found = skipped_by_reason([other, PASSED, *SKIPPED])
    assert list(found.items()) == [("needs <settings>", SKIPPED), ("why not", [other])]


def test_json() -> None:
    """A result and the whole are objects that JSON can have."""
    one = json.loads(json.dumps(FAILED.as_object()))
    assert one["play"] == "sign_in_1_1"
    assert one["over"] == "tcp"
    assert one["verdict"] == "failed"
    assert one["evidence"] == ["HACK", "JAVA"]
    assert one["difference"]["fields"][1]["got"] == "5"
    assert one["lines"][0] == "Romeo > VER=1.1&CMD=Login&PS=***"
    assert one["numbers"] == {"Romeo": 10001}
    assert LOST.as_object()["difference"] is None
    whole = json.loads(json.dumps(ALL.as_object()))
    assert (whole["passed"], whole["failed"], whole["skipped"]) == (1, 2, 2)
    assert whole["sources"]["ZN"] == {"passed": 1, "performed": 2}
    assert whole["seconds"] == 1.75


def test_junit() -> None:
    """A suite for each transport; nothing in it that XML cannot have."""
    root = ET.fromstring(junit(ALL))
    assert root.tag == "testsuites"
    counts = {key: root.get(key) for key in ("tests", "failures", "skipped", "errors", "time")}
    assert counts == {"tests": "5", "failures": "2", "skipped": "2", "errors": "0", "time": "1.750"}
    tcp, http = root
    assert (tcp.get("name"), tcp.get("tests")) == ("tcp://<host>:14000 TCP", "3")
    assert (http.get("failures"), http.get("timestamp")) == ("1", "2026-03-05T09:05:00+01:00")
    cases = {case.get("name"): case for case in tcp}
    assert cases["pushes"].find("failure") is None
    assert cases["pushes"].get("classname") == "kqq.conformance.tcp"
    skipped = cases["pages"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "needs <settings>"
    failure = cases["sign_in_1_1"].find("failure")
    assert failure is not None
    assert failure.get("message") == "another line came:"
    text = failure.text or ""
    assert "RES: expected '0', got '5'" in text
    assert "Romeo < 你好 \\x1b[31m" in text
    out = cases["sign_in_1_1"].findtext("system-out") or ""
    assert "(HACK JAVA)" in out


def test_in_words() -> None:
    """Without a difference there is the reason."""
    assert in_words(LOST) == ["cannot connect"]
    assert in_words(AT_END)[-1] == "  Romeo got more than is told"
    found = in_words(FAILED)
    assert "unreadable: HI=x must be digits: VER=1.1&HI=x" in found
    assert "note: Romeo (10001) had <much> waiting" in found
    assert all(line.isprintable() for line in found)


def test_a_play_of_ones_own_has_a_group_besides() -> None:
    """It is counted all the same."""
    own = Report("here", "now", "kqq", [AT_END])
    assert own.by_group() == {"other plays": [[AT_END]]}
