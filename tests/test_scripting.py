"""The examples of docs/scripting.md do what the page says."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from kqq.client.settings import load
from serving import serving

PAGE = (Path(__file__).parent.parent / "docs" / "scripting.md").read_text()
KQQ = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    """Return the code blocks of the page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_work(tmp_path: Path) -> None:
    """All `sh` blocks in one shell, one after the other; what they print is in the page."""
    with serving(tmp_path / "data", "Anna", "小波") as server:
        folders = {f"XDG_{one}_HOME": str(tmp_path / one) for one in ("CONFIG", "DATA", "CACHE")}
        done = subprocess.run(
            ["bash", "-c", "set -eu\n" + "\n".join(blocks("sh")).replace(
                "tcp://127.0.0.1:14000", server.address
            )],
            env={
                **os.environ,
                **folders,
                "PATH": f"{KQQ}{os.pathsep}{os.environ['PATH']}",
                "KQQ_LANG": "en",
                "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            },
            capture_output=True,
            text=True,
            timeout=55,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for sample in blocks("text"):
            for line in sample.replace("tcp://127.0.0.1:14000", server.address).splitlines():
                assert line in done.stdout.splitlines(), done.stdout


def test_the_settings_of_the_page_can_be_read(tmp_path: Path) -> None:
    """And the table has each key of them."""
    (sample,) = blocks("toml")
    file = tmp_path / "client.toml"
    file.write_text(sample)
    assert load(file).accounts["anna"].history
    for key in tomllib.loads(sample)["accounts"]["anna"]:
        assert f"| `{key}` |" in PAGE
