"""A connection by hand, and what is found on it."""

from itertools import count

from kqq.capture.conversation import Conversation, StreamEvent
from kqq.capture.events import Closed, Data, End, Lost, Note, Opened, Said, Stream

LOGIN = (
    b"VER=1.4&CON=1&CMD=Login&SEQ=200&UIN=10001&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1&LG=0"
    b"&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE=\r\n"
)
SIGNED_IN = b"VER=1.1&CMD=Login&SEQ=200&UIN=10001&RES=0&RS=0&HI=60&LI=300\r\n"
HELLO = b"VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&UN=10002&MG=hello\r\n"
TAKEN = b"VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES=0\r\n"
POLL = b"VER=1.1&CMD=GetMsgEx&SEQ=7&UIN=10001"
NOTHING = b"VER=1.1&CMD=GETMSGEX&SEQ=7&UIN=10001&RES=0&MN=0"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: "


class Wire:
    """One connection and what is found on it; each event comes a second after the other."""

    def __init__(
        self,
        *,
        opener: int | None = 0,
        ports: tuple[int, int] = (40001, 14000),
        conversation: Conversation | None = None,
        number: int = 1,
    ) -> None:
        ends = (End("192.0.2.1", ports[0]), End("198.51.100.7", ports[1]))
        self.stream = Stream(number, ends, opener)
        self.ignored: list[Stream] = []
        self.conversation = conversation or Conversation(self.ignored.append)
        self.heard: list[Said | Note] = []
        self._time = count(1)
        self.feed(Opened(self.stream, 0.0, 0))

    def feed(self, event: StreamEvent) -> None:
        """Feed an event."""
        self.heard += self.conversation.feed(event)

    def client(self, data: bytes) -> None:
        """Let the first end send bytes."""
        self.say(0, data)

    def server(self, data: bytes) -> None:
        """Let the second end send bytes."""
        self.say(1, data)

    def say(self, way: int, data: bytes) -> None:
        """Let one end send bytes."""
        time = next(self._time)
        self.feed(Data(self.stream, way, float(time), time, data))

    def lose(self, way: int, size: int) -> None:
        """Lose bytes of one end."""
        time = next(self._time)
        self.feed(Lost(self.stream, way, float(time), time, size))

    def close(self, how: str = "closed") -> None:
        """End the connection."""
        time = next(self._time)
        self.feed(Closed(self.stream, float(time), time, how))

    @property
    def said(self) -> list[Said]:
        """The lines found."""
        return [one for one in self.heard if isinstance(one, Said)]

    def notes(self, kind: str) -> list[str]:
        """Return the words of the notes of a kind."""
        return [one.words for one in self.heard if isinstance(one, Note) and one.kind == kind]


def odd_of(wire: Wire) -> list[tuple[str, ...]]:
    """Return what is odd about each line."""
    return [one.odd for one in wire.said]
