"""The Python 2 scripts of 2005 (HTTP with httplib, 1.0)."""

import time

from imitations.posting import post, request
from imitations.reading import lower_md5


class Script:
    """The script; `printed` is what it prints, decoded as UTF-8.

    One variant has a blank behind the password (`after`).
    """

    def __init__(
        self, port: int, uin: int, password: str = "secret", *, ver: str = "1.0", after: str = ""
    ) -> None:
        self.printed: list[str] = []
        self._after = after
        self._port = port
        self._uin = uin
        self._password = password
        self._ver = ver

    def login(self) -> None:
        """Sign in."""
        self._send("Login", f"PS={lower_md5(self._password)}{self._after}&M5=1&LC=9326B87B234E7235")

    def get_list(self) -> None:
        """Fetch friends."""
        self._send("List", "TN=160&UN=0")

    def say(self, number: int, text: str) -> None:
        """Send a message."""
        self._send("CLTMSG", f"UN={number}&MG={text}")

    def get_messages(self) -> None:
        """Fetch messages."""
        self._send("GetMsgEx", "")

    def _send(self, command: str, fields: str) -> None:
        seq = str(int(time.time() * 100))[-5:]
        line = f"VER={self._ver}&CMD={command}&SEQ={seq}&UIN={self._uin}"
        body = f"{line}&{fields}" if fields else line
        headers = ["Host: tqq.tencent.com:8000", "Accept-Encoding: identity", "Content-Length: #"]
        answer = post(self._port, request("POST / HTTP/1.1", headers, body.encode()))
        self.printed.append(answer.body.decode("utf-8"))
