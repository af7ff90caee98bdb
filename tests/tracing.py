"""Whether a server answers only after what it promises is on the disk, as strace sees it.

A crash of a process leaves what it has written in the system's hands; only a power cut shows what
was not synchronised. So this looks at the order of system calls instead.
"""

import asyncio
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from crowd import PATIENCE
from scene import BUSY, Scene

WRITER, SINGLE, READER, AWAY = 10001, 10002, 10003, 10004
_FIRST = 20_000_000  # all numbers of messages have eight digits
_SYSTEM_CALLS = (
    "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,fsync,fdatasync,sync_file_range,"
    "msync"
)
_LINE = re.compile(r"(\d+) +(.*)")
_BEGUN = re.compile(r"(\w+)\(\d+<([^>]*)>")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>")
_NUMBER = re.compile(r"(\d{8})-")
_ANSWER = re.compile(r"CMD=CLTMSG&SEQ=(\d{8})&UIN=\d+&RES=0")
_HEAD = re.compile(r'"((?:\\.|[^"\\])*)", 24, ')
_SYNCS = ("fsync", "fdatasync")


@dataclass(slots=True)
class Order:
    """What was answered, and which of it `early`: before it was synchronised. `syncs` counts these.

    `unwritten` are those early ones that were not even written to a file.
    """

    answered: set[int] = field(default_factory=set)
    early: set[int] = field(default_factory=set)
    unwritten: set[int] = field(default_factory=set)
    syncs: int = 0

    @property
    def is_kept(self) -> bool:
        """Whether all that was answered was on the disk, and something was."""
        return bool(self.answered) and not self.early


def answers_of_ours(sent: str) -> set[int]:
    """Return the messages that our server says to have, in what it sends."""
    return {int(number) for number in _ANSWER.findall(sent)}


def order_of(
    trace: Iterable[str],
    files: Path,
    answers: Callable[[str], set[int]] = answers_of_ours,
) -> Order:
    """Return in which order things happen in the lines that `strace -f -y` writes.

    `files` is the folder whose files count. `answers` says which messages are promised by what is
    sent. A message is one in whose text there are eight digits and a hyphen. It is on the disk when
    a file to which it was written is synchronised, by a call that begins when the writing is over;
    and it is answered when the sending begins.
    """
    order, written, safe = Order(), _Written(), set[int]()
    begun: dict[str, tuple[str, str, str, set[int]]] = {}  # by thread: call, file, all, messages
    for line in trace:
        found = _LINE.match(line)
        if found is None:
            continue
        thread, said = found.groups()
        call = _BEGUN.match(said)
        if call is not None and not call[2].startswith(f"{files}/"):
            now = answers(said)
            order.answered |= now
            order.early |= now - safe
            order.unwritten |= now - written.everything
            continue
        if call is not None:
            name, path = call.groups()
            covered = set(written.whole[path]) if name in _SYNCS else set()
            begun[thread] = name, path, said, covered
        is_over = not said.endswith("<unfinished ...>")
        if is_over and thread in begun and (call is not None or _RESUMED.match(said)):
            name, path, said, covered = begun.pop(thread)
            if name in _SYNCS:
                order.syncs += 1
                safe |= covered
            else:
                written.add(path, said)
    return order


class _Written:
    """Messages that were written to files: `whole` has those whose transaction is there, too.

    In a log of SQLite a page follows a head of 24 bytes. Its second four bytes are zero unless the
    page is the last of its transaction (https://www.sqlite.org/fileformat2.html#walformat).
    """

    def __init__(self) -> None:
        self.everything: set[int] = set()
        self.whole: dict[str, set[int]] = defaultdict(set)
        self._open: dict[str, set[int]] = defaultdict(set)
        self._is_last: dict[str, bool] = {}

    def add(self, path: str, said: str) -> None:
        """Add what a call has written."""
        is_log = path.endswith("-wal")
        if is_log and (head := _HEAD.search(said)) is not None:
            data = head[1].encode("ascii").decode("unicode_escape").encode("latin-1")
            self._is_last[path] = data[4:8] != bytes(4)
            return
        numbers = {int(number) for number in _NUMBER.findall(said)}
        self.everything |= numbers
        self._open[path] |= numbers
        if not is_log or self._is_last.get(path):
            self.whole[path] |= self._open.pop(path)


def strace(trace: Path) -> tuple[str, ...] | None:
    """Return the words that have a program traced into a file, None if there is no strace."""
    program = shutil.which("strace")
    if program is None:
        return None
    return (program, "-D", "-f", "-y", "-s", "70000", "-e", f"trace={_SYSTEM_CALLS}",
            "-o", str(trace), "--")  # fmt: skip


async def traced(folder: Path, rounds: int) -> Order | None:
    """Return the order in which a server works while people write; None if there is no strace.

    In each round one writes 20 messages in one go and another one, to somebody who reads them and
    to somebody who is away.
    """
    trace, data = folder / "trace", folder / "data"
    under = strace(trace)
    if under is None:
        return None
    async with Scene(data, *BUSY, under=under) as scene:
        await scene.people([WRITER, SINGLE, READER, AWAY], 0)
        scene.start()
        writer, single = await scene.sign_in(WRITER), await scene.sign_in(SINGLE)
        reader = await scene.sign_in(READER)
        for number in range(rounds):
            numbers = range(_FIRST + 40 * number, _FIRST + 40 * number + 20)
            writer.send(AWAY if number % 2 else READER, numbers)
            assert await single.write(READER, numbers[-1] + 1)
            await writer.until(lambda: not writer.unanswered, PATIENCE)
        await reader.gets(single.promised[READER])
        scene.server.stop()
    async with asyncio.timeout(PATIENCE):
        while not is_over(trace):  # noqa: ASYNC110  # strace lives a moment longer
            await asyncio.sleep(0.02)
    with trace.open(encoding="ascii", errors="replace") as lines:
        return order_of(lines, data.resolve())


def is_over(trace: Path) -> bool:
    """Return whether the program that is traced has ended, and all is written."""
    with trace.open("rb") as file:
        file.seek(max(0, trace.stat().st_size - 4096))
        return b"+++ exited with" in file.read().splitlines()[-1]
