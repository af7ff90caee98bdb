"""One end of one conversation: bytes in, events out, bytes back. No I/O, and time is an argument.

    connection = Connection(Role.CLIENT)
    write(connection.send(Login(seq="200", uin=10001, ...), now))
    for event in connection.receive(read(), now):
        ...

`now` is in seconds on any clock that does not go back.
"""

from dataclasses import dataclass, field
from enum import Enum

from kqq.errors import LocalProtocolError, RemoteProtocolError
from kqq.protocol.catalogue import CaptchaAnswer, LoginReply
from kqq.protocol.messages import Role, decode, encode
from kqq.protocol.schema import Message, Reply, Request, Unreadable
from kqq.protocol.wire import LINE_LIMIT, Line, LineBuffer

LINE_END = b"\r\n"
"""What we write; the real server did (ZN and QB cut the last field at the CR)."""

_NOISE = 2
"""COMPAT(ZNQQ, QQBot): a length prefix may hold an LF byte, which leaves a fragment of one or two
bytes before the line it belongs to; it is no line and gets no answer."""


class Framing(Enum):
    """Where a line ends."""

    LINES = "lines"
    """At LF, with or without CR before it: TCP."""
    BODY = "body"
    """At the end of the stream, whatever is in it: the body of an HTTP POST."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a connection takes.

    `line`: bytes of a line. `answer`: seconds a client waits for a reply. `idle`: seconds without
    a byte from the other end before an `Idle` event, None for ever.
    """

    line: int = LINE_LIMIT
    answer: float = 30.0
    idle: float | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply and the request it answers; a client gets it in place of the bare reply."""

    request: Request[Reply]
    reply: Reply


@dataclass(frozen=True, slots=True)
class Expired:
    """No answer to `request` came in time."""

    request: Request[Reply]


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing came from the other end for `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing more will come: the stream ended, or its framing broke and `error` says how.

    `unfinished` holds the bytes of a line whose end never came. They are not read as a message:
    half a text must not be sent to a friend.
    """

    error: RemoteProtocolError | None = None
    unfinished: bytes = field(default=b"", repr=False)


Event = Message | Answered | Unreadable | Expired | Idle | Closed


