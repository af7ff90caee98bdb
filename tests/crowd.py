"""Crowds: many phones at once on raw sockets, from several addresses of this machine.

Each phone notes what it was promised and what it heard; kqq has no part in that but reading the
lists in which messages come over HTTP.
"""

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from kqq.protocol import GetMsgExReply, Line, Role, decode
from stage import WAIT, request, sign_in_line

PATIENCE = 40.0
"""Seconds that something may take while thousands want something."""
SILENCE = 5.0
"""Seconds in which nothing comes, after which what is missing is taken for lost."""
FIRST = 10011
"""The first number of those who only sign in."""
_HEAD = (
    "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n"
)
_MESSAGE = 9  # MT of a message in an answer to GetMsgEx
_ONCE = 1_999_999_999
"""A `SEQ` of ten digits in a sign-in says that the phone confirms what it is pushed."""


class Lost(Exception):
    """The connection is over."""


def address(number: int, of: int = 8) -> str:
    """Return one of `of` addresses of this machine, other than the usual one."""
    return f"127.0.0.{2 + number % of}"


class Notes:
    """What one phone was promised, and what came.

    `promised` and `refused` are the numbers of its messages that were answered, by receiver;
    `texts` those of the messages that came, in order, by sender; `statuses` what came of friends;
    `came` says when each message came last, by its number, in seconds of `time.monotonic`.
    """

    def __init__(self, uin: int) -> None:
        self.uin = uin
        self.promised: dict[int, list[int]] = defaultdict(list)
        self.refused: dict[int, list[int]] = defaultdict(list)
        self.texts: dict[int, list[int]] = defaultdict(list)
        self.statuses: list[tuple[int, int]] = []
        self.came: dict[int, float] = {}

    def note_answer(self, to: int, number: int, result: str) -> None:
        """Note what a message was answered."""
        (self.promised if result == "0" else self.refused)[to].append(number)

    def note_text(self, sender: int, text: str) -> None:
        """Note a message that came."""
        number = int(text.partition("-")[0])
        self.texts[sender].append(number)
        self.came[number] = time.monotonic()


