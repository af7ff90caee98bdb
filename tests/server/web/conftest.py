"""What the tests of the web door begin with: a started server, and browsers that come to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import kqq.server.web.door  # noqa: F401  # servers import it late; coverage wants it early
from visiting import Web


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    """A server on loopback with Romeo and Juliet, who are friends, and Paris, who is nobody's."""
    async with Web(tmp_path / "data", registration="open") as web:
        yield web
