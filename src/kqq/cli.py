"""The command `kqq`: one function to a subcommand, which imports its part when it runs."""

import asyncio
import json
import logging
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from kqq import __version__
from kqq.errors import AccountError, ConfigError, ConnectionLost, KQQError, StoreError, TimedOut
from kqq.words import Exit, explanation_lines, printable, status_name

if TYPE_CHECKING:
    from kqq.client import Client
    from kqq.protocol import Push
    from kqq.protocol.explain import Explanation
    from kqq.server.store import Store

F = TypeVar("F", bound=Callable[..., Any])
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Signs that could steer a terminal, and are as well escaped in JSON."""
_NUMBER = click.IntRange(min=1, max=4294967295)


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
            click.echo(f"kqq: {printable(str(error))}", err=True)
            sys.exit(_exit_code(error))
        except (click.Abort, KeyboardInterrupt):
            click.echo("\nkqq: interrupted", err=True)
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
@click.version_option(__version__, prog_name="kqq")
def main() -> None:
    """The text protocol of Mobile QQ, alive again."""


# --- server --------------------------------------------------------------------------------------


def _data_option(command: F) -> F:
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="KQQ_DATA",
        show_envvar=True,
        help="Folder with the database.  [default: a folder `kqq` among your user data]",
    )(command)


def _data(data: Path | None) -> Path:
    from kqq.server.config import default_data

    return data or default_data()


@main.command(short_help="Run a server.")
@_data_option
@click.option(
    "--listen",
    "listen",
    multiple=True,
    metavar="kqq://HOST:PORT",
    help="A door for phones; may be given several times.  [default: kqq://127.0.0.1:14000]",
)
@click.option("--verbose", "-v", is_flag=True, help="Log every connection.")
def serve(data: Path | None, listen: tuple[str, ...], *, verbose: bool) -> None:
    """Run a server until it is told to stop (Ctrl-C, SIGTERM)."""
    from kqq.server import Config, Listen

    _log_to_stderr(logging.DEBUG if verbose else logging.INFO)
    doors = tuple(map(Listen.parse, listen))
    chosen = Config(data=_data(data), listen=doors) if doors else Config(data=_data(data))
    asyncio.run(_serve(chosen))


async def _serve(config: Any) -> None:  # Config, whose import would cost others
    from kqq.server import Server

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Server(config) as server:
        for door in server.listening:
            click.echo(f"listening {door}")
        click.echo("ready")
        sys.stdout.flush()
        await stop.wait()


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)-7s %(name)s %(message)s", stream=sys.stderr
    )


# --- accounts ------------------------------------------------------------------------------------


@main.group()
def account() -> None:
    """The accounts of a server; works while it runs."""


def _store(data: Path | None, *, create: bool = False) -> "Store":
    from kqq.server.database import Database, database_path, prepare_folder
    from kqq.server.store import Store

    folder = _data(data)
    if not database_path(folder).exists():
        if not create:
            raise ConfigError(f"there are no accounts in {folder}; is that the right --data?")
        click.echo(f"making a new data folder {folder}", err=True)
    return Store(Database(prepare_folder(folder)))


@account.command("add")
@click.argument("uin", type=_NUMBER)
@click.option("--nick", required=True, help="The name that others see.")
@click.option("--password", help="Seen by others on this machine; leave it out to be asked.")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from a line of standard input."
)
@_data_option
def account_add(
    uin: int, nick: str, password: str | None, data: Path | None, *, password_stdin: bool
) -> None:
    """Add an account with the number UIN."""
    from kqq.server.accounts import add_account

    if password is not None and password_stdin:
        raise click.UsageError("give --password or --password-stdin, not both")
    if password is None:
        password = _ask_password(from_stdin=password_stdin, confirm=True)
    added = add_account(_store(data, create=True), uin, nick, password, time.time())
    click.echo(f"added {added.uin} {printable(added.nick)}")


@account.command("friend")
@click.argument("uin", type=_NUMBER)
@click.argument("other", type=_NUMBER, metavar="UIN")
@_data_option
def account_friend(uin: int, other: int, data: Path | None) -> None:
    """Make two accounts friends of each other."""
    from kqq.server.friends import make_friends

    make_friends(_store(data), uin, other)
    click.echo(f"{uin} and {other} are friends")


@account.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@_data_option
def account_list(data: Path | None, *, as_json: bool) -> None:
    """List all accounts."""
    for one in _store(data).accounts():
        if as_json:
            _print_json({"uin": one.uin, "nick": one.nick, "face": one.face})
        else:
            click.echo(f"{one.uin:<10} {printable(one.nick)}")


# --- client --------------------------------------------------------------------------------------


def _client_options(command: F) -> F:
    for option in (
        click.option(
            "--password-stdin",
            is_flag=True,
            help="Read the password from a line of standard input; else KQQ_PASSWORD or a prompt.",
        ),
        click.option(
            "--uin",
            type=_NUMBER,
            required=True,
            envvar="KQQ_UIN",
            show_envvar=True,
            help="Your number.",
        ),
        click.option(
            "--server",
            default="tcp://127.0.0.1:14000",
            show_default=True,
            envvar="KQQ_SERVER",
            show_envvar=True,
            metavar="tcp://HOST:PORT",
            help="Where the server is.",
        ),
    ):
        command = option(command)
    return command


def _ask_password(*, from_stdin: bool, confirm: bool = False) -> str:
    """Return the password: from standard input if wanted, KQQ_PASSWORD, or a prompt."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif (known := os.environ.get("KQQ_PASSWORD")) is not None:
        password = known
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
    else:
        raise ConfigError("no password; set KQQ_PASSWORD, or use --password-stdin, or a terminal")
    if not password:
        raise ConfigError("the password is empty")
    return password


