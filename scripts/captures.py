"""Write tests/captures anew: every capture, and what tshark shows of it with our dissector."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from captures import CAPTURES, FOLDER
from sharks import TSHARK, Shark


def main() -> int:
    for name, make in CAPTURES.items():
        make().save(FOLDER / name)
    if TSHARK is None:
        print("tshark is not installed: the captures are written, the snapshots are not")
        return 1
    with tempfile.TemporaryDirectory() as home:
        shark = Shark(Path(home))
        for name in CAPTURES:
            path = FOLDER / name
            path.with_suffix(".txt").write_text(shark.shown(path), encoding="utf-8")
    print(f"{len(CAPTURES)} captures and what tshark shows of them are in {FOLDER.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
