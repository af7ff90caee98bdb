"""A line on its way, and what may be done with it."""

import pytest

from kqq.errors import LocalProtocolError
from kqq.protocol import LINE_LIMIT, CltMsg, Line, Role, Unreadable
from kqq.proxy.passage import Fate, Passage, one_line_of
from proxy.between import SAY, between


async def test_a_held_line_can_still_be_changed_dropped_and_delayed() -> None:
    """Until it has gone."""
    async with between(lambda passage: passage.hold()) as place:
        client, server = await place.both()
        await client.say(SAY, SAY, SAY)
        first, second, third = [await place.watched.line(number) for number in range(3)]
        first.edit("VER=1.4&CMD=x")
        first.restore()
        first.release()
        assert await server.hear() == SAY
        await place.watched.line(0, Fate.PASSED)
        third.drop()
        second.edit(b"VER=1.4&CMD=y\r\n")
        second.delay(0.05)
        assert second.fate is Fate.WAITING
        assert await server.hear() == "VER=1.4&CMD=y"
        await client.say(SAY)
        (await place.watched.line(3, Fate.HELD)).release()
        assert await server.hear() == SAY
        for line, words in ((first, "has gone already"), (third, "is dropped")):
            for act in (line.drop, line.release, line.hold, line.restore):
                with pytest.raises(LocalProtocolError, match=words):
                    act()
        with pytest.raises(LocalProtocolError, match="more than one line"):
            second.edit("a\nb")


async def test_only_one_line_can_go_in_the_place_of_one() -> None:
    """Not none, not two, not one too long, and nothing can wait for ever."""
    async with between(lambda passage: passage.hold()) as place:
        client, _ = await place.both()
        await client.say(SAY)
        held = await place.watched.line(0)
        for text, words in (
            ("", "cannot be empty"),
            ("VER=1\r\nVER=2", "more than one line"),
            ("x" * (LINE_LIMIT + 1), "is too long"),
        ):
            with pytest.raises(LocalProtocolError, match=words):
                held.edit(text)
        for seconds in (-1.0, 1e9, float("nan")):
            with pytest.raises(LocalProtocolError, match="cannot wait"):
                held.delay(seconds)


async def test_what_goes_is_known_before() -> None:
    """The line as edited, what it means, its bytes; and what was done is seen at once."""
    async with between(lambda passage: passage.hold()) as place:
        client, server = await place.both()
        await client.say(SAY.encode() + b"\n")
        held = await place.watched.line(0)
        assert held.said_as_sent is held.said
        assert (held.is_open, held.is_settled) == (True, False)
        assert held.size > len(SAY)
        held.edit(Line("VER=1.4&CMD=None"))
        assert isinstance(held.said_as_sent.message, Unreadable)
        assert held.said_as_sent.odd
        assert held.line.text == "VER=1.4&CMD=None"
        held.edit(SAY.replace("hi", "there"))
        assert isinstance(held.said_as_sent.message, CltMsg)
        assert held.data == SAY.replace("hi", "there").encode() + b"\n"
        held.edit(SAY)
        assert held.edited is None
        told = [one for one in place.watched.events if isinstance(one, Passage)]
        assert told == [held] * 4
        held.release()
        assert await server.hear() == SAY + "\n"
        assert (held.is_open, held.is_settled) == (False, True)
        assert repr(held) == f"Passage(1, passed, {held.line!r})"


async def test_what_is_late_can_only_be_looked_at() -> None:
    """Its beginning has gone."""
    async with between(patience=0.01) as place:
        client, server = await place.both()
        await client.say(SAY[:30].encode())
        await server.hear_bytes(30)
        await client.say(SAY[30:])
        assert await server.hear() == SAY[30:]
        late = await place.watched.line(0, Fate.PASSED)
        assert late.is_late
        assert late.said.line.text == SAY
        assert late.said.sender is Role.CLIENT
        assert not late.is_open
        with pytest.raises(LocalProtocolError, match="has gone already"):
            late.drop()


def test_a_line_may_have_its_end() -> None:
    """It is none that would be sent twice."""
    assert one_line_of("VER=1\r\n") == one_line_of(b"VER=1\n") == one_line_of(Line("VER=1"))
    assert one_line_of(b"\x01VER=1") == Line("VER=1", b"\x01")
