"""Write what is generated: pages, the suite as JSON; with --pictures, the pictures, too."""

import sys
from pathlib import Path

from kqq.cli.reference import reference as every_command
from kqq.conformance.neutral import plays_json
from kqq.demo import picture
from kqq.protocol.export import commands_markdown, evidence_markdown
from kqq.server.settings import reference, sample

ROOT = Path(__file__).parent.parent
PAGES = {
    "docs/commands.md": every_command,
    "docs/configuration.md": reference,
    "docs/kqq.toml": sample,
    "docs/protocol/commands.md": commands_markdown,
    "docs/protocol/evidence.md": evidence_markdown,
    "src/kqq/conformance/suite/plays.jsonl": plays_json,
}
PICTURE = "docs/pictures/demo.svg"


def main() -> None:
    for name, make in PAGES.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")
        print(f"wrote {name}")
    if "--pictures" not in sys.argv[1:]:
        return
    path = ROOT / PICTURE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(picture(), encoding="utf-8")
    print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main()
