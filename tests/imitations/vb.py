"""The Visual Basic client of an article of 2013 (TCP, 1.4), of which there is no code.

On record are CRLF, small numbers, and friends in pages at 0, 50, 100, ... until 65535. How it read
is not; this one gathers lines.
"""

from imitations.reading import XP, Lines, fields_of, upper_md5


class VBClient(Lines):
    """The client."""

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self.uin = uin
        self.is_signed_in = False
        self.has_all_friends = False
        self.asked: list[int] = []
        self.friends: list[str] = []
        self.messages: list[tuple[str, str]] = []
        self._password = password
        self._count = 0
        super().__init__(port)

    def login(self) -> None:
        """Sign in."""
        self._send(
            f"VER=1.4&CON=1&CMD=Login&SEQ={self._seq()}&UIN={self.uin}"
            f"&PS={upper_md5(self._password)}&M5=1&LG=0&LC=812822641C978097&GD=TW00QOJ9KUVD753S&CKE="
        )

    def say(self, number: int, text: str) -> None:
        """Send a message."""
        self._send(f"{self._head('CLTMSG')}&UN={number}&MG={text}")

    def heard_line(self, line: str) -> None:
        """Take a line."""
        fields = fields_of(line)
        match fields["CMD"]:
            case "Login":
                self.is_signed_in = fields["RS"] == "0"
                self._ask_for_friends(0)
            case "SIMPLEINFO2":
                self.friends += fields["UN"].split(",")[:-1]
                if fields["NP"] == "65535":
                    self.has_all_friends = True
                else:
                    self._ask_for_friends(self.asked[-1] + 50)
            case "Server_Msg":
                self.messages.append((fields["UN"], fields["MG"]))

    def _ask_for_friends(self, start: int) -> None:
        self.asked.append(start)
        self._send(f"{self._head('SimpleInfo2')}&UN={start}&TO=0")

    def _seq(self) -> int:
        self._count += 1
        return self._count

    def _head(self, command: str) -> str:
        return f"VER=1.4&CON=1&CMD={command}&SEQ={self._seq()}&UIN={self.uin}&SID=&XP={XP}"

    def _send(self, line: str) -> None:
        self.send(f"{line}\r\n".encode())
