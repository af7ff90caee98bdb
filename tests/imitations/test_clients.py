"""Each surviving client does what it did, with another one at the other end.

The tests assert what a client itself would have understood, its bugs included. Rule by rule it is
in `tests/test_imitations.py`.
"""

from pathlib import Path

import pytest

from imitations import fwgq, gae, go, python2005, urllib2
from imitations.csharp14 import CSharp14
from imitations.delphi import MassSender
from imitations.house import ANNA, BEN, CLARA, DORA, house
from imitations.j2me import HttpPhone, Phone, port_of, servers
from imitations.java_rmps import JQQ
from imitations.qqbot import QQBot
from imitations.qqclient_php import QQClient
from imitations.seed import SeedClient
from imitations.set_mqq import SetMQQ
from imitations.vb import VBClient
from imitations.webclient_cs import WebClientQQ
from imitations.yiwo import CMQQ, picture_of
from imitations.znqq import ZNQQ, Form1
from kqq.server import Listen
from kqq.server.store import Kind
from serving import quiet_port

PNG = b"\x89PNG\r\n\x1a\n"


def sign_in(phone: Phone) -> Phone:
    """Sign a phone in."""
    phone.login()
    phone.wait(lambda: phone.is_signed_in, "the phone is not signed in")
    return phone


