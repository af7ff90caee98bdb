"""How one value is read, written and described.

A `Kind` knows the spelling of one sort of value on the wire.
Escaping lives here and nowhere else: `%`, `&`, comma, CR and LF are written as `%25 %26 %2c %0D
%0a` in just that case, because old clients look for just that case; `=` stays raw. Reading undoes
any `%XX`, in either case, in one pass, and leaves a `%` that starts no escape alone.
(Sources: SEED, CS11, SETM; protocol section 2.)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_TAKES_NUMBER = 20  # digits: more than any number seen (10), less than what makes int() slow
UINT_LIMIT = 10**_TAKES_NUMBER
"""What a number must be less than."""


def escape(text: str) -> str:
    """Return `text` with the five signs escaped that would end a value, a list item or a line."""
    return (
        text.replace("%", "%25")
        .replace("&", "%26")
        .replace(",", "%2c")
        .replace("\n", "%0a")
        .replace("\r", "%0D")
    )


def unescape(value: str) -> str:
    """Return `value` with every `%XX` undone, in one pass.

    Bytes that are not UTF-8, raw or escaped, come back as lone surrogates ("surrogateescape"),
    so that nothing is lost.
    """
    if "%" not in value:
        return value
    raw = value.encode("utf-8", "surrogateescape")
    raw = _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), raw)
    return raw.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of value.

    `parse` takes the value as it stands in the line, `format` what a message carries; both raise
    ValueError with the rule that was broken (`format` also TypeError or AttributeError where the
    type is wrong). `pattern` is a regular expression without groups that matches each value
    `format` writes and possibly more; `canonical` reads what it matched, and is None where the
    value is taken as it stands. `empty_is_absent`: an empty optional value says no more than a
    missing one; only for kinds that never write an empty value.
    """

    name: str
    parse: Callable[[str], Any]
    format: Callable[[Any], str]
    pattern: str = "[^&]*"
    canonical: Callable[[str], Any] | None = None
    empty_is_absent: bool = True
    doc: str = ""

    def __repr__(self) -> str:
        return self.name


def _digits(value: str) -> str:
    value = value.strip()
    if not (value.isascii() and value.isdecimal() and len(value) <= _TAKES_NUMBER):
        raise ValueError(f"must be 1 to {_TAKES_NUMBER} decimal digits")
    return value


def _format_digits(value: str) -> str:
    if not (value.isascii() and value.isdecimal() and len(value) <= _TAKES_NUMBER):
        raise ValueError(f"must be a string of 1 to {_TAKES_NUMBER} decimal digits")
    return value


def _parse_uint(value: str) -> int:
    return int(_digits(value))


def _format_uint(value: int) -> str:
    if not isinstance(value, int) or not 0 <= value < UINT_LIMIT:
        raise ValueError(f"must be a whole number of at most {_TAKES_NUMBER} digits, not negative")
    return f"{value:d}"


def _format_text(value: str) -> str:
    return escape(value)


def _parse_hex(value: str) -> bytes:
    value = value.strip()
    if not value.isascii():
        raise ValueError("must be hexadecimal digits, two for each byte")
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise ValueError("must be hexadecimal digits, two for each byte") from None


def _format_hex(value: bytes) -> str:
    if not isinstance(value, bytes):  # a float has hex() too
        raise TypeError("must be bytes")
    return value.hex()


def _is_hex(value: str, digits: int) -> bool:
    return len(value) == digits and not value.strip("0123456789abcdefABCDEF")


def hex_text(digits: int) -> Kind:
    """Return the kind of a code of exactly `digits` hexadecimal digits, kept in the case sent."""
    rule = f"must be {digits} hexadecimal digits"

    def parse(value: str) -> str:
        return write(value.strip())

    def write(value: str) -> str:
        if not _is_hex(value, digits):
            raise ValueError(rule)
        return value

    pattern = f"[0-9A-Fa-f]{{{digits}}}"
    return Kind(f"HEX_TEXT({digits})", parse, write, pattern, doc=f"{digits} hexadecimal digits")


def one_of(name: str, choices: tuple[str, ...]) -> Kind:
    """Return the kind of a value that is one of `choices`, spelled so."""
    rule = f"must be one of {', '.join(choices)}"

    def write(value: str) -> str:
        if value not in choices:
            raise ValueError(rule)
        return value

    def parse(value: str) -> str:
        return write(value.strip())

    return Kind(name, parse, write, "|".join(map(re.escape, choices)), doc=rule)


def list_of(item: Kind, *, trailing: bool = True) -> Kind:
    """Return the kind of a list, read into a tuple.

    Lists of the protocol put a comma after every item, the last one too; with `trailing=False`
    commas only separate (the server-config document). Reading takes both, save that without
    trailing commas an empty last item counts.
    """

    def parse(value: str) -> tuple[Any, ...]:
        if not value.strip():
            return ()
        items = value.split(",")
        if trailing and not items[-1].strip():
            items.pop()
        return tuple(item.parse(part) for part in items)

    def write(values: tuple[Any, ...]) -> str:
        if not isinstance(values, tuple):  # the letters of a str would be items
            raise TypeError("must be a tuple")
        items = [item.format(value) for value in values]
        if trailing:
            return "".join(part + "," for part in items)
        if len(items) == 1 and not items[0].strip():
            raise ValueError("a list of one blank item cannot be told from an empty list")
        return ",".join(items)

    name = f"LIST({item.name})" if trailing else f"PLAIN_LIST({item.name})"
    comma = "a comma after each" if trailing else "commas between"
    doc = f"{item.doc}; several, {comma}"
    return Kind(name, parse, write, canonical=parse, empty_is_absent=False, doc=doc)


def _format_prose(value: str) -> str:
    return value.replace("%", "%25").replace("&", "%26").replace("\n", "%0a").replace("\r", "%0D")


DIGITS = Kind(
    "DIGITS",
    _digits,
    _format_digits,
    f"[0-9]{{1,{_TAKES_NUMBER}}}",
    empty_is_absent=False,
    doc="decimal digits, kept as sent, leading zeros included",
)
UINT = Kind(
    "UINT",
    _parse_uint,
    _format_uint,
    f"[0-9]{{1,{_TAKES_NUMBER}}}",
    canonical=int,
    doc="a whole number, not negative",
)
TEXT = Kind(
    "TEXT",
    unescape,
    _format_text,
    canonical=unescape,
    empty_is_absent=False,
    doc="words, escaped",
)
PROSE = Kind(
    "PROSE",
    unescape,
    _format_prose,
    canonical=unescape,
    empty_is_absent=False,
    doc="words, escaped save for commas",
)
HEX = Kind(
    "HEX",
    _parse_hex,
    _format_hex,
    canonical=_parse_hex,
    empty_is_absent=False,
    doc="bytes as lower-case hex",
)
