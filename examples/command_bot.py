"""Does what it is told in words: `roll 6`, `time`, `who`; to anything else it says what it can do.

KQQ_PASSWORD=secret python examples/command_bot.py tcp://127.0.0.1:14000 10001
"""

import asyncio
import os
import random
import sys
from datetime import datetime

from kqq.client import Messenger, Received
from kqq.words import status_word


def answer(me: Messenger, text: str) -> str:
    """Return what to say to somebody's words."""
    match text.lower().split():
        case ["roll", sides] if sides.isdecimal() and 0 < int(sides) < 10_000:
            return str(random.randint(1, int(sides)))  # noqa: S311  # dice, no secrets
        case ["time"]:
            return datetime.now().astimezone().strftime("%H:%M")
        case ["who"]:
            people = me.state.people.values()
            return ", ".join(f"{one.nick} ({status_word(one.status)})" for one in people)
        case _:
            return "I know: roll 6, time, who."


async def serve(me: Messenger) -> None:
    """Answer each message, as long as the messenger is open."""
    async for event in me.events():
        if isinstance(event, Received) and not event.message.is_from_system:
            me.write(event.message.uin, answer(me, event.message.text))


async def main(server: str, uin: str) -> None:
    """Sign in, stay signed in, and serve."""
    async with Messenger(int(uin), os.environ["KQQ_PASSWORD"], [server]) as me:
        await serve(me)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
