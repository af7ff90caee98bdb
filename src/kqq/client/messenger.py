"""Somebody, kept signed in over as many connections as it takes.

async with Messenger(10001, "secret", ["tcp://127.0.0.1:14000"]) as me:
    await me.send(10002, "hello")
    async for event in me.events():
        ...

How far "nothing twice, nothing lost" holds is told in docs/design/promise.md.
"""

import asyncio
import hashlib
import logging
import random as chance
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from kqq.client.client import (
    STATUS_NOTICE,
    Added,
    AskCaptcha,
    Client,
    Session,
    Sleep,
    status_said,
    unique_seq,
)
from kqq.client.confirming import is_mark
from kqq.client.events import (
    Connecting,
    Event,
    Fate,
    Friend,
    FriendLeft,
    Lost,
    Message,
    Odd,
    PresenceChanged,
    Received,
    RequestAnswered,
    Requested,
    RequestSettled,
    RosterCame,
    SignedIn,
    Written,
)
from kqq.client.history import Diary, History, new_key
from kqq.client.outbox import Entry, Outbox
from kqq.client.pace import BackOff
from kqq.client.state import State
from kqq.client.transport import Address, Transport, Watched, open_transport
from kqq.errors import (
    AccountError,
    CaptchaWanted,
    CommandError,
    ConfigError,
    ConnectionLost,
    KQQError,
    LocalProtocolError,
    NoSuchNumber,
    NotSignedIn,
    ProtocolError,
    SignInRefused,
    StoreError,
    TimedOut,
    UnexpectedReply,
)
from kqq.protocol import GetInfoReply, Line, Push, ServerMsg, Status, UpdateStat

T = TypeVar("T")
logger = logging.getLogger("kqq.client")


class _CallerFailed(KQQError):
    """What the caller gave us, such as `ask`, has raised."""


_FINAL = (
    _CallerFailed,
    AccountError,
    CaptchaWanted,
    ConfigError,
    NoSuchNumber,
    NotSignedIn,
    SignInRefused,
)
"""What trying again by oneself would not change."""
_HELD = 10.0  # seconds after which a connection counts as a good one
_GOODBYE = 5.0  # seconds for signing out
_MOST_MARKS = 10_000
_MOST_UNTAKEN = 5_000
_REQUEST, _ACCEPTED, _REFUSED = 2, 3, 4
_AT_ONCE = 0.02  # seconds that pushes are taken before others get their turn


