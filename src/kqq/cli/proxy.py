"""`kqq proxy`: between a client and a server, with its hands on every line."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from kqq.cli.group import json_option, main, print_json
from kqq.cli.signing_in import ca_option
from kqq.errors import ConfigError
from kqq.words import Exit, one_line, printable, tr

if TYPE_CHECKING:
    from kqq.proxy.passage import Passage
    from kqq.proxy.recording import PacketRecording, PlayRecording
    from kqq.proxy.relay import Event, Relay
    from kqq.proxy.rules import Orders

_LISTEN = "kqq://127.0.0.1:14001"
_UPSTREAM = "kqq://127.0.0.1:14000"


@main.command(short_help="Watch and change what goes between a client and a server.")
@click.option(
    "--listen",
    default=_LISTEN,
    show_default=True,
    metavar="HOST:PORT",
    help="Where clients connect to; port 0 picks a free one.",
)
@click.option(
    "--upstream",
    default=_UPSTREAM,
    show_default=True,
    metavar="HOST:PORT",
    help="The server; kqqs://HOST:PORT is one with TLS.",
)
@click.option("--screen", is_flag=True, help="Work on a full screen: hold, edit, put in.")
@click.option(
    "--rules",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Rules in Python: a function on_line(line, flow).",
)
@click.option("--drop", multiple=True, metavar="LINES", help="Let these lines not go on.")
@click.option(
    "--delay", multiple=True, metavar="LINES=SECONDS", help="Let these lines go on later."
)
@click.option("--hold", multiple=True, metavar="LINES", help="Hold these lines; with --screen.")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a play, or a capture if FILE ends in .pcap or .pcapng.",
)
@json_option
@click.option("--fields", is_flag=True, help="Explain every field of every line.")
@click.option("--secrets", is_flag=True, help="Print passwords and session keys, too.")
@ca_option
def proxy(
    *,
    listen: str,
    upstream: str,
    screen: bool,
    file: Path | None,
    drop: tuple[str, ...],
    delay: tuple[str, ...],
    hold: tuple[str, ...],
    record: Path | None,
    as_json: bool,
    fields: bool,
    secrets: bool,
    ca: Path | None,
) -> None:
    """Stand between clients and a server until Ctrl-C, and show each line that goes by.

    Clients connect to --listen in place of the server. What no rule changes goes on byte for byte.
    LINES are a command such as CLTMSG, client:CLTMSG or server: (what one end says), a number such
    as 10001, /words, or * for all.
    """
    from kqq.address import Door
    from kqq.client.tcp import Address, make_trust
    from kqq.proxy.relay import Relay
    from kqq.proxy.rules import Orders, Which

    if hold and not screen:
        raise click.UsageError("only at --screen can somebody say what becomes of held lines")
    if screen and (as_json or fields or secrets):
        raise click.UsageError("--screen has its own view; leave --json, --fields, --secrets out")
    if screen and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("--screen needs a terminal")
    address = Address.parse(upstream, "kqq")
    orders = Orders(
        [Which.parse(one) for one in drop],
        [Which.parse(one) for one in hold],
        [Orders.parse_delay(one) for one in delay],
    )
    for which in (*orders.drop, *orders.hold, *(which for which, _ in orders.delay)):
        if which.is_unheard_of:
            words = tr("nobody is known to say {command}; that order waits for lines of its own")
            click.echo("kqq: " + words.format(command=printable(which.command)), err=True)
    relay = Relay(address, trust=None if ca is None else make_trust(ca))
    door = Door.parse(listen, "kqq")
    if screen:
        show: Callable[[Event], None] | None = None
    else:
        show = _as_json(secrets=secrets) if as_json else _in_rows(fields=fields, secrets=secrets)
    asyncio.run(_run(relay, door, orders, show, file=file, record=record))


async def _run(
    relay: "Relay",
    door: Any,
    orders: "Orders",
    show: "Callable[[Event], None] | None",
    *,
    file: Path | None,
    record: Path | None,
) -> None:
    from kqq.proxy.recording import record as begin_recording
    from kqq.proxy.rules import Rules, all_of

    judges: list[Callable[[Passage], None]] = [orders.judge]
    recording: PlayRecording | PacketRecording | None = None
    if file is not None:
        rules = Rules(file, relay)
        judges.append(rules.judge)
        relay.add_watcher(rules.watch)
    if show is not None:
        judges.append(_let_go(relay))
        relay.add_watcher(show)
    relay.judge = all_of(judges)
    listening = await relay.open(door)
    try:
        if record is not None:
            recording = begin_recording(record, relay, "Recorded by kqq proxy.")
        if show is None:
            from kqq.proxy.screen import ProxyApp

            app = ProxyApp(relay, orders, str(listening), record)
            code = await app.run_async() or int(Exit.DONE)
            if app.failure is not None:
                raise app.failure
            sys.exit(code)
        words = tr("{listen} leads to {upstream}; Ctrl-C ends it")
        text = words.format(listen=listening, upstream=relay.upstream)
        click.echo(printable(text), err=True)
        await _until_told(relay)
    finally:
        await relay.close()
        if recording is not None:
            recording.close()


async def _until_told(relay: "Relay") -> None:
    """Go on until a signal comes. Raises what went wrong in the relay."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    tasks = {asyncio.create_task(told.wait()), asyncio.create_task(relay.run())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


