"""CMQQ of yiwoSDK (C#, TCP, 1.4 with lines of 1.1): each command waits for whatever comes."""

import re

from imitations.reading import WAIT, XP, OneRead, upper_md5

OTHER_XP = "28F8088A712FE94B"


class CMQQ(OneRead):
    """The class; each command returns the text that came first after it, whatever that was.

    `handed_over` are the texts that came while it did not wait; they go to the application.
    """

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self.uin = uin
        self.handed_over: list[str] = []
        self._password = password
        self._count = 0
        self._waits = False
        self._answer = ""
        super().__init__(port)

    def login(self) -> str:
        """Sign in, hidden."""
        return self._ask(
            f"VER=1.4&CON=1&CMD=Login&SEQ={self._seq()}&UIN={self.uin}"
            f"&PS={upper_md5(self._password)}&M5=1&LG=40&LC=812822641C978097&GD=TW00QOJ9KUVD753S&CKE="
        )

    def type_letters(self, letters: str) -> str:
        """Answer a picture."""
        return self._ask(f"{self._head('VERIFYCODE')}&SC=2&VC={letters}")

    def friends(self, start: int = 0) -> str:
        """Ask for friends."""
        return self._ask(f"{self._head('SimpleInfo2')}&UN={start}&TO=0")

    def statuses(self) -> str:
        """Ask for statuses."""
        return self._ask(f"{self._head('Query_Stat2')}&CM=2&UN=0")

    def change_status(self, status: int) -> str:
        """Change the status."""
        return self._ask(f"{self._head('Change_Stat')}&ST={status}")

    def say(self, number: int, text: str) -> str:
        """Send a message."""
        return self._ask(f"{self._head('CLTMSG')}&UN={number}&MG={text}")

    def logout(self) -> str:
        """Sign out."""
        return self._ask(self._head("Logout"))

    def add(self, number: int) -> str:
        """Add somebody, as if over HTTP."""
        return self._ask(f"{self._http_head('AddToList')}&UN={number}")

    def answer_request(self, number: int, code: int, reason: str = "") -> str:
        """Accept (0) or reject (1) a request; 2 is meant as "accept and add"."""
        return self._ask(f"{self._http_head('Ack_AddToList')}&UN={number}&CD={code}&RS={reason}")

    def delete(self, number: int) -> str:
        """Delete a friend."""
        return self._ask(f"{self._http_head('DelFromList')}&UN={number}")

    def finger(self, age: str, sex: str, province: str = "2") -> str:
        """Search."""
        return self._ask(f"{self._http_head('Finger')}&AG={age}&SX={sex}&PV={province}")

    def online(self) -> str:
        """Ask who is online, by 1.1."""
        return self._ask(f"{self._old_head('Query_Stat')}&TN=50&UN=0")

    def info(self, number: int) -> str:
        """Ask for a profile, by 1.1."""
        return self._ask(f"{self._old_head('GetInfo')}&LV=2&UN={number}")

    def send_request(self, number: int, words: str) -> str:
        """Ask to be somebody's friend, by 1.1."""
        return self._ask(f"{self._old_head('Ack_AddToList')}&UN={number}&CD=2&RS={words}")

    def heard(self, text: str) -> None:
        """Take a read for the answer, or hand it over."""
        text = text.rstrip("\0")
        if self._waits:
            self._waits = False
            self._answer = text
        else:
            self.handed_over.append(text)

    def _ask(self, line: str) -> str:
        """Send a line and wait; without an answer it would wait for ever."""
        with self._changed:
            self._waits = True
            self.send(f"{line}\n".encode())
            came = self._changed.wait_for(lambda: not self._waits, WAIT)
        assert came, f"it would wait for ever for an answer to {line}"
        return self._answer

    def _seq(self) -> int:
        self._count += 1
        return self._count

    def _head(self, command: str) -> str:
        return f"VER=1.4&CON=1&CMD={command}&SEQ={self._seq()}&UIN={self.uin}&SID=&XP={XP}"

    def _http_head(self, command: str) -> str:
        return f"VER=1.4&CON=0&CMD={command}&SEQ={self._seq()}&UIN={self.uin}&SID=&XP={OTHER_XP}"

    def _old_head(self, command: str) -> str:
        return f"VER=1.1&CMD={command}&SEQ={self._seq()}&UIN={self.uin}"


def picture_of(text: str) -> bytes:
    """Return the bytes its helper makes of what follows `VC=`.

    It drops the last character, keeps letters and digits, and pads an odd count with a zero in
    front; so it needs a line end behind the digits.
    """
    digits = re.sub("[^0-9A-Za-z]", "", text.split("&VC=")[1][:-1])
    return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
