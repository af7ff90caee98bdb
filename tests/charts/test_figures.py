"""Figures counted while a capture is read."""

from typing import Any

import pytest

from kqq.capture.events import End, Note
from kqq.charts import figures as module
from kqq.charts.figures import Figures, Lane
from kqq.charts.sequence import Kind
from kqq.protocol import Role
from sayings import BEGIN, LOGIN, Sayings, evening

ANNA, BO = ("uin", "10001"), ("uin", "10002")


def test_an_evening() -> None:
    """Lines, people, messages, commands, answers, oddities."""
    figures = Figures().take_all(evening().items)
    assert (figures.lines, figures.odd_lines, figures.streams, figures.messages) == (19, 1, 2, 2)
    assert figures.over == {"tcp": 16, "http": 3}
    assert figures.kinds == {
        Kind.REQUEST: 9,
        Kind.REPLY: 7,
        Kind.PUSH: 2,
        Kind.REFUSAL: 1,
    }
    assert figures.has_times
    assert (figures.begin, figures.end) == (figures.first, figures.last)
    anna, bo = figures.people[ANNA], figures.people[BO]
    assert (anna.lines, anna.answers, anna.sent, anna.received, anna.odd) == (7, 9, 1, 1, 0)
    assert (bo.lines, bo.answers, bo.sent, bo.received, bo.odd) == (2, 1, 1, 1, 1)
    assert (anna.over, bo.over) == ({"tcp"}, {"http"})
    assert figures.pairs == {(ANNA, BO): 1, (BO, ANNA): 1}
    assert figures.servers == {("server", "198.51.100.7")}
    assert figures.oddities["2 bytes before VER= are skipped: 00 4f"].numbers == [13]
    assert figures.note_counts == {"opened": 1, "closed": 1}


def test_commands() -> None:
    """Told apart whatever their case; an answer counts where it was asked for."""
    figures = Figures().take_all(evening().items)
    sent = figures.commands["cltmsg"]
    assert (sent.name, sent.meaning) == ("CLTMSG", "Send a message to a friend.")
    assert (sent.total, sent.counts[Kind.REQUEST], sent.answered, sent.unanswered) == (3, 2, 1, 1)
    assert sent.times.count == 1
    login = figures.commands["login"]
    assert (login.counts[Kind.REQUEST], login.counts[Kind.REPLY], login.answered) == (1, 1, 1)
    assert figures.commands["verifycode"].unanswered == 0
    assert figures.commands["addtolist"].counts[Kind.REFUSAL] == 1
    assert figures.commands["server_msg"].meaning == "A message arrives."
    assert figures.times.count == 8
    assert figures.times.percentile(50) == pytest.approx(0.04, rel=0.05)


def test_presence() -> None:
    """Of who signs in by what they do, of others by what is said of them."""
    talk = Sayings()
    talk.ask(10001, "Login", **{**LOGIN, "LG": 40})
    talk.answer("Login", RS=0)
    talk.ask(10001, "Change_Stat", ST=30)
    talk.answer("CHANGE_STAT")
    talk.ask(10001, "Change_Stat2", ST=10)
    talk.answer("CHANGE_STAT2", RES=1)
    talk.push(10001, "update_stat", ST=20, UN=10001)  # others take somebody hidden for offline
    talk.push(10001, "update_stat", ST=10, UN=10002)
    talk.push(10001, "update_stat", ST=10, UN=10002)
    talk.ask(10001, "Query_Stat2", CM=2, UN=0)
    talk.answer("QUERY_STAT2", FN=1, SN=2, ST="30,20,", UN="10002,10003,")
    talk.ask(10001, "Logout")
    talk.answer("LOGOUT")
    lanes = Figures().take_all(talk.items).lanes
    assert [status for _, status in lanes[ANNA].changes] == [40, 30, 20]
    assert [status for _, status in lanes[BO].changes] == [10, 30]
    assert [status for _, status in lanes["uin", "10003"].changes] == [20]
    assert (lanes[ANNA].is_own, lanes[BO].is_own) == (True, False)


@pytest.mark.parametrize(
    ("fields", "status"), [({}, 10), ({"ST": 30}, 30), ({"LG": 40}, 40), ({"ST": 10, "LG": 40}, 10)]
)
def test_the_status_of_a_sign_in(fields: dict[str, Any], status: int) -> None:
    """As asked for, else online."""
    talk = Sayings()
    talk.ask(10001, "Login", **{**LOGIN, **fields})
    talk.answer("Login", RS=0)
    lane = Figures().take_all(talk.items).lanes[ANNA]
    assert [one for _, one in lane.changes] == [status]


def test_a_sign_in_without_its_request_is_one() -> None:
    """A refused one is not, and a change of status without its request says nothing."""
    talk = Sayings()
    talk.line(Role.SERVER, "VER=1.1&CMD=Login&SEQ=1&UIN=10001&RES=0&RS=0")
    talk.line(Role.SERVER, "VER=1.1&CMD=CHANGE_STAT&SEQ=2&UIN=10001&RES=0")
    talk.line(Role.SERVER, "VER=1.1&CMD=Login&SEQ=1&UIN=10002&RES=0&RS=1&RA=no")
    lanes = Figures().take_all(talk.items).lanes
    assert [status for _, status in lanes[ANNA].changes] == [10]
    assert BO not in lanes


