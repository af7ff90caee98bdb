"""Small captures of our own making, each with its reason; README.md says how they are kept.

`scripts/captures` writes each as a file, and beside it what tshark shows of it with our dissector.
Everything in them is invented; passwords are `secret`.
"""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from kqq.capture.events import End
from kqq.capture.writing import Link
from kqq.protocol.post import http_request, http_response
from making import Making

FOLDER = Path(__file__).parent
XP = "&SID=&XP=C4CA4238A0B92382"
PASSWORD = "5EBE2294ECD0E0F08EAB7690D2A6EE69"
CAPTURES: dict[str, Callable[[], Making]] = {}
"""What makes each capture, by the name of its file; the docstring is the reason for it."""


def capture(name: str) -> Callable[[Callable[[], Making]], Callable[[], Making]]:
    """Add a capture under the name of its file."""

    def add(make: Callable[[], Making]) -> Callable[[], Making]:
        CAPTURES[name] = make
        return make

    return add


def asked(command: str, seq: int, uin: int = 10001, rest: str = "", end: str = "\r\n") -> bytes:
    """Return a request of 1.4 after the sign-in."""
    head = f"VER=1.4&CON=1&CMD={command}&SEQ={seq}&UIN={uin}{XP}"
    return f"{head}{rest}{end}".encode()


def said(command: str, seq: int, uin: int = 10001, rest: str = "", res: int = 0) -> bytes:
    """Return a line of the server."""
    return f"VER=1.1&CMD={command}&SEQ={seq}&UIN={uin}&RES={res}{rest}\r\n".encode()


def login(seq: int = 200, uin: int = 10001, end: str = "\r\n") -> bytes:
    """Return a sign-in of 1.4."""
    head = f"VER=1.4&CON=1&CMD=Login&SEQ={seq}&UIN={uin}&PS={PASSWORD}&M5=1&LG=0"
    return f"{head}&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE={end}".encode()


def signed_in(seq: int = 200, uin: int = 10001) -> bytes:
    """Return the answer to it."""
    keys = f"&SG={'ab12cd34' * 8}&SSG=2618000001"
    return said("Login", seq, uin, f"&RS=0&HI=60&LI=300{keys}")


@capture("split.pcap")
def split() -> Making:
    """Lines split over segments: inside a key, a Chinese sign, an escape, and before the LF."""
    making = Making()
    talk = making.talk()
    talk.client(login(), split=[2, 30, 31])
    talk.server(signed_in(), split=[len(signed_in()) - 1])
    line = asked("CLTMSG", 201, rest="&UN=10002&MG=朱丽叶%2c 你好")
    talk.client(line, split=[line.index("丽".encode()) + 1, line.index(b"%2c") + 2])
    talk.server(said("CLTMSG", 201))
    text = asked("CLTMSG", 202, rest=f"&UN=10002&MG={'0123456789' * 30}")
    talk.client(text, split=list(range(40, len(text), 40)))
    talk.server(said("CLTMSG", 202))
    talk.close()
    return making


@capture("many.pcap")
def many() -> Making:
    """Many lines in one segment, the last of which goes on in the next one."""
    making = Making()
    talk = making.talk()
    talk.client(login())
    talk.server(signed_in())
    one = asked("SimpleInfo2", 201, rest="&UN=0&TO=0")
    two = asked("Query_Stat2", 202, rest="&CM=2&UN=0")
    three = asked("Change_Stat", 203, rest="&ST=30")
    talk.client(one + two + three[:20])
    talk.client(three[20:])
    talk.server(
        said("SIMPLEINFO2", 201, rest="&NP=65535&SN=2&UN=10002,10003,&FC=270,0,&NK=Juliet,朱%2c小,")
        + said("QUERY_STAT2", 202, rest="&FN=1&SN=2&ST=10,30,&UN=10002,10003,")
        + said("CHANGE_STAT", 203)
        + said("Server_Msg", 1000000001, rest="&MN=1&MT=9&UN=10002&MG=good night")
        + said("update_stat", 32, rest="&ST=20&UN=10002")
    )
    talk.close()
    return making


def post(line: str, type_: str | None, extra: str = "") -> bytes:
    """Return a POST as one of the old clients sends it."""
    body = line.encode()
    kind = "" if type_ is None else f"Content-Type: {type_}\r\n"
    head = f"POST / HTTP/1.1\r\n{kind}{extra}Host:198.51.100.7:14000\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@capture("http.pcap")
