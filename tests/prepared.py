"""A server of ours with the accounts of the published suite, for tests of `kqq conformance`."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from command import kqq
from process import Process

_GENEROUS = ("captcha=never", "commands_rate=10000", "messages_rate=10000",
             "requests_per_day=100000", "sign_ins_rate=10000")  # fmt: skip
"""What a run does in seconds, people do in days."""


class Prepared(Process):
    """`kqq serve` on the folder `data`, with the accounts of the suite."""

    def __init__(self, data: Path, *settings: str) -> None:
        self.data = data
        made = kqq("conformance", "--prepare", str(data))
        assert made.exit_code == 0, made.output
        super().__init__(data, *_GENEROUS, *settings)


@contextmanager
def prepared(*settings: str) -> Iterator[Prepared]:
    """Run such a server."""
    with tempfile.TemporaryDirectory(prefix="kqq-suite-") as folder:
        process = Prepared(Path(folder), *settings)
        try:
            yield process
        finally:
            process.close()
