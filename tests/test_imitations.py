"""The rules that keep every client working, one test each: with real clients, as imitated.

`docs/clients/rules.md` has the rules in words. What each client does as a whole is in
`tests/imitations/test_clients.py`. A test asserts what a client itself would have understood.
"""

import re
import time
from pathlib import Path

import pytest

from imitations import fwgq, go, posting, python2005, urllib2
from imitations.delphi import MassSender
from imitations.house import ANNA, BEN, CLARA, DORA, House, house
from imitations.j2me import HttpPhone, Phone
from imitations.java_rmps import JQQ
from imitations.qqbot import QQBot
from imitations.qqclient_php import QQClient
from imitations.reading import WAIT, Reading, length_prefix
from imitations.seed import SeedClient
from imitations.set_mqq import SetMQQ
from imitations.webclient_cs import WebClientQQ
from imitations.yiwo import CMQQ
from imitations.znqq import ZNQQ, Form1
from kqq.server.handlers import sign_in

ROOT = Path(__file__).parent.parent
CLIENTS = ROOT / "docs" / "clients"
SEGMENT = 1460
"""Bytes that a packet carries on most networks; what is longer may come in two reads."""


def sign_in_phone(phone: Phone) -> Phone:
    """Sign a phone in."""
    phone.login()
    phone.wait(lambda: phone.is_signed_in, "the phone is not signed in")
    return phone


def sign_in_znqq(client: ZNQQ) -> ZNQQ:
    """Sign in ZNQQ; it has loaded all it loads then."""
    client.login()
    client.wait(lambda: client.has_statuses, "ZNQQ has no statuses")
    return client


def read_picture(home: House, client: ZNQQ | QQBot) -> None:
    """Sign in where a picture comes first, and type its letters, in the other case."""
    client.login()
    client.wait(lambda: client.reads, "no picture came")
    client.type_letters(home.letters(client.uin).lower())


def lines_of(client: Reading) -> list[bytes]:
    """Return what a client has read; each read must be one whole line."""
    for read in client.reads:
        assert read.endswith(b"\r\n"), client.reads
        assert read.count(b"\r\n") == 1, client.reads
    return client.reads


def eventually(home: House, uin: int, texts: list[str]) -> None:
    """Assert that so much waits for somebody in the end."""
    until = time.monotonic() + WAIT
    while (waiting := home.texts(uin)) != texts and time.monotonic() < until:
        time.sleep(0.02)
    assert waiting == texts


# --- lines over TCP ------------------------------------------------------------------------------


def test_rule_01_what_is_before_a_line_is_skipped(tmp_path: Path) -> None:
    """Length prefixes of one or two bytes, printable ones and those with an LF, do no harm."""
    with (
        house(tmp_path) as home,
        Phone(home.port, BEN) as ben,
        QQBot(home.port, ANNA, owner=CLARA) as anna,
    ):
        sign_in_phone(ben)
        anna.login()
        anna.wait(lambda: anna.is_ready)
        empty = len(f"{anna.head('CLTMSG')}&UN={BEN}&MG=\n")
        texts = ["x" * (size - empty) for size in (ord("V"), 127, 128, 1280, 1300, 1407)]
        prefixes = [length_prefix(empty + len(text)) for text in texts]
        assert prefixes[0] == b"V"
        assert [prefix[-1:] == b"\n" for prefix in prefixes[3:]] == [True] * 3
        for text in texts:
            anna.say(str(BEN), text)
        ben.wait(lambda: len(ben.messages) == len(texts))
        assert ben.messages == [(str(ANNA), text) for text in texts]
        anna.wait(lambda: len(anna.reads) == 2 + len(texts))
        assert [read.split(b"&")[1] for read in anna.reads[1:]] == [b"CMD=CLTMSG"] * 7
        assert all(read.endswith(b"&RES=0\r\n") for read in anna.reads[1:])


def test_rule_02_any_line_end_will_do(tmp_path: Path) -> None:
    """LF from yiwoSDK, CRLF from a phone, none over HTTP."""
    with house(tmp_path) as home, CMQQ(home.port, ANNA) as anna, Phone(home.port, BEN) as ben:
        sign_in_phone(ben)
        clara = HttpPhone(home.port, CLARA)
        clara.login()
        assert clara.is_signed_in
        assert "RES=0&RS=0" in anna.login()
        assert anna.say(BEN, "LF").endswith("&RES=0\r\n")
        assert clara.say(BEN, "none") == "0"
        assert ben.say(CLARA, "CRLF")["RES"] == "0"
        ben.wait(lambda: len(ben.messages) == 2)
        clara.poll()
        assert ben.messages == [(str(ANNA), "LF"), (str(CLARA), "none")]
        assert clara.messages == [(str(BEN), "CRLF")]


