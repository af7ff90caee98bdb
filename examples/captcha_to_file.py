"""Signs in where a picture must be read first: saves it, and asks for the letters.

KQQ_PASSWORD=secret python examples/captcha_to_file.py tcp://127.0.0.1:14000 10001
"""

import asyncio
import os
import sys
from pathlib import Path

from kqq.client import Messenger

FILE = Path("captcha.png")


def show(picture: bytes) -> str:
    """Save the picture and return what somebody types who has looked at it."""
    FILE.write_bytes(picture)
    letters = input(f"Look at {FILE} and type the letters: ")
    FILE.unlink()
    return letters


async def ask(picture: bytes) -> str:
    """Ask on a thread, since the connection lives on meanwhile."""
    return await asyncio.to_thread(show, picture)


async def main(server: str, uin: str) -> None:
    """Sign in, say who is there, sign out."""
    async with Messenger(int(uin), os.environ["KQQ_PASSWORD"], [server], ask=ask) as me:
        await me.refresh()
        print(f"Signed in; friends: {len(me.state.people)}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
