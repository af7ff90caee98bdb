"""The real tshark with our dissector, in a home of its own.

shark = Shark(folder)                       # or None: pytest.skip says what is missing
shark.messages(capture)                     # every line, as tshark read it
shark.run("-r", capture, "-q", "-z", "kqq,tree")
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from kqq.dissector.lua import dissector, filters

TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")
_FILTERS = {f"kqq.{one.name}": one for one in filters()}

Pairs = list[tuple[str, Any]]


@dataclass
class Seen:
    """One line as tshark read it: `fields` by key as in the vectors, the rest by filter name."""

    frame: int
    stream: int
    kind: str
    sender: str
    fields: dict[str, Any] = field(default_factory=dict)
    other: Pairs = field(default_factory=list)

    @property
    def notes(self) -> list[str]:
        """The names of the expert notes, without `kqq.`, in order."""
        return [name[4:] for name, _ in self.other if name[4:] in NOTES]

    def value(self, name: str) -> Any:
        """Return the first value of another field, None without it."""
        return next((value for other, value in self.other if other == f"kqq.{name}"), None)


NOTES = {
    "junk", "fragment", "bare_lf", "no_end", "too_long", "unreadable", "unknown_command",
    "missing_field", "bad_value", "unknown_field", "repeated_field", "empty_field", "field_order",
    "too_large", "not_utf8", "refused", "sent_again", "unasked", "no_answer",
}  # fmt: skip


class Shark:
    """tshark with the dissector; `home` holds its settings and the Lua file."""

    def __init__(self, home: Path) -> None:
        if TSHARK is None:
            pytest.skip("tshark is not installed")
        self.home = home
        self.script = home / "kqq.lua"
        self.script.write_text(dissector(), encoding="utf-8")

    @cached_property
    def version(self) -> str:
        """The version of Wireshark, such as 4.0.17."""
        found = re.search(r"\d+\.\d+\.\d+", self.run("--version", lua=False))
        assert found is not None
        return found[0]

    def run(self, *arguments: str | Path, lua: bool = True) -> str:
        """Return what tshark prints; fails with what it says if it fails."""
        assert TSHARK is not None
        command = [TSHARK, *(("-X", f"lua_script:{self.script}") if lua else ()), "-n"]
        env = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config"), "TZ": "UTC"}
        done = subprocess.run(
            [*command, *map(str, arguments)],
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **env},
            capture_output=True,
            timeout=50,
            check=False,
        )
        said = done.stderr.decode("utf-8", "replace")
        assert done.returncode == 0, said
        problems = [line for line in said.splitlines() if "Running as user" not in line]
        assert not problems, said
        return done.stdout.decode("utf-8", "surrogateescape")

    def messages(self, capture: Path, *arguments: str) -> list[Seen]:
        """Return every line in a capture, secrets shown, read in two passes."""
        text = self.run(
            "-r", capture, "-2", "-o", "kqq.show_secrets:TRUE", *arguments, "-T", "json",
            "-J", "frame tcp kqq", "-Y", "kqq",
        )  # fmt: skip
        seen = []
        for packet in json.loads(text, object_pairs_hook=list):
            layers = _first(_first(packet, "_source"), "layers")
            number = int(_first(_first(layers, "frame"), "frame.number"))
            stream = int(_first(_first(layers, "tcp"), "tcp.stream"))
            for name, layer in layers:
                if name == "kqq":
                    seen.append(_seen(number, stream, layer))
        return seen

    def shown(self, capture: Path) -> str:
        """Return what tshark shows of a capture, as the snapshots have it: lines of ours only.

        First the list of packets, then each packet in full, then the statistics. What other
        dissectors say differs from one Wireshark to the next.
        """
        text = self.run(
            "-r", capture, "-2", "-Y", "kqq", "-P", "-O", "kqq", "-z", "kqq,tree",
            "-o", 'gui.column.format:"No.","%m","Protocol","%p","Info","%i"',
        )  # fmt: skip
        details, title, tree = text.partition("KQQ statistics\n")
        packet = re.compile(r"^ *(\d+) (\S+) (.*)\n(?=Frame \1:)", re.MULTILINE)
        rows = "".join("\t".join(row) + "\n" for row in packet.findall(details))
        return f"{rows}\n{_ours(packet.sub('', details))}\n{title}{tree}"


def _ours(details: str) -> str:
    """Return the parts of `tshark -O kqq` that are ours, with the number of each packet."""
    lines = []
    is_ours = False
    for line in details.splitlines():
        if line.startswith("Frame "):
            lines.append(line.partition(":")[0])
        if line[:1] not in ("", " "):
            is_ours = line.startswith(("Mobile QQ", "Lua Error"))
        if is_ours and not line.startswith(" " * 12):  # what PNG says of a picture is long
            lines.append(line)
    return "\n".join(lines) + "\n"


def _first(pairs: Pairs, name: str) -> Any:
    return next(value for other, value in pairs if other == name)


def _seen(frame: int, stream: int, layer: Pairs) -> Seen:
    pairs = list(_flat(layer))
    kind = next((value for name, value in pairs if name == "kqq.kind"), "noise")
    sender = next((value for name, value in pairs if name == "kqq.sender"), "")
    seen = Seen(frame, stream, kind, sender)
    lists: list[Any] | None = None
    wanted = ""
    for name, value in pairs:
        if name == "kqq.list":
            wanted = value.partition("=")[0]
            lists = seen.fields.setdefault(wanted, [])
        elif name in _FILTERS:
            one = _FILTERS[name]
            text = value.replace(":", "") if one.type == "bytes" else value
            taken = int(text) if one.type == "number" else text
            if lists is not None and one.key == wanted:
                lists.append(taken)
            else:
                lists = None
                seen.fields.setdefault(one.key, taken)
        elif name in ("kqq.malformed", "kqq.unknown"):
            key, _, text = value.partition("=")
            seen.other.append((name, value))
            if "=" in value:
                seen.fields.setdefault(key, text)
        else:
            seen.other.append((name, value))
    return seen


def _flat(pairs: Pairs) -> Any:
    """Give every field in order, those of subtrees too."""
    for name, value in pairs:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield name, value
