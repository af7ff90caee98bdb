"""Hostile bytes for whatever reads bytes: how they are made, and what must not happen then.

A target takes bytes and returns a signature: what kinds of things it saw in them. It may raise what
kqq raises on purpose, and nothing else. Bytes with a new signature are kept and changed further, so
that a run wanders into corners. `benchmarks/fuzz.py` does so for an hour, `test_fuzz.py` for half
a minute; what they find is kept in `findings/` and is tried again in each run of the tests.
"""

import hashlib
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kqq.errors import KQQError

FINDINGS = Path(__file__).parent / "findings"
SECONDS = 10
"""What one input of at most LONGEST bytes may take; a thousandth is usual."""
LONGEST = 200_000
MEMORY = 300
"""MiB by which a run may grow."""
_KEPT = 400  # inputs at once
_INTERESTING = (0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)

Target = Callable[[bytes], object]


class Slow(Exception):
    """An input took longer than SECONDS."""


@dataclass(frozen=True)
class Finding:
    """Bytes, and what they did to a target."""

    target: str
    data: bytes = field(repr=False)
    what: str

    def save(self) -> Path:
        """Keep the bytes where the tests try them again."""
        folder = FINDINGS / self.target
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{hashlib.sha256(self.data).hexdigest()[:16]}.bin"
        path.write_bytes(self.data)
        return path


def findings(target: str) -> list[bytes]:
    """Return the bytes that once were too much for a target."""
    return [path.read_bytes() for path in sorted((FINDINGS / target).glob("*.bin"))]


def try_on(target: Target, data: bytes) -> object:
    """Return the signature of `data`. Raises what the target must not raise, or Slow."""
    with _alarm():
        try:
            return target(data)
        except KQQError as error:
            return type(error).__name__


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(number: int, frame: object) -> None:
        raise Slow(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fuzz(
    name: str,
    target: Target,
    seeds: Sequence[bytes],
    seconds: float,
    *,
    chance: random.Random,
    told: Callable[[int, int], None] | None = None,
) -> tuple[int, Finding | None]:
    """Try changed seeds for some seconds; return how many were tried, and what was found.

    `told` is called after each with the number of tries and of inputs that are kept.
    """
    kept = [seed[:LONGEST] for seed in seeds]
    seen = {repr(try_on(target, seed)) for seed in kept}
    end, tries = time.monotonic() + seconds, 0
    before = _memory()
    while time.monotonic() < end:
        data = changed(chance.choice(kept), kept, chance)
        tries += 1
        try:
            signature = repr(try_on(target, data))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what we look for
            return tries, Finding(name, data, f"{type(error).__name__}: {error}")
        if signature not in seen:
            seen.add(signature)
            kept.append(data)
            if len(kept) > _KEPT:
                del kept[chance.randrange(len(seeds), len(kept))]
        if _memory() - before > MEMORY:
            return tries, Finding(name, data, f"grew by more than {MEMORY} MiB")
        if told is not None:
            told(tries, len(kept))
    return tries, None


def _memory() -> int:
    """Return the most MiB that this process has used."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def changed(data: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Return `data` changed in one to eight ways."""
    made = bytearray(data)
    for _ in range(1 << chance.randrange(4)):
        chance.choice(_CHANGES)(made, others, chance)
    return bytes(made[:LONGEST])


def _place(made: bytearray, chance: random.Random) -> int:
    return chance.randrange(len(made) + 1)


def _flip(made: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    if made:
        made[chance.randrange(len(made))] ^= 1 << chance.randrange(8)


def _set(made: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    """Write a number that is at the edge of something, in one of the usual widths and orders."""
    width = chance.choice((1, 2, 4))
    number = chance.choice(_INTERESTING) & ((1 << 8 * width) - 1)
    place = _place(made, chance)
    made[place : place + width] = number.to_bytes(width, chance.choice(("big", "little")))


def _remove(made: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    place = _place(made, chance)
    del made[place : place + (1 << chance.randrange(10))]


def _cut(made: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    del made[_place(made, chance) :]


def _repeat(made: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    place = _place(made, chance)
    piece = made[place : place + (1 << chance.randrange(10))]
    made[place:place] = piece * (1 << chance.randrange(5))


def _insert(made: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    place = _place(made, chance)
    made[place:place] = chance.randbytes(1 << chance.randrange(6))


def _signs(made: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    place = _place(made, chance)
    sign = chance.choice((b"&", b"=", b",", b"%", b"\n", b"\r\n", b"VER=", b"CMD=", b"\xff", b"\0"))
    made[place:place] = sign * chance.choice((1, 1, 1, 2, 100))


def _join(made: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    """Put a piece of another input in."""
    other = chance.choice(others)
    start = chance.randrange(len(other) + 1)
    place = _place(made, chance)
    made[place:place] = other[start : start + (1 << chance.randrange(12))]


_CHANGES = (_flip, _set, _set, _remove, _cut, _repeat, _insert, _signs, _join)
