"""A client and the script at its other end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kqq.client import Client
from script import Script


@pytest.fixture
async def script() -> Script:
    """A scripted server."""
    return Script()


@pytest.fixture
async def client(script: Script) -> AsyncIterator[Client]:
    """A client connected to the script, not signed in."""
    async with Client(script, timeout=5) as connected:
        yield connected


@pytest.fixture
async def signed_in(script: Script, client: Client) -> Client:
    """A client signed in as 10001."""
    signing = asyncio.create_task(client.sign_in(10001, "secret"))
    await script.answer("RES=0&RS=0&HI=60&LI=300", "Login")
    await signing
    return client
