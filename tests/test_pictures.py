"""Pictures in a terminal: captchas that can be read, and pictures that mean harm."""

import base64
import io
import os
import re
import stat
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from time import localtime, strftime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.cells import cell_len
from rich.text import Text

from kqq.errors import ConfigError, PictureError
from kqq.pictures import Drawing, draw, drawing, half_blocks, save
from kqq.server import picture

MIDNIGHT = 1118102400.0


def some_bytes() -> Callable[[int], bytes]:
    """Return a source of bytes that look random and are the same each time."""
    state = zlib.crc32(b"seed")

    def take(count: int) -> bytes:
        nonlocal state
        taken = bytearray()
        for _ in range(count):
            state = zlib.crc32(state.to_bytes(4, "big"))
            taken.append(state >> 24)
        return bytes(taken)

    return take


CAPTCHA = picture.draw("KHNX", some_bytes())


def encoded(image: Image.Image, kind: str) -> bytes:
    """Return a picture in a format."""
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def greys(png: bytes) -> Image.Image:
    """Return a picture in greys."""
    return Image.open(io.BytesIO(png)).convert("L")


def shade(colour: str) -> int:
    """Return the grey, 0 to 255, of a number of the 256 colours."""
    number = int(colour)
    assert number == 16 or number >= 231
    return {16: 0, 231: 255}.get(number, 8 + 10 * (number - 232))


def seen(lines: list[str]) -> Image.Image:
    """Return what somebody sees who looks at half blocks in colour."""
    rows: list[list[int]] = []
    for line in lines:
        upper: list[int] = []
        lower: list[int] = []
        for above, below, blocks in re.findall(r"\x1b\[38;5;(\d+);48;5;(\d+)m(▀+)", line):
            upper += [shade(above)] * len(blocks)
            lower += [shade(below)] * len(blocks)
        rows += [upper, lower]
    image = Image.new("L", (len(rows[0]), len(rows)))
    image.putdata([pixel for row in rows for pixel in row])
    return image


def seen_in_ink(lines: list[str], width: int) -> Image.Image:
    """Return what somebody sees who looks at half blocks without colour, ink being black."""
    upper_of, lower_of = " ▄", " ▀"  # which blocks leave the upper half white, and the lower
    padded = [line.ljust(width) for line in lines]
    pixels = [
        255 if sign in white else 0
        for line in padded
        for white in (upper_of, lower_of)
        for sign in line
    ]
    image = Image.new("L", (width, 2 * len(lines)))
    image.putdata(pixels)
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return how far the greys of two pictures are apart on average, of 255."""
    pairs = zip(one.tobytes(), other.resize(one.size).tobytes(), strict=True)
    return sum(abs(left - right) for left, right in pairs) / (one.width * one.height)


# --- half blocks


@pytest.mark.parametrize("columns", [100, 80, 40, 200])
def test_a_captcha_looks_the_same_in_half_blocks(columns: int) -> None:
    """What is seen is the picture, pixel by pixel, made smaller if the terminal is narrow."""
    lines = half_blocks(CAPTCHA, columns)
    width = min(columns, 100)
    assert {cell_len(Text.from_ansi(line).plain) for line in lines} == {width}
    assert len(lines) == width // 5
    assert all(line.endswith("\x1b[0m") for line in lines)
    assert difference(seen(lines), greys(CAPTCHA)) < 6


@pytest.mark.parametrize("columns", [100, 80, 40])
def test_without_colour_letters_are_ink(columns: int) -> None:
    """Without colour there are blocks and blanks only, blocks where the picture is dark."""
    lines = half_blocks(CAPTCHA, columns, colour=False)
    assert set("".join(lines)) == set("▀▄█ ")
    assert max(map(len, lines)) <= columns
    black = greys(CAPTCHA).point([255 * (grey > 127) for grey in range(256)])
    assert difference(seen_in_ink(lines, columns), black) < 25


def test_without_colour_what_is_rarer_is_ink() -> None:
    """White letters on black are blocks, too: letters look like the terminal's own."""
    turned = greys(CAPTCHA).point([255 - grey for grey in range(256)])
    usual = half_blocks(CAPTCHA, 80, colour=False)
    assert half_blocks(encoded(turned, "PNG"), 80, colour=False) == usual


