"""Pictures in a terminal: as half blocks, or as pictures where the terminal can show some.

They come from strangers: a terminal never gets their bytes, only what was drawn anew from them.
"""

import base64
import io
import os
import re
import struct
import warnings
from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import chain, groupby
from pathlib import Path
from time import localtime, strftime
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from kqq.errors import ConfigError, PictureError

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = {  # what a file begins with, what Pillow calls it, how its name ends
    b"\x89PNG": ("PNG", "png"),
    b"GIF8": ("GIF", "gif"),
    b"\xff\xd8\xff": ("JPEG", "jpg"),
    b"BM": ("BMP", "bmp"),
}
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError,
           OverflowError, ZeroDivisionError, MemoryError, struct.error)  # fmt: skip
"""What Pillow raises when a picture is broken."""
_MOST_PIXELS = 4_000_000
_SCAN = b"\xff\xda"
_MOST_SCANS = 50  # of a JPEG, which has ten at most; each costs as much as the whole picture
_MOST_ROWS = 100  # of a terminal; a picture one pixel wide could have a million
_CELL = (8, 16)  # pixels; a guess, for terminals do not say
_CELLS_A_PIXEL = 0.4  # a captcha of 100 pixels gets 40 columns
_WIDEST = 80  # columns, where the terminal enlarges
_GREY = 24  # of 256: red, green and blue no further apart than that make a grey
_COLOURS = 16  # of a sixel picture; the captcha on record has no more (TIEBA)
_CHUNK = 4096  # bytes of base64 that kitty takes at once
_MOST_KEPT = 20  # pictures in our own folder


class Drawing(Enum):
    """How a picture gets into a terminal; the values are what KQQ_PICTURES may say."""

    BLOCKS = "blocks"
    KITTY = "kitty"
    ITERM = "iterm"
    SIXEL = "sixel"


def draw(picture: bytes, columns: int = 80, env: Mapping[str, str] = os.environ) -> str:
    """Return what to write to a terminal of so many columns so that it shows a picture.

    The environment says what the terminal can do, see `drawing`, and whether colours are wanted
    (NO_COLOR). Raises PictureError, or ConfigError if KQQ_PICTURES is wrong.
    """
    way = drawing(env)
    if way is Drawing.BLOCKS:
        colour = not env.get("NO_COLOR") and env.get("TERM") != "dumb"
        return "\n".join(half_blocks(picture, columns, colour=colour))
    image = _read(picture)
    width = max(1, min(columns, _WIDEST, round(image.width * _CELLS_A_PIXEL)))
    height = max(1, min(_MOST_ROWS, round(width * image.height / image.width / 2)))
    if way is Drawing.KITTY:
        return _kitty(_png(image), width, height)
    if way is Drawing.ITERM:
        return _iterm(_png(image), width, height)
    return _sixel(image.resize((width * _CELL[0], height * _CELL[1])))


def drawing(env: Mapping[str, str]) -> Drawing:
    """Return how pictures get into the terminal of this environment.

    KQQ_PICTURES decides, if it is set. Else it is the terminal's name: asking the terminal could
    hang. A multiplexer between it and us lets no pictures through. Raises ConfigError if
    KQQ_PICTURES says something unknown.
    """
    if wanted := env.get("KQQ_PICTURES"):
        try:
            return Drawing(wanted)
        except ValueError:
            known = ", ".join(one.value for one in Drawing)
            raise ConfigError(
                f"KQQ_PICTURES={wanted!r} is not known; take one of {known}"
            ) from None
    term, program = env.get("TERM", ""), env.get("TERM_PROGRAM", "")
    if "TMUX" in env or term.startswith(("screen", "tmux")):
        return Drawing.BLOCKS
    # What the terminal itself says counts more than what it may have from one it was started in.
    if re.search("kitty|ghostty", term) or program == "ghostty":
        return Drawing.KITTY
    if program in ("iTerm.app", "WezTerm", "mintty"):
        return Drawing.ITERM
    if "KITTY_WINDOW_ID" in env:
        return Drawing.KITTY
    return Drawing.SIXEL if re.search("sixel|^foot|^mlterm", term) else Drawing.BLOCKS


