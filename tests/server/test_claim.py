"""One data folder, one server."""

from pathlib import Path

import pytest

from kqq.errors import ConfigError, StoreError
from kqq.server.claim import claim, is_claimed


def test_one_at_a_time(tmp_path: Path) -> None:
    """Who comes second is told so; when the first lets go, the next may."""
    assert not is_claimed(tmp_path)
    with claim(tmp_path, "taken"):
        assert is_claimed(tmp_path)
        with pytest.raises(ConfigError, match="taken"):
            claim(tmp_path, "taken")
    assert not is_claimed(tmp_path)
    claim(tmp_path, "taken").close()


def test_looking_claims_nothing(tmp_path: Path) -> None:
    """Who only looks keeps nobody out, and makes no file."""
    is_claimed(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Nothing can be claimed in it."""
    with pytest.raises(StoreError, match="cannot write in"):
        claim(tmp_path / "none", "taken")
