"""The tables of a report."""

import re

import pytest

from kqq.charts import tables as module
from kqq.charts.figures import Figures
from kqq.charts.tables import answers, commands, html, left_out, name_of, odd, people
from sayings import Sayings, evening, hostile


def rows(page: list[str] | None) -> list[list[str]]:
    """Return the cells of all rows as texts, the heads of the tables among them."""
    assert page is not None
    found = re.findall(r"<tr>(.*?)</tr>", "".join(page), re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in found
    ]


def test_who_talked_and_to_whom() -> None:
    """The busiest first."""
    assert rows(people(Figures().take_all(evening().items))) == [
        ["Who", "Number or address", "Over", "Lines sent", "Lines got", "Messages sent",
         "Messages got", "Odd lines", "First", "Last"],
        ["10001", "192.0.2.1", "TCP", "7", "9", "1", "1", "0", "11:00:00", "11:02:14"],
        ["小波", "10002", "HTTP", "2", "1", "1", "1", "1", "11:02:14", "11:02:14"],
        ["from ↓ to →", "10001", "小波"],
        ["10001", "", "1"],
        ["小波", "1", ""],
    ]  # fmt: skip


def test_dates_are_told_where_there_are_several() -> None:
    """Without the year; numbers of lines where there are no times."""
    talk = Sayings()
    talk.ask(10001, "GetMsgEx")
    talk.ask(10001, "GetMsgEx", how={"after": 86400.0})
    assert rows(people(Figures().take_all(talk.items)))[1][-2:] == [
        "05-14 11:00:00", "05-15 11:00:00"]  # fmt: skip
    untimed = Figures().take_all(evening(times=False).items)
    assert rows(people(untimed))[1][-2:] == ["1", "19"]


def test_only_so_many_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out is told."""
    monkeypatch.setattr(module, "_PEOPLE", 2)
    monkeypatch.setattr(module, "_MATRIX", 2)
    talk = Sayings()
    for place in range(5):
        talk.ask(10001 + place, "CLTMSG", UN=10001, MG="hi")
    figures = Figures().take_all(talk.items)
    figures.people_left_out = 7
    page = people(figures)
    assert len(rows(page)) == 3 + 3
    words = "".join(page or [])
    assert words.count("3 more are not shown.") == 2
    assert "Only the first 5 people are told apart." in words
    assert left_out(0) == []
    assert "1 more is not shown." in left_out(1)[0]


def test_commands() -> None:
    """What each is, and how often it was said."""
    table = {row[0]: row[1:] for row in rows(commands(Figures().take_all(evening().items)))}
    assert table["CLTMSG"] == ["Send a message to a friend.", "2", "1", "", "", "1", ""]
    assert table["AddToList"] == ["Ask to add somebody.", "1", "", "1", "", "", ""]
    talk = Sayings()
    talk.ask(10001, "List")
    talk.answer("LIST", FN=0)
    assert "`" not in "".join(commands(Figures().take_all(talk.items)) or [])
    assert table["Server_Msg"] == ["A message arrives.", "", "", "", "1", "", ""]


def test_answers() -> None:
    """All of them first, then by command."""
    table = rows(answers(Figures().take_all(evening().items)))
    assert table[1][:2] == ["all", "8"]
    assert table[1][2] == "300 µs"
    assert ["SimpleInfo2", "1", "40 ms", "40 ms", "40 ms", "40 ms", "40 ms", ""] in table


def test_oddities_link_to_their_lines() -> None:
    """To those that are shown; notes on the capture stand below."""
    talk = evening()
    talk.note("lost", "10 bytes are missing")
    figures = Figures().take_all(talk.items)
    page = odd(figures)
    assert page is not None
    assert '<a href="#l13">13</a>' in "".join(page)
    assert rows(page)[1] == ["2 bytes before VER= are skipped: 00 4f", "1", "13"]
    assert rows(page)[3] == ["lost", "1", "10 bytes are missing"]
    figures.oddities["2 bytes before VER= are skipped: 00 4f"].numbers.append(999)
    assert "13</a>, 999<" in "".join(odd(figures) or [])


def test_nothing() -> None:
    """No table of nothing."""
    figures = Figures()
    assert people(figures) is commands(figures) is answers(figures) is odd(figures) is None
    talk = Sayings()
    talk.note("opened", "a connection")
    talk.note("lost", "10 bytes are missing")
    notes = Figures().take_all(talk.items)
    assert rows(odd(notes))[1:] == [["lost", "1", "10 bytes are missing"]]
    strange = Sayings()
    strange.ask(10001, "GetMsgEx")
    assert odd(Figures().take_all(strange.items)) is None


def test_texts_of_strangers_stay_texts() -> None:
    """Whatever they are called, and whatever they say."""
    figures = Figures().take_all(hostile().items)
    page = "".join([*(people(figures) or []), *(commands(figures) or []), *(odd(figures) or [])])
    assert "<script" not in page
    assert "<img" not in page
    assert not re.search(r"[\x00-\x08\x1b\u202e]", page)
    assert html("<a\x1b&") == "&lt;a\\x1b&amp;"
    assert name_of(figures, ("actor", "<b>")) == "<bdi>&lt;b&gt;</bdi>"
