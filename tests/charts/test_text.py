"""A diagram for a terminal."""

import pytest
from rich.cells import cell_len

from kqq.charts.sequence import sequence
from kqq.charts.text import most_people, sequence_lines
from sayings import Sayings, evening, hostile

EVENING = """\
An evening

2014-05-14

                 10001                    server                     小波
               192.0.2.1          198.51.100.7:14000, 80             10002
                   │                         │                         │
                   ● connects                │                         │
                   │                         │                         │
                   │ Login signs in          │                         │
11:00:00           │────────────────────────▶│                         │
                   │                         │                         │
                   │ VERIFYCODE read this    │                         │
                   │ picture (40             │                         │
                   │ bytes) (40 ms)          │                         │
11:00:00           │◁╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌│                         │
"""


def test_an_evening() -> None:
    """Lifelines, labels between them, arrows below their labels."""
    lines = sequence_lines(sequence(evening().items, title="An evening"))
    assert "\n".join(lines).startswith(EVENING)
    shown = "\n".join(lines)
    reply = (
        "                   │                         │ HTTP CltMsg to 10001:   │\n"
        "                   │                         │ “OK!” ①                 │\n"
        "11:02:14           │                         │◀────────────────────────│\n"
    )
    push = (
        "                   │ Server_Msg from 小波:   │                         │\n"
        "                   │ “OK!”                   │                         │\n"
        "11:02:14           │◁────────────────────────│                         │\n"
    )
    silence = "                   │                  2 min 5 s later                  │\n"
    for part in (silence, reply, push, "\n①  2 bytes before VER= are skipped: 00 4f"):
        assert part in shown


@pytest.mark.parametrize("columns", [10, 40, 60, 80, 120])
@pytest.mark.parametrize("talk", [evening(), hostile()], ids=["evening", "hostile"])
def test_no_line_is_too_wide(talk: Sayings, columns: int) -> None:
    """Whatever is said, and nothing steers the terminal."""
    chart = sequence(talk.items, most_people=most_people(columns), title="T" * 200)
    for line in sequence_lines(chart, columns):
        assert cell_len(line) <= max(columns, 40), line
        assert line.replace("\u200d", "").isprintable()  # joins pictures, as people write


def test_how_many_people_fit() -> None:
    """Two at least, besides the server."""
    assert [most_people(columns) for columns in (20, 40, 80, 160)] == [2, 2, 4, 10]


def test_labels_run_over_other_lifelines_where_they_must() -> None:
    """Between neighbours there is no room, or not enough of it."""
    talk = Sayings()
    for uin in (10001, 10002, 10003, 10004):
        talk.ask(uin, "CLTMSG", UN=10009, MG="今晚去看电影吗？" * 3)
    shown = sequence_lines(sequence(talk.items), 80)
    assert any(line.count("看电影") == 2 for line in shown)
    wide = [line for line in shown if "今晚" in line]
    assert all(cell_len(line) <= 80 for line in wide)


def test_much_that_is_odd_has_a_line_of_its_own() -> None:
    """Where labels are short."""
    talk = Sayings()
    talk.ask(10001, "GetMsgEx")
    talk.answer("GETMSGEX", how={"after": 1e6}, MN=0).odd = tuple("abcde")
    talk.ask(10002, "GetMsgEx")
    lines = sequence_lines(sequence(talk.items, most_people=2), 40)
    assert any("(11 d 13 h) ①" in line for line in lines)


def test_what_is_left_out_is_told() -> None:
    """And after many rows the names stand there again."""
    talk = Sayings()
    for _ in range(70):
        talk.ask(10001, "GetMsgEx")
    lines = sequence_lines(sequence(talk.items, most=65))
    assert sum("server" in line for line in lines) == 3
    assert lines[-1].strip(" │").startswith("… 5 more lines")


def test_without_times_lines_have_their_numbers() -> None:
    """As in a play; what a play says in words of its own has none."""
    talk = Sayings(times=False)
    talk.note("statement", "Romeo signs in")
    talk.note("statement", "Juliet disconnects")
    talk.ask(10002, "GetMsgEx", how={"actor": "Juliet", "ends": False})
    lines = sequence_lines(sequence(talk.items))
    assert lines[0].split() == ["Romeo", "server", "Juliet"]
    assert lines[1].split() == ["10001", "10002"]
    assert lines[-1].startswith("   1  ")
    (remark,) = (line for line in lines if "disconnects" in line)
    assert remark.endswith("disconnects ●")


def test_nothing() -> None:
    """No lifeline, no line."""
    assert sequence_lines(sequence([])) == []
    talk = Sayings()
    talk.note("cut", "the capture ends in a packet")
    assert sequence_lines(sequence(talk.items)) == ["the capture ends in a packet"]