def http() -> Making:
    """Lines as HTTP bodies, of each content type that clients send, in one or many segments."""
    making = Making()
    line = "VER=1.1&CMD=GetMsgEx&SEQ=300&UIN=10001"
    answer = said("GETMSGEX", 300, rest="&MN=2&MT=9,99,&UN=10002,10003,&MG=hello%2c you,10,")
    for type_ in ("text/plain; charset=UTF-8", "application/x-www-form-urlencoded", None):
        talk = making.talk()
        talk.client(post(line, type_))
        talk.server(http_response(answer), split=[20, 150])
        talk.close(1)
    talk = making.talk()
    for seq in (301, 302):
        words = quote("你好, Juliet")
        text = f"VER=1.1&CMD=CLTMSG&SEQ={seq}&UIN=10001&UN=10002&MG={words}"
        talk.client(post(text, "text/html", "Connection: keep-alive\r\n"), split=[3, 80, 190])
        talk.server(http_response(said("CLTMSG", seq), keep=True))
    talk.close()
    return making


@capture("retransmission.pcap")
def retransmission() -> Making:
    """TCP sends a segment again; and a client sends a request again, on TCP and over HTTP."""
    making = Making()
    talk = making.talk()
    talk.client(login(), split=[70], again=True)
    talk.server(signed_in(), again=True)
    talk.client(asked("CLTMSG", 201, rest="&UN=10002&MG=are you there"))
    making.time += 5
    talk.client(asked("CLTMSG", 201, rest="&UN=10002&MG=are you there"))
    talk.server(said("CLTMSG", 201))
    talk.close()
    line = b"VER=1.1&CMD=CLTMSG&SEQ=55&UIN=10001&UN=10002&MG=twice"
    making.talk().post(line)
    making.time += 30
    talk = making.talk()
    talk.post(line, said("CLTMSG", 55))
    talk.close(1)
    return making


@capture("captcha.pcap")
def captcha() -> Making:
    """A captcha, wrong letters and a new picture; then the sign-in with the SEQ of the answer."""
    making = Making()
    talk = making.talk(most=536)
    picture = (FOLDER / "dbvp.png").read_bytes().hex()
    first, second = (said("VERIFYCODE", n, rest=f"&SC=1&NT=&VC={picture}") for n in (200, 201))
    talk.client(login())
    talk.server(first)
    making.time += 7
    head = "VER=1.4&CON=1&CMD=VERIFYCODE&SEQ={}&UIN=10001&SID=null&XP=null&SC=2&VC={}\r\n"
    talk.client(head.format(201, "OBVP").encode())
    talk.server(second)
    making.time += 5
    talk.client(head.format(202, "DBVP").encode())
    talk.server(signed_in(7))
    talk.close()
    return making


@capture("junk.pcap")
def junk() -> Making:
    """Binary lengths before lines, as ZNQQ and QQBot write them, one of which has an LF in it."""
    making = Making()
    talk = making.talk()
    talk.client(b"\x85\x01" + login(end="\n"))
    talk.server(signed_in())
    talk.client(b"V" + asked("CLTMSG", 201, rest="&UN=10002&MG=a letter before it", end="\n"))
    talk.server(said("CLTMSG", 201))
    long = asked("CLTMSG", 202, rest=f"&UN=10002&MG={'long ' * 241}", end="\n")
    talk.client(b"\x8a\n" + long)
    talk.server(said("CLTMSG", 202))
    talk.client(b"\r\n\x00\x01\x02noise" + asked("Query_Stat2", 203, rest="&CM=2&UN=0"))
    talk.server(said("QUERY_STAT2", 203, rest="&FN=1&SN=0&ST=&UN="))
    talk.close()
    return making


@capture("bare-lf.pcap")
def bare_lf() -> Making:
    """Lines that end with LF alone, from the client and, as no server did, from the server."""
    making = Making()
    talk = making.talk()
    talk.client(asked("GetInfo", 201, rest="&LV=1&UN=10002", end="\n"))
    talk.server(said("GETINFO", 201, rest="&NK=Juliet").replace(b"\r", b""))
    talk.client(asked("Logout", 202, end="\n") + asked("Logout", 203))
    talk.server(said("LOGOUT", 202) + said("LOGOUT", 203))
    talk.close()
    return making


@capture("texts.pcapng")
def texts() -> Making:
    """Chinese texts, each escape, raw signs that need one, no UTF-8, NUL, signs for terminals."""
    making = Making()
    talk = making.talk()
    words = [
        "我看见了月光".encode(),
        b"100%25 %26 %2c %0d%0a%0D%0A",
        b"a=b+c|d & a raw & stays whole&VER=1.4",
        b"%E4%BD%A0%e5%a5%bd %zz %",
        "朱丽叶".encode("gbk"),
        b"nul \x00 and %00 and \x1b[31m",
        "😀 𠀀 \u202e \u009b31m \u2067".encode(),
        b"",
    ]
    for seq, text in enumerate(words, 201):
        start = asked("CLTMSG", seq, rest="&UN=10002&MG=", end="")
        talk.client(start + text + b"\r\n")
        talk.server(said("CLTMSG", seq))
    talk.client(asked("Sh\x1b[2Jake", 209, rest="&\x1b[1mX=\u202e&ST\x07"))
    talk.close()
    return making


