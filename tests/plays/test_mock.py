"""A server that answers from a play: who is who, what is answered, what is pushed where."""

import pytest

from kqq.plays.accounts import Account, Accounts
from kqq.plays.mock import Heard, Mock
from kqq.protocol import Line
from kqq.protocol.transcript import parse_play

TALK = """
Romeo signs in
Juliet signs in
Romeo sees Juliet online
Romeo sends Juliet "hello"
Juliet receives Romeo "hello"
Juliet > CMD=GetInfo LV=1 UN={Romeo}
Juliet < CMD=GETINFO RES=0 LV=1 UN={Romeo} NK=Romeo
Juliet signs out
Romeo sees Juliet offline
"""


class Talk:
    """Somebody's lines to a mock; `heard` is what it took the last one for."""

    def __init__(
        self,
        text: str,
        *,
        is_strict: bool = False,
        refuses: bool = False,
        accounts: Accounts | None = None,
    ) -> None:
        self.mock = Mock(
            parse_play(text),
            accounts,
            is_strict=is_strict,
            refuses=refuses,
            random=lambda count: b"\x11" * count,
        )
        self.heard = Heard(Line(""), "")

    def say(self, link: str, line: str, *, pushes: bool = True) -> list[tuple[object, str]]:
        """Say a line at a link, and return what is said upon it where."""
        self.heard, said = self.mock.hear(Line(line), link, pushes=pushes)
        assert all(data.endswith(b"\r\n") for _, data in said)
        return [(to, data.decode("utf-8", "surrogateescape").rstrip()) for to, data in said]

    def sign_in(
        self, link: str, uin: int, seq: int = 1, *, pushes: bool = True
    ) -> list[tuple[object, str]]:
        """Sign in."""
        line = f"VER=1.4&CON=1&CMD=Login&SEQ={seq}&UIN={uin}&PS={MD5}&M5=1&LG=0"
        return self.say(link, line, pushes=pushes)


MD5 = Account("Romeo", 1).password_md5
HELLO = "VER=1.1&CMD=CLTMSG&SEQ=9&UIN=10001&UN=10002&MG=hello"
SIGNED_IN = f"HI=60&LI=300&SG={'11' * 32}&SSG=1118481"


def test_a_talk() -> None:
    """Replies have the number of their request, and pushes go to whom they are for."""
    talk = Talk(TALK)
    head = "VER=1.1&CMD=Login&SEQ=77&UIN=10001&RES=0&RS=0"
    assert talk.sign_in("r", 10001, 77) == [("r", f"{head}&{SIGNED_IN}")]
    assert talk.heard.is_known
    (own, seen) = talk.sign_in("j", 10002)
    assert own[0] == "j"
    assert seen == (
        "r",
        "VER=1.1&CMD=update_stat&SEQ=1000000001&UIN=10001&RES=0&ST=10&UN=10002",
    )
    assert talk.say("r", HELLO) == [
        ("r", "VER=1.1&CMD=CLTMSG&SEQ=9&UIN=10001&RES=0"),
        ("j", "VER=1.1&CMD=Server_Msg&SEQ=1000000002&UIN=10002&RES=0&MN=1&MT=9&UN=10001&MG=hello"),
    ]
    info = "VER=1.4&CMD=GetInfo&SEQ=5&UIN=10002&LV=1&UN=10001"
    assert talk.say("j", info) == [
        ("j", "VER=1.1&CMD=GETINFO&SEQ=5&UIN=10002&RES=0&LV=1&UN=10001&NK=Romeo")
    ]
    assert len(talk.say("j", "VER=1.4&CMD=Logout&SEQ=6&UIN=10002")) == 2


def test_other_numbers() -> None:
    """People come with numbers of their own, in the order of the play."""
    talk = Talk(TALK)
    talk.sign_in("r", 4711)
    assert talk.heard.actor == "Romeo"
    (_, seen) = talk.sign_in("j", 4712)
    assert seen[1].endswith("&UN=4712")
    assert talk.heard.actor == "Juliet"
    assert talk.sign_in("x", 4713) == []
    assert talk.heard.why == "nobody with the number 4713 says Login in the play"
    talk.mock.lose("r")
    assert talk.sign_in("x", 4713)
    assert talk.heard.actor == "Romeo"


def test_who_is_written_to_may_have_another_number() -> None:
    """A number that nobody has is that of somebody in the play who is not here."""
    talk = Talk(TALK)
    talk.sign_in("r", 10001)
    assert talk.say("r", HELLO.replace("10002", "4712"))
    assert talk.say("r", HELLO.replace("10002", "10001")) == []
    talk.sign_in("j", 4712)
    assert talk.heard.actor == "Juliet"


