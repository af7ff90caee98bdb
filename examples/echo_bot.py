"""Says again what it is told.

    KQQ_PASSWORD=secret python examples/echo_bot.py tcp://127.0.0.1:14000 10001

Two of these who are friends would talk for ever: let no bot speak first.
"""

import asyncio
import os
import sys

from kqq.client import Messenger, Received


async def echo(me: Messenger) -> None:
    """Answer each message with its own words, as long as the messenger is open."""
    async for event in me.events():
        if isinstance(event, Received) and not event.message.is_from_system:
            me.write(event.message.uin, event.message.text)


async def main(server: str, uin: str) -> None:
    """Sign in, stay signed in, and answer."""
    async with Messenger(int(uin), os.environ["KQQ_PASSWORD"], [server]) as me:
        await echo(me)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
