"""tshark with the dissector, once for all tests."""

import pytest

from sharks import Shark


@pytest.fixture(scope="session")
def shark(tmp_path_factory: pytest.TempPathFactory) -> Shark:
    """Return tshark with the dissector; the test is skipped without tshark."""
    return Shark(tmp_path_factory.mktemp("tshark"))