def test_what_waits() -> None:
    """What comes for somebody who is not here comes at the sign-in."""
    talk = Talk(TALK)
    talk.sign_in("r", 10001)
    talk.say("r", HELLO)
    assert "MG=hello" in talk.sign_in("j", 10002)[-1][1]


def test_polls() -> None:
    """Over HTTP nothing is pushed; it is fetched, as often as somebody likes."""
    talk = Talk(TALK)
    assert len(talk.sign_in("web", 10001, pushes=False)) == 1
    assert len(talk.sign_in("web", 10002, pushes=False)) == 1
    poll = "VER=1.4&CMD=GetMsgEx&SEQ=3&UIN=10001"
    assert talk.say("web", poll, pushes=False) == [
        ("web", "VER=1.1&CMD=GETMSGEX&SEQ=3&UIN=10001&RES=0&MN=1&MT=99,&UN=10002,&MG=10,")
    ]
    assert talk.heard.is_known
    none = [("web", "VER=1.1&CMD=GETMSGEX&SEQ=3&UIN=10001&RES=0&MN=0")]
    assert talk.say("web", poll, pushes=False) == none
    assert len(talk.say("web", HELLO, pushes=False)) == 1
    (fetched,) = talk.say("web", poll.replace("10001", "10002"), pushes=False)
    assert fetched[1].endswith("MT=9,&UN=10001,&MG=hello,")
    assert talk.say("web", poll.replace("10001", "7"), pushes=False) == []


