"""A person at a terminal: what they type, and pictures for them."""

import asyncio
import io
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from kqq.errors import ConfigError, PictureError
from kqq.pictures import draw, save
from kqq.words import say, tr

Typed = asyncio.Queue[str | ConfigError | None]
"""The lines that somebody types, None at the end, or why they cannot be read."""


def typed_lines() -> Typed:
    """Return the lines of standard input as they are typed.

    Bytes that are no text become lone surrogates, as in messages: somebody who deletes half a sign
    at a terminal must not end the chat. A thread reads, since standard input may be a file, which
    no event loop can wait for. It is a daemon: nobody can interrupt it while it waits for a person.
    """
    queue: Typed = asyncio.Queue()
    loop = asyncio.get_running_loop()
    stream = sys.stdin or io.StringIO()  # None where it is closed
    if isinstance(stream, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):  # if something was read already
            stream.reconfigure(errors="surrogateescape")

    def lines() -> Iterator[str | ConfigError | None]:
        try:
            for line in stream:
                yield line.rstrip("\r\n")
            yield None
        except UnicodeDecodeError as error:
            yield ConfigError(f"standard input is not UTF-8: {error.reason}")

    def read() -> None:
        for line in lines():
            try:
                loop.call_soon_threadsafe(queue.put_nowait, line)
            except RuntimeError:
                return  # the loop has ended, nobody listens any more

    threading.Thread(target=read, name="kqq-typing", daemon=True).start()
    return queue


def is_typed() -> bool:
    """Whether a person types what comes through standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


def show_picture(picture: bytes, uin: int, echo: Callable[[str], None]) -> None:
    """Save a picture, say where, and draw it."""
    file = save(picture, uin=uin, at=time.time())
    try:
        echo(draw(picture, shutil.get_terminal_size().columns))
    except PictureError as error:
        echo(say(error))
    echo(tr("The picture is in {file}.").format(file=file))
