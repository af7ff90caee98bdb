"""The C# of an article on CSDN (HTTP, 1.4), of which an excerpt is left: it ignores most answers.

Its headers are not on record; they are as .NET writes them.
"""

import random

from imitations.posting import KeepAlive, request
from imitations.reading import XP, upper_md5


class CSharp14(KeepAlive):
    """The program."""

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        super().__init__(port)
        self.last = ""
        self._uin = uin
        self._password = password
        self._seq = 130 + random.randrange(10)

    def login(self) -> None:
        """Sign in."""
        self._seq += 1
        self._post(
            f"VER=1.4&CON=1&CMD=Login&SEQ={self._seq}&UIN={self._uin}"
            f"&PS={upper_md5(self._password)}&M5=1&LG=0&LC=812822641C978097"
            "&GD=EX4RLS2GFYGR6T1R&CKE="
        )

    def command(self, command: str, fields: str) -> None:
        """Send any other command."""
        self._seq += 1
        head = f"VER=1.4&CON=1&CMD={command}&SEQ={self._seq}&UIN={self._uin}&SID=&XP={XP}"
        self._post(f"{head}&{fields}" if fields else head)

    def _post(self, line: str) -> None:
        headers = ["Content-Type: application/x-www-form-urlencoded",
                   "Host: 119.147.10.11:14000", "Content-Length: #",
                   "Connection: Keep-Alive"]  # fmt: skip
        data = request("POST / HTTP/1.1", headers, line.encode())
        self.last = self.exchange(lambda link: link.sendall(data)).text
