"""Results of a run that never was, to be reported."""

from kqq.conformance.published import entries, entry
from kqq.conformance.report import Heard, Report, Result, Verdict
from kqq.plays.compare import Difference, Row

NAMED = {one.name: one for one in entries()}
PASSED = Result(entry=NAMED["pushes"], over="TCP", verdict=Verdict.PASSED, seconds=0.25)
SKIPPED = [
    Result(entry=NAMED["pages"], over=over, verdict=Verdict.SKIPPED, reason="needs <settings>")
    for over in ("TCP", "HTTP")
]
FAILED = Result(
    entry=NAMED["sign_in_1_1"],
    over="TCP",
    verdict=Verdict.FAILED,
    reason="another line came:",
    difference=Difference(
        4,
        "Romeo < VER=1.1&CMD=Login&RES=0",
        "another line came:",
        (
            Row("CMD", "Login", "Login", same=True, meaning="command"),
            Row("RES", "0", "5", same=False, expected_meaning="accepted", meaning="no number"),
            Row("HI", "60", None, same=False, expected_meaning="seconds"),
            Row("X", None, "<script>\x1b[31m", same=False),
        ),
        ("VER=1.1&CMD=Server_Msg&MG=<b>hi</b>",),
    ),
    unreadable=("HI=x must be digits: VER=1.1&HI=x",),
    notes=("Romeo (10001) had <much> waiting",),
    lines=(Heard("Romeo", ">", "VER=1.1&CMD=Login&PS=***"), Heard("Romeo", "<", "你好 \x1b[31m")),
    numbers={"Romeo": 10001},
    seconds=1.5,
)
LOST = Result(
    entry=NAMED["message_online"], over="HTTP", verdict=Verdict.FAILED, reason="cannot connect"
)
AT_END = Result(
    entry=entry("not_published", "# It holds. (ZN)\nRomeo signs in"),
    over="HTTP",
    verdict=Verdict.FAILED,
    reason="Romeo got more than is told",
    difference=Difference(2, "at the end", "Romeo got more than is told"),
)


def report(*results: Result) -> Report:
    """Return a report of these."""
    return Report("tcp://<host>:14000", "2026-03-05T09:05:00+01:00", "kqq 1", list(results))
