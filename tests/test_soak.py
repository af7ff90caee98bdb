"""Many people whose connections break all the time: each is shown each message once.

The full form, with 200 clients, real connections and ten minutes, is `benchmarks/soak.py`.
"""

import asyncio
import random

import pytest

from kqq.testing import Town
from kqq.testing.town import Over
from ledger import Ledger

PEOPLE = 12
SECONDS = 60
CUTS = 4  # in a second, of all together


@pytest.mark.parametrize(("lag", "swallow"), [(200, 0), (0, 300)])
@pytest.mark.parametrize("over", ["tcp", "http"])
async def test_every_message_is_shown_once(over: Over, lag: int, swallow: int) -> None:
    """For a minute everybody writes, and connections are cut within whatever they carry.

    The server does not learn that something has arrived, or believes so wrongly.
    """
    dice = random.Random(f"{over} {lag} {swallow}")
    names = [f"n{number}" for number in range(PEOPLE)]
    async with Town(*names) as town:
        town.lag, town.swallow = lag, swallow
        ledger = Ledger()
        messengers = [await town.messenger(name, over=over) for name in names]
        watching = [asyncio.ensure_future(ledger.watch(one)) for one in messengers]
        for _ in range(SECONDS):
            for messenger in dice.sample(messengers, 6):
                other = dice.choice([name for name in names if town[name] != messenger.uin])
                ledger.write(messenger, town[other])
            for name in dice.sample(names, CUTS):
                way = dice.choice(["sent", "received"])
                town.cut_after(name, **{way: dice.randrange(1, 400)})
            await town.advance(1)
        for name in names:
            town.cut_after(name)
        for _ in range(30):
            if not ledger.left:
                break
            await town.advance(10)
        assert ledger.faults() == []
        assert ledger.count == SECONDS * 6
        for messenger in messengers:
            await messenger.close()
        await asyncio.gather(*watching)
        assert ledger.faults() == []


async def test_the_ledger_finds_faults() -> None:
    """What is lost, doubled, out of order, or never written, is told."""
    async with Town("Anna", "Bo") as town:
        anna = await town.messenger("Anna")
        for change, fault in (
            (lambda texts: texts[1:], "was shown 0 times"),
            (lambda texts: [texts[0], *texts], "was shown 2 times"),
            (lambda texts: texts[::-1], "in another order"),
        ):
            ledger = Ledger()
            for _ in range(3):
                ledger.write(anna, town["Bo"])
            pair = town["Anna"], town["Bo"]
            ledger.shown[pair] = change(ledger.written[pair])
            (found,) = ledger.faults()
            assert fault in found
        ledger.shown[1, 2] = ["?"]
        assert "2 was shown what 1 never wrote" in ledger.faults()