def test_rule_03_each_line_is_a_read_of_its_own(tmp_path: Path) -> None:
    """Replies and pushes stand apart for those who take each read for one message."""
    with (
        house(tmp_path) as home,
        ZNQQ(home.port, ANNA) as anna,
        CMQQ(home.port, BEN) as ben,
        Phone(home.port, CLARA) as clara,
    ):
        sign_in_phone(clara)
        for number in (ANNA, BEN):
            clara.say(number, "before")  # waits for the sign-in, and is pushed right after it
        sign_in_znqq(anna)
        assert "RES=0&RS=0" in ben.login()
        for text in ("one", "two"):
            clara.say(ANNA, text)
            clara.say(BEN, text)
            anna.tick()
        anna.wait(lambda: len(anna.messages) == 3)
        ben.wait(lambda: len(ben.handed_over) == 3)
        assert [text for _, text in anna.messages] == ["before", "one", "two"]
        assert anna.errors == []
        assert [line.split(b"&")[1] for line in lines_of(anna)].count(b"CMD=QUERY_STAT2") == 3
        assert [text.split("&MG=")[1] for text in ben.handed_over] == [
            "before\r\n",
            "one\r\n",
            "two\r\n",
        ]
        lines_of(ben)


def test_rule_04_lines_are_small(tmp_path: Path) -> None:
    """The picture and a page of 50 friends fit into a packet."""
    with house(tmp_path, captcha="always") as home, ZNQQ(home.port, ANNA) as anna:
        home.crowd(ANNA, 118)
        read_picture(home, anna)
        anna.wait(lambda: anna.has_statuses)
        assert [len(numbers.split(",")) - 1 for numbers, _ in anna.pages] == [50, 50, 20]
        assert len(anna.statuses) == 120
        assert all(len(line) <= SEGMENT for line in lines_of(anna))


def test_rule_05_replies_begin_alike_and_echo(tmp_path: Path) -> None:
    """One client compares SEQ, another UIN; both find what they sent."""
    with house(tmp_path) as home, SeedClient(home.port, ANNA) as anna:
        anna.login()
        anna.wait(lambda: anna.is_signed_in)
        anna.load_friends()
        anna.wait(lambda: anna.friends)
        anna.load_statuses()
        anna.wait(lambda: "FN" in anna.replies[-1])
        anna.logout()
        anna.wait(lambda: len(anna.replies) == 4)
        assert anna.wrong == []
        for line in lines_of(anna):
            assert re.match(rb"VER=1\.1&CMD=\w+&SEQ=20\d&UIN=10001&RES=0(&|\r)", line)
        ben = QQClient(home.port, BEN)
        assert ben.login()
        assert ben.get_list()


def test_rule_06_commands_are_echoed_as_clients_know_them(tmp_path: Path) -> None:
    """ZNQQ compares whole texts and finds all it waits for."""
    with (
        house(tmp_path, captcha="always") as home,
        ZNQQ(home.port, ANNA) as anna,
        Form1(home.port, BEN) as ben,
    ):
        read_picture(home, anna)
        anna.wait(lambda: anna.has_statuses)
        read_picture(home, ben)
        ben.wait(lambda: ben.has_statuses)
        anna.get_info(BEN)
        ben.say(str(ANNA), "hello")
        anna.wait(lambda: anna.shown and anna.messages)
        anna.close()
        ben.wait(lambda: ben.statuses[str(ANNA)] == "20")
        assert anna.ignored == []
        assert ben.ignored == ["CMD=CLTMSG"]
        assert {line.split(b"&")[1] for line in anna.reads} == {
            b"CMD=Login",
            b"CMD=VERIFYCODE",
            b"CMD=SIMPLEINFO2",
            b"CMD=QUERY_STAT2",
            b"CMD=GETINFO",
            b"CMD=Server_Msg",
            b"CMD=update_stat",
        }


