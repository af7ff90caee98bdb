"""The picture of a captcha: as the one on record, small, and with the letters in it."""

import io
import itertools
import random
import struct
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from kqq.server import picture

LETTERS = st.text(picture.ALPHABET, min_size=picture.LETTERS, max_size=picture.LETTERS)


def opened(png: bytes) -> Image.Image:
    """Return a picture as greys, read whole and its checksums checked."""
    with Image.open(io.BytesIO(png)) as image:
        image.verify()
    with Image.open(io.BytesIO(png)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", (100, 40))
        return image.convert("L")


def chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """Return the parts of a PNG with their names."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    found = []
    at = 8
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        found.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += size + 12
    return found


def test_is_made_as_the_one_on_record() -> None:
    """100 x 40 pixels of 4 bits, a palette of 16 greys, one part with data (TIEBA)."""
    parts = dict(chunks(picture.draw("ACEH", random.Random(1).randbytes)))
    assert list(parts) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert struct.unpack(">2I5B", parts[b"IHDR"]) == (100, 40, 4, 3, 0, 0, 0)
    assert parts[b"PLTE"] == bytes(16 * i + i for i in range(16) for _ in range(3))


def test_is_never_larger_than_the_one_on_record() -> None:
    """Among a thousand pictures none is too large, nor are those with the most ink."""
    dice = random.Random(2)
    for number in range(1000):
        letters = "MMMM" if number % 10 == 0 else picture.pick_letters(dice.randbytes)
        assert len(picture.draw(letters, dice.randbytes)) <= 671


@pytest.mark.parametrize(("limit", "greys"), [(9999, 4), (671, 4), (500, 3), (430, 2), (0, 2)])
def test_is_made_in_fewer_greys_when_it_is_too_large(limit: int, greys: int) -> None:
    """What has too many bytes is drawn the same and rounded to fewer greys."""
    whole = picture.draw("RSKE", random.Random(3).randbytes, limit=9999)
    assert 500 < len(whole) <= 671
    png = picture.draw("RSKE", random.Random(3).randbytes, limit=limit)
    assert len(png) <= limit or greys == 2
    assert len(opened(png).getcolors() or ()) == greys
    difference = ImageChops.difference(opened(whole), opened(png)).histogram()
    assert not any(difference[86:])  # nothing moved by more than a third of black to white


@settings(max_examples=30)
@given(LETTERS, st.integers(0, 2**32))
def test_same_bytes_make_the_same_picture(letters: str, seed: int) -> None:
    """A picture depends on its letters and on the random bytes, and on nothing else."""
    png = picture.draw(letters, random.Random(seed).randbytes)
    assert png == picture.draw(letters, random.Random(seed).randbytes)
    assert png != picture.draw(letters, random.Random(seed + 1).randbytes)
    assert png != picture.draw(letters[1:] + "B", random.Random(seed).randbytes)


@given(LETTERS, st.integers(0, 255))
def test_letters_stay_inside(letters: str, byte: int) -> None:
    """Wherever the letters are put, hardly any ink is at the rim but for the line's ends."""
    image = opened(picture.draw(letters, lambda size: bytes([byte]) * size))
    assert sum(image.histogram()[:128]) > 300
    rims = [(0, 0, 100, 1), (0, 39, 100, 40), (0, 0, 2, 40), (98, 0, 100, 40)]
    for rim in rims:
        part = image.crop(rim)
        assert sum(part.histogram()[:128]) < 15


def test_each_letter_is_drawn_as_itself() -> None:
    """With the same chance, pictures that differ in a letter differ just there, and enough."""
    drawn = [
        opened(picture.draw(f"H{letter}{letter}H", lambda size: b"\x80" * size))
        for letter in picture.ALPHABET
    ]
    for one, other in itertools.combinations(drawn, 2):
        difference = ImageChops.difference(one, other)
        assert sum(difference.histogram()[128:]) > 50
        left, _, right, _ = difference.getbbox() or (0, 0, 0, 0)
        assert left > 5
        assert right < 95


def test_letters_are_equally_likely() -> None:
    """Each byte value picks a letter, and all letters come from as many byte values."""
    picked: Counter[str] = Counter()
    for byte in range(256):
        letters = picture.pick_letters(lambda size, byte=byte: bytes([byte] * size))  # type: ignore[misc]
        assert len(letters) == picture.LETTERS
        picked.update(letters)
    assert set(picked) == set(picture.ALPHABET)
    assert set(picked.values()) == {256 * 4 // 16}


def test_no_letter_that_looks_like_another() -> None:
    """What people mix up is never asked."""
    assert not set(picture.ALPHABET) & set("01OIQLDGUBFW")
    assert len(set(picture.ALPHABET)) == 16
