"""The short way of messages: what it takes, what it leaves, and that it changes nothing."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kqq.errors import LocalProtocolError
from kqq.protocol import ServerMsg, encode
from kqq.server import shortcut
from kqq.server.handlers import Context, Peer
from kqq.server.handlers.messaging import push
from kqq.server.presence import Status
from kqq.server.session import StatusChange
from kqq.server.store import Kind, Stored
from kqq.server.transaction import Written
from stage import JULIET, PARIS, ROMEO, XP, Stage, sign_in_line

TYBALT, NOBODY = 10004, 10999
PEOPLE = (ROMEO, JULIET, PARIS)
"""Those who are signed in. Tybalt is away, and a friend of Romeo and Juliet; Paris is nobody's."""
TEXTS = (
    "hi", "", "100%", "%26 %2C%0a", "%zz%4", "a&b=c&MG=d", "你好", "\udcff", "%ff", "a\rb", " ",
    "x" * 20, "x" * 21,
)  # fmt: skip
LIMITS = {"messages_burst": 12, "inbox_limit": 5, "text_limit": 20, "commands_burst": 10_000}

Said = tuple[int, int, str, str]
"""Sender, receiver, `SEQ` and text as in a line."""

SAYINGS = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from((*PEOPLE, TYBALT, NOBODY)),
        st.sampled_from(("1", "2", "3", "007", "1234567890", "99999999999999999999")),
        st.sampled_from(TEXTS) | st.text(max_size=8).filter(lambda text: "\n" not in text),
    ),
    min_size=10,
    max_size=80,
)


def plain(said: Said) -> str:
    """Return a line as phones wrote it."""
    sender, to, seq, text = said
    return f"VER=1.4&CON=1&CMD=CLTMSG&SEQ={seq}&UIN={sender}&SID=&XP={XP}&UN={to}&MG={text}"


def odd(said: Said) -> str:
    """Return a line that says the same, with its fields in another order."""
    sender, to, seq, text = said
    return f"VER=1.4&CON=1&CMD=CLTMSG&UIN={sender}&SEQ={seq}&XP={XP}&SID=&UN={to}&MG={text}"


async def say_all(sayings: list[Said], lines: list[str]) -> list[object]:
    """Have all be said in one go by each sender; return what everybody heard, and what is kept."""
    with tempfile.TemporaryDirectory() as folder:
        async with Stage(Path(folder), **LIMITS) as stage:
            stage.add(ROMEO, JULIET, TYBALT)
            stage.add(PARIS)
            wires = {uin: await stage.sign_in(uin) for uin in PEOPLE}
            for uin in PEOPLE:
                wires[uin].waiting()
            for uin in PEOPLE:
                mine = [line for said, line in zip(sayings, lines, strict=True) if said[0] == uin]
                if mine:
                    await wires[uin].say(*mine)
                await stage.idle()
            for _ in range(40):  # breaths between what is said to those who never pipelined
                await stage.advance(0.5)
            metrics = stage.server._services.metrics
            return [
                *(wires[uin].waiting() for uin in PEOPLE),
                stage.store.messages_after(TYBALT, 0, 100),
                dict(metrics.commands),
                dict(metrics.refused),
                metrics.messages_stored,
            ]


@settings(max_examples=10, deadline=None)  # each signs in six people, who chose passwords
@given(SAYINGS)
def test_both_ways_are_the_same(sayings: list[Said]) -> None:
    """Whatever is said, plain lines and lines that go through dispatch come to the same."""
    short = asyncio.run(say_all(sayings, [plain(said) for said in sayings]))
    long = asyncio.run(say_all(sayings, [odd(said) for said in sayings]))
    assert short == long


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A server with Romeo and Juliet, who are friends, and Paris."""
    async with Stage(tmp_path / "data", **LIMITS) as stage:
        stage.add(ROMEO, JULIET)
        stage.add(PARIS)
        yield stage


async def romeo(stage: Stage) -> Context:
    """Return Romeo's connection as the server sees it."""
    await stage.sign_in(ROMEO)
    session = stage.server._services.sessions.of(ROMEO)
    assert session is not None
    services = stage.server._services
    attempt = services.journal.begin("192.0.2.1", 50000, "kqq://127.0.0.1:14000", "tcp")
    peer = Peer("192.0.2.1", 50000, "tcp", "kqq://127.0.0.1:14000", "192.0.2.1")
    return Context(services, peer, attempt, session.wake, session.ended, session)


def take(context: Context, line: bytes) -> tuple[bytes, Written | None] | None:
    """Have a line be taken now."""
    return shortcut.take(context, line, context.services.clock.now())


def raw(said: Said, end: str = "\r") -> bytes:
    """Return a line as it comes from the wire, without its LF."""
    return (plain(said) + end).encode("utf-8", "surrogateescape")


async def test_what_is_taken(stage: Stage) -> None:
    """A plain message of a friend is stored, and its reply is the one that dispatch gives."""
    context = await romeo(stage)
    taken = take(context, raw((ROMEO, JULIET, "7", "hi%26")))
    assert taken is not None
    reply, stored = taken
    assert reply == b"VER=1.1&CMD=CLTMSG&SEQ=7&UIN=10001&RES=0\r\n"
    assert stored is not None
    assert not stored.done()
    await stage.idle()
    assert stored.done()
    assert stored.text == ""  # type: ignore[attr-defined]  # the answer is remembered without it
    (message,) = stage.store.messages_after(JULIET, 0, 10)
    assert (message.id, message.sender, message.text) == (stored.result(), ROMEO, "hi&")
    assert stage.server._services.metrics.commands["CLTMSG"] == 1
    assert take(context, raw((ROMEO, JULIET, "7", "hi%26"))) is None, "dispatch knows its answer"


