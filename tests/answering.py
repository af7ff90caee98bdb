"""A server that answers each line as somebody tells it, for servers that are not as they should."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from kqq.client import Address
from kqq.protocol import Line, LineBuffer

Answer = Callable[[Line], Sequence[str]]
"""Returns the lines that are said when a line comes; `HANG UP` ends the connection."""


def plain(line: Line, rest: str, command: str = "") -> str:
    """Return a reply to a line, with its head and `rest`."""
    values = line.values()
    name = command or values["CMD"].upper()
    return f"VER=1.1&CMD={name}&SEQ={values['SEQ']}&UIN={values['UIN']}{rest}"


@asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[Address]:
    """Run such a server; what it says `HANG UP` for is closed."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        buffer = LineBuffer()
        while data := await reader.read(65536):
            for raw in buffer.feed(data):
                for said in answer(Line.decode(raw)):
                    if said == "HANG UP":
                        writer.close()
                        return
                    writer.write(f"{said}\r\n".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.close()
            await writer.wait_closed()
        await server.wait_closed()
