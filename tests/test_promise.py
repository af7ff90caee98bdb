"""Nothing is shown twice, nothing is lost: a conversation, cut at every byte of it.

docs/design/promise.md says how far the promise goes. In memory the server knows exactly what was
taken by the client, as with a network that breaks while both ends live.
"""

import pytest

from kqq.client import Fate, Messenger
from kqq.errors import KQQError
from kqq.testing import Town
from kqq.testing.town import Over

PATIENCE = {"tcp": 40, "http": 12}
"""Seconds until all is well again; over HTTP each second costs polls."""
STEP = {"tcp": 1, "http": 5}
"""Of the bytes, every how many-th: most of those over HTTP are heads, each like the other. Where
many bytes are in doubt every third of these will do."""
MOST = 300
"""Bytes that had arrived at the cut without the server knowing, or that only it takes for arrived:
some lines."""
SHARDS = 4
"""The positions are shared out, so that several processes can try them."""


def said(messenger: Messenger, uin: int) -> list[str]:
    """Return what somebody is shown of what the other wrote."""
    conversation = messenger.state.conversations.get(uin)
    messages = conversation.messages if conversation else ()
    return [one.text for one in messages if not one.is_own]


async def converse(town: Town, over: Over, direction: str, position: int) -> bool:
    """Have Anna sign in, talk with Bo and sign out, while her connection is cut after some bytes.

    Whatever is cut, each is shown each message once, in order, and Anna's are known to have been
    sent. Returns whether the conversation had so many bytes.
    """
    bo = await town.messenger("Bo")
    await bo.send(town["Anna"], "while you were away, 1")
    await bo.send(town["Anna"], "while you were away, 2")
    town.cut_after("Anna", **{direction: position})
    anna = Messenger(
        town["Anna"],
        "secret",
        [town.address(over)],
        connect=town.door("Anna", over),
        now=town.clock.date,
        sleep=town.clock.sleep,
        random=lambda: 0.0,
    )
    try:
        for _ in range(3):
            try:
                await anna.start()
                break
            except KQQError:  # the very first connection is the caller's to try again
                await town.settle()
        anna.write(town["Bo"], "first & last, 你好")
        anna.write(town["Bo"], "second")
        await bo.send(town["Anna"], "to you, now")
        await town.advance(PATIENCE[over])
        anna.write(town["Bo"], "third")
        await bo.send(town["Anna"], "and again")
        await town.advance(PATIENCE[over])
        assert said(bo, town["Anna"]) == ["first & last, 你好", "second", "third"]
        assert said(anna, town["Bo"]) == [
            "while you were away, 1",
            "while you were away, 2",
            "to you, now",
            "and again",
        ]
        own = [one for one in anna.state.conversations[town["Bo"]].messages if one.is_own]
        assert {one.fate for one in own} == {Fate.SENT}
    finally:
        await anna.close()
        await bo.close()
        await town.settle()
    return town._people["Anna"].left == (None, None)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize(
    ("direction", "lag", "swallow"),
    [("sent", 0, 0), ("received", 0, 0), ("received", MOST, 0), ("received", 0, MOST)],
    ids=str,
)
@pytest.mark.parametrize("over", ["tcp", "http"])
async def test_cut_at_every_byte(
    over: Over, direction: str, lag: int, swallow: int, shard: int
) -> None:
    """Wherever the cut falls, in whichever direction, everything arrives, and is shown once.

    With a lag the server gives again what had arrived just before the cut. With something swallowed
    it believes that more has arrived than the client has read.
    """
    async with Town("Anna", "Bo") as town:
        town.lag, town.swallow = lag, swallow
        step = STEP[over] * (3 if lag or swallow else 1)
        position = shard * step
        has_so_many = True
        while has_so_many:
            try:
                has_so_many = await converse(town, over, direction, position)
            except AssertionError as error:
                raise AssertionError(f"cut after {position} bytes {direction}: {error}") from error
            position += SHARDS * step
        assert position > 400
