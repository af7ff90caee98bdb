"""RMPS and its class JQQ (Java, HTTP, 1.1): fields in the order of a hash table."""

import random
import time

from imitations.posting import KeepAlive, request
from imitations.reading import upper_md5


class JQQ(KeepAlive):
    """The class; `logged` are the exceptions that it wrote down and went on from."""

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        super().__init__(port)
        self.logged: list[Exception] = []
        self.values: dict[str, str] = {}
        self._uin = uin
        self._password = password

    def login(self) -> bool:
        """Sign in; a wrong password is `RES=0` as well, so it counts."""
        return self._ask(CMD="Login", PS=upper_md5(self._password), M5="1", LC="9326B87B234E7235")

    def get_list(self) -> bool:
        """Mean to fetch friends; the command says `Login`."""
        return self._ask(CMD="Login", TN="160", UN="0")

    def say(self, number: int, text: str) -> bool:
        """Send a message."""
        return self._ask(CMD="CLTMSG", UN=str(number), MG=text)

    def change_status(self, status: int) -> bool:
        """Change the status."""
        return self._ask(CMD="Change_Stat", ST=str(status))

    def _ask(self, **fields: str) -> bool:
        """Return whether `RES` is 0, or the answer could not be taken apart."""
        fields |= {"VER": "1.1", "SEQ": str(time.time_ns() // 10**6)[-5:], "UIN": str(self._uin)}
        names = list(fields)
        random.shuffle(names)
        body = "&".join(f"{name}={fields[name]}" for name in names).encode("gb2312")
        headers = ["User-Agent: Java/1.6.0", "Host: 219.133.60.211:8000",
                   "Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
                   "Connection: keep-alive",
                   "Content-type: application/x-www-form-urlencoded",
                   "Content-Length: #"]  # fmt: skip
        data = request("POST / HTTP/1.1", headers, body)
        text = self.exchange(lambda link: link.sendall(data)).text
        self.values = {}
        try:
            for part in text.strip().split("&"):
                args = part.split("=")
                while args and not args[-1]:  # Java drops empty texts at the end
                    args.pop()
                self.values[args[0]] = args[1]
        except IndexError as error:
            self.logged.append(error)
            return True
        return self.values["RES"] == "0"
