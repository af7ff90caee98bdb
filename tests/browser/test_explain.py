"""Lines in words, in the browser: the same words as `kqq explain` has."""

from collections.abc import Awaitable, Callable
from typing import Any

from kqq.protocol import Line
from kqq.protocol.explain import _pairs, explain, sender_of, spec_of
from vectors import VECTORS

Library = Callable[..., Awaitable[Any]]
EXPLAIN = """async (found, [lines, way]) => {
  const catalogue = await (await fetch("/static/catalogue.json")).json();
  return lines.map((line) => found.explain(line, way, catalogue));
}"""
HEAD = "VER=1.1&CMD={}&SEQ=1&UIN=10001"
AWKWARD = [
    HEAD.format("CLTMSG") + "&RES=20",
    HEAD.format("NOBODY_KNOWS") + "&RES=1",
    HEAD.format("NOBODY_KNOWS") + "&RES=0",
    HEAD.format("NOBODY_KNOWS"),
    HEAD.format("CLTMSG") + "&UN=10002&MG=the answer is&RES=0",
    HEAD.format("CLTMSG") + "&UN=x&MG=y",
    HEAD.format("CLTMSG") + "&UN=10002&MG=a & b&c",
    HEAD.format("Server_Msg") + "&RES=3&MN=1&MT=9&UN=10002&MG=odd",
    HEAD.format("Server_Msg") + "&RES=3&MN=1",
    HEAD.format("QUERY_STAT2") + "&RES=0&FN=1&SN=2&ST=10,99,&UN=10002,10003,",
    HEAD.format("QUERY_STAT2") + "&RES=0&FN=1&SN=2&ST=10,x,&UN=10002,10003,",
    HEAD.format("Login") + "&RES=0&SI=example&SP=14000",
    HEAD.format("VERIFYCODE") + "&RES=0&SC=1&NT=&VC=89 50",
    HEAD.format("VERIFYCODE") + "&RES=0&SC=1&NT=&VC=8950f",
    "VER=2.0&CMD=CLTMSG&SEQ=1&UIN=10001&RES=1",
    "VER=1.1&CMD=List&SEQ=1&UIN=10001&TN=&UN=",
    "&&",
    "",
    "GET / HTTP/1.1",
    "CMD=\u212aLTMSG&SEQ=1",
]


async def explained(library: Library, *lines: str, way: str | None = None) -> list[dict[str, Any]]:
    """Return what the browser says of lines."""
    found = await library("kqq/explain.js", EXPLAIN, [lines, way])
    return list(found)


async def test_every_vector_is_explained_as_in_python(library: Library) -> None:
    """Command, kind, words and fields with their meaning, sureness and sources are the same."""
    lines = [vector.raw.decode("utf-8", "surrogateescape") for vector in VECTORS]
    for vector, found in zip(VECTORS, await explained(library, *lines), strict=True):
        wanted = explain(vector.line)
        shown = {
            "command": wanted.command,
            "kind": wanted.kind,
            "words": wanted.summary,
            "fields": [
                {
                    "key": one.key,
                    "name": one.name,
                    "raw": "***" if one.secret else raw,
                    "shown": "***" if one.secret else one.value,
                    "meaning": one.meaning,
                    "sure": one.confidence,
                    "sources": list(one.evidence),
                    "secret": one.secret,
                }
                for one, raw in zip(wanted.fields, _sent(vector.line), strict=True)
            ],
        }
        assert {**found, "wrong": None} == {**shown, "wrong": None}, vector.name
        assert bool(found["wrong"]) <= (not wanted.readable), vector.name


def _sent(line: Line) -> list[str]:
    """Return the values as sent, in the fields as they are read."""
    return [value for _, value in _pairs(line, spec_of(line, sender_of(line)))]


async def test_who_says_a_line_can_be_told(library: Library) -> None:
    """Most commands mean one thing from a client and another from the server."""
    line = HEAD.format("CLTMSG")
    (out,) = await explained(library, f"{line}&UN=10002&MG=hi", way="out")
    (back,) = await explained(library, f"{line}&RES=0", way="in")
    (wrong,) = await explained(library, f"{line}&RES=0", way="out")
    assert (out["kind"], back["kind"], wrong["kind"]) == ("request", "reply", "unreadable")
    assert wrong["wrong"] == ["UN", "MG"]


async def test_awkward_lines_are_explained_as_in_python(library: Library) -> None:
    """Refusals, unknown commands, wrong values, words with an ampersand, and no lines at all."""
    for line, found in zip(AWKWARD, await explained(library, *AWKWARD), strict=True):
        wanted = explain(Line(line))
        assert (found["command"], found["kind"], found["words"]) == (
            wanted.command,
            wanted.kind,
            wanted.summary,
        ), line
        assert [(one["key"], one["shown"], one["meaning"]) for one in found["fields"]] == [
            (one.key, one.value, one.meaning) for one in wanted.fields
        ], line


async def test_masked_lines_can_be_read(library: Library) -> None:
    """Those that are watched are: a password that is not shown is none the less there."""
    line = "VER=1.4&CON=1&CMD=Login&SEQ=1&UIN=10001&PS=***&M5=1&LC=812822641C978097"
    (found,) = await explained(library, line)
    assert (found["kind"], found["wrong"]) == ("request", [])


async def test_secrets_are_not_explained(library: Library) -> None:
    """What a password or session key is is said, its value nowhere; also in an unknown command."""
    lines = (
        f"VER=1.4&CON=1&CMD=Login&SEQ=1&UIN=10001&PS={'A' * 32}&M5=1&LC=812822641C978097",
        f"VER=1.1&CMD=Login&SEQ=1&UIN=10001&RES=0&RS=0&SG={'A' * 32}&SSG=AAAAAAAA",
        f"VER=1.1&CMD=Nobody&PS={'A' * 32}",
    )
    for found in await explained(library, *lines):
        assert "AAAA" not in str(found)
        assert any(one["secret"] and one["shown"] == "***" for one in found["fields"])
