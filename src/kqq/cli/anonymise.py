"""`kqq anonymise`: captures that can be shown to others."""

import secrets
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

import click

from kqq.cli.group import json_option, main
from kqq.errors import ConfigError
from kqq.words import Exit, json_line, printable, tr

if TYPE_CHECKING:
    from kqq.anonymise.lines import Report

_IN_MEMORY = 16 << 20


@main.command(short_help="Take the people out of a capture, log or play.")
@click.argument("file", metavar="FILE")
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="Where to write; `-` is standard output.  [default: FILE with .anonymous in its name]",
)
@click.option(
    "--key",
    envvar="KQQ_ANONYMISE_KEY",
    show_envvar=True,
    metavar="WORDS",
    help="Replace alike in several files; keep the words secret.  [default: other ones each time]",
)
@click.option("--keep-foreign", is_flag=True, help="Keep what is not of the protocol, blanked.")
@click.option("--force", is_flag=True, help="Replace OUT if it is there.")
@json_option
def anonymise(
    *, file: str, output: str | None, key: str | None, keep_foreign: bool, force: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Replace people's numbers, names, passwords and words in FILE, and addresses of machines.

    FILE is a capture (pcap, pcapng), a log, JSON lines or a play, in gzip or not; `-` is standard
    input. Whoever was one person stays one, and everything keeps its length and shape. What nobody
    can vouch for is said, and then the exit code is 1, as for a FILE that is none of these.
    """
    from kqq.anonymise.files import anonymise as write_anew
    from kqq.anonymise.files import key_of

    secret = secrets.token_bytes(32) if key is None else key_of(key)
    out = _name_of_output(file) if output is None else output
    with _source(file) as source, _target(out, force=force) as target:
        is_play = True if file.endswith((".kqq", ".kqq.gz")) else None
        name = "standard input" if file == "-" else file
        report = write_anew(
            source, target, secret, name=name, is_play=is_play, keep_foreign=keep_foreign
        )
    if as_json:
        found = {
            "file": file,
            "output": out,
            "replaced": report.replaced,
            "left_out": report.left_out,
            "doubts": report.doubts,
        }
        click.echo(json_line(found), err=out == "-")
    else:
        _tell(out, report)
    sys.exit(Exit.REFUSED if report.doubts else Exit.DONE)


def _tell(out: str, report: "Report") -> None:
    """Say on standard error what was done; standard output may be the file."""
    lines = [] if out == "-" else [printable(tr("written to {file}").format(file=out))]
    lines += _listed(tr("replaced:"), report.replaced)
    lines += _listed(tr("left out:"), report.left_out)
    lines += _listed(tr("cannot be vouched for, though replaced:"), report.doubts)
    click.echo("\n".join(lines), err=True)


def _listed(title: str, counts: Counter[str]) -> list[str]:
    rows = [f"  {printable(what)}: {count}" for what, count in counts.items()]
    return [title, *rows] if rows else []


def _name_of_output(file: str) -> str:
    if file == "-":
        return "-"
    path = Path(file)
    suffixes = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:])
    return str(path.with_name(f"{path.name.removesuffix(suffixes)}.anonymous{suffixes}"))


@contextmanager
def _source(file: str) -> Iterator[BinaryIO]:
    """Open what is read, twice over; of standard input a copy is kept for that."""
    if file != "-":
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(Path(file).open("rb"))
            except (OSError, ValueError) as error:  # a name with a NUL in it is a ValueError
                reason = getattr(error, "strerror", None) or str(error)
                raise ConfigError(f"{file} cannot be opened: {reason}") from error
            yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
        shutil.copyfileobj(sys.stdin.buffer, cast(IO[bytes], copy))
        copy.seek(0)
        yield cast(BinaryIO, copy)


@contextmanager
def _target(out: str, *, force: bool) -> Iterator[BinaryIO]:
    """Open what is written; a file is there once it is whole, and not before."""
    if out == "-":
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
            yield cast(BinaryIO, copy)
            copy.seek(0)
            shutil.copyfileobj(cast(IO[bytes], copy), sys.stdout.buffer)
        return
    path = Path(out)
    if path.exists() and not force:
        raise ConfigError(f"{out} is there already; --force replaces it")
    unfinished = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}")
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(unfinished.open("x+b"))
        except OSError as error:
            raise ConfigError(f"{out} cannot be written: {error.strerror}") from error
        stack.callback(unfinished.unlink, missing_ok=True)
        yield stream
        stream.flush()
        unfinished.replace(path)