# --- signing in ----------------------------------------------------------------------------------


def test_rule_07_the_sign_in_reply_is_what_all_look_for(tmp_path: Path) -> None:
    """`RS` at index 5, `RES=0&RS=0`, `LI=300`, and the words `Password error`."""
    with (
        house(tmp_path) as home,
        ZNQQ(home.port, ANNA) as anna,
        ZNQQ(home.port, ANNA, "wrong") as wrong,
        QQBot(home.port, BEN, owner=ANNA) as ben,
        QQBot(home.port, BEN, owner=ANNA, password="wrong") as wrong_ben,
        WebClientQQ(home.port, CLARA) as clara,
        WebClientQQ(home.port, CLARA, "wrong") as wrong_clara,
    ):
        sign_in_znqq(anna)
        wrong.login()
        wrong.wait(lambda: wrong.boxes)
        assert wrong.boxes == ["RA=Password error"]
        assert wrong.pages == []
        ben.login()
        ben.wait(lambda: ben.is_ready)
        wrong_ben.login()
        wrong_ben.wait(lambda: wrong_ben.is_closed)
        assert clara.login()
        assert not wrong_clara.login()
        assert MassSender(home.port, CLARA).login()
        assert not MassSender(home.port, CLARA, "wrong").login()
        assert SetMQQ(home.port, DORA).login() == "online"
        assert SetMQQ(home.port, DORA, "wrong").login() == "wrong password"


def test_rule_08_the_picture_is_the_last_field_at_index_7(tmp_path: Path) -> None:
    """Who indexes and who takes all that follows `&VC=` both get the picture."""
    with (
        house(tmp_path, captcha="always") as home,
        ZNQQ(home.port, ANNA) as anna,
        QQBot(home.port, BEN, owner=ANNA) as ben,
    ):
        anna.login()
        anna.wait(lambda: anna.pictures)
        ben.login()
        ben.wait(lambda: ben.windows)
        assert (anna.pictures[0].format, anna.pictures[0].size) == ("PNG", (100, 40))
        assert (ben.windows[0].format, ben.windows[0].size) == ("PNG", (100, 40))
        clara = SetMQQ(home.port, CLARA)
        assert clara.login() == "picture"
        assert re.fullmatch(r"89504e47[0-9a-f]+\r\n", clara.picture)


def test_rule_09_the_right_letters_bring_the_sign_in_reply(tmp_path: Path) -> None:
    """Nobody sends Login again, and the clients begin their work."""
    with (
        house(tmp_path, captcha="always") as home,
        ZNQQ(home.port, ANNA) as anna,
        QQBot(home.port, BEN, owner=ANNA) as ben,
    ):
        read_picture(home, anna)
        anna.wait(lambda: anna.has_statuses)
        read_picture(home, ben)
        ben.wait(lambda: ben.is_ready)
        assert (anna.sign_ins, ben.sign_ins) == (1, 1)
        anna.wait(lambda: anna.messages == [(str(BEN), "ready")])


# --- lists and pushes by index -------------------------------------------------------------------


def test_rule_10_friends_stand_where_znqq_looks(tmp_path: Path) -> None:
    """All five fields are there, for somebody without friends, too."""
    with (
        house(tmp_path) as home,
        ZNQQ(home.port, ANNA) as anna,
        ZNQQ(home.port, DORA) as dora,
    ):
        assert sign_in_znqq(anna).pages == [("10002,10003,", "小波,Clara,")]
        assert sign_in_znqq(dora).pages == [("", "")]
        assert dora.statuses == {}
        assert anna.errors == dora.errors == []


def test_rule_11_statuses_stand_where_znqq_looks(tmp_path: Path) -> None:
    """Each page is asked for by the last number of the one before."""
    with (
        house(tmp_path) as home,
        ZNQQ(home.port, ANNA) as anna,
        Phone(home.port, BEN) as ben,
    ):
        numbers = home.crowd(ANNA, 60)
        sign_in_phone(ben)
        ben.ask("Change_Stat", "ST=30")
        sign_in_znqq(anna)
        offline = {str(number): "20" for number in [CLARA, *numbers]}
        assert anna.statuses == {str(BEN): "30", **offline}
        assert anna.errors == []


