"""`kqq send`, `friends`, `listen` and `chat`: what a person signed in does."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kqq.cli.group import NUMBER, ask_password, main, print_json
from kqq.words import Exit, printable, status_name

if TYPE_CHECKING:
    from kqq.client import Client
    from kqq.protocol import Push

F = TypeVar("F", bound=Callable[..., Any])


def _client_options(command: F) -> F:
    for option in (
        click.option(
            "--password-stdin",
            is_flag=True,
            help="Read the password from a line of standard input; else KQQ_PASSWORD or a prompt.",
        ),
        click.option(
            "--uin",
            type=NUMBER,
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
@click.argument("to", type=NUMBER)
@click.argument("text")
def send(server: str, uin: int, to: int, text: str, *, password_stdin: bool) -> None:
    """Send TEXT to the number TO; `-` reads the text from standard input.

    Messages that waited for you come with the sign-in; they are shown on standard error.
    """
    password = ask_password(from_stdin=password_stdin)
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
    password = ask_password(from_stdin=password_stdin)

    async def work(client: "Client") -> None:
        everybody = await client.friends()
        statuses = await client.statuses()
        for friend in everybody:
            code = statuses.get(friend.uin, 20)
            if as_json:
                print_json(
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
    password = ask_password(from_stdin=password_stdin)

    async def work(client: "Client") -> None:
        click.echo(f"signed in as {uin}; Ctrl-C ends", err=True)
        printed = 0
        async for push in client.events():
            seen = _push_object(push)
            if as_json:
                print_json(seen)
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

    password = ask_password(from_stdin=password_stdin)

    async def work(client: "Client") -> None:
        if not await plain_chat(client) and not sys.stdin.isatty():
            sys.exit(Exit.REFUSED)

    _with_client(server, uin, password, work, until_interrupted=True)
