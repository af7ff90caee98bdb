"""SET_MQQ of iQQOL (PHP with curl, HTTP, 1.4)."""

import random

from imitations.posting import Answer, post, request
from imitations.reading import XP, upper_md5


class SetMQQ:
    """The class. The older copy (`always`) signs in before every call.

    `picture` is what it took for a picture, as hex; `state` what it believes of itself.
    """

    def __init__(
        self, port: int, uin: int, password: str = "secret", *, always: bool = False, cke: str = ""
    ) -> None:
        self.uin = uin
        self.state = "offline"
        self.picture = ""
        self.friends = ""
        self.seen: list[tuple[str, str, str]] = []
        """Number, nickname and text of each message."""
        self.sign_ins = 0
        self.answer = ""
        self._port = port
        self._password = password
        self._always = always
        self._cke = cke

    def login(self, status: int = 10) -> str:
        """Sign in; return what it makes of the answer."""
        self.sign_ins += 1
        head = f"VER=1.4&CON=1&CMD=Login&SEQ={self._seq()}&UIN={self.uin}"
        text = self._post(
            f"{head}&PS={upper_md5(self._password)}&M5=1&LG=0&ST={status}&LC=812822641C978097"
            f"&GD=TW00QOJ9KUVD753S&CKE={self._cke}"
        ).text
        if "CMD=VERIFYCODE" in text:
            self.picture = text.partition("&VC=")[2]
            self.state = "picture"
        elif "Password error" in text:
            self.state = "wrong password"
        elif "&RS=0" in text:
            self.state = "online"
        else:
            self.state = "error"
        return self.state

    def type_letters(self, letters: str) -> bool:
        """Answer the picture on another connection; no other picture is success."""
        head = f"VER=1.4&CON=1&CMD=VERIFYCODE&SEQ={self._seq()}&UIN={self.uin}&SID=&XP={XP}"
        text = self._post(f"{head}&SC=2&VC={letters}").text
        if "&VC=" in text:
            self.picture = text.partition("&VC=")[2]
            return False
        self.state = "online"
        return True

    def change_status(self, status: int, command: str = "Change_Stat") -> bool:
        """Change the status; one copy signs in again if it was signed out."""
        self._sign_in_first()
        text = self._post(self._line(command, f"&ST={status}")).text
        if "&RES=20" in text:
            self.state = "offline"
            return False
        return True

    def get_list(self) -> None:
        """Fetch friends: all that follows `&UN=`, the line end, too."""
        self._sign_in_first()
        self.friends = self._post(self._line("List", "")).text.partition("&UN=")[2]

    def nick(self, number: str) -> str:
        """Fetch a nickname."""
        text = self._post(self._line("GetInfo", f"&LV=1&UN={number}")).text
        return text.partition("&NK=")[2].partition("&")[0].rstrip("\r\n")

    def say(self, number: str, text: str) -> None:
        """Send a message with a code that belongs to somebody else."""
        self._sign_in_first()
        text = text.replace("\n", "%0D%0A")
        head = f"VER=1.4&CON=0&CMD=CLTMSG&SEQ={self._seq()}&UIN={self.uin}&SID="
        self._post(f"{head}&XP=B58304217ADD0489&UN={number}&MG={text}")

    def poll(self) -> None:
        """Fetch messages and answer each."""
        self._sign_in_first()
        head = f"VER=1.4&CON=0&CMD=GetMsgEx&SEQ={self._seq()}&UIN={self.uin}&SID="
        text = self._post(f"{head}&XP=29E41F6186ED43F8").text
        before, found, rest = text.partition("&UN=")
        if not found:
            return
        numbers, _, texts = rest.partition("&MG=")
        types = before.partition("&MT=")[2]
        lists = ([item for item in value.split(",") if item] for value in (types, numbers, texts))
        for kind, number, words in zip(*lists, strict=False):
            if kind == "99" or number == "10000":
                continue
            self.seen.append((number, self.nick(number), words))
            if self.answer:
                self.say(number, self.answer)

    def _sign_in_first(self) -> None:
        if self._always:
            self.login()

    def _seq(self) -> int:
        return random.randrange(1, 9001)

    def _line(self, command: str, fields: str) -> str:
        return f"VER=1.4&CMD={command}&SEQ={self._seq()}&UIN={self.uin}{fields}"

    def _post(self, line: str) -> Answer:
        headers = ["User-Agent: iQQol Client", "Host: 119.147.10.10:14000", "Accept: */*",
                   "Content-Length: #",
                   "Content-Type: application/x-www-form-urlencoded"]  # fmt: skip
        return post(self._port, request("POST / HTTP/1.1", headers, line.encode()))
