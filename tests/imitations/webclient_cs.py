"""The C# class of 2010 around WebClient (HTTP, 1.1 and 1.2), and its copies on cnblogs."""

import re
import select
import socket
import time

from imitations.posting import Fields, KeepAlive, raw, request
from imitations.reading import lower_md5

FIELD = re.compile(r"&([A-Z]{2})=([^&]*)")
MESSAGES = re.compile(r"&MT=(.*?)&UN=(.*?)&MG=(.*)")


class WebClientQQ(KeepAlive):
    """The class; `buffer` is the last reply that was not empty, which it looks at for everything.

    .NET asks for `100 Continue`, and sends the body without it after 350 ms; `patience` is less,
    to keep tests quick.
    """

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        super().__init__(port)
        self.uin = uin
        self.patience = 0.03
        self.buffer = ""
        self.is_signed_in = False
        self.friends: list[str] = []
        self.online: list[tuple[str, str, str, str]] = []
        self.info: list[str] = []
        self.sex = ""
        self.messages: list[tuple[str, str, str]] = []
        self._password = password

    def login(self) -> bool:
        """Sign in; a blank follows the password."""
        self._ask("Login", ("PS", f"{lower_md5(self._password)} "), ("M5", "1"),
                  ("LC", "9326B87B234E7235"))  # fmt: skip
        self.is_signed_in = "RES=0&RS=0" in self.buffer
        return self.is_signed_in

    def logout(self) -> bool:
        """Sign out."""
        self._ask("Logout")
        return "&RES=0" in self.buffer

    def change_status(self, status: int) -> bool:
        """Change the status."""
        self._ask("Change_Stat", ("ST", str(status)))
        return "&RES=0" in self.buffer

    def get_list(self) -> None:
        """Fetch friends; it splits the whole line, so the head is part of the first number."""
        self._ask("List", ("TN", "160"), ("UN", "0"))
        self.friends = self.buffer.split(",")

    def query_stat(self) -> None:
        """Read who is online out of the last reply: it never sends the request."""
        faces = self._between("&FC=", "&FN=")
        statuses = self._between("&ST=", "&UN=")
        numbers = self._between("&UN=", "&NK=")
        names = self.buffer[self.buffer.index("&NK=") + 4 :].split(",")
        self.online = list(zip(numbers, names, statuses, faces, strict=False))[:-1]

    def send_query_stat(self) -> None:
        """Send what it does not send; whoever uses it must."""
        self._ask("Query_Stat", ("TN", "50"), ("UN", "0"))

    def get_info(self, number: int) -> None:
        """Fetch a profile: the values in order, the one of level removed."""
        self._ask("GetInfo", ("LV", "2"), ("UN", str(number)))
        self.info = [value for _, value in FIELD.findall(self.buffer)]
        del self.info[6]
        self.sex = "male" if self.info[12] == "0" else "female"

    def add(self, number: int) -> str:
        """Add somebody and return the code."""
        self._ask("AddToList", ("UN", str(number)))
        return self.buffer[self.buffer.index("&CD=") + 4]

    def acknowledge(self, number: int, code: int, words: str = "") -> bool:
        """Accept (0) or reject (1) a request, or send one (2)."""
        self._ask("Ack_AddToList", ("UN", str(number)), ("CD", str(code)), ("RS", words))
        return "&RES=0" in self.buffer

    def delete(self, number: int) -> bool:
        """Delete a friend."""
        self._ask("DelFromList", ("UN", str(number)))
        return "&RES=0" in self.buffer

    def say(self, number: int, text: str) -> bool:
        """Send a message by 1.2; return whether it was taken."""
        self._ask("CLTMSG", ("UN", str(number)), ("MG", text), ver="1.2")
        if "&RES=20" in self.buffer:
            self.is_signed_in = False
        return "&RES=0" in self.buffer

    def poll(self) -> None:
        """Fetch messages; without any it believes that it is signed out, which is its bug."""
        self._ask("GetMsgEx")
        reply = self.buffer.replace("\r", "\n")
        if "&MN=0" in reply or "&MN=" not in reply:
            self.is_signed_in = False
            return
        found = MESSAGES.search(reply)
        assert found is not None
        types, numbers, texts = (found[group].split(",") for group in (1, 2, 3))
        texts[:-1] = map(_unescape, texts[:-1])
        self.messages += list(zip(types, numbers, texts, strict=False))[:-1]

    def _between(self, start: str, end: str) -> list[str]:
        begin = self.buffer.index(start) + len(start)
        return self.buffer[begin : self.buffer.index(end)].split(",")

    def _ask(self, command: str, *fields: tuple[str, str], ver: str = "1.1") -> None:
        seq = str(time.time_ns() // 100)[-8:-1]
        whole: Fields = [("VER", ver), ("CMD", command), ("SEQ", seq), ("UIN", str(self.uin))]
        body = raw(whole + list(fields))
        headers = ["Host: tqq.tencent.com:8000", "Content-Length: #", "Expect: 100-continue",
                   "Connection: Keep-Alive"]  # fmt: skip
        data = request("POST / HTTP/1.1", headers, body)

        def send(link: socket.socket) -> None:
            link.sendall(data[: -len(body)])
            select.select([link], [], [], self.patience)
            link.sendall(body)

        answer = self.exchange(send)
        if answer.body:
            self.buffer = answer.text


def _unescape(text: str) -> str:
    """Undo what is escaped, in the wrong order, and the comma in one case only."""
    return text.replace("%25", "%").replace("%26", "&").replace("%2c", ",")