def test_rule_12_who_is_not_signed_in_gets_nothing_but_res_20(tmp_path: Path) -> None:
    """ZNQQ's timer before the sign-in, and after one elsewhere, makes it sign in."""
    with (
        house(tmp_path) as home,
        ZNQQ(home.port, ANNA) as anna,
        Phone(home.port, ANNA) as phone,
    ):
        anna.tick()
        anna.wait(lambda: anna.has_statuses)
        assert anna.sign_ins == 1
        sign_in_phone(phone)
        anna.has_statuses = False
        anna.tick()
        anna.wait(lambda: anna.has_statuses)
        assert anna.sign_ins == 2
        kicked = [line for line in lines_of(anna) if b"RES=20" in line]
        assert [line.split(b"&")[4:] for line in kicked] == [[b"RES=20\r\n"]] * 2
        phone.ask("Query_Stat2", "CM=2&UN=0")
        assert phone.is_kicked
        ben = SetMQQ(home.port, BEN)
        assert not ben.change_status(30)
        clara = WebClientQQ(home.port, CLARA)
        with clara:
            clara.is_signed_in = True
            clara.say(ANNA, "hello")
            assert not clara.is_signed_in


def test_rule_13_pushes_stand_where_they_are_looked_for(tmp_path: Path) -> None:
    """Sender 7, text 8; status 5, number 6."""
    with (
        house(tmp_path) as home,
        QQBot(home.port, ANNA, owner=CLARA) as anna,
        Form1(home.port, CLARA) as clara,
        Phone(home.port, BEN) as ben,
    ):
        sign_in_znqq(clara)
        anna.login()
        anna.wait(lambda: anna.is_ready)
        sign_in_phone(ben)
        ben.ask("Change_Stat", "ST=30")
        ben.say(ANNA, "hello")
        anna.wait(lambda: anna.messages)
        assert anna.messages == [(str(BEN), "hello")]
        assert anna.statuses[str(BEN)] == "30"
        clara.wait(lambda: clara.statuses[str(BEN)] == "30" and clara.messages)
        assert clara.messages == [(str(ANNA), "ready")]


def test_rule_14_messages_fetched_stand_side_by_side(tmp_path: Path) -> None:
    """Three ways to take MT, UN and MG out of the line give the same."""
    with house(tmp_path) as home, WebClientQQ(home.port, ANNA) as anna:
        ben, clara = QQClient(home.port, BEN), SetMQQ(home.port, CLARA)
        assert anna.login()
        assert ben.login()
        assert clara.login() == "online"
        assert ben.send_message(ANNA, "one")
        assert ben.send_message(CLARA, "one")
        clara.say(str(ANNA), "two")
        clara.say(str(BEN), "two")
        assert anna.say(BEN, "three")
        assert anna.say(CLARA, "three")
        anna.poll()
        assert [one for one in anna.messages if one[0] == "9"] == [
            ("9", str(BEN), "one"),
            ("9", str(CLARA), "two"),
        ]
        assert ben.poll()
        assert [one for one in ben.messages if one[0] == "9"] == [
            ("9", str(CLARA), "two"),
            ("9", str(ANNA), "three"),
        ]
        clara.poll()
        assert clara.seen == [(str(BEN), "小波", "one"), (str(ANNA), "Anna", "three")]


def test_rule_15_who_is_online_stands_in_this_order(tmp_path: Path) -> None:
    """The C# of 2010 cuts between names; NK is last."""
    with house(tmp_path) as home, WebClientQQ(home.port, ANNA) as anna:
        assert anna.login()
        for uin in (BEN, CLARA):
            HttpPhone(home.port, uin).login()
        anna.send_query_stat()
        anna.query_stat()
        assert anna.online == [("10002", "小波", "10", "270"), ("10003", "Clara", "10", "270")]
        assert re.search("&RES=0&FC=.*&FN=1&SN=2&ST=.*&UN=.*&NK=[^&]*$", anna.buffer)


def test_rule_16_the_list_ends_with_numbers_and_a_comma(tmp_path: Path) -> None:
    """Whoever takes all behind the first `UN=` gets the numbers."""
    with house(tmp_path) as home, WebClientQQ(home.port, CLARA) as clara:
        anna, ben = MassSender(home.port, ANNA), SetMQQ(home.port, BEN)
        assert anna.login()
        anna.load()
        assert anna.friends == [str(BEN), str(CLARA)]
        ben.login()
        ben.get_list()
        assert ben.friends == f"{ANNA},{CLARA},\r\n"
        assert clara.login()
        clara.get_list()
        assert clara.friends[0].endswith(f"&UN={ANNA}")  # its bug: the head is part of it
        assert clara.friends[1:] == [str(BEN), "\r\n"]