def _with_client(
    server: str,
    uin: int,
    password: str,
    work: Callable[["Client"], Coroutine[Any, Any, None]],
    *,
    until_interrupted: bool = False,
) -> None:
    """Sign in and do `work`, which Ctrl-C may be the usual way to end.

    Who signs in gets the messages that waited, and they are then no longer on the server; those
    that `work` did not take are shown.
    """
    from kqq.client import Address, Client

    address = Address.parse(server)

    async def run() -> None:
        async with await Client.connect(address) as client:
            await client.sign_in(uin, password)
            try:
                await work(client)
            finally:
                await client.close()
                async for push in client.events():
                    _show_message(push)

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        if not until_interrupted:
            raise
        click.echo(err=True)


def _show_message(push: "Push") -> None:
    """Show, on standard error, a message that came while something else was done."""
    from kqq.protocol import ServerMsg

    if isinstance(push, ServerMsg):
        text = printable(push.text, lines=True).replace("\n", "\n    ")
        click.echo(f"message from {push.sender}: {text}", err=True)


@main.command(short_help="Send a message.")
@_client_options
@click.argument("to", type=_NUMBER)
@click.argument("text")
def send(server: str, uin: int, to: int, text: str, *, password_stdin: bool) -> None:
    """Send TEXT to the number TO; `-` reads the text from standard input.

    Messages that waited for you come with the sign-in; they are shown on standard error.
    """
    password = _ask_password(from_stdin=password_stdin)
    words = sys.stdin.read().rstrip("\n") if text == "-" else text
    if not words:
        raise click.UsageError("there is no text to send")

    async def work(client: "Client") -> None:
        await client.send(to, words)
        await client.sign_out()

    _with_client(server, uin, password, work)


@main.command()
@_client_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def friends(server: str, uin: int, *, password_stdin: bool, as_json: bool) -> None:
    """List friends and their statuses.

    Messages that waited for you come with the sign-in; they are shown on standard error.
    """
    password = _ask_password(from_stdin=password_stdin)

    async def work(client: "Client") -> None:
        everybody = await client.friends()
        statuses = await client.statuses()
        for friend in everybody:
            code = statuses.get(friend.uin, 20)
            if as_json:
                _print_json(
                    {
                        "uin": friend.uin,
                        "nick": friend.nick,
                        "face": friend.face,
                        "status": status_name(code),
                        "code": code,
                    }
                )
            else:
                click.echo(f"{friend.uin:<10} {status_name(code):<15} {printable(friend.nick)}")
        await client.sign_out()

    _with_client(server, uin, password, work)