def test_lines_end_where_the_picture_does() -> None:
    """An odd number of rows is made even with white; a picture of one pixel is a picture."""
    dot = encoded(Image.new("RGB", (1, 1), "black"), "PNG")
    assert half_blocks(dot) == ["\x1b[38;5;16;48;5;231m▀\x1b[0m"]
    assert half_blocks(dot, 0) == half_blocks(dot)


def test_colours_are_the_nearest() -> None:
    """Colours come from the cube of 256, greys from the row of greys, never from the first 16."""
    image = Image.new("RGB", (6, 2))
    colours = [(255, 0, 0), (0, 100, 255), (130, 180, 220), (128, 128, 128), (0, 0, 0), (1, 9, 5)]
    image.putdata([*colours, *colours])
    line = half_blocks(encoded(image, "PNG"))[0]
    assert re.findall(r"38;5;(\d+)", line) == ["196", "27", "110", "244", "16", "232"]


def test_what_is_transparent_is_white() -> None:
    """A picture without a ground is drawn on white, as on paper."""
    clear = encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "PNG")
    assert half_blocks(clear) == ["\x1b[38;5;231;48;5;231m▀▀\x1b[0m"]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA", "RGBA", "I;16", "CMYK"])
@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG", "BMP"])
def test_other_pictures_are_drawn_as_well(kind: str, mode: str) -> None:
    """Whatever a server may take for a picture can be seen."""
    image = greys(CAPTCHA)
    try:
        data = encoded(image.convert(mode), kind)
    except (OSError, ValueError):
        data = encoded(image, kind)  # there are none of this kind
    lines = half_blocks(data, 80)
    assert difference(seen(lines), greys(CAPTCHA)) < 12


@pytest.mark.parametrize(("width", "height"), [(1, 100_000), (3, 5000), (1999, 2000)])
def test_large_pictures_are_made_small(width: int, height: int) -> None:
    """A picture fills no more than a hundred lines, however high and thin it is."""
    lines = half_blocks(encoded(Image.new("L", (width, height), 255), "PNG"), 80)
    assert 1 <= len(lines) <= 100


