"""Lines in the browser: read and written as by kqq.protocol."""

import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

from kqq.protocol import Line, encode, escape, unescape
from kqq.protocol.messages import decode
from kqq.protocol.schema import Unreadable
from kqq.protocol.wire import mask
from vectors import READABLE, VECTORS

Library = Callable[..., Awaitable[Any]]
CODEC = "kqq/codec.js"
LONE = re.compile(r"[\udc80-\udcff]")
TEXTS = [
    "",
    "你好",
    "a & b, 100% = c\r\nd",
    "%26 stays",
    "😀 👩‍👩‍👧",
    "\ufeffmark",
    "\udcff\udc80 half",
    "&&==,,%%",
    " blank ",
    "\u2028\x00",
]
AWKWARD = [
    "%e4%bd%a0%e5%a5%bd",
    "%E4%bd%zz%",
    "%ff%e4%bd",
    "%f0%9f%98%80%f0%9f",
    "%ed%a0%80",
    "%c0%80",
    "%ef%bb%bfbom",
    "\udce4%bd\udca0",
    "%25%32%36",
    "😀%2c\udc80",
]
HEADS: dict[str, list[object]] = {
    "VER=1.1&CMD=X&SEQ= 7 &UIN=10001 &RES=0": ["1.1", "", "X", "7", 10001, 0],
    "CMD= X&UIN=1e3&RES=": ["", "", "X", "", None, None],
    "UIN=1&UIN=2&RES=1234567890123456": ["", "", "", "", 1, None],
    "": ["", "", "", "", None, None],
    "VER=1.4&CON=1\r\n": ["1.4", "1", "", "", None, None],
}


async def test_every_vector_is_read_as_in_python(library: Library) -> None:
    """Each line of the published suite has the same fields, junk and values unescaped."""
    lines = [vector.raw.decode("utf-8", "surrogateescape") for vector in VECTORS]
    read = await library(
        CODEC,
        """(codec, lines) => lines.map((line) => {
          const { junk, pairs, sent } = codec.parse(line);
          return { junk, pairs, sent };
        })""",
        lines,
    )
    for vector, found in zip(VECTORS, read, strict=True):
        line = vector.line
        assert found == {
            "junk": line.junk.decode("utf-8", "surrogateescape"),
            "pairs": [[key, unescape(value)] for key, value in line.pairs],
            "sent": [value for _, value in line.pairs],
        }, vector.name


async def test_what_is_written_is_what_python_writes(library: Library) -> None:
    """The fields of each line that Python writes in the same way make that line again."""
    lines = []
    for vector in READABLE:
        message = decode(vector.line, vector.sender)
        assert not isinstance(message, Unreadable)
        line = encode(message).decode("utf-8", "surrogateescape")
        if vector.canonical and "SERVERCONFIG" not in line and not LONE.search(line):
            lines.append(line)
    assert len(lines) > 50
    written = await library(
        CODEC,
        """(codec, lines) => lines.map((line) => {
          const { pairs, sent } = codec.parse(line);
          const isList = (value) => /^([^,]*,)+$/.test(value);
          return codec.write(pairs.map(([key, value], at) => {
            return [key, isList(sent[at]) ? codec.items(sent[at]).map(codec.unescape) : value];
          }));
        })""",
        lines,
    )
    assert written == lines


async def test_texts_are_escaped_and_unescaped_alike(library: Library) -> None:
    """The same signs are escaped, and whatever was escaped, well or not, is read the same."""
    chance = random.Random(7)
    mixed = [
        "".join(chance.choices(["%", "2", "6", "a", "%e4", "%bd%a0", "&", "你", "\udcff"], k=12))
        for _ in range(300)
    ]
    found = await library(
        CODEC,
        """(codec, [texts, values]) => ({
          escaped: texts.map(codec.escape),
          unescaped: values.map(codec.unescape),
        })""",
        [TEXTS, [*AWKWARD, *mixed]],
    )
    assert found["escaped"] == [escape(text) for text in TEXTS]
    assert found["unescaped"] == [unescape(value) for value in [*AWKWARD, *mixed]]


async def test_what_no_frame_can_hold_becomes_bytes_or_a_sign(library: Library) -> None:
    """A byte that was no UTF-8 is written as it was read; half a sign becomes a whole one."""
    line = await library(CODEC, "(codec, text) => codec.write({ MG: text })", "\udcff \ud83d 😀")
    assert line == "MG=%FF \ufffd 😀"
    assert unescape(line.removeprefix("MG=")) == "\udcff \ufffd 😀"


async def test_the_head_is_at_hand(library: Library) -> None:
    """Blanks are cut off, the first of several counts, and what is no number is null."""
    found = await library(
        CODEC,
        """(codec, lines) => lines.map((line) => {
          const { ver, con, cmd, seq, uin, res } = codec.parse(line);
          return [ver, con, cmd, seq, uin, res];
        })""",
        list(HEADS),
    )
    assert found == list(HEADS.values())


async def test_a_field_may_take_the_rest_of_the_line(library: Library) -> None:
    """With what it needs before it, raw ampersands are words; without, they are not."""
    found = await library(
        CODEC,
        """(codec, [line, rest]) => [rest, { ...rest, after: ["XX"] }, null].map((one) => {
          return codec.parse(line, one).get("MG");
        })""",
        ["CMD=CLTMSG&UN=10002&MG=you & me&co&", {"key": "MG", "after": ["UN"]}],
    )
    line = Line("CMD=CLTMSG&UN=10002&MG=you & me&co&")
    assert found == ["you & me&co&", "you ", "you "]
    assert found[0] == line.values("MG", ["UN"])["MG"]


async def test_lists_have_a_comma_after_each(library: Library) -> None:
    """They are read with and without the last comma, and written with it."""
    found = await library(
        CODEC,
        """(codec, lines) => ({
          read: lines.map((line) => codec.parse(line).list("NK")),
          written: codec.write([["NK", ["a,b", "小波"]], ["FC", [3, 0]], ["XX", null]]),
        })""",
        ["NK=a%2cb,小波,", "NK=a%2cb,小波", "NK=,,", "NK= ", "UN=1"],
    )
    assert found == {
        "read": [["a,b", "小波"], ["a,b", "小波"], ["", ""], [], []],
        "written": "NK=a%2cb,小波,&FC=3,0,",
    }


async def test_secrets_are_never_shown(library: Library) -> None:
    """Passwords and session keys are masked as in Python, whatever the case of their keys."""
    lines = [
        "VER=1.4&CMD=Login&PS=00000000000000000000000000000000&M5=1",
        "CMD=Login&RES=0&SG=c6cd21f7&SSG=26&HI=60",
        "ps =abc&MG=PS",
        "%50S=abc&X=1",
        "CMD=X&password=a b&again=c",
    ]
    masked = await library(CODEC, "(codec, lines) => lines.map(codec.mask)", lines)
    assert masked == [mask(line) for line in lines]