def test_only_so_many_numbers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever posts with ever other numbers does not fill the memory; the last are known."""
    monkeypatch.setattr("kqq.plays.mock._KEPT", 3)
    talk = Talk("Romeo > CMD=Login\nRomeo < CMD=Login RES=0 RS=0")
    for uin in range(20_000, 20_010):
        assert talk.say("web", f"VER=1.1&CMD=Login&SEQ=1&UIN={uin}", pushes=False)
    assert len(talk.mock._spoke) == 3
    assert talk.say("web", "VER=1.1&CMD=GetMsgEx&SEQ=2&UIN=20009", pushes=False)


@pytest.mark.parametrize("uin", ["abc", "", "9" * 5000])
def test_polls_that_cannot_be_read(uin: str) -> None:
    """They get no answer, whoever has signed in with such a number."""
    talk = Talk("Romeo > CMD=Login UIN={any}\nRomeo < CMD=Login RES=0 RS=0")
    assert talk.say("web", f"VER=1.1&CMD=Login&SEQ=1&UIN={uin}", pushes=False)
    assert talk.say("web", f"VER=1.1&CMD=GetMsgEx&SEQ=2&UIN={uin}", pushes=False) == []
    assert not talk.heard.is_known


def test_polls_in_the_play() -> None:
    """Those that are written out are answered so, once, or again with the same number."""
    talk = Talk(
        "Romeo > VER=1.1&CMD=GetMsgEx&SEQ=5&UIN={Romeo}\n"
        "Romeo < VER=1.1&CMD=GETMSGEX&SEQ=5&UIN={Romeo}&RES=20\n"
        "Romeo < CMD=Server_Msg SEQ={any} RES=0 MN=1 MT=9 UN={Romeo} MG=a\n"
        "Romeo < CMD=NEVER\n"
    )
    poll = "VER=1.1&CMD=GetMsgEx&SEQ=5&UIN=10001"
    refused = [("web", "VER=1.1&CMD=GETMSGEX&SEQ=5&UIN=10001&RES=20")]
    assert talk.say("web", poll, pushes=False) == refused
    assert talk.say("web", poll, pushes=False) == refused
    (fetched,) = talk.say("web", poll.replace("SEQ=5", "SEQ=6"), pushes=False)
    assert fetched[1].endswith("MN=2&MT=9,9,&UN=10001,10001,&MG=a,a,")


def test_the_order_of_the_play() -> None:
    """The same question is answered in turn, and from the beginning by who begins again."""
    talk = Talk(
        "Romeo signs in\nRomeo > CMD=X\nRomeo < CMD=X RES=1\nRomeo > CMD=X\nRomeo < CMD=X RES=2\n"
    )
    talk.sign_in("r", 10001)

    def answer() -> str:
        return talk.say("r", "CMD=X&SEQ=1&UIN=10001")[0][1][-5:]

    assert [answer(), answer()] == ["RES=1", "RES=2"]
    assert answer() == "RES=1"
    talk.sign_in("r", 10001)
    assert answer() == "RES=1"


def test_two_phones() -> None:
    """Of two who use one number each is answered as the one that is there."""
    talk = Talk(
        "Juliet signs in\nPhone > CMD=Login UIN={Juliet} PS={password}\nPhone < CMD=Login RES=0\n"
        "Juliet > CMD=X\nJuliet < CMD=X RES=20\nPhone > CMD=X UIN={Juliet}\nPhone < CMD=X RES=0\n"
        'Phone receives Juliet "to the phone"\n'
    )
    talk.sign_in("a", 10001)
    talk.sign_in("b", 10001)
    assert talk.heard.actor == "Phone"
    assert [said[1][-6:] for said in talk.say("a", "CMD=X&SEQ=1&UIN=10001")] == ["RES=20"]
    assert talk.say("b", "CMD=X&SEQ=1&UIN=10001")[0][1].endswith("RES=0")
    assert talk.say("b", "CMD=Y&UIN=10001") == []
    assert talk.heard.actor == "Phone"


def test_strict() -> None:
    """In the order of the play only; then it begins again."""
    talk = Talk(TALK, is_strict=True)
    assert talk.sign_in("j", 10002) == []
    assert talk.heard.why == "line 2 comes first: Romeo signs in"
    assert not talk.heard.is_known
    assert str(talk.heard).startswith("no answer to VER=1.4&CON=1&CMD=Login&SEQ=1")
    assert "PS=***" in str(talk.heard)
    assert talk.sign_in("r", 4711)
    assert str(talk.heard).startswith("line 2: ")
    short = Talk("Romeo > CMD=X\nRomeo < CMD=X RES=0", is_strict=True)
    line = "CMD=X&SEQ=1&UIN=10001"
    assert short.say("a", line) == short.say("a", line)
    polls = Talk("Romeo > CMD=GetMsgEx\nRomeo < CMD=GETMSGEX RES=20", is_strict=True)
    poll = "CMD=GetMsgEx&SEQ=1&UIN=10001"
    assert polls.say("w", poll, pushes=False)[0][1].endswith("RES=20")
    assert polls.say("w", poll, pushes=False)[0][1].endswith("MN=0")
    assert Talk("", is_strict=True).say("a", line) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("CMD=Nothing&UIN=10001", "nobody says Nothing in the play"),
        ("UIN=10001", "it has no CMD"),
        ("CMD=GetInfo&UIN=7", "nobody with the number 7 says GetInfo in the play"),
        ("CMD=GetInfo&UIN=10002&LV=2&UN=10001", "line 7 is nearest, which has LV=1"),
    ],
)
def test_no_answer(line: str, why: str) -> None:
    """It is told why."""
    talk = Talk(TALK)
    assert talk.say("a", line) == []
    assert talk.heard.why == why
    assert not talk.heard.is_known


def test_refusals() -> None:
    """If wanted, what has no answer is refused as servers do; nonsense cannot be."""
    talk = Talk(TALK, refuses=True)
    line = "VER=1.1&CMD=Query_Stat2&SEQ=5&UIN=10001&CM=2&UN=0"
    assert talk.say("a", line) == [("a", "VER=1.1&CMD=QUERY_STAT2&SEQ=5&UIN=10001&RES=1")]
    assert talk.say("a", "nonsense") == []


def test_passwords() -> None:
    """A wrong one is answered as in the play, if there is an answer to a wrong one."""
    talk = Talk(
        "Romeo > CMD=Login PS=00\nRomeo < CMD=Login RES=0 RS=1\nRomeo signs in\n",
        accounts=Accounts([Account("Romeo", 7, "open")]),
    )
    line = "VER=1.4&CMD=Login&SEQ=1&UIN=7&LG=0&PS="
    assert talk.say("a", f"{line}00")[0][1].endswith("RS=1")
    right = Account("Romeo", 7, "open").password_md5.lower()
    assert "RS=0" in talk.say("a", f"{line}{right}")[0][1]


def test_what_the_play_does_not_know() -> None:
    """What a recording leaves out is made up; what has a name stays the same."""
    talk = Talk(
        "Romeo > CMD=X\n"
        "Romeo < VER=1.1&CMD=X&SEQ={any}&SI={any}&SP={any}&VC={any}&A={word}&B={any}\n"
        "Romeo > CMD=Y A={word}\n"
        'Romeo < "VER=1.1&CMD=Y&SEQ=1&A={word}&J=\\xff{{\\r\\n"\n'
    )
    ((_, said),) = talk.say("a", "CMD=X&SEQ=5&UIN=10001")
    assert said.startswith("VER=1.1&CMD=X&SEQ=5&SI=127.0.0.1&SP=14000&VC=89504e47")
    assert said.endswith("&A=0&B=0")
    assert talk.say("a", "CMD=Y&SEQ=6&UIN=10001&A=1") == []
    assert talk.say("a", "CMD=Y&SEQ=6&UIN=10001&A=0") == [
        ("a", "VER=1.1&CMD=Y&SEQ=6&A=0&J=\udcff{")
    ]
