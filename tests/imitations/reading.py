"""How clients read a TCP connection: each read taken for one message, or lines.

A thread reads, as in all of these clients, and hands over what came; the test waits until the
client has understood something.
"""

import io
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from hashlib import md5
from types import TracebackType
from typing import Self

from PIL import Image

WAIT = 5.0
"""Seconds after which something that was waited for is taken for lost."""
XP = "C4CA4238A0B92382"


def upper_md5(password: str) -> str:
    """Return `PS` as most clients of 1.4 sent it."""
    return lower_md5(password).upper()


def lower_md5(password: str) -> str:
    """Return `PS` as PHP, Python and the C# of 2010 sent it."""
    return md5(password.encode(), usedforsecurity=False).hexdigest()


class Reading(ABC):
    """A connection with a thread that reads it.

    `errors` are the exceptions that its read loop swallowed, `reads` what each read brought.
    """

    BUFFER = 100_000

    def __init__(self, port: int) -> None:
        self.errors: list[Exception] = []
        self.reads: list[bytes] = []
        self.is_over = False
        """The server has closed. ZNQQ's loop spins from now on; none of them connects again."""
        self._changed = threading.Condition(threading.RLock())
        self._socket = socket.create_connection(("127.0.0.1", port), WAIT)
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection without a word, as all of them do when they end."""
        if self._socket.fileno() >= 0 and not self.is_over:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT)
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Write bytes."""
        self._socket.sendall(data)

    def wait(self, understood: Callable[[], object], what: str = "") -> None:
        """Return once the client has understood something."""
        with self._changed:
            done = self._changed.wait_for(lambda: bool(understood()), WAIT)
        assert done, f"{what or 'nothing'}; it read {self.reads[-3:]}, and swallowed {self.errors}"

    @abstractmethod
    def take(self, data: bytes) -> None:
        """Take what one read brought."""

    def _run(self) -> None:
        while True:
            try:
                data = self._socket.recv(self.BUFFER)
            except ConnectionError:
                data = b""
            with self._changed:
                if data:
                    self.reads.append(data)
                    try:
                        self.take(data)
                    except (IndexError, ValueError, OSError) as error:
                        self.errors.append(error)
                else:
                    self.is_over = True
                self._changed.notify_all()
            if not data:
                return


class OneRead(Reading):
    """A reader that takes each read for one message, and all of its buffer for what was read.

    The buffer has 100,000 bytes and begins as zeros; how many were read is never looked at.
    """

    def take(self, data: bytes) -> None:
        """Decode the whole buffer, zeros and all."""
        buffer = bytearray(self.BUFFER)
        buffer[: len(data)] = data
        self.heard(buffer.decode("utf-8", "replace"))

    @abstractmethod
    def heard(self, text: str) -> None:
        """Take a text for one message."""


class MiniQQ(OneRead):
    """What ZNQQ and QQBot have in common: .NET's BinaryWriter for some commands, LF at the end."""

    def __init__(self, port: int, uin: int, password: str = "secret") -> None:
        self.uin = uin
        self._password = password
        super().__init__(port)

    def write_string(self, line: str) -> None:
        """Write as `BinaryWriter.Write(string)` does: the length in front, seven bits a byte."""
        data = f"{line}\n".encode()
        self.send(length_prefix(len(data)) + data)

    def write_bytes(self, line: str) -> None:
        """Write the text alone."""
        self.send(f"{line}\n".encode())

    def login(self) -> None:
        """Sign in."""
        self.write_string(
            f"VER=1.4&CON=1&CMD=Login&SEQ={self.seq()}&UIN={self.uin}"
            f"&PS={upper_md5(self._password)}&M5=1&LG=0&LC=812822641C978097&GD=TW00QOJ9KUVD753S&CKE="
        )

    def head(self, command: str) -> str:
        """Return what all commands but the sign-in begin with."""
        return f"VER=1.4&CON=1&CMD={command}&SEQ={self.seq()}&UIN={self.uin}&SID=&XP={XP}"

    def say(self, number: str, text: str) -> None:
        """Send a message; nothing in it is escaped."""
        self.write_string(f"{self.head('CLTMSG')}&UN={number}&MG={text}")

    def query_stat2(self, start: str = "0") -> None:
        """Ask for statuses; a timer does it every 20 s, before the sign-in has finished, too."""
        self.write_bytes(f"{self.head('Query_Stat2')}&CM=2&UN={start}")

    @abstractmethod
    def seq(self) -> str:
        """Return the next `SEQ`."""


def length_prefix(length: int) -> bytes:
    """Return a length as .NET writes it before a string."""
    prefix = bytearray()
    while length > 127:
        prefix.append(length & 127 | 128)
        length >>= 7
    return bytes([*prefix, length])


def elements_of(text: str) -> list[str]:
    """Split as ZNQQ and QQBot do: at `&`, and the last element cut at the first CR."""
    elements = text.split("&")
    elements[-1] = elements[-1].split("\r")[0]
    return elements


def value_of(element: str) -> str:
    """Return what stands between the first `=` and the second."""
    return element.split("=")[1]


def picture_in(element: str) -> Image.Image:
    """Return the picture whose bytes an element has in hexadecimal."""
    picture = Image.open(io.BytesIO(bytes.fromhex(value_of(element))))
    picture.load()
    return picture


def at(items: list[str], index: int) -> str:
    """Return an element as other languages do: there is none before the first."""
    if index < 0:
        raise IndexError(index)
    return items[index]


class Lines(Reading):
    """A reader that gathers bytes and cuts them at CRLF."""

    def __init__(self, port: int) -> None:
        self._pending = b""
        super().__init__(port)

    def take(self, data: bytes) -> None:
        """Hand over each line that is whole."""
        *lines, self._pending = (self._pending + data).split(b"\r\n")
        for line in lines:
            self.heard_line(line.decode())

    @abstractmethod
    def heard_line(self, line: str) -> None:
        """Take one line."""


def fields_of(line: str) -> dict[str, str]:
    """Return names and values, with all that follows the first `=`."""
    pairs = (part.partition("=") for part in line.split("&"))
    return {name: value for name, _, value in pairs}
