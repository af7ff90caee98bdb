"""What the keys and letters of evidence stand for."""

import re

import pytest

from kqq.protocol.evidence import CONFIDENCE, SOURCES
from kqq.protocol.export import specs


def test_every_source_is_called_upon() -> None:
    """No source is listed that attests nothing, and every mark is one."""
    marks = {mark for spec in specs() for mark in spec.evidence.split()}
    marks |= {mark for spec in specs() for one in spec.fields for mark in one.evidence.split()}
    assert marks <= SOURCES.keys()
    assert SOURCES.keys() - marks <= {"PY"}  # its scripts only show what WEI and HACK attest


@pytest.mark.parametrize("key", SOURCES)
def test_a_source_has_a_short_key_and_words(key: str) -> None:
    """Keys are capitals and digits, as they stand in declarations; the words say what it is."""
    assert re.fullmatch("[A-Z][A-Z0-9]+", key)
    assert len(SOURCES[key].split()) > 2


def test_confidence_goes_from_sure_to_unknown() -> None:
    """The letters are those of the reference, the surest first."""
    assert list(CONFIDENCE) == ["A", "B", "C", "D", "?"]