def half_blocks(picture: bytes, columns: int = 80, *, colour: bool = True) -> list[str]:
    """Return a picture as lines of at most so many cells, each of them two pixels high.

    With `colour` (of 256) it looks the same on dark and light terminals; every line ends with the
    colours reset. Without, there are only blocks and blanks: blocks are what is rarer, dark or
    light, so letters are as the terminal's own. Raises PictureError.
    """
    image = _fitted(_read(picture), max(1, columns))
    return list(_coloured(image) if colour else _in_ink(image))


def save(picture: bytes, folder: Path | None = None, *, uin: int, at: float) -> Path:
    """Write the bytes, whatever they are, to a new file that only its owner reads.

    It is named after the number and the time (in seconds since 1970), and after what it is. Without
    `folder` it goes to one among the user's caches, where the last 20 are kept. Raises ConfigError
    if the folder cannot be written.
    """
    place = folder or user_cache_path("kqq", appauthor=False) / "pictures"
    stem = f"captcha-{uin}-{strftime('%Y%m%d-%H%M%S', localtime(at))}"
    _, ending = _format(picture) or ("", "bin")
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = _write(place, stem, ending, picture)
        if folder is None:
            old = sorted(place.glob("captcha-*"), key=lambda one: one.stat().st_mtime_ns)
            for one in old[:-_MOST_KEPT]:
                one.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write a picture to {place}: {error.strerror}") from error
    return path


def _write(place: Path, stem: str, ending: str, data: bytes) -> Path:
    """Write a file that was not there before; if there is one of that name, add a number."""
    number = 1
    while True:
        path = place / f"{stem}{f'-{number}' if number > 1 else ''}.{ending}"
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        with os.fdopen(file, "wb") as out:
            out.write(data)
        return path


# --- reading ---


def _format(picture: bytes) -> tuple[str, str] | None:
    return next((one for start, one in _FORMATS.items() if picture.startswith(start)), None)


