"""The vectors of the published suite, read for the tests; its README.md says what they hold."""

import re
from dataclasses import dataclass
from typing import Any

from kqq.conformance.published import vectors
from kqq.protocol import Line, Role

_SECRET = re.compile(r"(?:^|&)(?:PS|SG|SSG)=([^&]*)")


@dataclass(frozen=True)
class Vector:
    """One line and what it says; `problems` is None where it can be read."""

    name: str
    raw: bytes
    sender: Role
    transport: str
    command: str
    role: str
    fields: dict[str, Any]
    problems: list[tuple[str, str]] | None
    canonical: bool
    source: str

    @property
    def line(self) -> Line:
        """The line, as read."""
        return Line.decode(self.raw)

    @property
    def ended(self) -> bytes:
        """The bytes without line end."""
        return self.raw.removesuffix(b"\n").removesuffix(b"\r")

    @property
    def secrets(self) -> list[str]:
        """What stands in `PS`, `SG` and `SSG`."""
        return [value for value in _SECRET.findall(self.line.text) if value not in ("", "***")]


def _vector(row: dict[str, Any]) -> Vector:
    expect = row["expect"]
    unreadable = expect.get("unreadable")
    return Vector(
        name=row["name"],
        raw=bytes.fromhex(row["hex"]) if "hex" in row else row["line"].encode(),
        sender=Role(row["sender"]),
        transport=row["transport"],
        command=expect.get("command", ""),
        role=expect.get("role", ""),
        fields=expect.get("fields", {}),
        problems=None if unreadable is None else [(one["key"], one["rule"]) for one in unreadable],
        canonical=row["canonical"],
        source=row["source"],
    )


VECTORS = [_vector(row) for row in vectors()]
READABLE = [vector for vector in VECTORS if vector.problems is None]
UNREADABLE = [vector for vector in VECTORS if vector.problems is not None]
