"""What is written to a client: in order, in as many writes and at such times as it can take."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.server import Config
from kqq.server.outgoing import Outgoing
from stage import ManualClock

BREATH = 0.05


class Socket(asyncio.Transport):
    """A transport that keeps its writes; `held` bytes of them have not left it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.held = 0
        self.is_broken = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep a write."""
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        """Return how many bytes have not left."""
        return self.held

    def is_closing(self) -> bool:
        """Return whether nothing is written any more."""
        return self.is_broken


class Client:
    """A client, what is on its way to it, and what that tells its phone."""

    def __init__(self, *, old_habits: bool = False, pipelines: bool = False) -> None:
        self.clock = ManualClock()
        self.socket = Socket()
        self.emptied = 0
        self.marks: list[int] = []
        config = Config(data=Path("unused"), breath=BREATH)
        self.outgoing = Outgoing(
            self.socket,
            self.clock,
            config,
            emptied=self._count_emptied,
            handed_over=self._look_at_marks,
        )
        self.outgoing.old_habits = old_habits
        self.outgoing.pipelines = pipelines

    def reply(self, *data: bytes) -> None:
        """Say replies."""
        for one in data:
            self.outgoing.say(one)

    def push(self, *data: bytes) -> None:
        """Say pushes; each is a message whose id is its first byte."""
        for one in data:
            self.outgoing.say(one, one[0], is_push=True)

    def got(self) -> list[bytes]:
        """Return the writes that came since this was last asked."""
        writes, self.socket.writes = self.socket.writes, []
        return writes

    def _count_emptied(self) -> None:
        assert not len(self.outgoing)
        self.emptied += 1

    def _look_at_marks(self) -> None:
        """What is noted as handed over has been written by then."""
        last = self.outgoing.handover.arrived()
        if last is not None:
            assert bytes((last,)) in b"".join(self.socket.writes)
            self.marks.append(last)


# --- old habits ----------------------------------------------------------------------------------


def test_a_breath_between_any_two_lines() -> None:
    """Each line is a write of its own, the first at once, each other a breath after the last."""
    client = Client(old_habits=True)
    client.reply(b"a", b"b")
    client.push(b"1")
    for line in (b"a", b"b", b"1"):
        assert client.got() == [line]
        client.outgoing.heard()  # it speaks before it reads
        client.clock.advance(BREATH * 0.9)
        assert client.got() == []
        client.clock.advance(BREATH * 0.1 + 1e-9)
    assert client.got() == []
    assert client.emptied == 1
    client.clock.advance(BREATH)
    client.reply(b"c")
    assert client.got() == [b"c"]
    assert client.clock.due == 0


def test_replies_do_not_wait_behind_pushes() -> None:
    """Who takes what comes for its answer gets the answer next, unless that brings messages."""
    client = Client(old_habits=True)
    client.push(b"1", b"2", b"3")
    client.reply(b"a", b"b")
    client.outgoing.say(b"c", 99)
    client.reply(b"d")
    heard = []
    while len(client.outgoing):
        client.clock.advance(BREATH)
        heard += client.got()
    assert heard == [b"1", b"a", b"b", b"2", b"3", b"c", b"d"]


# --- others --------------------------------------------------------------------------------------


def test_reply_and_push_stand_apart() -> None:
    """A push comes once the reply before it was acknowledged, a breath has passed, or it spoke."""
    client = Client()
    client.socket.held = 1
    client.reply(b"a", b"b")
    client.push(b"1", b"2")
    assert client.got() == [b"a", b"b"]
    client.clock.advance(BREATH / 2)
    assert client.got() == []
    client.socket.held = 0
    client.clock.advance(BREATH / 4)
    assert client.got() == [b"1", b"2"]
    client.socket.held = 1
    client.reply(b"c")
    client.clock.advance(BREATH * 0.9)
    assert client.got() == []
    client.clock.advance(BREATH * 0.2)
    assert client.got() == [b"c"]
    client.push(b"3")
    client.outgoing.heard()
    assert client.got() == [b"3"]
    assert client.clock.due == 0


def test_looks_become_rare() -> None:
    """Whether a line was acknowledged is looked at a few times only, whatever is waited for."""
    client = Client()
    client.socket.held = 1
    client.reply(b"a")
    client.push(b"1")
    looks = 0
    while not client.socket.writes[1:]:
        before = client.clock._timers[0][0]
        client.clock.advance(before - client.clock.now())
        looks += 1
    assert looks <= 5
    assert client.clock.now() <= 1000 + BREATH * 1.001


# --- streams -------------------------------------------------------------------------------------


def test_who_pipelines_gets_one_write() -> None:
    """What is said while lines are gathered is one write at its end, and otherwise one each."""
    client = Client(pipelines=True)
    assert client.outgoing.gather()
    client.reply(b"a", b"b")
    assert not client.outgoing.gather(), "somebody gathers already"
    client.push(b"1", b"2")
    client.outgoing.heard()
    assert client.got() == []
    client.outgoing.write()
    assert client.got() == [b"ab12"]
    assert client.marks == [b"2"[0]]
    client.reply(b"c", b"d")
    assert client.got() == [b"c", b"d"]
    assert client.emptied == 3
    assert client.clock.due == 0


def test_what_was_gathered_goes_out_though_habits_change() -> None:
    """Lines that were gathered for a stream are written in their time, with nothing said after."""
    client = Client(pipelines=True)
    assert client.outgoing.gather()
    client.reply(b"a", b"b")
    client.outgoing.pipelines, client.outgoing.old_habits = False, True
    client.outgoing.write()
    client.clock.advance(BREATH)
    client.clock.advance(BREATH)
    assert client.got() == [b"a", b"b"]


def test_who_does_not_pipeline_is_not_gathered_for() -> None:
    """Each line is a write of its own, at its time."""
    client = Client()
    assert client.outgoing.gather()
    client.reply(b"a", b"b")
    assert client.got() == [b"a", b"b"]
    client.outgoing.write()
    assert client.got() == []


def test_nothing_is_lost_when_a_client_shows_other_habits() -> None:
    """Lines that wait go out as is due now, whatever was due when they were said."""
    client = Client()
    client.socket.held = 1
    client.reply(b"a")
    client.push(b"1")
    assert client.got() == [b"a"]
    client.outgoing.pipelines = True
    client.reply(b"b")
    assert client.got() == [b"1b"]
    assert client.outgoing.gather()
    client.reply(b"c")
    client.outgoing.pipelines, client.outgoing.old_habits = False, True
    client.reply(b"d")
    client.outgoing.write()
    assert client.got() == []
    client.clock.advance(BREATH)
    assert client.got() == [b"c"]
    client.clock.advance(BREATH)
    assert client.got() == [b"d"]
    client.clock.advance(BREATH)
    assert client.clock.due == 0


def test_lines_that_wait_for_a_look_go_out_at_it() -> None:
    """Who turns out to read a stream gets what waits at the next look, in one write."""
    client = Client()
    client.socket.held = 1
    client.reply(b"a")
    client.push(b"1", b"2")
    client.outgoing.pipelines = True
    client.clock.advance(0.01)
    assert client.got() == [b"a", b"12"]


# --- slow readers, endings -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "client",
    [Client, lambda: Client(old_habits=True), lambda: Client(pipelines=True)],
    ids=["others", "old habits", "stream"],
)
async def test_nothing_is_written_behind_what_is_left_unread(client: Callable[[], Client]) -> None:
    """While the transport holds bytes no more are added; then the next stands apart."""
    one = client()
    one.outgoing.pause()
    one.reply(b"a")
    one.push(b"1")
    one.outgoing.heard()
    await asyncio.sleep(0)
    one.clock.advance(10)
    assert one.got() == []
    assert one.clock.due == 0
    one.socket.held = 1
    one.outgoing.resume()
    await asyncio.sleep(0)
    first = one.got()
    one.clock.advance(BREATH)
    second = one.got()
    one.clock.advance(BREATH)
    third = one.got()
    if one.outgoing.pipelines:
        assert (first, second) == ([b"a1"], [])
    elif one.outgoing.old_habits:
        assert (first, second, third) == ([], [b"a"], [b"1"])
    else:
        assert (first, second) == ([b"a"], [b"1"])
    assert one.emptied == 1


def test_pause_stops_the_looks() -> None:
    """No timer runs for a client that does not read."""
    client = Client(old_habits=True)
    client.reply(b"a", b"b")
    assert client.clock.due == 1
    client.outgoing.pause()
    assert client.clock.due == 0
    client.outgoing.resume()
    client.clock.advance(BREATH)
    assert client.got() == [b"a", b"b"]


def test_pause_within_a_write() -> None:
    """The transport may say in the middle of a write that it holds bytes."""
    client = Client()
    keep = client.socket.write

    def write(data: bytes | bytearray | memoryview) -> None:
        keep(data)
        client.outgoing.pause()

    client.socket.write = write  # type: ignore[method-assign]
    client.reply(b"a", b"b", b"c")
    assert client.got() == [b"a"]
    client.outgoing.resume()
    assert client.got() == [b"b"]
    client.outgoing.resume()
    assert client.got() == [b"c"]
    client.outgoing.resume()
    assert client.emptied == 1


@pytest.mark.parametrize("old_habits", [False, True])
def test_the_end_writes_all_that_waits(old_habits: bool) -> None:
    """When nothing can be awaited any more, replies go out one by one, and no timer is left.

    Pushes that wait do not: two lines might be read as one, and they are still in the store.
    """
    client = Client(old_habits=old_habits)
    client.socket.held = 1
    client.reply(b"a")
    client.push(b"1")
    client.outgoing.say(b"2", 50, is_push=True)
    client.reply(b"b", b"c")
    client.outgoing.flush()
    assert client.got() == [b"a", b"b", b"c"]
    client.socket.held = 0
    assert client.outgoing.handover.arrived() is None
    assert client.clock.due == 0
    client.outgoing.flush()
    assert client.got() == []


def test_what_comes_after_a_push_that_is_dropped_has_not_arrived() -> None:
    """An answer with messages may wait behind a push; that it arrives says nothing of the push.

    An answer before it does arrive.
    """
    client = Client(old_habits=True)
    client.reply(b"a")
    client.outgoing.say(b"b", ord("b"))
    client.outgoing.say(b"2", ord("2"), is_push=True)
    client.outgoing.say(b"c", ord("c"))
    client.outgoing.flush()
    assert client.got() == [b"a", b"b", b"c"]
    assert client.marks == [ord("b")]


def test_what_is_let_go_of() -> None:
    """After the end nothing is written, by whatever is still called."""
    client = Client(old_habits=True)
    client.reply(b"a", b"b")
    client.outgoing.forget()
    client.clock.advance(1)
    assert client.got() == [b"a"]
    assert client.clock.due == 0
    assert not len(client.outgoing)


def test_nothing_is_written_to_a_connection_that_broke() -> None:
    """What is said to it is dropped and not taken for handed over."""
    client = Client(pipelines=True)
    assert client.outgoing.gather()
    client.push(b"1")
    client.socket.is_broken = True
    client.push(b"2")
    client.outgoing.write()
    assert client.got() == []
    assert client.marks == []
    assert not client.outgoing.handover.is_waiting


def test_pushes_end_with_their_session() -> None:
    """The next session gets no push of the one before, and what arrives counts for nobody."""
    client = Client(old_habits=True)
    client.socket.held = 1
    client.push(b"1", b"2")
    client.outgoing.say(b"a", 7)
    client.reply(b"b")
    client.outgoing.disown()
    client.clock.advance(BREATH)
    client.clock.advance(BREATH)
    assert client.got() == [b"1", b"a", b"b"]
    client.socket.held = 0
    assert client.outgoing.handover.arrived() is None


# --- whatever happens ----------------------------------------------------------------------------


class Steps:
    """What may happen to a client, by name."""

    def __init__(self) -> None:
        self.client = Client()
        self.said = 0
        self._is_paused = False

    def reply(self) -> None:
        """Say a reply."""
        self.said += 1
        self.client.reply(b"r%c" % (100 + self.said))

    def push(self) -> None:
        """Say a push."""
        self.said += 1
        number = 100 + self.said
        self.client.outgoing.say(b"p%c" % number, number, is_push=True)

    def heard(self) -> None:
        """The client speaks."""
        self.client.outgoing.heard()

    def hold(self) -> None:
        """What is written is not acknowledged."""
        self.client.socket.held = 1

    def acknowledge(self) -> None:
        """It is."""
        self.client.socket.held = 0

    def pause(self) -> None:
        """The client does not read."""
        if not self._is_paused:
            self._is_paused = True
            self.client.outgoing.pause()

    def resume(self) -> None:
        """It reads again."""
        if self._is_paused:
            self._is_paused = False
            self.client.outgoing.resume()

    def stream(self) -> None:
        """It turns out to read a stream."""
        self.client.outgoing.pipelines = not self.client.outgoing.old_habits

    def old(self) -> None:
        """It turns out to have old habits."""
        self.client.outgoing.pipelines, self.client.outgoing.old_habits = False, True

    def wait(self) -> None:
        """Time passes."""
        self.client.clock.advance(BREATH)


NAMES = [name for name in vars(Steps) if not name.startswith("_")]


@given(st.lists(st.sampled_from(NAMES), max_size=60))
def test_whatever_happens_all_is_said_once_in_order(names: list[str]) -> None:
    """Replies come in their order and pushes in theirs, none twice, none lost."""

    async def perform() -> Steps:
        steps = Steps()
        for name in names:
            getattr(steps, name)()
            if name == "wait":
                await asyncio.sleep(0)
        steps.resume()
        await asyncio.sleep(0)
        for _ in range(steps.said + 1):
            steps.wait()
        return steps

    steps = asyncio.run(perform())
    heard = b"".join(steps.client.socket.writes)
    lines = list(zip(heard[::2], heard[1::2], strict=True))
    for kind in b"rp":
        numbers = [number for of_kind, number in lines if of_kind == kind]
        assert numbers == sorted(numbers)
    assert sorted(number for _, number in lines) == list(range(101, 101 + steps.said))
    assert steps.client.clock.due == 0
