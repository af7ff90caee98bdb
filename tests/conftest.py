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

TESTS = Path(__file__).parent
_FILE = pytest.StashKey[str]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have coverage be measured only in tests that belong to a module, as covered.py has it.

    Of others nobody asks for it, and they take half of the time without.
    """
    for item in items:
        inside = item.path.relative_to(TESTS)
        module = TESTS.parent / "src" / "kqq" / inside.parent / inside.name.removeprefix("test_")
        if not module.exists():
            item.add_marker("no_cover")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have coverage note what a test file covers, by its name; for each test would take long."""
    measuring = getattr(item.config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    file = item.nodeid.partition("::")[0]
    if measuring is not None and item.config.stash.get(_FILE, "") != file:
        item.config.stash[_FILE] = file
        measuring.cov.switch_context(file)


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