@main.command(short_help="Print messages as they come.")
@_client_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--count", type=click.IntRange(min=1), help="End when so many have come.")
def listen(
    server: str, uin: int, *, password_stdin: bool, as_json: bool, count: int | None
) -> None:
    """Print messages and status changes as they come, until Ctrl-C."""
    password = _ask_password(from_stdin=password_stdin)

    async def work(client: "Client") -> None:
        click.echo(f"signed in as {uin}; Ctrl-C ends", err=True)
        printed = 0
        async for push in client.events():
            seen = _push_object(push)
            if as_json:
                _print_json(seen)
            elif seen["type"] == "message":
                text = printable(str(seen["text"]), lines=True).replace("\n", "\n    ")
                click.echo(f"{seen['from']}: {text}")
            else:
                click.echo(f"{seen['uin']} is {seen['status']}")
            sys.stdout.flush()
            printed += 1
            if printed == count:
                await client.sign_out()
                await client.close()  # what came until then is still printed: it was delivered

    _with_client(server, uin, password, work, until_interrupted=True)


def _push_object(push: "Push") -> dict[str, Any]:
    from kqq.protocol import ServerMsg, UpdateStat

    if isinstance(push, ServerMsg):
        return {"type": "message", "from": push.sender, "text": push.text, "kind": push.type}
    assert isinstance(push, UpdateStat)
    return {
        "type": "status",
        "uin": push.number,
        "status": status_name(push.status),
        "code": push.status,
    }


@main.command(short_help="Chat, line by line.")
@_client_options
@click.option("--plain", is_flag=True, help="Lines only (the only form there is yet).")
def chat(server: str, uin: int, *, password_stdin: bool, plain: bool) -> None:  # noqa: ARG001
    """Chat, line by line: what you type goes out, what comes is printed.

    Through a pipe the exit code is 1 if anything that was typed could not be done.
    """
    from kqq.chat import plain_chat

    password = _ask_password(from_stdin=password_stdin)

    async def work(client: "Client") -> None:
        if not await plain_chat(client) and not sys.stdin.isatty():
            sys.exit(Exit.REFUSED)

    _with_client(server, uin, password, work, until_interrupted=True)


# --- the protocol --------------------------------------------------------------------------------


@main.command(short_help="Explain a line field by field.")
@click.argument("line")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, secrets included.")
@click.option("--secrets", is_flag=True, help="Show passwords and session keys in words, too.")
def explain(line: str, *, as_json: bool, secrets: bool) -> None:
    """Explain LINE field by field, with evidence; `-` reads lines from standard input.

    Exit code 1 if a line cannot be read.
    """
    from kqq.protocol.explain import explain as explain_line
    from kqq.protocol.wire import Line

    all_readable = True
    for position, raw in enumerate(_lines(line)):
        explanation = explain_line(Line.decode(raw))
        all_readable = all_readable and explanation.readable
        if as_json:
            _print_json(_explanation_object(explanation))
        else:
            if position:
                click.echo()
            columns = shutil.get_terminal_size().columns
            lines = explanation_lines(explanation, secrets=secrets, columns=columns)
            click.echo("\n".join(lines))
    sys.exit(Exit.DONE if all_readable else Exit.REFUSED)


def _lines(argument: str) -> Iterator[bytes]:
    if argument != "-":
        yield os.fsencode(argument)
        return
    stream: IO[bytes] = sys.stdin.buffer
    for raw in stream:
        if raw.strip(b"\r\n"):
            yield raw


def _explanation_object(explanation: "Explanation") -> dict[str, Any]:
    return {
        "command": explanation.command,
        "kind": explanation.kind,
        "summary": explanation.summary,
        "fields": [
            {
                "key": field.key,
                "value": field.value,
                "name": field.name,
                "meaning": field.meaning,
                "confidence": field.confidence,
                "evidence": list(field.evidence),
            }
            for field in explanation.fields
        ],
        "problems": list(explanation.problems),
    }


@main.command(short_help="See two people chat, and the wire.")
def demo() -> None:
    """Two people chat through a server of their own, beside the lines on the wire."""
    from kqq.demo import run_demo

    run_demo()


def _print_json(value: dict[str, Any]) -> None:
    click.echo(
        _UNSAFE.sub(lambda sign: f"\\u{ord(sign[0]):04x}", json.dumps(value, ensure_ascii=False))
    )
