"""Charts in English, with times in UTC."""

import time
from collections.abc import Iterator

import pytest

from kqq.words import use_language


@pytest.fixture(autouse=True)
def _english_and_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing depends on where the tests run."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    use_language("en")
    yield
    use_language(None)
    monkeypatch.undo()
    time.tzset()
