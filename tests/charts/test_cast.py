"""Who is at each end, and what they are called."""

import pytest

from kqq.capture.events import End
from kqq.charts import cast as module
from kqq.charts.cast import Cast
from kqq.protocol import Role
from sayings import Sayings


def test_people_are_told_apart_by_numbers() -> None:
    """With nickname and number once a list told it, else with number and address."""
    cast, talk = Cast(), Sayings()
    asked = talk.ask(10001, "SimpleInfo2", UN=0, TO=0)
    client, server = cast.meet(asked)
    assert (cast.name(client), cast.detail(client)) == ("10001", "192.0.2.1")
    assert (cast.name(server), cast.detail(server)) == ("server", "198.51.100.7:14000")
    cast.meet(talk.answer("SIMPLEINFO2", NP=65535, SN=1, UN="10001,", FC="0,", NK="Anna,"))
    assert (cast.name(client), cast.detail(client)) == ("Anna", "10001")
    assert cast.called(10001) == "Anna"
    assert cast.called(10002) == "10002"
    assert cast.called(10000) == "the system"
    assert cast.names() == {10001: "Anna"}
    assert cast.address(client) == "192.0.2.1"


def test_nicknames_come_from_lists_and_profiles() -> None:
    """The last one heard counts; a name that is known counts more."""
    cast, talk = Cast({10003: "Cy"}), Sayings()
    talk.ask(10001, "Query_Stat", TN=9, UN=0)
    talk.answer("QUERY_STAT", FC="0,", FN=1, SN=1, ST="10,", UN="10002,", NK="Bo,")
    talk.answer("FINGER", FC="0,", FN=1, SN=1, UN="10003,", NK="Other,")
    talk.answer("GETINFO", UN=10002, NK="小波")
    talk.answer("GETINFO", NK="nobody")
    for said in talk.said:
        cast.meet(said)
    assert (cast.called(10002), cast.called(10003)) == ("小波", "Cy")


def test_a_line_without_a_number_belongs_to_its_connection() -> None:
    """Else to the address it came from, else to nobody known."""
    cast, talk = Cast(), Sayings()
    cast.meet(talk.ask(10001, "Logout"))
    assert cast.meet(talk.line(Role.SERVER, b"\xff"))[0] == ("uin", "10001")
    assert cast.on_stream(1) == ("uin", "10001")
    assert cast.on_stream(9) is None
    stranger, _ = cast.meet(talk.line(Role.CLIENT, b"\xff", stream=9))
    assert (cast.name(stranger), cast.detail(stranger)) == ("192.0.2.9", "")
    nobody, _ = cast.meet(talk.line(Role.CLIENT, b"\xff", stream=0, ends=False))
    assert cast.name(nobody) == "somebody"


def test_the_number_of_an_unreadable_line_counts() -> None:
    """If it is one."""
    cast, talk = Cast(), Sayings()
    assert cast.meet(talk.line(Role.CLIENT, "VER=1.4&CMD=Dance&UIN= 10007"))[0] == ("uin", "10007")
    assert cast.meet(talk.line(Role.CLIENT, "CMD=Dance&UIN=" + "9" * 21, stream=3))[0][0] == "end"


def test_a_part_of_a_line_belongs_to_its_connection() -> None:
    """What is left of its number may be another one."""
    cast, talk = Cast(), Sayings()
    cut = talk.line(Role.CLIENT, "VER=1.4&CMD=Logout&SEQ=1&UIN=100", stream=1)
    cut.whole = False
    assert cast.meet(cut)[0] == ("uin", "100")
    cast.meet(talk.ask(10001, "GetMsgEx"))
    assert cast.meet(cut)[0] == ("uin", "10001")


def test_people_in_plays_have_names() -> None:
    """And numbers in order of appearance, whether or not they say a line."""
    cast, talk = Cast(), Sayings(times=False)
    cast.appear("Juliet")
    romeo, server = cast.meet(talk.ask(10002, "Logout", how={"actor": "Romeo", "ends": False}))
    assert romeo == ("actor", "Romeo")
    assert (cast.name(romeo), cast.detail(romeo)) == ("Romeo", "10002")
    assert cast.called(10001) == "Juliet"
    assert cast.who(10001) == ("actor", "Juliet")
    assert cast.who(10009) == ("uin", "10009")
    assert cast.detail(server) == ""
    assert cast.detail(("actor", "Nobody")) == ""


def test_where_parts_of_a_play_are_missing_only_lines_tell_numbers() -> None:
    """The order of appearance says nothing then."""
    cast, talk = Cast(), Sayings()
    cast.meet(talk.ask(10005, "Logout", how={"actor": "Romeo"}))
    cast.appear("Juliet")
    assert (cast.called(10005), cast.called(10002)) == ("Romeo", "10002")


def test_servers_have_their_ports() -> None:
    """Up to three; an IPv6 address stands in brackets."""
    cast, talk = Cast(), Sayings()
    said = talk.ask(10001, "Logout")
    for port in (1, 2, 3, 4):
        assert said.server is not None
        said.server = said.server._replace(host="2001:db8::1", port=port)
        _, server = cast.meet(said)
    assert cast.detail(server) == "[2001:db8::1]:1, 2, 3"


def test_names_that_do_harm_are_harmless() -> None:
    """One line, 24 cells, nothing that steers."""
    cast = Cast({10001: "a\x1b[31m\n\u202e", 10002: "W" * 99, 10003: " \u3000"})
    assert cast.called(10001) == "a\\x1b[31m \\u202e"
    assert cast.called(10002) == "W" * 23 + "…"
    assert cast.called(10003) == "10003"


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capture with millions of people needs no more memory than one with thousands."""
    monkeypatch.setattr(module, "_MOST", 3)
    cast, talk = Cast(), Sayings()
    for number in range(10001, 10007):
        cast.meet(talk.ask(number, "Logout", how={"actor": ""}))
        cast.appear(f"P{number}")
        cast.meet(talk.answer("GETINFO", UN=number, NK=f"n{number}"))
    assert cast.called(10003) == "P10003"
    assert cast.called(10006) == "10006"
    assert cast.on_stream(1) is None
    assert cast.on_stream(6) == ("uin", "10006")
    assert len(cast.names()) == 3
    said = talk.ask(10001, "Logout")
    for number in range(1, 6):
        said.server = End(f"192.0.2.{number}", 14000)
        _, server = cast.meet(said)
    assert cast.detail(server) == "192.0.2.5"  # its port is not known any more
