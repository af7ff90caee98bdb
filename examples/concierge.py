"""Accepts everybody who wants to be a friend, and greets them.

KQQ_PASSWORD=secret python examples/concierge.py tcp://127.0.0.1:14000 10001
"""

import asyncio
import os
import sys

from kqq.client import Messenger, Requested
from kqq.errors import KQQError


async def welcome(me: Messenger) -> None:
    """Accept each request, as long as the messenger is open."""
    async for event in me.events():
        if isinstance(event, Requested):
            try:
                await me.accept(event.uin)
            except KQQError as error:  # there is no connection now, or they changed their mind
                print(f"{event.uin}: {error}", flush=True)
            else:
                me.write(event.uin, f"Welcome! You wrote: {event.text}")


async def main(server: str, uin: str) -> None:
    """Sign in, stay signed in, and welcome people."""
    async with Messenger(int(uin), os.environ["KQQ_PASSWORD"], [server]) as me:
        await welcome(me)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