@pytest.mark.parametrize(
    "line",
    [
        raw((ROMEO, JULIET, "7", "hi"), end=""),  # a bare LF, so an old client
        odd((ROMEO, JULIET, "7", "hi")).encode() + b"\r",
        raw((JULIET, ROMEO, "7", "hi")),
        raw((JULIET, JULIET, "7", "hi")),
        raw((ROMEO, JULIET, "7", "hi")).replace(b"CLTMSG", b"cltmsg"),
        b"VER=1.4&CON=1&CMD=Query_Stat2&SEQ=7&UIN=10001&SID=&XP=C4CA4238A0B92382&UN=0\r",
        b"\r",
    ],
)
async def test_what_is_left(stage: Stage, line: bytes) -> None:
    """Anything else is left to dispatch, and nothing was done or spent."""
    context = await romeo(stage)
    services = context.services
    assert take(context, line) is None
    await stage.idle()
    assert services.metrics.messages_stored == 0
    assert services.metrics.commands.get("CLTMSG", 0) == 0
    assert services.limits.messages.has(ROMEO, LIMITS["messages_burst"])


@pytest.mark.parametrize(
    ("said", "res", "why"),
    [
        ((ROMEO, PARIS, "7", "hi"), 1, "not_friends"),
        ((ROMEO, NOBODY, "7", "hi"), 5, "no_such_number"),
        ((ROMEO, JULIET, "7", "x" * 21), 1, "text_too_long"),
    ],
)
async def test_what_is_refused(stage: Stage, said: Said, res: int, why: str) -> None:
    """A message that cannot be is refused at once, as dispatch does, and nothing is stored."""
    context = await romeo(stage)
    metrics = context.services.metrics
    reply = f"VER=1.1&CMD=CLTMSG&SEQ=7&UIN=10001&RES={res}\r\n".encode()
    assert take(context, raw(said)) == (reply, None)
    await stage.idle()
    assert (metrics.commands["CLTMSG"], metrics.refused[why], metrics.messages_stored) == (1, 1, 0)


async def test_a_number_used_once(stage: Stage) -> None:
    """A line with one is known again for minutes, also over HTTP, whichever way it came first."""
    wire = await stage.sign_in(ROMEO)
    line = plain((ROMEO, JULIET, "1234567890", "hi"))
    answer = await wire.ask(line)
    await stage.advance(60)
    assert await wire.ask(line) == answer
    assert "&RES=0&RS=0&" in await stage.post(sign_in_line(ROMEO))
    assert await stage.post(line) == answer + "\r\n"
    assert len(stage.store.messages_after(JULIET, 0, 10)) == 1


async def test_nobody_signed_in(stage: Stage) -> None:
    """Without a session, or with one that is over, nothing is taken."""
    context = await romeo(stage)
    session, context.session = context.session, None
    assert take(context, raw((ROMEO, JULIET, "7", "hi"))) is None
    context.session = session
    assert stage.server._services.sessions.kick(ROMEO, "enough")
    assert take(context, raw((ROMEO, JULIET, "7", "hi"))) is None


async def test_repeats_and_limits(stage: Stage) -> None:
    """A line that comes again is left to who knows its answer; so is one too many."""
    context = await romeo(stage)
    line = raw((ROMEO, JULIET, "7", "hi"))
    assert take(context, line) is not None
    assert take(context, line) is None
    for seq in range(8, 12):
        assert take(context, raw((ROMEO, JULIET, str(seq), "hi"))) is not None
    full = b"VER=1.1&CMD=CLTMSG&SEQ=12&UIN=10001&RES=1\r\n"
    assert take(context, raw((ROMEO, JULIET, "12", "hi"))) == (full, None)
    context.services.limits.messages.owe(ROMEO, LIMITS["messages_burst"])
    assert take(context, raw((ROMEO, ROMEO, "13", "hi"))) is None
    await stage.idle()


@given(
    number=st.integers(1, 2**62),
    sender=st.integers(0, 10**19),
    uin=st.integers(0, 10**19),
    text=st.text(max_size=50) | st.sampled_from((*TEXTS, "\ud800")),
)
def test_push_lines(number: int, sender: int, uin: int, text: str) -> None:
    """A message is pushed as the catalogue writes it."""
    item = Stored(number, sender, text)
    expected = push(item, 1, uin)
    assert isinstance(expected, ServerMsg)
    try:
        line = encode(expected) + b"\r\n"
    except LocalProtocolError:  # a surrogate that stands for no byte
        assert shortcut.push_line(item, uin) is None
    else:
        assert shortcut.push_line(item, uin) == line


def test_what_is_not_pushed_so() -> None:
    """Statuses, notices and long texts are left to who can write them."""
    assert shortcut.push_line(StatusChange(ROMEO, Status.ONLINE), JULIET) is None
    assert shortcut.push_line(Stored(1, ROMEO, "hi", Kind.REQUEST), JULIET) is None
    assert shortcut.push_line(Stored(1, ROMEO, "x" * 1001), JULIET) is None
