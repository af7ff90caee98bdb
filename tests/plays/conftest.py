"""A real server in the loop of a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from kqq.client import Address
from kqq.server import Config, Listen, Server
from serving import people


@pytest_asyncio.fixture
async def address(tmp_path: Path) -> AsyncIterator[Address]:
    """A server with Romeo, Juliet and Paris (10001 to 10003), all of them friends."""
    config = Config(data=tmp_path / "data", listen=(Listen("127.0.0.1", 0),))
    async with Server(config) as server:
        people(server, "Romeo", "Juliet", "Paris")
        yield Address("127.0.0.1", server.listening[0].port)
