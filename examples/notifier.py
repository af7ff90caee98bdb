"""Rings and prints a line when a friend comes online.

    KQQ_PASSWORD=secret python examples/notifier.py tcp://127.0.0.1:14000 10001

It signs in hidden. What others write meanwhile comes here, and the server then has it no longer; so
it goes into the history, where `kqq history` finds it.
"""

import asyncio
import os
import sys

from kqq.client import History, Messenger, PresenceChanged, RosterCame
from kqq.protocol import Status
from kqq.words import display_name

AWAY = {Status.OFFLINE, Status.HIDDEN}


async def notify(me: Messenger) -> None:
    """Print who comes online, as long as the messenger is open."""
    here: set[int] = set()
    async for event in me.events():
        if isinstance(event, RosterCame):
            here = {uin for uin, status in event.statuses.items() if status not in AWAY}
        elif isinstance(event, PresenceChanged) and event.status in AWAY:
            here.discard(event.uin)
        elif isinstance(event, PresenceChanged) and event.uin not in here:
            here.add(event.uin)
            name = display_name(me.state.name(event.uin), event.uin)
            print(f"\a{name} is here.", flush=True)


async def main(server: str, uin: str) -> None:
    """Sign in, stay signed in, and notify."""
    with History.open() as history:
        password, hidden = os.environ["KQQ_PASSWORD"], Status.HIDDEN
        async with Messenger(int(uin), password, [server], status=hidden, history=history) as me:
            await notify(me)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
