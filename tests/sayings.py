"""Conversations of our own making: what `read_file` would give, written by hand in a few lines.

    talk = Sayings()
    talk.ask(10001, "CLTMSG", UN=10002, MG="hello")
    talk.answer("CLTMSG", RES=0)          # answers what was asked last

Each line comes 40 ms after the one before, unless `after` says otherwise.
"""

from typing import Any

from kqq.capture.events import End, Note, Said
from kqq.protocol import Line, Role, decode
from kqq.protocol.explain import explain

BEGIN = 1_400_065_200.0  # 14 May 2014, 11:00 UTC
MD5 = "5EBE2294ECD0E0F08EAB7690D2A6EE69"
LOGIN: dict[str, Any] = {
    "PS": MD5,
    "M5": 1,
    "LG": 0,
    "LC": "812822641C978097",
    "GD": "A",
    "CKE": "",
}
PNG = "89504e470d0a1a0a0000000d494844520000000a0000000508000000" + "00" * 12


class Sayings:
    """A conversation in the making; `items` is what was said so far."""

    def __init__(self, *, times: bool = True) -> None:
        self.items: list[Said | Note] = []
        self.time = BEGIN
        self._has_times = times
        self._number = 0
        self._asked: Said | None = None

    @property
    def said(self) -> list[Said]:
        """The lines."""
        return [item for item in self.items if isinstance(item, Said)]

    def line(
        self,
        sender: Role,
        raw: str | bytes,
        *,
        stream: int = 1,
        over: str = "tcp",
        after: float = 0.04,
        actor: str = "",
        request: Said | None = None,
        ends: bool = True,
    ) -> Said:
        """Add a line as it stands on the wire."""
        self._number += 1
        self.time += after
        encoded = raw.encode("utf-8", "surrogateescape") if isinstance(raw, str) else raw
        line = Line.decode(encoded)
        said = Said(
            self._number,
            self.time if self._has_times else None,
            self._number,
            stream,
            sender,
            line,
            decode(line, sender),
            over,
            End(f"192.0.2.{stream}", 40000 + stream) if ends else None,
            End("198.51.100.7", 80 if over == "http" else 14000) if ends else None,
            actor,
            request,
            explain(line).problems,
        )
        self.items.append(said)
        return said

    def ask(
        self, uin: int, command: str, *, how: dict[str, Any] | None = None, **fields: Any
    ) -> Said:
        """Have somebody send a request; `how` goes to `line`."""
        head = f"VER=1.4&CON=1&CMD={command}&SEQ={self._number + 1}&UIN={uin}"
        head += "" if command == "Login" else "&SID=&XP=C4CA4238A0B92382"
        more = {"stream": uin % 1000, **(how or {})}
        self._asked = self.line(Role.CLIENT, head + _fields(fields), **more)
        return self._asked

    def answer(self, command: str, *, how: dict[str, Any] | None = None, **fields: Any) -> Said:
        """Have the server answer what was asked last."""
        asked = self._asked
        assert asked is not None
        values = asked.line.values()
        head = f"VER=1.1&CMD={command}&SEQ={values['SEQ']}&UIN={values['UIN']}"
        more = {"stream": asked.stream, "over": asked.over, "actor": asked.actor, **(how or {})}
        return self.line(Role.SERVER, head + _fields({"RES": 0, **fields}), request=asked, **more)

    def push(self, uin: int, command: str, **fields: Any) -> Said:
        """Have the server say something unasked."""
        head = f"VER=1.1&CMD={command}&SEQ={1400065300 + self._number}&UIN={uin}&RES=0"
        return self.line(Role.SERVER, head + _fields(fields), stream=uin % 1000)

    def note(self, kind: str, words: str, stream: int = 0) -> None:
        """Add a note."""
        time = self.time if self._has_times else None
        self.items.append(Note(kind, words, time, self._number, stream))


def _fields(fields: dict[str, Any]) -> str:
    return "".join(f"&{key}={value}" for key, value in fields.items())


def evening(*, times: bool = True) -> Sayings:
    """Anna (10001) signs in with a captcha and talks with 小波 (10002), who comes over HTTP."""
    talk = Sayings(times=times)
    talk.note("opened", "192.0.2.1:40001 connects", 1)
    talk.ask(10001, "Login", **LOGIN)
    talk.answer("VERIFYCODE", SC=1, NT="", VC=PNG)
    talk.ask(10001, "VERIFYCODE", how={"after": 9.0}, SC=2, VC="K3PX")
    talk.answer("Login", RS=0, HI=60, LI=300, SG="ab" * 32, SSG=12345)
    talk.ask(10001, "SimpleInfo2", UN=0, TO=0)
    talk.answer("SIMPLEINFO2", NP=65535, SN=2, UN="10002,10003,", FC="0,3,", NK="小波,Bob,")
    talk.ask(10001, "Query_Stat2", CM=2, UN=0)
    talk.answer("QUERY_STAT2", FN=1, SN=2, ST="10,30,", UN="10002,10003,")
    talk.ask(10001, "CLTMSG", how={"after": 125.0}, UN=10002, MG="今晚去看电影吗？")
    talk.answer("CLTMSG", how={"after": 0.0003})
    talk.ask(10002, "GetMsgEx", how={"over": "http"})
    talk.answer("GETMSGEX", MN=1, MT="9,", UN="10001,", MG="今晚去看电影吗？,")
    posted = b"\x00\x4fVER=1.1&CMD=CltMsg&SEQ=99&UIN=10002&UN=10001&MG=OK!"
    talk.line(Role.CLIENT, posted, stream=2, over="http")
    talk.push(10001, "Server_Msg", MN=1, MT=9, UN=10002, MG="OK!")
    talk.push(10001, "update_stat", ST=20, UN=10003)
    talk.ask(10001, "AddToList", UN=10999)
    talk.answer("ADDTOLIST", RES=5)
    talk.ask(10001, "Logout")
    talk.answer("LOGOUT")
    talk.note("closed", "the connection is closed", 1)
    return talk


HOSTILE = (
    "<script>alert(1)</script>",
    '"]]>--><img src=x onerror=alert(1)>',
    "a\u202egnp.exe",
    "%0a%0d%00%1b[31mred",
    "W" * 500,
    "😀👨\u200d👩\u200d👧🏳️\u200d🌈" * 8,
    "שלום עולם",
    "`code` **b** #1; end %% {a} $$x$$ \\",
    "\udcff\udcfe",
    "",
)
"""Texts and names that somebody may send."""


def hostile() -> Sayings:
    """All that strangers may send, as texts, names and commands."""
    talk = Sayings()
    for place, text in enumerate(HOSTILE):
        uin = 10001 + place % 3
        talk.ask(uin, "CLTMSG", UN=10002, MG=text)
        talk.answer("CLTMSG", RES=(0, 1, 20, 7)[place % 4])
        talk.ask(uin, "SimpleInfo2", UN=0, TO=0)
        talk.answer("SIMPLEINFO2", NP=65535, SN=1, UN="10002,", FC="0,", NK=f"{text},")
        talk.note("cut", text, uin % 1000)
    talk.line(Role.CLIENT, b"\xff\xfe\x00junk no field", stream=7)
    talk.line(Role.CLIENT, "VER=9.9&CMD=" + "X" * 80 + "&SEQ=x&UIN=y")
    talk.line(Role.SERVER, "")
    talk.line(Role.SERVER, "VER=1.1&CMD=<b>&SEQ=1&UIN=10001&RES=0")
    return talk
