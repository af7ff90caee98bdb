"""What the tests of subcommands need."""

from collections.abc import Iterator

import pytest

import keyrings_here  # noqa: F401  # takes the system's keyring away
from kqq.language import use_language
from serving import serving


@pytest.fixture(autouse=True)
def _own_folders(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Settings, history and pictures of a test are its own, and not those of whoever runs it.

    The language is English, and again so after a test that has chosen another one.
    """
    home = tmp_path_factory.mktemp("home")
    for name in ("CONFIG", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    monkeypatch.setenv("KQQ_LANG", "en")
    yield
    use_language(None)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with Anna (10001) and 小波 (10002), who are friends."""
    with serving(tmp_path_factory.mktemp("data"), "Anna", "小波") as server:
        yield server.address
