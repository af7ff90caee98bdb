"""Which lines are wanted."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from kqq.capture.events import Note, Said
from kqq.capture.filters import Filter, Moment, chosen
from kqq.capture.meaning import meaning
from kqq.errors import CaptureError
from kqq.protocol import Line, Role

NOON = datetime(2014, 5, 13, 12, 0, 0).astimezone().timestamp()
ASKED = "VER=1.1&CMD=CLTMSG&SEQ=2&UIN=10001&UN=10002&MG=Hello%2c 你"
ANSWERED = "VER=1.1&CMD=CLTMSG&SEQ=2&UIN=10001&RES=0"


def said(text: str, *, time: float | None = NOON, stream: int = 1, number: int = 1) -> Said:
    """Return a line, of a server if it has RES."""
    line = Line(text)
    sender = Role.SERVER if "RES=" in text else Role.CLIENT
    message, odd = meaning(line, sender)
    return Said(number, time, 1, stream, sender, line, message, odd=odd)


def numbers(items: Iterable[Said | Note], wanted: Filter) -> list[int | str]:
    """Return what is chosen: lines by number, notes by kind."""
    return [one.number if isinstance(one, Said) else one.kind for one in chosen(items, wanted)]


@pytest.mark.parametrize(
    ("text", "seconds", "is_clock"),
    [
        ("2014-05-13T12:00:00", NOON, False),
        (" 2014-05-13 12:00 ", NOON, False),
        ("2014-05-13T12:00:00Z", datetime(2014, 5, 13, 12, tzinfo=UTC).timestamp(), False),
        ("20140513T120000", NOON, False),
        ("1400000000", 1400000000.0, False),
        ("1400000000.5", 1400000000.5, False),
        ("19:03", 68580.0, True),
        ("9:03:12.25", 32592.25, True),
    ],
)
def test_moments_are_read(text: str, seconds: float, is_clock: bool) -> None:
    """Dates, times of any day, seconds."""
    assert Moment.parse(text) == Moment(seconds, is_clock)


@pytest.mark.parametrize("text", ["", "now", "25:00", "2014-13-01", "5", "0001-01-01\udcff"])
def test_what_is_no_moment_is_told(text: str) -> None:
    """With what can be written."""
    with pytest.raises(CaptureError, match="is no time; write 2014-05-13, "):
        Moment.parse(text)


def test_times() -> None:
    """Both ends belong to it; a line without a time is always taken."""
    line = said(ASKED)
    assert Filter(since=Moment(NOON), until=Moment(NOON)).takes(line)
    assert not Filter(since=Moment(NOON + 1)).takes(line)
    assert not Filter(until=Moment(NOON - 1)).takes(line)
    assert Filter(since=Moment.parse("12:00"), until=Moment.parse("12:00")).takes(line)
    assert not Filter(since=Moment.parse("12:01")).takes(line)
    assert not Filter(until=Moment.parse("11:59:59")).takes(line)
    assert Filter(since=Moment(NOON)).takes(said(ASKED, time=None))
    assert Filter(until=Moment.parse("23:59:59")).takes(said(ASKED, time=1e300))


def test_commands() -> None:
    """In any case; an answer goes with what was asked."""
    wanted = Filter(commands=frozenset({"cltmsg"}))
    answer = said(ANSWERED.replace("CLTMSG", "VERIFYCODE"))
    assert wanted.takes(said(ASKED))
    assert not wanted.takes(answer)
    answer.request = said(ASKED)
    assert wanted.takes(answer)
    answer.request = said("VER=1.1&CMD=List&SEQ=1&UIN=1")
    assert not wanted.takes(answer)


def test_people() -> None:
    """Those whose line it is, and those it is about."""
    wanted = Filter(uins=frozenset({10002}))
    assert wanted.takes(said(ASKED))
    assert wanted.takes(said("VER=1.1&CMD=LIST&SEQ=2&UIN=10001&RES=0&FN=2&UN=10003, 10002,"))
    assert not wanted.takes(said(ANSWERED))
    assert not wanted.takes(said(ASKED.replace("10002", "100021")))
    assert Filter(uins=frozenset({10001})).takes(said(ANSWERED))


def test_words() -> None:
    """In any case, unescaped; passwords cannot be sought."""
    assert Filter(text="hello, 你").takes(said(ASKED))
    assert not Filter(text="bye").takes(said(ASKED))
    assert not Filter(text="5EBE").takes(said("VER=1.1&CMD=Login&PS=5EBE"))


def test_connections_and_odd_lines() -> None:
    """By number; a line of which a part is missing is odd."""
    assert Filter(streams=frozenset({1})).takes(said(ASKED))
    assert not Filter(streams=frozenset({2})).takes(said(ASKED))
    assert not Filter(odd=True).takes(said(ASKED))
    assert Filter(odd=True).takes(said("hello"))
    part = said(ASKED)
    part.whole = False
    assert Filter(odd=True).takes(part)


def test_everything_is_wanted_unless_something_is_said() -> None:
    """Notes too."""
    items: list[Said | Note] = [said(ASKED), Note("lost", "x", 1.0, 1, 1)]
    assert Filter().takes_all
    assert numbers(items, Filter()) == [1, "lost"]


def test_notes() -> None:
    """Those on the whole are always told; others by connection and time."""
    whole, of_one = Note("cut", "x", None, 0), Note("lost", "x", NOON, 1, 1)
    for wanted in (Filter(uins=frozenset({1})), Filter(text="x"), Filter(streams=frozenset({2}))):
        assert numbers([whole, of_one], wanted) == ["cut"]
    assert numbers([of_one], Filter(streams=frozenset({1}))) == ["lost"]
    assert numbers([of_one], Filter(since=Moment(NOON + 1))) == []


def test_lines_without_a_number_go_with_their_connection() -> None:
    """Junk on somebody's connection is theirs; other choices count for it, too."""
    items = [
        said(ASKED, number=1),
        said("junk", number=2),
        said("junk", stream=2, number=3),
        said("junk", stream=0, number=4),
    ]
    assert numbers(items, Filter(uins=frozenset({10001}))) == [1, 2]
    assert numbers(items, Filter(uins=frozenset({10001}), text="x")) == []


def test_only_so_many_connections_are_remembered() -> None:
    """The rest is forgotten."""
    many = [said(ASKED.replace("10001", str(n)), stream=n) for n in range(20_001, 26_000)]
    last = said("junk", stream=20_001, number=7)
    assert 7 not in numbers([*many, last], Filter(uins=frozenset({20_001})))
