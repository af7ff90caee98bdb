"""What the tests of subcommands need."""

from collections.abc import Iterator

import pytest

from serving import serving


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with Anna (10001) and 小波 (10002), who are friends."""
    with serving(tmp_path_factory.mktemp("data"), "Anna", "小波") as server:
        yield server.address