def messages(found: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """Return number and text of what people said, without statuses."""
    return [(number, text) for kind, number, text in found if kind == "9"]


# --- over TCP ------------------------------------------------------------------------------------


def test_znqq_answers_whoever_writes(tmp_path: Path) -> None:
    """It says its words twice, adds the writer, and loses none of what comes meanwhile."""
    with (
        house(tmp_path) as home,
        ZNQQ(home.port, ANNA, answer="busy") as anna,
        Phone(home.port, BEN) as ben,
    ):
        anna.login()
        anna.wait(lambda: anna.has_statuses)
        sign_in(ben)
        ben.say(ANNA, "hello")
        ben.wait(lambda: len(ben.messages) == 2)
        assert ben.messages == [(str(ANNA), "busy")] * 2
        anna.wait(lambda: "CMD=ADDTOLIST" in anna.ignored)
        ben.say(ANNA, "again\nand more")
        anna.wait(lambda: len(anna.messages) == 2)
        assert anna.messages == [(str(BEN), "hello"), (str(BEN), "again%0aand more")]
        assert anna.errors == []


def test_znqq_is_not_answered_by_the_system(tmp_path: Path) -> None:
    """It says nothing to number 10000, and shows whatever comes about friends as a message."""
    with house(tmp_path) as home, ZNQQ(home.port, ANNA, answer="busy") as anna:
        anna.login()
        anna.wait(lambda: anna.has_statuses)
        dora = QQClient(home.port, DORA)
        assert dora.login()
        home.do(lambda server: server._services.inbox.put(10000, ANNA, "hello all", Kind.MESSAGE))
        assert dora.acknowledge(ANNA, 2, "it is me")
        anna.wait(lambda: len(anna.messages) == 2)
        assert anna.messages == [("10000", "hello all"), (str(DORA), "it is me")]
        anna.wait(lambda: "CMD=ADDTOLIST" in anna.ignored)
        assert anna.ignored == ["CMD=CLTMSG", "CMD=CLTMSG", "CMD=ADDTOLIST"]


def test_znqq_form1_shows_who_comes_and_goes(tmp_path: Path) -> None:
    """Its window learns each status, and a profile."""
    with house(tmp_path) as home, Form1(home.port, ANNA) as anna, Phone(home.port, BEN) as ben:
        anna.login()
        anna.wait(lambda: anna.has_statuses)
        assert anna.statuses == {str(BEN): "20", str(CLARA): "20"}
        sign_in(ben)
        anna.wait(lambda: anna.statuses[str(BEN)] == "10")
        ben.ask("Change_Stat", "ST=40")
        anna.wait(lambda: anna.statuses[str(BEN)] == "20")
        anna.get_info(BEN)
        anna.wait(lambda: anna.shown)
        assert "&NK=小波\r\n" in anna.shown[0]


def test_znqq_stops_when_the_server_does(tmp_path: Path) -> None:
    """It reads an end without end; nothing connects it again."""
    with house(tmp_path) as home, ZNQQ(home.port, ANNA) as anna:
        anna.login()
        anna.wait(lambda: anna.has_statuses)
        home.stop()
        anna.wait(lambda: anna.is_over)


def test_qqbot_reports_and_answers(tmp_path: Path) -> None:
    """Its owner hears of it, whoever writes gets a reply, be it empty, and groups are refused."""
    with (
        house(tmp_path) as home,
        QQBot(home.port, ANNA, owner=BEN) as anna,
        Phone(home.port, BEN) as ben,
        Phone(home.port, CLARA) as clara,
    ):
        sign_in(ben)
        sign_in(clara)
        anna.login()
        anna.wait(lambda: anna.is_ready)
        clara.say(ANNA, "1+1=?")
        clara.wait(lambda: clara.messages == [(str(ANNA), "")])
        assert anna.messages == [(str(CLARA), "1+1")]
        ben.wait(lambda: ben.messages == [(str(ANNA), "ready")])
        anna.group(20001)
        anna.wait(lambda: anna.reads[-1].startswith(b"VER=1.1&CMD=GROUP_CMD&"))
        assert anna.reads[-1].endswith(b"&RES=1\r\n")
        anna.tick()
        anna.wait(lambda: len(anna.statuses) == 2)
        assert anna.statuses == {str(BEN): "10", str(CLARA): "10"}
        assert anna.errors == []


def test_qqbot_opens_another_window_after_wrong_letters(tmp_path: Path) -> None:
    """The letters of the second picture sign it in; a kicked bot signs in by itself."""
    with (
        house(tmp_path, captcha="always") as home,
        QQBot(home.port, ANNA, owner=BEN) as anna,
    ):
        anna.login()
        anna.wait(lambda: anna.windows)
        anna.type_letters("QQQQ")
        anna.wait(lambda: len(anna.windows) == 2)
        anna.type_letters(home.letters(ANNA))
        anna.wait(lambda: anna.is_ready)
        home.do(lambda server: server._services.sessions.kick(ANNA, "by the operator"))
        anna.is_ready = False
        anna.tick()
        anna.wait(lambda: anna.is_ready)
        assert (anna.sign_ins, len(anna.windows)) == (2, 2)


def test_yiwosdk_gets_an_answer_to_everything(tmp_path: Path) -> None:
    """Each command is answered, by what was asked; it is hidden, as it asks to be."""
    with house(tmp_path) as home, CMQQ(home.port, ANNA) as anna, Phone(home.port, BEN) as ben:
        sign_in(ben)
        assert "&RES=0&RS=0&" in anna.login()
        answers = {
            "SIMPLEINFO2": anna.friends(),
            "QUERY_STAT2": anna.statuses(),
            "QUERY_STAT": anna.online(),
            "GETINFO": anna.info(BEN),
            "ADDTOLIST": anna.add(DORA),
            "ACK_ADDTOLIST": anna.send_request(DORA, "it is me"),
            "FINGER": anna.finger("20", "1"),
            "DELFROMLIST": anna.delete(CLARA),
            "CLTMSG": anna.say(BEN, "hello"),
        }
        assert ben.ask("Query_Stat2", "CM=2&UN=0")["ST"] == "20,20,"
        answers["CHANGE_STAT"] = anna.change_status(10)
        answers["LOGOUT"] = anna.logout()
        for seq, (command, answer) in enumerate(answers.items(), 2):
            assert answer.startswith(f"VER=1.1&CMD={command}&SEQ={seq}&UIN={ANNA}&RES=0")
        assert anna.handed_over == []
        ben.wait(lambda: ben.statuses.get(str(ANNA)) == "20")
        assert ben.messages == [(str(ANNA), "hello")]


def test_yiwosdk_answers_requests(tmp_path: Path) -> None:
    """What it means by code 2, accept and add, is done where there is a request."""
    with house(tmp_path) as home, CMQQ(home.port, ANNA) as anna, Phone(home.port, DORA) as dora:
        sign_in(dora)
        anna.login()
        assert dora.ask("AddToList", f"UN={ANNA}")["CD"] == "1"
        assert dora.ask("Ack_AddToList", f"UN={ANNA}&CD=2&RS=me")["RES"] == "0"
        anna.wait(lambda: anna.handed_over)
        assert "&MT=2&UN=10004&MG=me\r\n" in anna.handed_over[0]
        assert anna.answer_request(DORA, 2).endswith("&RES=0\r\n")
        dora.wait(lambda: dora.requests)
        assert dora.requests == [(str(ANNA), "3", "")]
        assert "10004," in anna.friends()


def test_yiwosdk_reads_a_picture_with_its_line_end(tmp_path: Path) -> None:
    """Its helper drops the last character, so the bytes are right with CRLF and wrong without."""
    with house(tmp_path, captcha="always") as home, CMQQ(home.port, ANNA) as anna:
        text = anna.login()
        assert picture_of(text).startswith(PNG)
        assert not picture_of(text.rstrip()).startswith(PNG)
        assert "&RES=0&RS=0&" in anna.type_letters(home.letters(ANNA))


def test_yiwosdk_is_answered_before_it_is_pushed_to(tmp_path: Path) -> None:
    """Pushes that wait let the reply pass; it would take them for the answer."""
    with house(tmp_path, breath=0.4) as home, CMQQ(home.port, ANNA) as anna:
        anna.login()
        for uin in (BEN, CLARA):
            HttpPhone(home.port, uin).login()  # she will be told, once the breath is over
        assert "CMD=SIMPLEINFO2" in anna.friends()
        anna.wait(lambda: len(anna.handed_over) == 2)
        assert all("CMD=update_stat" in text for text in anna.handed_over)


def test_yiwosdk_takes_a_push_on_its_way_for_an_answer(tmp_path: Path) -> None:
    """That nobody can help who does not know when it will ask; the next answer is right again."""
    with house(tmp_path) as home, CMQQ(home.port, ANNA) as anna:
        ben = HttpPhone(home.port, BEN)
        anna.login()
        ben.login()
        anna.wait(lambda: anna.handed_over)
        ben.say(ANNA, "hello")
        with anna._changed:  # it asks before it has looked at what has come
            while home.texts(ANNA):  # until it has arrived
                pass
            assert "CMD=Server_Msg" in anna.friends()
        anna.wait(lambda: "CMD=SIMPLEINFO2" in anna.handed_over[-1])
        assert "CMD=QUERY_STAT2" in anna.statuses()


def test_vb_loads_friends_in_pages_of_50(tmp_path: Path) -> None:
    """It counts pages itself and finds the mark of the last one."""
    with house(tmp_path) as home, VBClient(home.port, ANNA) as anna, Phone(home.port, BEN) as ben:
        numbers = home.crowd(ANNA, 118)
        anna.login()
        anna.wait(lambda: anna.has_all_friends)
        assert anna.is_signed_in
        assert anna.asked == [0, 50, 100]
        assert anna.friends == [str(number) for number in [BEN, CLARA, *numbers]]
        sign_in(ben)
        ben.say(ANNA, "hello")
        anna.wait(lambda: anna.messages == [(str(BEN), "hello")])
        anna.say(BEN, "hello, too")
        ben.wait(lambda: ben.messages == [(str(ANNA), "hello, too")])


def test_seed_client_compares_numbers(tmp_path: Path) -> None:
    """Each reply has the number of its request, the one to a picture, too."""
    with house(tmp_path, captcha="always") as home, SeedClient(home.port, ANNA) as anna:
        anna.login()
        anna.wait(lambda: anna.picture)
        assert anna.picture.startswith(PNG)
        anna.type_letters(home.letters(ANNA))
        anna.wait(lambda: anna.is_signed_in)
        anna.load_friends()
        anna.wait(lambda: anna.has_all_friends)
        assert anna.friends == [str(BEN), str(CLARA)]
        anna.say(BEN, "50%, you & me")
        anna.wait(lambda: anna.replies[-1]["CMD"] == "CLTMSG")
        assert anna.wrong == []
        assert home.texts(BEN) == ["50%, you & me"]


def test_seed_client_shows_why(tmp_path: Path) -> None:
    """A refused sign-in shows the words."""
    with house(tmp_path) as home, SeedClient(home.port, ANNA, "wrong") as anna:
        anna.login()
        anna.wait(lambda: anna.shown)
        assert anna.shown == "Password error"
        assert not anna.is_signed_in


def test_phone_finds_the_server_and_chats(tmp_path: Path) -> None:
    """It fetches the list of servers, takes the first for sockets, and does all it did."""
    with house(tmp_path, advertise="127.0.0.1") as home:
        found = servers(home.port)
        assert found == {
            "KQQTCP": [f"socket://127.0.0.1:{home.port}"],
            "KQQHTTP": [f"http://127.0.0.1:{home.port}"],
        }
        with Phone(port_of(found["KQQTCP"][0]), ANNA) as anna, Phone(home.port, BEN) as ben:
            sign_in(anna).load()
            assert anna.friends == {str(BEN): "小波", str(CLARA): "Clara"}
            assert anna.statuses == {str(BEN): "20", str(CLARA): "20"}
            sign_in(ben)
            anna.wait(lambda: anna.statuses[str(BEN)] == "10")
            assert ben.say(ANNA, "天气, 100% & 好")["RES"] == "0"
            anna.wait(lambda: anna.messages == [(str(BEN), "天气, 100% & 好")])
            assert anna.ask("Change_Stat", "ST=30")["RES"] == "0"
            ben.wait(lambda: ben.statuses.get(str(ANNA)) == "30")
            assert anna.ask("GetInfo", f"LV=2&UN={BEN}")["NK"] == "小波"
            assert anna.ask("Logout")["RES"] == "0"
            ben.wait(lambda: ben.statuses[str(ANNA)] == "20")


def test_phone_reads_a_picture_and_is_kicked(tmp_path: Path) -> None:
    """`SID=null&XP=null` before the sign-in; and one that signs in elsewhere learns it late."""
    with (
        house(tmp_path, captcha="always") as home,
        Phone(home.port, ANNA) as anna,
        Phone(home.port, ANNA) as other,
    ):
        anna.login()
        anna.wait(lambda: anna.picture)
        assert anna.picture.startswith(PNG)
        anna.type_letters(home.letters(ANNA))
        anna.wait(lambda: anna.is_signed_in)
        sign_in(other)  # whoever read a picture a moment ago needs to read none
        assert anna.say(BEN, "hello")["RES"] == "20"
        assert anna.is_kicked
        sign_in(anna)
        assert anna.say(BEN, "hello")["RES"] == "0"


def test_phone_makes_friends(tmp_path: Path) -> None:
    """A request with words, a refusal with a reason, another one and its acceptance."""
    with house(tmp_path) as home, Phone(home.port, ANNA) as anna, Phone(home.port, DORA) as dora:
        sign_in(anna)
        sign_in(dora)
        assert anna.ask("AddToList", f"UN={DORA}")["CD"] == "1"
        anna.ask("Ack_AddToList", f"UN={DORA}&CD=2&RS=it is me")
        dora.wait(lambda: dora.requests == [(str(ANNA), "2", "it is me")])
        dora.ask("Ack_AddToList", f"UN={ANNA}&CD=1&RS=who%2c me")
        anna.wait(lambda: anna.requests == [(str(DORA), "4", "who, me")])
        anna.ask("Ack_AddToList", f"UN={DORA}&CD=2&RS=please")
        dora.wait(lambda: len(dora.requests) == 2)
        dora.ask("Ack_AddToList", f"UN={ANNA}&CD=0&RS=")
        anna.wait(lambda: len(anna.requests) == 2)
        assert anna.requests[1] == (str(DORA), "3", "")
        anna.wait(lambda: anna.statuses.get(str(DORA)) == "10")
        anna.ask("DelFromList", f"UN={DORA}")
        dora.load()
        assert dora.friends == {}


def test_phone_over_http_polls(tmp_path: Path) -> None:
    """It finds the server by the list as well; statuses and messages come when it asks."""
    with house(tmp_path, advertise="127.0.0.1") as home, Phone(home.port, BEN) as ben:
        anna = HttpPhone(port_of(servers(home.port)["KQQHTTP"][0]), ANNA)
        anna.login()
        assert anna.is_signed_in
        sign_in(ben)
        ben.say(ANNA, "one, two")
        ben.say(ANNA, "three")
        anna.poll()
        assert anna.messages == [(str(BEN), "one, two"), (str(BEN), "three")]
        assert anna.statuses == {str(BEN): "10"}
        anna.poll()
        assert len(anna.messages) == 2
        assert anna.say(BEN, "four") == "0"
        ben.wait(lambda: ben.messages == [(str(ANNA), "four")])


# --- over HTTP -----------------------------------------------------------------------------------


@pytest.mark.parametrize("coded", [False, True], ids=["plain", "form"])
def test_qqclient_polls_and_makes_friends(tmp_path: Path, coded: bool) -> None:
    """All of its methods, with values as they are and coded as a form."""
    with house(tmp_path) as home:
        anna, dora = QQClient(home.port, ANNA, coded=coded), QQClient(home.port, DORA, coded=coded)
        ben = QQClient(home.port, BEN)
        assert anna.login()
        assert dora.login()
        assert not anna.get_online()
        assert ben.login()
        assert anna.get_online()
        assert anna.online[0] == (str(BEN), "小波", "10", "270")
        assert anna.get_list()
        assert anna.friends == [str(BEN), str(CLARA), "\r\n"]  # its helper may have trimmed it
        assert anna.get_info(BEN)
        assert anna.info["NK"].rstrip() == "小波"
        assert {"BT", "CO", "MO", "SH"} <= set(anna.info)
        assert anna.add(DORA) == "verification"
        assert anna.acknowledge(DORA, 2, "是我")
        assert dora.poll()
        assert dora.messages == [("2", str(ANNA), "是我")]
        assert dora.acknowledge(ANNA, 0)
        assert anna.send_message(DORA, "天气=good&more")
        assert dora.poll()
        # A value ends at the second `=`, and nothing is unescaped.
        assert messages(dora.messages) == [(str(ANNA), "天气")]
        assert ben.send_message(ANNA, "one,two")
        assert ben.send_message(ANNA, "three")
        assert anna.poll()
        assert messages(anna.messages) == [(str(BEN), "one%2ctwo"), (str(BEN), "three")]
        assert not anna.poll()
        assert anna.delete(DORA)
        assert anna.logout()
        assert not anna.send_message(BEN, "gone")
        assert anna.dumped == dora.dumped == 0


def test_webclient_reads_messages_by_a_regular_expression(tmp_path: Path) -> None:
    """Texts are right, its wrong order of unescaping and its belief in `MN=0` are its own."""
    with house(tmp_path) as home, WebClientQQ(home.port, ANNA) as anna:
        ben = HttpPhone(home.port, BEN)
        assert anna.login()
        ben.login()
        ben.say(ANNA, "one%2c two %26 three")
        ben.say(ANNA, "%2526")
        believes = []
        for _ in range(2):
            anna.poll()
            believes.append(anna.is_signed_in)
        assert believes == [True, False]  # nothing waited the second time
        assert messages(anna.messages) == [(str(BEN), "one, two & three"), (str(BEN), "&")]
        assert anna.say(BEN, "hello")  # the server knows better
        ben.poll()
        assert ben.messages == [(str(ANNA), "hello")]
        assert anna.change_status(30)
        assert anna.acknowledge(DORA, 2, "me")
        assert anna.delete(CLARA)
        assert anna.logout()
        assert anna.connections == 1  # .NET asks to keep the connection and knows how


def test_delphi_sends_three_times_and_is_heard_once(tmp_path: Path) -> None:
    """What is sent again because the answer was late is not said again."""
    with house(tmp_path) as home, Phone(home.port, BEN) as ben:
        sign_in(ben)
        anna = MassSender(home.port, ANNA)
        assert anna.login()
        anna.load()
        anna.tries, anna.late = 0, 2
        anna.say_to_all("天气,\r\n100% & more = less")
        assert anna.tries == 4  # three for Ben, one for Clara
        anna.late = 3  # nothing is answered in time
        anna.say_to_all("second")
        ben.wait(lambda: len(ben.messages) == 2)
        text = "天气,100% & more = less"
        assert ben.messages == [(str(ANNA), text), (str(ANNA), "second")]
        assert home.texts(CLARA) == [text, "second"]


def test_set_mqq_signs_in_before_every_call(tmp_path: Path) -> None:
    """No message is lost or comes twice by that; it answers each, by nickname."""
    with house(tmp_path) as home, Phone(home.port, BEN) as ben:
        sign_in(ben)
        anna = SetMQQ(home.port, ANNA, always=True, cke="%0D%0A")
        anna.answer = "line\nline"
        assert anna.change_status(30, "Change_Stat2")
        ben.say(ANNA, "one")
        ben.say(ANNA, "two, three")
        anna.poll()
        anna.poll()
        assert anna.seen == [(str(BEN), "小波", "one"), (str(BEN), "小波", "two%2c three")]
        ben.wait(lambda: len(ben.messages) == 2)
        assert ben.messages == [(str(ANNA), "line\r\nline")] * 2
        assert anna.sign_ins == 5  # two polls, two answers, one status
        assert anna.nick(str(BEN)) == "小波"


def test_set_mqq_answers_a_picture_on_another_connection(tmp_path: Path) -> None:
    """Wrong letters bring another picture, the right ones sign in; later calls need none."""
    with house(tmp_path, captcha="always") as home:
        anna = SetMQQ(home.port, ANNA, always=True)
        assert anna.login() == "picture"
        first = anna.picture
        assert bytes.fromhex(first).startswith(PNG)
        assert not anna.type_letters("QQQQ")
        assert anna.picture != first
        assert anna.type_letters(home.letters(ANNA))
        assert home.is_signed_in(ANNA)
        anna.get_list()
        assert (anna.state, anna.friends) == ("online", "10002,10003,\r\n")


def test_set_mqq_signs_in_again_when_it_is_offline(tmp_path: Path) -> None:
    """It is told by `RES=20`; what another phone took over it takes back."""
    with house(tmp_path) as home, Phone(home.port, ANNA) as phone:
        anna = SetMQQ(home.port, ANNA)
        assert anna.login(40) == "online"
        sign_in(phone)
        assert not anna.change_status(30)
        assert anna.state == "offline"
        assert anna.login() == "online"
        assert anna.change_status(30)
        assert phone.ask("Query_Stat2", "CM=2&UN=0")["RES"] == "20"


def test_fwgq_signs_in(tmp_path: Path) -> None:
    """Right, wrong, and a number that nobody has."""
    with house(tmp_path) as home:
        assert fwgq.login(home.port, ANNA) == "ok"
        assert fwgq.login(home.port, ANNA, "wrong") == "Password error"
        assert fwgq.login(home.port, 10999) == "illegal number"


def test_gae_is_sent_on_and_signs_in(tmp_path: Path) -> None:
    """The front door names the server, which takes the sign-in."""
    front = Listen("127.0.0.1", quiet_port())
    with house(tmp_path, advertise="127.0.0.1", redirector=(front,)) as home:
        anna = gae.Script(front.port, ANNA)
        address, port = anna.redirected()
        assert (address, port) == ("127.0.0.1", home.port)
        anna.login(port)
        assert anna.tries == 1
        assert "&RES=0&RS=0&HI=60&LI=300&" in anna.printed[0]
        assert home.is_signed_in(ANNA)


def test_go_sends_what_would_end_a_line(tmp_path: Path) -> None:
    """Raw LF, `&` and `=` in a message are words; all commands have the same number."""
    text = "first line\nkw=1&UN=10003&MG=x, y"
    with house(tmp_path) as home, Phone(home.port, BEN) as ben:
        sign_in(ben)
        anna = go.GoProgram(home.port, ANNA)
        anna.login()
        anna.say(BEN, text)
        anna.say(BEN, "two")
        anna.logout()
        ben.wait(lambda: len(ben.messages) == 2)
        assert ben.messages == [(str(ANNA), text), (str(ANNA), "two")]
        assert all(head.startswith(b"HTTP/1.1 200 ") for head in anna.heads)
        assert not home.is_signed_in(ANNA)


@pytest.mark.parametrize("after", ["", " "], ids=["plain", "blank"])
def test_python2005_prints_what_it_gets(tmp_path: Path, after: str) -> None:
    """All answers are UTF-8; it understands no more than that."""
    with house(tmp_path) as home:
        anna = python2005.Script(home.port, ANNA, after=after)
        ben = python2005.Script(home.port, BEN, ver="1.1")
        for script in (anna, ben):
            script.login()
            script.get_list()
        anna.say(BEN, "天气")
        ben.get_messages()
        assert "&RES=0&RS=0&HI=60&LI=300&" in anna.printed[0]
        assert anna.printed[1].endswith("&RES=0&FN=2&SN=2&UN=10002,10003,\r\n")
        assert ben.printed[-1].endswith("&MN=1&MT=9,&UN=10001,&MG=天气,")


def test_urllib2_sends_a_dictionary(tmp_path: Path) -> None:
    """Any order, coded; a blank was made a plus, and stays one."""
    with house(tmp_path) as home:
        anna, ben = urllib2.Script(home.port, ANNA), urllib2.Script(home.port, BEN)
        anna.login()
        ben.login()
        for text in ("天气, 100%", "a&b=c"):
            anna.say(BEN, text)
        ben.get_messages()
        assert ben.printed[-1].endswith("&MG=天气%2c+100%25,a%26b=c,")
        assert anna.cookies == []


def test_java_believes_what_it_cannot_read(tmp_path: Path) -> None:
    """A wrong password is success to it, and so is an empty value; the list is a sign-in."""
    with house(tmp_path) as home, JQQ(home.port, ANNA) as anna, JQQ(home.port, BEN, "wrong") as ben:
        assert anna.login()
        assert anna.values["COMP"] == "NOKIA8F3A18D6E27"
        assert anna.say(BEN, "hello")
        assert home.texts(BEN) == ["hello"]
        assert anna.change_status(30)
        assert ben.login()
        assert not ben.say(ANNA, "hello")
        assert anna.logged == ben.logged == []
        assert anna.get_list()
        assert len(anna.logged) == 1  # a sign-in without a password is not answered
        assert anna.connections == 1


def test_csharp14_sends_commands_of_the_socket_over_http(tmp_path: Path) -> None:
    """The captured lines, each in a POST; it looks at few of the answers."""
    with (
        house(tmp_path) as home,
        CSharp14(home.port, ANNA) as anna,
        Phone(home.port, BEN) as ben,
    ):
        sign_in(ben)
        anna.login()
        assert "&RES=0&RS=0&" in anna.last
        for status in (30, 40, 10):
            anna.command("Change_Stat", f"ST={status}")
        anna.command("SimpleInfo2", "UN=0&TO=0")
        assert "&NP=65535&SN=2&UN=10002,10003,&" in anna.last
        anna.command("CLTMSG", f"UN={BEN}&MG=hello")
        ben.wait(lambda: ben.messages == [(str(ANNA), "hello")])
        anna.command("Logout", "")
        assert anna.last.endswith("&RES=0\r\n")
