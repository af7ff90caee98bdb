"""A server in memory, with people in it, for tests of whatever uses our client.

    async with Town("Anna", "小波") as town:
        anna = await town.client("Anna")
        bot = await town.messenger("小波")
        await anna.send(town["小波"], "hello")
        await town.advance(60)

docs/testing.md tells more. `kqq.testing.fixtures` is for pytest; nothing else here needs it.
"""

from kqq.testing.clock import ManualClock
from kqq.testing.cutting import Cutting
from kqq.testing.memory import MemoryLink, MemoryTransport
from kqq.testing.town import PASSWORD, Over, Town

__all__ = ["PASSWORD", "Cutting", "ManualClock", "MemoryLink", "MemoryTransport", "Over", "Town"]
