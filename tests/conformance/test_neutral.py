"""Plays as JSON objects: nothing is lost on the way, and the file is that of the plays."""

import json
from typing import Any

import pytest

from kqq.conformance.neutral import as_object, plays_json
from kqq.conformance.published import SUITE, entries, entry
from kqq.protocol.transcript import Template

OBJECTS = {one["name"]: one for one in map(json.loads, plays_json().splitlines())}


def statement(source: str) -> dict[str, Any]:
    """Return a statement as an object, without its number."""
    one = entry("mine", f"# It holds. (ZN)\n{source}")
    (found,) = as_object(one)["statements"]
    assert found.pop("line") == 2
    return dict(found)


def test_the_file_is_that_of_the_plays() -> None:
    """`scripts/docs` would change nothing."""
    text = (SUITE / "plays.jsonl").read_text(encoding="utf-8")
    assert text == plays_json(), "run scripts/docs"
    assert list(OBJECTS) == [one.name for one in entries()]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("server friends Romeo, Juliet", {"what": "friends", "names": ["Romeo", "Juliet"]}),
        ("server stranger Paris", {"what": "stranger", "names": ["Paris"]}),
        (
            'server account Juliet age=13 nick="Lady Juliet"',
            {"what": "account", "names": ["Juliet"],
             "settings": {"age": "13", "nick": "Lady Juliet"}},
        ),
        ("server set captcha=always", {"what": "set", "setting": "captcha=always"}),
        ("server restarts", {"what": "restarts"}),
    ],
)  # fmt: skip
def test_what_a_server_must_be(source: str, found: dict[str, Any]) -> None:
    """Names are a list, settings an object."""
    assert statement(source) == {"does": "server", **found}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("clock +0.5", {"does": "clock", "seconds": 0.5}),
        ("Romeo signs in", {"does": "signs in", "actor": "Romeo", "status": "online"}),
        ("Romeo signs in as away", {"does": "signs in", "actor": "Romeo", "status": "away"}),
        ("Romeo signs out", {"does": "signs out", "actor": "Romeo"}),
        (
            "Romeo speaks HTTP to the redirector",
            {"does": "speaks", "actor": "Romeo", "transport": "HTTP", "redirector": True},
        ),
        (
            'Romeo sends Juliet "a\\n"',
            {"does": "sends", "actor": "Romeo", "to": "Juliet", "text": "a\n"},
        ),
        (
            "Romeo is accepted by Juliet",
            {"does": "is accepted by", "actor": "Romeo", "from": "Juliet", "text": ""},
        ),
        (
            "Romeo sees Juliet busy",
            {"does": "sees", "actor": "Romeo", "whom": "Juliet", "status": "busy"},
        ),
        ("Romeo receives nothing", {"does": "receives nothing", "actor": "Romeo"}),
        (
            "Romeo < CMD=A MG={any} ...",
            {"does": "<", "actor": "Romeo", "form": "fields",
             "fields": [["CMD", "A"], ["MG", "{any}"]], "more": True},
        ),
        (
            "Romeo > VER=1.1&CMD=A",
            {"does": ">", "actor": "Romeo", "form": "line", "text": "VER=1.1&CMD=A"},
        ),
        (
            'Romeo > "\\x85{Romeo}\\n"',
            {"does": ">", "actor": "Romeo", "form": "bytes", "text": "\udc85{Romeo}\n"},
        ),
    ],
)  # fmt: skip
def test_what_people_do(source: str, found: dict[str, Any]) -> None:
    """Each statement has the keys that it needs, and no others."""
    assert statement(source) == found


def test_what_a_play_needs() -> None:
    """Accounts, friends and guests stand before the statements."""
    one = OBJECTS["replaced"]
    assert one["accounts"] == {"Romeo": {}, "Juliet": {}}
    assert one["friends"] == [["Juliet", "Romeo"]]
    assert one["guests"] == {"Laptop": "Juliet"}
    assert (one["group"], one["only"]) == ("signing in", [])
    assert as_object(entry("mine", "# It holds. (ZN)\nRomeo signs in"))["group"] == ""


def test_lines_can_be_made_of_the_objects() -> None:
    """Whoever reads only the objects sends the bytes that a reader of plays does."""
    bound = {"Romeo": "10001", "Juliet": "10002", "Paris": "10003", "Mercutio": "10004",
             "Rosaline": "10005", "Nurse": "10006", "password": "P", "md5": "p",
             "letters": "L", "Balthasar": "10007", "Peter": "10008"}  # fmt: skip
    count = 0
    for one in entries():
        for written, given in zip(
            one.play.statements, OBJECTS[one.name]["statements"], strict=True
        ):
            if written.verb != ">":
                continue
            made = {
                "bytes": lambda it: Template(exact=it["text"].encode("utf-8", "surrogateescape")),
                "line": lambda it: Template(raw=it["text"]),
                "fields": lambda it: Template(fields=tuple(map(tuple, it["fields"]))),
            }[given["form"]](given)
            assert made.fill({"VER": "1.4"}, bound) == written.line.fill({"VER": "1.4"}, bound)
            count += 1
    assert count > 150