@capture("middle.pcap")
def middle() -> Making:
    """The capture starts in the middle of a line, and of a conversation."""
    making = Making()
    talk = making.talk(opened=False)
    talk.server(b"2,10003,&FC=270,0,&NK=Juliet,Anna,\r\n" + said("CLTMSG", 200))
    talk.client(asked("CLTMSG", 201, rest="&UN=10002&MG=hello")[9:])
    talk.server(said("CLTMSG", 201))
    talk.client(asked("Logout", 202))
    return making


@capture("ipv6.pcapng")
def ipv6() -> Making:
    """IPv6, a VLAN, and a port that nobody set: lines are recognised by what they say."""
    making = Making(ipv6=True, vlans=(7,))
    talk = making.talk(server=End("2001:db8::7", 5190))
    talk.client(login())
    talk.server(signed_in())
    talk.client(b"CMD=Logout&SEQ=201&UIN=10001&VER=1.1\r\n")
    talk.server(said("LOGOUT", 201))
    talk.close()
    return making


@capture("odd.pcap")
def odd() -> Making:
    """Each oddity once: fields and commands nobody knows, missing, twice, in another order."""
    making = Making()
    talk = making.talk()
    talk.client(asked("Shake", 201, rest="&UN=10002"))
    talk.server(said("SHAKE", 201, res=1))
    talk.client(asked("Change_Stat", 202, rest="&ST=busy&MOOD=bad&PS=secret"))
    talk.client(asked("Change_Stat", 203))
    talk.client(b"VER=1.4&UIN=10001&CMD=Change_Stat&SEQ=204&ST=10&ST=20&&what\r\n")
    talk.server(said("CHANGE_STAT", 204, res=20))
    talk.client(asked("GetInfo", 205, rest=f"&LV=3&UN={'9' * 20}"))
    talk.server(said("GETINFO", 205, res=5))
    talk.client(b"hello?\r\nVER=9.9&CMD=Logout&SEQ=x&UIN=\r\n")
    talk.server(said("Server_Msg", 31, rest="&MN=1&MT=9&MG=from nobody"))
    talk.server(said("LIST", 77, rest="&FN=1&SN=1&UN=10002,"))
    talk.close()
    return making


@capture("lost.pcap")
def lost() -> Making:
    """A segment in the middle of a line is not in the capture; the lines after it are."""
    making = Making()
    talk = making.talk()
    talk.client(login())
    talk.server(signed_in())
    reply = said("SIMPLEINFO2", 201, rest="&NP=65535&SN=1&UN=10002,&FC=0,&NK=Juliet,")
    talk.client(asked("SimpleInfo2", 201, rest="&UN=0&TO=0"))
    talk.server(reply[:40], acknowledged=False)
    talk.server(reply[40:60], lost=True)
    talk.server(reply[60:] + said("update_stat", 32, rest="&ST=10&UN=10002"))
    talk.client(asked("Logout", 202))
    talk.server(said("LOGOUT", 202))
    talk.close()
    return making


@capture("config.pcap")
def config() -> Making:
    """The document that says where the servers are, fetched before a sign-in."""
    making = Making()
    talk = making.talk(server=End("198.51.100.7", 80))
    talk.client(b"GET /newConf/kjava/aubin2.jsp HTTP/1.1\r\nHost: conf.example\r\n\r\n")
    body = (
        "SERERCONFIG_NUM=2&SERVERCONFIG_TYPE=KQQTCP,KQQHTTP"
        "&SERVERCONFIG_URL=socket://198.51.100.7:14000,http://198.51.100.7:14000"
        "&UPDATECONFIG_VERSION=2.4.2&UPDATECONFIG_MUST=N&SMSSERVICE_HELPTXT=一行%0a二行, 三"
    )
    talk.server(http_response(body.encode(), content_type="text/html"))
    talk.close()
    return making


@capture("cut.pcap")
def cut() -> Making:
    """Packets of which the capture has the first 120 bytes only, and no more."""
    making = Making(Link.COOKED)
    talk = making.talk()
    talk.client(login(), kept=120)
    talk.server(signed_in(), kept=120)
    talk.client(b"VER=1.1&CMD=Logout&SEQ=1&UIN=10001\r\n", kept=120)
    talk.server(said("LOGOUT", 1), kept=120)
    return making


@capture("foreign.pcap")
def foreign() -> Making:
    """What is not ours, on our port and others, also where words of ours stand in it."""
    making = Making()
    talk = making.talk(server=End("198.51.100.7", 25))
    talk.server(b"220 mail.example ESMTP\r\n")
    talk.client(b"HELO VER=1.4&CMD=Login\r\n")
    talk.close()
    talk = making.talk()
    talk.client(b"\x16\x03\x01\x00\x05hello")
    talk.close()
    talk = making.talk(server=End("198.51.100.7", 80))
    talk.client(http_request("198.51.100.7", 80, b"VER=2&user=somebody&lang=en"))
    talk.server(http_response(b"a page\r\nof two lines, CMD=none\r\n"))
    talk.close()
    return making
