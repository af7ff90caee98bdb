"""Lines as data: JSON, CSV, plays."""

import csv
import json
from typing import Any

import pytest

from kqq.capture import formats
from kqq.capture.events import End, Note, Said
from kqq.capture.formats import csv_rows, note_object, play_lines, said_json, said_object
from kqq.capture.meaning import meaning
from kqq.errors import CaptureError
from kqq.protocol import Line, Role
from kqq.protocol.transcript import parse_play
from kqq.words import printable
from vectors import VECTORS, Vector

LOGIN = (
    "VER=1.4&CON=1&CMD=Login&SEQ=200&UIN=10001&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1&LG=0"
    "&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE="
)
HELLO = "VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&UN=10002&MG=你好"
TAKEN = "VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES=0"


def said(raw: str | bytes, sender: Role = Role.CLIENT, **more: Any) -> Said:
    """Return a line as it was said."""
    line = Line.decode(raw.encode() if isinstance(raw, str) else raw)
    message, odd = meaning(line, sender)
    known: dict[str, Any] = {"number": 1, "time": 1400000000.1234567, "frame": 5, "stream": 1}
    return Said(**known | more, sender=sender, line=line, message=message, odd=odd)


def test_a_line_as_an_object() -> None:
    """All that is known of it; secrets are hidden."""
    asked = said(HELLO)
    answer = said(
        TAKEN,
        Role.SERVER,
        number=2,
        time=1400000000.5,
        client=End("2001:db8::1", 4001),
        server=End("192.0.2.1", 80),
        over="http",
        request=asked,
    )
    assert said_object(answer) == {
        "number": 2, "time": 1400000000.5, "stream": 1, "frame": 5, "over": "http",
        "sender": "server", "client": "[2001:db8::1]:4001", "server": "192.0.2.1:80", "actor": "",
        "uin": 10001, "command": "CLTMSG", "kind": "reply",
        "fields": {"VER": "1.1", "CMD": "CLTMSG", "SEQ": "201", "UIN": 10001, "RES": 0},
        "line": TAKEN, "odd": (), "whole": True, "answers": 1, "seconds": 0.376543,
    }  # fmt: skip
    login = said_object(said(LOGIN))
    assert "5EBE" not in json.dumps(login)
    assert login["fields"]["PS"] == "***"
    assert said_object(said(LOGIN), secrets=True)["line"] == LOGIN


@pytest.mark.parametrize("secrets", [False, True])
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_short_way_to_json_gives_the_same(vector: Vector, secrets: bool) -> None:
    """To the byte; in all kinds of lines."""
    for more in (
        {},
        {"time": None, "request": said(HELLO), "actor": 'R"', "whole": False},
        {"request": said(HELLO, time=None), "client": End("a", 1), "over": "http"},
        {"request": said(HELLO, time=1.0)},
    ):
        one = said(vector.raw, vector.sender, **more)
        assert said_json(one, secrets=secrets) == json.dumps(
            said_object(one, secrets=secrets), ensure_ascii=False
        )


def test_bytes_that_are_no_text_are_there_in_full() -> None:
    """Junk before the line, too; secrets hidden."""
    assert said_object(said(b"\x01\x02" + HELLO.encode()))["hex"].startswith("0102")
    broken = said_object(said(b"VER=1.1&CMD=Login&PS=5EBE&X=\xff"))
    assert bytes.fromhex(broken["hex"]) == b"VER=1.1&CMD=Login&PS=***&X=\xff"
    assert "hex" not in said_object(said(HELLO))


@pytest.mark.parametrize(
    ("raw", "sender", "kind"),
    [
        (HELLO, Role.CLIENT, "request"),
        (TAKEN, Role.SERVER, "reply"),
        (TAKEN.replace("RES=0", "RES=20"), Role.SERVER, "reply"),
        ("VER=1.1&CMD=update_stat&SEQ=1&UIN=1&RES=0&ST=10&UN=2", Role.SERVER, "push"),
        ("SERERCONFIG_NUM=0&SERVERCONFIG_TYPE=&SERVERCONFIG_URL=", Role.SERVER, "document"),
        ("hello", Role.CLIENT, "unreadable"),
    ],
)
def test_kinds(raw: str, sender: Role, kind: str) -> None:
    """What a line is."""
    assert said_object(said(raw, sender))["kind"] == kind


def test_a_note_as_an_object() -> None:
    """With or without a time."""
    note = note_object(Note("lost", "5 bytes", 1.23456789, 7, 2))
    assert note == {"note": "lost", "time": 1.234568, "stream": 2, "frame": 7, "words": "5 bytes"}
    assert note_object(Note("cut", "x", None, 0))["time"] is None


