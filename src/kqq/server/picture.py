"""The picture of a captcha: letters that people read and simple programs do not.

The only one on record (TIEBA) is a PNG of 100 x 40 pixels in 16 greys with 4 letters and has 671
bytes. Ours is the same in all of this and never larger: it travels as hex in one line, and some
clients take what one read gives them for one message, so the line must fit into one TCP segment.
"""

import math
import struct
import zlib
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 100, 40
"""Pixels of the picture."""
LIMIT = 671
"""Bytes of PNG that the picture on record has; its line then has some 1,405."""
LETTERS = 4
"""Letters in a picture, as in the one on record."""
ALPHABET = "ACEHJKMNPRSTVXYZ"
"""OURS: what a picture may show. Left out is what a turn or a line makes into another letter or a
digit: B (8), D and Q (O), F (E), G (C), I and L (1), O (0), U (V), W (M, VV). There are 16, so that
half a byte picks one and none comes more often than another."""

_FINE = 3  # the picture is drawn so many times larger
_BOX = (50 * _FINE, 40 * _FINE)  # what the largest letter needs, turned and leaning
_MARGIN = 5  # pixels left free at both sides
_CLOSEST = 3.0  # pixels free between the letters, all together
_WIDEST = 9.0  # pixels free between two letters
_SHADES = (4, 3, 2)  # how many greys are used; more of them make more bytes
_BLACK, _WHITE = 255, 0  # ink, while drawing

Between = Callable[[float, float], float]
"""Picks a number between two."""


def pick_letters(random: Callable[[int], bytes]) -> str:
    """Return the letters for a new picture; all are equally likely if the bytes are."""
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in random(LETTERS))


def draw(letters: str, random: Callable[[int], bytes], *, limit: int = LIMIT) -> bytes:
    """Return a picture of `letters` (of A-Z) as PNG: 4 bits a pixel, a palette of 16 greys.

    The same bytes from `random` make the same picture. What is above `limit` bytes in 4 greys, 1
    picture in 10,000 or so, is made in fewer; in 2 all are far below. It takes about 1 ms.
    """

    def between(low: float, high: float) -> float:
        return low + (high - low) * random(1)[0] / 255

    ink = _write(letters, between)
    _strike(ink, between, _BLACK, 1.8)
    _strike(ink, between, _WHITE, 1.4)
    small = ink.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    png = b""
    for shades in _SHADES:
        png = _png(small, shades)
        if len(png) <= limit:
            break
    return png


def _write(letters: str, between: Between) -> Image.Image:
    """Return the letters as ink, each of its own size and place, turned and leaning."""
    ink = Image.new("L", (WIDTH * _FINE, HEIGHT * _FINE), _WHITE)
    glyphs = [_glyph(letter) for letter in letters]
    heights = [between(24, 29) for _ in letters]
    widths = [
        glyph.width / glyph.height * height * between(0.8, 1.0)
        for glyph, height in zip(glyphs, heights, strict=True)
    ]
    room = WIDTH - 2 * _MARGIN
    narrow = min(1.0, (room - _CLOSEST) / sum(widths))
    widths = [width * narrow for width in widths]
    shares = [between(0.2, 1.0) for _ in range(len(letters) + 1)]
    gaps = [min(_WIDEST, (room - sum(widths)) * share / sum(shares)) for share in shares]
    x = (WIDTH - sum(widths) - sum(gaps)) / 2
    for glyph, width, height, gap in zip(glyphs, widths, heights, gaps[:-1], strict=True):
        x += gap
        middle = (x + width / 2, HEIGHT / 2 + between(-4, 4))
        turn, lean = math.radians(between(-14, 14)), between(-0.15, 0.15)
        placed = _shape(glyph, (width, height), turn, lean)
        corner = [round(_FINE * m - side / 2) for m, side in zip(middle, placed.size, strict=True)]
        ink.paste(_BLACK, (corner[0], corner[1]), placed)
        x += width
    return ink


@cache
def _glyph(letter: str) -> Image.Image:
    """Return a letter as ink, upright and large, in the font that Pillow brings along."""
    font = ImageFont.load_default(64)
    left, top, right, bottom = font.getbbox(letter, stroke_width=1)
    glyph = Image.new("L", (math.ceil(right - left) + 4, math.ceil(bottom - top) + 4), _WHITE)
    ImageDraw.Draw(glyph).text((2 - left, 2 - top), letter, fill=_BLACK, font=font, stroke_width=1)
    return glyph


def _shape(glyph: Image.Image, size: tuple[float, float], turn: float, lean: float) -> Image.Image:
    """Return a letter of this size, turned (in radians) and leaning, amid a box that holds it."""
    across, down = (_FINE * new / old for new, old in zip(size, glyph.size, strict=True))
    cos, sin = math.cos(turn), math.sin(turn)
    # Pillow asks where in the glyph a pixel of the box comes from: turn, lean and size undone.
    a, b = (cos + lean * sin) / across, (sin - lean * cos) / across
    d, e = -sin / down, cos / down
    x, y = _BOX[0] / 2, _BOX[1] / 2
    return glyph.transform(
        _BOX,
        Image.Transform.AFFINE,
        (a, b, glyph.width / 2 - a * x - b * y, d, e, glyph.height / 2 - d * x - e * y),
        Image.Resampling.BILINEAR,
    )


def _strike(ink: Image.Image, between: Between, colour: int, width: float) -> None:
    """Draw a wavy line from side to side.

    A black one joins letters, a white one cuts them; so neither is a letter what hangs together.
    """
    y, slope, wave, phase = between(12, 28), between(-16, 16), between(-5, 5), between(0, math.tau)
    points = []
    for x in range(-4, WIDTH + 5, 4):
        height = y + slope * (x / WIDTH - 0.5) + wave * math.sin(phase + 6 * x / WIDTH)
        points.append((x * _FINE, height * _FINE))
    ImageDraw.Draw(ink).line(points, fill=colour, width=round(width * _FINE), joint="curve")


def _png(ink: Image.Image, shades: int) -> bytes:
    """Return ink as a PNG that uses so many of the 16 greys.

    Written here because Pillow's own have a tenth more bytes, by how it filters the rows.
    """
    picture = Image.frombytes("P", ink.size, ink.point(_greys(shades)).tobytes())
    packed = picture.tobytes("raw", "P;4")
    row = WIDTH // 2  # bytes; each gets a 0 in front, for "not filtered"
    rows = b"".join(b"\0" + packed[start : start + row] for start in range(0, len(packed), row))
    packer = zlib.compressobj(9, strategy=zlib.Z_FILTERED)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">2I5B", WIDTH, HEIGHT, 4, 3, 0, 0, 0))
        + _chunk(b"PLTE", bytes(number * 17 for number in range(16) for _ in "rgb"))
        + _chunk(b"IDAT", packer.compress(rows) + packer.flush())
        + _chunk(b"IEND", b"")
    )


@cache
def _greys(shades: int) -> list[int]:
    """Return the grey, 0 to 15, for each amount of ink, 0 to 255."""
    steps = shades - 1
    return [15 - round(round(ink * steps / 255) * 15 / steps) for ink in range(256)]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
