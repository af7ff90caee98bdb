"""The mass sender in Delphi (HTTP with Indy, 1.1)."""

import time

from imitations.posting import Answer, Fields, connect, form, read_answer, request
from imitations.reading import lower_md5


class MassSender:
    """The program.

    It tries three times while the answer is empty, which an answer that is late is, too; `late`
    says of how many tries to come that they give up at once, where it would after 2 to 5 seconds.
    """

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self.uin = uin
        self.late = 0
        self.tries = 0
        self.friends: list[str] = []
        self._port = port
        self._password = password
        self._seq = str(time.monotonic_ns())[:5]

    def login(self) -> bool:
        """Sign in; it takes a text with `LI=300` in it for success."""
        reply = self._ask("Login", ("PS", lower_md5(self._password)), ("M5", "1"),
                          ("LC", "9326B87B234E7235"))  # fmt: skip
        return reply.find("LI=300") > 0

    def load(self) -> None:
        """Fetch the friends' numbers: what stands behind the last comma is dropped."""
        text = self._ask("List", ("TN", "160"), ("UN", "0"))
        rest = text[text.index("UN=") + 3 :]
        while "," in rest:
            number, _, rest = rest.partition(",")
            self.friends.append(number)

    def say_to_all(self, text: str) -> None:
        """Send a text to all, one a second really; what is answered does not matter."""
        text = text.replace("\r", "").replace("\n", "")
        for number in self.friends:
            self._ask("CLTMSG", ("UN", number), ("MG", text))

    def _ask(self, command: str, *fields: tuple[str, str]) -> str:
        whole: Fields = [("VER", "1.1"), ("CMD", command), ("SEQ", self._seq),
                         ("UIN", str(self.uin)), *fields]  # fmt: skip
        headers = ["Content-Type: application/x-www-form-urlencoded", "Content-Length: #",
                   "Host: tqq.tencent.com:8000", "Accept: text/html, */*",
                   "Accept-Encoding: identity",
                   "User-Agent: Mozilla/3.0 (compatible; Indy Library)"]  # fmt: skip
        data = request("POST / HTTP/1.0", headers, form(whole, plus=False))
        for _ in range(3):
            self.tries += 1
            answer = self._try(data)
            if answer is not None and answer.body:
                return answer.text
        return ""

    def _try(self, data: bytes) -> Answer | None:
        with connect(self._port) as link:
            link.sendall(data)
            if self.late:
                self.late -= 1
                return None
            return read_answer(link)
