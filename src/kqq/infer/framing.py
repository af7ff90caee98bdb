"""Where a message ends: after a sign, after as many bytes as were announced, or nobody knows.

The evidence is in the pauses. Who has said all there is to say stops, and the other end speaks, or
time goes by; so what comes between two pauses (a burst) is one or more whole messages. A sign that
ends nearly every burst ends messages. A number that tells, from one message to the next, exactly
where the burst ends is a length. By chance neither happens.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

SHARE = 0.9
"""The part of bursts that must end where a framing says."""
_FEW = 4  # bursts; with fewer, only usual ends are believed
_USUAL_ENDS = b"\n\r\0"
_LONGEST_END = 4  # bytes
_SAME = 0.98  # of messages that must have a sign before their end for it to belong to the end
_SOMETIMES = 0.02
_OFFSETS = range(9)  # bytes that may stand before a length
_MOST_EXTRA = 16  # bytes that a length may leave out or count twice
_LENGTHS = 3  # different ones that must occur, else every message is as long
_LOOKED_AT = 1 << 16  # bytes of one burst in which lengths are tried
_BURSTS = 400  # bursts in which they are
_DECIMAL = re.compile(rb"([0-9]{1,9})[^0-9]")


@dataclass(frozen=True, slots=True)
class Ends:
    """Messages end with `sign`, and some of them with `maybe` before it.

    `agree` of `of` bursts end with the sign; it occurs `count` times, `with_maybe` of them so.
    """

    sign: bytes
    maybe: bytes = b""
    agree: int = 0
    of: int = 0
    count: int = 0
    with_maybe: int = 0

    def cut(self, run: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield where each message in `run` begins and ends, and where the next one begins."""
        start = 0
        while (place := run.find(self.sign, start)) >= 0:
            end = place
            if self.maybe and run.endswith(self.maybe, start, place):
                end -= len(self.maybe)
            yield start, end, place + len(self.sign)
            start = place + len(self.sign)