def test_who_hangs_up_is_gone() -> None:
    """With the connection of the sign-in, not with another one."""
    talk = Sayings()
    talk.note("closed", "before anything was said", 4)
    talk.ask(10001, "Login", **LOGIN)
    talk.answer("Login", RS=0)
    talk.line(Role.CLIENT, "VER=1.1&CMD=GetMsgEx&SEQ=9&UIN=10001", stream=5)
    talk.note("closed", "the connection is closed", 5)
    figures = Figures().take_all(talk.items)
    assert [status for _, status in figures.lanes[ANNA].changes] == [10]
    talk.note("closed", "the connection is closed", 1)
    figures = Figures().take_all(talk.items)
    assert [status for _, status in figures.lanes[ANNA].changes] == [10, 20]


def test_changes_of_presence_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out is counted."""
    monkeypatch.setattr(module, "_CHANGES", 2)
    lane = Lane()
    for place, status in enumerate((10, 30, 10, 30)):
        lane.change(place, status, own=True)
    assert (len(lane.changes), lane.left_out) == (2, 1)


def test_messages_that_waited() -> None:
    """Those of people count; requests and news of the system do not."""
    talk = Sayings()
    talk.ask(10001, "GetMsgEx")
    talk.answer("GETMSGEX", MN=3, MT="9,2,9,", UN="10002,10003,10002,", MG="a,b,c,")
    talk.ask(10001, "GetMsgEx")
    talk.answer("GETMSGEX", MN=1, UN="10002,", MG="a,")
    talk.ask(10001, "GetMsgEx")
    talk.answer("GETMSGEX", MN=0)
    talk.push(10001, "Server_Msg", MN=1, MT=2, UN=10003, MG="please")
    assert Figures().take_all(talk.items).people[ANNA].received == 3


def test_without_times_lines_are_counted() -> None:
    """A line without a time among others has that of the line before."""
    figures = Figures().take_all(evening(times=False).items)
    assert not figures.has_times
    assert (figures.begin, figures.end) == (1.0, 19.0)
    assert figures.times.count == 0
    talk = evening()
    talk.said[3].time = None
    assert Figures().take_all(talk.items).first == pytest.approx(BEGIN + 0.04)
    assert (Figures().begin, Figures().end) == (1.0, 2.0)


def test_only_so_many_lines_are_kept() -> None:
    """The first, the last, and the first of each oddity in between."""
    talk = Sayings()
    for place in range(100):
        said = talk.ask(10001, "GetMsgEx")
        said.odd = ("odd",) if place in range(40, 60) else ()
    figures = Figures(10).take_all(talk.items)
    kept = [one.said.number for one in figures.kept()]
    assert kept == [1, 2, 3, 4, 5, 41, 42, 43, 44, 45, 96, 97, 98, 99, 100]
    assert figures.oddities["odd"].count == 20
    assert {one.client for one in figures.kept()} == {ANNA}


def test_nothing_grows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of people, pairs, commands, oddities and connections only so many are told apart."""
    for name in ("_PEOPLE", "_PAIRS", "_COMMANDS", "_ODDITIES", "_STREAMS", "_KEPT", "_NOTES"):
        monkeypatch.setattr(module, name, 3)
    talk = Sayings()
    for place in range(10):
        talk.ask(10001 + place, "CLTMSG", UN=10002 + place, MG="hi")
        said = talk.ask(10001 + place, f"C{place}")
        said.odd = (f"odd {place}",)
        push = talk.push(10001, "update_stat", ST=10, UN=10001 + place)
        push.server = End(f"192.0.2.{place}", 14000)
    notes = [Note(f"kind {place}", "words", None, place) for place in range(10)]
    figures = Figures(2).take_all([*talk.items, *notes])
    assert len(figures.people) == 3
    assert figures.people_left_out > 0
    assert len(figures.pairs) == 3
    assert set(figures.commands) == {"cltmsg", "c0", "update_stat", ""}
    assert figures.commands[""].name == "…"
    assert len(figures.oddities) == 3
    assert figures.oddities_left_out == 7
    assert figures.streams == 3
    assert len(figures.lanes) == 3
    assert len(figures.servers) == 3
    assert set(figures.notes) == {"kind 0", "kind 1", "kind 2", "…"}
    assert figures.note_counts["…"] == 7
    assert len(figures.kept()) <= 5


def test_an_unreadable_line_is_odd() -> None:
    """Why it is unreadable stands among the oddities."""
    talk = Sayings()
    talk.line(Role.CLIENT, b"\xff\xfe")
    figures = Figures().take_all(talk.items)
    assert figures.odd_lines == 1
    ((words, oddity),) = figures.oddities.items()
    assert "is not a line of KQQ" in words
    assert oddity.numbers == [1]
    assert figures.commands["junk"].meaning == ""