class Messenger:
    """One account, kept signed in.

    When the connection is lost it is made again after a while, longer each time; what is written
    meanwhile waits and is sent once. After a sign-in elsewhere, which ends ours, it is not, unless
    `again_if_elsewhere` is set or `reconnect` is called: two clients would throw each other out for
    ever.

    `state` is what is known, and has taken in each event before `events` gives it. Methods that ask
    the server something raise ConnectionLost if there is no connection now, TimedOut, or a
    CommandError if the server says no.
    """

    def __init__(
        self,
        uin: int,
        password: str,
        servers: Sequence[Address | str],
        *,
        status: Status = Status.ONLINE,
        ask: AskCaptcha | None = None,
        history: History | None = None,
        again_if_elsewhere: bool = False,
        watch: Callable[[str, Line], None] | None = None,
        timeout: float = 30.0,
        connect: Callable[[Address], Awaitable[Transport]] = open_transport,
        now: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        random: Callable[[], float] = chance.random,
    ) -> None:
        """Say who signs in where; `start` does it.

        `servers` are tried in order. `ask` reads captchas. `history` keeps messages on disk, and
        those that wait to be sent. `watch` is shown each line as it is, with the password's MD5
        in it: whoever shows lines masks them (`kqq.protocol.mask`). `timeout` is seconds for an
        answer. `now` gives dates in seconds since 1970. Raises ConfigError for an address that is
        none.
        """
        self.uin = uin
        self.state = State()
        self.servers = [one if isinstance(one, Address) else Address.parse(one) for one in servers]
        if not self.servers:
            raise ConfigError("no server is given; name one, such as tcp://127.0.0.1:14000")
        self._password = password
        self._status = status
        self._ask = ask
        self._again_if_elsewhere = again_if_elsewhere
        self._watch = watch
        self._timeout = timeout
        self._connect = connect
        self._now = now
        self._sleep = sleep
        self._random = random
        self._diary: Diary | None = None
        if history is not None:
            self._diary = history.diary(uin, str(self.servers[0]))
        self._outbox = Outbox()
        self._outgoing = asyncio.Event()
        self._settled: dict[str, asyncio.Future[Message]] = {}
        self._marks: OrderedDict[tuple[int, str, bytes], None] = OrderedDict()
        self._events: deque[Event] = deque()
        self._is_heard = False  # whether somebody has begun to read the events
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._client: Client | None = None
        self._before: Session | None = None
        self._went_on = False  # the session outlived its last connection, as over HTTP
        self._keeping: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._try_now = asyncio.Event()
        self._is_closed = False
        self._is_stale = False

    # --- beginning and end

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Sign in for the first time; from then on the connection is kept.

        Raises what prevents it: ConnectionLost, SignInRefused, NoSuchNumber, CaptchaWanted, what
        `ask` raises. It may then be called again.
        """
        if self._first is not None and self._keeping is not None and not self._keeping.done():
            await asyncio.shield(self._first)  # somebody else has begun: raises what they get
            return
        first = self._first = asyncio.get_running_loop().create_future()
        self._is_closed = False
        self._load()
        self._keeping = asyncio.create_task(self._keep(first))
        try:
            await first
        except BaseException:
            await self._stop()
            raise
        finally:
            if first.done() and not first.cancelled():
                first.exception()

    async def close(self) -> None:
        """Sign out and end; what came until then is still given by `events`."""
        client = self._client
        if client is not None and client.uin is not None:
            with suppress(KQQError, TimeoutError):  # gone is gone
                async with asyncio.timeout(_GOODBYE):
                    await client.sign_out()
        self._is_closed = True
        await self._stop()
        if self.state.lost is None:
            self.state.apply(Lost(ConnectionLost("the messenger is closed"), None))  # no news
        self._news.set()
        for waiting in self._settled.values():
            if not waiting.done():
                waiting.set_exception(ConnectionLost("the messenger is closed"))
                waiting.exception()

    def reconnect(self) -> None:
        """Try to connect now rather than later, or at all after it was given up."""
        self._try_now.set()

    async def events(self) -> AsyncIterator[Event]:
        """Give what happens, as it happens; ends when the messenger is closed.

        Each event is given once, so two loops share them. Whoever has begun to read should go on:
        when 5,000 wait, nothing more is read from the server. While nobody has begun, the latest
        5,000 are kept.
        """
        self._is_heard = True
        while True:
            while self._events:
                event = self._events.popleft()
                self._room.set()
                yield event
            if self._is_closed:
                return
            self._news.clear()
            await self._news.wait()

    # --- messages

    def write(self, to: int, text: str) -> Message:
        """Have `text` sent to somebody as soon as that can be; `Written` events say what became.

        Raises LocalProtocolError if there is nothing to send.
        """
        if not text:
            raise LocalProtocolError("there is no text to send; write at least one sign")
        message = Message(new_key(), to, text, self._now(), Fate.WAITING)
        entry = Entry(message, unique_seq())
        self._note(lambda diary: diary.add(message, mark=entry.mark))
        self._outbox.add(entry)
        self._tell(Written(message))
        self._outgoing.set()
        return message

    async def send(self, to: int, text: str) -> Message:
        """Send a message and return it once the server has it.

        While there is no connection this waits for one. Raises Refused or NoSuchNumber if the
        server says no, what ended the connection if that is for good, and TimedOut if it was not
        to be learnt what became of the message.
        """
        message = self.write(to, text)
        settled: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._settled[message.key] = settled
        if self.state.lost is not None and self.state.again_in is None:
            self._give_up(self.state.lost)
        try:
            return await settled
        finally:
            self._settled.pop(message.key, None)

    def read(self, uin: int) -> None:
        """Note that the person has seen what `uin` wrote."""
        if uin in self.state.conversations and self.state.conversations[uin].unread:
            self.state.read(uin)
            self._note(lambda diary: diary.read(uin))

    def earlier(self, uin: int) -> int:
        """Bring earlier messages with somebody from the history into `state`; return how many."""
        diary, conversation = self._diary, self.state.conversations.get(uin)
        if diary is None:
            return 0
        before = conversation.messages[0].key if conversation and conversation.messages else None
        found = self._try(lambda: diary.recent(uin, before=before)) or []
        self.state.remember(found)
        return len(found)

    # --- friends and people

    async def refresh(self) -> None:
        """Ask for the friends and their statuses again."""
        client = self._connected()
        friends = await self._do(client.friends())
        statuses = await self._do(client.statuses())
        self._tell(RosterCame(tuple(friends), statuses))
        names = {one.uin: one.nick for one in friends}
        self._note(lambda diary: diary.remember_names(names))

    async def add(self, uin: int) -> Added:
        """Ask to add somebody, and return what becomes of it."""
        outcome = await self._do(self._connected().add(uin))
        if outcome is Added.DONE:
            await self.refresh()
        return outcome

    async def request(self, uin: int, text: str) -> None:
        """Send somebody one's wish to be friends, after `add` returned ASK."""
        await self._do(self._connected().request(uin, text))

    async def accept(self, uin: int) -> None:
        """Accept somebody's wish to be friends."""
        await self._do(self._connected().accept(uin))
        self._tell(RequestSettled(uin))
        await self.refresh()

    async def refuse(self, uin: int, reason: str = "") -> None:
        """Refuse somebody's wish to be friends."""
        await self._do(self._connected().refuse(uin, reason))
        self._tell(RequestSettled(uin))

    async def delete(self, uin: int) -> None:
        """Delete somebody from the friend list."""
        await self._do(self._connected().delete(uin))
        self._tell(FriendLeft(uin))

    async def profile(self, uin: int, level: int = 2) -> GetInfoReply:
        """Return somebody's profile: level 1 is brief, 2 usual, 3 everything."""
        return await self._do(self._connected().profile(uin, level))

    async def search(
        self, *, age: str | None = None, sex: str | None = None, province: str | None = None
    ) -> list[Friend]:
        """Return people found by age, sex ("0" male, "1" female) and province."""
        return await self._do(self._connected().search(age=age, sex=sex, province=province))

    async def change_status(self, status: Status) -> None:
        """Change one's own status, also for later connections."""
        await self._do(self._connected().change_status(status))
        self._status = status
        self._tell(PresenceChanged(self.uin, status))

    # --- the connection

    async def _keep(self, first: asyncio.Future[None]) -> None:
        """Be signed in, again and again."""
        pause = BackOff(self._random)
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._be_signed_in(first)
            except KQQError as error:
                why = error
            except Exception as error:  # of `ask`, `connect` or `watch`: the caller's own
                if not first.done():
                    first.set_exception(error)
                    return
                logger.exception("the connection ended")
                why = _CallerFailed(f"the connection ended with {error!r}")
            if not first.done():
                self._tell(Lost(why, None))
                first.set_exception(why)
                return
            if self._went_on or asyncio.get_running_loop().time() - began >= _HELD:
                pause.succeeded()
            if isinstance(why, _FINAL) and not self._may_pass(why):
                self._tell(Lost(why, None))
                self._give_up(why)
                self._try_now.clear()
                await self._try_now.wait()
            else:
                seconds = pause.next()
                self._tell(Lost(why, seconds))
                self._try_now.clear()
                await _first_of(_slept(self._sleep(seconds)), self._try_now.wait())

    def _may_pass(self, why: KQQError) -> bool:
        """Whether trying again is worth it although the server said no: it knew us before."""
        if isinstance(why, SignInRefused):  # busy, as our server says, or the password has changed
            return "password" not in why.reason.lower()
        return isinstance(why, NotSignedIn) and self._again_if_elsewhere

    async def _be_signed_in(self, first: asyncio.Future[None]) -> None:
        """Sign in and stay so until that ends; raises why it did."""
        client, address = await self._sign_in()
        self._client = client
        try:
            if not first.done():
                first.set_result(None)
            self._tell(SignedIn(self.uin, str(address), self._status))
            await _first_of(self._listen(client), self._work(client))
        finally:
            self._client = None
            self._before = None
            client.end(ConnectionLost("the connection was given up"))  # it needs no last word
            await self._leave(client)

    async def _sign_in(self) -> tuple[Client, Address]:
        """Sign in at the first server that answers. Raises why none does."""
        failures: list[tuple[Address, KQQError]] = []
        for address in list(self.servers):
            self._tell(Connecting(str(address)))
            try:
                transport = await self._connect(address)
                client = await self._sign_in_over(transport)
            except ConfigError as error:  # of this address; another one may do
                failures.append((address, error))
                continue
            except _FINAL:
                raise
            except (ConnectionLost, TimedOut, ProtocolError, CommandError) as error:
                failures.append((address, error))
                continue
            self.servers.remove(address)
            self.servers.insert(0, address)  # the next time it is tried first
            return client, address
        if len(failures) == 1:
            raise failures[0][1]
        reasons = "; ".join(f"{address}: {error}" for address, error in failures)
        raise ConnectionLost(f"none of {len(failures)} servers can be used: {reasons}")

    async def _sign_in_over(self, transport: Transport) -> Client:
        if self._watch is not None:
            transport = Watched(transport, self._watch)
        client = Client(
            transport,
            timeout=self._timeout,
            odd=lambda why: self._tell(Odd(why)),
            sleep=self._sleep,
        )
        before = self._before
        self._went_on = False
        try:
            self._went_on = before is not None and await client.go_on(before)
            if not self._went_on:
                await client.sign_in(
                    self.uin,
                    self._password,
                    status=self._status,
                    ask=self._ask,
                    question=before.question if before else "",
                )
        except BaseException:
            await self._leave(client)
            raise
        return client

    async def _leave(self, client: Client) -> None:
        """Close a connection, and take what it brought.

        Over HTTP that is not given again; over TCP it is by our server, and then it is known.
        """
        self._before = client.session or self._before
        await client.close()
        async for push in client.events():
            self._take(push)

    async def _work(self, client: Client) -> None:
        """Fetch the roster, then send what waits, as long as there is a connection."""
        try:
            await self.refresh()
        except (ProtocolError, CommandError, TimedOut) as error:
            if isinstance(error, NotSignedIn):
                raise
            self._tell(Odd(f"the friend list could not be read: {error}"))
        while True:
            self._outgoing.clear()
            while (entry := self._outbox.next()) is not None:
                await self._send(client, entry)
            await self._outgoing.wait()

    async def _send(self, client: Client, entry: Entry) -> None:
        """Say one message; returns once it is settled. Raises what ends the connection."""
        if self._outbox.is_too_late(entry, self._now()):
            self._settle(entry, Fate.UNKNOWN, "the connection ended before the answer came")
            return
        if entry.tried is None:
            if not self._may_send(entry):
                return
            entry.tried = self._now()
        message = entry.message
        try:
            await client.send(message.uin, message.text, mark=entry.mark)
        except NotSignedIn:
            raise
        except (TimedOut, UnexpectedReply) as error:
            entry.unanswered += 1
            if isinstance(error, TimedOut):
                raise
        except (CommandError, LocalProtocolError) as error:
            self._settle(entry, Fate.REFUSED, str(error), error)
        else:
            self._settle(entry, Fate.SENT)

    def _may_send(self, entry: Entry) -> bool:
        """Note on disk that a message is about to be said; False if another program did so."""
        diary, key = self._diary, entry.message.key
        if diary is None:
            return True
        if self._try(lambda: diary.attempt(key, self._now())) is not False:
            return True
        known = self._try(lambda: diary.message(key))
        if known is None:
            self._settle(entry, Fate.UNKNOWN, "it was deleted from the history")
        else:
            self._settle(entry, known.fate, known.why)
        return False

    def _settle(
        self, entry: Entry, fate: Fate, why: str = "", error: KQQError | None = None
    ) -> None:
        message = self._outbox.settle(entry, fate, why)
        self._note(lambda diary: diary.change(message))
        self._tell(Written(message))
        waiting = self._settled.get(message.key)
        if waiting is None or waiting.done():
            return
        if fate is Fate.SENT:
            waiting.set_result(message)
        else:
            waiting.set_exception(error or TimedOut(f"whether it arrived is unknown: {why}"))

    def _give_up(self, why: KQQError) -> None:
        """Tell those who wait for a message to be sent that this may take for ever."""
        for waiting in self._settled.values():
            if not waiting.done():
                waiting.set_exception(why)

    async def _listen(self, client: Client) -> None:
        """Take what is pushed. With the next one asked for, this one is handled, and confirmed."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async for push in client.events():
            self._take(push)
            await self._room.wait()
            if loop.time() - began > _AT_ONCE:  # a flood must not hold up what the person does
                await asyncio.sleep(0)
                began = loop.time()

    def _take(self, push: Push) -> None:
        """Take in what the server said unasked."""
        if isinstance(push, UpdateStat):
            self._tell(PresenceChanged(push.number, push.status))
        elif isinstance(push, ServerMsg):
            status = status_said(push.text) if push.type == STATUS_NOTICE else None
            if status is not None:
                self._tell(PresenceChanged(push.sender, status))
            elif self._is_new(push):
                self._take_words(push)

    def _take_words(self, push: ServerMsg) -> None:
        uin, text = push.sender, push.text
        if push.type == _REQUEST:
            self._tell(Requested(uin, text))
        elif push.type in (_ACCEPTED, _REFUSED):
            is_accepted = push.type == _ACCEPTED
            self._tell(RequestAnswered(uin, is_accepted, text))
            if is_accepted and self._client is not None:
                self._refresh_later()
        else:
            message = Message(new_key(), uin, text, self._now(), Fate.RECEIVED)
            mark = push.seq if is_mark(push.seq) else ""
            if self._note(lambda diary: diary.add(message, mark=mark)) is not False:
                self._tell(Received(message))

    def _is_new(self, push: ServerMsg) -> bool:
        """Whether this was not given before: our server gives a message the same number again."""
        if not is_mark(push.seq):
            return True
        text = hashlib.blake2b(push.text.encode("utf-8", "surrogateescape"), digest_size=16)
        mark = (push.sender, push.seq, text.digest())  # 10,000 texts of 64 KB were too much
        if mark in self._marks:
            return False
        self._marks[mark] = None
        if len(self._marks) > _MOST_MARKS:
            self._marks.popitem(last=False)
        return True

    # --- inside

    def _connected(self) -> Client:
        if self._client is None:
            raise self.state.lost or ConnectionLost("not connected yet")
        return self._client

    async def _do(self, work: Awaitable[T]) -> T:
        """Do what asks the server; if it says that we are not signed in, the connection is over."""
        try:
            return await work
        except NotSignedIn as error:
            if self._client is not None:
                self._client.end(error)
            raise

    def _tell(self, event: Event) -> None:
        self.state.apply(event)
        self._events.append(event)
        if len(self._events) >= _MOST_UNTAKEN:
            if self._is_heard:
                self._room.clear()
            else:
                self._events.popleft()
        self._news.set()

    def _load(self) -> None:
        """Take what an earlier run left: who said what, and what waits to be sent."""
        diary = self._diary
        if diary is None:
            return
        recent = self._try(diary.recent) or []
        unread, names = self._try(diary.unread) or {}, self._try(diary.names) or {}
        self.state.remember(recent, unread=unread, names=names)
        for message, mark, tried in self._try(diary.waiting) or []:
            if message.key not in self._outbox:
                self._outbox.add(Entry(message, mark or unique_seq(), tried))

    def _note(self, work: Callable[[Diary], T]) -> T | None:
        """Do something with the history, if there is one."""
        diary = self._diary
        return None if diary is None else self._try(lambda: work(diary))

    def _try(self, work: Callable[[], T]) -> T | None:
        """Do something with the history; one that fails is done without, and that is told."""
        try:
            with suppress(StoreError):  # such as that another program writes: once more
                return work()
            return work()
        except StoreError as error:
            self._diary = None
            self._tell(Odd(f"no history is kept from now on: {error}"))
            return None

    def _refresh_later(self) -> None:
        """Refresh once, however many wish for it meanwhile; what the server says to it is told."""
        if self._tasks:
            self._is_stale = True
            return

        async def run() -> None:
            self._is_stale = True
            while self._is_stale:
                self._is_stale = False
                try:
                    await self.refresh()
                except KQQError as error:
                    self._tell(Odd(str(error)))

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self) -> None:
        """End all that goes on by itself."""
        tasks = [*self._tasks, *([] if self._keeping is None else [self._keeping])]
        self._keeping = None
        if self._first is not None and not self._first.done():
            self._first.set_exception(ConnectionLost("the messenger is closed"))
        for task in tasks:
            task.cancel()
        for done in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(done, Exception):
                logger.error("ended by %r", done, exc_info=done)


async def _first_of(*works: Coroutine[Any, Any, Any]) -> None:
    """Do several things until the first ends, which may raise; the others are given up."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _slept(sleep: Awaitable[None]) -> None:
    await sleep
