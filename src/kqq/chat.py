"""The chat as plain lines: works in any terminal, and through pipes."""

import asyncio
import sys
import threading
from datetime import datetime

import click

from kqq.client import Client, Friend
from kqq.errors import CommandError, LocalProtocolError, NotSignedIn
from kqq.protocol import Push, ServerMsg, Status, UpdateStat
from kqq.words import printable, status_name

HELP = """\
  TEXT            say TEXT to the person you talk to
  /to PERSON      talk to this friend, by number or name
  /friends        who is there
  /status STATUS  online, away, hidden, busy, call-me, do-not-disturb
  /help           this
  /quit           leave (Ctrl-D, too)"""


Typed = asyncio.Queue[str | None]
"""The lines that somebody types, None at the end."""


async def plain_chat(client: Client, lines: Typed | None = None) -> bool:
    """Chat over a signed-in client until the person leaves or the input ends.

    `lines` are those typed, standard input if not given. Returns whether all that was typed could
    be done. Raises NotSignedIn if the person signed in elsewhere.
    """
    chat = _Chat(client, typed_lines() if lines is None else lines)
    await chat.show_friends()
    listening = asyncio.create_task(chat.listen())
    typing = asyncio.create_task(chat.type())
    try:
        done, _ = await asyncio.wait({listening, typing}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (listening, typing):
            task.cancel()
        await asyncio.gather(listening, typing, return_exceptions=True)
    await client.sign_out()
    return chat.all_done


class _Chat:
    def __init__(self, client: Client, lines: Typed) -> None:
        self.all_done = True
        self._client = client
        self._lines = lines
        self._friends: dict[int, Friend] = {}
        self._to: int | None = None

    def _name(self, uin: int) -> str:
        friend = self._friends.get(uin)
        return f"{printable(friend.nick)} ({uin})" if friend else str(uin)

    async def show_friends(self) -> None:
        everybody = await self._client.friends()
        statuses = await self._client.statuses()
        if not self._friends:
            click.echo(f"You are {self._client.uin}. /help tells what you can type. Your friends:")
        self._friends = {friend.uin: friend for friend in everybody}
        for uin in self._friends:
            click.echo(f"  {self._name(uin)}: {status_name(statuses.get(uin, 20))}")
        if self._to is None and len(self._friends) == 1:
            self._talk_to(next(iter(self._friends)))
        elif self._to is None:
            click.echo("* Say /to and a number or a name to choose whom you talk to.")

    def _talk_to(self, uin: int) -> None:
        if self._to != uin:
            self._to = uin
            click.echo(f"* You talk to {self._name(uin)}.")

    async def listen(self) -> None:
        async for push in self._client.events():
            self._show(push)

    def _show(self, push: Push) -> None:
        if isinstance(push, ServerMsg):
            text = printable(push.text, lines=True).replace("\n", "\n      ")
            click.echo(f"{datetime.now():%H:%M} {self._name(push.sender)}: {text}")  # noqa: DTZ005
            if self._to is None:
                self._talk_to(push.sender)
        elif isinstance(push, UpdateStat):
            click.echo(f"* {self._name(push.number)} is {status_name(push.status)}.")

    async def type(self) -> None:
        while (line := await self._lines.get()) is not None:
            try:
                if not await self._do(line):
                    return
            except NotSignedIn:
                raise
            except (CommandError, LocalProtocolError) as error:
                self._cannot(printable(str(error)))

    def _cannot(self, why: str) -> None:
        self.all_done = False
        click.echo(f"! {why}")

    async def _do(self, line: str) -> bool:
        """Do what one typed line says; return False to leave."""
        command, _, argument = line.strip().partition(" ")
        if command == "/quit":
            return False
        if command == "/help":
            click.echo(HELP)
        elif command == "/friends":
            await self.show_friends()
        elif command == "/to":
            self._choose(argument.strip())
        elif command == "/status":
            await self._change_status(argument.strip())
        elif command.startswith("/") and not command.startswith("//"):
            self._cannot(f"{command} is not known; /help tells what is (// begins a text with /)")
        elif line.strip():
            await self._say(line.removeprefix("/") if command.startswith("//") else line)
        return True

    def _choose(self, who: str) -> None:
        named = [uin for uin, friend in self._friends.items() if who in (str(uin), friend.nick)]
        if len(named) == 1:
            self._talk_to(named[0])
        elif named:
            self._cannot(f"{printable(who)} is the name of {', '.join(map(str, named))}; say which")
        else:
            self._cannot(f"{printable(who) or 'nobody'} is no friend of yours; /friends lists them")

    async def _change_status(self, name: str) -> None:
        known = {status_name(status): status for status in Status if status is not Status.OFFLINE}
        if name not in known:
            self._cannot(f"/status wants one of {', '.join(known)}")
            return
        await self._client.change_status(known[name])
        click.echo(f"* You are {name}.")

    async def _say(self, text: str) -> None:
        if self._to is None:
            self._cannot("To whom? Say /to and a number or a name first.")
        else:
            await self._client.send(self._to, text)


def typed_lines() -> Typed:
    """Return the lines of standard input as they are typed.

    A thread reads them, since standard input may be a file, which no event loop can wait for. It
    is a daemon: nobody can interrupt it while it waits for a person.
    """
    queue: Typed = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            for line in sys.stdin:
                loop.call_soon_threadsafe(queue.put_nowait, line.rstrip("\r\n"))
            loop.call_soon_threadsafe(queue.put_nowait, None)
        except RuntimeError:
            return  # the loop has ended, nobody listens any more

    threading.Thread(target=read, name="kqq-typing", daemon=True).start()
    return queue
