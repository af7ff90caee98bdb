"""Who said what to whom, as rows between lifelines."""

import pytest

from kqq.charts.sequence import Arrow, Chart, Kind, Remark, oddities, sequence
from kqq.protocol import Role
from sayings import BEGIN, Sayings, evening


def remarks(chart: Chart) -> list[tuple[int, int, str]]:
    """Return what stands between the arrows."""
    return [(row.first, row.last, row.words) for row in chart.rows if isinstance(row, Remark)]


def test_an_evening() -> None:
    """Servers stand between people; each line is an arrow from its sender."""
    chart = sequence(evening().items, title="An evening")
    assert chart.title == "An evening"
    assert chart.start == pytest.approx(BEGIN + 0.04)
    assert [(one.name, one.detail, one.is_server) for one in chart.lifelines] == [
        ("10001", "192.0.2.1", False),
        ("server", "198.51.100.7:14000, 80", True),
        ("小波", "10002", False),
    ]
    assert [(one.source, one.target, one.kind.value, one.command) for one in chart.arrows] == [
        (0, 1, "request", "Login"),
        (1, 0, "reply", "VERIFYCODE"),
        (0, 1, "request", "VERIFYCODE"),
        (1, 0, "reply", "Login"),
        (0, 1, "request", "SimpleInfo2"),
        (1, 0, "reply", "SIMPLEINFO2"),
        (0, 1, "request", "Query_Stat2"),
        (1, 0, "reply", "QUERY_STAT2"),
        (0, 1, "request", "CLTMSG"),
        (1, 0, "reply", "CLTMSG"),
        (2, 1, "request", "GetMsgEx"),
        (1, 2, "reply", "GETMSGEX"),
        (2, 1, "request", "CltMsg"),
        (1, 0, "push", "Server_Msg"),
        (1, 0, "push", "update_stat"),
        (0, 1, "request", "AddToList"),
        (1, 0, "refusal", "ADDTOLIST"),
        (0, 1, "request", "Logout"),
        (1, 0, "reply", "LOGOUT"),
    ]
    assert [one.over for one in chart.arrows[10:13]] == ["http"] * 3
    assert chart.arrows[9].seconds == pytest.approx(0.0003, abs=1e-6)
    assert chart.arrows[12].marks == (1,)
    assert chart.footnotes == ("2 bytes before VER= are skipped: 00 4f",)
    assert remarks(chart) == [
        (0, 0, "connects"),
        (0, 2, "2 min 5 s later"),
        (0, 0, "connection closed"),
    ]
    assert chart.more == 0


def test_nothing() -> None:
    """No line, no lifeline; a note about the capture stays."""
    assert sequence([]) == Chart("", (), (), (), 0, None)
    talk = Sayings()
    talk.note("cut", "the capture ends in a packet")
    assert remarks(sequence(talk.items)) == [(0, 0, "the capture ends in a packet")]


def test_only_so_many_lines() -> None:
    """What is left out is counted, notes and all."""
    talk = evening()
    talk.note("cut", "too late to be drawn")
    chart = sequence(talk.items, most=5)
    assert len(chart.arrows) == 5
    assert chart.more == 14
    assert remarks(chart) == [(0, 0, "connects")]
    assert len(chart.lifelines) == 2


def test_notes_about_packets_are_left_out() -> None:
    """And connections of single posts; a reset is one."""
    talk = Sayings()
    for kind in ("retransmission", "opened", "closed", "lost"):
        talk.note(kind, f"{kind} of a connection that is reset", 2)
    talk.ask(10002, "GetMsgEx", how={"over": "http"})
    talk.note("closed", "the connection is closed", 2)
    assert remarks(sequence(talk.items)) == []
    other = Sayings()
    other.ask(10001, "Logout")
    other.note("closed", "the connection is reset", 1)
    other.note("lost", "10 bytes are missing", 8)
    assert remarks(sequence(other.items)) == [
        (0, 0, "connection reset"),
        (0, 1, "10 bytes are missing"),
    ]


def test_those_who_say_least_share_a_lifeline() -> None:
    """More people than there is room for."""
    talk = Sayings()
    for place in range(12):
        for _ in range(12 - place):
            talk.ask(10001 + place, "GetMsgEx")
    chart = sequence(talk.items, most_people=4)
    assert [one.name for one in chart.lifelines] == [
        "10001",
        "10002",
        "server",
        "10003",
        "9 others",
    ]
    assert [one.source for one in chart.arrows][-1] == 4