@dataclass(frozen=True, slots=True)
class Counted:
    """A length stands at `offset` in each message; it leaves out `extra` of the bytes it means.

    `form` is "big" or "little" (a number of `width` bytes; it means the whole message), "7-bit"
    (one or more bytes, the highest bit says that another follows) or "decimal" (digits, and one
    sign after them); these two mean what comes after them.
    """

    offset: int
    form: str
    width: int = 0
    extra: int = 0
    agree: int = 0
    of: int = 0

    def cut(self, run: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield where each message in `run` begins (after the length) and ends, twice."""
        start = 0
        while (found := self._read(run, start)) is not None:
            body, end = found[0], found[1] + self.extra
            if not body <= end <= len(run):
                return
            yield body, end, end
            start = end

    def shape(self, burst: bytes) -> tuple[int, int] | None:
        """Return the first length in `burst`, and what it leaves out if there is one message."""
        found = self._read(burst, 0)
        return None if found is None else (found[1], len(burst) - found[1])

    def _read(self, run: bytes, start: int) -> tuple[int, int] | None:
        """Return where the message's body begins, and where it ends but for `extra`."""
        place = start + self.offset
        if self.form == "decimal":
            digits = _DECIMAL.match(run, place)
            return digits and (digits.end(), digits.end() + int(digits[1]))
        if self.form == "7-bit":
            value = 0
            for number, body in enumerate(range(place, min(place + 4, len(run)))):
                value |= (run[body] & 127) << 7 * number
                if run[body] < 128:
                    return body + 1, body + 1 + value
            return None
        body = place + self.width
        if body > len(run):
            return None
        order = "big" if self.form == "big" else "little"
        return body, start + int.from_bytes(run[place:body], order)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Fixed:
    """All messages have `size` bytes: so have `agree` of `of` bursts, or they are multiples."""

    size: int
    agree: int = 0
    of: int = 0

    def cut(self, run: bytes) -> Iterator[tuple[int, int, int]]:
        """Yield where each message in `run` begins and ends, and where the next one begins."""
        for start in range(0, len(run) - self.size + 1, self.size):
            yield start, start + self.size, start + self.size


Framing = Ends | Counted | Fixed


def own_end(bursts: Sequence[bytes]) -> bytes:
    """Return the last byte that nearly all bursts have, b"" if there is none."""
    last = Counter(burst[-1:] for burst in bursts if not burst[-1:].isalnum())
    if not last:
        return b""
    sign, count = last.most_common(1)[0]
    return sign if count >= SHARE * len(bursts) else b""


def find_end(bursts: Sequence[bytes]) -> Ends | None:
    """Return the sign that ends messages, if nearly all bursts end with one and the same."""
    sign = own_end(bursts)
    if not sign or (len(bursts) < _FEW and sign not in _USUAL_ENDS):
        return None
    ended = [burst for burst in bursts if burst.endswith(sign)]
    while len(sign) < _LONGEST_END:
        longer, count = Counter(burst[-len(sign) - 1 :] for burst in ended).most_common(1)[0]
        if len(longer) == len(sign) or longer[:1].isalnum() or count < _SAME * len(ended):
            break
        if len(bursts) < _FEW and longer[0] not in _USUAL_ENDS:
            break
        sign = longer
    found = Ends(sign, agree=len(ended), of=len(bursts), count=sum(b.count(sign) for b in bursts))
    before = Counter(
        burst[place - 1 : place]
        for burst in ended
        if (place := len(burst) - len(sign)) > 0 and burst[place - 1] < ord(" ")
    )
    if before:
        maybe = before.most_common(1)[0][0]
        count = sum(burst.count(maybe + sign) for burst in bursts)
        if count > _SOMETIMES * found.count:
            return replace(found, maybe=maybe, with_maybe=count)
    return found


def find_length(bursts: Sequence[bytes]) -> Counted | None:
    """Return the length that leads from message to message to the end of nearly all bursts."""
    tried = [burst for burst in bursts if len(burst) <= _LOOKED_AT][:_BURSTS]
    if len(tried) < _FEW or len({len(burst) for burst in tried}) < _LENGTHS:
        return None
    forms = [("big", 4), ("little", 4), ("big", 2), ("little", 2), ("big", 1), ("7-bit", 0)]
    if all(burst[:1].isdigit() for burst in tried):
        forms = [("decimal", 0)]
    best: Counted | None = None
    for form, width in forms:
        for offset in [0] if form == "decimal" else _OFFSETS:
            found = _with_extra(Counted(offset, form, width), tried)
            if found is not None and (best is None or found.agree > best.agree):
                best = found
    return best


def _with_extra(length: Counted, bursts: Sequence[bytes]) -> Counted | None:
    """Return `length` with what it leaves out, None if it does not lead to the ends of bursts."""
    shapes = [shape for burst in bursts if (shape := length.shape(burst)) is not None]
    extras = Counter(extra for _, extra in shapes)
    if not extras:
        return None
    extra, count = extras.most_common(1)[0]
    if abs(extra) > _MOST_EXTRA or count * 4 < len(bursts):
        return None
    if len({value for value, other in shapes if other == extra}) < _LENGTHS:
        return None
    found = replace(length, extra=extra)
    agree = sum(leads_to_end(found, burst) for burst in bursts)
    if agree < SHARE * len(bursts):
        return None
    return replace(found, agree=agree, of=len(bursts))


def leads_to_end(framing: Framing, burst: bytes) -> bool:
    """Whether the last message that `framing` cuts from a burst ends where the burst does."""
    end = 0
    for _, _, next_start in framing.cut(burst):
        if next_start <= end:
            return False
        end = next_start
    return end == len(burst)


def find_size(bursts: Sequence[bytes]) -> Fixed | None:
    """Return the size that all messages have, if nearly all bursts are multiples of it."""
    sizes = Counter(map(len, bursts))
    if len(bursts) < _FEW:
        return None
    size, count = sizes.most_common(1)[0]
    if size < _LENGTHS or count * 2 < len(bursts):
        return None
    agree = sum(number for length, number in sizes.items() if length % size == 0)
    return Fixed(size, agree, len(bursts)) if agree >= SHARE * len(bursts) else None
