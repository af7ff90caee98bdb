"""`kqq replay`, `kqq record` and `kqq mock`: plays, performed with other servers."""

import asyncio
import functools
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from kqq.cli.group import NUMBER, json_option, main, new_text, paragraph, print_json, tell_error
from kqq.cli.signing_in import ca_option
from kqq.errors import ConfigError, PlayError
from kqq.words import Exit, printable, tr, tr_n

if TYPE_CHECKING:
    from kqq.address import Door
    from kqq.client import Address
    from kqq.plays.accounts import Accounts
    from kqq.plays.against import Outcome, Read, Terms
    from kqq.plays.mock import Heard
    from kqq.plays.mocking import MockServer
    from kqq.plays.recording import Recording, Unanswered
    from kqq.protocol import Line
    from kqq.protocol.transcript import Play, Statement

Command = Callable[..., Any]
_STDIN = "-"
_FILE = click.Path(dir_okay=False, path_type=Path)
_LOGGED = re.compile(r"\bCMD=")
_MAKING = "`kqq decode --play` makes a play of a capture or a log"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who the people of a play are, as the options say."""

    file: Path | None
    given: dict[str, int]
    first: int

    def accounts(self, names: Iterable[str]) -> "Accounts":
        """Return the accounts of these people, or those in the file."""
        from kqq.plays.accounts import Accounts

        if self.file is None:
            return Accounts.invent([*names, *self.given], first=self.first, given=self.given)
        return Accounts.read(self.file).with_numbers(self.given)


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """With which server a play is performed, and how, as the options say."""

    address: "Address"
    over: str | None
    people: People
    wait: float
    quiet: float
    patience: float
    ca: Path | None

    def terms(self, play: "Play", letters: "Read | None") -> "Terms":
        """Return how a play is performed."""
        from kqq.client import make_trust
        from kqq.plays.against import Terms, usual_way

        return Terms(
            over=self.over or usual_way(play, self.address),
            wait=self.wait,
            quiet=self.quiet,
            patience=self.patience,
            letters=letters,
            trust=make_trust(self.ca) if self.address.is_tls else None,
        )


def _seconds(name: str, default: float, words: str) -> Callable[[Command], Command]:
    return click.option(
        name,
        type=click.FloatRange(0, 3600),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help=words,
    )


_PEOPLE = (
    click.option(
        "--accounts",
        type=_FILE,
        metavar="FILE",
        help="TOML with a table for each person: uin, password, friends.  [default: numbers from "
        "--first on, password secret]",
    ),
    click.option(
        "--account",
        "given",
        multiple=True,
        metavar="NAME=NUMBER",
        help="The number of somebody; may be given several times.",
    ),
    click.option(
        "--first", type=NUMBER, default=10001, show_default=True, help="The first free number."
    ),
)
_AGAINST = (
    click.option("--against", required=True, metavar="HOST:PORT", help="The server."),
    click.option("--http", "is_http", is_flag=True, help="Post each line over HTTP."),
    _seconds("--wait", 5.0, "How long a line that must come is waited for."),
    _seconds("--quiet", 0.3, "After how long a silence nothing more is taken to come."),
    _seconds("--patience", 0.0, "How long a play may let time go by; it really goes by."),
    ca_option,
)


def _with(options: tuple[Callable[[Command], Command], ...], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def people_options(command: Command) -> Command:
    """Give a command the options that say who people are; it gets them as `who`."""

    @functools.wraps(command)
    def run(*, accounts: Path | None, given: tuple[str, ...], first: int, **more: Any) -> Any:
        who = People(file=accounts, given=dict(map(_given, given)), first=first)
        return command(who=who, **more)

    return _with(_PEOPLE, run)


def against_options(command: Command) -> Command:
    """Give a command the options that say with which server; it gets them as `against`."""

    @functools.wraps(command)
    def run(
        *,
        against: str,
        is_http: bool,
        wait: float,
        quiet: float,
        patience: float,
        ca: Path | None,
        who: People,
        **more: Any,
    ) -> Any:
        from kqq.client import Address

        address = Address.parse(against, "tcp")
        found = Against(
            address=address,
            over="HTTP" if is_http or address.is_http else None,
            people=who,
            wait=wait,
            quiet=quiet,
            patience=patience,
            ca=ca,
        )
        return command(against=found, **more)

    return people_options(_with(_AGAINST, run))


def _given(text: str) -> tuple[str, int]:
    name, equals, number = text.partition("=")
    if not equals or not number.isascii() or not number.isdigit() or not 0 < int(number) < 1 << 32:
        raise click.UsageError(f"--account {text} cannot be; write NAME=NUMBER, like Romeo=10001")
    return name, int(number)


# --- replay --------------------------------------------------------------------------------------


@main.command(short_help="Perform a play with a server, and compare.")
@click.argument("play")
@against_options
@click.option("--all", "goes_on", is_flag=True, help="Show all differences, not only the first.")
@click.option("--lines", "shows_lines", is_flag=True, help="Show each line as it goes and comes.")
@json_option
def replay(*, play: str, against: Against, goes_on: bool, shows_lines: bool, as_json: bool) -> None:
    """Perform PLAY, a file such as `kqq record` makes, with a server; `-` is standard input.

    The first difference is shown field by field. The server must have the accounts, and must be as
    the `server` statements at the beginning say.

    Exit code 1 if something goes otherwise, 2 if the play cannot be performed there, 3 if there is
    no server.
    """
    from kqq.plays.accounts import people
    from kqq.plays.against import perform_on

    text = _read(play)
    parsed = _parsed(text, play)
    accounts = against.people.accounts(people(parsed))
    terms = against.terms(parsed, _letters(play))
    watch = _show_line if shows_lines else None
    if watch is not None and as_json:
        watch = _show_json_line
    outcome = asyncio.run(
        perform_on(
            parsed,
            against.address,
            accounts,
            terms,
            watch=watch,
            first_seq=_first_seq(),
            goes_on=goes_on,
        )
    )
    if as_json:
        print_json({"play": play, "against": str(against.address), **_outcome_object(outcome)})
    else:
        _tell(play, parsed, outcome)
    if outcome.verdict == "skipped":
        if as_json:
            sys.exit(Exit.USAGE)
        raise ConfigError(f"{_name(play)} cannot be performed there: {outcome.reason}")
    sys.exit(Exit.DONE if outcome.verdict == "passed" else Exit.REFUSED)


def _tell(name: str, play: "Play", outcome: "Outcome") -> None:
    from kqq.cli.beside import difference_lines

    for note in outcome.notes:
        click.echo(paragraph(note, "kqq: "), err=True)
    for position, difference in enumerate(outcome.differences):
        if position:
            click.echo()
        click.echo("\n".join(difference_lines(difference)))
    if outcome.verdict == "failed" and outcome.reason:
        click.echo(paragraph(tr("It ends there: {reason}").format(reason=outcome.reason)))
    if outcome.verdict == "passed":
        words = tr_n(
            "{name} goes as written: {count} statement in {seconds} s",
            "{name} goes as written: {count} statements in {seconds} s",
            len(play.statements),
        )
        seconds = f"{outcome.seconds:.1f}"
        count = len(play.statements)
        click.echo(paragraph(words.format(name=_name(name), count=count, seconds=seconds)))


def _outcome_object(outcome: "Outcome") -> dict[str, Any]:
    return {
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "seconds": round(outcome.seconds, 3),
        "differences": [difference.as_object() for difference in outcome.differences],
        "notes": list(outcome.notes),
    }


def _show_line(actor: str, direction: str, line: "Line") -> None:
    from kqq.protocol import mask

    click.echo(f"{actor} {direction} {printable(mask(line.text))}")


def _show_json_line(actor: str, direction: str, line: "Line") -> None:
    from kqq.protocol import mask

    print_json({"actor": actor, "direction": direction, "line": mask(line.text)})


# --- record --------------------------------------------------------------------------------------


@main.command(short_help="Make a play with a server.")
@click.argument("sketch", default=_STDIN)
@against_options
@click.option("-o", "--output", type=_FILE, metavar="FILE", help="Where the play goes.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def record(*, sketch: str, against: Against, output: Path | None, force: bool) -> None:
    """Perform the statements of SKETCH with a server, and write down what it answers.

    What is written is a play that `kqq replay` performs. Without SKETCH, statements are performed
    as they are typed, one on a line: `Romeo signs in`, `Romeo > CMD=GetInfo LV=2 UN={Juliet}`.
    Statements of a sketch that say what comes are replaced by what comes.

    Exit code 1 if a request got no answer, 2 if a statement cannot be read or performed, 3 if there
    is no server or the connection was lost before an answer.
    """
    from kqq.protocol.transcript import Play

    text = None if sketch == _STDIN else _read(sketch)
    play = Play("", ()) if text is None else _parsed(text, sketch)
    if output is not None and output.exists() and not force:
        raise ConfigError(f"{output} is there already; name another file, or say --force")
    terms = against.terms(play, _letters(sketch))
    with ExitStack() as stack:
        out = sys.stdout if output is None else stack.enter_context(new_text(output))
        code = asyncio.run(_record(against, play, text, terms, out, echoes=output is not None))
    sys.exit(code)


async def _record(
    against: Against,
    play: "Play",
    text: str | None,
    terms: "Terms",
    out: IO[str],
    *,
    echoes: bool,
) -> Exit:
    """Perform what a sketch says, or what is typed; return whether all was answered.

    Raises ConfigError for a statement that cannot be performed, save at a terminal.
    """
    from kqq.at_terminal import is_typed
    from kqq.plays.accounts import people
    from kqq.plays.against import Network
    from kqq.plays.recording import Recording

    recording = Recording(
        against.people.accounts(people(play)),
        Network(against.address, terms),
        first=against.people.first,
        first_seq=_first_seq(),
        wait=terms.wait,
    )
    is_asked = text is None and is_typed()
    number = 0
    if not play.doc and not is_asked:
        out.write("# Recorded with kqq record.\n")
    try:
        async for line in _typed(prompts=is_asked) if text is None else _each(text):
            number += 1
            told = len(recording.unanswered)
            try:
                written = await _written(recording, line, number)
            except PlayError as error:
                if not is_asked:
                    raise ConfigError(str(error)) from error
                tell_error(error)
                continue
            out.writelines(f"{one}\n" for one in written)
            out.flush()
            for request in recording.unanswered[told:]:
                _tell_unanswered(request)
            if echoes and is_asked:
                for one in written[1:]:
                    click.echo(printable(one), err=True)
        out.writelines(f"{one}\n" for one in await recording.end())
    finally:
        await recording.leave()
    if any(one.is_lost for one in recording.unanswered):
        return Exit.NO_CONNECTION
    return Exit.REFUSED if recording.unanswered else Exit.DONE


def _tell_unanswered(request: "Unanswered") -> None:
    words = tr("line {number}: {statement}: no answer came: {why}")
    told = words.format(number=request.number, statement=request.source, why=request.why)
    click.echo(paragraph(told, "kqq: "), err=True)


async def _written(recording: "Recording", line: str, number: int) -> list[str]:
    """Perform what stands on a line, and return what to write down for it. Raises PlayError."""
    from kqq.plays.recording import read_statement

    statement: Statement | None = read_statement(line, number)
    return [line.strip()] if statement is None else await recording.do(statement)


async def _each(text: str) -> AsyncIterator[str]:
    for line in text.split("\n"):
        yield line


async def _typed(*, prompts: bool) -> AsyncIterator[str]:
    """Give what is typed, line by line."""
    from kqq.at_terminal import typed_lines

    lines = typed_lines()
    while True:
        if prompts:
            click.echo("> ", nl=False, err=True)
        line = await lines.get()
        if isinstance(line, ConfigError):
            raise line
        if line is None:
            return
        yield line


# --- mock ----------------------------------------------------------------------------------------


@main.command(short_help="Be a server that answers from a play.")
@click.argument("play")
@click.option(
    "--listen",
    default="127.0.0.1:14000",
    show_default=True,
    metavar="HOST:PORT",
    help="Where; port 0 takes a free one.",
)
@people_options
@click.option("--strict", "is_strict", is_flag=True, help="Answer in the order of the play only.")
@click.option("--refuse", "refuses", is_flag=True, help="Answer RES=1 to what is not in the play.")
@json_option
def mock(
    *, play: str, listen: str, who: People, is_strict: bool, refuses: bool, as_json: bool
) -> None:
    """Be a server that says what the server in PLAY says, over TCP and HTTP, until Ctrl-C.

    A line is answered if one in the play asks the same. People may have other numbers than there:
    whoever signs in with a number that nobody has is the next one who signs in there. What is
    asked and has no answer is told.

    Exit code 1 if there was something without an answer.
    """
    from kqq.address import Door
    from kqq.plays.accounts import people
    from kqq.plays.mock import Mock
    from kqq.plays.mocking import MockServer

    parsed = _parsed(_read(play), play)
    door = Door.parse(listen, "kqq")
    made = Mock(parsed, who.accounts(people(parsed)), is_strict=is_strict, refuses=refuses)
    server = MockServer(made, _show_heard_json if as_json else _show_heard)
    asyncio.run(_serve(server, door))
    if server.count and not as_json:
        words = tr_n(
            "{count} line had no answer in {name}.",
            "{count} lines had no answer in {name}.",
            server.count,
        )
        click.echo(paragraph(words.format(count=server.count, name=_name(play))), err=True)
    sys.exit(Exit.REFUSED if server.count else Exit.DONE)


async def _serve(server: "MockServer", door: "Door") -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        click.echo(f"listening {await server.start(door)}")
        click.echo("ready")
        sys.stdout.flush()
        await told.wait()
    finally:
        await server.close()


def _show_heard(heard: "Heard") -> None:
    from kqq.protocol import mask

    line = printable(mask(heard.line.text))
    if heard.is_known:
        place = tr("line {number}").format(number=heard.ask) if heard.ask else tr("a poll")
        click.echo(f"  {heard.actor} ({place}): {line}")
    else:
        click.echo(f"! {heard.actor or '?'}: {line}")
        click.echo(paragraph(heard.why, "    "))
    sys.stdout.flush()


def _show_heard_json(heard: "Heard") -> None:
    from kqq.protocol import mask

    print_json(
        {
            "actor": heard.actor,
            "line": mask(heard.line.text),
            "play_line": heard.ask or None,
            "said": heard.count,
            "why": heard.why,
        }
    )
    sys.stdout.flush()


# --- what they share -----------------------------------------------------------------------------


def _read(name: str) -> str:
    """Return the text of a play, `-` is standard input. Raises ConfigError."""
    try:
        if name == _STDIN:
            return sys.stdin.buffer.read().decode("utf-8")
        return Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{_name(name)} is no play: it is not UTF-8; {_MAKING}") from error
    except OSError as error:
        raise ConfigError(f"cannot read {name}: {error.strerror}") from error


def _parsed(text: str, name: str) -> "Play":
    """Return the play that a text is. Raises ConfigError with the line that cannot be read."""
    from kqq.protocol.transcript import parse_play

    try:
        play = parse_play(text)
    except PlayError as error:
        hint = f"; {_MAKING}" if _LOGGED.search(text) else ""
        raise ConfigError(f"{_name(name)}, {error}{hint}") from error
    if not play.statements:
        raise ConfigError(f"{_name(name)} has no statements, so there is nothing to perform")
    return play


def _first_seq() -> int:
    """Return a `SEQ` that the last run did not begin with: servers know lines again for a while."""
    return 1000 + int(time.time() * 10) % 80_000 * 10


def _name(name: str) -> str:
    return tr("standard input") if name == _STDIN else name


def _letters(source: str) -> "Read | None":
    """Return what asks the person at the terminal for letters, None if nobody can be asked."""
    from kqq.at_terminal import is_typed
    from kqq.cli.session import reader_of_letters

    if source == _STDIN or not is_typed():
        return None

    async def read(uin: int, picture: bytes) -> str:
        return await reader_of_letters(uin)(picture)

    return read
