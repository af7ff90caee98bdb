"""What tshark shows of the committed captures, and that `kqq decode` and the vectors agree."""

import re
from pathlib import Path
from typing import Any

import pytest

from captures import CAPTURES, FOLDER
from kqq.capture.events import Said
from kqq.capture.formats import said_object
from kqq.capture.sources import read_file
from kqq.protocol.messages import Role
from making import Making
from sharks import Seen, Shark, needs_tshark
from vectors import VECTORS, Vector


@pytest.mark.parametrize("name", CAPTURES)
def test_captures_are_those_of_their_makers(name: str, tmp_path: Path) -> None:
    """`scripts/captures` would write the same bytes."""
    made = CAPTURES[name]().save(tmp_path / name)
    assert made.read_bytes() == (FOLDER / name).read_bytes(), "run scripts/captures"


@needs_tshark
@pytest.mark.parametrize("name", CAPTURES)
def test_tshark_shows_what_it_did(name: str, shark: Shark) -> None:
    """What Wireshark 4.0 shows of each capture is as it was looked at and found good."""
    if not shark.version.startswith("4.0."):
        pytest.skip(f"the snapshots are of Wireshark 4.0, this is {shark.version}")
    path = FOLDER / name
    assert shark.shown(path) == path.with_suffix(".txt").read_text(), "run scripts/captures"


@pytest.mark.parametrize("name", CAPTURES)
def test_every_capture_has_its_reason(name: str) -> None:
    """README.md tells why each capture is kept, in the words of its maker."""
    reason = " ".join((CAPTURES[name].__doc__ or "").split())
    assert f"| `{name}` | {reason} |" in (FOLDER / "README.md").read_text()


def same(value: Any) -> Any:
    """Return a value as both readers tell it: as text that Wireshark can hold, or a list of it.

    Bytes that are not UTF-8 are U+FFFD there, and NUL is U+2400.
    """
    if isinstance(value, list | tuple):
        return [same(item) for item in value]
    return re.sub("[\udc80-\udcff]", "\ufffd", str(value)).replace("\0", "\u2400")


def told(frame: int, sender: str, kind: str, fields: dict[str, Any], asked_in: int) -> str:
    """Return what must be the same of a line, as one line of text."""
    return f"{frame} {sender} {kind} { ({key: same(value) for key, value in fields.items()}) }" + (
        f" answers {asked_in}" if asked_in else ""
    )


@needs_tshark
@pytest.mark.parametrize("name", [name for name in CAPTURES if name != "foreign.pcap"])
def test_tshark_agrees_with_kqq_decode(name: str, shark: Shark) -> None:
    """Both readers, which share no code, find the same lines with the same fields and links.

    Lines of which the capture has a part only are left out: Wireshark keeps some to itself.
    """
    seen = [
        told(one.frame, one.sender, one.kind, one.fields, int(one.value("response_to") or 0))
        for one in shark.messages(FOLDER / name)
        if "VER" in one.fields or one.kind == "document"
    ]
    lines = [one for one in read_file(FOLDER / name) if isinstance(one, Said)]
    ours = []
    for one in lines:
        found = said_object(one, secrets=True)
        asked_in = one.request.frame if one.request is not None else 0
        if one.whole and ("VER" in found["fields"] or found["kind"] == "document"):
            ours.append(told(one.frame, found["sender"], found["kind"], found["fields"], asked_in))
    assert seen == ours


# --- the vectors ---------------------------------------------------------------------------------

FIRST = b"VER=1.1&CMD=Logout&SEQ=300&UIN=10029"
UNSEEN = {"corpus 28", "corpus 49", "config without its first key", "empty", "empty from server"}
"""Vectors that are no line, so that Wireshark shows them as what they are."""
GUESSED = {"config from a client"}
"""Vectors whose sender only somebody knows who knows more than the line."""


def write_vectors(path: Path) -> None:
    """Write a capture with each vector in a connection of its own, behind a line of a client."""
    making = Making()
    for vector in VECTORS:
        talk = making.talk()
        if vector.transport == "http":
            is_asked = vector.sender is Role.CLIENT
            talk.post(vector.raw if is_asked else FIRST, None if is_asked else vector.raw)
        else:
            talk.client(FIRST + b"\r\n")
            talk.say(0 if vector.sender is Role.CLIENT else 1, vector.ended + b"\r\n")
    making.save(path)


@pytest.fixture(scope="session")
def read_vectors(shark: Shark, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen | None]:
    """Return what tshark read of each vector, None where it saw no line."""
    path = tmp_path_factory.mktemp("vectors") / "vectors.pcap"
    write_vectors(path)
    by_stream: dict[int, list[Seen]] = {}
    for one in shark.messages(path):
        by_stream.setdefault(one.stream, []).append(one)
    found = {}
    for number, vector in enumerate(VECTORS):
        lines = by_stream.get(number, [])
        is_alone = vector.transport == "http" and vector.sender is Role.CLIENT
        lines = [one for one in lines[0 if is_alone else 1 :] if one.kind != "noise"]
        assert len(lines) <= 1
        found[vector.name] = lines[0] if lines else None
    return found


@needs_tshark
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_tshark_agrees_with_the_vectors(
    vector: Vector, read_vectors: dict[str, Seen | None]
) -> None:
    """The published lines are read in Wireshark as they must be read anywhere."""
    seen = read_vectors[vector.name]
    if vector.name in UNSEEN:
        assert seen is None
        return
    assert seen is not None
    if vector.name in GUESSED:
        return
    if vector.problems is not None:
        assert seen.kind == "unreadable"
        return
    assert seen.kind == vector.role
    if vector.role != "document":
        assert seen.fields["CMD"].strip().lower() == vector.command.lower()
    written = {key: same(value) for key, value in seen.fields.items()}
    sent = vector.line.values()
    for key, value in vector.fields.items():
        if sent.get(key, "").strip() or key in written:  # else what a missing field is read as
            assert written[key] == same(value), key