def test_a_table() -> None:
    """Spreadsheets take nothing in it for a formula; nothing in it steers a terminal."""
    lines = [said(LOGIN), said("=1+1\x1b[2J"), said(HELLO.replace("VER=1.1", "VER=9"), whole=False)]
    head, login, formula, part = list(csv.reader(csv_rows(lines, printable)))
    rows = [dict(zip(head, row, strict=True)) for row in (login, formula, part)]
    assert rows[0]["line"] == LOGIN.replace("5EBE2294ECD0E0F08EAB7690D2A6EE69", "***")
    assert rows[1]["line"] == "'=1+1\\x1b[2J"
    assert [row["whole"] for row in rows] == ["yes", "yes", "no"]
    assert "VER=9 must be one of" in rows[2]["odd"]
    (_, shown) = csv.reader(csv_rows([said(LOGIN)], printable, secrets=True))
    assert shown[-1] == LOGIN


# --- plays ---------------------------------------------------------------------------------------


def play(*lines: Said, given: dict[int, str] | None = None) -> list[str]:
    """Return the lines of a play, which can be read, without its comment."""
    made = list(play_lines(lines, given))
    parse_play("\n".join(made))
    assert made[0].startswith("# ")
    return made[1:]


def test_a_play_of_what_was_said() -> None:
    """People have names, and nobody's secrets are in it."""
    other = "VER=1.1&CMD=List&SEQ=1&UIN=10002"
    lines = [said(LOGIN), said(HELLO), said(TAKEN, Role.SERVER), said(other, stream=2)]
    assert play(*lines) == [
        "Romeo > " + LOGIN.replace("10001", "{Romeo}").replace(
            "5EBE2294ECD0E0F08EAB7690D2A6EE69", "{password}"
        ),
        "Romeo > VER=1.1&CMD=CLTMSG&SEQ=201&UIN={Romeo}&UN={Juliet}&MG=你好",
        "Romeo < VER=1.1&CMD=CLTMSG&SEQ=201&UIN={Romeo}&RES=0",
        "Romeo disconnects",
        "Juliet > VER=1.1&CMD=List&SEQ=1&UIN={Juliet}",
        "Juliet disconnects",
    ]  # fmt: skip


def test_names_may_be_given() -> None:
    """By who asks, or by the play that was read."""
    assert play(said(HELLO), given={10001: "Juliet", 10002: "Nurse"}) == [
        "Juliet > VER=1.1&CMD=CLTMSG&SEQ=201&UIN={Juliet}&UN={Nurse}&MG=你好",
        "Juliet disconnects",
    ]
    asks = "VER=1.1&CMD=List&SEQ=1&UIN="
    assert play(said(HELLO, actor="Romeo", stream=0), said(f"{asks}10003", stream=0))[1] == (
        "Mercutio > VER=1.1&CMD=List&SEQ=1&UIN={Mercutio}"  # Juliet is who Romeo writes to
    )
    crowd = [said(f"{asks}{number}", stream=0) for number in range(20_000, 20_030)]
    assert play(*crowd)[-1].startswith("Person30 > ")


def test_somebody_with_several_connections() -> None:
    """One after the other they are hers; at the same time, or over HTTP, another actor's."""
    lines = [
        said(HELLO, stream=1),
        said(HELLO, stream=2),
        said(HELLO, stream=1),
        said(HELLO, stream=3),
        said(HELLO, stream=4, over="http"),
        said(HELLO, stream=5, over="http"),
        said(HELLO, stream=2),
    ]
    line = " > VER=1.1&CMD=CLTMSG&SEQ=201&UIN={Romeo}&UN={Juliet}&MG=你好"
    assert play(*lines) == [
        "Romeo" + line,
        "Romeo_2" + line,
        "Romeo" + line,
        "Romeo disconnects",
        "Romeo" + line,
        "Romeo disconnects",
        "Romeo_3 speaks HTTP",
        "Romeo_3" + line,
        "Romeo_3" + line,
        "Romeo_2" + line,
        "Romeo_2 disconnects",
    ]


def test_who_speaks_http_is_told() -> None:
    """Of an actor in a play once; and a gateway speaks for others on its connection."""
    spoken = [said(HELLO, over="http", actor="Romeo", stream=0) for _ in range(2)]
    assert [one for one in play(*spoken) if "speaks" in one] == ["Romeo speaks HTTP"]
    others = [said(HELLO), said(HELLO.replace("10001", "10002"))]
    assert play(*others)[1].startswith("Romeo > VER=1.1&CMD=CLTMSG&SEQ=201&UIN={Juliet}")


def test_junk_is_quoted_and_what_cannot_be_said_is_told() -> None:
    """Junk goes with the person whose connection it is; parts of lines are left out."""
    part = said(HELLO, number=3)
    part.whole = False
    assert play(said(HELLO), said("junk", number=2), part, said("junk", stream=9, number=4))[
        1:
    ] == [
        'Romeo > "junk\\x0d\\x0a"',
        "# Line 3 is left out, being only part of a line.",
        "# Line 4 is left out, being nobody's line.",
    ]


def test_a_play_is_no_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many lines are refused, with what to do."""
    monkeypatch.setattr(formats, "MOST_IN_A_PLAY", 2)
    with pytest.raises(CaptureError, match="more than 2 lines is of no use; choose some"):
        list(play_lines([said(HELLO)] * 3))
