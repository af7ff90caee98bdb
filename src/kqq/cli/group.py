"""The command `kqq`: its group, errors and exit codes, and what several subcommands share.

A subcommand imports its part when it runs, so that `kqq --help` is there at once.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from textwrap import wrap
from typing import IO, Any, BinaryIO, TextIO, TypeVar

import click
from click.core import ParameterSource
from rich.cells import cell_len, set_cell_size

from kqq import __version__
from kqq.compiled import is_compiled
from kqq.errors import AccountError, ConfigError, ConnectionLost, KQQError, StoreError, TimedOut
from kqq.words import Exit, hanging, json_line, language, printable, say, tr

F = TypeVar("F", bound=Callable[..., Any])
NUMBER = click.IntRange(min=1, max=4294967295)
"""The type of a number of an account."""
_COLUMNS = 80
_NARROWEST = 12  # columns for what stands last in a row; with less nothing is cut


class _Commands(click.Group):
    """Turns our errors into one line on standard error and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:  # as click has it
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # it is None where the caller closed it
                # Bytes that were no UTF-8 on the wire must not end the program here.
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
        except KQQError as error:
            tell_error(error)
            sys.exit(_exit_code(error))
        except (click.Abort, KeyboardInterrupt):
            click.echo("\nkqq: " + tr("interrupted"), err=True)
            sys.exit(Exit.INTERRUPTED)
        except BrokenPipeError:
            _forget_output()  # whoever read it has gone
            sys.exit(Exit.DONE)
        return result

    def main(self, *args: Any, **kwargs: Any) -> Any:  # as click has it
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # such as a full disk, also while help is printed
            _forget_output()
            click.echo(f"kqq: {error.strerror or error}", err=True)
            sys.exit(Exit.USAGE)


def _forget_output() -> None:
    """Keep Python from failing once more, at exit, to write what is left of the output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell_error(error: KQQError) -> None:
    """Print an error on standard error.

    English is what the error itself says, and so is what somebody has set up or typed wrong, which
    `say` has no more words for. Else people who read another language are told in that.
    """
    is_own_words = language() == "en" or isinstance(error, AccountError | ConfigError)
    words = hanging(str(error)) if is_own_words else say(error)
    click.echo(f"kqq: {words}", err=True)


def _exit_code(error: KQQError) -> Exit:
    if isinstance(error, AccountError | ConfigError | StoreError):
        return Exit.USAGE
    if isinstance(error, ConnectionLost | TimedOut):
        return Exit.NO_CONNECTION
    return Exit.REFUSED


@click.group(
    cls=_Commands,
    epilog="Exit codes: 0 done, 1 refused or unreadable, 2 wrong usage or settings, "
    "3 no connection, 130 interrupted.",
)
@click.version_option(
    f"{__version__} (compiled)" if is_compiled() else __version__, prog_name="kqq"
)
def main() -> None:
    """The text protocol of Mobile QQ, alive again."""


def data_option(command: F) -> F:
    """Give a command the option `--data`."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="KQQ_DATA",
        show_envvar=True,
        help="Folder with the database.  [default: a folder `kqq` among your user data]",
    )(command)


def config_option(command: F) -> F:
    """Give a command the option `--config`."""
    return click.option(
        "--config",
        "file",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="KQQ_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help="The file with the settings.  [default: kqq.toml in the data folder, if it is there]",
    )(command)


def set_option(command: F) -> F:
    """Give a command the option `--set`, which may be given several times."""
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="A setting that counts more than the file; may be given several times.",
    )(command)


def json_option(command: F) -> F:
    """Give a command the option `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")(command)


def is_option(parameter: str) -> bool:
    """Whether a parameter stands on the command line, rather than in the environment."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is ParameterSource.COMMANDLINE


