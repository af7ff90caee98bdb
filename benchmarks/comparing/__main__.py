"""Our server beside others, on this machine, in one run: what the goals of its design ask for.

Starts our server, a bare relay and whichever of ejabberd, Prosody, ngircd and mosquitto are
installed, on one core, and a load generator on another. Prints a table, and for each goal what was
measured and whether it holds; the exit code is 1 if one does not.
"""

import argparse
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.comparing import crowds, messages, picture, table
from benchmarks.comparing.figures import SERVERS, Figures, verdicts
from benchmarks.comparing.loads import build
from benchmarks.comparing.machine import Unready, describe, file_system, is_pinned, say, version_of
from benchmarks.comparing.running import QUICK, Run, Scale
from benchmarks.comparing.servers import ROOT

GOALS = range(1, 9)


def main() -> int:
    options = _parser().parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    try:
        goals = _goals(options.only)
        if options.again is not None:
            figures = table.read_json(options.again.read_text(encoding="utf-8"))
        else:
            figures = _measure(options, set(goals))
    except (Unready, OSError) as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("stopped")
        return 130
    found = verdicts(figures, goals)
    print(table.as_json(figures, found) if options.json else table.as_text(figures, found))
    if options.picture is not None:
        options.picture.write_text(picture.draw(figures, found), encoding="utf-8")
        say(f"the picture is {options.picture}")
    return 0 if all(one.holds is not False for one in found) else 1


def _measure(options: argparse.Namespace, goals: set[int]) -> Figures:
    """Return what was measured of these goals. Raises Unready."""
    build()
    scale = QUICK if options.quick else Scale()
    with tempfile.TemporaryDirectory(prefix="kqq-compare-", dir=options.work) as work:
        run = Run(
            Path(work),
            replace(scale, rounds=options.rounds or scale.rounds),
            servers=_servers(options.servers),
            command=_compiled() if options.compiled else shlex.split(options.server_command),
            settings=options.set,
            past=options.past,
            patience=options.patience,
        )
        found = [f"{name} {version}" for name in SERVERS if (version := version_of(name))]
        run.figures.machine = ", ".join([describe(Path(work)), *found])
        if options.compiled:
            run.figures.notes.append("kqq is compiled: .venv-compiled, made by scripts/compile")
        if file_system(Path(work)) in {"tmpfs", "ramfs"}:
            run.figures.notes.append("databases are in memory, where nothing waits for a disk;"
                                     " name a folder on a disk by --work")  # fmt: skip
        if not is_pinned():
            run.figures.notes.append("there is one core only, which all share")
        for needed, part in _PARTS:
            if needed & goals:
                part(run, goals)
    return run.figures


_PARTS: tuple[tuple[set[int], Callable[[Run, set[int]], None]], ...] = (
    ({1, 2, 3}, messages.messages),
    ({4}, crowds.idle),
    ({5}, crowds.sign_ins),
    ({5}, crowds.storm),
    ({5}, crowds.polls),
    ({6}, crowds.fan_outs),
    ({6, 8}, crowds.many_friends),
    ({7}, messages.away),
    ({8}, messages.long_past),
)
"""What is measured for which goals, in this order."""


def _compiled() -> list[str]:
    """Return what runs our server compiled, as the sources are now. Raises Unready."""
    if subprocess.run([ROOT / "scripts" / "compile"], check=False).returncode:
        raise Unready("our server could not be compiled")
    return [str(ROOT / ".venv-compiled" / "bin" / "kqq")]


def _servers(text: str) -> list[str]:
    """Return the servers that are named. Raises Unready."""
    names = _words(text)
    if unknown := set(names) - set(SERVERS):
        raise Unready(f"there is no server {min(unknown)}; take some of {', '.join(SERVERS)}")
    return names


def _goals(text: str) -> list[int]:
    """Return the goals that are named, all if none is. Raises Unready."""
    words = _words(text)
    for word in words:
        if not word.isdigit() or int(word) not in GOALS:
            raise Unready(f"there is no goal {word}; take some of 1,2,3,4,5,6,7,8")
    return sorted({int(word) for word in words}) or list(GOALS)


def _words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="benchmarks/compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--only", default="", metavar="GOALS", help="such as 1,2,3; default: all")
    parser.add_argument("--servers", default="", metavar="NAMES", help="such as kqq,relay")
    parser.add_argument("--rounds", type=int, default=0, help="how often each is measured")
    parser.add_argument("--past", type=Path, metavar="FOLDER",
                        help="where the database with a long past is, or is made; 2 GB, kept for"
                        " the next run (goal 8)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object, no table")
    parser.add_argument("--again", type=Path, metavar="FILE",
                        help="measure nothing, but show what --json has written")  # fmt: skip
    parser.add_argument("--picture", type=Path, metavar="FILE", help="an SVG to write")
    ours = parser.add_mutually_exclusive_group()
    ours.add_argument("--server-command", default="", metavar="WORDS",
                      help="what to run in place of `kqq`, such as a profiler")  # fmt: skip
    ours.add_argument("--compiled", action="store_true",
                      help="our server as scripts/compile makes it, with modules in C"
                      )  # fmt: skip
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a setting of our server; may be given several times")  # fmt: skip
    parser.add_argument("--patience", type=float, default=0.0, metavar="SECONDS",
                        help="how long to wait, before each step, for others to leave the machine"
                        " alone")  # fmt: skip
    parser.add_argument("--work", metavar="FOLDER",
                        help="where databases are made; default: the system's temporary folder"
                        )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
