"""The Python script of 2014 (HTTP with urllib2, 1.1): a dictionary, so any order, coded."""

import random
import time

from imitations.posting import Answer, form, post, request
from imitations.reading import lower_md5


class Script:
    """The script; `printed` is what it prints, `cookies` what its jar has taken."""

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self.printed: list[str] = []
        self.cookies: list[str] = []
        self._port = port
        self._uin = uin
        self._password = password

    def login(self) -> None:
        """Sign in."""
        self._send(CMD="Login", PS=lower_md5(self._password), M5="1", LC="9326B87B234E7235")

    def say(self, number: int, text: str) -> None:
        """Send a message."""
        self._send(CMD="CLTMSG", UN=str(number), MG=text)

    def get_messages(self) -> None:
        """Fetch messages."""
        self._send(CMD="GetMsgEx")

    def _send(self, **fields: str) -> None:
        fields |= {"VER": "1.1", "SEQ": str(time.time_ns())[-7:], "UIN": str(self._uin)}
        names = list(fields)
        random.shuffle(names)  # the order of a dictionary was that of its hashes
        body = form([(name, fields[name]) for name in names], plus=True)
        headers = ["Accept-Encoding: identity", "Content-Length: #",
                   "Host: tqq.tencent.com:8000", "User-Agent: Python-urllib/2.7",
                   "Connection: close",
                   "Content-Type: application/x-www-form-urlencoded"]  # fmt: skip
        answer: Answer = post(self._port, request("POST / HTTP/1.1", headers, body))
        self.cookies += [answer.headers["set-cookie"]] if "set-cookie" in answer.headers else []
        self.printed.append(answer.text)