class Phone(asyncio.Protocol, Notes):
    """A phone on a connection of lines; `answered` is called when something was answered.

    One that `confirms` says what it was pushed, once it has read it. For others what their system
    has acknowledged counts as read.
    """

    def __init__(
        self, uin: int, answered: Callable[[], None] = lambda: None, *, confirms: bool = False
    ) -> None:
        super().__init__(uin)
        self.is_lost = False
        self.confirms = confirms
        self._pushed: str | None = None  # SEQ of the last message, until it is confirmed
        self._answered = answered
        self._rest = b""
        self._seq = itertools.count(10_000_000)
        self._sent: dict[str, int] = {}  # receivers of messages without an answer, by SEQ
        self._asked: dict[str, asyncio.Future[dict[str, str]]] = {}
        self._news = asyncio.Event()

    # --- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take all lines that are whole."""
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            self._hear(dict(part.split("=", 1) for part in line.decode().split("&")))
        if self.confirms and self._pushed is not None:
            self.say(request("GetMsgEx", self.uin, seq=int(self._pushed)))
            self._pushed = None
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what waits for an answer."""
        self.is_lost = True
        self._news.set()
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(Lost())
                asked.exception()

    # --- what people do

    async def ask(self, line: str, *, seq: int, patience: float = WAIT) -> dict[str, str]:
        """Say a line and return the fields of its answer. Raises Lost."""
        if self.is_lost:
            raise Lost
        asked: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self._asked[str(seq)] = asked
        self.say(line)
        return await asyncio.wait_for(asked, patience)

    async def command(self, command: str, fields: str = "") -> dict[str, str]:
        """Give a command and return the fields of its answer. Raises Lost."""
        seq = next(self._seq)
        return await self.ask(request(command, self.uin, fields, seq=seq), seq=seq)

    async def sign_in(self, password: str, patience: float = PATIENCE) -> None:
        """Sign in with the MD5 of a password. Raises Lost."""
        seq = _ONCE if self.confirms else 200
        line = sign_in_line(self.uin, seq=seq, password=password)
        answer = await self.ask(line, seq=seq, patience=patience)
        assert (answer["RES"], answer.get("RS")) == ("0", "0"), answer

    async def write(self, to: int, number: int, padding: str = "") -> bool:
        """Send the message `number` and return whether it was taken. Raises Lost."""
        self._sent[str(number)] = to
        answer = await self.ask(message(self.uin, to, number, padding), seq=number)
        return answer["RES"] == "0"

    def send(self, to: int, numbers: Iterable[int], padding: str = "") -> None:
        """Send messages in one go, and go on without the answers."""
        numbers = list(numbers)
        self._sent |= {str(number): to for number in numbers}
        self.say(*(message(self.uin, to, number, padding) for number in numbers))

    def say(self, *lines: str) -> None:
        """Say lines."""
        self.transport.write("".join(f"{line}\r\n" for line in lines).encode())

    async def until(self, holds: Callable[[], bool], patience: float = WAIT) -> None:
        """Wait until something holds that depends on what came. Raises Lost."""
        async with asyncio.timeout(patience):
            while not holds():
                if self.is_lost:
                    raise Lost
                self._news.clear()
                await self._news.wait()

    async def hears(self, sender: int, numbers: Iterable[int]) -> None:
        """Wait until these messages have come, at most PATIENCE. Raises Lost, AssertionError."""
        wanted, came = set(numbers), self.texts[sender]
        try:
            await self.until(lambda: wanted <= set(came), PATIENCE)
        except TimeoutError:
            raise AssertionError(f"from {sender}: {sorted(wanted - set(came))} missing") from None

    async def hears_more_from(self, sender: int, count: int) -> None:
        """Wait until so many more messages have come. Raises Lost."""
        texts = self.texts[sender]
        enough = len(texts) + count
        await self.until(lambda: len(texts) >= enough, PATIENCE)

    async def gets(self, numbers: Iterable[int], silence: float = SILENCE) -> None:
        """Wait until these messages have come, or none has for some seconds. Raises Lost."""
        wanted = set(numbers)
        while not wanted <= self.came.keys():
            count = len(self.came)
            try:
                await self.until(lambda count=count: len(self.came) > count, silence)  # type: ignore[misc]
            except TimeoutError:
                return

    async def read_out(self) -> None:
        """Read until the connection is over."""
        self.transport.resume_reading()
        async with asyncio.timeout(WAIT):
            while not self.is_lost:
                self._news.clear()
                await self._news.wait()

    @property
    def unanswered(self) -> int:
        """How many messages have no answer yet."""
        return len(self._sent)

    @property
    def under_way(self) -> Mapping[int, int]:
        """To whom the messages go that have no answer yet, by their numbers."""
        return {int(number): to for number, to in self._sent.items()}

    def close(self) -> None:
        """Close at once."""
        self.transport.abort()

    def _hear(self, fields: dict[str, str]) -> None:
        command, seq = fields["CMD"].upper(), fields["SEQ"]
        if command == "SERVER_MSG":
            self._pushed = seq
            if fields["MT"] == "9":
                self.note_text(int(fields["UN"]), fields["MG"])
        elif command == "UPDATE_STAT":
            self.statuses.append((int(fields["UN"]), int(fields["ST"])))
        else:
            if command == "CLTMSG":
                self.note_answer(self._sent.pop(seq), int(seq), fields["RES"])
            asked = self._asked.pop(seq, None)
            if asked is not None and not asked.done():
                asked.set_result(fields)
            self._answered()


class Poster(Notes):
    """A phone over HTTP: each line in a POST of its own, on a connection of its own."""

    def __init__(self, uin: int, port: int, host: str, answered: Callable[[], None]) -> None:
        super().__init__(uin)
        self._port = port
        self._host = host
        self._answered = answered

    async def ask(self, line: str, patience: float = PATIENCE) -> Line:
        """Post a line and return its answer. Raises Lost."""
        answer = await post(self._port, line, self._host, patience)
        self._answered()
        return Line.decode(answer.removesuffix(b"\r\n"))

    async def sign_in(self, password: str, patience: float = PATIENCE) -> None:
        """Sign in with the MD5 of a password. Raises Lost."""
        line = sign_in_line(self.uin, password=password)
        answer = (await self.ask(line, patience)).values()
        assert (answer["RES"], answer.get("RS")) == ("0", "0"), answer

    async def poll(self) -> str:
        """Ask for what waits; return the result of that, "0" or a refusal. Raises Lost."""
        answer = await self.ask(request("GetMsgEx", self.uin))
        reply = decode(answer, Role.SERVER)
        if isinstance(reply, GetMsgExReply) and reply.count:
            entries = zip(reply.types or (), reply.numbers or (), reply.texts or (), strict=True)
            for kind, number, text in entries:
                if kind == _MESSAGE:
                    self.note_text(number, text)
        return answer.values()["RES"]


async def post(port: int, line: str, host: str = "127.0.0.1", patience: float = PATIENCE) -> bytes:
    """Post a line from an address and return the body of the answer. Raises Lost."""
    body = line.encode()
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(host, 0))
            try:
                writer.write(_HEAD.format(len(body)).encode() + body)
                answer = await reader.read()
            finally:
                writer.transport.abort()
    except ConnectionError:
        raise Lost from None
    head, _, said = answer.partition(b"\r\n\r\n")
    if f"content-length: {len(said)}\r\n".encode() not in head.lower() + b"\r\n":
        raise Lost
    return said


def message(sender: int, to: int, number: int, padding: str = "") -> str:
    """Return the line that sends a message whose text begins with its number."""
    return request("CLTMSG", sender, f"UN={to}&MG={number}-{padding}", seq=number)
