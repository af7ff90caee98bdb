"""The screen is read in English; the catalogue has tests of its own."""

from collections.abc import Iterator

import pytest

from kqq.words import use_language


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Speak English, whatever the machine does."""
    use_language("en")
    yield
    use_language(None)
