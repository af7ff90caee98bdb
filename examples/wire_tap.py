"""Shows each line that goes to the server or comes from it, with every field explained.

    KQQ_PASSWORD=secret python examples/wire_tap.py tcp://127.0.0.1:14000 10001

Passwords and session keys are left out.
"""

import asyncio
import os
import sys

from kqq.client import Messenger
from kqq.protocol import Line
from kqq.protocol.explain import explain
from kqq.words import explanation_lines


def watch(direction: str, line: Line) -> None:
    """Print a line in words; `direction` is > for what goes and < for what comes."""
    print(direction, *explanation_lines(explain(line), secrets=False), sep="\n", flush=True)


async def main(server: str, uin: str) -> None:
    """Sign in and watch until somebody stops it."""
    async with Messenger(int(uin), os.environ["KQQ_PASSWORD"], [server], watch=watch) as me:
        async for _ in me.events():
            pass


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
