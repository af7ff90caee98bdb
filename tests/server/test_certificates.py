"""Until when certificates are valid."""

import base64
from datetime import UTC, datetime

import pytest

import pems
from kqq.server.certificates import validity


def day(year: int) -> float:
    """Return the first moment of a year."""
    return datetime(year, 1, 1, tzinfo=UTC).timestamp()


def test_both_ways_to_write_a_date_are_read() -> None:
    """Two digits of the year until 2049, four after; with and without a version before it."""
    assert validity(pems.OLD) == (day(2020), day(2049))
    assert validity(pems.NEW) == (day(2020), day(2081))


def test_the_first_of_several_counts() -> None:
    """A file may hold those that signed, too, and words between them."""
    assert validity(f"words\n{pems.KEY}{pems.NEW}{pems.OLD}") == (day(2020), day(2081))


def test_dates_of_the_last_century() -> None:
    """From 50 on, two digits are of the 1900s."""
    der = base64.b64decode("".join(pems.OLD.splitlines()[1:-1]))
    old = base64.b64encode(der.replace(b"490101", b"990101")).decode()
    text = f"-----BEGIN CERTIFICATE-----\n{old}\n-----END CERTIFICATE-----"
    assert validity(text) == (day(2020), day(1999))


@pytest.mark.parametrize(
    ("pem", "told"),
    [
        ("", "there is no certificate"),
        (pems.KEY, "there is no certificate"),
        (pems.OLD[:200], "there is no certificate"),
        (pems.OLD[:100] + pems.OLD[-60:], "cannot be read"),
        ("-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----\nM\n-----END CERTIFICATE-----", "cannot be read"),
    ],
)
def test_what_is_no_certificate_is_refused(pem: str, told: str) -> None:
    """Whatever it is instead."""
    with pytest.raises(ValueError, match=told):
        validity(pem)
