"""What tests of a run share."""

from collections.abc import Iterator

import pytest

from kqq.client import Address
from prepared import prepared


@pytest.fixture(scope="session")
def server() -> Iterator[Address]:
    """The address of a server with the accounts of the suite."""
    with prepared() as process:
        yield Address("127.0.0.1", process.port)
