"""Between client and server: what the server says arrives otherwise, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Alter = Callable[[bytes], bytes]


@contextmanager
def altering(port: int, alter: Alter) -> Iterator[int]:
    """Give a port that leads to another one; what comes back from there is altered."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(_open(port, alter), loop).result(10)
        yield server.sockets[0].getsockname()[1]
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _open(port: int, alter: Alter) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = writer.get_extra_info("peername")[0]
        onward, there = await asyncio.open_connection("127.0.0.1", port, local_addr=(own, 0))
        try:
            await asyncio.gather(_pass(reader, there, bytes), _pass(onward, writer, alter))
        finally:
            for one in (writer, there):
                one.close()
                with suppress(OSError):
                    await one.wait_closed()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, alter: Alter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(alter(data))
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await server.wait_closed()