# --- pictures that mean harm


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that says it is large."""
    head = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


TEXT_BOMB = (
    CAPTCHA[:33] + chunk(b"zTXt", b"words\0\0" + zlib.compress(bytes(80_000_000))) + CAPTCHA[33:]
)
_JPEG = encoded(Image.new("L", (2000, 2000)), "JPEG")
SCANS = _JPEG[:-2] + _JPEG[_JPEG.rfind(b"\xff\xda") :][:14] * 51 + _JPEG[-2:]
HARMFUL = {
    "scans": (SCANS, "a JPEG of 52 scans; no camera makes so many"),
    "nothing": (b"", "0 bytes that are no PNG, GIF, JPEG or BMP; they begin with nothing"),
    "a page": (b"<html>\x1b[2J", "they begin with 3c 68 74 6d 6c 3e 1b 5b"),
    "a start": (CAPTCHA[:4], "a PNG that is broken or too large"),
    "half": (CAPTCHA[: len(CAPTCHA) // 2], "a PNG that is broken or too large"),
    "wide and high": (bomb(10_000, 10_000), "a PNG that is broken or too large"),
    "wide": (bomb(5_000, 5_000), "a PNG of 5000 x 5000 pixels; more than 4,000,000 are not drawn"),
    "enormous": (bomb(60_000, 60_000), "a PNG that is broken or too large"),
    "text": (TEXT_BOMB, "a PNG that is broken or too large"),
    "GIF": (
        b"GIF89a" + bytes(30),
        "a GIF that is broken or too large: its beginning makes no sense",
    ),
    "JPEG": (b"\xff\xd8\xff" + bytes(99), "a JPEG that is broken or too large"),
    "BMP": (b"BM" + b"\xff" * 90, "a BMP that is broken or too large"),
}


@pytest.mark.parametrize(("data", "why"), HARMFUL.values(), ids=list(HARMFUL))
def test_what_cannot_be_drawn_is_an_error_and_saved(data: bytes, why: str, tmp_path: Path) -> None:
    """Not a picture, broken, or made to fill the memory: an error says so; the bytes are kept."""
    with pytest.raises(PictureError) as caught:
        half_blocks(data)
    assert why in str(caught.value)
    assert str(caught.value).isprintable()
    with pytest.raises(PictureError):
        draw(data, 80, {"KQQ_PICTURES": "kitty"})
    assert save(data, tmp_path, uin=10001, at=MIDNIGHT).read_bytes() == data


@given(st.lists(st.tuples(st.integers(0, len(CAPTCHA) - 1), st.integers(0, 255)), max_size=5))
def test_a_broken_captcha_is_drawn_or_an_error(changes: list[tuple[int, int]]) -> None:
    """Whatever is changed in a picture, nothing else happens."""
    data = bytearray(CAPTCHA)
    for place, value in changes:
        data[place] = value
    try:
        lines = half_blocks(bytes(data), 40)
    except PictureError:
        return
    assert len(lines) <= 100


# --- pictures as the terminal has them


@pytest.mark.parametrize(
    ("env", "way"),
    [
        ({}, Drawing.BLOCKS),
        ({"TERM": "xterm-256color"}, Drawing.BLOCKS),
        ({"TERM": "xterm-kitty"}, Drawing.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Drawing.KITTY),
        ({"TERM": "xterm-ghostty"}, Drawing.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, Drawing.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Drawing.ITERM),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, Drawing.ITERM),
        ({"TERM_PROGRAM": "WezTerm", "KITTY_WINDOW_ID": "1"}, Drawing.ITERM),
        ({"TERM": "xterm-kitty", "TERM_PROGRAM": "iTerm.app"}, Drawing.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, Drawing.BLOCKS),
        ({"TERM": "foot"}, Drawing.SIXEL),
        ({"TERM": "xterm-sixel"}, Drawing.SIXEL),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, Drawing.BLOCKS),
        ({"TERM": "screen.xterm-256color", "TERM_PROGRAM": "iTerm.app"}, Drawing.BLOCKS),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, Drawing.BLOCKS),
        ({"TERM": "xterm-kitty", "KQQ_PICTURES": "blocks"}, Drawing.BLOCKS),
        ({"TERM": "dumb", "KQQ_PICTURES": "sixel"}, Drawing.SIXEL),
    ],
)
def test_the_environment_tells_what_the_terminal_can_do(env: dict[str, str], way: Drawing) -> None:
    """A name that is known has pictures, but not through a multiplexer; one may decide oneself."""
    assert drawing(env) is way


def test_a_way_that_nobody_knows_is_an_error() -> None:
    """Who misspells KQQ_PICTURES learns what it may be."""
    with pytest.raises(ConfigError, match="'kity' is not known; take one of blocks, kitty, iterm"):
        draw(CAPTCHA, 80, {"KQQ_PICTURES": "kity"})


def test_half_blocks_are_drawn_where_there_is_nothing_better() -> None:
    """In colour, unless the person or the terminal wants none."""
    assert draw(CAPTCHA, 80, {"TERM": "xterm"}).split("\n") == half_blocks(CAPTCHA, 80)
    for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert draw(CAPTCHA, 50, env).split("\n") == half_blocks(CAPTCHA, 50, colour=False)


def test_kitty_gets_a_picture_of_ours() -> None:
    """In chunks of 4,096, told not to answer, and never the bytes of the server."""
    noise = Image.effect_noise((100, 90), 60)
    for data in (CAPTCHA, encoded(noise, "PNG") + b"\x1b[2J"):
        drawn = draw(data, 80, {"KQQ_PICTURES": "kitty"})
        commands = re.findall(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", drawn)
        assert drawn == "".join(f"\x1b_G{head};{part}\x1b\\" for head, part in commands)
        rows = 8 if data is CAPTCHA else 18
        assert commands[0][0].startswith(f"a=T,f=100,c=40,r={rows},q=2,m=")
        assert [head[-1] for head, _ in commands] == ["1"] * (len(commands) - 1) + ["0"]
        assert all(len(part) <= 4096 and "q=2" in head for head, part in commands)
        png = base64.b64decode("".join(part for _, part in commands))
        assert difference(greys(png), greys(data)) == 0
        assert data not in png
    assert len(commands) > 1


def test_iterm_gets_a_picture_of_ours() -> None:
    """With its size in cells, for its pixels would be tiny on some screens."""
    drawn = draw(CAPTCHA, 30, {"TERM_PROGRAM": "iTerm.app"})
    match = re.fullmatch(r"\x1b\]1337;File=inline=1;size=(\d+);width=30;height=6;"
                         r"preserveAspectRatio=1:([A-Za-z0-9+/=]*)\x07", drawn)  # fmt: skip
    assert match is not None
    png = base64.b64decode(match[2])
    assert len(png) == int(match[1])
    assert difference(greys(png), greys(CAPTCHA)) == 0


def sixels(data: str) -> Image.Image:
    """Return what a terminal shows for sixels."""
    match = re.fullmatch(r'\x1bPq"1;1;(\d+);(\d+)((?:#\d+;2;\d+;\d+;\d+)+)([^\x1b]*)\x1b\\', data)
    assert match is not None
    width, height = int(match[1]), int(match[2])
    image = Image.new("L", (width, height), 99)
    colours = {
        number: round(int(red) * 2.55)
        for number, red in re.findall(r"#(\d+);2;(\d+);\d+;\d+", match[3])
    }
    x = y = ink = 0
    for token in re.findall(r"#\d+|!\d+.|[$-]|[?-~]", match[4]):
        if token == "$":
            x = 0
        elif token == "-":
            x, y = 0, y + 6
        elif token[0] == "#":
            ink = colours[token[1:]]
        else:
            many = int(token[1:-1] or 1)
            for bit in range(6):
                if (ord(token[-1]) - 63) >> bit & 1:
                    image.paste(ink, (x, y + bit, x + many, y + bit + 1))
            x += many
    return image


@pytest.mark.parametrize(("columns", "size"), [(80, (320, 128)), (13, (104, 48))])
def test_sixels_show_the_picture(columns: int, size: tuple[int, int]) -> None:
    """They are pixels that no terminal enlarges, so the picture is made larger here."""
    image = sixels(draw(CAPTCHA, columns, {"TERM": "foot"}))
    assert image.size == size
    assert difference(image, greys(CAPTCHA)) < 20


# --- saving


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (CAPTCHA, "png"),
        (b"GIF89a...", "gif"),
        (b"\xff\xd8\xff\xe0", "jpg"),
        (b"BM...", "bmp"),
        (b"<html>", "bin"),
    ],
)
def test_pictures_are_saved_for_their_owner_alone(data: bytes, ending: str, tmp_path: Path) -> None:
    """The name tells whose and when, and ends with what it is, whatever the server says."""
    folder = tmp_path / "new" / "folder"
    path = save(data, folder, uin=10001, at=MIDNIGHT)
    time = strftime("%Y%m%d-%H%M%S", localtime(MIDNIGHT))
    assert path == folder / f"captcha-10001-{time}.{ending}"
    assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_no_picture_is_written_over(tmp_path: Path) -> None:
    """Several in a second get numbers; what is there stays, a link to elsewhere, too."""
    first = save(b"1", tmp_path, uin=10001, at=MIDNIGHT)
    second = first.with_stem(f"{first.stem}-2")
    second.symlink_to(tmp_path / "elsewhere")
    third = save(b"3", tmp_path, uin=10001, at=MIDNIGHT)
    assert third == first.with_stem(f"{first.stem}-3")
    assert (first.read_bytes(), third.read_bytes()) == (b"1", b"3")
    assert not (tmp_path / "elsewhere").exists()


def test_our_own_folder_keeps_the_last_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among the user's caches; a server that shows one picture after the other fills no disk."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    paths = []
    for number in range(25):
        path = save(CAPTCHA, uin=10001, at=MIDNIGHT + number)
        os.utime(path, (MIDNIGHT, MIDNIGHT + number))
        paths.append(path)
    assert paths[0].parent == tmp_path / "kqq" / "pictures"
    assert sorted(paths[0].parent.iterdir()) == paths[-20:]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The error names the folder and why."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file: File exists"):
        save(CAPTCHA, tmp_path / "file", uin=10001, at=MIDNIGHT)
