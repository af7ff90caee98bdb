"""Hypothesis strategies made from the catalogue: any message, and lines right, nearly so and wild.

The text of a message is what bytes can give: lone surrogates only where bytes are no UTF-8.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from kqq.protocol import Failure, Head, Message, Role, encode, escape
from kqq.protocol.export import specs
from kqq.protocol.schema import VERSIONS, Field, Spec

SPECS = specs()
TOO_LARGE = 10**20

_AWKWARD = "%&,=\r\n +;\"'\\{}|\t\0\x0b\x85\u2028\u3000aZ09你😀"
_HEX = "0123456789abcdefABCDEF"


def from_bytes(raw: bytes) -> str:
    """Return `raw` as text, what is no UTF-8 as lone surrogates."""
    return raw.decode("utf-8", "surrogateescape")


TEXTS = st.one_of(
    st.text(st.sampled_from(_AWKWARD), max_size=12),
    st.text(max_size=20),
    st.binary(max_size=12).map(from_bytes),
    st.sampled_from(["%2c", "%", "%4", "%%41", "&CMD=Logout", "\r\nVER=1.1", "VER=", "%0a", "0"]),
)
DIGITS = st.text("0123456789", min_size=1, max_size=20)
NUMBERS = st.one_of(st.integers(0, 20), st.integers(10001, 10999), st.integers(0, TOO_LARGE - 1))


def _writable_as_plain_list(items: tuple[str, ...]) -> bool:
    return len(items) != 1 or bool(escape(items[0]).strip())


def hex_texts(digits: int) -> SearchStrategy[str]:
    """Return codes of so many hexadecimal digits."""
    return st.text(_HEX, min_size=digits, max_size=digits)


def _lists(items: SearchStrategy[Any]) -> SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=4).map(tuple)


VALUES: dict[str, SearchStrategy[Any]] = {
    "DIGITS": DIGITS,
    "UINT": NUMBERS,
    "TEXT": TEXTS,
    "PROSE": TEXTS,
    "HEX": st.binary(max_size=16),
    "HEX_TEXT(16)": hex_texts(16),
    "HEX_TEXT(32)": hex_texts(32),
    "VERSION": st.sampled_from(VERSIONS),
    "LIST(UINT)": _lists(NUMBERS),
    "LIST(TEXT)": _lists(TEXTS),
    "PLAIN_LIST(TEXT)": _lists(TEXTS).filter(_writable_as_plain_list),
}
"""What a field of each kind may hold."""

HEADS = st.builds(
    Head,
    ver=VALUES["VERSION"],
    con=st.none() | TEXTS,
    sid=st.none() | TEXTS,
    xp=st.none() | TEXTS,
)
ANYTHING: SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-TOO_LARGE * 2, TOO_LARGE * 2),
    st.floats(allow_nan=False),
    TEXTS,
    st.sampled_from(["\ud800", "\udcff", "a\nb", "1.4&CMD=Logout"]),
    st.binary(max_size=40),
    st.lists(NUMBERS, max_size=2),
    st.tuples(TEXTS),
    st.tuples(NUMBERS, TEXTS),
    st.dictionaries(TEXTS, NUMBERS, max_size=2),
    st.builds(object),
)
"""Values of any type, right or wrong for a field."""


def _field_values(declared: Field) -> SearchStrategy[Any]:
    values = VALUES[declared.kind.name]
    return values if declared.required or declared.default is not None else st.none() | values


def attributes(spec: Spec) -> dict[str, SearchStrategy[Any]]:
    """Return what each attribute of the message may be."""
    found = {declared.attribute: _field_values(declared) for declared in spec.fields}
    if spec.role == "document":
        return found
    found |= {"seq": DIGITS, "uin": NUMBERS}
    return found | ({"head": HEADS} if spec.role == "request" else {"ver": VALUES["VERSION"]})


def messages(spec: Spec) -> SearchStrategy[Message]:
    """Return messages of one declaration, with every value its fields can have."""
    return st.builds(spec.cls, **attributes(spec))


@st.composite
def wrong_messages(draw: DrawFn, spec: Spec) -> Message:
    """Return messages that are right but for a few values, which may be of any type."""
    chosen = {name: draw(values) for name, values in attributes(spec).items()}
    for name in draw(st.sets(st.sampled_from(sorted(chosen)), min_size=1, max_size=3)):
        chosen[name] = draw(ANYTHING)
    return spec.cls(**chosen)


NAMES = st.one_of(
    st.sampled_from([spec.command for spec in SPECS if spec.role in ("reply", "push")]),
    st.from_regex(r"[A-Za-z0-9_]{1,32}", fullmatch=True),
)
FAILURES = st.builds(
    Failure,
    ver=VALUES["VERSION"],
    seq=DIGITS,
    uin=NUMBERS,
    name=NAMES,
    res=st.integers(1, TOO_LARGE - 1),
)
MESSAGES: SearchStrategy[Message] = st.one_of(*(messages(spec) for spec in SPECS), FAILURES)
ROLES = st.sampled_from(Role)


def sender_of(message: Message) -> Role:
    """Return who says `message`."""
    is_request = not isinstance(message, Failure) and message.spec.role == "request"
    return Role.CLIENT if is_request else Role.SERVER


# --- lines ---------------------------------------------------------------------------------------

_KEYS = sorted({one.key.encode() for spec in SPECS for one in (*spec.head, *spec.fields)})
_PARTS = st.one_of(
    st.sampled_from([b"", b"=", b"ZZ=1", b"what", b"\xff\xfe", b"MG=a=b&c", b"%3d=%26", b" "]),
    st.builds(b"%b=%b".__mod__, st.tuples(st.sampled_from(_KEYS), st.binary(max_size=8))),
)


def _drop(draw: DrawFn, parts: list[bytes]) -> list[bytes]:
    position = draw(st.integers(0, len(parts) - 1))
    return parts[:position] + parts[position + 1 :]


def _insert(draw: DrawFn, parts: list[bytes]) -> list[bytes]:
    position = draw(st.integers(0, len(parts)))
    return [*parts[:position], draw(_PARTS), *parts[position:]]


def _repeat(draw: DrawFn, parts: list[bytes]) -> list[bytes]:
    return [*parts, draw(st.sampled_from(parts))]


def _shuffle(draw: DrawFn, parts: list[bytes]) -> list[bytes]:
    return draw(st.permutations(parts))


def _swap_case(draw: DrawFn, parts: list[bytes]) -> list[bytes]:
    return [part.swapcase() if part.startswith(b"CMD=") else part for part in parts]


def _spoil(draw: DrawFn, parts: list[bytes]) -> list[bytes]:
    position = draw(st.integers(0, len(parts) - 1))
    key, equals, value = parts[position].partition(b"=")
    cut = draw(st.integers(0, len(value)))
    value = value[:cut] + draw(st.binary(max_size=3)) + value[cut:]
    return [*parts[:position], key + equals + value, *parts[position + 1 :]]


_CHANGES: list[Callable[[DrawFn, list[bytes]], list[bytes]]] = [
    _drop,
    _insert,
    _repeat,
    _shuffle,
    _swap_case,
    _spoil,
]


@st.composite
def nearly_right(draw: DrawFn) -> bytes:
    """Return lines of real messages with a few things wrong; a line end may be inside."""
    parts = encode(draw(MESSAGES)).split(b"&")
    for change in draw(st.lists(st.sampled_from(_CHANGES), max_size=3)):
        if parts:
            parts = change(draw, parts)
    prefix = draw(st.sampled_from([b"", b"", b"\x89\x01", b"Q", b"&", b"\xef\xbb\xbf", b"A=1"]))
    return prefix + b"&".join(parts)


ENDS = st.sampled_from([b"", b"\n", b"\r\n", b"\r", b"\r\r\n"])
LINES = st.one_of(
    nearly_right(),
    MESSAGES.map(encode),
    st.binary(max_size=60),
    st.text(max_size=60).map(str.encode),
    st.builds(b"VER=1.1&CMD=%b".__mod__, st.binary(max_size=30)),
)
"""The bytes of one line, of any sort; some hold line ends, as the body of a POST may."""


@st.composite
def cuts(draw: DrawFn, stream: bytes) -> list[bytes]:
    """Return `stream` in pieces, none of them empty."""
    places = sorted(draw(st.sets(st.integers(0, len(stream)), max_size=8)) | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(places)]