def test_rule_17_a_profile_has_the_fields_that_are_counted(tmp_path: Path) -> None:
    """Number 6 is the level, 12 then the sex; nothing else has two letters."""
    with house(tmp_path) as home, WebClientQQ(home.port, ANNA) as anna:
        profile = {"address": "Verona", "age": "20", "sex": "1", "about": "a, b & c"}
        home.do(lambda server: server.store.change_profile(BEN, profile))
        assert anna.login()
        anna.get_info(BEN)
        about = "a%2c b %26 c"
        nick = "小波\r\n"  # it does not trim the line
        assert anna.info == [
            "Verona", "20", "", "270", "", "", "", "", about, "", "", "", "1", str(BEN), nick,
        ]  # fmt: skip
        assert anna.sex == "female"


# --- friends, texts ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who_may_add", "code", "words"),
    [("anyone", "0", "added"), ("ask", "1", "verification"), ("nobody", "3", "refused")],
)
def test_rule_18_adding_is_answered_with_a_digit(
    tmp_path: Path, who_may_add: str, code: str, words: str
) -> None:
    """0, 1 or 3; without it one client would believe that it has added somebody."""
    with house(tmp_path) as home, WebClientQQ(home.port, ANNA) as anna:
        home.do(lambda server: server.store.change_account(DORA, who_may_add=who_may_add))
        ben = QQClient(home.port, BEN)
        assert anna.login()
        assert ben.login()
        assert anna.add(DORA) == code
        assert ben.add(DORA) == words


def test_rule_19_what_would_end_a_value_is_escaped(tmp_path: Path) -> None:
    """A text with all five signs arrives whole, and `=` as it is."""
    text = "100%, a & b\r\nx = %2c"
    with (
        house(tmp_path) as home,
        Phone(home.port, ANNA) as anna,
        Phone(home.port, BEN) as ben,
        WebClientQQ(home.port, CLARA) as clara,
    ):
        sign_in_phone(anna)
        sign_in_phone(ben)
        assert clara.login()
        anna.say(BEN, text)
        anna.say(CLARA, "50%, you & me")
        ben.wait(lambda: ben.messages)
        assert ben.messages == [(str(ANNA), text)]
        clara.poll()
        assert ("9", str(ANNA), "50%, you & me") in clara.messages


def test_rule_20_the_server_says_no_equals_sign(tmp_path: Path) -> None:
    """Values of its own are whole for those that cut them; what people say is passed on."""
    for words in (
        sign_in.PASSWORD_ERROR,
        sign_in.SLOW_DOWN,
        sign_in.BUSY,
        sign_in.SUSPENDED,
        sign_in.EXPIRED,
        sign_in.COMP,
    ):
        assert "=" not in words
    with (
        house(tmp_path) as home,
        QQBot(home.port, ANNA, owner=BEN) as anna,
        Phone(home.port, CLARA) as clara,
        Phone(home.port, BEN) as ben,
    ):
        dora = QQClient(home.port, DORA, "wrong")
        assert not dora.login()
        assert dora.error.rstrip() == "Password error"
        anna.login()
        anna.wait(lambda: anna.is_ready)
        sign_in_phone(clara)
        sign_in_phone(ben)
        clara.say(ANNA, "1+1=?")
        clara.say(BEN, "1+1=?")
        anna.wait(lambda: anna.messages)
        assert anna.messages == [(str(CLARA), "1+1")]  # the bot's own bug
        ben.wait(lambda: len(ben.messages) == 2)
        assert ben.messages[1] == (str(CLARA), "1+1=?")


# --- HTTP ----------------------------------------------------------------------------------------