def counted(number: int, what: str) -> str:
    """Return how many of something there are, such as `1 friend` or `2 friends`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def moment(date: float | None) -> str:
    """Return a date in seconds as people write it, in local time."""
    if date is None:
        return "never"
    return datetime.fromtimestamp(date).astimezone().strftime("%Y-%m-%d %H:%M")


def ask_password(*, from_stdin: bool, confirm: bool = False) -> str:
    """Return the password: from standard input if wanted, KQQ_PASSWORD, or a prompt."""
    if from_stdin:
        password = read_text(sys.stdin.readline).rstrip("\r\n")
    elif (known := os.environ.get("KQQ_PASSWORD")) is not None:
        password = known
    elif sys.stdin.isatty():
        password = click.prompt(
            tr("Password"), hide_input=True, confirmation_prompt=confirm, err=True
        )
    else:
        raise ConfigError("no password; set KQQ_PASSWORD, or use --password-stdin, or a terminal")
    if not password:
        raise ConfigError("the password is empty")
    return password


def confirm(words: str) -> None:
    """Go on only if somebody says yes."""
    try:
        is_sure = click.confirm(words, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise click.UsageError("nobody is there to ask; --yes deletes without asking") from None
    if not is_sure:
        raise click.Abort


def read_text(read: Callable[[], str]) -> str:
    """Return what `read` takes from standard input. Raises ConfigError if it is no UTF-8."""
    try:
        return read()
    except UnicodeDecodeError as error:
        raise ConfigError(f"standard input is not UTF-8: {error.reason}") from error


def new_file(path: Path) -> BinaryIO:
    """Return a file to write, for its owner only: what people said is in it.

    Raises ConfigError if it cannot be written.
    """
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise _cannot_write(path, error) from error
    return os.fdopen(made, "wb")


def new_text(path: Path) -> TextIO:
    """Return a `new_file` for text."""
    return TextIOWrapper(new_file(path), encoding="utf-8", newline="\n")


@contextmanager
def written_to(output: Path | None) -> Iterator[TextIO]:
    """Give where to write: a file as `new_text` has it, or standard output."""
    if output is None:
        yield sys.stdout
        return
    try:
        with new_text(output) as target:
            yield target
    except OSError as error:  # such as a full disk
        raise _cannot_write(output, error) from error


def _cannot_write(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot write {printable(str(path))}: {error.strerror}")


def show(
    objects: Iterable[dict[str, Any]],
    row: Callable[[dict[str, Any]], tuple[str, ...]],
    *,
    none: str,
    as_json: bool,
) -> None:
    """Print objects as a table, or as JSON; if there are none, `none` on standard error.

    So a script that counts lines counts none, and a person is told.
    """
    found = list(objects)
    if as_json:
        for one in found:
            print_json(one)
        return
    for line in table([row(one) for one in found]):
        click.echo(line)
    if not found:
        click.echo(none, err=True)


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows in columns as wide as they must be; a wide sign takes two cells.

    What stands last in a row is cut where the line would be longer than 80 cells.
    """
    shown = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)][:-1]
    room = _COLUMNS - sum(widths) - 2 * len(widths)
    lines = []
    for *cells, last in shown:
        if cell_len(last) > room >= _NARROWEST:
            last = set_cell_size(last, room - 1).rstrip() + "…"  # noqa: PLW2901
        left = "".join(
            f"{set_cell_size(cell, width)}  " for cell, width in zip(cells, widths, strict=True)
        )
        lines.append(f"{left}{last}".rstrip())
    return lines


def paragraph(text: str, left: str = "") -> str:
    """Return `text` after `left` in lines of 80 cells, further ones below its beginning."""
    # A sign that takes two cells counts as two where another stands in for its second one. One
    # column is left for a line that ends between the two.
    wide = "".join(sign + "\0" * (cell_len(sign) - 1) for sign in printable(text))
    indent = " " * cell_len(left)
    lines = wrap(
        wide,
        _COLUMNS - 1,
        initial_indent=left,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\0", "") if lines else left.rstrip()


def print_json(value: dict[str, Any], file: IO[str] | None = None) -> None:
    """Print an object on one line, with no sign that could steer a terminal, or cannot be seen."""
    click.echo(json_line(value), file)
