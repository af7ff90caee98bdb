"""How all tests run: with folders of their own, and the same examples of properties each time."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "kqq",
    deadline=None,
    derandomize=True,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("kqq")


@pytest.fixture(autouse=True, scope="session")
def _own_home() -> Iterator[None]:
    """Nobody's settings, history or keyring are read or written, also by processes of the tests."""
    before = dict(os.environ)
    for name in [one for one in os.environ if one.startswith("KQQ_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="kqq-home-") as home:
        for kind in ("CONFIG", "DATA", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = str(Path(home) / kind.lower())
        os.environ["KQQ_LANG"] = "en"
        os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
        yield
    os.environ.clear()
    os.environ.update(before)