def test_rule_21_an_answer_has_a_length_and_ends_the_connection(tmp_path: Path) -> None:
    """FWGQ reads to the end and takes the line before it; Python takes the length."""
    with house(tmp_path) as home:
        assert fwgq.login(home.port, ANNA) == "ok"
        line = f"VER=1.1&CMD=GetMsgEx&SEQ=1&UIN={BEN}"
        asked = posting.request("POST / HTTP/1.1", ["Content-Length: #"], line.encode())
        answer = posting.post(home.port, asked)
        assert answer.status == 200
        assert answer.text == f"VER=1.1&CMD=GETMSGEX&SEQ=1&UIN={BEN}&RES=20\r\n"
        assert answer.headers["connection"] == "close"
        assert not {"transfer-encoding", "content-encoding"} & set(answer.headers)
        whole = posting.read_all(home.port, asked)
        assert whole.endswith(f"\r\n\r\n{answer.text}".encode())
        script = python2005.Script(home.port, BEN)
        script.login()
        assert script.printed[0].endswith("&COMP=NOKIA8F3A18D6E27\r\n")


def test_rule_22_headers_do_not_matter(tmp_path: Path) -> None:
    """No path, no content type or any, `Expect`, `Host:x`, HTTP/1.0."""
    with house(tmp_path) as home, WebClientQQ(home.port, CLARA) as clara:
        assert QQClient(home.port, ANNA).login()  # an empty path
        python2005.Script(home.port, ANNA).get_list()  # no content type
        assert MassSender(home.port, BEN).login()  # HTTP/1.0, a form
        assert clara.login()  # Expect
        assert fwgq.login(home.port, DORA) == "ok"  # Host without a blank
        line = f"VER=1.1&CMD=Logout&SEQ=1&UIN={DORA}".encode()
        for start in ("POST HTTP/1.1", "POST http://tqq.tencent.com:8000/ HTTP/1.1"):
            headers = ["Content-Type: text/html", "Content-Length: #"]
            answer = posting.post(home.port, posting.request(start, headers, line))
            assert answer.text.endswith("&RES=0\r\n")


def test_rule_23_what_was_never_checked_is_not(tmp_path: Path) -> None:
    """Others' codes, numbers that repeat or jump, any order of fields, any case, blanks."""
    with house(tmp_path) as home, JQQ(home.port, ANNA) as anna:
        for _ in range(6):  # each in another order
            assert anna.login()
            assert anna.values["RS"] == "0"
            assert anna.say(CLARA, "any order")
        script = urllib2.Script(home.port, BEN)
        script.login()
        assert "&RES=0&RS=0&" in script.printed[0]
        clara = SetMQQ(home.port, CLARA, cke="%0D%0A")
        assert clara.login() == "online"
        clara.poll()  # with a code of somebody else
        assert [text for _, _, text in clara.seen] == ["any order"] * 6
        dora = QQClient(home.port, DORA)
        assert dora.login()
        assert dora.change_status(30)  # Change_stat
        with WebClientQQ(home.port, DORA) as spaced:
            assert spaced.login()  # a blank behind the password
        program = go.GoProgram(home.port, BEN)
        program.login()
        program.say(CLARA, "one")
        program.say(CLARA, "two")  # the same SEQ for all
        clara.seen.clear()
        clara.poll()
        assert [text for _, _, text in clara.seen] == ["one", "two"]


def test_rule_24_a_session_is_an_address_and_a_number_or_a_socket(tmp_path: Path) -> None:
    """Over HTTP another connection goes on; another address, and another socket, do not."""
    with house(tmp_path) as home, Phone(home.port, BEN) as ben:
        anna, clara = HttpPhone(home.port, ANNA), HttpPhone(home.port, CLARA)
        anna.login()
        clara.login()
        assert anna.say(CLARA, "hello") == "0"
        line = f"VER=1.1&CMD=GetMsgEx&SEQ=1&UIN={CLARA}"
        asked = posting.request("POST / HTTP/1.1", ["Content-Length: #"], line.encode())
        assert posting.post(home.port, asked, "127.0.0.2").text.endswith("&RES=20\r\n")
        clara.poll()
        assert clara.messages == [(str(ANNA), "hello")]
        sign_in_phone(ben)
        assert "&RES=20" in posting.post(home.port, asked.replace(b"10003", b"10002")).text


