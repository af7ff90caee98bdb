"""Throw hostile bytes at whatever reads bytes, for an hour; keep what was too much for it.

    PYTHONPATH=tests python benchmarks/fuzz.py [--minutes 60] [--target NAME]... [--seed N]

Targets take turns, half a minute each. What none may do (raise anything that kqq does not raise on
purpose, take more than ten seconds, grow by hundreds of MiB) ends the turn; the bytes are then in
tests/findings/, and the tests try them again from then on. Exit code 1 if anything was found.
"""

import argparse
import random
import sys
import time

from fuzz_targets import SEEDS, TARGETS
from fuzzing import Finding, fuzz

_TURN = 30.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz whatever reads bytes.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), default=None)
    parser.add_argument("--seed", type=int, default=None, help="of the random changes")
    wanted = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if wanted.seed is None else wanted.seed
    print(f"seed {seed}")
    chance = random.Random(seed)
    names = wanted.target or sorted(TARGETS)
    end = time.monotonic() + 60 * wanted.minutes
    tried = dict.fromkeys(names, 0)
    found: list[Finding] = []
    turns = 0
    while (left := end - time.monotonic()) > 0:
        name = names[turns % len(names)]
        turns += 1
        turn = min(_TURN, left, 60 * wanted.minutes / len(names))
        tries, finding = fuzz(name, TARGETS[name], SEEDS[name](), turn, chance=chance)
        tried[name] += tries
        print(f"{name:<14} {tries:>8} tries  {left / 60:5.1f} min left", flush=True)
        if finding is not None:
            found.append(finding)
            print(f"{name}: {finding.what}\n  kept in {finding.save()}", flush=True)
    for name in names:
        print(f"{name:<14} {tried[name]:>8} tries in all")
    print(f"{len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
