"""What a protocol is given when a connection is made."""

import asyncio
from typing import cast


def stream_of(transport: asyncio.BaseTransport) -> asyncio.Transport:
    """Return the transport of a connection that carries bytes both ways, for the type checker.

    Those of uvloop behave as such and are none by their class, so that cannot be asserted.
    """
    return cast("asyncio.Transport", transport)