def test_rule_25_a_sign_in_succeeds_at_once_and_replaces(tmp_path: Path) -> None:
    """From the same socket, from the same address, and from elsewhere."""
    with house(tmp_path) as home, ZNQQ(home.port, BEN) as ben, Phone(home.port, ANNA) as phone:
        sign_in_znqq(ben)
        anna = SetMQQ(home.port, ANNA, always=True)
        ben.say(str(ANNA), "hello")
        ben.wait(lambda: ben.ignored)
        for status in (30, 10):
            assert anna.change_status(status)
        anna.poll()
        anna.poll()
        assert anna.sign_ins == 4
        assert [text for _, _, text in anna.seen] == ["hello"]
        sign_in_phone(phone)
        assert not SetMQQ(home.port, ANNA).change_status(30)
        ben.has_statuses = False
        sign_in_znqq(ben)  # again, on the same socket
        assert ben.statuses[str(ANNA)] == "10"
        assert ben.errors == []


def test_rule_26_old_commands_go_on_a_new_connection(tmp_path: Path) -> None:
    """What yiwoSDK does: it sends 1.1 on a socket of 1.4."""
    with (
        house(tmp_path) as home,
        CMQQ(home.port, ANNA) as anna,
        Phone(home.port, BEN) as ben,
    ):
        sign_in_phone(ben)
        assert "RES=0&RS=0" in anna.login()
        assert "CMD=QUERY_STAT&SEQ=2&UIN=10001&RES=0&" in anna.online()
        assert anna.info(BEN).endswith("&UN=10002&NK=小波\r\n")
        assert anna.send_request(DORA, "hello").endswith("&RES=0\r\n")


def test_rule_27_nobody_acknowledges_a_push(tmp_path: Path) -> None:
    """Messages are delivered to somebody who does nothing but read."""
    with (
        house(tmp_path) as home,
        Phone(home.port, ANNA) as anna,
        Phone(home.port, BEN) as ben,
    ):
        sign_in_phone(anna)
        sign_in_phone(ben)
        for text in ("one", "two", "three"):
            ben.say(ANNA, text)
        anna.wait(lambda: len(anna.messages) == 3)
        eventually(home, ANNA, [])
        assert [text for _, text in anna.messages] == ["one", "two", "three"]


# --- the documents -------------------------------------------------------------------------------

TEST = re.compile(r"`(test_\w+)`")
TABLE = re.compile(r"^\|.*?(?:\n(?!\|)|\Z)", re.MULTILINE | re.DOTALL)


def names_of_tests() -> set[str]:
    """Return the names of all tests of imitations."""
    files = [Path(__file__), ROOT / "tests" / "imitations" / "test_clients.py"]
    return {
        name
        for file in files
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE)
    }


def rows(page: Path) -> list[list[str]]:
    """Return the cells of the rows of a page's first table, without its head."""
    table = TABLE.search(page.read_text())
    assert table is not None
    return [row.strip("| ").split(" | ") for row in table[0].splitlines()[2:] if row]


def pages() -> list[Path]:
    """Return the pages of clients and emulators."""
    return sorted(set(CLIENTS.glob("*.md")) - {CLIENTS / "README.md", CLIENTS / "rules.md"})


def test_every_rule_has_its_tests() -> None:
    """The 27 rules are told, and each has tests, one of them with its number."""
    there, told = names_of_tests(), rows(CLIENTS / "rules.md")
    assert [int(row[0]) for row in told] == list(range(1, 28))
    for row in told:
        named = TEST.findall(row[-1])
        assert set(named) <= there, row
        assert [name for name in named if name.startswith(f"test_rule_{int(row[0]):02d}_")], row


def test_every_imitation_has_its_page() -> None:
    """Each module here is named by a page; those that are no clients are not."""
    modules = {path.stem for path in (ROOT / "tests" / "imitations").glob("[a-z]*.py")}
    told = "".join(page.read_text() for page in pages())
    named = set(re.findall(r"`tests/imitations/(\w+)\.py`", told))
    assert named == modules - {"house", "posting", "reading", "test_clients"}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_page_names_its_tests(page: Path) -> None:
    """What stands in for a client is there, and the table has the page."""
    named = set(TEST.findall(page.read_text()))
    assert named
    assert named <= names_of_tests()
    linked = {
        link for row in rows(CLIENTS / "README.md") for link in re.findall(r"\]\((\S+)\)", row[0])
    }
    assert page.name in linked


def test_every_row_has_its_page() -> None:
    """The table links pages that are there, and names tests that are."""
    told = rows(CLIENTS / "README.md")
    assert len(told) == len(pages())
    for row in told:
        assert set(TEST.findall(row[-1])) <= names_of_tests()
        assert TEST.findall(row[-1])
