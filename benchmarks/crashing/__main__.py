"""What servers lose when they crash: ours, and ejabberd and Prosody where they are installed.

Ours is killed at random moments while people write in bursts and one at a time, and read online,
or come and go. Then servers are started on copies of its database that were taken in the middle of
its work. Of the others, those who are written to are away. All are traced, where there is strace,
to see whether what they acknowledge is on the disk by then. The exit code is 1 if ours has broken
its promise.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.comparing.peers import Peer
from benchmarks.crashing import others

import copying
import killing
import tracing
from load import Fate

OURS = "kqq"
WIDTH = 80
_ROUNDS = 60  # of a trace
_PROGRESS = 10  # one in so many is told
_FAULTS = 10  # told
_STOPS = 3
"""How often others are stopped in good order, to show that it is not we who lose messages then."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one server did; `repeats` is None where nothing can come twice."""

    server: str
    what: str
    times: int
    acknowledged: int
    lost: int
    disordered: int
    repeats: int | None


class Found:
    """All that was found: rows for the table, sentences below it, all of it for JSON."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.notes: list[str] = []
        self.whole: dict[str, Any] = {}
        self.is_kept = True

    def add_fate(self, server: str, what: str, times: int, fate: Fate) -> None:
        """Add what became of messages."""
        self.rows.append(
            Row(server, what, times, fate.acknowledged, fate.lost, fate.disordered, fate.repeats)
        )
        tell_faults(server, fate.faults)

    def add_kills(self, found: killing.Kills) -> None:
        """Add what killing ours did."""
        fate = found.fate
        self.add_fate(OURS, "kill -9", found.kills, fate)
        self._note(
            OURS,
            f"{found.starting} of the kills came while it started",
            f"repeats not allowed: {fate.forbidden}",
            f"the oldest that was allowed came first {fate.oldest_repeat * 1000:.0f} ms before",
            f"written without an answer: {fate.unanswered}, of which {fate.of_them} came",
            f"written again with a new number: {fate.again}, of which {fate.twice} came with both",
            f"its database is {'sound' if found.is_sound else 'NOT SOUND'} in the end",
        )
        self._keep("kills", asdict(found), is_kept=found.is_kept)

    def add_copies(self, found: copying.Copies) -> None:
        """Add what copies lacked."""
        row = Row(OURS, "copied", found.copies, found.awaited, found.lost, found.disordered, None)
        self.rows.append(row)
        self._note(
            OURS,
            f"a server was started on {found.served} of the copies, the store read the others",
            f"copies that are not sound: {found.unsound}",
        )
        tell_faults(OURS, found.faults + [fault for fate in found.fates for fault in fate.faults])
        self._keep("copies", asdict(found), is_kept=found.is_kept)

    def add_order(self, server: str, order: tracing.Order | None) -> None:
        """Add whether a server answers before it synchronises."""
        if order is None:
            self._note(server, "not traced, as strace is not installed")
            return
        self._note(
            server,
            f"of {len(order.answered)} acknowledged {len(order.early)} were not synchronised by"
            f" then, {len(order.unwritten)} not even written to a file",
        )
        counts = {name: len(getattr(order, name)) for name in ("answered", "early", "unwritten")}
        is_kept = order.is_kept or server != OURS
        self._keep(f"order {server}", {**counts, "syncs": order.syncs}, is_kept=is_kept)

    def add_struck(self, server: str, what: str, found: others.Struck) -> None:
        """Add what killing another server did, or stopping it."""
        self.add_fate(server, what, found.kills, found.fate)
        if found.fate.lost:
            self._note(
                server,
                f"the oldest of what it lost was acknowledged {found.oldest_loss:.1f} s before",
            )
        self._keep(f"{what} {server}", asdict(found), is_kept=True)

    def table(self) -> str:
        """Return it all in at most 80 columns."""
        lines = ["server    what      times  acknowledged     lost  out of order  repeats"]
        lines += [
            f"{row.server:8}  {row.what:8} {row.times:6} {row.acknowledged:13} {row.lost:8}"
            f" {row.disordered:13} {'-' if row.repeats is None else row.repeats:>8}"
            for row in self.rows
        ]
        notes = [textwrap.fill(note, WIDTH, subsequent_indent=" " * 12) for note in self.notes]
        return "\n".join([*lines, "", *notes, "", *MEANINGS])

    def left_out(self, server: str, why: str) -> None:
        """Say that a server is left out."""
        self._note(server, f"left out: {why}")

    def _note(self, server: str, *notes: str) -> None:
        self.notes += [f"{server:8}  {note}" for note in notes]

    def _keep(self, name: str, values: dict[str, Any], *, is_kept: bool) -> None:
        self.whole[name] = values
        self.is_kept = self.is_kept and is_kept


MEANINGS = (
    "acknowledged: kqq has answered RES=0, and people were online or came and went;",
    "  copied: that, and it had not come when the copy was taken;",
    "  ejabberd, prosody: a ping behind ten messages to somebody away was answered.",
    "repeats: came again after a restart or a new sign-in, as is allowed.",
)  # fmt: skip


def tell_faults(server: str, faults: list[str]) -> None:
    for fault in faults[:_FAULTS]:
        print(f"crash: {server}: {fault}", file=sys.stderr)


def progress(what: str, count: int) -> Callable[[int], None]:
    def tell(number: int) -> None:
        if number % _PROGRESS == 0 or number == count:
            print(f"crash: {what}: {number} of {count}", file=sys.stderr, flush=True)

    return tell


def ours(folder: Path, chosen: argparse.Namespace, found: Found) -> None:
    """Crash ours."""
    if chosen.kills:
        tell = progress(f"{OURS}, kill -9", chosen.kills)
        there = folder / "kills"
        found.add_kills(asyncio.run(killing.kills(there, chosen.kills, chosen.seed, tell=tell)))
    if chosen.copies:
        tell = progress(f"{OURS}, copies", chosen.copies)
        there = folder / "copies"
        found.add_copies(asyncio.run(copying.copies(there, chosen.copies, chosen.seed, tell=tell)))
    there = folder / "traced"
    there.mkdir()
    found.add_order(OURS, asyncio.run(tracing.traced(there, _ROUNDS)))


def other(kind: type[Peer], folder: Path, chosen: argparse.Namespace, found: Found) -> None:
    """Crash one of the others."""
    why = kind.why_not()
    if why is not None:
        found.left_out(kind.name, why)
        return
    ends = {"kill -9": chosen.peer_kills, "stopped": min(chosen.peer_kills, _STOPS)}
    for what, count in ends.items():
        if count:
            tell = progress(f"{kind.name}, {what}", count)
            gently = what == "stopped"
            run = others.kills(kind, folder / what, count, chosen.seed, gently=gently, tell=tell)
            found.add_struck(kind.name, what, asyncio.run(run))
    there = folder / "traced"
    there.mkdir(parents=True)
    found.add_order(kind.name, asyncio.run(others.traced(kind, there, _ROUNDS)))


def main() -> int:
    names = [OURS, *(kind.name for kind in others.PEERS)]
    parser = argparse.ArgumentParser(
        prog="benchmarks/crash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--kills", type=int, default=300, help="of ours (300)")
    parser.add_argument("--copies", type=int, default=300, help="of our database (300)")
    parser.add_argument("--peer-kills", type=int, default=30, help="of each other server (30)")
    parser.add_argument("--only", action="append", choices=names, help="this server; repeatable")
    parser.add_argument("--seed", type=int, default=1, help="of all that is drawn by lot (1)")
    chosen = parser.parse_args()
    found = Found()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.only is None or OURS in chosen.only:
            ours(folder, chosen, found)
        for kind in others.PEERS:
            if chosen.only is None or kind.name in chosen.only:
                other(kind, folder / kind.name, chosen, found)
    if chosen.json:
        rows = [asdict(row) for row in found.rows]
        print(json.dumps({"table": rows, "kept": found.is_kept, **found.whole}))
    else:
        print(found.table())
    return 0 if found.is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
