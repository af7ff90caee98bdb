"""QQClient (PHP, HTTP, 1.1), with the script that polls.

The source of its HTTP helper is lost: it was given an empty path and an array of fields. So the
fields go out as they are, or coded as a form (`coded`), and the body that comes back is not
trimmed, which is the harder case.
"""

import random
import re

from imitations.posting import Fields, form, post, raw, request
from imitations.reading import lower_md5

Values = dict[str, str]


def php_int(text: str) -> int:
    """Return what PHP takes a text for when it compares it with a number."""
    found = re.match(r"\s*[+-]?\d+", text)
    return int(found[0]) if found else 0


class QQClient:
    """The class; `is_dumped` counts the answers that it printed because their status was not 200.

    `friends`, `online`, `info`, `messages` are what it returned.
    """

    def __init__(
        self, port: int, uin: int, password: str = "secret", *, coded: bool = False
    ) -> None:
        self.uin = uin
        self.error = ""
        self.dumped = 0
        self.friends: list[str] = []
        self.online: list[tuple[str, str, str, str]] = []
        self.info: Values = {}
        self.messages: list[tuple[str, str, str]] = []
        """Type, number and text of each message, the text trimmed as the script does."""
        self._port = port
        self._password = password
        self._coded = coded

    def login(self) -> bool:
        """Sign in."""
        values = self._ask("Login", ("PS", lower_md5(self._password)), ("M5", "1"),
                           ("LC", "9326B87B234E7235"))  # fmt: skip
        if not self._is_good(values):
            self.error = "no answer"
            return False
        self.error = values.get("RA", "")
        return php_int(values.get("RS", "")) == 0

    def logout(self) -> bool:
        """Sign out."""
        return self._is_good(self._ask("Logout"))

    def change_status(self, status: int) -> bool:
        """Change the status."""
        return self._is_good(self._ask("Change_stat", ("ST", str(status))))

    def get_list(self) -> bool:
        """Fetch the friends' numbers."""
        values = self._ask("List", ("TN", "160"), ("UN", "0"))
        if self._is_good(values):
            self.friends = _items(values.get("UN", ""))
        return self._is_good(values)

    def get_online(self) -> bool:
        """Fetch who is online."""
        values = self._ask("Query_Stat", ("TN", "50"), ("UN", "0"))
        if not self._is_good(values) or php_int(values.get("SN", "")) <= 0:
            return False
        lists = (_items(values.get(name, "")) for name in ("UN", "NK", "ST", "FC"))
        self.online = list(zip(*lists, strict=False))
        return True

    def get_info(self, number: int) -> bool:
        """Fetch a profile."""
        self.info = self._ask("GetInfo", ("LV", "3"), ("UN", str(number)))
        return self._is_good(self.info)

    def add(self, number: int) -> str:
        """Add somebody; without a `CD` it believes that it did."""
        values = self._ask("AddToList", ("UN", str(number)))
        if not self._is_good(values):
            return "error"
        codes = {0: "added", 1: "verification", 3: "refused"}
        return codes.get(php_int(values.get("CD", "")), "unknown")

    def acknowledge(self, number: int, code: int, words: str = "") -> bool:
        """Accept (0) or reject (1) a request, or send one (2)."""
        fields = ("UN", str(number)), ("CD", str(code)), ("RS", words)
        return self._is_good(self._ask("Ack_AddToList", *fields, ver="1.2"))

    def delete(self, number: int) -> bool:
        """Delete a friend."""
        return self._is_good(self._ask("DelFromList", ("UN", str(number))))

    def send_message(self, number: int, text: str) -> bool:
        """Send a message; nothing in it is escaped."""
        return self._is_good(self._ask("CLTMSG", ("UN", str(number)), ("MG", text)))

    def poll(self) -> bool:
        """Fetch messages, as the script does every two seconds; return whether there were any."""
        values = self._ask("GetMsgEx")
        if not self._is_good(values) or php_int(values.get("MN", "")) <= 0:
            return False
        types, numbers, texts = (_items(values.get(name, "")) for name in ("MT", "UN", "MG"))
        if (len(types) == len(numbers)) != (len(numbers) == len(texts)):
            return False
        self.messages += zip(types, numbers, map(str.rstrip, texts), strict=False)
        return True

    def _ask(self, command: str, *fields: tuple[str, str], ver: str = "1.1") -> Values:
        seq = str(random.randrange(1000, 10000))
        whole: Fields = [("VER", ver), ("CMD", command), ("SEQ", seq), ("UIN", str(self.uin))]
        whole += fields
        body = form(whole, plus=True) if self._coded else raw(whole)
        headers = ["Host: 119.147.65.70", "Content-Type: application/x-www-form-urlencoded",
                   "Content-Length: #", "Connection: close"]  # fmt: skip
        answer = post(self._port, request("POST  HTTP/1.1", headers, body))
        if answer.status != 200:
            self.dumped += 1
        parts = (part.split("=") for part in answer.text.split("&"))
        return {part[0]: part[1] if len(part) > 1 else "" for part in parts}

    def _is_good(self, values: Values) -> bool:
        return php_int(values.get("RES", "")) == 0 and php_int(values.get("UIN", "")) == self.uin


def _items(value: str) -> list[str]:
    items = value.split(",")
    return items[:-1] if not items[-1] else items
