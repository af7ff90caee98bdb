"""QQBot (C#, TCP, 1.4): a bot that reports to its owner, and answers whoever writes."""

import random

from PIL import Image

from imitations.reading import MiniQQ, elements_of, picture_in, value_of


class QQBot(MiniQQ):
    """The bot; `answer` is its reply to everybody, and may be empty.

    `windows` are the pictures it has asked somebody to read, and `is_closed` says whether the
    program has ended.
    """

    def __init__(
        self, port: int, uin: int, owner: int, password: str = "secret", *, answer: str = ""
    ) -> None:
        self.owner = owner
        self.answer = answer
        self.sign_ins = 0
        self.is_ready = False
        self.is_closed = False
        self.windows: list[Image.Image] = []
        self.statuses: dict[str, str] = {}
        self.messages: list[tuple[str, str]] = []
        super().__init__(port, uin, password)

    def seq(self) -> str:
        """Pick one of 200 to 998."""
        return str(random.randrange(200, 999))

    def login(self) -> None:
        """Sign in."""
        self.sign_ins += 1
        super().login()

    def tick(self) -> None:
        """Do what its timer does."""
        self.query_stat2()

    def type_letters(self, letters: str) -> None:
        """Type into the window; it sends once."""
        self.write_bytes(f"{self.head('VERIFYCODE')}&SC=2&VC={letters}")

    def group(self, number: int) -> None:
        """Send the command that nothing in it reads an answer to."""
        self.write_bytes(f"{self.head('GROUP_CMD')}&LV=2&UN={number}")

    def heard(self, text: str) -> None:
        """Take a read for a message."""
        if "VER" not in text:
            return
        elements = elements_of(text)
        match elements[1]:
            case "CMD=Login":
                self._login(elements)
            case "CMD=VERIFYCODE":
                self.windows.append(picture_in(elements[7]))
            case "CMD=QUERY_STAT2":
                self._query_stat2(elements)
            case "CMD=update_stat":
                self.statuses[value_of(elements[6])] = value_of(elements[5])
            case "CMD=Server_Msg":
                sender, said = value_of(elements[7]), value_of(elements[8])
                self.messages.append((sender, said))
                self.say(sender, self.answer)

    def _login(self, elements: list[str]) -> None:
        if elements[5] == "RS=0":
            self.is_ready = True
            self.say(str(self.owner), "ready")
        elif elements[5] == "RS=1":
            self.is_closed = True

    def _query_stat2(self, elements: list[str]) -> None:
        if elements[4] == "RES=20":
            self.login()
            return
        statuses, numbers = (value_of(element).split(",")[:-1] for element in elements[7:9])
        self.statuses |= dict(zip(numbers, statuses, strict=True))
