"""TLS for tests: certificates in files, servers and clients that use them."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pems
from kqq.server import Config, Listen, Server
from kqq.server.clock import LoopClock
from stage import JULIET, ROMEO, WAIT, ManualClock, add_person


@dataclass(frozen=True)
class Certificate:
    """The files of a certificate that has signed itself, and of its key."""

    certificate: Path
    key: Path

    def trusted(self) -> ssl.SSLContext:
        """Return what a client needs that trusts all certificates in the file, whosever."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.check_hostname = False
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # Python 3.13 takes none of version 1
        return context


def make(folder: Path, certificate: str = pems.NEW, key: str = pems.KEY) -> Certificate:
    """Write a certificate and a key to `folder`."""
    made = Certificate(folder / "server.pem", folder / "server.key")
    made.certificate.write_text(certificate)
    made.key.write_text(key)
    return made


def config(data: Path, certificate: Certificate, **settings: Any) -> Config:
    """Return the settings of a server with one door, for TLS."""
    return Config(
        data=data,
        listen=(Listen("127.0.0.1", 0, "kqqs"),),
        certificate=certificate.certificate,
        key=certificate.key,
        **settings,
    )


@asynccontextmanager
async def serving(
    data: Path, certificate: Certificate, clock: ManualClock | None = None, **settings: Any
) -> AsyncIterator[Server]:
    """Run a server with Romeo and Juliet, who are friends."""
    async with Server(config(data, certificate, **settings), clock=clock or LoopClock()) as server:
        for uin in (ROMEO, JULIET):
            add_person(server.store, uin)
        server.store.add_friends(ROMEO, JULIET)
        yield server


async def until(server: Server, guests: int) -> None:
    """Wait until so many connections are left."""
    async with asyncio.timeout(WAIT):
        while len(server._guests) != guests:  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.005)


class Client:
    """A client over TLS that knows lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, server: Server, certificate: Certificate) -> Self:
        """Return one that has shaken hands."""
        port, tls = server.listening[0].port, certificate.trusted()
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))

    @property
    def certificate(self) -> str:
        """The certificate that the server has shown, as PEM."""
        tls: ssl.SSLObject = self._writer.get_extra_info("ssl_object")
        shown = tls.getpeercert(binary_form=True)
        assert shown is not None
        return ssl.DER_cert_to_PEM_cert(shown)

    async def say(self, *lines: str) -> None:
        """Send lines."""
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self._writer.drain()

    async def hear(self) -> str:
        """Return the next line, "" at the end."""
        async with asyncio.timeout(WAIT):
            return (await self._reader.readline()).decode().removesuffix("\r\n")

    async def hear_all(self) -> str:
        """Return what comes until the end."""
        async with asyncio.timeout(WAIT):
            return (await self._reader.read()).decode()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()
