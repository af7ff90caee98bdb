"""A play for tests of the commands that perform plays, and a server that answers from one."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from kqq.address import Door
from kqq.plays.mock import Mock
from kqq.plays.mocking import MockServer
from kqq.protocol.transcript import parse_play

TALK = """# Two people talk.
server friends Anna, Bo
Anna signs in
Bo signs in
Anna sees Bo online
Anna sends Bo "{words}"
Bo receives Anna "{words}"
"""
QUIET = ("--quiet", "0.05", "--wait", "5")


def play(folder: Path, text: str = TALK, words: str = "hello") -> str:
    """Return the name of a file with this play."""
    file = folder / "talk.kqq"
    file.write_text(text.replace("{words}", words), encoding="utf-8")
    return str(file)


@contextmanager
def mocked(text: str) -> Iterator[str]:
    """Run a mock in a thread, and give its address."""
    started: Future[str] = Future()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        server, over = MockServer(Mock(parse_play(text))), asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(over.set))
        started.set_result(str(await server.start(Door("127.0.0.1", 0))))
        await over.wait()
        await server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield started.result(10)
    finally:
        stop[0]()
        thread.join(10)
