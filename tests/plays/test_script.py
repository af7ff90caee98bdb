"""A play as a script: what is asked, and what is said upon it."""

import pytest

from kqq.plays.script import Ask, differing, make_script, met, pairs, unlikeness
from kqq.protocol import Line
from kqq.protocol.transcript import Template, parse_play

BOUND = {"Romeo": "10001", "Juliet": "10002", "password": "AB", "md5": "ab"}


def script(text: str) -> list[tuple[str, list[str]]]:
    """Return what is asked in a play and what is said upon each, as commands."""
    return [
        (
            f"{ask.actor} {ask.command}",
            [f"{cue.actor} {_command(cue.template)}" for cue in ask.cues],
        )
        for ask in make_script(parse_play(text))
    ]


def _command(template: Template) -> str:
    return dict(pairs(template))["CMD"]


def asked(text: str) -> Ask:
    """Return the first that is asked."""
    return make_script(parse_play(f"Romeo > {text}"))[0]


def test_verbs() -> None:
    """Each verb is a line and its answer; what comes is said upon whatever was asked last."""
    text = """
server friends Romeo, Juliet
Romeo speaks TCP
Romeo signs in as away
Juliet signs in as hidden
Romeo sends Juliet "{a}"
Juliet receives Romeo "{a}"
Romeo asks Juliet "b"
Juliet is asked by Romeo "b"
Juliet accepts Romeo
Romeo is accepted by Juliet
Juliet refuses Romeo "no"
Romeo is refused by Juliet "no"
Romeo sees Juliet online
Romeo receives nothing
Romeo signs out
"""
    assert script(text) == [
        ("Romeo login", ["Romeo Login"]),
        ("Juliet login", ["Juliet Login"]),
        ("Romeo cltmsg", ["Romeo CLTMSG", "Juliet Server_Msg"]),
        ("Romeo addtolist", ["Romeo ADDTOLIST"]),
        ("Romeo ack_addtolist", ["Romeo ACK_ADDTOLIST", "Juliet Server_Msg"]),
        ("Juliet ack_addtolist", ["Juliet ACK_ADDTOLIST", "Romeo Server_Msg"]),
        (
            "Juliet ack_addtolist",
            ["Juliet ACK_ADDTOLIST", "Romeo Server_Msg", "Romeo update_stat"],
        ),
        ("Romeo logout", ["Romeo LOGOUT"]),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Romeo > CMD=A\nRomeo > CMD=B\nRomeo < CMD=B\nRomeo < CMD=A", [["A"], ["B"]]),
        ("Romeo > CMD=A SEQ=1\nRomeo > CMD=A SEQ=2\nRomeo < CMD=A SEQ=2", [[], ["A"]]),
        ("Romeo > CMD=A\nRomeo receives nothing\nRomeo > CMD=A\nRomeo < CMD=A", [[], ["A"]]),
        ("Romeo > CMD=A\nRomeo < CMD=OTHER", [["OTHER"]]),
        ("Romeo > CMD=A\nRomeo < CMD=A\nRomeo < CMD=A", [["A", "A"]]),
        ("Romeo > CMD=Login\nRomeo < CMD=VERIFYCODE", [["VERIFYCODE"]]),
        ("Romeo > CMD=A\nJuliet < CMD=A", [[]]),
        ("Romeo < CMD=update_stat\nRomeo > CMD=A\nRomeo < CMD=update_stat", [["update_stat"]]),
        ('Romeo > "CMD=A\\r\\nCMD=B\\r\\n"\nRomeo < CMD=B\nRomeo < CMD=A', [["A"], ["B"]]),
        ('Romeo > "\\x8a\\nCMD=A\\n"\nRomeo < CMD=A', [["A"]]),
        ('Romeo > "\\r\\n"', []),
    ],
)
def test_lines(text: str, found: list[list[str]]) -> None:
    """An answer belongs to the line that it answers, by SEQ, by command, or by order."""
    said = [cues for _, cues in script(text)]
    assert [[cue.partition(" ")[2] for cue in cues] for cues in said] == found


@pytest.mark.parametrize(
    ("ask", "line", "unlike"),
    [
        ("CMD=X A=1", "VER=1.4&CMD=x&SEQ=7&UIN=1&A=1", 0),
        ("CMD=X A=1", "CMD=X&A=2", None),
        ("CMD=X A=1", "CMD=Y&A=1", None),
        ("CMD=X A=1", "CMD=X&A=1&B=2", None),
        ("CMD=X A=1", "CMD=X&A=1&B=", 0),
        ("CMD=X A=1 ...", "CMD=X&A=1&B=2", 0),
        ("CMD=X A={any} B={word}", "CMD=X&A=1&B=2", 0),
        ("CMD=X A={{{any}}}", "CMD=X&A={1}", 0),
        ("CMD=X UN={Juliet}", "CMD=X&UN=10002", 0),
        ("CMD=X UN={Juliet}", "CMD=X&UN=10003", 1),
        ("CMD=X UN={Romeo}", "CMD=X&UN=10003", None),
        ("VER=1.1&CMD=X", "VER=1.4&CMD=X", 1),
        ("CMD=Login PS={password}", "CMD=Login&PS=aB", 0),
        ("CMD=Login PS={password} LG=0", "CMD=Login&PS=CD&LG=40", 11),
        ('"hello"', "hello", 0),
        ('"hello"', "hell", None),
        ("UN={Romeo}", "UN=10001", 0),
        ("VER=1.1&UN={Romeo}", "VER=1.1&UN=10002", None),
    ],
)
def test_how_unlike_lines_are(ask: str, line: str, unlike: int | None) -> None:
    """What must be the same is; the rest is counted."""
    template = asked(ask).template
    assert unlikeness(template, Line(line), BOUND, absent={"Juliet"}) == unlike


def test_people_who_are_met() -> None:
    """Somebody who is not here may have another number."""
    template = asked("CMD=X UN={Juliet} A={Romeo}").template
    line = Line("CMD=X&UN=4711&A=4712")
    assert met(template, line, {"Juliet"}) == {"Juliet": "4711"}
    assert met(template, Line("CMD=X&UN=many"), {"Juliet"}) == {}


def test_what_differs() -> None:
    """The first field that is otherwise is told."""
    template = asked("CMD=X A=1 UN={Juliet}").template
    assert differing(template, Line("CMD=X&A=1&UN=7"), BOUND) == "UN=10002"
    assert differing(template, Line("CMD=X&A=1&UN=10002&B=1"), BOUND) == "no B"
    assert differing(template, Line("CMD=X&A=1&UN=10002"), BOUND) == ""
