"""The published suite, read: plays and vectors, which are data for programs in any language.

They are in the folder `suite`; README.md there says what the files hold.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from kqq.errors import PlayError
from kqq.protocol.evidence import SOURCES
from kqq.protocol.transcript import Play, parse_play

SUITE = files("kqq.conformance") / "suite"
"""Where the files are."""
_CITED = re.compile(r"\(([A-Z][A-Z0-9_]*(?: [A-Z][A-Z0-9_]*)*)\)\.?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A play of the suite: its name, what it shows, and who says that it is so.

    `evidence` are keys of docs/protocol/evidence.md, in the order of the play.
    """

    name: str
    about: str
    evidence: tuple[str, ...]
    play: Play

    @property
    def file(self) -> str:
        """The name of its file within the suite."""
        return f"plays/{self.name}.kqq"


def entry(name: str, text: str) -> Entry:
    """Return the play that `text` is, with what its first line says.

    Raises PlayError if it cannot be read, or says nothing of who attests it.
    """
    play = parse_play(text)
    first, _, _ = play.doc.partition("\n")
    cited = _CITED.search(first)
    keys = tuple(cited[1].split()) if cited is not None else ()
    if not keys or not set(keys) <= SOURCES.keys():
        raise PlayError(
            f"{name}: {first!r} names no evidence; end the first line with keys such as (ZN QB)"
        )
    return Entry(name, _CITED.sub("", first).strip(), keys, play)


@cache
def entries() -> tuple[Entry, ...]:
    """Return all plays of the suite, in the order of their names."""
    found = [one for one in (SUITE / "plays").iterdir() if one.name.endswith(".kqq")]
    return tuple(
        entry(one.name.removesuffix(".kqq"), one.read_text(encoding="utf-8"))
        for one in sorted(found, key=lambda one: one.name)
    )


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Return the names of the plays by what they are about, in the order of a report."""
    found = tomllib.loads((SUITE / "groups.toml").read_text(encoding="utf-8"))
    return {about: tuple(names) for about, names in found.items()}


def vectors() -> Iterator[dict[str, Any]]:
    """Return the vectors, each as the object that stands on its line."""
    text = (SUITE / "vectors" / "lines.jsonl").read_text(encoding="utf-8")
    return (json.loads(row) for row in text.split("\n") if row)
