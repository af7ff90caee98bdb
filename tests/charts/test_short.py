"""What was said in a few words."""

from typing import Any

import pytest

from kqq.charts.short import command_word, short_words
from kqq.protocol import Role
from sayings import LOGIN, PNG, Sayings

NAMES = {10002: "小波", 10003: "Bob"}


def called(uin: int) -> str:
    """Return a nickname that is known, else the number."""
    return NAMES.get(uin, str(uin))


@pytest.mark.parametrize(
    ("command", "fields", "words"),
    [
        ("Login", LOGIN, "signs in"),
        ("Login", {**LOGIN, "LG": 40}, "signs in, hidden"),
        ("Login", {**LOGIN, "ST": 40}, "signs in, hidden"),
        ("VERIFYCODE", {"SC": 2, "VC": "AbCd"}, "the letters: “AbCd”"),
        ("Logout", {}, "signs out"),
        ("List", {}, "who are my friends?"),
        ("SimpleInfo2", {"UN": 0, "TO": 0}, "what are my friends called?"),
        ("Query_Stat", {"TN": 50, "UN": 0}, "who is online?"),
        ("Query_Stat2", {"CM": 2, "UN": 0}, "who is online?"),
        ("Change_Stat", {"ST": 30}, "is now away"),
        ("Change_Stat2", {"ST": 70}, "is now do not disturb"),
        ("CLTMSG", {"UN": 10002, "MG": "hi%2c\r%0ayou"}, "to 小波: “hi, you”"),
        ("GetMsgEx", {}, "any messages?"),
        ("GetInfo", {"LV": 2, "UN": 10003}, "who is Bob?"),
        ("Finger", {}, "searches for people"),
        ("AddToList", {"UN": 10009}, "adds 10009"),
        ("Ack_AddToList", {"UN": 10002, "CD": 0, "RS": ""}, "accepts 小波"),
        ("Ack_AddToList", {"UN": 10002, "CD": 1, "RS": "no"}, "refuses 小波: “no”"),
        ("Ack_AddToList", {"UN": 10002, "CD": 2, "RS": ""}, "asks 小波 to be friends"),
        ("Ack_AddToList", {"UN": 10002, "CD": 9, "RS": ""}, "answers 小波 with CD=9"),
        ("DelFromList", {"UN": 10002}, "deletes 小波"),
        ("GROUP_CMD", {"LV": 2}, "asks for a group"),
        ("Dance", {}, "unreadable: CMD=Dance is no request in the catalogue"),
    ],
)
def test_requests(command: str, fields: dict[str, Any], words: str) -> None:
    """What somebody wants."""
    assert short_words(Sayings().ask(10001, command, **fields), called) == words