def _let_go(relay: "Relay") -> "Callable[[Passage], None]":
    """Return a judge that holds nothing: nobody is there to let it go."""
    from kqq.proxy.passage import Fate

    def judge(passage: "Passage") -> None:
        if passage.fate is Fate.HELD:
            passage.release()
            words = "a rule holds a line; only at --screen can somebody let it go, so it goes on"
            relay.note("rule", words, passage.flow.number)

    return judge


def _as_json(*, secrets: bool) -> "Callable[[Event], None]":
    """Return what prints each line and note as an object."""
    from kqq.capture.events import Note
    from kqq.capture.formats import note_object, said_object
    from kqq.protocol.wire import mask
    from kqq.proxy.passage import Passage

    def show(event: "Event") -> None:
        if isinstance(event, Note):
            print_json(note_object(event))
        elif isinstance(event, Passage) and event.is_settled:
            edited = event.edited
            print_json(
                said_object(event.said, secrets=secrets)
                | {
                    "fate": event.fate.value,
                    "edited": edited and (edited.text if secrets else mask(edited.text)),
                    "injected": event.is_injected,
                }
            )
        sys.stdout.flush()

    return show


def _in_rows(*, fields: bool, secrets: bool) -> "Callable[[Event], None]":
    """Return what prints each line in a row, and below it what became of it."""
    from kqq.capture.events import Note
    from kqq.cli.rows import Rows
    from kqq.proxy.passage import Passage

    columns = get_terminal_size().columns
    rows = Rows(columns, fields=fields, notes=True, secrets=secrets)

    def show(event: "Event") -> None:
        if isinstance(event, Note):
            for row in rows.of(event):
                click.echo(row)
        elif isinstance(event, Passage) and event.is_settled:
            for row in rows.of(event.said):
                click.echo(row)
            for words in _fate(event):
                click.echo(click.style(one_line(f"        ^ {words}", columns), fg="yellow"))
        sys.stdout.flush()

    return show


def _fate(passage: "Passage") -> "list[str]":
    """Return what became of a line, as far as that is worth telling."""
    from kqq.charts.short import short_words
    from kqq.proxy.passage import Fate

    told = []
    if passage.is_injected:
        told.append(tr("put in here"))
    if passage.fate is Fate.DROPPED:
        told.append(tr("dropped"))
    elif passage.fate is Fate.LOST:
        told.append(tr("lost: the connection ended before"))
    elif passage.edited is not None:
        words = short_words(passage.said_as_sent)
        told.append(tr("edited: {words}").format(words=words))
    return told
