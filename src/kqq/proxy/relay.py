"""Between clients and a server: each connection is joined to one of its own, line by line.

    relay = Relay(Address.parse("tcp://127.0.0.1:14000"), judge=rules.judge, watch=show)
    print(await relay.open(Door.parse("kqq://127.0.0.1:14001")))

What nobody changes goes on byte for byte, also what is no line. Each end is read only as fast as
the other one takes it; each direction can be closed for itself; a reset is handed on as a reset.
"""

import asyncio
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass

from kqq.address import Door
from kqq.capture.events import Closed, End, Note, Opened, Said, Stream
from kqq.capture.meaning import meaning
from kqq.capture.pairing import Pairing
from kqq.client.tcp import Address, open_streams
from kqq.errors import ConfigError, ConnectionLost, KQQError, LocalProtocolError
from kqq.protocol.messages import Role
from kqq.protocol.post import HTTP_METHOD, http_request
from kqq.protocol.wire import Line, show
from kqq.proxy.framing import Cutter, Piece
from kqq.proxy.passage import Fate, Passage, one_line_of

_READ = 32768
_MOST_WAITING = 256  # lines in one direction that wait
_MOST_ASKED = 256  # requests of a connection whose replies may still come
_POST_TIME = 15.0  # seconds that a post of our own may take
_ABORT = struct.pack("ii", 1, 0)
"""A socket that lingers for no time sends a reset when it is closed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the proxy takes on.

    `connections` at the same time. `patience`: seconds that the beginning of a line is kept while
    its end does not come; then it goes on, and the line can only be looked at. A server with TLS
    has as long to go on after the client has said its last. `waiting`: bytes of lines that wait in
    one direction of a connection; then its end is not read.
    """

    connections: int = 100
    patience: float = 2.0
    waiting: int = 131072


Event = Opened | Closed | Note | Passage
"""What a relay tells: a passage when it came, and again each time something about it changed."""