def _read(picture: bytes) -> "Image":
    """Return the first frame of a picture, on white. Raises PictureError."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415  # takes its time, seldom needed

    known = _format(picture)
    if known is None:
        start = picture[:8].hex(" ") or "nothing"
        raise PictureError(
            f"{len(picture)} bytes that are no PNG, GIF, JPEG or BMP; they begin with {start}"
        )
    if known[0] == "JPEG" and picture.count(_SCAN) > _MOST_SCANS:
        raise PictureError(f"a JPEG of {picture.count(_SCAN)} scans; no camera makes so many")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # it warns of what is too large, and of what is odd
            with Image.open(io.BytesIO(picture), formats=[known[0]]) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise PictureError(
                        f"a {known[0]} of {image.width} x {image.height} pixels; "
                        f"more than {_MOST_PIXELS:,} are not drawn"
                    )
                inked = image.convert("RGBA")
    except (*_BROKEN, Image.DecompressionBombError, Warning) as error:
        why = "its beginning makes no sense" if isinstance(error, UnidentifiedImageError) else error
        raise PictureError(f"a {known[0]} that is broken or too large: {why}") from error
    paper = Image.new("RGBA", inked.size, "white")
    return Image.alpha_composite(paper, inked).convert("RGB")


def _fitted(image: "Image", columns: int) -> "Image":
    """Return the picture no larger than so many pixels across, of which rows make pairs."""
    share = min(1.0, columns / image.width, 2 * _MOST_ROWS / image.height)
    width, height = (max(1, round(side * share)) for side in image.size)
    fitted = image.resize((width, height)) if share < 1 else image
    paired = image.resize((width, height + height % 2))
    paired.paste("white", (0, 0, *paired.size))
    paired.paste(fitted)
    return paired


# --- half blocks ---


def _pairs(cells: bytes, width: int) -> Iterator[list[tuple[int, int]]]:
    """Give for each two rows of pixels the upper and the lower ones, pair by pair."""
    for start in range(0, len(cells), 2 * width):
        middle = start + width
        yield list(zip(cells[start:middle], cells[middle : middle + width], strict=True))


def _coloured(image: "Image") -> Iterator[str]:
    data = image.tobytes()
    cells = bytes(map(_colour, data[::3], data[1::3], data[2::3]))
    for pairs in _pairs(cells, image.width):
        runs = (
            f"\x1b[38;5;{upper};48;5;{lower}m{'▀' * len(list(run))}"
            for (upper, lower), run in groupby(pairs)
        )
        yield "".join(runs) + "\x1b[0m"


def _colour(red: int, green: int, blue: int) -> int:
    """Return the nearest of the 256 colours of terminals; the first 16 are not used.

    What they look like is up to the person.
    """
    if max(red, green, blue) - min(red, green, blue) > _GREY:
        return 16 + 36 * _step(red) + 6 * _step(green) + _step(blue)
    grey = (red + green + blue) // 3
    if grey < 4:
        return 16
    return 231 if grey > 246 else 232 + min(23, max(0, round((grey - 8) / 10)))


def _step(part: int) -> int:
    """Return which of 0, 95, 135, 175, 215, 255 is nearest."""
    return 0 if part < 48 else 1 if part < 115 else (part - 35) // 40


def _in_ink(image: "Image") -> Iterator[str]:
    greys = image.convert("L").tobytes()
    middle = (min(greys) + max(greys)) / 2
    dark = bytes(grey <= middle for grey in greys)
    if 2 * sum(dark) > len(dark):
        dark = bytes(1 - one for one in dark)
    for pairs in _pairs(dark, image.width):
        yield "".join(" ▄▀█"[2 * upper + lower] for upper, lower in pairs).rstrip()


# --- protocols of terminals ---


def _png(image: "Image") -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _kitty(png: bytes, width: int, height: int) -> str:
    """Return the graphics protocol of kitty; q=2: the terminal must not answer."""
    data = base64.b64encode(png).decode()
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    heads = chain([f"a=T,f=100,c={width},r={height},q=2"], ["q=2"] * (len(chunks) - 1))
    return "".join(
        f"\x1b_G{head},m={int(number < len(chunks))};{chunk}\x1b\\"
        for number, (head, chunk) in enumerate(zip(heads, chunks, strict=True), 1)
    )


def _iterm(png: bytes, width: int, height: int) -> str:
    data = base64.b64encode(png).decode()
    head = f"inline=1;size={len(png)};width={width};height={height};preserveAspectRatio=1"
    return f"\x1b]1337;File={head}:{data}\x07"


def _sixel(image: "Image") -> str:
    """Return sixels: bands of six rows, in each of them one colour after the other."""
    few = image.quantize(_COLOURS)
    colours = few.getpalette() or []
    parts = [f'\x1bPq"1;1;{few.width};{few.height}']
    for number in range(len(colours) // 3):
        red, green, blue = (round(part / 2.55) for part in colours[3 * number : 3 * number + 3])
        parts.append(f"#{number};2;{red};{green};{blue}")
    data = few.tobytes()
    rows = [data[start : start + few.width] for start in range(0, len(data), few.width)]
    for top in range(0, len(rows), 6):
        band = rows[top : top + 6]
        for number in sorted(set(b"".join(band))):
            bits = (
                sum((pixel == number) << row for row, pixel in enumerate(column))
                for column in zip(*band, strict=True)
            )
            runs = ((chr(63 + one), len(list(run))) for one, run in groupby(bits))
            parts.append(
                f"#{number}"
                + "".join(f"!{many}{sign}" if many > 3 else sign * many for sign, many in runs)
                + "$"
            )
        parts.append("-")
    return "".join(parts) + "\x1b\\"
