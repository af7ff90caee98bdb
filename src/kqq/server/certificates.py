"""Until when a certificate is valid.

The standard library tells that only to who trusts the certificate, so it is read here.
"""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_VERSION = 0xA0
_UTC_TIME = 0x17


@dataclass(frozen=True, slots=True)
class _Element:
    """An element of DER (X.690): its tag, and where its content starts and ends."""

    tag: int
    start: int
    end: int


def validity(pem: str) -> tuple[float, float]:
    """Return from when until when the first certificate of a PEM file is valid, in seconds.

    Raises ValueError if there is none.
    """
    start = pem.find(_BEGIN)
    stop = pem.find(_END, start)
    if start < 0 or stop < 0:
        raise ValueError("there is no certificate in it")
    try:
        der = ssl.PEM_cert_to_DER_cert(pem[start : stop + len(_END)])
        whole = _element(der, 0)
        signed = _element(der, whole.start)
        inside = _element(der, signed.start)
        if inside.tag == _VERSION:
            inside = _element(der, inside.end)
        for _ in range(3):  # the serial number, the algorithm, who signed
            inside = _element(der, inside.end)
        first = _element(der, inside.start)
        second = _element(der, first.end)
        return _time(der, first), _time(der, second)
    except (IndexError, ValueError):
        raise ValueError("the certificate in it cannot be read") from None


def _element(der: bytes, at: int) -> _Element:
    tag, length = der[at], der[at + 1]
    start = at + 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[start : start + count])
        start += count
    return _Element(tag, start, start + length)


def _time(der: bytes, element: _Element) -> float:
    text = der[element.start : element.end].decode("ascii")
    if element.tag == _UTC_TIME:  # years of two digits, up to 2049 (RFC 5280)
        text = ("19" if text >= "5" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