class Relay:
    """Joins each client that comes to the server at `upstream`.

    `judge` may do something with each line before it goes. `watch` is shown what happens. `now`
    gives dates in seconds since 1970. `trust` says whose certificates are good (see
    `kqq.client.tcp.make_trust`). If `judge` or `watch` fails, so does `run`.
    """

    def __init__(
        self,
        upstream: Address,
        *,
        judge: Callable[[Passage], None] | None = None,
        watch: Callable[[Event], None] | None = None,
        now: Callable[[], float] = time.time,
        trust: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.upstream = upstream
        self.judge = judge
        self.flows: list[Flow] = []
        """The connections there are, in order of appearance."""
        self.posts = 0
        """How many lines are being posted since somebody has put them in."""
        self.limits = limits or Limits()
        self.now = now
        self.trust = trust
        self.tap: Callable[[Flow, Role, bytes], None] | None = None
        """Is shown the bytes at the server's end: those that came from it, and that went to it."""
        self._watchers = [watch] if watch is not None else []
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = self._lines = 0
        self._is_full = False
        self._failure: asyncio.Future[None] | None = None

    def add_watcher(self, watch: Callable[[Event], None]) -> None:
        """Show what happens to one more."""
        self._watchers.append(watch)

    async def open(self, door: Door) -> Door:
        """Open a door, and return where it is. Raises ConfigError if it cannot be opened."""
        if self._failure is None:
            self._failure = asyncio.get_running_loop().create_future()
        try:
            server = await asyncio.start_server(self._accept, door.host, door.port, limit=_READ)
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigError(f"cannot listen on {door}: {why}") from error
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()[:2]
        return Door(host, port, door.scheme)

    async def run(self) -> None:
        """Wait for ever; raises what went wrong in a judge or a watcher."""
        assert self._failure is not None
        await asyncio.shield(self._failure)

    async def close(self) -> None:
        """Close all doors and connections."""
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failure is not None:
            self._failure.cancel()

    def tell(self, event: Event) -> None:
        """Show something to all who watch; one who fails ends `run`."""
        for watch in self._watchers:
            self._try(watch, event)

    def judged(self, passage: Passage) -> None:
        """Ask the judge, if there is one, what becomes of a line."""
        if self.judge is not None:
            self._try(self.judge, passage)

    def tapped(self, flow: "Flow", sender: Role, data: bytes) -> None:
        """Show bytes that came from the server, or went to it."""
        if self.tap is not None:
            self._try(self.tap, flow, sender, data)

    def _try(self, act: Callable[..., None], *what: object) -> None:
        try:
            act(*what)
        except Exception as error:  # noqa: BLE001  # `run` raises it
            self.fail(error)

    def note(self, kind: str, words: str, stream: int = 0) -> None:
        """Tell people something that is no line."""
        self.tell(Note(kind, words, self.now(), self._lines, stream))

    def next_number(self) -> int:
        """Return the number of the next line."""
        self._lines += 1
        return self._lines

    def fail(self, error: BaseException) -> None:
        """End `run` with an error."""
        if self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.begin(self._serve(reader, writer))

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Have something done that ends with the relay."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join one client to the server until both have ended."""
        if len(self.flows) >= self.limits.connections:
            writer.transport.abort()
            if not self._is_full:
                self._is_full = True
                self.note("refused", f"{self.limits.connections} connections are enough; no more")
            return
        self._connections += 1
        peer, own = (writer.get_extra_info(one) or ("", 0) for one in ("peername", "sockname"))
        stream = Stream(self._connections, (End(*peer[:2]), End(*own[:2])), 0)
        flow = Flow(self, stream)
        self.flows.append(flow)
        try:
            await flow.run(reader, writer)
        except Exception as error:  # noqa: BLE001  # `run` raises it
            self.fail(error)
        finally:
            self.flows.remove(flow)
            self._is_full = False


class Flow:
    """One client's connection, and the one to the server that belongs to it.

    `state` is a place for rules to keep something.
    """

    def __init__(self, relay: Relay, stream: Stream) -> None:
        self.stream = stream
        self.state: dict[str, object] = {}
        self._relay = relay
        self._lanes: dict[Role, _Lane] = {}
        self._pairing = Pairing(most=_MOST_ASKED)
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    @property
    def number(self) -> int:
        """Which connection it is, counted from 1."""
        return self.stream.number

    @property
    def client(self) -> End:
        """The client's end."""
        return self.stream.ends[0]

    @property
    def server(self) -> End:
        """The server's end; before it is reached, the proxy's own door."""
        return self.stream.ends[1]

    @property
    def over(self) -> str:
        """How the client speaks: "tcp" for bare lines, "http" for posts."""
        lane = self._lanes.get(Role.CLIENT)
        return lane.cutter.over if lane is not None else "tcp"

    @property
    def waiting(self) -> list[Passage]:
        """The lines that have not gone, those of the client first."""
        return [one for lane in self._lanes.values() for one in lane.waiting]

    def inject(self, line: Line | bytes | str, to: Role) -> Passage:
        """Say a line to one end that the other one has not said; it goes before all that waits.

        Over HTTP it is posted on a connection of its own, and nobody hears the answer but who
        watches. Raises LocalProtocolError if it is no line, or over HTTP towards the client, who
        hears answers only, or if too many such lines wait.
        """
        if self.over == "http":
            if to is Role.CLIENT:
                raise LocalProtocolError(
                    "over HTTP a client hears nothing but answers to what it posts; edit one"
                )
            return self._post(one_line_of(line))
        lane = self._lanes.get(to.other)
        if lane is None:
            raise LocalProtocolError(f"connection {self.number} has no server yet; try again")
        return lane.inject(one_line_of(line))

    def _post(self, line: Line) -> Passage:
        most = self._relay.limits.connections
        if self._relay.posts >= most:
            raise LocalProtocolError(f"{most} posts at the same time are enough; try again later")
        upstream = self._relay.upstream
        data = http_request(upstream.host, upstream.port, line.encode())
        head = data.removesuffix(line.encode())
        passage = self._passage(Role.CLIENT, Piece(data, line, "http", head, wrapping="length"))
        self._relay.posts += 1
        self._relay.begin(self._posted(passage))
        return passage

    async def _posted(self, passage: Passage) -> None:
        """Post a line and show the answer."""
        relay = self._relay
        writer = None
        try:
            async with asyncio.timeout(_POST_TIME):
                reader, writer = await open_streams(relay.upstream, trust=relay.trust, limit=_READ)
                if passage.fate is not Fate.WAITING:
                    return  # somebody has dropped it
                writer.write(passage.data)
                passage.settle(Fate.PASSED)
                cutter = Cutter(Role.SERVER)
                has_answer = False
                while not has_answer and (data := await reader.read(_READ)):
                    has_answer = self._hear_answer(cutter.feed(data))
                if not has_answer:
                    self._hear_answer(cutter.end())
        except (KQQError, OSError) as error:  # TimeoutError is one
            why = str(error) or f"no answer came within {_POST_TIME:g} s"
            relay.note("lost", why, self.number)
        finally:
            relay.posts -= 1
            if passage.fate is Fate.WAITING:
                passage.settle(Fate.LOST)
            if writer is not None:
                writer.transport.abort()

    def _hear_answer(self, pieces: Iterable[Piece]) -> bool:
        """Show the answer to what we have posted, and return whether there was one."""
        answers = [piece for piece in pieces if piece.line is not None]
        for piece in answers:
            self._passage(Role.SERVER, piece).settle(Fate.DROPPED)
        return bool(answers)

    def _passage(self, sender: Role, piece: Piece) -> Passage:
        """Return a line that is on its way by a post of ours."""
        assert piece.line is not None
        said = self.heard(sender, piece, piece.line)
        clock = asyncio.get_running_loop().time
        is_ours = sender is Role.CLIENT
        passage = Passage(said, piece, self, clock, is_injected=is_ours)
        passage.watched(self._relay.tell)
        self._relay.tell(passage)
        return passage

    def close(self) -> None:
        """End both connections now, as a reset; what waits is lost."""
        self._is_closing = True
        if self._task is not None:
            self._task.cancel()

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Join a client to the server; returns when both have ended. Only for the relay."""
        relay = self._relay
        self._task = asyncio.current_task()
        try:
            far = await open_streams(relay.upstream, trust=relay.trust, limit=_READ)
        except (KQQError, asyncio.CancelledError) as error:
            _reset(writer)
            if isinstance(error, ConnectionLost | ConfigError):
                relay.note("lost", str(error), self.number)
                return
            raise
        peer = far[1].get_extra_info("peername") or ("", 0)
        self.stream.ends = (self.client, End(*peer[:2]))
        methods: deque[bytes] = deque(maxlen=64)
        self._lanes = {
            Role.CLIENT: _Lane(self, relay, Role.CLIENT, reader, far[1], methods=methods),
            Role.SERVER: _Lane(self, relay, Role.SERVER, far[0], writer, methods=methods),
        }
        for one in (writer, far[1]):
            _keep_alive(one)
        relay.tell(Opened(self.stream, relay.now(), 0))
        how = "reset"
        try:
            how = await self._join()
        except asyncio.CancelledError:
            if not self._is_closing:
                raise
        finally:
            for one in (writer, far[1]):
                if how == "closed":
                    one.close()
                else:
                    _reset(one)
            for lane in self._lanes.values():
                lane.lose()
            relay.tell(Closed(self.stream, relay.now(), 0, how))

    async def _join(self) -> str:
        """Return how it ended: "closed" if both ends have said all they had to say, or "reset"."""
        reading = [asyncio.create_task(lane.read()) for lane in self._lanes.values()]
        writing = [asyncio.create_task(lane.write()) for lane in self._lanes.values()]
        try:
            await asyncio.wait({*writing, *reading}, return_when=asyncio.FIRST_EXCEPTION)
            for task in (*reading, *writing):
                if task.done():
                    task.result()
        except OSError:
            return "reset"
        finally:
            for task in (*reading, *writing):
                task.cancel()
            await asyncio.gather(*reading, *writing, return_exceptions=True)
        return "closed"

    def heard(self, sender: Role, piece: Piece, line: Line) -> Said:
        """Return what was said, beside what it answers. Only for the lanes."""
        message, odd = meaning(line, sender)
        number = self._relay.next_number()
        said = Said(
            number,
            self._relay.now(),
            number,
            self.number,
            sender,
            line,
            message,
            piece.over,
            self.client,
            self.server,
            odd=(*odd, piece.odd) if piece.odd else odd,
            whole=piece.is_whole,
        )
        if sender is Role.CLIENT:
            self._pairing.ask(said)
        else:
            said.request = self._pairing.answer(said)
        return said


class _Lane:
    """One direction of a connection: what `sender` says, on its way to the other end."""

    def __init__(
        self,
        flow: Flow,
        relay: Relay,
        sender: Role,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        methods: deque[bytes],
    ) -> None:
        self.cutter = Cutter(sender, methods)
        self._flow = flow
        self._relay = relay
        self._sender = sender
        self._reader = reader
        self._writer = writer
        self._queue: deque[Piece | Passage] = deque()
        self._urgent: deque[Passage] = deque()
        self._bytes = 0
        self._is_amid = False  # the beginning of a message has gone, and not its end
        self._has_ended = False
        self._news = asyncio.Event()  # for the one who writes
        self._room = asyncio.Event()  # for the one who reads
        self._clock = asyncio.get_running_loop().time

    @property
    def waiting(self) -> list[Passage]:
        """The lines that have not gone."""
        return [*self._urgent, *(one for one in self._queue if isinstance(one, Passage))]

    def inject(self, line: Line) -> Passage:
        """Put a line before all that waits. Raises LocalProtocolError if too many do already."""
        if len(self._urgent) >= _MOST_WAITING:
            raise LocalProtocolError(
                f"{_MOST_WAITING} lines that were put in wait for the {self._sender.other.value}, "
                "who takes none; try again later"
            )
        piece = Piece(line.encode() + b"\r\n", line, tail=b"\r\n")
        said = self._flow.heard(self._sender, piece, line)
        passage = Passage(said, piece, self._flow, self._clock, is_injected=True)
        self._urgent.append(passage)
        passage.watched(self._changed)
        self._relay.tell(passage)
        self._news.set()
        return passage

    def lose(self) -> None:
        """Note that nothing more will go."""
        for passage in self.waiting:
            if passage.fate in (Fate.WAITING, Fate.HELD):
                passage.settle(Fate.LOST)
        self._queue.clear()
        self._urgent.clear()

    async def read(self) -> None:
        """Read until the end has said its last, no faster than the other one takes it."""
        while not self._has_ended:
            patience = self._relay.limits.patience if self.cutter.pending else None
            is_over = False
            try:
                async with asyncio.timeout(patience):
                    data = await self._reader.read(_READ)
            except TimeoutError:
                pieces = self.cutter.flush()
            else:
                is_over = not data
                if data and self._sender is Role.SERVER:
                    self._relay.tapped(self._flow, self._sender, data)
                pieces = self.cutter.end() if is_over else self.cutter.feed(data)
            for piece in pieces:
                await self._has_room()
                self._take(piece)
            self._has_ended = is_over
        self._news.set()

    async def _has_room(self) -> None:
        while self._bytes >= self._relay.limits.waiting or len(self._queue) >= _MOST_WAITING:
            self._room.clear()
            await self._room.wait()

    def _take(self, piece: Piece) -> None:
        """Put a piece in the queue, after the judge has seen the line in it."""
        one: Piece | Passage = piece
        if piece.line is None:
            self._tell_of(piece)
        else:
            said = self._flow.heard(self._sender, piece, piece.line)
            one = Passage(said, piece, self._flow, self._clock)
            if not one.is_late:
                self._relay.judged(one)
            one.watched(self._changed)
            self._relay.tell(one)
            if one.fate is Fate.DROPPED:
                return
        self._queue.append(one)
        self._bytes += _size(one)
        self._news.set()

    def _tell_of(self, piece: Piece) -> None:
        """Tell people of what is no line."""
        if piece.odd:
            self._relay.note("foreign", piece.odd, self._flow.number)
        elif piece.head or (piece.over == "http" and HTTP_METHOD.match(piece.raw)):
            first = piece.raw.lstrip().partition(b"\n")[0].rstrip()
            self._relay.note("http", show(first), self._flow.number)

    def _changed(self, passage: Passage) -> None:
        if passage.fate is Fate.DROPPED:
            with suppress(ValueError):
                self._queue.remove(passage)
                self._bytes -= _size(passage)
                self._room.set()
            with suppress(ValueError):
                self._urgent.remove(passage)
        self._news.set()
        self._relay.tell(passage)

    async def write(self) -> None:
        """Write what may go, in order, until there will be no more; then close this direction."""
        while (one := await self._next()) is not None:
            data = one.data if isinstance(one, Passage) else one.raw
            if self._sender is Role.CLIENT:
                self._relay.tapped(self._flow, self._sender, data)
            self._writer.write(data)
            self._is_amid = isinstance(one, Piece) and not one.ends
            if isinstance(one, Passage):
                one.settle(Fate.PASSED)
            await self._writer.drain()
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:  # TLS has no half of a connection
            await asyncio.sleep(self._relay.limits.patience)
            self._writer.close()

    async def _next(self) -> Piece | Passage | None:
        while True:
            if self._urgent and not self._is_amid:
                return self._urgent.popleft()
            timeout = None
            if self._queue:
                one = self._queue[0]
                now = self._clock()
                if isinstance(one, Piece) or (one.fate is Fate.WAITING and one.due <= now):
                    self._queue.popleft()
                    self._bytes -= _size(one)
                    self._room.set()
                    return one
                if one.fate is Fate.WAITING:
                    timeout = one.due - now
            elif self._has_ended:
                return None
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._news.wait()


def _size(one: Piece | Passage) -> int:
    return one.size if isinstance(one, Passage) else len(one.raw)


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Notice, some time, when the other end has gone without a word."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection off as a reset."""
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()