def test_a_line_without_a_number_is_of_the_only_person_there() -> None:
    """At its address; where two share it, nobody can tell."""
    talk = Sayings()
    talk.line(Role.CLIENT, b"\xff")
    talk.ask(10001, "Logout")
    assert [one.name for one in sequence(talk.items).lifelines] == ["10001", "server"]
    talk.ask(10002, "Logout", how={"stream": 1})
    names = [one.name for one in sequence(talk.items).lifelines]
    assert sorted(names) == ["10001", "10002", "192.0.2.1", "server"]


def test_days_are_told() -> None:
    """Where one begins."""
    talk = Sayings()
    talk.ask(10001, "GetMsgEx")
    talk.ask(10001, "GetMsgEx", how={"after": 86400.0})
    assert remarks(sequence(talk.items)) == [(0, 1, "2014-05-15")]


def test_a_source_without_times() -> None:
    """Nothing is said of times; lines have their numbers."""
    chart = sequence(evening(times=False).items)
    assert chart.start is None
    assert {one.time for one in chart.arrows} == {None}
    assert {one.seconds for one in chart.arrows} == {None}
    assert chart.arrows[3].number == 4


def test_a_refused_sign_in_is_a_refusal() -> None:
    """Though its `RES` is 0."""
    talk = Sayings()
    talk.ask(10001, "Login")
    talk.answer("Login", RS=1, RA="no")
    assert sequence(talk.items).arrows[1].kind is Kind.REFUSAL


def test_why_a_line_is_unreadable_is_no_footnote() -> None:
    """It stands at the arrow already; what else is odd is one."""
    talk = Sayings()
    said = talk.line(Role.CLIENT, b"\x00VER=1.4&CMD=Dance&SEQ=1&UIN=10001")
    assert oddities(said) == ["1 bytes before VER= are skipped: 00"]
    chart = sequence(talk.items)
    assert chart.arrows[0].kind is Kind.UNREADABLE
    assert chart.footnotes == ("1 bytes before VER= are skipped: 00",)


def test_there_are_twenty_footnotes_at_most() -> None:
    """The last stands for all others; the same has the same number."""
    talk = Sayings()
    for place in range(30):
        said = talk.ask(10001, "GetMsgEx")
        said.odd = (f"odd {place}", f"odd {place}", "odd 0")
    chart = sequence(talk.items)
    assert len(chart.footnotes) == 20
    assert chart.footnotes[-1] == "something else is odd"
    assert chart.arrows[0].marks == (1,)
    assert chart.arrows[3].marks == (4, 1)
    assert chart.arrows[29].marks == (20, 1)
    talk.said[0].odd = tuple(map(str, range(9)))
    assert sequence(talk.items).arrows[0].marks == (1, 2, 3, 4, 5)


def test_a_play_in_words_of_its_own() -> None:
    """What people do is drawn, too, though it is no line."""
    talk = Sayings(times=False)
    statements = ["server friends Romeo, Juliet", "Romeo signs in", 'Romeo sends Juliet "hi"',
                  'Juliet receives Romeo "hi"', "Juliet disconnects", "clock +90"]  # fmt: skip
    for words in statements:
        talk.note("statement", words)
    how = {"actor": "Juliet", "ends": False}
    talk.ask(10002, "CLTMSG", how=how, UN=10001, MG="hello")
    chart = sequence(talk.items)
    assert [one.name for one in chart.lifelines] == ["Romeo", "server", "Juliet"]
    assert [(one.source, one.target, one.kind, one.command, one.words) for one in chart.arrows] == [
        (0, 1, Kind.REQUEST, "", "signs in"),
        (0, 1, Kind.REQUEST, "", "to Juliet: “hi”"),
        (1, 2, Kind.PUSH, "", "from Romeo: “hi”"),
        (2, 1, Kind.REQUEST, "CLTMSG", "to Romeo: “hello”"),
    ]
    assert remarks(chart) == [
        (0, 2, "server friends Romeo, Juliet"),
        (2, 2, "disconnects"),
        (0, 2, "1 min 30 s later"),
    ]
    assert sequence(talk.items, most=2).more == 5
    assert isinstance(chart.rows[1], Arrow)


def test_names_may_be_given() -> None:
    """They count more than what was heard."""
    chart = sequence(evening().items, names={10001: "Anna", 10002: "Bo"})
    assert [one.name for one in chart.lifelines] == ["Anna", "server", "Bo"]
