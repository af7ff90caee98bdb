"""What a command does while somebody is signed in, and what is told of all that comes meanwhile."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

from kqq.cli.group import tell_error
from kqq.cli.signing_in import SignIn
from kqq.errors import CaptchaWanted, ConnectionLost, TimedOut
from kqq.words import tr

if TYPE_CHECKING:
    from kqq.at_terminal import Typed
    from kqq.client import AskCaptcha, Event, State
    from kqq.client.history import History
    from kqq.client.messenger import Messenger

Show = Callable[["Event", "State"], None]
"""Tells an event, after the state has taken it in."""
Work = Callable[["Session"], Coroutine[Any, Any, None]]
"""What a command does, once somebody is signed in."""


class Session:
    """Somebody signed in while a command does its work; `me` is started."""

    def __init__(self, me: "Messenger", show: Show, patience: float | None) -> None:
        self.me = me
        self._show = show
        self._patience = patience
        self._has_roster = asyncio.get_running_loop().create_future()
        self._alarm: asyncio.TimerHandle | None = None
        self.over = asyncio.Event()
        """Set when the connection is lost for good, or for longer than is waited."""

    async def knows_friends(self) -> bool:
        """Return whether the friends are known, once that can be said."""
        return bool(await asyncio.shield(self._has_roster))

    async def roster(self) -> None:
        """Return once the friends are known. Raises what prevents it."""
        if not await self.knows_friends():
            await self.me.refresh()

    async def number(self, who: str) -> int:
        """Return the number of a person, named by number or nickname.

        Raises ConfigError if no friend has this nickname, or more than one.
        """
        from kqq.telling import number_of, person

        if number_of(who) is None:
            await self.roster()
        return person(self.me.state, who)

    async def take_events(self) -> None:
        """Show events until the messenger is closed."""
        from kqq.client import Lost, Odd, RosterCame, SignedIn

        async for event in self.me.events():
            if isinstance(event, RosterCame | Odd | Lost) and not self._has_roster.done():
                self._has_roster.set_result(isinstance(event, RosterCame))
            if isinstance(event, SignedIn):
                self._is_back()
            elif isinstance(event, Lost):
                self._is_lost(event.again_in)
            self._show(event, self.me.state)

    def _is_back(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _is_lost(self, again_in: float | None) -> None:
        if again_in is None:
            self.over.set()
        elif self._patience is not None and self._alarm is None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(self._patience, self.over.set)


class Aside:
    """Tells on standard error, when a command has done its work, what came meanwhile."""

    def __init__(self, *, tells_servers: bool) -> None:
        self._tells_servers = tells_servers
        self._events: list[Event] = []
        self._waited: frozenset[str] | None = None

    def take(self, event: "Event", state: "State") -> None:
        """Keep what is for later, and tell at once that the connection is lost."""
        from kqq.client import (
            Connecting,
            Lost,
            Odd,
            Received,
            RequestAnswered,
            Requested,
            Written,
        )
        from kqq.telling import told

        if self._waited is None:  # before anything is written
            self._waited = frozenset(_waiting(state))
        is_lost = isinstance(event, Lost) and event.again_in is not None
        is_tried = isinstance(event, Connecting) and self._tells_servers
        if is_lost or is_tried or isinstance(event, Odd):
            click.echo(f"kqq: {told(event, state)}", err=True)
        elif isinstance(event, Received | Requested | RequestAnswered) or (
            isinstance(event, Written) and event.message.key in self._waited
        ):
            self._events.append(event)

    def tell(self, state: "State") -> None:
        """Tell what came."""
        from kqq.client import Received, Requested
        from kqq.telling import told

        for event in self._events:
            words = told(event, state)
            if isinstance(event, Received):
                words = tr("message from {words}").format(words=words)
            elif isinstance(event, Requested):
                advice = tr("(say kqq accept {uin} or kqq refuse {uin})")
                words = f"{words} {advice.format(uin=event.uin)}"
            if words:
                click.echo(words, err=True)


def _waiting(state: "State") -> Iterator[str]:
    """Give the keys of messages of earlier commands that are not sent yet."""
    from kqq.client import Fate

    for conversation in state.conversations.values():
        for message in conversation.messages:
            if message.fate is Fate.WAITING:
                yield message.key


class Waits(Enum):
    """How long a command waits for another connection when one is lost."""

    NOT = "not"
    AWHILE = "as long as for an answer"
    FOR_EVER = "for ever"


def run(
    signing: SignIn,
    work: Work,
    *,
    show: Show | None = None,
    waits: Waits = Waits.AWHILE,
    password: str | None = None,
) -> None:
    """Sign in and do the work of a command.

    Without `show`, messages and requests that came meanwhile are told on standard error when the
    work is done. `password` is that which `signing` would find, if it was asked before.
    """
    words = signing.password() if password is None else password
    patience = {Waits.NOT: 0.0, Waits.AWHILE: signing.timeout, Waits.FOR_EVER: None}[waits]
    with signing.history() as history:
        asyncio.run(_run(signing, words, history, work, show=show, patience=patience))


def on_terminal() -> bool:
    """Whether a person sits at a terminal that can show more than lines."""
    from kqq.at_terminal import is_typed

    is_shown = sys.stdout is not None and sys.stdout.isatty()
    return is_typed() and is_shown and os.environ.get("TERM") != "dumb"


async def _run(
    signing: SignIn,
    password: str,
    history: "History | None",
    work: Work,
    *,
    show: Show | None,
    patience: float | None,
) -> None:
    ask = reader_of_letters(signing.uin)
    is_listed = not signing.servers
    servers = signing.servers or await signing.listed_servers()
    while True:
        me = signing.messenger(servers, password, history, ask)
        aside = Aside(tells_servers=len(servers) > 1 and sys.stderr.isatty())
        session = Session(me, show or aside.take, patience)
        taking = asyncio.ensure_future(session.take_events())
        try:
            await me.start()
            signing.remember(me.state.address)
            await _until_done(session, taking, work)
        except (ConnectionLost, TimedOut) as error:
            if is_listed or not signing.discover or me.state.uin is not None:
                raise
            tell_error(error)
        else:
            return
        finally:
            await me.close()
            await taking
            aside.tell(me.state)
        is_listed = True
        servers = await signing.listed_servers()


async def _until_done(session: Session, taking: "asyncio.Future[None]", work: Work) -> None:
    """Do the work of a command, unless the connection is lost for longer than is waited for."""
    working = asyncio.ensure_future(work(session))
    over = asyncio.ensure_future(session.over.wait())
    tasks: list[asyncio.Future[Any]] = [working, over, taking]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_done = working.done()
        working.cancel()
        over.cancel()
        await asyncio.gather(working, over, return_exceptions=True)
    if is_done:
        working.result()
    elif not taking.done():
        raise session.me.state.lost or ConnectionLost("the connection is lost")


def reader_of_letters(uin: int) -> "AskCaptcha":
    """Return what reads a captcha: shows it and asks the person at the terminal.

    It raises CaptchaWanted, which says where the picture is, if nobody is there.
    """
    lines: list[Typed] = []

    async def ask(picture: bytes) -> str:
        from kqq.at_terminal import is_typed, show_picture, typed_lines
        from kqq.pictures import save

        if not is_typed():
            file = save(picture, uin=uin, at=time.time())
            raise CaptchaWanted(
                f"the server shows a captcha, which is in {file}; sign in at a terminal once, with "
                "`kqq login`, to read it",
                image=picture,
            )
        show_picture(picture, uin, lambda text: click.echo(text, err=True))
        click.echo(tr("The letters in the picture: "), nl=False, err=True)
        if not lines:
            lines.append(typed_lines())
        letters = await lines[0].get()
        if not isinstance(letters, str) or not letters:
            raise CaptchaWanted("no letters were typed", image=picture)
        return letters.strip()

    return ask
