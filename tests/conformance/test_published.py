"""The published suite is whole: every play says who attests it, and stands in one group."""

import re
from collections import Counter
from pathlib import Path

import pytest

from kqq.conformance.published import SUITE, entries, entry, groups, vectors
from kqq.errors import PlayError
from kqq.protocol.declare import REQUESTS
from kqq.protocol.evidence import SOURCES

PLAYS = entries()
_ONCE = {
    cls.spec.command.lower() for cls in (spec.cls for spec in REQUESTS.values()) if cls.spec.once
}


@pytest.mark.parametrize("one", PLAYS, ids=lambda one: one.name)
def test_a_play_says_what_it_shows_and_who_says_so(one: object) -> None:
    """It has words of its own, and keys of sources of which not all are ours."""
    found = next(play for play in PLAYS if play is one)
    assert len(found.about.split()) > 3
    assert found.about.endswith(".")
    assert set(found.evidence) <= SOURCES.keys()
    assert set(found.evidence) - {"OURS"}
    assert (SUITE / "plays" / f"{found.name}.kqq").is_file()


def test_entries_are_in_order_and_there_are_enough() -> None:
    """They are sorted by name, and named once."""
    names = [one.name for one in PLAYS]
    assert names == sorted(set(names))
    assert len(names) >= 55


def test_every_play_is_in_one_group() -> None:
    """And no group names a play that is not there."""
    named = Counter(name for names in groups().values() for name in names)
    assert set(named) == {one.name for one in PLAYS}
    assert set(named.values()) == {1}


def test_vectors_are_objects() -> None:
    """Each line is one, with a name."""
    found = list(vectors())
    assert len(found) > 200
    assert all(one["name"] and one["source"] for one in found)


@pytest.mark.parametrize(
    "text",
    ["Romeo signs in", "# It holds.\nRomeo signs in", "# It holds. (NOBODY)\nRomeo signs in"],
)
def test_a_play_without_evidence_is_none(text: str) -> None:
    """Whoever adds a play says who attests it."""
    with pytest.raises(PlayError, match="names no evidence"):
        entry("mine", text)


def test_a_play_is_read() -> None:
    """Its first line is what holds and who says so; what follows is for the performers."""
    one = entry("mine", "# It holds, really. (ZN QB)\n# Only over TCP: why.\nRomeo signs in")
    assert (one.about, one.evidence, one.name) == ("It holds, really.", ("ZN", "QB"), "mine")
    assert one.play.only == {"TCP"}


def test_no_two_plays_do_the_same_with_the_same_line() -> None:
    """A server may take a line that it knows for a repeat, whichever play said it before."""
    said: dict[str, set[str]] = {}
    for one in PLAYS:
        for statement in one.play.statements:
            line = statement.line.raw or ""
            command = re.search(r"\bCMD=(\w+)", line)
            is_request = statement.verb == ">" and command is not None
            if is_request and command is not None and command[1].lower() in _ONCE:
                said.setdefault(line, set()).add(one.name)
    assert {line: names for line, names in said.items() if len(names) > 1} == {}


def test_the_suite_names_no_number_and_no_password() -> None:
    """So it can be performed with any accounts."""
    for one in PLAYS:
        text = (SUITE / "plays" / f"{one.name}.kqq").read_text(encoding="utf-8")
        assert not re.search(r"\b1000\d\b|5ebe2294ecd0e0f08eab7690d2a6ee69", text, re.IGNORECASE)


def test_the_readme_has_every_file() -> None:
    """Whoever takes the folder learns what is in it."""
    text = (SUITE / "README.md").read_text(encoding="utf-8")
    for path in Path(str(SUITE)).rglob("*"):
        if path.is_file() and path.suffix != ".kqq" and path.name != "README.md":
            assert f"`{path.relative_to(str(SUITE)).as_posix()}`" in text