@pytest.mark.parametrize(
    ("command", "fields", "words"),
    [
        ("Login", {"RS": 0}, "signed in"),
        ("Login", {"RS": 1, "RA": "wrong"}, "refused: “wrong”"),
        ("Login", {"SI": "192.0.2.9", "SP": 80}, "sign in at 192.0.2.9:80"),
        ("VERIFYCODE", {"SC": 1, "NT": "", "VC": "00"}, "read this picture (1 byte)"),
        ("VERIFYCODE", {"SC": 1, "NT": "", "VC": PNG}, "read this picture (40 bytes)"),
        ("LOGOUT", {}, "signed out"),
        ("LIST", {"FN": 0}, "no friends"),
        ("LIST", {"FN": 3}, "3 friends"),
        ("LIST", {"FN": 1, "UN": "10002,"}, "1 friend: 小波"),
        ("CHANGE_STAT", {}, "done"),
        ("CHANGE_STAT2", {}, "done"),
        ("CLTMSG", {}, "accepted"),
        ("CLTMSG", {"RES": 1}, "refused"),
        ("CLTMSG", {"RES": 5}, "refused: no such number"),
        ("CLTMSG", {"RES": 20}, "refused: not signed in"),
        ("CLTMSG", {"RES": 77}, "refused, RES=77"),
        ("GETMSGEX", {"MN": 0}, "nothing waits"),
        ("GETMSGEX", {"MN": 1, "UN": "10002,", "MG": "hi,"}, "from 小波: “hi”"),
        (
            "GETMSGEX",
            {"MN": 2, "MT": "9,3,", "UN": "10002,10003,", "MG": "hi,,"},
            "2 messages: from 小波: “hi”, Bob agreed to be friends",
        ),
        ("GETINFO", {"NK": "Bob"}, "called Bob"),
        ("GETINFO", {"UN": 10003, "NK": "Bob"}, "10003 is called Bob"),
        ("ADDTOLIST", {"CD": 0}, "added"),
        ("ADDTOLIST", {"CD": 1}, "must be asked first"),
        ("ADDTOLIST", {"CD": 3}, "refused"),
        ("ACK_ADDTOLIST", {}, "passed on"),
        ("DELFROMLIST", {}, "deleted"),
        ("GROUP_CMD", {}, "done"),
        (
            "SIMPLEINFO2",
            {"NP": 65535, "SN": 6, "UN": "1,2,3,4,5,6,", "FC": "0,0,0,0,0,0,", "NK": ",,,,,,"},
            "6 friends: 1, 2, 3, 4 and 2 more",
        ),
        (
            "SIMPLEINFO2",
            {"NP": 65535, "SN": 0, "UN": "", "FC": "", "NK": ""},
            "no friends",
        ),
        (
            "QUERY_STAT2",
            {"FN": 1, "SN": 2, "ST": "10,20,", "UN": "10002,10003,"},
            "小波 is online, Bob is offline",
        ),
        (
            "QUERY_STAT",
            {"FC": "", "FN": 1, "SN": 0, "ST": "", "UN": "", "NK": ""},
            "nobody",
        ),
        ("FINGER", {"FC": "", "FN": 1, "SN": 0, "UN": "", "NK": ""}, "nobody"),
        ("FINGER", {"FC": "0,", "FN": 1, "SN": 1, "UN": "10002,", "NK": "x,"}, "1 found: 小波"),
    ],
)
def test_answers(command: str, fields: dict[str, Any], words: str) -> None:
    """What the server says to it."""
    talk = Sayings()
    talk.ask(10001, command)
    assert short_words(talk.answer(command, **fields), called) == words


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (9, "hi", "from 小波: “hi”"),
        (2, "please", "小波 asks to be friends: “please”"),
        (3, "", "小波 agreed to be friends"),
        (4, "no", "小波 refused to be friends: “no”"),
        (99, "30", "小波 is away"),
        (99, "x", "from 小波, of type 99: “x”"),
        (7, "?", "from 小波, of type 7: “?”"),
    ],
)
def test_messages_that_arrive(kind: int, text: str, words: str) -> None:
    """By their type."""
    pushed = Sayings().push(10001, "Server_Msg", MN=1, MT=kind, UN=10002, MG=text)
    assert short_words(pushed, called) == words


def test_statuses_that_arrive() -> None:
    """A friend's status changed."""
    pushed = Sayings().push(10001, "update_stat", ST=50, UN=10002)
    assert short_words(pushed, called) == "小波 is busy"


def test_the_list_of_servers() -> None:
    """It has no command; it is named after what it is."""
    text = "SERERCONFIG_NUM=1&SERVERCONFIG_TYPE=KQQTCP&SERVERCONFIG_URL=socket://192.0.2.7:14000"
    said = Sayings().line(Role.SERVER, text)
    assert short_words(said) == "servers: socket://192.0.2.7:14000"
    assert command_word(said) == "server-config"


def test_commands_as_spelled() -> None:
    """Printable; a line that names none is junk."""
    talk = Sayings()
    assert command_word(talk.ask(10001, "ClTmSg")) == "ClTmSg"
    assert command_word(talk.ask(10001, "a\x1bb")) == "a\\x1bb"
    assert command_word(talk.line(Role.CLIENT, b"\xff")) == "junk"


def test_what_a_play_leaves_open_is_shown_as_written() -> None:
    """Nobody knows what came in its place."""
    talk = Sayings()
    talk.ask(10001, "Login", how={"actor": "Romeo"}, **LOGIN)
    said = talk.answer("VERIFYCODE", SC=1, NT="", VC="00")
    play = talk.answer("VERIFYCODE", SC=1, NT="", VC="{any}")
    play.message = said.message
    assert short_words(play) == "SC=1 NT= VC={any}"


def test_secrets_are_never_shown() -> None:
    """Neither passwords nor keys, in whatever is said."""
    talk = Sayings()
    talk.ask(10001, "Login", **{**LOGIN, "LC": "x"})
    talk.answer("Login", RS=0, SG="ab" * 32, SSG="12345")
    for said in talk.said:
        assert not {LOGIN["PS"], "ab" * 32, "12345"} & set(short_words(said).split())
