"""What floods do to a server, from several addresses of this machine, and what they get for it."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress

from crowd import FIRST, Lost, post
from stage import request, sign_in_line

GARBAGE = b"\xff\x00VER=1.4&CON=1&CMD=\r\n&UIN=10001\x80&&==\n\n" * 1000
NONSENSE = "".join(
    f"VER=1.4&CON=1&CMD=Nonsense&SEQ={seq}&UIN=10001\r\n" for seq in range(2000)
).encode()
LONG = b"VER=1.4&CMD=Login&UIN=" + b"1" * 2**20
HEAD_WITHOUT_END = b"POST / HTTP/1.1\r\nX-Long: " + b"x" * 2**20
MANY_POSTS = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nVER=1" * 2000
HALF_HEAD = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: "
HALF_BODY = b"POST / HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + bytes(30000)
WRONG = "0" * 32


class Flood:
    """Floods of several kinds until `stop`.

    `closed` counts connections that the server has closed, by kind, and `answers` the answers.
    `most` says how many answers one connection of a kind has got, `sent` how many MiB were sent.
    """

    def __init__(self, port: int) -> None:
        self.closed: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.sent = 0.0
        self._port = port
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin with all kinds."""
        for number, (kind, data) in enumerate({
            "garbage": GARBAGE, "nonsense": NONSENSE, "long": LONG, "head": HEAD_WITHOUT_END,
            "many posts": MANY_POSTS,
        }.items()):  # fmt: skip
            self._begin(self._pour(kind, f"127.0.0.{10 + number}", data))
        for _ in range(60):
            self._begin(self._hold("half heads", "127.0.0.20", HALF_HEAD))
            self._begin(self._hold("half bodies", "127.0.0.21", HALF_BODY))
        for _ in range(4):
            self._begin(self._post("posts", "127.0.0.22"))
            self._begin(self._guess("passwords", "127.0.0.23"))

    async def answered(self, answer: str, count: int) -> None:
        """Wait until there were so many of these answers."""
        while self.answers[answer] < count:
            self._more.clear()
            await self._more.wait()

    async def poured(self, mebibytes: float) -> None:
        """Wait until so much was sent."""
        while self.sent < mebibytes:
            self._more.clear()
            await self._more.wait()

    async def stop(self) -> None:
        """End it all. Raises what went wrong in a flood, other than what servers do to floods."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    def _begin(self, flood: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.create_task(flood))

    async def _pour(self, kind: str, host: str, data: bytes) -> None:
        """Send the same without end, and read what comes."""
        while True:
            with suppress(ConnectionError):
                link = await _connect(self._port, host)
                sending = asyncio.create_task(self._send(link[1], data))
                try:
                    await self._read(kind, link[0])
                finally:
                    sending.cancel()
                    link[1].transport.abort()
                    await asyncio.gather(sending, return_exceptions=True)
            self.closed[kind] += 1

    async def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        while True:
            writer.write(data)
            self.sent += len(data) / 2**20
            self._more.set()
            await writer.drain()
            await asyncio.sleep(0.01)  # we have to feed others, too

    async def _read(self, kind: str, reader: asyncio.StreamReader) -> None:
        lines = 0
        while await reader.readline():
            lines += 1
            self.answers[kind] += 1
            self.most[kind] = max(self.most[kind], lines)

    async def _hold(self, kind: str, host: str, data: bytes) -> None:
        """Send a part of something and keep the connection; come again when it is closed."""
        while True:
            with suppress(ConnectionError):
                reader, writer = await _connect(self._port, host)
                try:
                    writer.write(data)
                    await reader.read()
                finally:
                    writer.transport.abort()
            self.closed[kind] += 1
            await asyncio.sleep(0.05)

    async def _post(self, kind: str, host: str) -> None:
        """Post commands that need a sign-in."""
        while True:
            with suppress(Lost):
                answer = await post(self._port, request("GetMsgEx", FIRST), host)
                self.answers[f"{kind}: {_result(answer)}"] += 1
                self._more.set()

    async def _guess(self, kind: str, host: str) -> None:
        """Try wrong passwords of 10001, and wrong letters where a picture comes."""
        while True:
            with suppress(ConnectionError):
                reader, writer = await _connect(self._port, host)
                try:
                    writer.write(f"{sign_in_line(10001, password=WRONG)}\r\n".encode())
                    while line := await reader.readline():
                        self.answers[f"{kind}: {_result(line)}"] += 1
                        answer = sign_in_line(10001, password=WRONG)
                        if b"CMD=VERIFYCODE" in line:
                            answer = request("VERIFYCODE", 10001, "SC=2&VC=none")
                        writer.write(f"{answer}\r\n".encode())
                finally:
                    writer.transport.abort()
            self.closed[kind] += 1


def _result(line: bytes) -> str:
    """Return the last field of an answer, or that it is a picture."""
    last = line.decode().rstrip().rpartition("&")[2]
    return "picture" if last.startswith("VC=") else last


async def _connect(port: int, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
