"""`kqq send`, `listen`, `status` and `chat`: what a person signed in says, hears and is."""

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from kqq.cli.completing import complete_people
from kqq.cli.group import json_option, main, print_json, read_text, tell_error
from kqq.cli.session import Session, Waits, on_terminal, run
from kqq.cli.signing_in import STATUSES, SignIn, client_options, status_of
from kqq.errors import ConnectionLost, DiscoveryError, TimedOut
from kqq.words import Exit, status_name, status_word, tr

if TYPE_CHECKING:
    from kqq.chat import Make
    from kqq.client import Address, AskCaptcha, Event, Messenger, State
    from kqq.client.history import Diary, History
    from kqq.protocol import Line


@main.command(short_help="Send a message.")
@client_options
@click.argument("to", shell_complete=complete_people)
@click.argument("text")
@json_option
def send(signing: SignIn, *, to: str, text: str, as_json: bool) -> None:
    """Send TEXT to TO, a number or a friend's nickname; `-` reads TEXT from standard input.

    When this ends with exit code 0, the server has the message. If the connection is lost before,
    it is made again, and the message is still sent once. Messages that came meanwhile are shown on
    standard error.
    """
    password = signing.password()
    words = read_text(sys.stdin.read).rstrip("\r\n") if text == "-" else text
    if not words:
        raise click.UsageError("there is no text to send")

    async def work(session: Session) -> None:
        uin = await session.number(to)
        message = await session.me.send(uin, words)
        if as_json:
            print_json({"to": uin, "key": message.key, "at": round(message.at, 3)})

    run(signing, work, password=password)


# --- listening -----------------------------------------------------------------------------------


@main.command(short_help="Print what happens, as it happens.")
@client_options
@json_option
@click.option("--count", type=click.IntRange(min=1), help="End when so many messages have come.")
@click.option(
    "--from",
    "sender",
    shell_complete=complete_people,
    metavar="WHO",
    help="Only what this person says and does.",
)
@click.option(
    "--once",
    is_flag=True,
    help="End with exit code 3 when the connection is lost, instead of making it again.",
)
def listen(
    signing: SignIn, *, as_json: bool, count: int | None, sender: str | None, once: bool
) -> None:
    """Print messages, requests and statuses as they come, until Ctrl-C.

    With --json each event is an object whose `type` says what it is: message, own-message, status,
    request, request-answered, roster, signed-in, lost and others. Messages that are printed count
    as read.
    """
    ear = _Ear(sender, count, as_json=as_json)

    async def work(session: Session) -> None:
        await session.knows_friends()  # so that people have names
        ear.begin(session.me)
        await ear.has_enough.wait()

    try:
        run(signing, work, show=ear.hear, waits=Waits.NOT if once else Waits.FOR_EVER)
    except KeyboardInterrupt:
        click.echo(err=True)
    finally:
        ear.end()


class _Ear:
    """Prints what happens; `has_enough` is set when that is to end."""

    def __init__(self, sender: str | None, count: int | None, *, as_json: bool) -> None:
        self.has_enough = asyncio.Event()
        self._sender = sender
        self._count = count
        self._as_json = as_json
        self._uin: int | None = None
        self._me: Messenger | None = None
        self._early: list[tuple[Event, State]] = []

    def begin(self, me: "Messenger") -> None:
        """Print what people do from now on, and have done since the sign-in.

        Raises ConfigError if it is not clear to whom to listen.
        """
        from kqq.telling import person

        self._uin = None if self._sender is None else person(me.state, self._sender)
        self._me = me
        self.end()

    def end(self) -> None:
        """Print what came and is not printed yet; of one person only once it is known who."""
        if self._me is not None or self._sender is None:
            for event, state in self._early:
                self._take(event, state)
            self._early.clear()

    def hear(self, event: "Event", state: "State") -> None:
        """Print an event, if it is one to print, as soon as it is known who people are."""
        from kqq.client import Connecting, Lost, Odd, SignedIn

        if isinstance(event, Connecting | Lost | Odd | SignedIn):
            self._print(event, state, is_aside=True)
        elif self._me is None:
            self._early.append((event, state))
        else:
            self._take(event, state)

    def _take(self, event: "Event", state: "State") -> None:
        from kqq.client import Received

        if self._uin not in (None, _about(event)):
            return
        self._print(event, state, is_aside=False)
        if isinstance(event, Received) and self._me is not None:
            self._me.read(event.message.uin)
            self._count = None if self._count is None else self._count - 1
            if self._count is not None and self._count <= 0:
                self.has_enough.set()

    def _print(self, event: "Event", state: "State", *, is_aside: bool) -> None:
        from kqq.telling import as_object, told

        if self._as_json:
            print_json(as_object(event, state))
        elif words := told(event, state):
            click.echo(words, err=is_aside)
        sys.stdout.flush()


def _about(event: "Event") -> int | None:
    """Return who an event is about, None if it is about nobody in particular."""
    from kqq.client import Received, Written

    if isinstance(event, Received | Written):
        return event.message.uin
    return getattr(event, "uin", None)


# --- being there ---------------------------------------------------------------------------------