class Connection:
    """One end of a conversation; `role` says which.

    `closed` is true once a `Closed` event was given; from then on nothing comes, and a client can
    send no more, while a server may still answer what came before. `old_habits` is true once the
    other end sent a line as no phone did, and some clients do that take each read for one message:
    a bare LF at the end, or junk in front. `pipelines` is true once it sent two lines in one go, so
    it reads a stream; but not with old habits (ZNQQ and yiwoSDK may send two lines that come as
    one piece, and read one). `noise` says how many fragments that are no lines the last `receive`
    passed over; `ending` is the `Closed` event once it was due.
    """

    __slots__ = (
        "_framing",
        "_has_pipelined",
        "_heard",
        "_limits",
        "_lines",
        "_sends_requests",
        "_waiting",
        "closed",
        "ending",
        "noise",
        "old_habits",
        "role",
    )

    def __init__(
        self, role: Role, framing: Framing = Framing.LINES, limits: Limits | None = None
    ) -> None:
        self.role = role
        self.closed = False
        self.ending: Closed | None = None
        self.old_habits = False
        self.noise = 0
        self._sends_requests = role is Role.CLIENT
        self._has_pipelined = False
        self._framing = framing
        self._limits = limits or Limits()
        self._lines = LineBuffer(self._limits.line)
        self._waiting: list[tuple[Request[Reply], float]] = []
        self._heard: float | None = None

    def receive(self, data: bytes, now: float) -> list[Event]:
        """Return what `data` completes, in order. `b""` means that the stream ended."""
        if self.closed:
            return []
        events = [self.read(raw) for raw in self.split(data, now)]
        if self.ending is not None:
            events.append(self.ending)
        return events

    def split(self, data: bytes, now: float) -> list[bytes]:
        """Return the lines that `data` completes, each for `read`, without its LF.

        It is the first half of `receive`, for who wants to see lines before they are read, and
        reads each when its turn has come. When the stream ended, or broke, `ending` says so.
        """
        if self.closed:
            return []
        self._heard = now
        self.noise = 0
        if not data:
            return self._end()
        if self._framing is Framing.BODY:
            error = self._lines.gather(data)  # only the length can be wrong before it ends
            if error is not None:
                self._close(Closed(error))
            return []
        lines = []
        for raw in self._lines.feed(data):
            if not raw.endswith(b"\r"):
                self.old_habits = True
            if len(raw) <= _NOISE and b"=" not in raw:
                self.noise += 1
                continue
            if not raw.startswith(b"VER=") and Line.decode(raw).junk:
                self.old_habits = True
            lines.append(raw)
        self._has_pipelined = self._has_pipelined or len(lines) > 1
        if self._lines.error is not None:
            self._close(Closed(self._lines.error))
        return lines

    def read(self, raw: bytes) -> Event:
        """Return what a line says that `split` gave, or why it cannot be read."""
        message = decode(Line.decode(raw), self.role.other)
        return self._matched(message) if self._waiting else message

    def forget(self) -> None:
        """Forget what came of a line whose end will not come any more."""
        self._lines = LineBuffer(self._limits.line)

    @property
    def pipelines(self) -> bool:
        """Whether the other end sent two lines in one go, and never as old clients do."""
        return self._has_pipelined and not self.old_habits

    def send(self, message: Message, now: float) -> bytes:
        """Return the bytes that say `message`; a request is then waited for.

        Raises LocalProtocolError if `message` is not ours to send, or cannot be written.
        """
        is_request = isinstance(message, Request)
        if self.closed and self.role is Role.CLIENT:
            raise LocalProtocolError("the connection is closed; open another one")
        if is_request is not self._sends_requests:
            raise LocalProtocolError(f"a {self.role.value} does not send {type(message).__name__}")
        line = encode(message)
        if len(line) > self._limits.line:
            raise LocalProtocolError(
                f"{type(message).__name__} would be a line of {len(line)} bytes; the limit is "
                f"{self._limits.line}, so send less in one message"
            )
        if isinstance(message, Request):
            self._waiting.append((message, now + self._limits.answer))
        if self._heard is None:
            self._heard = now
        return line + LINE_END if self._framing is Framing.LINES else line

    def deadline(self) -> float | None:
        """Return when `tick` must be called at the latest, None if nothing is due."""
        if self.closed:
            return None
        times = [due for _, due in self._waiting[:1]]  # all wait equally long, the oldest is first
        if self._limits.idle is not None and self._heard is not None:
            times.append(self._heard + self._limits.idle)
        return min(times, default=None)

    def tick(self, now: float) -> list[Event]:
        """Return what happened because time passed: requests without answer, silence."""
        if self.closed:
            return []
        late = [request for request, due in self._waiting if due <= now]
        self._waiting = [entry for entry in self._waiting if entry[1] > now]
        events: list[Event] = [Expired(request) for request in late]
        idle = self._limits.idle
        if idle is not None and self._heard is not None and now - self._heard >= idle:
            events.append(Idle(now - self._heard))
            self._heard = now
        return events

    def _end(self) -> list[bytes]:
        unfinished = self._lines.pending
        if self._framing is Framing.BODY and unfinished:
            self._close(Closed())
            return [unfinished]
        self._close(Closed(unfinished=unfinished))
        return []

    def _close(self, ending: Closed) -> None:
        self.closed = True
        self.ending = ending

    def _matched(self, message: Message | Unreadable) -> Event:
        """Return the reply with its request, anything else as it is.

        Matched by command and `SEQ`, since pushes number themselves and may collide. Which `SEQ`
        the sign-in line after a captcha carries is unknown, so it also answers a lone answer to a
        captcha.
        """
        if not isinstance(message, Reply):
            return message
        name = message.command.lower()
        for position, (request, _) in enumerate(self._waiting):
            if request.seq == message.seq and name in _answering(request):
                del self._waiting[position]
                return Answered(request, message)
        if isinstance(message, LoginReply):
            for position, (request, _) in enumerate(self._waiting):
                if isinstance(request, CaptchaAnswer):
                    del self._waiting[position]
                    return Answered(request, message)
        return message


def _answering(request: Request[Reply]) -> set[str]:
    """Return the commands, in lower case, that a reply to `request` may have."""
    names = {reply.spec.command.lower() for reply in request.spec.answers}
    return names | {request.command.lower()}
