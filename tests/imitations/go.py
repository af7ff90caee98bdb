"""The two Go programs (HTTP, 1.4): they sign in, say something, and look at no answer."""

import random

from imitations.posting import connect, request
from imitations.reading import upper_md5


class GoProgram:
    """The program.

    All its commands have the same `SEQ`, since the generator is seeded with the same second. The
    transport would keep a connection, but a body that is not read keeps it from being used again.
    """

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self._port = port
        self._uin = uin
        self._seq = random.randrange(200)
        self._ps = upper_md5(password)
        self.heads: list[bytes] = []
        """The first piece of each answer: Go reads the head, the program nothing."""

    def login(self) -> None:
        """Sign in."""
        self._post(
            f"VER=1.4&CON=1&CMD=Login&SEQ={self._seq}&UIN={self._uin}&PS={self._ps}&M5=1&LG=0"
            "&LC=812822641C978097&GD=EX4RLS2GFYGR6T1R&CKE="
        )

    def say(self, number: int, text: str) -> None:
        """Send a message, not escaped at all, line ends neither."""
        self._post(f"VER=1.4&CMD=CLTMSG&SEQ={self._seq}&UIN={self._uin}&UN={number}&MG={text}")

    def logout(self) -> None:
        """Sign out."""
        self._post(f"VER=1.4&CMD=Logout&SEQ={self._seq}&UIN={self._uin}")

    def _post(self, line: str) -> None:
        headers = ["Host: 121.14.102.159:14000", "User-Agent: Go 1.1 package http",
                   "Content-Length: #", "Content-Type: text/plain;charset=UTF-8",
                   "Accept-Encoding: gzip"]  # fmt: skip
        with connect(self._port) as link:
            link.sendall(request("POST / HTTP/1.1", headers, line.encode()))
            self.heads.append(link.recv(4096))