@main.command(short_help="Be there with a status, or show how you are.")
@client_options
@click.argument("name", type=click.Choice(STATUSES), required=False, metavar="[NAME]")
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Sign out after so long, instead of at Ctrl-C.",
)
@json_option
def status(signing: SignIn, *, name: str | None, seconds: float | None, as_json: bool) -> None:
    """Be signed in with the status NAME until Ctrl-C; without NAME show how you are, and sign out.

    NAME is online, away, hidden, busy, call-me or do-not-disturb, and lasts as long as one is
    signed in. Messages that come meanwhile are shown on standard
    error at the end, and kept in the history.
    """

    async def work(session: Session) -> None:
        if name is not None:
            await session.me.change_status(status_of(name))
        await session.roster()
        _show_self(session.me.state, as_json=as_json)
        if name is not None:
            await asyncio.wait_for(asyncio.Event().wait(), seconds)

    try:
        run(signing, work, waits=Waits.AWHILE if name is None else Waits.FOR_EVER)
    except KeyboardInterrupt:
        click.echo(err=True)
    except TimeoutError:
        return  # so long it was to be


def _show_self(state: "State", *, as_json: bool) -> None:
    from kqq.client import Person
    from kqq.protocol import Status

    def is_there(one: Person) -> bool:
        return one.is_friend and one.status != Status.OFFLINE

    friends = sum(one.is_friend for one in state.people.values())
    there = sum(map(is_there, state.people.values()))
    code = state.status.value
    if as_json:
        shown = {"uin": state.uin, "status": status_name(code), "code": code}
        counts = {"friends": friends, "online": there, "unread": state.unread}
        print_json({**shown, "server": state.address, **counts})
    else:
        words = tr(
            "{uin} is {status} at {server}; friends: {friends}, {there} of them are there; "
            "unread messages: {unread}"
        )
        click.echo(
            words.format(
                uin=state.uin,
                status=status_word(code),
                server=state.address,
                friends=friends,
                there=there,
                unread=state.unread,
            )
        )
    sys.stdout.flush()


# --- chatting ------------------------------------------------------------------------------------


@main.command(short_help="Chat.")
@client_options
@click.argument("who", metavar="[WITH]", required=False, shell_complete=complete_people)
@click.option("--plain", is_flag=True, help="Line by line, instead of the full screen.")
@click.option(
    "--notices",
    type=click.Choice(("off", "bell", "desktop", "both")),
    default="bell",
    show_default=True,
    help="How the full screen says that something came.",
)
@click.option("--light", is_flag=True, help="Dark on light, on the full screen.")
def chat(signing: SignIn, *, who: str | None, plain: bool, notices: str, light: bool) -> None:
    """Chat, on a full screen, or line by line with --plain or where there is no terminal.

    WITH is the number or nickname of whom to talk to at once. Through a pipe the exit code is 1 if
    anything that was typed could not be done.
    """
    is_plain = plain or not on_terminal()
    known = signing.password()
    servers = _servers(signing)
    made: list[Messenger] = []
    with signing.history() as history:

        def make(
            ask: "AskCaptcha", watch: "Callable[[str, Line], None]", password: str | None
        ) -> "Messenger":
            made.append(signing.messenger(servers, password or known, history, ask, watch))
            return made[-1]

        diary = None if history is None else history.diary(signing.uin, str(signing.home))
        code = (
            _chat_plainly(make, diary, who)
            if is_plain
            else _chat_on_screen(make, history, diary, who, notices=notices, is_light=light)
        )
    if made and made[-1].state.uin is not None:
        signing.remember(str(made[-1].servers[0]))
    sys.exit(code)


def _servers(signing: SignIn) -> "tuple[Address, ...]":
    """Return the servers to try: those of the account, then those that are listed."""
    if not signing.discover:
        return signing.servers
    try:
        listed = asyncio.run(signing.listed_servers())
    except (ConnectionLost, DiscoveryError, TimedOut) as error:
        if not signing.servers:
            raise
        tell_error(error)
        return signing.servers
    return tuple(dict.fromkeys((*signing.servers, *listed)))


def _chat_plainly(make: "Make", diary: "Diary | None", who: str | None) -> int:
    from kqq import at_terminal
    from kqq.chat import plain_chat

    is_typed = at_terminal.is_typed()
    try:
        is_done = asyncio.run(plain_chat(make, diary=diary, talk_to=who, is_typed=is_typed))
    except KeyboardInterrupt:
        click.echo(err=True)
        return Exit.DONE
    return Exit.DONE if is_done or is_typed else Exit.REFUSED


def _chat_on_screen(
    make: "Make",
    history: "History | None",
    diary: "Diary | None",
    who: str | None,
    *,
    notices: str,
    is_light: bool,
) -> int:
    from kqq.tui import run as show
    from kqq.tui.notices import Notices

    return show(
        make,
        talk_to=None if who is None else _known(who, diary),
        history=history,
        notices=Notices(notices),
        dark=not is_light,
    )


def _known(who: str, diary: "Diary | None") -> int:
    """Return the number of somebody before signing in: as typed, or as the history knows it.

    Raises ConfigError if it does not.
    """
    from kqq.telling import number_of, one_called, stranger

    number = number_of(who)
    if number is None:
        number = one_called({} if diary is None else diary.names(), who)
    if number is None:
        raise stranger(who)
    return number
