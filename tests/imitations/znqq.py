"""ZNQQ (C#, TCP, 1.4): its service QQService, and Form1 of the same project."""

import random
import time

from PIL import Image

from imitations.reading import MiniQQ, at, elements_of, picture_in, value_of


class ZNQQ(MiniQQ):
    """QQService: signs in, loads friends and statuses, answers whoever writes.

    `answer` is what it says, twice, with `pause` between (a second, really); then it adds whoever
    wrote. `pages` are the numbers and names that it passes on to its window.
    """

    def __init__(
        self, port: int, uin: int, password: str = "secret", *, answer: str = "", pause: float = 0.2
    ) -> None:
        self.answer = answer
        self.pause = pause
        self.sign_ins = 0
        self.pages: list[tuple[str, str]] = []
        self.statuses: dict[str, str] = {}
        self.has_statuses = False
        self.messages: list[tuple[str, str]] = []
        self.boxes: list[str] = []
        self.pictures: list[Image.Image] = []
        self.shown: list[str] = []
        self.ignored: list[str] = []
        super().__init__(port, uin, password)

    def seq(self) -> str:
        """Cut seven digits out of the clock's ticks of 100 ns."""
        return str(time.time_ns() // 100)[-8:-1]

    def login(self) -> None:
        """Sign in."""
        self.sign_ins += 1
        super().login()

    def tick(self) -> None:
        """Do what its timer does every 20 seconds from the start, signed in or not."""
        self.query_stat2()

    def simple_info2(self, start: str = "0") -> None:
        """Ask for friends."""
        self.write_bytes(f"{self.head('SimpleInfo2')}&UN={start}&TO=0")

    def get_info(self, number: int) -> None:
        """Ask for a profile."""
        self.write_bytes(f"{self.head('GetInfo')}&LV=2&UN={number}")

    def add(self, number: str) -> None:
        """Add somebody."""
        self.write_bytes(f"{self.head('AddToList')}&UN={number}")

    def type_letters(self, letters: str) -> None:
        """Answer a picture: its helper can, though its window is commented out."""
        self.write_bytes(f"{self.head('VERIFYCODE')}&SC=2&VC={letters}")

    def heard(self, text: str) -> None:
        """Take a read for a message."""
        if "VER" not in text:
            return
        elements = elements_of(text)
        match elements[1]:
            case "CMD=Login":
                self._login(elements)
            case "CMD=VERIFYCODE":
                self.pictures.append(picture_in(elements[7]))
            case "CMD=SIMPLEINFO2":
                self._simple_info2(elements)
            case "CMD=QUERY_STAT2":
                self._query_stat2(elements)
            case "CMD=Server_Msg":
                self._server_msg(value_of(elements[7]), value_of(elements[8]).split("\n")[0])
            case "CMD=update_stat":
                self.update_stat(elements)
            case "CMD=GETINFO":
                self.shown.append(text)
            case _:
                self.ignored.append(elements[1])

    def _login(self, elements: list[str]) -> None:
        if elements[5] == "RS=0":
            self.simple_info2()
        elif elements[5] == "RS=1":
            self.boxes.append(elements[6])

    def _simple_info2(self, elements: list[str]) -> None:
        self.pages.append((value_of(elements[7]), value_of(elements[9])))
        if elements[5] != "NP=65535":
            self.simple_info2(value_of(elements[5]))
        else:
            self.query_stat2()

    def update_stat(self, elements: list[str]) -> None:
        """Do nothing: it knows the line and ignores it."""

    def _query_stat2(self, elements: list[str]) -> None:
        if elements[4] == "RES=20":
            self.login()
            return
        statuses, numbers = value_of(elements[7]).split(","), value_of(elements[8]).split(",")
        if elements[5] != "FN=1":
            self.query_stat2(at(numbers, len(numbers) - 2))
        self.statuses |= dict(zip(numbers[:-1], statuses[:-1], strict=True))
        self.has_statuses = elements[5] == "FN=1"

    def _server_msg(self, sender: str, text: str) -> None:
        self.messages.append((sender, text))
        if sender == "10000" or not self.answer:
            return
        self.say(sender, self.answer)
        time.sleep(self.pause)
        self.say(sender, self.answer)
        self.add(sender)


class Form1(ZNQQ):
    """The window of the same project: it numbers at random, and looks at changes of status."""

    def seq(self) -> str:
        """Pick one of 200 to 998."""
        return str(random.randrange(200, 999))

    def update_stat(self, elements: list[str]) -> None:
        """Take the number from element 6, the status from element 5."""
        self.statuses[value_of(elements[6])] = value_of(elements[5])
